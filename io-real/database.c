/* database.c - the databases that `database:` can name: the embedded store, and one behind a
 * connection. */
#include "io-real/database.h"
#include "engine/memory.h"
#include "kvs/kv_parser.h"
#include "kvs/kv_tracker.h"
#include "kvs/proxy_tracker.h"
#include <stdio.h>

/* What CONFIG GET shows: what clients are known to ask, and what our configuration has. */
enum { SETTING_COUNT = 10 };

struct gd_database {
    struct gd_kv_parser parser;
    struct gd_kv_tracker tracker;
    struct gd_proxy_tracker proxy;
    bool external; /* `proxy`, not `tracker`. */
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
        return gd_address_parse(config->database + 7, address);
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

struct gd_database *gd_database_new(const struct gd_node_config *config, struct gd_io *io,
                                    struct gd_error *error)
{
    struct gd_database *database = gd_calloc(1, sizeof *database);
    struct gd_kv_parser_options options = {.password = config->requirepass,
                                           .bulk_size_max = config->proto_max_bulk_len,
                                           .settings = database->settings,
                                           .setting_count = SETTING_COUNT};

    database->external = strncmp(config->database, "resp", 4) == 0;
    fill_settings(database, config);
    if (database->external) {
        struct gd_proxy_options proxy = {.io = io, .password = config->database_password};
        if (external_address(config, &proxy.address, error) != GD_OK) {
            gd_free(database);
            return NULL;
        }
        gd_proxy_tracker_init(&database->proxy, &proxy);
        options.find = find_external;
        options.find_context = database;
    } else {
        gd_kv_tracker_init(&database->tracker, io);
        options.kv = &database->tracker.kv;
    }
    gd_kv_parser_init(&database->parser, &options);
    return database;
}

struct gd_parser *gd_database_parser(struct gd_database *database)
{
    return &database->parser.parser;
}

struct gd_tracker *gd_database_tracker(struct gd_database *database)
{
    return database->external ? &database->proxy.tracker : &database->tracker.tracker;
}

void gd_database_free(struct gd_database *database)
{
    gd_kv_parser_release(&database->parser);
    gd_free(database);
}
