/* config.h - what a node is told by its operator: a YAML file, and flags that win over it.
 *
 * One table (config.c) has every key: its type, its bounds, its default and its line of help; the
 * file, the flags, `--help` and the reference in README.md all come from it. */
#ifndef GANDALF_IO_REAL_CONFIG_H
#define GANDALF_IO_REAL_CONFIG_H
#include "engine/config.h"

#define GD_CONFIG_TEXT_SIZE 512

enum gd_config_follower { GD_FOLLOWER_FORWARD, GD_FOLLOWER_REDIRECT };

struct gd_node_config {
    /* The node among its peers. */
    uint64_t id; /* 0: not given. */
    char host[GD_CONFIG_TEXT_SIZE];
    uint64_t port;
    struct gd_address nodes[GD_MEMBERS_MAX]; /* The other members. */
    size_t node_count;
    bool join;
    struct gd_address join_address; /* Of the member that is asked; empty text: none is. */
    uint64_t heartbeat_ms, timeout_ms, request_timeout_ms;

    /* Its clients. */
    char connection_host[GD_CONFIG_TEXT_SIZE];
    uint64_t connection_port;
    uint64_t follower; /* enum gd_config_follower. */
    bool lease;
    char requirepass[GD_CONFIG_TEXT_SIZE]; /* "": no password. */

    /* The database. */
    char database[GD_CONFIG_TEXT_SIZE]; /* "kvs", "resp", "resp://host:port", "sqlite" or
                                           "sqlite:FILE". */
    char client_host[GD_CONFIG_TEXT_SIZE];
    uint64_t client_port;
    char database_password[GD_CONFIG_TEXT_SIZE]; /* "": none. */
    bool database_scripts;

    /* The disk. */
    char data_dir[GD_CONFIG_TEXT_SIZE];      /* Never "" after gd_config_finish. */
    char snapshot_path[GD_CONFIG_TEXT_SIZE]; /* "": not given. */
    uint64_t snapshot_offset, snapshot_log_size, segment_size, tail_count;

    /* Limits. */
    uint64_t max_clients, proto_max_bulk_len, client_output_limit, uncommitted_limit, lag_limit,
        pending_limit;
    uint64_t log_level; /* enum gd_log_level. */
};

/* Every key at its default. */
void gd_config_init(struct gd_node_config *config);
/* Reads a YAML file over what `config` has.
 *
 * Returns   GD_OK; GD_ERR_NOT_FOUND, GD_ERR_PERMISSION, GD_ERR_IO (the file), GD_ERR_INVALID (what
 *           is in it): `*error` has one line, FILE:LINE first; `config` is then of no more use. */
GD_MUST_CHECK enum gd_err gd_config_read(struct gd_node_config *config, const char *file,
                                         struct gd_error *error);
/* One key, from a flag. `value` NULL: none was given, which only a yes-or-no key allows. */
GD_MUST_CHECK enum gd_err gd_config_set(struct gd_node_config *config, const char *key,
                                        const char *value, struct gd_error *error);
/* Fills in what follows from the rest, and checks what no single key can show. */
GD_MUST_CHECK enum gd_err gd_config_finish(struct gd_node_config *config, struct gd_error *error);
/* Addresses of its two listeners, after gd_config_finish. */
void gd_config_addresses(const struct gd_node_config *config, struct gd_address *peer,
                         struct gd_address *client);

/* What the command line asks for. */
enum gd_config_action { GD_CONFIG_RUN, GD_CONFIG_CHECK, GD_CONFIG_HELP, GD_CONFIG_VERSION };
/* The whole of the command line: the file that --config or --check-config names, then every flag
 * over it, then gd_config_finish. Returns GD_OK with `*action`, or an error as above. */
GD_MUST_CHECK enum gd_err gd_config_command_line(struct gd_node_config *config, int argc,
                                                 char *const *argv, enum gd_config_action *action,
                                                 struct gd_error *error);
/* The text of --help, for gd_free. */
char *gd_config_help(void);
#endif
