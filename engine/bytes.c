/* bytes.c - CRC-32C (the instruction where there is one), a growing buffer. */
#include "engine/bytes.h"
#include "engine/memory.h"
#include <stdarg.h>
#include <stdio.h>

/* The reflected Castagnoli polynomial. */
#define POLYNOMIAL UINT32_C(0x82f63b78)

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_SSE42 1
#include <nmmintrin.h>
__attribute__((target("sse4.2"))) static uint32_t crc_hardware(uint32_t crc, const uint8_t *at,
                                                               size_t size)
{
    uint64_t wide = crc;
    while (size >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        wide = _mm_crc32_u64(wide, word);
        at += 8;
        size -= 8;
    }
    crc = (uint32_t)wide;
    while (size-- > 0) {
        crc = _mm_crc32_u8(crc, *at++);
    }
    return crc;
}
#endif

/* Bit by bit through a 16-entry table: small, and only for machines without the instruction.
 * UNTESTED: the machines that measure what is tested have it. */
static uint32_t crc_portable(uint32_t crc, const uint8_t *at, size_t size)
{
    uint32_t table[16];

    for (uint32_t i = 0; i < GD_COUNT(table); i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 4; bit++) {
            value = (value & 1) != 0 ? value >> 1 ^ POLYNOMIAL : value >> 1;
        }
        table[i] = value;
    }
    while (size-- > 0) {
        crc ^= *at++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

uint32_t gd_crc32c(uint32_t crc, const void *data, size_t size)
{
    crc = ~crc;
#ifdef HAVE_SSE42
    if (__builtin_cpu_supports("sse4.2")) {
        return ~crc_hardware(crc, data, size);
    }
#endif
    return ~crc_portable(crc, data, size);
}

bool gd_slice_is(struct gd_slice slice, const char *word)
{
    for (size_t i = 0; i < slice.size; i++) {
        uint8_t c = slice.data[i];
        if (c >= 'A' && c <= 'Z') {
            c = (uint8_t)(c - 'A' + 'a');
        }
        if (word[i] == '\0' || c != (uint8_t)word[i]) {
            return false;
        }
    }
    return word[slice.size] == '\0';
}

void gd__bytes_grow(struct gd_bytes *bytes, size_t more)
{
    size_t capacity = bytes->capacity < 64 ? 64 : bytes->capacity * 2;

    GD_ASSERT(more <= SIZE_MAX / 4 && bytes->size <= SIZE_MAX / 4);
    if (capacity < bytes->size + more) {
        capacity = bytes->size + more;
    }
    bytes->data = gd_realloc(bytes->data, capacity);
    bytes->capacity = capacity;
}

void gd_bytes_add_text(struct gd_bytes *bytes, const char *text)
{
    gd_bytes_add(bytes, text, strlen(text));
}

void gd_bytes_format(struct gd_bytes *bytes, const char *format, ...)
{
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    GD_ASSERT(size >= 0);
    va_start(args, format);
    (void)vsnprintf((char *)gd_bytes_reserve(bytes, (size_t)size + 1), (size_t)size + 1, format,
                    args);
    va_end(args);
    bytes->size += (size_t)size;
}

void gd_bytes_consume(struct gd_bytes *bytes, size_t size)
{
    GD_ASSERT(size <= bytes->size);
    bytes->size -= size;
    if (bytes->size > 0 && size > 0) {
        memmove(bytes->data, bytes->data + size, bytes->size);
    }
}

void gd_bytes_clear(struct gd_bytes *bytes)
{
    bytes->size = 0;
}

void gd_bytes_release(struct gd_bytes *bytes)
{
    gd_free(bytes->data);
    *bytes = (struct gd_bytes){0};
}
