/* prng.c - xoshiro256** over a splitmix64 seed; integers only, so replays agree everywhere. */
#include "engine/prng.h"

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t rotate(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

void gd_prng_init(struct gd_prng *prng, uint64_t seed)
{
    for (size_t i = 0; i < GD_COUNT(prng->state); i++) {
        prng->state[i] = splitmix(&seed);
    }
}

uint64_t gd_prng_next(struct gd_prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t gd_prng_below(struct gd_prng *prng, uint64_t bound)
{
    uint64_t reject, value;

    GD_ASSERT(bound > 0);
    reject = (UINT64_MAX - bound + 1) % bound;
    do {
        value = gd_prng_next(prng);
    } while (value < reject);
    return value % bound;
}

uint64_t gd_prng_between(struct gd_prng *prng, uint64_t low, uint64_t high)
{
    GD_ASSERT(low <= high);
    if (low == 0 && high == UINT64_MAX) {
        return gd_prng_next(prng);
    }
    return low + gd_prng_below(prng, high - low + 1);
}

bool gd_prng_chance(struct gd_prng *prng, uint64_t parts, uint64_t whole)
{
    return gd_prng_below(prng, whole) < parts;
}

uint64_t gd_prng_mix(uint64_t seed, uint64_t purpose)
{
    uint64_t state = seed ^ rotate(purpose * UINT64_C(0xd6e8feb86659fd93), 32);

    (void)splitmix(&state);
    return splitmix(&state);
}
