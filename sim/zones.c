/* zones.c - blocks of a key's history: each state that can be made only once, with its maker and
 * all who saw it. After Gibbons and Korach, "Testing shared memories" (1997), for registers; taken
 * to appends, deletes, cas and swaps as far as each rule is certain.
 *
 * A state that a single operation can make is in force once, without a gap. Its block is that
 * operation (the maker) and all that saw the state. Let `end` be the earliest return in a block and
 * `begin` its latest call. When block X's earliest return is before Y's latest call, some operation
 * of X precedes one of Y, so X's time in force is before Y's.
 *
 * What is illegal, whatever else the history holds:
 *   B1. A state was seen that nobody can have made.
 *   B2. Who saw a state returned before its maker was called.
 *   B3. One operation would have to make two states.
 *   B4. Two blocks each have to precede the other.
 *   B5. An operation that changes the state lies inside a block: called after one of the block's
 *       operations returned, returned before another was called.
 *   B6. The state was seen by somebody who was called after who ended it had returned; or was ended
 *       twice.
 * Each is a necessary condition, so nothing here calls a legal history illegal. For a key that is
 * only read and written, with each value written once, they are sufficient too: the blocks in the
 * order of begin + end are an order, which is verified before it is believed.
 *
 * Which states are made once. A text is, when no INCR is in the way (numbers repeat), exactly one
 * operation has it as its input, and no append could have ended in it; or when no operation has it
 * as its input and exactly one append's piece is its end. Absence is, when nothing deletes. */
#include "sim/zones.h"
#include "engine/prng.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NEVER UINT64_MAX
#define NOBODY SIZE_MAX

struct block {
    const char *text; /* NULL: absence. Borrowed. */
    size_t size;
    size_t inputs;      /* Operations that write it. */
    size_t maker;       /* The one that can make it; NOBODY: absence at the beginning. */
    bool once;          /* Made once at most. */
    bool seen;          /* By an operation that is done. */
    gd_time_ns end;     /* The earliest return; 0: from the beginning. */
    gd_time_ns begin;   /* The latest call. */
    size_t first, last; /* Whose times these are. */
    size_t ender;       /* Who took it away and saw it; NOBODY. */
    uint32_t members;   /* Who saw it; the maker apart. */
};
struct piece {
    const char *text;
    size_t size, operation;
    uint32_t count; /* Appends with this very piece. */
};
struct zones {
    const struct gd_sim_record *record;
    const size_t *operations;
    size_t count;
    struct block *blocks; /* [0] is absence. */
    size_t block_count, block_capacity;
    uint32_t *index; /* Hash table of blocks. */
    size_t index_capacity;
    struct piece *pieces;
    uint32_t *piece_index;
    size_t piece_count, piece_capacity;
    size_t lengths[64]; /* Sizes of pieces that occur; all when there are more. */
    size_t length_count;
    bool counted;   /* INCR is among the operations: numbers repeat. */
    bool plain;     /* Only reads and writes. */
    uint32_t *made; /* By operation: the block it makes, counted from 1. */
    char *to;
    size_t to_size;
};

static void *zeroed(size_t count, size_t size)
{
    void *array = calloc(count > 0 ? count : 1, size);
    GD_ASSERT(array != NULL);
    return array;
}

static uint64_t hash_of(const char *text, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    }
    return gd_prng_mix(hash, size);
}

static const struct gd_sim_operation *operation_of(const struct zones *zones, size_t i)
{
    return &zones->record->operations[zones->operations[i]];
}

static const struct gd_sim_step *step_of(const struct zones *zones, size_t i)
{
    return &zones->record->steps[operation_of(zones, i)->first];
}

static gd_time_ns back_of(const struct zones *zones, size_t i)
{
    const struct gd_sim_operation *op = operation_of(zones, i);
    return op->fate == GD_SIM_FATE_DONE ? op->back : NEVER;
}

/* ---------------------------------------------------------------- states by text */

static uint32_t *place_of(const struct zones *zones, const char *text, size_t size)
{
    size_t mask = zones->index_capacity - 1;
    size_t i = (size_t)hash_of(text, size) & mask;
    for (;; i = (i + 1) & mask) {
        const struct block *block = &zones->blocks[zones->index[i]];
        if (zones->index[i] == 0 || (block->size == size && memcmp(block->text, text, size) == 0)) {
            return &zones->index[i];
        }
    }
}

static uint32_t block_of(struct zones *zones, const struct gd_sim_value *value)
{
    if (value->kind != GD_SIM_VALUE_TEXT) {
        return 0;
    }
    uint32_t *place = place_of(zones, value->text, value->size);
    if (*place == 0) {
        zones->blocks[zones->block_count] = (struct block){.text = value->text,
                                                           .size = value->size,
                                                           .maker = NOBODY,
                                                           .ender = NOBODY,
                                                           .end = NEVER};
        *place = (uint32_t)zones->block_count++;
    }
    return *place;
}

static uint32_t *piece_place(const struct zones *zones, const char *text, size_t size)
{
    size_t mask = zones->piece_capacity - 1;
    size_t i = (size_t)hash_of(text, size) & mask;
    for (;; i = (i + 1) & mask) {
        const struct piece *piece = &zones->pieces[zones->piece_index[i]];
        if (zones->piece_index[i] == 0 ||
            (piece->size == size && memcmp(piece->text, text, size) == 0)) {
            return &zones->piece_index[i];
        }
    }
}

static void note_piece(struct zones *zones, size_t operation, const struct gd_sim_value *value)
{
    uint32_t *place = piece_place(zones, value->text, value->size);
    size_t k = 0;
    if (*place == 0) {
        *place = (uint32_t)++zones->piece_count;
        zones->pieces[*place] =
            (struct piece){.text = value->text, .size = value->size, .operation = operation};
    }
    zones->pieces[*place].count++;
    while (k < zones->length_count && k < GD_COUNT(zones->lengths) &&
           zones->lengths[k] != value->size) {
        k++;
    }
    if (k == zones->length_count) {
        zones->length_count++;
        if (k < GD_COUNT(zones->lengths)) {
            zones->lengths[k] = value->size;
        }
    }
}

/* Appends that can have made `text`: 0, 1 (who, in `*who`) or more. */
static unsigned appenders_of(const struct zones *zones, const struct block *block, size_t *who)
{
    unsigned found = 0;
    if (zones->length_count > GD_COUNT(zones->lengths)) {
        return 2; /* Too many kinds of pieces: nothing is claimed. */
    }
    for (size_t k = 0; k < zones->length_count && found < 2; k++) {
        size_t size = zones->lengths[k];
        if (size > block->size) {
            continue;
        }
        uint32_t at = *piece_place(zones, block->text + block->size - size, size);
        if (at != 0) {
            found += zones->pieces[at].count;
            *who = zones->pieces[at].operation;
        }
    }
    return found;
}

/* ---------------------------------------------------------------- what each operation tells */

/* What an operation that is done saw before its effect. */
enum sight { SAW_NOTHING, SAW_STATE };
static enum sight saw(const struct gd_sim_step *step, struct gd_sim_value *state)
{
    const struct gd_sim_value nothing = {.kind = GD_SIM_VALUE_NOTHING};
    switch (step->what) {
    case GD_SIM_DO_READ:
    case GD_SIM_DO_SWAP:
    case GD_SIM_DO_TAKE:
        *state = step->output;
        return SAW_STATE;
    case GD_SIM_DO_CAS:
        *state = step->old;
        return step->output.kind == GD_SIM_VALUE_TRUE ? SAW_STATE : SAW_NOTHING;
    case GD_SIM_DO_SETNX:
        *state = nothing;
        return step->output.kind == GD_SIM_VALUE_TRUE ? SAW_STATE : SAW_NOTHING;
    case GD_SIM_DO_DELETE:
        *state = nothing;
        return step->output.kind == GD_SIM_VALUE_FALSE ? SAW_STATE : SAW_NOTHING;
    default:
        return SAW_NOTHING;
    }
}

/* Whether the operation, if it happened, put its input there: certainly for one that is done. */
static bool writes_input(const struct gd_sim_step *step, bool done)
{
    switch (step->what) {
    case GD_SIM_DO_WRITE:
    case GD_SIM_DO_SWAP:
        return true;
    case GD_SIM_DO_CAS:
    case GD_SIM_DO_SETNX:
        return !done || step->output.kind == GD_SIM_VALUE_TRUE;
    default:
        return false;
    }
}

/* Whether it, done, left another state than the one before: what it saw it ended. */
static bool ends_what_it_saw(const struct gd_sim_step *step)
{
    switch (step->what) {
    case GD_SIM_DO_SWAP:
    case GD_SIM_DO_CAS: /* Of a value by itself: it ended nothing. */
    case GD_SIM_DO_SETNX: {
        struct gd_sim_value old = {.kind = GD_SIM_VALUE_NOTHING};
        (void)saw(step, &old);
        return old.kind != step->input.kind || old.size != step->input.size ||
               (old.size > 0 && memcmp(old.text, step->input.text, old.size) != 0);
    }
    case GD_SIM_DO_TAKE:
        return step->output.kind == GD_SIM_VALUE_TEXT;
    default:
        return false;
    }
}

static void gather(struct zones *zones)
{
    for (size_t i = 0; i < zones->count; i++) {
        const struct gd_sim_step *step = step_of(zones, i);
        bool done = operation_of(zones, i)->fate == GD_SIM_FATE_DONE;
        struct gd_sim_value state = {.kind = GD_SIM_VALUE_NOTHING};
        if (step->what != GD_SIM_DO_READ && step->what != GD_SIM_DO_WRITE) {
            zones->plain = false;
        }
        if (step->what == GD_SIM_DO_INCR) {
            zones->counted = true;
        } else if (step->what == GD_SIM_DO_APPEND && step->input.kind == GD_SIM_VALUE_TEXT) {
            note_piece(zones, i, &step->input);
        } else if (step->what == GD_SIM_DO_DELETE || step->what == GD_SIM_DO_TAKE) {
            zones->blocks[0].inputs++;
        }
        if (writes_input(step, done)) {
            struct block *block = &zones->blocks[block_of(zones, &step->input)];
            block->inputs++;
            block->maker = i;
        }
        if (done && saw(step, &state) == SAW_STATE) {
            zones->blocks[block_of(zones, &state)].seen = true;
        }
    }
}

/* ---------------------------------------------------------------- in words */

static void say_text(struct gd_bytes *bytes, const struct block *block)
{
    if (block->text == NULL) {
        gd_bytes_add_text(bytes, "nothing");
    } else {
        gd_bytes_format(bytes, "'%.*s%s'", block->size > 32 ? 32 : (int)block->size, block->text,
                        block->size > 32 ? "..." : "");
    }
}

static void say_operation(struct gd_bytes *bytes, const struct zones *zones, size_t i)
{
    static const char *const names[] = {"read",  "write", "append", "cas",  "delete",
                                        "setnx", "swap",  "take",   "incr", "txn"};
    const struct gd_sim_operation *op = operation_of(zones, i);
    char key[64];
    gd_sim_record_key_text(zones->record, step_of(zones, i)->key, key, sizeof key);
    gd_bytes_format(bytes, "%s of %s by client %" PRIu64 " (%" PRIu64 " to ",
                    names[step_of(zones, i)->what], key, op->client, op->call);
    if (op->fate == GD_SIM_FATE_DONE) {
        gd_bytes_format(bytes, "%" PRIu64 ")", op->back);
    } else {
        gd_bytes_add_text(bytes, "unknown)");
    }
}

/* "A VERB TEXT TAIL B"; B may be NOBODY. */
static enum gd_sim_zones wrong(const struct zones *zones, size_t a, const char *verb,
                               const struct block *block, const char *tail, size_t b)
{
    struct gd_bytes bytes = {0};
    say_operation(&bytes, zones, a);
    gd_bytes_format(&bytes, " %s ", verb);
    say_text(&bytes, block);
    gd_bytes_format(&bytes, ", %s", tail);
    if (b != NOBODY) {
        say_operation(&bytes, zones, b);
    }
    (void)snprintf(zones->to, zones->to_size, "%.*s", (int)bytes.size, (const char *)bytes.data);
    gd_bytes_release(&bytes);
    return GD_SIM_ZONES_ILLEGAL;
}

/* ---------------------------------------------------------------- blocks */

static bool is_number(const struct block *block)
{
    size_t at = block->size > 0 && block->text[0] == '-' ? 1 : 0;
    bool all = block->size > at;
    for (; at < block->size; at++) {
        all = all && block->text[at] >= '0' && block->text[at] <= '9';
    }
    return all;
}

static void add_member(struct zones *zones, struct block *block, size_t i)
{
    gd_time_ns back = back_of(zones, i);
    if (back < block->end) {
        block->end = back;
        block->first = i;
    }
    if (operation_of(zones, i)->call >= block->begin) {
        block->begin = operation_of(zones, i)->call;
        block->last = i;
    }
}

/* Who makes each state, and B1, B3. */
static enum gd_sim_zones find_makers(struct zones *zones)
{
    struct block *absent = &zones->blocks[0];
    absent->once = absent->inputs == 0;
    absent->end = absent->once ? 0 : NEVER;
    for (uint32_t b = 1; b < zones->block_count; b++) {
        struct block *block = &zones->blocks[b];
        size_t who = NOBODY;
        unsigned appenders = appenders_of(zones, block, &who);
        bool number = zones->counted && is_number(block);
        if (block->inputs == 0 && appenders == 0 && !number && block->seen) {
            for (size_t i = 0; i < zones->count; i++) {
                struct gd_sim_value state;
                if (operation_of(zones, i)->fate == GD_SIM_FATE_DONE &&
                    saw(step_of(zones, i), &state) == SAW_STATE && block_of(zones, &state) == b) {
                    return wrong(zones, i, "saw", block, "which nobody wrote", NOBODY); /* B1 */
                }
            }
        }
        /* An INCR may take part in what an append is put to: such states are left alone. */
        block->once = !number && block->inputs + appenders == 1 && block->seen &&
                      !(appenders > 0 && zones->counted);
        if (!block->once) {
            block->once = !number && block->inputs == 1 && appenders == 0;
        }
        if (!block->once) {
            continue;
        }
        block->maker = block->inputs == 1 ? block->maker : who;
        if (block->seen && zones->made[block->maker] != 0) {
            return wrong(zones, block->maker, "would have made both this and", block,
                         "both were seen", NOBODY); /* B3 */
        }
        if (block->seen) {
            zones->made[block->maker] = b + 1;
        }
        add_member(zones, block, block->maker);
    }
    return GD_SIM_ZONES_OPEN;
}

/* Who saw each, and B2, B6. */
static enum gd_sim_zones find_members(struct zones *zones)
{
    for (size_t i = 0; i < zones->count; i++) {
        const struct gd_sim_step *step = step_of(zones, i);
        struct gd_sim_value state;
        if (operation_of(zones, i)->fate != GD_SIM_FATE_DONE || saw(step, &state) != SAW_STATE) {
            continue;
        }
        struct block *block = &zones->blocks[block_of(zones, &state)];
        if (!block->once) {
            continue;
        }
        if (block->maker != NOBODY && block->maker != i &&
            operation_of(zones, i)->back < operation_of(zones, block->maker)->call) {
            return wrong(zones, i, "saw", block, "before it was written: ", block->maker); /* B2 */
        }
        if (ends_what_it_saw(step)) {
            if (block->ender != NOBODY) {
                return wrong(zones, i, "took away", block, "and so did ", block->ender); /* B6 */
            }
            block->ender = i;
        }
        block->members++;
        add_member(zones, block, i);
    }
    for (uint32_t b = 0; b < zones->block_count; b++) {
        const struct block *block = &zones->blocks[b];
        if (block->once && block->ender != NOBODY && block->last != block->ender &&
            block->begin > back_of(zones, block->ender)) {
            return wrong(zones, block->last, "saw", block,
                         "which was taken away before: ", block->ender);
        }
    }
    return GD_SIM_ZONES_OPEN;
}

/* ---------------------------------------------------------------- B4, B5 */

/* A block whose earliest return is before its latest call (its state is surely in force between),
 * one whose is not (its state is in force at some time between), an operation that changes the
 * state. */
enum span_kind { SPAN_CHANGE, SPAN_BACKWARD, SPAN_FORWARD };
struct span {
    gd_time_ns from, to;
    enum span_kind kind;
    uint32_t block;   /* Of a zone. */
    size_t operation; /* The change; of a zone its latest call. */
};

static int compare_spans(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    if (x->from != y->from) {
        return x->from < y->from ? -1 : 1;
    }
    return (int)x->kind - (int)y->kind;
}

/* Did it, done, certainly leave another state than any it may have met inside `block`? */
static bool surely_changes(const struct zones *zones, size_t i)
{
    const struct gd_sim_step *step = step_of(zones, i);
    if (operation_of(zones, i)->fate != GD_SIM_FATE_DONE) {
        return false;
    }
    switch (step->what) {
    case GD_SIM_DO_WRITE:
    case GD_SIM_DO_DELETE:
    case GD_SIM_DO_TAKE:
    case GD_SIM_DO_SWAP:
        return true; /* Whatever was there, its input (or nothing) is there now. */
    case GD_SIM_DO_APPEND:
        return step->input.size > 0;
    case GD_SIM_DO_CAS:
    case GD_SIM_DO_SETNX:
        return step->output.kind == GD_SIM_VALUE_TRUE;
    default:
        return false;
    }
}

/* Whether operation `i` leaves the state of `block` as it is, or makes it. */
static bool belongs(struct zones *zones, size_t i, uint32_t block)
{
    const struct gd_sim_step *step = step_of(zones, i);
    if (zones->blocks[block].maker == i && zones->blocks[block].once) {
        return true;
    }
    switch (step->what) {
    case GD_SIM_DO_DELETE:
    case GD_SIM_DO_TAKE:
        return block == 0;
    case GD_SIM_DO_APPEND:
        return false;
    default:
        return block_of(zones, &step->input) == block;
    }
}

static enum gd_sim_zones compare_zones(struct zones *zones)
{
    struct span *spans = zeroed(zones->block_count + zones->count, sizeof *spans);
    size_t count = 0;
    enum gd_sim_zones found = GD_SIM_ZONES_OPEN;
    for (uint32_t b = 0; b < zones->block_count; b++) {
        const struct block *block = &zones->blocks[b];
        if (block->once && block->members > 0) {
            bool forward = block->end < block->begin;
            spans[count++] = (struct span){.from = forward ? block->end : block->begin,
                                           .to = forward ? block->begin : block->end,
                                           .kind = forward ? SPAN_FORWARD : SPAN_BACKWARD,
                                           .block = b,
                                           .operation = block->last};
        }
    }
    for (size_t i = 0; i < zones->count; i++) {
        if (surely_changes(zones, i)) {
            spans[count++] = (struct span){.from = operation_of(zones, i)->call,
                                           .to = back_of(zones, i),
                                           .kind = SPAN_CHANGE,
                                           .operation = i};
        }
    }
    qsort(spans, count, sizeof *spans, compare_spans);
    /* Of the forward zones that began before, the one that reaches farthest. */
    const struct span *reach = NULL;
    for (size_t k = 0; k < count && found == GD_SIM_ZONES_OPEN; k++) {
        const struct span *span = &spans[k];
        bool within = reach != NULL && reach->from < span->from && span->to < reach->to;
        if (span->kind == SPAN_FORWARD ? reach != NULL && span->from < reach->to
                                       : within && span->kind == SPAN_BACKWARD) { /* B4 */
            found =
                wrong(zones, zones->blocks[reach->block].last, "saw", &zones->blocks[reach->block],
                      "though the key had moved on: ", zones->blocks[span->block].first);
        } else if (within && span->kind == SPAN_CHANGE &&
                   !belongs(zones, span->operation, reach->block)) { /* B5 */
            found = wrong(zones, zones->blocks[reach->block].last, "saw",
                          &zones->blocks[reach->block], "which was gone by ", span->operation);
        }
        if (span->kind == SPAN_FORWARD && (reach == NULL || span->to > reach->to)) {
            reach = span;
        }
    }
    free(spans);
    return found;
}

/* ---------------------------------------------------------------- an order */

struct placed {
    gd_time_ns begin, end, call;
    uint32_t block;
    bool maker;
    size_t operation;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    gd_time_ns left = x->begin + x->end, right = y->begin + y->end;
    if (left != right) {
        return left < right ? -1 : 1;
    }
    if (x->block != y->block) {
        return x->block < y->block ? -1 : 1;
    }
    if (x->maker != y->maker) {
        return x->maker ? -1 : 1;
    }
    return x->call != y->call ? (x->call < y->call ? -1 : 1) : 0;
}

/* Only reads and writes, each value written once: the blocks in order, verified. */
static enum gd_sim_zones find_order(struct zones *zones, size_t *order, size_t *placed_count)
{
    struct placed *placed = zeroed(zones->count, sizeof *placed);
    size_t count = 0;
    bool fine = zones->plain;
    for (size_t i = 0; i < zones->count && fine; i++) {
        const struct gd_sim_step *step = step_of(zones, i);
        bool writes = step->what == GD_SIM_DO_WRITE, done = back_of(zones, i) != NEVER;
        uint32_t b = block_of(zones, writes ? &step->input : &step->output);
        const struct block *block = &zones->blocks[b];
        fine = block->once;
        if (!done && (!writes || !block->seen)) {
            continue; /* It need not have happened. */
        }
        placed[count++] =
            (struct placed){block->begin, block->end, operation_of(zones, i)->call, b, writes, i};
    }
    if (fine) {
        qsort(placed, count, sizeof *placed, compare_placed);
    }
    gd_time_ns now = 0;
    uint32_t state = 0;
    for (size_t k = 0; k < count && fine; k++) {
        size_t i = placed[k].operation;
        now = placed[k].call > now ? placed[k].call : now;
        state = placed[k].maker ? placed[k].block : state;
        fine = now <= back_of(zones, i) && state == placed[k].block;
        if (order != NULL) {
            order[k] = zones->operations[i];
        }
    }
    free(placed);
    *placed_count = fine ? count : 0;
    return fine ? GD_SIM_ZONES_LEGAL : GD_SIM_ZONES_OPEN;
}

enum gd_sim_zones gd_sim_zones(const struct gd_sim_record *record, const size_t *operations,
                               size_t count, size_t *order, size_t *placed, char *text, size_t size)
{
    struct zones zones = {.record = record,
                          .operations = operations,
                          .count = count,
                          .plain = true,
                          .to = text,
                          .to_size = size};
    enum gd_sim_zones found;
    *placed = 0;
    zones.index_capacity = 16;
    while (zones.index_capacity < 8 * count) {
        zones.index_capacity *= 2;
    }
    zones.piece_capacity = zones.index_capacity;
    zones.blocks = zeroed(3 * count + 1, sizeof *zones.blocks);
    zones.index = zeroed(zones.index_capacity, sizeof *zones.index);
    zones.pieces = zeroed(count + 1, sizeof *zones.pieces);
    zones.piece_index = zeroed(zones.piece_capacity, sizeof *zones.piece_index);
    zones.made = zeroed(count, sizeof *zones.made);
    zones.blocks[0] = (struct block){.maker = NOBODY, .ender = NOBODY, .end = NEVER};
    zones.block_count = 1;
    gather(&zones);
    found = find_makers(&zones);
    if (found == GD_SIM_ZONES_OPEN) {
        found = find_members(&zones);
    }
    if (found == GD_SIM_ZONES_OPEN) {
        found = compare_zones(&zones);
    }
    if (found == GD_SIM_ZONES_OPEN) {
        found = find_order(&zones, order, placed);
    }
    free(zones.blocks);
    free(zones.index);
    free(zones.pieces);
    free(zones.piece_index);
    free(zones.made);
    return found;
}
