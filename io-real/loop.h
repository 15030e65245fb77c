/* loop.h - what the parts of io-real share. Not for anyone else. */
#ifndef GANDALF_IO_REAL_LOOP_H
#define GANDALF_IO_REAL_LOOP_H
#include "io-real/uv.h"
#include <uv.h>

/* A ring of links; an empty one points to itself. */
struct gd_uv_link {
    struct gd_uv_link *next, *prev;
};

/* Timers by (deadline, sequence): items[1] is the first; items[0] is never used, so that no timer
 * that runs has place 0. */
struct gd_uv_heap {
    struct gd_timer **items; /* Owned. */
    size_t count;
    size_t capacity;
};

struct gd_uv_signal {
    uv_signal_t handle;
    struct gd_uv *uv;
    gd_uv_signal_fn *fn;
    void *context;
    struct gd_uv_signal *next;
};

struct gd_uv_disk;

struct gd_uv {
    struct gd_io io; /* First: a gd_io of this world is a gd_uv. */
    uv_loop_t loop;
    uv_prepare_t prepare; /* The turn's own work: gd__uv_turn_work. */
    uv_idle_t idle;       /* Active: the loop does not wait. */
    uv_timer_t wakeup;    /* Ends the wait for the first timer; its callback does nothing. */
    gd_time_ns now;       /* What gd_io_now says during this callback. */

    struct gd_uv_heap timers;
    struct gd_uv_heap late; /* Due ones that were started while the due ones fire. */
    bool firing;
    gd_time_ns firing_now;
    uint64_t timer_sequence;
    gd_time_ns armed; /* Deadline that `wakeup` waits for; UINT64_MAX: none. */

    struct gd_uv_link dirty; /* Streams with something to do at the end of this turn. */
    char *read_buffer;       /* Owned; every read of every stream goes through it. */

    struct gd_uv_disk *disk; /* Owned. */
    struct gd_uv_signal *signals;

    enum gd_log_level log_level;
    gd_uv_log_fn *log_sink; /* NULL: stderr. */
    void *log_context;
    bool single;  /* In gd_uv_turn. */
    bool freeing; /* In gd_uv_free: handles close without a word to their owners. */
};

/* Before each callback into the caller's code: time moves here and nowhere else. */
static inline void gd__uv_enter(struct gd_uv *uv)
{
    uv->now = uv_hrtime();
}
static inline struct gd_uv *gd__uv_of(struct gd_io *io)
{
    return (struct gd_uv *)(void *)io;
}
/* The next wait takes no time. */
void gd__uv_no_wait(struct gd_uv *uv);

/* clock.c */
void gd__uv_timer_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline);
void gd__uv_timer_stop(struct gd_io *io, struct gd_timer *timer);
bool gd__uv_clock_run(struct gd_uv *uv); /* Fires what is due (K2); whether anything was. */
void gd__uv_clock_arm(struct gd_uv *uv); /* Sees to it that the wait ends in time. */
void gd__uv_clock_release(struct gd_uv *uv);

/* net.c */
#define GD_UV_READ_SIZE 65536
bool gd__uv_net_flush(struct gd_uv *uv);   /* Whether there was anything to do. */
void gd__uv_net_drop(uv_handle_t *handle); /* Close one of ours, from gd_uv_free. */
enum gd_err gd__uv_listen(struct gd_io *io, struct gd_listener *listener,
                          const struct gd_address *address, struct gd_error *error);
void gd__uv_listener_address(const struct gd_listener *listener, struct gd_address *address);
enum gd_err gd__uv_listener_accept(struct gd_listener *listener, struct gd_stream *stream);
void gd__uv_listener_close(struct gd_listener *listener, gd_listener_fn *closed);
enum gd_err gd__uv_connect(struct gd_io *io, struct gd_stream *stream,
                           const struct gd_address *address, gd_stream_fn *done);
void gd__uv_read_start(struct gd_stream *stream, gd_stream_read_fn *on_read);
void gd__uv_read_stop(struct gd_stream *stream);
enum gd_err gd__uv_write(struct gd_stream *stream, struct gd_write *write);
size_t gd__uv_queued(const struct gd_stream *stream);
void gd__uv_shutdown(struct gd_stream *stream);
void gd__uv_close(struct gd_stream *stream, gd_stream_fn *closed);
void gd__uv_peer(const struct gd_stream *stream, struct gd_address *address);

/* disk.c */
enum gd_err gd__uv_disk_open(struct gd_uv *uv, const char *data_dir, struct gd_error *error);
/* At the end of a turn: the loop makes a durable write by itself if it has time. Whether it did. */
bool gd__uv_disk_work(struct gd_uv *uv);
bool gd__uv_disk_waits(const struct gd_uv *uv); /* There is one that was not made yet. */
void gd__uv_disk_close(struct gd_uv *uv); /* `uv->disk` may be NULL; its handle still closes. */
void gd__uv_disk_free(struct gd_uv *uv);  /* When the loop has closed all handles. */
enum gd_err gd__uv_disk_submit(struct gd_io *io, struct gd_disk_op *op);
#endif
