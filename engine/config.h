/* config.h - who is in the cluster: the configuration that travels in the log and in snapshots.
 *
 * A configuration acts from the moment it is in the log (Raft paper section 6). A joint one has
 * both incoming and outgoing voters; whatever needs a majority then needs one of each. */
#ifndef GANDALF_ENGINE_CONFIG_H
#define GANDALF_ENGINE_CONFIG_H
#include "engine/bytes.h"
#include "engine/io.h"

#define GD_MEMBERS_MAX 32

/* What a member is; bits, since a joint configuration has members in both sets of voters. */
#define GD_MEMBER_VOTER 1u    /* In the incoming (or only) set of voters. */
#define GD_MEMBER_OUTGOING 2u /* In the outgoing set; only while joint. */
#define GD_MEMBER_LEARNER 4u  /* Gets the log, has no vote. May be GD_MEMBER_OUTGOING too. */
#define GD_MEMBER_JOINING                                                                          \
    8u /* With LEARNER: a voter as soon as it has caught up (thesis 4.2.1).                        \
        */
#define GD_MEMBER_REPLACING 16u /* With JOINING: `replaces` leaves in the same change. */

/* A life of a node is one data directory: who comes with another one has lost what it promised to
 * keep, and must not be counted as the member that it was. The upper half of a boot number is drawn
 * anew for each directory; 0: made before there were lives, or by hand. */
static inline uint32_t gd_life_of(uint64_t boot)
{
    return (uint32_t)(boot >> 32);
}

struct gd_member {
    gd_node_id id; /* Not 0. */
    uint32_t roles;
    uint32_t life;             /* 0: the leader has not heard of it yet. */
    gd_node_id replaces;       /* REPLACING: whom; else 0. */
    struct gd_address address; /* For its peers. */
};
/* Ids are used once: an id at or below `highest` that is no member was one, and is removed for
 * ever. */
struct gd_config {
    uint32_t count;                           /* 0..GD_MEMBERS_MAX. */
    gd_node_id highest;                       /* Ever used; gd_config_highest knows better. */
    struct gd_member members[GD_MEMBERS_MAX]; /* Ordered by id, each id once. */
};

bool gd_config_joint(const struct gd_config *config);
/* The member or NULL. */
const struct gd_member *gd_config_find(const struct gd_config *config, gd_node_id id);
/* In either set of voters. */
bool gd_config_votes(const struct gd_config *config, gd_node_id id);
bool gd_config_equal(const struct gd_config *a, const struct gd_config *b);
/* Insert or replace, keeping the order. GD_ERR_BUSY when full. */
GD_MUST_CHECK enum gd_err gd_config_put(struct gd_config *config, const struct gd_member *member);
/* Harmless when absent; its id stays used. */
void gd_config_remove(struct gd_config *config, gd_node_id id);

/* The highest id that was ever a member's; 0: none was. */
gd_node_id gd_config_highest(const struct gd_config *config);

/* The version of the format that can say it: 1, or 2 where lives are recorded, where an id above
 * all members' was used, or where somebody joins. */
uint8_t gd_config_version(const struct gd_config *config);
/* In the words of version 1: without lives and without the highest id. Of who joins it cannot tell.
 */
void gd_config_simplify(struct gd_config *config);

/* Format (docs/formats.md): version u8, count u32, then id u64, roles u32, address length u16 and
 * bytes for each. Version 2, written only where it says more: highest u64 behind the count, life
 * u32 behind each member's roles, and with REPLACING whom, u64. */
void gd_config_encode(const struct gd_config *config, struct gd_bytes *bytes);
/* Any bytes in. GD_ERR_CORRUPT: not a configuration that encode wrote; `config` unchanged. */
GD_MUST_CHECK enum gd_err gd_config_decode(struct gd_slice slice, struct gd_config *config);
#endif
