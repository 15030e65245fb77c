/* lag.c - entries that wait for the database, or for a leader's own disk: how many bytes, and that
 * they are bounded.
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
 * A leader's own disk may hang while the others' go on committing. What it has not stored yet waits
 * in its log and in its disk's queue; beyond the limit for what is uncommitted it takes no more,
 * and the node offers the lead to another (writes.c). A follower is bounded by its leader's window.
 *
 * Rejected. Refusing truly: the leader would probe and send at the pace of the network. Counting
 * all that is not applied: a suffix that will never be committed would hold a log up for ever.
 *
 * Invariant
 *   L1. `size` is the weight of the entries in (from, to], all of them in the log. */
#include "engine/raft_internal.h"

/* What the entries in (from, to] weigh, where `lag` knows it of some of them. */
static size_t size_of(const struct gd_raft *raft, struct gd__lag *lag, gd_index from, gd_index to)
{
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

size_t gd__lag_size(struct gd_raft *raft)
{
    gd_index from = raft->applied > raft->log.before.index ? raft->applied : raft->log.before.index;

    return size_of(raft, &raft->lag, from, raft->commit > from ? raft->commit : from);
}

bool gd__disk_behind(struct gd_raft *raft)
{
    GD_ASSERT(raft->role == GD_ROLE_LEADER); /* V4: what is counted is not cut. */
    return size_of(raft, &raft->unstored, raft->stored, raft->log.last) >=
           raft->options.uncommitted_size_max;
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

bool gd_raft_disk_behind(struct gd_raft *raft)
{
    return raft->role == GD_ROLE_LEADER && gd__disk_behind(raft);
}
