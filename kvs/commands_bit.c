/* commands_bit.c - strings as bits: bit 0 is the highest of the first byte. */
#include "engine/memory.h"
#include "kvs/handlers.h"
#include "kvs/number.h"
#include "kvs/options.h"

static struct gd_slice look_value(struct gd_command_context *c, struct gd_slice key,
                                  char scratch[GD_ITEM_SCRATCH])
{
    const struct gd_item *item = gd_command_look(c, key);

    return item == NULL ? (struct gd_slice){NULL, 0} : gd_item_value(item, scratch);
}

static bool read_offset(struct gd_command_context *c, struct gd_slice arg, uint64_t *offset)
{
    int64_t value = 0;

    if (!gd_number_parse(arg, &value) || value < 0 || (uint64_t)value / 8 >= GD_ITEM_SIZE_MAX) {
        gd_reply_error(c->reply, "ERR bit offset is not an integer or out of range");
        return false;
    }
    *offset = (uint64_t)value;
    return true;
}

static unsigned bit_at(struct gd_slice value, uint64_t offset)
{
    return offset / 8 < value.size ? (unsigned)value.data[offset / 8] >> (7 - offset % 8) & 1u : 0;
}

void gd_command_getbit(struct gd_command_context *c)
{
    char scratch[GD_ITEM_SCRATCH];
    uint64_t offset;

    if (read_offset(c, c->args[2], &offset)) {
        gd_reply_integer(c->reply, bit_at(look_value(c, c->args[1], scratch), offset));
    }
}

void gd_command_setbit(struct gd_command_context *c)
{
    char scratch[GD_ITEM_SCRATCH];
    struct gd_slice value;
    uint64_t offset;
    int64_t on;
    unsigned old;

    if (!read_offset(c, c->args[2], &offset)) {
        return;
    }
    if (!gd_number_parse(c->args[3], &on) || (on != 0 && on != 1)) {
        gd_reply_error(c->reply, "ERR bit is not an integer or out of range");
        return;
    }
    value = look_value(c, c->args[1], scratch);
    old = bit_at(value, offset);
    if (offset / 8 >= value.size || old != (unsigned)on) {
        size_t size = (size_t)(offset / 8) + 1;
        uint8_t mask = (uint8_t)(1u << (7 - offset % 8));
        uint8_t *to =
            gd_keyspace_edit(c->ks, c->args[1], value.size > size ? value.size : size, c->version) +
            offset / 8;
        *to = on ? (uint8_t)(*to | mask) : (uint8_t)(*to & ~mask);
    }
    gd_reply_integer(c->reply, old);
}

/* ---------------------------------------------------------------- ranges of bits */

/* BITCOUNT's and BITPOS's "start [end] [BYTE|BIT]" from args[`from`], as bits [first, last] of
 * `size` bytes. False: an error was replied. `*empty`: no bit is meant. */
static bool read_bit_range(struct gd_command_context *c, size_t from, size_t size, int64_t *first,
                           int64_t *last, bool *empty)
{
    int64_t start, end = -1;
    bool by_bit = false, has_end = c->arg_count > from + 1;

    *empty = false;
    if (!gd_command_number(c, c->args[from], &start)) {
        return false;
    }
    if (from == 2) { /* BITCOUNT looks at its end before its unit, BITPOS after. */
        if (!gd_command_number(c, c->args[from + 1], &end)) {
            return false;
        }
        if (start < 0 && end < 0 && start > end) {
            *empty = true;
            return true;
        }
    }
    if (c->arg_count > from + 2) {
        by_bit = gd_slice_is(c->args[from + 2], "bit");
        if (!by_bit && !gd_slice_is(c->args[from + 2], "byte")) {
            gd_command_syntax_error(c);
            return false;
        }
    }
    if (from != 2 && has_end && !gd_command_number(c, c->args[from + 1], &end)) {
        return false;
    }
    *empty = !gd_option_range(by_bit ? size * 8 : size, &start, &end);
    if (!*empty) {
        *first = by_bit ? start : start * 8;
        *last = by_bit ? end : end * 8 + 7;
    }
    return true;
}

static int64_t count_ones(struct gd_slice value, uint64_t first, uint64_t last)
{
    int64_t count = 0;
    uint64_t at = first;

    while (at <= last) {
        if (at % 8 == 0 && last - at >= 63) {
            count += __builtin_popcountll(gd_get_le64(value.data + at / 8));
            at += 64;
        } else {
            count += bit_at(value, at++);
        }
    }
    return count;
}

void gd_command_bitcount(struct gd_command_context *c)
{
    char scratch[GD_ITEM_SCRATCH];
    const struct gd_item *item = gd_command_look(c, c->args[1]);
    struct gd_slice value;
    int64_t first = 0, last = 0;
    bool empty;

    if (item == NULL) {
        gd_reply_integer(c->reply, 0);
        return;
    }
    value = gd_item_value(item, scratch);
    if (c->arg_count == 2) {
        first = 0;
        last = (int64_t)value.size * 8 - 1;
        empty = value.size == 0;
    } else if (c->arg_count == 3 || c->arg_count > 5) {
        gd_command_syntax_error(c);
        return;
    } else if (!read_bit_range(c, 2, value.size, &first, &last, &empty)) {
        return;
    }
    gd_reply_integer(c->reply, empty ? 0 : count_ones(value, (uint64_t)first, (uint64_t)last));
}

/* The first bit that is `bit` in [first, last]; -1 when there is none. */
static int64_t find_bit(struct gd_slice value, unsigned bit, uint64_t first, uint64_t last)
{
    uint8_t skip = bit != 0 ? 0x00 : 0xff;
    uint64_t at = first;

    while (at <= last) {
        if (at % 8 == 0 && last - at >= 7 && value.data[at / 8] == skip) {
            at += 8;
        } else if (bit_at(value, at) == bit) {
            return (int64_t)at;
        } else {
            at++;
        }
    }
    return -1;
}

void gd_command_bitpos(struct gd_command_context *c)
{
    char scratch[GD_ITEM_SCRATCH];
    const struct gd_item *item;
    struct gd_slice value;
    int64_t bit, first = 0, last = 0, found;
    bool empty;

    if (!gd_command_number(c, c->args[2], &bit)) {
        return;
    }
    if (bit != 0 && bit != 1) {
        gd_reply_error(c->reply, "ERR The bit argument must be 1 or 0.");
        return;
    }
    item = gd_command_look(c, c->args[1]);
    if (item == NULL) {
        gd_reply_integer(c->reply, bit == 1 ? -1 : 0);
        return;
    }
    value = gd_item_value(item, scratch);
    if (c->arg_count == 3) {
        first = 0;
        last = (int64_t)value.size * 8 - 1;
        empty = value.size == 0;
    } else if (c->arg_count > 6) {
        gd_command_syntax_error(c);
        return;
    } else if (!read_bit_range(c, 3, value.size, &first, &last, &empty)) {
        return;
    }
    found = empty ? -1 : find_bit(value, (unsigned)bit, (uint64_t)first, (uint64_t)last);
    if (found < 0 && !empty && bit == 0 && c->arg_count <= 4) {
        found = last + 1; /* Behind an end that was not given the zeros go on. */
    }
    gd_reply_integer(c->reply, found);
}

/* ---------------------------------------------------------------- BITOP */

enum bit_operation { BIT_AND, BIT_OR, BIT_XOR, BIT_NOT, BIT_UNKNOWN };

static enum bit_operation read_operation(struct gd_slice word)
{
    static const char *const words[] = {"and", "or", "xor", "not"};
    size_t which = 0;

    while (which < GD_COUNT(words) && !gd_slice_is(word, words[which])) {
        which++;
    }
    return (enum bit_operation)which;
}

static void combine(enum bit_operation operation, uint8_t *to, size_t size, struct gd_slice with,
                    bool is_first)
{
    if (is_first) {
        memset(to, 0, size);
        if (with.size > 0) {
            memcpy(to, with.data, with.size);
        }
    }
    for (size_t i = 0; i < size && (!is_first || operation == BIT_NOT); i++) {
        uint8_t byte = i < with.size ? with.data[i] : 0;
        switch (operation) {
        case BIT_AND:
            to[i] &= byte;
            break;
        case BIT_OR:
            to[i] |= byte;
            break;
        case BIT_XOR:
            to[i] ^= byte;
            break;
        default:
            to[i] = (uint8_t)~to[i];
            break;
        }
    }
}

void gd_command_bitop(struct gd_command_context *c)
{
    enum bit_operation operation = read_operation(c->args[1]);
    char scratch[GD_ITEM_SCRATCH];
    uint8_t *result;
    size_t size = 0;

    if (operation == BIT_UNKNOWN) {
        gd_command_syntax_error(c);
        return;
    }
    if (operation == BIT_NOT && c->arg_count != 4) {
        gd_reply_error(c->reply, "ERR BITOP NOT must be called with a single source key.");
        return;
    }
    for (size_t i = 3; i < c->arg_count; i++) {
        size_t of_one = look_value(c, c->args[i], scratch).size;
        size = of_one > size ? of_one : size;
    }
    if (size == 0) {
        (void)gd_keyspace_delete(c->ks, c->args[2]);
        gd_reply_integer(c->reply, 0);
        return;
    }
    result = gd_malloc(size);
    for (size_t i = 3; i < c->arg_count; i++) {
        combine(operation, result, size, look_value(c, c->args[i], scratch), i == 3);
    }
    (void)gd_keyspace_delete(c->ks, c->args[2]);
    memcpy(gd_keyspace_edit(c->ks, c->args[2], size, c->version), result, size);
    gd_free(result);
    gd_reply_integer(c->reply, (int64_t)size);
}
