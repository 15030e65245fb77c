/* database.c - the databases that `database:` can name: the embedded store, one behind a
 * connection, and an SQLite file. */
#include "io-real/database.h"
#include "engine/memory.h"
#include "kvs/kv_parser.h"
#include "kvs/kv_tracker.h"
#include "kvs/proxy_tracker.h"
#include "kvs/sql_tracker.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* What CONFIG GET shows: what clients are known to ask, and what our configuration has. */
enum { SETTING_COUNT = 10 };

struct gd_database {
    struct gd_kv_parser parser; /* First: put_away finds the rest by it. */
    enum { KIND_KVS, KIND_RESP, KIND_SQLITE } kind;
    struct gd_kv_tracker tracker; /* By kind: one of them. */
    struct gd_proxy_tracker proxy;
    struct gd_sql_tracker sql;
    struct gd_scripts scripts; /* What clients have sent, where scripts are declared. */
    struct gd_kv_setting settings[SETTING_COUNT];
    char max_clients[24], bulk_size[24], port[24];
};

static void fill_settings(struct gd_database *database, const struct gd_node_config *config)
{
    const struct gd_kv_setting settings[SETTING_COUNT] = {
        {"save", ""},
        {"appendonly", "no"},
        {"databases", "1"},
        {"maxmemory", "0"},
        {"maxmemory-policy", "noeviction"},
        {"maxclients", database->max_clients},
        {"proto-max-bulk-len", database->bulk_size},
        {"port", database->port},
        {"bind", config->connection_host},
        {"dir", config->data_dir},
    };

    (void)snprintf(database->max_clients, sizeof database->max_clients, "%llu",
                   (unsigned long long)config->max_clients);
    (void)snprintf(database->bulk_size, sizeof database->bulk_size, "%llu",
                   (unsigned long long)config->proto_max_bulk_len);
    (void)snprintf(database->port, sizeof database->port, "%llu",
                   (unsigned long long)config->connection_port);
    memcpy(database->settings, settings, sizeof settings);
}

/* resp://host:port, or resp for client_host and client_port. */
static enum gd_err external_address(const struct gd_node_config *config, struct gd_address *address,
                                    struct gd_error *error)
{
    char text[sizeof config->client_host + 16];

    if (strncmp(config->database, "resp://", 7) == 0) {
        if (gd_address_parse(config->database + 7, address) != GD_OK) {
            return gd_error_set(error, GD_ERR_INVALID, "database: %s has no host:port",
                                config->database);
        }
        return GD_OK;
    }
    (void)snprintf(text, sizeof text,
                   strchr(config->client_host, ':') != NULL ? "[%s]:%llu" : "%s:%llu",
                   config->client_host, (unsigned long long)config->client_port);
    if (gd_address_parse(text, address) != GD_OK) {
        return gd_error_set(error, GD_ERR_INVALID, "database: %s is no host:port", text);
    }
    return GD_OK;
}

static const struct gd_command *find_external(void *context, const struct gd_slice *args,
                                              size_t count, const char **refusal)
{
    const struct gd_database *database = context;
    return gd_proxy_find(&database->proxy.table, args, count, refusal);
}

/* sqlite:FILE, or sqlite for a file in the node's directory. */
static enum gd_err new_sqlite(struct gd_database *database, const struct gd_node_config *config,
                              struct gd_io *io, struct gd_error *error)
{
    char file[GD_SQL_PATH_SIZE];
    struct gd_sql_options options = {.io = io, .file = file};

    if (strncmp(config->database, "sqlite:", 7) == 0) {
        (void)snprintf(file, sizeof file, "%s", config->database + 7);
    } else {
        (void)snprintf(file, sizeof file, "%s/database.sqlite", config->data_dir);
    }
    /* Statements that say localtime must mean the same time on every node. */
    if (setenv("TZ", "UTC0", 1) != 0) {
        return gd_error_set(error, GD_ERR_IO, "database: the time zone cannot be set");
    }
    tzset();
    gd_sql_tracker_init(&database->sql, &options);
    return GD_OK;
}

static struct gd_tracker *tracker_of(struct gd_database *database)
{
    switch (database->kind) {
    case KIND_RESP:
        return &database->proxy.tracker;
    case KIND_SQLITE:
        return &database->sql.tracker;
    case KIND_KVS:
        break;
    }
    return &database->tracker.tracker;
}

/* The Tracker, and what the parser is to know of it. */
static enum gd_err new_tracker(struct gd_database *database, const struct gd_node_config *config,
                               struct gd_io *io, struct gd_kv_parser_options *options,
                               struct gd_error *error)
{
    if (database->kind == KIND_RESP) {
        struct gd_proxy_options proxy = {
            .io = io, .password = config->database_password, .scripts = config->database_scripts};
        enum gd_err err = external_address(config, &proxy.address, error);
        if (err != GD_OK) {
            return err;
        }
        gd_proxy_tracker_init(&database->proxy, &proxy);
        options->find = find_external;
        options->find_context = database;
        options->scripts = config->database_scripts ? &database->scripts : NULL;
        return GD_OK;
    }
    if (database->kind == KIND_SQLITE) {
        options->find = gd_sql_find;
        return new_sqlite(database, config, io, error);
    }
    gd_kv_tracker_init(&database->tracker, io);
    options->kv = &database->tracker.kv;
    return GD_OK;
}

enum gd_err gd_database_serve(const struct gd_node_config *config, struct gd_io *io,
                              struct gd_served *served, struct gd_error *error)
{
    struct gd_database *database = gd_calloc(1, sizeof *database);
    struct gd_kv_parser_options options = {.password = config->requirepass,
                                           .bulk_size_max = config->proto_max_bulk_len,
                                           .settings = database->settings,
                                           .setting_count = SETTING_COUNT};
    enum gd_err err;

    database->kind = strncmp(config->database, "resp", 4) == 0     ? KIND_RESP
                     : strncmp(config->database, "sqlite", 6) == 0 ? KIND_SQLITE
                                                                   : KIND_KVS;
    fill_settings(database, config);
    err = new_tracker(database, config, io, &options, error);
    if (err != GD_OK) {
        gd_free(database);
        return err;
    }
    gd_kv_parser_init(&database->parser, &options);
    served->parser = &database->parser.parser;
    served->tracker = tracker_of(database);
    gd_io_log(io, GD_LOG_INFO, "database %s", config->database);
    return GD_OK;
}

void gd_database_put_away(struct gd_served *served)
{
    struct gd_kv_parser *parser = GD_CONTAINER(served->parser, struct gd_kv_parser, parser);
    struct gd_database *database = GD_CONTAINER(parser, struct gd_database, parser);

    gd_kv_parser_release(parser);
    gd_scripts_release(&database->scripts);
    gd_free(database);
}
