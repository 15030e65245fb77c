/* parts.c - union-find over keys, then two passes of counting: linear in the record, which is read
 * once, from end to end: an operation takes four lines of the cache there, and what the checker
 * needs of it, less than one. So that is copied, and what follows is done with the copies. */
#include "sim/parts.h"
#include "sim/big.h"
#include <stdlib.h>
#include <string.h>

static void *zeroed(size_t count, size_t size)
{
    return memset(gd_sim_big(count * size), 0, count * size);
}

static uint32_t root_of(uint32_t *above, uint32_t key)
{
    while (above[key] != key) {
        above[key] = above[above[key]];
        key = above[key];
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

void gd_sim_brief_make(const struct gd_sim_record *record, size_t operation,
                       struct gd_sim_brief *to)
{
    const struct gd_sim_operation *op = &record->operations[operation];
    for (size_t k = 0; k < op->count; k++) {
        const struct gd_sim_step *step = &record->steps[op->first + k];
        to[k] = (struct gd_sim_brief){
            .call = op->call,
            .back = op->fate == GD_SIM_FATE_DONE ? op->back : GD_SIM_BACK_UNKNOWN,
            .operation = (uint32_t)operation,
            .key = step->key,
            .input = step->input.kind == GD_SIM_VALUE_TEXT ? step->input.known : 0,
            .old = step->old.kind == GD_SIM_VALUE_TEXT ? step->old.known : 0,
            .count = k == 0 ? (uint32_t)op->count : 0,
            .what = (uint8_t)step->what,
            .output = (uint8_t)step->output.kind};
        if (step->what == GD_SIM_DO_INCR) {
            to[k].add = step->input.number;
        }
        if (step->output.kind == GD_SIM_VALUE_TEXT) {
            to[k].seen = step->output.known;
        } else {
            to[k].number = step->output.number;
        }
    }
}

static void know_key(struct gd_sim_parts *parts, uint32_t key, size_t *capacity)
{
    if (key >= *capacity) {
        size_t more = key < 64 ? 128 : 2 * (size_t)key;
        parts->kinds = gd_sim_bigger(parts->kinds, *capacity * sizeof *parts->kinds,
                                     more * sizeof *parts->kinds);
        memset(parts->kinds + *capacity, 0, (more - *capacity) * sizeof *parts->kinds);
        *capacity = more;
    }
    parts->key_count = key >= parts->key_count ? key + 1 : parts->key_count;
}

/* All steps, in the order of the record; by key, what is done to it. True: some operation has
 * several steps. */
static bool find_steps(struct gd_sim_parts *parts, const struct gd_sim_record *record,
                       struct gd_sim_brief *briefs, size_t *brief_count)
{
    bool several = false;
    size_t capacity = 0, count = 0;
    for (size_t i = 0; i < record->operation_count; i++) {
        const struct gd_sim_operation *op = &record->operations[i];
        for (size_t k = 0; k < op->count; k++) {
            const struct gd_sim_step *step = &record->steps[op->first + k];
            know_key(parts, step->key, &capacity);
            parts->kinds[step->key] = (uint16_t)(parts->kinds[step->key] | kind_of(op, step));
        }
        if (counts(op)) {
            gd_sim_brief_make(record, i, briefs + count);
            count += op->count;
        }
        several = several || op->count > 1;
    }
    *brief_count = count;
    return several;
}

static void bind_keys(const struct gd_sim_brief *briefs, size_t count, uint32_t *above)
{
    uint32_t first = 0;
    for (size_t i = 0; i < count; i++) {
        first = briefs[i].count > 0 ? briefs[i].key : first;
        uint32_t a = root_of(above, first), b = root_of(above, briefs[i].key);
        above[a > b ? a : b] = a < b ? a : b;
    }
}

/* Counts at [1 + part] become the places where the parts begin. */
static void sum_up(size_t *first, size_t count)
{
    for (size_t part = 0; part < count; part++) {
        first[part + 1] += first[part];
    }
}

/* Part by part, in the order of the record. */
static void sort_steps(struct gd_sim_parts *parts, struct gd_sim_brief *briefs, size_t count,
                       const uint32_t *part_of)
{
    struct place {
        size_t operation, brief;
    } *next = zeroed(parts->count, sizeof *next);
    for (size_t i = 0; i < count; i++) {
        uint32_t part = part_of[briefs[i].key];
        parts->operation_first[part + 1] += briefs[i].count > 0 ? 1 : 0;
        parts->brief_first[part + 1]++;
    }
    sum_up(parts->operation_first, parts->count);
    sum_up(parts->brief_first, parts->count);
    parts->operations =
        gd_sim_big(parts->operation_first[parts->count] * sizeof *parts->operations);
    parts->briefs = parts->count == 1 ? briefs : gd_sim_big(count * sizeof *briefs);
    for (size_t i = 0; i < parts->count; i++) {
        next[i] = (struct place){parts->operation_first[i], parts->brief_first[i]};
    }
    for (size_t i = 0; i < count; i++) {
        struct place *place = &next[part_of[briefs[i].key]];
        if (briefs[i].count > 0) {
            parts->operations[place->operation++] = briefs[i].operation;
        }
        if (parts->count > 1) {
            parts->briefs[place->brief++] = briefs[i];
        }
    }
    free(next);
    if (parts->count != 1) {
        free(briefs);
    }
}

static void sort_keys(struct gd_sim_parts *parts, const uint32_t *part_of)
{
    size_t *next = zeroed(parts->count + 1, sizeof *next);
    for (uint32_t key = 0; key < parts->key_count; key++) {
        parts->key_first[part_of[key] + 1]++;
    }
    sum_up(parts->key_first, parts->count);
    memcpy(next, parts->key_first, parts->count * sizeof *next);
    for (uint32_t key = 0; key < parts->key_count; key++) {
        parts->keys[next[part_of[key]]++] = key;
    }
    free(next);
}

void gd_sim_parts_find(struct gd_sim_parts *parts, const struct gd_sim_record *record)
{
    uint32_t *above, *part_of;
    struct gd_sim_brief *briefs = gd_sim_big(record->step_count * sizeof *briefs);
    size_t count;
    GD_ASSERT(record->operation_count < UINT32_MAX);
    *parts = (struct gd_sim_parts){0};
    bool several = find_steps(parts, record, briefs, &count);
    above = zeroed(parts->key_count, sizeof *above);
    part_of = zeroed(parts->key_count, sizeof *part_of);
    for (uint32_t key = 0; key < parts->key_count; key++) {
        above[key] = key;
    }
    if (several) {
        bind_keys(briefs, count, above);
    }
    for (uint32_t key = 0; key < parts->key_count; key++) {
        uint32_t root = root_of(above, key);
        part_of[key] = root == key ? (uint32_t)parts->count++ : part_of[root];
    }
    parts->keys = zeroed(parts->key_count, sizeof *parts->keys);
    parts->key_first = zeroed(parts->count + 1, sizeof *parts->key_first);
    parts->operation_first = zeroed(parts->count + 1, sizeof *parts->operation_first);
    parts->brief_first = zeroed(parts->count + 1, sizeof *parts->brief_first);
    sort_keys(parts, part_of);
    sort_steps(parts, briefs, count, part_of);
    free(above);
    free(part_of);
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
