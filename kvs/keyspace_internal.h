/* keyspace_internal.h - what the keyspace's files share. Design notes: keyspace.c. */
#ifndef GANDALF_KVS_KEYSPACE_INTERNAL_H
#define GANDALF_KVS_KEYSPACE_INTERNAL_H
#include "engine/prng.h"
#include "kvs/keyspace.h"

/* One allocation: this header; when `has_expiry`, 8 bytes of deadline and 4 of place in the heap;
 * the key; the value (8 bytes of int64 when `is_number`). */
struct gd_item {
    struct gd_item *next; /* Owned: the chain of one bucket, or of a list of items. */
    gd_index version;
    uint32_t hash;
    uint32_t epoch; /* The freezing that has it already; see F2. */
    uint32_t key_size : 30;
    uint32_t is_number : 1;
    uint32_t has_expiry : 1;
    uint32_t value_size : 30; /* Of the stored form: 8 for a number. */
    uint32_t is_raw : 1;      /* Was edited in place. */
    uint32_t is_grown : 1;    /* Allocated with room to grow; see item_room. */
    uint8_t data[];
};
enum { GD__EXPIRY_SIZE = 12, GD__EXPIRY_PLACE = 8 };

/* Two arrays of chains; items move from the first to the second a few buckets at a time. */
struct gd__table {
    struct gd_item **buckets[2]; /* Owned; [1] only while moving. */
    uint64_t mask[2];            /* Buckets - 1. */
    size_t used;                 /* Items in both. */
    size_t moved;                /* Buckets of [0] moved so far. */
    bool moving;
};

struct gd__deadline {
    int64_t ms;
    struct gd_item *item; /* Borrowed from the table. */
};

/* A table that is out of use, given back a few buckets at a time. */
struct gd__grave {
    struct gd__table table;
    size_t at; /* The next bucket. */
    int side;
    struct gd__grave *next;
};

struct gd__frozen {
    bool active;
    bool detached; /* `table` holds the view's items; the live table has none of them. */
    bool walked;   /* The walk is over: only `saved` is left. */
    int64_t clock_ms;
    uint64_t cursor;         /* Of the walk. */
    struct gd__table table;  /* Owned, when detached. */
    struct gd_item *saved;   /* Owned: contents from before changes made meanwhile. */
    struct gd_item *current; /* The item given last. */
    bool current_owned;      /* `current` is in no table and in no list. */
};

struct gd_keyspace {
    uint64_t seed_low, seed_high;
    struct gd_prng prng;
    int64_t clock_ms;
    struct gd__table table;
    struct gd__deadline *heap; /* Owned; by (deadline, key). */
    size_t heap_count, heap_capacity;
    uint32_t epoch;
    struct gd__frozen frozen;
    struct gd__grave *graves;
    size_t bytes;     /* Allocated. */
    uint64_t changes; /* Made by commands; what expiry takes is none. */
    /* By bucket of keys: the index of the last write to any of them. Says of an absent key whether
     * it may have been there meanwhile. The buckets are by CRC, not by the seeded hash: the same on
     * every node. */
    gd_index touched[GD_TOUCHED_COUNT];
};

size_t gd__touched_bucket(struct gd_slice key); /* Of `touched`. */
size_t gd__item_size(const struct gd_item *item);
void gd__item_free(struct gd_keyspace *ks, struct gd_item *item);
int64_t gd__item_deadline(const struct gd_item *item);
/* Whether the item is over at `clock_ms`. */
static inline bool gd__item_over(const struct gd_item *item, int64_t clock_ms)
{
    return item->has_expiry && gd__item_deadline(item) <= clock_ms;
}
/* The walk of one bucket (and, while moving, of its counterparts); returns the next cursor. */
uint64_t gd__table_scan(const struct gd__table *table, uint64_t cursor,
                        void (*visit)(void *context, struct gd_item *item), void *context,
                        size_t *work);
void gd__table_bury(struct gd_keyspace *ks, struct gd__table *table);
/* Before `item` changes: keeps its contents for the frozen view, if that still wants them. With
 * `unlinked` the item is out of every table, and moved here when true is returned. */
bool gd__frozen_save(struct gd_keyspace *ks, struct gd_item *item, bool unlinked);
/* Before the live table goes away whole. True: it was taken over. */
bool gd__frozen_take(struct gd_keyspace *ks);
#endif
