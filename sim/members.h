/* members.h - do two configurations agree on who decides? */
#ifndef GANDALF_SIM_MEMBERS_H
#define GANDALF_SIM_MEMBERS_H
#include "engine/config.h"

/* Whether each quorum of `a` has a member in common with each quorum of `b`; a joint
 * configuration's quorum is a majority of either set (thesis 4.3). One without voters has no
 * quorum. Ids are at most 16: every set of them is tried. */
bool gd_sim_quorums_meet(const struct gd_config *a, const struct gd_config *b);

/* Who votes, as sets: bit n is node n. */
struct gd_sim_voters {
    uint32_t incoming;
    uint32_t outgoing; /* 0: not joint. */
};
struct gd_sim_voters gd_sim_voters_of(const struct gd_config *config);
/* Whether those in `set` can decide; without voters nobody can. */
bool gd_sim_decides(struct gd_sim_voters voters, uint32_t set);

/* One side of a partition along the line of a joint configuration: `id`, with as few others as make
 * a majority of one half, the incoming one if `incoming`, and no majority of the other. Neither
 * side can decide then. Of others, by number behind `id`, cyclically up to `count`, those of the
 * one half alone come first. Returns 0 when there is no such side, or the configuration is not
 * joint. */
uint32_t gd_sim_joint_side(struct gd_sim_voters voters, unsigned count, unsigned id, bool incoming);

/* What a node would bring to an election now. */
struct gd_sim_voice {
    bool votes;               /* It could be asked: it has lost nothing that it promised to keep. */
    bool campaigns;           /* It runs, and is a voter of its own configuration. */
    struct gd_position last;  /* Of its log. */
    struct gd_sim_voters set; /* Of the configuration in force there. */
};
/* Of two nodes that could both be elected now no two quorums decide apart. Voices are by id, [0] is
 * nobody. Returns false with the two. */
bool gd_sim_elections_meet(const struct gd_sim_voice *voices, unsigned count, unsigned *one,
                           unsigned *other);

/* Whether the members in `set` (bit n is member n) can decide without the others. */
bool gd_sim_quorum(const struct gd_config *config, uint32_t set);
#endif
