/* libc_world.c - the least world a unit test needs: memory from libc, and an assertion that aborts.
 */
#include "engine/base.h"
#include "engine/memory.h"
#include <stdio.h>
#include <stdlib.h>

static void *checked(void *pointer)
{
    if (pointer == NULL) {
        (void)fprintf(stderr, "out of memory\n");
        abort();
    }
    return pointer;
}

void *gd_malloc(size_t size)
{
    return checked(malloc(size == 0 ? 1 : size));
}

void *gd_calloc(size_t count, size_t size)
{
    return checked(calloc(count == 0 ? 1 : count, size == 0 ? 1 : size));
}

void *gd_realloc(void *pointer, size_t size)
{
    return checked(realloc(pointer, size == 0 ? 1 : size));
}

void gd_free(void *pointer)
{
    free(pointer);
}

_Noreturn void gd_assert_fail(const char *file, int line, const char *cond)
{
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, cond);
    abort();
}
