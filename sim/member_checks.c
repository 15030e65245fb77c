/* member_checks.c - the part of the invariants after each event that is about members; the list of
 * them stands at the head of checks.c. */
#include "engine/message.h"
#include "sim/checks_internal.h"
#include "sim/members.h"
#include <inttypes.h>

/* The configuration in force is the last one that the log holds, and nothing else: one whose entry
 * was cut is not in force any more, nor one of a log that a snapshot has replaced. */
static void look_at_source(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    const struct shadow *shadow = &checks->shadows[id];
    const struct gd_snapshot_meta *snapshot = gd_raft_snapshot(raft);
    gd_index index = gd_raft_config_index(raft);
    const struct gd_entry *entry = gd_raft_entry(raft, index);
    if (index < shadow->config_last || index > gd_raft_last(raft).index ||
        (entry != NULL && entry->type != GD_ENTRY_CONFIG) ||
        (index <= snapshot->position.index && index != snapshot->config_index)) {
        gd_sim__violated(checks, "membership",
                         "on node %u the configuration of entry %" PRIu64
                         " is in force; the last one of its log is at %" PRIu64
                         ", that of its snapshot (at %" PRIu64 ") at %" PRIu64,
                         id, index, shadow->config_last, snapshot->position.index,
                         snapshot->config_index);
    }
}

/* Two nodes that know the same configuration to be committed mean the same members. */
static void look_at_agreement(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    gd_index index;
    const struct gd_config *config = gd_raft_config_at(raft, gd_raft_commit(raft), &index);
    struct known_config *known = &checks->configs[index % KNOWN_CONFIG_COUNT];
    uint32_t crc = 0;
    if (index == 0 || index > gd_raft_commit(raft)) {
        return;
    }
    for (uint32_t i = 0; i < config->count; i++) {
        const uint64_t member[2] = {config->members[i].id, config->members[i].roles};
        crc = gd_crc32c(crc, member, sizeof member);
    }
    if (known->index == index && known->crc != crc) {
        gd_sim__violated(checks, "membership",
                         "nodes %u and %u take different members for those of entry %" PRIu64,
                         known->node, id, index);
    }
    *known = (struct known_config){index, crc, id};
}

/* A leader changes the members only when the last change is committed, and an entry of its own term
 * is (thesis 4.1): before, another change may be on its way that it does not know of. */
static void look_at_change(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                           gd_index index, gd_index before)
{
    const struct shadow *shadow = &checks->shadows[id];
    gd_index commit = gd_raft_commit(raft);
    gd_term term = gd_raft_term(raft);
    if (gd_raft_role(raft) != GD_ROLE_LEADER || !shadow->led || shadow->term != term ||
        gd_raft_term_at(raft, index) != term) {
        return;
    }
    if (before > commit || gd_raft_term_at(raft, commit) != term) {
        gd_sim__violated(checks, "one change at a time",
                         "node %u, leader of term %" PRIu64
                         ", changed the members by entry %" PRIu64 " when %s",
                         id, term, index,
                         before > commit ? "the change before was not committed"
                                         : "it had committed nothing in its term");
    }
}

void gd_sim__note_version(struct gd_sim_checks *checks, unsigned from, unsigned to,
                          struct gd_slice frame)
{
    struct gd_message m;
    size_t consumed;
    if (gd_message_decode(frame, frame.size, &consumed, &m) == GD_OK) {
        uint16_t *said = &checks->shadows[to].said[from];
        *said =
            m.hello.version > *said ? m.hello.version : *said; /* An earlier start's comes late. */
        gd_message_release(&m);
    }
}

/* What an older version cannot read is written once each member is known to read it, and who has
 * not been heard since the start is not: it may be of any version. */
static void look_at_reach(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                          gd_index index, const struct gd_config *previous,
                          const struct gd_config *config)
{
    const struct shadow *shadow = &checks->shadows[id];
    gd_term term = gd_raft_term(raft);
    if (gd_raft_role(raft) != GD_ROLE_LEADER || gd_raft_term_at(raft, index) != term ||
        gd_config_version(config) < 2 || gd_config_version(previous) >= 2) {
        return;
    }
    for (uint32_t i = 0; i < previous->count; i++) {
        gd_node_id peer = previous->members[i].id;
        if (peer != id && peer <= GD_SIM_NODES_MAX && shadow->said[peer] < 2) {
            gd_sim__violated(checks, "versions",
                             "node %u, leader of term %" PRIu64 ", writes entry %" PRIu64
                             ", which version 1 cannot read; node %" PRIu64
                             " has not told this start of it that it reads version 2",
                             id, term, index, peer);
        }
    }
}

/* Does a member become a voter by itself, having caught up? */
static bool promotes(const struct gd_config *previous, const struct gd_config *config)
{
    for (uint32_t i = 0; i < previous->count; i++) {
        const struct gd_member *now = gd_config_find(config, previous->members[i].id);
        if ((previous->members[i].roles & GD_MEMBER_JOINING) != 0 && now != NULL &&
            (now->roles & GD_MEMBER_VOTER) != 0) {
            return true;
        }
    }
    return false;
}

/* A joint configuration acts at once. One that those who answer today cannot carry is never
 * committed, and nobody can undo it: so no order begins one, but by FORCE, which no order here
 * makes use of but those that are refused anyway. */
static void look_at_support(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                            gd_index index, const struct gd_config *previous,
                            const struct gd_config *config)
{
    const struct shadow *shadow = &checks->shadows[id];
    struct gd_config after = *config;
    uint32_t heard = UINT32_C(1) << id;
    if (gd_raft_role(raft) != GD_ROLE_LEADER || !shadow->led ||
        shadow->term != gd_raft_term(raft) || gd_raft_term_at(raft, index) != shadow->term ||
        !gd_config_joint(config) || promotes(previous, config)) {
        return;
    }
    for (uint32_t i = 0; i < after.count; i++) {
        unsigned peer = (unsigned)after.members[i].id;
        after.members[i].roles &= ~GD_MEMBER_OUTGOING;
        if (gd_sim__has_heard(checks, id, peer, shadow->term, checks->plan->election_timeout)) {
            heard |= UINT32_C(1) << peer;
        }
    }
    if (!gd_sim_quorum(&after, heard)) {
        gd_sim__violated(checks, "changes can be carried",
                         "node %u, leader of term %" PRIu64 ", begins a change by entry %" PRIu64
                         "; of the voters behind it no majority answers",
                         id, shadow->term, index);
    }
}

/* Does one of them leave, or take the other's place? */
static bool takes_over(const struct gd_member *a, const struct gd_member *b)
{
    uint32_t stays = GD_MEMBER_VOTER | GD_MEMBER_LEARNER;
    return a->replaces == b->id || b->replaces == a->id || (a->roles & stays) == 0 ||
           (b->roles & stays) == 0;
}

/* Who is at an address is one member: two would be two votes of one. */
static void look_at_addresses(struct gd_sim_checks *checks, unsigned id, gd_index index,
                              const struct gd_config *config)
{
    for (uint32_t i = 0; i < config->count; i++) {
        for (uint32_t k = i + 1; k < config->count; k++) {
            const struct gd_member *a = &config->members[i], *b = &config->members[k];
            if (strcmp(a->address.text, b->address.text) == 0 && !takes_over(a, b)) {
                gd_sim__violated(checks, "membership",
                                 "on node %u, by entry %" PRIu64 ", nodes %" PRIu64 " and %" PRIu64
                                 " are members at one address, %s",
                                 id, index, a->id, b->id, a->address.text);
            }
        }
    }
}

/* An order makes a voter only of a learner whom entries reach as they come (thesis 4.2.1). */
static void look_at_promoted(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                             const struct gd_member *old, const struct gd_member *now)
{
    struct gd_member_status status = {0};
    uint32_t learns = GD_MEMBER_VOTER | GD_MEMBER_OUTGOING | GD_MEMBER_LEARNER | GD_MEMBER_JOINING;
    if (checks->shadows[id].led && now != NULL && (now->roles & GD_MEMBER_VOTER) != 0 &&
        (old->roles & learns) == GD_MEMBER_LEARNER && gd_raft_progress(raft, old->id, 0, &status) &&
        status.state != GD_PROGRESS_REPLICATE) {
        gd_sim__violated(checks, "voters have caught up",
                         "node %u makes node %" PRIu64 " a voter, a learner that it %s", id,
                         old->id,
                         status.state == GD_PROGRESS_SNAPSHOT ? "sends a snapshot" : "looks for");
    }
}

/* No quorum waits for who has nothing yet: nobody begins as a voter, and whoever joins has the
 * entry by which it does. */
static void look_at_newcomers(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                              const struct gd_config *previous, gd_index before,
                              const struct gd_config *config)
{
    for (uint32_t i = 0; i < config->count && previous->count > 0; i++) {
        const struct gd_member *now = &config->members[i];
        if ((now->roles & GD_MEMBER_VOTER) != 0 && gd_config_find(previous, now->id) == NULL) {
            gd_sim__violated(checks, "voters have caught up",
                             "on node %u node %" PRIu64
                             " is a voter at once by the change behind entry %" PRIu64,
                             id, now->id, before);
        }
    }
    for (uint32_t i = 0; i < previous->count; i++) {
        const struct gd_member *old = &previous->members[i];
        const struct gd_member *now = gd_config_find(config, old->id);
        look_at_promoted(checks, id, raft, old, now);
        gd_index joined = old->id < GD_COUNT(checks->joined) ? checks->joined[old->id] : 0;
        struct gd_position needed = {gd_raft_term_at(raft, joined), joined};
        if (gd_raft_role(raft) == GD_ROLE_LEADER && checks->shadows[id].led && now != NULL &&
            (old->roles & GD_MEMBER_JOINING) != 0 && (now->roles & GD_MEMBER_VOTER) != 0 &&
            !checks->shadows[old->id].damaged && needed.term != 0 &&
            !gd_sim__holds(checks, (unsigned)old->id, needed)) {
            gd_sim__violated(checks, "voters have caught up",
                             "node %u makes node %" PRIu64
                             " a voter, whose disk does not hold entry %" PRIu64
                             ", by which it joins",
                             id, old->id, joined);
        }
    }
}

/* Whose own log says that it was removed has given its last answers soon, and goes: nobody else
 * need be left to tell it, and whoever serves on serves a cluster that it is no part of. What
 * counts is the time in which it could act: of a process that stood still each look is worth a
 * little. */
void gd_sim__look_at_removed(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node)
{
    const struct gd_raft *raft = gd_node_raft(node);
    struct shadow *shadow = &checks->shadows[id];
    gd_time_ns now = checks->clock(checks->context, id);
    gd_index index;
    const struct gd_config *committed = gd_raft_config_at(raft, gd_raft_commit(raft), &index);
    bool removed = gd_config_version(committed) >= 2 && gd_config_find(committed, id) == NULL &&
                   id <= gd_config_highest(committed);
    if (!removed || gd_raft_role(raft) == GD_ROLE_LEADER || gd_node_closing(node)) {
        shadow->stayed = shadow->stayed || !removed;
        shadow->removed_for = 0;
        shadow->removed_seen = now;
        return;
    }
    gd_time_ns passed = now - shadow->removed_seen;
    gd_time_ns most = checks->plan->election_timeout / 4;
    shadow->removed_for += passed < most ? passed : most;
    shadow->removed_seen = now;
    if (shadow->stayed && shadow->removed_for > 4 * checks->plan->election_timeout) {
        gd_sim__violated(checks, "membership",
                         "node %u runs on, though it knows by its own log, since 4 election "
                         "timeouts, that it was removed",
                         id);
    }
}

/* All that are committed up to `commit` and newer than those known, the oldest first. */
static void follow_members(struct gd_sim_checks *checks, const struct gd_raft *raft,
                           gd_index commit)
{
    gd_index index;
    const struct gd_config *config = gd_raft_config_at(raft, commit, &index);
    if (index <= checks->members_index || index > commit) {
        return;
    }
    if (index > 0) {
        follow_members(checks, raft, index - 1);
    }
    gd_sim__committed_members(checks, config, index);
}

/* Of two configurations that follow each other in a log either may decide, as long as some have the
 * one and some the other: no two quorums of them may decide apart. */
void gd_sim__look_at_config(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft)
{
    struct shadow *shadow = &checks->shadows[id];
    gd_index index = gd_raft_config_index(raft);
    gd_index seen = shadow->config_index, before;
    const struct gd_config *config = gd_raft_config(raft);
    if (index != seen || gd_raft_commit(raft) != shadow->commit_looked) {
        look_at_agreement(checks, id, raft);
        shadow->commit_looked = gd_raft_commit(raft);
    }
    look_at_source(checks, id, raft);
    if (gd_raft_role(raft) == GD_ROLE_LEADER && index <= gd_raft_commit(raft) &&
        gd_raft_term_at(raft, gd_raft_commit(raft)) == gd_raft_term(raft) &&
        !gd_config_votes(config, id)) {
        gd_sim__violated(checks, "leaders vote",
                         "node %u leads term %" PRIu64 ", and is no voter by entry %" PRIu64
                         ", which it has committed",
                         id, gd_raft_term(raft), index);
    }
    shadow->config_index = index;
    shadow->members = 0;
    for (uint32_t i = 0; i < config->count; i++) {
        shadow->members |= UINT32_C(1) << config->members[i].id;
    }
    while (index > seen) {
        const struct gd_config *previous = gd_raft_config_at(raft, index - 1, &before);
        if (before >= index) {
            break; /* A snapshot's: what was before it is not known here. */
        }
        look_at_change(checks, id, raft, index, before);
        look_at_reach(checks, id, raft, index, previous, config);
        look_at_support(checks, id, raft, index, previous, config);
        look_at_addresses(checks, id, index, config);
        look_at_newcomers(checks, id, raft, previous, before, config);
        if (!gd_sim_quorums_meet(previous, config)) {
            gd_sim__violated(checks, "quorums meet",
                             "on node %u the configuration at %" PRIu64
                             " follows the one at %" PRIu64
                             ", and a quorum of each can decide without the other",
                             id, index, before);
            return;
        }
        index = before;
        config = previous;
    }
    follow_members(checks, raft, gd_raft_commit(raft));
}

/* Configurations that do not follow each other may be in force at once, on a node that was cut off
 * long ago, say. What must not be is that both could still decide. */
void gd_sim__look_at_elections(struct gd_sim_checks *checks, unsigned id,
                               const struct gd_raft *raft, bool changed)
{
    struct gd_sim_voice voices[GD_SIM_NODES_MAX + 1] = {{false, false, {0, 0}, {0, 0}}};
    struct shadow *shadow = &checks->shadows[id];
    struct gd_sim_voters voters = gd_sim_voters_of(gd_raft_config(raft));
    unsigned total = gd_sim_plan_total(checks->plan), one, other;
    if (voters.incoming != shadow->voters.incoming || voters.outgoing != shadow->voters.outgoing) {
        shadow->voters = voters;
        changed = true;
        checks->differ = false;
        for (unsigned i = 1; i <= total; i++) {
            const struct gd_sim_voters *theirs = &checks->shadows[i].voters;
            checks->differ =
                checks->differ || (theirs->incoming != 0 && (theirs->incoming != voters.incoming ||
                                                             theirs->outgoing != voters.outgoing));
        }
    }
    if (!changed || !checks->differ) {
        return;
    }
    for (unsigned i = 1; i <= total; i++) {
        const struct shadow *of = &checks->shadows[i];
        uint32_t bit = UINT32_C(1) << i;
        voices[i].votes = !of->damaged;
        voices[i].campaigns =
            of->running && !of->damaged && ((of->voters.incoming | of->voters.outgoing) & bit) != 0;
        voices[i].last = of->running ? of->last : of->stored;
        voices[i].set = of->voters;
    }
    if (!gd_sim_elections_meet(voices, total, &one, &other)) {
        gd_sim__violated(
            checks, "quorums meet",
            "nodes %u and %u could both be elected now, by quorums of their configurations "
            "that share nobody",
            one, other);
    }
}
