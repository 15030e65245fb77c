/* resp.c - the incremental reader of requests. See resp.h.
 *
 * A nested array is taken inside LOAD alone, and flattened: the seed's SNAP answers with arrays of
 * pairs, and its reply, sent back as it came, is a LOAD. */
#include "kvs/resp.h"
#include "engine/memory.h"
#include <stdio.h>

void gd_resp_reader_init(struct gd_resp_reader *reader, const struct gd_resp_limits *limits)
{
    *reader = (struct gd_resp_reader){.limits = limits, .bulk_size = -1};
}

void gd_resp_reader_release(struct gd_resp_reader *reader)
{
    gd_free(reader->spans);
    gd_free(reader->args);
    gd_bytes_release(&reader->inline_words);
    gd_resp_reader_init(reader, reader->limits);
}

static void begin_anew(struct gd_resp_reader *reader)
{
    reader->at = 0;
    reader->begun = false;
    reader->missing = 0;
    reader->bulk_size = -1;
    reader->scanned = 0;
    reader->span_count = 0;
}

static enum gd_resp_result fail(struct gd_resp_reader *reader, const char *text)
{
    (void)snprintf(reader->error, sizeof reader->error, "Protocol error: %s", text);
    return GD_RESP_ERROR;
}

static void add_span(struct gd_resp_reader *reader, size_t offset, size_t size)
{
    if (reader->span_count == reader->span_capacity) {
        reader->span_capacity = reader->span_capacity == 0 ? 8 : reader->span_capacity * 2;
        reader->spans = gd_realloc(reader->spans, reader->span_capacity * sizeof reader->spans[0]);
    }
    reader->spans[reader->span_count++] = (struct gd_resp_span){offset, size};
}

/* Spans of `base` become the arguments; the request is done. */
static enum gd_resp_result finish(struct gd_resp_reader *reader, const uint8_t *base,
                                  size_t *consumed)
{
    if (reader->span_count > reader->arg_capacity ||
        (reader->arg_capacity > 4096 && reader->span_count <= 4096)) {
        reader->arg_capacity = reader->span_count < 16 ? 16 : reader->span_count;
        reader->args = gd_realloc(reader->args, reader->arg_capacity * sizeof reader->args[0]);
    }
    for (size_t i = 0; i < reader->span_count; i++) {
        reader->args[i] = (struct gd_slice){base + reader->spans[i].offset, reader->spans[i].size};
    }
    reader->arg_count = reader->span_count;
    *consumed = reader->at;
    begin_anew(reader);
    if (reader->span_capacity > 4096) {
        gd_free(reader->spans);
        reader->spans = NULL;
        reader->span_capacity = 0;
    }
    return GD_RESP_REQUEST;
}

/* The line at `at`, without its end; `*next` is behind the end. False: not whole yet. */
static bool find_line(struct gd_resp_reader *reader, struct gd_slice input, struct gd_slice *line,
                      size_t *next)
{
    const uint8_t *from = input.data + reader->at;
    size_t left = input.size - reader->at;
    const uint8_t *end = left == reader->scanned
                             ? NULL
                             : memchr(from + reader->scanned, '\n', left - reader->scanned);

    if (end == NULL) {
        reader->scanned = left;
        return false;
    }
    reader->scanned = 0;
    *next = reader->at + (size_t)(end - from) + 1;
    line->data = from;
    line->size = (size_t)(end - from);
    if (line->size > 0 && line->data[line->size - 1] == '\r') {
        line->size--;
    }
    return true;
}

/* A decimal number that fills the line; false when it is none. */
static bool read_number(struct gd_slice line, int64_t *number)
{
    size_t at = line.size > 0 && line.data[0] == '-' ? 1 : 0;
    int64_t value = 0;

    if (line.size == at || line.size - at > 18 ||
        (line.data[at] == '0' && line.size > 1)) { /* One way to write a number: as Redis. */
        return false;
    }
    for (size_t i = at; i < line.size; i++) {
        if (line.data[i] < '0' || line.data[i] > '9') {
            return false;
        }
        value = value * 10 + (line.data[i] - '0');
    }
    *number = at == 1 ? -value : value;
    return true;
}

/* ---------------------------------------------------------------- inline */

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static uint8_t escape_of(uint8_t byte)
{
    switch (byte) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return byte;
    }
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r') || byte == 0;
}

/* A quoted word's inside, from behind the opening quote; the place behind the closing one, or 0. */
static size_t take_quoted(struct gd_bytes *words, struct gd_slice line, size_t at, uint8_t quote)
{
    while (at < line.size) {
        uint8_t byte = line.data[at];
        if (byte == quote) {
            at++;
            return at == line.size || is_blank(line.data[at]) ? at : 0;
        }
        if (byte == '\\' && quote == '"' && at + 3 < line.size && line.data[at + 1] == 'x' &&
            hex_digit(line.data[at + 2]) >= 0 && hex_digit(line.data[at + 3]) >= 0) {
            gd_bytes_add_u8(
                words, (uint8_t)(hex_digit(line.data[at + 2]) * 16 + hex_digit(line.data[at + 3])));
            at += 4;
        } else if (byte == '\\' && at + 1 < line.size &&
                   (quote == '"' || line.data[at + 1] == '\'')) {
            gd_bytes_add_u8(words, quote == '"' ? escape_of(line.data[at + 1]) : '\'');
            at += 2;
        } else {
            gd_bytes_add_u8(words, byte);
            at++;
        }
    }
    return 0;
}

static enum gd_resp_result read_inline(struct gd_resp_reader *reader, struct gd_slice input,
                                       size_t *consumed)
{
    struct gd_bytes *words = &reader->inline_words;
    struct gd_slice line;
    size_t next, at = 0;

    if (!find_line(reader, input, &line, &next)) {
        return input.size > reader->limits->line_size_max ? fail(reader, "too big inline request")
                                                          : GD_RESP_MORE;
    }
    if (line.size > reader->limits->line_size_max) {
        return fail(reader, "too big inline request");
    }
    gd_bytes_clear(words);
    (void)gd_bytes_reserve(words, line.size); /* So that nothing moves below. */
    while (at < line.size) {
        size_t begin = words->size;
        if (is_blank(line.data[at])) {
            at++;
            continue;
        }
        while (at != 0 || line.size > 0) {
            if (at >= line.size || is_blank(line.data[at])) {
                break;
            }
            if (line.data[at] == '"' || line.data[at] == '\'') {
                at = take_quoted(words, line, at + 1, line.data[at]);
                if (at == 0) {
                    return fail(reader, "unbalanced quotes in request");
                }
            } else {
                gd_bytes_add_u8(words, line.data[at++]);
            }
        }
        add_span(reader, begin, words->size - begin);
    }
    reader->at = next;
    return finish(reader, words->data, consumed);
}

/* ---------------------------------------------------------------- arrays */

static bool loading(const struct gd_resp_reader *reader, const uint8_t *base)
{
    static const char word[] = "load";

    if (reader->span_count == 0 || reader->spans[0].size != 4) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        if ((base[reader->spans[0].offset + i] | 0x20) != word[i]) {
            return false;
        }
    }
    return true;
}

/* The same for what nearly all lengths are: a few digits, whole. False: see read_length. */
static bool read_short_length(struct gd_resp_reader *reader, struct gd_slice input, int64_t *number)
{
    const uint8_t *at = input.data + reader->at + 1;
    size_t left = input.size - reader->at - 1, digits = 0;
    int64_t value = 0;

    while (digits < left && digits < 9 && at[digits] >= '0' && at[digits] <= '9') {
        value = value * 10 + (at[digits++] - '0');
    }
    if (digits == 0 || (at[0] == '0' && digits > 1) || left < digits + 2 || at[digits] != '\r' ||
        at[digits + 1] != '\n') {
        return false;
    }
    *number = value;
    reader->scanned = 0;
    reader->at += digits + 3;
    return true;
}

/* The length line at `at`, which begins with `mark`. */
static enum gd_resp_result read_length(struct gd_resp_reader *reader, struct gd_slice input,
                                       int64_t *number, const char *too_big, const char *invalid)
{
    struct gd_slice line;
    size_t next;

    if (read_short_length(reader, input, number)) {
        return GD_RESP_REQUEST;
    }
    if (!find_line(reader, input, &line, &next)) {
        return input.size - reader->at > reader->limits->line_size_max ? fail(reader, too_big)
                                                                       : GD_RESP_MORE;
    }
    if (input.data[next - 2] != '\r' ||
        !read_number((struct gd_slice){line.data + 1, line.size - 1}, number)) {
        return fail(reader, invalid);
    }
    reader->at = next;
    return GD_RESP_REQUEST;
}

/* The head of the next argument. REQUEST: go on. */
static enum gd_resp_result read_argument_head(struct gd_resp_reader *reader, struct gd_slice input)
{
    uint8_t mark;
    int64_t number;
    enum gd_resp_result result;

    if (reader->at == input.size) {
        return GD_RESP_MORE;
    }
    mark = input.data[reader->at];
    if (mark == '*' && loading(reader, input.data)) {
        result = read_length(reader, input, &number, "too big mbulk count string",
                             "invalid multibulk length");
        if (result != GD_RESP_REQUEST) {
            return result;
        }
        if (number < 0 || reader->guest ||
            number > reader->limits->arg_count_max - reader->missing) {
            return fail(reader, "invalid multibulk length");
        }
        reader->missing += number - 1;
        return GD_RESP_REQUEST;
    }
    if (mark != '$') {
        char text[64];
        (void)snprintf(text, sizeof text, "expected '$', got '%c'",
                       mark == 0 || mark == '\r' || mark == '\n' ? ' ' : mark);
        return fail(reader, text);
    }
    result =
        read_length(reader, input, &number, "too big bulk count string", "invalid bulk length");
    if (result != GD_RESP_REQUEST) {
        return result;
    }
    if (number < 0 || (uint64_t)number > reader->limits->bulk_size_max) {
        return fail(reader, "invalid bulk length");
    }
    if (reader->guest && (uint64_t)number > reader->limits->guest_bulk_size_max) {
        return fail(reader, "unauthenticated bulk length");
    }
    reader->bulk_size = number;
    return GD_RESP_REQUEST;
}

static enum gd_resp_result read_array(struct gd_resp_reader *reader, struct gd_slice input,
                                      size_t *consumed)
{
    while (reader->missing > 0) {
        if (reader->bulk_size < 0) {
            enum gd_resp_result result = read_argument_head(reader, input);
            if (result != GD_RESP_REQUEST) {
                return result;
            }
            continue;
        }
        if (input.size - reader->at < (size_t)reader->bulk_size + 2) {
            return GD_RESP_MORE;
        }
        add_span(reader, reader->at, (size_t)reader->bulk_size);
        reader->at += (size_t)reader->bulk_size + 2;
        reader->bulk_size = -1;
        reader->missing--;
    }
    return finish(reader, input.data, consumed);
}

enum gd_resp_result gd_resp_read(struct gd_resp_reader *reader, struct gd_slice input,
                                 size_t *consumed)
{
    if (!reader->begun) {
        int64_t number = 0;
        enum gd_resp_result result;
        if (input.size == 0) {
            return GD_RESP_MORE;
        }
        if (input.data[0] != '*') {
            return read_inline(reader, input, consumed);
        }
        result = read_length(reader, input, &number, "too big mbulk count string",
                             "invalid multibulk length");
        if (result != GD_RESP_REQUEST) {
            return result;
        }
        if (number > reader->limits->arg_count_max) {
            return fail(reader, "invalid multibulk length");
        }
        if (reader->guest && number > reader->limits->guest_arg_count_max) {
            return fail(reader, "unauthenticated multibulk length");
        }
        reader->begun = true;
        reader->missing = number;
    }
    return read_array(reader, input, consumed);
}

/* ---------------------------------------------------------------- slots */

/* CRC-16/XMODEM (polynomial 0x1021): what a byte does to the upper half. */
static const uint16_t crc16_table[256] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b,
    0xc18c, 0xd1ad, 0xe1ce, 0xf1ef, 0x1231, 0x0210, 0x3273, 0x2252, 0x52b5, 0x4294, 0x72f7, 0x62d6,
    0x9339, 0x8318, 0xb37b, 0xa35a, 0xd3bd, 0xc39c, 0xf3ff, 0xe3de, 0x2462, 0x3443, 0x0420, 0x1401,
    0x64e6, 0x74c7, 0x44a4, 0x5485, 0xa56a, 0xb54b, 0x8528, 0x9509, 0xe5ee, 0xf5cf, 0xc5ac, 0xd58d,
    0x3653, 0x2672, 0x1611, 0x0630, 0x76d7, 0x66f6, 0x5695, 0x46b4, 0xb75b, 0xa77a, 0x9719, 0x8738,
    0xf7df, 0xe7fe, 0xd79d, 0xc7bc, 0x48c4, 0x58e5, 0x6886, 0x78a7, 0x0840, 0x1861, 0x2802, 0x3823,
    0xc9cc, 0xd9ed, 0xe98e, 0xf9af, 0x8948, 0x9969, 0xa90a, 0xb92b, 0x5af5, 0x4ad4, 0x7ab7, 0x6a96,
    0x1a71, 0x0a50, 0x3a33, 0x2a12, 0xdbfd, 0xcbdc, 0xfbbf, 0xeb9e, 0x9b79, 0x8b58, 0xbb3b, 0xab1a,
    0x6ca6, 0x7c87, 0x4ce4, 0x5cc5, 0x2c22, 0x3c03, 0x0c60, 0x1c41, 0xedae, 0xfd8f, 0xcdec, 0xddcd,
    0xad2a, 0xbd0b, 0x8d68, 0x9d49, 0x7e97, 0x6eb6, 0x5ed5, 0x4ef4, 0x3e13, 0x2e32, 0x1e51, 0x0e70,
    0xff9f, 0xefbe, 0xdfdd, 0xcffc, 0xbf1b, 0xaf3a, 0x9f59, 0x8f78, 0x9188, 0x81a9, 0xb1ca, 0xa1eb,
    0xd10c, 0xc12d, 0xf14e, 0xe16f, 0x1080, 0x00a1, 0x30c2, 0x20e3, 0x5004, 0x4025, 0x7046, 0x6067,
    0x83b9, 0x9398, 0xa3fb, 0xb3da, 0xc33d, 0xd31c, 0xe37f, 0xf35e, 0x02b1, 0x1290, 0x22f3, 0x32d2,
    0x4235, 0x5214, 0x6277, 0x7256, 0xb5ea, 0xa5cb, 0x95a8, 0x8589, 0xf56e, 0xe54f, 0xd52c, 0xc50d,
    0x34e2, 0x24c3, 0x14a0, 0x0481, 0x7466, 0x6447, 0x5424, 0x4405, 0xa7db, 0xb7fa, 0x8799, 0x97b8,
    0xe75f, 0xf77e, 0xc71d, 0xd73c, 0x26d3, 0x36f2, 0x0691, 0x16b0, 0x6657, 0x7676, 0x4615, 0x5634,
    0xd94c, 0xc96d, 0xf90e, 0xe92f, 0x99c8, 0x89e9, 0xb98a, 0xa9ab, 0x5844, 0x4865, 0x7806, 0x6827,
    0x18c0, 0x08e1, 0x3882, 0x28a3, 0xcb7d, 0xdb5c, 0xeb3f, 0xfb1e, 0x8bf9, 0x9bd8, 0xabbb, 0xbb9a,
    0x4a75, 0x5a54, 0x6a37, 0x7a16, 0x0af1, 0x1ad0, 0x2ab3, 0x3a92, 0xfd2e, 0xed0f, 0xdd6c, 0xcd4d,
    0xbdaa, 0xad8b, 0x9de8, 0x8dc9, 0x7c26, 0x6c07, 0x5c64, 0x4c45, 0x3ca2, 0x2c83, 0x1ce0, 0x0cc1,
    0xef1f, 0xff3e, 0xcf5d, 0xdf7c, 0xaf9b, 0xbfba, 0x8fd9, 0x9ff8, 0x6e17, 0x7e36, 0x4e55, 0x5e74,
    0x2e93, 0x3eb2, 0x0ed1, 0x1ef0,
};

static uint16_t crc16(struct gd_slice bytes)
{
    uint16_t crc = 0;

    for (size_t i = 0; i < bytes.size; i++) {
        crc = (uint16_t)(crc << 8 ^ crc16_table[crc >> 8 ^ bytes.data[i]]);
    }
    return crc;
}

uint16_t gd_resp_slot(struct gd_slice key)
{
    const uint8_t *open = key.size == 0 ? NULL : memchr(key.data, '{', key.size);

    if (open != NULL) {
        size_t left = key.size - (size_t)(open - key.data) - 1;
        const uint8_t *close = left == 0 ? NULL : memchr(open + 1, '}', left);
        if (close != NULL && close > open + 1) {
            key = (struct gd_slice){open + 1, (size_t)(close - open) - 1};
        }
    }
    return crc16(key) % 16384;
}
