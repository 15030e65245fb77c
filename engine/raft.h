/* raft.h - the consensus, pure: an event in, effects out.
 *
 * It holds no file, socket, timer or clock: each event brings the time, each step says what to
 * persist, what to send, what is committed, which reads are safe, and when to be called again. So a
 * test drives it one step at a time and an explorer can enumerate it.
 *
 * The sources: "the paper" is Ongaro and Ousterhout, In Search of an Understandable Consensus
 * Algorithm (extended version, 2014); "the thesis" is Ongaro, Consensus: Bridging Theory and
 * Practice (2014).
 *
 * What the caller owes
 *   R1. Effects of one step are carried out before the next step's, in their order.
 *   R2. What is in `persist` goes to disk in the order of its sequence; once it is durable, and all
 *       before it, the caller says so by GD_RAFT_PERSISTED with that sequence and the position of
 * the last entry in it. R3. A message whose `after` is above the last durable sequence is held back
 * until it is durable. A message with `after` 0 rests on nothing that is not. R4. Committed entries
 * are applied in order. An entry may be committed before it is durable here. */
#ifndef GANDALF_ENGINE_RAFT_H
#define GANDALF_ENGINE_RAFT_H
#include "engine/message.h"
#include "engine/status.h"

struct gd_raft_options {
    gd_node_id id;
    uint64_t cluster_id;
    uint64_t boot;                  /* Goes into each message's header. */
    gd_time_ns election_timeout_ns; /* Drawn anew from [this, 2 * this) each time. */
    gd_time_ns heartbeat_ns;        /* Less than half of the election timeout. */
    size_t batch_size_max;       /* Bytes of entries in one AppendMsg (one entry may exceed it). */
    size_t window_size_max;      /* Bytes of entries in flight to one peer. */
    uint32_t window_count_max;   /* AppendMsgs in flight to one peer. */
    size_t uncommitted_size_max; /* Bytes; beyond it a proposal is GD_ERR_BUSY. It is also the
                                    limit for what the leader's own disk has not stored. */
    gd_time_ns push_delay_ns;    /* How long a peer that waits for nothing may not know what is
                                    committed: mostly the next append tells it. 0: told at once. */
    gd_time_ns round_delay_ns;   /* How long a read's round asks no more peers than a majority
                                    takes, before it asks all. 0: it asks all at once. */
    size_t lag_size_max;         /* Bytes of committed entries that are not applied; beyond it a
                                    follower takes no more, and a proposal is GD_ERR_BUSY. 0: none. */
    uint64_t tail_count;         /* Entries kept behind a snapshot for slow followers ... */
    size_t tail_size_max;        /* ... but no more than these bytes; four times as many while a
                                    peer that was heard of within an election timeout needs them. */
    bool lease;               /* Answer reads under the leader's lease, not by a round (opt-in). */
    uint32_t clock_drift_ppm; /* The lease's bound on how clocks differ, at most 500000. */
    uint64_t seed;            /* For the randomized timeouts. */
};

/* Paper Fig. 2, "persistent state", but for the log. */
struct gd_hard_state {
    gd_term term;
    gd_node_id vote; /* 0: none in `term`. */
};

/* What a snapshot stands for. */
struct gd_snapshot_meta {
    struct gd_position position; /* The last entry it covers. {0, 0}: none. */
    int64_t stamp_ms;            /* That entry's. */
    gd_index config_index;       /* The entry that brought `config`; 0: the bootstrap. */
    struct gd_config config;     /* In force at `position`. */
    uint64_t size;               /* Of the whole file, bytes. */
};

enum gd_raft_event_kind {
    GD_RAFT_TICK,    /* The deadline has come (or just: look at the time). */
    GD_RAFT_MESSAGE, /* From a peer; Raft's own types only. */
    GD_RAFT_PROPOSE, /* Entries to append, leader only. */
    GD_RAFT_READ,    /* A read waits: when is it safe? Any node. */
    GD_RAFT_PERSISTED,
    GD_RAFT_SNAPSHOT_TAKEN,     /* A local snapshot is stored: the log before it may go. */
    GD_RAFT_SNAPSHOT_PROGRESS,  /* A received chunk is stored: bytes so far. */
    GD_RAFT_SNAPSHOT_INSTALLED, /* A received snapshot is whole, checked, durable under its name. */
    GD_RAFT_SNAPSHOT_FAILED,    /* A received snapshot proved unusable: begin anew. */
    GD_RAFT_UNREACHABLE,        /* The connection to `peer` was lost. */
    GD_RAFT_TRANSFER,           /* Hand leadership to `peer` (0: the most up to date voter). */
    GD_RAFT_CHANGE,             /* Membership: propose `config` as the next. */
};
struct gd_raft_event {
    enum gd_raft_event_kind kind;
    gd_time_ns now;  /* Never below an earlier event's. */
    int64_t wall_ms; /* May jump. */
    union {
        const struct gd_message *message; /* Borrowed; its entries are shared when kept. */
        struct {
            struct gd_entry **entries; /* Borrowed array; references are shared when appended. */
            size_t count;
            const gd_node_id *origins; /* Borrowed array: who waits for each, to be told at once
                                          that it is committed; NULL: no other node. */
        } propose;
        uint64_t token; /* READ: the caller's name for it, not 0, never used twice. */
        struct {
            uint64_t sequence;       /* All up to here is durable. */
            struct gd_position last; /* The last entry in it; {0, 0} when it held none. */
        } persisted;
        const struct gd_snapshot_meta *snapshot; /* TAKEN, INSTALLED. Borrowed. */
        struct {
            struct gd_position position;
            uint64_t offset;
        } progress;      /* PROGRESS, FAILED. */
        gd_node_id peer; /* UNREACHABLE, TRANSFER. */
        const struct gd_config *config;
    };
};

/* To disk, in this order: hard state, truncation, reset, entries. */
struct gd_raft_persist {
    uint64_t sequence; /* 0: nothing to persist in this step. Counts up from 1. */
    bool hard_state_changed;
    struct gd_hard_state hard_state;
    gd_index truncate_from; /* Drop entries at and after this index first; 0: none. */
    bool reset; /* Drop the whole log: it goes on behind `reset_to` (a snapshot installed). */
    struct gd_position reset_to;
    struct gd_entry **entries; /* To append; borrowed until the next step. */
    size_t entry_count;
};
struct gd_raft_send {
    struct gd_message message; /* Complete but for install's data: read it from the snapshot file,
                                  at most a chunk. Borrowed until the next step. */
    uint64_t after;            /* R3. */
    struct gd_position
        after_position; /* The entry it waits for, for traces and checks; {0,0} none. */
};
struct gd_raft_read {
    uint64_t token;
    enum gd_err err; /* GD_OK; GD_ERR_NOT_LEADER: no leader known or it changed: ask again. */
    gd_index index;  /* Safe once applied up to here. */
    int64_t wall_ms; /* The leader's wall time at the read's point. */
};
/* A chunk to store; then GD_RAFT_SNAPSHOT_PROGRESS, or INSTALLED behind the last one. */
struct gd_raft_chunk {
    bool wanted; /* Else there is none in this step. */
    gd_node_id from;
    struct gd_message_install_snapshot install; /* Borrowed from the event's message. */
};
/* Everything is borrowed until the next step. */
struct gd_raft_effects {
    struct gd_raft_persist persist;
    struct gd_raft_send *sends;
    size_t send_count;
    struct gd_raft_read *reads;
    size_t read_count;
    struct gd_raft_chunk chunk;
    bool commit_advanced;  /* gd_raft_commit has grown. */
    bool role_changed;     /* Role, term or leader is another. */
    bool config_changed;   /* The configuration in force is another (also by rollback). */
    bool snapshot_restore; /* The snapshot just installed replaces the state machine's state. */
    gd_time_ns deadline;   /* Call again (TICK) at this time at the latest. */
    /* PROPOSE: GD_OK; GD_ERR_NOT_LEADER; GD_ERR_BUSY (uncommitted bytes); nothing was appended
     * then. TRANSFER, CHANGE: GD_OK; NOT_LEADER; BUSY (one is under way, or, for CHANGE, no
     * own-term entry is committed yet); INVALID (`refusal` says why). */
    enum gd_err result;
    const char *refusal;  /* Static; never NULL. */
    gd_index first_index; /* PROPOSE, CHANGE with GD_OK: index of the first entry appended. */
};

struct gd_raft;
/* A node's consensus as it was when it last stopped.
 *
 * Owns     The result is the caller's; gd_raft_free ends it. `snapshot` is copied; entries follow
 * by gd_raft_restore, then gd_raft_start before the first step. */
struct gd_raft *gd_raft_new(const struct gd_raft_options *options,
                            const struct gd_hard_state *hard_state,
                            const struct gd_snapshot_meta *snapshot);
void gd_raft_free(struct gd_raft *raft);
/* A stored entry, in order; the reference is moved in. The first may lie behind a tail that the log
 * kept before the snapshot: then `previous` of it must be told by gd_raft_restore_tail first. */
void gd_raft_restore(struct gd_raft *raft, struct gd_entry *entry);
/* The log begins behind `before`, which is at or below the snapshot's position. */
void gd_raft_restore_tail(struct gd_raft *raft, struct gd_position before);
void gd_raft_start(struct gd_raft *raft, gd_time_ns now);

/* The newest version of a configuration's format that every member is known to read; 2 until told.
 * A change that it cannot say is refused; once a configuration of version 2 is in force, so that
 * all members have read one, this is of no account. */
void gd_raft_set_config_version(struct gd_raft *raft, uint8_t version);

/* One event. `*effects` is overwritten. */
void gd_raft_step(struct gd_raft *raft, const struct gd_raft_event *event,
                  struct gd_raft_effects *effects);

/* Facts. Positions are named apart: last (in memory), stored (durable here), commit. */
enum gd_role gd_raft_role(const struct gd_raft *raft);
gd_term gd_raft_term(const struct gd_raft *raft);
gd_node_id gd_raft_vote(const struct gd_raft *raft);
gd_node_id gd_raft_leader(const struct gd_raft *raft); /* 0: none known. */
gd_index gd_raft_commit(const struct gd_raft *raft);
struct gd_position gd_raft_last(const struct gd_raft *raft);
struct gd_position gd_raft_stored(const struct gd_raft *raft);
gd_index gd_raft_first_index(const struct gd_raft *raft); /* Of the log in memory. */
const struct gd_snapshot_meta *gd_raft_snapshot(const struct gd_raft *raft);
const struct gd_config *gd_raft_config(const struct gd_raft *raft); /* In force. */
gd_index gd_raft_config_index(const struct gd_raft *raft);
/* The highest id that was a member's in any configuration that this start has seen. */
gd_node_id gd_raft_id_highest(const struct gd_raft *raft);
/* The configuration in force at a committed index that the log still reaches. */
const struct gd_config *gd_raft_config_at(const struct gd_raft *raft, gd_index index,
                                          gd_index *config_index);
/* The entry, borrowed, or NULL when the log does not hold it. */
struct gd_entry *gd_raft_entry(const struct gd_raft *raft, gd_index index);
/* The term at `index`, 0 when not known. */
gd_term gd_raft_term_at(const struct gd_raft *raft, gd_index index);
size_t gd_raft_log_size(const struct gd_raft *raft); /* Bytes of entries in memory. */
/* How far the caller has applied: it may go back when a database has lost what it had. */
void gd_raft_set_applied(struct gd_raft *raft, gd_index index);
/* Bytes of committed entries that are not applied; whether that is the limit or more. */
size_t gd_raft_lag_size(struct gd_raft *raft);
bool gd_raft_lag_full(struct gd_raft *raft);
/* Does this node lead, and is its own disk so far behind that it takes no proposals? */
bool gd_raft_disk_behind(struct gd_raft *raft);
/* The last stamp in the log or snapshot: the next entry's is no lower. */
int64_t gd_raft_stamp_ms(const struct gd_raft *raft);
/* Fills state, match, next, lag and last contact; false when not leader or no such peer. */
bool gd_raft_progress(const struct gd_raft *raft, gd_node_id peer, gd_time_ns now,
                      struct gd_member_status *status);
/* The last entry that this leader counts as stored on `peer`, and the start of the peer's that this
 * is about (0: none was heard yet); 0 when not leader or no such peer. */
gd_index gd_raft_match(const struct gd_raft *raft, gd_node_id peer, uint64_t *boot);
/* Is a leader's own-term entry committed: may reads be answered (paper section 8)? */
bool gd_raft_leader_ready(const struct gd_raft *raft);

/* What only time and disk can tell, for whoever checks promises from outside. */
struct gd_raft_facts {
    bool hard_state_durable;      /* Term and vote as they are now are on the disk. */
    bool cut_open;                /* The log was cut, and that is not on the disk yet: until then
                                     gd_raft_stored may be lower than what is there. */
    gd_node_id transfer_target;   /* A leader's; 0: no transfer is under way. */
    gd_node_id offered_to;        /* Whom it asked last to lead, as TimeoutNow does, ... */
    struct gd_position offered;   /* ... and its last entry then. */
    uint64_t offers;              /* Times that it did so since its start. */
    gd_time_ns election_deadline; /* By the node's clock, as the next two. */
    gd_time_ns leader_contact; /* A leader of this term last spoke; 0: none, or its loss showed. */
    gd_time_ns lease_until;    /* A leader may answer reads by itself; 0: it may not. */
    uint64_t campaigns;        /* Times that it stood for election since its start. */
};
void gd_raft_facts(const struct gd_raft *raft, struct gd_raft_facts *facts);
#endif
