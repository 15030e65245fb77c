/* lin_search.c - the search for an order.
 *
 * After Wing and Gong (1993) in Lowe's form (Testing for linearizability, 2017): the calls and
 * returns stand in the order of time; whatever was called before the first return may come next;
 * the one that returns first must come before anything that is called later. What is taken leaves
 * the list. When nothing can come next, the last choice is taken back.
 *
 * What keeps it short, each without losing an order:
 * - S1. What never changes anything is taken as soon as it fits.
 * - S2. A pair of (what is taken, state) is tried once, as far as it has to do with the cells by
 *   which it failed. Of open calls, those taken are compared as sets: who got there with less of
 *   them could do all that who took more can.
 * - S3. Of calls that are alike, only the one that must be done first is tried, and an open one
 *   only when no other is there: in any order two of them may change places.
 * - S4. An open call is taken only right before one that notices: that could not be without it, or
 *   would come out differently, or would not undo all that it did. Otherwise it could as well be
 *   later, or never.
 * - S5. A value that never comes back is not left while somebody must yet find it.
 * - S6. A chain is not begun while somebody who cannot lie within it must be done before its last
 *   member is called.
 * - S7. What has no cell in common with the one that must be done first, directly or by others that
 *   could come before it, is left for later.
 * - S8. A value is not left when those who must yet find it could not all find it again
 *   (lin_supply.h): looked after once choices had to be taken back.
 * - S9. What failed, failed by some cells: nothing that touches these alone could be put in order.
 *   A choice before it that touches none of them is not worth another try.
 * - S10. What must come before a call in every order (`before` of the problem) comes before it.
 *
 * Some of what fails does so only because another choice, made where an earlier one is still being
 * tried, would do as well (S4, open calls that lead back to a state). That leans on the earlier
 * one: it is kept as failed for this very state alone, and cuts nothing off on the way back.
 *
 * The open calls stand apart, by likeness: a history with thousands of them costs nothing until one
 * is needed. */
#include "sim/lin_inner.h"
#include "sim/big.h"
#include "engine/prng.h"
#include <stdlib.h>

#define CHAIN_LOOK 512u /* Points that S6 looks at. */
#define ROUND 1000u     /* Choices taken back before it begins again, at first. */

/* ---------------------------------------------------------------- the list of points */

static uint32_t return_point(const struct search *s, uint32_t call)
{
    return (uint32_t)s->problem->call_count + 1 + call;
}

static bool is_return(const struct search *s, uint32_t point)
{
    return point > s->problem->call_count;
}

static uint32_t call_of(const struct search *s, uint32_t point)
{
    return is_return(s, point) ? point - (uint32_t)s->problem->call_count - 1 : point - 1;
}

static void unlink_point(struct search *s, uint32_t point)
{
    s->next[s->previous[point]] = s->next[point];
    s->previous[s->next[point]] = s->previous[point];
}

static void relink_point(struct search *s, uint32_t point)
{
    s->next[s->previous[point]] = point;
    s->previous[s->next[point]] = point;
}

/* Calls and returns in the order of time; what meets overlaps, so calls go first. */
static void build_points(struct search *s)
{
    size_t count = s->problem->call_count, n = 0;
    struct gd_lin_pair *by_call = gd_sim_big(count * sizeof *by_call);
    struct gd_lin_pair *by_back = gd_sim_big(count * sizeof *by_back);
    for (uint32_t i = 0; i < count; i++) {
        if (s->calls[i].back != GD_LIN_OPEN) {
            by_call[n] = (struct gd_lin_pair){s->calls[i].call, i};
            by_back[n++] = (struct gd_lin_pair){s->calls[i].back, i};
        }
    }
    gd_lin_sort(by_call, n);
    gd_lin_sort(by_back, n);
    uint32_t previous = 0;
    for (size_t c = 0, b = 0; b < n;) {
        uint32_t point = c < n && by_call[c].key <= by_back[b].key
                             ? 1 + by_call[c++].value
                             : return_point(s, by_back[b++].value);
        s->previous[point] = previous;
        s->next[previous] = point;
        previous = point;
    }
    s->next[previous] = 0;
    s->previous[0] = previous;
    s->left = n;
    free(by_call);
    free(by_back);
}

/* When the one that must be done first returns. */
static uint64_t first_return(const struct search *s)
{
    uint32_t at = s->next[0];
    while (at != 0 && !is_return(s, at)) {
        at = s->next[at];
    }
    return at == 0 ? GD_LIN_OPEN : s->calls[call_of(s, at)].back;
}

/* ---------------------------------------------------------------- state */

static void change_cell(struct search *s, uint32_t cell, uint32_t value)
{
    uint64_t more = gd__lin_mix(cell, value) - gd__lin_mix(cell, s->state[cell]);
    s->state_hash += more;
    s->shadows[cell % 64].state += more;
    s->state[cell] = value;
}

static void set_cell(struct search *s, uint32_t cell, uint32_t value)
{
    s->undone = gd_lin_grown(s->undone, &s->undo_capacity, s->undo_count, sizeof *s->undone);
    s->undone[s->undo_count++] = (struct undo){cell, s->state[cell]};
    change_cell(s, cell, value);
}

static void go_back_to(struct search *s, size_t undo)
{
    while (s->undo_count > undo) {
        const struct undo *last = &s->undone[--s->undo_count];
        change_cell(s, last->cell, last->value);
    }
}

static uint64_t cell_bit(uint32_t cell)
{
    return UINT64_C(1) << cell % 64;
}

static bool apply(struct search *s, const struct gd_lin_call *call)
{
    const struct gd_lin_machine *machine = &s->problem->machine;
    size_t undo = s->undo_count;
    for (uint32_t i = 0; i < call->count; i++) {
        const struct gd_lin_step *step = &s->problem->steps[call->first + i];
        uint32_t now = s->state[step->cell];
        uint32_t value = step->need != GD_LIN_NO && step->need != now
                             ? GD_LIN_NO
                             : machine->step(machine->context, step->what, now);
        if (value == GD_LIN_NO) {
            s->blame = cell_bit(step->cell);
            go_back_to(s, undo);
            return false;
        }
        if (value != now) {
            set_cell(s, step->cell, value);
        }
    }
    return true;
}

/* Of a call that never changes anything, where it is known what each step must find: whether it is
 * there. (What is there then stays.) */
static bool finds(struct search *s, const struct gd_lin_call *call)
{
    const struct gd_lin_step *step = &s->problem->steps[call->first];
    return call->count == 1 && step->need != GD_LIN_NO ? step->need == s->state[step->cell]
                                                       : apply(s, call);
}

static bool has_changed(const struct search *s, size_t undo)
{
    for (size_t i = undo; i < s->undo_count; i++) {
        if (s->state[s->undone[i].cell] != s->undone[i].value) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- who must yet find what */

/* Of a call that is not open. */
static void watch(struct search *s, const struct gd_lin_call *call, uint32_t more)
{
    const struct gd_lin_step *steps = &s->problem->steps[call->first];
    for (uint32_t i = 0; i < call->count; i++) {
        if (steps[i].need != GD_LIN_NO) {
            s->watchers[steps[i].need] += more;
        }
    }
}

/* All who must yet find something are counted; and whether some wait for others. */
static void begin_to_watch(struct search *s)
{
    size_t count = s->problem->call_count;
    for (size_t i = 0; i < count; i++) {
        const struct gd_lin_call *call = &s->calls[i];
        s->sessions = s->sessions || call->after != 0;
        for (uint32_t k = call->first; k < call->first + call->count; k++) {
            uint32_t need = s->problem->steps[k].need;
            if (need != GD_LIN_NO && need >= s->watcher_capacity) {
                s->watcher_capacity = need + (size_t)1;
            }
        }
    }
    s->watchers = gd_lin_zeroed(s->watcher_capacity, sizeof *s->watchers);
    for (size_t i = 0; i < count; i++) {
        if (s->calls[i].back != GD_LIN_OPEN) {
            watch(s, &s->calls[i], 1);
        }
    }
}

/* S5: has a change behind `undo` left a value that somebody must yet find? */
static bool left_too_early(struct search *s, size_t undo)
{
    const struct gd_lin_machine *machine = &s->problem->machine;
    for (size_t i = undo; i < s->undo_count && machine->once != NULL; i++) {
        uint32_t value = s->undone[i].value;
        if (value < s->watcher_capacity && s->watchers[value] > 0 &&
            s->state[s->undone[i].cell] != value && machine->once(machine->context, value)) {
            s->blame = cell_bit(s->undone[i].cell);
            return true;
        }
    }
    return false;
}

/* S8: has a change behind `undo` left a value that cannot come back for all who must yet find it?
 */
static bool lacks_something(struct search *s, size_t undo)
{
    for (size_t i = undo; i < s->undo_count && s->supplied; i++) {
        uint32_t value = s->undone[i].value;
        if (s->state[s->undone[i].cell] != value && gd_lin_supply_lacks(&s->supply, value)) {
            s->blame = cell_bit(s->undone[i].cell);
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- taking and putting back */

static void spend(struct search *s, uint32_t class)
{
    size_t at = s->spent_count;
    s->spent = gd_lin_grown(s->spent, &s->spent_capacity, s->spent_count, sizeof *s->spent);
    for (; at > 0 && s->spent[at - 1] > class; at--) {
        s->spent[at] = s->spent[at - 1];
    }
    s->spent[at] = class;
    s->spent_count++;
    s->classes[class - 1].used++;
}

static void earn(struct search *s, uint32_t class)
{
    size_t at = s->spent_count;
    while (s->spent[at - 1] != class) {
        at--;
    }
    memmove(s->spent + at - 1, s->spent + at, (s->spent_count - at) * sizeof *s->spent);
    s->spent_count--;
    s->classes[class - 1].used--;
}

/* The hash of what is taken; `sign` 1 or -1. */
static void count_in(struct search *s, uint32_t i, uint64_t sign)
{
    uint64_t a = gd__lin_mix(i, 1), b = gd__lin_mix(i, 2);
    a *= sign;
    b *= sign;
    for (uint64_t cells = s->calls[i].cells; cells != 0; cells &= cells - 1) {
        struct shadow *shadow = &s->shadows[__builtin_ctzll(cells)];
        shadow->set[0] += a;
        shadow->set[1] += b;
    }
}

static void take(struct search *s, uint32_t i)
{
    const struct gd_lin_call *call = &s->calls[i];
    s->trail[s->trail_count++] = i;
    s->taken[i] = true;
    if (s->waits != NULL) {
        gd__lin_waits_tell(s, i, (uint32_t)-1);
    }
    if (s->supplied) {
        gd_lin_supply_take(&s->supply, i);
    }
    if (call->back == GD_LIN_OPEN) {
        spend(s, s->class_of[i]);
        return;
    }
    watch(s, call, (uint32_t)-1);
    count_in(s, i, 1);
    s->left--;
    unlink_point(s, 1 + i);
    unlink_point(s, return_point(s, i));
}

static void put_back(struct search *s)
{
    uint32_t i = s->trail[--s->trail_count];
    const struct gd_lin_call *call = &s->calls[i];
    s->kept = s->trail_count < s->kept ? s->trail_count : s->kept;
    s->taken[i] = false;
    if (s->waits != NULL) {
        gd__lin_waits_tell(s, i, 1);
    }
    if (s->supplied) {
        gd_lin_supply_put_back(&s->supply, i);
    }
    if (call->back == GD_LIN_OPEN) {
        earn(s, s->class_of[i]);
        return;
    }
    watch(s, call, 1);
    count_in(s, i, UINT64_MAX);
    s->left++;
    relink_point(s, return_point(s, i));
    relink_point(s, 1 + i);
}

/* ---------------------------------------------------------------- who may come next */

/* S7. */
static void find_relevant(struct search *s)
{
    uint64_t before, now;
    uint32_t end = s->next[0];
    s->relevant = UINT64_MAX;
    if (s->problem->cell_count == 1) {
        return;
    }
    now = first_return(s);
    while (end != 0 && !is_return(s, end)) {
        end = s->next[end];
    }
    if (end == 0) {
        return;
    }
    s->relevant = s->calls[call_of(s, end)].cells;
    do {
        before = s->relevant;
        for (uint32_t at = s->next[0]; at != end; at = s->next[at]) {
            uint32_t i = call_of(s, at);
            if ((s->calls[i].cells & s->relevant) != 0) {
                s->relevant |= s->calls[i].cells | gd__lin_cells_before(s, i);
            }
        }
        for (size_t k = 0; k < s->class_count; k++) {
            const struct open_class *class = &s->classes[k];
            if (class->used < class->count && s->calls[class->calls[class->used]].call <= now &&
                (s->calls[class->calls[class->used]].cells & s->relevant) != 0) {
                uint32_t i = class->calls[class->used];
                s->relevant |= s->calls[i].cells | gd__lin_cells_before(s, i);
            }
        }
    } while (s->relevant != before);
}

static bool has_turn(const struct search *s, uint32_t i)
{
    const struct gd_lin_call *call = &s->calls[i];
    return (call->after == 0 || s->taken[call->after - 1]) &&
           (s->waits == NULL || s->waits[i] == 0);
}

static bool may_come(const struct search *s, uint32_t i)
{
    return (s->calls[i].cells & s->relevant) != 0 && has_turn(s, i);
}

/* S1. */
static void take_readers(struct search *s)
{
    bool again;
    do {
        again = false;
        for (uint32_t at = s->next[0]; at != 0 && !is_return(s, at);) {
            uint32_t i = call_of(s, at), next = s->next[at];
            const struct gd_lin_call *call = &s->calls[i];
            if (call->reads_only && has_turn(s, i) && finds(s, call)) {
                take(s, i);
                again = s->sessions;
                next =
                    is_return(s, next) && call_of(s, next) == i ? s->next[s->previous[at]] : next;
            }
            at = next;
        }
    } while (again);
}

/* Who is tried first: the least. Those that are alike stay in their order. */
static uint64_t turn_of(const struct search *s, uint32_t i)
{
    const struct gd_lin_call *call = &s->calls[i];
    uint64_t noise = 0;
    if (s->round > 0) {
        uint64_t whose = call->alike != 0 ? s->problem->call_count + call->alike : i;
        noise = gd__lin_mix(whose, s->round) % s->noise;
    }
    /* What was done although nobody heard of it was done soon, mostly. */
    return call->back == GD_LIN_OPEN ? UINT64_MAX / 2 - call->call / 2 + 2 * noise
                                     : call->rank + noise;
}

/* Does `i` come before `k` among candidates? Who needs the very value that is there goes first: it
 * may not be there again in time. */
static bool sooner(const struct search *s, uint32_t i, uint32_t k)
{
    const struct gd_lin_step *a = &s->problem->steps[s->calls[i].first];
    const struct gd_lin_step *b = &s->problem->steps[s->calls[k].first];
    bool finds_a = a->need == s->state[a->cell], finds_b = b->need == s->state[b->cell];
    if (finds_a != finds_b) {
        return finds_a;
    }
    return turn_of(s, i) < turn_of(s, k);
}

static uint32_t pick_best(const struct search *s)
{
    uint32_t best = GD_LIN_NO;
    for (uint32_t at = s->next[0]; at != 0 && !is_return(s, at); at = s->next[at]) {
        uint32_t i = call_of(s, at);
        const struct gd_lin_call *call = &s->calls[i];
        if (!call->reads_only && may_come(s, i) && (best == GD_LIN_NO || sooner(s, i, best))) {
            best = i;
        }
    }
    return best;
}

static void push_candidate(struct search *s, size_t first, uint32_t i)
{
    s->stack = gd_lin_grown(s->stack, &s->stack_capacity, s->stack_count, sizeof *s->stack);
    size_t at = s->stack_count++;
    for (; at > first && sooner(s, i, s->stack[at - 1]); at--) {
        s->stack[at] = s->stack[at - 1];
    }
    s->stack[at] = i;
}

/* The open calls, by likeness, each kind by call. */
static void gather_open(struct search *s)
{
    const struct gd_lin_machine *machine = &s->problem->machine;
    size_t count = s->problem->call_count, n = 0;
    uint32_t alike_count =
        machine->alike != NULL ? machine->alike(machine->context) : s->problem->alike_count;
    uint32_t *class_of_alike = gd_lin_zeroed(alike_count + 1, sizeof *class_of_alike);
    s->marks = gd_lin_zeroed(alike_count + 1, sizeof *s->marks);
    s->listed = true;
    struct gd_lin_pair *by_call = gd_lin_zeroed(count, sizeof *by_call);
    for (uint32_t i = 0; i < count; i++) {
        if (s->calls[i].back == GD_LIN_OPEN) {
            by_call[n++] = (struct gd_lin_pair){s->calls[i].call, i};
        }
    }
    gd_lin_sort(by_call, n);
    s->open_calls = gd_lin_zeroed(n, sizeof *s->open_calls);
    s->classes = gd_lin_zeroed(n, sizeof *s->classes);
    s->class_of = gd_lin_zeroed(count, sizeof *s->class_of);
    for (size_t k = 0; k < n; k++) {
        uint32_t alike = s->calls[by_call[k].value].alike, class = class_of_alike[alike];
        if (alike == 0 || class == 0) {
            class = (uint32_t)++s->class_count;
            s->classes[class - 1].alike = alike;
            class_of_alike[alike] = class;
        }
        s->class_of[by_call[k].value] = class;
        s->classes[class - 1].count++;
    }
    uint32_t *place = s->open_calls;
    for (size_t k = 0; k < s->class_count; k++) {
        s->classes[k].calls = place;
        place += s->classes[k].count;
        s->classes[k].count = 0;
    }
    for (size_t k = 0; k < n; k++) {
        struct open_class *class = &s->classes[s->class_of[by_call[k].value] - 1];
        class->calls[class->count++] = by_call[k].value;
    }
    free(class_of_alike);
    free(by_call);
}

/* All but the best one: by rank, of those alike the first (S3); then open ones. */
static void list_candidates(struct search *s, struct node *node)
{
    uint64_t now = first_return(s);
    size_t kept;
    if (!s->listed) {
        gather_open(s);
    }
    s->mark++;
    node->first = (uint32_t)s->stack_count;
    for (uint32_t at = s->next[0]; at != 0 && !is_return(s, at); at = s->next[at]) {
        uint32_t i = call_of(s, at);
        if (!s->calls[i].reads_only && i != node->best && may_come(s, i)) {
            push_candidate(s, node->first, i);
        }
    }
    if (node->best != GD_LIN_NO) {
        s->marks[s->calls[node->best].alike] = s->mark;
    }
    kept = node->first;
    for (size_t k = node->first; k < s->stack_count; k++) {
        uint32_t alike = s->calls[s->stack[k]].alike;
        if (alike == 0 || s->marks[alike] != s->mark) {
            s->marks[alike] = s->mark;
            s->stack[kept++] = s->stack[k];
        }
    }
    s->stack_count = kept;
    for (size_t k = s->class_count; k-- > 0;) { /* Nearly in the order in which they are tried. */
        const struct open_class *class = &s->classes[k];
        if (class->used < class->count &&
            (class->alike == 0 || s->marks[class->alike] != s->mark)) {
            uint32_t i = class->calls[class->used];
            if (s->calls[i].call <= now && may_come(s, i)) {
                push_candidate(s, kept, i);
            }
        }
    }
    node->at = node->first;
    node->end = (uint32_t)s->stack_count;
    node->listed = true;
}

/* S6. */
static bool begins_too_early(const struct search *s, uint32_t i)
{
    const struct gd_lin_call *call = &s->calls[i];
    uint64_t begin;
    unsigned looked = 0;
    if (s->problem->chain_begin == NULL || call->chain == 0 || call->back == GD_LIN_OPEN) {
        return false;
    }
    begin = s->problem->chain_begin[call->chain];
    for (uint32_t at = s->next[0]; at != 0 && looked < CHAIN_LOOK; at = s->next[at], looked++) {
        const struct gd_lin_call *other = &s->calls[call_of(s, at)];
        if (is_return(s, at)) {
            if (other->back >= begin) {
                return false;
            }
            if (other->outside && other->chain != call->chain) {
                return true;
            }
        }
    }
    return false;
}

/* The cells of both, one behind the other, as they are now. */
static void look_at(struct search *s, const struct gd_lin_call *a, const struct gd_lin_call *b,
                    uint32_t *values)
{
    for (uint32_t i = 0; i < a->count + b->count; i++) {
        uint32_t step = i < a->count ? a->first + i : b->first + i - a->count;
        values[i] = s->state[s->problem->steps[step].cell];
    }
}

static bool touch_each_other(const struct search *s, const struct gd_lin_call *a,
                             const struct gd_lin_call *b)
{
    const struct gd_lin_step *steps = s->problem->steps;
    for (uint32_t i = 0; i < a->count && (a->cells & b->cells) != 0; i++) {
        for (uint32_t k = 0; k < b->count; k++) {
            if (steps[a->first + i].cell == steps[b->first + k].cell) {
                return true;
            }
        }
    }
    return false;
}

/* S4: does `call` notice that `open`, which was just taken, was done? `before`: where its changes
 * begin. If not, all is behind `call` as if `open` had never been. */
static bool notices(struct search *s, const struct gd_lin_call *open,
                    const struct gd_lin_call *call, size_t before)
{
    size_t undo = s->undo_count, count = open->count + call->count;
    if (!touch_each_other(s, open, call)) {
        /* The two may change places; of two open ones the first goes first. */
        return call->back == GD_LIN_OPEN && call > open;
    }
    if (2 * count > s->seen_capacity) {
        free(s->seen);
        s->seen_capacity = 4 * count;
        s->seen = gd_lin_zeroed(s->seen_capacity, sizeof *s->seen);
    }
    for (size_t i = undo; i-- > before;) {
        set_cell(s, s->undone[i].cell, s->undone[i].value);
    }
    bool good = apply(s, call);
    look_at(s, open, call, s->seen);
    go_back_to(s, undo);
    if (!good || !apply(s, call)) {
        return true;
    }
    look_at(s, open, call, s->seen + count);
    go_back_to(s, undo);
    return memcmp(s->seen, s->seen + count, count * sizeof *s->seen) != 0;
}

/* What fails at the newest node fails only if all choices fail at that one, too. */
static void lean_on(struct search *s, uint32_t place)
{
    struct node *node = &s->nodes[s->node_count - 1];
    if (place + 1 < s->node_count && place < node->leans_on) {
        node->leans_on = place;
    }
}

static bool try_call(struct search *s, uint32_t i)
{
    const struct gd_lin_call *call = &s->calls[i];
    size_t undo = s->undo_count;
    const struct gd_lin_call *last =
        s->trail_count > 0 ? &s->calls[s->trail[s->trail_count - 1]] : NULL;
    if (last != NULL && last->back == GD_LIN_OPEN &&
        !notices(s, last, call, s->nodes[s->node_count - 2].undo)) {
        /* That `call` fails here, the choice of it before `last` has to show. */
        s->blame = 0;
        lean_on(s, (uint32_t)s->node_count - 2);
        return false;
    }
    if (!apply(s, call)) {
        return false;
    }
    bool changed = has_changed(s, undo);
    if ((call->back == GD_LIN_OPEN && !changed) || (changed && begins_too_early(s, i))) {
        s->blame = changed ? call->cells : 0;
        go_back_to(s, undo);
        return false;
    }
    take(s, i);
    if (left_too_early(s, undo) || lacks_something(s, undo)) {
        put_back(s);
        go_back_to(s, undo);
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------- what is found */

/* What stood where `call` could not be placed. */
static void note_before(struct search *s, uint32_t call)
{
    struct gd_lin_found *found = s->found;
    uint32_t value = s->state[s->problem->steps[s->calls[call].first].cell];
    for (size_t i = 0; i < found->before_count; i++) {
        if (found->before[i] == value) {
            return;
        }
    }
    if (found->before_count < GD_LIN_BEFORE_MAX) {
        found->before[found->before_count++] = value;
    }
}

static void note_longest(struct search *s)
{
    struct gd_lin_found *found = s->found;
    uint32_t at = s->next[0], stuck;
    while (at != 0 && !is_return(s, at)) {
        at = s->next[at];
    }
    stuck = at == 0 ? GD_LIN_NO : call_of(s, at);
    if (stuck != GD_LIN_NO && stuck == found->stuck) {
        note_before(s, stuck);
    }
    if (s->trail_count <= found->order_count && found->stuck != GD_LIN_NO) {
        return;
    }
    memcpy(found->order + s->kept, s->trail + s->kept,
           (s->trail_count - s->kept) * sizeof *s->trail);
    s->kept = found->order_count = s->trail_count;
    memcpy(found->state, s->state, s->problem->cell_count * sizeof *s->state);
    if (stuck != GD_LIN_NO && stuck != found->stuck) {
        found->before_count = 0;
        note_before(s, stuck);
    }
    found->stuck = stuck;
}

/* A state at the end; the same with more open calls spent says nothing new. */
static void note_end(struct search *s, size_t *capacity)
{
    struct gd_lin_found *found = s->found;
    struct gd_lin_end end = {.spent_count = 0};
    end.values = gd_lin_zeroed(s->problem->cell_count, sizeof *end.values);
    memcpy(end.values, s->state, s->problem->cell_count * sizeof *end.values);
    end.spent = gd_lin_zeroed(s->spent_count, sizeof *end.spent);
    for (size_t i = 0; i < s->trail_count; i++) {
        if (s->calls[s->trail[i]].back == GD_LIN_OPEN) {
            end.spent[end.spent_count++] = s->trail[i];
        }
    }
    found->ends = gd_lin_grown(found->ends, capacity, found->end_count, sizeof *found->ends);
    found->ends[found->end_count++] = end;
}

static bool over_limit(struct search *s)
{
    const struct gd_lin_limits *limits = s->problem->limits;
    if (limits == NULL) {
        return false;
    }
    return (limits->steps != 0 && s->found->steps > limits->steps) ||
           (s->found->steps % 1024 == 0 &&
            ((limits->memory != 0 && gd__lin_held(s) > limits->memory) ||
             (limits->stop != NULL && limits->stop(limits->context))));
}

static void new_node(struct search *s)
{
    find_relevant(s);
    s->nodes = gd_lin_grown(s->nodes, &s->node_capacity, s->node_count, sizeof *s->nodes);
    s->nodes[s->node_count++] = (struct node){.trail = (uint32_t)s->trail_count,
                                              .undo = (uint32_t)s->undo_count,
                                              .first = (uint32_t)s->stack_count,
                                              .state_hash = s->state_hash,
                                              .leans_on = GD_LIN_NO,
                                              .best = pick_best(s)};
}

static uint32_t next_candidate(struct search *s, struct node *node)
{
    if (!node->best_tried && node->best != GD_LIN_NO) {
        node->best_tried = true;
        return node->best;
    }
    if (!node->listed) {
        list_candidates(s, node);
    }
    return node->at < node->end ? s->stack[node->at++] : GD_LIN_NO;
}

/* Back to the newest choice, as it was when it was made. */
static void return_to_node(struct search *s)
{
    const struct node *node = &s->nodes[s->node_count - 1];
    while (s->trail_count > node->trail) {
        put_back(s);
    }
    go_back_to(s, node->undo);
    find_relevant(s);
}

/* The lists of S8, as they stand now. */
static void begin_supply(struct search *s)
{
    if (s->problem->machine.makes == NULL) {
        return;
    }
    gd_lin_supply_make(&s->supply, s->problem);
    for (size_t i = 0; i < s->trail_count; i++) {
        gd_lin_supply_take(&s->supply, s->trail[i]);
    }
    s->supplied = true;
}

static void go_to(struct search *s, uint32_t call)
{
    s->nodes[s->node_count - 1].choice = call;
    if (try_call(s, call)) {
        uint32_t place;
        take_readers(s);
        bool open = s->calls[s->trail[s->trail_count - 1]].back == GD_LIN_OPEN;
        if (open && gd__lin_goes_round(s, &place)) {
            lean_on(s, place);
        } else if (s->entry_count == 0 || !gd__lin_was_tried(s)) {
            new_node(s);
            return;
        }
        return_to_node(s);
    }
    s->nodes[s->node_count - 1].blame |= s->blame;
}

/* Of who waits to be read and touches the cells in `blame`: the cells that keep him from it. */
static uint64_t blame_readers(struct search *s, uint64_t blame)
{
    uint64_t before;
    do {
        before = blame;
        for (uint32_t at = s->next[0]; at != 0 && !is_return(s, at); at = s->next[at]) {
            const struct gd_lin_call *call = &s->calls[call_of(s, at)];
            if (call->reads_only && call->count > 1 && (call->cells & blame) != 0 &&
                !apply(s, call)) {
                blame |= s->blame;
            }
        }
    } while (blame != before);
    return blame;
}

/* Of a node whose candidates have all failed: what they failed by, the one that had to come next,
 * those that others had to come before, and readers that found something else. */
static uint64_t blame_of(struct search *s, const struct node *node)
{
    uint64_t blame = node->blame;
    uint32_t at = s->next[0];
    if (s->problem->cell_count == 1 || s->problem->plain) {
        return UINT64_MAX;
    }
    for (; at != 0 && !is_return(s, at); at = s->next[at]) {
        blame |= gd__lin_cells_before(s, call_of(s, at));
    }
    for (size_t k = 0; k < s->class_count && s->waits != NULL; k++) {
        const struct open_class *class = &s->classes[k];
        blame |=
            class->used < class->count ? gd__lin_cells_before(s, class->calls[class->used]) : 0;
    }
    return at == 0 ? UINT64_MAX : blame_readers(s, blame | s->calls[call_of(s, at)].cells);
}

/* S9. False: there is no choice left. */
static bool take_choice_back(struct search *s)
{
    const struct node *node = &s->nodes[s->node_count - 1];
    uint64_t blame = blame_of(s, node);
    uint32_t leans_on = node->leans_on;
    bool leans = leans_on != GD_LIN_NO;
    s->stack_count = node->first;
    gd__lin_remember(s, leans ? UINT64_MAX : blame);
    if (s->taken_back++ == s->problem->patience) {
        begin_supply(s);
    }
    if (--s->node_count == 0) {
        return false;
    }
    return_to_node(s);
    struct node *above = &s->nodes[s->node_count - 1];
    if (leans) {
        lean_on(s, leans_on);
    }
    uint64_t cells = s->calls[above->choice].cells;
    if (leans || (cells & blame) != 0) {
        above->blame |= blame;
    } else {
        above->blame = blame;
        above->at = above->end = 0;
        above->listed = above->best_tried = true;
    }
    return true;
}

/* Some luck decides how long a search takes. Every so many choices it begins again with its
 * candidates in a somewhat different order; what was tried stays tried. */
static void begin_again(struct search *s)
{
    uint64_t sum = 0, count = 1;
    for (size_t i = 0; i < s->problem->call_count && s->round == 0; i++) {
        const struct gd_lin_call *call = &s->calls[i];
        if (call->back != GD_LIN_OPEN) {
            sum += (call->back - call->call) / s->problem->call_count;
            count = call->back > UINT64_MAX / 4 ? 0 : count;
        }
    }
    s->noise = s->round == 0 ? 2 * sum * count + 1 : s->noise;
    s->round++;
    s->begin_again_at = s->taken_back + ROUND + s->problem->call_count + s->taken_back / 4;
    s->node_count = 1;
    s->stack_count = 0;
    return_to_node(s);
    s->node_count = 0;
    new_node(s);
}

static enum gd_lin_verdict run(struct search *s)
{
    size_t end_capacity = 0;
    take_readers(s);
    new_node(s);
    s->begin_again_at = ROUND + s->problem->call_count;
    for (;;) {
        if (s->left == 0) {
            if (!s->problem->every_end) {
                return GD_LIN_LEGAL;
            }
            note_end(s, &end_capacity);
            s->nodes[s->node_count - 1].at = s->nodes[s->node_count - 1].end = 0;
            s->nodes[s->node_count - 1].listed = s->nodes[s->node_count - 1].best_tried = true;
        }
        uint32_t i = next_candidate(s, &s->nodes[s->node_count - 1]);
        if (i != GD_LIN_NO) {
            s->found->steps++;
            if (over_limit(s)) {
                note_longest(s);
                return GD_LIN_INCONCLUSIVE;
            }
            go_to(s, i);
            continue;
        }
        if (s->left > 0) {
            note_longest(s);
        }
        if (s->problem->choices_back != 0 && s->taken_back >= s->problem->choices_back) {
            return GD_LIN_INCONCLUSIVE;
        }
        if (s->taken_back >= s->begin_again_at && !s->problem->every_end) {
            begin_again(s);
            continue;
        }
        if (!take_choice_back(s)) {
            return s->found->end_count > 0 ? GD_LIN_LEGAL : GD_LIN_ILLEGAL;
        }
    }
}

/* ---------------------------------------------------------------- beginning and end */

static void begin(struct search *s)
{
    size_t count = s->problem->call_count;
    s->next = gd_sim_big((2 * count + 1) * sizeof *s->next);
    s->previous = gd_sim_big((2 * count + 1) * sizeof *s->previous);
    s->trail = gd_sim_big(count * sizeof *s->trail);
    s->taken = gd_lin_zeroed(count, sizeof *s->taken);
    s->state = gd_lin_zeroed(s->problem->cell_count, sizeof *s->state);
    s->found->order = gd_sim_big(count * sizeof *s->found->order);
    s->found->state = gd_lin_zeroed(s->problem->cell_count, sizeof *s->found->state);
    for (uint32_t cell = 0; cell < s->problem->cell_count; cell++) {
        s->state[cell] = s->problem->start[cell];
        s->state_hash += gd__lin_mix(cell, s->state[cell]);
        s->shadows[cell % 64].state += gd__lin_mix(cell, s->state[cell]);
        s->all_cells |= cell_bit(cell);
    }
    build_points(s);
    if (s->problem->cell_count > 1) {
        gather_open(s); /* find_relevant looks at them. */
    }
    begin_to_watch(s);
    if (s->problem->before != NULL) {
        gd__lin_waits_begin(s);
    }
}

void gd_lin_search(const struct gd_lin_problem *problem, struct gd_lin_found *found)
{
    struct search *s = gd_lin_zeroed(1, sizeof *s);
    *found = (struct gd_lin_found){.stuck = GD_LIN_NO};
    s->problem = problem;
    s->calls = problem->calls;
    s->found = found;
    begin(s);
    found->verdict = run(s);
    if (found->verdict == GD_LIN_LEGAL && !problem->every_end) {
        memcpy(found->order, s->trail, s->trail_count * sizeof *s->trail);
        memcpy(found->state, s->state, problem->cell_count * sizeof *s->state);
        found->order_count = s->trail_count;
        found->stuck = GD_LIN_NO;
    }
    found->memory = gd__lin_held(s);
    free(s->next);
    free(s->previous);
    free(s->state);
    free(s->undone);
    free(s->trail);
    free(s->taken);
    free(s->nodes);
    free(s->stack);
    free(s->classes);
    free(s->open_calls);
    free(s->class_of);
    free(s->spent);
    free(s->watchers);
    free(s->marks);
    free(s->index);
    free(s->entries);
    free(s->arena);
    free(s->seen);
    free(s->waits);
    free(s->then);
    free(s->then_first);
    gd_lin_supply_release(&s->supply);
    free(s);
}

void gd_lin_found_release(struct gd_lin_found *found)
{
    for (size_t i = 0; i < found->end_count; i++) {
        free(found->ends[i].values);
        free(found->ends[i].spent);
    }
    free(found->ends);
    free(found->order);
    free(found->state);
    *found = (struct gd_lin_found){0};
}
