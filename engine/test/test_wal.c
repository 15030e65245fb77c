/* The write-ahead log: what is told as stored is there after any crash, and damage is noticed. */
#include "engine/memory.h"
#include "engine/test/fake_disk.h"
#include "engine/test/test.h"
#include "engine/wal_format.h"
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
    uint64_t size;

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
    size = gd_wal_size(m.wal);
    assert_true(size > 200 * 300);
    model_close(&m);
    model_open(&m);
    assert_int_equal(m.opened_err, GD_OK);
    assert_false(m.empty);
    assert_int_equal(m.entry_count, 200);
    assert_int_equal(gd_wal_size(m.wal), size);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(m.entries[i].index, i + 1);
    }
    model_close(&m);
    fake_release(&m.disk);
}

/* ---------------------------------------------------------------- damage */

static const char *const first = "wal/0000000000000001.log";

/* Header, note, then three times a told entry and, after a while, the note behind it. */
static void three_batches(struct model *m, uint64_t seed)
{
    model_init(m, seed);
    model_open(m);
    model_start(m);
    for (uint64_t i = 0; i < 3; i++) {
        model_append(m, i + 1, (struct gd_position){1, i}, 1, 100);
        fake_run(&m->disk);
        assert_int_equal(m->stored, i + 1);
    }
    model_close(m);
}

/* Where the records are: offsets of each block that begins with one. */
static size_t record_offsets(struct model *m, uint64_t *offsets)
{
    const struct fake_inode *inode = fake_file(&m->disk, first);
    size_t count = 0;

    for (uint64_t at = 0; at + 4096 <= inode->now_size; at += 4096) {
        if (inode->now[at + 4] != 0 || inode->now[at + 8] != 0) {
            offsets[count++] = at;
        }
    }
    return count;
}

/* A flipped bit in a record that a later one vouches for is refused with its offset; in the last
 * one, a note, it is a torn tail: cut, and nothing is lost. */
static void test_wal_notices_every_flipped_bit(void **state)
{
    static struct model m;
    uint64_t offsets[16];
    size_t count;

    (void)state;
    three_batches(&m, 1);
    count = record_offsets(&m, offsets);
    assert_int_equal(count, 8);
    fake_release(&m.disk);
    for (size_t record = 0; record < count; record++) {
        size_t size = record == 0 || record % 2 == 1 ? 32 : 32 + 25 + 100;
        for (size_t byte = 0; byte < size; byte++) {
            struct fake_inode *inode;
            char text[96];

            three_batches(&m, 1);
            inode = fake_file(&m.disk, first);
            inode->now[offsets[record] + byte] ^= (uint8_t)(1u << byte % 8);
            model_open(&m);
            if (record + 1 < count) {
                (void)snprintf(text, sizeof text, "%s: damaged at offset %llu:", first,
                               (unsigned long long)offsets[record]);
                assert_int_equal(m.opened_err, GD_ERR_CORRUPT);
                assert_int_equal(strncmp(m.error.text, text, strlen(text)), 0);
            } else {
                assert_int_equal(m.opened_err, GD_OK);
                assert_int_equal(m.entry_count, 3);
                assert_true(m.cut_size > 0);
            }
            model_close(&m);
            fake_release(&m.disk);
        }
    }
}
/* What nothing vouches for yet looks torn when it is damaged: it is cut. */
static void test_wal_cuts_what_nothing_vouches_for(void **state)
{
    static struct model m;

    (void)state;
    for (size_t byte = 0; byte < 32 + 25 + 100; byte++) {
        struct fake_inode *inode;

        model_init(&m, byte);
        model_open(&m);
        model_start(&m);
        for (uint64_t i = 0; i < 3; i++) {
            model_append(&m, i + 1, (struct gd_position){1, i}, 1, 100);
            while (m.stored < i + 1) {
                assert_true(fake_step(&m.disk));
            }
        }
        model_close(&m); /* Before the note comes. */
        inode = fake_file(&m.disk, first);
        inode->now[4 * 4096 + byte] ^= 0x10;
        model_open(&m);
        assert_int_equal(m.opened_err, GD_OK);
        assert_int_equal(m.entry_count, 2);
        assert_true(m.cut_size > 0);
        model_close(&m);
        fake_release(&m.disk);
    }
}

/* Segments that are missing, exchanged, or of another version are refused by name. */
static void test_wal_refuses_wrong_segments(void **state)
{
    static const struct {
        const char *name;
        int what;
        enum gd_err want;
        const char *text;
    } cases[] = {
        {"untouched", 0, GD_OK, ""},
        {"the second is missing", 1, GD_ERR_CORRUPT, "0000000000000003.log"},
        {"the first is missing", 2, GD_ERR_CORRUPT, "0000000000000002.log"},
        {"the second's bytes in the third", 3, GD_ERR_CORRUPT, "0000000000000003.log"},
        {"the first's header is gone", 4, GD_ERR_CORRUPT, "0000000000000001.log"},
        {"the second is empty", 5, GD_ERR_CORRUPT, "0000000000000001.log"},
        {"the first is of another version", 6, GD_ERR_VERSION, "0000000000000001.log"},
    };
    static struct model m;

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct fake_inode *a, *b, *c;

        print_message("case: %s\n", cases[i].name);
        model_init(&m, 5);
        model_open(&m);
        model_start(&m);
        for (uint64_t k = 0; k < 40; k++) {
            model_append(&m, k + 1, (struct gd_position){1, k * 5}, 5, 300);
        }
        fake_run(&m.disk);
        model_close(&m);
        a = fake_file(&m.disk, "wal/0000000000000001.log");
        b = fake_file(&m.disk, "wal/0000000000000002.log");
        c = fake_file(&m.disk, "wal/0000000000000003.log");
        assert_non_null(a);
        assert_non_null(b);
        assert_non_null(c);
        for (size_t n = 0; n < m.disk.name_count; n++) {
            const char *path = m.disk.names[n].path;
            if ((cases[i].what == 1 && strstr(path, "2.log") != NULL) ||
                (cases[i].what == 2 && strstr(path, "1.log") != NULL)) {
                m.disk.names[n].now = -1;
            }
        }
        if (cases[i].what == 3) {
            memcpy(c->now, b->now, (size_t)b->now_size);
        } else if (cases[i].what == 4) {
            memset(a->now, 0, 4096);
        } else if (cases[i].what == 5) {
            b->now_size = 0;
        } else if (cases[i].what == 6) {
            uint32_t size = gd_get_le32(a->now + 4);
            gd_put_le32(a->now + 32, 2);
            gd_put_le32(a->now, gd_crc32c(0, a->now + 4, 28 + (size_t)size));
        }
        model_open(&m);
        assert_int_equal(m.opened_err, cases[i].want);
        if (cases[i].want != GD_OK) {
            assert_non_null(strstr(m.error.text, cases[i].text));
        }
        model_close(&m);
        fake_release(&m.disk);
    }
}

/* A read that lies once is read again: nothing is refused, nothing cut. */
static void test_wal_reads_again_what_looks_bad(void **state)
{
    static struct model m;

    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        three_batches(&m, seed);
        m.disk.lies = 1;
        m.disk.lie_tail = seed % 2 == 1; /* What looks like the log's end is read again, too. */
        model_open(&m);
        assert_int_equal(m.opened_err, GD_OK);
        assert_int_equal(m.entry_count, 3);
        model_close(&m);
        fake_release(&m.disk);
    }
}

/* A log that reads as if nothing had been written is no other: it would be removed. */
static void test_wal_reads_again_what_looks_empty(void **state)
{
    static struct model m;

    (void)state;
    three_batches(&m, 1);
    m.disk.lies = 1;
    m.disk.lie_zeros = true;
    model_open(&m);
    assert_int_equal(m.opened_err, GD_OK);
    assert_int_equal(m.entry_count, 3);
    model_close(&m);
    fake_release(&m.disk);
}

/* W5: a failed write is told once, and nothing is written or told any more. */
static void test_wal_fails_once(void **state)
{
    static struct model m;

    (void)state;
    model_init(&m, 3);
    model_open(&m);
    model_start(&m);
    m.disk.fail_kind = GD_DISK_WRITE_DURABLE;
    m.disk.fail_err = GD_ERR_IO;
    model_append(&m, 1, (struct gd_position){1, 0}, 2, 10);
    model_append(&m, 2, (struct gd_position){1, 2}, 2, 10);
    fake_run(&m.disk);
    assert_int_equal(m.failed_calls, 1);
    assert_int_equal(m.stored, 0);
    assert_non_null(strstr(m.error.text, first));
    model_append(&m, 3, (struct gd_position){1, 4}, 2, 10);
    fake_run(&m.disk);
    assert_int_equal(m.failed_calls, 1);
    assert_int_equal(m.stored, 0);
    model_close(&m);
    fake_release(&m.disk);
}

/* No space for the next segment: what is queued waits, and goes on when there is. */
static void test_wal_waits_for_space(void **state)
{
    static struct model m;

    (void)state;
    model_init(&m, 3);
    m.disk.space = 2 * 32768 + 1000;
    model_open(&m);
    model_start(&m);
    assert_int_equal(m.started_err, GD_OK);
    for (uint64_t k = 0; k < 60; k++) {
        model_append(&m, k + 1, (struct gd_position){1, k * 5}, 5, 300);
    }
    for (int i = 0; i < 500; i++) {
        (void)fake_step(&m.disk);
    }
    assert_true(gd_wal_full(m.wal));
    assert_true(gd_wal_queued(m.wal) > 0);
    assert_true(m.stored > 0 && m.stored < 60);
    assert_int_equal(m.failed_calls, 0);
    assert_non_null(strstr(m.disk.log, "no space"));
    m.disk.space = UINT64_MAX;
    fake_run(&m.disk);
    assert_false(gd_wal_full(m.wal));
    assert_int_equal(gd_wal_queued(m.wal), 0);
    assert_int_equal(m.stored, 60);
    model_close(&m);
    model_open(&m);
    assert_int_equal(m.entry_count, 300);
    model_close(&m);
    fake_release(&m.disk);
}

/* Without space for the first segment a start is refused, and the next one goes through. */
static void test_wal_start_without_space(void **state)
{
    static struct model m;

    (void)state;
    model_init(&m, 3);
    m.disk.space = 1000;
    model_open(&m);
    model_start(&m);
    assert_true(m.started);
    assert_int_equal(m.started_err, GD_ERR_NO_SPACE);
    model_close(&m);
    m.disk.space = UINT64_MAX;
    model_open(&m);
    assert_int_equal(m.opened_err, GD_OK);
    assert_true(m.empty);
    model_start(&m);
    assert_int_equal(m.started_err, GD_OK);
    model_close(&m);
    fake_release(&m.disk);
}

/* Closing at any moment gives everything back. */
static void test_wal_close_at_any_moment(void **state)
{
    static struct model m;

    (void)state;
    for (int at = 0; at < 120; at++) {
        struct gd_wal_identity identity = {7, 3, 1};
        bool acted = false;

        model_init(&m, (uint64_t)at);
        model_new(&m);
        gd_wal_open(m.wal, on_opened, &m);
        for (int i = 0; i < at; i++) {
            (void)fake_step(&m.disk);
            if (m.opened && !acted) {
                gd_wal_start(m.wal, &identity, &m.hard_state, &m.snapshot, on_started, &m);
                for (uint64_t k = 0; k < 40; k++) {
                    model_append(&m, k + 1, (struct gd_position){1, k * 5}, 5, 300);
                }
                acted = true;
            }
        }
        model_close(&m);
        model_open(&m);
        assert_int_equal(m.opened_err, GD_OK);
        model_close(&m);
        model_new(&m); /* And once more, while there is something to recover. */
        gd_wal_open(m.wal, on_opened, &m);
        for (int i = 0; i < at % 40; i++) {
            (void)fake_step(&m.disk);
        }
        model_close(&m);
        fake_release(&m.disk);
    }
}

/* Whatever queues while a write is in flight shares the next one. */
static void test_wal_groups_commits(void **state)
{
    static struct model m;
    uint64_t before, after, bytes;

    (void)state;
    model_init(&m, 3);
    model_open(&m);
    model_start(&m);
    gd_wal_counters(m.wal, &before, &bytes);
    for (uint64_t k = 0; k < 20; k++) {
        model_append(&m, k + 1, (struct gd_position){1, k}, 1, 50);
    }
    fake_run(&m.disk);
    gd_wal_counters(m.wal, &after, &bytes);
    assert_int_equal(after - before, 3); /* The last is the note. */
    assert_int_equal(m.stored, 20);
    model_close(&m);
    fake_release(&m.disk);
}

/* Segments that could not be removed, and a gap among them: below the mark nothing is missed, and
 * the next start removes them. */
static void test_wal_passes_over_a_gap_below_the_mark(void **state)
{
    static struct model m;
    struct gd_snapshot_meta meta = {.position = {1, 150}};

    (void)state;
    model_init(&m, 5);
    model_open(&m);
    model_start(&m);
    for (uint64_t k = 0; k < 40; k++) {
        model_append(&m, k + 1, (struct gd_position){1, k * 5}, 5, 300);
    }
    fake_run(&m.disk);
    m.disk.fail_kind = GD_DISK_UNLINK;
    m.disk.fail_err = GD_ERR_PERMISSION;
    gd_wal_snapshot(m.wal, &meta, 140);
    fake_run(&m.disk);
    assert_non_null(strstr(m.disk.log, "cannot remove"));
    assert_int_equal(m.failed_calls, 0);
    model_close(&m);
    assert_non_null(fake_file(&m.disk, "wal/0000000000000001.log"));
    for (size_t n = 0; n < m.disk.name_count; n++) {
        if (strstr(m.disk.names[n].path, "2.log") != NULL) {
            m.disk.names[n].now = -1;
        }
    }
    model_open(&m);
    assert_int_equal(m.opened_err, GD_OK);
    assert_int_equal(m.snapshot.position.index, 150);
    assert_true(m.before.index > 0 && m.before.index <= 140);
    assert_int_equal(m.before.index + m.entry_count, 200);
    model_start(&m);
    assert_null(fake_file(&m.disk, "wal/0000000000000001.log"));
    model_close(&m);
    fake_release(&m.disk);
}

/* Overwrite a run of bytes in some segment: with noise, zeros, or other bytes of the log. */
static void spoil(struct model *m, uint64_t size_max)
{
    static const char *const paths[] = {"wal/0000000000000001.log", "wal/0000000000000002.log",
                                        "wal/0000000000000003.log", "wal/0000000000000004.log"};
    struct fake_disk *disk = &m->disk;
    struct fake_inode *inode = fake_file(disk, paths[fake_random(disk, GD_COUNT(paths))]);
    struct fake_inode *from = fake_file(disk, paths[fake_random(disk, GD_COUNT(paths))]);
    uint64_t size = 1 + fake_random(disk, size_max), how = fake_random(disk, 3), at, source;

    if (inode == NULL || from == NULL || inode->now_size < size || from->now_size < size) {
        return;
    }
    at = fake_random(disk, (inode->now_size - size + 1) / GD_SECTOR_SIZE + 1) * GD_SECTOR_SIZE;
    at = at + size > inode->now_size ? inode->now_size - size : at;
    if (size_max <= GD_SECTOR_SIZE) { /* Within one sector. */
        size = size < GD_SECTOR_SIZE ? size : GD_SECTOR_SIZE;
    }
    source = fake_random(disk, from->now_size - size + 1);
    for (uint64_t i = 0; i < size; i++) {
        inode->now[at + i] = how == 0   ? (uint8_t)fake_random(disk, 256)
                             : how == 1 ? 0
                                        : from->now[source + i];
    }
}

/* Whatever the bytes are, recovery answers; with one spoiled sector it never tells less than was
 * stored, since a note vouches for the last of it. */
static void test_wal_takes_any_bytes(void **state)
{
    static struct model m;
    unsigned refused = 0, accepted = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        bool one = seed % 2 == 0;

        model_init(&m, seed);
        model_open(&m);
        model_start(&m);
        for (uint64_t k = 0; k < 30; k++) {
            model_append(&m, k + 1, (struct gd_position){1, k * 5}, 5, 20 + k * 20);
            for (uint64_t i = fake_random(&m.disk, 4); i > 0; i--) {
                (void)fake_step(&m.disk);
            }
        }
        fake_run(&m.disk);
        model_close(&m);
        m.disk.random = seed * 7919;
        for (uint64_t i = one ? 1 : 1 + fake_random(&m.disk, 4); i > 0; i--) {
            spoil(&m, one ? GD_SECTOR_SIZE : 20000);
        }
        model_open(&m);
        assert_true(m.opened);
        if (m.opened_err == GD_OK) {
            accepted++;
            assert_true(!one || m.entry_count == 150);
        } else {
            refused++;
            assert_true(m.opened_err == GD_ERR_CORRUPT || m.opened_err == GD_ERR_VERSION);
        }
        model_close(&m);
        fake_release(&m.disk);
    }
    print_message("%u accepted, %u refused\n", accepted, refused);
}

/* Records whose checksum is right and whose meaning is not. */
static void test_wal_refuses_records_that_make_no_sense(void **state)
{
    static const struct {
        const char *name;
        enum gd__wal_type type;
        uint64_t a, b; /* The first two fields of the body. */
        size_t size;   /* Of the body. */
        uint8_t kind;  /* An entry's. */
    } cases[] = {
        {"an entry out of order", GD__WAL_ENTRY, 1, 9, 25, 2},
        {"an entry of an older term", GD__WAL_ENTRY, 0, 2, 25, 2},
        {"an entry of an unknown kind", GD__WAL_ENTRY, 1, 2, 25, 99},
        {"an entry that is too short", GD__WAL_ENTRY, 1, 2, 24, 2},
        {"a short hard state", GD__WAL_HARD_STATE, 1, 0, 15, 0},
        {"a truncation behind the end", GD__WAL_TRUNCATE, 1, 9, 16, 0},
        {"a long truncation", GD__WAL_TRUNCATE, 1, 1, 17, 0},
        {"a short reset", GD__WAL_RESET, 1, 1, 8, 0},
        {"a mark without a meta", GD__WAL_SNAPSHOT, 1, 1, 16, 0},
        {"an install without a meta", GD__WAL_INSTALL, 1, 1, 16, 0},
        {"a second header", GD__WAL_HEADER, 1, 1, 80, 0},
    };
    static struct model m;

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_bytes bytes = {0};
        struct fake_inode *inode;
        uint8_t body[100] = {0};
        size_t begin;

        print_message("case: %s\n", cases[i].name);
        model_init(&m, i);
        model_open(&m);
        model_start(&m);
        model_append(&m, 1, (struct gd_position){1, 0}, 1, 10);
        fake_run(&m.disk); /* LSN 1 header, 2 note, 3 entry, 4 note. */
        model_close(&m);
        gd_put_le64(body, cases[i].a);
        gd_put_le64(body + 8, cases[i].b);
        body[24] = cases[i].kind;
        begin = gd__wal_record_begin(&bytes);
        gd_bytes_add(&bytes, body, cases[i].size);
        gd__wal_record_end(&bytes, begin, cases[i].type, 1, 5, 4);
        inode = fake_file(&m.disk, first);
        memcpy(inode->now + 4 * 4096, bytes.data, bytes.size);
        gd_bytes_release(&bytes);
        model_open(&m);
        assert_int_equal(m.opened_err, GD_ERR_CORRUPT);
        assert_non_null(strstr(m.error.text, "damaged at offset 16384"));
        model_close(&m);
        fake_release(&m.disk);
    }
}

/* An operation that fails, whichever it is: told once, in words, or done without; what was told as
 * stored is there at the next start. */
static void test_wal_survives_any_failed_operation(void **state)
{
    static struct model m;

    (void)state;
    for (uint64_t at = 1; at < 160; at++) {
        uint64_t stored = 0;

        model_init(&m, at);
        m.disk.fail_at = at;
        for (int life = 0; life < 3; life++) {
            struct gd_position last;
            uint64_t begin;

            model_open(&m);
            assert_true(m.opened);
            if (m.opened_err != GD_OK) {
                assert_int_equal(m.opened_err, GD_ERR_IO);
                assert_non_null(strstr(m.error.text, "wal"));
                model_close(&m);
                continue;
            }
            assert_true(m.entry_count >= stored);
            begin = m.entry_count;
            model_start(&m);
            assert_true(m.started);
            for (uint64_t k = 0; k < 20 && m.started_err == GD_OK; k++) {
                last = (struct gd_position){1, begin + k};
                model_append(&m, k + 1, last, 1, 900);
                for (int i = 0; i < 3; i++) {
                    (void)fake_step(&m.disk);
                }
            }
            fake_run(&m.disk);
            assert_true(m.failed_calls <= 1);
            if (m.started_err == GD_OK && m.failed_calls == 0) {
                assert_int_equal(m.stored, 20);
            }
            stored = begin + m.stored;
            model_close(&m);
        }
        model_open(&m);
        if (m.opened_err == GD_OK) {
            assert_true(m.entry_count >= stored);
        }
        model_close(&m);
        fake_release(&m.disk);
    }
}

/* The most members with the longest addresses: a header of several blocks. */
static void many_members(struct gd_config *config)
{
    *config = (struct gd_config){0};
    for (gd_node_id id = 1; id <= GD_MEMBERS_MAX; id++) {
        struct gd_member member = {.id = id, .roles = GD_MEMBER_VOTER};
        memset(member.address.text, 'a', 240);
        memcpy(member.address.text + 240, ":7000", 6);
        assert_int_equal(gd_config_put(config, &member), GD_OK);
    }
}

/* What recovery writes of the last segment: one write, which is told. */
static struct gd_disk_op written_once_more(struct model *m)
{
    struct gd_disk_op found = {0};

    model_new(m);
    gd_wal_open(m->wal, on_opened, m);
    do {
        for (size_t i = 0; i < m->disk.queue_count; i++) {
            if (m->disk.queue[i]->kind == GD_DISK_WRITE) {
                found = *m->disk.queue[i];
            }
        }
    } while (fake_step(&m->disk));
    assert_int_equal(m->opened_err, GD_OK);
    return found;
}

/* A last write that begins with a segment's header is written once more from the header on: what a
 * killed process left of it may be readable, and not durable (io.h X4). */
static void test_wal_writes_a_long_header_once_more(void **state)
{
    static const char second[] = "wal/0000000000000002.log";
    static struct model m;
    struct gd_disk_op op;
    uint64_t index = 0;

    (void)state;
    model_init(&m, 5);
    many_members(&m.snapshot.config);
    model_open(&m);
    many_members(&m.snapshot.config);
    model_start(&m);
    do {
        model_append(&m, index + 1, (struct gd_position){1, index}, 1, 3000);
        index++;
        while (m.stored < index) {
            assert_true(fake_step(&m.disk));
        }
    } while (fake_file(&m.disk, second) == NULL ||
             gd_get_le32(fake_file(&m.disk, second)->now) == 0);
    model_close(&m); /* Before the note comes. */
    op = written_once_more(&m);
    assert_int_equal(m.entry_count, index);
    assert_int_equal(op.offset, 0);
    assert_true(op.size > 2 * 4096);
    model_close(&m);
    fake_release(&m.disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_roundtrip),
        cmocka_unit_test(test_wal_groups_commits),
        cmocka_unit_test(test_wal_notices_every_flipped_bit),
        cmocka_unit_test(test_wal_cuts_what_nothing_vouches_for),
        cmocka_unit_test(test_wal_refuses_wrong_segments),
        cmocka_unit_test(test_wal_reads_again_what_looks_bad),
        cmocka_unit_test(test_wal_reads_again_what_looks_empty),
        cmocka_unit_test(test_wal_fails_once),
        cmocka_unit_test(test_wal_waits_for_space),
        cmocka_unit_test(test_wal_start_without_space),
        cmocka_unit_test(test_wal_close_at_any_moment),
        cmocka_unit_test(test_wal_passes_over_a_gap_below_the_mark),
        cmocka_unit_test(test_wal_refuses_records_that_make_no_sense),
        cmocka_unit_test(test_wal_takes_any_bytes),
        cmocka_unit_test(test_wal_survives_any_failed_operation),
        cmocka_unit_test(test_wal_writes_a_long_header_once_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
