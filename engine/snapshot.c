/* snapshot.c - the store of snapshots: the directory, and writing one.
 *
 * Why. The log cannot grow for ever, and a node that was away too long needs the state itself. Both
 * want a file that is whole or not there.
 *
 * How. A file is written beside (TERM-INDEX.N.tmp), synced, renamed to TERM-INDEX.snap, the
 * directory synced; the newest two stay. What comes from a peer gathers in TERM-INDEX.part.
 * Everything in a file is in numbered, checksummed pieces with an end that repeats the totals, so
 * that a damaged or shortened one is noticed before a byte of it is used: at open by its header and
 * end, while it is read by each piece. The older one is there for the day on which the newest
 * proves damaged. Rejected: writing into the log (compaction could never drop a segment), one file
 * a key range (nothing here is large enough to merge), memory mapping (page faults stall the loop).
 *
 * The writer's states, and what a crash in each leaves behind
 *   open, ready, turn, chunk,     a .tmp file: removed at the next open.
 *   flush, end, sync, close
 *   rename                        that, or the .snap file: whole, for it was synced.
 *   name                          the same; with the directory's sync it stays.
 *   removing the third            two or three files; the next open removes it.
 * A sync of the directory that failed leaves a name that is there until the power fails, and a
 * killed process may leave it to the next start: snapshot_vouch.c.
 *
 * Invariants
 *   S1. A .snap file is whole and durable: its name was given after the sync of its bytes.
 *   S2. An older snapshot is removed only when two newer ones have durable names.
 *   S3. `done` of an end comes when the name is durable.
 *   S4. No byte of a file is given out before its piece's checksum was right. */
#include "engine/snapshot_internal.h"
#include "engine/memory.h"
#include <inttypes.h>
#include <stdio.h>

void gd__snapshot_submit(struct gd_snapshot_store *store, struct gd__storage_op *storage,
                         struct gd_disk_op op)
{
    op.context = op.context == NULL ? store : op.context;
    store->in_flight++;
    gd__storage_submit(storage, store->io, &op);
}

void gd__snapshot_turn(struct gd_snapshot_store *store, struct gd_timer *timer, gd_timer_fn *fire,
                       void *context)
{
    store->in_flight++;
    *timer = (struct gd_timer){.fire = fire, .context = context};
    gd_timer_start(store->io, timer, gd_io_now(store->io));
}

void gd__snapshot_path(const struct gd_snapshot_store *store, struct gd_position position,
                       const char *suffix, char *path)
{
    (void)snprintf(path, GD_DISK_PATH_SIZE, "%s/%016" PRIx64 "-%016" PRIx64 "%s", store->directory,
                   position.term, position.index, suffix);
}

/* ---------------------------------------------------------------- discarding, by itself */

struct discard {
    struct gd_snapshot_store *store;
    struct gd_file file;
    char path[GD_DISK_PATH_SIZE];
    struct gd__storage_op op;
};

static void discard_done(struct gd_disk_op *op, enum gd_err err)
{
    struct discard *discard = op->context;
    struct gd_snapshot_store *store = discard->store;

    if (err != GD_OK && err != GD_ERR_NOT_FOUND && op->kind != GD_DISK_CLOSE) {
        GD_REACHED("a snapshot's leftover cannot be removed");
        gd_io_log(store->io, GD_LOG_WARNING, "%s: cannot remove: %s; tried again at the next start",
                  discard->path, gd_err_text(err));
    } else if (op->kind == GD_DISK_CLOSE && discard->path[0] != '\0') {
        gd__snapshot_submit(store, &discard->op,
                            (struct gd_disk_op){.kind = GD_DISK_UNLINK,
                                                .path = discard->path,
                                                .done = discard_done,
                                                .context = discard});
        (void)gd__snapshot_completed(store);
        return;
    } else if (op->kind == GD_DISK_UNLINK) {
        gd__snapshot_submit(store, &discard->op,
                            (struct gd_disk_op){.kind = GD_DISK_SYNC_DIRECTORY,
                                                .path = store->directory,
                                                .done = discard_done,
                                                .context = discard});
        (void)gd__snapshot_completed(store);
        return;
    }
    gd_free(discard);
    (void)gd__snapshot_completed(store);
}

void gd__snapshot_discard(struct gd_snapshot_store *store, struct gd_file file, bool open,
                          const char *path)
{
    struct discard *discard = gd_calloc(1, sizeof *discard);

    discard->store = store;
    discard->file = file;
    (void)snprintf(discard->path, sizeof discard->path, "%s", path);
    if (open) {
        gd__snapshot_submit(store, &discard->op,
                            (struct gd_disk_op){.kind = GD_DISK_CLOSE,
                                                .file = &discard->file,
                                                .done = discard_done,
                                                .context = discard});
    } else {
        gd__snapshot_submit(store, &discard->op,
                            (struct gd_disk_op){.kind = GD_DISK_UNLINK,
                                                .path = discard->path,
                                                .done = discard_done,
                                                .context = discard});
    }
}

static void discard_snapshot(struct gd_snapshot_store *store, struct gd_position position)
{
    char path[GD_DISK_PATH_SIZE];

    gd__snapshot_path(store, position, ".snap", path);
    gd__snapshot_discard(store, (struct gd_file){0}, false, path);
}

/* One is durable: what was forgotten before it can go. What is later stays until its position was
 * taken anew or passed, so that no removal under way meets a new file of the same name. */
static void discard_forgotten(struct gd_snapshot_store *store, struct gd_position durable)
{
    unsigned left = 0;

    for (unsigned i = 0; i < store->forgotten_count; i++) {
        struct gd_position position = store->forgotten[i];
        if (position.index > durable.index) {
            store->forgotten[left++] = position;
        } else if (gd_position_compare(position, durable) != 0) {
            GD_REACHED("damaged snapshot removed");
            discard_snapshot(store, position);
        }
    }
    store->forgotten_count = left;
}

void gd__snapshot_add(struct gd_snapshot_store *store, const struct gd_snapshot_meta *meta)
{
    unsigned at = 0;

    discard_forgotten(store, meta->position);
    while (at < store->count && store->kept[at].position.index > meta->position.index) {
        at++;
    }
    if (at < store->count && gd_position_compare(store->kept[at].position, meta->position) == 0) {
        GD_REACHED("a snapshot of the same position is replaced");
        store->kept[at] = *meta;
        return;
    }
    for (unsigned i = store->count; i > at; i--) {
        store->kept[i] = store->kept[i - 1];
    }
    store->kept[at] = *meta;
    store->count++;
    if (store->count > GD__SNAPSHOT_KEPT) {
        store->count--; /* S2 */
        discard_snapshot(store, store->kept[store->count].position);
    }
}

void gd_snapshot_store_forget(struct gd_snapshot_store *store)
{
    GD_ASSERT(store->count > 0 && store->forgotten_count < GD__SNAPSHOT_KEPT);
    store->forgotten[store->forgotten_count++] = store->kept[0].position;
    store->count--;
    for (unsigned i = 0; i < store->count; i++) {
        store->kept[i] = store->kept[i + 1];
    }
}

const struct gd_snapshot_meta *gd_snapshot_store_get(const struct gd_snapshot_store *store,
                                                     unsigned nth)
{
    return nth < store->count ? &store->kept[nth] : NULL;
}

struct gd_position gd_snapshot_store_unreadable(const struct gd_snapshot_store *store)
{
    return store->unreadable;
}

/* ---------------------------------------------------------------- the first look */

enum look {
    LOOK_MAKING,
    LOOK_NAMING,
    LOOK_SYNCING,
    LOOK_LISTING,
    LOOK_OPENING,
    LOOK_SIZING,
    LOOK_FRONT,
    LOOK_END,
    LOOK_CLOSING,
};
struct gd__snapshot_opening {
    enum look look;
    struct gd__snapshot_call call;
    char *names, *name; /* Owned; the one in hand. */
    struct gd_file file;
    bool open;
    char path[GD_DISK_PATH_SIZE];
    uint64_t size;
    size_t filled;
    struct gd_snapshot_meta meta;
    const char *wrong; /* NULL while the file in hand is good. */
    bool again;        /* It was not, and is looked at once more: a read may lie once (io.h X3). */
    uint8_t *front;    /* GD__SNAPSHOT_HEADER_SIZE_MAX bytes. */
    struct gd__storage_op op;
};

static void look_done(struct gd_disk_op *op, enum gd_err err);

static void look_submit(struct gd_snapshot_store *store, enum look look, struct gd_disk_op op)
{
    store->opening->look = look;
    op.done = look_done;
    gd__snapshot_submit(store, &store->opening->op, op);
}

static void look_end(struct gd_snapshot_store *store, enum gd_err err)
{
    struct gd__snapshot_opening *opening = store->opening;
    struct gd__snapshot_call call = opening->call;
    struct gd_error error = {0};

    if (err != GD_OK) {
        (void)gd_error_set(&error, err,
                           "%s: cannot read the snapshots: %s; check the disk and the permissions "
                           "of the data directory",
                           opening->path[0] != '\0' ? opening->path : store->directory,
                           gd_err_text(err));
    }
    gd_free(opening->names);
    gd_free(opening->front);
    gd_free(opening);
    store->opening = NULL;
    call.done(call.context, err, err == GD_OK ? NULL : &error);
}

/* TERM-INDEX and `suffix`. */
static bool name_parse(const char *name, const char *suffix, struct gd_position *position)
{
    return strlen(name) == 33 + strlen(suffix) && name[16] == '-' &&
           gd__hex16_parse(name, &position->term) && gd__hex16_parse(name + 17, &position->index) &&
           strcmp(name + 33, suffix) == 0;
}

static bool name_ends(const char *name, const char *suffix)
{
    size_t size = strlen(name), end = strlen(suffix);

    return size >= end && strcmp(name + size - end, suffix) == 0;
}

/* Of half received files the one that stands for the most stays. */
static void part_keep(struct gd_snapshot_store *store, struct gd_position position)
{
    char path[GD_DISK_PATH_SIZE];
    struct gd_position goes = position;

    if (position.index > store->part.index) {
        goes = store->part;
        store->part = position;
    }
    if (goes.index > 0) {
        gd__snapshot_path(store, goes, ".part", path);
        gd__snapshot_discard(store, (struct gd_file){0}, false, path);
    }
}

static void look_open(struct gd_snapshot_store *store)
{
    store->opening->wrong = NULL;
    look_submit(store, LOOK_OPENING,
                (struct gd_disk_op){.kind = GD_DISK_OPEN,
                                    .file = &store->opening->file,
                                    .path = store->opening->path,
                                    .flags = GD_DISK_READ_ONLY});
}

static void look_next(struct gd_snapshot_store *store)
{
    struct gd__snapshot_opening *opening = store->opening;
    struct gd_position position;

    for (; *opening->name != '\0'; opening->name += strlen(opening->name) + 1) {
        (void)snprintf(opening->path, sizeof opening->path, "%s/%s", store->directory,
                       opening->name);
        if (name_ends(opening->name, ".tmp")) {
            GD_REACHED("a leftover of an unfinished snapshot is removed");
            gd__snapshot_discard(store, (struct gd_file){0}, false, opening->path);
        } else if (name_parse(opening->name, ".part", &position)) {
            part_keep(store, position);
        } else if (name_parse(opening->name, ".snap", &position)) {
            look_open(store);
            return;
        }
    }
    opening->path[0] = '\0';
    if (store->part.index > 0 && store->count > 0 &&
        store->part.index <= store->kept[0].position.index) {
        char path[GD_DISK_PATH_SIZE];
        gd__snapshot_path(store, store->part, ".part", path);
        gd__snapshot_discard(store, (struct gd_file){0}, false, path);
        store->part = (struct gd_position){0, 0};
    }
    look_end(store, GD_OK);
}

static void look_close(struct gd_snapshot_store *store)
{
    store->opening->open = false;
    look_submit(store, LOOK_CLOSING,
                (struct gd_disk_op){.kind = GD_DISK_CLOSE, .file = &store->opening->file});
}

static void look_read(struct gd_snapshot_store *store, enum look look)
{
    struct gd__snapshot_opening *opening = store->opening;
    bool front = look == LOOK_FRONT;
    uint64_t base = front ? 0 : opening->size - GD__SNAPSHOT_END_SIZE;
    uint64_t size = front ? opening->size : GD__SNAPSHOT_END_SIZE;

    if (size > GD__SNAPSHOT_HEADER_SIZE_MAX) {
        size = GD__SNAPSHOT_HEADER_SIZE_MAX;
    }
    look_submit(store, look,
                (struct gd_disk_op){.kind = GD_DISK_READ,
                                    .file = &opening->file,
                                    .offset = base + opening->filled,
                                    .data = opening->front + opening->filled,
                                    .size = size - opening->filled});
}

static void front_check(struct gd_snapshot_store *store)
{
    struct gd__snapshot_opening *opening = store->opening;
    struct gd_position named = {0, 0};
    size_t used;
    enum gd_err err = gd__snapshot_header_decode((struct gd_slice){opening->front, opening->filled},
                                                 &opening->meta, &used);

    (void)name_parse(opening->name, ".snap", &named);
    if (err == GD_ERR_VERSION) {
        opening->wrong = "written by another version of gandalf";
    } else if (err != GD_OK) {
        opening->wrong = "its header is damaged";
    } else if (gd_position_compare(named, opening->meta.position) != 0) {
        opening->wrong = "its header names another position than its name";
    } else if (opening->size < used + GD__SNAPSHOT_END_SIZE) {
        opening->wrong = "it is too short";
    }
    opening->filled = 0;
    if (opening->wrong != NULL) {
        look_close(store);
    } else {
        look_read(store, LOOK_END);
    }
}

static void end_check(struct gd_snapshot_store *store)
{
    struct gd__snapshot_opening *opening = store->opening;
    const uint8_t *end = opening->front;
    uint64_t offset = opening->size - GD__SNAPSHOT_END_SIZE;

    if (opening->filled != GD__SNAPSHOT_END_SIZE ||
        gd_crc32c(0, end + 4, GD__SNAPSHOT_END_SIZE - 4) != gd_get_le32(end) ||
        gd_get_le32(end + 8) != 0 || gd_get_le32(end + 24) != (uint32_t)(offset ^ offset >> 32)) {
        opening->wrong = "its end is damaged";
    }
    look_close(store);
}

static void look_closed(struct gd_snapshot_store *store)
{
    struct gd__snapshot_opening *opening = store->opening;

    if (opening->wrong != NULL && !opening->again) {
        GD_REACHED("a snapshot is looked at again");
        opening->again = true;
        look_open(store);
        return;
    }
    opening->again = false;
    if (opening->wrong == NULL) {
        opening->meta.size = opening->size;
        gd__snapshot_add(store, &opening->meta);
    } else {
        GD_REACHED("a damaged snapshot is passed over");
        gd_io_log(store->io, GD_LOG_ERROR, "%s: %s (%" PRIu64 " bytes): passed over", opening->path,
                  opening->wrong, opening->size);
    }
    opening->name += strlen(opening->name) + 1;
    look_next(store);
}

static void look_was_read(struct gd_snapshot_store *store, const struct gd_disk_op *op)
{
    struct gd__snapshot_opening *opening = store->opening;

    opening->filled += (size_t)op->result;
    if (op->result > 0 && op->result < op->size) {
        look_read(store, opening->look);
    } else if (opening->look == LOOK_FRONT) {
        front_check(store);
    } else {
        end_check(store);
    }
}

static void look_step(struct gd_snapshot_store *store, struct gd_disk_op *op)
{
    struct gd__snapshot_opening *opening = store->opening;

    switch (opening->look) {
    case LOOK_MAKING:
        look_submit(store, LOOK_NAMING,
                    (struct gd_disk_op){.kind = GD_DISK_SYNC_DIRECTORY, .path = ""});
        return;
    case LOOK_NAMING: /* A killed process can leave a name that is there but not durable. */
        look_submit(store, LOOK_SYNCING,
                    (struct gd_disk_op){.kind = GD_DISK_SYNC_DIRECTORY, .path = store->directory});
        return;
    case LOOK_SYNCING:
        look_submit(store, LOOK_LISTING,
                    (struct gd_disk_op){.kind = GD_DISK_LIST, .path = store->directory});
        return;
    case LOOK_LISTING:
        opening->names = opening->name = op->names;
        look_next(store);
        return;
    case LOOK_OPENING:
        opening->open = true;
        look_submit(store, LOOK_SIZING,
                    (struct gd_disk_op){.kind = GD_DISK_SIZE, .file = &opening->file});
        return;
    case LOOK_SIZING:
        opening->size = op->result;
        opening->filled = 0;
        look_read(store, LOOK_FRONT);
        return;
    case LOOK_FRONT:
    case LOOK_END:
        look_was_read(store, op);
        return;
    case LOOK_CLOSING:
        look_closed(store);
        return;
    }
}

static void look_done(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_snapshot_store *store = op->context;
    struct gd__snapshot_opening *opening = store->opening;

    if (err == GD_OK && op->kind == GD_DISK_LIST && store->closing) {
        gd_free(op->names);
    }
    if (err == GD_OK && op->kind == GD_DISK_OPEN) {
        opening->open = true;
    }
    if (!gd__snapshot_completed(store)) {
        return;
    }
    if (err == GD_OK) {
        look_step(store, op);
    } else if (opening->look >= LOOK_OPENING) {
        /* An older one may do. If none does, the node must not call this damage: a disk that fails
         * once may give the file at the next start. */
        struct gd_position named = {0, 0};
        opening->wrong = "it cannot be read";
        opening->again = true; /* That is no lie. */
        (void)name_parse(opening->name, ".snap", &named);
        if (named.index > store->unreadable.index) {
            store->unreadable = named;
        }
        if (opening->open) {
            look_close(store);
        } else {
            look_closed(store);
        }
    } else {
        look_end(store, err);
    }
}

void gd_snapshot_store_open(struct gd_snapshot_store *store, gd_snapshot_fn *done, void *context)
{
    struct gd__snapshot_opening *opening = gd_calloc(1, sizeof *opening);

    GD_ASSERT(store->opening == NULL);
    GD_ASSERT(store->count == 0);
    opening->call = (struct gd__snapshot_call){done, context};
    opening->front = gd_malloc(GD__SNAPSHOT_HEADER_SIZE_MAX);
    store->opening = opening;
    look_submit(store, LOOK_MAKING,
                (struct gd_disk_op){.kind = GD_DISK_MAKE_DIRECTORY, .path = store->directory});
}

/* ---------------------------------------------------------------- the writer */

static void writer_done(struct gd_disk_op *op, enum gd_err err);

static void writer_submit(struct gd_snapshot_store *store, enum gd__snapshot_writing state,
                          struct gd_disk_op op)
{
    store->writer.state = state;
    op.done = writer_done;
    gd__snapshot_submit(store, &store->writer.op, op);
}

static void writer_tell(struct gd_snapshot_store *store, enum gd_err err,
                        const struct gd_error *error)
{
    struct gd__snapshot_call call = store->writer.call;

    store->writer.call = (struct gd__snapshot_call){NULL, NULL};
    call.done(call.context, err, error);
}

void gd_snapshot_write_abort(struct gd_snapshot_store *store)
{
    struct gd__snapshot_writer *writer = &store->writer;

    if (writer->state == GD__WRITING_NONE) {
        return;
    }
    GD_ASSERT(writer->call.done == NULL || store->closing);
    if (writer->open || !store->closing) {
        gd__snapshot_discard(store, writer->file, writer->open, store->closing ? "" : writer->path);
    }
    gd_bytes_release(&writer->gathered);
    gd_bytes_release(&writer->out);
    *writer = (struct gd__snapshot_writer){0};
}

static void writer_fail(struct gd_snapshot_store *store, enum gd_err err)
{
    struct gd__snapshot_call call = store->writer.call;
    struct gd_error error;

    GD_REACHED("a snapshot cannot be written");
    (void)gd_error_set(&error, err, "%s: cannot write the snapshot: %s", store->writer.path,
                       gd_err_text(err));
    store->writer.call = (struct gd__snapshot_call){NULL, NULL};
    gd_snapshot_write_abort(store);
    call.done(call.context, err, &error);
}

static void writer_flush(struct gd_snapshot_store *store, enum gd__snapshot_writing state)
{
    struct gd__snapshot_writer *writer = &store->writer;

    writer_submit(store, state,
                  (struct gd_disk_op){.kind = GD_DISK_WRITE,
                                      .file = &writer->file,
                                      .offset = writer->offset,
                                      .data = writer->out.data,
                                      .size = writer->out.size});
}

/* Whole chunks, and the rest too when `all`, go to `out`. */
static void writer_encode(struct gd__snapshot_writer *writer, bool all)
{
    size_t done = 0;

    gd_bytes_clear(&writer->out);
    while (writer->gathered.size - done >= GD__SNAPSHOT_CHUNK_SIZE ||
           (all && writer->gathered.size > done)) {
        size_t size = writer->gathered.size - done;
        size = size < GD__SNAPSHOT_CHUNK_SIZE ? size : GD__SNAPSHOT_CHUNK_SIZE;
        gd__snapshot_chunk_add(&writer->out, writer->sequence++,
                               (struct gd_slice){writer->gathered.data + done, size});
        writer->body_size += size;
        done += size;
    }
    gd_bytes_consume(&writer->gathered, done);
    writer->crc = gd_crc32c(writer->crc, writer->out.data, writer->out.size);
    if (all) {
        gd__snapshot_end_add(&writer->out, writer->sequence, writer->offset + writer->out.size,
                             writer->body_size, writer->crc);
    }
}

static void writer_step(struct gd_snapshot_store *store)
{
    struct gd__snapshot_writer *writer = &store->writer;

    switch (writer->state) {
    case GD__WRITING_OPEN:
        gd__snapshot_header_add(&writer->out, &writer->meta);
        writer->crc = gd_crc32c(0, writer->out.data, writer->out.size);
        writer_flush(store, GD__WRITING_CHUNK);
        return;
    case GD__WRITING_CHUNK:
        writer->offset += writer->out.size;
        gd_bytes_clear(&writer->out);
        if (writer->offset - writer->flushed >= GD__SNAPSHOT_FLUSH_SIZE) {
            writer->flushed = writer->offset;
            writer_submit(store, GD__WRITING_FLUSH,
                          (struct gd_disk_op){.kind = GD_DISK_SYNC, .file = &writer->file});
            return;
        }
        writer->state = GD__WRITING_READY;
        writer_tell(store, GD_OK, NULL);
        return;
    case GD__WRITING_FLUSH:
        writer->state = GD__WRITING_READY;
        writer_tell(store, GD_OK, NULL);
        return;
    case GD__WRITING_END:
        writer->offset += writer->out.size;
        writer->meta.size = writer->offset;
        writer_submit(store, GD__WRITING_SYNC,
                      (struct gd_disk_op){.kind = GD_DISK_SYNC, .file = &writer->file});
        return;
    case GD__WRITING_SYNC:
        writer->open = false;
        writer_submit(store, GD__WRITING_CLOSE,
                      (struct gd_disk_op){.kind = GD_DISK_CLOSE, .file = &writer->file});
        return;
    case GD__WRITING_CLOSE: /* S1 */
        writer_submit(store, GD__WRITING_RENAME,
                      (struct gd_disk_op){.kind = GD_DISK_RENAME,
                                          .path = writer->path,
                                          .path_to = writer->path_to});
        return;
    case GD__WRITING_RENAME:
        writer_submit(
            store, GD__WRITING_NAME,
            (struct gd_disk_op){.kind = GD_DISK_SYNC_DIRECTORY, .path = store->directory});
        return;
    case GD__WRITING_NAME: { /* S3 */
        struct gd__snapshot_call call = writer->call;
        gd__snapshot_add(store, &writer->meta);
        gd_bytes_release(&writer->gathered);
        gd_bytes_release(&writer->out);
        *writer = (struct gd__snapshot_writer){0};
        call.done(call.context, GD_OK, NULL);
        return;
    }
    case GD__WRITING_NONE:
    case GD__WRITING_READY:
    case GD__WRITING_TURN:
        GD_ASSERT(false); /* UNTESTED: no operation is under way in these. */
    }
}

static void writer_done(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_snapshot_store *store = op->context;

    if (err == GD_OK && op->kind == GD_DISK_OPEN) {
        store->writer.open = true;
    }
    if (!gd__snapshot_completed(store)) {
        return;
    }
    if (err != GD_OK) {
        writer_fail(store, err);
    } else {
        writer_step(store);
    }
}

void gd_snapshot_write_begin(struct gd_snapshot_store *store, const struct gd_snapshot_meta *meta,
                             gd_snapshot_fn *done, void *context)
{
    struct gd__snapshot_writer *writer = &store->writer;
    char suffix[32];

    GD_ASSERT(writer->state == GD__WRITING_NONE);
    GD_ASSERT(!store->closing);
    *writer = (struct gd__snapshot_writer){.meta = *meta, .call = {done, context}};
    (void)snprintf(suffix, sizeof suffix, ".%u.tmp", ++store->temporaries);
    gd__snapshot_path(store, meta->position, suffix, writer->path);
    gd__snapshot_path(store, meta->position, ".snap", writer->path_to);
    writer_submit(store, GD__WRITING_OPEN,
                  (struct gd_disk_op){.kind = GD_DISK_OPEN,
                                      .file = &writer->file,
                                      .path = writer->path,
                                      .flags = GD_DISK_CREATE | GD_DISK_EXCLUSIVE});
}

static void writer_turn(struct gd_timer *timer)
{
    struct gd_snapshot_store *store = timer->context;

    if (gd__snapshot_completed(store)) {
        store->writer.state = GD__WRITING_READY;
        writer_tell(store, GD_OK, NULL);
    }
}

void gd_snapshot_write(struct gd_snapshot_store *store, struct gd_slice bytes, gd_snapshot_fn *done,
                       void *context)
{
    struct gd__snapshot_writer *writer = &store->writer;

    GD_ASSERT(writer->state == GD__WRITING_READY);
    writer->call = (struct gd__snapshot_call){done, context};
    gd_bytes_add(&writer->gathered, bytes.data, bytes.size);
    if (writer->gathered.size < GD__SNAPSHOT_CHUNK_SIZE) {
        writer->state = GD__WRITING_TURN;
        gd__snapshot_turn(store, &writer->turn, writer_turn, store);
        return;
    }
    writer_encode(writer, false);
    writer_flush(store, GD__WRITING_CHUNK);
}

void gd_snapshot_write_end(struct gd_snapshot_store *store, gd_snapshot_fn *done, void *context)
{
    struct gd__snapshot_writer *writer = &store->writer;

    GD_ASSERT(writer->state == GD__WRITING_READY);
    writer->call = (struct gd__snapshot_call){done, context};
    writer_encode(writer, true);
    writer_flush(store, GD__WRITING_END);
}

/* ---------------------------------------------------------------- life */

struct gd_snapshot_store *gd_snapshot_store_new(struct gd_io *io, const char *directory)
{
    struct gd_snapshot_store *store = gd_calloc(1, sizeof *store);

    GD_ASSERT(strlen(directory) + 64 < GD_DISK_PATH_SIZE);
    store->io = io;
    store->directory = directory;
    return store;
}

static void everything_end(struct gd_snapshot_store *store)
{
    struct gd__snapshot_opening *opening = store->opening;

    if (opening != NULL) {
        if (opening->open) {
            gd__snapshot_discard(store, opening->file, true, "");
        }
        gd_free(opening->look > LOOK_LISTING ? opening->names : NULL);
        gd_free(opening->front);
        gd_free(opening);
        store->opening = NULL;
    }
    gd_snapshot_write_abort(store);
    gd__snapshot_receiver_end(store);
    gd__snapshot_body_end(store);
    gd__snapshot_raws_end(store);
}

bool gd__snapshot_completed(struct gd_snapshot_store *store)
{
    GD_ASSERT(store->in_flight > 0);
    store->in_flight--;
    if (!store->closing) {
        return true;
    }
    if (store->in_flight == 0 && store->close_turned) {
        everything_end(store); /* The second time there is nothing left. */
        if (store->in_flight == 0) {
            store->closed(store->closed_context);
        }
    }
    return false;
}

static void close_turn(struct gd_timer *timer)
{
    struct gd_snapshot_store *store = timer->context;

    store->close_turned = true;
    (void)gd__snapshot_completed(store);
}

void gd_snapshot_store_close(struct gd_snapshot_store *store, void (*closed)(void *context),
                             void *context)
{
    GD_ASSERT(!store->closing);
    store->closing = true;
    store->closed = closed;
    store->closed_context = context;
    gd__snapshot_turn(store, &store->close_timer, close_turn, store);
}

void gd_snapshot_store_free(struct gd_snapshot_store *store)
{
    if (store == NULL) {
        return;
    }
    GD_ASSERT(store->in_flight == 0);
    gd_free(store->vouching);
    gd_free(store);
}
