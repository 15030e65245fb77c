/* membership.c - the configuration in force, and its changes by joint consensus.
 *
 * Sources: paper section 6, thesis 4.1 (one change, after an own-term commit), 4.3.
 *
 * A configuration acts from the moment its entry is in the log and is rolled back when the entry
 * is. A change of voters goes through a joint configuration: members carry VOTER (incoming),
 * OUTGOING or both, and what needs a majority needs one of each. When the joint one is committed
 * the leader appends the new one by itself.
 *
 * A new voter is a learner first, so that no quorum waits for whoever has nothing yet (thesis
 * 4.2.1). The leader sends it the log in rounds, each up to where the log ended when the round
 * began; a round shorter than an election timeout shows that it keeps up, and the leader changes
 * the voters by itself. Who is to take another's place waits so, too; the other leaves in the same
 * change, and has its vote until then.
 *
 * Invariants
 *   G1. `configs` holds, oldest first, the one in force at the snapshot and those of later entries.
 *   G2. A change begins only when the last one is committed, is not joint, and the leader has
 * committed an entry of its own term (the single-server bug of 2015).
 *   G3. An id that was a member's and is none now is never one again: who knows it so, even by an
 * old configuration that was committed, knows it for ever. Version 1 of the format has no word for
 * the highest id used: until version 2 is written, what this start has seen of the log stands in.
 *   G4. No configuration is written that a member could not read: version 2 of the format only when
 * all have said that they speak it, or have read one already. */
#include "engine/raft_internal.h"
#include "engine/memory.h"

static void push(struct gd_raft *raft, gd_index index, const struct gd_config *config)
{
    if (raft->config_count == raft->config_capacity) {
        raft->config_capacity = raft->config_capacity == 0 ? 4 : raft->config_capacity * 2;
        raft->configs = gd_realloc(raft->configs, raft->config_capacity * sizeof raft->configs[0]);
    }
    raft->configs[raft->config_count++] = (struct gd__config_at){.index = index, .config = *config};
    if (gd_config_highest(config) > raft->id_highest) {
        raft->id_highest = gd_config_highest(config);
    }
}

static bool has_joining(const struct gd_config *config)
{
    for (uint32_t i = 0; i < config->count; i++) {
        if ((config->members[i].roles & GD_MEMBER_JOINING) != 0) {
            return true;
        }
    }
    return false;
}

static void in_force(struct gd_raft *raft)
{
    raft->joining = has_joining(gd__raft_config(raft));
    if (raft->effects != NULL) {
        raft->effects->config_changed = true;
    }
    if (raft->role == GD_ROLE_LEADER) {
        gd__replication_follow_config(raft);
    } else if (raft->role != GD_ROLE_FOLLOWER) {
        /* Ballots are by the old one's places. */
        gd__raft_become_follower(raft, raft->hard_state.term, raft->leader);
    }
}

void gd__membership_init(struct gd_raft *raft, const struct gd_snapshot_meta *meta)
{
    raft->config_count = 0;
    push(raft, meta->config_index, &meta->config);
    raft->joining = has_joining(&meta->config);
}

void gd__membership_appended(struct gd_raft *raft, const struct gd_entry *entry)
{
    struct gd_config config;

    if (entry->type != GD_ENTRY_CONFIG ||
        gd_config_decode((struct gd_slice){entry->data, entry->size}, &config) != GD_OK) {
        return;
    }
    push(raft, entry->position.index, &config);
    in_force(raft);
}

void gd__membership_truncated(struct gd_raft *raft, gd_index from)
{
    bool changed = false;

    while (raft->config_count > 1 && raft->configs[raft->config_count - 1].index >= from) {
        GD_REACHED("configuration rolled back with its entry");
        raft->config_count--;
        changed = true;
    }
    if (changed) {
        in_force(raft);
    }
}

void gd__membership_compacted(struct gd_raft *raft, gd_index to)
{
    size_t drop = 0;

    while (drop + 1 < raft->config_count && raft->configs[drop + 1].index <= to) {
        drop++;
    }
    if (drop > 0) {
        raft->config_count -= drop;
        memmove(raft->configs, raft->configs + drop, raft->config_count * sizeof raft->configs[0]);
    }
}

/* ---------------------------------------------------------------- changes */

static bool same_voters(const struct gd_config *a, const struct gd_config *b)
{
    for (int side = 0; side < 2; side++) {
        const struct gd_config *x = side == 0 ? a : b, *y = side == 0 ? b : a;
        for (uint32_t i = 0; i < x->count; i++) {
            const struct gd_member *other = gd_config_find(y, x->members[i].id);
            bool votes = (x->members[i].roles & GD_MEMBER_VOTER) != 0;
            if (votes && (other == NULL || (other->roles & GD_MEMBER_VOTER) == 0)) {
                return false;
            }
        }
    }
    return true;
}

/* Members of both; the present voters are outgoing. False: too many. */
static bool join(const struct gd_config *now, const struct gd_config *next, struct gd_config *joint)
{
    *joint = *next;
    for (uint32_t i = 0; i < now->count; i++) {
        const struct gd_member *old = &now->members[i];
        const struct gd_member *known = gd_config_find(next, old->id);
        struct gd_member member = known != NULL ? *known : *old;
        if ((old->roles & GD_MEMBER_VOTER) == 0) {
            continue;
        }
        if (known == NULL) {
            member.roles = 0;
        }
        member.roles |= GD_MEMBER_OUTGOING;
        if (gd_config_put(joint, &member) != GD_OK) {
            return false;
        }
    }
    return true;
}

/* May the next configuration be of version 2? Whoever is in force has read what is in force. */
static bool lives_are_read(const struct gd_raft *raft)
{
    return raft->config_version >= 2 || gd_config_version(gd__raft_config(raft)) >= 2;
}

static gd_index append_config(struct gd_raft *raft, const struct gd_config *wanted)
{
    struct gd_config config = *wanted;
    struct gd_bytes bytes = {0};
    struct gd_entry *entry;
    gd_index index;

    if (!lives_are_read(raft)) {
        GD_REACHED("configuration written for members of an older version");
        gd_config_simplify(&config);
        GD_ASSERT(gd_config_version(&config) == 1); /* G4 */
    }
    gd_config_encode(&config, &bytes);
    entry = gd_entry_new(GD_ENTRY_CONFIG, bytes.data, bytes.size);
    gd_bytes_release(&bytes);
    index = gd__raft_lead_append(raft, entry);
    gd__replication_all(raft);
    return index;
}

static const char *reason_against(const struct gd_raft *raft, const struct gd_config *next)
{
    const struct gd_config *now = gd__raft_config(raft);
    bool voter = false;

    if (has_joining(next) && !lives_are_read(raft)) {
        GD_REACHED("membership change refused: a member could not read it");
        return "a member speaks an older version, or was not heard of yet: upgrade it first, or "
               "add "
               "the new one as LEARNER and PROMOTE it"; /* G4 */
    }
    for (uint32_t i = 0; i < next->count; i++) {
        const struct gd_member *member = &next->members[i];
        voter = voter || (member->roles & GD_MEMBER_VOTER) != 0;
        if ((member->roles & GD_MEMBER_OUTGOING) != 0) {
            return "a joint configuration cannot be asked for";
        }
        if (gd_config_find(now, member->id) == NULL && member->id <= raft->id_highest) {
            GD_REACHED("membership change refused: an id used before"); /* G3 */
            return "ids are used once: take one above every id that the cluster ever had";
        }
    }
    return voter ? NULL : "no voter would be left";
}

/* G2. */
static bool settled(const struct gd_raft *raft)
{
    return raft->configs[raft->config_count - 1].index <= raft->commit &&
           !gd_config_joint(gd__raft_config(raft)) && raft->commit >= raft->term_start;
}

/* Returns   The index of the entry; 0: `*reason` is in the way. */
static gd_index begin_change(struct gd_raft *raft, const struct gd_config *next,
                             const char **reason)
{
    const struct gd_config *now = gd__raft_config(raft);
    struct gd_config wanted = *next, joint;

    *reason = reason_against(raft, next);
    wanted.highest = raft->id_highest;
    wanted.highest = gd_config_highest(&wanted);
    if (*reason != NULL) {
        return 0;
    }
    if (same_voters(now, next)) {
        return append_config(raft, &wanted);
    }
    if (!join(now, &wanted, &joint)) {
        *reason = "the joint configuration would be too large";
        return 0;
    }
    GD_REACHED("joint configuration entered");
    return append_config(raft, &joint);
}

void gd__membership_change(struct gd_raft *raft, const struct gd_config *next)
{
    struct gd_raft_effects *effects = raft->effects;
    const char *reason;

    if (raft->role != GD_ROLE_LEADER || raft->transfer_target != 0) {
        effects->result = GD_ERR_NOT_LEADER;
        return;
    }
    if (!settled(raft)) {
        GD_REACHED("membership change refused: another is under way");
        effects->result = GD_ERR_BUSY;
        return;
    }
    effects->first_index = begin_change(raft, next, &reason);
    if (effects->first_index == 0) {
        effects->result = GD_ERR_INVALID;
        effects->refusal = reason;
    }
}

/* Has it kept up for a whole round? */
static bool caught_up(struct gd_raft *raft, struct gd__progress *p)
{
    bool kept_up;

    if (p->state != GD_PROGRESS_REPLICATE || (p->goal != 0 && p->match < p->goal)) {
        return false;
    }
    kept_up = p->goal != 0 && raft->now - p->goal_ns < raft->options.election_timeout_ns;
    if (!kept_up) {
        p->goal = raft->log.last;
        p->goal_ns = raft->now;
    }
    return kept_up;
}

void gd__membership_promote(struct gd_raft *raft)
{
    const struct gd_config *now;
    struct gd_config next;
    const char *reason;
    bool any = false;

    if (!raft->joining || raft->role != GD_ROLE_LEADER || raft->transfer_target != 0 ||
        !settled(raft)) {
        return;
    }
    now = gd__raft_config(raft);
    next = *now;
    for (uint32_t i = 0; i < now->count; i++) {
        struct gd_member member = now->members[i];
        struct gd__progress *p = gd__replication_find(raft, member.id);
        if ((member.roles & GD_MEMBER_JOINING) != 0 && p != NULL && caught_up(raft, p)) {
            if (member.replaces != 0) {
                GD_REACHED("caught up in another member's place");
                gd_config_remove(&next, member.replaces);
            }
            member.roles = GD_MEMBER_VOTER;
            member.replaces = 0;
            any = any || gd_config_put(&next, &member) == GD_OK;
        }
    }
    if (any && begin_change(raft, &next, &reason) != 0) {
        GD_REACHED("learner promoted: it has caught up");
    }
}

void gd__membership_committed(struct gd_raft *raft)
{
    const struct gd_config *now = gd__raft_config(raft);

    if (raft->configs[raft->config_count - 1].index > raft->commit ||
        raft->commit < raft->term_start) {
        return;
    }
    if (gd_config_joint(now)) {
        struct gd_config next = {.highest = raft->id_highest};
        for (uint32_t i = 0; i < now->count; i++) {
            struct gd_member member = now->members[i];
            member.roles &= ~GD_MEMBER_OUTGOING;
            if (member.roles != 0) {
                GD_ASSERT(gd_config_put(&next, &member) == GD_OK);
            }
        }
        GD_REACHED("joint configuration left");
        (void)append_config(raft, &next);
        gd__replication_commit(raft); /* Fewer may suffice now. */
    } else if (!gd_config_votes(now, raft->options.id)) {
        GD_REACHED("leader outside the new configuration stepped down");
        gd__election_hand_over(raft);
        gd__raft_become_follower(raft, raft->hard_state.term, 0);
    }
}
