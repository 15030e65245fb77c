/* entry.h - one entry of the replicated log, shared by log, peers, write-ahead log and apply.
 *
 * One allocation, immutable once it has its position, counted: whoever keeps it holds a reference.
 * So an entry is copied once, from the client's bytes, and never again inside a node. */
#ifndef GANDALF_ENGINE_ENTRY_H
#define GANDALF_ENGINE_ENTRY_H
#include "engine/base.h"

/* Numbers are stored: never renumber or reuse. */
enum gd_entry_type {
    GD_ENTRY_NOOP = 1,    /* A leader's first; no data. Paper section 8. */
    GD_ENTRY_REQUEST = 2, /* A client's write: see proposal.h. */
    GD_ENTRY_CONFIG = 3,  /* An encoded struct gd_config: see config.h. */
    GD_ENTRY_TIME = 4,    /* Moves the replicated clock; no data. */
};
#define GD_ENTRY_TYPE_MAX GD_ENTRY_TIME

struct gd_entry {
    struct gd_position position; /* Set by the log when appended. */
    int64_t stamp_ms;            /* The leader's wall time, never below the entry's before it. */
    uint32_t references;
    enum gd_entry_type type;
    size_t size; /* Bytes of data. */
    uint8_t data[];
};
/* A new entry with one reference, `data` uninitialized (or copied from `data` when not NULL). */
struct gd_entry *gd_entry_new(enum gd_entry_type type, const void *data, size_t size);
/* One more reference; returns `entry`. */
struct gd_entry *gd_entry_share(struct gd_entry *entry);
/* One reference less; the last frees. NULL is harmless. */
void gd_entry_drop(struct gd_entry *entry);
/* What an entry counts for against a limit in bytes: its data and its own size. */
static inline size_t gd_entry_weight(const struct gd_entry *entry)
{
    return sizeof *entry + entry->size;
}
#endif
