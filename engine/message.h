/* message.h - what peers say to each other, and its bytes on a connection.
 *
 * A frame is a 32-bit length, a CRC-32C, and a body (docs/formats.md). The decoder takes any bytes
 * and answers with a message or an error: it does not crash, allocates no more than a frame may
 * hold, and reads nothing past the end. */
#ifndef GANDALF_ENGINE_MESSAGE_H
#define GANDALF_ENGINE_MESSAGE_H
#include "engine/config.h"
#include "engine/entry.h"

/* What this program speaks; a peer is answered in the lower of the two, and refused below the
 * least. Version 2 adds: configurations of version 2 (config.h) and the life in a Hello, Join. */
#define GD_PROTOCOL_VERSION 2
#define GD_PROTOCOL_VERSION_MIN 1
/* "gndl" in front of a Hello, so that another protocol's bytes are known at once. */
#define GD_PROTOCOL_MAGIC UINT32_C(0x6c646e67)
/* Bytes of a frame, length field included: a client's largest request and room for the rest. */
#define GD_FRAME_SIZE_MAX ((size_t)640 << 20)

/* Numbers travel: never renumber or reuse. */
enum gd_message_type {
    GD_MESSAGE_HELLO = 1,
    GD_MESSAGE_PRE_VOTE = 2,
    GD_MESSAGE_PRE_VOTE_RESP = 3,
    GD_MESSAGE_VOTE = 4,
    GD_MESSAGE_VOTE_RESP = 5,
    GD_MESSAGE_APPEND = 6,
    GD_MESSAGE_APPEND_RESP = 7,
    GD_MESSAGE_INSTALL_SNAPSHOT = 8,
    GD_MESSAGE_INSTALL_SNAPSHOT_RESP = 9,
    GD_MESSAGE_READ_INDEX = 10,
    GD_MESSAGE_READ_INDEX_RESP = 11,
    GD_MESSAGE_TIMEOUT_NOW = 12,
    GD_MESSAGE_CLIENT_WRITE = 13,
    GD_MESSAGE_CLIENT_RESP = 14,
    GD_MESSAGE_CLIENT_ERROR = 15,
    GD_MESSAGE_JOIN = 16, /* To who speaks version 2. */
};
#define GD_MESSAGE_TYPE_MAX GD_MESSAGE_JOIN
/* "Append", ...; static; "?" for a number that is none. */
const char *gd_message_type_text(enum gd_message_type type);

struct gd_message_hello { /* The first on a connection, from the side that connects. */
    uint16_t version, version_min;
    struct gd_address peer_address;   /* Where the sender listens for peers. */
    struct gd_address client_address; /* Where it listens for clients. */
    uint32_t life; /* By which the sender's configuration knows the receiver (config.h); 0: it does
                      not; GD_LIFE_REMOVED: the receiver is a member no more. */
};
/* A Hello of no cluster, to nobody: an empty node asks to be added, as header's `from` (0: as
 * whatever is free), at `peer_address`. */
struct gd_message_join { /* The same, sent on to the leader. */
    gd_node_id id;
    struct gd_address address;
};
#define GD_LIFE_REMOVED UINT32_MAX
struct gd_message_vote {     /* VOTE and PRE_VOTE; paper Fig. 2, thesis 9.6. */
    struct gd_position last; /* The candidate's last entry. */
    bool transfer;           /* By TimeoutNow: stickiness does not hold (thesis 4.2.3). */
};
struct gd_message_vote_resp { /* To PRE_VOTE: header term is the term asked for when granted. */
    bool granted;
};
struct gd_message_append { /* Without entries: a heartbeat. */
    struct gd_position previous;
    gd_index commit;
    uint64_t round;            /* Echoed: which confirmation of leadership this belongs to. */
    struct gd_entry **entries; /* Borrowed from the message's owner; see gd_message_release. */
    size_t entry_count;
};
struct gd_message_append_resp {
    bool success;
    /* success: the last entry known to match the leader's, stored. Else where the leader may go on:
     * the follower's last entry at or before the conflict (back-off by term, thesis 3.5). */
    struct gd_position last;
    gd_index rejected; /* Without success: previous.index of the append refused. */
    uint64_t round;
};
struct gd_message_install_snapshot {
    struct gd_position position; /* Which snapshot. */
    uint64_t size;               /* Of the whole file. */
    uint64_t offset;             /* Of `data` in it. */
    uint64_t round;
    struct gd_slice data; /* At most a chunk; the last one ends at `size`. */
};
struct gd_message_install_snapshot_resp {
    struct gd_position position;
    uint64_t offset; /* Stored so far: the next chunk wanted. */
    bool done;       /* Installed (or not needed): the log goes on behind `position`. */
    uint64_t round;
};
struct gd_message_read_index {
    uint64_t token; /* The sender's; comes back. */
};
struct gd_message_read_index_resp {
    uint64_t token;
    bool granted; /* Else ask again elsewhere: not the leader, or not yet. */
    gd_index index;
    int64_t wall_ms; /* The leader's wall time at the confirmation's start. */
};
struct gd_message_client_write { /* A write forwarded to the leader; applied at most once. */
    uint64_t sequence;           /* Of the sender (header's from and boot). */
    uint64_t previous;    /* The open write that must be in the leader's log first; 0: none. */
    struct gd_slice data; /* An encoded proposal: proposal.h. */
};
struct gd_message_client_resp { /* It is in the leader's log: if another entry commits there, it was
                                   not applied under this position. */
    uint64_t sequence;
    struct gd_position position;
};
struct gd_message_client_error { /* It is not in the log and will not be by that message. */
    uint64_t sequence;
    enum gd_err reason; /* GD_ERR_NOT_LEADER, GD_ERR_BUSY, GD_ERR_INVALID; GD_ERR_MORE: an earlier
                           one is missing, send all that is open again. */
};

struct gd_message {
    enum gd_message_type type;
    uint64_t cluster_id;
    gd_node_id from, to;
    gd_term term;
    uint64_t boot; /* The sender's: which of its starts. */
    union {
        struct gd_message_hello hello;
        struct gd_message_vote vote;
        struct gd_message_vote_resp vote_resp;
        struct gd_message_append append;
        struct gd_message_append_resp append_resp;
        struct gd_message_install_snapshot install;
        struct gd_message_install_snapshot_resp install_resp;
        struct gd_message_read_index read_index;
        struct gd_message_read_index_resp read_index_resp;
        struct gd_message_client_write client_write;
        struct gd_message_client_resp client_resp;
        struct gd_message_client_error client_error;
        struct gd_message_join join;
    };
};

/* Adds the whole frame to `bytes`. */
void gd_message_encode(const struct gd_message *message, struct gd_bytes *bytes);

/* The type that a whole frame's header names; 0: none. */
enum gd_message_type gd_message_frame_type(struct gd_slice frame);
gd_term gd_message_frame_term(struct gd_slice frame); /* The same of the term. */
/* What an Append says in front of its entries: `append->entries` stays NULL. False: it is none. */
bool gd_message_frame_append(struct gd_slice frame, struct gd_message_append *append);

/* Reads one frame from the front of `input`.
 *
 * Owns     On GD_OK `*message` borrows slices from `input`; an append's entries are new, with one
 *          reference each, in an array: gd_message_release drops both.
 * Returns  GD_OK: `*consumed` bytes are done with. GD_ERR_MORE: not whole yet. GD_ERR_TOO_LARGE:
 * the length field is past `frame_size_max`. GD_ERR_CORRUPT, GD_ERR_VERSION: not a frame of ours;
 *          the connection is of no more use. `*message` is then unchanged. */
GD_MUST_CHECK enum gd_err gd_message_decode(struct gd_slice input, size_t frame_size_max,
                                            size_t *consumed, struct gd_message *message);
/* Ends what a decoded message owns. Harmless on any other. */
void gd_message_release(struct gd_message *message);
/* Length of the frame that begins with these 4 bytes, length field included. */
uint32_t gd_message_frame_size(const uint8_t *bytes);
#endif
