/* offline.c - steps that wait for their end, and a world that takes no writes.
 *
 * The read-only world is why an inspection needs no second reader of log and snapshots: the very
 * recovery that a start runs is run, and what it would cut or remove stays. */
#include "engine/offline.h"
#include "engine/memory.h"
#include "engine/storage.h"

enum gd_err gd__offline_wait(const struct gd_offline *offline, const bool *flag)
{
    while (!*flag) {
        if (!offline->turn(offline->context)) {
            return GD_ERR_STOPPED;
        }
    }
    return GD_OK;
}

struct step {
    bool done;
    enum gd_err err;
};

static void step_done(struct gd_disk_op *op, enum gd_err err)
{
    struct step *step = op->context;

    step->err = err;
    step->done = true;
}

enum gd_err gd__offline_disk(const struct gd_offline *offline, struct gd_disk_op *op)
{
    struct step step = {0};
    struct gd__storage_op storage = {0};
    enum gd_err err;

    op->done = step_done;
    op->context = &step;
    gd__storage_submit(&storage, offline->io, op);
    err = gd__offline_wait(offline, &step.done);
    *op = storage.op;
    op->context = NULL;
    return err == GD_OK ? step.err : err;
}

/* ---------------------------------------------------------------- a world without writes */

static struct gd_io *base_of(struct gd_io *io)
{
    return ((struct gd__read_only *)(void *)io)->base;
}

static gd_time_ns now(struct gd_io *io)
{
    return gd_io_now(base_of(io));
}

/* UNTESTED: neither the log nor the snapshots ask what time it is. */
static int64_t wall_ms(struct gd_io *io)
{
    return gd_io_wall_ms(base_of(io));
}

static void timer_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline)
{
    gd_timer_start(base_of(io), timer, deadline);
}

static void timer_stop(struct gd_io *io, struct gd_timer *timer)
{
    gd_timer_stop(base_of(io), timer);
}

/* UNTESTED: neither the log nor the snapshots draw. */
static uint64_t entropy(struct gd_io *io, const char *purpose)
{
    return gd_io_entropy(base_of(io), purpose);
}

static void quiet(struct gd_io *io, enum gd_log_level level, const char *line)
{
    (void)io;
    (void)level;
    (void)line;
}

/* A write that is not made: it completes at the world's next turn. */
struct pretence {
    struct gd_timer timer;
    struct gd_disk_op *op; /* Borrowed. */
};

static void pretend(struct gd_timer *timer)
{
    struct pretence *pretence = timer->context;
    struct gd_disk_op *op = pretence->op;

    gd_free(pretence);
    op->done(op, GD_OK);
}

static enum gd_err disk_submit(struct gd_io *io, struct gd_disk_op *op)
{
    struct gd_io *base = base_of(io);
    struct pretence *pretence;

    switch (op->kind) {
    case GD_DISK_OPEN:
        op->flags = GD_DISK_READ_ONLY;
        return gd_disk_submit(base, op);
    case GD_DISK_CLOSE:
    case GD_DISK_READ:
    case GD_DISK_SIZE:
    case GD_DISK_LIST:
        return gd_disk_submit(base, op);
    case GD_DISK_WRITE:
    case GD_DISK_WRITE_DURABLE:
    case GD_DISK_SYNC:
    case GD_DISK_PREALLOCATE:
    case GD_DISK_TRUNCATE:
    case GD_DISK_RENAME:
    case GD_DISK_UNLINK:
    case GD_DISK_MAKE_DIRECTORY:
    case GD_DISK_SYNC_DIRECTORY:
    case GD_DISK_KIND_COUNT:
        break;
    }
    pretence = gd_calloc(1, sizeof *pretence);
    pretence->op = op;
    pretence->timer = (struct gd_timer){.fire = pretend, .context = pretence};
    gd_timer_start(base, &pretence->timer, gd_io_now(base));
    return GD_OK;
}

void gd__read_only_init(struct gd__read_only *world, struct gd_io *base)
{
    /* Streams are missing: log and snapshots use none. */
    static const struct gd_io_vtable v = {
        .now = now,
        .wall_ms = wall_ms,
        .timer_start = timer_start,
        .timer_stop = timer_stop,
        .entropy = entropy,
        .log = quiet,
        .disk_submit = disk_submit,
    };

    world->io.v = &v;
    world->base = base;
}
