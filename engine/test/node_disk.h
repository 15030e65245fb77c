/* node_disk.h - a node's data directory on a fake disk, as the engine writes it: for what reads,
 * recovers and restores such directories, and for who damages them. */
#ifndef GANDALF_ENGINE_TEST_NODE_DISK_H
#define GANDALF_ENGINE_TEST_NODE_DISK_H
#include "engine/config.h"
#include "engine/test/fake_disk.h"

/* The log of node 1 of three, in its fourth start: terms 2 and, from entry 7 on, 3; a vote in 3. */
enum { NODE_DISK_CLUSTER = 77, NODE_DISK_ENTRIES = 12, NODE_DISK_BOOT = 4, NODE_DISK_TERM = 3 };
/* Segments of `segment_size`; every fourth entry is of `large` bytes, the others of four. */
void node_disk_log(struct fake_disk *disk, uint32_t segment_size, size_t large);
/* A snapshot at `position`, of the same members. */
void node_disk_snapshot(struct fake_disk *disk, struct gd_position position, struct gd_slice body);
#endif
