/* quorum.c - majorities. See quorum.h. */
#include "engine/quorum.h"

/* The greatest value that a majority of the voters with `role` has reached; UINT64_MAX for none, so
 * that an absent set never decides. */
static uint64_t reached_by(const struct gd_config *config, const uint64_t *values, uint32_t role)
{
    uint64_t sorted[GD_MEMBERS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < config->count; i++) {
        if ((config->members[i].roles & role) != 0) {
            uint32_t at = count++;
            while (at > 0 && sorted[at - 1] < values[i]) { /* Descending. */
                sorted[at] = sorted[at - 1];
                at--;
            }
            sorted[at] = values[i];
        }
    }
    return count == 0 ? UINT64_MAX : sorted[count / 2];
}

uint64_t gd_quorum_reached(const struct gd_config *config, const uint64_t *values)
{
    uint64_t incoming = reached_by(config, values, GD_MEMBER_VOTER);
    uint64_t outgoing = reached_by(config, values, GD_MEMBER_OUTGOING);
    uint64_t both = incoming < outgoing ? incoming : outgoing;

    return both == UINT64_MAX ? 0 : both;
}

bool gd_quorum_yes(const struct gd_config *config, const bool *yes)
{
    uint64_t values[GD_MEMBERS_MAX];

    for (uint32_t i = 0; i < config->count; i++) {
        values[i] = yes[i] ? 1 : 0;
    }
    return gd_quorum_reached(config, values) == 1;
}
