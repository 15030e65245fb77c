/* peer.c - connections between nodes, one each way.
 *
 * What we say to a peer goes over the connection that we made; what it says to us comes over the
 * one it made. So neither waits for the other's address, and a half-broken path shows as what it
 * is. The first frame is a Hello (cluster, node, version, addresses); until it came, a frame is
 * held to be small, so that another protocol's bytes cannot make us buffer. A peer of another
 * cluster, or of a version we do not speak, is logged once and closed.
 *
 * Messages may be lost (the queue's limit, a broken connection) but never cut: Raft sends again
 * what it needs. A lost connection is told to Raft, so that it probes.
 *
 * A Hello also says by which life the sender knows the receiver (lives.c). The members know, too: a
 * life that is not the recorded one is not let in, so that nothing an emptied member says can
 * count.
 *
 * Who has joined and got no log yet knows nobody's address, and so does a member whose log ends
 * before a newer one was added. It answers to where the Hello says that the sender is: a guest,
 * until the configuration catches up or the connection ends. Who told an empty node who it is, the
 * host, stays a guest until there is a configuration, and is asked by the node itself: a member
 * removed before anybody met it again would wait for ever. (It still does if it starts anew before
 * it has a configuration: the host is not kept on disk.)
 *
 * A member that starts elsewhere than the configuration says is found by its own Hello, until an
 * operator tells the cluster (RAFT MOVE): its address and what it said are tried by turns.
 *
 * Invariants
 *   E1. Nothing but a Hello is taken before a Hello was, and nothing of another cluster ever.
 *   E2. A message is taken only from the member that the connection's Hello named, and only if it
 *       is addressed to us.
 *   E3. Nothing is taken from a member in another life than the one on record, or, before there is
 * a record, than the one in which it was heard of first. */
#include "engine/node_internal.h"
#include "engine/memory.h"

enum {
    HELLO_SIZE_MAX = 4096,
    STRANGERS_MAX = 2 * GD_MEMBERS_MAX, /* Connections that have not said Hello yet. */
    RETRY_MS_MIN = 50,
    RETRY_MS_MAX = 2000,
    STEADY_MS = 1000,
    PATIENCE_MS_MIN = 2000
};

struct gd__peer *gd__peer_find(const struct gd_node *node, gd_node_id id)
{
    for (struct gd__peer *peer = node->peers; peer != NULL; peer = peer->next) {
        if (peer->id == id && !peer->removed) {
            return peer;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- our side */

static void free_peer(struct gd__peer *peer)
{
    struct gd_node *node = peer->node;
    struct gd__peer **link = &node->peers;

    while (*link != peer) {
        link = &(*link)->next;
    }
    *link = peer->next;
    gd_timer_stop(node->io, &peer->retry);
    gd_bytes_release(&peer->output);
    gd_bytes_release(&peer->sending);
    gd_bytes_release(&peer->chunk_bytes);
    gd_free(peer);
}

static void try_later(struct gd__peer *peer)
{
    uint64_t wait_ms = RETRY_MS_MIN;

    for (uint32_t i = 0; i < peer->failures && wait_ms < RETRY_MS_MAX; i++) {
        wait_ms *= 2;
    }
    peer->failures++;
    gd_timer_start(peer->node->io, &peer->retry,
                   gd_io_now(peer->node->io) + wait_ms * GD_NS_PER_MS);
}

static void on_peer_closed(struct gd_stream *stream, enum gd_err err)
{
    struct gd__peer *peer = stream->context;
    struct gd_node *node = peer->node;

    (void)err;
    peer->state = GD__PEER_IDLE;
    gd_bytes_clear(&peer->output);
    gd_bytes_clear(&peer->sending);
    peer->writing = false;
    if (peer->removed || node->phase == GD__CLOSING) {
        if (!peer->chunk_reading) {
            free_peer(peer);
        }
    } else {
        try_later(peer);
    }
    gd__node_handle_closed(node);
}

static void close_peer(struct gd__peer *peer)
{
    if (peer->state == GD__PEER_CONNECTING || peer->state == GD__PEER_UP) {
        peer->state = GD__PEER_CLOSING;
        gd_stream_close(&peer->stream, on_peer_closed);
    }
}

/* The connection is of no more use. */
static void lose_peer(struct gd__peer *peer, enum gd_err err)
{
    struct gd_node *node = peer->node;
    bool was_up = peer->state == GD__PEER_UP;

    if (peer->state == GD__PEER_CLOSING) {
        return;
    }
    if (!peer->told) {
        gd__node_log(node, GD_LOG_WARNING, "peer %llu at %s: %s", (unsigned long long)peer->id,
                     peer->address.text, gd_err_text(err));
        peer->told = true;
    }
    /* Who lets us in and then shows us the door (another cluster, say) is asked less and less. */
    if (was_up && gd_io_now(node->io) - peer->up_ns >= STEADY_MS * GD_NS_PER_MS) {
        peer->failures = 0;
    }
    close_peer(peer);
    if (was_up && node->raft != NULL && !peer->removed &&
        (node->phase == GD__SERVING || node->phase == GD__DRAINING)) {
        struct gd_raft_event event = {.kind = GD_RAFT_UNREACHABLE, .peer = peer->id};
        (void)gd__node_step(node, &event);
        if (gd_raft_leader(node->raft) == peer->id) {
            GD_REACHED("connection to the leader lost");
            gd__writes_resend(node);
        }
    }
}

static void flush_peer(struct gd__peer *peer);
static void close_inbound(struct gd__inbound *inbound);

static void on_peer_written(struct gd_write *write, enum gd_err err)
{
    struct gd__peer *peer = write->context;

    peer->writing = false;
    if (err != GD_OK) {
        lose_peer(peer, err);
        return;
    }
    flush_peer(peer);
}

static void flush_peer(struct gd__peer *peer)
{
    struct gd_bytes swap = peer->sending;

    if (peer->state != GD__PEER_UP || peer->writing || peer->output.size == 0) {
        return;
    }
    gd_bytes_clear(&swap);
    peer->sending = peer->output;
    peer->output = swap;
    peer->write = (struct gd_write){
        .slices = {gd_bytes_slice(&peer->sending)},
        .count = 1,
        .done = on_peer_written,
        .context = peer,
    };
    if (gd_stream_write(&peer->stream, &peer->write) != GD_OK) {
        lose_peer(peer, GD_ERR_RESET);
        return;
    }
    peer->writing = true;
}

/* The peer never speaks on our connection: all that can come is its end. */
static void on_peer_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    (void)bytes;
    lose_peer(stream->context, err == GD_OK ? GD_ERR_INVALID : err);
}

static void fill_header(struct gd_node *node, struct gd_message *message, gd_node_id to)
{
    message->cluster_id = node->identity.cluster_id;
    message->from = node->identity.node_id;
    message->to = to;
    message->boot = node->identity.boot;
}

void gd__peer_say_hello(struct gd__peer *peer)
{
    struct gd_node *node = peer->node;
    struct gd_message hello = {.type = GD_MESSAGE_HELLO};

    fill_header(node, &hello, peer->id);
    peer->told_life = gd__known_life(node, peer);
    hello.term = gd_raft_term(node->raft);
    hello.hello = (struct gd_message_hello){
        .version = node->options.protocol_version,
        .version_min = gd__lives_in_force(node) ? 2 : GD_PROTOCOL_VERSION_MIN,
        .peer_address = node->options.peer_address,
        .client_address = node->options.client_address,
        .life = peer->told_life,
    };
    gd_message_encode(&hello, &peer->output);
}

static void on_connected(struct gd_stream *stream, enum gd_err err)
{
    struct gd__peer *peer = stream->context;
    struct gd_node *node = peer->node;

    if (peer->state == GD__PEER_CLOSING) {
        return;
    }
    if (err != GD_OK) {
        lose_peer(peer, err);
        return;
    }
    peer->state = GD__PEER_UP;
    peer->up_ns = gd_io_now(node->io);
    if (peer->told) {
        gd__node_log(node, GD_LOG_INFO, "peer %llu at %s: connected", (unsigned long long)peer->id,
                     peer->address.text);
        peer->told = false;
    }
    gd__peer_say_hello(peer);
    gd_stream_read_start(&peer->stream, on_peer_read);
    flush_peer(peer);
    if (gd_raft_leader(node->raft) == peer->id) {
        gd__writes_resend(node);
    }
    gd__node_kick(node);
}

/* A connection whose other end is gone without a word (a power loss, a middlebox that forgot it) is
 * noticed by silence alone, and each direction on its own: question, then answer. What the world
 * grants a stream by itself, some 15 s each, would keep a member behind for half a minute. */
static gd_time_ns patience(const struct gd_node *node)
{
    uint64_t ms = 2 * (uint64_t)node->options.election_timeout_ms;

    return (ms > PATIENCE_MS_MIN ? ms : PATIENCE_MS_MIN) * GD_NS_PER_MS;
}

static void connect_peer(struct gd__peer *peer)
{
    const struct gd_address *address = &peer->address;

    if (peer->failures % 2 == 1 && peer->said_address.text[0] != '\0' &&
        strcmp(peer->said_address.text, peer->address.text) != 0) {
        GD_REACHED("peer tried where it says that it is");
        address = &peer->said_address;
    }
    peer->stream = (struct gd_stream){.context = peer, .patience_ns = patience(peer->node)};
    if (gd_stream_connect(peer->node->io, &peer->stream, address, on_connected) != GD_OK) {
        try_later(peer); /* UNTESTED: the worlds of the tests have descriptors enough. */
        return;
    }
    peer->node->handle_count++;
    peer->state = GD__PEER_CONNECTING;
}

static void on_retry(struct gd_timer *timer)
{
    struct gd__peer *peer = timer->context;

    if (peer->node->phase != GD__CLOSING && !peer->removed && peer->state == GD__PEER_IDLE) {
        connect_peer(peer);
    }
}

/* Connected, and its queue not full. */
static bool has_room(const struct gd_node *node, struct gd__peer *peer)
{
    if (peer == NULL || peer->state != GD__PEER_UP) {
        return false;
    }
    if (peer->output.size > node->options.peer_output_size_max) {
        GD_REACHED("message to a peer dropped: its queue is full");
        peer->dropped++;
        return false;
    }
    return true;
}

void gd__peer_send_frame(struct gd_node *node, gd_node_id to, struct gd_slice frame)
{
    struct gd__peer *peer = gd__peer_find(node, to);

    if (has_room(node, peer)) {
        gd_bytes_add(&peer->output, frame.data, frame.size);
        peer->output_latest = frame.size;
    }
}

void gd__peer_send(struct gd_node *node, const struct gd_message *message)
{
    struct gd__peer *peer = gd__peer_find(node, message->to);

    if (has_room(node, peer)) {
        size_t before = peer->output.size;
        gd_message_encode(message, &peer->output);
        peer->output_latest = peer->output.size - before;
    }
}

void gd__peers_flush(struct gd_node *node)
{
    struct gd__peer *next;

    for (struct gd__peer *peer = node->peers; peer != NULL; peer = next) {
        next = peer->next;
        flush_peer(peer);
    }
}

static struct gd__peer *add_peer(struct gd_node *node, const struct gd_member *member)
{
    struct gd__peer *peer = gd_calloc(1, sizeof *peer);
    struct gd__peer **link = &node->peers;

    peer->node = node;
    peer->id = member->id;
    peer->address = member->address;
    peer->retry = (struct gd_timer){.fire = on_retry, .context = peer};
    while (*link != NULL && (*link)->id < peer->id) {
        link = &(*link)->next;
    }
    peer->next = *link;
    *link = peer;
    connect_peer(peer);
    return peer;
}

static void remove_peer(struct gd__peer *peer)
{
    peer->removed = true;
    gd_timer_stop(peer->node->io, &peer->retry);
    close_peer(peer);
    if (peer->state == GD__PEER_IDLE && !peer->chunk_reading) {
        free_peer(peer);
    }
}

static bool speaks(const struct gd_node *node, gd_node_id id)
{
    for (const struct gd__inbound *inbound = node->inbounds; inbound != NULL;
         inbound = inbound->next) {
        if (inbound->from == id && !inbound->closing) {
            return true;
        }
    }
    return false;
}

/* Who was removed is shown the door once: it comes again, and then hears why (known_life). */
static void part_from(struct gd_node *node, const struct gd__peer *peer)
{
    for (struct gd__inbound *inbound = node->inbounds; inbound != NULL; inbound = inbound->next) {
        if (inbound->from == peer->id) {
            close_inbound(inbound);
        }
    }
}

/* Who is left out by a configuration stays until that is committed: a leader that is needs us to
 * commit it, and answers. */
static const struct gd_member *member_or_leaving(struct gd_node *node, gd_node_id id)
{
    const struct gd_member *member = gd_config_find(gd_raft_config(node->raft), id);
    const struct gd_config *committed =
        gd_raft_config_at(node->raft, gd_raft_commit(node->raft), &node->parted_index);

    return member != NULL ? member : gd_config_find(committed, id);
}

void gd__peers_committed(struct gd_node *node)
{
    gd_index index;
    const struct gd_config *committed =
        gd_raft_config_at(node->raft, gd_raft_commit(node->raft), &index);

    if (index != node->parted_index) {
        gd__peers_follow(node);
    }
    gd__note_removal(node, committed);
}

/* Answers to who is no member that we know of. */
static struct gd__peer *add_guest(struct gd_node *node, const struct gd_member *member)
{
    struct gd__peer *peer;
    size_t count = 0;

    for (peer = node->peers; peer != NULL; peer = peer->next) {
        count += peer->guest ? 1 : 0;
    }
    if (count >= GD_MEMBERS_MAX) {
        return NULL;
    }
    GD_REACHED("peer outside the configuration is answered");
    peer = add_peer(node, member);
    peer->guest = true;
    return peer;
}

/* The host, as long as nobody else is known. */
static bool is_host(const struct gd_node *node, gd_node_id id)
{
    return id == node->host.id && gd_raft_config(node->raft)->count == 0;
}

/* Somebody outside our configuration to whom we speak all the same. */
static bool is_welcome(const struct gd_node *node, const struct gd__peer *peer)
{
    return peer->guest && (speaks(node, peer->id) || is_host(node, peer->id));
}

void gd__peers_follow(struct gd_node *node)
{
    const struct gd_config *config = gd_raft_config(node->raft);
    struct gd__peer *next;

    for (struct gd__peer *peer = node->peers; peer != NULL; peer = next) {
        const struct gd_member *member = member_or_leaving(node, peer->id);
        next = peer->next;
        if (peer->removed) {
            if (peer->state == GD__PEER_IDLE && !peer->chunk_reading) {
                free_peer(peer);
            }
        } else if ((member == NULL && !is_welcome(node, peer)) || node->phase == GD__CLOSING) {
            if (!peer->guest) {
                part_from(node, peer);
            }
            remove_peer(peer);
        } else if (member == NULL) {
            continue;
        } else if (strcmp(member->address.text, peer->address.text) != 0) {
            peer->address = member->address; /* It moved: the next connection goes there. */
            peer->guest = false;
            close_peer(peer);
        } else {
            peer->guest = false;
        }
    }
    for (uint32_t i = 0; i < config->count && node->phase != GD__CLOSING; i++) {
        if (config->members[i].id != node->identity.node_id &&
            gd__peer_find(node, config->members[i].id) == NULL) {
            add_peer(node, &config->members[i]);
        }
    }
    if (node->host.id != 0 && is_host(node, node->host.id) && node->phase != GD__CLOSING &&
        gd__peer_find(node, node->host.id) == NULL) {
        GD_REACHED("member that knows nobody asks its host");
        (void)add_guest(node, &node->host);
    }
    gd__peers_note_config(node);
}

void gd__peers_part(struct gd_node *node)
{
    for (struct gd__peer *peer = node->peers; peer != NULL; peer = peer->next) {
        if (peer->guest && peer->state == GD__PEER_UP &&
            peer->told_life != gd__known_life(node, peer)) {
            close_peer(peer); /* The next connection's Hello says it. */
        }
    }
}

/* ---------------------------------------------------------------- their side */

static void on_inbound_closed(struct gd_stream *stream, enum gd_err err)
{
    struct gd__inbound *inbound = stream->context;
    struct gd_node *node = inbound->node;

    (void)err;
    if (inbound->previous != NULL) {
        inbound->previous->next = inbound->next;
    } else {
        node->inbounds = inbound->next;
    }
    if (inbound->next != NULL) {
        inbound->next->previous = inbound->previous;
    }
    gd_bytes_release(&inbound->input);
    gd_free(inbound);
    if (node->phase == GD__SERVING || node->phase == GD__DRAINING) {
        gd__peers_follow(node); /* A guest may have gone. */
    }
    gd__node_handle_closed(node);
}

static void close_inbound(struct gd__inbound *inbound)
{
    if (!inbound->closing) {
        inbound->closing = true;
        gd_stream_close(&inbound->stream, on_inbound_closed);
    }
}

static void refuse_inbound(struct gd__inbound *inbound, const char *why)
{
    GD_REACHED("peer connection refused");
    gd__node_log(inbound->node, GD_LOG_WARNING, "peer connection from %s refused: %s",
                 inbound->address.text, why);
    close_inbound(inbound);
}

/* The lower of the two is spoken. */
static void note_version(struct gd__peer *peer, uint16_t theirs)
{
    struct gd_node *node = peer->node;
    uint16_t ours = node->options.protocol_version;
    uint16_t all = gd__peers_version(node);

    peer->version = theirs < ours ? theirs : ours;
    gd__peers_note_config(node);
    if (theirs != ours) {
        GD_REACHED("peers of different versions");
    }
    if (all != 0 && gd__peers_version(node) > all) {
        GD_REACHED("the last member of an older version is upgraded");
        gd__node_log(node, GD_LOG_INFO, "all members speak version %u of the protocol now",
                     (unsigned)gd__peers_version(node));
    }
}

static const char *reason_against(const struct gd_node *node, const struct gd_message *message)
{
    const struct gd__peer *peer;
    const struct gd_member *member;
    uint32_t life = gd_life_of(message->boot);
    uint32_t known;

    if (message->hello.version < GD_PROTOCOL_VERSION_MIN ||
        message->hello.version_min > node->options.protocol_version) {
        return "it speaks a version of the protocol that this node does not";
    }
    if (node->joining) {
        return NULL;
    }
    if (message->hello.version < 2 && gd__lives_in_force(node)) {
        GD_REACHED("peer of a version before the cluster's refused");
        return "its program is older than what the cluster has begun to use; upgrade it";
    }
    if (message->cluster_id != node->identity.cluster_id) { /* E1 */
        return "it belongs to another cluster";
    }
    if (message->to != node->identity.node_id || message->from == node->identity.node_id ||
        message->from == 0) {
        return "it looks for another node at this address";
    }
    member = gd_config_find(gd_raft_config(node->raft), message->from);
    peer = gd__peer_find(node, message->from);
    known = member == NULL ? 0 : member->life != 0 ? member->life : peer != NULL ? peer->life : 0;
    if (known != 0 && life != 0 && life != known) { /* E3 */
        GD_REACHED("member in another life refused");
        return "its data directory is not the one that this member had; replace it: RAFT REPLACE";
    }
    return NULL;
}

/* A Hello to nobody, of no cluster; or of ours, from who was told its id and is led by nobody. */
static bool is_knock(const struct gd_node *node, const struct gd_message *message)
{
    return !node->joining && message->to == 0 &&
           (message->cluster_id == 0 ||
            (message->cluster_id == node->identity.cluster_id && gd__lives_in_force(node))) &&
           message->hello.version_min <= node->options.protocol_version &&
           message->hello.peer_address.text[0] != '\0';
}

/* The first word to an empty node: who it is. The sender comes again, and meets it as a member. */
static void join_by(struct gd__inbound *inbound, const struct gd_message *message)
{
    struct gd_node *node = inbound->node;

    if (message->cluster_id == 0 || message->to == 0 || message->from == message->to ||
        message->from == 0 || (node->options.id != 0 && message->to != node->options.id)) {
        refuse_inbound(inbound, "it looks for another node at this address");
        return;
    }
    /* It knows a member at this address, by a disk that this is not: whom to be, an operator says.
     */
    if (message->hello.life != 0 && node->options.id == 0) {
        GD_REACHED("empty node is not taken for the member that was at its address");
        if (!node->told_replaced) {
            node->told_replaced = true;
            gd__node_log(node, GD_LOG_WARNING,
                         "node %llu was at this address, with another data directory; to replace "
                         "it, tell the cluster RAFT REPLACE %llu, a new id and this address",
                         (unsigned long long)message->to, (unsigned long long)message->to);
        }
        close_inbound(inbound);
        return;
    }
    close_inbound(inbound);
    node->host = (struct gd_member){.id = message->from, .address = message->hello.peer_address};
    gd__start_joined(node, message->cluster_id, message->to);
}

/* A connection that was held up may bring its Hello when the process that sent it is gone, and a
 * later start has long said where it is now. */
static bool is_of_earlier_start(const struct gd__peer *peer, const struct gd_message *message)
{
    return gd_life_of(message->boot) == gd_life_of(peer->boot) && message->boot < peer->boot;
}

static void take_hello(struct gd__inbound *inbound, const struct gd_message *message)
{
    struct gd_node *node = inbound->node;
    struct gd_member who;
    const char *why;
    struct gd__peer *peer;

    if (is_knock(node, message)) {
        close_inbound(inbound);
        gd__join_asked(node, message->from, &message->hello.peer_address);
        return;
    }
    why = reason_against(node, message);
    if (why != NULL) {
        refuse_inbound(inbound, why);
        return;
    }
    if (node->joining) {
        join_by(inbound, message);
        return;
    }
    if (!gd__heed_life(node, message->hello.life)) {
        return;
    }
    peer = gd__peer_find(node, message->from);
    if (peer != NULL && is_of_earlier_start(peer, message)) {
        GD_REACHED("late Hello of a peer's earlier start");
        refuse_inbound(inbound, "it is of an earlier start of this member");
        return;
    }
    inbound->from = message->from;
    who = (struct gd_member){.id = message->from, .address = message->hello.peer_address};
    peer = peer != NULL ? peer : add_guest(node, &who);
    if (peer != NULL) {
        peer->boot = message->boot;
        peer->client_address = message->hello.client_address;
        peer->said_address = message->hello.peer_address;
        peer->life = gd_life_of(message->boot);
        note_version(peer, message->hello.version);
        gd__node_kick(node);
        if (peer->state == GD__PEER_IDLE) { /* It is there: no need to wait. */
            peer->failures = 0;
            gd_timer_start(node->io, &peer->retry, gd_io_now(node->io));
        }
    }
}

uint16_t gd__peers_version(const struct gd_node *node)
{
    const struct gd_config *config = gd_raft_config(node->raft);
    uint16_t lowest = node->options.protocol_version;

    for (uint32_t i = 0; i < config->count; i++) {
        const struct gd__peer *peer = gd__peer_find(node, config->members[i].id);
        uint16_t version = peer == NULL ? 0 : peer->version;
        if (config->members[i].id != node->identity.node_id && version < lowest) {
            lowest = version;
        }
    }
    return lowest;
}

void gd__peers_note_config(struct gd_node *node)
{
    gd_raft_set_config_version(node->raft, gd__peers_version(node) >= 2 ? 2 : 1);
}

static void take_message(struct gd_node *node, struct gd_message *message)
{
    struct gd_raft_event event = {.kind = GD_RAFT_MESSAGE, .message = message};

    if (message->type == GD_MESSAGE_CLIENT_WRITE || message->type == GD_MESSAGE_READ_INDEX ||
        message->type == GD_MESSAGE_JOIN) {
        if (gd_config_find(gd_raft_config(node->raft), message->from) == NULL) {
            GD_REACHED("request of a node outside the configuration dropped");
            return;
        }
    }
    switch (message->type) {
    case GD_MESSAGE_CLIENT_WRITE:
        gd__writes_forwarded(node, message);
        break;
    case GD_MESSAGE_CLIENT_RESP:
    case GD_MESSAGE_CLIENT_ERROR:
        gd__writes_answer(node, message);
        break;
    case GD_MESSAGE_JOIN:
        if (message->join.address.text[0] != '\0' && gd_raft_role(node->raft) == GD_ROLE_LEADER) {
            gd__join_asked(node, message->join.id, &message->join.address);
        }
        break;
    case GD_MESSAGE_HELLO:
        break; /* It was taken before. */
    default:
        (void)gd__node_step(node, &event);
        break;
    }
}

/* One frame from the front; false when there is none, or no more. */
static bool take_frame(struct gd__inbound *inbound, struct gd_slice input, size_t *consumed)
{
    struct gd_node *node = inbound->node;
    struct gd_message message;
    size_t limit = inbound->from == 0 ? HELLO_SIZE_MAX : GD_FRAME_SIZE_MAX;
    enum gd_err err = gd_message_decode(input, limit, consumed, &message);

    if (err == GD_ERR_MORE) {
        return false;
    }
    if (err != GD_OK) {
        refuse_inbound(inbound, err == GD_ERR_VERSION
                                    ? "a frame of an unknown version"
                                    : "its bytes are no frame of the peer protocol");
        return false;
    }
    if (inbound->from == 0) {
        if (message.type != GD_MESSAGE_HELLO) { /* E1 */
            refuse_inbound(inbound, "it does not begin with Hello");
        } else {
            take_hello(inbound, &message);
        }
    } else if (message.cluster_id == node->identity.cluster_id && message.from == inbound->from &&
               message.to == node->identity.node_id) { /* E2 */
        take_message(node, &message);
    } else {
        refuse_inbound(inbound, "a message of another sender or to another node");
    }
    gd_message_release(&message);
    return !inbound->closing;
}

static bool listens(const struct gd_node *node)
{
    return node->phase == GD__SERVING || node->phase == GD__DRAINING || node->joining;
}

static void on_inbound_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    struct gd__inbound *inbound = stream->context;
    struct gd_node *node = inbound->node;
    size_t taken = 0, consumed;

    if (err != GD_OK) {
        close_inbound(inbound);
        return;
    }
    if (!listens(node)) {
        /* It has just been told who it is, and is not there yet. To swallow the Hello would leave
         * a connection that stands until it is needed, and then proves to be none. */
        GD_REACHED("peer asked to come again: the node is only beginning");
        close_inbound(inbound);
        return;
    }
    gd_bytes_add(&inbound->input, bytes.data, bytes.size);
    while (take_frame(inbound,
                      (struct gd_slice){inbound->input.data + taken, inbound->input.size - taken},
                      &consumed)) {
        taken += consumed;
        if (!listens(node)) {
            return; /* A step failed the node; everything is closing. */
        }
    }
    if (!inbound->closing) {
        gd_bytes_consume(&inbound->input, taken);
        if (inbound->input.size == 0 && inbound->input.capacity > (size_t)1 << 20) {
            gd_bytes_release(&inbound->input); /* A large frame's room is not kept. */
        }
    }
}

/* Who says nothing costs a descriptor each: of many the one that came first goes. */
static void limit_strangers(struct gd_node *node)
{
    struct gd__inbound *oldest = NULL;
    size_t count = 0;

    for (struct gd__inbound *inbound = node->inbounds; inbound != NULL; inbound = inbound->next) {
        if (inbound->from == 0 && !inbound->closing) {
            oldest = inbound; /* They stand newest first. */
            count++;
        }
    }
    if (count > STRANGERS_MAX) {
        close_inbound(oldest);
    }
}

static void on_incoming(struct gd_listener *listener)
{
    struct gd_node *node = listener->context;
    struct gd__inbound *inbound = gd_calloc(1, sizeof *inbound);

    inbound->node = node;
    inbound->stream.context = inbound;
    if (gd_listener_accept(listener, &inbound->stream) != GD_OK) {
        gd_free(inbound); /* UNTESTED: who came has gone again meanwhile. */
        return;
    }
    node->handle_count++;
    gd_stream_peer(&inbound->stream, &inbound->address);
    inbound->next = node->inbounds;
    if (inbound->next != NULL) {
        inbound->next->previous = inbound;
    }
    node->inbounds = inbound;
    gd_stream_read_start(&inbound->stream, on_inbound_read);
    limit_strangers(node);
}

void gd__peers_listen(struct gd_node *node)
{
    struct gd_error error;
    enum gd_err err;

    if (node->peer_listening) {
        return;
    }
    node->peer_listener = (struct gd_listener){.incoming = on_incoming, .context = node};
    err = gd_listen(node->io, &node->peer_listener, &node->options.peer_address, &error);
    if (err != GD_OK) {
        gd__node_fail(node, err, &error);
        return;
    }
    node->peer_listening = true;
    node->handle_count++;
}

static void on_listener_closed(struct gd_listener *listener)
{
    gd__node_handle_closed(listener->context);
}

void gd__peers_stop_listening(struct gd_node *node)
{
    if (node->peer_listening) {
        node->peer_listening = false;
        gd_listener_close(&node->peer_listener, on_listener_closed);
    }
}

void gd__peers_close(struct gd_node *node)
{
    struct gd__peer *next;

    for (struct gd__peer *peer = node->peers; peer != NULL; peer = next) {
        next = peer->next;
        if (!peer->removed) {
            remove_peer(peer);
        }
    }
    for (struct gd__inbound *inbound = node->inbounds; inbound != NULL; inbound = inbound->next) {
        close_inbound(inbound);
    }
}

void gd__peers_release(struct gd_node *node)
{
    while (node->peers != NULL) {
        free_peer(node->peers);
    }
}
