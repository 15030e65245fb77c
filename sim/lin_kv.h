/* lin_kv.h - one part of a history, its texts and operations in numbers: the inner side of
 * linearize_kv.h. */
#ifndef GANDALF_SIM_LIN_KV_H
#define GANDALF_SIM_LIN_KV_H
#include "sim/lin_search.h"
#include "sim/parts.h"

#define GD_LIN_NOBODY UINT32_MAX

/* Values by number. The first ones, as many as there are cells, are "not there", one for each cell;
 * so a value belongs to one cell. */

struct gd_lin_value {
    const char *text; /* Borrowed, or owned by the list of made ones; NULL: absent, or a text of
                         which nobody can tell more than its size. */
    size_t size;
    uint64_t hash; /* Of the text alone. */
    uint32_t cell;
    uint32_t known;   /* Its number among the record's texts; 0: it is none. */
    uint32_t makers;  /* Operations that can make it; the beginning counts. */
    uint32_t maker;   /* The last of them: a call; GD_LIN_NOBODY: the beginning. */
    uint32_t from;    /* What its maker must find, if it is an append; GD_LIN_NO: not known. */
    bool matters;     /* Somebody sees it or compares with it, or it can grow into such a one. */
    bool looked_into; /* Its beginnings are known. */
    bool number;      /* A decimal number as INCR knows it. */
    bool number_like; /* What could become one by appending. */
    int64_t integer;
};
struct gd_lin_piece { /* What is appended. */
    const char *text;
    size_t size;
    uint64_t hash;
    uint32_t cell, count, call; /* Appends of it, and the last of them. */
    bool seen;                  /* Some text that matters ends with it. */
};
struct gd_lin_edge { /* `from` and then `piece` is `to`. */
    uint32_t from, piece, to;
};
struct gd_lin_op {        /* A step, in numbers. */
    uint8_t what, output; /* enum gd_sim_do, enum gd_sim_value_kind */
    bool known;
    uint32_t cell, call;
    uint32_t input, old, seen; /* Values; `seen`: the output of READ, SWAP and TAKE. */
    uint32_t piece;            /* APPEND. */
    int64_t add, number;       /* INCR: input; INCR and APPEND: output. */
};
struct gd_lin_cell {
    bool appends, counts, lengths; /* Some step appends, is an INCR, tells a length. */
    bool twice;                    /* Some call has two steps here. */
    uint32_t junk;                 /* The text that nobody can tell from others; 0: none yet. */
    bool grows;  /* What counts adds, and nothing is appended; see lin_counts.c. */
    int64_t sum; /* All that it can add. */
};
struct gd_lin_kv_part_numbers {
    const struct gd_sim_record *record;
    struct gd_lin_cell *cells;
    size_t cell_count, cell_capacity;
    struct gd_lin_value *values;
    size_t value_count, value_capacity;
    uint32_t *value_index; /* Hash table of texts; not kept when `plain`. */
    size_t value_index_capacity;
    uint32_t *value_of_known; /* By number of the record's text: the value that had it last. */
    size_t known_capacity;
    bool plain; /* One cell, without appends and counting: no text is met but the record's. */
    bool late;  /* The index is yet to be made: so far no text was met but the record's. */
    struct gd_lin_piece *pieces;
    size_t piece_count, piece_capacity;
    uint32_t *piece_index;
    size_t piece_index_capacity;
    size_t *lengths; /* Of pieces. */
    size_t length_count, length_capacity;
    struct gd_lin_edge *edges;
    size_t edge_count, edge_capacity;
    uint32_t *edge_index;
    size_t edge_index_capacity;
    char **made; /* Owned: texts that are nobody's. */
    size_t made_count, made_capacity;
    struct gd_lin_op *ops; /* By step. */
    struct gd_lin_step *steps;
    size_t step_count, step_capacity, steps_capacity;
    struct gd_lin_call *calls;
    uint32_t *numbers; /* By call: the operation's number in the record. */
    size_t call_count, call_capacity, number_capacity;
    uint32_t *start; /* By cell. */
    bool ordered;    /* Sessions have an order. */
    bool calm;       /* Few operations overlap, on the average, and none is of unknown outcome. */
    /* Set by the caller, for good: every text counts as seen, so that what is there at the end is
     * known by its text; and what is there at the beginning (one cell; NULL: nothing). */
    bool all_matter;
    const struct gd_sim_value *begin;
    const uint16_t *kinds; /* By key: see parts.h; NULL: not known. */
    uint64_t *chain_begin; /* By chain; see lin_search.h. */
    size_t chain_count, chain_capacity;
    uint32_t *roots; /* Written numbers: by cell, rising. */
    size_t root_count, root_capacity;
    uint32_t *before, *before_first; /* See lin_search.h; NULL: nothing is known. */
    uint32_t *made_by; /* By call: the value that it surely made and that was seen; GD_LIN_NO. */
    size_t made_by_capacity;
};

/* lin_values.c */
uint32_t gd_lin_value_of(struct gd_lin_kv_part_numbers *part, uint32_t cell,
                         const struct gd_sim_value *text);
/* Of the record's text of that number; of an empty piece it may be 0. */
uint32_t gd_lin_value_known(struct gd_lin_kv_part_numbers *part, uint32_t cell, uint32_t text);
uint32_t gd_lin_piece_of(struct gd_lin_kv_part_numbers *part, uint32_t cell, uint32_t text);
/* A text of that size under `cell` that nobody can tell from others. */
uint32_t gd_lin_junk(struct gd_lin_kv_part_numbers *part, uint32_t cell, size_t size);
/* Every text that can grow into one that matters, and how. */
void gd_lin_look_into(struct gd_lin_kv_part_numbers *part);
uint32_t gd_lin_append(struct gd_lin_kv_part_numbers *part, uint32_t value, uint32_t piece);
uint32_t gd_lin_number(struct gd_lin_kv_part_numbers *part, uint32_t cell, int64_t number);
bool gd_lin_once(const struct gd_lin_kv_part_numbers *part, uint32_t value);
void gd_lin_values_release(struct gd_lin_kv_part_numbers *part);

/* lin_numbers.c: the operations of one part, by their steps; `cell_of` by key. What is held from
 * the last part is used again. `steps` is not needed behind this. */
void gd_lin_numbers_make(struct gd_lin_kv_part_numbers *part, const struct gd_sim_record *record,
                         const struct gd_sim_brief *steps, size_t step_count,
                         const uint32_t *cell_of, size_t cell_count, bool ordered);
void gd_lin_numbers_release(struct gd_lin_kv_part_numbers *part);
/* The machine's step. */
uint32_t gd_lin_kv_step(void *part, uint32_t what, uint32_t value);
bool gd_lin_kv_once(void *part, uint32_t value);
void gd_lin_kv_makes(void *part, struct gd_lin_makes *makes);
uint64_t gd_lin_kv_likeness(void *part, uint32_t call);
bool gd_lin_kv_alike(void *part, uint32_t a, uint32_t b);
/* Whether it leaves every value that it can meet as it is. */
bool gd_lin_keeps(const struct gd_lin_op *op);

/* lin_counts.c. What the following go by; asked once the steps' inputs are known. */
void gd_lin_find_roots(struct gd_lin_kv_part_numbers *part);
/* Whether an INCR may leave that number. */
bool gd_lin_counts_to(const struct gd_lin_kv_part_numbers *part, uint32_t cell, int64_t integer);
/* Whether "0" is never there. */
bool gd_lin_never_zero(const struct gd_lin_kv_part_numbers *part, uint32_t cell);
/* The number, written once, that is the only way to `value` (which may be it): both are in force
 * once at most. GD_LIN_NO: there is no such one. */
uint32_t gd_lin_root_of(const struct gd_lin_kv_part_numbers *part, uint32_t value);

/* lin_blocks.c: what values that are made once tell. */
enum gd_lin_told { GD_LIN_TOLD_NOTHING, GD_LIN_TOLD_LEGAL, GD_LIN_TOLD_ILLEGAL };
struct gd_lin_blocks_result {
    uint32_t *order; /* Owned: with LEGAL, calls. */
    size_t order_count;
    uint32_t a, b;  /* With ILLEGAL: the calls that contradict each other; b may be NOBODY. */
    uint32_t value; /* What it is about. */
    const char *verb, *tail; /* "A `verb` VALUE, `tail` B". */
};
/* Narrows the calls' times, ranks them and puts them in chains on the way. */
enum gd_lin_told gd_lin_blocks(struct gd_lin_kv_part_numbers *part,
                               struct gd_lin_blocks_result *result);
/* Behind that, when it told nothing: whether somebody saw what nobody can have made in time. */
enum gd_lin_told gd_lin_blocks_in_time(struct gd_lin_kv_part_numbers *part,
                                       struct gd_lin_blocks_result *result);
/* lin_order.c. Behind these: who must come before whom, over all cells together. Tells nothing or
 * ILLEGAL; narrows the calls' times, finds out which open ones happened, and leaves in `before`
 * what times do not say. Nothing is done for more than GD_LIN_ORDER_MAX calls. */
#define GD_LIN_ORDER_MAX 4096u
enum gd_lin_told gd_lin_order(struct gd_lin_kv_part_numbers *part,
                              struct gd_lin_blocks_result *result);
#endif
