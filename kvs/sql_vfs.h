/* sql_vfs.h - SQLite's view of the machine, with the entry's time in place of the clock.
 *
 * SQLite asks the VFS of a connection for the time whenever a statement says now,
 * CURRENT_TIMESTAMP and the like, in defaults and triggers too. So a thin layer over the
 * machine's own VFS that answers with the time of the entry in hand makes all of them
 * deterministic, without a look at the statement. */
#ifndef GANDALF_KVS_SQL_VFS_H
#define GANDALF_KVS_SQL_VFS_H
#include "engine/base.h"
#include <sqlite3.h>

struct gd_sql_vfs {
    sqlite3_vfs vfs;   /* First. */
    sqlite3_vfs *base; /* Borrowed: the machine's. */
    int64_t now_ms;    /* Since 1970: what the time is. */
    char name[48];
};
/* `base` NULL: SQLite's default. In the caller's memory, which must not move until release. */
void gd_sql_vfs_init(struct gd_sql_vfs *vfs, sqlite3_vfs *base);
void gd_sql_vfs_release(struct gd_sql_vfs *vfs);
#endif
