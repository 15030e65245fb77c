/* start.c - from an empty process to a serving node, and the way out.
 *
 * The order in: the database (what does it hold?), the snapshots (which are there?), the log
 * (whole? ours?), the state (from a snapshot, unless the database holds it), Raft on top of both,
 * the log's new segment with this start's number, and only then the doors: peers, clients. Each
 * step is durable before the next; a crash in any of them leaves what the next start can begin
 * from.
 *
 * Which state. The newest snapshot is the base, if its body is sound. If it is damaged the older
 * one is, if the log still reaches it. A snapshot that is newer than the log's own mark became
 * durable just before a crash, or seems so: it is made durable once more, and Raft is told of it as
 * if it had come now. A gap between the two is refused: the node would serve a state that misses
 * writes.
 *
 * Invariants
 *   O1. Nothing is changed on the disk before log and snapshots were found sound and ours.
 *   O2. The boot number of each start is above all earlier ones, durably, before a peer or client
 * is served. O3. The state restored and the first entry applied leave no gap. */
#include "engine/node_internal.h"
#include "engine/memory.h"
#include "engine/prng.h"

static void try_restore(struct gd_node *node);

static void fail(struct gd_node *node, enum gd_err err, const char *what)
{
    struct gd_error error;

    (void)gd_error_set(&error, err, "%s", what);
    gd__node_fail(node, err, &error);
}

/* A step of the way in has ended; is there a next one? A failure ends the node. */
static bool goes_on(struct gd_node *node, enum gd_err err, const struct gd_error *error)
{
    if (node->phase != GD__OPENING) {
        return false;
    }
    if (err != GD_OK) {
        gd__node_fail(node, err, error);
    }
    return err == GD_OK;
}

/* ---------------------------------------------------------------- who we are */

/* Host, then port by number. */
static int compare_addresses(const struct gd_address *a, const struct gd_address *b)
{
    char x[GD_ADDRESS_SIZE], y[GD_ADDRESS_SIZE];
    uint16_t p, q;
    int order;

    gd_address_split(a, x, &p);
    gd_address_split(b, y, &q);
    order = strcmp(x, y);
    return order != 0 ? order : (int)p - (int)q;
}

/* The members of a first start: ours and `nodes`, numbered in the order of their addresses. The
 * cluster's id follows from the addresses, so that all who were given the same ones agree. */
static bool bootstrap(struct gd_node *node, struct gd_config *config)
{
    const struct gd_address *sorted[GD_MEMBERS_MAX];
    size_t count = 0;
    uint64_t cluster = 0;

    if (node->options.node_count + 1 > GD_MEMBERS_MAX) {
        fail(node, GD_ERR_INVALID, "too many members");
        return false;
    }
    for (size_t i = 0; i <= node->options.node_count; i++) {
        const struct gd_address *address =
            i < node->options.node_count ? &node->nodes[i] : &node->options.peer_address;
        size_t at = count++;
        while (at > 0 && compare_addresses(address, sorted[at - 1]) < 0) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = address;
    }
    *config = (struct gd_config){0};
    for (size_t i = 0; i < count; i++) {
        struct gd_member member = {.id = i + 1, .roles = GD_MEMBER_VOTER, .address = *sorted[i]};
        if (i > 0 && compare_addresses(sorted[i], sorted[i - 1]) == 0) {
            fail(node, GD_ERR_INVALID, "two members have the same address");
            return false;
        }
        if (count == 1 && node->options.id != 0) {
            member.id = node->options.id;
        }
        if (compare_addresses(sorted[i], &node->options.peer_address) == 0) {
            node->identity.node_id = member.id;
        }
        cluster = gd_prng_mix(cluster, gd_crc32c(0, sorted[i]->text, strlen(sorted[i]->text)));
        GD_ASSERT(gd_config_put(config, &member) == GD_OK);
    }
    node->identity.cluster_id = cluster | 1;
    if (node->options.id != 0 && node->options.id != node->identity.node_id) {
        struct gd_error error;
        (void)gd_error_set(
            &error, GD_ERR_INVALID,
            "id %llu contradicts the order of the members' addresses: it is %llu there",
            (unsigned long long)node->options.id, (unsigned long long)node->identity.node_id);
        gd__node_fail(node, GD_ERR_INVALID, &error);
        return false;
    }
    return true;
}

static bool check_identity(struct gd_node *node, const struct gd_wal_identity *stored)
{
    struct gd_error error;

    if (node->options.id != 0 && node->options.id != stored->node_id) {
        (void)gd_error_set(
            &error, GD_ERR_INVALID,
            "the data directory belongs to node %llu, not to node %llu; give each node "
            "a directory of its own",
            (unsigned long long)stored->node_id, (unsigned long long)node->options.id);
        gd__node_fail(node, GD_ERR_INVALID, &error);
        return false;
    }
    node->identity = *stored;
    return true;
}

/* ---------------------------------------------------------------- the log */

static void keep_recovered(struct gd_node *node, const struct gd_wal_recovered *recovered)
{
    node->recovered = *recovered;
    node->recovered_valid = true;
    node->recovered_lsn = recovered->last_lsn;
    node->recovered.entries = NULL;
    if (recovered->entry_count > 0) {
        node->recovered.entries = gd_malloc(recovered->entry_count * sizeof(void *));
        for (size_t i = 0; i < recovered->entry_count; i++) {
            node->recovered.entries[i] = gd_entry_share(recovered->entries[i]);
        }
    }
}

static void drop_recovered(struct gd_node *node)
{
    for (size_t i = 0; i < node->recovered.entry_count; i++) {
        gd_entry_drop(node->recovered.entries[i]);
    }
    gd_free(node->recovered.entries);
    node->recovered = (struct gd_wal_recovered){0};
    node->recovered_valid = false;
}

/* A database that is another's, or has applied what this node never had, is left alone. */
static bool check_database(struct gd_node *node)
{
    struct gd_tracker *tracker = node->options.tracker;

    if (tracker->v->identify != NULL &&
        tracker->v->identify(tracker, node->identity.cluster_id, node->identity.node_id) != GD_OK) {
        fail(node, GD_ERR_INVALID, "the database is not this node's: the line above says why");
        return false;
    }
    if (node->recovered.empty && !node->apply.away && tracker->v->applied(tracker) > 0) {
        fail(node, GD_ERR_INVALID,
             "the database has applied entries, and this node has no log: its data directory was "
             "lost or is another; empty the database to start anew");
        return false;
    }
    return true;
}

/* Boots of a directory count up from here: the upper half tells it from every other. */
static uint64_t new_life(struct gd_node *node)
{
    uint32_t life = (uint32_t)(gd_io_entropy(node->io, "life") >> 33);

    return (uint64_t)(life | 1) << 32; /* Neither 0 nor all ones. */
}

void gd__start_joined(struct gd_node *node, uint64_t cluster_id, gd_node_id id)
{
    GD_REACHED("empty node was added to a cluster");
    node->joining = false;
    gd__join_close(node);
    node->identity =
        (struct gd_wal_identity){.cluster_id = cluster_id, .node_id = id, .boot = new_life(node)};
    gd__node_log(node, GD_LOG_INFO, "added to cluster %016llx as node %llu",
                 (unsigned long long)cluster_id, (unsigned long long)id);
    if (check_database(node)) {
        try_restore(node);
    }
}

static void on_vouched(void *context, enum gd_err err, const struct gd_error *error)
{
    struct gd_node *node = context;

    if (!goes_on(node, err, error)) {
        return;
    }
    try_restore(node);
}

/* What the log's mark names was durable before the mark was written. */
static void vouch_for_snapshots(struct gd_node *node)
{
    const struct gd_snapshot_meta *newest = gd_snapshot_store_get(node->store, 0);
    gd_index marked = node->recovered.snapshot.position.index;

    if (newest == NULL || newest->position.index <= marked) {
        try_restore(node);
        return;
    }
    gd__node_log(node, GD_LOG_INFO,
                 "the log does not know of the snapshot at index %llu yet: it is stored once more",
                 (unsigned long long)newest->position.index);
    gd_snapshot_store_vouch(node->store, marked, on_vouched, node);
}

static void on_wal_opened(void *context, enum gd_err err, const struct gd_wal_recovered *recovered,
                          const struct gd_error *error)
{
    struct gd_node *node = context;

    if (!goes_on(node, err, error)) {
        return;
    }
    keep_recovered(node, recovered);
    if (recovered->empty && gd_snapshot_store_get(node->store, 0) != NULL) {
        /* The log had this node's term and vote: without them it must not vote. */
        GD_REACHED("snapshots without a log: refused");
        fail(node, GD_ERR_CORRUPT,
             "there are snapshots and no log: the log was removed, or a restore did not end; "
             "restore again, or replace this node");
        return;
    }
    if (recovered->empty) {
        if (node->options.join) {
            gd__join_begin(node);
            return;
        }
        if (!bootstrap(node, &node->recovered.snapshot.config)) {
            return;
        }
        node->identity.boot = new_life(node);
        GD_REACHED("first start");
    } else if (!check_identity(node, &recovered->identity)) {
        return;
    } else if (node->options.join) {
        gd__node_log(node, GD_LOG_INFO,
                     "no need to join: the directory is node %llu's of cluster "
                     "%016llx",
                     (unsigned long long)recovered->identity.node_id,
                     (unsigned long long)recovered->identity.cluster_id);
    }
    if (recovered->cut_size > 0) {
        GD_REACHED("torn tail cut at start");
        gd__node_log(node, GD_LOG_WARNING, "cut a torn tail of %llu bytes off the log",
                     (unsigned long long)recovered->cut_size);
    }
    if (check_database(node)) {
        vouch_for_snapshots(node);
    }
}

/* ---------------------------------------------------------------- the state */

static void start_raft(struct gd_node *node);

static void on_restored(struct gd_node *node, enum gd_err err, const struct gd_error *error)
{
    if (node->phase != GD__OPENING) {
        return;
    }
    if (err == GD_ERR_CORRUPT || err == GD_ERR_VERSION) {
        GD_REACHED("damaged snapshot passed over at start");
        gd__node_log(node, GD_LOG_WARNING, "a snapshot cannot be used: %s",
                     error == NULL ? gd_err_text(err) : error->text);
        gd_snapshot_store_forget(node->store);
        try_restore(node);
        return;
    }
    if (err != GD_OK) {
        gd__node_fail(node, err, error);
        return;
    }
    start_raft(node);
}

/* Whether the log leads past what a snapshot at `position` holds. */
static bool log_covers(const struct gd_wal_recovered *log, struct gd_position position)
{
    GD_ASSERT(log->entry_count == 0 || log->entries != NULL);
    if (position.index <= log->before.index) {
        return true;
    }
    position.index -= log->before.index + 1;
    return position.index < log->entry_count &&
           log->entries[position.index]->position.term == position.term;
}

/* A snapshot that the disk failed to read may be all there is of what this node has promised to
 * keep. */
static bool misses_unreadable(struct gd_node *node, const struct gd_snapshot_meta *newest)
{
    struct gd_position missed = gd_snapshot_store_unreadable(node->store);
    gd_index before = node->recovered.before.index;
    gd_index reached = newest == NULL ? 0 : newest->position.index;
    struct gd_error error;

    if (missed.index <= reached || (reached >= before && log_covers(&node->recovered, missed))) {
        return false;
    }
    GD_REACHED("snapshot that could not be read is missing at start");
    (void)gd_error_set(&error, GD_ERR_IO,
                       "the snapshot at index %llu cannot be read, and the log does not hold "
                       "what it holds; check the disk and start again",
                       (unsigned long long)missed.index);
    gd__node_fail(node, GD_ERR_IO, &error);
    return true;
}

static void try_restore(struct gd_node *node)
{
    const struct gd_snapshot_meta *meta = gd_snapshot_store_get(node->store, 0);
    gd_index held = node->options.tracker->v->applied(node->options.tracker);
    struct gd_error error;

    if (misses_unreadable(node, meta)) {
        return;
    }
    if (meta == NULL || meta->position.index < node->recovered.before.index) {
        if (node->recovered.before.index == 0) {
            start_raft(node); /* The log reaches the beginning. */
            return;
        }
        (void)gd_error_set(&error, GD_ERR_CORRUPT,
                           "no sound snapshot reaches the log, which begins behind index %llu; "
                           "replace this node, or restore its data directory",
                           (unsigned long long)node->recovered.before.index);
        gd__node_fail(node, GD_ERR_CORRUPT, &error);
        return;
    }
    gd__snapshot_restore(node, !node->apply.away && held < meta->position.index, on_restored);
}

/* ---------------------------------------------------------------- Raft on top */

static void on_wal_started(void *context, enum gd_err err, const struct gd_error *error);

/* The meta that Raft begins with: the log's mark, unless the state had to go further back. */
static struct gd_snapshot_meta base_meta(struct gd_node *node)
{
    const struct gd_snapshot_meta *restored =
        node->apply.applied == 0 ? NULL : gd_snapshot_store_get(node->store, 0);

    if (restored != NULL && restored->position.index < node->recovered.snapshot.position.index) {
        GD_REACHED("older snapshot used at start");
        return *restored;
    }
    if (restored == NULL && node->recovered.snapshot.position.index > 0) {
        GD_REACHED("log replayed from its beginning");
        /* The bootstrap's configuration is not kept apart: the mark's is the best that is known
         * until the log's own configuration entries are replayed. */
        struct gd_snapshot_meta meta = node->recovered.snapshot;
        meta.position = (struct gd_position){0};
        meta.stamp_ms = 0;
        meta.config_index = 0;
        return meta;
    }
    return node->recovered.snapshot;
}

static void start_raft(struct gd_node *node)
{
    const struct gd_node_options *o = &node->options;
    struct gd_snapshot_meta meta = base_meta(node);
    struct gd_raft_options options = {
        .id = node->identity.node_id,
        .cluster_id = node->identity.cluster_id,
        .boot = ++node->identity.boot, /* O2: durable by gd_wal_start. */
        .election_timeout_ns = o->election_timeout_ms * GD_NS_PER_MS,
        .heartbeat_ns = o->heartbeat_ms * GD_NS_PER_MS,
        .batch_size_max = o->batch_size_max,
        .window_size_max = o->window_size_max,
        .window_count_max = o->window_count_max,
        .uncommitted_size_max = o->uncommitted_size_max,
        .push_delay_ns = o->heartbeat_ms * GD_NS_PER_MS / 16,
        .round_delay_ns = o->heartbeat_ms * GD_NS_PER_MS / 16,
        .lag_size_max = o->lag_size_max,
        .tail_count = o->tail_count,
        .tail_size_max = o->tail_size_max,
        .lease = o->lease,
        .clock_drift_ppm = o->clock_drift_ppm,
        .seed = gd_io_entropy(node->io, "raft"),
    };

    node->reads.last_token = options.boot << 32; /* Q4 */
    node->raft = gd_raft_new(&options, &node->recovered.hard_state, &meta);
    if (node->recovered.before.index < meta.position.index) {
        gd_raft_restore_tail(node->raft, node->recovered.before);
    }
    for (size_t i = 0; i < node->recovered.entry_count; i++) {
        gd_raft_restore(node->raft, gd_entry_share(node->recovered.entries[i]));
    }
    gd_wal_start(node->wal, &node->identity, &node->recovered.hard_state, &meta, on_wal_started,
                 node);
    gd__peers_note_config(node);
    drop_recovered(node);
}

/* A snapshot that became durable without the log's mark: Raft hears of it now. */
static void catch_up_snapshot(struct gd_node *node)
{
    const struct gd_snapshot_meta *newest = gd_snapshot_store_get(node->store, 0);
    struct gd_raft_event event = {.kind = GD_RAFT_SNAPSHOT_TAKEN, .snapshot = newest};
    struct gd_snapshot_meta meta;

    if (newest == NULL || newest->position.index <= gd_raft_snapshot(node->raft)->position.index) {
        return;
    }
    meta = *newest;
    if (gd_raft_term_at(node->raft, newest->position.index) != newest->position.term) {
        GD_REACHED("installed snapshot finished at start");
        event.kind = GD_RAFT_SNAPSHOT_INSTALLED;
    } else {
        GD_REACHED("taken snapshot finished at start");
    }
    (void)gd__node_step(node, &event);
    node->snapshots.restore_wanted = false; /* It is the state already. */
    gd_wal_snapshot(node->wal, &meta, 0);
}

static void on_wal_started(void *context, enum gd_err err, const struct gd_error *error)
{
    struct gd_node *node = context;

    if (!goes_on(node, err, error)) {
        return;
    }
    node->phase = GD__SERVING;
    node->known_term = gd_raft_term(node->raft);
    if (node->apply.away) {
        node->apply.away = false; /* To be told of. */
        gd__apply_away(node);
    }
    gd_raft_start(node->raft, gd_io_now(node->io));
    catch_up_snapshot(node);
    GD_ASSERT(node->apply.applied >= gd_raft_snapshot(node->raft)->position.index); /* O3 */
    gd__peers_listen(node);
    if (node->phase == GD__SERVING) {
        gd__sessions_listen(node);
    }
    if (node->phase == GD__SERVING) {
        struct gd_raft_event event = {.kind = GD_RAFT_TICK};
        gd__peers_follow(node);
        (void)gd__node_step(node, &event);
        gd__join_joined(node);
        gd__node_watch(node);
        gd__node_log(node, GD_LOG_INFO, "serving clients at %s, peers at %s, from index %llu",
                     node->options.client_address.text, node->options.peer_address.text,
                     (unsigned long long)node->apply.applied);
        if (node->options.ready != NULL) {
            node->options.ready(node->options.context);
        }
    }
}

/* ---------------------------------------------------------------- in */

static void on_stored(void *context, uint64_t sequence, struct gd_position last)
{
    struct gd_node *node = context;
    struct gd_raft_event event = {.kind = GD_RAFT_PERSISTED};

    if (node->phase != GD__SERVING && node->phase != GD__DRAINING) {
        return;
    }
    if (last.index != 0) {
        node->wal_told = last;
    }
    gd__node_release_held(node);
    event.persisted.sequence = sequence;
    event.persisted.last = last;
    (void)gd__node_step(node, &event);
}

static void on_wal_failed(void *context, const struct gd_error *error)
{
    GD_REACHED("log failed: node stops");
    gd__node_fail(context, GD_ERR_IO, error);
}

static void on_store_opened(void *context, enum gd_err err, const struct gd_error *error)
{
    struct gd_node *node = context;
    struct gd_wal_options options = {
        .io = node->io,
        .directory = "wal",
        .segment_size = node->options.segment_size,
        .batch_size_max = node->options.batch_size_max,
        .stored = on_stored,
        .failed = on_wal_failed,
        .context = node,
    };

    if (!goes_on(node, err, error)) {
        return;
    }
    node->wal = gd_wal_new(&options);
    gd_wal_open(node->wal, on_wal_opened, node);
}

static void on_tracker_opened(void *context, enum gd_err err)
{
    struct gd_node *node = context;

    node->apply.busy = false;
    if (node->phase != GD__OPENING) {
        return;
    }
    if (err == GD_ERR_INVALID) { /* It is there, and not ours. */
        fail(node, err, "the database is not this node's: the line above says why");
        return;
    }
    if (err != GD_OK) { /* Vote and log do without it. */
        GD_REACHED("database away at start");
        node->apply.away = true;
    }
    node->store = gd_snapshot_store_new(node->io, "snapshot");
    gd_snapshot_store_open(node->store, on_store_opened, node);
}

void gd__start(struct gd_node *node)
{
    node->apply.busy = true;
    node->options.tracker->v->open(node->options.tracker, on_tracker_opened, node);
}

/* ---------------------------------------------------------------- out */

static void finish_close(struct gd_node *node)
{
    if (node->phase != GD__CLOSING || node->handle_count > 0 || node->session_total > 0 ||
        !node->tracker_closed || (node->store != NULL && !node->store_closed) ||
        (node->wal != NULL && !node->wal_closed)) {
        return;
    }
    gd__peers_release(node);
    if (node->store != NULL) {
        gd_snapshot_store_free(node->store);
        node->store = NULL;
    }
    if (node->wal != NULL) {
        gd_wal_free(node->wal);
        node->wal = NULL;
    }
    drop_recovered(node);
    node->phase = GD__STOPPED;
    node->options.stopped(node->options.context, node->stop_err,
                          node->stop_err == GD_OK ? NULL : &node->stop_error);
}

void gd__node_handle_closed(struct gd_node *node)
{
    GD_ASSERT(node->handle_count > 0);
    node->handle_count--;
    finish_close(node);
}

static void on_tracker_closed(void *context, enum gd_err err)
{
    struct gd_node *node = context;

    (void)err;
    node->tracker_closed = true;
    gd__apply_fail(node);
    gd__reads_fail_all(node);
    finish_close(node);
}

static void on_store_closed(void *context)
{
    struct gd_node *node = context;

    node->store_closed = true;
    finish_close(node);
}

static void on_wal_closed(void *context)
{
    struct gd_node *node = context;

    node->wal_closed = true;
    finish_close(node);
}

void gd__close(struct gd_node *node)
{
    bool up = node->raft != NULL;

    node->phase = GD__CLOSING;
    node->joining = false;
    gd_timer_stop(node->io, &node->raft_timer);
    gd_timer_stop(node->io, &node->pump_timer);
    gd_timer_stop(node->io, &node->watch_timer);
    gd_timer_stop(node->io, &node->stop_timer);
    gd_timer_stop(node->io, &node->apply.retry);
    gd_timer_stop(node->io, &node->apply.look);
    gd_timer_stop(node->io, &node->apply.expiry);
    gd__sessions_stop_listening(node);
    gd__peers_stop_listening(node);
    if (up) {
        gd__writes_fail_all(node);
        gd__admin_fail(node);
        gd__backup_fail(node);
    }
    gd__peers_close(node);
    gd__admin_probe_close(node);
    gd__join_close(node);
    gd__sessions_close(node);
    node->options.tracker->v->close(node->options.tracker, on_tracker_closed, node);
    if (node->store != NULL) {
        gd_snapshot_store_close(node->store, on_store_closed, node);
    }
    if (node->wal != NULL) {
        gd_wal_close(node->wal, on_wal_closed, node);
    }
}

/* Draining: is everything owed given, and leadership with somebody else? */
void gd__close_continue(struct gd_node *node)
{
    bool leads = gd_raft_role(node->raft) == GD_ROLE_LEADER && node->peers != NULL;

    if (!gd__sessions_owed(node) && !leads) {
        gd__node_log(node, GD_LOG_INFO, "stopped: every reply was sent");
        gd__close(node);
    }
}

static void on_stop_timer(struct gd_timer *timer)
{
    struct gd_node *node = timer->context;

    if (node->phase == GD__DRAINING) {
        if (gd_io_now(node->io) >= node->stop_deadline) {
            gd__node_log(node, GD_LOG_WARNING, "stopped: the time for replies is over");
            gd__close(node);
            return;
        }
        gd__node_kick(node);
        gd_timer_start(node->io, timer, gd_io_now(node->io) + 20 * GD_NS_PER_MS);
    }
}

void gd_node_stop(struct gd_node *node, uint64_t limit_ms)
{
    struct gd_raft_event event = {.kind = GD_RAFT_TRANSFER};

    if (node->phase == GD__OPENING) {
        gd__close(node);
    }
    if (node->phase != GD__SERVING) {
        return;
    }
    gd__node_log(node, GD_LOG_INFO, "stopping");
    node->phase = GD__DRAINING;
    gd__sessions_stop_listening(node);
    if (gd_raft_role(node->raft) == GD_ROLE_LEADER) {
        (void)gd__node_step(node, &event);
    }
    node->stop_deadline = gd_io_now(node->io) + limit_ms * GD_NS_PER_MS;
    node->stop_timer = (struct gd_timer){.fire = on_stop_timer, .context = node};
    gd_timer_start(node->io, &node->stop_timer, gd_io_now(node->io));
}
