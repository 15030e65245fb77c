/* parts.c - union-find over keys, then one pass of sorting: linear in the record, which is read
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

struct finding {
    struct gd_sim_parts *parts;
    struct gd_sim_brief *briefs; /* Owned: in the order of the record. */
    struct key_counts {
        uint32_t operations, steps; /* Those that begin there, and all. */
    } * counts;                     /* Owned: by key. */
    size_t capacity;                /* Of that, and of what the parts keep by key. */
    size_t count;                   /* Steps. */
    bool several;                   /* Some operation has several. */
};

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

static void know_key(struct finding *f, uint32_t key)
{
    struct gd_sim_parts *parts = f->parts;
    if (key >= f->capacity) {
        size_t more = key < 64 ? 128 : 2 * (size_t)key;
        parts->kinds = gd_sim_bigger(parts->kinds, f->capacity * sizeof *parts->kinds,
                                     more * sizeof *parts->kinds);
        memset(parts->kinds + f->capacity, 0, (more - f->capacity) * sizeof *parts->kinds);
        f->counts =
            gd_sim_bigger(f->counts, f->capacity * sizeof *f->counts, more * sizeof *f->counts);
        memset(f->counts + f->capacity, 0, (more - f->capacity) * sizeof *f->counts);
        f->capacity = more;
    }
    parts->key_count = key >= parts->key_count ? key + 1 : parts->key_count;
}

/* All steps, in the order of the record; by key, what is done to it, and how often. */
static void find_steps(struct finding *f, const struct gd_sim_record *record)
{
    struct gd_sim_parts *parts = f->parts;
    struct gd_sim_brief *briefs = f->briefs;
    size_t count = 0;
    for (size_t i = 0; i < record->operation_count; i++) {
        const struct gd_sim_operation *op = &record->operations[i];
        const struct gd_sim_step *step = &record->steps[op->first];
        bool counted = counts(op);
        for (size_t k = 0; k < op->count; k++, step++) {
            if (step->key >= parts->key_count) {
                know_key(f, step->key);
            }
            parts->kinds[step->key] = (uint16_t)(parts->kinds[step->key] | kind_of(op, step));
            if (counted) {
                GD_ASSERT(f->counts != NULL); /* Its key is known. */
                f->counts[step->key].steps++;
                f->counts[step->key].operations += k == 0 ? 1 : 0;
                make_brief(op, step, i, &briefs[count]);
                briefs[count++].count = k == 0 ? (uint32_t)op->count : 0;
            }
        }
        f->several = f->several || op->count > 1;
    }
    f->count = count;
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
static void sort_steps(struct finding *f, const uint32_t *part_of)
{
    struct gd_sim_parts *parts = f->parts;
    struct place {
        size_t operation, brief;
    } *next = zeroed(parts->count, sizeof *next);
    GD_ASSERT(parts->key_count == 0 || f->counts != NULL);
    for (uint32_t key = 0; key < parts->key_count; key++) {
        parts->operation_first[part_of[key] + 1] += f->counts[key].operations;
        parts->brief_first[part_of[key] + 1] += f->counts[key].steps;
    }
    sum_up(parts->operation_first, parts->count);
    sum_up(parts->brief_first, parts->count);
    parts->operations =
        gd_sim_big(parts->operation_first[parts->count] * sizeof *parts->operations);
    for (size_t i = 0; i < parts->count; i++) {
        next[i] = (struct place){parts->operation_first[i], parts->brief_first[i]};
    }
    parts->briefs = parts->count == 1 ? f->briefs : gd_sim_big(f->count * sizeof *f->briefs);
    for (size_t i = 0; i < f->count; i++) {
        const struct gd_sim_brief *brief = &f->briefs[i];
        struct place *place = &next[part_of[brief->key]];
        if (brief->count > 0) {
            parts->operations[place->operation++] = brief->operation;
        }
        if (parts->count > 1) {
            parts->briefs[place->brief++] = *brief;
        }
    }
    free(next);
    if (parts->count != 1) {
        free(f->briefs);
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
    struct finding f = {.parts = parts};
    uint32_t *above, *part_of;
    GD_ASSERT(record->operation_count < UINT32_MAX);
    GD_ASSERT(record->step_count < UINT32_MAX);
    *parts = (struct gd_sim_parts){0};
    f.briefs = gd_sim_big(record->step_count * sizeof *f.briefs);
    find_steps(&f, record);
    above = zeroed(parts->key_count, sizeof *above);
    part_of = zeroed(parts->key_count, sizeof *part_of);
    for (uint32_t key = 0; key < parts->key_count; key++) {
        above[key] = key;
    }
    if (f.several) {
        bind_keys(f.briefs, f.count, above);
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
    sort_steps(&f, part_of);
    free(f.counts);
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
