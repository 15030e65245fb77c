/* command.h - the boundary between the protocol's side and the data's side of the kvs: the table
 * of commands, what a handler is given, and how a request's body is laid out.
 *
 * A handler is called on every node for a write, with the same arguments, state and time, and must
 * do the same on each. It never looks at a clock, at the session (but for a read's own needs), or
 * at whether anybody waits for the reply. */
#ifndef GANDALF_KVS_COMMAND_H
#define GANDALF_KVS_COMMAND_H
#include "engine/tracker.h"
#include "kvs/keyspace.h"
#include "kvs/reply.h"

struct gd_kv;

struct gd_command;
struct gd_command_context {
    struct gd_kv *kv;
    const struct gd_command *command; /* The row that runs. */
    struct gd_keyspace *ks;
    const struct gd_slice *args; /* args[0] is the command's name. Borrowed for the call. */
    size_t arg_count;
    /* A write's stamp; for a read the later of the replicated clock and the leader's wall time.
     * Never the node's own clock. */
    int64_t now_ms;
    gd_index version; /* The entry's index; 0 for a read. */
    struct gd_reply *reply;
    void *session; /* The Parser's state of the client; NULL when nobody waits here. */
    bool is_query;
    /* Out, for a read: a key in the way is over by now_ms, not yet by the replicated clock. What
     * was written to `reply` is thrown away. Set by gd_command_look and gd_command_look_at_all. */
    bool needs_time;
};
typedef void gd_command_fn(struct gd_command_context *context);

enum gd_command_kind {
    GD_COMMAND_READ,
    GD_COMMAND_WRITE,
    GD_COMMAND_LOCAL, /* Answered by the Parser; `run`, if there, serves it inside MULTI. */
    GD_COMMAND_ADMIN,
};
/* A row of commands.def. */
struct gd_command {
    const char *name;   /* Lower case. */
    gd_command_fn *run; /* NULL: the data's side does not know it. */
    int arity;          /* Arguments, the name counted in; negative: at least so many. */
    enum gd_command_kind kind;
    const char *flags; /* COMMAND's, parted by blanks, "write" and "readonly" left out. */
    int key_first, key_last, key_step; /* As COMMAND gives them; 0, 0, 0: no keys. */
};
/* NULL when there is no such command. Case does not matter. */
const struct gd_command *gd_command_find(struct gd_slice name);
/* The same; `guess` (or NULL) is looked at first: mostly the command that came before. */
const struct gd_command *gd_command_find_near(struct gd_slice name, const struct gd_command *guess);
/* The table in its own order. */
const struct gd_command *gd_command_at(size_t place);
size_t gd_command_count(void);
/* Whether `arg_count` suits the row. */
bool gd_command_arity_fits(const struct gd_command *command, size_t arg_count);

/* ---------------------------------------------------------------- for handlers */

/* The key as the command may see it: NULL when absent. */
const struct gd_item *gd_command_look(struct gd_command_context *context, struct gd_slice key);
/* Before a look at more than named keys (DBSIZE, KEYS, SCAN). */
void gd_command_look_at_all(struct gd_command_context *context);
/* An argument as a number, or an error is replied ("ERR value is not an integer or out of range")
 * and false returned. */
bool gd_command_number(struct gd_command_context *context, struct gd_slice arg, int64_t *number);
void gd_command_syntax_error(struct gd_command_context *context);

/* ---------------------------------------------------------------- bodies
 *
 * offset size
 *      0    1 kind: 1 a command, 2 a transaction
 *      1    1 protocol that the client waits in: 2 or 3
 *      2      kind 2: le32 watches, each le32 size, key, le64 as gd_keyspace_watch told;
 *             le32 commands
 *             each command (kind 1 has one): le32 arguments, each le32 size, bytes; in kind 2
 *             0 arguments stand before a reply as it is: le32 size, bytes
 *
 * docs/formats.md, "kvs request body". */
enum { GD_BODY_COMMAND = 1, GD_BODY_TRANSACTION = 2 };
void gd_body_begin(struct gd_bytes *body, int kind, int protocol);
void gd_body_add_args(struct gd_bytes *body, const struct gd_slice *args, size_t count);
/* What a command inside a transaction was answered when it was queued. */
void gd_body_add_answer(struct gd_bytes *body, struct gd_slice answer);
#endif
