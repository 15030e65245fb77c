/* shrink.h - the least plan that violates the same property. */
#ifndef GANDALF_SIM_SHRINK_H
#define GANDALF_SIM_SHRINK_H
#include "sim/run.h"

struct gd_sim_shrink_options {
    unsigned limit_s; /* Real time. */
    FILE *progress;   /* NULL, or where each step is told. */
};
/* `*plan` fails with `property`; it becomes the least one found that does. Returns runs made. */
size_t gd_sim_shrink(struct gd_sim_plan *plan, const char *property,
                     const struct gd_sim_shrink_options *options);
#endif
