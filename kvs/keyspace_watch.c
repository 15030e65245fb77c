/* keyspace_watch.c - what WATCH compares.
 *
 * A key that is there has the index of the entry that last changed it. One that is absent has
 * nothing, and may have come and gone meanwhile; so the keyspace keeps, for each of a few thousand
 * buckets of keys, the index of the last write to any of them. An absent key's mark is its
 * bucket's: equal at two moments only if nothing of the bucket was written between them. A
 * neighbour's write can make EXEC refuse without need, never run in error. Rejected: tombstones of
 * keys, which nobody could say when to forget. */
#include "engine/bytes.h"
#include "kvs/keyspace_internal.h"

size_t gd__touched_bucket(struct gd_slice key)
{
    return gd_crc32c(0, key.data, key.size) % GD_TOUCHED_COUNT;
}

uint64_t gd_keyspace_watch(const struct gd_keyspace *ks, struct gd_slice key)
{
    const struct gd_item *item = gd_keyspace_find(ks, key);

    return item != NULL ? item->version * 2 + 1 : ks->touched[gd__touched_bucket(key)] * 2;
}

gd_index gd_keyspace_touched(const struct gd_keyspace *ks, size_t bucket)
{
    GD_ASSERT(bucket < GD_TOUCHED_COUNT);
    return ks->touched[bucket];
}

void gd_keyspace_touch(struct gd_keyspace *ks, size_t bucket, gd_index version)
{
    GD_ASSERT(bucket < GD_TOUCHED_COUNT);
    if (ks->touched[bucket] < version) {
        ks->touched[bucket] = version;
    }
}
