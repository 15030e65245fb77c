/* SQLite behind the node when its files or its memory fail: each call of its file system, and each
 * allocation, in turn.
 *
 * One story is told again and again: open, entries, queries, a snapshot, its restore. In each
 * telling one call fails, once or from then on for a while. What fails must say so (a fault that
 * came out as a refusal of the statement would be answered by this node alone); and told on as a
 * node does it, by opening the database anew and going on behind the index found there, the story
 * has the same replies and the same rows as without a fault (L1, L4, Q1). So it is where a call did
 * its work and says that it failed: only the index tells then whether an entry was applied. */
#include "engine/memory.h"
#include "kvs/sql_tracker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* ---------------------------------------------------------------- faults */

static struct faults {
    uint64_t at;   /* The call that fails, from 1; 0: none. */
    uint64_t more; /* So many behind it, too. */
    uint64_t seen; /* Calls so far. */
    uint64_t hit;  /* Faults so far. */
    int code;      /* What a file's call answers. */
    bool armed;    /* Else calls are neither counted nor failed. */
    bool memory;   /* Allocations are meant, not files. */
    bool done;     /* A file's call that fails has done its work. */
} faults;

static bool fails(bool memory)
{
    if (!faults.armed || faults.memory != memory) {
        return false;
    }
    faults.seen++;
    if (faults.at == 0 || faults.seen < faults.at || faults.seen > faults.at + faults.more) {
        return false;
    }
    faults.hit++;
    return true;
}

static sqlite3_mem_methods memory;

static void *memory_get(int size)
{
    return fails(true) ? NULL : memory.xMalloc(size);
}

static void *memory_resize(void *old, int size)
{
    return fails(true) ? NULL : memory.xRealloc(old, size);
}

/* A file of the machine's own behind it, in the same piece of memory. */
struct file {
    sqlite3_file base; /* First. */
    sqlite3_file *real;
    bool log;
};

static bool log_unsynced; /* A power failure would take the end of the log. */
static sqlite3_vfs *machine;
static sqlite3_vfs failing;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct file *)(void *)file)->real;
}

/* A lock may be busy, nothing else; and everything else may fail. */
#define CALL_LOCK(file, name, ...)                                                                 \
    (fails(false) ? faults.code : real_of(file)->pMethods->name(real_of(file), __VA_ARGS__))
#define CALL(file, name, ...)                                                                      \
    (faults.code != SQLITE_BUSY && fails(false)                                                    \
         ? (faults.done ? (void)real_of(file)->pMethods->name(real_of(file), __VA_ARGS__)          \
                        : (void)0,                                                                 \
            faults.code)                                                                           \
         : real_of(file)->pMethods->name(real_of(file), __VA_ARGS__))

static int file_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}
static int file_read(sqlite3_file *file, void *to, int size, sqlite3_int64 offset)
{
    return CALL(file, xRead, to, size, offset);
}
static int file_write(sqlite3_file *file, const void *from, int size, sqlite3_int64 offset)
{
    log_unsynced = log_unsynced || ((struct file *)(void *)file)->log;
    return CALL(file, xWrite, from, size, offset);
}
static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return CALL(file, xTruncate, size);
}
static int file_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    log_unsynced = log_unsynced && !((struct file *)(void *)file)->log;
    return faults.code != SQLITE_BUSY && fails(false) ? faults.code
                                                      : SQLITE_OK; /* No power is lost here. */
}
static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return CALL(file, xFileSize, size);
}
static int file_lock(sqlite3_file *file, int level)
{
    return CALL_LOCK(file, xLock, level);
}
static int file_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}
static int file_reserved(sqlite3_file *file, int *out)
{
    return CALL_LOCK(file, xCheckReservedLock, out);
}
static int file_control(sqlite3_file *file, int what, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), what, argument);
}
static int file_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}
static int file_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}
static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **to)
{
    return CALL(file, xShmMap, page, size, extend, to);
}
static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return (flags & SQLITE_SHM_LOCK) != 0
               ? CALL_LOCK(file, xShmLock, offset, count, flags)
               : real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}
static void file_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}
static int file_shm_unmap(sqlite3_file *file, int forget)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), forget);
}

static const sqlite3_io_methods methods = {.iVersion = 2,
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
                                           .xDeviceCharacteristics = file_device,
                                           .xShmMap = file_shm_map,
                                           .xShmLock = file_shm_lock,
                                           .xShmBarrier = file_shm_barrier,
                                           .xShmUnmap = file_shm_unmap};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out)
{
    struct file *file = (struct file *)(void *)base;
    int code;

    (void)vfs;
    file->base.pMethods = NULL;
    file->real = (sqlite3_file *)(void *)(file + 1);
    file->log = (flags & SQLITE_OPEN_WAL) != 0;
    code = faults.code != SQLITE_BUSY && fails(false)
               ? SQLITE_CANTOPEN
               : machine->xOpen(machine, name, file->real, flags, out);
    if (code == SQLITE_OK) {
        file->base.pMethods = &methods;
    }
    return code;
}
static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    bool failed = faults.code != SQLITE_BUSY && fails(false);

    (void)vfs;
    (void)sync_directory;
    if (failed && faults.done) {
        (void)machine->xDelete(machine, name, 0);
    }
    return failed ? SQLITE_IOERR_DELETE : machine->xDelete(machine, name, 0);
}
static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    return faults.code != SQLITE_BUSY && fails(false) ? SQLITE_IOERR_ACCESS
                                                      : machine->xAccess(machine, name, flags, out);
}
static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    return machine->xFullPathname(machine, name, size, out);
}
static int vfs_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    return machine->xRandomness(machine, size, out);
}
static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds; /* Nobody else holds a lock for long here. */
}
static int vfs_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    return machine->xGetLastError(machine, size, out);
}

/* ---------------------------------------------------------------- a world of timers */

static struct world {
    struct gd_io io;
    struct gd_timer *timers[8];
    size_t count;
} world;

static gd_time_ns world_now(struct gd_io *io)
{
    (void)io;
    return 0;
}
static void world_stop(struct gd_io *io, struct gd_timer *timer)
{
    (void)io;
    for (size_t i = 0; i < world.count; i++) {
        if (world.timers[i] == timer) {
            world.timers[i] = world.timers[--world.count];
        }
    }
}
static void world_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline)
{
    (void)deadline;
    world_stop(io, timer);
    world.timers[world.count++] = timer;
}
static char last_line[256];
static void world_log(struct gd_io *io, enum gd_log_level level, const char *line)
{
    (void)io;
    (void)level;
    (void)snprintf(last_line, sizeof last_line, "%s", line);
}
static const struct gd_io_vtable world_vtable = {
    .now = world_now, .timer_start = world_start, .timer_stop = world_stop, .log = world_log};

static struct outcome {
    int times;
    enum gd_err err;
    size_t size;
} outcome;

static void on_done(void *context, enum gd_err err)
{
    (void)context;
    outcome.times++;
    outcome.err = err;
}
static void on_read(void *context, enum gd_err err, size_t size)
{
    on_done(context, err);
    outcome.size = size;
}

/* Until the operation has told its end, once (L5). */
static enum gd_err ended(void)
{
    while (world.count > 0) {
        struct gd_timer *timer = world.timers[0];
        world_stop(&world.io, timer);
        timer->fire(timer);
    }
    assert_int_equal(outcome.times, 1);
    outcome.times = 0;
    return outcome.err;
}

/* ---------------------------------------------------------------- the story */

/* "word|word|..."; "" is an entry that carries nothing. */
static const char *const entries[] = {
    "SQL.EXEC|CREATE TABLE t(id INTEGER PRIMARY KEY, v, r DEFAULT (random())); CREATE INDEX i ON "
    "t(v)",
    "SQL.EXEC|INSERT INTO t(v) VALUES(?), (hex(randomblob(300))), (datetime('now'))|a",
    "",
    "SQL.EXEC|INSERT INTO t(id) VALUES(1)",
    "SQL.EXEC|CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE q(p REFERENCES p(id) DEFERRABLE "
    "INITIALLY DEFERRED)",
    "SQL.EXEC|INSERT INTO q VALUES(5)",
    "SQL.EXEC|INSERT INTO t(v) VALUES(zeroblob(9000)) RETURNING id, v, r, 1.5, NULL, 'x' + id",
    "SQL.EXEC|SELECT nothing",
    "SQL.EXEC|WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 40) INSERT "
    "INTO t(v) SELECT printf('%.200c', 'y') FROM c",
    "SQL.EXEC|DELETE FROM t WHERE id % 3 = 0",
};
/* Told when the snapshot is restored. */
static const char last_entry[] = "SQL.EXEC|INSERT INTO t(v) SELECT count(*) FROM t";
static const char question[] =
    "SQL.QUERY|SELECT count(*), sum(length(v)), group_concat(r) FROM t WHERE length(v) > ?|0";
enum { ENTRIES = GD_COUNT(entries), REPLIES = ENTRIES + 3, RESTORED = 40 };

static char directory[] = "/tmp/gandalf-sql-faults-XXXXXX";
static char path[64];
static struct gd_sql_tracker sql;
static struct gd_bytes body, reply, stream;
static struct gd_bytes told[REPLIES]; /* The replies of a telling without faults. */
static uint64_t digest_told;
static bool recording;
static unsigned opened;     /* How often this telling opened the database. */
static gd_index known;      /* What was applied. */
static unsigned kept_count; /* Entries that were applied, though that was reported as failed. */

static struct gd_slice body_of(const char *words)
{
    struct gd_slice args[8];
    size_t count = 0;

    gd_bytes_clear(&body);
    if (words[0] == '\0') {
        return gd_bytes_slice(&body);
    }
    gd_body_begin(&body, GD_BODY_COMMAND, 2);
    for (;; words++) {
        size_t size = strcspn(words, "|");
        args[count++] = (struct gd_slice){(const uint8_t *)words, size};
        words += size;
        if (*words == '\0') {
            break;
        }
    }
    gd_body_add_args(&body, args, count);
    return gd_bytes_slice(&body);
}

/* An operation failed: that must be the fault's doing. Opens until it works. No fault takes what
 * was applied, and an operation that failed may have been done: `next` is the index it has then. */
static void mend(gd_index next)
{
    enum gd_err err;
    gd_index found;

    assert_true(faults.hit > 0 || opened == 0);
    for (unsigned tries = 0;; tries++) {
        opened++;
        sql.tracker.v->open(&sql.tracker, on_done, NULL);
        err = ended();
        if (err == GD_OK) {
            break;
        }
        assert_int_not_equal(err, GD_ERR_INVALID); /* A node stops for good at that. */
        assert_true(faults.hit > 0);
        if (tries > 20) {
            faults.armed = false;
        }
    }
    assert_int_equal(sql.tracker.v->identify(&sql.tracker, 7, 1), GD_OK);
    found = sql.tracker.v->applied(&sql.tracker);
    /* Of an error inside ROLLBACK SQLite tells nothing, and what it leaves looks like another
     * program's work: then all is done anew. */
    if (found == 0 && known < ENTRIES && strstr(last_line, "another program") != NULL) {
        known = 0;
    }
    if (found != known && found != next) {
        print_error("fault %llu of %s: index %llu is lost, %llu is there: %s\n",
                    (unsigned long long)faults.at, faults.memory ? "memory" : "files",
                    (unsigned long long)known, (unsigned long long)found, last_line);
        fail();
    }
    kept_count += known > 0 && found == next && next > known;
    known = found;
}

static void check_reply(size_t place)
{
    if (recording) {
        gd_bytes_clear(&told[place]);
        gd_bytes_add(&told[place], reply.data, reply.size);
        return;
    }
    if (reply.size != told[place].size ||
        (reply.size > 0 && memcmp(reply.data, told[place].data, reply.size) != 0)) {
        print_error("fault %llu of %s: reply %zu is \"%.*s\"\n", (unsigned long long)faults.at,
                    faults.memory ? "memory" : "files", place, (int)reply.size,
                    (const char *)reply.data);
        fail();
    }
}

static enum gd_err apply(const char *words, size_t place)
{
    gd_index index = sql.tracker.v->applied(&sql.tracker) + 1;
    struct gd_apply entry = {.position = {1, index},
                             .stamp_ms = 1700000000000 + (int64_t)index,
                             .body = body_of(words),
                             .reply = &reply};

    gd_bytes_clear(&reply);
    sql.tracker.v->apply(&sql.tracker, &entry, 1, on_done, NULL);
    if (ended() != GD_OK) {
        return outcome.err;
    }
    assert_int_equal(sql.tracker.v->applied(&sql.tracker), index);
    known = index;
    check_reply(place);
    return GD_OK;
}

static enum gd_err ask(size_t place)
{
    struct gd_query query = {.body = body_of(question), .wall_ms = 5, .reply = &reply};

    gd_bytes_clear(&reply);
    sql.tracker.v->query(&sql.tracker, &query, 1, on_done, NULL);
    if (ended() == GD_OK) {
        check_reply(place);
    }
    return outcome.err;
}

static enum gd_err take_snapshot(void)
{
    gd_bytes_clear(&stream);
    sql.tracker.v->snapshot_begin(&sql.tracker, on_done, NULL);
    if (ended() != GD_OK) {
        return outcome.err;
    }
    do {
        uint8_t *to = gd_bytes_reserve(&stream, 65536);
        sql.tracker.v->snapshot_read(&sql.tracker, to, 65536, on_read, NULL);
        if (ended() == GD_OK) {
            stream.size += outcome.size;
        }
    } while (outcome.err == GD_OK && outcome.size > 0);
    sql.tracker.v->snapshot_end(&sql.tracker);
    return outcome.err;
}

static enum gd_err restore(gd_index index)
{
    enum gd_err err = GD_OK;

    sql.tracker.v->restore_begin(&sql.tracker, on_done, NULL);
    if (ended() != GD_OK) {
        return outcome.err;
    }
    for (size_t at = 0; at < stream.size && err == GD_OK; at += 9000) {
        size_t size = stream.size - at < 9000 ? stream.size - at : 9000;
        sql.tracker.v->restore_write(&sql.tracker, (struct gd_slice){stream.data + at, size},
                                     on_done, NULL);
        err = ended();
    }
    sql.tracker.v->restore_end(&sql.tracker, err == GD_OK, index, 1700000000500, on_done, NULL);
    return ended() != GD_OK ? outcome.err : err;
}

/* What is next in the story, by what was applied; false at its end. A snapshot's failure says
 * nothing about the database; everything else's does. */
static bool go_on(bool *asked, bool *taken)
{
    enum gd_err err;
    gd_index next = known + 1;

    if (known < ENTRIES) {
        err = apply(entries[known], known);
    } else if (known == ENTRIES && !*asked) {
        err = ask(ENTRIES);
        *asked = err == GD_OK;
    } else if (known == ENTRIES && !*taken) {
        *taken = take_snapshot() == GD_OK;
        err = *taken || sql.tracker.v->digest(&sql.tracker) != 0 ? GD_OK : GD_ERR_IO;
        *asked = *taken; /* A snapshot leaves it to others to find out. */
        assert_true(*taken || faults.hit > 0);
    } else if (known == ENTRIES) {
        next = RESTORED;
        err = restore(next);
        known = sql.tracker.v->applied(&sql.tracker);
        assert_true(err != GD_OK || known == next);
    } else if (known == RESTORED) {
        err = apply(last_entry, ENTRIES + 1);
    } else {
        err = ask(ENTRIES + 2);
        if (err == GD_OK) {
            return false;
        }
    }
    if (err != GD_OK) {
        mend(next);
    }
    return true;
}

static void remove_files(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".snapshot", ".restore"};

    for (size_t i = 0; i < GD_COUNT(ends); i++) {
        char name[96];
        (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

static void tell(void)
{
    struct gd_sql_options options = {.io = &world.io, .file = path, .base = &failing};
    bool asked = false, taken = false;
    unsigned turns = 0;

    remove_files();
    gd_sql_tracker_init(&sql, &options);
    faults.seen = faults.hit = 0;
    opened = 0;
    known = 0;
    faults.armed = true;
    mend(0);
    while (go_on(&asked, &taken)) {
        if (++turns > 500) {
            print_error("fault %llu of %s: no end at index %llu: %s\n",
                        (unsigned long long)faults.at, faults.memory ? "memory" : "files",
                        (unsigned long long)known, last_line);
            fail();
        }
    }
    faults.armed = false;
    if (sql.tracker.v->digest(&sql.tracker) == 0) {
        mend(known);
    }
    if (recording) {
        digest_told = sql.tracker.v->digest(&sql.tracker);
    }
    assert_true(digest_told != 0 && sql.tracker.v->digest(&sql.tracker) == digest_told);
    sql.tracker.v->close(&sql.tracker, on_done, NULL);
    assert_int_equal(ended(), GD_OK);
}

/* Every call in turn, `step` apart; how many there were without a fault. */
static void tell_all(struct faults which, uint64_t step, uint64_t more)
{
    uint64_t calls;

    faults = which;
    recording = true;
    tell();
    recording = false;
    calls = faults.seen;
    assert_true(calls > 20);
    print_message("%llu calls\n", (unsigned long long)calls);
    for (uint64_t at = 1; at <= calls; at += step) {
        faults.at = at;
        faults.more = more;
        tell();
        if (faults.hit == 0) { /* The calls before it are not the same each time. */
            print_message("fault %llu was not met\n", (unsigned long long)at);
        }
    }
    faults = (struct faults){0};
}

static void test_sql_files_fail_once(void **state)
{
    (void)state;
    tell_all((struct faults){.code = SQLITE_IOERR}, 1, 0);
}

static void test_sql_files_do_what_they_report_as_failed(void **state)
{
    unsigned kept = kept_count;

    (void)state;
    tell_all((struct faults){.code = SQLITE_IOERR, .done = true}, 1, 0);
    /* From then on nothing works for a while, so that nobody can take back what was done. */
    tell_all((struct faults){.code = SQLITE_IOERR, .done = true}, 1, 12);
    assert_true(kept_count > kept);
}

/* Another program has done `what`, and a call fails while that is found out, each in turn. Who has
 * seen it does not forget it when it cannot be marked in the file (L2). */
static void foreign_hand_and_a_fault(const char *what)
{
    struct gd_sql_options options = {.io = &world.io, .file = path, .base = &failing};
    unsigned unmarked = 0;

    faults = (struct faults){.code = SQLITE_IOERR};
    recording = true; /* Replies are not the point here. */
    for (uint64_t at = 1, hit = 1; hit > 0; at++) {
        sqlite3 *other = NULL;
        bool seen;
        remove_files();
        gd_sql_tracker_init(&sql, &options);
        opened = 0;
        known = 0;
        mend(0);
        assert_int_equal(apply(entries[0], 0), GD_OK);
        assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
        assert_int_equal(sqlite3_exec(other, what, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(other), SQLITE_OK);
        faults.at = at;
        faults.more = 5;
        faults.seen = faults.hit = 0;
        faults.armed = true;
        assert_int_not_equal(ask(ENTRIES), GD_OK);
        faults.armed = false;
        hit = faults.hit;
        seen = sql.foreign;
        assert_true(seen || hit > 0);
        assert_true(hit > 0 || !log_unsynced);
        sql.tracker.v->open(&sql.tracker, on_done, NULL);
        assert_int_equal(ended(), GD_OK);
        if (seen) {
            assert_int_equal(sql.tracker.v->applied(&sql.tracker), 0);
            assert_false(log_unsynced); /* That it is empty outlives the power, too. */
            unmarked += hit > 0;
        }
        sql.tracker.v->close(&sql.tracker, on_done, NULL);
        assert_int_equal(ended(), GD_OK);
    }
    assert_true(unmarked > 0);
    recording = false;
    faults = (struct faults){0};
}

static void test_sql_foreign_hand_and_a_fault(void **state)
{
    (void)state;
    foreign_hand_and_a_fault("INSERT INTO t(v) VALUES(1)");
    foreign_hand_and_a_fault("DROP TABLE t; DROP TABLE " GD_SQL_TABLE); /* All that there was. */
}

static void test_sql_files_fail_for_a_while(void **state)
{
    (void)state;
    tell_all((struct faults){.code = SQLITE_BUSY}, 1, 4);
    tell_all((struct faults){.code = SQLITE_FULL}, 3, 60);
}

static void test_sql_memory_fails_once(void **state)
{
    (void)state;
    tell_all((struct faults){.memory = true}, 7, 0);
}

static void test_sql_memory_fails_for_a_while(void **state)
{
    (void)state;
    tell_all((struct faults){.memory = true}, 61, 100);
}

static int begin(void **state)
{
    sqlite3_mem_methods mine;

    (void)state;
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    (void)snprintf(path, sizeof path, "%s/db", directory);
    (void)sqlite3_shutdown();
    (void)sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory);
    mine = memory;
    mine.xMalloc = memory_get;
    mine.xRealloc = memory_resize;
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &mine);
    (void)sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    (void)sqlite3_initialize();
    machine = sqlite3_vfs_find(NULL);
    failing = (sqlite3_vfs){.iVersion = 1,
                            .szOsFile = (int)sizeof(struct file) + machine->szOsFile,
                            .mxPathname = machine->mxPathname,
                            .zName = "failing",
                            .xOpen = vfs_open,
                            .xDelete = vfs_delete,
                            .xAccess = vfs_access,
                            .xFullPathname = vfs_full_pathname,
                            .xRandomness = vfs_randomness,
                            .xSleep = vfs_sleep,
                            .xGetLastError = vfs_last_error};
    world.io.v = &world_vtable;
    return 0;
}

static int end(void **state)
{
    (void)state;
    gd_bytes_release(&body);
    gd_bytes_release(&reply);
    gd_bytes_release(&stream);
    for (size_t i = 0; i < REPLIES; i++) {
        gd_bytes_release(&told[i]);
    }
    remove_files();
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sql_files_fail_once),
        cmocka_unit_test(test_sql_files_do_what_they_report_as_failed),
        cmocka_unit_test(test_sql_foreign_hand_and_a_fault),
        cmocka_unit_test(test_sql_files_fail_for_a_while),
        cmocka_unit_test(test_sql_memory_fails_once),
        cmocka_unit_test(test_sql_memory_fails_for_a_while),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
