/* history.c - histories as text, read; see history.h.
 *
 * A reader of just the JSON that histories are made of: a line is one object of known fields. What
 * is not understood is an error with its line. Keys are numbered as they come. */
#include "sim/history.h"
#include "sim/json_text.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_SIZE_MAX 512
#define VALUE_SIZE_MAX ((size_t)1 << 20)

struct history {
    struct gd_sim_record *record;
    uint32_t *index; /* Owned: hash table of the record's keys, counted from 1. */
    size_t index_capacity;
    bool opaque; /* Of a database with a model of its own. */
};
struct gd_sim_history_reader {
    struct history history;
    uint64_t lines;
};
struct fields {       /* Of one operation, or of one step of a transaction. */
    int what;         /* enum gd_sim_do; -1: not given. */
    const char *name; /* Opaque: the op; the record's. */
    bool has_key, has_call, has_return, error, aborted, has_steps;
    unsigned key;
    struct gd_sim_value input, old, output;
    uint64_t client, call, back;
};
struct text {
    const char *at, *end;
    const char *why; /* NULL while all is well; static. */
};

static bool fail(struct text *text, const char *why)
{
    text->why = text->why == NULL ? why : text->why;
    return false;
}

static void skip_blanks(struct text *text)
{
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\t' || *text->at == '\r')) {
        text->at++;
    }
}

static bool take(struct text *text, char byte)
{
    skip_blanks(text);
    if (text->at < text->end && *text->at == byte) {
        text->at++;
        return true;
    }
    return false;
}

static bool take_word(struct text *text, const char *word)
{
    size_t size = strlen(word);
    skip_blanks(text);
    if ((size_t)(text->end - text->at) >= size && memcmp(text->at, word, size) == 0) {
        text->at += size;
        return true;
    }
    return false;
}

static int hex_of(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

static bool read_four(struct text *text, unsigned *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = text->at < text->end ? hex_of(*text->at++) : -1;
        if (digit < 0) {
            return fail(text, "a \\u without its four digits");
        }
        *code = *code << 4 | (unsigned)digit;
    }
    return true;
}

/* \uXXXX, or a pair of them, as UTF-8; a half alone for itself: equal texts stay equal. */
static bool add_unicode(struct text *text, struct gd_bytes *to)
{
    unsigned code, low;
    if (!read_four(text, &code)) {
        return false;
    }
    if (code >= 0xd800 && code < 0xdc00 && text->end - text->at >= 6 && text->at[0] == '\\' &&
        text->at[1] == 'u') {
        const char *before = text->at;
        text->at += 2;
        if (!read_four(text, &low)) {
            return false;
        }
        if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        } else {
            text->at = before;
        }
    }
    if (code < 0x80) {
        gd_bytes_add_u8(to, (uint8_t)code);
    } else if (code < 0x800) {
        gd_bytes_add_u8(to, (uint8_t)(0xc0 | code >> 6));
        gd_bytes_add_u8(to, (uint8_t)(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        gd_bytes_add_u8(to, (uint8_t)(0xe0 | code >> 12));
        gd_bytes_add_u8(to, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
        gd_bytes_add_u8(to, (uint8_t)(0x80 | (code & 0x3f)));
    } else {
        gd_bytes_add_u8(to, (uint8_t)(0xf0 | code >> 18));
        gd_bytes_add_u8(to, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
        gd_bytes_add_u8(to, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
        gd_bytes_add_u8(to, (uint8_t)(0x80 | (code & 0x3f)));
    }
    return true;
}

static bool read_string(struct text *text, struct gd_bytes *to)
{
    static const char codes[] = "\"\\/bfnrt";
    static const char plain[] = "\"\\/\b\f\n\r\t";
    if (!take(text, '"')) {
        return fail(text, "a string is wanted");
    }
    while (text->at < text->end && *text->at != '"') {
        char byte = *text->at++;
        if (byte != '\\') {
            gd_bytes_add_u8(to, (uint8_t)byte);
            continue;
        }
        const char *code = text->at < text->end ? strchr(codes, *text->at) : NULL;
        if (code != NULL && *text->at != '\0') {
            gd_bytes_add_u8(to, (uint8_t)plain[code - codes]);
            text->at++;
        } else if (!take_word(text, "u") || !add_unicode(text, to)) {
            return fail(text, "a wrong escape in a string");
        }
    }
    if (to->size > VALUE_SIZE_MAX) {
        return fail(text, "a string of more than a megabyte");
    }
    return take(text, '"') || fail(text, "a string without its end");
}

static bool read_integer(struct text *text, int64_t *value)
{
    char copy[32];
    size_t size = 0;
    skip_blanks(text);
    while (text->at + size < text->end && size < sizeof copy - 1 &&
           (text->at[size] == '-' || (text->at[size] >= '0' && text->at[size] <= '9'))) {
        copy[size] = text->at[size];
        size++;
    }
    copy[size] = '\0';
    char *end;
    errno = 0;
    *value = strtoll(copy, &end, 10);
    if (size == 0 || *end != '\0' || errno != 0) {
        return fail(text, "an integer is wanted");
    }
    text->at += size;
    return true;
}

/* {"base64": "..."}: bytes that are no text. */
static bool read_base64(struct text *text, struct gd_bytes *to)
{
    struct gd_bytes name = {0}, coded = {0};
    bool good = take(text, '{') && read_string(text, &name) && take(text, ':') && name.size == 6 &&
                memcmp(name.data, "base64", 6) == 0;
    skip_blanks(text);
    good = good && read_string(text, &coded) && take(text, '}') &&
           gd_sim_base64_decode(to, gd_bytes_slice(&coded));
    gd_bytes_release(&name);
    gd_bytes_release(&coded);
    return good || fail(text, "{\"base64\": \"...\"} is wanted");
}

static bool read_text(struct text *text, struct gd_bytes *to)
{
    skip_blanks(text);
    return text->at < text->end && *text->at == '{' ? read_base64(text, to) : read_string(text, to);
}

static bool read_value(struct history *history, struct text *text, struct gd_sim_value *value)
{
    int64_t number;
    *value = (struct gd_sim_value){.kind = GD_SIM_VALUE_NOTHING};
    skip_blanks(text);
    if (take_word(text, "null")) {
        return true;
    }
    if (take_word(text, "true") || take_word(text, "false")) {
        *value = gd_sim_value_bool(text->at[-2] == 'u');
        return true;
    }
    if (text->at < text->end && (*text->at == '"' || *text->at == '{')) {
        struct gd_bytes bytes = {0};
        bool good = read_text(text, &bytes);
        if (good) {
            *value = gd_sim_value_text(history->record, bytes.data, bytes.size);
        }
        gd_bytes_release(&bytes);
        return good;
    }
    if (!read_integer(text, &number)) {
        return fail(text, "a value is wanted: null, true, false, a number or a string");
    }
    *value = gd_sim_value_number(number);
    return true;
}

static uint32_t *key_place(const struct history *history, const char *name, size_t size)
{
    size_t mask = history->index_capacity - 1;
    size_t i = gd_crc32c(0, name, size) & mask;
    for (; history->index[i] != 0; i = (i + 1) & mask) {
        const char *known = history->record->key_names[history->index[i] - 1];
        if (strlen(known) == size && memcmp(known, name, size) == 0) {
            break;
        }
    }
    return &history->index[i];
}

static void make_room_for_key(struct history *history)
{
    const struct gd_sim_record *record = history->record;
    if (2 * record->key_name_count < history->index_capacity) {
        return;
    }
    free(history->index);
    history->index_capacity = history->index_capacity == 0 ? 256 : 2 * history->index_capacity;
    history->index = calloc(history->index_capacity, sizeof *history->index);
    GD_ASSERT(history->index != NULL);
    for (size_t i = 0; i < record->key_name_count; i++) {
        const char *name = record->key_names[i];
        *key_place(history, name, strlen(name)) = (uint32_t)i + 1;
    }
}

static bool read_key(struct history *history, struct text *text, unsigned *key)
{
    struct gd_bytes bytes = {0};
    bool good = read_text(text, &bytes);
    if (good && bytes.size > 0 && memchr(bytes.data, 0, bytes.size) != NULL) {
        good = fail(text, "a key with a zero byte");
    }
    if (good) {
        make_room_for_key(history);
        const char *name = bytes.size > 0 ? (const char *)bytes.data : "";
        uint32_t *place = key_place(history, name, bytes.size);
        if (*place == 0) {
            *place = gd_sim_record_key(history->record, name, bytes.size) + 1;
        }
        *key = *place - 1;
    }
    gd_bytes_release(&bytes);
    return good;
}

static bool read_name(struct history *history, struct text *text, const char **name)
{
    struct gd_bytes bytes = {0};
    bool good = read_string(text, &bytes);
    if (good) {
        *name = gd_sim_value_text(history->record, bytes.data, bytes.size).text;
    }
    gd_bytes_release(&bytes);
    return good;
}

static bool read_what(struct text *text, int *what)
{
    static const char *const names[] = {"read",  "write", "append", "cas",  "delete",
                                        "setnx", "swap",  "take",   "incr", "txn"};
    struct gd_bytes bytes = {0};
    bool good = read_string(text, &bytes);
    *what = -1;
    for (size_t i = 0; good && i < GD_COUNT(names); i++) {
        if (strlen(names[i]) == bytes.size && memcmp(names[i], bytes.data, bytes.size) == 0) {
            *what = (int)i;
        }
    }
    gd_bytes_release(&bytes);
    return good && (*what >= 0 || fail(text, "an unknown op"));
}

static bool read_steps(struct history *history, struct text *text);

static bool read_input(struct history *history, struct text *text, struct fields *fields)
{
    if (!take(text, '[')) {
        return read_value(history, text, &fields->input);
    }
    return (read_value(history, text, &fields->old) && take(text, ',') &&
            read_value(history, text, &fields->input) && take(text, ']')) ||
           fail(text, "cas wants [old, new]");
}

static bool read_number_field(struct text *text, uint64_t *to, bool *has)
{
    int64_t number;
    if (take_word(text, "null")) {
        *has = false;
        return true;
    }
    *has = true;
    return read_integer(text, &number) &&
           ((number >= 0 && (*to = (uint64_t)number, true)) || fail(text, "below 0"));
}

static bool read_field(struct history *history, struct text *text, const char *name,
                       struct fields *fields)
{
    bool scrap;
    if (strcmp(name, "op") == 0) {
        return history->opaque ? read_name(history, text, &fields->name)
                               : read_what(text, &fields->what);
    }
    if (strcmp(name, "key") == 0) {
        fields->has_key = true;
        return read_key(history, text, &fields->key);
    }
    if (strcmp(name, "input") == 0) {
        return read_input(history, text, fields);
    }
    if (strcmp(name, "output") == 0) {
        return read_value(history, text, &fields->output);
    }
    if (strcmp(name, "client") == 0) {
        return read_number_field(text, &fields->client, &scrap);
    }
    if (strcmp(name, "call") == 0) {
        return read_number_field(text, &fields->call, &fields->has_call);
    }
    if (strcmp(name, "return") == 0) {
        return read_number_field(text, &fields->back, &fields->has_return);
    }
    if (strcmp(name, "error") == 0) {
        fields->error = take_word(text, "true");
        return fields->error || take_word(text, "false") || fail(text, "error is true or false");
    }
    if (strcmp(name, "ops") == 0) {
        fields->has_steps = true;
        return read_steps(history, text);
    }
    return fail(text, "an unknown field");
}

static bool read_object(struct history *history, struct text *text, struct fields *fields)
{
    *fields = (struct fields){.what = -1};
    if (!take(text, '{')) {
        return fail(text, "an object is wanted");
    }
    do {
        struct gd_bytes name = {0};
        bool good = read_string(text, &name) && (take(text, ':') || fail(text, "':' is wanted"));
        gd_bytes_add_u8(&name, 0);
        good = good && read_field(history, text, (const char *)name.data, fields);
        gd_bytes_release(&name);
        if (!good) {
            return false;
        }
    } while (take(text, ','));
    return take(text, '}') || fail(text, "'}' is wanted");
}

/* A value where the state machine knows texts alone. */
static struct gd_sim_value as_text(struct history *history, struct gd_sim_value value)
{
    char digits[32];
    if (value.kind != GD_SIM_VALUE_NUMBER) {
        return value;
    }
    int size = snprintf(digits, sizeof digits, "%" PRId64, value.number);
    return gd_sim_value_text(history->record, digits, (size_t)size);
}

static bool add_step(struct history *history, struct text *text, const struct fields *fields)
{
    if (fields->what < 0 || fields->what == GD_SIM_DO_TXN || !fields->has_key) {
        return fail(text, "an operation wants its op and key");
    }
    enum gd_sim_do what = (enum gd_sim_do)fields->what;
    struct gd_sim_value input = fields->input;
    struct gd_sim_value output = fields->output;
    if (what == GD_SIM_DO_INCR) {
        if (input.kind != GD_SIM_VALUE_NUMBER) {
            return fail(text, "incr wants a number");
        }
        if (output.kind == GD_SIM_VALUE_TEXT) {
            output = (struct gd_sim_value){.kind = GD_SIM_VALUE_ERROR};
        }
    } else {
        input = as_text(history, input);
        output = what == GD_SIM_DO_APPEND ? output : as_text(history, output);
    }
    if (what == GD_SIM_DO_APPEND && input.kind != GD_SIM_VALUE_TEXT) {
        return fail(text, "append wants a value");
    }
    struct gd_sim_value old = as_text(history, fields->old);
    struct gd_sim_step *step = gd_sim_record_step(history->record, what, fields->key);
    step->input = input;
    step->old = old;
    step->output = output;
    return true;
}

static bool read_steps(struct history *history, struct text *text)
{
    struct fields fields;
    if (!take(text, '[')) {
        return fail(text, "ops is a list");
    }
    if (take(text, ']')) {
        return true;
    }
    do {
        if (!read_object(history, text, &fields) || !add_step(history, text, &fields)) {
            return false;
        }
    } while (take(text, ','));
    return take(text, ']') || fail(text, "']' is wanted");
}

/* What a database with a model of its own was told and said. */
static bool take_opaque(struct text *text, const struct fields *fields, struct gd_sim_operation *op)
{
    const struct gd_sim_value *input = &fields->input, *output = &fields->output;
    if (fields->name == NULL || input->kind != GD_SIM_VALUE_TEXT || fields->has_key ||
        fields->has_steps || fields->old.kind != GD_SIM_VALUE_NOTHING) {
        return fail(text, "an operation wants its op and, as a string, its input; and no key");
    }
    if (fields->has_return && !fields->error && output->kind != GD_SIM_VALUE_TEXT) {
        return fail(text, "what was answered wants, as a string, its output");
    }
    op->name = fields->name;
    op->input = (struct gd_slice){(const uint8_t *)input->text, input->size};
    op->output = (struct gd_slice){(const uint8_t *)output->text, output->size};
    return true;
}

static bool read_operation(struct history *history, struct text *text)
{
    struct fields fields;
    struct gd_sim_record *record = history->record;
    size_t operation = gd_sim_record_call(record, 0, "operation", 0);
    if (!read_object(history, text, &fields)) {
        return false;
    }
    struct gd_sim_operation *op = &record->operations[operation];
    op->client = fields.client;
    op->call = fields.call;
    op->txn = fields.what == GD_SIM_DO_TXN;
    if (!fields.has_call || (fields.has_return && fields.back < fields.call)) {
        return fail(text, "call and return, in this order, are wanted");
    }
    if (history->opaque) {
        if (!take_opaque(text, &fields, op)) {
            return false;
        }
    } else if (op->txn != fields.has_steps || (!op->txn && !add_step(history, text, &fields))) {
        return fail(text, "a txn, and nothing else, has ops");
    }
    bool aborted = op->txn && fields.output.kind == GD_SIM_VALUE_TEXT;
    if (fields.has_return || fields.error) {
        gd_sim_record_return(record, operation,
                             fields.error || aborted ? GD_SIM_FATE_NO_EFFECT : GD_SIM_FATE_DONE,
                             fields.has_return ? fields.back : fields.call);
    }
    skip_blanks(text);
    return text->at == text->end || fail(text, "more than an object on the line");
}

struct gd_sim_history_reader *gd_sim_history_reader_new(struct gd_sim_record *record)
{
    struct gd_sim_history_reader *reader = calloc(1, sizeof *reader);
    GD_ASSERT(reader != NULL);
    reader->history.record = record;
    return reader;
}

void gd_sim_history_reader_free(struct gd_sim_history_reader *reader)
{
    free(reader->history.index);
    free(reader);
}

enum gd_err gd_sim_history_reader_add(struct gd_sim_history_reader *reader, struct gd_slice bytes,
                                      struct gd_error *error)
{
    const char *at = bytes.size > 0 ? (const char *)bytes.data : "";
    const char *end = at + bytes.size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        struct text text = {at, stop != NULL ? stop : end, NULL};
        at = text.end + 1;
        reader->lines++;
        skip_blanks(&text);
        if (text.at == text.end || *text.at == '#') {
            continue;
        }
        if (!read_operation(&reader->history, &text)) {
            return gd_error_set(error, GD_ERR_INVALID, "line %" PRIu64 ": %s", reader->lines,
                                text.why);
        }
    }
    return GD_OK;
}

static enum gd_err read_whole(struct gd_slice bytes, struct gd_sim_record *record, bool opaque,
                              struct gd_error *error)
{
    struct gd_sim_history_reader *reader = gd_sim_history_reader_new(record);
    reader->history.opaque = opaque;
    enum gd_err err = gd_sim_history_reader_add(reader, bytes, error);
    gd_sim_history_reader_free(reader);
    return err;
}

enum gd_err gd_sim_history_read(struct gd_slice bytes, struct gd_sim_record *record,
                                struct gd_error *error)
{
    return read_whole(bytes, record, false, error);
}

enum gd_err gd_sim_history_read_opaque(struct gd_slice bytes, struct gd_sim_record *record,
                                       struct gd_error *error)
{
    return read_whole(bytes, record, true, error);
}
