/* term_checks.c - where a term comes from; the list of the invariants stands at the head of
 * checks.c.
 *
 * A node goes to a later term by its own campaign, by a leader's word, by the question of a
 * candidate that it may help, and by the answer of a member. Whoever is no member for it may be in
 * a later term rightly (it was cut off, it was asked to lead, it was removed meanwhile), and its
 * words may be late: who hears a leader goes on with that (thesis 4.2.3). What counts is when
 * something is read, and what the reader's configuration is then: when it was sent its sender may
 * have been a member. */
#include "engine/message.h"
#include "sim/checks_internal.h"
#include <inttypes.h>

/* Does it hear a leader, or lead and hear a quorum? One that has stood still finds that out in the
 * event in which it reads what came meanwhile, before it has read all of it. */
static bool hears(const struct gd_sim_checks *checks, unsigned id)
{
    const struct shadow *shadow = &checks->shadows[id];
    gd_time_ns contact = shadow->facts.leader_contact;
    gd_time_ns span = checks->plan->election_timeout;
    uint32_t heard = UINT32_C(1) << id;
    if (!shadow->led) {
        return contact != 0 && checks->clock(checks->context, id) - contact < span &&
               shadow->leader != 0 && shadow->role == GD_ROLE_FOLLOWER;
    }
    for (unsigned peer = 1; peer <= gd_sim_plan_total(checks->plan); peer++) {
        heard |= gd_sim__has_heard(checks, id, peer, shadow->term, span) ? UINT32_C(1) << peer : 0;
    }
    return gd_sim_decides(shadow->voters, heard);
}

/* Whatever the sender, or from a member alone? */
static bool has_right(const struct gd_sim_checks *checks, unsigned to, enum gd_message_type type)
{
    switch (type) {
    case GD_MESSAGE_VOTE:
        return !hears(checks, to);
    case GD_MESSAGE_PRE_VOTE:
    case GD_MESSAGE_PRE_VOTE_RESP:
    case GD_MESSAGE_VOTE_RESP:
    case GD_MESSAGE_APPEND_RESP:
    case GD_MESSAGE_INSTALL_SNAPSHOT_RESP:
    case GD_MESSAGE_READ_INDEX:
        return false;
    default:
        return true;
    }
}

void gd_sim__note_term(struct gd_sim_checks *checks, unsigned from, unsigned to,
                       struct gd_slice frame)
{
    struct shadow *shadow = &checks->shadows[to];
    gd_term term = gd_message_frame_term(frame);
    if (gd_message_frame_type(frame) == GD_MESSAGE_VOTE && term > shadow->free &&
        !hears(checks, to)) {
        shadow->free = term;
    }
    if ((shadow->members >> from & 1) != 0 || has_right(checks, to, gd_message_frame_type(frame))) {
        shadow->rightly = term > shadow->rightly ? term : shadow->rightly;
    } else if (term >= shadow->outside.term) {
        shadow->outside.from = term > shadow->outside.term ? 0 : shadow->outside.from;
        shadow->outside.from |= UINT32_C(1) << from;
        shadow->outside.term = term;
    }
}

void gd_sim__look_at_term(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    const struct shadow *shadow = &checks->shadows[id];
    gd_term term = gd_raft_term(raft);
    if (shadow->term == 0 || term <= shadow->term || term <= shadow->rightly ||
        gd_raft_vote(raft) == id || shadow->members == 0 || shadow->outside.term < term ||
        gd_raft_config_index(raft) != shadow->config_index) { /* Other members decide by now. */
        return;
    }
    for (unsigned from = 1; from <= GD_SIM_NODES_MAX; from++) {
        if ((shadow->outside.from >> from & 1) != 0 &&
            gd_config_find(gd_raft_config(raft), from) != NULL) {
            return; /* It has just become one. */
        }
    }
    gd_sim__violated(checks, "outsiders disturb nobody",
                     "node %u, %s of term %" PRIu64 ", went to term %" PRIu64
                     ", which nobody has told it but who is no member for it (bits of nodes: %x)",
                     id, gd_role_text(shadow->role), shadow->term, term, shadow->outside.from);
}
