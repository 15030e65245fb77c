/* bench_keyspace.c - the keyspace alone: sets and gets a second, bytes a key, and the longest step
 * of a snapshot, of a clear and of a write meanwhile. Usage: bench_keyspace [KEYS [VALUE_SIZE]] */
#include "engine/memory.h"
#include "engine/prng.h"
#include "kvs/kv_stream.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct gd_slice key_of(size_t number, char *buffer, size_t capacity)
{
    int size = snprintf(buffer, capacity, "key:%012zu", number);
    return (struct gd_slice){(const uint8_t *)buffer, (size_t)size};
}

static long resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file != NULL) {
        if (fscanf(file, "%ld %ld", &pages, &resident) != 2) {
            resident = 0;
        }
        (void)fclose(file);
    }
    return resident * 4;
}

static double worst_of(double worst, double start)
{
    double took = now_s() - start;
    return took > worst ? took : worst;
}

static void bench_snapshot(struct gd_keyspace *ks, size_t keys, struct gd_slice value)
{
    uint8_t *buffer = gd_malloc(65536);
    struct gd_kv_writer writer;
    double begin = now_s(), step = 0, write = 0;
    uint64_t bytes = 0;
    size_t size, at = 0, steps = 0;
    char name[32];

    gd_keyspace_freeze(ks);
    gd_kv_writer_begin(&writer, ks, 1);
    do {
        double start = now_s();
        size = gd_kv_writer_read(&writer, ks, buffer, 65536);
        step = worst_of(step, start);
        bytes += size;
        steps++;
        for (int i = 0; i < 50; i++, at += 7919) {
            start = now_s();
            gd_keyspace_set(ks, key_of(at % keys, name, sizeof name), value, -1, 2);
            write = worst_of(write, start);
        }
    } while (size > 0);
    gd_kv_writer_release(&writer);
    gd_keyspace_thaw(ks);
    printf("snapshot: %.0f MB in %zu steps, %.2f s with writes between; longest step %.3f ms, "
           "longest write %.3f ms\n",
           (double)bytes / 1e6, steps, now_s() - begin, step * 1e3, write * 1e3);
    gd_free(buffer);
}

int main(int argc, char **argv)
{
    size_t keys = argc > 1 ? (size_t)atol(argv[1]) : 1000000;
    size_t value_size = argc > 2 ? (size_t)atol(argv[2]) : 64;
    if (keys == 0) {
        (void)fprintf(stderr, "usage: bench_keyspace [KEYS [VALUE_SIZE]], at least one key\n");
        return 2;
    }
    struct gd_slice value = {gd_calloc(1, value_size + 1), value_size};
    struct gd_keyspace *ks = gd_keyspace_new(1, 2);
    long before = resident_kib();
    double start = now_s(), worst = 0;
    struct gd_prng prng;
    char name[32];
    size_t found = 0;

    for (size_t i = 0; i < keys; i++) {
        double one = now_s();
        gd_keyspace_set(ks, key_of(i, name, sizeof name), value, -1, 1);
        worst = worst_of(worst, one);
    }
    printf("set new:  %.2f M/s, longest %.3f ms\n", (double)keys / (now_s() - start) / 1e6,
           worst * 1e3);
    printf("memory:   %.1f bytes a key resident, %.1f by its own count\n",
           (double)(resident_kib() - before) * 1024 / (double)keys,
           (double)gd_keyspace_memory(ks) / (double)keys);
    gd_prng_init(&prng, 1);
    start = now_s();
    for (size_t i = 0; i < keys; i++) {
        found +=
            gd_keyspace_find(ks, key_of(gd_prng_below(&prng, keys), name, sizeof name)) != NULL;
    }
    printf("get:      %.2f M/s (%zu found)\n", (double)keys / (now_s() - start) / 1e6, found);
    start = now_s();
    for (size_t i = 0; i < keys; i++) {
        gd_keyspace_set(ks, key_of(gd_prng_below(&prng, keys), name, sizeof name), value, -1, 1);
    }
    printf("set old:  %.2f M/s\n", (double)keys / (now_s() - start) / 1e6);
    bench_snapshot(ks, keys, value);
    start = now_s();
    gd_keyspace_clear(ks);
    printf("clear:    %.3f ms", (now_s() - start) * 1e3);
    worst = 0;
    start = now_s();
    for (bool more = true; more;) {
        double one = now_s();
        more = gd_keyspace_work(ks, 2000);
        worst = worst_of(worst, one);
    }
    printf(", given back in %.3f s, longest piece %.3f ms\n", now_s() - start, worst * 1e3);
    gd_keyspace_free(ks);
    return 0;
}
