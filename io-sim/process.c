/* process.c - processes: made, started, crashed, paused, ended; and their world's table of calls.
 *
 * A process is a heap, a clock, a disk, and what it has open on the network. Its `struct gd_io`
 * stays the same for all its boots. A crash goes in a fixed order: what is in flight on the disk is
 * decided (it still reads the process's memory), connections are cut loose, timers forgotten, then
 * the heap is dropped whole (W2). A boot starts it again on what the disk kept. */
#include "io-sim/world_internal.h"
#include "engine/bytes.h"
#include <stdio.h>

/* ---------------------------------------------------------------- finding them */

struct gd_process *gd__process(const struct gd_world *world, uint32_t number)
{
    GD_ASSERT(number < world->process_count);
    return world->processes[number];
}

struct gd_process *gd__process_of(const struct gd_io *io)
{
    return (struct gd_process *)(uintptr_t)io; /* Its first member. */
}

uint32_t gd_world_process_of(const struct gd_io *io)
{
    return gd__process_of(io)->number;
}

struct gd_world *gd_world_of(const struct gd_io *io)
{
    return gd__process_of(io)->world;
}

uint32_t gd_world_process_count(const struct gd_world *world)
{
    return world->process_count;
}

uint32_t gd_world_find(const struct gd_world *world, const char *host)
{
    for (uint32_t i = 0; i < world->process_count; i++) {
        if (strcmp(world->processes[i]->host, host) == 0) {
            return i;
        }
    }
    return GD_WORLD_NOBODY;
}

bool gd_world_running(const struct gd_world *world, uint32_t number)
{
    return gd__process(world, number)->running;
}

bool gd_world_paused(const struct gd_world *world, uint32_t number)
{
    return gd__process(world, number)->paused;
}

bool gd_world_blocked(const struct gd_world *world, uint32_t number)
{
    return gd__scheduled(&gd__process(world, number)->unblock);
}

uint64_t gd_world_boots(const struct gd_world *world, uint32_t number)
{
    return gd__process(world, number)->boots;
}

const char *gd_world_name(const struct gd_world *world, uint32_t number)
{
    return number < world->process_count ? world->processes[number]->name : "-";
}

const char *gd_world_host(const struct gd_world *world, uint32_t number)
{
    return gd__process(world, number)->host;
}

struct gd_io *gd_world_io(struct gd_world *world, uint32_t number)
{
    return &gd__process(world, number)->io;
}

struct gd_world_memory gd_world_memory(const struct gd_world *world, uint32_t number)
{
    const struct gd_heap *heap = &gd__process(world, number)->heap;

    return (struct gd_world_memory){heap->count, heap->size, heap->size_peak};
}

/* ---------------------------------------------------------------- chance */

bool gd__chance(struct gd_process *process, enum gd_purpose purpose, uint32_t ppm)
{
    return ppm > 0 && gd_prng_chance(&process->prng[purpose], ppm, GD_WORLD_MILLION);
}

uint64_t gd__between(struct gd_process *process, enum gd_purpose purpose, uint64_t low,
                     uint64_t high)
{
    return low >= high ? low : gd_prng_between(&process->prng[purpose], low, high);
}

/* The seed of everything that is drawn for one process. */
static uint64_t process_seed(const struct gd_world *world, uint32_t number)
{
    return gd_prng_mix(world->options.seed, UINT64_C(0x70726f63) << 32 | number);
}

void gd_world_prng(const struct gd_world *world, uint32_t number, const char *purpose,
                   struct gd_prng *prng)
{
    uint64_t seed = process_seed(world, number);

    gd_prng_init(prng, gd_prng_mix(seed, gd__text_hash(purpose)));
}

static uint64_t entropy(struct gd_io *io, const char *purpose)
{
    struct gd_process *process = gd__process_of(io);
    uint64_t seed = gd_prng_mix(process_seed(process->world, process->number),
                                UINT64_C(0x626f6f74) << 32 | process->boots);

    seed = gd_prng_mix(seed, gd__text_hash(purpose));
    return gd_prng_mix(seed, ++process->entropy_count);
}

/* ---------------------------------------------------------------- log lines */

static void log_line(struct gd_io *io, enum gd_log_level level, const char *line)
{
    static const char *const kinds[] = {"debug", "info", "warning", "error"};
    struct gd_process *process = gd__process_of(io);
    struct gd_world *world = process->world;

    if (world->options.hooks.log != NULL) {
        struct gd_process *running = gd__heap_enter(world, NULL);
        world->options.hooks.log(world->options.hooks.context, process->number, level, line);
        gd__heap_leave(world, running);
    }
    GD__TRACE(world, process->number, kinds[level], "%s", line);
}

/* ---------------------------------------------------------------- adding */

static char *copy_text(struct gd_world *world, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = gd__heap_alloc(&world->heap, size);

    memcpy(copy, text, size);
    return copy;
}

static void grow(struct gd_world *world, uint32_t capacity)
{
    struct gd_link *links =
        gd__heap_zeroed(&world->heap, (size_t)capacity * capacity * sizeof *links);

    for (uint32_t from = 0; from < world->process_count; from++) {
        for (uint32_t to = 0; to < world->process_count; to++) {
            links[(size_t)from * capacity + to] = *gd__link(world, from, to);
        }
    }
    gd__heap_free(&world->heap, world->links);
    world->links = links;
    world->processes =
        gd__heap_grow(&world->heap, world->processes, capacity * sizeof(struct gd_process *));
    world->process_capacity = capacity;
}

/* Its links are as those of all were last set. */
static void link_up(struct gd_world *world, uint32_t number)
{
    for (uint32_t other = 0; other <= number; other++) {
        *gd__link(world, number, other) = world->link_default;
        *gd__link(world, other, number) = world->link_default;
    }
    gd__link(world, number, number)->cut = gd__link(world, number, number)->clogged = false;
}

uint32_t gd_world_add(struct gd_world *world, const struct gd_world_process_options *options)
{
    static const struct gd_world_process_options none;
    uint32_t number = world->process_count;

    options = options != NULL ? options : &none;
    GD_ASSERT(options->host != NULL);
    GD_ASSERT(gd_world_find(world, options->host) == GD_WORLD_NOBODY);
    if (number == world->process_capacity) {
        grow(world, number == 0 ? 8 : number * 2);
    }
    link_up(world, number);
    struct gd_process *process = gd__heap_zeroed(&world->heap, sizeof *process);
    process->io.v = &gd__world_vtable;
    process->world = world;
    process->number = number;
    process->name = copy_text(world, options->name != NULL ? options->name : options->host);
    process->host = copy_text(world, options->host);
    process->entry = options->entry;
    process->context = options->context;
    process->heap.poison = gd_prng_mix(process_seed(world, number), 1);
    for (unsigned purpose = 0; purpose < GD_PURPOSE_COUNT; purpose++) {
        gd_prng_init(&process->prng[purpose],
                     gd_prng_mix(process_seed(world, number), 100 + purpose));
    }
    process->held.held_next = process->held.held_prev = &process->held;
    gd__block_init(process);
    gd__clock_init(process, &options->clock);
    gd__net_init(process);
    gd__disk_init(process);
    world->processes[world->process_count++] = process;
    return number;
}

/* ---------------------------------------------------------------- starting */

void gd_world_start(struct gd_world *world, uint32_t number)
{
    struct gd_process *process = gd__process(world, number);

    GD_ASSERT(!process->running);
    GD_ASSERT(gd__heap_running() == NULL);
    process->running = true;
    process->boots++;
    process->entropy_count = 0;
    gd__clock_boot(process);
    gd__count(world, GD_WORLD_COUNT_STARTS);
    gd__fold(world, GD_WORLD_COUNT_STARTS ^ (uint64_t)number << 32);
    GD__TRACE(world, number, "start", "boot %llu", (unsigned long long)process->boots);
    if (process->machine_down) {
        process->machine_down = false;
        gd__net_machine_up(process);
    }
    if (process->entry != NULL) {
        (void)gd__heap_enter(world, process);
        process->entry(&process->io, process->context);
        gd__heap_leave(world, NULL);
    }
}

struct gd_io *gd_world_enter(struct gd_world *world, uint32_t number)
{
    struct gd_process *process = gd__process(world, number);

    GD_ASSERT(process->running);
    GD_ASSERT(!world->entered && gd__heap_running() == NULL);
    world->entered = true;
    (void)gd__heap_enter(world, process);
    return &process->io;
}

void gd_world_leave(struct gd_world *world)
{
    GD_ASSERT(world->entered);
    world->entered = false;
    gd__heap_leave(world, NULL);
}

/* ---------------------------------------------------------------- ending */

static void drop(struct gd_process *process, enum gd_world_crash how)
{
    struct gd_world *world = process->world;

    gd_world_unblock(world, process->number);
    gd_world_resume(world, process->number); /* What was held back is dropped with the rest. */
    gd__disk_drop(process, how);
    gd__net_drop(process, how);
    gd__clock_drop(process);
    gd__heap_drop(&process->heap);
    process->running = false;
    process->machine_down = how == GD_WORLD_POWER_LOSS;
    GD_ASSERT(process->held.held_next == &process->held);
}

void gd__crash(struct gd_process *process, enum gd_world_crash how)
{
    struct gd_world *world = process->world;
    const struct gd_world_hooks *hooks = &world->options.hooks;
    bool power = how == GD_WORLD_POWER_LOSS;

    GD_ASSERT(process->running);
    GD_ASSERT(gd__heap_running() == NULL);
    gd__count(world, power ? GD_WORLD_COUNT_POWER_LOSSES : GD_WORLD_COUNT_KILLS);
    gd__fold(world, GD_WORLD_COUNT_KILLS ^ (uint64_t)process->number << 32 ^ (uint64_t)how);
    GD__TRACE(world, process->number, "crash", "%s", power ? "power loss" : "killed");
    if (hooks->crashing != NULL) {
        hooks->crashing(hooks->context, process->number);
    }
    drop(process, how);
    if (hooks->crashed != NULL) {
        hooks->crashed(hooks->context, process->number);
    }
}

void gd_world_crash(struct gd_world *world, uint32_t number, enum gd_world_crash how)
{
    gd__crash(gd__process(world, number), how);
}

bool gd_world_end(struct gd_world *world, uint32_t number, struct gd_world_leak *leak)
{
    struct gd_process *process = gd__process(world, number);
    struct gd_world_leak left;

    GD_ASSERT(process->running);
    GD_ASSERT(gd__heap_running() == NULL);
    left = (struct gd_world_leak){
        .block_count = process->heap.count,
        .block_size = process->heap.size,
        .timer_count = gd__timers_running(process),
        .stream_count = process->end_count,
        .listener_count = process->listener_count,
        .file_count = process->disk.file_count,
        .operation_count = process->disk.flight_count,
    };
    gd__fold(world, left.block_size);
    GD__TRACE(world, number, "end", "%llu blocks left", (unsigned long long)left.block_count);
    drop(process, GD_WORLD_KILL);
    if (leak != NULL) {
        *leak = left;
    }
    return left.block_count == 0 && left.timer_count == 0 && left.stream_count == 0 &&
           left.listener_count == 0 && left.file_count == 0 && left.operation_count == 0;
}

static void free_process(struct gd_process *process)
{
    struct gd_world *world = process->world;

    gd__disk_free(process);
    gd__clock_free(process);
    gd__heap_free(&world->heap, process->name);
    gd__heap_free(&world->heap, process->host);
    gd__heap_free(&world->heap, process);
}

void gd_world_free(struct gd_world *world)
{
    gd__heap_forget(world);
    world->freeing = true;
    for (uint32_t i = 0; i < world->process_count; i++) {
        if (world->processes[i]->running) {
            drop(world->processes[i], GD_WORLD_KILL);
        }
    }
    gd__net_free(world);
    for (uint32_t i = 0; i < world->process_count; i++) {
        free_process(world->processes[i]);
    }
    gd__disk_free_spare(world);
    gd__heap_free(&world->heap, world->processes);
    gd__heap_free(&world->heap, world->links);
    gd__heap_free(&world->heap, world->queue);
    gd__heap_free(&world->heap, world->gather);
    GD_ASSERT(world->heap.count == 0);
    gd__heap_forget(world);
    gd_free(world);
}

/* ---------------------------------------------------------------- io.h */

const struct gd_io_vtable gd__world_vtable = {
    .now = gd__clock_now,
    .wall_ms = gd__clock_wall_ms,
    .timer_start = gd__timer_start,
    .timer_stop = gd__timer_stop,
    .entropy = entropy,
    .log = log_line,
    .listen = gd__listen,
    .listener_address = gd__listener_address,
    .listener_accept = gd__listener_accept,
    .listener_close = gd__listener_close,
    .connect = gd__stream_connect,
    .read_start = gd__stream_read_start,
    .read_stop = gd__stream_read_stop,
    .write = gd__stream_write,
    .queued = gd__stream_queued,
    .shutdown = gd__stream_shutdown,
    .close = gd__stream_close,
    .peer = gd__stream_peer,
    .disk_submit = gd__disk_submit,
};
