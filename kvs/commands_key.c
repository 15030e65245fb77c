/* commands_key.c - keys as such: deadlines, names, counting, listing, what they are made of. */
#include "kvs/handlers.h"
#include "kvs/number.h"
#include "kvs/options.h"

void gd_command_del(struct gd_command_context *c)
{
    int64_t count = 0;

    for (size_t i = 1; i < c->arg_count; i++) {
        count += gd_keyspace_delete(c->ks, c->args[i]) ? 1 : 0;
    }
    gd_reply_integer(c->reply, count);
}

void gd_command_exists(struct gd_command_context *c)
{
    int64_t count = 0;

    for (size_t i = 1; i < c->arg_count; i++) {
        count += gd_command_look(c, c->args[i]) != NULL ? 1 : 0;
    }
    gd_reply_integer(c->reply, count);
}

void gd_command_touch(struct gd_command_context *c)
{
    gd_command_exists(c);
}

void gd_command_type(struct gd_command_context *c)
{
    gd_reply_simple(c->reply, gd_command_look(c, c->args[1]) != NULL ? "string" : "none");
}

/* ---------------------------------------------------------------- deadlines */

struct expire_options {
    bool nx, xx, gt, lt;
};

static bool read_expire_options(struct gd_command_context *c, struct expire_options *options)
{
    for (size_t i = 3; i < c->arg_count; i++) {
        bool nx = gd_slice_is(c->args[i], "nx"), xx = gd_slice_is(c->args[i], "xx");
        bool gt = gd_slice_is(c->args[i], "gt"), lt = gd_slice_is(c->args[i], "lt");
        if (!nx && !xx && !gt && !lt) {
            gd_reply_error_format(c->reply, "ERR Unsupported option %.*s",
                                  c->args[i].size > 512 ? 512 : (int)c->args[i].size,
                                  (const char *)c->args[i].data);
            return false;
        }
        options->nx = options->nx || nx;
        options->xx = options->xx || xx;
        options->gt = options->gt || gt;
        options->lt = options->lt || lt;
    }
    if (options->nx && (options->xx || options->gt || options->lt)) {
        gd_reply_error(c->reply,
                       "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if (options->gt && options->lt) {
        gd_reply_error(c->reply, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* No deadline counts as one that is never reached. */
static bool expire_allowed(const struct expire_options *options, int64_t old_ms, int64_t new_ms)
{
    bool none = old_ms == GD_EXPIRY_NONE;

    return !(options->nx && !none) && !(options->xx && none) &&
           !(options->gt && (none || new_ms <= old_ms)) &&
           !(options->lt && !none && new_ms >= old_ms);
}

static void expire(struct gd_command_context *c, bool is_seconds, bool is_absolute)
{
    struct expire_options options = {0};
    const struct gd_item *item;
    int64_t deadline_ms;

    if (!read_expire_options(c, &options) || !gd_command_number(c, c->args[2], &deadline_ms)) {
        return;
    }
    if (is_seconds && __builtin_mul_overflow(deadline_ms, INT64_C(1000), &deadline_ms)) {
        gd_option_deadline_error(c);
        return;
    }
    if (!is_absolute && __builtin_add_overflow(deadline_ms, c->now_ms, &deadline_ms)) {
        gd_option_deadline_error(c);
        return;
    }
    item = gd_command_look(c, c->args[1]);
    if (item == NULL || !expire_allowed(&options, gd_item_expiry_ms(item), deadline_ms)) {
        gd_reply_integer(c->reply, 0);
        return;
    }
    if (deadline_ms <= c->now_ms) {
        (void)gd_keyspace_delete(c->ks, c->args[1]);
    } else {
        (void)gd_keyspace_set_expiry(c->ks, c->args[1], deadline_ms, c->version);
    }
    gd_reply_integer(c->reply, 1);
}

void gd_command_expire(struct gd_command_context *c)
{
    expire(c, true, false);
}

void gd_command_pexpire(struct gd_command_context *c)
{
    expire(c, false, false);
}

void gd_command_expireat(struct gd_command_context *c)
{
    expire(c, true, true);
}

void gd_command_pexpireat(struct gd_command_context *c)
{
    expire(c, false, true);
}

static void reply_deadline(struct gd_command_context *c, bool is_seconds, bool is_absolute)
{
    const struct gd_item *item = gd_command_look(c, c->args[1]);
    int64_t ms = item == NULL ? 0 : gd_item_expiry_ms(item);

    if (item == NULL || ms == GD_EXPIRY_NONE) {
        gd_reply_integer(c->reply, item == NULL ? -2 : -1);
        return;
    }
    ms -= is_absolute ? 0 : c->now_ms;
    ms = ms < 0 ? 0 : ms;
    gd_reply_integer(c->reply, is_seconds ? (ms / 1000 + (ms % 1000 >= 500 ? 1 : 0)) : ms);
}

void gd_command_ttl(struct gd_command_context *c)
{
    reply_deadline(c, true, false);
}

void gd_command_pttl(struct gd_command_context *c)
{
    reply_deadline(c, false, false);
}

void gd_command_expiretime(struct gd_command_context *c)
{
    reply_deadline(c, true, true);
}

void gd_command_pexpiretime(struct gd_command_context *c)
{
    reply_deadline(c, false, true);
}

void gd_command_persist(struct gd_command_context *c)
{
    const struct gd_item *item = gd_command_look(c, c->args[1]);
    bool had = item != NULL && gd_item_expiry_ms(item) != GD_EXPIRY_NONE;

    if (had) {
        (void)gd_keyspace_set_expiry(c->ks, c->args[1], GD_EXPIRY_NONE, c->version);
    }
    gd_reply_integer(c->reply, had);
}

/* ---------------------------------------------------------------- names */

static bool same_key(struct gd_slice a, struct gd_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* The value and deadline of `item` under another name. The value is copied first: making room for
 * the new key moves nothing of the old one. */
static void copy_item(struct gd_command_context *c, const struct gd_item *item, struct gd_slice to)
{
    char scratch[GD_ITEM_SCRATCH];
    bool is_raw = strcmp(gd_item_encoding(item), "raw") == 0;

    gd_keyspace_set(c->ks, to, gd_item_value(item, scratch), gd_item_expiry_ms(item), c->version);
    if (is_raw) {
        gd_keyspace_mark_raw(c->ks, to);
    }
}

static void rename_key(struct gd_command_context *c, bool only_new)
{
    const struct gd_item *item = gd_command_look(c, c->args[1]);
    bool same = same_key(c->args[1], c->args[2]);

    if (item == NULL) {
        gd_reply_error(c->reply, "ERR no such key");
        return;
    }
    if (only_new && gd_command_look(c, c->args[2]) != NULL) {
        gd_reply_integer(c->reply, 0);
        return;
    }
    if (!same) {
        copy_item(c, item, c->args[2]);
        (void)gd_keyspace_delete(c->ks, c->args[1]);
    }
    if (only_new) {
        gd_reply_integer(c->reply, 1);
    } else {
        gd_reply_simple(c->reply, "OK");
    }
}

void gd_command_rename(struct gd_command_context *c)
{
    rename_key(c, false);
}

void gd_command_renamenx(struct gd_command_context *c)
{
    rename_key(c, true);
}

void gd_command_copy(struct gd_command_context *c)
{
    const struct gd_item *item;
    bool replace = false;

    for (size_t i = 3; i < c->arg_count; i++) {
        if (gd_slice_is(c->args[i], "replace")) {
            replace = true;
        } else if (gd_slice_is(c->args[i], "db") && i + 1 < c->arg_count) {
            int64_t number;
            if (!gd_command_number(c, c->args[++i], &number)) {
                return;
            }
            if (number != 0) {
                gd_reply_error(c->reply, number < INT32_MIN || number > INT32_MAX
                                             ? "ERR value is out of range, value must between "
                                               "-2147483648 and 2147483647"
                                             : "ERR DB index is out of range");
                return;
            }
        } else {
            gd_command_syntax_error(c);
            return;
        }
    }
    if (same_key(c->args[1], c->args[2])) {
        gd_reply_error(c->reply, "ERR source and destination objects are the same");
        return;
    }
    item = gd_command_look(c, c->args[1]);
    if (item == NULL || (!replace && gd_command_look(c, c->args[2]) != NULL)) {
        gd_reply_integer(c->reply, 0);
        return;
    }
    copy_item(c, item, c->args[2]);
    gd_reply_integer(c->reply, 1);
}

/* ---------------------------------------------------------------- all keys */

void gd_command_dbsize(struct gd_command_context *c)
{
    gd_command_look_at_all(c);
    gd_reply_integer(c->reply, (int64_t)gd_keyspace_count(c->ks));
}

void gd_command_randomkey(struct gd_command_context *c)
{
    const struct gd_item *item;

    gd_command_look_at_all(c);
    item = gd_keyspace_random(c->ks);
    if (item == NULL) {
        gd_reply_null(c->reply);
    } else {
        gd_reply_bulk(c->reply, gd_item_key(item));
    }
}

void gd_command_flushall(struct gd_command_context *c)
{
    if (c->arg_count > 2 || (c->arg_count == 2 && !gd_slice_is(c->args[1], "sync") &&
                             !gd_slice_is(c->args[1], "async"))) {
        gd_command_syntax_error(c);
        return;
    }
    gd_keyspace_clear(c->ks);
    gd_reply_simple(c->reply, "OK");
}

/* Keys that match, written as they are found: their number is known only at the end. */
struct listing {
    bool has_pattern;
    struct gd_slice pattern;
    bool nothing; /* A type that no key is of. */
    size_t seen;  /* Keys visited. */
    size_t count; /* Keys written. */
    struct gd_bytes bytes;
    struct gd_reply reply; /* Into `bytes`. */
};

static void listing_visit(void *context, const struct gd_item *item)
{
    struct listing *listing = context;

    listing->seen++;
    if (!listing->nothing &&
        (!listing->has_pattern || gd_pattern_matches(listing->pattern, gd_item_key(item)))) {
        gd_reply_bulk(&listing->reply, gd_item_key(item));
        listing->count++;
    }
}

static void listing_reply(struct gd_command_context *c, struct listing *listing)
{
    gd_reply_array(c->reply, listing->count);
    if (c->reply->out != NULL) {
        gd_bytes_add(c->reply->out, listing->bytes.data, listing->bytes.size);
    }
    gd_bytes_release(&listing->bytes);
}

void gd_command_keys(struct gd_command_context *c)
{
    struct listing listing = {.has_pattern = true, .pattern = c->args[1]};
    uint64_t cursor = 0;

    gd_command_look_at_all(c);
    listing.reply = (struct gd_reply){&listing.bytes, c->reply->protocol};
    do {
        cursor = gd_keyspace_scan(c->ks, cursor, listing_visit, &listing);
    } while (cursor != 0);
    listing_reply(c, &listing);
}

/* As strtoul reads it: a sign is allowed, and nothing at all is 0. */
static bool read_cursor(struct gd_slice text, uint64_t *cursor)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    uint64_t value = 0;

    if (text.size > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        text.data++;
        text.size--;
        if (text.size == 0) {
            return false;
        }
    }
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
    }
    *cursor = negative ? 0 - value : value;
    return true;
}

static bool read_scan_options(struct gd_command_context *c, struct listing *listing, int64_t *count)
{
    for (size_t i = 2; i < c->arg_count; i += 2) {
        bool more = i + 1 < c->arg_count;
        if (more && gd_slice_is(c->args[i], "count")) {
            if (!gd_command_number(c, c->args[i + 1], count)) {
                return false;
            }
            if (*count < 1) {
                gd_command_syntax_error(c);
                return false;
            }
        } else if (more && gd_slice_is(c->args[i], "match")) {
            listing->has_pattern = true;
            listing->pattern = c->args[i + 1];
        } else if (more && gd_slice_is(c->args[i], "type")) {
            listing->nothing = !gd_slice_is(c->args[i + 1], "string");
        } else {
            gd_command_syntax_error(c);
            return false;
        }
    }
    return true;
}

void gd_command_scan(struct gd_command_context *c)
{
    struct listing listing = {0};
    int64_t count = 10;
    uint64_t cursor, steps;
    char text[GD_ITEM_SCRATCH];

    if (!read_cursor(c->args[1], &cursor)) {
        gd_reply_error(c->reply, "ERR invalid cursor");
        return;
    }
    if (!read_scan_options(c, &listing, &count)) {
        return;
    }
    gd_command_look_at_all(c);
    listing.reply = (struct gd_reply){&listing.bytes, c->reply->protocol};
    steps = (uint64_t)count > UINT64_MAX / 10 ? UINT64_MAX : (uint64_t)count * 10;
    do {
        cursor = gd_keyspace_scan(c->ks, cursor, listing_visit, &listing);
    } while (cursor != 0 && --steps > 0 && listing.seen < (uint64_t)count);
    gd_reply_array(c->reply, 2);
    gd_reply_bulk(c->reply, (struct gd_slice){(const uint8_t *)text,
                                              gd_number_format((int64_t)cursor, text)});
    listing_reply(c, &listing);
}

/* ---------------------------------------------------------------- what a key is made of */

static bool subcommand_arity(struct gd_command_context *c, const char *name, size_t count)
{
    if (c->arg_count != count) {
        gd_reply_error_format(c->reply, "ERR wrong number of arguments for '%s|%s' command",
                              c->command->name, name);
        return false;
    }
    return true;
}

static void unknown_subcommand(struct gd_command_context *c, const char *upper)
{
    gd_reply_error_format(c->reply, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                          c->args[1].size > 128 ? 128 : (int)c->args[1].size,
                          (const char *)c->args[1].data, upper);
}

void gd_command_object(struct gd_command_context *c)
{
    static const char *const words[] = {"encoding", "refcount", "idletime", "freq"};
    const struct gd_item *item;
    size_t which = 0;

    while (which < GD_COUNT(words) && !gd_slice_is(c->args[1], words[which])) {
        which++;
    }
    if (which == GD_COUNT(words)) {
        unknown_subcommand(c, "OBJECT");
        return;
    }
    if (!subcommand_arity(c, words[which], 3)) {
        return;
    }
    item = gd_command_look(c, c->args[2]);
    if (item == NULL) {
        gd_reply_null(c->reply);
    } else if (which == 0) {
        gd_reply_bulk_text(c->reply, gd_item_encoding(item));
    } else if (which == 3) {
        gd_reply_error(c->reply,
                       "ERR An LFU maxmemory policy is not selected, access frequency not "
                       "tracked. Please note that when switching between policies at runtime LRU "
                       "and LFU data will take some time to adjust.");
    } else {
        gd_reply_integer(c->reply, which == 1 ? 1 : 0);
    }
}

void gd_command_memory(struct gd_command_context *c)
{
    const struct gd_item *item;

    if (!gd_slice_is(c->args[1], "usage")) {
        unknown_subcommand(c, "MEMORY");
        return;
    }
    if (c->arg_count < 3) {
        gd_reply_error(c->reply, "ERR wrong number of arguments for 'memory|usage' command");
        return;
    }
    for (size_t i = 3; i < c->arg_count; i += 2) {
        int64_t samples;
        if (!gd_slice_is(c->args[i], "samples") || i + 1 >= c->arg_count) {
            gd_command_syntax_error(c);
            return;
        }
        if (!gd_command_number(c, c->args[i + 1], &samples)) {
            return;
        }
        if (samples < 0) {
            gd_command_syntax_error(c);
            return;
        }
    }
    item = gd_command_look(c, c->args[2]);
    if (item == NULL) {
        gd_reply_null(c->reply);
    } else {
        gd_reply_integer(c->reply, (int64_t)gd_item_memory(item));
    }
}
