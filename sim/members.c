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

bool gd_sim_quorum(const struct gd_config *config, uint32_t set)
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
        if (gd_sim_quorum(a, set) && gd_sim_quorum(b, all & ~set)) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- elections */

struct gd_sim_voters gd_sim_voters_of(const struct gd_config *config)
{
    struct gd_sim_voters set = {0, 0};
    for (uint32_t i = 0; i < config->count; i++) {
        const struct gd_member *member = &config->members[i];
        GD_ASSERT(member->id <= 16);
        set.incoming |= (member->roles & GD_MEMBER_VOTER) != 0 ? UINT32_C(1) << member->id : 0;
        set.outgoing |= (member->roles & GD_MEMBER_OUTGOING) != 0 ? UINT32_C(1) << member->id : 0;
    }
    return set;
}

static unsigned size_of(uint32_t set)
{
    unsigned size = 0;
    for (; set != 0; set &= set - 1) {
        size++;
    }
    return size;
}

bool gd_sim_decides(struct gd_sim_voters voters, uint32_t set)
{
    return voters.incoming != 0 && size_of(set & voters.incoming) * 2 > size_of(voters.incoming) &&
           (voters.outgoing == 0 || size_of(set & voters.outgoing) * 2 > size_of(voters.outgoing));
}

uint32_t gd_sim_joint_side(struct gd_sim_voters voters, unsigned count, unsigned id, bool incoming)
{
    uint32_t half = incoming ? voters.incoming : voters.outgoing;
    uint32_t other = incoming ? voters.outgoing : voters.incoming;
    uint32_t order[] = {half & ~other, half & other};
    uint32_t side = UINT32_C(1) << id;
    if (voters.incoming == 0 || voters.outgoing == 0) {
        return 0;
    }
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 1; i < count && size_of(side & half) * 2 <= size_of(half); i++) {
            side |= order[pass] & UINT32_C(1) << ((id + i - 1) % count + 1);
        }
    }
    bool one = size_of(side & half) * 2 > size_of(half);
    bool both = size_of(side & other) * 2 > size_of(other);
    return one && !both ? side : 0;
}

/* Who would give `id` a vote, by the logs alone: terms and stickiness pass with time. */
static uint32_t supporters(const struct gd_sim_voice *voices, unsigned count, unsigned id)
{
    uint32_t set = 0;
    for (unsigned i = 1; i <= count; i++) {
        if (voices[i].votes && gd_position_compare(voices[i].last, voices[id].last) <= 0) {
            set |= UINT32_C(1) << i;
        }
    }
    return set;
}

static bool apart(struct gd_sim_voters a, uint32_t for_a, struct gd_sim_voters b, uint32_t for_b)
{
    for (uint32_t set = for_a; set != 0; set = (set - 1) & for_a) {
        if (gd_sim_decides(a, set) && gd_sim_decides(b, for_b & ~set)) {
            return true;
        }
    }
    return false;
}

bool gd_sim_elections_meet(const struct gd_sim_voice *voices, unsigned count, unsigned *one,
                           unsigned *other)
{
    uint32_t behind[17] = {0};
    GD_ASSERT(count <= 16);
    for (unsigned a = 1; a <= count; a++) {
        behind[a] = voices[a].campaigns ? supporters(voices, count, a) : 0;
        if (!gd_sim_decides(voices[a].set, behind[a])) {
            behind[a] = 0;
            continue;
        }
        for (unsigned b = 1; b < a; b++) {
            bool same = voices[a].set.incoming == voices[b].set.incoming &&
                        voices[a].set.outgoing == voices[b].set.outgoing;
            if (behind[b] != 0 && !same &&
                apart(voices[a].set, behind[a], voices[b].set, behind[b])) {
                *one = b;
                *other = a;
                return false;
            }
        }
    }
    return true;
}
