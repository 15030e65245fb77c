/* run.h - one run: plan -> outcome. */
#ifndef GANDALF_SIM_RUN_H
#define GANDALF_SIM_RUN_H
#include "sim/plan.h"
#include <stdio.h>

enum gd_sim_outcome { GD_SIM_PASS, GD_SIM_FAIL, GD_SIM_INCONCLUSIVE };
/* "pass", "fail", "inconclusive"; static. */
const char *gd_sim_outcome_text(enum gd_sim_outcome outcome);

#define GD_SIM_PROPERTY_SIZE 160
/* A plain value: it crosses from the process of a run to that of a sweep as it is. */
struct gd_sim_result {
    uint64_t seed;
    enum gd_sim_outcome outcome;
    char property[GD_SIM_PROPERTY_SIZE]; /* FAIL: which property was violated; the same name for the
                                            same property, so that shrinking can hold on to it.
                                            INCONCLUSIVE: the reason in short. */
    char text[2048];                     /* What exactly, in words; lines. */
    gd_time_ns at;                       /* When. */
    uint64_t events;
    gd_time_ns time;     /* Simulated. */
    uint64_t operations; /* Answered. */
    uint64_t unknown, refused;
    uint64_t asked; /* By clients, also of keys with a time, which are not in the history. */
    uint64_t hash;  /* The run's identity. */
    uint64_t elections;
    uint64_t commits;
    uint64_t struck;       /* Faults that found their target. */
    uint64_t crashes;      /* Processes that were killed or lost power: a crash point that was never
                              reached is struck, and no crash. */
    uint64_t crash_points; /* Of these, in the midst of a disk operation that a fault named. */
    uint64_t disk_errors;  /* Operations of disks that failed. */
    char members[64];     /* At the end, by the leader: "1,2,4L", L a learner, o outgoing; or "". */
    uint64_t nanoseconds; /* Real time that it took; not part of its identity. */
};
/* A disk operation of a node that has ended. */
struct gd_sim_disk_point {
    gd_time_ns at;
    unsigned node;
    unsigned op;    /* enum gd_disk_kind. */
    uint64_t count; /* The node's count-th of its kind, from 1. */
};
/* One event as a trace shows it. */
struct gd_sim_trace_options {
    FILE *to; /* NULL: no trace. Borrowed. */
    gd_time_ns from, until;
};
struct gd_sim_run_options {
    struct gd_sim_trace_options trace;
    FILE *history;        /* NULL, or where to write the clients' history. Borrowed. */
    uint64_t *hashes;     /* NULL, or the rolling hash after each of the first events. */
    size_t hash_capacity; /* Of `hashes`; `*hash_count` are filled. */
    size_t *hash_count;
    const uint64_t *wanted; /* NULL, or what another run of the plan had there: ends with the first
                               event that differs, inconclusive. Borrowed. */
    size_t wanted_count;
    struct gd_sim_disk_point *points; /* NULL, or where each operation of the nodes' disks goes. */
    size_t point_capacity;            /* Of `points`; `*point_count` came about, perhaps more. */
    size_t *point_count;              /* With `points`. */
    const char *html;    /* NULL, or the file to write the run's picture into. Borrowed. */
    const char *name;    /* What the picture calls it: the seed. With `html`. Borrowed. */
    bool *html_failed;   /* Set, with errno, when the picture could not be written. With `html`. */
    uint64_t events_max; /* Inconclusive after more; 0: the usual limit. */
};
/* Runs a plan in this very process. */
void gd_sim_run(const struct gd_sim_plan *plan, const struct gd_sim_run_options *options,
                struct gd_sim_result *result);
/* The same in a process of its own, so that a node that crashes, or never returns, is a result like
 * any other. */
void gd_sim_run_apart(const struct gd_sim_plan *plan, unsigned limit_s, uint64_t events_max,
                      struct gd_sim_result *result);
/* seed=... outcome=... and so on, without a newline. */
void gd_sim_result_line(const struct gd_sim_result *result, char *text, size_t size);
/* The outcome's exit status: 0, 1, 3. */
int gd_sim_outcome_status(enum gd_sim_outcome outcome);
#endif
