/* tracker.h - a database behind the log: applies committed writes, answers queries, gives and takes
 * snapshots.
 *
 * Each committed write reaches the database exactly once, whichever side crashes: the database
 * stores the index of the last applied entry together with the effect (one transaction, one state
 * in memory), and says at open which it is; the node goes on behind it. What apply does may depend
 * on nothing but the state, the body and the stamp: no clock, no random source, no address.
 *
 * One operation at a time among open, apply, query and restore; reading a snapshot may go on
 * between them. Each is accepted always and calls `done` once, from the loop, never from inside the
 * call. The batch and all that it points to stay the caller's, borrowed until then. An error given
 * to `done` means that the database is away (it did nothing of the batch for certain only as far as
 * gd_tracker.applied() says): replies of that batch are dropped, and the node retries by open. A
 * database that then holds less than it had held has lost state, and is restored. GD_ERR_INVALID
 * from open: it is there and is not this node's; nothing of it was changed. */
#ifndef GANDALF_ENGINE_TRACKER_H
#define GANDALF_ENGINE_TRACKER_H
#include "engine/bytes.h"
#include "engine/io.h"

/* One committed entry. An entry that carries no request has an empty body: it moves the applied
 * index and the replicated clock alone. */
struct gd_apply {
    struct gd_position position;
    int64_t stamp_ms;       /* The entry's time, never below an earlier entry's: the only clock. */
    struct gd_slice body;   /* A WRITE's, as the Parser gave it. */
    void *session;          /* The Parser's state of the client that waits here; NULL when none. */
    struct gd_bytes *reply; /* Filled for that client; NULL when none waits here. */
};

enum gd_query_result {
    GD_QUERY_ANSWERED,
    GD_QUERY_NEEDS_TIME /* `wall_ms` is past the time of a key in the way: nothing was answered; let
                           the replicated clock reach `needs_ms` (an entry), then ask again. */
};
struct gd_query {
    struct gd_slice body; /* A READ's. */
    void *session;        /* The Parser's state of the client; NULL when it has gone. */
    int64_t wall_ms;      /* The leader's wall time at the read's point. */
    struct gd_bytes *reply;
    enum gd_query_result result; /* Out. */
    int64_t needs_ms;            /* Out, with NEEDS_TIME. */
};

struct gd_tracker;
typedef void gd_tracker_fn(void *context, enum gd_err err);
/* `size` bytes were put into the buffer; 0: the stream is at its end. */
typedef void gd_tracker_read_fn(void *context, enum gd_err err, size_t size);

struct gd_tracker_vtable {
    /* Reach the database and learn its applied index. Called first, and again after an error. */
    void (*open)(struct gd_tracker *tracker, gd_tracker_fn *done, void *context);
    /* Whose database it is: told once, before the first apply or restore, when the node knows who
     * it is; kept with the applied index. NULL: the database cannot be another's. GD_ERR_INVALID:
     * it is another node's, or another cluster's; nothing of it is changed, and a line is logged.
     */
    enum gd_err (*identify)(struct gd_tracker *tracker, uint64_t cluster_id, gd_node_id node_id);
    /* The last entry whose effect the database holds; 0 for an empty one. Valid once open. */
    gd_index (*applied)(const struct gd_tracker *tracker);
    /* Entries in log order, each one index above the one before. */
    void (*apply)(struct gd_tracker *tracker, struct gd_apply *batch, size_t count,
                  gd_tracker_fn *done, void *context);
    void (*query)(struct gd_tracker *tracker, struct gd_query *batch, size_t count,
                  gd_tracker_fn *done, void *context);
    /* The earliest time at which something expires, so that the leader can move the clock;
     * INT64_MAX when nothing does. */
    int64_t (*next_expiry_ms)(const struct gd_tracker *tracker);
    /* Freeze the state as it is now, at applied(). Later applies do not change what the stream
     * gives (they may wait until snapshot_end). At most one at a time. `done` GD_ERR_BUSY: not now,
     * try later. */
    void (*snapshot_begin)(struct gd_tracker *tracker, gd_tracker_fn *done, void *context);
    /* The next bytes, at most `capacity` (at least 64 KiB): a bounded piece of work, a few ms. */
    void (*snapshot_read)(struct gd_tracker *tracker, uint8_t *to, size_t capacity,
                          gd_tracker_read_fn *done, void *context);
    /* Let go, at the end or before it; no read is in flight. At once. */
    void (*snapshot_end)(struct gd_tracker *tracker);
    /* Replace the whole state by a stream that snapshot_read gave. The old state stays in force
     * until restore_end with `commit`, or (a database that cannot hold two) is gone from
     * restore_begin on, and applied() is 0 until then; with `commit` applied() is `index` and the
     * clock `stamp_ms`. Without `commit` all is as before. restore_write may be cut anywhere.
     * GD_ERR_CORRUPT: not such a stream. */
    void (*restore_begin)(struct gd_tracker *tracker, gd_tracker_fn *done, void *context);
    void (*restore_write)(struct gd_tracker *tracker, struct gd_slice bytes, gd_tracker_fn *done,
                          void *context);
    void (*restore_end)(struct gd_tracker *tracker, bool commit, gd_index index, int64_t stamp_ms,
                        gd_tracker_fn *done, void *context);
    /* A digest of the whole state that clients can see, for the comparison of nodes that have
     * applied the same entries; 0 when the database cannot say. May be slow. */
    uint64_t (*digest)(const struct gd_tracker *tracker);
    /* Drop what is in flight (no `done` comes any more) and let go of everything but the caller's
     * own structure; `done` ends it. */
    void (*close)(struct gd_tracker *tracker, gd_tracker_fn *done, void *context);
};
/* Implementations embed this as their FIRST member. */
struct gd_tracker {
    const struct gd_tracker_vtable *v;
    /* The database may go away, or lose what it held, while nothing is asked of it: every two
     * seconds it is asked an empty query (`count` 0), which looks whether it is there, and is at
     * applied() still. */
    bool apart;
};
#endif
