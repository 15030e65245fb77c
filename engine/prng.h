/* prng.h - seeded pseudo-random numbers: xoshiro256** (Blackman and Vigna, 2018), seeded by
 * splitmix64. The same on every compiler and machine. Never used for secrets. */
#ifndef GANDALF_ENGINE_PRNG_H
#define GANDALF_ENGINE_PRNG_H
#include "engine/base.h"

struct gd_prng {
    uint64_t state[4]; /* Not all zero once initialized. */
};
void gd_prng_init(struct gd_prng *prng, uint64_t seed);
uint64_t gd_prng_next(struct gd_prng *prng);
/* Uniform in [0, bound); `bound` above 0. Without bias (rejection). */
uint64_t gd_prng_below(struct gd_prng *prng, uint64_t bound);
/* Uniform in [low, high]. */
uint64_t gd_prng_between(struct gd_prng *prng, uint64_t low, uint64_t high);
/* True `parts` times in `whole`. */
bool gd_prng_chance(struct gd_prng *prng, uint64_t parts, uint64_t whole);
/* One well-mixed number from two: seeds for streams named by (seed, purpose). */
uint64_t gd_prng_mix(uint64_t seed, uint64_t purpose);
#endif
