/* sql_disk.c - files in memory for SQLite; see sql_disk.h.
 *
 * SQLite works inside the call and cannot wait for the world's disk, so it has one of its own. Each
 * file has two images: what was written, and what was synced. A killed process finds the former
 * again; after a power failure each file, on its own, is the former, the latter, or (a log) cut
 * between the two. Locks are kept as SQLite wants them between connections of one process. */
#include "sim/sql_disk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct handle {
    sqlite3_file base; /* First. */
    struct gd_sim_sql_disk *disk;
    struct gd_sim_sql_file *file;
    int level;
    unsigned generation;
    bool mapped, vanishes; /* Uses the shared regions; a temporary file. */
    unsigned shm_shared, shm_exclusive;
};

static struct handle *handle_of(sqlite3_file *file)
{
    return (struct handle *)(void *)file;
}

static bool fails(const struct handle *h)
{
    return h->disk->fails || h->generation != h->disk->generation;
}

static void image_grow(struct gd_sim_sql_image *image, size_t size)
{
    if (size > image->capacity) {
        image->capacity = size < 4096 ? 8192 : size * 2;
        image->data = realloc(image->data, image->capacity);
        GD_ASSERT(image->data != NULL);
    }
    if (size > image->size) {
        memset(image->data + image->size, 0, size - image->size);
        image->size = size;
    }
}

static void image_copy(struct gd_sim_sql_image *to, const struct gd_sim_sql_image *from)
{
    to->size = 0;
    image_grow(to, from->size);
    if (from->size > 0) {
        memcpy(to->data, from->data, from->size);
    }
}

static void image_free(struct gd_sim_sql_image *image)
{
    free(image->data);
    *image = (struct gd_sim_sql_image){0};
}

static void forget_regions(struct gd_sim_sql_file *file)
{
    for (size_t i = 0; i < GD_SIM_SQL_REGIONS_MAX; i++) {
        free(file->regions[i]);
        file->regions[i] = NULL;
    }
}

static void file_free(struct gd_sim_sql_file *file)
{
    image_free(&file->now);
    image_free(&file->synced);
    forget_regions(file);
    *file = (struct gd_sim_sql_file){0};
}

static struct gd_sim_sql_file *find(struct gd_sim_sql_disk *disk, const char *name)
{
    for (size_t i = 0; i < GD_SIM_SQL_FILES_MAX; i++) {
        struct gd_sim_sql_file *file = &disk->files[i];
        if (file->used && file->exists && strcmp(file->name, name) == 0) {
            return file;
        }
    }
    return NULL;
}

static struct gd_sim_sql_file *create(struct gd_sim_sql_disk *disk, const char *name)
{
    for (size_t i = 0; i < GD_SIM_SQL_FILES_MAX; i++) {
        struct gd_sim_sql_file *file = &disk->files[i];
        if (!file->used) {
            file->used = file->exists = true;
            (void)snprintf(file->name, sizeof file->name, "%s", name);
            return file;
        }
    }
    return NULL;
}

static void vanish(struct gd_sim_sql_file *file)
{
    file->exists = false;
    if (file->handles == 0) {
        file_free(file);
    }
}

/* ---------------------------------------------------------------- delays and cuts */

/* A change was made, or a sync: what is reported of it. */
static int changed(struct gd_sim_sql_disk *disk, int failure)
{
    bool sync = failure == SQLITE_IOERR_FSYNC;
    uint64_t min = sync ? disk->sync_min : disk->write_min;
    uint64_t max = sync ? disk->sync_max : disk->write_max;

    if (max > 0 && disk->waited != NULL && !disk->free) {
        disk->waited(disk->context, gd_prng_between(&disk->chance, min, max));
    }
    if (disk->free || disk->cut_turn == 0 || --disk->cut_turn > 0) {
        return SQLITE_OK;
    }
    GD_REACHED("simulated SQLite's disk did what it reported as failed");
    if (gd_prng_chance(&disk->chance, 1, 2)) {
        disk->generation++;
    }
    return failure;
}

/* A commit in the log ends with a frame whose head says how large the database is then: SQLite
 * writes the head, then the page. */
static void watch_for_commit(struct gd_sim_sql_disk *disk, const struct gd_sim_sql_file *file,
                             const void *from, size_t size, size_t offset)
{
    static const uint8_t nothing[4];

    if (disk->cut_commit && !disk->free && size == 24 && offset >= 32 &&
        strstr(file->name, "-wal") != NULL &&
        memcmp((const uint8_t *)from + 4, nothing, sizeof nothing) != 0) {
        GD_REACHED("simulated SQLite commit reported as failed");
        disk->cut_commit = false;
        disk->cut_turn = 2;
    }
}

void gd_sim_sql_disk_cut(struct gd_sim_sql_disk *disk)
{
    uint64_t turn = gd_prng_between(&disk->chance, 1, 60);

    gd_sim_sql_disk_uncut(disk);
    if (gd_prng_chance(&disk->chance, 1, 2)) {
        disk->cut_commit = true;
    } else {
        disk->cut_turn = turn;
    }
}

void gd_sim_sql_disk_uncut(struct gd_sim_sql_disk *disk)
{
    disk->cut_commit = false;
    disk->cut_turn = 0;
}

/* ---------------------------------------------------------------- a file */

static int file_unlock(sqlite3_file *base, int level);
static int shm_unmap(sqlite3_file *base, int forget);

static int file_close(sqlite3_file *base)
{
    struct handle *h = handle_of(base);

    (void)file_unlock(base, SQLITE_LOCK_NONE);
    (void)shm_unmap(base, 0);
    h->file->handles--;
    if (h->file->handles == 0 && (h->vanishes || !h->file->exists)) {
        file_free(h->file);
    }
    return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *to, int size, sqlite3_int64 offset)
{
    const struct handle *h = handle_of(base);
    const struct gd_sim_sql_image *now = &h->file->now;
    size_t at = (size_t)offset, wanted = (size_t)size;
    size_t there = at < now->size ? now->size - at : 0;

    if (fails(h)) {
        return SQLITE_IOERR_READ;
    }
    there = there < wanted ? there : wanted;
    if (there > 0) {
        memcpy(to, now->data + at, there);
    }
    memset((uint8_t *)to + there, 0, wanted - there);
    return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *from, int size, sqlite3_int64 offset)
{
    struct handle *h = handle_of(base);

    if (fails(h)) {
        return SQLITE_IOERR_WRITE;
    }
    if (h->disk->full && !h->disk->free) {
        GD_REACHED("simulated SQLite on a full disk");
        return SQLITE_FULL;
    }
    watch_for_commit(h->disk, h->file, from, (size_t)size, (size_t)offset);
    image_grow(&h->file->now, (size_t)offset + (size_t)size);
    memcpy(h->file->now.data + offset, from, (size_t)size);
    return changed(h->disk, SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct handle *h = handle_of(base);

    if (fails(h)) {
        return SQLITE_IOERR_TRUNCATE;
    }
    h->file->now.size = (size_t)size < h->file->now.size ? (size_t)size : h->file->now.size;
    return changed(h->disk, SQLITE_IOERR_TRUNCATE);
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct handle *h = handle_of(base);

    (void)flags;
    if (fails(h)) {
        return SQLITE_IOERR_FSYNC;
    }
    image_copy(&h->file->synced, &h->file->now);
    return changed(h->disk, SQLITE_IOERR_FSYNC);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)handle_of(base)->file->now.size;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
    struct handle *h = handle_of(base);
    struct gd_sim_sql_file *file = h->file;

    if (fails(h)) {
        return SQLITE_IOERR_LOCK;
    }
    if (level <= h->level) {
        return SQLITE_OK;
    }
    if ((file->exclusive != NULL && file->exclusive != h) ||
        (level >= SQLITE_LOCK_RESERVED && file->reserved != NULL && file->reserved != h) ||
        (level == SQLITE_LOCK_EXCLUSIVE && file->shared > 1)) {
        return SQLITE_BUSY;
    }
    file->shared += h->level == SQLITE_LOCK_NONE ? 1 : 0;
    file->reserved = level >= SQLITE_LOCK_RESERVED ? h : file->reserved;
    file->exclusive = level == SQLITE_LOCK_EXCLUSIVE ? h : file->exclusive;
    h->level = level;
    return SQLITE_OK;
}

static int file_unlock(sqlite3_file *base, int level)
{
    struct handle *h = handle_of(base);
    struct gd_sim_sql_file *file = h->file;

    if (level >= h->level) {
        return SQLITE_OK;
    }
    file->exclusive = file->exclusive == h ? NULL : file->exclusive;
    file->reserved = file->reserved == h ? NULL : file->reserved;
    file->shared -= level == SQLITE_LOCK_NONE ? 1 : 0;
    h->level = level;
    return SQLITE_OK;
}

static int file_reserved(sqlite3_file *base, int *reserved)
{
    *reserved = handle_of(base)->file->reserved != NULL;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
    if (op == SQLITE_FCNTL_HAS_MOVED) {
        *(int *)arg = !handle_of(base)->file->exists;
        return SQLITE_OK;
    }
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *base)
{
    (void)base;
    return 512;
}

static int file_traits(sqlite3_file *base)
{
    (void)base;
    return 0;
}

/* ---------------------------------------------------------------- the log's index */

static int shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **to)
{
    struct handle *h = handle_of(base);

    *to = NULL;
    if (fails(h) || region >= GD_SIM_SQL_REGIONS_MAX) {
        return SQLITE_IOERR_SHMMAP;
    }
    if (!h->mapped) {
        h->mapped = true;
        h->file->shm_users++;
    }
    if (h->file->regions[region] == NULL && extend != 0) {
        h->file->regions[region] = calloc(1, (size_t)size);
        GD_ASSERT(h->file->regions[region] != NULL);
    }
    *to = h->file->regions[region];
    return SQLITE_OK;
}

static int shm_lock(sqlite3_file *base, int first, int count, int flags)
{
    struct handle *h = handle_of(base);
    struct gd_sim_sql_file *file = h->file;
    bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;

    for (int i = first; i < first + count; i++) {
        unsigned bit = 1u << i;
        bool mine = (h->shm_shared & bit) != 0;
        if ((flags & SQLITE_SHM_UNLOCK) != 0) {
            file->shm_shared[i] -= mine ? 1 : 0;
            h->shm_shared &= ~bit;
            if (file->shm_exclusive[i] == h) {
                file->shm_exclusive[i] = NULL;
            }
        } else if ((file->shm_exclusive[i] != NULL && file->shm_exclusive[i] != h) ||
                   (exclusive && file->shm_shared[i] > (mine ? 1 : 0))) {
            return SQLITE_BUSY;
        }
    }
    for (int i = first; i < first + count && (flags & SQLITE_SHM_LOCK) != 0; i++) {
        unsigned bit = 1u << i;
        if (exclusive) {
            file->shm_exclusive[i] = h;
        } else if ((h->shm_shared & bit) == 0) {
            h->shm_shared |= bit;
            file->shm_shared[i]++;
        }
    }
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static int shm_unmap(sqlite3_file *base, int forget)
{
    struct handle *h = handle_of(base);

    (void)forget;
    if (h->mapped) {
        (void)shm_lock(base, 0, GD_SIM_SQL_LOCKS, SQLITE_SHM_UNLOCK);
        h->mapped = false;
        h->file->shm_users--;
        if (h->file->shm_users == 0) {
            forget_regions(h->file);
        }
    }
    return SQLITE_OK;
}

/* ---------------------------------------------------------------- the folder */

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out)
{
    struct gd_sim_sql_disk *disk = vfs->pAppData;
    struct handle *h = handle_of(base);
    struct gd_sim_sql_file *file = name != NULL ? find(disk, name) : NULL;

    *h = (struct handle){.disk = disk, .generation = disk->generation, .vanishes = name == NULL};
    if (disk->fails) {
        return SQLITE_CANTOPEN;
    }
    if (file == NULL && (flags & SQLITE_OPEN_CREATE) != 0) {
        file = create(disk, name != NULL ? name : "");
    }
    if (file == NULL) {
        return SQLITE_CANTOPEN;
    }
    file->handles++;
    h->vanishes = h->vanishes || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    h->file = file;
    h->base.pMethods = &methods;
    if (out != NULL) {
        *out = flags;
    }
    return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    struct gd_sim_sql_disk *disk = vfs->pAppData;
    struct gd_sim_sql_file *file = find(disk, name);

    (void)sync_directory;
    if (disk->fails) {
        return SQLITE_IOERR_DELETE;
    }
    if (file == NULL) {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    vanish(file);
    return changed(disk, SQLITE_IOERR_DELETE);
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    struct gd_sim_sql_file *file = find(vfs->pAppData, name);

    /* As the machine's own: an empty file counts as none. */
    *out = file != NULL && (flags != SQLITE_ACCESS_EXISTS || file->now.size > 0);
    return SQLITE_OK;
}

static int disk_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    (void)snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}

/* UNTESTED: SQLite asks its default file system for what is random, and the one in front of this
 * (kvs/sql_vfs.h) for the time; here and below. */
static int disk_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    struct gd_sim_sql_disk *disk = vfs->pAppData;

    for (int i = 0; i < size; i++) {
        out[i] = (char)gd_prng_below(&disk->prng, 256);
    }
    return size;
}

static int disk_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds;
}

static int disk_time(sqlite3_vfs *vfs, double *now)
{
    (void)vfs;
    *now = 2460000.5;
    return SQLITE_OK;
}

static int disk_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    (void)size;
    (void)out;
    return 0;
}

void gd_sim_sql_disk_init(struct gd_sim_sql_disk *disk, uint64_t seed)
{
    *disk = (struct gd_sim_sql_disk){0};
    gd_prng_init(&disk->prng, seed);
    gd_prng_init(&disk->chance, gd_prng_mix(seed, 1));
    disk->vfs = (sqlite3_vfs){.iVersion = 1,
                              .szOsFile = (int)sizeof(struct handle),
                              .mxPathname = 60,
                              .zName = "gandalf-sim",
                              .pAppData = disk,
                              .xOpen = disk_open,
                              .xDelete = disk_delete,
                              .xAccess = disk_access,
                              .xFullPathname = disk_full_pathname,
                              .xRandomness = disk_randomness,
                              .xSleep = disk_sleep,
                              .xCurrentTime = disk_time,
                              .xGetLastError = disk_last_error};
}

void gd_sim_sql_disk_release(struct gd_sim_sql_disk *disk)
{
    for (size_t i = 0; i < GD_SIM_SQL_FILES_MAX; i++) {
        file_free(&disk->files[i]);
    }
    image_free(&disk->old);
    image_free(&disk->old_log);
}

/* ---------------------------------------------------------------- faults */

void gd_sim_sql_disk_power_loss(struct gd_sim_sql_disk *disk)
{
    for (size_t i = 0; i < GD_SIM_SQL_FILES_MAX; i++) {
        struct gd_sim_sql_file *file = &disk->files[i];
        uint64_t fate = gd_prng_below(&disk->prng, 3);
        uint64_t cut = gd_prng_next(&disk->prng);
        bool log = strstr(file->name, "-wal") != NULL;
        if (!file->used || fate == 0) {
            continue;
        }
        if (fate == 2 && log && file->now.size > file->synced.size) {
            GD_REACHED("simulated SQLite log cut by a power failure");
            file->now.size = file->synced.size + cut % (file->now.size - file->synced.size);
        } else {
            image_copy(&file->now, &file->synced);
        }
    }
}

void gd_sim_sql_disk_empty(struct gd_sim_sql_disk *disk)
{
    for (size_t i = 0; i < GD_SIM_SQL_FILES_MAX; i++) {
        if (disk->files[i].used && disk->files[i].exists) {
            vanish(&disk->files[i]);
        }
    }
}

void gd_sim_sql_disk_remember(struct gd_sim_sql_disk *disk, const char *name)
{
    const struct gd_sim_sql_file *file = find(disk, name), *log;
    char path[64];

    (void)snprintf(path, sizeof path, "%s-wal", name);
    log = find(disk, path);
    disk->old.size = disk->old_log.size = 0;
    if (file != NULL) {
        image_copy(&disk->old, &file->now);
    }
    if (log != NULL) {
        image_copy(&disk->old_log, &log->now);
    }
}

void gd_sim_sql_disk_put_back(struct gd_sim_sql_disk *disk, const char *name)
{
    struct gd_sim_sql_file *file, *log;
    char path[64];

    (void)snprintf(path, sizeof path, "%s-wal", name);
    gd_sim_sql_disk_empty(disk);
    file = create(disk, name);
    log = create(disk, path);
    if (file != NULL && log != NULL) {
        image_copy(&file->now, &disk->old);
        image_copy(&file->synced, &disk->old);
        image_copy(&log->now, &disk->old_log);
        image_copy(&log->synced, &disk->old_log);
    }
}
