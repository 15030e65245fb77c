/* Commands on their way to an external database: what is refused, what is made deterministic, and
 * that gandalf's own key is not seen. Proxy invariant P4. */
#include "kvs/proxy_commands.h"
#include "engine/memory.h"
#include "kvs/proxy_link.h"
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
        {"xadd", "XADD s * f v", "XADD s 1000000-42 f v"},
        {"xadd trimmed", "XADD s NOMKSTREAM MAXLEN ~ 10 LIMIT 5 * f *",
         "XADD s NOMKSTREAM MAXLEN ~ 10 LIMIT 5 1000000-42 f *"},
        {"xadd with an id", "XADD s 5-1 f *", "XADD s 5-1 f *"},
        {"others", "LPUSH l a b", "LPUSH l a b"},
    };

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        char copy[256], want_copy[256];
        struct gd_slice words[WORDS_MAX];
        struct gd_bytes got = {0}, want = {0};
        size_t count = split(cases[i].line, copy, sizeof copy, words);
        gd_proxy_write_fixed(&got, words, count, 1000000, 42);
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
    "*5\r\n"
    "*7\r\n$3\r\nGET\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*0\r\n"
    "*7\r\n$5\r\nlpush\r\n:-3\r\n*1\r\n+write\r\n:1\r\n:1\r\n:1\r\n*0\r\n"
    "*7\r\n$4\r\nspop\r\n:-2\r\n*1\r\n+write\r\n:1\r\n:1\r\n:1\r\n*0\r\n"
    "*7\r\n$5\r\nnewbl\r\n:-2\r\n*2\r\n+write\r\n+blocking\r\n:1\r\n:1\r\n:1\r\n*0\r\n"
    "*7\r\n$5\r\nother\r\n:1\r\n*1\r\n+admin\r\n:0\r\n:0\r\n:0\r\n*0\r\n";

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
        {"SPOP s", true, true, GD_COMMAND_WRITE},
        {"BLPOP l 0", true, true, GD_COMMAND_READ},
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
        cmocka_unit_test(test_own_key_is_not_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
