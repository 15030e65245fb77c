/* grow.c - see grow.h.
 *
 * A spare comes in by the operator's word (RAFT ADD), or asks by itself, as the plan has it. Orders
 * are lost, refused and undone like any others: so the operator looks each second, and asks again
 * until the spare votes. */
#include "sim/grow.h"
#include <inttypes.h>
#include <stdio.h>

/* Its seat in the configuration in force at the leader; NULL: none. */
static const struct gd_member *seat_of(const struct gd_sim_growth *growth, gd_node_id id)
{
    unsigned leader = gd_sim_cluster_leader(growth->cluster);
    if (leader == 0) {
        return NULL;
    }
    const struct gd_raft *raft = gd_node_raft(gd_sim_cluster_node(growth->cluster, leader));
    return gd_config_find(gd_raft_config(raft), id);
}

/* Is it a member that anybody can ask? */
static bool answers(const struct gd_sim_growth *growth, unsigned id)
{
    return seat_of(growth, id) != NULL && gd_sim_cluster_ready(growth->cluster, id) &&
           !gd_sim_faults_lost(growth->faults, id);
}

/* Or the spare asks by itself, any member; another one only when that is gone. Whatever becomes of
 * its question, it goes on asking: nobody starts it again for that. */
static void ask_to_join(struct gd_sim_growth *growth, gd_time_ns now)
{
    unsigned total = gd_sim_plan_total(growth->plan);
    unsigned first = (unsigned)(now / GD_SIM_S);
    if (growth->asks == growth->joins && answers(growth, growth->whom)) {
        return;
    }
    for (unsigned i = 0; i < total; i++) {
        unsigned id = (first + i) % total + 1;
        if (answers(growth, id)) {
            growth->asked = now;
            growth->asks = growth->joins;
            growth->whom = id;
            gd_sim_cluster_ask(growth->cluster, (unsigned)growth->joins, id);
            gd_sim_cluster_crash(growth->cluster, (unsigned)growth->joins);
            gd_sim_cluster_start(growth->cluster, (unsigned)growth->joins);
            return;
        }
    }
}

/* Has it been told who it is by a leader whose word was undone? Under version 1, which remembers no
 * ids, it does not ask again (join.c): the operator has to add it. */
static bool is_stranded(const struct gd_sim_growth *growth)
{
    const struct gd_node *node = gd_sim_cluster_node(growth->cluster, (unsigned)growth->joins);
    const struct gd_config *config =
        node != NULL && gd_node_raft(node) != NULL ? gd_raft_config(gd_node_raft(node)) : NULL;
    return config != NULL && config->count > 0 && gd_config_version(config) < 2;
}

/* The operator adds the next spare, and asks until it is done: a cluster that answers its clients
 * and cannot change is not whole. The number is the operator's own: who leads may know only of
 * those that are members now. */
void gd_sim_grow(struct gd_sim_growth *growth)
{
    gd_time_ns now = gd_sim_cluster_now(growth->cluster);
    unsigned leader = gd_sim_cluster_leader(growth->cluster);
    struct gd_address address;
    char order[GD_ADDRESS_SIZE + 64];
    if (growth->plan->grow == 0 || leader == 0 || now < growth->asked + GD_SIM_S) {
        return;
    }
    const struct gd_raft *raft = gd_node_raft(gd_sim_cluster_node(growth->cluster, leader));
    if (growth->joins == 0) {
        growth->joins =
            gd_sim_operator_fresh_id(gd_sim_faults_operator(growth->faults), gd_raft_config(raft));
    }
    if (seat_of(growth, growth->joins) != NULL) {
        return;
    }
    if (growth->joins <= gd_raft_id_highest(raft)) { /* Told that it was used: by what is undone. */
        growth->joins = gd_raft_id_highest(raft) + 1;
    }
    if (growth->joins > gd_sim_plan_total(growth->plan)) {
        return;
    }
    if (growth->plan->asks != 0 && !is_stranded(growth)) {
        ask_to_join(growth, now);
        return;
    }
    growth->asked = now;
    gd_sim_peer_address((unsigned)growth->joins, &address);
    (void)snprintf(order, sizeof order, "RAFT ADD %" PRIu64 " %s", growth->joins, address.text);
    gd_sim_cluster_order(growth->cluster, leader, order);
}

/* Does some member still speak an older version, as far as the others can know? Until it is
 * upgraded, and heard of, a change is refused; unless all have shown already that they read the
 * newer one. */
static bool upgrading(const struct gd_sim_growth *growth)
{
    unsigned leader = gd_sim_cluster_leader(growth->cluster);
    struct gd_node *node = leader != 0 ? gd_sim_cluster_node(growth->cluster, leader) : NULL;
    uint16_t first = 0;
    if (node != NULL && gd_config_version(gd_raft_config(gd_node_raft(node))) >= 2) {
        return false;
    }
    for (unsigned id = 1; id <= gd_sim_plan_total(growth->plan); id++) {
        uint16_t version = gd_sim_cluster_version(growth->cluster, id);
        bool silent =
            gd_sim_cluster_refused(growth->cluster, id) || gd_sim_faults_lost(growth->faults, id);
        first = first == 0 ? version : first;
        if (silent || (version != 0 && version != first)) {
            return true;
        }
    }
    return false;
}

bool gd_sim_grown(const struct gd_sim_growth *growth)
{
    if (upgrading(growth)) {
        return true;
    }
    if (growth->joins == 0 || growth->joins > gd_sim_plan_total(growth->plan) ||
        gd_sim_faults_lost(growth->faults, (unsigned)growth->joins) ||
        gd_sim_cluster_refused(growth->cluster, (unsigned)growth->joins)) {
        return growth->plan->grow == 0 || growth->joins != 0;
    }
    const struct gd_member *seat = seat_of(growth, growth->joins);
    return seat != NULL && seat->roles == GD_MEMBER_VOTER;
}
