/* parser.h - a database's protocol: bytes from a client become requests, answers become bytes.
 *
 * A Parser knows its protocol and nothing of Raft. It sorts requests by kind; the node does the
 * rest: a write goes through the log and reaches the Tracker of every node, a read goes to this
 * node's Tracker once it is safe, a local request is answered at once from a node's own facts.
 *
 * The node keeps the order within one client: a local request runs when every earlier request of
 * the client is answered; a write is proposed when every earlier read is answered, and a read is
 * made when every earlier write is; neighbours of one kind run together. Replies leave in the
 * requests' order.
 *
 * Everything here is synchronous, and runs inside one process on its loop. */
#ifndef GANDALF_ENGINE_PARSER_H
#define GANDALF_ENGINE_PARSER_H
#include "engine/bytes.h"
#include "engine/status.h"

enum gd_request_kind {
    GD_REQUEST_MORE,  /* Not whole yet: call again with more bytes. */
    GD_REQUEST_WRITE, /* `body` is replicated, and applied on every node. */
    GD_REQUEST_READ,  /* `body` is queried on this node. */
    GD_REQUEST_LOCAL, /* Answered by gd_parser.local(). */
    GD_REQUEST_ADMIN, /* `admin` is done by the node; answered by gd_parser.outcome(). */
    GD_REQUEST_CLOSE, /* `body` is the last reply (may be empty), sent as it is; then the end. */
};

enum gd_admin_kind {
    GD_ADMIN_SNAPSHOT, /* Take one now; done when it is stored. */
    GD_ADMIN_TRANSFER, /* Leadership to `id`, or (0) to the most up to date. */
    GD_ADMIN_ADD,      /* `id` at `address`, as a voter or (`learner`) for ever a learner. */
    GD_ADMIN_PROMOTE,  /* Learner `id`. */
    GD_ADMIN_REMOVE,   /* `id`. */
    GD_ADMIN_REPLACE,  /* `id` by `other` at `address`. */
    GD_ADMIN_MOVE,     /* `id` is at `address` now. */
    GD_ADMIN_BACKUP,   /* With `size`: bytes of the snapshot at term `id`, index `other`, from
                          `offset` on; without: which is the newest ("term index size"). */
};
struct gd_admin {
    enum gd_admin_kind kind;
    gd_node_id id, other;
    struct gd_address address;
    uint64_t offset, size;
    bool learner;
    bool force;
};

/* The next request waits until this one is answered, its parsing too (WATCH: what EXEC carries is
 * not known before). */
#define GD_REQUEST_BARRIER 1u
/* The client wants no reply to this one (CLIENT REPLY OFF): it is made, and not sent. */
#define GD_REQUEST_SILENT 2u

struct gd_request {
    enum gd_request_kind kind;
    unsigned flags;
    struct gd_slice body; /* Borrowed from the input or from the parser until the next parse. */
    bool has_slot;        /* `slot` is set: the request names a key. */
    uint16_t slot;        /* 0..16383, for MOVED. */
    struct gd_admin admin;
};

/* Why a request is not done; what the client is told is the Parser's to word. */
enum gd_outcome_kind {
    GD_OUTCOME_DONE,      /* An admin request is done; `text` (may be empty) tells more. */
    GD_OUTCOME_MOVED,     /* Ask `address` (of slot `slot`). Certainly not applied. */
    GD_OUTCOME_NO_LEADER, /* Certainly not applied. `text` says why. */
    GD_OUTCOME_BUSY,      /* A limit is met. Certainly not applied. `text` says which. */
    GD_OUTCOME_UNKNOWN,   /* A write may be, or become, applied, or never. */
    GD_OUTCOME_DATABASE,  /* The database is away. Certainly not applied. */
    GD_OUTCOME_STOPPING,  /* The node stops. Certainly not applied. */
    GD_OUTCOME_REFUSED,   /* An admin request changed nothing; `text` says what is in the way. */
};
struct gd_outcome {
    enum gd_outcome_kind kind;
    uint16_t slot;
    struct gd_address address;
    const char *text;     /* Borrowed; never NULL. */
    struct gd_slice data; /* DONE: the reply, when `data.data` is not NULL. Borrowed. */
};

/* What a local request wants of the node beyond its reply. */
enum gd_local_kind {
    GD_LOCAL_NOTHING,
    GD_LOCAL_CLOSE, /* Close this client once the reply is sent. */
    GD_LOCAL_KILL,  /* Close the sessions in `ids`. */
    GD_LOCAL_SLEEP, /* Hold this client's next requests and this reply for `sleep_ns`. */
};
#define GD_LOCAL_IDS 64
struct gd_local_result {
    enum gd_local_kind kind;
    uint64_t ids[GD_LOCAL_IDS];
    size_t id_count;
    gd_time_ns sleep_ns;
};

struct gd_parser;
struct gd_parser_vtable {
    /* A client has connected. Returns the parser's state for it: passed to every call, to the
     * Tracker with the client's requests, and to session_free at the end. Both NULL: nothing is
     * kept of a client, and the state is NULL. */
    void *(*session_new)(struct gd_parser *parser, uint64_t session_id,
                         const struct gd_address *peer);
    void (*session_free)(struct gd_parser *parser, void *session);
    /* Read one request from the front of `input`. `*consumed` bytes are done with (0 with MORE,
     * unless they carry nothing). The next call's input begins where the consumed bytes end and is
     * never shorter than what was shown before, so progress inside a half request may be kept. A
     * protocol error is a CLOSE whose body tells it. */
    void (*parse)(struct gd_parser *parser, void *session, struct gd_slice input, size_t *consumed,
                  struct gd_request *request);
    /* Answer the LOCAL request that parse has just given. */
    void (*local)(struct gd_parser *parser, void *session, const struct gd_request *request,
                  const struct gd_node_status *status, struct gd_bytes *reply,
                  struct gd_local_result *result);
    /* Put an outcome into the client's words. */
    void (*outcome)(struct gd_parser *parser, void *session, const struct gd_outcome *outcome,
                    struct gd_bytes *reply);
};
/* Implementations embed this as their FIRST member. */
struct gd_parser {
    const struct gd_parser_vtable *v;
};
#endif
