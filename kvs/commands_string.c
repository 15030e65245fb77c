/* commands_string.c - strings whole and in part: SET and its kin, ranges, many keys at once. */
#include "kvs/handlers.h"
#include "kvs/kv.h"
#include "kvs/number.h"
#include "kvs/options.h"

static void reply_value(struct gd_command_context *c, const struct gd_item *item)
{
    char scratch[GD_ITEM_SCRATCH];

    if (item == NULL) {
        gd_reply_null(c->reply);
    } else {
        gd_reply_bulk(c->reply, gd_item_value(item, scratch));
    }
}

/* The options of SET and GETEX. */
struct set_options {
    bool nx, xx, get, keepttl, persist, has_time;
    bool is_seconds, is_absolute;
    size_t word; /* Which of the four it was: the same may come again. */
    struct gd_slice time;
};

static bool read_time_option(struct gd_command_context *c, size_t *at, struct set_options *options)
{
    static const struct {
        const char *word;
        bool is_seconds, is_absolute;
    } words[] = {
        {"ex", true, false}, {"px", false, false}, {"exat", true, true}, {"pxat", false, true}};

    for (size_t i = 0; i < GD_COUNT(words); i++) {
        if (gd_slice_is(c->args[*at], words[i].word) && *at + 1 < c->arg_count &&
            (!options->has_time || options->word == i) && !options->keepttl && !options->persist) {
            options->has_time = true;
            options->word = i;
            options->is_seconds = words[i].is_seconds;
            options->is_absolute = words[i].is_absolute;
            options->time = c->args[++*at];
            return true;
        }
    }
    return false;
}

static bool read_set_options(struct gd_command_context *c, struct set_options *options)
{
    for (size_t i = 3; i < c->arg_count; i++) {
        if (gd_slice_is(c->args[i], "nx") && !options->xx) {
            options->nx = true;
        } else if (gd_slice_is(c->args[i], "xx") && !options->nx) {
            options->xx = true;
        } else if (gd_slice_is(c->args[i], "get")) {
            options->get = true;
        } else if (gd_slice_is(c->args[i], "keepttl") && !options->has_time) {
            options->keepttl = true;
        } else if (!read_time_option(c, &i, options)) {
            gd_command_syntax_error(c);
            return false;
        }
    }
    return true;
}

static bool read_getex_options(struct gd_command_context *c, struct set_options *options)
{
    for (size_t i = 2; i < c->arg_count; i++) {
        if (gd_slice_is(c->args[i], "persist") && !options->has_time) {
            options->persist = true;
        } else if (!read_time_option(c, &i, options)) {
            gd_command_syntax_error(c);
            return false;
        }
    }
    return true;
}

/* The deadline that the options ask for; false: an error was replied. */
static bool options_deadline(struct gd_command_context *c, const struct set_options *options,
                             int64_t *deadline_ms)
{
    *deadline_ms = GD_EXPIRY_NONE;
    return !options->has_time || gd_option_deadline(c, options->time, options->is_seconds,
                                                    options->is_absolute, deadline_ms);
}

/* A deadline that has passed already leaves no key behind. */
static void set_with_deadline(struct gd_command_context *c, struct gd_slice key,
                              struct gd_slice value, int64_t deadline_ms)
{
    if (deadline_ms != GD_EXPIRY_NONE && deadline_ms <= c->now_ms) {
        (void)gd_keyspace_delete(c->ks, key);
    } else {
        gd_keyspace_set(c->ks, key, value, deadline_ms, c->version);
    }
}

void gd_command_set(struct gd_command_context *c)
{
    struct set_options options = {0};
    const struct gd_item *item;
    int64_t deadline_ms;

    if (!read_set_options(c, &options) || !options_deadline(c, &options, &deadline_ms)) {
        return;
    }
    item = options.get || options.nx || options.xx || options.keepttl
               ? gd_command_look(c, c->args[1])
               : NULL;
    if (options.get) {
        reply_value(c, item);
    }
    if ((options.nx && item != NULL) || (options.xx && item == NULL)) {
        if (!options.get) {
            gd_reply_null(c->reply);
        }
        return;
    }
    if (options.keepttl && item != NULL) {
        deadline_ms = gd_item_expiry_ms(item);
    }
    set_with_deadline(c, c->args[1], c->args[2], deadline_ms);
    if (!options.get) {
        gd_reply_simple(c->reply, "OK");
    }
}

void gd_command_setnx(struct gd_command_context *c)
{
    bool absent = gd_command_look(c, c->args[1]) == NULL;

    if (absent) {
        gd_keyspace_set(c->ks, c->args[1], c->args[2], GD_EXPIRY_NONE, c->version);
    }
    gd_reply_integer(c->reply, absent);
}

static void set_for_a_time(struct gd_command_context *c, bool is_seconds)
{
    int64_t deadline_ms;

    if (gd_option_deadline(c, c->args[2], is_seconds, false, &deadline_ms)) {
        set_with_deadline(c, c->args[1], c->args[3], deadline_ms);
        gd_reply_simple(c->reply, "OK");
    }
}

void gd_command_setex(struct gd_command_context *c)
{
    set_for_a_time(c, true);
}

void gd_command_psetex(struct gd_command_context *c)
{
    set_for_a_time(c, false);
}

void gd_command_get(struct gd_command_context *c)
{
    reply_value(c, gd_command_look(c, c->args[1]));
}

void gd_command_getex(struct gd_command_context *c)
{
    struct set_options options = {0};
    const struct gd_item *item;
    int64_t deadline_ms;

    if (!read_getex_options(c, &options)) {
        return;
    }
    item = gd_command_look(c, c->args[1]);
    if (item == NULL) {
        gd_reply_null(c->reply);
        return;
    }
    if (!options_deadline(c, &options, &deadline_ms)) {
        return;
    }
    reply_value(c, item);
    if (options.has_time && deadline_ms <= c->now_ms) {
        (void)gd_keyspace_delete(c->ks, c->args[1]);
    } else if (options.has_time || (options.persist && gd_item_expiry_ms(item) != GD_EXPIRY_NONE)) {
        (void)gd_keyspace_set_expiry(c->ks, c->args[1], deadline_ms, c->version);
    }
}

void gd_command_getdel(struct gd_command_context *c)
{
    reply_value(c, gd_command_look(c, c->args[1]));
    (void)gd_keyspace_delete(c->ks, c->args[1]);
}

void gd_command_getset(struct gd_command_context *c)
{
    reply_value(c, gd_command_look(c, c->args[1]));
    gd_keyspace_set(c->ks, c->args[1], c->args[2], GD_EXPIRY_NONE, c->version);
}

void gd_command_mget(struct gd_command_context *c)
{
    gd_reply_array(c->reply, c->arg_count - 1);
    for (size_t i = 1; i < c->arg_count; i++) {
        reply_value(c, gd_command_look(c, c->args[i]));
    }
}

static bool pairs_are_whole(struct gd_command_context *c)
{
    if (c->arg_count % 2 == 0) {
        gd_reply_error_format(c->reply, "ERR wrong number of arguments for '%s' command",
                              c->command->name);
        return false;
    }
    return true;
}

static void set_pairs(struct gd_command_context *c)
{
    for (size_t i = 1; i + 1 < c->arg_count; i += 2) {
        gd_keyspace_set(c->ks, c->args[i], c->args[i + 1], GD_EXPIRY_NONE, c->version);
    }
}

void gd_command_mset(struct gd_command_context *c)
{
    if (pairs_are_whole(c)) {
        set_pairs(c);
        gd_reply_simple(c->reply, "OK");
    }
}

void gd_command_msetnx(struct gd_command_context *c)
{
    if (!pairs_are_whole(c)) {
        return;
    }
    for (size_t i = 1; i < c->arg_count; i += 2) {
        if (gd_command_look(c, c->args[i]) != NULL) {
            gd_reply_integer(c->reply, 0);
            return;
        }
    }
    set_pairs(c);
    gd_reply_integer(c->reply, 1);
}

void gd_command_strlen(struct gd_command_context *c)
{
    const struct gd_item *item = gd_command_look(c, c->args[1]);
    char scratch[GD_ITEM_SCRATCH];

    gd_reply_integer(c->reply, item == NULL ? 0 : (int64_t)gd_item_value(item, scratch).size);
}

void gd_command_append(struct gd_command_context *c)
{
    const struct gd_item *item = gd_command_look(c, c->args[1]);
    struct gd_slice more = c->args[2];
    char scratch[GD_ITEM_SCRATCH];
    size_t before;

    if (item == NULL) {
        gd_keyspace_set(c->ks, c->args[1], more, GD_EXPIRY_NONE, c->version);
        gd_reply_integer(c->reply, (int64_t)more.size);
        return;
    }
    before = gd_item_value(item, scratch).size;
    if (!gd_option_size_fits(c, before, more.size)) {
        return;
    }
    if (more.size > 0) {
        memcpy(gd_keyspace_edit(c->ks, c->args[1], before + more.size, c->version) + before,
               more.data, more.size);
    } else {
        (void)gd_keyspace_edit(c->ks, c->args[1], before, c->version);
    }
    gd_reply_integer(c->reply, (int64_t)(before + more.size));
}

void gd_command_setrange(struct gd_command_context *c)
{
    struct gd_slice part = c->args[3];
    const struct gd_item *item;
    char scratch[GD_ITEM_SCRATCH];
    size_t size = 0, start;
    int64_t offset;

    if (!gd_command_number(c, c->args[2], &offset)) {
        return;
    }
    if (offset < 0) {
        gd_reply_error(c->reply, "ERR offset is out of range");
        return;
    }
    item = gd_command_look(c, c->args[1]);
    size = item == NULL ? 0 : gd_item_value(item, scratch).size;
    if (part.size == 0) {
        gd_reply_integer(c->reply, (int64_t)size);
        return;
    }
    if (!gd_option_size_fits(c, (uint64_t)offset, part.size)) {
        return;
    }
    start = (size_t)offset;
    size = start + part.size > size ? start + part.size : size;
    memcpy(gd_keyspace_edit(c->ks, c->args[1], size, c->version) + start, part.data, part.size);
    gd_reply_integer(c->reply, (int64_t)size);
}

void gd_command_getrange(struct gd_command_context *c)
{
    const struct gd_item *item;
    char scratch[GD_ITEM_SCRATCH];
    struct gd_slice value = {NULL, 0};
    int64_t start, end;

    if (!gd_command_number(c, c->args[2], &start) || !gd_command_number(c, c->args[3], &end)) {
        return;
    }
    item = gd_command_look(c, c->args[1]);
    if (item != NULL) {
        value = gd_item_value(item, scratch);
    }
    if ((start < 0 && end < 0 && start > end) || !gd_option_range(value.size, &start, &end)) {
        gd_reply_bulk(c->reply, (struct gd_slice){NULL, 0});
        return;
    }
    gd_reply_bulk(c->reply, (struct gd_slice){value.data + start, (size_t)(end - start + 1)});
}
