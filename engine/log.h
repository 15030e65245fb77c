/* log.h - the log in memory: entries behind a position, by index.
 *
 * A ring of shared entries. It may begin behind a snapshot (`before`), keeps a tail for slow
 * followers, and never has a gap. */
#ifndef GANDALF_ENGINE_LOG_H
#define GANDALF_ENGINE_LOG_H
#include "engine/entry.h"

struct gd_log {
    struct gd_entry **items;   /* Owned ring; by index modulo capacity. */
    size_t capacity;           /* A power of two, or 0. */
    struct gd_position before; /* In front of the first entry. */
    gd_index last;             /* before.index when empty. */
    size_t size;               /* Bytes: the weights of the entries. */
};
void gd_log_release(struct gd_log *log);
/* The entry at last + 1; the reference is moved in. Requires: its position's index is that. */
void gd_log_append(struct gd_log *log, struct gd_entry *entry);
/* Drops entries at and after `from`. Requires: from > before.index. */
void gd_log_truncate(struct gd_log *log, gd_index from);
/* Drops entries at and before `to`. Requires: before.index <= to <= last. */
void gd_log_compact(struct gd_log *log, gd_index to);
/* Drops everything; the log goes on behind `before`. */
void gd_log_reset(struct gd_log *log, struct gd_position before);
/* Borrowed, or NULL. */
struct gd_entry *gd_log_entry(const struct gd_log *log, gd_index index);
/* The term at `index`, `before` included; 0 when not known. */
gd_term gd_log_term(const struct gd_log *log, gd_index index);
struct gd_position gd_log_last(const struct gd_log *log);
#endif
