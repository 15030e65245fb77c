/* lin_tried.c - what the search tried already; see lin_search.c.
 *
 * A pair of (what is taken, state) is kept once all that can follow it was tried: only then is it
 * worth its memory. Of both only what has to do with the cells by which it failed (S9): elsewhere
 * anything may have happened meanwhile, and it fails all the same. On the way there nothing is met
 * twice but by open calls, which are compared as sets, since every choice takes something. */
#include "sim/lin_inner.h"
#include <stdlib.h>

#define SPENT_COMPARED 48u /* Longer lists of open calls are compared for equality alone. */

uint64_t gd__lin_held(const struct search *s)
{
    return s->index_capacity * sizeof *s->index + s->entry_capacity * sizeof *s->entries +
           s->arena_capacity * sizeof *s->arena + s->node_capacity * sizeof *s->nodes +
           s->stack_capacity * sizeof *s->stack + s->undo_capacity * sizeof *s->undone +
           s->watcher_capacity * sizeof *s->watchers +
           s->problem->call_count * (2 * 8 + 4 + 1 + 8 + sizeof *s->calls);
}

/* Whether the spent ones of an entry are all among those spent now. */
static bool within(const struct search *s, const struct entry *entry)
{
    const uint32_t *a = s->arena + entry->spent;
    size_t k = 0;
    for (size_t i = 0; i < entry->spent_count; i++, k++) {
        while (k < s->spent_count && s->spent[k] < a[i]) {
            k++;
        }
        if (k == s->spent_count || s->spent[k] != a[i]) {
            return false;
        }
    }
    return true;
}

static void make_index(struct search *s)
{
    if (2 * s->entry_count < s->index_capacity) {
        return;
    }
    free(s->index);
    s->index_capacity = s->index_capacity == 0 ? 64 : 2 * s->index_capacity;
    s->index = gd_lin_zeroed(s->index_capacity, sizeof *s->index);
    for (uint32_t i = 1; i <= s->entry_count; i++) {
        size_t at = (size_t)s->entries[i - 1].hash[0] & (s->index_capacity - 1);
        while (s->index[at] != 0 &&
               (s->entries[s->index[at] - 1].hash[0] != s->entries[i - 1].hash[0] ||
                s->entries[s->index[at] - 1].hash[1] != s->entries[i - 1].hash[1])) {
            at = (at + 1) & (s->index_capacity - 1);
        }
        s->entries[i - 1].next = s->index[at];
        s->index[at] = i;
    }
}

/* Whether open calls of a class have to do with those cells. */
static bool concerns(const struct search *s, uint32_t class, uint64_t cells)
{
    return (s->calls[s->classes[class - 1].calls[0]].cells & cells) != 0;
}

/* What is taken of those who touch `cells`, and what stands there, as a hash; true: the open calls
 * in it have to be compared. */
static bool hash_now(const struct search *s, uint64_t cells, uint64_t *hash)
{
    bool compared = s->spent_count <= SPENT_COMPARED;
    hash[0] = gd__lin_mix(cells, 3);
    hash[1] = gd__lin_mix(cells, 4);
    for (uint64_t left = cells; left != 0; left &= left - 1) {
        const struct shadow *shadow = &s->shadows[__builtin_ctzll(left)];
        hash[0] = gd__lin_mix(hash[0] + shadow->set[0], shadow->state);
        hash[1] = gd__lin_mix(hash[1] + shadow->set[1], shadow->state);
    }
    for (size_t i = 0, n = 0; i < s->spent_count && !compared; i++) {
        if (concerns(s, s->spent[i], cells)) {
            hash[0] += gd__lin_mix(s->spent[i] + n, 5);
            hash[1] += gd__lin_mix(s->spent[i] + n, 6);
            n++;
        }
    }
    return compared;
}

static size_t index_of(const struct search *s, const uint64_t *hash)
{
    size_t at = (size_t)hash[0] & (s->index_capacity - 1);
    while (s->index[at] != 0 && (s->entries[s->index[at] - 1].hash[0] != hash[0] ||
                                 s->entries[s->index[at] - 1].hash[1] != hash[1])) {
        at = (at + 1) & (s->index_capacity - 1);
    }
    return at;
}

static bool was_tried_on(struct search *s, uint64_t cells)
{
    uint64_t hash[2];
    bool compared = hash_now(s, cells, hash);
    for (uint32_t i = s->index[index_of(s, hash)]; i != 0; i = s->entries[i - 1].next) {
        if (!compared || within(s, &s->entries[i - 1])) {
            s->blame = s->entries[i - 1].blame;
            return true;
        }
        if (++s->comparisons % 64 == 0) {
            s->found->steps++; /* A long chain is work, too, that a limit must see. */
        }
    }
    return false;
}

bool gd__lin_was_tried(struct search *s)
{
    for (size_t i = 0; i < s->kind_count && s->left >= s->tried_left; i++) {
        if (was_tried_on(s, s->kinds[i])) {
            return true;
        }
    }
    return false;
}

bool gd__lin_goes_round(struct search *s, uint32_t *place)
{
    size_t end = s->trail_count;
    uint64_t cells = 0;
    for (size_t n = s->node_count; n-- > 0;) {
        const struct node *node = &s->nodes[n];
        for (; end > node->trail; end--) {
            if (s->calls[s->trail[end - 1]].back != GD_LIN_OPEN) {
                return false;
            }
            cells |= s->calls[s->trail[end - 1]].cells;
        }
        if (node->state_hash == s->state_hash) {
            s->blame = cells;
            *place = (uint32_t)n;
            return true;
        }
    }
    return false;
}

/* By which cells it is kept: those that it failed by, as long as there are not too many kinds. */
static uint64_t kind_of(struct search *s, uint64_t blame)
{
    blame &= s->all_cells;
    for (size_t i = 0; i < s->kind_count; i++) {
        if (s->kinds[i] == blame) {
            return blame;
        }
    }
    blame = s->kind_count + 1 < KINDS_MAX ? blame : s->all_cells;
    if (s->kind_count < KINDS_MAX) {
        s->kinds[s->kind_count++] = blame;
    }
    return blame;
}

void gd__lin_remember(struct search *s, uint64_t blame)
{
    uint64_t hash[2], cells = kind_of(s, blame);
    bool compared = hash_now(s, cells, hash);
    /* Of other cells anything may be left. */
    size_t left = cells == s->all_cells ? s->left : 0;
    s->tried_left = s->entry_count == 0 || left < s->tried_left ? left : s->tried_left;
    make_index(s);
    size_t at = index_of(s, hash);
    s->entries = gd_lin_grown(s->entries, &s->entry_capacity, s->entry_count, sizeof *s->entries);
    struct entry *entry = &s->entries[s->entry_count++];
    *entry = (struct entry){.hash = {hash[0], hash[1]}, .blame = blame, .next = s->index[at]};
    s->index[at] = (uint32_t)s->entry_count;
    entry->spent = (uint32_t)s->arena_count;
    for (size_t i = 0; i < s->spent_count && compared; i++) {
        if (concerns(s, s->spent[i], cells)) {
            s->arena = gd_lin_grown(s->arena, &s->arena_capacity, s->arena_count, sizeof *s->arena);
            s->arena[s->arena_count++] = s->spent[i];
            entry->spent_count++;
        }
    }
}
