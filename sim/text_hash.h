/* text_hash.h - a hash of texts, eight bytes at a time; the same on every machine.
 *
 * Every beginning's hash is at hand on the way: that of whole words, and then its end. Whoever
 * compares hashes compares the texts, too. */
#ifndef GANDALF_SIM_TEXT_HASH_H
#define GANDALF_SIM_TEXT_HASH_H
#include "engine/bytes.h"

#define GD_SIM_HASH_BEGIN UINT64_C(0x243f6a8885a308d3)

static inline uint64_t gd_sim_hash_word(uint64_t hash, const char *word)
{
    uint64_t bits;
    memcpy(&bits, word, sizeof bits);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bits = __builtin_bswap64(bits);
#endif
    hash = (hash ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

/* `hash`: of the words in front; `size`: of the whole text, of which size % 8 bytes are left. */
static inline uint64_t gd_sim_hash_end(uint64_t hash, const char *rest, size_t size)
{
    char word[8] = {0};
    memcpy(word, rest, size % 8);
    hash = gd_sim_hash_word(hash + size, word) * UINT64_C(0xbf58476d1ce4e5b9);
    return hash ^ hash >> 29;
}

static inline uint64_t gd_sim_text_hash(const char *text, size_t size)
{
    uint64_t hash = GD_SIM_HASH_BEGIN;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        hash = gd_sim_hash_word(hash, text + at);
    }
    return gd_sim_hash_end(hash, text + at, size);
}
#endif
