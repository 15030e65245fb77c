/* store.h - what a simulated disk holds. Operations and their faults: disk.c. Design: store.c. */
#ifndef GANDALF_IO_SIM_STORE_H
#define GANDALF_IO_SIM_STORE_H
#include "io-sim/world_internal.h"

#define GD_PAGE_SIZE 4096
#define GD_PAGE_SECTORS (GD_PAGE_SIZE / GD_SECTOR_SIZE)

/* A page of a file. NULL in a file's table: all zeros, and durably so. */
struct gd_page {
    uint8_t *durable; /* What the medium has; NULL: the same as `now`. */
    uint8_t dirty;    /* Bit s: sector s differs, and the next sync writes it. */
    uint8_t dropped;  /* Bit s: it differs, and no sync ever writes it: a failed one was told. */
    uint64_t since[GD_PAGE_SECTORS]; /* When it became dirty, by disk.sequence. */
    uint8_t now[GD_PAGE_SIZE];
};

struct gd_inode {
    uint64_t number; /* From 1, by age. */
    unsigned uses;   /* Names (now, durable) and open files that hold it. */
    bool folder;
    uint64_t size, durable_size;
    bool size_dirty;
    uint64_t size_since;
    struct gd_page **pages;
    size_t page_count;
    size_t *dirty_pages; /* Those that ever became dirty since the last clean-up; no order. */
    size_t dirty_count, dirty_capacity;
};

struct gd_name {
    char *path;                     /* Owned. */
    struct gd_inode *now, *durable; /* NULL: not there. */
    uint64_t since;                 /* When the two began to differ. */
};

struct gd_store {
    struct gd_process *process;
    struct gd_name *names; /* By path. */
    size_t name_count, name_capacity;
    uint64_t inode_count; /* Ever. */
    uint64_t used;        /* Bytes of all files, rounded up to pages. */
};

struct gd_store *gd__store_new(struct gd_process *process);
void gd__store_free(struct gd_store *store);

/* Names. `find` returns NULL when the path is in neither view. */
struct gd_name *gd__store_find(const struct gd_store *store, const char *path);
struct gd_inode *gd__store_inode(const struct gd_store *store, const char *path);
bool gd__store_has_parent(const struct gd_store *store, const char *path);
struct gd_inode *gd__store_make(struct gd_store *store, const char *path, bool folder);
/* Points the name at `inode` (NULL: removes it), now. */
void gd__store_point(struct gd_store *store, const char *path, struct gd_inode *inode);
/* Whether `path` lies directly in `folder` ("" is the top); `*name` is its last part. */
bool gd__store_in(const char *folder, const char *path, const char **name);
/* Makes durable what became different before `before`; half: only some, drawn. */
void gd__store_sync_names(struct gd_store *store, const char *folder, uint64_t before, bool half);
/* A failed sync of the folder: each unsynced name is written or dropped, as drawn; none is kept
 * waiting. */
void gd__store_drop_names(struct gd_store *store, const char *folder);

void gd__inode_hold(struct gd_inode *inode);
void gd__inode_drop(struct gd_store *store, struct gd_inode *inode);
/* The bytes that growing to `size` would take more. */
uint64_t gd__inode_growth(const struct gd_inode *inode, uint64_t size);
void gd__inode_resize(struct gd_store *store, struct gd_inode *inode, uint64_t size);
void gd__inode_write(struct gd_store *store, struct gd_inode *inode, uint64_t offset,
                     const uint8_t *data, uint64_t size, bool durable);
/* Some of its sectors, drawn: a write that a crash cut short. */
void gd__inode_write_half(struct gd_store *store, struct gd_inode *inode, uint64_t offset,
                          const uint8_t *data, uint64_t size);
uint64_t gd__inode_read(const struct gd_inode *inode, enum gd_world_view view, uint64_t offset,
                        uint8_t *data, uint64_t size);
void gd__inode_sync(struct gd_store *store, struct gd_inode *inode, uint64_t before, bool half);
/* A failed sync: what was dirty is written or dropped; the cache shows it still, or no more. */
void gd__inode_drop_dirty(struct gd_store *store, struct gd_inode *inode);
/* Flips one bit where it is stored. */
void gd__inode_flip(struct gd_store *store, struct gd_inode *inode, uint64_t offset, unsigned bit);
/* lie.c: what was read from `offset` shows one sector, drawn, as it is not; the file is whole. */
void gd__disk_lie(struct gd_process *process, const struct gd_inode *inode, uint64_t offset,
                  uint8_t *data, uint64_t size);
/* The power is gone: only what is durable is sure. */
void gd__store_power_loss(struct gd_store *store);
#endif
