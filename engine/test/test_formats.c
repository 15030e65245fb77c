/* A data directory of version 1, as a released program wrote it: read by today's recovery, and
 * written alike by today's encoders. */
#include "engine/inspect.h"
#include "engine/snapshot_format.h"
#include "engine/test/fake_disk.h"
#include "engine/test/formats.h"
#include "engine/wal_format.h"

static bool turn(void *context)
{
    return fake_step(context);
}

static struct gd_snapshot_meta meta_at(gd_term term, gd_index index)
{
    struct gd_snapshot_meta meta = {
        .position = {term, index}, .stamp_ms = 1234567890123, .config_index = 1, .size = 777};

    meta.config.count = 3;
    meta.config.members[0] =
        (struct gd_member){.id = 1, .roles = GD_MEMBER_VOTER, .address = {"alpha.example:7600"}};
    meta.config.members[1] = (struct gd_member){
        .id = 2, .roles = GD_MEMBER_VOTER | GD_MEMBER_OUTGOING, .address = {"10.0.0.2:7600"}};
    meta.config.members[2] =
        (struct gd_member){.id = 9, .roles = GD_MEMBER_LEARNER, .address = {"[::1]:7600"}};
    return meta;
}

/* The record whose body `add` makes. */
#define RECORD(bytes, type, lsn, add)                                                              \
    do {                                                                                           \
        size_t begin_ = gd__wal_record_begin(bytes);                                               \
        add;                                                                                       \
        gd__wal_record_end(bytes, begin_, type, (bytes) == &second ? 2 : 1, lsn, (lsn) / 2);       \
    } while (0)

static struct gd_bytes first, second;

static void add_entry(struct gd_bytes *bytes, uint64_t lsn, struct gd_position position,
                      enum gd_entry_type type)
{
    struct gd_snapshot_meta meta = meta_at(1, 1);
    struct gd_bytes data = {0};
    struct gd_entry *entry;

    if (type == GD_ENTRY_CONFIG) {
        gd_config_encode(&meta.config, &data);
    } else if (type == GD_ENTRY_REQUEST) {
        gd_bytes_add_text(&data, "a request's bytes");
    }
    entry = gd_entry_new(type, data.data, data.size);
    entry->position = position;
    entry->stamp_ms = 1234567890000 + (int64_t)position.index;
    RECORD(bytes, GD__WAL_ENTRY, lsn, gd__wal_entry_add(bytes, entry));
    gd_entry_drop(entry);
    gd_bytes_release(&data);
}

static void make_segments(void)
{
    struct gd__wal_header header = {.segment = 1, .identity = {0xfeed, 2, 5}};
    struct gd_hard_state hard_state = {3, 1};
    struct gd_snapshot_meta mark = meta_at(2, 2), installed = meta_at(4, 6);

    RECORD(&first, GD__WAL_HEADER, 1, gd__wal_header_add(&first, &header));
    RECORD(&first, GD__WAL_HARD_STATE, 2, gd__wal_hard_state_add(&first, &hard_state));
    add_entry(&first, 3, (struct gd_position){1, 1}, GD_ENTRY_CONFIG);
    add_entry(&first, 4, (struct gd_position){2, 2}, GD_ENTRY_NOOP);
    add_entry(&first, 5, (struct gd_position){2, 3}, GD_ENTRY_REQUEST);
    add_entry(&first, 6, (struct gd_position){2, 4}, GD_ENTRY_TIME);
    RECORD(&first, GD__WAL_TRUNCATE, 7, gd__wal_position_add(&first, ((struct gd_position){2, 3})));
    add_entry(&first, 8, (struct gd_position){3, 4}, GD_ENTRY_REQUEST);
    RECORD(&first, GD__WAL_SNAPSHOT, 9, gd__wal_snapshot_add(&first, &mark, 1));
    RECORD(&first, GD__WAL_NOTE, 10, (void)0);
    header = (struct gd__wal_header){.segment = 2, .identity = {0xbeef, 2, 6}, .adopts = true};
    header.state.hard_state = hard_state;
    header.state.snapshot = mark;
    header.state.keep_after = 1;
    header.state.tail = (struct gd_position){3, 4};
    RECORD(&second, GD__WAL_HEADER, 11, gd__wal_header_add(&second, &header));
    RECORD(&second, GD__WAL_RESET, 12, gd__wal_position_add(&second, ((struct gd_position){4, 5})));
    RECORD(&second, GD__WAL_INSTALL, 13, gd__wal_snapshot_add(&second, &installed, 6));
    add_entry(&second, 14, (struct gd_position){4, 7}, GD_ENTRY_REQUEST);
}

static void make_snapshot(struct gd_bytes *bytes)
{
    struct gd_snapshot_meta meta = meta_at(4, 6);
    struct gd_slice body = {(const uint8_t *)"the first chunk, and the second", 31};

    gd__snapshot_header_add(bytes, &meta);
    gd__snapshot_chunk_add(bytes, 0, (struct gd_slice){body.data, 15});
    gd__snapshot_chunk_add(bytes, 1, (struct gd_slice){body.data + 15, 16});
    gd__snapshot_end_add(bytes, 2, bytes->size, 31, gd_crc32c(0, bytes->data, bytes->size));
}

/* The file onto the disk, padded as a segment is. */
static void put(struct fake_disk *disk, const char *path, const struct gd_bytes *file, size_t size)
{
    static uint8_t padded[16384];

    size = size == 0 ? file->size : size;
    assert_true(file->size <= size && size <= sizeof padded);
    GD_ASSERT(file->data != NULL); /* formats_read has compared it with what is not empty. */
    memset(padded, 0, sizeof padded);
    memcpy(padded, file->data, file->size);
    fake_put(disk, path, (struct gd_slice){padded, size});
}

static void check_directory(struct fake_disk *disk)
{
    struct gd_offline offline = {&disk->io, turn, disk};
    struct gd_snapshot_meta want = meta_at(4, 6);
    struct gd_inspect inspect;
    struct gd_error error;

    assert_int_equal(gd_inspect(&offline, &inspect, &error), GD_OK);
    assert_true(inspect.sound);
    assert_int_equal(inspect.identity.cluster_id, 0xbeef);
    assert_int_equal(inspect.identity.node_id, 2);
    assert_int_equal(inspect.identity.boot, 6);
    assert_int_equal(inspect.hard_state.term, 3);
    assert_int_equal(inspect.hard_state.vote, 1);
    assert_int_equal(inspect.before.index, 6);
    assert_int_equal(inspect.last.index, 7);
    assert_int_equal(inspect.entry_count, 1);
    assert_int_equal(inspect.snapshot.index, 6);
    assert_true(gd_config_equal(&inspect.config, &want.config));
    assert_int_equal(inspect.segment_count, 2);
    assert_int_equal(inspect.segments[0].records, 10);
    assert_int_equal(inspect.segments[0].entries, 5);
    assert_int_equal(inspect.segments[1].records, 4);
    gd_inspect_release(&inspect);
}

static void test_version_1_is_read(void **state)
{
    static struct fake_disk disk;
    struct gd_bytes snapshot = {0}, file = {0};

    (void)state;
    fake_init(&disk, 1);
    make_segments();
    make_snapshot(&snapshot);
    formats_read("wal-1.1.log", gd_bytes_slice(&first), &file);
    put(&disk, "wal/0000000000000001.log", &file, 8192);
    gd_bytes_clear(&file);
    formats_read("wal-1.2.log", gd_bytes_slice(&second), &file);
    put(&disk, "wal/0000000000000002.log", &file, 8192);
    gd_bytes_clear(&file);
    formats_read("snapshot-1.snap", gd_bytes_slice(&snapshot), &file);
    put(&disk, "snapshot/0000000000000004-0000000000000006.snap", &file, 0);
    check_directory(&disk);
    gd_bytes_release(&file);
    gd_bytes_release(&snapshot);
    gd_bytes_release(&first);
    gd_bytes_release(&second);
    assert_int_equal(fake_heap(), 0);
    fake_release(&disk);
}

static struct gd_member member_at(gd_node_id id, uint32_t roles, const char *address)
{
    struct gd_member member = {.id = id, .roles = roles};

    assert_int_equal(gd_address_parse(address, &member.address), GD_OK);
    return member;
}

/* Configurations travel in entries and snapshots: both versions are read, and each is written only
 * where it is the least that says all. */
static void test_configurations_of_both_versions_are_read(void **state)
{
    struct gd_config plain = {0}, lives, got;
    struct gd_member members[] = {
        member_at(1, GD_MEMBER_VOTER | GD_MEMBER_OUTGOING, "10.0.0.1:7600"),
        member_at(2, GD_MEMBER_OUTGOING, "[::1]:7600"),
        member_at(5, GD_MEMBER_LEARNER, "host.example:7601"),
    };
    struct gd_member joining =
        member_at(8, GD_MEMBER_LEARNER | GD_MEMBER_JOINING | GD_MEMBER_REPLACING, "10.0.0.8:7600");
    struct gd_bytes present = {0}, file = {0};

    (void)state;
    for (size_t i = 0; i < GD_COUNT(members); i++) {
        assert_int_equal(gd_config_put(&plain, &members[i]), GD_OK);
    }
    lives = plain;
    lives.members[0].life = 77;
    joining.replaces = 1;
    assert_int_equal(gd_config_put(&lives, &joining), GD_OK);
    lives.highest = 11;
    assert_int_equal(gd_config_version(&plain), 1);
    assert_int_equal(gd_config_version(&lives), 2);

    gd_config_encode(&plain, &present);
    formats_read("config-1", gd_bytes_slice(&present), &file);
    assert_int_equal(gd_config_decode(gd_bytes_slice(&file), &got), GD_OK);
    assert_true(gd_config_equal(&got, &plain));
    gd_bytes_clear(&present);
    gd_bytes_clear(&file);
    gd_config_encode(&lives, &present);
    formats_read("config-2", gd_bytes_slice(&present), &file);
    assert_int_equal(gd_config_decode(gd_bytes_slice(&file), &got), GD_OK);
    assert_true(gd_config_equal(&got, &lives));
    assert_int_equal(got.members[3].replaces, 1);
    file.data[0] = 3;
    assert_int_equal(gd_config_decode(gd_bytes_slice(&file), &got), GD_ERR_CORRUPT);

    gd_config_remove(&lives, 8);
    gd_config_simplify(&lives);
    assert_int_equal(gd_config_version(&lives), 1);
    assert_true(gd_config_equal(&lives, &plain));
    gd_bytes_release(&present);
    gd_bytes_release(&file);
}

/* A directory that a later version wrote is refused as such, and not as damage. */
static void test_a_later_version_is_refused(void **state)
{
    struct gd__wal_header header = {.segment = 1, .identity = {1, 2, 3}}, got;
    struct gd_snapshot_meta meta = meta_at(4, 6);
    struct gd_bytes bytes = {0};
    uint32_t meta_size, crc;
    size_t size;

    (void)state;
    gd__wal_header_add(&bytes, &header);
    gd_put_le32(bytes.data, GD__WAL_VERSION + 1);
    assert_int_equal(gd__wal_header_decode(gd_bytes_slice(&bytes), &got), GD_ERR_VERSION);
    gd_bytes_clear(&bytes);
    gd__snapshot_header_add(&bytes, &meta);
    gd_put_le32(bytes.data + 4, GD__SNAPSHOT_VERSION + 1);
    meta_size = gd_get_le32(bytes.data + 8);
    crc = gd_crc32c(gd_crc32c(0, bytes.data, 12), bytes.data + 16, meta_size);
    gd_put_le32(bytes.data + 12, crc);
    assert_int_equal(gd__snapshot_header_decode(gd_bytes_slice(&bytes), &meta, &size),
                     GD_ERR_VERSION);
    gd_bytes_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_1_is_read),
        cmocka_unit_test(test_configurations_of_both_versions_are_read),
        cmocka_unit_test(test_a_later_version_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
