/* database.h - what the simulator is told of a database: how a node makes it, what clients ask of
 * it, and by which model what they saw is judged.
 *
 * One `struct gd_sim_database` is all that the simulator knows: the kvs, a database behind a
 * connection and SQLite are such structures (kvs_databases.c), and so is yours (docs/embedding.md).
 * Plans, faults, crashes, the invariants of Raft, replay and shrinking come with it.
 *
 * Determinism. What is done here may depend on nothing but the arguments, the client's generator
 * (gd_sim_client_prng) and what was stored before: no clock, no address, no file-scope variable. */
#ifndef GANDALF_SIM_DATABASE_H
#define GANDALF_SIM_DATABASE_H
#include "engine/node.h"
#include "engine/prng.h"

struct gd_sim_client;
struct gd_sim_plan;
struct gd_sim_fault;
struct gd_world;

/* What a client is to ask next. */
enum gd_sim_want {
    GD_SIM_WANT_ANY,        /* Whatever the database's mix has. */
    GD_SIM_WANT_READ,       /* A READ: this client never writes. */
    GD_SIM_WANT_LAST_WRITE, /* One request whose body is a WRITE's: the run's end, all is healed, */
    GD_SIM_WANT_LAST_READ   /* and it must be answered; then one READ likewise. */
};

/* A database that is more than its node's memory: processes, disks, faults of its own. `run` is
 * what run_new gave; ids are the nodes' numbers. Every function but run_new, run_free and crashing
 * may be NULL. */
struct gd_sim_outside {
    void *(*run_new)(struct gd_world *world, const struct gd_sim_plan *plan);
    void (*run_free)(void *run);
    void (*begin)(void *run); /* The nodes are about to start. */
    /* A process (those of nodes are their numbers) is about to lose its memory; also at the end of
     * a run, and after put_away. */
    void (*crashing)(void *run, uint32_t process);
    bool (*needs_tending)(const void *run);
    void (*tend)(void *run);
    void (*wipe)(void *run, unsigned id); /* With its node's disk. */
    /* A fault of the class "database" strikes; it ends. NULL: whatever strikes ends. */
    void (*strike)(void *run, const struct gd_sim_fault *fault, unsigned id);
    void (*mend)(void *run, const struct gd_sim_fault *fault, unsigned id);
    uint64_t (*digest)(const void *run, unsigned id); /* Of all that clients see. */
};

/* What the database promises, for a judge that has never seen its code: a state, and what a request
 * makes of it. Every function is pure. */
struct gd_sim_model {
    size_t state_size;          /* Bytes; holds no pointer. All zero but for `start`. */
    void (*start)(void *state); /* NULL: the state begins as zeros. */
    /* What `input` makes of `state`, into `next` (zeros; never `state` itself). False: `output` is
     * not what the database answers to it at `state`. NULL: the answer never came. */
    bool (*step)(const void *state, struct gd_slice input, const struct gd_slice *output,
                 void *next);
    /* Whether it never changes a state. NULL: nobody knows. */
    bool (*reads_only)(struct gd_slice input);
};

struct gd_sim_database {
    const char *name;   /* "ledger": what --database calls it. */
    const char *prefix; /* What stands in front of a seed to mean it: "" for a program's first. */

    /* The nodes. Inside the process of node `id`, at each of its starts: Parser and Tracker, in
     * memory of gd_malloc. A crash drops that memory as it is; after a graceful stop put_away gives
     * all of it back, and what it forgets is told as a leak. */
    void (*serve)(void *run, unsigned id, struct gd_io *io, struct gd_served *served);
    void (*put_away)(void *run, unsigned id, struct gd_served *served);
    const struct gd_sim_outside *outside; /* NULL: all of it is the node's, and `run` is NULL. */

    /* The clients (client.h). Their process is never crashed. */
    size_t client_size, clients_size; /* Bytes of gd_sim_client_own and gd_sim_clients_own. */
    /* A connection is fresh: what was in flight is lost. May be NULL. */
    void (*connected)(struct gd_sim_client *client);
    /* Go on with what the last answers began, if anything; true when it asked. May be NULL. */
    bool (*resume)(struct gd_sim_client *client);
    /* Ask at least one request. */
    void (*ask)(struct gd_sim_client *client, enum gd_sim_want want);
    /* Read one whole answer, which is the oldest request's, from the front of `input`. Returns
     * GD_OK: `*consumed` bytes are done with, and the request was ended by a function of client.h.
     * GD_ERR_MORE: not whole yet. GD_ERR_CORRUPT: no answer begins so, which is a violation. */
    enum gd_err (*take)(struct gd_sim_client *client, struct gd_slice input, size_t *consumed);
    /* An operator's order such as "RAFT SNAPSHOT", as a client would send it. NULL: a line of it.
     */
    void (*order)(const char *order, struct gd_bytes *bytes);

    /* Is this history linearizable? NULL: requests are steps on keys (record.h). */
    const struct gd_sim_model *model;

    /* A seed's plan, with what it has besides; `classes` as in gd_sim_plan_draw. NULL: that. */
    void (*draw)(struct gd_sim_plan *plan, uint64_t seed, uint32_t classes);
};
#endif
