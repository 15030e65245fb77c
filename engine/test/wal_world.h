/* wal_world.h - a write-ahead log that lives, crashes and recovers, again and again.
 *
 * A plan of appends, votes, truncations, resets, marks and removals is drawn from a seed, or from
 * bytes that a fuzzer gave. What recovery tells must be the state behind some record that was
 * issued, at or after the last one that was told as stored; the boot must have risen; and the log
 * must go on from there. What breaks that prints and aborts. There is one such world at a time. */
#ifndef GANDALF_ENGINE_TEST_WAL_WORLD_H
#define GANDALF_ENGINE_TEST_WAL_WORLD_H
#include "engine/test/fake_disk.h"

void wal_world_begin(uint64_t seed);
/* The plan's next decisions are these bytes, one each: `byte * bound / 256`. Borrowed until they
 * are used up or replaced. */
void wal_world_decide_by(struct gd_slice record);
/* Recover, check, start, act; false when the crash came on the way. Then fake_reboot. */
bool wal_world_live(unsigned actions);
/* The disk, for its crashes. */
struct fake_disk *wal_world_disk(void);
void wal_world_end(void);
#endif
