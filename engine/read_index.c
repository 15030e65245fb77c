/* read_index.c - when is a read safe? (Thesis 6.4.)
 *
 * A leader that has committed an entry of its own term notes its commit index, confirms by one
 * round of heartbeats that it still leads, and hands the index to every read that waited when the
 * round began. A follower asks the leader. Rounds are numbered; each append bears the present
 * number and its answer echoes it, so one round confirms all. A round asks as many as a majority
 * takes, those that were heard last, and all only when these stay silent for a while: the others'
 * answers would be of no use.
 *
 * Under a lease (opt-in) a round confirmed at time t, counted from when it was sent, allows answers
 * until t + election timeout, shortened by the bound on clock drift: until then no other can have
 * been elected (L3 of election.c). A transfer ends all leases of the term.
 *
 * Invariants
 *   I1. A read is answered by a round that began after it came (or under a lease).
 *   I2. No read is answered before an own-term entry is committed. */
#include "engine/raft_internal.h"
#include "engine/memory.h"

enum { WAITS_MAX = 65536 };

static void add_wait(struct gd_raft *raft, uint64_t token, gd_node_id from)
{
    if (raft->wait_count == raft->wait_capacity) {
        raft->wait_capacity = raft->wait_capacity == 0 ? 16 : raft->wait_capacity * 2;
        raft->waits = gd_realloc(raft->waits, raft->wait_capacity * sizeof raft->waits[0]);
    }
    raft->waits[raft->wait_count++] =
        (struct gd__read_wait){.token = token, .from = from, .asked_ns = raft->now};
}

static void refuse_remote(struct gd_raft *raft, gd_node_id from, uint64_t token)
{
    struct gd_raft_send *send = gd__raft_send(raft, from, GD_MESSAGE_READ_INDEX_RESP);

    send->after = raft->hard_state_sequence > raft->durable ? raft->hard_state_sequence : 0;
    send->message.read_index_resp.token = token;
}

static void answer(struct gd_raft *raft, const struct gd__read_wait *wait, gd_index index,
                   int64_t wall_ms)
{
    struct gd_raft_send *send;

    if (wait->from == 0) {
        gd__raft_answer_read(raft, wait->token, GD_OK, index, wall_ms);
        return;
    }
    gd__replication_want(raft, wait->from, index);
    send = gd__raft_send(raft, wait->from, GD_MESSAGE_READ_INDEX_RESP);
    send->message.read_index_resp = (struct gd_message_read_index_resp){
        .token = wait->token, .granted = true, .index = index, .wall_ms = wall_ms};
}

void gd__reads_drop(struct gd_raft *raft)
{
    for (size_t i = 0; i < raft->wait_count; i++) {
        if (raft->waits[i].from == 0) {
            gd__raft_answer_read(raft, raft->waits[i].token, GD_ERR_NOT_LEADER, 0, 0);
        } else {
            refuse_remote(raft, raft->waits[i].from, raft->waits[i].token);
        }
    }
    raft->wait_count = 0;
    raft->round_open = false;
    raft->lease_until = 0;
}

void gd__reads_event(struct gd_raft *raft, uint64_t token)
{
    if (raft->leader == 0 || raft->wait_count >= WAITS_MAX) {
        gd__raft_answer_read(raft, token, GD_ERR_NOT_LEADER, 0, 0);
        return;
    }
    add_wait(raft, token, 0);
    if (raft->role != GD_ROLE_LEADER) {
        gd__raft_send(raft, raft->leader, GD_MESSAGE_READ_INDEX)->message.read_index.token = token;
    }
}

static void on_response(struct gd_raft *raft, const struct gd_message *m)
{
    const struct gd_message_read_index_resp *resp = &m->read_index_resp;

    if (raft->role == GD_ROLE_LEADER || m->from != raft->leader) {
        return;
    }
    for (size_t i = 0; i < raft->wait_count; i++) {
        if (raft->waits[i].from == 0 && raft->waits[i].token == resp->token) {
            raft->waits[i] = raft->waits[--raft->wait_count];
            gd__raft_answer_read(raft, resp->token, resp->granted ? GD_OK : GD_ERR_NOT_LEADER,
                                 resp->index, resp->wall_ms);
            return;
        }
    }
}

void gd__reads_message(struct gd_raft *raft, const struct gd_message *m)
{
    if (m->type == GD_MESSAGE_READ_INDEX_RESP) {
        on_response(raft, m);
    } else if (raft->role != GD_ROLE_LEADER || m->term != raft->hard_state.term ||
               raft->wait_count >= WAITS_MAX) {
        GD_REACHED("ReadIndex at a node that does not lead");
        refuse_remote(raft, m->from, m->read_index.token);
    } else {
        add_wait(raft, m->read_index.token, m->from);
    }
}

static void begin_round(struct gd_raft *raft)
{
    raft->round++;
    raft->round_open = true;
    raft->round_index = raft->commit;
    raft->round_wall_ms = raft->wall_ms;
    raft->round_ns = raft->now;
    for (size_t i = 0; i < raft->wait_count; i++) {
        raft->waits[i].round = raft->round;
    }
    if (raft->options.round_delay_ns == 0) {
        raft->round_retry_ns = GD__NEVER;
        gd__replication_heartbeat(raft);
    } else {
        raft->round_retry_ns = raft->now + raft->options.round_delay_ns;
        gd__replication_ask(raft);
    }
}

static bool confirmed(struct gd_raft *raft)
{
    const struct gd_config *config = gd__raft_config(raft);
    uint64_t rounds[GD_MEMBERS_MAX];

    for (uint32_t i = 0; i < config->count; i++) {
        const struct gd__progress *p = gd__replication_find(raft, config->members[i].id);
        rounds[i] = config->members[i].id == raft->options.id ? raft->round
                    : p == NULL                               ? 0
                                                              : p->round_acked;
    }
    return gd_quorum_reached(config, rounds) >= raft->round;
}

/* Answers and forgets the waits of rounds up to `round`. */
static void answer_round(struct gd_raft *raft, uint64_t round)
{
    size_t kept = 0;

    for (size_t i = 0; i < raft->wait_count; i++) {
        if (raft->waits[i].round != 0 && raft->waits[i].round <= round) { /* I1 */
            answer(raft, &raft->waits[i], raft->round_index, raft->round_wall_ms);
        } else {
            raft->waits[kept++] = raft->waits[i];
        }
    }
    raft->wait_count = kept;
}

/* Whoever has confirmed a lease waits with its votes, but for the only voter that there is: it
 * leads as soon as it has started. A leader that is no voter itself may be led over so at any time.
 */
bool gd__reads_may_lease(const struct gd_raft *raft)
{
    return raft->options.lease && !raft->transferred &&
           gd_config_votes(gd__raft_config(raft), raft->options.id);
}

static void extend_lease(struct gd_raft *raft)
{
    gd_time_ns span = raft->options.election_timeout_ns;

    span -= span / 1000000 * raft->options.clock_drift_ppm * 2;
    if (gd__reads_may_lease(raft) && raft->round_ns + span > raft->lease_until) {
        raft->lease_until = raft->round_ns + span;
    }
}

void gd__reads_confirm(struct gd_raft *raft)
{
    if (raft->role != GD_ROLE_LEADER) {
        return;
    }
    if (raft->round_open && confirmed(raft)) {
        raft->round_open = false;
        extend_lease(raft);
        answer_round(raft, raft->round);
    }
    if (raft->round_open && raft->now >= raft->round_retry_ns) {
        GD_REACHED("a read's round asks all: those asked first are silent");
        raft->round_retry_ns = GD__NEVER;
        gd__replication_heartbeat(raft);
    }
    if (raft->wait_count == 0 || raft->commit < raft->term_start) { /* I2 */
        return;
    }
    if (gd__reads_may_lease(raft) && raft->now < raft->lease_until) {
        GD_REACHED("reads answered under a lease");
        for (size_t i = 0; i < raft->wait_count; i++) {
            answer(raft, &raft->waits[i], raft->commit, raft->wall_ms);
        }
        raft->wait_count = 0;
        return;
    }
    if (raft->now < raft->lease_until) {
        GD_REACHED("a lease that runs is not used: its leader has left, or hands over");
    }
    if (!raft->round_open) {
        begin_round(raft);
        if (confirmed(raft)) { /* Alone: nobody is to be asked. */
            raft->round_open = false;
            answer_round(raft, raft->round);
        }
    }
}

void gd__reads_tick(struct gd_raft *raft)
{
    size_t kept = 0;

    if (raft->role == GD_ROLE_LEADER) {
        return;
    }
    for (size_t i = 0; i < raft->wait_count; i++) {
        if (raft->now - raft->waits[i].asked_ns >= raft->options.election_timeout_ns) {
            GD_REACHED("the leader did not answer a ReadIndex");
            gd__raft_answer_read(raft, raft->waits[i].token, GD_ERR_NOT_LEADER, 0, 0);
        } else {
            raft->waits[kept++] = raft->waits[i];
        }
    }
    raft->wait_count = kept;
}

gd_time_ns gd__reads_deadline(const struct gd_raft *raft)
{
    gd_time_ns deadline = GD__NEVER;

    if (raft->role == GD_ROLE_LEADER) {
        return raft->round_open ? raft->round_retry_ns : deadline;
    }
    for (size_t i = 0; i < raft->wait_count && raft->role != GD_ROLE_LEADER; i++) {
        gd_time_ns at = raft->waits[i].asked_ns + raft->options.election_timeout_ns;
        deadline = at < deadline ? at : deadline;
    }
    return deadline;
}
