/* snapshot_walk.h - a snapshot file from its front to its end, wherever its bytes come from.
 *
 * A backup is such a file outside of any data directory; an inspection goes through those inside
 * one. Every checksum is compared on the way; memory is bounded by a chunk. */
#ifndef GANDALF_ENGINE_SNAPSHOT_WALK_H
#define GANDALF_ENGINE_SNAPSHOT_WALK_H
#include "engine/raft.h"

struct gd_snapshot_source {
    /* Up to `size` bytes at `offset` into `to`; `*got` 0 at the end. */
    enum gd_err (*read)(void *context, uint64_t offset, uint8_t *to, size_t size, size_t *got);
    void *context;
};
/* The next bytes of the body. Anything but GD_OK ends the walk with it. */
typedef enum gd_err gd_snapshot_body_fn(void *context, struct gd_slice data);

struct gd_snapshot_facts {
    struct gd_snapshot_meta meta; /* `size` is the file's once the walk is over. */
    uint64_t offset;              /* How far it went: of the damage, if there is any. */
    uint64_t body_size;
    uint32_t crc; /* Of the file up to its end. */
};
/* `body` may be NULL. `*facts` is set as far as it went, whatever is returned.
 *
 * Returns   GD_OK: whole, and every checksum right. GD_ERR_CORRUPT, GD_ERR_VERSION; what the source
 *           or `body` said. */
GD_MUST_CHECK enum gd_err gd_snapshot_walk(const struct gd_snapshot_source *source,
                                           gd_snapshot_body_fn *body, void *context,
                                           struct gd_snapshot_facts *facts);
#endif
