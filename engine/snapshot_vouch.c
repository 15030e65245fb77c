/* snapshot_vouch.c - a snapshot that is there, and may be gone with the power.
 *
 * A name is durable once its directory was synced. Where that sync failed the name stays, to be
 * seen by everybody, until the power fails, whatever is synced later (io.h X4). Who saw the failure
 * does not count the snapshot, but a process that is killed tells nobody, and the next start finds
 * a file that is whole. The log knows better: its mark is written when the name is durable. So what
 * no mark names is written once more, beside, and the copy takes the name, which is then synced.
 *
 * The copy comes in as another node's would: the store receives it from itself, by chunks, so that
 * a disk that lies while it is read spoils nothing: what is stored is checked before it is named.
 * Rejected: away with what no mark names (others may have been told that this node holds what it
 * stands for); renaming it there and back (a crash in the midst may leave neither name, X2).
 *
 * A crash leaves the file as it was, or its copy, and a .part file to go on with. */
#include "engine/memory.h"
#include "engine/snapshot_internal.h"

#define CHUNK_SIZE (256 * 1024)

struct gd__snapshot_vouching {
    struct gd_snapshot_store *store;
    struct gd__snapshot_call call;
    gd_index above;
    unsigned nth;
    bool again; /* The first copy of this one proved bad: the disk may have lied once. */
    struct gd_snapshot_meta meta;
    uint64_t offset;
    struct gd_snapshot_chunk_read read;
    uint8_t bytes[CHUNK_SIZE];
};

static void finish(struct gd__snapshot_vouching *vouching, enum gd_err err)
{
    struct gd_snapshot_store *store = vouching->store;
    struct gd__snapshot_call call = vouching->call;
    struct gd_error error = {0};

    if (err != GD_OK) {
        (void)gd_error_set(&error, err,
                           "the snapshot at index %llu cannot be made durable: %s; check the disk "
                           "and start again",
                           (unsigned long long)vouching->meta.position.index, gd_err_text(err));
    }
    store->vouching = NULL;
    gd_free(vouching);
    call.done(call.context, err, err == GD_OK ? NULL : &error);
}

static void on_chunk(struct gd_snapshot_chunk_read *read, enum gd_err err, size_t size);

static void chunk_read(struct gd__snapshot_vouching *vouching)
{
    uint64_t rest = vouching->meta.size - vouching->offset;

    vouching->read = (struct gd_snapshot_chunk_read){
        .position = vouching->meta.position,
        .offset = vouching->offset,
        .to = vouching->bytes,
        .size = rest < CHUNK_SIZE ? (size_t)rest : CHUNK_SIZE,
        .done = on_chunk,
        .context = vouching,
    };
    gd_snapshot_chunk_read(vouching->store, &vouching->read);
}

static void copy_next(struct gd__snapshot_vouching *vouching)
{
    const struct gd_snapshot_meta *meta = gd_snapshot_store_get(vouching->store, vouching->nth);

    if (meta == NULL || meta->position.index <= vouching->above) {
        finish(vouching, GD_OK);
        return;
    }
    GD_REACHED("a snapshot that no mark of the log names is made durable again");
    vouching->meta = *meta;
    vouching->offset = 0;
    chunk_read(vouching);
}

static void on_end(void *context, enum gd_err err, const struct gd_error *error)
{
    struct gd__snapshot_vouching *vouching = context;
    bool bad = err == GD_ERR_CORRUPT || err == GD_ERR_VERSION;

    (void)error;
    if (err != GD_OK && !bad) {
        finish(vouching, err);
        return;
    }
    if (bad && !vouching->again) {
        GD_REACHED("a copy of a snapshot proves bad");
        vouching->again = true;
    } else { /* Whoever restores from a bad one finds that out. */
        vouching->again = false;
        vouching->nth++;
    }
    copy_next(vouching);
}

static void on_progress(void *context, enum gd_err err, uint64_t offset)
{
    struct gd__snapshot_vouching *vouching = context;

    if (err != GD_OK) {
        finish(vouching, err);
        return;
    }
    vouching->offset = offset;
    if (offset < vouching->meta.size) {
        chunk_read(vouching);
    } else {
        gd_snapshot_receive_end(vouching->store, on_end, vouching);
    }
}

static void on_chunk(struct gd_snapshot_chunk_read *read, enum gd_err err, size_t size)
{
    struct gd__snapshot_vouching *vouching = read->context;

    if (err != GD_OK || size == 0) {
        finish(vouching, err == GD_OK ? GD_ERR_IO : err);
        return;
    }
    gd_snapshot_receive(vouching->store, vouching->meta.position, vouching->meta.size,
                        vouching->offset, (struct gd_slice){vouching->bytes, size}, on_progress,
                        vouching);
}

void gd_snapshot_store_vouch(struct gd_snapshot_store *store, gd_index above, gd_snapshot_fn *done,
                             void *context)
{
    struct gd__snapshot_vouching *vouching = gd_calloc(1, sizeof *vouching);

    GD_ASSERT(store->vouching == NULL);
    vouching->store = store;
    vouching->call = (struct gd__snapshot_call){done, context};
    vouching->above = above;
    store->vouching = vouching;
    copy_next(vouching);
}
