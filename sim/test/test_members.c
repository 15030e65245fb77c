/* The simulator's judgement of configurations, on cases whose answer is known. */
#include "engine/test/test.h"
#include "sim/members.h"

enum { COUNT = 5 };

static uint32_t set_of(const char *digits)
{
    uint32_t set = 0;
    for (; *digits != '\0'; digits++) {
        set |= UINT32_C(1) << (*digits - '0');
    }
    return set;
}

/* Each node's log ends at (term, index); by it `incoming` and `outgoing` are in force there. */
struct voice {
    gd_term term;
    gd_index index;
    const char *incoming, *outgoing;
};
static const struct {
    const char *name;
    struct voice voices[COUNT];
    bool meet;
} cases[] = {
    {"all have the same configuration",
     {{1, 1, "12345", ""},
      {1, 1, "12345", ""},
      {1, 1, "12345", ""},
      {1, 1, "12345", ""},
      {1, 1, "12345", ""}},
     true},
    /* Ongaro, 2015: of 1234 node 1 adds 5, node 2 takes 1 out, each in its log alone. */
    {"the single-server bug of 2015",
     {{2, 2, "12345", ""},
      {3, 2, "234", ""},
      {1, 1, "1234", ""},
      {1, 1, "1234", ""},
      {2, 2, "12345", ""}},
     false},
    {"the same, and 5 has it, and node 1 has committed by 1, 4, 5 of term 4",
     {{4, 3, "12345", ""},
      {3, 2, "234", ""},
      {1, 1, "1234", ""},
      {4, 3, "12345", ""},
      {4, 3, "12345", ""}},
     false},
    {"old and new without a joint one: two changes, neither knows of the other",
     {{2, 2, "12", ""},
      {2, 2, "12", ""},
      {1, 1, "12345", ""},
      {1, 1, "12345", ""},
      {1, 1, "12345", ""}},
     false},
    {"the bug mended: node 2 must commit in its own term before, and 3 or 4 has that",
     {{2, 2, "12345", ""},
      {3, 3, "234", ""},
      {3, 2, "1234", ""},
      {3, 2, "1234", ""},
      {2, 2, "12345", ""}},
     true},
    {"old and joint",
     {{2, 2, "12", "12345"},
      {2, 2, "12", "12345"},
      {1, 1, "12345", ""},
      {1, 1, "12345", ""},
      {1, 1, "12345", ""}},
     true},
    {"joint and new, and one that was left behind with the old",
     {{2, 3, "12", ""},
      {2, 3, "12", ""},
      {2, 2, "12", "12345"},
      {2, 2, "12", "12345"},
      {1, 1, "12345", ""}},
     true},
};

static void test_elections_meet(void **state)
{
    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_sim_voice voices[COUNT + 1] = {{false, false, {0, 0}, {0, 0}}};
        unsigned one = 0, other = 0;
        print_message("case: %s\n", cases[i].name);
        for (unsigned id = 1; id <= COUNT; id++) {
            const struct voice *voice = &cases[i].voices[id - 1];
            voices[id].votes = voices[id].campaigns = true;
            voices[id].last = (struct gd_position){voice->term, voice->index};
            voices[id].set.incoming = set_of(voice->incoming);
            voices[id].set.outgoing = set_of(voice->outgoing);
        }
        assert_int_equal(gd_sim_elections_meet(voices, COUNT, &one, &other), cases[i].meet);
        if (!cases[i].meet) {
            assert_in_range(one, 1, other - 1);
        }
    }
}

/* A joint configuration, and the side of node `id` with a majority of its incoming half, or of its
 * outgoing one; "": there is none. */
static void test_joint_side(void **state)
{
    static const struct {
        const char *name, *outgoing, *incoming;
        unsigned id;
        const char *of_incoming, *of_outgoing;
    } sides[] = {
        {"one of three is replaced", "123", "124", 1, "14", "13"},
        {"two of five are", "12345", "12367", 2, "267", "245"},
        {"who is replaced goes along with those who come", "123", "345", 1, "145", "12"},
        {"one is added to three: four need three, two of them old", "123", "1234", 1, "", "12"},
        {"one of three is removed", "123", "12", 1, "", "13"},
        {"one of two is", "12", "1", 1, "1", ""},
        {"who is no member at all", "123", "124", 5, "145", "135"},
        {"not joint", "", "123", 1, "", ""},
    };
    (void)state;
    for (size_t i = 0; i < GD_COUNT(sides); i++) {
        struct gd_sim_voters voters = {set_of(sides[i].incoming), set_of(sides[i].outgoing)};
        unsigned id = sides[i].id;
        print_message("case: %s\n", sides[i].name);
        assert_int_equal(gd_sim_joint_side(voters, 7, id, true), set_of(sides[i].of_incoming));
        assert_int_equal(gd_sim_joint_side(voters, 7, id, false), set_of(sides[i].of_outgoing));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_elections_meet),
                                       cmocka_unit_test(test_joint_side)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
