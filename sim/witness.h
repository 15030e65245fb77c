/* witness.h - what a damaged disk still says of itself. */
#ifndef GANDALF_SIM_WITNESS_H
#define GANDALF_SIM_WITNESS_H
#include "io-sim/world.h"

/* Each record of a log says up to which number all records were durable when it was written. The
 * highest such number that any whole record of process `id`'s logs says, wherever it lies; 0: none
 * does. A node that comes back with less has taken damage in the midst of its log for a torn tail,
 * and may have forgotten what it had promised to keep. */
uint64_t gd_sim_witness(const struct gd_world *world, uint32_t id);
/* The highest number of a record that was written for its own sake, not to vouch for others, nor to
 * head the segment in which that is done. A node that has been quiet for a while has vouched for
 * it: whatever one place of its logs loses then, it comes back with as much, or not at all. */
uint64_t gd_sim_witness_last(const struct gd_world *world, uint32_t id);
#endif
