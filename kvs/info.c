/* info.c - INFO, in Redis's sections and names as far as they mean something here; `raft` is ours.
 */
#include "kvs/kv_parser.h"

static bool section_wanted(const struct gd_slice *args, size_t count, const char *name)
{
    if (count == 1) {
        return true;
    }
    for (size_t i = 1; i < count; i++) {
        if (gd_slice_is(args[i], name) || gd_slice_is(args[i], "all") ||
            gd_slice_is(args[i], "everything") || gd_slice_is(args[i], "default")) {
            return true;
        }
    }
    return false;
}

static void begin(struct gd_bytes *text, const char *title)
{
    gd_bytes_format(text, "%s# %s\r\n", text->size == 0 ? "" : "\r\n", title);
}

#define NUMBER(value) ((unsigned long long)(value))

static void add_server(struct gd_bytes *text, const struct gd_node_status *s)
{
    uint16_t port;

    gd_address_split(&s->client_address, NULL, &port);
    begin(text, "Server");
    gd_bytes_format(text,
                    "redis_version:7.0.15\r\ngandalf_version:0.1.0\r\nredis_mode:%s\r\n"
                    "process_id:0\r\ntcp_port:%u\r\nuptime_in_seconds:%llu\r\n",
                    s->redirect ? "cluster" : "standalone", port,
                    NUMBER(s->uptime_ns / 1000 / GD_NS_PER_MS));
}

static void add_stats(struct gd_bytes *text, const struct gd_kv_parser *parser,
                      const struct gd_node_status *s)
{
    begin(text, "Stats");
    gd_bytes_format(text,
                    "total_connections_received:%llu\r\ntotal_commands_processed:%llu\r\n"
                    "rejected_connections:%llu\r\ntotal_net_input_bytes:%llu\r\n"
                    "total_net_output_bytes:%llu\r\ntotal_reads_processed:%llu\r\n"
                    "total_writes_processed:%llu\r\n",
                    NUMBER(s->connections_received), NUMBER(parser->commands_done),
                    NUMBER(s->connections_refused), NUMBER(s->bytes_in), NUMBER(s->bytes_out),
                    NUMBER(s->reads), NUMBER(s->writes));
}

static void add_raft(struct gd_bytes *text, const struct gd_node_status *s)
{
    begin(text, "Raft");
    gd_bytes_format(text,
                    "role:%s\r\nterm:%llu\r\nleader:%llu\r\ncommit_index:%llu\r\n"
                    "applied_index:%llu\r\nid:%llu\r\ncluster_id:%016llx\r\nfirst_index:%llu\r\n"
                    "last_index:%llu\r\nstored_index:%llu\r\nsnapshot_index:%llu\r\n"
                    "members:%zu\r\nprotocol:%u\r\nprotocol_all:%u\r\nlog_bytes:%llu\r\npending_"
                    "bytes:%llu\r\nforwarded:%llu\r\n"
                    "elections_won:%llu\r\nsnapshots_taken:%llu\r\nwal_syncs:%llu\r\n"
                    "wal_bytes:%llu\r\n",
                    gd_role_text(s->role), NUMBER(s->term), NUMBER(s->leader),
                    NUMBER(s->commit_index), NUMBER(s->applied_index), NUMBER(s->id),
                    NUMBER(s->cluster_id), NUMBER(s->first_index), NUMBER(s->last_index),
                    NUMBER(s->stored_index), NUMBER(s->snapshot.index), s->member_count,
                    (unsigned)s->protocol, (unsigned)s->protocol_all, NUMBER(s->log_bytes),
                    NUMBER(s->pending_bytes), NUMBER(s->forwarded), NUMBER(s->elections_won),
                    NUMBER(s->snapshots_taken), NUMBER(s->wal_syncs), NUMBER(s->wal_bytes));
}

static void add_replication(struct gd_bytes *text, const struct gd_node_status *s)
{
    bool master = s->role == GD_ROLE_LEADER || !s->redirect;

    begin(text, "Replication");
    gd_bytes_format(text, "role:%s\r\nconnected_slaves:%zu\r\nmaster_repl_offset:%llu\r\n",
                    master ? "master" : "slave",
                    master && s->member_count > 0 ? s->member_count - 1 : 0,
                    NUMBER(s->commit_index));
}

static void add_keyspace(struct gd_bytes *text, const struct gd_keyspace *ks)
{
    begin(text, "Keyspace");
    if (gd_keyspace_count(ks) > 0) {
        gd_bytes_format(text, "db0:keys=%zu,expires=%zu,avg_ttl=0\r\n", gd_keyspace_count(ks),
                        gd_keyspace_expiring_count(ks));
    }
}

void gd_kv_info(const struct gd_kv_parser *parser, const struct gd_slice *args, size_t count,
                const struct gd_node_status *status, struct gd_reply *reply)
{
    struct gd_bytes text = {0};
    const struct gd_keyspace *ks = parser->kv == NULL ? NULL : parser->kv->ks;

    if (section_wanted(args, count, "server")) {
        add_server(&text, status);
    }
    if (section_wanted(args, count, "clients")) {
        begin(&text, "Clients");
        gd_bytes_format(&text, "connected_clients:%zu\r\nblocked_clients:0\r\n",
                        status->session_count);
    }
    if (section_wanted(args, count, "memory")) {
        begin(&text, "Memory");
        gd_bytes_format(&text, "used_memory:%zu\r\nmaxmemory:0\r\n",
                        (ks == NULL ? 0 : gd_keyspace_memory(ks)) + (size_t)status->log_bytes);
    }
    if (section_wanted(args, count, "persistence")) {
        begin(&text, "Persistence");
        gd_bytes_format(&text,
                        "loading:%d\r\nrdb_changes_since_last_save:%llu\r\n"
                        "aof_enabled:1\r\n",
                        status->ready ? 0 : 1,
                        parser->kv == NULL ? 0ULL : (unsigned long long)parser->kv->changes);
    }
    if (section_wanted(args, count, "stats")) {
        add_stats(&text, parser, status);
    }
    /* In front of Replication: of two lines "role:" clients keep the last. */
    if (section_wanted(args, count, "raft")) {
        add_raft(&text, status);
    }
    if (section_wanted(args, count, "replication")) {
        add_replication(&text, status);
    }
    if (section_wanted(args, count, "cluster")) {
        begin(&text, "Cluster");
        gd_bytes_format(&text, "cluster_enabled:%d\r\n", status->redirect ? 1 : 0);
    }
    if (ks != NULL && section_wanted(args, count, "keyspace")) {
        add_keyspace(&text, ks);
    }
    gd_reply_bulk(reply, gd_bytes_slice(&text));
    gd_bytes_release(&text);
}
