/* node.h - a node: the conductor of Raft, log, snapshots, peers, clients and a database.
 *
 * A node is one process's worth of gandalf. It owns everything it opens; the world, the Parser and
 * the Tracker are borrowed and outlive it. Design, and the walk of one write and one read: node.c.
 */
#ifndef GANDALF_ENGINE_NODE_H
#define GANDALF_ENGINE_NODE_H
#include "engine/parser.h"
#include "engine/raft.h"
#include "engine/tracker.h"

struct gd_node;

/* A database as a node is given it: what an implementation of both interfaces hands out. */
struct gd_served {
    struct gd_parser *parser;
    struct gd_tracker *tracker;
};

struct gd_node_options {
    struct gd_io *io;
    struct gd_parser *parser;
    struct gd_tracker *tracker;

    /* Who. On a first start without `id` the members (`nodes` and ourselves) are numbered from 1 in
     * the order of their addresses; later the log knows, and a contradiction is refused. */
    gd_node_id id;                    /* 0: as above. */
    struct gd_address peer_address;   /* Where we listen for peers, and where they reach us. */
    struct gd_address client_address; /* Where we listen for clients. */
    const struct gd_address *nodes;   /* The other members; a hint after the first start. */
    size_t node_count;
    uint16_t
        protocol_version; /* 0: this program's. Another, in tests and simulations of upgrades. */
    bool join;            /* Start without a configuration and wait to be added. */
    struct gd_address join_address; /* The member that is asked to see to that; empty text: none. */

    /* Timing, ms. */
    uint64_t heartbeat_ms;        /* 0: 100. */
    uint64_t election_timeout_ms; /* 0: 1000. At least twice the heartbeat. */
    uint64_t request_timeout_ms;  /* 0: 10 times the election timeout. A write without an answer by
                                     then is told -UNKNOWN, a read is refused. */

    bool redirect;            /* follower: redirect; else forward. */
    bool lease;               /* Reads under the leader's lease. */
    uint32_t clock_drift_ppm; /* For the lease; 0: 10000; at most 500000. */

    /* Limits; 0 takes the default. */
    uint64_t segment_size;          /* 64 MiB; a multiple of GD_BLOCK_SIZE. */
    uint64_t snapshot_log_size;     /* 64 MiB of log since the last snapshot: take the next. */
    uint64_t snapshot_log_count;    /* The same in entries; 0: no such limit ("snapshot_offset"). */
    uint64_t tail_count;            /* 10000 entries kept for slow followers ... */
    size_t tail_size_max;           /* ... within 16 MiB; 64 MiB for one being brought up. */
    size_t snapshot_chunk_size;     /* 256 KiB. */
    size_t batch_size_max;          /* 1 MiB of entries in one message or one write of the log. */
    size_t window_size_max;         /* 8 MiB in flight to one peer. */
    uint32_t window_count_max;      /* 64 messages in flight to one peer. */
    size_t uncommitted_size_max;    /* 64 MiB: beyond it -BUSY. */
    size_t lag_size_max;            /* 256 MiB of committed entries that wait for the database: a
                                       follower takes no more, a leader answers -BUSY. */
    size_t pending_size_max;        /* 256 MiB of requests waiting for anything: beyond it -BUSY. */
    size_t request_size_max;        /* 512 MiB and some: one request's body. It fits into a frame
                                       between peers (640 MiB), whatever is given. */
    size_t session_output_size_max; /* 256 MiB unsent to one client: it is closed. */
    size_t peer_output_size_max;    /* 64 MiB unsent to one peer: messages are dropped. */
    uint32_t session_count_max;     /* 10000 clients. */
    uint32_t session_pipeline_max;  /* 1024 requests of one client in flight; reading stops then. */

    /* Told, never from inside a call. `ready`: listening, state restored (once). `stopped`: the
     * last word, after gd_node_stop or by itself when the node cannot go on; then gd_node_free. */
    void (*ready)(void *context);
    void (*stopped)(void *context, enum gd_err err, const struct gd_error *error);
    void *context;
};

/* Copies what it needs of `options`. */
struct gd_node *gd_node_new(const struct gd_node_options *options);
/* Begin: open log and snapshots, restore, listen. Whatever goes wrong comes by `stopped`. */
void gd_node_start(struct gd_node *node);
/* Graceful: refuse new requests, hand leadership over, finish replies, close; at the latest after
 * `limit_ms`. Harmless when it stops already. */
void gd_node_stop(struct gd_node *node, uint64_t limit_ms);
void gd_node_free(struct gd_node *node);

/* Facts, borrowed until the next callback from the world. */
void gd_node_status(struct gd_node *node, struct gd_node_status *status);

/* For checks from outside (the simulator's invariants); read only. NULL before the log is open. */
const struct gd_raft *gd_node_raft(const struct gd_node *node);
/* On its way out: it serves nobody and leads nobody, whatever its Raft was last. */
bool gd_node_closing(const struct gd_node *node);
/* The last entry that the log on disk has told as durable since the start; index 0: none yet.
 * Unlike gd_raft_stored it owes nothing to what Raft concludes from it. */
struct gd_position gd_node_durable(const struct gd_node *node);
/* The number of the last record of the log that was there at this start; 0: none. */
uint64_t gd_node_recovered_lsn(const struct gd_node *node);
/* The start of the peer `id` (a boot number) that this node goes by, as a Hello told it; 0: it has
 * heard none. */
uint64_t gd_node_peer_boot(const struct gd_node *node, gd_node_id id);
/* Whether what is said to the peer `id` now goes out at once: the connection to it stands, and
 * nothing is being written to it. */
bool gd_node_peer_open(const struct gd_node *node, gd_node_id id);
/* The last entry handed to the Tracker and done; 0 before. */
gd_index gd_node_applied(const struct gd_node *node);
/* A digest of all replicated state: the Tracker's and the node's own tables; comparable between
 * nodes with the same applied index. */
uint64_t gd_node_digest(const struct gd_node *node);
/* The index of the state of which a snapshot is being taken; 0: none is. */
gd_index gd_node_freezing(const struct gd_node *node);
/* The index of the snapshot by which the whole state was replaced last; 0: by none since the start.
 */
gd_index gd_node_restored(const struct gd_node *node);
/* What is owed to clients. A session, by its id, that could go on and is not going to have a turn;
 * 0: there is none, as there should be between two calls from outside. */
uint64_t gd_node_stalled(const struct gd_node *node);
/* Since when the request that has waited longest is the next of its client to be answered; 0: there
 * is none. Those of clients that leave their replies where they are do not count, nor do an
 * operator's. */
gd_time_ns gd_node_waits_since(const struct gd_node *node);
/* Bytes in the node's queues, for bounds: requests pending, replies unsent, messages unsent. */
struct gd_node_queues {
    size_t pending_size, session_output_size, peer_output_size, log_size, wal_size;
    size_t lag_size;  /* Of committed entries that wait for the database. */
    size_t held_size; /* Of messages that wait for the disk. */
    /* What these limits are about: a message is taken while what waits is within the limit, so each
     * without its last message. The most for one peer, behind what is being written to it; and what
     * is held. */
    size_t peer_waiting_size, held_waiting_size;
    size_t session_count;
    size_t session_gone; /* Of them those whose client has gone: each waits for its last answer. */
    size_t writes_size;  /* Of what is pending: writes, this node's and those of others. */
};
void gd_node_queues(const struct gd_node *node, struct gd_node_queues *queues);
#endif
