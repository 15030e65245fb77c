/* Commands on their way to an external database: what is refused, what is made deterministic, and
 * that gandalf's own key is not seen. Proxy invariant P4. */
#include "kvs/proxy_commands.h"
#include "engine/memory.h"
#include "kvs/proxy_link.h"
#include "kvs/proxy_script.h"
#include "kvs/scripts.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
/* After the above: it wants their types. */
#include <cmocka.h>

enum { WORDS_MAX = 16 };

static size_t split(const char *line, char *copy, size_t size, struct gd_slice *words)
{
    size_t count = 0;

    (void)snprintf(copy, size, "%s", line);
    for (char *at = copy; *at != '\0' && count < WORDS_MAX;) {
        size_t length = strcspn(at, " ");
        words[count++] = (struct gd_slice){(const uint8_t *)at, length};
        at += length;
        at += *at == ' ' ? 1 : 0;
    }
    return count;
}

static void test_rewrites(void **state)
{
    static const struct {
        const char *name, *line, *want;
    } cases[] = {
        {"expire", "EXPIRE k 10", "PEXPIREAT k 1010000"},
        {"expire with an option", "expire k 10 NX", "PEXPIREAT k 1010000 NX"},
        {"pexpire in the past", "PEXPIRE k -5", "PEXPIREAT k 999995"},
        {"absolute stays", "PEXPIREAT k 5", "PEXPIREAT k 5"},
        {"no number: the database words it", "EXPIRE k ten", "EXPIRE k ten"},
        {"too large", "EXPIRE k 9223372036854775807", "EXPIRE k 9223372036854775807"},
        {"set", "SET k v NX EX 1", "SET k v NX PXAT 1001000"},
        {"set whose value is EX", "SET k EX", "SET k EX"},
        {"set with px", "SET k v PX 7 GET", "SET k v PXAT 1000007 GET"},
        {"set with a time of 0", "SET k v EX 0", "SET k v EX 0"},
        {"setex", "SETEX k 2 v", "SET k v PXAT 1002000"},
        {"psetex", "PSETEX k 2 v", "SET k v PXAT 1000002"},
        {"getex", "GETEX k EX 2", "GETEX k PXAT 1002000"},
        {"getex without", "GETEX k PERSIST", "GETEX k PERSIST"},
        {"restore", "RESTORE k 5 dump REPLACE", "RESTORE k 1000005 dump REPLACE ABSTTL"},
        {"restore for ever", "RESTORE k 0 dump", "RESTORE k 0 dump"},
        {"restore absolute", "RESTORE k 5 dump ABSTTL", "RESTORE k 5 dump ABSTTL"},
        {"xadd", "XADD s * f v", "XADD s 1000000-* f v"},
        {"xadd trimmed", "XADD s NOMKSTREAM MAXLEN ~ 10 LIMIT 5 * f *",
         "XADD s NOMKSTREAM MAXLEN ~ 10 LIMIT 5 1000000-* f *"},
        {"xadd with an id", "XADD s 5-1 f *", "XADD s 5-1 f *"},
        {"xadd with a time", "XADD s 5-* f *", "XADD s 5-* f *"},
        {"others", "LPUSH l a b", "LPUSH l a b"},
    };

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        char copy[256], want_copy[256];
        struct gd_slice words[WORDS_MAX];
        struct gd_bytes got = {0}, want = {0};
        size_t count = split(cases[i].line, copy, sizeof copy, words);
        gd_proxy_write_fixed(&got, words, count, 1000000);
        count = split(cases[i].want, want_copy, sizeof want_copy, words);
        gd_proxy_write_command(&want, words, count);
        if (got.size != want.size || memcmp(got.data, want.data, got.size) != 0) {
            fail_msg("%s: got %.*s", cases[i].name, (int)got.size, (const char *)got.data);
        }
        gd_bytes_release(&got);
        gd_bytes_release(&want);
    }
}

/* Redis 7's COMMAND, cut to a few rows. */
static const char told[] =
    "*12\r\n"
    "*7\r\n$6\r\nmemory\r\n:-2\r\n*0\r\n:0\r\n:0\r\n:0\r\n*0\r\n"
    "*7\r\n$6\r\nxgroup\r\n:-2\r\n*0\r\n:0\r\n:0\r\n:0\r\n*0\r\n"
    "*7\r\n$4\r\ncopy\r\n:-3\r\n*1\r\n+write\r\n:1\r\n:2\r\n:1\r\n*0\r\n"
    "*7\r\n$5\r\nxread\r\n:-4\r\n*2\r\n+readonly\r\n+blocking\r\n:0\r\n:0\r\n:0\r\n*0\r\n"
    "*7\r\n$4\r\nsort\r\n:-2\r\n*1\r\n+write\r\n:1\r\n:1\r\n:1\r\n*0\r\n"
    "*7\r\n$7\r\nsort_ro\r\n:-2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n*0\r\n"
    "*7\r\n$7\r\npfcount\r\n:-2\r\n*2\r\n+readonly\r\n+may_replicate\r\n:1\r\n:-1\r\n:1\r\n*0\r\n"
    "*7\r\n$3\r\nGET\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*0\r\n"
    "*7\r\n$5\r\nlpush\r\n:-3\r\n*1\r\n+write\r\n:1\r\n:1\r\n:1\r\n*0\r\n"
    "*7\r\n$4\r\nspop\r\n:-2\r\n*1\r\n+write\r\n:1\r\n:1\r\n:1\r\n*0\r\n"
    "*7\r\n$5\r\nnewbl\r\n:-2\r\n*2\r\n+write\r\n+blocking\r\n:1\r\n:1\r\n:1\r\n*0\r\n"
    "*7\r\n$5\r\nother\r\n:1\r\n*1\r\n+admin\r\n:0\r\n:0\r\n:0\r\n*0\r\n";

static const char *const odd[] = {
    "*1\r\n*6\r\n$1\r\na\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n", /* No flags. */
    "*1\r\n*2\r\n$1\r\na\r\n:1\r\n",
    "*1\r\n+a\r\n",
};

static void test_table(void **state)
{
    static const struct {
        const char *line;
        bool known, refused;
        enum gd_command_kind kind;
    } cases[] = {
        {"get k", true, false, GD_COMMAND_READ},
        {"GET __gandalf:applied", true, true, GD_COMMAND_READ},
        {"LPUSH l a", true, false, GD_COMMAND_WRITE},
        {"PFCOUNT h", true, false, GD_COMMAND_WRITE},
        {"SPOP s", true, true, GD_COMMAND_WRITE},
        {"BLPOP l 0", true, true, GD_COMMAND_READ},
        {"MEMORY DOCTOR", true, true, GD_COMMAND_READ},
        {"MEMORY USAGE k", true, false, GD_COMMAND_READ},
        {"XGROUP CREATECONSUMER s g c", true, true, GD_COMMAND_WRITE},
        {"XGROUP CREATE s g 0", true, false, GD_COMMAND_WRITE},
        {"COPY a b DB 1", true, true, GD_COMMAND_WRITE},
        {"XREAD BLOCK 0 STREAMS s 0", true, true, GD_COMMAND_READ},
        {"XREAD STREAMS block 0", true, false, GD_COMMAND_READ},
        {"SORT l BY nosort GET __gandalf:* STORE d", true, true, GD_COMMAND_WRITE},
        {"sort_ro l by __gandalf:app*ied", true, true, GD_COMMAND_READ},
        {"SORT l LIMIT 0 1 GET # GET *", true, true, GD_COMMAND_WRITE},
        {"SORT l GET *applied", true, true, GD_COMMAND_WRITE},
        {"SORT l GET __gandalf:applied*", true, true, GD_COMMAND_WRITE},
        {"SORT l GET __gandalf:*xapplied", true, false, GD_COMMAND_WRITE},
        {"SORT l GET __gandalf:applied*d", true, false, GD_COMMAND_WRITE}, /* Longer than it. */
        {"SORT l GET _*_", true, false, GD_COMMAND_WRITE},
        {"SORT l BY *->at GET __gandalf:*->f", true, false, GD_COMMAND_WRITE}, /* Of hashes. */
        {"SORT l BY weight_* GET name_* STORE by", true, false, GD_COMMAND_WRITE},
        {"SORT l GET __gandalf", true, false, GD_COMMAND_WRITE},
        {"SORT_RO l BY", true, false, GD_COMMAND_READ},
        {"EVAL x 0", true, true, GD_COMMAND_READ},
        {"WATCH k", true, true, GD_COMMAND_READ},
        {"SELECT 0", true, false, GD_COMMAND_LOCAL},
        {"SELECT 1", true, true, GD_COMMAND_LOCAL},
        {"PING", true, false, GD_COMMAND_LOCAL},
        {"NEWBL k", false, false, GD_COMMAND_READ},
        {"OTHER", false, false, GD_COMMAND_READ},
        {"APPEND k v", false, false, GD_COMMAND_READ}, /* The embedded store's, not this one's. */
    };
    struct gd_proxy_table table = {0};

    (void)state;
    assert_true(gd_proxy_table_learn(&table, gd_proxy_text(told)));
    assert_false(gd_proxy_table_learn(&table, gd_proxy_text("-ERR no\r\n")));
    /* A row of another shape is passed over; a reply that is cut is none, and the table stays. */
    for (size_t i = 0; i < GD_COUNT(odd); i++) {
        struct gd_proxy_table strange = {0};
        assert_true(gd_proxy_table_learn(&strange, gd_proxy_text(odd[i])));
        assert_int_equal(strange.count, 0);
        gd_proxy_table_release(&strange);
    }
    for (size_t cut = 1; cut < sizeof told - 1; cut++) {
        struct gd_slice part = {(const uint8_t *)told, cut};
        assert_false(gd_proxy_table_learn(&table, part));
        assert_int_equal(table.count, 10);
    }
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        char copy[256];
        struct gd_slice words[WORDS_MAX];
        size_t count = split(cases[i].line, copy, sizeof copy, words);
        const char *refusal;
        const struct gd_command *row = gd_proxy_find(&table, words, count, &refusal);
        if ((row != NULL) != cases[i].known || (refusal != NULL) != cases[i].refused ||
            (row != NULL && refusal == NULL && row->kind != cases[i].kind)) {
            fail_msg("%s: %s", cases[i].line, refusal == NULL ? "no refusal" : refusal);
        }
    }
    gd_proxy_table_release(&table);
}

/* A database with scripts, and an operator who declares them. */
static void test_table_with_scripts(void **state)
{
    static const char more[] =
        "*4\r\n"
        "*7\r\n$4\r\neval\r\n:-3\r\n*2\r\n+noscript\r\n+stale\r\n:0\r\n:0\r\n:0\r\n*0\r\n"
        "*7\r\n$7\r\neval_ro\r\n:-3\r\n*2\r\n+noscript\r\n+readonly\r\n:0\r\n:0\r\n:0\r\n*0\r\n"
        "*7\r\n$7\r\nevalsha\r\n:-3\r\n*1\r\n+noscript\r\n:0\r\n:0\r\n:0\r\n*0\r\n"
        "*7\r\n$5\r\nfcall\r\n:-3\r\n*1\r\n+noscript\r\n:0\r\n:0\r\n:0\r\n*0\r\n";
    static const struct {
        const char *line;
        bool declared, known;
        const char *refused; /* The refusal's beginning; NULL: none. */
        enum gd_command_kind kind;
    } cases[] = {
        {"EVAL return 0", false, true, "ERR 'eval' is not available", GD_COMMAND_WRITE},
        {"SCRIPT LOAD x", false, true, "ERR 'script' is not available", GD_COMMAND_READ},
        {"EVAL return 0", true, true, NULL, GD_COMMAND_WRITE},
        {"EVAL_RO return 0", true, true, NULL, GD_COMMAND_READ},
        {"EVALSHA 0000 0", true, true, "NOSCRIPT ", GD_COMMAND_WRITE},
        {"EVALSHA_RO 0000 0", true, false, NULL, GD_COMMAND_READ}, /* This one has none such. */
        {"EVAL redis.call('TIME') 0", true, true, "ERR 'time' in a script", GD_COMMAND_WRITE},
        {"EVAL_RO redis.call('TIME') 0", true, true, NULL, GD_COMMAND_READ},
        {"EVAL return 1 __gandalf:applied", true, true, "ERR the key", GD_COMMAND_WRITE},
        {"EVAL", true, true, NULL, GD_COMMAND_WRITE}, /* The count is looked at elsewhere. */
        {"SCRIPT LOAD x", true, true, NULL, GD_COMMAND_LOCAL},
        {"FCALL f 0", true, true, "ERR 'fcall' is not available", GD_COMMAND_READ},
    };
    struct gd_proxy_table table = {0};

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        char copy[256];
        struct gd_slice words[WORDS_MAX];
        size_t count = split(cases[i].line, copy, sizeof copy, words);
        const char *refusal, *want = cases[i].refused;
        table.scripts = cases[i].declared;
        assert_true(gd_proxy_table_learn(&table, gd_proxy_text(more)));
        assert_int_equal(table.scripts, cases[i].declared);
        const struct gd_command *row = gd_proxy_find(&table, words, count, &refusal);
        if ((row != NULL) != cases[i].known || (refusal != NULL) != (want != NULL) ||
            (want != NULL && strncmp(refusal, want, strlen(want)) != 0) ||
            (row != NULL && refusal == NULL && row->kind != cases[i].kind)) {
            fail_msg("%s: %s", cases[i].line, refusal == NULL ? "no refusal" : refusal);
        }
    }
    gd_proxy_table_release(&table);
}

/* Before the database was ever reached, nobody can say that it has no such command. */
static void test_table_of_nothing(void **state)
{
    const struct gd_proxy_table table = {.scripts = true};
    const char *refusal;
    struct gd_slice words[] = {gd_proxy_text("EVAL"), gd_proxy_text("return"), gd_proxy_text("0")};

    (void)state;
    assert_non_null(gd_proxy_find(&table, words, 3, &refusal));
    assert_int_equal(strncmp(refusal, "DBDOWN ", 7), 0);
    words[0] = gd_proxy_text("LPUSH");
    assert_non_null(gd_proxy_find(&table, words, 3, &refusal));
    assert_int_equal(strncmp(refusal, "DBDOWN ", 7), 0);
    words[0] = gd_proxy_text("BLPOP"); /* Whatever the database has. */
    assert_non_null(gd_proxy_find(&table, words, 3, &refusal));
    assert_int_equal(strncmp(refusal, "ERR ", 4), 0);
    words[0] = gd_proxy_text("PING");
    assert_non_null(gd_proxy_find(&table, words, 1, &refusal));
    assert_null(refusal);
}

/* What can be seen in a script's text; `want` is in the refusal, NULL: it is let through. */
static void test_script_texts(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"plain", "return redis.call('INCR', KEYS[1])", NULL},
        {"nothing", "", NULL},
        {"time", "return redis.call('TIME')[1]", "'time'"},
        {"double quotes, pcall", "redis.pcall( \"time\" )", "'time'"},
        {"long brackets", "redis.call([[time]])", "'time'"},
        {"long brackets with a level", "redis.call[=[time]=]", "'time'"},
        {"a string without brackets", "redis.call'time'", "'time'"},
        {"a field of that name", "redis.call('HGET', KEYS[1], 'time')", NULL},
        {"a text of that name", "local a = 'time' return a", NULL},
        {"in a comment", "-- redis.call('time')\nreturn 1", NULL},
        {"in a long comment", "--[==[ redis.call('time') ]] ]=] ]==] return 1", NULL},
        {"behind a long comment", "--[==[ ]] ]=] ]==] redis.call('time')", "'time'"},
        {"behind a comment", "-- x\nredis.call('time')", "'time'"},
        {"in a string", "return \"redis.call('time')\"", NULL},
        {"behind an escape", "local a = 'it\\'s' redis.call('time')", "'time'"},
        {"another name", "local c = redis.call\nc('time')", "'time'"},
        {"another name for redis", "local r = redis r.call('time')", "'time'"},
        {"a result is no name", "local c = redis.call('GET', 'x') c('time')", NULL},
        {"a result without brackets", "local c = redis.call'GET' c('time')", NULL},
        {"by Lua's pcall", "pcall(redis.call, 'time')", "'time'"},
        {"call, its own name", "local call = redis.call call('time')", "'time'"},
        {"an argument, not the command", "redis.call(ARGV[1], 'time')", NULL},
        {"refused to clients", "redis.call('SPOP', KEYS[1])", "another member"},
        {"published", "redis.call('publish', 'c', 'x')", "through the log"},
        {"srandmember", "redis.call('SRANDMEMBER', KEYS[1])", "'srandmember'"},
        {"randomkey", "redis.call('RANDOMKEY')", "'randomkey'"},
        {"keys", "redis.call('KEYS', '*')", "'keys'"},
        {"expire", "redis.call('EXPIRE', KEYS[1], 10)", "PEXPIREAT"},
        {"pexpireat", "redis.call('PEXPIREAT', KEYS[1], ARGV[1])", NULL},
        {"ttl", "if redis.call('TTL', KEYS[1]) > 1 then return 1 end", "PEXPIRETIME"},
        {"set", "redis.call('SET', KEYS[1], ARGV[1], 'NX')", NULL},
        {"set with ex", "redis.call('set', KEYS[1], ARGV[1], 'EX', 10)", "PXAT"},
        {"set with px", "redis.call('set', KEYS[1], f(ARGV[1]), 'NX', 'px', 10)", "PXAT"},
        {"ex of an inner call", "redis.call('set', KEYS[1], f('ex'))", NULL},
        {"ex behind it", "redis.call('set', KEYS[1], 'v') f('ex')", NULL},
        {"getex", "redis.call('GETEX', KEYS[1], 'PX', 5)", "PXAT"},
        {"xadd", "redis.call('XADD', KEYS[1], '*', 'f', 'v')", "xadd *"},
        {"xadd with an id", "redis.call('XADD', KEYS[1], ARGV[1], 'f', 'v')", NULL},
        {"restore", "redis.call('RESTORE', KEYS[1], 5, ARGV[1])", "restore"},
        {"restore absolute", "redis.call('RESTORE', KEYS[1], 5, ARGV[1], 'ABSTTL')", NULL},
        {"select", "redis.call('SELECT', 1)", "number 0"},
        {"random", "return math.random(5)", "math.random"},
        {"random, seeded", "math.randomseed(ARGV[1]) return math.random(5)", NULL},
        {"random of another", "return other.random(5)", NULL},
        {"clock", "return os.clock()", "os.clock"},
        {"set_repl", "redis.set_repl(redis.REPL_NONE)", "set_repl"},
        {"collectgarbage", "return collectgarbage('count')", "collectgarbage"},
        {"our key", "redis.call('GET', '__gandalf:applied')", "gandalf's own"},
        {"a head line", "#!lua flags=no-writes\nreturn redis.call('time')", "'time'"},
        {"no end of a string", "redis.call('GET", NULL},
        {"no end of a bracket", "redis.call([==[time]=]", NULL},
        {"an escape at the end", "'\\", NULL},
    };

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_slice args[] = {gd_proxy_text("EVAL"), gd_proxy_text(cases[i].text)};
        const char *refusal = gd_proxy_script_refusal("eval", args, 2);
        if ((refusal != NULL) != (cases[i].want != NULL) ||
            (refusal != NULL && strstr(refusal, cases[i].want) == NULL)) {
            fail_msg("%s: %s", cases[i].name, refusal == NULL ? "no refusal" : refusal);
        }
    }
}

/* A script that only reads may look at the clock, and yet not at keys that it does not name. */
static void test_script_texts_that_read(void **state)
{
    static const struct {
        const char *text;
        bool refused;
    } cases[] = {
        {"return redis.call('TIME')", false},     {"return math.random()", false},
        {"return redis.call('TTL', 'k')", false}, {"return redis.call('KEYS', '*')", true},
        {"return redis.call('RANDOMKEY')", true}, {"return os.clock()", false},
        {"return redis.call('SPOP', 'k')", true}, {"redis.call('GET', '__gandalf:applied')", true},
    };

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_slice args[] = {gd_proxy_text("EVAL_RO"), gd_proxy_text(cases[i].text)};
        if ((gd_proxy_script_refusal("eval_ro", args, 2) != NULL) != cases[i].refused) {
            fail_msg("%s", cases[i].text);
        }
    }
}

static void test_script_too_long(void **state)
{
    struct gd_bytes text = {0};

    (void)state;
    memset(gd_bytes_reserve(&text, GD_SCRIPT_SIZE_MAX + 1), ' ', GD_SCRIPT_SIZE_MAX + 1);
    text.size = GD_SCRIPT_SIZE_MAX;
    struct gd_slice args[] = {gd_proxy_text("EVAL"), gd_bytes_slice(&text)};
    assert_null(gd_proxy_script_refusal("eval", args, 2));
    args[1].size++;
    assert_non_null(gd_proxy_script_refusal("eval", args, 2));
    gd_bytes_release(&text);
}

/* ---------------------------------------------------------------- digests */

static void test_sha1(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        /* FIPS 180's own, and the sizes at which the padding changes. */
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {"return 1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"}, /* As Redis names it. */
    };
    char got[GD_SHA1_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        gd_sha1_text(gd_proxy_text(cases[i].text), got);
        assert_string_equal(got, cases[i].want);
    }
}

static void say(struct gd_scripts *scripts, const char *line, const char *want)
{
    char copy[256];
    struct gd_slice words[WORDS_MAX];
    size_t count = split(line, copy, sizeof copy, words);
    struct gd_bytes out = {0};
    struct gd_reply reply = {.out = &out, .protocol = 2};

    gd_scripts_command(scripts, words, count, &reply);
    assert_int_equal(out.size, strlen(want));
    assert_memory_equal(out.data, want, out.size);
    gd_bytes_release(&out);
}

static void take(struct gd_scripts *scripts, const char *line, const char *want)
{
    char copy[256], want_copy[256];
    struct gd_slice words[WORDS_MAX] = {0}, wanted[WORDS_MAX] = {0};
    size_t count = split(line, copy, sizeof copy, words);

    gd_scripts_take(scripts, words, count);
    assert_int_equal(split(want, want_copy, sizeof want_copy, wanted), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(words[i].size, wanted[i].size);
        assert_memory_equal(words[i].data, wanted[i].data, wanted[i].size);
    }
}

/* "x" and "y". */
#define SHA_X "11f6ad8ec52a2984abaafd7c3b516503785c2072"
#define SHA_Y "95cb0bfd2977c761298d9624e4b4d4c72a39974a"

static void test_digests_become_texts(void **state)
{
    struct gd_scripts scripts = {0};

    (void)state;
    take(&scripts, "EVALSHA " SHA_X " 0", "EVALSHA " SHA_X " 0");
    say(&scripts, "SCRIPT LOAD x", "$40\r\n" SHA_X "\r\n");
    take(&scripts, "evalsha " SHA_X " 1 k", "EVAL x 1 k");
    take(&scripts, "EVALSHA_RO 11F6AD8EC52A2984ABAAFD7C3B516503785C2072 0", "EVAL_RO x 0");
    take(&scripts, "EVAL_RO y 0", "EVAL_RO y 0"); /* Sent once, known from then on. */
    take(&scripts, "EVALSHA " SHA_Y " 0", "EVAL y 0");
    take(&scripts, "EVALSHA", "EVALSHA");
    take(&scripts, "GET " SHA_Y, "GET " SHA_Y);
    say(&scripts, "SCRIPT EXISTS " SHA_Y " abc " SHA_X, "*3\r\n:1\r\n:0\r\n:1\r\n");
    say(&scripts, "SCRIPT FLUSH NOW", "-ERR SCRIPT FLUSH only support SYNC|ASYNC option\r\n");
    say(&scripts, "SCRIPT FLUSH ASYNC", "+OK\r\n");
    say(&scripts, "SCRIPT EXISTS " SHA_X, "*1\r\n:0\r\n");
    gd_scripts_release(&scripts);
}

/* The ones used longest ago are forgotten, by count and by size. */
static void test_digests_are_bounded(void **state)
{
    struct gd_scripts scripts = {0};
    struct gd_bytes big = {0};

    (void)state;
    for (unsigned i = 0; i < GD_SCRIPTS_COUNT_MAX + 10; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "%u", i);
        struct gd_slice words[] = {gd_proxy_text("EVAL"), gd_proxy_text(text)};
        gd_scripts_take(&scripts, words, 2);
        take(&scripts, "EVAL x", "EVAL x"); /* Used again and again. */
        assert_true(scripts.count <= GD_SCRIPTS_COUNT_MAX);
    }
    take(&scripts, "EVALSHA " SHA_X, "EVAL x");
    take(&scripts, "EVALSHA b6589fc6ab0dc82cf12099d1c2d40ab994e8410c", /* "0" */
         "EVALSHA b6589fc6ab0dc82cf12099d1c2d40ab994e8410c");
    for (unsigned i = 0; i < 40; i++) {
        big.size = 0;
        memset(gd_bytes_reserve(&big, GD_SCRIPT_SIZE_MAX + 1), (int)i, GD_SCRIPT_SIZE_MAX + 1);
        big.size = GD_SCRIPT_SIZE_MAX;
        struct gd_slice words[] = {gd_proxy_text("EVAL"), gd_bytes_slice(&big)};
        gd_scripts_take(&scripts, words, 2);
        assert_true(scripts.size <= GD_SCRIPTS_SIZE_MAX);
    }
    assert_int_equal(scripts.count, GD_SCRIPTS_SIZE_MAX / GD_SCRIPT_SIZE_MAX);
    big.size = GD_SCRIPT_SIZE_MAX + 1; /* Longer than any that is kept. */
    struct gd_slice words[] = {gd_proxy_text("SCRIPT"), gd_proxy_text("LOAD"),
                               gd_bytes_slice(&big)};
    struct gd_bytes out = {0};
    struct gd_reply reply = {.out = &out, .protocol = 2};
    gd_scripts_command(&scripts, words, 3, &reply);
    assert_int_equal(out.data[0], '-');
    gd_bytes_release(&out);
    gd_bytes_release(&big);
    gd_scripts_release(&scripts);
}

static void test_own_key_is_not_seen(void **state)
{
    static const struct {
        enum gd_proxy_filter filter;
        const char *reply, *want;
    } cases[] = {
        {GD_PROXY_KEYS, "*2\r\n$17\r\n__gandalf:applied\r\n$1\r\na\r\n", "*1\r\n$1\r\na\r\n"},
        {GD_PROXY_KEYS, "-ERR no\r\n", "-ERR no\r\n"},
        {GD_PROXY_SCAN, "*2\r\n$1\r\n5\r\n*2\r\n$1\r\na\r\n$17\r\n__gandalf:applied\r\n",
         "*2\r\n$1\r\n5\r\n*1\r\n$1\r\na\r\n"},
        {GD_PROXY_SIZE, ":3\r\n", ":2\r\n"},
        {GD_PROXY_SIZE, ":0\r\n", ":0\r\n"},
        {GD_PROXY_RANDOM, "$1\r\na\r\n", "$1\r\na\r\n"},
        {GD_PROXY_PLAIN, "$17\r\n__gandalf:applied\r\n", "$17\r\n__gandalf:applied\r\n"},
    };
    struct gd_bytes out = {0};

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        gd_bytes_clear(&out);
        assert_true(gd_proxy_add_reply(&out, cases[i].filter, gd_proxy_text(cases[i].reply)));
        assert_int_equal(out.size, strlen(cases[i].want));
        assert_memory_equal(out.data, cases[i].want, out.size);
    }
    gd_bytes_clear(&out);
    assert_false(
        gd_proxy_add_reply(&out, GD_PROXY_RANDOM, gd_proxy_text("$17\r\n__gandalf:applied\r\n")));
    assert_int_equal(out.size, 0);
    gd_bytes_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rewrites),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_table_with_scripts),
        cmocka_unit_test(test_table_of_nothing),
        cmocka_unit_test(test_script_texts),
        cmocka_unit_test(test_script_texts_that_read),
        cmocka_unit_test(test_script_too_long),
        cmocka_unit_test(test_sha1),
        cmocka_unit_test(test_digests_become_texts),
        cmocka_unit_test(test_digests_are_bounded),
        cmocka_unit_test(test_own_key_is_not_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
