/* sql_vfs.c - see sql_vfs.h. All but the time is the machine's own. */
#include "kvs/sql_vfs.h"
#include <stdio.h>

/* 1970 in SQLite's time: ms since noon on November 24, 4714 before our era. */
#define EPOCH_MS INT64_C(210866760000000)
#define MS_A_DAY 86400000.0

static sqlite3_vfs *base_of(sqlite3_vfs *vfs)
{
    return ((struct gd_sql_vfs *)vfs->pAppData)->base;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    return base_of(vfs)->xOpen(base_of(vfs), name, file, flags, out);
}
static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    return base_of(vfs)->xDelete(base_of(vfs), name, sync_directory);
}
static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    return base_of(vfs)->xAccess(base_of(vfs), name, flags, out);
}
static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    return base_of(vfs)->xFullPathname(base_of(vfs), name, size, out);
}
static int vfs_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    return base_of(vfs)->xRandomness(base_of(vfs), size, out);
}
static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    return base_of(vfs)->xSleep(base_of(vfs), microseconds);
}
static int vfs_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    return base_of(vfs)->xGetLastError(base_of(vfs), size, out);
}
static int vfs_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *now)
{
    *now = ((struct gd_sql_vfs *)vfs->pAppData)->now_ms + EPOCH_MS;
    return SQLITE_OK;
}
/* UNTESTED: SQLite asks for the other one where there is one. */
static int vfs_time(sqlite3_vfs *vfs, double *now)
{
    sqlite3_int64 ms = 0;

    (void)vfs_time_int64(vfs, &ms);
    *now = (double)ms / MS_A_DAY;
    return SQLITE_OK;
}

void gd_sql_vfs_init(struct gd_sql_vfs *vfs, sqlite3_vfs *base)
{
    *vfs = (struct gd_sql_vfs){.base = base != NULL ? base : sqlite3_vfs_find(NULL)};
    GD_ASSERT(vfs->base != NULL);
    (void)snprintf(vfs->name, sizeof vfs->name, "gandalf-%p", (void *)vfs);
    vfs->vfs = (sqlite3_vfs){.iVersion = 2,
                             .szOsFile = vfs->base->szOsFile,
                             .mxPathname = vfs->base->mxPathname,
                             .zName = vfs->name,
                             .pAppData = vfs,
                             .xOpen = vfs_open,
                             .xDelete = vfs_delete,
                             .xAccess = vfs_access,
                             .xFullPathname = vfs_full_pathname,
                             .xRandomness = vfs_randomness,
                             .xSleep = vfs_sleep,
                             .xCurrentTime = vfs_time,
                             .xGetLastError = vfs_last_error,
                             .xCurrentTimeInt64 = vfs_time_int64};
    (void)sqlite3_vfs_register(&vfs->vfs, 0);
}

void gd_sql_vfs_release(struct gd_sql_vfs *vfs)
{
    (void)sqlite3_vfs_unregister(&vfs->vfs);
}
