/* The judge of histories: small ones whose verdict is plain to see. */
#include "engine/test/test.h"
#include "sim/verdict.h"

struct line {
    enum gd_sim_do what;
    unsigned key;
    const char *input, *output; /* NULL: nothing. Numbers and booleans by their first letter. */
    gd_time_ns call, back;      /* back 0: unknown. */
};
#define R(key, output, call, back)                                                                 \
    {                                                                                              \
        GD_SIM_DO_READ, key, NULL, output, call, back                                              \
    }
#define W(key, input, call, back)                                                                  \
    {                                                                                              \
        GD_SIM_DO_WRITE, key, input, NULL, call, back                                              \
    }
#define O(what, key, input, output, call, back)                                                    \
    {                                                                                              \
        GD_SIM_DO_##what, key, input, output, call, back                                           \
    }

static struct gd_sim_value value_of(struct gd_sim_record *record, const char *text)
{
    if (text == NULL) {
        return (struct gd_sim_value){.kind = GD_SIM_VALUE_NOTHING};
    }
    if (text[0] == '#') {
        return gd_sim_value_number(text[1] - '0');
    }
    if (text[0] == '?') {
        return gd_sim_value_bool(text[1] == 't');
    }
    return gd_sim_value_text(record, text, strlen(text));
}

static enum gd_sim_outcome verdict_of(const struct line *lines, size_t count)
{
    struct gd_sim_record record = {0};
    char text[1024] = "";
    for (size_t i = 0; i < count && lines[i].call > 0; i++) {
        size_t op = gd_sim_record_call(&record, i, "op", lines[i].call);
        struct gd_sim_value input = value_of(&record, lines[i].input);
        struct gd_sim_value output = value_of(&record, lines[i].output);
        struct gd_sim_step *step = gd_sim_record_step(&record, lines[i].what, lines[i].key);
        step->input = input;
        step->output = output;
        if (lines[i].back > 0) {
            gd_sim_record_return(&record, op, GD_SIM_FATE_DONE, lines[i].back);
        }
    }
    enum gd_sim_outcome outcome =
        gd_sim_verdict(&record, GD_SIM_VERDICT_ORDERED, text, sizeof text);
    if (text[0] != '\0') {
        print_message("%s\n", text);
    }
    gd_sim_record_release(&record);
    return outcome;
}

static void test_verdict_of_small_histories(void **state)
{
    static const struct {
        const char *name;
        struct line lines[6];
        enum gd_sim_outcome want;
    } cases[] = {
        {"a read of what was written", {W(0, "a", 1, 2), R(0, "a", 3, 4)}, GD_SIM_PASS},
        {"a stale read", {W(0, "a", 1, 2), W(0, "b", 3, 4), R(0, "a", 5, 6)}, GD_SIM_FAIL},
        {"a write that overlaps a read may come before or after it",
         {W(0, "a", 1, 2), W(0, "b", 3, 6), R(0, "a", 4, 5), R(0, "b", 7, 8)},
         GD_SIM_PASS},
        {"two reads that see a write come and go",
         {W(0, "a", 1, 2), W(0, "b", 3, 9), R(0, "b", 4, 5), R(0, "a", 6, 7)},
         GD_SIM_FAIL},
        {"a value that nobody wrote", {R(0, "x", 1, 2)}, GD_SIM_FAIL},
        {"an unknown write may have happened, late",
         {W(0, "a", 1, 2), W(0, "b", 3, 0), R(0, "a", 4, 5), R(0, "b", 8, 9)},
         GD_SIM_PASS},
        {"... or never", {W(0, "a", 1, 2), W(0, "b", 3, 0), R(0, "a", 8, 9)}, GD_SIM_PASS},
        {"... but not twice",
         {W(0, "a", 1, 2), W(0, "b", 3, 0), R(0, "b", 4, 5), W(0, "c", 6, 7), R(0, "b", 8, 9)},
         GD_SIM_FAIL},
        {"a lost update",
         {O(INCR, 0, "#1", "#1", 1, 2), O(INCR, 0, "#1", "#1", 3, 4)},
         GD_SIM_FAIL},
        {"increments in any order",
         {O(INCR, 0, "#1", "#2", 1, 5), O(INCR, 0, "#1", "#1", 2, 6), R(0, "2", 7, 8)},
         GD_SIM_PASS},
        {"an append applied twice",
         {O(APPEND, 0, "ab", "#2", 1, 2), R(0, "abab", 3, 4)},
         GD_SIM_FAIL},
        {"two deletes of one value",
         {W(0, "a", 1, 2), O(DELETE, 0, NULL, "?t", 3, 6), O(DELETE, 0, NULL, "?t", 4, 7)},
         GD_SIM_FAIL},
        {"setnx on what is there", {W(0, "a", 1, 2), O(SETNX, 0, "b", "?t", 3, 4)}, GD_SIM_FAIL},
        {"swap and take",
         {O(SWAP, 0, "a", NULL, 1, 2), O(SWAP, 0, "b", "a", 3, 4), O(TAKE, 0, NULL, "b", 5, 6),
          R(0, NULL, 7, 8)},
         GD_SIM_PASS},
        {"keys are independent", {W(0, "a", 1, 2), R(1, NULL, 3, 4)}, GD_SIM_PASS},
    };
    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        print_message("case: %s\n", cases[i].name);
        assert_int_equal(verdict_of(cases[i].lines, GD_COUNT(cases[i].lines)), cases[i].want);
    }
}

/* Ten unknown writes and a read that none of them explains: no blow-up. */
static void test_verdict_of_many_unknown(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    struct line lines[12];
    (void)state;
    for (size_t i = 0; i < 10; i++) {
        lines[i] = (struct line)W(0, names[i], 1 + i, 0);
    }
    lines[10] = (struct line)R(0, "a", 20, 21);
    lines[11] = (struct line)R(0, "z", 22, 23);
    assert_int_equal(verdict_of(lines, 12), GD_SIM_FAIL);
    assert_int_equal(verdict_of(lines, 11), GD_SIM_PASS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdict_of_small_histories),
        cmocka_unit_test(test_verdict_of_many_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
