/* lin_supply.h - who must yet find a value, and who can still bring it: the inner side of
 * lin_search.c. */
#ifndef GANDALF_SIM_LIN_SUPPLY_H
#define GANDALF_SIM_LIN_SUPPLY_H
#include "sim/lin_search.h"

struct gd_lin_supply {
    const struct gd_lin_call *calls; /* Borrowed. */
    uint32_t value_count, heads;
    /* Rings of entries: three for each value, whose heads come first, then what the calls have in
     * them. Makers stand by call; who needs the value, and who of these ends it, by return. */
    uint32_t *next, *previous;
    uint32_t *call_of;  /* By entry; the heads are not counted. */
    uint32_t *first_of; /* By call, one more at the end: its entries. */
    bool *plain;        /* By value: all that can make it are in its ring. */
};
/* Nothing is taken yet. The machine must have `makes`. */
void gd_lin_supply_make(struct gd_lin_supply *supply, const struct gd_lin_problem *problem);
void gd_lin_supply_release(struct gd_lin_supply *supply);
/* Taken back in the reverse order. */
void gd_lin_supply_take(struct gd_lin_supply *supply, uint32_t call);
void gd_lin_supply_put_back(struct gd_lin_supply *supply, uint32_t call);
/* Whether those who must yet find `value`, which is not there now, are sure not to. */
bool gd_lin_supply_lacks(const struct gd_lin_supply *supply, uint32_t value);
#endif
