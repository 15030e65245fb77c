/* databases.h - the databases of a run that are processes of their own: gandalf-kvs-server's code,
 * one behind each node, with a disk and faults of its own. */
#ifndef GANDALF_SIM_DATABASES_H
#define GANDALF_SIM_DATABASES_H
#include "io-sim/world.h"
#include "kvs/server.h"
#include "sim/plan.h"

struct gd_sim_databases;
/* Adds their processes, behind those of the nodes. */
struct gd_sim_databases *gd_sim_databases_new(struct gd_world *world,
                                              const struct gd_sim_plan *plan);
void gd_sim_databases_free(struct gd_sim_databases *databases);
/* Where node `id` finds its database. */
void gd_sim_database_address(unsigned id, struct gd_address *address);
/* All of them start. */
void gd_sim_databases_begin(struct gd_sim_databases *databases);
/* A process is about to lose its memory: harmless when it is none of them. */
void gd_sim_databases_crashing(struct gd_sim_databases *databases, uint32_t process);
/* One that stopped by itself waits for the tending, which starts it anew. */
bool gd_sim_databases_need_tending(const struct gd_sim_databases *databases);
void gd_sim_databases_tend(struct gd_sim_databases *databases);

/* By the node's number. Each is harmless when there is nothing to do. */
void gd_sim_database_start(struct gd_sim_databases *databases, unsigned id);
void gd_sim_database_crash(struct gd_sim_databases *databases, unsigned id);
void gd_sim_database_empty(struct gd_sim_databases *databases, unsigned id); /* Crash, and wipe. */
/* Crash, and come back with what it held earlier. */
void gd_sim_database_age(struct gd_sim_databases *databases, unsigned id);
void gd_sim_database_pause(struct gd_sim_databases *databases, unsigned id, bool on);
void gd_sim_database_slow(struct gd_sim_databases *databases, unsigned id, uint64_t times);
void gd_sim_database_flush(struct gd_sim_databases *databases, unsigned id); /* By hand. */
void gd_sim_database_cut(struct gd_sim_databases *databases, unsigned id);
/* A digest of all keys and values that clients see; 0 while it does not run. */
uint64_t gd_sim_database_digest(const struct gd_sim_databases *databases, unsigned id);
#endif
