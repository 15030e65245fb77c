/* lin_state.c - where the search stands: what is taken, and what stands in the cells; see
 * lin_search.c.
 *
 * All that a choice changes is changed here, and changed back: calls and returns are a list from
 * which what is taken is unlinked, and cells are set back from what was written down of them. */
#include "sim/lin_inner.h"
#include "sim/big.h"
#include <stdlib.h>

/* ---------------------------------------------------------------- the list of points */

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
static void build_points(struct search *s, struct gd_lin_pair *by_call, struct gd_lin_pair *by_back)
{
    uint32_t *next = s->next, *before = s->previous, last = 0;
    uint32_t back = gd__lin_return_point(s, 0);
    size_t count = s->left;
    gd_lin_sort(by_call, count);
    gd_lin_sort(by_back, count);
    for (size_t c = 0, b = 0; b < count;) {
        uint32_t point = c < count && by_call[c].key <= by_back[b].key ? 1 + by_call[c++].value
                                                                       : back + by_back[b++].value;
        before[point] = last;
        next[last] = point;
        last = point;
    }
    next[last] = 0;
    before[0] = last;
}

/* ---------------------------------------------------------------- what stands in the cells */

static void change_cell(struct search *s, uint32_t cell, uint32_t value)
{
    uint64_t more = gd__lin_mix(cell, value) - gd__lin_mix(cell, s->state[cell]);
    s->state_hash += more;
    s->shadows[cell % 64].state += more;
    s->state[cell] = value;
}

void gd__lin_set_cell(struct search *s, uint32_t cell, uint32_t value)
{
    s->undone = gd_lin_grown(s->undone, &s->undo_capacity, s->undo_count, sizeof *s->undone);
    s->undone[s->undo_count++] = (struct undo){cell, s->state[cell]};
    change_cell(s, cell, value);
}

void gd__lin_go_back_to(struct search *s, size_t undo)
{
    while (s->undo_count > undo) {
        const struct undo *last = &s->undone[--s->undo_count];
        change_cell(s, last->cell, last->value);
    }
}

bool gd__lin_apply(struct search *s, const struct gd_lin_call *call)
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
            s->blame = gd__lin_cell_bit(step->cell);
            gd__lin_go_back_to(s, undo);
            return false;
        }
        if (value != now) {
            gd__lin_set_cell(s, step->cell, value);
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
                                                       : gd__lin_apply(s, call);
}

bool gd__lin_has_changed(const struct search *s, size_t undo)
{
    for (size_t i = undo; i < s->undo_count; i++) {
        if (s->state[s->undone[i].cell] != s->undone[i].value) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- taking and putting back */

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
static inline void count_in(struct search *s, uint32_t i, uint64_t sign)
{
    uint64_t a = gd__lin_mix(i, 1), b = (a ^ (a >> 32)) * UINT64_C(0xd6e8feb86659fd93) * sign;
    a *= sign;
    for (uint64_t cells = s->calls[i].cells; cells != 0; cells &= cells - 1) {
        struct shadow *shadow = &s->shadows[__builtin_ctzll(cells)];
        shadow->set[0] += a;
        shadow->set[1] += b;
    }
}

void gd__lin_take(struct search *s, uint32_t i)
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
    unlink_point(s, gd__lin_return_point(s, i));
}

void gd__lin_put_back(struct search *s)
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
    relink_point(s, gd__lin_return_point(s, i));
    relink_point(s, 1 + i);
}

/* S1. */
void gd__lin_take_readers(struct search *s)
{
    bool again;
    do {
        again = false;
        for (uint32_t at = s->next[0]; at != 0 && !gd__lin_is_return(s, at);) {
            uint32_t i = gd__lin_call_of(s, at), next = s->next[at];
            const struct gd_lin_call *call = &s->calls[i];
            if (call->reads_only && gd__lin_has_turn(s, i) && finds(s, call)) {
                gd__lin_take(s, i);
                again = s->sessions;
                next = gd__lin_is_return(s, next) && gd__lin_call_of(s, next) == i
                           ? s->next[s->previous[at]]
                           : next;
            }
            at = next;
        }
    } while (again);
}

/* ---------------------------------------------------------------- the beginning */

/* Goes through the calls: those that must be done, and what each of these must yet find. */
static void read_calls(struct search *s)
{
    size_t count = s->problem->call_count, n = 0;
    struct gd_lin_pair *by_call = gd_sim_big(count * sizeof *by_call);
    struct gd_lin_pair *by_back = gd_sim_big(count * sizeof *by_back);
    s->watchers = gd_lin_zeroed(s->problem->value_count, sizeof *s->watchers);
    s->watcher_capacity = s->problem->value_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct gd_lin_call *call = &s->calls[i];
        s->sessions = s->sessions || call->after != 0;
        if (call->back != GD_LIN_OPEN) {
            by_call[n] = (struct gd_lin_pair){call->call, i};
            by_back[n++] = (struct gd_lin_pair){call->back, i};
            watch(s, call, 1);
        }
    }
    s->left = n;
    s->open_count = count - n;
    build_points(s, by_call, by_back);
    free(by_call);
    free(by_back);
}

void gd__lin_begin(struct search *s)
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
        s->all_cells |= gd__lin_cell_bit(cell);
    }
    read_calls(s);
    if (s->problem->cell_count > 1) {
        gd__lin_gather_open(s); /* find_relevant looks at them. */
    }
    if (s->problem->before != NULL) {
        gd__lin_waits_begin(s);
    }
}
