/* lin_blocks.c - what values that are made once tell, before anything is searched.
 *
 * After Gibbons and Korach, "Testing shared memories" (1997), who did it for registers; taken to
 * cas, append, swap, delete and unknown outcomes as far as each rule is certain.
 *
 * A value that a single operation can make is in force once, without a gap. Its block is that
 * operation (the maker) and all who saw it. A maker that must itself have found a value made once
 * (a cas, an observed append, a swap) ties its block to that one: the two follow each other with
 * nothing between, and so on: a chain. Let `end` be the earliest return in a chain and `begin` its
 * latest call. When X's end is before Y's begin, something of X precedes something of Y; so X
 * precedes Y.
 *
 * What is illegal, whatever else the history holds:
 *   B1. A value was seen that nobody can have made.
 *   B2. Along a chain, something returned before what has to precede it was called.
 *   B3. One operation would have to make two values.
 *   B4. Two chains each have to precede the other.
 *   B5. An operation that cannot lie within a chain of others lies there: called after the chain's
 *       end, returned before its begin.
 *   B6. A value made once was ended twice, or seen by somebody called after its end had returned.
 *   B7. Somebody saw a value (made once or not) that nobody can have made in time: every operation
 *       that can make it returned before another one was called that left something else, and that
 *       itself returned before who saw the value was called.
 * Each is necessary for every order. When every operation is of some chain, they are sufficient:
 * the chains by begin + end are an order (if X must precede Y and Y need not precede X, X's sum is
 * the smaller), and that one is verified.
 *
 * What is learned on the way serves the search: a maker of unknown outcome whose value was seen has
 * happened by the time somebody who saw it returned. */
#include "sim/lin_kv.h"
#include <stdlib.h>

#define NONE GD_LIN_NO
#define MARKED (GD_LIN_NO - 1) /* In a chain that has no number yet. */

/* Times are one more than the record's, so that the beginning has one of its own: 0. */
struct block {               /* Of a value. */
    uint64_t end, begin;     /* Earliest return, latest call, of maker and who saw it. */
    uint32_t first, last;    /* Whose these are. */
    uint32_t next, previous; /* In its chain; values, or NONE. */
    uint32_t ender;          /* The call that saw it and left another; NONE. */
    uint32_t chain;          /* Counted from 1. */
    bool happened;           /* Surely in force at some time. */
};
struct chain {
    uint64_t end, begin;
    uint32_t first, last;
    uint32_t head; /* Its first value. */
};
struct blocks {
    struct gd_lin_kv_part_numbers *part;
    struct gd_lin_blocks_result *result;
    struct block *blocks; /* By value. */
    size_t value_count;
    uint32_t *made;       /* By call; the part's. */
    struct chain *chains; /* [0] is not used. */
    size_t chain_count;
};

static enum gd_lin_told wrong(struct blocks *b, uint32_t a, const char *verb, uint32_t value,
                              const char *tail, uint32_t other)
{
    struct gd_lin_blocks_result *result = b->result;
    result->a = a;
    result->verb = verb;
    result->value = value;
    result->tail = tail;
    result->b = other;
    return GD_LIN_TOLD_ILLEGAL;
}

static bool is_once(const struct blocks *b, uint32_t value)
{
    return value < b->value_count && gd_lin_once(b->part, value) &&
           !b->part->cells[b->part->values[value].cell].twice;
}

static uint64_t call_time(const struct blocks *b, uint32_t call)
{
    return b->part->calls[call].call + 1;
}

static uint64_t back_time(const struct blocks *b, uint32_t call)
{
    uint64_t back = b->part->calls[call].back;
    return back == GD_LIN_OPEN ? GD_LIN_OPEN : back + 1;
}

/* The maker's step: it has one under this key. */
static uint32_t making_step(const struct blocks *b, uint32_t value)
{
    const struct gd_lin_value *v = &b->part->values[value];
    const struct gd_lin_call *call = &b->part->calls[v->maker];
    uint32_t step = call->first;
    while (b->part->ops[step].cell != v->cell) {
        step++;
    }
    return step;
}

/* What the maker of a value made once must have found; NONE: not known. */
static uint32_t found_by_maker(const struct blocks *b, uint32_t value)
{
    const struct gd_lin_value *v = &b->part->values[value];
    if (v->maker == GD_LIN_NOBODY) {
        return NONE;
    }
    const struct gd_lin_op *op = &b->part->ops[making_step(b, value)];
    switch (op->what) {
    case GD_SIM_DO_SWAP:
        return op->known ? op->seen : NONE;
    case GD_SIM_DO_CAS:
        return op->old;
    case GD_SIM_DO_SETNX:
        return op->cell;
    case GD_SIM_DO_APPEND:
        return v->from;
    default:
        return NONE;
    }
}

static void add_member(struct blocks *b, uint32_t value, uint32_t call)
{
    struct block *block = &b->blocks[value];
    if (back_time(b, call) < block->end) {
        block->end = back_time(b, call);
        block->first = call;
    }
    if (call_time(b, call) >= block->begin) {
        block->begin = call_time(b, call);
        block->last = call;
    }
}

/* ---------------------------------------------------------------- who saw what */

/* Whether who saw `value` left another one. */
static bool ends(const struct gd_lin_op *op, uint32_t value)
{
    switch (op->what) {
    case GD_SIM_DO_SWAP:
    case GD_SIM_DO_CAS:
    case GD_SIM_DO_SETNX:
        return op->input != value;
    case GD_SIM_DO_TAKE:
        return value != op->cell;
    default:
        return false;
    }
}

static enum gd_lin_told end_value(struct blocks *b, uint32_t value, uint32_t call)
{
    struct block *block = &b->blocks[value];
    if (block->ender != NONE && block->ender != call) {
        return wrong(b, call, "found", value, "and left something else, and so did ",
                     block->ender); /* B6 */
    }
    block->ender = call;
    return GD_LIN_TOLD_NOTHING;
}

static enum gd_lin_told find_members(struct blocks *b)
{
    for (uint32_t i = 0; i < b->part->step_count; i++) {
        const struct gd_lin_op *op = &b->part->ops[i];
        uint32_t value = b->part->steps[i].need;
        if (!op->known || value == NONE || value >= b->value_count ||
            b->part->cells[op->cell].twice) {
            continue;
        }
        const struct gd_lin_value *v = &b->part->values[value];
        if (v->makers == 0 && !v->number) {
            return wrong(b, op->call, "saw", value, "which nobody wrote", NONE); /* B1 */
        }
        if (!is_once(b, value)) {
            continue;
        }
        if (ends(op, value) && end_value(b, value, op->call) != GD_LIN_TOLD_NOTHING) {
            return GD_LIN_TOLD_ILLEGAL;
        }
        add_member(b, value, op->call);
        b->blocks[value].happened = true;
    }
    return GD_LIN_TOLD_NOTHING;
}

/* ---------------------------------------------------------------- chains */

/* `value` was in force: so its maker happened, and what that one found. */
static enum gd_lin_told follow(struct blocks *b, uint32_t value)
{
    for (size_t steps = 0; value != NONE && b->blocks[value].chain == 0; steps++) {
        uint32_t maker = b->part->values[value].maker;
        struct block *block = &b->blocks[value];
        block->happened = true;
        block->chain = MARKED;
        if (maker == GD_LIN_NOBODY) {
            block->end = 0;
            return GD_LIN_TOLD_NOTHING;
        }
        if (b->made[maker] != NONE && b->made[maker] != value && b->part->calls[maker].count == 1) {
            return wrong(b, maker, "would have made both this and", value, "both were seen",
                         NONE); /* B3 */
        }
        b->made[maker] = value;
        add_member(b, value, maker);
        uint32_t from = found_by_maker(b, value);
        if (from == NONE) {
            return GD_LIN_TOLD_NOTHING;
        }
        b->part->steps[making_step(b, value)].need = from;
        if (from < b->value_count && b->part->values[from].makers == 0 &&
            !b->part->values[from].number) {
            return wrong(b, maker, "found", from, "which nobody wrote", NONE); /* B1 */
        }
        if (!is_once(b, from)) {
            return GD_LIN_TOLD_NOTHING;
        }
        if (end_value(b, from, maker) != GD_LIN_TOLD_NOTHING) {
            return GD_LIN_TOLD_ILLEGAL;
        }
        b->blocks[from].next = value;
        block->previous = from;
        value = from;
    }
    return GD_LIN_TOLD_NOTHING;
}

static enum gd_lin_told find_links(struct blocks *b)
{
    for (uint32_t v = 0; v < b->value_count; v++) {
        uint32_t maker = b->part->values[v].maker;
        if (!is_once(b, v)) {
            continue;
        }
        /* A known append may have made something else of another value. */
        bool made = maker == GD_LIN_NOBODY;
        if (!made) {
            const struct gd_lin_op *op = &b->part->ops[making_step(b, v)];
            made = op->known && op->what != GD_SIM_DO_APPEND;
        }
        if ((made || b->blocks[v].happened) && follow(b, v) != GD_LIN_TOLD_NOTHING) {
            return GD_LIN_TOLD_ILLEGAL;
        }
    }
    return GD_LIN_TOLD_NOTHING;
}

/* B2 along one chain; its times; and what its makers learn. */
static enum gd_lin_told walk_chain(struct blocks *b, uint32_t head)
{
    uint32_t number = (uint32_t)++b->chain_count, who = NONE, tail = head;
    struct chain *chain = &b->chains[number];
    uint64_t run = 0;
    *chain = (struct chain){.end = GD_LIN_OPEN, .first = NONE, .last = NONE, .head = head};
    for (uint32_t v = head; v != NONE; v = b->blocks[v].next) {
        struct block *block = &b->blocks[v];
        uint32_t maker = b->part->values[v].maker;
        block->chain = number;
        tail = v;
        if (maker != GD_LIN_NOBODY && call_time(b, maker) > run) {
            run = call_time(b, maker);
            who = maker;
        }
        if (block->end < run && block->first != NONE) {
            return wrong(b, block->first, "saw", v, "before it could be there: ", who); /* B2 */
        }
        if (block->begin > run) {
            run = block->begin;
            who = block->last;
        }
        if (block->end < chain->end) {
            chain->end = block->end;
            chain->first = block->first;
        }
        if (block->begin >= chain->begin) {
            chain->begin = block->begin;
            chain->last = block->last;
        }
        if (block->ender != NONE && back_time(b, block->ender) < block->begin) {
            return wrong(b, block->last, "saw", v,
                         "which was gone before: ", block->ender); /* B6 */
        }
    }
    uint64_t least = GD_LIN_OPEN;
    for (uint32_t v = tail; v != NONE; v = b->blocks[v].previous) {
        uint32_t maker = b->part->values[v].maker;
        least = b->blocks[v].end < least ? b->blocks[v].end : least;
        if (maker != GD_LIN_NOBODY && least != GD_LIN_OPEN && least < back_time(b, maker)) {
            b->part->calls[maker].back = least - 1;
            b->part->calls[maker].rank = least - 1;
        }
    }
    return GD_LIN_TOLD_NOTHING;
}

static enum gd_lin_told find_chains(struct blocks *b)
{
    for (uint32_t v = 0; v < b->value_count; v++) {
        if (b->blocks[v].chain == MARKED && b->blocks[v].previous == NONE &&
            walk_chain(b, v) != GD_LIN_TOLD_NOTHING) {
            return GD_LIN_TOLD_ILLEGAL;
        }
    }
    for (uint32_t v = 0; v < b->value_count; v++) {
        if (b->blocks[v].chain == MARKED) { /* It comes from itself. */
            return wrong(b, b->part->values[v].maker, "made", v, "which only came of it", NONE);
        }
    }
    return GD_LIN_TOLD_NOTHING;
}

/* The chain of a step: of what it saw, or of what it made; 0: none. */
static uint32_t chain_of(const struct blocks *b, uint32_t step)
{
    const struct gd_lin_op *op = &b->part->ops[step];
    uint32_t need = b->part->steps[step].need;
    uint32_t made = b->made[op->call];
    if (need != NONE && need < b->value_count && b->blocks[need].chain != 0 &&
        b->part->calls[op->call].back != GD_LIN_OPEN) {
        return b->blocks[need].chain;
    }
    return made != NONE && b->part->values[made].cell == op->cell ? b->blocks[made].chain : 0;
}

/* ---------------------------------------------------------------- B4, B5 */

enum span_kind { SPAN_OUTSIDE, SPAN_BACKWARD, SPAN_FORWARD };
struct span {
    uint64_t from, to;
    enum span_kind kind;
    uint32_t chain, call, cell;
};

/* Steps come first, then the chains. */
static struct span span_of(const struct blocks *b, uint32_t number)
{
    const struct gd_lin_kv_part_numbers *part = b->part;
    if (number < part->step_count) {
        const struct gd_lin_op *op = &part->ops[number];
        return (struct span){.from = part->calls[op->call].call + 1,
                             .to = part->calls[op->call].back + 1,
                             .kind = SPAN_OUTSIDE,
                             .chain = chain_of(b, number),
                             .call = op->call,
                             .cell = op->cell};
    }
    uint32_t c = number - (uint32_t)part->step_count + 1;
    const struct chain *chain = &b->chains[c];
    bool forward = chain->end < chain->begin;
    return (struct span){.from = forward ? chain->end : chain->begin,
                         .to = forward ? chain->begin : chain->end,
                         .kind = forward ? SPAN_FORWARD : SPAN_BACKWARD,
                         .chain = c,
                         .call = forward ? chain->last : chain->first,
                         .cell = part->values[chain->head].cell};
}

/* By their beginning. Of two that begin together, what could lie inside the other comes first, so
 * that it does not. */
static size_t sort_spans(const struct blocks *b, struct gd_lin_pair *pairs)
{
    const struct gd_lin_kv_part_numbers *part = b->part;
    size_t count = 0;
    for (uint32_t i = 0; i < part->step_count; i++) {
        const struct gd_lin_call *call = &part->calls[part->ops[i].call];
        if (call->back != GD_LIN_OPEN && call->count == 1 && call->outside) {
            pairs[count++] = (struct gd_lin_pair){call->call + 1, i};
        }
    }
    for (uint32_t c = 1; c <= b->chain_count; c++) {
        const struct chain *chain = &b->chains[c];
        if (chain->end != GD_LIN_OPEN) {
            pairs[count++] =
                (struct gd_lin_pair){chain->end < chain->begin ? chain->end : chain->begin,
                                     (uint32_t)part->step_count + c - 1};
        }
    }
    gd_lin_sort(pairs, count);
    return count;
}

static enum gd_lin_told compare_chains(struct blocks *b)
{
    const struct span none = {.kind = SPAN_OUTSIDE};
    struct gd_lin_pair *pairs = gd_lin_zeroed(b->part->step_count + b->chain_count, sizeof *pairs);
    /* By cell: the chain that reaches farthest; kind OUTSIDE: none yet. */
    struct span *reaches = gd_lin_zeroed(b->part->cell_count, sizeof *reaches);
    size_t count = sort_spans(b, pairs);
    enum gd_lin_told told = GD_LIN_TOLD_NOTHING;
    for (size_t i = 0; i < b->part->cell_count; i++) {
        reaches[i] = none;
    }
    for (size_t k = 0; k < count && told == GD_LIN_TOLD_NOTHING; k++) {
        const struct span span = span_of(b, pairs[k].value);
        struct span *reach = &reaches[span.cell];
        bool met = reach->kind == SPAN_FORWARD;
        bool inside =
            met && reach->from < span.from && span.to < reach->to && reach->chain != span.chain;
        if (span.kind == SPAN_FORWARD && met && span.from < reach->to) { /* B4 */
            told = wrong(
                b, reach->call, "saw", b->chains[reach->chain].head,
                "or what came of it, though the key had moved on: ", b->chains[span.chain].first);
        } else if (inside && span.kind != SPAN_FORWARD) { /* B4, B5 */
            told = wrong(b, reach->call, "saw", b->chains[reach->chain].head,
                         "or what came of it, which was gone by ", span.call);
        }
        if (span.kind == SPAN_FORWARD && (!met || span.to > reach->to)) {
            *reach = span;
        }
    }
    free(pairs);
    free(reaches);
    return told;
}

/* ---------------------------------------------------------------- B7 */

/* The value that a step that is done surely leaves; NONE: not known. */
static uint32_t leaves(const struct blocks *b, uint32_t step)
{
    const struct gd_lin_op *op = &b->part->ops[step];
    switch (op->what) {
    case GD_SIM_DO_READ:
        return op->seen;
    case GD_SIM_DO_WRITE:
    case GD_SIM_DO_SWAP:
        return op->input;
    case GD_SIM_DO_DELETE:
    case GD_SIM_DO_TAKE:
        return op->cell;
    case GD_SIM_DO_CAS:
    case GD_SIM_DO_SETNX:
        return op->output == GD_SIM_VALUE_TRUE ? op->input : NONE;
    default:
        return b->made[op->call] != NONE && b->part->values[b->made[op->call]].cell == op->cell
                   ? b->made[op->call]
                   : NONE;
    }
}

struct moment {
    uint64_t at;
    uint32_t step;
    uint8_t kind; /* Returns of who left something; calls of who saw something. */
};

/* By cell: of those that returned by now, the latest call, and the latest of those that left
 * something else than that one. */
struct latest {
    uint64_t call[2];
    uint32_t left[2], who[2];
};

static void note_left(struct latest *latest, uint64_t call, uint32_t left, uint32_t who)
{
    if (call > latest->call[0] || latest->who[0] == NONE) {
        if (left != latest->left[0]) {
            latest->call[1] = latest->call[0];
            latest->left[1] = latest->left[0];
            latest->who[1] = latest->who[0];
        }
        latest->call[0] = call;
        latest->left[0] = left;
        latest->who[0] = who;
    } else if (left != latest->left[0] && (call > latest->call[1] || latest->who[1] == NONE)) {
        latest->call[1] = call;
        latest->left[1] = left;
        latest->who[1] = who;
    }
}

/* For each step that saw a value made more than once: whom it must come after, and that one's call.
 */
static void find_since(struct blocks *b, uint64_t *since, uint32_t *whom)
{
    struct gd_lin_kv_part_numbers *part = b->part;
    struct gd_lin_pair *returns = gd_lin_zeroed(part->step_count, sizeof *returns);
    struct gd_lin_pair *calls = gd_lin_zeroed(part->step_count, sizeof *calls);
    struct latest *latest = gd_lin_zeroed(part->cell_count, sizeof *latest);
    size_t return_count = 0, call_count = 0, r = 0;
    for (uint32_t cell = 0; cell < part->cell_count; cell++) {
        latest[cell] = (struct latest){.left = {NONE, NONE}, .who = {NONE, NONE}};
    }
    for (uint32_t i = 0; i < part->step_count; i++) {
        const struct gd_lin_call *call = &part->calls[part->ops[i].call];
        if (!part->ops[i].known || part->cells[part->ops[i].cell].twice) {
            continue;
        }
        if (leaves(b, i) != NONE) {
            returns[return_count++] = (struct gd_lin_pair){call->back, i};
        }
        if (part->steps[i].need != NONE) {
            calls[call_count++] = (struct gd_lin_pair){call->call, i};
        }
    }
    gd_lin_sort(returns, return_count);
    gd_lin_sort(calls, call_count);
    for (size_t k = 0; k < call_count; k++) {
        uint32_t step = calls[k].value, value = part->steps[step].need;
        const struct latest *now = &latest[part->ops[step].cell];
        for (; r < return_count && returns[r].key < calls[k].key; r++) {
            uint32_t left = returns[r].value;
            note_left(&latest[part->ops[left].cell], call_time(b, part->ops[left].call),
                      leaves(b, left), part->ops[left].call);
        }
        unsigned which = now->left[0] == value ? 1 : 0;
        since[step] = now->who[which] == NONE ? 0 : now->call[which];
        whom[step] = now->who[which];
    }
    free(returns);
    free(calls);
    free(latest);
}

/* Values that a step can make, as far as they have a number: at most one, or everything. */
static uint32_t may_make(const struct gd_lin_op *op)
{
    switch (op->what) {
    case GD_SIM_DO_WRITE:
    case GD_SIM_DO_SWAP:
    case GD_SIM_DO_SETNX:
    case GD_SIM_DO_CAS:
        return op->input;
    case GD_SIM_DO_DELETE:
    case GD_SIM_DO_TAKE:
        return op->cell;
    default:
        return NONE;
    }
}

/* B7. Left out: values that appending or counting can make, for nobody numbers those. */
static enum gd_lin_told look_for_makers(struct blocks *b)
{
    struct gd_lin_kv_part_numbers *part = b->part;
    uint64_t *since = gd_lin_zeroed(part->step_count, sizeof *since);
    uint32_t *whom = gd_lin_zeroed(part->step_count, sizeof *whom);
    uint64_t *reach = gd_lin_zeroed(b->value_count, sizeof *reach);
    struct gd_lin_pair *makers = gd_lin_zeroed(part->step_count, sizeof *makers);
    struct gd_lin_pair *seers = gd_lin_zeroed(part->step_count, sizeof *seers);
    size_t maker_count = 0, seer_count = 0, m = 0;
    enum gd_lin_told told = GD_LIN_TOLD_NOTHING;
    find_since(b, since, whom);
    for (uint32_t i = 0; i < part->step_count; i++) {
        const struct gd_lin_op *op = &part->ops[i];
        const struct gd_lin_cell *cell = &part->cells[op->cell];
        if (cell->twice) {
            continue;
        }
        if (may_make(op) != NONE &&
            !(part->calls[op->call].count == 1 && part->calls[op->call].reads_only)) {
            makers[maker_count++] = (struct gd_lin_pair){part->calls[op->call].call, i};
        }
        uint32_t need = part->steps[i].need;
        bool made_plainly = need != NONE && need < b->value_count &&
                            (need == op->cell || (!cell->appends && !cell->counts));
        if (op->known && made_plainly && since[i] > 0) {
            seers[seer_count++] = (struct gd_lin_pair){part->calls[op->call].back, i};
        }
    }
    gd_lin_sort(makers, maker_count);
    gd_lin_sort(seers, seer_count);
    for (size_t k = 0; k < seer_count && told == GD_LIN_TOLD_NOTHING; k++) {
        uint32_t step = seers[k].value, need = part->steps[step].need;
        for (; m < maker_count && makers[m].key <= seers[k].key; m++) {
            const struct gd_lin_op *op = &part->ops[makers[m].value];
            uint32_t made = may_make(op);
            uint64_t back = back_time(b, op->call);
            if (made < b->value_count && back > reach[made]) {
                reach[made] = back;
            }
        }
        if (reach[need] < since[step]) {
            told = wrong(b, part->ops[step].call, "saw", need,
                         "which nobody can have put there after ", whom[step]);
        }
    }
    free(since);
    free(whom);
    free(reach);
    free(makers);
    free(seers);
    return told;
}

/* ---------------------------------------------------------------- an order */

/* Is every call that must be done of some chain, or a write that nobody sees? */
static bool is_whole(const struct blocks *b)
{
    const struct gd_lin_kv_part_numbers *part = b->part;
    bool whole = part->cell_count == 1 && !part->cells[0].twice && !part->ordered;
    for (size_t i = 0; i < part->call_count && whole; i++) {
        const struct gd_lin_call *call = &part->calls[i];
        whole = call->count == 1 && (call->back == GD_LIN_OPEN || call->chain != 0 ||
                                     part->ops[call->first].what == GD_SIM_DO_WRITE);
    }
    return whole;
}

/* Those of one block: its maker, then who saw it by call; the ender is the next block's maker, or
 * comes last. */
static void put_chain(const struct blocks *b, uint32_t chain, const uint32_t *first,
                      const uint32_t *next, uint32_t *order, size_t *count)
{
    for (uint32_t v = b->chains[chain].head; v != NONE; v = b->blocks[v].next) {
        uint32_t maker = b->part->values[v].maker;
        if (maker != GD_LIN_NOBODY) {
            order[(*count)++] = maker;
        }
        for (uint32_t i = first[v]; i != NONE; i = next[i]) {
            order[(*count)++] = i;
        }
        uint32_t ender = b->blocks[v].ender;
        if (ender != NONE && b->blocks[v].next == NONE) {
            order[(*count)++] = ender;
        }
    }
}

/* Plays it: every call that must be done, once, within its time, with its output. */
static bool holds(const struct blocks *b, const uint32_t *order, size_t count)
{
    const struct gd_lin_kv_part_numbers *part = b->part;
    bool *taken = gd_lin_zeroed(part->call_count, sizeof *taken);
    uint64_t now = 0;
    uint32_t value = part->start[0];
    for (size_t k = 0; k < count && value != GD_LIN_NO; k++) {
        const struct gd_lin_call *call = &part->calls[order[k]];
        now = call->call > now ? call->call : now;
        value = now <= call->back && !taken[order[k]] ? gd_lin_kv_step(b->part, call->first, value)
                                                      : GD_LIN_NO;
        taken[order[k]] = true;
    }
    for (size_t i = 0; i < part->call_count && value != GD_LIN_NO; i++) {
        value = taken[i] || part->calls[i].back == GD_LIN_OPEN ? value : GD_LIN_NO;
    }
    free(taken);
    return value != GD_LIN_NO;
}

static enum gd_lin_told find_order(struct blocks *b)
{
    struct gd_lin_kv_part_numbers *part = b->part;
    struct gd_lin_pair *by_call = gd_lin_zeroed(part->call_count, sizeof *by_call);
    struct gd_lin_pair *sums = gd_lin_zeroed(part->call_count + b->chain_count, sizeof *sums);
    uint32_t *first = gd_lin_zeroed(b->value_count, sizeof *first);
    uint32_t *next = gd_lin_zeroed(part->call_count, sizeof *next);
    /* A call should come once, but that is for `holds` to see. */
    uint32_t *order = gd_lin_zeroed(part->call_count + 2 * b->value_count, sizeof *order);
    size_t count = 0, sum_count = 0;
    memset(first, 0xff, b->value_count * sizeof *first);
    for (uint32_t i = 0; i < part->call_count; i++) {
        by_call[i] = (struct gd_lin_pair){part->calls[i].call, i};
    }
    gd_lin_sort(by_call, part->call_count);
    for (size_t k = part->call_count; k-- > 0;) {
        uint32_t i = by_call[k].value, need = part->steps[part->calls[i].first].need;
        const struct gd_lin_call *call = &part->calls[i];
        if (call->back != GD_LIN_OPEN && call->chain == 0) {
            sums[sum_count++] =
                (struct gd_lin_pair){call->call + call->back + 2, i + (uint32_t)b->chain_count + 1};
        } else if (call->back != GD_LIN_OPEN && call->reads_only) {
            next[i] = first[need];
            first[need] = i;
        }
    }
    for (uint32_t c = 1; c <= b->chain_count; c++) {
        sums[sum_count++] = (struct gd_lin_pair){b->chains[c].end + b->chains[c].begin, c};
        if (b->chains[c].end == 0) {
            sums[sum_count - 1].key = 0; /* The beginning. */
        }
    }
    gd_lin_sort(sums, sum_count);
    for (size_t k = 0; k < sum_count; k++) {
        if (sums[k].value > b->chain_count) {
            order[count++] = sums[k].value - (uint32_t)b->chain_count - 1;
        } else {
            put_chain(b, sums[k].value, first, next, order, &count);
        }
    }
    free(by_call);
    free(sums);
    free(first);
    free(next);
    if (!holds(b, order, count)) {
        free(order);
        return GD_LIN_TOLD_NOTHING;
    }
    b->result->order = order;
    b->result->order_count = count;
    return GD_LIN_TOLD_LEGAL;
}

/* ---------------------------------------------------------------- all of it */

/* The calls learn their chains and when they are due. */
static void tell_calls(struct blocks *b)
{
    struct gd_lin_kv_part_numbers *part = b->part;
    part->chain_begin = gd_lin_grown(part->chain_begin, &part->chain_capacity, b->chain_count + 1,
                                     sizeof *part->chain_begin);
    part->chain_count = b->chain_count;
    part->chain_begin[0] = 0;
    for (uint32_t c = 1; c <= b->chain_count; c++) {
        part->chain_begin[c] = b->chains[c].begin > 0 ? b->chains[c].begin - 1 : 0;
    }
    for (size_t i = 0; i < part->call_count; i++) {
        struct gd_lin_call *call = &part->calls[i];
        uint32_t chain = call->count == 1 ? chain_of(b, call->first) : 0;
        if (call->back == GD_LIN_OPEN || chain == 0 || part->cell_count != 1) {
            continue;
        }
        call->chain = chain;
        uint64_t end = b->chains[chain].end;
        if (end > 0 && end - 1 < call->rank) {
            call->rank = end - 1;
        }
    }
}

static enum gd_lin_told look(struct blocks *b)
{
    enum gd_lin_told told = find_members(b);
    told = told == GD_LIN_TOLD_NOTHING ? find_links(b) : told;
    told = told == GD_LIN_TOLD_NOTHING ? find_chains(b) : told;
    if (told != GD_LIN_TOLD_NOTHING) {
        return told;
    }
    tell_calls(b);
    told = compare_chains(b);
    if (told == GD_LIN_TOLD_NOTHING && is_whole(b)) {
        told = find_order(b);
    }
    return told;
}

enum gd_lin_told gd_lin_blocks(struct gd_lin_kv_part_numbers *part,
                               struct gd_lin_blocks_result *result)
{
    struct blocks b = {.part = part, .result = result, .value_count = part->value_count};
    *result = (struct gd_lin_blocks_result){.a = NONE, .b = NONE};
    b.blocks = gd_lin_zeroed(b.value_count, sizeof *b.blocks);
    part->made_by = gd_lin_room(part->made_by, &part->made_by_capacity, part->call_count,
                                sizeof *part->made_by);
    b.made = part->made_by;
    b.chains = gd_lin_zeroed(b.value_count + 1, sizeof *b.chains);
    memset(b.made, 0xff, part->call_count * sizeof *b.made);
    for (size_t v = 0; v < b.value_count; v++) {
        b.blocks[v] = (struct block){.end = GD_LIN_OPEN,
                                     .first = NONE,
                                     .last = NONE,
                                     .next = NONE,
                                     .previous = NONE,
                                     .ender = NONE};
    }
    enum gd_lin_told told = look(&b);
    free(b.blocks);
    free(b.chains);
    return told;
}

enum gd_lin_told gd_lin_blocks_in_time(struct gd_lin_kv_part_numbers *part,
                                       struct gd_lin_blocks_result *result)
{
    struct blocks b = {
        .part = part, .result = result, .value_count = part->value_count, .made = part->made_by};
    *result = (struct gd_lin_blocks_result){.a = NONE, .b = NONE};
    return look_for_makers(&b);
}
