/* apply.c - the Tracker's turn: committed entries, queries, a snapshot's begin, a restore, one at a
 * time.
 *
 * Why one at a time. The Tracker's promise (exactly once, in order, reads at an index) is simple to
 * keep and to check when nothing overlaps; batches keep it fast. Entries and queries take turns, so
 * that neither starves the other.
 *
 * A database that fails is away: new requests are told so, the batch stays, the database is opened
 * again until it answers (and again, where it can be opened and takes nothing: a full one, say),
 * says which index it holds, and the rest of the batch goes on behind it. One that holds less than
 * this node had applied has lost state (it was emptied, or came back with an old file): this node
 * goes back to its newest snapshot, gives it to the database unless that holds at least as much,
 * and applies the log from there; meanwhile reads wait. Rejected: applying again only what is
 * missing. The table of proposals is known at the snapshot and at the end, not in between, and
 * without it a repeated proposal would be applied twice.
 *
 * Invariants
 *   A1. Entries are handed over in order, each once while the database stays (`applied` by one).
 *   A2. A duplicate (proposal.h) moves the index and the clock and nothing else.
 *   A3. `applied` never passes the commit index.
 *   A4. What is applied depends on entries alone: the origin's slot only receives the reply.
 *   A5. A snapshot's content is of its index: none is taken of a database that is ahead.
 *   A6. What waits in a batch that is not at the Tracker has no reply yet. */
#include "engine/node_internal.h"
#include "engine/memory.h"

enum { APPLY_COUNT_MAX = 512 };
#define APPLY_SIZE_MAX ((size_t)1 << 20)
#define AWAY_RETRY_NS (100 * GD_NS_PER_MS)
#define LOOK_NS (2000 * GD_NS_PER_MS)

static void on_retry(struct gd_timer *timer);
static void on_expiry(struct gd_timer *timer);
static void on_look(struct gd_timer *timer);

static void set_up(struct gd_node *node)
{
    struct gd__apply *apply = &node->apply;

    if (apply->capacity == 0) {
        apply->capacity = APPLY_COUNT_MAX;
        apply->batch = gd_malloc(APPLY_COUNT_MAX * sizeof apply->batch[0]);
        apply->slots = gd_malloc(APPLY_COUNT_MAX * sizeof(void *));
        apply->entries = gd_malloc(APPLY_COUNT_MAX * sizeof(void *));
        apply->retry = (struct gd_timer){.fire = on_retry, .context = node};
        apply->expiry = (struct gd_timer){.fire = on_expiry, .context = node};
        apply->look = (struct gd_timer){.fire = on_look, .context = node};
        if (node->options.tracker->apart) {
            gd_timer_start(node->io, &apply->look, gd_io_now(node->io) + LOOK_NS);
        }
    }
}

/* One more entry behind the batch. */
static void add_entry(struct gd_node *node, struct gd_entry *entry)
{
    struct gd__apply *apply = &node->apply;
    struct gd_proposal proposal;
    struct gd_apply *item = &apply->batch[apply->count];

    *item = (struct gd_apply){.position = entry->position, .stamp_ms = entry->stamp_ms};
    apply->slots[apply->count] = NULL;
    if (entry->type == GD_ENTRY_REQUEST &&
        gd_proposal_decode((struct gd_slice){entry->data, entry->size}, &proposal) == GD_OK &&
        gd_dedup_admit(&apply->dedup, &proposal)) { /* A2 */
        struct gd__slot *slot = gd__write_take(node, &proposal);
        item->body = proposal.body;
        apply->slots[apply->count] = slot;
        if (slot != NULL && !slot->session->closing) { /* A4 */
            item->session = slot->session->parser_session;
            item->reply = &slot->reply;
        }
    }
    apply->entries[apply->count++] = gd_entry_share(entry);
}

/* It has taken what there was to take: that it could be opened says little, a full one can, too. */
static void is_back(struct gd_node *node)
{
    struct gd__apply *apply = &node->apply;

    if (apply->failing) {
        apply->failing = false;
        gd__node_log(node, GD_LOG_INFO, "the database is back, at index %llu",
                     (unsigned long long)node->options.tracker->v->applied(node->options.tracker));
    }
}

static void finish_batch(struct gd_node *node)
{
    struct gd__apply *apply = &node->apply;
    const struct gd_apply *last = &apply->batch[apply->count - 1];

    for (size_t i = 0; i < apply->count; i++) {
        node->snapshots.bytes_since += gd_entry_weight(apply->entries[i]);
        if (apply->slots[i] != NULL) {
            gd__slot_done(apply->slots[i]);
        }
        gd_entry_drop(apply->entries[i]);
    }
    apply->applied = last->position.index;
    apply->applied_term = last->position.term;
    apply->stamp_ms = last->stamp_ms;
    if (apply->time_proposed && apply->applied >= apply->time_index) {
        apply->time_proposed = false;
    }
    apply->count = 0;
    apply->skip = 0;
    is_back(node);
}

/* What waits in the batch is told that its fate is not known. */
static void let_go(struct gd_node *node, const char *why)
{
    struct gd__apply *apply = &node->apply;

    for (size_t i = 0; i < apply->count; i++) {
        if (apply->slots[i] != NULL) {
            gd__slot_outcome(apply->slots[i], GD_OUTCOME_UNKNOWN, why);
            apply->slots[i] = NULL;
        }
        apply->batch[i].session = NULL;
        apply->batch[i].reply = NULL;
    }
}

/* A leader whose database holds everybody up offers the lead to another. */
static void hand_over(struct gd_node *node)
{
    struct gd_raft_event event = {.kind = GD_RAFT_TRANSFER};

    if (node->phase == GD__SERVING && gd_raft_role(node->raft) == GD_ROLE_LEADER &&
        gd_raft_lag_full(node->raft)) {
        GD_REACHED("leader hands over: its database is away and too far behind");
        (void)gd__node_step(node, &event);
    }
}

static void went_away(struct gd_node *node)
{
    struct gd__apply *apply = &node->apply;

    GD_REACHED("database away");
    set_up(node);
    if (!apply->failing) {
        gd__node_log(node, GD_LOG_WARNING, "the database is away; trying again");
        apply->away_ns = gd_io_now(node->io);
        apply->failing = true;
    }
    apply->away = true;
    gd__reads_away(node);
    if (gd_io_now(node->io) - apply->away_ns >= node->options.request_timeout_ms * GD_NS_PER_MS) {
        let_go(node, "the write is committed; it will be applied when the database is back");
    }
    gd_timer_start(node->io, &apply->retry, gd_io_now(node->io) + AWAY_RETRY_NS);
    hand_over(node);
}

void gd__apply_away(struct gd_node *node)
{
    went_away(node);
}

/* What the batch was answered before it failed: the database may have lost that again, and does it
 * once more, or keeps it, and does not answer for it again. */
static void forget_replies(struct gd__apply *apply)
{
    for (size_t i = 0; i < apply->count; i++) {
        if (apply->slots[i] != NULL && apply->slots[i]->reply.size > 0) {
            GD_REACHED("a write was answered by a database that failed behind it");
            gd_bytes_clear(&apply->slots[i]->reply);
        }
    }
}

static void on_applied(void *context, enum gd_err err)
{
    struct gd_node *node = context;

    node->apply.busy = false;
    if (err != GD_OK) {
        forget_replies(&node->apply);
        went_away(node);
        return;
    }
    finish_batch(node);
    gd__node_kick(node);
}

/* The batch, but for what the database holds already. */
static void submit(struct gd_node *node)
{
    struct gd__apply *apply = &node->apply;
    gd_index held = node->options.tracker->v->applied(node->options.tracker);

    while (apply->skip < apply->count && apply->batch[apply->skip].position.index <= held) {
        struct gd__slot *slot = apply->slots[apply->skip];
        if (slot != NULL) { /* Applied before the database went away: its reply is lost. */
            GD_REACHED("reply lost with the database's connection");
            gd__slot_outcome(slot, GD_OUTCOME_UNKNOWN,
                             "the write was applied, its reply was lost with the database");
            apply->slots[apply->skip] = NULL;
        }
        /* It may lose that yet, and do it once more: nobody waits any more. */
        apply->batch[apply->skip].session = NULL;
        apply->batch[apply->skip].reply = NULL;
        apply->skip++;
    }
    if (apply->skip == apply->count) {
        finish_batch(node);
        gd__node_kick(node);
        return;
    }
    apply->busy = true;
    node->options.tracker->v->apply(node->options.tracker, apply->batch + apply->skip,
                                    apply->count - apply->skip, on_applied, node);
}

static bool apply_entries(struct gd_node *node)
{
    struct gd__apply *apply = &node->apply;
    gd_index commit = gd_raft_commit(node->raft);
    size_t size = 0;

    if (apply->count == 0) {
        gd_index index = apply->applied + 1;
        for (; index <= commit && apply->count < apply->capacity && size < APPLY_SIZE_MAX;
             index++) { /* A1, A3 */
            struct gd_entry *entry = gd_raft_entry(node->raft, index);
            GD_ASSERT(entry != NULL);
            size += gd_entry_weight(entry);
            add_entry(node, entry);
        }
        if (apply->count == 0) {
            return false;
        }
    }
    submit(node);
    return true;
}

static void on_restored(struct gd_node *node, enum gd_err err, const struct gd_error *error)
{
    node->apply.restoring = false;
    if (err == GD_ERR_IO) { /* The database failed in the middle: it is opened again first. */
        /* It may hold the snapshot all the same, and the table of proposals is still of later
         * entries, whose batch was dropped: what begins anew is the whole. */
        GD_REACHED("database failed while it was given a snapshot");
        node->apply.rebuild = true;
        went_away(node);
        return;
    }
    if (err != GD_OK) {
        gd__node_fail(node, err, error);
        return;
    }
    is_back(node);
    gd__writes_restored(node);
    gd__node_kick(node);
}

/* Back to the newest snapshot; true when the Tracker has become busy. */
static bool rebuild(struct gd_node *node)
{
    struct gd__apply *apply = &node->apply;
    struct gd__snapshots *s = &node->snapshots;
    gd_index held = node->options.tracker->v->applied(node->options.tracker);
    const struct gd_snapshot_meta *meta;
    struct gd_error error;

    if ((s->taking && !s->begin_wanted) || s->receiving) {
        return false; /* They end soon, and the pump runs again. */
    }
    let_go(node, "the write was applied, its reply was lost with the database");
    for (size_t i = 0; i < apply->count; i++) {
        gd_entry_drop(apply->entries[i]);
    }
    apply->count = apply->skip = 0;
    apply->rebuild = false;
    s->restore_wanted = false;
    meta = gd_snapshot_store_get(node->store, 0);
    gd__node_log(node, GD_LOG_WARNING,
                 "the database holds index %llu and had held %llu: rebuilding it from snapshot "
                 "%llu and the log",
                 (unsigned long long)held, (unsigned long long)apply->applied,
                 (unsigned long long)(meta == NULL ? 0 : meta->position.index));
    if (meta != NULL) {
        GD_REACHED("database rebuilt from a snapshot");
        apply->restoring = true;
        gd__snapshot_restore(node, held < meta->position.index, on_restored);
        return true;
    }
    if (gd_raft_entry(node->raft, 1) == NULL) {
        (void)gd_error_set(&error, GD_ERR_CORRUPT,
                           "the database lost its state, and there is neither a snapshot nor the "
                           "beginning of the log to rebuild it; replace this node");
        gd__node_fail(node, GD_ERR_CORRUPT, &error);
        return true;
    }
    GD_REACHED("database rebuilt from the log");
    gd_dedup_release(&apply->dedup);
    apply->applied = 0;
    apply->applied_term = 0;
    apply->stamp_ms = 0;
    return false;
}

bool gd__apply_ahead(const struct gd_node *node)
{
    return node->options.tracker->v->applied(node->options.tracker) > node->apply.applied;
}

void gd__apply_pump(struct gd_node *node)
{
    struct gd__apply *apply = &node->apply;
    bool entries_first = apply->queried;

    set_up(node);
    if (apply->busy || apply->away || apply->restoring) {
        return;
    }
    if (apply->rebuild && (rebuild(node) || apply->rebuild)) {
        return;
    }
    if (node->snapshots.restore_wanted && apply->count == 0) {
        node->snapshots.restore_wanted = false;
        if (gd_raft_snapshot(node->raft)->position.index > apply->applied) {
            apply->restoring = true;
            gd__snapshot_restore(node, true, on_restored);
            return;
        }
    }
    /* In front of both: where one of them never ends the log would grow for ever. */
    if (node->snapshots.begin_wanted && apply->count == 0) {
        gd__snapshot_begin(node);
        return;
    }
    apply->queried = false;
    if (entries_first && apply_entries(node)) {
        return;
    }
    if (gd__reads_query(node)) {
        apply->queried = true;
        return;
    }
    (void)apply_entries(node);
}

/* ---------------------------------------------------------------- a database that was away */

static void on_reopened(void *context, enum gd_err err)
{
    struct gd_node *node = context;
    struct gd__apply *apply = &node->apply;

    apply->busy = false;
    if (err != GD_OK) {
        went_away(node);
        return;
    }
    apply->away = false;
    apply->skip = 0; /* What it held of the batch it may hold no more. */
    if (node->options.tracker->v->applied(node->options.tracker) < apply->applied) {
        GD_REACHED("database went back");
        apply->rebuild = true;
    } else if (apply->count == 0) {
        is_back(node);
    }
    gd__node_kick(node);
}

static void on_retry(struct gd_timer *timer)
{
    struct gd_node *node = timer->context;

    if (node->apply.busy || node->phase == GD__CLOSING) {
        return;
    }
    node->apply.busy = true;
    node->options.tracker->v->open(node->options.tracker, on_reopened, node);
}

static void on_looked(void *context, enum gd_err err)
{
    struct gd_node *node = context;

    node->apply.busy = false;
    if (err != GD_OK) {
        GD_REACHED("database away while nothing was asked of it");
        went_away(node);
        return;
    }
    gd__node_kick(node);
}

/* Who asks nothing of a database would not notice that it is gone, or has lost something, before
 * the next client does. */
static void on_look(struct gd_timer *timer)
{
    struct gd_node *node = timer->context;
    struct gd__apply *apply = &node->apply;

    gd_timer_start(node->io, timer, gd_io_now(node->io) + LOOK_NS);
    if (node->phase != GD__SERVING || apply->busy || apply->away || apply->restoring ||
        apply->rebuild || apply->count > 0) {
        return;
    }
    if (node->snapshots.began) { /* It may be busy with what we ask, and is looked at by that. */
        GD_REACHED("no look at a database while a snapshot of it is read");
        return;
    }
    apply->busy = true;
    node->options.tracker->v->query(node->options.tracker, NULL, 0, on_looked, node);
}

/* ---------------------------------------------------------------- the replicated clock */

static void propose_time(struct gd_node *node)
{
    struct gd_entry *entry = gd_entry_new(GD_ENTRY_TIME, NULL, 0);
    struct gd_raft_event event = {.kind = GD_RAFT_PROPOSE};
    struct gd_raft_effects effects;

    event.propose.entries = &entry;
    event.propose.count = 1;
    effects = gd__node_step(node, &event);
    gd_entry_drop(entry);
    if (effects.result == GD_OK) {
        GD_REACHED("leader moved the replicated clock");
        node->apply.time_proposed = true;
        node->apply.time_index = effects.first_index;
    } else {
        node->writes.refused = true; /* Ask again after Raft's next step, not at the next turn. */
    }
}

void gd__apply_watch_expiry(struct gd_node *node)
{
    int64_t next_ms, wall_ms;
    gd_time_ns wait;

    set_up(node);
    if (gd_raft_role(node->raft) != GD_ROLE_LEADER || node->apply.time_proposed ||
        node->writes.refused || node->apply.away || node->apply.restoring) {
        return;
    }
    next_ms = node->options.tracker->v->next_expiry_ms(node->options.tracker);
    if (next_ms == INT64_MAX) {
        return;
    }
    wall_ms = gd_io_wall_ms(node->io);
    if (next_ms <= wall_ms && next_ms > node->apply.stamp_ms) {
        propose_time(node);
        return;
    }
    /* The wall may jump, so no wait is longer than a second. */
    wait = next_ms > wall_ms && next_ms - wall_ms < 1000 ? (gd_time_ns)(next_ms - wall_ms) : 1000;
    gd_timer_start(node->io, &node->apply.expiry, gd_io_now(node->io) + wait * GD_NS_PER_MS);
}

static void on_expiry(struct gd_timer *timer)
{
    struct gd_node *node = timer->context;

    if (node->phase == GD__SERVING) {
        gd__apply_watch_expiry(node);
    }
}

void gd__apply_fail(struct gd_node *node)
{
    struct gd__apply *apply = &node->apply;

    for (size_t i = 0; i < apply->count; i++) {
        if (apply->slots[i] != NULL) {
            gd_bytes_clear(&apply->slots[i]->reply);
            gd__slot_outcome(apply->slots[i], GD_OUTCOME_UNKNOWN,
                             "the node stopped before the write was applied here");
            apply->slots[i] = NULL;
        }
    }
}

void gd__apply_release(struct gd_node *node)
{
    struct gd__apply *apply = &node->apply;

    for (size_t i = 0; i < apply->count; i++) {
        gd_entry_drop(apply->entries[i]);
    }
    gd_free(apply->batch);
    gd_free(apply->slots);
    gd_free(apply->entries);
    gd_dedup_release(&apply->dedup);
    *apply = (struct gd__apply){0};
}
