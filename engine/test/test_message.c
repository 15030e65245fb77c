/* Frames: what is encoded decodes to itself, and nothing else is taken. */
#include "engine/message.h"
#include "engine/memory.h"
#include "engine/test/formats.h"
#include "engine/test/test.h"

/* One message of every type, each field another number. */
static struct gd_message sample(enum gd_message_type type, struct gd_entry **entries)
{
    struct gd_message m = {
        .type = type, .cluster_id = 11, .from = 12, .to = 13, .term = 14, .boot = 15};

    switch (type) {
    case GD_MESSAGE_HELLO:
        m.hello.version = 1;
        m.hello.version_min = 1;
        assert_int_equal(gd_address_parse("a:1", &m.hello.peer_address), GD_OK);
        break;
    case GD_MESSAGE_PRE_VOTE:
    case GD_MESSAGE_VOTE:
        m.vote.last = (struct gd_position){3, 9};
        m.vote.transfer = true;
        break;
    case GD_MESSAGE_PRE_VOTE_RESP:
    case GD_MESSAGE_VOTE_RESP:
        m.vote_resp.granted = true;
        break;
    case GD_MESSAGE_APPEND:
        m.append = (struct gd_message_append){{3, 9}, 8, 77, entries, 2};
        break;
    case GD_MESSAGE_APPEND_RESP:
        m.append_resp = (struct gd_message_append_resp){false, {3, 5}, 9, 77};
        break;
    case GD_MESSAGE_INSTALL_SNAPSHOT:
        m.install = (struct gd_message_install_snapshot){
            {3, 9}, 1000, 100, 7, {(const uint8_t *)"chunk", 5}};
        break;
    case GD_MESSAGE_INSTALL_SNAPSHOT_RESP:
        m.install_resp = (struct gd_message_install_snapshot_resp){{3, 9}, 105, false, 7};
        break;
    case GD_MESSAGE_READ_INDEX:
        m.read_index.token = 21;
        break;
    case GD_MESSAGE_READ_INDEX_RESP:
        m.read_index_resp = (struct gd_message_read_index_resp){21, true, 33, -5};
        break;
    case GD_MESSAGE_TIMEOUT_NOW:
        break;
    case GD_MESSAGE_CLIENT_WRITE:
        m.client_write.sequence = 4;
        m.client_write.previous = 3;
        m.client_write.data = (struct gd_slice){(const uint8_t *)"body", 4};
        break;
    case GD_MESSAGE_CLIENT_RESP:
        m.client_resp = (struct gd_message_client_resp){4, {3, 10}};
        break;
    case GD_MESSAGE_CLIENT_ERROR:
        m.client_error = (struct gd_message_client_error){4, GD_ERR_NOT_LEADER};
        break;
    case GD_MESSAGE_JOIN:
        m.join.id = 6;
        assert_int_equal(gd_address_parse("b:2", &m.join.address), GD_OK);
        break;
    }
    return m;
}

static void make_entries(struct gd_entry **entries)
{
    entries[0] = gd_entry_new(GD_ENTRY_REQUEST, "abc", 3);
    entries[0]->position = (struct gd_position){3, 10};
    entries[0]->stamp_ms = 1234;
    entries[1] = gd_entry_new(GD_ENTRY_NOOP, NULL, 0);
    entries[1]->position = (struct gd_position){4, 11};
}

static void encode_sample(enum gd_message_type type, struct gd_bytes *bytes)
{
    struct gd_entry *entries[2];
    struct gd_message message;

    make_entries(entries);
    message = sample(type, entries);
    gd_message_encode(&message, bytes);
    gd_entry_drop(entries[0]);
    gd_entry_drop(entries[1]);
}

/* M1. */
static void test_message_decodes_to_what_encodes_to_the_same_bytes(void **state)
{
    (void)state;
    for (int type = 1; type <= GD_MESSAGE_TYPE_MAX; type++) {
        struct gd_bytes bytes = {0}, again = {0};
        struct gd_message got;
        size_t consumed = 0;

        print_message("type: %s\n", gd_message_type_text((enum gd_message_type)type));
        encode_sample((enum gd_message_type)type, &bytes);
        assert_int_equal(
            gd_message_decode(gd_bytes_slice(&bytes), GD_FRAME_SIZE_MAX, &consumed, &got), GD_OK);
        assert_int_equal(consumed, bytes.size);
        assert_int_equal(got.type, type);
        assert_int_equal(got.term, 14);
        gd_message_encode(&got, &again);
        assert_int_equal(again.size, bytes.size);
        assert_memory_equal(again.data, bytes.data, bytes.size);
        gd_message_release(&got);
        gd_bytes_release(&bytes);
        gd_bytes_release(&again);
    }
}

/* What stands in front of an Append's entries can be had without them; of other types there is
 * none.
 */
static void test_message_append_is_known_by_its_beginning(void **state)
{
    (void)state;
    for (int type = 1; type <= GD_MESSAGE_TYPE_MAX; type++) {
        struct gd_bytes bytes = {0};
        struct gd_message_append append;

        encode_sample((enum gd_message_type)type, &bytes);
        if (type != GD_MESSAGE_APPEND) {
            assert_false(gd_message_frame_append(gd_bytes_slice(&bytes), &append));
        } else {
            assert_true(gd_message_frame_append(gd_bytes_slice(&bytes), &append));
            assert_int_equal(append.previous.term, 3);
            assert_int_equal(append.previous.index, 9);
            assert_int_equal(append.commit, 8);
            assert_int_equal(append.round, 77);
            assert_int_equal(append.entry_count, 2);
            assert_null(append.entries);
            assert_false(gd_message_frame_append((struct gd_slice){bytes.data, 80}, &append));
        }
        gd_bytes_release(&bytes);
    }
}

/* Entries get the positions that the frame implies. */
static void test_message_append_numbers_its_entries(void **state)
{
    struct gd_bytes bytes = {0};
    struct gd_message got;
    size_t consumed;

    (void)state;
    encode_sample(GD_MESSAGE_APPEND, &bytes);
    assert_int_equal(gd_message_decode(gd_bytes_slice(&bytes), 4096, &consumed, &got), GD_OK);
    assert_int_equal(got.append.entry_count, 2);
    assert_int_equal(got.append.entries[0]->position.index, 10);
    assert_int_equal(got.append.entries[1]->position.index, 11);
    assert_int_equal(got.append.entries[1]->position.term, 4);
    assert_int_equal(got.append.entries[0]->stamp_ms, 1234);
    gd_message_release(&got);
    gd_bytes_release(&bytes);
}

/* M2: every bit of every type's frame. */
static void test_message_refuses_any_flipped_bit(void **state)
{
    (void)state;
    for (int type = 1; type <= GD_MESSAGE_TYPE_MAX; type++) {
        struct gd_bytes bytes = {0};
        encode_sample((enum gd_message_type)type, &bytes);
        for (size_t bit = 0; bit < bytes.size * 8; bit++) {
            struct gd_message got;
            size_t consumed;
            bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_not_equal(gd_message_decode(gd_bytes_slice(&bytes), 4096, &consumed, &got),
                                 GD_OK);
            bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        gd_bytes_release(&bytes);
    }
}

static void test_message_wants_more_of_a_cut_frame(void **state)
{
    struct gd_bytes bytes = {0};
    struct gd_message got;
    size_t consumed;

    (void)state;
    encode_sample(GD_MESSAGE_APPEND, &bytes);
    for (size_t cut = 0; cut < bytes.size; cut++) {
        assert_int_equal(
            gd_message_decode((struct gd_slice){bytes.data, cut}, 4096, &consumed, &got),
            GD_ERR_MORE);
    }
    assert_int_equal(gd_message_decode(gd_bytes_slice(&bytes), bytes.size - 1, &consumed, &got),
                     GD_ERR_TOO_LARGE);
    gd_bytes_release(&bytes);
}

/* A right checksum over wrong content: refused, nothing left allocated. */
static void test_message_refuses_wrong_content_under_a_right_checksum(void **state)
{
    static const struct {
        const char *name;
        enum gd_message_type type;
        size_t offset;
        uint8_t value;
    } cases[] = {
        {"a boolean of 2", GD_MESSAGE_VOTE, 52 + 16, 2},
        {"an entry of no type", GD_MESSAGE_APPEND, 52 + 36, 0},
        {"more entries than bytes", GD_MESSAGE_APPEND, 52 + 35, 0x7f},
        {"an unknown type", GD_MESSAGE_VOTE, 9, 99},
        {"flags not zero", GD_MESSAGE_VOTE, 10, 1},
        {"another magic", GD_MESSAGE_HELLO, 52, 0},
        {"a reason that is none", GD_MESSAGE_CLIENT_ERROR, 52 + 8, 0},
    };

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_bytes bytes = {0};
        struct gd_message got;
        size_t consumed;
        print_message("case: %s\n", cases[i].name);
        encode_sample(cases[i].type, &bytes);
        bytes.data[cases[i].offset] = cases[i].value;
        gd_put_le32(bytes.data + 4,
                    gd_crc32c(gd_crc32c(0, bytes.data, 4), bytes.data + 8, bytes.size - 8));
        assert_int_equal(gd_message_decode(gd_bytes_slice(&bytes), 4096, &consumed, &got),
                         GD_ERR_CORRUPT);
        gd_bytes_release(&bytes);
    }
}

/* One frame of every type, as a released program of version 1 sends them. */
static void test_message_version_1_is_read(void **state)
{
    struct gd_bytes present = {0}, file = {0};
    size_t at = 0;

    (void)state;
    for (int type = 1; type <= GD_MESSAGE_CLIENT_ERROR; type++) {
        encode_sample((enum gd_message_type)type, &present);
    }
    formats_read("frames-1", gd_bytes_slice(&present), &file);
    for (int type = 1; type <= GD_MESSAGE_CLIENT_ERROR; type++) {
        struct gd_slice left = {file.data + at, file.size - at};
        struct gd_message message;
        size_t consumed = 0;
        assert_int_equal(gd_message_decode(left, GD_FRAME_SIZE_MAX, &consumed, &message), GD_OK);
        assert_int_equal(message.type, type);
        gd_message_release(&message);
        at += consumed;
    }
    assert_int_equal(at, file.size);
    gd_bytes_release(&present);
    gd_bytes_release(&file);
}

/* What version 2 adds: a Hello that names the receiver's life, and Join. */
static void test_message_version_2_is_read(void **state)
{
    struct gd_message hello = sample(GD_MESSAGE_HELLO, NULL);
    struct gd_bytes present = {0}, file = {0};
    struct gd_message got;
    size_t consumed = 0, at;

    (void)state;
    hello.hello.version = 2;
    hello.hello.life = 77;
    gd_message_encode(&hello, &present);
    encode_sample(GD_MESSAGE_JOIN, &present);
    formats_read("frames-2", gd_bytes_slice(&present), &file);
    assert_int_equal(gd_message_decode(gd_bytes_slice(&file), 4096, &consumed, &got), GD_OK);
    assert_int_equal(got.hello.life, 77);
    at = consumed;
    assert_int_equal(
        gd_message_decode((struct gd_slice){file.data + at, file.size - at}, 4096, &consumed, &got),
        GD_OK);
    assert_int_equal(got.join.id, 6);
    assert_string_equal(got.join.address.text, "b:2");
    assert_int_equal(at + consumed, file.size);
    gd_bytes_release(&present);
    gd_bytes_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_version_1_is_read),
        cmocka_unit_test(test_message_version_2_is_read),
        cmocka_unit_test(test_message_decodes_to_what_encodes_to_the_same_bytes),
        cmocka_unit_test(test_message_append_is_known_by_its_beginning),
        cmocka_unit_test(test_message_append_numbers_its_entries),
        cmocka_unit_test(test_message_refuses_any_flipped_bit),
        cmocka_unit_test(test_message_wants_more_of_a_cut_frame),
        cmocka_unit_test(test_message_refuses_wrong_content_under_a_right_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
