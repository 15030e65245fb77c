/* Majorities, exhaustively: each configuration of 1 to 7 nodes, simple and joint, each set of
 * nodes that say yes, against the definition; and that two majorities always meet. And each joint
 * pair of 1 to 7 voters with 1 to 7 others, whether they share all, some or nobody. */
#include "engine/quorum.h"
#include "engine/test/test.h"

/* By node: learner, incoming, outgoing, both. */
static const uint32_t roles_of[4] = {GD_MEMBER_LEARNER, GD_MEMBER_VOTER, GD_MEMBER_OUTGOING,
                                     GD_MEMBER_VOTER | GD_MEMBER_OUTGOING};

static struct gd_config config_of(unsigned nodes, unsigned code)
{
    struct gd_config config = {.count = nodes};

    for (unsigned i = 0; i < nodes; i++) {
        config.members[i].id = i + 1;
        config.members[i].roles = roles_of[code >> (2 * i) & 3];
    }
    return config;
}

static bool yes(const struct gd_config *config, unsigned set)
{
    bool said[GD_MEMBERS_MAX] = {false};

    for (unsigned i = 0; i < config->count; i++) {
        said[i] = (set >> i & 1) != 0;
    }
    return gd_quorum_yes(config, said);
}

/* The definition: more than half of those with `role`; an absent set does not object. */
static bool most(const struct gd_config *config, unsigned set, uint32_t role, unsigned *voters)
{
    unsigned said = 0;

    *voters = 0;
    for (unsigned i = 0; i < config->count; i++) {
        if ((config->members[i].roles & role) != 0) {
            ++*voters;
            said += set >> i & 1;
        }
    }
    return *voters == 0 || said > *voters / 2;
}

static bool want(const struct gd_config *config, unsigned set)
{
    unsigned incoming, outgoing;
    bool in = most(config, set, GD_MEMBER_VOTER, &incoming);
    bool out = most(config, set, GD_MEMBER_OUTGOING, &outgoing);

    return in && out && incoming + outgoing > 0;
}

/* Paper 5.2, 6. A joint majority also meets each majority of the old and of the new set alone,
 * which are in force just before and just after it. */
static void test_quorum_yes_is_the_definition_and_majorities_meet(void **state)
{
    (void)state;
    for (unsigned nodes = 1; nodes <= 7; nodes++) {
        unsigned all = (1u << nodes) - 1;
        for (unsigned code = 0; code < 1u << (2 * nodes); code++) {
            struct gd_config config = config_of(nodes, code);
            for (unsigned set = 0; set <= all; set++) {
                unsigned voters;
                bool got = yes(&config, set);
                if (got != want(&config, set)) {
                    fail_msg("%u nodes, roles %x, set %x", nodes, code, set);
                }
                if (!got) {
                    continue;
                }
                if (yes(&config, all & ~set)) {
                    fail_msg("two majorities: %u nodes, roles %x, set %x", nodes, code, set);
                }
                if ((most(&config, all & ~set, GD_MEMBER_VOTER, &voters) && voters > 0) ||
                    (most(&config, all & ~set, GD_MEMBER_OUTGOING, &voters) && voters > 0)) {
                    fail_msg("a set beside a joint majority: roles %x, set %x", code, set);
                }
            }
        }
    }
}

/* Nodes that are in both sets first, then the incoming, then the outgoing: what a majority is does
 * not depend on places, as the test above has tried at every place. */
static struct gd_config pair_of(unsigned both, unsigned incoming, unsigned outgoing)
{
    struct gd_config config = {.count = both + incoming + outgoing};

    for (unsigned i = 0; i < config.count; i++) {
        config.members[i].id = i + 1;
        config.members[i].roles = (i < both + incoming ? GD_MEMBER_VOTER : 0) |
                                  (i < both || i >= both + incoming ? GD_MEMBER_OUTGOING : 0);
    }
    return config;
}

/* Of the old and the new set alone two majorities may decide apart; it counts how often, so that
 * what is tested is known to matter. */
static void try_pair(const struct gd_config *config, unsigned *apart)
{
    unsigned all = (1u << config->count) - 1, voters;

    for (unsigned set = 0; set <= all; set++) {
        bool in = most(config, set, GD_MEMBER_VOTER, &voters);
        bool out = most(config, all & ~set, GD_MEMBER_OUTGOING, &voters);
        bool got = yes(config, set);
        if (got != want(config, set)) {
            fail_msg("%u nodes, set %x", config->count, set);
        }
        if (got && (out || most(config, all & ~set, GD_MEMBER_VOTER, &voters))) {
            fail_msg("a majority beside a joint one: %u nodes, set %x", config->count, set);
        }
        *apart += in && out ? 1 : 0;
    }
}

static void test_quorum_of_every_joint_pair(void **state)
{
    enum { VOTERS = 7 };
    unsigned pairs = 0, apart = 0;

    (void)state;
    for (unsigned old = 1; old <= VOTERS; old++) {
        for (unsigned next = 1; next <= VOTERS; next++) {
            for (unsigned both = 0; both <= old && both <= next; both++) {
                struct gd_config config = pair_of(both, next - both, old - both);
                try_pair(&config, &apart);
                pairs++;
            }
        }
    }
    assert_int_equal(pairs, 7 * 7 + 140); /* Of each pair of sizes: nobody shared, up to all. */
    assert_true(apart > 0);
}

/* `reached` is the greatest value that those who reached it are a majority for. */
static void test_quorum_reached_agrees_with_yes(void **state)
{
    enum { NODES = 4, VALUES = 4 };

    (void)state;
    for (unsigned code = 0; code < 1u << (2 * NODES); code++) {
        struct gd_config config = config_of(NODES, code);
        for (unsigned digits = 0; digits < 1u << (2 * NODES); digits++) {
            uint64_t values[GD_MEMBERS_MAX] = {0}, best = 0;
            for (unsigned i = 0; i < NODES; i++) {
                values[i] = digits >> (2 * i) & 3;
            }
            for (uint64_t value = 1; value < VALUES; value++) {
                unsigned set = 0;
                for (unsigned i = 0; i < NODES; i++) {
                    set |= values[i] >= value ? 1u << i : 0;
                }
                best = want(&config, set) ? value : best;
            }
            if (gd_quorum_reached(&config, values) != best) {
                fail_msg("roles %x, values %x", code, digits);
            }
        }
    }
}

static void test_quorum_of_nobody_decides_nothing(void **state)
{
    struct gd_config config = {0};
    bool said[GD_MEMBERS_MAX] = {false};
    uint64_t values[GD_MEMBERS_MAX] = {0};

    (void)state;
    assert_false(gd_quorum_yes(&config, said));
    assert_int_equal(gd_quorum_reached(&config, values), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quorum_yes_is_the_definition_and_majorities_meet),
        cmocka_unit_test(test_quorum_of_every_joint_pair),
        cmocka_unit_test(test_quorum_reached_agrees_with_yes),
        cmocka_unit_test(test_quorum_of_nobody_decides_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
