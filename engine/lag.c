/* lag.c - committed entries that wait for the database: how many bytes, and that they are bounded.
 *
 * Why. A database may be away for hours, or slower than its cluster. What is committed meanwhile
 * stays in this node's log until it is applied, and no snapshot can take its place. So there is a
 * limit, beyond which a follower takes no further entries and a leader no proposals.
 *
 * How. Such a follower still answers every append, so that leadership, reads and elections can
 * count on it (it keeps its vote); the answer refuses what comes before any entry, and a leader
 * lets refusals at or below `match` pass (replication.c, on_refusal), so its window stays as it is
 * and nothing is sent again and again. When the database is back the next heartbeat is answered as
 * ever, and the leader finds out where the log ends. If the leader has cut its log meanwhile a
 * snapshot comes, which replaces what waits.
 *
 * Rejected. Refusing truly: the leader would probe and send at the pace of the network. Counting
 * all that is not applied: a suffix that will never be committed would hold a log up for ever.
 *
 * Invariant
 *   L1. `size` is the weight of the entries in (from, to], all of them in the log. */
#include "engine/raft_internal.h"

size_t gd__lag_size(struct gd_raft *raft)
{
    struct gd__lag *lag = &raft->lag;
    gd_index from = raft->applied > raft->log.before.index ? raft->applied : raft->log.before.index;
    gd_index to = raft->commit > from ? raft->commit : from;

    if (lag->from < raft->log.before.index || from < lag->from || to < lag->to) {
        *lag = (struct gd__lag){.from = from, .to = from};
    }
    while (lag->to < to) {
        lag->size += gd_entry_weight(gd_log_entry(&raft->log, ++lag->to));
    }
    while (lag->from < from) {
        lag->size -= gd_entry_weight(gd_log_entry(&raft->log, ++lag->from));
    }
    return lag->size; /* L1 */
}

bool gd__lag_full(struct gd_raft *raft)
{
    return raft->options.lag_size_max > 0 && gd__lag_size(raft) >= raft->options.lag_size_max;
}

void gd_raft_set_applied(struct gd_raft *raft, gd_index index)
{
    raft->applied = index;
}

size_t gd_raft_lag_size(struct gd_raft *raft)
{
    return gd__lag_size(raft);
}

bool gd_raft_lag_full(struct gd_raft *raft)
{
    return gd__lag_full(raft);
}
