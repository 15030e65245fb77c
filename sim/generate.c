/* generate.c - histories with a known verdict; see generate.h.
 *
 * How. Each operation gets a call, a point and a return; the operations are done on a plain state
 * in the order of their points, and answer what they then find. So the points themselves are the
 * order that a checker has to find. An unknown outcome was done at its point or never. A violation
 * is a few operations more, in the middle of the time, of clients of their own. */
#include "sim/generate.h"
#include "engine/prng.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define STATE_SIZE_MAX 160
#define SLOT_NS 1000

struct drawn {
    gd_time_ns call, point, back;
    unsigned client, key;
    enum gd_sim_do what;
    bool open, happens;
};
struct maker {
    const struct gd_sim_generate_options *options;
    struct gd_sim_record *record;
    struct gd_prng prng;
    struct gd_sim_value *states; /* By key. */
    uint64_t made;               /* Values so far. */
    unsigned clients;            /* Numbers given so far. */
};

static struct gd_sim_value fresh_value(struct maker *maker, char mark)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%c%" PRIu64 ";", mark, ++maker->made);

    return gd_sim_value_text(maker->record, text, (size_t)size);
}

/* What an operation writes. */
static struct gd_sim_value next_value(struct maker *maker, char mark)
{
    char text[32];

    if (maker->options->values == 0) {
        return fresh_value(maker, mark);
    }
    int size = snprintf(text, sizeof text, "%u",
                        (unsigned)gd_prng_below(&maker->prng, maker->options->values));
    return gd_sim_value_text(maker->record, text, (size_t)size);
}

static struct gd_sim_value joined(struct maker *maker, struct gd_sim_value a, struct gd_sim_value b)
{
    char text[2 * STATE_SIZE_MAX];

    memcpy(text, a.text, a.size);
    memcpy(text + a.size, b.text, b.size);
    return gd_sim_value_text(maker->record, text, a.size + b.size);
}

/* What is absent counts as 0; a fresh value's ';' keeps it from being one. */
static bool is_number(const struct gd_sim_value *value, int64_t *number)
{
    char *end;

    *number = 0;
    if (value->kind != GD_SIM_VALUE_TEXT || value->size == 0) {
        return value->kind == GD_SIM_VALUE_NOTHING;
    }
    *number = strtoll(value->text, &end, 10);
    return end == value->text + value->size;
}

static bool same(const struct gd_sim_value *a, const struct gd_sim_value *b)
{
    return a->kind == b->kind && a->size == b->size &&
           (a->size == 0 || memcmp(a->text, b->text, a->size) == 0);
}

/* One operation at its point: its input, its output, the state after it. */
static void perform(struct maker *maker, enum gd_sim_do what, struct gd_sim_step *step,
                    struct gd_sim_value *state)
{
    struct gd_sim_value before = *state;
    bool absent = before.kind == GD_SIM_VALUE_NOTHING;
    int64_t number;
    char text[32];

    switch (what) {
    case GD_SIM_DO_READ:
        step->output = before;
        break;
    case GD_SIM_DO_WRITE:
    case GD_SIM_DO_SWAP:
        step->input = *state = next_value(maker, 'w');
        step->output = what == GD_SIM_DO_SWAP ? before : step->output;
        break;
    case GD_SIM_DO_APPEND:
        step->input = fresh_value(maker, 'a');
        *state = absent ? step->input : joined(maker, before, step->input);
        break;
    case GD_SIM_DO_CAS:
        step->old = gd_prng_chance(&maker->prng, 2, 3) ? before : next_value(maker, 'n');
        step->input = next_value(maker, 'c');
        step->output = gd_sim_value_bool(same(&step->old, &before));
        *state = same(&step->old, &before) ? step->input : before;
        break;
    case GD_SIM_DO_DELETE:
    case GD_SIM_DO_TAKE:
        step->output = what == GD_SIM_DO_TAKE ? before : gd_sim_value_bool(!absent);
        *state = (struct gd_sim_value){.kind = GD_SIM_VALUE_NOTHING};
        break;
    case GD_SIM_DO_SETNX:
        step->input = next_value(maker, 's');
        step->output = gd_sim_value_bool(absent);
        *state = absent ? step->input : before;
        break;
    case GD_SIM_DO_INCR:
        step->input = gd_sim_value_number(1);
        if (is_number(&before, &number)) {
            int size = snprintf(text, sizeof text, "%" PRId64, number + 1);
            step->output = gd_sim_value_number(number + 1);
            *state = gd_sim_value_text(maker->record, text, (size_t)size);
        } else {
            step->output = (struct gd_sim_value){.kind = GD_SIM_VALUE_ERROR};
        }
        break;
    case GD_SIM_DO_TXN:
        break;
    }
}

/* ---------------------------------------------------------------- mixed */

static enum gd_sim_do draw_what(struct maker *maker, const unsigned *weights, unsigned sum)
{
    unsigned at = (unsigned)gd_prng_below(&maker->prng, sum);
    unsigned what = 0;

    while (at >= weights[what]) {
        at -= weights[what++];
    }
    return (enum gd_sim_do)what;
}

static int compare_points(const void *a, const void *b)
{
    const struct drawn *x = a, *y = b;

    if (x->point != y->point) {
        return x->point < y->point ? -1 : 1;
    }
    return x->client < y->client ? -1 : x->client > y->client;
}

/* Calls, points and returns of all, each client busy with one at a time; sorted by point. */
static struct drawn *draw_times(struct maker *maker)
{
    static const unsigned usual[GD_SIM_DO_TXN] = {[GD_SIM_DO_READ] = 6, [GD_SIM_DO_WRITE] = 4};
    const struct gd_sim_generate_options *o = maker->options;
    const unsigned *weights = o->weights;
    struct drawn *drawn = calloc(o->operations, sizeof *drawn);
    gd_time_ns *free_at = calloc(o->clients, sizeof *free_at);
    unsigned *numbers = calloc(o->clients, sizeof *numbers), sum = 0;

    GD_ASSERT(drawn != NULL && free_at != NULL && numbers != NULL);
    for (unsigned i = 0; i < GD_SIM_DO_TXN; i++) {
        sum += weights[i];
    }
    if (sum == 0) {
        weights = usual;
        sum = 10;
    }
    for (unsigned i = 0; i < o->clients; i++) {
        numbers[i] = ++maker->clients;
        free_at[i] = gd_prng_below(&maker->prng, SLOT_NS);
    }
    for (size_t i = 0; i < o->operations; i++) {
        unsigned client = (unsigned)(i % o->clients);
        struct drawn *op = &drawn[i];
        op->what = draw_what(maker, weights, sum);
        op->key = (unsigned)gd_prng_below(&maker->prng, o->keys);
        op->client = numbers[client];
        op->call = free_at[client] + 1 + gd_prng_below(&maker->prng, SLOT_NS / 2);
        op->point = op->call + gd_prng_below(&maker->prng, SLOT_NS);
        op->back = op->point + gd_prng_below(&maker->prng, SLOT_NS);
        op->open =
            op->what != GD_SIM_DO_READ && gd_prng_chance(&maker->prng, o->unknown_permille, 1000);
        op->happens = !op->open || gd_prng_chance(&maker->prng, 1, 2);
        free_at[client] = op->back;
        if (op->open) {
            numbers[client] = ++maker->clients; /* It goes on under another number. */
        }
    }
    qsort(drawn, o->operations, sizeof *drawn, compare_points);
    free(free_at);
    free(numbers);
    return drawn;
}

static void add_mixed(struct maker *maker, struct drawn *drawn)
{
    for (size_t i = 0; i < maker->options->operations; i++) {
        struct drawn *op = &drawn[i];
        struct gd_sim_value *state = &maker->states[op->key], before = *state;
        if (op->what == GD_SIM_DO_APPEND && state->size > STATE_SIZE_MAX - 32) {
            op->what = GD_SIM_DO_WRITE;
        }
        size_t number = gd_sim_record_call(maker->record, op->client, "operation", op->call);
        struct gd_sim_step *step = gd_sim_record_step(maker->record, op->what, op->key);
        perform(maker, op->what, step, state);
        if (!op->happens) {
            *state = before;
        }
        if (op->open) {
            step->output = (struct gd_sim_value){.kind = GD_SIM_VALUE_NOTHING};
        }
        gd_sim_record_return(maker->record, number, op->open ? GD_SIM_FATE_OPEN : GD_SIM_FATE_DONE,
                             op->back);
    }
}

/* ---------------------------------------------------------------- what is planted */

static struct gd_sim_step *plant(struct maker *maker, enum gd_sim_do what, unsigned key,
                                 gd_time_ns call, gd_time_ns back)
{
    size_t number = gd_sim_record_call(maker->record, ++maker->clients, "operation", call);
    struct gd_sim_step *step = gd_sim_record_step(maker->record, what, key);

    gd_sim_record_return(maker->record, number, GD_SIM_FATE_DONE, back);
    return step;
}

static void plant_write(struct maker *maker, struct gd_sim_value value, unsigned key, gd_time_ns at)
{
    plant(maker, GD_SIM_DO_WRITE, key, at, at + 3)->input = value;
}

static void plant_read(struct maker *maker, struct gd_sim_value value, unsigned key, gd_time_ns at)
{
    plant(maker, GD_SIM_DO_READ, key, at, at + 3)->output = value;
}

static void plant_transaction(struct maker *maker, struct gd_sim_value a, struct gd_sim_value b,
                              unsigned key, gd_time_ns at)
{
    size_t number = gd_sim_record_call(maker->record, ++maker->clients, "operation", at);

    maker->record->operations[number].txn = true;
    gd_sim_record_step(maker->record, GD_SIM_DO_WRITE, key)->input = a;
    gd_sim_record_step(maker->record, GD_SIM_DO_WRITE, key + 1)->input = b;
    gd_sim_record_return(maker->record, number, GD_SIM_FATE_DONE, at + 90);
}

/* On keys of its own, `key` and the next, so that nothing else can explain it. */
static void plant_violation(struct maker *maker, unsigned key, gd_time_ns at)
{
    const struct gd_sim_value nothing = {.kind = GD_SIM_VALUE_NOTHING};
    struct gd_sim_value x = fresh_value(maker, 'x'), y = fresh_value(maker, 'y');
    struct gd_sim_step *step;

    switch (maker->options->violation) {
    case GD_SIM_VIOLATION_NONE:
    case GD_SIM_VIOLATION_STALE_AMONG:
        break;
    case GD_SIM_VIOLATION_STALE_READ:
        plant_write(maker, x, key, at);
        plant_write(maker, y, key, at + 10);
        plant_read(maker, x, key, at + 20);
        break;
    case GD_SIM_VIOLATION_FUTURE_READ:
        plant_read(maker, x, key, at);
        plant_write(maker, x, key, at + 10);
        break;
    case GD_SIM_VIOLATION_NEVER_WRITTEN:
        plant_write(maker, x, key, at);
        plant_read(maker, y, key, at + 1);
        break;
    case GD_SIM_VIOLATION_LOST_UPDATE:
        for (unsigned i = 0; i < 2; i++) {
            step = plant(maker, GD_SIM_DO_INCR, key, at + 10 * i, at + 10 * i + 5);
            step->input = gd_sim_value_number(1);
            step->output = gd_sim_value_number(1);
        }
        break;
    case GD_SIM_VIOLATION_DOUBLE_APPEND:
        plant(maker, GD_SIM_DO_APPEND, key, at, at + 5)->input = x;
        plant_read(maker, joined(maker, x, x), key, at + 10);
        break;
    case GD_SIM_VIOLATION_RESURRECTED:
        plant_write(maker, x, key, at);
        plant(maker, GD_SIM_DO_DELETE, key, at + 10, at + 15)->output = gd_sim_value_bool(true);
        plant_read(maker, x, key, at + 20);
        break;
    case GD_SIM_VIOLATION_CAS_TWICE:
        plant_write(maker, x, key, at);
        for (unsigned i = 0; i < 2; i++) {
            step = plant(maker, GD_SIM_DO_CAS, key, at + 10, at + 20 + i);
            step->old = x;
            step->input = i == 0 ? y : fresh_value(maker, 'z');
            step->output = gd_sim_value_bool(true);
        }
        break;
    case GD_SIM_VIOLATION_SPLIT_TRANSACTION:
        plant_transaction(maker, x, y, key, at);
        plant_read(maker, x, key, at + 20);
        plant_read(maker, nothing, key + 1, at + 40);
        break;
    }
}

/* A read gives what was written by an operation that had returned before another write was called
 * that had returned before the read was called. */
static void make_stale(struct maker *maker)
{
    struct gd_sim_record *record = maker->record;
    size_t first = record->operation_count / 2, second = 0, read = 0;
    const struct gd_sim_operation *ops = record->operations;

    for (size_t i = first; i < record->operation_count && read == 0; i++) {
        const struct gd_sim_step *step = &record->steps[ops[i].first];
        bool done = ops[i].fate == GD_SIM_FATE_DONE;
        bool same = step->key == record->steps[ops[first].first].key;
        if (second == 0 && done && step->what == GD_SIM_DO_WRITE &&
            record->steps[ops[first].first].what == GD_SIM_DO_WRITE &&
            ops[first].fate == GD_SIM_FATE_DONE && same && ops[first].back < ops[i].call) {
            second = i;
        } else if (second == 0 && (record->steps[ops[first].first].what != GD_SIM_DO_WRITE ||
                                   ops[first].fate != GD_SIM_FATE_DONE)) {
            first = i; /* Until it is a write. */
        } else if (second != 0 && done && step->what == GD_SIM_DO_READ && same &&
                   ops[second].back < ops[i].call) {
            read = i;
        }
    }
    GD_ASSERT(read != 0); /* The history is too small for it, or has no writes. */
    record->steps[ops[read].first].output = record->steps[ops[first].first].input;
}

/* ---------------------------------------------------------------- hard ones */

/* Writes that all overlap, each value then read by somebody who overlaps them, one after another;
 * at the end one more read: of the last value, or, to violate, of the first. */
static void add_overlap(struct maker *maker)
{
    size_t count = maker->options->operations;
    gd_time_ns end = 100 + 20 * (gd_time_ns)count;
    struct gd_sim_value first = {.kind = GD_SIM_VALUE_NOTHING}, value = first;

    for (size_t i = 0; i < count; i++) {
        value = fresh_value(maker, 'w');
        first = i == 0 ? value : first;
        plant(maker, GD_SIM_DO_WRITE, 0, 1 + i, end + i)->input = value;
        plant_read(maker, value, 0, 100 + count + 10 * i);
    }
    plant_read(maker,
               maker->options->violation == GD_SIM_VIOLATION_NONE || count == 1 ? value : first, 0,
               end + 10 * count);
}

/* Writes of unknown outcome that nobody sees; a known write and its readers; to violate, at the end
 * a read of what was there before. */
static void add_unknown(struct maker *maker)
{
    size_t count = maker->options->operations;
    struct gd_sim_value old = fresh_value(maker, 'w'), value = fresh_value(maker, 'w');

    plant_write(maker, old, 0, 1);
    for (size_t i = 0; i < count; i++) {
        size_t number = gd_sim_record_call(maker->record, ++maker->clients, "operation", 10 + i);
        gd_sim_record_step(maker->record, GD_SIM_DO_WRITE, 0)->input = fresh_value(maker, 'u');
        gd_sim_record_return(maker->record, number, GD_SIM_FATE_OPEN, 0);
    }
    plant_read(maker, old, 0, 20 + count);
    plant_write(maker, value, 0, 30 + count);
    plant_read(maker, value, 0, 40 + count);
    plant_read(maker, maker->options->violation == GD_SIM_VIOLATION_NONE ? value : old, 0,
               50 + count);
}

void gd_sim_generate(const struct gd_sim_generate_options *options, struct gd_sim_record *record)
{
    struct maker maker = {.options = options, .record = record};
    struct drawn *drawn;

    gd_prng_init(&maker.prng, options->seed);
    if (options->shape == GD_SIM_SHAPE_OVERLAP) {
        add_overlap(&maker);
        return;
    }
    if (options->shape == GD_SIM_SHAPE_UNKNOWN) {
        add_unknown(&maker);
        return;
    }
    maker.states = calloc(options->keys, sizeof *maker.states);
    GD_ASSERT(maker.states != NULL);
    drawn = draw_times(&maker);
    add_mixed(&maker, drawn);
    if (options->violation == GD_SIM_VIOLATION_STALE_AMONG) {
        make_stale(&maker);
    }
    plant_violation(&maker, options->keys, drawn[options->operations / 2].call + 1);
    free(drawn);
    free(maker.states);
}
