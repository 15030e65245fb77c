/* order_checks.c - do the writes of a node come into a log in their order?
 *
 * A node numbers the writes of its clients, by its start, and forwards them to the leader. Frames
 * are lost, and come late or twice; so each says which write of the same start, still open when it
 * was sent, is the next before it, and a leader takes it only when that one is in its log already.
 * What a client sends in one piece then takes effect in that order, whatever is lost (writes.c W4).
 * A turned pair does harm only when nothing else makes up for it, and a client must look at just
 * these keys: so the log itself is looked at.
 *
 * The property: in the entries of a leader's own term, the numbers of one start of a node rise
 * where they first occur, but for those that were over at that node. That a number was over is what
 * the node has said itself: it has sent a later one with one below it as the next before it. What
 * the leader's own clients write was never sent anywhere, and is never out of order. */
#include "engine/message.h"
#include "engine/proposal.h"
#include "sim/checks_internal.h"
#include <inttypes.h>
#include <stdlib.h>

static struct forwarded *slot_of(struct gd_sim_checks *checks, unsigned origin, uint64_t sequence)
{
    if (checks->forwarded[origin] == NULL) {
        checks->forwarded[origin] = calloc(FORWARDED_COUNT, sizeof *checks->forwarded[origin]);
        GD_ASSERT(checks->forwarded[origin] != NULL);
    }
    return &checks->forwarded[origin][sequence % FORWARDED_COUNT];
}

void gd_sim__note_forwarded(struct gd_sim_checks *checks, unsigned from, const struct gd_message *m)
{
    struct forwarded *known = slot_of(checks, from, m->client_write.sequence);
    uint64_t previous = m->client_write.previous;
    bool same = known->boot == m->boot && known->sequence == m->client_write.sequence;
    if (!same || previous < known->previous) { /* Sent again, when more of them were over. */
        *known = (struct forwarded){m->boot, m->client_write.sequence, previous};
    }
}

/* Is one with this number in the log, as far as it is in memory, in this term? */
static bool was_taken(const struct gd_raft *raft, gd_index last, gd_term term,
                      const struct gd_proposal *one)
{
    for (gd_index i = last; gd_raft_term_at(raft, i) == term; i--) {
        const struct gd_entry *entry = gd_raft_entry(raft, i);
        struct gd_proposal other;
        if (entry == NULL) {
            return true; /* Nobody knows. */
        }
        if (entry->type == GD_ENTRY_REQUEST &&
            gd_proposal_decode((struct gd_slice){entry->data, entry->size}, &other) == GD_OK &&
            other.origin == one->origin && other.boot == one->boot &&
            other.sequence == one->sequence) {
            return true;
        }
    }
    return false;
}

void gd_sim__look_at_order(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                           const struct gd_entry *entry)
{
    gd_term term = entry->position.term;
    struct gd_proposal one;
    if (entry->type != GD_ENTRY_REQUEST || gd_raft_role(raft) != GD_ROLE_LEADER ||
        gd_raft_term(raft) != term ||
        gd_proposal_decode((struct gd_slice){entry->data, entry->size}, &one) != GD_OK ||
        one.origin > GD_SIM_NODES_MAX) {
        return;
    }
    struct taken *taken = &checks->shadows[id].taken[one.origin];
    if (taken->term != term || taken->boot != one.boot) {
        *taken = (struct taken){term, one.boot, 0};
    }
    uint64_t before = taken->high;
    if (one.sequence <= before) {
        if (one.origin == id && !was_taken(raft, entry->position.index - 1, term, &one)) {
            gd_sim__violated(checks, "order of a pipeline",
                             "node %u leads term %" PRIu64 " and takes its own write %" PRIu64
                             " behind %" PRIu64,
                             id, term, one.sequence, before);
        }
        return;
    }
    taken->high = one.sequence;
    const struct forwarded *known = slot_of(checks, (unsigned)one.origin, one.sequence);
    if (one.origin != id && known->boot == one.boot && known->sequence == one.sequence &&
        known->previous > before) {
        gd_sim__violated(checks, "order of a pipeline",
                         "node %u leads term %" PRIu64 " and takes write %" PRIu64
                         " of node %" PRIu64 " behind %" PRIu64 "; %" PRIu64
                         ", which is open there, must come first",
                         id, term, one.sequence, one.origin, before, known->previous);
    }
}
