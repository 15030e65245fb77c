/* kvs_databases.h - the databases that gandalf has itself, as the simulator knows them: the
 * embedded store, the store behind a connection, SQLite. Their clients speak RESP (commands.c). */
#ifndef GANDALF_SIM_KVS_DATABASES_H
#define GANDALF_SIM_KVS_DATABASES_H
#include "sim/database.h"

extern const struct gd_sim_database gd_sim_database_kvs, gd_sim_database_resp,
    gd_sim_database_sqlite;
/* The one that a plan's parameters name. */
const struct gd_sim_database *gd_sim_kvs_pick(const struct gd_sim_plan *plan);

#endif
