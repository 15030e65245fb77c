/* plan_moments.c - moments at which things meet.
 *
 * A class of faults strikes at times of its own, and two classes seldom meet. What goes wrong only
 * when they do is drawn here: some kinds strike one target at nearly the same time, an operator's
 * change meets slow disks and a leader that goes, somebody is asked to lead and comes too late. How
 * long something lasts is a time, or ends when somebody else is in the midst of something: what was
 * held up on its way arrives in that moment, which is a few milliseconds long.
 *
 * Each kind of moment draws from a stream of its own, and keeps what plan_draw.c promises. */
#include "engine/io.h"
#include "sim/plan_draw.h"

/* The end of what lasts: when somebody has a role, whoever it is. ROLE_NODE: no such end. */
static enum gd_sim_role draw_until(struct gd_prng *prng, const struct gd_sim_fault *fault,
                                   bool members)
{
    static const enum gd_sim_role roles[] = {
        GD_SIM_ROLE_CANDIDATE, GD_SIM_ROLE_ELECTED,    GD_SIM_ROLE_STARTED, GD_SIM_ROLE_RESTORED,
        GD_SIM_ROLE_CHANGING,  GD_SIM_ROLE_CONCLUDING, GD_SIM_ROLE_LEAVING, GD_SIM_ROLE_CONCLUDING};
    enum gd_sim_role role = roles[gd_prng_below(prng, members ? GD_COUNT(roles) : 4)];
    bool ends = gd_sim_fault_forms[fault->kind].lasts && role != fault->role;
    return ends ? role : GD_SIM_ROLE_NODE;
}

/* Whoever may have to go (D1) is ordered to, at a time before `at + spread`. */
static struct gd_sim_fault order_leave(struct gd_prng *prng, struct gd_sim_plan *plan,
                                       gd_time_ns at, gd_time_ns spread)
{
    bool replace = plan->spares > 0 && gd_prng_chance(prng, 1, 3);
    struct gd_sim_fault leave = {.kind = replace ? GD_SIM_FAULT_REPLACE : GD_SIM_FAULT_REMOVE};
    leave.at = at + (spread > 0 ? gd_prng_below(prng, spread) : 0);
    leave.at -= leave.at % GD_SIM_MS;
    leave.node = gd_sim__draw_victim(prng, plan); /* ROLE_NODE is 0. */
    if (leave.at < gd_sim_plan_faults_end(plan)) {
        gd_sim__insert_fault(plan, &leave);
    }
    return leave;
}

/* Somebody is ordered to leave, around this time: it is the target, from now on or as soon as it
 * learns that it was removed. */
static void draw_leave(struct gd_prng *prng, struct gd_sim_plan *plan, gd_time_ns around,
                       struct gd_sim_fault *target)
{
    struct gd_sim_fault leave = order_leave(prng, plan, around, 3 * plan->election_timeout);
    bool later = gd_prng_chance(prng, 1, 2);
    target->role = later ? GD_SIM_ROLE_LEAVING : leave.role;
    target->node = later ? 0 : leave.node;
}

/* Much goes wrong only when two things meet: a slow disk and a partition that heals in the middle,
 * late frames and a leader cut off, a crash of who was just asked to lead. Classes that each strike
 * at times of their own seldom meet, so some seeds have moments at which a few kinds strike the
 * same target at nearly the same time. Damage stays out (D1). Where members change, some of these
 * moments are of one whom an operator has just ordered to leave, or is about to. */
static void draw_together(struct gd_sim_plan *plan, bool members, bool sure)
{
    static const enum gd_sim_class classes[] = {
        GD_SIM_CLASS_PARTITION, GD_SIM_CLASS_STREAM,      GD_SIM_CLASS_CRASH, GD_SIM_CLASS_PAUSE,
        GD_SIM_CLASS_DISK_SLOW, GD_SIM_CLASS_CRASH_POINT, GD_SIM_CLASS_CLOCK, GD_SIM_CLASS_SNAPSHOT,
        GD_SIM_CLASS_TRANSFER,  GD_SIM_CLASS_DISK_ERROR};
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_TOGETHER);
    struct gd_prng ends = gd_sim__stream(plan->seed, PART_UNTIL);
    gd_time_ns timeout = plan->election_timeout;
    gd_time_ns gap = timeout * gd_prng_between(&prng, 4, 12);
    gd_time_ns at = timeout * 2;
    gd_time_ns end = gd_sim_plan_faults_end(plan);
    enum gd_sim_class present[GD_COUNT(classes)];
    size_t count = 0;
    if (plan->nodes < 2 || (gd_prng_chance(&prng, 1, 2) && !sure)) {
        return;
    }
    for (size_t i = 0; i < GD_COUNT(classes); i++) {
        if (gd_prng_chance(&prng, 1, 2)) {
            present[count++] = classes[i];
        }
    }
    while (count >= 2 && (at += gd_prng_between(&prng, gap / 2, gap * 2)) < end) {
        struct gd_sim_fault target = {0};
        uint64_t strikes = gd_prng_between(&prng, 2, 3);
        gd_sim__draw_role(&prng, plan, &target);
        if (members && plan->nodes >= 3 && gd_prng_chance(&prng, 1, 4)) {
            draw_leave(&prng, plan, at, &target);
        }
        for (uint64_t i = 0; i < strikes; i++) {
            struct gd_sim_fault fault = target;
            fault.kind = gd_sim__draw_kind(&prng, plan, present[gd_prng_below(&prng, count)]);
            fault.at = at + gd_prng_below(&prng, timeout);
            fault.at -= fault.at % GD_SIM_MS;
            if (gd_sim_fault_forms[fault.kind].lasts) {
                /* Who leaves is not waited for, but has a time of its own in which it goes. */
                fault.for_ = gd_prng_between(
                    &prng, timeout / 2, timeout * (target.role == GD_SIM_ROLE_LEAVING ? 12 : 4));
                fault.for_ = fault.at + fault.for_ > end ? end - fault.at : fault.for_;
                fault.for_ -= fault.for_ % GD_SIM_MS;
            }
            if (gd_sim_fault_forms[fault.kind].aim != GD_SIM_AIM_NODE) {
                fault.role = GD_SIM_ROLE_NODE;
                fault.node = 0;
            }
            gd_sim__draw_details(&prng, plan, &fault);
            if (gd_prng_chance(&ends, 1, 4)) {
                fault.until = draw_until(&ends, &fault, members);
            }
            if (fault.at < end && (fault.for_ > 0 || !gd_sim_fault_forms[fault.kind].lasts)) {
                gd_sim__insert_fault(plan, &fault);
            }
        }
    }
}

/* One more part of a moment, which is complete but for what its kind needs, at this time and, where
 * it lasts, for between half an election timeout and so many. */
static void add_part(struct gd_prng *prng, struct gd_sim_plan *plan, struct gd_sim_fault fault,
                     gd_time_ns at, uint64_t timeouts)
{
    gd_time_ns end = gd_sim_plan_faults_end(plan);
    gd_time_ns timeout = plan->election_timeout;
    fault.at = at - at % GD_SIM_MS;
    if (fault.kind == GD_SIM_FAULT_KIND_COUNT || fault.at >= end) {
        return;
    }
    if (gd_sim_fault_forms[fault.kind].lasts) {
        fault.for_ =
            fault.for_ != 0 ? fault.for_ : gd_prng_between(prng, timeout / 2, timeout * timeouts);
        fault.for_ = fault.at + fault.for_ > end ? end - fault.at : fault.for_;
        fault.for_ -= fault.for_ % GD_SIM_MS;
    }
    if (gd_sim_fault_forms[fault.kind].aim != GD_SIM_AIM_NODE) {
        fault.role = GD_SIM_ROLE_NODE;
        fault.node = 0;
        fault.later = 0;
    }
    uint64_t measure = fault.count;
    unsigned op = fault.op;
    gd_sim__draw_details(prng, plan, &fault);
    fault.count = measure != 0 ? measure : fault.count;
    fault.op = measure != 0 && op != 0 ? op : fault.op;
    if (fault.for_ > 0 || !gd_sim_fault_forms[fault.kind].lasts) {
        gd_sim__insert_fault(plan, &fault);
    }
}

/* A disk on which a write takes about as long as it takes to notice that a leader has gone; no
 * longer, since one that is under way when the fault ends takes its time (D2). */
static uint64_t slowness(struct gd_prng *prng, const struct gd_sim_plan *plan)
{
    uint64_t most = plan->election_timeout / (gd_sim__longest_operation(plan) + 1) + 4;
    return gd_prng_between(prng, most / 2 + 1, most * 2);
}

/* The leader goes in the midst of a change, which the others' disks are slow to take in: some have
 * it, some have not, and who has it has it in memory. */
static void draw_changes(struct gd_sim_plan *plan)
{
    static const enum gd_sim_class blows[] = {GD_SIM_CLASS_CRASH,       GD_SIM_CLASS_CRASH_POINT,
                                              GD_SIM_CLASS_CRASH_POINT, GD_SIM_CLASS_PARTITION,
                                              GD_SIM_CLASS_STREAM,      GD_SIM_CLASS_PAUSE};
    static const enum gd_sim_role whom[] = {GD_SIM_ROLE_CHANGING, GD_SIM_ROLE_CONCLUDING,
                                            GD_SIM_ROLE_LEADER, GD_SIM_ROLE_LEADER};
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_CHANGES);
    gd_time_ns timeout = plan->election_timeout;
    gd_time_ns gap = timeout * gd_prng_between(&prng, 6, 16);
    gd_time_ns at = timeout * 2;
    if (gd_prng_chance(&prng, 1, 2)) {
        return;
    }
    while ((at += gd_prng_between(&prng, gap / 2, gap * 2)) < gd_sim_plan_faults_end(plan)) {
        struct gd_sim_fault slow = {.kind = GD_SIM_FAULT_SLOW_DISK};
        struct gd_sim_fault blow = {.role = whom[gd_prng_below(&prng, GD_COUNT(whom))]};
        if (gd_prng_chance(&prng, 1, 2)) {
            (void)order_leave(&prng, plan, at, 0);
        } else {
            struct gd_sim_fault add = {.kind = GD_SIM_FAULT_ADD};
            add_part(&prng, plan, add, at, 1);
        }
        slow.count = slowness(&prng, plan);
        slow.role = gd_prng_chance(&prng, 3, 4) ? GD_SIM_ROLE_FOLLOWER : GD_SIM_ROLE_LEADER;
        add_part(&prng, plan, slow, at - gd_prng_below(&prng, timeout / 4), 4);
        blow.kind = gd_sim__draw_kind(&prng, plan, blows[gd_prng_below(&prng, GD_COUNT(blows))]);
        if (blow.role != GD_SIM_ROLE_LEADER && gd_prng_chance(&prng, 2, 3)) {
            blow.later =
                gd_prng_between(&prng, 1, 4 * plan->net_latency_max / GD_SIM_US) * GD_SIM_US;
        }
        add_part(&prng, plan, blow,
                 at + gd_prng_below(&prng, blow.role == GD_SIM_ROLE_LEADER ? timeout : 1), 4);
    }
}

/* The network parts along the line of a change, whoever ordered it: at once, when only one side
 * hears of it, or a little later. */
static void draw_lines(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_LINES);
    gd_time_ns timeout = plan->election_timeout;
    gd_time_ns gap = timeout * gd_prng_between(&prng, 4, 12);
    gd_time_ns at = timeout * 2;
    if (gd_prng_chance(&prng, 1, 2)) {
        return;
    }
    while ((at += gd_prng_between(&prng, gap / 2, gap * 2)) < gd_sim_plan_faults_end(plan)) {
        struct gd_sim_fault line = {.kind = GD_SIM_FAULT_SPLIT_JOINT, .role = GD_SIM_ROLE_CHANGING};
        struct gd_sim_fault add = {.kind = GD_SIM_FAULT_ADD};
        uint64_t order = gd_prng_below(&prng, 3);
        if (order == 0) {
            (void)order_leave(&prng, plan, at, timeout);
        } else if (order == 1) {
            add_part(&prng, plan, add, at, 1);
        }
        if (gd_prng_chance(&prng, 2, 3)) {
            line.later =
                gd_prng_between(&prng, 1, 4 * plan->net_latency_max / GD_SIM_US) * GD_SIM_US;
        }
        add_part(&prng, plan, line, at, 4);
    }
}

/* D1: may anybody have to go, down to a last voter? Not where a disk is damaged; nor under the
 * version before this one, by which who was cut off when it was removed never learns of it. */
static bool anybody_may_go(const struct gd_sim_plan *plan)
{
    for (size_t i = 0; i < plan->fault_count; i++) {
        if (gd_sim_fault_forms[plan->faults[i].kind].class_ == GD_SIM_CLASS_DISK_ROT) {
            return false;
        }
    }
    return plan->newer == 0;
}

/* The leader, ordered to leave at this time, goes in the midst of it, and the others' disks are
 * slow to take it in: who is left decides by a configuration that it has in memory. */
static void draw_departure(struct gd_prng *prng, struct gd_sim_plan *plan, gd_time_ns at)
{
    static const enum gd_sim_fault_kind blows[] = {GD_SIM_FAULT_CRASH,   GD_SIM_FAULT_CRASH,
                                                   GD_SIM_FAULT_STOP,    GD_SIM_FAULT_PAUSE,
                                                   GD_SIM_FAULT_ISOLATE, GD_SIM_FAULT_ISOLATE_OUT};
    struct gd_sim_fault leave = {.kind = GD_SIM_FAULT_REMOVE, .role = GD_SIM_ROLE_LEADER};
    struct gd_sim_fault slow = {.kind = GD_SIM_FAULT_SLOW_DISK, .role = GD_SIM_ROLE_FOLLOWER};
    struct gd_sim_fault blow = {.role = GD_SIM_ROLE_CONCLUDING};
    leave.at = at - at % GD_SIM_MS;
    gd_sim__insert_fault(plan, &leave);
    slow.count = slowness(prng, plan) * gd_prng_between(prng, 1, 2);
    add_part(prng, plan, slow, at - gd_prng_below(prng, plan->election_timeout / 4), 12);
    blow.kind = blows[gd_prng_below(prng, GD_COUNT(blows))];
    if (gd_prng_chance(prng, 3, 4)) {
        blow.later = gd_prng_between(prng, 1, 4 * plan->net_latency_max / GD_SIM_US) * GD_SIM_US;
    }
    add_part(prng, plan, blow, at, 8);
}

/* Whoever leads is ordered to leave, one after another until a last voter is left; then somebody is
 * added, and so on: where few decide, nobody makes up for what one of them does too early. */
static void draw_departures(struct gd_sim_plan *plan)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_DEPARTURES);
    gd_time_ns timeout = plan->election_timeout;
    gd_time_ns gap = timeout * gd_prng_between(&prng, 4, 12);
    gd_time_ns at = timeout * 2;
    uint64_t voters = plan->nodes; /* As far as all that is ordered comes about. */
    uint64_t spares = plan->spares;
    if (!anybody_may_go(plan) || gd_prng_chance(&prng, 1, 2)) {
        return;
    }
    while ((at += gd_prng_between(&prng, gap / 2, gap * 2)) < gd_sim_plan_faults_end(plan) &&
           (voters > 1 || spares > 0)) {
        struct gd_sim_fault add = {.kind = GD_SIM_FAULT_ADD};
        if (voters > 1) {
            draw_departure(&prng, plan, at);
            voters--;
        } else {
            add_part(&prng, plan, add, at, 1);
            voters++;
            spares--;
        }
    }
}

/* Somebody is asked to lead, and something comes between as soon as it stands for election: what it
 * says is late, when the others have gone on. Where members change, it is mostly one who is then
 * ordered to leave. */
static void draw_offers(struct gd_sim_plan *plan, bool members, bool sure)
{
    static const enum gd_sim_class blows[] = {GD_SIM_CLASS_PARTITION, GD_SIM_CLASS_PARTITION,
                                              GD_SIM_CLASS_STREAM, GD_SIM_CLASS_DISK_SLOW,
                                              GD_SIM_CLASS_PAUSE};
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_OFFERS);
    gd_time_ns timeout = plan->election_timeout;
    gd_time_ns gap = timeout * gd_prng_between(&prng, 6, 16);
    gd_time_ns at = timeout * 2;
    if (plan->nodes < 3 || (gd_prng_chance(&prng, members ? 1 : 3, members ? 2 : 4) && !sure)) {
        return;
    }
    while ((at += gd_prng_between(&prng, gap / 2, gap * 2)) < gd_sim_plan_faults_end(plan)) {
        struct gd_sim_fault offer = {.kind = GD_SIM_FAULT_TRANSFER, .role = GD_SIM_ROLE_FOLLOWER};
        struct gd_sim_fault blow = {.role = GD_SIM_ROLE_CANDIDATE};
        if (members && gd_prng_chance(&prng, 2, 3)) {
            offer.role = GD_SIM_ROLE_NODE;
            offer.node = gd_sim__draw_victim(&prng, plan);
            (void)order_leave(&prng, plan, at + gd_prng_between(&prng, timeout, timeout * 3), 0);
        }
        blow.kind = gd_sim__draw_kind(&prng, plan, blows[gd_prng_below(&prng, GD_COUNT(blows))]);
        if (gd_prng_chance(&prng, 2, 3)) {
            blow.until = draw_until(&prng, &blow, members);
        }
        add_part(&prng, plan, blow, at, 6);
        add_part(&prng, plan, offer, at, 1);
    }
}

/* Some nodes are behind by more than the others' logs hold. */
static void cut_early(struct gd_prng *prng, struct gd_sim_plan *plan)
{
    if (plan->snapshot_log_count == 0 || plan->snapshot_log_count > 40) {
        plan->snapshot_log_count = gd_sim__draw_log(prng, 5, 40);
    }
    if (plan->tail_count == 0 || plan->tail_count > plan->snapshot_log_count) {
        plan->tail_count = gd_sim__draw_log(prng, 1, plan->snapshot_log_count);
    }
}

/* A disk that hangs then does so at whatever it is asked: nothing takes longer than a sync, and a
 * sync always about as long. */
static void hang_evenly(struct gd_sim_plan *plan)
{
    gd_time_ns most = plan->disk_sync_max;
    plan->disk_sync_min = plan->disk_sync_min < most / 2 ? most / 2 : plan->disk_sync_min;
    plan->disk_latency_max = plan->disk_latency_max < most ? plan->disk_latency_max : most;
    plan->disk_latency_min = plan->disk_latency_min < most ? plan->disk_latency_min : most;
}

/* What is asked at once gets to the others in pieces: who loses its leader has a part of it. */
static void in_pieces(struct gd_prng *prng, struct gd_sim_plan *plan)
{
    plan->window_count = gd_prng_between(prng, 1, 2);
    plan->batch_size = gd_sim__draw_log(prng, 128, 512);
    plan->net_latency_max = plan->heartbeat / gd_prng_between(prng, 2, 10);
    plan->net_latency_min = plan->net_latency_max / gd_prng_between(prng, 2, 4);
}

/* A leader whose disk hangs, with words that some have, then alone with more of them: the one that
 * leads, or the next one, asked to at this time, since much is asked of who has just been elected.
 * How many make up those few; the time when it is alone in `at`. */
static uint64_t draw_first(struct gd_prng *prng, struct gd_sim_plan *plan, gd_time_ns *at)
{
    gd_time_ns timeout = plan->election_timeout;
    bool asked = gd_prng_chance(prng, 2, 3);
    enum gd_sim_role whom = asked ? GD_SIM_ROLE_ELECTED : GD_SIM_ROLE_LEADER;
    struct gd_sim_fault slow = {.kind = GD_SIM_FAULT_SLOW_DISK, .role = whom};
    struct gd_sim_fault few = {.kind = GD_SIM_FAULT_CORNER, .role = whom};
    struct gd_sim_fault alone = {.kind = GD_SIM_FAULT_ISOLATE, .role = whom};
    struct gd_sim_fault ask = {.kind = GD_SIM_FAULT_TRANSFER, .role = GD_SIM_ROLE_FOLLOWER};
    if (gd_prng_chance(prng, 1, 4)) {
        slow.role = GD_SIM_ROLE_NODE;
        slow.node = (unsigned)gd_prng_between(prng, 1, plan->nodes);
    }
    slow.count = slowness(prng, plan);
    if (*at + timeout * 16 < gd_sim_plan_faults_end(plan)) { /* Longer than two elections take. */
        slow.count =
            timeout * gd_prng_between(prng, 4, 8) / (gd_sim__longest_operation(plan) + 1) + 1;
        slow.for_ = timeout * gd_prng_between(prng, 4, 8);
    }
    add_part(prng, plan, slow, *at, 8);
    few.count = gd_prng_between(prng, 1, plan->nodes - 1);
    /* So short that those few are not much later than the others to stand for election. */
    few.for_ = asked ? plan->net_latency_max * gd_prng_between(prng, 2, 8) / 2 + GD_SIM_MS
                     : gd_prng_between(prng, plan->heartbeat / 4, timeout / 2);
    few.for_ = few.for_ < timeout / 2 ? few.for_ : timeout / 2;
    add_part(prng, plan, few, *at, 1);
    alone.for_ = gd_prng_between(prng, timeout * 2, timeout * 5);
    alone.until = gd_prng_chance(prng, 5, 6) ? GD_SIM_ROLE_ELECTED : GD_SIM_ROLE_NODE;
    alone.later = asked ? few.for_ - few.for_ % GD_SIM_MS : 0;
    add_part(prng, plan, alone, asked ? *at : *at + few.for_, 4);
    if (asked) {
        add_part(prng, plan, ask, *at + GD_SIM_MS, 1);
    }
    *at += asked ? timeout : few.for_;
    return few.count;
}

/* The next one, elected by those who lack the words of the one before or by those who have some, is
 * soon cut off with a few, too, and so on. While one more is away the others may be too few to do
 * without whoever has some. */
static void draw_reign(struct gd_prng *prng, struct gd_sim_plan *plan, gd_time_ns at)
{
    static const enum gd_sim_fault_kind away[] = {GD_SIM_FAULT_ISOLATE, GD_SIM_FAULT_PAUSE,
                                                  GD_SIM_FAULT_CRASH};
    gd_time_ns timeout = plan->election_timeout;
    struct gd_sim_fault gone = {.kind = away[gd_prng_below(prng, GD_COUNT(away))]};
    struct gd_sim_fault next = {.role = GD_SIM_ROLE_ELECTED};
    uint64_t reigns = gd_prng_between(prng, 1, 3);
    gone.node = (unsigned)gd_prng_between(prng, 1, plan->nodes);
    gone.for_ = gd_prng_between(prng, timeout * 3 / 2, timeout * 3);
    if (gd_prng_chance(prng, 3, 4)) {
        add_part(prng, plan, gone, at, 4);
    }
    uint64_t few = draw_first(prng, plan, &at);
    for (uint64_t i = 0; i < reigns; i++) {
        next.kind = gd_prng_chance(prng, 3, 4) ? GD_SIM_FAULT_CORNER : GD_SIM_FAULT_ISOLATE_OUT;
        next.count = gd_prng_between(prng, 1, plan->nodes - 1);
        if (i == 0 && gd_prng_chance(prng, 3, 4)) {
            next.kind = GD_SIM_FAULT_CORNER; /* With the one before, if it is of those few. */
            next.count = gd_sim_plan_total(plan) - few;
        }
        next.count = next.kind == GD_SIM_FAULT_CORNER ? next.count : 0;
        next.later = 0;
        if (gd_prng_chance(prng, i == 0 ? 1 : 3, 4)) { /* It leads for a while. */
            next.later =
                gd_prng_between(prng, 1, timeout / GD_SIM_MS) * GD_SIM_MS / (i == 0 ? 4 : 1);
        }
        next.for_ = gd_prng_between(prng, timeout * 2, timeout * 6);
        next.until = gd_prng_chance(prng, 5, 6) ? GD_SIM_ROLE_ELECTED : GD_SIM_ROLE_NODE;
        add_part(prng, plan, next, at, 4);
        at += gd_prng_between(prng, timeout, timeout * 3); /* It takes so long to elect one. */
    }
}

/* Leaders follow each other, each cut off with words that few others have, some as soon as they
 * lead; meanwhile somebody's disk hangs, so that it is contradicted again before it has stored what
 * the one before told it. */
static void draw_reigns(struct gd_sim_plan *plan, bool sure)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_REIGNS);
    gd_time_ns gap = plan->election_timeout * gd_prng_between(&prng, 6, 12);
    gd_time_ns at = 0;
    if (plan->nodes < 3 || (!gd_prng_chance(&prng, 1, 4) && !sure)) {
        return;
    }
    if (gd_prng_chance(&prng, 1, 2)) {
        plan->burst_chance = gd_prng_between(&prng, 20000, 400000);
        plan->burst_count = gd_sim__draw_log(&prng, 4, 50);
    }
    if (gd_prng_chance(&prng, 1, 2)) {
        cut_early(&prng, plan);
    }
    if (gd_prng_chance(&prng, 2, 3)) {
        in_pieces(&prng, plan);
    }
    hang_evenly(plan);
    while ((at += gd_prng_between(&prng, gap, gap * 3 / 2)) < gd_sim_plan_faults_end(plan)) {
        draw_reign(&prng, plan, at);
    }
}

/* What vouches for a snapshot fails where it comes in, and the process goes down twice: killed or
 * by the power, as it falls. */
static void draw_stumble(struct gd_prng *prng, struct gd_sim_plan *plan, gd_time_ns at,
                         unsigned node)
{
    gd_time_ns timeout = plan->election_timeout;
    struct gd_sim_fault fail = {.kind = GD_SIM_FAULT_FAIL_OP, .role = GD_SIM_ROLE_RECEIVER};
    struct gd_sim_fault crash = {.kind = GD_SIM_FAULT_CRASH, .node = node};
    fail.op = gd_prng_chance(prng, 1, 2) ? GD_DISK_SYNC_DIRECTORY : GD_DISK_RENAME;
    fail.count = gd_prng_between(prng, 1, 2);
    add_part(prng, plan, fail, at + timeout, 6);
    at += timeout * gd_prng_between(prng, 4, 8);
    for (unsigned i = 0; i < 2; i++) {
        add_part(prng, plan, crash, at, 2);
        at += timeout * gd_prng_between(prng, 2, 6);
    }
}

/* The same, but that the process goes down soon after that has failed, and again soon after its
 * start: what failed seems to be there, and is gone with the power. */
static void draw_relapse(struct gd_prng *prng, struct gd_sim_plan *plan, gd_time_ns at)
{
    gd_time_ns timeout = plan->election_timeout;
    struct gd_sim_fault fail = {.kind = GD_SIM_FAULT_FAIL_OP, .role = GD_SIM_ROLE_RECEIVER};
    struct gd_sim_fault crash = {.kind = GD_SIM_FAULT_CRASH, .role = GD_SIM_ROLE_STRICKEN};
    fail.op = gd_prng_chance(prng, 2, 3) ? GD_DISK_SYNC_DIRECTORY : GD_DISK_RENAME;
    fail.count = 1;
    add_part(prng, plan, fail, at, 4);
    crash.later = gd_sim__draw_log(prng, 1, timeout / GD_SIM_MS) * GD_SIM_MS;
    crash.for_ = timeout / 4;
    crash.kind = gd_prng_chance(prng, 1, 2) ? GD_SIM_FAULT_STOP : GD_SIM_FAULT_CRASH;
    add_part(prng, plan, crash, at, 2);
    crash.kind = GD_SIM_FAULT_CRASH;
    crash.role = GD_SIM_ROLE_STARTED;
    crash.later = gd_sim__draw_log(prng, 1, 4 * timeout / GD_SIM_MS) * GD_SIM_MS;
    add_part(prng, plan, crash, at + GD_SIM_MS, 2);
}

/* Whoever has just got a snapshot gives up its log for it, and its disk is not what it should be.
 */
static void draw_restored(struct gd_prng *prng, struct gd_sim_plan *plan, gd_time_ns at)
{
    static const enum gd_sim_class blows[] = {GD_SIM_CLASS_CRASH_POINT, GD_SIM_CLASS_DISK_ERROR,
                                              GD_SIM_CLASS_CRASH};
    struct gd_sim_fault slow = {.kind = GD_SIM_FAULT_SLOW_DISK, .role = GD_SIM_ROLE_RESTORED};
    struct gd_sim_fault blow = {.role = GD_SIM_ROLE_RESTORED};
    slow.count = gd_sim__draw_log(prng, 4, slowness(prng, plan) + 4);
    if (gd_prng_chance(prng, 1, 2)) {
        add_part(prng, plan, slow, at, 4);
    }
    blow.kind = gd_sim__draw_kind(prng, plan, blows[gd_prng_below(prng, GD_COUNT(blows))]);
    blow.later = gd_prng_chance(prng, 1, 4) ? gd_sim__draw_log(prng, 1, 100) * GD_SIM_MS : 0;
    add_part(prng, plan, blow, at, 3);
}

/* Of what is asked in a few election timeouts, much of it reads, the logs hold only a part. */
static void cut_in_time(struct gd_sim_plan *plan)
{
    uint64_t asked = plan->election_timeout * 4 / (plan->duration / plan->operations + 1);
    uint64_t most = asked / 12 < 2 ? 2 : asked / 12;
    plan->snapshot_log_count = plan->snapshot_log_count < most ? plan->snapshot_log_count : most;
    plan->tail_count = plan->tail_count < most / 2 ? plan->tail_count : most / 2;
}

/* Somebody was away for so long that it must be sent a snapshot, and as it is sent the way breaks,
 * or an end of it stumbles, while others read and write on. */
static void draw_transfers(struct gd_sim_plan *plan, bool sure)
{
    static const enum gd_sim_class blows[] = {GD_SIM_CLASS_STREAM, GD_SIM_CLASS_STREAM,
                                              GD_SIM_CLASS_PARTITION, GD_SIM_CLASS_CRASH,
                                              GD_SIM_CLASS_PAUSE};
    static const enum gd_sim_fault_kind away[] = {GD_SIM_FAULT_ISOLATE, GD_SIM_FAULT_CRASH,
                                                  GD_SIM_FAULT_PAUSE};
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_TRANSFERS);
    gd_time_ns timeout = plan->election_timeout;
    gd_time_ns gap = timeout * gd_prng_between(&prng, 6, 16);
    gd_time_ns at = timeout;
    if (plan->nodes < 3 || (!gd_prng_chance(&prng, 1, 4) && !sure)) {
        return;
    }
    cut_early(&prng, plan);
    plan->readers = gd_prng_between(&prng, 200000, 800000);
    plan->snapshot_chunk_size = gd_sim__draw_log(&prng, 64, 1024);
    if (gd_prng_chance(&prng, 1, 2)) {
        /* Much is only read, each round of which has to ask all, and some words get lost. */
        plan->operations *= gd_prng_between(&prng, 2, 4);
        plan->net_uneven = gd_sim__draw_log(&prng, 8, 64);
        plan->net_drop = plan->net_drop == 0 ? gd_prng_between(&prng, 5000, 50000) : plan->net_drop;
        plan->lull = timeout * gd_prng_between(&prng, 4, 10);
        plan->lull_gap = gd_sim__draw_log(&prng, 500, 4000) * GD_SIM_MS;
        plan->lease = gd_prng_chance(&prng, 1, 4) ? plan->lease : 0;
    }
    cut_in_time(plan);
    if (gd_prng_chance(&prng, 1, 2)) { /* A log of many segments, that turn at every other word. */
        plan->segment_size = gd_prng_between(&prng, 1, 2) * 4096;
        plan->value_large_chance = gd_prng_between(&prng, 100000, 500000);
        plan->value_large_size = gd_prng_between(&prng, 1024, 8192);
        plan->snapshot_chunk_size = gd_sim__draw_log(&prng, 2048, 16384); /* It is sent often. */
    }
    while ((at += gd_prng_between(&prng, gap / 2, gap * 2)) < gd_sim_plan_faults_end(plan)) {
        struct gd_sim_fault gone = {.kind = away[gd_prng_below(&prng, GD_COUNT(away))]};
        struct gd_sim_fault slow = {.kind = GD_SIM_FAULT_SLOW_DISK, .role = GD_SIM_ROLE_SENDER};
        struct gd_sim_fault blow = {.role = GD_SIM_ROLE_SENDER};
        gone.node = (unsigned)gd_prng_between(&prng, 1, plan->nodes);
        add_part(&prng, plan, gone, at, 6);
        slow.count = gd_sim__draw_log(&prng, 4, slowness(&prng, plan) + 4);
        if (gd_prng_chance(&prng, 1, 2)) {
            add_part(&prng, plan, slow, at + timeout, 4);
        }
        blow.role = gd_prng_chance(&prng, 1, 3) ? GD_SIM_ROLE_RECEIVER : blow.role;
        blow.kind = gd_sim__draw_kind(&prng, plan, blows[gd_prng_below(&prng, GD_COUNT(blows))]);
        blow.later = gd_prng_below(&prng, timeout / GD_SIM_MS / 2) * GD_SIM_MS;
        uint64_t dice = gd_prng_below(&prng, 8);
        if (dice == 0) {
            draw_stumble(&prng, plan, at, gone.node);
        } else if (dice < 3) {
            draw_relapse(&prng, plan, at + timeout);
        } else if (dice < 6) {
            draw_restored(&prng, plan, at + timeout);
        } else {
            add_part(&prng, plan, blow, at + timeout, 3);
        }
    }
}

/* Something befalls a node's database, and before it is over something else, or the node itself.
 * Some are slow, so that much is to be done at once, and fail in the midst of that; some are full
 * for longer than a request may take. */
void gd_sim__draw_database_moments(struct gd_sim_plan *plan)
{
    static const enum gd_sim_class next[] = {GD_SIM_CLASS_DATABASE, GD_SIM_CLASS_DATABASE,
                                             GD_SIM_CLASS_CRASH, GD_SIM_CLASS_CRASH_POINT};
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_DATABASE_MOMENTS);
    gd_time_ns timeout = plan->election_timeout;
    gd_time_ns gap = timeout * gd_prng_between(&prng, 4, 16);
    gd_time_ns at = timeout;
    if (gd_prng_chance(&prng, 1, 2)) {
        return;
    }
    while ((at += gd_prng_between(&prng, gap / 2, gap * 2)) < gd_sim_plan_faults_end(plan)) {
        struct gd_sim_fault fault = {.node = (unsigned)gd_prng_between(&prng, 1, plan->nodes)};
        uint64_t parts = gd_prng_between(&prng, 2, 4);
        bool slow = gd_prng_chance(&prng, 1, 3);
        gd_time_ns when = at;
        if (gd_prng_chance(&prng, 1, 4)) {
            fault.kind = GD_SIM_FAULT_DATABASE_FULL;
            fault.for_ = plan->request_timeout * gd_prng_between(&prng, 1, 4);
            add_part(&prng, plan, fault, at, 1);
            fault.for_ = 0;
        }
        for (uint64_t i = 0; i < parts; i++) {
            enum gd_sim_class among =
                i == 0 ? GD_SIM_CLASS_DATABASE : next[gd_prng_below(&prng, GD_COUNT(next))];
            fault.kind = !slow    ? gd_sim__draw_kind(&prng, plan, among)
                         : i == 0 ? GD_SIM_FAULT_DATABASE_SLOW
                                  : GD_SIM_FAULT_DATABASE_CUT;
            add_part(&prng, plan, fault, when, 2);
            when += gd_sim__draw_log(&prng, 1, timeout / GD_SIM_MS) * GD_SIM_MS;
        }
    }
}

enum moment { TOGETHER, OFFERS, REIGNS, TRANSFERS, CHANGES };

void gd_sim__draw_moments(struct gd_sim_plan *plan, bool members, bool alone)
{
    struct gd_prng prng = gd_sim__stream(plan->seed, PART_ALONE);
    uint64_t only = gd_prng_below(&prng, members ? 5 : 4);
    if (!alone || only == TOGETHER) {
        draw_together(plan, members, alone);
    }
    if (!alone || only == OFFERS) {
        draw_offers(plan, members, alone);
    }
    if (!alone || only == REIGNS) {
        draw_reigns(plan, alone);
    }
    if (!alone || only == TRANSFERS) {
        draw_transfers(plan, alone);
    }
    if (members && plan->nodes >= 2 && (!alone || only == CHANGES)) {
        draw_changes(plan);
        draw_lines(plan);
        draw_departures(plan);
    }
}
