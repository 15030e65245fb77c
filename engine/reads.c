/* reads.c - linearizable reads, in batches.
 *
 * A read goes through four lists: fresh (just came), asked (Raft was asked for a safe index under
 * one token for all of them), safe (the index is known; waits until it is applied here), busy (at
 * the Tracker). One that meets a key whose time is up by the leader's wall, but not by the
 * replicated clock, waits in `timed` until the clock has been moved by an entry (apply.c's leader
 * does that by itself).
 *
 * Invariants
 *   Q1. A read is asked for after it came, and queried after its index is applied (paper section
 *       8).
 *   Q2. Only one question is open at a time: those that come meanwhile share the next.
 *   Q3. A client's reads see the state in the order in which it sent them: while one is in `timed`,
 *       the later ones follow it there, whatever they were answered.
 *   Q4. No question bears a token that an earlier start of this node used: a leader may still owe
 *       that one an answer, with an index from before.
 *   Q5. What a client does not take in is bounded: while half of its limit is unsent, its reads
 *       wait, unless others need their room; and a batch has only as many of them as lately had
 *       replies of a few MiB in all. */
#include "engine/node_internal.h"
#include "engine/memory.h"

enum { QUERY_COUNT_MAX = 512, QUERY_COUNT_FIRST = 8 };
#define BATCH_SIZE_WANTED ((size_t)4 << 20)
#define RETRY_NS (5 * GD_NS_PER_MS)

static void push(struct gd__read_list *list, struct gd__read *read)
{
    read->next = NULL;
    if (list->last == NULL) {
        list->first = read;
    } else {
        list->last->next = read;
    }
    list->last = read;
}

static struct gd__read *pop(struct gd__read_list *list)
{
    struct gd__read *read = list->first;

    list->first = read->next;
    if (list->first == NULL) {
        list->last = NULL;
    }
    return read;
}

/* All of `from` behind `to`. */
static void move_all(struct gd__read_list *to, struct gd__read_list *from)
{
    while (from->first != NULL) {
        push(to, pop(from));
    }
}

static size_t weight(const struct gd__read *read)
{
    return sizeof *read + read->body.size;
}

static void end_read(struct gd_node *node, struct gd__read *read)
{
    node->reads.size -= weight(read);
    gd_free(read);
}

/* Into a list that is in the order in which they came. */
static void insert(struct gd__read_list *list, struct gd__read *read)
{
    struct gd__read **at = &list->first;

    if (list->last == NULL || list->last->number < read->number) {
        push(list, read);
        return;
    }
    while (*at != NULL && (*at)->number < read->number) {
        at = &(*at)->next;
    }
    read->next = *at;
    *at = read;
}

/* Into `timed`, where the client's others may wait that came before it, or after it if it has been
 * woken and must wait again (Q3). */
static void hold(struct gd_node *node, struct gd__read *read, int64_t needs_ms)
{
    struct gd__session *session = read->slot->session;

    gd_bytes_clear(&read->slot->reply);
    if (session->timed_count == 0 || needs_ms > session->timed_ms) {
        session->timed_ms = needs_ms;
    }
    if (session->timed_count == 0 || read->number < session->timed_first) {
        session->timed_first = read->number;
    }
    session->timed_count++;
    read->needs_ms = session->timed_ms;
    insert(&node->reads.timed, read);
}

/* Does one of its client wait for the clock that came before it? */
static bool follows_timed(const struct gd__read *read)
{
    const struct gd__session *session = read->slot->session;

    return session->timed_count > 0 && session->timed_first < read->number;
}

static struct gd__read *pop_timed(struct gd__read_list *list)
{
    struct gd__read *read = pop(list);

    read->slot->session->timed_count--;
    return read;
}

/* Does a read wait for its client to take in replies? One that has gone is not waited for: what
 * else it has asked ends as everybody's does. */
static bool is_deaf(const struct gd__session *session)
{
    return !session->closing && gd__session_deaf(session);
}

/* Reads that wait for nothing but their own client give way to others'. Looked for where there were
 * some at the last look: not at each read that is one too many. */
static void make_room(struct gd_node *node, const char *why)
{
    struct gd__read_list all = node->reads.safe;

    if (!node->reads.deaf) {
        return;
    }
    node->reads.deaf = false;
    node->reads.safe = (struct gd__read_list){0};
    while (all.first != NULL) {
        struct gd__read *read = pop(&all);
        if (is_deaf(read->slot->session)) {
            GD_REACHED("read refused: its client is deaf, and others need the room");
            gd__slot_outcome(read->slot, GD_OUTCOME_BUSY, why);
            end_read(node, read);
        } else {
            push(&node->reads.safe, read);
        }
    }
}

void gd__read_begin(struct gd_node *node, struct gd__slot *slot, struct gd_slice body)
{
    static const char busy[] = "too many reads wait on this node";
    struct gd__read *read;

    if (node->phase != GD__SERVING) {
        gd__slot_outcome(slot, GD_OUTCOME_STOPPING, "the node is stopping");
        return;
    }
    if (node->apply.away) {
        GD_REACHED("read refused: database away");
        gd__slot_outcome(slot, GD_OUTCOME_DATABASE, "the database of this node is away");
        return;
    }
    if (node->reads.size + body.size > node->options.pending_size_max) {
        make_room(node, busy);
    }
    if (node->reads.size + body.size > node->options.pending_size_max) {
        GD_REACHED("read refused: too many open");
        gd__slot_outcome(slot, GD_OUTCOME_BUSY, busy);
        return;
    }
    read = gd_malloc(sizeof *read + body.size);
    *read = (struct gd__read){
        .slot = slot, .begun_ns = gd_io_now(node->io), .number = ++node->reads.last_number};
    read->body = (struct gd_slice){(uint8_t *)(read + 1), body.size};
    if (body.size > 0) {
        memcpy(read + 1, body.data, body.size);
    }
    node->reads.size += weight(read);
    push(&node->reads.fresh, read);
    node->status.reads++;
    gd__node_watch(node);
    gd__node_kick(node);
}

void gd__reads_pump(struct gd_node *node)
{
    struct gd__reads *reads = &node->reads;
    struct gd_raft_event event = {.kind = GD_RAFT_READ};

    if (reads->fresh.first == NULL || reads->token != 0 || gd_io_now(node->io) < reads->retry_ns) {
        return;
    }
    move_all(&reads->asked, &reads->fresh); /* Q2 */
    reads->token = ++reads->last_token;     /* Q4 */
    event.token = reads->token;
    (void)gd__node_step(node, &event);
}

void gd__reads_answered(struct gd_node *node, const struct gd_raft_read *answer)
{
    struct gd__reads *reads = &node->reads;

    if (answer->token != reads->token) {
        return;
    }
    reads->token = 0;
    if (answer->err != GD_OK) {
        struct gd__read_list later = reads->fresh; /* Those asked came first. */
        GD_REACHED("reads must ask again");
        reads->fresh = reads->asked;
        reads->asked = (struct gd__read_list){0};
        move_all(&reads->fresh, &later);
        reads->retry_ns = gd_io_now(node->io) + RETRY_NS;
        gd__node_watch(node);
        return;
    }
    while (reads->asked.first != NULL) {
        struct gd__read *read = pop(&reads->asked);
        read->index = answer->index;
        read->wall_ms = answer->wall_ms;
        push(&reads->safe, read);
    }
}

/* ---------------------------------------------------------------- at the Tracker */

/* What one client's replies of a batch should come to at most: it has room for twice that. */
static size_t size_wanted(const struct gd__session *session)
{
    size_t quarter = session->node->options.session_output_size_max / 4;

    return quarter < BATCH_SIZE_WANTED ? quarter : BATCH_SIZE_WANTED;
}

/* The replies' sizes are known when they are there: few reads of a client at first, then more. */
static void adapt_limits(struct gd__reads *reads)
{
    size_t i = 0;

    for (struct gd__read *read = reads->busy.first; read != NULL; read = read->next) {
        read->slot->session->batch_size += reads->batch[i++].reply->size;
    }
    for (struct gd__read *read = reads->busy.first; read != NULL; read = read->next) {
        struct gd__session *session = read->slot->session;
        size_t wanted = size_wanted(session);

        if (session->batch_count == 0) {
            continue; /* It was looked at. */
        }
        if (session->batch_size > wanted) {
            GD_REACHED("reads asked for a few at a time: their replies are large");
            session->batch_limit =
                (uint32_t)(wanted / (session->batch_size / session->batch_count + 1)) + 1;
        } else if (session->batch_limit < QUERY_COUNT_MAX) {
            session->batch_limit *= 2;
        }
        session->batch_count = 0;
        session->batch_size = 0;
    }
}

static void on_queried(void *context, enum gd_err err)
{
    struct gd_node *node = context;
    struct gd__reads *reads = &node->reads;

    node->apply.busy = false;
    adapt_limits(reads);
    for (size_t i = 0; i < reads->batch_count; i++) {
        struct gd__read *read = pop(&reads->busy);
        const struct gd_query *query = &reads->batch[i];
        if (err != GD_OK) {
            gd_bytes_clear(&read->slot->reply);
            gd__slot_outcome(read->slot, GD_OUTCOME_DATABASE, "the database of this node is away");
            end_read(node, read);
        } else if (query->result == GD_QUERY_NEEDS_TIME) {
            GD_REACHED("read waits for the replicated clock");
            hold(node, read, query->needs_ms);
        } else if (follows_timed(read)) {
            GD_REACHED("read waits behind one that waits for the clock");
            hold(node, read, 0);
        } else {
            gd__slot_done(read->slot);
            end_read(node, read);
        }
    }
    reads->batch_count = 0;
    if (err != GD_OK) {
        gd__apply_away(node);
    }
    gd__node_kick(node);
}

/* May the batch have no more reads of this client? Then none of its later ones either (Q5). */
static bool must_wait(struct gd_node *node, struct gd__read *read)
{
    struct gd__session *session = read->slot->session;

    if (is_deaf(session)) {
        GD_REACHED("read waits: its client does not take in its replies");
        read->begun_ns = gd_io_now(node->io); /* Nobody else is late. */
        node->reads.deaf = true;
        return true;
    }
    if (session->batch_limit == 0) {
        session->batch_limit = QUERY_COUNT_FIRST;
    }
    return session->batch_count >= session->batch_limit;
}

/* Reads whose clock has come are safe again, in front of all that came later (Q3): also of those
 * of their client that still wait. */
static void wake_timed(struct gd_node *node)
{
    struct gd__reads *reads = &node->reads;
    struct gd__read_list waiting = reads->timed, woken = {0};

    reads->timed = (struct gd__read_list){0};
    reads->looked++;
    while (waiting.first != NULL) {
        struct gd__session *session = waiting.first->slot->session;
        bool stopped = session->timed_stop == reads->looked;
        if (!stopped && waiting.first->needs_ms <= node->apply.stamp_ms) {
            push(&woken, pop_timed(&waiting));
            continue;
        }
        if (!stopped) {
            session->timed_stop = reads->looked;
            session->timed_first = waiting.first->number;
        }
        push(&reads->timed, pop(&waiting));
    }
    move_all(&woken, &reads->safe);
    reads->safe = woken;
}

bool gd__reads_query(struct gd_node *node)
{
    struct gd__reads *reads = &node->reads;
    struct gd__read_list later = {0};

    if (reads->timed.first != NULL) {
        wake_timed(node);
    }
    if (reads->batch == NULL && reads->safe.first != NULL) {
        reads->batch_capacity = QUERY_COUNT_MAX;
        reads->batch = gd_malloc(QUERY_COUNT_MAX * sizeof reads->batch[0]);
    }
    while (reads->safe.first != NULL && reads->batch_count < reads->batch_capacity) {
        struct gd__read *read = pop(&reads->safe);
        if (read->index > node->apply.applied) { /* Q1 */
            push(&later, read);
            continue;
        }
        if (must_wait(node, read)) { /* Q5 */
            push(&later, read);
            continue;
        }
        if (follows_timed(read)) {
            hold(node, read, 0);
            continue;
        }
        read->slot->session->batch_count++;
        reads->batch[reads->batch_count++] = (struct gd_query){
            .body = read->body,
            .session = read->slot->session->parser_session,
            .wall_ms = read->wall_ms,
            .reply = &read->slot->reply,
        };
        push(&reads->busy, read);
    }
    move_all(&later, &reads->safe);
    reads->safe = later;
    if (reads->batch_count == 0) {
        return false;
    }
    node->apply.busy = true;
    node->options.tracker->v->query(node->options.tracker, reads->batch, reads->batch_count,
                                    on_queried, node);
    return true;
}

/* ---------------------------------------------------------------- time */

static void expire_list(struct gd_node *node, struct gd__read_list *list, gd_time_ns now,
                        gd_time_ns patience, const char *why)
{
    struct gd__read_list all = *list;

    *list = (struct gd__read_list){0};
    while (all.first != NULL) {
        bool timed = list == &node->reads.timed;
        struct gd__read *read = timed ? pop_timed(&all) : pop(&all);
        if (now - read->begun_ns >= patience) {
            GD_REACHED("read refused: waited too long");
            gd__slot_outcome(read->slot, GD_OUTCOME_NO_LEADER, why);
            end_read(node, read);
        } else {
            read->slot->session->timed_count += timed ? 1 : 0;
            push(list, read);
        }
    }
}

bool gd__reads_expire(struct gd_node *node, gd_time_ns now)
{
    struct gd__reads *reads = &node->reads;
    gd_time_ns election = node->options.election_timeout_ms * GD_NS_PER_MS;
    gd_time_ns limit = node->options.request_timeout_ms * GD_NS_PER_MS;
    bool alone = gd_raft_leader(node->raft) == 0 && now - node->leader_lost_ns >= election;

    expire_list(node, &reads->fresh, now, alone ? election : limit,
                alone ? "no leader is known" : "the leader does not confirm");
    expire_list(node, &reads->asked, now, limit, "the leader does not confirm");
    expire_list(node, &reads->safe, now, limit, "this node has not applied enough yet");
    expire_list(node, &reads->timed, now, limit, "the replicated clock stands still");
    return reads->size > 0;
}

static void fail_list(struct gd_node *node, struct gd__read_list *list, enum gd_outcome_kind kind,
                      const char *why)
{
    while (list->first != NULL) {
        struct gd__read *read = pop(list);
        gd_bytes_clear(&read->slot->reply);
        gd__slot_outcome(read->slot, kind, why);
        end_read(node, read);
    }
}

/* Those asked for stay: their question is open. Timed ones wait for the log, not for the
 * database. */
void gd__reads_away(struct gd_node *node)
{
    const char *why = "the database of this node is away";

    fail_list(node, &node->reads.fresh, GD_OUTCOME_DATABASE, why);
    fail_list(node, &node->reads.safe, GD_OUTCOME_DATABASE, why);
}

/* The Tracker is closed: it works on none of them. */
void gd__reads_fail_all(struct gd_node *node)
{
    const char *why = "the node is stopping";

    fail_list(node, &node->reads.fresh, GD_OUTCOME_STOPPING, why);
    fail_list(node, &node->reads.asked, GD_OUTCOME_STOPPING, why);
    fail_list(node, &node->reads.safe, GD_OUTCOME_STOPPING, why);
    fail_list(node, &node->reads.timed, GD_OUTCOME_STOPPING, why);
    fail_list(node, &node->reads.busy, GD_OUTCOME_STOPPING, why);
}

static void free_list(struct gd__read_list *list)
{
    while (list->first != NULL) {
        gd_free(pop(list));
    }
}

void gd__reads_release(struct gd_node *node)
{
    free_list(&node->reads.fresh);
    free_list(&node->reads.asked);
    free_list(&node->reads.safe);
    free_list(&node->reads.timed);
    free_list(&node->reads.busy);
    gd_free(node->reads.batch);
    node->reads = (struct gd__reads){0};
}
