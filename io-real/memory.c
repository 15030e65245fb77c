/* memory.c - memory.h over libc, and the end of a failed assertion. */
#include "engine/base.h"
#include "engine/memory.h"
#include <stdio.h>
#include <stdlib.h>

static void *or_stop(void *pointer, size_t size)
{
    if (pointer == NULL && size > 0) {
        (void)fprintf(stderr, "gandalf: out of memory (%zu bytes wanted): give the process more\n",
                      size);
        _Exit(70);
    }
    return pointer;
}

void *gd_malloc(size_t size)
{
    return or_stop(malloc(size), size);
}

void *gd_calloc(size_t count, size_t size)
{
    GD_ASSERT(size == 0 || count <= SIZE_MAX / size);
    return or_stop(calloc(count, size), count * size);
}

void *gd_realloc(void *pointer, size_t size)
{
    return or_stop(realloc(pointer, size), size);
}

void gd_free(void *pointer)
{
    free(pointer);
}

_Noreturn void gd_assert_fail(const char *file, int line, const char *cond)
{
    (void)fprintf(stderr, "gandalf: internal error at %s:%d: %s does not hold\n", file, line, cond);
    abort();
}
