/* lin_supply.c - who must yet find a value, and who can still bring it; see lin_supply.h.
 *
 * A value that is not there comes back only by somebody who makes it and is not taken yet. Who must
 * find it comes after such a one, and so that one was called before he returns. Who finds it and
 * leaves another needs one for himself: of those that end it, the third to return needs three that
 * were called by then. Where fewer are left, nothing that follows can be an order.
 *
 * Values whose makers are not all listed (numbers that come of counting, texts that come of
 * appending what is appended more than once) are never said to lack. */
#include "sim/lin_supply.h"
#include <stdlib.h>

#define ENDERS_LOOKED_AT 24u

enum ring { RING_MAKERS, RING_NEED, RING_ENDERS, RING_COUNT };

struct building {
    struct gd_lin_supply *supply;
    const struct gd_lin_problem *problem;
    struct gd_lin_makes makes;
    struct gd_lin_pair *pairs[RING_COUNT]; /* Entries, by time. */
    size_t counts[RING_COUNT];
    uint32_t *head_of; /* By entry. */
    uint32_t entry_count, capacity;
};

static void add(struct building *building, enum ring ring, uint32_t value, uint32_t call)
{
    struct gd_lin_supply *supply = building->supply;
    const struct gd_lin_call *c = &supply->calls[call];
    uint32_t entry = building->entry_count++;
    GD_ASSERT(entry < building->capacity);
    building->head_of[entry] = RING_COUNT * value + ring;
    supply->call_of[entry] = call;
    building->pairs[ring][building->counts[ring]++] =
        (struct gd_lin_pair){ring == RING_MAKERS ? c->call : c->back, supply->heads + entry};
}

static bool met_before(const struct gd_lin_problem *problem, const struct gd_lin_call *call,
                       uint32_t k)
{
    for (uint32_t i = 0; i < k; i++) {
        if (problem->steps[call->first + i].cell == problem->steps[call->first + k].cell) {
            return true;
        }
    }
    return false;
}

/* What a call that must be done needs, as far as it does not make it itself. */
static void add_needs(struct building *building, uint32_t i)
{
    const struct gd_lin_problem *problem = building->problem;
    const struct gd_lin_machine *machine = &problem->machine;
    const struct gd_lin_call *call = &problem->calls[i];
    for (uint32_t k = 0; k < call->count && call->back != GD_LIN_OPEN; k++) {
        const struct gd_lin_step *step = &problem->steps[call->first + k];
        if (step->need >= building->makes.value_count || !building->makes.plain[step->need] ||
            met_before(problem, call, k)) {
            continue;
        }
        add(building, RING_NEED, step->need, i);
        if (call->count == 1 &&
            machine->step(machine->context, step->what, step->need) != step->need) {
            add(building, RING_ENDERS, step->need, i);
        }
    }
}

static void link_rings(struct building *building)
{
    struct gd_lin_supply *supply = building->supply;
    for (uint32_t i = 0; i < supply->heads; i++) {
        supply->next[i] = supply->previous[i] = i;
    }
    for (unsigned ring = 0; ring < RING_COUNT; ring++) {
        gd_lin_sort(building->pairs[ring], building->counts[ring]);
        for (size_t i = 0; i < building->counts[ring]; i++) {
            uint32_t entry = building->pairs[ring][i].value;
            uint32_t head = building->head_of[entry - supply->heads];
            uint32_t last = supply->previous[head];
            supply->previous[entry] = last;
            supply->next[entry] = head;
            supply->next[last] = supply->previous[head] = entry;
        }
    }
}

static void begin(struct building *building)
{
    const struct gd_lin_problem *problem = building->problem;
    struct gd_lin_supply *supply = building->supply;
    size_t capacity = building->makes.count, value_count = building->makes.value_count;
    for (size_t i = 0; i < problem->call_count; i++) {
        capacity += 2 * (size_t)problem->calls[i].count;
    }
    GD_ASSERT(capacity + RING_COUNT * value_count < UINT32_MAX);
    building->capacity = (uint32_t)capacity;
    building->head_of = gd_lin_zeroed(capacity, sizeof *building->head_of);
    for (unsigned ring = 0; ring < RING_COUNT; ring++) {
        building->pairs[ring] = gd_lin_zeroed(capacity, sizeof *building->pairs[ring]);
    }
    *supply = (struct gd_lin_supply){.calls = problem->calls};
    supply->value_count = (uint32_t)value_count;
    supply->heads = (uint32_t)(RING_COUNT * value_count);
    supply->next = gd_lin_zeroed(supply->heads + capacity, sizeof *supply->next);
    supply->previous = gd_lin_zeroed(supply->heads + capacity, sizeof *supply->previous);
    supply->call_of = gd_lin_zeroed(capacity, sizeof *supply->call_of);
    supply->first_of = gd_lin_zeroed(problem->call_count + 1, sizeof *supply->first_of);
}

void gd_lin_supply_make(struct gd_lin_supply *supply, const struct gd_lin_problem *problem)
{
    struct building building = {.supply = supply, .problem = problem};
    size_t at = 0;
    problem->machine.makes(problem->machine.context, &building.makes);
    begin(&building);
    for (uint32_t i = 0; i < problem->call_count; i++) {
        supply->first_of[i] = supply->heads + building.entry_count;
        for (; at < building.makes.count && building.makes.makes[at].call == i; at++) {
            add(&building, RING_MAKERS, building.makes.makes[at].value, i);
        }
        add_needs(&building, i);
    }
    supply->first_of[problem->call_count] = supply->heads + building.entry_count;
    link_rings(&building);
    for (unsigned ring = 0; ring < RING_COUNT; ring++) {
        free(building.pairs[ring]);
    }
    free(building.head_of);
    free(building.makes.makes);
    supply->plain = building.makes.plain;
}

void gd_lin_supply_release(struct gd_lin_supply *supply)
{
    free(supply->next);
    free(supply->previous);
    free(supply->call_of);
    free(supply->first_of);
    free(supply->plain);
    *supply = (struct gd_lin_supply){0};
}

void gd_lin_supply_take(struct gd_lin_supply *supply, uint32_t call)
{
    for (uint32_t i = supply->first_of[call]; i < supply->first_of[call + 1]; i++) {
        supply->next[supply->previous[i]] = supply->next[i];
        supply->previous[supply->next[i]] = supply->previous[i];
    }
}

void gd_lin_supply_put_back(struct gd_lin_supply *supply, uint32_t call)
{
    for (uint32_t i = supply->first_of[call + 1]; i-- > supply->first_of[call];) {
        supply->next[supply->previous[i]] = i;
        supply->previous[supply->next[i]] = i;
    }
}

static const struct gd_lin_call *call_at(const struct gd_lin_supply *supply, uint32_t entry)
{
    return &supply->calls[supply->call_of[entry - supply->heads]];
}

bool gd_lin_supply_lacks(const struct gd_lin_supply *supply, uint32_t value)
{
    if (value >= supply->value_count || !supply->plain[value]) {
        return false;
    }
    uint32_t makers = RING_COUNT * value + RING_MAKERS, maker = supply->next[makers];
    uint32_t needs = RING_COUNT * value + RING_NEED, enders = RING_COUNT * value + RING_ENDERS;
    uint32_t first = supply->next[needs];
    if (first != needs &&
        (maker == makers || call_at(supply, maker)->call > call_at(supply, first)->back)) {
        return true;
    }
    unsigned looked = 0;
    for (uint32_t at = supply->next[enders]; at != enders && looked < ENDERS_LOOKED_AT;
         at = supply->next[at], maker = supply->next[maker], looked++) {
        if (maker == makers || call_at(supply, maker)->call > call_at(supply, at)->back) {
            return true;
        }
    }
    return false;
}
