/* sql_databases.h - the nodes of a run in front of SQLite: a disk for each database, and a Tracker
 * that puts the clients' GET, SET and the like into SQL. */
#ifndef GANDALF_SIM_SQL_DATABASES_H
#define GANDALF_SIM_SQL_DATABASES_H
#include "engine/io.h"
#include "engine/tracker.h"
#include "kvs/command.h"
#include "io-sim/world.h"
#include "sim/plan.h"

struct gd_sim_sql;
struct gd_sim_sql *gd_sim_sql_new(struct gd_world *world, const struct gd_sim_plan *plan);
/* No process is left. */
void gd_sim_sql_free(struct gd_sim_sql *sql);
/* Inside the process of node `id`, at its start: its database. */
struct gd_tracker *gd_sim_sql_start(struct gd_sim_sql *sql, unsigned id, struct gd_io *io);
/* The process is about to lose its memory; the disk keeps what it keeps. */
void gd_sim_sql_crashing(struct gd_sim_sql *sql, unsigned id);
/* Inside the process, which has closed its Tracker and ends. */
void gd_sim_sql_stopped(struct gd_sim_sql *sql, unsigned id);
/* The clients' commands, as the embedded store has them: gd_kv_find_fn. */
const struct gd_command *gd_sim_sql_find(void *context, const struct gd_slice *args, size_t count,
                                         const char **refusal);
/* Faults. */
void gd_sim_sql_wipe(struct gd_sim_sql *sql, unsigned id);
void gd_sim_sql_strike(struct gd_sim_sql *sql, unsigned id, const struct gd_sim_fault *fault);
/* NULL: of all faults. */
void gd_sim_sql_mend(struct gd_sim_sql *sql, unsigned id, const struct gd_sim_fault *fault);
/* Of all rows; 0 while it is not open. */
uint64_t gd_sim_sql_digest(const struct gd_sim_sql *sql, unsigned id);
#endif
