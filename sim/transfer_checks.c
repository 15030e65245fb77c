/* transfer_checks.c - does what a peer lacks get to it?
 *
 * Who is behind its leader's log waits for a snapshot, or for the leader to find out where their
 * logs part, and whatever goes wrong on the way shows by nothing but that it waits: until the end
 * of a run, if nobody else leads meanwhile, and mostly somebody does. So it is looked at while it
 * happens, from both sides: a sender must go on, and must not go on for nothing.
 *
 * The properties, by the names under which a violation is told
 *   transfers go on      A chunk of a snapshot is sent again in time, not at the network's pace;
 *                        and to a peer that needs one, and is heard, some chunk is sent as long as
 *                        nothing keeps its leader: time in which that one's disk is at work, or
 *                        the process stands still, does not count.
 *   probes go down       A leader that has read where a peer refused its entries goes on further
 *                        down (paper 5.3), or sends a snapshot. Not at each answer: one that comes
 *                        late, or over a connection that is not its any more, moves nothing. */
#include "sim/checks_internal.h"
#include <inttypes.h>

/* What could not be stored (no room, a failed sync, damage that showed at the end) cannot be at
 * once either: the same chunk over and over costs network and disk, and brings nobody further. One
 * heartbeat may bring it, one answer more; copies of answers do, too. */
#define CHUNKS_AGAIN 32
void gd_sim__look_at_chunk(struct gd_sim_checks *checks, unsigned id, const struct gd_message *m)
{
    struct pace *pace = &checks->shadows[id].pace[m->to];
    gd_time_ns now = checks->clock(checks->context, id);
    if (gd_position_compare(pace->position, m->install.position) != 0 ||
        pace->offset != m->install.offset) {
        *pace = (struct pace){m->install.position, m->install.offset, now, 0, 0};
    }
    pace->owed = 0;
    pace->count++;
    if (pace->count > CHUNKS_AGAIN + 3 * ((now - pace->since) / checks->plan->heartbeat)) {
        gd_sim__violated(checks, "transfers go on",
                         "node %u sends node %" PRIu64 " the bytes at %" PRIu64
                         " of the snapshot at %" PRIu64 " for the %" PRIu64 "th time in a row",
                         id, m->to, pace->offset, pace->position.index, pace->count);
    }
}

void gd_sim__note_refusal(struct gd_sim_checks *checks, unsigned from, unsigned to,
                          const struct gd_message *m)
{
    struct refusal *refusal = &checks->shadows[to].refusals[from];
    const struct gd_message_append_resp *resp = &m->append_resp;
    if (resp->success) {
        *refusal = (struct refusal){0};
    } else if (refusal->term != m->term || refusal->boot != m->boot ||
               refusal->at != resp->rejected) {
        *refusal = (struct refusal){m->term, m->boot, resp->rejected, true, 0, 0};
    } else {
        refusal->fresh = true;
    }
}

/* So often, and for so long that what was asked before the leader last changed its mind (when it
 * learned that the peer has started anew, say) has been answered, over however slow a way. */
#define ASKED_AGAIN 8
static void look_at_probe(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                          unsigned peer, const struct gd_member_status *status)
{
    struct refusal *refusal = &checks->shadows[id].refusals[peer];
    bool stays = status->state != GD_PROGRESS_SNAPSHOT && status->match < refusal->at &&
                 status->next > refusal->at && refusal->term == gd_raft_term(raft);
    if (!refusal->fresh) {
        return;
    }
    refusal->fresh = false;
    gd_time_ns now = checks->clock(checks->context, id);
    refusal->count = stays ? refusal->count + 1 : 0;
    refusal->since = refusal->count > 1 ? refusal->since : now;
    if (refusal->count > ASKED_AGAIN && now - refusal->since > checks->plan->election_timeout) {
        gd_sim__violated(checks, "probes go down",
                         "node %u leads term %" PRIu64 ", and goes on at %" PRIu64
                         " for node %u, though that has refused what comes behind %" PRIu64
                         ", %u times",
                         id, gd_raft_term(raft), status->next, peer, refusal->at, refusal->count);
    }
}

/* A leader tries each chunk again after an election timeout, at a heartbeat. */
#define TRIES 4
void gd_sim__look_at_transfers(struct gd_sim_checks *checks, unsigned id,
                               const struct gd_node *node)
{
    const struct gd_raft *raft = gd_node_raft(node);
    struct shadow *shadow = &checks->shadows[id];
    const struct gd_sim_plan *plan = checks->plan;
    gd_time_ns now = checks->clock(checks->context, id);
    gd_time_ns gone = now - shadow->transfers_seen;
    bool leads = gd_raft_role(raft) == GD_ROLE_LEADER && !gd_node_closing(node);
    shadow->transfers_seen = now;
    gone = gone < plan->heartbeat ? gone : plan->heartbeat;
    for (unsigned peer = 1; peer <= gd_sim_plan_total(plan); peer++) {
        struct pace *pace = &shadow->pace[peer];
        struct gd_member_status status;
        bool known = leads && peer != id && gd_raft_progress(raft, peer, now, &status);
        if (known) {
            look_at_probe(checks, id, raft, peer, &status);
        }
        if (!known || status.state != GD_PROGRESS_SNAPSHOT ||
            !gd_sim__has_heard(checks, id, peer, gd_raft_term(raft), plan->election_timeout)) {
            pace->owed = 0;
        } else if (!checks->busy(checks->context, id)) {
            pace->owed += gone;
        }
        if (pace->owed > TRIES * plan->election_timeout) {
            gd_sim__violated(checks, "transfers go on",
                             "node %u leads term %" PRIu64
                             ", hears node %u, which needs its snapshot, and has sent it no chunk "
                             "for %u election timeouts",
                             id, gd_raft_term(raft), peer, TRIES);
            return;
        }
    }
}
