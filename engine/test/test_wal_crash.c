/* A crash at every disk operation of the write-ahead log, and then again while it recovers.
 *
 * A seed makes a plan of appends, votes, truncations, resets, marks and removals. The plan runs
 * once for each disk operation in it and each way to crash there (before, half-way with a random
 * subset of the unsynced sectors and names, after), or is killed there. What recovery then tells
 * must be the state behind some record that was issued, at or after the last one that was told as
 * stored; the boot must have risen; and the log must go on from there, into the next crash. */
#include "engine/test/test.h"
#include "engine/test/wal_world.h"
#include <stdlib.h>

#define ACTIONS 14

/* How many disk operations does the first life of `seed` take? */
static uint64_t steps_of(uint64_t seed)
{
    wal_world_begin(seed);
    assert_true(wal_world_live(ACTIONS));
    wal_world_end();
    return wal_world_disk()->steps;
}

static void explore(uint64_t seed, uint64_t at, enum fake_crash how)
{
    struct fake_disk *disk = wal_world_disk();

    wal_world_begin(seed);
    disk->crash_at = at;
    disk->crash = how;
    for (unsigned lives = 0; lives < 6; lives++) {
        disk->kill = false;
        (void)wal_world_live(lives == 5 ? 0 : ACTIONS / 2 + ACTIONS / 2 * (lives == 0));
        disk->random ^= at * 1000 + how;
        disk->kill = fake_random(disk, 4) == 0;
        fake_reboot(disk);
        disk->crash_at = disk->steps + fake_random(disk, 60);
        disk->crash = (enum fake_crash)(1 + fake_random(disk, 3));
        if (lives >= 4) {
            disk->crash = FAKE_NONE;
        }
    }
    wal_world_end();
}

static void test_wal_survives_a_crash_anywhere(void **state)
{
    const char *text = getenv("GD_EXPLORE_SEEDS");
    uint64_t seeds = text == NULL ? 20 : strtoull(text, NULL, 10);
    uint64_t points = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        uint64_t steps = steps_of(seed);
        for (uint64_t at = 0; at < steps; at++) {
            for (int how = FAKE_BEFORE; how <= FAKE_AFTER; how++) {
                explore(seed, at, (enum fake_crash)how);
                points++;
            }
        }
    }
    print_message("%llu crash points\n", (unsigned long long)points);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_survives_a_crash_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
