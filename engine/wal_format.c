/* wal_format.c - encoding and decoding of the write-ahead log's records.
 *
 *   OFFSET  SIZE  FIELD OF EVERY RECORD (integers are little-endian)
 *        0     4  CRC-32C of bytes [4, 32 + size)
 *        4     4  size of the body
 *        8     1  type
 *        9     3  zero
 *       12     4  low half of the segment's number, never 0
 *       16     8  LSN
 *       24     8  durable LSN
 *       32  size  body
 *
 * The bodies' tables are in docs/formats.md. The segment's number is in each record so that bytes
 * which belong to another file are never taken for ours, and so that looking for records in a
 * damaged file costs one comparison a byte. */
#include "engine/wal_format.h"
#include "engine/snapshot_format.h"

enum {
    SIZE_OFFSET = 4,
    TYPE_OFFSET = 8,
    SEGMENT_OFFSET = 12,
    LSN_OFFSET = 16,
    DURABLE_OFFSET = 24
};
/* HEADER: flags. */
#define HEADER_RESET 1u
#define HEADER_ADOPTS 2u

size_t gd__wal_record_begin(struct gd_bytes *bytes)
{
    size_t begin = bytes->size;

    (void)gd_bytes_reserve(bytes, GD__WAL_RECORD_SIZE); /* gd__wal_record_end fills all of it. */
    bytes->size += GD__WAL_RECORD_SIZE;
    return begin;
}

void gd__wal_record_end(struct gd_bytes *bytes, size_t begin, enum gd__wal_type type,
                        uint64_t segment, uint64_t lsn, uint64_t durable)
{
    uint8_t *at = bytes->data + begin;
    size_t size = bytes->size - begin;

    GD_ASSERT(size >= GD__WAL_RECORD_SIZE);
    GD_ASSERT(size - GD__WAL_RECORD_SIZE <= UINT32_MAX);
    gd_put_le32(at + SIZE_OFFSET, (uint32_t)(size - GD__WAL_RECORD_SIZE));
    gd_put_le32(at + TYPE_OFFSET, (uint32_t)type); /* And three zeros. */
    gd_put_le32(at + SEGMENT_OFFSET, (uint32_t)segment);
    gd_put_le64(at + LSN_OFFSET, lsn);
    gd_put_le64(at + DURABLE_OFFSET, durable);
    gd_put_le32(at, gd_crc32c(0, at + SIZE_OFFSET, size - SIZE_OFFSET));
}

bool gd__wal_record_decode(const uint8_t *at, size_t left, uint64_t segment,
                           struct gd__wal_record *record)
{
    uint32_t size;

    if (left < GD__WAL_RECORD_SIZE || gd_get_le32(at + SEGMENT_OFFSET) != (uint32_t)segment) {
        return false;
    }
    size = gd_get_le32(at + SIZE_OFFSET);
    if (size > left - GD__WAL_RECORD_SIZE || at[TYPE_OFFSET] == 0 ||
        at[TYPE_OFFSET] > GD__WAL_TYPE_MAX) {
        return false;
    }
    if (gd_crc32c(0, at + SIZE_OFFSET, GD__WAL_RECORD_SIZE - SIZE_OFFSET + size) !=
        gd_get_le32(at)) {
        return false;
    }
    record->type = (enum gd__wal_type)at[TYPE_OFFSET];
    record->lsn = gd_get_le64(at + LSN_OFFSET);
    record->durable = gd_get_le64(at + DURABLE_OFFSET);
    record->body = (struct gd_slice){at + GD__WAL_RECORD_SIZE, size};
    record->size = GD__WAL_RECORD_SIZE + size;
    return true;
}

void gd__wal_position_add(struct gd_bytes *bytes, struct gd_position position)
{
    gd_bytes_add_le64(bytes, position.term);
    gd_bytes_add_le64(bytes, position.index);
}

static struct gd_position position_read(struct gd_reader *reader)
{
    gd_term term = gd_reader_le64(reader);
    gd_index index = gd_reader_le64(reader);

    return (struct gd_position){term, index};
}

enum gd_err gd__wal_position_decode(struct gd_slice body, struct gd_position *position)
{
    struct gd_reader reader = gd_reader_of(body);
    struct gd_position read = position_read(&reader);

    if (reader.failed || reader.left != 0) {
        return GD_ERR_CORRUPT;
    }
    *position = read;
    return GD_OK;
}

void gd__wal_hard_state_add(struct gd_bytes *bytes, const struct gd_hard_state *hard_state)
{
    gd_bytes_add_le64(bytes, hard_state->term);
    gd_bytes_add_le64(bytes, hard_state->vote);
}

enum gd_err gd__wal_hard_state_decode(struct gd_slice body, struct gd_hard_state *hard_state)
{
    struct gd_reader reader = gd_reader_of(body);
    struct gd_hard_state read = {0};

    read.term = gd_reader_le64(&reader);
    read.vote = gd_reader_le64(&reader);
    if (reader.failed || reader.left != 0) {
        return GD_ERR_CORRUPT;
    }
    *hard_state = read;
    return GD_OK;
}

void gd__wal_snapshot_add(struct gd_bytes *bytes, const struct gd_snapshot_meta *meta,
                          gd_index keep_after)
{
    gd_bytes_add_le64(bytes, keep_after);
    gd__snapshot_meta_encode(meta, bytes);
}

enum gd_err gd__wal_snapshot_decode(struct gd_slice body, struct gd_snapshot_meta *meta,
                                    gd_index *keep_after)
{
    struct gd_reader reader = gd_reader_of(body);
    gd_index keep = gd_reader_le64(&reader);

    if (reader.failed ||
        gd__snapshot_meta_decode((struct gd_slice){reader.at, reader.left}, meta) != GD_OK) {
        return GD_ERR_CORRUPT;
    }
    *keep_after = keep;
    return GD_OK;
}

void gd__wal_header_add(struct gd_bytes *bytes, const struct gd__wal_header *header)
{
    gd_bytes_add_le32(bytes, GD__WAL_VERSION);
    gd_bytes_add_le32(bytes,
                      (header->reset ? HEADER_RESET : 0u) | (header->adopts ? HEADER_ADOPTS : 0u));
    gd_bytes_add_le64(bytes, header->segment);
    gd_bytes_add_le64(bytes, header->identity.cluster_id);
    gd_bytes_add_le64(bytes, header->identity.node_id);
    gd_bytes_add_le64(bytes, header->identity.boot);
    gd__wal_hard_state_add(bytes, &header->state.hard_state);
    gd__wal_position_add(bytes, header->state.tail);
    gd__wal_snapshot_add(bytes, &header->state.snapshot, header->state.keep_after);
}

enum gd_err gd__wal_header_decode(struct gd_slice body, struct gd__wal_header *header)
{
    struct gd_reader reader = gd_reader_of(body);
    struct gd__wal_header read = {0};
    uint32_t version = gd_reader_le32(&reader);
    uint32_t flags = gd_reader_le32(&reader);

    if (!reader.failed && version != GD__WAL_VERSION) {
        return GD_ERR_VERSION;
    }
    read.reset = (flags & HEADER_RESET) != 0;
    read.adopts = (flags & HEADER_ADOPTS) != 0;
    read.segment = gd_reader_le64(&reader);
    read.identity.cluster_id = gd_reader_le64(&reader);
    read.identity.node_id = gd_reader_le64(&reader);
    read.identity.boot = gd_reader_le64(&reader);
    read.state.hard_state.term = gd_reader_le64(&reader);
    read.state.hard_state.vote = gd_reader_le64(&reader);
    read.state.tail = position_read(&reader);
    if (reader.failed || (flags & ~(HEADER_RESET | HEADER_ADOPTS)) != 0 ||
        gd__wal_snapshot_decode((struct gd_slice){reader.at, reader.left}, &read.state.snapshot,
                                &read.state.keep_after) != GD_OK) {
        return GD_ERR_CORRUPT;
    }
    *header = read;
    return GD_OK;
}

void gd__wal_entry_add(struct gd_bytes *bytes, const struct gd_entry *entry)
{
    uint8_t *at = gd_bytes_reserve(bytes, GD__WAL_ENTRY_SIZE + entry->size);

    gd_put_le64(at, entry->position.term);
    gd_put_le64(at + 8, entry->position.index);
    gd_put_le64(at + 16, (uint64_t)entry->stamp_ms);
    at[24] = (uint8_t)entry->type;
    if (entry->size > 0) {
        memcpy(at + GD__WAL_ENTRY_SIZE, entry->data, entry->size);
    }
    bytes->size += GD__WAL_ENTRY_SIZE + entry->size;
}

struct gd_entry *gd__wal_entry_decode(struct gd_slice body)
{
    struct gd_entry *entry;
    const uint8_t *at = body.data;

    if (body.size < GD__WAL_ENTRY_SIZE || at[24] == 0 || at[24] > GD_ENTRY_TYPE_MAX) {
        return NULL;
    }
    entry = gd_entry_new((enum gd_entry_type)at[24], at + GD__WAL_ENTRY_SIZE,
                         body.size - GD__WAL_ENTRY_SIZE);
    entry->position = (struct gd_position){gd_get_le64(at), gd_get_le64(at + 8)};
    entry->stamp_ms = (int64_t)gd_get_le64(at + 16);
    return entry;
}

static bool is_zero(const uint8_t *at, size_t size)
{
    uint64_t any = 0;

    while (size >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        any |= word;
        at += 8;
        size -= 8;
    }
    while (size-- > 0) {
        any |= *at++;
    }
    return any == 0;
}

void gd__wal_scan(const uint8_t *at, size_t size, uint64_t segment, struct gd__wal_scan *scan)
{
    struct gd__wal_record record;

    *scan = (struct gd__wal_scan){0};
    for (size_t block = 0; block < size; block += GD_BLOCK_SIZE) {
        size_t end = size - block < GD_BLOCK_SIZE ? size : block + GD_BLOCK_SIZE;

        if (is_zero(at + block, end - block)) {
            continue;
        }
        for (size_t place = block; place < end; place++) {
            if (at[place] != 0) {
                scan->dirty_from = scan->dirty_size == 0 ? place : scan->dirty_from;
                scan->dirty_size = place + 1;
            }
            if (gd__wal_record_decode(at + place, size - place, segment, &record) &&
                record.durable > scan->durable) {
                scan->durable = record.durable;
            }
        }
    }
}
