/* linearize_kv.c - histories of the file format, part by part: what blocks tell, else the search;
 * and an illegal part's explanation.
 *
 * The earliest illegal prefix. A prefix is what had happened by some time: operations that were
 * called by then, those that had not returned being open. Whoever adds to an illegal prefix has an
 * illegal history, so it is looked for by halving, beginning where the contradiction was found. */
#include "sim/linearize_kv.h"
#include "sim/lin_kv.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct judge {
    const struct gd_sim_record *record;
    const struct gd_lin_kv_options *options;
    struct gd_lin_kv_part_numbers numbers;
    uint32_t *cell_of; /* By key. */
};

const char *gd_lin_verdict_name(enum gd_lin_verdict verdict)
{
    static const char *const names[] = {"legal", "illegal", "inconclusive"};
    return names[verdict];
}

const char *gd_lin_path_name(enum gd_lin_path path)
{
    static const char *const names[] = {"nothing to judge", "blocks", "search"};
    return names[path];
}

/* ---------------------------------------------------------------- in words */

static void say_text(struct gd_bytes *bytes, const struct gd_lin_kv_part_numbers *part,
                     uint32_t value)
{
    const struct gd_lin_value *v = &part->values[value];
    if (value < part->cell_count) {
        gd_bytes_add_text(bytes, "nothing");
    } else if (v->text == NULL) {
        gd_bytes_add_text(bytes, "some value that nobody saw");
    } else {
        bool cut = v->size > 40;
        gd_bytes_format(bytes, "'%.*s%s'", cut ? 40 : (int)v->size, v->text, cut ? "..." : "");
    }
}

static void say_operation(struct gd_bytes *bytes, const struct gd_sim_record *record, size_t number)
{
    static const char *const names[] = {"read",  "write", "append", "cas",  "delete",
                                        "setnx", "swap",  "take",   "incr", "txn"};
    const struct gd_sim_operation *op = &record->operations[number];
    char key[64];
    gd_sim_record_key_text(record, record->steps[op->first].key, key, sizeof key);
    gd_bytes_format(bytes, "%s of %s%s by client %" PRIu64 " (",
                    op->txn ? "transaction" : names[record->steps[op->first].what], key,
                    op->count > 1 ? " and others" : "", gd_sim_record_client(record, op));
    if (op->fate == GD_SIM_FATE_DONE) {
        gd_bytes_format(bytes, "%" PRIu64 " to %" PRIu64 ")", op->call, op->back);
    } else {
        gd_bytes_format(bytes, "called at %" PRIu64 ", its outcome unknown)", op->call);
    }
}

static char *as_text(struct gd_bytes *bytes)
{
    char *text = gd_lin_zeroed(bytes->size + 1, 1);
    if (bytes->size > 0) {
        memcpy(text, bytes->data, bytes->size);
    }
    gd_bytes_release(bytes);
    return text;
}

static void say_blocks(const struct judge *judge, const struct gd_lin_blocks_result *told,
                       struct gd_lin_kv_part *part)
{
    struct gd_bytes bytes = {0};
    say_operation(&bytes, judge->record, judge->numbers.numbers[told->a]);
    gd_bytes_format(&bytes, " %s ", told->verb);
    say_text(&bytes, &judge->numbers, told->value);
    gd_bytes_format(&bytes, ", %s", told->tail);
    if (told->b != GD_LIN_NOBODY) {
        say_operation(&bytes, judge->record, judge->numbers.numbers[told->b]);
    }
    free(part->why);
    part->why = as_text(&bytes);
}

static void say_states(const struct judge *judge, const struct gd_lin_found *found,
                       struct gd_lin_kv_part *part)
{
    struct gd_bytes bytes = {0};
    for (size_t i = 0; i < found->before_count; i++) {
        gd_bytes_add_text(&bytes, i == 0 ? "" : i + 1 == found->before_count ? " or " : ", ");
        say_text(&bytes, &judge->numbers, found->before[i]);
    }
    free(part->states);
    part->states = found->before_count > 0 ? as_text(&bytes) : NULL;
    gd_bytes_release(&bytes);
}

/* Whether its answer says something of what it found. */
static bool tells(const struct gd_sim_step *step)
{
    return step->output.kind != GD_SIM_VALUE_NOTHING || step->what == GD_SIM_DO_READ ||
           step->what == GD_SIM_DO_SWAP || step->what == GD_SIM_DO_TAKE;
}

static void say_search(const struct judge *judge, const struct gd_lin_found *found,
                       struct gd_lin_kv_part *part)
{
    struct gd_bytes bytes = {0};
    if (found->stuck == GD_LIN_NO) {
        return;
    }
    size_t number = judge->numbers.numbers[found->stuck];
    const struct gd_sim_operation *op = &judge->record->operations[number];
    say_operation(&bytes, judge->record, number);
    gd_bytes_add_text(&bytes, " fits nowhere");
    for (size_t i = 0, told = 0; i < op->count && told < 6; i++) {
        const struct gd_sim_step *step = &judge->record->steps[op->first + i];
        char key[64];
        if (op->fate != GD_SIM_FATE_DONE || !tells(step)) {
            continue;
        }
        gd_sim_record_key_text(judge->record, step->key, key, sizeof key);
        gd_bytes_format(&bytes, "%s %s gave ", told++ == 0 ? ":" : ",", key);
        gd_sim_value_say(&bytes, &step->output);
    }
    gd_bytes_format(&bytes, " (%zu of %zu operations placed)", found->order_count,
                    part->operation_count);
    free(part->why);
    part->why = as_text(&bytes);
}

/* ---------------------------------------------------------------- one part */

static void put_order(const struct judge *judge, const uint32_t *order, size_t count,
                      struct gd_lin_result *result)
{
    free(result->order);
    result->order = gd_lin_zeroed(count, sizeof *result->order);
    result->order_count = count;
    for (size_t i = 0; i < count; i++) {
        result->order[i] = judge->numbers.numbers[order[i]];
    }
}

static void put_stuck(const struct judge *judge, uint32_t a, uint32_t b,
                      struct gd_lin_result *result)
{
    free(result->stuck);
    result->stuck = gd_lin_zeroed(2, sizeof *result->stuck);
    result->stuck_count = 0;
    if (a != GD_LIN_NO) {
        result->stuck[result->stuck_count++] = judge->numbers.numbers[a];
    }
    if (b != GD_LIN_NO && b != a) {
        result->stuck[result->stuck_count++] = judge->numbers.numbers[b];
    }
}

static void search(struct judge *judge, const struct gd_lin_limits *limits, size_t choices_back,
                   struct gd_lin_found *found)
{
    struct gd_lin_kv_part_numbers *numbers = &judge->numbers;
    struct gd_lin_problem problem = {
        .calls = numbers->calls,
        .call_count = numbers->call_count,
        .steps = numbers->steps,
        .start = numbers->start,
        .cell_count = numbers->cell_count,
        .chain_begin =
            numbers->cell_count == 1 && numbers->chain_count > 0 ? numbers->chain_begin : NULL,
        .limits = limits};
    problem.machine = (struct gd_lin_machine){.context = numbers, .step = gd_lin_kv_step};
    problem.machine.once = gd_lin_kv_once;
    problem.machine.makes = gd_lin_kv_makes;
    problem.machine.likeness = gd_lin_kv_likeness;
    problem.machine.alike = gd_lin_kv_alike;
    problem.value_count = numbers->value_count;
    problem.before = numbers->before;
    problem.before_first = numbers->before_first;
    problem.choices_back = choices_back;
    problem.plain = judge->options->way == GD_LIN_WAY_SEARCH_ALONE;
    problem.patience = judge->options->way == GD_LIN_WAY_USUAL ? 32 : 0;
    gd_lin_search(&problem, found);
}

static void take_blocks(struct judge *judge, enum gd_lin_told told,
                        const struct gd_lin_blocks_result *blocks, struct gd_lin_kv_part *part,
                        bool words)
{
    struct gd_lin_result *result = &part->result;
    result->path = GD_LIN_PATH_BLOCKS;
    result->verdict = told == GD_LIN_TOLD_LEGAL ? GD_LIN_LEGAL : GD_LIN_ILLEGAL;
    put_order(judge, blocks->order, blocks->order_count, result);
    free(blocks->order);
    if (told == GD_LIN_TOLD_ILLEGAL && words) {
        put_stuck(judge, blocks->a, blocks->b, result);
        say_blocks(judge, blocks, part);
    }
}

static void take_found(struct judge *judge, const struct gd_lin_found *found,
                       struct gd_lin_kv_part *part, bool words)
{
    struct gd_lin_result *result = &part->result;
    result->path = GD_LIN_PATH_SEARCH;
    result->verdict = found->verdict;
    put_order(judge, found->order, found->order_count, result);
    if (found->verdict != GD_LIN_LEGAL && words) {
        put_stuck(judge, found->stuck, GD_LIN_NO, result);
        say_search(judge, found, part);
        say_states(judge, found, part);
    }
}

static void count_work(const struct gd_lin_found *found, struct gd_lin_result *result)
{
    result->steps += found->steps;
    result->memory = found->memory > result->memory ? found->memory : result->memory;
}

/* Whether there is an order that is found nearly without taking a choice back, as for nearly all
 * parts that are legal: then what only saves work later is not needed. */
static bool hurry(struct judge *judge, size_t choices_back, struct gd_lin_found *found,
                  struct gd_lin_result *result)
{
    search(judge, &judge->options->limits, choices_back, found);
    count_work(found, result);
    if (found->verdict != GD_LIN_LEGAL) {
        gd_lin_found_release(found);
        return false;
    }
    return true;
}

/* The verdict on `part`'s operations as `record` tells them. */
static void decide(struct judge *judge, struct gd_lin_kv_part *part, bool words)
{
    struct gd_lin_blocks_result told;
    struct gd_lin_found found;
    enum gd_lin_told blocks = GD_LIN_TOLD_NOTHING;
    bool ask = judge->options->way != GD_LIN_WAY_SEARCH_ALONE;
    gd_lin_numbers_make(&judge->numbers, judge->record, part->steps, part->step_count,
                        judge->cell_of, part->key_count, judge->options->ordered);
    part->result.verdict = GD_LIN_LEGAL;
    part->result.path = GD_LIN_PATH_EMPTY;
    if (judge->numbers.call_count == 0) {
        return;
    }
    size_t count = judge->numbers.call_count;
    /* Where few operations overlap an order is found at once, mostly, without what blocks tell. */
    bool found_one = judge->options->way == GD_LIN_WAY_USUAL && judge->numbers.calm &&
                     hurry(judge, 40 + count / 16, &found, &part->result);
    if (ask && !found_one) {
        blocks = gd_lin_blocks(&judge->numbers, &told);
    }
    if (judge->options->way == GD_LIN_WAY_USUAL && blocks == GD_LIN_TOLD_NOTHING && !found_one) {
        found_one = hurry(judge, 200 + count / 16, &found, &part->result);
    }
    if (found_one) {
        take_found(judge, &found, part, words);
        gd_lin_found_release(&found);
        return;
    }
    if (ask && blocks == GD_LIN_TOLD_NOTHING) {
        blocks = gd_lin_blocks_in_time(&judge->numbers, &told);
    }
    if (ask && blocks == GD_LIN_TOLD_NOTHING) {
        blocks = gd_lin_order(&judge->numbers, &told);
    }
    if (blocks != GD_LIN_TOLD_NOTHING) {
        take_blocks(judge, blocks, &told, part, words);
        return;
    }
    search(judge, &judge->options->limits, 0, &found);
    count_work(&found, &part->result);
    take_found(judge, &found, part, words);
    gd_lin_found_release(&found);
}

/* ---------------------------------------------------------------- the earliest illegal prefix */

struct prefix { /* The part again, in a record of its own whose operations can be cut. */
    struct gd_sim_record record;
    size_t *all;
    struct gd_sim_brief *steps;
    struct judge judge;
    struct gd_lin_kv_part part;
    uint64_t *returns; /* Sorted. */
    size_t return_count;
};

static void cut(struct prefix *prefix, const struct gd_sim_record *record,
                const struct gd_lin_kv_part *part, uint64_t time)
{
    prefix->part.operation_count = 0;
    for (size_t i = 0; i < part->operation_count; i++) {
        struct gd_sim_operation *op = &prefix->record.operations[i];
        *op = record->operations[part->operations[i]];
        if (op->fate == GD_SIM_FATE_DONE && op->back > time) {
            op->fate = GD_SIM_FATE_OPEN;
        }
        if (op->call <= time) {
            prefix->all[prefix->part.operation_count++] = i;
        }
    }
    size_t number = 0;
    prefix->part.step_count = 0;
    for (size_t i = 0; i < part->step_count; i++) {
        struct gd_sim_brief *step = &prefix->steps[prefix->part.step_count];
        *step = part->steps[i];
        number += step->count > 0 ? 1 : 0;
        step->operation = (uint32_t)number - 1;
        step->back = step->back > time ? GD_SIM_BACK_UNKNOWN : step->back;
        prefix->part.step_count += step->call <= time ? 1 : 0;
    }
}

static enum gd_lin_verdict verdict_at(struct prefix *prefix, const struct gd_sim_record *record,
                                      const struct gd_lin_kv_part *part, uint64_t time)
{
    cut(prefix, record, part, time);
    gd_lin_result_release(&prefix->part.result);
    decide(&prefix->judge, &prefix->part, false);
    return prefix->part.result.verdict;
}

static size_t place_of(const struct prefix *prefix, uint64_t time)
{
    size_t low = 0, high = prefix->return_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (prefix->returns[middle] < time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void begin_prefix(struct prefix *prefix, const struct judge *judge,
                         const struct gd_lin_kv_part *part)
{
    struct gd_lin_pair *pairs = gd_lin_zeroed(part->operation_count, sizeof *pairs);
    *prefix = (struct prefix){.record = *judge->record, .part = *part, .judge = *judge};
    prefix->record.operations =
        gd_lin_zeroed(part->operation_count, sizeof *prefix->record.operations);
    prefix->record.operation_count = part->operation_count;
    prefix->all = gd_lin_zeroed(part->operation_count, sizeof *prefix->all);
    prefix->returns = gd_lin_zeroed(part->operation_count, sizeof *prefix->returns);
    prefix->steps = gd_lin_zeroed(part->step_count + 1, sizeof *prefix->steps);
    prefix->part.operations = prefix->all;
    prefix->part.steps = prefix->steps;
    prefix->part.result = (struct gd_lin_result){.order = NULL};
    prefix->part.why = prefix->part.states = NULL;
    prefix->judge.record = &prefix->record;
    prefix->judge.numbers = (struct gd_lin_kv_part_numbers){.kinds = judge->numbers.kinds};
    for (size_t i = 0; i < part->operation_count; i++) {
        const struct gd_sim_operation *op = &judge->record->operations[part->operations[i]];
        if (op->fate == GD_SIM_FATE_DONE) {
            pairs[prefix->return_count++].key = op->back;
        }
    }
    gd_lin_sort(pairs, prefix->return_count);
    for (size_t i = 0; i < prefix->return_count; i++) {
        prefix->returns[i] = pairs[i].key;
    }
    free(pairs);
}

/* Of the prefixes that end with a return, the shortest that is illegal; looked for around `guess`.
 */
static size_t shortest(struct prefix *prefix, const struct judge *judge,
                       const struct gd_lin_kv_part *part, uint64_t guess)
{
    size_t high = prefix->return_count - 1, low = 0, at = place_of(prefix, guess);
    if (at < high &&
        verdict_at(prefix, judge->record, part, prefix->returns[at]) == GD_LIN_ILLEGAL) {
        high = at;
    } else if (at < high) {
        low = at + 1;
    }
    for (size_t step = 1; low < high; step *= 2) { /* Downwards in strides, then by halves. */
        size_t middle = high - low > 2 * step && step < 64 ? high - step : low + (high - low) / 2;
        if (verdict_at(prefix, judge->record, part, prefix->returns[middle]) == GD_LIN_ILLEGAL) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return high;
}

static void explain(struct judge *judge, struct gd_lin_kv_part *part)
{
    struct prefix prefix;
    uint64_t guess = 0;
    begin_prefix(&prefix, judge, part);
    for (size_t i = 0; i < part->result.stuck_count; i++) {
        const struct gd_sim_operation *op = &judge->record->operations[part->result.stuck[i]];
        guess = op->fate == GD_SIM_FATE_DONE && op->back > guess ? op->back : guess;
    }
    if (prefix.return_count > 0) {
        size_t at = shortest(&prefix, judge, part, guess);
        part->illegal_at = prefix.returns[at];
        cut(&prefix, judge->record, part, part->illegal_at);
        gd_lin_result_release(&prefix.part.result);
        decide(&prefix.judge, &prefix.part, true);
        /* An order up to where it goes wrong, and what stood there, when blocks told. */
        if (prefix.part.result.path == GD_LIN_PATH_BLOCKS) {
            struct gd_lin_limits limits = judge->options->limits;
            struct gd_lin_found found;
            limits.steps = limits.steps == 0 || limits.steps > 100000 ? 100000 : limits.steps;
            search(&prefix.judge, &limits, 0, &found);
            put_order(&prefix.judge, found.order, found.order_count, &prefix.part.result);
            say_states(&prefix.judge, &found, &prefix.part);
            gd_lin_found_release(&found);
        }
        struct gd_lin_result *from = &prefix.part.result, *to = &part->result;
        from->path = to->path;
        from->steps += to->steps;
        from->memory = to->memory > from->memory ? to->memory : from->memory;
        gd_lin_result_release(to);
        *to = *from;
        for (size_t i = 0; i < to->order_count; i++) {
            to->order[i] = part->operations[to->order[i]];
        }
        for (size_t i = 0; i < to->stuck_count; i++) {
            to->stuck[i] = part->operations[to->stuck[i]];
        }
        to->verdict = GD_LIN_ILLEGAL;
        free(part->why);
        free(part->states);
        part->why = prefix.part.why;
        part->states = prefix.part.states;
    }
    gd_lin_numbers_release(&prefix.judge.numbers);
    free(prefix.record.operations);
    free(prefix.all);
    free(prefix.steps);
    free(prefix.returns);
}

/* ---------------------------------------------------------------- all parts */

static void judge_part(struct judge *judge, struct gd_lin_kv_part *part)
{
    for (size_t i = 0; i < part->key_count; i++) {
        judge->cell_of[part->keys[i]] = (uint32_t)i;
    }
    part->judged = true;
    decide(judge, part, true);
    if (part->result.verdict == GD_LIN_ILLEGAL && judge->options->explain) {
        explain(judge, part);
    }
    if (part->result.verdict == GD_LIN_INCONCLUSIVE) {
        struct gd_bytes bytes = {0};
        gd_bytes_format(&bytes, "a limit was met after %" PRIu64 " steps", part->result.steps);
        if (part->why != NULL) {
            gd_bytes_format(&bytes, "; so far %s", part->why);
        }
        free(part->why);
        part->why = as_text(&bytes);
    }
}

static void fill_parts(struct gd_lin_kv *answer)
{
    const struct gd_sim_parts *split = &answer->split;
    answer->part_count = split->count;
    answer->parts = gd_lin_zeroed(split->count, sizeof *answer->parts);
    for (size_t i = 0; i < split->count; i++) {
        answer->parts[i] = (struct gd_lin_kv_part){
            .keys = split->keys + split->key_first[i],
            .key_count = split->key_first[i + 1] - split->key_first[i],
            .operations = split->operations + split->operation_first[i],
            .operation_count = split->operation_first[i + 1] - split->operation_first[i],
            .steps = split->briefs + split->brief_first[i],
            .step_count = split->brief_first[i + 1] - split->brief_first[i],
            .illegal_at = GD_LIN_OPEN};
    }
}

/* What the threads share. Parts are taken in order, so that all before an illegal one are judged,
 * and the answer is the same with any number of threads. */
struct crew {
    const struct gd_sim_record *record;
    const struct gd_lin_kv_options *options;
    struct gd_lin_kv *answer;
    atomic_size_t next, stop; /* No part from `stop` on is begun. */
};

static void *work(void *context)
{
    struct crew *crew = context;
    struct judge judge = {.record = crew->record, .options = crew->options};
    judge.numbers.kinds = crew->answer->split.kinds;
    judge.cell_of = gd_lin_zeroed(crew->answer->split.key_count, sizeof *judge.cell_of);
    for (;;) {
        size_t i = atomic_fetch_add(&crew->next, 1);
        if (i >= atomic_load(&crew->stop)) {
            break;
        }
        judge_part(&judge, &crew->answer->parts[i]);
        if (crew->answer->parts[i].result.verdict == GD_LIN_ILLEGAL && !crew->options->all) {
            size_t stop = atomic_load(&crew->stop);
            while (i + 1 < stop && !atomic_compare_exchange_weak(&crew->stop, &stop, i + 1)) {
            }
        }
    }
    gd_lin_numbers_release(&judge.numbers);
    free(judge.cell_of);
    return NULL;
}

static void run_crew(struct crew *crew)
{
    unsigned jobs = crew->options->jobs > 256 ? 256 : crew->options->jobs;
    pthread_t threads[256];
    bool running[256] = {false};
    for (unsigned i = 1; i < jobs; i++) {
        running[i] = pthread_create(&threads[i], NULL, work, crew) == 0; /* Else with fewer. */
    }
    (void)work(crew);
    for (unsigned i = 1; i < jobs; i++) {
        if (running[i]) {
            (void)pthread_join(threads[i], NULL);
        }
    }
}

static void forget(struct gd_lin_kv_part *part)
{
    gd_lin_result_release(&part->result);
    free(part->why);
    free(part->states);
    part->why = part->states = NULL;
    part->judged = false;
}

void gd_lin_kv_check(const struct gd_sim_record *record, const struct gd_lin_kv_options *options,
                     struct gd_lin_kv *answer)
{
    struct crew crew = {.record = record, .options = options, .answer = answer};
    *answer = (struct gd_lin_kv){.verdict = GD_LIN_LEGAL};
    gd_sim_parts_find(&answer->split, record);
    fill_parts(answer);
    atomic_init(&crew.next, 0);
    atomic_init(&crew.stop, answer->part_count);
    run_crew(&crew);
    for (size_t i = 0; i < answer->part_count; i++) {
        struct gd_lin_kv_part *part = &answer->parts[i];
        if (answer->verdict == GD_LIN_ILLEGAL && !options->all) {
            forget(part); /* Another thread had begun it before this one was found. */
        } else if (part->judged && part->result.verdict != GD_LIN_LEGAL &&
                   answer->verdict != GD_LIN_ILLEGAL) {
            answer->verdict = part->result.verdict;
        }
    }
}

void gd_lin_kv_release(struct gd_lin_kv *answer)
{
    for (size_t i = 0; i < answer->part_count; i++) {
        forget(&answer->parts[i]);
    }
    free(answer->parts);
    gd_sim_parts_release(&answer->split);
    *answer = (struct gd_lin_kv){.verdict = GD_LIN_LEGAL};
}
