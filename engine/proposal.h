/* proposal.h - a client's write as it lies in the log, and the table that keeps it from being
 * applied twice.
 *
 * A node that takes a write from a client (its origin) numbers it: (node, boot, sequence). Whoever
 * resends it, however often it gets into the log, the table in the replicated state lets it through
 * once. A proposal also says which is the lowest sequence its origin still waits for: everything
 * below is over, so the table stays small, and what was given up can never be applied later.
 *
 * Invariants
 *   P1. Of all entries with one (node, boot, sequence) at most one is let through.
 *   P2. Once an entry with `low` is through, no sequence below `low` of that boot ever is.
 *   P3. Once an entry of a boot is through, none of an earlier boot of that node ever is.
 *   P4. The table is a function of the entries applied: the same on every node, part of snapshots.
 */
#ifndef GANDALF_ENGINE_PROPOSAL_H
#define GANDALF_ENGINE_PROPOSAL_H
#include "engine/bytes.h"

struct gd_proposal {
    gd_node_id origin;
    uint64_t boot;
    uint64_t sequence; /* From 1. */
    uint64_t low;      /* 1..sequence. */
    struct gd_slice body;
};
/* Bytes that encode puts in front of the body. */
#define GD_PROPOSAL_HEADER_SIZE 33
/* Writes the header to `to`; the body follows it. */
void gd_proposal_encode_header(const struct gd_proposal *proposal, uint8_t *to);
/* Any bytes in; `body` is borrowed from `data`. */
GD_MUST_CHECK enum gd_err gd_proposal_decode(struct gd_slice data, struct gd_proposal *proposal);

/* How far past the lowest open sequence an origin may go: the width of the table's bit maps. */
#define GD_PROPOSAL_WINDOW 65536

struct gd_dedup_origin {
    gd_node_id origin;
    uint64_t boot;
    uint64_t low;   /* Everything below is over. */
    uint64_t high;  /* The highest sequence let through; low - 1 when none. */
    uint64_t *bits; /* Owned, GD_PROPOSAL_WINDOW bits, a ring by sequence; which of [low, high] are
                       through. NULL while high < low. */
};
struct gd_dedup {
    struct gd_dedup_origin *origins; /* Owned; ordered by id. */
    size_t count, capacity;
};
void gd_dedup_release(struct gd_dedup *dedup);
/* True: apply it (and it is noted). False: it was applied before, given up, or past the window. */
bool gd_dedup_admit(struct gd_dedup *dedup, const struct gd_proposal *proposal);
/* Is this write of an origin over: let through, or below its low? */
bool gd_dedup_over(const struct gd_dedup *dedup, gd_node_id origin, uint64_t boot,
                   uint64_t sequence);
void gd_dedup_encode(const struct gd_dedup *dedup, struct gd_bytes *bytes);
/* `*dedup` is replaced on GD_OK and unchanged else. */
GD_MUST_CHECK enum gd_err gd_dedup_decode(struct gd_reader *reader, struct gd_dedup *dedup);
/* For the comparison of nodes. */
uint64_t gd_dedup_digest(const struct gd_dedup *dedup);
#endif
