/* keyspace.c - the store in memory.
 *
 * Why. The embedded database holds millions of small strings, must never stop the loop for more
 * than a few milliseconds, and must give a snapshot of one index while later writes go on.
 *
 * How. A chained hash table over SipHash. Each key is one allocation, header, key and value in a
 * row: 32 bytes of header against the four allocations of robj, two sds and dictEntry, so a
 * million 64-byte values take less than Redis's. The table grows and shrinks by moving a few
 * buckets with each change. Deadlines live in a binary heap by (deadline, key), so that the next
 * one is known at once and due keys leave in an order that depends on nothing but the contents.
 * What is dropped whole (FLUSHALL, a restore) goes to a list of graves and is given back bit by
 * bit.
 *
 * A frozen view needs no copy: keyspace_frozen.c.
 *
 * Rejected: open addressing (a growing step would touch the whole array, and a cursor that
 * survives growth needs buckets); fork() for snapshots (no processes in a simulated world, and
 * copying page tables stalls); sampling for expiry (not the same on every node).
 *
 * Invariants
 *   K1. Nothing that a command answers depends on the seeds, but for the order of KEYS, SCAN and
 *       RANDOMKEY, which are reads.
 *   K2. An item is in the heap exactly when it has a deadline, and knows its place there.
 *   K3. A key at or past its deadline by the clock is absent to every reader.
 *   K4. No call but free, digest and a whole scan does more than a bounded amount of work beyond
 *       the bytes that it is given. */
#include "engine/bytes.h"
#include "engine/memory.h"
#include "kvs/keyspace_internal.h"
#include "kvs/number.h"
#include "kvs/siphash.h"

enum {
    TABLE_SIZE_MIN = 16,
    SHRINK_FACTOR = 8,     /* Shrink when fewer than one bucket in so many is used. */
    MOVE_PER_CHANGE = 4,   /* Buckets moved with each change: at least 2 (a move ends in time). */
    GRAVES_PER_CHANGE = 8, /* Items given back with each change. */
    EMPTY_PER_UNIT = 16,   /* Empty buckets that count for one unit of work. */
};

/* ---------------------------------------------------------------- items */

static uint8_t *item_key_at(struct gd_item *item)
{
    return item->data + (item->has_expiry ? GD__EXPIRY_SIZE : 0);
}

static const uint8_t *item_key_at_const(const struct gd_item *item)
{
    return item->data + (item->has_expiry ? GD__EXPIRY_SIZE : 0);
}

size_t gd__item_size(const struct gd_item *item)
{
    return sizeof *item + (item->has_expiry ? (size_t)GD__EXPIRY_SIZE : 0) + item->key_size +
           item->value_size;
}

/* What an item of `size` bytes that grows is given: a power of two up to a MiB, then whole MiB, so
 * that n appends copy O(n) bytes in all. */
static size_t item_room(size_t size)
{
    size_t room = 64;

    if (size > 1024 * 1024) {
        return (size + 1024 * 1024 - 1) / (1024 * 1024) * (1024 * 1024);
    }
    while (room < size) {
        room *= 2;
    }
    return room;
}

static size_t item_allocated(const struct gd_item *item)
{
    size_t size = gd__item_size(item);
    return item->is_grown ? item_room(size) : size;
}

void gd__item_free(struct gd_keyspace *ks, struct gd_item *item)
{
    ks->bytes -= item_allocated(item);
    gd_free(item);
}

int64_t gd__item_deadline(const struct gd_item *item)
{
    return (int64_t)gd_get_le64(item->data);
}

struct gd_slice gd_item_key(const struct gd_item *item)
{
    return (struct gd_slice){item_key_at_const(item), item->key_size};
}

bool gd_item_number(const struct gd_item *item, int64_t *number)
{
    if (!item->is_number) {
        return false;
    }
    *number = (int64_t)gd_get_le64(item_key_at_const(item) + item->key_size);
    return true;
}

struct gd_slice gd_item_value(const struct gd_item *item, char scratch[GD_ITEM_SCRATCH])
{
    int64_t number;

    if (gd_item_number(item, &number)) {
        size_t size = gd_number_format(number, scratch);
        return (struct gd_slice){(const uint8_t *)scratch, size};
    }
    return (struct gd_slice){item_key_at_const(item) + item->key_size, item->value_size};
}

int64_t gd_item_expiry_ms(const struct gd_item *item)
{
    return item->has_expiry ? gd__item_deadline(item) : GD_EXPIRY_NONE;
}

gd_index gd_item_version(const struct gd_item *item)
{
    return item->version;
}

const char *gd_item_encoding(const struct gd_item *item)
{
    if (item->is_number) {
        return "int";
    }
    return item->is_raw || item->value_size > 44 ? "raw" : "embstr";
}

size_t gd_item_memory(const struct gd_item *item)
{
    return item_allocated(item) + sizeof(struct gd_item *) +
           (item->has_expiry ? sizeof(struct gd__deadline) : 0);
}

/* ---------------------------------------------------------------- the heap of deadlines */

static int slice_compare(struct gd_slice a, struct gd_slice b)
{
    size_t least = a.size < b.size ? a.size : b.size;
    int order = least > 0 ? memcmp(a.data, b.data, least) : 0;

    return order != 0 ? order : a.size < b.size ? -1 : a.size > b.size;
}

static bool heap_before(const struct gd__deadline *a, const struct gd__deadline *b)
{
    if (a->ms != b->ms) {
        return a->ms < b->ms;
    }
    return slice_compare(gd_item_key(a->item), gd_item_key(b->item)) < 0;
}

static void heap_put(struct gd_keyspace *ks, size_t place, struct gd__deadline deadline)
{
    ks->heap[place] = deadline;
    gd_put_le32(deadline.item->data + GD__EXPIRY_PLACE, (uint32_t)place);
}

static void heap_up(struct gd_keyspace *ks, size_t place)
{
    struct gd__deadline moving = ks->heap[place];

    while (place > 0) {
        size_t parent = (place - 1) / 2;
        if (!heap_before(&moving, &ks->heap[parent])) {
            break;
        }
        heap_put(ks, place, ks->heap[parent]);
        place = parent;
    }
    heap_put(ks, place, moving);
}

static void heap_down(struct gd_keyspace *ks, size_t place)
{
    struct gd__deadline moving = ks->heap[place];

    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= ks->heap_count) {
            break;
        }
        if (child + 1 < ks->heap_count && heap_before(&ks->heap[child + 1], &ks->heap[child])) {
            child++;
        }
        if (!heap_before(&ks->heap[child], &moving)) {
            break;
        }
        heap_put(ks, place, ks->heap[child]);
        place = child;
    }
    heap_put(ks, place, moving);
}

static size_t heap_place(const struct gd_item *item)
{
    return gd_get_le32(item->data + GD__EXPIRY_PLACE);
}

static void heap_insert(struct gd_keyspace *ks, struct gd_item *item)
{
    GD_ASSERT(ks->heap_count < UINT32_MAX);
    if (ks->heap_count == ks->heap_capacity) {
        size_t capacity = ks->heap_capacity == 0 ? 16 : ks->heap_capacity * 2;
        ks->heap = gd_realloc(ks->heap, capacity * sizeof *ks->heap);
        ks->bytes += (capacity - ks->heap_capacity) * sizeof *ks->heap;
        ks->heap_capacity = capacity;
    }
    ks->heap[ks->heap_count] = (struct gd__deadline){gd__item_deadline(item), item};
    heap_up(ks, ks->heap_count++);
}

static void heap_remove(struct gd_keyspace *ks, struct gd_item *item)
{
    size_t place = heap_place(item);

    GD_ASSERT(place < ks->heap_count && ks->heap[place].item == item); /* K2 */
    ks->heap_count--;
    if (place < ks->heap_count) {
        ks->heap[place] = ks->heap[ks->heap_count];
        heap_put(ks, place, ks->heap[place]);
        heap_down(ks, place);
        heap_up(ks, heap_place(ks->heap[place].item));
    }
}

static void heap_clear(struct gd_keyspace *ks)
{
    ks->bytes -= ks->heap_capacity * sizeof *ks->heap;
    gd_free(ks->heap);
    ks->heap = NULL;
    ks->heap_count = ks->heap_capacity = 0;
}

/* ---------------------------------------------------------------- giving back */

void gd__table_bury(struct gd_keyspace *ks, struct gd__table *table)
{
    if (table->buckets[0] != NULL) {
        struct gd__grave *grave = gd_malloc(sizeof *grave);
        *grave = (struct gd__grave){.table = *table, .next = ks->graves};
        ks->graves = grave;
    }
    *table = (struct gd__table){0};
}

/* One bucket; false when the grave is empty and gone. */
static bool grave_step(struct gd_keyspace *ks, size_t *units)
{
    struct gd__grave *grave = ks->graves;
    struct gd__table *table = &grave->table;
    struct gd_item **bucket;

    if (grave->at > table->mask[grave->side]) {
        ks->bytes -= (table->mask[grave->side] + 1) * sizeof(struct gd_item *);
        gd_free(table->buckets[grave->side]);
        grave->at = 0;
        if (grave->side == 0 && table->moving) {
            grave->side = 1;
            return true;
        }
        ks->graves = grave->next;
        gd_free(grave);
        return false;
    }
    bucket = &table->buckets[grave->side][grave->at];
    if (*bucket == NULL) {
        grave->at++;
        *units -= grave->at % EMPTY_PER_UNIT == 0 ? 1 : 0;
    } else {
        struct gd_item *item = *bucket;
        *bucket = item->next;
        gd__item_free(ks, item);
        (*units)--;
    }
    return true;
}

/* Returns the units that are left. */
static size_t graves_work(struct gd_keyspace *ks, size_t units)
{
    while (units > 0 && ks->graves != NULL) {
        (void)grave_step(ks, &units);
    }
    return units;
}

/* ---------------------------------------------------------------- the table */

static uint32_t hash_of(const struct gd_keyspace *ks, struct gd_slice key)
{
    return (uint32_t)gd_siphash(ks->seed_low, ks->seed_high, key.data, key.size);
}

static bool item_is(const struct gd_item *item, uint32_t hash, struct gd_slice key)
{
    return item->hash == hash && item->key_size == key.size &&
           (key.size == 0 || memcmp(item_key_at_const(item), key.data, key.size) == 0);
}

/* Where the item of `key` hangs; the end of a chain (a place that holds NULL) when absent; NULL
 * when there is no table yet. */
static struct gd_item **table_link(struct gd__table *table, uint32_t hash, struct gd_slice key)
{
    struct gd_item **link = NULL;

    if (table->buckets[0] == NULL) {
        return NULL;
    }
    for (int side = 0; side <= (table->moving ? 1 : 0); side++) {
        link = &table->buckets[side][hash & table->mask[side]];
        while (*link != NULL && !item_is(*link, hash, key)) {
            link = &(*link)->next;
        }
        if (*link != NULL) {
            break;
        }
    }
    return link;
}

static void table_start_moving(struct gd_keyspace *ks, size_t size)
{
    struct gd__table *table = &ks->table;

    table->buckets[1] = gd_calloc(size, sizeof(struct gd_item *));
    table->mask[1] = size - 1;
    table->moving = true;
    table->moved = 0;
    ks->bytes += size * sizeof(struct gd_item *);
}

/* Moves up to `units` used buckets; returns the units that are left. */
static size_t table_move(struct gd_keyspace *ks, size_t units)
{
    struct gd__table *table = &ks->table;
    size_t empty = 0;

    while (table->moving && units > 0) {
        struct gd_item *item;
        if (table->moved > table->mask[0]) {
            ks->bytes -= (table->mask[0] + 1) * sizeof(struct gd_item *);
            gd_free(table->buckets[0]);
            table->buckets[0] = table->buckets[1];
            table->mask[0] = table->mask[1];
            table->buckets[1] = NULL;
            table->moving = false;
            break;
        }
        item = table->buckets[0][table->moved];
        table->buckets[0][table->moved] = NULL;
        table->moved++;
        units -= item != NULL || ++empty % EMPTY_PER_UNIT == 0 ? 1 : 0;
        while (item != NULL) {
            struct gd_item *next = item->next;
            struct gd_item **to = &table->buckets[1][item->hash & table->mask[1]];
            item->next = *to;
            *to = item;
            item = next;
        }
    }
    return units;
}

/* With each change: keep the table's size right, and pay a little of what is owed. */
static void table_upkeep(struct gd_keyspace *ks)
{
    struct gd__table *table = &ks->table;

    if (table->buckets[0] == NULL) {
        table->buckets[0] = gd_calloc(TABLE_SIZE_MIN, sizeof(struct gd_item *));
        table->mask[0] = TABLE_SIZE_MIN - 1;
        ks->bytes += TABLE_SIZE_MIN * sizeof(struct gd_item *);
    }
    if (!table->moving) {
        size_t size = (size_t)table->mask[0] + 1;
        if (table->used >= size) {
            table_start_moving(ks, size * 2);
        } else if (size > TABLE_SIZE_MIN && table->used < size / SHRINK_FACTOR) {
            table_start_moving(ks, size / 2);
        }
    }
    (void)table_move(ks, MOVE_PER_CHANGE);
    if (ks->graves != NULL) {
        (void)graves_work(ks, GRAVES_PER_CHANGE);
    }
}

static uint64_t reverse_bits(uint64_t value)
{
    uint64_t mask = ~UINT64_C(0);

    for (unsigned size = 32; size > 0; size /= 2) {
        mask ^= mask << size;
        value = (value >> size & mask) | (value << size & ~mask);
    }
    return value;
}

/* The cursor counts in reversed bits: when the table doubles, the buckets that a visited one is
 * split into are all behind the cursor, and when it halves, the one that it is merged into is
 * visited again at the worst. (Pieter Noordhuis's algorithm, of Redis.) */
static uint64_t cursor_next(uint64_t cursor, uint64_t mask)
{
    cursor |= ~mask;
    return reverse_bits(reverse_bits(cursor) + 1);
}

static void scan_bucket(struct gd_item *item, void (*visit)(void *, struct gd_item *),
                        void *context, size_t *work)
{
    (*work)++;
    while (item != NULL) {
        struct gd_item *next = item->next;
        visit(context, item);
        item = next;
        (*work)++;
    }
}

uint64_t gd__table_scan(const struct gd__table *table, uint64_t cursor,
                        void (*visit)(void *context, struct gd_item *item), void *context,
                        size_t *work)
{
    int small = 0;

    if (table->used == 0) {
        return 0;
    }
    if (!table->moving) {
        scan_bucket(table->buckets[0][cursor & table->mask[0]], visit, context, work);
        return cursor_next(cursor, table->mask[0]);
    }
    small = table->mask[0] > table->mask[1] ? 1 : 0;
    scan_bucket(table->buckets[small][cursor & table->mask[small]], visit, context, work);
    do {
        scan_bucket(table->buckets[1 - small][cursor & table->mask[1 - small]], visit, context,
                    work);
        cursor = cursor_next(cursor, table->mask[1 - small]);
    } while ((cursor & (table->mask[0] ^ table->mask[1])) != 0);
    return cursor;
}

/* ---------------------------------------------------------------- life */

struct gd_keyspace *gd_keyspace_new(uint64_t seed_low, uint64_t seed_high)
{
    struct gd_keyspace *ks = gd_calloc(1, sizeof *ks);

    ks->seed_low = seed_low;
    ks->seed_high = seed_high;
    gd_prng_init(&ks->prng, gd_prng_mix(seed_low, seed_high));
    return ks;
}

struct gd_keyspace *gd_keyspace_sibling(const struct gd_keyspace *ks)
{
    return gd_keyspace_new(ks->seed_low, ks->seed_high);
}

void gd_keyspace_free(struct gd_keyspace *ks)
{
    if (ks == NULL) {
        return;
    }
    gd_keyspace_clear(ks);
    if (ks->frozen.active) {
        gd_keyspace_thaw(ks);
    }
    while (gd_keyspace_work(ks, 1024)) {
    }
    GD_ASSERT(ks->bytes == 0);
    gd_free(ks);
}

void gd_keyspace_clear(struct gd_keyspace *ks)
{
    ks->changes += ks->table.used;
    if (!gd__frozen_take(ks)) {
        gd__table_bury(ks, &ks->table);
    }
    heap_clear(ks);
}

void gd_keyspace_replace(struct gd_keyspace *ks, struct gd_keyspace *from, int64_t clock_ms)
{
    GD_ASSERT(from->seed_low == ks->seed_low && from->seed_high == ks->seed_high);
    GD_ASSERT(!from->frozen.active);
    gd_keyspace_clear(ks);
    ks->table = from->table;
    ks->heap = from->heap;
    ks->heap_count = from->heap_count;
    ks->heap_capacity = from->heap_capacity;
    ks->bytes += from->bytes;
    ks->clock_ms = clock_ms;
    memcpy(ks->touched, from->touched, sizeof ks->touched);
    GD_ASSERT(from->graves == NULL);
    gd_free(from);
}

void gd_keyspace_discard(struct gd_keyspace *ks, struct gd_keyspace *from)
{
    GD_ASSERT(!from->frozen.active && from->graves == NULL);
    heap_clear(from);
    gd__table_bury(ks, &from->table);
    ks->bytes += from->bytes;
    gd_free(from);
}

/* ---------------------------------------------------------------- reading */

static const struct gd_item *find_any(const struct gd_keyspace *ks, struct gd_slice key)
{
    const struct gd__table *table = &ks->table;
    uint32_t hash;

    if (table->used == 0) {
        return NULL;
    }
    hash = hash_of(ks, key);
    for (int side = 0; side <= (table->moving ? 1 : 0); side++) {
        const struct gd_item *item = table->buckets[side][hash & table->mask[side]];
        for (; item != NULL; item = item->next) {
            if (item_is(item, hash, key)) {
                return item;
            }
        }
    }
    return NULL;
}

const struct gd_item *gd_keyspace_find(const struct gd_keyspace *ks, struct gd_slice key)
{
    const struct gd_item *item = find_any(ks, key);

    return item != NULL && !gd__item_over(item, ks->clock_ms) ? item : NULL; /* K3 */
}

/* Deadlines in (above, to]: the heap's order lets whole branches be left out. `most` ends it. */
static size_t heap_count_within(const struct gd_keyspace *ks, size_t place, int64_t above,
                                int64_t to, size_t most)
{
    size_t count = 0;

    if (place >= ks->heap_count || ks->heap[place].ms > to) {
        return 0;
    }
    count = ks->heap[place].ms > above ? 1 : 0;
    if (count < most) {
        count += heap_count_within(ks, 2 * place + 1, above, to, most - count);
    }
    if (count < most) {
        count += heap_count_within(ks, 2 * place + 2, above, to, most - count);
    }
    return count;
}

size_t gd_keyspace_count(const struct gd_keyspace *ks)
{
    return ks->table.used - heap_count_within(ks, 0, INT64_MIN, ks->clock_ms, SIZE_MAX);
}

size_t gd_keyspace_expiring_count(const struct gd_keyspace *ks)
{
    return ks->heap_count - heap_count_within(ks, 0, INT64_MIN, ks->clock_ms, SIZE_MAX);
}

uint64_t gd_keyspace_changes(const struct gd_keyspace *ks)
{
    return ks->changes;
}

size_t gd_keyspace_memory(const struct gd_keyspace *ks)
{
    return ks->bytes;
}

struct scan_context {
    gd_keyspace_visit_fn *visit;
    void *context;
    int64_t clock_ms;
};

static void scan_visit(void *context, struct gd_item *item)
{
    const struct scan_context *scan = context;

    if (!gd__item_over(item, scan->clock_ms)) {
        scan->visit(scan->context, item);
    }
}

uint64_t gd_keyspace_scan(const struct gd_keyspace *ks, uint64_t cursor,
                          gd_keyspace_visit_fn *visit, void *context)
{
    struct scan_context scan = {visit, context, ks->clock_ms};
    size_t work = 0;

    return gd__table_scan(&ks->table, cursor, scan_visit, &scan, &work);
}

struct pick {
    struct gd_prng *prng;
    uint64_t seen;
    const struct gd_item *item;
};

/* The n-th seen replaces the choice one time in n: every item of the bucket is as likely. */
static void pick_visit(void *context, const struct gd_item *item)
{
    struct pick *pick = context;

    pick->seen++;
    if (gd_prng_below(pick->prng, pick->seen) == 0) {
        pick->item = item;
    }
}

const struct gd_item *gd_keyspace_random(struct gd_keyspace *ks)
{
    struct pick pick = {&ks->prng, 0, NULL};
    uint64_t cursor;

    if (ks->table.used == 0) {
        return NULL;
    }
    cursor = gd_prng_next(&ks->prng);
    for (int tries = 0; tries < 100 && pick.item == NULL; tries++) {
        (void)gd_keyspace_scan(ks, cursor, pick_visit, &pick);
        cursor = gd_prng_next(&ks->prng);
    }
    if (pick.item == NULL) { /* Nearly all is over: the first one that is not. */
        cursor = 0;
        do {
            cursor = gd_keyspace_scan(ks, cursor, pick_visit, &pick);
        } while (cursor != 0 && pick.item == NULL);
    }
    return pick.item;
}

static void digest_visit(void *context, const struct gd_item *item)
{
    uint64_t *sum = context;
    char scratch[GD_ITEM_SCRATCH];
    struct gd_slice key = gd_item_key(item), value = gd_item_value(item, scratch);
    uint8_t tail[32];
    uint64_t of_key = gd_siphash(1, 2, key.data, key.size);

    gd_put_le64(tail, of_key);
    gd_put_le64(tail + 8, gd_siphash(3, of_key, value.data, value.size));
    gd_put_le64(tail + 16, (uint64_t)gd_item_expiry_ms(item));
    gd_put_le64(tail + 24, item->version);
    *sum += gd_siphash(5, 6, tail, sizeof tail);
}

uint64_t gd_keyspace_digest(const struct gd_keyspace *ks)
{
    uint64_t sum = gd_siphash(7, (uint64_t)ks->clock_ms, NULL, 0);
    uint64_t cursor = 0;

    do {
        cursor = gd_keyspace_scan(ks, cursor, digest_visit, &sum);
    } while (cursor != 0);
    for (size_t bucket = 0; bucket < GD_TOUCHED_COUNT; bucket++) {
        sum = sum * 31 + ks->touched[bucket];
    }
    return sum;
}

/* ---------------------------------------------------------------- changing */

static void item_unlink(struct gd_keyspace *ks, struct gd_item **link)
{
    struct gd_item *item = *link;

    if (item->has_expiry) {
        heap_remove(ks, item);
    }
    *link = item->next;
    item->next = NULL;
    ks->table.used--;
}

static void item_drop(struct gd_keyspace *ks, struct gd_item **link)
{
    struct gd_item *item = *link;

    item_unlink(ks, link);
    if (!gd__frozen_save(ks, item, true)) {
        gd__item_free(ks, item);
    }
}

/* A new item at the end of its chain, its value unset. */
static struct gd_item **item_add(struct gd_keyspace *ks, struct gd_slice key, uint32_t hash,
                                 size_t value_size, bool has_expiry)
{
    struct gd__table *table = &ks->table;
    struct gd_item head = {.hash = hash, .epoch = ks->epoch};
    struct gd_item *item, **bucket;
    int side = table->moving ? 1 : 0;

    GD_ASSERT(key.size <= GD_ITEM_SIZE_MAX && value_size <= GD_ITEM_SIZE_MAX);
    head.key_size = (uint32_t)key.size & 0x3fffffff;
    head.value_size = (uint32_t)value_size & 0x3fffffff;
    head.has_expiry = has_expiry;
    item = gd_malloc(gd__item_size(&head));
    memcpy(item, &head, sizeof head);
    ks->bytes += gd__item_size(item);
    if (key.size > 0) {
        memcpy(item_key_at(item), key.data, key.size);
    }
    bucket = &table->buckets[side][hash & table->mask[side]];
    item->next = *bucket;
    *bucket = item;
    table->used++;
    return bucket;
}

/* Gives the item at `link` another size of value and a room for a deadline or none; keeps the key
 * and what fits of the value's bytes. Out of the heap when it comes back, if it was in it. */
static struct gd_item *item_reshape(struct gd_keyspace *ks, struct gd_item **link,
                                    size_t value_size, bool has_expiry, bool grow)
{
    struct gd_item *item = *link;
    size_t kept = item->value_size < value_size ? item->value_size : value_size;
    size_t before = item_allocated(item), after;
    bool had_expiry = item->has_expiry;

    GD_ASSERT(value_size <= GD_ITEM_SIZE_MAX);
    if (had_expiry) {
        heap_remove(ks, item);
    }
    if (had_expiry && !has_expiry) {
        memmove(item->data, item->data + GD__EXPIRY_SIZE, item->key_size + kept);
    }
    item->value_size = (uint32_t)value_size & 0x3fffffff;
    item->has_expiry = has_expiry;
    item->is_grown = grow;
    after = item_allocated(item);
    if (after != before) {
        item = gd_realloc(item, after);
        ks->bytes += after - before;
        *link = item;
    }
    if (has_expiry && !had_expiry) {
        memmove(item->data + GD__EXPIRY_SIZE, item->data, item->key_size + kept);
    }
    return item;
}

static void item_set_deadline(struct gd_keyspace *ks, struct gd_item *item, int64_t expiry_ms)
{
    gd_put_le64(item->data, (uint64_t)expiry_ms);
    heap_insert(ks, item);
}

/* The stored form of a value: a number's 8 bytes or the bytes as they are. */
static void set_stored(struct gd_keyspace *ks, struct gd_slice key, struct gd_slice stored,
                       bool is_number, int64_t expiry_ms, gd_index version)
{
    bool has_expiry = expiry_ms != GD_EXPIRY_NONE;
    uint32_t hash = hash_of(ks, key);
    struct gd_item **link, *item;

    ks->changes++;
    table_upkeep(ks);
    link = table_link(&ks->table, hash, key);
    if (*link != NULL && gd__frozen_save(ks, *link, false)) {
        GD_REACHED("a frozen key was overwritten");
    }
    if (*link == NULL) {
        link = item_add(ks, key, hash, stored.size, has_expiry);
        item = *link;
    } else {
        item = item_reshape(ks, link, stored.size, has_expiry, false);
    }
    item->is_number = is_number;
    item->is_raw = false;
    item->version = version;
    gd_keyspace_touch(ks, gd__touched_bucket(key), version);
    if (stored.size > 0) {
        memcpy(item_key_at(item) + item->key_size, stored.data, stored.size);
    }
    if (has_expiry) {
        item_set_deadline(ks, item, expiry_ms);
    }
}

void gd_keyspace_set_number(struct gd_keyspace *ks, struct gd_slice key, int64_t number,
                            int64_t expiry_ms, gd_index version)
{
    uint8_t stored[8];

    gd_put_le64(stored, (uint64_t)number);
    set_stored(ks, key, (struct gd_slice){stored, sizeof stored}, true, expiry_ms, version);
}

void gd_keyspace_set(struct gd_keyspace *ks, struct gd_slice key, struct gd_slice value,
                     int64_t expiry_ms, gd_index version)
{
    int64_t number;

    if (gd_number_parse(value, &number)) {
        gd_keyspace_set_number(ks, key, number, expiry_ms, version);
    } else {
        set_stored(ks, key, value, false, expiry_ms, version);
    }
}

/* A number becomes its digits, in place. */
static void item_spell_out(struct gd_keyspace *ks, struct gd_item **link)
{
    char scratch[GD_ITEM_SCRATCH];
    struct gd_slice digits = gd_item_value(*link, scratch);
    int64_t expiry_ms = gd_item_expiry_ms(*link);
    struct gd_item *item;

    if (!(*link)->is_number) {
        return;
    }
    item = item_reshape(ks, link, digits.size, (*link)->has_expiry, true);
    memcpy(item_key_at(item) + item->key_size, digits.data, digits.size);
    item->is_number = false;
    if (item->has_expiry) {
        item_set_deadline(ks, item, expiry_ms);
    }
}

uint8_t *gd_keyspace_edit(struct gd_keyspace *ks, struct gd_slice key, size_t size,
                          gd_index version)
{
    uint32_t hash = hash_of(ks, key);
    struct gd_item **link, *item;
    int64_t expiry_ms;
    size_t old_size;

    ks->changes++;
    gd_keyspace_touch(ks, gd__touched_bucket(key), version);
    table_upkeep(ks);
    link = table_link(&ks->table, hash, key);
    if (*link != NULL && gd__item_over(*link, ks->clock_ms)) {
        item_drop(ks, link);
        link = table_link(&ks->table, hash, key);
    }
    if (*link == NULL) {
        link = item_add(ks, key, hash, size, false);
        item = *link;
        memset(item_key_at(item) + item->key_size, 0, size);
        item->is_raw = true;
        item->version = version;
        return item_key_at(item) + item->key_size;
    }
    (void)gd__frozen_save(ks, *link, false);
    expiry_ms = gd_item_expiry_ms(*link);
    item_spell_out(ks, link);
    old_size = (*link)->value_size < size ? (*link)->value_size : size;
    item = item_reshape(ks, link, size, (*link)->has_expiry, true);
    memset(item_key_at(item) + item->key_size + old_size, 0, size - old_size);
    item->is_raw = true;
    item->version = version;
    if (item->has_expiry) {
        item_set_deadline(ks, item, expiry_ms);
    }
    return item_key_at(item) + item->key_size;
}

/* The link of a key that is there; NULL when absent. */
static struct gd_item **find_link(struct gd_keyspace *ks, struct gd_slice key)
{
    struct gd_item **link;

    table_upkeep(ks);
    link = table_link(&ks->table, hash_of(ks, key), key);
    return *link != NULL && !gd__item_over(*link, ks->clock_ms) ? link : NULL;
}

bool gd_keyspace_set_expiry(struct gd_keyspace *ks, struct gd_slice key, int64_t expiry_ms,
                            gd_index version)
{
    bool has_expiry = expiry_ms != GD_EXPIRY_NONE;
    struct gd_item **link = find_link(ks, key);
    struct gd_item *item;

    if (link == NULL) {
        return false;
    }
    ks->changes++;
    (void)gd__frozen_save(ks, *link, false);
    item = item_reshape(ks, link, (*link)->value_size, has_expiry, (*link)->is_grown);
    item->version = version;
    gd_keyspace_touch(ks, gd__touched_bucket(key), version);
    if (has_expiry) {
        item_set_deadline(ks, item, expiry_ms);
    }
    return true;
}

void gd_keyspace_mark_raw(struct gd_keyspace *ks, struct gd_slice key)
{
    struct gd_item **link = find_link(ks, key);

    if (link != NULL && !(*link)->is_number) {
        (*link)->is_raw = true;
    }
}

bool gd_keyspace_delete(struct gd_keyspace *ks, struct gd_slice key)
{
    struct gd_item **link;
    bool there;

    table_upkeep(ks);
    link = table_link(&ks->table, hash_of(ks, key), key);
    if (*link == NULL) {
        return false;
    }
    there = !gd__item_over(*link, ks->clock_ms);
    ks->changes += there ? 1 : 0;
    item_drop(ks, link);
    return there;
}

/* ---------------------------------------------------------------- time */

int64_t gd_keyspace_clock_ms(const struct gd_keyspace *ks)
{
    return ks->clock_ms;
}

/* The first key whose time is up and that is still in memory. */
static struct gd_item *due_first(const struct gd_keyspace *ks)
{
    return ks->heap_count > 0 && ks->heap[0].ms <= ks->clock_ms ? ks->heap[0].item : NULL;
}

/* Returns the units that are left. Nobody can see when this is done (K3). */
static size_t due_work(struct gd_keyspace *ks, size_t units)
{
    struct gd_item *item;

    while (units > 0 && (item = due_first(ks)) != NULL) {
        struct gd_item **link = table_link(&ks->table, item->hash, gd_item_key(item));
        GD_ASSERT(*link == item); /* K2 */
        item_drop(ks, link);
        units--;
    }
    return units;
}

void gd_keyspace_advance(struct gd_keyspace *ks, int64_t now_ms, size_t limit)
{
    if (now_ms > ks->clock_ms) {
        ks->clock_ms = now_ms;
    }
    if (due_work(ks, limit) < limit) {
        table_upkeep(ks);
    }
}

bool gd_keyspace_work(struct gd_keyspace *ks, size_t units)
{
    units = graves_work(ks, units);
    units = table_move(ks, units);
    units = due_work(ks, units);
    return ks->graves != NULL || ks->table.moving || (units == 0 && due_first(ks) != NULL);
}

int64_t gd_keyspace_next_expiry_ms(const struct gd_keyspace *ks)
{
    return ks->heap_count > 0 ? ks->heap[0].ms : INT64_MAX;
}

bool gd_keyspace_due_by(const struct gd_keyspace *ks, int64_t wall_ms)
{
    return heap_count_within(ks, 0, ks->clock_ms, wall_ms, 1) > 0;
}
