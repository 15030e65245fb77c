/* parts.c - union-find over keys, then the steps part by part: linear in the record, which is read
 * twice, from end to end: once to count, and once to copy. An operation takes four lines of the
 * cache there, and what the checker needs of it, less than one; what follows is done with the
 * copies. (To copy first and to sort the copies reads the record once, but takes twice the memory,
 * and memory that is new costs more than reading.) */
#include "sim/parts.h"
#include "sim/big.h"
#include <stdlib.h>
#include <string.h>

static void *zeroed(size_t count, size_t size)
{
    return memset(gd_sim_big(count * size), 0, count * size);
}

struct finding {
    struct gd_sim_parts *parts;
    struct key {
        uint32_t above, part;
        uint32_t operations, steps; /* Those that begin there, and all. */
        uint32_t kinds;
    } * keys; /* Owned. */
    size_t capacity;
};

static uint32_t root_of(struct key *keys, uint32_t key)
{
    while (keys[key].above != key) {
        keys[key].above = keys[keys[key].above].above;
        key = keys[key].above;
    }
    return key;
}

/* Those that certainly had no effect constrain nothing. */
static bool counts(const struct gd_sim_operation *op)
{
    return op->count > 0 && op->fate != GD_SIM_FATE_NO_EFFECT;
}

static unsigned kind_of(const struct gd_sim_operation *op, const struct gd_sim_step *step)
{
    bool length = step->what == GD_SIM_DO_APPEND && op->fate == GD_SIM_FATE_DONE &&
                  step->output.kind == GD_SIM_VALUE_NUMBER;
    return 1u << step->what | (length ? GD_SIM_KIND_LENGTHS : 0) |
           (op->count > 1 ? GD_SIM_KIND_SEVERAL : 0);
}

/* One step; how many there are of its operation is not told. */
static inline void make_brief(const struct gd_sim_operation *op, const struct gd_sim_step *step,
                              size_t operation, struct gd_sim_brief *to)
{
    to->call = op->call;
    to->back = op->fate == GD_SIM_FATE_DONE ? op->back : GD_SIM_BACK_UNKNOWN;
    to->operation = (uint32_t)operation;
    to->key = step->key;
    to->input = step->input.kind == GD_SIM_VALUE_TEXT ? step->input.known : 0;
    to->old = step->old.kind == GD_SIM_VALUE_TEXT ? step->old.known : 0;
    to->number = step->output.number;
    to->what = (uint8_t)step->what;
    to->output = (uint8_t)step->output.kind;
    if (step->what == GD_SIM_DO_INCR) {
        to->add = step->input.number;
    }
    if (step->output.kind == GD_SIM_VALUE_TEXT) {
        to->seen = step->output.known;
    }
}

void gd_sim_brief_make(const struct gd_sim_record *record, size_t operation,
                       struct gd_sim_brief *to)
{
    const struct gd_sim_operation *op = &record->operations[operation];
    for (size_t k = 0; k < op->count; k++) {
        make_brief(op, &record->steps[op->first + k], operation, &to[k]);
        to[k].count = k == 0 ? (uint32_t)op->count : 0;
    }
}

/* Room for keys below `more`, each by itself. */
static void grow(struct finding *f, size_t more)
{
    f->keys = gd_sim_bigger(f->keys, f->capacity * sizeof *f->keys, more * sizeof *f->keys);
    for (size_t i = f->capacity; i < more; i++) {
        f->keys[i] = (struct key){.above = (uint32_t)i};
    }
    f->capacity = more;
}

static void bind_keys(struct key *keys, uint32_t first, uint32_t second)
{
    uint32_t a = root_of(keys, first), b = root_of(keys, second);
    keys[a > b ? a : b].above = a < b ? a : b;
}

/* By key, how often something is done to it; and which keys are bound together. */
static void count_steps(struct finding *f, const struct gd_sim_record *record)
{
    const struct gd_sim_operation *op = record->operations;
    const struct gd_sim_step *steps = record->steps;
    for (size_t left = record->operation_count; left > 0; left--, op++) {
        const struct gd_sim_step *step = &steps[op->first];
        size_t count = op->count;
        bool counted = counts(op);
        for (size_t k = 0; k < count; k++) {
            if (step[k].key >= f->parts->key_count) {
                f->parts->key_count = step[k].key + 1;
                if (step[k].key >= f->capacity) {
                    grow(f, 2 * (size_t)step[k].key);
                }
            }
            f->keys[step[k].key].steps += counted ? 1 : 0;
            if (k > 0 && counted) {
                bind_keys(f->keys, step[0].key, step[k].key);
            }
        }
        if (counted) {
            f->keys[step->key].operations++;
        }
    }
}

/* Counts at [1 + part] become the places where the parts begin. */
static void sum_up(size_t *first, size_t count)
{
    for (size_t part = 0; part < count; part++) {
        first[part + 1] += first[part];
    }
}

/* Part by part, in the order of the record; and by key, what is done to it. */
static void copy_steps(struct finding *f, const struct gd_sim_record *record)
{
    struct gd_sim_parts *parts = f->parts;
    struct place {
        size_t operation, brief;
    } *next = zeroed(parts->count, sizeof *next);
    struct key *keys = f->keys;
    struct gd_sim_brief *briefs = parts->briefs;
    for (size_t i = 0; i < parts->count; i++) {
        next[i] = (struct place){parts->operation_first[i], parts->brief_first[i]};
    }
    for (size_t i = 0; i < record->operation_count; i++) {
        const struct gd_sim_operation *op = &record->operations[i];
        const struct gd_sim_step *step = &record->steps[op->first];
        size_t count = op->count;
        if (!counts(op)) {
            continue;
        }
        struct place *place = &next[keys[step->key].part];
        struct gd_sim_brief *brief = &briefs[place->brief];
        parts->operations[place->operation++] = i;
        place->brief += count;
        for (size_t k = 0; k < count; k++, step++, brief++) {
            keys[step->key].kinds |= kind_of(op, step);
            make_brief(op, step, i, brief);
            brief->count = k == 0 ? (uint32_t)count : 0;
        }
    }
    for (uint32_t key = 0; key < parts->key_count; key++) {
        parts->kinds[key] = (uint16_t)keys[key].kinds;
    }
    free(next);
}

/* Each part's place among keys, operations and steps. */
static void sort_parts(struct finding *f)
{
    struct gd_sim_parts *parts = f->parts;
    for (uint32_t key = 0; key < parts->key_count; key++) {
        uint32_t root = root_of(f->keys, key);
        f->keys[key].part = root == key ? (uint32_t)parts->count++ : f->keys[root].part;
    }
    parts->keys = zeroed(parts->key_count, sizeof *parts->keys);
    parts->kinds = zeroed(parts->key_count, sizeof *parts->kinds);
    parts->key_first = zeroed(parts->count + 1, sizeof *parts->key_first);
    parts->operation_first = zeroed(parts->count + 1, sizeof *parts->operation_first);
    parts->brief_first = zeroed(parts->count + 1, sizeof *parts->brief_first);
    for (uint32_t key = 0; key < parts->key_count; key++) {
        const struct key *its = &f->keys[key];
        parts->key_first[its->part + 1]++;
        parts->operation_first[its->part + 1] += its->operations;
        parts->brief_first[its->part + 1] += its->steps;
    }
    sum_up(parts->key_first, parts->count);
    sum_up(parts->operation_first, parts->count);
    sum_up(parts->brief_first, parts->count);
    size_t *next = zeroed(parts->count + 1, sizeof *next);
    memcpy(next, parts->key_first, parts->count * sizeof *next);
    for (uint32_t key = 0; key < parts->key_count; key++) {
        parts->keys[next[f->keys[key].part]++] = key;
    }
    free(next);
}

void gd_sim_parts_find(struct gd_sim_parts *parts, const struct gd_sim_record *record)
{
    struct finding f = {.parts = parts};
    GD_ASSERT(record->operation_count < UINT32_MAX);
    GD_ASSERT(record->step_count < UINT32_MAX);
    *parts = (struct gd_sim_parts){0};
    grow(&f, 128);
    count_steps(&f, record);
    sort_parts(&f);
    parts->operations =
        gd_sim_big(parts->operation_first[parts->count] * sizeof *parts->operations);
    parts->briefs = gd_sim_big(parts->brief_first[parts->count] * sizeof *parts->briefs);
    copy_steps(&f, record);
    free(f.keys);
}

void gd_sim_parts_release(struct gd_sim_parts *parts)
{
    free(parts->keys);
    free(parts->kinds);
    free(parts->key_first);
    free(parts->operations);
    free(parts->operation_first);
    free(parts->briefs);
    free(parts->brief_first);
    *parts = (struct gd_sim_parts){0};
}
