/* picture_find.h - what the page of a history shows beside its operations: orders, and what does
 * not fit. */
#ifndef GANDALF_SIM_PICTURE_FIND_H
#define GANDALF_SIM_PICTURE_FIND_H
#include "sim/linearize_kv.h"
#include "sim/picture.h"
#include "sim/verdict.h"

/* Fills in orders, culprits and the turning point from the answer on the picture's record, best of
 * all an explained one on all parts; `ordered` as it was judged. Of an illegal part it also looks
 * for an order of all operations but one: there can be none that is longer. */
void gd_sim_picture_fill(struct gd_sim_picture *picture, const struct gd_lin_kv *answer,
                         bool ordered);
/* The same for an answer that is found here. */
void gd_sim_picture_find(struct gd_sim_picture *picture, enum gd_sim_verdict_kind kind);
#endif
