/* plan_draw.c - the plan of a seed.
 *
 * Swarm testing (Groce et al., ISSTA 2012): a run that has a little of everything reaches less than
 * many runs that each lack whole classes of things. So a seed draws first which classes of faults
 * and which commands exist at all, then how hard each strikes.
 *
 * Each part draws from a stream of its own, named by (seed, part), so that a new class of faults
 * or a new parameter at the end of a part leaves the rest of all plans as it was.
 *
 * Promises that the placement keeps, so that what is checked can hold
 *   D1. Damage to disks (rot, misdirected writes, wiped ones) strikes at most a minority of the
 *       first members, the same ones throughout a run; and of the first only these are removed or
 *       replaced, so that among those who stay the damaged ones are a minority, too. Where no
 *       disk is damaged anybody may have to go (plan_moments.c).
 *   D2. Every fault ends before `duration`, so that the settling time begins with a whole world. */
#include "sim/plan_draw.h"
#include "engine/io.h"

struct gd_prng gd_sim__stream(uint64_t seed, unsigned part)
{
    struct gd_prng prng;
    gd_prng_init(&prng, gd_prng_mix(seed, gd_prng_mix(UINT64_C(0x706c616e), part)));
    return prng;
}

/* As likely in each octave from `low` (above 0) to `high`: sizes and times differ by factors. */
uint64_t gd_sim__draw_log(struct gd_prng *prng, uint64_t low, uint64_t high)
{
    unsigned octaves = 0;
    while (low << (octaves + 1) <= high) {
        octaves++;
    }
    uint64_t start = low << gd_prng_below(prng, octaves + 1);
    uint64_t end = start * 2 - 1;
    return gd_prng_between(prng, start, end < high ? end : high);
}

static void draw_cluster(struct gd_sim_plan *plan)
{
    static const uint8_t sizes[] = {1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5, 5, 5, 5, 5, 6, 7};
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_CLUSTER);
    plan->nodes = sizes[gd_prng_below(&prng, sizeof sizes)];
    plan->duration = gd_prng_between(&prng, 40, 90) * GD_SIM_S;
    plan->heartbeat = gd_prng_between(&prng, 40, 250) * GD_SIM_MS;
    plan->election_timeout = plan->heartbeat * gd_prng_between(&prng, 4, 12);
    plan->request_timeout = plan->election_timeout * gd_prng_between(&prng, 3, 12);
    plan->redirect = gd_prng_chance(&prng, 1, 6);
    plan->settle = 20 * GD_SIM_S + 40 * plan->election_timeout;
}

/* Tiny limits are where the interesting edges are: segments that turn at each write, snapshots at
 * every tenth entry, windows of one message. */
static void draw_node(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_NODE);
    if (gd_prng_chance(&prng, 1, 2)) {
        plan->segment_size = gd_sim__draw_log(&prng, 1, 32) * 4096;
    }
    if (gd_prng_chance(&prng, 1, 2)) {
        plan->snapshot_log_count = gd_sim__draw_log(&prng, 5, 200);
        plan->tail_count = gd_sim__draw_log(&prng, 1, 50);
    }
    if (gd_prng_chance(&prng, 1, 6)) {
        plan->snapshot_log_size = gd_sim__draw_log(&prng, 1024, 65536);
        plan->tail_size = gd_sim__draw_log(&prng, 256, 16384);
    }
    if (gd_prng_chance(&prng, 1, 3)) {
        plan->snapshot_chunk_size = gd_sim__draw_log(&prng, 64, 16384);
    }
    if (gd_prng_chance(&prng, 1, 4)) {
        plan->batch_size = gd_sim__draw_log(&prng, 128, 65536);
    }
    if (gd_prng_chance(&prng, 1, 4)) {
        plan->window_count = gd_sim__draw_log(&prng, 1, 8);
    }
    if (gd_prng_chance(&prng, 1, 6)) {
        plan->window_size = gd_sim__draw_log(&prng, 256, 65536);
    }
    if (gd_prng_chance(&prng, 1, 4)) {
        plan->uncommitted_size = gd_sim__draw_log(&prng, 512, 16384);
    }
    if (gd_prng_chance(&prng, 1, 10)) {
        plan->session_pipeline = gd_sim__draw_log(&prng, 1, 16);
    }
    if (gd_prng_chance(&prng, 1, 10)) {
        plan->peer_output_size = gd_sim__draw_log(&prng, 4096, 1 << 20);
    }
    if (gd_prng_chance(&prng, 1, 10)) {
        plan->pending_size = gd_sim__draw_log(&prng, 256, 65536);
    }
    plan->lease = gd_prng_chance(&prng, 1, 4);
    /* A run writes some hundred KiB, and each start of a node reads whole segments. */
    if (gd_prng_chance(&prng, 7, 8) && plan->segment_size == 1 << 20) {
        plan->segment_size = gd_sim__draw_log(&prng, 32, 64) * 4096;
    }
    if (gd_prng_chance(&prng, 1, 128)) {
        plan->segment_size = 8 << 20; /* More than a start reads at once. */
    }
    if (gd_prng_chance(&prng, 1, 2) && plan->snapshot_log_count != 0) {
        plan->snapshot_chunk_size =
            gd_sim__draw_log(&prng, 64, 512); /* Many, of what a run has stored. */
    }
    if (gd_prng_chance(&prng, 1, 2)) {
        plan->snapshot_piece_size = gd_sim__draw_log(&prng, 16, 512); /* Writes fall in between. */
    }
    if (gd_prng_chance(&prng, 1, 6)) {
        plan->peer_output_size = gd_sim__draw_log(&prng, 1024, 8192); /* Some dozens of messages. */
    }
}

static void draw_workload(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_WORKLOAD);
    struct gd_prng even = gd_sim__stream(plan->seed, PART_EVEN);
    plan->clients = gd_prng_between(&prng, 2, 12);
    plan->operations = gd_prng_between(&prng, 350, 800);
    plan->operations_least = 330;
    plan->keys = gd_sim__draw_log(&prng, 1, 16);
    plan->client_timeout = plan->election_timeout * gd_prng_between(&prng, 1, 20);
    if (gd_prng_chance(&prng, 1, 3)) {
        plan->pipeline = gd_prng_between(&prng, 2, 16);
    }
    if (gd_prng_chance(&prng, 1, 2)) {
        plan->burst_chance = gd_prng_between(&prng, 1000, 100000);
        plan->burst_count = gd_sim__draw_log(&prng, 2, 50);
    }
    if (gd_prng_chance(&prng, 1, 3)) {
        plan->idle_chance = gd_prng_between(&prng, 1000, 20000);
        plan->idle_time = gd_sim__draw_log(&prng, 100, 5000) * GD_SIM_MS;
    }
    if (gd_prng_chance(&prng, 1, 3)) {
        plan->leave_chance = gd_prng_between(&prng, 1000, 50000);
    }
    plan->value_size = gd_sim__draw_log(&prng, 1, 256);
    if (gd_prng_chance(&prng, 1, 4)) {
        plan->value_large_chance = gd_prng_between(&prng, 5000, 50000);
        plan->value_large_size = gd_sim__draw_log(&prng, 1024, 65536);
    }
    plan->even = gd_prng_chance(&even, 3, 4);
    /* Who only reads is never stuck behind a write that a deposed leader cannot commit. */
    if (gd_prng_chance(&prng, 1, 2)) {
        plan->readers = gd_prng_between(&prng, 200000, 700000);
    }
    /* Two nodes of three have room for everybody, one has not: clients must not need the leader. */
    if (gd_prng_chance(&prng, 1, 8) && plan->nodes >= 3 && plan->redirect == 0) {
        plan->session_count = plan->clients * 2 / 3 + 2;
    }
    if (gd_prng_chance(&prng, 1, 8)) {
        plan->session_output_size = gd_sim__draw_log(&prng, 1024, 65536);
    }
    if (gd_prng_chance(&prng, 1, 6)) {
        plan->deaf_chance = gd_sim__draw_log(&prng, 2000, 100000);
        plan->session_output_size = gd_sim__draw_log(&prng, 1024, 4096);
        if (gd_prng_chance(&prng, 1, 4)) { /* What such a client holds is missing for others. */
            plan->pending_size = gd_sim__draw_log(&prng, 1024, 8192);
        }
    }
}

static void draw_mix(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_MIX);
    uint64_t *const common[] = {&plan->mix_del,   &plan->mix_incr,   &plan->mix_append,
                                &plan->mix_setnx, &plan->mix_getdel, &plan->mix_getset};
    uint64_t *const rare[] = {&plan->mix_mset,  &plan->mix_mget,   &plan->mix_multi,
                              &plan->mix_watch, &plan->mix_expire, &plan->mix_snap,
                              &plan->mix_load};
    plan->mix_get = gd_prng_between(&prng, 10, 60);
    plan->mix_set = gd_prng_between(&prng, 10, 60);
    for (size_t i = 0; i < GD_COUNT(common); i++) {
        uint64_t weight = gd_prng_between(&prng, 1, 30);
        *common[i] = gd_prng_chance(&prng, 1, 2) ? weight : 0;
    }
    for (size_t i = 0; i < GD_COUNT(rare); i++) {
        uint64_t weight = gd_prng_between(&prng, 1, 15);
        *rare[i] = gd_prng_chance(&prng, 1, 5) ? weight : 0;
    }
}

static void draw_net(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_NET);
    plan->net_latency_min = gd_sim__draw_log(&prng, 20, 2000) * GD_SIM_US;
    plan->net_latency_max = plan->net_latency_min * gd_prng_between(&prng, 1, 20);
    if (plan->net_latency_max > plan->heartbeat) {
        plan->net_latency_max = plan->heartbeat;
    }
    if (gd_prng_chance(&prng, 1, 2)) {
        plan->net_fragment = gd_prng_between(&prng, 1000, 300000);
    }
    if (gd_prng_chance(&prng, 1, 2)) {
        plan->net_coalesce = gd_prng_between(&prng, 1000, 300000);
    }
    if (gd_prng_chance(&prng, 1, 4)) {
        plan->net_stall = gd_prng_between(&prng, 10, 2000);
        plan->net_stall_max = gd_sim__draw_log(&prng, 10, 4000) * GD_SIM_MS;
    }
    if (gd_prng_chance(&prng, 1, 4)) {
        plan->net_reset = gd_prng_between(&prng, 10, 2000);
    }
    if (gd_prng_chance(&prng, 1, 4)) {
        plan->net_drop = gd_prng_between(&prng, 100, 50000);
    }
    if (gd_prng_chance(&prng, 1, 4)) {
        plan->net_duplicate = gd_prng_between(&prng, 100, 50000);
    }
    if (gd_prng_chance(&prng, 1, 4)) {
        plan->net_reorder = gd_prng_between(&prng, 100, 50000);
    }
    if (gd_prng_chance(&prng, 1, 4)) {
        plan->net_buffer = gd_sim__draw_log(&prng, 1024, 65536);
    }
    if (plan->deaf_chance > 0) { /* What nobody reads must stay with the node to mean something. */
        plan->net_buffer = gd_sim__draw_log(&prng, 512, 4096);
    }
}

static void draw_disk(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_DISK);
    plan->disk_latency_min = gd_sim__draw_log(&prng, 5, 500) * GD_SIM_US;
    plan->disk_latency_max = plan->disk_latency_min * gd_prng_between(&prng, 1, 20);
    plan->disk_sync_min = gd_sim__draw_log(&prng, 20, 4000) * GD_SIM_US;
    plan->disk_sync_max = plan->disk_sync_min * gd_prng_between(&prng, 1, 10);
    plan->disk_lost = gd_prng_between(&prng, 0, 1000000);
    if (gd_prng_chance(&prng, 1, 2)) {
        plan->disk_torn = gd_prng_between(&prng, 1000, 500000);
    }
    if (gd_prng_chance(&prng, 1, 10)) {
        plan->disk_queue = gd_sim__draw_log(&prng, 1, 8);
    }
}

gd_time_ns gd_sim__longest_operation(const struct gd_sim_plan *plan)
{
    return plan->disk_sync_max > plan->disk_latency_max ? plan->disk_sync_max
                                                        : plan->disk_latency_max;
}

/* In some seeds disks are slow at some kinds of operations, so that what is seldom overtaken is;
 * none takes longer than an eighth of a heartbeat for it: a log of some hundred entries, sent one
 * by one, is caught up with in time. */
static void draw_slow_kinds(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_SLOW_KINDS);
    uint64_t most = plan->heartbeat / 8 / (gd_sim__longest_operation(plan) + 1);
    uint64_t uneven = gd_sim__draw_log(&prng, 4, 64);
    if (gd_prng_chance(&prng, 1, 4) && most > 1) {
        plan->disk_uneven = uneven < most ? uneven : most;
    }
}

static void draw_clock(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_CLOCK);
    if (gd_prng_chance(&prng, 1, 2)) {
        plan->clock_skew = gd_sim__draw_log(&prng, 1, 60000) * GD_SIM_MS;
    }
    if (gd_prng_chance(&prng, 1, 2)) {
        /* A lease trusts clocks up to a stated drift, 1% in all: two that part by half of it. */
        plan->clock_drift = gd_sim__draw_log(&prng, 1, plan->lease != 0 ? 4900 : 20000);
    }
}

/* ---------------------------------------------------------------- faults */

void gd_sim__draw_role(struct gd_prng *prng, const struct gd_sim_plan *plan,
                       struct gd_sim_fault *fault)
{
    uint64_t dice = gd_prng_below(prng, plan->spares > 0 ? 34 : 23);
    fault->node = 0;
    if (dice >= 23) { /* Where members change that is a moment worth a fault. */
        fault->role = dice < 26   ? GD_SIM_ROLE_NEWCOMER
                      : dice < 29 ? GD_SIM_ROLE_CHANGING
                      : dice < 32 ? GD_SIM_ROLE_CONCLUDING
                                  : GD_SIM_ROLE_LEAVING;
    } else if (dice < 8) {
        fault->role = GD_SIM_ROLE_LEADER;
    } else if (dice < 12) {
        fault->role = GD_SIM_ROLE_FOLLOWER;
    } else if (dice < 13) {
        fault->role = GD_SIM_ROLE_CANDIDATE;
    } else if (dice < 15) {
        fault->role = dice < 14 ? GD_SIM_ROLE_RECEIVER : GD_SIM_ROLE_RESTORED;
    } else if (dice < 17) {
        fault->role = GD_SIM_ROLE_ELECTED;
    } else if (dice < 19) {
        fault->role = GD_SIM_ROLE_STARTED;
    } else if (dice < 20) {
        fault->role = GD_SIM_ROLE_SENDER;
    } else {
        fault->role = GD_SIM_ROLE_NODE;
        fault->node = (unsigned)gd_prng_between(prng, 1, plan->nodes);
    }
}

static uint32_t draw_group(struct gd_prng *prng, const struct gd_sim_plan *plan)
{
    uint32_t all = (UINT32_C(1) << plan->nodes) - 1;
    return plan->nodes < 2 ? 1 : (uint32_t)gd_prng_between(prng, 1, all - 1);
}

/* Operations that stand between the log and its promises; reads and sizes lose nothing. */
static unsigned draw_op(struct gd_prng *prng)
{
    static const unsigned ops[] = {GD_DISK_WRITE,  GD_DISK_WRITE,          GD_DISK_WRITE_DURABLE,
                                   GD_DISK_SYNC,   GD_DISK_SYNC,           GD_DISK_OPEN,
                                   GD_DISK_RENAME, GD_DISK_SYNC_DIRECTORY, GD_DISK_UNLINK,
                                   GD_DISK_CLOSE,  GD_DISK_PREALLOCATE,    GD_DISK_TRUNCATE};
    return ops[gd_prng_below(prng, GD_COUNT(ops))];
}

/* Whether a node that works asks for it all the time. */
static bool is_common(unsigned op)
{
    return op == GD_DISK_WRITE || op == GD_DISK_WRITE_DURABLE || op == GD_DISK_SYNC;
}

/* Operations that are seldom asked for, each as likely: the common ones have faults of their own.
 */
static unsigned draw_failing(struct gd_prng *prng)
{
    static const unsigned ops[] = {GD_DISK_OPEN,     GD_DISK_WRITE,         GD_DISK_PREALLOCATE,
                                   GD_DISK_TRUNCATE, GD_DISK_SIZE,          GD_DISK_RENAME,
                                   GD_DISK_UNLINK,   GD_DISK_LIST,          GD_DISK_MAKE_DIRECTORY,
                                   GD_DISK_CLOSE,    GD_DISK_SYNC_DIRECTORY};
    return ops[gd_prng_below(prng, GD_COUNT(ops))];
}

/* Operations after which something may be relied on, if they do not fail. */
static unsigned draw_vouching(struct gd_prng *prng)
{
    static const unsigned ops[] = {GD_DISK_SYNC, GD_DISK_SYNC, GD_DISK_WRITE_DURABLE,
                                   GD_DISK_SYNC_DIRECTORY};
    return ops[gd_prng_below(prng, GD_COUNT(ops))];
}

/* D1: the members whose disks may be damaged: as many as a minority has, from a number drawn once.
 * Of one or two no disk is damaged, and either may go, but for the last. */
unsigned gd_sim__draw_victim(struct gd_prng *prng, const struct gd_sim_plan *plan)
{
    struct gd_prng once = gd_sim__stream(plan->seed, PART_VICTIM);
    unsigned first = (unsigned)gd_prng_below(&once, plan->nodes);
    unsigned minority = (unsigned)(plan->nodes >= 3 ? (plan->nodes - 1) / 2 : plan->nodes);
    return 1 + (first + (unsigned)gd_prng_below(prng, minority)) % (unsigned)plan->nodes;
}

/* Half of the time it is for who sends a snapshot: nobody else reads, but who starts. */
static void draw_reader(struct gd_prng *prng, struct gd_sim_fault *fault)
{
    if (gd_prng_chance(prng, 1, 2)) {
        fault->role = GD_SIM_ROLE_SENDER;
        fault->node = 0;
        fault->count = gd_sim__draw_log(prng, 1, 4);
    }
}

/* Half of the time it is who receives a snapshot, and gives its log up for what it has synced,
 * often at the first try. The power stays until others have had the time to try again what failed.
 */
static void draw_outage(struct gd_prng *prng, const struct gd_sim_plan *plan,
                        struct gd_sim_fault *fault)
{
    gd_time_ns end = gd_sim_plan_faults_end(plan); /* D2 */
    fault->op = draw_vouching(prng);
    fault->count = gd_sim__draw_log(prng, 1, 4);
    fault->for_ = plan->election_timeout * gd_prng_between(prng, 1, 8);
    if (gd_prng_chance(prng, 1, 2)) {
        fault->role = GD_SIM_ROLE_RECEIVER;
        fault->node = 0;
        fault->op = GD_DISK_SYNC;
        fault->count = gd_prng_between(prng, 1, 2);
    }
    fault->for_ = fault->at + fault->for_ > end ? end - fault->at : fault->for_;
}

/* Those that count operations of a disk. */
static void draw_operations(struct gd_prng *prng, const struct gd_sim_plan *plan,
                            struct gd_sim_fault *fault)
{
    switch (fault->kind) {
    case GD_SIM_FAULT_CRASH_AT:
        fault->op = draw_op(prng);
        fault->when = (enum gd_sim_when)gd_prng_below(prng, 3);
        fault->count = gd_sim__draw_log(prng, 1, is_common(fault->op) ? 16 : 2);
        break;
    case GD_SIM_FAULT_FAIL_OP:
        fault->op = draw_failing(prng);
        fault->count = gd_sim__draw_log(prng, 1, 4);
        break;
    case GD_SIM_FAULT_FAIL_SYNC:
    case GD_SIM_FAULT_FAIL_WRITE:
        fault->count = gd_sim__draw_log(prng, 1, 16);
        break;
    case GD_SIM_FAULT_FAIL_READ:
    case GD_SIM_FAULT_LIE:
        fault->count = gd_sim__draw_log(prng, 1, 16);
        draw_reader(prng, fault);
        break;
    case GD_SIM_FAULT_FAIL_OUTAGE:
        draw_outage(prng, plan, fault);
        break;
    default:
        break;
    }
}

void gd_sim__draw_details(struct gd_prng *prng, const struct gd_sim_plan *plan,
                          struct gd_sim_fault *fault)
{
    switch (fault->kind) {
    case GD_SIM_FAULT_SPLIT:
    case GD_SIM_FAULT_SPLIT_ONE_WAY:
        fault->group = draw_group(prng, plan);
        break;
    case GD_SIM_FAULT_LAG:
        fault->by = (int64_t)(gd_sim__draw_log(prng, 1, 2000) * GD_SIM_MS);
        break;
    case GD_SIM_FAULT_LOSSY:
        fault->count = gd_prng_between(prng, 10000, 600000);
        break;
    case GD_SIM_FAULT_SLOW_DISK:
        fault->count = gd_sim__draw_log(prng, 4, 1000);
        break;
    case GD_SIM_FAULT_DATABASE_SLOW:
        fault->count = gd_sim__draw_log(prng, 4, 200);
        break;
    case GD_SIM_FAULT_CLOCK_JUMP: {
        int64_t by = (int64_t)gd_sim__draw_log(prng, 10, 600000);
        fault->by = gd_prng_chance(prng, 1, 2) ? by : -by;
        break;
    }
    case GD_SIM_FAULT_MISREAD:
        fault->count = gd_sim__draw_log(prng, 1000, 500000);
        fault->role = GD_SIM_ROLE_NODE;
        fault->node = gd_sim__draw_victim(prng, plan);
        break;
    case GD_SIM_FAULT_REMOVE:
        if (gd_prng_chance(prng, 1, 4)) { /* Whoever comes next, at once; its disk is whole. */
            fault->role = GD_SIM_ROLE_NEWCOMER;
            fault->node = 0;
            break;
        }
        __attribute__((fallthrough));
    case GD_SIM_FAULT_ROT:
    case GD_SIM_FAULT_MISDIRECT:
    case GD_SIM_FAULT_LOSE:
    case GD_SIM_FAULT_WIPE: /* Always the same few, so that somebody stays. */
    case GD_SIM_FAULT_REPLACE:
        fault->role = GD_SIM_ROLE_NODE;
        fault->node = gd_sim__draw_victim(prng, plan);
        break;
    default:
        draw_operations(prng, plan, fault);
        break;
    }
}

/* The last one goes only when another has come. A line through a change is drawn in the midst of
 * one alone (plan_moments.c). */
static bool drawable(const struct gd_sim_plan *plan, enum gd_sim_fault_kind kind)
{
    if (kind == GD_SIM_FAULT_SPLIT_JOINT) {
        return false;
    }
    return plan->nodes >= 2 || plan->spares > 0 ||
           (kind != GD_SIM_FAULT_REMOVE && kind != GD_SIM_FAULT_REPLACE);
}

enum gd_sim_fault_kind gd_sim__draw_kind(struct gd_prng *prng, const struct gd_sim_plan *plan,
                                         enum gd_sim_class class_)
{
    enum gd_sim_fault_kind kinds[GD_SIM_FAULT_KIND_COUNT];
    size_t count = 0;
    for (unsigned kind = 0; kind < GD_SIM_FAULT_KIND_COUNT; kind++) {
        if (gd_sim_fault_forms[kind].class_ == class_ &&
            drawable(plan, (enum gd_sim_fault_kind)kind)) {
            kinds[count++] = (enum gd_sim_fault_kind)kind;
        }
    }
    return count > 0 ? kinds[gd_prng_below(prng, count)] : GD_SIM_FAULT_KIND_COUNT;
}

void gd_sim__insert_fault(struct gd_sim_plan *plan, const struct gd_sim_fault *fault)
{
    size_t i = plan->fault_count;
    if (i == GD_SIM_FAULTS_MAX) {
        return;
    }
    for (; i > 0 && plan->faults[i - 1].at > fault->at; i--) {
        plan->faults[i] = plan->faults[i - 1];
    }
    plan->faults[i] = *fault;
    plan->fault_count++;
}

/* How long faults of one class last in one plan: of any magnitude from a least one on, which the
 * plan draws for the class; about as long as it takes to notice that a leader has gone; or long
 * enough that the rest goes on without whoever is struck. */
enum span { SPAN_ANY, SPAN_NOTICED, SPAN_LONG, SPAN_COUNT };

static gd_time_ns draw_span(struct gd_prng *prng, const struct gd_sim_plan *plan, enum span span,
                            gd_time_ns least, gd_time_ns longest)
{
    gd_time_ns timeout = plan->election_timeout;

    switch (span) {
    case SPAN_NOTICED:
        return gd_prng_between(prng, timeout / 2, timeout * 3);
    case SPAN_LONG:
        return gd_prng_between(prng, timeout, longest > timeout ? longest : timeout * 2);
    default:
        return gd_sim__draw_log(prng, least / GD_SIM_MS, longest / GD_SIM_MS) * GD_SIM_MS;
    }
}

/* Who is in a hurry gives the next order about the same member before this one is done: so soon, or
 * within some turns of the network, and again, since what comes too soon is refused. */
static void draw_follow_up(struct gd_prng *prng, struct gd_sim_plan *plan,
                           const struct gd_sim_fault *first)
{
    struct gd_sim_fault next = {.kind = GD_SIM_FAULT_PROMOTE, .at = first->at};
    uint64_t count = gd_prng_below(prng, 4);
    for (uint64_t i = 0; i < count; i++) {
        next.at += gd_sim__draw_log(prng, 1, plan->election_timeout / GD_SIM_MS) * GD_SIM_MS;
        if (next.at < gd_sim_plan_faults_end(plan)) {
            gd_sim__insert_fault(plan, &next);
        }
    }
}

static void draw_class(struct gd_sim_plan *plan, enum gd_sim_class class_)
{
    bool database = class_ == GD_SIM_CLASS_DATABASE;
    struct gd_prng prng =
        gd_sim__stream(plan->seed, database ? PART_DATABASE + 1 : PART_CLASS + (unsigned)class_);
    gd_time_ns gap = gd_sim__draw_log(&prng, 500, 16000) * GD_SIM_MS;
    enum span span = (enum span)gd_prng_below(&prng, SPAN_COUNT);
    gd_time_ns longest = plan->election_timeout * gd_prng_between(&prng, 1, 10);
    gd_time_ns least = gd_sim__draw_log(&prng, 1, longest / GD_SIM_MS / 2) * GD_SIM_MS;
    gd_time_ns at = plan->election_timeout;
    gd_time_ns end = gd_sim_plan_faults_end(plan); /* D2 */
    if (class_ == GD_SIM_CLASS_DISK_ROT && plan->nodes < 3) {
        return;
    }
    /* Orders one upon the other, too: a change meets the one before it, half done. */
    struct gd_prng next = gd_sim__stream(plan->seed, PART_FOLLOW_UP);
    bool hurried = class_ == GD_SIM_CLASS_MEMBERSHIP && gd_prng_chance(&prng, 1, 2);
    for (;;) {
        struct gd_sim_fault fault = {0};
        if (hurried && gd_prng_chance(&prng, 2, 3)) {
            at += gd_prng_between(&prng, GD_SIM_MS, plan->election_timeout);
        } else {
            at += gd_prng_between(&prng, gap / 4, gap * 2);
        }
        if (at >= end) {
            return;
        }
        fault.kind = gd_sim__draw_kind(&prng, plan, class_);
        if (fault.kind == GD_SIM_FAULT_KIND_COUNT) {
            return;
        }
        fault.at = at - at % GD_SIM_MS;
        if (gd_sim_fault_forms[fault.kind].lasts) {
            fault.for_ = draw_span(&prng, plan, span, least, longest);
            fault.for_ -= fault.for_ % GD_SIM_MS;
            fault.for_ = fault.at + fault.for_ > end ? end - fault.at : fault.for_;
        }
        if (gd_sim_fault_forms[fault.kind].aim == GD_SIM_AIM_NODE) {
            gd_sim__draw_role(&prng, plan, &fault);
        }
        gd_sim__draw_details(&prng, plan, &fault);
        if (fault.for_ > 0 || !gd_sim_fault_forms[fault.kind].lasts) {
            gd_sim__insert_fault(plan, &fault);
        }
        if (hurried && fault.kind == GD_SIM_FAULT_ADD_LEARNER) {
            draw_follow_up(&next, plan, &fault);
        }
    }
}

/* One seed in five upgrades as it goes. */
static void draw_versions(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_VERSIONS);
    if (gd_prng_chance(&prng, 1, 5)) {
        plan->newer = gd_prng_between(&prng, 1, plan->nodes);
    }
}

/* A client's end that died without a word holds its place until TCP's keep-alive finds out, which
 * is minutes, and longer than a run: a node that promises to serve needs room for such, too. */
static void leave_room_for_the_dead(struct gd_sim_plan *plan)
{
    uint64_t dead = 0;
    bool fewer = plan->lost > 0; /* Nodes, in the end. */
    for (size_t i = 0; i < plan->fault_count; i++) {
        enum gd_sim_fault_kind kind = plan->faults[i].kind;
        dead += kind == GD_SIM_FAULT_HALF_OPEN ? plan->clients : 0;
        fewer = fewer || kind == GD_SIM_FAULT_REMOVE || kind == GD_SIM_FAULT_WIPE ||
                kind == GD_SIM_FAULT_LOSE || kind == GD_SIM_FAULT_ROT;
    }
    if (plan->grow != 0 && plan->asks == 0 && plan->session_count <= plan->clients) {
        plan->session_count = plan->clients + 1; /* And for the operator, at whoever leads. */
    }
    plan->session_count =
        fewer || plan->session_count + dead > 10000 ? 10000 : plan->session_count + dead;
}

/* Who is lost at the end: a cluster that needs everybody shows it. */
static void draw_lost(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_LOST);
    if (gd_prng_chance(&prng, 2, 5)) {
        plan->lost = gd_prng_between(&prng, 1, 3);
    }
    if (gd_prng_chance(&prng, 1, 3)) {
        plan->grow = 1;
        plan->asks = gd_prng_chance(&prng, 1, 2);
        plan->spares = plan->spares > 0 ? plan->spares : 1;
    }
}

/* Where members change there is mostly somebody to add. */
static void draw_spares(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_SPARES);
    plan->spares = gd_prng_chance(&prng, 1, 8) ? 0 : gd_prng_between(&prng, 1, 2);
}

/* In some seeds one command or two are most of what is asked, whichever they are: what they do to
 * each other is lost among many. */
static void draw_favourites(struct gd_sim_plan *plan)
{
    uint64_t *const all[] = {
        &plan->mix_get,   &plan->mix_set,    &plan->mix_del,    &plan->mix_incr, &plan->mix_append,
        &plan->mix_setnx, &plan->mix_getdel, &plan->mix_getset, &plan->mix_mset, &plan->mix_mget,
        &plan->mix_multi, &plan->mix_watch,  &plan->mix_expire, &plan->mix_snap, &plan->mix_load};
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_FAVOURITES);
    uint64_t count = gd_prng_chance(&prng, 1, 4) ? gd_prng_between(&prng, 1, 2) : 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t which = gd_prng_below(&prng, GD_COUNT(all));
        *all[which] = gd_prng_between(&prng, 100, 400);
    }
}

/* In some seeds a frame, or its copy, comes when the world has gone on without it: leaders have
 * changed, and members, since it was sent. */
static void draw_late(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_LATE);
    if (gd_prng_chance(&prng, 1, 8)) {
        plan->net_late = plan->election_timeout * gd_prng_between(&prng, 1, 5);
        if (plan->net_reorder == 0 && plan->net_duplicate == 0) {
            plan->net_reorder = gd_sim__draw_log(&prng, 100, 20000);
        }
    }
}

/* In some seeds the way over a third node is shorter. */
static void draw_uneven(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_UNEVEN);
    if (gd_prng_chance(&prng, 1, 5)) {
        plan->net_uneven = gd_sim__draw_log(&prng, 2, 64);
    }
}

/* In some seeds transactions are given up, spoiled, or sent without a pause behind their WATCH. */
static void draw_odd(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_ODD);
    if (gd_prng_chance(&prng, 1, 4)) {
        plan->mix_odd = gd_prng_between(&prng, 2, 30);
    }
}

/* In some seeds all clients only read at times, for about as long as a change of leaders takes.
 * What changes then is the time, so there is mostly something that it changes. */
static void draw_lulls(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_LULLS);
    if (gd_prng_chance(&prng, 1, 4)) {
        plan->lull = plan->election_timeout * gd_prng_between(&prng, 1, 8);
        plan->lull_gap = gd_sim__draw_log(&prng, 500, 8000) * GD_SIM_MS;
        if (gd_prng_chance(&prng, 2, 3)) {
            plan->mix_expire = gd_prng_between(&prng, 10, 80);
        }
    }
}

/* Leaders are cut off or crash, one after another, each for about as long as it takes to elect the
 * next. */
static void draw_successions(struct gd_prng *prng, struct gd_sim_plan *plan)
{
    static const enum gd_sim_fault_kind kinds[] = {
        GD_SIM_FAULT_ISOLATE,     GD_SIM_FAULT_CORNER, GD_SIM_FAULT_ISOLATE_IN,
        GD_SIM_FAULT_ISOLATE_OUT, GD_SIM_FAULT_CRASH,  GD_SIM_FAULT_PAUSE};
    gd_time_ns timeout = plan->election_timeout;
    gd_time_ns gap = timeout * gd_prng_between(prng, 4, 10);
    gd_time_ns at = timeout * 2;
    gd_time_ns end = gd_sim_plan_faults_end(plan); /* D2 */
    while ((at += gd_prng_between(prng, gap / 2, gap * 2)) < end) {
        struct gd_sim_fault fault = {.role = GD_SIM_ROLE_LEADER};
        fault.kind = kinds[gd_prng_below(prng, GD_COUNT(kinds))];
        fault.at = at - at % GD_SIM_MS;
        fault.for_ = gd_prng_between(prng, timeout, timeout * 4);
        fault.for_ = fault.at + fault.for_ > end ? end - fault.at : fault.for_;
        fault.for_ -= fault.for_ % GD_SIM_MS;
        if (fault.for_ > 0) {
            gd_sim__insert_fault(plan, &fault);
        }
    }
}

/* In some seeds most of what is asked is of keys with a time, much by clients that only read, and
 * the nodes' walls stand far apart: who leads next may have a wall that is behind what the last
 * leader told. With a lease a leader that is cut off tells times that no log will ever hold. */
static void draw_times(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_TIMES);
    if (!gd_prng_chance(&prng, 1, 8)) {
        return;
    }
    plan->operations *= gd_prng_between(&prng, 2, 4);
    plan->mix_expire = gd_prng_between(&prng, 100, 200);
    plan->readers = gd_prng_between(&prng, 200000, 700000);
    plan->clock_skew = gd_sim__draw_log(&prng, 1000, 120000) * GD_SIM_MS;
    if (gd_prng_chance(&prng, 2, 3)) {
        plan->lease = 1;
        plan->clock_drift = plan->clock_drift > 4900 ? 4900 : plan->clock_drift; /* draw_clock */
    }
    if (plan->nodes >= 3 && gd_prng_chance(&prng, 2, 3)) {
        draw_successions(&prng, plan);
    }
}

/* In some seeds clients have keys with a time of their own, and know what these may hold. */
static void draw_timed(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_TIMED);
    if (!gd_prng_chance(&prng, 1, 4)) {
        return;
    }
    plan->mix_timed = gd_sim__draw_log(&prng, 8, 150);
    if (gd_prng_chance(&prng, 1, 3)) { /* With it come keys whose time is over, or nearly. */
        plan->mix_load = gd_prng_between(&prng, 2, 8);
    }
}

/* In some seeds everything is dropped now and then: of a few keys, since it ties all of them
 * together for whoever judges what became of them. */
static void draw_flush(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_FLUSH);
    if (gd_prng_chance(&prng, 1, 4) && plan->keys <= 4) {
        plan->mix_flush = gd_prng_between(&prng, 1, 4);
    }
}

/* Some hundreds of pieces a snapshot, whatever is stored: each is a turn of the node's loop where
 * it is made, and where it is sent it waits for its answer, or, if that is lost, for an election
 * timeout: of large values in tiny pieces none would get through in the time that a run has. */
static void fit_pieces(struct gd_sim_plan *plan)
{
    uint64_t each = plan->value_large_size / 8;
    uint64_t all = plan->keys * plan->value_large_size / 500;
    if (plan->value_large_chance == 0) {
        return;
    }
    if (plan->snapshot_piece_size != 0 && plan->snapshot_piece_size < each) {
        plan->snapshot_piece_size = each;
    }
    plan->snapshot_chunk_size = plan->snapshot_chunk_size < all ? all : plan->snapshot_chunk_size;
}

/* How long a word is on its way at most. */
static gd_time_ns longest_way(const struct gd_sim_plan *plan)
{
    gd_time_ns way = plan->net_latency_max * plan->net_uneven;
    return way < plan->heartbeat ? way : plan->heartbeat; /* As the cluster stretches it. */
}

/* A large value takes no longer than an election timeout to get across, buffer by buffer: a peer
 * that waits behind some of them is waited for in vain. */
static void fit_buffer(struct gd_sim_plan *plan)
{
    uint64_t turns = plan->election_timeout / (2 * longest_way(plan) + 1) + 1;
    uint64_t least = plan->value_large_chance > 0 ? plan->value_large_size / turns : 0;
    plan->net_buffer = plan->net_buffer < least ? least : plan->net_buffer;
}

/* A way of some heartbeats, batches of an entry or two, and a window of one let pass less than the
 * clients ask for: who gives up before its turn comes asks again, for ever. */
static void fit_window(struct gd_sim_plan *plan)
{
    gd_time_ns way = longest_way(plan);
    uint64_t batch = 1 + plan->batch_size / (128 + plan->value_size);
    uint64_t turns = plan->clients * (plan->pipeline > 1 ? plan->pipeline : 1) / batch + 1;
    gd_time_ns patience =
        plan->client_timeout < plan->request_timeout ? plan->client_timeout : plan->request_timeout;
    uint64_t least = turns * 8 * way / (patience + 1);
    plan->window_count = plan->window_count < least ? least : plan->window_count;
}

/* A node that is lost for good, works on a request or two of each client at a time, and refuses
 * each when it has known no leader for so long: a client's turn comes when all are refused that it
 * asked before. */
static void fit_settle(struct gd_sim_plan *plan)
{
    if (plan->session_pipeline < GD_SIM_ASKED_AT_ONCE) {
        plan->settle += GD_SIM_ASKED_AT_ONCE * plan->election_timeout / plan->session_pipeline;
    }
}

void gd_sim_plan_draw(struct gd_sim_plan *plan, uint64_t seed, uint32_t classes)
{
    gd_sim_plan_defaults(plan);
    plan->seed = seed;
    draw_cluster(plan);
    draw_node(plan);
    draw_workload(plan);
    draw_mix(plan);
    draw_favourites(plan);
    draw_lulls(plan);
    draw_odd(plan);
    draw_net(plan);
    draw_late(plan);
    draw_uneven(plan);
    draw_disk(plan);
    draw_slow_kinds(plan);
    draw_clock(plan);
    draw_times(plan);
    draw_timed(plan);
    draw_flush(plan);
    draw_versions(plan);
    struct gd_prng prng = gd_sim__stream(seed, PART_CLASSES);
    uint64_t among = gd_prng_between(&prng, 1, 6); /* Some seeds are crowded, some nearly calm. */
    bool has[GD_SIM_CLASS_DATABASE];
    for (unsigned i = 0; i < GD_SIM_CLASS_DATABASE; i++) {
        has[i] = gd_prng_chance(&prng, among, 10) || (classes >> i & 1) != 0;
    }
    /* Some have nothing but moments of one kind: what takes many steps is spoiled in a crowd. */
    bool members = has[GD_SIM_CLASS_MEMBERSHIP];
    prng = gd_sim__stream(seed, PART_CALM);
    bool calm = gd_prng_chance(&prng, 1, 6);
    for (unsigned i = 0; calm && i < GD_SIM_CLASS_DATABASE; i++) {
        has[i] = (classes >> i & 1) != 0;
    }
    if (members) {
        draw_spares(plan);
    }
    for (unsigned i = 0; i < GD_SIM_CLASS_DATABASE; i++) {
        if (has[i]) {
            draw_class(plan, (enum gd_sim_class)i);
        }
    }
    gd_sim__draw_moments(plan, members, calm);
    draw_lost(plan);
    prng = gd_sim__stream(seed, PART_QUIET);
    plan->quiet = gd_prng_chance(&prng, 1, 3);
    leave_room_for_the_dead(plan);
    fit_pieces(plan);
    fit_buffer(plan);
    fit_window(plan);
    fit_settle(plan);
}

/* In some seeds the way is narrow for what has to pass: a large value takes about as long as
 * anybody waits for a sign of life. Not where leaders have to be heard by many over it. */
static void draw_narrow(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_NARROW);
    if (plan->nodes > 2 || !gd_prng_chance(&prng, 1, 2)) {
        return;
    }
    plan->net_buffer = gd_sim__draw_log(&prng, 512, 4096);
    plan->net_latency_max = gd_prng_between(&prng, 4, 40) * GD_SIM_MS;
    plan->net_latency_max =
        plan->net_latency_max < plan->heartbeat ? plan->net_latency_max : plan->heartbeat;
    plan->net_latency_min = plan->net_latency_max / gd_prng_between(&prng, 2, 20);
    plan->value_large_chance = gd_prng_between(&prng, 10000, 80000);
    plan->value_large_size = gd_sim__draw_log(&prng, 8192, 65536);
    plan->pipeline = gd_prng_between(&prng, 2, 16);
}

/* In some seeds much of what is asked is asked at once: a database that fails, fails in the midst
 * of many writes. */
static void draw_haste(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_HASTE);
    if (gd_prng_chance(&prng, 1, 3)) {
        plan->burst_chance = gd_sim__draw_log(&prng, 50000, 400000);
        plan->burst_count = gd_sim__draw_log(&prng, 8, 50);
    }
}

/* Each database drops keys by its own clock: their times are further off than any clock is wrong.
 */
static void draw_far(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_FAR);
    if (plan->mix_timed == 0 && gd_prng_chance(&prng, 1, 3)) {
        plan->mix_timed = gd_sim__draw_log(&prng, 8, 150);
    }
    if (plan->mix_timed > 0) {
        plan->timed_ahead = gd_prng_between(&prng, 1, 30) * 86400 * GD_SIM_S;
    }
}

void gd_sim_plan_draw_external(struct gd_sim_plan *plan, uint64_t seed, uint32_t classes)
{
    struct gd_prng prng = gd_sim__stream(seed, PART_DATABASE);
    gd_sim_plan_draw(plan, seed, classes);
    plan->database_external = 1;
    plan->database_sync = gd_prng_below(&prng, 3);
    /* What is refused in front of another's database. */
    plan->mix_watch = plan->mix_expire = plan->mix_snap = plan->mix_load = 0;
    plan->mix_odd = 0;
    draw_far(plan);
    if (gd_prng_chance(&prng, 4, 5) || (classes >> GD_SIM_CLASS_DATABASE & 1) != 0) {
        draw_class(plan, GD_SIM_CLASS_DATABASE);
    }
    if (gd_prng_chance(&prng, 1, 3)) {
        plan->lag_size = gd_sim__draw_log(&prng, 256, 65536);
    }
    gd_sim__draw_database_moments(plan);
    draw_narrow(plan);
    draw_haste(plan);
    fit_pieces(plan);
}

void gd_sim_plan_draw_sqlite(struct gd_sim_plan *plan, uint64_t seed, uint32_t classes)
{
    struct gd_prng prng = gd_sim__stream(seed, PART_DATABASE + 2);
    gd_sim_plan_draw_external(plan, seed, classes);
    plan->database_external = 0;
    plan->database_sync = 0;
    plan->database_sqlite = 1;
    plan->mix_timed = plan->timed_ahead = 0;
    /* A file is some dozens of pages, whatever is in it, and keeps those that are free. */
    uint64_t least =
        2048 + (plan->value_large_chance > 0 ? plan->keys * plan->value_large_size / 200 : 0);
    plan->snapshot_chunk_size =
        plan->snapshot_chunk_size < least ? least : plan->snapshot_chunk_size;
    /* What was done twice shows for ever where nothing is written over, or seldom. */
    bool appends = gd_prng_chance(&prng, 1, 2);
    if (appends) {
        plan->mix_set = 3;
        plan->mix_del = plan->mix_getdel = plan->mix_getset = 1;
        plan->mix_append = 40;
        plan->mix_incr = 20;
        plan->mix_flush = 0;
        draw_class(plan, GD_SIM_CLASS_CRASH);
    }
    /* What may have failed or not is hard on whoever judges it, the more so if it ties keys
     * together, or if little is written over: a little of it, and mostly of one key. */
    prng = gd_sim__stream(seed, PART_FAIL);
    if (gd_prng_chance(&prng, 2, 3) && !appends) {
        plan->mix_undone = gd_prng_between(&prng, 1, 3);
    }
    if (gd_prng_chance(&prng, 1, 4) && !appends) {
        plan->mix_fail = gd_prng_between(&prng, 1, 2);
    }
}
