/* proxy_script.c - a script's text, looked at before it enters the log.
 *
 * Why. Every replica runs a script by itself: Redis's own replication, which passes on what a
 * script has changed, is not at work here. So a script must do the same wherever and whenever it
 * runs, given the same data. The operator declares that (`database_scripts`); nobody can prove it,
 * but the usual slips are plain to see in the text, and each of them would let the databases drift
 * apart in silence.
 *
 * How. The text is cut into Lua's tokens (so that comments and strings do not mislead). Where
 * redis.call or redis.pcall, a name that was given its value, or Lua's pcall(redis.call, ...) is
 * followed by a string, that string is a command: what is refused to a client is refused to a
 * script, and some more. A command that is computed is not seen, nor is one under a name that went
 * through a table: README.md says what a declared script must not do. A script that only reads
 * (_RO) answers one client from one database, so it may look at the clock.
 *
 * Rejected. Wrapping redis.call, to make TIME and EXPIRE deterministic inside: the text would be
 * another than the client's (its digest, its line numbers in errors), and Redis keeps every text it
 * ever saw. Looking for words alone: HGET key "time" is no TIME. */
#include "kvs/proxy_script.h"
#include "engine/bytes.h"
#include "kvs/proxy_commands.h"
#include "kvs/scripts.h"

enum { ALIASES_MAX = 8, LOOK_AHEAD = 64 };

/* ---------------------------------------------------------------- what is looked for */

#define IN_SCRIPT(name, reason)                                                                    \
    "ERR '" name "' in a script is not available through gandalf: " reason
#define DRAWS "each replica would draw another"
#define RELATIVE "each database would count from its own clock; use PEXPIREAT or PXAT"
#define REMAINS "what is left counts by each database's own clock; use PEXPIRETIME"
#define ONE "it tells of one database, which differs from node to node"
#define ALL "it meets keys that the script does not name, gandalf's own among them"
#define ZERO "there is one database, number 0"
#define CURSOR "cursors differ from node to node"
#define CLOCK "it is each node's own clock; give the time as an argument"

static const struct {
    const char *name, *reason;
    bool reads_too; /* Refused also where a script only reads. */
} commands[] = {
#define ROW(name, reads_too, reason)                                                               \
    {                                                                                              \
        name, IN_SCRIPT(name, reason), reads_too                                                   \
    }
    ROW("client", false, ONE),      ROW("cluster", false, ONE),
    ROW("command", false, ONE),     ROW("dbsize", true, ALL),
    ROW("expire", false, RELATIVE), ROW("hrandfield", false, DRAWS),
    ROW("hscan", false, CURSOR),    ROW("info", false, ONE),
    ROW("keys", true, ALL),         ROW("memory", false, ONE),
    ROW("object", false, ONE),      ROW("pexpire", false, RELATIVE),
    ROW("psetex", false, RELATIVE), ROW("pttl", false, REMAINS),
    ROW("randomkey", true, ALL),    ROW("scan", true, ALL),
    ROW("select", true, ZERO),      ROW("setex", false, RELATIVE),
    ROW("slowlog", false, ONE),     ROW("srandmember", false, DRAWS),
    ROW("sscan", false, CURSOR),    ROW("time", false, CLOCK),
    ROW("ttl", false, REMAINS),     ROW("zrandmember", false, DRAWS),
    ROW("zscan", false, CURSOR),
#undef ROW
};

/* Lua's own, as LIBRARY.FUNCTION; one without a library is called by its name alone. */
static const struct {
    const char *library, *function, *reason;
} functions[] = {
    {"os", "clock", IN_SCRIPT("os.clock", CLOCK)},
    {"os", "time", IN_SCRIPT("os.time", CLOCK)},
    {"redis", "set_repl", IN_SCRIPT("redis.set_repl", "what the database keeps must be whole")},
    {"", "collectgarbage", IN_SCRIPT("collectgarbage", "memory differs from node to node")},
};
#define UNSEEDED                                                                                   \
    IN_SCRIPT("math.random", DRAWS " (call math.randomseed first, with an argument or a "          \
                                   "constant)")

/* Options of commands that are deterministic without them. */
static const struct {
    const char *command, *option, *reason;
} options[] = {
    {"set", "ex", IN_SCRIPT("set ... ex", RELATIVE)},
    {"set", "px", IN_SCRIPT("set ... px", RELATIVE)},
    {"getex", "ex", IN_SCRIPT("getex ... ex", RELATIVE)},
    {"getex", "px", IN_SCRIPT("getex ... px", RELATIVE)},
    {"xadd", "*", IN_SCRIPT("xadd *", "the ID is of each database's own clock; give one")},
    {"copy", "db", IN_SCRIPT("copy ... db", ZERO)},
};
#define NO_ABSTTL IN_SCRIPT("restore", RELATIVE " (or ABSTTL, which RESTORE has for it)")

/* ---------------------------------------------------------------- tokens */

enum kind { END, NAME, STRING, SIGN }; /* SIGN: one byte, or a number. */
struct token {
    enum kind kind;
    struct gd_slice text; /* A STRING's without its quotes; escapes stay as they are written. */
};

static void skip(struct gd_slice *left, size_t size)
{
    size = size < left->size ? size : left->size;
    left->data += size;
    left->size -= size;
}

static bool is_name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* "[[", "[=[" ...: the number of bytes before what it holds; 0: none begins here. */
static size_t long_begin(struct gd_slice left)
{
    size_t size = 1;

    if (left.size == 0 || left.data[0] != '[') {
        return 0;
    }
    while (size < left.size && left.data[size] == '=') {
        size++;
    }
    return size < left.size && left.data[size] == '[' ? size + 1 : 0;
}

/* Takes what stands in long brackets, whose beginning has `begin` bytes, with their end. */
static struct gd_slice take_long(struct gd_slice *left, size_t begin)
{
    struct gd_slice text;

    skip(left, begin);
    text = (struct gd_slice){left->data, left->size};
    for (size_t at = 0; at + begin <= left->size; at++) {
        size_t same = 1;
        if (left->data[at] != ']') {
            continue;
        }
        while (same < begin - 1 && left->data[at + same] == '=') {
            same++;
        }
        if (same == begin - 1 && left->data[at + same] == ']') {
            text.size = at;
            skip(left, at + begin);
            return text;
        }
        at += same - 1;
    }
    skip(left, left->size);
    return text;
}

static void skip_line(struct gd_slice *left)
{
    const uint8_t *end = left->size > 0 ? memchr(left->data, '\n', left->size) : NULL;
    skip(left, end == NULL ? left->size : (size_t)(end - left->data));
}

static void skip_blanks(struct gd_slice *left)
{
    while (left->size > 0) {
        if (left->data[0] <= ' ') {
            skip(left, 1);
        } else if (left->size > 1 && left->data[0] == '-' && left->data[1] == '-') {
            skip(left, 2);
            size_t begin = long_begin(*left);
            if (begin > 0) {
                (void)take_long(left, begin);
            } else {
                skip_line(left);
            }
        } else {
            return;
        }
    }
}

static struct gd_slice take_quoted(struct gd_slice *left)
{
    uint8_t quote = left->data[0];
    size_t size = 1;

    while (size < left->size && left->data[size] != quote) {
        size += left->data[size] == '\\' ? 2 : 1;
    }
    size = size < left->size ? size : left->size;
    struct gd_slice text = {left->data + 1, size - 1};
    skip(left, size + 1);
    return text;
}

static struct token next(struct gd_slice *left)
{
    struct token token = {.kind = SIGN};
    size_t size = 0, begin;

    skip_blanks(left);
    begin = long_begin(*left);
    if (left->size == 0) {
        return (struct token){.kind = END};
    }
    if (begin > 0) {
        return (struct token){STRING, take_long(left, begin)};
    }
    if (left->data[0] == '"' || left->data[0] == '\'') {
        return (struct token){STRING, take_quoted(left)};
    }
    while (size < left->size && is_name_byte(left->data[size])) {
        size++;
    }
    if (size > 0 && (left->data[0] < '0' || left->data[0] > '9')) {
        token.kind = NAME;
    }
    size = size > 0 ? size : 1;
    token.text = (struct gd_slice){left->data, size};
    skip(left, size);
    return token;
}

/* ---------------------------------------------------------------- judging */

struct judge {
    bool reads_only;
    struct gd_slice left;
    struct token before[4]; /* The last ones, the newest first. */
    struct gd_slice aliases[ALIASES_MAX];
    size_t alias_count;
    struct gd_slice named; /* In "NAME = redis.call", unless it is called there. */
    bool is_called;        /* The next string, but for a bracket or a comma, is a command. */
    bool draws, seeds;
};

static bool is_sign(const struct token *token, char sign)
{
    return token->kind == SIGN && token->text.size == 1 && token->text.data[0] == (uint8_t)sign;
}

static bool is_exactly(struct gd_slice text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* Of "set": an option among its arguments; `left` is behind the command's name. */
static const char *judge_options(struct gd_slice left, struct gd_slice command)
{
    bool absolute = false;
    int depth = 1;

    for (int i = 0; i < LOOK_AHEAD && depth > 0; i++) {
        struct token token = next(&left);
        if (token.kind == END) {
            break;
        }
        depth += is_sign(&token, '(') ? 1 : is_sign(&token, ')') ? -1 : 0;
        if (token.kind != STRING || depth != 1) {
            continue;
        }
        absolute = absolute || gd_slice_is(token.text, "absttl");
        for (size_t k = 0; k < GD_COUNT(options); k++) {
            if (gd_slice_is(command, options[k].command) &&
                gd_slice_is(token.text, options[k].option)) {
                return options[k].reason;
            }
        }
    }
    return gd_slice_is(command, "restore") && !absolute ? NO_ABSTTL : NULL;
}

static const char *judge_command(const struct judge *judge, struct gd_slice command)
{
    const char *reason;

    for (size_t i = 0; i < GD_COUNT(commands); i++) {
        if (gd_slice_is(command, commands[i].name)) {
            return judge->reads_only && !commands[i].reads_too ? NULL : commands[i].reason;
        }
    }
    reason = gd_proxy_refusal_of(command);
    return reason != NULL || judge->reads_only ? reason : judge_options(judge->left, command);
}

static bool is_alias(const struct judge *judge, struct gd_slice name)
{
    for (size_t i = 0; i < judge->alias_count; i++) {
        if (judge->aliases[i].size == name.size &&
            memcmp(judge->aliases[i].data, name.data, name.size) == 0) {
            return true;
        }
    }
    return is_exactly(name, "call") || is_exactly(name, "pcall");
}

/* What stood before this token named redis.call, unless this token calls it there and then. */
static void note_alias(struct judge *judge, const struct token *token)
{
    if (judge->named.size > 0 && !is_sign(token, '(') && token->kind != STRING &&
        judge->alias_count < ALIASES_MAX) {
        judge->aliases[judge->alias_count++] = judge->named;
    }
    judge->named.size = 0;
}

static const char *judge_name(struct judge *judge, const struct token *token)
{
    const struct token *before = judge->before;
    bool dotted = is_sign(&before[0], '.') && before[1].kind == NAME;
    struct gd_slice library = {(const uint8_t *)"", 0};

    library = dotted ? before[1].text : library;
    judge->is_called = is_alias(judge, token->text);
    if (judge->is_called && dotted && is_sign(&before[2], '=') && before[3].kind == NAME) {
        judge->named = before[3].text;
    }
    for (size_t i = 0; i < GD_COUNT(functions) && !judge->reads_only; i++) {
        if (is_exactly(token->text, functions[i].function) &&
            is_exactly(library, functions[i].library)) {
            return functions[i].reason;
        }
    }
    if (is_exactly(library, "math")) {
        judge->draws = judge->draws || is_exactly(token->text, "random");
        judge->seeds = judge->seeds || is_exactly(token->text, "randomseed");
    }
    return NULL;
}

static const char *judge_token(struct judge *judge, const struct token *token)
{
    struct gd_slice own = {(const uint8_t *)GD_PROXY_KEY, sizeof GD_PROXY_KEY - 1};

    note_alias(judge, token);
    if (token->kind == STRING && token->text.size == own.size &&
        memcmp(token->text.data, own.data, own.size) == 0) {
        return "ERR the key " GD_PROXY_KEY " is gandalf's own";
    }
    if (token->kind == STRING && judge->is_called) {
        judge->is_called = false;
        return judge_command(judge, token->text);
    }
    if (token->kind == NAME) {
        return judge_name(judge, token);
    }
    judge->is_called = judge->is_called && (is_sign(token, '(') || is_sign(token, ','));
    return NULL;
}

static const char *judge_text(struct gd_slice text, bool reads_only)
{
    struct judge judge = {.reads_only = reads_only, .left = text};

    if (text.size > 1 && text.data[0] == '#' && text.data[1] == '!') {
        skip_line(&judge.left); /* "#!lua flags=...": Redis's. */
    }
    for (;;) {
        struct token token = next(&judge.left);
        if (token.kind == END) {
            break;
        }
        const char *reason = judge_token(&judge, &token);
        if (reason != NULL) {
            return reason;
        }
        memmove(&judge.before[1], &judge.before[0], 3 * sizeof judge.before[0]);
        judge.before[0] = token;
    }
    return judge.draws && !judge.seeds && !reads_only ? UNSEEDED : NULL;
}

bool gd_proxy_is_script(const char *name)
{
    return strcmp(name, "eval") == 0 || strcmp(name, "eval_ro") == 0 ||
           strcmp(name, "evalsha") == 0 || strcmp(name, "evalsha_ro") == 0;
}

const char *gd_proxy_script_refusal(const char *name, const struct gd_slice *args, size_t count)
{
    bool reads_only = name[strlen(name) - 1] == 'o';

    if (count < 2) {
        return NULL; /* The count of arguments is looked at elsewhere. */
    }
    if (strncmp(name, "evalsha", 7) == 0) { /* A known one is an EVAL by now: scripts.h. */
        return "NOSCRIPT No matching script. Please use EVAL.";
    }
    if (args[1].size > GD_SCRIPT_SIZE_MAX) {
        return "ERR the script is longer than 1 MiB";
    }
    return judge_text(args[1], reads_only);
}
