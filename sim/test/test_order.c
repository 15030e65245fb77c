/* What lin_order.c and lin_counts.c find out, rule by rule. That none of it is ever wrong is shown
 * by test_brute; that it is found at all, here. */
#include "engine/test/test.h"
#include "sim/lin_kv.h"
#include <stdio.h>
#include <stdlib.h>

struct line {
    const char *what; /* "r a=1 b" reads, "w a=1 b=2" writes, "i a=5" counts, "d a" deletes, "s"
                         sets what is absent ("s a=1" done, "s a!1" not): a step for each key. */
    gd_time_ns call, back; /* back 0: unknown. */
};
struct problem {
    struct gd_sim_record record;
    struct gd_lin_kv_part_numbers part;
    struct gd_lin_blocks_result result;
    enum gd_lin_told told;
};

static void add_step(struct gd_sim_record *record, char what, const char *word)
{
    static const enum gd_sim_do kinds[] = {['r'] = GD_SIM_DO_READ,
                                           ['w'] = GD_SIM_DO_WRITE,
                                           ['i'] = GD_SIM_DO_INCR,
                                           ['d'] = GD_SIM_DO_DELETE,
                                           ['s'] = GD_SIM_DO_SETNX};
    const char *text = word[1] == '\0' ? "" : word + 2;
    struct gd_sim_value value = text[0] == '\0'
                                    ? (struct gd_sim_value){.kind = GD_SIM_VALUE_NOTHING}
                                    : gd_sim_value_text(record, text, strlen(text));
    struct gd_sim_step *step =
        gd_sim_record_step(record, kinds[(unsigned char)what], (unsigned)(word[0] - 'a'));
    if (what == 'r') {
        step->output = value;
    } else if (what == 'i') {
        step->input = gd_sim_value_number(1);
        step->output = gd_sim_value_number(strtoll(text, NULL, 10));
    } else {
        step->input = value;
        step->output = what == 's' ? gd_sim_value_bool(word[1] == '=')
                                   : (struct gd_sim_value){.kind = GD_SIM_VALUE_NOTHING};
    }
}

static void begin(struct problem *problem, const struct line *lines, size_t count)
{
    static const uint32_t cell_of[] = {0, 1, 2};
    struct gd_sim_record *record = &problem->record;
    struct gd_sim_brief steps[48];
    size_t step_count = 0;
    *problem = (struct problem){.told = GD_LIN_TOLD_NOTHING};
    for (size_t i = 0; i < count; i++) {
        char words[64];
        size_t operation = gd_sim_record_call(record, i + 1, "operation", lines[i].call);
        (void)snprintf(words, sizeof words, "%s", lines[i].what + 2);
        for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
            add_step(record, lines[i].what[0], word);
        }
        record->operations[operation].txn = record->operations[operation].count > 1;
        if (lines[i].back > 0) {
            gd_sim_record_return(record, operation, GD_SIM_FATE_DONE, lines[i].back);
        }
        assert_true(step_count + record->operations[operation].count <= GD_COUNT(steps));
        gd_sim_brief_make(record, operation, steps + step_count);
        step_count += record->operations[operation].count;
    }
    gd_lin_numbers_make(&problem->part, record, steps, step_count, cell_of, GD_COUNT(cell_of),
                        false);
    problem->told = gd_lin_order(&problem->part, &problem->result);
}

static void end(struct problem *problem)
{
    gd_lin_numbers_release(&problem->part);
    gd_sim_record_release(&problem->record);
}

/* Is it known, by times or in `before`, that `a` comes before `b`? */
static bool precedes(const struct problem *problem, uint32_t a, uint32_t b)
{
    const struct gd_lin_kv_part_numbers *part = &problem->part;
    if (a == b || part->calls[a].back < part->calls[b].call) {
        return a != b;
    }
    for (uint32_t k = part->before_first[b]; k < part->before_first[b + 1]; k++) {
        if (precedes(problem, a, part->before[k]) || part->before[k] == a) {
            return true;
        }
    }
    return false;
}

static void test_order_of_supplied_reads(void **state)
{
    static const struct line lines[] = {{"w a=1 b=1", 1, 10},
                                        {"w a=2 b=2", 1, 10},
                                        {"r a=1", 2, 12},
                                        {"r b=2", 11, 13},
                                        {"r b=1", 2, 14}};
    struct problem problem;
    (void)state;
    begin(&problem, lines, GD_COUNT(lines));
    assert_int_equal(problem.told, GD_LIN_TOLD_NOTHING);
    /* O2: who supplied. */
    assert_true(precedes(&problem, 0, 2));
    assert_true(precedes(&problem, 1, 3));
    /* O3: b was 2 behind both writes, so 1 is behind 0; who saw 1 is before that, on either key. */
    assert_true(precedes(&problem, 0, 1));
    assert_true(precedes(&problem, 2, 1));
    assert_true(precedes(&problem, 4, 1));
    assert_false(precedes(&problem, 2, 4));
    end(&problem);
}

/* An unknown one that was seen happened, and must be done by then; one that was not, is left. */
static void test_order_of_unknown(void **state)
{
    static const struct line lines[] = {{"w a=1", 1, 2},
                                        {"w a=2 b=2", 3, 0},
                                        {"w a=3 b=3", 3, 0},
                                        {"r b=2", 5, 9},
                                        {"r a=1", 3, 7}};
    struct problem problem;
    (void)state;
    begin(&problem, lines, GD_COUNT(lines));
    assert_int_equal(problem.told, GD_LIN_TOLD_NOTHING);
    assert_int_equal(problem.part.calls[1].back, 9);
    assert_int_equal(problem.part.calls[2].back, GD_LIN_OPEN);
    assert_true(precedes(&problem, 0, 2));
    assert_true(precedes(&problem, 4, 1));
    assert_false(precedes(&problem, 2, 4));
    end(&problem);
}

/* Of two that could have supplied it one came too early, so it was the other: it happened. */
static void test_order_of_what_comes_again(void **state)
{
    static const struct line lines[] = {
        {"d a", 1, 2}, {"w a=1", 3, 4}, {"d a", 5, 0}, {"r a", 6, 8}, {"r a=1", 6, 9}};
    static const struct line either[] = {
        {"w a=1", 1, 2}, {"w b=1", 3, 4}, {"d a b", 5, 0}, {"d a", 5, 0}, {"r a", 6, 8}};
    struct problem problem;
    (void)state;
    begin(&problem, lines, GD_COUNT(lines));
    assert_int_equal(problem.told, GD_LIN_TOLD_NOTHING);
    assert_int_equal(problem.part.calls[2].back, 8);
    assert_true(precedes(&problem, 2, 3));
    assert_true(precedes(&problem, 4, 2));
    end(&problem);
    begin(&problem, either, GD_COUNT(either));
    assert_int_equal(problem.told, GD_LIN_TOLD_NOTHING);
    assert_int_equal(problem.part.calls[2].back, GD_LIN_OPEN);
    assert_int_equal(problem.part.calls[3].back, GD_LIN_OPEN);
    end(&problem);
}

/* O4: whoever brought it, this one came before. */
static void test_order_behind_all_suppliers(void **state)
{
    static const struct line lines[] = {
        {"w b=1", 1, 20}, {"r b=1", 2, 5}, {"w a=1", 6, 20}, {"w a=1", 7, 20}, {"r a=1", 3, 20}};
    struct problem problem;
    (void)state;
    begin(&problem, lines, GD_COUNT(lines));
    assert_int_equal(problem.told, GD_LIN_TOLD_NOTHING);
    assert_true(precedes(&problem, 0, 4));
    assert_true(precedes(&problem, 1, 4));
    assert_false(precedes(&problem, 2, 4));
    end(&problem);
}

static void test_order_of_numbers(void **state)
{
    static const struct line lines[] = {
        {"w a=1000", 1, 2}, {"i a=1003", 1, 20}, {"i a=1001", 1, 20}, {"r a=1002", 1, 20},
        {"i a=1", 1, 20},   {"w a=2000", 3, 20}, {"i a=0", 4, 0}};
    struct problem problem;
    (void)state;
    begin(&problem, lines, GD_COUNT(lines));
    assert_int_equal(problem.told, GD_LIN_TOLD_NOTHING);
    /* O5. The 1002 in between is the unknown one's: it happened. */
    assert_true(precedes(&problem, 2, 1));
    assert_true(precedes(&problem, 2, 3));
    assert_true(precedes(&problem, 3, 1));
    assert_int_equal(problem.part.calls[6].back, 20);
    assert_true(precedes(&problem, 6, 3));
    /* The first of all found nothing there; 2000 came when all of them were done. */
    assert_true(precedes(&problem, 4, 0));
    assert_true(precedes(&problem, 1, 5));
    end(&problem);
}

static void test_order_that_is_none(void **state)
{
    static const struct line crossed[] = {
        {"w a=1 b=1", 1, 9}, {"w a=2 b=2", 1, 9}, {"r a=1 b=2", 10, 11}};
    static const struct line late[] = {{"w a=1", 1, 2},     {"w a=2 b=1", 3, 4}, {"w c=1", 3, 6},
                                       {"r b=1 c=1", 3, 9}, {"r a=1 c=1", 3, 9}, {"w c=2", 5, 6},
                                       {"r c=2", 7, 8},     {"r a=1", 7, 8}};
    struct problem problem;
    (void)state;
    begin(&problem, crossed, GD_COUNT(crossed));
    assert_int_equal(problem.told, GD_LIN_TOLD_ILLEGAL);
    end(&problem);
    begin(&problem, late, GD_COUNT(late));
    assert_int_equal(problem.told, GD_LIN_TOLD_ILLEGAL);
    end(&problem);
}

/* Which numbers are in force once at most: those that one written number alone leads to. */
static void test_roots_of_numbers(void **state)
{
    static const struct line lines[] = {{"w a=100", 1, 2},  {"i a=101", 3, 4}, {"w a=102", 5, 6},
                                        {"i a=103", 7, 8},  {"w a=1", 9, 10},  {"w a=200", 9, 0},
                                        {"w a=200", 9, 0},  {"w a=300", 9, 0}, {"r a=302", 11, 12},
                                        {"r a=303", 11, 12}};
    static const struct {
        const char *text, *root;
    } cases[] = {{"100", NULL}, {"101", NULL},  {"102", NULL},  {"1", NULL},
                 {"200", NULL}, {"300", "300"}, {"302", "300"}, {"303", NULL}};
    struct problem problem;
    (void)state;
    begin(&problem, lines, GD_COUNT(lines));
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_sim_value text =
            gd_sim_value_text(&problem.record, cases[i].text, strlen(cases[i].text));
        uint32_t root = gd_lin_root_of(&problem.part, gd_lin_value_of(&problem.part, 0, &text));
        print_message("case: %s\n", cases[i].text);
        assert_int_equal(root != GD_LIN_NO, cases[i].root != NULL);
        if (cases[i].root != NULL) {
            assert_string_equal(problem.part.values[root].text, cases[i].root);
        }
    }
    assert_true(gd_lin_never_zero(&problem.part, 0));
    assert_true(gd_lin_counts_to(&problem.part, 0, 302));
    assert_false(gd_lin_counts_to(&problem.part, 0, 300));
    end(&problem);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_supplied_reads),
        cmocka_unit_test(test_order_of_unknown),
        cmocka_unit_test(test_order_of_what_comes_again),
        cmocka_unit_test(test_order_behind_all_suppliers),
        cmocka_unit_test(test_order_of_numbers),
        cmocka_unit_test(test_order_that_is_none),
        cmocka_unit_test(test_roots_of_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
