/* offline.h - a data directory that no node runs on: one operation after the other, to the end.
 *
 * What an operator does to a stopped node (inspect.h, recover.h) has nothing to serve meanwhile, so
 * it is written straight down: each step turns the world until its own completion has come. The
 * same code runs in the real world and on a disk that crashes where a test wants it. */
#ifndef GANDALF_ENGINE_OFFLINE_H
#define GANDALF_ENGINE_OFFLINE_H
#include "engine/io.h"

struct gd_offline {
    struct gd_io *io; /* Borrowed. */
    /* Run what has come, waiting for something when nothing has. False: there is no world any more
     * (a test's crash); every step then ends in GD_ERR_STOPPED and nothing is touched again. */
    bool (*turn)(void *context);
    void *context;
};

/* Turn until `*flag`. GD_ERR_STOPPED as above. */
GD_MUST_CHECK enum gd_err gd__offline_wait(const struct gd_offline *offline, const bool *flag);
/* One disk operation, done when it returns; `op->done` and `op->context` are its own. */
GD_MUST_CHECK enum gd_err gd__offline_disk(const struct gd_offline *offline, struct gd_disk_op *op);

/* A world whose disk takes no writes: each one completes and changes nothing. Whatever opens a
 * directory on it finds what a start would find. Log lines go nowhere. */
struct gd__read_only {
    struct gd_io io;    /* First. */
    struct gd_io *base; /* Borrowed. */
};
void gd__read_only_init(struct gd__read_only *world, struct gd_io *base);
#endif
