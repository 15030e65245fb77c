/* cluster_internal.h - a run's nodes as cluster.c and cluster_disk.c see them. */
#ifndef GANDALF_SIM_CLUSTER_INTERNAL_H
#define GANDALF_SIM_CLUSTER_INTERNAL_H
#include "sim/cluster.h"
#include "sim/spare.h"

struct slot {
    struct gd_sim_cluster *cluster;
    unsigned id;
    unsigned starts;      /* Of its process, so far. */
    struct gd_node *node; /* In the process's heap, as `served`. NULL: does not run. */
    struct gd_served served;
    bool wanted;  /* Up, if nothing stands against it. */
    bool ready;   /* The node has restored its state and listens. */
    bool stopped; /* The node has said its last word; its process is still there. */
    bool stopping;
    bool refused;
    bool damaged, wiped;
    bool gone; /* A file, or bits of one: if it began its log, that looks like an emptied disk. */
    bool missing; /* One has been lost since its last start. */
    /* It went down when its disk had been quiet for a while, and whole: the last record that it
     * had written; and what it must come back with, if one place has rotted since. 0: nothing. */
    uint64_t quiet_last, kept;
    struct gd_sim_spare spare;
    bool moved;       /* It listens for peers at its second port. */
    unsigned asks;    /* Empty, it asks this node to be added; 0: it waits. */
    bool nameless;    /* It is started as if it were new: it does not know that it was a member. */
    uint16_t version; /* Of the protocol, since its last start. */
    enum gd_err err;
    char error[GD_ERROR_TEXT_SIZE];
    gd_time_ns start_at; /* To be started then; UINT64_MAX: no. */
    unsigned clogged;
    gd_time_ns lag;
    uint64_t lossy;
};
struct gd_sim_cluster {
    struct gd_sim_cluster_options options;
    struct gd_world *world; /* Owned. */
    struct slot slots[GD_SIM_NODES_MAX + 1];
    unsigned nodes;
    unsigned blocks[GD_SIM_NODES_MAX + 1][GD_SIM_NODES_MAX + 1];
    const struct gd_sim_database *database; /* Borrowed: the plan's. */
    const struct gd_sim_outside *outside;   /* Its; NULL: all of it is the nodes'. */
    void *run;                              /* Owned: what `outside` has made. */
    struct gd_sim_workload *workload;       /* In the clients' heap. */
    int64_t wall_most_ms;                   /* That any wall has shown before it was set. */
    uint64_t walls_set_back;                /* So often. */
    struct gd_world_link_options link;
    struct gd_world_disk_options disk;
    struct gd_prng prng; /* For what a fault leaves open. */
};

/* NULL: there is no such node. */
struct slot *gd_sim__slot(struct gd_sim_cluster *cluster, unsigned id);
/* Is it a node whose process runs? */
bool gd_sim__lives(const struct gd_sim_cluster *cluster, unsigned id);
#endif
