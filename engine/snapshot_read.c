/* snapshot_read.c - reading snapshot files: checked, piece by piece, for ourselves; raw for peers.
 *
 * The cursor reads ahead by up to a read's size and gives out one piece a step, each after its
 * checksum was right (S4). What is bad is read once more: a read may lie once (io.h X3); what is
 * bad twice is bad. A raw file stays open for a while after its last read, so that a transfer goes
 * on when the file's name is removed meanwhile; the receiver checks what it got. Nothing here
 * writes: a crash leaves nothing. */
#include "engine/memory.h"
#include "engine/snapshot_internal.h"
#include <inttypes.h>
#include <stdio.h>

#define CURSOR_READ_SIZE (256u * 1024u)
#define RAW_IDLE_NS (30 * 1000 * GD_NS_PER_MS)

/* ---------------------------------------------------------------- the cursor */

static void cursor_done(struct gd_disk_op *op, enum gd_err err);

void gd__snapshot_cursor_start(struct gd__snapshot_cursor *cursor, struct gd_snapshot_store *store,
                               struct gd_file *file)
{
    struct gd_bytes bytes = cursor->bytes;

    gd_bytes_clear(&bytes);
    *cursor = (struct gd__snapshot_cursor){.store = store, .file = file, .bytes = bytes};
}

void gd__snapshot_cursor_release(struct gd__snapshot_cursor *cursor)
{
    gd_bytes_release(&cursor->bytes);
}

static void cursor_read(struct gd__snapshot_cursor *cursor)
{
    uint8_t *to = gd_bytes_reserve(&cursor->bytes, CURSOR_READ_SIZE);

    gd__snapshot_submit(cursor->store, &cursor->op,
                        (struct gd_disk_op){.kind = GD_DISK_READ,
                                            .file = cursor->file,
                                            .offset = cursor->offset + cursor->bytes.size,
                                            .data = to,
                                            .size = CURSOR_READ_SIZE,
                                            .done = cursor_done,
                                            .context = cursor});
}

/* Drop what the last piece took; it now counts as read. */
static void cursor_take(struct gd__snapshot_cursor *cursor)
{
    cursor->crc = gd_crc32c(cursor->crc, cursor->bytes.data, cursor->taken);
    cursor->offset += cursor->taken;
    gd_bytes_consume(&cursor->bytes, cursor->taken);
    cursor->taken = 0;
}

/* The piece at the buffer's front. */
static enum gd_err cursor_decode(struct gd__snapshot_cursor *cursor,
                                 struct gd__snapshot_piece *piece)
{
    enum gd_err err;

    if (!cursor->header_read) {
        size_t size = 0;
        err = gd__snapshot_header_decode(gd_bytes_slice(&cursor->bytes), &cursor->meta, &size);
        if (err != GD_OK) {
            return err;
        }
        cursor->header_read = true;
        cursor->taken = size;
        cursor_take(cursor);
    }
    err = gd__snapshot_piece_decode(gd_bytes_slice(&cursor->bytes), cursor->offset,
                                    cursor->sequence, cursor->body_size, cursor->crc, piece);
    if (err == GD_OK && !piece->end) {
        cursor->taken = piece->size;
        cursor->sequence++;
        cursor->body_size += piece->data.size;
    }
    return err;
}

/* Tell the next piece, or read on when the buffer does not hold it. `at_end`: a read has just found
 * the file's end. */
static void cursor_step(struct gd__snapshot_cursor *cursor, bool at_end)
{
    struct gd__snapshot_piece piece = {0};
    enum gd_err err = cursor_decode(cursor, &piece);
    bool ends = err == GD_OK && piece.end;
    bool goes_on = ends && cursor->bytes.size > piece.size;
    if (!at_end && !goes_on && (ends || err == GD_ERR_MORE)) {
        cursor_read(cursor);
        return;
    }
    if (goes_on || err == GD_ERR_MORE) {
        err = GD_ERR_CORRUPT; /* Bytes behind its end, or it ends too early. */
    }
    if (err == GD_ERR_CORRUPT && (!cursor->again || cursor->again_from != cursor->offset)) {
        GD_REACHED("a snapshot's piece is read again");
        cursor->again = true;
        cursor->again_from = cursor->offset;
        gd_bytes_clear(&cursor->bytes);
        cursor_read(cursor);
        return;
    }
    cursor->told(cursor, err, err == GD_OK ? &piece : NULL);
}

static void cursor_turn(struct gd_timer *timer)
{
    struct gd__snapshot_cursor *cursor = timer->context;

    if (gd__snapshot_completed(cursor->store)) {
        cursor_step(cursor, false);
    }
}

static void cursor_done(struct gd_disk_op *op, enum gd_err err)
{
    struct gd__snapshot_cursor *cursor = op->context;

    if (!gd__snapshot_completed(cursor->store)) {
        return;
    }
    if (err != GD_OK) {
        cursor->told(cursor, err, NULL);
        return;
    }
    cursor->bytes.size += (size_t)op->result;
    cursor_step(cursor, op->result == 0);
}

void gd__snapshot_cursor_next(struct gd__snapshot_cursor *cursor, gd__snapshot_cursor_fn *told,
                              void *context)
{
    cursor->told = told;
    cursor->context = context;
    cursor_take(cursor);
    if (cursor->bytes.size == 0) {
        cursor_read(cursor);
    } else {
        gd__snapshot_turn(cursor->store, &cursor->turn, cursor_turn, cursor);
    }
}

/* ---------------------------------------------------------------- the body, for a restore */

static enum gd_err body_error(const struct gd__snapshot_body *body, enum gd_err err,
                              struct gd_error *error)
{
    return gd_error_set(error, err, "%s: %s at offset %" PRIu64 ": %s", body->path,
                        err == GD_ERR_IO ? "cannot read" : "damaged", body->cursor.offset,
                        gd_err_text(err));
}

void gd__snapshot_body_end(struct gd_snapshot_store *store)
{
    struct gd__snapshot_body *body = &store->body;

    if (body->open) {
        gd__snapshot_discard(store, body->file, true, "");
    }
    gd__snapshot_cursor_release(&body->cursor);
    *body = (struct gd__snapshot_body){0};
}

static void body_opened(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_snapshot_store *store = op->context;
    struct gd__snapshot_body *body = &store->body;
    struct gd__snapshot_call call = body->call;
    struct gd_error error;

    body->open = err == GD_OK;
    if (!gd__snapshot_completed(store)) {
        return;
    }
    body->busy = false;
    if (body->ended) {
        gd__snapshot_body_end(store);
        return;
    }
    if (err != GD_OK) {
        (void)gd_error_set(&error, err, "%s: cannot open the snapshot: %s", body->path,
                           gd_err_text(err));
        gd__snapshot_body_end(store);
        call.done(call.context, err, &error);
        return;
    }
    gd__snapshot_cursor_start(&body->cursor, store, &body->file);
    call.done(call.context, GD_OK, NULL);
}

void gd_snapshot_read_begin(struct gd_snapshot_store *store, unsigned nth, gd_snapshot_fn *done,
                            void *context)
{
    struct gd__snapshot_body *body = &store->body;

    GD_ASSERT(!body->active);
    GD_ASSERT(nth < store->count);
    GD_ASSERT(!store->closing);
    *body = (struct gd__snapshot_body){
        .active = true, .busy = true, .meta = store->kept[nth], .call = {done, context}};
    gd__snapshot_path(store, body->meta.position, ".snap", body->path);
    gd__snapshot_submit(store, &body->op,
                        (struct gd_disk_op){.kind = GD_DISK_OPEN,
                                            .file = &body->file,
                                            .path = body->path,
                                            .flags = GD_DISK_READ_ONLY,
                                            .done = body_opened});
}

static void body_told(struct gd__snapshot_cursor *cursor, enum gd_err err,
                      const struct gd__snapshot_piece *piece)
{
    struct gd_snapshot_store *store = cursor->context;
    struct gd__snapshot_body *body = &store->body;
    struct gd__snapshot_call call = body->call;
    struct gd_slice none = {NULL, 0};
    struct gd_error error;

    body->busy = false;
    if (body->ended) {
        gd__snapshot_body_end(store);
        return;
    }
    if (err == GD_OK && gd_position_compare(cursor->meta.position, body->meta.position) != 0) {
        err = GD_ERR_CORRUPT;
    }
    if (err != GD_OK) {
        GD_REACHED("a snapshot proves damaged while it is read");
        (void)body_error(body, err, &error);
        body->read(call.context, err, none, &error);
    } else {
        body->read(call.context, GD_OK, piece->end ? none : piece->data, NULL);
    }
}

void gd_snapshot_read(struct gd_snapshot_store *store, gd_snapshot_read_fn *done, void *context)
{
    struct gd__snapshot_body *body = &store->body;

    GD_ASSERT(body->active && !body->busy);
    body->busy = true;
    body->read = done;
    body->call.context = context;
    gd__snapshot_cursor_next(&body->cursor, body_told, store);
}

void gd_snapshot_read_end(struct gd_snapshot_store *store)
{
    if (store->body.busy) {
        GD_REACHED("a restore is given up while it reads");
        store->body.ended = true; /* What is in flight ends it. */
    } else if (store->body.active) {
        gd__snapshot_body_end(store);
    }
}

/* ---------------------------------------------------------------- raw bytes, for peers */

struct raw_read {
    struct raw_read *next; /* While it waits for the open. */
    struct gd__snapshot_raw *raw;
    struct gd_snapshot_store *store;
    struct gd_snapshot_chunk_read *read; /* The caller's. */
    size_t filled;
    struct gd_timer turn;
    struct gd__storage_op op;
};

static void raw_close(struct gd__snapshot_raw *raw)
{
    struct gd_snapshot_store *store = raw->store;
    struct gd__snapshot_raw **at = &store->raws;

    while (*at != raw) {
        at = &(*at)->next;
    }
    *at = raw->next;
    gd_timer_stop(store->io, &raw->idle);
    if (raw->open) {
        gd__snapshot_discard(store, raw->file, true, "");
    }
    gd_free(raw);
}

void gd__snapshot_raws_end(struct gd_snapshot_store *store)
{
    while (store->raws != NULL) {
        while (store->raws->waiting != NULL) {
            struct raw_read *pending = store->raws->waiting;
            store->raws->waiting = pending->next;
            gd_free(pending);
        }
        raw_close(store->raws);
    }
}

static void raw_idle(struct gd_timer *timer)
{
    raw_close(timer->context);
}

static void raw_tell(struct raw_read *pending, enum gd_err err)
{
    struct gd__snapshot_raw *raw = pending->raw;
    struct gd_snapshot_chunk_read *read = pending->read;
    size_t size = pending->filled;

    gd_free(pending);
    if (raw != NULL && --raw->reads == 0) {
        if (raw->open) {
            gd_timer_start(raw->store->io, &raw->idle, gd_io_now(raw->store->io) + RAW_IDLE_NS);
        } else {
            raw_close(raw);
        }
    }
    read->done(read, err, err == GD_OK ? size : 0);
}

static void raw_done(struct gd_disk_op *op, enum gd_err err);

static void raw_submit(struct raw_read *pending)
{
    const struct gd_snapshot_chunk_read *read = pending->read;

    gd__snapshot_submit(pending->store, &pending->op,
                        (struct gd_disk_op){.kind = GD_DISK_READ,
                                            .file = &pending->raw->file,
                                            .offset = read->offset + pending->filled,
                                            .data = read->to + pending->filled,
                                            .size = read->size - pending->filled,
                                            .done = raw_done,
                                            .context = pending});
}

static void raw_done(struct gd_disk_op *op, enum gd_err err)
{
    struct raw_read *pending = op->context;
    struct gd_snapshot_store *store = pending->store;

    if (store->closing) {
        gd_free(pending);
        (void)gd__snapshot_completed(store);
        return;
    }
    (void)gd__snapshot_completed(store);
    if (err == GD_OK) {
        pending->filled += (size_t)op->result;
        if (op->result > 0 && pending->filled < pending->read->size) {
            GD_REACHED("a snapshot's chunk is read in pieces");
            raw_submit(pending);
            return;
        }
    }
    raw_tell(pending, err);
}

static void raw_opened(struct gd_disk_op *op, enum gd_err err)
{
    struct gd__snapshot_raw *raw = op->context;
    struct gd_snapshot_store *store = raw->store;
    struct raw_read *pending;

    raw->open = err == GD_OK;
    raw->opening = false;
    if (!gd__snapshot_completed(store)) {
        return;
    }
    pending = raw->waiting;
    raw->waiting = NULL;
    while (pending != NULL) {
        struct raw_read *next = pending->next;
        if (err == GD_OK) {
            raw_submit(pending);
        } else {
            raw_tell(pending, err);
        }
        pending = next;
    }
}

static void raw_absent(struct gd_timer *timer)
{
    struct raw_read *pending = timer->context;
    struct gd_snapshot_store *store = pending->store;

    if (store->closing) {
        gd_free(pending);
        (void)gd__snapshot_completed(store);
        return;
    }
    (void)gd__snapshot_completed(store);
    raw_tell(pending, GD_ERR_NOT_FOUND);
}

/* The open file at `position`, a new one whose open has begun, or NULL: there is none. One that
 * could not be opened stays for those who wait for it to be told, and is nobody else's. */
static struct gd__snapshot_raw *raw_find(struct gd_snapshot_store *store,
                                         struct gd_position position)
{
    struct gd__snapshot_raw *raw;

    for (raw = store->raws; raw != NULL; raw = raw->next) {
        if ((raw->open || raw->opening) && gd_position_compare(raw->position, position) == 0) {
            return raw;
        }
    }
    for (unsigned i = 0; i < store->count; i++) {
        if (gd_position_compare(store->kept[i].position, position) != 0) {
            continue;
        }
        raw = gd_calloc(1, sizeof *raw);
        raw->store = store;
        raw->next = store->raws;
        raw->position = position;
        raw->opening = true;
        raw->idle = (struct gd_timer){.fire = raw_idle, .context = raw};
        gd__snapshot_path(store, position, ".snap", raw->path);
        store->raws = raw;
        gd__snapshot_submit(store, &raw->op,
                            (struct gd_disk_op){.kind = GD_DISK_OPEN,
                                                .file = &raw->file,
                                                .path = raw->path,
                                                .flags = GD_DISK_READ_ONLY,
                                                .done = raw_opened,
                                                .context = raw});
        return raw;
    }
    return NULL;
}

void gd_snapshot_chunk_read(struct gd_snapshot_store *store, struct gd_snapshot_chunk_read *read)
{
    struct raw_read *pending = gd_calloc(1, sizeof *pending);
    struct gd__snapshot_raw *raw = raw_find(store, read->position);

    GD_ASSERT(!store->closing);
    *pending = (struct raw_read){.raw = raw, .store = store, .read = read};
    if (raw == NULL) {
        gd__snapshot_turn(store, &pending->turn, raw_absent, pending);
        return;
    }
    raw->reads++;
    gd_timer_stop(store->io, &raw->idle);
    if (raw->opening) {
        struct raw_read **at = &raw->waiting;
        while (*at != NULL) {
            at = &(*at)->next;
        }
        *at = pending;
    } else {
        raw_submit(pending);
    }
}
