/* backup.c - the newest snapshot's file, given to a client piece by piece.
 *
 * A backup asks for pieces and gets each as a reply, so its memory is one piece on either side, and
 * its pace is the client's. The pieces name the snapshot by its position: another that is taken
 * meanwhile is not mixed in, and the file stays readable while it is read, also when it is no
 * longer among those kept. What was received is checked by the file's own checksums.
 *
 * Rejected: one reply that streams the file: a session's replies are whole before they are sent,
 * and the limit on unsent bytes would be the limit on the file. */
#include "engine/node_internal.h"
#include "engine/memory.h"
#include <inttypes.h>
#include <stdio.h>

enum { PIECE_SIZE_MAX = 1 << 20 };

static void on_read(struct gd_snapshot_chunk_read *read, enum gd_err err, size_t size)
{
    struct gd_node *node = read->context;
    struct gd__backup *backup = &node->backup;
    struct gd__slot *slot = backup->slot;

    backup->slot = NULL;
    if (slot != NULL && err == GD_OK) {
        gd__slot_data(slot, (struct gd_slice){backup->piece, size});
    } else if (slot != NULL) {
        GD_REACHED("a backup's snapshot is gone");
        gd__slot_outcome(slot, GD_OUTCOME_REFUSED,
                         err == GD_ERR_NOT_FOUND ? "this snapshot is gone; begin the backup anew"
                                                 : gd_err_text(err));
    }
    gd__backup_release(node);
    gd__node_kick(node);
}

static void describe(struct gd_node *node, struct gd__slot *slot)
{
    const struct gd_snapshot_meta *newest = gd_snapshot_store_get(node->store, 0);
    char text[80];
    int size;

    if (newest == NULL) {
        gd__slot_outcome(slot, GD_OUTCOME_REFUSED, "there is no snapshot; RAFT SNAPSHOT takes one");
        return;
    }
    size = snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64 " %" PRIu64, newest->position.term,
                    newest->position.index, newest->size);
    gd__slot_data(slot, (struct gd_slice){(const uint8_t *)text, (size_t)size});
}

void gd__backup_begin(struct gd_node *node, struct gd__slot *slot, const struct gd_admin *admin)
{
    struct gd__backup *backup = &node->backup;

    if (admin->size == 0) {
        describe(node, slot);
        return;
    }
    if (admin->size > PIECE_SIZE_MAX) {
        gd__slot_outcome(slot, GD_OUTCOME_REFUSED, "a piece has at most 1048576 bytes");
        return;
    }
    if (backup->slot != NULL || backup->piece != NULL) {
        gd__slot_outcome(slot, GD_OUTCOME_BUSY, "another backup is being read; try again");
        return;
    }
    GD_REACHED("a backup's piece is read");
    backup->slot = slot;
    backup->piece = gd_malloc((size_t)admin->size);
    backup->read = (struct gd_snapshot_chunk_read){
        .position = {admin->id, admin->other},
        .offset = admin->offset,
        .to = backup->piece,
        .size = (size_t)admin->size,
        .done = on_read,
        .context = node,
    };
    gd_snapshot_chunk_read(node->store, &backup->read);
}

void gd__backup_fail(struct gd_node *node)
{
    struct gd__slot *slot = node->backup.slot;

    node->backup.slot = NULL; /* The piece stays until the read is over. */
    if (slot != NULL) {
        gd__slot_outcome(slot, GD_OUTCOME_STOPPING, "the node is stopping");
    }
}

void gd__backup_release(struct gd_node *node)
{
    gd_free(node->backup.piece);
    node->backup.piece = NULL;
}
