/* kv_parser.h - the Parser of the kvs: RESP requests of clients, sorted by kind.
 *
 * Transactions live here until EXEC makes them one request; WATCH is a read that notes the keys'
 * versions in the session; what concerns the connection or the node alone is answered here
 * (commands_server.c). */
#ifndef GANDALF_KVS_KV_PARSER_H
#define GANDALF_KVS_KV_PARSER_H
#include "engine/parser.h"
#include "kvs/kv.h"
#include "kvs/resp.h"
#include "kvs/scripts.h"

#define GD_KV_NAME_SIZE 64

/* A setting that CONFIG GET shows. */
struct gd_kv_setting {
    const char *name, *value; /* Borrowed from whoever made the parser. */
};

typedef const struct gd_command *gd_kv_find_fn(void *context, const struct gd_slice *args,
                                               size_t count, const char **refusal);

struct gd_kv_parser_options {
    const char *password;                 /* requirepass; NULL or empty: none. Copied. */
    uint64_t bulk_size_max;               /* proto-max-bulk-len; 0: 512 MiB. */
    const struct gd_kv *kv;               /* For INFO; borrowed. */
    const struct gd_kv_setting *settings; /* Borrowed. */
    size_t setting_count;
    /* NULL: the kvs's own table. Else the row of a client's command, as gd_proxy_find tells it, and
     * RESP2 alone is spoken, since replies are passed as the database gives them. */
    gd_kv_find_fn *find;
    void *find_context;
    struct gd_scripts *scripts; /* Borrowed; NULL: EVALSHA and SCRIPT are not served. */
};

struct gd_kv_parser {
    struct gd_parser parser; /* First: what the node is given. */
    struct gd_resp_limits limits;
    char *password; /* Owned; NULL: none. */
    const struct gd_kv *kv;
    const struct gd_kv_setting *settings;
    size_t setting_count;
    gd_kv_find_fn *find;
    void *find_context;
    struct gd_scripts *scripts;
    uint64_t commands_done;
};
void gd_kv_parser_init(struct gd_kv_parser *parser, const struct gd_kv_parser_options *options);
/* No session is left. */
void gd_kv_parser_release(struct gd_kv_parser *parser);

struct gd_kv_watch {
    struct gd_bytes key;
    gd_index version;
};

enum gd_kv_replies {
    GD_KV_REPLIES_ON,
    GD_KV_REPLIES_OFF,
    GD_KV_REPLIES_SKIP_NEXT,
    GD_KV_REPLIES_SKIP
};

/* One client. The Parser's alone, but for WATCH's handler. */
struct gd_kv_session {
    uint64_t id;
    struct gd_address address;
    int protocol; /* 2 or 3. */
    bool authenticated;
    char name[GD_KV_NAME_SIZE], library[GD_KV_NAME_SIZE], library_version[GD_KV_NAME_SIZE];
    enum gd_kv_replies replies;
    struct gd_resp_reader reader;
    struct gd_bytes body;  /* The request in hand. */
    struct gd_bytes fault; /* A reply that parse has ready; LOCAL answers with it. */
    /* MULTI. */
    bool multi, multi_failed, multi_writes;
    uint32_t queued_count;
    struct gd_bytes queued; /* Encoded commands. */
    uint16_t slot;          /* Of the first key queued. */
    bool has_slot;
    /* WATCH. */
    struct gd_kv_watch *watches; /* Owned. */
    size_t watch_count, watch_capacity;
    /* LOCAL: what is to be run; its arguments are the reader's. */
    const struct gd_command *local;
    char last_command[GD_KV_NAME_SIZE];
    const struct gd_command *found; /* The row of the kvs's own table that was found last. */
};
/* Forget WATCH. */
void gd_kv_session_unwatch(struct gd_kv_session *session);
/* Forget MULTI and WATCH. */
void gd_kv_session_discard(struct gd_kv_session *session);

/* commands_server.c: answers a LOCAL command. */
void gd_kv_local(struct gd_kv_parser *parser, struct gd_kv_session *session,
                 const struct gd_slice *args, size_t count, const struct gd_node_status *status,
                 struct gd_reply *reply, struct gd_local_result *result);
/* cluster.c: CLUSTER and RAFT. */
void gd_kv_local_cluster(const struct gd_slice *args, size_t count,
                         const struct gd_node_status *status, struct gd_reply *reply);
void gd_kv_local_raft(const struct gd_slice *args, size_t count,
                      const struct gd_node_status *status, struct gd_reply *reply);
/* A member's id in Redis Cluster's manner: 40 hexadecimal digits and an end. */
#define GD_KV_CLUSTER_ID_SIZE 41
void gd_kv_cluster_id(uint64_t cluster_id, gd_node_id id, char *to);
/* subcommands.c: the rows of containers (CLIENT, CONFIG ...). What is wrong with the arguments
 * behind a container's name, as Redis words it: false, and an error is replied. */
bool gd_kv_subcommand_fits(const struct gd_command *command, const struct gd_slice *args,
                           size_t count, struct gd_reply *reply);
/* info.c */
void gd_kv_info(const struct gd_kv_parser *parser, const struct gd_slice *args, size_t count,
                const struct gd_node_status *status, struct gd_reply *reply);
#endif
