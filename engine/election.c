/* election.c - who leads: timeouts, pre-votes, votes, check-quorum, transfer.
 *
 * Sources: paper section 5.2 and 5.4.1; thesis 9.6 (pre-vote), 6.2 (check-quorum), 4.2.3
 * (disruptive servers), 3.10 (transfer).
 *
 * Invariants
 *   L1. The election deadline moves only when a leader of the present term speaks, when a vote is
 *       granted, or when a campaign of our own begins; never by any other message.
 *   L2. A pre-vote changes nothing at who is asked, and no term at who asks.
 *   L3. While a leader was heard within an election timeout neither kind of vote is granted and no
 * term is taken over from one, unless the leader itself asked a voter for it (transfer). L4. A vote
 * is granted only to a log at least as up to date as ours, once a term, durably first. L5. A
 * candidate counts its own vote once that is durable. */
#include "engine/raft_internal.h"

void gd__election_reset_deadline(struct gd_raft *raft)
{
    gd_time_ns timeout = raft->options.election_timeout_ns;

    raft->election_timeout = timeout + gd_prng_below(&raft->prng, timeout);
    raft->election_deadline = raft->now + raft->election_timeout;
}

/* The connection to the leader broke, which a process that died does at once to all of them: an
 * election soon, unless the leader is heard again. A pre-vote needs a majority that lost it, too.
 * Not under leases, which rest on voters that keep still for the whole timeout (L3). */
void gd__election_unreachable(struct gd_raft *raft, gd_node_id peer)
{
    gd_time_ns timeout = raft->options.election_timeout_ns, soon;

    if (peer != raft->leader || raft->role != GD_ROLE_FOLLOWER || raft->options.lease) {
        return;
    }
    GD_REACHED("connection to the leader lost: an election soon");
    raft->leader_contact = 0;
    soon = raft->now + timeout / 8 + gd_prng_below(&raft->prng, timeout / 4 + 1);
    if (soon < raft->election_deadline) {
        raft->election_deadline = soon;
    }
}

/* A voter of the configuration in force; or, while that is not committed, of the one before: its
 * vote and its log may still be needed to commit it (thesis 4.2.2). And who is counted on by a
 * candidate with less of the log, by a configuration that never came here: it cannot vote for that
 * one, and somebody must bring what it has. Its quorum is its own configuration's, which both
 * contain; once it has committed something it hands over. */
bool gd__election_can_campaign(const struct gd_raft *raft)
{
    size_t last = raft->config_count - 1;

    if (gd_config_votes(&raft->configs[last].config, raft->options.id) ||
        (raft->leader == 0 && raft->now < raft->wanted_until)) {
        return true;
    }
    return last > 0 && raft->configs[last].index > raft->commit &&
           gd_config_votes(&raft->configs[last - 1].config, raft->options.id);
}

static void begin_leadership(struct gd_raft *raft)
{
    struct gd_entry *noop = gd_entry_new(GD_ENTRY_NOOP, NULL, 0);

    GD_ASSERT(raft->role == GD_ROLE_CANDIDATE);
    raft->role = GD_ROLE_LEADER;
    raft->leader = raft->options.id;
    raft->transfer_target = 0;
    raft->transferred = false;
    raft->unstored = (struct gd__lag){0};
    raft->uncommitted_size = 0; /* What is inherited counts, too. */
    for (gd_index index = raft->commit + 1; index <= raft->log.last; index++) {
        raft->uncommitted_size += gd_entry_weight(gd_log_entry(&raft->log, index));
    }
    raft->quorum_deadline = raft->now + raft->options.election_timeout_ns;
    gd__reads_drop(raft);
    gd__replication_begin(raft);
    raft->term_start = gd__raft_lead_append(raft, noop); /* Paper section 8. */
    gd__replication_heartbeat(raft);
}

/* Ask all voters but ourselves. */
static void ask_for_votes(struct gd_raft *raft, enum gd_message_type type)
{
    const struct gd_config *config = gd__raft_config(raft);

    for (uint32_t i = 0; i < config->count; i++) {
        gd_node_id id = config->members[i].id;
        if (id != raft->options.id && gd_config_votes(config, id)) {
            /* It names the last entry in memory: so it waits until that is stored. */
            struct gd_raft_send *send = gd__raft_send_durable(raft, id, type);
            send->message.vote.last = gd_log_last(&raft->log);
            send->message.vote.transfer = raft->by_transfer;
            if (type == GD_MESSAGE_PRE_VOTE) {
                send->message.term = raft->hard_state.term + 1;
            }
        }
    }
}

static void clear_ballots(struct gd_raft *raft)
{
    for (size_t i = 0; i < GD_MEMBERS_MAX; i++) {
        raft->granted[i] = raft->refused[i] = false;
    }
}

static void begin_candidacy(struct gd_raft *raft)
{
    gd__raft_become_follower(raft, raft->hard_state.term + 1, 0);
    raft->role = GD_ROLE_CANDIDATE;
    raft->hard_state.vote = raft->options.id;
    gd__raft_save_hard_state(raft);
    raft->self_vote_sequence = raft->hard_state_sequence;
    clear_ballots(raft);
    gd__election_reset_deadline(raft);
    ask_for_votes(raft, GD_MESSAGE_VOTE);
}

/* Have enough said yes, or so many no that it cannot be? */
static void count_ballots(struct gd_raft *raft)
{
    const struct gd_config *config = gd__raft_config(raft);
    bool open[GD_MEMBERS_MAX];

    if (gd_quorum_yes(config, raft->granted)) {
        if (raft->role == GD_ROLE_PRE_CANDIDATE) {
            begin_candidacy(raft);
        } else {
            begin_leadership(raft);
        }
        return;
    }
    for (uint32_t i = 0; i < config->count; i++) {
        open[i] = !raft->refused[i];
    }
    if (!gd_quorum_yes(config, open)) {
        GD_REACHED("election lost by refusals");
        gd__raft_become_follower(raft, raft->hard_state.term, 0);
    }
}

static void begin_pre_candidacy(struct gd_raft *raft)
{
    int self = gd__raft_member(raft, raft->options.id);

    gd__raft_become_follower(raft, raft->hard_state.term, 0);
    raft->role = GD_ROLE_PRE_CANDIDATE;
    raft->campaigns++;
    raft->by_transfer = false;
    clear_ballots(raft);
    if (self >= 0) {
        raft->granted[self] = true;
    } else {
        GD_REACHED("candidate outside the configuration that it must commit");
    }
    gd__election_reset_deadline(raft);
    ask_for_votes(raft, GD_MESSAGE_PRE_VOTE);
    count_ballots(raft);
}

/* ---------------------------------------------------------------- being asked */

/* L3. */
static bool sticky(const struct gd_raft *raft)
{
    if (raft->role == GD_ROLE_LEADER) {
        return true; /* Check-quorum deposes a leader that is alone. */
    }
    return raft->leader_contact != 0 &&
           raft->now - raft->leader_contact < raft->options.election_timeout_ns &&
           (raft->leader != 0 || raft->options.lease);
}

static bool up_to_date(const struct gd_raft *raft, struct gd_position last)
{
    return gd_position_compare(last, gd_log_last(&raft->log)) >= 0; /* Paper 5.4.1. */
}

static void on_pre_vote(struct gd_raft *raft, const struct gd_message *m)
{
    bool granted = m->term > raft->hard_state.term && up_to_date(raft, m->vote.last) &&
                   !sticky(raft); /* L2, L3 */
    bool knows = gd__raft_config(raft)->count > 0;
    struct gd_raft_send *send = gd__raft_send_durable(raft, m->from, GD_MESSAGE_PRE_VOTE_RESP);

    /* A refusal bears our own term, so that who is behind catches up and can be elected later. */
    send->message.term = granted ? m->term : raft->hard_state.term;
    send->message.vote_resp.granted = granted;
    if (knows && !up_to_date(raft, m->vote.last) && !sticky(raft) &&
        !gd__election_can_campaign(raft)) {
        GD_REACHED("member that does not vote is counted on, and has more of the log");
        raft->wanted_until = raft->now + 2 * raft->options.election_timeout_ns;
    }
}

static void on_vote(struct gd_raft *raft, const struct gd_message *m)
{
    struct gd_raft_send *send;
    bool granted;
    /* A transfer that was given up may be followed by a removal: late words of the candidate that
     * it made depose nobody. */
    bool asked = m->vote.transfer && gd_config_votes(gd__raft_config(raft), m->from);

    if (m->term > raft->hard_state.term) {
        if (sticky(raft) && !asked) { /* L3 */
            GD_REACHED("vote request ignored: a leader is there");
            return;
        }
        gd__raft_become_follower(raft, m->term, 0);
    }
    /* The term may have come by another message: a lease does not end with that (L3). */
    granted = m->term == raft->hard_state.term &&
              (raft->hard_state.vote == 0 || raft->hard_state.vote == m->from) &&
              raft->leader == 0 && up_to_date(raft, m->vote.last) && /* L4 */
              (asked || !sticky(raft));
    if (granted) {
        if (raft->hard_state.vote == 0) { /* Asked twice: it is saved, or on its way. */
            raft->hard_state.vote = m->from;
            gd__raft_save_hard_state(raft);
        }
        gd__election_reset_deadline(raft); /* L1 */
    }
    send = gd__raft_send_durable(raft, m->from, GD_MESSAGE_VOTE_RESP);
    send->message.vote_resp.granted = granted;
}

static void on_answer(struct gd_raft *raft, const struct gd_message *m)
{
    bool pre = m->type == GD_MESSAGE_PRE_VOTE_RESP;
    int place = gd__raft_member(raft, m->from);
    gd_term asked = raft->hard_state.term + (pre ? 1 : 0);

    if (raft->role != (pre ? GD_ROLE_PRE_CANDIDATE : GD_ROLE_CANDIDATE) || place < 0 ||
        (m->vote_resp.granted && m->term != asked)) {
        return;
    }
    if (m->vote_resp.granted) {
        raft->granted[place] = true;
    } else {
        raft->refused[place] = true;
    }
    count_ballots(raft);
}

static void on_timeout_now(struct gd_raft *raft, const struct gd_message *m)
{
    if (m->term != raft->hard_state.term || raft->leader != m->from ||
        !gd__election_can_campaign(raft)) {
        GD_REACHED("stale TimeoutNow");
        return;
    }
    GD_REACHED("leadership offered by TimeoutNow");
    raft->by_transfer = true;
    begin_candidacy(raft);
}

void gd__election_message(struct gd_raft *raft, const struct gd_message *m)
{
    switch (m->type) {
    case GD_MESSAGE_PRE_VOTE:
        on_pre_vote(raft, m);
        break;
    case GD_MESSAGE_VOTE:
        on_vote(raft, m);
        break;
    case GD_MESSAGE_TIMEOUT_NOW:
        on_timeout_now(raft, m);
        break;
    default:
        on_answer(raft, m);
        break;
    }
}

void gd__election_persisted(struct gd_raft *raft)
{
    int self = gd__raft_member(raft, raft->options.id);

    if (raft->role == GD_ROLE_CANDIDATE && self >= 0 && !raft->granted[self] &&
        raft->durable >= raft->self_vote_sequence) { /* L5 */
        raft->granted[self] = true;
        count_ballots(raft);
    }
}

/* ---------------------------------------------------------------- time */

/* A leader that has heard no majority within an election timeout leads no more (thesis 6.2). */
static void check_quorum(struct gd_raft *raft)
{
    const struct gd_config *config = gd__raft_config(raft);
    bool heard[GD_MEMBERS_MAX] = {false};

    for (uint32_t i = 0; i < config->count; i++) {
        const struct gd__progress *p = gd__replication_find(raft, config->members[i].id);
        heard[i] = config->members[i].id == raft->options.id ||
                   (p != NULL && raft->now - p->contact_ns < raft->options.election_timeout_ns);
    }
    if (gd_quorum_yes(config, heard)) {
        raft->quorum_deadline = raft->now + raft->options.election_timeout_ns / 2;
        return;
    }
    GD_REACHED("leader without a quorum stepped down");
    gd__raft_become_follower(raft, raft->hard_state.term, 0);
}

void gd__election_tick(struct gd_raft *raft)
{
    if (raft->role == GD_ROLE_LEADER) {
        if (raft->now >= raft->quorum_deadline) {
            check_quorum(raft);
        }
        if (raft->role == GD_ROLE_LEADER && raft->transfer_target != 0 &&
            raft->now >= raft->transfer_deadline) {
            GD_REACHED("transfer given up");
            raft->transfer_target = 0;
        }
        return;
    }
    if (raft->now < raft->election_deadline) {
        return;
    }
    if (!gd__election_can_campaign(raft)) {
        if (raft->leader != 0) {
            gd__raft_become_follower(raft, raft->hard_state.term, 0);
        }
        gd__election_reset_deadline(raft);
        return;
    }
    begin_pre_candidacy(raft);
}

/* ---------------------------------------------------------------- transfer */

/* Whether `p` is a better successor than `best`: one who answers, before one with more of the log.
 */
static bool better(const struct gd_raft *raft, const struct gd__progress *p,
                   const struct gd__progress *best)
{
    bool here, there;

    if (best == NULL) {
        return true;
    }
    here = raft->now - p->contact_ns < raft->options.election_timeout_ns;
    there = raft->now - best->contact_ns < raft->options.election_timeout_ns;
    return here != there ? here : p->match > best->match;
}

/* The most up to date voter but ourselves; 0 for none. */
static gd_node_id best_successor(struct gd_raft *raft)
{
    const struct gd_config *config = gd__raft_config(raft);
    const struct gd__progress *best = NULL;

    for (uint32_t i = 0; i < config->count; i++) {
        const struct gd__progress *p = gd__replication_find(raft, config->members[i].id);
        if (p != NULL && (config->members[i].roles & GD_MEMBER_VOTER) != 0 &&
            better(raft, p, best)) {
            best = p;
        }
    }
    return best == NULL ? 0 : best->id;
}

static void offer(struct gd_raft *raft, gd_node_id peer)
{
    raft->offered_to = peer;
    raft->offered = gd_raft_last(raft);
    raft->offers++;
    (void)gd__raft_send(raft, peer, GD_MESSAGE_TIMEOUT_NOW);
}

void gd__election_hand_over(struct gd_raft *raft)
{
    const struct gd__progress *p = gd__replication_find(raft, best_successor(raft));

    if (p != NULL && p->match == raft->log.last) {
        offer(raft, p->id);
    }
}

void gd__election_transfer_go(struct gd_raft *raft)
{
    const struct gd__progress *p;

    if (raft->transfer_target == 0) {
        return;
    }
    p = gd__replication_find(raft, raft->transfer_target);
    if (p != NULL && p->match == raft->log.last) { /* Everything, stored. */
        offer(raft, p->id);
    }
}

void gd__election_transfer(struct gd_raft *raft, gd_node_id peer)
{
    struct gd_raft_effects *effects = raft->effects;
    const struct gd_member *member;

    if (raft->role != GD_ROLE_LEADER) {
        effects->result = GD_ERR_NOT_LEADER;
        return;
    }
    if (raft->transfer_target != 0) {
        effects->result = GD_ERR_BUSY;
        return;
    }
    peer = peer == 0 ? best_successor(raft) : peer;
    member = gd_config_find(gd__raft_config(raft), peer);
    if (peer == raft->options.id) {
        effects->result = GD_ERR_INVALID;
        effects->refusal = "this node leads already";
        return;
    }
    if (member == NULL || (member->roles & GD_MEMBER_VOTER) == 0) {
        effects->result = GD_ERR_INVALID;
        effects->refusal = "there is no such voter";
        return;
    }
    raft->transfer_target = peer;
    raft->transferred = true;
    raft->transfer_deadline = raft->now + raft->options.election_timeout_ns;
    gd__replication_all(raft);
    gd__election_transfer_go(raft);
}
