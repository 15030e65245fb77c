/* spare.h - damage to a snapshot that the other one makes good. */
#ifndef GANDALF_SIM_SPARE_H
#define GANDALF_SIM_SPARE_H
#include "io-sim/world.h"

/* Of one node. All zero: nothing of it is damaged. */
struct gd_sim_spare {
    char spoiled[GD_DISK_PATH_SIZE]; /* The last file for which gd_sim_spare_covers said yes. */
};
/* Before file `name` of process `id`, which does not run, is damaged or lost: must the node do with
 * the rest all that it promised? `took`: the index of its newest snapshot if it has taken that one
 * itself; else 0. */
bool gd_sim_spare_covers(struct gd_sim_spare *spare, const struct gd_world *world, uint32_t id,
                         const char *name, uint64_t took);
#endif
