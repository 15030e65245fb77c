/* picture_find.c - from the checker's answer to what a page shows. */
#include "sim/picture_find.h"
#include <stdio.h>
#include <stdlib.h>

#define STEPS_MAX 200000 /* Of one search: a picture may lack an order. */
#define TRIES_MAX 4      /* Operations that are left out in turn. */

static void *zeroed(size_t count, size_t size)
{
    void *array = calloc(count > 0 ? count : 1, size);
    GD_ASSERT(array != NULL);
    return array;
}

static char *joined(const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = zeroed(size, 1);
    (void)snprintf(text, size, "%s%s%s", a, b, c);
    return text;
}

/* With whose return the part turned illegal. */
static size_t turning_of(const struct gd_sim_record *record, const struct gd_lin_kv_part *part)
{
    for (size_t i = 0; i < part->operation_count && part->illegal_at != GD_LIN_OPEN; i++) {
        const struct gd_sim_operation *op = &record->operations[part->operations[i]];
        if (op->fate == GD_SIM_FATE_DONE && op->back == part->illegal_at) {
            return part->operations[i];
        }
    }
    return GD_SIM_PICTURE_NOBODY;
}

static void add_order(struct gd_sim_picture *picture, const struct gd_lin_kv_part *part)
{
    const struct gd_lin_result *result = &part->result;
    struct gd_sim_picture_order *order = gd_sim_picture_add_order(picture, result->order_count);
    for (size_t i = 0; i < result->order_count; i++) {
        order->operations[i] = result->order[i];
    }
    if (result->verdict != GD_LIN_LEGAL && result->stuck_count > 0) {
        order->stuck = result->stuck[0];
        order->why = joined(part->why != NULL ? part->why : "",
                            part->states != NULL ? "; before it, possible: " : "",
                            part->states != NULL ? part->states : "");
    }
}

/* What of a part had happened by `until`, without one of its operations; `numbers` gets the others'
 * in the record. Steps, names and texts are shared. */
static struct gd_sim_record rest_of(const struct gd_sim_record *record,
                                    const struct gd_lin_kv_part *part, size_t operation,
                                    uint64_t until, size_t *numbers)
{
    struct gd_sim_record rest = *record;
    rest.operations = zeroed(part->operation_count, sizeof *rest.operations);
    rest.operation_count = 0;
    for (size_t i = 0; i < part->operation_count; i++) {
        struct gd_sim_operation op = record->operations[part->operations[i]];
        if (part->operations[i] != operation && op.call <= until) {
            op.fate = op.fate == GD_SIM_FATE_DONE && op.back > until ? GD_SIM_FATE_OPEN : op.fate;
            numbers[rest.operation_count] = part->operations[i];
            rest.operations[rest.operation_count++] = op;
        }
    }
    return rest;
}

/* The one part that has an order; NULL: none has, or, without a transaction that bound the keys,
 * several have, and there is no one order to show. */
static const struct gd_lin_result *only_order(const struct gd_lin_kv *answer)
{
    const struct gd_lin_result *only = NULL;
    for (size_t i = 0; i < answer->part_count; i++) {
        if (answer->parts[i].result.order_count > 0) {
            if (only != NULL) {
                return NULL;
            }
            only = &answer->parts[i].result;
        }
    }
    return only;
}

/* When the part, up to `until`, is legal without `operation`: that order is added, stuck there. */
static bool add_order_without(struct gd_sim_picture *picture, const struct gd_lin_kv_part *part,
                              bool ordered, size_t operation, uint64_t until)
{
    size_t *numbers = zeroed(part->operation_count, sizeof *numbers);
    struct gd_sim_record rest = rest_of(picture->record, part, operation, until, numbers);
    const struct gd_lin_kv_options options = {.ordered = ordered, .limits = {.steps = STEPS_MAX}};
    struct gd_lin_kv answer;
    gd_lin_kv_check(&rest, &options, &answer);
    const struct gd_lin_result *result =
        answer.verdict == GD_LIN_LEGAL ? only_order(&answer) : NULL;
    if (result != NULL) {
        struct gd_sim_picture_order *order = gd_sim_picture_add_order(picture, result->order_count);
        for (size_t k = 0; k < result->order_count; k++) {
            order->operations[k] = numbers[result->order[k]];
        }
        order->stuck = operation;
        order->why = joined(until == UINT64_MAX ? "all others fit without it"
                                                : "what had happened by then fits without it",
                            "", "");
    }
    gd_lin_kv_release(&answer);
    free(rest.operations);
    free(numbers);
    return result != NULL;
}

static void add_illegal(struct gd_sim_picture *picture, const struct gd_lin_kv_part *part,
                        bool ordered)
{
    size_t turning = turning_of(picture->record, part);
    size_t tried = 0;
    if (picture->turning == GD_SIM_PICTURE_NOBODY) {
        picture->turning = turning;
    }
    if (turning != GD_SIM_PICTURE_NOBODY) {
        gd_sim_picture_add_culprit(picture, turning, "with its return no order is left");
        if (!add_order_without(picture, part, ordered, turning, UINT64_MAX)) {
            (void)add_order_without(picture, part, ordered, turning, part->illegal_at);
        }
    }
    for (size_t k = 0; k < part->result.stuck_count; k++) {
        size_t stuck = part->result.stuck[k];
        if (stuck != turning) {
            gd_sim_picture_add_culprit(picture, stuck, "cannot be placed with the others");
            if (++tried < TRIES_MAX) {
                (void)add_order_without(picture, part, ordered, stuck, UINT64_MAX);
            }
        }
    }
    if (part->result.order_count > 0) {
        add_order(picture, part);
    }
}

void gd_sim_picture_fill(struct gd_sim_picture *picture, const struct gd_lin_kv *answer,
                         bool ordered)
{
    static const char *const methods[] = {NULL, "decided by blocks of values that are made once",
                                          "decided by search", "decided by blocks and by search"};
    unsigned paths = 0;
    for (size_t i = 0; i < answer->part_count; i++) {
        const struct gd_lin_kv_part *part = &answer->parts[i];
        if (!part->judged || part->operation_count == 0) {
            continue;
        }
        paths |= part->result.path == GD_LIN_PATH_BLOCKS ? 1 : 0;
        paths |= part->result.path == GD_LIN_PATH_SEARCH ? 2 : 0;
        if (part->result.verdict == GD_LIN_ILLEGAL) {
            add_illegal(picture, part, ordered);
        } else if (part->result.order_count > 0) {
            add_order(picture, part);
        }
    }
    picture->method = methods[paths];
}

void gd_sim_picture_find(struct gd_sim_picture *picture, enum gd_sim_verdict_kind kind)
{
    struct gd_lin_kv_options options = {.ordered = kind == GD_SIM_VERDICT_ORDERED,
                                        .explain = true,
                                        .all = true,
                                        .limits = {.steps = STEPS_MAX}};
    struct gd_lin_kv answer;
    gd_lin_kv_check(picture->record, &options, &answer);
    gd_sim_picture_fill(picture, &answer, options.ordered);
    gd_lin_kv_release(&answer);
}
