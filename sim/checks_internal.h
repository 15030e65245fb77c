/* checks_internal.h - what checks.c (after each event) and promises.c (each message) both know. */
#ifndef GANDALF_SIM_CHECKS_INTERNAL_H
#define GANDALF_SIM_CHECKS_INTERNAL_H
#include "sim/checks.h"
#include "sim/members.h"

struct shadow {   /* Of one node. */
    bool running; /* Has had its log open since its last start. */
    bool damaged;
    bool wiped; /* Everything that it had promised to keep is gone: the cluster must do without. */
    bool led;   /* At the last look it was leader in `term`. */
    gd_term term;
    gd_node_id vote; /* In `term`, as last looked at; 0: none. */
    gd_index commit;
    struct gd_position last;
    struct gd_position stored;
    gd_term *terms; /* Owned: term at index i; 0 where not known (below a snapshot). */
    size_t term_capacity;
    gd_index applied;
    gd_index config_index;  /* Of the configuration in force, as last looked at. */
    gd_index commit_looked; /* The commit index when committed members were last compared. */
    gd_index config_last;   /* The last entry of that kind that its log showed. */
    enum gd_role role;
    gd_node_id leader;
    struct gd_raft_facts facts;
    struct gd_sim_voters voters;
    uint64_t looks;
    bool lag_full; /* At the last look as much as may be waited for the database. */
};
struct seen { /* An entry named by (index, term). */
    struct gd_position at;
    gd_term previous; /* 0 with `previous_known` false: nobody has shown it yet. */
    bool previous_known;
    uint32_t crc;
};
struct committed {
    gd_term term;  /* Of the entry. */
    gd_term first; /* The term in which it was first seen to be committed. */
};
struct digest {
    gd_index applied;
    uint64_t digest;
    unsigned node;
};
#define DIGEST_COUNT 256
/* A configuration that some node has in force and knows to be committed. */
struct known_config {
    gd_index index;
    uint32_t crc; /* Of its members and what they are. */
    unsigned node;
};
#define KNOWN_CONFIG_COUNT 64
/* A read that a node asked its leader about. */
struct asked_read {
    uint64_t token;
    gd_index committed; /* What was committed anywhere then. */
};
#define ASKED_READ_COUNT 64
struct gd_sim_checks {
    const struct gd_sim_plan *plan; /* Borrowed. */
    gd_sim_violated_fn *violated;
    gd_sim_clock_fn *clock;
    void *context;
    struct shadow shadows[GD_SIM_NODES_MAX + 1];
    gd_node_id *leaders; /* Owned: by term; 0: none known. */
    size_t leader_capacity;
    uint64_t elections;
    struct seen *seen;                /* Owned: an open table by (index, term). */
    size_t seen_count, seen_capacity; /* A power of two. */
    struct committed *committed;      /* Owned: [index]. */
    size_t committed_capacity;
    gd_index committed_last;
    struct digest digests[DIGEST_COUNT];
    struct gd_config members; /* The newest configuration known to be committed. */
    gd_index members_index;
    gd_node_id id_highest; /* Ever in a committed one. */
    bool differ;           /* Not all nodes have the same voters in force. */
    struct known_config configs[KNOWN_CONFIG_COUNT]; /* By index. */
    struct asked_read asked[GD_SIM_NODES_MAX + 1][ASKED_READ_COUNT];
    char premise[200];
};

void GD_PRINTF(3, 4)
    gd_sim__violated(struct gd_sim_checks *checks, const char *property, const char *format, ...);
/* Does node `id` hold the entry on its disk, as far as it has said? */
bool gd_sim__holds(const struct gd_sim_checks *checks, unsigned id, struct gd_position at);
#endif
