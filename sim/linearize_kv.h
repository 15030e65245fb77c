/* linearize_kv.h - histories of the file format, judged: keys with texts and numbers under them. */
#ifndef GANDALF_SIM_LINEARIZE_KV_H
#define GANDALF_SIM_LINEARIZE_KV_H
#include "sim/linearize.h"
#include "sim/parts.h"

enum gd_lin_way { /* For tests, which compare them. */
                  GD_LIN_WAY_USUAL,
                  GD_LIN_WAY_ALL_FIRST, /* All that blocks can tell, before anything is searched. */
                  GD_LIN_WAY_SEARCH_ALONE /* No blocks, and a search that jumps over nothing. */
};
struct gd_lin_kv_options {
    bool ordered; /* A session's requests take effect in the order in which they were sent. */
    bool explain; /* Takes the time to tell an illegal part's earliest illegal prefix. */
    bool all;     /* Judges every part, also when one is illegal already. */
    enum gd_lin_way way;
    unsigned jobs; /* Threads for the parts; 0 and 1: the caller's alone. */
    struct gd_lin_limits limits;
};
struct gd_lin_kv_part {   /* A key, or keys that a transaction binds. */
    const uint32_t *keys; /* Borrowed from the answer, as `operations`. */
    size_t key_count;
    const size_t *operations; /* Numbers of the record's: all that count, in the record's order. */
    size_t operation_count;
    const struct gd_sim_brief *steps; /* Borrowed likewise: of these operations. */
    size_t step_count;
    bool judged;                 /* False: it was not come to. */
    struct gd_lin_result result; /* Operations by their numbers in the record. */
    uint64_t illegal_at; /* ILLEGAL and explained: what had happened by this time is illegal already
                            (operations called by then, those that had not returned being open), and
                            nothing earlier is. Else GD_LIN_OPEN. */
    char *why;           /* Owned; NULL with LEGAL: in words. */
    char *states;        /* Owned; NULL: not told. The states that were possible before `stuck`, in
                            words. */
};
struct gd_lin_kv { /* The answer. */
    enum gd_lin_verdict verdict;
    struct gd_sim_parts split;    /* Owned. */
    struct gd_lin_kv_part *parts; /* Owned. */
    size_t part_count;
};
/* `record` is borrowed while the answer lives. */
void gd_lin_kv_check(const struct gd_sim_record *record, const struct gd_lin_kv_options *options,
                     struct gd_lin_kv *answer);
/* Plays a part's `order` again on a plain store; true: it proves that the part is legal. */
bool gd_lin_kv_replay(const struct gd_sim_record *record, const struct gd_lin_kv_part *part);
void gd_lin_kv_release(struct gd_lin_kv *answer);
const char *gd_lin_verdict_name(enum gd_lin_verdict verdict); /* "legal" ... */
const char *gd_lin_path_name(enum gd_lin_path path);          /* "blocks" ... */
#endif
