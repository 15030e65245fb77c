/* raft.c - the consensus: one event in, its effects out.
 *
 * Why pure. What Raft says depends only on what it was told, and when; so this room holds no file,
 * no socket, no timer, and a test, a fuzzer or the simulator can drive it step by step.
 *
 * Durability. Each step that changes what must survive takes the next number of a sequence; the
 * caller writes in that order and says how far it is durable. A message says on which number it
 * rests. A vote, its term, an acknowledged entry and an installed snapshot all lie in one order, so
 * "everything persisted so far" is one number, and an election never stands on a log that a crash
 * could shorten.
 *
 * Invariants (V: checked by gd_raft_check after every simulated event)
 *   V1. commit <= last; stored <= last; before.index <= commit.
 *   V2. `stored` moves up only by PERSISTED; one from before the last truncation says nothing of
 * what was cut (entries may have come again at the same indexes), and all of what is below; and
 * only to an index whose term is still that of the completion. V3. The term never goes back; in one
 * term at most one vote. V4. A leader's log is only appended to. */
#include "engine/invariants.h"
#include "engine/memory.h"
#include "engine/raft_internal.h"

/* ---------------------------------------------------------------- effects */

uint64_t gd__raft_touch(struct gd_raft *raft)
{
    struct gd_raft_persist *persist = &raft->effects->persist;

    if (persist->sequence == 0) {
        persist->sequence = ++raft->sequence;
    }
    return persist->sequence;
}

void gd__raft_save_hard_state(struct gd_raft *raft)
{
    raft->hard_state_sequence = gd__raft_touch(raft);
    raft->effects->persist.hard_state_changed = true;
    raft->effects->persist.hard_state = raft->hard_state;
}

void gd__raft_append(struct gd_raft *raft, struct gd_entry *entry)
{
    struct gd_raft_persist *persist = &raft->effects->persist;

    (void)gd__raft_touch(raft);
    gd_log_append(&raft->log, entry);
    if (persist->entry_count == raft->persist_capacity) {
        raft->persist_capacity = raft->persist_capacity == 0 ? 64 : raft->persist_capacity * 2;
        raft->persist_entries = gd_realloc(
            raft->persist_entries, raft->persist_capacity * sizeof raft->persist_entries[0]);
    }
    raft->persist_entries[persist->entry_count++] = entry;
    persist->entries = raft->persist_entries;
    gd__membership_appended(raft, entry);
}

void gd__raft_cut(struct gd_raft *raft, gd_index from)
{
    if (raft->truncate_sequence <= raft->durable) {
        raft->truncate_low = from;
    } else if (from < raft->truncate_low) {
        GD_REACHED("a cut goes deeper than one that is on its way to the disk");
        raft->truncate_low = from;
    }
    raft->truncate_sequence = gd__raft_touch(raft);
}

void gd__raft_truncate(struct gd_raft *raft, gd_index from)
{
    struct gd_raft_persist *persist = &raft->effects->persist;

    GD_ASSERT(raft->role != GD_ROLE_LEADER); /* V4 */
    GD_ASSERT(from > raft->commit);
    GD_ASSERT(persist->entry_count == 0);
    GD_REACHED("conflicting suffix truncated");
    gd__raft_cut(raft, from);
    if (persist->truncate_from == 0 || from < persist->truncate_from) {
        persist->truncate_from = from;
    }
    gd_log_truncate(&raft->log, from);
    if (raft->stored >= from) {
        raft->stored = from - 1;
    }
    gd__membership_truncated(raft, from);
}

struct gd_raft_send *gd__raft_send(struct gd_raft *raft, gd_node_id to, enum gd_message_type type)
{
    struct gd_raft_effects *effects = raft->effects;
    struct gd_raft_send *send;

    if (effects->send_count == raft->send_capacity) {
        raft->send_capacity = raft->send_capacity == 0 ? 16 : raft->send_capacity * 2;
        raft->sends = gd_realloc(raft->sends, raft->send_capacity * sizeof raft->sends[0]);
    }
    effects->sends = raft->sends;
    send = &raft->sends[effects->send_count++];
    *send = (struct gd_raft_send){
        .message =
            {
                .type = type,
                .cluster_id = raft->options.cluster_id,
                .from = raft->options.id,
                .to = to,
                .term = raft->hard_state.term,
                .boot = raft->options.boot,
            },
    };
    return send;
}

struct gd_raft_send *gd__raft_send_durable(struct gd_raft *raft, gd_node_id to,
                                           enum gd_message_type type)
{
    struct gd_raft_send *send = gd__raft_send(raft, to, type);

    send->after = raft->sequence > raft->durable ? raft->sequence : 0;
    send->after_position = gd_log_last(&raft->log);
    return send;
}

void gd__raft_answer_read(struct gd_raft *raft, uint64_t token, enum gd_err err, gd_index index,
                          int64_t wall_ms)
{
    struct gd_raft_effects *effects = raft->effects;

    if (effects->read_count == raft->read_capacity) {
        raft->read_capacity = raft->read_capacity == 0 ? 16 : raft->read_capacity * 2;
        raft->reads = gd_realloc(raft->reads, raft->read_capacity * sizeof raft->reads[0]);
    }
    effects->reads = raft->reads;
    raft->reads[effects->read_count++] =
        (struct gd_raft_read){.token = token, .err = err, .index = index, .wall_ms = wall_ms};
}

static void drop_effects(struct gd_raft *raft)
{
    for (size_t i = 0; i < raft->send_array_count; i++) {
        struct gd_entry **array = raft->send_arrays[i];
        for (size_t k = 0; array[k] != NULL; k++) {
            gd_entry_drop(array[k]);
        }
        gd_free(array);
    }
    raft->send_array_count = 0;
}

/* ---------------------------------------------------------------- terms */

void gd__raft_become_follower(struct gd_raft *raft, gd_term term, gd_node_id leader)
{
    bool was_leader = raft->role == GD_ROLE_LEADER;

    GD_ASSERT(term >= raft->hard_state.term); /* V3 */
    if (term > raft->hard_state.term) {
        raft->hard_state = (struct gd_hard_state){.term = term, .vote = 0};
        gd__raft_save_hard_state(raft);
    }
    if (was_leader || leader != raft->leader) {
        raft->leader = leader;
        gd__reads_drop(raft);
    }
    raft->role = GD_ROLE_FOLLOWER;
    if (was_leader) {
        GD_REACHED("leader stepped down");
        raft->transfer_target = 0;
        raft->uncommitted_size = 0;
        gd__election_reset_deadline(raft);
    }
}

gd_index gd__raft_lead_append(struct gd_raft *raft, struct gd_entry *entry)
{
    int64_t previous = gd_raft_stamp_ms(raft);

    GD_ASSERT(raft->role == GD_ROLE_LEADER);
    entry->position = (struct gd_position){raft->hard_state.term, raft->log.last + 1};
    entry->stamp_ms = raft->wall_ms > previous ? raft->wall_ms : previous;
    raft->uncommitted_size += gd_entry_weight(entry);
    gd__raft_append(raft, entry);
    if (entry->type != GD_ENTRY_REQUEST) { /* A configuration, the clock: everybody's business. */
        for (uint32_t i = 0; i < raft->progress_count; i++) {
            raft->progress[i].wanted = entry->position.index;
        }
    }
    return entry->position.index;
}

/* ---------------------------------------------------------------- events */

static void on_propose(struct gd_raft *raft, const struct gd_raft_event *event)
{
    struct gd_raft_effects *effects = raft->effects;
    size_t size = 0;

    /* Who is to hand over takes in nothing more, so that another can have everything. */
    if (raft->role != GD_ROLE_LEADER || raft->transfer_target != 0 ||
        !gd_config_votes(gd__raft_config(raft), raft->options.id)) {
        effects->result = GD_ERR_NOT_LEADER;
        return;
    }
    for (size_t i = 0; i < event->propose.count; i++) {
        size += gd_entry_weight(event->propose.entries[i]);
    }
    /* One batch always fits into an empty window, however large its entries. */
    if (raft->uncommitted_size > 0 &&
        raft->uncommitted_size + size > raft->options.uncommitted_size_max) {
        GD_REACHED("proposal refused: too much uncommitted");
        effects->result = GD_ERR_BUSY;
        return;
    }
    if (gd__lag_full(raft)) {
        GD_REACHED("proposal refused: the database is too far behind");
        effects->result = GD_ERR_BUSY;
        return;
    }
    if (gd__disk_behind(raft)) {
        GD_REACHED("proposal refused: the leader's own disk is too far behind");
        effects->result = GD_ERR_BUSY;
        return;
    }
    effects->first_index = raft->log.last + 1;
    for (size_t i = 0; i < event->propose.count; i++) {
        gd_index index = gd__raft_lead_append(raft, gd_entry_share(event->propose.entries[i]));
        if (event->propose.origins != NULL) {
            gd__replication_want(raft, event->propose.origins[i], index);
        }
    }
    gd__replication_all(raft);
}

static void on_persisted(struct gd_raft *raft, const struct gd_raft_event *event)
{
    uint64_t sequence = event->persisted.sequence;
    struct gd_position last = event->persisted.last;

    GD_ASSERT(sequence <= raft->sequence);
    if (sequence > raft->durable) {
        raft->durable = sequence;
    }
    if (sequence < raft->truncate_sequence && last.index >= raft->truncate_low) { /* V2 */
        GD_REACHED("completion of entries that are no longer in the log");
        last.index = raft->truncate_low - 1; /* No cut since was below: these are the same. */
        last.term = gd_log_term(&raft->log, last.index);
    }
    if (last.index > raft->stored && gd_log_term(&raft->log, last.index) == last.term) {
        raft->stored = last.index;
    }
    gd__election_persisted(raft);
    if (raft->role == GD_ROLE_LEADER) {
        gd__replication_commit(raft);
    }
}

/* A leader of this term speaks. */
static bool from_leader(enum gd_message_type type)
{
    return type == GD_MESSAGE_APPEND || type == GD_MESSAGE_INSTALL_SNAPSHOT;
}

/* An answer, or a question that only a member has a right to. */
static bool from_member(enum gd_message_type type)
{
    return type == GD_MESSAGE_APPEND_RESP || type == GD_MESSAGE_INSTALL_SNAPSHOT_RESP ||
           type == GD_MESSAGE_VOTE_RESP || type == GD_MESSAGE_PRE_VOTE_RESP ||
           type == GD_MESSAGE_READ_INDEX;
}

/* Terms first (paper 5.1). False: the message is dealt with. */
static bool check_term(struct gd_raft *raft, const struct gd_message *m)
{
    gd_term term = raft->hard_state.term;

    if (m->type == GD_MESSAGE_PRE_VOTE || m->type == GD_MESSAGE_VOTE) {
        return true; /* election.c: stickiness comes before terms. */
    }
    if (m->type == GD_MESSAGE_PRE_VOTE_RESP && m->vote_resp.granted) {
        return true; /* Bears the term that was asked for. */
    }
    if (m->term > term && from_member(m->type) && gd__raft_member(raft, m->from) < 0) {
        /* Whoever was removed may have come to a higher term before it knew; its last words, late
         * on the way, depose nobody (thesis 4.2.3). */
        GD_REACHED("answer of a later term from outside the configuration dropped");
        return false;
    }
    if (m->term > term) {
        gd__raft_become_follower(raft, m->term, from_leader(m->type) ? m->from : 0);
        return true;
    }
    if (m->term < term) {
        if (from_leader(m->type)) {
            /* So that a deposed leader learns of it. */
            struct gd_raft_send *send = gd__raft_send(raft, m->from, GD_MESSAGE_APPEND_RESP);
            GD_REACHED("message of a deposed leader");
            send->after = raft->hard_state_sequence > raft->durable ? raft->hard_state_sequence : 0;
        } else if (m->type == GD_MESSAGE_READ_INDEX) {
            return true;
        }
        return false;
    }
    if (from_leader(m->type)) {
        if (raft->role == GD_ROLE_LEADER) {
            return false; /* Impossible by Election Safety; bytes from a peer are not asserted on.
                           */
        }
        if (raft->role != GD_ROLE_FOLLOWER || raft->leader != m->from) {
            gd__raft_become_follower(raft, m->term, m->from);
        }
    }
    return true;
}

static void on_message(struct gd_raft *raft, const struct gd_message *m)
{
    if (!check_term(raft, m)) {
        return;
    }
    switch (m->type) {
    case GD_MESSAGE_PRE_VOTE:
    case GD_MESSAGE_PRE_VOTE_RESP:
    case GD_MESSAGE_VOTE:
    case GD_MESSAGE_VOTE_RESP:
    case GD_MESSAGE_TIMEOUT_NOW:
        gd__election_message(raft, m);
        break;
    case GD_MESSAGE_APPEND:
    case GD_MESSAGE_APPEND_RESP:
    case GD_MESSAGE_INSTALL_SNAPSHOT:
    case GD_MESSAGE_INSTALL_SNAPSHOT_RESP:
        gd__replication_message(raft, m);
        break;
    case GD_MESSAGE_READ_INDEX:
    case GD_MESSAGE_READ_INDEX_RESP:
        gd__reads_message(raft, m);
        break;
    default:
        break; /* Not Raft's. UNTESTED: the node keeps those to itself. */
    }
}

static gd_time_ns earliest(gd_time_ns a, gd_time_ns b)
{
    return a < b ? a : b;
}

static gd_time_ns deadline_of(const struct gd_raft *raft)
{
    gd_time_ns deadline = gd__reads_deadline(raft);

    if (raft->role == GD_ROLE_LEADER) {
        deadline = earliest(deadline, raft->heartbeat_deadline);
        deadline = earliest(deadline, gd__replication_deadline(raft));
        deadline = earliest(deadline, raft->quorum_deadline);
        if (raft->transfer_target != 0) {
            deadline = earliest(deadline, raft->transfer_deadline);
        }
    } else if (gd__election_can_campaign(raft) || raft->leader != 0) {
        /* Who cannot campaign still forgets a silent leader then. */
        deadline = earliest(deadline, raft->election_deadline);
    }
    return earliest(deadline, raft->now + UINT64_C(3600) * 1000 * GD_NS_PER_MS);
}

static void dispatch(struct gd_raft *raft, const struct gd_raft_event *event)
{
    switch (event->kind) {
    case GD_RAFT_TICK:
        break;
    case GD_RAFT_MESSAGE:
        on_message(raft, event->message);
        break;
    case GD_RAFT_PROPOSE:
        on_propose(raft, event);
        break;
    case GD_RAFT_READ:
        gd__reads_event(raft, event->token);
        break;
    case GD_RAFT_PERSISTED:
        on_persisted(raft, event);
        break;
    case GD_RAFT_SNAPSHOT_TAKEN:
        gd__replication_taken(raft, event->snapshot);
        break;
    case GD_RAFT_SNAPSHOT_PROGRESS:
        gd__replication_progress(raft, event->progress.position, event->progress.offset);
        break;
    case GD_RAFT_SNAPSHOT_INSTALLED:
        gd__replication_installed(raft, event->snapshot);
        break;
    case GD_RAFT_SNAPSHOT_FAILED:
        gd__replication_progress(raft, event->progress.position, 0);
        break;
    case GD_RAFT_UNREACHABLE:
        gd__replication_unreachable(raft, event->peer);
        gd__election_unreachable(raft, event->peer);
        break;
    case GD_RAFT_TRANSFER:
        gd__election_transfer(raft, event->peer);
        break;
    case GD_RAFT_CHANGE:
        gd__membership_change(raft, event->config);
        break;
    }
}

void gd_raft_step(struct gd_raft *raft, const struct gd_raft_event *event,
                  struct gd_raft_effects *effects)
{
    gd_term term = raft->hard_state.term;
    enum gd_role role = raft->role;
    gd_node_id leader = raft->leader;
    gd_index commit = raft->commit;

    GD_ASSERT(event->now >= raft->now);
    drop_effects(raft);
    *effects = (struct gd_raft_effects){.result = GD_OK, .refusal = ""};
    raft->effects = effects;
    raft->now = event->now;
    raft->wall_ms = event->wall_ms;
    dispatch(raft, event);
    gd__election_tick(raft);
    gd__replication_tick(raft);
    gd__reads_tick(raft);
    gd__reads_confirm(raft);
    if (raft->role == GD_ROLE_LEADER && raft->commit > commit) {
        gd__membership_committed(raft);
    }
    gd__membership_promote(raft);
    if (raft->role == GD_ROLE_LEADER) {
        gd__replication_push_commit(raft);
    }
    effects->commit_advanced = raft->commit > commit;
    effects->role_changed =
        raft->role != role || raft->hard_state.term != term || raft->leader != leader;
    effects->deadline = deadline_of(raft);
    raft->effects = NULL;
    GD_VERIFY(gd_raft_check(raft));
}

/* ---------------------------------------------------------------- life */

struct gd_raft *gd_raft_new(const struct gd_raft_options *options,
                            const struct gd_hard_state *hard_state,
                            const struct gd_snapshot_meta *snapshot)
{
    struct gd_raft *raft = gd_calloc(1, sizeof *raft);

    GD_ASSERT(options->id != 0);
    GD_ASSERT(options->heartbeat_ns * 2 <= options->election_timeout_ns);
    raft->options = *options;
    if (raft->options.window_count_max > GD__FLIGHT_MAX) {
        raft->options.window_count_max = GD__FLIGHT_MAX;
    }
    gd_prng_init(&raft->prng, options->seed);
    raft->hard_state = *hard_state;
    raft->snapshot = *snapshot;
    raft->log.before = snapshot->position;
    raft->log.last = raft->stored = raft->commit = snapshot->position.index;
    raft->progress = gd_calloc(GD_MEMBERS_MAX, sizeof raft->progress[0]);
    gd__membership_init(raft, snapshot);
    raft->config_version = 2;
    return raft;
}

void gd_raft_free(struct gd_raft *raft)
{
    if (raft == NULL) {
        return;
    }
    drop_effects(raft);
    gd_log_release(&raft->log);
    gd_free(raft->configs);
    gd_free(raft->progress);
    gd_free(raft->waits);
    gd_free(raft->sends);
    gd_free(raft->send_arrays);
    gd_free(raft->reads);
    gd_free(raft->persist_entries);
    gd_free(raft);
}

void gd_raft_restore_tail(struct gd_raft *raft, struct gd_position before)
{
    GD_ASSERT(raft->log.last == raft->log.before.index);
    GD_ASSERT(before.index <= raft->snapshot.position.index);
    gd_log_reset(&raft->log, before);
    raft->stored = raft->log.last;
}

void gd_raft_restore(struct gd_raft *raft, struct gd_entry *entry)
{
    gd_log_append(&raft->log, entry);
    raft->stored = raft->log.last;
    if (entry->position.index > raft->configs[0].index) {
        gd__membership_appended(raft, entry);
    }
}

void gd_raft_set_config_version(struct gd_raft *raft, uint8_t version)
{
    raft->config_version = version;
}

/* Is this node the only voter there is? Nobody else can be elected, so there is nobody to wait for.
 * A leader that has just taken itself out may lead yet, but has no lease (gd__reads_may_lease). */
static bool votes_alone(const struct gd_raft *raft)
{
    const struct gd_config *config = gd__raft_config(raft);
    size_t others = 0;

    for (size_t i = 0; i < config->count; i++) {
        others += config->members[i].id != raft->options.id &&
                          gd_config_votes(config, config->members[i].id)
                      ? 1
                      : 0;
    }
    return others == 0 && gd_config_votes(config, raft->options.id);
}

void gd_raft_start(struct gd_raft *raft, gd_time_ns now)
{
    raft->now = now;
    if (raft->log.last < raft->commit) {
        /* A kept tail that ends below the snapshot: it is of no use. */
        gd_log_reset(&raft->log, raft->snapshot.position);
        raft->stored = raft->log.last;
    }
    GD_ASSERT(raft->log.before.index <= raft->commit);
    if (gd_log_last(&raft->log).term > raft->hard_state.term) {
        /* A received snapshot was durable before the term that came with it. No vote of that term
         * was: so none was sent, and to begin in it with none is safe. */
        GD_REACHED("started in the term of an installed snapshot");
        raft->hard_state = (struct gd_hard_state){.term = gd_log_last(&raft->log).term};
    }
    /* Under leases a vote given right after a restart could break one that this node helped to
     * confirm before it. */
    raft->leader_contact = raft->options.lease ? now : 0;
    gd__election_reset_deadline(raft);
    if (votes_alone(raft)) {
        GD_REACHED("the only voter does not wait to lead");
        raft->election_deadline = now;
    }
}

/* ---------------------------------------------------------------- facts */

const struct gd_config *gd__raft_config(const struct gd_raft *raft)
{
    return &raft->configs[raft->config_count - 1].config;
}

int gd__raft_member(const struct gd_raft *raft, gd_node_id id)
{
    const struct gd_config *config = gd__raft_config(raft);

    for (uint32_t i = 0; i < config->count; i++) {
        if (config->members[i].id == id) {
            return (int)i;
        }
    }
    return -1;
}

enum gd_role gd_raft_role(const struct gd_raft *raft)
{
    return raft->role;
}

gd_term gd_raft_term(const struct gd_raft *raft)
{
    return raft->hard_state.term;
}

gd_node_id gd_raft_vote(const struct gd_raft *raft)
{
    return raft->hard_state.vote;
}

gd_node_id gd_raft_leader(const struct gd_raft *raft)
{
    return raft->leader;
}

gd_index gd_raft_commit(const struct gd_raft *raft)
{
    return raft->commit;
}

struct gd_position gd_raft_last(const struct gd_raft *raft)
{
    return gd_log_last(&raft->log);
}

struct gd_position gd_raft_stored(const struct gd_raft *raft)
{
    return (struct gd_position){gd_log_term(&raft->log, raft->stored), raft->stored};
}

gd_index gd_raft_first_index(const struct gd_raft *raft)
{
    return raft->log.before.index + 1;
}

const struct gd_snapshot_meta *gd_raft_snapshot(const struct gd_raft *raft)
{
    return &raft->snapshot;
}

const struct gd_config *gd_raft_config(const struct gd_raft *raft)
{
    return gd__raft_config(raft);
}

gd_node_id gd_raft_id_highest(const struct gd_raft *raft)
{
    return raft->id_highest;
}

gd_index gd_raft_config_index(const struct gd_raft *raft)
{
    return raft->configs[raft->config_count - 1].index;
}

const struct gd_config *gd_raft_config_at(const struct gd_raft *raft, gd_index index,
                                          gd_index *config_index)
{
    size_t at = raft->config_count - 1;

    while (at > 0 && raft->configs[at].index > index) {
        at--;
    }
    *config_index = raft->configs[at].index;
    return &raft->configs[at].config;
}

struct gd_entry *gd_raft_entry(const struct gd_raft *raft, gd_index index)
{
    return gd_log_entry(&raft->log, index);
}

gd_term gd_raft_term_at(const struct gd_raft *raft, gd_index index)
{
    if (index == raft->snapshot.position.index) {
        return raft->snapshot.position.term;
    }
    return gd_log_term(&raft->log, index);
}

size_t gd_raft_log_size(const struct gd_raft *raft)
{
    return raft->log.size;
}

int64_t gd_raft_stamp_ms(const struct gd_raft *raft)
{
    const struct gd_entry *last = gd_log_entry(&raft->log, raft->log.last);

    return last != NULL ? last->stamp_ms : raft->snapshot.stamp_ms;
}

bool gd_raft_leader_ready(const struct gd_raft *raft)
{
    return raft->role == GD_ROLE_LEADER && raft->commit >= raft->term_start;
}

void gd_raft_facts(const struct gd_raft *raft, struct gd_raft_facts *facts)
{
    bool lease = raft->role == GD_ROLE_LEADER && gd__reads_may_lease(raft);

    *facts = (struct gd_raft_facts){
        .hard_state_durable = raft->durable >= raft->hard_state_sequence,
        .cut_open = raft->truncate_sequence > raft->durable,
        .transfer_target = raft->transfer_target,
        .offered_to = raft->offered_to,
        .offered = raft->offered,
        .offers = raft->offers,
        .election_deadline = raft->election_deadline,
        .leader_contact = raft->leader_contact,
        .lease_until = lease ? raft->lease_until : 0,
        .campaigns = raft->campaigns,
    };
}

gd_index gd_raft_match(const struct gd_raft *raft, gd_node_id peer, uint64_t *boot)
{
    *boot = 0;
    for (uint32_t i = 0; raft->role == GD_ROLE_LEADER && i < raft->progress_count; i++) {
        if (raft->progress[i].id == peer) {
            *boot = raft->progress[i].boot;
            return raft->progress[i].match;
        }
    }
    return 0;
}

bool gd_raft_progress(const struct gd_raft *raft, gd_node_id peer, gd_time_ns now,
                      struct gd_member_status *status)
{
    if (raft->role != GD_ROLE_LEADER) {
        return false;
    }
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        const struct gd__progress *p = &raft->progress[i];
        if (p->id == peer) {
            status->state = p->state;
            status->match = p->match;
            status->next = p->next;
            status->last_contact_ns = now - p->contact_ns;
            for (gd_index index = p->match + 1; index <= raft->log.last; index++) {
                const struct gd_entry *entry = gd_log_entry(&raft->log, index);
                status->lag_bytes += entry == NULL ? 0 : entry->size;
            }
            return true;
        }
    }
    return false;
}
