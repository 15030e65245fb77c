/* fake_disk.h - a disk for crash exploration: in memory, one step at a time, with a crash wherever
 * a test wants one.
 *
 * It keeps io.h's promises and no others: operations in flight run in any order; a crash leaves
 * each 512-byte sector and each name that was not synced old or new, on its own. The process's heap
 * is the fake's too (gd_malloc and the like are defined here), so a crash drops it whole. */
#ifndef GANDALF_ENGINE_TEST_FAKE_DISK_H
#define GANDALF_ENGINE_TEST_FAKE_DISK_H
#include "engine/io.h"
#include "engine/prng.h"

#define FAKE_FILES_MAX 512
struct fake_inode {
    uint8_t *now, *durable; /* NULL: free. */
    uint64_t now_size, durable_size;
};
struct fake_name {
    char path[64];
    int now, durable; /* Inode, or -1: not there. */
    bool stuck;       /* A sync of its folder failed (X4): none makes it durable until it is given
                       * anew. */
};
enum fake_crash { FAKE_NONE, FAKE_BEFORE, FAKE_HALF, FAKE_AFTER };

struct fake_disk {
    struct gd_io io; /* First. */
    uint64_t now_ns;
    uint64_t random; /* State of a small generator. */
    struct fake_inode inodes[FAKE_FILES_MAX];
    struct fake_name names[FAKE_FILES_MAX];
    size_t name_count;
    struct gd_disk_op *queue[64];
    size_t queue_count;
    struct gd_timer *timers[64];
    size_t timer_count;
    uint64_t timer_sequence;
    uint64_t steps;        /* Operations run so far. */
    uint64_t crash_at;     /* The crash comes at this step ... */
    enum fake_crash crash; /* ... in this way. */
    bool crashed;
    bool kill; /* The crash is a kill: nothing of what was written is lost. */
    bool short_reads;
    unsigned lies;               /* So many of the next reads have a flipped bit; ... */
    bool lie_zeros;              /* ... or zeros instead of what is there, ... */
    bool lie_tail;               /* ... or from somewhere on. */
    uint64_t space;              /* Bytes that preallocation may still take. */
    uint64_t fail_at;            /* The operation at this step ends in GD_ERR_IO; 0: none. */
    enum gd_disk_kind fail_kind; /* The next one of it fails with ... */
    enum gd_err fail_err;        /* ... this, unless GD_OK. */
    char log[512];               /* The last line. */
};

void fake_init(struct fake_disk *fake, uint64_t seed);
void fake_release(struct fake_disk *fake);
uint64_t fake_random(struct fake_disk *fake, uint64_t below);
/* Run one operation or timer; false when there is none, or after the crash. */
bool fake_step(struct fake_disk *fake);
void fake_run(struct fake_disk *fake);
/* What the crash leaves: unsynced data and names are lost in part, the heap is dropped, no
 * operation is in flight. */
void fake_reboot(struct fake_disk *fake);
/* The file's bytes as they are now; NULL when absent. */
struct fake_inode *fake_file(struct fake_disk *fake, const char *path);
/* A file with these bytes, durably there; what was there before is replaced. */
void fake_put(struct fake_disk *fake, const char *path, struct gd_slice bytes);
/* A copy of the whole disk (not of what is in flight), and back. */
void fake_copy(struct fake_disk *to, const struct fake_disk *from);
/* Bytes allocated by gd_malloc and not freed. */
size_t fake_heap(void);
#endif
