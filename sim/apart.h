/* apart.h - what processes that run seeds, and those that watch them, share. */
#ifndef GANDALF_SIM_APART_H
#define GANDALF_SIM_APART_H
#include "sim/run.h"
#include <sys/types.h>

/* Real time, monotonic: for limits and rates of the harness alone. */
uint64_t gd_sim_real_ns(void);
/* A limit on a run is one of the processor's time: a busy machine makes no failure of a run that
 * waits its turn. Only what is asleep for ten times as long is over, too. `cpu` and `real` are what
 * gd_sim_cpu_ns and gd_sim_real_ns told at the start of the run. */
uint64_t gd_sim_cpu_ns(pid_t pid); /* Used by the process so far; 0 when it cannot be told. */
bool gd_sim_overdue(pid_t pid, unsigned limit_s, uint64_t cpu, uint64_t real);
bool gd_sim_write_all(int fd, const void *data, size_t size);
/* The end of a process that was forked off: nothing of the parent's is flushed twice. */
_Noreturn void gd_sim_leave(int status);
/* False at the end of the stream. */
bool gd_sim_read_all(int fd, void *data, size_t size);
/* The result of a run whose process ended with `status` (waitpid's) after it had `said` that. */
void gd_sim_died(struct gd_sim_result *result, uint64_t seed, int status, const char *said);
/* Runs a plan that failed once more, in a process of its own, and shows the last events before the
 * failure as a trace has them. A run that dies is shown up to where it died. */
void gd_sim_print_last_events(const struct gd_sim_plan *plan, const struct gd_sim_result *result,
                              FILE *to);
#endif
