/* keyspace.h - the store in memory: binary keys to string values, with versions, expiry and frozen
 * views. Design notes: keyspace.c.
 *
 * Everything is synchronous and belongs to one process. A change says at which log index it is made
 * (`version`); the keyspace's clock is the replicated one, and moves by gd_keyspace_advance alone.
 * A key whose deadline the clock has reached is absent to every function here, whether or not its
 * memory has been given back yet. */
#ifndef GANDALF_KVS_KEYSPACE_H
#define GANDALF_KVS_KEYSPACE_H
#include "engine/base.h"

#define GD_EXPIRY_NONE (-1)
/* The longest key and the longest value, bytes: the protocol's own limit on a bulk. */
#define GD_ITEM_SIZE_MAX ((size_t)512 * 1024 * 1024)

struct gd_keyspace;
struct gd_item; /* A key with its value; borrowed until the next change of the keyspace. */

/* Seeds come from the entropy stream: they order what no command may rely on. */
struct gd_keyspace *gd_keyspace_new(uint64_t seed_low, uint64_t seed_high);
void gd_keyspace_free(struct gd_keyspace *ks);

/* ---------------------------------------------------------------- one item */

#define GD_ITEM_SCRATCH 24
struct gd_slice gd_item_key(const struct gd_item *item);
/* The value's bytes; a number is written into `scratch` first. */
struct gd_slice gd_item_value(const struct gd_item *item, char scratch[GD_ITEM_SCRATCH]);
/* True, and the number, when the value is kept as one. */
bool gd_item_number(const struct gd_item *item, int64_t *number);
/* Milliseconds since 1970, or GD_EXPIRY_NONE. */
int64_t gd_item_expiry_ms(const struct gd_item *item);
/* The index of the last write that changed it; above 0. */
gd_index gd_item_version(const struct gd_item *item);
/* What OBJECT ENCODING answers: "int", "embstr" or "raw"; static. */
const char *gd_item_encoding(const struct gd_item *item);
/* Bytes that the item takes, its place in the table counted in. */
size_t gd_item_memory(const struct gd_item *item);

/* ---------------------------------------------------------------- reading */

/* NULL when absent. */
const struct gd_item *gd_keyspace_find(const struct gd_keyspace *ks, struct gd_slice key);
/* Keys that are there at the clock. */
size_t gd_keyspace_count(const struct gd_keyspace *ks);
/* Those of them that have a deadline. */
size_t gd_keyspace_expiring_count(const struct gd_keyspace *ks);
/* Bytes allocated: items, tables, what waits to be given back. */
size_t gd_keyspace_memory(const struct gd_keyspace *ks);
/* Changes made so far: grows with each call below that changes a key. */
uint64_t gd_keyspace_changes(const struct gd_keyspace *ks);
typedef void gd_keyspace_visit_fn(void *context, const struct gd_item *item);
/* Visits a few keys, and returns the cursor that goes on there; begin with 0, and it ends with 0.
 * A key that is there from the first call to the last is visited at least once, whatever else
 * changes in between; without changes exactly once. `visit` must not change the keyspace. */
uint64_t gd_keyspace_scan(const struct gd_keyspace *ks, uint64_t cursor,
                          gd_keyspace_visit_fn *visit, void *context);
/* Any key, drawn by the keyspace's own generator; NULL when it is empty. */
const struct gd_item *gd_keyspace_random(struct gd_keyspace *ks);
/* Equal for equal contents (keys, values, deadlines, versions) and clocks, however they came to be.
 * Slow: visits everything. */
uint64_t gd_keyspace_digest(const struct gd_keyspace *ks);

/* For WATCH: equal at two moments only if the key was not written, and did not go, between them
 * (and for an absent key usually then). */
uint64_t gd_keyspace_watch(const struct gd_keyspace *ks, struct gd_slice key);
/* The table behind it, for snapshots: the last write's index for each bucket of keys. */
#define GD_TOUCHED_COUNT 4096
gd_index gd_keyspace_touched(const struct gd_keyspace *ks, size_t bucket);
void gd_keyspace_touch(struct gd_keyspace *ks, size_t bucket, gd_index version);

/* ---------------------------------------------------------------- changing */

/* Sets the value whole; kept as a number when it is one, canonically written. */
void gd_keyspace_set(struct gd_keyspace *ks, struct gd_slice key, struct gd_slice value,
                     int64_t expiry_ms, gd_index version);
void gd_keyspace_set_number(struct gd_keyspace *ks, struct gd_slice key, int64_t number,
                            int64_t expiry_ms, gd_index version);
/* The value's bytes for writing, `size` of them: the old ones, cut, or continued by zeros. Makes
 * the key when absent; keeps its deadline. Borrowed until the next call. */
uint8_t *gd_keyspace_edit(struct gd_keyspace *ks, struct gd_slice key, size_t size,
                          gd_index version);
/* False when the key is absent. GD_EXPIRY_NONE takes the deadline away. */
bool gd_keyspace_set_expiry(struct gd_keyspace *ks, struct gd_slice key, int64_t expiry_ms,
                            gd_index version);
/* False when the key was absent. */
bool gd_keyspace_delete(struct gd_keyspace *ks, struct gd_slice key);
/* Everything at once, in a bounded time: the memory is given back by later work. */
void gd_keyspace_clear(struct gd_keyspace *ks);
/* Marks a value as one that was edited in place ("raw" to OBJECT ENCODING): for restoring. */
void gd_keyspace_mark_raw(struct gd_keyspace *ks, struct gd_slice key);

/* ---------------------------------------------------------------- time and upkeep */

int64_t gd_keyspace_clock_ms(const struct gd_keyspace *ks);
/* Moves the clock to `now_ms` (never back), and gives back at most `limit` due keys. */
void gd_keyspace_advance(struct gd_keyspace *ks, int64_t now_ms, size_t limit);
/* The earliest deadline of what is in memory; INT64_MAX when nothing expires. */
int64_t gd_keyspace_next_expiry_ms(const struct gd_keyspace *ks);
/* True when some key's deadline is above the clock and at or below `wall_ms`. */
bool gd_keyspace_due_by(const struct gd_keyspace *ks, int64_t wall_ms);
/* At most about `units` steps of moving to a larger table and giving memory back, that of due keys
 * too. True while there is more of it. */
bool gd_keyspace_work(struct gd_keyspace *ks, size_t units);

/* ---------------------------------------------------------------- frozen view, restore */

/* Freezes the contents as they are now; at most one view at a time. */
void gd_keyspace_freeze(struct gd_keyspace *ks);
bool gd_keyspace_frozen(const struct gd_keyspace *ks);
/* The clock at the freezing. */
int64_t gd_keyspace_frozen_clock_ms(const struct gd_keyspace *ks);
/* The next item as it was then; each once. Borrowed until the next change of the keyspace: after
 * one, gd_keyspace_frozen_current gives the same contents again.
 * NULL: `*end` says whether that was all; else `*work` is used up. Each step takes from `*work`. */
const struct gd_item *gd_keyspace_frozen_next(struct gd_keyspace *ks, size_t *work, bool *end);
const struct gd_item *gd_keyspace_frozen_current(const struct gd_keyspace *ks);
/* Lets the view go, at its end or before. */
void gd_keyspace_thaw(struct gd_keyspace *ks);

/* Replaces the contents of `ks` by those of `from`, which was made with the same seeds and is
 * freed. A frozen view stays as it was. The clock becomes `clock_ms`. */
void gd_keyspace_replace(struct gd_keyspace *ks, struct gd_keyspace *from, int64_t clock_ms);
/* Frees `from`, a sibling, leaving its items to the later work of `ks`: no stall. */
void gd_keyspace_discard(struct gd_keyspace *ks, struct gd_keyspace *from);
/* An empty keyspace with the seeds of `ks`. */
struct gd_keyspace *gd_keyspace_sibling(const struct gd_keyspace *ks);
#endif
