/* check_stream.h - gandalf-sim check of a file that is too big to be held. */
#ifndef GANDALF_SIM_CHECK_STREAM_H
#define GANDALF_SIM_CHECK_STREAM_H
#include "sim/linearize_kv.h"
#include <stdio.h>

/* Reads `file` twice: once for the calls alone, to know from where on which times can come no more;
 * then piece by piece, and each key is judged as far as it is known. Its lines may be in any order;
 * the nearer to that of the calls, the less is held.
 *
 * Returns  GD_OK: `*verdict`, `*operations` and, if it is not legal, `why` (of `size`).
 *          GD_ERR_REFUSED: there are transactions, or calls that are not found so: read it whole.
 *          GD_ERR_INVALID: `*error` has line and reason.
 *          GD_ERR_IO: it cannot be read, or not twice. */
GD_MUST_CHECK enum gd_err gd_sim_check_stream(FILE *file, const struct gd_lin_limits *limits,
                                              enum gd_lin_verdict *verdict, uint64_t *operations,
                                              char *why, size_t size, struct gd_error *error);
#endif
