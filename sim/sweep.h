/* sweep.h - many seeds, on several processes. */
#ifndef GANDALF_SIM_SWEEP_H
#define GANDALF_SIM_SWEEP_H
#include "sim/database.h"
#include "sim/pool.h"

struct gd_sim_sweep_options {
    uint64_t first, last;        /* Seeds, both included. */
    unsigned jobs;               /* Processes at a time; 1.. */
    uint64_t shard, shard_count; /* This one's seeds: those with seed % count = shard. */
    uint64_t time_limit_s;       /* 0: none. */
    unsigned run_limit_s;        /* A run that takes longer does not end. */
    bool json, quiet;            /* JSON lines; failures alone. */
    bool marks;                  /* The table of marks at the end. */
    bool stop_at_failure;
    const struct gd_sim_database *database; /* Of the plans. Borrowed. */
    /* One seed in ten is for each of these instead: those that end in 0 for the first, and so on.
     * Borrowed, as what they point to. */
    const struct gd_sim_database *const *others;
    size_t other_count; /* At most 9. */
    uint32_t classes;   /* That each seed has (gd_sim_plan_draw), and in words; NULL: none. */
    const char *with;
    const char *program; /* For the command that replays a seed. */
};
/* The plan of a seed, for this database, with these classes of faults (gd_sim_plan_draw). */
void gd_sim_draw(struct gd_sim_plan *plan, const struct gd_sim_database *database, uint64_t seed,
                 uint32_t classes);
/* "membership+clock", as it stands behind a seed and a '+'; false: not understood. */
GD_MUST_CHECK bool gd_sim_classes_parse(const char *text, uint32_t *classes);
/* Prints a line for each seed in their order, and what the failures were. Returns the exit status:
 * 0, 1 when a seed failed, 3 when none failed and none passed. */
int gd_sim_sweep(const struct gd_sim_sweep_options *options);
#endif
