/* The simulated disk: what a crash keeps, loses and tears; every fault of disk.c and store.c. */
#include "io-sim/test/drive.h"
#include <string.h>

#define SIZE 8192 /* Of the file in the random test. */

static struct gd_world *one_process(uint64_t seed)
{
    struct gd_world_options options = {.seed = seed, .disk = gd_world_disk_defaults()};

    options.disk.torn_ppm = 300000;
    return drive_world(&options, 1);
}

static void power_cycle(struct gd_world *world)
{
    if (gd_world_running(world, 0)) {
        gd_world_crash(world, 0, GD_WORLD_POWER_LOSS);
    }
    gd_world_start(world, 0);
}

/* A synced file with a synced name, open. */
static void make_file(struct gd_world *world, const char *path, const void *data, size_t size,
                      struct gd_file *file)
{
    assert_int_equal(drive_open(world, 0, path, GD_DISK_CREATE, file), GD_OK);
    assert_int_equal(drive_put(world, 0, GD_DISK_WRITE, file, 0, data, size), GD_OK);
    assert_int_equal(drive_file(world, 0, GD_DISK_SYNC, file, 0), GD_OK);
    assert_int_equal(drive_path(world, 0, GD_DISK_SYNC_DIRECTORY, "", NULL), GD_OK);
}

static uint64_t size_of(struct gd_world *world, const char *path)
{
    uint64_t size = 0;

    assert_true(gd_world_file_size(world, 0, GD_WORLD_CACHED, path, &size));
    return size;
}

/* ---------------------------------------------------------------- D1, X2 */

/* A model beside the disk: what the medium surely has, and what was written since. */
struct model {
    uint8_t durable[SIZE], now[SIZE];
};

static void random_step(struct gd_world *world, struct gd_file *file, struct model *model,
                        struct gd_prng *prng)
{
    uint8_t data[1500];
    uint64_t offset = gd_prng_below(prng, SIZE - sizeof data);
    size_t size = (size_t)gd_prng_between(prng, 1, sizeof data);

    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)gd_prng_next(prng);
    }
    switch (gd_prng_below(prng, 6)) {
    case 0:
        assert_int_equal(drive_file(world, 0, GD_DISK_SYNC, file, 0), GD_OK);
        memcpy(model->durable, model->now, SIZE);
        break;
    case 1: /* The sectors it touches are durable as a whole. */
        assert_int_equal(drive_put(world, 0, GD_DISK_WRITE_DURABLE, file, offset, data, size),
                         GD_OK);
        memcpy(model->now + offset, data, size);
        memcpy(model->durable + offset, data, size);
        for (uint64_t at = offset / GD_SECTOR_SIZE * GD_SECTOR_SIZE; at < offset + size;
             at += GD_SECTOR_SIZE) {
            memcpy(model->durable + at, model->now + at, GD_SECTOR_SIZE);
        }
        break;
    default:
        assert_int_equal(drive_put(world, 0, GD_DISK_WRITE, file, offset, data, size), GD_OK);
        memcpy(model->now + offset, data, size);
    }
}

/* D1 and X2: after a power loss each sector is as it was synced, as it was written, or a mix. */
static void test_disk_power_loss_by_sectors(void **state)
{
    static struct model model;
    static uint8_t got[SIZE];
    uint64_t kept = 0, lost = 0, torn = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct gd_world *world = one_process(seed);
        struct gd_file file;
        struct gd_prng prng;

        gd_prng_init(&prng, seed);
        memset(&model, 0, sizeof model);
        make_file(world, "file", model.now, SIZE, &file);
        for (int boot = 0; boot < 6; boot++) {
            uint64_t steps = gd_prng_below(&prng, 12);

            for (uint64_t i = 0; i < steps; i++) {
                random_step(world, &file, &model, &prng);
            }
            assert_int_equal(gd_world_file_read(world, 0, GD_WORLD_DURABLE, "file", 0, got, SIZE),
                             SIZE);
            assert_memory_equal(got, model.durable, SIZE);
            power_cycle(world);
            assert_int_equal(gd_world_file_read(world, 0, GD_WORLD_CACHED, "file", 0, got, SIZE),
                             SIZE);
            for (size_t i = 0; i < SIZE; i++) {
                assert_true(got[i] == model.durable[i] || got[i] == model.now[i]);
            }
            memcpy(model.now, got, SIZE);
            memcpy(model.durable, got, SIZE);
            assert_int_equal(drive_open(world, 0, "file", 0, &file), GD_OK);
        }
        kept += gd_world_counter(world, GD_WORLD_COUNT_SECTORS_KEPT);
        lost += gd_world_counter(world, GD_WORLD_COUNT_SECTORS_LOST);
        torn += gd_world_counter(world, GD_WORLD_COUNT_SECTORS_TORN);
        gd_world_free(world);
    }
    assert_true(kept > 100 && lost > 100 && torn > 100);
}

/* A killed process loses nothing that was written: the machine goes on. */
static void test_disk_kill_keeps_the_cache(void **state)
{
    struct gd_world *world = one_process(3);
    struct gd_file file;
    char got[8];

    (void)state;
    assert_int_equal(drive_open(world, 0, "file", GD_DISK_CREATE, &file), GD_OK);
    assert_int_equal(drive_put(world, 0, GD_DISK_WRITE, &file, 0, "unsynced", 8), GD_OK);
    assert_null(gd_world_file_next(world, 0, GD_WORLD_DURABLE, NULL));
    gd_world_crash(world, 0, GD_WORLD_KILL);
    gd_world_start(world, 0);
    assert_string_equal(gd_world_file_next(world, 0, GD_WORLD_CACHED, NULL), "file");
    assert_int_equal(gd_world_file_read(world, 0, GD_WORLD_CACHED, "file", 0, got, 8), 8);
    assert_memory_equal(got, "unsynced", 8);
    gd_world_free(world);
}

/* D1: a write that completes after the sync was submitted need not be covered by it. */
static void ignore(struct gd_disk_op *op, enum gd_err err)
{
    assert_int_equal(err, GD_OK);
    *(bool *)op->context = true;
}
static void test_disk_sync_covers_what_came_before(void **state)
{
    unsigned covered = 0, left = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct gd_world *world = one_process(seed);
        static uint8_t ones[GD_SECTOR_SIZE], zeros[2 * GD_SECTOR_SIZE], got[GD_SECTOR_SIZE];
        struct gd_file file;
        bool synced = false, written = false;

        memset(ones, 1, sizeof ones);
        make_file(world, "file", zeros, sizeof zeros, &file);
        assert_int_equal(drive_put(world, 0, GD_DISK_WRITE, &file, 0, ones, sizeof ones), GD_OK);
        struct gd_disk_op sync = {
            .kind = GD_DISK_SYNC, .file = &file, .done = ignore, .context = &synced};
        struct gd_disk_op write = {.kind = GD_DISK_WRITE,
                                   .file = &file,
                                   .offset = GD_SECTOR_SIZE,
                                   .data = ones,
                                   .size = sizeof ones,
                                   .done = ignore,
                                   .context = &written};
        assert_int_equal(gd_disk_submit(gd_world_enter(world, 0), &sync), GD_OK);
        assert_int_equal(gd_disk_submit(gd_world_io(world, 0), &write), GD_OK);
        gd_world_leave(world);
        while (!synced) {
            assert_true(gd_world_step(world));
        }
        (void)gd_world_file_read(world, 0, GD_WORLD_DURABLE, "file", 0, got, sizeof got);
        assert_memory_equal(got, ones, sizeof got);
        (void)gd_world_file_read(world, 0, GD_WORLD_DURABLE, "file", GD_SECTOR_SIZE, got,
                                 sizeof got);
        *(got[0] == 1 ? &covered : &left) += 1;
        gd_world_free(world);
    }
    assert_int_equal(covered, 0); /* The least that D1 promises. */
    assert_int_equal(left, 40);
}

/* Truncation and preallocation, synced or not; what was cut off never comes back behind the end. */
static void test_disk_sizes(void **state)
{
    uint8_t text[4096], got[8192];
    unsigned old = 0, new = 0;

    (void)state;
    memset(text, 'x', sizeof text);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct gd_world *world = one_process(seed);
        struct gd_file file;

        make_file(world, "file", text, sizeof text, &file);
        assert_int_equal(drive_file(world, 0, GD_DISK_TRUNCATE, &file, 100), GD_OK);
        power_cycle(world);
        uint64_t size = size_of(world, "file");
        assert_true(size == 100 || size == sizeof text);
        *(size == 100 ? &new : &old) += 1;
        assert_int_equal(drive_open(world, 0, "file", 0, &file), GD_OK);
        assert_int_equal(drive_file(world, 0, GD_DISK_TRUNCATE, &file, 100), GD_OK);
        assert_int_equal(drive_file(world, 0, GD_DISK_PREALLOCATE, &file, 8192), GD_OK);
        assert_int_equal(drive_file(world, 0, GD_DISK_SYNC, &file, 0), GD_OK);
        power_cycle(world);
        assert_int_equal(size_of(world, "file"), 8192);
        (void)gd_world_file_read(world, 0, GD_WORLD_CACHED, "file", 0, got, 8192);
        assert_memory_equal(got, text, 100);
        for (size_t i = 100; i < 8192; i++) {
            assert_int_equal(got[i], 0);
        }
        gd_world_free(world);
    }
    assert_true(old > 5 && new > 5);
}

/* ---------------------------------------------------------------- D2 */

static void test_disk_names_each_on_their_own(void **state)
{
    unsigned both = 0, neither = 0, moved = 0, back = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 80; seed++) {
        struct gd_world *world = one_process(seed);
        struct gd_file file;
        uint64_t size;

        make_file(world, "a", "a", 1, &file);
        assert_int_equal(drive_path(world, 0, GD_DISK_RENAME, "a", "b"), GD_OK);
        power_cycle(world);
        bool a = gd_world_file_size(world, 0, GD_WORLD_CACHED, "a", &size);
        bool b = gd_world_file_size(world, 0, GD_WORLD_CACHED, "b", &size);
        *(a ? b ? &both : &back : b ? &moved : &neither) += 1;
        gd_world_free(world);
    }
    assert_true(both > 5 && neither > 5 && moved > 5 && back > 5);
}

/* A folder that holds a durable name is there after a crash, although its own is not synced. */
static void test_disk_folder_of_a_durable_name_stays(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct gd_world *world = one_process(seed);
        struct gd_file file;

        assert_int_equal(drive_path(world, 0, GD_DISK_MAKE_DIRECTORY, "wal", NULL), GD_OK);
        assert_int_equal(drive_open(world, 0, "wal/1", GD_DISK_CREATE, &file), GD_OK);
        assert_int_equal(drive_path(world, 0, GD_DISK_SYNC_DIRECTORY, "wal", NULL), GD_OK);
        assert_int_equal(drive_open(world, 0, "wal/2", GD_DISK_CREATE, &file), GD_OK);
        power_cycle(world);
        assert_int_equal(drive_open(world, 0, "wal/1", 0, &file), GD_OK);
        gd_world_free(world);
    }
}

/* ---------------------------------------------------------------- X4 */

/* After a failed sync no later one makes the lost bytes durable, though the cache may show them. */
static void test_disk_failed_sync_is_final(void **state)
{
    unsigned shown = 0, lost = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct gd_world *world = one_process(seed);
        uint8_t zeros[GD_SECTOR_SIZE] = {0}, ones[GD_SECTOR_SIZE], got[GD_SECTOR_SIZE];
        struct gd_file file;

        memset(ones, 1, sizeof ones);
        make_file(world, "file", zeros, sizeof zeros, &file);
        assert_int_equal(drive_put(world, 0, GD_DISK_WRITE, &file, 0, ones, sizeof ones), GD_OK);
        gd_world_fail_at(world, 0, GD_DISK_SYNC, 1, GD_ERR_IO);
        assert_int_equal(drive_file(world, 0, GD_DISK_SYNC, &file, 0), GD_ERR_IO);
        assert_false(gd_world_fail_pending(world, 0));
        assert_int_equal(gd_world_disk_errors(world, 0), 1);
        assert_int_equal(drive_file(world, 0, GD_DISK_SYNC, &file, 0), GD_OK);
        (void)gd_world_file_read(world, 0, GD_WORLD_CACHED, "file", 0, got, sizeof got);
        bool cached = got[0] == 1;
        (void)gd_world_file_read(world, 0, GD_WORLD_DURABLE, "file", 0, got, sizeof got);
        bool durable = got[0] == 1;
        shown += cached && !durable;
        lost += !durable;
        power_cycle(world);
        (void)gd_world_file_read(world, 0, GD_WORLD_CACHED, "file", 0, got, sizeof got);
        assert_int_equal(got[0] == 1, durable);
        gd_world_free(world);
    }
    assert_true(shown > 5 && lost > 15 && lost < 45);
}

/* ---------------------------------------------------------------- uneven disks */

/* How long one operation takes. */
static gd_time_ns timed(struct gd_world *world, enum gd_disk_kind kind, struct gd_file *file)
{
    static uint8_t data[GD_SECTOR_SIZE];
    gd_time_ns before = gd_world_now(world);

    if (kind == GD_DISK_SYNC) {
        assert_int_equal(drive_file(world, 0, kind, file, 0), GD_OK);
    } else {
        assert_int_equal(drive_put(world, 0, kind, file, 0, data, sizeof data), GD_OK);
    }
    return gd_world_now(world) - before;
}

/* A disk is slow at some kinds of operations, each time, and not at others; what reads never is. */
static void test_disk_uneven(void **state)
{
    static const enum gd_disk_kind kinds[] = {GD_DISK_WRITE, GD_DISK_WRITE_DURABLE, GD_DISK_SYNC,
                                              GD_DISK_READ};
    gd_time_ns once = GD_NS_PER_MS;
    unsigned slow = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct gd_world *world = one_process(seed);
        struct gd_world_disk_options disk = gd_world_disk(world, 0);
        struct gd_file file;

        disk.latency_min = disk.latency_max = disk.sync_min = disk.sync_max = once;
        disk.uneven = 16;
        gd_world_set_disk(world, 0, &disk);
        assert_int_equal(drive_open(world, 0, "file", GD_DISK_CREATE, &file), GD_OK);
        for (size_t i = 0; i < GD_COUNT(kinds); i++) {
            gd_time_ns took = timed(world, kinds[i], &file);
            assert_true(took >= once && took <= 16 * once);
            assert_int_equal(timed(world, kinds[i], &file), took);
            assert_true(kinds[i] != GD_DISK_READ || took == once);
            slow += took > once;
        }
        gd_world_free(world);
    }
    assert_true(slow > 15 && slow < 60);
}

/* ---------------------------------------------------------------- crash points */

static void test_disk_crash_points(void **state)
{
    static uint8_t zeros[16 * GD_SECTOR_SIZE], ones[16 * GD_SECTOR_SIZE], got[sizeof zeros];
    unsigned partly = 0;

    (void)state;
    memset(ones, 1, sizeof ones);
    for (uint64_t seed = 1; seed <= 30; seed++) {
        for (int when = GD_WORLD_BEFORE; when <= GD_WORLD_AFTER; when++) {
            struct gd_world *world = one_process(seed);
            struct gd_file file;
            unsigned count = 0;

            make_file(world, "file", zeros, sizeof zeros, &file);
            gd_world_crash_at(world, 0, GD_DISK_WRITE_DURABLE, 2, (enum gd_world_when)when,
                              GD_WORLD_POWER_LOSS);
            assert_int_equal(drive_put(world, 0, GD_DISK_WRITE_DURABLE, &file, 0, zeros, 512),
                             GD_OK);
            assert_true(gd_world_crash_pending(world, 0));
            assert_int_equal(
                drive_put(world, 0, GD_DISK_WRITE_DURABLE, &file, 0, ones, sizeof ones),
                GD_ERR_STOPPED);
            assert_false(gd_world_crash_pending(world, 0));
            assert_false(gd_world_running(world, 0));
            (void)gd_world_file_read(world, 0, GD_WORLD_CACHED, "file", 0, got, sizeof got);
            for (size_t i = 0; i < 16; i++) {
                count += got[i * GD_SECTOR_SIZE] == 1;
            }
            if (when == GD_WORLD_BEFORE) {
                assert_int_equal(count, 0);
            } else if (when == GD_WORLD_AFTER) {
                assert_int_equal(count, 16);
            } else {
                partly += count > 0 && count < 16;
            }
            assert_int_equal(gd_world_counter(world, GD_WORLD_COUNT_CRASH_POINTS), 1);
            gd_world_free(world);
        }
    }
    assert_true(partly > 20);
}

/* ---------------------------------------------------------------- damage */

static void test_disk_rot_and_misdirection(void **state)
{
    struct gd_world *world = one_process(9);
    static uint8_t zeros[8 * GD_SECTOR_SIZE], ones[GD_SECTOR_SIZE], got[sizeof zeros];
    struct gd_file file;
    unsigned bits = 0, sectors = 0;

    (void)state;
    memset(ones, 0xff, sizeof ones);
    make_file(world, "file", zeros, sizeof zeros, &file);
    assert_false(gd_world_rot(world, 0, "absent", 0, 10, 1));
    assert_false(gd_world_rot(world, 0, "file", sizeof zeros, 10, 1));
    assert_true(gd_world_rot(world, 0, "file", 1000, 100, 1));
    power_cycle(world);
    (void)gd_world_file_read(world, 0, GD_WORLD_CACHED, "file", 0, got, sizeof got);
    for (size_t i = 0; i < sizeof got; i++) {
        if (got[i] != 0) {
            assert_true(i >= 1000 && i < 1100);
            bits += (unsigned)__builtin_popcount(got[i]);
        }
    }
    assert_int_equal(bits, 1);
    assert_int_equal(drive_open(world, 0, "file", 0, &file), GD_OK);
    assert_int_equal(drive_put(world, 0, GD_DISK_WRITE_DURABLE, &file, 0, zeros, sizeof zeros),
                     GD_OK);
    gd_world_misdirect_at(world, 0, 1);
    assert_int_equal(drive_put(world, 0, GD_DISK_WRITE_DURABLE, &file, 1024, ones, sizeof ones),
                     GD_OK);
    (void)gd_world_file_read(world, 0, GD_WORLD_DURABLE, "file", 0, got, sizeof got);
    for (size_t i = 0; i < 8; i++) {
        sectors += got[i * GD_SECTOR_SIZE] == 0xff;
    }
    assert_int_equal(sectors, 1);
    assert_int_equal(got[1024], 0);
    assert_int_equal(drive_put(world, 0, GD_DISK_WRITE_DURABLE, &file, 1024, ones, sizeof ones),
                     GD_OK);
    (void)gd_world_file_read(world, 0, GD_WORLD_DURABLE, "file", 1024, got, 1);
    assert_int_equal(got[0], 0xff);
    gd_world_free(world);
}

/* A lie is of one sector and of one read: what is stored is whole, and the next read shows it. */
static void test_disk_lies_once(void **state)
{
    static uint8_t data[16 * GD_SECTOR_SIZE], got[sizeof data];
    unsigned lied = 0;

    (void)state;
    for (size_t i = 0; i < 10 * GD_SECTOR_SIZE; i++) {
        data[i] = (uint8_t)(1 + i / GD_SECTOR_SIZE);
    }
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct gd_world *world = one_process(seed);
        struct gd_file file;
        struct gd_disk_op read = {
            .kind = GD_DISK_READ, .file = &file, .offset = 100, .data = got, .size = 6000};
        size_t first = sizeof got, last = 0;

        make_file(world, "file", data, sizeof data, &file);
        gd_world_lie_at(world, 0, 2);
        for (unsigned i = 1; i <= 3; i++) {
            assert_int_equal(drive_op(world, 0, &read), GD_OK);
            assert_true(i == 2 || memcmp(got, data + 100, 6000) == 0);
            for (size_t at = 0; i == 2 && at < 6000; at++) {
                if (got[at] != data[100 + at]) {
                    first = at < first ? at : first;
                    last = at;
                }
            }
        }
        lied += first <= last;
        assert_true(first > last ||
                    (first + 100) / GD_SECTOR_SIZE == (last + 100) / GD_SECTOR_SIZE);
        gd_world_free(world);
    }
    assert_in_range(lied, 30, 50); /* Another sector may hold the same. */
}

/* A file that is lost is gone in both views, and its neighbours are there. */
static void test_disk_lost_file(void **state)
{
    struct gd_world *world = one_process(10);
    static uint8_t bytes[1000];
    struct gd_file file;
    uint64_t size;

    (void)state;
    make_file(world, "lost", bytes, sizeof bytes, &file);
    make_file(world, "kept", bytes, sizeof bytes, &file);
    power_cycle(world);
    assert_false(gd_world_lose(world, 0, "absent"));
    assert_true(gd_world_lose(world, 0, "lost"));
    assert_false(gd_world_lose(world, 0, "lost"));
    assert_false(gd_world_file_size(world, 0, GD_WORLD_CACHED, "lost", &size));
    assert_false(gd_world_file_size(world, 0, GD_WORLD_DURABLE, "lost", &size));
    power_cycle(world);
    assert_int_equal(drive_open(world, 0, "lost", 0, &file), GD_ERR_NOT_FOUND);
    assert_true(gd_world_file_size(world, 0, GD_WORLD_DURABLE, "kept", &size));
    assert_int_equal(size, sizeof bytes);
    gd_world_free(world);
}

static void test_disk_chances(void **state)
{
    struct gd_world *world = one_process(10);
    struct gd_world_disk_options options = gd_world_disk(world, 0);
    static uint8_t data[8 * GD_SECTOR_SIZE], got[GD_SECTOR_SIZE];
    struct gd_file file;
    unsigned errors[3] = {0};

    (void)state;
    make_file(world, "file", data, sizeof data, &file);
    options.read_error_ppm = options.write_error_ppm = options.sync_error_ppm = 200000;
    options.rot_ppm = options.misread_ppm = options.misdirected_ppm = 200000;
    gd_world_set_disk(world, 0, &options);
    for (unsigned i = 0; i < 300; i++) {
        struct gd_disk_op read = {
            .kind = GD_DISK_READ, .file = &file, .data = got, .size = sizeof got};

        errors[0] += drive_op(world, 0, &read) == GD_ERR_IO;
        errors[1] += drive_put(world, 0, GD_DISK_WRITE, &file, 512, data, 512) == GD_ERR_IO;
        errors[2] += drive_file(world, 0, GD_DISK_SYNC, &file, 0) == GD_ERR_IO;
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_in_range(errors[i], 30, 90);
    }
    assert_in_range(gd_world_counter(world, GD_WORLD_COUNT_ROTTEN_BITS), 20, 90);
    assert_in_range(gd_world_counter(world, GD_WORLD_COUNT_MISREADS), 20, 90);
    assert_in_range(gd_world_counter(world, GD_WORLD_COUNT_MISDIRECTED), 20, 90);
    gd_world_free(world);
}

static void test_disk_wipe_and_quota(void **state)
{
    struct gd_world *world = one_process(11);
    struct gd_world_disk_options options = gd_world_disk(world, 0);
    static uint8_t data[65536];
    struct gd_file file;

    (void)state;
    options.quota_size = 65536;
    gd_world_set_disk(world, 0, &options);
    make_file(world, "file", data, 40000, &file);
    assert_int_equal(gd_world_disk_used(world, 0), 40960);
    assert_int_equal(drive_put(world, 0, GD_DISK_WRITE, &file, 40000, data, 40000),
                     GD_ERR_NO_SPACE);
    assert_int_equal(drive_put(world, 0, GD_DISK_WRITE, &file, 0, data, 40000), GD_OK);
    assert_int_equal(drive_file(world, 0, GD_DISK_CLOSE, &file, 0), GD_OK);
    assert_int_equal(drive_path(world, 0, GD_DISK_UNLINK, "file", NULL), GD_OK);
    assert_int_equal(drive_path(world, 0, GD_DISK_SYNC_DIRECTORY, "", NULL), GD_OK);
    assert_int_equal(gd_world_disk_used(world, 0), 0);
    make_file(world, "other", data, 10, &file);
    gd_world_crash(world, 0, GD_WORLD_POWER_LOSS);
    gd_world_wipe(world, 0);
    gd_world_start(world, 0);
    assert_null(gd_world_file_next(world, 0, GD_WORLD_CACHED, NULL));
    gd_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk_power_loss_by_sectors),
        cmocka_unit_test(test_disk_kill_keeps_the_cache),
        cmocka_unit_test(test_disk_sync_covers_what_came_before),
        cmocka_unit_test(test_disk_sizes),
        cmocka_unit_test(test_disk_names_each_on_their_own),
        cmocka_unit_test(test_disk_folder_of_a_durable_name_stays),
        cmocka_unit_test(test_disk_failed_sync_is_final),
        cmocka_unit_test(test_disk_crash_points),
        cmocka_unit_test(test_disk_rot_and_misdirection),
        cmocka_unit_test(test_disk_uneven),
        cmocka_unit_test(test_disk_lies_once),
        cmocka_unit_test(test_disk_lost_file),
        cmocka_unit_test(test_disk_chances),
        cmocka_unit_test(test_disk_wipe_and_quota),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
