/* raft_internal.h - the parts of the consensus and how they reach each other. Engine only.
 *
 *   raft.c        events in, effects out; terms; persistence; facts
 *   election.c    timeouts, pre-votes, votes, check-quorum, transfer (paper 5.2, thesis 4.2.3, 9.6)
 *   replication.c progress of peers, appends, snapshots to and from peers, commit (paper 5.3, 5.4,
 * 7) read_index.c  reads (thesis 6.4) membership.c  the configuration in force; its changes (paper
 * 6, thesis 4) quorum.c      majorities; log.c the log in memory */
#ifndef GANDALF_ENGINE_RAFT_INTERNAL_H
#define GANDALF_ENGINE_RAFT_INTERNAL_H
#include "engine/log.h"
#include "engine/prng.h"
#include "engine/quorum.h"
#include "engine/raft.h"

#define GD__FLIGHT_MAX 128 /* Upper bound of window_count_max. */
#define GD__NEVER UINT64_MAX

/* An AppendMsg with entries that was not answered yet. */
struct gd__flight {
    gd_index last; /* Its last entry. */
    size_t size;
};

/* What a leader knows of a member. Reset whole at the start of each leadership. */
struct gd__progress {
    gd_node_id id;
    enum gd_progress_state state;
    gd_index match; /* Known to be stored there. */
    gd_index next;  /* To be sent next. */
    uint64_t boot;  /* The peer's start that this is about; 0: not heard yet. */
    struct gd__flight flights[GD__FLIGHT_MAX];
    uint32_t flight_first, flight_count;
    size_t flight_size;
    bool probing; /* PROBE: an append is on its way. */
    bool pushing; /* An empty append that carries the commit index is on its way. */
    gd_index commit_sent;
    gd_index wanted;    /* It waits for something up to here: told at once when committed. */
    gd_time_ns push_ns; /* When it is told without waiting for an append; GD__NEVER: all told. */
    uint64_t round_acked;
    gd_time_ns contact_ns;       /* Last answer in this term. */
    struct gd_position snapshot; /* SNAPSHOT: which. */
    uint64_t snapshot_size, snapshot_offset;
    gd_time_ns chunk_ns;
    gd_index goal; /* A member that joins: the round of catching up ends there (thesis 4.2.1). */
    gd_time_ns goal_ns; /* Since when. */
};

struct gd__read_wait {
    uint64_t token;
    gd_node_id from; /* 0: our own. */
    uint64_t round;  /* Answered when this round is confirmed; 0: not in a round yet. */
    gd_time_ns asked_ns;
};

struct gd__config_at {
    gd_index index;
    struct gd_config config;
};

struct gd_raft {
    struct gd_raft_options options;
    struct gd_prng prng;
    gd_time_ns now;
    int64_t wall_ms;

    struct gd_hard_state hard_state;
    enum gd_role role;
    gd_node_id leader;
    struct gd_log log;
    gd_index stored; /* Durable here and not truncated since. */
    gd_index commit;
    struct gd_snapshot_meta snapshot;
    struct gd__config_at *configs; /* Owned; oldest first; the last is in force. Never empty. */
    size_t config_count, config_capacity;
    bool joining;           /* The one in force has members that join. */
    gd_node_id id_highest;  /* Of all configurations that this start has seen (G3). */
    uint8_t config_version; /* All members read configurations up to this one. */

    /* Persistence. */
    uint64_t sequence;            /* The last one given out. */
    uint64_t durable;             /* The last one told. */
    uint64_t hard_state_sequence; /* That holds the hard state in force. */
    uint64_t truncate_sequence;   /* That holds the last truncation or reset. */
    gd_index truncate_low;        /* No truncation since `durable` was from below it. */

    /* Elections. */
    gd_time_ns election_deadline;
    gd_time_ns election_timeout; /* Drawn for this round. */
    gd_time_ns leader_contact;   /* Last word of a leader of the present term. */
    gd_time_ns wanted_until;     /* So long it campaigns though it is no voter. */
    bool granted[GD_MEMBERS_MAX];
    bool refused[GD_MEMBERS_MAX];
    bool by_transfer; /* This candidacy came from TimeoutNow. */
    struct gd_position offered;
    uint64_t campaigns, offers;
    uint64_t self_vote_sequence;

    /* Leadership. */
    struct gd__progress *progress; /* Owned, GD_MEMBERS_MAX; in the configuration's order. */
    uint32_t progress_count;
    gd_index term_start; /* The no-op's index. */
    gd_time_ns heartbeat_deadline;
    gd_time_ns quorum_deadline;
    gd_node_id transfer_target, offered_to;
    gd_time_ns transfer_deadline;
    bool transferred; /* A transfer began in this term: no lease any more. */
    size_t uncommitted_size;

    /* What waits for the database (lag.c). */
    gd_index applied; /* As the caller has said. */
    struct gd__lag {
        gd_index from, to; /* Entries in (from, to] are counted. */
        size_t size;       /* Bytes. */
    } lag;
    struct gd__lag unstored; /* What waits for a leader's own disk. */

    /* Reads. */
    struct gd__read_wait *waits; /* Owned. */
    size_t wait_count, wait_capacity;
    uint64_t round; /* The round in flight, or the last one. */
    bool round_open;
    gd_index round_index; /* Commit when it began. */
    int64_t round_wall_ms;
    gd_time_ns round_ns;
    gd_time_ns round_retry_ns; /* When it asks all; GD__NEVER: it has. */
    gd_time_ns lease_until;

    /* The step's effects. */
    struct gd_raft_effects *effects;
    struct gd_raft_send *sends; /* Owned; entries of appends are in `send_entries`. */
    size_t send_capacity;
    struct gd_entry **
        *send_arrays; /* Owned: arrays of the sends' entries, freed at the next step. */
    size_t send_array_count, send_array_capacity;
    struct gd_raft_read *reads; /* Owned. */
    size_t read_capacity;
    struct gd_entry **persist_entries; /* Owned. */
    size_t persist_capacity;
};

/* raft.c */
uint64_t gd__raft_touch(struct gd_raft *raft); /* This step persists: its sequence. */
void gd__raft_save_hard_state(struct gd_raft *raft);
void gd__raft_append(struct gd_raft *raft,
                     struct gd_entry *entry); /* Moved in; has its position. */
void gd__raft_truncate(struct gd_raft *raft, gd_index from);
/* What is written and not told yet says nothing of entries at or behind `from` any more (V2). */
void gd__raft_cut(struct gd_raft *raft, gd_index from);
/* A message, with `after` 0. Borrowed until the next call. */
struct gd_raft_send *gd__raft_send(struct gd_raft *raft, gd_node_id to, enum gd_message_type type);
/* The same, resting on all that is persisted so far. */
struct gd_raft_send *gd__raft_send_durable(struct gd_raft *raft, gd_node_id to,
                                           enum gd_message_type type);
void gd__raft_answer_read(struct gd_raft *raft, uint64_t token, enum gd_err err, gd_index index,
                          int64_t wall_ms);
void gd__raft_become_follower(struct gd_raft *raft, gd_term term, gd_node_id leader);
const struct gd_config *gd__raft_config(const struct gd_raft *raft);
int gd__raft_member(const struct gd_raft *raft, gd_node_id id); /* Its place, or -1. */
/* A leader's new entry: position and stamp set, appended, persisted. */
gd_index gd__raft_lead_append(struct gd_raft *raft, struct gd_entry *entry);

/* election.c */
void gd__election_unreachable(struct gd_raft *raft, gd_node_id peer);
void gd__election_reset_deadline(struct gd_raft *raft);
void gd__election_tick(struct gd_raft *raft);
void gd__election_message(struct gd_raft *raft, const struct gd_message *message);
void gd__election_persisted(struct gd_raft *raft);
void gd__election_transfer(struct gd_raft *raft, gd_node_id peer);
void gd__election_transfer_go(struct gd_raft *raft);
void gd__election_hand_over(struct gd_raft *raft); /* Who may lead no more offers it to another. */
bool gd__election_can_campaign(const struct gd_raft *raft);

/* replication.c */
void gd__replication_begin(struct gd_raft *raft); /* A leadership. */
void gd__replication_follow_config(struct gd_raft *raft);
void gd__replication_all(struct gd_raft *raft); /* Send what each peer may get. */
void gd__replication_heartbeat(struct gd_raft *raft);
/* Empty appends to a majority's worth of voters, to those first that were heard last. */
void gd__replication_ask(struct gd_raft *raft);
/* Empty appends to those who are to know the commit index now. */
void gd__replication_push_commit(struct gd_raft *raft);
/* The peer waits for what is up to `index`. */
void gd__replication_want(struct gd_raft *raft, gd_node_id peer, gd_index index);
gd_time_ns gd__replication_deadline(const struct gd_raft *raft); /* Of the next push. */
void gd__replication_message(struct gd_raft *raft, const struct gd_message *message);
void gd__replication_commit(struct gd_raft *raft); /* What has a majority is committed. */
void gd__replication_tick(struct gd_raft *raft);
void gd__replication_unreachable(struct gd_raft *raft, gd_node_id peer);
void gd__replication_taken(struct gd_raft *raft, const struct gd_snapshot_meta *meta);
void gd__replication_installed(struct gd_raft *raft, const struct gd_snapshot_meta *meta);
void gd__replication_progress(struct gd_raft *raft, struct gd_position position, uint64_t offset);
struct gd__progress *gd__replication_find(struct gd_raft *raft, gd_node_id id);

/* lag.c */
size_t gd__lag_size(struct gd_raft *raft);
bool gd__lag_full(struct gd_raft *raft);    /* No further entries from others, no proposals. */
bool gd__disk_behind(struct gd_raft *raft); /* Leader: no proposals. */

/* read_index.c */
void gd__reads_event(struct gd_raft *raft, uint64_t token);
void gd__reads_message(struct gd_raft *raft, const struct gd_message *message);
void gd__reads_confirm(struct gd_raft *raft); /* A round may be confirmed, or may begin. */
void gd__reads_drop(struct gd_raft *raft);    /* Leader or term is another. */
bool gd__reads_may_lease(const struct gd_raft *raft);
void gd__reads_tick(struct gd_raft *raft);
gd_time_ns gd__reads_deadline(const struct gd_raft *raft);

/* membership.c */
void gd__membership_init(struct gd_raft *raft, const struct gd_snapshot_meta *meta);
void gd__membership_appended(struct gd_raft *raft, const struct gd_entry *entry);
void gd__membership_truncated(struct gd_raft *raft, gd_index from);
void gd__membership_compacted(struct gd_raft *raft, gd_index to);
void gd__membership_change(struct gd_raft *raft, const struct gd_config *next);
void gd__membership_committed(struct gd_raft *raft); /* Leader: a joint one goes on to the new. */
void gd__membership_promote(struct gd_raft *raft);   /* Leader: who joins and has caught up. */
#endif
