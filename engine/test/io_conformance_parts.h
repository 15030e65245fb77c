/* io_conformance_parts.h - what the suite's files share. Not for anyone else. */
#ifndef GANDALF_ENGINE_TEST_IO_CONFORMANCE_PARTS_H
#define GANDALF_ENGINE_TEST_IO_CONFORMANCE_PARTS_H
#include "engine/test/io_conformance.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Long enough for the slowest machine; a test that passes never waits for it. */
#define PATIENCE_MS 20000

int gd_io_conformance_begin(void **state);
int gd_io_conformance_end(void **state);

static inline struct gd_io_harness *harness_of(void **state)
{
    return *state;
}
static inline struct gd_io *io_of(struct gd_io_harness *harness, unsigned node)
{
    return harness->v->io(harness, node);
}
static inline bool run_until(struct gd_io_harness *harness, gd_io_harness_until_fn *until,
                             void *context)
{
    return harness->v->run(harness, until, context, PATIENCE_MS);
}
static inline void run_for(struct gd_io_harness *harness, uint64_t time_ms)
{
    (void)harness->v->run(harness, NULL, NULL, time_ms);
}

#define CONFORMANCE_TEST(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, gd_io_conformance_begin, gd_io_conformance_end)

int gd_io_conformance_clock(const char *name);
int gd_io_conformance_net(const char *name);
int gd_io_conformance_disk(const char *name);
/* The harness for the groups: cmocka has no argument for it. Test programs only. */
extern struct gd_io_harness *gd_io_conformance_harness;
#endif
