/* history.h - histories as text: JSON lines, an operation a line. */
#ifndef GANDALF_SIM_HISTORY_H
#define GANDALF_SIM_HISTORY_H
#include "sim/record.h"

/* Reads a history in the format of histories.
 *
 * Owns     What was read is added to `record`, which the caller releases.
 * Returns  GD_OK; GD_ERR_INVALID: `*error` has line and reason. */
GD_MUST_CHECK enum gd_err gd_sim_history_read(struct gd_slice text, struct gd_sim_record *record,
                                              struct gd_error *error);
#endif
