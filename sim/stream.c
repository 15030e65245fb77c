/* stream.c - a history judged while it comes; see stream.h.
 *
 * A key's segment. Its known operations up to a cut: a moment such that all of them returned before
 * it, and no other known one was called by then. Operations of unknown outcome called before the
 * cut may be taken in it, or stay for later. The search lists every state at the end with what it
 * took; a state with a set that holds another's adds nothing. From each of them the next segment is
 * judged.
 *
 * Texts keep their identity here (all_matter): what nobody saw yet may be seen in a later segment.
 *
 * Where a key is never quiet, or its states are too many to be listed, it is judged at the end as
 * one; its memory is then that of its operations. */
#include "sim/stream.h"
#include "sim/lin_kv.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define STATES_MAX 64u
#define PATIENCE 32u   /* See lin_search.h. */
#define STEPS_EACH 64u /* For an operation, when states are listed; and so many besides: */
#define STEPS_LEAST 20000u

struct taken { /* Numbers of unknown operations that were taken. */
    uint64_t *numbers;
    size_t count;
};
struct state {
    struct gd_sim_value value; /* Its text is owned. */
    struct taken taken;
};
struct key {
    struct state *states; /* Owned. None and not `begun`: absent, nothing taken. */
    size_t count;
    bool begun;
};
struct gd_lin_stream {
    struct gd_sim_record *record;
    const struct gd_lin_limits *limits;
    struct key *keys;
    size_t key_count;
    struct gd_lin_kv_part_numbers numbers;
    uint64_t operations; /* Numbered so far, in `session`, which means nothing here. */
    bool *done;          /* By operation of the record: judged, and not needed any more. */
    char *why;
    size_t why_size;
};

struct gd_lin_stream *gd_lin_stream_new(struct gd_sim_record *record,
                                        const struct gd_lin_limits *limits)
{
    struct gd_lin_stream *stream = gd_lin_zeroed(1, sizeof *stream);
    stream->record = record;
    stream->limits = limits;
    stream->numbers.all_matter = true;
    return stream;
}

static void free_states(struct state *states, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((void *)(uintptr_t)states[i].value.text);
        free(states[i].taken.numbers);
    }
    free(states);
}

void gd_lin_stream_free(struct gd_lin_stream *stream)
{
    for (size_t i = 0; i < stream->key_count; i++) {
        free_states(stream->keys[i].states, stream->keys[i].count);
    }
    free(stream->keys);
    gd_lin_numbers_release(&stream->numbers);
    free(stream);
}

static bool holds(const struct taken *taken, uint64_t number)
{
    for (size_t i = 0; i < taken->count; i++) {
        if (taken->numbers[i] == number) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- states at the end */

struct states {
    struct state *states;
    size_t count, capacity;
};

static bool same_value(const struct gd_sim_value *a, const struct gd_sim_value *b)
{
    return a->kind == b->kind && a->size == b->size &&
           (a->size == 0 || memcmp(a->text, b->text, a->size) == 0);
}

static bool is_within(const struct taken *a, const struct taken *b)
{
    bool within = a->count <= b->count;
    for (size_t i = 0; i < a->count && within; i++) {
        within = holds(b, a->numbers[i]);
    }
    return within;
}

/* Moves the state in; not when another one is at least as good. */
static void add_state(struct states *to, struct state *state)
{
    size_t kept = 0;
    GD_ASSERT(to != NULL);
    for (size_t i = 0; i < to->count; i++) {
        if (same_value(&to->states[i].value, &state->value) &&
            is_within(&to->states[i].taken, &state->taken)) {
            free((void *)(uintptr_t)state->value.text);
            free(state->taken.numbers);
            return;
        }
    }
    for (size_t i = 0; i < to->count; i++) {
        struct state *other = &to->states[i];
        if (same_value(&other->value, &state->value) && is_within(&state->taken, &other->taken)) {
            free((void *)(uintptr_t)other->value.text);
            free(other->taken.numbers);
        } else {
            to->states[kept++] = *other;
        }
    }
    to->count = kept;
    to->states = gd_lin_grown(to->states, &to->capacity, to->count, sizeof *to->states);
    to->states[to->count++] = *state;
}

static void add_end(struct gd_lin_stream *stream, const struct gd_lin_end *end,
                    const struct state *from, struct states *to)
{
    const struct gd_lin_kv_part_numbers *numbers = &stream->numbers;
    uint32_t value = end->values[0];
    struct state state = {.value = {.kind = GD_SIM_VALUE_NOTHING}};
    size_t most = from->taken.count + numbers->call_count;
    if (value >= numbers->cell_count) {
        char *text = gd_lin_zeroed(numbers->values[value].size + 1, 1);
        if (numbers->values[value].size > 0) {
            memcpy(text, numbers->values[value].text, numbers->values[value].size);
        }
        state.value = (struct gd_sim_value){
            .kind = GD_SIM_VALUE_TEXT, .text = text, .size = numbers->values[value].size};
    }
    state.taken.numbers = gd_lin_zeroed(most, sizeof *state.taken.numbers);
    for (size_t i = 0; i < from->taken.count; i++) {
        state.taken.numbers[state.taken.count++] = from->taken.numbers[i];
    }
    for (size_t i = 0; i < end->spent_count; i++) {
        state.taken.numbers[state.taken.count++] =
            stream->record->operations[numbers->numbers[end->spent[i]]].session;
    }
    for (size_t i = 0; i < numbers->call_count; i++) { /* Seen, so they happened. */
        const struct gd_sim_operation *op = &stream->record->operations[numbers->numbers[i]];
        if (op->fate == GD_SIM_FATE_OPEN && numbers->calls[i].back != GD_LIN_OPEN) {
            state.taken.numbers[state.taken.count++] = op->session;
        }
    }
    add_state(to, &state);
}

/* ---------------------------------------------------------------- one segment */

static void search(struct gd_lin_stream *stream, const struct gd_lin_limits *limits, bool every_end,
                   struct gd_lin_found *found)
{
    struct gd_lin_kv_part_numbers *numbers = &stream->numbers;
    struct gd_lin_problem problem = {.calls = numbers->calls,
                                     .call_count = numbers->call_count,
                                     .steps = numbers->steps,
                                     .start = numbers->start,
                                     .cell_count = 1,
                                     .chain_begin =
                                         numbers->chain_count > 0 ? numbers->chain_begin : NULL,
                                     .limits = limits,
                                     .every_end = every_end};
    problem.machine = (struct gd_lin_machine){.context = numbers, .step = gd_lin_kv_step};
    problem.machine.once = gd_lin_kv_once;
    problem.machine.makes = gd_lin_kv_makes;
    problem.machine.likeness = gd_lin_kv_likeness;
    problem.machine.alike = gd_lin_kv_alike;
    problem.value_count = numbers->value_count;
    problem.patience = PATIENCE;
    gd_lin_search(&problem, found);
}

static void say(struct gd_lin_stream *stream, uint32_t a, uint32_t b)
{
    char key[80];
    int size = 0;
    for (int i = 0; i < 2; i++) {
        uint32_t call = i == 0 ? a : b;
        if (call != GD_LIN_NO) {
            const struct gd_sim_operation *op =
                &stream->record->operations[stream->numbers.numbers[call]];
            gd_sim_record_key_text(stream->record, stream->record->steps[op->first].key, key,
                                   sizeof key);
            size += snprintf(stream->why + size, stream->why_size - (size_t)size,
                             "%soperation on %s by client %" PRIu64 ", called at %" PRIu64,
                             i == 0 ? "" : ", beside the ", key,
                             gd_sim_record_client(stream->record, op), op->call);
            size = size < 0 || (size_t)size >= stream->why_size ? 0 : size;
        }
    }
}

/* From one state: adds those at the end (every end) or only says whether there is one. */
static enum gd_lin_verdict judge_from(struct gd_lin_stream *stream, const struct state *from,
                                      const size_t *operations, size_t count,
                                      const struct gd_lin_limits *limits, struct states *ends)
{
    static const uint32_t cell_of = 0;
    struct gd_lin_blocks_result told;
    struct gd_lin_found found;
    struct gd_sim_brief *these = gd_lin_zeroed(count, sizeof *these);
    size_t some = 0;
    for (size_t i = 0; i < count; i++) { /* Each has one step. */
        if (!holds(&from->taken, stream->record->operations[operations[i]].session)) {
            gd_sim_brief_make(stream->record, operations[i], &these[some++]);
        }
    }
    stream->numbers.begin = &from->value;
    gd_lin_numbers_make(&stream->numbers, stream->record, these, some, &cell_of, 1, false);
    enum gd_lin_told blocks = gd_lin_blocks(&stream->numbers, &told);
    enum gd_lin_verdict verdict = blocks == GD_LIN_TOLD_LEGAL ? GD_LIN_LEGAL : GD_LIN_ILLEGAL;
    free(told.order);
    if (blocks == GD_LIN_TOLD_ILLEGAL) {
        say(stream, told.a, told.b);
    } else if (blocks == GD_LIN_TOLD_NOTHING || ends != NULL) {
        search(stream, limits, ends != NULL, &found);
        verdict = found.verdict;
        if (verdict != GD_LIN_LEGAL &&
            gd_lin_blocks_in_time(&stream->numbers, &told) == GD_LIN_TOLD_ILLEGAL) {
            verdict = GD_LIN_ILLEGAL;
            say(stream, told.a, told.b);
        } else if (verdict == GD_LIN_ILLEGAL) {
            say(stream, found.stuck, GD_LIN_NO);
        }
        for (size_t i = 0; i < found.end_count && verdict == GD_LIN_LEGAL; i++) {
            add_end(stream, &found.ends[i], from, ends);
        }
        gd_lin_found_release(&found);
    }
    free(these);
    return verdict;
}

/* LEGAL: from some state it goes on. INCONCLUSIVE: from none for certain. */
static enum gd_lin_verdict judge(struct gd_lin_stream *stream, const struct key *key,
                                 const size_t *operations, size_t count,
                                 const struct gd_lin_limits *limits, struct states *ends)
{
    static const struct state absent = {.value = {.kind = GD_SIM_VALUE_NOTHING}};
    enum gd_lin_verdict verdict = GD_LIN_ILLEGAL;
    size_t state_count = key->begun ? key->count : 1;
    for (size_t i = 0; i < state_count; i++) {
        enum gd_lin_verdict one = judge_from(stream, key->begun ? &key->states[i] : &absent,
                                             operations, count, limits, ends);
        if (one == GD_LIN_INCONCLUSIVE && ends != NULL) {
            return one; /* A list that lacks some is none. */
        }
        verdict = one == GD_LIN_LEGAL || verdict == GD_LIN_ILLEGAL ? one : verdict;
        if (one == GD_LIN_LEGAL && ends == NULL) {
            break;
        }
    }
    return ends != NULL && ends->count > STATES_MAX ? GD_LIN_INCONCLUSIVE : verdict;
}

/* ---------------------------------------------------------------- cuts */

/* Of `count` operations, sorted by call, those that can be judged when all called before `time` are
 * known: they are moved to the front, as they were; how many known ones, in `*known`. */
static size_t find_cut(const struct gd_lin_stream *stream, const size_t *sorted, size_t count,
                       uint64_t time, size_t *known)
{
    uint64_t back = 0;
    size_t cut = 0, so_far = 0;
    *known = 0;
    for (size_t i = 0; i < count; i++) {
        const struct gd_sim_operation *op = &stream->record->operations[sorted[i]];
        if (op->call >= time) {
            break;
        }
        if (op->fate != GD_SIM_FATE_DONE) {
            continue;
        }
        back = op->back > back ? op->back : back;
        so_far++;
        uint64_t next = time;
        size_t k = i + 1;
        while (k < count && stream->record->operations[sorted[k]].fate != GD_SIM_FATE_DONE) {
            k++;
        }
        if (k < count && stream->record->operations[sorted[k]].call < next) {
            next = stream->record->operations[sorted[k]].call;
        }
        if (back < next) {
            *known = so_far;
            cut = i + 1;
            while (cut < count && stream->record->operations[sorted[cut]].call < next) {
                cut++; /* Unknown ones. */
            }
        }
    }
    return cut;
}

/* What every state took is done with. */
static void forget_taken(struct gd_lin_stream *stream, struct key *key, const size_t *operations,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct gd_sim_operation *op = &stream->record->operations[operations[i]];
        bool all = op->fate == GD_SIM_FATE_OPEN;
        for (size_t k = 0; k < key->count && all; k++) {
            all = holds(&key->states[k].taken, op->session);
        }
        if (op->fate == GD_SIM_FATE_DONE || all) {
            stream->done[operations[i]] = true;
        }
        for (size_t k = 0; k < key->count && all; k++) {
            struct taken *taken = &key->states[k].taken;
            size_t kept = 0;
            for (size_t n = 0; n < taken->count; n++) {
                if (taken->numbers[n] != op->session) {
                    taken->numbers[kept++] = taken->numbers[n];
                }
            }
            taken->count = kept;
        }
    }
}

static enum gd_lin_verdict judge_part(struct gd_lin_stream *stream, struct key *key,
                                      const size_t *operations, size_t count, uint64_t time)
{
    struct gd_lin_limits limits = {.steps = STEPS_LEAST + STEPS_EACH * count};
    struct gd_lin_pair *pairs = gd_lin_zeroed(count, sizeof *pairs);
    size_t *sorted = gd_lin_zeroed(count, sizeof *sorted);
    struct states ends = {.count = 0};
    enum gd_lin_verdict verdict = GD_LIN_LEGAL;
    size_t known;
    for (size_t i = 0; i < count; i++) {
        pairs[i] =
            (struct gd_lin_pair){stream->record->operations[operations[i]].call, (uint32_t)i};
    }
    gd_lin_sort(pairs, count);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = operations[pairs[i].value];
    }
    size_t cut = find_cut(stream, sorted, count, time, &known);
    if (known > 0) {
        limits.stop = stream->limits->stop;
        limits.context = stream->limits->context;
        verdict = judge(stream, key, sorted, cut, &limits, &ends);
    }
    if (known > 0 && verdict == GD_LIN_LEGAL) {
        free_states(key->states, key->count);
        *key = (struct key){.states = ends.states, .count = ends.count, .begun = true};
        forget_taken(stream, key, sorted, cut);
    } else {
        free_states(ends.states, ends.count);
    }
    free(pairs);
    free(sorted);
    return verdict == GD_LIN_INCONCLUSIVE ? GD_LIN_LEGAL : verdict; /* It waits. */
}

/* ---------------------------------------------------------------- the record */

static struct gd_sim_value copied(struct gd_sim_record *to, const struct gd_sim_value *value)
{
    return value->kind == GD_SIM_VALUE_TEXT ? gd_sim_value_text(to, value->text, value->size)
                                            : *value;
}

/* Keeps what is not done, in memory of its own. */
static void shrink(struct gd_lin_stream *stream)
{
    struct gd_sim_record *old = stream->record, rest = {0};
    for (size_t i = 0; i < old->operation_count; i++) {
        const struct gd_sim_operation *op = &old->operations[i];
        if (stream->done[i] || op->fate == GD_SIM_FATE_NO_EFFECT || op->count == 0) {
            continue;
        }
        const struct gd_sim_step *step = &old->steps[op->first];
        size_t number = gd_sim_record_call(&rest, op->client, op->name, op->call);
        struct gd_sim_operation *copy = &rest.operations[number];
        copy->fate = op->fate;
        copy->back = op->back;
        copy->session = op->session;
        struct gd_sim_step *to = gd_sim_record_step(&rest, step->what, step->key);
        to->input = copied(&rest, &step->input);
        to->old = copied(&rest, &step->old);
        to->output = copied(&rest, &step->output);
    }
    rest.key_names = old->key_names;
    rest.key_name_count = old->key_name_count;
    rest.key_name_capacity = old->key_name_capacity;
    old->key_names = NULL;
    old->key_name_count = 0;
    gd_sim_record_release(old);
    *old = rest;
}

/* Numbers new operations, and makes room for new keys. */
static void take_in(struct gd_lin_stream *stream, const struct gd_sim_parts *parts)
{
    for (size_t i = 0; i < stream->record->operation_count; i++) {
        if (stream->record->operations[i].session == 0) {
            stream->record->operations[i].session = ++stream->operations;
        }
    }
    if (parts->key_count > stream->key_count) {
        stream->keys = realloc(stream->keys, parts->key_count * sizeof *stream->keys);
        GD_ASSERT(stream->keys != NULL);
        memset(stream->keys + stream->key_count, 0,
               (parts->key_count - stream->key_count) * sizeof *stream->keys);
        stream->key_count = parts->key_count;
    }
}

static enum gd_lin_verdict go_on(struct gd_lin_stream *stream, uint64_t time, bool end)
{
    struct gd_sim_parts parts;
    enum gd_lin_verdict verdict = GD_LIN_LEGAL;
    gd_sim_parts_find(&parts, stream->record);
    take_in(stream, &parts);
    stream->numbers.kinds = parts.kinds;
    stream->done = gd_lin_zeroed(stream->record->operation_count, sizeof *stream->done);
    for (size_t i = 0; i < parts.count && verdict != GD_LIN_ILLEGAL; i++) {
        const size_t *operations = parts.operations + parts.operation_first[i];
        size_t count = parts.operation_first[i + 1] - parts.operation_first[i];
        struct key *key = &stream->keys[parts.keys[parts.key_first[i]]];
        enum gd_lin_verdict one = GD_LIN_LEGAL;
        if (count > 0) {
            one = end ? judge(stream, key, operations, count, stream->limits, NULL)
                      : judge_part(stream, key, operations, count, time);
        }
        verdict = one == GD_LIN_LEGAL ? verdict : one;
    }
    gd_sim_parts_release(&parts);
    if (!end && verdict == GD_LIN_LEGAL) {
        shrink(stream);
    }
    free(stream->done);
    stream->done = NULL;
    return verdict;
}

enum gd_lin_verdict gd_lin_stream_known(struct gd_lin_stream *stream, uint64_t time, char *why,
                                        size_t size)
{
    stream->why = why;
    stream->why_size = size;
    return go_on(stream, time, false);
}

enum gd_lin_verdict gd_lin_stream_end(struct gd_lin_stream *stream, char *why, size_t size)
{
    stream->why = why;
    stream->why_size = size;
    return go_on(stream, GD_LIN_OPEN, true);
}
