/* kv.h - the database behind the commands: a keyspace, and the running of requests' bodies on it.
 *
 * Synchronous. The Tracker (kv_tracker.h) and the store's own server stand on it. */
#ifndef GANDALF_KVS_KV_H
#define GANDALF_KVS_KV_H
#include "kvs/command.h"

struct gd_kv {
    struct gd_keyspace *ks; /* Owned. */
    gd_index applied;
    uint64_t changes;      /* Commands that changed something, since the start. */
    struct gd_slice *args; /* Owned: room for the arguments of the body in hand. */
    size_t args_capacity;
    const struct gd_command *last_command; /* Found last; a guess at the next. */
};
void gd_kv_init(struct gd_kv *kv, uint64_t seed_low, uint64_t seed_high);
void gd_kv_release(struct gd_kv *kv);
/* Applies one entry: the clock moves to `stamp_ms`, then the body runs (an empty one does
 * nothing). Depends on nothing but the state, `index`, `stamp_ms` and `body`. A body that cannot be
 * read answers with an error and changes nothing. `reply` may be NULL. */
void gd_kv_apply(struct gd_kv *kv, gd_index index, int64_t stamp_ms, struct gd_slice body,
                 void *session, struct gd_bytes *reply);
/* Answers a read. With GD_QUERY_NEEDS_TIME `reply` is as before and `*needs_ms` set. */
enum gd_query_result gd_kv_query(struct gd_kv *kv, struct gd_slice body, void *session,
                                 int64_t wall_ms, struct gd_bytes *reply, int64_t *needs_ms);
#endif
