/* The simulated network: cuts and healing, crashes seen from the other side, frames. */
#include "engine/bytes.h"
#include "io-sim/test/drive.h"
#include <string.h>

static struct drive_end here, there; /* Large; each test fills them anew. */
static struct drive_server server;

/* Process 1 connected to process 0, port 700. */
static struct gd_world *connected(const struct gd_world_options *options)
{
    struct gd_world *world = drive_world(options, 3);

    drive_listen(world, 0, 700, &server, &there);
    drive_connect(world, 1, "10.0.0.1:700", &here);
    drive_for(world, 20);
    assert_true(here.connected && there.connected);
    assert_int_equal(gd_world_stream_count(world, 0, 1), 1);
    return world;
}

/* A cut holds bytes back, one way or both; the healing brings them. */
static void test_net_cut_and_heal(void **state)
{
    struct gd_world_options options = {.seed = 1};
    struct gd_world *world = connected(&options);

    (void)state;
    gd_world_cut(world, 1, 0, true);
    assert_true(gd_world_is_cut(world, 1, 0));
    assert_int_equal(drive_send(&here, "there", 5), GD_OK);
    assert_int_equal(drive_send(&there, "here", 4), GD_OK);
    drive_for(world, 60000);
    assert_int_equal(there.got_size, 0);
    assert_int_equal(here.got_size, 4);
    assert_int_equal(gd_world_bytes_under_way(world, 1, 0), 5);
    gd_world_heal(world);
    drive_for(world, 300);
    assert_int_equal(there.got_size, 5);
    assert_int_equal(here.end_count + there.end_count, 0);
    gd_world_free(world);
}

static void test_net_connect_through_a_cut(void **state)
{
    struct gd_world_options options = {.seed = 2};
    struct gd_world *world = drive_world(&options, 3);

    (void)state;
    drive_listen(world, 0, 700, &server, &there);
    gd_world_cut(world, GD_WORLD_ALL, 0, true);
    drive_connect(world, 1, "10.0.0.1:700", &here);
    drive_for(world, 9000);
    assert_false(here.connect_told);
    drive_for(world, 2000);
    assert_int_equal(here.connect_err, GD_ERR_TIMEOUT);
    drive_connect(world, 2, "10.0.0.1:700", &here); /* The first is left to its process. */
    gd_world_heal(world);
    drive_for(world, 2000);
    assert_int_equal(here.connect_err, GD_OK);
    drive_connect(world, 2, "10.0.0.9:700", &there);
    drive_for(world, 100);
    assert_int_equal(there.connect_err, GD_ERR_UNREACHABLE);
    gd_world_free(world);
}

/* A killed process's machine resets; a machine without power is silent until it is back. */
static void test_net_peer_crashes(void **state)
{
    struct gd_world_options options = {.seed = 3};
    struct gd_world *world = connected(&options);

    (void)state;
    gd_world_crash(world, 0, GD_WORLD_KILL);
    drive_for(world, 20);
    assert_int_equal(here.end_count, 1);
    gd_world_start(world, 0);
    drive_connect(world, 2, "10.0.0.1:700", &here);
    drive_for(world, 20);
    assert_int_equal(here.connect_err, GD_ERR_REFUSED);
    gd_world_free(world);

    world = connected(&options);
    gd_world_crash(world, 0, GD_WORLD_POWER_LOSS);
    assert_int_equal(drive_send(&here, "x", 1), GD_OK);
    drive_for(world, 60000);
    assert_int_equal(here.end_count, 0); /* Half open. */
    gd_world_start(world, 0);
    drive_for(world, 300);
    assert_int_equal(here.end_count, 1);
    assert_int_equal(here.end_err, GD_ERR_RESET);
    assert_int_equal(drive_send(&here, "x", 1), GD_ERR_RESET);
    drive_close(&here);
    drive_for(world, 1);
    assert_true(here.closed);
    gd_world_free(world);
}

static void test_net_broken_streams(void **state)
{
    struct gd_world_options options = {.seed = 4, .link = gd_world_link_defaults()};
    struct gd_world *world = connected(&options);

    (void)state;
    assert_int_equal(gd_world_break_streams(world, 0, 2, GD_WORLD_RESET), 0);
    assert_int_equal(gd_world_break_streams(world, 0, 1, GD_WORLD_HALF_OPEN), 1);
    drive_for(world, 1000);
    assert_int_equal(there.end_err, GD_ERR_RESET);
    assert_int_equal(here.end_count, 0);
    assert_int_equal(drive_send(&here, "x", 1), GD_OK);
    drive_for(world, 20);
    assert_int_equal(here.end_err, GD_ERR_RESET);
    gd_world_free(world);

    options.link.timeout = 5000 * GD_NS_PER_MS;
    world = connected(&options);
    assert_int_equal(gd_world_break_streams(world, 0, GD_WORLD_ALL, GD_WORLD_BLACK_HOLE), 1);
    assert_int_equal(drive_send(&here, "x", 1), GD_OK);
    drive_for(world, 4000);
    assert_int_equal(here.end_count, 0);
    drive_for(world, 2000);
    assert_int_equal(here.end_err, GD_ERR_TIMEOUT);
    assert_int_equal(there.end_count, 0);
    gd_world_free(world);
}

/* A stream's own patience is shorter than the link's, and rules the connect, too. */
static void test_net_patience(void **state)
{
    struct gd_world_options options = {.seed = 4, .link = gd_world_link_defaults()};
    struct gd_world *world;

    (void)state;
    options.link.timeout = 15000 * GD_NS_PER_MS;
    drive_patience_ns = 2000 * GD_NS_PER_MS;
    world = connected(&options);
    assert_int_equal(gd_world_break_streams(world, 0, GD_WORLD_ALL, GD_WORLD_BLACK_HOLE), 1);
    drive_for(world, 4000);
    assert_int_equal(here.end_count, 0); /* Nothing was sent that could go unanswered. */
    assert_int_equal(drive_send(&here, "x", 1), GD_OK);
    drive_for(world, 1500);
    assert_int_equal(here.end_count, 0);
    drive_for(world, 1000);
    assert_int_equal(here.end_err, GD_ERR_TIMEOUT);
    gd_world_free(world);

    world = drive_world(&options, 3);
    drive_listen(world, 0, 700, &server, &there);
    gd_world_cut(world, GD_WORLD_ALL, 0, true);
    drive_connect(world, 1, "10.0.0.1:700", &here);
    drive_patience_ns = 0;
    drive_for(world, 1500);
    assert_false(here.connect_told);
    drive_for(world, 1000);
    assert_int_equal(here.connect_err, GD_ERR_TIMEOUT);
    gd_world_free(world);
}

/* The window fills, the rest queues up, the bound of a caller has something to look at. */
static void test_net_back_pressure_of_a_paused_peer(void **state)
{
    static uint8_t data[400000];
    struct gd_world_options options = {.seed = 5, .link = gd_world_link_defaults()};
    struct gd_world *world;

    (void)state;
    options.link.window_size = 100000;
    world = connected(&options);
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7 + i / 255);
    }
    gd_world_pause(world, 0);
    assert_int_equal(drive_send(&here, data, sizeof data), GD_OK);
    drive_for(world, 1000);
    assert_int_equal(gd_stream_queued(&here.stream), 300000);
    assert_int_equal(gd_world_bytes_queued(world, 1, 0), 300000);
    assert_int_equal(there.got_size, 0);
    gd_world_resume(world, 0);
    drive_for(world, 1000);
    assert_int_equal(there.got_size, sizeof data);
    assert_memory_equal(there.got, data, sizeof data);
    assert_int_equal(here.write_ok, 1);
    gd_world_free(world);
}

/* ---------------------------------------------------------------- frames */

static bool wants(void *context, uint32_t from, uint32_t to, uint16_t port)
{
    (void)context;
    (void)from;
    (void)to;
    return port == 700;
}

static size_t frame_size(void *context, struct gd_slice bytes)
{
    (void)context;
    if (bytes.size < 4) {
        return 0;
    }
    size_t size = 4 + (size_t)gd_get_le32(bytes.data);
    return size <= bytes.size ? size : 0;
}

struct shown {
    unsigned count;
    bool in_order;
};

/* Each frame once, whole, in the order in which it was written, whatever becomes of it. */
static void frame_sent(void *context, uint32_t from, uint32_t to, struct gd_slice frame)
{
    struct shown *shown = context;
    bool next = from != to && frame.size == 4 + (size_t)gd_get_le32(frame.data) &&
                gd_get_le32(frame.data + 4) == shown->count;
    shown->in_order = shown->in_order && next;
    shown->count++;
}

/* W4: under drops, doubles and delays the stream is still one of whole frames. */
static void test_net_frames_stay_whole(void **state)
{
    static uint8_t data[200][600];
    struct shown shown = {.in_order = true};
    struct gd_world_options options = {
        .seed = 6,
        .link = gd_world_link_defaults(),
        .framer = {.context = &shown, .wants = wants, .size = frame_size, .sent = frame_sent}};
    unsigned seen[200] = {0}, out_of_order = 0, lost = 0, twice = 0;
    uint32_t last = 0;
    size_t at = 0;

    (void)state;
    options.link.drop_ppm = options.link.duplicate_ppm = options.link.reorder_ppm = 150000;
    options.link.fragment_ppm = options.link.coalesce_ppm = 300000;
    struct gd_world *world = connected(&options);
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t size = 4 + i * 13 % 500;

        gd_put_le32(data[i], size);
        gd_put_le32(data[i] + 4, i);
        memset(data[i] + 8, (int)i, size - 4);
        /* In two parts, which no frame's end divides. */
        assert_int_equal(drive_send(&here, data[i], 3), GD_OK);
        drive_for(world, 1);
        assert_int_equal(drive_send(&here, data[i] + 3, size + 1), GD_OK);
        drive_for(world, 1);
    }
    drive_for(world, 1000);
    while (at < there.got_size) {
        uint32_t size = gd_get_le32(there.got + at), i = gd_get_le32(there.got + at + 4);

        assert_true(i < 200);
        assert_memory_equal(there.got + at, data[i], size + 4);
        seen[i]++;
        out_of_order += i < last;
        last = i;
        at += size + 4;
    }
    assert_int_equal(at, there.got_size);
    assert_int_equal(shown.count, 200);
    assert_true(shown.in_order);
    assert_int_equal(seen[0], 1); /* Spared. */
    for (size_t i = 0; i < 200; i++) {
        lost += seen[i] == 0;
        twice += seen[i] > 1;
    }
    assert_int_equal(lost, gd_world_counter(world, GD_WORLD_COUNT_DROPPED));
    assert_int_equal(twice, gd_world_counter(world, GD_WORLD_COUNT_DUPLICATED));
    assert_true(lost > 10 && twice > 10 && out_of_order > 10);
    gd_world_free(world);
}

/* A frame larger than the window still passes. */
static void test_net_frame_larger_than_the_window(void **state)
{
    static uint8_t data[500004];
    struct gd_world_options options = {.seed = 7,
                                       .link = gd_world_link_defaults(),
                                       .framer = {.wants = wants, .size = frame_size}};

    (void)state;
    options.link.window_size = 10000;
    struct gd_world *world = connected(&options);
    gd_put_le32(data, 500000);
    assert_int_equal(drive_send(&here, data, sizeof data), GD_OK);
    assert_int_equal(drive_send(&here, data, sizeof data), GD_OK);
    drive_for(world, 1000);
    assert_int_equal(there.got_size, 2 * sizeof data);
    gd_world_free(world);
}

/* ---------------------------------------------------------------- many faults at once */

/* N1 under every fault of plain streams: what arrives is a prefix of what was sent. */
static void test_net_bytes_are_a_prefix(void **state)
{
    static uint8_t data[100000];
    unsigned whole = 0, cut_short = 0;

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 31 + i / 251);
    }
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct gd_world_options options = {.seed = seed, .link = gd_world_link_defaults()};
        struct gd_prng prng;
        size_t sent = 0;

        options.link.window_size = 3000;
        options.link.bandwidth = 10000000;
        struct gd_world *world = connected(&options);
        options.link.fragment_ppm = options.link.coalesce_ppm = 200000;
        options.link.stall_ppm = 50000;
        options.link.stall_max = 100 * GD_NS_PER_MS;
        options.link.reset_ppm = 10000;
        gd_world_set_link(world, GD_WORLD_ALL, GD_WORLD_ALL, &options.link);
        gd_prng_init(&prng, seed);
        for (unsigned i = 0; i < 100 && sent < sizeof data; i++) {
            size_t size = (size_t)gd_prng_between(&prng, 1, 1000);

            if (drive_send(&here, data + sent, size) != GD_OK) {
                break;
            }
            sent += size;
            gd_world_cut(world, 1, 0, gd_prng_chance(&prng, 1, 4));
            drive_for(world, gd_prng_below(&prng, 30));
        }
        gd_world_heal(world);
        drive_for(world, 10000);
        assert_true(there.got_size <= sent);
        assert_memory_equal(there.got, data, there.got_size);
        *(there.got_size == sent ? &whole : &cut_short) += 1;
        assert_true(there.got_size == sent || here.end_count + there.end_count > 0);
        gd_world_free(world);
    }
    assert_true(whole > 10 && cut_short > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_net_cut_and_heal),
        cmocka_unit_test(test_net_connect_through_a_cut),
        cmocka_unit_test(test_net_peer_crashes),
        cmocka_unit_test(test_net_patience),
        cmocka_unit_test(test_net_broken_streams),
        cmocka_unit_test(test_net_back_pressure_of_a_paused_peer),
        cmocka_unit_test(test_net_frames_stay_whole),
        cmocka_unit_test(test_net_frame_larger_than_the_window),
        cmocka_unit_test(test_net_bytes_are_a_prefix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
