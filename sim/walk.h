/* walk.h - a crash at every disk operation of a run, or an error of it, one after another. */
#ifndef GANDALF_SIM_WALK_H
#define GANDALF_SIM_WALK_H
#include "sim/pool.h"

/* What becomes of what is not synced when a node crashes. */
enum gd_sim_walk_disk {
    GD_SIM_WALK_AS_PLANNED, /* As the plan says. */
    GD_SIM_WALK_LOST,       /* All of it is gone, names too. */
    GD_SIM_WALK_TORN,       /* Names are there, and of each sector a part. */
    GD_SIM_WALK_MIXED,      /* Each may be gone, there, or there in part. */
    GD_SIM_WALK_DISK_COUNT
};
/* "plan", "lost", "torn", "mixed"; static. */
const char *gd_sim_walk_disk_text(enum gd_sim_walk_disk disk);

struct gd_sim_walk_options {
    const struct gd_sim_plan *plans; /* Borrowed, like the names. Each has room for a fault. */
    const char *const *names;        /* Files or seeds, for messages. */
    size_t plan_count;
    bool disks[GD_SIM_WALK_DISK_COUNT]; /* Each plan is walked once for each that is set. */
    unsigned node;                      /* Whose crash points; 0: all nodes'. */
    unsigned jobs;                      /* Processes at a time; 1.. */
    uint64_t shard, shard_count;        /* This one's share of the points. */
    uint64_t time_limit_s;              /* 0: none. Else what is not walked by then is told. */
    unsigned run_limit_s;
    bool twice;          /* One crash more in each recovery. Each plan has room for two faults. */
    bool errors;         /* Each operation fails; no crashes. */
    bool marks;          /* The table of marks. */
    bool json;           /* A line of JSON for each point. */
    const char *folder;  /* NULL, or where the plans of failures are written. */
    const char *program; /* For the command that replays one. */
};
/* Prints a table of the points, and what failed. Returns the exit status: 0, 1 when a point failed
 * (or a plan did without any), 3 when none failed and none passed. */
int gd_sim_walk(const struct gd_sim_walk_options *options);
#endif
