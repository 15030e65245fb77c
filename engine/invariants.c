/* invariants.c - the invariants of one node, in one place.
 *
 * Why. Each is stated where it is kept (V: raft.c, G: membership.c, T: replication.c, I:
 * read_index.c); a fault shows here in the step that causes it, not thousands of events later when
 * two nodes disagree. Only relations that hold between any two steps are here, none that needs the
 * history: those are the simulator's. */
#include "engine/invariants.h"
#include "engine/raft_internal.h"

static void check_log(const struct gd_raft *raft)
{
    struct gd_position last = gd_log_last(&raft->log);

    GD_ASSERT(raft->commit <= last.index); /* V1 */
    GD_ASSERT(raft->stored <= last.index);
    GD_ASSERT(raft->log.before.index <= raft->commit);
    GD_ASSERT(raft->log.before.index <= raft->stored);
    GD_ASSERT(raft->log.before.index <= raft->snapshot.position.index);
    GD_ASSERT(raft->snapshot.position.index <= raft->commit);
    GD_ASSERT(last.term <= raft->hard_state.term); /* V3 */
}

static void check_sequences(const struct gd_raft *raft)
{
    GD_ASSERT(raft->durable <= raft->sequence); /* V2 */
    GD_ASSERT(raft->truncate_sequence <= raft->sequence);
    GD_ASSERT(raft->hard_state_sequence <= raft->sequence);
}

static void check_role(const struct gd_raft *raft)
{
    bool leads = raft->role == GD_ROLE_LEADER;

    GD_ASSERT(leads == (raft->leader == raft->options.id));
    GD_ASSERT(!leads || raft->hard_state.vote == raft->options.id);
    GD_ASSERT(!leads || gd_log_last(&raft->log).term == raft->hard_state.term);
    GD_ASSERT(raft->role != GD_ROLE_CANDIDATE || raft->hard_state.vote == raft->options.id);
    GD_ASSERT(raft->role == GD_ROLE_FOLLOWER || leads || raft->leader == 0);
    GD_ASSERT(leads || raft->transfer_target == 0);
    GD_ASSERT(leads || raft->uncommitted_size == 0);
    GD_ASSERT(leads || !raft->round_open);
    GD_ASSERT(leads || raft->lease_until == 0); /* No lease outlives its leadership. */
}

/* G1. */
static void check_configs(const struct gd_raft *raft)
{
    GD_ASSERT(raft->config_count > 0);
    for (size_t i = 1; i < raft->config_count; i++) {
        const struct gd__config_at *at = &raft->configs[i];
        const struct gd_entry *entry = gd_log_entry(&raft->log, at->index);
        GD_ASSERT(at->index > raft->configs[i - 1].index);
        GD_ASSERT(at->index <= raft->log.last);
        GD_ASSERT(entry == NULL || entry->type == GD_ENTRY_CONFIG);
    }
}

static void check_window(const struct gd_raft *raft, const struct gd__progress *p)
{
    size_t size = 0;
    gd_index last = 0;

    for (uint32_t i = 0; i < p->flight_count; i++) {
        const struct gd__flight *flight = &p->flights[(p->flight_first + i) % GD__FLIGHT_MAX];
        GD_ASSERT(flight->last > last && flight->last < p->next);
        last = flight->last;
        size += flight->size;
    }
    GD_ASSERT(size == p->flight_size);
    GD_ASSERT(p->flight_count <= raft->options.window_count_max);
    GD_ASSERT(p->state == GD_PROGRESS_REPLICATE || p->flight_count == 0);
}

/* T1: a row for each member, in the configuration's order, since quorums count by place. */
static void check_progress(const struct gd_raft *raft)
{
    const struct gd_config *config = gd__raft_config(raft);

    if (raft->role != GD_ROLE_LEADER) {
        return;
    }
    GD_ASSERT(raft->progress_count == config->count);
    for (uint32_t i = 0; i < config->count; i++) {
        const struct gd__progress *p = &raft->progress[i];
        GD_ASSERT(p->id == config->members[i].id);
        GD_ASSERT(p->match <= raft->log.last);
        GD_ASSERT(p->round_acked <= raft->round);
        if (p->id != raft->options.id) {
            GD_ASSERT(p->next > p->match && p->next <= raft->log.last + 1);
            check_window(raft, p);
        }
    }
}

bool gd_raft_check(const struct gd_raft *raft)
{
    check_log(raft);
    check_sequences(raft);
    check_role(raft);
    check_configs(raft);
    check_progress(raft);
    return true;
}
