/* commands_numeric.c - counters. INCRBYFLOAT is the one place with floating point. */
#include "kvs/handlers.h"
#include "kvs/number.h"
#include <math.h>
#include <string.h>

/* The value as a number, 0 when absent. */
static bool value_number(struct gd_command_context *c, const struct gd_item *item, int64_t *value)
{
    char scratch[GD_ITEM_SCRATCH];

    *value = 0;
    return item == NULL || gd_item_number(item, value) ||
           gd_command_number(c, gd_item_value(item, scratch), value);
}

static void add(struct gd_command_context *c, int64_t amount)
{
    const struct gd_item *item = gd_command_look(c, c->args[1]);
    int64_t value;

    if (!value_number(c, item, &value)) {
        return;
    }
    if (__builtin_add_overflow(value, amount, &value)) {
        gd_reply_error(c->reply, "ERR increment or decrement would overflow");
        return;
    }
    gd_keyspace_set_number(c->ks, c->args[1], value,
                           item == NULL ? GD_EXPIRY_NONE : gd_item_expiry_ms(item), c->version);
    gd_reply_integer(c->reply, value);
}

void gd_command_incr(struct gd_command_context *c)
{
    add(c, 1);
}

void gd_command_decr(struct gd_command_context *c)
{
    add(c, -1);
}

void gd_command_incrby(struct gd_command_context *c)
{
    int64_t amount;

    if (gd_command_number(c, c->args[2], &amount)) {
        add(c, amount);
    }
}

void gd_command_decrby(struct gd_command_context *c)
{
    int64_t amount;

    if (!gd_command_number(c, c->args[2], &amount)) {
        return;
    }
    if (amount == INT64_MIN) {
        gd_reply_error(c->reply, "ERR decrement would overflow");
        return;
    }
    add(c, -amount);
}

void gd_command_incrbyfloat(struct gd_command_context *c)
{
    const struct gd_item *item = gd_command_look(c, c->args[1]);
    char scratch[GD_ITEM_SCRATCH], text[GD_FLOAT_SIZE];
    long double value = 0, amount;
    struct gd_slice result = {(const uint8_t *)text, 0};

    if ((item != NULL && !gd_float_parse(gd_item_value(item, scratch), &value)) ||
        !gd_float_parse(c->args[2], &amount)) {
        gd_reply_error(c->reply, "ERR value is not a valid float");
        return;
    }
    value += amount;
    if (isnan(value) || isinf(value)) {
        gd_reply_error(c->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    result.size = gd_float_format(value, text);
    gd_keyspace_set(c->ks, c->args[1], result,
                    item == NULL ? GD_EXPIRY_NONE : gd_item_expiry_ms(item), c->version);
    gd_reply_bulk(c->reply, result);
}
