/* disk.c - disk operations: queued, delayed, done or failed; crash points; and what the simulator
 * asks about a disk. What a disk holds is store.c's.
 *
 * How. Each operation gets a duration when it is submitted and takes effect when it ends, at once,
 * right before its callback; so operations in flight together take effect in any order (X1). Faults
 * and crash points strike at that moment, too. A crash decides each operation in flight: nothing of
 * it has happened, all, or some of its sectors. */
#include "io-sim/store.h"
#include "engine/bytes.h"
#include <stdio.h>

/* One operation in flight. */
struct gd_disk_flight {
    struct gd_ring ring;   /* disk->flights. */
    struct gd_disk_op *op; /* The process's memory. */
    struct gd_process *process;
    struct gd_inode *inode; /* Held; NULL for operations on paths. */
    bool read_only;         /* By its open file. */
    uint64_t submitted;     /* By disk.sequence. */
    struct gd_world_event event;
    struct gd_disk_flight *next_spare;
};

struct gd_open_file {
    struct gd_ring ring;    /* disk->files. */
    struct gd_inode *inode; /* Held. */
    bool read_only;
};

static const char *const kind_names[GD_DISK_KIND_COUNT] = {
    "open",     "close", "disk read", "write",  "write-durable", "sync",  "preallocate",
    "truncate", "size",  "rename",    "unlink", "list",          "mkdir", "sync-directory",
};

static bool is_sync(enum gd_disk_kind kind)
{
    return kind == GD_DISK_SYNC || kind == GD_DISK_WRITE_DURABLE || kind == GD_DISK_SYNC_DIRECTORY;
}

static bool is_write(enum gd_disk_kind kind)
{
    return kind == GD_DISK_WRITE || kind == GD_DISK_WRITE_DURABLE;
}

static struct gd_world *world_of(const struct gd_disk_flight *flight)
{
    return flight->process->world;
}

/* Counts an order down; true when this operation is the one. */
static bool strikes(struct gd_fault_point *point, enum gd_disk_kind kind)
{
    if (point->count == 0 || (point->kind != GD_DISK_KIND_COUNT && point->kind != kind)) {
        return false;
    }
    return --point->count == 0;
}

/* ---------------------------------------------------------------- effects */

static bool fits(const struct gd_process *process, uint64_t growth)
{
    uint64_t quota = process->disk.options.quota_size;

    return quota == 0 || growth == 0 || process->disk.store->used + growth <= quota;
}

static enum gd_err no_space(struct gd_process *process)
{
    gd__count(process->world, GD_WORLD_COUNT_NO_SPACE);
    return GD_ERR_NO_SPACE;
}

/* Some other place in the file for these bytes; false when there is none. */
static bool elsewhere(struct gd_process *process, const struct gd_inode *inode,
                      enum gd_purpose purpose, uint64_t size, uint64_t *offset)
{
    uint64_t own = *offset / GD_SECTOR_SIZE;

    if (inode->size < size || (inode->size - size) / GD_SECTOR_SIZE == 0) {
        return false;
    }
    uint64_t count = (inode->size - size) / GD_SECTOR_SIZE + 1; /* Places. */
    uint64_t place = gd__below(process, purpose, count - (own < count ? 1 : 0));
    *offset = (place >= own && own < count ? place + 1 : place) * GD_SECTOR_SIZE;
    return true;
}

static enum gd_err do_open(struct gd_disk_flight *flight)
{
    struct gd_disk_op *op = flight->op;
    struct gd_disk *disk = &flight->process->disk;
    struct gd_inode *inode = gd__store_inode(disk->store, op->path);

    if (inode != NULL && inode->folder) {
        return GD_ERR_PERMISSION;
    }
    if (inode != NULL && (op->flags & GD_DISK_CREATE) != 0 &&
        (op->flags & GD_DISK_EXCLUSIVE) != 0) {
        return GD_ERR_EXISTS;
    }
    if (inode == NULL) {
        if ((op->flags & GD_DISK_CREATE) == 0 || !gd__store_has_parent(disk->store, op->path)) {
            return GD_ERR_NOT_FOUND;
        }
        inode = gd__store_make(disk->store, op->path, false);
    }
    struct gd_open_file *file = gd__heap_zeroed(&world_of(flight)->heap, sizeof *file);
    gd__inode_hold(inode);
    file->inode = inode;
    file->read_only = (op->flags & GD_DISK_READ_ONLY) != 0;
    gd__ring_add(&disk->files, &file->ring);
    disk->file_count++;
    op->file->world = file;
    op->file->handle = (int64_t)inode->number;
    return GD_OK;
}

static void close_file(struct gd_process *process, struct gd_open_file *file)
{
    gd__ring_remove(&file->ring);
    process->disk.file_count--;
    gd__inode_drop(process->disk.store, file->inode);
    gd__heap_free(&process->world->heap, file);
}

static enum gd_err do_read(struct gd_disk_flight *flight)
{
    struct gd_disk_op *op = flight->op;
    struct gd_process *process = flight->process;
    struct gd_inode *inode = flight->inode;
    uint64_t offset = op->offset;

    if (offset < inode->size && op->size > 0) {
        uint64_t left = inode->size - offset;
        uint64_t size = op->size < left ? op->size : left;

        if (gd__chance(process, GD_FOR_ROT, process->disk.options.rot_ppm)) {
            uint64_t at = offset + gd__below(process, GD_FOR_ROT, size);

            gd__inode_flip(process->disk.store, inode, at,
                           (unsigned)gd__below(process, GD_FOR_ROT, 8));
            gd__count(process->world, GD_WORLD_COUNT_ROTTEN_BITS);
        }
        if (gd__chance(process, GD_FOR_MISREAD, process->disk.options.misread_ppm) &&
            elsewhere(process, inode, GD_FOR_MISREAD, size, &offset)) {
            gd__count(process->world, GD_WORLD_COUNT_MISREADS);
            GD__TRACE(process->world, process->number, "misread", "offset %llu instead of %llu",
                      (unsigned long long)offset, (unsigned long long)op->offset);
        }
        op->result = gd__inode_read(inode, GD_WORLD_CACHED, offset, op->data, size);
        if (strikes(&process->disk.lie, GD_DISK_READ)) {
            gd__disk_lie(process, inode, offset, op->data, size);
        }
        return GD_OK;
    }
    op->result = 0;
    return GD_OK;
}

/* Whether this write is to go astray; counts down the order for one. */
static bool goes_astray(struct gd_process *process)
{
    struct gd_fault_point *point = &process->disk.misdirect;

    if (point->count > 1) {
        point->count--;
    } else if (point->count == 1) {
        return true;
    }
    return gd__chance(process, GD_FOR_MISDIRECT, process->disk.options.misdirected_ppm);
}

static enum gd_err do_write(struct gd_disk_flight *flight)
{
    struct gd_disk_op *op = flight->op;
    struct gd_process *process = flight->process;
    struct gd_store *store = process->disk.store;
    uint64_t offset = op->offset;

    if (op->size == 0) {
        return GD_OK;
    }
    if (!fits(process, gd__inode_growth(flight->inode, offset + op->size))) {
        uint64_t left = flight->inode->size > offset ? flight->inode->size - offset : 0;

        /* What needs no room may have been written (io.h: nothing may be relied on). */
        if (left > 0 && gd__below(process, GD_FOR_SPACE, 2) == 0) {
            gd__inode_write(store, flight->inode, offset, op->data,
                            left < op->size ? left : op->size, false);
        }
        return no_space(process);
    }
    if (goes_astray(process) && offset + op->size <= flight->inode->size &&
        elsewhere(process, flight->inode, GD_FOR_MISDIRECT, op->size, &offset)) {
        process->disk.misdirect.count = 0;
        gd__count(process->world, GD_WORLD_COUNT_MISDIRECTED);
        GD__TRACE(process->world, process->number, "misdirect", "to offset %llu instead of %llu",
                  (unsigned long long)offset, (unsigned long long)op->offset);
    }
    gd__inode_write(store, flight->inode, offset, op->data, op->size,
                    op->kind == GD_DISK_WRITE_DURABLE);
    return GD_OK;
}

static enum gd_err do_resize(struct gd_disk_flight *flight)
{
    struct gd_disk_op *op = flight->op;
    struct gd_process *process = flight->process;

    if (!fits(process, gd__inode_growth(flight->inode, op->size))) {
        return no_space(process);
    }
    if (op->kind == GD_DISK_TRUNCATE || op->size > flight->inode->size) {
        gd__inode_resize(process->disk.store, flight->inode, op->size);
    }
    return GD_OK;
}

static enum gd_err do_rename(struct gd_disk_flight *flight)
{
    struct gd_disk_op *op = flight->op;
    struct gd_store *store = flight->process->disk.store;
    struct gd_inode *inode = gd__store_inode(store, op->path);
    const struct gd_inode *target = gd__store_inode(store, op->path_to);

    if (inode == NULL || !gd__store_has_parent(store, op->path_to)) {
        return GD_ERR_NOT_FOUND;
    }
    if (inode->folder || (target != NULL && target->folder)) {
        return GD_ERR_PERMISSION; /* Nobody moves folders here. */
    }
    if (inode != target) {
        gd__store_point(store, op->path_to, inode);
        gd__store_point(store, op->path, NULL);
    }
    return GD_OK;
}

static enum gd_err do_unlink(struct gd_disk_flight *flight)
{
    struct gd_store *store = flight->process->disk.store;
    const struct gd_inode *inode = gd__store_inode(store, flight->op->path);

    if (inode == NULL) {
        return GD_ERR_NOT_FOUND;
    }
    if (inode->folder) {
        return GD_ERR_PERMISSION;
    }
    gd__store_point(store, flight->op->path, NULL);
    return GD_OK;
}

static bool is_folder(const struct gd_store *store, const char *path)
{
    const struct gd_inode *inode = path[0] == '\0' ? NULL : gd__store_inode(store, path);

    return path[0] == '\0' || (inode != NULL && inode->folder);
}

static enum gd_err do_list(struct gd_disk_flight *flight)
{
    struct gd_disk_op *op = flight->op;
    const struct gd_store *store = flight->process->disk.store;
    size_t size = 1;
    const char *name;

    if (!is_folder(store, op->path)) {
        return GD_ERR_NOT_FOUND;
    }
    for (size_t i = 0; i < store->name_count; i++) {
        if (store->names[i].now != NULL && gd__store_in(op->path, store->names[i].path, &name)) {
            size += strlen(name) + 1;
        }
    }
    /* The caller gives it to gd_free: it is the process's. */
    struct gd_process *running = gd__heap_enter(world_of(flight), flight->process);
    char *to = gd_malloc(size);

    gd__heap_leave(world_of(flight), running);
    op->names = to;
    for (size_t i = 0; i < store->name_count; i++) {
        if (store->names[i].now != NULL && gd__store_in(op->path, store->names[i].path, &name)) {
            size_t part = strlen(name) + 1;

            memcpy(to, name, part);
            to += part;
        }
    }
    *to = '\0';
    return GD_OK;
}

static enum gd_err do_make_directory(struct gd_disk_flight *flight)
{
    struct gd_store *store = flight->process->disk.store;
    const struct gd_inode *inode = gd__store_inode(store, flight->op->path);

    if (inode != NULL) {
        return inode->folder ? GD_OK : GD_ERR_EXISTS;
    }
    if (!gd__store_has_parent(store, flight->op->path)) {
        return GD_ERR_NOT_FOUND;
    }
    (void)gd__store_make(store, flight->op->path, true);
    return GD_OK;
}

static void do_close(struct gd_disk_flight *flight)
{
    struct gd_disk_op *op = flight->op;

    close_file(flight->process, op->file->world);
    op->file->world = NULL;
    op->file->handle = 0;
}

static enum gd_err perform(struct gd_disk_flight *flight)
{
    struct gd_disk_op *op = flight->op;
    struct gd_store *store = flight->process->disk.store;

    if (flight->read_only &&
        (is_write(op->kind) || op->kind == GD_DISK_TRUNCATE || op->kind == GD_DISK_PREALLOCATE)) {
        return GD_ERR_PERMISSION;
    }
    switch (op->kind) {
    case GD_DISK_OPEN:
        return do_open(flight);
    case GD_DISK_CLOSE:
        do_close(flight);
        return GD_OK;
    case GD_DISK_READ:
        return do_read(flight);
    case GD_DISK_WRITE:
    case GD_DISK_WRITE_DURABLE:
        return do_write(flight);
    case GD_DISK_SYNC:
        gd__inode_sync(store, flight->inode, flight->submitted, false);
        return GD_OK;
    case GD_DISK_PREALLOCATE:
    case GD_DISK_TRUNCATE:
        return do_resize(flight);
    case GD_DISK_SIZE:
        op->result = flight->inode->size;
        return GD_OK;
    case GD_DISK_RENAME:
        return do_rename(flight);
    case GD_DISK_UNLINK:
        return do_unlink(flight);
    case GD_DISK_LIST:
        return do_list(flight);
    case GD_DISK_MAKE_DIRECTORY:
        return do_make_directory(flight);
    case GD_DISK_SYNC_DIRECTORY:
        if (!is_folder(store, op->path)) {
            return GD_ERR_NOT_FOUND;
        }
        gd__store_sync_names(store, op->path, flight->submitted, false);
        return GD_OK;
    case GD_DISK_KIND_COUNT: /* UNTESTED: no kind of operation. */
        break;
    }
    GD_ASSERT(op->kind < GD_DISK_KIND_COUNT);
    return GD_ERR_INVALID;
}

/* What is there when a crash comes in the middle. */
static void perform_half(struct gd_disk_flight *flight)
{
    struct gd_disk_op *op = flight->op;
    struct gd_process *process = flight->process;
    struct gd_store *store = process->disk.store;

    switch (op->kind) {
    case GD_DISK_WRITE:
    case GD_DISK_WRITE_DURABLE:
        if (fits(process, gd__inode_growth(flight->inode, op->offset + op->size))) {
            gd__inode_write_half(store, flight->inode, op->offset, op->data, op->size);
        }
        if (op->kind == GD_DISK_WRITE_DURABLE) {
            gd__inode_sync(store, flight->inode, UINT64_MAX - 1, true);
        }
        break;
    case GD_DISK_SYNC:
        gd__inode_sync(store, flight->inode, UINT64_MAX - 1, true);
        break;
    case GD_DISK_SYNC_DIRECTORY:
        if (is_folder(store, op->path)) {
            gd__store_sync_names(store, op->path, UINT64_MAX - 1, true);
        }
        break;
    case GD_DISK_RENAME:
    case GD_DISK_UNLINK:
    case GD_DISK_PREALLOCATE:
    case GD_DISK_TRUNCATE:
    case GD_DISK_MAKE_DIRECTORY: /* One point each: it was passed or not. */
        if (gd__below(process, GD_FOR_POWER_LOSS, 2) == 0) {
            (void)perform(flight);
        }
        break;
    case GD_DISK_OPEN:
        if ((op->flags & GD_DISK_CREATE) != 0 && gd__store_find(store, op->path) == NULL &&
            gd__store_has_parent(store, op->path) &&
            gd__below(process, GD_FOR_POWER_LOSS, 2) == 0) {
            (void)gd__store_make(store, op->path, false);
        }
        break;
    default: /* Those that leave no trace. */
        break;
    }
}

/* An operation that fails: what it leaves behind, and its error. */
static enum gd_err fail(struct gd_disk_flight *flight, enum gd_err err)
{
    struct gd_disk_op *op = flight->op;
    struct gd_process *process = flight->process;
    struct gd_store *store = process->disk.store;

    process->disk.errors++;
    if (is_write(op->kind) &&
        fits(process, gd__inode_growth(flight->inode, op->offset + op->size))) {
        gd__inode_write_half(store, flight->inode, op->offset, op->data, op->size);
    }
    if (op->kind == GD_DISK_CLOSE) {
        do_close(flight); /* No second try: the descriptor is gone. */
    } else if (op->kind == GD_DISK_SYNC_DIRECTORY) {
        gd__store_drop_names(store, op->path);
    } else if (is_sync(op->kind)) {
        gd__inode_drop_dirty(store, flight->inode); /* X4 */
    }
    gd__count(process->world, is_sync(op->kind)    ? GD_WORLD_COUNT_SYNC_ERRORS
                              : is_write(op->kind) ? GD_WORLD_COUNT_WRITE_ERRORS
                                                   : GD_WORLD_COUNT_READ_ERRORS);
    return err;
}

/* ---------------------------------------------------------------- faults */

/* GD_OK, or the error that this operation gets instead of being done. */
static enum gd_err drawn_error(struct gd_disk_flight *flight)
{
    struct gd_process *process = flight->process;
    const struct gd_world_disk_options *options = &process->disk.options;
    enum gd_disk_kind kind = flight->op->kind;
    bool failed = false;

    if (strikes(&process->disk.fail, kind)) {
        return process->disk.fail.err;
    }
    if (kind == GD_DISK_READ) {
        failed = gd__chance(process, GD_FOR_READ_ERROR, options->read_error_ppm);
    } else if (is_sync(kind)) {
        failed = gd__chance(process, GD_FOR_SYNC_ERROR, options->sync_error_ppm);
    } else if (kind == GD_DISK_WRITE || kind == GD_DISK_PREALLOCATE || kind == GD_DISK_TRUNCATE) {
        failed = gd__chance(process, GD_FOR_WRITE_ERROR, options->write_error_ppm);
    }
    return failed ? GD_ERR_IO : GD_OK;
}

/* ---------------------------------------------------------------- the queue */

static void retire(struct gd_disk_flight *flight)
{
    struct gd_process *process = flight->process;
    struct gd_world *world = process->world;

    gd__unschedule(world, &flight->event);
    gd__ring_remove(&flight->ring);
    process->disk.flight_count--;
    process->disk.quiet_since = gd_world_now(world);
    if (flight->inode != NULL) {
        gd__inode_drop(process->disk.store, flight->inode);
    }
    flight->next_spare = world->spare_flights;
    world->spare_flights = flight;
}

static void trace_flight(const struct gd_disk_flight *flight, const char *result)
{
    const struct gd_disk_op *op = flight->op;

    GD__TRACE(world_of(flight), flight->process->number, kind_names[op->kind],
              "%s offset %llu size %llu: %s", op->path != NULL ? op->path : "",
              (unsigned long long)op->offset, (unsigned long long)op->size, result);
}

static void crash_here(struct gd_disk_flight *flight)
{
    struct gd_process *process = flight->process;

    gd__count(process->world, GD_WORLD_COUNT_CRASH_POINTS);
    retire(flight); /* Its fate is decided. */
    gd__crash(process, process->disk.crash.how);
}

static void run_flight(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_disk_flight *flight = GD_CONTAINER(event, struct gd_disk_flight, event);
    struct gd_process *process = flight->process;
    struct gd_disk *disk = &process->disk;
    struct gd_disk_op *op = flight->op;
    bool crash = strikes(&disk->crash, op->kind);
    enum gd_err err = GD_OK;

    disk->sequence++;
    disk->operations[op->kind]++;
    gd__count(world, GD_WORLD_COUNT_DISK_OPERATIONS);
    if (crash && disk->crash.when != GD_WORLD_AFTER) {
        trace_flight(flight, disk->crash.when == GD_WORLD_HALF ? "crash half-way" : "crash before");
        if (disk->crash.when == GD_WORLD_HALF) {
            perform_half(flight);
        }
        crash_here(flight);
        return;
    }
    if (is_write(op->kind) && op->size > 0) {
        gd__fold_bytes(world, op->data, (size_t)op->size);
    }
    err = drawn_error(flight);
    err = err != GD_OK ? fail(flight, err) : perform(flight);
    if (crash) {
        trace_flight(flight, "crash after");
        crash_here(flight);
        return;
    }
    trace_flight(flight, gd_err_text(err));
    gd__fold(world, (uint64_t)(int64_t)err);
    retire(flight);
    struct gd_process *running = gd__heap_enter(world, process);
    op->done(op, err);
    gd__heap_leave(world, running);
}

/* How many times as long this kind takes as the others do: what a disk is slow at, it is slow at
 * all the time. About one kind in four is. */
static uint64_t slowness(const struct gd_process *process, enum gd_disk_kind kind)
{
    uint32_t uneven = process->disk.options.uneven;
    bool reads = kind == GD_DISK_READ || kind == GD_DISK_LIST || kind == GD_DISK_SIZE;

    if (uneven < 2 || reads) {
        return 1;
    }
    uint64_t dice = gd_prng_mix(process->world->options.seed, process->number << 8 | kind);
    return dice % 4 == 0 ? 1 + dice / 4 % uneven : 1;
}

static gd_time_ns duration(struct gd_process *process, enum gd_disk_kind kind)
{
    const struct gd_world_disk_options *options = &process->disk.options;
    gd_time_ns once =
        is_sync(kind)
            ? gd__between(process, GD_FOR_DISK_LATENCY, options->sync_min, options->sync_max)
            : gd__between(process, GD_FOR_DISK_LATENCY, options->latency_min, options->latency_max);

    return once * slowness(process, kind);
}

/* Whether operations of `kind` are on an open file. */
static bool on_file(enum gd_disk_kind kind)
{
    return (kind >= GD_DISK_CLOSE && kind <= GD_DISK_SIZE);
}

enum gd_err gd__disk_submit(struct gd_io *io, struct gd_disk_op *op)
{
    struct gd_process *process = gd__process_of(io);
    struct gd_world *world = process->world;
    struct gd_disk *disk = &process->disk;

    GD_ASSERT(process->running);
    if (disk->flight_count >= disk->options.queue_count) {
        return GD_ERR_BUSY;
    }
    if (on_file(op->kind)) {
        GD_ASSERT(op->file != NULL && op->file->world != NULL);
    } else {
        GD_ASSERT(op->path != NULL && strlen(op->path) < GD_DISK_PATH_SIZE);
        GD_ASSERT(op->kind != GD_DISK_RENAME || op->path_to != NULL);
        GD_ASSERT(op->kind != GD_DISK_OPEN || op->file != NULL);
    }
    struct gd_disk_flight *flight = world->spare_flights;
    if (flight != NULL) {
        world->spare_flights = flight->next_spare;
    } else {
        flight = gd__heap_zeroed(&world->heap, sizeof *flight);
    }
    *flight = (struct gd_disk_flight){.op = op, .process = process};
    if (on_file(op->kind)) {
        const struct gd_open_file *file = op->file->world;

        flight->inode = file->inode;
        flight->read_only = file->read_only;
        gd__inode_hold(flight->inode);
    }
    flight->submitted = ++disk->sequence;
    flight->event =
        (struct gd_world_event){.run = run_flight,
                                .kind = GD_EVENT_DISK,
                                .process = process->number,
                                .detail = (uint64_t)op->kind << 56 ^ op->offset << 28 ^ op->size};
    gd__ring_add(&disk->flights, &flight->ring);
    disk->flight_count++;
    op->io = io;
    op->world = flight;
    gd__schedule(world, &flight->event, world->now + duration(process, op->kind));
    return GD_OK;
}

/* ---------------------------------------------------------------- crashes */

/* X1, X2: each operation in flight has happened, or not, or in part. */
static void decide_flights(struct gd_process *process)
{
    while (!gd__ring_empty(&process->disk.flights)) {
        struct gd_disk_flight *flight =
            GD_CONTAINER(process->disk.flights.next, struct gd_disk_flight, ring);

        if (!process->world->freeing) {
            process->disk.sequence++;
            if (gd__below(process, GD_FOR_POWER_LOSS, 2) == 0) {
                perform_half(flight);
            }
        }
        retire(flight);
    }
}

void gd__disk_drop(struct gd_process *process, enum gd_world_crash how)
{
    decide_flights(process);
    while (!gd__ring_empty(&process->disk.files)) {
        close_file(process, GD_CONTAINER(process->disk.files.next, struct gd_open_file, ring));
    }
    if (how == GD_WORLD_POWER_LOSS) {
        gd__store_power_loss(process->disk.store);
    }
}

void gd_world_crash_at(struct gd_world *world, uint32_t number, enum gd_disk_kind kind,
                       uint64_t count, enum gd_world_when when, enum gd_world_crash how)
{
    gd__process(world, number)->disk.crash =
        (struct gd_fault_point){.kind = kind, .count = count, .when = when, .how = how};
    gd__fold(world, count << 8 ^ (uint64_t)kind << 4 ^ (uint64_t)when);
}

bool gd_world_crash_pending(const struct gd_world *world, uint32_t number)
{
    return gd__process(world, number)->disk.crash.count > 0;
}

void gd_world_fail_at(struct gd_world *world, uint32_t number, enum gd_disk_kind kind,
                      uint64_t count, enum gd_err err)
{
    GD_ASSERT(err != GD_OK);
    gd__process(world, number)->disk.fail =
        (struct gd_fault_point){.kind = kind, .count = count, .err = err};
    gd__fold(world, count << 8 ^ (uint64_t)kind);
}

bool gd_world_fail_pending(const struct gd_world *world, uint32_t number)
{
    return gd__process(world, number)->disk.fail.count > 0;
}

uint64_t gd_world_disk_errors(const struct gd_world *world, uint32_t number)
{
    return gd__process(world, number)->disk.errors;
}

void gd_world_misdirect_at(struct gd_world *world, uint32_t number, uint64_t count)
{
    gd__process(world, number)->disk.misdirect =
        (struct gd_fault_point){.kind = GD_DISK_KIND_COUNT, .count = count};
    gd__fold(world, count);
}

void gd_world_lie_at(struct gd_world *world, uint32_t number, uint64_t count)
{
    gd__process(world, number)->disk.lie =
        (struct gd_fault_point){.kind = GD_DISK_READ, .count = count};
    gd__fold(world, count);
}

bool gd_world_rot(struct gd_world *world, uint32_t number, const char *path, uint64_t offset,
                  uint64_t size, unsigned bit_count)
{
    struct gd_process *process = gd__process(world, number);
    struct gd_inode *inode = gd__store_inode(process->disk.store, path);

    if (inode == NULL || inode->folder || offset >= inode->size || size == 0) {
        return false;
    }
    size = size < inode->size - offset ? size : inode->size - offset;
    for (unsigned i = 0; i < bit_count; i++) {
        uint64_t at = offset + gd__below(process, GD_FOR_ROT, size);
        unsigned bit = (unsigned)gd__below(process, GD_FOR_ROT, 8);

        gd__inode_flip(process->disk.store, inode, at, bit);
        gd__count(world, GD_WORLD_COUNT_ROTTEN_BITS);
        gd__fold(world, at * 8 + bit);
        GD__TRACE(world, number, "rot", "%s offset %llu bit %u", path, (unsigned long long)at, bit);
    }
    return true;
}

bool gd_world_lose(struct gd_world *world, uint32_t number, const char *path)
{
    struct gd_process *process = gd__process(world, number);
    const struct gd_inode *inode = gd__store_inode(process->disk.store, path);
    char folder[GD_DISK_PATH_SIZE];
    const char *slash = strrchr(path, '/');

    if (inode == NULL || inode->folder) {
        return false;
    }
    (void)snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path) : 0, path);
    GD__TRACE(world, number, "lose", "%s", path);
    process->disk.sequence++;
    gd__store_point(process->disk.store, path, NULL);
    gd__store_sync_names(process->disk.store, folder, process->disk.sequence, false);
    gd__fold(world, process->disk.sequence);
    return true;
}

void gd_world_wipe(struct gd_world *world, uint32_t number)
{
    struct gd_process *process = gd__process(world, number);

    GD_ASSERT(!process->running);
    gd__store_free(process->disk.store);
    process->disk.store = gd__store_new(process);
    gd__fold(world, number);
    GD__TRACE(world, number, "wipe", "the disk is empty");
}

/* ---------------------------------------------------------------- options, lifetime */

void gd_world_set_disk(struct gd_world *world, uint32_t number,
                       const struct gd_world_disk_options *options)
{
    GD_ASSERT(options->queue_count > 0);
    GD_ASSERT(options->latency_min <= options->latency_max);
    GD_ASSERT(options->sync_min <= options->sync_max);
    gd__process(world, number)->disk.options = *options;
}

struct gd_world_disk_options gd_world_disk(const struct gd_world *world, uint32_t number)
{
    return gd__process(world, number)->disk.options;
}

void gd__disk_init(struct gd_process *process)
{
    process->disk.options = process->world->options.disk;
    process->disk.store = gd__store_new(process);
    gd__ring_init(&process->disk.flights);
    gd__ring_init(&process->disk.files);
}

void gd__disk_free(struct gd_process *process)
{
    gd__store_free(process->disk.store);
}

void gd__disk_free_spare(struct gd_world *world)
{
    while (world->spare_flights != NULL) {
        struct gd_disk_flight *flight = world->spare_flights;

        world->spare_flights = flight->next_spare;
        gd__heap_free(&world->heap, flight);
    }
}

/* ---------------------------------------------------------------- queries */

static struct gd_inode *in_view(const struct gd_name *name, enum gd_world_view view)
{
    return view == GD_WORLD_DURABLE ? name->durable : name->now;
}

const char *gd_world_file_next(const struct gd_world *world, uint32_t number,
                               enum gd_world_view view, const char *previous)
{
    const struct gd_store *store = gd__process(world, number)->disk.store;

    for (size_t i = 0; i < store->name_count; i++) {
        const struct gd_name *name = &store->names[i];

        if ((previous == NULL || strcmp(name->path, previous) > 0) && in_view(name, view) != NULL &&
            !in_view(name, view)->folder) {
            return name->path;
        }
    }
    return NULL;
}

static const struct gd_inode *file_in_view(const struct gd_world *world, uint32_t number,
                                           enum gd_world_view view, const char *path)
{
    const struct gd_name *name = gd__store_find(gd__process(world, number)->disk.store, path);
    const struct gd_inode *inode = name != NULL ? in_view(name, view) : NULL;

    return inode != NULL && !inode->folder ? inode : NULL;
}

bool gd_world_file_size(const struct gd_world *world, uint32_t number, enum gd_world_view view,
                        const char *path, uint64_t *size)
{
    const struct gd_inode *inode = file_in_view(world, number, view, path);

    if (inode == NULL) {
        return false;
    }
    *size = view == GD_WORLD_DURABLE ? inode->durable_size : inode->size;
    return true;
}

uint64_t gd_world_file_read(const struct gd_world *world, uint32_t number, enum gd_world_view view,
                            const char *path, uint64_t offset, void *data, uint64_t size)
{
    const struct gd_inode *inode = file_in_view(world, number, view, path);

    return inode == NULL ? 0 : gd__inode_read(inode, view, offset, data, size);
}

uint64_t gd_world_disk_used(const struct gd_world *world, uint32_t number)
{
    return gd__process(world, number)->disk.store->used;
}

uint64_t gd_world_disk_busy(const struct gd_world *world, uint32_t number)
{
    return gd__process(world, number)->disk.flight_count;
}

gd_time_ns gd_world_disk_quiet(const struct gd_world *world, uint32_t number)
{
    const struct gd_process *process = gd__process(world, number);

    return process->disk.flight_count > 0 ? 0 : gd_world_now(world) - process->disk.quiet_since;
}

uint64_t gd_world_disk_operations(const struct gd_world *world, uint32_t number,
                                  enum gd_disk_kind kind)
{
    return gd__process(world, number)->disk.operations[kind];
}
