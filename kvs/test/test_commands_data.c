/* What a comparison with a real server does not reach: known bytes, SNAP and LOAD, the table. */
#include "engine/prng.h"
#include "kvs/kv.h"
#include "kvs/number.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct gd_slice text(const char *from)
{
    return (struct gd_slice){(const uint8_t *)from, strlen(from)};
}

static void run(struct gd_kv *kv, const struct gd_slice *args, size_t count, struct gd_bytes *reply)
{
    struct gd_bytes body = {0};

    gd_bytes_clear(reply);
    gd_body_begin(&body, GD_BODY_COMMAND, 2);
    gd_body_add_args(&body, args, count);
    gd_kv_apply(kv, kv->applied + 1, 1000, gd_bytes_slice(&body), NULL, reply);
    gd_bytes_release(&body);
    gd_bytes_add_u8(reply, 0);
}

/* The table is searched by halves: it has to be in order, each name once, in lower case. */
static void test_commands_table_is_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < gd_command_count(); i++) {
        const struct gd_command *command = gd_command_at(i);
        assert_ptr_equal(gd_command_find(text(command->name)), command);
        if (i > 0) {
            assert_true(strcmp(gd_command_at(i - 1)->name, command->name) < 0);
        }
    }
    assert_null(gd_command_find(text("gett")));
    assert_null(gd_command_find(text("ge")));
    assert_null(gd_command_find(text("")));
    assert_non_null(gd_command_find(text("GeT")));
}

/* SNAP's reply, flattened as the Parser does, is a LOAD that restores the store. */
static void test_commands_snap_is_a_load(void **state)
{
    struct gd_kv kv;
    struct gd_bytes reply = {0};
    const struct gd_slice load[] = {text("load"), text("a"), text("1"), text("b"), text("two")};
    const struct gd_slice snap[] = {text("snap")};
    const struct gd_slice timed[] = {text("load"), text("gone"), text("x"),   text("k"),
                                     text("v"),    text("gone"), text("900"), text("k"),
                                     text("5000"), text("2")};
    const struct gd_slice none[] = {text("load"), text("0")};
    const struct gd_slice odd[] = {text("load"), text("a")};

    (void)state;
    gd_kv_init(&kv, 1, 2);
    gd_keyspace_set(kv.ks, text("old"), text("1"), GD_EXPIRY_NONE, 1);
    run(&kv, load, 5, &reply);
    assert_string_equal((char *)reply.data, "+OK\r\n");
    assert_int_equal(gd_keyspace_count(kv.ks), 2);
    run(&kv, snap, 1, &reply);
    assert_memory_equal(reply.data, "*2\r\n$4\r\nLOAD\r\n*2\r\n*2\r\n$1\r\n", 26);
    run(&kv, timed, 10, &reply);
    assert_string_equal((char *)reply.data, "+OK\r\n");
    assert_int_equal(gd_keyspace_count(kv.ks), 1);
    assert_int_equal(gd_item_expiry_ms(gd_keyspace_find(kv.ks, text("k"))), 5000);
    run(&kv, odd, 2, &reply);
    assert_string_equal((char *)reply.data,
                        "-ERR wrong number of arguments for 'load' command\r\n");
    run(&kv, snap, 1, &reply);
    assert_string_equal((char *)reply.data, "*4\r\n$4\r\nLOAD\r\n*1\r\n*2\r\n$1\r\nk\r\n$1\r\nv\r\n"
                                            "*1\r\n*2\r\n$1\r\nk\r\n$4\r\n5000\r\n$1\r\n1\r\n");
    run(&kv, none, 2, &reply);
    assert_string_equal((char *)reply.data, "+OK\r\n");
    run(&kv, snap, 1, &reply);
    assert_string_equal((char *)reply.data, "*4\r\n$4\r\nLOAD\r\n*0\r\n*0\r\n$1\r\n0\r\n");
    gd_bytes_release(&reply);
    gd_kv_release(&kv);
}

/* A dump that a server has packed by LZF: 30 times "a". */
static void test_commands_restore_reads_packed(void **state)
{
    static const uint8_t packed[] = {0x00, 0xc3, 0x06, 0x1e, 0x01, 0x61,
                                     0x61, 0xe0, 0x13, 0x00, 0x0a, 0x00};
    struct gd_kv kv;
    struct gd_bytes reply = {0}, payload = {0};
    char scratch[GD_ITEM_SCRATCH];
    uint64_t crc = 0;

    (void)state;
    for (size_t i = 0; i < sizeof packed; i++) {
        crc ^= packed[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ UINT64_C(0x95ac9329ac4bc9b5) : crc >> 1;
        }
    }
    gd_bytes_add(&payload, packed, sizeof packed);
    gd_bytes_add_le64(&payload, crc);
    gd_kv_init(&kv, 1, 2);
    const struct gd_slice args[] = {text("restore"), text("k"), text("0"),
                                    gd_bytes_slice(&payload)};
    run(&kv, args, 4, &reply);
    assert_string_equal((char *)reply.data, "+OK\r\n");
    struct gd_slice value = gd_item_value(gd_keyspace_find(kv.ks, text("k")), scratch);
    assert_int_equal(value.size, 30);
    for (size_t i = 0; i < value.size; i++) {
        assert_int_equal(value.data[i], 'a');
    }
    run(&kv, args, 4, &reply);
    assert_string_equal((char *)reply.data, "-BUSYKEY Target key name already exists.\r\n");
    gd_bytes_release(&reply);
    gd_bytes_release(&payload);
    gd_kv_release(&kv);
}

/* Payloads whose checksum is right and whose inside is anything. */
static void test_commands_restore_takes_any_payload(void **state)
{
    struct gd_kv kv;
    struct gd_bytes reply = {0};
    struct gd_prng prng;
    int restored = 0;

    (void)state;
    gd_kv_init(&kv, 1, 2);
    gd_prng_init(&prng, 4);
    for (int i = 0; i < 30000; i++) {
        struct gd_bytes payload = {0};
        uint64_t crc = 0;
        uint64_t size = gd_prng_below(&prng, 40);
        static const uint8_t firsts[] = {0xc3, 0x05, 0x40, 0x80, 0x81, 0xc0, 0xc1, 0xc2, 0xc4};
        gd_bytes_add_u8(&payload, 0);
        gd_bytes_add_u8(&payload, firsts[gd_prng_below(&prng, sizeof firsts)]);
        for (; size > 0; size--) {
            gd_bytes_add_u8(&payload, (uint8_t)gd_prng_below(&prng, i % 2 == 0 ? 256 : 12));
        }
        gd_bytes_add_u8(&payload, 10);
        gd_bytes_add_u8(&payload, 0);
        for (size_t at = 0; at < payload.size; at++) {
            crc ^= payload.data[at];
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc & 1) != 0 ? crc >> 1 ^ UINT64_C(0x95ac9329ac4bc9b5) : crc >> 1;
            }
        }
        gd_bytes_add_le64(&payload, crc);
        const struct gd_slice args[] = {text("restore"), text("k"), text("0"),
                                        gd_bytes_slice(&payload), text("replace")};
        run(&kv, args, 5, &reply);
        assert_true(strcmp((char *)reply.data, "+OK\r\n") == 0 ||
                    strcmp((char *)reply.data, "-ERR Bad data format\r\n") == 0);
        restored += reply.data[0] == '+' ? 1 : 0;
        gd_bytes_release(&payload);
    }
    assert_true(restored > 100);
    gd_bytes_release(&reply);
    gd_kv_release(&kv);
}

static void test_commands_numbers(void **state)
{
    static const struct {
        const char *name;
        bool want;
    } cases[] = {{"0", true},
                 {"-1", true},
                 {"9223372036854775807", true},
                 {"-9223372036854775808", true},
                 {"9223372036854775808", false},
                 {"-9223372036854775809", false},
                 {"99999999999999999999", false},
                 {"", false},
                 {"-", false},
                 {"-0", false},
                 {"01", false},
                 {"+1", false},
                 {" 1", false},
                 {"1 ", false}};
    char buffer[GD_ITEM_SCRATCH];
    int64_t number;

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        assert_int_equal(gd_number_parse(text(cases[i].name), &number), cases[i].want);
        if (cases[i].want) {
            size_t size = gd_number_format(number, buffer);
            assert_int_equal(size, strlen(cases[i].name));
            assert_memory_equal(buffer, cases[i].name, size);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_table_is_in_order),
        cmocka_unit_test(test_commands_snap_is_a_load),
        cmocka_unit_test(test_commands_restore_reads_packed),
        cmocka_unit_test(test_commands_restore_takes_any_payload),
        cmocka_unit_test(test_commands_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
