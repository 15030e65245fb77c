/* node.c - the conductor.
 *
 * Why. Raft is pure, the log only writes, the Tracker only applies: somebody must carry data
 * between them, in one direction, and keep what each rests on. That is all that a node does; it
 * decides nothing that Raft decides.
 *
 * A write. Session reads bytes -> Parser says WRITE -> writes.c numbers and encodes it into an
 * entry (the only copy) -> the loop's next turn proposes all that gathered in one step (or forwards
 * it to the leader) -> Raft's effects: to the write-ahead log and, at the same time, to the peers
 * -> the log says durable, peers say stored -> commit -> apply.c hands the batch to the Tracker ->
 * this node's own entry carries its reply to the session. Every node applies every entry, so the
 * origin answers from its own Tracker: a leader that dies after the commit costs no answer.
 * Rejected: the leader sends the reply back; then a lost connection makes a committed write's fate
 * unknown.
 *
 * A read. Session -> reads.c gathers -> one ReadIndex for all that wait -> applied up to there ->
 * Tracker answers.
 *
 * Turns. Nothing is sent or proposed from inside the callback that brought it: work gathers, and
 * one pump at the loop's next turn takes it all on together. So batches form by themselves under
 * load, each connection gets one write a turn, and no room calls back into one that is at work.
 *
 * A crash anywhere leaves: the log up to its last durable record, whole snapshots, and nothing
 * else.
 *
 * Invariants
 *   N1. A message leaves only when all that it rests on is durable (raft.h R3).
 *   N2. Effects of a step are carried out before the next step (R1): `stepping`.
 *   N3. A request gets exactly one answer, or its connection ends. */
#include "engine/node_internal.h"
#include "engine/memory.h"
#include <stdarg.h>
#include <stdio.h>

void gd__node_log(struct gd_node *node, enum gd_log_level level, const char *format, ...)
{
    char text[900];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    gd_io_log(node->io, level, "node %llu term %llu: %s",
              (unsigned long long)node->identity.node_id,
              node->raft == NULL ? 0ULL : (unsigned long long)gd_raft_term(node->raft), text);
}

/* ---------------------------------------------------------------- messages out */

/* While a disk hangs every heartbeat, and every read's round, adds an answer: beyond the limit they
 * are dropped, as on a full connection. */
static void hold(struct gd_node *node, const struct gd_raft_send *send)
{
    struct gd__held *held;

    if (node->held_size > node->options.peer_output_size_max) {
        GD_REACHED("message that waits for the disk dropped: there are too many");
        return;
    }
    held = gd_calloc(1, sizeof *held);
    held->after = send->after;
    held->to = send->message.to;
    gd_message_encode(&send->message, &held->frame);
    node->held_size += sizeof *held + held->frame.size;
    if (node->held_last == NULL) {
        node->held_first = held;
    } else {
        node->held_last->next = held;
    }
    node->held_last = held;
}

static void drop_first_held(struct gd_node *node)
{
    struct gd__held *held = node->held_first;

    node->held_first = held->next;
    if (node->held_first == NULL) {
        node->held_last = NULL;
    }
    node->held_size -= sizeof *held + held->frame.size;
    gd_bytes_release(&held->frame);
    gd_free(held);
}

void gd__node_release_held(struct gd_node *node)
{
    uint64_t durable = gd_wal_durable(node->wal);

    while (node->held_first != NULL && node->held_first->after <= durable) { /* N1 */
        gd__peer_send_frame(node, node->held_first->to, gd_bytes_slice(&node->held_first->frame));
        drop_first_held(node);
    }
}

static void send_all(struct gd_node *node, const struct gd_raft_effects *effects)
{
    uint64_t durable = gd_wal_durable(node->wal);

    for (size_t i = 0; i < effects->send_count; i++) {
        struct gd_raft_send *send = &effects->sends[i];
        if (send->message.type == GD_MESSAGE_INSTALL_SNAPSHOT) {
            GD_ASSERT(send->after <= durable);
            gd__snapshot_send(node, &send->message);
        } else if (send->after <= durable) { /* N1 */
            gd__peer_send(node, &send->message);
        } else {
            hold(node, send);
        }
    }
}

/* ---------------------------------------------------------------- steps */

/* Role, term or leader may be another: say so, and send open writes to whom they belong now. */
static void follow_leader(struct gd_node *node)
{
    gd_node_id leader = gd_raft_leader(node->raft);
    gd_term term = gd_raft_term(node->raft);
    enum gd_role role = gd_raft_role(node->raft);

    if (leader == node->known_leader && term == node->known_term && role == node->known_role) {
        return;
    }
    if (leader != node->known_leader || role != node->known_role) {
        gd__node_log(node, GD_LOG_INFO, "%s, leader %llu", gd_role_text(role),
                     (unsigned long long)leader);
    }
    if (role == GD_ROLE_LEADER && node->known_role != GD_ROLE_LEADER) {
        node->status.elections_won++;
    }
    if (leader == 0 && node->known_leader != 0) {
        node->leader_lost_ns = gd_io_now(node->io);
    }
    if (leader == 0) {
        gd__node_watch(node);
    }
    node->known_leader = leader;
    node->known_term = term;
    node->known_role = role;
    node->apply.time_proposed = false;
    node->reads.retry_ns = 0;
    gd__writes_resend(node);
}

struct gd_raft_effects gd__node_step(struct gd_node *node, struct gd_raft_event *event)
{
    struct gd_raft_effects effects;

    GD_ASSERT(!node->stepping); /* N2 */
    node->writes.refused = node->writes.refused && event->kind == GD_RAFT_PROPOSE;
    node->stepping = true;
    gd_raft_set_applied(node->raft, node->apply.applied);
    event->now = gd_io_now(node->io);
    event->wall_ms = gd_io_wall_ms(node->io);
    gd_raft_step(node->raft, event, &effects);
    if (effects.persist.sequence != 0) {
        gd_wal_append(node->wal, &effects.persist);
    }
    send_all(node, &effects);
    for (size_t i = 0; i < effects.read_count; i++) {
        gd__reads_answered(node, &effects.reads[i]);
    }
    if (effects.chunk.wanted) {
        gd__snapshot_receive(node, &effects.chunk);
    }
    if (effects.snapshot_restore) {
        node->snapshots.restore_wanted = true;
    }
    if (effects.config_changed) {
        gd__peers_follow(node);
    }
    if (effects.commit_advanced) {
        gd__peers_committed(node);
    }
    follow_leader(node);
    gd_timer_start(node->io, &node->raft_timer, effects.deadline);
    node->stepping = false;
    gd__node_kick(node);
    return effects;
}

static void on_raft_timer(struct gd_timer *timer)
{
    struct gd_node *node = timer->context;
    struct gd_raft_event event = {.kind = GD_RAFT_TICK};

    (void)gd__node_step(node, &event);
    /* A Tracker that works inside the call may be the next to have a turn. */
    gd__peers_flush(node);
}

/* ---------------------------------------------------------------- turns */

void gd__node_kick(struct gd_node *node)
{
    if (!gd_timer_running(&node->pump_timer)) {
        gd_timer_start(node->io, &node->pump_timer, gd_io_now(node->io));
    }
}

static void on_pump(struct gd_timer *timer)
{
    struct gd_node *node = timer->context;

    if (node->phase != GD__SERVING && node->phase != GD__DRAINING) {
        return;
    }
    gd__sessions_flush(node);
    gd__writes_pump(node);
    gd__reads_pump(node);
    gd__admin_pump(node);
    gd__peers_part(node);
    gd__apply_watch_expiry(node);
    gd__snapshot_consider(node);
    gd__peers_flush(node); /* As above. */
    gd__apply_pump(node);
    gd__peers_flush(node);
    if (node->phase == GD__DRAINING) {
        gd__close_continue(node);
    }
}

void gd__node_watch(struct gd_node *node)
{
    if (!gd_timer_running(&node->watch_timer)) {
        gd_timer_start(node->io, &node->watch_timer,
                       gd_io_now(node->io) + node->options.election_timeout_ms * GD_NS_PER_MS / 8);
    }
}

static void on_watch(struct gd_timer *timer)
{
    struct gd_node *node = timer->context;
    gd_time_ns now = gd_io_now(node->io);
    bool open;

    if (node->phase != GD__SERVING && node->phase != GD__DRAINING) {
        return;
    }
    open = gd__writes_expire(node, now);
    open = gd__reads_expire(node, now) || open;
    open = gd__admin_expire(node, now) || open;
    open = gd__lives_expire(node, now) || open;
    if (node->phase == GD__CLOSING) {
        return;
    }
    gd__node_kick(node);
    if (open) {
        gd__node_watch(node);
    }
}

/* ---------------------------------------------------------------- life */

#define DEFAULT(field, value)                                                                      \
    do {                                                                                           \
        if (o->field == 0) {                                                                       \
            o->field = (value);                                                                    \
        }                                                                                          \
    } while (0)

/* What a frame with one entry has around a request's body, at most. */
enum { FRAME_ROOM = 4096 };

static void set_defaults(struct gd_node_options *o)
{
    DEFAULT(heartbeat_ms, 100);
    DEFAULT(protocol_version, GD_PROTOCOL_VERSION);
    DEFAULT(election_timeout_ms, 1000);
    DEFAULT(request_timeout_ms, 10 * o->election_timeout_ms);
    DEFAULT(clock_drift_ppm, 10000);
    DEFAULT(segment_size, (uint64_t)64 << 20);
    DEFAULT(snapshot_log_size, (uint64_t)64 << 20);
    DEFAULT(tail_count, 10000);
    DEFAULT(tail_size_max, (size_t)16 << 20);
    DEFAULT(snapshot_chunk_size, (size_t)256 << 10);
    DEFAULT(batch_size_max, (size_t)1 << 20);
    DEFAULT(window_size_max, (size_t)8 << 20);
    DEFAULT(window_count_max, 64);
    DEFAULT(uncommitted_size_max, (size_t)64 << 20);
    DEFAULT(lag_size_max, (size_t)256 << 20);
    DEFAULT(pending_size_max, (size_t)256 << 20);
    DEFAULT(request_size_max, ((size_t)512 << 20) + ((size_t)1 << 20));
    if (o->request_size_max > GD_FRAME_SIZE_MAX - FRAME_ROOM) {
        o->request_size_max = GD_FRAME_SIZE_MAX - FRAME_ROOM;
    }
    DEFAULT(session_output_size_max, (size_t)256 << 20);
    DEFAULT(peer_output_size_max, (size_t)64 << 20);
    DEFAULT(session_count_max, 10000);
    DEFAULT(session_pipeline_max, 1024);
}

struct gd_node *gd_node_new(const struct gd_node_options *options)
{
    struct gd_node *node = gd_calloc(1, sizeof *node);

    GD_ASSERT(options->io != NULL);
    GD_ASSERT(options->parser != NULL);
    GD_ASSERT(options->tracker != NULL);
    GD_ASSERT(options->stopped != NULL);
    node->options = *options;
    set_defaults(&node->options);
    GD_ASSERT(node->options.segment_size % GD_BLOCK_SIZE == 0);
    GD_ASSERT(node->options.clock_drift_ppm <= 500000);
    node->io = options->io;
    if (options->node_count > 0) {
        node->nodes = gd_malloc(options->node_count * sizeof node->nodes[0]);
        memcpy(node->nodes, options->nodes, options->node_count * sizeof node->nodes[0]);
    }
    node->options.nodes = node->nodes;
    node->raft_timer = (struct gd_timer){.fire = on_raft_timer, .context = node};
    node->pump_timer = (struct gd_timer){.fire = on_pump, .context = node};
    node->watch_timer = (struct gd_timer){.fire = on_watch, .context = node};
    node->writes.low = node->writes.next = node->writes.send_from = 1;
    node->session_next_id = 1;
    return node;
}

void gd_node_start(struct gd_node *node)
{
    GD_ASSERT(node->phase == GD__NEW);
    node->phase = GD__OPENING;
    node->started_ns = gd_io_now(node->io);
    node->leader_lost_ns = node->started_ns;
    gd__start(node);
}

void gd__node_fail(struct gd_node *node, enum gd_err err, const struct gd_error *error)
{
    GD_ASSERT(err != GD_OK);
    if (node->phase == GD__CLOSING || node->phase == GD__STOPPED) {
        return;
    }
    node->stop_err = err;
    if (error != NULL) {
        node->stop_error = *error;
    } else {
        (void)gd_error_set(&node->stop_error, err, "%s", gd_err_text(err));
    }
    gd__close(node);
}

void gd_node_free(struct gd_node *node)
{
    if (node == NULL) {
        return;
    }
    GD_ASSERT(node->phase == GD__STOPPED || node->phase == GD__NEW);
    while (node->held_first != NULL) {
        drop_first_held(node);
    }
    gd__writes_release(node);
    gd__sessions_release(node);
    gd__reads_release(node);
    gd__apply_release(node);
    gd__snapshots_release(node);
    gd__backup_release(node);
    for (size_t i = 0; i < node->forwarded_count; i++) {
        gd_entry_drop(node->forwarded[i].entry);
    }
    gd_free(node->forwarded);
    gd_raft_free(node->raft);
    gd_free(node->member_rows);
    gd_free(node->session_rows);
    gd_free(node->nodes);
    gd_free(node);
}

/* ---------------------------------------------------------------- facts */

static void fill_member(struct gd_node *node, const struct gd_member *member,
                        struct gd_member_status *row)
{
    const struct gd__peer *peer = gd__peer_find(node, member->id);

    *row = (struct gd_member_status){
        .id = member->id,
        .peer_address = member->address,
        .voter = (member->roles & GD_MEMBER_VOTER) != 0,
        .outgoing = (member->roles & GD_MEMBER_OUTGOING) != 0,
        .learner = (member->roles & GD_MEMBER_LEARNER) != 0,
        .joining = (member->roles & GD_MEMBER_JOINING) != 0,
    };
    if (member->id == node->identity.node_id) {
        row->client_address = node->options.client_address;
        row->connected = true;
        row->protocol = node->options.protocol_version;
        row->match = gd_raft_stored(node->raft).index;
    } else if (peer != NULL) {
        row->client_address = peer->client_address;
        row->connected = peer->state == GD__PEER_UP;
        row->protocol = peer->version;
        (void)gd_raft_progress(node->raft, member->id, gd_io_now(node->io), row);
    }
}

static void fill_sessions(struct gd_node *node, struct gd_node_status *status)
{
    gd_time_ns now = gd_io_now(node->io);
    size_t count = 0;

    if (node->session_rows_capacity < node->session_total) {
        node->session_rows_capacity = node->session_total;
        node->session_rows = gd_realloc(node->session_rows,
                                        node->session_rows_capacity * sizeof node->session_rows[0]);
    }
    for (struct gd__session *s = node->sessions; s != NULL; s = s->next) {
        if (!s->closing) {
            node->session_rows[count++] = (struct gd_session_status){
                .id = s->id,
                .address = s->address,
                .age_ns = now - s->opened_ns,
                .idle_ns = now - s->active_ns,
                .input_size = s->input.size,
                .output_size = s->output.size + s->sending.size,
                .parser_session = s->parser_session,
            };
        }
    }
    status->sessions = node->session_rows;
    status->session_count = count;
}

static void fill_raft(struct gd_node *node, struct gd_node_status *status)
{
    const struct gd_config *config = gd_raft_config(node->raft);

    status->role = gd_raft_role(node->raft);
    status->term = gd_raft_term(node->raft);
    status->leader = gd_raft_leader(node->raft);
    status->first_index = gd_raft_first_index(node->raft);
    status->last_index = gd_raft_last(node->raft).index;
    status->stored_index = gd_raft_stored(node->raft).index;
    status->commit_index = gd_raft_commit(node->raft);
    status->snapshot = gd_raft_snapshot(node->raft)->position;
    status->joint = gd_config_joint(config);
    status->config_index = gd_raft_config_index(node->raft);
    status->protocol_all = gd__peers_version(node);
    status->log_bytes = gd_raft_log_size(node->raft);
    if (node->member_rows == NULL) {
        node->member_rows = gd_malloc(GD_MEMBERS_MAX * sizeof node->member_rows[0]);
    }
    for (uint32_t i = 0; i < config->count; i++) {
        fill_member(node, &config->members[i], &node->member_rows[i]);
    }
    status->members = node->member_rows;
    status->member_count = config->count;
}

void gd_node_status(struct gd_node *node, struct gd_node_status *status)
{
    *status = node->status; /* The counters. */
    status->cluster_id = node->identity.cluster_id;
    status->id = node->identity.node_id;
    status->applied_index = node->apply.applied;
    status->stamp_ms = node->apply.stamp_ms;
    status->wall_ms = gd_io_wall_ms(node->io);
    status->uptime_ns = gd_io_now(node->io) - node->started_ns;
    status->redirect = node->options.redirect;
    status->protocol = node->options.protocol_version;
    status->ready = node->phase == GD__SERVING && !node->apply.away && !node->apply.restoring &&
                    !node->apply.rebuild;
    status->peer_address = node->options.peer_address;
    status->client_address = node->options.client_address;
    status->snapshots_taken = node->snapshots.taken;
    status->pending_bytes = node->writes.size + node->reads.size;
    if (node->raft != NULL) {
        fill_raft(node, status);
        gd_wal_counters(node->wal, &status->wal_syncs, &status->wal_bytes);
    }
    fill_sessions(node, status);
}

const struct gd_raft *gd_node_raft(const struct gd_node *node)
{
    return node->raft;
}

bool gd_node_closing(const struct gd_node *node)
{
    return node->phase == GD__CLOSING || node->phase == GD__STOPPED;
}

struct gd_position gd_node_durable(const struct gd_node *node)
{
    return node->wal_told;
}

uint64_t gd_node_recovered_lsn(const struct gd_node *node)
{
    return node->recovered_lsn;
}

uint64_t gd_node_peer_boot(const struct gd_node *node, gd_node_id id)
{
    const struct gd__peer *peer = gd__peer_find(node, id);

    return peer != NULL ? peer->boot : 0;
}

bool gd_node_peer_open(const struct gd_node *node, gd_node_id id)
{
    const struct gd__peer *peer = gd__peer_find(node, id);

    return peer != NULL && peer->state == GD__PEER_UP && !peer->writing;
}

gd_index gd_node_applied(const struct gd_node *node)
{
    return node->apply.applied;
}

gd_index gd_node_freezing(const struct gd_node *node)
{
    const struct gd__snapshots *s = &node->snapshots;

    return s->taking && !s->begin_wanted ? s->meta.position.index : 0;
}

gd_index gd_node_restored(const struct gd_node *node)
{
    return node->snapshots.restored;
}

uint64_t gd_node_digest(const struct gd_node *node)
{
    uint64_t tables = gd_dedup_digest(&node->apply.dedup);

    return tables * 31 + node->options.tracker->v->digest(node->options.tracker);
}

void gd_node_queues(const struct gd_node *node, struct gd_node_queues *queues)
{
    *queues = (struct gd_node_queues){
        .pending_size = node->writes.size + node->reads.size + node->forwarded_size,
        .log_size = node->raft == NULL ? 0 : gd_raft_log_size(node->raft),
        .wal_size = node->wal == NULL ? 0 : gd_wal_queued(node->wal),
        .held_size = node->held_size,
        .session_count = node->session_total,
        .session_gone = node->session_total - node->session_count,
        .writes_size = node->writes.size + node->forwarded_size,
    };
    if (node->raft != NULL) {
        gd_raft_set_applied(node->raft, node->apply.applied);
        queues->lag_size = gd_raft_lag_size(node->raft);
    }
    if (node->held_last != NULL) {
        queues->held_waiting_size =
            node->held_size - sizeof *node->held_last - node->held_last->frame.size;
    }
    for (const struct gd__session *s = node->sessions; s != NULL; s = s->next) {
        queues->session_output_size += s->output.size + s->sending.size;
    }
    for (const struct gd__peer *p = node->peers; p != NULL; p = p->next) {
        size_t waiting = p->output.size > p->output_latest ? p->output.size - p->output_latest : 0;
        queues->peer_output_size += p->output.size + p->sending.size;
        if (waiting > queues->peer_waiting_size) {
            queues->peer_waiting_size = waiting;
        }
    }
}
