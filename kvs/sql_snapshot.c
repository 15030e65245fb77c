/* sql_snapshot.c - an SQLite database as a stream of bytes, and back.
 *
 * Snapshot. A second connection begins to read, which holds the moment (WAL mode) while writes go
 * on. SQLite's backup interface copies it into a file beside the database, some pages in each
 * turn of the loop; then that file is the stream. Rejected: streaming the pages as they are copied,
 * which needs a file system of our own under the copy; VACUUM INTO, one call however large.
 *
 * Restore. The bytes go into a file beside the database; when they are whole, the backup interface
 * copies that into the database, some pages in each turn, in one transaction of SQLite: until it
 * commits the old state is in force, and a crash leaves one or the other. The index is written into
 * the copy before, so it arrives with the rows.
 *
 *     offset size
 *          0    8 "GDSQLT01"
 *          8    8 le64: n, bytes of the file
 *         16    n the file, as SQLite has it
 *     16 + n    4 le32: CRC-32C of the file */
#include "engine/memory.h"
#include "kvs/sql_tracker.h"
#include <stdio.h>
#include <string.h>

/* SQLite's files take no more than 128 KiB in one write. */
enum { PAGES_A_TURN = 256, PIECE_SIZE = 64 * 1024 };

static const char snapshot_end_of_name[] = ".snapshot", restore_end_of_name[] = ".restore";

/* ---------------------------------------------------------------- files */

static sqlite3_file *file_open(struct gd_sql_tracker *self, const char *end, int flags)
{
    sqlite3_vfs *base = self->vfs.base;
    sqlite3_file *file = gd_calloc(1, (size_t)base->szOsFile);
    char path[GD_SQL_PATH_SIZE];
    int out = 0;

    (void)gd__sql_path(self, end, path);
    if (base->xOpen(base, path, file, flags | SQLITE_OPEN_SUPER_JOURNAL, &out) != SQLITE_OK) {
        (void)snprintf(self->why, sizeof self->why, "%.200s: it cannot be opened", path);
        if (file->pMethods != NULL) {
            (void)file->pMethods->xClose(file);
        }
        gd_free(file);
        return NULL;
    }
    return file;
}

static void file_close(sqlite3_file **file)
{
    if (*file != NULL) {
        (void)(*file)->pMethods->xClose(*file);
        gd_free(*file);
        *file = NULL;
    }
}

/* ---------------------------------------------------------------- snapshot */

void gd__sql_snapshot_end(struct gd_tracker *tracker)
{
    struct gd_sql_tracker *self = gd__sql_of(tracker);

    GD_ASSERT(self->read_done == NULL);
    (void)sqlite3_backup_finish(self->backup);
    (void)sqlite3_close_v2(self->copy);
    (void)sqlite3_close_v2(self->source);
    self->backup = NULL;
    self->copy = self->source = NULL;
    file_close(&self->copy_file);
    gd__sql_unlink(self, snapshot_end_of_name);
}

static enum gd_err freeze(struct gd_sql_tracker *self)
{
    int64_t applied = 0;

    gd__sql_unlink(self, snapshot_end_of_name);
    self->source = gd__sql_connect(self, "", 0);
    self->copy = gd__sql_connect(self, snapshot_end_of_name, SQLITE_OPEN_CREATE);
    if (self->source == NULL || self->copy == NULL) {
        return GD_ERR_IO;
    }
    if (!gd__sql_exec(self->source, "BEGIN") ||
        !gd__sql_number(self->source, "SELECT applied FROM " GD_SQL_TABLE, &applied)) {
        return gd__sql_fault(self, self->source, "a snapshot cannot begin");
    }
    /* Looked at when `source` has its moment already: what another program has written since the
     * last entry would be in the snapshot, and come back with it for ever. */
    if (!gd__sql_untouched(self) || (gd_index)applied != self->applied) {
        GD_REACHED("no snapshot of what another program wrote");
        if (!self->foreign) { /* Our own error, which must not be taken for a foreign hand later. */
            gd__sql_let_go(self);
        }
        return GD_ERR_IO; /* The next entry or query does what is due. */
    }
    self->copy_at = 0;
    self->copy_size = 0;
    self->copy_crc = 0;
    if (!gd__sql_exec(self->copy, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")) {
        return gd__sql_fault(self, self->copy, "a snapshot cannot begin");
    }
    self->backup = sqlite3_backup_init(self->copy, "main", self->source, "main");
    return self->backup != NULL ? GD_OK
                                : gd__sql_fault(self, self->copy, "a snapshot cannot begin");
}

void gd__sql_snapshot_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_sql_tracker *self = gd__sql_of(tracker);

    GD_ASSERT(self->snapshot_done == NULL && self->read_done == NULL);
    GD_ASSERT(self->source == NULL && self->copy_file == NULL);
    self->snapshot_err = self->db == NULL ? GD_ERR_IO : freeze(self);
    if (self->snapshot_err != GD_OK) { /* The database itself is judged by apply and query. */
        gd_io_log(self->io, GD_LOG_WARNING, "database %s: %s", self->file, self->why);
        gd__sql_snapshot_end(tracker);
        self->snapshot_err = GD_ERR_BUSY;
    }
    self->snapshot_done = done;
    self->snapshot_context = context;
    gd_timer_start(self->io, &self->snapshot_timer, gd_io_now(self->io));
}

/* The copy is whole: from here on it is a file to be read. */
static enum gd_err open_copy(struct gd_sql_tracker *self)
{
    sqlite3_int64 size = 0;
    int code = sqlite3_backup_finish(self->backup);

    self->backup = NULL;
    if (code == SQLITE_OK) {
        code = sqlite3_close(self->copy);
        self->copy = NULL;
    }
    (void)sqlite3_close_v2(self->source); /* The moment may go. */
    self->source = NULL;
    if (code != SQLITE_OK) {
        return GD_ERR_IO;
    }
    self->copy_file = file_open(self, snapshot_end_of_name, SQLITE_OPEN_READWRITE);
    if (self->copy_file == NULL ||
        self->copy_file->pMethods->xFileSize(self->copy_file, &size) != SQLITE_OK) {
        return GD_ERR_IO;
    }
    self->copy_size = (uint64_t)size;
    return GD_OK;
}

/* Fills the reader's buffer with what is next of head, file and tail. */
static enum gd_err read_copy(struct gd_sql_tracker *self)
{
    const uint64_t head = GD_SQL_STREAM_HEAD_SIZE, tail = head + self->copy_size;
    uint64_t offset = self->copy_at - head, left = tail - self->copy_at;
    size_t size = self->read_capacity;

    self->read_size = 0;
    if (self->copy_at == 0) {
        memcpy(self->read_to, GD_SQL_STREAM_MARK, 8);
        gd_put_le64(self->read_to + 8, self->copy_size);
        self->read_size = head;
    } else if (self->copy_at < tail) {
        size = left < size ? (size_t)left : size;
        size = size > PIECE_SIZE ? PIECE_SIZE : size;
        if (self->copy_file->pMethods->xRead(self->copy_file, self->read_to, (int)size,
                                             (sqlite3_int64)offset) != SQLITE_OK) {
            return GD_ERR_IO;
        }
        self->copy_crc = gd_crc32c(self->copy_crc, self->read_to, size);
        self->read_size = size;
    } else if (self->copy_at == tail) {
        gd_put_le32(self->read_to, self->copy_crc);
        self->read_size = 4;
    }
    self->copy_at += self->read_size;
    return GD_OK;
}

/* A piece of the copying; true when there is something to tell the reader. */
static bool snapshot_work(struct gd_sql_tracker *self)
{
    self->snapshot_err = GD_OK;
    self->read_size = 0;
    if (self->backup != NULL) {
        int code = sqlite3_backup_step(self->backup, PAGES_A_TURN);
        if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED) {
            return false;
        }
        self->snapshot_err = code == SQLITE_DONE ? open_copy(self) : GD_ERR_IO;
    }
    if (self->snapshot_err == GD_OK) {
        self->snapshot_err = self->copy_file != NULL ? read_copy(self) : GD_ERR_IO;
    }
    return true;
}

void gd__sql_snapshot_fire(struct gd_timer *timer)
{
    struct gd_sql_tracker *self = timer->context;
    gd_tracker_fn *done = self->snapshot_done;
    gd_tracker_read_fn *read_done = self->read_done;

    if (done != NULL) {
        self->snapshot_done = NULL;
        done(self->snapshot_context, self->snapshot_err);
    } else if (snapshot_work(self)) {
        self->read_done = NULL;
        read_done(self->snapshot_context, self->snapshot_err, self->read_size);
    } else {
        gd_timer_start(self->io, &self->snapshot_timer, gd_io_now(self->io));
    }
}

void gd__sql_snapshot_read(struct gd_tracker *tracker, uint8_t *to, size_t capacity,
                           gd_tracker_read_fn *done, void *context)
{
    struct gd_sql_tracker *self = gd__sql_of(tracker);

    GD_ASSERT(self->snapshot_done == NULL && self->read_done == NULL);
    self->read_done = done;
    self->snapshot_context = context;
    self->read_to = to;
    self->read_capacity = capacity;
    gd_timer_start(self->io, &self->snapshot_timer, gd_io_now(self->io));
}

/* ---------------------------------------------------------------- restore */

void gd__sql_restore_drop(struct gd_sql_tracker *self)
{
    (void)sqlite3_backup_finish(self->filling);
    (void)sqlite3_close_v2(self->from);
    self->filling = NULL;
    self->from = NULL;
    file_close(&self->restore_file);
    if (self->restoring) {
        gd__sql_unlink(self, restore_end_of_name);
    }
    self->restoring = false;
}

void gd__sql_restore_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_sql_tracker *self = gd__sql_of(tracker);

    GD_ASSERT(!self->restoring);
    gd__sql_take_up(self, done, context);
    gd__sql_unlink(self, restore_end_of_name);
    self->restore_file =
        file_open(self, restore_end_of_name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    self->restore_at = self->restore_size = 0;
    self->restore_crc = 0;
    self->restoring = self->restore_file != NULL;
    gd__sql_finish(self, self->restoring ? GD_OK : GD_ERR_IO);
}

/* As much of the bytes as the part has that the stream is in; CORRUPT when none is left. */
static enum gd_err take_some(struct gd_sql_tracker *self, struct gd_slice *bytes)
{
    const uint64_t head = GD_SQL_STREAM_HEAD_SIZE, tail = head + self->restore_size;
    uint64_t end = self->restore_at < head ? head : self->restore_at < tail ? tail : tail + 4;
    uint64_t left = end - self->restore_at;
    size_t size = bytes->size < left ? bytes->size : (size_t)left;

    size = size > PIECE_SIZE ? PIECE_SIZE : size;
    if (size == 0) {
        return GD_ERR_CORRUPT;
    }
    if (self->restore_at < head) {
        memcpy(self->restore_head + self->restore_at, bytes->data, size);
    } else if (self->restore_at < tail) {
        if (self->restore_file->pMethods->xWrite(self->restore_file, bytes->data, (int)size,
                                                 (sqlite3_int64)(self->restore_at - head)) !=
            SQLITE_OK) {
            (void)snprintf(self->why, sizeof self->why, "a snapshot cannot be written beside it");
            return GD_ERR_IO;
        }
        self->restore_crc = gd_crc32c(self->restore_crc, bytes->data, size);
    } else {
        memcpy(self->restore_tail + (self->restore_at - tail), bytes->data, size);
    }
    self->restore_at += size;
    bytes->data += size;
    bytes->size -= size;
    if (self->restore_at == head) {
        self->restore_size = gd_get_le64(self->restore_head + 8);
        if (memcmp(self->restore_head, GD_SQL_STREAM_MARK, 8) != 0 ||
            self->restore_size > INT64_MAX / 2) {
            return GD_ERR_CORRUPT;
        }
    }
    return GD_OK;
}

void gd__sql_restore_write(struct gd_tracker *tracker, struct gd_slice bytes, gd_tracker_fn *done,
                           void *context)
{
    struct gd_sql_tracker *self = gd__sql_of(tracker);
    enum gd_err err = GD_OK;

    GD_ASSERT(self->restoring);
    gd__sql_take_up(self, done, context);
    while (bytes.size > 0 && err == GD_OK) {
        err = take_some(self, &bytes);
    }
    gd__sql_finish(self, err);
}

static bool is_whole(const struct gd_sql_tracker *self)
{
    return self->restore_at == GD_SQL_STREAM_HEAD_SIZE + self->restore_size + 4 &&
           self->restore_at > GD_SQL_STREAM_HEAD_SIZE + 4 &&
           gd_get_le32(self->restore_tail) == self->restore_crc;
}

/* The copy gets this entry's index, and the filling begins. */
static enum gd_err begin_filling(struct gd_sql_tracker *self, gd_index index, int64_t stamp_ms)
{
    int64_t ours = 0;

    if (self->db == NULL) {
        (void)snprintf(self->why, sizeof self->why, "it is not open");
        return GD_ERR_IO;
    }
    self->from = gd__sql_connect(self, restore_end_of_name, 0);
    if (self->from == NULL) {
        return GD_ERR_IO;
    }
    if (!gd__sql_exec(self->from, "PRAGMA synchronous=OFF") ||
        !gd__sql_number(self->from, "SELECT count(*) FROM " GD_SQL_TABLE, &ours)) {
        enum gd_err err = gd__sql_fault(self, self->from, "a snapshot cannot be read");
        int code = sqlite3_errcode(self->from) & 0xff;
        return code == SQLITE_ERROR || code == SQLITE_NOTADB || code == SQLITE_CORRUPT
                   ? GD_ERR_CORRUPT
                   : err;
    }
    if (!gd__sql_state_write(self->from, index, stamp_ms, false, self->identity)) {
        return gd__sql_fault(self, self->from, "a snapshot cannot be prepared");
    }
    self->filling = sqlite3_backup_init(self->db, "main", self->from, "main");
    if (self->filling == NULL) {
        return gd__sql_fault(self, self->db, "a snapshot cannot be restored");
    }
    return GD_OK;
}

void gd__sql_restore_end(struct gd_tracker *tracker, bool commit, gd_index index, int64_t stamp_ms,
                         gd_tracker_fn *done, void *context)
{
    struct gd_sql_tracker *self = gd__sql_of(tracker);
    enum gd_err err = GD_OK;

    GD_ASSERT(self->restoring);
    gd__sql_take_up(self, done, context);
    file_close(&self->restore_file);
    if (commit) {
        err = is_whole(self) ? begin_filling(self, index, stamp_ms) : GD_ERR_CORRUPT;
        if (err == GD_OK) {
            gd_timer_start(self->io, &self->work_timer, gd_io_now(self->io));
            return;
        }
    }
    gd__sql_restore_drop(self);
    gd__sql_finish(self, err);
}

void gd__sql_restore_work(struct gd_sql_tracker *self)
{
    bool dirty = false;
    int code = sqlite3_backup_step(self->filling, PAGES_A_TURN);

    if (code == SQLITE_OK) {
        gd_timer_start(self->io, &self->work_timer, gd_io_now(self->io));
        return;
    }
    if (code != SQLITE_DONE) {
        (void)snprintf(self->why, sizeof self->why, "a snapshot cannot be restored: %s",
                       sqlite3_errstr(code));
    }
    gd__sql_restore_drop(self);
    if (code == SQLITE_DONE && !gd__sql_state_read(self, &dirty)) {
        (void)gd__sql_fault(self, self->db, "a snapshot cannot be read back");
        code = SQLITE_ERROR;
    }
    gd__sql_finish(self, code == SQLITE_DONE ? GD_OK : GD_ERR_IO);
}

/* ---------------------------------------------------------------- digest */

static uint64_t mix_bytes(uint64_t digest, const void *data, int size)
{
    return gd_prng_mix(digest,
                       ((uint64_t)size << 32) ^ gd_crc32c((uint32_t)digest, data, (size_t)size));
}

static uint64_t mix_row(uint64_t digest, sqlite3_stmt *row)
{
    int columns = sqlite3_column_count(row);

    for (int i = 0; i < columns; i++) {
        int type = sqlite3_column_type(row, i);
        const void *data = sqlite3_column_blob(row, i);
        digest = mix_bytes(gd_prng_mix(digest, (uint64_t)type), data, sqlite3_column_bytes(row, i));
    }
    return digest;
}

static bool mix_query(sqlite3 *db, const char *text, uint64_t *digest)
{
    sqlite3_stmt *rows = NULL;
    int code = sqlite3_prepare_v2(db, text, -1, &rows, NULL);

    if (code == SQLITE_OK) {
        while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
            *digest = mix_row(*digest, rows);
        }
    }
    (void)sqlite3_finalize(rows);
    return code == SQLITE_DONE;
}

uint64_t gd_sql_digest(sqlite3 *db)
{
    static const char schema[] = "SELECT type, name, tbl_name, sql FROM sqlite_schema "
                                 "WHERE name <> '" GD_SQL_TABLE "' ORDER BY name, type";
    static const char names[] = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> "
                                "'" GD_SQL_TABLE "' ORDER BY name";
    uint64_t digest = 1;
    sqlite3_stmt *tables = NULL;
    bool good = mix_query(db, schema, &digest) &&
                sqlite3_prepare_v2(db, names, -1, &tables, NULL) == SQLITE_OK;

    while (good && sqlite3_step(tables) == SQLITE_ROW) {
        const unsigned char *name = sqlite3_column_text(tables, 0);
        char *with = sqlite3_mprintf("SELECT rowid, * FROM \"%w\" NOT INDEXED", name);
        char *without = sqlite3_mprintf("SELECT * FROM \"%w\" NOT INDEXED", name);
        uint64_t begin = digest;
        good = with != NULL && without != NULL;
        if (good && !mix_query(db, with, &digest)) { /* WITHOUT ROWID. */
            digest = begin;
            good = mix_query(db, without, &digest);
        }
        sqlite3_free(with);
        sqlite3_free(without);
    }
    (void)sqlite3_finalize(tables);
    return good ? digest : 0;
}
