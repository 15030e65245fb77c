/* lin_counts.c - which number comes of which by counting.
 *
 * Where every INCR of a key adds, and nothing is appended, a number grows until something else is
 * written: it comes of one that was written (a root), or of nothing, by no more than all INCRs of
 * the key together can add. A root with no other one that near, and nothing neither, is the only
 * way to the numbers right above it. If it is written once, then each of these is in force once at
 * most: within the time from that write to the next one they rise, and they never come back. */
#include "sim/lin_kv.h"
#include <stdlib.h>

#define FAR (INT64_MAX / 4) /* Of numbers beyond nothing is told. */

/* False: nothing counts anywhere. */
static bool add_up(struct gd_lin_kv_part_numbers *part)
{
    bool counts = false;
    for (uint32_t i = 0; i < part->cell_count; i++) {
        struct gd_lin_cell *cell = &part->cells[i];
        cell->grows = cell->counts && !cell->appends;
        cell->sum = 0;
        counts = counts || cell->counts;
    }
    for (size_t i = 0; i < part->step_count && counts; i++) {
        const struct gd_lin_op *op = &part->ops[i];
        struct gd_lin_cell *cell = &part->cells[op->cell];
        if (op->what == GD_SIM_DO_INCR) {
            cell->grows = cell->grows && op->add > 0 && op->add < FAR - cell->sum;
            cell->sum += cell->grows ? op->add : 0;
        }
    }
    return counts;
}

/* The place behind the last root under `cell` that is not above `integer`. */
static size_t place_of(const struct gd_lin_kv_part_numbers *part, uint32_t cell, int64_t integer)
{
    size_t low = 0, high = part->root_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct gd_lin_value *root = &part->values[part->roots[middle]];
        if (root->cell < cell || (root->cell == cell && root->integer <= integer)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Whether a root lies from `least` to `most`; nothing counts as 0. */
static bool has_root(const struct gd_lin_kv_part_numbers *part, uint32_t cell, int64_t least,
                     int64_t most)
{
    size_t place = place_of(part, cell, most);
    const struct gd_lin_value *root = place > 0 ? &part->values[part->roots[place - 1]] : NULL;
    return (least <= 0 && most >= 0) ||
           (root != NULL && root->cell == cell && root->integer >= least);
}

void gd_lin_find_roots(struct gd_lin_kv_part_numbers *part)
{
    size_t count = 0;
    bool counts = add_up(part);
    part->root_count = 0;
    for (uint32_t i = (uint32_t)part->cell_count; i < part->value_count && counts; i++) {
        const struct gd_lin_value *value = &part->values[i];
        if (value->number && value->makers > 0) {
            count++;
            if (value->integer > FAR || value->integer < -FAR) {
                part->cells[value->cell].grows = false;
            }
        }
    }
    if (count == 0) {
        return;
    }
    struct gd_lin_pair *pairs = gd_lin_zeroed(count, sizeof *pairs);
    part->roots = gd_lin_room(part->roots, &part->root_capacity, count, sizeof *part->roots);
    for (uint32_t i = (uint32_t)part->cell_count; i < part->value_count; i++) {
        const struct gd_lin_value *value = &part->values[i];
        if (value->number && value->makers > 0) {
            pairs[part->root_count++] =
                (struct gd_lin_pair){(uint64_t)value->integer ^ UINT64_C(1) << 63, i};
        }
    }
    gd_lin_sort(pairs, count);
    for (size_t i = 0; i < count; i++) {
        pairs[i].key = part->values[pairs[i].value].cell;
    }
    gd_lin_sort(pairs, count);
    for (size_t i = 0; i < count; i++) {
        part->roots[i] = pairs[i].value;
    }
    free(pairs);
}

bool gd_lin_counts_to(const struct gd_lin_kv_part_numbers *part, uint32_t cell, int64_t integer)
{
    const struct gd_lin_cell *c = &part->cells[cell];
    return c->counts && (!c->grows || integer > FAR || integer < -FAR ||
                         has_root(part, cell, integer - c->sum, integer - 1));
}

bool gd_lin_never_zero(const struct gd_lin_kv_part_numbers *part, uint32_t cell)
{
    size_t place = place_of(part, cell, 0);
    const struct gd_lin_value *root = place > 0 ? &part->values[part->roots[place - 1]] : NULL;
    return part->cells[cell].grows &&
           (root == NULL || root->cell != cell || root->integer < -part->cells[cell].sum);
}

uint32_t gd_lin_root_of(const struct gd_lin_kv_part_numbers *part, uint32_t value)
{
    const struct gd_lin_value *v = &part->values[value];
    const struct gd_lin_cell *cell = &part->cells[v->cell];
    if (!v->number || !cell->grows || v->integer > FAR || v->integer < -FAR) {
        return GD_LIN_NO;
    }
    size_t place = place_of(part, v->cell, v->integer);
    const struct gd_lin_value *root = place > 0 ? &part->values[part->roots[place - 1]] : NULL;
    if (root == NULL || root->cell != v->cell || root->makers != 1 ||
        v->integer - root->integer > cell->sum ||
        has_root(part, v->cell, root->integer - cell->sum, root->integer - 1) ||
        has_root(part, v->cell, root->integer + 1, root->integer + cell->sum) ||
        root->integer == 0) {
        return GD_LIN_NO;
    }
    return part->roots[place - 1];
}
