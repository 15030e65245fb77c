/* status.c - names of roles and states. */
#include "engine/status.h"

const char *gd_role_text(enum gd_role role)
{
    switch (role) {
    case GD_ROLE_FOLLOWER:
        return "follower";
    case GD_ROLE_PRE_CANDIDATE:
        return "pre-candidate";
    case GD_ROLE_CANDIDATE:
        return "candidate";
    case GD_ROLE_LEADER:
        return "leader";
    }
    return "?"; /* UNTESTED: these are all. */
}

const char *gd_progress_text(enum gd_progress_state state)
{
    switch (state) {
    case GD_PROGRESS_PROBE:
        return "probe";
    case GD_PROGRESS_REPLICATE:
        return "replicate";
    case GD_PROGRESS_SNAPSHOT:
        return "snapshot";
    }
    return "?"; /* UNTESTED: these are all. */
}
