/* database.c - the databases that `database:` can name: so far the embedded store. */
#include "io-real/database.h"
#include "engine/memory.h"
#include "kvs/kv_parser.h"
#include "kvs/kv_tracker.h"
#include <stdio.h>

/* What CONFIG GET shows: what clients are known to ask, and what our configuration has. */
enum { SETTING_COUNT = 10 };

struct gd_database {
    struct gd_kv_parser parser;
    struct gd_kv_tracker tracker;
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

struct gd_database *gd_database_new(const struct gd_node_config *config, struct gd_io *io,
                                    struct gd_error *error)
{
    if (strcmp(config->database, "kvs") != 0) {
        (void)gd_error_set(error, GD_ERR_INVALID,
                           "database: this gandalf has only its embedded store: say kvs, not %s",
                           config->database);
        return NULL;
    }
    struct gd_database *database = gd_calloc(1, sizeof *database);

    fill_settings(database, config);
    gd_kv_tracker_init(&database->tracker, io);
    gd_kv_parser_init(&database->parser,
                      &(struct gd_kv_parser_options){.password = config->requirepass,
                                                     .bulk_size_max = config->proto_max_bulk_len,
                                                     .kv = &database->tracker.kv,
                                                     .settings = database->settings,
                                                     .setting_count = SETTING_COUNT});
    return database;
}

struct gd_parser *gd_database_parser(struct gd_database *database)
{
    return &database->parser.parser;
}

struct gd_tracker *gd_database_tracker(struct gd_database *database)
{
    return &database->tracker.tracker;
}

void gd_database_free(struct gd_database *database)
{
    gd_kv_parser_release(&database->parser);
    gd_free(database);
}
