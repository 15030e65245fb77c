/* shrink.h - the least plan that violates the same property. */
#ifndef GANDALF_SIM_SHRINK_H
#define GANDALF_SIM_SHRINK_H
#include "sim/run.h"

struct gd_sim_shrink_options {
    unsigned limit_s; /* Real time. */
    /* The database that a plan's parameters name; NULL: always the plan's own. */
    const struct gd_sim_database *(*pick)(const struct gd_sim_plan *plan);
    FILE *progress; /* NULL, or where each step is told. */
};
/* `*plan` fails as `*result` says; it becomes the least one found that violates the same property,
 * and `*result` what came of that one. Returns runs made. */
size_t gd_sim_shrink(struct gd_sim_plan *plan, struct gd_sim_result *result,
                     const struct gd_sim_shrink_options *options);
#endif
