/* promises.c - is what a node tells its peers true?
 *
 * Raft rests on what its messages promise: that a vote is on the disk, that an acknowledged entry
 * is the leader's and stored, that who is asked to lead has everything. A promise that is broken
 * does harm only when something else goes wrong later: the node must crash before the disk has
 * caught up, and then the rest must notice. So each is looked at when it is made, as its bytes go
 * out, against what its sender has on its disk and what the checks know of everybody else. (An
 * offer to lead in the event before: its bytes may wait in a full stream until its transfer was
 * given up.)
 *
 * A frame may have waited in a queue while its sender went on. What a term's messages promise is
 * looked at only while the sender is still in that term: then nothing that they name can have been
 * cut, for within a term a log follows one leader alone. (Chunks of snapshots: transfer_checks.c.)
 *
 * The properties, by the names under which a violation is told
 *   durability           A vote with its term, a candidate's last entry, an acknowledged entry and
 *                        an installed snapshot are on the sender's disk.
 *   one vote a term      A granted vote is the sender's vote.
 *   votes are owed       A vote is refused for a reason: the sender has voted in this term, or knew
 *                        a leader in it, or has more of the log (paper 5.2, 5.4.1). Whoever refuses
 *                        without one may keep a cluster from ever electing anybody.
 *   log matching         An acknowledged entry is the leader's.
 *   leadership transfer  Who is asked to lead holds all that the leader has, and that takes no more
 *                        until it is over (thesis 3.10; checks.c).
 *   read index           A read is safe no earlier than at all that was committed when it was
 *                        asked (thesis 6.4); and no question bears the name of one that an earlier
 *                        start of the sender asked, whose answer may be on its way still. */
#include "engine/message.h"
#include "sim/checks_internal.h"
#include <inttypes.h>

/* The answer may have waited for the disk: within a term a vote and a leader, once there, do not
 * go, and without a leader no log changes. Under leases time is a reason, too. */
static void look_at_refusal(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                            const struct gd_message *m)
{
    const struct shadow *voter = &checks->shadows[id];
    const struct shadow *candidate = &checks->shadows[m->to];
    const struct asked_vote *asked = &candidate->asked_votes[id];
    if (asked->term != m->term || asked->answered < asked->before ||
        checks->plan->net_duplicate != 0 || candidate->campaign != m->term ||
        checks->plan->lease != 0 || gd_raft_vote(raft) != 0 || gd_raft_leader(raft) != 0 ||
        voter->leader_term == m->term ||
        gd_position_compare(gd_raft_last(raft), candidate->campaign_last) > 0) {
        return;
    }
    gd_sim__violated(checks, "votes are owed",
                     "node %u refuses node %" PRIu64 " its vote in term %" PRIu64
                     ", and has voted for nobody, knew no leader in it, and has no more of the log",
                     id, m->to, m->term);
}

static void look_at_vote(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                         const struct gd_message *m)
{
    struct gd_raft_facts facts;
    gd_raft_facts(raft, &facts);
    if (m->term != gd_raft_term(raft)) {
        return;
    }
    if (!m->vote_resp.granted) {
        look_at_refusal(checks, id, raft, m);
    } else if (gd_raft_vote(raft) != m->to) {
        gd_sim__violated(checks, "one vote a term",
                         "node %u grants node %" PRIu64 " its vote in term %" PRIu64
                         ", and has voted for %" PRIu64,
                         id, m->to, m->term, gd_raft_vote(raft));
    } else if (!facts.hard_state_durable) {
        gd_sim__violated(checks, "durability",
                         "node %u grants a vote in term %" PRIu64 " that is not on its disk", id,
                         m->term);
    }
}

/* A candidate of either kind names its last entry: its log as far as it is stored. */
static void look_at_campaign(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                             const struct gd_message *m)
{
    bool pre = m->type == GD_MESSAGE_PRE_VOTE;
    struct gd_position last = m->vote.last;
    struct shadow *shadow = &checks->shadows[id];
    struct gd_raft_facts facts;
    gd_raft_facts(raft, &facts);
    if (!pre && m->term >= shadow->campaign) {
        shadow->campaign = m->term;
        shadow->campaign_last = last;
    }
    if (m->term != gd_raft_term(raft) + (pre ? 1 : 0) ||
        gd_raft_role(raft) != (pre ? GD_ROLE_PRE_CANDIDATE : GD_ROLE_CANDIDATE)) {
        return;
    }
    if (pre && gd_raft_term_at(raft, last.index) != last.term) {
        return; /* The question of an earlier campaign, held until it was durable: a leader has cut
                   the entry since. A pre-vote promises nothing, and takes none of what it says. */
    }
    if (gd_raft_stored(raft).index < last.index || gd_raft_term_at(raft, last.index) != last.term ||
        (!pre && !facts.hard_state_durable)) {
        gd_sim__violated(checks, "durability",
                         "node %u stands for term %" PRIu64 " with entry %" PRIu64
                         " as its last; not all of that is on its disk",
                         id, m->term, last.index);
    }
}

static void look_at_append_resp(struct gd_sim_checks *checks, unsigned id,
                                const struct gd_raft *raft, const struct gd_message *m)
{
    struct gd_position last = m->append_resp.last;
    const struct shadow *leader = &checks->shadows[m->to];
    gd_term term = gd_raft_term_at(raft, last.index);
    struct gd_raft_facts facts;
    if (!m->append_resp.success || m->term != gd_raft_term(raft)) {
        return;
    }
    gd_raft_facts(raft, &facts);
    if ((gd_raft_stored(raft).index < last.index && !facts.cut_open) ||
        (term != 0 && term != last.term)) {
        gd_sim__violated(checks, "durability",
                         "node %u acknowledges entry %" PRIu64 " of term %" PRIu64
                         ", which is not on its disk",
                         id, last.index, last.term);
    }
    if (!leader->running || !leader->led || leader->term != m->term || last.index == 0) {
        return;
    }
    term = last.index < leader->term_capacity ? leader->terms[last.index] : 0;
    if (last.index > leader->last.index || (term != 0 && term != last.term)) {
        gd_sim__violated(checks, "log matching",
                         "node %u acknowledges entry %" PRIu64 " of term %" PRIu64
                         " to node %" PRIu64 ", leader of term %" PRIu64 ", whose log has another",
                         id, last.index, last.term, m->to, m->term);
    }
}

static void look_at_install_resp(struct gd_sim_checks *checks, unsigned id,
                                 const struct gd_raft *raft, const struct gd_message *m)
{
    struct gd_position position = m->install_resp.position;
    if (m->install_resp.done &&
        (gd_raft_stored(raft).index < position.index || gd_raft_commit(raft) < position.index)) {
        gd_sim__violated(checks, "durability",
                         "node %u says that it has installed the snapshot at %" PRIu64
                         "; its disk holds entries up to %" PRIu64,
                         id, position.index, gd_raft_stored(raft).index);
    }
}

/* What a leader may count on: as far as the peer has said so, in this term and since its start. */
static void note_told(struct gd_sim_checks *checks, unsigned id, const struct gd_message *m,
                      gd_index index)
{
    struct told *told = &checks->shadows[id].told[m->to];
    if (told->term == m->term && told->boot == m->boot) {
        told->index = index > told->index ? index : told->index;
    } else if (m->term >= told->term) {
        *told = (struct told){m->term, m->boot, index};
    }
}

void gd_sim__look_at_offer(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    struct shadow *shadow = &checks->shadows[id];
    struct gd_raft_facts facts;
    gd_raft_facts(raft, &facts);
    bool offered = facts.offers > shadow->offers;
    gd_node_id to = facts.offered_to;
    shadow->offers = facts.offers;
    if (!offered || to == 0 || to > GD_SIM_NODES_MAX) {
        return;
    }
    /* Who has gone on to a later term may have cut what this leader still believes in; the offer is
     * of an old term, and refused. */
    if (checks->shadows[to].running && !checks->shadows[to].damaged && facts.offered.term != 0 &&
        checks->shadows[to].term <= gd_raft_term(raft) &&
        !gd_sim__holds(checks, (unsigned)to, facts.offered)) {
        gd_sim__violated(checks, "leadership transfer",
                         "node %u asks node %" PRIu64 " to lead, which does not hold entry %" PRIu64
                         " of term %" PRIu64,
                         id, to, facts.offered.index, facts.offered.term);
    }
}

static void look_at_read(struct gd_sim_checks *checks, unsigned id, const struct gd_message *m)
{
    bool asks = m->type == GD_MESSAGE_READ_INDEX;
    uint64_t token = asks ? m->read_index.token : m->read_index_resp.token;
    struct shadow *shadow = &checks->shadows[id];
    struct asked_read *asked = &checks->asked[asks ? id : m->to][token % ASKED_READ_COUNT];
    if (asks) {
        if (m->boot > shadow->token_boot) {
            shadow->token_boot = m->boot;
            shadow->token_floor = shadow->token_highest;
        }
        if (token <= shadow->token_floor && m->boot == shadow->token_boot) {
            gd_sim__violated(checks, "read index",
                             "node %u asks a question under the name %" PRIu64
                             ", which an earlier start of it may have asked",
                             id, token);
        }
        shadow->token_highest = token > shadow->token_highest ? token : shadow->token_highest;
        if (asked->token != token) { /* A copy of the same question asks no later. */
            *asked = (struct asked_read){token, checks->committed_last};
        }
    } else if (m->read_index_resp.granted && asked->token == token &&
               m->read_index_resp.index < asked->committed) {
        gd_sim__violated(checks, "read index",
                         "node %u calls a read safe at %" PRIu64 "; %" PRIu64
                         " was committed before node %" PRIu64 " asked",
                         id, m->read_index_resp.index, asked->committed, m->to);
    }
}

/* What is not a promise need not be decoded: most of what flows is entries. */
static bool promises(struct gd_slice frame)
{
    switch (gd_message_frame_type(frame)) {
    case GD_MESSAGE_PRE_VOTE:
    case GD_MESSAGE_VOTE:
    case GD_MESSAGE_VOTE_RESP:
    case GD_MESSAGE_APPEND_RESP:
    case GD_MESSAGE_INSTALL_SNAPSHOT:
    case GD_MESSAGE_INSTALL_SNAPSHOT_RESP:
    case GD_MESSAGE_READ_INDEX:
    case GD_MESSAGE_READ_INDEX_RESP:
    case GD_MESSAGE_TIMEOUT_NOW:
    case GD_MESSAGE_CLIENT_WRITE:
        return true;
    default:
        return false;
    }
}

/* What it says is kept, for others to be held against. */
static void note(struct gd_sim_checks *checks, unsigned from, const struct gd_message *m)
{
    struct shadow *to = &checks->shadows[m->to];
    if (m->type == GD_MESSAGE_VOTE) {
        struct asked_vote *asked = &checks->shadows[from].asked_votes[m->to];
        if (m->term > asked->term) {
            asked->term = m->term;
            asked->before = asked->questions;
        }
        asked->questions++;
    } else if (m->type == GD_MESSAGE_VOTE_RESP) {
        to->asked_votes[from].answered++;
        if (m->vote_resp.granted) {
            gd_sim__note_ballot(checks, from, m->term, m->to);
        }
    } else if (m->type == GD_MESSAGE_APPEND_RESP && m->append_resp.success) {
        note_told(checks, from, m, m->append_resp.last.index);
    } else if (m->type == GD_MESSAGE_INSTALL_SNAPSHOT_RESP && m->install_resp.done) {
        note_told(checks, from, m, m->install_resp.position.index);
    } else if (m->type == GD_MESSAGE_CLIENT_WRITE) {
        gd_sim__note_forwarded(checks, from, m);
    } else if (m->type == GD_MESSAGE_TIMEOUT_NOW) {
        to->offered = m->term > to->offered ? m->term : to->offered;
    }
}

static void look_at(struct gd_sim_checks *checks, unsigned from, const struct gd_raft *raft,
                    const struct gd_message *m)
{
    switch (m->type) {
    case GD_MESSAGE_VOTE_RESP:
        look_at_vote(checks, from, raft, m);
        break;
    case GD_MESSAGE_PRE_VOTE:
    case GD_MESSAGE_VOTE:
        look_at_campaign(checks, from, raft, m);
        break;
    case GD_MESSAGE_APPEND_RESP:
        look_at_append_resp(checks, from, raft, m);
        break;
    case GD_MESSAGE_INSTALL_SNAPSHOT:
        gd_sim__look_at_chunk(checks, from, m);
        break;
    case GD_MESSAGE_INSTALL_SNAPSHOT_RESP:
        look_at_install_resp(checks, from, raft, m);
        break;
    case GD_MESSAGE_TIMEOUT_NOW:  /* See gd_sim__look_at_offer. */
    case GD_MESSAGE_CLIENT_WRITE: /* See order_checks.c. */
        break;
    default:
        look_at_read(checks, from, m);
        if (m->type == GD_MESSAGE_READ_INDEX_RESP) {
            gd_sim__look_at_confirmed(checks, from, raft, m);
        }
        break;
    }
}

/* A vote's question may come from who is a member by a configuration that the other has not yet,
 * and so may a leader's word; an answer to one's own may not. */
static void note_term(struct gd_sim_checks *checks, unsigned from, unsigned to,
                      struct gd_slice frame)
{
    struct shadow *shadow = &checks->shadows[to];
    enum gd_message_type type = gd_message_frame_type(frame);
    gd_term term = gd_message_frame_term(frame);
    bool answer = type == GD_MESSAGE_APPEND_RESP || type == GD_MESSAGE_INSTALL_SNAPSHOT_RESP ||
                  type == GD_MESSAGE_VOTE_RESP || type == GD_MESSAGE_PRE_VOTE_RESP;
    if (type == GD_MESSAGE_APPEND && from >= 1) {
        gd_sim__note_leader(checks, from, term);
    }
    if (type != GD_MESSAGE_VOTE && type != GD_MESSAGE_PRE_VOTE) {
        shadow->heard = term > shadow->heard ? term : shadow->heard;
        shadow->wish.others = term > shadow->wish.others ? term : shadow->wish.others;
    }
    if (term > shadow->heard_inside && type != GD_MESSAGE_PRE_VOTE &&
        (!answer || (shadow->members >> from & 1) != 0)) {
        shadow->heard_inside = term;
    }
}

void gd_sim_checks_sent(struct gd_sim_checks *checks, unsigned from, unsigned to,
                        const struct gd_raft *raft, struct gd_slice frame)
{
    struct gd_message m;
    size_t consumed;
    if (from > GD_SIM_NODES_MAX || to > GD_SIM_NODES_MAX) {
        return;
    }
    note_term(checks, from, to, frame);
    gd_sim__reliance_sent(checks, from, frame);
    gd_sim__note_speech(checks, from, to, frame);
    if (!promises(frame) || gd_message_decode(frame, frame.size, &consumed, &m) != GD_OK) {
        return;
    }
    if (m.from == from && m.to == to) {
        struct shadow *asked = &checks->shadows[to];
        if (m.type == GD_MESSAGE_VOTE && m.vote.transfer && m.term > asked->heard) {
            asked->heard = m.term; /* By its leader's wish: that one's time is over with it. */
        }
        if (m.type == GD_MESSAGE_VOTE && m.vote.transfer && m.term >= asked->wish.term) {
            asked->wish.from = m.term > asked->wish.term ? 0 : asked->wish.from;
            asked->wish.from |= UINT32_C(1) << from;
            asked->wish.term = m.term;
        }
        if (raft != NULL) {
            look_at(checks, from, raft, &m);
        }
        note(checks, from, &m);
    }
    gd_message_release(&m);
}
