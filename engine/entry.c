/* entry.c - counted, immutable log entries. */
#include "engine/entry.h"
#include "engine/memory.h"
#include <string.h>

struct gd_entry *gd_entry_new(enum gd_entry_type type, const void *data, size_t size)
{
    struct gd_entry *entry = gd_malloc(sizeof *entry + size);

    *entry = (struct gd_entry){.references = 1, .type = type, .size = size};
    if (data != NULL && size > 0) {
        memcpy(entry->data, data, size);
    }
    return entry;
}

struct gd_entry *gd_entry_share(struct gd_entry *entry)
{
    GD_ASSERT(entry->references > 0 && entry->references < UINT32_MAX);
    entry->references++;
    return entry;
}

void gd_entry_drop(struct gd_entry *entry)
{
    if (entry == NULL) {
        return;
    }
    GD_ASSERT(entry->references > 0);
    if (--entry->references == 0) {
        gd_free(entry);
    }
}
