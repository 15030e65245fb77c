/* storage.h - what the write-ahead log and the snapshot store share: one disk operation at a time
 * that is tried again while the world's queue is full, and the few arithmetic words of blocks. */
#ifndef GANDALF_ENGINE_STORAGE_H
#define GANDALF_ENGINE_STORAGE_H
#include "engine/io.h"

/* A disk operation and the timer that submits it again after GD_ERR_BUSY. In flight from
 * gd__storage_submit until `op.done` runs, whichever way it went. */
struct gd__storage_op {
    struct gd_disk_op op;
    struct gd_io *io;      /* Borrowed. */
    struct gd_timer timer; /* Runs only while the world refuses `op`. */
};
/* Submit `op` in `storage`; `op.done` gets &storage->op. Never refused. */
void gd__storage_submit(struct gd__storage_op *storage, struct gd_io *io,
                        const struct gd_disk_op *op);

static inline uint64_t gd__block_up(uint64_t offset)
{
    return (offset + GD_BLOCK_SIZE - 1) / GD_BLOCK_SIZE * GD_BLOCK_SIZE;
}
/* Sixteen lower-case hexadecimal digits and nothing behind them. */
bool gd__hex16_parse(const char *text, uint64_t *value);
#endif
