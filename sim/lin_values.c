/* lin_values.c - the texts of a part as numbers, and what becomes of them by appending.
 *
 * A text matters when somebody sees it, when a cas compares with it, or when appending can make
 * such a one of it. All other texts under a key are one value, "junk": nothing that is asked can
 * tell them apart. So the states that a search meets are those of which the history speaks.
 *
 * What can become T by one append is T without a piece that ends it, for each piece that somebody
 * appends; and so on. Every execution that reaches T by appending comes along these. They are found
 * once, from the texts that are seen, and no text is put together in the search.
 *
 * Exceptions, so that nothing is lost: with INCR, texts that are numbers or could become one stay
 * what they are; where lengths are told, junk has its length. */
#include "sim/lin_kv.h"
#include "sim/text_hash.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FETCH_AHEAD = 8 };
enum { END_BITS = 12 };

static size_t spread(uint64_t hash, uint32_t cell)
{
    hash = (hash + cell) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(hash ^ hash >> 32);
}

/* ---------------------------------------------------------------- numbers */

static void read_number(struct gd_lin_value *value)
{
    bool minus = value->size > 0 && value->text[0] == '-';
    uint64_t sum = 0, most = minus ? UINT64_C(1) << 63 : INT64_MAX;
    size_t first = minus ? 1 : 0;
    value->number_like = true;
    value->number = value->size > first && value->size <= 20;
    for (size_t i = 0; i < value->size; i++) {
        bool digit = value->text[i] >= '0' && value->text[i] <= '9';
        value->number_like = value->number_like && (digit || value->text[i] == '-');
        value->number = value->number && (digit || i < first);
    }
    for (size_t i = first; i < value->size && value->number; i++) {
        uint64_t digit = (uint64_t)(value->text[i] - '0');
        value->number = sum <= (most - digit) / 10;
        sum = 10 * sum + digit;
    }
    /* "007" and "-0" are none. */
    if (value->number && value->text[first] == '0' && (value->size > first + 1 || minus)) {
        value->number = false;
    }
    value->integer = minus ? (int64_t)(0 - sum) : (int64_t)sum;
}

/* ---------------------------------------------------------------- values */

static uint32_t *value_place(const struct gd_lin_kv_part_numbers *part, uint32_t cell,
                             const char *text, size_t size, uint64_t hash)
{
    size_t mask = part->value_index_capacity - 1;
    for (size_t at = spread(hash, cell) & mask;; at = (at + 1) & mask) {
        uint32_t number = part->value_index[at];
        const struct gd_lin_value *value = &part->values[number];
        if (number == 0 || (value->hash == hash && value->size == size && value->cell == cell &&
                            memcmp(value->text, text, size) == 0)) {
            return &part->value_index[at];
        }
    }
}

static void tell_text(const struct gd_lin_kv_part_numbers *part, struct gd_lin_value *value,
                      const char *text, size_t size, uint64_t hash)
{
    value->text = text;
    value->size = size;
    value->hash = hash;
    if (part->cells[value->cell].counts) {
        read_number(value);
        value->matters = value->matters || value->number_like;
    }
}

static uint32_t add_value(struct gd_lin_kv_part_numbers *part, uint32_t cell)
{
    part->values =
        gd_lin_grown(part->values, &part->value_capacity, part->value_count, sizeof *part->values);
    struct gd_lin_value *value = &part->values[part->value_count];
    *value = (struct gd_lin_value){.cell = cell, .maker = GD_LIN_NOBODY, .from = GD_LIN_NO};
    return (uint32_t)part->value_count++;
}

/* All values there are, no two of which are the same. */
static void make_value_index(struct gd_lin_kv_part_numbers *part)
{
    free(part->value_index);
    if (part->value_index_capacity == 0) {
        part->value_index_capacity = 64;
    }
    while (2 * part->value_count >= part->value_index_capacity) {
        part->value_index_capacity *= 2;
    }
    part->value_index = gd_lin_zeroed(part->value_index_capacity, sizeof *part->value_index);
    size_t mask = part->value_index_capacity - 1;
    for (uint32_t i = (uint32_t)part->cell_count; i < part->value_count; i++) {
        const struct gd_lin_value *value = &part->values[i];
        if (value->text != NULL) {
            size_t at = spread(value->hash, value->cell) & mask;
            while (part->value_index[at] != 0) {
                at = (at + 1) & mask;
            }
            part->value_index[at] = i;
        }
    }
}

static void grow_value_index(struct gd_lin_kv_part_numbers *part)
{
    if (2 * part->value_count >= part->value_index_capacity) {
        make_value_index(part);
    }
}

static uint32_t value_with_hash(struct gd_lin_kv_part_numbers *part, uint32_t cell,
                                const char *text, size_t size, uint64_t hash)
{
    grow_value_index(part);
    uint32_t *place = value_place(part, cell, text, size, hash);
    if (*place == 0) {
        *place = add_value(part, cell);
        tell_text(part, &part->values[*place], text, size, hash);
    }
    return *place;
}

uint32_t gd_lin_value_known(struct gd_lin_kv_part_numbers *part, uint32_t cell, uint32_t text)
{
    uint32_t number = part->value_of_known[text];
    if (number < part->value_count && part->values[number].known == text &&
        part->values[number].cell == cell) {
        return number;
    }
    if (part->plain || part->late) {
        number = add_value(part, cell); /* The text itself is told by tell_texts. */
    } else {
        const struct gd_sim_known_text *known = &part->record->known[text];
        number = value_with_hash(part, cell, known->text, known->size, known->hash);
    }
    part->values[number].known = text;
    part->value_of_known[text] = number;
    return number;
}

uint32_t gd_lin_value_of(struct gd_lin_kv_part_numbers *part, uint32_t cell,
                         const struct gd_sim_value *text)
{
    return text->known != 0 ? gd_lin_value_known(part, cell, text->known)
                            : value_with_hash(part, cell, text->text, text->size,
                                              gd_sim_text_hash(text->text, text->size));
}

/* What is known of texts lies all over the record. It is fetched for all values in one go, so that
 * nothing waits for it. */
static void tell_texts(struct gd_lin_kv_part_numbers *part)
{
    for (size_t i = part->cell_count; i < part->value_count; i++) {
        struct gd_lin_value *value = &part->values[i];
        const struct gd_sim_known_text *known = &part->record->known[value->known];
        tell_text(part, value, known->text, known->size, known->hash);
    }
}

/* The same for a text that is nobody's yet. */
static uint32_t value_of_made(struct gd_lin_kv_part_numbers *part, uint32_t cell, const char *text,
                              size_t size)
{
    uint64_t hash = gd_sim_text_hash(text, size);
    GD_ASSERT(!part->plain && !part->late);
    grow_value_index(part);
    uint32_t *place = value_place(part, cell, text, size, hash);
    if (*place == 0) {
        char *copy = gd_lin_zeroed(size + 1, 1);
        memcpy(copy, text, size);
        part->made =
            gd_lin_grown(part->made, &part->made_capacity, part->made_count, sizeof *part->made);
        part->made[part->made_count++] = copy;
        *place = add_value(part, cell);
        tell_text(part, &part->values[*place], copy, size, hash);
    }
    return *place;
}

uint32_t gd_lin_number(struct gd_lin_kv_part_numbers *part, uint32_t cell, int64_t number)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%" PRId64, number);
    return value_of_made(part, cell, text, (size_t)size);
}

uint32_t gd_lin_junk(struct gd_lin_kv_part_numbers *part, uint32_t cell, size_t size)
{
    uint32_t junk = part->cells[cell].junk;
    while (junk != 0 && part->cells[cell].lengths && part->values[junk].size != size) {
        junk = part->values[junk].from; /* In a list by that. */
        junk = junk == GD_LIN_NO ? 0 : junk;
    }
    if (junk == 0) {
        junk = add_value(part, cell);
        part->values[junk].size = size;
        part->values[junk].from = part->cells[cell].junk == 0 ? GD_LIN_NO : part->cells[cell].junk;
        part->values[junk].makers = 2;
        part->cells[cell].junk = junk;
    }
    return junk;
}

bool gd_lin_once(const struct gd_lin_kv_part_numbers *part, uint32_t value)
{
    const struct gd_lin_value *v = &part->values[value];
    return v->makers == 1 && !v->number;
}

/* ---------------------------------------------------------------- pieces */

static uint32_t *piece_place(const struct gd_lin_kv_part_numbers *part, uint32_t cell,
                             const char *text, size_t size, uint64_t hash)
{
    size_t mask = part->piece_index_capacity - 1;
    for (size_t at = spread(hash, cell) & mask;; at = (at + 1) & mask) {
        uint32_t number = part->piece_index[at];
        const struct gd_lin_piece *piece = number == 0 ? NULL : &part->pieces[number - 1];
        if (piece == NULL || (piece->hash == hash && piece->size == size && piece->cell == cell &&
                              (size == 0 || memcmp(piece->text, text, size) == 0))) {
            return &part->piece_index[at];
        }
    }
}

static void note_length(struct gd_lin_kv_part_numbers *part, size_t size)
{
    for (size_t i = 0; i < part->length_count; i++) {
        if (part->lengths[i] == size) {
            return;
        }
    }
    part->lengths = gd_lin_grown(part->lengths, &part->length_capacity, part->length_count,
                                 sizeof *part->lengths);
    part->lengths[part->length_count++] = size;
}

uint32_t gd_lin_piece_of(struct gd_lin_kv_part_numbers *part, uint32_t cell, uint32_t known)
{
    const char *text = known != 0 ? part->record->known[known].text : "";
    size_t size = known != 0 ? part->record->known[known].size : 0;
    uint64_t hash = known != 0 ? part->record->known[known].hash : gd_sim_text_hash(text, size);
    if (2 * part->piece_count >= part->piece_index_capacity) {
        free(part->piece_index);
        part->piece_index_capacity =
            part->piece_index_capacity == 0 ? 64 : 2 * part->piece_index_capacity;
        part->piece_index = gd_lin_zeroed(part->piece_index_capacity, sizeof *part->piece_index);
        for (uint32_t i = 0; i < part->piece_count; i++) {
            const struct gd_lin_piece *piece = &part->pieces[i];
            *piece_place(part, piece->cell, piece->text, piece->size, piece->hash) = i + 1;
        }
    }
    uint32_t *place = piece_place(part, cell, text, size, hash);
    if (*place == 0) {
        part->pieces = gd_lin_grown(part->pieces, &part->piece_capacity, part->piece_count,
                                    sizeof *part->pieces);
        part->pieces[part->piece_count] =
            (struct gd_lin_piece){.text = text, .size = size, .hash = hash, .cell = cell};
        *place = (uint32_t)++part->piece_count;
        note_length(part, size);
    }
    return *place - 1;
}

/* ---------------------------------------------------------------- what becomes of what */

static uint32_t *edge_place(const struct gd_lin_kv_part_numbers *part, uint32_t from,
                            uint32_t piece)
{
    size_t mask = part->edge_index_capacity - 1;
    uint64_t hash = (uint64_t)from << 32 | piece;
    for (size_t at = spread(hash, 0) & mask;; at = (at + 1) & mask) {
        uint32_t number = part->edge_index[at];
        if (number == 0 ||
            (part->edges[number - 1].from == from && part->edges[number - 1].piece == piece)) {
            return &part->edge_index[at];
        }
    }
}

static void add_edge(struct gd_lin_kv_part_numbers *part, uint32_t from, uint32_t piece,
                     uint32_t to)
{
    if (2 * part->edge_count >= part->edge_index_capacity) {
        free(part->edge_index);
        part->edge_index_capacity =
            part->edge_index_capacity == 0 ? 64 : 2 * part->edge_index_capacity;
        part->edge_index = gd_lin_zeroed(part->edge_index_capacity, sizeof *part->edge_index);
        for (uint32_t i = 0; i < part->edge_count; i++) {
            *edge_place(part, part->edges[i].from, part->edges[i].piece) = i + 1;
        }
    }
    uint32_t *place = edge_place(part, from, piece);
    if (*place == 0) {
        part->edges =
            gd_lin_grown(part->edges, &part->edge_capacity, part->edge_count, sizeof *part->edges);
        part->edges[part->edge_count] = (struct gd_lin_edge){from, piece, to};
        *place = (uint32_t)++part->edge_count;
    }
}

struct looking {
    uint64_t ends[(1 << END_BITS) / 64]; /* Bits, by end_bit: of all pieces. */
    struct {
        uint32_t value, root; /* `root`: a text that begins with it, whose hashes may be at hand. */
    } * stack;
    size_t count, capacity;
    uint64_t *hashes; /* Of each beginning of `hashed` that is whole words. */
    size_t hash_capacity;
    uint32_t hashed;
};

/* The last bytes of a text, at most eight, as a number: the very last above the others. */
static uint64_t last_bytes(const char *text, size_t size)
{
    char word[8] = {0};
    uint64_t bits;
    if (size >= sizeof word) {
        memcpy(word, text + size - sizeof word, sizeof word);
    } else if (size > 0) {
        memcpy(word + sizeof word - size, text, size);
    }
    memcpy(&bits, word, sizeof bits);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bits = __builtin_bswap64(bits);
#endif
    return bits;
}

/* Whether a text may end with a piece: of each size of pieces, a bit for what its last bytes are.
 * Most texts do not end with most pieces, and that is told without a look into a table. */
static size_t end_bit(uint64_t last, size_t size)
{
    uint64_t bits = size >= 8 ? last : size == 0 ? 0 : last >> (64 - 8 * size);
    return (size_t)((bits + size) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - END_BITS));
}

static void mark_ends(const struct gd_lin_kv_part_numbers *part, struct looking *looking)
{
    for (size_t i = 0; i < part->piece_count; i++) {
        const struct gd_lin_piece *piece = &part->pieces[i];
        size_t bit = end_bit(last_bytes(piece->text, piece->size), piece->size);
        looking->ends[bit / 64] |= UINT64_C(1) << bit % 64;
    }
}

static bool may_end(const struct looking *looking, uint64_t last, size_t size)
{
    size_t bit = end_bit(last, size);
    return (looking->ends[bit / 64] >> bit % 64 & 1) != 0;
}

/* False: it ends with no piece. */
static bool may_be_appended(const struct gd_lin_kv_part_numbers *part,
                            const struct looking *looking, const struct gd_lin_value *value)
{
    uint64_t last = last_bytes(value->text, value->size);
    for (size_t k = 0; k < part->length_count; k++) {
        if (part->lengths[k] <= value->size && may_end(looking, last, part->lengths[k])) {
            return true;
        }
    }
    return false;
}

static void look_later(struct gd_lin_kv_part_numbers *part, struct looking *looking, uint32_t value,
                       uint32_t root)
{
    part->values[value].matters = true;
    if (!part->values[value].looked_into) {
        looking->stack = gd_lin_grown(looking->stack, &looking->capacity, looking->count,
                                      sizeof *looking->stack);
        looking->stack[looking->count].value = value;
        looking->stack[looking->count++].root = root;
    }
}

/* The appends that can have made a value. */
static void look_into(struct gd_lin_kv_part_numbers *part, struct looking *looking, uint32_t number)
{
    struct gd_lin_value value = part->values[number];
    uint64_t last = last_bytes(value.text, value.size);
    value.looked_into = true;
    part->values[number].looked_into = true;
    for (size_t k = 0; k < part->length_count; k++) {
        size_t size = part->lengths[k], rest = value.size - size;
        if (size > value.size || !may_end(looking, last, size)) {
            continue;
        }
        const char *end = value.text + rest;
        uint32_t piece = *piece_place(part, value.cell, end, size, gd_sim_text_hash(end, size));
        if (piece-- == 0) {
            continue;
        }
        part->pieces[piece].seen = true;
        if (size == 0 && rest > 0) {
            add_edge(part, number, piece, number);
            continue;
        }
        value.makers += part->pieces[piece].count;
        value.maker = part->pieces[piece].call;
        value.from = value_with_hash(
            part, value.cell, value.text, rest,
            gd_sim_hash_end(looking->hashes[rest / 8], value.text + rest / 8 * 8, rest));
        add_edge(part, value.from, piece, number);
        look_later(part, looking, value.from, looking->hashed);
        if (rest == 0) { /* What is absent and what is empty give the same. */
            add_edge(part, value.cell, piece, number);
            value.from = value.cell;
        }
    }
    value.matters = true;
    part->values[number] = value;
}

void gd_lin_look_into(struct gd_lin_kv_part_numbers *part)
{
    struct looking looking = {.hashed = GD_LIN_NO};
    if (part->plain || part->late) {
        tell_texts(part);
    }
    if (part->late) {
        part->late = false;
        make_value_index(part);
    }
    size_t count = part->piece_count == 0 ? 0 : part->value_count;
    mark_ends(part, &looking);
    for (uint32_t i = (uint32_t)part->cell_count; i < count; i++) {
        if (i + FETCH_AHEAD < count && part->values[i + FETCH_AHEAD].text != NULL) {
            __builtin_prefetch(part->values[i + FETCH_AHEAD].text); /* Texts lie all over. */
        }
        if (part->values[i].matters && part->values[i].text != NULL &&
            part->cells[part->values[i].cell].appends) {
            if (may_be_appended(part, &looking, &part->values[i])) {
                look_later(part, &looking, i, i);
            } else {
                part->values[i].looked_into = true;
            }
        }
        while (looking.count > 0) {
            looking.count--;
            uint32_t value = looking.stack[looking.count].value;
            const char *text = part->values[value].text;
            size_t size = part->values[value].size;
            if (part->values[value].looked_into) {
                continue;
            }
            if (looking.hashed == GD_LIN_NO ||
                looking.hashed != looking.stack[looking.count].root) {
                looking.hashes = gd_lin_grown(looking.hashes, &looking.hash_capacity, size / 8 + 1,
                                              sizeof *looking.hashes);
                looking.hashes[0] = GD_SIM_HASH_BEGIN;
                for (size_t k = 0; k < size / 8; k++) {
                    looking.hashes[k + 1] = gd_sim_hash_word(looking.hashes[k], text + 8 * k);
                }
                looking.hashed = value;
            }
            look_into(part, &looking, value);
        }
    }
    free(looking.hashes);
    free(looking.stack);
    /* An empty text, where there can be one, is as good as nothing. */
    for (uint32_t i = (uint32_t)part->cell_count; i < part->value_count; i++) {
        struct gd_lin_value *value = &part->values[i];
        if (value->looked_into && value->from == value->cell) {
            uint32_t empty = value_with_hash(part, value->cell, "", 0, gd_sim_text_hash("", 0));
            value = &part->values[i];
            value->from = part->values[empty].makers > 0 ? GD_LIN_NO : value->cell;
        }
    }
}

uint32_t gd_lin_append(struct gd_lin_kv_part_numbers *part, uint32_t value, uint32_t piece)
{
    /* What came to be in the search has no makers that are counted. */
    uint32_t *place = part->edge_index_capacity == 0 ? NULL : edge_place(part, value, piece);
    if (place != NULL && *place != 0) {
        return part->edges[*place - 1].to;
    }
    struct gd_lin_value from = part->values[value];
    const struct gd_lin_piece *end = &part->pieces[piece];
    bool absent = value < part->cell_count;
    uint32_t to;
    char text[64];
    /* Only what could yet become a number is put together, and of this only what is short. */
    bool like = part->cells[end->cell].counts && (absent || from.number_like);
    for (size_t i = 0; i < end->size && like; i++) {
        like = (end->text[i] >= '0' && end->text[i] <= '9') || end->text[i] == '-';
    }
    if (part->all_matter) {
        char *whole = gd_lin_zeroed(from.size + end->size, 1);
        if (from.size > 0) {
            memcpy(whole, from.text, from.size);
        }
        memcpy(whole + from.size, end->text, end->size);
        to = value_of_made(part, end->cell, whole, from.size + end->size);
        free(whole);
    } else if (like && from.size + end->size <= sizeof text) {
        if (from.size > 0) {
            memcpy(text, from.text, from.size);
        }
        memcpy(text + from.size, end->text, end->size);
        to = value_of_made(part, end->cell, text, from.size + end->size);
    } else {
        to = gd_lin_junk(part, end->cell, from.size + end->size);
    }
    add_edge(part, value, piece, to);
    return to;
}

void gd_lin_values_release(struct gd_lin_kv_part_numbers *part)
{
    for (size_t i = 0; i < part->made_count; i++) {
        free(part->made[i]);
    }
    free(part->made);
    free(part->values);
    free(part->value_index);
    free(part->value_of_known);
    free(part->pieces);
    free(part->piece_index);
    free(part->lengths);
    free(part->edges);
    free(part->edge_index);
}
