/* workload.h - the clients of a run.
 *
 * All live in one simulated process of their own, that is never crashed, and reach the nodes as any
 * client does: over byte streams, speaking RESP. So whatever lies between a client and the
 * replicated state is under test. What they do and see goes into a record. Manner and reasons:
 * workload.c. */
#ifndef GANDALF_SIM_WORKLOAD_H
#define GANDALF_SIM_WORKLOAD_H
#include "engine/io.h"
#include "sim/plan.h"
#include "sim/record.h"

/* The addresses of node `id` (1..). */
void gd_sim_client_address(unsigned id, struct gd_address *address);
void gd_sim_peer_address(unsigned id, struct gd_address *address);

/* What the nodes' wall clocks show. */
struct gd_sim_walls {
    int64_t least_ms;  /* That which is the furthest behind now. */
    int64_t most_ms;   /* The most that any has ever shown. */
    uint64_t set_back; /* So often one was set back. */
};
struct gd_sim_workload;
struct gd_sim_workload_options {
    struct gd_io *io;               /* The clients' process. */
    const struct gd_sim_plan *plan; /* Borrowed; outlives the workload. */
    struct gd_sim_record *record;   /* The same. */
    /* A client saw what no history can excuse: an answer that is no answer. `text` is borrowed. */
    void (*violated)(void *context, const char *text);
    /* An operator's order is answered as done. NULL: nobody asks. `command` is borrowed. */
    void (*ordered)(void *context, unsigned node, const char *command);
    void (*walls)(void *context, struct gd_sim_walls *walls);
    void *context;
};
struct gd_sim_workload *gd_sim_workload_new(const struct gd_sim_workload_options *options);
/* Nothing is in flight to the world any more: the process has ended, or gd_sim_workload_free is
 * the last before it does. */
void gd_sim_workload_start(struct gd_sim_workload *workload);

/* The world is whole again: every client does a write and a read until both are answered, then
 * rests. */
void gd_sim_workload_finish(struct gd_sim_workload *workload);
/* Operations asked so far. */
uint64_t gd_sim_workload_issued(const struct gd_sim_workload *workload);
bool gd_sim_workload_finished(const struct gd_sim_workload *workload);
/* Who is not, and what it waits for: a line each. */
void gd_sim_workload_unfinished(const struct gd_sim_workload *workload, struct gd_bytes *bytes);
/* Something has happened that clients notice (another node leads): for a while they ask again and
 * again, as those do that have just reconnected. */
void gd_sim_workload_stir(struct gd_sim_workload *workload);
/* An operator's order to a node, such as "RAFT SNAPSHOT"; `ordered` is told when it is done. */
void gd_sim_workload_order(struct gd_sim_workload *workload, unsigned node, const char *command);
/* Breaches of the rule of expiry seen so far (see workload.c), told by `violated` as well. */
#endif
