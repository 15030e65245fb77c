/* The write-ahead log: what is told as stored is there after any crash, and damage is noticed. */
#include "engine/memory.h"
#include "engine/test/fake_disk.h"
#include "engine/test/test.h"
#include "engine/wal.h"
#include <stdio.h>
#include <stdlib.h>

#define MODEL_MAX 4096

/* All that one log has been told and has told, over any number of starts. */
struct model {
    struct fake_disk disk;
    struct gd_wal *wal;
    uint64_t plan; /* State of the generator of steps. */

    /* What recovery said. */
    bool opened;
    enum gd_err opened_err;
    struct gd_error error;
    bool empty;
    struct gd_wal_identity identity;
    struct gd_hard_state hard_state;
    struct gd_snapshot_meta snapshot;
    struct gd_position before;
    struct gd_position entries[MODEL_MAX]; /* By place. */
    uint64_t sizes[MODEL_MAX];
    size_t entry_count;
    uint64_t cut_size;

    bool started;
    enum gd_err started_err;
    uint64_t stored;
    struct gd_position stored_last;
    unsigned stored_calls, failed_calls;
};

static void on_opened(void *context, enum gd_err err, const struct gd_wal_recovered *recovered,
                      const struct gd_error *error)
{
    struct model *m = context;

    m->opened = true;
    m->opened_err = err;
    if (err != GD_OK) {
        m->error = *error;
        return;
    }
    m->empty = recovered->empty;
    m->identity = recovered->identity;
    m->hard_state = recovered->hard_state;
    m->snapshot = recovered->snapshot;
    m->before = recovered->before;
    m->entry_count = recovered->entry_count;
    m->cut_size = recovered->cut_size;
    for (size_t i = 0; i < recovered->entry_count; i++) {
        m->entries[i] = recovered->entries[i]->position;
        m->sizes[i] = recovered->entries[i]->size;
        for (size_t k = 0; k < recovered->entries[i]->size; k++) {
            assert_int_equal(recovered->entries[i]->data[k],
                             (uint8_t)(m->entries[i].index * 7 + m->entries[i].term));
        }
    }
}

static void on_started(void *context, enum gd_err err, const struct gd_error *error)
{
    struct model *m = context;

    m->started = true;
    m->started_err = err;
    if (err != GD_OK) {
        m->error = *error;
    }
}

static void on_stored(void *context, uint64_t sequence, struct gd_position last)
{
    struct model *m = context;

    assert_true(sequence > m->stored);
    m->stored = sequence;
    m->stored_last = last;
    m->stored_calls++;
}

static void on_failed(void *context, const struct gd_error *error)
{
    struct model *m = context;

    m->failed_calls++;
    m->error = *error;
}

static void on_closed(void *context)
{
    struct model *m = context;

    gd_wal_free(m->wal);
    m->wal = NULL;
}

static void model_new(struct model *m)
{
    struct gd_wal_options options = {.io = &m->disk.io,
                                     .directory = "wal",
                                     .segment_size = 32768,
                                     .batch_size_max = 6000,
                                     .stored = on_stored,
                                     .failed = on_failed,
                                     .context = m};
    m->opened = m->started = false;
    m->stored = 0;
    m->stored_calls = m->failed_calls = 0;
    m->wal = gd_wal_new(&options);
}

static void model_open(struct model *m)
{
    model_new(m);
    gd_wal_open(m->wal, on_opened, m);
    fake_run(&m->disk);
}

static void model_start(struct model *m)
{
    struct gd_wal_identity identity = {7, 3, m->empty ? 1 : m->identity.boot + 1};

    gd_wal_start(m->wal, &identity, &m->hard_state, &m->snapshot, on_started, m);
    fake_run(&m->disk);
}

static void model_init(struct model *m, uint64_t seed)
{
    memset(m, 0, sizeof *m);
    fake_init(&m->disk, seed);
    m->empty = true;
}

static void model_close(struct model *m)
{
    gd_wal_close(m->wal, on_closed, m);
    fake_run(&m->disk);
    assert_null(m->wal);
    assert_int_equal(fake_heap(), 0);
}

static struct gd_entry *entry_make(struct gd_position position, size_t size)
{
    struct gd_entry *entry = gd_entry_new(GD_ENTRY_REQUEST, NULL, size);

    entry->position = position;
    entry->stamp_ms = (int64_t)position.index;
    memset(entry->data, (uint8_t)(position.index * 7 + position.term), size);
    return entry;
}

/* Append `count` entries behind `after`. */
static void model_append(struct model *m, uint64_t sequence, struct gd_position after, size_t count,
                         size_t size)
{
    struct gd_entry *entries[64];
    struct gd_raft_persist persist = {
        .sequence = sequence, .entries = entries, .entry_count = count};

    for (size_t i = 0; i < count; i++) {
        entries[i] = entry_make((struct gd_position){after.term, after.index + 1 + i}, size);
    }
    gd_wal_append(m->wal, &persist);
    for (size_t i = 0; i < count; i++) {
        gd_entry_drop(entries[i]);
    }
}

/* Entries of several segments come back, in order, after a close. */
static void test_wal_roundtrip(void **state)
{
    static struct model m;

    (void)state;
    model_init(&m, 1);
    model_open(&m);
    assert_true(m.opened);
    assert_int_equal(m.opened_err, GD_OK);
    assert_true(m.empty);
    model_start(&m);
    assert_true(m.started);
    for (uint64_t i = 0; i < 40; i++) {
        model_append(&m, i + 1, (struct gd_position){1, i * 5}, 5, 300);
    }
    fake_run(&m.disk);
    assert_int_equal(m.stored, 40);
    assert_int_equal(m.stored_last.index, 200);
    model_close(&m);
    model_open(&m);
    assert_int_equal(m.opened_err, GD_OK);
    assert_false(m.empty);
    assert_int_equal(m.entry_count, 200);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(m.entries[i].index, i + 1);
    }
    model_close(&m);
    fake_release(&m.disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_roundtrip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
