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

/* The same of a database with a model of its own: `op` is any name, `input` and `output` are texts,
 * and there are neither keys nor transactions. */
GD_MUST_CHECK enum gd_err gd_sim_history_read_opaque(struct gd_slice text,
                                                     struct gd_sim_record *record,
                                                     struct gd_error *error);

/* The first of them, piece by piece: each of whole lines. The record may be emptied between two, if
 * its key names stay what they are. */
struct gd_sim_history_reader *gd_sim_history_reader_new(struct gd_sim_record *record);
void gd_sim_history_reader_free(struct gd_sim_history_reader *reader);
GD_MUST_CHECK enum gd_err gd_sim_history_reader_add(struct gd_sim_history_reader *reader,
                                                    struct gd_slice lines, struct gd_error *error);
#endif
