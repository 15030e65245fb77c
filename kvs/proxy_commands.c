/* proxy_commands.c - commands on their way to a database that knows nothing of consensus.
 *
 * Why. Each node runs the same commands on its own database and the results must be the same. The
 * database tells (COMMAND) which commands it has and which of them write; what it cannot tell is
 * which give another result on each replica. Those are in the tables here: some are refused, with
 * the reason, and some are made deterministic by the entry's time, which every node knows
 * (so EXPIRE becomes PEXPIREAT, XADD's * an ID of that time). The entry in the log is what the
 * client sent.
 *
 * Rejected. Replicating effects instead of commands: the leader's database would have to run a
 * command before it is committed. */
#include "kvs/proxy_commands.h"
#include "engine/memory.h"
#include "kvs/number.h"
#include "kvs/proxy_link.h"
#include "kvs/proxy_script.h"
#include <stdio.h>

enum { NAME_SIZE_MAX = 64, WORDS_MAX = 16 };

/* ---------------------------------------------------------------- refused */

static const struct {
    const char *name, *reason;
} refused[] = {
#define ROW(name, reason)                                                                          \
    {                                                                                              \
        name, "ERR '" name "' is not available through gandalf: " reason                           \
    }
#define BLOCKS "it would hold up every client of the database; poll instead"
#define SUBSCRIBES "messages do not go through the log"
#define SCRIPTS                                                                                    \
    "it may do another thing on each node; send its commands in MULTI, or declare scripts "        \
    "(database_scripts)"
#define FUNCTIONS "a database's snapshot has no functions; send the script with EVAL"
#define ADMINISTERS "it concerns one database, not the cluster; ask that database itself"
#define CLOCKED "it notes the time of the database's own clock, which differs from node to node"
    ROW("acl", ADMINISTERS),
    ROW("bgrewriteaof", ADMINISTERS),
    ROW("bgsave", ADMINISTERS),
    ROW("blmove", BLOCKS),
    ROW("blmpop", BLOCKS),
    ROW("blpop", BLOCKS),
    ROW("brpop", BLOCKS),
    ROW("brpoplpush", BLOCKS),
    ROW("bzmpop", BLOCKS),
    ROW("bzpopmax", BLOCKS),
    ROW("bzpopmin", BLOCKS),
    ROW("debug", ADMINISTERS),
    ROW("eval", SCRIPTS),
    ROW("eval_ro", SCRIPTS),
    ROW("evalsha", SCRIPTS),
    ROW("evalsha_ro", SCRIPTS),
    ROW("failover", ADMINISTERS),
    ROW("fcall", FUNCTIONS),
    ROW("fcall_ro", FUNCTIONS),
    ROW("function", FUNCTIONS),
    ROW("lastsave", ADMINISTERS),
    ROW("latency", ADMINISTERS),
    ROW("load", "it replaces the whole store; use SET or RESTORE"),
    ROW("migrate", ADMINISTERS),
    ROW("module", ADMINISTERS),
    ROW("monitor", ADMINISTERS),
    ROW("move", "there is one database, number 0"),
    ROW("pfdebug", ADMINISTERS),
    ROW("pfselftest", ADMINISTERS),
    ROW("psubscribe", SUBSCRIBES),
    ROW("psync", ADMINISTERS),
    ROW("publish", SUBSCRIBES),
    ROW("pubsub", SUBSCRIBES),
    ROW("punsubscribe", SUBSCRIBES),
    ROW("replconf", ADMINISTERS),
    ROW("replicaof", ADMINISTERS),
    ROW("restore-asking", ADMINISTERS),
    ROW("role", ADMINISTERS),
    ROW("save", ADMINISTERS),
    ROW("script", SCRIPTS),
    ROW("shutdown", ADMINISTERS),
    ROW("slaveof", ADMINISTERS),
    ROW("snap", "it tells the whole store at once; use SCAN and DUMP"),
    ROW("spop", "each replica would draw another member; use SRANDMEMBER, then SREM"),
    ROW("spublish", SUBSCRIBES),
    ROW("ssubscribe", SUBSCRIBES),
    ROW("subscribe", SUBSCRIBES),
    ROW("sunsubscribe", SUBSCRIBES),
    ROW("swapdb", "there is one database, number 0"),
    ROW("sync", ADMINISTERS),
    ROW("unsubscribe", SUBSCRIBES),
    ROW("wait", "a write is on a majority of the nodes when it is answered"),
    ROW("watch", "versions of keys are not replicated; put what belongs together into MULTI"),
    ROW("xautoclaim", CLOCKED),
    ROW("xclaim", CLOCKED),
    ROW("xreadgroup", CLOCKED),
};

const char *gd_proxy_refusal_of(struct gd_slice name)
{
    for (size_t i = 0; i < GD_COUNT(refused); i++) {
        if (gd_slice_is(name, refused[i].name)) {
            return refused[i].reason;
        }
    }
    return NULL;
}

/* May a pattern of SORT, an element in the place of its first *, name gandalf's key? What has
 * "->field" behind it is looked for in hashes only, and the key is none. */
static bool may_name_own(struct gd_slice pattern)
{
    const char *own = GD_PROXY_KEY;
    size_t own_size = sizeof GD_PROXY_KEY - 1, before = 0, after;
    const uint8_t *rest;

    while (before < pattern.size && pattern.data[before] != '*') {
        before++;
    }
    if (before == pattern.size) {
        return false; /* No element goes in: the database looks for no key. */
    }
    rest = pattern.data + before + 1;
    after = pattern.size - before - 1;
    return before + after <= own_size && memcmp(pattern.data, own, before) == 0 &&
           memcmp(rest, own + own_size - after, after) == 0;
}

static bool sorts_by_own(const struct gd_slice *args, size_t count)
{
    for (size_t i = 2; i + 1 < count; i++) {
        if ((gd_slice_is(args[i], "by") || gd_slice_is(args[i], "get")) &&
            may_name_own(args[i + 1])) {
            return true;
        }
    }
    return false;
}

/* What is refused for its arguments. */
static const char *refuse_arguments(const char *name, const struct gd_slice *args, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (args[i].size == sizeof GD_PROXY_KEY - 1 &&
            memcmp(args[i].data, GD_PROXY_KEY, args[i].size) == 0) {
            return "ERR the key " GD_PROXY_KEY " is gandalf's own";
        }
    }
    if ((strcmp(name, "sort") == 0 || strcmp(name, "sort_ro") == 0) && sorts_by_own(args, count)) {
        return "ERR a pattern of SORT may name " GD_PROXY_KEY ", which is gandalf's own";
    }
    if (strcmp(name, "select") == 0 && count == 2 && !gd_slice_is(args[1], "0")) {
        return "ERR DB index is out of range";
    }
    if (strcmp(name, "copy") == 0 && count > 3) {
        for (size_t i = 3; i < count; i++) {
            if (gd_slice_is(args[i], "db")) {
                return "ERR there is one database, number 0";
            }
        }
    }
    if (strcmp(name, "memory") == 0 && count > 1 && !gd_slice_is(args[1], "usage")) {
        return "ERR of MEMORY only USAGE goes through gandalf";
    }
    if (strcmp(name, "xgroup") == 0 && count > 1 && gd_slice_is(args[1], "createconsumer")) {
        return "ERR consumers are not available through gandalf: " CLOCKED;
    }
    if (strcmp(name, "xread") == 0) {
        for (size_t i = 1; i < count && !gd_slice_is(args[i], "streams"); i++) {
            if (gd_slice_is(args[i], "block")) {
                return "ERR XREAD BLOCK is not available through gandalf: " BLOCKS;
            }
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- the database's table */

void gd_proxy_table_release(struct gd_proxy_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        gd_free((void *)(uintptr_t)table->rows[i].name);
    }
    gd_free(table->rows);
    *table = (struct gd_proxy_table){0};
}

/* A row's `run` only says that it may stand inside MULTI: the database runs it. UNTESTED: so nobody
 * calls this. */
static void run_elsewhere(struct gd_command_context *context)
{
    (void)context;
}

static int64_t item_number(const struct gd_resp_item *item)
{
    int64_t number = 0;
    return item->kind == ':' && gd_number_parse(item->text, &number) ? number : 0;
}

/* One command's description; a row without a name when it is not let through. */
static bool learn_row(struct gd_slice bytes, struct gd_command *row)
{
    struct gd_resp_item item;
    char *name;
    int64_t numbers[3];
    bool write = false, read = false, blocks = false;

    *row = (struct gd_command){.run = run_elsewhere, .flags = ""};
    if (!gd_resp_item_take(&bytes, &item) || item.kind != '*' || item.count < 6 ||
        !gd_resp_item_take(&bytes, &item) || item.text.size == 0 ||
        item.text.size >= NAME_SIZE_MAX) {
        return false;
    }
    name = gd_calloc(1, item.text.size + 1);
    for (size_t i = 0; i < item.text.size; i++) {
        uint8_t c = item.text.data[i];
        name[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    if (!gd_resp_item_take(&bytes, &item)) {
        goto bad;
    }
    row->arity = (int)item_number(&item);
    if (!gd_resp_item_take(&bytes, &item) || (item.kind != '*' && item.kind != '~')) {
        goto bad;
    }
    for (size_t flags = item.count; flags > 0; flags--) {
        if (!gd_resp_item_take(&bytes, &item)) {
            goto bad;
        }
        write = write || gd_slice_is(item.text, "write");
        read = read || gd_slice_is(item.text, "readonly");
        blocks = blocks || gd_slice_is(item.text, "blocking") || gd_slice_is(item.text, "pubsub");
    }
    for (size_t i = 0; i < 3; i++) {
        if (!gd_resp_item_take(&bytes, &item)) {
            goto bad;
        }
        numbers[i] = item_number(&item);
    }
    row->key_first = (int)numbers[0];
    row->key_last = (int)numbers[1];
    row->key_step = (int)numbers[2];
    row->kind = write ? GD_COMMAND_WRITE : GD_COMMAND_READ;
    if (strcmp(name, "xgroup") == 0 || strcmp(name, "object") == 0 || strcmp(name, "xinfo") == 0 ||
        strcmp(name, "memory") == 0) {
        row->kind = strcmp(name, "xgroup") == 0 ? GD_COMMAND_WRITE : GD_COMMAND_READ;
        write = read = true; /* Containers: their flags are with their parts. */
    }
    if (strcmp(name, "xread") == 0) {
        blocks = false; /* Only with BLOCK: refuse_arguments. */
    }
    if (strcmp(name, "pfcount") == 0) {
        row->kind = GD_COMMAND_WRITE; /* It keeps what it has counted in the value. */
    }
    if (gd_proxy_is_script(name)) {
        write = write || !read; /* EVAL says neither: what it does is in its text. */
        row->kind = read ? GD_COMMAND_READ : GD_COMMAND_WRITE;
        row->key_first = row->key_last = 3; /* Behind the text and the number of keys. */
        row->key_step = 1;
    }
    if ((!write && !read) || (blocks && gd_proxy_refusal_of(gd_proxy_text(name)) == NULL)) {
        goto bad;
    }
    row->name = name;
    return true;
bad:
    gd_free(name);
    return false;
}

static void insert_row(struct gd_proxy_table *table, const struct gd_command *row)
{
    size_t place = table->count++;

    while (place > 0 && strcmp(table->rows[place - 1].name, row->name) > 0) {
        table->rows[place] = table->rows[place - 1];
        place--;
    }
    table->rows[place] = *row;
}

bool gd_proxy_table_learn(struct gd_proxy_table *table, struct gd_slice reply)
{
    struct gd_proxy_table learnt = {0};
    struct gd_resp_item item;

    if (!gd_resp_item_take(&reply, &item) || item.kind != '*' || item.count == 0 ||
        item.count > 10000) {
        return false;
    }
    learnt.rows = gd_calloc(item.count, sizeof *learnt.rows);
    for (size_t left = item.count; left > 0; left--) {
        size_t size = gd_proxy_reply_size(reply);
        struct gd_command row;
        if (size == 0) {
            gd_proxy_table_release(&learnt);
            return false;
        }
        if (learn_row((struct gd_slice){reply.data, size}, &row)) {
            insert_row(&learnt, &row);
        }
        reply.data += size;
        reply.size -= size;
    }
    learnt.scripts = table->scripts;
    gd_proxy_table_release(table);
    *table = learnt;
    return true;
}

static const struct gd_command *find_row(const struct gd_proxy_table *table, const char *name)
{
    for (size_t low = 0, high = table->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(table->rows[middle].name, name);
        if (order == 0) {
            return &table->rows[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

/* Declared ones. SCRIPT is this node's own business (scripts.h), where there is an EVAL. */
static const struct gd_command *find_script(const struct gd_proxy_table *table, const char *name,
                                            const struct gd_slice *args, size_t count,
                                            const char **refusal)
{
    static const struct gd_command script = {
        .name = "script", .arity = -2, .kind = GD_COMMAND_LOCAL, .flags = "noscript"};
    bool node = strcmp(name, script.name) == 0;
    const struct gd_command *row = find_row(table, node ? "eval" : name);

    if (row == NULL || node) {
        return row == NULL ? NULL : &script;
    }
    *refusal = refuse_arguments(name, args, count);
    *refusal = *refusal != NULL ? *refusal : gd_proxy_script_refusal(name, args, count);
    return row;
}

const struct gd_command *gd_proxy_find(const struct gd_proxy_table *table,
                                       const struct gd_slice *args, size_t count,
                                       const char **refusal)
{
    const struct gd_command *own = gd_command_find(args[0]), *row;
    char name[NAME_SIZE_MAX] = {0};

    *refusal = NULL;
    if (args[0].size == 0 || args[0].size >= sizeof name) {
        return NULL;
    }
    for (size_t i = 0; i < args[0].size; i++) {
        uint8_t c = args[0].data[i];
        name[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    bool script =
        table->scripts && (gd_proxy_is_script(name) || strcmp(name, "script") == 0); /* Declared. */
    if (script && table->count > 0) {
        return find_script(table, name, args, count, refusal);
    }
    row = find_row(table, name);
    bool ours = own != NULL && (own->kind == GD_COMMAND_LOCAL || own->kind == GD_COMMAND_ADMIN);
    if (ours || table->count == 0) { /* Or nothing is known of the database yet. */
        row = own;
    }
    *refusal = script ? NULL : gd_proxy_refusal_of(args[0]);
    if (*refusal == NULL && row != NULL) {
        *refusal = refuse_arguments(name, args, count);
    } else if (*refusal == NULL && table->count == 0) { /* The database may well have it. */
        *refusal = "DBDOWN the database has not been reached yet, and its commands are not known";
    }
    if (*refusal != NULL && row == NULL) {
        row = own != NULL ? own : gd_command_at(0); /* Known, if only to be refused. */
    }
    return row;
}

/* ---------------------------------------------------------------- made deterministic */

/* `value` units of time from the stamp, in ms; false: not such a number, or beyond what can be
 * counted: the database words the error. */
static bool deadline(struct gd_slice value, int64_t unit_ms, int64_t stamp_ms, int64_t *at_ms)
{
    int64_t number;
    int64_t limit = (INT64_MAX - stamp_ms) / unit_ms;

    if (!gd_number_parse(value, &number) || number > limit || number < -limit) {
        return false;
    }
    *at_ms = stamp_ms + number * unit_ms;
    return true;
}

struct rewrite {
    const struct gd_slice *args;
    size_t count;
    int64_t stamp_ms;
    char text[48];
};

static struct gd_slice number_text(struct rewrite *r, int64_t number)
{
    (void)snprintf(r->text, sizeof r->text, "%lld", (long long)number);
    return gd_proxy_text(r->text);
}

/* EXPIRE, PEXPIRE. */
static bool fix_expire(struct rewrite *r, struct gd_bytes *out, int64_t unit_ms)
{
    struct gd_slice words[WORDS_MAX];
    int64_t at_ms;

    if (r->count < 3 || r->count > WORDS_MAX ||
        !deadline(r->args[2], unit_ms, r->stamp_ms, &at_ms)) {
        return false;
    }
    memcpy(words, r->args, r->count * sizeof words[0]);
    words[0] = gd_proxy_text("PEXPIREAT");
    words[2] = number_text(r, at_ms);
    gd_proxy_write_command(out, words, r->count);
    return true;
}

/* SETEX, PSETEX. */
static bool fix_setex(struct rewrite *r, struct gd_bytes *out, int64_t unit_ms)
{
    int64_t at_ms;

    if (r->count != 4 || !deadline(r->args[2], unit_ms, r->stamp_ms, &at_ms) ||
        at_ms <= r->stamp_ms) {
        return false;
    }
    struct gd_slice words[5] = {gd_proxy_text("SET"), r->args[1], r->args[3], gd_proxy_text("PXAT"),
                                number_text(r, at_ms)};
    gd_proxy_write_command(out, words, 5);
    return true;
}

/* SET ... EX|PX, GETEX ... EX|PX: the option and its value, from argument `first` on. */
static bool fix_option(struct rewrite *r, struct gd_bytes *out, size_t first)
{
    struct gd_slice words[WORDS_MAX];
    int64_t at_ms;

    if (r->count > WORDS_MAX) {
        return false;
    }
    memcpy(words, r->args, r->count * sizeof words[0]);
    for (size_t i = first; i + 1 < r->count; i++) {
        bool seconds = gd_slice_is(words[i], "ex");
        if (!seconds && !gd_slice_is(words[i], "px")) {
            continue;
        }
        if (!deadline(words[i + 1], seconds ? 1000 : 1, r->stamp_ms, &at_ms) ||
            at_ms <= r->stamp_ms) {
            return false;
        }
        words[i] = gd_proxy_text("PXAT");
        words[i + 1] = number_text(r, at_ms);
        gd_proxy_write_command(out, words, r->count);
        return true;
    }
    return false;
}

static bool fix_restore(struct rewrite *r, struct gd_bytes *out)
{
    struct gd_slice words[WORDS_MAX];
    int64_t at_ms;

    if (r->count < 4 || r->count >= WORDS_MAX || !deadline(r->args[2], 1, r->stamp_ms, &at_ms) ||
        at_ms <= r->stamp_ms) {
        return false; /* 0: no deadline. */
    }
    memcpy(words, r->args, r->count * sizeof words[0]);
    for (size_t i = 4; i < r->count; i++) {
        if (gd_slice_is(words[i], "absttl")) {
            return false;
        }
    }
    words[2] = number_text(r, at_ms);
    words[r->count] = gd_proxy_text("ABSTTL");
    gd_proxy_write_command(out, words, r->count + 1);
    return true;
}

/* XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] n [LIMIT n]] id field value ...: an ID of * becomes
 * stamp-*, the next one of the stream at that time: it follows from the state, and two of them may
 * stand in one transaction, or in two entries of one stamp. */
static bool fix_xadd(struct rewrite *r, struct gd_bytes *out)
{
    size_t at = 2;

    while (at < r->count) {
        if (gd_slice_is(r->args[at], "nomkstream")) {
            at++;
        } else if (gd_slice_is(r->args[at], "limit")) {
            at += 2;
        } else if (gd_slice_is(r->args[at], "maxlen") || gd_slice_is(r->args[at], "minid")) {
            at++;
            at += at < r->count && (gd_slice_is(r->args[at], "=") || gd_slice_is(r->args[at], "~"))
                      ? 2
                      : 1;
        } else {
            break;
        }
    }
    if (at >= r->count || !gd_slice_is(r->args[at], "*")) {
        return false;
    }
    (void)snprintf(r->text, sizeof r->text, "%lld-*", (long long)r->stamp_ms);
    gd_bytes_format(out, "*%zu\r\n", r->count);
    for (size_t i = 0; i < r->count; i++) {
        struct gd_slice word = i == at ? gd_proxy_text(r->text) : r->args[i];
        gd_bytes_format(out, "$%zu\r\n", word.size);
        gd_bytes_add(out, word.data, word.size);
        gd_bytes_add(out, "\r\n", 2);
    }
    return true;
}

void gd_proxy_write_fixed(struct gd_bytes *out, const struct gd_slice *args, size_t count,
                          int64_t stamp_ms)
{
    struct rewrite r = {.args = args, .count = count, .stamp_ms = stamp_ms};
    bool fixed = false;

    if (gd_slice_is(args[0], "expire") || gd_slice_is(args[0], "pexpire")) {
        fixed = fix_expire(&r, out, gd_slice_is(args[0], "expire") ? 1000 : 1);
    } else if (gd_slice_is(args[0], "setex") || gd_slice_is(args[0], "psetex")) {
        fixed = fix_setex(&r, out, gd_slice_is(args[0], "setex") ? 1000 : 1);
    } else if (gd_slice_is(args[0], "set")) {
        fixed = fix_option(&r, out, 3);
    } else if (gd_slice_is(args[0], "getex")) {
        fixed = fix_option(&r, out, 2);
    } else if (gd_slice_is(args[0], "restore")) {
        fixed = fix_restore(&r, out);
    } else if (gd_slice_is(args[0], "xadd")) {
        fixed = fix_xadd(&r, out);
    }
    if (fixed) {
        GD_REACHED("command made deterministic for a database");
    } else {
        gd_proxy_write_command(out, args, count);
    }
}

/* ---------------------------------------------------------------- the reserved key, not seen */

enum gd_proxy_filter gd_proxy_filter_of(const struct gd_slice *args, size_t count)
{
    (void)count;
    if (gd_slice_is(args[0], "keys")) {
        return GD_PROXY_KEYS;
    }
    if (gd_slice_is(args[0], "scan")) {
        return GD_PROXY_SCAN;
    }
    if (gd_slice_is(args[0], "randomkey")) {
        return GD_PROXY_RANDOM;
    }
    return gd_slice_is(args[0], "dbsize") ? GD_PROXY_SIZE : GD_PROXY_PLAIN;
}

static bool is_own_key(struct gd_slice text)
{
    return text.size == sizeof GD_PROXY_KEY - 1 && memcmp(text.data, GD_PROXY_KEY, text.size) == 0;
}

static void add_keys(struct gd_bytes *out, struct gd_slice reply)
{
    struct gd_slice left = reply;
    struct gd_resp_item item;
    struct gd_bytes kept = {0};
    size_t count = 0;

    if (!gd_resp_item_take(&left, &item) || (item.kind != '*' && item.kind != '~')) {
        gd_bytes_add(out, reply.data, reply.size); /* An error. */
        return;
    }
    for (struct gd_slice from = left; gd_resp_item_take(&left, &item); from = left) {
        if (!is_own_key(item.text)) {
            gd_bytes_add(&kept, from.data, from.size - left.size);
            count++;
        }
    }
    gd_bytes_format(out, "*%zu\r\n", count);
    gd_bytes_add(out, kept.data, kept.size);
    gd_bytes_release(&kept);
}

static void add_scan(struct gd_bytes *out, struct gd_slice reply)
{
    struct gd_slice left = reply, cursor;
    struct gd_resp_item item;

    if (!gd_resp_item_take(&left, &item) || item.kind != '*' || item.count != 2) {
        gd_bytes_add(out, reply.data, reply.size);
        return;
    }
    cursor = left;
    (void)gd_resp_item_take(&left, &item);
    gd_bytes_add_text(out, "*2\r\n");
    gd_bytes_add(out, cursor.data, cursor.size - left.size);
    add_keys(out, left);
}

bool gd_proxy_add_reply(struct gd_bytes *out, enum gd_proxy_filter filter, struct gd_slice reply)
{
    struct gd_slice left = reply;
    struct gd_resp_item item;
    int64_t number;

    if (out == NULL) {
        return true;
    }
    switch (filter) {
    case GD_PROXY_KEYS:
        add_keys(out, reply);
        return true;
    case GD_PROXY_SCAN:
        add_scan(out, reply);
        return true;
    case GD_PROXY_RANDOM:
        if (gd_resp_item_take(&left, &item) && is_own_key(item.text)) {
            return false;
        }
        break;
    case GD_PROXY_SIZE:
        if (gd_resp_item_take(&left, &item) && item.kind == ':' &&
            gd_number_parse(item.text, &number) && number > 0) {
            gd_bytes_format(out, ":%lld\r\n", (long long)number - 1);
            return true;
        }
        break;
    case GD_PROXY_PLAIN:
        break;
    }
    gd_bytes_add(out, reply.data, reply.size);
    return true;
}
