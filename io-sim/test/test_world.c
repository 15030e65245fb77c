/* The world itself: order, identity, clocks, pauses, heaps, leaks, speed. */
#include "engine/memory.h"
#include "io-sim/test/drive.h"
#include "io-sim/test/storm.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---------------------------------------------------------------- order, identity */

struct numbered {
    struct gd_world_alarm alarm; /* First. */
    unsigned number;
    unsigned *order, *count;
};

static void note(struct gd_world *world, struct gd_world_alarm *alarm)
{
    struct numbered *numbered = (struct numbered *)(void *)alarm;

    (void)world;
    numbered->order[(*numbered->count)++] = numbered->number;
}

/* W3: by time; at the same time by the order of scheduling; stopped ones not at all. */
static void test_world_order_of_events(void **state)
{
    struct gd_world_options options = {.seed = 1};
    struct gd_world *world = gd_world_new(&options);
    static struct numbered alarms[1000];
    unsigned order[1000], count = 0;
    struct gd_prng prng;

    (void)state;
    gd_prng_init(&prng, 5);
    for (unsigned i = 0; i < 1000; i++) {
        alarms[i] = (struct numbered){
            .alarm = {.fire = note}, .number = i, .order = order, .count = &count};
        gd_world_alarm_start(world, &alarms[i].alarm, gd_prng_below(&prng, 50));
    }
    for (unsigned i = 0; i < 1000; i += 3) {
        gd_world_alarm_stop(world, &alarms[i].alarm);
    }
    assert_true(gd_world_run_until(world, 100));
    assert_int_equal(gd_world_now(world), 100);
    assert_int_equal(count, 666);
    for (unsigned i = 1; i < count; i++) {
        const struct gd_world_event *a = &alarms[order[i - 1]].alarm.event;
        const struct gd_world_event *b = &alarms[order[i]].alarm.event;

        assert_true(a->at < b->at || (a->at == b->at && order[i - 1] < order[i]));
    }
    gd_world_free(world);
}

/* W1, and every counter moves. */
static void test_world_same_seed_same_run(void **state)
{
    struct storm_result a = storm(1, 2000), b = storm(1, 2000), c = storm(2, 2000);
    uint64_t counters[GD_WORLD_COUNTER_COUNT] = {0};

    (void)state;
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(a.hash != c.hash);
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct storm_result result = storm(seed, 2000);

        for (unsigned i = 0; i < GD_WORLD_COUNTER_COUNT; i++) {
            counters[i] += result.counters[i];
        }
    }
    for (unsigned i = 0; i < GD_WORLD_COUNTER_COUNT; i++) {
        print_message("%10llu %s\n", (unsigned long long)counters[i],
                      gd_world_counter_text((enum gd_world_counter)i));
        if (i != GD_WORLD_COUNT_NO_SPACE && i != GD_WORLD_COUNT_CONNECT_TIMEOUTS) {
            assert_true(counters[i] > 0);
        }
    }
    assert_int_equal(gd_world_memory_outside().block_count, 0);
}

/* Striking one fault leaves what the others draw as it was. */
static void test_world_streams_are_independent(void **state)
{
    gd_time_ns ends[2];

    (void)state;
    for (int round = 0; round < 2; round++) {
        struct gd_world_options options = {.seed = 8, .disk = gd_world_disk_defaults()};
        struct gd_file file;

        options.disk.rot_ppm = round == 0 ? 0 : 500000;
        struct gd_world *world = drive_world(&options, 1);
        assert_int_equal(drive_open(world, 0, "file", GD_DISK_CREATE, &file), GD_OK);
        for (unsigned i = 0; i < 50; i++) {
            char byte;
            struct gd_disk_op read = {
                .kind = GD_DISK_READ, .file = &file, .data = &byte, .size = 1};

            assert_int_equal(drive_put(world, 0, GD_DISK_WRITE, &file, i, "x", 1), GD_OK);
            assert_int_equal(drive_op(world, 0, &read), GD_OK);
        }
        assert_true(round == 0 || gd_world_counter(world, GD_WORLD_COUNT_ROTTEN_BITS) > 0);
        ends[round] = gd_world_now(world);
        gd_world_free(world);
    }
    assert_int_equal(ends[0], ends[1]);
}

/* ---------------------------------------------------------------- clocks */

static void fired(struct gd_timer *timer)
{
    *(gd_time_ns *)timer->context = 1;
}

static void test_world_clocks(void **state)
{
    struct gd_world_options options = {.seed = 2};
    struct gd_world *world = gd_world_new(&options);
    struct gd_world_process_options process = {.host = "10.0.0.1",
                                               .clock = {.skew_ms = -7000, .drift_ppm = 100000}};
    gd_time_ns told = 0;
    struct gd_timer timer = {.fire = fired, .context = &told};

    (void)state;
    gd_world_start(world, gd_world_add(world, &process));
    process = (struct gd_world_process_options){.host = "10.0.0.2"};
    gd_world_start(world, gd_world_add(world, &process));
    gd_time_ns begin = gd_world_process_now(world, 0);
    int64_t wall = gd_world_process_wall_ms(world, 0);
    assert_int_equal(gd_world_process_wall_ms(world, 1) - wall, 7000);
    drive_for(world, 1000);
    assert_int_equal(gd_world_process_now(world, 0) - begin, 1100 * GD_NS_PER_MS);
    assert_int_equal(gd_world_process_wall_ms(world, 0) - wall, 1100);
    gd_world_jump_wall(world, 0, -3000);
    assert_int_equal(gd_world_process_wall_ms(world, 0) - wall, -1900);
    assert_int_equal(gd_world_process_now(world, 0) - begin, 1100 * GD_NS_PER_MS);

    /* A timer follows its own clock, through a change of the drift. */
    gd_timer_start(gd_world_enter(world, 0), &timer,
                   gd_world_process_now(world, 0) + 1000 * GD_NS_PER_MS);
    gd_world_leave(world);
    drive_for(world, 500); /* 550 of 1000. */
    gd_world_set_drift(world, 0, -100000);
    drive_for(world, 499); /* 449.1 more. */
    assert_int_equal(told, 0);
    drive_for(world, 2);
    assert_int_equal(told, 1);
    gd_world_free(world);
}

/* ---------------------------------------------------------------- pauses, crashes */

static void test_world_pause_holds_events_back(void **state)
{
    struct gd_world_options options = {.seed = 3};
    struct gd_world *world = drive_world(&options, 2);
    gd_time_ns told[3] = {0};
    struct gd_timer timers[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        timers[i] = (struct gd_timer){.fire = fired, .context = &told[i]};
        gd_timer_start(gd_world_enter(world, i / 2), &timers[i],
                       gd_world_process_now(world, i / 2) + (i + 1) * GD_NS_PER_MS);
        gd_world_leave(world);
    }
    gd_world_pause(world, 0);
    drive_for(world, 1000);
    assert_true(told[0] == 0 && told[1] == 0 && told[2] == 1);
    gd_world_resume(world, 0);
    drive_for(world, 1);
    assert_true(told[0] == 1 && told[1] == 1);
    gd_world_pause(world, 0); /* Paused, crashed, started again: not paused. */
    gd_timer_start(gd_world_enter(world, 0), &timers[0], 0);
    gd_world_leave(world);
    drive_for(world, 1);
    gd_world_crash(world, 0, GD_WORLD_KILL);
    gd_world_start(world, 0);
    assert_false(gd_world_paused(world, 0));
    drive_for(world, 1);
    assert_int_equal(gd_world_boots(world, 0), 2);
    gd_world_free(world);
}

struct sitter {
    struct gd_world *world;
    unsigned fired;
};

static void sit(struct gd_timer *timer)
{
    struct sitter *sitter = timer->context;

    sitter->fired++;
    gd_world_block(sitter->world, 0, 60 * GD_NS_PER_MS);
    gd_world_block(sitter->world, 0, 40 * GD_NS_PER_MS); /* One wait behind the other. */
}

/* Somebody whose time goes on: a step that meets nothing but held events runs the next one, which
 * may be later than the step was to go. */
static void tick_on(struct gd_timer *timer)
{
    struct gd_io *io = timer->context;

    gd_timer_start(io, timer, gd_io_now(io) + GD_NS_PER_MS / 4);
}

/* What a process waits for inside a call holds back all that is its own, and nobody else's. */
static void test_world_block_holds_up_one_process(void **state)
{
    struct gd_world_options options = {.seed = 4};
    struct gd_world *world = drive_world(&options, 2);
    struct sitter sitter = {.world = world};
    gd_time_ns told[2] = {0};
    struct gd_timer timers[3] = {{.fire = sit, .context = &sitter},
                                 {.fire = fired, .context = &told[0]},
                                 {.fire = fired, .context = &told[1]}};
    struct gd_timer ticker = {.fire = tick_on, .context = gd_world_io(world, 1)};

    (void)state;
    gd_timer_start(gd_world_enter(world, 1), &ticker, 0);
    gd_world_leave(world);
    for (unsigned i = 0; i < 3; i++) {
        gd_timer_start(gd_world_enter(world, i / 2), &timers[i],
                       gd_world_process_now(world, i / 2) + (i + 1) * GD_NS_PER_MS);
        gd_world_leave(world);
    }
    drive_for(world, 99);
    assert_true(gd_world_blocked(world, 0) && !gd_world_blocked(world, 1));
    assert_true(sitter.fired == 1 && told[0] == 0 && told[1] == 1);
    drive_for(world, 4);
    assert_true(!gd_world_blocked(world, 0) && told[0] == 1);

    /* A pause and a block each hold it by themselves, whichever ends first. */
    for (unsigned round = 0; round < 2; round++) {
        told[0] = 0;
        gd_world_pause(world, 0);
        gd_world_block(world, 0, 50 * GD_NS_PER_MS);
        gd_timer_start(gd_world_enter(world, 0), &timers[1], 0);
        gd_world_leave(world);
        drive_for(world, round == 0 ? 49 : 60);
        gd_world_resume(world, 0);
        if (round == 0) {
            drive_for(world, 0);
            assert_int_equal(told[0], 0);
        }
        drive_for(world, 2);
        assert_int_equal(told[0], 1);
    }

    /* What it waited for is there; or it dies waiting. */
    told[0] = 0;
    gd_world_block(world, 0, UINT64_C(3600000) * GD_NS_PER_MS);
    gd_timer_start(gd_world_enter(world, 0), &timers[1], 0);
    gd_world_leave(world);
    drive_for(world, 1000);
    assert_int_equal(told[0], 0);
    gd_world_unblock(world, 0);
    drive_for(world, 1);
    assert_int_equal(told[0], 1);
    gd_world_block(world, 0, UINT64_C(3600000) * GD_NS_PER_MS);
    gd_world_crash(world, 0, GD_WORLD_KILL);
    gd_world_start(world, 0);
    assert_false(gd_world_blocked(world, 0));
    gd_world_free(world);
}

static void leave_some(struct gd_io *io, void *context)
{
    uint64_t *seed = context;
    uint8_t *bytes = gd_malloc(1000);

    *seed = gd_io_entropy(io, "seed");
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(bytes[i], bytes[0]);
        bytes = gd_realloc(bytes, 1000 + i);
    }
    assert_true(bytes[0] != 0); /* Poisoned. */
    (void)gd_calloc(3, 7);
}

/* W2: a thousand processes started and crashed; nothing is left, each start draws other seeds. */
static void test_world_a_thousand_restarts(void **state)
{
    struct gd_world_options options = {.seed = 4};
    struct gd_world *world = gd_world_new(&options);
    uint64_t seed = 0, last = 0;
    struct gd_world_process_options process = {
        .host = "10.0.0.1", .entry = leave_some, .context = &seed};

    (void)state;
    (void)gd_world_add(world, &process);
    for (unsigned i = 0; i < 1000; i++) {
        gd_world_start(world, 0);
        assert_true(seed != last);
        last = seed;
        assert_int_equal(gd_world_memory(world, 0).block_count, 2);
        assert_int_equal(gd_world_memory(world, 0).size, 1099 + 21);
        drive_for(world, 1);
        gd_world_crash(world, 0, i % 2 == 0 ? GD_WORLD_KILL : GD_WORLD_POWER_LOSS);
        assert_int_equal(gd_world_memory(world, 0).block_count, 0);
    }
    assert_int_equal(gd_world_boots(world, 0), 1000);
    gd_world_free(world);
    assert_int_equal(gd_world_memory_outside().block_count, 0);
}

static void test_world_end_reports_leaks(void **state)
{
    struct gd_world_options options = {.seed = 5};
    struct gd_world *world = drive_world(&options, 1);
    struct gd_world_leak leak;
    gd_time_ns told = 0;
    struct gd_timer timer = {.fire = fired, .context = &told};
    struct gd_file file;

    (void)state;
    assert_true(gd_world_end(world, 0, &leak));
    gd_world_start(world, 0);
    assert_int_equal(drive_open(world, 0, "file", GD_DISK_CREATE, &file), GD_OK);
    gd_timer_start(gd_world_enter(world, 0), &timer, UINT64_MAX);
    (void)gd_malloc(10);
    gd_world_leave(world);
    assert_false(gd_world_end(world, 0, &leak));
    assert_int_equal(leak.block_count, 1);
    assert_int_equal(leak.block_size, 10);
    assert_int_equal(leak.timer_count, 1);
    assert_int_equal(leak.file_count, 1);
    assert_int_equal(leak.stream_count + leak.listener_count + leak.operation_count, 0);
    assert_false(gd_world_running(world, 0));
    gd_world_free(world);
}

/* ---------------------------------------------------------------- assertions */

struct caught {
    jmp_buf back;
    struct gd_world_failure failure;
};

static void catch (void *context, const struct gd_world_failure *failure)
{
    struct caught *caught = context;

    caught->failure = *failure;
    longjmp(caught->back, 1);
}

/* H1: memory of one process freed by another; the hook hears seed, time and process. */
static void test_world_assertions_name_the_process(void **state)
{
    static struct caught caught;
    struct gd_world_options options = {.seed = 77, .hooks = {.context = &caught, .failed = catch}};
    struct gd_world *world = drive_world(&options, 2);

    (void)state;
    drive_for(world, 9);
    (void)gd_world_enter(world, 0);
    void *block = gd_malloc(8);
    gd_world_leave(world);
    if (setjmp(caught.back) == 0) {
        (void)gd_world_enter(world, 1);
        gd_free(block);
        fail();
    }
    assert_int_equal(caught.failure.seed, 77);
    assert_int_equal(caught.failure.process, 1);
    assert_int_equal(caught.failure.at, 9 * GD_NS_PER_MS);
    assert_non_null(strstr(caught.failure.cond, "heap"));
    gd_world_abandon(world);
    gd_world_free(world);
}

/* ---------------------------------------------------------------- speed */

struct ticker {
    struct gd_timer timer;
    struct gd_io *io;
};

static void tick(struct gd_timer *timer)
{
    struct ticker *ticker = timer->context;

    gd_timer_start(ticker->io, timer, gd_io_now(ticker->io) + 1000 + (timer->sequence & 1023));
}

/* Not judged, since machines differ: said, so that a change shows. */
static void test_world_speed(void **state)
{
    struct gd_world_options options = {.seed = 6};
    struct gd_world *world = drive_world(&options, 5);
    static struct ticker tickers[100];

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        struct gd_io *io = gd_world_enter(world, i % 5);

        tickers[i] = (struct ticker){.timer = {.fire = tick, .context = &tickers[i]}, .io = io};
        gd_timer_start(io, &tickers[i].timer, gd_io_now(io) + i);
        gd_world_leave(world);
    }
    clock_t begin = clock();
    while (gd_world_events(world) < 1000000) {
        assert_true(gd_world_step(world));
    }
    print_message("timers: %.2f million events a second\n",
                  (double)CLOCKS_PER_SEC / (double)(clock() - begin + 1));
    gd_world_free(world);
    begin = clock();
    struct storm_result result = storm(3, 20000);
    print_message("storm: %.2f million events a second\n", (double)result.events / 1e6 *
                                                               (double)CLOCKS_PER_SEC /
                                                               (double)(clock() - begin + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_world_order_of_events),
        cmocka_unit_test(test_world_same_seed_same_run),
        cmocka_unit_test(test_world_streams_are_independent),
        cmocka_unit_test(test_world_clocks),
        cmocka_unit_test(test_world_pause_holds_events_back),
        cmocka_unit_test(test_world_block_holds_up_one_process),
        cmocka_unit_test(test_world_a_thousand_restarts),
        cmocka_unit_test(test_world_end_reports_leaks),
        cmocka_unit_test(test_world_assertions_name_the_process),
        cmocka_unit_test(test_world_speed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
