/* wal_recover.c - reading the write-ahead log back: one pass, segment by segment.
 *
 * All segments are read and checked before anything is changed (W7). Memory: one segment and the
 * entries. The phases, in order; a crash in any of them leaves what the next recovery judges alike:
 *   - making, naming: the directory is there, durably.
 *   - listing: the segments' numbers.
 *   - opening, sizing, reading, closing: for each segment; its records are applied as it is read.
 *     Where no record follows the rest is read once more (io.h X3: a read may lie once), also where
 *     it looks as if nothing had been written: else one lie would cut a log, or remove it. What is
 *     bad twice is bad.
 *   - judging: no step. Damaged (refused, nothing changed), or torn at the end.
 *   - cutting: open, truncate, read, write, sync, close the last good segment. Its length is cut to
 *     the block in which its last record ends: that block is not written to by the log again. Its
 *     last write, which no later record vouches for, is written once more, byte for byte: a process
 *     that was killed, or whose last write failed, can leave bytes that are readable and never
 *     become durable by a sync alone (io.h X4). A torn one mixes equal bytes. Zeros follow to the
 *     end of the block: what is left there of a torn record must not become a whole one by a file
 *     that grows.
 *   - removing: segments behind it that have no header, newest first, each with a sync of the
 *     directory, so that no gap can remain.
 *   - telling: the callback.
 *
 * A segment without a valid header in front of one that has one is damage: headers are written in
 * order (W4). One at the end is the spare, or one whose first write was torn - unless a record in
 * it says that what is missing was durable. */
#include "engine/memory.h"
#include "engine/wal_internal.h"
#include <inttypes.h>
#include <stdio.h>

#define READ_SIZE (4u * 1024u * 1024u) /* Bytes asked for by one read. */

enum phase {
    PHASE_MAKING,
    PHASE_NAMING,
    PHASE_LISTING,
    PHASE_OPENING,
    PHASE_SIZING,
    PHASE_READING,
    PHASE_CLOSING,
    PHASE_CUT_OPENING,
    PHASE_CUT_TRUNCATING,
    PHASE_CUT_READING,
    PHASE_CUT_WRITING,
    PHASE_CUT_SYNCING,
    PHASE_CUT_CLOSING,
    PHASE_REMOVING,
    PHASE_REMOVED,
};

struct gd__wal_recovery {
    struct gd_wal *wal; /* Borrowed. */
    gd_wal_opened_fn *opened;
    void *context;
    enum phase phase;
    struct gd__storage_op op;
    struct gd_file file;
    bool open;
    char path[GD_DISK_PATH_SIZE];

    uint64_t *numbers; /* Of the segments in the directory, rising. Owned. */
    size_t count, at;
    size_t base; /* The first one that counts: behind the last gap. */

    /* The segment being read. */
    uint8_t *buffer; /* Owned. */
    size_t capacity, size, filled;
    size_t place;    /* Everything before it is applied. */
    size_t reread;   /* The place from which it was read again; 0: not yet. */
    bool reread_any; /* It was read again from `reread`. */
    gd_index index_max;

    /* The log so far. */
    bool any; /* A header was met. */
    bool reset;
    struct gd_wal_recovered found;
    size_t entry_capacity;

    /* Where it ends. */
    size_t last;           /* Its place in numbers. */
    uint64_t last_end;     /* Bytes of it that hold records. */
    uint64_t last_write;   /* Where in it the last write began, as far as its records tell. */
    uint32_t last_crc;     /* Of those bytes: they must be the same when they are read again. */
    bool last_lied;        /* They were not, once. */
    uint64_t last_vouched; /* The durable LSN that the records of that write name. */
    uint64_t bad_segment;  /* The first place that is neither a record nor zeros; 0: none. */
    uint64_t bad_offset;
    uint64_t durable; /* The highest durable LSN of any record behind the end. */

    struct gd_error error;
};

static void step_done(struct gd_disk_op *op, enum gd_err err);

/* ---------------------------------------------------------------- ends */

void gd__wal_recovery_free(struct gd__wal_recovery *recovery)
{
    if (recovery == NULL) {
        return;
    }
    for (size_t i = 0; i < recovery->found.entry_count; i++) {
        gd_entry_drop(recovery->found.entries[i]);
    }
    gd_free(recovery->found.entries);
    gd_free(recovery->numbers);
    gd_free(recovery->buffer);
    gd_free(recovery);
}

static void closed_done(struct gd_disk_op *op, enum gd_err err)
{
    (void)err;
    (void)gd__wal_completed(op->context);
}

bool gd__wal_recovery_close(struct gd_wal *wal)
{
    struct gd__wal_recovery *r = wal->recovery;

    if (r == NULL || !r->open) {
        return false;
    }
    r->open = false;
    gd__wal_submit(
        wal, &r->op,
        (struct gd_disk_op){.kind = GD_DISK_CLOSE, .file = &r->file, .done = closed_done});
    return true;
}

static void tell(struct gd__wal_recovery *r, enum gd_err err)
{
    struct gd_wal *wal = r->wal;

    gd_free(r->buffer);
    r->buffer = NULL;
    wal->stage = err == GD_OK ? GD__WAL_OPENED : GD__WAL_FAILED;
    wal->telling = true;
    r->opened(r->context, err, err == GD_OK ? &r->found : NULL, err == GD_OK ? NULL : &r->error);
    wal->telling = false;
    if (!r->open) {
        wal->recovery = NULL;
        gd__wal_recovery_free(r);
    }
    gd__wal_pump(wal); /* It may have been started meanwhile. */
}

static enum gd_err damaged(struct gd__wal_recovery *r, uint64_t segment, uint64_t offset,
                           const char *what)
{
    char path[GD_DISK_PATH_SIZE];

    gd__wal_path(r->wal, segment, path);
    return gd_error_set(&r->error, GD_ERR_CORRUPT,
                        "%s: damaged at offset %" PRIu64 ": %s; nothing was changed: restore this "
                        "node's data directory, or empty it and let the node join anew",
                        path, offset, what);
}

/* ---------------------------------------------------------------- applying records */

static void entries_drop_from(struct gd__wal_recovery *r, gd_index from)
{
    struct gd_wal_recovered *found = &r->found;

    while (found->entry_count > 0 &&
           found->entries[found->entry_count - 1]->position.index >= from) {
        gd_entry_drop(found->entries[--found->entry_count]);
    }
}

static void entry_keep(struct gd__wal_recovery *r, struct gd_entry *entry)
{
    struct gd_wal_recovered *found = &r->found;

    if (found->entry_count == r->entry_capacity) {
        r->entry_capacity = r->entry_capacity == 0 ? 1024 : r->entry_capacity * 2;
        found->entries = gd_realloc(found->entries, r->entry_capacity * sizeof *found->entries);
    }
    found->entries[found->entry_count++] = entry;
}

/* The log goes on behind `position`, whatever was before. */
static void log_reset(struct gd__wal_recovery *r, struct gd_position position)
{
    entries_drop_from(r, 0);
    r->found.before = position;
    gd__wal_runs_reset(r->wal, position);
}

static const char *header_apply(struct gd__wal_recovery *r, const struct gd__wal_header *header)
{
    struct gd__wal_state *state = &r->wal->state;
    const struct gd_wal_identity *was = &r->found.identity;

    if (header->segment != r->numbers[r->at]) {
        return "the header of another segment";
    }
    if (r->any && ((was->cluster_id != header->identity.cluster_id && !header->adopts) ||
                   was->node_id != header->identity.node_id)) {
        return "a segment of another node";
    }
    if (r->any && (header->identity.boot < was->boot ||
                   header->state.hard_state.term < state->hard_state.term)) {
        return "an older segment behind a newer one";
    }
    if (!r->any || header->reset) {
        r->reset = header->reset;
        log_reset(r, header->state.tail);
    } else if (gd_position_compare(state->tail, header->state.tail) != 0) {
        return "a segment that does not follow the one before";
    }
    r->any = true;
    r->found.identity = header->identity;
    *state = header->state;
    return NULL;
}

static const char *entry_apply(struct gd__wal_recovery *r, struct gd_slice body)
{
    struct gd_entry *entry = gd__wal_entry_decode(body);
    const struct gd_position *tail = &r->wal->state.tail;

    if (entry == NULL) {
        return "an entry of an unknown kind";
    }
    if (entry->position.index != tail->index + 1 || entry->position.term < tail->term) {
        gd_entry_drop(entry);
        return "an entry out of order";
    }
    gd__wal_runs_append(r->wal, entry->position);
    if (r->index_max < entry->position.index) {
        r->index_max = entry->position.index;
    }
    entry_keep(r, entry);
    return NULL;
}

static const char *truncate_apply(struct gd__wal_recovery *r, struct gd_position tail)
{
    if (tail.index > r->wal->state.tail.index) {
        return "a truncation behind the end";
    }
    if (tail.index < r->found.before.index) {
        GD_REACHED("recovery: a truncation below the oldest segment");
        log_reset(r, tail);
        return NULL;
    }
    entries_drop_from(r, tail.index + 1);
    gd__wal_runs_truncate(r->wal, tail.index + 1);
    r->wal->state.tail = tail;
    return NULL;
}

/* NULL, or what is wrong with a record whose checksum is right. */
static const char *record_apply(struct gd__wal_recovery *r, const struct gd__wal_record *record)
{
    struct gd__wal_state *state = &r->wal->state;
    struct gd_position position;

    switch (record->type) {
    case GD__WAL_ENTRY:
        return entry_apply(r, record->body);
    case GD__WAL_HARD_STATE:
        return gd__wal_hard_state_decode(record->body, &state->hard_state) == GD_OK
                   ? NULL
                   : "a hard state of the wrong size";
    case GD__WAL_TRUNCATE:
        return gd__wal_position_decode(record->body, &position) == GD_OK
                   ? truncate_apply(r, position)
                   : "a truncation of the wrong size";
    case GD__WAL_RESET:
        if (gd__wal_position_decode(record->body, &position) != GD_OK) {
            return "a reset of the wrong size";
        }
        r->reset = true;
        log_reset(r, position);
        return NULL;
    case GD__WAL_SNAPSHOT:
        return gd__wal_snapshot_decode(record->body, &state->snapshot, &state->keep_after) == GD_OK
                   ? NULL
                   : "a snapshot mark that cannot be read";
    case GD__WAL_INSTALL:
        if (gd__wal_snapshot_decode(record->body, &state->snapshot, &state->keep_after) != GD_OK) {
            return "a snapshot mark that cannot be read";
        }
        r->reset = true;
        log_reset(r, state->snapshot.position);
        return NULL;
    case GD__WAL_NOTE:
        return NULL;
    case GD__WAL_HEADER:
        break;
    }
    return "a header inside a segment";
}

/* ---------------------------------------------------------------- reading a segment's records */

/* The record with the next LSN at `place`, or behind padding at the next block's start. */
static bool record_find(struct gd__wal_recovery *r, struct gd__wal_record *record)
{
    uint64_t number = r->numbers[r->at];
    size_t next = (size_t)gd__block_up(r->place);

    if (r->place < r->size &&
        gd__wal_record_decode(r->buffer + r->place, r->size - r->place, number, record) &&
        record->lsn == r->wal->lsn_next) {
        return true;
    }
    if (next > r->place && next < r->size &&
        gd__wal_record_decode(r->buffer + next, r->size - next, number, record) &&
        record->lsn == r->wal->lsn_next) {
        r->place = next;
        return true;
    }
    return false;
}

/* A whole header: what was behind the last segment's end is behind a durable header (W4). The
 * segment's first write begins with it, however many blocks it takes. */
static void segment_begin(struct gd__wal_recovery *r, const struct gd__wal_record *header)
{
    r->last = r->at;
    r->last_end = r->place;
    r->last_write = 0;
    r->last_vouched = header->durable;
    r->bad_segment = 0;
    r->durable = 0;
    r->found.cut_size = 0;
}

/* The segment's header, when there is a whole one with the right LSN. */
static enum gd_err header_read(struct gd__wal_recovery *r, bool *found)
{
    uint64_t number = r->numbers[r->at];
    struct gd__wal_record record;
    struct gd__wal_header header;
    const char *wrong;
    enum gd_err err;

    *found =
        gd__wal_record_decode(r->buffer, r->size, number, &record) && record.type == GD__WAL_HEADER;
    if (!*found) {
        return GD_OK;
    }
    err = gd__wal_header_decode(record.body, &header);
    if (err == GD_ERR_VERSION) {
        gd__wal_path(r->wal, number, r->path);
        return gd_error_set(&r->error, err,
                            "%s: written by another version of gandalf (this one knows version "
                            "%u); nothing was changed: use the program that wrote it",
                            r->path, GD__WAL_VERSION);
    }
    if (err != GD_OK) {
        return damaged(r, number, 0, "a header that cannot be read");
    }
    if (!r->any && r->at != r->base) {
        return damaged(r, r->numbers[r->base], 0,
                       "its header is missing, and later ones are there");
    }
    if (r->any && (record.lsn != r->wal->lsn_next || r->last + 1 != r->at)) {
        return damaged(r, r->bad_segment != 0 ? r->bad_segment : r->numbers[r->last],
                       r->bad_segment != 0 ? r->bad_offset : r->last_end,
                       "records are missing, and later ones are there");
    }
    r->wal->lsn_next = record.lsn + 1;
    r->place = record.size;
    wrong = header_apply(r, &header);
    if (wrong != NULL) {
        return damaged(r, number, 0, wrong);
    }
    segment_begin(r, &record);
    return GD_OK;
}

/* Nothing more can be read at `place`: remember what lies behind. True: it was read only once. */
static bool end_note(struct gd__wal_recovery *r)
{
    struct gd__wal_scan scan = {0};

    if (r->place >= r->size) {
        return false;
    }
    if (!r->reread_any || r->reread != r->place) { /* Zeros may be a lie, too. */
        r->reread = r->place;
        r->reread_any = true;
        return true;
    }
    gd__wal_scan(r->buffer + r->place, r->size - r->place, r->numbers[r->at], &scan);
    if (scan.dirty_size == 0) {
        return false;
    }
    r->found.cut_size += scan.dirty_size;
    if (r->bad_segment == 0) {
        r->bad_segment = r->numbers[r->at];
        /* With nothing but padding in the rest of the block, it is the next write that is bad. */
        r->bad_offset = gd__block_up(r->place) <= r->place + scan.dirty_from
                            ? gd__block_up(r->place)
                            : r->place;
    }
    if (r->durable < scan.durable) {
        r->durable = scan.durable;
    }
    return false;
}

/* Apply what was read. `*again`: read once more from `place`. */
static enum gd_err segment_apply(struct gd__wal_recovery *r, bool *again)
{
    struct gd__wal_record record;
    bool header = r->place > 0;

    if (!header) {
        enum gd_err err = header_read(r, &header);
        if (err != GD_OK) {
            return err;
        }
    }
    while (header && record_find(r, &record)) {
        const char *wrong = record_apply(r, &record);
        if (wrong != NULL) {
            return damaged(r, r->numbers[r->at], r->place, wrong);
        }
        if (record.durable > r->last_vouched) {
            r->last_vouched = record.durable;
            r->last_write = r->place - r->place % GD_BLOCK_SIZE;
        }
        r->wal->lsn_next++;
        r->place += record.size;
        r->last_end = r->place;
    }
    if (header) {
        r->last_crc =
            gd_crc32c(0, r->buffer + r->last_write, (size_t)(r->last_end - r->last_write));
    }
    *again = end_note(r);
    return GD_OK;
}

/* ---------------------------------------------------------------- the verdict */

/* A snapshot that was received and marked, and then no reset behind the mark: the log of before
 * does not lead up to it (paper section 7, "discard the entire log"). */
static bool reaches_snapshot(const struct gd__wal_recovery *r)
{
    const struct gd__wal_state *state = &r->wal->state;
    struct gd_position snapshot = state->snapshot.position;

    return snapshot.index <= r->found.before.index ||
           (snapshot.index <= state->tail.index &&
            gd__wal_runs_term(r->wal, snapshot.index) == snapshot.term);
}

static enum gd_err judge(struct gd__wal_recovery *r)
{
    struct gd_wal_recovered *found = &r->found;
    struct gd__wal_state *state = &r->wal->state;

    if (r->durable >= r->wal->lsn_next) {
        GD_REACHED("recovery: damage in front of a durable record");
        return damaged(r, r->bad_segment, r->bad_offset,
                       "a record that was stored is missing, and later ones are there");
    }
    if (!r->any && r->count > 0 && r->numbers[r->base] != 1) { /* Also above a gap. */
        return damaged(r, r->numbers[r->base], 0, "the header of the only segment is missing");
    }
    found->empty = !r->any;
    if (found->empty) {
        return GD_OK;
    }
    if (!r->reset && found->before.index > state->snapshot.position.index) {
        return damaged(r, r->numbers[r->base], 0,
                       "segments before this one are missing, and no snapshot covers them");
    }
    if (found->cut_size > 0) {
        GD_REACHED("recovery: a torn tail");
    }
    if (!reaches_snapshot(r)) {
        GD_REACHED("recovery: the log does not hold its snapshot's entry");
        log_reset(r, state->snapshot.position);
        r->wal->reset_next = true;
    }
    found->hard_state = state->hard_state;
    found->snapshot = state->snapshot;
    found->last_lsn = r->wal->lsn_next - 1;
    return GD_OK;
}

/* ---------------------------------------------------------------- phases */

static void submit(struct gd__wal_recovery *r, enum phase phase, struct gd_disk_op op)
{
    r->phase = phase;
    op.done = step_done;
    gd__wal_submit(r->wal, &r->op, op);
}

static void segment_open(struct gd__wal_recovery *r)
{
    gd__wal_path(r->wal, r->numbers[r->at], r->path);
    submit(
        r, PHASE_OPENING,
        (struct gd_disk_op){
            .kind = GD_DISK_OPEN, .file = &r->file, .path = r->path, .flags = GD_DISK_READ_ONLY});
}

static void segment_read(struct gd__wal_recovery *r)
{
    size_t left = r->size - r->filled;

    submit(r, PHASE_READING,
           (struct gd_disk_op){.kind = GD_DISK_READ,
                               .file = &r->file,
                               .offset = r->filled,
                               .data = r->buffer + r->filled,
                               .size = left < READ_SIZE ? left : READ_SIZE});
}

static void file_close(struct gd__wal_recovery *r, enum phase phase)
{
    r->open = false;
    submit(r, phase, (struct gd_disk_op){.kind = GD_DISK_CLOSE, .file = &r->file});
}

static void segment_process(struct gd__wal_recovery *r)
{
    bool again = false;
    enum gd_err err = segment_apply(r, &again);

    if (err != GD_OK) {
        r->error.code = err;
        file_close(r, PHASE_CLOSING);
        return;
    }
    if (again) {
        GD_REACHED("recovery: the end of a segment is read again");
        r->filled = r->place;
        segment_read(r);
        return;
    }
    file_close(r, PHASE_CLOSING);
}

/* Segments behind the last good one go, newest first; then the directory is durable as it is. */
static void remove_next(struct gd__wal_recovery *r)
{
    size_t keep = r->any ? r->last + 1 : 0;

    if (r->count > keep) {
        GD_REACHED("recovery: a segment without a header is removed");
        gd__wal_path(r->wal, r->numbers[r->count - 1], r->path);
        r->count--;
        submit(r, PHASE_REMOVING, (struct gd_disk_op){.kind = GD_DISK_UNLINK, .path = r->path});
        return;
    }
    tell(r, GD_OK);
}

static void directory_sync(struct gd__wal_recovery *r)
{
    submit(r, PHASE_REMOVED,
           (struct gd_disk_op){.kind = GD_DISK_SYNC_DIRECTORY, .path = r->wal->options.directory});
}

static void all_read(struct gd__wal_recovery *r)
{
    struct gd_wal *wal = r->wal;
    enum gd_err err = judge(r);

    if (err != GD_OK) {
        tell(r, err);
        return;
    }
    wal->identity = r->found.identity;
    wal->lsn_durable = wal->lsn_next - 1;
    wal->number = r->any ? r->numbers[r->last] : 0;
    if (!r->any) {
        directory_sync(r);
        return;
    }
    gd__wal_path(wal, wal->number, r->path);
    submit(r, PHASE_CUT_OPENING,
           (struct gd_disk_op){.kind = GD_DISK_OPEN, .file = &r->file, .path = r->path});
}

static void segment_next(struct gd__wal_recovery *r)
{
    if (r->at < r->base) { /* Below a gap: to be removed, if the rest proves whole. */
        GD_REACHED("recovery: segments below a gap");
        for (; r->at < r->base; r->at++) {
            gd__wal_segment_add(r->wal, r->numbers[r->at], 0, 0);
        }
    }
    if (r->at < r->count) {
        segment_open(r);
    } else {
        all_read(r);
    }
}

static void segment_closed(struct gd__wal_recovery *r)
{
    if (r->error.code != GD_OK) {
        tell(r, r->error.code);
        return;
    }
    if (r->any && r->last == r->at) {
        gd__wal_segment_add(r->wal, r->numbers[r->at], r->index_max, gd__block_up(r->last_end));
    }
    r->at++;
    segment_next(r);
}

static void segment_sized(struct gd__wal_recovery *r, uint64_t size)
{
    r->size = (size_t)size;
    r->filled = 0;
    r->place = 0;
    r->reread = 0;
    r->reread_any = false;
    r->index_max = 0;
    if (r->capacity < r->size) {
        gd_free(r->buffer);
        r->capacity = r->size;
        r->buffer = gd_malloc(r->capacity);
    }
    if (r->size > 0) {
        segment_read(r);
    } else {
        segment_process(r);
    }
}

static void segment_was_read(struct gd__wal_recovery *r, uint64_t size)
{
    if (size == 0) {
        r->size = r->filled; /* Shorter than it was said to be. */
    }
    r->filled += (size_t)size;
    if (r->filled < r->size) {
        GD_REACHED("recovery: a segment is read in pieces");
        segment_read(r);
    } else {
        segment_process(r);
    }
}

static void listed(struct gd__wal_recovery *r, char *names)
{
    size_t capacity = 0;

    for (const char *name = names; *name != '\0'; name += strlen(name) + 1) {
        uint64_t number;

        if (!gd__wal_path_parse(name, &number)) {
            continue;
        }
        if (r->count == capacity) {
            capacity = capacity == 0 ? 64 : capacity * 2;
            r->numbers = gd_realloc(r->numbers, capacity * sizeof *r->numbers);
        }
        if (r->count > 0 && number != r->numbers[r->count - 1] + 1) {
            r->base = r->count; /* Sixteen digits each: sorted by bytes is sorted by number. */
        }
        r->numbers[r->count++] = number;
    }
    gd_free(names);
    segment_next(r);
}

static void cut(struct gd__wal_recovery *r)
{
    submit(r, PHASE_CUT_TRUNCATING,
           (struct gd_disk_op){
               .kind = GD_DISK_TRUNCATE, .file = &r->file, .size = gd__block_up(r->last_end)});
}

/* The last write's bytes, as far as records reach. */
static void tail_read(struct gd__wal_recovery *r)
{
    size_t whole = (size_t)(gd__block_up(r->last_end) - r->last_write);

    r->size = (size_t)(r->last_end - r->last_write);
    if (r->capacity < whole) {
        gd_free(r->buffer);
        r->capacity = whole;
        r->buffer = gd_malloc(r->capacity);
    }
    submit(r, PHASE_CUT_READING,
           (struct gd_disk_op){.kind = GD_DISK_READ,
                               .file = &r->file,
                               .offset = r->last_write + r->filled,
                               .data = r->buffer + r->filled,
                               .size = r->size - r->filled});
}

/* Back to where they were: but only what was checked before (a read may lie once, X3). Zeros to the
 * end of the block. */
static void tail_write(struct gd__wal_recovery *r)
{
    size_t whole = (size_t)(gd__block_up(r->last_end) - r->last_write);

    if (r->filled != r->size || gd_crc32c(0, r->buffer, r->size) != r->last_crc) {
        if (!r->last_lied) {
            GD_REACHED("recovery: the last write reads differently");
            r->last_lied = true;
            r->filled = 0;
            tail_read(r);
            return;
        }
        (void)gd_error_set(&r->error, GD_ERR_IO, "%s: reads differently each time; check the disk",
                           r->path);
        file_close(r, PHASE_CLOSING); /* Its completion tells the error. */
        return;
    }
    memset(r->buffer + r->size, 0, whole - r->size);
    submit(r, PHASE_CUT_WRITING,
           (struct gd_disk_op){.kind = GD_DISK_WRITE,
                               .file = &r->file,
                               .offset = r->last_write,
                               .data = r->buffer,
                               .size = whole});
}

static void step(struct gd__wal_recovery *r, struct gd_disk_op *op)
{
    switch (r->phase) {
    case PHASE_MAKING:
        submit(r, PHASE_NAMING, (struct gd_disk_op){.kind = GD_DISK_SYNC_DIRECTORY, .path = ""});
        return;
    case PHASE_NAMING:
        submit(r, PHASE_LISTING,
               (struct gd_disk_op){.kind = GD_DISK_LIST, .path = r->wal->options.directory});
        return;
    case PHASE_LISTING:
        listed(r, op->names);
        return;
    case PHASE_OPENING:
        r->open = true;
        submit(r, PHASE_SIZING, (struct gd_disk_op){.kind = GD_DISK_SIZE, .file = &r->file});
        return;
    case PHASE_SIZING:
        segment_sized(r, op->result);
        return;
    case PHASE_READING:
        segment_was_read(r, op->result);
        return;
    case PHASE_CLOSING:
        segment_closed(r);
        return;
    case PHASE_CUT_OPENING:
        r->open = true;
        cut(r);
        return;
    case PHASE_CUT_TRUNCATING:
        r->filled = 0;
        tail_read(r);
        return;
    case PHASE_CUT_READING:
        r->filled += (size_t)op->result;
        if (op->result > 0 && r->filled < r->size) {
            tail_read(r);
            return;
        }
        tail_write(r);
        return;
    case PHASE_CUT_WRITING:
        GD_REACHED("recovery: the last write is written once more");
        submit(r, PHASE_CUT_SYNCING, (struct gd_disk_op){.kind = GD_DISK_SYNC, .file = &r->file});
        return;
    case PHASE_CUT_SYNCING:
        file_close(r, PHASE_CUT_CLOSING);
        return;
    case PHASE_CUT_CLOSING:
    case PHASE_REMOVING:
        directory_sync(r);
        return;
    case PHASE_REMOVED:
        remove_next(r);
        return;
    }
}

static void step_done(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_wal *wal = op->context;
    struct gd__wal_recovery *r = wal->recovery;

    if (err == GD_OK && op->kind == GD_DISK_OPEN && wal->closing) {
        r->open = true;
    }
    if (wal->closing && err == GD_OK && op->kind == GD_DISK_LIST) {
        gd_free(op->names);
    }
    if (!gd__wal_completed(wal)) {
        return;
    }
    if (err == GD_OK) {
        step(r, op);
        return;
    }
    if (r->error.code == GD_OK) {
        const char *path = op->path != NULL && op->path[0] != '\0' ? op->path : r->path;
        (void)gd_error_set(&r->error, err,
                           "%s: cannot read the log back: %s; check the disk and "
                           "the permissions of the data directory",
                           path[0] != '\0' ? path : wal->options.directory, gd_err_text(err));
    }
    if (r->open) {
        file_close(r, PHASE_CLOSING); /* Its completion tells the error. */
        return;
    }
    tell(r, r->error.code);
}

void gd_wal_open(struct gd_wal *wal, gd_wal_opened_fn *opened, void *context)
{
    struct gd__wal_recovery *r = gd_calloc(1, sizeof *r);

    GD_ASSERT(wal->stage == GD__WAL_IDLE);
    wal->stage = GD__WAL_OPENING;
    wal->recovery = r;
    r->wal = wal;
    r->opened = opened;
    r->context = context;
    submit(r, PHASE_MAKING,
           (struct gd_disk_op){.kind = GD_DISK_MAKE_DIRECTORY, .path = wal->options.directory});
}
