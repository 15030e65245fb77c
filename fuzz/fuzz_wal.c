/* fuzz_wal.c - the write-ahead log, in front of any disk and behind any crash.
 *
 * The first byte says which of two.
 *   Even: operations. Four lives of a log whose plan, crash and what the crash leaves are the
 *         input's. Holds: engine/test/wal_world.h, so recovery gives exactly a legal state.
 *   Odd:  an image. Segments are built from the input: records of all types with right checksums
 *         and fuzzed meaning, raw bodies, garbage, and flipped bytes at the end. Holds: recovery
 *         opens or refuses, and says where; what it tells are entries that are in the image, in
 *         order without a gap; a log that was opened starts, and is recovered to the same again, or
 *         refused (the checksums are right, the meaning may be one that no writer has). */
#include "engine/memory.h"
#include "engine/test/fake_disk.h"
#include "engine/test/wal_world.h"
#include "engine/wal_format.h"
#include <inttypes.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIVES = 4, ACTIONS_MAX = 12, SEGMENTS_MAX = 6, SEGMENT_SIZE = 8192, RECORDS_MAX = 200 };

/* ---------------------------------------------------------------- operations */

static void live_and_crash(struct gd_slice input)
{
    struct fake_disk *disk = wal_world_disk();
    size_t part = (input.size - 1) / LIVES;

    wal_world_begin(input.data[0]);
    for (unsigned life = 0; life < LIVES; life++) {
        struct gd_slice mine = {input.data + 1 + life * part, part};
        unsigned actions = 0;

        if (part > 2) {
            disk->crash_at = disk->steps + mine.data[0];
            disk->crash = (enum fake_crash)(1 + mine.data[1] % 3);
            disk->kill = mine.data[1] >= 192;
            wal_world_decide_by((struct gd_slice){mine.data + 2, part - 2});
            actions = part < ACTIONS_MAX * 6 ? (unsigned)(part / 6) + 1 : ACTIONS_MAX;
        }
        (void)wal_world_live(actions);
        fake_reboot(disk);
    }
    disk->kill = false;
    wal_world_decide_by((struct gd_slice){NULL, 0});
    GD_ASSERT(wal_world_live(0));
    wal_world_end();
}

/* ---------------------------------------------------------------- an image */

struct image {
    struct fake_disk disk;
    struct gd_reader input;
    struct gd_bytes segment;
    uint64_t number, lsn;
    gd_term term;
    gd_index tail;
    struct gd_entry *entries[RECORDS_MAX]; /* All that were put in. */
    size_t entry_count;

    bool opened;
    enum gd_err err;
    bool started;
    struct gd_hard_state hard_state;
    struct gd_snapshot_meta snapshot;
    struct gd_wal_identity identity;
    gd_index first, last;
    bool closed;
};

static struct gd_snapshot_meta meta_of(struct gd_position position)
{
    struct gd_snapshot_meta meta = {.position = position, .size = 9};
    struct gd_member member = {.id = 3, .roles = GD_MEMBER_VOTER};

    GD_ASSERT(gd_address_parse("h:1", &member.address) == GD_OK);
    GD_ASSERT(gd_config_put(&meta.config, &member) == GD_OK);
    return meta;
}

static void segment_end(struct image *m)
{
    char path[64];

    if (m->segment.size == 0) {
        return;
    }
    (void)snprintf(path, sizeof path, "wal/%016" PRIx64 ".log", m->number);
    fake_put(&m->disk, path, gd_bytes_slice(&m->segment));
    gd_bytes_clear(&m->segment);
}

static void entry_add(struct image *m, uint8_t detail, size_t size)
{
    struct gd_entry *entry = gd_entry_new(GD_ENTRY_REQUEST, NULL, size);

    memset(entry->data, detail, size);
    entry->position = (struct gd_position){m->term + detail / 250, m->tail + 1};
    if (detail % 16 == 15) {
        entry->position.index += detail / 16;
    }
    m->tail = entry->position.index;
    gd__wal_entry_add(&m->segment, entry);
    GD_ASSERT(m->entry_count < RECORDS_MAX);
    m->entries[m->entry_count++] = entry;
}

static void header_add(struct image *m, uint8_t detail)
{
    struct gd__wal_header header = {
        .segment = m->number, .identity = {7, 3, 1 + detail % 8u}, .reset = detail >= 128};

    header.state.hard_state = (struct gd_hard_state){m->term, detail % 4u};
    header.state.tail = (struct gd_position){m->term, m->tail};
    if (detail % 64 >= 32) {
        header.state.snapshot = meta_of((struct gd_position){m->term, m->tail / 2});
    }
    gd__wal_header_add(&m->segment, &header);
}

/* One record: its kind, a detail, and how far its numbers are off. */
static void record_add(struct image *m, uint8_t kind, uint8_t detail, uint8_t off)
{
    struct gd_position position = {m->term, m->tail - (detail < m->tail ? detail : m->tail)};
    enum gd__wal_type type = (enum gd__wal_type)(1 + kind % 8);
    struct gd_snapshot_meta meta = meta_of(position);
    size_t begin = gd__wal_record_begin(&m->segment), left;
    uint64_t durable;

    switch (type) {
    case GD__WAL_HEADER:
        header_add(m, detail);
        break;
    case GD__WAL_ENTRY:
        entry_add(m, detail, detail % 100);
        break;
    case GD__WAL_HARD_STATE:
        m->term += detail % 4;
        gd__wal_hard_state_add(&m->segment, &(struct gd_hard_state){m->term, detail / 64});
        break;
    case GD__WAL_TRUNCATE:
    case GD__WAL_RESET:
        position.index += off / 128u;
        m->tail = position.index;
        gd__wal_position_add(&m->segment, position);
        break;
    case GD__WAL_SNAPSHOT:
    case GD__WAL_INSTALL:
        gd__wal_snapshot_add(&m->segment, &meta, position.index);
        break;
    case GD__WAL_NOTE:
        left = m->input.left < detail ? m->input.left : detail;
        gd_bytes_add(&m->segment, m->input.at, left);
        m->input = gd_reader_of((struct gd_slice){m->input.at + left, m->input.left - left});
        type = (enum gd__wal_type)(1 + off % 8);
        off = 0;
        break;
    }
    m->lsn += off % 16 == 15 ? off / 16 : 1;
    durable = off % 16 == 14 ? m->lsn + off / 16 : m->lsn > off % 14u ? m->lsn - off % 14 : 0;
    gd__wal_record_end(&m->segment, begin, type, m->number, m->lsn, durable);
}

static void step_add(struct image *m)
{
    uint8_t kind = gd_reader_u8(&m->input), detail = gd_reader_u8(&m->input);
    uint8_t off = gd_reader_u8(&m->input);
    size_t pad;

    if (m->input.failed || m->segment.size > SEGMENT_SIZE) {
        m->input.left = 0;
    } else if (kind < 224) {
        record_add(m, kind, detail, off);
    } else if (kind < 240 && m->number < SEGMENTS_MAX) {
        segment_end(m);
        m->number += off == 255 ? 2 : 1;
        record_add(m, 0, detail, off);
    } else if (kind < 248) { /* To the next block, as a write ends. */
        pad = GD_BLOCK_SIZE - m->segment.size % GD_BLOCK_SIZE;
        memset(gd_bytes_reserve(&m->segment, pad), off < 240 ? 0 : off, pad);
        m->segment.size += pad;
    } else if (m->segment.size > 0) { /* Damage. */
        m->segment.data[m->segment.size * detail / 256] ^= (uint8_t)(off | 1);
    }
}

static void on_opened(void *context, enum gd_err err, const struct gd_wal_recovered *recovered,
                      const struct gd_error *error)
{
    struct image *m = context;

    m->opened = true;
    m->err = err;
    m->first = m->last = 0;
    if (err != GD_OK) {
        GD_ASSERT(err == GD_ERR_CORRUPT || err == GD_ERR_VERSION);
        GD_ASSERT(strstr(error->text, "wal") != NULL);
        return;
    }
    m->hard_state = recovered->hard_state;
    m->snapshot = recovered->snapshot;
    m->identity = recovered->identity;
    m->first = m->last = recovered->before.index;
    for (size_t i = 0; i < recovered->entry_count; i++) {
        const struct gd_entry *entry = recovered->entries[i];
        bool found = false;
        GD_ASSERT(entry->position.index == ++m->last);
        for (size_t k = 0; k < m->entry_count && !found; k++) {
            found = gd_position_compare(m->entries[k]->position, entry->position) == 0 &&
                    m->entries[k]->size == entry->size &&
                    memcmp(m->entries[k]->data, entry->data, entry->size) == 0;
        }
        GD_ASSERT(found);
    }
}

static void on_started(void *context, enum gd_err err, const struct gd_error *error)
{
    struct image *m = context;

    (void)error;
    GD_ASSERT(err == GD_OK);
    m->started = true;
}

static void on_stored(void *context, uint64_t sequence, struct gd_position last)
{
    (void)context;
    (void)sequence;
    (void)last;
}

static void on_failed(void *context, const struct gd_error *error)
{
    (void)context;
    (void)fprintf(stderr, "%s\n", error->text);
    GD_ASSERT(error == NULL);
}

static void on_closed(void *context)
{
    struct image *m = context;

    m->closed = true;
}

/* Recovers, and starts when it may. */
static void open_image(struct image *m)
{
    struct gd_wal_options options = {.io = &m->disk.io,
                                     .directory = "wal",
                                     .segment_size = SEGMENT_SIZE,
                                     .batch_size_max = 6000,
                                     .stored = on_stored,
                                     .failed = on_failed,
                                     .context = m};
    struct gd_wal *wal = gd_wal_new(&options);

    m->opened = m->started = m->closed = false;
    gd_wal_open(wal, on_opened, m);
    fake_run(&m->disk);
    GD_ASSERT(m->opened);
    if (m->err == GD_OK) {
        m->identity.boot++;
        gd_wal_start(wal, &m->identity, &m->hard_state, &m->snapshot, on_started, m);
        fake_run(&m->disk);
        GD_ASSERT(m->started);
    }
    gd_wal_close(wal, on_closed, m);
    fake_run(&m->disk);
    GD_ASSERT(m->closed);
    gd_wal_free(wal);
}

static void recover_image(struct gd_slice input)
{
    static struct image m;

    memset(&m, 0, sizeof m);
    fake_init(&m.disk, input.data[0]);
    m.input = gd_reader_of((struct gd_slice){input.data + 1, input.size - 1});
    m.number = m.term = 1;
    record_add(&m, 0, 0, 0);
    while (m.input.left > 0 && m.entry_count < RECORDS_MAX - 1) {
        step_add(&m);
    }
    segment_end(&m);
    open_image(&m);
    if (m.err == GD_OK) {
        gd_index first = m.first, last = m.last;
        struct gd_hard_state hard_state = m.hard_state;
        open_image(&m);
        if (m.err == GD_OK) {
            GD_ASSERT(m.first >= first && m.last == last);
            GD_ASSERT(m.hard_state.term == hard_state.term && m.hard_state.vote == hard_state.vote);
        }
    }
    for (size_t i = 0; i < m.entry_count; i++) {
        gd_entry_drop(m.entries[i]);
    }
    gd_bytes_release(&m.segment);
    GD_ASSERT(fake_heap() == 0);
    fake_release(&m.disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 8 || size > 4096) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        live_and_crash((struct gd_slice){data + 1, size - 1});
    } else {
        recover_image((struct gd_slice){data + 1, size - 1});
    }
    return 0;
}
