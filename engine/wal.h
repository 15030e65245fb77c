/* wal.h - the write-ahead log: entries, hard state and marks of one node, in one sequence of
 * records.
 *
 * Everything that gd_raft_persist asks for goes through here, in order; what arrives while a sync
 * is running shares the next one (group commit). Design, format and invariants: wal.c. */
#ifndef GANDALF_ENGINE_WAL_H
#define GANDALF_ENGINE_WAL_H
#include "engine/raft.h"

/* Who owns a data directory. Stored at the head of every segment. */
struct gd_wal_identity {
    uint64_t cluster_id;
    gd_node_id node_id;
    uint64_t boot; /* Starts of this node so far; raised and made durable by each open. */
};

struct gd_wal;
/* Durable up to `sequence` (gd_raft_persist's), all before it too. `last` is the last entry in
 * those records since the call before, {0, 0} when there was none. */
typedef void gd_wal_stored_fn(void *context, uint64_t sequence, struct gd_position last);
/* The log can no longer be trusted (a failed sync or write): the node must stop. At most once. */
typedef void gd_wal_failed_fn(void *context, const struct gd_error *error);

struct gd_wal_options {
    struct gd_io *io;      /* Borrowed; outlives the log. */
    const char *directory; /* E.g. "wal"; borrowed; made when absent. */
    uint64_t segment_size; /* Bytes preallocated; a multiple of GD_BLOCK_SIZE; a record that is
                              larger gets a segment of its own size. */
    size_t batch_size_max; /* Bytes in one write. */
    gd_wal_stored_fn *stored;
    gd_wal_failed_fn *failed;
    void *context;
};

/* What recovery found. Owned by the log until it is released or gd_wal_recovered_release. */
struct gd_wal_recovered {
    bool empty;                      /* A directory without any log: nothing below is set. */
    struct gd_wal_identity identity; /* As stored, before this start raised the boot. */
    struct gd_hard_state hard_state;
    struct gd_snapshot_meta snapshot; /* The last mark: entries follow behind its position, or
                                         behind `before` when a tail was kept. A log that does not
                                         lead up to it was dropped. */
    struct gd_position before;        /* In front of the first entry. */
    struct gd_entry **entries;        /* In order, without gaps. */
    size_t entry_count;
    uint64_t cut_size; /* Bytes of a torn tail that were dropped. */
    uint64_t last_lsn; /* The number of the last record that was there. */
};
/* `*recovered` is borrowed until the callback returns, its entries by reference (share what you
 * keep). Err: GD_ERR_CORRUPT (damage that is not a torn tail: file and offset in `error`),
 * GD_ERR_VERSION, GD_ERR_IO, GD_ERR_NO_SPACE, GD_ERR_PERMISSION. Nothing on the disk was changed
 * then. */
typedef void gd_wal_opened_fn(void *context, enum gd_err err,
                              const struct gd_wal_recovered *recovered,
                              const struct gd_error *error);

struct gd_wal *gd_wal_new(const struct gd_wal_options *options);
/* Recover: read all, check all, cut a torn tail, and make durable what was read before it is told.
 * Not told any more once gd_wal_close was called. */
void gd_wal_open(struct gd_wal *wal, gd_wal_opened_fn *opened, void *context);
/* Begin writing, in a new segment: identity (its boot is this start's), hard state and snapshot
 * mark stand at its head. For a fresh directory this makes the log. `started` gets GD_OK when
 * durable. */
void gd_wal_start(struct gd_wal *wal, const struct gd_wal_identity *identity,
                  const struct gd_hard_state *hard_state, const struct gd_snapshot_meta *snapshot,
                  void (*started)(void *context, enum gd_err err, const struct gd_error *error),
                  void *context);

/* Queue records; `stored` tells when they are durable. Entries are shared until then. Never
 * refused: what bounds the queue is the proposer's limit (gd_raft_options.uncommitted_size_max). */
void gd_wal_append(struct gd_wal *wal, const struct gd_raft_persist *persist);
/* A snapshot at `meta` is durable: records it, and (once that mark is durable) removes segments
 * whose every entry is at or below `keep_after`, which is no higher than `meta`. Called in the same
 * turn as an append with a reset to `meta`, the two become one record: no crash comes between. */
void gd_wal_snapshot(struct gd_wal *wal, const struct gd_snapshot_meta *meta, gd_index keep_after);

uint64_t gd_wal_durable(const struct gd_wal *wal); /* The last sequence told by `stored`. */
size_t gd_wal_queued(const struct gd_wal *wal);    /* Bytes not yet durable. */
/* No space for the next segment: nothing is lost, what is queued waits and is tried again. */
bool gd_wal_full(const struct gd_wal *wal);
void gd_wal_counters(const struct gd_wal *wal, uint64_t *syncs, uint64_t *bytes);
/* Bytes written in the segments that are kept, padding included: many small writes take a block
 * each, so it may be far above the entries' own size. A reason to take a snapshot. */
uint64_t gd_wal_size(const struct gd_wal *wal);

/* Waits for what is being written (queued records that no write has begun for are dropped), closes
 * files; `closed` ends it, then gd_wal_free. */
void gd_wal_close(struct gd_wal *wal, void (*closed)(void *context), void *context);
void gd_wal_free(struct gd_wal *wal);
#endif
