/* cluster.h - the nodes of a run, and everything that can be done to them.
 *
 * Each node is a process of the simulated world: its entry function builds the database, the Parser
 * and the production node on the process's own io.h. A crash drops all of that at once; a start
 * builds it anew on the same disk. Clients are one more process. */
#ifndef GANDALF_SIM_CLUSTER_H
#define GANDALF_SIM_CLUSTER_H
#include "engine/node.h"
#include "io-sim/world.h"
#include "sim/database.h"
#include "sim/plan.h"
#include "sim/record.h"
#include "sim/workload.h"

#define GD_SIM_CLIENTS 0 /* The clients' place among the nodes' numbers, for links. */

struct gd_sim_cluster;
struct gd_sim_cluster_options {
    const struct gd_sim_plan *plan; /* Borrowed; outlives the cluster. */
    struct gd_sim_record *record;   /* The same. */
    struct gd_world_hooks hooks;    /* The caller's; `crashing` and `crashed` are the cluster's. */
    void (*violated)(void *context, const char *property, const char *text);
    void (*gone)(void *context, unsigned id); /* Node `id` has ended, in whatever way. */
    /* The disk of `id` is about to be damaged, or (`wiped`) emptied. */
    void (*damaged)(void *context, unsigned id, bool wiped);
    /* The index of the newest snapshot of node `id`, if it has taken that one itself; else 0. */
    gd_index (*took)(void *context, unsigned id);
    /* Node `id`, whose disk is damaged, starts; a record on it says that all up to `lsn` were
     * durable. 0: what it reads may not be what is there. */
    void (*witnessed)(void *context, unsigned id, uint64_t lsn);
    /* Node `id` stopped for good, since it is no member any more, it says. */
    void (*dismissed)(void *context, unsigned id, const char *error);
    /* Node `id` answered an operator's order as done. */
    void (*ordered)(void *context, unsigned id, const char *command);
    /* Node `from` puts a whole frame for node `to` on the wire. */
    void (*sent)(void *context, unsigned from, unsigned to, struct gd_slice frame);
    /* The same when `to` has read it, before it does anything. */
    void (*told)(void *context, unsigned from, unsigned to, struct gd_slice frame);
    void *context;
};
struct gd_sim_cluster *gd_sim_cluster_new(const struct gd_sim_cluster_options *options);
/* Drops everything as it is. */
void gd_sim_cluster_free(struct gd_sim_cluster *cluster);
struct gd_world *gd_sim_cluster_world(const struct gd_sim_cluster *cluster);
struct gd_sim_workload *gd_sim_cluster_workload(const struct gd_sim_cluster *cluster);
/* Clients and all nodes start. */
void gd_sim_cluster_begin(struct gd_sim_cluster *cluster);
/* Whether a node that stopped by itself waits for gd_sim_cluster_tend, which puts its process away
 * and, a moment later, starts it anew, as a supervisor would. */
bool gd_sim_cluster_needs_tending(const struct gd_sim_cluster *cluster);
void gd_sim_cluster_tend(struct gd_sim_cluster *cluster);
/* gd_sim_workload_stir, from outside. */
void gd_sim_cluster_stir(struct gd_sim_cluster *cluster);
/* Clients do their last requests. */
void gd_sim_cluster_finish(struct gd_sim_cluster *cluster);
/* Is the node down for good: it refused a damaged disk, or the cluster does without it? */
bool gd_sim_cluster_refused(const struct gd_sim_cluster *cluster, unsigned id);
/* Was its disk ever damaged or emptied? */
bool gd_sim_cluster_damaged(const struct gd_sim_cluster *cluster, unsigned id);
/* What is known of each node: a line each. */
void gd_sim_cluster_describe(const struct gd_sim_cluster *cluster, struct gd_bytes *bytes);

/* Who runs. NULL while a node is down. */
struct gd_node *gd_sim_cluster_node(const struct gd_sim_cluster *cluster, unsigned id);
/* The configuration that a running node goes by; NULL: it has none. */
const struct gd_config *gd_sim_cluster_config(const struct gd_sim_cluster *cluster, unsigned id);
/* Whether it has restored its state: before, what it shows may still be on its way back. */
bool gd_sim_cluster_ready(const struct gd_sim_cluster *cluster, unsigned id);
/* The running leader of the highest term; 0: none. */
unsigned gd_sim_cluster_leader(const struct gd_sim_cluster *cluster);
enum gd_role gd_sim_cluster_role(const struct gd_sim_cluster *cluster, unsigned id);
gd_time_ns gd_sim_cluster_now(const struct gd_sim_cluster *cluster);

/* The version of the protocol that the node speaks since its last start. */
uint16_t gd_sim_cluster_version(const struct gd_sim_cluster *cluster, unsigned id);
/* Where it listens for peers, or will after its next start. */
void gd_sim_cluster_peer_address(const struct gd_sim_cluster *cluster, unsigned id,
                                 struct gd_address *address);
/* Its next start is at its other address. False: not in a run with wiped disks. */
bool gd_sim_cluster_move(struct gd_sim_cluster *cluster, unsigned id);
/* At its next start, if it is empty still, it asks `whom` to be added. */
void gd_sim_cluster_ask(struct gd_sim_cluster *cluster, unsigned id, unsigned whom);
/* A member whose disk was emptied starts as if it were new, and asks `whom` to be added: an
 * operator errs. Until the other call, which crashes it. */
void gd_sim_cluster_start_nameless(struct gd_sim_cluster *cluster, unsigned id, unsigned whom);
void gd_sim_cluster_end_nameless(struct gd_sim_cluster *cluster, unsigned id);

/* From here on the network loses, breaks and holds up nothing by itself. */
void gd_sim_cluster_calm(struct gd_sim_cluster *cluster);

/* Processes. Each is harmless when there is nothing to do. */
void gd_sim_cluster_crash(struct gd_sim_cluster *cluster, unsigned id);
/* Its power fails: what was not synced may be lost. */
void gd_sim_cluster_outage(struct gd_sim_cluster *cluster, unsigned id);
void gd_sim_cluster_start(struct gd_sim_cluster *cluster, unsigned id);
void gd_sim_cluster_pause(struct gd_sim_cluster *cluster, unsigned id);
void gd_sim_cluster_resume(struct gd_sim_cluster *cluster, unsigned id);
void gd_sim_cluster_stop(struct gd_sim_cluster *cluster, unsigned id); /* Gracefully. */
/* Dies at the count-th disk operation of this kind from now on. */
void gd_sim_cluster_crash_at(struct gd_sim_cluster *cluster, unsigned id, unsigned op,
                             enum gd_sim_when when, uint64_t count);

/* The network, one way: nothing gets from `from` to `to` while at least one block is in force. */
void gd_sim_cluster_block(struct gd_sim_cluster *cluster, unsigned from, unsigned to, bool on);
void gd_sim_cluster_clog(struct gd_sim_cluster *cluster, unsigned id, bool on);
void gd_sim_cluster_lag(struct gd_sim_cluster *cluster, unsigned id, gd_time_ns more);
void gd_sim_cluster_lossy(struct gd_sim_cluster *cluster, unsigned id, uint64_t ppm);
void gd_sim_cluster_reset(struct gd_sim_cluster *cluster, unsigned id, bool half_open);

/* Disks. */
void gd_sim_cluster_slow_disk(struct gd_sim_cluster *cluster, unsigned id, uint64_t times);
void gd_sim_cluster_full_disk(struct gd_sim_cluster *cluster, unsigned id, bool on);
void gd_sim_cluster_fail(struct gd_sim_cluster *cluster, unsigned id, unsigned op, uint64_t count);
/* How many operations of its disk have failed so far. */
uint64_t gd_sim_cluster_disk_errors(const struct gd_sim_cluster *cluster, unsigned id);
/* The count-th read from now finds something wrong, once; what is stored is whole. 0 calls it off.
 */
void gd_sim_cluster_lie(struct gd_sim_cluster *cluster, unsigned id, uint64_t count);
/* Flips bits somewhere in what is stored. */
void gd_sim_cluster_rot(struct gd_sim_cluster *cluster, unsigned id);
/* The count-th write from now goes elsewhere in its file; 0 calls it off. */
void gd_sim_cluster_misdirect(struct gd_sim_cluster *cluster, unsigned id, uint64_t count);
/* One of its files is gone. */
void gd_sim_cluster_lose(struct gd_sim_cluster *cluster, unsigned id);
/* Reads find, with this chance, what is elsewhere in the file. 0 ends it. */
void gd_sim_cluster_misread(struct gd_sim_cluster *cluster, unsigned id, uint64_t ppm);
/* Not in a run in which a node has moved. */
void gd_sim_cluster_wipe(struct gd_sim_cluster *cluster, unsigned id);

/* A fault of the class "database" strikes node `id`'s; it ends (NULL: whatever strikes ends). */
void gd_sim_cluster_strike_database(struct gd_sim_cluster *cluster,
                                    const struct gd_sim_fault *fault, unsigned id);
void gd_sim_cluster_mend_database(struct gd_sim_cluster *cluster, const struct gd_sim_fault *fault,
                                  unsigned id);
/* What its clients see of a database that lives outside its node; false: it does not. */
bool gd_sim_cluster_database_digest(const struct gd_sim_cluster *cluster, unsigned id,
                                    uint64_t *digest);

void gd_sim_cluster_jump(struct gd_sim_cluster *cluster, unsigned id, int64_t by_ms);
/* An operator's order to a node. */
void gd_sim_cluster_order(struct gd_sim_cluster *cluster, unsigned id, const char *command);
void gd_sim_cluster_note(struct gd_sim_cluster *cluster, unsigned id, const char *text);
#endif
