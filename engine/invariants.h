/* invariants.h - what one node's consensus never breaks, checked after each of its steps.
 *
 * What spans nodes (the paper's Figure 3) needs all of them: sim/checks.c. */
#ifndef GANDALF_ENGINE_INVARIANTS_H
#define GANDALF_ENGINE_INVARIANTS_H
#include "engine/raft.h"

/* Always true: a broken invariant ends in gd_assert_fail, which names it. So it can stand inside
 * GD_VERIFY. Costs as many steps as there are members and appends in flight. */
bool gd_raft_check(const struct gd_raft *raft);
#endif
