/* sql_tracker.h - an SQLite file behind the node: a Tracker. Design notes: sql_tracker.c. */
#ifndef GANDALF_KVS_SQL_TRACKER_H
#define GANDALF_KVS_SQL_TRACKER_H
#include "engine/tracker.h"
#include "kvs/sql_runner.h"
#include "kvs/sql_vfs.h"

/* Of a path, with the ends that SQLite and this add. */
#define GD_SQL_PATH_SIZE 1024
/* What a snapshot's stream begins with: mark, then le64 bytes of the file. */
#define GD_SQL_STREAM_MARK "GDSQLT01"
#define GD_SQL_STREAM_HEAD_SIZE 16

struct gd_sql_tracker {
    struct gd_tracker tracker; /* First: what the node is given. */
    struct gd_io *io;          /* Borrowed. */
    char file[GD_SQL_PATH_SIZE];
    struct gd_sql_vfs vfs;
    struct gd_sql_runner runner;

    /* The database. */
    sqlite3 *db; /* NULL: not open. */
    sqlite3_stmt *begin, *commit, *save, *version;
    int64_t version_seen; /* PRAGMA data_version: another number when somebody else has written. */
    bool foreign;         /* It was another number, and the database is not emptied yet. */
    gd_index applied;
    int64_t stamp_ms;
    char identity[64]; /* Who this node is: "cluster.node"; "" until it is told. */
    char owner[64];    /* Who the database says it belongs to; "": nobody. */
    uint64_t query_count;
    bool told_away; /* The reason has been logged. */
    bool refuses;   /* The last batch failed: that it can be opened does not mean that it works. */
    char why[256];

    /* The operation in hand. */
    struct gd_timer done_timer, work_timer;
    gd_tracker_fn *done;
    void *done_context;
    enum gd_err done_err;
    struct gd_apply *entries; /* Borrowed: a batch in the works. */
    struct gd_query *queries; /* Borrowed. */
    size_t at, count;

    /* The snapshot: a copy of the database in a file beside it, which is then read. */
    struct gd_timer snapshot_timer;
    gd_tracker_fn *snapshot_done;
    gd_tracker_read_fn *read_done;
    void *snapshot_context;
    enum gd_err snapshot_err;
    uint8_t *read_to;
    size_t read_capacity, read_size;
    sqlite3 *source, *copy; /* While it is copied; `source` holds the moment. */
    sqlite3_backup *backup;
    sqlite3_file *copy_file; /* Owned; while it is read. */
    uint64_t copy_size, copy_at;
    uint32_t copy_crc;

    /* The restore: bytes go to a file beside the database, then into it in one transaction. */
    bool restoring;
    sqlite3_file *restore_file; /* Owned. */
    uint8_t restore_head[GD_SQL_STREAM_HEAD_SIZE], restore_tail[4];
    uint64_t restore_at, restore_size; /* Bytes of the stream so far; of the file. */
    uint32_t restore_crc;
    sqlite3 *from;
    sqlite3_backup *filling;
};
struct gd_sql_options {
    struct gd_io *io;
    const char *file;   /* Copied; shorter than GD_SQL_PATH_SIZE less 16. */
    sqlite3_vfs *base;  /* NULL: the machine's. */
    uint64_t steps_max; /* 0: GD_SQL_STEPS_MAX. */
};
/* In the caller's memory. Nothing is opened before open. */
void gd_sql_tracker_init(struct gd_sql_tracker *tracker, const struct gd_sql_options *options);
/* The process dies without a close: lets go of what SQLite holds in memory that is not the
 * process's own. For a world that goes on without the process. */
void gd_sql_tracker_abandon(struct gd_sql_tracker *tracker);
/* Every row of every table that clients see, as one number; 0 when it cannot be read. */
uint64_t gd_sql_digest(sqlite3 *db);

/* Between sql_tracker.c and sql_snapshot.c. */
static inline struct gd_sql_tracker *gd__sql_of(struct gd_tracker *tracker)
{
    return GD_CONTAINER(tracker, struct gd_sql_tracker, tracker);
}
void gd__sql_take_up(struct gd_sql_tracker *self, gd_tracker_fn *done, void *context);
/* `done` comes from the loop; an error lets the database go. */
void gd__sql_finish(struct gd_sql_tracker *self, enum gd_err err);
/* Closes the database; the next operation says that it is not open. */
void gd__sql_let_go(struct gd_sql_tracker *self);
/* Notes an error's text for the log; returns GD_ERR_IO. */
enum gd_err gd__sql_fault(struct gd_sql_tracker *self, sqlite3 *db, const char *doing);
/* gandalf's own statements; false when one fails. */
bool gd__sql_exec(sqlite3 *db, const char *text);
/* A number out of gandalf's own statement; false when there is none. */
bool gd__sql_number(sqlite3 *db, const char *text, int64_t *number);
/* The row of gandalf_state anew, from another connection or the present one. */
bool gd__sql_state_write(sqlite3 *db, gd_index index, int64_t stamp_ms, bool dirty,
                         const char *owner);
bool gd__sql_state_read(struct gd_sql_tracker *self, bool *dirty);
/* Nobody else has written since the last operation, and the file is where it was. */
bool gd__sql_untouched(struct gd_sql_tracker *self);
/* Connections as this needs them; NULL and a fault noted. */
sqlite3 *gd__sql_connect(struct gd_sql_tracker *self, const char *end, int flags);
/* The database's name with `end` behind it. */
const char *gd__sql_path(const struct gd_sql_tracker *self, const char *end, char *to);
void gd__sql_unlink(struct gd_sql_tracker *self, const char *end);
void gd__sql_snapshot_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context);
void gd__sql_snapshot_read(struct gd_tracker *tracker, uint8_t *to, size_t capacity,
                           gd_tracker_read_fn *done, void *context);
void gd__sql_snapshot_end(struct gd_tracker *tracker);
void gd__sql_snapshot_fire(struct gd_timer *timer);
void gd__sql_restore_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context);
void gd__sql_restore_write(struct gd_tracker *tracker, struct gd_slice bytes, gd_tracker_fn *done,
                           void *context);
void gd__sql_restore_end(struct gd_tracker *tracker, bool commit, gd_index index, int64_t stamp_ms,
                         gd_tracker_fn *done, void *context);
/* The next piece of filling; for the work timer. */
void gd__sql_restore_work(struct gd_sql_tracker *self);
void gd__sql_restore_drop(struct gd_sql_tracker *self);
#endif
