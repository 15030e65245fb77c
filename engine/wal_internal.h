/* wal_internal.h - the write-ahead log's own structures, shared by wal.c (queue and writes),
 * wal_segment.c (files that come and go) and wal_recover.c (reading all of it back). */
#ifndef GANDALF_ENGINE_WAL_INTERNAL_H
#define GANDALF_ENGINE_WAL_INTERNAL_H
#include "engine/storage.h"
#include "engine/wal_format.h"

/* Room that a header takes at most: 32 members with the longest addresses. */
#define GD__WAL_HEADER_SIZE_MAX 16384u

/* A segment in the directory. */
struct gd__wal_segment {
    uint64_t number;
    gd_index index_max; /* The highest index of any entry in it; 0: no entries. */
    uint64_t size;      /* Bytes written, padding included. */
};

/* An open segment: the spare, the one written, or one that is being closed. */
struct gd__wal_file {
    struct gd_wal *wal; /* Borrowed. */
    struct gd_file file;
    bool open;
    uint64_t number;
    uint64_t size;   /* Bytes preallocated. */
    uint64_t offset; /* Where the next write goes. */
    char path[GD_DISK_PATH_SIZE];
    struct gd__storage_op op; /* One at a time. */
};

/* A snapshot mark on its way. */
struct gd__wal_mark {
    struct gd_snapshot_meta meta;
    gd_index keep_after;
};
/* A record on its way. */
struct gd__wal_item {
    enum gd__wal_type type;
    uint64_t sequence; /* gd_raft_persist's, in its last item; else 0. */
    union {
        struct gd_entry *entry; /* ENTRY: a reference of our own. */
        struct gd_hard_state hard_state;
        gd_index from;               /* TRUNCATE. */
        struct gd_position position; /* RESET. */
        struct gd__wal_mark *mark;   /* SNAPSHOT, INSTALL: owned. */
    } u;
};

/* Entries from `first` on, up to the next run, have this term. */
struct gd__wal_run {
    gd_index first;
    gd_term term;
};

enum gd__wal_stage {
    GD__WAL_IDLE,    /* Neither opened nor started. */
    GD__WAL_OPENING, /* Recovery runs. */
    GD__WAL_OPENED,  /* Waits for gd_wal_start. */
    GD__WAL_HEADING, /* The first segment's header is not yet durable. */
    GD__WAL_NOTING,  /* The header is; the note that vouches for it is not. */
    GD__WAL_RUNNING, /* Writes whatever is queued. */
    GD__WAL_FAILED,  /* Nothing more is written. */
};
enum gd__wal_spare {
    GD__SPARE_NONE,
    GD__SPARE_OPENING,
    GD__SPARE_ALLOCATING,
    GD__SPARE_SYNCING,
    GD__SPARE_NAMING, /* The directory is being synced. */
    GD__SPARE_READY,
    GD__SPARE_WAITING, /* No space: the timer runs. */
};
typedef void gd__wal_started_fn(void *context, enum gd_err err, const struct gd_error *error);

struct gd__wal_recovery;
struct gd_wal {
    struct gd_wal_options options; /* `directory` is borrowed. */
    enum gd__wal_stage stage;
    struct gd__wal_recovery *recovery; /* Owned; NULL unless opening. */
    unsigned in_flight;                /* Disk operations under way. */
    bool telling;                      /* Inside a callback: the caller goes on by itself. */

    /* The log in the order of its records, as far as records were made. */
    struct gd_wal_identity identity;
    struct gd__wal_state state;
    bool reset_next; /* The next header says that what is older does not count. */
    bool adopt_next; /* ... that it names another cluster than what is older. */
    struct gd__wal_run *runs;
    size_t run_count, run_capacity;
    uint64_t lsn_next;
    uint64_t lsn_durable;

    /* What waits: a ring. */
    struct gd__wal_item *items;
    size_t item_first, item_count, item_capacity; /* The capacity is a power of two. */
    size_t queued_size;                           /* Bytes of records that wait. */

    struct gd_timer turn; /* Runs while a reset waits for the mark that belongs to it. */

    /* The write in flight. */
    bool writing;
    struct gd_bytes batch;
    size_t batch_records_size;     /* Without padding. */
    uint64_t batch_sequence;       /* 0: no persist ends in it. */
    struct gd_position batch_last; /* The last entry up to batch_sequence since the call before. */
    struct gd_position open_last;  /* The last entry behind it: belongs to the next call. */
    bool batch_seals;              /* Holds nothing but a note that vouches for the last one. */
    struct gd_timer seal_timer;
    bool batch_mark; /* Holds a snapshot mark. */
    uint64_t sequence_durable;

    /* Files. */
    struct gd__wal_file *current; /* NULL before the first write. */
    struct gd__wal_file *spare;   /* The next one, allocated ahead. */
    enum gd__wal_spare spare_state, spare_resume;
    uint64_t spare_wanted;
    struct gd_timer spare_timer;
    bool full;                        /* What is queued waits for space. */
    bool full_told;                   /* Logged. */
    uint64_t number;                  /* Of the newest segment made. */
    struct gd__wal_segment *segments; /* All in the directory but the spare, oldest first. */
    size_t segment_count, segment_capacity;
    gd_index keep_after; /* By the last durable mark. */
    bool removing;
    bool remove_failed; /* Not tried again before the next mark. */
    struct gd__storage_op remove_op;
    char remove_path[GD_DISK_PATH_SIZE];

    gd__wal_started_fn *started;
    void *started_context;
    bool closing, close_turned;
    struct gd_timer close_timer;
    void (*closed)(void *context);
    void *closed_context;
    uint64_t syncs, bytes;
};

/* wal.c */
void gd__wal_submit(struct gd_wal *wal, struct gd__storage_op *storage, struct gd_disk_op op);
/* Every completion begins with it: false means that the log is being closed and the completion has
 * nothing more to do. */
bool gd__wal_completed(struct gd_wal *wal);
/* The log can go on no more. */
void gd__wal_fail(struct gd_wal *wal, enum gd_err err, const char *what, const char *path);
/* Begin the next write if there is something to write and nothing in the way. */
void gd__wal_pump(struct gd_wal *wal);
/* The state behind a record, kept alike by writer and reader. */
void gd__wal_runs_append(struct gd_wal *wal, struct gd_position position);
void gd__wal_runs_reset(struct gd_wal *wal, struct gd_position position);
void gd__wal_runs_truncate(struct gd_wal *wal, gd_index from);
gd_term gd__wal_runs_term(const struct gd_wal *wal, gd_index index);

/* wal_segment.c */
void gd__wal_path(const struct gd_wal *wal, uint64_t number, char *path);
bool gd__wal_path_parse(const char *name, uint64_t *number);
void gd__wal_segment_add(struct gd_wal *wal, uint64_t number, gd_index index_max, uint64_t size);
/* Is there a spare of at least `size` bytes? If not it is being made, and pump is called then. */
bool gd__wal_spare_ready(struct gd_wal *wal, uint64_t size);
/* The spare becomes the current segment; the one before is closed. */
void gd__wal_roll(struct gd_wal *wal);
void gd__wal_remove(struct gd_wal *wal);
/* Close what is open, one file at a time; true when nothing is open any more. */
bool gd__wal_files_close(struct gd_wal *wal);

/* wal_recover.c */
/* Close what recovery has open, if anything. */
bool gd__wal_recovery_close(struct gd_wal *wal);
void gd__wal_recovery_free(struct gd__wal_recovery *recovery);
#endif
