/* lin_waits.c - who waits for whom in the search: what the problem knows of it besides times. */
#include "sim/lin_inner.h"
#include <stdlib.h>

void gd__lin_waits_begin(struct search *s)
{
    const uint32_t *first = s->problem->before_first;
    size_t count = s->problem->call_count;
    s->waits = gd_lin_zeroed(count, sizeof *s->waits);
    s->then_first = gd_lin_zeroed(count + 1, sizeof *s->then_first);
    s->then = gd_lin_zeroed(first[count], sizeof *s->then);
    s->sessions = true;
    for (size_t k = 0; k < first[count]; k++) {
        s->then_first[s->problem->before[k] + 1]++;
    }
    for (size_t i = 0; i < count; i++) {
        s->then_first[i + 1] += s->then_first[i];
    }
    uint32_t *place = gd_lin_zeroed(count, sizeof *place);
    memcpy(place, s->then_first, count * sizeof *place);
    for (uint32_t i = 0; i < count; i++) {
        s->waits[i] = first[i + 1] - first[i];
        for (uint32_t k = first[i]; k < first[i + 1]; k++) {
            s->then[place[s->problem->before[k]]++] = i;
        }
    }
    free(place);
}

void gd__lin_waits_tell(struct search *s, uint32_t i, uint32_t more)
{
    for (uint32_t k = s->then_first[i]; k < s->then_first[i + 1]; k++) {
        s->waits[s->then[k]] += more;
    }
}

uint64_t gd__lin_cells_before(const struct search *s, uint32_t i)
{
    const struct gd_lin_call *call = &s->calls[i];
    uint64_t cells = 0;
    if (call->after != 0 && !s->taken[call->after - 1]) {
        cells = s->calls[call->after - 1].cells;
    }
    if (s->waits != NULL && s->waits[i] > 0) {
        for (uint32_t k = s->problem->before_first[i]; k < s->problem->before_first[i + 1]; k++) {
            uint32_t other = s->problem->before[k];
            cells |= s->taken[other] ? 0 : s->calls[other].cells;
        }
    }
    return cells;
}
