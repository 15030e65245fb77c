/* io_conformance.c - the suite's clock, entropy and log lines, and the run of all its groups. */
#include "engine/test/io_conformance_parts.h"

struct gd_io_harness *gd_io_conformance_harness;

int gd_io_conformance_begin(void **state)
{
    *state = gd_io_conformance_harness;
    gd_io_conformance_harness->v->begin(gd_io_conformance_harness);
    return 0;
}

int gd_io_conformance_end(void **state)
{
    struct gd_io_harness *harness = *state;

    harness->v->end(harness);
    return 0;
}

/* ---------------------------------------------------------------- clock */

#define TIMERS 200

/* Records what fires, in which order, and whether too early. */
struct record {
    struct gd_io *io;
    size_t want; /* How many are awaited. */
    size_t count;
    const struct gd_timer *fired[TIMERS];
    bool early;   /* A timer fired before its deadline. */
    bool running; /* A timer was still running when its `fire` was entered. */
};

static void record_fire(struct gd_timer *timer)
{
    struct record *record = timer->context;

    record->early = record->early || gd_io_now(record->io) < timer->deadline;
    record->running = record->running || gd_timer_running(timer);
    if (record->count < TIMERS) {
        record->fired[record->count] = timer;
    }
    record->count++;
}

static bool all_fired(void *context)
{
    const struct record *record = context;

    return record->count >= record->want;
}

/* C1: gd_io_now never goes back, and moves. */
static void test_clock_now_moves_forward(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    gd_time_ns last = gd_io_now(io_of(harness, 0));

    for (int i = 0; i < 5; i++) {
        run_for(harness, 3);
        gd_time_ns now = gd_io_now(io_of(harness, 0));
        assert_true(now > last);
        last = now;
    }
    assert_true(gd_io_wall_ms(io_of(harness, 0)) > 0);
}

/* C1: no timer before its deadline; a running one says so, a fired one does not. */
static void test_timer_fires_once_and_never_early(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct record record = {.io = io_of(harness, 0), .want = 1};
    struct gd_timer timer = {.fire = record_fire, .context = &record};

    assert_false(gd_timer_running(&timer));
    gd_timer_start(record.io, &timer, gd_io_now(record.io) + 5 * GD_NS_PER_MS);
    assert_true(gd_timer_running(&timer));
    assert_int_equal(record.count, 0);
    assert_true(run_until(harness, all_fired, &record));
    assert_false(record.early);
    assert_false(record.running);
    assert_false(gd_timer_running(&timer));
    run_for(harness, 20);
    assert_int_equal(record.count, 1);
}

/* C1: by deadline; ties by the order of their starts. */
static void test_timer_order(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct record record = {.io = io_of(harness, 0), .want = TIMERS};
    struct gd_timer timers[TIMERS];
    gd_time_ns begin = gd_io_now(record.io) + 2 * GD_NS_PER_MS;
    uint32_t random = 12345;

    for (size_t i = 0; i < TIMERS; i++) {
        random = random * 1664525 + 1013904223;
        timers[i] = (struct gd_timer){.fire = record_fire, .context = &record};
        gd_timer_start(record.io, &timers[i], begin + (random >> 16) % 20 * GD_NS_PER_MS / 4);
    }
    assert_true(run_until(harness, all_fired, &record));
    assert_int_equal(record.count, TIMERS);
    assert_false(record.early);
    for (size_t i = 1; i < TIMERS; i++) {
        const struct gd_timer *a = record.fired[i - 1], *b = record.fired[i];

        assert_true(a->deadline < b->deadline || (a->deadline == b->deadline && a < b));
    }
}

/* C1 for deadlines that have passed: the next turn, in their order, not from inside the call. */
static void test_timer_passed_deadlines_keep_order(void **state)
{
    struct gd_io_harness *harness = harness_of(state);

    run_for(harness, 10);
    struct record record = {.io = io_of(harness, 0), .want = 4};
    gd_time_ns now = gd_io_now(record.io);
    const gd_time_ns deadlines[] = {now, now - 3, now - 3, 0};
    const size_t want[] = {3, 1, 2, 0};
    struct gd_timer timers[4];

    for (size_t i = 0; i < 4; i++) {
        timers[i] = (struct gd_timer){.fire = record_fire, .context = &record};
        gd_timer_start(record.io, &timers[i], deadlines[i]);
    }
    assert_int_equal(record.count, 0);
    assert_true(run_until(harness, all_fired, &record));
    for (size_t i = 0; i < 4; i++) {
        assert_ptr_equal(record.fired[i], &timers[want[i]]);
    }
}

static void test_timer_restart_replaces_deadline(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct record record = {.io = io_of(harness, 0), .want = 2};
    struct gd_timer later = {.fire = record_fire, .context = &record};
    struct gd_timer sooner = {.fire = record_fire, .context = &record};
    gd_time_ns now = gd_io_now(record.io);

    gd_timer_start(record.io, &later, now + GD_NS_PER_MS);
    gd_timer_start(record.io, &sooner, now + 60000 * GD_NS_PER_MS);
    gd_timer_start(record.io, &later, now + 12 * GD_NS_PER_MS);
    gd_timer_start(record.io, &sooner, now + 6 * GD_NS_PER_MS);
    assert_true(run_until(harness, all_fired, &record));
    assert_ptr_equal(record.fired[0], &sooner);
    assert_ptr_equal(record.fired[1], &later);
    assert_false(record.early);
    run_for(harness, 20);
    assert_int_equal(record.count, 2);
}

/* After stop `fire` does not run, whether the timer is first, last or not running at all. */
static void test_timer_stop(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct record record = {.io = io_of(harness, 0), .want = 3};
    struct gd_timer timers[6];
    gd_time_ns now = gd_io_now(record.io);

    for (size_t i = 0; i < 6; i++) {
        timers[i] = (struct gd_timer){.fire = record_fire, .context = &record};
        gd_timer_stop(record.io, &timers[i]); /* Harmless. */
        gd_timer_start(record.io, &timers[i], now + (i + 1) * GD_NS_PER_MS);
    }
    gd_timer_stop(record.io, &timers[0]);
    gd_timer_stop(record.io, &timers[3]);
    gd_timer_stop(record.io, &timers[5]);
    gd_timer_stop(record.io, &timers[5]);
    assert_false(gd_timer_running(&timers[0]));
    assert_true(run_until(harness, all_fired, &record));
    run_for(harness, 20);
    assert_int_equal(record.count, 3);
    assert_ptr_equal(record.fired[0], &timers[1]);
    assert_ptr_equal(record.fired[1], &timers[2]);
    assert_ptr_equal(record.fired[2], &timers[4]);
}

struct stopper {
    struct gd_io *io;
    struct gd_timer *victim;
    unsigned fired;
};

static void stop_victim(struct gd_timer *timer)
{
    struct stopper *stopper = timer->context;

    stopper->fired++;
    gd_timer_stop(stopper->io, stopper->victim);
}

/* Stopped by a timer that is due at the same moment: it does not fire. */
static void test_timer_stopped_by_a_tie(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct stopper a = {.io = io_of(harness, 0)}, b = a;
    struct gd_timer first = {.fire = stop_victim, .context = &a};
    struct gd_timer second = {.fire = stop_victim, .context = &b};
    gd_time_ns deadline = gd_io_now(a.io) + 2 * GD_NS_PER_MS;

    a.victim = &second;
    b.victim = &first;
    gd_timer_start(a.io, &first, deadline);
    gd_timer_start(a.io, &second, deadline);
    run_for(harness, 30);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 0);
}

struct again {
    struct gd_io *io;
    unsigned count;
    struct record *record; /* Of the timer that must not starve. */
};

static void start_again(struct gd_timer *timer)
{
    struct again *again = timer->context;

    if (++again->count < 100) {
        gd_timer_start(again->io, timer, 0);
    }
}

static bool again_done(void *context)
{
    const struct again *again = context;

    return again->count >= 100 && again->record->count == 1;
}

/* A timer may be started anew in its `fire`, and one that does so for ever holds up nobody. */
static void test_timer_started_anew_in_fire(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct record record = {.io = io_of(harness, 0), .want = 1};
    struct again again = {.io = record.io, .record = &record};
    struct gd_timer busy = {.fire = start_again, .context = &again};
    struct gd_timer other = {.fire = record_fire, .context = &record};

    gd_timer_start(record.io, &busy, 0);
    gd_timer_start(record.io, &other, gd_io_now(record.io));
    assert_true(run_until(harness, again_done, &again));
    assert_int_equal(again.count, 100);
}

/* Each process has timers of its own. */
static void test_timer_in_both_processes(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct record records[GD_IO_HARNESS_NODES];
    struct gd_timer timers[GD_IO_HARNESS_NODES];

    for (unsigned node = 0; node < GD_IO_HARNESS_NODES; node++) {
        records[node] = (struct record){.io = io_of(harness, node), .want = 1};
        timers[node] = (struct gd_timer){.fire = record_fire, .context = &records[node]};
        gd_timer_start(records[node].io, &timers[node],
                       gd_io_now(records[node].io) + 3 * GD_NS_PER_MS);
    }
    assert_true(run_until(harness, all_fired, &records[0]));
    assert_true(run_until(harness, all_fired, &records[1]));
    assert_false(records[0].early || records[1].early);
}

/* ---------------------------------------------------------------- entropy, log lines */

static void test_entropy_differs(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    uint64_t a = gd_io_entropy(io_of(harness, 0), "election");
    uint64_t b = gd_io_entropy(io_of(harness, 0), "cluster");
    uint64_t c = gd_io_entropy(io_of(harness, 1), "election");

    assert_true(a != b);
    assert_true(a != c);
    assert_true(b != c);
}

/* A line longer than any buffer is cut, not a fault. */
static void test_log_takes_any_line(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    char line[3000];

    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    gd_io_log(io_of(harness, 0), GD_LOG_DEBUG, "conformance: %d", 1);
    gd_io_log(io_of(harness, 0), GD_LOG_DEBUG, "%s", line);
    gd_io_log(io_of(harness, 0), GD_LOG_DEBUG, "%s", "");
}

int gd_io_conformance_clock(const char *name)
{
    const struct CMUnitTest tests[] = {
        CONFORMANCE_TEST(test_clock_now_moves_forward),
        CONFORMANCE_TEST(test_timer_fires_once_and_never_early),
        CONFORMANCE_TEST(test_timer_order),
        CONFORMANCE_TEST(test_timer_passed_deadlines_keep_order),
        CONFORMANCE_TEST(test_timer_restart_replaces_deadline),
        CONFORMANCE_TEST(test_timer_stop),
        CONFORMANCE_TEST(test_timer_stopped_by_a_tie),
        CONFORMANCE_TEST(test_timer_started_anew_in_fire),
        CONFORMANCE_TEST(test_timer_in_both_processes),
        CONFORMANCE_TEST(test_entropy_differs),
        CONFORMANCE_TEST(test_log_takes_any_line),
    };

    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int gd_io_conformance_run(const char *name, struct gd_io_harness *harness)
{
    char group[128];
    int failed = 0;

    gd_io_conformance_harness = harness;
    (void)snprintf(group, sizeof group, "%s: clock", name);
    failed += gd_io_conformance_clock(group);
    (void)snprintf(group, sizeof group, "%s: network", name);
    failed += gd_io_conformance_net(group);
    (void)snprintf(group, sizeof group, "%s: disk", name);
    failed += gd_io_conformance_disk(group);
    return failed == 0 ? 0 : 1;
}
