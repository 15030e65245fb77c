/* store.c - files and names of a simulated disk, each in two states: as the process sees it, and as
 * the medium has it.
 *
 * Why. Nearly every bug of a log shows only after a crash between two of its writes; so a crash
 * must be free to leave everything that io.h leaves open, and nothing that it promises away.
 *
 * How. A file is a table of pages. A page that was written since the last sync keeps a copy of what
 * the medium has, and a bit for each 512-byte sector that differs. A power loss decides for each
 * such sector alone whether the medium got it (new), did not (old), or was interrupted (a mix).
 * Sizes and names are decided in the same way, each alone: of a rename's two names one, both or
 * neither may have happened (X2). A folder that still holds a durable name stays (D2 promises the
 * name, so its folder, too).
 *
 * A failed sync drops what it should have written (X4): drawn for each sector, the medium has it or
 * not, but the page is clean from then on and no later sync writes it. The cache may still show the
 * lost bytes, until the power goes: what reads back is no proof.
 *
 * A sync covers what became dirty before it was submitted. A sector written before and again after
 * that is covered as it is now: the medium may have the newer bytes.
 *
 * Invariants
 *   T1. A page without a durable copy has neither dirty nor dropped sectors.
 *   T2. Bytes behind the size are zero in `now`, so a file that grows reads zeros (and so do
 *       preallocated bytes).
 *   T3. Names are ordered by their bytes; one entry a path. */
#include "io-sim/store.h"
#include "engine/bytes.h"

static struct gd_world *world_of(const struct gd_store *store)
{
    return store->process->world;
}

static uint64_t stamp(const struct gd_store *store)
{
    return store->process->disk.sequence;
}

static uint64_t pages_for(uint64_t size)
{
    return (size + GD_PAGE_SIZE - 1) / GD_PAGE_SIZE;
}

/* ---------------------------------------------------------------- inodes */

static struct gd_inode *inode_new(struct gd_store *store, bool folder)
{
    struct gd_inode *inode = gd__heap_zeroed(&world_of(store)->heap, sizeof *inode);

    inode->number = ++store->inode_count;
    inode->folder = folder;
    return inode;
}

static void free_page(struct gd_store *store, struct gd_page *page)
{
    if (page != NULL) {
        gd__heap_free(&world_of(store)->heap, page->durable);
        gd__heap_free(&world_of(store)->heap, page);
    }
}

void gd__inode_hold(struct gd_inode *inode)
{
    inode->uses++;
}

void gd__inode_drop(struct gd_store *store, struct gd_inode *inode)
{
    struct gd_heap *heap = &world_of(store)->heap;

    GD_ASSERT(inode->uses > 0);
    if (--inode->uses > 0) {
        return;
    }
    for (size_t i = 0; i < inode->page_count; i++) {
        free_page(store, inode->pages[i]);
    }
    store->used -= pages_for(inode->size) * GD_PAGE_SIZE;
    gd__heap_free(heap, inode->pages);
    gd__heap_free(heap, inode->dirty_pages);
    gd__heap_free(heap, inode);
}

/* ---------------------------------------------------------------- pages */

static struct gd_page *page_at(const struct gd_inode *inode, uint64_t number)
{
    return number < inode->page_count ? inode->pages[number] : NULL;
}

static struct gd_page *need_page(struct gd_store *store, struct gd_inode *inode, uint64_t number)
{
    struct gd_heap *heap = &world_of(store)->heap;

    if (number >= inode->page_count) {
        size_t count = inode->page_count == 0 ? 16 : inode->page_count * 2;

        count = count > number ? count : (size_t)number + 1;
        inode->pages = gd__heap_grow(heap, inode->pages, count * sizeof(struct gd_page *));
        for (size_t i = inode->page_count; i < count; i++) {
            inode->pages[i] = NULL;
        }
        inode->page_count = count;
    }
    if (inode->pages[number] == NULL) {
        inode->pages[number] = gd__heap_zeroed(heap, sizeof(struct gd_page));
    }
    return inode->pages[number];
}

/* From here on the medium's bytes of the page are kept apart. */
static void split(struct gd_store *store, struct gd_inode *inode, uint64_t number)
{
    struct gd_page *page = inode->pages[number];

    if (page->durable != NULL) {
        return;
    }
    page->durable = gd__heap_alloc(&world_of(store)->heap, GD_PAGE_SIZE);
    memcpy(page->durable, page->now, GD_PAGE_SIZE);
    if (inode->dirty_count == inode->dirty_capacity) {
        inode->dirty_capacity = inode->dirty_capacity == 0 ? 16 : inode->dirty_capacity * 2;
        inode->dirty_pages = gd__heap_grow(&world_of(store)->heap, inode->dirty_pages,
                                           inode->dirty_capacity * sizeof(size_t));
    }
    inode->dirty_pages[inode->dirty_count++] = (size_t)number;
}

/* T1: pages whose two states are the same again leave the list. */
static void join_clean(struct gd_store *store, struct gd_inode *inode)
{
    size_t kept = 0;

    for (size_t i = 0; i < inode->dirty_count; i++) {
        struct gd_page *page = inode->pages[inode->dirty_pages[i]];

        if (page->dirty == 0 && page->dropped == 0) {
            gd__heap_free(&world_of(store)->heap, page->durable);
            page->durable = NULL;
        } else {
            inode->dirty_pages[kept++] = inode->dirty_pages[i];
        }
    }
    inode->dirty_count = kept;
}

static void make_durable(struct gd_page *page, unsigned sector)
{
    uint8_t bit = (uint8_t)(1u << sector);

    memcpy(page->durable + sector * GD_SECTOR_SIZE, page->now + sector * GD_SECTOR_SIZE,
           GD_SECTOR_SIZE);
    page->dirty &= (uint8_t)~bit;
    page->dropped &= (uint8_t)~bit;
}

static void mark_dirty(const struct gd_store *store, struct gd_page *page, unsigned sector)
{
    uint8_t bit = (uint8_t)(1u << sector);

    if ((page->dirty & bit) == 0) {
        page->dirty |= bit;
        page->dropped &= (uint8_t)~bit;
        page->since[sector] = stamp(store);
    }
}

/* Writes within one page; `data` NULL: zeros. */
static void write_page(struct gd_store *store, struct gd_inode *inode, uint64_t number,
                       size_t begin, const uint8_t *data, size_t size, bool durable)
{
    struct gd_page *page = need_page(store, inode, number);

    if (!durable) {
        split(store, inode, number);
    }
    if (data != NULL) {
        memcpy(page->now + begin, data, size);
    } else {
        memset(page->now + begin, 0, size);
    }
    if (page->durable == NULL) {
        return; /* Durable at once, and nothing else in the page is not. */
    }
    for (size_t sector = begin / GD_SECTOR_SIZE; sector * GD_SECTOR_SIZE < begin + size; sector++) {
        if (durable) {
            make_durable(page, (unsigned)sector);
        } else {
            mark_dirty(store, page, (unsigned)sector);
        }
    }
}

/* ---------------------------------------------------------------- sizes */

uint64_t gd__inode_growth(const struct gd_inode *inode, uint64_t size)
{
    return size <= inode->size ? 0 : (pages_for(size) - pages_for(inode->size)) * GD_PAGE_SIZE;
}

static void set_size(struct gd_store *store, struct gd_inode *inode, uint64_t size)
{
    store->used += pages_for(size) * GD_PAGE_SIZE;
    store->used -= pages_for(inode->size) * GD_PAGE_SIZE;
    inode->size = size;
    if (!inode->size_dirty) {
        inode->size_dirty = true;
        inode->size_since = stamp(store);
    }
}

void gd__inode_resize(struct gd_store *store, struct gd_inode *inode, uint64_t size)
{
    uint64_t end = inode->size;

    if (size == end) {
        return;
    }
    /* T2: what is cut off becomes zeros, which the medium learns as it learns any write. */
    for (uint64_t at = size; at < end;) {
        size_t begin = (size_t)(at % GD_PAGE_SIZE);
        size_t part = GD_PAGE_SIZE - begin < end - at ? GD_PAGE_SIZE - begin : (size_t)(end - at);

        if (page_at(inode, at / GD_PAGE_SIZE) != NULL) {
            write_page(store, inode, at / GD_PAGE_SIZE, begin, NULL, part, false);
        }
        at += part;
    }
    set_size(store, inode, size);
}

void gd__inode_write(struct gd_store *store, struct gd_inode *inode, uint64_t offset,
                     const uint8_t *data, uint64_t size, bool durable)
{
    uint64_t end = offset + size;

    if (size == 0) {
        return;
    }
    for (uint64_t at = offset; at < end;) {
        size_t begin = (size_t)(at % GD_PAGE_SIZE);
        size_t part = GD_PAGE_SIZE - begin < end - at ? GD_PAGE_SIZE - begin : (size_t)(end - at);

        write_page(store, inode, at / GD_PAGE_SIZE, begin, data + (at - offset), part, durable);
        at += part;
    }
    if (end > inode->size) {
        set_size(store, inode, end);
    }
    if (durable && end > inode->durable_size) {
        inode->durable_size = end;
        inode->size_dirty = inode->size != inode->durable_size;
    }
}

void gd__inode_write_half(struct gd_store *store, struct gd_inode *inode, uint64_t offset,
                          const uint8_t *data, uint64_t size)
{
    for (uint64_t at = offset; at < offset + size;) {
        uint64_t sector_end = (at / GD_SECTOR_SIZE + 1) * GD_SECTOR_SIZE;
        uint64_t part = sector_end < offset + size ? sector_end - at : offset + size - at;

        if (gd__below(store->process, GD_FOR_POWER_LOSS, 2) == 0) {
            gd__inode_write(store, inode, at, data + (at - offset), part, false);
        }
        at += part;
    }
}

uint64_t gd__inode_read(const struct gd_inode *inode, enum gd_world_view view, uint64_t offset,
                        uint8_t *data, uint64_t size)
{
    uint64_t limit = view == GD_WORLD_DURABLE ? inode->durable_size : inode->size;

    if (offset >= limit) {
        return 0;
    }
    uint64_t end = size < limit - offset ? offset + size : limit;
    for (uint64_t at = offset; at < end;) {
        size_t begin = (size_t)(at % GD_PAGE_SIZE);
        size_t part = GD_PAGE_SIZE - begin < end - at ? GD_PAGE_SIZE - begin : (size_t)(end - at);
        const struct gd_page *page = page_at(inode, at / GD_PAGE_SIZE);

        if (page == NULL) {
            memset(data + (at - offset), 0, part);
        } else {
            const uint8_t *from =
                view == GD_WORLD_DURABLE && page->durable != NULL ? page->durable : page->now;
            memcpy(data + (at - offset), from + begin, part);
        }
        at += part;
    }
    return end - offset;
}

/* ---------------------------------------------------------------- syncing */

static bool coin(struct gd_store *store)
{
    return gd__below(store->process, GD_FOR_POWER_LOSS, 2) == 0;
}

void gd__inode_sync(struct gd_store *store, struct gd_inode *inode, uint64_t before, bool half)
{
    for (size_t i = 0; i < inode->dirty_count; i++) {
        struct gd_page *page = inode->pages[inode->dirty_pages[i]];

        for (unsigned sector = 0; sector < GD_PAGE_SECTORS && page->dirty != 0; sector++) {
            if ((page->dirty & 1u << sector) != 0 && page->since[sector] <= before &&
                (!half || coin(store))) {
                make_durable(page, sector);
            }
        }
    }
    join_clean(store, inode);
    if (inode->size_dirty && inode->size_since <= before && (!half || coin(store))) {
        inode->durable_size = inode->size;
        inode->size_dirty = false;
    }
}

void gd__inode_drop_dirty(struct gd_store *store, struct gd_inode *inode)
{
    bool evicted = gd__below(store->process, GD_FOR_SYNC_ERROR, 2) == 0;

    for (size_t i = 0; i < inode->dirty_count; i++) {
        struct gd_page *page = inode->pages[inode->dirty_pages[i]];

        for (unsigned sector = 0; sector < GD_PAGE_SECTORS; sector++) {
            uint8_t bit = (uint8_t)(1u << sector);

            if ((page->dirty & bit) == 0) {
                continue;
            }
            if (gd__below(store->process, GD_FOR_SYNC_ERROR, 2) == 0) {
                make_durable(page, sector);
                continue;
            }
            page->dirty &= (uint8_t)~bit;
            if (evicted) {
                memcpy(page->now + sector * GD_SECTOR_SIZE, page->durable + sector * GD_SECTOR_SIZE,
                       GD_SECTOR_SIZE);
            } else {
                page->dropped |= bit;
            }
        }
    }
    join_clean(store, inode);
    if (inode->size_dirty && gd__below(store->process, GD_FOR_SYNC_ERROR, 2) == 0) {
        inode->durable_size = inode->size;
        inode->size_dirty = false;
    }
}

void gd__inode_flip(struct gd_store *store, struct gd_inode *inode, uint64_t offset, unsigned bit)
{
    struct gd_page *page = need_page(store, inode, offset / GD_PAGE_SIZE);
    size_t at = (size_t)(offset % GD_PAGE_SIZE);
    uint8_t mask = (uint8_t)(1u << bit);

    page->now[at] ^= mask;
    if (page->durable != NULL) {
        page->durable[at] ^= mask;
    }
}

/* ---------------------------------------------------------------- names */

/* Where `path` is, or would be. */
static size_t place_of(const struct gd_store *store, const char *path)
{
    size_t low = 0, high = store->name_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(store->names[middle].path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct gd_name *gd__store_find(const struct gd_store *store, const char *path)
{
    size_t place = place_of(store, path);

    return place < store->name_count && strcmp(store->names[place].path, path) == 0
               ? &store->names[place]
               : NULL;
}

struct gd_inode *gd__store_inode(const struct gd_store *store, const char *path)
{
    const struct gd_name *name = gd__store_find(store, path);

    return name != NULL ? name->now : NULL;
}

bool gd__store_has_parent(const struct gd_store *store, const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[GD_DISK_PATH_SIZE];

    if (slash == NULL) {
        return true;
    }
    size_t size = (size_t)(slash - path);
    GD_ASSERT(size < sizeof folder);
    memcpy(folder, path, size);
    folder[size] = '\0';
    const struct gd_inode *inode = gd__store_inode(store, folder);
    return inode != NULL && inode->folder;
}

static struct gd_name *need_name(struct gd_store *store, const char *path)
{
    size_t place = place_of(store, path);
    struct gd_heap *heap = &world_of(store)->heap;

    if (place < store->name_count && strcmp(store->names[place].path, path) == 0) {
        return &store->names[place];
    }
    if (store->name_count == store->name_capacity) {
        store->name_capacity = store->name_capacity == 0 ? 16 : store->name_capacity * 2;
        store->names =
            gd__heap_grow(heap, store->names, store->name_capacity * sizeof *store->names);
    }
    memmove(&store->names[place + 1], &store->names[place],
            (store->name_count - place) * sizeof *store->names);
    store->name_count++;
    size_t size = strlen(path) + 1;
    store->names[place] = (struct gd_name){.path = gd__heap_alloc(heap, size)};
    memcpy(store->names[place].path, path, size);
    return &store->names[place];
}

/* Names that are nowhere leave the table. */
static void forget_absent(struct gd_store *store)
{
    size_t kept = 0;

    for (size_t i = 0; i < store->name_count; i++) {
        if (store->names[i].now == NULL && store->names[i].durable == NULL) {
            gd__heap_free(&world_of(store)->heap, store->names[i].path);
        } else {
            store->names[kept++] = store->names[i];
        }
    }
    store->name_count = kept;
}

static void replace(struct gd_store *store, struct gd_inode **where, struct gd_inode *inode)
{
    struct gd_inode *old = *where;

    if (inode != NULL) {
        gd__inode_hold(inode);
    }
    *where = inode;
    if (old != NULL) {
        gd__inode_drop(store, old);
    }
}

void gd__store_point(struct gd_store *store, const char *path, struct gd_inode *inode)
{
    struct gd_name *name = need_name(store, path);

    if (name->now == name->durable || name->since == UINT64_MAX) {
        name->since = stamp(store);
    }
    replace(store, &name->now, inode);
    if (inode == NULL) {
        forget_absent(store);
    }
}

struct gd_inode *gd__store_make(struct gd_store *store, const char *path, bool folder)
{
    struct gd_inode *inode = inode_new(store, folder);

    gd__store_point(store, path, inode);
    return inode;
}

bool gd__store_in(const char *folder, const char *path, const char **name)
{
    size_t size = strlen(folder);

    if (size > 0 && (strncmp(folder, path, size) != 0 || path[size] != '/')) {
        return false;
    }
    *name = size > 0 ? path + size + 1 : path;
    return strchr(*name, '/') == NULL;
}

void gd__store_sync_names(struct gd_store *store, const char *folder, uint64_t before, bool half)
{
    const char *last;

    for (size_t i = 0; i < store->name_count; i++) {
        struct gd_name *name = &store->names[i];

        if (name->now != name->durable && name->since <= before &&
            gd__store_in(folder, name->path, &last) && (!half || coin(store))) {
            replace(store, &name->durable, name->now);
        }
    }
    forget_absent(store);
}

void gd__store_drop_names(struct gd_store *store, const char *folder)
{
    const char *last;

    for (size_t i = 0; i < store->name_count; i++) {
        struct gd_name *name = &store->names[i];

        if (name->now != name->durable && gd__store_in(folder, name->path, &last)) {
            if (gd__below(store->process, GD_FOR_SYNC_ERROR, 2) == 0) {
                replace(store, &name->durable, name->now);
            } else {
                name->since = UINT64_MAX; /* No later sync writes it. */
            }
        }
    }
    forget_absent(store);
}

/* ---------------------------------------------------------------- power loss */

/* A mix: up to some byte one of the two, from there the other. */
static void tear(struct gd_store *store, const uint8_t *durable, uint8_t *now)
{
    size_t at = (size_t)gd__between(store->process, GD_FOR_POWER_LOSS, 1, GD_SECTOR_SIZE - 1);

    if (coin(store)) {
        memcpy(now, durable, at);
    } else {
        memcpy(now + at, durable + at, GD_SECTOR_SIZE - at);
    }
}

static void lose_sectors(struct gd_store *store, struct gd_page *page)
{
    const struct gd_world_disk_options *options = &store->process->disk.options;
    struct gd_world *world = world_of(store);

    for (unsigned sector = 0; sector < GD_PAGE_SECTORS; sector++) {
        const uint8_t *old = page->durable + sector * GD_SECTOR_SIZE;
        uint8_t *now = page->now + sector * GD_SECTOR_SIZE;
        bool dropped = (page->dropped & 1u << sector) != 0;

        if (!dropped && (page->dirty & 1u << sector) == 0) {
            continue;
        }
        if (dropped || gd__chance(store->process, GD_FOR_POWER_LOSS, options->lost_ppm)) {
            memcpy(now, old, GD_SECTOR_SIZE);
            gd__count(world, GD_WORLD_COUNT_SECTORS_LOST);
        } else if (gd__chance(store->process, GD_FOR_POWER_LOSS, options->torn_ppm)) {
            tear(store, old, now);
            gd__count(world, GD_WORLD_COUNT_SECTORS_TORN);
        } else {
            gd__count(world, GD_WORLD_COUNT_SECTORS_KEPT);
        }
    }
    page->dirty = page->dropped = 0;
}

/* T2 after a size was lost: nothing is left behind the end. */
static void clear_behind(struct gd_inode *inode)
{
    for (uint64_t number = inode->size / GD_PAGE_SIZE; number < inode->page_count; number++) {
        size_t begin =
            number == inode->size / GD_PAGE_SIZE ? (size_t)(inode->size % GD_PAGE_SIZE) : 0;
        if (inode->pages[number] != NULL) {
            memset(inode->pages[number]->now + begin, 0, GD_PAGE_SIZE - begin);
        }
    }
}

static void lose_data(struct gd_store *store, struct gd_inode *inode)
{
    for (size_t i = 0; i < inode->dirty_count; i++) {
        lose_sectors(store, inode->pages[inode->dirty_pages[i]]);
    }
    join_clean(store, inode);
    if (inode->size_dirty) {
        if (gd__chance(store->process, GD_FOR_POWER_LOSS, store->process->disk.options.lost_ppm)) {
            gd__count(world_of(store), GD_WORLD_COUNT_SIZES_LOST);
            set_size(store, inode, inode->durable_size);
        }
        inode->durable_size = inode->size;
        inode->size_dirty = false;
    }
    clear_behind(inode);
}

/* Whether something durable, or kept, lies below the folder at names[i]. */
static bool holds_names(const struct gd_store *store, size_t i)
{
    size_t size = strlen(store->names[i].path);

    for (size_t j = i + 1; j < store->name_count; j++) {
        const struct gd_name *name = &store->names[j];

        if (strncmp(name->path, store->names[i].path, size) == 0 && name->path[size] == '/' &&
            name->durable != NULL) {
            return true;
        }
    }
    return false;
}

static void lose_names(struct gd_store *store)
{
    uint32_t lost_ppm = store->process->disk.options.name_lost_ppm;

    for (size_t i = 0; i < store->name_count; i++) { /* A folder comes before what it holds. */
        struct gd_name *name = &store->names[i];
        bool folder = name->now != NULL && name->now->folder;

        if (name->now != NULL && !gd__store_has_parent(store, name->path)) {
            replace(store, &name->now, NULL); /* Its folder was lost. */
            gd__count(world_of(store), GD_WORLD_COUNT_NAMES_LOST);
        } else if (name->now != name->durable && !(folder && holds_names(store, i))) {
            bool lost = name->since == UINT64_MAX ||
                        gd__chance(store->process, GD_FOR_POWER_LOSS, lost_ppm);

            gd__count(world_of(store),
                      lost ? GD_WORLD_COUNT_NAMES_LOST : GD_WORLD_COUNT_NAMES_KEPT);
            if (lost) {
                replace(store, &name->now, name->durable);
            }
        }
        replace(store, &name->durable, name->now);
    }
    forget_absent(store);
}

void gd__store_power_loss(struct gd_store *store)
{
    lose_names(store);
    for (size_t i = 0; i < store->name_count; i++) {
        if (store->names[i].now != NULL) {
            lose_data(store, store->names[i].now);
        }
    }
}

/* ---------------------------------------------------------------- lifetime */

struct gd_store *gd__store_new(struct gd_process *process)
{
    struct gd_store *store = gd__heap_zeroed(&process->world->heap, sizeof *store);

    store->process = process;
    return store;
}

void gd__store_free(struct gd_store *store)
{
    struct gd_heap *heap = &world_of(store)->heap;

    for (size_t i = 0; i < store->name_count; i++) {
        replace(store, &store->names[i].now, NULL);
        replace(store, &store->names[i].durable, NULL);
        gd__heap_free(heap, store->names[i].path);
    }
    gd__heap_free(heap, store->names);
    gd__heap_free(heap, store);
}
