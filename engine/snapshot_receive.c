/* snapshot_receive.c - a snapshot that comes from a peer, as raw bytes of its file.
 *
 * The states, and what a crash in each leaves behind
 *   open, check, truncate,       a .part file, good up to some piece. A later start finds how far
 * by ready, turn, write, flush    reading it, and goes on there. sync, verify                 the
 * same, whole. drop                         it proved bad: that, or an empty .part file. close,
 * rename                the .part file, or the .snap file: whole (S1). name the same; with the
 * directory's sync it stays.
 *
 * What is stored of a transfer is not synced chunk by chunk: a crash may leave holes in it, so its
 * pieces' checksums say where it goes on, and the whole is read once more before it gets its name.
 */
#include "engine/memory.h"
#include "engine/snapshot_internal.h"
#include <stdio.h>

static void receiver_done(struct gd_disk_op *op, enum gd_err err);
static void receiver_write(struct gd_snapshot_store *store);

static void submit(struct gd_snapshot_store *store, enum gd__snapshot_receiving state,
                   struct gd_disk_op op)
{
    store->receiver.state = state;
    op.done = receiver_done;
    gd__snapshot_submit(store, &store->receiver.op, op);
}

static void truncate_to(struct gd_snapshot_store *store, enum gd__snapshot_receiving state,
                        uint64_t size)
{
    store->receiver.stored = size;
    store->receiver.flushed = size;
    submit(
        store, state,
        (struct gd_disk_op){.kind = GD_DISK_TRUNCATE, .file = &store->receiver.file, .size = size});
}

static void progress_tell(struct gd_snapshot_store *store, enum gd_err err)
{
    struct gd__snapshot_receiver *receiver = &store->receiver;

    receiver->state = receiver->open ? GD__RECEIVING_READY : GD__RECEIVING_NONE;
    receiver->bytes = (struct gd_slice){NULL, 0};
    receiver->progress(receiver->call.context, err, receiver->stored);
}

static void end_tell(struct gd_snapshot_store *store, enum gd_err err, const char *what)
{
    struct gd__snapshot_receiver *receiver = &store->receiver;
    struct gd__snapshot_call call = receiver->call;
    struct gd_error error;

    (void)gd_error_set(&error, err, "%s: %s: %s", receiver->path, what, gd_err_text(err));
    receiver->state = receiver->open ? GD__RECEIVING_READY : GD__RECEIVING_NONE;
    call.done(call.context, err, err == GD_OK ? NULL : &error);
}

void gd__snapshot_receiver_end(struct gd_snapshot_store *store)
{
    struct gd__snapshot_receiver *receiver = &store->receiver;

    if (receiver->open) {
        gd__snapshot_discard(store, receiver->file, true, "");
    }
    gd__snapshot_cursor_release(&receiver->cursor);
    *receiver = (struct gd__snapshot_receiver){0};
}

/* ---------------------------------------------------------------- the end: check and name it */

static void finish(struct gd_snapshot_store *store)
{
    struct gd__snapshot_receiver *receiver = &store->receiver;
    struct gd__snapshot_call call = receiver->call;
    struct gd_snapshot_meta meta = receiver->cursor.meta;

    meta.size = receiver->size;
    gd__snapshot_receiver_end(store);
    gd__snapshot_add(store, &meta);
    call.done(call.context, GD_OK, NULL);
}

static void verified(struct gd__snapshot_cursor *cursor, enum gd_err err,
                     const struct gd__snapshot_piece *piece)
{
    struct gd_snapshot_store *store = cursor->context;
    struct gd__snapshot_receiver *receiver = &store->receiver;

    if (err == GD_OK && !piece->end) {
        gd__snapshot_cursor_next(cursor, verified, store);
        return;
    }
    if (err == GD_OK && gd_position_compare(cursor->meta.position, receiver->position) != 0) {
        err = GD_ERR_CORRUPT;
    }
    if (err == GD_ERR_IO) {
        end_tell(store, err, "cannot read what was received");
    } else if (err != GD_OK) {
        GD_REACHED("a received snapshot proves damaged");
        receiver->err = err;
        truncate_to(store, GD__RECEIVING_DROP, 0);
    } else {
        receiver->open = false;
        submit(store, GD__RECEIVING_CLOSE,
               (struct gd_disk_op){.kind = GD_DISK_CLOSE, .file = &receiver->file});
    }
}

static void end_turn(struct gd_timer *timer)
{
    struct gd_snapshot_store *store = timer->context;

    if (gd__snapshot_completed(store)) {
        end_tell(store, store->receiver.err, "the snapshot is not yet whole");
    }
}

void gd_snapshot_receive_end(struct gd_snapshot_store *store, gd_snapshot_fn *done, void *context)
{
    struct gd__snapshot_receiver *receiver = &store->receiver;

    GD_ASSERT(receiver->state == GD__RECEIVING_READY || receiver->state == GD__RECEIVING_NONE);
    receiver->call = (struct gd__snapshot_call){done, context};
    if (receiver->state == GD__RECEIVING_NONE || receiver->stored != receiver->size) {
        GD_REACHED("the end of a transfer that is not whole");
        receiver->err = GD_ERR_MORE;
        receiver->state = GD__RECEIVING_TURN;
        gd__snapshot_turn(store, &receiver->turn, end_turn, store);
        return;
    }
    submit(store, GD__RECEIVING_SYNC,
           (struct gd_disk_op){.kind = GD_DISK_SYNC, .file = &receiver->file});
}

/* ---------------------------------------------------------------- chunks */

/* How much of a file that an earlier start left is good? */
static void checked(struct gd__snapshot_cursor *cursor, enum gd_err err,
                    const struct gd__snapshot_piece *piece)
{
    struct gd_snapshot_store *store = cursor->context;
    uint64_t good = cursor->header_read ? cursor->offset : 0;

    if (err == GD_OK && !piece->end) {
        gd__snapshot_cursor_next(cursor, checked, store);
        return;
    }
    if (err == GD_OK) {
        good += piece->size;
    }
    if (good > store->receiver.size ||
        (cursor->header_read &&
         gd_position_compare(cursor->meta.position, store->receiver.position) != 0)) {
        good = 0;
    }
    if (good > 0) {
        GD_REACHED("a half received snapshot is gone on with");
    }
    truncate_to(store, GD__RECEIVING_TRUNCATE, good);
}

static void chunk_turn(struct gd_timer *timer)
{
    struct gd_snapshot_store *store = timer->context;

    if (gd__snapshot_completed(store)) {
        progress_tell(store, GD_OK);
    }
}

/* The file is open, `stored` known: write the chunk if it is the next one. */
static void receiver_write(struct gd_snapshot_store *store)
{
    struct gd__snapshot_receiver *receiver = &store->receiver;

    if (receiver->offset != receiver->stored || receiver->bytes.size == 0 ||
        receiver->bytes.size > receiver->size - receiver->stored) {
        receiver->state = GD__RECEIVING_TURN;
        gd__snapshot_turn(store, &receiver->turn, chunk_turn, store);
        return;
    }
    submit(store, GD__RECEIVING_WRITE,
           (struct gd_disk_op){.kind = GD_DISK_WRITE,
                               .file = &receiver->file,
                               .offset = receiver->offset,
                               .data = (void *)(uintptr_t)receiver->bytes.data,
                               .size = receiver->bytes.size});
}

/* What was received so far of another snapshot goes. */
static void other_drop(struct gd_snapshot_store *store, struct gd_position position)
{
    struct gd__snapshot_receiver *receiver = &store->receiver;
    char path[GD_DISK_PATH_SIZE];

    if (store->part.index > 0 && gd_position_compare(store->part, position) != 0) {
        GD_REACHED("a half received snapshot is given up for another");
        gd__snapshot_path(store, store->part, ".part", path);
        gd__snapshot_discard(store, receiver->file, receiver->open, path);
        receiver->open = false;
        store->part = (struct gd_position){0, 0};
    }
    gd__snapshot_receiver_end(store);
}

void gd_snapshot_receive(struct gd_snapshot_store *store, struct gd_position position,
                         uint64_t size, uint64_t offset, struct gd_slice bytes,
                         gd_snapshot_progress_fn *done, void *context)
{
    struct gd__snapshot_receiver *receiver = &store->receiver;
    bool same = receiver->state == GD__RECEIVING_READY && receiver->size == size &&
                gd_position_compare(receiver->position, position) == 0;

    GD_ASSERT(receiver->state == GD__RECEIVING_READY || receiver->state == GD__RECEIVING_NONE);
    GD_ASSERT(!store->closing);
    if (!same) {
        other_drop(store, position);
        receiver->position = position;
        receiver->size = size;
        gd__snapshot_path(store, position, ".part", receiver->path);
        gd__snapshot_path(store, position, ".snap", receiver->path_to);
    }
    receiver->offset = offset;
    receiver->bytes = bytes;
    receiver->progress = done;
    receiver->call.context = context;
    if (same) {
        receiver_write(store);
        return;
    }
    submit(store, GD__RECEIVING_OPEN,
           (struct gd_disk_op){.kind = GD_DISK_OPEN,
                               .file = &receiver->file,
                               .path = receiver->path,
                               .flags = GD_DISK_CREATE});
}

static void receiver_step(struct gd_snapshot_store *store)
{
    struct gd__snapshot_receiver *receiver = &store->receiver;

    switch (receiver->state) {
    case GD__RECEIVING_OPEN:
        store->part = receiver->position;
        receiver->state = GD__RECEIVING_CHECK;
        gd__snapshot_cursor_start(&receiver->cursor, store, &receiver->file);
        gd__snapshot_cursor_next(&receiver->cursor, checked, store);
        return;
    case GD__RECEIVING_TRUNCATE:
        receiver_write(store);
        return;
    case GD__RECEIVING_WRITE:
        receiver->stored += receiver->bytes.size;
        if (receiver->stored - receiver->flushed >= GD__SNAPSHOT_FLUSH_SIZE) {
            receiver->flushed = receiver->stored;
            submit(store, GD__RECEIVING_FLUSH,
                   (struct gd_disk_op){.kind = GD_DISK_SYNC, .file = &receiver->file});
            return;
        }
        progress_tell(store, GD_OK);
        return;
    case GD__RECEIVING_FLUSH:
        progress_tell(store, GD_OK);
        return;
    case GD__RECEIVING_SYNC:
        receiver->state = GD__RECEIVING_VERIFY;
        gd__snapshot_cursor_start(&receiver->cursor, store, &receiver->file);
        gd__snapshot_cursor_next(&receiver->cursor, verified, store);
        return;
    case GD__RECEIVING_DROP:
        end_tell(store, receiver->err, "what was received is damaged, and dropped");
        return;
    case GD__RECEIVING_CLOSE: /* S1 */
        submit(store, GD__RECEIVING_RENAME,
               (struct gd_disk_op){
                   .kind = GD_DISK_RENAME, .path = receiver->path, .path_to = receiver->path_to});
        return;
    case GD__RECEIVING_RENAME:
        store->part = (struct gd_position){0, 0};
        submit(store, GD__RECEIVING_NAME,
               (struct gd_disk_op){.kind = GD_DISK_SYNC_DIRECTORY, .path = store->directory});
        return;
    case GD__RECEIVING_NAME: /* S3 */
        finish(store);
        return;
    case GD__RECEIVING_NONE:
    case GD__RECEIVING_CHECK:
    case GD__RECEIVING_READY:
    case GD__RECEIVING_TURN:
    case GD__RECEIVING_VERIFY:
        GD_ASSERT(false); /* UNTESTED: no operation is under way in these. */
    }
}

/* What was under way failed. After a failed sync the file's bytes prove nothing (io.h X4): away
 * with it. */
static void failed(struct gd_snapshot_store *store, enum gd_err err)
{
    struct gd_position nowhere = {0, 0};
    struct gd__snapshot_receiver was = store->receiver;
    struct gd_error error;

    switch (was.state) {
    case GD__RECEIVING_OPEN:
    case GD__RECEIVING_TRUNCATE:
    case GD__RECEIVING_WRITE:
        progress_tell(store, err);
        return;
    case GD__RECEIVING_FLUSH:
        other_drop(store, nowhere);
        was.progress(was.call.context, err, 0);
        return;
    default:
        (void)gd_error_set(&error, err, "%s: cannot store the snapshot: %s", was.path,
                           gd_err_text(err));
        other_drop(store, nowhere);
        was.call.done(was.call.context, err, &error);
    }
}

static void receiver_done(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_snapshot_store *store = op->context;
    struct gd__snapshot_receiver *receiver = &store->receiver;

    if (err == GD_OK && op->kind == GD_DISK_OPEN) {
        receiver->open = true;
    }
    if (!gd__snapshot_completed(store)) {
        return;
    }
    if (err == GD_OK) {
        receiver_step(store);
        return;
    }
    GD_REACHED("a received snapshot cannot be stored");
    failed(store, err);
}
