/* witness.c - see witness.h. It looks at every byte for a record, in no order, and knows nothing of
 * how a log is recovered: what it is held against is the recovery. */
#include "sim/witness.h"
#include "engine/wal_format.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "....0123456789abcdef.log": a segment and its number. */
static bool is_segment(const char *path, uint64_t *number)
{
    const char *name = strrchr(path, '/');
    char end[8] = "";
    name = name != NULL ? name + 1 : path;
    return strlen(name) == 20 && sscanf(name, "%16" SCNx64 "%7s", number, end) == 2 &&
           strcmp(end, ".log") == 0;
}

struct found {
    uint64_t durable; /* The highest that any record says. */
    uint64_t last;    /* The highest of one that is neither note nor a segment's header. */
};

static void look_at(struct found *found, const uint8_t *bytes, size_t size, uint64_t segment)
{
    for (size_t at = 0; at < size; at++) {
        struct gd__wal_record record;
        if (!gd__wal_record_decode(bytes + at, size - at, segment, &record)) {
            continue;
        }
        if (record.durable > found->durable) {
            found->durable = record.durable;
        }
        bool own = record.type != GD__WAL_NOTE && record.type != GD__WAL_HEADER;
        if (own && record.lsn > found->last) {
            found->last = record.lsn;
        }
    }
}

static struct found look(const struct gd_world *world, uint32_t id)
{
    const char *path = NULL;
    struct found found = {0, 0};
    while ((path = gd_world_file_next(world, id, GD_WORLD_DURABLE, path)) != NULL) {
        uint64_t number, size = 0;
        if (!is_segment(path, &number) ||
            !gd_world_file_size(world, id, GD_WORLD_DURABLE, path, &size) || size == 0) {
            continue;
        }
        uint8_t *bytes = malloc((size_t)size);
        GD_ASSERT(bytes != NULL);
        uint64_t got = gd_world_file_read(world, id, GD_WORLD_DURABLE, path, 0, bytes, size);
        look_at(&found, bytes, (size_t)got, number);
        free(bytes);
    }
    return found;
}

uint64_t gd_sim_witness(const struct gd_world *world, uint32_t id)
{
    return look(world, id).durable;
}

uint64_t gd_sim_witness_last(const struct gd_world *world, uint32_t id)
{
    return look(world, id).last;
}
