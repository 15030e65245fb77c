/* clock.c - each process's clocks and timers.
 *
 * How. A process's clocks run on `elapsed`: world time since the process was made, made faster or
 * slower by its drift. The monotonic clock adds a start that is drawn anew at each boot, so that
 * nobody gets away with comparing times of two boots; the wall clock adds its skew and its jumps.
 *
 * Timers lie in a binary heap of their own for each process, by (deadline, sequence) on the
 * process's own scale, with one event of the world for the first of them. What is due is taken out
 * in one go and fires one event after another; what is started meanwhile, however long its deadline
 * has passed, waits for the next turn, so nobody starves (C1). */
#include "io-sim/world_internal.h"

/* A turn that finds timers started with deadlines in the past comes so much later: time goes on. */
#define TURN_NS 1000

/* ---------------------------------------------------------------- clocks */

/* `time` of the world as this clock counts it. Integers only: parts per million of a difference. */
static gd_time_ns stretched(gd_time_ns time, int64_t ppm)
{
    int64_t part = (int64_t)(time / GD_WORLD_MILLION) * ppm +
                   (int64_t)(time % GD_WORLD_MILLION) * ppm / (int64_t)GD_WORLD_MILLION;

    return (gd_time_ns)((int64_t)time + part);
}

static gd_time_ns elapsed(const struct gd_process *process)
{
    const struct gd_clock *clock = &process->clock;

    return clock->elapsed + stretched(process->world->now - clock->since, clock->drift_ppm);
}

static gd_time_ns now_of(const struct gd_process *process)
{
    return process->clock.mono_start + elapsed(process);
}

/* The first time of the world at which the process's clock shows `deadline`, or now. */
static gd_time_ns world_time(const struct gd_process *process, gd_time_ns deadline)
{
    const struct gd_clock *clock = &process->clock;
    gd_time_ns local = now_of(process), world = process->world->now;

    if (deadline <= local) {
        return world;
    }
    gd_time_ns wait = deadline - local;
    if (wait > UINT64_MAX / 4) {
        return UINT64_MAX / 2; /* Never. */
    }
    /* wait * 1e6 / (1e6 + ppm), without overflow; then the odd ns either way. */
    uint64_t whole = (uint64_t)((int64_t)GD_WORLD_MILLION + clock->drift_ppm);
    gd_time_ns at =
        world + wait / whole * GD_WORLD_MILLION + wait % whole * GD_WORLD_MILLION / whole;
    gd_time_ns base = clock->mono_start + clock->elapsed;
    while (base + stretched(at - clock->since, clock->drift_ppm) < deadline) {
        at++;
    }
    return at;
}

gd_time_ns gd__clock_now(struct gd_io *io)
{
    return now_of(gd__process_of(io));
}

int64_t gd__clock_wall_ms(struct gd_io *io)
{
    const struct gd_process *process = gd__process_of(io);

    return process->clock.wall_start_ms + (int64_t)(elapsed(process) / GD_NS_PER_MS);
}

gd_time_ns gd_world_process_now(const struct gd_world *world, uint32_t number)
{
    return now_of(gd__process(world, number));
}

int64_t gd_world_process_wall_ms(const struct gd_world *world, uint32_t number)
{
    return gd__clock_wall_ms(&gd__process(world, number)->io);
}

/* ---------------------------------------------------------------- the heap of timers */

static bool before(const struct gd_timer *a, const struct gd_timer *b)
{
    return a->deadline < b->deadline || (a->deadline == b->deadline && a->sequence < b->sequence);
}

static void put(struct gd_process *process, size_t place, struct gd_timer *timer)
{
    process->timers[place] = timer;
    timer->place = place;
}

static void sift_up(struct gd_process *process, size_t place, struct gd_timer *timer)
{
    for (; place > 1 && before(timer, process->timers[place / 2]); place /= 2) {
        put(process, place, process->timers[place / 2]);
    }
    put(process, place, timer);
}

static void sift_down(struct gd_process *process, size_t place, struct gd_timer *timer)
{
    for (;;) {
        size_t child = place * 2;

        if (child < process->timer_count &&
            before(process->timers[child + 1], process->timers[child])) {
            child++;
        }
        if (child > process->timer_count || !before(process->timers[child], timer)) {
            break;
        }
        put(process, place, process->timers[child]);
        place = child;
    }
    put(process, place, timer);
}

static void take_out(struct gd_process *process, size_t place)
{
    struct gd_timer *last = process->timers[process->timer_count--];

    if (place <= process->timer_count) {
        if (place > 1 && before(last, process->timers[place / 2])) {
            sift_up(process, place, last);
        } else {
            sift_down(process, place, last);
        }
    }
}

/* ---------------------------------------------------------------- timers */

/* Above every place in the heap: a timer that is due lies in `due` instead. */
#define PLACE_DUE (SIZE_MAX / 2)

static void wake_at(struct gd_process *process, gd_time_ns at)
{
    if (!gd__scheduled(&process->wake) || process->wake.at > at) {
        gd__schedule(process->world, &process->wake, at);
    }
}

static void schedule_first(struct gd_process *process)
{
    if (process->due_next < process->due_count) {
        wake_at(process, process->world->now);
    } else if (process->timer_count > 0) {
        gd_time_ns at = world_time(process, process->timers[1]->deadline);

        wake_at(process, at > process->world->now ? at : at + TURN_NS);
    }
}

void gd__timer_stop(struct gd_io *io, struct gd_timer *timer)
{
    struct gd_process *process = gd__process_of(io);

    if (timer->place >= PLACE_DUE) {
        process->due[timer->place - PLACE_DUE] = NULL;
    } else if (timer->place != 0) {
        GD_ASSERT(process->timers[timer->place] == timer);
        take_out(process, timer->place);
    }
    timer->place = 0;
}

void gd__timer_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline)
{
    struct gd_process *process = gd__process_of(io);

    GD_ASSERT(process->running);
    gd__timer_stop(io, timer);
    timer->deadline = deadline;
    timer->sequence = ++process->timer_sequence;
    timer->world = process;
    if (process->timer_count + 1 >= process->timer_capacity) {
        process->timer_capacity = process->timer_capacity == 0 ? 64 : process->timer_capacity * 2;
        process->timers = gd__heap_grow(&process->world->heap, process->timers,
                                        process->timer_capacity * sizeof *process->timers);
    }
    sift_up(process, ++process->timer_count, timer);
    if (timer->place == 1) {
        schedule_first(process);
    }
}

/* All that is due now leaves the heap, in its order. */
static void gather_due(struct gd_process *process)
{
    gd_time_ns now = now_of(process);

    process->due_count = process->due_next = 0;
    while (process->timer_count > 0 && process->timers[1]->deadline <= now) {
        struct gd_timer *timer = process->timers[1];

        take_out(process, 1);
        if (process->due_count == process->due_capacity) {
            process->due_capacity = process->due_capacity == 0 ? 64 : process->due_capacity * 2;
            process->due = gd__heap_grow(&process->world->heap, process->due,
                                         process->due_capacity * sizeof(struct gd_timer *));
        }
        timer->place = PLACE_DUE + process->due_count;
        process->due[process->due_count++] = timer;
    }
}

static void run_wake(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_process *process = GD_CONTAINER(event, struct gd_process, wake);
    struct gd_timer *timer = NULL;

    if (process->due_next == process->due_count) {
        gather_due(process);
    }
    while (timer == NULL && process->due_next < process->due_count) {
        timer = process->due[process->due_next++];
    }
    if (timer != NULL) {
        timer->place = 0;
        gd__count(world, GD_WORLD_COUNT_TIMERS);
        GD__TRACE(world, process->number, "timer", "fires");
        struct gd_process *running = gd__heap_enter(world, process);
        timer->fire(timer);
        gd__heap_leave(world, running);
    }
    if (process->running) {
        schedule_first(process);
    }
}

uint64_t gd__timers_running(const struct gd_process *process)
{
    uint64_t count = process->timer_count;

    for (size_t i = process->due_next; i < process->due_count; i++) {
        count += process->due[i] != NULL;
    }
    return count;
}

/* ---------------------------------------------------------------- faults and lifetime */

static void rebase(struct gd_process *process)
{
    process->clock.elapsed = elapsed(process);
    process->clock.since = process->world->now;
}

void gd_world_set_drift(struct gd_world *world, uint32_t number, int32_t drift_ppm)
{
    struct gd_process *process = gd__process(world, number);

    GD_ASSERT(drift_ppm > -(int32_t)GD_WORLD_MILLION / 2);
    GD_ASSERT(drift_ppm < (int32_t)GD_WORLD_MILLION);
    rebase(process);
    process->clock.drift_ppm = drift_ppm;
    if (process->running && gd__scheduled(&process->wake) && !gd__stands_still(process)) {
        gd__unschedule(world, &process->wake);
        schedule_first(process);
    }
    GD__TRACE(world, number, "drift", "%d ppm", (int)drift_ppm);
}

void gd_world_jump_wall(struct gd_world *world, uint32_t number, int64_t by_ms)
{
    gd__process(world, number)->clock.wall_start_ms += by_ms;
    gd__count(world, GD_WORLD_COUNT_WALL_JUMPS);
    gd__fold(world, (uint64_t)by_ms);
    GD__TRACE(world, number, "clock", "the wall clock jumps by %lld ms", (long long)by_ms);
}

void gd__clock_init(struct gd_process *process, const struct gd_world_clock_options *options)
{
    process->clock = (struct gd_clock){
        .since = process->world->now,
        .elapsed = process->world->now,
        .drift_ppm = options->drift_ppm,
        .wall_start_ms = process->world->options.wall_start_ms + options->skew_ms,
    };
    process->wake.run = run_wake;
    process->wake.kind = GD_EVENT_TIMER;
    process->wake.process = process->number;
}

void gd__clock_boot(struct gd_process *process)
{
    process->clock.mono_start = gd__between(process, GD_FOR_CLOCK, GD_NS_PER_MS, UINT64_C(1) << 50);
}

void gd__clock_drop(struct gd_process *process)
{
    gd__unschedule(process->world, &process->wake);
    process->timer_count = process->due_count = process->due_next = 0;
}

void gd__clock_free(struct gd_process *process)
{
    gd__heap_free(&process->world->heap, process->timers);
    gd__heap_free(&process->world->heap, process->due);
}
