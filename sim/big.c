/* big.c - memory for big arrays; see big.h. */
#define _GNU_SOURCE
#include "sim/big.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

void *gd_sim_big(size_t size)
{
    void *array;
    if (size < GD_SIM_BIG) {
        array = malloc(size > 0 ? size : 1);
        GD_ASSERT(array != NULL);
        return array;
    }
    size = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    array = aligned_alloc(HUGE_PAGE, size);
    GD_ASSERT(array != NULL);
#ifdef MADV_HUGEPAGE
    (void)madvise(array, size, MADV_HUGEPAGE); /* Without it, it is slower. */
#endif
    return array;
}

void *gd_sim_bigger(void *array, size_t size, size_t more)
{
    if (more < GD_SIM_BIG) {
        array = realloc(array, more);
        GD_ASSERT(array != NULL);
        return array;
    }
    void *bigger = gd_sim_big(more);
    if (size > 0) {
        memcpy(bigger, array, size);
    }
    free(array);
    return bigger;
}
