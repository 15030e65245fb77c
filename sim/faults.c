/* faults.c - carries out a plan's faults in their time.
 *
 * A fault waits for its time, finds its target, strikes, and ends when it has lasted. Faults may
 * overlap in any way: links count how many faults block them, and a node that one fault has crashed
 * is not crashed again by another, but started by the first that ends. What a fault did is undone
 * by the same row, so that healing is nothing but ending all that is in force.
 *
 * Invariants
 *   F1. Each fault that struck ends exactly once.
 *   F2. After gd_sim_faults_heal no block, clog, lag, loss, slowness or pause is in force and every
 *       node has been told to run. */
#include "sim/faults.h"
#include "engine/prng.h"
#include "sim/members.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Election timeouts that a fault waits for somebody to become a candidate, or to get a snapshot. */
#define GD_SIM_WATCH 8

enum stage { STAGE_WAITING, STAGE_WATCHING, STAGE_MET, STAGE_IN_FORCE, STAGE_OVER };
struct active {
    enum stage stage;
    unsigned target;
    gd_time_ns end; /* IN_FORCE: when it ends; WATCHING: when it gives up; MET: when it strikes. */
    bool struck;
    gd_time_ns from, to; /* When it struck, and when it was over. */
    gd_term term;        /* Waiting for who is elected: in a term above this one. */
    uint32_t side;       /* SPLIT_JOINT, IN_FORCE: who was on its target's side, bit n is node n. */
};
/* A node as it was after the event before. */
struct seen {
    const struct gd_node *node; /* Only compared; NULL: it had no log open. */
    gd_index commit;
};
struct gd_sim_faults {
    const struct gd_sim_plan *plan; /* Borrowed. */
    struct gd_sim_cluster *cluster; /* Borrowed. */
    struct active active[GD_SIM_FAULTS_MAX];
    size_t next;         /* Faults before this one have left WAITING. */
    size_t watching;     /* How many are WATCHING. */
    size_t bounded;      /* How many are IN_FORCE until somebody has a role. */
    gd_time_ns next_end; /* The least `end`; UINT64_MAX when there is none. */
    uint64_t struck;
    struct seen seen[GD_SIM_NODES_MAX + 1]; /* While somebody waits for a role. */
    uint64_t errors[GD_SIM_NODES_MAX + 1];  /* Of each disk; as above. */
    uint32_t lost;                          /* Bit n: node n is gone for good. */
    struct gd_sim_operator person;          /* The operator. */
    bool healed;
};

struct gd_sim_faults *gd_sim_faults_new(const struct gd_sim_plan *plan,
                                        struct gd_sim_cluster *cluster)
{
    struct gd_sim_faults *faults = calloc(1, sizeof *faults);
    GD_ASSERT(faults != NULL);
    faults->plan = plan;
    faults->cluster = cluster;
    faults->person = (struct gd_sim_operator){.plan = plan, .cluster = cluster};
    faults->next_end = UINT64_MAX;
    return faults;
}

void gd_sim_faults_free(struct gd_sim_faults *faults)
{
    free(faults);
}

struct gd_sim_operator *gd_sim_faults_operator(struct gd_sim_faults *faults)
{
    return &faults->person;
}

uint64_t gd_sim_faults_struck(const struct gd_sim_faults *faults)
{
    return faults->struck;
}

bool gd_sim_faults_struck_at(const struct gd_sim_faults *faults, size_t place,
                             struct gd_sim_struck *struck)
{
    if (place >= faults->plan->fault_count) {
        return false;
    }
    const struct active *active = &faults->active[place];
    bool in_force = active->stage == STAGE_IN_FORCE;
    *struck = (struct gd_sim_struck){active->struck ? &faults->plan->faults[place] : NULL,
                                     active->target, active->from,
                                     in_force ? gd_sim_cluster_now(faults->cluster) : active->to};
    return true;
}

gd_time_ns gd_sim_faults_next(const struct gd_sim_faults *faults)
{
    gd_time_ns next = faults->next_end;
    if (!faults->healed && faults->next < faults->plan->fault_count &&
        faults->plan->faults[faults->next].at < next) {
        next = faults->plan->faults[faults->next].at;
    }
    return next;
}

/* ---------------------------------------------------------------- targets */

static gd_term leading_term(const struct gd_sim_faults *faults)
{
    unsigned leader = gd_sim_cluster_leader(faults->cluster);
    return leader != 0 ? gd_raft_term(gd_node_raft(gd_sim_cluster_node(faults->cluster, leader)))
                       : 0;
}

/* One mark for each moment that may never come: a fault that waits for it in vain tests nothing. */
static void mark_met(enum gd_sim_role role)
{
    switch (role) {
    case GD_SIM_ROLE_CANDIDATE:
        GD_REACHED("simulated fault met a candidate");
        break;
    case GD_SIM_ROLE_RECEIVER:
        GD_REACHED("simulated fault met who is sent a snapshot");
        break;
    case GD_SIM_ROLE_SENDER:
        GD_REACHED("simulated fault met who sends a snapshot");
        break;
    case GD_SIM_ROLE_RESTORED:
        GD_REACHED("simulated fault met who has just got a snapshot");
        break;
    case GD_SIM_ROLE_STRICKEN:
        GD_REACHED("simulated fault met whose disk has just failed at something");
        break;
    case GD_SIM_ROLE_STARTED:
        GD_REACHED("simulated fault met who has just read its log");
        break;
    case GD_SIM_ROLE_ELECTED:
        GD_REACHED("simulated fault met a new leader");
        break;
    case GD_SIM_ROLE_NEWCOMER:
        GD_REACHED("simulated fault met a newcomer");
        break;
    case GD_SIM_ROLE_CHANGING:
        GD_REACHED("simulated fault met a leader in the midst of a change");
        break;
    case GD_SIM_ROLE_CONCLUDING:
        GD_REACHED("simulated fault met a leader whose change has its last entry under way");
        break;
    case GD_SIM_ROLE_LEAVING:
        GD_REACHED("simulated fault met who was removed and runs on");
        break;
    case GD_SIM_ROLE_NODE:
    case GD_SIM_ROLE_LEADER:
    case GD_SIM_ROLE_FOLLOWER:
    case GD_SIM_ROLE_COUNT:
        break;
    }
}

/* Whoever is sent a snapshot now; 0: nobody. */
static unsigned find_receiver(const struct gd_sim_faults *faults)
{
    unsigned leader = gd_sim_cluster_leader(faults->cluster);
    if (leader == 0) {
        return 0;
    }
    const struct gd_raft *raft = gd_node_raft(gd_sim_cluster_node(faults->cluster, leader));
    for (unsigned id = 1; id <= gd_sim_plan_total(faults->plan); id++) {
        struct gd_member_status status;
        if (id != leader &&
            gd_raft_progress(raft, id, gd_sim_cluster_now(faults->cluster), &status) &&
            status.state == GD_PROGRESS_SNAPSHOT) {
            return id;
        }
    }
    return 0;
}

static const struct gd_raft *raft_of(const struct gd_sim_faults *faults, unsigned id)
{
    const struct gd_node *node = gd_sim_cluster_node(faults->cluster, id);
    return node != NULL ? gd_node_raft(node) : NULL;
}

static void look_at_all(struct gd_sim_faults *faults)
{
    for (unsigned id = 1; id <= gd_sim_plan_total(faults->plan); id++) {
        const struct gd_raft *raft = raft_of(faults, id);
        faults->errors[id] = gd_sim_cluster_disk_errors(faults->cluster, id);
        faults->seen[id] = (struct seen){0};
        if (raft != NULL) {
            faults->seen[id] =
                (struct seen){gd_sim_cluster_node(faults->cluster, id), gd_raft_commit(raft)};
        }
    }
}

/* Whose newest snapshot goes beyond all that it knew to be committed an event ago: it is another's.
 * 0: nobody. */
static unsigned find_restored(const struct gd_sim_faults *faults)
{
    for (unsigned id = 1; id <= gd_sim_plan_total(faults->plan); id++) {
        const struct gd_raft *raft = raft_of(faults, id);
        const struct seen *seen = &faults->seen[id];
        if (raft != NULL && seen->node == gd_sim_cluster_node(faults->cluster, id) &&
            gd_raft_snapshot(raft)->position.index > seen->commit) {
            return id;
        }
    }
    return 0;
}

/* Who has read its log, and had not an event ago. 0: nobody. */
static unsigned find_started(const struct gd_sim_faults *faults)
{
    for (unsigned id = 1; id <= gd_sim_plan_total(faults->plan); id++) {
        if (raft_of(faults, id) != NULL &&
            faults->seen[id].node != gd_sim_cluster_node(faults->cluster, id)) {
            return id;
        }
    }
    return 0;
}

/* Whose disk has failed at something, and had not an event ago. 0: nobody's. */
static unsigned find_stricken(const struct gd_sim_faults *faults)
{
    for (unsigned id = 1; id <= gd_sim_plan_total(faults->plan); id++) {
        if (gd_sim_cluster_disk_errors(faults->cluster, id) > faults->errors[id]) {
            return id;
        }
    }
    return 0;
}

/* Has it been met? */
static bool has_stored(const struct gd_raft *leading, gd_node_id id)
{
    uint64_t boot;
    return gd_raft_match(leading, id, &boot) > 0;
}

/* By the leader's configuration: a member that joins, or a learner that has stored nothing yet; or,
 * until the change is committed, one that is to vote and did not before. CHANGING: the leader in
 * the midst of such a change. CONCLUDING: when the entry that ends it is not committed yet. */
static unsigned find_change(const struct gd_sim_faults *faults, enum gd_sim_role role)
{
    unsigned leading = gd_sim_cluster_leader(faults->cluster);
    if (leading == 0) {
        return 0;
    }
    const struct gd_raft *raft = gd_node_raft(gd_sim_cluster_node(faults->cluster, leading));
    const struct gd_config *config = gd_raft_config(raft);
    bool joint = gd_config_joint(config);
    if (role == GD_SIM_ROLE_CONCLUDING) {
        gd_index index = gd_raft_config_index(raft);
        gd_index before;
        bool ends = !joint && index > gd_raft_commit(raft) && index > 1 &&
                    gd_config_joint(gd_raft_config_at(raft, index - 1, &before));
        return ends ? leading : 0;
    }
    for (uint32_t i = 0; i < config->count && role == GD_SIM_ROLE_NEWCOMER; i++) {
        uint32_t roles = config->members[i].roles;
        if ((roles & GD_MEMBER_JOINING) != 0 ||
            ((roles & GD_MEMBER_LEARNER) != 0 && !has_stored(raft, config->members[i].id)) ||
            (joint && (roles & (GD_MEMBER_VOTER | GD_MEMBER_OUTGOING)) == GD_MEMBER_VOTER)) {
            return (unsigned)config->members[i].id;
        }
    }
    return role == GD_SIM_ROLE_CHANGING && joint ? leading : 0;
}

/* Who runs on, and has committed that it is no member any more. 0: nobody. */
static unsigned find_leaving(const struct gd_sim_faults *faults)
{
    for (unsigned id = 1; id <= gd_sim_plan_total(faults->plan); id++) {
        const struct gd_raft *raft = raft_of(faults, id);
        gd_index index;
        const struct gd_config *committed =
            raft != NULL ? gd_raft_config_at(raft, gd_raft_commit(raft), &index) : NULL;
        if (committed != NULL && gd_config_version(committed) >= 2 &&
            gd_config_find(committed, id) == NULL && id <= gd_config_highest(committed) &&
            !gd_node_closing(gd_sim_cluster_node(faults->cluster, id))) {
            return id;
        }
    }
    return 0;
}

/* Who has this role for the fault at `place`; 0: nobody. */
static unsigned find_role(const struct gd_sim_faults *faults, size_t place, enum gd_sim_role role)
{
    const struct gd_sim_fault *fault = &faults->plan->faults[place];
    unsigned nodes = gd_sim_plan_total(faults->plan);
    unsigned leader = gd_sim_cluster_leader(faults->cluster);
    switch (role) {
    case GD_SIM_ROLE_NODE:
        return fault->node <= nodes ? fault->node : 0;
    case GD_SIM_ROLE_LEADER:
        return leader;
    case GD_SIM_ROLE_FOLLOWER:
        for (unsigned i = 1; i < nodes; i++) {
            unsigned id = 1 + (leader + i - 1) % nodes;
            struct gd_node *node = gd_sim_cluster_node(faults->cluster, id);
            if (id != leader && node != NULL && gd_node_raft(node) != NULL) {
                return id;
            }
        }
        return 0;
    case GD_SIM_ROLE_CANDIDATE:
        for (unsigned id = 1; id <= nodes; id++) {
            enum gd_role plays = gd_sim_cluster_role(faults->cluster, id);
            if (plays == GD_ROLE_CANDIDATE || plays == GD_ROLE_PRE_CANDIDATE) {
                return id;
            }
        }
        return 0;
    case GD_SIM_ROLE_RECEIVER:
        return find_receiver(faults);
    case GD_SIM_ROLE_SENDER:
        return find_receiver(faults) != 0 ? leader : 0;
    case GD_SIM_ROLE_RESTORED:
        return find_restored(faults);
    case GD_SIM_ROLE_STARTED:
        return find_started(faults);
    case GD_SIM_ROLE_STRICKEN:
        return find_stricken(faults);
    case GD_SIM_ROLE_ELECTED:
        return leading_term(faults) > faults->active[place].term ? leader : 0;
    case GD_SIM_ROLE_NEWCOMER:
    case GD_SIM_ROLE_CHANGING:
    case GD_SIM_ROLE_CONCLUDING:
        return find_change(faults, role);
    case GD_SIM_ROLE_LEAVING:
        return find_leaving(faults);
    case GD_SIM_ROLE_COUNT:
        break;
    }
    return 0;
}

/* ---------------------------------------------------------------- the network's faults */

static void block_pairs(struct gd_sim_faults *faults, uint32_t from, uint32_t to, bool on)
{
    for (unsigned a = 1; a <= gd_sim_plan_total(faults->plan); a++) {
        for (unsigned b = 1; b <= gd_sim_plan_total(faults->plan); b++) {
            if (a != b && (from >> a & 1) != 0 && (to >> b & 1) != 0) {
                gd_sim_cluster_block(faults->cluster, a, b, on);
            }
        }
    }
}

/* Sets are bits by number here: bit n is node n. */
static void block_both_ways(struct gd_sim_faults *faults, uint32_t one, uint32_t other, bool on)
{
    block_pairs(faults, one, other, on);
    block_pairs(faults, other, one, on);
}

/* The target with as many others as make up a minority: those behind it, or each n-th of them. */
static uint32_t corner_of(const struct gd_sim_faults *faults, const struct gd_sim_fault *fault,
                          unsigned target)
{
    unsigned nodes = gd_sim_plan_total(faults->plan);
    unsigned step = fault->count > 0 ? (unsigned)(fault->count % nodes) : 1;
    uint32_t side = UINT32_C(1) << target;
    for (unsigned i = 0; i < (nodes - 1) / 2; i++) {
        side |= UINT32_C(1) << ((target - 1 + i * step) % nodes + 1);
    }
    return side;
}

/* The target's side, along the line of the joint configuration that is in force there, or at who
 * leads; with a majority of the half that is drawn for the fault, or else of the other. Where no
 * line can be drawn it is a corner. */
static uint32_t joint_side(const struct gd_sim_faults *faults, const struct gd_sim_fault *fault,
                           unsigned target)
{
    unsigned nodes = gd_sim_plan_total(faults->plan);
    bool incoming = gd_prng_mix(faults->plan->seed, fault->at) % 2 == 0;
    const unsigned whose[] = {target, gd_sim_cluster_leader(faults->cluster)};
    for (unsigned i = 0; i < GD_COUNT(whose); i++) {
        const struct gd_raft *raft = whose[i] != 0 ? raft_of(faults, whose[i]) : NULL;
        if (raft == NULL) {
            continue;
        }
        struct gd_sim_voters voters = gd_sim_voters_of(gd_raft_config(raft));
        uint32_t side = gd_sim_joint_side(voters, nodes, target, incoming);
        side = side != 0 ? side : gd_sim_joint_side(voters, nodes, target, !incoming);
        if (side != 0) {
            GD_REACHED("simulated partition between the halves of a joint configuration");
            return side;
        }
    }
    return corner_of(faults, fault, target);
}

/* `side`: of SPLIT_JOINT alone, whose line is gone when the fault ends. */
static void strike_partition(struct gd_sim_faults *faults, const struct gd_sim_fault *fault,
                             unsigned target, uint32_t side, bool on)
{
    unsigned nodes = gd_sim_plan_total(faults->plan);
    uint32_t all = ((UINT32_C(1) << nodes) - 1) << 1;
    uint32_t one = UINT32_C(1) << target;
    uint32_t group = fault->group << 1 & all;
    uint32_t low = 0;
    switch (fault->kind) {
    case GD_SIM_FAULT_ISOLATE:
        block_both_ways(faults, one, all, on);
        break;
    case GD_SIM_FAULT_ISOLATE_IN:
        block_pairs(faults, all, one, on);
        break;
    case GD_SIM_FAULT_ISOLATE_OUT:
        block_pairs(faults, one, all, on);
        break;
    case GD_SIM_FAULT_SPLIT:
        block_both_ways(faults, group, all & ~group, on);
        break;
    case GD_SIM_FAULT_SPLIT_ONE_WAY:
        block_pairs(faults, group, all & ~group, on);
        break;
    case GD_SIM_FAULT_CORNER:
        low = corner_of(faults, fault, target);
        block_both_ways(faults, low, all & ~low, on);
        break;
    case GD_SIM_FAULT_SPLIT_JOINT:
        block_both_ways(faults, side, all & ~side, on);
        break;
    case GD_SIM_FAULT_BRIDGE:
        for (unsigned id = 1, taken = 0; id <= nodes && taken < (nodes - 1) / 2; id++) {
            if (id != target) {
                low |= UINT32_C(1) << id;
                taken++;
            }
        }
        block_both_ways(faults, low, all & ~low & ~one, on);
        break;
    case GD_SIM_FAULT_RING:
        for (unsigned a = 1; a <= nodes; a++) {
            uint32_t near = UINT32_C(1) << (a % nodes + 1) |
                            UINT32_C(1) << ((a + nodes - 2) % nodes + 1) | UINT32_C(1) << a;
            block_pairs(faults, UINT32_C(1) << a, all & ~near, on);
        }
        break;
    case GD_SIM_FAULT_CUT_LINK:
        gd_sim_cluster_block(faults->cluster, target, target % nodes + 1, on);
        break;
    default:
        gd_sim_cluster_block(faults->cluster, GD_SIM_CLIENTS, target, on);
        gd_sim_cluster_block(faults->cluster, target, GD_SIM_CLIENTS, on);
        break;
    }
}

/* ---------------------------------------------------------------- strike and end */

static void strike_process(struct gd_sim_faults *faults, const struct gd_sim_fault *fault,
                           unsigned target)
{
    struct gd_sim_cluster *cluster = faults->cluster;
    switch (fault->kind) {
    case GD_SIM_FAULT_CRASH:
        gd_sim_cluster_crash(cluster, target);
        break;
    case GD_SIM_FAULT_CRASH_ALL:
        for (unsigned id = 1; id <= gd_sim_plan_total(faults->plan); id++) {
            gd_sim_cluster_crash(cluster, id);
        }
        break;
    case GD_SIM_FAULT_CRASH_AT:
        gd_sim_cluster_crash_at(cluster, target, fault->op, fault->when,
                                fault->count > 0 ? fault->count : 1);
        break;
    case GD_SIM_FAULT_PAUSE:
        gd_sim_cluster_pause(cluster, target);
        break;
    case GD_SIM_FAULT_STOP:
        gd_sim_cluster_stop(cluster, target);
        break;
    case GD_SIM_FAULT_ROT:
        gd_sim_cluster_crash(cluster, target);
        gd_sim_cluster_rot(cluster, target);
        break;
    case GD_SIM_FAULT_LOSE:
        gd_sim_cluster_crash(cluster, target);
        gd_sim_cluster_lose(cluster, target);
        break;
    case GD_SIM_FAULT_MISDIRECT:
        gd_sim_cluster_misdirect(cluster, target, 1);
        break;
    case GD_SIM_FAULT_MISREAD:
        gd_sim_cluster_misread(cluster, target, fault->count);
        break;
    default:
        if (!gd_sim_operator_knows_lives(&faults->person)) {
            break;
        }
        gd_sim_cluster_crash(cluster, target);
        gd_sim_cluster_wipe(cluster, target);
        gd_sim_operator_knock(&faults->person, fault, target);
        break;
    }
}

/* An operator's backup asks for a piece of the newest snapshot; one that was slow to ask, for one
 * of a snapshot that may be gone. */
static void order_backup(struct gd_sim_faults *faults, const struct gd_sim_fault *fault,
                         unsigned target)
{
    struct gd_node *node = gd_sim_cluster_node(faults->cluster, target);
    const struct gd_raft *raft = node != NULL ? gd_node_raft(node) : NULL;
    char order[128];
    if (raft == NULL) {
        return;
    }
    struct gd_position at = gd_raft_snapshot(raft)->position;
    if (at.index == 0) {
        gd_sim_cluster_order(faults->cluster, target, "RAFT BACKUP");
        return;
    }
    bool late = gd_prng_mix(faults->plan->seed, fault->at) % 4 == 0;
    (void)snprintf(order, sizeof order, "RAFT BACKUP %" PRIu64 " %" PRIu64 " 0 4096", at.term,
                   at.index - (late ? 1 : 0));
    gd_sim_cluster_order(faults->cluster, target, order);
}

/* The operation that fails. */
static unsigned failing(const struct gd_sim_fault *fault)
{
    return fault->kind == GD_SIM_FAULT_FAIL_OP       ? fault->op
           : fault->kind == GD_SIM_FAULT_FAIL_OUTAGE ? fault->op
           : fault->kind == GD_SIM_FAULT_FAIL_SYNC   ? GD_DISK_SYNC
           : fault->kind == GD_SIM_FAULT_FAIL_WRITE  ? GD_DISK_WRITE_DURABLE
                                                     : GD_DISK_READ;
}

/* Who leads hands over to whom it likes; where another is meant, to that one. */
static void order_transfer(struct gd_sim_faults *faults, unsigned target)
{
    unsigned leader = gd_sim_cluster_leader(faults->cluster);
    char order[64] = "RAFT TRANSFER";
    if (leader != 0 && leader != target) {
        (void)snprintf(order, sizeof order, "RAFT TRANSFER %u", target);
    }
    gd_sim_cluster_order(faults->cluster, leader != 0 ? leader : target, order);
}

static void strike_other(struct gd_sim_faults *faults, const struct gd_sim_fault *fault,
                         unsigned target)
{
    struct gd_sim_cluster *cluster = faults->cluster;
    uint64_t count = fault->count > 0 ? fault->count : 1;
    switch (fault->kind) {
    case GD_SIM_FAULT_CLOG:
        gd_sim_cluster_clog(cluster, target, true);
        break;
    case GD_SIM_FAULT_LAG:
        gd_sim_cluster_lag(cluster, target, (gd_time_ns)fault->by);
        break;
    case GD_SIM_FAULT_LOSSY:
        gd_sim_cluster_lossy(cluster, target, fault->count);
        break;
    case GD_SIM_FAULT_RESET:
    case GD_SIM_FAULT_HALF_OPEN:
        gd_sim_cluster_reset(cluster, target, fault->kind == GD_SIM_FAULT_HALF_OPEN);
        break;
    case GD_SIM_FAULT_SLOW_DISK:
        gd_sim_cluster_slow_disk(cluster, target, count);
        break;
    case GD_SIM_FAULT_FULL_DISK:
        gd_sim_cluster_full_disk(cluster, target, true);
        break;
    case GD_SIM_FAULT_FAIL_SYNC:
    case GD_SIM_FAULT_FAIL_WRITE:
    case GD_SIM_FAULT_FAIL_READ:
    case GD_SIM_FAULT_FAIL_OP:
    case GD_SIM_FAULT_FAIL_OUTAGE:
        gd_sim_cluster_fail(cluster, target, failing(fault), count);
        break;
    case GD_SIM_FAULT_LIE:
        if (fault->role != GD_SIM_ROLE_SENDER) { /* Who sends a snapshot reads it. */
            gd_sim_cluster_crash(cluster, target);
        }
        gd_sim_cluster_lie(cluster, target, count);
        break;
    case GD_SIM_FAULT_CLOCK_JUMP:
        gd_sim_cluster_jump(cluster, target, fault->by);
        break;
    case GD_SIM_FAULT_SNAPSHOT:
        gd_sim_cluster_order(cluster, target, "RAFT SNAPSHOT");
        break;
    case GD_SIM_FAULT_TRANSFER:
        order_transfer(faults, target);
        break;
    case GD_SIM_FAULT_BACKUP:
        order_backup(faults, fault, target);
        break;
    default:
        break;
    }
}

static void strike(struct gd_sim_faults *faults, size_t place, unsigned target)
{
    const struct gd_sim_fault *fault = &faults->plan->faults[place];
    struct active *active = &faults->active[place];
    struct gd_bytes text = {0};
    gd_sim_fault_print(fault, &text);
    gd_bytes_add_u8(&text, 0);
    text.data[text.size - 2] = '\0';
    gd_sim_cluster_note(faults->cluster, target, (const char *)text.data);
    gd_bytes_release(&text);
    faults->struck++;
    active->target = target;
    active->struck = true;
    active->from = active->to = gd_sim_cluster_now(faults->cluster);
    switch (gd_sim_fault_forms[fault->kind].class_) {
    case GD_SIM_CLASS_PARTITION:
        active->side =
            fault->kind == GD_SIM_FAULT_SPLIT_JOINT ? joint_side(faults, fault, target) : 0;
        strike_partition(faults, fault, target, active->side, true);
        break;
    case GD_SIM_CLASS_DATABASE:
        gd_sim_cluster_strike_database(faults->cluster, fault, target);
        break;
    case GD_SIM_CLASS_MEMBERSHIP:
        gd_sim_operator_strike(&faults->person, fault, target);
        break;
    case GD_SIM_CLASS_CRASH:
    case GD_SIM_CLASS_CRASH_POINT:
    case GD_SIM_CLASS_PAUSE:
    case GD_SIM_CLASS_DISK_ROT:
        strike_process(faults, fault, target);
        break;
    default:
        strike_other(faults, fault, target);
        break;
    }
    active->stage = STAGE_OVER;
    if (gd_sim_fault_forms[fault->kind].lasts) {
        active->stage = STAGE_IN_FORCE;
        active->end = gd_sim_cluster_now(faults->cluster) + fault->for_;
        if (fault->until != GD_SIM_ROLE_NODE) {
            active->term = leading_term(faults);
            faults->bounded++;
        }
        faults->next_end = active->end < faults->next_end ? active->end : faults->next_end;
    }
}

static void end_failing(struct gd_sim_faults *faults, const struct gd_sim_fault *fault,
                        unsigned target)
{
    gd_sim_cluster_fail(faults->cluster, target, failing(fault), 0);
    if (fault->kind == GD_SIM_FAULT_FAIL_OUTAGE) {
        gd_sim_cluster_outage(faults->cluster, target);
    }
    gd_sim_cluster_start(faults->cluster, target);
}

static void end_fault(struct gd_sim_faults *faults, size_t place)
{
    const struct gd_sim_fault *fault = &faults->plan->faults[place];
    struct gd_sim_cluster *cluster = faults->cluster;
    unsigned target = faults->active[place].target;
    faults->active[place].stage = STAGE_OVER; /* F1 */
    faults->bounded -= fault->until != GD_SIM_ROLE_NODE ? 1 : 0;
    faults->active[place].to = gd_sim_cluster_now(faults->cluster);
    if (gd_sim_fault_forms[fault->kind].class_ == GD_SIM_CLASS_DATABASE) {
        gd_sim_cluster_mend_database(cluster, fault, target);
        return;
    }
    switch (fault->kind) {
    case GD_SIM_FAULT_CLOG:
        gd_sim_cluster_clog(cluster, target, false);
        break;
    case GD_SIM_FAULT_LAG:
        gd_sim_cluster_lag(cluster, target, 0);
        break;
    case GD_SIM_FAULT_LOSSY:
        gd_sim_cluster_lossy(cluster, target, 0);
        break;
    case GD_SIM_FAULT_PAUSE:
        gd_sim_cluster_resume(cluster, target);
        break;
    case GD_SIM_FAULT_SLOW_DISK:
        gd_sim_cluster_slow_disk(cluster, target, 1);
        break;
    case GD_SIM_FAULT_FULL_DISK:
        gd_sim_cluster_full_disk(cluster, target, false);
        break;
    case GD_SIM_FAULT_MISDIRECT:
        gd_sim_cluster_misdirect(cluster, target, 0);
        break;
    case GD_SIM_FAULT_MISREAD:
        gd_sim_cluster_misread(cluster, target, 0);
        break;
    case GD_SIM_FAULT_CRASH_AT:
        gd_sim_cluster_crash_at(cluster, target, fault->op, fault->when, 0);
        gd_sim_cluster_start(cluster, target);
        break;
    case GD_SIM_FAULT_FAIL_SYNC:
    case GD_SIM_FAULT_FAIL_WRITE:
    case GD_SIM_FAULT_FAIL_READ:
    case GD_SIM_FAULT_FAIL_OP:
    case GD_SIM_FAULT_FAIL_OUTAGE:
        end_failing(faults, fault, target);
        break;
    case GD_SIM_FAULT_CRASH_ALL:
        for (unsigned id = 1; id <= gd_sim_plan_total(faults->plan); id++) {
            gd_sim_cluster_start(cluster, id);
        }
        break;
    case GD_SIM_FAULT_MOVE:
        gd_sim_operator_end_move(&faults->person, target);
        break;
    case GD_SIM_FAULT_CRASH:
    case GD_SIM_FAULT_STOP:
    case GD_SIM_FAULT_ROT:
    case GD_SIM_FAULT_LOSE:
    case GD_SIM_FAULT_WIPE:
    case GD_SIM_FAULT_LIE: /* What it reads then is what the fault is about. */
        gd_sim_cluster_end_nameless(cluster, target);
        gd_sim_cluster_start(cluster, target);
        break;
    default:
        strike_partition(faults, fault, target, faults->active[place].side, false);
        break;
    }
}

/* ---------------------------------------------------------------- in their time */

/* Its target is there. */
static void meet(struct gd_sim_faults *faults, size_t place, unsigned target)
{
    const struct gd_sim_fault *fault = &faults->plan->faults[place];
    struct active *active = &faults->active[place];
    mark_met(fault->role);
    if (fault->later == 0) {
        strike(faults, place, target);
        return;
    }
    active->stage = STAGE_MET;
    active->target = target;
    active->end = gd_sim_cluster_now(faults->cluster) + fault->later;
    faults->next_end = active->end < faults->next_end ? active->end : faults->next_end;
}

static void begin(struct gd_sim_faults *faults, size_t place)
{
    const struct gd_sim_fault *fault = &faults->plan->faults[place];
    struct active *active = &faults->active[place];
    if (gd_sim_fault_forms[fault->kind].aim != GD_SIM_AIM_NODE) {
        strike(faults, place, 0);
        return;
    }
    active->term = leading_term(faults);
    if (faults->watching + faults->bounded == 0) {
        look_at_all(faults); /* What happened while nobody watched is no news. */
    }
    unsigned target = find_role(faults, place, fault->role);
    if (target != 0) {
        meet(faults, place, target);
    } else if (gd_sim_role_waits(fault->role)) {
        active->stage = STAGE_WATCHING;
        gd_time_ns wait = GD_SIM_WATCH * faults->plan->election_timeout;
        active->end =
            gd_sim_cluster_now(faults->cluster) + (fault->for_ > wait ? fault->for_ : wait);
        faults->next_end = active->end < faults->next_end ? active->end : faults->next_end;
        faults->watching++;
    } else {
        active->stage = STAGE_OVER;
    }
}

void gd_sim_faults_act(struct gd_sim_faults *faults)
{
    gd_time_ns now = gd_sim_cluster_now(faults->cluster);
    gd_time_ns least = UINT64_MAX;
    if (now >= faults->next_end) {
        faults->next_end = UINT64_MAX;
        for (size_t i = 0; i < faults->next; i++) {
            struct active *active = &faults->active[i];
            if (active->stage == STAGE_IN_FORCE && active->end <= now) {
                end_fault(faults, i);
            } else if (active->stage == STAGE_MET && active->end <= now) {
                strike(faults, i, active->target);
            } else if (active->stage == STAGE_WATCHING && active->end <= now) {
                active->stage = STAGE_OVER;
                faults->watching--;
            } else if (active->stage == STAGE_IN_FORCE || active->stage == STAGE_WATCHING ||
                       active->stage == STAGE_MET) {
                least = active->end < least ? active->end : least;
            }
        }
        faults->next_end = least < faults->next_end ? least : faults->next_end;
    }
    while (!faults->healed && faults->next < faults->plan->fault_count &&
           faults->plan->faults[faults->next].at <= now) {
        begin(faults, faults->next++);
    }
}

bool gd_sim_faults_watch(struct gd_sim_faults *faults)
{
    bool acted = false;
    if (faults->watching + faults->bounded == 0) {
        return false;
    }
    for (size_t i = 0; i < faults->next; i++) {
        const struct gd_sim_fault *fault = &faults->plan->faults[i];
        enum stage stage = faults->active[i].stage;
        bool ends = stage == STAGE_IN_FORCE && fault->until != GD_SIM_ROLE_NODE;
        unsigned met = ends                      ? find_role(faults, i, fault->until)
                       : stage == STAGE_WATCHING ? find_role(faults, i, fault->role)
                                                 : 0;
        if (met == 0) {
            continue;
        }
        acted = true;
        if (ends) {
            GD_REACHED("simulated fault ended when somebody had a role");
            end_fault(faults, i);
        } else {
            faults->watching--;
            meet(faults, i, met);
        }
    }
    look_at_all(faults);
    return acted;
}

void gd_sim_faults_heal(struct gd_sim_faults *faults)
{
    for (size_t i = 0; i < faults->next; i++) {
        if (faults->active[i].stage == STAGE_IN_FORCE) {
            end_fault(faults, i);
        }
        faults->active[i].stage = STAGE_OVER;
    }
    faults->watching = 0;
    faults->next_end = UINT64_MAX;
    faults->healed = true;
    for (unsigned id = 1; id <= gd_sim_plan_total(faults->plan); id++) { /* F2 */
        gd_sim_cluster_mend_database(faults->cluster, NULL, id);
        gd_sim_cluster_lie(faults->cluster, id, 0);
        gd_sim_cluster_resume(faults->cluster, id);
        gd_sim_cluster_start(faults->cluster, id);
    }
}

/* ---------------------------------------------------------------- gone for good */

/* Also when whoever is to be a voter becomes one meanwhile, as the leader sees to by itself? */
static bool decides(const struct gd_config *config, uint32_t set)
{
    struct gd_config next = *config;
    for (uint32_t i = 0; i < next.count; i++) {
        if ((next.members[i].roles & GD_MEMBER_JOINING) != 0) {
            next.members[i].roles = GD_MEMBER_VOTER;
        }
    }
    return gd_sim_quorum(config, set) && gd_sim_quorum(&next, set);
}

/* Could those in `set` decide, whichever configuration turns out to be the one? */
static bool decide(const struct gd_sim_faults *faults, const struct gd_config *committed,
                   uint32_t set)
{
    bool any = committed->count > 0;
    if (any && !decides(committed, set)) {
        return false;
    }
    for (unsigned id = 1; id <= gd_sim_plan_total(faults->plan); id++) {
        const struct gd_config *config = gd_sim_cluster_config(faults->cluster, id);
        if (config != NULL && config->count > 0) {
            any = true;
            if (!decides(config, set)) {
                return false;
            }
        }
    }
    return any;
}

bool gd_sim_faults_lost(const struct gd_sim_faults *faults, unsigned id)
{
    return (faults->lost >> id & 1) != 0;
}

static void lose(struct gd_sim_faults *faults, unsigned id, bool crash)
{
    uint32_t all = ((UINT32_C(1) << gd_sim_plan_total(faults->plan)) - 1) << 1;
    uint32_t one = UINT32_C(1) << id;
    faults->lost |= one;
    gd_sim_cluster_note(faults->cluster, id, crash ? "lost: down" : "lost: cut off");
    if (crash) {
        gd_sim_cluster_crash(faults->cluster, id);
    } else {
        block_both_ways(faults, one, all, true);
    }
}

void gd_sim_faults_lose(struct gd_sim_faults *faults, const struct gd_config *committed)
{
    unsigned total = gd_sim_plan_total(faults->plan);
    unsigned ids[GD_SIM_NODES_MAX];
    uint32_t there = 0;
    uint64_t lost = 0;
    struct gd_prng prng;
    gd_prng_init(&prng, gd_prng_mix(faults->plan->seed, UINT64_C(0x6c6f7365)));
    for (unsigned id = 1; id <= total; id++) {
        unsigned place = (unsigned)gd_prng_below(&prng, id);
        ids[id - 1] = ids[place];
        ids[place] = id;
        if (gd_sim_cluster_ready(faults->cluster, id) &&
            !gd_sim_cluster_damaged(faults->cluster, id)) {
            there |= UINT32_C(1) << id;
        }
    }
    unsigned leader = gd_sim_cluster_leader(faults->cluster);
    bool first = gd_prng_chance(&prng, 1, 2); /* The leader's loss asks the most of the others. */
    for (unsigned i = 1; i < total; i++) {
        if (first && ids[i] == leader) {
            ids[i] = ids[0];
            ids[0] = leader;
        }
    }
    uint32_t gone = 0;
    uint32_t down = 0;
    for (unsigned i = 0; i < total && lost < faults->plan->lost; i++) {
        uint32_t one = UINT32_C(1) << ids[i];
        down |= gd_prng_chance(&prng, 1, 2) ? one : 0;
        if ((there & one) != 0 && decide(faults, committed, there & ~one)) {
            there &= ~one;
            gone |= one;
            lost++;
        }
    }
    /* Only now: what the first of them knew counts for the last, too. A change that a leader has
     * just sent out may reach those who stay. */
    for (unsigned id = 1; id <= total; id++) {
        if ((gone >> id & 1) != 0) {
            lose(faults, id, (down >> id & 1) != 0);
        }
    }
}
