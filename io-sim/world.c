/* world.c - the queue of events, the run's identity, the trace.
 *
 * How. Events are structures inside what they belong to (a stream's direction, a disk operation, a
 * process's timers), so scheduling allocates nothing. A 4-ary heap of (time, sequence, event) keeps
 * the comparisons in cache; each event knows its place there, so it can be moved and taken out.
 * Sequence numbers are unique, so the order is total and owes nothing to addresses (W1, W3).
 *
 * The hash is folded from every event's time, kind, process and detail, from the bytes that streams
 * carry and disks take, and from whatever the simulator folds in. */
#include "io-sim/world_internal.h"
#include "engine/bytes.h"
#include <stdarg.h>
#include <stdio.h>

#define FOLD_PRIME UINT64_C(0x9fb21c651e98df25)

/* ---------------------------------------------------------------- identity */

void gd__fold(struct gd_world *world, uint64_t value)
{
    uint64_t hash = (world->hash ^ value) * FOLD_PRIME;

    world->hash = hash ^ hash >> 29;
}

void gd__fold_bytes(struct gd_world *world, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t hash = world->hash ^ size;

    for (; size >= 8; size -= 8, at += 8) {
        hash = (hash ^ gd_get_le64(at)) * FOLD_PRIME;
        hash ^= hash >> 29;
    }
    for (; size > 0; size--, at++) {
        hash = (hash ^ *at) * FOLD_PRIME;
        hash ^= hash >> 29;
    }
    world->hash = hash;
}

void gd_world_fold(struct gd_world *world, uint64_t value)
{
    gd__fold(world, value);
}

uint64_t gd__text_hash(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* ---------------------------------------------------------------- the queue */

static bool before(const struct gd_queue_entry *a, const struct gd_queue_entry *b)
{
    return a->at < b->at || (a->at == b->at && a->sequence < b->sequence);
}

/* `place` counts from 1; the children of p are 4p-2 .. 4p+1. */
static void put(struct gd_world *world, size_t place, struct gd_queue_entry entry)
{
    world->queue[place] = entry;
    entry.event->place = place;
}

static void sift_up(struct gd_world *world, size_t place, struct gd_queue_entry entry)
{
    while (place > 1) {
        size_t parent = (place + 2) / 4;

        if (!before(&entry, &world->queue[parent])) {
            break;
        }
        put(world, place, world->queue[parent]);
        place = parent;
    }
    put(world, place, entry);
}

static void sift_down(struct gd_world *world, size_t place, struct gd_queue_entry entry)
{
    for (;;) {
        size_t first = place * 4 - 2, least = 0;

        for (size_t child = first; child < first + 4 && child <= world->queue_size; child++) {
            if (least == 0 || before(&world->queue[child], &world->queue[least])) {
                least = child;
            }
        }
        if (least == 0 || !before(&world->queue[least], &entry)) {
            break;
        }
        put(world, place, world->queue[least]);
        place = least;
    }
    put(world, place, entry);
}

static void take_out(struct gd_world *world, size_t place)
{
    struct gd_queue_entry last = world->queue[world->queue_size--];

    if (place <= world->queue_size) {
        if (place > 1 && before(&last, &world->queue[(place + 2) / 4])) {
            sift_up(world, place, last);
        } else {
            sift_down(world, place, last);
        }
    }
}

/* In a pause's ring instead of the queue. */
#define PLACE_HELD SIZE_MAX

static void hold(struct gd_process *process, struct gd_world_event *event)
{
    struct gd_world_event *ring = &process->held;

    event->place = PLACE_HELD;
    event->held_next = ring;
    event->held_prev = ring->held_prev;
    ring->held_prev->held_next = event;
    ring->held_prev = event;
}

void gd__unschedule(struct gd_world *world, struct gd_world_event *event)
{
    if (event->place == PLACE_HELD) {
        event->held_prev->held_next = event->held_next;
        event->held_next->held_prev = event->held_prev;
    } else if (event->place != 0) {
        take_out(world, event->place);
    }
    event->place = 0;
}

void gd__schedule(struct gd_world *world, struct gd_world_event *event, gd_time_ns at)
{
    GD_ASSERT(event->run != NULL);
    gd__unschedule(world, event);
    event->at = at > world->now ? at : world->now;
    event->sequence = ++world->sequence;
    if (world->queue_size + 1 >= world->queue_capacity) {
        world->queue_capacity = world->queue_capacity == 0 ? 256 : world->queue_capacity * 2;
        world->queue =
            gd__heap_grow(&world->heap, world->queue, world->queue_capacity * sizeof *world->queue);
    }
    sift_up(world, ++world->queue_size, (struct gd_queue_entry){event->at, event->sequence, event});
}

/* ---------------------------------------------------------------- running */

bool gd_world_step(struct gd_world *world)
{
    GD_ASSERT(!world->abandoned);
    GD_ASSERT(gd__heap_running() == NULL);
    for (;;) {
        if (world->queue_size == 0) {
            return false;
        }
        struct gd_world_event *event = world->queue[1].event;
        struct gd_process *process =
            event->process < world->process_count ? world->processes[event->process] : NULL;

        GD_VERIFY(event->at >= world->now); /* W3 */
        take_out(world, 1);
        event->place = 0;
        if (process != NULL && gd__stands_still(process)) {
            hold(process, event);
            continue;
        }
        world->now = event->at;
        world->event_count++;
        uint32_t number = event->process;
        gd__fold(world, event->at);
        gd__fold(world, (uint64_t)event->kind << 32 | number);
        gd__fold(world, event->detail);
        (void)gd__heap_enter(world, NULL);
        event->run(world, event);
        if (world->options.hooks.event != NULL) {
            world->options.hooks.event(world->options.hooks.context, number);
        }
        return true;
    }
}

gd_time_ns gd_world_next(const struct gd_world *world)
{
    return world->queue_size == 0 ? UINT64_MAX : world->queue[1].at;
}

bool gd_world_run_until(struct gd_world *world, gd_time_ns until)
{
    world->stopping = false;
    while (gd_world_next(world) <= until) {
        if (!gd_world_step(world)) {
            break;
        }
        if (world->stopping) {
            return false;
        }
    }
    world->now = until > world->now ? until : world->now;
    return true;
}

void gd_world_stop(struct gd_world *world)
{
    world->stopping = true;
}

/* ---------------------------------------------------------------- alarms */

static void run_alarm(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_world_alarm *alarm = GD_CONTAINER(event, struct gd_world_alarm, event);

    alarm->fire(world, alarm);
}

void gd_world_alarm_start(struct gd_world *world, struct gd_world_alarm *alarm, gd_time_ns at)
{
    GD_ASSERT(alarm->fire != NULL);
    alarm->event.run = run_alarm;
    alarm->event.kind = GD_EVENT_ALARM;
    alarm->event.process = GD_WORLD_NOBODY;
    gd__schedule(world, &alarm->event, at);
}

void gd_world_alarm_stop(struct gd_world *world, struct gd_world_alarm *alarm)
{
    gd__unschedule(world, &alarm->event);
}

/* ---------------------------------------------------------------- pausing */

void gd_world_pause(struct gd_world *world, uint32_t number)
{
    struct gd_process *process = gd__process(world, number);

    GD_ASSERT(process->running);
    GD_ASSERT(gd__heap_running() != process);
    if (!process->paused) {
        process->paused = true;
        gd__count(world, GD_WORLD_COUNT_PAUSES);
        gd__fold(world, GD_WORLD_COUNT_PAUSES ^ (uint64_t)number << 32);
        GD__TRACE(world, number, "pause", "held");
    }
}

/* Lets go what a pause holds of one kind, or of all kinds (0), in the order of the ring. */
static void let_go(struct gd_process *process, unsigned kind, unsigned but)
{
    struct gd_world_event *ring = &process->held;
    struct gd_world_event *next;

    for (struct gd_world_event *event = ring->held_next; event != ring; event = next) {
        next = event->held_next;
        if ((kind == 0 || event->kind == kind) && event->kind != but) {
            gd__schedule(process->world, event, process->world->now);
        }
    }
}

/* A process that was stopped while it waited for its sockets sees these before it looks at the
 * time, one that was stopped elsewhere sees its timers in between: either way is drawn. */
static void go_on(struct gd_process *process)
{
    process->disk.quiet_since = gd_world_now(process->world); /* It had none of that time. */
    if (gd__stands_still(process)) {
        return;
    }
    if (process->held.held_next != &process->held &&
        gd__between(process, GD_FOR_RESUME, 0, 1) != 0) {
        let_go(process, GD_EVENT_READ, 0);
        let_go(process, 0, GD_EVENT_TIMER);
    }
    let_go(process, 0, 0);
}

void gd_world_resume(struct gd_world *world, uint32_t number)
{
    struct gd_process *process = gd__process(world, number);

    if (!process->paused) {
        return;
    }
    process->paused = false;
    GD__TRACE(world, number, "resume", "goes on");
    go_on(process);
}

static void run_unblock(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_process *process = GD_CONTAINER(event, struct gd_process, unblock);

    GD__TRACE(world, process->number, "unblock", "waits no longer");
    go_on(process);
}

/* The event is the machine's: a pause does not hold it back. */
void gd__block_init(struct gd_process *process)
{
    process->unblock = (struct gd_world_event){.run = run_unblock,
                                               .kind = GD_EVENT_UNBLOCK,
                                               .process = GD_WORLD_NOBODY,
                                               .detail = process->number};
}

void gd_world_block(struct gd_world *world, uint32_t number, gd_time_ns duration)
{
    struct gd_process *process = gd__process(world, number);
    bool blocked = gd__scheduled(&process->unblock);
    gd_time_ns from = blocked ? process->unblock.at : world->now;

    GD_ASSERT(process->running);
    if (!blocked) {
        gd__count(world, GD_WORLD_COUNT_BLOCKS);
        GD__TRACE(world, number, "block", "waits inside a call");
    }
    gd__fold(world, duration);
    gd__schedule(world, &process->unblock, from + duration);
}

void gd_world_unblock(struct gd_world *world, uint32_t number)
{
    struct gd_process *process = gd__process(world, number);

    GD_ASSERT(gd__heap_running() != process);
    if (gd__scheduled(&process->unblock)) {
        gd__unschedule(world, &process->unblock);
        GD__TRACE(world, number, "unblock", "waits no longer");
        go_on(process);
    }
}

/* ---------------------------------------------------------------- trace */

bool gd_world_traced(const struct gd_world *world)
{
    return world->options.hooks.trace != NULL;
}

void gd_world_note(struct gd_world *world, uint32_t process, const char *kind, const char *format,
                   ...)
{
    char text[512];
    va_list args;

    if (world->options.hooks.trace == NULL) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct gd_world_line line = {.at = world->now,
                                 .event = world->event_count,
                                 .process = process,
                                 .kind = kind,
                                 .text = text};
    struct gd_process *running = gd__heap_enter(world, NULL);
    world->options.hooks.trace(world->options.hooks.context, &line);
    gd__heap_leave(world, running);
}

/* ---------------------------------------------------------------- the world */

struct gd_world_link_options gd_world_link_defaults(void)
{
    return (struct gd_world_link_options){
        .latency_min = 200 * 1000,
        .latency_max = 2 * GD_NS_PER_MS,
        .window_size = 256 * 1024,
        .stall_max = 1000 * GD_NS_PER_MS,
        .reorder_max = 20 * GD_NS_PER_MS,
        .frames_spared = 1,
        .connect_timeout = 10000 * GD_NS_PER_MS,
        .retransmit_max = 200 * GD_NS_PER_MS,
    };
}

struct gd_world_disk_options gd_world_disk_defaults(void)
{
    return (struct gd_world_disk_options){
        .latency_min = 50 * 1000,
        .latency_max = 500 * 1000,
        .sync_min = 200 * 1000,
        .sync_max = 3 * GD_NS_PER_MS,
        .queue_count = 1024,
        .lost_ppm = GD_WORLD_MILLION / 2,
        .name_lost_ppm = GD_WORLD_MILLION / 2,
    };
}

struct gd_world *gd_world_new(const struct gd_world_options *options)
{
    GD_ASSERT(gd__heap_running() == NULL);
    struct gd_world *world = gd_calloc(1, sizeof *world); /* Of the heap outside. */

    world->options = *options;
    world->heap.poison = options->seed;
    if (options->link.window_size == 0) {
        world->options.link = gd_world_link_defaults();
    }
    if (options->disk.queue_count == 0) {
        world->options.disk = gd_world_disk_defaults();
    }
    if (options->wall_start_ms == 0) {
        world->options.wall_start_ms = INT64_C(1790000000000);
    }
    world->link_default.options = world->options.link;
    world->hash = gd_prng_mix(options->seed, 0);
    world->gather = gd__heap_alloc(&world->heap, GD_READ_SIZE);
    gd__ring_init(&world->connections);
    return world;
}

void gd_world_abandon(struct gd_world *world)
{
    world->abandoned = true;
    gd__heap_forget(world);
}

gd_time_ns gd_world_now(const struct gd_world *world)
{
    return world->now;
}

uint64_t gd_world_events(const struct gd_world *world)
{
    return world->event_count;
}

uint64_t gd_world_hash(const struct gd_world *world)
{
    return world->hash;
}

uint64_t gd_world_seed(const struct gd_world *world)
{
    return world->options.seed;
}

uint64_t gd_world_counter(const struct gd_world *world, enum gd_world_counter counter)
{
    return world->counters[counter];
}

const char *gd_world_counter_text(enum gd_world_counter counter)
{
#define COUNTER_CASE(name, text)                                                                   \
    case GD_WORLD_COUNT_##name:                                                                    \
        return text;
    switch (counter) {
        GD_WORLD_COUNTERS(COUNTER_CASE)
    case GD_WORLD_COUNTER_COUNT:
        break;
    }
    return "?";
}
