/* snapshot_format.h - the bytes of a snapshot file: its front, its chunks, its end. No input or
 * output. The tables are in docs/formats.md, the design in snapshot.c. */
#ifndef GANDALF_ENGINE_SNAPSHOT_FORMAT_H
#define GANDALF_ENGINE_SNAPSHOT_FORMAT_H
#include "engine/bytes.h"
#include "engine/raft.h"

#define GD__SNAPSHOT_VERSION 1u
#define GD__SNAPSHOT_FRONT_SIZE 16u       /* Bytes in front of the header's meta. */
#define GD__SNAPSHOT_CHUNK_FRONT_SIZE 12u /* Bytes in front of a chunk's data. */
#define GD__SNAPSHOT_END_SIZE 28u         /* Bytes of the end. */
/* A chunk's data: what the writer gathers, and the most that a reader takes. */
#define GD__SNAPSHOT_CHUNK_SIZE (128u * 1024u)
#define GD__SNAPSHOT_CHUNK_SIZE_MAX (1024u * 1024u)
/* The longest header: 32 members with the longest addresses, and room. */
#define GD__SNAPSHOT_HEADER_SIZE_MAX (16u * 1024u)

/* A meta, also in the write-ahead log. `size` is stored as it stands. */
void gd__snapshot_meta_encode(const struct gd_snapshot_meta *meta, struct gd_bytes *bytes);
/* Any bytes in. GD_ERR_CORRUPT: not one that encode wrote, to its last byte; `*meta` unchanged. */
GD_MUST_CHECK enum gd_err gd__snapshot_meta_decode(struct gd_slice slice,
                                                   struct gd_snapshot_meta *meta);

/* The file's front. */
void gd__snapshot_header_add(struct gd_bytes *bytes, const struct gd_snapshot_meta *meta);
/* GD_ERR_MORE: `slice` ends too early; GD_ERR_VERSION, GD_ERR_CORRUPT. On GD_OK `*size` bytes were
 * the header. */
GD_MUST_CHECK enum gd_err gd__snapshot_header_decode(struct gd_slice slice,
                                                     struct gd_snapshot_meta *meta, size_t *size);

/* A chunk: at least one byte. `sequence` counts from 0. */
void gd__snapshot_chunk_add(struct gd_bytes *bytes, uint32_t sequence, struct gd_slice data);
/* The end: `offset` is where it begins, `crc` covers the file up to there. */
void gd__snapshot_end_add(struct gd_bytes *bytes, uint32_t sequence, uint64_t offset,
                          uint64_t body_size, uint32_t crc);

/* The next piece behind the header. */
struct gd__snapshot_piece {
    bool end;             /* The end, and whole: file size and checksum agree. */
    struct gd_slice data; /* A chunk's; borrowed. */
    size_t size;          /* Of the piece in the file. */
};
/* `offset` is where `slice` begins in the file; the counters are what was read so far. GD_ERR_MORE:
 * `slice` ends too early. */
GD_MUST_CHECK enum gd_err gd__snapshot_piece_decode(struct gd_slice slice, uint64_t offset,
                                                    uint32_t sequence, uint64_t body_size,
                                                    uint32_t crc, struct gd__snapshot_piece *piece);
#endif
