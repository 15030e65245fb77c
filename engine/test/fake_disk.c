/* fake_disk.c - the disk of the crash explorers; see fake_disk.h. */
#include "engine/test/fake_disk.h"
#include "engine/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

/* ---------------------------------------------------------------- memory */

/* Thousands of crashes take and drop the same segments: most of the time would go into pages that
 * the system takes back and gives anew, and under a sanitizer each would be a mapping of its own.
 * So large pieces are kept, by the power of two above their size. */
enum { LARGE = 16384 };
struct piece {
    size_t size;  /* Asked for. */
    size_t class; /* 0: small; else there are 1 << class bytes. */
};
struct kept {
    struct kept *next;
};
static struct kept *kept[sizeof(size_t) * 8];

static void *memory_new(size_t size)
{
    size_t class = 0;
    struct piece *piece = NULL;

    while (size >= LARGE && (size_t)1 << class < size) {
        class ++;
    }
    if (class > 0 && kept[class] != NULL) {
        struct kept *found = kept[class];
        kept[class] = found->next;
        ASAN_UNPOISON_MEMORY_REGION(found, size);
        piece = (struct piece *)(void *)found - 1;
    } else {
        piece = malloc(sizeof *piece + (class > 0 ? (size_t)1 << class : size));
        if (piece == NULL) {
            abort();
        }
        if (class > 0) {
            ASAN_POISON_MEMORY_REGION((uint8_t *)(piece + 1) + size, ((size_t)1 << class) - size);
        }
    }
    *piece = (struct piece){size, class};
    return piece + 1;
}

static void memory_free(void *memory)
{
    struct piece *piece = memory;
    struct kept *keep = memory;

    if (memory == NULL) {
        return;
    }
    piece--;
    if (piece->class == 0) {
        free(piece);
        return;
    }
    keep->next = kept[piece->class];
    kept[piece->class] = keep;
    ASAN_POISON_MEMORY_REGION(keep + 1, ((size_t)1 << piece->class) - sizeof *keep);
}

static void *memory_resize(void *memory, size_t size)
{
    void *result = memory_new(size);

    if (memory != NULL) {
        size_t old = ((struct piece *)memory - 1)->size;
        memcpy(result, memory, old < size ? old : size);
        memory_free(memory);
    }
    return result;
}

/* ---------------------------------------------------------------- the process's heap */

struct block {
    struct block *next, *previous;
    size_t size;
    size_t pad;
};
static struct block heap = {&heap, &heap, 0, 0};

void *gd_malloc(size_t size)
{
    struct block *block = memory_new(sizeof *block + size);

    *block = (struct block){heap.next, &heap, size, 0};
    heap.next->previous = block;
    heap.next = block;
    heap.size += size;
    if (size > 0) {
        memset(block + 1, 0xa5, size);
    }
    return block + 1;
}

void gd_free(void *pointer)
{
    struct block *block = pointer;

    if (pointer == NULL) {
        return;
    }
    block--;
    block->next->previous = block->previous;
    block->previous->next = block->next;
    heap.size -= block->size;
    memory_free(block);
}

void *gd_calloc(size_t count, size_t size)
{
    void *pointer = gd_malloc(count * size);

    memset(pointer, 0, count * size);
    return pointer;
}

void *gd_realloc(void *pointer, size_t size)
{
    struct block *block = pointer;
    void *result = gd_malloc(size);

    if (pointer != NULL) {
        block--;
        memcpy(result, pointer, block->size < size ? block->size : size);
        gd_free(pointer);
    }
    return result;
}

size_t fake_heap(void)
{
    return heap.size;
}

_Noreturn void gd_assert_fail(const char *file, int line, const char *cond)
{
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, cond);
    abort();
}

/* ---------------------------------------------------------------- names and files */

uint64_t fake_random(struct fake_disk *fake, uint64_t below)
{
    uint64_t z = (fake->random += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return below == 0 ? 0 : z % below;
}

static struct fake_name *name_find(struct fake_disk *fake, const char *path)
{
    for (size_t i = 0; i < fake->name_count; i++) {
        if (strcmp(fake->names[i].path, path) == 0) {
            return &fake->names[i];
        }
    }
    return NULL;
}

static struct fake_name *name_make(struct fake_disk *fake, const char *path)
{
    struct fake_name *name = name_find(fake, path);

    if (name == NULL) {
        GD_ASSERT(fake->name_count < FAKE_FILES_MAX);
        GD_ASSERT(strlen(path) < sizeof name->path);
        name = &fake->names[fake->name_count++];
        (void)snprintf(name->path, sizeof name->path, "%s", path);
        name->now = name->durable = -1;
    }
    return name;
}

static void name_point(struct fake_name *name, int inode)
{
    name->now = inode;
    name->stuck = false;
}

static bool inode_used(const struct fake_disk *fake, int inode)
{
    for (size_t i = 0; i < fake->name_count; i++) {
        if (fake->names[i].now == inode || fake->names[i].durable == inode) {
            return true;
        }
    }
    return false;
}

static void inode_resize(struct fake_inode *inode, uint64_t size)
{
    if (size > inode->now_size) {
        inode->now = memory_resize(inode->now, (size_t)size + 1);
        memset(inode->now + inode->now_size, 0, (size_t)(size - inode->now_size));
    }
    inode->now_size = size;
}

static int inode_make(struct fake_disk *fake)
{
    for (int i = 0; i < FAKE_FILES_MAX; i++) {
        struct fake_inode *inode = &fake->inodes[i];
        if (inode->now == NULL) {
            inode->now = memory_new(1);
            inode->durable = memory_new(1);
            inode->now_size = inode->durable_size = 0;
            return i;
        }
    }
    abort();
}

static void inode_free(struct fake_inode *inode)
{
    memory_free(inode->now);
    memory_free(inode->durable);
    *inode = (struct fake_inode){0};
}

static void inode_sync(struct fake_inode *inode)
{
    memory_free(inode->durable);
    inode->durable = memory_new((size_t)inode->now_size + 1);
    memcpy(inode->durable, inode->now, (size_t)inode->now_size);
    inode->durable_size = inode->now_size;
}

static bool inside(const char *directory, const char *path)
{
    size_t size = strlen(directory);
    const char *rest = path;

    if (size > 0) {
        if (strncmp(path, directory, size) != 0 || path[size] != '/') {
            return false;
        }
        rest = path + size + 1;
    }
    return strchr(rest, '/') == NULL;
}

struct fake_inode *fake_file(struct fake_disk *fake, const char *path)
{
    struct fake_name *name = name_find(fake, path);

    return name == NULL || name->now < 0 ? NULL : &fake->inodes[name->now];
}

void fake_put(struct fake_disk *fake, const char *path, struct gd_slice bytes)
{
    struct fake_name *name = name_make(fake, path);
    struct fake_inode *inode;

    if (name->now < 0) {
        name->now = inode_make(fake);
    }
    name->durable = name->now;
    inode = &fake->inodes[name->now];
    inode_resize(inode, bytes.size);
    if (bytes.size > 0) {
        memcpy(inode->now, bytes.data, bytes.size);
    }
    inode_sync(inode);
}

/* ---------------------------------------------------------------- operations */

static int compare_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void list(struct fake_disk *fake, struct gd_disk_op *op)
{
    static char names[FAKE_FILES_MAX][64];
    size_t count = 0, size = 1;
    char *at;

    for (size_t i = 0; i < fake->name_count; i++) {
        if (fake->names[i].now >= 0 && inside(op->path, fake->names[i].path)) {
            const char *slash = strrchr(fake->names[i].path, '/');
            (void)snprintf(names[count], sizeof names[count], "%s",
                           slash == NULL ? fake->names[i].path : slash + 1);
            size += strlen(names[count++]) + 1;
        }
    }
    qsort(names, count, sizeof names[0], compare_text);
    op->names = at = gd_malloc(size);
    for (size_t i = 0; i < count; i++) {
        memcpy(at, names[i], strlen(names[i]) + 1);
        at += strlen(at) + 1;
    }
    *at = '\0';
}

static enum gd_err open_file(struct fake_disk *fake, struct gd_disk_op *op)
{
    struct fake_name *name = name_find(fake, op->path);

    if (name == NULL || name->now < 0) {
        if ((op->flags & GD_DISK_CREATE) == 0) {
            return GD_ERR_NOT_FOUND;
        }
        name = name_make(fake, op->path);
        name_point(name, inode_make(fake));
    } else if ((op->flags & GD_DISK_EXCLUSIVE) != 0) {
        return GD_ERR_EXISTS;
    }
    op->file->handle = name->now;
    op->file->world = fake;
    return GD_OK;
}

static enum gd_err read_file(struct fake_disk *fake, struct gd_disk_op *op,
                             const struct fake_inode *inode)
{
    uint64_t left = op->offset < inode->now_size ? inode->now_size - op->offset : 0;

    op->result = op->size < left ? op->size : left;
    if (fake->short_reads && op->result > 1) {
        op->result = 1 + fake_random(fake, op->result);
    }
    memcpy(op->data, inode->now + op->offset, (size_t)op->result);
    if (fake->lies > 0 && op->result > 0) {
        uint8_t *data = op->data;
        if (fake->lie_zeros || fake->lie_tail) {
            uint64_t at = fake->lie_tail ? fake_random(fake, op->result) : 0;
            memset(data + at, 0, (size_t)(op->result - at));
        } else {
            data[fake_random(fake, op->result)] ^= (uint8_t)(1u << fake_random(fake, 8));
        }
        fake->lies--;
    }
    return GD_OK;
}

static enum gd_err allocate(struct fake_disk *fake, struct gd_disk_op *op, struct fake_inode *inode)
{
    if (op->size > inode->now_size) {
        if (op->size - inode->now_size > fake->space) {
            return GD_ERR_NO_SPACE;
        }
        fake->space -= op->size - inode->now_size;
        inode_resize(inode, op->size);
    }
    return GD_OK;
}

static enum gd_err write_file(struct gd_disk_op *op, struct fake_inode *inode)
{
    if (op->offset + op->size > inode->now_size) {
        inode_resize(inode, op->offset + op->size);
    }
    memcpy(inode->now + op->offset, op->data, (size_t)op->size);
    return GD_OK;
}

static enum gd_err on_file(struct fake_disk *fake, struct gd_disk_op *op, bool half)
{
    struct fake_inode *inode = &fake->inodes[op->file->handle];

    switch (op->kind) {
    case GD_DISK_READ:
        return read_file(fake, op, inode);
    case GD_DISK_WRITE:
        return write_file(op, inode);
    case GD_DISK_WRITE_DURABLE:
        (void)write_file(op, inode);
        if (!half) {
            if (inode->durable_size < op->offset + op->size) {
                uint64_t size = op->offset + op->size;
                inode->durable = memory_resize(inode->durable, (size_t)size + 1);
                memset(inode->durable + inode->durable_size, 0,
                       (size_t)(size - inode->durable_size));
                inode->durable_size = size;
            }
            memcpy(inode->durable + op->offset, op->data, (size_t)op->size);
        }
        return GD_OK;
    case GD_DISK_SYNC:
        if (!half) {
            inode_sync(inode);
        }
        return GD_OK;
    case GD_DISK_PREALLOCATE:
        return allocate(fake, op, inode);
    case GD_DISK_TRUNCATE:
        inode_resize(inode, op->size);
        return GD_OK;
    case GD_DISK_SIZE:
        op->result = inode->now_size;
        return GD_OK;
    default:
        return GD_OK; /* CLOSE. */
    }
}

static void sync_directory(struct fake_disk *fake, const char *path)
{
    for (size_t i = 0; i < fake->name_count; i++) {
        if (inside(path, fake->names[i].path) && !fake->names[i].stuck) {
            fake->names[i].durable = fake->names[i].now;
        }
    }
}

static void fail_names(struct fake_disk *fake, const char *path)
{
    for (size_t i = 0; i < fake->name_count; i++) {
        struct fake_name *name = &fake->names[i];
        name->stuck = name->stuck || (inside(path, name->path) && name->now != name->durable);
    }
}

static enum gd_err execute(struct fake_disk *fake, struct gd_disk_op *op, bool half)
{
    struct fake_name *name;

    switch (op->kind) {
    case GD_DISK_OPEN:
        return open_file(fake, op);
    case GD_DISK_RENAME:
        name = name_find(fake, op->path);
        if (name == NULL || name->now < 0) {
            return GD_ERR_NOT_FOUND;
        }
        name_point(name_make(fake, op->path_to), name->now);
        name_point(name, -1);
        return GD_OK;
    case GD_DISK_UNLINK:
        name = name_find(fake, op->path);
        if (name == NULL || name->now < 0) {
            return GD_ERR_NOT_FOUND;
        }
        name_point(name, -1);
        return GD_OK;
    case GD_DISK_LIST:
        list(fake, op);
        return GD_OK;
    case GD_DISK_MAKE_DIRECTORY:
        return GD_OK;
    case GD_DISK_SYNC_DIRECTORY:
        if (!half) {
            sync_directory(fake, op->path);
        }
        return GD_OK;
    default:
        return on_file(fake, op, half);
    }
}

static bool timer_step(struct fake_disk *fake)
{
    size_t best = 0;
    struct gd_timer *timer;

    if (fake->timer_count == 0) {
        return false;
    }
    for (size_t i = 1; i < fake->timer_count; i++) {
        const struct gd_timer *a = fake->timers[i], *b = fake->timers[best];
        if (a->deadline < b->deadline ||
            (a->deadline == b->deadline && a->sequence < b->sequence)) {
            best = i;
        }
    }
    timer = fake->timers[best];
    fake->timers[best] = fake->timers[--fake->timer_count];
    timer->place = 0;
    if (fake->now_ns < timer->deadline) {
        fake->now_ns = timer->deadline;
    }
    timer->fire(timer);
    return true;
}

bool fake_step(struct fake_disk *fake)
{
    struct gd_disk_op *op;
    size_t at;
    bool half, crash = fake->crash != FAKE_NONE && fake->steps == fake->crash_at;
    enum gd_err err;

    if (fake->crashed) {
        return false;
    }
    if (fake->queue_count == 0) {
        return timer_step(fake);
    }
    fake->steps++;
    at = (size_t)fake_random(fake, fake->queue_count);
    op = fake->queue[at];
    fake->queue[at] = fake->queue[--fake->queue_count];
    if (crash && fake->crash == FAKE_BEFORE) {
        fake->crashed = true;
        return false;
    }
    half = crash && fake->crash == FAKE_HALF;
    fake->now_ns += 1000;
    if (fake->fail_at == fake->steps) {
        err = GD_ERR_IO;
    } else if (fake->fail_err != GD_OK && fake->fail_kind == op->kind) {
        err = fake->fail_err;
        fake->fail_err = GD_OK;
    } else {
        err = execute(fake, op, half);
    }
    if (err == GD_ERR_IO && op->kind == GD_DISK_SYNC_DIRECTORY) {
        fail_names(fake, op->path);
    }
    if (crash) {
        fake->crashed = true;
        return false;
    }
    op->done(op, err);
    return true;
}

void fake_run(struct fake_disk *fake)
{
    while (fake_step(fake)) {
    }
}

/* ---------------------------------------------------------------- crashes */

static void inode_crash(struct fake_disk *fake, struct fake_inode *inode)
{
    uint64_t style = fake_random(fake, 4); /* All old, all new, any subset, any subset. */
    uint64_t most = inode->now_size > inode->durable_size ? inode->now_size : inode->durable_size;
    uint64_t size = style == 0                  ? inode->durable_size
                    : style == 1                ? inode->now_size
                    : fake_random(fake, 2) == 0 ? inode->now_size
                                                : inode->durable_size;
    uint8_t *left = memory_new((size_t)most + 1);

    for (uint64_t at = 0; at < most; at += GD_SECTOR_SIZE) {
        uint64_t end = at + GD_SECTOR_SIZE < most ? at + GD_SECTOR_SIZE : most;
        bool fresh = style == 1 || (style > 1 && fake_random(fake, 2) == 0);
        uint64_t cut = fake_random(fake, 8) == 0 ? at + fake_random(fake, end - at) : end;

        for (uint64_t i = at; i < end; i++) {
            uint8_t was = i < inode->durable_size ? inode->durable[i] : 0;
            uint8_t is = i < inode->now_size ? inode->now[i] : 0;
            left[i] = fresh == (i < cut || style < 2) ? is : was;
        }
    }
    memory_free(inode->now);
    inode->now = left;
    inode->now_size = size;
    inode_sync(inode);
}

void fake_reboot(struct fake_disk *fake)
{
    fake->queue_count = 0;
    fake->timer_count = 0;
    fake->crashed = false;
    fake->crash = FAKE_NONE;
    while (heap.next != &heap) {
        gd_free(heap.next + 1);
    }
    if (!fake->kill) {
        for (size_t i = 0; i < fake->name_count; i++) {
            struct fake_name *name = &fake->names[i];
            if (name->now != name->durable && fake_random(fake, 2) == 0) {
                name->now = name->durable;
            }
            name->durable = name->now;
            name->stuck = false;
        }
    }
    for (int i = 0; i < FAKE_FILES_MAX; i++) {
        struct fake_inode *inode = &fake->inodes[i];
        if (inode->now == NULL) {
            continue;
        }
        if (!inode_used(fake, i)) {
            inode_free(inode);
        } else if (!fake->kill) {
            inode_crash(fake, inode);
        }
    }
}

/* ---------------------------------------------------------------- the world's doors */

static gd_time_ns now(struct gd_io *io)
{
    return ((struct fake_disk *)(void *)io)->now_ns;
}

static void timer_stop(struct gd_io *io, struct gd_timer *timer)
{
    struct fake_disk *fake = (struct fake_disk *)(void *)io;

    for (size_t i = 0; i < fake->timer_count; i++) {
        if (fake->timers[i] == timer) {
            fake->timers[i] = fake->timers[--fake->timer_count];
            timer->place = 0;
            return;
        }
    }
}

static void timer_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline)
{
    struct fake_disk *fake = (struct fake_disk *)(void *)io;

    timer_stop(io, timer);
    GD_ASSERT(fake->timer_count < GD_COUNT(fake->timers));
    timer->deadline = deadline;
    timer->sequence = fake->timer_sequence++;
    timer->place = 1;
    fake->timers[fake->timer_count++] = timer;
}

static void log_line(struct gd_io *io, enum gd_log_level level, const char *line)
{
    struct fake_disk *fake = (struct fake_disk *)(void *)io;

    (void)level;
    (void)snprintf(fake->log, sizeof fake->log, "%s", line);
}

static enum gd_err disk_submit(struct gd_io *io, struct gd_disk_op *op)
{
    struct fake_disk *fake = (struct fake_disk *)(void *)io;

    GD_ASSERT(!fake->crashed);
    if (fake->queue_count == GD_COUNT(fake->queue) || fake_random(fake, 64) == 0) {
        return GD_ERR_BUSY;
    }
    fake->queue[fake->queue_count++] = op;
    return GD_OK;
}

static uint64_t entropy(struct gd_io *io, const char *purpose)
{
    (void)purpose;
    return fake_random((struct fake_disk *)(void *)io, UINT64_MAX);
}

static const struct gd_io_vtable vtable = {
    .now = now,
    .entropy = entropy,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .log = log_line,
    .disk_submit = disk_submit,
};

void fake_init(struct fake_disk *fake, uint64_t seed)
{
    *fake = (struct fake_disk){.io = {&vtable}, .random = seed, .space = UINT64_MAX};
}

void fake_release(struct fake_disk *fake)
{
    for (int i = 0; i < FAKE_FILES_MAX; i++) {
        inode_free(&fake->inodes[i]);
    }
}

void fake_copy(struct fake_disk *to, const struct fake_disk *from)
{
    GD_ASSERT(from->queue_count == 0);
    *to = *from;
    for (int i = 0; i < FAKE_FILES_MAX; i++) {
        const struct fake_inode *inode = &from->inodes[i];
        if (inode->now != NULL) {
            to->inodes[i].now = memory_new((size_t)inode->now_size + 1);
            to->inodes[i].durable = memory_new((size_t)inode->durable_size + 1);
            memcpy(to->inodes[i].now, inode->now, (size_t)inode->now_size);
            memcpy(to->inodes[i].durable, inode->durable, (size_t)inode->durable_size);
        }
    }
}
