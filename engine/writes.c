/* writes.c - this node's open writes.
 *
 * Why. A client's write must reach the log once, whoever leads, and the client must be told the
 * truth about it: done, certainly not done, or not known.
 *
 * How. Each write is numbered and kept, in order, until its own entry is applied here or it is
 * given up. Whenever the leader is another, or the way to it broke, or it has not acknowledged in
 * time, what is open is sent again, all of it in order; the dedup table (proposal.h) lets it
 * through once. So a resend is always safe, and a client's pipelined writes keep their order.
 *
 * Invariants
 *   W1. A write that was ever given to a log or another node ends applied or UNKNOWN, never as an
 * error that says it was not done. A CLIENT_ERROR is no proof: the message that it answers may have
 *       arrived twice.
 *   W2. MOVED, NO_LEADER, BUSY and STOPPING are answered only to writes never given to anybody.
 *   W3. `low` never passes an open write.
 *   W4. A forwarded write goes into a leader's log only behind those of its origin that were open
 * before it: so frames that are lost do not turn a client's pipeline around. */
#include "engine/node_internal.h"
#include "engine/memory.h"

enum { CAPACITY_FIRST = 64, PROPOSE_COUNT_MAX = 512 };

static struct gd__write *at(struct gd_node *node, uint64_t sequence)
{
    return &node->writes.ring[sequence & (node->writes.capacity - 1)];
}

static void grow(struct gd__writes *writes)
{
    size_t capacity = writes->capacity == 0 ? CAPACITY_FIRST : writes->capacity * 2;
    struct gd__write *ring = gd_calloc(capacity, sizeof *ring);

    for (uint64_t sequence = writes->low; sequence < writes->next; sequence++) {
        ring[sequence & (capacity - 1)] = writes->ring[sequence & (writes->capacity - 1)];
    }
    gd_free(writes->ring);
    writes->ring = ring;
    writes->capacity = capacity;
}

/* Ends a write; its slot, if it still has one, is the caller's. */
static struct gd__slot *close_write(struct gd_node *node, uint64_t sequence)
{
    struct gd__writes *writes = &node->writes;
    struct gd__write *write = at(node, sequence);
    struct gd__slot *slot = write->slot;

    writes->size -= gd_entry_weight(write->entry);
    gd_entry_drop(write->entry);
    *write = (struct gd__write){0};
    while (writes->low < writes->next && at(node, writes->low)->entry == NULL) { /* W3 */
        writes->low++;
    }
    if (writes->send_from < writes->low) {
        writes->send_from = writes->low;
    }
    return slot;
}

static void end_with(struct gd_node *node, uint64_t sequence, enum gd_outcome_kind kind,
                     const char *text)
{
    struct gd__slot *slot;

    GD_ASSERT(!at(node, sequence)->ever_sent || kind == GD_OUTCOME_UNKNOWN); /* W1, W2 */
    slot = close_write(node, sequence);
    if (slot != NULL) {
        gd__slot_outcome(slot, kind, text);
    }
}

void gd__write_begin(struct gd_node *node, struct gd__slot *slot, struct gd_slice body)
{
    struct gd__writes *writes = &node->writes;
    struct gd_proposal proposal;
    struct gd__write *write;

    if (node->phase != GD__SERVING) {
        gd__slot_outcome(slot, GD_OUTCOME_STOPPING, "the node is stopping");
        return;
    }
    if (node->apply.away) {
        GD_REACHED("write refused: database away");
        gd__slot_outcome(slot, GD_OUTCOME_DATABASE, "the database of this node is away");
        return;
    }
    if (body.size > node->options.request_size_max) {
        gd__slot_outcome(slot, GD_OUTCOME_BUSY, "the request is larger than request_size_max");
        return;
    }
    if (writes->size + body.size > node->options.pending_size_max ||
        writes->next - writes->low >= GD_PROPOSAL_WINDOW - 1) {
        GD_REACHED("write refused: too many open");
        gd__slot_outcome(slot, GD_OUTCOME_BUSY, "too many writes wait on this node");
        return;
    }
    if (gd_wal_full(node->wal)) {
        GD_REACHED("write refused: disk full");
        gd__slot_outcome(slot, GD_OUTCOME_BUSY, "no space left on the disk of this node");
        return;
    }
    if (writes->next - writes->low >= writes->capacity) {
        grow(writes);
    }
    proposal = (struct gd_proposal){
        .origin = node->identity.node_id,
        .boot = node->identity.boot,
        .sequence = writes->next,
        .low = writes->low,
    };
    write = at(node, writes->next++);
    *write = (struct gd__write){.slot = slot, .begun_ns = gd_io_now(node->io)};
    write->entry = gd_entry_new(GD_ENTRY_REQUEST, NULL, GD_PROPOSAL_HEADER_SIZE + body.size);
    gd_proposal_encode_header(&proposal, write->entry->data);
    if (body.size > 0) {
        memcpy(write->entry->data + GD_PROPOSAL_HEADER_SIZE, body.data, body.size);
    }
    writes->size += gd_entry_weight(write->entry);
    node->status.writes++;
    gd__node_watch(node);
    gd__node_kick(node);
}

struct gd__slot *gd__write_take(struct gd_node *node, const struct gd_proposal *proposal)
{
    if (proposal->origin != node->identity.node_id || proposal->boot != node->identity.boot ||
        proposal->sequence < node->writes.low || proposal->sequence >= node->writes.next ||
        at(node, proposal->sequence)->entry == NULL) {
        return NULL;
    }
    return close_write(node, proposal->sequence);
}

/* ---------------------------------------------------------------- sending */

void gd__writes_resend(struct gd_node *node)
{
    struct gd__writes *writes = &node->writes;

    for (uint64_t sequence = writes->low; sequence < writes->next; sequence++) {
        at(node, sequence)->sent = false;
        at(node, sequence)->acknowledged = false;
    }
    writes->send_from = writes->low;
    writes->missing = false;
    gd__node_kick(node);
}

/* An entry that lies in our own log has a position; another log's must be a fresh one. */
static struct gd_entry *fresh(const struct gd_entry *entry)
{
    return gd_entry_new(entry->type, entry->data, entry->size);
}

/* A batch of our own writes into our own log. False: no more of them now. */
static bool propose_batch(struct gd_node *node)
{
    struct gd__writes *writes = &node->writes;
    struct gd_entry *entries[PROPOSE_COUNT_MAX];
    uint64_t sequences[PROPOSE_COUNT_MAX];
    struct gd_raft_event event = {.kind = GD_RAFT_PROPOSE};
    enum gd_err result;
    size_t size = 0, count = 0;
    uint64_t sequence = writes->send_from;

    for (; sequence < writes->next && count < PROPOSE_COUNT_MAX &&
           size < node->options.batch_size_max;
         sequence++) {
        struct gd__write *write = at(node, sequence);
        if (write->entry != NULL && !write->sent) {
            if (write->ever_sent) { /* It may lie in some log already. */
                struct gd_entry *again = fresh(write->entry);
                gd_entry_drop(write->entry);
                write->entry = again;
            }
            entries[count] = write->entry;
            sequences[count++] = sequence;
            size += gd_entry_weight(write->entry);
        }
    }
    if (count == 0) {
        writes->send_from = sequence;
        return false;
    }
    event.propose.entries = entries;
    event.propose.count = count;
    result = gd__node_step(node, &event).result;
    writes->refused = result != GD_OK;
    for (size_t i = 0; i < count; i++) {
        struct gd__write *write = at(node, sequences[i]);
        if (result == GD_OK) {
            write->sent = write->ever_sent = write->acknowledged = true;
        } else if (result == GD_ERR_BUSY && !write->ever_sent) {
            GD_REACHED("write refused: too much uncommitted");
            end_with(node, sequences[i], GD_OUTCOME_BUSY, "too much is waiting to be committed");
        }
    }
    if (result == GD_OK) {
        writes->send_from = sequence;
    }
    return result == GD_OK;
}

/* The other disks go on, and this leader's does not: another should lead, if that lasts. */
static void look_at_disk(struct gd_node *node)
{
    struct gd__writes *writes = &node->writes;
    struct gd_raft_event event = {.kind = GD_RAFT_TRANSFER};
    gd_time_ns now = gd_io_now(node->io);

    if (!gd_raft_disk_behind(node->raft)) {
        writes->disk_ns = 0;
    } else if (writes->disk_ns == 0) {
        writes->disk_ns = now;
    } else if (now - writes->disk_ns >= node->options.election_timeout_ms * GD_NS_PER_MS) {
        GD_REACHED("leader hands over: its disk is too far behind");
        writes->disk_ns = 0;
        (void)gd__node_step(node, &event);
    }
}

static void answer_forwarded(struct gd_node *node, const struct gd__forwarded *one,
                             enum gd_err result, gd_index index)
{
    struct gd_message answer = {
        .type = result == GD_OK ? GD_MESSAGE_CLIENT_RESP : GD_MESSAGE_CLIENT_ERROR,
        .cluster_id = node->identity.cluster_id,
        .from = node->identity.node_id,
        .to = one->from,
        .term = gd_raft_term(node->raft),
        .boot = node->identity.boot,
    };

    if (result == GD_OK) {
        answer.client_resp.sequence = one->sequence;
        answer.client_resp.position = (struct gd_position){answer.term, index};
    } else {
        answer.client_error.sequence = one->sequence;
        answer.client_error.reason = result;
    }
    gd__peer_send(node, &answer);
}

/* May it go into our log now: is what its origin sent before it there (W4)? */
static bool in_order(struct gd_node *node, const struct gd__forwarded *one)
{
    struct gd__peer *origin = gd__peer_find(node, one->from);

    if (origin == NULL) {
        return false;
    }
    if (origin->taken_term != gd_raft_term(node->raft) || origin->taken_boot != one->boot) {
        origin->taken_term = gd_raft_term(node->raft);
        origin->taken_boot = one->boot;
        origin->taken_high = 0;
    }
    if (one->previous > origin->taken_high) {
        GD_REACHED("forwarded write refused: the one before it is missing");
        return false;
    }
    if (one->sequence > origin->taken_high) {
        origin->taken_high = one->sequence;
    }
    return true;
}

/* Writes that others forwarded, into our log. */
static void propose_forwarded(struct gd_node *node)
{
    struct gd__forwarded *list = node->forwarded;
    size_t taken = 0;
    struct gd_entry **entries;
    gd_node_id *origins;
    struct gd_raft_event event = {.kind = GD_RAFT_PROPOSE};
    struct gd_raft_effects effects;

    if (node->forwarded_count == 0) {
        return;
    }
    entries = gd_malloc(node->forwarded_count * sizeof entries[0]);
    origins = gd_malloc(node->forwarded_count * sizeof origins[0]);
    for (size_t i = 0; i < node->forwarded_count; i++) {
        if (in_order(node, &list[i])) {
            list[taken] = list[i];
            origins[taken] = list[i].from;
            entries[taken++] = list[i].entry;
        } else {
            answer_forwarded(node, &list[i], GD_ERR_MORE, 0);
            gd_entry_drop(list[i].entry);
        }
    }
    node->forwarded_count = 0;
    node->forwarded_size = 0;
    if (taken > 0) {
        event.propose.entries = entries;
        event.propose.origins = origins;
        event.propose.count = taken;
        effects = gd__node_step(node, &event);
        for (size_t i = 0; i < taken; i++) {
            if (effects.result != GD_OK) {
                struct gd__peer *origin = gd__peer_find(node, list[i].from);
                GD_REACHED("forwarded writes refused by the leader");
                if (origin != NULL) {
                    origin->taken_high = 0; /* All of it must come again, in order. */
                }
            }
            answer_forwarded(node, &list[i], effects.result, effects.first_index + i);
            gd_entry_drop(list[i].entry);
        }
    }
    gd_free(entries);
    gd_free(origins);
}

/* The nearest open write below `sequence`; 0 when there is none. */
static uint64_t open_before(struct gd_node *node, uint64_t sequence)
{
    while (sequence > node->writes.low) {
        sequence--;
        if (at(node, sequence)->entry != NULL) {
            return sequence;
        }
    }
    return 0;
}

static void forward(struct gd_node *node, struct gd__peer *leader)
{
    struct gd__writes *writes = &node->writes;

    while (writes->send_from < writes->next &&
           leader->output.size < node->options.peer_output_size_max / 2) {
        uint64_t sequence = writes->send_from++;
        struct gd__write *write = at(node, sequence);
        struct gd_message message = {
            .type = GD_MESSAGE_CLIENT_WRITE,
            .cluster_id = node->identity.cluster_id,
            .from = node->identity.node_id,
            .to = leader->id,
            .term = gd_raft_term(node->raft),
            .boot = node->identity.boot,
        };
        if (write->entry == NULL || write->sent) {
            continue;
        }
        message.client_write.sequence = sequence;
        message.client_write.previous = open_before(node, sequence);
        message.client_write.data = (struct gd_slice){write->entry->data, write->entry->size};
        gd__peer_send(node, &message);
        write->sent = write->ever_sent = true;
        write->sent_ns = gd_io_now(node->io);
        node->status.forwarded++;
    }
}

/* Tell clients whose writes nobody has seen where the leader is. */
static void redirect(struct gd_node *node, const struct gd__peer *leader)
{
    struct gd__writes *writes = &node->writes;

    for (uint64_t sequence = writes->send_from; sequence < writes->next; sequence++) {
        struct gd__write *write = at(node, sequence);
        if (write->entry != NULL && !write->ever_sent) {
            struct gd__slot *slot = close_write(node, sequence);
            struct gd_outcome outcome = {
                .kind = GD_OUTCOME_MOVED,
                .slot = slot == NULL ? 0 : slot->key_slot,
                .address = leader->client_address,
                .text = "",
            };
            if (slot != NULL) {
                node->options.parser->v->outcome(
                    node->options.parser, slot->session->parser_session, &outcome, &slot->reply);
                gd__slot_done(slot);
            }
        }
    }
}

void gd__writes_pump(struct gd_node *node)
{
    struct gd__peer *leader;

    if (node->forwarded_count > 0 || node->writes.send_from < node->writes.next) {
        look_at_disk(node);
    }
    propose_forwarded(node);
    if (node->writes.send_from >= node->writes.next) {
        return;
    }
    if (gd_raft_role(node->raft) == GD_ROLE_LEADER) {
        while (!node->writes.refused && propose_batch(node)) {
        }
        return;
    }
    leader = gd__peer_find(node, gd_raft_leader(node->raft));
    if (leader == NULL || leader->state != GD__PEER_UP) {
        return;
    }
    if (node->options.redirect && leader->client_address.text[0] != '\0') {
        redirect(node, leader);
    }
    forward(node, leader);
}

/* ---------------------------------------------------------------- from peers */

/* The leader lacks one of our writes, and refuses what is behind it: all of it goes out again, but
 * not for each of those refusals. What is refused within a heartbeat of a resend (because the
 * leader is too full to take the first of them, say) waits for the next tick. */
static void resend_unacknowledged(struct gd_node *node)
{
    struct gd__writes *writes = &node->writes;
    gd_time_ns now = gd_io_now(node->io);

    if (writes->resent_ns != 0 &&
        now - writes->resent_ns < node->options.heartbeat_ms * GD_NS_PER_MS) {
        GD_REACHED("forwarded writes refused again: the resend waits");
        writes->missing = true;
        return;
    }
    writes->missing = false;
    writes->resent_ns = now;
    for (uint64_t sequence = writes->low; sequence < writes->next; sequence++) {
        if (!at(node, sequence)->acknowledged) {
            at(node, sequence)->sent = false;
        }
    }
    writes->send_from = writes->low;
    gd__node_kick(node);
}

static void refuse(struct gd_node *node, const struct gd_message *message, enum gd_err reason)
{
    struct gd_message answer = {
        .type = GD_MESSAGE_CLIENT_ERROR,
        .cluster_id = node->identity.cluster_id,
        .from = node->identity.node_id,
        .to = message->from,
        .term = gd_raft_term(node->raft),
        .boot = node->identity.boot,
        .client_error = {.sequence = message->client_write.sequence, .reason = reason},
    };

    gd__peer_send(node, &answer);
}

void gd__writes_forwarded(struct gd_node *node, const struct gd_message *message)
{
    struct gd_proposal proposal;
    struct gd__forwarded *forwarded;

    if (gd_raft_role(node->raft) != GD_ROLE_LEADER || node->phase != GD__SERVING) {
        GD_REACHED("forwarded write reached a node that does not lead");
        refuse(node, message, GD_ERR_NOT_LEADER);
        return;
    }
    if (gd_proposal_decode(message->client_write.data, &proposal) != GD_OK ||
        proposal.origin != message->from ||
        message->client_write.data.size >
            node->options.request_size_max + GD_PROPOSAL_HEADER_SIZE) {
        refuse(node, message, GD_ERR_INVALID);
        return;
    }
    if (node->forwarded_size + message->client_write.data.size > node->options.pending_size_max ||
        gd_wal_full(node->wal)) {
        refuse(node, message, GD_ERR_BUSY);
        return;
    }
    if (node->forwarded_count == node->forwarded_capacity) {
        node->forwarded_capacity =
            node->forwarded_capacity == 0 ? 16 : node->forwarded_capacity * 2;
        node->forwarded =
            gd_realloc(node->forwarded, node->forwarded_capacity * sizeof node->forwarded[0]);
    }
    forwarded = &node->forwarded[node->forwarded_count++];
    *forwarded = (struct gd__forwarded){
        .from = message->from,
        .boot = message->boot,
        .sequence = message->client_write.sequence,
        .previous = message->client_write.previous,
        .entry = gd_entry_new(GD_ENTRY_REQUEST, message->client_write.data.data,
                              message->client_write.data.size),
    };
    node->forwarded_size += gd_entry_weight(forwarded->entry);
    gd__node_kick(node);
}

void gd__writes_answer(struct gd_node *node, const struct gd_message *message)
{
    uint64_t sequence = message->type == GD_MESSAGE_CLIENT_RESP ? message->client_resp.sequence
                                                                : message->client_error.sequence;
    struct gd__write *write;

    if (sequence < node->writes.low || sequence >= node->writes.next) {
        return;
    }
    write = at(node, sequence);
    if (write->entry == NULL || message->from != gd_raft_leader(node->raft) ||
        message->term != gd_raft_term(node->raft)) {
        return;
    }
    /* A refusal says nothing of the write's fate (W1): it is sent again, soon when one before it is
     * missing, else in time. */
    if (message->type == GD_MESSAGE_CLIENT_RESP && write->sent) {
        write->acknowledged = true;
    } else if (message->type == GD_MESSAGE_CLIENT_ERROR &&
               message->client_error.reason == GD_ERR_MORE && write->sent && !write->acknowledged) {
        resend_unacknowledged(node);
    }
}

/* ---------------------------------------------------------------- time */

/* Is nobody there to take a write, for so long that the client should know? */
static bool leaderless(const struct gd_node *node, gd_time_ns now)
{
    return gd_raft_leader(node->raft) == 0 &&
           now - node->leader_lost_ns >= node->options.election_timeout_ms * GD_NS_PER_MS;
}

bool gd__writes_expire(struct gd_node *node, gd_time_ns now)
{
    struct gd__writes *writes = &node->writes;
    gd_time_ns patience = node->options.election_timeout_ms * GD_NS_PER_MS;
    gd_time_ns limit = node->options.request_timeout_ms * GD_NS_PER_MS;
    bool alone = leaderless(node, now);

    if (writes->missing) {
        resend_unacknowledged(node);
    }
    for (uint64_t sequence = writes->low; sequence < writes->next; sequence++) {
        struct gd__write *write = at(node, sequence);
        gd_time_ns age;
        if (write->entry == NULL) {
            continue;
        }
        age = now - write->begun_ns;
        if (write->ever_sent && age >= limit) {
            GD_REACHED("write given up: outcome unknown");
            end_with(node, sequence, GD_OUTCOME_UNKNOWN, "the write may or may not be applied");
        } else if (!write->ever_sent && ((alone && age >= patience) || age >= limit)) {
            GD_REACHED("write refused: no leader");
            end_with(node, sequence, GD_OUTCOME_NO_LEADER,
                     alone ? "no leader is known" : "the leader cannot be reached");
        } else if (write->sent && !write->acknowledged && now - write->sent_ns >= patience) {
            GD_REACHED("forwarded write sent again");
            write->sent = false;
            if (sequence < writes->send_from) {
                writes->send_from = sequence;
            }
        }
    }
    return writes->low < writes->next;
}

void gd__writes_restored(struct gd_node *node)
{
    for (uint64_t sequence = node->writes.low; sequence < node->writes.next; sequence++) {
        if (at(node, sequence)->ever_sent &&
            gd_dedup_over(&node->apply.dedup, node->identity.node_id, node->identity.boot,
                          sequence)) {
            GD_REACHED("write applied within a snapshot: its reply is lost");
            end_with(node, sequence, GD_OUTCOME_UNKNOWN,
                     "the write came back within a snapshot, its reply is lost");
        }
    }
}

void gd__writes_fail_all(struct gd_node *node)
{
    struct gd__writes *writes = &node->writes;

    for (uint64_t sequence = writes->low; sequence < writes->next; sequence++) {
        struct gd__write *write = at(node, sequence);
        if (write->entry != NULL) {
            bool sent = write->ever_sent;
            end_with(node, sequence, sent ? GD_OUTCOME_UNKNOWN : GD_OUTCOME_STOPPING,
                     sent ? "the node stopped before the write was applied here"
                          : "the node is stopping");
        }
    }
}

void gd__writes_release(struct gd_node *node)
{
    for (uint64_t sequence = node->writes.low; sequence < node->writes.next; sequence++) {
        gd_entry_drop(at(node, sequence)->entry);
    }
    gd_free(node->writes.ring);
    node->writes = (struct gd__writes){0};
}
