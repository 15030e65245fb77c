/* wal.c - the write-ahead log: one sequence of records, durable in groups.
 *
 * Why. A vote, a term or an entry that was answered for and then forgotten breaks Raft (paper Fig.
 * 2, "updated on stable storage before responding"). Hard state and entries in two places would
 * need two syncs, and an order between them; in one log a single write makes both durable.
 *
 * How. Whatever arrives while a write is in flight is gathered, encoded into one buffer and written
 * by the next one (group commit). Each write begins at a block's start and is padded with zeros to
 * its end, so no write ever touches a block that holds something durable. Segments are allocated
 * ahead, one at a time, so that a write changes no file's length. Each begins with a header that
 * repeats identity, boot, hard state, snapshot mark and the log's tail: an older segment is needed
 * for its entries alone and can go with them.
 *
 * Torn or damaged. Each record carries its LSN (one more for each record, over all segments) and
 * the LSN up to which all was durable when it was written. Where reading finds no record with the
 * next LSN, the log ends - unless any whole record behind that place says that the missing one was
 * durable already: then it was stored, perhaps answered for, and is gone; that is damage, and the
 * node does not start. A whole record behind a bad one is by itself no proof: the blocks of one
 * unsynced write reach the disk in any order. What no record vouches for is the very last write
 * before a stop: should it rot, it looks torn. So a note is written behind a start's header, before
 * the start is told, and behind whatever was last when nothing came for a while; only damage to
 * what was stored within that while before a stop is taken for a torn write.
 *
 * Rejected: recycling old segments (stale records to tell from new ones, for one unlink saved);
 * cutting by zeroing in place (rewrites a block with durable data); a separate file for votes (two
 * syncs); an index of entries (the log in memory is the index).
 *
 * A write's states, and what a crash in each leaves behind
 *   idle                  the log as told.
 *   waiting for a spare   the same, and perhaps an empty segment at the end: removed by recovery.
 *   writing               besides, any subset of the write's sectors: recovery keeps the records up
 *                         to the first bad one, durably, and cuts the rest.
 *
 * Invariants
 *   W1. `stored` is told for a sequence only when all its records, and all before, are durable.
 *   W2. At most one write is in flight; the next begins behind it, at a block's start.
 *   W3. LSNs count up by one, without a gap, over all segments that are kept.
 *   W4. A segment's header is written only when every record of the segments before is durable.
 *   W5. The first failed write or sync ends all writing; nothing is tried again (io.h X4).
 *   W6. Segments are removed from the oldest on, one durable removal at a time, and only when a
 *       durable mark says that their entries are not needed, and one whose header is durable stays.
 *   W7. Recovery changes nothing on the disk before it has judged all of it. */
#include "engine/wal_internal.h"
#include "engine/memory.h"

#define SEAL_AFTER_NS (50 * GD_NS_PER_MS)

void gd__wal_submit(struct gd_wal *wal, struct gd__storage_op *storage, struct gd_disk_op op)
{
    op.context = op.context == NULL ? wal : op.context;
    wal->in_flight++;
    gd__storage_submit(storage, wal->options.io, &op);
}

/* ---------------------------------------------------------------- terms in runs */

/* The run that holds `index`, or run_count. */
static size_t run_find(const struct gd_wal *wal, gd_index index)
{
    for (size_t i = wal->run_count; i-- > 0;) {
        if (wal->runs[i].first <= index) {
            return i;
        }
    }
    return wal->run_count;
}

gd_term gd__wal_runs_term(const struct gd_wal *wal, gd_index index)
{
    size_t at = run_find(wal, index);

    return at < wal->run_count && index <= wal->state.tail.index ? wal->runs[at].term : 0;
}

void gd__wal_runs_append(struct gd_wal *wal, struct gd_position position)
{
    if (wal->run_count == 0 || wal->runs[wal->run_count - 1].term != position.term) {
        if (wal->run_count == wal->run_capacity) {
            wal->run_capacity = wal->run_capacity == 0 ? 16 : wal->run_capacity * 2;
            wal->runs = gd_realloc(wal->runs, wal->run_capacity * sizeof *wal->runs);
        }
        wal->runs[wal->run_count++] = (struct gd__wal_run){position.index, position.term};
    }
    wal->state.tail = position;
}

void gd__wal_runs_reset(struct gd_wal *wal, struct gd_position position)
{
    wal->run_count = 0;
    gd__wal_runs_append(wal, position);
}

void gd__wal_runs_truncate(struct gd_wal *wal, gd_index from)
{
    gd_index last = from - 1;
    gd_term term = gd__wal_runs_term(wal, last);

    while (wal->run_count > 0 && wal->runs[wal->run_count - 1].first > last) {
        wal->run_count--;
    }
    wal->state.tail = (struct gd_position){term, last};
}

/* Forget runs that end at or below `index`. */
static void runs_forget(struct gd_wal *wal, gd_index index)
{
    size_t gone = 0;

    while (gone + 1 < wal->run_count && wal->runs[gone + 1].first <= index) {
        gone++;
    }
    if (gone > 0) {
        wal->run_count -= gone;
        memmove(wal->runs, wal->runs + gone, wal->run_count * sizeof *wal->runs);
    }
}

/* ---------------------------------------------------------------- the queue */

static size_t item_size(const struct gd__wal_item *item)
{
    switch (item->type) {
    case GD__WAL_ENTRY:
        return GD__WAL_RECORD_SIZE + GD__WAL_ENTRY_SIZE + item->u.entry->size;
    case GD__WAL_SNAPSHOT:
    case GD__WAL_INSTALL:
        return GD__WAL_HEADER_SIZE_MAX; /* At most; marks are rare. */
    case GD__WAL_HARD_STATE:
    case GD__WAL_TRUNCATE:
    case GD__WAL_RESET:
        return GD__WAL_RECORD_SIZE + 16;
    case GD__WAL_NOTE:
    case GD__WAL_HEADER:
        break;
    }
    return GD__WAL_RECORD_SIZE;
}

static void item_drop(const struct gd__wal_item *item)
{
    if (item->type == GD__WAL_ENTRY) {
        gd_entry_drop(item->u.entry);
    } else if (item->type == GD__WAL_SNAPSHOT || item->type == GD__WAL_INSTALL) {
        gd_free(item->u.mark);
    }
}

static struct gd__wal_item *item_at(const struct gd_wal *wal, size_t n)
{
    return &wal->items[(wal->item_first + n) & (wal->item_capacity - 1)];
}

/* Room for one more at the end; the caller sets its value before anything else happens. */
static struct gd__wal_item *item_push(struct gd_wal *wal, const struct gd__wal_item *item)
{
    if (wal->item_count == wal->item_capacity) {
        size_t capacity = wal->item_capacity == 0 ? 64 : wal->item_capacity * 2;
        struct gd__wal_item *items = gd_malloc(capacity * sizeof *items);

        for (size_t i = 0; i < wal->item_count; i++) {
            items[i] = *item_at(wal, i);
        }
        gd_free(wal->items);
        wal->items = items;
        wal->item_capacity = capacity;
        wal->item_first = 0;
    }
    wal->item_count++;
    wal->queued_size += item_size(item);
    *item_at(wal, wal->item_count - 1) = *item;
    return item_at(wal, wal->item_count - 1);
}

static void item_pop(struct gd_wal *wal)
{
    struct gd__wal_item *item = item_at(wal, 0);

    wal->queued_size -= item_size(item);
    item_drop(item);
    wal->item_first = (wal->item_first + 1) & (wal->item_capacity - 1);
    wal->item_count--;
}

static void turn_come(struct gd_timer *timer)
{
    gd__wal_pump(timer->context);
}

void gd_wal_append(struct gd_wal *wal, const struct gd_raft_persist *persist)
{
    struct gd__wal_item *last = NULL;

    GD_ASSERT(wal->stage >= GD__WAL_HEADING);
    GD_ASSERT(persist->sequence > 0);
    if (wal->closing || wal->stage == GD__WAL_FAILED) {
        return; /* Nothing will be told of it. */
    }
    if (persist->hard_state_changed) {
        last = item_push(wal, &(struct gd__wal_item){.type = GD__WAL_HARD_STATE,
                                                     .u.hard_state = persist->hard_state});
    }
    if (persist->truncate_from > 0) {
        last = item_push(wal, &(struct gd__wal_item){.type = GD__WAL_TRUNCATE,
                                                     .u.from = persist->truncate_from});
    }
    if (persist->reset) {
        last = item_push(
            wal, &(struct gd__wal_item){.type = GD__WAL_RESET, .u.position = persist->reset_to});
    }
    for (size_t i = 0; i < persist->entry_count; i++) {
        last =
            item_push(wal, &(struct gd__wal_item){.type = GD__WAL_ENTRY,
                                                  .u.entry = gd_entry_share(persist->entries[i])});
    }
    if (last == NULL) {
        last = item_push(wal, &(struct gd__wal_item){.type = GD__WAL_NOTE});
    }
    last->sequence = persist->sequence;
    if (persist->reset) { /* Its snapshot's mark comes with this turn of the loop. */
        gd_timer_start(wal->options.io, &wal->turn, gd_io_now(wal->options.io));
    }
    gd__wal_pump(wal);
}

/* A reset to `position` that waits, or NULL. */
static struct gd__wal_item *reset_find(const struct gd_wal *wal, struct gd_position position)
{
    for (size_t i = 0; i < wal->item_count; i++) {
        struct gd__wal_item *item = item_at(wal, i);
        if (item->type == GD__WAL_RESET && gd_position_compare(item->u.position, position) == 0) {
            return item;
        }
    }
    return NULL;
}

void gd_wal_snapshot(struct gd_wal *wal, const struct gd_snapshot_meta *meta, gd_index keep_after)
{
    struct gd__wal_mark *mark;
    struct gd__wal_item *reset;

    GD_ASSERT(wal->stage >= GD__WAL_HEADING);
    GD_ASSERT(keep_after <= meta->position.index);
    if (wal->closing || wal->stage == GD__WAL_FAILED) {
        return;
    }
    mark = gd_malloc(sizeof *mark);
    *mark = (struct gd__wal_mark){*meta, keep_after};
    reset = gd_timer_running(&wal->turn) ? reset_find(wal, meta->position) : NULL;
    if (reset != NULL) {
        GD_REACHED("a reset and its snapshot's mark become one record");
        wal->queued_size -= item_size(reset);
        reset->type = GD__WAL_INSTALL;
        reset->u.mark = mark;
        wal->queued_size += item_size(reset);
        return;
    }
    (void)item_push(wal, &(struct gd__wal_item){.type = GD__WAL_SNAPSHOT, .u.mark = mark});
    gd__wal_pump(wal);
}

/* ---------------------------------------------------------------- the batch */

static size_t record_begin(struct gd_wal *wal)
{
    return gd__wal_record_begin(&wal->batch);
}

static void record_end(struct gd_wal *wal, size_t begin, enum gd__wal_type type)
{
    gd__wal_record_end(&wal->batch, begin, type, wal->current->number, wal->lsn_next,
                       wal->lsn_durable);
    wal->lsn_next++;
}

static void header_encode(struct gd_wal *wal)
{
    struct gd__wal_header header = {.segment = wal->current->number,
                                    .identity = wal->identity,
                                    .reset = wal->reset_next,
                                    .adopts = wal->adopt_next,
                                    .state = wal->state};
    size_t begin = record_begin(wal);

    GD_ASSERT(wal->lsn_durable + 1 == wal->lsn_next); /* W4 */
    gd__wal_header_add(&wal->batch, &header);
    GD_ASSERT(wal->batch.size - begin <= GD__WAL_HEADER_SIZE_MAX);
    record_end(wal, begin, GD__WAL_HEADER);
    wal->reset_next = false;
    wal->adopt_next = false;
}

/* Entries at and after `from` will not be there: none of them is told as the last one. */
static void last_drop(struct gd_wal *wal, gd_index from)
{
    if (wal->batch_last.index >= from) {
        wal->batch_last = (struct gd_position){0, 0};
    }
    if (wal->open_last.index >= from) {
        wal->open_last = (struct gd_position){0, 0};
    }
}

static void entry_encode(struct gd_wal *wal, const struct gd_entry *entry)
{
    struct gd__wal_segment *segment = &wal->segments[wal->segment_count - 1];

    GD_ASSERT(entry->position.index == wal->state.tail.index + 1);
    GD_ASSERT(entry->position.term >= wal->state.tail.term);
    gd__wal_entry_add(&wal->batch, entry);
    gd__wal_runs_append(wal, entry->position);
    wal->open_last = entry->position;
    if (segment->index_max < entry->position.index) {
        segment->index_max = entry->position.index;
    }
}

static void mark_encode(struct gd_wal *wal, const struct gd__wal_mark *mark)
{
    gd__wal_snapshot_add(&wal->batch, &mark->meta, mark->keep_after);
    wal->state.snapshot = mark->meta;
    wal->state.keep_after = mark->keep_after;
    wal->batch_mark = true;
    runs_forget(wal, mark->keep_after);
}

static void item_encode(struct gd_wal *wal, const struct gd__wal_item *item)
{
    size_t begin = record_begin(wal);

    switch (item->type) {
    case GD__WAL_ENTRY:
        entry_encode(wal, item->u.entry);
        break;
    case GD__WAL_HARD_STATE:
        GD_ASSERT(item->u.hard_state.term >= wal->state.hard_state.term);
        gd__wal_hard_state_add(&wal->batch, &item->u.hard_state);
        wal->state.hard_state = item->u.hard_state;
        break;
    case GD__WAL_TRUNCATE:
        GD_ASSERT(item->u.from <= wal->state.tail.index + 1);
        gd__wal_runs_truncate(wal, item->u.from);
        gd__wal_position_add(&wal->batch, wal->state.tail);
        last_drop(wal, item->u.from);
        break;
    case GD__WAL_RESET:
        gd__wal_position_add(&wal->batch, item->u.position);
        gd__wal_runs_reset(wal, item->u.position);
        last_drop(wal, 0);
        break;
    case GD__WAL_INSTALL:
        gd__wal_runs_reset(wal, item->u.mark->meta.position);
        last_drop(wal, 0);
        mark_encode(wal, item->u.mark);
        break;
    case GD__WAL_SNAPSHOT:
        mark_encode(wal, item->u.mark);
        break;
    case GD__WAL_NOTE:
    case GD__WAL_HEADER:
        break;
    }
    record_end(wal, begin, item->type);
    if (item->sequence > 0) {
        wal->batch_sequence = item->sequence;
        if (wal->open_last.index > 0) {
            wal->batch_last = wal->open_last;
            wal->open_last = (struct gd_position){0, 0};
        }
    }
}

/* Make sure that the current segment has room for `size` bytes of records, rolling to the next one
 * when it has not. False: it will be pumped again when there is one. */
static bool room_make(struct gd_wal *wal, size_t size)
{
    if (wal->current != NULL && size <= wal->current->size - wal->current->offset) {
        return true;
    }
    if (!gd__wal_spare_ready(wal, gd__block_up(GD__WAL_HEADER_SIZE_MAX + size))) {
        return false;
    }
    if (wal->current != NULL) {
        GD_REACHED("log rolled to its next segment");
    }
    gd__wal_roll(wal);
    header_encode(wal);
    return true;
}

/* As many records as a write and the segment take, at least one. */
static void batch_fill(struct gd_wal *wal)
{
    size_t room = (size_t)(wal->current->size - wal->current->offset);
    size_t count = 0;

    wal->batch_seals = wal->item_count == 1 && item_at(wal, 0)->type == GD__WAL_NOTE &&
                       item_at(wal, 0)->sequence == 0;
    while (wal->item_count > 0) {
        const struct gd__wal_item *item = item_at(wal, 0);
        size_t size = wal->batch.size + item_size(item);

        if (size > room || (count > 0 && size > wal->options.batch_size_max)) {
            break;
        }
        item_encode(wal, item);
        item_pop(wal);
        count++;
    }
    GD_ASSERT(wal->batch.size <= room);
}

static void write_done(struct gd_disk_op *op, enum gd_err err);

static void batch_submit(struct gd_wal *wal)
{
    struct gd__wal_file *file = wal->current;
    size_t padding;

    wal->batch_records_size = wal->batch.size;
    padding = (size_t)gd__block_up(wal->batch.size) - wal->batch.size;
    if (padding > 0) {
        memset(gd_bytes_reserve(&wal->batch, padding), 0, padding);
        wal->batch.size += padding;
    }
    GD_ASSERT(file->offset % GD_BLOCK_SIZE == 0); /* W2 */
    GD_ASSERT(!wal->writing);
    wal->writing = true;
    gd__wal_submit(wal, &file->op,
                   (struct gd_disk_op){.kind = GD_DISK_WRITE_DURABLE,
                                       .file = &file->file,
                                       .offset = file->offset,
                                       .data = wal->batch.data,
                                       .size = wal->batch.size,
                                       .done = write_done});
}

void gd__wal_pump(struct gd_wal *wal)
{
    if (wal->writing || wal->closing || wal->telling || gd_timer_running(&wal->turn)) {
        return;
    }
    switch (wal->stage) {
    case GD__WAL_HEADING: /* The header alone, so that the note behind it can vouch for it. */
        if (room_make(wal, 0)) {
            batch_submit(wal);
        }
        return;
    case GD__WAL_NOTING: {
        struct gd__wal_item note = {.type = GD__WAL_NOTE};
        if (room_make(wal, item_size(&note))) {
            item_encode(wal, &note);
            wal->batch_seals = true;
            batch_submit(wal);
        }
        return;
    }
    case GD__WAL_RUNNING:
        if (wal->item_count > 0 && room_make(wal, item_size(item_at(wal, 0)))) {
            wal->full = false;
            batch_fill(wal);
            batch_submit(wal);
        }
        return;
    case GD__WAL_IDLE:
    case GD__WAL_OPENING:
    case GD__WAL_OPENED:
    case GD__WAL_FAILED:
        return;
    }
}

static void seal(struct gd_timer *timer)
{
    struct gd_wal *wal = timer->context;

    if (wal->stage == GD__WAL_RUNNING && !wal->writing && wal->item_count == 0) {
        GD_REACHED("a note vouches for the last write");
        (void)item_push(wal, &(struct gd__wal_item){.type = GD__WAL_NOTE});
        gd__wal_pump(wal);
    }
}

static void stored_tell(struct gd_wal *wal)
{
    uint64_t sequence = wal->batch_sequence;
    struct gd_position last = wal->batch_last;

    wal->batch_sequence = 0;
    if (sequence > 0) {
        GD_ASSERT(sequence > wal->sequence_durable);
        wal->batch_last = (struct gd_position){0, 0};
        wal->sequence_durable = sequence;
        wal->options.stored(wal->options.context, sequence, last); /* W1 */
    }
}

static void batch_clear(struct gd_wal *wal)
{
    if (wal->batch.capacity / 4 > wal->options.batch_size_max) {
        gd_bytes_release(&wal->batch);
    } else {
        gd_bytes_clear(&wal->batch);
    }
    wal->batch_records_size = 0;
}

static void write_done(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_wal *wal = op->context;
    bool mark = wal->batch_mark;

    wal->writing = false;
    if (err != GD_OK || wal->stage == GD__WAL_FAILED) {
        if (gd__wal_completed(wal)) {
            gd__wal_fail(wal, err, "cannot write",
                         wal->current->path); /* W5: harmless the second time. */
        }
        return;
    }
    wal->syncs++;
    wal->bytes += wal->batch.size;
    wal->current->offset += wal->batch.size;
    wal->segments[wal->segment_count - 1].size = wal->current->offset;
    wal->lsn_durable = wal->lsn_next - 1;
    wal->batch_mark = false;
    batch_clear(wal);
    wal->telling = true;
    if (wal->stage == GD__WAL_HEADING) {
        wal->stage = GD__WAL_NOTING;
    } else if (wal->stage == GD__WAL_NOTING) {
        wal->stage = GD__WAL_RUNNING;
        wal->started(wal->started_context, GD_OK, NULL);
        mark = true; /* What an earlier start left behind may go now. */
    } else {
        stored_tell(wal);
    }
    wal->telling = false;
    if (!gd__wal_completed(wal)) {
        return;
    }
    if (mark) {
        wal->keep_after = wal->state.keep_after;
        wal->remove_failed = false;
    }
    gd__wal_remove(wal); /* Also what the mark covered while it was still being written to. */
    gd__wal_pump(wal);
    if (!wal->writing && !wal->batch_seals) {
        gd_timer_start(wal->options.io, &wal->seal_timer,
                       gd_io_now(wal->options.io) + SEAL_AFTER_NS);
    }
    if (wal->spare == NULL) {
        (void)gd__wal_spare_ready(wal, wal->options.segment_size);
    }
}

void gd__wal_fail(struct gd_wal *wal, enum gd_err err, const char *what, const char *path)
{
    struct gd_error error;
    bool starting = wal->stage == GD__WAL_HEADING || wal->stage == GD__WAL_NOTING;

    if (wal->stage == GD__WAL_FAILED) {
        return;
    }
    GD_REACHED("log failed: nothing more is written");
    wal->stage = GD__WAL_FAILED; /* W5 */
    (void)gd_error_set(&error, err,
                       "%s: %s: %s; what was written last cannot be relied on: stop this node, "
                       "check its disk, start it again",
                       path, what, gd_err_text(err));
    if (starting) {
        wal->started(wal->started_context, err, &error);
    } else {
        wal->options.failed(wal->options.context, &error);
    }
}

/* ---------------------------------------------------------------- life */

struct gd_wal *gd_wal_new(const struct gd_wal_options *options)
{
    struct gd_wal *wal = gd_calloc(1, sizeof *wal);

    GD_ASSERT(options->segment_size > 0);
    GD_ASSERT(options->segment_size % GD_BLOCK_SIZE == 0);
    GD_ASSERT(strlen(options->directory) + 32 < GD_DISK_PATH_SIZE);
    wal->options = *options;
    wal->lsn_next = 1;
    wal->turn = (struct gd_timer){.fire = turn_come, .context = wal};
    wal->seal_timer = (struct gd_timer){.fire = seal, .context = wal};
    return wal;
}

void gd_wal_start(struct gd_wal *wal, const struct gd_wal_identity *identity,
                  const struct gd_hard_state *hard_state, const struct gd_snapshot_meta *snapshot,
                  void (*started)(void *context, enum gd_err err, const struct gd_error *error),
                  void *context)
{
    gd_index reach = snapshot->position.index;

    GD_ASSERT(wal->stage == GD__WAL_OPENED);
    GD_ASSERT(identity->boot > wal->identity.boot);
    GD_ASSERT(hard_state->term >= wal->state.hard_state.term);
    wal->stage = GD__WAL_HEADING;
    wal->started = started;
    wal->started_context = context;
    wal->adopt_next =
        wal->identity.cluster_id != 0 && wal->identity.cluster_id != identity->cluster_id;
    wal->identity = *identity;
    wal->state.hard_state = *hard_state;
    wal->state.snapshot = *snapshot;
    if (wal->state.keep_after > reach) {
        wal->state.keep_after = reach;
    }
    if (reach > wal->state.tail.index) {
        GD_REACHED("log ends below its snapshot: begins anew behind it");
        gd__wal_runs_reset(wal, snapshot->position);
        wal->reset_next = true;
    }
    gd__wal_pump(wal);
}

bool gd__wal_completed(struct gd_wal *wal)
{
    GD_ASSERT(wal->in_flight > 0);
    wal->in_flight--;
    if (wal->closing && wal->in_flight == 0 && wal->close_turned && gd__wal_files_close(wal)) {
        wal->closed(wal->closed_context);
        return false;
    }
    return !wal->closing;
}

static void close_turn(struct gd_timer *timer)
{
    struct gd_wal *wal = timer->context;

    wal->close_turned = true;
    wal->in_flight++;
    (void)gd__wal_completed(wal);
}

void gd_wal_close(struct gd_wal *wal, void (*closed)(void *context), void *context)
{
    GD_ASSERT(!wal->closing);
    wal->closing = true;
    wal->closed = closed;
    wal->closed_context = context;
    gd_timer_stop(wal->options.io, &wal->spare_timer);
    gd_timer_stop(wal->options.io, &wal->turn);
    gd_timer_stop(wal->options.io, &wal->seal_timer);
    wal->close_timer = (struct gd_timer){.fire = close_turn, .context = wal};
    gd_timer_start(wal->options.io, &wal->close_timer, gd_io_now(wal->options.io));
}

void gd_wal_free(struct gd_wal *wal)
{
    if (wal == NULL) {
        return;
    }
    GD_ASSERT(wal->in_flight == 0);
    while (wal->item_count > 0) {
        item_pop(wal);
    }
    gd__wal_recovery_free(wal->recovery);
    gd_free(wal->items);
    gd_free(wal->runs);
    gd_free(wal->segments);
    gd_free(wal->current);
    gd_free(wal->spare);
    gd_bytes_release(&wal->batch);
    gd_free(wal);
}

uint64_t gd_wal_durable(const struct gd_wal *wal)
{
    return wal->sequence_durable;
}

size_t gd_wal_queued(const struct gd_wal *wal)
{
    return wal->queued_size + wal->batch_records_size;
}

bool gd_wal_full(const struct gd_wal *wal)
{
    return wal->full;
}

uint64_t gd_wal_size(const struct gd_wal *wal)
{
    uint64_t size = 0;

    for (size_t i = 0; i < wal->segment_count; i++) {
        size += wal->segments[i].size;
    }
    return size;
}

void gd_wal_counters(const struct gd_wal *wal, uint64_t *syncs, uint64_t *bytes)
{
    *syncs = wal->syncs;
    *bytes = wal->bytes;
}
