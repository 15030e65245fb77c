/* operator.c - who changes the cluster while it runs, and errs at times; see operator.h.
 *
 * An operator knows what a leader's configuration says and what was noted of ids in use, and gives
 * one order to whoever leads. It is a person that means well: a member that is to come is told
 * where all others are, so moves come first; nobody is taken for new whose address may be free (an
 * emptied member that asks to be added); only MISTAKE gives orders that are to be refused, and they
 * change nothing. What is answered is held against what was committed by orders.c. */
#include "sim/operator.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The first learner that waits for an order to become a voter; 0: none. */
static gd_node_id find_learner(const struct gd_config *config)
{
    for (uint32_t i = 0; i < config->count; i++) {
        if ((config->members[i].roles & (GD_MEMBER_LEARNER | GD_MEMBER_JOINING)) ==
            GD_MEMBER_LEARNER) {
            return config->members[i].id;
        }
    }
    return 0;
}

/* The next of those that wait to be added starts again, and asks by itself. */
static void strike_join(struct gd_sim_operator *self, unsigned whom)
{
    for (unsigned id = (unsigned)self->plan->nodes + 1; id <= gd_sim_plan_total(self->plan); id++) {
        struct gd_node *node = gd_sim_cluster_node(self->cluster, id);
        if (id != whom && node != NULL && gd_node_raft(node) == NULL) {
            gd_sim_cluster_ask(self->cluster, id, whom);
            gd_sim_cluster_crash(self->cluster, id);
            gd_sim_cluster_start(self->cluster, id);
            return;
        }
    }
}

/* Does this configuration say of every member where it is? */
static bool says_where(const struct gd_sim_operator *self, const struct gd_config *config)
{
    for (uint32_t i = 0; i < config->count; i++) {
        struct gd_address address;
        gd_sim_cluster_peer_address(self->cluster, (unsigned)config->members[i].id, &address);
        if (strcmp(config->members[i].address.text, address.text) != 0) {
            return false;
        }
    }
    return true;
}

/* Has every node that runs heard of every earlier move? One member that moved is found by its own
 * word; two that lost their memory of each other do not find each other. What is committed counts
 * and is on the node's own disk, and what a node goes by: the first is what it falls back to, the
 * second may be neither committed yet nor true any more. */
static bool moves_told(const struct gd_sim_operator *self)
{
    bool any = false;
    gd_index index;
    for (unsigned id = 1; id <= gd_sim_plan_total(self->plan); id++) {
        struct gd_node *node = gd_sim_cluster_node(self->cluster, id);
        const struct gd_raft *raft = node != NULL ? gd_node_raft(node) : NULL;
        const struct gd_config *committed =
            raft != NULL ? gd_raft_config_at(raft, gd_raft_commit(raft), &index) : NULL;
        if (committed == NULL) {
            continue;
        }
        any = true;
        if (!says_where(self, committed) || !says_where(self, gd_raft_config(raft)) ||
            index > gd_raft_stored(raft).index) {
            return false;
        }
    }
    return any;
}

/* Does it know everybody who may look for it? Who moves is found by its own word: those whom it has
 * not heard of look for it where it was. */
static bool knows_all(const struct gd_sim_operator *self, const struct gd_config *known)
{
    for (unsigned id = 1; id <= gd_sim_plan_total(self->plan); id++) {
        const struct gd_config *config = gd_sim_cluster_config(self->cluster, id);
        for (uint32_t i = 0; config != NULL && i < config->count; i++) {
            if (gd_config_find(known, config->members[i].id) == NULL) {
                return false;
            }
        }
    }
    return true;
}

/* One that a change which may yet be undone made a member has nobody to tell where it is. */
static bool is_member_for_good(const struct gd_raft *raft, unsigned id)
{
    gd_index index;
    return gd_raft_commit(raft) > 0 &&
           gd_config_find(gd_raft_config_at(raft, gd_raft_commit(raft), &index), id) != NULL;
}

/* A member that has begun, so that its directory knows who it is, starts again elsewhere. */
static void strike_move(struct gd_sim_operator *self, unsigned target)
{
    const struct gd_config *config = gd_sim_cluster_config(self->cluster, target);
    struct gd_node *node = gd_sim_cluster_node(self->cluster, target);
    if (config == NULL || gd_config_find(config, target) == NULL ||
        !is_member_for_good(gd_node_raft(node), target) || !moves_told(self) ||
        !knows_all(self, config) || !gd_sim_cluster_move(self->cluster, target)) {
        return;
    }
    gd_sim_cluster_crash(self->cluster, target);
    gd_sim_cluster_start(self->cluster, target);
}

/* And the cluster is told, if somebody leads. */
void gd_sim_operator_end_move(struct gd_sim_operator *self, unsigned target)
{
    unsigned leader = gd_sim_cluster_leader(self->cluster);
    const struct gd_config *config =
        leader != 0 ? gd_sim_cluster_config(self->cluster, leader) : NULL;
    const struct gd_member *member = config != NULL ? gd_config_find(config, target) : NULL;
    struct gd_address address;
    char order[GD_ADDRESS_SIZE + 64];
    gd_sim_cluster_peer_address(self->cluster, target, &address);
    if (member != NULL && strcmp(member->address.text, address.text) != 0) {
        (void)snprintf(order, sizeof order, "RAFT MOVE %u %s", target, address.text);
        gd_sim_cluster_order(self->cluster, leader, order);
    }
}

gd_node_id gd_sim_operator_fresh_id(struct gd_sim_operator *self, const struct gd_config *config)
{
    if (gd_config_highest(config) > self->id_highest) {
        self->id_highest = gd_config_highest(config);
    }
    return self->id_highest + 1;
}

/* An id that was a member's and is none now, as the configuration itself remembers; 0: none. */
static gd_node_id used_id(const struct gd_config *config)
{
    for (gd_node_id id = gd_config_highest(config); id > 0; id--) {
        if (gd_config_find(config, id) == NULL) {
            return id;
        }
    }
    return 0;
}

/* An operator errs: every one of these orders is to be refused, and nothing is to come of it. FORCE
 * stands for who is sure of it. */
static void strike_mistake(struct gd_sim_operator *self, const struct gd_sim_fault *fault,
                           unsigned target)
{
    unsigned leader = gd_sim_cluster_leader(self->cluster);
    const struct gd_config *config =
        leader != 0 ? gd_sim_cluster_config(self->cluster, leader) : NULL;
    struct gd_address address;
    char order[GD_ADDRESS_SIZE + 64];
    uint64_t dice = gd_prng_mix(self->plan->seed, fault->at); /* Whatever becomes of others. */
    if (config == NULL) {
        return;
    }
    gd_node_id used = used_id(config);
    const char *force = dice / 8 % 2 == 0 ? " FORCE" : "";
    gd_node_id nobody = used != 0 && dice / 16 % 2 == 0 ? used : GD_SIM_NODES_MAX + 1;
    gd_sim_peer_address((unsigned)(used != 0 ? used : target), &address);
    const struct gd_member *one = &config->members[dice / 64 % config->count];
    const struct gd_member *other = &config->members[(dice / 64 + 1) % config->count];
    switch (dice % (config->count > 1 ? 7 : 6)) {
    case 0:
        (void)snprintf(order, sizeof order, "RAFT ADD %" PRIu64 " %s%s%s",
                       used != 0 ? used : config->members[0].id, address.text,
                       dice / 32 % 2 == 0 ? " LEARNER" : "", force);
        break;
    case 1:
        (void)snprintf(order, sizeof order, "RAFT REPLACE %u %" PRIu64 " %s%s", target,
                       used != 0 ? used : config->members[0].id, address.text, force);
        break;
    case 2:
        (void)snprintf(order, sizeof order, "RAFT REMOVE %" PRIu64 "%s", nobody, force);
        break;
    case 3:
        (void)snprintf(order, sizeof order, "RAFT PROMOTE %" PRIu64 "%s", nobody, force);
        break;
    case 4:
        (void)snprintf(order, sizeof order, "RAFT MOVE %" PRIu64 " %s%s", nobody, address.text,
                       force);
        break;
    case 5:
        (void)snprintf(order, sizeof order, "RAFT TRANSFER %" PRIu64, nobody);
        break;
    default:
        (void)snprintf(order, sizeof order, "RAFT MOVE %" PRIu64 " %s%s", one->id,
                       other->address.text, force);
        break;
    }
    gd_sim_cluster_order(self->cluster, leader, order);
}

/* Does it bring a member, who knows the others by the configuration alone? */
static bool brings(enum gd_sim_fault_kind kind)
{
    return kind == GD_SIM_FAULT_ADD || kind == GD_SIM_FAULT_ADD_LEARNER ||
           kind == GD_SIM_FAULT_REPLACE || kind == GD_SIM_FAULT_JOIN;
}

/* An operator asks whoever leads; who is added is the first that never was a member. */
void gd_sim_operator_strike(struct gd_sim_operator *self, const struct gd_sim_fault *fault,
                            unsigned target)
{
    unsigned leader = gd_sim_cluster_leader(self->cluster);
    const struct gd_config *config =
        leader != 0 ? gd_sim_cluster_config(self->cluster, leader) : NULL;
    struct gd_address address;
    char order[GD_ADDRESS_SIZE + 64] = "";
    if (brings(fault->kind) && !moves_told(self)) {
        gd_sim_operator_insist(self); /* First things first: who comes is told where all are. */
        return;
    }
    if (fault->kind == GD_SIM_FAULT_JOIN) {
        strike_join(self, target);
        return;
    }
    if (fault->kind == GD_SIM_FAULT_MOVE) {
        strike_move(self, target);
        return;
    }
    if (fault->kind == GD_SIM_FAULT_MISTAKE) {
        strike_mistake(self, fault, target);
        return;
    }
    if (config == NULL) {
        return;
    }
    gd_node_id fresh = gd_sim_operator_fresh_id(self, config);
    bool has_fresh = fresh <= gd_sim_plan_total(self->plan);
    if (has_fresh) {
        gd_sim_peer_address((unsigned)fresh, &address);
    }
    switch (fault->kind) {
    case GD_SIM_FAULT_REMOVE:
        (void)snprintf(order, sizeof order, "RAFT REMOVE %u", target);
        break;
    case GD_SIM_FAULT_PROMOTE:
        if (find_learner(config) != 0) {
            (void)snprintf(order, sizeof order, "RAFT PROMOTE %" PRIu64, find_learner(config));
        }
        break;
    case GD_SIM_FAULT_REPLACE:
        if (has_fresh) {
            (void)snprintf(order, sizeof order, "RAFT REPLACE %u %" PRIu64 " %s", target, fresh,
                           address.text);
        }
        break;
    default:
        if (has_fresh) {
            (void)snprintf(order, sizeof order, "RAFT ADD %" PRIu64 " %s%s", fresh, address.text,
                           fault->kind == GD_SIM_FAULT_ADD_LEARNER ? " LEARNER" : "");
        }
        break;
    }
    if (order[0] == '\0') {
        return;
    }
    if (fault->kind == GD_SIM_FAULT_REMOVE || fault->kind == GD_SIM_FAULT_REPLACE) {
        self->dismissed |= UINT32_C(1) << target;
        gd_sim_cluster_end_nameless(self->cluster, target);
    }
    gd_sim_cluster_order(self->cluster, leader, order);
}

/* Have all members heard of each other's lives, and stored it? Only then a cluster knows an emptied
 * disk from a first start. */
bool gd_sim_operator_knows_lives(const struct gd_sim_operator *self)
{
    unsigned knowing = 0;
    for (unsigned id = 1; id <= gd_sim_plan_total(self->plan); id++) {
        struct gd_node *node = gd_sim_cluster_node(self->cluster, id);
        const struct gd_raft *raft = node != NULL ? gd_node_raft(node) : NULL;
        gd_index index;
        const struct gd_config *config =
            raft != NULL ? gd_raft_config_at(raft, gd_raft_stored(raft).index, &index) : NULL;
        for (uint32_t i = 0; config != NULL && i < config->count; i++) {
            if (config->members[i].life == 0) {
                return false;
            }
        }
        knowing += config != NULL && config->count > 0 ? 1 : 0;
    }
    return knowing >= self->plan->nodes;
}

static bool somebody_moves(const struct gd_sim_plan *plan)
{
    for (size_t i = 0; i < plan->fault_count; i++) {
        if (plan->faults[i].kind == GD_SIM_FAULT_MOVE) {
            return true;
        }
    }
    return false;
}

/* Half of the time somebody takes an emptied member for a new one, and has it ask to be added. Not
 * where it is to be removed, or members move: its address may be free then, and it a new member,
 * rightly. */
void gd_sim_operator_knock(struct gd_sim_operator *self, const struct gd_sim_fault *fault,
                           unsigned target)
{
    uint64_t dice = gd_prng_mix(self->plan->seed, fault->at); /* Whatever becomes of others. */
    unsigned nodes = (unsigned)self->plan->nodes;
    if (dice % 2 == 0 && nodes > 1 && (self->dismissed >> target & 1) == 0 &&
        !somebody_moves(self->plan)) {
        unsigned whom = (unsigned)((target + dice / 2 % (nodes - 1)) % nodes) + 1;
        gd_sim_cluster_start_nameless(self->cluster, target, whom);
    }
}

void gd_sim_operator_insist(struct gd_sim_operator *self)
{
    for (unsigned id = 1; id <= gd_sim_plan_total(self->plan); id++) {
        if (gd_sim_cluster_node(self->cluster, id) != NULL) { /* Else there is nobody to find. */
            gd_sim_operator_end_move(self, id);
        }
    }
}
