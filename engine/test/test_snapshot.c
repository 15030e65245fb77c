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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_roundtrip),
        cmocka_unit_test(test_snapshot_transfer_resumes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
