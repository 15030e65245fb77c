/* check_command.h - gandalf-sim check: histories from files, from any source. */
#ifndef GANDALF_SIM_CHECK_COMMAND_H
#define GANDALF_SIM_CHECK_COMMAND_H
#include "sim/record.h"

/* Reads a history in the format of histories.
 *
 * Owns     What was read is added to `record`, which the caller releases.
 * Returns  GD_OK; GD_ERR_INVALID: `*error` has line and reason. */
GD_MUST_CHECK enum gd_err gd_sim_history_read(struct gd_slice text, struct gd_sim_record *record,
                                              struct gd_error *error);
/* The command, with the words behind it. Returns the exit status. */
int gd_sim_check_command(int count, char **words);
#endif
