/* stream.h - a history of keys, judged while it comes: memory follows what is in flight.
 *
 * Whoever reads says from time to time up to when everything is known. Each key is then judged up
 * to a moment at which nothing known is in flight, and what stays is the set of values that can be
 * there, each with the unknown operations that it took. */
#ifndef GANDALF_SIM_STREAM_H
#define GANDALF_SIM_STREAM_H
#include "sim/linearize_kv.h"

struct gd_lin_stream;
/* `record` is borrowed; operations of one step alone are added to it by the caller. */
struct gd_lin_stream *gd_lin_stream_new(struct gd_sim_record *record,
                                        const struct gd_lin_limits *limits);
void gd_lin_stream_free(struct gd_lin_stream *stream);
/* Every operation with a call before `time` is in the record. Judges what can be; the record is
 * then left with the rest. `why` (of `size`) says what is wrong. */
enum gd_lin_verdict gd_lin_stream_known(struct gd_lin_stream *stream, uint64_t time, char *why,
                                        size_t size);
/* All of it is in the record. INCONCLUSIVE: a limit was met. */
enum gd_lin_verdict gd_lin_stream_end(struct gd_lin_stream *stream, char *why, size_t size);
#endif
