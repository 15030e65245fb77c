/* check_model.h - the command `check` of a program whose database has a model of its own. */
#ifndef GANDALF_SIM_CHECK_MODEL_H
#define GANDALF_SIM_CHECK_MODEL_H
#include "sim/database.h"

/* Judges histories from files, with the words behind `check`. `name` is the program's, for
 * messages. Returns the exit status. */
int gd_sim_check_model(const char *name, const struct gd_sim_model *model, int count, char **words);
#endif
