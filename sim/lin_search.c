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
 * is needed.
 *
 * Here are S4 to S6, S8 and S9, and how choices are made and taken back. What is taken, with S1, is
 * in lin_state.c; who may come next, S3 and S7, in lin_next.c, and who is alike in lin_alike.c; S2
 * in lin_tried.c, S10 in lin_waits.c. */
#include "sim/lin_inner.h"
#include "sim/big.h"
#include <stdlib.h>

#define CHAIN_LOOK 512u /* Points that S6 looks at. */
#define ROUND 1000u     /* Choices taken back before it begins again, at first. */

/* ---------------------------------------------------------------- one call */

/* S5: has a change behind `undo` left a value that somebody must yet find? */
static bool left_too_early(struct search *s, size_t undo)
{
    const struct gd_lin_machine *machine = &s->problem->machine;
    for (size_t i = undo; i < s->undo_count && machine->once != NULL; i++) {
        uint32_t value = s->undone[i].value;
        if (value < s->watcher_capacity && s->watchers[value] > 0 &&
            s->state[s->undone[i].cell] != value && machine->once(machine->context, value)) {
            s->blame = gd__lin_cell_bit(s->undone[i].cell);
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
            s->blame = gd__lin_cell_bit(s->undone[i].cell);
            return true;
        }
    }
    return false;
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
        const struct gd_lin_call *other = &s->calls[gd__lin_call_of(s, at)];
        if (gd__lin_is_return(s, at)) {
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
        gd__lin_set_cell(s, s->undone[i].cell, s->undone[i].value);
    }
    bool good = gd__lin_apply(s, call);
    look_at(s, open, call, s->seen);
    gd__lin_go_back_to(s, undo);
    if (!good || !gd__lin_apply(s, call)) {
        return true;
    }
    look_at(s, open, call, s->seen + count);
    gd__lin_go_back_to(s, undo);
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
    if (!gd__lin_apply(s, call)) {
        return false;
    }
    bool changed = gd__lin_has_changed(s, undo);
    if ((call->back == GD_LIN_OPEN && !changed) || (changed && begins_too_early(s, i))) {
        s->blame = changed ? call->cells : 0;
        gd__lin_go_back_to(s, undo);
        return false;
    }
    gd__lin_take(s, i);
    if (left_too_early(s, undo) || lacks_something(s, undo)) {
        gd__lin_put_back(s);
        gd__lin_go_back_to(s, undo);
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
    while (at != 0 && !gd__lin_is_return(s, at)) {
        at = s->next[at];
    }
    stuck = at == 0 ? GD_LIN_NO : gd__lin_call_of(s, at);
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

/* ---------------------------------------------------------------- choices */

static void new_node(struct search *s)
{
    gd__lin_find_relevant(s);
    s->nodes = gd_lin_grown(s->nodes, &s->node_capacity, s->node_count, sizeof *s->nodes);
    s->nodes[s->node_count++] = (struct node){.trail = (uint32_t)s->trail_count,
                                              .undo = (uint32_t)s->undo_count,
                                              .first = (uint32_t)s->stack_count,
                                              .state_hash = s->state_hash,
                                              .leans_on = GD_LIN_NO,
                                              .best = gd__lin_pick_best(s)};
}

static uint32_t next_candidate(struct search *s, struct node *node)
{
    if (!node->best_tried && node->best != GD_LIN_NO) {
        node->best_tried = true;
        return node->best;
    }
    if (!node->listed) {
        gd__lin_list_candidates(s, node);
    }
    return node->at < node->end ? s->stack[node->at++] : GD_LIN_NO;
}

/* Back to the newest choice, as it was when it was made. */
static void return_to_node(struct search *s)
{
    const struct node *node = &s->nodes[s->node_count - 1];
    while (s->trail_count > node->trail) {
        gd__lin_put_back(s);
    }
    gd__lin_go_back_to(s, node->undo);
    gd__lin_find_relevant(s);
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
        gd__lin_take_readers(s);
        bool open = s->calls[s->trail[s->trail_count - 1]].back == GD_LIN_OPEN;
        if (open && gd__lin_goes_round(s, &place)) {
            lean_on(s, place);
        } else if (!gd__lin_was_tried(s)) {
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
        for (uint32_t at = s->next[0]; at != 0 && !gd__lin_is_return(s, at); at = s->next[at]) {
            const struct gd_lin_call *call = &s->calls[gd__lin_call_of(s, at)];
            if (call->reads_only && call->count > 1 && (call->cells & blame) != 0 &&
                !gd__lin_apply(s, call)) {
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
    for (; at != 0 && !gd__lin_is_return(s, at); at = s->next[at]) {
        blame |= gd__lin_cells_before(s, gd__lin_call_of(s, at));
    }
    for (size_t k = 0; k < s->class_count && s->waits != NULL; k++) {
        const struct open_class *class = &s->classes[k];
        blame |=
            class->used < class->count ? gd__lin_cells_before(s, class->calls[class->used]) : 0;
    }
    return at == 0 ? UINT64_MAX : blame_readers(s, blame | s->calls[gd__lin_call_of(s, at)].cells);
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
    gd__lin_take_readers(s);
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

void gd_lin_search(const struct gd_lin_problem *problem, struct gd_lin_found *found)
{
    struct search *s = gd_lin_zeroed(1, sizeof *s);
    *found = (struct gd_lin_found){.stuck = GD_LIN_NO};
    s->problem = problem;
    s->calls = problem->calls;
    s->found = found;
    gd__lin_begin(s);
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
    free(s->alike);
    free(s->all_kinds);
    free(s->kind_index);
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
