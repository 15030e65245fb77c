/* bench_wal.c - the write-ahead log on a real disk: appends a second, and the time of a restart.
 *
 *   bench_wal DIRECTORY [ENTRIES [SIZE [IN_FLIGHT]]]
 *
 * DIRECTORY is made when absent and must be empty; what is written stays there. IN_FLIGHT appends
 * of one entry each wait at a time, as IN_FLIGHT clients would. */
#include "engine/memory.h"
#include "engine/wal.h"
#include "io-real/uv.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    struct gd_uv *uv;
    struct gd_wal *wal;
    uint64_t entries, size, in_flight;
    uint64_t appended, stored;
    gd_time_ns began;
    bool refill; /* A turn to append in is on its way. */
    struct gd_timer turn;
    uint64_t recovered;
};

static void die(const struct gd_error *error)
{
    (void)fprintf(stderr, "bench_wal: %s\n", error->text);
    exit(1);
}

static double seconds_since(const struct bench *bench)
{
    return (double)(gd_io_now(gd_uv_io(bench->uv)) - bench->began) / 1e9;
}

static void on_closed(void *context)
{
    struct bench *bench = context;

    gd_uv_stop(bench->uv);
}

static void append(struct gd_timer *timer)
{
    struct bench *bench = timer->context;

    while (bench->appended < bench->entries && bench->appended - bench->stored < bench->in_flight) {
        struct gd_entry *entry = gd_entry_new(GD_ENTRY_REQUEST, NULL, (size_t)bench->size);
        struct gd_raft_persist persist = {
            .sequence = ++bench->appended, .entries = &entry, .entry_count = 1};

        memset(entry->data, 'x', entry->size);
        entry->position = (struct gd_position){1, bench->appended};
        gd_wal_append(bench->wal, &persist);
        gd_entry_drop(entry);
    }
}

static void on_stored(void *context, uint64_t sequence, struct gd_position last)
{
    struct bench *bench = context;

    (void)last;
    bench->stored = sequence;
    if (sequence == bench->entries) {
        uint64_t syncs, bytes;
        double took = seconds_since(bench);

        gd_wal_counters(bench->wal, &syncs, &bytes);
        printf("append: %.3f s, %.0f entries/s, %.0f writes/s, %.1f MB/s\n", took,
               (double)bench->entries / took, (double)syncs / took, (double)bytes / took / 1e6);
        gd_wal_close(bench->wal, on_closed, bench);
        return;
    }
    append(&bench->turn);
}

static void on_failed(void *context, const struct gd_error *error)
{
    (void)context;
    die(error);
}

static void on_started(void *context, enum gd_err err, const struct gd_error *error)
{
    struct bench *bench = context;

    if (err != GD_OK) {
        die(error);
    }
    printf("start: %.3f s\n", seconds_since(bench));
    if (bench->recovered > 0) {
        gd_wal_close(bench->wal, on_closed, bench);
        return;
    }
    bench->began = gd_io_now(gd_uv_io(bench->uv));
    gd_timer_start(gd_uv_io(bench->uv), &bench->turn, 0);
}

static void on_opened(void *context, enum gd_err err, const struct gd_wal_recovered *recovered,
                      const struct gd_error *error)
{
    struct bench *bench = context;
    struct gd_wal_identity identity = {1, 1, 1};
    struct gd_hard_state hard_state = {0, 0};
    struct gd_snapshot_meta snapshot = {.size = 0};

    if (err != GD_OK) {
        die(error);
    }
    bench->recovered = recovered->entry_count;
    if (!recovered->empty) {
        printf("recovery: %.3f s for %zu entries\n", seconds_since(bench), recovered->entry_count);
        identity.boot = recovered->identity.boot + 1;
    }
    bench->began = gd_io_now(gd_uv_io(bench->uv));
    gd_wal_start(bench->wal, &identity, &hard_state, &snapshot, on_started, bench);
}

static void run(struct bench *bench)
{
    struct gd_wal_options options = {.io = gd_uv_io(bench->uv),
                                     .directory = "wal",
                                     .segment_size = UINT64_C(64) << 20,
                                     .batch_size_max = 1 << 20,
                                     .stored = on_stored,
                                     .failed = on_failed,
                                     .context = bench};

    bench->wal = gd_wal_new(&options);
    bench->began = gd_io_now(gd_uv_io(bench->uv));
    gd_wal_open(bench->wal, on_opened, bench);
    gd_uv_run(bench->uv);
    gd_wal_free(bench->wal);
}

static uint64_t number(int argc, char **argv, int at, uint64_t otherwise)
{
    return argc > at ? strtoull(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    struct bench bench = {.entries = number(argc, argv, 2, 1000000),
                          .size = number(argc, argv, 3, 32),
                          .in_flight = number(argc, argv, 4, 1000)};
    struct gd_error error;

    if (argc < 2) {
        (void)fprintf(stderr, "usage: bench_wal DIRECTORY [ENTRIES [SIZE [IN_FLIGHT]]]\n");
        return 2;
    }
    bench.turn = (struct gd_timer){.fire = append, .context = &bench};
    bench.uv = gd_uv_new(argv[1], &error);
    if (bench.uv == NULL) {
        die(&error);
    }
    run(&bench);
    run(&bench);
    gd_uv_free(bench.uv);
    return 0;
}
