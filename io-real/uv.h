/* uv.h - the real world: io.h over libuv, one loop on one thread, disk work on threads of its own.
 *
 * A program makes one `struct gd_uv`, gives gd_uv_io() to what it runs, and calls gd_uv_run().
 * Design notes: loop.c (turns), clock.c, net.c, disk.c. */
#ifndef GANDALF_IO_REAL_UV_H
#define GANDALF_IO_REAL_UV_H
#include "engine/io.h"

struct gd_uv;

/* A new world. `data_dir` is where disk paths start; it is made when absent (its last part only)
 * and locked against every other process until gd_uv_free. NULL: a world without a disk, whose
 * operations end in GD_ERR_NOT_FOUND.
 *
 * Returns   NULL and `*error` (never NULL): GD_ERR_BUSY when another process holds the directory,
 *           GD_ERR_PERMISSION, GD_ERR_NOT_FOUND, GD_ERR_IO. */
struct gd_uv *gd_uv_new(const char *data_dir, struct gd_error *error);
/* Borrowed; lives as long as `uv`. */
struct gd_io *gd_uv_io(struct gd_uv *uv);
/* Turns the loop until gd_uv_stop. */
void gd_uv_run(struct gd_uv *uv);
/* One turn: runs what has come, and, if `wait`, waits for the next event before. For tests. */
void gd_uv_turn(struct gd_uv *uv, bool wait);
/* From the loop only: gd_uv_run returns when the present turn ends. */
void gd_uv_stop(struct gd_uv *uv);
/* Waits for disk operations that run, drops every other operation without its callback, closes all
 * descriptors and gives the lock back. NULL is harmless. */
void gd_uv_free(struct gd_uv *uv);

/* `fn` NULL: the signal is ignored. May be called again for the same signal. */
typedef void gd_uv_signal_fn(void *context, int signum);
void gd_uv_on_signal(struct gd_uv *uv, int signum, gd_uv_signal_fn *fn, void *context);

/* Lines below `level` are dropped; the start is GD_LOG_INFO. */
void gd_uv_set_log_level(struct gd_uv *uv, enum gd_log_level level);
/* Where lines go instead of stderr; `line` without time, level and newline, borrowed. NULL: stderr.
 */
typedef void gd_uv_log_fn(void *context, enum gd_log_level level, const char *line);
void gd_uv_set_log_sink(struct gd_uv *uv, gd_uv_log_fn *fn, void *context);
#endif
