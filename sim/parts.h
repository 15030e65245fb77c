/* parts.h - a record in parts that can be judged apart: keys, and those that a transaction binds.
 */
#ifndef GANDALF_SIM_PARTS_H
#define GANDALF_SIM_PARTS_H
#include "sim/record.h"

#define GD_SIM_KIND_LENGTHS 0x4000u /* An append told a length. */
#define GD_SIM_KIND_SEVERAL 0x8000u /* Some operation has several steps. */

struct gd_sim_parts {
    size_t count;
    uint32_t key_count; /* Of the record: the greatest key and one. */
    uint32_t *keys;     /* Owned: part by part, rising. */
    uint16_t *kinds;    /* Owned: by key, what is done to it, 1 << enum gd_sim_do and the above. */
    size_t *key_first;  /* Owned: count + 1 places in `keys`. */
    size_t *operations; /* Owned: numbers of those that had, or may have had, an effect or a
                           reply; part by part, in the order of the record. */
    size_t *operation_first; /* Owned: count + 1 places in `operations`. */
};
void gd_sim_parts_find(struct gd_sim_parts *parts, const struct gd_sim_record *record);
void gd_sim_parts_release(struct gd_sim_parts *parts);
#endif
