/* sql_runner.c - a client's SQL, made to do the same on every node.
 *
 * Why. Every node runs the same statements on a database of its own, and afterwards all of them
 * must hold the same rows. What a statement does may depend on the rows, its text and parameters,
 * the entry's index and time, and on nothing else.
 *
 * How. What would differ is given another source: now is the entry's time (sql_vfs.c), random()
 * and randomblob() draw from a generator seeded by the entry. What is left over from earlier
 * requests is wiped (last_insert_rowid) or refused (changes(), PRAGMA, temporary tables). SQLite
 * itself falls back to random rowids when a table's largest is taken, so a row that would take it
 * is refused. A statement without end is cut off by a count of steps, not of seconds. Whether
 * something is refused is decided by SQLite's own authorizer, which sees every function, table and
 * pragma that a statement touches, through views and triggers, too.
 *
 * A request is one transaction, with all its statements: what fails changes nothing, and the reply
 * is SQLite's text. Errors of the one database (disk, memory, locks) are told apart from those of
 * the statement, since only the latter come out alike on every node.
 *
 * Rejected. Replacing functions in the text, before it enters the log: it wants a parser of SQL,
 * and misses defaults and triggers. Replicating pages or change sets: the leader would have to run
 * the statement before it is committed.
 *
 * Invariants
 *   Q1. The same body, seed and time on the same rows give the same rows and the same reply.
 *   Q2. No statement of a client sees or changes gandalf_state, ends the transaction unseen, or
 *       leaves anything behind in the connection that a later one could see.
 *   Q3. SQL.QUERY changes nothing. */
#include "kvs/sql_runner.h"
#include "engine/memory.h"
#include "kvs/reply.h"
#include <stdio.h>
#include <string.h>

enum { STEPS_BETWEEN = 1000 };

/* ---------------------------------------------------------------- what is let through */

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (sqlite3_stricmp(name, *list) == 0) {
            return true;
        }
    }
    return false;
}

static int deny(struct gd_sql_runner *runner, const char *reason)
{
    runner->reason = reason;
    return SQLITE_DENY;
}

static int judge_function(struct gd_sql_runner *runner, const char *name)
{
    static const char *const everywhere[] = {"load_extension", "fts3_tokenizer", NULL};
    static const char *const writes[] = {"changes",
                                         "total_changes",
                                         "sqlite_version",
                                         "sqlite_source_id",
                                         "fts5_source_id",
                                         "sqlite_compileoption_get",
                                         "sqlite_compileoption_used",
                                         NULL};

    if (is_one_of(name, everywhere)) {
        return deny(runner, "this function reaches outside the database");
    }
    if (runner->mode == GD_SQL_WRITE && is_one_of(name, writes)) {
        return deny(runner, "this function may tell another value on each node");
    }
    return SQLITE_OK;
}

static int judge_pragma(struct gd_sql_runner *runner, const char *name, const char *value)
{
    static const char *const looks[] = {"collation_list", "foreign_key_check", "foreign_key_list",
                                        "freelist_count", "function_list",     "index_info",
                                        "index_list",     "index_xinfo",       "page_count",
                                        "table_info",     "table_list",        "table_xinfo",
                                        "quick_check",    "integrity_check",   NULL};
    static const char *const numbers[] = {"user_version", "application_id", NULL};

    if (is_one_of(name, numbers)) {
        return runner->mode == GD_SQL_WRITE || value == NULL
                   ? SQLITE_OK
                   : deny(runner, "a query changes nothing; use SQL.EXEC");
    }
    if (runner->mode == GD_SQL_QUERY && is_one_of(name, looks)) {
        return SQLITE_OK;
    }
    if (runner->mode == GD_SQL_WRITE && sqlite3_stricmp(name, "quick_check") == 0) {
        return SQLITE_OK; /* ALTER TABLE looks at the rows by it. */
    }
    return deny(runner, "this pragma concerns one connection, not the cluster's database");
}

static int judge_write(struct gd_sql_runner *runner, int action, const char *first,
                       const char *second)
{
    switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return deny(runner, "there is one database");
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return deny(runner, "a request is a transaction; put statements that belong together into "
                            "one SQL.EXEC, or between MULTI and EXEC");
    case SQLITE_ANALYZE:
        return deny(runner, "what it finds is kept in each connection, and decides in which order "
                            "a statement meets the rows");
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
    case SQLITE_DROP_TEMP_INDEX:
    case SQLITE_DROP_TEMP_TABLE:
    case SQLITE_DROP_TEMP_TRIGGER:
    case SQLITE_DROP_TEMP_VIEW:
        return deny(runner, "what is temporary lives in one connection, and is not replicated");
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_VTABLE:
        return deny(runner, "a virtual table is code, which may differ from node to node");
    case SQLITE_INSERT:
        return first != NULL && sqlite3_stricmp(first, "sqlite_sequence") == 0
                   ? deny(runner, "SQLite keeps this table by itself")
                   : SQLITE_OK;
    case SQLITE_UPDATE:
        return first != NULL && second != NULL && sqlite3_stricmp(first, "sqlite_sequence") == 0 &&
                       sqlite3_stricmp(second, "seq") == 0
                   ? deny(runner, "SQLite keeps this table by itself")
                   : SQLITE_OK;
    default:
        return SQLITE_OK;
    }
}

/* Tables that SQLite has without anyone's making them, and that tell of a file's pages or of a
 * connection's statements: what a node happens to hold, not what the cluster does. The name is
 * refused in whatever is done with it, so that no client makes a table of it that nobody can read.
 */
static bool is_own_to_node(const char *name)
{
    static const char *const tables[] = {
        "bytecode",     "dbstat",      "sqlite_dbdata", "sqlite_dbpage",
        "sqlite_dbptr", "sqlite_stmt", "tables_used",   NULL};

    return is_one_of(name, tables);
}

static int judge(void *context, int action, const char *first, const char *second,
                 const char *database, const char *trigger)
{
    struct gd_sql_runner *runner = context;

    (void)database;
    (void)trigger;
    if (runner->mode == GD_SQL_OWN) {
        return SQLITE_OK;
    }
    if ((first != NULL && sqlite3_stricmp(first, GD_SQL_TABLE) == 0) ||
        (second != NULL && sqlite3_stricmp(second, GD_SQL_TABLE) == 0)) {
        return deny(runner, "the table " GD_SQL_TABLE " is gandalf's own");
    }
    if (first != NULL && is_own_to_node(first)) {
        return deny(runner, "this table may tell other rows on each node");
    }
    if (action == SQLITE_FUNCTION) {
        return judge_function(runner, second);
    }
    if (action == SQLITE_PRAGMA) {
        return judge_pragma(runner, first, second);
    }
    if (runner->mode == GD_SQL_WRITE) {
        return judge_write(runner, action, first, second);
    }
    /* A connection's first use of json_each or of a pragma as a table declares it, and asks for
     * this on the way. A statement that does change the schema is none that only reads
     * (run_statement).
     */
    if (action == SQLITE_UPDATE && first != NULL && sqlite3_stricmp(first, "sqlite_master") == 0) {
        return SQLITE_OK;
    }
    return action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_RECURSIVE
               ? SQLITE_OK
               : deny(runner, "a query changes nothing; use SQL.EXEC");
}

/* ---------------------------------------------------------------- what would differ */

static void run_random(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct gd_sql_runner *runner = sqlite3_user_data(context);

    (void)count;
    (void)values;
    sqlite3_result_int64(context, (sqlite3_int64)gd_prng_next(&runner->prng));
}

static void run_randomblob(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct gd_sql_runner *runner = sqlite3_user_data(context);
    sqlite3_int64 size = sqlite3_value_int64(values[0]);
    uint8_t *blob;

    (void)count;
    size = size < 1 ? 1 : size;
    if (size > GD_SQL_VALUE_SIZE_MAX) {
        sqlite3_result_error_toobig(context);
        return;
    }
    blob = sqlite3_malloc64((sqlite3_uint64)size);
    if (blob == NULL) {
        sqlite3_result_error_nomem(context); /* No memory: the statement fails. */
        return;
    }
    for (sqlite3_int64 i = 0; i < size; i++) {
        blob[i] = (uint8_t)(gd_prng_next(&runner->prng) >> 56);
    }
    sqlite3_result_blob64(context, blob, (sqlite3_uint64)size, sqlite3_free);
}

static int on_progress(void *context)
{
    struct gd_sql_runner *runner = context;

    if (runner->mode == GD_SQL_OWN) {
        return 0;
    }
    runner->steps += STEPS_BETWEEN;
    return runner->steps > runner->steps_max;
}

/* Behind the largest rowid SQLite draws random ones. */
static void on_row(void *context, int action, const char *database, const char *table,
                   sqlite3_int64 rowid)
{
    struct gd_sql_runner *runner = context;

    (void)database;
    (void)table;
    if (action != SQLITE_DELETE && rowid == INT64_MAX) {
        runner->rowid_spent = true;
    }
}

bool gd_sql_runner_attach(struct gd_sql_runner *runner, sqlite3 *db)
{
    runner->db = db;
    runner->mode = GD_SQL_OWN;
    if (runner->steps_max == 0) {
        runner->steps_max = GD_SQL_STEPS_MAX;
    }
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, GD_SQL_VALUE_SIZE_MAX);
    (void)sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, (int *)NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    (void)sqlite3_set_authorizer(db, judge, runner);
    (void)sqlite3_update_hook(db, on_row, runner);
    sqlite3_progress_handler(db, STEPS_BETWEEN, on_progress, runner);
    /* Without the memory for them SQLite would go on with its own, and this node alone (Q1). */
    return sqlite3_create_function(db, "random", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, runner,
                                   run_random, NULL, NULL) == SQLITE_OK &&
           sqlite3_create_function(db, "randomblob", 1, SQLITE_UTF8 | SQLITE_INNOCUOUS, runner,
                                   run_randomblob, NULL, NULL) == SQLITE_OK;
}

void gd_sql_runner_release(struct gd_sql_runner *runner)
{
    gd_free(runner->args);
    gd_bytes_release(&runner->reply);
    gd_bytes_release(&runner->rows);
    gd_bytes_release(&runner->error);
    runner->args = NULL;
    runner->arg_capacity = 0;
}

/* ---------------------------------------------------------------- errors */

bool gd_sql_is_away(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_NOTADB:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL:
    case SQLITE_READONLY:
        return true;
    default:
        return false;
    }
}

static enum gd_sql_result refuse(struct gd_sql_runner *runner, const char *text)
{
    gd_bytes_clear(&runner->error);
    gd_bytes_add_text(&runner->error, text);
    gd_bytes_add_u8(&runner->error, 0);
    return GD_SQL_REFUSED;
}

static enum gd_sql_result failed(struct gd_sql_runner *runner, int code)
{
    gd_bytes_clear(&runner->error);
    if (runner->reason != NULL) {
        gd_bytes_format(&runner->error, "not available through gandalf: %s", runner->reason);
    } else if ((code & 0xff) == SQLITE_INTERRUPT) {
        gd_bytes_format(&runner->error, "the request takes more than %llu steps",
                        (unsigned long long)runner->steps_max);
    } else {
        gd_bytes_add_text(&runner->error, sqlite3_errmsg(runner->db));
    }
    gd_bytes_add_u8(&runner->error, 0);
    return gd_sql_is_away(code) ? GD_SQL_AWAY : GD_SQL_REFUSED;
}

/* ---------------------------------------------------------------- one statement */

/* Whether bytes may be bound as text: UTF-8 of the shortest form, no NUL. Everything else is a
 * blob. */
static bool is_text(struct gd_slice bytes)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};

    for (size_t i = 0; i < bytes.size;) {
        uint8_t lead = bytes.data[i++];
        unsigned more = lead < 0x80 ? 0 : lead < 0xc0 ? 9 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        uint32_t point;
        if (lead == 0 || lead >= 0xf8 || more == 9 || more > bytes.size - i) {
            return false;
        }
        point = more == 0 ? lead : lead & (0x3fu >> more);
        for (unsigned k = 0; k < more; k++, i++) {
            if ((bytes.data[i] & 0xc0) != 0x80) {
                return false;
            }
            point = point << 6 | (bytes.data[i] & 0x3fu);
        }
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
            return false;
        }
    }
    return true;
}

static int bind(sqlite3_stmt *statement, int place, struct gd_slice value)
{
    const char *data = value.size > 0 ? (const char *)value.data : "";

    return is_text(value)
               ? sqlite3_bind_text64(statement, place, data, value.size, SQLITE_STATIC, SQLITE_UTF8)
               : sqlite3_bind_blob64(statement, place, data, value.size, SQLITE_STATIC);
}

/* False when there is no memory for it: SQLite then has no value, and says so by NULL alone. */
static bool add_value(struct gd_reply *reply, sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        gd_reply_integer(reply, sqlite3_column_int64(statement, column));
        break;
    case SQLITE_NULL:
        gd_reply_null(reply);
        break;
    default: { /* A real number as SQLite writes it. */
        const void *data = sqlite3_column_type(statement, column) == SQLITE_BLOB
                               ? sqlite3_column_blob(statement, column)
                               : (const void *)sqlite3_column_text(statement, column);
        if (data == NULL && sqlite3_errcode(sqlite3_db_handle(statement)) == SQLITE_NOMEM) {
            return false; /* An empty blob is NULL, too. */
        }
        gd_reply_bulk(reply,
                      (struct gd_slice){data, (size_t)sqlite3_column_bytes(statement, column)});
    }
    }
    return true;
}

/* A row of columns' names, or of values. */
static bool add_row(struct gd_reply *reply, sqlite3_stmt *statement, int columns, bool names)
{
    gd_reply_array(reply, (size_t)columns);
    for (int i = 0; i < columns; i++) {
        const char *name = names ? sqlite3_column_name(statement, i) : NULL;
        if (names && name == NULL) {
            return false;
        }
        if (names) {
            gd_reply_bulk_text(reply, name);
        } else if (!add_value(reply, statement, i)) {
            return false;
        }
    }
    return true;
}

/* The rows of one statement into `rows`, the columns' names first. `*count` is how many. */
static enum gd_sql_result step_through(struct gd_sql_runner *runner, sqlite3_stmt *statement,
                                       size_t *count)
{
    struct gd_reply rows = {.out = &runner->rows, .protocol = 2};
    int columns = sqlite3_column_count(statement);
    int code;

    gd_bytes_clear(&runner->rows);
    *count = columns > 0 ? 1 : 0;
    if (columns > 0 && !add_row(&rows, statement, columns, true)) {
        /* UNTESTED: no memory for a column's name. */
        return failed(runner, SQLITE_NOMEM);
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (!add_row(&rows, statement, columns, false)) {
            return failed(runner, SQLITE_NOMEM);
        }
        ++*count;
        if (runner->rows.size > GD_SQL_REPLY_SIZE_MAX) {
            return refuse(runner, "the rows are more than one reply can hold; use LIMIT");
        }
    }
    return code == SQLITE_DONE ? GD_SQL_FINE : failed(runner, code);
}

/* Binds the next parameters, runs the statement. */
static enum gd_sql_result run_statement(struct gd_sql_runner *runner, sqlite3_stmt *statement,
                                        const struct gd_slice *args, size_t arg_count, size_t *at,
                                        size_t *row_count)
{
    int wanted = sqlite3_bind_parameter_count(statement);
    enum gd_sql_result result;

    if ((size_t)wanted > arg_count - *at) {
        return refuse(runner, "there are fewer values than parameters in the statement");
    }
    if (runner->mode == GD_SQL_QUERY && !sqlite3_stmt_readonly(statement)) {
        return refuse(runner, "a query changes nothing; use SQL.EXEC");
    }
    for (int i = 1; i <= wanted; i++) {
        int code = bind(statement, i, args[(*at)++]);
        if (code != SQLITE_OK) {
            return failed(runner, code);
        }
    }
    runner->rowid_spent = false;
    result = step_through(runner, statement, row_count);
    if (result == GD_SQL_FINE && runner->rowid_spent) {
        GD_REACHED("a row that would take the largest rowid");
        return refuse(runner, "the rowid 9223372036854775807 cannot be used: behind it SQLite "
                              "draws random ones");
    }
    return result;
}

/* One command, SQL.EXEC or SQL.QUERY: its statements, in order. */
static enum gd_sql_result run_command(struct gd_sql_runner *runner, size_t count)
{
    const struct gd_slice *args = runner->args;
    const char *text = (const char *)args[1].data, *end = text + args[1].size;
    struct gd_reply reply = {.out = &runner->reply, .protocol = 2};
    size_t at = 2, rows = 0, begin = runner->reply.size;
    sqlite3_int64 changed = 0;
    bool has_rows = false;

    if (memchr(text, 0, args[1].size) != NULL || args[1].size > GD_SQL_VALUE_SIZE_MAX) {
        return refuse(runner, "the statement has a NUL in it, or is too long");
    }
    while (text < end) {
        sqlite3_int64 before = sqlite3_total_changes64(runner->db);
        sqlite3_stmt *statement = NULL;
        enum gd_sql_result result;
        int code;
        runner->reason = NULL;
        code = sqlite3_prepare_v2(runner->db, text, (int)(end - text), &statement, &text);
        if (code != SQLITE_OK) {
            return failed(runner, code);
        }
        if (statement == NULL) {
            continue; /* Blanks, or a comment. */
        }
        result = run_statement(runner, statement, args, count, &at, &rows);
        (void)sqlite3_finalize(statement);
        if (result != GD_SQL_FINE) {
            return result;
        }
        if (sqlite3_total_changes64(runner->db) != before) {
            changed += sqlite3_changes64(runner->db);
        }
        if (rows > 0) { /* The last rows are the reply. */
            runner->reply.size = begin;
            gd_reply_array(&reply, rows);
            gd_reply_raw(&reply, gd_bytes_slice(&runner->rows));
            has_rows = true;
        }
    }
    if (at != count) {
        return refuse(runner, "there are more values than parameters in the statement");
    }
    if (!has_rows) {
        gd_reply_integer(&reply, changed);
    }
    return GD_SQL_FINE;
}

/* ---------------------------------------------------------------- bodies */

static size_t read_args(struct gd_sql_runner *runner, struct gd_reader *reader)
{
    size_t count = gd_reader_le32(reader);

    if (reader->failed || count > reader->left / 4) {
        return 0;
    }
    if (count > runner->arg_capacity) {
        runner->arg_capacity = count;
        runner->args = gd_realloc(runner->args, count * sizeof runner->args[0]);
    }
    for (size_t i = 0; i < count; i++) {
        runner->args[i] = gd_reader_slice(reader, gd_reader_le32(reader));
    }
    return reader->failed ? 0 : count;
}

static enum gd_sql_result run_next(struct gd_sql_runner *runner, struct gd_reader *reader,
                                   enum gd_sql_mode mode)
{
    struct gd_reader ahead = *reader;
    enum gd_sql_result result;
    size_t count;

    if (gd_reader_le32(&ahead) == 0 && !ahead.failed) { /* Answered when it was queued. */
        struct gd_slice answer = gd_reader_slice(&ahead, gd_reader_le32(&ahead));
        *reader = ahead;
        gd_bytes_add(&runner->reply, answer.data, answer.size);
        return GD_SQL_FINE;
    }
    count = read_args(runner, reader);
    if (count == 0) {
        return refuse(runner, "the request's body cannot be read");
    }
    if (count < 2 ||
        (!gd_slice_is(runner->args[0], "sql.query") && !gd_slice_is(runner->args[0], "sql.exec"))) {
        return refuse(runner, "only SQL.EXEC and SQL.QUERY stand in a transaction here");
    }
    if (mode == GD_SQL_WRITE && gd_slice_is(runner->args[0], "sql.query")) {
        runner->mode = GD_SQL_QUERY;
    } else {
        runner->mode = mode;
    }
    result = run_command(runner, count);
    runner->mode = GD_SQL_OWN;
    return result;
}

enum gd_sql_result gd_sql_run(struct gd_sql_runner *runner, enum gd_sql_mode mode,
                              struct gd_slice body, uint64_t seed)
{
    struct gd_reader reader = gd_reader_of(body);
    struct gd_reply reply = {.out = &runner->reply, .protocol = 2};
    uint8_t kind = gd_reader_u8(&reader);
    uint32_t commands = 1;

    gd_bytes_clear(&runner->reply);
    runner->steps = 0;
    gd_prng_init(&runner->prng, seed);
    sqlite3_set_last_insert_rowid(runner->db, 0); /* Q2 */
    (void)gd_reader_u8(&reader);                  /* The protocol: always 2 here. */
    if (kind == GD_BODY_TRANSACTION) {
        (void)gd_reader_le32(&reader); /* Watches: the Parser lets none through. */
        commands = gd_reader_le32(&reader);
        gd_reply_array(&reply, commands);
    } else if (kind != GD_BODY_COMMAND) {
        return refuse(runner, "the request's body cannot be read");
    }
    for (uint32_t i = 0; i < commands; i++) {
        enum gd_sql_result result = run_next(runner, &reader, mode);
        if (result != GD_SQL_FINE) {
            return result;
        }
        if (runner->reply.size > GD_SQL_REPLY_SIZE_MAX) {
            return refuse(runner, "the replies are more than one reply can hold; use LIMIT");
        }
    }
    return GD_SQL_FINE;
}

/* ---------------------------------------------------------------- the commands */

/* A row's `run` only says that it may stand inside MULTI. UNTESTED: nobody calls it. */
static void run_elsewhere(struct gd_command_context *context)
{
    (void)context;
}

const struct gd_command *gd_sql_find(void *context, const struct gd_slice *args, size_t count,
                                     const char **refusal)
{
    static const struct gd_command rows[] = {
        {"sql.exec", run_elsewhere, -2, GD_COMMAND_WRITE, "denyoom", 0, 0, 0},
        {"sql.query", run_elsewhere, -2, GD_COMMAND_READ, "", 0, 0, 0},
    };
    const struct gd_command *own = gd_command_find(args[0]);

    (void)context;
    (void)count;
    *refusal = NULL;
    for (size_t i = 0; i < GD_COUNT(rows); i++) {
        if (gd_slice_is(args[0], rows[i].name)) {
            return &rows[i];
        }
    }
    if (own != NULL && (own->kind == GD_COMMAND_READ || own->kind == GD_COMMAND_WRITE)) {
        *refusal = "ERR the database behind this node is SQLite: SQL.EXEC and SQL.QUERY reach it";
    }
    return own;
}
