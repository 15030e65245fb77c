/* orders.c - does an operator get what was said to be done?
 *
 * An order to change the members is answered when the change is committed, and the change is in the
 * log for everybody to see. So an answer can be held against what was committed: whoever is told
 * that a member was removed may take its machine away at once, and whoever is told that one was
 * added counts on its vote.
 *
 * The properties, by the names under which a violation is told
 *   orders       What an operator's order was answered to have done is committed; and who was to
 *                take leadership over did.
 *   membership   An id that was a member's and is none now is never one's again, as far as the
 *                configuration itself remembers the highest one (version 1 of it does not); and
 *                what one remembers of it the next does, too. */
#include "sim/checks_internal.h"
#include <inttypes.h>
#include <stdio.h>

#define BIT(id) (UINT32_C(1) << ((id)&31))

void gd_sim__committed_members(struct gd_sim_checks *checks, const struct gd_config *config,
                               gd_index index)
{
    const struct gd_config *before = &checks->members;
    if (checks->members_index != 0 && gd_config_version(before) >= 2 &&
        gd_config_highest(config) < gd_config_highest(before)) {
        gd_sim__violated(checks, "membership",
                         "entry %" PRIu64 " forgets that ids up to %" PRIu64
                         " were used; its highest is %" PRIu64,
                         index, gd_config_highest(before), gd_config_highest(config));
    }
    for (uint32_t i = 0; i < config->count; i++) {
        const struct gd_member *member = &config->members[i];
        if (checks->members_index != 0 && member->id <= gd_config_highest(before) &&
            gd_config_find(before, member->id) == NULL) {
            gd_sim__violated(checks, "membership",
                             "by entry %" PRIu64 " node %" PRIu64
                             " is a member, an id that was used before",
                             index, member->id);
        }
        const struct gd_member *known = gd_config_find(before, member->id);
        if ((member->roles & GD_MEMBER_JOINING) != 0 && member->id < GD_COUNT(checks->joined) &&
            (known == NULL || (known->roles & GD_MEMBER_JOINING) == 0)) {
            checks->joined[member->id] = index;
        }
        checks->members_ever |= BIT(member->id);
        checks->voters_ever |= (member->roles & GD_MEMBER_VOTER) != 0 ? BIT(member->id) : 0;
    }
    checks->members = *config;
    checks->members_index = index;
    if (gd_config_highest(config) > checks->id_highest) { /* Version 1 forgets it. */
        checks->id_highest = gd_config_highest(config);
    }
}

static bool is_member(const struct gd_sim_checks *checks, unsigned id)
{
    return gd_config_find(&checks->members, id) != NULL;
}

static bool was(uint32_t set, unsigned id)
{
    return id < 32 && (set & BIT(id)) != 0;
}

/* Did `heir` lead a term later than one that `id` led? */
static bool succeeded(const struct gd_sim_checks *checks, unsigned id, unsigned heir)
{
    bool led = false;
    for (size_t term = 0; term < checks->leader_capacity; term++) {
        if (led && checks->leaders[term] == heir) {
            return true;
        }
        led = led || checks->leaders[term] == id;
    }
    return false;
}

void gd_sim_checks_ordered(struct gd_sim_checks *checks, unsigned id, const char *command)
{
    char verb[16] = "";
    unsigned one = 0, other = 0;
    bool kept = true;
    if (sscanf(command, "RAFT %15s %u %u", verb, &one, &other) < 2) {
        return;
    }
    if (strcmp(verb, "ADD") == 0) {
        bool learner = strstr(command, " LEARNER") != NULL;
        kept = was(learner ? checks->members_ever : checks->voters_ever, one);
    } else if (strcmp(verb, "PROMOTE") == 0) {
        kept = was(checks->voters_ever, one);
    } else if (strcmp(verb, "REMOVE") == 0) {
        kept = !is_member(checks, one);
    } else if (strcmp(verb, "REPLACE") == 0) {
        kept = !is_member(checks, one) && was(checks->members_ever, other);
    } else if (strcmp(verb, "TRANSFER") == 0) {
        kept = succeeded(checks, id, one);
    }
    if (!kept) {
        gd_sim__violated(checks, "orders", "node %u answered %s as done, and it is not", id,
                         command);
    }
}
