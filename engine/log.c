/* log.c - the log in memory. See log.h. */
#include "engine/log.h"
#include "engine/memory.h"

enum { CAPACITY_FIRST = 64 };

static struct gd_entry **place(const struct gd_log *log, gd_index index)
{
    return &log->items[index & (log->capacity - 1)];
}

void gd_log_release(struct gd_log *log)
{
    gd_log_reset(log, log->before);
    gd_free(log->items);
    *log = (struct gd_log){0};
}

static void grow(struct gd_log *log)
{
    size_t capacity = log->capacity == 0 ? CAPACITY_FIRST : log->capacity * 2;
    struct gd_entry **items = gd_malloc(capacity * sizeof(struct gd_entry *));

    for (gd_index index = log->before.index + 1; index <= log->last; index++) {
        items[index & (capacity - 1)] = *place(log, index);
    }
    gd_free(log->items);
    log->items = items;
    log->capacity = capacity;
}

void gd_log_append(struct gd_log *log, struct gd_entry *entry)
{
    GD_ASSERT(entry->position.index == log->last + 1);
    GD_ASSERT(entry->position.term >= gd_log_last(log).term);
    if (log->last - log->before.index == log->capacity) {
        grow(log);
    }
    log->last++;
    log->size += gd_entry_weight(entry);
    *place(log, log->last) = entry;
}

void gd_log_truncate(struct gd_log *log, gd_index from)
{
    GD_ASSERT(from > log->before.index);
    while (log->last >= from) {
        struct gd_entry *entry = *place(log, log->last);
        log->size -= gd_entry_weight(entry);
        gd_entry_drop(entry);
        log->last--;
    }
}

void gd_log_compact(struct gd_log *log, gd_index to)
{
    GD_ASSERT(to >= log->before.index && to <= log->last);
    while (log->before.index < to) {
        struct gd_entry *entry = *place(log, log->before.index + 1);
        log->size -= gd_entry_weight(entry);
        log->before = entry->position;
        gd_entry_drop(entry);
    }
}

void gd_log_reset(struct gd_log *log, struct gd_position before)
{
    if (log->last > log->before.index) {
        gd_log_truncate(log, log->before.index + 1);
    }
    log->before = before;
    log->last = before.index;
}

struct gd_entry *gd_log_entry(const struct gd_log *log, gd_index index)
{
    return index > log->before.index && index <= log->last ? *place(log, index) : NULL;
}

gd_term gd_log_term(const struct gd_log *log, gd_index index)
{
    const struct gd_entry *entry = gd_log_entry(log, index);

    if (entry != NULL) {
        return entry->position.term;
    }
    return index == log->before.index ? log->before.term : 0;
}

struct gd_position gd_log_last(const struct gd_log *log)
{
    return (struct gd_position){gd_log_term(log, log->last), log->last};
}
