/* rot.h - where on a disk bits flip. Why by place: rot.c. */
#ifndef GANDALF_SIM_ROT_H
#define GANDALF_SIM_ROT_H
#include "engine/prng.h"
#include "io-sim/world.h"

/* Some bits of one of the process's durable files flip. Nothing happens when it has none, or an
 * empty one is drawn. */
void gd_sim_rot(struct gd_world *world, unsigned process, struct gd_prng *prng);
/* Any of its durable files, each as likely. False: it has none. */
bool gd_sim_rot_file(const struct gd_world *world, unsigned process, struct gd_prng *prng,
                     char name[GD_DISK_PATH_SIZE]);
#endif
