/* snapshots.c - snapshots taken, sent, received, restored.
 *
 * A snapshot's body is the node's own tables (a 32-bit length, then the dedup table), then the
 * Tracker's stream. Taking one: the Tracker freezes its state between two batches (its turn), the
 * meta names that very index, and from there the body flows in bounded pieces, Tracker to store,
 * while writes go on. Only when the file is durable under its name does Raft hear of it, and only
 * then may the log before it go.
 *
 * A crash while taking or receiving leaves an unfinished file, which the next open removes or
 * resumes.
 *
 * Invariants
 *   S1. The meta's position, stamp and configuration are those of the frozen state.
 *   S2. Raft learns of a snapshot after it is durable; segments go after the log's mark is.
 *   S3. The log still reaches the older of the two snapshots kept.
 *   S4. Raft is told of none as taken that the state has not come up to: it cuts the log there. */
#include "engine/node_internal.h"
#include "engine/memory.h"

enum { BUFFER_SIZE = 128 * 1024 };

/* ---------------------------------------------------------------- taking */

/* Tell Raft and the log of a snapshot that is durable (S2). */
static void announce(struct gd_node *node, enum gd_raft_event_kind kind)
{
    const struct gd_snapshot_meta *newest = gd_snapshot_store_get(node->store, 0);
    const struct gd_snapshot_meta *older = gd_snapshot_store_get(node->store, 1);
    struct gd_raft_event event = {.kind = kind, .snapshot = newest};
    struct gd_snapshot_meta meta = *newest;
    gd_index keep_after = older == NULL ? 0 : older->position.index; /* S3 */

    GD_ASSERT(kind != GD_RAFT_SNAPSHOT_TAKEN ||
              meta.position.index <= node->apply.applied); /* S4 */
    (void)gd__node_step(node, &event);
    if (keep_after > gd_raft_first_index(node->raft) - 1) {
        keep_after = gd_raft_first_index(node->raft) - 1;
    }
    gd_wal_snapshot(node->wal, &meta, keep_after);
}

/* The newest snapshot's index. One that arrived when the log had passed it, from another leader, is
 * not Raft's, and may be ahead of the state. */
static gd_index newest_index(const struct gd_node *node)
{
    const struct gd_snapshot_meta *newest = gd_snapshot_store_get(node->store, 0);
    gd_index known = gd_raft_snapshot(node->raft)->position.index;

    return newest != NULL && newest->position.index > known ? newest->position.index : known;
}

static void finish_taking(struct gd_node *node, const char *failure)
{
    struct gd__snapshots *s = &node->snapshots;
    size_t count = s->waiting_count;

    if (s->began) {
        node->options.tracker->v->snapshot_end(node->options.tracker);
        s->began = false;
    }
    gd_free(s->buffer);
    s->buffer = NULL;
    gd_bytes_release(&s->head);
    s->taking = false;
    s->begin_wanted = false;
    s->waiting_count = 0;
    if (failure != NULL) { /* A full disk stays full for a while. */
        s->not_before = gd_io_now(node->io) + node->options.election_timeout_ms * GD_NS_PER_MS;
    }
    for (size_t i = 0; i < count; i++) {
        gd__slot_outcome(s->waiting[i], failure == NULL ? GD_OUTCOME_DONE : GD_OUTCOME_REFUSED,
                         failure == NULL ? "" : failure);
    }
    gd__node_kick(node);
}

static void abort_taking(struct gd_node *node, enum gd_err err, const struct gd_error *error)
{
    GD_REACHED("snapshot abandoned");
    gd__node_log(node, GD_LOG_WARNING, "snapshot abandoned: %s",
                 error != NULL ? error->text : gd_err_text(err));
    gd_snapshot_write_abort(node->store);
    finish_taking(node, gd_err_text(err));
}

static void on_ended(void *context, enum gd_err err, const struct gd_error *error)
{
    struct gd_node *node = context;
    uint64_t syncs;

    if (node->phase == GD__CLOSING) {
        return;
    }
    if (err != GD_OK) {
        gd__node_log(node, GD_LOG_WARNING, "snapshot not stored: %s",
                     error != NULL ? error->text : gd_err_text(err));
        finish_taking(node, gd_err_text(err));
        return;
    }
    node->snapshots.taken++;
    node->snapshots.bytes_since = 0;
    gd_wal_counters(node->wal, &syncs, &node->snapshots.wal_bytes_then);
    GD_REACHED("snapshot taken");
    announce(node, GD_RAFT_SNAPSHOT_TAKEN);
    finish_taking(node, NULL);
}

static void on_written(void *context, enum gd_err err, const struct gd_error *error);

static void on_stream(void *context, enum gd_err err, size_t size)
{
    struct gd_node *node = context;
    struct gd__snapshots *s = &node->snapshots;

    if (node->phase == GD__CLOSING) {
        return;
    }
    if (err != GD_OK) {
        abort_taking(node, err, NULL);
    } else if (size == 0) {
        gd_snapshot_write_end(node->store, on_ended, node);
    } else {
        gd_snapshot_write(node->store, (struct gd_slice){s->buffer, size}, on_written, node);
    }
}

static void on_written(void *context, enum gd_err err, const struct gd_error *error)
{
    struct gd_node *node = context;

    if (node->phase == GD__CLOSING) {
        return;
    }
    if (err != GD_OK) {
        abort_taking(node, err, error);
        return;
    }
    node->options.tracker->v->snapshot_read(node->options.tracker, node->snapshots.buffer,
                                            BUFFER_SIZE, on_stream, node);
}

static void on_write_begun(void *context, enum gd_err err, const struct gd_error *error)
{
    struct gd_node *node = context;

    if (node->phase == GD__CLOSING) {
        return;
    }
    if (err != GD_OK) {
        abort_taking(node, err, error);
        return;
    }
    gd_snapshot_write(node->store, gd_bytes_slice(&node->snapshots.head), on_written, node);
}

static void on_frozen(void *context, enum gd_err err)
{
    struct gd_node *node = context;
    struct gd__snapshots *s = &node->snapshots;

    node->apply.busy = false;
    if (node->phase == GD__CLOSING) {
        return;
    }
    if (err != GD_OK) {
        finish_taking(node, gd_err_text(err));
        return;
    }
    s->began = true;
    s->buffer = gd_malloc(BUFFER_SIZE);
    gd_snapshot_write_begin(node->store, &s->meta, on_write_begun, node);
    gd__node_kick(node);
}

void gd__snapshot_begin(struct gd_node *node)
{
    struct gd__snapshots *s = &node->snapshots;
    gd_index config_index;
    const struct gd_config *config;
    struct gd_bytes table = {0};

    s->begin_wanted = false;
    if (node->apply.applied <= newest_index(node) || s->receiving) {
        finish_taking(node, NULL); /* There is nothing new to take. */
        return;
    }
    if (gd__apply_ahead(node)) { /* A5: it failed and came back meanwhile. */
        finish_taking(node, "the database is ahead of what this node has gone through; try again");
        return;
    }
    config = gd_raft_config_at(node->raft, node->apply.applied, &config_index);
    s->meta = (struct gd_snapshot_meta){
        .position = {node->apply.applied_term, node->apply.applied},
        .stamp_ms = node->apply.stamp_ms,
        .config_index = config_index,
        .config = *config,
    }; /* S1 */
    gd_dedup_encode(&node->apply.dedup, &table);
    gd_bytes_clear(&s->head);
    gd_bytes_add_le32(&s->head, (uint32_t)table.size);
    gd_bytes_add(&s->head, table.data, table.size);
    gd_bytes_release(&table);
    node->apply.busy = true;
    node->options.tracker->v->snapshot_begin(node->options.tracker, on_frozen, node);
}

/* Has enough come since the last one: in bytes of entries, in entries, or in bytes on the disk
 * (where small writes take a whole block each)? */
static bool enough_since(struct gd_node *node)
{
    const struct gd__snapshots *s = &node->snapshots;
    const struct gd_node_options *o = &node->options;
    uint64_t behind = node->apply.applied - gd_raft_snapshot(node->raft)->position.index;
    uint64_t syncs, written;

    gd_wal_counters(node->wal, &syncs, &written);
    return behind > 0 && (s->bytes_since >= o->snapshot_log_size ||
                          written - s->wal_bytes_then >= 4 * o->snapshot_log_size ||
                          (o->snapshot_log_count != 0 && behind >= o->snapshot_log_count));
}

void gd__snapshot_consider(struct gd_node *node)
{
    struct gd__snapshots *s = &node->snapshots;
    gd_index newest;

    if (s->taking || s->receiving || node->apply.restoring || node->apply.rebuild ||
        node->apply.away || node->phase != GD__SERVING) {
        return;
    }
    newest = newest_index(node);
    if (newest > gd_raft_snapshot(node->raft)->position.index && newest <= node->apply.applied) {
        GD_REACHED("state has come up to a snapshot that arrived behind the log");
        announce(node, GD_RAFT_SNAPSHOT_TAKEN); /* S4 */
    }
    if (s->waiting_count == 0 && (gd_io_now(node->io) < s->not_before || !enough_since(node) ||
                                  node->apply.applied <= newest)) {
        return; /* Bytes without a new entry (hard state, marks) are nothing to take. */
    }
    if (gd__apply_ahead(node)) { /* A5 */
        GD_REACHED("no snapshot yet: the database is ahead of the log's replay");
        return;
    }
    s->taking = true;
    s->begin_wanted = true;
}

/* ---------------------------------------------------------------- sending */

static void on_chunk_read(struct gd_snapshot_chunk_read *read, enum gd_err err, size_t size)
{
    struct gd__peer *peer = read->context;
    struct gd_node *node = peer->node;

    peer->chunk_reading = false;
    if (node->phase == GD__CLOSING || peer->removed) {
        gd__peers_follow(node);
        return;
    }
    if (err != GD_OK) {
        /* Damaged or gone: Raft probes the peer again and goes on with the newest. */
        struct gd_raft_event event = {.kind = GD_RAFT_UNREACHABLE, .peer = peer->id};
        GD_REACHED("snapshot chunk could not be read for a peer");
        (void)gd__node_step(node, &event);
        return;
    }
    peer->chunk_message.install.data = (struct gd_slice){peer->chunk_bytes.data, size};
    gd__peer_send(node, &peer->chunk_message);
    gd__node_kick(node);
}

void gd__snapshot_send(struct gd_node *node, const struct gd_message *message)
{
    struct gd__peer *peer = gd__peer_find(node, message->to);

    if (peer == NULL || peer->chunk_reading) {
        return; /* Raft asks again in time. */
    }
    gd_bytes_clear(&peer->chunk_bytes);
    peer->chunk_message = *message;
    peer->chunk_reading = true;
    peer->chunk = (struct gd_snapshot_chunk_read){
        .position = message->install.position,
        .offset = message->install.offset,
        .to = gd_bytes_reserve(&peer->chunk_bytes, node->options.snapshot_chunk_size),
        .size = node->options.snapshot_chunk_size,
        .done = on_chunk_read,
        .context = peer,
    };
    gd_snapshot_chunk_read(node->store, &peer->chunk);
}

/* ---------------------------------------------------------------- receiving */

static void report_progress(struct gd_node *node, enum gd_raft_event_kind kind, uint64_t offset)
{
    struct gd_raft_event event = {.kind = kind};

    event.progress.position = node->snapshots.position;
    event.progress.offset = offset;
    (void)gd__node_step(node, &event);
}

static void on_received_whole(void *context, enum gd_err err, const struct gd_error *error)
{
    struct gd_node *node = context;

    if (node->phase == GD__CLOSING) {
        return;
    }
    node->snapshots.receiving = false;
    if (err != GD_OK) {
        GD_REACHED("received snapshot was damaged");
        gd__node_log(node, GD_LOG_WARNING, "received snapshot dropped: %s",
                     error != NULL ? error->text : gd_err_text(err));
        report_progress(node, GD_RAFT_SNAPSHOT_FAILED, 0);
        return;
    }
    GD_REACHED("snapshot received and stored");
    announce(node, GD_RAFT_SNAPSHOT_INSTALLED);
}

static void on_chunk_stored(void *context, enum gd_err err, uint64_t offset)
{
    struct gd_node *node = context;
    struct gd__snapshots *s = &node->snapshots;

    if (node->phase == GD__CLOSING) {
        return;
    }
    if (err != GD_OK) {
        s->receiving = false;
        GD_REACHED("received chunk could not be stored");
        report_progress(node, GD_RAFT_SNAPSHOT_FAILED, 0);
    } else if (offset == s->size) {
        gd_snapshot_receive_end(node->store, on_received_whole, node);
    } else {
        s->receiving = false;
        report_progress(node, GD_RAFT_SNAPSHOT_PROGRESS, offset);
    }
}

void gd__snapshot_receive(struct gd_node *node, const struct gd_raft_chunk *chunk)
{
    struct gd__snapshots *s = &node->snapshots;

    if (s->receiving || s->taking || node->apply.restoring || node->apply.rebuild ||
        s->restore_wanted) {
        GD_REACHED("snapshot chunk dropped: busy");
        return; /* The sender tries again. */
    }
    s->receiving = true;
    s->from = chunk->from;
    s->position = chunk->install.position;
    s->size = chunk->install.size;
    gd_bytes_clear(&s->chunk);
    gd_bytes_add(&s->chunk, chunk->install.data.data, chunk->install.data.size);
    gd_snapshot_receive(node->store, s->position, s->size, chunk->install.offset,
                        gd_bytes_slice(&s->chunk), on_chunk_stored, node);
}

/* ---------------------------------------------------------------- restoring
 *
 * restore_begin, then body pieces: first into `restore_head` until the node's tables are whole, the
 * rest to the Tracker; restore_end commits only when the whole body was read and checked. */

struct gd__restore {
    struct gd_node *node;
    bool tracker;
    struct gd_bytes head;
    bool head_done;
    struct gd_dedup dedup;
    struct gd_snapshot_meta meta;
    enum gd_err err; /* Why it is being abandoned. */
    struct gd_error error;
    struct gd_slice rest; /* Of a body piece, for the Tracker. */
    void (*done)(struct gd_node *node, enum gd_err err, const struct gd_error *error);
};

static void read_more(struct gd__restore *r);

static void drop_restore(struct gd_node *node)
{
    struct gd__restore *r = node->snapshots.restore;

    node->snapshots.restore = NULL;
    if (r != NULL) {
        gd_dedup_release(&r->dedup);
        gd_bytes_release(&r->head);
        gd_free(r);
    }
}

static void restore_finish(struct gd__restore *r)
{
    struct gd_node *node = r->node;
    void (*done)(struct gd_node *, enum gd_err, const struct gd_error *) = r->done;
    enum gd_err err = r->err;
    struct gd_error error = r->error;

    gd_snapshot_read_end(node->store);
    node->apply.busy = false;
    if (err == GD_OK) {
        gd_dedup_release(&node->apply.dedup);
        node->apply.dedup = r->dedup;
        r->dedup = (struct gd_dedup){0};
        node->apply.applied = r->meta.position.index;
        node->apply.applied_term = r->meta.position.term;
        node->apply.stamp_ms = r->meta.stamp_ms;
        node->snapshots.bytes_since = 0;
        node->snapshots.restored = r->tracker ? r->meta.position.index : 0;
        GD_REACHED("state restored from a snapshot");
    }
    drop_restore(node);
    done(node, err, err == GD_OK ? NULL : &error);
}

static void on_restore_ended(void *context, enum gd_err err)
{
    struct gd__restore *r = context;

    if (err != GD_OK && r->err == GD_OK) {
        r->err =
            gd_error_set(&r->error, err, "the database refused a snapshot: %s", gd_err_text(err));
    }
    restore_finish(r);
}

/* Everything was read, or something failed. */
static void restore_end(struct gd__restore *r)
{
    if (!r->head_done && r->err == GD_OK) {
        r->err = gd_error_set(&r->error, GD_ERR_CORRUPT, "snapshot %llu has no tables",
                              (unsigned long long)r->meta.position.index);
    }
    if (!r->tracker) {
        restore_finish(r);
        return;
    }
    r->node->options.tracker->v->restore_end(r->node->options.tracker, r->err == GD_OK,
                                             r->meta.position.index, r->meta.stamp_ms,
                                             on_restore_ended, r);
}

static void restore_fail(struct gd__restore *r, enum gd_err err, const struct gd_error *error)
{
    r->err = err;
    if (error != NULL) {
        r->error = *error;
    } else {
        (void)gd_error_set(&r->error, err, "a snapshot could not be restored: %s",
                           gd_err_text(err));
    }
    restore_end(r);
}

static void on_piece_restored(void *context, enum gd_err err)
{
    struct gd__restore *r = context;

    if (err != GD_OK) {
        restore_fail(r, err, NULL);
        return;
    }
    read_more(r);
}

/* Gathers the node's tables; true once they are whole, with what follows them in `rest`. */
static bool take_head(struct gd__restore *r, struct gd_slice bytes)
{
    size_t before = r->head.size, need;
    struct gd_reader reader;

    gd_bytes_add(&r->head, bytes.data, bytes.size);
    if (r->head.size < 4) {
        return false;
    }
    need = 4 + (size_t)gd_get_le32(r->head.data);
    if (r->head.size < need) {
        return false;
    }
    reader = gd_reader_of((struct gd_slice){r->head.data + 4, need - 4});
    if (gd_dedup_decode(&reader, &r->dedup) != GD_OK || reader.left != 0) {
        r->err = gd_error_set(&r->error, GD_ERR_CORRUPT, "snapshot %llu: its tables are damaged",
                              (unsigned long long)r->meta.position.index);
        return false;
    }
    r->head_done = true;
    r->rest = (struct gd_slice){bytes.data + (need - before), bytes.size - (need - before)};
    return true;
}

static void on_piece(void *context, enum gd_err err, struct gd_slice bytes,
                     const struct gd_error *error)
{
    struct gd__restore *r = context;

    if (err != GD_OK) {
        restore_fail(r, err, error);
        return;
    }
    if (bytes.size == 0) {
        restore_end(r);
        return;
    }
    r->rest = bytes;
    if (!r->head_done && !take_head(r, bytes)) {
        if (r->err != GD_OK) {
            restore_end(r);
        } else {
            read_more(r);
        }
        return;
    }
    if (!r->tracker || r->rest.size == 0) {
        read_more(r);
        return;
    }
    r->node->options.tracker->v->restore_write(r->node->options.tracker, r->rest, on_piece_restored,
                                               r);
}

static void read_more(struct gd__restore *r)
{
    gd_snapshot_read(r->node->store, on_piece, r);
}

static void on_restore_begun(void *context, enum gd_err err)
{
    struct gd__restore *r = context;

    if (err != GD_OK) {
        r->tracker = false; /* There is nothing to end. */
        restore_fail(r, err, NULL);
        return;
    }
    read_more(r);
}

static void on_read_begun(void *context, enum gd_err err, const struct gd_error *error)
{
    struct gd__restore *r = context;

    if (err != GD_OK) {
        r->tracker = false;
        restore_fail(r, err, error);
        return;
    }
    if (r->tracker) {
        r->node->options.tracker->v->restore_begin(r->node->options.tracker, on_restore_begun, r);
    } else {
        read_more(r);
    }
}

void gd__snapshot_restore(struct gd_node *node, bool tracker,
                          void (*restored)(struct gd_node *node, enum gd_err err,
                                           const struct gd_error *error))
{
    struct gd__restore *r = gd_calloc(1, sizeof *r);

    GD_ASSERT(!node->apply.busy);
    GD_ASSERT(gd_snapshot_store_get(node->store, 0) != NULL);
    *r = (struct gd__restore){.node = node, .tracker = tracker, .done = restored};
    r->meta = *gd_snapshot_store_get(node->store, 0);
    node->snapshots.restore = r;
    node->apply.busy = true;
    gd_snapshot_read_begin(node->store, 0, on_read_begun, r);
}

void gd__snapshots_release(struct gd_node *node)
{
    drop_restore(node);
    gd_free(node->snapshots.buffer);
    gd_bytes_release(&node->snapshots.head);
    gd_bytes_release(&node->snapshots.chunk);
    node->snapshots = (struct gd__snapshots){0};
}
