/* pool.h - plans by number, run by several processes. */
#ifndef GANDALF_SIM_POOL_H
#define GANDALF_SIM_POOL_H
#include "sim/run.h"

#define GD_SIM_JOBS_MAX 256
struct gd_sim_pool_options {
    unsigned jobs;        /* Processes at a time; 1..GD_SIM_JOBS_MAX. */
    unsigned run_limit_s; /* A run that takes longer does not end. */
    /* The plan of a number. Runs in a worker, which has a copy of all that was there when it was
     * started; so what it reads must stand before the first number is given out. */
    void (*plan)(const void *context, uint64_t number, struct gd_sim_plan *plan);
    /* What came of a number; runs in gd_sim_pool_wait. `result` is borrowed for the call. */
    void (*done)(void *context, uint64_t number, const struct gd_sim_result *result);
    void *context;
};
struct gd_sim_pool;
struct gd_sim_pool *gd_sim_pool_new(const struct gd_sim_pool_options *options);
/* Waits for the workers to end; none may be busy. */
void gd_sim_pool_free(struct gd_sim_pool *pool);
/* Is there a worker without a number; one with a number? */
bool gd_sim_pool_idle(const struct gd_sim_pool *pool);
bool gd_sim_pool_busy(const struct gd_sim_pool *pool);
/* Gives a number to a worker. Requires that one is idle. */
void gd_sim_pool_give(struct gd_sim_pool *pool, uint64_t number);
/* Returns when something has happened, or after a second. */
void gd_sim_pool_wait(struct gd_sim_pool *pool);
/* How often each mark was reached by the runs that are done. Borrowed. */
const uint64_t *gd_sim_pool_marks(const struct gd_sim_pool *pool);
/* Marks by such counts, as a table. */
void gd_sim_marks_print(const uint64_t *counts, FILE *to);
/* A text within the quotes of JSON. */
void gd_sim_print_json_text(const char *text);
#endif
