/* cluster.c - the nodes of a run; see cluster.h.
 *
 * Process 0 of the world is the clients', process n is node n. What a node is made of lies in its
 * process's own heap, so a crash drops all of it at once; the slot here only points there, and
 * forgets when the world says that the process is about to lose its memory.
 *
 * A node that stops by itself (a failed sync, a full disk at its start) is started anew half a
 * second later, as a supervisor would, unless it refused a disk that was damaged on purpose: then
 * it is down for good. A node that refuses a disk which nobody damaged is a violation. */
#include "sim/cluster_internal.h"
#include "sim/witness.h"
#include "engine/memory.h"
#include "engine/message.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TEND_AFTER (500 * GD_SIM_MS)
#define PEER_PORT 7000

struct gd_world *gd_sim_cluster_world(const struct gd_sim_cluster *cluster)
{
    return cluster->world;
}

struct gd_sim_workload *gd_sim_cluster_workload(const struct gd_sim_cluster *cluster)
{
    return cluster->workload;
}

struct gd_node *gd_sim_cluster_node(const struct gd_sim_cluster *cluster, unsigned id)
{
    const struct slot *slot = &cluster->slots[id];
    return slot->stopped ? NULL : slot->node;
}

const struct gd_config *gd_sim_cluster_config(const struct gd_sim_cluster *cluster, unsigned id)
{
    struct gd_node *node = gd_sim_cluster_node(cluster, id);
    const struct gd_raft *raft = node != NULL ? gd_node_raft(node) : NULL;
    return raft != NULL ? gd_raft_config(raft) : NULL;
}

bool gd_sim_cluster_ready(const struct gd_sim_cluster *cluster, unsigned id)
{
    return cluster->slots[id].ready;
}

gd_time_ns gd_sim_cluster_now(const struct gd_sim_cluster *cluster)
{
    return gd_world_now(cluster->world);
}

enum gd_role gd_sim_cluster_role(const struct gd_sim_cluster *cluster, unsigned id)
{
    struct gd_node *node = gd_sim_cluster_node(cluster, id);
    const struct gd_raft *raft = node != NULL ? gd_node_raft(node) : NULL;
    return raft != NULL ? gd_raft_role(raft) : GD_ROLE_FOLLOWER;
}

unsigned gd_sim_cluster_leader(const struct gd_sim_cluster *cluster)
{
    unsigned leader = 0;
    gd_term highest = 0;
    for (unsigned id = 1; id <= cluster->nodes; id++) {
        if (gd_sim_cluster_role(cluster, id) == GD_ROLE_LEADER) {
            gd_term term = gd_raft_term(gd_node_raft(cluster->slots[id].node));
            leader = term > highest ? id : leader;
            highest = term > highest ? term : highest;
        }
    }
    return leader;
}

void gd_sim_cluster_note(struct gd_sim_cluster *cluster, unsigned id, const char *text)
{
    gd_world_fold(cluster->world, id);
    if (gd_world_traced(cluster->world)) {
        gd_world_note(cluster->world, id == 0 ? GD_WORLD_NOBODY : id, "FAULT", "%s", text);
    }
}

/* ---------------------------------------------------------------- a node's process */

static void node_stopped(void *context, enum gd_err err, const struct gd_error *error)
{
    struct slot *slot = context;
    slot->stopped = true;
    slot->err = err;
    (void)snprintf(slot->error, sizeof slot->error, "%s",
                   error != NULL && error->text[0] != '\0' ? error->text : gd_err_text(err));
}

static void node_ready(void *context)
{
    struct slot *slot = context;
    slot->ready = true;
}

/* A rolling upgrade: some nodes begin with the version before this one, and whoever starts again
 * has this one, as has whoever joins, which the older knew not how to. */
static uint16_t version_of(const struct gd_sim_plan *plan, unsigned id, unsigned starts)
{
    bool older = plan->newer != 0 && id > plan->newer && id <= plan->nodes && starts == 1;
    return (uint16_t)(GD_PROTOCOL_VERSION - older);
}

static void fill_options(struct gd_node_options *options, const struct gd_sim_plan *plan)
{
    options->heartbeat_ms = plan->heartbeat / GD_SIM_MS;
    options->election_timeout_ms = plan->election_timeout / GD_SIM_MS;
    options->request_timeout_ms = plan->request_timeout / GD_SIM_MS;
    options->redirect = plan->redirect != 0;
    options->lease = plan->lease != 0;
    options->segment_size = plan->segment_size;
    options->snapshot_log_size = plan->snapshot_log_size;
    options->snapshot_log_count = plan->snapshot_log_count;
    options->tail_count = plan->tail_count;
    options->tail_size_max = plan->tail_size;
    options->snapshot_chunk_size = plan->snapshot_chunk_size;
    options->batch_size_max = plan->batch_size;
    options->window_size_max = plan->window_size;
    options->window_count_max = (uint32_t)plan->window_count;
    options->uncommitted_size_max = plan->uncommitted_size;
    options->lag_size_max = plan->lag_size;
    options->pending_size_max = plan->pending_size;
    options->peer_output_size_max = plan->peer_output_size;
    options->session_pipeline_max = (uint32_t)plan->session_pipeline;
    options->session_count_max = (uint32_t)plan->session_count;
    options->session_output_size_max = plan->session_output_size;
}

/* Runs inside the process, at each of its starts. */
static void node_entry(struct gd_io *io, void *context)
{
    struct slot *slot = context;
    const struct gd_sim_cluster *cluster = slot->cluster;
    struct gd_address others[GD_SIM_NODES_MAX];
    struct gd_node_options options = {.io = io, .id = slot->id, .nodes = others};
    options.join = slot->id > cluster->options.plan->nodes || slot->nameless;
    options.id = slot->nameless ? 0 : slot->id;
    for (unsigned id = 1; id <= cluster->options.plan->nodes && !options.join; id++) {
        if (id != slot->id) {
            gd_sim_peer_address(id, &others[options.node_count++]);
        }
    }
    cluster->database->serve(cluster->run, slot->id, io, &slot->served);
    options.parser = slot->served.parser;
    options.tracker = slot->served.tracker;
    gd_sim_cluster_peer_address(cluster, slot->id, &options.peer_address);
    gd_sim_client_address(slot->id, &options.client_address);
    if (slot->asks != 0) {
        gd_sim_cluster_peer_address(cluster, slot->asks, &options.join_address);
    }
    fill_options(&options, cluster->options.plan);
    slot->version = version_of(cluster->options.plan, slot->id, ++slot->starts);
    options.protocol_version = slot->version;
    options.ready = node_ready;
    options.stopped = node_stopped;
    options.context = slot;
    slot->node = gd_node_new(&options);
    gd_node_start(slot->node);
}

static void clients_violated(void *context, const char *text)
{
    struct gd_sim_cluster *cluster = context;
    cluster->options.violated(cluster->options.context, "answers", text);
}

static void clients_ordered(void *context, unsigned node, const char *command)
{
    struct gd_sim_cluster *cluster = context;
    cluster->options.ordered(cluster->options.context, node, command);
}

static void clients_walls(void *context, struct gd_sim_walls *walls)
{
    const struct gd_sim_cluster *cluster = context;
    *walls = (struct gd_sim_walls){.least_ms = INT64_MAX,
                                   .most_ms = cluster->wall_most_ms,
                                   .set_back = cluster->walls_set_back};
    for (unsigned id = 1; id <= cluster->nodes; id++) {
        int64_t wall_ms = gd_world_process_wall_ms(cluster->world, id);
        walls->least_ms = wall_ms < walls->least_ms ? wall_ms : walls->least_ms;
        walls->most_ms = wall_ms > walls->most_ms ? wall_ms : walls->most_ms;
    }
}

static void clients_entry(struct gd_io *io, void *context)
{
    struct gd_sim_cluster *cluster = context;
    struct gd_sim_workload_options options = {.io = io,
                                              .plan = cluster->options.plan,
                                              .record = cluster->options.record,
                                              .violated = clients_violated,
                                              .ordered = clients_ordered,
                                              .walls = clients_walls,
                                              .context = cluster};
    cluster->workload = gd_sim_workload_new(&options);
    gd_sim_workload_start(cluster->workload);
}

/* The process's memory is about to go. */
static void forget(struct slot *slot)
{
    if (slot->cluster->outside != NULL) {
        slot->cluster->outside->crashing(slot->cluster->run, slot->id);
    }
    slot->node = NULL;
    slot->served = (struct gd_served){0};
    slot->ready = false;
    slot->stopped = false;
    slot->stopping = false;
    slot->cluster->options.gone(slot->cluster->options.context, slot->id);
}

static void hook_crashing(void *context, uint32_t process)
{
    struct gd_sim_cluster *cluster = context;
    if (process >= 1 && process <= cluster->nodes) {
        forget(&cluster->slots[process]);
    } else if (cluster->outside != NULL) {
        cluster->outside->crashing(cluster->run, process);
    }
}

static void hook_crashed(void *context, uint32_t process)
{
    struct gd_sim_cluster *cluster = context;
    if (process >= 1 && process <= cluster->nodes) {
        cluster->slots[process].wanted = false;
        cluster->slots[process].start_at = UINT64_MAX;
    }
}

static void hook_event(void *context, uint32_t process)
{
    struct gd_sim_cluster *cluster = context;
    cluster->options.hooks.event(cluster->options.hooks.context, process);
}
static void hook_trace(void *context, const struct gd_world_line *line)
{
    struct gd_sim_cluster *cluster = context;
    cluster->options.hooks.trace(cluster->options.hooks.context, line);
}
static void hook_log(void *context, uint32_t process, enum gd_log_level level, const char *text)
{
    struct gd_sim_cluster *cluster = context;
    cluster->options.hooks.log(cluster->options.hooks.context, process, level, text);
}
static void hook_failed(void *context, const struct gd_world_failure *failure)
{
    struct gd_sim_cluster *cluster = context;
    cluster->options.hooks.failed(cluster->options.hooks.context, failure);
}

/* ---------------------------------------------------------------- the world */

static bool framer_wants(void *context, uint32_t from, uint32_t to, uint16_t port)
{
    (void)context;
    return from != GD_SIM_CLIENTS && to != GD_SIM_CLIENTS &&
           (port == PEER_PORT || port == PEER_PORT + 1);
}

static size_t framer_size(void *context, struct gd_slice bytes)
{
    (void)context;
    if (bytes.size < 4) {
        return 0;
    }
    size_t size = gd_message_frame_size(bytes.data);
    return size <= bytes.size ? size : 0;
}

static void framer_sent(void *context, uint32_t from, uint32_t to, struct gd_slice frame)
{
    struct gd_sim_cluster *cluster = context;
    cluster->options.sent(cluster->options.context, from, to, frame);
}

static void framer_told(void *context, uint32_t from, uint32_t to, struct gd_slice frame)
{
    struct gd_sim_cluster *cluster = context;
    cluster->options.told(cluster->options.context, from, to, frame);
}

static void fill_world(struct gd_sim_cluster *cluster, struct gd_world_options *options)
{
    const struct gd_sim_plan *plan = cluster->options.plan;
    struct gd_world_link_options *link = &cluster->link;
    struct gd_world_disk_options *disk = &cluster->disk;
    *link = gd_world_link_defaults();
    link->latency_min = plan->net_latency_min;
    link->latency_max = plan->net_latency_max;
    link->window_size = plan->net_buffer;
    link->fragment_ppm = (uint32_t)plan->net_fragment;
    link->coalesce_ppm = (uint32_t)plan->net_coalesce;
    link->stall_ppm = (uint32_t)plan->net_stall;
    link->stall_max = plan->net_stall_max;
    link->reset_ppm = (uint32_t)plan->net_reset;
    link->drop_ppm = (uint32_t)plan->net_drop;
    link->duplicate_ppm = (uint32_t)plan->net_duplicate;
    link->reorder_ppm = (uint32_t)plan->net_reorder;
    link->reorder_max = 10 * plan->net_latency_max + GD_SIM_MS;
    link->reorder_max = plan->net_late > link->reorder_max ? plan->net_late : link->reorder_max;
    link->frames_spared = 2; /* The Hellos. */
    link->connect_timeout = 2 * GD_SIM_S;
    link->timeout = 15 * GD_SIM_S;
    *disk = gd_world_disk_defaults();
    disk->latency_min = plan->disk_latency_min;
    disk->latency_max = plan->disk_latency_max;
    disk->sync_min = plan->disk_sync_min;
    disk->sync_max = plan->disk_sync_max;
    disk->lost_ppm = (uint32_t)plan->disk_lost;
    disk->name_lost_ppm = (uint32_t)plan->disk_lost;
    disk->torn_ppm = (uint32_t)plan->disk_torn;
    disk->queue_count = plan->disk_queue;
    disk->uneven = (uint32_t)plan->disk_uneven;
    options->seed = plan->seed;
    options->link = *link;
    options->disk = *disk;
    options->hooks = (struct gd_world_hooks){.context = cluster,
                                             .event = hook_event,
                                             .crashing = hook_crashing,
                                             .crashed = hook_crashed};
    options->hooks.trace = cluster->options.hooks.trace != NULL ? hook_trace : NULL;
    options->hooks.log = cluster->options.hooks.log != NULL ? hook_log : NULL;
    options->hooks.failed = cluster->options.hooks.failed != NULL ? hook_failed : NULL;
    options->framer = (struct gd_world_framer){.context = cluster,
                                               .wants = framer_wants,
                                               .size = framer_size,
                                               .sent = framer_sent,
                                               .told = framer_told};
}

static void renew_links(struct gd_sim_cluster *cluster);

static void add_node(struct gd_sim_cluster *cluster, unsigned id)
{
    const struct gd_sim_plan *plan = cluster->options.plan;
    struct slot *slot = &cluster->slots[id];
    struct gd_world_process_options options = {.entry = node_entry, .context = slot};
    struct gd_prng prng;
    char name[16];
    char host[32];
    *slot = (struct slot){.cluster = cluster, .id = id, .start_at = UINT64_MAX};
    (void)snprintf(name, sizeof name, "n%u", id);
    (void)snprintf(host, sizeof host, "10.0.0.%u", id);
    options.name = name;
    options.host = host;
    gd_prng_init(&prng, gd_prng_mix(plan->seed, gd_prng_mix(UINT64_C(0x636c6f636b), id)));
    int64_t skew = (int64_t)gd_prng_below(&prng, 2 * (plan->clock_skew / GD_SIM_MS) + 1);
    int64_t drift = (int64_t)gd_prng_below(&prng, 2 * plan->clock_drift + 1);
    options.clock.skew_ms = skew - (int64_t)(plan->clock_skew / GD_SIM_MS);
    options.clock.drift_ppm = (int32_t)(drift - (int64_t)plan->clock_drift);
    uint32_t number = gd_world_add(cluster->world, &options);
    GD_ASSERT(number == id);
}

struct gd_sim_cluster *gd_sim_cluster_new(const struct gd_sim_cluster_options *options)
{
    struct gd_sim_cluster *cluster = calloc(1, sizeof *cluster);
    struct gd_world_options world = {0};
    GD_ASSERT(cluster != NULL);
    GD_ASSERT(options->plan->database != NULL);
    cluster->options = *options;
    cluster->database = options->plan->database;
    cluster->outside = cluster->database->outside;
    cluster->nodes = gd_sim_plan_total(options->plan);
    fill_world(cluster, &world);
    cluster->world = gd_world_new(&world);
    gd_world_prng(cluster->world, GD_WORLD_NOBODY, "faults", &cluster->prng);
    uint32_t clients = gd_world_add(
        cluster->world,
        &(struct gd_world_process_options){
            .name = "clients", .host = "10.0.1.1", .entry = clients_entry, .context = cluster});
    GD_ASSERT(clients == GD_SIM_CLIENTS);
    for (unsigned id = 1; id <= cluster->nodes; id++) {
        add_node(cluster, id);
    }
    if (cluster->outside != NULL) {
        cluster->run = cluster->outside->run_new(cluster->world, options->plan);
    }
    if (options->plan->net_uneven > 1) {
        renew_links(cluster);
    }
    return cluster;
}

void gd_sim_cluster_free(struct gd_sim_cluster *cluster)
{
    for (unsigned id = 1; id <= cluster->nodes && cluster->outside != NULL; id++) {
        cluster->outside->crashing(cluster->run, id);
    }
    gd_world_free(cluster->world);
    if (cluster->outside != NULL) {
        cluster->outside->run_free(cluster->run);
    }
    free(cluster);
}

void gd_sim_cluster_begin(struct gd_sim_cluster *cluster)
{
    if (cluster->outside != NULL && cluster->outside->begin != NULL) {
        cluster->outside->begin(cluster->run);
    }
    for (unsigned id = 1; id <= cluster->nodes; id++) {
        gd_sim_cluster_start(cluster, id);
    }
    gd_world_start(cluster->world, GD_SIM_CLIENTS);
}

/* ---------------------------------------------------------------- processes */

struct slot *gd_sim__slot(struct gd_sim_cluster *cluster, unsigned id)
{
    return id >= 1 && id <= GD_SIM_NODES_MAX && id <= cluster->nodes ? &cluster->slots[id] : NULL;
}

bool gd_sim__lives(const struct gd_sim_cluster *cluster, unsigned id)
{
    return id >= 1 && id <= cluster->nodes && gd_world_running(cluster->world, id);
}

void gd_sim_cluster_start(struct gd_sim_cluster *cluster, unsigned id)
{
    if (id < 1 || id > cluster->nodes) {
        return;
    }
    cluster->slots[id].wanted = true;
    if (!gd_sim__lives(cluster, id) && !cluster->slots[id].refused) {
        cluster->slots[id].start_at = UINT64_MAX;
        cluster->slots[id].missing = false;
        if (cluster->slots[id].damaged) {
            bool misread = gd_world_disk(cluster->world, id).misread_ppm > 0;
            uint64_t says = gd_sim_witness(cluster->world, id);
            uint64_t kept = cluster->slots[id].kept;
            cluster->options.witnessed(cluster->options.context, id,
                                       misread       ? 0
                                       : says > kept ? says
                                                     : kept);
        }
        cluster->slots[id].quiet_last = cluster->slots[id].kept = 0;
        gd_world_start(cluster->world, id);
    }
}

/* A node vouches for what it wrote last within a fraction of this. */
#define QUIET (1 * GD_SIM_S)
static bool is_quiet(const struct gd_sim_cluster *cluster, unsigned id)
{
    struct gd_node *node = gd_sim_cluster_node(cluster, id);
    const struct slot *slot = &cluster->slots[id];
    return slot->ready && !slot->damaged && node != NULL && !gd_node_closing(node) &&
           !gd_world_paused(cluster->world, id) && cluster->options.plan->database_sqlite == 0 &&
           gd_world_disk_quiet(cluster->world, id) >= QUIET;
}

void gd_sim_cluster_crash(struct gd_sim_cluster *cluster, unsigned id)
{
    if (!gd_sim__lives(cluster, id)) {
        if (id >= 1 && id <= cluster->nodes) {
            cluster->slots[id].wanted = false;
            cluster->slots[id].start_at = UINT64_MAX;
        }
        return;
    }
    bool power = gd_prng_chance(&cluster->prng, 3, 4);
    bool quiet = is_quiet(cluster, id);
    gd_world_crash(cluster->world, id, power ? GD_WORLD_POWER_LOSS : GD_WORLD_KILL);
    cluster->slots[id].quiet_last = quiet ? gd_sim_witness_last(cluster->world, id) : 0;
}

void gd_sim_cluster_outage(struct gd_sim_cluster *cluster, unsigned id)
{
    if (gd_sim__lives(cluster, id)) {
        gd_world_crash(cluster->world, id, GD_WORLD_POWER_LOSS);
    }
}

void gd_sim_cluster_crash_at(struct gd_sim_cluster *cluster, unsigned id, unsigned op,
                             enum gd_sim_when when, uint64_t count)
{
    static const enum gd_world_when whens[] = {GD_WORLD_BEFORE, GD_WORLD_HALF, GD_WORLD_AFTER};
    if (id >= 1 && id <= cluster->nodes) {
        gd_world_crash_at(cluster->world, id, (enum gd_disk_kind)op, count, whens[when],
                          GD_WORLD_POWER_LOSS);
    }
}

void gd_sim_cluster_pause(struct gd_sim_cluster *cluster, unsigned id)
{
    if (gd_sim__lives(cluster, id) && !gd_world_paused(cluster->world, id)) {
        gd_world_pause(cluster->world, id);
    }
}

void gd_sim_cluster_resume(struct gd_sim_cluster *cluster, unsigned id)
{
    if (gd_sim__lives(cluster, id) && gd_world_paused(cluster->world, id)) {
        gd_world_resume(cluster->world, id);
    }
}

void gd_sim_cluster_stop(struct gd_sim_cluster *cluster, unsigned id)
{
    if (!gd_sim__lives(cluster, id)) {
        return;
    }
    struct slot *slot = &cluster->slots[id];
    slot->wanted = false;
    if (slot->stopped || slot->stopping) {
        return;
    }
    slot->stopping = true;
    (void)gd_world_enter(cluster->world, id);
    gd_node_stop(slot->node, 5000);
    gd_world_leave(cluster->world);
}

void gd_sim_cluster_peer_address(const struct gd_sim_cluster *cluster, unsigned id,
                                 struct gd_address *address)
{
    char text[32];
    gd_sim_peer_address(id, address);
    if (cluster->slots[id].moved) {
        (void)snprintf(text, sizeof text, "10.0.0.%u:%d", id, PEER_PORT + 1);
        GD_ASSERT(gd_address_parse(text, address) == GD_OK);
    }
}

/* Until its next start a node stays where it was. */
bool gd_sim_cluster_move(struct gd_sim_cluster *cluster, unsigned id)
{
    for (unsigned i = 1; i <= cluster->nodes; i++) {
        if (cluster->slots[i].wiped) {
            return false; /* An emptied node knows the others only by where they began. */
        }
    }
    cluster->slots[id].moved = !cluster->slots[id].moved;
    return true;
}

void gd_sim_cluster_ask(struct gd_sim_cluster *cluster, unsigned id, unsigned whom)
{
    cluster->slots[id].asks = whom;
}

void gd_sim_cluster_start_nameless(struct gd_sim_cluster *cluster, unsigned id, unsigned whom)
{
    if (id >= 1 && id <= cluster->nodes && cluster->slots[id].wiped &&
        !gd_sim__lives(cluster, id) && !cluster->slots[id].refused) {
        cluster->slots[id].nameless = true;
        cluster->slots[id].asks = whom;
        gd_sim_cluster_start(cluster, id);
    }
}

void gd_sim_cluster_end_nameless(struct gd_sim_cluster *cluster, unsigned id)
{
    if (id >= 1 && id <= cluster->nodes && cluster->slots[id].nameless) {
        cluster->slots[id].nameless = false;
        cluster->slots[id].asks = 0;
        gd_sim_cluster_crash(cluster, id);
    }
}

uint16_t gd_sim_cluster_version(const struct gd_sim_cluster *cluster, unsigned id)
{
    return cluster->slots[id].version;
}

bool gd_sim_cluster_refused(const struct gd_sim_cluster *cluster, unsigned id)
{
    return cluster->slots[id].refused;
}

bool gd_sim_cluster_damaged(const struct gd_sim_cluster *cluster, unsigned id)
{
    return cluster->slots[id].damaged;
}

bool gd_sim_cluster_needs_tending(const struct gd_sim_cluster *cluster)
{
    for (unsigned id = 1; id <= cluster->nodes; id++) {
        const struct slot *slot = &cluster->slots[id];
        if (slot->stopped || slot->start_at <= gd_world_now(cluster->world)) {
            return true;
        }
    }
    return cluster->outside != NULL && cluster->outside->needs_tending != NULL &&
           cluster->outside->needs_tending(cluster->run);
}

/* The cluster has told it that it is none of its members, or not in this life: down for good. */
static void dismissed(struct gd_sim_cluster *cluster, struct slot *slot)
{
    slot->refused = true;
    if (!slot->wiped && !slot->gone) {
        cluster->options.dismissed(cluster->options.context, slot->id, slot->error);
    }
}

/* A node has said its last word: its process puts everything away and ends. */
static void put_away(struct gd_sim_cluster *cluster, struct slot *slot)
{
    struct gd_world_leak leak = {0};
    char text[GD_ERROR_TEXT_SIZE + 200];
    gd_sim_cluster_resume(cluster, slot->id);
    (void)gd_world_enter(cluster->world, slot->id);
    gd_node_free(slot->node);
    cluster->database->put_away(cluster->run, slot->id, &slot->served);
    gd_world_leave(cluster->world);
    if (slot->err == GD_ERR_CORRUPT && slot->damaged) {
        GD_REACHED("simulated node refused a damaged disk");
        slot->refused = true;
    } else if (slot->err == GD_ERR_CORRUPT || slot->err == GD_ERR_VERSION) {
        (void)snprintf(text, sizeof text, "node %u refuses a disk that nobody damaged: %s",
                       slot->id, slot->error);
        cluster->options.violated(cluster->options.context, "durability", text);
    }
    if (slot->err == GD_ERR_INVALID) {
        dismissed(cluster, slot);
    }
    (void)snprintf(text, sizeof text, "stopped: %s", slot->error);
    gd_sim_cluster_note(cluster, slot->id, text);
    forget(slot);
    bool tidy = gd_world_end(cluster->world, slot->id, &leak);
    if (!tidy) {
        (void)snprintf(text, sizeof text,
                       "node %u stopped (%s) and left %" PRIu64 " blocks (%" PRIu64
                       " bytes), %" PRIu64 " timers, %" PRIu64 " streams, %" PRIu64
                       " listeners, %" PRIu64 " files, %" PRIu64 " disk operations",
                       slot->id, slot->error, leak.block_count, leak.block_size, leak.timer_count,
                       leak.stream_count, leak.listener_count, leak.file_count,
                       leak.operation_count);
        cluster->options.violated(cluster->options.context, "leaks", text);
    }
    if (slot->wanted && !slot->refused) {
        slot->start_at = gd_world_now(cluster->world) + TEND_AFTER;
    }
}

void gd_sim_cluster_tend(struct gd_sim_cluster *cluster)
{
    if (cluster->outside != NULL && cluster->outside->tend != NULL) {
        cluster->outside->tend(cluster->run);
    }
    for (unsigned id = 1; id <= cluster->nodes; id++) {
        struct slot *slot = &cluster->slots[id];
        if (slot->stopped && gd_sim__lives(cluster, id)) {
            put_away(cluster, slot);
        }
        if (slot->start_at <= gd_world_now(cluster->world)) {
            gd_sim_cluster_start(cluster, id);
        }
    }
}

void gd_sim_cluster_finish(struct gd_sim_cluster *cluster)
{
    (void)gd_world_enter(cluster->world, GD_SIM_CLIENTS);
    gd_sim_workload_finish(cluster->workload);
    gd_world_leave(cluster->world);
}

void gd_sim_cluster_stir(struct gd_sim_cluster *cluster)
{
    (void)gd_world_enter(cluster->world, GD_SIM_CLIENTS);
    gd_sim_workload_stir(cluster->workload);
    gd_world_leave(cluster->world);
}

void gd_sim_cluster_order(struct gd_sim_cluster *cluster, unsigned id, const char *command)
{
    if (id < 1 || id > cluster->nodes) {
        return;
    }
    (void)gd_world_enter(cluster->world, GD_SIM_CLIENTS);
    gd_sim_workload_order(cluster->workload, id, command);
    gd_world_leave(cluster->world);
}

/* ---------------------------------------------------------------- network */

void gd_sim_cluster_block(struct gd_sim_cluster *cluster, unsigned from, unsigned to, bool on)
{
    if (from > cluster->nodes || to > cluster->nodes || from == to) {
        return;
    }
    unsigned *count = &cluster->blocks[from][to];
    *count = on ? *count + 1 : *count - 1;
    gd_world_cut(cluster->world, from, to, *count > 0);
}

/* How much longer the way from one node to the other is than the plan says. */
static uint64_t stretch_of(const struct gd_sim_plan *plan, unsigned from, unsigned to)
{
    uint64_t most = plan->heartbeat / (plan->net_latency_max + 1);
    struct gd_prng prng;
    most = most < plan->net_uneven ? most : plan->net_uneven;
    if (most < 2 || from == GD_SIM_CLIENTS || to == GD_SIM_CLIENTS) {
        return 1;
    }
    gd_prng_init(&prng, gd_prng_mix(plan->seed, gd_prng_mix(from, to)));
    return gd_prng_between(&prng, 1, most);
}

static void renew_links(struct gd_sim_cluster *cluster)
{
    for (unsigned a = 0; a <= cluster->nodes; a++) {
        for (unsigned b = 0; b <= cluster->nodes; b++) {
            const struct slot *from = &cluster->slots[a];
            const struct slot *to = &cluster->slots[b];
            struct gd_world_link_options link = cluster->link;
            uint64_t lossy = from->lossy > to->lossy ? from->lossy : to->lossy;
            if (a == b) {
                continue;
            }
            uint64_t stretch = stretch_of(cluster->options.plan, a, b);
            link.latency_min *= stretch;
            link.latency_max *= stretch;
            link.latency_min += from->lag + to->lag;
            link.latency_max += from->lag + to->lag;
            link.drop_ppm = lossy > link.drop_ppm ? (uint32_t)lossy : link.drop_ppm;
            gd_world_set_link(cluster->world, a, b, &link);
        }
    }
}

void gd_sim_cluster_calm(struct gd_sim_cluster *cluster)
{
    struct gd_world_link_options *link = &cluster->link;
    link->stall_ppm = link->reset_ppm = 0;
    link->drop_ppm = link->duplicate_ppm = link->reorder_ppm = 0;
    /* A way may take a heartbeat; in pieces an answer could take an election timeout. */
    link->fragment_ppm = link->coalesce_ppm = 0;
    renew_links(cluster);
}

void gd_sim_cluster_clog(struct gd_sim_cluster *cluster, unsigned id, bool on)
{
    if (id > cluster->nodes) {
        return;
    }
    struct slot *slot = &cluster->slots[id];
    slot->clogged = on ? slot->clogged + 1 : slot->clogged - 1;
    for (unsigned other = 0; other <= cluster->nodes; other++) {
        bool clogged = slot->clogged > 0 || cluster->slots[other].clogged > 0;
        if (other != id) {
            gd_world_clog(cluster->world, id, other, clogged);
            gd_world_clog(cluster->world, other, id, clogged);
        }
    }
}

void gd_sim_cluster_lag(struct gd_sim_cluster *cluster, unsigned id, gd_time_ns more)
{
    cluster->slots[id].lag = more;
    renew_links(cluster);
}

void gd_sim_cluster_lossy(struct gd_sim_cluster *cluster, unsigned id, uint64_t ppm)
{
    cluster->slots[id].lossy = ppm;
    renew_links(cluster);
}

void gd_sim_cluster_reset(struct gd_sim_cluster *cluster, unsigned id, bool half_open)
{
    if (id >= 1 && id <= cluster->nodes) {
        uint64_t dice = gd_prng_below(&cluster->prng, 2);
        enum gd_world_break how = !half_open ? GD_WORLD_RESET
                                  : dice > 0 ? GD_WORLD_HALF_OPEN
                                             : GD_WORLD_BLACK_HOLE;
        (void)gd_world_break_streams(cluster->world, id, GD_WORLD_ALL, how);
    }
}

/* ---------------------------------------------------------------- databases */

void gd_sim_cluster_strike_database(struct gd_sim_cluster *cluster,
                                    const struct gd_sim_fault *fault, unsigned id)
{
    if (cluster->outside != NULL && cluster->outside->strike != NULL) {
        cluster->outside->strike(cluster->run, fault, id);
    }
}

void gd_sim_cluster_mend_database(struct gd_sim_cluster *cluster, const struct gd_sim_fault *fault,
                                  unsigned id)
{
    if (cluster->outside != NULL && cluster->outside->mend != NULL) {
        cluster->outside->mend(cluster->run, fault, id);
    }
}

bool gd_sim_cluster_database_digest(const struct gd_sim_cluster *cluster, unsigned id,
                                    uint64_t *digest)
{
    if (cluster->outside == NULL || cluster->outside->digest == NULL) {
        return false;
    }
    *digest = cluster->outside->digest(cluster->run, id);
    return true;
}

/* ---------------------------------------------------------------- words for it */

/* By its own log: voters, then who votes only until a change is done (-), only once it is (+), and
 * learners (?). */
static void describe_members(const struct gd_raft *raft, struct gd_bytes *bytes)
{
    const struct gd_config *config = gd_raft_config(raft);
    bool joint = gd_config_joint(config);
    gd_bytes_format(bytes, ", members by entry %" PRIu64 ":", gd_raft_config_index(raft));
    for (uint32_t i = 0; i < config->count; i++) {
        const struct gd_member *member = &config->members[i];
        bool in = (member->roles & GD_MEMBER_VOTER) != 0;
        bool out = (member->roles & GD_MEMBER_OUTGOING) != 0;
        gd_bytes_format(bytes, " %" PRIu64 "%s", member->id,
                        !in && !out     ? "?"
                        : !in           ? "-"
                        : joint && !out ? "+"
                                        : "");
    }
}

void gd_sim_cluster_describe(const struct gd_sim_cluster *cluster, struct gd_bytes *bytes)
{
    for (unsigned id = 1; id <= cluster->nodes; id++) {
        const struct slot *slot = &cluster->slots[id];
        const struct gd_raft *raft =
            slot->node != NULL && !slot->stopped ? gd_node_raft(slot->node) : NULL;
        if (raft == NULL) {
            gd_bytes_format(bytes, "node %u: %s%s%s\n", id,
                            slot->refused        ? "down for good: "
                            : slot->node != NULL ? "starting"
                                                 : "down ",
                            slot->error, slot->wanted ? "" : " (not wanted)");
            continue;
        }
        gd_bytes_format(bytes,
                        "node %u: %s of term %" PRIu64 ", leader %" PRIu64 ", last %" PRIu64
                        ", stored %" PRIu64 ", commit %" PRIu64 ", applied %" PRIu64,
                        id, gd_role_text(gd_raft_role(raft)), gd_raft_term(raft),
                        gd_raft_leader(raft), gd_raft_last(raft).index, gd_raft_stored(raft).index,
                        gd_raft_commit(raft), gd_node_applied(slot->node));
        describe_members(raft, bytes);
        gd_bytes_add_text(bytes, "\n");
    }
}
