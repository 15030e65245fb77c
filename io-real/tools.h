/* tools.h - what an operator does beside running a node: inspect, recover, backup, restore. */
#ifndef GANDALF_IO_REAL_TOOLS_H
#define GANDALF_IO_REAL_TOOLS_H
#include <stdbool.h>

/* Is `argv[1]` one of them? Then it runs to its end, and `*status` is the program's. */
bool gd_tools_run(int argc, char *const *argv, int *status);
#endif
