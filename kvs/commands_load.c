/* commands_load.c - the whole store in one request: SNAP gives it, LOAD takes it.
 *
 * SNAP's reply is *2 "LOAD" *N [key value] or [key value deadline-in-ms] ...; sent back as it came
 * it is a LOAD. The Parser flattens such a nested request to "load.timed" with three arguments a
 * key; LOAD key value ... is the flat form. Either replaces the contents. */
#include "kvs/handlers.h"
#include "kvs/number.h"

void gd_command_load(struct gd_command_context *c)
{
    if (c->arg_count % 2 == 0) {
        gd_reply_error(c->reply, "ERR wrong number of arguments for 'load' command");
        return;
    }
    gd_keyspace_clear(c->ks);
    for (size_t i = 1; i + 1 < c->arg_count; i += 2) {
        gd_keyspace_set(c->ks, c->args[i], c->args[i + 1], GD_EXPIRY_NONE, c->version);
    }
    gd_reply_simple(c->reply, "OK");
}

void gd_command_load_timed(struct gd_command_context *c)
{
    int64_t deadline_ms;

    if (c->arg_count % 3 != 1) {
        gd_reply_error(c->reply, "ERR wrong number of arguments for 'load' command");
        return;
    }
    for (size_t i = 3; i < c->arg_count; i += 3) {
        if (c->args[i].size > 0 &&
            (!gd_number_parse(c->args[i], &deadline_ms) || deadline_ms < 0)) {
            gd_reply_error(c->reply, "ERR invalid expire time in 'load' command");
            return;
        }
    }
    gd_keyspace_clear(c->ks);
    for (size_t i = 1; i + 2 < c->arg_count; i += 3) {
        deadline_ms = GD_EXPIRY_NONE;
        if (c->args[i + 2].size > 0) {
            (void)gd_number_parse(c->args[i + 2], &deadline_ms);
        }
        if (deadline_ms == GD_EXPIRY_NONE || deadline_ms > c->now_ms) {
            gd_keyspace_set(c->ks, c->args[i], c->args[i + 1], deadline_ms, c->version);
        }
    }
    gd_reply_simple(c->reply, "OK");
}

static void snap_visit(void *context, const struct gd_item *item)
{
    struct gd_reply *reply = context;
    char scratch[GD_ITEM_SCRATCH];
    int64_t deadline_ms = gd_item_expiry_ms(item);

    gd_reply_array(reply, deadline_ms == GD_EXPIRY_NONE ? 2 : 3);
    gd_reply_bulk(reply, gd_item_key(item));
    gd_reply_bulk(reply, gd_item_value(item, scratch));
    if (deadline_ms != GD_EXPIRY_NONE) {
        gd_reply_bulk(reply, (struct gd_slice){(const uint8_t *)scratch,
                                               gd_number_format(deadline_ms, scratch)});
    }
}

void gd_command_snap(struct gd_command_context *c)
{
    uint64_t cursor = 0;

    gd_command_look_at_all(c);
    gd_reply_array(c->reply, 2);
    gd_reply_bulk_text(c->reply, "LOAD");
    gd_reply_array(c->reply, gd_keyspace_count(c->ks));
    do {
        cursor = gd_keyspace_scan(c->ks, cursor, snap_visit, c->reply);
    } while (cursor != 0);
}
