/* reliance.c - does a node rely on more than it was told?
 *
 * A stale read shows only when another leads already, has committed something, and a client asks
 * the old one for just that; a wrong commit only where the node's log is another than the leader's.
 * What makes them possible shows each time: so it is looked at, on the wire and on the clocks,
 * whenever a leader relies on its peers, or a follower on its leader.
 *
 * The properties, by the names under which a violation is told
 *   reads are confirmed  Without leases: since a peer's question was read, a quorum has answered
 *                        what the leader sent after that (thesis 6.4). An answer names the round of
 *                        what it answers; a round has begun no later than its number first went
 *                        out. An answer that was on its way before says nothing of now.
 *   lease                A lease that is extended ends before any quorum without its keepers is
 *                        free to elect another: each of them keeps still for an election timeout
 *                        from when it last heard the leader, by its own clock.
 *   commits are told     Who does not lead takes for committed only what a leader has told it, and
 *                        no more of that than the entries that came along, or agree in front of
 *                        them (paper 5.3); or what a snapshot holds.
 *   leaders are heeded   Whoever reads what the leader of its term says takes that for a sign of
 *                        life, whatever it makes of the rest (paper 5.2).
 *   candidates vote      Who stands for election is a voter by its configuration, or by the one
 *                        before a last one that it does not know to be committed; or a candidate
 *                        that counts on it has just asked for its vote. */
#include "engine/message.h"
#include "sim/checks_internal.h"
#include <inttypes.h>
#include <stdlib.h>

#define ROUNDS_COUNT 64
#define QUESTIONS_COUNT 64
#define WORDS_COUNT 4
struct gd_sim__reliance {
    uint64_t count;  /* Of what was seen: which was before which. */
    struct leading { /* By who leads. */
        gd_term term;
        struct begun {
            uint64_t round, at; /* 0: none yet. */
        } begun[ROUNDS_COUNT];
        uint64_t confirmed[GD_SIM_NODES_MAX + 1]; /* Its last answer is to what went out then. */
    } leading[GD_SIM_NODES_MAX + 1];
    struct word { /* The most that it was told to be committed, and agreed on, if it did. */
        gd_term term;
        gd_index index;
    } words[GD_SIM_NODES_MAX + 1][WORDS_COUNT]; /* By who was told: of some terms, the last ones.
                                                 * One may come late, or over a connection that is
                                                 * not its leader's any more. */
    struct spoken {                             /* By the leader of `term` to this node. */
        gd_term term;
        unsigned leader, count; /* Reads in a row that were not taken for a sign of life. */
        gd_time_ns at;          /* The last one, by the node's clock. */
    } spoken[GD_SIM_NODES_MAX + 1];
    gd_time_ns wanted[GD_SIM_NODES_MAX + 1];  /* When it was last asked to vote; 0: never yet. */
    uint64_t campaigns[GD_SIM_NODES_MAX + 1]; /* As last looked at. */
    struct question {
        uint64_t token, at;
    } questions[GD_SIM_NODES_MAX + 1][GD_SIM_NODES_MAX + 1][QUESTIONS_COUNT]; /* Of whom, by whom.
                                                                               */
    struct base {
        gd_time_ns started; /* By its clock, which shows something else after each start. */
        uint64_t at;
        gd_time_ns clocks[GD_SIM_NODES_MAX + 1]; /* What all of them showed then. */
    } bases[GD_SIM_NODES_MAX + 1];
    gd_time_ns lease[GD_SIM_NODES_MAX + 1]; /* As last looked at. */
};

static struct gd_sim__reliance *reliance_of(struct gd_sim_checks *checks)
{
    if (checks->reliance == NULL) {
        checks->reliance = calloc(1, sizeof *checks->reliance);
        GD_ASSERT(checks->reliance != NULL);
    }
    return checks->reliance;
}

/* ---------------------------------------------------------------- rounds */

void gd_sim__reliance_sent(struct gd_sim_checks *checks, unsigned from, struct gd_slice frame)
{
    struct gd_sim__reliance *all = reliance_of(checks);
    struct leading *leading = &all->leading[from];
    gd_term term = gd_message_frame_term(frame);
    struct gd_message_append append;
    if (!gd_message_frame_append(frame, &append) || term < leading->term) {
        return;
    }
    if (term > leading->term) {
        *leading = (struct leading){.term = term};
    }
    struct begun *begun = &leading->begun[append.round % ROUNDS_COUNT];
    if (begun->at == 0 || begun->round < append.round) {
        *begun = (struct begun){append.round, ++all->count};
    }
}

static void note_answer(struct gd_sim__reliance *all, unsigned from, unsigned to,
                        const struct gd_message *m)
{
    struct leading *leading = &all->leading[to];
    uint64_t round = m->append_resp.round;
    const struct begun *begun = &leading->begun[round % ROUNDS_COUNT];
    if (m->term == leading->term && begun->round == round && begun->at > leading->confirmed[from]) {
        leading->confirmed[from] = begun->at;
    }
}

static void note_question(struct gd_sim__reliance *all, unsigned from, unsigned to,
                          const struct gd_message *m)
{
    uint64_t token = m->read_index.token;
    struct question *question = &all->questions[to][from][token % QUESTIONS_COUNT];
    if (question->token != token) { /* A copy asks again; what was said to the first may do. */
        *question = (struct question){token, ++all->count};
    }
}

static void note_word(struct gd_sim__reliance *all, unsigned to, gd_term term,
                      const struct gd_message_append *append)
{
    struct word *word = all->words[to];
    gd_index agreed = append->previous.index + append->entry_count;
    gd_index index = append->commit < agreed ? append->commit : agreed;
    unsigned at = 0, lowest = 0;
    for (unsigned i = 0; i < WORDS_COUNT; i++) {
        lowest = word[i].term < word[lowest].term ? i : lowest;
    }
    while (at < WORDS_COUNT && word[at].term != term) {
        at++;
    }
    if (at == WORDS_COUNT) {
        at = lowest;
        if (term < word[at].term) {
            return;
        }
        word[at] = (struct word){term, 0};
    }
    word[at].index = index > word[at].index ? index : word[at].index;
}

void gd_sim__reliance_told(struct gd_sim_checks *checks, unsigned from, unsigned to,
                           struct gd_slice frame)
{
    struct gd_sim__reliance *all = reliance_of(checks);
    enum gd_message_type type = gd_message_frame_type(frame);
    struct gd_message_append append;
    struct gd_message m;
    size_t consumed;
    if (type == GD_MESSAGE_PRE_VOTE || type == GD_MESSAGE_VOTE) {
        all->wanted[to] = checks->clock(checks->context, to);
    } else if (gd_message_frame_append(frame, &append)) {
        struct spoken *spoken = &all->spoken[to];
        gd_time_ns now = checks->clock(checks->context, to);
        if (spoken->leader != from) {
            spoken->count = 0;
        }
        spoken->count += spoken->count == 0 || spoken->at != now ? 1 : 0;
        spoken->leader = from;
        spoken->term = gd_message_frame_term(frame);
        spoken->at = now;
        note_word(all, to, spoken->term, &append);
    } else if ((type == GD_MESSAGE_APPEND_RESP || type == GD_MESSAGE_READ_INDEX) &&
               gd_message_decode(frame, frame.size, &consumed, &m) == GD_OK) {
        if (type == GD_MESSAGE_READ_INDEX) {
            note_question(all, from, to, &m);
        } else {
            note_answer(all, from, to, &m);
            gd_sim__note_refusal(checks, from, to, &m);
        }
        gd_message_release(&m);
    }
}

void gd_sim__look_at_confirmed(struct gd_sim_checks *checks, unsigned id,
                               const struct gd_raft *raft, const struct gd_message *m)
{
    const struct gd_sim__reliance *all = reliance_of(checks);
    const struct leading *leading = &all->leading[id];
    uint64_t token = m->read_index_resp.token;
    const struct question *question = &all->questions[id][m->to][token % QUESTIONS_COUNT];
    uint32_t heard = UINT32_C(1) << id;
    gd_index ignored;
    if (checks->plan->lease != 0 || !m->read_index_resp.granted || question->token != token ||
        m->term != gd_raft_term(raft) || gd_raft_role(raft) != GD_ROLE_LEADER) {
        return;
    }
    for (unsigned peer = 1; peer <= gd_sim_plan_total(checks->plan); peer++) {
        bool answered = leading->term == m->term && leading->confirmed[peer] > question->at;
        heard |= answered ? UINT32_C(1) << peer : 0;
    }
    /* The step that answered it may have brought the next configuration into force. */
    gd_index index = gd_raft_config_index(raft);
    const struct gd_config *before = gd_raft_config_at(raft, index > 0 ? index - 1 : 0, &ignored);
    if (!gd_sim_quorum(gd_raft_config(raft), heard) && !gd_sim_quorum(before, heard)) {
        gd_sim__violated(checks, "reads are confirmed",
                         "node %u leads term %" PRIu64 " and calls a read of node %" PRIu64
                         " safe; no quorum has answered what it sent since that asked",
                         id, m->term, m->to);
    }
}

/* ---------------------------------------------------------------- leases */

#define LEAST_US UINT64_C(1000000) /* So long clocks are compared before they are relied on. */
#define TOLERANCE_US 4
/* Does node `voter` keep still until the lease of `id` is over, as the clocks of both run? */
static bool keeps_still(const struct gd_sim_checks *checks, unsigned id, unsigned voter,
                        gd_time_ns lease_until)
{
    const struct shadow *shadow = &checks->shadows[voter];
    gd_time_ns now = checks->clock(checks->context, voter);
    gd_time_ns mine = checks->clock(checks->context, id);
    gd_time_ns timeout = checks->plan->election_timeout / GD_NS_PER_MS * GD_NS_PER_MS;
    gd_time_ns free_at = shadow->facts.leader_contact + timeout;
    const struct base *base = &checks->reliance->bases[id];
    if (voter == id || !shadow->running || shadow->damaged) {
        return true; /* Who starts anew keeps still from then on. */
    }
    if (checks->reliance->bases[voter].at > base->at) {
        base = &checks->reliance->bases[voter]; /* Both have run since then. */
    }
    uint64_t ran = (now - base->clocks[voter]) / 1000;
    uint64_t led = (mine - base->clocks[id]) / 1000;
    if (ran < LEAST_US || led < LEAST_US) {
        return true;
    }
    uint64_t rest = free_at > now ? (free_at - now) / 1000 + TOLERANCE_US : 0;
    return rest * led >= (lease_until - mine) / 1000 * ran;
}

static void look_at_lease(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    struct gd_sim__reliance *all = reliance_of(checks);
    struct base *base = &all->bases[id];
    gd_time_ns until = checks->shadows[id].facts.lease_until;
    uint32_t free = 0;
    if (checks->plan->lease == 0) {
        return;
    }
    if (base->at == 0 || base->started != checks->shadows[id].started) {
        *base = (struct base){.started = checks->shadows[id].started, .at = ++all->count};
        for (unsigned peer = 1; peer <= gd_sim_plan_total(checks->plan); peer++) {
            base->clocks[peer] = checks->clock(checks->context, peer);
        }
    }
    bool extended = until > all->lease[id] && gd_raft_role(raft) == GD_ROLE_LEADER &&
                    until > checks->clock(checks->context, id);
    all->lease[id] = until;
    for (unsigned peer = 1; extended && peer <= gd_sim_plan_total(checks->plan); peer++) {
        free |= keeps_still(checks, id, peer, until) ? 0 : UINT32_C(1) << peer;
    }
    if (extended && gd_sim_quorum(gd_raft_config(raft), free)) {
        gd_sim__violated(checks, "lease",
                         "node %u leads term %" PRIu64
                         " under a lease that outlasts what a quorum keeps still for",
                         id, gd_raft_term(raft));
    }
}

/* ---------------------------------------------------------------- commits */

static void look_at_told(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    const struct shadow *shadow = &checks->shadows[id];
    const struct word *word = reliance_of(checks)->words[id];
    gd_index commit = gd_raft_commit(raft);
    gd_index told = gd_raft_snapshot(raft)->position.index;
    if (commit <= shadow->commit || shadow->led || gd_raft_role(raft) == GD_ROLE_LEADER) {
        return;
    }
    for (unsigned i = 0; i < WORDS_COUNT; i++) { /* One event may bring the next term as well. */
        bool counts = word[i].term >= shadow->term && word[i].term <= gd_raft_term(raft);
        told = counts && word[i].index > told ? word[i].index : told;
    }
    if (commit > told) {
        gd_sim__violated(
            checks, "commits are told",
            "node %u takes entry %" PRIu64
            " for committed; a leader has told it, of what it has, no more than %" PRIu64,
            id, commit, told);
    }
}

/* ---------------------------------------------------------------- elections */

/* Some may come over a connection that its reader is about to close; many at once, if it refuses
 * the one that they come over. */
#define UNHEEDED_MAX 8
static void look_at_heeded(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    struct spoken *spoken = &reliance_of(checks)->spoken[id];
    gd_time_ns contact = checks->shadows[id].facts.leader_contact;
    if (gd_raft_role(raft) != GD_ROLE_FOLLOWER || gd_raft_term(raft) != spoken->term ||
        gd_raft_leader(raft) != spoken->leader || contact == 0 || contact >= spoken->at) {
        spoken->count = 0; /* Its connection may have broken since. */
    }
    if (spoken->count > UNHEEDED_MAX) {
        gd_sim__violated(checks, "leaders are heeded",
                         "node %u, follower of term %" PRIu64
                         ", has read of its leader %u times, and does not take that for a sign of "
                         "life",
                         id, spoken->term, spoken->count);
    }
}

static void look_at_candidates(struct gd_sim_checks *checks, unsigned id,
                               const struct gd_raft *raft)
{
    struct gd_sim__reliance *all = reliance_of(checks);
    uint64_t campaigns = checks->shadows[id].facts.campaigns;
    gd_time_ns since = checks->clock(checks->context, id) - all->wanted[id];
    bool stands = campaigns > all->campaigns[id] && gd_raft_role(raft) != GD_ROLE_FOLLOWER;
    bool wanted = all->wanted[id] != 0 && since < 4 * checks->plan->election_timeout;
    all->campaigns[id] = campaigns;
    if (stands && !wanted && !gd_sim__may_stand(raft, id)) {
        gd_sim__violated(checks, "candidates vote",
                         "node %u stands for election after term %" PRIu64
                         ", and is no voter by the configuration at %" PRIu64,
                         id, gd_raft_term(raft), gd_raft_config_index(raft));
    }
}

void gd_sim__look_at_reliance(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    look_at_lease(checks, id, raft);
    look_at_told(checks, id, raft);
    look_at_heeded(checks, id, raft);
    look_at_candidates(checks, id, raft);
}
