/* parts.c - union-find over keys, then two passes of counting: linear in the record. */
#include "sim/parts.h"
#include <stdlib.h>
#include <string.h>

static void *zeroed(size_t count, size_t size)
{
    void *array = calloc(count > 0 ? count : 1, size);
    GD_ASSERT(array != NULL);
    return array;
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

static void bind_keys(const struct gd_sim_record *record, uint32_t *above, uint32_t key_count)
{
    for (uint32_t key = 0; key < key_count; key++) {
        above[key] = key;
    }
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

void gd_sim_parts_find(struct gd_sim_parts *parts, const struct gd_sim_record *record)
{
    uint32_t *above, *part_of;
    size_t *next;

    *parts = (struct gd_sim_parts){0};
    for (size_t i = 0; i < record->step_count; i++) {
        if (record->steps[i].key >= parts->key_count) {
            parts->key_count = record->steps[i].key + 1;
        }
    }
    above = zeroed(parts->key_count, sizeof *above);
    part_of = zeroed(parts->key_count, sizeof *part_of);
    bind_keys(record, above, parts->key_count);
    for (uint32_t key = 0; key < parts->key_count; key++) {
        uint32_t root = root_of(above, key);
        part_of[key] = root == key ? (uint32_t)parts->count++ : part_of[root];
    }
    parts->keys = zeroed(parts->key_count, sizeof *parts->keys);
    parts->key_first = zeroed(parts->count + 1, sizeof *parts->key_first);
    parts->operations = zeroed(record->operation_count, sizeof *parts->operations);
    parts->operation_first = zeroed(parts->count + 1, sizeof *parts->operation_first);
    next = zeroed(parts->count + 1, sizeof *next);
    for (uint32_t key = 0; key < parts->key_count; key++) {
        parts->key_first[part_of[key] + 1]++;
    }
    sum_up(parts->key_first, parts->count);
    memcpy(next, parts->key_first, parts->count * sizeof *next);
    for (uint32_t key = 0; key < parts->key_count; key++) {
        parts->keys[next[part_of[key]]++] = key;
    }
    for (size_t i = 0; i < record->operation_count; i++) {
        const struct gd_sim_operation *op = &record->operations[i];
        if (counts(op)) {
            parts->operation_first[part_of[record->steps[op->first].key] + 1]++;
        }
    }
    sum_up(parts->operation_first, parts->count);
    memcpy(next, parts->operation_first, parts->count * sizeof *next);
    for (size_t i = 0; i < record->operation_count; i++) {
        const struct gd_sim_operation *op = &record->operations[i];
        if (counts(op)) {
            parts->operations[next[part_of[record->steps[op->first].key]]++] = i;
        }
    }
    free(above);
    free(part_of);
    free(next);
}

void gd_sim_parts_release(struct gd_sim_parts *parts)
{
    free(parts->keys);
    free(parts->key_first);
    free(parts->operations);
    free(parts->operation_first);
    *parts = (struct gd_sim_parts){0};
}
