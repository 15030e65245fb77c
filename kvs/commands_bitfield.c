/* commands_bitfield.c - integers of any width inside a string: BITFIELD and BITFIELD_RO.
 *
 * Sums are made in 128 bits, where nothing overflows, and then fitted into the field: wrapped,
 * held at the border, or refused. */
#include "kvs/handlers.h"
#include "kvs/number.h"
#include "kvs/options.h"

__extension__ typedef __int128 wide;

enum overflow { OVERFLOW_WRAP, OVERFLOW_SAT, OVERFLOW_FAIL };
enum operation { FIELD_GET, FIELD_SET, FIELD_INCRBY };

struct field {
    enum operation operation;
    enum overflow overflow;
    bool is_signed;
    unsigned bits; /* 1..64 signed, 1..63 unsigned. */
    uint64_t offset;
    int64_t amount;
};

static bool read_type(struct gd_command_context *c, struct gd_slice arg, struct field *field)
{
    int64_t bits = 0;
    bool is_signed = arg.size > 0 && arg.data[0] == 'i';
    bool known = is_signed || (arg.size > 0 && arg.data[0] == 'u');

    if (!known || !gd_number_parse((struct gd_slice){arg.data + 1, arg.size - 1}, &bits) ||
        bits < 1 || bits > (is_signed ? 64 : 63)) {
        gd_reply_error(c->reply, "ERR Invalid bitfield type. Use something like i16 u8. Note that "
                                 "u64 is not supported but i64 is.");
        return false;
    }
    field->is_signed = is_signed;
    field->bits = (unsigned)bits;
    return true;
}

static bool read_bits_offset(struct gd_command_context *c, struct gd_slice arg, struct field *field)
{
    bool scaled = arg.size > 0 && arg.data[0] == '#';
    int64_t value;

    if (scaled) {
        arg.data++;
        arg.size--;
    }
    if (!gd_number_parse(arg, &value) ||
        (scaled && __builtin_mul_overflow(value, (int64_t)field->bits, &value)) || value < 0 ||
        (uint64_t)value / 8 >= GD_ITEM_SIZE_MAX) {
        gd_reply_error(c->reply, "ERR bit offset is not an integer or out of range");
        return false;
    }
    field->offset = (uint64_t)value;
    return true;
}

static bool read_overflow(struct gd_command_context *c, struct gd_slice arg, enum overflow *to)
{
    if (gd_slice_is(arg, "wrap")) {
        *to = OVERFLOW_WRAP;
    } else if (gd_slice_is(arg, "sat")) {
        *to = OVERFLOW_SAT;
    } else if (gd_slice_is(arg, "fail")) {
        *to = OVERFLOW_FAIL;
    } else {
        gd_reply_error(c->reply, "ERR Invalid OVERFLOW type specified");
        return false;
    }
    return true;
}

enum next { NEXT_FIELD, NEXT_END, NEXT_ERROR };

/* The field at args[*at] and behind; OVERFLOW words on the way are taken in. */
static enum next read_field(struct gd_command_context *c, size_t *at, enum overflow *overflow,
                            struct field *field)
{
    while (*at < c->arg_count) {
        struct gd_slice word = c->args[*at];
        size_t left = c->arg_count - *at - 1, wanted;
        if (gd_slice_is(word, "overflow") && left >= 1) {
            if (!read_overflow(c, c->args[*at + 1], overflow)) {
                return NEXT_ERROR;
            }
            *at += 2;
            continue;
        }
        field->operation = gd_slice_is(word, "set")      ? FIELD_SET
                           : gd_slice_is(word, "incrby") ? FIELD_INCRBY
                                                         : FIELD_GET;
        wanted = field->operation == FIELD_GET ? 2 : 3;
        if ((field->operation == FIELD_GET && !gd_slice_is(word, "get")) || left < wanted) {
            gd_command_syntax_error(c);
            return NEXT_ERROR;
        }
        if (!read_type(c, c->args[*at + 1], field) ||
            !read_bits_offset(c, c->args[*at + 2], field) ||
            (wanted == 3 && !gd_command_number(c, c->args[*at + 3], &field->amount))) {
            return NEXT_ERROR;
        }
        field->overflow = *overflow;
        *at += wanted + 1;
        return NEXT_FIELD;
    }
    return NEXT_END;
}

static wide field_load(struct gd_slice value, const struct field *field)
{
    uint64_t raw = 0;

    for (unsigned i = 0; i < field->bits; i++) {
        uint64_t at = field->offset + i;
        unsigned bit = at / 8 < value.size ? (unsigned)value.data[at / 8] >> (7 - at % 8) & 1u : 0;
        raw = raw << 1 | bit;
    }
    if (field->is_signed && (raw >> (field->bits - 1) & 1) != 0) {
        return (wide)raw - ((wide)1 << field->bits);
    }
    return (wide)raw;
}

static void field_store(uint8_t *to, const struct field *field, wide number)
{
    uint64_t raw = (uint64_t)number;

    for (unsigned i = 0; i < field->bits; i++) {
        uint64_t at = field->offset + i;
        uint8_t mask = (uint8_t)(1u << (7 - at % 8));
        bool on = (raw >> (field->bits - 1 - i) & 1) != 0;
        to[at / 8] = on ? (uint8_t)(to[at / 8] | mask) : (uint8_t)(to[at / 8] & ~mask);
    }
}

/* `number` as the field can hold it; false when it may not be stored. */
static bool field_fit(const struct field *field, wide *number)
{
    wide max = ((wide)1 << (field->is_signed ? field->bits - 1 : field->bits)) - 1;
    wide min = field->is_signed ? -max - 1 : 0;
    wide range = (wide)1 << field->bits;

    if (*number >= min && *number <= max) {
        return true;
    }
    switch (field->overflow) {
    case OVERFLOW_FAIL:
        return false;
    case OVERFLOW_SAT:
        *number = *number > max ? max : min;
        return true;
    case OVERFLOW_WRAP:
        break;
    }
    *number %= range;
    *number += *number < min ? range : 0;
    *number -= *number > max ? range : 0;
    return true;
}

/* What a changing field leaves; a SET's number is read as the field's own kind. */
static wide field_target(const struct field *field, wide old)
{
    if (field->operation == FIELD_INCRBY) {
        return old + field->amount;
    }
    return field->is_signed ? (wide)field->amount : (wide)(uint64_t)field->amount;
}

static void run_field(struct gd_command_context *c, const struct field *field)
{
    char scratch[GD_ITEM_SCRATCH];
    const struct gd_item *item = gd_command_look(c, c->args[1]);
    struct gd_slice value = {NULL, 0};
    wide old, number;

    if (item != NULL) {
        value = gd_item_value(item, scratch);
    }
    old = field_load(value, field);
    if (field->operation == FIELD_GET) {
        gd_reply_integer(c->reply, (int64_t)old);
        return;
    }
    number = field_target(field, old);
    if (!field_fit(field, &number)) {
        gd_reply_null(c->reply);
        return;
    }
    if (number != old) {
        field_store(gd_keyspace_edit(c->ks, c->args[1], value.size, c->version), field, number);
    }
    gd_reply_integer(c->reply, (int64_t)(field->operation == FIELD_SET ? old : number));
}

/* All arguments are read before anything is done: an error changes nothing. */
static bool check_fields(struct gd_command_context *c, bool only_get, size_t *count, size_t *size)
{
    enum overflow overflow = OVERFLOW_WRAP;
    struct field field;
    size_t at = 2;
    enum next next;

    *count = *size = 0;
    while ((next = read_field(c, &at, &overflow, &field)) == NEXT_FIELD) {
        if (field.operation != FIELD_GET) {
            size_t end = (size_t)((field.offset + field.bits - 1) / 8) + 1;
            *size = end > *size ? end : *size;
        }
        (*count)++;
    }
    if (next == NEXT_END && only_get && *size > 0) {
        gd_reply_error(c->reply, "ERR BITFIELD_RO only supports the GET subcommand");
        return false;
    }
    return next == NEXT_END;
}

static void bitfield(struct gd_command_context *c, bool only_get)
{
    enum overflow overflow = OVERFLOW_WRAP;
    struct field field;
    size_t at = 2, count, size;

    if (!check_fields(c, only_get, &count, &size)) {
        return;
    }
    if (size > 0) {
        char scratch[GD_ITEM_SCRATCH];
        const struct gd_item *item = gd_command_look(c, c->args[1]);
        size_t old = item == NULL ? 0 : gd_item_value(item, scratch).size;
        if (size > old) {
            (void)gd_keyspace_edit(c->ks, c->args[1], size, c->version);
        }
    }
    gd_reply_array(c->reply, count);
    while (read_field(c, &at, &overflow, &field) == NEXT_FIELD) {
        run_field(c, &field);
    }
}

void gd_command_bitfield(struct gd_command_context *c)
{
    bitfield(c, false);
}

void gd_command_bitfield_ro(struct gd_command_context *c)
{
    bitfield(c, true);
}
