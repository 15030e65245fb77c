/* lives.c - who has lost its disk, who was removed, and how they come to know.
 *
 * A Hello says by which life the sender knows the receiver (config.h). Who finds itself known by
 * another has lost its disk, who finds itself removed is; either stops and says what to do. A
 * removed node that others no longer tell, a leader say that removed itself and whose peers fell
 * with it, finds it in its own log. One that has neither keeps asking: who is led by nobody and
 * does not campaign says Hello again, so that a connection whose other end is gone without a word
 * breaks, and the next one is answered.
 *
 * What flows in: Hellos, commits, time. What can fail: nothing here; what is told late is told
 * later. A crash leaves nothing behind: after it, the others tell. */
#include "engine/node_internal.h"

enum { TOUCH_MS = 2000 };

/* Do all members read what version 2 brought, as the configuration in force shows? */
bool gd__lives_in_force(const struct gd_node *node)
{
    return gd_config_version(gd_raft_config(node->raft)) >= 2;
}

/* Ids are used once, which version 1 does not remember. */
static bool is_removed_by(const struct gd_config *committed, gd_node_id id)
{
    return gd_config_version(committed) >= 2 && gd_config_find(committed, id) == NULL &&
           id <= gd_config_highest(committed);
}

static void stop_as_removed(struct gd_node *node)
{
    struct gd_error error;

    (void)gd_error_set(&error, GD_ERR_INVALID,
                       "node %llu was removed from the cluster; its data directory is of no more "
                       "use there",
                       (unsigned long long)node->identity.node_id);
    gd__node_fail(node, GD_ERR_INVALID, &error);
}

/* What we know of a node's life: what is on record, else what it was when we first heard of it.
 * That it is removed only a committed configuration says. */
uint32_t gd__known_life(const struct gd_node *node, const struct gd__peer *peer)
{
    gd_node_id id = peer->id;
    const struct gd_member *member = gd_config_find(gd_raft_config(node->raft), id);
    const struct gd_config *committed;
    gd_index index;

    if (peer->version < 2 && !gd__lives_in_force(node)) {
        return 0; /* It may be of a version that has no word for it. */
    }
    if (member != NULL) {
        return member->life != 0 ? member->life : peer->life;
    }
    committed = gd_raft_config_at(node->raft, gd_raft_commit(node->raft), &index);
    return gd_config_find(committed, id) == NULL && id <= gd_config_highest(committed)
               ? GD_LIFE_REMOVED
               : 0;
}

/* The receiver's own fate, as the sender knows it. False: the node stops. */
bool gd__heed_life(struct gd_node *node, uint32_t life)
{
    struct gd_error error;
    uint32_t ours = gd_life_of(node->identity.boot);

    if (life == GD_LIFE_REMOVED) {
        GD_REACHED("removed node learns of it and stops");
        stop_as_removed(node);
        return false;
    }
    if (life != 0 && ours != 0 && life != ours) {
        GD_REACHED("node that lost its disk learns of it and stops");
        (void)gd_error_set(&error, GD_ERR_INVALID,
                           "the cluster knows node %llu by another data directory: its disk was "
                           "lost or emptied, and what it had promised to keep with it. Start it "
                           "with --join on an empty directory, and tell the cluster RAFT REPLACE "
                           "%llu and a new id",
                           (unsigned long long)node->identity.node_id,
                           (unsigned long long)node->identity.node_id);
    } else {
        return true;
    }
    gd__node_fail(node, GD_ERR_INVALID, &error);
    return false;
}

void gd__note_removal(struct gd_node *node, const struct gd_config *committed)
{
    bool removed = is_removed_by(committed, node->identity.node_id);

    if (removed && node->removed_ns == 0) {
        node->removed_ns = gd_io_now(node->io);
        gd__node_watch(node);
    } else if (!removed) {
        node->removed_ns = 0;
    }
}

/* Who knows of its removal by its own log, a leader say that removed itself, hands over, gives its
 * last answers, and goes; there may be nobody left who tells it. */
static bool await_end(struct gd_node *node, gd_time_ns now)
{
    gd_time_ns wait = 2 * node->options.election_timeout_ms * GD_NS_PER_MS;

    if (node->removed_ns == 0) {
        return false;
    }
    if (gd_raft_role(node->raft) == GD_ROLE_LEADER || now - node->removed_ns < wait) {
        return true;
    }
    GD_REACHED("removed node knows it by its own log, and stops");
    stop_as_removed(node);
    return false;
}

/* Who is led by nobody has nothing to say but to whom it asks for votes, and would not notice that
 * the other ends are gone. When it connects again it may hear that it was removed, or be found by a
 * voter that it does not know for one yet, and that has no other way to learn where it is now. */
static bool stay_in_touch(struct gd_node *node, gd_time_ns now)
{
    const struct gd_config *config = gd_raft_config(node->raft);
    bool asks = gd_config_votes(config, node->identity.node_id);

    if (node->phase != GD__SERVING || gd_raft_leader(node->raft) != 0) {
        return false;
    }
    if (now - node->touched_ns >= TOUCH_MS * GD_NS_PER_MS) {
        node->touched_ns = now;
        for (struct gd__peer *peer = node->peers; peer != NULL; peer = peer->next) {
            bool asked = asks && gd_config_votes(config, peer->id);
            if (peer->state == GD__PEER_UP && peer->output.size == 0 && !peer->writing && !asked) {
                GD_REACHED("Hello said again by who is led by nobody");
                if (asks) {
                    GD_REACHED("Hello said again by a voter to who is none to it");
                }
                gd__peer_say_hello(peer);
            }
        }
    }
    return true;
}

bool gd__lives_expire(struct gd_node *node, gd_time_ns now)
{
    bool open = await_end(node, now);

    return stay_in_touch(node, now) || open;
}
