/* The real world keeps io.h's promises: the suite of engine/test over two gd_uv in one thread. */
#include "engine/test/io_conformance.h"
#include "io-real/uv.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct real {
    struct gd_io_harness harness; /* First. */
    struct gd_uv *uv[GD_IO_HARNESS_NODES];
    char directory[GD_IO_HARNESS_NODES][64];
};

static struct real *real_of(struct gd_io_harness *harness)
{
    return (struct real *)(void *)harness;
}

static void boot(struct real *real, unsigned node)
{
    struct gd_error error = {0};

    real->uv[node] = gd_uv_new(real->directory[node], &error);
    if (real->uv[node] == NULL) {
        (void)fprintf(stderr, "%s\n", error.text);
        abort();
    }
    gd_uv_set_log_level(real->uv[node], GD_LOG_ERROR + 1);
}

static void begin(struct gd_io_harness *harness)
{
    struct real *real = real_of(harness);

    for (unsigned node = 0; node < GD_IO_HARNESS_NODES; node++) {
        (void)snprintf(real->directory[node], sizeof real->directory[node],
                       "/tmp/gandalf-conformance-XXXXXX");
        if (mkdtemp(real->directory[node]) == NULL) {
            abort();
        }
        boot(real, node);
    }
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *ftw)
{
    (void)facts;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void limit_disk(struct gd_io_harness *harness, unsigned node, uint64_t size)
{
    struct rlimit limit;

    (void)harness;
    (void)node;
    (void)getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size == 0 ? limit.rlim_max : size;
    (void)setrlimit(RLIMIT_FSIZE, &limit);
}

static void end(struct gd_io_harness *harness)
{
    struct real *real = real_of(harness);

    limit_disk(harness, 0, 0);
    for (unsigned node = 0; node < GD_IO_HARNESS_NODES; node++) {
        gd_uv_free(real->uv[node]);
        (void)nftw(real->directory[node], remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
}

static struct gd_io *io(struct gd_io_harness *harness, unsigned node)
{
    return gd_uv_io(real_of(harness)->uv[node]);
}

static const char *host(struct gd_io_harness *harness, unsigned node)
{
    (void)harness;
    (void)node;
    return "127.0.0.1";
}

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Two loops on one thread: neither may wait, so both are turned, with a nap when nothing stirs. */
static bool run(struct gd_io_harness *harness, gd_io_harness_until_fn *until, void *context,
                uint64_t timeout_ms)
{
    struct real *real = real_of(harness);
    uint64_t begin_ms = now_ms();

    for (unsigned turn = 0;; turn++) {
        if (until != NULL && until(context)) {
            return true;
        }
        if (now_ms() - begin_ms >= timeout_ms) {
            return false;
        }
        for (unsigned node = 0; node < GD_IO_HARNESS_NODES; node++) {
            gd_uv_turn(real->uv[node], false);
        }
        if (turn % 8 == 7) {
            struct timespec nap = {.tv_nsec = 50000};
            (void)nanosleep(&nap, NULL);
        }
    }
}

/* As near to a crash as one process gets: everything in flight is dropped, the files stay. */
static void crash(struct gd_io_harness *harness, unsigned node)
{
    struct real *real = real_of(harness);

    gd_uv_free(real->uv[node]);
    boot(real, node);
}

int main(void)
{
    static const struct gd_io_harness_vtable vtable = {
        .begin = begin,
        .end = end,
        .io = io,
        .host = host,
        .run = run,
        .crash = crash,
        .limit_disk = limit_disk,
    };
    static struct real real = {.harness = {.v = &vtable}};

    return gd_io_conformance_run("io-real", &real.harness);
}
