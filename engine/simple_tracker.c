/* simple_tracker.c - a value in memory behind the log; see simple_tracker.h. It holds nothing
 * durable: after a start it is empty, at index 0, and the node restores the newest snapshot and
 * replays the log. */
#include "engine/simple_tracker.h"

static struct gd_simple_tracker *of(struct gd_tracker *tracker)
{
    return GD_CONTAINER(tracker, struct gd_simple_tracker, tracker);
}

static const struct gd_simple_tracker *of_const(const struct gd_tracker *tracker)
{
    return (const struct gd_simple_tracker *)(const void *)tracker;
}

static void fire(struct gd_timer *timer)
{
    struct gd_simple_later *later = timer->context;
    if (later->done != NULL) {
        later->done(later->context, later->err);
    } else {
        later->read_done(later->context, later->err, later->size);
    }
}

static void finish(struct gd_simple_tracker *self, struct gd_simple_later *later, enum gd_err err,
                   gd_tracker_fn *done, void *context)
{
    GD_ASSERT(!gd_timer_running(&later->timer));
    later->err = err;
    later->done = done;
    later->context = context;
    gd_timer_start(self->io, &later->timer, gd_io_now(self->io));
}

static void simple_open(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    finish(of(tracker), &of(tracker)->operation, GD_OK, done, context);
}

static gd_index simple_applied(const struct gd_tracker *tracker)
{
    return of_const(tracker)->applied;
}

static void simple_apply(struct gd_tracker *tracker, struct gd_apply *batch, size_t count,
                         gd_tracker_fn *done, void *context)
{
    struct gd_simple_tracker *self = of(tracker);
    struct gd_bytes unheard = {0};

    for (size_t i = 0; i < count; i++) {
        struct gd_bytes *reply = batch[i].reply != NULL ? batch[i].reply : &unheard;
        GD_ASSERT(batch[i].position.index == self->applied + 1);
        if (batch[i].body.size > 0) {
            self->database->apply(self->state, batch[i].body, batch[i].stamp_ms, reply);
        }
        self->applied = batch[i].position.index;
        gd_bytes_clear(&unheard);
    }
    gd_bytes_release(&unheard);
    finish(self, &self->operation, GD_OK, done, context);
}

static void simple_query(struct gd_tracker *tracker, struct gd_query *batch, size_t count,
                         gd_tracker_fn *done, void *context)
{
    struct gd_simple_tracker *self = of(tracker);

    for (size_t i = 0; i < count; i++) {
        self->database->query(self->state, batch[i].body, batch[i].reply);
        batch[i].result = GD_QUERY_ANSWERED;
    }
    finish(self, &self->operation, GD_OK, done, context);
}

static int64_t simple_next_expiry_ms(const struct gd_tracker *tracker)
{
    (void)tracker;
    return INT64_MAX;
}

static void simple_snapshot_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_simple_tracker *self = of(tracker);

    gd_bytes_clear(&self->saved);
    self->saved_at = 0;
    self->database->save(self->state, &self->saved);
    finish(self, &self->snapshot, GD_OK, done, context);
}

static void simple_snapshot_read(struct gd_tracker *tracker, uint8_t *to, size_t capacity,
                                 gd_tracker_read_fn *done, void *context)
{
    struct gd_simple_tracker *self = of(tracker);
    size_t left = self->saved.size - self->saved_at;
    size_t size = left < capacity ? left : capacity;

    if (size > 0) {
        memcpy(to, self->saved.data + self->saved_at, size);
    }
    self->saved_at += size;
    self->snapshot.size = size;
    self->snapshot.read_done = done;
    finish(self, &self->snapshot, GD_OK, NULL, context);
}

static void simple_snapshot_end(struct gd_tracker *tracker)
{
    gd_bytes_release(&of(tracker)->saved);
}

static void simple_restore_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_simple_tracker *self = of(tracker);

    gd_bytes_clear(&self->restored);
    finish(self, &self->operation, GD_OK, done, context);
}

static void simple_restore_write(struct gd_tracker *tracker, struct gd_slice bytes,
                                 gd_tracker_fn *done, void *context)
{
    struct gd_simple_tracker *self = of(tracker);
    bool fits = bytes.size <= self->database->saved_size_max - self->restored.size;

    if (fits) {
        gd_bytes_add(&self->restored, bytes.data, bytes.size);
    }
    finish(self, &self->operation, fits ? GD_OK : GD_ERR_CORRUPT, done, context);
}

static void simple_restore_end(struct gd_tracker *tracker, bool commit, gd_index index,
                               int64_t stamp_ms, gd_tracker_fn *done, void *context)
{
    struct gd_simple_tracker *self = of(tracker);
    bool good = !commit || self->database->load(self->state, gd_bytes_slice(&self->restored));

    (void)stamp_ms;
    if (commit && good) {
        self->applied = index;
    }
    gd_bytes_release(&self->restored);
    finish(self, &self->operation, good ? GD_OK : GD_ERR_CORRUPT, done, context);
}

static uint64_t simple_digest(const struct gd_tracker *tracker)
{
    const struct gd_simple_tracker *self = of_const(tracker);
    struct gd_bytes bytes = {0};

    self->database->save(self->state, &bytes);
    uint64_t digest = (uint64_t)bytes.size << 32 | gd_crc32c(1, bytes.data, bytes.size);
    gd_bytes_release(&bytes);
    return digest == 0 ? 1 : digest;
}

static void simple_close(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_simple_tracker *self = of(tracker);

    gd_timer_stop(self->io, &self->operation.timer);
    gd_timer_stop(self->io, &self->snapshot.timer);
    gd_bytes_release(&self->saved);
    gd_bytes_release(&self->restored);
    finish(self, &self->operation, GD_OK, done, context);
}

static const struct gd_tracker_vtable vtable = {
    .open = simple_open,
    .applied = simple_applied,
    .apply = simple_apply,
    .query = simple_query,
    .next_expiry_ms = simple_next_expiry_ms,
    .snapshot_begin = simple_snapshot_begin,
    .snapshot_read = simple_snapshot_read,
    .snapshot_end = simple_snapshot_end,
    .restore_begin = simple_restore_begin,
    .restore_write = simple_restore_write,
    .restore_end = simple_restore_end,
    .digest = simple_digest,
    .close = simple_close,
};

void gd_simple_tracker_init(struct gd_simple_tracker *tracker,
                            const struct gd_simple_database *database, void *state,
                            struct gd_io *io)
{
    *tracker = (struct gd_simple_tracker){
        .tracker = {.v = &vtable}, .database = database, .state = state, .io = io};
    tracker->operation.timer = (struct gd_timer){.fire = fire, .context = &tracker->operation};
    tracker->snapshot.timer = (struct gd_timer){.fire = fire, .context = &tracker->snapshot};
}
