/* SQLite behind the node (L1-L5, Q1-Q3): entries exactly once over a kill, equal databases from
 * equal entries, snapshots while writes go on, what is refused, a foreign hand noticed. */
#include "engine/memory.h"
#include "kvs/sql_tracker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A world of timers alone: those that were started fire in their order. */
struct world {
    struct gd_io io;
    struct gd_timer *timers[8];
    size_t count;
    char log[512];
};

static gd_time_ns world_now(struct gd_io *io)
{
    (void)io;
    return 0;
}
static void world_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline)
{
    struct world *world = (struct world *)(void *)io;

    timer->deadline = deadline;
    timer->place = 1;
    world->timers[world->count++] = timer;
}
static void world_stop(struct gd_io *io, struct gd_timer *timer)
{
    struct world *world = (struct world *)(void *)io;

    for (size_t i = 0; i < world->count; i++) {
        if (world->timers[i] == timer) {
            world->timers[i] = world->timers[--world->count];
        }
    }
    timer->place = 0;
}
static void world_log(struct gd_io *io, enum gd_log_level level, const char *line)
{
    (void)level;
    (void)snprintf(((struct world *)(void *)io)->log, 512, "%s", line);
}
static const struct gd_io_vtable world_vtable = {
    .now = world_now, .timer_start = world_start, .timer_stop = world_stop, .log = world_log};

static void world_run(struct world *world)
{
    while (world->count > 0) {
        struct gd_timer *timer = world->timers[0];
        world_stop(&world->io, timer);
        timer->fire(timer);
    }
}

struct outcome {
    int times;
    enum gd_err err;
    size_t size;
};
static void on_done(void *context, enum gd_err err)
{
    struct outcome *outcome = context;

    outcome->times++;
    outcome->err = err;
}
static void on_read(void *context, enum gd_err err, size_t size)
{
    on_done(context, err);
    ((struct outcome *)context)->size = size;
}

struct fixture {
    struct world world;
    struct gd_sql_tracker sql;
    struct gd_tracker *tracker;
    gd_index index;
    int64_t stamp_ms;
    struct gd_bytes reply, body;
};

static char directory[] = "/tmp/gandalf-sql-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static enum gd_err try_open(struct fixture *f)
{
    struct outcome opened = {0};

    f->tracker->v->open(f->tracker, on_done, &opened);
    world_run(&f->world);
    assert_int_equal(opened.times, 1);
    f->index = f->tracker->v->applied(f->tracker);
    return opened.err;
}

static void init(struct fixture *f, const char *name)
{
    struct gd_sql_options options = {.file = path_of(name), .steps_max = 2000000};

    *f = (struct fixture){.world = {.io = {.v = &world_vtable}}, .stamp_ms = 1700000000000};
    options.io = &f->world.io;
    gd_sql_tracker_init(&f->sql, &options);
    f->tracker = &f->sql.tracker;
}

static void setup(struct fixture *f, const char *name)
{
    init(f, name);
    assert_int_equal(try_open(f), GD_OK);
    assert_int_equal(f->tracker->v->identify(f->tracker, 7, 1), GD_OK);
}

static void teardown(struct fixture *f)
{
    struct outcome closed = {0};

    f->tracker->v->close(f->tracker, on_done, &closed);
    world_run(&f->world);
    assert_int_equal(closed.times, 1);
    gd_bytes_release(&f->reply);
    gd_bytes_release(&f->body);
}

/* "word|word|..." behind a body. */
static void add_words(struct gd_bytes *body, const char *words)
{
    struct gd_slice args[16];
    size_t count = 0;

    for (;;) {
        size_t size = strcspn(words, "|");
        args[count++] = (struct gd_slice){(const uint8_t *)words, size};
        if (words[size] == '\0') {
            break;
        }
        words += size + 1;
    }
    gd_body_add_args(body, args, count);
}

static struct gd_slice body_of(struct fixture *f, const char *words)
{
    gd_bytes_clear(&f->body);
    gd_body_begin(&f->body, GD_BODY_COMMAND, 2);
    add_words(&f->body, words);
    return gd_bytes_slice(&f->body);
}

static struct gd_slice transaction_of(struct fixture *f, const char *const *commands, size_t count)
{
    gd_bytes_clear(&f->body);
    gd_body_begin(&f->body, GD_BODY_TRANSACTION, 2);
    gd_bytes_add_le32(&f->body, 0);
    gd_bytes_add_le32(&f->body, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        add_words(&f->body, commands[i]);
    }
    return gd_bytes_slice(&f->body);
}

static enum gd_err apply_body(struct fixture *f, struct gd_slice body)
{
    struct outcome outcome = {0};
    struct gd_apply entry = {
        .position = {1, f->index + 1}, .stamp_ms = f->stamp_ms++, .body = body, .reply = &f->reply};

    gd_bytes_clear(&f->reply);
    f->tracker->v->apply(f->tracker, &entry, 1, on_done, &outcome);
    assert_int_equal(outcome.times, 0);
    world_run(&f->world);
    assert_int_equal(outcome.times, 1);
    f->index = f->tracker->v->applied(f->tracker);
    gd_bytes_add_u8(&f->reply, 0);
    return outcome.err;
}

static const char *apply(struct fixture *f, const char *words)
{
    gd_index before = f->index;

    assert_int_equal(apply_body(f, body_of(f, words)), GD_OK);
    assert_int_equal(f->index, before + 1);
    return (const char *)f->reply.data;
}

static enum gd_err query_body(struct fixture *f, struct gd_slice body)
{
    struct outcome outcome = {0};
    struct gd_query query = {.body = body, .wall_ms = 5, .reply = &f->reply};

    gd_bytes_clear(&f->reply);
    f->tracker->v->query(f->tracker, &query, 1, on_done, &outcome);
    world_run(&f->world);
    assert_int_equal(outcome.times, 1);
    gd_bytes_add_u8(&f->reply, 0);
    return outcome.err;
}

static const char *query(struct fixture *f, const char *words)
{
    assert_int_equal(query_body(f, body_of(f, words)), GD_OK);
    return (const char *)f->reply.data;
}

static void take_snapshot_with(struct fixture *f, struct gd_bytes *stream, const char *meanwhile)
{
    struct outcome outcome = {0};

    f->tracker->v->snapshot_begin(f->tracker, on_done, &outcome);
    world_run(&f->world);
    assert_int_equal(outcome.err, GD_OK);
    do {
        uint8_t *to = gd_bytes_reserve(stream, 65536);
        outcome = (struct outcome){0};
        f->tracker->v->snapshot_read(f->tracker, to, 65536, on_read, &outcome);
        world_run(&f->world);
        assert_int_equal(outcome.times, 1);
        assert_int_equal(outcome.err, GD_OK);
        stream->size += outcome.size;
        if (meanwhile != NULL) {
            (void)apply(f, meanwhile);
        }
    } while (outcome.size > 0);
    f->tracker->v->snapshot_end(f->tracker);
}

static enum gd_err restore_from(struct fixture *f, struct gd_slice stream, size_t piece,
                                gd_index index)
{
    struct outcome outcome = {0};
    enum gd_err err = GD_OK;

    f->tracker->v->restore_begin(f->tracker, on_done, &outcome);
    world_run(&f->world);
    assert_int_equal(outcome.err, GD_OK);
    for (size_t at = 0; at < stream.size && err == GD_OK; at += piece) {
        struct gd_slice bytes = {stream.data + at,
                                 stream.size - at < piece ? stream.size - at : piece};
        f->tracker->v->restore_write(f->tracker, bytes, on_done, &outcome);
        world_run(&f->world);
        err = outcome.err;
    }
    f->tracker->v->restore_end(f->tracker, err == GD_OK, index, 99, on_done, &outcome);
    world_run(&f->world);
    f->index = f->tracker->v->applied(f->tracker);
    return err != GD_OK ? err : outcome.err;
}

static uint64_t digest(const struct fixture *f)
{
    return f->tracker->v->digest(f->tracker);
}

/* ---------------------------------------------------------------- statements */

static void test_sql_replies(void **state)
{
    static const struct {
        const char *name, *words, *want;
    } cases[] = {
        {"table", "SQL.EXEC|CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE, n INT)", ":0\r\n"},
        {"insert", "sql.exec|INSERT INTO t(v, n) VALUES(?, ?)|a|1", ":1\r\n"},
        {"two statements", "SQL.EXEC|INSERT INTO t(v) VALUES(?); INSERT INTO t(v) VALUES(?)|b|c",
         ":2\r\n"},
        {"returning", "SQL.EXEC|INSERT INTO t(v) VALUES('d') RETURNING id, v",
         "*2\r\n*2\r\n$2\r\nid\r\n$1\r\nv\r\n*2\r\n:4\r\n$1\r\nd\r\n"},
        {"constraint", "SQL.EXEC|INSERT INTO t(v) VALUES('z'); INSERT INTO t(v) VALUES('a')",
         "-ERR UNIQUE constraint failed: t.v\r\n"},
        {"nothing of it", "SQL.EXEC|SELECT count(*) AS c FROM t",
         "*2\r\n*1\r\n$1\r\nc\r\n*1\r\n:4\r\n"},
        {"syntax", "SQL.EXEC|SELEC 1", "-ERR near \"SELEC\": syntax error\r\n"},
        {"few values", "SQL.EXEC|DELETE FROM t WHERE id = ?",
         "-ERR there are fewer values than parameters in the statement\r\n"},
        {"many values", "SQL.EXEC|DELETE FROM t|1",
         "-ERR there are more values than parameters in the statement\r\n"},
        {"affinity", "SQL.EXEC|DELETE FROM t WHERE n = ?|1", ":1\r\n"},
        {"blank", "SQL.EXEC| -- nothing", ":0\r\n"},
        {"end of all", "SQL.EXEC|INSERT OR ROLLBACK INTO t(v) VALUES('y'), ('b')",
         "-ERR UNIQUE constraint failed: t.v\r\n"},
        {"kinds", "SQL.EXEC|SELECT NULL AS a, 1.5 AS b, x'00ff' AS c",
         "*2\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n*3\r\n$-1\r\n$3\r\n1.5\r\n$2\r\n"},
        {"left", "SQL.EXEC|SELECT group_concat(v, '') AS g FROM (SELECT v FROM t ORDER BY id)",
         "*2\r\n*1\r\n$1\r\ng\r\n*1\r\n$3\r\nbcd\r\n"},
        {"deferred",
         "SQL.EXEC|CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE q(p REFERENCES "
         "p(id) DEFERRABLE INITIALLY DEFERRED)",
         ":0\r\n"},
        {"at the commit", "SQL.EXEC|INSERT INTO q VALUES(5)",
         "-ERR FOREIGN KEY constraint failed\r\n"},
        {"not kept", "SQL.EXEC|SELECT count(*) AS c FROM q", "*2\r\n*1\r\n$1\r\nc\r\n*1\r\n:0\r\n"},
    };
    struct fixture f;

    (void)state;
    setup(&f, "replies");
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        const char *reply = apply(&f, cases[i].words);
        if (strcmp(reply, cases[i].want) != 0) {
            print_error("%s: %s\n", cases[i].name, reply);
        }
        assert_string_equal(reply, cases[i].want);
    }
    teardown(&f);
}

/* Q2, Q3: what is not let through, in an entry and in a query. */
static const struct {
    const char *statement;
    bool in_query_alone; /* Fine in an entry. */
} refused[] = {
    {"PRAGMA journal_mode=DELETE", false},
    {"PRAGMA case_sensitive_like=1", false},
    {"BEGIN", false},
    {"COMMIT", false},
    {"SAVEPOINT s", false},
    {"ATTACH 'x' AS y", false},
    {"VACUUM", false},
    {"ANALYZE", false},
    {"CREATE TEMP TABLE x(y)", false},
    {"CREATE VIRTUAL TABLE x USING fts5(y)", false},
    {"SELECT load_extension('x')", false},
    {"SELECT * FROM gandalf_state", false},
    {"SELECT count(*) FROM dbstat", false},
    {"SELECT d.pgoffset FROM main.DBSTAT AS d", false},
    {"SELECT sql FROM sqlite_stmt", false},
    {"INSERT INTO t(id) SELECT count(*) FROM sqlite_stmt", false},
    {"CREATE TABLE bytecode(x)", false},
    {"UPDATE gandalf_state SET applied = 0", false},
    {"DROP TABLE gandalf_state", false},
    {"CREATE TRIGGER x AFTER UPDATE ON gandalf_state BEGIN SELECT 1; END", false},
    {"ALTER TABLE t RENAME TO gandalf_state", false},
    {"INSERT INTO sqlite_sequence VALUES('t', 9)", false},
    {"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT count(*) FROM c", false},
    {"UPDATE sqlite_master SET sql = ''", false},
    {"INSERT INTO t(id) VALUES(1)", true},
    {"DELETE FROM t", true},
    {"CREATE TABLE u(x)", true},
    {"PRAGMA user_version=3", true},
};

static void test_sql_refused(void **state)
{
    struct fixture f;
    const char *reply;
    uint64_t before;

    (void)state;
    setup(&f, "refused");
    (void)apply(&f, "SQL.EXEC|CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT)");
    before = digest(&f);
    for (size_t i = 0; i < GD_COUNT(refused); i++) {
        char words[256];
        (void)snprintf(words, sizeof words, "SQL.QUERY|%s", refused[i].statement);
        if (strncmp(query(&f, words), "-ERR ", 5) != 0) {
            print_error("query %s: %s", refused[i].statement, (char *)f.reply.data);
            assert_true(false);
        }
        assert_true(digest(&f) == before);
        (void)snprintf(words, sizeof words, "SQL.EXEC|%s", refused[i].statement);
        if (!refused[i].in_query_alone && strncmp(apply(&f, words), "-ERR ", 5) != 0) {
            print_error("%s: %s", refused[i].statement, (char *)f.reply.data);
            assert_true(false);
        }
        assert_true(digest(&f) == before);
    }
    assert_non_null(strstr(apply(&f, "SQL.EXEC|SELECT changes()"), "another value on each node"));
    assert_non_null(strstr(query(&f, "SQL.QUERY|SELECT * FROM dbstat"), "other rows on each node"));
    assert_non_null(
        strstr(query(&f, "SQL.QUERY|SELECT count(*) FROM json_each('[1,2]')"), ":2\r\n"));
    assert_non_null(
        strstr(query(&f, "SQL.QUERY|SELECT name FROM pragma_table_info('t')"), "\r\nid\r\n"));
    reply = apply(&f, "SQL.EXEC|SELECT fts5_source_id()");
    assert_true(strstr(reply, "another value on each node") != NULL ||
                strstr(reply, "no such function") != NULL);
    assert_non_null(strstr(apply(&f, "SQL.EXEC|INSERT INTO t VALUES(9223372036854775807)"),
                           "rowid 9223372036854775807"));
    (void)apply(&f, "SQL.EXEC|CREATE VIEW w AS SELECT applied FROM gandalf_state");
    assert_non_null(strstr(query(&f, "SQL.QUERY|SELECT * FROM w"), "gandalf's own"));
    assert_string_equal(apply(&f, "SQL.EXEC|DROP VIEW w"), ":0\r\n");
    assert_string_equal(query(&f, "SQL.QUERY|PRAGMA user_version"),
                        "*2\r\n*1\r\n$12\r\nuser_version\r\n*1\r\n:0\r\n");
    assert_string_equal(apply(&f, "SQL.EXEC|ALTER TABLE t ADD COLUMN c NOT NULL DEFAULT 1"),
                        ":0\r\n");
    assert_string_equal(apply(&f, "SQL.EXEC|ALTER TABLE t RENAME COLUMN c TO d"), ":0\r\n");
    assert_string_equal(apply(&f, "SQL.EXEC|ALTER TABLE t DROP COLUMN d"), ":0\r\n");
    assert_string_equal(apply(&f, "SQL.EXEC|ALTER TABLE t RENAME TO u"), ":0\r\n");
    assert_string_equal(apply(&f, "SQL.EXEC|REINDEX; DROP TABLE u"), ":0\r\n");
    teardown(&f);
}

/* Q1: time and chance come out of the entry. */
static void test_sql_same_on_every_node(void **state)
{
    struct fixture a, b;
    static const char *const words[] = {
        "SQL.EXEC|CREATE TABLE t(id INTEGER PRIMARY KEY, r DEFAULT (random()), b DEFAULT "
        "(hex(randomblob(8))), at DEFAULT CURRENT_TIMESTAMP, j DEFAULT (julianday('now')))",
        "SQL.EXEC|CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET b = random() WHERE id "
        "= new.id; END",
        "SQL.EXEC|INSERT INTO t(id) VALUES(NULL)",
        "SQL.EXEC|INSERT INTO t(id) SELECT NULL FROM t UNION ALL SELECT NULL",
        "SQL.EXEC|INSERT INTO t(id, r) VALUES(NULL, last_insert_rowid()), (NULL, datetime())",
        "SQL.EXEC|DELETE FROM t WHERE id = (SELECT id FROM t ORDER BY random() LIMIT 1)",
    };

    (void)state;
    setup(&a, "one");
    setup(&b, "two");
    for (size_t i = 0; i < GD_COUNT(words); i++) {
        assert_int_equal(apply(&a, words[i])[0], ':');
        if (i % 2 == 0) { /* What the one's connection remembers the other's does not. */
            assert_int_equal(try_open(&b), GD_OK);
        }
        (void)query(&b, "SQL.QUERY|SELECT random()");
        assert_int_equal(apply(&b, words[i])[0], ':');
        assert_true(digest(&a) != 0 && digest(&a) == digest(&b));
    }
    assert_non_null(strstr(query(&a, "SQL.QUERY|SELECT at FROM t"), "2023-11-14 22:13:20"));
    assert_string_equal(query(&a, "SQL.QUERY|SELECT count(DISTINCT r) > 2 AS x FROM t"),
                        "*2\r\n*1\r\n$1\r\nx\r\n*1\r\n:1\r\n");
    teardown(&a);
    teardown(&b);
}

static void test_sql_transaction(void **state)
{
    static const char *const good[] = {"SQL.EXEC|INSERT INTO t VALUES(1, ?)|x",
                                       "SQL.QUERY|SELECT v FROM t",
                                       "SQL.EXEC|UPDATE t SET v = 'y'"};
    static const char *const bad[] = {"SQL.EXEC|INSERT INTO t VALUES(2, 'z')",
                                      "SQL.EXEC|INSERT INTO t VALUES(1, 'z')"};
    static const char *const strange[] = {"SQL.EXEC|DELETE FROM t", "PING"};
    struct fixture f;

    (void)state;
    setup(&f, "transaction");
    (void)apply(&f, "SQL.EXEC|CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    assert_int_equal(apply_body(&f, transaction_of(&f, good, 3)), GD_OK);
    assert_string_equal((char *)f.reply.data,
                        "*3\r\n:1\r\n*2\r\n*1\r\n$1\r\nv\r\n*1\r\n$1\r\nx\r\n:1\r\n");
    assert_int_equal(apply_body(&f, transaction_of(&f, bad, 2)), GD_OK);
    assert_string_equal((char *)f.reply.data, "-ERR UNIQUE constraint failed: t.id\r\n");
    assert_int_equal(apply_body(&f, transaction_of(&f, strange, 2)), GD_OK);
    assert_int_equal(f.reply.data[0], '-');
    assert_int_equal(query_body(&f, transaction_of(&f, good + 1, 1)), GD_OK);
    assert_string_equal((char *)f.reply.data, "*1\r\n*2\r\n*1\r\n$1\r\nv\r\n*1\r\n$1\r\ny\r\n");
    assert_int_equal(f.index, 4);
    teardown(&f);
}

/* ---------------------------------------------------------------- exactly once */

/* L1: a process that is gone in the middle of anything leaves index and rows that agree. */
static void test_sql_killed(void **state)
{
    struct fixture f;
    gd_index held = 0;

    (void)state;
    setup(&f, "killed");
    (void)apply(&f, "SQL.EXEC|CREATE TABLE t(n INTEGER)");
    teardown(&f);
    for (int round = 0; round < 20; round++) {
        pid_t child = fork();
        int status;
        char want[64];
        assert_true(child >= 0);
        if (child == 0) { /* Gone without a word, after some entries. */
            setup(&f, "killed");
            for (int i = 0; i <= round % 5; i++) {
                (void)apply(&f, "SQL.EXEC|INSERT INTO t VALUES(1)");
            }
            if (round % 2 == 0) { /* In the middle of a transaction. */
                (void)sqlite3_exec(f.sql.db, "BEGIN IMMEDIATE; INSERT INTO t VALUES(9)", NULL, NULL,
                                   NULL);
            }
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        setup(&f, "killed");
        assert_int_equal(f.index, (held == 0 ? 1 : held) + 1 + (gd_index)(round % 5));
        held = f.index;
        (void)snprintf(want, sizeof want, "*2\r\n*1\r\n$1\r\ns\r\n*1\r\n:%llu\r\n",
                       (unsigned long long)held - 1);
        assert_string_equal(query(&f, "SQL.QUERY|SELECT sum(n) AS s FROM t"), want);
        teardown(&f);
    }
}

/* Entries that carry nothing, and a batch that is cut into pieces. */
static void test_sql_batches(void **state)
{
    enum { COUNT = 500 };
    struct fixture f;
    struct gd_apply *batch = calloc(COUNT, sizeof *batch);
    struct outcome outcome = {0};

    (void)state;
    setup(&f, "batches");
    (void)apply(&f, "SQL.EXEC|CREATE TABLE t(n INTEGER)");
    (void)body_of(&f, "SQL.EXEC|INSERT INTO t VALUES(1)");
    for (size_t i = 0; i < COUNT; i++) {
        batch[i] = (struct gd_apply){.position = {1, i + 2}, .stamp_ms = f.stamp_ms};
        if (i % 3 == 0) {
            batch[i].body = gd_bytes_slice(&f.body);
        }
    }
    f.tracker->v->apply(f.tracker, batch, COUNT, on_done, &outcome);
    world_run(&f.world);
    assert_int_equal(outcome.err, GD_OK);
    assert_int_equal(f.tracker->v->applied(f.tracker), COUNT + 1);
    assert_int_equal(try_open(&f), GD_OK);
    assert_int_equal(f.index, COUNT + 1);
    assert_string_equal(query(&f, "SQL.QUERY|SELECT count(*) AS c FROM t"),
                        "*2\r\n*1\r\n$1\r\nc\r\n*1\r\n:167\r\n");
    free(batch);
    teardown(&f);
}

/* ---------------------------------------------------------------- snapshots */

static void test_sql_snapshot(void **state)
{
    struct fixture a, b;
    struct gd_bytes stream = {0};
    gd_index index;
    uint64_t frozen;

    (void)state;
    setup(&a, "snapshot-a");
    (void)apply(&a, "SQL.EXEC|CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE INDEX i ON t(v); "
                    "CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID");
    (void)apply(&a, "SQL.EXEC|WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE "
                    "x < 20000) INSERT INTO t SELECT x, hex(randomblob(50)) FROM c");
    (void)apply(&a, "SQL.EXEC|INSERT INTO w SELECT id, v FROM t WHERE id < 100");
    index = a.index;
    frozen = digest(&a);
    take_snapshot_with(&a, &stream, "SQL.EXEC|UPDATE t SET v = 'x' WHERE id % 100 = 1");
    assert_true(stream.size > 2000000);
    assert_true(a.index > index && digest(&a) != frozen);

    init(&b, "snapshot-b");
    assert_int_equal(try_open(&b), GD_OK);
    assert_int_equal(b.tracker->v->identify(b.tracker, 7, 2), GD_OK);
    (void)apply(&b, "SQL.EXEC|CREATE TABLE other(x)");
    for (size_t cut = 0; cut < 3; cut++) { /* Not whole, damaged, not ours: all is as before. */
        struct gd_slice part = gd_bytes_slice(&stream);
        uint64_t before = digest(&b);
        size_t place = cut == 0 ? 3 : stream.size / 2;
        part.size -= cut == 1 ? 5 : 0;
        stream.data[place] ^= cut == 1 ? 0 : 1;
        assert_int_equal(restore_from(&b, part, 1 << 20, index), GD_ERR_CORRUPT);
        stream.data[place] ^= cut == 1 ? 0 : 1;
        assert_true(digest(&b) == before);
        assert_int_equal(b.index, 1);
    }
    assert_int_equal(restore_from(&b, gd_bytes_slice(&stream), 4001, index), GD_OK);
    assert_int_equal(b.index, index);
    assert_true(digest(&b) == frozen);
    assert_int_equal(try_open(&b), GD_OK);
    assert_int_equal(b.index, index);
    assert_true(digest(&b) == frozen);
    assert_int_equal(b.tracker->v->identify(b.tracker, 7, 2), GD_OK);
    (void)apply(&b, "SQL.EXEC|INSERT INTO t(v) VALUES(1)");
    assert_int_equal(b.index, index + 1);
    teardown(&a);
    teardown(&b);
    gd_bytes_release(&stream);
}

/* ---------------------------------------------------------------- other hands */

/* L2: somebody else has written: nothing more is answered, and what is there is to be rebuilt. */
static void test_sql_foreign_hand(void **state)
{
    struct fixture f;
    sqlite3 *other = NULL;
    struct outcome frozen = {0};

    (void)state;
    setup(&f, "foreign");
    (void)apply(&f, "SQL.EXEC|CREATE TABLE t(n INTEGER)");
    assert_int_equal(sqlite3_open(path_of("foreign"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "SELECT * FROM t", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(query(&f, "SQL.QUERY|SELECT * FROM t")[0], '*');
    assert_int_equal(apply(&f, "SQL.EXEC|INSERT INTO t VALUES(1)")[0], ':');
    assert_int_equal(sqlite3_exec(other, "INSERT INTO t VALUES(2)", NULL, NULL, NULL), SQLITE_OK);
    f.tracker->v->snapshot_begin(f.tracker, on_done, &frozen); /* Not of what that wrote. */
    world_run(&f.world);
    assert_int_equal(frozen.err, GD_ERR_BUSY);
    assert_int_equal(query_body(&f, body_of(&f, "SQL.QUERY|SELECT * FROM t")), GD_ERR_IO);
    assert_non_null(strstr(f.world.log, "another program has written"));
    assert_int_equal(try_open(&f), GD_OK);
    assert_int_equal(f.index, 0);
    assert_non_null(strstr(query(&f, "SQL.QUERY|SELECT * FROM t"), "no such table"));
    (void)apply(&f, "SQL.EXEC|CREATE TABLE t(n INTEGER)");
    assert_int_equal(sqlite3_exec(other, "INSERT INTO t VALUES(2)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(apply_body(&f, body_of(&f, "SQL.EXEC|DELETE FROM t")), GD_ERR_IO);
    assert_int_equal(try_open(&f), GD_OK);
    assert_int_equal(f.index, 0);
    (void)sqlite3_close(other);
    (void)unlink(path_of("foreign"));
    assert_int_equal(apply_body(&f, (struct gd_slice){0}), GD_ERR_IO);
    assert_int_equal(try_open(&f), GD_OK);
    teardown(&f);
}

/* L3: what is another's is left as it is. */
static void test_sql_not_ours(void **state)
{
    struct fixture f;
    sqlite3 *other = NULL;
    FILE *file;

    (void)state;
    assert_int_equal(sqlite3_open(path_of("tables"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "CREATE TABLE precious(x)", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(other);
    init(&f, "tables");
    assert_int_equal(try_open(&f), GD_ERR_INVALID);
    assert_non_null(strstr(f.world.log, "no gandalf_state"));
    teardown(&f);

    file = fopen(path_of("text"), "w");
    for (int i = 0; i < 1000; i++) {
        (void)fputs("no database ", file);
    }
    (void)fclose(file);
    init(&f, "text");
    assert_int_equal(try_open(&f), GD_ERR_INVALID);
    teardown(&f);

    setup(&f, "mine");
    (void)apply(&f, "SQL.EXEC|CREATE TABLE t(n INTEGER)");
    teardown(&f);
    init(&f, "mine");
    assert_int_equal(try_open(&f), GD_OK);
    assert_int_equal(f.tracker->v->identify(f.tracker, 7, 2), GD_ERR_INVALID);
    assert_non_null(strstr(f.world.log, "belongs to another node"));
    teardown(&f);
}

static void test_sql_commands(void **state)
{
    static const struct {
        const char *name;
        bool known, refused;
    } cases[] = {{"sql.EXEC", true, false}, {"SQL.QUERY", true, false}, {"PING", true, false},
                 {"RAFT", true, false},     {"SET", true, true},        {"WATCH", true, true},
                 {"NOSUCH", false, false}};

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_slice arg = {(const uint8_t *)cases[i].name, strlen(cases[i].name)};
        const char *refusal = "";
        const struct gd_command *row = gd_sql_find(NULL, &arg, 1, &refusal);
        assert_int_equal(row != NULL, cases[i].known);
        assert_int_equal(refusal != NULL, cases[i].refused);
    }
}

static int clean(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}

static int begin(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sql_replies),
        cmocka_unit_test(test_sql_refused),
        cmocka_unit_test(test_sql_same_on_every_node),
        cmocka_unit_test(test_sql_transaction),
        cmocka_unit_test(test_sql_killed),
        cmocka_unit_test(test_sql_batches),
        cmocka_unit_test(test_sql_snapshot),
        cmocka_unit_test(test_sql_foreign_hand),
        cmocka_unit_test(test_sql_not_ours),
        cmocka_unit_test(test_sql_commands),
    };
    return cmocka_run_group_tests(tests, begin, clean);
}
