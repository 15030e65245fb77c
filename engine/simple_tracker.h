/* simple_tracker.h - a Tracker for a database that is a value in memory: four functions instead of
 * tracker.h's twelve.
 *
 * For states of some megabytes: a snapshot copies all of it at once, and holds the node up while it
 * does. A database that is larger, durable or elsewhere implements tracker.h itself. */
#ifndef GANDALF_ENGINE_SIMPLE_TRACKER_H
#define GANDALF_ENGINE_SIMPLE_TRACKER_H
#include "engine/tracker.h"

struct gd_simple_database {
    /* Carries a WRITE's body out. What it does and says depends on nothing but the state, the body
     * and the stamp. `reply` is never NULL. */
    void (*apply)(void *state, struct gd_slice body, int64_t stamp_ms, struct gd_bytes *reply);
    /* Answers a READ's body. */
    void (*query)(void *state, struct gd_slice body, struct gd_bytes *reply);
    /* Adds all of the state to `bytes`: equal states, equal bytes. */
    void (*save)(const void *state, struct gd_bytes *bytes);
    /* Replaces the state by what `save` gave. False: these are no such bytes; the state is then as
     * before. */
    bool (*load)(void *state, struct gd_slice bytes);
    size_t saved_size_max; /* Of what `load` is given: a restore of more is refused. */
};

struct gd_simple_later { /* What the node waits for: told from the loop. */
    struct gd_timer timer;
    gd_tracker_fn *done;
    gd_tracker_read_fn *read_done; /* Instead, with `size`. */
    void *context;
    enum gd_err err;
    size_t size;
};
struct gd_simple_tracker {
    struct gd_tracker tracker; /* First: what the node is given. */
    const struct gd_simple_database *database;
    void *state;                                /* Borrowed. */
    struct gd_io *io;                           /* Borrowed. */
    gd_index applied;                           /* Of `state`. */
    struct gd_simple_later operation, snapshot; /* The two that may overlap. */
    struct gd_bytes saved, restored;
    size_t saved_at;
};
/* In the caller's memory. `state` is empty; all three outlive the tracker. */
void gd_simple_tracker_init(struct gd_simple_tracker *tracker,
                            const struct gd_simple_database *database, void *state,
                            struct gd_io *io);
#endif
