/* picture_find.c - orders for a picture, and where a history turns illegal.
 *
 * Where it turns is found by bisection over the returns: a history cut at a time keeps what was
 * called by then, and what had not returned is open. Cut later it holds more, so there is one
 * return with which it becomes illegal. */
#include "sim/picture_find.h"
#include "sim/parts.h"
#include "sim/zones.h"
#include <stdlib.h>

static void *zeroed(size_t count, size_t size)
{
    void *array = calloc(count > 0 ? count : 1, size);
    GD_ASSERT(array != NULL);
    return array;
}

struct part {
    const struct gd_sim_record *record;
    const size_t *operations;
    size_t count;
    enum gd_sim_verdict_kind kind;
};

/* The verdict on what of a part had happened by `until`. */
static enum gd_sim_outcome judge_until(const struct part *part, gd_time_ns until)
{
    char scrap[1500];
    struct gd_sim_record cut = *part->record; /* Steps, names and texts are shared. */
    cut.operations = zeroed(part->count, sizeof *cut.operations);
    cut.operation_count = 0;
    for (size_t i = 0; i < part->count; i++) {
        struct gd_sim_operation op = part->record->operations[part->operations[i]];
        if (op.call <= until) {
            if (op.fate == GD_SIM_FATE_DONE && op.back > until) {
                op.fate = GD_SIM_FATE_OPEN;
            }
            cut.operations[cut.operation_count++] = op;
        }
    }
    enum gd_sim_outcome outcome = gd_sim_verdict(&cut, part->kind, scrap, sizeof scrap);
    free(cut.operations);
    return outcome;
}

struct back {
    gd_time_ns at;
    size_t operation;
};
static int compare_backs(const void *a, const void *b)
{
    const struct back *x = a, *y = b;
    if (x->at != y->at) {
        return x->at < y->at ? -1 : 1;
    }
    return x->operation < y->operation ? -1 : x->operation > y->operation;
}

static size_t find_turning(const struct part *part)
{
    struct back *backs = zeroed(part->count, sizeof *backs);
    size_t count = 0;
    for (size_t i = 0; i < part->count; i++) {
        const struct gd_sim_operation *op = &part->record->operations[part->operations[i]];
        if (op->fate == GD_SIM_FATE_DONE) {
            backs[count++] = (struct back){op->back, part->operations[i]};
        }
    }
    qsort(backs, count, sizeof *backs, compare_backs);
    size_t low = 0, high = count; /* Illegal with the return at `high - 1`, not before `low`. */
    while (low + 1 < high) {
        size_t middle = low + (high - low) / 2;
        if (judge_until(part, backs[middle - 1].at) == GD_SIM_FAIL) {
            high = middle;
        } else {
            low = middle;
        }
    }
    size_t found = count > 0 ? backs[high - 1].operation : GD_SIM_PICTURE_NOBODY;
    free(backs);
    return found;
}

static void add_order(struct gd_sim_picture *picture, const struct part *part)
{
    char scrap[512];
    size_t placed;
    size_t *order = zeroed(part->count, sizeof *order);
    bool single = true;
    for (size_t i = 0; i < part->count; i++) {
        single = single && part->record->operations[part->operations[i]].count == 1;
    }
    if (single && gd_sim_zones(part->record, part->operations, part->count, order, &placed, scrap,
                               sizeof scrap) == GD_SIM_ZONES_LEGAL) {
        struct gd_sim_picture_order *to = gd_sim_picture_add_order(picture, placed);
        memcpy(to->operations, order, placed * sizeof *order);
    }
    free(order);
}

void gd_sim_picture_find(struct gd_sim_picture *picture, enum gd_sim_verdict_kind kind)
{
    struct gd_sim_parts parts;
    gd_sim_parts_find(&parts, picture->record);
    for (size_t i = 0; i < parts.count; i++) {
        struct part part = {.record = picture->record,
                            .operations = parts.operations + parts.operation_first[i],
                            .count = parts.operation_first[i + 1] - parts.operation_first[i],
                            .kind = kind};
        if (part.count == 0) {
            continue;
        }
        if (picture->outcome == GD_SIM_FAIL && picture->turning == GD_SIM_PICTURE_NOBODY &&
            judge_until(&part, UINT64_MAX) == GD_SIM_FAIL) {
            picture->turning = find_turning(&part);
            gd_sim_picture_add_culprit(picture, picture->turning,
                                       "with its return no order is left");
        } else {
            add_order(picture, &part);
        }
    }
    gd_sim_parts_release(&parts);
}
