/* Positions, bytes, checksums, addresses, numbers, configurations: the words that all else is made
 * of. */
#include "engine/bytes.h"
#include "engine/config.h"
#include "engine/prng.h"
#include "engine/test/test.h"

static void test_position_orders_by_term_then_index(void **state)
{
    static const struct {
        const char *name;
        struct gd_position a, b;
        int want;
    } cases[] = {
        {"equal", {2, 7}, {2, 7}, 0},
        {"a longer log of an older term is less", {1, 9}, {2, 1}, -1},
        {"the same term, the longer is more", {2, 8}, {2, 7}, 1},
        {"before the log", {0, 0}, {1, 1}, -1},
    };

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        print_message("case: %s\n", cases[i].name);
        assert_int_equal(gd_position_compare(cases[i].a, cases[i].b), cases[i].want);
        assert_int_equal(gd_position_compare(cases[i].b, cases[i].a), -cases[i].want);
    }
}

/* RFC 3720, B.4. */
static void test_crc32c_agrees_with_the_rfc(void **state)
{
    uint8_t bytes[32] = {0};

    (void)state;
    assert_int_equal(gd_crc32c(0, bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(gd_crc32c(0, bytes, sizeof bytes), 0x62a8ab43);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_int_equal(gd_crc32c(0, bytes, sizeof bytes), 0x46dd794e);
    assert_int_equal(gd_crc32c(gd_crc32c(0, bytes, 5), bytes + 5, 27), 0x46dd794e);
}

static void test_reader_stays_failed_past_the_end(void **state)
{
    const uint8_t bytes[] = {1, 2, 3};
    struct gd_reader reader = gd_reader_of((struct gd_slice){bytes, sizeof bytes});

    (void)state;
    assert_int_equal(gd_reader_le16(&reader), 0x0201);
    assert_int_equal(gd_reader_le32(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(gd_reader_u8(&reader), 0); /* A byte is left, but the reader has failed. */
}

static void test_error_is_one_line(void **state)
{
    struct gd_error error;

    (void)state;
    assert_int_equal(gd_error_set(&error, GD_ERR_INVALID, "unknown key %s", "a\nb\tc"),
                     GD_ERR_INVALID);
    assert_string_equal(error.text, "unknown key a?b?c");
}

static void test_bytes_grow_and_consume(void **state)
{
    struct gd_bytes bytes = {0};

    (void)state;
    gd_bytes_format(&bytes, "%d-%s", 42, "x");
    gd_bytes_add_text(&bytes, "tail");
    gd_bytes_consume(&bytes, 3);
    assert_int_equal(bytes.size, 5);
    assert_memory_equal(bytes.data, "xtail", 5);
    gd_bytes_release(&bytes);
}

static void test_address_parse(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
        enum gd_err want;
    } cases[] = {
        {"localhost:80", "localhost", 80, GD_OK},
        {"127.0.0.1:65535", "127.0.0.1", 65535, GD_OK},
        {"[::1]:7", "::1", 7, GD_OK},
        {"a:0", "a", 0, GD_OK},
        {"a:65536", "", 0, GD_ERR_INVALID},
        {"a:", "", 0, GD_ERR_INVALID},
        {":1", "", 0, GD_ERR_INVALID},
        {"::1:80", "", 0, GD_ERR_INVALID},
        {"[]:1", "", 0, GD_ERR_INVALID},
        {"a b:1", "", 0, GD_ERR_INVALID},
        {"a:1x", "", 0, GD_ERR_INVALID},
        {"nothing", "", 0, GD_ERR_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_address address;
        char host[GD_ADDRESS_SIZE];
        uint16_t port;
        print_message("case: %s\n", cases[i].text);
        assert_int_equal(gd_address_parse(cases[i].text, &address), cases[i].want);
        if (cases[i].want == GD_OK) {
            gd_address_split(&address, host, &port);
            assert_string_equal(host, cases[i].host);
            assert_int_equal(port, cases[i].port);
        }
    }
}

static void test_prng_is_the_published_one_and_bounded(void **state)
{
    struct gd_prng prng = {{1, 2, 3, 4}};
    uint64_t counts[3] = {0};

    (void)state;
    assert_int_equal(gd_prng_next(&prng),
                     11520); /* The reference's first outputs for 1, 2, 3, 4. */
    assert_int_equal(gd_prng_next(&prng), 0);
    assert_int_equal(gd_prng_next(&prng), 1509978240);
    gd_prng_init(&prng, 7);
    for (int i = 0; i < 3000; i++) {
        counts[gd_prng_below(&prng, 3)]++;
        assert_in_range(gd_prng_between(&prng, 5, 9), 5, 9);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_in_range(counts[i], 800, 1200);
    }
    assert_true(gd_prng_between(&prng, 0, UINT64_MAX) != gd_prng_between(&prng, 0, UINT64_MAX));
}

static void test_config_keeps_its_order_and_survives_its_bytes(void **state)
{
    struct gd_config config = {0}, back = {0};
    struct gd_bytes bytes = {0};

    (void)state;
    for (gd_node_id id = 5; id >= 1; id--) {
        struct gd_member member = {.id = id, .roles = GD_MEMBER_VOTER};
        assert_int_equal(gd_address_parse("h:1", &member.address), GD_OK);
        assert_int_equal(gd_config_put(&config, &member), GD_OK);
    }
    gd_config_remove(&config, 3);
    gd_config_remove(&config, 99);
    assert_int_equal(config.count, 4);
    assert_int_equal(config.members[2].id, 4);
    assert_true(gd_config_votes(&config, 5));
    assert_false(gd_config_votes(&config, 3));
    assert_false(gd_config_joint(&config));
    gd_config_encode(&config, &bytes);
    assert_int_equal(gd_config_decode(gd_bytes_slice(&bytes), &back), GD_OK);
    assert_true(gd_config_equal(&config, &back));
    for (size_t cut = 0; cut < bytes.size; cut++) {
        assert_int_equal(gd_config_decode((struct gd_slice){bytes.data, cut}, &back),
                         GD_ERR_CORRUPT);
    }
    gd_bytes_release(&bytes);
}

/* Each of a member's facts counts, the order of ids and the highest of them too. */
static void test_config_equal(void **state)
{
    struct gd_config one = {0}, other;
    struct gd_member member = {.id = 2, .roles = GD_MEMBER_VOTER};

    (void)state;
    assert_int_equal(gd_address_parse("h:1", &member.address), GD_OK);
    assert_int_equal(gd_config_put(&one, &member), GD_OK);
    for (int what = 0; what < 7; what++) {
        other = one;
        assert_true(gd_config_equal(&one, &other));
        other.members[0].id += what == 0;
        other.members[0].roles = what == 1 ? GD_MEMBER_LEARNER : other.members[0].roles;
        other.members[0].life += what == 2;
        other.members[0].replaces += what == 3;
        other.members[0].address.text[0] = what == 4 ? 'g' : 'h';
        other.count -= what == 5;
        other.highest = what == 6 ? 9 : other.highest;
        assert_false(gd_config_equal(&one, &other));
    }
}

static void test_config_put_refuses_past_the_largest(void **state)
{
    struct gd_config config = {0};
    struct gd_member member = {.roles = GD_MEMBER_VOTER};

    (void)state;
    for (gd_node_id id = 1; id <= GD_MEMBERS_MAX; id++) {
        member.id = id;
        assert_int_equal(gd_config_put(&config, &member), GD_OK);
    }
    member.id = GD_MEMBERS_MAX + 1;
    assert_int_equal(gd_config_put(&config, &member), GD_ERR_BUSY);
    assert_int_equal(config.count, GD_MEMBERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_position_orders_by_term_then_index),
        cmocka_unit_test(test_crc32c_agrees_with_the_rfc),
        cmocka_unit_test(test_reader_stays_failed_past_the_end),
        cmocka_unit_test(test_error_is_one_line),
        cmocka_unit_test(test_bytes_grow_and_consume),
        cmocka_unit_test(test_address_parse),
        cmocka_unit_test(test_prng_is_the_published_one_and_bounded),
        cmocka_unit_test(test_config_keeps_its_order_and_survives_its_bytes),
        cmocka_unit_test(test_config_equal),
        cmocka_unit_test(test_config_put_refuses_past_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
