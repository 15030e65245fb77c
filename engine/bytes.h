/* bytes.h - integers in bytes (little-endian), CRC-32C, a growing buffer. */
#ifndef GANDALF_ENGINE_BYTES_H
#define GANDALF_ENGINE_BYTES_H
#include "engine/base.h"
#include <string.h>

static inline void gd_put_le16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}
static inline void gd_put_le32(uint8_t *to, uint32_t value)
{
    gd_put_le16(to, (uint16_t)value);
    gd_put_le16(to + 2, (uint16_t)(value >> 16));
}
static inline void gd_put_le64(uint8_t *to, uint64_t value)
{
    gd_put_le32(to, (uint32_t)value);
    gd_put_le32(to + 4, (uint32_t)(value >> 32));
}
static inline uint16_t gd_get_le16(const uint8_t *from)
{
    return (uint16_t)(from[0] | from[1] << 8);
}
static inline uint32_t gd_get_le32(const uint8_t *from)
{
    return (uint32_t)gd_get_le16(from) | (uint32_t)gd_get_le16(from + 2) << 16;
}
static inline uint64_t gd_get_le64(const uint8_t *from)
{
    return (uint64_t)gd_get_le32(from) | (uint64_t)gd_get_le32(from + 4) << 32;
}

/* CRC-32C (Castagnoli, as in iSCSI: RFC 3720 B.4). Chain by passing the last result; begin with 0.
 */
uint32_t gd_crc32c(uint32_t crc, const void *data, size_t size);

/* Are these the letters of a word in lower case, in whatever case they are? ASCII alone. */
bool gd_slice_is(struct gd_slice slice, const char *word);

/* A buffer that grows at its end. All zero is the empty buffer. The owner releases it. */
struct gd_bytes {
    uint8_t *data;   /* Owned; NULL while nothing was ever added. */
    size_t size;     /* Bytes in use. */
    size_t capacity; /* Bytes allocated. */
};
/* The buffer moves to where there is room for `more` bytes; gd_bytes_reserve calls it. */
void gd__bytes_grow(struct gd_bytes *bytes, size_t more);
/* Makes room for `more` bytes behind the end and returns where they go; `size` is unchanged. The
 * pointer is borrowed until the next call on `bytes`. */
static inline uint8_t *gd_bytes_reserve(struct gd_bytes *bytes, size_t more)
{
    if (bytes->data == NULL || bytes->capacity - bytes->size < more) {
        gd__bytes_grow(bytes, more);
    }
    return bytes->data + bytes->size;
}
static inline void gd_bytes_add(struct gd_bytes *bytes, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(gd_bytes_reserve(bytes, size), data, size);
        bytes->size += size;
    }
}
void gd_bytes_add_text(struct gd_bytes *bytes, const char *text);
void gd_bytes_format(struct gd_bytes *bytes, const char *format, ...) GD_PRINTF(2, 3);
static inline void gd_bytes_add_u8(struct gd_bytes *bytes, uint8_t value)
{
    *gd_bytes_reserve(bytes, 1) = value;
    bytes->size += 1;
}
static inline void gd_bytes_add_le32(struct gd_bytes *bytes, uint32_t value)
{
    gd_put_le32(gd_bytes_reserve(bytes, 4), value);
    bytes->size += 4;
}
static inline void gd_bytes_add_le64(struct gd_bytes *bytes, uint64_t value)
{
    gd_put_le64(gd_bytes_reserve(bytes, 8), value);
    bytes->size += 8;
}
/* Drops the first `size` bytes, moving the rest to the front. */
void gd_bytes_consume(struct gd_bytes *bytes, size_t size);
/* Empty, the capacity kept. */
void gd_bytes_clear(struct gd_bytes *bytes);
/* Empty, nothing kept. */
void gd_bytes_release(struct gd_bytes *bytes);
static inline struct gd_slice gd_bytes_slice(const struct gd_bytes *bytes)
{
    return (struct gd_slice){bytes->data, bytes->size};
}

/* Reads fields from front to back and never past the end. After the first failure `failed` stays
 * set and every get returns 0 or an empty slice, so a decoder checks once at its end. */
struct gd_reader {
    const uint8_t *at; /* Borrowed. */
    size_t left;       /* Bytes. */
    bool failed;
};
static inline struct gd_reader gd_reader_of(struct gd_slice slice)
{
    return (struct gd_reader){slice.data, slice.size, false};
}
/* The next `size` bytes, borrowed from what is read. */
static inline struct gd_slice gd_reader_slice(struct gd_reader *reader, size_t size)
{
    struct gd_slice slice = {NULL, 0};

    if (reader->failed || size > reader->left) {
        reader->failed = true;
        return slice;
    }
    slice = (struct gd_slice){reader->at, size};
    reader->at += size;
    reader->left -= size;
    return slice;
}
static inline uint8_t gd_reader_u8(struct gd_reader *reader)
{
    struct gd_slice slice = gd_reader_slice(reader, 1);
    return slice.size == 1 ? slice.data[0] : 0;
}
static inline uint16_t gd_reader_le16(struct gd_reader *reader)
{
    struct gd_slice slice = gd_reader_slice(reader, 2);
    return slice.size == 2 ? gd_get_le16(slice.data) : 0;
}
static inline uint32_t gd_reader_le32(struct gd_reader *reader)
{
    struct gd_slice slice = gd_reader_slice(reader, 4);
    return slice.size == 4 ? gd_get_le32(slice.data) : 0;
}
static inline uint64_t gd_reader_le64(struct gd_reader *reader)
{
    struct gd_slice slice = gd_reader_slice(reader, 8);
    return slice.size == 8 ? gd_get_le64(slice.data) : 0;
}
#endif
