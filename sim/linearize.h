/* linearize.h - is a history linearizable? A library of its own: any database whose operations can
 * be written down as a state and a step.
 *
 * A history is a list of operations with a call and a return on one clock, and a model that says
 * what each does to the state. It is legal when every operation can be given one point between its
 * call and its return such that, in the order of the points, the model accepts every one. An
 * operation whose outcome is unknown never returns: it may take effect at any time after its call,
 * or never.
 *
 * The answer is exact, or INCONCLUSIVE when a limit was met: never a guess. Nothing here reads a
 * clock, and the same history gives the same answer in the same number of steps.
 *
 * Registers, counters and texts under keys (the format of histories) have a model of their own,
 * with shorter ways: linearize_kv.h. */
#ifndef GANDALF_SIM_LINEARIZE_H
#define GANDALF_SIM_LINEARIZE_H
#include "engine/bytes.h"

#define GD_LIN_OPEN UINT64_MAX

struct gd_lin_operation {
    uint64_t call, back; /* call <= back; GD_LIN_OPEN: the outcome is unknown. Two operations
                            overlap unless one's `back` is before the other's `call`. */
    size_t after;        /* The operation, counted from 1 (so a lesser one in the list), that must
                            take effect before this one; 0: none. It is not an open one. */
};

/* What the database does. Every function is pure: same arguments, same answer. */
struct gd_lin_model {
    size_t state_size; /* Bytes; copied about, so it holds no pointer that is owned. */
    void (*start)(const void *context, void *state);
    /* What `operation` (its number in the list) makes of `state`. False: at this state its recorded
     * output cannot be. An open one has no output that could be wrong. `next` is room for a state,
     * never `state` itself; its bytes are zero when the call begins. */
    bool (*step)(const void *context, size_t operation, const void *state, void *next);
    /* NULL: states are equal when their bytes are (mind the padding). */
    bool (*equal)(const void *context, const void *a, const void *b);
    uint64_t (*hash)(const void *context, const void *state); /* Given exactly when `equal` is. */
    /* Whether it never changes a state: a read. NULL: nobody knows. */
    bool (*reads_only)(const void *context, size_t operation);
};

enum gd_lin_verdict { GD_LIN_LEGAL, GD_LIN_ILLEGAL, GD_LIN_INCONCLUSIVE };
enum gd_lin_path {                     /* How the verdict was found. */
                   GD_LIN_PATH_EMPTY,  /* Nothing was to be judged. */
                   GD_LIN_PATH_BLOCKS, /* By what values that are made once tell: an order,
                                          verified; or a contradiction. */
                   GD_LIN_PATH_SEARCH
};

struct gd_lin_limits {           /* All 0: none. */
    uint64_t steps;              /* Of one search. */
    uint64_t memory;             /* Bytes that one search may hold. */
    bool (*stop)(void *context); /* Asked now and then; true: give up. May be NULL. With several
                                    threads it is called from each of them. */
    void *context;
};

struct gd_lin_result {
    enum gd_lin_verdict verdict;
    enum gd_lin_path path;
    size_t *order; /* Owned. LEGAL: all operations that are done, and those of the open ones that
                      took effect, in an order that the model accepts. Else: a longest order that
                      was found (after `order_count` of them nothing goes on); may be empty. */
    size_t order_count;
    size_t *stuck; /* Owned. Not LEGAL: the few operations that cannot be placed behind `order`, the
                      one that had to come first; or those that contradict each other. */
    size_t stuck_count;
    uint64_t steps;  /* Tried. */
    uint64_t memory; /* Bytes held, at most. */
};

/* Judges `count` operations. `limits` may be NULL. The result is the caller's, to be released. */
void gd_lin_check(const struct gd_lin_model *model, const void *context,
                  const struct gd_lin_operation *operations, size_t count,
                  const struct gd_lin_limits *limits, struct gd_lin_result *result);
/* Does `order` prove that the history is legal? Plays it again, knowing nothing of how it was
 * found.
 */
bool gd_lin_replay(const struct gd_lin_model *model, const void *context,
                   const struct gd_lin_operation *operations, size_t count, const size_t *order,
                   size_t order_count);
void gd_lin_result_release(struct gd_lin_result *result);
#endif
