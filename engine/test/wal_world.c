/* wal_world.c - the plans and the check of wal_world.h. What is on the disk is compared with what
 * the records meant, one by one. */
#include "engine/test/wal_world.h"
#include "engine/memory.h"
#include "engine/test/fake_disk.h"
#include "engine/wal.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_MAX 2000
#define RECORDS_MAX 400

/* What the log means behind some record. */
struct meaning {
    struct gd_hard_state hard_state;
    struct gd_position snapshot;
    struct gd_position before; /* The log begins behind it. */
    gd_index tail;
    uint16_t terms[INDEX_MAX]; /* By index, above `before`. */
};

static struct run {
    struct fake_disk disk;
    struct gd_wal *wal;
    uint64_t seed;
    uint64_t plan; /* State of the generator of actions. */
    uint64_t boot; /* The highest that was told as started. */

    struct meaning meanings[RECORDS_MAX]; /* [0] is how this start began. */
    size_t count;
    size_t record_of[RECORDS_MAX]; /* By sequence: behind which record it ends. */
    size_t told;                   /* The record that was told last. */
    uint64_t sequence;
    gd_index keep_after;

    bool opened, opened_ok, started;
    bool empty;
    struct gd_wal_identity identity;
    struct meaning found;
    struct gd_snapshot_meta found_meta;
    char error[GD_ERROR_TEXT_SIZE];
    uint64_t checked;
    struct gd_slice record; /* What decides next, ahead of `plan`; borrowed. */
} world;

static _Noreturn void die(const char *format, ...) GD_PRINTF(1, 2);
static void die(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    (void)vfprintf(stderr, format, list);
    va_end(list);
    (void)fputc('\n', stderr);
    abort();
}

static uint64_t plan_random(struct run *r, uint64_t below)
{
    uint64_t z;

    if (r->record.size > 0) {
        r->record.size--;
        return *r->record.data++ * below / 256;
    }
    z = (r->plan += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}

static size_t entry_size(struct gd_position position)
{
    uint64_t h = position.index * 31 + position.term * 17;

    return (size_t)(h % 97 == 0 ? 40000 : h % 13 == 0 ? 3000 + h % 2000 : h % 200);
}

static uint8_t entry_byte(struct gd_position position)
{
    return (uint8_t)(position.index * 7 + position.term);
}

static void on_opened(void *context, enum gd_err err, const struct gd_wal_recovered *recovered,
                      const struct gd_error *error)
{
    struct run *r = context;

    r->opened = true;
    r->opened_ok = err == GD_OK;
    if (err != GD_OK) {
        (void)snprintf(r->error, sizeof r->error, "%s", error->text);
        return;
    }
    r->empty = recovered->empty;
    r->identity = recovered->identity;
    r->found = (struct meaning){.hard_state = recovered->hard_state,
                                .snapshot = recovered->snapshot.position,
                                .before = recovered->before};
    r->found_meta = recovered->snapshot;
    r->found.tail = recovered->before.index;
    for (size_t i = 0; i < recovered->entry_count; i++) {
        const struct gd_entry *entry = recovered->entries[i];
        GD_ASSERT(entry->position.index == ++r->found.tail);
        GD_ASSERT(entry->size == entry_size(entry->position));
        for (size_t k = 0; k < entry->size; k++) {
            if (entry->data[k] != entry_byte(entry->position)) {
                die("entry %d changed", (int)entry->position.index);
            }
        }
        r->found.terms[r->found.tail] = (uint16_t)entry->position.term;
    }
}

static void on_started(void *context, enum gd_err err, const struct gd_error *error)
{
    struct run *r = context;

    (void)error;
    GD_ASSERT(err == GD_OK);
    r->started = true;
}

static void on_stored(void *context, uint64_t sequence, struct gd_position last)
{
    struct run *r = context;

    GD_ASSERT(sequence <= r->sequence);
    GD_ASSERT(r->record_of[sequence] >= r->told);
    if (last.index > 0) { /* An entry of what is stored, and still there. */
        GD_ASSERT(last.term == r->meanings[r->record_of[sequence]].terms[last.index]);
    }
    r->told = r->record_of[sequence];
}

static void on_failed(void *context, const struct gd_error *error)
{
    (void)context;
    die("%s", error->text);
}

/* ---------------------------------------------------------------- the plan's actions */

static struct meaning *meaning_push(struct run *r)
{
    GD_ASSERT(r->count < RECORDS_MAX);
    r->meanings[r->count] = r->meanings[r->count - 1];
    return &r->meanings[r->count++];
}

static struct gd_position position_of(const struct meaning *m, gd_index index)
{
    return index == m->before.index ? m->before : (struct gd_position){m->terms[index], index};
}

static struct gd_snapshot_meta meta_at(struct gd_position position)
{
    struct gd_snapshot_meta meta = {.position = position, .size = 99};
    struct gd_member member = {.id = 3, .roles = GD_MEMBER_VOTER};

    (void)snprintf(member.address.text, sizeof member.address.text, "127.0.0.1:9000");
    GD_ASSERT(gd_config_put(&meta.config, &member) == GD_OK);
    return meta;
}

static void snapshot_mark(struct run *r, struct gd_position position, gd_index keep_after)
{
    struct gd_snapshot_meta meta = meta_at(position);

    meaning_push(r)->snapshot = position;
    if (r->keep_after < keep_after) {
        r->keep_after = keep_after;
    }
    gd_wal_snapshot(r->wal, &meta, keep_after);
}

/* A snapshot within the log. */
static void act_mark(struct run *r)
{
    const struct meaning *m = &r->meanings[r->count - 1];
    gd_index low = m->snapshot.index > m->before.index ? m->snapshot.index : m->before.index;

    if (m->tail > low) {
        gd_index index = low + 1 + plan_random(r, m->tail - low);
        gd_index back = plan_random(r, 4) * 3;
        gd_index keep = index > back ? index - back : 0;
        if (keep < r->keep_after) {
            keep = r->keep_after;
        }
        snapshot_mark(r, position_of(m, index), keep < index ? keep : index);
    }
}

/* One persist: hard state, truncation or reset, entries, each perhaps. */
static void act_persist(struct run *r)
{
    struct gd_raft_persist persist = {.sequence = ++r->sequence};
    const struct meaning *m = &r->meanings[r->count - 1];
    struct gd_entry *entries[16];
    bool installs = false; /* The mark comes behind the reset, and becomes one record with it. */
    uint64_t what = plan_random(r, 20);
    gd_index low = m->snapshot.index > m->before.index ? m->snapshot.index : m->before.index;

    if (low < r->keep_after) {
        low = r->keep_after;
    }
    if (what < 8) {
        struct meaning *next = meaning_push(r);
        next->hard_state.term += plan_random(r, 2);
        next->hard_state.vote = plan_random(r, 4);
        persist.hard_state_changed = true;
        persist.hard_state = next->hard_state;
    }
    m = &r->meanings[r->count - 1];
    if (what >= 6 && what < 10 && m->tail > low) {
        struct meaning *next = meaning_push(r);
        persist.truncate_from = low + 1 + plan_random(r, next->tail - low);
        next->tail = persist.truncate_from - 1;
    } else if (what == 11) {
        struct gd_position to = {m->hard_state.term + 1, m->tail + 1 + plan_random(r, 20)};
        struct meaning *next;
        bool apart = plan_random(r, 2) == 0;
        if (apart) {
            snapshot_mark(r, to, to.index);
        } else {
            persist.entry_count = 0;
            installs = true;
        }
        next = meaning_push(r);
        next->snapshot = to;
        next->before = to;
        next->tail = to.index;
        persist.reset = true;
        persist.reset_to = to;
    }
    if (what != 1 && !installs) {
        persist.entry_count = 1 + plan_random(r, 6);
    }
    for (size_t i = 0; i < persist.entry_count; i++) {
        struct meaning *next = meaning_push(r);
        struct gd_position position = {next->hard_state.term, next->tail + 1};
        if (position.term < position_of(next, next->tail).term) {
            position.term = position_of(next, next->tail).term;
        }
        GD_ASSERT(position.index < INDEX_MAX);
        next->terms[position.index] = (uint16_t)position.term;
        next->tail++;
        entries[i] = gd_entry_new(GD_ENTRY_REQUEST, NULL, entry_size(position));
        entries[i]->position = position;
        memset(entries[i]->data, entry_byte(position), entries[i]->size);
    }
    persist.entries = entries;
    r->record_of[r->sequence] = r->count - 1;
    gd_wal_append(r->wal, &persist);
    if (installs) {
        struct gd_snapshot_meta meta = meta_at(persist.reset_to);
        gd_wal_snapshot(r->wal, &meta, persist.reset_to.index);
        if (r->keep_after < persist.reset_to.index) {
            r->keep_after = persist.reset_to.index;
        }
    }
    for (size_t i = 0; i < persist.entry_count; i++) {
        gd_entry_drop(entries[i]);
    }
}

/* ---------------------------------------------------------------- the check */

/* What recovery should make of `m`: a snapshot that the log does not lead up to replaces it. */
static struct meaning told_of(const struct meaning *m)
{
    struct meaning told = *m;

    if (m->snapshot.index > m->before.index &&
        (m->snapshot.index > m->tail || m->terms[m->snapshot.index] != m->snapshot.term)) {
        told.before = m->snapshot;
        told.tail = m->snapshot.index;
    }
    return told;
}

static bool meaning_equal(const struct run *r, const struct meaning *issued)
{
    struct meaning m = told_of(issued);
    const struct meaning *found = &r->found;

    if (m.hard_state.term != found->hard_state.term ||
        m.hard_state.vote != found->hard_state.vote ||
        gd_position_compare(m.snapshot, found->snapshot) != 0 || m.tail != found->tail ||
        found->before.index < m.before.index) {
        return false;
    }
    /* Older segments may be gone, up to what was allowed to go. */
    if (found->before.index > m.before.index && found->before.index > r->keep_after) {
        return false;
    }
    if (found->before.term != position_of(&m, found->before.index).term) {
        return false;
    }
    for (gd_index i = found->before.index + 1; i <= m.tail; i++) {
        if (found->terms[i] != m.terms[i]) {
            return false;
        }
    }
    return true;
}

static void check_recovered(struct run *r)
{
    if (!r->opened_ok) {
        die("seed %llu: refused: %s", (unsigned long long)r->seed, r->error);
    }
    r->checked++;
    if (r->empty) {
        GD_ASSERT(r->boot == 0); /* Nothing was ever told as started. */
        r->identity.boot = 0;
        return;
    }
    GD_ASSERT(r->identity.boot >= r->boot);
    for (size_t i = r->told; i < r->count; i++) {
        if (meaning_equal(r, &r->meanings[i])) {
            return;
        }
    }
    die("seed %llu: recovered what was never so: term %d vote %d snapshot %d before %d tail "
        "%d; told record %d of %d: tail %d",
        (unsigned long long)r->seed, (int)r->found.hard_state.term, (int)r->found.hard_state.vote,
        (int)r->found.snapshot.index, (int)r->found.before.index, (int)r->found.tail, (int)r->told,
        (int)r->count, (int)r->meanings[r->told].tail);
}

/* ---------------------------------------------------------------- one start after another */

bool wal_world_live(unsigned actions)
{
    struct run *r = &world;
    struct gd_wal_options options = {.io = &r->disk.io,
                                     .directory = "wal",
                                     .segment_size = 24576,
                                     .batch_size_max = 6000,
                                     .stored = on_stored,
                                     .failed = on_failed,
                                     .context = r};
    struct gd_wal_identity identity = {7, 3, 0};

    r->opened = r->started = false;
    r->wal = gd_wal_new(&options);
    gd_wal_open(r->wal, on_opened, r);
    fake_run(&r->disk);
    if (!r->opened) {
        return false;
    }
    check_recovered(r);
    if (r->empty) {
        r->found = (struct meaning){0};
        r->found_meta = (struct gd_snapshot_meta){0};
    }
    r->meanings[0] = r->found;
    r->count = 1;
    r->told = 0;
    r->sequence = 0;
    identity.boot = r->identity.boot + 1;
    gd_wal_start(r->wal, &identity, &r->found.hard_state, &r->found_meta, on_started, r);
    while (!r->started && fake_step(&r->disk)) {
    }
    if (!r->started) {
        return false;
    }
    r->boot = identity.boot;
    for (unsigned i = 0; i < actions; i++) {
        uint64_t steps = plan_random(r, 6);
        if (plan_random(r, 6) == 0) {
            act_mark(r);
        } else {
            act_persist(r);
        }
        while (steps-- > 0) {
            if (!fake_step(&r->disk)) {
                break;
            }
        }
        if (r->disk.crashed) {
            return false;
        }
    }
    fake_run(&r->disk);
    if (!r->disk.crashed) {
        GD_ASSERT(r->told == r->record_of[r->sequence]);
    }
    return !r->disk.crashed;
}

void wal_world_begin(uint64_t seed)
{
    struct run *r = &world;

    memset(r, 0, sizeof *r);
    r->seed = seed;
    r->plan = seed * 77 + 5;
    fake_init(&r->disk, seed);
    r->disk.short_reads = seed % 2 == 0;
    r->count = 1;
}

void wal_world_end(void)
{
    fake_reboot(&world.disk);
    fake_release(&world.disk);
}

struct fake_disk *wal_world_disk(void)
{
    return &world.disk;
}

void wal_world_decide_by(struct gd_slice record)
{
    world.record = record;
}
