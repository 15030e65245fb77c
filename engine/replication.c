/* replication.c - the log from a leader to its peers, and what a majority has stored.
 *
 * Sources: paper sections 5.3, 5.4.2 (commit), 7 (snapshots); thesis 10.2 (pipelining, writing to
 * the leader's disk in parallel).
 *
 * A peer is in one of three states. PROBE: where its log ends is not known; one append at a time.
 * REPLICATE: appends follow one another without waiting, within a window of messages and bytes.
 * SNAPSHOT: what it needs is gone from the log; chunks of the newest snapshot go to it, one at a
 * time. Any doubt (a refusal, a lost connection) goes back to PROBE, with an empty window.
 *
 * Invariants
 *   T1. `match` grows by answers of the present term and of the peer's present start alone; what it
 *       names is stored there.
 *   T2. The commit index moves to entries of the leader's own term alone (paper 5.4.2).
 *   T3. A leader counts itself only up to what is stored here.
 *   T4. A follower acknowledges only what this append verified, once it is stored.
 *   T5. A committed entry is never truncated; a snapshot at or below the commit index changes
 * nothing. */
#include "engine/raft_internal.h"
#include "engine/memory.h"

struct gd__progress *gd__replication_find(struct gd_raft *raft, gd_node_id id)
{
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        if (raft->progress[i].id == id) {
            return id == raft->options.id ? NULL : &raft->progress[i];
        }
    }
    return NULL;
}

static void empty_window(struct gd__progress *p)
{
    p->flight_first = p->flight_count = 0;
    p->flight_size = 0;
    p->probing = false;
    p->pushing = false;
}

static void to_probe(struct gd__progress *p)
{
    p->state = GD_PROGRESS_PROBE;
    p->next = p->next > p->match + 1 ? p->next : p->match + 1;
    empty_window(p);
}

static struct gd__progress new_progress(const struct gd_raft *raft, gd_node_id id)
{
    return (struct gd__progress){
        .id = id,
        .state = GD_PROGRESS_PROBE,
        .next = raft->log.last + 1,
        .push_ns = GD__NEVER,
        .contact_ns = raft->now,
    };
}

void gd__replication_begin(struct gd_raft *raft)
{
    raft->progress_count = 0; /* Nothing is kept from another leadership. */
    gd__replication_follow_config(raft);
}

void gd__replication_follow_config(struct gd_raft *raft)
{
    const struct gd_config *config = gd__raft_config(raft);
    struct gd__progress *rows = gd_calloc(GD_MEMBERS_MAX, sizeof rows[0]);

    for (uint32_t i = 0; i < config->count; i++) {
        gd_node_id id = config->members[i].id;
        rows[i] = new_progress(raft, id);
        for (uint32_t k = 0; k < raft->progress_count; k++) {
            if (raft->progress[k].id == id) {
                rows[i] = raft->progress[k];
            }
        }
    }
    gd_free(raft->progress);
    raft->progress = rows;
    raft->progress_count = config->count;
}

/* ---------------------------------------------------------------- commit */

static void commit_up_to(struct gd_raft *raft, gd_index index)
{
    while (raft->commit < index) {
        size_t weight = gd_entry_weight(gd_log_entry(&raft->log, ++raft->commit));
        raft->uncommitted_size -= weight < raft->uncommitted_size ? weight : raft->uncommitted_size;
    }
}

void gd__replication_commit(struct gd_raft *raft)
{
    const struct gd_config *config = gd__raft_config(raft);
    uint64_t reached[GD_MEMBERS_MAX];
    gd_index index;

    for (uint32_t i = 0; i < config->count; i++) {
        const struct gd__progress *p = gd__replication_find(raft, config->members[i].id);
        reached[i] = config->members[i].id == raft->options.id ? raft->stored /* T3 */
                     : p == NULL                               ? 0
                                                               : p->match;
    }
    index = gd_quorum_reached(config, reached);
    if (index <= raft->commit) {
        return;
    }
    if (gd_log_term(&raft->log, index) != raft->hard_state.term) { /* T2 */
        GD_REACHED("a majority stores an entry of an earlier term: not committed by that");
        return;
    }
    commit_up_to(raft, index);
}

/* ---------------------------------------------------------------- leader: out */

static struct gd_raft_send *new_append(struct gd_raft *raft, struct gd__progress *p,
                                       gd_index previous)
{
    struct gd_raft_send *send = gd__raft_send(raft, p->id, GD_MESSAGE_APPEND);

    send->message.append = (struct gd_message_append){
        .previous = {gd_log_term(&raft->log, previous), previous},
        .commit = raft->commit,
        .round = raft->round,
    };
    p->commit_sent = raft->commit;
    p->push_ns = GD__NEVER;
    return send;
}

static void send_empty(struct gd_raft *raft, struct gd__progress *p)
{
    gd_index previous = p->next - 1;

    if (p->state == GD_PROGRESS_SNAPSHOT || previous < raft->log.before.index) {
        previous = 0; /* Agrees with any log; tells no more than who leads. */
    }
    (void)new_append(raft, p, previous);
}

/* An array that the step's send borrows and the next step drops; ends with NULL. */
static struct gd_entry **new_array(struct gd_raft *raft, size_t count)
{
    struct gd_entry **array = gd_calloc(count + 1, sizeof(struct gd_entry *));

    if (raft->send_array_count == raft->send_array_capacity) {
        raft->send_array_capacity =
            raft->send_array_capacity == 0 ? 16 : raft->send_array_capacity * 2;
        raft->send_arrays =
            gd_realloc(raft->send_arrays, raft->send_array_capacity * sizeof raft->send_arrays[0]);
    }
    raft->send_arrays[raft->send_array_count++] = array;
    return array;
}

/* One batch from `next`; what it weighs. */
static size_t send_batch(struct gd_raft *raft, struct gd__progress *p)
{
    struct gd_raft_send *send = new_append(raft, p, p->next - 1);
    size_t size = 0, count = 0;
    struct gd_entry **array;

    while (p->next + count <= raft->log.last) {
        size_t weight = gd_entry_weight(gd_log_entry(&raft->log, p->next + count));
        if (count > 0 && size + weight > raft->options.batch_size_max) {
            break;
        }
        size += weight;
        count++;
    }
    array = new_array(raft, count);
    for (size_t i = 0; i < count; i++) {
        array[i] = gd_entry_share(gd_log_entry(&raft->log, p->next + i));
    }
    send->message.append.entries = array;
    send->message.append.entry_count = count;
    return size;
}

static void send_chunk(struct gd_raft *raft, struct gd__progress *p)
{
    struct gd_raft_send *send = gd__raft_send(raft, p->id, GD_MESSAGE_INSTALL_SNAPSHOT);

    send->message.install = (struct gd_message_install_snapshot){
        .position = p->snapshot,
        .size = p->snapshot_size,
        .offset = p->snapshot_offset,
        .round = raft->round,
    };
    p->chunk_ns = raft->now;
}

/* The newest is to be sent from its beginning. */
static void choose_snapshot(const struct gd_raft *raft, struct gd__progress *p)
{
    p->snapshot = raft->snapshot.position;
    p->snapshot_size = raft->snapshot.size;
    p->snapshot_offset = 0;
    p->chunk_ns = raft->now;
}

static void to_snapshot(struct gd_raft *raft, struct gd__progress *p)
{
    GD_REACHED("peer needs a snapshot");
    empty_window(p);
    p->state = GD_PROGRESS_SNAPSHOT;
    choose_snapshot(raft, p);
    send_chunk(raft, p);
}

/* What this peer may get now. */
static void send_to(struct gd_raft *raft, struct gd__progress *p)
{
    if (p->state == GD_PROGRESS_SNAPSHOT) {
        return;
    }
    if (p->next - 1 < raft->log.before.index) {
        to_snapshot(raft, p);
        return;
    }
    if (p->state == GD_PROGRESS_PROBE) {
        if (!p->probing) {
            p->probing = true;
            (void)send_batch(raft, p);
        }
        return;
    }
    while (p->next <= raft->log.last && p->flight_count < raft->options.window_count_max &&
           (p->flight_count == 0 || p->flight_size < raft->options.window_size_max)) {
        size_t size = send_batch(raft, p);
        const struct gd_raft_send *send = &raft->sends[raft->effects->send_count - 1];
        p->next += send->message.append.entry_count;
        p->flights[(p->flight_first + p->flight_count++) % GD__FLIGHT_MAX] =
            (struct gd__flight){.last = p->next - 1, .size = size};
        p->flight_size += size;
    }
}

void gd__replication_all(struct gd_raft *raft)
{
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        if (raft->progress[i].id != raft->options.id) {
            send_to(raft, &raft->progress[i]);
        }
    }
}

/* Also what has to be said again in time is said here: steady reads put the timer's heartbeats off
 * for ever, each of their rounds being one. */
void gd__replication_heartbeat(struct gd_raft *raft)
{
    raft->heartbeat_deadline = raft->now + raft->options.heartbeat_ns;
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        struct gd__progress *p = &raft->progress[i];
        if (p->id == raft->options.id) {
            continue;
        }
        p->pushing = false;
        if (p->state == GD_PROGRESS_PROBE && p->next - 1 < raft->log.before.index) {
            to_snapshot(raft, p);
        }
        send_empty(raft, p); /* In PROBE it is the next probe, should the last be lost. */
        if (p->state == GD_PROGRESS_SNAPSHOT &&
            raft->now - p->chunk_ns >= raft->options.election_timeout_ns) {
            GD_REACHED("snapshot chunk sent again");
            send_chunk(raft, p);
        }
    }
    gd__election_transfer_go(raft);
}

void gd__replication_ask(struct gd_raft *raft)
{
    const struct gd_config *config = gd__raft_config(raft);
    bool asked[GD_MEMBERS_MAX] = {false};

    for (uint32_t i = 0; i < raft->progress_count; i++) {
        asked[i] = raft->progress[i].id == raft->options.id;
    }
    while (!gd_quorum_yes(config, asked)) {
        uint32_t best = raft->progress_count;

        for (uint32_t i = 0; i < raft->progress_count; i++) {
            if (!asked[i] && gd_config_votes(config, raft->progress[i].id) &&
                (best == raft->progress_count ||
                 raft->progress[i].contact_ns > raft->progress[best].contact_ns)) {
                best = i;
            }
        }
        if (best == raft->progress_count) {
            return;
        }
        asked[best] = true;
        send_empty(raft, &raft->progress[best]);
    }
}

void gd__replication_want(struct gd_raft *raft, gd_node_id peer, gd_index index)
{
    struct gd__progress *p = gd__replication_find(raft, peer);

    if (p != NULL && p->wanted < index) {
        p->wanted = index;
    }
}

/* Is it time that this peer, who lacks some of it, learns the commit index? */
static bool push_is_due(const struct gd_raft *raft, struct gd__progress *p)
{
    if (p->wanted > p->commit_sent || raft->options.push_delay_ns == 0) {
        return true;
    }
    if (p->push_ns == GD__NEVER) {
        p->push_ns = raft->now + raft->options.push_delay_ns;
    }
    if (raft->now >= p->push_ns) {
        GD_REACHED("commit index told by itself: no append came along");
        return true;
    }
    return false;
}

void gd__replication_push_commit(struct gd_raft *raft)
{
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        struct gd__progress *p = &raft->progress[i];
        if (p->id != raft->options.id && p->state == GD_PROGRESS_REPLICATE && !p->pushing &&
            p->commit_sent < raft->commit && push_is_due(raft, p)) {
            p->pushing = true;
            send_empty(raft, p);
        }
    }
}

gd_time_ns gd__replication_deadline(const struct gd_raft *raft)
{
    gd_time_ns deadline = GD__NEVER;

    for (uint32_t i = 0; i < raft->progress_count; i++) {
        const struct gd__progress *p = &raft->progress[i];
        if (p->push_ns < deadline && p->state == GD_PROGRESS_REPLICATE && !p->pushing) {
            deadline = p->push_ns;
        }
    }
    return deadline;
}

void gd__replication_tick(struct gd_raft *raft)
{
    if (raft->role == GD_ROLE_LEADER && raft->now >= raft->heartbeat_deadline) {
        gd__replication_heartbeat(raft);
    }
}

void gd__replication_unreachable(struct gd_raft *raft, gd_node_id peer)
{
    struct gd__progress *p = gd__replication_find(raft, peer);

    if (raft->role != GD_ROLE_LEADER || p == NULL) {
        return;
    }
    if (p->state != GD_PROGRESS_PROBE) {
        GD_REACHED("peer unreachable: probed again");
    }
    p->next = p->match + 1;
    to_probe(p);
}

/* ---------------------------------------------------------------- leader: in */

static void free_flights(struct gd__progress *p)
{
    while (p->flight_count > 0 && p->flights[p->flight_first].last <= p->match) {
        p->flight_size -= p->flights[p->flight_first].size;
        p->flight_first = (p->flight_first + 1) % GD__FLIGHT_MAX;
        p->flight_count--;
    }
}

static void on_success(struct gd_raft *raft, struct gd__progress *p, struct gd_position last)
{
    if (last.index > raft->log.last ||
        (last.index > p->match && last.index > raft->log.before.index &&
         gd_log_term(&raft->log, last.index) != last.term)) {
        return; /* Not of this log: no honest peer of this term says so. */
    }
    if (last.index > p->match) {
        p->match = last.index; /* T1 */
        free_flights(p);
        gd__replication_commit(raft);
    }
    if (p->next <= p->match) {
        p->next = p->match + 1;
    }
    if (p->state == GD_PROGRESS_SNAPSHOT && p->match >= p->snapshot.index) {
        to_probe(p);
    }
    if (p->state == GD_PROGRESS_PROBE && p->match + 1 == p->next) {
        p->state = GD_PROGRESS_REPLICATE;
        empty_window(p);
    }
    send_to(raft, p);
    gd__election_transfer_go(raft);
}

static void on_refusal(struct gd_raft *raft, struct gd__progress *p,
                       const struct gd_message_append_resp *resp)
{
    gd_index index = resp->last.index;

    if (p->state == GD_PROGRESS_SNAPSHOT || resp->rejected <= p->match ||
        resp->rejected > raft->log.last) {
        return; /* Late: answered meanwhile. */
    }
    if (p->state == GD_PROGRESS_PROBE && resp->rejected != p->next - 1) {
        return;
    }
    /* Skip our entries of terms that the follower cannot have there (thesis 3.5). */
    if (index >= resp->rejected) {
        index = resp->rejected - 1;
    }
    while (index > raft->log.before.index && gd_log_term(&raft->log, index) > resp->last.term) {
        index--;
    }
    if (resp->rejected == raft->log.before.index && resp->last.index >= resp->rejected) {
        GD_REACHED("another's entries stand where the log begins");
    }
    p->next = (index > p->match ? index : p->match) + 1;
    p->state = GD_PROGRESS_PROBE;
    empty_window(p);
    send_to(raft, p);
}

/* False: the answer is of an earlier start of the peer. */
static bool same_boot(struct gd_raft *raft, struct gd__progress *p, const struct gd_message *m)
{
    if (m->boot < p->boot) {
        GD_REACHED("answer of a peer's earlier start");
        return false;
    }
    if (m->boot > p->boot) {
        if (p->boot != 0) { /* What it had stored it has; what was on its way is lost. */
            GD_REACHED("peer restarted under the same leader");
            p->next = raft->log.last + 1;
            p->match = 0;
            to_probe(p);
        }
        p->boot = m->boot;
    }
    return true;
}

static void on_append_resp(struct gd_raft *raft, const struct gd_message *m)
{
    struct gd__progress *p = gd__replication_find(raft, m->from);

    if (raft->role != GD_ROLE_LEADER || p == NULL || !same_boot(raft, p, m)) {
        return;
    }
    p->contact_ns = raft->now;
    p->pushing = false;
    if (m->append_resp.round > p->round_acked && m->append_resp.round <= raft->round) {
        p->round_acked = m->append_resp.round;
    }
    if (m->append_resp.success) {
        on_success(raft, p, m->append_resp.last);
    } else {
        on_refusal(raft, p, &m->append_resp);
    }
}

static void on_install_resp(struct gd_raft *raft, const struct gd_message *m)
{
    const struct gd_message_install_snapshot_resp *resp = &m->install_resp;
    struct gd__progress *p = gd__replication_find(raft, m->from);

    if (raft->role != GD_ROLE_LEADER || p == NULL || !same_boot(raft, p, m)) {
        return;
    }
    p->contact_ns = raft->now;
    if (p->state != GD_PROGRESS_SNAPSHOT || gd_position_compare(resp->position, p->snapshot) != 0) {
        return;
    }
    if (resp->done) {
        GD_REACHED("peer has installed a snapshot");
        if (p->match < resp->position.index) {
            p->match = resp->position.index;
            gd__replication_commit(raft);
        }
        p->next = p->match + 1;
        to_probe(p);
        send_to(raft, p);
        return;
    }
    if (resp->offset == 0 || resp->offset > p->snapshot_size) {
        /* It begins anew, with the newest: in time, since what failed there (a full disk, say)
         * would fail again and again at the network's pace. */
        GD_REACHED("snapshot begun anew for a peer that could not take it");
        choose_snapshot(raft, p);
        return;
    }
    p->snapshot_offset = resp->offset;
    send_chunk(raft, p);
}

/* ---------------------------------------------------------------- follower */

static void heard_leader(struct gd_raft *raft)
{
    raft->leader_contact = raft->now;
    gd__election_reset_deadline(raft);
}

static void acknowledge(struct gd_raft *raft, const struct gd_message *m, struct gd_position last)
{
    struct gd_raft_send *send = gd__raft_send_durable(raft, m->from, GD_MESSAGE_APPEND_RESP);

    if (raft->hard_state_sequence <= raft->durable && last.index <= raft->stored) {
        send->after = 0;
    }
    send->after_position = last;
    send->message.append_resp = (struct gd_message_append_resp){
        .success = true, .last = last, .round = m->append.round}; /* T4 */
}

static void accept(struct gd_raft *raft, const struct gd_message *m, struct gd_position last)
{
    if (m->append.entry_count == 0 && last.index > raft->stored) {
        /* All up to `last` agrees with the leader's: what is stored of it is told at once, so that
         * a read's round does not wait for a sync. */
        acknowledge(raft, m, gd_raft_stored(raft));
    }
    acknowledge(raft, m, last);
}

static void refuse(struct gd_raft *raft, const struct gd_message *m)
{
    struct gd_position previous = m->append.previous;
    gd_index index = raft->log.last < previous.index ? raft->log.last : previous.index;
    struct gd_raft_send *send = gd__raft_send(raft, m->from, GD_MESSAGE_APPEND_RESP);

    while (index > raft->log.before.index && gd_log_term(&raft->log, index) > previous.term) {
        index--;
    }
    send->after = raft->hard_state_sequence > raft->durable ? raft->hard_state_sequence : 0;
    send->message.append_resp = (struct gd_message_append_resp){
        .success = false,
        .last = {gd_log_term(&raft->log, index), index},
        .rejected = previous.index,
        .round = m->append.round,
    };
}

/* Alive, and no more: see lag.c. */
static void pass_over(struct gd_raft *raft, const struct gd_message *m)
{
    struct gd_raft_send *send = gd__raft_send(raft, m->from, GD_MESSAGE_APPEND_RESP);

    send->after = raft->hard_state_sequence > raft->durable ? raft->hard_state_sequence : 0;
    send->message.append_resp =
        (struct gd_message_append_resp){.success = false, .round = m->append.round};
}

/* Entries that are not there yet, after whatever they contradict is cut. False: they contradict
 * what is committed; no honest leader sends that. */
static bool take_entries(struct gd_raft *raft, const struct gd_message_append *append)
{
    for (size_t i = 0; i < append->entry_count; i++) {
        struct gd_entry *entry = append->entries[i];
        gd_index index = entry->position.index;
        if (index <= raft->log.before.index) {
            continue; /* Compacted: committed, so it agrees. */
        }
        if (index <= raft->log.last) {
            if (gd_log_term(&raft->log, index) == entry->position.term) {
                continue;
            }
            if (index <= raft->commit) { /* T5 */
                return false;
            }
            gd__raft_truncate(raft, index);
        }
        gd__raft_append(raft, gd_entry_share(entry));
    }
    return true;
}

/* Terms in a log never fall, and none is above its leader's (paper 5.3). */
static bool terms_are_sound(const struct gd_message *m)
{
    gd_term term = m->append.previous.term;

    for (size_t i = 0; i < m->append.entry_count; i++) {
        gd_term next = m->append.entries[i]->position.term;
        if (next == 0 || next < term || next > m->term) {
            return false;
        }
        term = next;
    }
    return true;
}

static void on_append(struct gd_raft *raft, const struct gd_message *m)
{
    const struct gd_message_append *append = &m->append;
    gd_index verified = append->previous.index + append->entry_count;
    struct gd_position last;

    if (!terms_are_sound(m)) {
        return; /* Bytes from a peer are not asserted on. */
    }
    heard_leader(raft);
    if (gd__lag_full(raft)) {
        GD_REACHED("append not taken: the database is too far behind");
        pass_over(raft, m);
        return;
    }
    if (append->previous.index > raft->log.last ||
        (append->previous.index >= raft->log.before.index &&
         gd_log_term(&raft->log, append->previous.index) != append->previous.term)) {
        GD_REACHED("append refused: the entry before it is missing or another");
        refuse(raft, m);
        return;
    }
    if (verified < raft->log.before.index) {
        /* All of it is behind our snapshot, so committed and the same. */
        GD_REACHED("append behind the snapshot");
        verified = raft->log.before.index;
    } else if (append->previous.index < raft->log.before.index &&
               append->entries[raft->log.before.index - append->previous.index - 1]
                       ->position.term != raft->log.before.term) {
        return; /* It contradicts our snapshot: no honest leader sends that. */
    }
    if (!take_entries(raft, append)) {
        return;
    }
    last = (struct gd_position){gd_log_term(&raft->log, verified), verified};
    if (append->commit > raft->commit) {
        gd_index commit = append->commit < verified ? append->commit : verified;
        raft->commit = commit > raft->commit ? commit : raft->commit;
    }
    accept(raft, m, last);
}

static void answer_install(struct gd_raft *raft, gd_node_id to, struct gd_position position,
                           uint64_t offset, bool done)
{
    struct gd_raft_send *send = gd__raft_send_durable(raft, to, GD_MESSAGE_INSTALL_SNAPSHOT_RESP);

    send->message.install_resp = (struct gd_message_install_snapshot_resp){
        .position = position, .offset = offset, .done = done};
}

static void on_install(struct gd_raft *raft, const struct gd_message *m)
{
    heard_leader(raft);
    if (m->install.position.index <= raft->commit) { /* T5 */
        GD_REACHED("snapshot not needed any more");
        answer_install(raft, m->from, m->install.position, m->install.size, true);
        return;
    }
    raft->effects->chunk =
        (struct gd_raft_chunk){.wanted = true, .from = m->from, .install = m->install};
}

void gd__replication_progress(struct gd_raft *raft, struct gd_position position, uint64_t offset)
{
    if (raft->role == GD_ROLE_FOLLOWER && raft->leader != 0) {
        answer_install(raft, raft->leader, position, offset, false);
    }
}

void gd__replication_message(struct gd_raft *raft, const struct gd_message *m)
{
    switch (m->type) {
    case GD_MESSAGE_APPEND:
        on_append(raft, m);
        break;
    case GD_MESSAGE_APPEND_RESP:
        on_append_resp(raft, m);
        break;
    case GD_MESSAGE_INSTALL_SNAPSHOT:
        on_install(raft, m);
        break;
    default:
        on_install_resp(raft, m);
        break;
    }
}

/* ---------------------------------------------------------------- snapshots of our own */

/* Times the tail's bytes: what stays of the log at most. */
enum { HELD_FACTOR = 4 };

/* The first index that no peer who is under way lacks: who takes a snapshot in goes on right behind
 * it, and who was heard of late goes on where it is. */
static gd_index lacked_by_nobody(const struct gd_raft *raft)
{
    gd_index lowest = raft->log.last;

    for (uint32_t i = 0; raft->role == GD_ROLE_LEADER && i < raft->progress_count; i++) {
        const struct gd__progress *p = &raft->progress[i];
        gd_index has = p->state == GD_PROGRESS_SNAPSHOT && p->snapshot.index > p->match
                           ? p->snapshot.index
                           : p->match;
        if (p->id != raft->options.id && has < lowest &&
            raft->now - p->contact_ns < raft->options.election_timeout_ns) {
            lowest = has;
        }
    }
    return lowest;
}

/* How far the log may be cut behind the snapshot: a tail stays, in entries and in bytes, and
 * nothing that is not stored goes. For peers under way more stays: under a load that fills the tail
 * while a snapshot is on its way each would need another one on its arrival, for ever. */
static gd_index cut_of(const struct gd_raft *raft)
{
    gd_index cut = raft->snapshot.position.index;
    gd_index nobody = lacked_by_nobody(raft);
    size_t size = 0;

    if (cut > raft->stored) {
        cut = raft->stored;
    }
    for (uint64_t kept = 0; cut > raft->log.before.index; kept++) {
        size += gd_entry_weight(gd_log_entry(&raft->log, cut));
        if (kept >= raft->options.tail_count || size > raft->options.tail_size_max) {
            if (cut <= nobody || size > HELD_FACTOR * raft->options.tail_size_max) {
                break;
            }
            GD_REACHED("log held for a peer that is being brought up");
        }
        cut--;
    }
    return cut;
}

void gd__replication_taken(struct gd_raft *raft, const struct gd_snapshot_meta *meta)
{
    if (meta->position.index <= raft->snapshot.position.index) {
        return;
    }
    GD_ASSERT(meta->position.index <= raft->commit ||
              gd_log_term(&raft->log, meta->position.index) == meta->position.term);
    if (meta->position.index > raft->commit) {
        raft->commit = meta->position.index; /* A restart forgot how far it was. */
    }
    raft->snapshot = *meta;
    gd_log_compact(&raft->log, cut_of(raft));
    gd__membership_compacted(raft, meta->position.index);
}

void gd__replication_installed(struct gd_raft *raft, const struct gd_snapshot_meta *meta)
{
    struct gd_raft_effects *effects = raft->effects;

    if (meta->position.term > raft->hard_state.term) {
        /* Told again at a start: it became durable, and the term that came with it did not. */
        GD_REACHED("installed snapshot is of a later term than the log knows");
        gd__raft_become_follower(raft, meta->position.term, 0);
    }
    if (meta->position.index > raft->commit) {
        if (gd_log_term(&raft->log, meta->position.index) == meta->position.term) {
            GD_REACHED("installed snapshot agrees with the log");
            commit_up_to(raft, meta->position.index); /* The entries are here: they are applied. */
            raft->snapshot = *meta;
            gd__membership_compacted(raft, meta->position.index);
        } else {
            GD_REACHED("installed snapshot replaces the log");
            if (raft->role != GD_ROLE_FOLLOWER) {
                /* Its ballots are by the places of the configuration that goes now. */
                GD_REACHED("candidate gives up: an installed snapshot replaces its log");
                gd__raft_become_follower(raft, raft->hard_state.term, 0);
            }
            gd__raft_cut(raft, meta->position.index + 1);
            effects->persist.reset = true;
            effects->persist.reset_to = meta->position;
            gd_log_reset(&raft->log, meta->position);
            raft->snapshot = *meta;
            raft->commit = raft->stored = meta->position.index;
            gd__membership_init(raft, meta); /* A newer one that the lost log held is gone, too. */
            effects->config_changed = true;
            effects->snapshot_restore = true;
        }
    }
    if (raft->role == GD_ROLE_FOLLOWER && raft->leader != 0) {
        answer_install(raft, raft->leader, meta->position, meta->size, true);
    }
}
