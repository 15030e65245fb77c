/* commands.c - the one table of commands, and what all handlers share. */
#include "kvs/command.h"
#include "kvs/handlers.h"
#include "kvs/number.h"

static const struct gd_command table[] = {
#define GD_COMMAND_ROW(name, run, arity, kind, flags, first, last, step)                           \
    {name, run, arity, GD_COMMAND_##kind, flags, first, last, step},
#include "kvs/commands.def"
#undef GD_COMMAND_ROW
};

size_t gd_command_count(void)
{
    return GD_COUNT(table);
}

const struct gd_command *gd_command_at(size_t place)
{
    GD_ASSERT(place < GD_COUNT(table));
    return &table[place];
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* <0, 0, >0: an argument against a word in lower case. */
static int compare(struct gd_slice slice, const char *word)
{
    for (size_t i = 0; i < slice.size; i++) {
        int order = (int)lower(slice.data[i]) - (int)(uint8_t)word[i];
        if (order != 0 || word[i] == 0) {
            return order != 0 ? order : 1;
        }
    }
    return word[slice.size] == 0 ? 0 : -1;
}

/* The table is in order of names: a binary search. */
const struct gd_command *gd_command_find(struct gd_slice name)
{
    size_t low = 0, high = GD_COUNT(table);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(name, table[middle].name);
        if (order == 0) {
            return &table[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const struct gd_command *gd_command_find_near(struct gd_slice name, const struct gd_command *guess)
{
    return guess != NULL && compare(name, guess->name) == 0 ? guess : gd_command_find(name);
}

bool gd_command_arity_fits(const struct gd_command *command, size_t arg_count)
{
    return command->arity >= 0 ? arg_count == (size_t)command->arity
                               : arg_count >= (size_t)-command->arity;
}

const struct gd_item *gd_command_look(struct gd_command_context *context, struct gd_slice key)
{
    const struct gd_item *item = gd_keyspace_find(context->ks, key);

    if (item != NULL && context->is_query) {
        int64_t expiry_ms = gd_item_expiry_ms(item);
        if (expiry_ms != GD_EXPIRY_NONE && expiry_ms <= context->now_ms) {
            context->needs_time = true;
        }
    }
    return item;
}

void gd_command_look_at_all(struct gd_command_context *context)
{
    if (context->is_query && gd_keyspace_due_by(context->ks, context->now_ms)) {
        context->needs_time = true;
    }
}

bool gd_command_number(struct gd_command_context *context, struct gd_slice arg, int64_t *number)
{
    if (!gd_number_parse(arg, number)) {
        gd_reply_error(context->reply, "ERR value is not an integer or out of range");
        return false;
    }
    return true;
}

void gd_command_syntax_error(struct gd_command_context *context)
{
    gd_reply_error(context->reply, "ERR syntax error");
}
