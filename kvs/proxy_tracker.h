/* proxy_tracker.h - a Tracker whose database is another program that speaks RESP: a Redis, or
 * gandalf-kvs-server. Its Parser is the kvs's (kv_parser.h), given the database's own commands.
 * Design notes: proxy_tracker.c. */
#ifndef GANDALF_KVS_PROXY_TRACKER_H
#define GANDALF_KVS_PROXY_TRACKER_H
#include "kvs/proxy_commands.h"
#include "kvs/proxy_link.h"

/* How the replies of one request are gathered. */
struct gd_proxy_part {
    enum gd_proxy_filter filter;
    size_t request;         /* Its place in the batch. */
    size_t copies;          /* Replies that it has; 0: `answer` is its reply. */
    bool first, in_multi;   /* First of its request; inside the client's own transaction. */
    size_t request_parts;   /* With `first`: how many parts the request has. */
    struct gd_slice answer; /* Borrowed from the body. */
};

struct gd_proxy_tracker {
    struct gd_tracker tracker; /* First: what the node is given. */
    struct gd_io *io;          /* Borrowed. */
    struct gd_proxy_link main, scan;
    struct gd_bytes password;
    char identity[48]; /* Cluster and node; "" while not known. */
    struct gd_proxy_table table;
    gd_index applied;
    bool dirty;      /* A restore has begun and has not been committed. */
    bool told_away;  /* The reason has been logged. */
    bool refuses;    /* The last batch failed: that it answers does not mean that it works. */
    char value[80];  /* What GD_PROXY_KEY holds; "" when it is absent. */
    char next[80];   /* What the exchange under way sets it to. */
    enum gd_err bad; /* What the replies of the exchange under way say. */
    char why[256];

    /* The operation under way: open, apply, query, restore, close. */
    gd_tracker_fn *done;
    void *done_context;
    enum gd_err done_err;
    struct gd_timer done_timer;
    int64_t key_count; /* At open: DBSIZE. */
    struct gd_apply *applies;
    struct gd_query *queries;
    size_t count;
    struct gd_proxy_part *parts; /* Owned. */
    size_t part_count, part_capacity;
    struct gd_bytes *refusals; /* Owned, by request: the error that the database had for it. */
    bool aborted, again;
    size_t queued; /* Commands between MULTI and EXEC. */
    size_t reply_part, reply_copy;
    bool part_taken;
    struct gd_slice *args; /* Owned: room for one command's. */
    size_t arg_capacity;
    struct gd_bytes restore; /* Owned: a record that is not whole yet. */
    bool restore_headed, restore_ended;

    /* The snapshot. */
    char frozen_value[80]; /* `value` when it was begun. */
    bool frozen, scan_ended, end_written;
    struct gd_apply *held; /* An apply waits for the snapshot's end. */
    size_t held_count;
    gd_tracker_fn *held_done;
    void *held_context;
    struct gd_bytes stream; /* Owned: what is to be read. */
    size_t stream_at;
    struct gd_bytes cursor, keys; /* Owned: le32 size, bytes. */
    struct gd_bytes dump;         /* Owned: the last DUMP. */
    bool dump_absent;
    size_t key_at;      /* In `keys`, of the next DUMP's reply. */
    size_t dumps_limit; /* DUMPs that an exchange may hold. */
    size_t dumps_asked; /* Those that the last one held. */
    size_t dumps_size;  /* The bytes that they brought. */
    gd_time_ns frozen_at;
    uint64_t key_total;
    struct gd_timer snapshot_timer;
    gd_tracker_fn *snapshot_done;
    gd_tracker_read_fn *read_done;
    void *snapshot_context;
    enum gd_err snapshot_err;
    uint8_t *read_to;
    size_t read_capacity, read_size;
    unsigned closes;
};
struct gd_proxy_options {
    struct gd_io *io;
    struct gd_address address;
    const char *password; /* The database's; NULL or empty: none. Copied. */
    uint64_t patience_ms; /* 0: 5000. */
    bool scripts;         /* As in gd_proxy_table. */
};
void gd_proxy_tracker_init(struct gd_proxy_tracker *tracker,
                           const struct gd_proxy_options *options);
/* proxy_snapshot.c */
void gd__proxy_snapshot_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context);
void gd__proxy_snapshot_read(struct gd_tracker *tracker, uint8_t *to, size_t capacity,
                             gd_tracker_read_fn *done, void *context);
void gd__proxy_snapshot_end(struct gd_tracker *tracker);
void gd__proxy_restore_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context);
void gd__proxy_restore_write(struct gd_tracker *tracker, struct gd_slice bytes, gd_tracker_fn *done,
                             void *context);
void gd__proxy_restore_end(struct gd_tracker *tracker, bool commit, gd_index index,
                           int64_t stamp_ms, gd_tracker_fn *done, void *context);
void gd__proxy_snapshot_fire(struct gd_timer *timer);
/* proxy_tracker.c, for proxy_snapshot.c. */
static inline struct gd_proxy_tracker *gd__proxy_of(struct gd_tracker *tracker)
{
    return GD_CONTAINER(tracker, struct gd_proxy_tracker, tracker);
}
void gd__proxy_take_up(struct gd_proxy_tracker *self, gd_tracker_fn *done, void *context);
void gd__proxy_finish(struct gd_proxy_tracker *self, enum gd_err err);
/* MULTI, ... , the key set to `next`, EXEC, in one exchange; `reply` gets what is between. */
void gd__proxy_guard_begin(struct gd_proxy_tracker *self);
void gd__proxy_guard_send(struct gd_proxy_tracker *self, gd_proxy_done_fn *done);
/* "what identity" is what the exchange sets the key to. */
void gd__proxy_set_next(struct gd_proxy_tracker *self, const char *what);
/* The index in front of a value of the key; false when there is none. */
bool gd__proxy_index(const char *value, gd_index *index);
void gd__proxy_resume(struct gd_proxy_tracker *self);
#endif
