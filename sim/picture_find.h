/* picture_find.h - what the page of a history shows beside its operations: orders, and what does
 * not fit. */
#ifndef GANDALF_SIM_PICTURE_FIND_H
#define GANDALF_SIM_PICTURE_FIND_H
#include "sim/picture.h"
#include "sim/verdict.h"

/* Fills in orders, culprits and the turning point for an outcome that gd_sim_verdict gave. */
void gd_sim_picture_find(struct gd_sim_picture *picture, enum gd_sim_verdict_kind kind);
#endif
