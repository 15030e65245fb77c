/* election_checks.c - the part of the invariants after each event that is about who stands for
 * election and who helps; the list of them stands at the head of checks.c. */
#include "sim/checks_internal.h"
#include <inttypes.h>

/* A voter, or one by the configuration before, as long as the last is not known to be committed:
 * who has it may be the only one with the entry that the others must have. */
static bool may_be_needed(const struct gd_raft *raft, unsigned id)
{
    gd_index index = gd_raft_config_index(raft), before;
    if (gd_config_votes(gd_raft_config(raft), id)) {
        return true;
    }
    if (index <= gd_raft_commit(raft)) {
        return false;
    }
    return gd_config_votes(gd_raft_config_at(raft, index - 1, &before), id) && before < index;
}

/* Whose time has come, and no leader spoke meanwhile, stands for election. (Asked again by whom it
 * has voted for it may wait once more.) */
static void look_at_passed(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                           const struct gd_raft_facts *facts)
{
    const struct shadow *shadow = &checks->shadows[id];
    gd_time_ns now = checks->clock(checks->context, id);
    bool same = shadow->role == GD_ROLE_FOLLOWER && gd_raft_role(raft) == GD_ROLE_FOLLOWER &&
                shadow->term == gd_raft_term(raft) && shadow->vote == gd_raft_vote(raft);
    if (same && shadow->term != 0 && (shadow->leader != 0 || shadow->vote == 0) &&
        shadow->facts.election_deadline <= now && facts->election_deadline > now &&
        facts->leader_contact == shadow->facts.leader_contact && facts->leader_contact != now &&
        facts->campaigns == shadow->facts.campaigns && may_be_needed(raft, id)) {
        gd_sim__violated(checks, "elections are stood for",
                         "node %u, follower of term %" PRIu64
                         ", let its election pass; its vote and its log may be needed",
                         id, shadow->term);
    }
}

/* An election is put off by a leader that speaks, by a vote, or by a campaign of one's own, and by
 * nothing else: whoever may put it off can keep a cluster without a leader. */
static void look_at_deadline(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    struct shadow *shadow = &checks->shadows[id];
    struct gd_raft_facts facts;
    bool same = shadow->role == GD_ROLE_FOLLOWER && gd_raft_role(raft) == GD_ROLE_FOLLOWER &&
                shadow->term == gd_raft_term(raft) && shadow->leader == gd_raft_leader(raft) &&
                shadow->vote == gd_raft_vote(raft);
    gd_raft_facts(raft, &facts);
    gd_time_ns now = checks->clock(checks->context, id);
    if (same && shadow->term != 0 && (shadow->leader != 0 || shadow->vote == 0) &&
        facts.leader_contact == shadow->facts.leader_contact && facts.leader_contact != now &&
        facts.election_deadline > shadow->facts.election_deadline &&
        shadow->facts.election_deadline > now) {
        gd_sim__violated(checks, "elections are not put off",
                         "node %u, follower of term %" PRIu64 ", put its election off; no leader "
                         "spoke, and it granted no vote",
                         id, shadow->term);
    }
    look_at_passed(checks, id, raft, &facts);
    if (facts.hard_state_durable) {
        shadow->durable_term = gd_raft_term(raft);
        shadow->durable_vote = gd_raft_vote(raft);
    }
    shadow->facts = facts;
    shadow->role = gd_raft_role(raft);
    shadow->leader = gd_raft_leader(raft);
    shadow->leader_term = shadow->leader != 0 ? gd_raft_term(raft) : shadow->leader_term;
}

/* Who hears a leader helps nobody else to lead (thesis 4.2.3), but whom a leader asked to. Under
 * leases it has promised to keep still for a whole timeout, whatever brought a later term
 * meanwhile; without them a later term that came by itself is that of a leader that is gone. Looked
 * at while the shadow still shows what was before the event. */
static void look_at_stickiness(struct gd_sim_checks *checks, unsigned id,
                               const struct gd_raft *raft)
{
    const struct shadow *shadow = &checks->shadows[id];
    gd_node_id vote = gd_raft_vote(raft);
    gd_term term = gd_raft_term(raft);
    gd_time_ns contact = shadow->facts.leader_contact;
    gd_time_ns now = checks->clock(checks->context, id);
    bool hears = contact != 0 && now - contact < checks->plan->election_timeout &&
                 shadow->role != GD_ROLE_LEADER;
    if (shadow->term == 0 || vote == 0 || vote == id || vote > GD_SIM_NODES_MAX ||
        (term == shadow->term && vote == shadow->vote) ||
        checks->shadows[vote].offered + 1 >= term) {
        return;
    }
    if (hears &&
        (checks->plan->lease != 0 || (shadow->leader != 0 && shadow->heard <= shadow->term))) {
        gd_sim__violated(checks, "leader stickiness",
                         "node %u votes for node %" PRIu64 " in term %" PRIu64
                         ", and has heard a leader less than an election timeout ago",
                         id, vote, term);
    }
}

/* A leader's wish that somebody else may lead holds for voters: who hears a leader takes no term
 * from a candidate that is none, by the configuration that it has. Looked at while the shadow still
 * shows what was before the event. */
static void look_at_wish(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    const struct shadow *shadow = &checks->shadows[id];
    gd_term term = gd_raft_term(raft);
    gd_time_ns contact = shadow->facts.leader_contact;
    gd_time_ns now = checks->clock(checks->context, id);
    bool hears = shadow->led || (contact != 0 && now - contact < checks->plan->election_timeout &&
                                 shadow->leader != 0 && shadow->role == GD_ROLE_FOLLOWER);
    uint32_t voters = shadow->voters.incoming | shadow->voters.outgoing;
    if (shadow->term == 0 || term <= shadow->term || !hears || gd_raft_vote(raft) == id ||
        shadow->wish.term != term || shadow->wish.others >= term || voters == 0) {
        return;
    }
    unsigned from = 0;
    for (unsigned each = 1; each <= GD_SIM_NODES_MAX; each++) {
        if ((shadow->wish.from >> each & 1) != 0) {
            from = each;
            if ((voters >> each & 1) != 0 || gd_config_votes(gd_raft_config(raft), each)) {
                return;
            }
        }
    }
    if (from != 0) {
        gd_sim__violated(checks, "outsiders disturb nobody",
                         "node %u heard a leader in term %" PRIu64 " and takes term %" PRIu64
                         " from node %u, which is no voter for it",
                         id, shadow->term, term, from);
    }
}

void gd_sim__look_at_standing(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    look_at_stickiness(checks, id, raft);
    look_at_wish(checks, id, raft);
    look_at_deadline(checks, id, raft);
}
