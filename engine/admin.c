/* admin.c - requests to the node itself: take a snapshot, hand leadership over, change the members.
 *
 * One at a time; each is answered when it is done, or says what is in the way. A refused one
 * changes nothing.
 *
 * A change of members that those who answer today could not carry is refused: its joint
 * configuration would act at once, never be committed, and leave nobody who could undo it. FORCE
 * goes on, for who knows that the others come back. This asks once, before the change; a node
 * that falls silent later is what quorums are for. It is no rule of safety. */
#include "engine/node_internal.h"
#include "engine/quorum.h"

static bool is_change(enum gd_admin_kind kind)
{
    return kind != GD_ADMIN_SNAPSHOT && kind != GD_ADMIN_TRANSFER;
}

static void finish(struct gd_node *node, enum gd_outcome_kind kind, const char *text)
{
    struct gd__slot *slot = node->admin.slot;

    node->admin = (struct gd__admin_wait){0};
    gd__slot_outcome(slot, kind, text);
}

static void begin_snapshot(struct gd_node *node, struct gd__slot *slot)
{
    struct gd__snapshots *s = &node->snapshots;

    if (s->waiting_count == GD_COUNT(s->waiting)) {
        gd__slot_outcome(slot, GD_OUTCOME_BUSY, "too many wait for a snapshot");
        return;
    }
    s->waiting[s->waiting_count++] = slot;
    gd__node_kick(node);
}

static const char *refusal_of(const struct gd_raft_effects *effects)
{
    switch (effects->result) {
    case GD_ERR_NOT_LEADER:
        return "this node does not lead; ask the leader";
    case GD_ERR_BUSY:
        return "another change is under way; try again when it is done";
    default:
        return effects->refusal;
    }
}

/* The configuration that an admin request asks for. False: `*why` says what is in the way. */
static bool next_config(struct gd_node *node, const struct gd_admin *admin, struct gd_config *next,
                        const char **why)
{
    const struct gd_config *now = gd_raft_config(node->raft);
    const struct gd_member *known = gd_config_find(now, admin->id);
    struct gd_member member = {.id = admin->id, .address = admin->address};

    *next = *now;
    *why = "there is no such member";
    if (admin->kind != GD_ADMIN_ADD && known == NULL) {
        return false;
    }
    switch (admin->kind) {
    case GD_ADMIN_ADD:
        *why = "a member has this id";
        member.roles = GD_MEMBER_LEARNER;
        return known == NULL && gd_config_put(next, &member) == GD_OK;
    case GD_ADMIN_PROMOTE:
        member = *known;
        member.roles = GD_MEMBER_VOTER;
        break;
    case GD_ADMIN_REMOVE:
        gd_config_remove(next, admin->id);
        return true;
    case GD_ADMIN_REPLACE:
        gd_config_remove(next, admin->id);
        member = (struct gd_member){
            .id = admin->other, .roles = known->roles, .address = admin->address};
        *why = "a member has the new id";
        if (gd_config_find(now, admin->other) != NULL) {
            return false;
        }
        break;
    case GD_ADMIN_MOVE:
        member.roles = known->roles;
        break;
    case GD_ADMIN_SNAPSHOT:
    case GD_ADMIN_TRANSFER:
    case GD_ADMIN_BACKUP:
        return false;
    }
    *why = "the cluster is at its largest";
    return gd_config_put(next, &member) == GD_OK;
}

/* Whether a member answers at `member`'s address, as far as this leader knows. */
static bool answers(struct gd_node *node, const struct gd_member *member)
{
    const struct gd__peer *peer = gd__peer_find(node, member->id);
    const struct gd_member *known = gd_config_find(gd_raft_config(node->raft), member->id);
    struct gd_member_status row = {0};

    if (member->id == node->identity.node_id) {
        return true;
    }
    /* Who is new, or is to be elsewhere, has not answered from there. */
    return known != NULL && strcmp(known->address.text, member->address.text) == 0 &&
           peer != NULL && peer->state == GD__PEER_UP &&
           gd_raft_progress(node->raft, member->id, gd_io_now(node->io), &row) &&
           row.last_contact_ns < node->options.election_timeout_ms * GD_NS_PER_MS;
}

static bool majority_answers(struct gd_node *node, const struct gd_config *config)
{
    bool yes[GD_MEMBERS_MAX] = {false};

    for (uint32_t i = 0; i < config->count; i++) {
        yes[i] = answers(node, &config->members[i]);
    }
    return gd_quorum_yes(config, yes);
}

static bool has_voter(const struct gd_config *config)
{
    for (uint32_t i = 0; i < config->count; i++) {
        if ((config->members[i].roles & GD_MEMBER_VOTER) != 0) {
            return true;
        }
    }
    return false;
}

/* What speaks against a change that the core would take; NULL: nothing. */
static const char *in_the_way(struct gd_node *node, const struct gd_admin *admin,
                              const struct gd_config *next)
{
    /* Only a leader knows who answers; and that no voter is left, the core says better. */
    if (admin->force || gd_raft_role(node->raft) != GD_ROLE_LEADER || !has_voter(next)) {
        return NULL;
    }
    if (admin->kind == GD_ADMIN_PROMOTE && !answers(node, gd_config_find(next, admin->id))) {
        GD_REACHED("promotion refused: the member does not answer");
        return "this member does not answer; start it, or add FORCE";
    }
    if (!majority_answers(node, next)) {
        GD_REACHED("membership change refused: too few would answer");
        return "of the voters after this change no majority answers today; start them, or add "
               "FORCE";
    }
    return NULL;
}

void gd__admin_begin(struct gd_node *node, struct gd__slot *slot, const struct gd_admin *admin)
{
    struct gd_raft_event event = {.kind = GD_RAFT_TRANSFER};
    struct gd_raft_effects effects;
    struct gd_config next;
    const char *why;

    if (admin->kind == GD_ADMIN_SNAPSHOT) {
        begin_snapshot(node, slot);
        return;
    }
    if (admin->kind == GD_ADMIN_BACKUP) {
        gd__backup_begin(node, slot, admin);
        return;
    }
    if (node->admin.slot != NULL) {
        gd__slot_outcome(slot, GD_OUTCOME_REFUSED, "another request of this kind is under way");
        return;
    }
    if (is_change(admin->kind)) {
        if (!next_config(node, admin, &next, &why)) {
            gd__slot_outcome(slot, GD_OUTCOME_REFUSED, why);
            return;
        }
        why = in_the_way(node, admin, &next);
        if (why != NULL) {
            gd__slot_outcome(slot, GD_OUTCOME_REFUSED, why);
            return;
        }
        event.kind = GD_RAFT_CHANGE;
        event.config = &next;
    } else {
        event.peer = admin->id;
    }
    effects = gd__node_step(node, &event);
    if (effects.result != GD_OK) {
        gd__slot_outcome(slot, GD_OUTCOME_REFUSED, refusal_of(&effects));
        return;
    }
    node->admin = (struct gd__admin_wait){
        .slot = slot,
        .admin = *admin,
        .begun_ns = gd_io_now(node->io),
        .index = effects.first_index,
    };
    gd__node_watch(node);
}

void gd__admin_pump(struct gd_node *node)
{
    struct gd__admin_wait *wait = &node->admin;

    if (wait->slot == NULL) {
        return;
    }
    if (!is_change(wait->admin.kind)) {
        if (gd_raft_role(node->raft) != GD_ROLE_LEADER && gd_raft_leader(node->raft) != 0) {
            finish(node, GD_OUTCOME_DONE, "");
        }
    } else if (gd_raft_commit(node->raft) >= wait->index &&
               gd_raft_config_index(node->raft) <= gd_raft_commit(node->raft) &&
               !gd_config_joint(gd_raft_config(node->raft))) {
        finish(node, GD_OUTCOME_DONE, "");
    }
}

bool gd__admin_expire(struct gd_node *node, gd_time_ns now)
{
    struct gd__admin_wait *wait = &node->admin;

    if (wait->slot != NULL &&
        now - wait->begun_ns >= node->options.request_timeout_ms * GD_NS_PER_MS) {
        finish(node, is_change(wait->admin.kind) ? GD_OUTCOME_UNKNOWN : GD_OUTCOME_REFUSED,
               is_change(wait->admin.kind) ? "the change is not committed yet"
                                           : "leadership was not taken over in time");
    }
    return wait->slot != NULL;
}

void gd__admin_fail(struct gd_node *node)
{
    struct gd__snapshots *s = &node->snapshots;

    for (size_t i = 0; i < s->waiting_count; i++) {
        gd__slot_outcome(s->waiting[i], GD_OUTCOME_STOPPING, "the node is stopping");
    }
    s->waiting_count = 0;
    if (node->admin.slot != NULL) {
        finish(node, GD_OUTCOME_UNKNOWN, "the node is stopping");
    }
}
