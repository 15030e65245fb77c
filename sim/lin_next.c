/* lin_next.c - who may come next in the search, and in which order they are tried; see
 * lin_search.c. */
#include "sim/lin_inner.h"
#include <stdlib.h>

/* S7. */
void gd__lin_find_relevant(struct search *s)
{
    uint64_t before, now;
    uint32_t end = s->next[0];
    s->relevant = UINT64_MAX;
    if (s->problem->cell_count == 1) {
        return;
    }
    now = gd__lin_first_return(s);
    while (end != 0 && !gd__lin_is_return(s, end)) {
        end = s->next[end];
    }
    if (end == 0) {
        return;
    }
    s->relevant = s->calls[gd__lin_call_of(s, end)].cells;
    do {
        before = s->relevant;
        for (uint32_t at = s->next[0]; at != end; at = s->next[at]) {
            uint32_t i = gd__lin_call_of(s, at);
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

static inline bool may_come(const struct search *s, uint32_t i)
{
    return (s->calls[i].cells & s->relevant) != 0 && gd__lin_has_turn(s, i);
}

struct turn { /* Who is tried first: the least. */
    uint64_t time;
    bool later; /* It does not need the very value that is there. Who does goes first: it may not be
                   there again in time. */
};

/* Those that are alike stay in their order. */
static uint64_t noise_of(struct search *s, uint32_t i)
{
    uint32_t alike = gd__lin_alike(s, i);
    return gd__lin_mix(alike != 0 ? s->problem->call_count + alike : i, s->round) % s->noise;
}

static inline struct turn turn_of(struct search *s, uint32_t i)
{
    const struct gd_lin_call *call = &s->calls[i];
    const struct gd_lin_step *step = &s->problem->steps[call->first];
    uint64_t noise = s->round > 0 ? noise_of(s, i) : 0;
    /* What was done although nobody heard of it was done soon, mostly. */
    return (struct turn){.time = call->back == GD_LIN_OPEN
                                     ? UINT64_MAX / 2 - call->call / 2 + 2 * noise
                                     : call->rank + noise,
                         .later = step->need != s->state[step->cell]};
}

static inline bool sooner(struct turn a, struct turn b)
{
    return a.later != b.later ? b.later : a.time < b.time;
}

uint32_t gd__lin_pick_best(struct search *s)
{
    uint32_t best = GD_LIN_NO;
    struct turn its = {0};
    for (uint32_t at = s->next[0]; at != 0 && !gd__lin_is_return(s, at); at = s->next[at]) {
        uint32_t i = gd__lin_call_of(s, at);
        if (!s->calls[i].reads_only && may_come(s, i)) {
            struct turn turn = turn_of(s, i);
            if (best == GD_LIN_NO || sooner(turn, its)) {
                best = i;
                its = turn;
            }
        }
    }
    return best;
}

/* S3: was one like it met in this listing? */
static bool is_marked(const struct search *s, uint32_t alike)
{
    return alike != 0 && s->all_kinds[alike].mark == s->mark;
}

static void mark(struct search *s, uint32_t alike)
{
    if (alike != 0) {
        s->all_kinds[alike].mark = s->mark;
    }
}

static void push_candidate(struct search *s, size_t first, uint32_t i)
{
    s->stack = gd_lin_grown(s->stack, &s->stack_capacity, s->stack_count, sizeof *s->stack);
    size_t at = s->stack_count++;
    struct turn turn = turn_of(s, i);
    for (; at > first && sooner(turn, turn_of(s, s->stack[at - 1])); at--) {
        s->stack[at] = s->stack[at - 1];
    }
    s->stack[at] = i;
}

void gd__lin_gather_open(struct search *s)
{
    size_t count = s->problem->call_count, n = 0;
    s->listed = true;
    if (s->open_count == 0) {
        return;
    }
    struct gd_lin_pair *by_call = gd_lin_zeroed(s->open_count, sizeof *by_call);
    for (uint32_t i = 0; i < count; i++) {
        if (s->calls[i].back == GD_LIN_OPEN) {
            by_call[n++] = (struct gd_lin_pair){s->calls[i].call, i};
            (void)gd__lin_alike(s, i); /* All kinds are known behind this. */
        }
    }
    gd_lin_sort(by_call, n);
    uint32_t *class_of_kind = gd_lin_zeroed(s->all_kind_count + 1, sizeof *class_of_kind);
    s->open_calls = gd_lin_zeroed(n, sizeof *s->open_calls);
    s->classes = gd_lin_zeroed(n, sizeof *s->classes);
    s->class_of = gd_lin_zeroed(count, sizeof *s->class_of);
    for (size_t k = 0; k < n; k++) {
        uint32_t alike = gd__lin_alike(s, by_call[k].value), class = class_of_kind[alike];
        if (alike == 0 || class == 0) {
            class = (uint32_t)++s->class_count;
            s->classes[class - 1].alike = alike;
            class_of_kind[alike] = class;
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
    free(class_of_kind);
    free(by_call);
}

void gd__lin_list_candidates(struct search *s, struct node *node)
{
    uint64_t now = gd__lin_first_return(s);
    size_t kept;
    if (!s->listed) {
        gd__lin_gather_open(s);
    }
    s->mark++;
    node->first = (uint32_t)s->stack_count;
    for (uint32_t at = s->next[0]; at != 0 && !gd__lin_is_return(s, at); at = s->next[at]) {
        uint32_t i = gd__lin_call_of(s, at);
        if (!s->calls[i].reads_only && i != node->best && may_come(s, i)) {
            push_candidate(s, node->first, i);
        }
    }
    if (node->best != GD_LIN_NO) {
        mark(s, gd__lin_alike(s, node->best));
    }
    kept = node->first;
    for (size_t k = node->first; k < s->stack_count; k++) {
        uint32_t alike = gd__lin_alike(s, s->stack[k]);
        if (!is_marked(s, alike)) {
            mark(s, alike);
            s->stack[kept++] = s->stack[k];
        }
    }
    s->stack_count = kept;
    for (size_t k = s->class_count; k-- > 0;) { /* Nearly in the order in which they are tried. */
        const struct open_class *class = &s->classes[k];
        if (class->used < class->count && !is_marked(s, class->alike)) {
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
