/* sha1.c - see sha1.h. */
#include "kvs/sha1.h"
#include <string.h>

enum { BLOCK_SIZE = 64, LENGTH_SIZE = 8 };

static uint32_t rotated(uint32_t word, unsigned by)
{
    return word << by | word >> (32 - by);
}

/* One of the 80 rounds' functions and constants, by its quarter. */
static uint32_t mixed(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
    switch (round / 20) {
    case 0:
        return ((b & c) | (~b & d)) + 0x5a827999;
    case 1:
        return (b ^ c ^ d) + 0x6ed9eba1;
    case 2:
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    default:
        return (b ^ c ^ d) + 0xca62c1d6;
    }
}

static void add_block(uint32_t state[5], const uint8_t *block)
{
    uint32_t words[80], now[5];

    for (unsigned i = 0; i < 16; i++) {
        const uint8_t *at = block + (size_t)4 * i;
        words[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    for (unsigned i = 16; i < 80; i++) {
        words[i] = rotated(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    }
    memcpy(now, state, sizeof now);
    for (unsigned i = 0; i < 80; i++) {
        uint32_t next = rotated(now[0], 5) + mixed(i, now[1], now[2], now[3]) + now[4] + words[i];
        now[4] = now[3];
        now[3] = now[2];
        now[2] = rotated(now[1], 30);
        now[1] = now[0];
        now[0] = next;
    }
    for (unsigned i = 0; i < 5; i++) {
        state[i] += now[i];
    }
}

void gd_sha1_text(struct gd_slice bytes, char *to)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t tail[2 * BLOCK_SIZE] = {0};
    size_t whole = bytes.size / BLOCK_SIZE * BLOCK_SIZE, left = bytes.size - whole;
    size_t tail_size = left + 1 + LENGTH_SIZE <= BLOCK_SIZE ? BLOCK_SIZE : 2 * BLOCK_SIZE;

    for (size_t at = 0; at < whole; at += BLOCK_SIZE) {
        add_block(state, bytes.data + at);
    }
    if (left > 0) {
        memcpy(tail, bytes.data + whole, left);
    }
    tail[left] = 0x80;
    for (unsigned i = 0; i < LENGTH_SIZE; i++) { /* In bits, the highest byte first. */
        tail[tail_size - 1 - i] = (uint8_t)((uint64_t)bytes.size * 8 >> 8 * i);
    }
    for (size_t at = 0; at < tail_size; at += BLOCK_SIZE) {
        add_block(state, tail + at);
    }
    for (unsigned i = 0; i < GD_SHA1_TEXT_SIZE - 1; i++) {
        to[i] = digits[state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    }
    to[GD_SHA1_TEXT_SIZE - 1] = '\0';
}
