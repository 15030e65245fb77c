/* wal_format.h - the bytes of the write-ahead log: records and what is in them. No input or output.
 * The tables are in docs/formats.md, the design in wal.c. */
#ifndef GANDALF_ENGINE_WAL_FORMAT_H
#define GANDALF_ENGINE_WAL_FORMAT_H
#include "engine/bytes.h"
#include "engine/wal.h"

#define GD__WAL_VERSION 1u
#define GD__WAL_RECORD_SIZE 32u /* Bytes in front of a record's body. */
#define GD__WAL_ENTRY_SIZE 25u  /* Bytes of an entry record's body in front of its data. */

/* Numbers are stored: never renumber or reuse. */
enum gd__wal_type {
    GD__WAL_HEADER = 1,
    GD__WAL_ENTRY = 2,
    GD__WAL_HARD_STATE = 3,
    GD__WAL_TRUNCATE = 4,
    GD__WAL_RESET = 5,
    GD__WAL_SNAPSHOT = 6,
    GD__WAL_NOTE = 7,
    GD__WAL_INSTALL = 8, /* A snapshot mark and a reset to its position, in one. */
};
#define GD__WAL_TYPE_MAX GD__WAL_INSTALL

/* One record as read. */
struct gd__wal_record {
    enum gd__wal_type type;
    uint64_t lsn;         /* Counts up by one a record, over all segments; the first is 1. */
    uint64_t durable;     /* Every record up to this one was durable when this one was written. */
    struct gd_slice body; /* Borrowed. */
    size_t size;          /* Of the whole record. */
};

/* All that the records up to some point add up to, but for the entries. */
struct gd__wal_state {
    struct gd_hard_state hard_state;
    struct gd_snapshot_meta snapshot;
    gd_index keep_after;     /* Entries at or below are not needed any more. */
    struct gd_position tail; /* The last entry, or what the log begins behind. */
};
/* A segment's first record. */
struct gd__wal_header {
    uint64_t segment;
    struct gd_wal_identity identity;
    bool reset;  /* Nothing of the log in older segments counts. */
    bool adopts; /* Older segments may name another cluster: an operator recovered this node into
                    the one named here. */
    struct gd__wal_state state;
};

/* Writing: begin returns where the record begins in `bytes`; then its body is added; then end fills
 * the front. */
size_t gd__wal_record_begin(struct gd_bytes *bytes);
void gd__wal_record_end(struct gd_bytes *bytes, size_t begin, enum gd__wal_type type,
                        uint64_t segment, uint64_t lsn, uint64_t durable);
/* Is there a whole record of `segment` at `at`? False changes nothing. */
bool gd__wal_record_decode(const uint8_t *at, size_t left, uint64_t segment,
                           struct gd__wal_record *record);

void gd__wal_header_add(struct gd_bytes *bytes, const struct gd__wal_header *header);
/* GD_ERR_VERSION: written by another version. GD_ERR_CORRUPT: not one that `add` wrote. `*header`
 * is unchanged on failure. */
GD_MUST_CHECK enum gd_err gd__wal_header_decode(struct gd_slice body,
                                                struct gd__wal_header *header);
void gd__wal_entry_add(struct gd_bytes *bytes, const struct gd_entry *entry);
/* A new entry with one reference, or NULL. */
struct gd_entry *gd__wal_entry_decode(struct gd_slice body);
void gd__wal_position_add(struct gd_bytes *bytes, struct gd_position position);
GD_MUST_CHECK enum gd_err gd__wal_position_decode(struct gd_slice body,
                                                  struct gd_position *position);
void gd__wal_hard_state_add(struct gd_bytes *bytes, const struct gd_hard_state *hard_state);
GD_MUST_CHECK enum gd_err gd__wal_hard_state_decode(struct gd_slice body,
                                                    struct gd_hard_state *hard_state);
void gd__wal_snapshot_add(struct gd_bytes *bytes, const struct gd_snapshot_meta *meta,
                          gd_index keep_after);
GD_MUST_CHECK enum gd_err
gd__wal_snapshot_decode(struct gd_slice body, struct gd_snapshot_meta *meta, gd_index *keep_after);

/* What lies behind a place where no record could be read. */
struct gd__wal_scan {
    uint64_t durable;  /* The highest `durable` of any whole record there; 0: none. */
    size_t dirty_size; /* Bytes up to the last one that is not 0. */
    size_t dirty_from; /* Bytes of zeros at the front, when there is any other. */
};
void gd__wal_scan(const uint8_t *at, size_t size, uint64_t segment, struct gd__wal_scan *scan);
#endif
