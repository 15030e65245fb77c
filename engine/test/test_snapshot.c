/* The snapshot store: a file is whole and durable, or not there; transfers go on where they were.
 */
#include "engine/memory.h"
#include "engine/snapshot.h"
#include "engine/snapshot_format.h"
#include "engine/test/fake_disk.h"
#include "engine/test/test.h"
#include <stdio.h>
#include <stdlib.h>

/* One store and what it last answered. */
struct model {
    struct fake_disk disk;
    struct gd_snapshot_store *store;
    unsigned calls;
    enum gd_err err;
    struct gd_error error;
    uint64_t offset;
    struct gd_slice bytes;
    size_t raw_size;
    bool closed;
};

static void on_done(void *context, enum gd_err err, const struct gd_error *error)
{
    struct model *m = context;

    m->calls++;
    m->err = err;
    if (error != NULL) {
        m->error = *error;
    }
}

static void on_read(void *context, enum gd_err err, struct gd_slice bytes,
                    const struct gd_error *error)
{
    struct model *m = context;

    on_done(context, err, error);
    m->bytes = bytes;
}

static void on_progress(void *context, enum gd_err err, uint64_t offset)
{
    struct model *m = context;

    on_done(context, err, NULL);
    m->offset = offset;
}

static void on_raw(struct gd_snapshot_chunk_read *read, enum gd_err err, size_t size)
{
    struct model *m = read->context;

    on_done(m, err, NULL);
    m->raw_size = size;
}

static void on_closed(void *context)
{
    struct model *m = context;

    gd_snapshot_store_free(m->store);
    m->store = NULL;
}

/* Run until the answer is there (true), or the crash. */
static bool answered(struct model *m)
{
    unsigned before = m->calls;

    while (m->calls == before && fake_step(&m->disk)) {
    }
    return m->calls > before;
}

static bool store_open(struct model *m)
{
    m->store = gd_snapshot_store_new(&m->disk.io, "snapshot");
    gd_snapshot_store_open(m->store, on_done, m);
    return answered(m);
}

static void store_close(struct model *m)
{
    gd_snapshot_store_close(m->store, on_closed, m);
    fake_run(&m->disk);
    assert_null(m->store);
    assert_int_equal(fake_heap(), 0);
}

static void model_init(struct model *m, uint64_t seed)
{
    memset(m, 0, sizeof *m);
    fake_init(&m->disk, seed);
}

static uint8_t body_byte(uint64_t index, uint64_t at)
{
    return (uint8_t)(index * 31 + at * 7 + (at >> 8) * 3);
}

static struct gd_snapshot_meta meta_at(uint64_t index)
{
    struct gd_snapshot_meta meta = {.position = {1 + index / 10, index}, .stamp_ms = 5};
    struct gd_member member = {.id = 1, .roles = GD_MEMBER_VOTER};

    (void)snprintf(member.address.text, sizeof member.address.text, "127.0.0.1:9000");
    assert_int_equal(gd_config_put(&meta.config, &member), GD_OK);
    return meta;
}

/* Write one of `size` bytes at `index`, in pieces. False: the crash came. */
static bool snapshot_write(struct model *m, uint64_t index, size_t size)
{
    struct gd_snapshot_meta meta = meta_at(index);
    static uint8_t piece[100000];
    size_t done = 0;

    gd_snapshot_write_begin(m->store, &meta, on_done, m);
    if (!answered(m)) {
        return false;
    }
    while (m->err == GD_OK && done < size) {
        size_t now = size - done < sizeof piece ? size - done : sizeof piece;
        for (size_t i = 0; i < now; i++) {
            piece[i] = body_byte(index, done + i);
        }
        gd_snapshot_write(m->store, (struct gd_slice){piece, now}, on_done, m);
        if (!answered(m)) {
            return false;
        }
        done += now;
    }
    if (m->err == GD_OK) {
        gd_snapshot_write_end(m->store, on_done, m);
        return answered(m);
    }
    return true;
}

/* GD_OK and the body is right, or what the reader said. */
static enum gd_err snapshot_read(struct model *m, unsigned nth, size_t size)
{
    uint64_t index = gd_snapshot_store_get(m->store, nth)->position.index;
    size_t done = 0;

    gd_snapshot_read_begin(m->store, nth, on_done, m);
    assert_true(answered(m));
    while (m->err == GD_OK) {
        gd_snapshot_read(m->store, on_read, m);
        assert_true(answered(m));
        if (m->err != GD_OK || m->bytes.size == 0) {
            break;
        }
        for (size_t i = 0; i < m->bytes.size; i++) {
            if (m->bytes.data[i] != body_byte(index, done + i)) {
                fail_msg("wrong byte at %zu", done + i);
            }
        }
        done += m->bytes.size;
    }
    gd_snapshot_read_end(m->store);
    if (m->err == GD_OK) {
        assert_int_equal(done, size);
    }
    return m->err;
}

/* Three are written; two stay, and read back. */
static void test_snapshot_roundtrip(void **state)
{
    static struct model m;

    (void)state;
    model_init(&m, 1);
    m.disk.short_reads = true;
    assert_true(store_open(&m));
    assert_int_equal(m.err, GD_OK);
    assert_null(gd_snapshot_store_get(m.store, 0));
    for (uint64_t i = 1; i <= 3; i++) {
        assert_true(snapshot_write(&m, i * 10, (size_t)i * 150000));
        assert_int_equal(m.err, GD_OK);
    }
    fake_run(&m.disk);
    store_close(&m);
    assert_true(store_open(&m));
    assert_int_equal(gd_snapshot_store_get(m.store, 0)->position.index, 30);
    assert_int_equal(gd_snapshot_store_get(m.store, 1)->position.index, 20);
    assert_null(gd_snapshot_store_get(m.store, 2));
    assert_int_equal(snapshot_read(&m, 0, 450000), GD_OK);
    assert_int_equal(snapshot_read(&m, 1, 300000), GD_OK);
    store_close(&m);
    fake_release(&m.disk);
}

/* Send the newest of `from` to `to` by chunks. False: the crash came. */
static bool transfer(struct model *from, struct model *to, size_t chunk_size, uint64_t stop_at)
{
    struct gd_snapshot_meta meta = *gd_snapshot_store_get(from->store, 0);
    static uint8_t chunk[300000];
    uint64_t offset = 0;

    while (offset < meta.size && offset < stop_at) {
        struct gd_snapshot_chunk_read read = {.position = meta.position,
                                              .offset = offset,
                                              .to = chunk,
                                              .size = chunk_size,
                                              .done = on_raw,
                                              .context = from};
        gd_snapshot_chunk_read(from->store, &read);
        assert_true(answered(from));
        assert_int_equal(from->err, GD_OK);
        gd_snapshot_receive(to->store, meta.position, meta.size, offset,
                            (struct gd_slice){chunk, from->raw_size}, on_progress, to);
        if (!answered(to)) {
            return false;
        }
        assert_int_equal(to->err, GD_OK);
        assert_true(to->offset != offset);
        offset = to->offset;
    }
    if (offset == meta.size) {
        gd_snapshot_receive_end(to->store, on_done, to);
        return answered(to);
    }
    return true;
}

static void test_snapshot_transfer_resumes(void **state)
{
    static struct model a, b;

    (void)state;
    model_init(&a, 1);
    model_init(&b, 2);
    a.disk.short_reads = true;
    assert_true(store_open(&a));
    assert_true(store_open(&b));
    assert_true(snapshot_write(&a, 10, 900000));
    assert_true(transfer(&a, &b, 40000, 500000));
    gd_snapshot_store_close(b.store, on_closed, &b);
    fake_run(&b.disk);
    assert_true(store_open(&b));
    assert_true(transfer(&a, &b, 40000, UINT64_MAX));
    assert_int_equal(b.err, GD_OK);
    assert_int_equal(snapshot_read(&b, 0, 900000), GD_OK);
    gd_snapshot_store_close(b.store, on_closed, &b);
    fake_run(&b.disk);
    store_close(&a);
    fake_release(&a.disk);
    fake_release(&b.disk);
}

/* A large one is synced on the way, on both sides; a failure of that sync is told. */
static void test_snapshot_large_ones_are_synced_on_the_way(void **state)
{
    static struct model a, b;
    const size_t size = 20 * 1000 * 1000;

    (void)state;
    model_init(&a, 1);
    model_init(&b, 2);
    assert_true(store_open(&a));
    assert_true(store_open(&b));
    a.disk.fail_kind = b.disk.fail_kind = GD_DISK_SYNC;
    a.disk.fail_err = GD_ERR_IO;
    assert_true(snapshot_write(&a, 10, size));
    assert_int_equal(a.err, GD_ERR_IO);
    assert_true(snapshot_write(&a, 10, size));
    assert_int_equal(a.err, GD_OK);
    assert_true(transfer(&a, &b, 250000, 8 * 1000 * 1000));
    b.disk.fail_err = GD_ERR_IO;
    while (b.err == GD_OK) {
        static uint8_t chunk[250000];
        const struct gd_snapshot_meta *meta = gd_snapshot_store_get(a.store, 0);
        gd_snapshot_receive(b.store, meta->position, meta->size, b.offset,
                            (struct gd_slice){chunk, sizeof chunk}, on_progress, &b);
        assert_true(answered(&b));
    }
    assert_int_equal(b.err, GD_ERR_IO);
    assert_int_equal(b.offset, 0);
    fake_run(&b.disk);
    assert_true(transfer(&a, &b, 250000, UINT64_MAX));
    assert_int_equal(b.err, GD_OK);
    assert_int_equal(snapshot_read(&b, 0, size), GD_OK);
    gd_snapshot_store_close(b.store, on_closed, &b);
    fake_run(&b.disk);
    store_close(&a);
    fake_release(&a.disk);
    fake_release(&b.disk);
}

/* ---------------------------------------------------------------- crashes */

/* Reboot, open, and check: `durable` snapshots that were told must be there, whole. */
static unsigned check_after_crash(struct model *m, unsigned least, uint64_t told, uint64_t begun,
                                  size_t size)
{
    const struct gd_snapshot_meta *newest;
    unsigned nth;

    fake_reboot(&m->disk);
    assert_true(store_open(m));
    assert_int_equal(m->err, GD_OK);
    fake_run(&m->disk);
    newest = gd_snapshot_store_get(m->store, 0);
    if (told > 0) {
        assert_non_null(newest);
        assert_true(newest->position.index >= told);
    }
    for (nth = 0; gd_snapshot_store_get(m->store, nth) != NULL; nth++) {
        assert_true(gd_snapshot_store_get(m->store, nth)->position.index <= begun);
        assert_int_equal(snapshot_read(m, nth, size), GD_OK);
    }
    assert_true(nth >= least); /* S2 */
    fake_run(&m->disk);
    for (size_t i = 0; i < m->disk.name_count; i++) { /* No leftovers. */
        assert_true(m->disk.names[i].now < 0 || strstr(m->disk.names[i].path, ".tmp") == NULL);
    }
    return nth;
}

/* Five snapshots, written one after the other, the process crashing at step `at`. The first life's
 * number of steps. */
static uint64_t explore_write(struct model *m, uint64_t seed, uint64_t at, enum fake_crash how)
{
    uint64_t told = 0, begun = 0, steps;
    unsigned least = 0;

    model_init(m, seed);
    m->disk.crash_at = at;
    m->disk.crash = how;
    if (store_open(m)) {
        for (uint64_t index = 10; index <= 50; index += 10) {
            begun = index;
            if (!snapshot_write(m, index, 200000)) {
                break;
            }
            assert_int_equal(m->err, GD_OK);
            told = index;
            least = least < 2 ? least + 1 : 2;
        }
        fake_run(&m->disk);
    }
    steps = m->disk.steps;
    m->disk.random ^= at * 7 + how;
    m->disk.kill = at % 3 == 0;
    least = check_after_crash(m, least, told, begun, 200000);
    m->disk.crash_at = m->disk.steps + fake_random(&m->disk, 25);
    m->disk.crash = FAKE_HALF; /* And once more, on the way to the next. */
    begun = begun + 10;
    if (snapshot_write(m, begun, 200000)) {
        fake_run(&m->disk);
        told = begun;
        least = least < 2 ? least + 1 : 2;
    }
    m->disk.kill = false;
    (void)check_after_crash(m, least, told, begun, 200000);
    store_close(m);
    fake_release(&m->disk);
    return steps;
}

/* S1, S2, S3. */
static void test_snapshot_write_survives_a_crash_anywhere(void **state)
{
    static struct model m;
    uint64_t points = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        uint64_t steps = explore_write(&m, seed, UINT64_MAX, FAKE_NONE);

        for (uint64_t i = 1; i < 20; i++) { /* The power fails behind the last step. */
            (void)explore_write(&m, seed, UINT64_MAX - i, FAKE_NONE);
        }
        for (uint64_t at = 0; at < steps; at++) {
            for (int how = FAKE_BEFORE; how <= FAKE_AFTER; how++) {
                (void)explore_write(&m, seed, at, (enum fake_crash)how);
                points++;
            }
        }
    }
    print_message("%llu crash points\n", (unsigned long long)points);
}

/* Give the file to `m` by chunks. False: the crash came. */
static bool receive_all(struct model *m, const struct gd_bytes *file)
{
    const struct gd_position position = meta_at(10).position;
    uint64_t offset = 0;

    while (offset < file->size) {
        size_t size = file->size - offset < 50000 ? (size_t)(file->size - offset) : 50000;
        gd_snapshot_receive(m->store, position, file->size, offset,
                            (struct gd_slice){file->data + offset, size}, on_progress, m);
        if (!answered(m)) {
            return false;
        }
        assert_int_equal(m->err, GD_OK);
        offset = m->offset;
    }
    gd_snapshot_receive_end(m->store, on_done, m);
    return answered(m);
}

/* The same, when something may fail: goes on after an error, a few times. */
static bool receive_all_or_fail(struct model *m, const struct gd_bytes *file)
{
    const struct gd_position position = meta_at(10).position;
    unsigned tries = 0;

    for (m->offset = 0; m->offset < file->size && tries < 100; tries++) {
        size_t left = (size_t)(file->size - m->offset);
        gd_snapshot_receive(m->store, position, file->size, m->offset,
                            (struct gd_slice){file->data + m->offset, left < 50000 ? left : 50000},
                            on_progress, m);
        if (!answered(m)) {
            return false;
        }
    }
    gd_snapshot_receive_end(m->store, on_done, m);
    return answered(m);
}

static uint64_t explore_receive(const struct gd_bytes *file, uint64_t at, enum fake_crash how)
{
    static struct model m;
    bool whole = false;
    uint64_t steps;

    model_init(&m, at);
    m.disk.crash_at = at;
    m.disk.crash = how;
    m.disk.short_reads = at % 2 == 0;
    if (store_open(&m)) {
        whole = receive_all(&m, file);
        fake_run(&m.disk);
    }
    steps = m.disk.steps;
    m.disk.kill = at % 3 == 0;
    fake_reboot(&m.disk);
    assert_true(store_open(&m));
    assert_int_equal(m.err, GD_OK);
    if (whole) {
        assert_non_null(gd_snapshot_store_get(m.store, 0));
    }
    if (gd_snapshot_store_get(m.store, 0) == NULL) {
        assert_true(receive_all(&m, file));
        assert_int_equal(m.err, GD_OK);
    }
    assert_int_equal(snapshot_read(&m, 0, 600000), GD_OK);
    store_close(&m);
    fake_release(&m.disk);
    return steps;
}

/* The bytes of a snapshot's file, in the test's own memory. */
static struct gd_bytes file_of_snapshot(struct model *m, size_t size)
{
    struct gd_bytes file;
    const struct fake_inode *inode;
    char path[64];

    model_init(m, 1);
    assert_true(store_open(m));
    assert_true(snapshot_write(m, 10, size));
    fake_run(&m->disk);
    store_close(m);
    (void)snprintf(path, sizeof path, "snapshot/%016x-%016x.snap", 2, 10);
    inode = fake_file(&m->disk, path);
    assert_non_null(inode);
    file = (struct gd_bytes){malloc((size_t)inode->now_size), (size_t)inode->now_size, 0};
    memcpy(file.data, inode->now, file.size);
    fake_release(&m->disk);
    return file;
}

/* A receiver that crashes anywhere goes on, and ends with the same file. */
static void test_snapshot_receive_survives_a_crash_anywhere(void **state)
{
    static struct model m;
    struct gd_bytes file = file_of_snapshot(&m, 600000);
    uint64_t points = 0, steps = explore_receive(&file, UINT64_MAX, FAKE_NONE);

    (void)state;
    for (uint64_t i = 1; i < 40; i++) { /* The power fails behind the last step. */
        (void)explore_receive(&file, UINT64_MAX - i, FAKE_NONE);
    }
    for (uint64_t at = 0; at < steps; at++) {
        for (int how = FAKE_BEFORE; how <= FAKE_AFTER; how++) {
            (void)explore_receive(&file, at, (enum fake_crash)how);
            points++;
        }
    }
    free(file.data);
    print_message("%llu crash points\n", (unsigned long long)points);
}

/* ---------------------------------------------------------------- damage */

/* Every byte of a file matters: one flipped bit is noticed at open, or while it is read. */
static void test_snapshot_notices_every_flipped_bit(void **state)
{
    static struct model m;
    struct gd_bytes file = file_of_snapshot(&m, 3000);

    (void)state;
    for (size_t at = 0; at < file.size; at++) {
        struct fake_inode *inode;

        model_init(&m, at);
        assert_true(store_open(&m));
        assert_true(snapshot_write(&m, 10, 3000));
        fake_run(&m.disk);
        store_close(&m);
        inode = fake_file(&m.disk, "snapshot/0000000000000002-000000000000000a.snap");
        inode->now[at] ^= (uint8_t)(1u << at % 8);
        assert_true(store_open(&m));
        assert_int_equal(m.err, GD_OK);
        if (gd_snapshot_store_get(m.store, 0) != NULL) {
            assert_int_equal(snapshot_read(&m, 0, 3000), GD_ERR_CORRUPT);
            assert_non_null(strstr(m.error.text, "000000000000000a.snap: damaged at offset"));
        } else {
            assert_non_null(strstr(m.disk.log, "passed over"));
        }
        store_close(&m);
        fake_release(&m.disk);
    }
    free(file.data);
}

/* A read that lies once costs nothing, at open or while the body is read. */
static void test_snapshot_reads_again_what_looks_bad(void **state)
{
    static struct model m;

    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        model_init(&m, seed);
        assert_true(store_open(&m));
        assert_true(snapshot_write(&m, 10, 3000));
        fake_run(&m.disk);
        store_close(&m);
        m.disk.lies = seed % 4 < 2 ? 1 : 0;
        m.disk.lie_tail = seed % 2 == 1;
        assert_true(store_open(&m));
        assert_non_null(gd_snapshot_store_get(m.store, 0));
        m.disk.lies = 1;
        assert_int_equal(snapshot_read(&m, 0, 3000), GD_OK);
        assert_int_equal(m.disk.lies, 0);
        store_close(&m);
        fake_release(&m.disk);
    }
}

/* A transfer that was changed on the way is dropped, and the next one goes through. */
static void test_snapshot_receive_refuses_a_changed_file(void **state)
{
    static struct model m;
    struct gd_bytes file = file_of_snapshot(&m, 300000);

    (void)state;
    for (size_t at = 5; at < file.size; at += 9973) {
        model_init(&m, at);
        assert_true(store_open(&m));
        file.data[at] ^= 4;
        assert_true(receive_all(&m, &file));
        assert_int_equal(m.err, GD_ERR_CORRUPT);
        assert_null(gd_snapshot_store_get(m.store, 0));
        file.data[at] ^= 4;
        assert_true(receive_all(&m, &file));
        assert_int_equal(m.err, GD_OK);
        assert_int_equal(snapshot_read(&m, 0, 300000), GD_OK);
        store_close(&m);
        fake_release(&m.disk);
    }
    free(file.data);
}

/* A transfer of another snapshot takes the place of the one before; a file that is cut short or
 * longer than its end is refused. */
static void test_snapshot_receive_of_another_position(void **state)
{
    static struct model m;
    struct gd_bytes file = file_of_snapshot(&m, 300000);
    uint8_t junk[1000] = {1};

    (void)state;
    model_init(&m, 4);
    assert_true(store_open(&m));
    gd_snapshot_receive(m.store, (struct gd_position){1, 7}, 5000, 0,
                        (struct gd_slice){junk, sizeof junk}, on_progress, &m);
    assert_true(answered(&m));
    assert_int_equal(m.offset, 1000);
    gd_snapshot_receive(m.store, (struct gd_position){1, 7}, 5000, 3000,
                        (struct gd_slice){junk, sizeof junk}, on_progress, &m);
    assert_true(answered(&m)); /* Out of order: told where it goes on. */
    assert_int_equal(m.offset, 1000);
    gd_snapshot_receive_end(m.store, on_done, &m);
    assert_true(answered(&m));
    assert_int_equal(m.err, GD_ERR_MORE);
    file.size--;
    assert_true(receive_all(&m, &file));
    assert_int_equal(m.err, GD_ERR_CORRUPT);
    file.size++;
    assert_true(receive_all(&m, &file));
    assert_int_equal(m.err, GD_OK);
    fake_run(&m.disk);
    assert_null(fake_file(&m.disk, "snapshot/0000000000000001-0000000000000007.part"));
    assert_int_equal(snapshot_read(&m, 0, 300000), GD_OK);
    store_close(&m);
    fake_release(&m.disk);
    free(file.data);
}

/* A file is read by a peer while two newer ones push it out: it stays readable. */
static void test_snapshot_stays_readable_while_it_is_read(void **state)
{
    static struct model m;
    static uint8_t chunk[100000];
    uint64_t offset = 0;
    struct gd_snapshot_meta meta;

    (void)state;
    model_init(&m, 9);
    assert_true(store_open(&m));
    assert_true(snapshot_write(&m, 10, 450000));
    meta = *gd_snapshot_store_get(m.store, 0);
    while (offset < meta.size) {
        struct gd_snapshot_chunk_read read = {.position = meta.position,
                                              .offset = offset,
                                              .to = chunk,
                                              .size = sizeof chunk,
                                              .done = on_raw,
                                              .context = &m};
        gd_snapshot_chunk_read(m.store, &read);
        assert_true(answered(&m));
        assert_int_equal(m.err, GD_OK);
        offset += m.raw_size;
        if (offset == 200000 || offset == 300000) {
            assert_true(snapshot_write(&m, offset / 10000, 100));
            for (int i = 0; i < 10 && m.disk.queue_count > 0; i++) {
                (void)fake_step(&m.disk);
            }
        }
    }
    assert_int_equal(offset, meta.size);
    assert_null(fake_file(&m.disk, "snapshot/0000000000000002-000000000000000a.snap"));
    store_close(&m);
    fake_release(&m.disk);
}

/* Reads of what is not there, and a restore that is given up at any moment. */
static void test_snapshot_reads_given_up(void **state)
{
    static struct model m;
    uint8_t byte;
    struct gd_snapshot_chunk_read read = {
        .position = {9, 9}, .to = &byte, .size = 1, .done = on_raw, .context = &m};

    (void)state;
    for (uint64_t at = 0; at < 12; at++) {
        model_init(&m, at);
        assert_true(store_open(&m));
        gd_snapshot_chunk_read(m.store, &read);
        assert_true(answered(&m));
        assert_int_equal(m.err, GD_ERR_NOT_FOUND);
        assert_true(snapshot_write(&m, 10, 500000));
        gd_snapshot_read_begin(m.store, 0, on_done, &m);
        if (at >= 6) {
            assert_true(answered(&m));
            gd_snapshot_read(m.store, on_read, &m);
        }
        for (uint64_t i = 0; i < at % 6; i++) {
            (void)fake_step(&m.disk);
        }
        gd_snapshot_read_end(m.store);
        fake_run(&m.disk);
        assert_int_equal(snapshot_read(&m, 0, 500000), GD_OK);
        store_close(&m);
        fake_release(&m.disk);
    }
}

/* A full disk and a failed sync are told, leave nothing, and the next one goes through. */
static void test_snapshot_write_failures(void **state)
{
    static const struct {
        const char *name;
        enum gd_disk_kind kind;
        enum gd_err err;
    } cases[] = {
        {"no space to write", GD_DISK_WRITE, GD_ERR_NO_SPACE},
        {"no space to open", GD_DISK_OPEN, GD_ERR_NO_SPACE},
        {"failed sync", GD_DISK_SYNC, GD_ERR_IO},
        {"failed rename", GD_DISK_RENAME, GD_ERR_IO},
        {"failed sync of the directory", GD_DISK_SYNC_DIRECTORY, GD_ERR_IO},
    };
    static struct model m;

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        print_message("case: %s\n", cases[i].name);
        model_init(&m, i);
        assert_true(store_open(&m));
        m.disk.fail_kind = cases[i].kind;
        m.disk.fail_err = cases[i].err;
        assert_true(snapshot_write(&m, 10, 300000));
        assert_int_equal(m.err, cases[i].err);
        fake_run(&m.disk);
        assert_null(gd_snapshot_store_get(m.store, 0));
        assert_true(snapshot_write(&m, 10, 300000));
        assert_int_equal(m.err, GD_OK);
        assert_int_equal(snapshot_read(&m, 0, 300000), GD_OK);
        gd_snapshot_write_abort(m.store); /* Harmless: none is being written. */
        store_close(&m);
        fake_release(&m.disk);
    }
}

/* Closing at any moment gives everything back and answers nothing more. */
static void test_snapshot_close_at_any_moment(void **state)
{
    static struct model m;

    (void)state;
    for (uint64_t at = 0; at < 60; at++) {
        struct gd_snapshot_meta meta = meta_at(20);
        struct gd_snapshot_chunk_read read = {.position = {2, 10}, .done = on_raw, .context = &m};
        static uint8_t chunk[1000];
        unsigned calls;

        model_init(&m, at);
        assert_true(store_open(&m));
        assert_true(snapshot_write(&m, 10, 300000));
        read.to = chunk;
        read.size = sizeof chunk;
        gd_snapshot_chunk_read(m.store, &read);
        gd_snapshot_write_begin(m.store, &meta, on_done, &m);
        gd_snapshot_receive(m.store, (struct gd_position){3, 30}, 5000, 0,
                            (struct gd_slice){chunk, sizeof chunk}, on_progress, &m);
        gd_snapshot_read_begin(m.store, 0, on_done, &m);
        for (uint64_t i = 0; i < at % 15; i++) {
            (void)fake_step(&m.disk);
        }
        calls = m.calls;
        store_close(&m);
        assert_int_equal(m.calls, calls);
        fake_release(&m.disk);
    }
}

/* An operation that fails, whichever it is: every call is still answered, and what was told is
 * there at the next open. */
static void test_snapshot_survives_any_failed_operation(void **state)
{
    static struct model m;
    struct gd_bytes file = file_of_snapshot(&m, 300000);

    (void)state;
    for (uint64_t at = 1; at < 90; at++) {
        uint64_t told = 0;

        model_init(&m, at);
        m.disk.fail_at = at;
        for (int life = 0; life < 2; life++) {
            assert_true(store_open(&m));
            assert_true(m.err == GD_OK || m.err == GD_ERR_IO);
            if (m.err == GD_OK && gd_snapshot_store_get(m.store, 0) == NULL) {
                assert_int_equal(told, 0);
            }
            if (m.err == GD_OK) {
                assert_true(receive_all_or_fail(&m, &file));
                assert_true(snapshot_write(&m, 20 + (uint64_t)life * 10, 200000));
                if (m.err == GD_OK) {
                    told = 20 + (uint64_t)life * 10;
                }
                fake_run(&m.disk);
                for (unsigned nth = 0; gd_snapshot_store_get(m.store, nth) != NULL; nth++) {
                    uint64_t index = gd_snapshot_store_get(m.store, nth)->position.index;
                    enum gd_err err = snapshot_read(&m, nth, index == 10 ? 300000 : 200000);
                    assert_true(err == GD_OK || err == GD_ERR_IO);
                }
            }
            gd_snapshot_store_close(m.store, on_closed, &m);
            fake_run(&m.disk);
            assert_null(m.store);
            assert_int_equal(fake_heap(), 0);
        }
        fake_release(&m.disk);
    }
    free(file.data);
}

/* What was forgotten is not there, its file goes with the next durable snapshot, and a snapshot of
 * the same position takes its place. */
static void test_snapshot_forgotten(void **state)
{
    static struct model m;

    (void)state;
    for (uint64_t next = 20; next <= 30; next += 10) {
        model_init(&m, 3);
        assert_true(store_open(&m));
        assert_true(snapshot_write(&m, 10, 1000));
        assert_true(snapshot_write(&m, 20, 1000));
        gd_snapshot_store_forget(m.store);
        assert_int_equal(gd_snapshot_store_get(m.store, 0)->position.index, 10);
        assert_null(gd_snapshot_store_get(m.store, 1));
        assert_true(snapshot_write(&m, next, 1000));
        store_close(&m);
        assert_true(store_open(&m));
        assert_int_equal(gd_snapshot_store_get(m.store, 0)->position.index, next);
        assert_int_equal(gd_snapshot_store_get(m.store, 1)->position.index, 10);
        store_close(&m);
        fake_release(&m.disk);
    }
}

/* A file that the disk fails to give, at any read of the open, is told apart from a damaged one and
 * is there at the next open. */
static void test_snapshot_unreadable_is_not_damaged(void **state)
{
    static struct model m;
    static const enum gd_disk_kind kinds[] = {GD_DISK_OPEN, GD_DISK_SIZE, GD_DISK_READ};
    struct fake_inode *file;

    (void)state;
    model_init(&m, 3);
    assert_true(store_open(&m));
    assert_int_equal(gd_snapshot_store_unreadable(m.store).index, 0);
    assert_true(snapshot_write(&m, 10, 1000));
    store_close(&m);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        m.disk.fail_kind = kinds[i];
        m.disk.fail_err = GD_ERR_IO;
        assert_true(store_open(&m));
        assert_int_equal(m.err, GD_OK);
        assert_null(gd_snapshot_store_get(m.store, 0));
        assert_int_equal(gd_snapshot_store_unreadable(m.store).index, 10);
        store_close(&m);
        assert_true(store_open(&m));
        assert_non_null(gd_snapshot_store_get(m.store, 0));
        assert_int_equal(gd_snapshot_store_unreadable(m.store).index, 0);
        store_close(&m);
    }
    file = fake_file(&m.disk, "snapshot/0000000000000002-000000000000000a.snap");
    assert_non_null(file);
    file->now[3] ^= 1;
    assert_true(store_open(&m));
    assert_null(gd_snapshot_store_get(m.store, 0));
    assert_int_equal(gd_snapshot_store_unreadable(m.store).index, 0);
    store_close(&m);
    fake_release(&m.disk);
}

/* The process is killed when a snapshot has its name, whose sync may have failed. Then a start
 * vouches for it, and crashes in the midst. Was it there after that? */
static bool explore_vouch(struct model *m, bool synced, uint64_t at, enum fake_crash how)
{
    bool vouched, there;

    model_init(m, at * 3 + how);
    assert_true(store_open(m));
    assert_true(snapshot_write(m, 10, 300000));
    m->disk.fail_kind = GD_DISK_SYNC_DIRECTORY;
    m->disk.fail_err = synced ? GD_OK : GD_ERR_IO;
    assert_true(snapshot_write(m, 20, 300000));
    m->disk.kill = true;
    fake_reboot(&m->disk);
    m->disk.kill = false;
    assert_true(store_open(m));
    assert_int_equal(gd_snapshot_store_get(m->store, 0)->position.index, 20);
    m->disk.crash_at = m->disk.steps + at;
    m->disk.crash = how;
    gd_snapshot_store_vouch(m->store, 10, on_done, m);
    vouched = answered(m);
    fake_run(&m->disk);
    fake_reboot(&m->disk);
    assert_true(store_open(m));
    assert_non_null(gd_snapshot_store_get(m->store, 0));
    there = gd_snapshot_store_get(m->store, 0)->position.index == 20;
    assert_true(there || (!vouched && !synced));
    for (unsigned nth = 0; gd_snapshot_store_get(m->store, nth) != NULL; nth++) {
        assert_int_equal(snapshot_read(m, nth, 300000), GD_OK);
    }
    store_close(m);
    fake_release(&m->disk);
    return there;
}

/* What was vouched for stays, whatever the power does; what was durable before stays at each point
 * of that. */
static void test_snapshot_vouched_for(void **state)
{
    static struct model m;
    bool gone = false;

    (void)state;
    for (uint64_t at = 0; at < 40; at++) {
        for (int how = FAKE_BEFORE; how <= FAKE_AFTER; how++) {
            (void)explore_vouch(&m, true, at, (enum fake_crash)how);
            gone = !explore_vouch(&m, false, at, (enum fake_crash)how) || gone;
        }
    }
    assert_true(gone); /* Otherwise nothing was tried. */
}

/* A disk that lies while the copy is read spoils nothing, and a snapshot that is bad stays as bad
 * as it was. */
static void test_snapshot_vouched_for_over_lies(void **state)
{
    static struct model m;
    struct fake_inode *file;

    (void)state;
    for (unsigned lies = 0; lies < 12; lies++) {
        model_init(&m, lies);
        assert_true(store_open(&m));
        assert_true(snapshot_write(&m, 10, 300000));
        m.disk.lies = lies;
        gd_snapshot_store_vouch(m.store, 0, on_done, &m);
        assert_true(answered(&m));
        assert_int_equal(m.err, GD_OK);
        m.disk.lies = 0;
        assert_int_equal(snapshot_read(&m, 0, 300000), GD_OK);
        store_close(&m);
        fake_release(&m.disk);
    }
    model_init(&m, 1);
    assert_true(store_open(&m));
    assert_true(snapshot_write(&m, 10, 300000));
    file = fake_file(&m.disk, "snapshot/0000000000000002-000000000000000a.snap");
    assert_non_null(file);
    file->now[100000] ^= 1;
    gd_snapshot_store_vouch(m.store, 0, on_done, &m);
    assert_true(answered(&m));
    assert_int_equal(m.err, GD_OK);
    assert_int_equal(snapshot_read(&m, 0, 300000), GD_ERR_CORRUPT);
    store_close(&m);
    fake_release(&m.disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_roundtrip),
        cmocka_unit_test(test_snapshot_transfer_resumes),
        cmocka_unit_test(test_snapshot_large_ones_are_synced_on_the_way),
        cmocka_unit_test(test_snapshot_write_survives_a_crash_anywhere),
        cmocka_unit_test(test_snapshot_receive_survives_a_crash_anywhere),
        cmocka_unit_test(test_snapshot_notices_every_flipped_bit),
        cmocka_unit_test(test_snapshot_reads_again_what_looks_bad),
        cmocka_unit_test(test_snapshot_receive_refuses_a_changed_file),
        cmocka_unit_test(test_snapshot_receive_of_another_position),
        cmocka_unit_test(test_snapshot_stays_readable_while_it_is_read),
        cmocka_unit_test(test_snapshot_reads_given_up),
        cmocka_unit_test(test_snapshot_write_failures),
        cmocka_unit_test(test_snapshot_close_at_any_moment),
        cmocka_unit_test(test_snapshot_survives_any_failed_operation),
        cmocka_unit_test(test_snapshot_forgotten),
        cmocka_unit_test(test_snapshot_unreadable_is_not_damaged),
        cmocka_unit_test(test_snapshot_vouched_for),
        cmocka_unit_test(test_snapshot_vouched_for_over_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
