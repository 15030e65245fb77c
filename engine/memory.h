/* memory.h - where memory comes from.
 *
 * The engine, kvs and every database behind a Tracker allocate through these four functions and no
 * others. They are declared here and defined by the world that a program links: io-real's are
 * libc's; io-sim's take from the heap of the simulated process that is running, so that a crash can
 * drop a process's memory whole, fresh bytes are poisoned from the seed, and a leak has an owner.
 * Chosen over an allocator passed by pointer: no structure carries it, no call can name the wrong
 * one.
 *
 * None returns NULL for a size above 0: a program out of memory stops with one line. Sizes that
 * come from outside are bounded before they get here. */
#ifndef GANDALF_ENGINE_MEMORY_H
#define GANDALF_ENGINE_MEMORY_H
#include <stddef.h>

void *gd_malloc(size_t size);
/* Zeroed; the product of the two must not overflow (asserted). */
void *gd_calloc(size_t count, size_t size);
/* As realloc; `pointer` may be NULL. */
void *gd_realloc(void *pointer, size_t size);
/* `pointer` may be NULL. */
void gd_free(void *pointer);
#endif
