/* keyspace_frozen.c - the contents as they were at one moment, while changes go on.
 *
 * How. Freezing counts up the epoch: from then on an item whose epoch is another belongs to the
 * view and has not been given yet. A walk over the table with the cursor that survives growing
 * gives each such item and marks it. A change that comes to an unmarked item first puts its
 * contents aside (the item itself when it is dropped anyway, else a copy) and marks it. So each
 * item is given once, as it was, and a key made later is never seen, since it is born marked. A
 * clear, or a restore, hands the whole table to the view, which walks it alone from then on.
 *
 * Rejected: copying the table's pointers at the start (a stall that grows with the table); a flag
 * in place of the epoch (taking it back from a million items is a second walk).
 *
 * Invariants
 *   F1. What the view gives is each key that was there, and not over, at the freezing, once, as it
 *       was; nothing else.
 *   F2. In the live table, not detached: epoch == ks->epoch means given, saved or born later.
 *   F3. `current` keeps its contents until the next call of frozen_next. */
#include "engine/bytes.h"
#include "engine/memory.h"
#include "kvs/keyspace_internal.h"

void gd_keyspace_freeze(struct gd_keyspace *ks)
{
    GD_ASSERT(!ks->frozen.active);
    ks->epoch++;
    ks->frozen = (struct gd__frozen){.active = true, .clock_ms = ks->clock_ms};
}

bool gd_keyspace_frozen(const struct gd_keyspace *ks)
{
    return ks->frozen.active;
}

int64_t gd_keyspace_frozen_clock_ms(const struct gd_keyspace *ks)
{
    return ks->frozen.clock_ms;
}

bool gd__frozen_save(struct gd_keyspace *ks, struct gd_item *item, bool unlinked)
{
    struct gd__frozen *frozen = &ks->frozen;
    bool is_current = item == frozen->current && !frozen->current_owned;
    struct gd_item *kept = item;

    if (!frozen->active || frozen->detached || (!is_current && item->epoch == ks->epoch)) {
        return false;
    }
    item->epoch = ks->epoch;
    if (!is_current && gd__item_over(item, frozen->clock_ms)) {
        return false;
    }
    if (!unlinked) {
        size_t size = gd__item_size(item);
        kept = gd_malloc(size);
        memcpy(kept, item, size);
        kept->is_grown = false;
        ks->bytes += size;
    }
    if (is_current) {
        GD_REACHED("the item being streamed was changed");
        kept->next = NULL;
        frozen->current = kept;
        frozen->current_owned = true;
    } else {
        kept->next = frozen->saved;
        frozen->saved = kept;
    }
    return true;
}

bool gd__frozen_take(struct gd_keyspace *ks)
{
    if (!ks->frozen.active || ks->frozen.detached) {
        return false;
    }
    GD_REACHED("a frozen table was cleared");
    ks->frozen.detached = true;
    ks->frozen.table = ks->table;
    ks->table = (struct gd__table){0};
    return true;
}

static void drop_current(struct gd_keyspace *ks)
{
    if (ks->frozen.current_owned) {
        gd__item_free(ks, ks->frozen.current);
    }
    ks->frozen.current = NULL;
    ks->frozen.current_owned = false;
}

struct seek {
    struct gd_keyspace *ks;
    struct gd_item *found;
};

static void seek_visit(void *context, struct gd_item *item)
{
    struct seek *seek = context;
    struct gd_keyspace *ks = seek->ks;

    if (item->epoch == ks->epoch || seek->found != NULL) {
        return;
    }
    item->epoch = ks->epoch;
    if (!gd__item_over(item, ks->frozen.clock_ms)) {
        seek->found = item;
    }
}

const struct gd_item *gd_keyspace_frozen_current(const struct gd_keyspace *ks)
{
    return ks->frozen.current;
}

const struct gd_item *gd_keyspace_frozen_next(struct gd_keyspace *ks, size_t *work, bool *end)
{
    struct gd__frozen *frozen = &ks->frozen;
    struct gd__table *table = frozen->detached ? &frozen->table : &ks->table;

    GD_ASSERT(frozen->active);
    *end = false;
    drop_current(ks);
    if (frozen->saved != NULL) {
        frozen->current = frozen->saved;
        frozen->saved = frozen->current->next;
        frozen->current_owned = true;
        *work -= *work > 0 ? 1 : 0;
        return frozen->current;
    }
    while (!frozen->walked && *work > 0) {
        struct seek seek = {ks, NULL};
        size_t used = 0;
        uint64_t next = gd__table_scan(table, frozen->cursor, seek_visit, &seek, &used);
        *work -= used < *work ? used : *work;
        if (seek.found != NULL) { /* The same bucket again next time: it may hold more. */
            frozen->current = seek.found;
            return frozen->current;
        }
        frozen->cursor = next;
        frozen->walked = next == 0;
    }
    *end = frozen->walked;
    return NULL;
}

void gd_keyspace_thaw(struct gd_keyspace *ks)
{
    struct gd__frozen *frozen = &ks->frozen;

    GD_ASSERT(frozen->active);
    drop_current(ks);
    gd__table_bury(ks, &frozen->table);
    if (frozen->saved != NULL) { /* A table of one bucket, so that it is given back like any. */
        struct gd__table rest = {.buckets = {gd_calloc(1, sizeof(struct gd_item *)), NULL}};
        rest.buckets[0][0] = frozen->saved;
        ks->bytes += sizeof(struct gd_item *);
        gd__table_bury(ks, &rest);
    }
    *frozen = (struct gd__frozen){0};
}
