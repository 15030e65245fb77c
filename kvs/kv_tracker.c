/* kv_tracker.c - the embedded database behind the node.
 *
 * Invariants
 *   T1. `done` comes from a timer, never from inside the call, and once.
 *   T2. State after an apply depends on the state before, the bodies and the stamps alone.
 *   T3. A restore that is not committed leaves everything as it was. */
#include "kvs/kv_tracker.h"
#include "engine/memory.h"

enum { UPKEEP_UNITS = 2000 };

static struct gd_kv_tracker *of(struct gd_tracker *tracker)
{
    return GD_CONTAINER(tracker, struct gd_kv_tracker, tracker);
}

static const struct gd_kv_tracker *of_const(const struct gd_tracker *tracker)
{
    return (const struct gd_kv_tracker *)(const void *)tracker;
}

static void done_fire(struct gd_timer *timer)
{
    struct gd_kv_tracker *self = timer->context;
    gd_tracker_fn *done = self->done;

    self->done = NULL;
    done(self->done_context, self->done_err);
}

static void finish(struct gd_kv_tracker *self, enum gd_err err, gd_tracker_fn *done, void *context)
{
    GD_ASSERT(self->done == NULL);
    self->done = done;
    self->done_context = context;
    self->done_err = err;
    gd_timer_start(self->io, &self->done_timer, gd_io_now(self->io));
}

static void upkeep_start(struct gd_kv_tracker *self)
{
    if (!gd_timer_running(&self->upkeep_timer)) {
        gd_timer_start(self->io, &self->upkeep_timer, gd_io_now(self->io) + GD_NS_PER_MS);
    }
}

static void upkeep_fire(struct gd_timer *timer)
{
    struct gd_kv_tracker *self = timer->context;

    if (gd_keyspace_work(self->kv.ks, UPKEEP_UNITS)) {
        upkeep_start(self);
    }
}

/* After changes: what they left to be done is done even if no more come. */
static void upkeep_check(struct gd_kv_tracker *self)
{
    if (gd_keyspace_work(self->kv.ks, 1)) {
        upkeep_start(self);
    }
}

static void tracker_open(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    finish(of(tracker), GD_OK, done, context);
}

static gd_index tracker_applied(const struct gd_tracker *tracker)
{
    return of_const(tracker)->kv.applied;
}

static void tracker_apply(struct gd_tracker *tracker, struct gd_apply *batch, size_t count,
                          gd_tracker_fn *done, void *context)
{
    struct gd_kv_tracker *self = of(tracker);

    for (size_t i = 0; i < count; i++) {
        GD_ASSERT(batch[i].position.index == self->kv.applied + 1);
        gd_kv_apply(&self->kv, batch[i].position.index, batch[i].stamp_ms, batch[i].body,
                    batch[i].session, batch[i].reply);
    }
    upkeep_check(self);
    finish(self, GD_OK, done, context);
}

static void tracker_query(struct gd_tracker *tracker, struct gd_query *batch, size_t count,
                          gd_tracker_fn *done, void *context)
{
    struct gd_kv_tracker *self = of(tracker);

    for (size_t i = 0; i < count; i++) {
        batch[i].result = gd_kv_query(&self->kv, batch[i].body, batch[i].session, batch[i].wall_ms,
                                      batch[i].reply, &batch[i].needs_ms);
    }
    finish(self, GD_OK, done, context);
}

static int64_t tracker_next_expiry_ms(const struct gd_tracker *tracker)
{
    return gd_keyspace_next_expiry_ms(of_const(tracker)->kv.ks);
}

/* ---------------------------------------------------------------- snapshot */

static void snapshot_fire(struct gd_timer *timer)
{
    struct gd_kv_tracker *self = timer->context;
    gd_tracker_fn *done = self->snapshot_done;
    gd_tracker_read_fn *read_done = self->read_done;

    self->snapshot_done = NULL;
    self->read_done = NULL;
    if (done != NULL) {
        done(self->snapshot_context, self->snapshot_err);
    } else {
        read_done(self->snapshot_context, self->snapshot_err, self->read_size);
    }
}

static void snapshot_finish(struct gd_kv_tracker *self, enum gd_err err, void *context)
{
    self->snapshot_err = err;
    self->snapshot_context = context;
    gd_timer_start(self->io, &self->snapshot_timer, gd_io_now(self->io));
}

static void tracker_snapshot_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_kv_tracker *self = of(tracker);
    enum gd_err err = GD_OK;

    GD_ASSERT(self->snapshot_done == NULL && self->read_done == NULL);
    if (gd_keyspace_frozen(self->kv.ks)) {
        err = GD_ERR_BUSY;
    } else {
        gd_keyspace_freeze(self->kv.ks);
        gd_kv_writer_begin(&self->writer, self->kv.ks, self->kv.applied);
    }
    self->snapshot_done = done;
    snapshot_finish(self, err, context);
}

static void tracker_snapshot_read(struct gd_tracker *tracker, uint8_t *to, size_t capacity,
                                  gd_tracker_read_fn *done, void *context)
{
    struct gd_kv_tracker *self = of(tracker);

    GD_ASSERT(gd_keyspace_frozen(self->kv.ks));
    GD_ASSERT(self->snapshot_done == NULL && self->read_done == NULL);
    if (self->piece_size_max != 0 && capacity > self->piece_size_max) {
        capacity = self->piece_size_max;
    }
    self->read_size = gd_kv_writer_read(&self->writer, self->kv.ks, to, capacity);
    self->read_done = done;
    snapshot_finish(self, GD_OK, context);
}

static void tracker_snapshot_end(struct gd_tracker *tracker)
{
    struct gd_kv_tracker *self = of(tracker);

    GD_ASSERT(self->read_done == NULL);
    gd_kv_writer_release(&self->writer);
    gd_keyspace_thaw(self->kv.ks);
    upkeep_check(self);
}

/* ---------------------------------------------------------------- restore */

static void tracker_restore_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_kv_tracker *self = of(tracker);

    GD_ASSERT(!self->restoring);
    self->restoring = true;
    gd_kv_loader_begin(&self->loader, gd_keyspace_sibling(self->kv.ks));
    finish(self, GD_OK, done, context);
}

static void tracker_restore_write(struct gd_tracker *tracker, struct gd_slice bytes,
                                  gd_tracker_fn *done, void *context)
{
    struct gd_kv_tracker *self = of(tracker);

    GD_ASSERT(self->restoring);
    finish(self, gd_kv_loader_write(&self->loader, bytes), done, context);
}

static void tracker_restore_end(struct gd_tracker *tracker, bool commit, gd_index index,
                                int64_t stamp_ms, gd_tracker_fn *done, void *context)
{
    struct gd_kv_tracker *self = of(tracker);
    struct gd_keyspace *loaded = NULL;
    enum gd_err err = GD_OK;

    GD_ASSERT(self->restoring);
    self->restoring = false;
    if (commit) {
        err = gd_kv_loader_end(&self->loader, &loaded);
        if (err == GD_OK) {
            gd_keyspace_replace(self->kv.ks, loaded, stamp_ms);
            self->kv.applied = index;
        }
    }
    if (self->loader.ks != NULL) { /* Not wanted, or not whole. */
        gd_keyspace_discard(self->kv.ks, self->loader.ks);
        self->loader.ks = NULL;
    }
    gd_kv_loader_release(&self->loader);
    upkeep_check(self);
    finish(self, err, done, context);
}

static uint64_t tracker_digest(const struct gd_tracker *tracker)
{
    return gd_keyspace_digest(of_const(tracker)->kv.ks);
}

static void tracker_close(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_kv_tracker *self = of(tracker);

    gd_timer_stop(self->io, &self->done_timer);
    gd_timer_stop(self->io, &self->snapshot_timer);
    gd_timer_stop(self->io, &self->upkeep_timer);
    gd_kv_writer_release(&self->writer);
    gd_kv_loader_release(&self->loader);
    gd_kv_release(&self->kv);
    self->done = NULL;
    self->snapshot_done = NULL;
    self->read_done = NULL;
    finish(self, GD_OK, done, context);
}

static const struct gd_tracker_vtable vtable = {
    .open = tracker_open,
    .applied = tracker_applied,
    .apply = tracker_apply,
    .query = tracker_query,
    .next_expiry_ms = tracker_next_expiry_ms,
    .snapshot_begin = tracker_snapshot_begin,
    .snapshot_read = tracker_snapshot_read,
    .snapshot_end = tracker_snapshot_end,
    .restore_begin = tracker_restore_begin,
    .restore_write = tracker_restore_write,
    .restore_end = tracker_restore_end,
    .digest = tracker_digest,
    .close = tracker_close,
};

void gd_kv_tracker_init(struct gd_kv_tracker *tracker, struct gd_io *io)
{
    uint64_t low = gd_io_entropy(io, "keyspace low");
    uint64_t high = gd_io_entropy(io, "keyspace high");

    *tracker = (struct gd_kv_tracker){.tracker = {.v = &vtable}, .io = io};
    tracker->done_timer = (struct gd_timer){.fire = done_fire, .context = tracker};
    tracker->snapshot_timer = (struct gd_timer){.fire = snapshot_fire, .context = tracker};
    tracker->upkeep_timer = (struct gd_timer){.fire = upkeep_fire, .context = tracker};
    gd_kv_init(&tracker->kv, low, high);
}
