/* The simulated world keeps io.h's promises: the suite of engine/test over two processes of one
 * world, again and again with other seeds and worse manners of link and disk. */
#include "engine/test/io_conformance.h"
#include "io-sim/world.h"
#include <stdio.h>

struct sim {
    struct gd_io_harness harness; /* First. */
    struct gd_world *world;
    uint64_t seed;
    bool entered;
    bool rough; /* Reads in pieces, stalls, held chunks, narrow windows. */
};

static struct sim *sim_of(struct gd_io_harness *harness)
{
    return (struct sim *)(void *)harness;
}

static void leave(struct sim *sim)
{
    if (sim->entered) {
        gd_world_leave(sim->world);
        sim->entered = false;
    }
}

static void begin(struct gd_io_harness *harness)
{
    static const char *const hosts[GD_IO_HARNESS_NODES] = {"10.0.0.1", "10.0.0.2"};
    struct sim *sim = sim_of(harness);
    struct gd_world_options options = {.seed = ++sim->seed};

    options.link = gd_world_link_defaults();
    options.disk = gd_world_disk_defaults();
    if (sim->rough) {
        options.link.fragment_ppm = 300000;
        options.link.coalesce_ppm = 300000;
        options.link.stall_ppm = 50000;
        options.link.stall_max = 5 * GD_NS_PER_MS;
        options.link.window_size = 65536;
        options.link.bandwidth = 400000000;
        options.disk.torn_ppm = 300000;
        options.disk.lost_ppm = 700000;
        options.disk.name_lost_ppm = 700000;
    }
    sim->world = gd_world_new(&options);
    for (unsigned node = 0; node < GD_IO_HARNESS_NODES; node++) {
        struct gd_world_process_options process = {.host = hosts[node]};

        if (sim->rough) {
            process.clock = (struct gd_world_clock_options){.skew_ms = node == 0 ? -5000 : 700,
                                                            .drift_ppm = node == 0 ? -300 : 50000};
        }
        gd_world_start(sim->world, gd_world_add(sim->world, &process));
    }
}

static void end(struct gd_io_harness *harness)
{
    struct sim *sim = sim_of(harness);

    leave(sim);
    gd_world_free(sim->world);
    sim->world = NULL;
}

static struct gd_io *io(struct gd_io_harness *harness, unsigned node)
{
    struct sim *sim = sim_of(harness);

    leave(sim);
    sim->entered = true;
    return gd_world_enter(sim->world, node);
}

static const char *host(struct gd_io_harness *harness, unsigned node)
{
    return gd_world_host(sim_of(harness)->world, node);
}

static bool run(struct gd_io_harness *harness, gd_io_harness_until_fn *until, void *context,
                uint64_t timeout_ms)
{
    struct sim *sim = sim_of(harness);
    gd_time_ns limit = gd_world_now(sim->world) + timeout_ms * GD_NS_PER_MS;

    leave(sim);
    while (until == NULL || !until(context)) {
        if (gd_world_next(sim->world) > limit) {
            (void)gd_world_run_until(sim->world, limit);
            return false;
        }
        (void)gd_world_step(sim->world);
    }
    return true;
}

static void crash(struct gd_io_harness *harness, unsigned node)
{
    struct sim *sim = sim_of(harness);

    leave(sim);
    gd_world_crash(sim->world, node, GD_WORLD_POWER_LOSS);
    gd_world_start(sim->world, node);
}

static void limit_disk(struct gd_io_harness *harness, unsigned node, uint64_t size)
{
    struct sim *sim = sim_of(harness);
    struct gd_world_disk_options options = gd_world_disk(sim->world, node);

    options.quota_size = size;
    gd_world_set_disk(sim->world, node, &options);
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
    struct sim calm = {.harness = {.v = &vtable}};
    struct sim rough = {.harness = {.v = &vtable}, .seed = 1000, .rough = true};
    int failed = gd_io_conformance_run("io-sim, calm", &calm.harness);

    for (unsigned round = 0; round < 8 && failed == 0; round++) {
        failed = gd_io_conformance_run("io-sim, rough", &rough.harness);
    }
    return failed;
}
