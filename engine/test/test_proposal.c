/* The dedup table: each write once, and what is over stays over. */
#include "engine/memory.h"
#include "engine/prng.h"
#include "engine/proposal.h"
#include "engine/test/test.h"

static bool admit(struct gd_dedup *dedup, uint64_t boot, uint64_t sequence, uint64_t low)
{
    struct gd_proposal proposal = {.origin = 7, .boot = boot, .sequence = sequence, .low = low};
    return gd_dedup_admit(dedup, &proposal);
}

/* P1. */
static void test_dedup_lets_each_sequence_through_once(void **state)
{
    struct gd_dedup dedup = {0};

    (void)state;
    assert_true(admit(&dedup, 1, 3, 1));
    assert_true(admit(&dedup, 1, 1, 1));
    assert_false(admit(&dedup, 1, 3, 1));
    assert_false(admit(&dedup, 1, 1, 1));
    assert_false(gd_dedup_over(&dedup, 7, 1, 2));
    assert_true(admit(&dedup, 1, 2, 1));
    assert_true(gd_dedup_over(&dedup, 7, 1, 2));
    assert_false(gd_dedup_over(&dedup, 7, 1, 4));
    assert_false(gd_dedup_over(&dedup, 8, 1, 2));
    gd_dedup_release(&dedup);
}

/* P2. */
static void test_dedup_drops_what_is_below_low(void **state)
{
    struct gd_dedup dedup = {0};

    (void)state;
    assert_true(admit(&dedup, 1, 10, 8));
    assert_false(admit(&dedup, 1, 7, 5)); /* Given up by its origin. */
    assert_true(admit(&dedup, 1, 9, 5));  /* An old low takes nothing back. */
    assert_false(admit(&dedup, 1, 10, 8));
    assert_true(admit(&dedup, 1, 10 + 2 * GD_PROPOSAL_WINDOW, 10 + 2 * GD_PROPOSAL_WINDOW));
    assert_false(admit(&dedup, 1, 11, 8));
    gd_dedup_release(&dedup);
}

/* P3. */
static void test_dedup_drops_an_earlier_boot(void **state)
{
    struct gd_dedup dedup = {0};

    (void)state;
    assert_true(admit(&dedup, 2, 1, 1));
    assert_false(admit(&dedup, 1, 2, 1));
    assert_true(admit(&dedup, 3, 1, 1));
    gd_dedup_release(&dedup);
}

/* P4: through its bytes at any moment, the table goes on as if nothing had happened. */
static void test_dedup_survives_its_bytes(void **state)
{
    struct gd_dedup dedup = {0}, copy = {0};
    struct gd_prng prng;

    (void)state;
    gd_prng_init(&prng, 42);
    for (int round = 0; round < 2000; round++) {
        uint64_t base = (uint64_t)round / 4 + 1;
        uint64_t boot = 1 + (uint64_t)round / 900;
        uint64_t sequence = base + gd_prng_below(&prng, 40);
        uint64_t low = gd_prng_between(&prng, base > 20 ? base - 20 : 1, base);
        struct gd_bytes bytes = {0};
        struct gd_reader reader;

        gd_dedup_encode(&dedup, &bytes);
        reader = gd_reader_of(gd_bytes_slice(&bytes));
        assert_int_equal(gd_dedup_decode(&reader, &copy), GD_OK);
        assert_int_equal(reader.left, 0);
        assert_int_equal(gd_dedup_digest(&dedup), gd_dedup_digest(&copy));
        assert_int_equal(admit(&dedup, boot, sequence, low), admit(&copy, boot, sequence, low));
        gd_bytes_release(&bytes);
    }
    gd_dedup_release(&dedup);
    gd_dedup_release(&copy);
}

static void test_dedup_decode_refuses_cut_bytes(void **state)
{
    struct gd_dedup dedup = {0}, copy = {0};
    struct gd_bytes bytes = {0};

    (void)state;
    assert_true(admit(&dedup, 1, 5, 2));
    gd_dedup_encode(&dedup, &bytes);
    for (size_t cut = 0; cut < bytes.size; cut++) {
        struct gd_reader reader = gd_reader_of((struct gd_slice){bytes.data, cut});
        assert_int_equal(gd_dedup_decode(&reader, &copy), GD_ERR_CORRUPT);
        assert_int_equal(copy.count, 0);
    }
    gd_bytes_release(&bytes);
    gd_dedup_release(&dedup);
}

static void test_proposal_header_round_trip(void **state)
{
    uint8_t data[GD_PROPOSAL_HEADER_SIZE + 2] = {0};
    struct gd_proposal in = {.origin = 3, .boot = 4, .sequence = 9, .low = 6}, out;

    (void)state;
    gd_proposal_encode_header(&in, data);
    assert_int_equal(gd_proposal_decode((struct gd_slice){data, sizeof data}, &out), GD_OK);
    assert_int_equal(out.origin, 3);
    assert_int_equal(out.low, 6);
    assert_int_equal(out.body.size, 2);
    data[25] = 10; /* low above sequence */
    assert_int_equal(gd_proposal_decode((struct gd_slice){data, sizeof data}, &out),
                     GD_ERR_CORRUPT);
    assert_int_equal(gd_proposal_decode((struct gd_slice){data, 20}, &out), GD_ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dedup_lets_each_sequence_through_once),
        cmocka_unit_test(test_dedup_drops_what_is_below_low),
        cmocka_unit_test(test_dedup_drops_an_earlier_boot),
        cmocka_unit_test(test_dedup_survives_its_bytes),
        cmocka_unit_test(test_dedup_decode_refuses_cut_bytes),
        cmocka_unit_test(test_proposal_header_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
