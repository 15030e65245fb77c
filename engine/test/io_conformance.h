/* io_conformance.h - one suite of tests for every implementation of io.h.
 *
 * A world is tested by a small program of its own, which fills in a harness and calls
 * gd_io_conformance_run(). The tests hold a world to what io.h promises and to nothing more: where
 * io.h leaves something open, each outcome that it allows passes. */
#ifndef GANDALF_ENGINE_TEST_IO_CONFORMANCE_H
#define GANDALF_ENGINE_TEST_IO_CONFORMANCE_H
#include "engine/io.h"

/* Processes in a test's world: numbered 0 and 1. */
#define GD_IO_HARNESS_NODES 2

struct gd_io_harness;
typedef bool gd_io_harness_until_fn(void *context);
struct gd_io_harness_vtable {
    /* Before each test: a new world with both processes running, their data directories empty, the
     * network and the disks without faults. */
    void (*begin)(struct gd_io_harness *harness);
    /* After each test, whatever it left open. */
    void (*end)(struct gd_io_harness *harness);
    /* The world of process `node`, as it is now (a crash may move it). Called before every group of
     * calls for that process made from outside its callbacks, so that an implementation can make it
     * the one that runs. */
    struct gd_io *(*io)(struct gd_io_harness *harness, unsigned node);
    /* Where process `node` listens and is reached: the host part of an address. */
    const char *(*host)(struct gd_io_harness *harness, unsigned node);
    /* Turns all loops until `until(context)` holds (looked at before the first turn and after each
     * event or turn) or `timeout_ms` of the world's time has passed; returns its last value.
     * `until` NULL: for that time. */
    bool (*run)(struct gd_io_harness *harness, gd_io_harness_until_fn *until, void *context,
                uint64_t timeout_ms);
    /* NULL: not to be had in this world; its tests are skipped. */
    /* Crash process `node` and boot it again on what its disk kept: no callback for anything from
     * before the crash comes any more. */
    void (*crash)(struct gd_io_harness *harness, unsigned node);
    /* From now on no file of process `node` can grow past `size` bytes in total: the disk is full.
     * 0: no limit. */
    void (*limit_disk)(struct gd_io_harness *harness, unsigned node, uint64_t size);
};
/* A world embeds this as the FIRST member of its own harness. */
struct gd_io_harness {
    const struct gd_io_harness_vtable *v;
};

/* Runs the suite under the group name `name`; returns main's exit status (0: all passed). */
int gd_io_conformance_run(const char *name, struct gd_io_harness *harness);
#endif
