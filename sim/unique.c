/* unique.c - texts that only one operation of a part can make, and what follows when they are seen.
 *
 * A text can be put under a key by an operation that has it as its input, or by an append whose
 * piece is its end. When exactly one step of the part can, the text is made once at most: left, it
 * never comes back.
 *
 * When somebody saw such a text, its maker took effect, and before who saw it returned:
 *   U1. The maker's effect is not later than the earliest return of who saw the text, also when
 *       nobody knows the maker's own outcome.
 *   U2. An append that made it found it without the piece; a cas found its old value. That text was
 *       seen too, then, by the maker: U1 and U2 hold of it in turn.
 * Both are necessary condition of every order, so nothing legal is lost by asking for it.
 *
 * And of operations that nobody knows the outcome of, on one key:
 *   U3. Two writes are alike when no text that somebody saw, or that a cas compares, begins with
 *       either's text: whatever is appended, every comparison with the state comes out the same.
 *       (Not where the length of the state is told, or something is incremented.)
 *   U4. Two deletes are alike.
 * In a legal order one that is used may be exchanged for one alike that was called as well.
 *
 * What is left out, to be certain: decimal texts where something is incremented, an append that
 * found nothing (an absent value and an empty one give the same), steps of transactions as makers
 * (an earlier step may have changed the key). */
#include "sim/unique.h"
#include "engine/prng.h"
#include <stdlib.h>

struct gd_sim_unique_text {
    const char *text; /* Borrowed from the record; NULL: an empty place. */
    size_t size;
    uint32_t inputs, pieces; /* Steps that write it, and that append it. */
    size_t writer, appender; /* The last of them: step, and place of its operation. */
    size_t writer_step, appender_step;
    bool compared;   /* It begins a text that somebody saw or compares. */
    gd_time_ns seen; /* Earliest return of who saw it; UINT64_MAX: nobody did. */
};

uint64_t gd_sim_unique_hash(const char *text, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    }
    return gd_prng_mix(hash, size);
}

static struct gd_sim_unique_text *place_of(const struct gd_sim_unique *unique, const char *text,
                                           size_t size)
{
    size_t mask = unique->capacity - 1;
    size_t at = (size_t)gd_sim_unique_hash(text, size) & mask;
    while (unique->texts[at].text != NULL &&
           (unique->texts[at].size != size || memcmp(unique->texts[at].text, text, size) != 0)) {
        at = (at + 1) & mask;
    }
    return &unique->texts[at];
}

/* The table has room for every text that is added: see gd_sim_unique_find. */
static struct gd_sim_unique_text *text_of(struct gd_sim_unique *unique, const char *text,
                                          size_t size)
{
    struct gd_sim_unique_text *place = place_of(unique, text, size);
    if (place->text == NULL) {
        *place = (struct gd_sim_unique_text){.text = text, .size = size, .seen = UINT64_MAX};
    }
    return place;
}

/* A length among those known; false when there are too many. */
static bool note_length(size_t *lengths, size_t *count, size_t size)
{
    for (size_t i = 0; i < *count; i++) {
        if (lengths[i] == size) {
            return true;
        }
    }
    if (*count == GD_SIM_UNIQUE_LENGTHS_MAX) {
        return false;
    }
    lengths[(*count)++] = size;
    return true;
}

/* What a step can put there. */
static void note_made(struct gd_sim_unique *unique, size_t at, size_t number, bool done)
{
    const struct gd_sim_step *step = &unique->record->steps[number];
    unique->has_length |=
        step->what == GD_SIM_DO_APPEND && step->output.kind == GD_SIM_VALUE_NUMBER;
    unique->has_incr |= step->what == GD_SIM_DO_INCR;
    if (step->input.kind != GD_SIM_VALUE_TEXT ||
        (done && step->output.kind == GD_SIM_VALUE_FALSE &&
         (step->what == GD_SIM_DO_CAS || step->what == GD_SIM_DO_SETNX))) {
        return;
    }
    struct gd_sim_unique_text *text = text_of(unique, step->input.text, step->input.size);
    if (step->what == GD_SIM_DO_APPEND) {
        text->pieces++;
        text->appender = at;
        text->appender_step = number;
        unique->many_lengths |=
            !note_length(unique->lengths, &unique->length_count, step->input.size);
    } else {
        text->inputs++;
        unique->many_input_lengths |=
            !note_length(unique->input_lengths, &unique->input_length_count, step->input.size);
        text->writer = at;
        text->writer_step = number;
    }
}

static const struct gd_sim_value *seen_of(const struct gd_sim_step *step)
{
    if (step->what == GD_SIM_DO_CAS) {
        return step->output.kind == GD_SIM_VALUE_TRUE ? &step->old : NULL;
    }
    bool sees = step->what == GD_SIM_DO_READ || step->what == GD_SIM_DO_SWAP ||
                step->what == GD_SIM_DO_TAKE;
    return sees ? &step->output : NULL;
}

/* The only maker: its place and its step. False when none, or more than one, can be. */
static bool maker_of(const struct gd_sim_unique *unique, const char *text, size_t size, size_t *at,
                     size_t *step)
{
    const struct gd_sim_unique_text *whole = place_of(unique, text, size);
    uint32_t count = whole->text != NULL ? whole->inputs : 0;
    bool is_number = size > 0 && text[size - 1] >= '0' && text[size - 1] <= '9';
    if (unique->many_lengths || size == 0 || (unique->has_incr && is_number)) {
        return false;
    }
    if (count == 1) {
        *at = whole->writer;
        *step = whole->writer_step;
    }
    for (size_t i = 0; i < unique->length_count && count < 2; i++) {
        size_t length = unique->lengths[i];
        const struct gd_sim_unique_text *piece =
            length <= size ? place_of(unique, text + size - length, length) : NULL;
        if (piece == NULL || piece->text == NULL || piece->pieces == 0) {
            continue;
        }
        count += piece->pieces;
        *at = piece->appender;
        *step = piece->appender_step;
    }
    return count == 1;
}

bool gd_sim_unique_once(const struct gd_sim_unique *unique, const char *text, size_t size)
{
    size_t at, step;
    return maker_of(unique, text, size, &at, &step);
}

/* U1 and U2 from a text that was seen by `back`, down to where nothing new is learned. */
static void follow(struct gd_sim_unique *unique, const size_t *operations, const char *text,
                   size_t size, gd_time_ns back)
{
    size_t at, number;
    while (maker_of(unique, text, size, &at, &number)) {
        const struct gd_sim_step *step = &unique->record->steps[number];
        struct gd_sim_unique_fact *fact = &unique->facts[at];
        if (fact->back <= back || unique->record->operations[operations[at]].count != 1) {
            return;
        }
        fact->back = back;
        if (step->what == GD_SIM_DO_APPEND) {
            if (size == step->input.size) {
                return;
            }
            size -= step->input.size;
        } else if (step->what == GD_SIM_DO_CAS && step->old.kind == GD_SIM_VALUE_TEXT) {
            text = step->old.text;
            size = step->old.size;
        } else {
            return;
        }
        if (fact->need == NULL) { /* Another one contradicts it: the search finds that. */
            fact->need = text;
            fact->need_size = size;
        }
    }
}

/* What begins a text that is seen or compared can be told from other texts. */
static void note_compared(struct gd_sim_unique *unique, const struct gd_sim_value *value)
{
    for (size_t i = 0; value->kind == GD_SIM_VALUE_TEXT && i < unique->input_length_count; i++) {
        if (unique->input_lengths[i] <= value->size) {
            place_of(unique, value->text, unique->input_lengths[i])->compared = true;
        }
    }
}

/* U3, U4. */
static void find_kinds(struct gd_sim_unique *unique, const size_t *operations, size_t count)
{
    bool can_tell = unique->has_incr || unique->has_length || unique->many_input_lengths;
    for (size_t i = 0; i < count; i++) {
        const struct gd_sim_operation *op = &unique->record->operations[operations[i]];
        for (size_t k = 0; k < op->count && !can_tell; k++) {
            note_compared(unique, &unique->record->steps[op->first + k].old);
            note_compared(unique, &unique->record->steps[op->first + k].output);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct gd_sim_operation *op = &unique->record->operations[operations[i]];
        const struct gd_sim_step *step = &unique->record->steps[op->first];
        if (op->count != 1 || op->fate != GD_SIM_FATE_OPEN) {
            continue;
        }
        if (step->what == GD_SIM_DO_DELETE || step->what == GD_SIM_DO_TAKE) {
            unique->facts[i].kind = GD_SIM_UNIQUE_DELETE;
        } else if (!can_tell && step->input.kind == GD_SIM_VALUE_TEXT &&
                   (step->what == GD_SIM_DO_WRITE || step->what == GD_SIM_DO_SWAP) &&
                   !place_of(unique, step->input.text, step->input.size)->compared) {
            unique->facts[i].kind = GD_SIM_UNIQUE_UNSEEN;
        }
    }
}

void gd_sim_unique_find(struct gd_sim_unique *unique, const struct gd_sim_record *record,
                        const size_t *operations, size_t count)
{
    size_t steps = 0;
    *unique = (struct gd_sim_unique){.record = record, .capacity = 16};
    unique->facts = calloc(count > 0 ? count : 1, sizeof *unique->facts);
    GD_ASSERT(unique->facts != NULL);
    for (size_t i = 0; i < count; i++) {
        unique->facts[i].back = UINT64_MAX;
        steps += record->operations[operations[i]].count;
    }
    while (unique->capacity < 4 * steps) { /* Two texts a step at most. */
        unique->capacity *= 2;
    }
    unique->texts = calloc(unique->capacity, sizeof *unique->texts);
    GD_ASSERT(unique->texts != NULL);
    for (size_t i = 0; i < count; i++) {
        const struct gd_sim_operation *op = &record->operations[operations[i]];
        for (size_t k = 0; k < op->count; k++) {
            note_made(unique, i, op->first + k, op->fate == GD_SIM_FATE_DONE);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct gd_sim_operation *op = &record->operations[operations[i]];
        for (size_t k = 0; k < op->count && op->fate == GD_SIM_FATE_DONE; k++) {
            const struct gd_sim_value *value = seen_of(&record->steps[op->first + k]);
            if (value == NULL || value->kind != GD_SIM_VALUE_TEXT) {
                continue;
            }
            struct gd_sim_unique_text *text = text_of(unique, value->text, value->size);
            if (op->back < text->seen) {
                text->seen = op->back;
                follow(unique, operations, value->text, value->size, op->back);
            }
        }
    }
    find_kinds(unique, operations, count);
}

void gd_sim_unique_release(struct gd_sim_unique *unique)
{
    free(unique->texts);
    free(unique->facts);
    *unique = (struct gd_sim_unique){0};
}
