/* Plans: printing and parsing are inverse, and what is not understood is refused with its line. */
#include "engine/test/test.h"
#include "sim/plan.h"
#include <stdlib.h>

/* P1, over the plans of many seeds. */
static void test_plan_print_and_parse_are_inverse(void **state)
{
    struct gd_sim_plan *plan = calloc(2, sizeof *plan);
    (void)state;
    assert_non_null(plan);
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct gd_bytes bytes = {0};
        struct gd_error error = {0};
        gd_sim_plan_draw(&plan[0], seed, 0);
        gd_sim_plan_print(&plan[0], &bytes);
        enum gd_err err = gd_sim_plan_parse(gd_bytes_slice(&bytes), &plan[1], &error);
        if (err != GD_OK) {
            print_error("seed %llu: %s\n", (unsigned long long)seed, error.text);
        }
        assert_int_equal(err, GD_OK);
        assert_memory_equal(&plan[0], &plan[1], sizeof plan[0]);
        gd_bytes_release(&bytes);
    }
    free(plan);
}

/* P2. */
static const struct {
    const char *name, *text, *want;
} bad_lines[] = {
    {"unknown word", "seed 1\nbogus 3\n", "line 2: unknown word 'bogus'"},
    {"unknown fault", "at 1s explode node 1\n", "line 1: unknown fault 'explode'"},
    {"no target", "\n\nat 1s crash\n", "line 3: the fault lacks its target"},
    {"a role that is none", "at 1s crash boss for 1s\n", "line 1: a fault's target is"},
    {"no such node", "at 1s crash node 77 for 1s\n", "line 1: a node's number"},
    {"no duration", "at 1s crash leader\n", "line 1: the fault lacks its duration"},
    {"a duration too many", "at 1s reset leader for 1s\n", "line 1: this fault is over at once"},
    {"later than nothing", "at 1s crash leader later 3ms for 1s\n",
     "line 1: this fault waits for no role: it has no 'later'"},
    {"later by no time", "at 1s crash elected later for 1s\n",
     "line 1: a time such as 3ms is wanted behind 'later', not 'for'"},
    {"an end that is no role", "at 1s crash leader until noon for 1s\n",
     "line 1: a role that is waited for is wanted behind 'until', not 'noon'"},
    {"an end that is there already", "at 1s crash leader until follower for 1s\n",
     "line 1: a role that is waited for"},
    {"an end of nothing", "at 1s reset leader until elected\n",
     "line 1: this fault is over at once: it has no 'until'"},
    {"time goes back", "at 2s crash leader for 1s\nat 1s crash leader for 1s\n",
     "line 2: the time goes back"},
    {"not a time", "at 2 crash leader for 1s\n", "line 1: a time such as"},
    {"out of range", "nodes 99\n", "line 1: out of this parameter's range: '99'"},
    {"no value", "nodes\n", "line 1: not a value for this parameter"},
    {"too much", "nodes 3 4\n", "line 1: too much on the line: '4'"},
    {"no point of a crash", "at 1s crash-at leader for 1s\n", "line 1: crash-at lacks"},
    {"no operation", "at 1s crash-at leader half\n", "line 1: a disk operation is wanted"},
    {"nothing that fails", "at 1s fail-op leader for 1s\n", "line 1: the fault lacks the disk"},
    {"an outage behind nothing", "at 1s fail-outage leader for 1s\n",
     "line 1: the fault lacks the disk"},
    {"no such operation", "at 1s crash-at leader half fly for 1s\n",
     "line 1: a disk operation is wanted, not 'fly'"},
    {"a node that is none of them", "seed 1\nat 1s crash node 4 for 1s\nnodes 3\n",
     "line 2: the cluster has no node '4'"},
    {"a group beyond the cluster", "at 1s split 1,5 for 1s\n",
     "line 1: the cluster has no node '5'"},
    {"no group", "at 1s split\n", "line 1: the fault lacks its target"},
    {"nothing behind at", "at\n", "line 1: a time such as"},
    {"no fault", "at 1s\n", "line 1: unknown fault ''"},
    {"no measure", "at 1s slow-disk leader for 1s\n", "line 1: the fault lacks its measure"},
    {"no jump", "at 1s clock-jump leader\n", "line 1: the fault lacks its measure"},
    {"a count too many", "at 1s crash leader count 3 for 1s\n",
     "line 1: this fault has no 'count'"},
    {"a count of none", "at 1s fail-sync leader count 0 for 1s\n", "line 1: a number is wanted"},
    {"more than certain", "at 1s lossy leader count 1000001 for 1s\n",
     "line 1: a chance is at most"},
    {"a jump of a crash", "at 1s crash leader by 1s for 1s\n", "line 1: this fault has no 'by'"},
    {"a word behind the fault", "at 1s crash leader for 1s now\n", "line 1: unknown word 'now'"},
    {"a number that is none", "seed x\n", "line 1: a number is wanted behind 'seed'"},
    {"timeouts that contradict", "node.heartbeat 1s\nnode.election_timeout 1s\nkeys 3\n",
     "line 2: node.election_timeout is below"},
    {"latencies that contradict", "net.latency_min 2s\n\nkeys 3\n", "line 1: net.latency_min"},
    {"a parameter twice", "nodes 3\nkeys 2\nnodes 5\n", "line 3: said twice: 'nodes'"},
    {"two seeds", "seed 1\nseed 2\n", "line 2: said twice: 'seed'"},
    {"an option twice", "at 1s crash leader for 1s for 2s\n", "line 1: said twice: 'for'"},
    {"behind the end", "at 5s crash leader for 1s\nduration 4s\n",
     "line 1: this fault is behind the run's end"},
};

static void test_plan_parse_names_the_line(void **state)
{
    struct gd_sim_plan *plan = calloc(1, sizeof *plan);
    (void)state;
    assert_non_null(plan);
    for (size_t i = 0; i < sizeof bad_lines / sizeof bad_lines[0]; i++) {
        struct gd_error error = {0};
        struct gd_slice text = {(const uint8_t *)bad_lines[i].text, strlen(bad_lines[i].text)};
        print_message("case: %s\n", bad_lines[i].name);
        assert_int_equal(gd_sim_plan_parse(text, plan, &error), GD_ERR_INVALID);
        if (strncmp(error.text, bad_lines[i].want, strlen(bad_lines[i].want)) != 0) {
            print_error("got: %s\n", error.text);
        }
        assert_int_equal(strncmp(error.text, bad_lines[i].want, strlen(bad_lines[i].want)), 0);
    }
    free(plan);
}

/* D1 of plan_draw.c: damage strikes a minority of the disks. */
static void test_plan_draw_damages_a_minority(void **state)
{
    struct gd_sim_plan *plan = calloc(1, sizeof *plan);
    (void)state;
    assert_non_null(plan);
    for (uint64_t seed = 0; seed < 2000; seed++) {
        uint32_t damaged = 0;
        gd_sim_plan_draw(plan, seed, 0);
        for (size_t i = 0; i < plan->fault_count; i++) {
            if (gd_sim_fault_forms[plan->faults[i].kind].class_ == GD_SIM_CLASS_DISK_ROT) {
                damaged |= UINT32_C(1) << plan->faults[i].node;
            }
            assert_true(plan->faults[i].at + plan->faults[i].for_ <= plan->duration);
        }
        assert_true((uint64_t)__builtin_popcount(damaged) * 2 < plan->nodes || damaged == 0);
    }
    free(plan);
}

static void test_plan_times(void **state)
{
    static const struct {
        const char *text;
        gd_time_ns want;
    } cases[] = {{"1.250s", 1250 * GD_SIM_MS},
                 {"3ms", 3 * GD_SIM_MS},
                 {"0.5ms", 500 * GD_SIM_US},
                 {"7us", 7 * GD_SIM_US},
                 {"0s", 0}};
    gd_time_ns time;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(gd_sim_time_parse(cases[i].text, &time));
        assert_true(time == cases[i].want);
    }
    assert_false(gd_sim_time_parse("1", &time));
    assert_false(gd_sim_time_parse("s", &time));
    assert_false(gd_sim_time_parse("-1s", &time));
    assert_false(gd_sim_time_parse("1.0000000001s", &time));
    assert_false(gd_sim_time_parse("99999999999999999999s", &time));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_print_and_parse_are_inverse),
        cmocka_unit_test(test_plan_parse_names_the_line),
        cmocka_unit_test(test_plan_draw_damages_a_minority),
        cmocka_unit_test(test_plan_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
