/* linearize.c - any model: its states get numbers, equal ones the same, and the search does the
 * rest. See linearize.h and lin_search.c. */
#include "sim/linearize.h"
#include "sim/lin_search.h"
#include <stdlib.h>

struct states {
    const struct gd_lin_model *model;
    const void *context;
    const struct gd_lin_operation *operations;
    uint8_t *bytes; /* Owned: one behind the other. */
    uint64_t *hashes;
    size_t count, capacity, hash_capacity;
    uint32_t *index; /* Hash table of numbers, counted from 1. */
    size_t index_capacity;
};

static uint64_t hash_of(const struct states *states, const uint8_t *state)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    if (states->model->hash != NULL) {
        hash = states->model->hash(states->context, state);
        return hash * UINT64_C(0x9e3779b97f4a7c15);
    }
    for (size_t i = 0; i < states->model->state_size; i++) {
        hash = (hash ^ state[i]) * UINT64_C(0x100000001b3);
    }
    return hash * UINT64_C(0x9e3779b97f4a7c15);
}

static bool equal(const struct states *states, const uint8_t *a, const uint8_t *b)
{
    return states->model->equal != NULL ? states->model->equal(states->context, a, b)
                                        : memcmp(a, b, states->model->state_size) == 0;
}

static uint8_t *state_at(const struct states *states, uint32_t number)
{
    return states->bytes + number * states->model->state_size;
}

static void make_room(struct states *states)
{
    size_t size = states->model->state_size;
    if (states->count + 1 >= states->capacity) { /* One more as the room for the next. */
        states->capacity = states->capacity == 0 ? 64 : 2 * states->capacity;
        states->bytes = realloc(states->bytes, states->capacity * size + 1);
        GD_ASSERT(states->bytes != NULL);
    }
    states->hashes =
        gd_lin_grown(states->hashes, &states->hash_capacity, states->count, sizeof *states->hashes);
    if (2 * states->count < states->index_capacity) {
        return;
    }
    free(states->index);
    states->index_capacity = states->index_capacity == 0 ? 128 : 2 * states->index_capacity;
    states->index = gd_lin_zeroed(states->index_capacity, sizeof *states->index);
    for (uint32_t i = 0; i < states->count; i++) {
        size_t at = (size_t)(states->hashes[i] >> 20) & (states->index_capacity - 1);
        while (states->index[at] != 0) {
            at = (at + 1) & (states->index_capacity - 1);
        }
        states->index[at] = i + 1;
    }
}

/* The number of the state that stands in the room behind the last. */
static uint32_t number_of_new(struct states *states)
{
    const uint8_t *state = state_at(states, (uint32_t)states->count);
    uint64_t hash = hash_of(states, state);
    size_t at = (size_t)(hash >> 20) & (states->index_capacity - 1);
    for (; states->index[at] != 0; at = (at + 1) & (states->index_capacity - 1)) {
        uint32_t known = states->index[at] - 1;
        if (states->hashes[known] == hash && equal(states, state_at(states, known), state)) {
            return known;
        }
    }
    states->hashes[states->count] = hash;
    states->index[at] = (uint32_t)++states->count;
    return (uint32_t)states->count - 1;
}

static uint32_t step(void *context, uint32_t operation, uint32_t state)
{
    struct states *states = context;
    make_room(states);
    uint8_t *next = state_at(states, (uint32_t)states->count);
    memset(next, 0, states->model->state_size);
    return states->model->step(states->context, operation, state_at(states, state), next)
               ? number_of_new(states)
               : GD_LIN_NO;
}

static void give(const struct gd_lin_found *found, struct gd_lin_result *result)
{
    result->verdict = found->verdict;
    result->path = GD_LIN_PATH_SEARCH;
    result->steps = found->steps;
    result->memory = found->memory;
    result->order = gd_lin_zeroed(found->order_count, sizeof *result->order);
    result->order_count = found->order_count;
    for (size_t i = 0; i < found->order_count; i++) {
        result->order[i] = found->order[i];
    }
    if (found->verdict != GD_LIN_LEGAL && found->stuck != GD_LIN_NO) {
        result->stuck = gd_lin_zeroed(1, sizeof *result->stuck);
        result->stuck[0] = found->stuck;
        result->stuck_count = 1;
    }
}

void gd_lin_check(const struct gd_lin_model *model, const void *context,
                  const struct gd_lin_operation *operations, size_t count,
                  const struct gd_lin_limits *limits, struct gd_lin_result *result)
{
    struct states states = {.model = model, .context = context, .operations = operations};
    struct gd_lin_call *calls = gd_lin_zeroed(count, sizeof *calls);
    struct gd_lin_step *steps = gd_lin_zeroed(count, sizeof *steps);
    struct gd_lin_found found;
    *result = (struct gd_lin_result){.verdict = GD_LIN_LEGAL};
    GD_ASSERT(count < GD_LIN_NO / 2);
    for (size_t i = 0; i < count; i++) {
        const struct gd_lin_operation *op = &operations[i];
        bool open = op->back == GD_LIN_OPEN;
        GD_ASSERT(op->after <= i);
        steps[i] = (struct gd_lin_step){.what = (uint32_t)i, .need = GD_LIN_NO};
        calls[i] = (struct gd_lin_call){.call = op->call,
                                        .back = op->back,
                                        .rank = open ? op->call : op->back,
                                        .cells = 1,
                                        .first = (uint32_t)i,
                                        .count = 1,
                                        .after = (uint32_t)op->after};
        calls[i].reads_only = model->reads_only != NULL && model->reads_only(context, i);
    }
    if (count > 0) {
        make_room(&states);
        memset(states.bytes, 0, model->state_size);
        model->start(context, states.bytes);
        uint32_t start = number_of_new(&states);
        struct gd_lin_problem problem = {.calls = calls,
                                         .call_count = count,
                                         .steps = steps,
                                         .start = &start,
                                         .cell_count = 1,
                                         .limits = limits};
        problem.machine = (struct gd_lin_machine){.context = &states, .step = step};
        gd_lin_search(&problem, &found);
        found.memory += states.capacity * model->state_size;
        give(&found, result);
        gd_lin_found_release(&found);
    }
    free(calls);
    free(steps);
    free(states.bytes);
    free(states.hashes);
    free(states.index);
}

bool gd_lin_replay(const struct gd_lin_model *model, const void *context,
                   const struct gd_lin_operation *operations, size_t count, const size_t *order,
                   size_t order_count)
{
    uint8_t *state = gd_lin_zeroed(2 * model->state_size, 1), *next = state + model->state_size;
    bool *taken = gd_lin_zeroed(count, sizeof *taken);
    uint64_t now = 0;
    bool good = true;
    model->start(context, state);
    for (size_t k = 0; k < order_count && good; k++) {
        size_t i = order[k];
        good = i < count && !taken[i];
        if (good) {
            const struct gd_lin_operation *op = &operations[i];
            now = op->call > now ? op->call : now;
            memset(next, 0, model->state_size);
            good = now <= op->back && (op->after == 0 || taken[op->after - 1]) &&
                   model->step(context, i, state, next);
            taken[i] = true;
            memcpy(state, next, model->state_size);
        }
    }
    for (size_t i = 0; i < count && good; i++) {
        good = taken[i] || operations[i].back == GD_LIN_OPEN;
    }
    free(state);
    free(taken);
    return good;
}

void gd_lin_result_release(struct gd_lin_result *result)
{
    free(result->order);
    free(result->stuck);
    *result = (struct gd_lin_result){.verdict = GD_LIN_LEGAL};
}
