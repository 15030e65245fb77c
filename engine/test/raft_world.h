/* raft_world.h - some cores of the consensus alone, between a soup of messages and disks that lose
 * what was not synced. Every step is decided: deliver, drop, duplicate, time, propose, sync, crash,
 * restart, snapshot, membership, transfer. A broken promise (raft_world.c) prints and aborts.
 *
 * Where decisions come from is one function: bytes that a fuzzer gave, and behind them a seeded
 * generator. So a random test and a fuzzer share one world. There is one at a time. */
#ifndef GANDALF_ENGINE_TEST_RAFT_WORLD_H
#define GANDALF_ENGINE_TEST_RAFT_WORLD_H
#include "engine/base.h"

#define RAFT_WORLD_NODES 5

/* `voters` of the nodes are in the first configuration; 0: the seed says how many. */
void raft_world_begin(uint64_t seed, unsigned voters);
/* The next decisions are these bytes, one each: `byte * bound / 256`. Borrowed until they are used
 * up or replaced. */
void raft_world_decide_by(struct gd_slice record);
void raft_world_step(bool membership);
/* False once its tables are nearly full: no more steps then. */
bool raft_world_has_room(void);
/* Nothing is lost any more: a leader must come and commit. */
void raft_world_heal(void);
/* Who has which role, term and log, as one number: equal for states that are alike. */
uint64_t raft_world_shape(void);
struct raft_world_totals {
    uint64_t steps, committed, terms_led, reads;
};
struct raft_world_totals raft_world_totals(void);
void raft_world_end(void);
#endif
