/* lin_alike.c - which calls are the same but for their times.
 *
 * Asked of few of them: of open ones, and of those between which there is a choice. */
#include "sim/lin_inner.h"
#include <stdlib.h>

static void grow_index(struct search *s)
{
    if (2 * s->all_kind_count < s->kind_index_capacity) {
        return;
    }
    free(s->kind_index);
    s->kind_index_capacity = s->kind_index_capacity == 0 ? 64 : 2 * s->kind_index_capacity;
    s->kind_index = gd_lin_zeroed(s->kind_index_capacity, sizeof *s->kind_index);
    for (uint32_t i = 1; i < s->all_kind_count; i++) {
        size_t at = (size_t)s->all_kinds[i].likeness & (s->kind_index_capacity - 1);
        while (s->kind_index[at] != 0) {
            at = (at + 1) & (s->kind_index_capacity - 1);
        }
        s->kind_index[at] = i;
    }
}

static uint32_t kind_of(struct search *s, uint32_t i, uint64_t likeness)
{
    const struct gd_lin_machine *machine = &s->problem->machine;
    if (s->all_kind_count == 0) {
        s->all_kind_count = 1;
    }
    grow_index(s);
    size_t at = (size_t)likeness & (s->kind_index_capacity - 1);
    for (; s->kind_index[at] != 0; at = (at + 1) & (s->kind_index_capacity - 1)) {
        const struct kind *kind = &s->all_kinds[s->kind_index[at]];
        if (kind->likeness == likeness && machine->alike(machine->context, kind->call, i)) {
            return s->kind_index[at];
        }
    }
    s->all_kinds =
        gd_lin_grown(s->all_kinds, &s->all_kind_capacity, s->all_kind_count, sizeof *s->all_kinds);
    s->all_kinds[s->all_kind_count] = (struct kind){.likeness = likeness, .call = i};
    return s->kind_index[at] = (uint32_t)s->all_kind_count++;
}

uint32_t gd__lin_alike(struct search *s, uint32_t i)
{
    const struct gd_lin_machine *machine = &s->problem->machine;
    if (machine->likeness == NULL) {
        return 0;
    }
    if (s->alike == NULL) {
        s->alike = gd_lin_zeroed(s->problem->call_count, sizeof *s->alike);
    }
    if (s->alike[i] == 0) {
        uint64_t likeness = machine->likeness(machine->context, i);
        s->alike[i] = 1 + (likeness != 0 ? kind_of(s, i, likeness) : 0);
    }
    return s->alike[i] - 1;
}
