/* rot.h - where on a disk bits flip. Why by place: rot.c. */
#ifndef GANDALF_SIM_ROT_H
#define GANDALF_SIM_ROT_H
#include "engine/prng.h"
#include "io-sim/world.h"

/* Some bits of the process's durable file `name` flip. Nothing happens when it is empty. */
void gd_sim_rot(struct gd_world *world, unsigned process, struct gd_prng *prng, const char *name);
/* Any of its durable files, each as likely. False: it has none. */
bool gd_sim_rot_file(const struct gd_world *world, unsigned process, struct gd_prng *prng,
                     char name[GD_DISK_PATH_SIZE]);
#endif
