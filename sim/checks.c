/* checks.c - invariants after every event.
 *
 * For each node a shadow of its log: the term at each index. After an event the last position tells
 * whether the log has changed at all; if so only what is new is looked at, so the cost follows the
 * entries, not the events. For the cluster: who led each term; each (index, term) ever seen with
 * what it holds; what is committed, and in which term that was first seen.
 *
 * The properties, by the names under which a violation is told (those of messages: promises.c; of
 * what is on its way to a peer: transfer_checks.c)
 *
 * - election safety: at most one leader a term (paper Fig. 3);
 * - one vote a term: a running node's vote in a term is for one candidate (paper 5.2);
 * - votes are durable: whoever is elected has its own vote on its disk, and a quorum told of
 * theirs;
 * - elections are owed: a candidate that a quorum has given its votes, its own being on its disk,
 * leads in the event that tells it;
 * - own-term commit: a leader moves its commit index to entries of its own term alone (5.4.2);
 * - leader append-only: a leader's log never shrinks while it leads;
 * - log matching: an entry named by (index, term) is the same everywhere, as is all before it;
 * - leader completeness: what was committed before a term is in the log of that term's leader;
 * - state machine safety: no two nodes commit different entries at one index;
 * - commits are owed: what a leader knows a quorum to hold is committed, in the event that tells
 * it;
 * - durability: a new commit index rests on entries that a majority of disks hold; what was durable
 *   on a node is there after its restart;
 *   on a damaged one, what its own log still says was durable, or it does not come back; on one
 *   that had been quiet, also the last that it wrote (witness.h);
 * - monotony: term and commit index of a running node never go back;
 * - elections are not put off: but by a leader that speaks, a vote granted, or a campaign;
 * - elections are stood for: by every voter that hears nobody, also one by the last change but one,
 *   while the last is not known to be committed (thesis 4.2.2);
 * - lease: nobody is elected while another's lease runs; and one that is extended ends before that
 *   could be (reliance.c);
 * - reads are confirmed, commits are told, leaders are heeded, candidates vote: see reliance.c;
 * - leader stickiness: who hears a leader helps nobody else to lead, but whom a leader asked to;
 * - leaders are heard: who has heard no quorum for two election timeouts leads no more (6.2);
 * - leaders speak: to each member that it is connected to, within three heartbeats of its own time;
 * - outsiders disturb nobody: no term comes from an answer of who is no member when it is read;
 *   who hears a leader takes none from a candidate that is no voter (thesis 4.2.3; term_checks.c);
 * - what peers said: a leader counts on a peer only as far as that has acknowledged it in this
 *   term, and since the start of it that the leader knows; and nobody goes back from a later start
 *   of a peer to an earlier one;
 * - membership: the configuration in force is the last one of the log; one that is committed is the
 *   same everywhere; no two members are at one address, but where one takes the other's place;
 *   nobody stops whom nobody removed, and who knows by its own log that it was removed stops;
 * - ids are used once: who was a member and is none now never is one again (see orders.c);
 * - one change at a time: a leader changes members only behind a committed change, and once an
 *   entry of its own term is committed (thesis 4.1);
 * - versions: a leader writes what an older version cannot read once each member has told its
 *   present start that it can; no node is given what it cannot read (run.c);
 * - changes can be carried: of the voters after a change that an operator orders the leader has
 *   heard a majority (admin.c);
 * - leaders vote: who is no voter by a configuration that it knows to be committed leads no more
 *   once it has committed something in its term (thesis 4.2.2);
 * - voters have caught up: whoever joins votes when its disk has the change by which it does, a
 *   learner that is promoted when entries reach it as they come;
 * - quorums meet: of two configurations that follow each other, any two quorums;
 * - order of a pipeline: a leader takes the writes of a node in that one's order (order_checks.c);
 * - logs are held: a leader cuts nothing that a peer still lacks which it has just heard of, as
 * long as its limit in bytes allows;
 * - bounded queues: every queue keeps its limit; one of messages takes none when it is beyond it;
 * - equal states: nodes that have applied the same entries have the same state; a snapshot is the
 * state at its index. */
#include "engine/prng.h"
#include "sim/checks_internal.h"
#include "sim/members.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *grown(void *array, size_t *capacity, size_t wanted, size_t size)
{
    size_t old = *capacity;
    if (wanted < old) {
        return array;
    }
    size_t fresh = old == 0 ? 256 : old;
    while (fresh <= wanted) {
        fresh *= 2;
    }
    array = realloc(array, fresh * size);
    GD_ASSERT(array != NULL);
    memset((char *)array + old * size, 0, (fresh - old) * size);
    *capacity = fresh;
    return array;
}

void gd_sim__violated(struct gd_sim_checks *checks, const char *property, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    checks->violated(checks->context, property, text);
}

struct gd_sim_checks *gd_sim_checks_new(const struct gd_sim_plan *plan, gd_sim_violated_fn *told,
                                        gd_sim_clock_fn *clock, gd_sim_busy_fn *busy, void *context)
{
    struct gd_sim_checks *checks = calloc(1, sizeof *checks);
    GD_ASSERT(checks != NULL);
    checks->plan = plan;
    checks->violated = told;
    checks->clock = clock;
    checks->busy = busy;
    checks->context = context;
    return checks;
}

void gd_sim_checks_free(struct gd_sim_checks *checks)
{
    for (size_t i = 0; i < GD_COUNT(checks->shadows); i++) {
        free(checks->shadows[i].terms);
        free(checks->forwarded[i]);
    }
    free(checks->leaders);
    free(checks->seen);
    free(checks->committed);
    free(checks->frozen);
    free(checks->reliance);
    free(checks);
}

const char *gd_sim_checks_premise(const struct gd_sim_checks *checks)
{
    return checks->premise[0] != '\0' ? checks->premise : NULL;
}

const struct gd_config *gd_sim_checks_members(const struct gd_sim_checks *checks)
{
    return &checks->members;
}

gd_index gd_sim_checks_committed(const struct gd_sim_checks *checks)
{
    return checks->committed_last;
}

uint64_t gd_sim_checks_elections(const struct gd_sim_checks *checks)
{
    return checks->elections;
}

/* ---------------------------------------------------------------- log matching */

static struct seen *find_seen(struct gd_sim_checks *checks, struct gd_position at)
{
    size_t mask = checks->seen_capacity - 1;
    size_t i = (size_t)gd_prng_mix(at.index, at.term) & mask;
    while (checks->seen[i].at.index != 0 &&
           (checks->seen[i].at.index != at.index || checks->seen[i].at.term != at.term)) {
        i = (i + 1) & mask;
    }
    return &checks->seen[i];
}

static void grow_seen(struct gd_sim_checks *checks)
{
    struct seen *old = checks->seen;
    size_t capacity = checks->seen_capacity;
    checks->seen_capacity = capacity == 0 ? 1024 : capacity * 2;
    checks->seen = calloc(checks->seen_capacity, sizeof *checks->seen);
    GD_ASSERT(checks->seen != NULL);
    for (size_t i = 0; i < capacity; i++) {
        if (old[i].at.index != 0) {
            *find_seen(checks, old[i].at) = old[i];
        }
    }
    free(old);
}

static void look_at_entry(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                          const struct gd_entry *entry)
{
    if (checks->seen_count * 2 >= checks->seen_capacity) {
        grow_seen(checks);
    }
    struct seen *seen = find_seen(checks, entry->position);
    gd_term previous =
        entry->position.index == 1 ? 0 : gd_raft_term_at(raft, entry->position.index - 1);
    bool known = previous != 0 || entry->position.index == 1;
    uint32_t crc = gd_crc32c((uint32_t)entry->type, entry->data, entry->size);
    if (seen->at.index == 0) {
        *seen = (struct seen){entry->position, previous, known, crc};
        checks->seen_count++;
        return;
    }
    if (seen->crc != crc) {
        gd_sim__violated(checks, "log matching",
                         "node %u holds another entry than a node before it at index %" PRIu64
                         " of term %" PRIu64,
                         id, entry->position.index, entry->position.term);
    }
    if (known && seen->previous_known && seen->previous != previous) {
        gd_sim__violated(checks, "log matching",
                         "entry %" PRIu64 " of term %" PRIu64 " follows an entry of term %" PRIu64
                         " on node %u and of term %" PRIu64 " elsewhere",
                         entry->position.index, entry->position.term, previous, id, seen->previous);
    }
    if (known && !seen->previous_known) {
        seen->previous = previous;
        seen->previous_known = true;
    }
}

/* A log that begins anew behind an installed snapshot says nothing of what is below it, and the
 * shadow may still show entries that were never committed there. Where the terms at the log's edge
 * agree, so does all below (log matching). */
static void forget_below(struct shadow *shadow, const struct gd_raft *raft, gd_index first)
{
    gd_term edge = first > 1 ? gd_raft_term_at(raft, first - 1) : 0;
    if (edge == 0 || shadow->terms[first - 1] == edge) {
        return;
    }
    memset(shadow->terms, 0, (size_t)first * sizeof *shadow->terms);
    shadow->terms[first - 1] = edge;
}

/* Brings the shadow of the log up to date, looking at each entry that is new in it. */
static void follow_log(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    struct shadow *shadow = &checks->shadows[id];
    struct gd_position last = gd_raft_last(raft);
    if (gd_position_compare(last, shadow->last) == 0) {
        return;
    }
    gd_index first = gd_raft_first_index(raft);
    gd_index common = last.index < shadow->last.index ? last.index : shadow->last.index;
    shadow->terms =
        grown(shadow->terms, &shadow->term_capacity, (size_t)last.index + 1, sizeof *shadow->terms);
    if (shadow->led && shadow->term == gd_raft_term(raft) && last.index < shadow->last.index) {
        gd_sim__violated(checks, "leader append-only",
                         "node %u leads term %" PRIu64 " and cut its log from %" PRIu64
                         " to %" PRIu64,
                         id, shadow->term, shadow->last.index, last.index);
    }
    while (common >= first && common > 0 &&
           gd_raft_term_at(raft, common) != shadow->terms[common]) {
        common--;
    }
    if (shadow->config_last > common || shadow->config_last < first) {
        shadow->config_last = 0; /* Cut, or below a snapshot, which names its own. */
    }
    if (common < shadow->last.index && common + 1 <= shadow->commit && common + 1 >= first) {
        gd_sim__violated(checks, "state machine safety",
                         "node %u dropped entry %" PRIu64 ", which it had committed", id,
                         common + 1);
    }
    for (gd_index i = common + 1 > first ? common + 1 : first; i <= last.index; i++) {
        const struct gd_entry *entry = gd_raft_entry(raft, i);
        shadow->terms[i] = gd_raft_term_at(raft, i);
        if (entry != NULL) {
            look_at_entry(checks, id, raft, entry);
            gd_sim__look_at_order(checks, id, raft, entry);
        }
        if (entry != NULL && entry->type == GD_ENTRY_CONFIG) {
            shadow->config_last = i;
        }
    }
    forget_below(shadow, raft, first);
    shadow->last = last;
}

/* ---------------------------------------------------------------- commit, durability */

/* Does node `id` hold the entry on its disk, as far as it has said? Written up to 256, then cut at
 * 256: when that write is done an answer for 255 may go, while what is stored counts no entry of it
 * until the cut is on the disk, too. Its log in memory shows the rest. */
bool gd_sim__holds(const struct gd_sim_checks *checks, unsigned id, struct gd_position at)
{
    const struct shadow *shadow = &checks->shadows[id];
    return (shadow->stored.index >= at.index ||
            (shadow->facts.cut_open && shadow->last.index >= at.index)) &&
           (at.index >= shadow->term_capacity || shadow->terms[at.index] == at.term ||
            shadow->terms[at.index] == 0);
}

static bool majority_holds(const struct gd_sim_checks *checks, const struct gd_config *config,
                           uint32_t role, struct gd_position at)
{
    unsigned voters = 0;
    unsigned holding = 0;
    for (uint32_t i = 0; i < config->count; i++) {
        if ((config->members[i].roles & role) == 0) {
            continue;
        }
        voters++;
        holding += config->members[i].id <= GD_SIM_NODES_MAX &&
                   (checks->shadows[config->members[i].id].wiped ||
                    gd_sim__holds(checks, (unsigned)config->members[i].id, at));
    }
    return voters == 0 || holding * 2 > voters;
}

static bool quorum_holds(const struct gd_sim_checks *checks, const struct gd_config *config,
                         struct gd_position at)
{
    return majority_holds(checks, config, GD_MEMBER_VOTER, at) &&
           majority_holds(checks, config, GD_MEMBER_OUTGOING, at);
}

static void look_at_commit(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    struct shadow *shadow = &checks->shadows[id];
    gd_index commit = gd_raft_commit(raft);
    gd_index from = shadow->commit;
    if (commit < from) {
        gd_sim__violated(checks, "monotony",
                         "the commit index of node %u went back from %" PRIu64 " to %" PRIu64, id,
                         from, commit);
    }
    checks->committed = grown(checks->committed, &checks->committed_capacity, (size_t)commit + 1,
                              sizeof *checks->committed);
    for (gd_index i = from + 1; i <= commit; i++) {
        gd_term term = gd_raft_term_at(raft, i);
        struct committed *known = &checks->committed[i];
        if (term == 0) {
            continue; /* Below its snapshot. */
        }
        if (known->term == 0) {
            *known = (struct committed){term, gd_raft_term(raft)};
        } else if (known->term != term) {
            gd_sim__violated(checks, "state machine safety",
                             "node %u committed an entry of term %" PRIu64 " at index %" PRIu64
                             ", where another of term %" PRIu64 " was committed before",
                             id, term, i, known->term);
        }
    }
    if (commit > from && shadow->led && gd_raft_role(raft) == GD_ROLE_LEADER &&
        shadow->term == gd_raft_term(raft) && gd_raft_term_at(raft, commit) != shadow->term) {
        gd_sim__violated(checks, "own-term commit",
                         "node %u leads term %" PRIu64 " and committed entry %" PRIu64
                         " of term %" PRIu64 " by itself",
                         id, shadow->term, commit, gd_raft_term_at(raft, commit));
    }
    if (commit > checks->committed_last) {
        struct gd_position at = {gd_raft_term_at(raft, commit), commit};
        gd_index ignored;
        checks->committed_last = commit;
        /* What is committed may bring the next configuration into force in the same event: it was
         * decided under the one before, or (a joint one left) under that. */
        if (!quorum_holds(checks, gd_raft_config(raft), at) &&
            !quorum_holds(checks, gd_raft_config_at(raft, shadow->config_index, &ignored), at)) {
            gd_sim__violated(checks, "durability",
                             "node %u committed entry %" PRIu64 " of term %" PRIu64
                             ", which no majority of disks holds",
                             id, commit, at.term);
        }
    }
    shadow->commit = commit;
}

/* What a leader knows a quorum to hold is committed as soon as it knows it, also when a change of
 * the members is what makes them a quorum: the answer that it would wait for else may never come.
 */
static void look_at_owed(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    gd_term term = gd_raft_term(raft);
    gd_index last = gd_raft_last(raft).index;
    gd_index index = gd_raft_commit(raft) + 1;
    uint32_t holding = 0;
    uint64_t boot;
    if (gd_raft_role(raft) != GD_ROLE_LEADER) {
        return;
    }
    while (index <= last && gd_raft_term_at(raft, index) != term) {
        index++; /* Of earlier terms nothing is committed by itself (5.4.2). */
    }
    if (index > last) {
        return;
    }
    holding |= gd_raft_stored(raft).index >= index ? UINT32_C(1) << id : 0;
    for (unsigned peer = 1; peer <= gd_sim_plan_total(checks->plan); peer++) {
        bool holds = peer != id && gd_raft_match(raft, peer, &boot) >= index;
        holding |= holds ? UINT32_C(1) << peer : 0;
    }
    if (gd_sim_quorum(gd_raft_config(raft), holding)) {
        gd_sim__violated(checks, "commits are owed",
                         "node %u leads term %" PRIu64 ", knows a quorum to hold entry %" PRIu64
                         ", and has committed no more than %" PRIu64,
                         id, term, index, gd_raft_commit(raft));
    }
}

/* From the last entry of another log back to the last one that the log in memory has, too (log
 * matching). False: it cannot be told. */
static bool find_parting(struct gd_sim_checks *checks, const struct gd_raft *raft,
                         struct gd_position *last)
{
    gd_index first = gd_raft_first_index(raft);
    while (last->index + 1 >= first && last->index > 0 &&
           gd_raft_term_at(raft, last->index) != last->term) {
        const struct seen *seen = checks->seen_count > 0 ? find_seen(checks, *last) : NULL;
        if (seen == NULL || seen->at.index == 0 || !seen->previous_known) {
            return false;
        }
        *last = (struct gd_position){.index = last->index - 1, .term = seen->previous};
    }
    return last->index + 1 >= first;
}

/* What Raft takes as stored, the log on disk has told: an entry that was cut and came again in
 * another term is not the one whose write has ended, nor is any behind where the two logs part. */
static void look_at_stored(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node)
{
    const struct gd_raft *raft = gd_node_raft(node);
    struct gd_position stored = checks->shadows[id].stored;
    struct gd_position told = gd_node_durable(node);
    bool of_log = stored.index >= gd_raft_first_index(raft); /* Not of a snapshot. */
    if (told.index == 0 || !of_log || gd_raft_term_at(raft, told.index) == told.term) {
        return;
    }
    struct gd_position common = told;
    if ((stored.index == told.index && stored.term != told.term) ||
        (find_parting(checks, raft, &common) && stored.index > common.index)) {
        gd_sim__violated(checks, "durability",
                         "node %u takes entry %" PRIu64 " of term %" PRIu64
                         " as stored; the log on its disk ends with %" PRIu64 " of term %" PRIu64
                         ", and is another there",
                         id, stored.index, stored.term, told.index, told.term);
    }
}

/* What a leader believes a peer to hold, the disk of that peer holds: commitment counts on it. A
 * peer that has gone on to a later term may have cut what an older leader still believes in. */
static void look_at_match(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    if (gd_raft_role(raft) != GD_ROLE_LEADER) {
        return;
    }
    for (unsigned peer = 1; peer <= gd_sim_plan_total(checks->plan); peer++) {
        const struct shadow *shadow = &checks->shadows[peer];
        const struct told *told = &shadow->told[id];
        struct gd_position match = {0, 0};
        uint64_t boot;
        if (peer == id || shadow->damaged || !shadow->running ||
            shadow->term > gd_raft_term(raft)) {
            continue;
        }
        match.index = gd_raft_match(raft, peer, &boot);
        match.term = gd_raft_term_at(raft, match.index);
        if (match.index > 0 && (told->term != gd_raft_term(raft) || told->boot < boot ||
                                (told->boot == boot && told->index < match.index))) {
            gd_sim__violated(checks, "what peers said",
                             "node %u leads term %" PRIu64 " and counts entry %" PRIu64
                             " as stored on node %u, whose present start has not acknowledged that "
                             "in this term",
                             id, gd_raft_term(raft), match.index, peer);
            return;
        }
        if (match.index != 0 && match.term != 0 && !gd_sim__holds(checks, peer, match)) {
            gd_sim__violated(checks, "durability",
                             "node %u leads term %" PRIu64 " and counts entry %" PRIu64
                             " of term %" PRIu64 " as stored on node %u, whose disk holds %" PRIu64
                             " of term %" PRIu64,
                             id, gd_raft_term(raft), match.index, match.term, peer,
                             shadow->stored.index, shadow->stored.term);
            return;
        }
    }
}

/* ---------------------------------------------------------------- leaders, terms */

/* Nobody is elected while another may still answer reads by itself. */
static void look_at_leases(struct gd_sim_checks *checks, unsigned id, gd_term term)
{
    for (unsigned other = 1; other <= gd_sim_plan_total(checks->plan); other++) {
        const struct shadow *shadow = &checks->shadows[other];
        if (other != id && shadow->running && shadow->led && shadow->term < term &&
            shadow->facts.lease_until > checks->clock(checks->context, other)) {
            gd_sim__violated(checks, "lease",
                             "node %u was elected in term %" PRIu64 " while the lease of node %u, "
                             "leader of term %" PRIu64 ", runs",
                             id, term, other, shadow->term);
        }
    }
}

void gd_sim__note_leader(struct gd_sim_checks *checks, unsigned id, gd_term term)
{
    checks->leaders =
        grown(checks->leaders, &checks->leader_capacity, (size_t)term, sizeof *checks->leaders);
    if (checks->leaders[term] != 0 && checks->leaders[term] != id) {
        gd_sim__violated(checks, "election safety",
                         "nodes %" PRIu64 " and %u were both elected in term %" PRIu64,
                         checks->leaders[term], id, term);
    }
    checks->leaders[term] = id;
}

static void look_at_leader(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    struct shadow *shadow = &checks->shadows[id];
    gd_term term = gd_raft_term(raft);
    bool leads = gd_raft_role(raft) == GD_ROLE_LEADER;
    if (term < shadow->term) {
        gd_sim__violated(checks, "monotony",
                         "the term of node %u went back from %" PRIu64 " to %" PRIu64, id,
                         shadow->term, term);
    }
    if (shadow->term != 0 && term > shadow->term && term > shadow->heard_inside &&
        gd_raft_vote(raft) != id && shadow->members != 0) {
        gd_sim__violated(checks, "outsiders disturb nobody",
                         "node %u went from term %" PRIu64 " to %" PRIu64
                         ", and only somebody who is no member for it has told it that term",
                         id, shadow->term, term);
    }
    if (term == shadow->term && shadow->vote != 0 && gd_raft_vote(raft) != shadow->vote) {
        gd_sim__violated(checks, "one vote a term",
                         "node %u voted for %" PRIu64 " in term %" PRIu64 ", and then for %" PRIu64,
                         id, shadow->vote, term, gd_raft_vote(raft));
    }
    shadow->vote = gd_raft_vote(raft);
    if (leads && (!shadow->led || shadow->term != term)) {
        gd_sim__note_leader(checks, id, term);
        checks->elections++;
        look_at_leases(checks, id, term);
        gd_sim__look_at_votes(checks, id, raft);
        gd_index first = gd_raft_first_index(raft);
        for (gd_index i = first > 0 ? first : 1; i <= checks->committed_last; i++) {
            const struct committed *known = &checks->committed[i];
            if (known->term != 0 && known->first < term &&
                gd_raft_term_at(raft, i) != known->term) {
                gd_sim__violated(checks, "leader completeness",
                                 "node %u leads term %" PRIu64 " without entry %" PRIu64
                                 " of term %" PRIu64 ", committed in term %" PRIu64,
                                 id, term, i, known->term, known->first);
                break;
            }
        }
    }
    shadow->led = leads;
    shadow->term = term;
}

/* Does its log begin with a snapshot that contradicts the one that was there? Then that is worth
 * nothing (paper 7), also where the node fell before its log told of the snapshot. */
static bool contradicted(const struct shadow *shadow, const struct gd_raft *raft)
{
    struct gd_position position = gd_raft_snapshot(raft)->position;
    return position.index > 0 && position.index == gd_raft_last(raft).index &&
           position.index < shadow->term_capacity && shadow->terms[position.index] != 0 &&
           shadow->terms[position.index] != position.term;
}

/* The first look after a start: what was durable has come back. */
static void look_at_start(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                          const struct gd_node *node)
{
    struct shadow *shadow = &checks->shadows[id];
    struct gd_position last = gd_raft_last(raft);
    gd_index first = gd_raft_first_index(raft);
    if (gd_node_recovered_lsn(node) < shadow->witnessed) {
        gd_sim__violated(checks, "durability",
                         "node %u came back with the first %" PRIu64
                         " records of its log; a record on its damaged disk says that %" PRIu64
                         " were durable: that is no torn tail",
                         id, gd_node_recovered_lsn(node), shadow->witnessed);
    }
    shadow->witnessed = 0;
    if (!shadow->damaged && last.index < shadow->stored.index && !contradicted(shadow, raft)) {
        gd_sim__violated(checks, "durability",
                         "node %u came back with its log up to %" PRIu64 "; %" PRIu64
                         " of term %" PRIu64 " was durable before",
                         id, last.index, shadow->stored.index, shadow->stored.term);
    }
    if (!shadow->damaged &&
        (gd_raft_term(raft) < shadow->durable_term ||
         (gd_raft_term(raft) == shadow->durable_term && shadow->durable_vote != 0 &&
          gd_raft_vote(raft) != shadow->durable_vote))) {
        gd_sim__violated(checks, "durability",
                         "node %u came back in term %" PRIu64 " with its vote for %" PRIu64
                         "; term %" PRIu64 " and a vote for %" PRIu64 " were durable before",
                         id, gd_raft_term(raft), gd_raft_vote(raft), shadow->durable_term,
                         shadow->durable_vote);
    }
    if (shadow->damaged && !shadow->wiped &&
        (last.index < shadow->stored.index || gd_raft_term(raft) < shadow->term)) {
        (void)snprintf(checks->premise, sizeof checks->premise,
                       "damage to the disk of node %u looked like a torn tail: it forgot entries "
                       "or its term",
                       id);
    }
    for (gd_index i = first > 0 ? first : 1;
         !shadow->damaged && i <= shadow->stored.index && i < shadow->term_capacity; i++) {
        if (shadow->terms[i] != 0 && gd_raft_term_at(raft, i) != shadow->terms[i] &&
            gd_raft_term_at(raft, i) != 0) {
            gd_sim__violated(checks, "durability",
                             "node %u came back with an entry of term %" PRIu64 " at index %" PRIu64
                             "; one of term %" PRIu64 " was durable there",
                             id, gd_raft_term_at(raft, i), i, shadow->terms[i]);
            break;
        }
    }
    if (last.index < shadow->snapshot || first > shadow->snapshot) {
        shadow->took = false; /* The log has lost what it had for it, and begins behind it. */
    }
    shadow->running = true;
    shadow->started = checks->clock(checks->context, id);
    shadow->config_index = gd_raft_config_index(raft);
    shadow->led = false;
    shadow->term = 0;
    shadow->vote = 0; /* One that was never durable was never sent. */
    shadow->config_last = 0;
    shadow->commit = 0;
    shadow->last = (struct gd_position){0, 0};
    if (shadow->terms != NULL) {
        memset(shadow->terms, 0, shadow->term_capacity * sizeof *shadow->terms);
    }
}

/* ---------------------------------------------------------------- the rest */

void gd_sim_checks_dismissed(struct gd_sim_checks *checks, unsigned id, const char *error)
{
    if (gd_config_find(&checks->members, id) != NULL || id > checks->id_highest) {
        gd_sim__violated(checks, "membership", "node %u stopped, and nobody removed it: %s", id,
                         error);
    }
}

static void look_at_queues(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node)
{
    const struct gd_sim_plan *plan = checks->plan;
    struct gd_node_queues queues;
    gd_node_queues(node, &queues);
    uint64_t request = plan->value_large_size + plan->value_size * 16 + 65536;
    if (queues.pending_size > plan->pending_size + request) {
        gd_sim__violated(checks, "bounded queues",
                         "node %u has %zu bytes of requests pending; the limit is %" PRIu64, id,
                         queues.pending_size, plan->pending_size);
    }
    if (queues.peer_waiting_size > plan->peer_output_size) {
        gd_sim__violated(checks, "bounded queues",
                         "node %u had %zu bytes waiting for a peer and added a message; the limit "
                         "is %" PRIu64,
                         id, queues.peer_waiting_size, plan->peer_output_size);
    }
    if (queues.held_waiting_size > plan->peer_output_size) {
        gd_sim__violated(checks, "bounded queues",
                         "node %u held %zu bytes of messages back for its disk and added one; the "
                         "limit is %" PRIu64,
                         id, queues.held_waiting_size, plan->peer_output_size);
    }
}

/* What a leader takes in while something is uncommitted stays within the limit. Called while the
 * shadow still shows the log as it was before the event; what is added for no client (an empty
 * entry, a stamp, a configuration) is small, and goes beyond it. */
#define UNCOMMITTED_SLACK 4096
static void look_at_uncommitted(struct gd_sim_checks *checks, unsigned id,
                                const struct gd_raft *raft)
{
    const struct shadow *shadow = &checks->shadows[id];
    gd_index last = gd_raft_last(raft).index;
    uint64_t size = 0;
    bool asked = false;
    if (!shadow->led || gd_raft_role(raft) != GD_ROLE_LEADER ||
        shadow->term != gd_raft_term(raft) || gd_raft_commit(raft) != shadow->commit ||
        last <= shadow->last.index || shadow->last.index == shadow->commit) {
        return;
    }
    for (gd_index i = shadow->commit + 1; i <= last; i++) {
        const struct gd_entry *entry = gd_raft_entry(raft, i);
        size += entry != NULL ? entry->size : 0; /* What was inherited, too. */
        asked =
            asked || (entry != NULL && i > shadow->last.index && entry->type == GD_ENTRY_REQUEST);
    }
    if (asked && size > checks->plan->uncommitted_size + UNCOMMITTED_SLACK) {
        gd_sim__violated(checks, "bounded queues",
                         "node %u leads with %" PRIu64 " bytes uncommitted; the limit is %" PRIu64,
                         id, size, checks->plan->uncommitted_size);
    }
}

/* A leader whose own disk is behind by as much as may be uncommitted takes no requests, though the
 * others' disks go on. Called while the shadow still shows the log as it was before the event. */
static void look_at_own_disk(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    const struct shadow *shadow = &checks->shadows[id];
    gd_index last = gd_raft_last(raft).index;
    uint64_t size = 0;
    bool asked = false;
    if (!shadow->led || gd_raft_role(raft) != GD_ROLE_LEADER ||
        shadow->term != gd_raft_term(raft) || last <= shadow->last.index) {
        return;
    }
    for (gd_index i = shadow->stored.index + 1; i <= last; i++) {
        const struct gd_entry *entry = gd_raft_entry(raft, i);
        if (entry != NULL && i <= shadow->last.index) {
            size += entry->size;
        } else if (entry != NULL) {
            asked = asked || entry->type == GD_ENTRY_REQUEST;
        }
    }
    if (asked && size >= checks->plan->uncommitted_size) {
        gd_sim__violated(checks, "bounded queues",
                         "node %u leads and takes requests with %" PRIu64
                         " bytes that its own disk has not stored; the limit is %" PRIu64,
                         id, size, checks->plan->uncommitted_size);
    }
}

/* Who has asked another to lead takes no requests until that is over (thesis 3.10): the other would
 * not have them. Called while the shadow still shows the log as it was before the event. */
static void look_at_handover(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    const struct shadow *shadow = &checks->shadows[id];
    gd_node_id target = shadow->facts.transfer_target;
    struct gd_raft_facts facts;
    gd_raft_facts(raft, &facts);
    if (!shadow->led || shadow->term != gd_raft_term(raft) || target == 0 ||
        facts.transfer_target != target) {
        return;
    }
    for (gd_index i = shadow->last.index + 1; i <= gd_raft_last(raft).index; i++) {
        const struct gd_entry *entry = gd_raft_entry(raft, i);
        if (entry != NULL && entry->type == GD_ENTRY_REQUEST) {
            gd_sim__violated(checks, "leadership transfer",
                             "node %u hands over to node %" PRIu64 ", and takes entry %" PRIu64, id,
                             target, i);
            return;
        }
    }
}

/* Who waits for its database with as much as may wait takes nothing more. Called while the shadow
 * still shows the log as it was before the event. */
static void look_at_lag(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                        const struct gd_node *node)
{
    struct shadow *shadow = &checks->shadows[id];
    struct gd_node_queues queues;
    gd_index last = gd_raft_last(raft).index;
    gd_node_queues(node, &queues);
    if (shadow->lag_full && !shadow->led && gd_raft_role(raft) != GD_ROLE_LEADER &&
        last > shadow->last.index && gd_raft_first_index(raft) <= shadow->last.index + 1) {
        gd_sim__violated(checks, "bounded queues",
                         "node %u has %zu bytes waiting for its database, where %" PRIu64
                         " may, and took entries up to %" PRIu64,
                         id, queues.lag_size, checks->plan->lag_size, last);
    }
    shadow->lag_full = queues.lag_size >= checks->plan->lag_size;
}

/* A log that is cut under a peer costs it a snapshot, and under a load one after the other. Where
 * the limit is a few entries' bytes nothing is demanded; else no run fills it. */
#define TAIL_WIDE (8 << 20)
static void look_at_cut(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    struct shadow *shadow = &checks->shadows[id];
    gd_index first = gd_raft_first_index(raft);
    bool cut = shadow->led && gd_raft_role(raft) == GD_ROLE_LEADER && first > shadow->first;
    shadow->first = first;
    for (unsigned peer = 1; cut && peer <= gd_sim_plan_total(checks->plan); peer++) {
        struct gd_member_status status = {0};
        if (peer != id && checks->plan->tail_size >= TAIL_WIDE &&
            gd_raft_progress(raft, peer, checks->clock(checks->context, id), &status) &&
            status.state != GD_PROGRESS_SNAPSHOT && status.match + 1 < first &&
            status.last_contact_ns < checks->plan->election_timeout) {
            gd_sim__violated(checks, "logs are held",
                             "node %u leads and has cut its log up to %" PRIu64
                             "; node %u, heard of just now, has it up to %" PRIu64,
                             id, first, peer, status.match);
        }
    }
}

/* Of two starts of a peer the later one counts, whichever was heard of last. Who is no member is
 * forgotten when its connection ends. */
static void look_at_starts(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node)
{
    struct shadow *shadow = &checks->shadows[id];
    if (shadow->met_index != shadow->config_index) {
        memset(shadow->met, 0, sizeof shadow->met);
        shadow->met_index = shadow->config_index;
    }
    for (unsigned peer = 1; peer <= gd_sim_plan_total(checks->plan); peer++) {
        uint64_t boot =
            peer != id && (shadow->members >> peer & 1) != 0 ? gd_node_peer_boot(node, peer) : 0;
        if (boot < shadow->met[peer] && gd_life_of(boot) == gd_life_of(shadow->met[peer])) {
            gd_sim__violated(checks, "what peers said",
                             "node %u goes by start %" PRIu32
                             " of node %u, and did by start %" PRIu32 " before",
                             id, (uint32_t)boot, peer, (uint32_t)shadow->met[peer]);
        }
        shadow->met[peer] = boot;
    }
}

static void look_at_digest(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node)
{
    struct shadow *shadow = &checks->shadows[id];
    gd_index applied = gd_node_applied(node);
    if (applied == shadow->applied || applied == 0 || applied % 8 != 0) {
        return;
    }
    shadow->applied = applied;
    uint64_t digest = gd_node_digest(node);
    struct digest *known = &checks->digests[applied / 8 % DIGEST_COUNT];
    if (known->applied == applied && known->digest != digest) {
        gd_sim__violated(checks, "equal states",
                         "nodes %u and %u have both applied entry %" PRIu64
                         " and hold different states",
                         known->node, id, applied);
    }
    if (applied > known->applied) {
        *known = (struct digest){applied, digest, id};
    }
}

/* What a snapshot is restored to is the state that it was taken of, on whichever node; entries that
 * follow may hide that something is missing. */
static void look_at_snapshot(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node)
{
    struct shadow *shadow = &checks->shadows[id];
    gd_index applied = gd_node_applied(node);
    bool frozen = gd_node_freezing(node) == applied && shadow->frozen != applied;
    bool restored = gd_node_restored(node) == applied && shadow->restored != applied;
    if (applied == 0 || (!frozen && !restored)) {
        return;
    }
    shadow->frozen = frozen ? applied : shadow->frozen;
    shadow->restored = restored ? applied : shadow->restored;
    checks->frozen = grown(checks->frozen, &checks->frozen_capacity, (size_t)applied + 1,
                           sizeof *checks->frozen);
    struct digest *known = &checks->frozen[applied];
    struct digest now = {applied, gd_node_digest(node), id};
    if (known->applied == 0 && frozen) {
        *known = now;
    } else if (known->applied != 0 && known->digest != now.digest) {
        gd_sim__violated(checks, "equal states",
                         restored ? "node %u restored the snapshot at %" PRIu64
                                    "; it is not the state that node %u took one of there"
                                  : "node %u takes a snapshot at %" PRIu64
                                    " of another state than node %u did",
                         id, applied, known->node);
    }
}

/* Where the newest snapshot comes from: what was frozen here, or a leader. */
static void note_snapshot(struct shadow *shadow, const struct gd_raft *raft)
{
    gd_index newest = gd_raft_snapshot(raft)->position.index;
    if (newest != shadow->snapshot) {
        shadow->snapshot = newest;
        shadow->took = newest == shadow->frozen;
    }
}

gd_index gd_sim_checks_took(const struct gd_sim_checks *checks, unsigned id)
{
    return checks->shadows[id].took ? checks->shadows[id].snapshot : 0;
}

void gd_sim_checks_after(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node)
{
    struct shadow *shadow = &checks->shadows[id];
    const struct gd_raft *raft = gd_node_raft(node);
    if (raft == NULL) {
        return;
    }
    if (!shadow->running) {
        look_at_start(checks, id, raft, node);
    }
    look_at_uncommitted(checks, id, raft);
    look_at_own_disk(checks, id, raft);
    look_at_handover(checks, id, raft);
    look_at_cut(checks, id, raft);
    look_at_lag(checks, id, raft, node);
    bool changed = gd_position_compare(gd_raft_last(raft), shadow->last) != 0;
    follow_log(checks, id, raft);
    shadow->stored = gd_raft_stored(raft);
    look_at_stored(checks, id, node);
    gd_sim__look_at_standing(checks, id, raft);
    gd_sim__look_at_reliance(checks, id, raft);
    look_at_leader(checks, id, raft);
    look_at_match(checks, id, raft);
    look_at_commit(checks, id, raft);
    gd_sim__look_at_offer(checks, id, raft);
    look_at_owed(checks, id, raft);
    gd_sim__look_at_owed_election(checks, id, node);
    gd_sim__look_at_silence(checks, id, node);
    gd_sim__look_at_clients(checks, id, node);
    gd_sim__look_at_config(checks, id, raft);
    gd_sim__look_at_elections(checks, id, raft, changed);
    look_at_digest(checks, id, node);
    look_at_snapshot(checks, id, node);
    note_snapshot(shadow, raft);
    if (shadow->looks % 4 == 0) {
        gd_sim__look_at_contact(checks, id, node);
        gd_sim__look_at_transfers(checks, id, node);
        look_at_starts(checks, id, node);
        gd_sim__look_at_removed(checks, id, node);
    }
    if (shadow->looks++ % 8 == 0) {
        look_at_queues(checks, id, node);
    }
}

void gd_sim_checks_gone(struct gd_sim_checks *checks, unsigned id)
{
    checks->shadows[id].running = false;
    checks->shadows[id].led = false;
    checks->shadows[id].unheard = 0;
    checks->shadows[id].lag_full = false;
    checks->shadows[id].applied = 0;
    checks->shadows[id].frozen = checks->shadows[id].restored = 0;
    checks->shadows[id].leader_term = 0;
    checks->shadows[id].offers = 0;
    memset(checks->shadows[id].said, 0, sizeof checks->shadows[id].said);
    memset(checks->shadows[id].met, 0, sizeof checks->shadows[id].met);
    memset(checks->shadows[id].pace, 0, sizeof checks->shadows[id].pace);
    memset(checks->shadows[id].silence, 0, sizeof checks->shadows[id].silence);
    checks->shadows[id].granted.term = 0;
    checks->shadows[id].lead_term = 0;
    checks->shadows[id].stayed = false;
    checks->shadows[id].removed_for = 0;
}

void gd_sim_checks_damaged(struct gd_sim_checks *checks, unsigned id, bool wiped)
{
    checks->shadows[id].damaged = true;
    checks->shadows[id].wiped = checks->shadows[id].wiped || wiped;
}

void gd_sim_checks_witnessed(struct gd_sim_checks *checks, unsigned id, uint64_t lsn)
{
    checks->shadows[id].witnessed = lsn;
}

void gd_sim_checks_equal(struct gd_sim_checks *checks, struct gd_node *const *nodes)
{
    unsigned first = 0;
    uint64_t digest = 0;
    gd_index applied = 0;
    for (unsigned id = 1; id <= GD_SIM_NODES_MAX; id++) {
        if (nodes[id] == NULL) {
            continue;
        }
        if (first == 0) {
            first = id;
            digest = gd_node_digest(nodes[id]);
            applied = gd_node_applied(nodes[id]);
        } else if (gd_node_applied(nodes[id]) == applied && gd_node_digest(nodes[id]) != digest) {
            gd_sim__violated(checks, "equal states",
                             "at the end nodes %u and %u have both applied entry %" PRIu64
                             " and hold different states",
                             first, id, applied);
        }
    }
}
