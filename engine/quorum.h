/* quorum.h - majorities, as pure functions over a configuration (paper sections 5.2, 6).
 *
 * In a joint configuration what needs a majority needs one of the incoming and one of the outgoing
 * voters. Learners never count. */
#ifndef GANDALF_ENGINE_QUORUM_H
#define GANDALF_ENGINE_QUORUM_H
#include "engine/config.h"

/* `values` are by member, in config's order. The greatest value that a majority has reached; 0 for
 * an empty set of voters. */
uint64_t gd_quorum_reached(const struct gd_config *config, const uint64_t *values);
/* Have enough said yes? `yes` is by member. False for an empty configuration. */
bool gd_quorum_yes(const struct gd_config *config, const bool *yes);
#endif
