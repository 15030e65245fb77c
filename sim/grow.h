/* grow.h - once all is healed a cluster must be able to change: a spare is added. */
#ifndef GANDALF_SIM_GROW_H
#define GANDALF_SIM_GROW_H
#include "sim/faults.h"

/* The first three are borrowed, and all else is zero at first. */
struct gd_sim_growth {
    const struct gd_sim_plan *plan;
    struct gd_sim_cluster *cluster;
    struct gd_sim_faults *faults;
    gd_node_id joins; /* Whom the operator adds; 0: nobody. */
    gd_time_ns asked; /* When the operator last asked for that. */
    gd_node_id asks;  /* Who was started to ask by itself, ... */
    unsigned whom;    /* ... and whom. */
};
/* Does what is to be done now, if the plan wants it; may be called at any time. */
void gd_sim_grow(struct gd_sim_growth *growth);
/* Is there nothing left to do? Also where a member still speaks an older version, which refuses
 * every change. */
bool gd_sim_grown(const struct gd_sim_growth *growth);
#endif
