/* commands_load.c - the whole store in one request: SNAP gives it, LOAD takes it.
 *
 * SNAP's reply is *2 "LOAD" *N [key value] ...: sent back as it came it is a LOAD. Where keys have
 * deadlines, or where there is no key at all, two elements more follow: *M [key deadline-in-ms] ...
 * and "M". The Parser flattens what is nested, so that LOAD sees
 *
 *   LOAD key value ...                      an odd number of arguments with the name
 *   LOAD key value ... key deadline ... M   an even one
 *
 * and a client that cannot send nested arrays sends the first. Either replaces the contents. */
#include "kvs/handlers.h"
#include "kvs/number.h"

/* Deadlines at the end: args[first] and on, `count` pairs. False: an error was replied. */
static bool find_deadlines(struct gd_command_context *c, size_t *first, int64_t *count)
{
    *first = c->arg_count;
    *count = 0;
    if (c->arg_count % 2 != 0) {
        return true;
    }
    if (!gd_number_parse(c->args[c->arg_count - 1], count) || *count < 0 ||
        (uint64_t)*count > (c->arg_count - 2) / 2) {
        gd_reply_error(c->reply, "ERR wrong number of arguments for 'load' command");
        return false;
    }
    *first = c->arg_count - 1 - 2 * (size_t)*count;
    for (size_t i = *first; i + 1 < c->arg_count; i += 2) {
        int64_t deadline_ms;
        if (!gd_number_parse(c->args[i + 1], &deadline_ms) || deadline_ms < 0) {
            gd_reply_error(c->reply, "ERR invalid expire time in 'load' command");
            return false;
        }
    }
    return true;
}

void gd_command_load(struct gd_command_context *c)
{
    size_t first;
    int64_t count;

    if (!find_deadlines(c, &first, &count)) {
        return;
    }
    gd_keyspace_clear(c->ks);
    for (size_t i = 1; i + 1 < first; i += 2) {
        gd_keyspace_set(c->ks, c->args[i], c->args[i + 1], GD_EXPIRY_NONE, c->version);
    }
    for (size_t i = first; count > 0; i += 2, count--) {
        int64_t deadline_ms = 0;
        (void)gd_number_parse(c->args[i + 1], &deadline_ms);
        if (deadline_ms > c->now_ms) {
            (void)gd_keyspace_set_expiry(c->ks, c->args[i], deadline_ms, c->version);
        } else {
            (void)gd_keyspace_delete(c->ks, c->args[i]);
        }
    }
    gd_reply_simple(c->reply, "OK");
}

static void add_pair(void *context, const struct gd_item *item)
{
    struct gd_reply *reply = context;
    char scratch[GD_ITEM_SCRATCH];

    gd_reply_array(reply, 2);
    gd_reply_bulk(reply, gd_item_key(item));
    gd_reply_bulk(reply, gd_item_value(item, scratch));
}

static void add_number(struct gd_reply *reply, int64_t number)
{
    char text[GD_ITEM_SCRATCH];
    size_t size = gd_number_format(number, text);

    gd_reply_bulk(reply, (struct gd_slice){(const uint8_t *)text, size});
}

static void add_deadline(void *context, const struct gd_item *item)
{
    struct gd_reply *reply = context;

    if (gd_item_expiry_ms(item) != GD_EXPIRY_NONE) {
        gd_reply_array(reply, 2);
        gd_reply_bulk(reply, gd_item_key(item));
        add_number(reply, gd_item_expiry_ms(item));
    }
}

static void each(struct gd_command_context *c, gd_keyspace_visit_fn *visit)
{
    uint64_t cursor = 0;

    do {
        cursor = gd_keyspace_scan(c->ks, cursor, visit, c->reply);
    } while (cursor != 0);
}

void gd_command_snap(struct gd_command_context *c)
{
    size_t count = gd_keyspace_count(c->ks);
    size_t expiring = gd_keyspace_expiring_count(c->ks);
    bool plain = expiring == 0 && count > 0;

    gd_command_look_at_all(c);
    gd_reply_array(c->reply, plain ? 2 : 4);
    gd_reply_bulk_text(c->reply, "LOAD");
    gd_reply_array(c->reply, count);
    each(c, add_pair);
    if (!plain) {
        gd_reply_array(c->reply, expiring);
        each(c, add_deadline);
        add_number(c->reply, (int64_t)expiring);
    }
}
