/* lin_order.c - who must come before whom, over all keys of a part together.
 *
 * Transactions tie keys together: an order that one key forces is news for the others, and what
 * they make of it comes back. So all of it goes into one relation, to a fixed point, as in Biswas
 * and Enea, "On the complexity of checking transactional consistency" (2019), taken to cas, append,
 * delete, counting and unknown outcomes. A "touch" is all that one call does to one cell, seen from
 * outside: what it must find there and what it surely leaves.
 *
 * - O1. What returned before another was called comes before it; so do earlier ones of a session.
 * - O2. Who finds a value was supplied with it by somebody: the last before him who put it there.
 *   That one was not before another who is before the reader, and at whom the cell had, or was
 *   given, something else (or was given the value anew).
 * - O3. Where one supplier is left, he happened, comes before the reader, and whoever is as in O2
 *   does not lie between the two: if he is behind the supplier he is behind the reader; if he is
 *   before the reader he is before the supplier.
 * - O4. What precedes all suppliers that are left precedes the reader.
 * - O5. Numbers with one root (lin_counts.c) rise: O3 holds for the root and all who find one of
 *   them, others being those at whom the cell had, or was given, none of them; and among themselves
 *   they stand by their numbers.
 *
 * Each holds in every order. Of an open call: if it happens. Only of those that surely happen does
 * anything follow for others. A reader with no supplier left, or one who would have to come before
 * himself: no order.
 *
 * The relation is kept closed: a row of bits for each call, of those behind it, and one of those
 * before it. */
#include "sim/lin_kv.h"
#include <stdlib.h>

#define NONE GD_LIN_NO
#define START (GD_LIN_NO - 1) /* As a supplier: the beginning. */
#define ANY SIZE_MAX
#define ROUNDS_MAX 64u

struct touch {
    uint32_t call, cell;
    uint32_t find, leave;         /* Values; NONE: not known. */
    size_t find_size, leave_size; /* Of these, also when they are not known; ANY: not known. */
    uint32_t step;                /* Its only one; NONE: there are several. */
    bool writes; /* It may put something there; if `leave` is known, it surely puts that. */
    bool there;  /* It found something, nobody knows what. */
    bool moves;  /* It surely leaves something else than it found. */
};
struct supply { /* May leave `value`. */
    uint32_t value, touch;
};
struct orders {
    struct gd_lin_kv_part_numbers *part;
    struct gd_lin_blocks_result *result;
    size_t count, words;
    uint64_t *behind, *before; /* Rows of bits. */
    uint64_t *mask, *fresh;    /* A row each. */
    bool *sure;                /* By call: it happens. */
    struct touch *touches;     /* By call. */
    size_t touch_count;
    uint32_t *by_cell, *cell_first; /* Touches. */
    struct gd_lin_pair *finds;      /* Touches by the value they find; made anew in each round. */
    struct supply *supplies;        /* By value. */
    size_t supply_count, supply_capacity;
    uint32_t *supply_first; /* By value; those behind `supply_values` have none. */
    size_t supply_values;
    bool *loose; /* By cell: not all suppliers are known. */
    bool changed, illegal;
};

static uint64_t *row(const struct orders *o, uint64_t *rows, uint32_t call)
{
    return rows + call * o->words;
}

static bool has(const uint64_t *bits, uint32_t call)
{
    return (bits[call / 64] >> call % 64 & 1) != 0;
}

static void put(uint64_t *bits, uint32_t call)
{
    bits[call / 64] |= UINT64_C(1) << call % 64;
}

static void wrong(struct orders *o, uint32_t a, uint32_t value, const char *tail, uint32_t b)
{
    if (!o->illegal) {
        o->illegal = true;
        o->result->a = a;
        o->result->verb = "saw";
        o->result->value = value;
        o->result->tail = tail;
        o->result->b = b;
    }
}

/* ---------------------------------------------------------------- touches */

static bool writes_always(const struct gd_lin_op *op)
{
    return op->what == GD_SIM_DO_WRITE || op->what == GD_SIM_DO_SWAP ||
           op->what == GD_SIM_DO_DELETE || op->what == GD_SIM_DO_TAKE;
}

/* What a step leaves that found nobody knows what. */
static uint32_t leaves_anyway(struct gd_lin_kv_part_numbers *part, const struct gd_lin_op *op)
{
    switch (op->what) {
    case GD_SIM_DO_WRITE:
    case GD_SIM_DO_SWAP:
        return op->input;
    case GD_SIM_DO_DELETE:
    case GD_SIM_DO_TAKE:
        return op->cell;
    case GD_SIM_DO_INCR:
        return op->known && op->output == GD_SIM_VALUE_NUMBER
                   ? gd_lin_number(part, op->cell, op->number)
                   : NONE;
    default:
        return NONE;
    }
}

static bool finds_something(const struct gd_lin_op *op)
{
    switch (op->what) {
    case GD_SIM_DO_DELETE:
        return op->output == GD_SIM_VALUE_TRUE;
    case GD_SIM_DO_SETNX:
        return op->output == GD_SIM_VALUE_FALSE;
    case GD_SIM_DO_INCR:
        return op->output == GD_SIM_VALUE_ERROR;
    default:
        return false;
    }
}

/* An append tells the size that it left, and so the one it found. */
static void note_sizes(struct orders *o, struct touch *touch, const struct gd_lin_op *op)
{
    if (op->what != GD_SIM_DO_APPEND || !op->known || op->output != GD_SIM_VALUE_NUMBER) {
        return;
    }
    size_t piece = o->part->pieces[op->piece].size;
    if (op->number >= 0 && (uint64_t)op->number >= piece) {
        touch->leave_size = (size_t)op->number;
        touch->find_size = touch->writes ? touch->find_size : (size_t)op->number - piece;
    }
}

/* One step more. `touch->leave` is what is there behind it, as far as that is known. */
static void go_through(struct orders *o, struct touch *touch, uint32_t step)
{
    const struct gd_lin_op *op = &o->part->ops[step];
    uint32_t need = o->part->steps[step].need, now = touch->leave, then;
    if (need != NONE && now == NONE) {
        touch->find = touch->writes ? touch->find : need;
        now = need;
    }
    if (now == NONE && !touch->writes && op->known) {
        touch->there = touch->there || finds_something(op);
    }
    if (gd_lin_keeps(op)) {
        touch->leave = now;
        return;
    }
    note_sizes(o, touch, op);
    touch->moves = touch->step == step && op->known &&
                   ((op->what == GD_SIM_DO_APPEND && o->part->pieces[op->piece].size > 0) ||
                    (op->what == GD_SIM_DO_INCR && op->add != 0));
    then = now == NONE ? leaves_anyway(o->part, op) : gd_lin_kv_step(o->part, step, now);
    touch->writes = touch->writes || now == NONE || then != now || writes_always(op);
    touch->leave = then;
}

static void add_touches(struct orders *o, uint32_t i)
{
    const struct gd_lin_call *call = &o->part->calls[i];
    size_t first = o->touch_count;
    for (uint32_t k = call->first; k < call->first + call->count; k++) {
        size_t at = first;
        while (at < o->touch_count && o->touches[at].cell != o->part->ops[k].cell) {
            at++;
        }
        struct touch *touch = &o->touches[at];
        if (at == o->touch_count) {
            o->touch_count++;
            *touch = (struct touch){.call = i,
                                    .cell = o->part->ops[k].cell,
                                    .find = NONE,
                                    .leave = NONE,
                                    .find_size = ANY,
                                    .leave_size = ANY,
                                    .step = k};
        } else {
            touch->step = NONE;
            touch->moves = false;
            touch->leave_size = ANY;
        }
        go_through(o, touch, k);
    }
}

static void sort_touches(struct orders *o)
{
    for (size_t i = 0; i < o->touch_count; i++) {
        o->cell_first[o->touches[i].cell + 1]++;
    }
    for (size_t i = 0; i < o->part->cell_count; i++) {
        o->cell_first[i + 1] += o->cell_first[i];
    }
    uint32_t *place = gd_lin_zeroed(o->part->cell_count, sizeof *place);
    memcpy(place, o->cell_first, o->part->cell_count * sizeof *place);
    for (uint32_t i = 0; i < o->touch_count; i++) {
        o->by_cell[place[o->touches[i].cell]++] = i;
    }
    free(place);
}

/* ---------------------------------------------------------------- who may leave what */

static void add_supply(struct orders *o, uint32_t value, uint32_t touch)
{
    o->supplies =
        gd_lin_grown(o->supplies, &o->supply_capacity, o->supply_count, sizeof *o->supplies);
    o->supplies[o->supply_count++] = (struct supply){value, touch};
}

/* Numbers that somebody finds, as far as counting may give them. */
static void add_counted(struct orders *o, uint32_t touch)
{
    uint32_t cell = o->touches[touch].cell;
    for (uint32_t v = (uint32_t)o->part->cell_count; v < o->part->value_count; v++) {
        const struct gd_lin_value *value = &o->part->values[v];
        if (value->cell == cell && value->number &&
            gd_lin_counts_to(o->part, cell, value->integer)) {
            add_supply(o, v, touch);
        }
    }
}

static void add_appended(struct orders *o, uint32_t piece, uint32_t touch)
{
    for (size_t i = 0; i < o->part->edge_count; i++) {
        const struct gd_lin_edge *edge = &o->part->edges[i];
        if (edge->piece == piece && edge->from != edge->to) {
            add_supply(o, edge->to, touch);
        }
    }
}

/* What a touch may leave that is not sure of it. */
static void add_possible(struct orders *o, uint32_t number)
{
    const struct touch *touch = &o->touches[number];
    const struct gd_lin_call *call = &o->part->calls[touch->call];
    for (uint32_t k = call->first; k < call->first + call->count; k++) {
        const struct gd_lin_op *op = &o->part->ops[k];
        if (op->cell != touch->cell || gd_lin_keeps(op)) {
            continue;
        }
        if (op->what == GD_SIM_DO_INCR) {
            add_counted(o, number);
        } else if (op->what == GD_SIM_DO_APPEND) {
            add_appended(o, op->piece, number);
        } else if (op->what == GD_SIM_DO_DELETE || op->what == GD_SIM_DO_TAKE) {
            add_supply(o, op->cell, number);
        } else {
            add_supply(o, op->input, number);
        }
    }
}

static void find_supplies(struct orders *o)
{
    for (uint32_t i = 0; i < o->touch_count; i++) {
        const struct touch *touch = &o->touches[i];
        if (touch->writes && touch->leave != NONE) {
            add_supply(o, touch->leave, i);
        } else if (touch->writes) {
            add_possible(o, i);
        }
    }
    o->supply_values = o->part->value_count;
    o->supply_first = gd_lin_zeroed(o->supply_values + 1, sizeof *o->supply_first);
    struct supply *sorted = gd_lin_zeroed(o->supply_count, sizeof *sorted);
    for (size_t i = 0; i < o->supply_count; i++) {
        o->supply_first[o->supplies[i].value + 1]++;
    }
    for (size_t i = 0; i < o->supply_values; i++) {
        o->supply_first[i + 1] += o->supply_first[i];
    }
    uint32_t *place = gd_lin_zeroed(o->supply_values + 1, sizeof *place);
    memcpy(place, o->supply_first, (o->supply_values + 1) * sizeof *place);
    for (size_t i = 0; i < o->supply_count; i++) {
        sorted[place[o->supplies[i].value]++] = o->supplies[i];
    }
    free(place);
    free(o->supplies);
    o->supplies = sorted;
}

/* ---------------------------------------------------------------- the relation */

/* `i`, which surely happens, comes before `k`; because of `value`, which `reader` found. */
static void add_edge(struct orders *o, uint32_t i, uint32_t k, uint32_t reader, uint32_t value)
{
    const uint64_t *from = row(o, o->behind, k), *upto = row(o, o->before, i);
    if (o->illegal || has(row(o, o->behind, i), k)) {
        return;
    }
    if (i == k || has(from, i)) {
        wrong(o, reader, value, "and would have to come both before and after ",
              i == reader ? k : i);
        return;
    }
    GD_ASSERT(o->sure[i]);
    o->changed = true;
    for (size_t w = 0; w <= o->words; w++) { /* At the end `i` itself. */
        uint64_t these = w < o->words ? upto[w] : 1;
        for (; these != 0; these &= these - 1) {
            uint32_t a = w < o->words ? (uint32_t)(64 * w) + (uint32_t)__builtin_ctzll(these) : i;
            uint64_t *mine = row(o, o->behind, a);
            for (size_t v = 0; v < o->words; v++) {
                uint64_t more = (from[v] | (k / 64 == v ? UINT64_C(1) << k % 64 : 0)) & ~mine[v];
                mine[v] |= more;
                for (; more != 0; more &= more - 1) {
                    put(row(o, o->before, (uint32_t)(64 * v) + (uint32_t)__builtin_ctzll(more)), a);
                }
            }
        }
    }
}

/* O1. */
static void begin_relation(struct orders *o)
{
    const struct gd_lin_call *calls = o->part->calls;
    for (uint32_t k = 0; k < o->count; k++) {
        for (uint32_t i = 0; i < o->count; i++) {
            if (calls[i].back < calls[k].call) {
                put(row(o, o->before, k), i);
                put(row(o, o->behind, i), k);
            }
        }
    }
    for (uint32_t k = 0; k < o->count; k++) {
        if (calls[k].after != 0 && o->sure[calls[k].after - 1] &&
            !has(row(o, o->behind, k), calls[k].after - 1)) {
            add_edge(o, calls[k].after - 1, k, k, NONE);
        }
    }
}

/* ---------------------------------------------------------------- O2 to O4 */

/* The size of what a touch finds and of what it leaves; ANY: not known. */
static size_t size_found(const struct orders *o, const struct touch *touch)
{
    return touch->find != NONE ? o->part->values[touch->find].size : touch->find_size;
}

static size_t size_left(const struct orders *o, const struct touch *touch)
{
    return touch->leave != NONE ? o->part->values[touch->leave].size : touch->leave_size;
}

/* What a reader found: a value; or, when `value` is NONE, anything of that size. Where nobody tells
 * sizes, `size` is ANY. */
struct found {
    uint32_t cell, value;
    size_t size;
};

static bool is_other(const struct orders *o, const struct touch *touch, const struct found *found)
{
    size_t before = size_found(o, touch), behind = size_left(o, touch);
    if (found->size != ANY && ((before != ANY && before != found->size) ||
                               (behind != ANY && (behind != found->size || touch->writes)))) {
        return true;
    }
    return found->value != NONE &&
           ((touch->find != NONE && touch->find != found->value) ||
            (touch->leave != NONE && (touch->leave != found->value || touch->writes)) ||
            (touch->there && found->value == found->cell));
}

/* In `mask`: calls at which the cell had or was given something else than what was found, or was
 * given it anew. */
static void mark_others(struct orders *o, const struct found *found)
{
    memset(o->mask, 0, o->words * sizeof *o->mask);
    for (uint32_t k = o->cell_first[found->cell]; k < o->cell_first[found->cell + 1]; k++) {
        const struct touch *touch = &o->touches[o->by_cell[k]];
        bool moves = found->value != NONE && touch->leave == NONE && touch->moves;
        if (moves || is_other(o, touch, found)) {
            put(o->mask, touch->call);
        }
    }
    if (found->value == NONE || found->value >= o->supply_values) {
        return;
    }
    for (uint32_t k = o->supply_first[found->value]; k < o->supply_first[found->value + 1]; k++) {
        const struct touch *touch = &o->touches[o->supplies[k].touch];
        if (touch->leave == NONE && touch->moves && !is_other(o, touch, found)) {
            o->mask[touch->call / 64] &= ~(UINT64_C(1) << touch->call % 64);
        }
    }
}

/* Whether somebody in `mask` lies between. */
static bool parted(const struct orders *o, uint32_t supplier, uint32_t reader)
{
    const uint64_t *before = row(o, o->before, reader);
    for (size_t w = 0; w < o->words; w++) {
        uint64_t others = before[w] & o->mask[w];
        if (supplier != START) {
            others &= row(o, o->behind, supplier)[w];
        }
        if (others != 0) {
            return true;
        }
    }
    return false;
}

/* O3: nobody in `mask` comes between the two. */
static void join(struct orders *o, uint32_t supplier, uint32_t reader, uint32_t value)
{
    if (supplier != START) {
        add_edge(o, supplier, reader, reader, value);
    }
    for (size_t w = 0; w < o->words && !o->illegal; w++) {
        uint64_t others =
            o->mask[w] & (supplier == START ? UINT64_MAX : row(o, o->behind, supplier)[w]);
        for (; others != 0; others &= others - 1) {
            uint32_t other = (uint32_t)(64 * w) + (uint32_t)__builtin_ctzll(others);
            if (other != reader) {
                add_edge(o, reader, other, reader, value);
            }
        }
        others = supplier == START ? 0 : row(o, o->before, reader)[w] & o->mask[w];
        for (; others != 0; others &= others - 1) {
            uint32_t other = (uint32_t)(64 * w) + (uint32_t)__builtin_ctzll(others);
            if (other != supplier) {
                add_edge(o, other, supplier, reader, value);
            }
        }
    }
}

/* It happened, and left `value`: so there was what it needs for that. */
static void make_sure(struct orders *o, uint32_t number, uint32_t value)
{
    struct touch *touch = &o->touches[number];
    if (!o->sure[touch->call]) {
        o->sure[touch->call] = true;
        o->changed = true;
    }
    if (touch->leave != NONE || touch->step == NONE) {
        return;
    }
    const struct gd_lin_op *op = &o->part->ops[touch->step];
    struct gd_lin_value copy = o->part->values[value], *v = &copy;
    touch->leave = value;
    o->changed = true;
    bool first = op->what == GD_SIM_DO_INCR && v->number && v->integer == op->add &&
                 gd_lin_never_zero(o->part, op->cell);
    if (op->what == GD_SIM_DO_CAS) {
        touch->find = op->old;
    } else if (op->what == GD_SIM_DO_SETNX || first) {
        touch->find = op->cell;
    } else if (op->what == GD_SIM_DO_INCR && v->number && v->integer != op->add &&
               (op->add > 0 ? v->integer >= INT64_MIN + op->add
                            : v->integer <= INT64_MAX + op->add)) {
        touch->find = gd_lin_number(o->part, op->cell, v->integer - op->add);
    } else if (op->what == GD_SIM_DO_APPEND && gd_lin_once(o->part, value)) {
        touch->find = v->from;
    }
    if (touch->find != NONE) {
        o->part->steps[touch->step].need = touch->find;
    }
}

/* O4: what comes before each of the suppliers, in `fresh`, comes before the reader. */
static void follow_all(struct orders *o, uint32_t reader, uint32_t value)
{
    for (size_t w = 0; w < o->words && !o->illegal; w++) {
        uint64_t more = o->fresh[w] & ~row(o, o->before, reader)[w];
        for (; more != 0; more &= more - 1) {
            uint32_t i = (uint32_t)(64 * w) + (uint32_t)__builtin_ctzll(more);
            if (o->sure[i]) {
                add_edge(o, i, reader, reader, value);
            }
        }
    }
}

struct choice {    /* Of the suppliers that are left. */
    uint32_t only; /* The last one: a touch, or START. */
    size_t count;
};

static void weigh(struct orders *o, const struct touch *reader, uint32_t number,
                  struct choice *choice)
{
    uint32_t call = number == START ? START : o->touches[number].call;
    if (call == reader->call || (choice->count > 0 && choice->only == number) ||
        (call != START && has(row(o, o->behind, reader->call), call)) ||
        parted(o, call, reader->call)) {
        return;
    }
    choice->only = number;
    choice->count++;
    if (call == START) {
        memset(o->fresh, 0, o->words * sizeof *o->fresh);
        return;
    }
    const uint64_t *before = row(o, o->before, call);
    for (size_t w = 0; w < o->words; w++) {
        o->fresh[w] &= before[w] | (call / 64 == w ? UINT64_C(1) << call % 64 : 0);
    }
}

/* All that can be said of the reader by who is left. */
static void conclude(struct orders *o, const struct touch *reader, const struct choice *choice,
                     uint32_t value)
{
    if (choice->count > 1) {
        follow_all(o, reader->call, value);
    } else if (choice->count == 1 && choice->only == START) {
        join(o, START, reader->call, value);
    } else if (choice->count == 1) {
        join(o, o->touches[choice->only].call, reader->call, value);
    }
}

/* Who left the value that `reader` found; `mask` is that of it. */
static void supply(struct orders *o, const struct touch *reader)
{
    uint32_t value = reader->find;
    struct choice choice = {.count = 0};
    if (value >= o->supply_values) {
        return; /* It came up on the way. */
    }
    memset(o->fresh, 0xff, o->words * sizeof *o->fresh);
    if (o->part->start[reader->cell] == value) {
        weigh(o, reader, START, &choice);
    }
    for (uint32_t k = o->supply_first[value]; k < o->supply_first[value + 1]; k++) {
        const struct touch *touch = &o->touches[o->supplies[k].touch];
        size_t size = size_left(o, touch);
        if ((touch->leave == NONE || touch->leave == value) &&
            (size == ANY || !o->part->cells[reader->cell].lengths ||
             size == o->part->values[value].size)) {
            weigh(o, reader, o->supplies[k].touch, &choice);
        }
    }
    if (choice.count == 0) {
        wrong(o, reader->call, value, "which nobody can have put there in time", GD_LIN_NOBODY);
        return;
    }
    if (choice.count == 1 && choice.only != START) {
        make_sure(o, choice.only, value);
    }
    conclude(o, reader, &choice, value);
}

/* Whether a touch may leave something of that size. */
static bool may_have_size(const struct orders *o, const struct touch *touch, size_t size)
{
    const struct gd_lin_call *call = &o->part->calls[touch->call];
    if (!touch->writes || size_left(o, touch) != ANY) {
        return touch->writes && size_left(o, touch) == size;
    }
    for (uint32_t k = call->first; k < call->first + call->count; k++) {
        const struct gd_lin_op *op = &o->part->ops[k];
        if (op->cell != touch->cell || gd_lin_keeps(op)) {
            continue;
        }
        if (op->what == GD_SIM_DO_APPEND
                ? size >= o->part->pieces[op->piece].size
                : op->what == GD_SIM_DO_INCR || o->part->values[op->input].size == size) {
            return true;
        }
    }
    return false;
}

/* The same for an append that tells a size alone. */
static void supply_size(struct orders *o, struct touch *reader)
{
    struct found found = {.cell = reader->cell, .value = NONE, .size = reader->find_size};
    uint32_t start = o->part->start[reader->cell];
    struct choice choice = {.count = 0};
    memset(o->fresh, 0xff, o->words * sizeof *o->fresh);
    mark_others(o, &found);
    if (o->part->values[start].size == found.size) {
        weigh(o, reader, START, &choice);
    }
    for (uint32_t k = o->cell_first[found.cell]; k < o->cell_first[found.cell + 1]; k++) {
        if (may_have_size(o, &o->touches[o->by_cell[k]], found.size)) {
            weigh(o, reader, o->by_cell[k], &choice);
        }
    }
    if (choice.count == 1) {
        uint32_t value = start;
        if (choice.only != START) {
            value = o->touches[choice.only].leave;
            o->changed = o->changed || !o->sure[o->touches[choice.only].call];
            o->sure[o->touches[choice.only].call] = true;
        }
        if (value != NONE && reader->leave == NONE) {
            reader->leave = gd_lin_kv_step(o->part, reader->step, value);
            o->changed = true;
            if (value < o->part->cell_count || o->part->values[value].text != NULL) {
                reader->find = value; /* Else it is like others, whose suppliers are not listed. */
                o->part->steps[reader->step].need = value;
            }
        }
    }
    conclude(o, reader, &choice, start);
}

static void supply_all(struct orders *o)
{
    size_t count = 0;
    for (uint32_t i = 0; i < o->touch_count; i++) {
        const struct touch *touch = &o->touches[i];
        if (touch->find != NONE && o->sure[touch->call]) {
            o->finds[count++] = (struct gd_lin_pair){touch->find, i};
        }
    }
    gd_lin_sort(o->finds, count);
    for (size_t i = 0; i < count && !o->illegal; i++) {
        struct touch touch = o->touches[o->finds[i].value];
        if (i == 0 || o->finds[i].key != o->finds[i - 1].key) {
            struct found found = {.cell = touch.cell, .value = touch.find, .size = ANY};
            if (o->part->cells[touch.cell].lengths) {
                found.size = o->part->values[touch.find].size;
            }
            mark_others(o, &found);
        }
        if (!o->loose[touch.cell]) {
            supply(o, &touch);
        }
    }
    for (uint32_t i = 0; i < o->touch_count && !o->illegal; i++) {
        struct touch *touch = &o->touches[i];
        if (touch->find == NONE && touch->find_size != ANY && touch->step != NONE &&
            o->sure[touch->call] && !o->loose[touch->cell]) {
            supply_size(o, touch);
        }
    }
}

/* ---------------------------------------------------------------- O5 */

struct family {
    uint32_t cell, root;
    int64_t least, most;
    uint32_t maker;    /* A touch, or START. */
    uint32_t *members; /* Touches. */
    size_t count;
};

static bool is_in(const struct orders *o, const struct family *family, uint32_t value)
{
    const struct gd_lin_value *v = value != NONE ? &o->part->values[value] : NULL;
    return v != NULL && v->number && v->integer >= family->least && v->integer <= family->most;
}

/* Members; in `mask` those at whom there was something else. */
static void gather(struct orders *o, struct family *family)
{
    family->count = 0;
    family->maker = START;
    memset(o->mask, 0, o->words * sizeof *o->mask);
    for (uint32_t k = o->cell_first[family->cell]; k < o->cell_first[family->cell + 1]; k++) {
        const struct touch *touch = &o->touches[o->by_cell[k]];
        bool finds = is_in(o, family, touch->find), leaves = is_in(o, family, touch->leave);
        if (touch->call == o->part->values[family->root].maker) {
            family->maker = o->by_cell[k];
        } else if ((finds || leaves) && o->sure[touch->call]) {
            family->members[family->count++] = o->by_cell[k];
        }
        if ((touch->find != NONE && !finds) || (touch->leave != NONE && !leaves)) {
            put(o->mask, touch->call);
        }
    }
}

/* Does `a`, since numbers rise, come before `b`? */
static bool is_lower(const struct orders *o, const struct family *family, const struct touch *a,
                     const struct touch *b)
{
    if (!is_in(o, family, a->leave) || !is_in(o, family, b->find)) {
        return false;
    }
    int64_t left = o->part->values[a->leave].integer, found = o->part->values[b->find].integer;
    bool moves = (a->writes && a->find != a->leave) || (b->leave != NONE && b->leave != b->find);
    return left < found || (left == found && moves);
}

static void order_family(struct orders *o, struct family *family)
{
    gather(o, family);
    if (family->count == 0) {
        return;
    }
    if (family->maker != START) {
        make_sure(o, family->maker, family->root);
    }
    for (size_t i = 0; i < family->count && !o->illegal; i++) {
        const struct touch *touch = &o->touches[family->members[i]];
        join(o, family->maker == START ? START : o->touches[family->maker].call, touch->call,
             family->root);
        for (size_t k = 0; k < family->count; k++) {
            const struct touch *other = &o->touches[family->members[k]];
            if (i != k && is_lower(o, family, touch, other)) {
                add_edge(o, touch->call, other->call, other->call, other->find);
            }
        }
    }
}

static void order_numbers(struct orders *o, uint32_t *room)
{
    for (size_t i = 0; i < o->part->root_count && !o->illegal; i++) {
        uint32_t root = o->part->roots[i];
        struct family family = {.cell = o->part->values[root].cell, .root = root, .members = room};
        if (gd_lin_root_of(o->part, root) == root) {
            family.least = o->part->values[root].integer;
            family.most = family.least + o->part->cells[family.cell].sum;
            order_family(o, &family);
        }
    }
}

/* ---------------------------------------------------------------- what is left behind */

/* Times; of calls that happened they are the least and the most that the relation leaves. */
static void narrow(struct orders *o)
{
    struct gd_lin_call *calls = o->part->calls;
    uint64_t *times = gd_lin_zeroed(2 * o->count, sizeof *times);
    for (uint32_t i = 0; i < o->count; i++) {
        const uint64_t *before = row(o, o->before, i), *behind = row(o, o->behind, i);
        times[2 * i] = calls[i].call;
        times[2 * i + 1] = calls[i].back;
        for (uint32_t k = 0; k < o->count; k++) {
            if (has(before, k) && calls[k].call > times[2 * i]) {
                times[2 * i] = calls[k].call;
            }
            if (has(behind, k) && o->sure[k] && calls[k].back < times[2 * i + 1]) {
                times[2 * i + 1] = calls[k].back;
            }
        }
    }
    for (uint32_t i = 0; i < o->count; i++) {
        if (calls[i].back == GD_LIN_OPEN || calls[i].rank > times[2 * i + 1]) {
            calls[i].rank = times[2 * i + 1] == GD_LIN_OPEN ? calls[i].rank : times[2 * i + 1];
        }
        calls[i].call = times[2 * i];
        calls[i].back = times[2 * i + 1];
    }
    free(times);
}

/* Whether somebody in `row` is behind `i`. */
static bool goes_over(const struct orders *o, uint32_t i, const uint64_t *these)
{
    for (size_t w = 0; w < o->words; w++) {
        if ((o->behind[i * o->words + w] & these[w]) != 0) {
            return true;
        }
    }
    return false;
}

/* Who is not before `k` by time or by way of others. */
static void list_before(struct orders *o)
{
    struct gd_lin_kv_part_numbers *part = o->part;
    size_t count = 0, capacity = 0;
    part->before_first = gd_lin_zeroed(o->count + 1, sizeof *part->before_first);
    for (uint32_t k = 0; k < o->count; k++) {
        memset(o->fresh, 0, o->words * sizeof *o->fresh);
        for (size_t w = 0; w < o->words; w++) {
            for (uint64_t b = row(o, o->before, k)[w]; b != 0; b &= b - 1) {
                uint32_t i = (uint32_t)(64 * w) + (uint32_t)__builtin_ctzll(b);
                if (part->calls[i].back >= part->calls[k].call) {
                    put(o->fresh, i);
                }
            }
        }
        for (uint32_t i = 0; i < o->count; i++) {
            if (has(o->fresh, i) && !goes_over(o, i, o->fresh)) {
                part->before = gd_lin_grown(part->before, &capacity, count, sizeof *part->before);
                part->before[count++] = i;
            }
        }
        part->before_first[k + 1] = (uint32_t)count;
    }
}

/* ---------------------------------------------------------------- all of it */

static void begin(struct orders *o)
{
    struct gd_lin_kv_part_numbers *part = o->part;
    o->words = (o->count + 63) / 64;
    o->behind = gd_lin_zeroed(o->count * o->words, sizeof *o->behind);
    o->before = gd_lin_zeroed(o->count * o->words, sizeof *o->before);
    o->mask = gd_lin_zeroed(o->words, sizeof *o->mask);
    o->fresh = gd_lin_zeroed(o->words, sizeof *o->fresh);
    o->sure = gd_lin_zeroed(o->count, sizeof *o->sure);
    o->touches = gd_lin_zeroed(part->step_count, sizeof *o->touches);
    o->by_cell = gd_lin_zeroed(part->step_count, sizeof *o->by_cell);
    o->finds = gd_lin_zeroed(part->step_count, sizeof *o->finds);
    o->cell_first = gd_lin_zeroed(part->cell_count + 1, sizeof *o->cell_first);
    o->loose = gd_lin_zeroed(part->cell_count, sizeof *o->loose);
    for (uint32_t i = 0; i < o->count; i++) {
        o->sure[i] = part->calls[i].back != GD_LIN_OPEN;
        add_touches(o, i);
    }
    for (size_t i = 0; i < part->cell_count; i++) {
        o->loose[i] = part->cells[i].appends && part->cells[i].counts;
    }
    sort_touches(o);
    find_supplies(o);
    begin_relation(o);
}

enum gd_lin_told gd_lin_order(struct gd_lin_kv_part_numbers *part,
                              struct gd_lin_blocks_result *result)
{
    struct orders *o = gd_lin_zeroed(1, sizeof *o);
    *result = (struct gd_lin_blocks_result){.a = GD_LIN_NOBODY, .b = GD_LIN_NOBODY};
    o->part = part;
    o->result = result;
    o->count = part->call_count;
    if (o->count == 0 || o->count > GD_LIN_ORDER_MAX) {
        free(o);
        return GD_LIN_TOLD_NOTHING;
    }
    begin(o);
    uint32_t *room = gd_lin_zeroed(o->touch_count, sizeof *room);
    o->changed = true;
    for (unsigned round = 0; round < ROUNDS_MAX && o->changed && !o->illegal; round++) {
        o->changed = false;
        supply_all(o);
        order_numbers(o, room);
    }
    bool illegal = o->illegal;
    if (!illegal) {
        narrow(o);
        list_before(o);
    }
    free(room);
    free(o->behind);
    free(o->before);
    free(o->mask);
    free(o->fresh);
    free(o->sure);
    free(o->touches);
    free(o->by_cell);
    free(o->cell_first);
    free(o->finds);
    free(o->supplies);
    free(o->supply_first);
    free(o->loose);
    free(o);
    return illegal ? GD_LIN_TOLD_ILLEGAL : GD_LIN_TOLD_NOTHING;
}
