/* status.h - what a node tells about itself: the facts behind INFO, CLUSTER and RAFT STATUS.
 *
 * A plain copy, filled by the node on demand and borrowed for one call: a Parser turns it into its
 * protocol and can change nothing through it. */
#ifndef GANDALF_ENGINE_STATUS_H
#define GANDALF_ENGINE_STATUS_H
#include "engine/io.h"

enum gd_role { GD_ROLE_FOLLOWER, GD_ROLE_PRE_CANDIDATE, GD_ROLE_CANDIDATE, GD_ROLE_LEADER };
/* "follower", "pre-candidate", "candidate", "leader"; static. */
const char *gd_role_text(enum gd_role role);

enum gd_progress_state { GD_PROGRESS_PROBE, GD_PROGRESS_REPLICATE, GD_PROGRESS_SNAPSHOT };
/* "probe", "replicate", "snapshot"; static. */
const char *gd_progress_text(enum gd_progress_state state);

struct gd_member_status {
    gd_node_id id;
    struct gd_address peer_address;   /* Where its peers reach it. */
    struct gd_address client_address; /* Where clients reach it; empty text while not known. */
    bool voter;                       /* In the (incoming) voters. */
    bool outgoing;                    /* In the outgoing voters of a joint configuration. */
    bool learner;
    bool joining;      /* A learner that becomes a voter by itself. */
    uint16_t protocol; /* The version of the protocol that we speak with it; 0 while not known. */
    bool connected;    /* We hold a connection to it; true for ourselves. */
    /* On the leader only, else 0. */
    enum gd_progress_state state;
    gd_index match;
    gd_index next;
    uint64_t lag_bytes;
    gd_time_ns last_contact_ns; /* Time since it last answered. */
};

struct gd_session_status {
    uint64_t id; /* Counts up from 1; never reused while a node runs. */
    struct gd_address address;
    gd_time_ns age_ns, idle_ns;
    size_t input_size, output_size; /* Bytes buffered. */
    void *parser_session;           /* The Parser's own, borrowed: it knows name and protocol. */
};

struct gd_node_status {
    uint64_t cluster_id;
    gd_node_id id;
    enum gd_role role;
    gd_term term;
    gd_node_id leader; /* 0 while none is known. */
    gd_index first_index, last_index, stored_index, commit_index, applied_index;
    struct gd_position snapshot;
    int64_t stamp_ms; /* The replicated clock. */
    int64_t wall_ms;
    gd_time_ns uptime_ns;
    bool redirect; /* follower: redirect. */
    bool ready;    /* State machine restored and caught up with what was stored at start. */
    bool joint;    /* The configuration in force is a joint one. */
    gd_index config_index;
    uint16_t protocol, protocol_all; /* What we speak; what all members do, 0 while not known. */
    const struct gd_member_status *members; /* Borrowed; ordered by id. */
    size_t member_count;
    const struct gd_session_status *sessions; /* Borrowed; ordered by id. */
    size_t session_count;
    struct gd_address peer_address, client_address; /* Our own. */
    /* Counters since start. */
    uint64_t connections_received, connections_refused, requests, reads, writes, forwarded;
    uint64_t bytes_in, bytes_out, snapshots_taken, elections_won, wal_syncs, wal_bytes;
    uint64_t log_bytes;     /* Memory of the log's entries. */
    uint64_t pending_bytes; /* Requests that wait for commit or apply. */
};
#endif
