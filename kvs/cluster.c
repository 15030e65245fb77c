/* cluster.c - CLUSTER and RAFT: what a node knows of the others, in Redis Cluster's words and in
 * Raft's.
 *
 * To a Redis Cluster client the whole cluster is one shard: the leader its master, the others
 * replicas, all slots in one range. Every node that knows the leader answers alike. */
#include "kvs/kv_parser.h"
#include <stdio.h>

void gd_kv_cluster_id(uint64_t cluster_id, gd_node_id id, char *to)
{
    (void)snprintf(to, GD_KV_CLUSTER_ID_SIZE, "%016llx%08x%016llx", (unsigned long long)cluster_id,
                   0U, (unsigned long long)id);
}

static const struct gd_member_status *find_member(const struct gd_node_status *status,
                                                  gd_node_id id)
{
    for (size_t i = 0; i < status->member_count; i++) {
        if (status->members[i].id == id && status->members[i].client_address.text[0] != '\0') {
            return &status->members[i];
        }
    }
    return NULL;
}

/* The members whose clients' address is known, the leader first. */
static size_t known_members(const struct gd_node_status *status,
                            const struct gd_member_status **rows)
{
    const struct gd_member_status *leader = find_member(status, status->leader);
    size_t count = 0;

    if (leader == NULL) {
        return 0;
    }
    rows[count++] = leader;
    for (size_t i = 0; i < status->member_count && count < 64; i++) {
        const struct gd_member_status *member = &status->members[i];
        if (member->id != leader->id && find_member(status, member->id) != NULL) {
            rows[count++] = member;
        }
    }
    return count;
}

static void split(const struct gd_member_status *member, char *host, uint16_t *port)
{
    gd_address_split(&member->client_address, host, port);
}

static void cluster_slots(const struct gd_node_status *status, struct gd_reply *reply)
{
    const struct gd_member_status *rows[64];
    size_t count = known_members(status, rows);

    gd_reply_array(reply, count == 0 ? 0 : 1);
    if (count == 0) {
        return;
    }
    gd_reply_array(reply, 2 + count);
    gd_reply_integer(reply, 0);
    gd_reply_integer(reply, 16383);
    for (size_t i = 0; i < count; i++) {
        char host[GD_ADDRESS_SIZE], id[GD_KV_CLUSTER_ID_SIZE];
        uint16_t port;
        split(rows[i], host, &port);
        gd_kv_cluster_id(status->cluster_id, rows[i]->id, id);
        gd_reply_array(reply, 4);
        gd_reply_bulk_text(reply, host);
        gd_reply_integer(reply, port);
        gd_reply_bulk_text(reply, id);
        gd_reply_array(reply, 0);
    }
}

static void cluster_shards(const struct gd_node_status *status, struct gd_reply *reply)
{
    const struct gd_member_status *rows[64];
    size_t count = known_members(status, rows);

    gd_reply_array(reply, count == 0 ? 0 : 1);
    if (count == 0) {
        return;
    }
    gd_reply_map(reply, 2);
    gd_reply_bulk_text(reply, "slots");
    gd_reply_array(reply, 2);
    gd_reply_integer(reply, 0);
    gd_reply_integer(reply, 16383);
    gd_reply_bulk_text(reply, "nodes");
    gd_reply_array(reply, count);
    for (size_t i = 0; i < count; i++) {
        char host[GD_ADDRESS_SIZE], id[GD_KV_CLUSTER_ID_SIZE];
        uint16_t port;
        split(rows[i], host, &port);
        gd_kv_cluster_id(status->cluster_id, rows[i]->id, id);
        gd_reply_map(reply, 7);
        gd_reply_bulk_text(reply, "id");
        gd_reply_bulk_text(reply, id);
        gd_reply_bulk_text(reply, "port");
        gd_reply_integer(reply, port);
        gd_reply_bulk_text(reply, "ip");
        gd_reply_bulk_text(reply, host);
        gd_reply_bulk_text(reply, "endpoint");
        gd_reply_bulk_text(reply, host);
        gd_reply_bulk_text(reply, "role");
        gd_reply_bulk_text(reply, i == 0 ? "master" : "replica");
        gd_reply_bulk_text(reply, "replication-offset");
        gd_reply_integer(reply, (int64_t)status->commit_index);
        gd_reply_bulk_text(reply, "health");
        gd_reply_bulk_text(reply, "online");
    }
}

static void cluster_nodes(const struct gd_node_status *status, struct gd_reply *reply)
{
    const struct gd_member_status *rows[64];
    size_t count = known_members(status, rows);
    struct gd_bytes text = {0};
    char master[GD_KV_CLUSTER_ID_SIZE];

    gd_kv_cluster_id(status->cluster_id, status->leader, master);
    for (size_t i = 0; i < count; i++) {
        char host[GD_ADDRESS_SIZE], id[GD_KV_CLUSTER_ID_SIZE];
        uint16_t port;
        split(rows[i], host, &port);
        gd_kv_cluster_id(status->cluster_id, rows[i]->id, id);
        gd_bytes_format(&text, "%s %s:%u@%u %s%s %s 0 0 %llu connected%s\n", id, host, port, port,
                        rows[i]->id == status->id ? "myself," : "", i == 0 ? "master" : "slave",
                        i == 0 ? "-" : master, (unsigned long long)status->term,
                        i == 0 ? " 0-16383" : "");
    }
    gd_reply_bulk(reply, gd_bytes_slice(&text));
    gd_bytes_release(&text);
}

static void cluster_info(const struct gd_node_status *status, struct gd_reply *reply)
{
    struct gd_bytes text = {0};
    bool up = status->leader != 0;

    gd_bytes_format(&text,
                    "cluster_enabled:1\r\ncluster_state:%s\r\ncluster_slots_assigned:16384\r\n"
                    "cluster_slots_ok:%d\r\ncluster_slots_pfail:0\r\ncluster_slots_fail:%d\r\n"
                    "cluster_known_nodes:%zu\r\ncluster_size:1\r\ncluster_current_epoch:%llu\r\n"
                    "cluster_my_epoch:%llu\r\n",
                    up ? "ok" : "fail", up ? 16384 : 0, up ? 0 : 16384, status->member_count,
                    (unsigned long long)status->term, (unsigned long long)status->term);
    gd_reply_bulk(reply, gd_bytes_slice(&text));
    gd_bytes_release(&text);
}

void gd_kv_local_cluster(const struct gd_slice *args, size_t count,
                         const struct gd_node_status *status, struct gd_reply *reply)
{
    if (gd_slice_is(args[1], "slots") && count == 2) {
        cluster_slots(status, reply);
    } else if (gd_slice_is(args[1], "shards") && count == 2) {
        cluster_shards(status, reply);
    } else if (gd_slice_is(args[1], "nodes") && count == 2) {
        cluster_nodes(status, reply);
    } else if (gd_slice_is(args[1], "info") && count == 2) {
        cluster_info(status, reply);
    } else if (gd_slice_is(args[1], "myid") && count == 2) {
        char id[GD_KV_CLUSTER_ID_SIZE];
        gd_kv_cluster_id(status->cluster_id, status->id, id);
        gd_reply_bulk_text(reply, id);
    } else if (gd_slice_is(args[1], "keyslot") && count == 3) {
        gd_reply_integer(reply, gd_resp_slot(args[2]));
    } else {
        gd_reply_error_format(reply, "ERR unknown subcommand '%.*s'. Try CLUSTER HELP.",
                              (int)(args[1].size < 128 ? args[1].size : 128),
                              (const char *)args[1].data);
    }
}

/* ---------------------------------------------------------------- RAFT */

static const char *member_kind(const struct gd_member_status *member)
{
    return member->outgoing && !member->voter ? "outgoing"
           : member->voter                    ? "voter"
           : member->joining                  ? "joining"
                                              : "learner";
}

static void raft_nodes(const struct gd_node_status *status, struct gd_reply *reply)
{
    gd_reply_array(reply, status->member_count);
    for (size_t i = 0; i < status->member_count; i++) {
        const struct gd_member_status *member = &status->members[i];
        gd_reply_map(reply, 5);
        gd_reply_bulk_text(reply, "id");
        gd_reply_integer(reply, (int64_t)member->id);
        gd_reply_bulk_text(reply, "address");
        gd_reply_bulk_text(reply, member->peer_address.text);
        gd_reply_bulk_text(reply, "client");
        gd_reply_bulk_text(reply, member->client_address.text);
        gd_reply_bulk_text(reply, "member");
        gd_reply_bulk_text(reply, member_kind(member));
        gd_reply_bulk_text(reply, "leader");
        gd_reply_integer(reply, member->id == status->leader ? 1 : 0);
    }
}

static void pair(struct gd_reply *reply, const char *name, uint64_t value)
{
    gd_reply_bulk_text(reply, name);
    gd_reply_integer(reply, (int64_t)value);
}

static void raft_status(const struct gd_node_status *status, struct gd_reply *reply)
{
    bool leads = status->role == GD_ROLE_LEADER;
    char cluster[24];

    (void)snprintf(cluster, sizeof cluster, "%016llx", (unsigned long long)status->cluster_id);
    gd_reply_map(reply, 12);
    pair(reply, "id", status->id);
    gd_reply_bulk_text(reply, "cluster");
    gd_reply_bulk_text(reply, cluster);
    gd_reply_bulk_text(reply, "role");
    gd_reply_bulk_text(reply, gd_role_text(status->role));
    pair(reply, "term", status->term);
    pair(reply, "leader", status->leader);
    pair(reply, "first_index", status->first_index);
    pair(reply, "last_index", status->last_index);
    pair(reply, "commit_index", status->commit_index);
    pair(reply, "applied_index", status->applied_index);
    pair(reply, "snapshot_index", status->snapshot.index);
    pair(reply, "log_bytes", status->log_bytes);
    gd_reply_bulk_text(reply, "peers");
    gd_reply_array(reply, leads ? status->member_count - (status->member_count > 0 ? 1 : 0) : 0);
    for (size_t i = 0; i < status->member_count && leads; i++) {
        const struct gd_member_status *member = &status->members[i];
        if (member->id == status->id) {
            continue;
        }
        gd_reply_map(reply, 7);
        pair(reply, "id", member->id);
        gd_reply_bulk_text(reply, "state");
        gd_reply_bulk_text(reply, gd_progress_text(member->state));
        pair(reply, "match", member->match);
        pair(reply, "lag_entries", status->last_index - member->match);
        pair(reply, "lag_bytes", member->lag_bytes);
        pair(reply, "last_contact_ms", member->last_contact_ns / GD_NS_PER_MS);
        pair(reply, "connected", member->connected ? 1 : 0);
    }
}

void gd_kv_local_raft(const struct gd_slice *args, size_t count,
                      const struct gd_node_status *status, struct gd_reply *reply)
{
    static const char *const help[] = {
        "RAFT STATUS -- role, term, indexes; on the leader each peer's state and lag",
        "RAFT NODES -- the members",
        "RAFT SNAPSHOT -- take a snapshot now",
        "RAFT BACKUP [term index offset size] -- a snapshot's file, as gandalf backup asks for it",
        "RAFT TRANSFER [id] -- hand leadership over",
        "RAFT ADD id host:port [LEARNER], PROMOTE id, REMOVE id -- change the members",
        "RAFT REPLACE old id host:port, MOVE id host:port -- the same; each takes FORCE behind it",
    };

    if (gd_slice_is(args[1], "status") && count == 2) {
        raft_status(status, reply);
    } else if (gd_slice_is(args[1], "nodes") && count == 2) {
        raft_nodes(status, reply);
    } else if (gd_slice_is(args[1], "help")) {
        gd_reply_array(reply, GD_COUNT(help));
        for (size_t i = 0; i < GD_COUNT(help); i++) {
            gd_reply_simple(reply, help[i]);
        }
    } else {
        gd_reply_error_format(reply, "ERR unknown subcommand '%.*s'. Try RAFT HELP.",
                              (int)(args[1].size < 128 ? args[1].size : 128),
                              (const char *)args[1].data);
    }
}
