/* members.h - do two configurations agree on who decides? */
#ifndef GANDALF_SIM_MEMBERS_H
#define GANDALF_SIM_MEMBERS_H
#include "engine/config.h"

/* Whether each quorum of `a` has a member in common with each quorum of `b`; a joint
 * configuration's quorum is a majority of either set (thesis 4.3). One without voters has no
 * quorum. Ids are at most 16: every set of them is tried. */
bool gd_sim_quorums_meet(const struct gd_config *a, const struct gd_config *b);
#endif
