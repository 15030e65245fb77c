/* members.c - see members.h. All sets of nodes are tried, against a count of votes of its own: what
 * the engine takes for a quorum is not asked. */
#include "sim/members.h"

static bool majority(const struct gd_config *config, uint32_t role, uint32_t set)
{
    unsigned voters = 0;
    unsigned in = 0;
    for (uint32_t i = 0; i < config->count; i++) {
        if ((config->members[i].roles & role) != 0) {
            voters++;
            in += set >> config->members[i].id & 1;
        }
    }
    return voters == 0 ? role == GD_MEMBER_OUTGOING : in * 2 > voters;
}

static bool quorum(const struct gd_config *config, uint32_t set)
{
    return majority(config, GD_MEMBER_VOTER, set) && majority(config, GD_MEMBER_OUTGOING, set);
}

static uint32_t everybody(const struct gd_config *config)
{
    uint32_t all = 0;
    for (uint32_t i = 0; i < config->count; i++) {
        GD_ASSERT(config->members[i].id <= 16);
        all |= UINT32_C(1) << config->members[i].id;
    }
    return all;
}

bool gd_sim_quorums_meet(const struct gd_config *a, const struct gd_config *b)
{
    uint32_t all = everybody(a) | everybody(b);
    for (uint32_t set = all; set != 0; set = (set - 1) & all) {
        if (quorum(a, set) && quorum(b, all & ~set)) {
            return false;
        }
    }
    return true;
}
