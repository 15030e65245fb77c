/* faults.h - carries out a plan's faults in their time. */
#ifndef GANDALF_SIM_FAULTS_H
#define GANDALF_SIM_FAULTS_H
#include "sim/operator.h"

struct gd_sim_faults;
struct gd_sim_faults *gd_sim_faults_new(const struct gd_sim_plan *plan,
                                        struct gd_sim_cluster *cluster);
void gd_sim_faults_free(struct gd_sim_faults *faults);
/* The next time at which something is due; UINT64_MAX: never. */
gd_time_ns gd_sim_faults_next(const struct gd_sim_faults *faults);
/* Does what is due now. */
void gd_sim_faults_act(struct gd_sim_faults *faults);
/* Looks whether a role has appeared that a fault waits for, to strike or to end; after each event.
 * True: one has, and what is due next may be due sooner than before. */
bool gd_sim_faults_watch(struct gd_sim_faults *faults);
/* Who gives the orders of the class MEMBERSHIP. */
struct gd_sim_operator *gd_sim_faults_operator(struct gd_sim_faults *faults);
/* The end: all that lasts is over now, all nodes run, nothing more happens. */
void gd_sim_faults_heal(struct gd_sim_faults *faults);
/* Behind gd_sim_faults_heal, once the nodes have started: up to `lost` (of the plan) members are
 * gone for good, some down, some cut off, but never so many that those who stay could not decide.
 * `committed` is the newest configuration known to be committed; it may be empty. */
void gd_sim_faults_lose(struct gd_sim_faults *faults, const struct gd_config *committed);
bool gd_sim_faults_lost(const struct gd_sim_faults *faults, unsigned id);
/* Faults that struck, and those that found no target. */
uint64_t gd_sim_faults_struck(const struct gd_sim_faults *faults);
struct gd_sim_struck {
    const struct gd_sim_fault *fault; /* The plan's; NULL: it has not struck. */
    unsigned target;                  /* The node; 0 where none is aimed at. */
    gd_time_ns from, to;              /* `to`: now while it is in force. */
};
/* What became of the plan's fault at `place`; false behind the last. */
bool gd_sim_faults_struck_at(const struct gd_sim_faults *faults, size_t place,
                             struct gd_sim_struck *struck);
#endif
