/* kvs_databases.c - gandalf's own databases under the simulator; see kvs_databases.h. */
#include "sim/kvs_databases.h"
#include "engine/memory.h"
#include "kvs/kv_parser.h"
#include "kvs/kv_tracker.h"
#include "kvs/proxy_tracker.h"
#include "sim/databases.h"
#include "sim/kvs_clients.h"
#include "sim/plan.h"
#include "sim/sql_databases.h"
#include <stdlib.h>

static void serve_parser(struct gd_served *served, const struct gd_kv_parser_options *options)
{
    struct gd_kv_parser *parser = gd_calloc(1, sizeof *parser);
    gd_kv_parser_init(parser, options);
    served->parser = &parser->parser;
}

static void put_parser_away(struct gd_served *served)
{
    struct gd_kv_parser *parser = GD_CONTAINER(served->parser, struct gd_kv_parser, parser);
    gd_kv_parser_release(parser);
    gd_free(parser);
}

/* ---------------------------------------------------------------- embedded */

struct kvs_run {
    size_t piece_size_max;
};

static void *kvs_run_new(struct gd_world *world, const struct gd_sim_plan *plan)
{
    struct kvs_run *run = calloc(1, sizeof *run);
    (void)world;
    GD_ASSERT(run != NULL);
    if (plan->snapshot_piece_size != 0) {
        run->piece_size_max = plan->snapshot_piece_size < 16 ? 16 : plan->snapshot_piece_size;
    }
    return run;
}

static void kvs_crashing(void *run, uint32_t process)
{
    (void)run;
    (void)process;
}

static const struct gd_sim_outside kvs_outside = {
    .run_new = kvs_run_new, .run_free = free, .crashing = kvs_crashing};

static void kvs_serve(void *run, unsigned id, struct gd_io *io, struct gd_served *served)
{
    struct gd_kv_tracker *tracker = gd_calloc(1, sizeof *tracker);
    const struct kvs_run *all = run;
    (void)id;
    gd_kv_tracker_init(tracker, io);
    tracker->piece_size_max = all->piece_size_max;
    served->tracker = &tracker->tracker;
    serve_parser(served, &(struct gd_kv_parser_options){.kv = &tracker->kv});
}

static void kvs_put_away(void *run, unsigned id, struct gd_served *served)
{
    (void)run;
    (void)id;
    put_parser_away(served);
    gd_free(GD_CONTAINER(served->tracker, struct gd_kv_tracker, tracker));
}

const struct gd_sim_database gd_sim_database_kvs = {
    .name = "kvs",
    .prefix = "",
    .serve = kvs_serve,
    .put_away = kvs_put_away,
    .outside = &kvs_outside,
    GD_SIM__KVS_CLIENTS,
    .draw = gd_sim_plan_draw,
};

/* ---------------------------------------------------------------- behind a connection */

static const struct gd_command *find_external(void *context, const struct gd_slice *args,
                                              size_t count, const char **refusal)
{
    const struct gd_proxy_tracker *proxy = context;
    return gd_proxy_find(&proxy->table, args, count, refusal);
}

static void resp_serve(void *run, unsigned id, struct gd_io *io, struct gd_served *served)
{
    struct gd_proxy_tracker *proxy = gd_calloc(1, sizeof *proxy);
    struct gd_proxy_options options = {.io = io, .patience_ms = 2000};
    (void)run;
    gd_sim_database_address(id, &options.address);
    gd_proxy_tracker_init(proxy, &options);
    served->tracker = &proxy->tracker;
    serve_parser(served,
                 &(struct gd_kv_parser_options){.find = find_external, .find_context = proxy});
}

static void resp_put_away(void *run, unsigned id, struct gd_served *served)
{
    (void)run;
    (void)id;
    put_parser_away(served);
    gd_free(GD_CONTAINER(served->tracker, struct gd_proxy_tracker, tracker));
}

static void *resp_run_new(struct gd_world *world, const struct gd_sim_plan *plan)
{
    return gd_sim_databases_new(world, plan);
}

static void resp_run_free(void *run)
{
    gd_sim_databases_free(run);
}

static void resp_begin(void *run)
{
    gd_sim_databases_begin(run);
}

static void resp_crashing(void *run, uint32_t process)
{
    gd_sim_databases_crashing(run, process);
}

static bool resp_needs_tending(const void *run)
{
    return gd_sim_databases_need_tending(run);
}

static void resp_tend(void *run)
{
    gd_sim_databases_tend(run);
}

static void resp_strike(void *run, const struct gd_sim_fault *fault, unsigned id)
{
    switch (fault->kind) {
    case GD_SIM_FAULT_DATABASE_CRASH:
        gd_sim_database_crash(run, id);
        break;
    case GD_SIM_FAULT_DATABASE_EMPTY:
        gd_sim_database_empty(run, id);
        break;
    case GD_SIM_FAULT_DATABASE_OLD:
        gd_sim_database_age(run, id);
        break;
    case GD_SIM_FAULT_DATABASE_PAUSE:
        gd_sim_database_pause(run, id, true);
        break;
    case GD_SIM_FAULT_DATABASE_FLUSH:
        gd_sim_database_flush(run, id);
        break;
    case GD_SIM_FAULT_DATABASE_SLOW:
        gd_sim_database_slow(run, id, fault->count > 0 ? fault->count : 1);
        break;
    default:
        gd_sim_database_cut(run, id);
        break;
    }
}

static void resp_mend(void *run, const struct gd_sim_fault *fault, unsigned id)
{
    if (fault == NULL || fault->kind == GD_SIM_FAULT_DATABASE_PAUSE) {
        gd_sim_database_pause(run, id, false);
    } else if (fault->kind == GD_SIM_FAULT_DATABASE_SLOW) {
        gd_sim_database_slow(run, id, 1);
    }
    if (fault == NULL ||
        (fault->kind != GD_SIM_FAULT_DATABASE_PAUSE && fault->kind != GD_SIM_FAULT_DATABASE_SLOW &&
         fault->kind != GD_SIM_FAULT_DATABASE_FULL)) {
        gd_sim_database_start(run, id);
    }
}

static uint64_t resp_digest(const void *run, unsigned id)
{
    return gd_sim_database_digest(run, id);
}

static const struct gd_sim_outside resp_outside = {
    .run_new = resp_run_new,
    .run_free = resp_run_free,
    .begin = resp_begin,
    .crashing = resp_crashing,
    .needs_tending = resp_needs_tending,
    .tend = resp_tend,
    .strike = resp_strike,
    .mend = resp_mend,
    .digest = resp_digest,
};

const struct gd_sim_database gd_sim_database_resp = {
    .name = "resp",
    .prefix = "resp:",
    .serve = resp_serve,
    .put_away = resp_put_away,
    .outside = &resp_outside,
    GD_SIM__KVS_CLIENTS,
    .draw = gd_sim_plan_draw_external,
};

/* ---------------------------------------------------------------- SQLite */

static void sqlite_serve(void *run, unsigned id, struct gd_io *io, struct gd_served *served)
{
    served->tracker = gd_sim_sql_start(run, id, io);
    serve_parser(served, &(struct gd_kv_parser_options){.find = gd_sim_sql_find});
}

static void sqlite_put_away(void *run, unsigned id, struct gd_served *served)
{
    put_parser_away(served);
    gd_sim_sql_stopped(run, id);
}

static void *sqlite_run_new(struct gd_world *world, const struct gd_sim_plan *plan)
{
    return gd_sim_sql_new(world, plan);
}

static void sqlite_run_free(void *run)
{
    gd_sim_sql_free(run);
}

static void sqlite_crashing(void *run, uint32_t process)
{
    if (process >= 1 && process <= GD_SIM_NODES_MAX) {
        gd_sim_sql_crashing(run, process);
    }
}

static void sqlite_wipe(void *run, unsigned id)
{
    gd_sim_sql_wipe(run, id);
}

static void sqlite_strike(void *run, const struct gd_sim_fault *fault, unsigned id)
{
    gd_sim_sql_strike(run, id, fault);
}

static void sqlite_mend(void *run, const struct gd_sim_fault *fault, unsigned id)
{
    gd_sim_sql_mend(run, id, fault);
}

static uint64_t sqlite_digest(const void *run, unsigned id)
{
    return gd_sim_sql_digest(run, id);
}

static const struct gd_sim_outside sqlite_outside = {
    .run_new = sqlite_run_new,
    .run_free = sqlite_run_free,
    .crashing = sqlite_crashing,
    .wipe = sqlite_wipe,
    .strike = sqlite_strike,
    .mend = sqlite_mend,
    .digest = sqlite_digest,
};

const struct gd_sim_database gd_sim_database_sqlite = {
    .name = "sqlite",
    .prefix = "sqlite:",
    .serve = sqlite_serve,
    .put_away = sqlite_put_away,
    .outside = &sqlite_outside,
    GD_SIM__KVS_CLIENTS,
    .draw = gd_sim_plan_draw_sqlite,
};

const struct gd_sim_database *gd_sim_kvs_pick(const struct gd_sim_plan *plan)
{
    return plan->database_external != 0 ? &gd_sim_database_resp
           : plan->database_sqlite != 0 ? &gd_sim_database_sqlite
                                        : &gd_sim_database_kvs;
}
