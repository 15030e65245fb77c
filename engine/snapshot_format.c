/* snapshot_format.c - encoding and decoding of snapshot files.
 *
 *   HEADER  magic "GDSN", version u32, meta size u32, CRC-32C u32 of the twelve bytes before it and
 *           of the meta; then the meta
 *   CHUNK   CRC-32C u32 of all behind it in the chunk; sequence u32 from 0; size u32, not 0; data
 *   END     CRC-32C u32 of all behind it in the end; sequence u32; size u32 = 0; body size u64;
 *           CRC-32C u32 of the file up to the end; offset of the end, halves joined by XOR, u32
 *
 * Chunks are numbered, so that one that is missing, doubled or misplaced is noticed at once, and
 * the end repeats the totals, so that a shortened file is not taken for a whole one. */
#include "engine/snapshot_format.h"

static const uint8_t magic[4] = {'G', 'D', 'S', 'N'};

void gd__snapshot_meta_encode(const struct gd_snapshot_meta *meta, struct gd_bytes *bytes)
{
    gd_bytes_add_le64(bytes, meta->position.term);
    gd_bytes_add_le64(bytes, meta->position.index);
    gd_bytes_add_le64(bytes, (uint64_t)meta->stamp_ms);
    gd_bytes_add_le64(bytes, meta->config_index);
    gd_bytes_add_le64(bytes, meta->size);
    gd_config_encode(&meta->config, bytes);
}

enum gd_err gd__snapshot_meta_decode(struct gd_slice slice, struct gd_snapshot_meta *meta)
{
    struct gd_reader reader = gd_reader_of(slice);
    struct gd_snapshot_meta read = {0};

    read.position.term = gd_reader_le64(&reader);
    read.position.index = gd_reader_le64(&reader);
    read.stamp_ms = (int64_t)gd_reader_le64(&reader);
    read.config_index = gd_reader_le64(&reader);
    read.size = gd_reader_le64(&reader);
    if (reader.failed ||
        gd_config_decode((struct gd_slice){reader.at, reader.left}, &read.config) != GD_OK) {
        return GD_ERR_CORRUPT;
    }
    *meta = read;
    return GD_OK;
}

void gd__snapshot_header_add(struct gd_bytes *bytes, const struct gd_snapshot_meta *meta)
{
    struct gd_snapshot_meta stored = *meta;
    size_t begin = bytes->size;
    size_t size;
    uint32_t crc;

    stored.size = 0; /* Not known while the front is written. */
    gd_bytes_add(bytes, magic, sizeof magic);
    gd_bytes_add_le32(bytes, GD__SNAPSHOT_VERSION);
    gd_bytes_add_le64(bytes, 0);
    gd__snapshot_meta_encode(&stored, bytes);
    size = bytes->size - begin - GD__SNAPSHOT_FRONT_SIZE;
    GD_ASSERT(size + GD__SNAPSHOT_FRONT_SIZE <= GD__SNAPSHOT_HEADER_SIZE_MAX);
    gd_put_le32(bytes->data + begin + 8, (uint32_t)size);
    crc = gd_crc32c(0, bytes->data + begin, 12);
    crc = gd_crc32c(crc, bytes->data + begin + GD__SNAPSHOT_FRONT_SIZE, size);
    gd_put_le32(bytes->data + begin + 12, crc);
}

enum gd_err gd__snapshot_header_decode(struct gd_slice slice, struct gd_snapshot_meta *meta,
                                       size_t *size)
{
    uint32_t meta_size, crc;
    enum gd_err err;

    if (slice.size < GD__SNAPSHOT_FRONT_SIZE) {
        return GD_ERR_MORE;
    }
    if (memcmp(slice.data, magic, sizeof magic) != 0) {
        return GD_ERR_CORRUPT;
    }
    meta_size = gd_get_le32(slice.data + 8);
    if (meta_size > GD__SNAPSHOT_HEADER_SIZE_MAX - GD__SNAPSHOT_FRONT_SIZE) {
        return GD_ERR_CORRUPT;
    }
    if (meta_size > slice.size - GD__SNAPSHOT_FRONT_SIZE) {
        return GD_ERR_MORE;
    }
    crc = gd_crc32c(0, slice.data, 12);
    crc = gd_crc32c(crc, slice.data + GD__SNAPSHOT_FRONT_SIZE, meta_size);
    if (crc != gd_get_le32(slice.data + 12)) {
        return GD_ERR_CORRUPT;
    }
    if (gd_get_le32(slice.data + 4) != GD__SNAPSHOT_VERSION) {
        return GD_ERR_VERSION;
    }
    err = gd__snapshot_meta_decode(
        (struct gd_slice){slice.data + GD__SNAPSHOT_FRONT_SIZE, meta_size}, meta);
    if (err == GD_OK) {
        *size = GD__SNAPSHOT_FRONT_SIZE + meta_size;
    }
    return err;
}

void gd__snapshot_chunk_add(struct gd_bytes *bytes, uint32_t sequence, struct gd_slice data)
{
    size_t begin = bytes->size;

    GD_ASSERT(data.size > 0);
    GD_ASSERT(data.size <= GD__SNAPSHOT_CHUNK_SIZE_MAX);
    gd_bytes_add_le32(bytes, 0);
    gd_bytes_add_le32(bytes, sequence);
    gd_bytes_add_le32(bytes, (uint32_t)data.size);
    gd_bytes_add(bytes, data.data, data.size);
    gd_put_le32(bytes->data + begin,
                gd_crc32c(0, bytes->data + begin + 4, bytes->size - begin - 4));
}

void gd__snapshot_end_add(struct gd_bytes *bytes, uint32_t sequence, uint64_t offset,
                          uint64_t body_size, uint32_t crc)
{
    size_t begin = bytes->size;

    gd_bytes_add_le32(bytes, 0);
    gd_bytes_add_le32(bytes, sequence);
    gd_bytes_add_le32(bytes, 0);
    gd_bytes_add_le64(bytes, body_size);
    gd_bytes_add_le32(bytes, crc);
    gd_bytes_add_le32(bytes, (uint32_t)(offset ^ offset >> 32));
    gd_put_le32(bytes->data + begin,
                gd_crc32c(0, bytes->data + begin + 4, bytes->size - begin - 4));
}

enum gd_err gd__snapshot_piece_decode(struct gd_slice slice, uint64_t offset, uint32_t sequence,
                                      uint64_t body_size, uint32_t crc,
                                      struct gd__snapshot_piece *piece)
{
    uint32_t size;
    size_t whole;

    if (slice.size < GD__SNAPSHOT_CHUNK_FRONT_SIZE) {
        return GD_ERR_MORE;
    }
    size = gd_get_le32(slice.data + 8);
    if (size > GD__SNAPSHOT_CHUNK_SIZE_MAX) {
        return GD_ERR_CORRUPT;
    }
    whole = size == 0 ? GD__SNAPSHOT_END_SIZE : GD__SNAPSHOT_CHUNK_FRONT_SIZE + (size_t)size;
    if (slice.size < whole) {
        return GD_ERR_MORE;
    }
    if (gd_crc32c(0, slice.data + 4, whole - 4) != gd_get_le32(slice.data) ||
        gd_get_le32(slice.data + 4) != sequence) {
        return GD_ERR_CORRUPT;
    }
    *piece = (struct gd__snapshot_piece){.size = whole};
    if (size > 0) {
        piece->data = (struct gd_slice){slice.data + GD__SNAPSHOT_CHUNK_FRONT_SIZE, size};
        return GD_OK;
    }
    piece->end = true;
    if (gd_get_le64(slice.data + 12) != body_size || gd_get_le32(slice.data + 20) != crc ||
        gd_get_le32(slice.data + 24) != (uint32_t)(offset ^ offset >> 32)) {
        return GD_ERR_CORRUPT;
    }
    return GD_OK;
}
