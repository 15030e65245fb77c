/* lin_replay.c - an order, played again on a plain store of texts. Shares nothing with what found
 * the order but the record. */
#include "sim/linearize_kv.h"
#include "sim/lin_search.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct slot {
    bool there;
    struct gd_bytes text;
};

static bool equals(const struct slot *slot, const struct gd_sim_value *value)
{
    if (value->kind != GD_SIM_VALUE_TEXT) {
        return !slot->there;
    }
    return slot->there && slot->text.size == value->size &&
           (value->size == 0 || memcmp(slot->text.data, value->text, value->size) == 0);
}

static void put(struct slot *slot, const struct gd_sim_value *value)
{
    gd_bytes_release(&slot->text);
    slot->there = value->kind == GD_SIM_VALUE_TEXT;
    if (slot->there) {
        gd_bytes_add(&slot->text, value->text, value->size);
    }
}

static bool is_number(const struct slot *slot, int64_t *number)
{
    char copy[32] = "", back[32];
    *number = 0;
    if (!slot->there) {
        return true;
    }
    if (slot->text.size == 0 || slot->text.size >= sizeof copy) {
        return false;
    }
    memcpy(copy, slot->text.data, slot->text.size);
    *number = strtoll(copy, NULL, 10);
    (void)snprintf(back, sizeof back, "%" PRId64, *number);
    return strcmp(copy, back) == 0;
}

static bool play_incr(struct slot *slot, const struct gd_sim_step *step, bool known)
{
    int64_t number, sum;
    char text[32];
    if (!is_number(slot, &number) || __builtin_add_overflow(number, step->input.number, &sum)) {
        return !known || step->output.kind == GD_SIM_VALUE_ERROR;
    }
    int size = snprintf(text, sizeof text, "%" PRId64, sum);
    put(slot,
        &(struct gd_sim_value){.kind = GD_SIM_VALUE_TEXT, .text = text, .size = (size_t)size});
    return !known || (step->output.kind == GD_SIM_VALUE_NUMBER && step->output.number == sum);
}

static bool play(struct slot *slot, const struct gd_sim_step *step, bool known)
{
    static const struct gd_sim_value nothing = {.kind = GD_SIM_VALUE_NOTHING};
    bool was = slot->there, saw = equals(slot, &step->output), said;
    switch (step->what) {
    case GD_SIM_DO_READ:
        return !known || saw;
    case GD_SIM_DO_WRITE:
        put(slot, &step->input);
        return true;
    case GD_SIM_DO_APPEND:
        slot->there = true;
        gd_bytes_add(&slot->text, step->input.text, step->input.size);
        return !known || step->output.kind != GD_SIM_VALUE_NUMBER ||
               step->output.number == (int64_t)slot->text.size;
    case GD_SIM_DO_CAS:
        said = equals(slot, &step->old);
        if (said) {
            put(slot, &step->input);
        }
        return !known || (step->output.kind == GD_SIM_VALUE_TRUE) == said;
    case GD_SIM_DO_SETNX:
        if (!was) {
            put(slot, &step->input);
        }
        return !known || (step->output.kind == GD_SIM_VALUE_TRUE) == !was;
    case GD_SIM_DO_DELETE:
        put(slot, &nothing);
        return !known || step->output.kind == GD_SIM_VALUE_NOTHING ||
               (step->output.kind == GD_SIM_VALUE_TRUE) == was;
    case GD_SIM_DO_SWAP:
        put(slot, &step->input);
        return !known || saw;
    case GD_SIM_DO_TAKE:
        put(slot, &nothing);
        return !known || saw;
    case GD_SIM_DO_INCR:
        return play_incr(slot, step, known);
    case GD_SIM_DO_TXN:
        break;
    }
    return false;
}

/* 0: not of this part, 1: to be placed, 2: placed. */
static uint8_t *mark_part(const struct gd_sim_record *record, const struct gd_lin_kv_part *part)
{
    uint8_t *marks = gd_lin_zeroed(record->operation_count, 1);
    for (size_t i = 0; i < part->operation_count; i++) {
        marks[part->operations[i]] = 1;
    }
    return marks;
}

bool gd_lin_kv_replay(const struct gd_sim_record *record, const struct gd_lin_kv_part *part)
{
    size_t slot_count = 0;
    uint8_t *marks = mark_part(record, part);
    gd_time_ns now = 0;
    bool good = true;
    for (size_t i = 0; i < part->key_count; i++) {
        slot_count = part->keys[i] + 1 > slot_count ? part->keys[i] + 1 : slot_count;
    }
    struct slot *slots = gd_lin_zeroed(slot_count, sizeof *slots);
    for (size_t k = 0; k < part->result.order_count && good; k++) {
        size_t number = part->result.order[k];
        good = number < record->operation_count && marks[number] == 1;
        const struct gd_sim_operation *op = &record->operations[good ? number : 0];
        bool known = op->fate == GD_SIM_FATE_DONE;
        now = op->call > now ? op->call : now;
        good = good && (!known || now <= op->back);
        for (size_t i = 0; i < op->count && good; i++) {
            const struct gd_sim_step *step = &record->steps[op->first + i];
            good = step->key < slot_count && play(&slots[step->key], step, known);
        }
        marks[good ? number : 0] = 2;
    }
    for (size_t i = 0; i < part->operation_count && good; i++) {
        good = marks[part->operations[i]] == 2 ||
               record->operations[part->operations[i]].fate == GD_SIM_FATE_OPEN;
    }
    for (size_t i = 0; i < slot_count; i++) {
        gd_bytes_release(&slots[i].text);
    }
    free(slots);
    free(marks);
    return good;
}
