/* sql_databases.c - SQLite behind the simulated nodes; see sql_databases.h.
 *
 * Clients, histories and their checker speak of keys and values. So the Tracker here stands in
 * front of the one under test (kvs/sql_tracker.c): it makes each command of the log a statement on
 * a table of keys and values, and SQLite's answer the reply that the embedded store would give.
 * What lies between log and rows is thereby checked for linearizability as everything else is. Each
 * row also holds when it was written and a random number: no client sees them, but all nodes must
 * have the same.
 *
 * SQLite's own memory is the program's, not the simulated process's; at a crash its connections
 * are closed while the disk takes no writes, which leaves what a kill would. */
#include "sim/sql_databases.h"
#include "engine/memory.h"
#include "kvs/resp_reply.h"
#include "kvs/sql_tracker.h"
#include "sim/sql_disk.h"
#include <stdio.h>
#include <stdlib.h>

#define FILE_NAME "db"

enum shape { SHAPE_OK, SHAPE_ZERO, SHAPE_NUMBER, SHAPE_CELL, SHAPE_ROW, SHAPE_ALL };
struct request {
    struct gd_bytes body, reply;
    enum shape *shapes; /* Owned: one a command. */
    size_t shape_count;
    bool multi;
};
struct row;
struct front {
    struct gd_tracker tracker; /* First. */
    struct row *row;           /* Borrowed. */
    struct gd_sql_tracker sql;
    struct gd_apply *entries; /* Owned copies, of the batch in hand. */
    struct gd_query *queries;
    struct request *requests;
    size_t count;
    struct gd_apply *entries_asked; /* Borrowed. */
    struct gd_query *queries_asked;
    gd_tracker_fn *done;
    void *context;
};
struct row {
    struct gd_world *world;
    unsigned id;
    struct gd_sim_sql_disk disk;
    struct front *front; /* In the process's heap; NULL: does not run. */
    bool touched;        /* Another program may have written, and nobody noticed yet. */
};
struct gd_sim_sql {
    const struct gd_sim_plan *plan; /* Borrowed. */
    struct row rows[GD_SIM_NODES_MAX + 1];
    struct gd_prng prng;
};

/* ---------------------------------------------------------------- commands into statements */

#define TABLE                                                                                      \
    "CREATE TABLE IF NOT EXISTS kv(k TEXT PRIMARY KEY, v TEXT, "                                   \
    "at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')), n INTEGER DEFAULT (random()));"
#define TIE                                                                                        \
    "CREATE TABLE IF NOT EXISTS tie(k TEXT PRIMARY KEY REFERENCES kv(k) ON DELETE CASCADE "        \
    "DEFERRABLE INITIALLY DEFERRED);"
#define NEW "INSERT INTO kv(k, v) VALUES(?, ?) "
#define OLD "SELECT (SELECT v FROM kv WHERE k = ?);"
#define ON_CONFLICT "ON CONFLICT(k) DO UPDATE SET at = excluded.at, n = excluded.n, "

/* `args`: which arguments of the command are bound, in order. */
static const struct {
    const char *name, *read, *text, *args;
    enum shape shape;
} statements[] = {
    {"get", "SELECT (SELECT v FROM kv WHERE k = ?)", OLD, "1", SHAPE_CELL},
    {"set", NULL, NEW ON_CONFLICT "v = excluded.v", "12", SHAPE_OK},
    {"del", NULL, "DELETE FROM kv WHERE k = ?", "1", SHAPE_NUMBER},
    {"setnx", NULL, "INSERT OR IGNORE INTO kv(k, v) VALUES(?, ?)", "12", SHAPE_NUMBER},
    {"flushall", NULL, "DELETE FROM kv", "", SHAPE_OK},
    {"flushdb", NULL, "DELETE FROM kv", "", SHAPE_OK},
    {"append", NULL, NEW ON_CONFLICT "v = v || excluded.v RETURNING length(v)", "12", SHAPE_CELL},
    {"getdel", NULL, OLD "DELETE FROM kv WHERE k = ?", "11", SHAPE_CELL},
    {"getset", NULL, OLD NEW ON_CONFLICT "v = excluded.v", "112", SHAPE_CELL},
    /* The key must be there when all is committed, or nothing is. */
    {"persist", NULL, TIE "INSERT OR REPLACE INTO tie(k) VALUES(?)", "1", SHAPE_ZERO},
    /* What is no number is answered with an error, by way of abs(). */
    {"incr", NULL,
     "INSERT INTO kv(k, v) VALUES(?, '1') " ON_CONFLICT
     "v = CASE WHEN v = CAST(CAST(v AS INTEGER) AS TEXT) THEN CAST(v AS INTEGER) + 1 ELSE "
     "abs(-9223372036854775807 - 1) END RETURNING CAST(v AS INTEGER)",
     "1", SHAPE_CELL},
};

static void add_arg(struct gd_bytes *body, struct gd_slice arg)
{
    gd_bytes_add_le32(body, (uint32_t)arg.size);
    gd_bytes_add(body, arg.data, arg.size);
}

static struct gd_slice text_of(const char *text)
{
    return (struct gd_slice){(const uint8_t *)text, strlen(text)};
}

/* MGET, MSET and MSETNX: as many as there are keys. Of the last the first key that is there already
 * violates a constraint, behind rows that are already written. */
static void translate_many(struct gd_bytes *body, const struct gd_slice *args, size_t count,
                           bool write)
{
    bool absent = gd_slice_is(args[0], "msetnx");
    bool set = gd_slice_is(args[0], "mset") || absent;
    struct gd_bytes text = {0};

    gd_bytes_add_text(&text, write ? TABLE : "");
    for (size_t i = 1; i < count; i += set ? 2 : 1) {
        gd_bytes_add_text(&text, absent   ? NEW ";"
                                 : set    ? NEW ON_CONFLICT "v = excluded.v;"
                                 : i == 1 ? "SELECT (SELECT v FROM kv WHERE k = ?)"
                                          : ", (SELECT v FROM kv WHERE k = ?)");
    }
    gd_bytes_add_le32(body, (uint32_t)(count + 1));
    add_arg(body, text_of(write ? "sql.exec" : "sql.query"));
    add_arg(body, gd_bytes_slice(&text));
    for (size_t i = 1; i < count; i++) {
        add_arg(body, args[i]);
    }
    gd_bytes_release(&text);
}

static enum shape translate(struct gd_bytes *body, const struct gd_slice *args, size_t count,
                            bool write)
{
    bool read = gd_slice_is(args[0], "mget"), absent = gd_slice_is(args[0], "msetnx");
    if (read || absent || gd_slice_is(args[0], "mset")) {
        translate_many(body, args, count, write);
        return read ? SHAPE_ROW : absent ? SHAPE_ALL : SHAPE_OK;
    }
    for (size_t i = 0; i < GD_COUNT(statements); i++) {
        struct gd_bytes text = {0};
        if (!gd_slice_is(args[0], statements[i].name)) {
            continue;
        }
        if (write) {
            gd_bytes_format(&text, "%s%s", TABLE, statements[i].text);
        } else {
            gd_bytes_add_text(&text, statements[i].read);
        }
        gd_bytes_add_le32(body, (uint32_t)(2 + strlen(statements[i].args)));
        add_arg(body, text_of(write ? "sql.exec" : "sql.query"));
        add_arg(body, gd_bytes_slice(&text));
        for (const char *arg = statements[i].args; *arg != '\0'; arg++) {
            size_t place = (size_t)(*arg - '0');
            add_arg(body, place < count ? args[place] : (struct gd_slice){0});
        }
        gd_bytes_release(&text);
        return statements[i].shape;
    }
    bool sent_by_simulated_clients = false;
    GD_ASSERT(sent_by_simulated_clients);
    return SHAPE_OK;
}

static void translate_body(struct request *request, struct gd_slice from, bool write)
{
    struct gd_reader reader = gd_reader_of(from);
    uint8_t kind = gd_reader_u8(&reader);
    uint32_t commands = 1;

    (void)gd_reader_u8(&reader);
    request->multi = kind == GD_BODY_TRANSACTION;
    gd_body_begin(&request->body, kind, 2);
    if (request->multi) {
        (void)gd_reader_le32(&reader);
        commands = gd_reader_le32(&reader);
        gd_bytes_add_le32(&request->body, 0);
        gd_bytes_add_le32(&request->body, commands);
    }
    request->shapes = gd_calloc(commands, sizeof request->shapes[0]);
    for (uint32_t i = 0; i < commands; i++) {
        struct gd_slice args[64];
        size_t count = gd_reader_le32(&reader);
        GD_ASSERT(count >= 1 && count <= GD_COUNT(args));
        for (size_t k = 0; k < count; k++) {
            args[k] = gd_reader_slice(&reader, gd_reader_le32(&reader));
        }
        GD_ASSERT(!reader.failed);
        request->shapes[request->shape_count++] = translate(&request->body, args, count, write);
    }
}

/* ---------------------------------------------------------------- answers into replies */

static void add_cell(struct gd_bytes *out, const struct gd_resp_item *item)
{
    if (item->kind == '_') {
        gd_bytes_add_text(out, "$-1\r\n");
    } else if (item->kind == ':') {
        gd_bytes_format(out, ":%.*s\r\n", (int)item->text.size, (const char *)item->text.data);
    } else {
        gd_bytes_format(out, "$%zu\r\n", item->text.size);
        gd_bytes_add(out, item->text.data, item->text.size);
        gd_bytes_add_text(out, "\r\n");
    }
}

static void add_answer(struct gd_bytes *out, enum shape shape, struct gd_slice *answer)
{
    struct gd_resp_item item = {0};
    size_t columns;

    GD_ASSERT(gd_resp_item_take(answer, &item));
    if (shape == SHAPE_OK || shape == SHAPE_ZERO || shape == SHAPE_NUMBER || shape == SHAPE_ALL) {
        GD_ASSERT(item.kind == ':');
        if (shape != SHAPE_NUMBER) {
            gd_bytes_add_text(out, shape == SHAPE_OK     ? "+OK\r\n"
                                   : shape == SHAPE_ZERO ? ":0\r\n"
                                                         : ":1\r\n");
        } else {
            add_cell(out, &item);
        }
        return;
    }
    GD_ASSERT(item.kind == '*' && item.count == 2); /* The names, and one row. */
    GD_ASSERT(gd_resp_item_take(answer, &item));
    columns = item.count;
    for (size_t i = 0; i <= columns; i++) { /* The row's head is the last. */
        GD_ASSERT(gd_resp_item_take(answer, &item));
    }
    if (shape == SHAPE_ROW) {
        gd_bytes_format(out, "*%zu\r\n", columns);
    }
    for (size_t i = 0; i < columns; i++) {
        GD_ASSERT(gd_resp_item_take(answer, &item));
        add_cell(out, &item);
    }
}

static bool begins(struct gd_slice answer, const char *with)
{
    size_t size = strlen(with);
    return answer.size >= size && memcmp(answer.data, with, size) == 0;
}

static void answer_request(const struct request *request, struct gd_bytes *out)
{
    struct gd_slice answer = gd_bytes_slice(&request->reply);
    struct gd_resp_item item;

    if (begins(answer, "-ERR no such table")) { /* Nobody has written yet. */
        if (request->multi) {
            gd_bytes_format(out, "*%zu\r\n", request->shape_count);
        }
        for (size_t i = 0; i < request->shape_count; i++) {
            GD_ASSERT(request->shapes[i] == SHAPE_CELL || !request->multi);
            gd_bytes_add_text(out, request->shapes[i] == SHAPE_ROW ? "" : "$-1\r\n");
        }
        if (request->shapes[0] == SHAPE_ROW) { /* MGET: a null a key. */
            struct gd_reader reader = gd_reader_of(gd_bytes_slice(&request->body));
            (void)gd_reader_le16(&reader);
            uint32_t keys = gd_reader_le32(&reader) - 2;
            gd_bytes_format(out, "*%u\r\n", keys);
            while (keys-- > 0) {
                gd_bytes_add_text(out, "$-1\r\n");
            }
        }
        return;
    }
    if (begins(answer, "-ERR integer overflow")) {
        gd_bytes_add_text(out, "-ERR value is not an integer or out of range\r\n");
        return;
    }
    if (request->shapes[0] == SHAPE_ALL && begins(answer, "-ERR UNIQUE constraint failed")) {
        GD_REACHED("simulated MSETNX of a key that is there");
        gd_bytes_add_text(out, ":0\r\n");
        return;
    }
    if (begins(answer, "-")) {
        gd_bytes_add(out, answer.data, answer.size);
        return;
    }
    if (request->multi) {
        GD_ASSERT(gd_resp_item_take(&answer, &item));
        gd_bytes_format(out, "*%zu\r\n", request->shape_count);
    }
    for (size_t i = 0; i < request->shape_count; i++) {
        add_answer(out, request->shapes[i], &answer);
    }
}

/* ---------------------------------------------------------------- another program */

/* What another program does to the file; true when it could. */
static bool by_hand(struct row *row, const char *text)
{
    struct gd_sql_vfs vfs;
    sqlite3 *db = NULL;
    bool done;

    row->disk.free = true;
    gd_sql_vfs_init(&vfs, &row->disk.vfs);
    done = sqlite3_open_v2(FILE_NAME, &db, SQLITE_OPEN_READWRITE, vfs.name) == SQLITE_OK &&
           sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK;
    (void)sqlite3_close(db);
    gd_sql_vfs_release(&vfs);
    row->disk.free = false;
    return done;
}

/* What another program wrote while nobody looks cannot be noticed: README.md says so, and whoever
 * did it removes the file. */
static void own_up(struct row *row)
{
    if (row->touched && !row->disk.fails && by_hand(row, "SELECT * FROM strange")) {
        gd_sim_sql_disk_empty(&row->disk);
    }
    row->touched = row->touched && row->disk.fails;
}

/* ---------------------------------------------------------------- the Tracker in front */

static struct front *front_of(struct gd_tracker *tracker)
{
    return (struct front *)(void *)tracker;
}

static struct gd_tracker *inner(struct gd_tracker *tracker)
{
    return &front_of(tracker)->sql.tracker;
}

static void batch_done(void *context, enum gd_err err)
{
    struct front *front = context;
    gd_tracker_fn *done = front->done;

    for (size_t i = 0; i < front->count; i++) {
        struct request *request = &front->requests[i];
        struct gd_bytes *to =
            front->entries != NULL ? front->entries_asked[i].reply : front->queries_asked[i].reply;
        /* Also where the batch has failed: what came before that is answered, as without this. */
        if (to != NULL && request->reply.size > 0) {
            answer_request(request, to);
        }
        if (front->queries != NULL) {
            front->queries_asked[i].result = GD_QUERY_ANSWERED;
        }
        gd_bytes_release(&request->body);
        gd_bytes_release(&request->reply);
        gd_free(request->shapes);
    }
    gd_free(front->requests);
    gd_free(front->entries);
    gd_free(front->queries);
    front->requests = NULL;
    front->entries = NULL;
    front->queries = NULL;
    front->count = 0;
    done(front->context, err);
}

static void front_apply(struct gd_tracker *tracker, struct gd_apply *batch, size_t count,
                        gd_tracker_fn *done, void *context)
{
    struct front *front = front_of(tracker);

    front->entries = gd_calloc(count, sizeof front->entries[0]);
    front->requests = gd_calloc(count, sizeof front->requests[0]);
    front->entries_asked = batch;
    front->count = count;
    front->done = done;
    front->context = context;
    for (size_t i = 0; i < count; i++) {
        front->entries[i] = batch[i];
        front->entries[i].reply = batch[i].reply != NULL ? &front->requests[i].reply : NULL;
        if (batch[i].body.size > 0) {
            translate_body(&front->requests[i], batch[i].body, true);
            front->entries[i].body = gd_bytes_slice(&front->requests[i].body);
        }
    }
    inner(tracker)->v->apply(inner(tracker), front->entries, count, batch_done, front);
}

static void front_query(struct gd_tracker *tracker, struct gd_query *batch, size_t count,
                        gd_tracker_fn *done, void *context)
{
    struct front *front = front_of(tracker);

    front->queries = gd_calloc(count, sizeof front->queries[0]);
    front->requests = gd_calloc(count, sizeof front->requests[0]);
    front->queries_asked = batch;
    front->count = count;
    front->done = done;
    front->context = context;
    for (size_t i = 0; i < count; i++) {
        front->queries[i] = batch[i];
        front->queries[i].reply = &front->requests[i].reply;
        translate_body(&front->requests[i], batch[i].body, false);
        front->queries[i].body = gd_bytes_slice(&front->requests[i].body);
    }
    inner(tracker)->v->query(inner(tracker), front->queries, count, batch_done, front);
}

/* When an error took its connection away before it could see another's hand, nobody else will. What
 * it has seen it knows, even if it could not write that down. */
static void front_open(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    if (!front_of(tracker)->sql.foreign) {
        own_up(front_of(tracker)->row);
    }
    inner(tracker)->v->open(inner(tracker), done, context);
}
static enum gd_err front_identify(struct gd_tracker *tracker, uint64_t cluster_id,
                                  gd_node_id node_id)
{
    return inner(tracker)->v->identify(inner(tracker), cluster_id, node_id);
}
static gd_index front_applied(const struct gd_tracker *tracker)
{
    const struct front *front = (const struct front *)(const void *)tracker;
    return front->sql.tracker.v->applied(&front->sql.tracker);
}
static int64_t front_next_expiry_ms(const struct gd_tracker *tracker)
{
    (void)tracker;
    return INT64_MAX;
}
static void front_snapshot_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    inner(tracker)->v->snapshot_begin(inner(tracker), done, context);
}
static void front_snapshot_read(struct gd_tracker *tracker, uint8_t *to, size_t capacity,
                                gd_tracker_read_fn *done, void *context)
{
    inner(tracker)->v->snapshot_read(inner(tracker), to, capacity, done, context);
}
static void front_snapshot_end(struct gd_tracker *tracker)
{
    inner(tracker)->v->snapshot_end(inner(tracker));
}
static void front_restore_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    inner(tracker)->v->restore_begin(inner(tracker), done, context);
}
static void front_restore_write(struct gd_tracker *tracker, struct gd_slice bytes,
                                gd_tracker_fn *done, void *context)
{
    inner(tracker)->v->restore_write(inner(tracker), bytes, done, context);
}
static void front_restore_end(struct gd_tracker *tracker, bool commit, gd_index index,
                              int64_t stamp_ms, gd_tracker_fn *done, void *context)
{
    inner(tracker)->v->restore_end(inner(tracker), commit, index, stamp_ms, done, context);
}
/* The rows are compared at the end of a run: a database that is being rebuilt has others. */
static uint64_t front_digest(const struct gd_tracker *tracker)
{
    (void)tracker;
    return 0;
}
static void drop_batch(struct front *front)
{
    for (size_t i = 0; i < front->count; i++) {
        gd_bytes_release(&front->requests[i].body);
        gd_bytes_release(&front->requests[i].reply);
        gd_free(front->requests[i].shapes);
    }
    gd_free(front->requests);
    gd_free(front->entries);
    gd_free(front->queries);
    front->count = 0;
}
static void front_close(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    inner(tracker)->v->close(inner(tracker), done, context);
    drop_batch(front_of(tracker));
}

static const struct gd_tracker_vtable vtable = {
    .open = front_open,
    .identify = front_identify,
    .applied = front_applied,
    .apply = front_apply,
    .query = front_query,
    .next_expiry_ms = front_next_expiry_ms,
    .snapshot_begin = front_snapshot_begin,
    .snapshot_read = front_snapshot_read,
    .snapshot_end = front_snapshot_end,
    .restore_begin = front_restore_begin,
    .restore_write = front_restore_write,
    .restore_end = front_restore_end,
    .digest = front_digest,
    .close = front_close,
};

const struct gd_command *gd_sim_sql_find(void *context, const struct gd_slice *args, size_t count,
                                         const char **refusal)
{
    (void)context;
    (void)count;
    *refusal = NULL;
    return gd_command_find(args[0]);
}

/* ---------------------------------------------------------------- life */

/* Whether the Tracker has the file that is there now: one that it has not opened yet may hold
 * anything. */
static bool is_watched(struct row *row)
{
    int moved = 1;

    if (row->front != NULL && row->front->sql.db != NULL && !row->disk.fails) {
        (void)sqlite3_file_control(row->front->sql.db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    }
    return moved == 0;
}

/* SQLite works inside the node's call, so the whole node waits for its disk. */
static void waited(void *context, uint64_t duration)
{
    struct row *row = context;

    gd_world_block(row->world, row->id, duration);
}

struct gd_sim_sql *gd_sim_sql_new(struct gd_world *world, const struct gd_sim_plan *plan)
{
    struct gd_sim_sql *sql = calloc(1, sizeof *sql);

    GD_ASSERT(sql != NULL);
    sql->plan = plan;
    gd_prng_init(&sql->prng, gd_prng_mix(plan->seed, UINT64_C(0x73716c)));
    for (unsigned id = 1; id <= GD_SIM_NODES_MAX; id++) {
        struct row *row = &sql->rows[id];
        gd_sim_sql_disk_init(&row->disk, gd_prng_mix(plan->seed, id));
        row->world = world;
        row->id = id;
        row->disk.waited = waited;
        row->disk.context = row;
    }
    return sql;
}

void gd_sim_sql_free(struct gd_sim_sql *sql)
{
    for (unsigned id = 1; sql != NULL && id <= GD_SIM_NODES_MAX; id++) {
        GD_ASSERT(sql->rows[id].front == NULL);
        gd_sim_sql_disk_release(&sql->rows[id].disk);
    }
    free(sql);
}

struct gd_tracker *gd_sim_sql_start(struct gd_sim_sql *sql, unsigned id, struct gd_io *io)
{
    struct row *row = &sql->rows[id];
    struct gd_sql_options options = {.io = io, .file = FILE_NAME, .base = &row->disk.vfs};

    GD_ASSERT(row->front == NULL);
    row->front = gd_calloc(1, sizeof *row->front);
    gd_sql_tracker_init(&row->front->sql, &options);
    row->front->row = row;
    row->front->tracker = (struct gd_tracker){&vtable, row->front->sql.tracker.apart};
    return &row->front->tracker;
}

void gd_sim_sql_stopped(struct gd_sim_sql *sql, unsigned id)
{
    gd_free(sql->rows[id].front);
    sql->rows[id].front = NULL;
    own_up(&sql->rows[id]);
}

void gd_sim_sql_crashing(struct gd_sim_sql *sql, unsigned id)
{
    struct row *row = &sql->rows[id];
    bool fails = row->disk.fails;

    if (row->front == NULL) {
        return;
    }
    row->disk.fails = true;
    gd_sql_tracker_abandon(&row->front->sql);
    row->disk.fails = fails;
    row->front = NULL;
    if (gd_prng_chance(&sql->prng, 1, 2)) {
        gd_sim_sql_disk_power_loss(&row->disk);
    }
    own_up(row);
}

/* ---------------------------------------------------------------- faults */

void gd_sim_sql_wipe(struct gd_sim_sql *sql, unsigned id)
{
    gd_sim_sql_disk_empty(&sql->rows[id].disk);
}

/* `times` as slow as the node's own disk; 0: it takes no time. */
static void set_pace(struct row *row, const struct gd_sim_plan *plan, uint64_t times)
{
    row->disk.write_min = plan->disk_latency_min * times;
    row->disk.write_max = plan->disk_latency_max * times;
    row->disk.sync_min = plan->disk_sync_min * times;
    row->disk.sync_max = plan->disk_sync_max * times;
}

void gd_sim_sql_strike(struct gd_sim_sql *sql, unsigned id, const struct gd_sim_fault *fault)
{
    struct row *row = &sql->rows[id];

    switch (fault->kind) {
    case GD_SIM_FAULT_DATABASE_EMPTY:
        gd_sim_sql_disk_empty(&row->disk);
        break;
    case GD_SIM_FAULT_DATABASE_OLD:
        if (row->disk.old.size > 0) {
            GD_REACHED("simulated SQLite file put back from an old copy");
            gd_sim_sql_disk_put_back(&row->disk, FILE_NAME);
        }
        break;
    case GD_SIM_FAULT_DATABASE_FLUSH:
        if (is_watched(row)) {
            row->touched = true;
            (void)by_hand(row, "CREATE TABLE strange(x); DELETE FROM kv");
        }
        break;
    case GD_SIM_FAULT_DATABASE_CRASH:
    case GD_SIM_FAULT_DATABASE_PAUSE:
        own_up(row);
        row->disk.fails = true;
        break;
    case GD_SIM_FAULT_DATABASE_SLOW:
        GD_REACHED("simulated SQLite on a slow disk");
        set_pace(row, sql->plan, fault->count);
        break;
    case GD_SIM_FAULT_DATABASE_CUT:
        gd_sim_sql_disk_cut(&row->disk);
        break;
    case GD_SIM_FAULT_DATABASE_FULL:
        row->disk.full = true;
        break;
    default:
        break;
    }
    /* For the next old one: only what no other hand has touched, since the mark that this leaves
     * (PRAGMA data_version) is not in the file. */
    if (row->front != NULL && !row->disk.fails &&
        (!row->touched || !by_hand(row, "SELECT * FROM strange"))) {
        gd_sim_sql_disk_remember(&row->disk, FILE_NAME);
    }
}

void gd_sim_sql_mend(struct gd_sim_sql *sql, unsigned id, const struct gd_sim_fault *fault)
{
    struct row *row = &sql->rows[id];

    if (fault == NULL || fault->kind == GD_SIM_FAULT_DATABASE_SLOW) {
        set_pace(row, sql->plan, 0);
        gd_world_unblock(row->world, id);
    }
    if (fault == NULL || fault->kind == GD_SIM_FAULT_DATABASE_FULL) {
        row->disk.full = false;
    }
    if (fault == NULL ||
        (fault->kind != GD_SIM_FAULT_DATABASE_SLOW && fault->kind != GD_SIM_FAULT_DATABASE_FULL)) {
        row->disk.fails = false;
    }
    if (fault == NULL) {
        gd_sim_sql_disk_uncut(&row->disk);
    }
}

uint64_t gd_sim_sql_digest(const struct gd_sim_sql *sql, unsigned id)
{
    const struct front *front = sql->rows[id].front;
    return front == NULL || front->sql.db == NULL ? 0 : gd_sql_digest(front->sql.db);
}
