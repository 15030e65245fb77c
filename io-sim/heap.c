/* heap.c - memory.h for simulated processes, and where assertions end.
 *
 * Why. A crash must drop all memory of a process, and nothing else; a leak must have an owner;
 * fresh bytes must be the same in every replay, and never zero by luck.
 *
 * How. Each block has a header that links it into the heap of the process whose code runs. The
 * world sets the running process around each callback; outside all of them blocks belong to one
 * heap of the whole program ("outside": the simulator's own). The world's own structures come from
 * a heap of the world's, named explicitly, so that they survive what they simulate.
 *
 * The one piece of file-scope mutable state in io-sim is `here`, the running process and the heap
 * outside: gd_malloc has no argument that could carry it (memory.h says why). Nothing that a run
 * does depends on it except through the world that set it. Rejected: a region (arena) for each
 * process, which would drop faster but hide overruns and late uses from the sanitizers.
 *
 * Invariants
 *   H1. A block is freed by the process that allocated it (or outside, if it was outside).
 *   H2. Fresh bytes are a function of the seed and of the process's allocations before. */
#include "io-sim/world_internal.h"
#include "engine/bytes.h"
#include <stdio.h>
#include <stdlib.h>

struct gd_block {
    struct gd_heap *heap;
    struct gd_block *next, *prev;
    size_t size; /* Bytes that follow. */
};
_Static_assert(sizeof(struct gd_block) % 16 == 0, "what follows the header must be aligned");

static struct {
    struct gd_heap outside;
    struct gd_process *process; /* Whose code runs; NULL: nobody's. */
    struct gd_world *world;     /* Set with `process`, and while a world runs. */
} here;

/* ---------------------------------------------------------------- heaps */

static void link_block(struct gd_heap *heap, struct gd_block *block)
{
    block->heap = heap;
    block->prev = NULL;
    block->next = heap->first;
    if (heap->first != NULL) {
        heap->first->prev = block;
    }
    heap->first = block;
    heap->count++;
    heap->size += block->size;
    if (heap->size > heap->size_peak) {
        heap->size_peak = heap->size;
    }
}

static void unlink_block(struct gd_block *block)
{
    struct gd_heap *heap = block->heap;

    if (block->prev != NULL) {
        block->prev->next = block->next;
    } else {
        heap->first = block->next;
    }
    if (block->next != NULL) {
        block->next->prev = block->prev;
    }
    heap->count--;
    heap->size -= block->size;
}

/* H2. Under the memory sanitizer fresh bytes stay unknown, which finds more. */
static void poison(struct gd_heap *heap, void *data, size_t size)
{
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
    (void)heap;
    (void)data;
    (void)size;
    return;
#endif
#endif
    heap->poison = heap->poison * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    memset(data, (int)(heap->poison >> 56 | 1), size);
}

static struct gd_block *block_new(struct gd_heap *heap, size_t size)
{
    GD_ASSERT(size <= SIZE_MAX - sizeof(struct gd_block));
    struct gd_block *block = malloc(sizeof *block + size);

    if (block == NULL) {
        (void)fprintf(stderr, "gandalf-sim: out of memory asking for %zu bytes: run fewer jobs\n",
                      size);
        abort();
    }
    block->size = size;
    link_block(heap, block);
    return block;
}

static struct gd_block *block_of(void *pointer)
{
    return (struct gd_block *)pointer - 1;
}

void *gd__heap_alloc(struct gd_heap *heap, size_t size)
{
    struct gd_block *block = block_new(heap, size);

    poison(heap, block + 1, size);
    return block + 1;
}

void *gd__heap_zeroed(struct gd_heap *heap, size_t size)
{
    struct gd_block *block = block_new(heap, size);

    memset(block + 1, 0, size);
    return block + 1;
}

void *gd__heap_grow(struct gd_heap *heap, void *pointer, size_t size)
{
    if (pointer == NULL) {
        return gd__heap_alloc(heap, size);
    }
    struct gd_block *old = block_of(pointer);
    size_t old_size = old->size;

    GD_ASSERT(old->heap == heap); /* H1 */
    /* Always moved: who keeps a pointer into it is found out. */
    struct gd_block *block = block_new(heap, size);
    memcpy(block + 1, old + 1, old_size < size ? old_size : size);
    if (size > old_size) {
        poison(heap, (uint8_t *)(block + 1) + old_size, size - old_size);
    }
    gd__heap_free(heap, pointer);
    return block + 1;
}

void gd__heap_free(struct gd_heap *heap, void *pointer)
{
    if (pointer == NULL) {
        return;
    }
    struct gd_block *block = block_of(pointer);

    GD_ASSERT(block->heap == heap); /* H1 */
    unlink_block(block);
    block->heap = NULL;
#ifdef GD_VERIFY_ENABLED
    memset(block + 1, 0xdb, block->size);
#endif
    free(block);
}

void gd__heap_drop(struct gd_heap *heap)
{
    while (heap->first != NULL) {
        struct gd_block *block = heap->first;

        unlink_block(block);
        free(block);
    }
    heap->size_peak = 0;
}

/* ---------------------------------------------------------------- who runs */

struct gd_process *gd__heap_enter(struct gd_world *world, struct gd_process *process)
{
    struct gd_process *before = here.process;

    here.process = process;
    here.world = world;
    return before;
}

void gd__heap_leave(struct gd_world *world, struct gd_process *before)
{
    here.process = before;
    here.world = world;
}

struct gd_process *gd__heap_running(void)
{
    return here.process;
}

void gd__heap_forget(const struct gd_world *world)
{
    if (here.world == world) {
        here.world = NULL;
        here.process = NULL;
    }
}

struct gd_world_memory gd_world_memory_outside(void)
{
    return (struct gd_world_memory){here.outside.count, here.outside.size, here.outside.size_peak};
}

/* ---------------------------------------------------------------- memory.h */

static struct gd_heap *running_heap(void)
{
    return here.process != NULL ? &here.process->heap : &here.outside;
}

void *gd_malloc(size_t size)
{
    return gd__heap_alloc(running_heap(), size);
}

void *gd_calloc(size_t count, size_t size)
{
    GD_ASSERT(size == 0 || count <= SIZE_MAX / size);
    return gd__heap_zeroed(running_heap(), count * size);
}

void *gd_realloc(void *pointer, size_t size)
{
    return gd__heap_grow(running_heap(), pointer, size);
}

void gd_free(void *pointer)
{
    gd__heap_free(running_heap(), pointer);
}

/* ---------------------------------------------------------------- assertions */

_Noreturn void gd_assert_fail(const char *file, int line, const char *cond)
{
    struct gd_world *world = here.world;
    struct gd_world_failure failure = {.process = here.process != NULL ? here.process->number
                                                                       : GD_WORLD_NOBODY,
                                       .file = file,
                                       .line = line,
                                       .cond = cond};

    if (world != NULL) {
        failure.seed = world->options.seed;
        failure.at = world->now;
        failure.event = world->event_count;
        here.process = NULL;
        if (world->options.hooks.failed != NULL) {
            world->options.hooks.failed(world->options.hooks.context, &failure);
        }
    }
    /* UNTESTED: the process ends here, and what it had counted is gone. */
    (void)fprintf(stderr,
                  "%s:%d: assertion failed: %s (seed=%llu time_ns=%llu event=%llu node=%d)\n", file,
                  line, cond, (unsigned long long)failure.seed, (unsigned long long)failure.at,
                  (unsigned long long)failure.event,
                  failure.process == GD_WORLD_NOBODY ? -1 : (int)failure.process);
    abort();
}
