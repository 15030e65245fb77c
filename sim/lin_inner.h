/* lin_inner.h - the search's own state, for its files. */
#ifndef GANDALF_SIM_LIN_INNER_H
#define GANDALF_SIM_LIN_INNER_H
#include "sim/lin_supply.h"

struct node { /* A choice. */
    uint64_t state_hash;
    uint32_t trail, undo;
    uint32_t first, at, end; /* Its candidates on the stack, once there was need to list them. */
    uint32_t best;           /* Tried first of all; GD_LIN_NO: none. */
    uint32_t choice;         /* Tried last. */
    uint64_t blame;          /* Cells, as in a call, that what was tried failed by. */
    bool listed, best_tried;
    uint32_t leans_on; /* A node before it, by place: what failed here fails only if all choices
                          fail there, too. GD_LIN_NO: there is none. */
};
struct undo {
    uint32_t cell, value;
};
struct entry { /* What was tried. */
    uint64_t hash[2];
    uint64_t blame;
    uint32_t spent, spent_count; /* In the arena. */
    uint32_t next;               /* Another one with the same hash; 0: none. */
};
#define KINDS_MAX 16u /* Sets of cells by which is kept what was tried. */
struct shadow {       /* Of the cells of one bit. */
    uint64_t set[2];  /* Hash of those taken that touch them, open calls apart. */
    uint64_t state;
};
struct kind { /* Of calls that are alike; see lin_alike.c. */
    uint64_t likeness;
    uint32_t call; /* One of them. */
    uint32_t mark; /* The listing that met it last. */
};
struct open_class {
    uint32_t alike;
    uint32_t *calls; /* Borrowed from `open_calls`: by call. */
    uint32_t count, used;
};
struct search {
    uint64_t comparisons; /* Of spent operations, in `remember`. */
    const struct gd_lin_problem *problem;
    const struct gd_lin_call *calls;
    struct gd_lin_found *found;
    uint32_t *next,
        *previous;   /* Points: 0 the head, 1 + i the call of i, 1 + count + i its return. */
    uint32_t *state; /* By cell. */
    uint64_t state_hash;
    struct undo *undone;
    size_t undo_count, undo_capacity;
    uint32_t *trail;
    size_t trail_count;
    size_t left;       /* Calls not taken that must be. */
    size_t tried_left; /* So many were left, at least, of what is kept as tried; with less nothing
                          need be looked up. */
    bool *taken;
    struct node *nodes;
    size_t node_count, node_capacity;
    uint32_t *stack; /* Candidates. */
    size_t stack_count, stack_capacity;
    struct open_class *classes;
    size_t class_count;
    uint32_t *open_calls, *class_of; /* By call: its class, counted from 1. */
    uint32_t *spent;                 /* Classes of the open calls taken, rising. */
    size_t spent_count, spent_capacity;
    uint32_t *watchers; /* By value: calls not taken that must find it. */
    size_t watcher_capacity;
    uint32_t *alike;        /* By call: 0: nobody asked; else one and what gd__lin_alike says. */
    struct kind *all_kinds; /* [0] is not used. */
    size_t all_kind_count, all_kind_capacity;
    uint32_t *kind_index; /* Hash table of them. */
    size_t kind_index_capacity;
    uint32_t mark;
    struct shadow shadows[64]; /* By bit; see cells of a call. */
    uint64_t all_cells, kinds[KINDS_MAX];
    size_t kind_count;
    uint32_t *index; /* Hash table of entries, counted from 1. */
    size_t index_capacity;
    struct entry *entries;
    size_t entry_count, entry_capacity;
    uint32_t *arena;
    size_t arena_count, arena_capacity;
    size_t kept; /* So many at the head of the longest order are still the trail's. */
    uint64_t relevant;
    uint64_t blame; /* Of the last that failed. */
    bool sessions;  /* Some calls wait for others. */
    uint32_t *seen; /* Cells with and without an open call. */
    size_t seen_capacity;
    uint32_t *waits; /* By call: those before it that are not taken. NULL: nobody waits. */
    uint32_t *then, *then_first; /* `before` of the problem turned round. */
    struct gd_lin_supply supply;
    bool supplied, listed; /* `listed`: open calls are gathered. */
    size_t open_count;
    size_t taken_back;     /* Choices. */
    size_t begin_again_at; /* So many. */
    uint64_t noise;        /* By which rounds, but the first, differ in whom they try first. */
    uint32_t round;
};

static inline uint64_t gd__lin_mix(uint64_t a, uint64_t b)
{
    a = (a ^ (b * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xbf58476d1ce4e5b9);
    a = (a ^ (a >> 31)) * UINT64_C(0x94d049bb133111eb);
    return a ^ (a >> 29);
}

static inline uint32_t gd__lin_return_point(const struct search *s, uint32_t call)
{
    return (uint32_t)s->problem->call_count + 1 + call;
}

static inline bool gd__lin_is_return(const struct search *s, uint32_t point)
{
    return point > s->problem->call_count;
}

static inline uint32_t gd__lin_call_of(const struct search *s, uint32_t point)
{
    return gd__lin_is_return(s, point) ? point - (uint32_t)s->problem->call_count - 1 : point - 1;
}

static inline uint64_t gd__lin_cell_bit(uint32_t cell)
{
    return UINT64_C(1) << cell % 64;
}

static inline bool gd__lin_has_turn(const struct search *s, uint32_t i)
{
    const struct gd_lin_call *call = &s->calls[i];
    return (call->after == 0 || s->taken[call->after - 1]) &&
           (s->waits == NULL || s->waits[i] == 0);
}

/* When the one that must be done first returns. */
static inline uint64_t gd__lin_first_return(const struct search *s)
{
    uint32_t at = s->next[0];
    while (at != 0 && !gd__lin_is_return(s, at)) {
        at = s->next[at];
    }
    return at == 0 ? GD_LIN_OPEN : s->calls[gd__lin_call_of(s, at)].back;
}

/* lin_state.c. All calls and returns into the list, the cells as they are at the beginning. The
 * search has its problem and nothing else. */
void gd__lin_begin(struct search *s);
void gd__lin_set_cell(struct search *s, uint32_t cell, uint32_t value);
/* The cells as they were when `undo_count` was `undo`. */
void gd__lin_go_back_to(struct search *s, size_t undo);
/* Does to the cells what `call` does. False: it cannot be now; sets the blame, and nothing has
 * changed. */
bool gd__lin_apply(struct search *s, const struct gd_lin_call *call);
/* Whether a cell is not as it was when `undo_count` was `undo`. */
bool gd__lin_has_changed(const struct search *s, size_t undo);
/* `i`, which was applied, leaves the list. */
void gd__lin_take(struct search *s, uint32_t i);
/* The one taken last is in the list again; the cells stay. */
void gd__lin_put_back(struct search *s);
/* S1. */
void gd__lin_take_readers(struct search *s);
/* lin_next.c. S7: which cells matter for now. The others go by this. */
void gd__lin_find_relevant(struct search *s);
/* Who is tried first; GD_LIN_NO: nobody, as far as no open one comes. */
uint32_t gd__lin_pick_best(struct search *s);
/* The open calls, by likeness, each kind by call. Once. */
void gd__lin_gather_open(struct search *s);
/* All but the best one: by rank, of those alike the first (S3); then open ones. */
void gd__lin_list_candidates(struct search *s, struct node *node);
/* lin_alike.c. The number of what `i` is alike to; 0: to none. */
uint32_t gd__lin_alike(struct search *s, uint32_t i);
/* lin_waits.c. Counts who waits for whom. The problem must have `before`. */
void gd__lin_waits_begin(struct search *s);
/* `i` is taken (`more` is -1) or put back (1). */
void gd__lin_waits_tell(struct search *s, uint32_t i, uint32_t more);
/* The cells of those that must come before `i` and are not taken. */
uint64_t gd__lin_cells_before(const struct search *s, uint32_t i);
/* lin_tried.c. S2: was this, or something at least as good, tried before? Sets the blame. */
bool gd__lin_was_tried(struct search *s);
/* Did open calls alone lead back to a state that was there before them? Sets the blame, and the
 * place of the node where it was. */
bool gd__lin_goes_round(struct search *s, uint32_t *place);
/* All that can follow was tried, and failed by `blame`; by all there is, if it leans on others. */
void gd__lin_remember(struct search *s, uint64_t blame);
/* Bytes. */
uint64_t gd__lin_held(const struct search *s);
#endif
