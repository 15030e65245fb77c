/* sql_disk.h - the disk of one simulated SQLite database: a VFS whose files are in memory, outlive
 * the node's process, and lose what was not synced when the power goes. */
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
/* Remembers the database `name`; puts back what was remembered last. */
void gd_sim_sql_disk_remember(struct gd_sim_sql_disk *disk, const char *name);
void gd_sim_sql_disk_put_back(struct gd_sim_sql_disk *disk, const char *name);
#endif
