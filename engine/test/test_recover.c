/* A crash at every disk operation of recover and of restore, and what is there then (recover.c, V1
 * to V3). In each case the same command, given again, must come to its end. */
#include "engine/inspect.h"
#include "engine/memory.h"
#include "engine/proposal.h"
#include "engine/recover.h"
#include "engine/snapshot.h"
#include "engine/test/node_disk.h"
#include "engine/test/test.h"
#include <stdio.h>

static const struct gd_address survivor = {"127.0.0.1:7001"};

static bool turn(void *context)
{
    return fake_step(context);
}

static struct gd_offline offline_of(struct fake_disk *disk)
{
    return (struct gd_offline){&disk->io, turn, disk};
}

/* ---------------------------------------------------------------- a node's directory */

/* A snapshot's body as a node writes it: its table first. */
static void body_of(struct gd_bytes *body, uint64_t boot)
{
    struct gd_dedup table = {0};
    struct gd_proposal proposal = {.origin = 2, .boot = boot, .sequence = 3, .low = 1};
    struct gd_bytes encoded = {0};

    assert_true(gd_dedup_admit(&table, &proposal));
    gd_dedup_encode(&table, &encoded);
    gd_bytes_add_le32(body, (uint32_t)encoded.size);
    gd_bytes_add(body, encoded.data, encoded.size);
    for (unsigned i = 0; i < 300000; i++) {
        gd_bytes_add_u8(body, (uint8_t)(i * 7));
    }
    gd_bytes_release(&encoded);
    gd_dedup_release(&table);
}

static void make_snapshot(struct fake_disk *disk, struct gd_position position)
{
    struct gd_bytes body = {0};

    body_of(&body, 9);
    node_disk_snapshot(disk, position, gd_bytes_slice(&body));
    gd_bytes_release(&body);
}

static void look(struct fake_disk *disk, struct gd_inspect *inspect)
{
    struct gd_offline offline = offline_of(disk);
    struct gd_error error = {0};

    assert_int_equal(gd_inspect(&offline, inspect, &error), GD_OK);
}

static void crash_here(struct fake_disk *disk, uint64_t at, int how)
{
    disk->crash_at = at;
    disk->crash = (enum fake_crash)how;
    disk->kill = at % 4 == 0;
}

static void reboot(struct fake_disk *disk)
{
    fake_reboot(disk);
    disk->crash = FAKE_NONE;
}

/* ---------------------------------------------------------------- recover */

static bool alone(const struct gd_inspect *inspect)
{
    return inspect->config.count == 1 &&
           strcmp(inspect->config.members[0].address.text, survivor.text) == 0;
}

/* What any crash may leave: V1, V2. */
static void check_between(const struct gd_inspect *inspect, gd_index last)
{
    assert_true(inspect->usable);
    assert_int_equal(inspect->identity.node_id, 1);
    assert_true(inspect->last.index >= last);
    if (inspect->identity.cluster_id == NODE_DISK_CLUSTER) {
        assert_int_equal(inspect->config.count, 3); /* Never the new members in the old cluster. */
    } else {
        assert_true(inspect->hard_state.term > 3);
    }
}

static void explore_recover(const struct fake_disk *base, uint64_t at, int how, gd_index last)
{
    static struct fake_disk disk;
    struct gd_offline offline = offline_of(&disk);
    struct gd_recovered recovered;
    struct gd_error error = {0};
    struct gd_inspect inspect;
    enum gd_err err;

    fake_copy(&disk, base);
    crash_here(&disk, at, how);
    err = gd_recover(&offline, &survivor, &recovered, &error);
    assert_true(err == GD_OK || err == GD_ERR_STOPPED);
    reboot(&disk);
    look(&disk, &inspect);
    check_between(&inspect, last);
    gd_inspect_release(&inspect);
    assert_int_equal(gd_recover(&offline, &survivor, &recovered, &error), GD_OK);
    look(&disk, &inspect);
    assert_true(inspect.sound);
    assert_true(alone(&inspect));
    assert_true(inspect.last.index > last);
    assert_true(inspect.last.term > 3);
    assert_int_equal(inspect.last.term, inspect.hard_state.term);
    assert_true(inspect.identity.cluster_id != NODE_DISK_CLUSTER);
    assert_true(inspect.identity.boot > 4);
    gd_inspect_release(&inspect);
    fake_release(&disk);
}

static void recover_everywhere(gd_term snapshot_term, gd_index snapshot_index, gd_index last)
{
    static struct fake_disk base, disk;
    struct gd_offline offline = offline_of(&disk);
    struct gd_recovered recovered;
    struct gd_error error = {0};
    uint64_t begin;

    fake_init(&base, 1);
    node_disk_log(&base, 65536, 4);
    if (snapshot_index > 0) {
        make_snapshot(&base, (struct gd_position){snapshot_term, snapshot_index});
    }
    fake_run(&base);
    begin = base.steps;
    fake_copy(&disk, &base);
    assert_int_equal(gd_recover(&offline, &survivor, &recovered, &error), GD_OK);
    assert_int_equal(recovered.last.index, last + 1);
    for (uint64_t at = begin; at < disk.steps; at++) {
        for (int how = FAKE_BEFORE; how <= FAKE_AFTER; how++) {
            explore_recover(&base, at, how, last);
        }
    }
    fake_release(&disk);
    fake_release(&base);
}

static void test_recover_survives_a_crash_anywhere(void **state)
{
    (void)state;
    recover_everywhere(0, 0, NODE_DISK_ENTRIES);
    recover_everywhere(2, 5, NODE_DISK_ENTRIES); /* A snapshot of this log. */
    recover_everywhere(3, NODE_DISK_ENTRIES + 8, NODE_DISK_ENTRIES + 8); /* One ahead of it ... */
    recover_everywhere(3, 5, 5); /* ... and one that it contradicts. */
    /* One that was there before its term was. */
    recover_everywhere(7, NODE_DISK_ENTRIES + 8, NODE_DISK_ENTRIES + 8);
}

/* V4: a snapshot that contradicts the log, and whose body is damaged, takes nothing away. */
static void test_recover_passes_over_a_damaged_snapshot(void **state)
{
    static struct fake_disk disk;
    struct gd_offline offline = offline_of(&disk);
    struct gd_recovered recovered;
    struct gd_error error = {0};
    struct gd_inspect inspect;
    struct gd_bytes bytes = {0};
    const struct fake_inode *file;

    (void)state;
    fake_init(&disk, 1);
    node_disk_log(&disk, 65536, 4);
    make_snapshot(&disk, (struct gd_position){3, 5});
    fake_run(&disk);
    file = fake_file(&disk, "snapshot/0000000000000003-0000000000000005.snap");
    GD_ASSERT(file != NULL && file->now_size > 0);
    gd_bytes_add(&bytes, file->now, (size_t)file->now_size);
    GD_ASSERT(bytes.data != NULL);
    bytes.data[bytes.size / 2] ^= 1;
    fake_put(&disk, "snapshot/0000000000000003-0000000000000005.snap", gd_bytes_slice(&bytes));
    gd_bytes_release(&bytes);
    assert_int_equal(gd_recover(&offline, &survivor, &recovered, &error), GD_OK);
    assert_int_equal(recovered.last.index, NODE_DISK_ENTRIES + 1);
    fake_run(&disk);
    look(&disk, &inspect);
    assert_true(inspect.usable);
    assert_int_equal(inspect.entry_count, NODE_DISK_ENTRIES + 1);
    gd_inspect_release(&inspect);
    assert_int_equal(fake_heap(), 0);
    fake_release(&disk);
}

static void test_recover_refuses_an_empty_directory(void **state)
{
    static struct fake_disk disk;
    struct gd_offline offline = offline_of(&disk);
    struct gd_recovered recovered;
    struct gd_error error = {0};

    (void)state;
    fake_init(&disk, 1);
    assert_int_equal(gd_recover(&offline, &survivor, &recovered, &error), GD_ERR_NOT_FOUND);
    assert_int_equal(error.code, GD_ERR_NOT_FOUND);
    fake_release(&disk);
}

/* ---------------------------------------------------------------- restore */

static uint8_t backup[1 << 20]; /* Outlives a crash's heap. */
static size_t backup_size;

static enum gd_err backup_read(void *context, uint64_t offset, uint8_t *to, size_t size,
                               size_t *got)
{
    (void)context;
    *got = offset >= backup_size ? 0 : backup_size - (size_t)offset;
    *got = *got < size ? *got : size;
    memcpy(to, backup + offset, *got);
    return GD_OK;
}

static const struct gd_snapshot_source source = {backup_read, NULL};

static void make_backup(void)
{
    static struct fake_disk disk;
    const struct fake_inode *file;

    fake_init(&disk, 2);
    make_snapshot(&disk, (struct gd_position){3, 40});
    file = fake_file(&disk, "snapshot/0000000000000003-0000000000000028.snap");
    assert_non_null(file);
    assert_true(file->now_size <= sizeof backup);
    backup_size = (size_t)file->now_size;
    memcpy(backup, file->now, backup_size);
    fake_release(&disk);
}

static void check_restored(struct fake_disk *disk)
{
    struct gd_inspect inspect;

    look(disk, &inspect);
    assert_true(inspect.sound);
    assert_int_equal(inspect.identity.node_id, 2);
    assert_int_equal(inspect.last.index, 40);
    assert_int_equal(inspect.snapshot.index, 40);
    assert_int_equal(inspect.hard_state.term, 3);
    assert_true(inspect.identity.boot > 9); /* Above every origin's: proposal.h, P3. */
    assert_int_equal(inspect.config.count, 2);
    gd_inspect_release(&inspect);
}

static void test_restore_survives_a_crash_anywhere(void **state)
{
    static struct fake_disk disk;
    const struct gd_address addresses[] = {{"127.0.0.1:20000"}, {"127.0.0.1:3000"}};
    struct gd_offline offline = offline_of(&disk);
    struct gd_config config;
    struct gd_recovered recovered;
    struct gd_error error = {0};
    uint64_t steps, cluster;
    enum gd_err err;

    (void)state;
    make_backup();
    assert_int_equal(gd_members_number(addresses, 2, &config, &error), GD_OK);
    assert_string_equal(config.members[1].address.text, "127.0.0.1:20000"); /* By port number. */
    fake_init(&disk, 3);
    assert_int_equal(gd_restore(&offline, &source, &config, &addresses[0], &recovered, &error),
                     GD_OK);
    check_restored(&disk);
    steps = disk.steps;
    cluster = recovered.identity.cluster_id;
    assert_int_equal(gd_restore(&offline, &source, &config, &addresses[0], &recovered, &error),
                     GD_ERR_EXISTS);
    fake_release(&disk);
    for (uint64_t at = 0; at < steps; at++) {
        struct gd_inspect inspect;
        fake_init(&disk, at);
        crash_here(&disk, at, (int)(FAKE_BEFORE + at % 3));
        err = gd_restore(&offline, &source, &config, &addresses[0], &recovered, &error);
        assert_true(err == GD_OK || err == GD_ERR_STOPPED);
        reboot(&disk);
        look(&disk, &inspect); /* V3. */
        if (!inspect.empty) {
            check_restored(&disk);
        } else {
            assert_true(inspect.snapshot_count == 0 || !inspect.usable);
            assert_int_equal(
                gd_restore(&offline, &source, &config, &addresses[0], &recovered, &error), GD_OK);
            assert_true(recovered.identity.cluster_id == cluster);
            check_restored(&disk);
        }
        gd_inspect_release(&inspect);
        fake_release(&disk);
    }
}

/* A member that lost its disk and is restored again is not the one that voted and acknowledged. */
static void test_restore_makes_a_life_of_its_own(void **state)
{
    static struct fake_disk disk;
    struct gd_offline offline = offline_of(&disk);
    struct gd_config config;
    struct gd_recovered recovered;
    struct gd_error error = {0};
    uint32_t lives[3];

    (void)state;
    make_backup();
    assert_int_equal(gd_members_number(&survivor, 1, &config, &error), GD_OK);
    for (size_t i = 0; i < GD_COUNT(lives); i++) {
        fake_init(&disk, i);
        assert_int_equal(gd_restore(&offline, &source, &config, &survivor, &recovered, &error),
                         GD_OK);
        lives[i] = gd_life_of(recovered.identity.boot);
        assert_true(lives[i] != 0);
        assert_true(lives[i] != GD_LIFE_REMOVED);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(lives[i], lives[k]);
        }
        fake_release(&disk);
    }
}

static void test_restore_refuses_a_damaged_backup(void **state)
{
    static struct fake_disk disk;
    struct gd_offline offline = offline_of(&disk);
    struct gd_config config;
    struct gd_recovered recovered;
    struct gd_error error = {0};

    (void)state;
    make_backup();
    assert_int_equal(gd_members_number(&survivor, 1, &config, &error), GD_OK);
    fake_init(&disk, 3);
    for (size_t at = 0; at < backup_size; at += at < 1000 ? 1 : 9973) {
        backup[at] ^= 0x10;
        assert_int_not_equal(gd_restore(&offline, &source, &config, &survivor, &recovered, &error),
                             GD_OK);
        backup[at] ^= 0x10;
    }
    for (size_t cut = 1; cut < 2000; cut += 13) {
        backup_size -= cut;
        assert_int_equal(gd_restore(&offline, &source, &config, &survivor, &recovered, &error),
                         GD_ERR_CORRUPT);
        backup_size += cut;
    }
    assert_int_equal(disk.steps, 0); /* Nothing was written. */
    assert_int_equal(fake_heap(), 0);
    fake_release(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recover_survives_a_crash_anywhere),
        cmocka_unit_test(test_recover_passes_over_a_damaged_snapshot),
        cmocka_unit_test(test_recover_refuses_an_empty_directory),
        cmocka_unit_test(test_restore_survives_a_crash_anywhere),
        cmocka_unit_test(test_restore_makes_a_life_of_its_own),
        cmocka_unit_test(test_restore_refuses_a_damaged_backup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
