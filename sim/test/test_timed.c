/* What keys with a time may hold: answers that fit and answers that do not, by cases. */
#include "engine/test/test.h"
#include "sim/timed_model.h"
#include <stdlib.h>

/* A command with its answer, at a time between two bounds. The answer by its first letter: + - $ as
 * in RESP, : a number, _ null, * unknown. */
struct line {
    struct gd_sim_timed_command command;
    int64_t least_ms, most_ms;
    const char *answer;
};
#define DO(verb_, ...)                                                                             \
    {                                                                                              \
        .verb = GD_SIM_TIMED_##verb_, __VA_ARGS__                                                  \
    }
#define IN(ms_) .time = GD_SIM_TIMED_IN, .ms = (ms_)
#define AT(ms_) .time = GD_SIM_TIMED_AT, .ms = (ms_)
#define LINES_MAX 5
static const struct {
    const char *name;
    struct line lines[LINES_MAX];
    bool want; /* All but the last fit in any case. */
} cases[] = {
    {"nothing is there at first", {{DO(GET, .key = 0), 0, 9, "_"}}, true},
    {"what nobody wrote", {{DO(GET, .key = 0), 0, 9, "$a"}}, false},
    {"INCR keeps the time",
     {{DO(SET, .text = "1", IN(100)), 1000, 1000, "+OK"},
      {DO(INCRBY, .amount = 1), 1000, 1000, ":2"},
      {DO(EXPIRETIME, .key = 0), 1000, 1000, ":1100"}},
     true},
    {"and does not drop it",
     {{DO(SET, .text = "1", IN(100)), 1000, 1000, "+OK"},
      {DO(INCRBY, .amount = 1), 1000, 1000, ":2"},
      {DO(EXPIRETIME, .key = 0), 1000, 1000, ":-1"}},
     false},
    {"surely over, and it is there",
     {{DO(SET, .text = "a", IN(100)), 1000, 1050, "+OK"}, {DO(GET, .key = 0), 1150, 9000, "$a"}},
     false},
    {"surely not over, and it is gone",
     {{DO(SET, .text = "a", IN(100)), 1000, 1050, "+OK"}, {DO(GET, .key = 0), 1000, 1099, "_"}},
     false},
    {"perhaps over: gone",
     {{DO(SET, .text = "a", IN(100)), 1000, 1050, "+OK"}, {DO(GET, .key = 0), 1050, 1100, "_"}},
     true},
    {"perhaps over, and once gone it stays so",
     {{DO(SET, .text = "a", IN(100)), 1000, 1050, "+OK"},
      {DO(GET, .key = 0), 1050, 1100, "_"},
      {DO(EXISTS, .key = 0), 1050, 1100, ":1"}},
     false},
    {"what is left narrows when it is over",
     {{DO(SET, .text = "a", IN(100)), 1000, 1050, "+OK"},
      {DO(TTL, .key = 0), 1050, 1050, ":60"},
      {DO(EXPIRETIME, .key = 0), 1000, 1200, ":1120"}},
     false},
    {"seconds are the nearest ones",
     {{DO(SET, .text = "a", IN(1499)), 1000, 1000, "+OK"},
      {DO(TTL, .seconds = true), 1000, 1000, ":1"},
      {DO(TTL, .seconds = true), 1000, 1000, ":2"}},
     false},
    {"an unknown SETNX may have kept the time or dropped it",
     {{DO(SET, .text = "a", IN(100)), 1000, 1000, "+OK"},
      {DO(SETNX, .text = "b"), 1050, 1150, "*"},
      {DO(TTL, .key = 0), 1050, 1060, ":-1"}},
     true},
    {"SET drops the time",
     {{DO(SET, .text = "a", IN(100)), 1000, 1000, "+OK"},
      {DO(SET, .text = "b"), 1000, 1000, "+OK"},
      {DO(TTL, .key = 0), 1000, 1000, ":100"}},
     false},
    {"KEEPTTL keeps it",
     {{DO(SET, .text = "a", IN(100)), 1000, 1000, "+OK"},
      {DO(SET, .text = "b", .time = GD_SIM_TIMED_KEEP), 1000, 1000, "+OK"},
      {DO(TTL, .key = 0), 1000, 1000, ":100"}},
     true},
    {"PERSIST takes it away",
     {{DO(SET, .text = "a", IN(100)), 1000, 1000, "+OK"},
      {DO(PERSIST, .key = 0), 1000, 1000, ":1"},
      {DO(GET, .key = 0), 5000, 5000, "_"}},
     false},
    {"RENAME moves it",
     {{DO(SET, .text = "a", IN(100)), 1000, 1000, "+OK"},
      {DO(RENAME, .to = 1), 1000, 1000, "+OK"},
      {DO(GET, .key = 0), 1000, 1000, "_"},
      {DO(TTL, .key = 1), 1000, 1000, ":100"}},
     true},
    {"COPY has it twice",
     {{DO(SET, .text = "a", IN(100)), 1000, 1000, "+OK"},
      {DO(COPY, .to = 1), 1000, 1000, ":1"},
      {DO(GET, .key = 0), 1000, 1000, "$a"},
      {DO(GET, .key = 1), 1100, 1100, "$a"}},
     false},
    {"RENAME of nothing", {{DO(RENAME, .to = 1), 0, 9, "-ERR no such key"}}, true},
    {"INCR of a text",
     {{DO(SET, .text = "a"), 0, 9, "+OK"},
      {DO(INCRBY, .amount = 1), 0, 9, "-ERR value is not an integer or out of range"}},
     true},
    {"EXPIREAT of the past deletes",
     {{DO(SET, .text = "a"), 1000, 1000, "+OK"},
      {DO(EXPIRE, AT(900)), 1000, 1000, ":1"},
      {DO(GET, .key = 0), 1000, 1000, "$a"}},
     false},
    {"EXPIRE NX leaves a time alone",
     {{DO(SET, .text = "a", IN(100)), 1000, 1000, "+OK"},
      {DO(EXPIRE, IN(900), .condition = GD_SIM_TIMED_UNLESS), 1000, 1000, ":0"},
      {DO(TTL, .key = 0), 1000, 1000, ":100"}},
     true},
    {"SET XX of a key whose time is over",
     {{DO(SET, .text = "a", IN(100)), 1000, 1000, "+OK"},
      {DO(SET, .text = "b", .condition = GD_SIM_TIMED_IF), 1100, 1100, "+OK"}},
     false},
    {"APPEND keeps it",
     {{DO(SET, .text = "a", IN(100)), 1000, 1000, "+OK"},
      {DO(APPEND, .text = "b"), 1000, 1000, ":2"},
      {DO(GETEX, .time = GD_SIM_TIMED_PERSISTS), 1099, 1099, "$ab"},
      {DO(GETDEL, .key = 0), 9000, 9000, "$ab"},
      {DO(STRLEN, .key = 0), 9000, 9000, ":0"}},
     true},
};

static struct gd_sim_reply reply_of(const char *text)
{
    struct gd_sim_reply reply = {.type = GD_SIM_REPLY_NULL, .next = 1};
    reply.type = text[0] == '+'   ? GD_SIM_REPLY_STATUS
                 : text[0] == '-' ? GD_SIM_REPLY_ERROR
                 : text[0] == '$' ? GD_SIM_REPLY_BULK
                 : text[0] == ':' ? GD_SIM_REPLY_INTEGER
                                  : GD_SIM_REPLY_NULL;
    reply.text = (struct gd_slice){(const uint8_t *)text + 1, strlen(text) - 1};
    reply.integer = reply.type == GD_SIM_REPLY_INTEGER ? strtoll(text + 1, NULL, 10) : 0;
    return reply;
}

static void test_timed_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_sim_timed_states states;
        size_t count = 0;
        gd_sim_timed_init(&states);
        while (count < LINES_MAX && cases[i].lines[count].answer != NULL) {
            count++;
        }
        for (size_t k = 0; k < count; k++) {
            const struct line *line = &cases[i].lines[k];
            struct gd_sim_timed_now now = {line->least_ms, line->most_ms};
            struct gd_sim_reply reply = reply_of(line->answer);
            bool fits = gd_sim_timed_step(&states, &line->command, now,
                                          line->answer[0] == '*' ? NULL : &reply);
            if (fits != (k + 1 < count || cases[i].want)) {
                fail_msg("%s: line %zu", cases[i].name, k + 1);
            }
        }
    }
}

/* What drops the whole store: surely, and possibly. */
static void test_timed_wipe(void **state)
{
    const struct gd_sim_timed_command set = DO(SET, .text = "a"), get = DO(GET, .key = 0);
    struct gd_sim_timed_now now = {0, 9};
    struct gd_sim_reply ok = reply_of("+OK"), text = reply_of("$a"), null = reply_of("_");
    (void)state;
    for (unsigned surely = 0; surely < 2; surely++) {
        struct gd_sim_timed_states states, other;
        gd_sim_timed_init(&states);
        assert_true(gd_sim_timed_step(&states, &set, now, &ok));
        gd_sim_timed_wipe(&states, surely != 0);
        other = states;
        assert_true(gd_sim_timed_step(&states, &get, now, &null));
        assert_int_equal(gd_sim_timed_step(&other, &get, now, &text), surely == 0);
    }
}

/* Values that grow too long: nothing is known, and that is told. */
static void test_timed_lost(void **state)
{
    const struct gd_sim_timed_command append = DO(APPEND, .text = "0123456789abcde");
    struct gd_sim_timed_now now = {0, 9};
    struct gd_sim_timed_states states;
    (void)state;
    gd_sim_timed_init(&states);
    for (int i = 0; i < 4; i++) {
        assert_false(states.lost);
        assert_true(gd_sim_timed_step(&states, &append, now, NULL));
    }
    assert_false(states.lost);
    assert_true(gd_sim_timed_step(&states, &append, now, NULL));
    assert_true(states.lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timed_cases),
        cmocka_unit_test(test_timed_wipe),
        cmocka_unit_test(test_timed_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
