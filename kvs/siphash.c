/* siphash.c - one compression round for each word and three at the end: the variant that hash
 * tables use. Little-endian reads, so that every machine agrees. */
#include "kvs/siphash.h"
#include "engine/bytes.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

uint64_t gd_siphash(uint64_t key_low, uint64_t key_high, const void *data, size_t size)
{
    struct sip s = {key_low ^ UINT64_C(0x736f6d6570736575), key_high ^ UINT64_C(0x646f72616e646f6d),
                    key_low ^ UINT64_C(0x6c7967656e657261),
                    key_high ^ UINT64_C(0x7465646279746573)};
    const uint8_t *at = data;
    uint64_t last = (uint64_t)size << 56;
    size_t left = size;

    for (; left >= 8; at += 8, left -= 8) {
        sip_word(&s, gd_get_le64(at));
    }
    for (size_t i = 0; i < left; i++) {
        last |= (uint64_t)at[i] << (8 * i);
    }
    sip_word(&s, last);
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
