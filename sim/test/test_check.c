/* Histories from files: what is understood, and what is refused with its line. */
#include "engine/test/test.h"
#include "sim/check_command.h"
#include "sim/verdict.h"

static const struct {
    const char *name, *text, *refusal;
    enum gd_sim_outcome want;
} histories[] = {
    {"a comment and an empty line", "# nothing\n\n", NULL, GD_SIM_PASS},
    {"a stale read",
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"x\",\"output\":null,\"call\":1,"
     "\"return\":2}\n"
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"y\",\"output\":null,\"call\":3,"
     "\"return\":4}\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":\"x\",\"call\":5,"
     "\"return\":6}\n",
     NULL, GD_SIM_FAIL},
    {"fields in any order, a transaction, an aborted one, bytes",
     "{\"call\":1,\"return\":2,\"op\":\"txn\",\"client\":1,\"input\":null,\"output\":null,"
     "\"ops\":[{\"op\":\"write\",\"key\":\"a\",\"input\":{\"base64\":\"AA==\"},"
     "\"output\":null},{\"op\":\"incr\",\"key\":\"b\",\"input\":2,\"output\":2}]}\n"
     "{\"call\":3,\"return\":4,\"op\":\"txn\",\"client\":1,\"output\":\"aborted\","
     "\"ops\":[{\"op\":\"write\",\"key\":\"a\",\"input\":\"z\",\"output\":null}]}\n"
     "{\"call\":5,\"return\":6,\"op\":\"read\",\"client\":1,\"key\":\"a\","
     "\"output\":{\"base64\":\"AA==\"}}\n",
     NULL, GD_SIM_PASS},
    {"one value written twice comes back",
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"c;\",\"call\":1,\"return\":2}\n"
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"d;\",\"call\":3,\"return\":4}\n"
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"c;\",\"call\":5,\"return\":6}\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"output\":\"c;\",\"call\":7,\"return\":8}\n",
     NULL, GD_SIM_PASS},
    {"bytes and text are one when they are equal",
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":{\"base64\":\"eA==\"},\"output\":"
     "null,\"call\":1,\"return\":2}\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":\"x\",\"call\":3,"
     "\"return\":4}\n",
     NULL, GD_SIM_PASS},
    {"bytes that are put together",
     "{\"client\":1,\"op\":\"append\",\"key\":\"a\",\"input\":{\"base64\":\"/"
     "w==\"},\"output\":null,\"call\":1,\"return\":2}\n"
     "{\"client\":1,\"op\":\"append\",\"key\":\"a\",\"input\":{\"base64\":\"/"
     "v0=\"},\"output\":null,\"call\":3,\"return\":4}\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":{\"base64\":\"//"
     "79\"},\"call\":5,\"return\":6}\n",
     NULL, GD_SIM_PASS},
    {"a pair of escapes is one character",
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"\\ud83d\\ude00\",\"call\":1,"
     "\"return\":2}\n"
     "{\"client\":1,\"op\":\"read\",\"key\":\"a\",\"output\":\"\360\237\230\200\",\"call\":3,"
     "\"return\":4}\n",
     NULL, GD_SIM_PASS},
    {"a future read",
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":\"x\",\"call\":1,"
     "\"return\":2}\n"
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"x\",\"output\":null,\"call\":3,"
     "\"return\":4}\n",
     NULL, GD_SIM_FAIL},
    {"the same, overlapping",
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":\"x\",\"call\":1,"
     "\"return\":3}\n"
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"x\",\"output\":null,\"call\":2,"
     "\"return\":4}\n",
     NULL, GD_SIM_PASS},
    {"a value never written",
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"x\",\"output\":null,\"call\":1,"
     "\"return\":2}\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":\"q\",\"call\":3,"
     "\"return\":4}\n",
     NULL, GD_SIM_FAIL},
    {"a lost update",
     "{\"client\":1,\"op\":\"incr\",\"key\":\"a\",\"input\":1,\"output\":1,\"call\":1,"
     "\"return\":2}\n"
     "{\"client\":2,\"op\":\"incr\",\"key\":\"a\",\"input\":1,\"output\":1,\"call\":3,"
     "\"return\":4}\n",
     NULL, GD_SIM_FAIL},
    {"a duplicated append",
     "{\"client\":1,\"op\":\"append\",\"key\":\"a\",\"input\":\"x;\",\"output\":null,\"call\":"
     "1,\"return\":2}\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":\"x;x;\",\"call\":"
     "3,\"return\":4}\n",
     NULL, GD_SIM_FAIL},
    {"appends shorter and longer than a word of the machine",
     "{\"client\":1,\"op\":\"append\",\"key\":\"a\",\"input\":\"seven77\",\"call\":1,\"return\":2}"
     "\n"
     "{\"client\":1,\"op\":\"read\",\"key\":\"a\",\"output\":\"seven77\",\"call\":3,\"return\":4}\n"
     "{\"client\":1,\"op\":\"append\",\"key\":\"a\",\"input\":\"eight888\",\"call\":5,\"return\":6}"
     "\n"
     "{\"client\":1,\"op\":\"read\",\"key\":\"a\",\"output\":\"seven77eight888\",\"call\":7,"
     "\"return\":8}\n"
     "{\"client\":1,\"op\":\"append\",\"key\":\"a\",\"input\":\"nine "
     "9999\",\"call\":9,\"return\":10}\n"
     "{\"client\":1,\"op\":\"read\",\"key\":\"a\",\"output\":\"seven77eight888nine "
     "9999\",\"call\":11,\"return\":12}\n"
     "{\"client\":1,\"op\":\"append\",\"key\":\"a\",\"input\":\"twenty is this "
     "piece\",\"call\":13,\"return\":14}\n"
     "{\"client\":1,\"op\":\"read\",\"key\":\"a\",\"output\":\"seven77eight888nine 9999twenty is "
     "this piece\",\"call\":15,\"return\":16}\n"
     "{\"client\":1,\"op\":\"append\",\"key\":\"a\",\"input\":\"x\",\"call\":17,\"return\":18}\n"
     "{\"client\":1,\"op\":\"read\",\"key\":\"a\",\"output\":\"seven77eight888nine 9999twenty is "
     "this piecex\",\"call\":19,\"return\":20}\n",
     NULL, GD_SIM_PASS},
    {"an append as long as a word that nobody sent",
     "{\"client\":1,\"op\":\"append\",\"key\":\"a\",\"input\":\"eight888\",\"call\":1,\"return\":2}"
     "\n"
     "{\"client\":1,\"op\":\"append\",\"key\":\"a\",\"input\":\"1 "
     "eight888\",\"call\":3,\"return\":4}\n"
     "{\"client\":1,\"op\":\"read\",\"key\":\"a\",\"output\":\"eight8882 "
     "eight888\",\"call\":5,\"return\":6}\n",
     NULL, GD_SIM_FAIL},
    {"two of them",
     "{\"client\":1,\"op\":\"append\",\"key\":\"a\",\"input\":\"x;\",\"output\":null,\"call\":"
     "1,\"return\":2}\n"
     "{\"client\":1,\"op\":\"append\",\"key\":\"a\",\"input\":\"x;\",\"output\":null,\"call\":"
     "3,\"return\":4}\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":\"x;x;\",\"call\":"
     "5,\"return\":6}\n",
     NULL, GD_SIM_PASS},
    {"a deleted value that comes back",
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"x\",\"output\":null,\"call\":1,"
     "\"return\":2}\n"
     "{\"client\":1,\"op\":\"delete\",\"key\":\"a\",\"input\":null,\"output\":true,\"call\":3,"
     "\"return\":4}\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":\"x\",\"call\":5,"
     "\"return\":6}\n",
     NULL, GD_SIM_FAIL},
    {"a deleted value read in time",
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"x\",\"output\":null,\"call\":1,"
     "\"return\":2}\n"
     "{\"client\":1,\"op\":\"delete\",\"key\":\"a\",\"input\":null,\"output\":true,\"call\":3,"
     "\"return\":6}\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":\"x\",\"call\":5,"
     "\"return\":7}\n",
     NULL, GD_SIM_PASS},
    {"a cas that succeeded twice",
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"x\",\"output\":null,\"call\":1,"
     "\"return\":2}\n"
     "{\"client\":1,\"op\":\"cas\",\"key\":\"a\",\"input\":[\"x\",\"y\"],\"output\":true,"
     "\"call\":3,\"return\":4}\n"
     "{\"client\":2,\"op\":\"cas\",\"key\":\"a\",\"input\":[\"x\",\"z\"],\"output\":true,"
     "\"call\":5,\"return\":6}\n",
     NULL, GD_SIM_FAIL},
    {"a cas that failed in between",
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"x\",\"output\":null,\"call\":1,"
     "\"return\":2}\n"
     "{\"client\":1,\"op\":\"cas\",\"key\":\"a\",\"input\":[\"x\",\"y\"],\"output\":true,"
     "\"call\":3,\"return\":4}\n"
     "{\"client\":2,\"op\":\"cas\",\"key\":\"a\",\"input\":[\"x\",\"z\"],\"output\":false,"
     "\"call\":5,\"return\":6}\n",
     NULL, GD_SIM_PASS},
    {"a transaction seen in two halves",
     "{\"client\":1,\"op\":\"txn\",\"input\":null,\"output\":null,\"ops\":[{\"op\":\"write\","
     "\"key\":\"a\",\"input\":\"x\",\"output\":null},{\"op\":\"write\",\"key\":\"b\",\"input\":"
     "\"y\",\"output\":null}],\"call\":1,\"return\":9}\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":\"x\",\"call\":3,"
     "\"return\":4}\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"b\",\"input\":null,\"output\":null,\"call\":5,"
     "\"return\":6}\n",
     NULL, GD_SIM_FAIL},
    {"a transaction seen whole",
     "{\"client\":1,\"op\":\"txn\",\"input\":null,\"output\":null,\"ops\":[{\"op\":\"write\","
     "\"key\":\"a\",\"input\":\"x\",\"output\":null},{\"op\":\"write\",\"key\":\"b\",\"input\":"
     "\"y\",\"output\":null}],\"call\":1,\"return\":9}\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"b\",\"input\":null,\"output\":null,\"call\":3,"
     "\"return\":4}\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":\"x\",\"call\":5,"
     "\"return\":6}\n",
     NULL, GD_SIM_PASS},
    {"an unknown write that was seen",
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"x\",\"call\":1,\"return\":null}"
     "\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":\"x\",\"call\":8,"
     "\"return\":9}\n"
     "{\"client\":3,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":null,\"call\":10,"
     "\"return\":11}\n",
     NULL, GD_SIM_FAIL},
    {"an unknown write that comes late",
     "{\"client\":1,\"op\":\"write\",\"key\":\"a\",\"input\":\"x\",\"call\":1,\"return\":null}"
     "\n"
     "{\"client\":2,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":null,\"call\":8,"
     "\"return\":9}\n"
     "{\"client\":3,\"op\":\"read\",\"key\":\"a\",\"input\":null,\"output\":\"x\",\"call\":10,"
     "\"return\":11}\n",
     NULL, GD_SIM_PASS},
    {"an unknown op", "\n{\"op\":\"jump\"}\n", "line 2: an unknown op", GD_SIM_PASS},
    {"no key", "{\"op\":\"read\",\"call\":1,\"return\":2}\n",
     "line 1: an operation wants its op and key", GD_SIM_PASS},
    {"a return before its call", "{\"op\":\"read\",\"key\":\"a\",\"call\":2,\"return\":1}\n",
     "line 1: call and return, in this order, are wanted", GD_SIM_PASS},
    {"base64 that is none",
     "{\"op\":\"read\",\"key\":{\"base64\":\"AA=\"},\"call\":1,\"return\":2}\n",
     "line 1: {\"base64\": \"...\"} is wanted", GD_SIM_PASS},
    {"half a line", "{\"op\":\"read\",\"key\":\"a", "line 1: a string without its end",
     GD_SIM_PASS},
};

static void test_check_reads_and_judges(void **state)
{
    (void)state;
    for (size_t i = 0; i < GD_COUNT(histories); i++) {
        struct gd_sim_record record = {0};
        struct gd_error error = {0};
        char why[1024] = "";
        print_message("case: %s\n", histories[i].name);
        enum gd_err err = gd_sim_history_read(
            (struct gd_slice){(const uint8_t *)histories[i].text, strlen(histories[i].text)},
            &record, &error);
        if (histories[i].refusal != NULL) {
            assert_int_equal(err, GD_ERR_INVALID);
            assert_string_equal(error.text, histories[i].refusal);
        } else {
            assert_int_equal(err, GD_OK);
            assert_int_equal(gd_sim_verdict(&record, GD_SIM_VERDICT_FREE, why, sizeof why),
                             histories[i].want);
        }
        gd_sim_record_release(&record);
    }
}

/* `count` writes that nobody knows the outcome of, appends and deletes among what is known, and at
 * the end a read of what was overwritten (`stale`) or of the last append. */
static enum gd_sim_outcome judge_unknown(unsigned count, bool stale)
{
    struct gd_bytes bytes = {0};
    struct gd_sim_record record = {0};
    struct gd_error error = {0};
    char why[1024] = "";
    static const char *const known[] = {
        "\"op\":\"write\",\"input\":\"a\",\"call\":2,\"return\":3",
        "\"op\":\"append\",\"input\":\"b;\",\"call\":4,\"return\":5",
        "\"op\":\"read\",\"output\":\"ab;\",\"call\":6,\"return\":7",
        "\"op\":\"delete\",\"call\":8,\"return\":9",
        "\"op\":\"append\",\"input\":\"c;\",\"call\":10,\"return\":11",
    };
    for (unsigned i = 0; i < count; i++) {
        gd_bytes_format(&bytes, "{\"key\":\"k\",\"op\":\"%s\",\"input\":\"u%u\",\"call\":1}\n",
                        i % 3 == 0 ? "swap" : "write", i);
    }
    for (size_t i = 0; i < GD_COUNT(known); i++) {
        gd_bytes_format(&bytes, "{\"key\":\"k\",%s}\n", known[i]);
    }
    gd_bytes_format(&bytes,
                    "{\"key\":\"k\",\"op\":\"read\",\"output\":\"%s\",\"call\":12,"
                    "\"return\":13}\n",
                    stale ? "ab;c;" : "c;");
    assert_int_equal(gd_sim_history_read(gd_bytes_slice(&bytes), &record, &error), GD_OK);
    enum gd_sim_outcome outcome = gd_sim_verdict(&record, GD_SIM_VERDICT_FREE, why, sizeof why);
    gd_sim_record_release(&record);
    gd_bytes_release(&bytes);
    return outcome;
}

static void test_check_of_many_unknown(void **state)
{
    (void)state;
    assert_int_equal(judge_unknown(300, false), GD_SIM_PASS);
    assert_int_equal(judge_unknown(300, true), GD_SIM_FAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_reads_and_judges),
        cmocka_unit_test(test_check_of_many_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
