/* node_disk.c - see node_disk.h. */
#include "engine/test/node_disk.h"
#include "engine/snapshot.h"
#include "engine/wal.h"
#include <stdio.h>

enum { LARGE_MAX = 4096 };

static bool told;

static void on_done(void *context, enum gd_err err, const struct gd_error *error)
{
    (void)context;
    (void)error;
    GD_ASSERT(err == GD_OK);
    told = true;
}

static void on_opened(void *context, enum gd_err err, const struct gd_wal_recovered *recovered,
                      const struct gd_error *error)
{
    (void)recovered;
    on_done(context, err, error);
}

static void on_stored(void *context, uint64_t sequence, struct gd_position last)
{
    (void)context;
    (void)sequence;
    (void)last;
    told = true;
}

static void on_failed(void *context, const struct gd_error *error)
{
    (void)context;
    GD_ASSERT(error == NULL);
}

static void on_closed(void *context)
{
    (void)context;
    told = true;
}

static void until_told(struct fake_disk *disk)
{
    while (!told && fake_step(disk)) {
    }
    GD_ASSERT(told);
    told = false;
}

static struct gd_config three_members(void)
{
    struct gd_config config = {.count = 3};

    for (uint32_t i = 0; i < 3; i++) {
        config.members[i] = (struct gd_member){.id = i + 1, .roles = GD_MEMBER_VOTER};
        (void)snprintf(config.members[i].address.text, GD_ADDRESS_SIZE, "127.0.0.1:700%u", i + 1);
    }
    return config;
}

void node_disk_snapshot(struct fake_disk *disk, struct gd_position position, struct gd_slice body)
{
    struct gd_snapshot_store *store = gd_snapshot_store_new(&disk->io, "snapshot");
    struct gd_snapshot_meta meta = {.position = position, .stamp_ms = 5, .config = three_members()};

    gd_snapshot_store_open(store, on_done, NULL);
    until_told(disk);
    gd_snapshot_write_begin(store, &meta, on_done, NULL);
    until_told(disk);
    if (body.size > 0) {
        gd_snapshot_write(store, body, on_done, NULL);
        until_told(disk);
    }
    gd_snapshot_write_end(store, on_done, NULL);
    until_told(disk);
    gd_snapshot_store_close(store, on_closed, NULL);
    until_told(disk);
    gd_snapshot_store_free(store);
}

void node_disk_log(struct fake_disk *disk, uint32_t segment_size, size_t large)
{
    static const uint8_t bytes[LARGE_MAX] = {1};
    struct gd_wal *wal = gd_wal_new(&(struct gd_wal_options){.io = &disk->io,
                                                             .directory = "wal",
                                                             .segment_size = segment_size,
                                                             .batch_size_max = segment_size,
                                                             .stored = on_stored,
                                                             .failed = on_failed});
    struct gd_wal_identity identity = {
        .cluster_id = NODE_DISK_CLUSTER, .node_id = 1, .boot = NODE_DISK_BOOT};
    struct gd_hard_state hard_state = {.term = NODE_DISK_TERM, .vote = 2};
    struct gd_snapshot_meta none = {.config = three_members()};

    GD_ASSERT(large <= LARGE_MAX);
    gd_wal_open(wal, on_opened, NULL);
    until_told(disk);
    gd_wal_start(wal, &identity, &hard_state, &none, on_done, NULL);
    until_told(disk);
    for (uint64_t i = 1; i <= NODE_DISK_ENTRIES; i++) {
        struct gd_entry *entry = gd_entry_new(GD_ENTRY_REQUEST, bytes, i % 4 == 0 ? large : 4);
        struct gd_raft_persist persist = {.sequence = i, .entries = &entry, .entry_count = 1};
        entry->position = (struct gd_position){i < 7 ? 2 : NODE_DISK_TERM, i};
        gd_wal_append(wal, &persist);
        until_told(disk);
        gd_entry_drop(entry);
    }
    gd_wal_close(wal, on_closed, NULL);
    until_told(disk);
    gd_wal_free(wal);
}
