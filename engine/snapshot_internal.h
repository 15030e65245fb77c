/* snapshot_internal.h - the snapshot store's own structures, shared by snapshot.c (the store and
 * the writer), snapshot_receive.c and snapshot_read.c. */
#ifndef GANDALF_ENGINE_SNAPSHOT_INTERNAL_H
#define GANDALF_ENGINE_SNAPSHOT_INTERNAL_H
#include "engine/snapshot.h"
#include "engine/snapshot_format.h"
#include "engine/storage.h"

#define GD__SNAPSHOT_KEPT 2u
/* Written files are synced each so many bytes: one sync of a large file would hold up the log's own
 * writes on the same disk. */
#define GD__SNAPSHOT_FLUSH_SIZE (8u * 1024u * 1024u)

/* Goes through a file piece by piece, checking. Used to restore, to check what was received, and to
 * find how much of a half received file is good. */
struct gd__snapshot_cursor;
/* GD_OK and a piece, borrowed until the next step (`piece->end` at the end); or what is wrong:
 * GD_ERR_CORRUPT with `cursor->offset` at the bad piece, GD_ERR_IO. */
typedef void gd__snapshot_cursor_fn(struct gd__snapshot_cursor *cursor, enum gd_err err,
                                    const struct gd__snapshot_piece *piece);
struct gd__snapshot_cursor {
    struct gd_snapshot_store *store;
    struct gd_file *file; /* Borrowed; open. */
    gd__snapshot_cursor_fn *told;
    void *context;
    struct gd_snapshot_meta meta; /* Set once the header was read. */
    bool header_read;
    uint64_t offset; /* In the file, of what is at the buffer's front. */
    uint64_t body_size;
    uint32_t sequence, crc;
    size_t taken; /* Bytes at the front that the last piece took. */
    bool again;   /* What is at `again_from` was bad, and read once more. */
    uint64_t again_from;
    struct gd_bytes bytes;
    struct gd_timer turn;
    struct gd__storage_op op;
};
void gd__snapshot_cursor_start(struct gd__snapshot_cursor *cursor, struct gd_snapshot_store *store,
                               struct gd_file *file);
/* The next piece; `told` comes later, never from inside. */
void gd__snapshot_cursor_next(struct gd__snapshot_cursor *cursor, gd__snapshot_cursor_fn *told,
                              void *context);
void gd__snapshot_cursor_release(struct gd__snapshot_cursor *cursor);

/* A callback that is owed. */
struct gd__snapshot_call {
    gd_snapshot_fn *done; /* NULL: none. */
    void *context;
};

enum gd__snapshot_writing {
    GD__WRITING_NONE,
    GD__WRITING_OPEN,  /* Opening the .tmp file. */
    GD__WRITING_READY, /* Waits for the caller. */
    GD__WRITING_TURN,  /* Nothing to write yet: answers at the loop's next turn. */
    GD__WRITING_CHUNK, /* Writing chunks. */
    GD__WRITING_FLUSH, /* Syncing what was written so far. */
    GD__WRITING_END,   /* Writing the last chunk and the end. */
    GD__WRITING_SYNC,
    GD__WRITING_CLOSE,
    GD__WRITING_RENAME,
    GD__WRITING_NAME, /* Syncing the directory. */
};
struct gd__snapshot_writer {
    enum gd__snapshot_writing state;
    struct gd_snapshot_meta meta;
    struct gd_file file;
    bool open;
    char path[GD_DISK_PATH_SIZE], path_to[GD_DISK_PATH_SIZE];
    struct gd_bytes gathered; /* Body not yet in a chunk. */
    struct gd_bytes out;      /* Being written. */
    uint64_t offset, body_size;
    uint64_t flushed; /* The offset at the last sync. */
    uint32_t sequence, crc;
    struct gd__snapshot_call call;
    struct gd_timer turn;
    struct gd__storage_op op;
};

enum gd__snapshot_receiving {
    GD__RECEIVING_NONE,
    GD__RECEIVING_OPEN,     /* Opening the .part file. */
    GD__RECEIVING_CHECK,    /* How much of it is good? */
    GD__RECEIVING_TRUNCATE, /* The rest goes. */
    GD__RECEIVING_READY,    /* Waits for the caller. */
    GD__RECEIVING_TURN,
    GD__RECEIVING_WRITE,
    GD__RECEIVING_FLUSH, /* Syncing what was written so far. */
    GD__RECEIVING_SYNC,
    GD__RECEIVING_VERIFY,
    GD__RECEIVING_DROP, /* It proved bad: its length becomes 0. */
    GD__RECEIVING_CLOSE,
    GD__RECEIVING_RENAME,
    GD__RECEIVING_NAME,
};
struct gd__snapshot_receiver {
    enum gd__snapshot_receiving state;
    struct gd_position position;
    uint64_t size;    /* Of the whole file. */
    uint64_t stored;  /* Bytes so far. */
    uint64_t flushed; /* The same at the last sync. */
    struct gd_file file;
    bool open;
    char path[GD_DISK_PATH_SIZE], path_to[GD_DISK_PATH_SIZE];
    struct gd__snapshot_cursor cursor;
    /* The chunk in hand. */
    uint64_t offset;
    struct gd_slice bytes; /* Borrowed until done. */
    gd_snapshot_progress_fn *progress;
    struct gd__snapshot_call call;
    enum gd_err err; /* To be told when the turn comes. */
    struct gd_timer turn;
    struct gd__storage_op op;
};

struct gd__snapshot_body {
    bool active, open;
    bool busy;  /* Something is in flight. */
    bool ended; /* By the caller, while busy. */
    struct gd_snapshot_meta meta;
    struct gd_file file;
    char path[GD_DISK_PATH_SIZE];
    struct gd__snapshot_cursor cursor;
    struct gd__snapshot_call call;
    gd_snapshot_read_fn *read;
    struct gd__storage_op op;
};

/* An open file whose raw bytes go to peers. Kept open for a while after the last read, so that a
 * transfer outlives the file's name. */
struct raw_read;
struct gd__snapshot_raw {
    struct gd__snapshot_raw *next;
    struct gd_snapshot_store *store;
    struct gd_position position;
    struct gd_file file;
    bool opening, open;
    unsigned reads;           /* In flight. */
    struct raw_read *waiting; /* For the open, in order. Owned. */
    char path[GD_DISK_PATH_SIZE];
    struct gd_timer idle;
    struct gd__storage_op op;
};

struct gd__snapshot_opening;  /* The first look at the directory. */
struct gd__snapshot_vouching; /* Of snapshot_vouch.c; one block. */
struct gd_snapshot_store {
    struct gd_io *io;                                    /* Borrowed. */
    const char *directory;                               /* Borrowed. */
    unsigned in_flight;                                  /* Operations, turns and jobs under way. */
    struct gd_snapshot_meta kept[GD__SNAPSHOT_KEPT + 1]; /* Newest first. */
    struct gd_position forgotten[GD__SNAPSHOT_KEPT];     /* Proved damaged; on the disk yet. */
    unsigned forgotten_count;
    unsigned count;
    struct gd_position unreadable; /* The newest file that the open could not read. */
    unsigned temporaries;          /* Names of .tmp files so far. */
    struct gd_position part;       /* A half received file that was there at open; index 0: none. */
    struct gd__snapshot_opening *opening;
    struct gd__snapshot_vouching *vouching;
    struct gd__snapshot_writer writer;
    struct gd__snapshot_receiver receiver;
    struct gd__snapshot_body body;
    struct gd__snapshot_raw *raws;
    bool closing, close_turned;
    struct gd_timer close_timer;
    void (*closed)(void *context);
    void *closed_context;
};

/* snapshot.c */
void gd__snapshot_submit(struct gd_snapshot_store *store, struct gd__storage_op *storage,
                         struct gd_disk_op op);
/* Every completion begins with it: false means that the store is being closed. */
bool gd__snapshot_completed(struct gd_snapshot_store *store);
/* Runs `fire` at the loop's next turn; it counts as in flight. */
void gd__snapshot_turn(struct gd_snapshot_store *store, struct gd_timer *timer, gd_timer_fn *fire,
                       void *context);
void gd__snapshot_path(const struct gd_snapshot_store *store, struct gd_position position,
                       const char *suffix, char *path);
/* A file is durable under its name: the newest two stay, the rest goes, by itself. */
void gd__snapshot_add(struct gd_snapshot_store *store, const struct gd_snapshot_meta *meta);
/* Close `file` when `open`, then unlink `path` unless empty, then sync the directory; by itself. */
void gd__snapshot_discard(struct gd_snapshot_store *store, struct gd_file file, bool open,
                          const char *path);
/* snapshot_receive.c, snapshot_read.c: nothing is in flight; give back what is held. The files that
 * are open are discarded (closed). */
void gd__snapshot_receiver_end(struct gd_snapshot_store *store);
void gd__snapshot_body_end(struct gd_snapshot_store *store);
void gd__snapshot_raws_end(struct gd_snapshot_store *store);
#endif
