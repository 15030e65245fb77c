/* sql_tracker.c - an SQLite file behind the node: each committed write exactly once.
 *
 * How. Each entry is one transaction of SQLite: the client's statements, and the entry's index in
 * the table gandalf_state. The file is in WAL mode with synchronous=NORMAL: a commit is an append
 * without a sync, whole or not there, and a power failure takes at most the newest ones, which are
 * in the log still. So the node goes on behind the index that it finds, whatever was killed. Synced
 * is only what says that another program's write is worth nothing: the mark, and the emptying. The
 * log does not hold that write, and what a power failure goes back to would look like ours.
 *
 * Rejected. A transaction for each batch, as in front of Redis: ON CONFLICT ROLLBACK, RAISE and
 * deferred foreign keys end a transaction from inside or fail it at its commit, and would take
 * their neighbours with them. synchronous=FULL: a second sync for what the log has synced already.
 *
 * Another program may read the file at any time. One that writes it is noticed before the next
 * entry or query by PRAGMA data_version, one that moves it away by the file's name; then the
 * database is marked, emptied, and rebuilt from snapshot and log.
 *
 * SQLite works inside the call, on the node's loop. A batch is cut into pieces, and a request's
 * steps are bounded (GD_SQL_STEPS_MAX), so the loop is held up for about a second at the most; the
 * emptying and its sync are one piece, and take what the disk takes.
 *
 * Invariants
 *   L1. The index changes with the effects or not at all.
 *   L2. Nothing is applied or answered when anybody else has written since.
 *   L3. A database that holds another's data is left as it is.
 *   L4. Replies, and what is refused, come out of state and entry alone (sql_runner.c).
 *   L5. `done` comes from a timer, never from inside the call, and once. */
#include "kvs/sql_tracker.h"
#include "engine/memory.h"
#include "kvs/reply.h"
#include <stdio.h>
#include <string.h>

enum { ENTRIES_A_TURN = 64, BUSY_MS = 20, WAL_SIZE_KEPT = 64 << 20 };
#define STEPS_A_TURN UINT64_C(500000)

/* ---------------------------------------------------------------- small things */

static void done_fire(struct gd_timer *timer)
{
    struct gd_sql_tracker *self = timer->context;
    gd_tracker_fn *done = self->done;

    self->done = NULL;
    done(self->done_context, self->done_err);
}

void gd__sql_take_up(struct gd_sql_tracker *self, gd_tracker_fn *done, void *context)
{
    GD_ASSERT(self->done == NULL);
    self->done = done;
    self->done_context = context;
    self->why[0] = '\0';
}

void gd__sql_let_go(struct gd_sql_tracker *self)
{
    (void)sqlite3_finalize(self->begin);
    (void)sqlite3_finalize(self->commit);
    (void)sqlite3_finalize(self->save);
    (void)sqlite3_finalize(self->version);
    self->begin = self->commit = self->save = self->version = NULL;
    (void)sqlite3_close_v2(self->db);
    self->db = NULL;
}

void gd__sql_finish(struct gd_sql_tracker *self, enum gd_err err)
{
    if (self->entries != NULL) {
        self->refuses = err != GD_OK;
        self->told_away = self->told_away && self->refuses;
    }
    self->entries = NULL;
    self->queries = NULL;
    if (err != GD_OK && err != GD_ERR_CORRUPT) {
        gd__sql_let_go(self);
        if (!self->told_away) {
            self->told_away = true;
            gd_io_log(self->io, GD_LOG_WARNING, "database %s: %s", self->file,
                      self->why[0] != '\0' ? self->why : gd_err_text(err));
        }
    }
    self->done_err = err;
    gd_timer_start(self->io, &self->done_timer, gd_io_now(self->io));
}

enum gd_err gd__sql_fault(struct gd_sql_tracker *self, sqlite3 *db, const char *doing)
{
    (void)snprintf(self->why, sizeof self->why, "%s: %s", doing,
                   db != NULL ? sqlite3_errmsg(db) : "out of memory");
    return GD_ERR_IO;
}

const char *gd__sql_path(const struct gd_sql_tracker *self, const char *end, char *to)
{
    (void)snprintf(to, GD_SQL_PATH_SIZE, "%s%s", self->file, end);
    return to;
}

void gd__sql_unlink(struct gd_sql_tracker *self, const char *end)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char path[GD_SQL_PATH_SIZE];

    for (size_t i = 0; i < GD_COUNT(ends); i++) {
        (void)gd__sql_path(self, end, path);
        (void)strncat(path, ends[i], sizeof path - strlen(path) - 1);
        (void)self->vfs.base->xDelete(self->vfs.base, path, 0);
    }
}

bool gd__sql_exec(sqlite3 *db, const char *text)
{
    return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK;
}

bool gd__sql_number(sqlite3 *db, const char *text, int64_t *number)
{
    sqlite3_stmt *statement = NULL;
    bool there = sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW;

    if (there) {
        *number = sqlite3_column_int64(statement, 0);
    }
    (void)sqlite3_finalize(statement);
    return there;
}

sqlite3 *gd__sql_connect(struct gd_sql_tracker *self, const char *end, int flags)
{
    char path[GD_SQL_PATH_SIZE];
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(gd__sql_path(self, end, path), &db,
                               flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, self->vfs.name);

    if (code != SQLITE_OK) {
        (void)gd__sql_fault(self, db, "it cannot be opened");
        (void)sqlite3_close_v2(db);
        return NULL;
    }
    (void)sqlite3_busy_timeout(db, BUSY_MS);
    return db;
}

/* Runs a prepared statement of our own that gives no rows. */
static int run_own(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    (void)sqlite3_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* ---------------------------------------------------------------- gandalf_state */

static const char state_table[] = "CREATE TABLE IF NOT EXISTS " GD_SQL_TABLE
                                  "(id INTEGER PRIMARY KEY CHECK (id = 1), applied INTEGER, "
                                  "stamp_ms INTEGER, dirty INTEGER, owner TEXT)";
static const char state_save[] =
    "REPLACE INTO " GD_SQL_TABLE "(id, applied, stamp_ms, dirty, owner) VALUES(1, ?1, ?2, ?3, ?4)";

static void bind_state(sqlite3_stmt *save, gd_index index, int64_t stamp_ms, bool dirty,
                       const char *owner)
{
    (void)sqlite3_bind_int64(save, 1, (sqlite3_int64)index);
    (void)sqlite3_bind_int64(save, 2, stamp_ms);
    (void)sqlite3_bind_int(save, 3, dirty);
    (void)sqlite3_bind_text(save, 4, owner, -1, SQLITE_STATIC);
}

bool gd__sql_state_write(sqlite3 *db, gd_index index, int64_t stamp_ms, bool dirty,
                         const char *owner)
{
    sqlite3_stmt *save = NULL;
    bool done;

    if (!gd__sql_exec(db, state_table) ||
        sqlite3_prepare_v2(db, state_save, -1, &save, NULL) != SQLITE_OK) {
        return false;
    }
    bind_state(save, index, stamp_ms, dirty, owner);
    done = run_own(save) == SQLITE_OK;
    (void)sqlite3_finalize(save);
    return done;
}

bool gd__sql_state_read(struct gd_sql_tracker *self, bool *dirty)
{
    sqlite3_stmt *statement = NULL;
    bool there =
        sqlite3_prepare_v2(self->db, "SELECT applied, stamp_ms, dirty, owner FROM " GD_SQL_TABLE,
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW;

    if (there) {
        const unsigned char *owner = sqlite3_column_text(statement, 3);
        self->applied = (gd_index)sqlite3_column_int64(statement, 0);
        self->stamp_ms = sqlite3_column_int64(statement, 1);
        *dirty = sqlite3_column_int(statement, 2) != 0;
        (void)snprintf(self->owner, sizeof self->owner, "%s",
                       owner != NULL ? (const char *)owner : "");
    }
    (void)sqlite3_finalize(statement);
    return there;
}

/* ---------------------------------------------------------------- open */

static bool is_ours(struct gd_sql_tracker *self)
{
    if (self->owner[0] == '\0' || self->identity[0] == '\0' ||
        strcmp(self->owner, self->identity) == 0) {
        return true;
    }
    (void)snprintf(self->why, sizeof self->why,
                   "it belongs to another node (cluster.node %s, and this is %s): give each node a "
                   "file of its own, or remove it",
                   self->owner, self->identity);
    return false;
}

static enum gd_err tracker_identify(struct gd_tracker *tracker, uint64_t cluster_id,
                                    gd_node_id node_id)
{
    struct gd_sql_tracker *self = gd__sql_of(tracker);

    (void)snprintf(self->identity, sizeof self->identity, "%016llx.%llu",
                   (unsigned long long)cluster_id, (unsigned long long)node_id);
    if (is_ours(self)) {
        return GD_OK;
    }
    gd_io_log(self->io, GD_LOG_WARNING, "database %s: %s", self->file, self->why);
    return GD_ERR_INVALID;
}

/* What is in the file, before anything of it is changed (L3). */
static enum gd_err look(struct gd_sql_tracker *self, bool *dirty, bool *empty)
{
    int64_t tables = 0, ours = 0;

    if (!gd__sql_number(self->db, "SELECT count(*) FROM sqlite_schema", &tables) ||
        !gd__sql_number(self->db,
                        "SELECT count(*) FROM sqlite_schema WHERE name = '" GD_SQL_TABLE "'",
                        &ours)) {
        bool foreign = (sqlite3_errcode(self->db) & 0xff) == SQLITE_NOTADB;
        (void)gd__sql_fault(self, self->db, "it cannot be read");
        return foreign ? GD_ERR_INVALID : GD_ERR_IO;
    }
    *empty = tables == 0;
    if (tables > 0 && ours == 0) {
        (void)snprintf(self->why, sizeof self->why,
                       "it holds tables and no " GD_SQL_TABLE ": they are not this cluster's; give "
                       "the node a file of its own");
        return GD_ERR_INVALID;
    }
    if (ours > 0 && !gd__sql_state_read(self, dirty)) {
        *dirty = true; /* Our table without its row. */
    }
    return is_ours(self) ? GD_OK : GD_ERR_INVALID;
}

/* Empties the database whatever is in it. */
static bool wipe(struct gd_sql_tracker *self)
{
    bool done;

    GD_REACHED("SQLite database emptied to be rebuilt");
    (void)sqlite3_db_config(self->db, SQLITE_DBCONFIG_RESET_DATABASE, 1, (int *)NULL);
    done = gd__sql_exec(self->db, "VACUUM");
    (void)sqlite3_db_config(self->db, SQLITE_DBCONFIG_RESET_DATABASE, 0, (int *)NULL);
    return done;
}

static bool prepare(struct gd_sql_tracker *self)
{
    const struct {
        sqlite3_stmt **statement;
        const char *text;
    } rows[] = {{&self->begin, "BEGIN IMMEDIATE"},
                {&self->commit, "COMMIT"},
                {&self->save, state_save},
                {&self->version, "PRAGMA data_version"}};

    for (size_t i = 0; i < GD_COUNT(rows); i++) {
        if (sqlite3_prepare_v3(self->db, rows[i].text, -1, SQLITE_PREPARE_PERSISTENT,
                               rows[i].statement, NULL) != SQLITE_OK) {
            return false;
        }
    }
    return true;
}

static enum gd_err open_database(struct gd_sql_tracker *self)
{
    static const char settings[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL";
    char limit[64];
    bool dirty = false, empty = false;
    gd_index known = self->applied;
    enum gd_err err;

    gd__sql_let_go(self);
    self->applied = 0;
    self->stamp_ms = 0;
    self->owner[0] = '\0';
    self->db = gd__sql_connect(self, "", SQLITE_OPEN_CREATE);
    if (self->db == NULL) {
        return GD_ERR_IO;
    }
    err = look(self, &dirty, &empty);
    if (err != GD_OK) {
        return err;
    }
    if (known > 0 && self->applied > known) {
        GD_REACHED("SQLite kept a write that it had reported as failed");
    }
    /* Seen, and the mark that says so could not be written: a new connection does not see it. */
    if (self->foreign && !dirty && !empty) {
        GD_REACHED("another program's write remembered, where it could not be marked");
        dirty = true;
    }
    (void)snprintf(limit, sizeof limit, "PRAGMA journal_size_limit=%d", WAL_SIZE_KEPT);
    if ((empty && !gd__sql_exec(self->db, "PRAGMA page_size=4096")) ||
        !gd__sql_exec(self->db, settings) || !gd__sql_exec(self->db, limit) ||
        ((dirty || self->foreign) && !gd__sql_exec(self->db, "PRAGMA synchronous=FULL")) ||
        (dirty && !wipe(self))) {
        return gd__sql_fault(self, self->db, "it cannot be set up");
    }
    if (dirty) { /* What a foreign hand has touched is worth nothing, and must not come back. */
        self->applied = 0;
        self->stamp_ms = 0;
    }
    if (!gd_sql_runner_attach(&self->runner, self->db) ||
        !gd__sql_exec(self->db, "BEGIN IMMEDIATE") ||
        ((dirty || empty) && !gd__sql_state_write(self->db, 0, 0, false, self->identity)) ||
        !gd__sql_number(self->db, "PRAGMA data_version", &self->version_seen) ||
        !gd__sql_exec(self->db, "COMMIT") || !gd__sql_exec(self->db, "PRAGMA synchronous=NORMAL") ||
        !prepare(self)) {
        return gd__sql_fault(self, self->db, "it cannot be set up");
    }
    self->foreign = false;
    return GD_OK;
}

static void tracker_open(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_sql_tracker *self = gd__sql_of(tracker);
    enum gd_err err;

    gd__sql_take_up(self, done, context);
    err = open_database(self);
    self->told_away = self->told_away && (err != GD_OK || self->refuses);
    gd__sql_finish(self, err);
}

static gd_index tracker_applied(const struct gd_tracker *tracker)
{
    return ((const struct gd_sql_tracker *)(const void *)tracker)->applied;
}

/* ---------------------------------------------------------------- nobody else (L2) */

bool gd__sql_untouched(struct gd_sql_tracker *self)
{
    int64_t version;
    bool there = sqlite3_step(self->version) == SQLITE_ROW;
    int moved = 0;

    version = there ? sqlite3_column_int64(self->version, 0) : 0;
    (void)sqlite3_reset(self->version);
    if (!there) {
        (void)gd__sql_fault(self, self->db, "it cannot be read");
        return false;
    }
    (void)sqlite3_file_control(self->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (moved != 0) {
        (void)snprintf(self->why, sizeof self->why, "its file was moved or removed");
        return false;
    }
    if (version == self->version_seen) {
        return true;
    }
    GD_REACHED("another program wrote to the SQLite database");
    self->foreign = true;
    (void)snprintf(self->why, sizeof self->why,
                   "another program has written to it; it is rebuilt, and what that wrote is gone");
    return false;
}

/* Leaves the transaction. When somebody else wrote, the mark that says so is what stays, also when
 * the power goes: what it goes back to then would look like ours. Asking for data_version here
 * would not do: an error of our own changes it, too. */
static void give_up(struct gd_sql_tracker *self)
{
    (void)sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
    if (self->foreign && gd__sql_exec(self->db, "PRAGMA synchronous=FULL; BEGIN IMMEDIATE")) {
        (void)gd__sql_state_write(self->db, 0, 0, true, self->owner);
        (void)gd__sql_exec(self->db, "COMMIT");
    }
}

/* ---------------------------------------------------------------- apply */

static bool save_state(struct gd_sql_tracker *self, const struct gd_apply *entry)
{
    bind_state(self->save, entry->position.index, entry->stamp_ms, false, self->identity);
    return run_own(self->save) == SQLITE_OK;
}

static void roll_back(struct gd_sql_tracker *self)
{
    if (sqlite3_get_autocommit(self->db) == 0) { /* Else SQLite has done it. */
        (void)gd__sql_exec(self->db, "ROLLBACK");
    }
}

/* The error of the request in hand, for its client. */
static void reply_error(struct gd_sql_tracker *self, struct gd_bytes *to)
{
    struct gd_reply reply = {.out = to, .protocol = 2};
    gd_reply_error_format(&reply, "ERR %s", (const char *)self->runner.error.data);
}

/* The index alone: the entry carries nothing, or what it carried was refused. */
static bool apply_nothing(struct gd_sql_tracker *self, const struct gd_apply *entry)
{
    return run_own(self->begin) == SQLITE_OK && gd__sql_untouched(self) &&
           save_state(self, entry) && run_own(self->commit) == SQLITE_OK;
}

/* One entry, one transaction (L1). */
static bool apply_entry(struct gd_sql_tracker *self, struct gd_apply *entry)
{
    struct gd_sql_runner *runner = &self->runner;
    uint64_t seed = gd_prng_mix(entry->position.index, (uint64_t)entry->stamp_ms);
    enum gd_sql_result result;
    int code;

    self->vfs.now_ms = entry->stamp_ms;
    runner->steps = 0;
    if (entry->body.size == 0) {
        return apply_nothing(self, entry);
    }
    if (run_own(self->begin) != SQLITE_OK || !gd__sql_untouched(self)) {
        return false;
    }
    result = gd_sql_run(runner, GD_SQL_WRITE, entry->body, seed);
    if (result == GD_SQL_FINE) {
        if (!save_state(self, entry)) {
            return false;
        }
        code = run_own(self->commit);
        if (code == SQLITE_OK) {
            if (entry->reply != NULL) {
                gd_bytes_add(entry->reply, runner->reply.data, runner->reply.size);
            }
            return true;
        }
        if ((code & 0xff) != SQLITE_CONSTRAINT) {
            return false;
        }
        GD_REACHED("a constraint that was checked at the commit");
        gd_bytes_clear(&runner->error);
        gd_bytes_add(&runner->error, "FOREIGN KEY constraint failed",
                     sizeof "FOREIGN KEY constraint failed");
    } else if (result == GD_SQL_AWAY) {
        return false;
    }
    GD_REACHED("SQL that changed nothing");
    reply_error(self, entry->reply);
    roll_back(self);
    return apply_nothing(self, entry);
}

/* A piece of the batch; true when it is at its end. */
static bool apply_some(struct gd_sql_tracker *self, enum gd_err *err)
{
    uint64_t steps = 0;

    for (int i = 0; i < ENTRIES_A_TURN && steps < STEPS_A_TURN && self->at < self->count; i++) {
        struct gd_apply *entry = &self->entries[self->at];
        GD_ASSERT(entry->position.index == self->applied + 1);
        /* Of neighbours that carry nothing the last one's index says it all. */
        if (entry->body.size > 0 || self->at + 1 == self->count ||
            self->entries[self->at + 1].body.size > 0) {
            if (!apply_entry(self, entry)) {
                if (self->why[0] == '\0') {
                    (void)gd__sql_fault(self, self->db, "a write failed");
                }
                give_up(self);
                *err = GD_ERR_IO;
                return true;
            }
        }
        self->applied = entry->position.index;
        self->stamp_ms = entry->stamp_ms;
        (void)snprintf(self->owner, sizeof self->owner, "%s", self->identity);
        steps += self->runner.steps;
        self->at++;
    }
    return self->at == self->count;
}

/* ---------------------------------------------------------------- query */

static bool answer(struct gd_sql_tracker *self, struct gd_query *query)
{
    struct gd_sql_runner *runner = &self->runner;
    enum gd_sql_result result;

    self->vfs.now_ms = query->wall_ms > self->stamp_ms ? query->wall_ms : self->stamp_ms;
    query->result = GD_QUERY_ANSWERED;
    if (!gd__sql_exec(self->db, "BEGIN") || !gd__sql_untouched(self)) {
        return false;
    }
    result = gd_sql_run(runner, GD_SQL_QUERY, query->body,
                        gd_prng_mix(self->applied, ++self->query_count));
    if (result == GD_SQL_AWAY) {
        return false;
    }
    if (result == GD_SQL_REFUSED) {
        reply_error(self, query->reply);
    } else {
        gd_bytes_add(query->reply, runner->reply.data, runner->reply.size);
    }
    roll_back(self); /* It was a read. */
    return true;
}

/* An empty query: is the file there, and as we left it? */
static bool is_as_left(struct gd_sql_tracker *self)
{
    bool fine = gd__sql_exec(self->db, "BEGIN") && gd__sql_untouched(self);

    roll_back(self);
    return fine;
}

static bool answer_some(struct gd_sql_tracker *self, enum gd_err *err)
{
    uint64_t steps = 0;

    if (self->count == 0 && !is_as_left(self)) {
        if (self->why[0] == '\0') {
            (void)gd__sql_fault(self, self->db, "it cannot be read");
        }
        give_up(self);
        *err = GD_ERR_IO;
    }
    for (int i = 0; i < ENTRIES_A_TURN && steps < STEPS_A_TURN && self->at < self->count; i++) {
        if (!answer(self, &self->queries[self->at])) {
            if (self->why[0] == '\0') {
                (void)gd__sql_fault(self, self->db, "a query failed");
            }
            give_up(self);
            *err = GD_ERR_IO;
            return true;
        }
        steps += self->runner.steps;
        self->at++;
    }
    return self->at == self->count;
}

/* ---------------------------------------------------------------- pieces */

static void work(struct gd_sql_tracker *self)
{
    enum gd_err err = GD_OK;

    if (self->db == NULL) {
        (void)snprintf(self->why, sizeof self->why, "it is not open");
        gd__sql_finish(self, GD_ERR_IO);
    } else if (self->entries != NULL ? apply_some(self, &err) : answer_some(self, &err)) {
        gd__sql_finish(self, err);
    } else {
        GD_REACHED("SQLite's work cut into pieces");
        gd_timer_start(self->io, &self->work_timer, gd_io_now(self->io));
    }
}

static void work_fire(struct gd_timer *timer)
{
    struct gd_sql_tracker *self = timer->context;

    if (self->filling != NULL) {
        gd__sql_restore_work(self);
    } else {
        work(self);
    }
}

static void tracker_apply(struct gd_tracker *tracker, struct gd_apply *batch, size_t count,
                          gd_tracker_fn *done, void *context)
{
    struct gd_sql_tracker *self = gd__sql_of(tracker);

    gd__sql_take_up(self, done, context);
    self->entries = batch;
    self->count = count;
    self->at = 0;
    work(self);
}

static void tracker_query(struct gd_tracker *tracker, struct gd_query *batch, size_t count,
                          gd_tracker_fn *done, void *context)
{
    struct gd_sql_tracker *self = gd__sql_of(tracker);

    gd__sql_take_up(self, done, context);
    self->queries = batch;
    self->count = count;
    self->at = 0;
    work(self);
}

static int64_t tracker_next_expiry_ms(const struct gd_tracker *tracker)
{
    (void)tracker;
    return INT64_MAX;
}

static uint64_t tracker_digest(const struct gd_tracker *tracker)
{
    const struct gd_sql_tracker *self = (const struct gd_sql_tracker *)(const void *)tracker;
    return self->db == NULL ? 0 : gd_sql_digest(self->db);
}

/* ---------------------------------------------------------------- life */

static void tracker_close(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_sql_tracker *self = gd__sql_of(tracker);

    gd_timer_stop(self->io, &self->done_timer);
    gd_timer_stop(self->io, &self->work_timer);
    gd_timer_stop(self->io, &self->snapshot_timer);
    self->snapshot_done = NULL;
    self->read_done = NULL;
    gd__sql_snapshot_end(tracker);
    gd__sql_restore_drop(self);
    gd__sql_let_go(self);
    gd_sql_runner_release(&self->runner);
    gd_sql_vfs_release(&self->vfs);
    self->done = NULL;
    gd__sql_take_up(self, done, context);
    gd__sql_finish(self, GD_OK);
}

void gd_sql_tracker_abandon(struct gd_sql_tracker *tracker)
{
    (void)sqlite3_backup_finish(tracker->backup);
    (void)sqlite3_backup_finish(tracker->filling);
    (void)sqlite3_close_v2(tracker->copy);
    (void)sqlite3_close_v2(tracker->source);
    (void)sqlite3_close_v2(tracker->from);
    gd__sql_let_go(tracker);
    gd_sql_vfs_release(&tracker->vfs);
}

static const struct gd_tracker_vtable vtable = {
    .open = tracker_open,
    .identify = tracker_identify,
    .applied = tracker_applied,
    .apply = tracker_apply,
    .query = tracker_query,
    .next_expiry_ms = tracker_next_expiry_ms,
    .snapshot_begin = gd__sql_snapshot_begin,
    .snapshot_read = gd__sql_snapshot_read,
    .snapshot_end = gd__sql_snapshot_end,
    .restore_begin = gd__sql_restore_begin,
    .restore_write = gd__sql_restore_write,
    .restore_end = gd__sql_restore_end,
    .digest = tracker_digest,
    .close = tracker_close,
};

void gd_sql_tracker_init(struct gd_sql_tracker *tracker, const struct gd_sql_options *options)
{
    *tracker = (struct gd_sql_tracker){.tracker = {.v = &vtable, .apart = true}, .io = options->io};
    (void)snprintf(tracker->file, sizeof tracker->file, "%s", options->file);
    tracker->runner.steps_max = options->steps_max;
    tracker->done_timer = (struct gd_timer){.fire = done_fire, .context = tracker};
    tracker->work_timer = (struct gd_timer){.fire = work_fire, .context = tracker};
    tracker->snapshot_timer = (struct gd_timer){.fire = gd__sql_snapshot_fire, .context = tracker};
    gd_sql_vfs_init(&tracker->vfs, options->base);
}
