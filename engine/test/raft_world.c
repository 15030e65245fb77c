/* raft_world.c - the world of raft_world.h: a soup of messages, disks that lose what was not
 * synced, and after each step the promises of the paper's Figure 3:
 *
 *   Election Safety         at most one leader a term
 *   Leader Append-Only      by GD_ASSERT in raft.c
 *   Log Matching            same index and term: same content before it
 *   Leader Completeness     a leader has every entry committed before its term
 *   State Machine Safety    one entry an index is ever committed
 *   and: what is committed is durable at a quorum of the configuration in force. */
#include "engine/test/raft_world.h"
#include "engine/invariants.h"
#include "engine/memory.h"
#include "engine/prng.h"
#include "engine/quorum.h"
#include "engine/raft.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = RAFT_WORLD_NODES, SOUP_MAX = 400, HISTORY = 4096, PENDING_MAX = 64 };

struct disk { /* What survives. */
    struct gd_hard_state hard_state;
    struct gd_snapshot_meta snapshot;
    struct gd_position before;
    struct gd_entry *entries[HISTORY];
    size_t count;
};
struct pending { /* Written, not synced. */
    struct gd_raft_persist persist;
    struct gd_entry **entries;
};
struct held {
    uint64_t after;
    struct gd_bytes frame;
};
struct node {
    gd_node_id id;
    struct gd_raft *raft; /* NULL: down. */
    struct disk disk;
    struct pending pending[PENDING_MAX];
    size_t pending_count;
    struct held held[SOUP_MAX];
    size_t held_count;
    uint64_t durable;
    uint64_t boot;
    gd_index applied;
    gd_time_ns deadline;
    gd_term seen_term;
    gd_index seen_commit;
};
struct soup {
    gd_node_id to;
    struct gd_bytes frame;
};
static struct world {
    struct node nodes[NODES + 1];
    struct soup soup[SOUP_MAX];
    size_t soup_count;
    struct gd_prng prng;
    struct gd_slice record; /* What decides next, ahead of `prng`; borrowed. */
    gd_time_ns now;
    gd_term committed[HISTORY]; /* Term of the entry committed at each index. */
    int64_t committed_stamp[HISTORY];
    gd_index committed_max;
    gd_node_id leaders[HISTORY]; /* By term. */
    uint64_t seed, step, token, reads_done;
    gd_node_id blocked_from, blocked_to; /* One direction that loses everything. */
} w;

static void die(const char *what, gd_node_id id)
{
    (void)fprintf(stderr, "seed %llu step %llu node %llu: %s\n", (unsigned long long)w.seed,
                  (unsigned long long)w.step, (unsigned long long)id, what);
    abort();
}

/* The one source of all that happens: a number in [0, bound). */
static uint64_t decide(uint64_t bound)
{
    if (w.record.size > 0) {
        uint64_t byte = *w.record.data++;
        w.record.size--;
        return byte * bound / 256;
    }
    return gd_prng_below(&w.prng, bound);
}

static void put(gd_node_id to, struct gd_slice frame)
{
    struct soup *soup;

    if (w.soup_count == SOUP_MAX) {
        return;
    }
    soup = &w.soup[w.soup_count++];
    *soup = (struct soup){.to = to};
    gd_bytes_add(&soup->frame, frame.data, frame.size);
}

static void send(struct node *n, const struct gd_raft_send *s)
{
    struct gd_bytes frame = {0};
    struct gd_message m = s->message;

    if (m.type == GD_MESSAGE_INSTALL_SNAPSHOT) {
        m.install.data = (struct gd_slice){(const uint8_t *)"xxxxxxxxxx",
                                           m.install.size - m.install.offset < 10
                                               ? (size_t)(m.install.size - m.install.offset)
                                               : 10};
    }
    gd_message_encode(&m, &frame);
    if (s->after <= n->durable) {
        put(m.to, gd_bytes_slice(&frame));
        gd_bytes_release(&frame);
    } else if (n->held_count < SOUP_MAX) {
        n->held[n->held_count++] = (struct held){s->after, frame};
    } else {
        gd_bytes_release(&frame);
    }
}

static void keep_pending(struct node *n, const struct gd_raft_persist *p)
{
    struct pending *pending = &n->pending[n->pending_count++];

    *pending = (struct pending){.persist = *p};
    pending->entries = gd_calloc(p->entry_count + 1, sizeof(void *));
    for (size_t i = 0; i < p->entry_count; i++) {
        pending->entries[i] = gd_entry_share(p->entries[i]);
    }
    if (n->pending_count == PENDING_MAX) {
        die("too much pending", n->id);
    }
}

static void disk_cut(struct disk *disk, gd_index from)
{
    while (disk->count > 0 && disk->entries[disk->count - 1]->position.index >= from) {
        gd_entry_drop(disk->entries[--disk->count]);
    }
}

static void write_through(struct disk *disk, struct pending *pending)
{
    const struct gd_raft_persist *p = &pending->persist;

    if (p->hard_state_changed) {
        disk->hard_state = p->hard_state;
    }
    if (p->truncate_from != 0) {
        disk_cut(disk, p->truncate_from);
    }
    if (p->reset) {
        disk_cut(disk, 0);
        disk->before = p->reset_to;
    }
    for (size_t i = 0; i < p->entry_count; i++) {
        struct gd_entry *entry = pending->entries[i];
        if (disk->count == HISTORY ||
            entry->position.index != disk->before.index + disk->count + 1) {
            die("a gap on the disk", 0);
        }
        disk->entries[disk->count++] = gd_entry_share(entry);
    }
}

static void drop_pending(struct pending *pending)
{
    for (size_t i = 0; i < pending->persist.entry_count; i++) {
        gd_entry_drop(pending->entries[i]);
    }
    gd_free(pending->entries);
}

static gd_term disk_term(const struct disk *disk, gd_index index)
{
    if (index == disk->before.index) {
        return disk->before.term;
    }
    if (index > disk->before.index && index <= disk->before.index + disk->count) {
        return disk->entries[index - disk->before.index - 1]->position.term;
    }
    return 0;
}

/* Is the committed entry at `index` on this disk, or behind its snapshot? */
static bool disk_has(const struct disk *disk, gd_index index, gd_term term)
{
    return disk->snapshot.position.index >= index || disk_term(disk, index) == term ||
           disk->before.index >= index;
}

static struct gd_raft_effects step(struct node *n, struct gd_raft_event *event);

/* ---------------------------------------------------------------- checks */

static void check_commit(struct node *n)
{
    gd_index commit = gd_raft_commit(n->raft);

    for (gd_index index = n->seen_commit + 1; index <= commit; index++) {
        gd_term term = gd_raft_term_at(n->raft, index);
        const struct gd_entry *entry = gd_raft_entry(n->raft, index);
        if (term == 0) {
            continue; /* Behind a snapshot that was installed. */
        }
        if (index >= HISTORY) {
            die("history too small", n->id);
        }
        if (w.committed[index] != 0 && w.committed[index] != term) {
            die("State Machine Safety: two entries committed at one index", n->id);
        }
        if (w.committed[index] == 0) {
            const struct gd_config *config = gd_raft_config(n->raft);
            bool has[GD_MEMBERS_MAX] = {false};
            for (uint32_t i = 0; i < config->count; i++) {
                has[i] = disk_has(&w.nodes[config->members[i].id].disk, index, term);
            }
            if (gd_raft_role(n->raft) == GD_ROLE_LEADER && !gd_quorum_yes(config, has)) {
                die("committed without a quorum of disks", n->id);
            }
            w.committed[index] = term;
            w.committed_stamp[index] = entry == NULL ? 0 : entry->stamp_ms;
            w.committed_max = index > w.committed_max ? index : w.committed_max;
            if (index > 1 && entry != NULL && w.committed_stamp[index - 1] > entry->stamp_ms) {
                die("stamps go back", n->id);
            }
        }
    }
    if (commit < n->seen_commit) {
        die("the commit index went back", n->id);
    }
    n->seen_commit = commit;
}

static void check(struct node *n)
{
    gd_term term = gd_raft_term(n->raft);

    GD_ASSERT(gd_raft_check(n->raft));
    if (term < n->seen_term) {
        die("the term went back", n->id);
    }
    n->seen_term = term;
    check_commit(n);
    if (gd_raft_role(n->raft) == GD_ROLE_LEADER && term < HISTORY) {
        if (w.leaders[term] != 0 && w.leaders[term] != n->id) {
            die("Election Safety: two leaders in one term", n->id);
        }
        if (w.leaders[term] == 0) {
            w.leaders[term] = n->id;
            for (gd_index index = 1; index <= w.committed_max; index++) {
                gd_term mine = gd_raft_term_at(n->raft, index);
                if (w.committed[index] != 0 && mine != w.committed[index] &&
                    index >= gd_raft_first_index(n->raft)) {
                    die("Leader Completeness: a committed entry is missing", n->id);
                }
            }
        }
    }
}

/* ---------------------------------------------------------------- steps */

static void take_chunk(struct node *n, const struct gd_raft_chunk *chunk)
{
    struct gd_raft_event event = {.kind = GD_RAFT_SNAPSHOT_PROGRESS};
    uint64_t end = chunk->install.offset + chunk->install.data.size;

    if (decide(10) == 0) {
        event.kind = GD_RAFT_SNAPSHOT_FAILED;
    }
    event.progress.position = chunk->install.position;
    event.progress.offset = end;
    if (end == chunk->install.size && event.kind != GD_RAFT_SNAPSHOT_FAILED) {
        /* The meta that any node holding this snapshot has. */
        for (int i = 1; i <= NODES; i++) {
            const struct gd_snapshot_meta *meta = &w.nodes[i].disk.snapshot;
            if (gd_position_compare(meta->position, chunk->install.position) == 0) {
                struct gd_snapshot_meta copy = *meta;
                n->disk.snapshot = copy;
                event.kind = GD_RAFT_SNAPSHOT_INSTALLED;
                event.snapshot = &n->disk.snapshot;
                (void)step(n, &event);
                return;
            }
        }
        event.kind = GD_RAFT_SNAPSHOT_FAILED;
    }
    (void)step(n, &event);
}

static struct gd_raft_effects step(struct node *n, struct gd_raft_event *event)
{
    struct gd_raft_effects effects;

    event->now = w.now;
    event->wall_ms = (int64_t)(w.now / GD_NS_PER_MS) + (int64_t)decide(50);
    gd_raft_step(n->raft, event, &effects);
    n->deadline = effects.deadline;
    if (effects.persist.sequence != 0) {
        keep_pending(n, &effects.persist);
    }
    for (size_t i = 0; i < effects.send_count; i++) {
        send(n, &effects.sends[i]);
    }
    for (size_t i = 0; i < effects.read_count; i++) {
        if (effects.reads[i].err == GD_OK) {
            /* The token is the commit index that some node had told before the read began. */
            if (effects.reads[i].index < effects.reads[i].token / 1000000) {
                die("a read's index is older than the read", n->id);
            }
            w.reads_done++;
        }
    }
    check(n);
    if (effects.chunk.wanted) {
        take_chunk(n, &effects.chunk);
    }
    return effects;
}

static void sync_some(struct node *n, size_t count)
{
    struct gd_raft_event event = {.kind = GD_RAFT_PERSISTED};
    size_t kept = 0;

    if (count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct pending *pending = &n->pending[i];
        write_through(&n->disk, pending);
        if (pending->persist.entry_count > 0) {
            event.persisted.last = pending->entries[pending->persist.entry_count - 1]->position;
        }
        event.persisted.sequence = pending->persist.sequence;
        drop_pending(pending);
    }
    memmove(n->pending, n->pending + count, (n->pending_count - count) * sizeof n->pending[0]);
    n->pending_count -= count;
    n->durable = event.persisted.sequence;
    for (size_t i = 0; i < n->held_count; i++) {
        if (n->held[i].after <= n->durable) {
            put((gd_node_id)gd_get_le64(n->held[i].frame.data + 28),
                gd_bytes_slice(&n->held[i].frame));
            gd_bytes_release(&n->held[i].frame);
        } else {
            n->held[kept++] = n->held[i];
        }
    }
    n->held_count = kept;
    (void)step(n, &event);
}

static void crash(struct node *n)
{
    gd_raft_free(n->raft);
    n->raft = NULL;
    if (n->pending_count > 0 && decide(2) == 0) {
        /* A prefix of what was not synced survives. */
        size_t survive = decide(n->pending_count + 1);
        for (size_t i = 0; i < survive; i++) {
            write_through(&n->disk, &n->pending[i]);
        }
    }
    for (size_t i = 0; i < n->pending_count; i++) {
        drop_pending(&n->pending[i]);
    }
    for (size_t i = 0; i < n->held_count; i++) {
        gd_bytes_release(&n->held[i].frame);
    }
    n->pending_count = n->held_count = 0;
}

static void start(struct node *n)
{
    struct gd_raft_options options = {
        .id = n->id,
        .cluster_id = 1,
        .boot = ++n->boot,
        .election_timeout_ns = 100 * GD_NS_PER_MS,
        .heartbeat_ns = 20 * GD_NS_PER_MS,
        .batch_size_max = 200,
        .window_size_max = 600,
        .window_count_max = 4,
        .uncommitted_size_max = 4000,
        .push_delay_ns = n->id % 2 * 2 * GD_NS_PER_MS,
        .round_delay_ns = n->id % 2 * 3 * GD_NS_PER_MS,
        .tail_count = decide(4),
        .tail_size_max = 1000,
        .seed = decide(UINT32_MAX),
        .lease = w.seed / 2 % 2 == 1,
    };
    struct gd_raft_event tick = {.kind = GD_RAFT_TICK};
    struct gd_snapshot_meta meta = n->disk.snapshot;

    n->durable = 0;
    if (disk_term(&n->disk, meta.position.index) != meta.position.term) {
        /* Installed, and the log's reset was lost: the node does it again (start.c). */
        disk_cut(&n->disk, 0);
        n->disk.before = meta.position;
    }
    n->raft = gd_raft_new(&options, &n->disk.hard_state, &meta);
    if (n->disk.before.index < meta.position.index) {
        gd_raft_restore_tail(n->raft, n->disk.before);
    }
    for (size_t i = 0; i < n->disk.count; i++) {
        gd_raft_restore(n->raft, gd_entry_share(n->disk.entries[i]));
    }
    gd_raft_start(n->raft, w.now);
    n->seen_commit = gd_raft_commit(n->raft);
    n->seen_term = gd_raft_term(n->raft);
    n->applied = n->seen_commit;
    (void)step(n, &tick);
}

static void deliver(size_t at, bool keep)
{
    struct soup soup = w.soup[at];
    struct node *n = &w.nodes[soup.to];
    struct gd_message message;
    size_t consumed;
    bool blocked;

    if (!keep) {
        w.soup[at] = w.soup[--w.soup_count];
    } else {
        soup.frame = (struct gd_bytes){0};
        gd_bytes_add(&soup.frame, w.soup[at].frame.data, w.soup[at].frame.size);
    }
    if (gd_message_decode(gd_bytes_slice(&soup.frame), 1 << 20, &consumed, &message) != GD_OK) {
        die("a frame did not decode", soup.to);
    }
    blocked = message.from == w.blocked_from || soup.to == w.blocked_to;
    if (n->raft != NULL && !blocked) {
        struct gd_raft_event event = {.kind = GD_RAFT_MESSAGE, .message = &message};
        (void)step(n, &event);
    }
    gd_message_release(&message);
    gd_bytes_release(&soup.frame);
}

static void propose(struct node *n)
{
    struct gd_entry *entry = gd_entry_new(GD_ENTRY_REQUEST, "0123456789", decide(10));
    struct gd_raft_event event = {.kind = GD_RAFT_PROPOSE};

    event.propose.entries = &entry;
    event.propose.count = 1;
    (void)step(n, &event);
    gd_entry_drop(entry);
}

static void snapshot(struct node *n)
{
    gd_index commit = gd_raft_commit(n->raft), config_index;
    struct gd_raft_event event = {.kind = GD_RAFT_SNAPSHOT_TAKEN};
    struct gd_snapshot_meta meta = {.size = 25};
    const struct gd_entry *entry = gd_raft_entry(n->raft, commit);

    if (entry == NULL || commit <= n->disk.snapshot.position.index) {
        return;
    }
    meta.position = entry->position;
    meta.stamp_ms = entry->stamp_ms;
    meta.config = *gd_raft_config_at(n->raft, commit, &config_index);
    meta.config_index = config_index;
    n->disk.snapshot = meta;
    event.snapshot = &meta;
    (void)step(n, &event);
}

static void change(struct node *n)
{
    struct gd_config next = *gd_raft_config(n->raft);
    struct gd_raft_event event = {.kind = GD_RAFT_CHANGE, .config = &next};
    gd_node_id id = 1 + decide(NODES);
    struct gd_member member = {.id = id, .roles = GD_MEMBER_VOTER};

    GD_ASSERT(gd_address_parse("h:1", &member.address) == GD_OK);
    if (gd_config_find(&next, id) != NULL && decide(2) == 0) {
        gd_config_remove(&next, id);
    } else {
        member.roles = decide(3) == 0 ? GD_MEMBER_LEARNER : GD_MEMBER_VOTER;
        GD_ASSERT(gd_config_put(&next, &member) == GD_OK);
    }
    (void)step(n, &event);
}

static void read_index(struct node *n)
{
    struct gd_raft_event event = {.kind = GD_RAFT_READ};
    gd_index told = 0;

    for (int i = 1; i <= NODES; i++) {
        if (w.nodes[i].raft != NULL && gd_raft_commit(w.nodes[i].raft) > told) {
            told = gd_raft_commit(w.nodes[i].raft);
        }
    }
    event.token = told * 1000000 + ++w.token % 1000000;
    (void)step(n, &event);
}

void raft_world_step(bool membership)
{
    struct node *n = &w.nodes[1 + decide(NODES)];
    struct gd_raft_event event = {.kind = GD_RAFT_TICK};
    uint64_t dice = decide(1000);

    w.step++;
    if (dice < 550 && w.soup_count > 0) {
        size_t at = decide(w.soup_count); /* Apart: the order of arguments is the compiler's. */
        deliver(at, decide(25) == 0);
    } else if (dice < 580 && w.soup_count > 0) {
        size_t at = decide(w.soup_count);
        gd_bytes_release(&w.soup[at].frame);
        w.soup[at] = w.soup[--w.soup_count];
    } else if (n->raft == NULL) {
        if (dice < 700) {
            start(n);
        }
    } else if (dice < 750) {
        sync_some(n, decide(n->pending_count + 1));
    } else if (dice < 850) {
        w.now += decide(30) * GD_NS_PER_MS;
        (void)step(n, &event);
    } else if (dice < 930) {
        propose(n);
    } else if (dice < 950) {
        read_index(n);
    } else if (dice < 965) {
        snapshot(n);
    } else if (dice < 975) {
        crash(n);
    } else if (dice < 980) {
        event.kind = GD_RAFT_TRANSFER;
        (void)step(n, &event);
    } else if (dice < 990) {
        w.blocked_from = decide(2) == 0 ? 1 + decide(NODES) : 0;
        w.blocked_to = decide(2) == 0 ? 1 + decide(NODES) : 0;
    } else if (membership) {
        change(n);
    }
    if (n->raft != NULL && n->pending_count > PENDING_MAX / 2) {
        sync_some(n, n->pending_count);
    }
}

static void describe(void)
{
    for (int i = 1; i <= NODES; i++) {
        const struct gd_raft *raft = w.nodes[i].raft;
        const struct gd_config *config = gd_raft_config(raft);
        (void)fprintf(stderr,
                      "  %d %s term %llu leader %llu last %llu.%llu stored %llu commit %llu first "
                      "%llu config",
                      i, gd_role_text(gd_raft_role(raft)), (unsigned long long)gd_raft_term(raft),
                      (unsigned long long)gd_raft_leader(raft),
                      (unsigned long long)gd_raft_last(raft).term,
                      (unsigned long long)gd_raft_last(raft).index,
                      (unsigned long long)gd_raft_stored(raft).index,
                      (unsigned long long)gd_raft_commit(raft),
                      (unsigned long long)gd_raft_first_index(raft));
        for (uint32_t k = 0; k < config->count; k++) {
            (void)fprintf(stderr, " %llu:%u", (unsigned long long)config->members[k].id,
                          config->members[k].roles);
        }
        (void)fprintf(stderr, "\n");
    }
}

/* Nothing is lost any more: a leader must come and commit. */
void raft_world_heal(void)
{
    gd_index before = w.committed_max;

    w.blocked_from = w.blocked_to = 0;
    for (int i = 1; i <= NODES; i++) {
        if (w.nodes[i].raft == NULL) {
            start(&w.nodes[i]);
        }
    }
    for (int turn = 0; turn < 4000 && w.committed_max < before + 3; turn++) {
        w.now += GD_NS_PER_MS * 2;
        for (int i = 1; i <= NODES; i++) {
            struct node *n = &w.nodes[i];
            struct gd_raft_event event = {.kind = GD_RAFT_TICK};
            sync_some(n, n->pending_count);
            if (w.now >= n->deadline) {
                (void)step(n, &event);
            }
            if (turn % 50 == 0) {
                propose(n);
            }
        }
        for (size_t left = w.soup_count; left > 0 && w.soup_count > 0; left--) {
            deliver(decide(w.soup_count), false);
        }
    }
    if (w.committed_max < before + 3) {
        describe();
        die("liveness: nothing was committed after healing", 0);
    }
}

void raft_world_end(void)
{
    for (int i = 1; i <= NODES; i++) {
        struct node *n = &w.nodes[i];
        if (n->raft != NULL) {
            crash(n);
        }
        disk_cut(&n->disk, 0);
    }
    for (size_t i = 0; i < w.soup_count; i++) {
        gd_bytes_release(&w.soup[i].frame);
    }
}

void raft_world_begin(uint64_t seed, unsigned voters)
{
    struct gd_config config = {0};

    memset(&w, 0, sizeof w);
    w.seed = seed;
    gd_prng_init(&w.prng, seed);
    w.now = 1000 * GD_NS_PER_MS;
    if (voters == 0) {
        voters = (unsigned)decide(NODES) + 1;
    }
    for (unsigned i = 1; i <= voters; i++) {
        struct gd_member member = {.id = i, .roles = GD_MEMBER_VOTER};
        GD_ASSERT(gd_address_parse("h:1", &member.address) == GD_OK);
        GD_ASSERT(gd_config_put(&config, &member) == GD_OK);
    }
    for (int i = 1; i <= NODES; i++) {
        w.nodes[i].id = (gd_node_id)i;
        w.nodes[i].disk.snapshot.config = config;
        start(&w.nodes[i]);
    }
}

void raft_world_decide_by(struct gd_slice record)
{
    w.record = record;
}

bool raft_world_has_room(void)
{
    return w.committed_max < HISTORY - 200;
}

struct raft_world_totals raft_world_totals(void)
{
    struct raft_world_totals totals = {
        .steps = w.step, .committed = w.committed_max, .reads = w.reads_done};

    for (size_t term = 0; term < HISTORY; term++) {
        totals.terms_led += w.leaders[term] != 0;
    }
    return totals;
}

/* How far `value` is above `base`, as a small class. */
static uint64_t rank(uint64_t value, uint64_t base)
{
    return value <= base ? 0 : value - base > 2 ? 3 : value - base;
}

uint64_t raft_world_shape(void)
{
    gd_term least = UINT64_MAX;
    uint64_t shape = 0;

    for (int i = 1; i <= NODES; i++) {
        if (w.nodes[i].raft != NULL && gd_raft_term(w.nodes[i].raft) < least) {
            least = gd_raft_term(w.nodes[i].raft);
        }
    }
    for (int i = 1; i <= NODES; i++) {
        const struct gd_raft *raft = w.nodes[i].raft;
        uint64_t one = 0;
        if (raft != NULL) {
            struct gd_position last = gd_raft_last(raft), stored = gd_raft_stored(raft);
            one = 1 + (uint64_t)gd_raft_role(raft);
            one = one * 4 + rank(gd_raft_term(raft), least);
            one = one * 4 + rank(last.index, gd_raft_commit(raft));
            one = one * 2 + (stored.index < last.index);
            one = one * 2 + (last.term < gd_raft_term(raft));
            one = one * 2 + (uint64_t)gd_config_joint(gd_raft_config(raft));
            one = one * 4 + rank(w.committed_max, gd_raft_commit(raft));
        }
        shape = gd_prng_mix(shape, one);
    }
    return shape;
}
