/* databases.c - databases as processes of their own; see databases.h.
 *
 * They come behind the nodes in the world's numbers, and only in runs that want them, so every
 * other plan runs as it did before. A crash drops the server's heap; what a start finds is its
 * append-only file, as the world's disk has kept it. An old one is made by damage to that file: the
 * server cuts it there, and holds what it held when it had written so far. */
#include "sim/databases.h"
#include "engine/prng.h"
#include "kvs/keyspace.h"
#include "kvs/proxy_commands.h"
#include <stdio.h>
#include <stdlib.h>

struct database {
    struct gd_sim_databases *all;
    unsigned id;
    uint32_t process;
    struct gd_kv_server *server; /* In the process's heap; NULL: does not run. */
    bool ready, failed;
};
struct gd_sim_databases {
    struct gd_world *world; /* Borrowed. */
    const struct gd_sim_plan *plan;
    struct database rows[GD_SIM_NODES_MAX + 1];
    unsigned count;
    struct gd_prng prng;
};

void gd_sim_database_address(unsigned id, struct gd_address *address)
{
    (void)snprintf(address->text, sizeof address->text, "10.0.2.%u:6379", id);
}

static void on_ready(void *context, const struct gd_address *address)
{
    struct database *database = context;
    (void)address;
    database->ready = true;
}

static void on_failed(void *context, const struct gd_error *error)
{
    struct database *database = context;
    (void)error;
    database->failed = true;
}

static void entry(struct gd_io *io, void *context)
{
    struct database *database = context;
    struct gd_kv_server_options options = {.io = io,
                                           .sync =
                                               (enum gd_kv_sync)database->all->plan->database_sync,
                                           .ready = on_ready,
                                           .failed = on_failed,
                                           .context = database};
    gd_sim_database_address(database->id, &options.address);
    database->server = gd_kv_server_new(&options);
    gd_kv_server_start(database->server);
}

struct gd_sim_databases *gd_sim_databases_new(struct gd_world *world,
                                              const struct gd_sim_plan *plan)
{
    struct gd_sim_databases *databases = calloc(1, sizeof *databases);
    GD_ASSERT(databases != NULL);
    databases->world = world;
    databases->plan = plan;
    databases->count = gd_sim_plan_total(plan);
    gd_world_prng(world, GD_WORLD_NOBODY, "databases", &databases->prng);
    for (unsigned id = 1; id <= databases->count; id++) {
        struct database *row = &databases->rows[id];
        struct gd_world_process_options options = {.entry = entry, .context = row};
        char name[16];
        char host[32];
        (void)snprintf(name, sizeof name, "d%u", id);
        (void)snprintf(host, sizeof host, "10.0.2.%u", id);
        options.name = name;
        options.host = host;
        *row = (struct database){.all = databases, .id = id};
        row->process = gd_world_add(world, &options);
    }
    return databases;
}

void gd_sim_databases_free(struct gd_sim_databases *databases)
{
    free(databases);
}

void gd_sim_databases_crashing(struct gd_sim_databases *databases, uint32_t process)
{
    for (unsigned id = 1; id <= databases->count; id++) {
        struct database *row = &databases->rows[id];
        if (row->process == process) {
            row->server = NULL;
            row->ready = row->failed = false;
        }
    }
}

static bool lives(const struct gd_sim_databases *databases, unsigned id)
{
    return gd_world_running(databases->world, databases->rows[id].process);
}

void gd_sim_database_start(struct gd_sim_databases *databases, unsigned id)
{
    if (!lives(databases, id)) {
        gd_world_start(databases->world, databases->rows[id].process);
    }
}

void gd_sim_databases_begin(struct gd_sim_databases *databases)
{
    for (unsigned id = 1; id <= databases->count; id++) {
        gd_sim_database_start(databases, id);
    }
}

void gd_sim_database_crash(struct gd_sim_databases *databases, unsigned id)
{
    if (lives(databases, id)) {
        bool power = gd_prng_chance(&databases->prng, 1, 2);
        gd_world_crash(databases->world, databases->rows[id].process,
                       power ? GD_WORLD_POWER_LOSS : GD_WORLD_KILL);
    }
}

void gd_sim_database_empty(struct gd_sim_databases *databases, unsigned id)
{
    gd_sim_database_crash(databases, id);
    gd_world_wipe(databases->world, databases->rows[id].process);
}

void gd_sim_database_age(struct gd_sim_databases *databases, unsigned id)
{
    uint32_t process = databases->rows[id].process;
    const char *path;
    uint64_t size = 0;
    gd_sim_database_crash(databases, id);
    path = gd_world_file_next(databases->world, process, GD_WORLD_DURABLE, NULL);
    if (path != NULL &&
        gd_world_file_size(databases->world, process, GD_WORLD_DURABLE, path, &size) && size > 0) {
        char name[GD_DISK_PATH_SIZE];
        uint64_t offset = gd_prng_below(&databases->prng, size);
        (void)snprintf(name, sizeof name, "%s", path);
        (void)gd_world_rot(databases->world, process, name, offset, 64, 3);
    }
}

void gd_sim_database_pause(struct gd_sim_databases *databases, unsigned id, bool on)
{
    uint32_t process = databases->rows[id].process;
    if (!lives(databases, id) || gd_world_paused(databases->world, process) == on) {
        return;
    }
    if (on) {
        gd_world_pause(databases->world, process);
    } else {
        gd_world_resume(databases->world, process);
    }
}

void gd_sim_database_slow(struct gd_sim_databases *databases, unsigned id, uint64_t times)
{
    uint32_t process = databases->rows[id].process;
    struct gd_world_link_options link = gd_world_link(databases->world, id, process);
    struct gd_world_disk_options disk = gd_world_disk(databases->world, process);
    link.latency_min = databases->plan->net_latency_min * times;
    link.latency_max = databases->plan->net_latency_max * times;
    gd_world_set_link(databases->world, id, process, &link);
    gd_world_set_link(databases->world, process, id, &link);
    disk.latency_max = databases->plan->disk_latency_max * times;
    disk.sync_max = databases->plan->disk_sync_max * times;
    disk.uneven = (uint32_t)(databases->plan->disk_uneven / times);
    gd_world_set_disk(databases->world, process, &disk);
}

void gd_sim_database_flush(struct gd_sim_databases *databases, unsigned id)
{
    struct database *row = &databases->rows[id];
    if (row->ready) {
        (void)gd_world_enter(databases->world, row->process);
        gd_kv_server_flush(row->server);
        gd_world_leave(databases->world);
    }
}

void gd_sim_database_cut(struct gd_sim_databases *databases, unsigned id)
{
    static const enum gd_world_break hows[] = {GD_WORLD_RESET, GD_WORLD_HALF_OPEN,
                                               GD_WORLD_BLACK_HOLE};
    enum gd_world_break how = hows[gd_prng_below(&databases->prng, GD_COUNT(hows))];
    (void)gd_world_break_streams(databases->world, id, databases->rows[id].process, how);
}

bool gd_sim_databases_need_tending(const struct gd_sim_databases *databases)
{
    for (unsigned id = 1; id <= databases->count; id++) {
        if (databases->rows[id].failed) {
            return true;
        }
    }
    return false;
}

void gd_sim_databases_tend(struct gd_sim_databases *databases)
{
    for (unsigned id = 1; id <= databases->count; id++) {
        if (databases->rows[id].failed) {
            gd_world_crash(databases->world, databases->rows[id].process, GD_WORLD_KILL);
            gd_world_start(databases->world, databases->rows[id].process);
        }
    }
}

static void add_item(void *context, const struct gd_item *item)
{
    uint64_t *sum = context;
    char scratch[GD_ITEM_SCRATCH];
    struct gd_slice key = gd_item_key(item);
    struct gd_slice value = gd_item_value(item, scratch);
    if (key.size == sizeof GD_PROXY_KEY - 1 && memcmp(key.data, GD_PROXY_KEY, key.size) == 0) {
        return;
    }
    uint32_t crc = gd_crc32c(0, key.data, key.size);
    *sum += gd_prng_mix(gd_prng_mix(crc, gd_crc32c(crc, value.data, value.size)),
                        (uint64_t)gd_item_expiry_ms(item));
}

uint64_t gd_sim_database_digest(const struct gd_sim_databases *databases, unsigned id)
{
    const struct database *row = &databases->rows[id];
    uint64_t sum = 1;
    uint64_t cursor = 0;
    if (row->server == NULL || !row->ready) {
        return 0;
    }
    do {
        cursor = gd_keyspace_scan(gd_kv_server_kv(row->server)->ks, cursor, add_item, &sum);
    } while (cursor != 0);
    return sum;
}
