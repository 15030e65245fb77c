/* parts.c - union-find over keys, then two passes of counting: linear in the record, whose
 * operations are looked at once. */
#include "sim/parts.h"
#include "sim/big.h"
#include <stdlib.h>
#include <string.h>

#define NO_KEY UINT32_MAX

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

/* By operation: its first step's key, or NO_KEY. By key: what is done to it. True: some operation
 * has several steps. */
static bool find_keys(struct gd_sim_parts *parts, const struct gd_sim_record *record,
                      uint32_t *key_of)
{
    bool several = false;
    size_t capacity = 0;
    for (size_t i = 0; i < record->operation_count; i++) {
        const struct gd_sim_operation *op = &record->operations[i];
        for (size_t k = 0; k < op->count; k++) {
            const struct gd_sim_step *step = &record->steps[op->first + k];
            if (step->key >= capacity) {
                size_t more = step->key < 64 ? 128 : 2 * (size_t)step->key;
                parts->kinds = gd_sim_bigger(parts->kinds, capacity * sizeof *parts->kinds,
                                             more * sizeof *parts->kinds);
                memset(parts->kinds + capacity, 0, (more - capacity) * sizeof *parts->kinds);
                capacity = more;
            }
            parts->key_count = step->key >= parts->key_count ? step->key + 1 : parts->key_count;
            parts->kinds[step->key] = (uint16_t)(parts->kinds[step->key] | kind_of(op, step));
        }
        key_of[i] = counts(op) ? record->steps[op->first].key : NO_KEY;
        several = several || op->count > 1;
    }
    return several;
}

static void bind_keys(const struct gd_sim_record *record, uint32_t *above)
{
    for (size_t i = 0; i < record->operation_count; i++) {
        const struct gd_sim_operation *op = &record->operations[i];
        for (size_t k = 1; k < op->count && counts(op); k++) {
            uint32_t a = root_of(above, record->steps[op->first].key);
            uint32_t b = root_of(above, record->steps[op->first + k].key);
            above[a > b ? a : b] = a < b ? a : b;
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

/* Part by part, in the order of the record; `key_of` becomes whose they are. */
static void sort_operations(struct gd_sim_parts *parts, const struct gd_sim_record *record,
                            uint32_t *key_of, const uint32_t *part_of)
{
    size_t *next = zeroed(parts->count + 1, sizeof *next);
    for (size_t i = 0; i < record->operation_count; i++) {
        if (key_of[i] != NO_KEY) {
            key_of[i] = part_of[key_of[i]];
            parts->operation_first[key_of[i] + 1]++;
        }
    }
    sum_up(parts->operation_first, parts->count);
    memcpy(next, parts->operation_first, parts->count * sizeof *next);
    for (size_t i = 0; i < record->operation_count; i++) {
        if (key_of[i] != NO_KEY) {
            parts->operations[next[key_of[i]]++] = i;
        }
    }
    free(next);
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
    uint32_t *above, *part_of, *key_of = zeroed(record->operation_count, sizeof *key_of);
    *parts = (struct gd_sim_parts){0};
    bool several = find_keys(parts, record, key_of);
    above = zeroed(parts->key_count, sizeof *above);
    part_of = zeroed(parts->key_count, sizeof *part_of);
    for (uint32_t key = 0; key < parts->key_count; key++) {
        above[key] = key;
    }
    if (several) {
        bind_keys(record, above);
    }
    for (uint32_t key = 0; key < parts->key_count; key++) {
        uint32_t root = root_of(above, key);
        part_of[key] = root == key ? (uint32_t)parts->count++ : part_of[root];
    }
    parts->keys = zeroed(parts->key_count, sizeof *parts->keys);
    parts->key_first = zeroed(parts->count + 1, sizeof *parts->key_first);
    parts->operations = zeroed(record->operation_count, sizeof *parts->operations);
    parts->operation_first = zeroed(parts->count + 1, sizeof *parts->operation_first);
    sort_keys(parts, part_of);
    sort_operations(parts, record, key_of, part_of);
    free(above);
    free(part_of);
    free(key_of);
}

void gd_sim_parts_release(struct gd_sim_parts *parts)
{
    free(parts->keys);
    free(parts->kinds);
    free(parts->key_first);
    free(parts->operations);
    free(parts->operation_first);
    *parts = (struct gd_sim_parts){0};
}
