/* A seeded explorer of the consensus alone; its world, and what it checks, is raft_world.h.
 *
 * usage: test_raft_random [SEED [RUNS]]; without arguments some runs from a fixed seed, by cmocka.
 */
#include "engine/test/raft_world.h"
#include "engine/test/test.h"
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 4000 };

/* What the runs so far came to: runs that decide nothing prove nothing. */
static struct raft_world_totals totals;

static void run(uint64_t seed)
{
    struct raft_world_totals more;

    raft_world_begin(seed, 0);
    for (unsigned i = 0; i < STEPS && raft_world_has_room(); i++) {
        raft_world_step(seed % 2 == 0);
    }
    raft_world_heal();
    more = raft_world_totals();
    totals.steps += more.steps;
    totals.committed += more.committed;
    totals.terms_led += more.terms_led;
    totals.reads += more.reads;
    raft_world_end();
}

static void test_raft_keeps_its_promises_under_random_decisions(void **state)
{
    uint64_t seed = 1;

    (void)state;
    print_message("seeds %llu..%llu\n", (unsigned long long)seed, (unsigned long long)seed + 299);
    for (uint64_t i = 0; i < 300; i++) {
        run(seed + i);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raft_keeps_its_promises_under_random_decisions),
    };

    if (argc > 1) {
        uint64_t seed = strtoull(argv[1], NULL, 10);
        uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
        for (uint64_t i = 0; i < count; i++) {
            run(seed + i);
        }
        printf("%llu runs from seed %llu: fine; %llu steps, %llu entries committed, %llu terms "
               "led, %llu reads\n",
               (unsigned long long)count, (unsigned long long)seed,
               (unsigned long long)totals.steps, (unsigned long long)totals.committed,
               (unsigned long long)totals.terms_led, (unsigned long long)totals.reads);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
