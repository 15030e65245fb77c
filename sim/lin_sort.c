/* lin_sort.c - sorting and memory for the checker.
 *
 * Times are numbers with few significant bits apart from what they share: a radix sort over those
 * bits takes a few passes, and is stable, so that ties keep the order of the history. Most of what
 * is sorted is nearly in order: operations in the order of their calls, by their returns. */
#include "sim/lin_search.h"
#include "sim/big.h"
#include <stdlib.h>

#define RADIX_BITS 11
#define RADIX (1u << RADIX_BITS)
#define MOVES_EACH 8u /* What is nearly in order is put in order by insertion. */

void *gd_lin_zeroed(size_t count, size_t size)
{
    if (count * size >= GD_SIM_BIG) {
        return memset(gd_sim_big(count * size), 0, count * size);
    }
    void *array = calloc(count > 0 ? count : 1, size);
    GD_ASSERT(array != NULL);
    return array;
}

void *gd_lin_room(void *array, size_t *capacity, size_t count, size_t size)
{
    if (count > *capacity || array == NULL) {
        free(array);
        *capacity = count + count / 4;
        array = gd_sim_big(*capacity * size);
    }
    return array;
}

void *gd__lin_grow(void *array, size_t *capacity, size_t count, size_t size)
{
    size_t old = *capacity;
    while (*capacity <= count) {
        *capacity = *capacity == 0 ? 16 : *capacity * 2;
    }
    return gd_sim_bigger(array, old * size, *capacity * size);
}

/* False: it takes too long, and is left in part. Equal ones have kept their order. */
static bool insertion_sort(struct gd_lin_pair *pairs, size_t count, size_t patience)
{
    size_t moves = 0, i = 1;
    for (; i < count && moves <= patience + MOVES_EACH * i; i++) {
        struct gd_lin_pair pair = pairs[i];
        size_t k = i;
        for (; k > 0 && pairs[k - 1].key > pair.key; k--) {
            pairs[k] = pairs[k - 1];
        }
        pairs[k] = pair;
        moves += i - k;
    }
    return i >= count;
}

static void radix_pass(const struct gd_lin_pair *from, struct gd_lin_pair *to, size_t count,
                       uint64_t least, unsigned shift)
{
    size_t places[RADIX] = {0}, sum = 0;
    for (size_t i = 0; i < count; i++) {
        places[(from[i].key - least) >> shift & (RADIX - 1)]++;
    }
    for (size_t i = 0; i < RADIX; i++) {
        size_t here = places[i];
        places[i] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++) {
        to[places[(from[i].key - least) >> shift & (RADIX - 1)]++] = from[i];
    }
}

void gd_lin_sort(struct gd_lin_pair *pairs, size_t count)
{
    uint64_t least = UINT64_MAX, most = 0;
    if (insertion_sort(pairs, count, count < 200 ? SIZE_MAX / 2 : 64)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        least = pairs[i].key < least ? pairs[i].key : least;
        most = pairs[i].key > most ? pairs[i].key : most;
    }
    struct gd_lin_pair *other = gd_sim_big(count * sizeof *other);
    struct gd_lin_pair *from = pairs, *to = other;
    for (unsigned shift = 0; shift < 64 && (most - least) >> shift > 0; shift += RADIX_BITS) {
        radix_pass(from, to, count, least, shift);
        struct gd_lin_pair *swap = from;
        from = to;
        to = swap;
    }
    if (from != pairs) {
        memcpy(pairs, from, count * sizeof *pairs);
    }
    free(other);
}
