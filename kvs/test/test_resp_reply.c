/* Replies are found whole however they are cut, bad ones refused, and walked item by item. */
#include "kvs/resp_reply.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct gd_slice slice_of(const char *text)
{
    return (struct gd_slice){(const uint8_t *)text, strlen(text)};
}

static void test_resp_reply_read_whole_at_every_cut(void **state)
{
    static const char *const replies[] = {
        "+OK\r\n",
        "-ERR no\r\n",
        ":-12\r\n",
        "$5\r\nhe\r\no\r\n",
        "$0\r\n\r\n",
        "$-1\r\n",
        "*-1\r\n",
        "*0\r\n",
        "_\r\n",
        "#t\r\n",
        ",1.5\r\n",
        "(123456789012345678901234567890\r\n",
        "=6\r\ntxt:ab\r\n",
        "!3\r\nERR\r\n",
        "*2\r\n*2\r\n:1\r\n$1\r\na\r\n*0\r\n",
        "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n",
        "~1\r\n$1\r\n\n\r\n",
        "|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n",
        "*2\r\n|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n:2\r\n",
        ">2\r\n+invalidate\r\n*1\r\n+k\r\n",
    };

    (void)state;
    for (size_t i = 0; i < GD_COUNT(replies); i++) {
        struct gd_slice all = slice_of(replies[i]);
        struct gd_resp_reply_reader bytewise = {0};
        size_t size = 0;
        for (size_t cut = 0; cut < all.size; cut++) {
            struct gd_resp_reply_reader reader = {0};
            assert_int_equal(gd_resp_reply_read(&reader, (struct gd_slice){all.data, cut}, &size),
                             GD_RESP_REPLY_MORE);
            assert_int_equal(gd_resp_reply_read(&bytewise, (struct gd_slice){all.data, cut}, &size),
                             GD_RESP_REPLY_MORE);
            assert_int_equal(size, 0);
            assert_int_equal(gd_resp_reply_read(&reader, all, &size), GD_RESP_REPLY_WHOLE);
            assert_int_equal(size, all.size);
            size = 0;
        }
        assert_int_equal(gd_resp_reply_read(&bytewise, all, &size), GD_RESP_REPLY_WHOLE);
        assert_int_equal(size, all.size);
    }
}

static void test_resp_reply_read_refuses(void **state)
{
    static const struct {
        const char *name, *bytes;
    } cases[] = {
        {"an unknown kind", "@1\r\n"},
        {"another protocol", "HTTP/1.1 400 Bad Request\r\n"},
        {"an empty line", "\r\n"},
        {"a line's end without its first half", "+OK\n"},
        {"a bulk without its end", "$1\r\nabc"},
        {"no number", "$x\r\n"},
        {"a number below -1", "*-2\r\n"},
        {"a number past any size", "*99999999999\r\n"},
        {"a streamed array", "*?\r\n"},
        {"damage inside an array", "*2\r\n:1\r\n?\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_resp_reply_reader reader = {0};
        size_t size;
        print_message("case: %s\n", cases[i].name);
        assert_int_equal(gd_resp_reply_read(&reader, slice_of(cases[i].bytes), &size),
                         GD_RESP_REPLY_BAD);
    }
}

static void test_resp_reply_read_bounds_depth(void **state)
{
    struct gd_resp_reply_reader reader = {0};
    struct gd_bytes bytes = {0};
    size_t size;

    (void)state;
    for (int i = 0; i < GD_RESP_DEPTH_MAX; i++) {
        gd_bytes_add_text(&bytes, "*1\r\n");
    }
    assert_int_equal(gd_resp_reply_read(&reader, gd_bytes_slice(&bytes), &size),
                     GD_RESP_REPLY_MORE);
    gd_bytes_add_text(&bytes, "*1\r\n");
    assert_int_equal(gd_resp_reply_read(&reader, gd_bytes_slice(&bytes), &size), GD_RESP_REPLY_BAD);
    gd_bytes_release(&bytes);
}

static void test_resp_item_take_walks(void **state)
{
    struct gd_slice left = slice_of("%1\r\n$1\r\nk\r\n*3\r\n:7\r\n$-1\r\n#f\r\n+next\r\n");
    static const struct {
        char kind;
        const char *text;
        size_t count;
    } want[] = {{'%', "", 1}, {'$', "k", 0}, {'*', "", 3},    {':', "7", 0},
                {'_', "", 0}, {'#', "f", 0}, {'+', "next", 0}};

    (void)state;
    for (size_t i = 0; i < GD_COUNT(want); i++) {
        struct gd_resp_item item;
        assert_true(gd_resp_item_take(&left, &item));
        assert_int_equal(item.kind, want[i].kind);
        assert_int_equal(item.count, want[i].count);
        assert_int_equal(item.text.size, strlen(want[i].text));
        if (item.text.size > 0) {
            assert_memory_equal(item.text.data, want[i].text, item.text.size);
        }
    }
    assert_int_equal(left.size, 0);
    assert_false(gd_resp_item_take(&left, &(struct gd_resp_item){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resp_reply_read_whole_at_every_cut),
        cmocka_unit_test(test_resp_reply_read_refuses),
        cmocka_unit_test(test_resp_reply_read_bounds_depth),
        cmocka_unit_test(test_resp_item_take_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
