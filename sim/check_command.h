/* check_command.h - gandalf-sim check: histories from files, from any source. */
#ifndef GANDALF_SIM_CHECK_COMMAND_H
#define GANDALF_SIM_CHECK_COMMAND_H
#include "sim/history.h"

/* The command, with the words behind it. Returns the exit status. */
int gd_sim_check_command(int count, char **words);
#endif
