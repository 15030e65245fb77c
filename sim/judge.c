/* judge.c - a record of a database with a model of its own, before the checker; see judge.h. */
#include "sim/judge.h"
#include "sim/plan.h"
#include <stdio.h>
#include <stdlib.h>

#define STEPS_MAX 2000000
#define MEMORY_MAX (UINT64_C(1) << 30)

struct judged {
    const struct gd_sim_model *model;
    const struct gd_sim_record *record;
    size_t *which; /* Owned: the record's numbers of the operations that count. */
    struct gd_lin_operation *operations; /* Owned. */
    size_t count;
};

static const struct gd_sim_operation *operation_of(const void *context, size_t number)
{
    const struct judged *judged = context;
    return &judged->record->operations[judged->which[number]];
}

static void start(const void *context, void *state)
{
    const struct gd_sim_model *model = ((const struct judged *)context)->model;
    memset(state, 0, model->state_size);
    if (model->start != NULL) {
        model->start(state);
    }
}

static bool step(const void *context, size_t number, const void *state, void *next)
{
    const struct gd_sim_model *model = ((const struct judged *)context)->model;
    const struct gd_sim_operation *op = operation_of(context, number);
    return model->step(state, op->input, op->fate == GD_SIM_FATE_DONE ? &op->output : NULL, next);
}

static bool reads_only(const void *context, size_t number)
{
    const struct gd_sim_model *model = ((const struct judged *)context)->model;
    return model->reads_only(operation_of(context, number)->input);
}

static void gather(struct judged *judged, bool ordered)
{
    const struct gd_sim_record *record = judged->record;
    judged->which = calloc(record->operation_count + 1, sizeof *judged->which);
    judged->operations = calloc(record->operation_count + 1, sizeof *judged->operations);
    GD_ASSERT(judged->which != NULL && judged->operations != NULL);
    for (size_t i = 0; i < record->operation_count; i++) {
        const struct gd_sim_operation *op = &record->operations[i];
        bool open = op->fate == GD_SIM_FATE_OPEN;
        if (op->fate == GD_SIM_FATE_NO_EFFECT ||
            (open && judged->model->reads_only != NULL && judged->model->reads_only(op->input))) {
            continue;
        }
        struct gd_lin_operation *to = &judged->operations[judged->count];
        *to = (struct gd_lin_operation){.call = op->call, .back = open ? GD_LIN_OPEN : op->back};
        for (size_t j = judged->count; ordered && j > 0 && to->after == 0; j--) {
            const struct gd_sim_operation *before = &record->operations[judged->which[j - 1]];
            if (before->session == op->session && before->fate == GD_SIM_FATE_DONE) {
                to->after = j;
            }
        }
        judged->which[judged->count++] = i;
    }
}

static void say_operation(const struct gd_sim_operation *op, struct gd_bytes *bytes)
{
    char call[32];
    char back[32];
    gd_sim_time_text(op->call, call, sizeof call);
    gd_sim_time_text(op->back, back, sizeof back);
    if (op->session == 0) { /* From a file. */
        gd_bytes_format(bytes, "\n  client %llu asked", (unsigned long long)op->client);
    } else {
        gd_bytes_format(bytes, "\n  client %u asked node %u", (unsigned)(op->session >> 32),
                        op->node);
    }
    gd_bytes_format(bytes, " at %s: %.*s", call, op->input.size > 120 ? 120 : (int)op->input.size,
                    (const char *)op->input.data);
    if (op->fate == GD_SIM_FATE_DONE) {
        gd_bytes_format(bytes, ", answered at %s: %.*s", back,
                        op->output.size > 120 ? 120 : (int)op->output.size,
                        (const char *)op->output.data);
    } else {
        gd_bytes_add_text(bytes, ", never answered");
    }
}

static void say(const struct judged *judged, const struct gd_lin_result *result, char *text,
                size_t size)
{
    struct gd_bytes bytes = {0};
    gd_bytes_format(&bytes, "%zu of %zu operations have an order; none of these can follow:",
                    result->order_count, judged->count);
    for (size_t i = 0; i < result->stuck_count && i < 8; i++) {
        say_operation(operation_of(judged, result->stuck[i]), &bytes);
    }
    gd_bytes_add_u8(&bytes, 0);
    (void)snprintf(text, size, "%s", (const char *)bytes.data);
    gd_bytes_release(&bytes);
}

enum gd_sim_outcome gd_sim_judge(const struct gd_sim_model *model,
                                 const struct gd_sim_record *record, bool ordered,
                                 const struct gd_lin_limits *limits, char *text, size_t size)
{
    static const struct gd_lin_limits run_limits = {.steps = STEPS_MAX, .memory = MEMORY_MAX};
    struct judged judged = {.model = model, .record = record};
    struct gd_lin_model lin = {.state_size = model->state_size, .start = start, .step = step};
    struct gd_lin_result result = {0};
    enum gd_sim_outcome outcome = GD_SIM_PASS;
    lin.reads_only = model->reads_only != NULL ? reads_only : NULL;
    gather(&judged, ordered);
    gd_lin_check(&lin, &judged, judged.operations, judged.count,
                 limits != NULL ? limits : &run_limits, &result);
    if (result.verdict == GD_LIN_ILLEGAL) {
        outcome = GD_SIM_FAIL;
        say(&judged, &result, text, size);
    } else if (result.verdict == GD_LIN_INCONCLUSIVE) {
        outcome = GD_SIM_INCONCLUSIVE;
        (void)snprintf(text, size, "no answer after %llu steps", (unsigned long long)result.steps);
    }
    gd_lin_result_release(&result);
    free(judged.operations);
    free(judged.which);
    return outcome;
}
