/* program.h - a whole simulator as one function: what gandalf-sim is for gandalf's databases, a
 * program of a few lines is for yours. */
#ifndef GANDALF_SIM_PROGRAM_H
#define GANDALF_SIM_PROGRAM_H
#include "sim/database.h"

/* A command beside run, replay, plan, shrink, walk, list and check, or in the place of one of them.
 */
struct gd_sim_command {
    const char *name, *usage;
    int (*run)(int count, char **words); /* The words behind it; an exit status. */
};
struct gd_sim_program {
    const char *name; /* For messages: "gandalf-sim". */
    const struct gd_sim_database *const *databases;
    size_t database_count; /* 1.. */
    /* The database that a plan file is for. NULL: the first. */
    const struct gd_sim_database *(*pick)(const struct gd_sim_plan *plan);
    const struct gd_sim_command *commands;
    size_t command_count;
};
/* From the command line to the exit status: 0 fine, 1 a property is violated, 2 bad usage or
 * input, 3 inconclusive, 70 an internal error. */
int gd_sim_main(int count, char **words, const struct gd_sim_program *program);
#endif
