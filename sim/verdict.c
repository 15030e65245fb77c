/* verdict.c - is a record linearizable?
 *
 * Linearizable, and, when asked for, in the order of each connection: a pipeline's requests take
 * effect in the order in which they were sent.
 *
 * A search after Wing and Gong (1993) in Lowe's form (Testing for linearizability, 2017): walk the
 * calls and returns in the order of time, take one open operation at a time if the state machine
 * gives its output, go back when a return is met whose operation was not taken. Each pair of (set
 * of operations taken, state) is tried once; the pairs are remembered by 128 bits of hash.
 *
 * Keys are judged apart unless a transaction binds them. An operation whose outcome is unknown
 * never returns: it may be taken at any time after its call, or never; such are tried last, and
 * only those that change something. Refused operations are left out, since they had no effect: if
 * they had one, a read of a value that nobody wrote shows it.
 *
 * What keeps the search short, without a loss: an operation that changes nothing is taken as soon
 * as it fits, for good; and a text that somebody has yet to see is not left, since clients write
 * each text only once, so that it can never come back.
 *
 * Operations that stay open: one that would change nothing is as good as never done; of those that
 * are alike (see unique.c) only the first is tried, and of two in a row whose values nobody
 * compares the first was for nothing. What unique texts tell narrows the calls before the search.
 *
 * Values are numbers here: each distinct text has one, so states compare in one step. */
#include "sim/verdict.h"
#include "sim/parts.h"
#include "sim/unique.h"
#include "sim/zones.h"
#include "engine/prng.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define STEPS_MAX 250000 /* Of one search. */
#define ABSENT 0u

struct text {
    const char *data; /* Borrowed, or owned by the list of made texts. */
    size_t size;
};
struct call {
    size_t operation;
    gd_time_ns call, back; /* UINT64_MAX: open. */
    uint64_t mark[2];      /* Random: the set's hash is the sum of its members'. */
    bool taken;
    bool reads_only;
    uint64_t keys;                /* Bit by bit; keys that lie 64 apart share one. */
    enum gd_sim_unique_kind kind; /* OTHER unless it is open. */
    uint32_t need;                /* The text that it must find; ABSENT: not known. */
    size_t before; /* The call, counted from 1, that its connection asks for first; 0: none. */
};
struct point { /* A call or a return in the order of time, in a doubly linked list. */
    size_t call;
    bool is_return;
    size_t next, previous; /* 0: the list's head. */
};
struct frame {
    size_t point; /* Of the call that was taken. */
    size_t undo;  /* Where in `undone` its changes begin. */
    bool forced;  /* No other choice is worth trying. */
};
struct undo {
    uint32_t key, value;
};
struct judge {
    const struct gd_sim_record *record;
    bool ordered; /* A connection's requests in their order. */
    bool foreign; /* Texts may have been written more than once. */
    bool by_call; /* Candidates in the order of their calls, not of their returns. */
    bool coarse;  /* Which open operations were taken is not remembered: what is found is good, what
                     is not found proves nothing. */
    struct text *texts; /* By number; 0 is ABSENT. */
    size_t text_count, text_capacity;
    uint32_t *index; /* Hash table of numbers. */
    size_t index_capacity;
    char **made;
    size_t made_count, made_capacity;
    struct gd_sim_parts parts;
    uint32_t *state; /* Owned: by key. */
    struct call *calls;
    size_t call_count;
    struct point *points; /* [0] is the head. */
    size_t point_count;
    struct frame *frames;
    size_t frame_count;
    struct undo *undone;
    size_t undo_count, undo_capacity;
    uint32_t *watchers; /* By number: calls not taken yet that saw this value. */
    size_t watcher_capacity;
    gd_time_ns *seen_at; /* By number of a written name: the first to see it had returned then. */
    size_t seen_at_capacity;
    uint64_t set[2]; /* Hash of what is taken. */
    uint64_t (*seen)[2];
    size_t seen_count, seen_capacity;
    uint64_t steps, limit;       /* Of the search at hand. */
    struct gd_sim_unique unique; /* Of the part at hand. */
    uint32_t *once; /* Owned, by number: 2 * epoch + 1: that part makes it once at most;
                       2 * epoch: it may come again; less: not asked yet. */
    size_t once_capacity;
    uint32_t epoch;        /* The part at hand, counted from 1. */
    size_t key_count;      /* Of it. */
    bool *plain;           /* Owned, by key: only set, read and swapped. */
    uint64_t relevant;     /* The keys that matter to whoever must be done next. */
    size_t deepest, stuck; /* Longest order found; the call it could not place. */
    uint32_t stuck_state;
    char told[512]; /* What zones.c found; empty: nothing. */
};

static void *grow(void *array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    *capacity = *capacity == 0 ? 64 : *capacity * 2;
    array = realloc(array, *capacity * size);
    GD_ASSERT(array != NULL);
    return array;
}

static void *zeroed(size_t count, size_t size)
{
    void *array = calloc(count > 0 ? count : 1, size);
    GD_ASSERT(array != NULL);
    return array;
}

/* ---------------------------------------------------------------- texts as numbers */

static uint32_t *index_place(struct judge *judge, const char *data, size_t size)
{
    size_t mask = judge->index_capacity - 1;
    size_t i = (size_t)gd_sim_unique_hash(data, size) & mask;
    for (;; i = (i + 1) & mask) {
        uint32_t number = judge->index[i];
        if (number == 0 || (judge->texts[number].size == size &&
                            memcmp(judge->texts[number].data, data, size) == 0)) {
            return &judge->index[i];
        }
    }
}

static uint32_t number_of(struct judge *judge, const char *data, size_t size)
{
    if (judge->text_count * 2 >= judge->index_capacity) {
        free(judge->index);
        judge->index_capacity = judge->index_capacity == 0 ? 1024 : judge->index_capacity * 2;
        judge->index = zeroed(judge->index_capacity, sizeof *judge->index);
        for (uint32_t i = 1; i < judge->text_count; i++) {
            *index_place(judge, judge->texts[i].data, judge->texts[i].size) = i;
        }
    }
    uint32_t *place = index_place(judge, data, size);
    if (*place == 0) {
        judge->texts =
            grow(judge->texts, &judge->text_capacity, judge->text_count, sizeof *judge->texts);
        judge->texts[judge->text_count] = (struct text){data, size};
        *place = (uint32_t)judge->text_count++;
    }
    return *place;
}

/* The same for a text that is nobody's yet. */
static uint32_t number_of_made(struct judge *judge, char *data, size_t size)
{
    size_t before = judge->text_count;
    uint32_t number = number_of(judge, data, size);
    if (judge->text_count == before) {
        free(data);
        return number;
    }
    judge->made = grow(judge->made, &judge->made_capacity, judge->made_count, sizeof *judge->made);
    judge->made[judge->made_count++] = data;
    return number;
}

static uint32_t number_of_value(struct judge *judge, const struct gd_sim_value *value)
{
    return value->kind == GD_SIM_VALUE_TEXT ? number_of(judge, value->text, value->size) : ABSENT;
}

/* A decimal number as INCR reads it; false when it is none. */
static bool to_integer(struct text text, int64_t *value)
{
    char copy[32];
    char back[32];
    if (text.size == 0 || text.size > 20) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    *value = strtoll(copy, NULL, 10);
    (void)snprintf(back, sizeof back, "%" PRId64, *value);
    return strcmp(copy, back) == 0;
}

/* ---------------------------------------------------------------- the state machine */

static void set_key(struct judge *judge, unsigned key, uint32_t value)
{
    judge->undone =
        grow(judge->undone, &judge->undo_capacity, judge->undo_count, sizeof *judge->undone);
    judge->undone[judge->undo_count++] = (struct undo){key, judge->state[key]};
    judge->state[key] = value;
}

static bool apply_append(struct judge *judge, const struct gd_sim_step *step, bool known)
{
    uint32_t now = judge->state[step->key];
    size_t old = now == ABSENT ? 0 : judge->texts[now].size;
    size_t size = old + step->input.size;
    if (known && step->output.kind == GD_SIM_VALUE_NUMBER && step->output.number != (int64_t)size) {
        return false;
    }
    char *made = zeroed(size + 1, 1);
    if (old > 0) {
        memcpy(made, judge->texts[now].data, old);
    }
    memcpy(made + old, step->input.text, step->input.size);
    set_key(judge, step->key, number_of_made(judge, made, size));
    return true;
}

static bool apply_incr(struct judge *judge, const struct gd_sim_step *step, bool known)
{
    uint32_t now = judge->state[step->key];
    int64_t value = 0;
    if (now != ABSENT &&
        (!to_integer(judge->texts[now], &value) || value > INT64_MAX - step->input.number)) {
        return !known || step->output.kind == GD_SIM_VALUE_ERROR;
    }
    value += step->input.number;
    if (known && (step->output.kind != GD_SIM_VALUE_NUMBER || step->output.number != value)) {
        return false;
    }
    char *made = zeroed(32, 1);
    int size = snprintf(made, 32, "%" PRId64, value);
    set_key(judge, step->key, number_of_made(judge, made, (size_t)size));
    return true;
}

/* One step on the state; false when its output cannot be. */
static bool apply_step(struct judge *judge, const struct gd_sim_step *step, bool known)
{
    uint32_t now = judge->state[step->key];
    switch (step->what) {
    case GD_SIM_DO_READ:
        return !known || number_of_value(judge, &step->output) == now;
    case GD_SIM_DO_WRITE:
        set_key(judge, step->key, number_of_value(judge, &step->input));
        return true;
    case GD_SIM_DO_APPEND:
        return apply_append(judge, step, known);
    case GD_SIM_DO_CAS:
        if (number_of_value(judge, &step->old) == now) {
            set_key(judge, step->key, number_of_value(judge, &step->input));
            return !known || step->output.kind == GD_SIM_VALUE_TRUE;
        }
        return !known || step->output.kind == GD_SIM_VALUE_FALSE;
    case GD_SIM_DO_DELETE:
        set_key(judge, step->key, ABSENT);
        return !known || step->output.kind == GD_SIM_VALUE_NOTHING ||
               (step->output.kind == GD_SIM_VALUE_TRUE) == (now != ABSENT);
    case GD_SIM_DO_SETNX:
        if (now == ABSENT) {
            set_key(judge, step->key, number_of_value(judge, &step->input));
        }
        return !known || (step->output.kind == GD_SIM_VALUE_TRUE) == (now == ABSENT);
    case GD_SIM_DO_SWAP:
        set_key(judge, step->key, number_of_value(judge, &step->input));
        return !known || number_of_value(judge, &step->output) == now;
    case GD_SIM_DO_TAKE:
        set_key(judge, step->key, ABSENT);
        return !known || number_of_value(judge, &step->output) == now;
    case GD_SIM_DO_INCR:
        return apply_incr(judge, step, known);
    case GD_SIM_DO_TXN:
        break;
    }
    return false;
}

static void go_back_to(struct judge *judge, size_t undo)
{
    while (judge->undo_count > undo) {
        const struct undo *last = &judge->undone[--judge->undo_count];
        judge->state[last->key] = last->value;
    }
}

static bool apply_call(struct judge *judge, const struct call *call)
{
    const struct gd_sim_operation *op = &judge->record->operations[call->operation];
    bool known = op->fate == GD_SIM_FATE_DONE;
    size_t undo = judge->undo_count;
    if (call->need != ABSENT && judge->state[judge->record->steps[op->first].key] != call->need) {
        return false;
    }
    for (size_t i = 0; i < op->count; i++) {
        if (!apply_step(judge, &judge->record->steps[op->first + i], known)) {
            go_back_to(judge, undo);
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- the search */

static bool is_made_once(struct judge *judge, uint32_t value)
{
    if (value >= judge->once_capacity) {
        size_t old = judge->once_capacity;
        judge->once_capacity = 2 * judge->text_capacity;
        judge->once = realloc(judge->once, judge->once_capacity * sizeof *judge->once);
        GD_ASSERT(judge->once != NULL);
        memset(judge->once + old, 0, (judge->once_capacity - old) * sizeof *judge->once);
    }
    if (judge->once[value] < 2 * judge->epoch) {
        const struct text *text = &judge->texts[value];
        bool once = gd_sim_unique_once(&judge->unique, text->data, text->size);
        judge->once[value] = 2 * judge->epoch + once;
    }
    return judge->once[value] % 2 == 1;
}

/* Texts of clients are written once; numbers come again. Elsewhere: see unique.c. */
static bool never_comes_back(struct judge *judge, uint32_t value)
{
    if (judge->foreign) {
        return value != ABSENT && is_made_once(judge, value);
    }
    return value != ABSENT && judge->texts[value].size > 0 && judge->texts[value].data[0] == 'c';
}

static void watch(struct judge *judge, uint32_t value, bool more)
{
    if (value >= judge->watcher_capacity) {
        size_t old = judge->watcher_capacity;
        judge->watcher_capacity = 2 * judge->text_capacity;
        judge->watchers =
            realloc(judge->watchers, judge->watcher_capacity * sizeof *judge->watchers);
        GD_ASSERT(judge->watchers != NULL);
        memset(judge->watchers + old, 0, (judge->watcher_capacity - old) * sizeof *judge->watchers);
    }
    GD_ASSERT(judge->watchers != NULL);
    judge->watchers[value] += more ? 1u : (uint32_t)-1;
}

static void count_watchers(struct judge *judge, const struct call *call, bool more)
{
    if (call->need != ABSENT) {
        watch(judge, call->need, more);
    }
    const struct gd_sim_operation *op = &judge->record->operations[call->operation];
    for (size_t i = 0; i < op->count && op->fate == GD_SIM_FATE_DONE; i++) {
        const struct gd_sim_step *step = &judge->record->steps[op->first + i];
        bool cas = step->what == GD_SIM_DO_CAS && step->output.kind == GD_SIM_VALUE_TRUE;
        uint32_t value = number_of_value(judge, cas ? &step->old : &step->output);
        watch(judge, value, more);
    }
}

/* Has a step behind `undo` left a text that somebody has yet to see? */
static bool left_too_early(struct judge *judge, size_t undo)
{
    for (size_t i = undo; i < judge->undo_count; i++) {
        uint32_t value = judge->undone[i].value;
        if (judge->state[judge->undone[i].key] != value && never_comes_back(judge, value) &&
            value < judge->watcher_capacity && judge->watchers[value] > 0) {
            return true;
        }
    }
    return false;
}

/* False when this set of operations was tried in this state before. */
static bool remember(struct judge *judge, const uint32_t *keys, size_t key_count)
{
    uint64_t hash[2] = {judge->set[0], judge->set[1]};
    for (size_t i = 0; i < key_count; i++) {
        hash[0] = gd_prng_mix(hash[0], judge->state[keys[i]]);
        hash[1] = gd_prng_mix(hash[1] + 1, judge->state[keys[i]]);
    }
    hash[0] |= hash[0] == 0;
    if (judge->seen_count * 2 >= judge->seen_capacity) {
        size_t old = judge->seen_capacity;
        uint64_t(*before)[2] = judge->seen;
        judge->seen_capacity = old == 0 ? 4096 : old * 2;
        judge->seen = zeroed(judge->seen_capacity, sizeof *judge->seen);
        for (size_t i = 0; i < old; i++) {
            size_t at = (size_t)before[i][0] & (judge->seen_capacity - 1);
            while (before[i][0] != 0 && judge->seen[at][0] != 0) {
                at = (at + 1) & (judge->seen_capacity - 1);
            }
            if (before[i][0] != 0) {
                memcpy(judge->seen[at], before[i], sizeof before[i]);
            }
        }
        free(before);
    }
    size_t at = (size_t)hash[0] & (judge->seen_capacity - 1);
    for (; judge->seen[at][0] != 0; at = (at + 1) & (judge->seen_capacity - 1)) {
        if (judge->seen[at][0] == hash[0] && judge->seen[at][1] == hash[1]) {
            return false;
        }
    }
    memcpy(judge->seen[at], hash, sizeof hash);
    judge->seen_count++;
    return true;
}

static void unlink_point(struct judge *judge, size_t place)
{
    const struct point *point = &judge->points[place];
    judge->points[point->previous].next = point->next;
    judge->points[point->next].previous = point->previous;
}

static void relink_point(struct judge *judge, size_t place)
{
    const struct point *point = &judge->points[place];
    judge->points[point->previous].next = place;
    judge->points[point->next].previous = place;
}

/* A call's own point is odd-even paired with its return's: see build_points. */
static size_t return_of(const struct judge *judge, size_t call)
{
    return judge->call_count + 1 + call;
}

/* Who must be done next is the one that returns first. What has no key in common with it, directly
 * or by others that could come before it, could as well be done later: it is left for later. */
static void find_relevant(struct judge *judge)
{
    size_t end = judge->points[0].next;
    uint64_t before;
    if (judge->key_count == 1) {
        judge->relevant = UINT64_MAX;
        return;
    }
    while (end != 0 && !judge->points[end].is_return) {
        end = judge->points[end].next;
    }
    judge->relevant = end != 0 ? judge->calls[judge->points[end].call].keys : UINT64_MAX;
    do {
        before = judge->relevant;
        for (size_t at = judge->points[0].next; at != end; at = judge->points[at].next) {
            const struct call *call = &judge->calls[judge->points[at].call];
            if ((call->keys & judge->relevant) != 0) {
                judge->relevant |= call->keys;
                judge->relevant |= call->before != 0 ? judge->calls[call->before - 1].keys : 0;
            }
        }
    } while (judge->relevant != before);
}

static void take(struct judge *judge, size_t place, size_t undo)
{
    struct call *call = &judge->calls[judge->points[place].call];
    call->taken = true;
    count_watchers(judge, call, false);
    if (!judge->coarse || call->back != UINT64_MAX) {
        judge->set[0] += call->mark[0];
        judge->set[1] += call->mark[1];
    }
    judge->frames[judge->frame_count++] = (struct frame){place, undo, false};
    unlink_point(judge, place);
    unlink_point(judge, return_of(judge, judge->points[place].call));
    find_relevant(judge);
}

static size_t put_back(struct judge *judge)
{
    struct frame frame = judge->frames[--judge->frame_count];
    struct call *call = &judge->calls[judge->points[frame.point].call];
    call->taken = false;
    count_watchers(judge, call, true);
    if (!judge->coarse || call->back != UINT64_MAX) {
        judge->set[0] -= call->mark[0];
        judge->set[1] -= call->mark[1];
    }
    relink_point(judge, return_of(judge, judge->points[frame.point].call));
    relink_point(judge, frame.point);
    go_back_to(judge, frame.undo);
    find_relevant(judge);
    return frame.point;
}

static bool is_open(const struct judge *judge, size_t place)
{
    return judge->calls[judge->points[place].call].back == UINT64_MAX;
}

/* Does `a` come before `b` among candidates? Who must be done first is tried first; the open ones
 * last. */
static bool sooner(const struct judge *judge, size_t a, size_t b)
{
    gd_time_ns x = judge->calls[judge->points[a].call].back;
    gd_time_ns y = judge->calls[judge->points[b].call].back;
    if (judge->by_call && (x == UINT64_MAX) == (y == UINT64_MAX)) {
        return a < b;
    }
    return x != y ? x < y : a < b;
}

/* The candidate behind `place` (0: the first): of the calls in front of the first return, in the
 * order in which they must be done. 0: none. */
static size_t next_candidate(const struct judge *judge, size_t place)
{
    size_t best = 0;
    bool had[GD_SIM_UNIQUE_KINDS] = {false};
    for (size_t at = judge->points[0].next; at != 0 && !judge->points[at].is_return;
         at = judge->points[at].next) {
        const struct call *call = &judge->calls[judge->points[at].call];
        if (call->kind != GD_SIM_UNIQUE_OTHER && had[call->kind]) {
            continue; /* As good as the one before it. */
        }
        had[call->kind] = true;
        if ((call->keys & judge->relevant) != 0 &&
            (call->before == 0 || judge->calls[call->before - 1].taken) &&
            (place == 0 || sooner(judge, place, at)) && (best == 0 || sooner(judge, at, best))) {
            best = at;
        }
    }
    return best;
}

static void note_depth(struct judge *judge)
{
    size_t at = judge->points[0].next;
    if (judge->frame_count < judge->deepest && judge->deepest > 0) {
        return;
    }
    while (at != 0 && !judge->points[at].is_return) {
        at = judge->points[at].next;
    }
    if (at == 0) {
        return;
    }
    judge->deepest = judge->frame_count;
    judge->stuck = judge->points[at].call;
    const struct gd_sim_operation *op =
        &judge->record->operations[judge->calls[judge->stuck].operation];
    judge->stuck_state = judge->state[judge->record->steps[op->first].key];
}

/* Everything that returned is taken: what is left is open. */
static bool all_taken(const struct judge *judge)
{
    for (size_t at = judge->points[0].next; at != 0; at = judge->points[at].next) {
        if (judge->points[at].is_return) {
            return is_open(judge, at);
        }
    }
    return true;
}

static uint32_t watchers_of(const struct judge *judge, uint32_t value)
{
    return value < judge->watcher_capacity ? judge->watchers[value] : 0;
}

/* A write that nobody sees, over a value that nobody has yet to see: on a key that never becomes
 * absent again and whose length nobody asks for, it makes no difference when it is done. */
static bool unseen_write(struct judge *judge, const struct call *call)
{
    const struct gd_sim_operation *op = &judge->record->operations[call->operation];
    if (op->fate != GD_SIM_FATE_DONE) {
        return false;
    }
    for (size_t i = 0; i < op->count; i++) {
        const struct gd_sim_step *step = &judge->record->steps[op->first + i];
        uint32_t now = judge->state[step->key];
        if (step->what != GD_SIM_DO_WRITE || !judge->plain[step->key] || now == ABSENT ||
            watchers_of(judge, now) > 0 ||
            watchers_of(judge, number_of_value(judge, &step->input)) > 0) {
            return false;
        }
    }
    return true;
}

/* Takes what changes nothing and fits: no order is lost by it. */
static bool take_readers(struct judge *judge)
{
    bool any = false;
    for (size_t at = next_candidate(judge, 0); at != 0 && !is_open(judge, at);) {
        size_t next = judge->points[at].next;
        const struct call *call = &judge->calls[judge->points[at].call];
        size_t undo = judge->undo_count;
        if ((call->reads_only || unseen_write(judge, call)) && apply_call(judge, call)) {
            take(judge, at, undo);
            judge->frames[judge->frame_count - 1].forced = true;
            any = true;
            next = 0;
        }
        at = next == 0 ? 0 : next_candidate(judge, at);
    }
    return any;
}

static bool has_changed(const struct judge *judge, size_t undo)
{
    for (size_t i = undo; i < judge->undo_count; i++) {
        if (judge->state[judge->undone[i].key] != judge->undone[i].value) {
            return true;
        }
    }
    return false;
}

/* One operation more, if it may be next here. */
static bool try_next(struct judge *judge, size_t place, const uint32_t *keys, size_t key_count)
{
    size_t undo = judge->undo_count;
    struct call *call = &judge->calls[judge->points[place].call];
    if (call->kind == GD_SIM_UNIQUE_UNSEEN && judge->frame_count > 0 &&
        judge->calls[judge->points[judge->frames[judge->frame_count - 1].point].call].kind ==
            GD_SIM_UNIQUE_UNSEEN) {
        return false; /* The other one was for nothing. */
    }
    if (!apply_call(judge, call)) {
        return false;
    }
    if (call->back == UINT64_MAX && !has_changed(judge, undo)) {
        go_back_to(judge, undo); /* It could as well never happen. */
        return false;
    }
    take(judge, place, undo);
    if (left_too_early(judge, undo) || !remember(judge, keys, key_count)) {
        (void)put_back(judge);
        return false;
    }
    return true;
}

static enum gd_sim_outcome search(struct judge *judge, const uint32_t *keys, size_t key_count)
{
    while (take_readers(judge)) {
    }
    size_t place = next_candidate(judge, 0);
    while (!all_taken(judge)) {
        if (++judge->steps > judge->limit) {
            return GD_SIM_INCONCLUSIVE;
        }
        if (place == 0) {
            note_depth(judge);
            while (judge->frame_count > 0 && judge->frames[judge->frame_count - 1].forced) {
                (void)put_back(judge);
            }
            if (judge->frame_count == 0) {
                return GD_SIM_FAIL;
            }
            place = next_candidate(judge, put_back(judge));
        } else if (try_next(judge, place, keys, key_count)) {
            while (take_readers(judge)) {
            }
            place = next_candidate(judge, 0);
        } else {
            place = next_candidate(judge, place);
        }
    }
    return GD_SIM_PASS;
}

/* ---------------------------------------------------------------- parts */

static void find_plain_keys(struct judge *judge)
{
    memset(judge->plain, true, judge->parts.key_count * sizeof *judge->plain);
    for (size_t i = 0; i < judge->record->step_count; i++) {
        const struct gd_sim_step *step = &judge->record->steps[i];
        if (step->what == GD_SIM_DO_APPEND || step->what == GD_SIM_DO_INCR ||
            step->what == GD_SIM_DO_DELETE || step->what == GD_SIM_DO_TAKE) {
            judge->plain[step->key] = false;
        }
    }
}

static bool changes_something(const struct judge *judge, const struct gd_sim_operation *op)
{
    for (size_t i = 0; i < op->count; i++) {
        if (judge->record->steps[op->first + i].what != GD_SIM_DO_READ) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- who was seen */

/* The first "c1.23;" in a text, and where it ends; false: there is none. */
static bool next_name(const char **at, const char *end, const char **name, size_t *size)
{
    for (const char *start = *at; start < end; start++) {
        const char *stop = *start == 'c' ? memchr(start, ';', (size_t)(end - start)) : NULL;
        if (stop != NULL && stop - start < 32) {
            *name = start;
            *size = (size_t)(stop - start) + 1;
            *at = stop + 1;
            return true;
        }
    }
    return false;
}

static void note_seen(struct judge *judge, uint32_t number, gd_time_ns back)
{
    if (number >= judge->seen_at_capacity) {
        size_t old = judge->seen_at_capacity;
        judge->seen_at_capacity = 2 * judge->text_capacity;
        judge->seen_at = realloc(judge->seen_at, judge->seen_at_capacity * sizeof *judge->seen_at);
        GD_ASSERT(judge->seen_at != NULL);
        memset(judge->seen_at + old, 0xff,
               (judge->seen_at_capacity - old) * sizeof *judge->seen_at);
    }
    judge->seen_at[number] = back < judge->seen_at[number] ? back : judge->seen_at[number];
}

/* When was each written name first seen by somebody, at the latest? */
static void look_for_names(struct judge *judge)
{
    for (size_t i = 0; i < judge->record->operation_count; i++) {
        const struct gd_sim_operation *op = &judge->record->operations[i];
        for (size_t k = 0; k < op->count && op->fate == GD_SIM_FATE_DONE; k++) {
            const struct gd_sim_step *step = &judge->record->steps[op->first + k];
            const char *at = step->output.text;
            const char *name;
            size_t size;
            if (step->output.kind != GD_SIM_VALUE_TEXT) {
                continue;
            }
            while (next_name(&at, step->output.text + step->output.size, &name, &size)) {
                note_seen(judge, number_of(judge, name, size), op->back);
            }
        }
    }
}

/* An operation whose write was seen has happened by then, though nobody answered. */
static gd_time_ns seen_by(struct judge *judge, const struct gd_sim_operation *op)
{
    gd_time_ns least = UINT64_MAX;
    for (size_t k = 0; k < op->count; k++) {
        const struct gd_sim_step *step = &judge->record->steps[op->first + k];
        const char *at = step->input.text;
        const char *name;
        size_t size;
        if (step->input.kind == GD_SIM_VALUE_TEXT &&
            next_name(&at, step->input.text + step->input.size, &name, &size)) {
            uint32_t number = number_of(judge, name, size);
            gd_time_ns back =
                number < judge->seen_at_capacity ? judge->seen_at[number] : UINT64_MAX;
            least = back < least ? back : least;
        }
    }
    return least;
}

static void gather_calls(struct judge *judge, size_t part)
{
    struct gd_prng prng;
    gd_prng_init(&prng, judge->parts.keys[judge->parts.key_first[part]]);
    judge->call_count = 0;
    for (size_t at = judge->parts.operation_first[part];
         at < judge->parts.operation_first[part + 1]; at++) {
        size_t i = judge->parts.operations[at];
        const struct gd_sim_operation *op = &judge->record->operations[i];
        bool open = op->fate == GD_SIM_FATE_OPEN;
        if (open && !changes_something(judge, op)) {
            continue;
        }
        struct call *call = &judge->calls[judge->call_count++];
        *call = (struct call){.operation = i, .call = op->call};
        call->back = open ? seen_by(judge, op) : op->back;
        call->mark[0] = gd_prng_next(&prng);
        call->mark[1] = gd_prng_next(&prng);
        call->reads_only = !changes_something(judge, op);
        for (size_t k = 0; k < op->count; k++) {
            call->keys |= UINT64_C(1) << judge->record->steps[op->first + k].key % 64;
        }
        call->before = 0;
        for (size_t k = judge->call_count - 1;
             k-- > 0 && !open && judge->ordered && op->session != 0;) {
            const struct gd_sim_operation *earlier =
                &judge->record->operations[judge->calls[k].operation];
            if (earlier->session == op->session && earlier->fate == GD_SIM_FATE_DONE) {
                call->before = k + 1;
                break;
            }
            if (judge->calls[k].call + UINT64_C(600000000000) < call->call) {
                break;
            }
        }
    }
}

struct order {
    gd_time_ns at;
    size_t place;
    bool is_return;
};
static int compare_orders(const void *a, const void *b)
{
    const struct order *x = a;
    const struct order *y = b;
    if (x->at != y->at) {
        return x->at < y->at ? -1 : 1;
    }
    if (x->is_return != y->is_return) { /* What meets overlaps: calls first. */
        return x->is_return ? 1 : -1;
    }
    return x->place < y->place ? -1 : x->place > y->place;
}

/* Point 1 + i is the call of i, point call_count + 1 + i its return; linked in order of time. */
static void build_points(struct judge *judge)
{
    size_t count = judge->call_count;
    struct order *order = zeroed(2 * count, sizeof *order);
    for (size_t i = 0; i < count; i++) {
        order[2 * i] = (struct order){judge->calls[i].call, 1 + i, false};
        order[2 * i + 1] = (struct order){judge->calls[i].back, count + 1 + i, true};
        judge->points[1 + i] = (struct point){.call = i};
        judge->points[count + 1 + i] = (struct point){.call = i, .is_return = true};
    }
    qsort(order, 2 * count, sizeof *order, compare_orders);
    size_t previous = 0;
    for (size_t i = 0; i < 2 * count; i++) {
        judge->points[order[i].place].previous = previous;
        judge->points[previous].next = order[i].place;
        previous = order[i].place;
    }
    judge->points[previous].next = 0;
    judge->points[0].previous = previous;
    free(order);
}

static enum gd_sim_outcome search_anew(struct judge *judge, const uint32_t *keys, size_t key_count)
{
    judge->frame_count = 0;
    judge->undo_count = 0;
    judge->deepest = 0;
    judge->steps = 0;
    judge->set[0] = judge->set[1] = 0;
    if (judge->seen != NULL) {
        memset(judge->seen, 0, judge->seen_capacity * sizeof *judge->seen);
    }
    judge->seen_count = 0;
    if (judge->watchers != NULL) {
        memset(judge->watchers, 0, judge->watcher_capacity * sizeof *judge->watchers);
    }
    for (size_t i = 0; i < judge->call_count; i++) {
        judge->calls[i].taken = false;
        count_watchers(judge, &judge->calls[i], true);
    }
    find_relevant(judge);
    return search(judge, keys, key_count);
}

/* What can be told of one key without a search. */
static enum gd_sim_zones look_at_zones(struct judge *judge, size_t key_count)
{
    size_t *operations = zeroed(judge->call_count, sizeof *operations);
    size_t placed;
    bool single = key_count == 1;
    enum gd_sim_zones zones = GD_SIM_ZONES_OPEN;
    for (size_t i = 0; i < judge->call_count; i++) {
        operations[i] = judge->calls[i].operation;
        single = single && judge->record->operations[operations[i]].count == 1;
    }
    if (single) {
        zones = gd_sim_zones(judge->record, operations, judge->call_count, NULL, &placed,
                             judge->told, sizeof judge->told);
    }
    free(operations);
    return zones;
}

/* What unique texts tell of the calls: who was seen must be done by then, and on what. */
static void narrow_calls(struct judge *judge)
{
    size_t *operations = zeroed(judge->call_count, sizeof *operations);
    for (size_t i = 0; i < judge->call_count; i++) {
        operations[i] = judge->calls[i].operation;
    }
    gd_sim_unique_release(&judge->unique);
    gd_sim_unique_find(&judge->unique, judge->record, operations, judge->call_count);
    for (size_t i = 0; i < judge->call_count; i++) {
        struct call *call = &judge->calls[i];
        const struct gd_sim_unique_fact *fact = &judge->unique.facts[i];
        if (fact->back >= call->call && fact->back < call->back) {
            call->back = fact->back;
        }
        call->kind =
            call->back == UINT64_MAX && judge->key_count == 1 ? fact->kind : GD_SIM_UNIQUE_OTHER;
        if (fact->need != NULL) {
            call->need = number_of(judge, fact->need, fact->need_size);
        }
    }
    free(operations);
}

static enum gd_sim_outcome judge_part(struct judge *judge, size_t part)
{
    const uint32_t *keys = judge->parts.keys + judge->parts.key_first[part];
    size_t key_count = judge->parts.key_first[part + 1] - judge->parts.key_first[part];
    gather_calls(judge, part);
    if (judge->call_count == 0) {
        return GD_SIM_PASS;
    }
    enum gd_sim_zones zones = look_at_zones(judge, key_count);
    if (zones == GD_SIM_ZONES_ILLEGAL) {
        return GD_SIM_FAIL;
    }
    if (zones == GD_SIM_ZONES_LEGAL && !judge->ordered) {
        return GD_SIM_PASS; /* Who asks for an order of connections asks for more. */
    }
    judge->epoch = (uint32_t)part + 1;
    judge->key_count = key_count;
    narrow_calls(judge);
    /* Which order finds an answer soon depends on the history: ask each a little, then for long. */
    for (int attempt = 0; attempt < 8; attempt++) {
        judge->limit = (judge->foreign ? 20 : 1) * (uint64_t)STEPS_MAX / (attempt < 4 ? 50 : 1);
        judge->coarse = attempt % 4 < 2;
        judge->by_call = attempt % 2 == 1;
        for (size_t i = 0; i < key_count; i++) {
            judge->state[keys[i]] = ABSENT;
        }
        build_points(judge);
        enum gd_sim_outcome outcome = search_anew(judge, keys, key_count);
        if (outcome == GD_SIM_PASS || (outcome == GD_SIM_FAIL && !judge->coarse)) {
            return outcome;
        }
    }
    return GD_SIM_INCONCLUSIVE;
}

/* ---------------------------------------------------------------- in words */

static void explain(const struct judge *judge, char *to, size_t size)
{
    const struct gd_sim_operation *op =
        &judge->record->operations[judge->calls[judge->stuck].operation];
    struct gd_bytes bytes = {0};
    char call[32];
    char back[32];
    gd_sim_time_text(op->call, call, sizeof call);
    gd_sim_time_text(op->back, back, sizeof back);
    gd_bytes_format(&bytes, "%s by client %" PRIu64 " (node %u, %s to %s) fits nowhere:", op->name,
                    op->client, op->node, call, back);
    for (size_t i = 0; i < op->count && i < 6; i++) {
        const struct gd_sim_step *step = &judge->record->steps[op->first + i];
        char key[64];
        gd_sim_record_key_text(judge->record, step->key, key, sizeof key);
        gd_bytes_format(&bytes, " %s gave ", key);
        gd_sim_value_say(&bytes, &step->output);
    }
    if (judge->stuck_state == ABSENT) {
        gd_bytes_add_text(&bytes, "; the longest order found leaves the key absent");
    } else {
        const struct text *text = &judge->texts[judge->stuck_state];
        gd_bytes_format(&bytes, "; the longest order found leaves '%.*s' there",
                        text->size > 24 ? 24 : (int)text->size, text->data);
    }
    gd_bytes_format(&bytes, " (%zu of %zu operations placed)", judge->deepest, judge->call_count);
    (void)snprintf(to, size, "%.*s", (int)bytes.size, (const char *)bytes.data);
    gd_bytes_release(&bytes);
}

static void release(struct judge *judge)
{
    for (size_t i = 0; i < judge->made_count; i++) {
        free(judge->made[i]);
    }
    free(judge->made);
    free(judge->texts);
    free(judge->index);
    free(judge->calls);
    free(judge->points);
    free(judge->frames);
    free(judge->undone);
    free(judge->seen);
    free(judge->watchers);
    free(judge->seen_at);
    free(judge->once);
    free(judge->plain);
    free(judge->state);
    gd_sim_unique_release(&judge->unique);
    gd_sim_parts_release(&judge->parts);
    free(judge);
}

enum gd_sim_outcome gd_sim_verdict(const struct gd_sim_record *record,
                                   enum gd_sim_verdict_kind kind, char *text, size_t size)
{
    struct judge *judge = zeroed(1, sizeof *judge);
    enum gd_sim_outcome outcome = GD_SIM_PASS;
    judge->record = record;
    judge->ordered = kind == GD_SIM_VERDICT_ORDERED;
    judge->foreign = kind == GD_SIM_VERDICT_FOREIGN;
    judge->calls = zeroed(record->operation_count, sizeof *judge->calls);
    judge->points = zeroed(2 * record->operation_count + 1, sizeof *judge->points);
    judge->frames = zeroed(record->operation_count, sizeof *judge->frames);
    judge->texts = grow(judge->texts, &judge->text_capacity, 0, sizeof *judge->texts);
    judge->text_count = 1;
    gd_sim_parts_find(&judge->parts, record);
    judge->state = zeroed(judge->parts.key_count, sizeof *judge->state);
    judge->plain = zeroed(judge->parts.key_count, sizeof *judge->plain);
    if (!judge->foreign) {
        find_plain_keys(judge);
        look_for_names(judge);
    }
    for (size_t i = 0; i < judge->parts.count && outcome != GD_SIM_FAIL; i++) {
        enum gd_sim_outcome part = judge_part(judge, i);
        if (part == GD_SIM_FAIL && judge->told[0] != '\0') {
            (void)snprintf(text, size, "%s", judge->told);
        } else if (part == GD_SIM_FAIL) {
            explain(judge, text, size);
        } else if (part == GD_SIM_INCONCLUSIVE) {
            (void)snprintf(text, size, "more than %d steps", STEPS_MAX);
        }
        outcome = part == GD_SIM_PASS ? outcome : part;
    }
    release(judge);
    return outcome;
}
