/* wal_segment.c - segments that come (the spare, allocated ahead) and go (removed, oldest first).
 *
 * The spare's states, and what a crash in each leaves behind
 *   opening, allocating, syncing, naming   a file of zeros with the next number, of any length, or
 *                                          none: without a header it is no segment, and removed.
 *   ready                                  the same, durable.
 *   waiting                                no space: the same; tried again each second.
 * Removal's states: unlinking, then syncing the directory, before the next one is touched: a crash
 * leaves the newest segments without a gap. Invariants W4 and W6 of wal.c are kept here. */
#include "engine/memory.h"
#include "engine/wal_internal.h"
#include <inttypes.h>
#include <stdio.h>

#define SPACE_RETRY_NS (1000 * GD_NS_PER_MS)

void gd__wal_path(const struct gd_wal *wal, uint64_t number, char *path)
{
    (void)snprintf(path, GD_DISK_PATH_SIZE, "%s/%016" PRIx64 ".log", wal->options.directory,
                   number);
}

bool gd__wal_path_parse(const char *name, uint64_t *number)
{
    return strlen(name) == 20 && gd__hex16_parse(name, number) && strcmp(name + 16, ".log") == 0 &&
           *number > 0;
}

void gd__wal_segment_add(struct gd_wal *wal, uint64_t number, gd_index index_max, uint64_t size)
{
    if (wal->segment_count == wal->segment_capacity) {
        wal->segment_capacity = wal->segment_capacity == 0 ? 16 : wal->segment_capacity * 2;
        wal->segments = gd_realloc(wal->segments, wal->segment_capacity * sizeof *wal->segments);
    }
    GD_ASSERT(wal->segment_count == 0 || wal->segments[wal->segment_count - 1].number < number);
    wal->segments[wal->segment_count++] = (struct gd__wal_segment){number, index_max, size};
}

/* ---------------------------------------------------------------- the spare */

static void spare_done(struct gd_disk_op *op, enum gd_err err);

static void spare_submit(struct gd_wal *wal, enum gd__wal_spare state)
{
    struct gd__wal_file *spare = wal->spare;
    struct gd_disk_op op = {.file = &spare->file, .done = spare_done};

    wal->spare_state = state;
    switch (state) {
    case GD__SPARE_OPENING:
        op.kind = GD_DISK_OPEN;
        op.path = spare->path;
        op.flags = GD_DISK_CREATE | GD_DISK_EXCLUSIVE;
        break;
    case GD__SPARE_ALLOCATING:
        op.kind = GD_DISK_PREALLOCATE;
        op.size = wal->spare_wanted;
        break;
    case GD__SPARE_SYNCING:
        op.kind = GD_DISK_SYNC;
        break;
    case GD__SPARE_NAMING:
        op.kind = GD_DISK_SYNC_DIRECTORY;
        op.file = NULL;
        op.path = wal->options.directory;
        break;
    case GD__SPARE_NONE:
    case GD__SPARE_READY:
    case GD__SPARE_WAITING:
        GD_ASSERT(false); /* UNTESTED: no operation is under way in these. */
    }
    gd__wal_submit(wal, &spare->op, op);
}

static void spare_retry(struct gd_timer *timer)
{
    struct gd_wal *wal = timer->context;

    GD_REACHED("no space for a segment: tried again");
    spare_submit(wal, wal->spare_resume);
}

/* There is no space: what is queued waits. */
static void spare_wait(struct gd_wal *wal)
{
    GD_REACHED("no space for the next segment");
    wal->spare_resume = wal->spare_state;
    wal->spare_state = GD__SPARE_WAITING;
    if (!wal->full_told) {
        wal->full_told = true;
        gd_io_log(wal->options.io, GD_LOG_ERROR,
                  "%s: no space for the next segment of the log (%" PRIu64
                  " bytes): writes wait, tried again each second; free space on this disk",
                  wal->spare->path, wal->spare_wanted);
    }
    wal->spare_timer = (struct gd_timer){.fire = spare_retry, .context = wal};
    gd_timer_start(wal->options.io, &wal->spare_timer, gd_io_now(wal->options.io) + SPACE_RETRY_NS);
}

static void spare_failed(struct gd_wal *wal, enum gd_err err)
{
    if (err == GD_ERR_NO_SPACE && wal->spare_state != GD__SPARE_SYNCING &&
        wal->spare_state != GD__SPARE_NAMING && wal->stage != GD__WAL_HEADING) {
        spare_wait(wal);
        gd__wal_pump(wal); /* Sees that it must wait. */
        return;
    }
    gd__wal_fail(wal, err, "cannot make the next segment of the log", wal->spare->path);
}

static void spare_done(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_wal *wal = op->context;
    struct gd__wal_file *spare = wal->spare;

    if (op->kind == GD_DISK_OPEN && err == GD_OK) {
        spare->open = true;
    }
    if (!gd__wal_completed(wal)) {
        return;
    }
    if (err != GD_OK) {
        spare_failed(wal, err);
        return;
    }
    if (wal->stage == GD__WAL_FAILED) {
        return;
    }
    switch (op->kind) {
    case GD_DISK_OPEN:
        spare_submit(wal, GD__SPARE_ALLOCATING);
        return;
    case GD_DISK_PREALLOCATE:
        spare->size = op->size;
        spare_submit(wal, GD__SPARE_SYNCING);
        return;
    case GD_DISK_SYNC:
        spare_submit(wal, GD__SPARE_NAMING);
        return;
    default:
        break;
    }
    if (spare->size < wal->spare_wanted) {
        spare_submit(wal, GD__SPARE_ALLOCATING);
        return;
    }
    wal->spare_state = GD__SPARE_READY;
    wal->full = false;
    wal->full_told = false;
    gd__wal_pump(wal);
}

bool gd__wal_spare_ready(struct gd_wal *wal, uint64_t size)
{
    if (size < wal->options.segment_size) {
        size = wal->options.segment_size;
    }
    if (wal->spare == NULL) {
        struct gd__wal_file *spare = gd_calloc(1, sizeof *spare);

        spare->wal = wal;
        spare->number = wal->number + 1;
        gd__wal_path(wal, spare->number, spare->path);
        wal->spare = spare;
        wal->spare_wanted = size;
        spare_submit(wal, GD__SPARE_OPENING);
        return false;
    }
    if (wal->spare_wanted < size) {
        GD_REACHED("a record larger than a segment");
        wal->spare_wanted = size;
    }
    if (wal->spare_state == GD__SPARE_READY) {
        if (wal->spare->size >= size) {
            return true;
        }
        spare_submit(wal, GD__SPARE_ALLOCATING);
    }
    wal->full = wal->spare_state == GD__SPARE_WAITING;
    return false;
}

/* ---------------------------------------------------------------- rolling and closing */

static void retired_done(struct gd_disk_op *op, enum gd_err err)
{
    struct gd__wal_file *file = op->context;
    struct gd_wal *wal = file->wal;

    (void)err; /* All of it is durable: nothing can be lost by a close. */
    gd_free(file);
    (void)gd__wal_completed(wal);
}

static void file_close(struct gd_wal *wal, struct gd__wal_file *file)
{
    gd__wal_submit(
        wal, &file->op,
        (struct gd_disk_op){
            .kind = GD_DISK_CLOSE, .file = &file->file, .done = retired_done, .context = file});
}

void gd__wal_roll(struct gd_wal *wal)
{
    GD_ASSERT(!wal->writing);
    GD_ASSERT(wal->spare_state == GD__SPARE_READY);
    if (wal->current != NULL) {
        file_close(wal, wal->current);
    }
    wal->current = wal->spare;
    wal->number = wal->current->number;
    gd__wal_segment_add(wal, wal->number, 0, 0);
    wal->spare = NULL;
    wal->spare_state = GD__SPARE_NONE;
    wal->spare_wanted = 0;
}

bool gd__wal_files_close(struct gd_wal *wal)
{
    struct gd__wal_file **files[] = {&wal->current, &wal->spare};
    bool none = !gd__wal_recovery_close(wal);

    for (size_t i = 0; i < GD_COUNT(files); i++) {
        struct gd__wal_file *file = *files[i];

        *files[i] = NULL;
        if (file != NULL && file->open) {
            file_close(wal, file);
            none = false;
        } else {
            gd_free(file);
        }
    }
    return none;
}

/* ---------------------------------------------------------------- removal */

static void remove_synced(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_wal *wal = op->context;

    wal->removing = false;
    if (!gd__wal_completed(wal)) {
        return;
    }
    if (err != GD_OK) {
        gd__wal_fail(wal, err, "cannot sync the directory", wal->options.directory);
        return;
    }
    wal->segment_count--;
    memmove(wal->segments, wal->segments + 1, wal->segment_count * sizeof *wal->segments);
    gd__wal_remove(wal);
}

static void remove_unlinked(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_wal *wal = op->context;

    if (!gd__wal_completed(wal)) {
        return;
    }
    if (err != GD_OK && err != GD_ERR_NOT_FOUND) {
        GD_REACHED("a segment cannot be removed");
        gd_io_log(wal->options.io, GD_LOG_WARNING,
                  "%s: cannot remove: %s; tried again at the next snapshot", wal->remove_path,
                  gd_err_text(err));
        wal->removing = false;
        wal->remove_failed = true;
        return;
    }
    gd__wal_submit(wal, &wal->remove_op,
                   (struct gd_disk_op){.kind = GD_DISK_SYNC_DIRECTORY,
                                       .path = wal->options.directory,
                                       .done = remove_synced});
}

void gd__wal_remove(struct gd_wal *wal)
{
    const struct gd__wal_segment *oldest = wal->segments;

    if (wal->removing || wal->remove_failed || wal->closing || wal->stage == GD__WAL_FAILED ||
        wal->segment_count < 2 || oldest->index_max > wal->keep_after) {
        return;
    }
    if (wal->segment_count == 2 && wal->segments[1].size == 0) {
        GD_REACHED("the last whole segment stays: the header of the next is not durable yet");
        return; /* W6; its first write comes back here. */
    }
    GD_REACHED("an old segment is removed");
    GD_ASSERT(oldest->number != wal->current->number);
    wal->removing = true;
    gd__wal_path(wal, oldest->number, wal->remove_path);
    gd__wal_submit(wal, &wal->remove_op,
                   (struct gd_disk_op){
                       .kind = GD_DISK_UNLINK, .path = wal->remove_path, .done = remove_unlinked});
}
