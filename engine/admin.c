/* admin.c - requests to the node itself: take a snapshot, hand leadership over, change the members.
 *
 * One at a time; each is answered when it is done, or says what is in the way. A refused one
 * changes nothing.
 *
 * A change of members that those who answer today could not carry is refused: its joint
 * configuration would act at once, never be committed, and leave nobody who could undo it. FORCE
 * goes on, for who knows that the others come back. This asks once, before the change; a node
 * that falls silent later is what quorums are for. It is no rule of safety.
 *
 * Who is to be at a new address is knocked at first: a typing error shows then, and not as a member
 * that never comes. Adding a voter answers when it is one; that may take long, so what time cuts
 * short is told as what it is: begun, and going on by itself.
 *
 * The leader also keeps the configuration's record of lives (config.h): whoever it has heard of for
 * the first time is entered, all at once where it can. It does so between the changes that are
 * asked for, and these wait for it. */
#include "engine/node_internal.h"
#include "engine/quorum.h"

enum { PROBE_MS = 2000, PROBE_AGAIN_MS = 100, PROMOTE_LAG_MAX = 1 << 20 };

static bool is_change(enum gd_admin_kind kind)
{
    return kind != GD_ADMIN_SNAPSHOT && kind != GD_ADMIN_TRANSFER;
}

/* A new member, or a new place of one: somebody should be there. */
static bool has_address(enum gd_admin_kind kind)
{
    return kind == GD_ADMIN_ADD || kind == GD_ADMIN_REPLACE || kind == GD_ADMIN_MOVE;
}

static void finish(struct gd_node *node, enum gd_outcome_kind kind, const char *text)
{
    struct gd__admin_wait wait = node->admin;

    node->admin = (struct gd__admin_wait){0};
    gd__admin_probe_close(node); /* Its time may be over before that of the search. */
    if (wait.slot != NULL) {
        gd__slot_outcome(wait.slot, kind, text);
    } else if (kind == GD_OUTCOME_DONE) {
        gd__node_log(node, GD_LOG_INFO, "node %llu at %s joined", (unsigned long long)wait.admin.id,
                     wait.admin.address.text);
    } else {
        gd__node_log(node, GD_LOG_WARNING, "node %llu at %s is to join: %s",
                     (unsigned long long)wait.admin.id, wait.admin.address.text, text);
    }
}

bool gd__admin_busy(const struct gd_node *node)
{
    return node->admin.active || node->probe.open;
}

static void begin_snapshot(struct gd_node *node, struct gd__slot *slot)
{
    struct gd__snapshots *s = &node->snapshots;

    if (s->waiting_count == GD_COUNT(s->waiting)) {
        gd__slot_outcome(slot, GD_OUTCOME_BUSY, "too many wait for a snapshot");
        return;
    }
    if (node->apply.away) {
        gd__slot_outcome(slot, GD_OUTCOME_DATABASE, "the database of this node is away");
        return;
    }
    if (node->phase != GD__SERVING) {
        gd__slot_outcome(slot, GD_OUTCOME_STOPPING, "the node is stopping");
        return;
    }
    s->waiting[s->waiting_count++] = slot;
    gd__node_kick(node);
}

/* Where orders are taken. `room` holds the text. */
static const char *leader_of(const struct gd_node *node, struct gd_error *room)
{
    gd_node_id leader = gd_raft_leader(node->raft);
    const struct gd__peer *peer = gd__peer_find(node, leader);

    if (leader == node->identity.node_id) {
        return "leadership is being handed over; ask again";
    }
    if (leader == 0) {
        return "this node does not lead, and knows of nobody who does; ask again";
    }
    (void)gd_error_set(room, GD_ERR_NOT_LEADER, "this node does not lead; ask node %llu%s%s",
                       (unsigned long long)leader,
                       peer != NULL && peer->client_address.text[0] != '\0' ? ", for clients at "
                                                                            : "",
                       peer != NULL ? peer->client_address.text : "");
    return room->text;
}

static const char *refusal_of(const struct gd_node *node, const struct gd_raft_effects *effects,
                              struct gd_error *room)
{
    switch (effects->result) {
    case GD_ERR_NOT_LEADER:
        return leader_of(node, room);
    case GD_ERR_BUSY:
        return "another change is under way; try again when it is done";
    default:
        return effects->refusal;
    }
}

/* Who takes a voter's place is a learner first (thesis 4.2.1); the core does the rest. A learner's
 * is taken at once. */
static bool replacement(const struct gd_config *now, const struct gd_admin *admin,
                        const struct gd_member *known, struct gd_config *next, const char **why)
{
    struct gd_member member = {.id = admin->other, .address = admin->address};

    if (gd_config_find(now, admin->other) != NULL) {
        *why = "a member has the new id";
        return false;
    }
    for (uint32_t i = 0; i < now->count; i++) {
        if (now->members[i].replaces == admin->id) {
            *why = "another is to take its place already; REMOVE that one to call it off";
            return false;
        }
    }
    if ((known->roles & GD_MEMBER_VOTER) != 0) {
        member.roles = GD_MEMBER_LEARNER | GD_MEMBER_JOINING | GD_MEMBER_REPLACING;
        member.replaces = admin->id;
    } else {
        member.roles = known->roles;
        member.replaces = known->replaces;
        gd_config_remove(next, admin->id);
    }
    *why = "the cluster is at its largest";
    return gd_config_put(next, &member) == GD_OK;
}

/* Two members at one address would be two votes of one node. Who is to take another's place may be
 * where that one was. */
static bool is_taken(const struct gd_config *now, const struct gd_admin *admin)
{
    bool names_one = admin->kind == GD_ADMIN_ADD || admin->kind == GD_ADMIN_REPLACE ||
                     admin->kind == GD_ADMIN_MOVE;

    for (uint32_t i = 0; i < now->count && names_one; i++) {
        const struct gd_member *member = &now->members[i];
        if (member->id != admin->id && strcmp(member->address.text, admin->address.text) == 0) {
            return true;
        }
    }
    return false;
}

/* The configuration that an admin request asks for. False: `*why` says what is in the way. */
static bool next_config(struct gd_node *node, const struct gd_admin *admin, struct gd_config *next,
                        const char **why)
{
    const struct gd_config *now = gd_raft_config(node->raft);
    const struct gd_member *known = gd_config_find(now, admin->id);
    struct gd_member member = {.id = admin->id, .address = admin->address};

    *next = *now;
    *why = "ids are used once: take one above every id that the cluster ever had";
    if ((admin->kind == GD_ADMIN_ADD && known == NULL &&
         admin->id <= gd_raft_id_highest(node->raft)) ||
        (admin->kind == GD_ADMIN_REPLACE && gd_config_find(now, admin->other) == NULL &&
         admin->other <= gd_raft_id_highest(node->raft))) {
        return false; /* The core says so, too; but nobody is knocked at before. */
    }
    *why = "there is no such member";
    if (admin->kind != GD_ADMIN_ADD && known == NULL) {
        return false;
    }
    *why = "a member is at this address";
    if (is_taken(now, admin)) {
        GD_REACHED("membership change refused: a member is at this address");
        return false;
    }
    switch (admin->kind) {
    case GD_ADMIN_ADD:
        *why = "a member has this id";
        member.roles = GD_MEMBER_LEARNER | (admin->learner ? 0 : GD_MEMBER_JOINING);
        return known == NULL && gd_config_put(next, &member) == GD_OK;
    case GD_ADMIN_PROMOTE:
        *why = "it takes another's place by itself as soon as it has caught up; REMOVE it to call "
               "that off";
        member = *known;
        member.roles = GD_MEMBER_VOTER;
        if (known->replaces != 0) {
            return false;
        }
        break;
    case GD_ADMIN_REMOVE:
        gd_config_remove(next, admin->id);
        return true;
    case GD_ADMIN_REPLACE:
        return replacement(now, admin, known, next, why);
    case GD_ADMIN_MOVE:
        member = *known;
        member.address = admin->address;
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
    uint64_t boot;

    if (member->id == node->identity.node_id) {
        return true;
    }
    /* The core counts its silence from when it began to ask; that it is there, it says itself. */
    (void)gd_raft_match(node->raft, member->id, &boot);
    if (boot == 0) {
        return false;
    }
    /* Who is new, or is to be elsewhere, has not answered from there, unless it says that it is. */
    return known != NULL && peer != NULL && peer->state == GD__PEER_UP &&
           (strcmp(known->address.text, member->address.text) == 0 ||
            strcmp(peer->said_address.text, member->address.text) == 0) &&
           gd_raft_progress(node->raft, member->id, gd_io_now(node->io), &row) &&
           row.last_contact_ns < node->options.election_timeout_ms * GD_NS_PER_MS;
}

/* Of the configuration that a change leads to. Who takes a voter's place has caught up by then, and
 * so has answered: the core begins no joint change before. */
static bool majority_answers(struct gd_node *node, const struct gd_admin *admin,
                             const struct gd_config *next)
{
    const struct gd_member *fresh = gd_config_find(next, admin->other);
    struct gd_config config = *next;
    bool yes[GD_MEMBERS_MAX] = {false};

    if (admin->kind == GD_ADMIN_REPLACE && fresh != NULL && fresh->replaces == admin->id) {
        struct gd_member member = {.id = fresh->id, .roles = GD_MEMBER_VOTER};
        gd_config_remove(&config, admin->id);
        GD_ASSERT(gd_config_put(&config, &member) == GD_OK);
    }
    for (uint32_t i = 0; i < config.count; i++) {
        yes[i] = (admin->kind == GD_ADMIN_REPLACE && config.members[i].id == admin->other) ||
                 answers(node, &config.members[i]);
    }
    return gd_quorum_yes(&config, yes);
}

/* Nearly: a voter that has nothing yet would keep the others from committing (thesis 4.2.1). One
 * that is a voter keeps nobody from anything new. */
static bool has_caught_up(struct gd_node *node, gd_node_id id)
{
    struct gd_member_status row = {0};

    if (gd_config_votes(gd_raft_config(node->raft), id)) {
        return true;
    }
    return gd_raft_progress(node->raft, id, gd_io_now(node->io), &row) &&
           row.state == GD_PROGRESS_REPLICATE && row.lag_bytes <= PROMOTE_LAG_MAX;
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
        GD_REACHED("promotion: the member does not answer");
        return "this member does not answer; start it, or add FORCE";
    }
    if (admin->kind == GD_ADMIN_PROMOTE && !has_caught_up(node, admin->id)) {
        GD_REACHED("promotion: the member has not caught up");
        return "this member has not caught up (RAFT STATUS tells how far it is); wait, or add "
               "FORCE";
    }
    if (!majority_answers(node, admin, next)) {
        GD_REACHED("membership change: too few would answer");
        return "of the voters after this change no majority answers today; start them, or add "
               "FORCE";
    }
    return NULL;
}

/* ---------------------------------------------------------------- is anybody there? */

static bool runs(const struct gd_node *node)
{
    return node->phase == GD__SERVING || node->phase == GD__DRAINING;
}

static void on_probe_closed(struct gd_stream *stream, enum gd_err err)
{
    struct gd_node *node = stream->context;
    struct gd__probe *probe = &node->probe;

    (void)err;
    probe->open = probe->closing = false;
    if (node->admin.probing && runs(node)) { /* It may be starting. */
        gd_timer_start(node->io, &probe->again,
                       gd_io_now(node->io) + PROBE_AGAIN_MS * GD_NS_PER_MS);
    }
    gd__node_kick(node);
    gd__node_handle_closed(node);
}

static void hang_up(struct gd_node *node)
{
    if (node->probe.open && !node->probe.closing) {
        node->probe.closing = true;
        gd_stream_close(&node->probe.stream, on_probe_closed);
    }
}

void gd__admin_probe_close(struct gd_node *node)
{
    gd_timer_stop(node->io, &node->probe.timer);
    gd_timer_stop(node->io, &node->probe.again);
    hang_up(node);
}

static void probed(struct gd_node *node, bool there)
{
    bool asked = node->admin.probing;

    node->admin.probing = false;
    gd__admin_probe_close(node);
    if (!asked || node->phase == GD__CLOSING) {
        return;
    }
    if (!there) {
        GD_REACHED("membership change refused: nobody is at the address");
        finish(node, GD_OUTCOME_REFUSED,
               node->admin.admin.kind == GD_ADMIN_MOVE
                   ? "nobody answers at this address; start the member there, or add FORCE"
                   : "nobody answers at this address; start the node there with --join, or add "
                     "FORCE");
    }
}

static void on_probe_connected(struct gd_stream *stream, enum gd_err err)
{
    struct gd_node *node = stream->context;

    if (err == GD_OK) {
        probed(node, true);
    } else {
        hang_up(node);
    }
}

static void on_probe_late(struct gd_timer *timer)
{
    probed(timer->context, false);
}

static void call(struct gd_node *node)
{
    struct gd__probe *probe = &node->probe;

    probe->stream = (struct gd_stream){.context = node};
    if (gd_stream_connect(node->io, &probe->stream, &node->admin.admin.address,
                          on_probe_connected) == GD_OK) {
        probe->open = true;
        node->handle_count++;
    } /* Else no descriptor is left: what is not found out in time is told as nobody. */
}

static void on_probe_again(struct gd_timer *timer)
{
    struct gd_node *node = timer->context;

    if (node->admin.probing && !node->probe.open && runs(node)) {
        GD_REACHED("who is to be added is looked for again");
        call(node);
    }
}

static void begin_probe(struct gd_node *node)
{
    struct gd__probe *probe = &node->probe;

    GD_ASSERT(!probe->open);
    probe->timer = (struct gd_timer){.fire = on_probe_late, .context = node};
    probe->again = (struct gd_timer){.fire = on_probe_again, .context = node};
    node->admin.probing = true;
    gd_timer_start(node->io, &probe->timer, gd_io_now(node->io) + PROBE_MS * GD_NS_PER_MS);
    call(node);
}

/* ---------------------------------------------------------------- one request */

/* One of an earlier term may have been cut with the end of that leadership, and the log not be as
 * long again for a while. */
static bool own_entry_open(const struct gd_node *node)
{
    return node->lives_index > gd_raft_commit(node->raft) &&
           node->lives_term == gd_raft_term(node->raft) &&
           gd_raft_role(node->raft) == GD_ROLE_LEADER;
}

/* Nothing is taken on until a transfer is over: one to who does not answer is not begun. */
static const char *transfer_in_the_way(struct gd_node *node, const struct gd_admin *admin)
{
    const struct gd_member *member = gd_config_find(gd_raft_config(node->raft), admin->id);

    if (gd_raft_role(node->raft) != GD_ROLE_LEADER || member == NULL || answers(node, member)) {
        return NULL; /* The core says better what speaks against it. */
    }
    GD_REACHED("transfer: the member does not answer");
    return "this member does not answer";
}

/* A member that was just added, or a leader that was just elected, may be a moment away from an
 * answer: that nobody answers is said only when a while has shown it. */
static bool may_answer_yet(const struct gd_node *node)
{
    return gd_io_now(node->io) - node->admin.begun_ns < PROBE_MS * GD_NS_PER_MS;
}

/* The request goes to the core. */
static void go(struct gd_node *node)
{
    const struct gd_admin *admin = &node->admin.admin;
    struct gd_raft_event event = {.kind = GD_RAFT_TRANSFER};
    struct gd_raft_effects effects;
    struct gd_config next;
    struct gd_error room;
    const char *why = NULL, *silent = NULL;

    if (!is_change(admin->kind)) {
        event.peer = admin->id;
        why = silent = transfer_in_the_way(node, admin);
    } else if (next_config(node, admin, &next, &why)) {
        event.kind = GD_RAFT_CHANGE;
        event.config = &next;
        why = silent = in_the_way(node, admin, &next);
    }
    if (silent != NULL && may_answer_yet(node)) {
        GD_REACHED("operator's request waits for members to answer");
        return; /* The next turn looks again. */
    }
    if (why != NULL) {
        finish(node, GD_OUTCOME_REFUSED, why);
        return;
    }
    effects = gd__node_step(node, &event);
    if (effects.result != GD_OK) {
        finish(node, GD_OUTCOME_REFUSED, refusal_of(node, &effects, &room));
        return;
    }
    node->admin.index = effects.first_index;
    node->admin.begun = true;
}

void gd__admin_begin(struct gd_node *node, struct gd__slot *slot, const struct gd_admin *admin)
{
    struct gd_config next;
    const char *why = NULL;

    if (admin->kind == GD_ADMIN_SNAPSHOT) {
        begin_snapshot(node, slot);
        return;
    }
    if (admin->kind == GD_ADMIN_BACKUP) {
        gd__backup_begin(node, slot, admin);
        return;
    }
    if (gd__admin_busy(node)) {
        gd__slot_outcome(slot, GD_OUTCOME_REFUSED, "another request of this kind is under way");
        return;
    }
    node->admin = (struct gd__admin_wait){
        .active = true, .slot = slot, .admin = *admin, .begun_ns = gd_io_now(node->io)};
    if (is_change(admin->kind) && !next_config(node, admin, &next, &why)) {
        finish(node, GD_OUTCOME_REFUSED, why);
        return;
    }
    gd__node_watch(node);
    if (has_address(admin->kind) && !admin->force && gd_raft_role(node->raft) == GD_ROLE_LEADER) {
        begin_probe(node);
    }
    if (!node->admin.probing && !own_entry_open(node)) {
        go(node);
    }
}

/* ---------------------------------------------------------------- lives */

static bool lives_missing(const struct gd_config *config)
{
    for (uint32_t i = 0; i < config->count; i++) {
        if (config->members[i].life == 0) {
            return true;
        }
    }
    return false;
}

/* May a leader enter lives now, and is there one that lacks? Asked in every turn. */
static bool lives_open(struct gd_node *node)
{
    const struct gd_config *config = gd_raft_config(node->raft);

    if (!gd_raft_leader_ready(node->raft) || own_entry_open(node) ||
        (gd__peers_version(node) < 2 && gd_config_version(config) < 2) ||
        gd_raft_config_index(node->raft) > gd_raft_commit(node->raft) || gd_config_joint(config) ||
        gd_io_now(node->io) < node->lives_after_ns) {
        return false;
    }
    if (!lives_missing(config)) {
        node->lives_ns = 0;
        return false;
    }
    return true;
}

/* Entered at once when all are known, and else when those who are have waited for an election
 * timeout. */
static void record_lives(struct gd_node *node)
{
    struct gd_config next = *gd_raft_config(node->raft);
    struct gd_raft_event event = {.kind = GD_RAFT_CHANGE, .config = &next};
    struct gd_raft_effects effects;
    bool any = false, all = true;

    for (uint32_t i = 0; i < next.count; i++) {
        struct gd_member *member = &next.members[i];
        const struct gd__peer *peer = gd__peer_find(node, member->id);
        bool self = member->id == node->identity.node_id;
        uint32_t life = self ? gd_life_of(node->identity.boot) : peer == NULL ? 0 : peer->life;
        if (member->life == 0) {
            member->life = life;
            any = any || life != 0;
            all = all && life != 0;
        }
    }
    if (!any) {
        node->lives_ns = 0;
        return;
    }
    if (node->lives_ns == 0) {
        node->lives_ns = gd_io_now(node->io);
        gd__node_watch(node);
    }
    if (!all &&
        gd_io_now(node->io) - node->lives_ns < node->options.election_timeout_ms * GD_NS_PER_MS) {
        return;
    }
    effects = gd__node_step(node, &event);
    node->lives_ns = 0;
    if (effects.result == GD_OK) {
        GD_REACHED("lives of members recorded");
        node->lives_index = effects.first_index;
        node->lives_term = gd_raft_term(node->raft);
    } else { /* Leadership is being handed over, say. */
        node->lives_after_ns =
            gd_io_now(node->io) + node->options.election_timeout_ms * GD_NS_PER_MS;
    }
}

/* ---------------------------------------------------------------- time */

/* The member that an ADD or REPLACE brings. */
static const struct gd_member *fresh_member(const struct gd_node *node)
{
    const struct gd_admin *admin = &node->admin.admin;
    bool add = admin->kind == GD_ADMIN_ADD;

    return add || admin->kind == GD_ADMIN_REPLACE
               ? gd_config_find(gd_raft_config(node->raft), add ? admin->id : admin->other)
               : NULL;
}

/* The change's entry is committed, and no other is under way. */
static bool at_rest(const struct gd_node *node)
{
    return gd_raft_commit(node->raft) >= node->admin.index &&
           gd_raft_config_index(node->raft) <= gd_raft_commit(node->raft) &&
           !gd_config_joint(gd_raft_config(node->raft));
}

/* Does the configuration say what was asked for? That its index is committed is not enough: another
 * leader's entry may stand there. */
static bool in_force(const struct gd_node *node)
{
    const struct gd_admin *admin = &node->admin.admin;
    const struct gd_member *member = gd_config_find(gd_raft_config(node->raft), admin->id);

    switch (admin->kind) {
    case GD_ADMIN_REMOVE:
        return member == NULL;
    case GD_ADMIN_PROMOTE:
        return member != NULL && (member->roles & GD_MEMBER_VOTER) != 0;
    case GD_ADMIN_MOVE:
        return member != NULL && strcmp(member->address.text, admin->address.text) == 0;
    case GD_ADMIN_REPLACE:
        return member == NULL && fresh_member(node) != NULL;
    default: /* A learner may be there by another's order. */
        return member != NULL && (admin->learner || (member->roles & GD_MEMBER_VOTER) != 0);
    }
}

/* Given up, by the core or with the leadership, it must not keep other requests waiting. */
static void look_at_transfer(struct gd_node *node)
{
    gd_node_id wanted = node->admin.admin.id; /* 0: whoever has most. */
    struct gd_raft_facts facts;

    gd_raft_facts(node->raft, &facts);
    if (gd_raft_role(node->raft) != GD_ROLE_LEADER && gd_raft_leader(node->raft) != 0) {
        if (wanted != 0 && wanted != gd_raft_leader(node->raft)) {
            GD_REACHED("leadership went to another than was asked for");
            finish(node, GD_OUTCOME_UNKNOWN, "another member took leadership over");
            return;
        }
        finish(node, GD_OUTCOME_DONE, "");
    } else if (gd_raft_role(node->raft) == GD_ROLE_LEADER && facts.transfer_target == 0) {
        GD_REACHED("transfer given up, and told");
        finish(node, GD_OUTCOME_REFUSED, "leadership was not taken over in time");
    }
}

/* A change that has been begun: is it done, or never to be? */
static void look(struct gd_node *node)
{
    const struct gd_admin *admin = &node->admin.admin;
    const struct gd_member *fresh = fresh_member(node);
    bool brings = admin->kind == GD_ADMIN_ADD || admin->kind == GD_ADMIN_REPLACE;

    if (!is_change(admin->kind)) {
        look_at_transfer(node);
    } else if (at_rest(node)) {
        if (brings && fresh == NULL) {
            GD_REACHED("new member removed before it had caught up");
            finish(node, GD_OUTCOME_UNKNOWN,
                   "the new member is none: it was removed before it had caught up, or another "
                   "leader took over before the change was committed");
        } else if (brings && (fresh->roles & GD_MEMBER_JOINING) != 0) {
            return; /* It is under way. */
        } else if (!in_force(node)) {
            GD_REACHED("change lost with the leadership, or undone");
            finish(node, GD_OUTCOME_UNKNOWN,
                   "the change is not in force: another leader took over before it was committed, "
                   "or another change undid it");
        } else {
            finish(node, GD_OUTCOME_DONE, "");
        }
    }
}

void gd__admin_pump(struct gd_node *node)
{
    struct gd__admin_wait *wait = &node->admin;

    if (wait->active && wait->begun) {
        look(node);
    } else if (wait->active && !wait->probing && !own_entry_open(node)) {
        go(node);
    }
    if (lives_open(node)) {
        record_lives(node);
    }
}

/* What time cut short. */
static void give_up(struct gd_node *node)
{
    const struct gd__admin_wait *wait = &node->admin;

    if (!wait->begun) {
        finish(node, GD_OUTCOME_REFUSED, "the time is over before it could begin: nothing changed");
    } else if (!is_change(wait->admin.kind)) {
        finish(node, GD_OUTCOME_REFUSED, "leadership was not taken over in time");
    } else if (fresh_member(node) != NULL && gd_raft_commit(node->raft) >= wait->index) {
        finish(
            node, GD_OUTCOME_UNKNOWN,
            wait->admin.kind == GD_ADMIN_ADD
                ? "the node is a member and not caught up yet: it becomes a voter by itself "
                  "(RAFT STATUS tells how far it is)"
                : "the new node is a member and not caught up yet: it takes the other's place by "
                  "itself (RAFT STATUS tells how far it is)");
    } else {
        finish(node, GD_OUTCOME_UNKNOWN, "the change is not committed yet");
    }
}

bool gd__admin_expire(struct gd_node *node, gd_time_ns now)
{
    struct gd__admin_wait *wait = &node->admin;

    if (wait->active && now - wait->begun_ns >= node->options.request_timeout_ms * GD_NS_PER_MS) {
        give_up(node);
    }
    return wait->active || node->lives_ns != 0;
}

void gd__admin_fail(struct gd_node *node)
{
    struct gd__snapshots *s = &node->snapshots;

    for (size_t i = 0; i < s->waiting_count; i++) {
        gd__slot_outcome(s->waiting[i], GD_OUTCOME_STOPPING, "the node is stopping");
    }
    s->waiting_count = 0;
    if (node->admin.active) {
        finish(node, GD_OUTCOME_UNKNOWN, "the node is stopping");
    }
}
