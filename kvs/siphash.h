/* siphash.h - SipHash-1-3 (Aumasson and Bernstein, 2012): a keyed hash that a client who does not
 * know the key cannot make collide. */
#ifndef GANDALF_KVS_SIPHASH_H
#define GANDALF_KVS_SIPHASH_H
#include "engine/base.h"

uint64_t gd_siphash(uint64_t key_low, uint64_t key_high, const void *data, size_t size);
#endif
