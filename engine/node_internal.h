/* node_internal.h - the parts of a node and how they reach each other. Engine only.
 *
 *   node.c      the conductor: steps Raft and carries out its effects; timers; status
 *   start.c     from an empty process to a serving node: recovery in its order; and the way out
 *   apply.c     committed entries to the Tracker, replies to whom they are owed; the Tracker's turn
 *   writes.c    this node's open writes: proposed or forwarded, resent, answered, given up
 *   reads.c     reads: wait for a safe index, then for it to be applied, then ask the Tracker
 *   snapshots.c snapshots taken, sent, received
 *   peer.c      connections between nodes
 *   session.c   connections of clients
 *   admin.c     requests to the node itself
 *
 * Data moves one way: session -> writes/reads -> Raft -> log and peers -> commit -> apply ->
 * session. */
#ifndef GANDALF_ENGINE_NODE_INTERNAL_H
#define GANDALF_ENGINE_NODE_INTERNAL_H
#include "engine/node.h"
#include "engine/proposal.h"
#include "engine/snapshot.h"
#include "engine/wal.h"

enum gd__phase {
    GD__NEW,      /* Not started. */
    GD__OPENING,  /* Recovery goes on; nobody is served. */
    GD__SERVING,  /* All works. */
    GD__DRAINING, /* Graceful stop: what is open is finished, nothing new is taken. */
    GD__CLOSING,  /* Handles are closing. */
    GD__STOPPED,
};

/* ---------------------------------------------------------------- sessions */

/* One request of a client that was read and not answered yet. Lies in its session's queue; whoever
 * works on it (writes, reads, admin) answers it once by gd__slot_done. */
struct gd__slot {
    struct gd__session *session;
    struct gd__slot *next; /* In the session's order. */
    enum gd_request_kind kind;
    bool answered;
    bool barrier;
    bool silent;
    uint16_t key_slot;
    gd_time_ns begun_ns;
    struct gd_bytes reply;
};

struct gd__session {
    struct gd_node *node;
    struct gd__session *next, *previous; /* In node->sessions, by id. */
    uint64_t id;
    struct gd_address address;
    struct gd_stream stream;
    void *parser_session;
    gd_time_ns opened_ns, active_ns;
    gd_time_ns answered_ns; /* When a slot became output. */

    struct gd_bytes input;  /* Bytes not parsed yet. */
    struct gd_request held; /* Parsed, waits for its turn; valid while `holding`. */
    bool holding;
    bool more;         /* Of `input` there was more to parse when something was in the way. */
    size_t held_taken; /* Input bytes in front of the end of `held`. */
    bool barrier;      /* Nothing is parsed until the request in flight is answered. */
    bool asleep;       /* DEBUG SLEEP. */
    bool reading;      /* read_start is in force. */
    bool input_ended;  /* The client's FIN came: its requests are still answered. */
    bool ending;       /* Close once everything owed is sent. */
    bool closing;      /* The stream is closing: replies go nowhere. */
    bool closed;       /* The stream is closed; freed with its last slot. */
    bool dirty;        /* In node->dirty. */
    struct gd__session *next_dirty;

    struct gd__slot *first, *last; /* Requests in flight. */
    uint32_t slot_count, write_count, read_count, other_count;
    uint32_t timed_count; /* Of them, reads that wait for the replicated clock. */
    int64_t timed_ms;     /* What the last of those waits for. */
    uint64_t timed_first; /* The number of the first of those; none is lower. */
    uint64_t timed_stop;  /* The last look at which one of those stayed. */
    uint32_t batch_limit; /* Reads in one batch at most, by the size of replies; 0: none was yet. */
    uint32_t batch_count; /* Reads in the batch at the Tracker. */
    size_t batch_size;    /* Bytes of their replies. */

    struct gd_bytes output;  /* Replies to send next. */
    struct gd_bytes sending; /* Being sent. */
    bool writing;
    struct gd_write write;
    struct gd_timer sleep_timer;
};

void gd__sessions_listen(struct gd_node *node); /* Reports by gd__node_fail. */
void gd__sessions_stop_listening(struct gd_node *node);
void gd__sessions_close(struct gd_node *node);
/* The slot's reply is complete: it leaves when its turn comes. */
void gd__slot_done(struct gd__slot *slot);
/* The slot's reply is an outcome. */
void gd__slot_outcome(struct gd__slot *slot, enum gd_outcome_kind kind, const char *text);
/* Does its client leave its replies where they are? Half of what may be unsent is. */
bool gd__session_deaf(const struct gd__session *session);
/* The slot's reply is an outcome, done, that consists of bytes. */
void gd__slot_data(struct gd__slot *slot, struct gd_slice data);
/* Go on parsing and send what can be sent, for all sessions touched since the last flush. */
void gd__sessions_flush(struct gd_node *node);
void gd__session_close(struct gd__session *session);
void gd__sessions_release(struct gd_node *node);
/* Is anything owed to any client? */
bool gd__sessions_owed(const struct gd_node *node);

/* ---------------------------------------------------------------- peers */

struct gd__peer {
    struct gd_node *node;
    struct gd__peer *next; /* Ordered by id. */
    gd_node_id id;
    struct gd_address address;
    struct gd_address client_address; /* From its Hello; empty while not known. */
    struct gd_address said_address;   /* Where it says that it listens for peers; likewise. */
    uint16_t version; /* The lower of its version of the protocol and ours; 0 while not known. */
    struct gd_stream stream; /* Ours to it. */
    enum { GD__PEER_IDLE, GD__PEER_CONNECTING, GD__PEER_UP, GD__PEER_CLOSING } state;
    bool removed; /* No longer in the configuration: freed when closed. */
    /* Not in our configuration, yet it speaks to us, and may know more: a leader that our log has
     * not heard of, or who was removed and has not heard of that. Kept while it is connected. */
    bool guest;
    uint64_t boot;      /* Of its last Hello: late ones of an earlier start say nothing. */
    uint32_t life;      /* Of its last Hello (config.h); 0 while not known. */
    uint32_t told_life; /* What our last Hello said. */
    bool dirty;
    struct gd_timer retry;
    uint32_t failures; /* In a row, for the back-off. */
    gd_time_ns up_ns;  /* Since when the connection stands. */
    bool told;         /* The failure in force was logged. */
    struct gd_bytes output, sending;
    size_t output_latest; /* Bytes of the message that was last put into `output`. */
    bool writing;
    struct gd_write write;
    uint64_t dropped; /* Messages dropped at the limit. */
    /* Its forwarded writes in our log: the highest of its start `taken_boot`, in our term. */
    gd_term taken_term;
    uint64_t taken_boot, taken_high;
    bool chunk_reading;
    struct gd_snapshot_chunk_read chunk;
    struct gd_message chunk_message;
    struct gd_bytes chunk_bytes;
};

/* A connection from a peer. */
struct gd__inbound {
    struct gd_node *node;
    struct gd__inbound *next, *previous;
    struct gd_stream stream;
    struct gd_address address;
    gd_node_id from; /* 0 before its Hello. */
    struct gd_bytes input;
    bool closing;
};

void gd__peers_listen(struct gd_node *node);
void gd__peers_stop_listening(struct gd_node *node);
/* Follow the configuration in force: connect to new members, let go of removed ones. */
void gd__peers_follow(struct gd_node *node);
void gd__peers_close(struct gd_node *node);
/* Everything is closed: free what is left. */
void gd__peers_release(struct gd_node *node);
struct gd__peer *gd__peer_find(const struct gd_node *node, gd_node_id id);
/* What every member speaks, by the last Hello of each; 0 while one is not known. What is new in a
 * version is used only at or above it here: then nobody is sent what it cannot read. */
uint16_t gd__peers_version(const struct gd_node *node);
/* The commit index has moved: who was left out by a configuration may go now. */
void gd__peers_committed(struct gd_node *node);
/* Tells Raft which configurations all members read. */
void gd__peers_note_config(struct gd_node *node);
/* Says (again) who we are, and by which life we know it: queued. */
void gd__peer_say_hello(struct gd__peer *peer);
/* Queue a message; dropped (and counted) when the peer is not connected or its queue is full. */
void gd__peer_send(struct gd_node *node, const struct gd_message *message);
void gd__peer_send_frame(struct gd_node *node, gd_node_id to, struct gd_slice frame);
void gd__peers_flush(struct gd_node *node);
/* Who is removed for good by now hears so. */
void gd__peers_part(struct gd_node *node);

/* ---------------------------------------------------------------- writes */

/* An open write of this node's clients. */
struct gd__write {
    struct gd__slot *slot;  /* NULL: closed, or nobody waits any more. */
    struct gd_entry *entry; /* The encoded proposal; NULL: closed. */
    bool sent;              /* Given to a leader (or our own log) in the present term. */
    bool ever_sent;         /* Its fate can no longer be known for certain by not sending. */
    bool acknowledged;      /* It is in the present leader's log. */
    gd_time_ns begun_ns, sent_ns;
};
struct gd__writes {
    struct gd__write *ring; /* Owned; by sequence modulo capacity (a power of two). */
    size_t capacity;
    uint64_t low;         /* The lowest open sequence; next when none is open. */
    uint64_t next;        /* The next sequence to give. */
    uint64_t send_from;   /* No write below it waits to be sent. */
    size_t size;          /* Bytes held. */
    bool refused;         /* Raft took none just now: wait for its next step from elsewhere. */
    bool missing;         /* The leader lacks one: a resend is due. */
    gd_time_ns resent_ns; /* When that was last done; 0: never. */
    gd_time_ns disk_ns;   /* Since when this leader's disk is too far behind; 0: it is not. */
};
/* A client's write. The slot is answered later. `body` is copied. */
void gd__write_begin(struct gd_node *node, struct gd__slot *slot, struct gd_slice body);
/* Propose or forward what waits. Part of the pump. */
void gd__writes_pump(struct gd_node *node);
/* Role, leader or connection is another: what is open is to be sent again. */
void gd__writes_resend(struct gd_node *node);
/* This entry of ours is about to be applied: the write is closed, and the slot that waits for it
 * (or NULL) is the caller's to answer. */
struct gd__slot *gd__write_take(struct gd_node *node, const struct gd_proposal *proposal);
/* Time: give up what is too old, send again what was not acknowledged. True while any is open. */
bool gd__writes_expire(struct gd_node *node, gd_time_ns now);
/* The state came from a snapshot: writes that are in it are over, their replies lost. */
void gd__writes_restored(struct gd_node *node);
void gd__writes_fail_all(struct gd_node *node);
void gd__writes_release(struct gd_node *node);
/* From peers. */
void gd__writes_forwarded(struct gd_node *node, const struct gd_message *message);
void gd__writes_answer(struct gd_node *node, const struct gd_message *message);

/* ---------------------------------------------------------------- reads */

struct gd__read {
    struct gd__read *next;
    struct gd__slot *slot;
    gd_time_ns begun_ns;
    gd_index index;       /* Safe once applied. */
    int64_t wall_ms;      /* The leader's, at the read's point. */
    int64_t needs_ms;     /* Waits for the replicated clock. */
    uint64_t number;      /* In the order in which all of this node's came. */
    struct gd_slice body; /* Behind the structure. */
};
struct gd__read_list {
    struct gd__read *first, *last;
};
struct gd__reads {
    struct gd__read_list fresh; /* Not asked for yet. */
    struct gd__read_list asked; /* Under `token`. */
    uint64_t token;             /* 0: no question is open. */
    uint64_t last_token;
    struct gd__read_list safe;  /* Index known; waits for apply (ordered by index as they come). */
    struct gd__read_list timed; /* Wait for the replicated clock; as they came. */
    struct gd__read_list busy;  /* At the Tracker, in the order of `batch`. */
    struct gd_query *batch;     /* Owned. */
    size_t batch_count, batch_capacity;
    gd_time_ns retry_ns;          /* Not before this. */
    size_t size;                  /* Bytes held. */
    uint64_t last_number, looked; /* Reads that came; looks at the timed ones. */
    bool deaf; /* Of the safe some waited for their own client, at the last look. */
};
void gd__read_begin(struct gd_node *node, struct gd__slot *slot, struct gd_slice body);
void gd__reads_pump(struct gd_node *node);
void gd__reads_answered(struct gd_node *node, const struct gd_raft_read *read);
/* Give the Tracker what is ready; true when it has become busy. */
bool gd__reads_query(struct gd_node *node);
bool gd__reads_expire(struct gd_node *node, gd_time_ns now);
/* The database is away: what waits for it is told so. */
void gd__reads_away(struct gd_node *node);
void gd__reads_fail_all(struct gd_node *node);
void gd__reads_release(struct gd_node *node);

/* ---------------------------------------------------------------- apply: the Tracker's turn */

struct gd__apply {
    bool busy;      /* An operation of the Tracker is in flight. */
    bool away;      /* The database is away; `retry` opens it again. */
    bool restoring; /* Its state is being replaced. */
    bool rebuild;   /* It has lost writes that it had: the snapshot and the log bring them back. */
    bool failing;   /* It has been away, and has taken nothing since then. */
    gd_time_ns away_ns; /* Since when it fails. */
    gd_index applied;   /* Handed over and done. */
    gd_term applied_term;
    int64_t stamp_ms; /* Of the entry at `applied`. */
    struct gd_dedup dedup;
    struct gd_apply *batch;  /* Owned. */
    struct gd__slot **slots; /* By position in the batch; NULL when nobody waits. */
    struct gd_entry **entries;
    size_t count, capacity;
    size_t skip;  /* The first `skip` of the batch are in the database already. */
    bool queried; /* The last operation was a query: entries go first now. */
    struct gd_timer retry;
    struct gd_timer expiry; /* The leader's: when the clock must be moved. */
    struct gd_timer look;   /* Is a database that stands apart still there? */
    bool time_proposed;     /* A TIME entry is on its way. */
    gd_index time_index;
};
/* Does the database hold more than what this start has gone through? It does after a restart, until
 * the log's entries that it had applied have been passed by. */
bool gd__apply_ahead(const struct gd_node *node);
/* Give the Tracker its next operation when it has none: reads, entries, a snapshot's begin. */
void gd__apply_pump(struct gd_node *node);
void gd__apply_watch_expiry(struct gd_node *node);
/* The database is away: open it again and again until it is back. */
void gd__apply_away(struct gd_node *node);
/* The Tracker is closed: what it had in hand is answered. */
void gd__apply_fail(struct gd_node *node);
void gd__apply_release(struct gd_node *node);

/* ---------------------------------------------------------------- snapshots */

struct gd__snapshots {
    /* Taking one. */
    bool taking;
    bool begin_wanted; /* Waits for the Tracker's turn. */
    bool began;        /* The Tracker has a frozen state: snapshot_end is owed. */
    struct gd_snapshot_meta meta;
    struct gd_bytes head;    /* The node's own tables. */
    uint8_t *buffer;         /* Owned while taking. */
    size_t bytes_since;      /* Of entries applied since the last one. */
    uint64_t wal_bytes_then; /* Written to the log by then: it pads each write to whole blocks. */
    gd_time_ns not_before;   /* After a failure: no other try of our own until then. */
    struct gd__slot *waiting[16]; /* RAFT SNAPSHOT's. */
    size_t waiting_count;
    /* Receiving one. */
    bool receiving; /* The store works on a chunk. */
    gd_node_id from;
    struct gd_position position;
    uint64_t size;
    struct gd_bytes chunk;
    bool restore_wanted; /* Raft has installed one: the state follows, at the Tracker's turn. */
    struct gd__restore *restore; /* Owned while one runs. */
    gd_index restored;           /* That the Tracker's state was last replaced by; 0: none. */
    uint64_t taken;
};
void gd__snapshot_consider(struct gd_node *node); /* Begin one when enough has been applied. */
void gd__snapshot_begin(struct gd_node *node);    /* The Tracker's turn has come. */
void gd__snapshot_send(struct gd_node *node, const struct gd_message *message);
void gd__snapshot_receive(struct gd_node *node, const struct gd_raft_chunk *chunk);
/* Replace the state by the newest snapshot of the store: applied, stamp and dedup follow. With
 * `tracker` false only the node's own tables are read. */
void gd__snapshot_restore(struct gd_node *node, bool tracker,
                          void (*restored)(struct gd_node *node, enum gd_err err,
                                           const struct gd_error *error));
void gd__snapshots_release(struct gd_node *node);

/* ---------------------------------------------------------------- the node */

/* A message that rests on what is not durable yet (R3 of raft.h), encoded. */
struct gd__held {
    struct gd__held *next;
    uint64_t after;
    gd_node_id to;
    struct gd_bytes frame;
};

struct gd__admin_wait {
    bool active;
    struct gd__slot *slot; /* Who waits for the answer; NULL: a node that asked to join, the log. */
    struct gd_admin admin;
    gd_time_ns begun_ns;
    bool probing;   /* Waits for the probe ... */
    bool begun;     /* ... or for an entry of the leader's own; then the core has it. */
    gd_index index; /* Of the change's entry. */
};

/* Is anybody there, at the address of a member to be? */
struct gd__probe {
    struct gd_stream stream;
    struct gd_timer timer, again; /* The end of all trying; the next try. */
    bool open, closing;
};

/* A question to a member, of an empty node or one that is led by nobody: add me. */
struct gd__knock {
    struct gd_stream stream;
    struct gd_timer timer;
    struct gd_write write;
    struct gd_bytes bytes;
    bool open, closing;
};

/* A piece of a snapshot's file on its way to a client; one at a time. */
struct gd__backup {
    struct gd__slot *slot; /* NULL: nobody waits for it (any more). */
    uint8_t *piece;        /* Owned; NULL: nothing is being read. */
    struct gd_snapshot_chunk_read read;
};

struct gd_node {
    struct gd_node_options options;
    struct gd_address *nodes; /* Owned copy. */
    struct gd_io *io;
    enum gd__phase phase;
    struct gd_wal_identity identity;

    struct gd_wal *wal;
    struct gd_position
        wal_told; /* The last entry the log called durable, whatever Raft made of it. */
    struct gd_snapshot_store *store;
    struct gd_raft *raft;
    bool stepping;

    struct gd_timer raft_timer;
    struct gd_timer pump_timer;  /* The loop's next turn: everything gathered goes on together. */
    struct gd_timer watch_timer; /* Time-outs of requests, while any is open. */

    struct gd__held *held_first, *held_last; /* Messages that wait for what they rest on. */
    size_t held_size;

    struct gd_listener client_listener, peer_listener;
    bool client_listening, peer_listening;
    struct gd__session *sessions, *sessions_last;
    uint32_t session_count; /* Open ones. */
    uint32_t session_total; /* With those that wait for their last slot. */
    uint64_t session_next_id;
    struct gd__session *dirty;
    struct gd__slot *spare_slots; /* Owned: used before, with room for a short reply each. */
    uint32_t spare_slot_count;
    struct gd__peer *peers;
    gd_index parted_index; /* Of the committed configuration that they follow. */
    gd_time_ns touched_ns; /* When Hello was last said again. */
    gd_time_ns removed_ns; /* Since when the committed one says that this node is none; 0: no. */
    struct gd__inbound *inbounds;
    uint32_t handle_count; /* Streams and listeners not closed yet. */

    struct gd__writes writes;
    /* Writes of other nodes, gathered for the next proposal. */
    struct gd__forwarded {
        gd_node_id from;
        uint64_t boot, sequence, previous;
        struct gd_entry *entry;
    } * forwarded;
    size_t forwarded_count, forwarded_capacity, forwarded_size;
    struct gd__reads reads;
    struct gd__apply apply;
    struct gd__snapshots snapshots;
    struct gd__admin_wait admin;
    struct gd__probe probe;
    struct gd__knock knock;
    gd_index lives_index;      /* Of our last entry that recorded lives ... */
    gd_term lives_term;        /* ... and in which term. */
    gd_time_ns lives_ns;       /* Since when one is to be recorded ... */
    gd_time_ns lives_after_ns; /* ... and no try before this. */
    struct gd__backup backup;

    /* Recovery, in start.c. */
    struct gd_wal_recovered recovered; /* Our own copy. */
    bool recovered_valid;
    uint64_t recovered_lsn; /* Its last record; 0: there was none. */
    bool joining;           /* Empty: the first Hello that is for us says who we are. */
    bool told_replaced;     /* An old member's place at this address was told of. */
    struct gd_member host;  /* Who said it in this start; id 0: nobody. */

    /* Stopping. */
    struct gd_timer stop_timer;
    gd_time_ns stop_deadline;
    bool closing_store, store_closed, closing_tracker, tracker_closed, closing_wal, wal_closed;
    enum gd_err stop_err;
    struct gd_error stop_error;

    gd_time_ns started_ns;
    gd_node_id known_leader;
    gd_term known_term;
    enum gd_role known_role;
    gd_time_ns leader_lost_ns; /* Since when no leader is known. */

    struct gd_node_status status; /* The counters live here. */
    struct gd_member_status *member_rows;
    struct gd_session_status *session_rows;
    size_t session_rows_capacity;
};

/* One event into Raft and its effects out. Fills now and wall. The effects stay readable until the
 * next step. */
struct gd_raft_effects gd__node_step(struct gd_node *node, struct gd_raft_event *event);
/* Everything gathered goes on at the loop's next turn. */
void gd__node_kick(struct gd_node *node);
/* Requests wait: look at their age in time. */
void gd__node_watch(struct gd_node *node);
/* The node cannot go on: log it, close, report by `stopped`. */
void gd__node_fail(struct gd_node *node, enum gd_err err, const struct gd_error *error);
/* Log messages that `sequence` makes safe to send. */
void gd__node_release_held(struct gd_node *node);
/* A handle has closed; the last one lets a stop go on. */
void gd__node_handle_closed(struct gd_node *node);
/* start.c */
void gd__start(struct gd_node *node);
/* An empty node that waits: it is `id` of `cluster_id` from now on. */
void gd__start_joined(struct gd_node *node, uint64_t cluster_id, gd_node_id id);
void gd__close(struct gd_node *node);
void gd__close_continue(struct gd_node *node);
/* admin.c. `slot` NULL: nobody waits for the answer. */
void gd__admin_begin(struct gd_node *node, struct gd__slot *slot, const struct gd_admin *admin);
bool gd__admin_expire(struct gd_node *node, gd_time_ns now);
void gd__admin_pump(struct gd_node *node);
void gd__admin_fail(struct gd_node *node);
void gd__admin_probe_close(struct gd_node *node);
/* Something is under way, and another request would be refused. */
bool gd__admin_busy(const struct gd_node *node);
/* lives.c */
/* Do all members read what version 2 brought, as the configuration in force shows? */
bool gd__lives_in_force(const struct gd_node *node);
/* By which life we know a peer; GD_LIFE_REMOVED, or 0 when it is not known. */
uint32_t gd__known_life(const struct gd_node *node, const struct gd__peer *peer);
/* The receiver's own fate, as the sender of a Hello knows it. False: the node stops. */
bool gd__heed_life(struct gd_node *node, uint32_t life);
/* A configuration is committed, which may have this node no more. */
void gd__note_removal(struct gd_node *node, const struct gd_config *committed);
/* A removed node stops in a while, whoever tells it; one that is led by nobody finds out which
 * connections are dead. False: there is nothing to wait for. */
bool gd__lives_expire(struct gd_node *node, gd_time_ns now);
/* join.c */
void gd__join_begin(struct gd_node *node);
/* It knows who it is and serves: it goes on asking until it is a member for certain. */
void gd__join_joined(struct gd_node *node);
void gd__join_close(struct gd_node *node);
/* Who is empty, or was never added for good, at `address`, asks to be added: as `id`, or (0) as
 * whatever is free. */
void gd__join_asked(struct gd_node *node, gd_node_id id, const struct gd_address *address);
/* backup.c */
void gd__backup_begin(struct gd_node *node, struct gd__slot *slot, const struct gd_admin *admin);
void gd__backup_fail(struct gd_node *node);
void gd__backup_release(struct gd_node *node);

/* A line with node and term in front. */
void gd__node_log(struct gd_node *node, enum gd_log_level level, const char *format, ...)
    GD_PRINTF(3, 4);
#endif
