/* fuzz_raft.c - the consensus under decisions that the fuzzer makes.
 *
 * Holds: Raft's promises (engine/test/raft_world.c), after every step of five pure cores; and, for
 * one input in eight, that a leader comes and commits once nothing is lost any more.
 *
 * An input is one byte of options (voters, membership changes, healing), then decisions of four
 * bytes each: whom, what, and two details. A decision that needs more draws it from a generator
 * that the options seed. The mutator works on whole decisions, since a byte put in between would
 * turn all that follow into others. The shape of the state (roles, terms, logs) counts as coverage:
 * raft.c's edges are soon all seen, its states are not. */
#include "engine/memory.h"
#include "engine/prng.h"
#include "engine/test/raft_world.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

enum { DECISION = 4, DECISIONS_MAX = 256, SHAPES = 8192 };

/* libFuzzer reads and clears it. */
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t shapes[SHAPES];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t options;

    if (size < 1 + DECISION) {
        return 0;
    }
    options = data[0];
    raft_world_begin(options, 3 + options % 3);
    for (size_t i = 0; i < DECISIONS_MAX && 1 + (i + 1) * DECISION <= size; i++) {
        if (!raft_world_has_room()) {
            break;
        }
        raft_world_decide_by((struct gd_slice){data + 1 + i * DECISION, DECISION});
        raft_world_step((options & 8) != 0);
        shapes[raft_world_shape() % SHAPES] = 1;
    }
    raft_world_decide_by((struct gd_slice){NULL, 0});
    if (options >= 224) {
        raft_world_heal();
    }
    raft_world_end();
    return 0;
}

/* One change to `count` decisions, of which there is room for `room`. Returns how many there are.
 */
static size_t mutate(uint8_t *at, size_t count, size_t room, struct gd_prng *prng)
{
    size_t one = (size_t)gd_prng_below(prng, count), other = (size_t)gd_prng_below(prng, count);
    size_t length = 1 + (size_t)gd_prng_below(prng, 16);
    uint8_t whole[16 * DECISION];

    switch (gd_prng_below(prng, 6)) {
    case 0: /* Another detail. */
        at[one * DECISION + gd_prng_below(prng, DECISION)] = (uint8_t)gd_prng_next(prng);
        return count;
    case 1: /* Another decision. */
        for (size_t i = 0; i < DECISION; i++) {
            at[one * DECISION + i] = (uint8_t)gd_prng_next(prng);
        }
        return count;
    case 2: /* Drop some. */
        length = length < count - one ? length : count - one;
        if (length == count) {
            return count;
        }
        memmove(at + one * DECISION, at + (one + length) * DECISION,
                (count - one - length) * DECISION);
        return count - length;
    case 3: /* Do some once more, elsewhere. */
        length = length < count - one ? length : count - one;
        length = length < room - count ? length : room - count;
        memcpy(whole, at + one * DECISION, length * DECISION);
        memmove(at + (other + length) * DECISION, at + other * DECISION,
                (count - other) * DECISION);
        memcpy(at + other * DECISION, whole, length * DECISION);
        return count + length;
    case 4: /* Two change places. */
        memcpy(whole, at + one * DECISION, DECISION);
        memmove(at + one * DECISION, at + other * DECISION, DECISION);
        memcpy(at + other * DECISION, whole, DECISION);
        return count;
    default: /* New ones at the end. */
        length = length < room - count ? length : room - count;
        for (size_t i = 0; i < length * DECISION; i++) {
            at[count * DECISION + i] = (uint8_t)gd_prng_next(prng);
        }
        return count + length;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    struct gd_prng prng;
    size_t room = size_max < 1 + DECISION ? 0 : (size_max - 1) / DECISION, count;

    if (room == 0) {
        return size;
    }
    gd_prng_init(&prng, seed);
    room = room < DECISIONS_MAX ? room : DECISIONS_MAX;
    count = size < 1 + DECISION ? 0 : (size - 1) / DECISION;
    if (count == 0) {
        memset(data, 0, 1 + DECISION);
        count = 1;
    }
    count = count < room ? count : room;
    if (gd_prng_chance(&prng, 1, 20)) {
        data[0] = (uint8_t)gd_prng_next(&prng);
    }
    for (uint64_t left = gd_prng_between(&prng, 1, 4); left > 0; left--) {
        count = mutate(data + 1, count, room, &prng);
    }
    return 1 + count * DECISION;
}
