/* operator.h - the orders of a plan that change the members of a cluster, given as an operator
 * would.
 *
 * Faults strike by it in their time; at the end of a run it insists on what is still to be told. */
#ifndef GANDALF_SIM_OPERATOR_H
#define GANDALF_SIM_OPERATOR_H
#include "sim/cluster.h"

struct gd_sim_operator {
    const struct gd_sim_plan *plan; /* Borrowed. */
    struct gd_sim_cluster *cluster; /* Borrowed. */
    gd_node_id id_highest;          /* Notes: ids in use when members were asked about. */
    uint32_t dismissed; /* Bit n: an order was given to remove node n, which may act late. */
};
/* A fault of the class MEMBERSHIP: the order goes to whoever leads; nobody leads: none is given. */
void gd_sim_operator_strike(struct gd_sim_operator *self, const struct gd_sim_fault *fault,
                            unsigned target);
/* `target` runs elsewhere now: whoever leads is told, if it does not know. */
void gd_sim_operator_end_move(struct gd_sim_operator *self, unsigned target);
/* Says again where members have moved to that the cluster has not heard of. */
void gd_sim_operator_insist(struct gd_sim_operator *self);
/* The notes of ids in use, brought up to this configuration of a leader's: the next one that nobody
 * had. */
gd_node_id gd_sim_operator_fresh_id(struct gd_sim_operator *self, const struct gd_config *config);
/* Have all members heard of each other's lives, and stored it? Only then a cluster knows an emptied
 * disk from a first start. */
bool gd_sim_operator_knows_lives(const struct gd_sim_operator *self);
/* `target` has just been emptied by that fault: half of the time it is taken for a new node and
 * asks to be added. */
void gd_sim_operator_knock(struct gd_sim_operator *self, const struct gd_sim_fault *fault,
                           unsigned target);
#endif
