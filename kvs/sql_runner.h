/* sql_runner.h - runs the statements of one request on an SQLite connection, the same on every
 * node. Design notes: sql_runner.c. */
#ifndef GANDALF_KVS_SQL_RUNNER_H
#define GANDALF_KVS_SQL_RUNNER_H
#include "engine/bytes.h"
#include "engine/prng.h"
#include "kvs/command.h"
#include <sqlite3.h>

/* The one table that is gandalf's own in the database. */
#define GD_SQL_TABLE "gandalf_state"
/* Steps of SQLite's machine that one request may take, about a second's: the node's loop waits
 * meanwhile. The same on all nodes, since it decides what a write does. */
#define GD_SQL_STEPS_MAX UINT64_C(50000000)
/* Bytes of one value, and of one reply. */
#define GD_SQL_VALUE_SIZE_MAX (64 << 20)
#define GD_SQL_REPLY_SIZE_MAX (64u << 20)

enum gd_sql_mode {
    GD_SQL_OWN,   /* gandalf's own statements: everything is allowed. */
    GD_SQL_WRITE, /* A client's, in an entry. */
    GD_SQL_QUERY, /* A client's, on this node alone. */
};
enum gd_sql_result {
    GD_SQL_FINE,    /* `reply` has the whole reply. */
    GD_SQL_REFUSED, /* `error` says why; the same on every node. The transaction is to be rolled
                       back, unless SQLite has done so. */
    GD_SQL_AWAY     /* This database failed (disk, memory, lock); `error` has its text. */
};
struct gd_sql_runner {
    sqlite3 *db; /* Borrowed. */
    enum gd_sql_mode mode;
    uint64_t steps, steps_max; /* Of the request in hand. */
    struct gd_prng prng;       /* random() and randomblob(). */
    const char *reason;        /* Why the authorizer said no; static. */
    bool rowid_spent;          /* A row took the largest rowid. */
    struct gd_slice *args;     /* Owned. */
    size_t arg_capacity;
    struct gd_bytes reply, rows, error; /* Owned; `error` is terminated. */
};
/* Makes the connection fit for clients' statements: limits, authorizer, functions. False: out of
 * memory, and it is not. */
GD_MUST_CHECK bool gd_sql_runner_attach(struct gd_sql_runner *runner, sqlite3 *db);
void gd_sql_runner_release(struct gd_sql_runner *runner);
/* Runs a body inside the transaction that the caller has begun. */
enum gd_sql_result gd_sql_run(struct gd_sql_runner *runner, enum gd_sql_mode mode,
                              struct gd_slice body, uint64_t seed);
/* Whether an error of SQLite is of this one database, not of the statement. */
bool gd_sql_is_away(int code);

/* The row of a client's command in front of such a database: gd_kv_find_fn. */
const struct gd_command *gd_sql_find(void *context, const struct gd_slice *args, size_t count,
                                     const char **refusal);
#endif
