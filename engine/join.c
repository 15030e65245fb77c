/* join.c - an empty node comes into a cluster.
 *
 * It has nothing but an address to listen at, and waits for the first Hello that says who it is
 * (peer.c). An operator may have it added (RAFT ADD), or it asks by itself: it knocks at any member
 * with a Hello of no cluster, again and again until somebody who leads has added it and comes. The
 * member that was asked sends the question on to the leader. There is no answer: what the leader
 * decides shows by its Hello, or in its log; so a lost frame, an election, another change under way
 * cost no more than the next knock.
 *
 * A leader may say who it is and fall before that is committed, and the next one know nothing of
 * it. So who asked goes on asking, under the id that it was given, until it is a member for
 * certain: but only while nobody leads it, and only those who remember which ids were used (version
 * 2).
 *
 * Invariants
 *   J1. Nobody is added at an address that a member has: an emptied member that knocks would become
 *       one more voter, and leave its old self behind as one that never answers (RAFT REPLACE). */
#include "engine/node_internal.h"

enum { KNOCK_MS = 500, PATIENCE_MS = 2000, STRANDED_MS = 2000 };

/* ---------------------------------------------------------------- who asks */

static void knock(struct gd_node *node);

/* Has it been told who it is, and may still prove to be nobody? */
static bool is_uncertain(const struct gd_node *node)
{
    const struct gd_config *config;
    gd_index index;

    if (node->phase != GD__SERVING || !node->options.join ||
        node->options.join_address.text[0] == '\0') {
        return false;
    }
    config = gd_raft_config(node->raft);
    if (config->count > 0 && gd_config_version(config) < 2) {
        return false;
    }
    config = gd_raft_config_at(node->raft, gd_raft_commit(node->raft), &index);
    return gd_config_find(config, node->identity.node_id) == NULL;
}

static void again(struct gd_node *node, uint64_t after_ms)
{
    gd_timer_start(node->io, &node->knock.timer, gd_io_now(node->io) + after_ms * GD_NS_PER_MS);
}

static void on_closed(struct gd_stream *stream, enum gd_err err)
{
    struct gd_node *node = stream->context;

    (void)err;
    node->knock.open = node->knock.closing = false;
    gd_bytes_release(&node->knock.bytes);
    if (node->joining) {
        again(node, KNOCK_MS);
    } else if (is_uncertain(node)) {
        again(node, STRANDED_MS);
    }
    gd__node_handle_closed(node);
}

void gd__join_close(struct gd_node *node)
{
    gd_timer_stop(node->io, &node->knock.timer);
    if (node->knock.open && !node->knock.closing) {
        node->knock.closing = true;
        gd_stream_close(&node->knock.stream, on_closed);
    }
}

/* The other side closes when it has read the question. */
static void on_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    (void)err;
    (void)bytes;
    gd__join_close(stream->context);
}

static void on_written(struct gd_write *write, enum gd_err err)
{
    if (err != GD_OK) {
        gd__join_close(write->context);
    }
}

static void on_connected(struct gd_stream *stream, enum gd_err err)
{
    struct gd_node *node = stream->context;
    struct gd__knock *k = &node->knock;
    struct gd_message hello = {
        .type = GD_MESSAGE_HELLO,
        .cluster_id = node->joining ? 0 : node->identity.cluster_id,
        .from = node->joining ? node->options.id : node->identity.node_id,
    };

    if (k->closing) {
        return;
    }
    if (err != GD_OK) {
        gd__join_close(node);
        return;
    }
    hello.hello = (struct gd_message_hello){
        .version = node->options.protocol_version,
        .version_min = GD_PROTOCOL_VERSION_MIN,
        .peer_address = node->options.peer_address,
        .client_address = node->options.client_address,
    };
    gd_message_encode(&hello, &k->bytes);
    k->write = (struct gd_write){
        .slices = {gd_bytes_slice(&k->bytes)}, .count = 1, .done = on_written, .context = node};
    gd_stream_read_start(stream, on_read);
    if (gd_stream_write(stream, &k->write) != GD_OK) {
        gd__join_close(node); /* UNTESTED: what has just connected takes a write. */
    }
}

static void on_timer(struct gd_timer *timer)
{
    struct gd_node *node = timer->context;

    if (node->knock.open) {
        gd__join_close(node);
    } else if (node->joining) {
        knock(node);
    } else if (is_uncertain(node)) {
        if (gd_raft_leader(node->raft) != 0) {
            again(node, STRANDED_MS);
            return;
        }
        GD_REACHED("who joined and is led by nobody asks again");
        knock(node);
    }
}

static void knock(struct gd_node *node)
{
    struct gd__knock *k = &node->knock;

    k->stream = (struct gd_stream){.context = node};
    if (gd_stream_connect(node->io, &k->stream, &node->options.join_address, on_connected) !=
        GD_OK) {
        again(node, KNOCK_MS); /* UNTESTED: the worlds of the tests have descriptors enough. */
        return;
    }
    k->open = true;
    node->handle_count++;
    again(node, PATIENCE_MS);
}

void gd__join_joined(struct gd_node *node)
{
    node->knock.timer = (struct gd_timer){.fire = on_timer, .context = node};
    if (is_uncertain(node)) {
        again(node, STRANDED_MS);
    }
}

void gd__join_begin(struct gd_node *node)
{
    GD_REACHED("empty node waits to be added");
    node->joining = true;
    gd__peers_listen(node);
    if (node->phase != GD__OPENING) {
        return;
    }
    if (node->options.join_address.text[0] == '\0') {
        gd__node_log(node, GD_LOG_INFO,
                     "waiting to be added: tell a member of the cluster RAFT ADD with a new id and "
                     "%s",
                     node->options.peer_address.text);
        return;
    }
    gd__node_log(node, GD_LOG_INFO, "waiting to be added: %s is asked",
                 node->options.join_address.text);
    node->knock.timer = (struct gd_timer){.fire = on_timer, .context = node};
    knock(node);
}

/* ---------------------------------------------------------------- who is asked */

/* What speaks against adding it; NULL: nothing. `*admin` is then complete. */
static const char *reason_against(const struct gd_node *node, gd_node_id id,
                                  const struct gd_address *address, struct gd_admin *admin)
{
    const struct gd_config *config = gd_raft_config(node->raft);

    for (uint32_t i = 0; i < config->count; i++) {
        if (strcmp(config->members[i].address.text, address->text) == 0) { /* J1 */
            GD_REACHED("who asks to join is at a member's address");
            return "a member is at this address; if it has lost its disk, replace it: RAFT REPLACE";
        }
    }
    if (id != 0 && id <= gd_raft_id_highest(node->raft)) {
        return "its id is a member's, or was one's; ids are used once";
    }
    *admin = (struct gd_admin){.kind = GD_ADMIN_ADD,
                               .id = id != 0 ? id : gd_raft_id_highest(node->raft) + 1,
                               .address = *address};
    return NULL;
}

void gd__join_asked(struct gd_node *node, gd_node_id id, const struct gd_address *address)
{
    const struct gd__peer *leader = gd__peer_find(node, gd_raft_leader(node->raft));
    struct gd_admin admin;
    const char *why;

    if (gd_raft_role(node->raft) != GD_ROLE_LEADER) {
        struct gd_message message = {
            .type = GD_MESSAGE_JOIN,
            .cluster_id = node->identity.cluster_id,
            .from = node->identity.node_id,
            .to = gd_raft_leader(node->raft),
            .term = gd_raft_term(node->raft),
            .boot = node->identity.boot,
            .join = {.id = id, .address = *address},
        };
        if (leader != NULL && leader->version >= 2) {
            GD_REACHED("question of who joins sent on to the leader");
            gd__peer_send(node, &message);
            gd__node_kick(node);
        }
        return;
    }
    if (gd__admin_busy(node)) {
        return; /* It knocks again. */
    }
    why = reason_against(node, id, address, &admin);
    if (why != NULL) {
        gd__node_log(node, GD_LOG_WARNING, "%s asks to join: %s", address->text, why);
        return;
    }
    GD_REACHED("who asked to join is added");
    gd__node_log(node, GD_LOG_INFO, "%s asks to join: to be added as node %llu", address->text,
                 (unsigned long long)admin.id);
    gd__admin_begin(node, NULL, &admin);
}
