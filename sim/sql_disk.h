/* sql_disk.h - the disk of one simulated SQLite database: a VFS whose files are in memory, outlive
 * the node's process, and lose what was not synced when the power goes. It may be slow, which
 * whoever called SQLite waits for, and may do what it then reports as failed. */
#ifndef GANDALF_SIM_SQL_DISK_H
#define GANDALF_SIM_SQL_DISK_H
#include "engine/prng.h"
#include <sqlite3.h>

#define GD_SIM_SQL_FILES_MAX 32
#define GD_SIM_SQL_REGIONS_MAX 64
#define GD_SIM_SQL_LOCKS 8

struct gd_sim_sql_image {
    uint8_t *data; /* Owned. */
    size_t size, capacity;
};
struct gd_sim_sql_file {
    char name[64]; /* "": a temporary one. */
    bool used, exists;
    unsigned handles;
    struct gd_sim_sql_image now, synced;
    /* SQLite's locks: on the file, and on its index of the write-ahead log. */
    unsigned shared;
    void *reserved, *exclusive;
    void *regions[GD_SIM_SQL_REGIONS_MAX]; /* Owned. */
    unsigned shm_users, shm_shared[GD_SIM_SQL_LOCKS];
    void *shm_exclusive[GD_SIM_SQL_LOCKS];
};
struct gd_sim_sql_disk {
    sqlite3_vfs vfs; /* What a tracker is given. */
    struct gd_prng prng;
    bool fails; /* Every operation does. */
    bool full;  /* What is there can be read, and nothing is written. */
    bool free;  /* For who works beside the node: it waits elsewhere, and meets no failure. */
    /* How long a write, a truncation or a deletion takes, and a sync; maxima of 0: no time.
     * `waited` is told of each, in the middle of SQLite's work. */
    uint64_t write_min, write_max, sync_min, sync_max;
    void (*waited)(void *context, uint64_t duration);
    void *context;
    uint64_t cut_turn;   /* The n-th change from now on is done and reported as failed; 0: none. */
    bool cut_commit;     /* So is the next commit's last write to the log. */
    unsigned generation; /* Handles of an older one work no more. */
    struct gd_prng chance; /* For delays and cuts. */
    struct gd_sim_sql_file files[GD_SIM_SQL_FILES_MAX];
    struct gd_sim_sql_image old; /* What the database's file once was, with its log. */
    struct gd_sim_sql_image old_log;
};
void gd_sim_sql_disk_init(struct gd_sim_sql_disk *disk, uint64_t seed);
void gd_sim_sql_disk_release(struct gd_sim_sql_disk *disk);
/* No handle is open. What was not synced stays, goes, or is cut somewhere. */
void gd_sim_sql_disk_power_loss(struct gd_sim_sql_disk *disk);
/* The files are gone; handles that are open see the old ones. */
void gd_sim_sql_disk_empty(struct gd_sim_sql_disk *disk);
/* One of the next changes will be carried out and reported as failed: half of the time that is the
 * last write of a commit. It may take what is open with it, as when a file system goes and comes
 * back: handles that are open then fail from there on, and none of them can tidy up. */
void gd_sim_sql_disk_cut(struct gd_sim_sql_disk *disk);
/* ... will not. */
void gd_sim_sql_disk_uncut(struct gd_sim_sql_disk *disk);
/* Remembers the database `name`; puts back what was remembered last. */
void gd_sim_sql_disk_remember(struct gd_sim_sql_disk *disk, const char *name);
void gd_sim_sql_disk_put_back(struct gd_sim_sql_disk *disk, const char *name);
#endif
