/* kv_tracker.h - the embedded database: a Tracker over the keyspace, in the node's own memory.
 *
 * What it is asked is done inside the call and told from the loop (a timer of no delay). It holds
 * nothing durable: after a start it is empty, at index 0, and the node restores the newest
 * snapshot and replays the log. */
#ifndef GANDALF_KVS_KV_TRACKER_H
#define GANDALF_KVS_KV_TRACKER_H
#include "kvs/kv.h"
#include "kvs/kv_stream.h"

struct gd_kv_tracker {
    struct gd_tracker tracker; /* First: what the node is given. */
    struct gd_io *io;          /* Borrowed. */
    struct gd_kv kv;
    struct gd_timer done_timer; /* Open, apply, query, restore, close. */
    gd_tracker_fn *done;
    void *done_context;
    enum gd_err done_err;
    struct gd_timer snapshot_timer;
    gd_tracker_fn *snapshot_done;
    gd_tracker_read_fn *read_done;
    void *snapshot_context;
    enum gd_err snapshot_err;
    size_t read_size;
    size_t piece_size_max; /* Of a snapshot, given at a time; 0: whatever there is room for. May be
                              set after init; at least 16. */
    struct gd_timer upkeep_timer; /* Runs while memory waits to be given back. */
    struct gd_kv_writer writer;
    struct gd_kv_loader loader;
    bool restoring;
};
/* In the caller's memory. The seeds come from the entropy of `io`. */
void gd_kv_tracker_init(struct gd_kv_tracker *tracker, struct gd_io *io);
#endif
