/* storm.h - a run in which everything happens at once, for questions about the world itself:
 * is it the same again, does anything leak, how fast is it. */
#ifndef GANDALF_IO_SIM_TEST_STORM_H
#define GANDALF_IO_SIM_TEST_STORM_H
#include "io-sim/world.h"

struct storm_result {
    uint64_t hash, events, counters[GD_WORLD_COUNTER_COUNT];
};
/* Five processes that talk, write, sync and set timers for `time_ms`, under all faults that the
 * world knows. */
struct storm_result storm(uint64_t seed, uint64_t time_ms);
#endif
