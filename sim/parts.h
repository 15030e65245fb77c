/* parts.h - a record in parts that can be judged apart: keys, and those that a transaction binds.
 */
#ifndef GANDALF_SIM_PARTS_H
#define GANDALF_SIM_PARTS_H
#include "sim/record.h"

#define GD_SIM_KIND_LENGTHS 0x4000u /* An append told a length. */
#define GD_SIM_KIND_SEVERAL 0x8000u /* Some operation has several steps. */

/* A step with what the checker needs of its operation: what lies all over a record, side by side.
 */
struct gd_sim_brief {
    gd_time_ns call, back; /* `back` GD_SIM_BACK_UNKNOWN: the outcome is unknown. */
    uint32_t operation;    /* Its number in the record. */
    uint32_t key;
    union {
        struct {
            uint32_t input, old; /* Texts by their numbers; 0: none. */
        };
        int64_t add; /* INCR. */
    };
    union {
        uint32_t seen;  /* The output, if it is a text. */
        int64_t number; /* The output of INCR and APPEND. */
    };
    uint32_t count;       /* Of its operation, with the first step; 0: it is not the first. */
    uint8_t what, output; /* enum gd_sim_do, enum gd_sim_value_kind */
};
#define GD_SIM_BACK_UNKNOWN UINT64_MAX

struct gd_sim_parts {
    size_t count;
    uint32_t key_count; /* Of the record: the greatest key and one. */
    uint32_t *keys;     /* Owned: part by part, rising. */
    uint16_t *kinds;    /* Owned: by key, what is done to it, 1 << enum gd_sim_do and the above. */
    size_t *key_first;  /* Owned: count + 1 places in `keys`. */
    size_t *operations; /* Owned: numbers of those that had, or may have had, an effect or a
                           reply; part by part, in the order of the record. */
    size_t *operation_first;     /* Owned: count + 1 places in `operations`. */
    struct gd_sim_brief *briefs; /* Owned: their steps, in the same order. */
    size_t *brief_first;         /* Owned: count + 1 places in `briefs`. */
};
/* The steps of one operation; `to` has room for them. */
void gd_sim_brief_make(const struct gd_sim_record *record, size_t operation,
                       struct gd_sim_brief *to);
void gd_sim_parts_find(struct gd_sim_parts *parts, const struct gd_sim_record *record);
void gd_sim_parts_release(struct gd_sim_parts *parts);
#endif
