/* commands_dump.c - DUMP and RESTORE in the format of Redis's own database files, strings alone.
 *
 *   OFFSET     SIZE  FIELD
 *        0        1  type: 0, a string
 *        1        n  the string: a length and bytes, an integer, or LZF-packed bytes
 *      1+n        2  version of the format, little-endian: 10
 *      3+n        8  CRC-64 (Jones) of all before it, little-endian
 *
 * A length is 00 in the top bits and 6 bits, 01 and 14 bits, 0x80 and 32 bits, or 0x81 and 64 bits,
 * big-endian; 11 and a form: 0, 1, 2 a signed integer of 8, 16, 32 bits little-endian, 3 packed
 * bytes (their length, the length unpacked, the bytes). What is written is never packed. */
#include "engine/bytes.h"
#include "engine/memory.h"
#include "kvs/handlers.h"
#include "kvs/number.h"
#include "kvs/options.h"

enum { DUMP_VERSION = 10, FOOTER_SIZE = 10, INTEGER_TEXT_MAX = 11 };
enum { FORM_INT8, FORM_INT16, FORM_INT32, FORM_PACKED, FORM_PLAIN };

/* Reflected Jones polynomial, four bits at a time. */
static uint64_t crc64(struct gd_slice bytes)
{
    uint64_t table[16], crc = 0;

    for (uint64_t i = 0; i < GD_COUNT(table); i++) {
        uint64_t value = i;
        for (int bit = 0; bit < 4; bit++) {
            value = (value & 1) != 0 ? value >> 1 ^ UINT64_C(0x95ac9329ac4bc9b5) : value >> 1;
        }
        table[i] = value;
    }
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

static void add_length(struct gd_bytes *to, size_t size)
{
    if (size < 64) {
        gd_bytes_add_u8(to, (uint8_t)size);
    } else if (size < 16384) {
        gd_bytes_add_u8(to, (uint8_t)(0x40 | size >> 8));
        gd_bytes_add_u8(to, (uint8_t)size);
    } else {
        gd_bytes_add_u8(to, 0x80);
        for (int shift = 24; shift >= 0; shift -= 8) {
            gd_bytes_add_u8(to, (uint8_t)(size >> shift));
        }
    }
}

static void add_string(struct gd_bytes *to, struct gd_slice value)
{
    int64_t number;
    bool fits = value.size <= INTEGER_TEXT_MAX && gd_number_parse(value, &number) &&
                number >= INT32_MIN && number <= INT32_MAX;
    int form, size;

    if (!fits) {
        add_length(to, value.size);
        gd_bytes_add(to, value.data, value.size);
        return;
    }
    form = number >= INT8_MIN && number <= INT8_MAX     ? FORM_INT8
           : number >= INT16_MIN && number <= INT16_MAX ? FORM_INT16
                                                        : FORM_INT32;
    size = 1 << form;
    gd_bytes_add_u8(to, (uint8_t)(0xc0 | form));
    for (int i = 0; i < size; i++) {
        gd_bytes_add_u8(to, (uint8_t)((uint64_t)number >> (8 * i)));
    }
}

void gd_command_dump(struct gd_command_context *c)
{
    const struct gd_item *item = gd_command_look(c, c->args[1]);
    char scratch[GD_ITEM_SCRATCH];
    struct gd_bytes dump = {0};
    uint8_t version[2];

    if (item == NULL) {
        gd_reply_null(c->reply);
        return;
    }
    gd_bytes_add_u8(&dump, 0);
    add_string(&dump, gd_item_value(item, scratch));
    gd_put_le16(version, DUMP_VERSION);
    gd_bytes_add(&dump, version, sizeof version);
    gd_bytes_add_le64(&dump, crc64(gd_bytes_slice(&dump)));
    gd_reply_bulk(c->reply, gd_bytes_slice(&dump));
    gd_bytes_release(&dump);
}

/* ---------------------------------------------------------------- reading */

/* A length or (`*form` other than PLAIN) what follows instead. */
static uint64_t read_length(struct gd_reader *from, int *form)
{
    uint8_t first = gd_reader_u8(from);
    uint64_t value = 0;
    int more;

    *form = FORM_PLAIN;
    switch (first >> 6) {
    case 0:
        return first & 0x3f;
    case 1:
        return (uint64_t)(first & 0x3f) << 8 | gd_reader_u8(from);
    case 3:
        *form = first & 0x3f;
        from->failed = from->failed || *form > FORM_PACKED;
        return 0;
    default:
        break;
    }
    more = first == 0x80 ? 4 : 8;
    from->failed = from->failed || (first != 0x80 && first != 0x81);
    for (int i = 0; i < more; i++) {
        value = value << 8 | gd_reader_u8(from);
    }
    return value;
}

/* LZF: a byte below 32 stands before that many and one bytes as they are; else its top 3 bits (7:
 * and the next byte) and 2 are a count, the rest and the next byte how far back to copy from. */
static bool unpack(struct gd_slice packed, uint8_t *to, size_t size)
{
    struct gd_reader from = gd_reader_of(packed);
    size_t at = 0;

    while (from.left > 0) {
        size_t mark = gd_reader_u8(&from), count, back;
        if (mark < 32) {
            struct gd_slice plain = gd_reader_slice(&from, mark + 1);
            if (from.failed || plain.size > size - at) {
                return false;
            }
            memcpy(to + at, plain.data, plain.size);
            at += plain.size;
            continue;
        }
        count = mark >> 5;
        count += 2 + (count == 7 ? gd_reader_u8(&from) : 0u);
        back = ((mark & 0x1f) << 8 | gd_reader_u8(&from)) + 1;
        if (from.failed || back > at || count > size - at) {
            return false;
        }
        for (; count > 0; count--, at++) {
            to[at] = to[at - back];
        }
    }
    return at == size;
}

static bool read_packed(struct gd_reader *from, struct gd_bytes *value)
{
    int form_packed, form_size;
    uint64_t packed_size = read_length(from, &form_packed);
    uint64_t size = read_length(from, &form_size);
    struct gd_slice packed;

    if (from->failed || form_packed != FORM_PLAIN || form_size != FORM_PLAIN ||
        packed_size > from->left || size > GD_ITEM_SIZE_MAX || size > packed_size * 264) {
        return false;
    }
    packed = gd_reader_slice(from, (size_t)packed_size);
    value->size = 0;
    (void)gd_bytes_reserve(value, (size_t)size);
    value->size = (size_t)size;
    return unpack(packed, value->data, value->size);
}

/* The value of a checked payload; `value` is the caller's. */
static bool read_value(struct gd_slice payload, struct gd_bytes *value)
{
    struct gd_reader from = gd_reader_of(payload);
    uint8_t type = gd_reader_u8(&from);
    int form;
    uint64_t size;

    if (from.failed || type != 0) {
        return false;
    }
    size = read_length(&from, &form);
    if (form == FORM_PACKED) {
        return read_packed(&from, value) && from.left == 0;
    }
    if (form == FORM_PLAIN) {
        struct gd_slice plain = {NULL, 0};
        if (!from.failed && size <= from.left) {
            plain = gd_reader_slice(&from, (size_t)size);
            gd_bytes_add(value, plain.data, plain.size);
        }
        return !from.failed && plain.size == size && from.left == 0;
    }
    if (form == FORM_INT8) {
        gd_bytes_format(value, "%d", (int)(int8_t)gd_reader_u8(&from));
    } else if (form == FORM_INT16) {
        gd_bytes_format(value, "%d", (int)(int16_t)gd_reader_le16(&from));
    } else {
        gd_bytes_format(value, "%d", (int)(int32_t)gd_reader_le32(&from));
    }
    return !from.failed && from.left == 0;
}

static bool payload_sound(struct gd_slice payload)
{
    size_t body;

    if (payload.size < FOOTER_SIZE) {
        return false;
    }
    body = payload.size - FOOTER_SIZE;
    return gd_get_le16(payload.data + body) <= DUMP_VERSION &&
           gd_get_le64(payload.data + body + 2) == crc64((struct gd_slice){payload.data, body + 2});
}

struct restore_options {
    bool replace, is_absolute;
};

static bool read_restore_options(struct gd_command_context *c, struct restore_options *options)
{
    bool has_idle = false, has_frequency = false;

    for (size_t i = 4; i < c->arg_count; i++) {
        bool idle = gd_slice_is(c->args[i], "idletime");
        bool frequency = gd_slice_is(c->args[i], "freq");
        int64_t number;
        if (gd_slice_is(c->args[i], "replace")) {
            options->replace = true;
        } else if (gd_slice_is(c->args[i], "absttl")) {
            options->is_absolute = true;
        } else if (((idle && !has_frequency) || (frequency && !has_idle)) && i + 1 < c->arg_count) {
            if (!gd_command_number(c, c->args[++i], &number)) {
                return false;
            }
            if (number < 0 || (frequency && number > 255)) {
                gd_reply_error(c->reply, idle ? "ERR Invalid IDLETIME value, must be >= 0"
                                              : "ERR Invalid FREQ value, must be >= 0 and <= 255");
                return false;
            }
            has_idle = has_idle || idle;
            has_frequency = has_frequency || frequency;
        } else {
            gd_command_syntax_error(c);
            return false;
        }
    }
    return true;
}

/* RESTORE's time: 0 is none. False: an error was replied. */
static bool read_restore_time(struct gd_command_context *c, bool is_absolute, int64_t *deadline_ms)
{
    if (!gd_command_number(c, c->args[2], deadline_ms)) {
        return false;
    }
    if (*deadline_ms < 0) {
        gd_reply_error(c->reply, "ERR Invalid TTL value, must be >= 0");
        return false;
    }
    if (*deadline_ms == 0) {
        *deadline_ms = GD_EXPIRY_NONE;
    } else if (!is_absolute && __builtin_add_overflow(*deadline_ms, c->now_ms, deadline_ms)) {
        *deadline_ms = INT64_MAX;
    }
    return true;
}

void gd_command_restore(struct gd_command_context *c)
{
    struct restore_options options = {0};
    struct gd_bytes value = {0};
    int64_t deadline_ms;

    if (!read_restore_options(c, &options)) {
        return;
    }
    if (!options.replace && gd_command_look(c, c->args[1]) != NULL) {
        gd_reply_error(c->reply, "BUSYKEY Target key name already exists.");
        return;
    }
    if (!read_restore_time(c, options.is_absolute, &deadline_ms)) {
        return;
    }
    if (!payload_sound(c->args[3])) {
        gd_reply_error(c->reply, "ERR DUMP payload version or checksum are wrong");
    } else if (!read_value((struct gd_slice){c->args[3].data, c->args[3].size - FOOTER_SIZE},
                           &value)) {
        gd_reply_error(c->reply, "ERR Bad data format");
    } else {
        (void)gd_keyspace_delete(c->ks, c->args[1]);
        if (deadline_ms == GD_EXPIRY_NONE || deadline_ms > c->now_ms) {
            gd_keyspace_set(c->ks, c->args[1], gd_bytes_slice(&value), deadline_ms, c->version);
        }
        gd_reply_simple(c->reply, "OK");
    }
    gd_bytes_release(&value);
}
