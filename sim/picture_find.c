/* picture_find.c - from the checker's answer to what a page shows. */
#include "sim/picture_find.h"
#include <stdlib.h>

#define STEPS_MAX 200000 /* Of one search: a picture may lack an order. */

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

static void add_part(struct gd_sim_picture *picture, const struct gd_lin_kv_part *part)
{
    const struct gd_lin_result *result = &part->result;
    struct gd_sim_picture_order *order = gd_sim_picture_add_order(picture, result->order_count);
    for (size_t i = 0; i < result->order_count; i++) {
        order->operations[i] = result->order[i];
    }
    if (result->verdict == GD_LIN_LEGAL) {
        return;
    }
    if (result->stuck_count > 0) {
        order->stuck = result->stuck[0];
    }
    if (part->why != NULL) {
        size_t size = strlen(part->why) + 1;
        order->why = malloc(size);
        GD_ASSERT(order->why != NULL);
        memcpy(order->why, part->why, size);
    }
}

void gd_sim_picture_fill(struct gd_sim_picture *picture, const struct gd_lin_kv *answer)
{
    for (size_t i = 0; i < answer->part_count; i++) {
        const struct gd_lin_kv_part *part = &answer->parts[i];
        if (!part->judged || part->operation_count == 0) {
            continue;
        }
        if (part->result.order_count > 0) {
            add_part(picture, part);
        }
        if (part->result.verdict != GD_LIN_ILLEGAL) {
            continue;
        }
        size_t turning = turning_of(picture->record, part);
        if (picture->turning == GD_SIM_PICTURE_NOBODY) {
            picture->turning = turning;
        }
        if (turning != GD_SIM_PICTURE_NOBODY) {
            gd_sim_picture_add_culprit(picture, turning, "with its return no order is left");
        }
        for (size_t k = 0; k < part->result.stuck_count; k++) {
            if (part->result.stuck[k] != turning) {
                gd_sim_picture_add_culprit(picture, part->result.stuck[k], part->why);
            }
        }
    }
}

void gd_sim_picture_find(struct gd_sim_picture *picture, enum gd_sim_verdict_kind kind)
{
    struct gd_lin_kv_options options = {.ordered = kind == GD_SIM_VERDICT_ORDERED,
                                        .explain = true,
                                        .all = true,
                                        .limits = {.steps = STEPS_MAX}};
    struct gd_lin_kv answer;
    gd_lin_kv_check(picture->record, &options, &answer);
    gd_sim_picture_fill(picture, &answer);
    gd_lin_kv_release(&answer);
}
