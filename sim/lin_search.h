/* lin_search.h - the search for an order, over numbers: the inner side of linearize.h and
 * linearize_kv.h. What a history says is put into numbers by them. */
#ifndef GANDALF_SIM_LIN_SEARCH_H
#define GANDALF_SIM_LIN_SEARCH_H
#include "sim/linearize.h"

#define GD_LIN_BEFORE_MAX 6u
#define GD_LIN_NO UINT32_MAX /* A step that cannot be. */

struct gd_lin_make {
    uint32_t call, value;
};
struct gd_lin_makes {
    struct gd_lin_make *makes; /* Owned: by call; whatever a call may bring. */
    size_t count;
    bool *plain; /* Owned: by value; whether all that can bring it are listed. */
    size_t value_count;
};

/* The state is a row of cells (keys), each with the number of a value in it. */
struct gd_lin_machine {
    void *context;
    /* The value that step `what` makes of `value`, or GD_LIN_NO. */
    uint32_t (*step)(void *context, uint32_t what, uint32_t value);
    /* Whether it can be in force once at most: left, it never comes back. NULL: nobody knows. */
    bool (*once)(void *context, uint32_t value);
    /* Who can bring which value. NULL: nobody knows. */
    void (*makes)(void *context, struct gd_lin_makes *makes);
    /* Calls of one part may be alike: the same but for their times. A hash of all that tells `call`
     * from others but its times; 0: it is like none. NULL: all are. Asked where there is a choice.
     */
    uint64_t (*likeness)(void *context, uint32_t call);
    bool (*alike)(void *context, uint32_t a, uint32_t b); /* Of two that have one hash. */
};
struct gd_lin_step {
    uint32_t cell, what;
    uint32_t
        need; /* The value that it must find, if there is a single one; GD_LIN_NO: not known. */
};
struct gd_lin_call {
    uint64_t call, back;   /* GD_LIN_OPEN: it need not happen. */
    uint64_t rank;         /* Who is tried first: the least; usually when it must be done. */
    uint64_t cells;        /* Bit by bit; cells that lie 64 apart share one. */
    uint32_t first, count; /* Its steps. */
    uint32_t after;        /* The call, counted from 1, that comes before; 0: none. */
    uint32_t chain;        /* 0: none; see chain_begin. */
    bool reads_only;       /* It never changes anything. */
    bool outside;          /* It cannot lie within a chain that is not its own. */
};
struct gd_lin_problem {
    struct gd_lin_machine machine;
    const struct gd_lin_call *calls; /* All borrowed. */
    size_t call_count;
    const struct gd_lin_step *steps;
    const uint32_t *start; /* By cell. */
    size_t cell_count;
    size_t value_count; /* What steps need is less. */
    /* By chain: the latest call of its members. A chain is a set of calls that nothing which is
     * `outside` comes between. NULL: there are none. */
    const uint64_t *chain_begin;
    /* What must come before call i in every order: `before` from before_first[i] to
     * before_first[i + 1]. Of an open one: if it happens. Nothing that times say has to stand
     * there. NULL: nothing is known. */
    const uint32_t *before_first, *before;
    const struct gd_lin_limits *limits;
    uint32_t patience;   /* So many choices are taken back before what is costly to set up. */
    size_t choices_back; /* After so many it is INCONCLUSIVE; 0: no limit. */
    bool plain;          /* Without S9: for tests, which compare the two. */
    bool every_end;      /* Looks for all states that there can be at the end, not for an order. */
};
struct gd_lin_end {   /* A state at the end, and which open calls it took: `spent_count` of them. */
    uint32_t *values; /* Owned, by cell. */
    uint32_t *spent;  /* Owned. */
    size_t spent_count;
};
struct gd_lin_found {
    enum gd_lin_verdict verdict;
    uint32_t *order; /* Owned: the calls in order; without a verdict of LEGAL a longest one. */
    size_t order_count;
    uint32_t stuck;  /* Not LEGAL: the call that had to come next; GD_LIN_NO: none. */
    uint32_t *state; /* Owned, by cell: the values behind `order`. */
    uint32_t before[GD_LIN_BEFORE_MAX]; /* Not LEGAL: values that the stuck call's first cell had
                                           where it could not be placed; some of them. */
    size_t before_count;
    uint64_t steps, memory;
    struct gd_lin_end *ends; /* Owned: with every_end and LEGAL. */
    size_t end_count;
};
void gd_lin_search(const struct gd_lin_problem *problem, struct gd_lin_found *found);
void gd_lin_found_release(struct gd_lin_found *found);

struct gd_lin_pair { /* To sort by `key`; equal ones keep their order. */
    uint64_t key;
    uint32_t value;
};
void gd_lin_sort(struct gd_lin_pair *pairs, size_t count);

/* Memory, zeroed; ends the program when there is none. */
void *gd_lin_zeroed(size_t count, size_t size);
/* Room for `count`, whatever was in it before. */
void *gd_lin_room(void *array, size_t *capacity, size_t count, size_t size);
void *gd__lin_grow(void *array, size_t *capacity, size_t count, size_t size);
/* Room for one more behind `count`. */
static inline void *gd_lin_grown(void *array, size_t *capacity, size_t count, size_t size)
{
    return count < *capacity ? array : gd__lin_grow(array, capacity, count, size);
}
#endif
