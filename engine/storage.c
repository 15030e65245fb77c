/* storage.c - disk operations that outlast a full queue. */
#include "engine/storage.h"

/* Between two tries of a refused operation. */
#define RETRY_NS GD_NS_PER_MS

static void try_again(struct gd_timer *timer)
{
    struct gd__storage_op *storage = timer->context;
    enum gd_err err = gd_disk_submit(storage->io, &storage->op);

    if (err != GD_OK) {
        GD_REACHED("disk queue full twice in a row");
        GD_ASSERT(err == GD_ERR_BUSY);
        gd_timer_start(storage->io, timer, gd_io_now(storage->io) + RETRY_NS);
    }
}

void gd__storage_submit(struct gd__storage_op *storage, struct gd_io *io,
                        const struct gd_disk_op *op)
{
    enum gd_err err;

    storage->io = io;
    storage->op = *op;
    err = gd_disk_submit(io, &storage->op);
    if (err != GD_OK) {
        GD_REACHED("disk queue full: operation tried again");
        GD_ASSERT(err == GD_ERR_BUSY);
        storage->timer = (struct gd_timer){.fire = try_again, .context = storage};
        gd_timer_start(io, &storage->timer, gd_io_now(io) + RETRY_NS);
    }
}

bool gd__hex16_parse(const char *text, uint64_t *value)
{
    uint64_t result = 0;

    for (int i = 0; i < 16; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9') {
            result = result << 4 | (uint64_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            result = result << 4 | (uint64_t)(c - 'a' + 10);
        } else {
            return false;
        }
    }
    *value = result;
    return true;
}
