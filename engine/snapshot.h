/* snapshot.h - the store of snapshots: files that are whole and durable, or not there.
 *
 * A snapshot file is a header (the meta), a body (bytes the node gives: its own tables, then the
 * Tracker's stream) in checksummed chunks, and an end. It is written beside, synced, renamed, the
 * directory synced; the newest two are kept. What travels to a peer is the file, byte for byte, so
 * a receiver resumes by offset and checks the whole at the end. Design and format: snapshot.c. */
#ifndef GANDALF_ENGINE_SNAPSHOT_H
#define GANDALF_ENGINE_SNAPSHOT_H
#include "engine/raft.h"

struct gd_snapshot_store;
typedef void gd_snapshot_fn(void *context, enum gd_err err, const struct gd_error *error);

struct gd_snapshot_store *gd_snapshot_store_new(struct gd_io *io, const char *directory);
void gd_snapshot_store_free(struct gd_snapshot_store *store);
/* Make the directory when absent, list and check the headers, remove leftovers of unfinished writes
 * (a half received file stays: it can be resumed). */
void gd_snapshot_store_open(struct gd_snapshot_store *store, gd_snapshot_fn *done, void *context);
/* The newest one's meta, or NULL; `nth` 0 is the newest, 1 the one before. Borrowed until the store
 * changes. A snapshot whose body proves damaged while it is read is reported by the reader; the
 * caller then forgets it and asks again. */
const struct gd_snapshot_meta *gd_snapshot_store_get(const struct gd_snapshot_store *store,
                                                     unsigned nth);
/* The newest proved damaged: it is not there any more. Its file goes once another snapshot is
 * durable; a start before that meets it again. */
void gd_snapshot_store_forget(struct gd_snapshot_store *store);
/* The newest of those that the open passed over because the disk failed to read them; index 0:
 * none. It may be there at the next start, unlike what is damaged. */
struct gd_position gd_snapshot_store_unreadable(const struct gd_snapshot_store *store);

/* Makes those above this index durable once more, by a copy that takes the name: whether a name
 * that was found is durable nobody can tell, if its directory's sync failed. Before anything rests
 * on one; no writer and no receiver is there. One that proves damaged is left as it is. */
void gd_snapshot_store_vouch(struct gd_snapshot_store *store, gd_index above, gd_snapshot_fn *done,
                             void *context);

/* Writing one: at most one writer and one receiver at a time. */
void gd_snapshot_write_begin(struct gd_snapshot_store *store, const struct gd_snapshot_meta *meta,
                             gd_snapshot_fn *done, void *context);
/* `bytes` are borrowed until done. */
void gd_snapshot_write(struct gd_snapshot_store *store, struct gd_slice bytes, gd_snapshot_fn *done,
                       void *context);
/* Sync, rename, sync the directory; then it is the newest (meta.size set), and the third is
 * removed. */
void gd_snapshot_write_end(struct gd_snapshot_store *store, gd_snapshot_fn *done, void *context);
/* Drop it, whole. Nothing is in flight. */
void gd_snapshot_write_abort(struct gd_snapshot_store *store);

/* Receiving one from a peer, by raw chunks of the file. Chunks must come in order of offset; begin
 * answers by `*offset_stored` (through `done`) where a half received file goes on. */
typedef void gd_snapshot_progress_fn(void *context, enum gd_err err, uint64_t offset_stored);
void gd_snapshot_receive(struct gd_snapshot_store *store, struct gd_position position,
                         uint64_t size, uint64_t offset, struct gd_slice bytes,
                         gd_snapshot_progress_fn *done, void *context);
/* Whole: check everything, sync, rename, sync the directory. GD_ERR_CORRUPT: it was dropped. On
 * GD_OK it is the newest. */
void gd_snapshot_receive_end(struct gd_snapshot_store *store, gd_snapshot_fn *done, void *context);

/* Reading the body back in order, checked as it is read, for a restore. */
typedef void gd_snapshot_read_fn(void *context, enum gd_err err, struct gd_slice bytes,
                                 const struct gd_error *error);
/* `nth` as in get. One body reader at a time. */
void gd_snapshot_read_begin(struct gd_snapshot_store *store, unsigned nth, gd_snapshot_fn *done,
                            void *context);
/* The next bytes of the body, borrowed until the next call; none at the end. GD_ERR_CORRUPT: file
 * and offset in `error`. */
void gd_snapshot_read(struct gd_snapshot_store *store, gd_snapshot_read_fn *done, void *context);
void gd_snapshot_read_end(struct gd_snapshot_store *store);

/* Raw bytes of the file at `position`, for a peer: any number at a time. The file stays readable
 * until its readers are done, also when it is no longer among the newest two. `to` is borrowed. */
struct gd_snapshot_chunk_read {
    struct gd_position position;
    uint64_t offset;
    uint8_t *to;
    size_t size; /* At most; less only at the file's end. */
    void (*done)(struct gd_snapshot_chunk_read *read, enum gd_err err, size_t size);
    void *context;
    void *store_private;
};
void gd_snapshot_chunk_read(struct gd_snapshot_store *store, struct gd_snapshot_chunk_read *read);

/* Ends what is open; what is in flight completes first without further calls. Then free. */
void gd_snapshot_store_close(struct gd_snapshot_store *store, void (*closed)(void *context),
                             void *context);
#endif
