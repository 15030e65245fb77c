/* election_checks.c - the part of the invariants after each event that is about who stands for
 * election and who helps; the list of them stands at the head of checks.c. */
#include "engine/message.h"
#include "sim/checks_internal.h"
#include <inttypes.h>

/* A voter, or one by the configuration before, as long as the last is not known to be committed:
 * who has it may be the only one with the entry that the others must have. */
bool gd_sim__may_stand(const struct gd_raft *raft, unsigned id)
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
        facts->campaigns == shadow->facts.campaigns && gd_sim__may_stand(raft, id)) {
        gd_sim__violated(checks, "elections are stood for",
                         "node %u, follower of term %" PRIu64
                         ", let its election pass; its vote and its log may be needed",
                         id, shadow->term);
    }
}

void gd_sim__note_ballot(struct gd_sim_checks *checks, unsigned id, gd_term term, gd_node_id vote)
{
    struct ballots *ballots = &checks->ballots[term % BALLOTS_COUNT];
    if (vote == 0 || vote > GD_SIM_NODES_MAX || term < ballots->term) {
        return;
    }
    if (term > ballots->term) {
        *ballots = (struct ballots){.term = term};
    }
    ballots->of[vote] |= UINT32_C(1) << id;
}

void gd_sim__look_at_votes(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    gd_term term = gd_raft_term(raft);
    const struct ballots *ballots = &checks->ballots[term % BALLOTS_COUNT];
    uint32_t votes = ballots->term == term ? ballots->of[id] : 0;
    struct gd_raft_facts facts;
    gd_raft_facts(raft, &facts);
    votes |= facts.hard_state_durable && gd_raft_vote(raft) == id ? UINT32_C(1) << id : 0;
    if (ballots->term <= term && !gd_sim_quorum(gd_raft_config(raft), votes)) {
        gd_sim__violated(
            checks, "votes are durable",
            "node %u leads term %" PRIu64
            ", and no quorum has voted for it, each with its vote on its disk (bits of nodes: "
            "%x)",
            id, term, votes);
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
    } else if (checks->plan->lease != 0 && now - shadow->started < checks->plan->election_timeout) {
        gd_sim__violated(checks, "leader stickiness",
                         "node %u votes for node %" PRIu64 " in term %" PRIu64
                         ", and has started less than an election timeout ago: it may have helped "
                         "to confirm a lease before",
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
    uint32_t voters = shadow->voters.incoming | shadow->voters.outgoing;
    if (shadow->term == 0 || term <= shadow->term || term <= shadow->free ||
        gd_raft_vote(raft) == id || shadow->wish.term != term || shadow->wish.others >= term ||
        voters == 0) {
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

/* ---------------------------------------------------------------- who was elected */

/* A vote that it has surely taken. A connection may be refused by its Hello, with all that came in
 * the same read. */
static void note_granted(struct gd_sim_checks *checks, unsigned from, unsigned to,
                         struct gd_slice frame)
{
    struct shadow *shadow = &checks->shadows[to];
    struct granted *granted = &shadow->granted;
    struct gd_message m;
    size_t consumed;
    if (!shadow->running || shadow->role != GD_ROLE_CANDIDATE ||
        shadow->greeted[from] == shadow->looks ||
        gd_message_decode(frame, frame.size, &consumed, &m) != GD_OK) {
        return;
    }
    if (m.vote_resp.granted && m.term == shadow->term && m.from == from && m.to == to) {
        if (granted->term != m.term || granted->config != shadow->config_index) {
            *granted = (struct granted){.term = m.term, .config = shadow->config_index};
        }
        granted->votes |= UINT32_C(1) << from;
        granted->boots[from] = m.boot;
    }
    gd_message_release(&m);
}

void gd_sim__look_at_owed_election(struct gd_sim_checks *checks, unsigned id,
                                   const struct gd_node *node)
{
    const struct gd_raft *raft = gd_node_raft(node);
    const struct granted *granted = &checks->shadows[id].granted;
    gd_term term = gd_raft_term(raft);
    uint32_t votes = 0;
    struct gd_raft_facts facts;
    if (gd_raft_role(raft) != GD_ROLE_CANDIDATE || gd_node_closing(node)) {
        return;
    }
    for (unsigned peer = 1; granted->term == term && peer <= GD_SIM_NODES_MAX; peer++) {
        bool counts = (granted->votes >> peer & 1) != 0 &&
                      granted->config == gd_raft_config_index(raft) &&
                      granted->boots[peer] == gd_node_peer_boot(node, peer);
        votes |= counts ? UINT32_C(1) << peer : 0;
    }
    gd_raft_facts(raft, &facts);
    votes |= facts.hard_state_durable && gd_raft_vote(raft) == id ? UINT32_C(1) << id : 0;
    if (gd_sim_quorum(gd_raft_config(raft), votes)) {
        gd_sim__violated(checks, "elections are owed",
                         "node %u stands for term %" PRIu64
                         ", has the votes of a quorum (bits of nodes: %x), and does not lead",
                         id, term, votes);
    }
}

/* ---------------------------------------------------------------- who was heard */

void gd_sim_checks_told(struct gd_sim_checks *checks, unsigned from, unsigned to,
                        struct gd_slice frame)
{
    if (from < 1 || from > GD_SIM_NODES_MAX || to < 1 || to > GD_SIM_NODES_MAX) {
        return;
    }
    struct shadow *shadow = &checks->shadows[to];
    enum gd_message_type type = gd_message_frame_type(frame);
    gd_sim__note_term(checks, from, to, frame);
    if (type == GD_MESSAGE_HELLO) {
        gd_sim__note_version(checks, from, to, frame);
        shadow->greeted[from] = shadow->looks;
    } else if (type == GD_MESSAGE_VOTE_RESP) {
        note_granted(checks, from, to, frame);
    }
    struct heard heard = {gd_message_frame_term(frame), checks->clock(checks->context, to)};
    if ((type == GD_MESSAGE_APPEND_RESP || type == GD_MESSAGE_INSTALL_SNAPSHOT_RESP) &&
        heard.term >= shadow->answers[from].term) { /* Else it was late. */
        shadow->answers[from] = heard;
    }
    gd_sim__reliance_told(checks, from, to, frame);
}

bool gd_sim__has_heard(const struct gd_sim_checks *checks, unsigned id, unsigned peer, gd_term term,
                       gd_time_ns span)
{
    const struct heard *answer = &checks->shadows[id].answers[peer];
    return answer->term == term && checks->clock(checks->context, id) - answer->at < span;
}

/* A leader that is alone steps down, so that its clients turn elsewhere. A process that stood still
 * finds the time over before it can act: some looks are granted. */
#define UNHEARD_LOOKS 32
void gd_sim__look_at_contact(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node)
{
    const struct gd_raft *raft = gd_node_raft(node);
    struct shadow *shadow = &checks->shadows[id];
    gd_time_ns now = checks->clock(checks->context, id);
    gd_time_ns span = 2 * checks->plan->election_timeout;
    gd_term term = gd_raft_term(raft);
    uint32_t heard = UINT32_C(1) << id;
    if (gd_raft_role(raft) != GD_ROLE_LEADER || gd_node_closing(node)) {
        shadow->unheard = 0;
        shadow->lead_term = 0;
        return;
    }
    if (shadow->lead_term != term || shadow->lead_config != gd_raft_config_index(raft)) {
        shadow->lead_term = term; /* Others are asked from now on. */
        shadow->lead_config = gd_raft_config_index(raft);
        shadow->lead_since = now;
    }
    for (unsigned peer = 1; peer <= gd_sim_plan_total(checks->plan); peer++) {
        heard |= gd_sim__has_heard(checks, id, peer, term, span) ? UINT32_C(1) << peer : 0;
    }
    shadow->unheard = now - shadow->lead_since < span || gd_sim_quorum(gd_raft_config(raft), heard)
                          ? 0
                          : shadow->unheard + 1;
    if (shadow->unheard > UNHEARD_LOOKS) {
        gd_sim__violated(checks, "leaders are heard",
                         "node %u leads term %" PRIu64
                         " and has heard no quorum for two election timeouts",
                         id, term);
    }
}

/* Who is told nothing stands for election soon, and what was lost on the way to it is not sent
 * again: entries for others are no excuse. What counts is what can only come from a leader. */
void gd_sim__note_speech(struct gd_sim_checks *checks, unsigned from, unsigned to,
                         struct gd_slice frame)
{
    struct shadow *shadow = &checks->shadows[from];
    enum gd_message_type type = gd_message_frame_type(frame);
    if ((type == GD_MESSAGE_APPEND || type == GD_MESSAGE_INSTALL_SNAPSHOT) &&
        gd_message_frame_term(frame) == shadow->term) {
        shadow->silence[to] = (struct silence){0};
    }
}

/* A process that stood still, or waited inside its database, may find much to do before its timers
 * are due, and the next piece of the database's work, too: nothing of such a time is its own. One
 * that can act is looked at within each heartbeat, by its own timer at the latest. */
#define SPEECH_HEARTBEATS 3
void gd_sim__look_at_silence(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node)
{
    const struct gd_raft *raft = gd_node_raft(node);
    struct shadow *shadow = &checks->shadows[id];
    gd_time_ns heartbeat = checks->plan->heartbeat;
    gd_time_ns now = checks->clock(checks->context, id);
    gd_time_ns gone = now - shadow->silence_seen;
    if (gone < heartbeat / 4) { /* Often enough, and most looks cost nothing. */
        return;
    }
    shadow->silence_seen = now;
    gone = gone <= heartbeat + heartbeat / 4 ? gone : 0;
    bool leads = gd_raft_role(raft) == GD_ROLE_LEADER && !gd_node_closing(node);
    for (unsigned peer = 1; peer <= gd_sim_plan_total(checks->plan); peer++) {
        struct silence *silence = &shadow->silence[peer];
        if (!leads || peer == id || gd_config_find(gd_raft_config(raft), peer) == NULL ||
            !gd_node_peer_open(node, peer)) {
            *silence = (struct silence){0};
            continue;
        }
        silence->owed += silence->since != 0 ? gone : 0;
        silence->since = silence->since != 0 ? silence->since : now;
        if (silence->owed > SPEECH_HEARTBEATS * heartbeat) {
            char text[32];
            gd_sim_time_text(now - silence->since, text, sizeof text);
            gd_sim__violated(checks, "leaders speak",
                             "node %u leads term %" PRIu64
                             ", is connected to node %u, a member, and has said nothing to it "
                             "for %s",
                             id, gd_raft_term(raft), peer, text);
            return;
        }
    }
}

void gd_sim__look_at_standing(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    look_at_stickiness(checks, id, raft);
    look_at_wish(checks, id, raft);
    gd_sim__look_at_term(checks, id, raft);
    look_at_deadline(checks, id, raft);
}
