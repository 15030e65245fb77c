/* fuzz_sql.c - a client's SQL in front of the runner that makes it the same on every node.
 *
 * The input is text: statements, one request to a line, written to two databases at once; a line
 * that begins with '?' is a query. Behind a tab come the values of its parameters. One of the two
 * is closed and opened again as the first byte says, as a node is that starts anew.
 *
 * Holds: the same entry does and answers the same on both, whatever their connections have seen
 * (Q1); no statement sees or changes gandalf_state, or leaves a transaction (Q2); a query changes
 * nothing (Q3); a refusal has its reason, and one reply is one whole reply. */
#include "engine/memory.h"
#include "kvs/resp_reply.h"
#include "kvs/sql_tracker.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REQUESTS_MAX = 24, ARGS_MAX = 8, STEPS_MAX = 20000 };
#define NOW_MS INT64_C(1700000000000)

struct node {
    struct gd_sql_vfs vfs;
    struct gd_sql_runner runner;
    sqlite3 *db;
    struct gd_bytes image; /* What it has on its disk while it is closed. */
};

static bool own(struct node *node, const char *text)
{
    node->runner.mode = GD_SQL_OWN;
    return sqlite3_exec(node->db, text, NULL, NULL, NULL) == SQLITE_OK;
}

static void node_open(struct node *node)
{
    node->runner = (struct gd_sql_runner){.steps_max = STEPS_MAX};
    GD_ASSERT(sqlite3_open_v2(":memory:", &node->db,
                              SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                              node->vfs.name) == SQLITE_OK);
    if (node->image.size > 0) {
        uint8_t *copy = sqlite3_malloc64(node->image.size);
        GD_ASSERT(copy != NULL);
        memcpy(copy, node->image.data, node->image.size);
        GD_ASSERT(sqlite3_deserialize(node->db, "main", copy, (sqlite3_int64)node->image.size,
                                      (sqlite3_int64)node->image.size,
                                      SQLITE_DESERIALIZE_FREEONCLOSE |
                                          SQLITE_DESERIALIZE_RESIZEABLE) == SQLITE_OK);
    }
    GD_ASSERT(gd_sql_runner_attach(&node->runner, node->db));
}

static void node_close(struct node *node)
{
    sqlite3_int64 size = 0;
    unsigned char *image = sqlite3_serialize(node->db, "main", &size, 0);

    gd_bytes_clear(&node->image);
    if (image != NULL) {
        gd_bytes_add(&node->image, image, (size_t)size);
    }
    sqlite3_free(image);
    GD_ASSERT(sqlite3_close(node->db) == SQLITE_OK);
    gd_sql_runner_release(&node->runner);
}

/* The applied index that the database holds, by gandalf's own hand. */
static int64_t state_of(struct node *node)
{
    sqlite3_stmt *statement = NULL;
    int64_t found = -1;

    node->runner.mode = GD_SQL_OWN;
    GD_ASSERT(sqlite3_prepare_v2(node->db, "SELECT sum(applied), count(*) FROM " GD_SQL_TABLE, -1,
                                 &statement, NULL) == SQLITE_OK);
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int(statement, 1) == 1) {
        found = sqlite3_column_int64(statement, 0);
    }
    (void)sqlite3_finalize(statement);
    return found;
}

static uint64_t digest_of(struct node *node)
{
    node->runner.mode = GD_SQL_OWN;
    return gd_sql_digest(node->db);
}

static void check_reply(const struct gd_bytes *reply)
{
    struct gd_resp_reply_reader reader = {0};
    size_t size = 0;

    GD_ASSERT(gd_resp_reply_read(&reader, gd_bytes_slice(reply), &size) == GD_RESP_REPLY_WHOLE);
    GD_ASSERT(size == reply->size);
}

/* One request in its transaction, as the tracker has it. */
static enum gd_sql_result run(struct node *node, enum gd_sql_mode mode, struct gd_slice body,
                              uint64_t index)
{
    enum gd_sql_result result;

    GD_ASSERT(own(node, mode == GD_SQL_QUERY ? "BEGIN" : "BEGIN IMMEDIATE"));
    node->vfs.now_ms = NOW_MS + (int64_t)index;
    result = gd_sql_run(&node->runner, mode, body, index);
    GD_ASSERT(node->runner.mode == GD_SQL_OWN);
    if (result == GD_SQL_FINE) {
        check_reply(&node->runner.reply);
        GD_ASSERT(sqlite3_get_autocommit(node->db) == 0); /* Q2 */
    } else {
        GD_ASSERT(node->runner.error.size > 1);
    }
    if (mode == GD_SQL_WRITE && result == GD_SQL_FINE) {
        char text[96];
        (void)snprintf(text, sizeof text, "UPDATE " GD_SQL_TABLE " SET applied = %llu",
                       (unsigned long long)index);
        GD_ASSERT(own(node, text));
        if (own(node, "COMMIT")) {
            return result;
        }
        result = GD_SQL_REFUSED; /* A deferred constraint: the tracker says so, not the runner. */
        gd_bytes_clear(&node->runner.error);
        gd_bytes_add_text(&node->runner.error, sqlite3_errmsg(node->db));
    }
    if (sqlite3_get_autocommit(node->db) == 0) {
        GD_ASSERT(own(node, "ROLLBACK"));
    }
    return result;
}

/* A line into a body: the statements, then the values. */
static enum gd_sql_mode body_of(struct gd_slice line, struct gd_bytes *body)
{
    struct gd_slice args[ARGS_MAX];
    bool query = line.size > 0 && line.data[0] == '?';
    size_t count = 1;

    args[0].data = (const uint8_t *)(query ? "SQL.QUERY" : "SQL.EXEC");
    args[0].size = query ? 9 : 8;
    line = query ? (struct gd_slice){line.data + 1, line.size - 1} : line;
    while (count < ARGS_MAX) {
        const uint8_t *tab = line.size == 0 ? NULL : memchr(line.data, '\t', line.size);
        size_t size = tab == NULL ? line.size : (size_t)(tab - line.data);
        args[count++] = (struct gd_slice){line.data, size};
        if (tab == NULL) {
            break;
        }
        line = (struct gd_slice){tab + 1, line.size - size - 1};
    }
    gd_bytes_clear(body);
    gd_body_begin(body, GD_BODY_COMMAND, 2);
    gd_body_add_args(body, args, count);
    return query ? GD_SQL_QUERY : GD_SQL_WRITE;
}

static void entry(struct node *a, struct node *b, struct gd_slice body, uint64_t index)
{
    int64_t before = state_of(a);
    enum gd_sql_result first = run(a, GD_SQL_WRITE, body, index);
    enum gd_sql_result second = run(b, GD_SQL_WRITE, body, index);
    const struct gd_bytes *x = first == GD_SQL_FINE ? &a->runner.reply : &a->runner.error;
    const struct gd_bytes *y = first == GD_SQL_FINE ? &b->runner.reply : &b->runner.error;

    GD_ASSERT(first == second);
    GD_ASSERT(x->size == y->size && (x->size == 0 || memcmp(x->data, y->data, x->size) == 0));
    GD_ASSERT(state_of(a) == (first == GD_SQL_FINE ? (int64_t)index : before));
    GD_ASSERT(digest_of(a) == digest_of(b));
}

static void query(struct node *node, struct gd_slice body, uint64_t index)
{
    uint64_t before = digest_of(node);
    int64_t state = state_of(node);

    (void)run(node, GD_SQL_QUERY, body, index);
    GD_ASSERT(digest_of(node) == before && state_of(node) == state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct node nodes[2];
    struct gd_slice left = {data + 1, size - 1};
    struct gd_bytes body = {0};

    if (size < 2 || size > 4096) {
        return 0;
    }
    for (size_t i = 0; i < 2; i++) {
        nodes[i] = (struct node){0};
        gd_sql_vfs_init(&nodes[i].vfs, NULL);
        node_open(&nodes[i]);
        GD_ASSERT(own(&nodes[i], "CREATE TABLE " GD_SQL_TABLE "(id INTEGER PRIMARY KEY, applied); "
                                 "INSERT INTO " GD_SQL_TABLE " VALUES(1, 0)"));
    }
    for (uint64_t index = 1; index <= REQUESTS_MAX && left.size > 0; index++) {
        const uint8_t *end = memchr(left.data, '\n', left.size);
        size_t line = end == NULL ? left.size : (size_t)(end - left.data);
        enum gd_sql_mode mode = body_of((struct gd_slice){left.data, line}, &body);
        if ((data[0] >> index % 8 & 1) != 0) {
            node_close(&nodes[1]);
            node_open(&nodes[1]);
        }
        if (mode == GD_SQL_WRITE) {
            entry(&nodes[0], &nodes[1], gd_bytes_slice(&body), index);
        } else {
            query(&nodes[index % 2], gd_bytes_slice(&body), index);
        }
        line += end == NULL ? 0 : 1;
        left = (struct gd_slice){left.data + line, left.size - line};
    }
    for (size_t i = 0; i < 2; i++) {
        node_close(&nodes[i]);
        gd_sql_vfs_release(&nodes[i].vfs);
        gd_bytes_release(&nodes[i].image);
    }
    gd_bytes_release(&body);
    return 0;
}
