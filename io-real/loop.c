/* loop.c - one process's real world: the loop, entropy, log lines, signals.
 *
 * How a turn goes. libuv waits for events and runs their callbacks (bytes read, connections, disk
 * completions, signals); the engine answers by timers, writes and disk operations, which are only
 * noted. Before the next wait the turn's work runs once: due timers fire, then every stream that
 * was written to in this turn is sent to with one writev. So all the replies that one batch of
 * reads or one sync releases share a system call for each connection, and no callback ever comes
 * from inside a call. Where that work itself makes more, the next wait takes no time.
 *
 * What a durable write of the loop's own (disk.c) has released goes out the same way.
 *
 * Rejected: uv_write in gd_stream_write (a system call for each reply, and none shared); flushing
 * in a uv_check (what timers write would wait for an event). */
#include "io-real/loop.h"
#include "engine/memory.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DISK_ROUNDS_MAX = 8 };

static gd_time_ns now(struct gd_io *io)
{
    return gd__uv_of(io)->now;
}

static int64_t wall_ms(struct gd_io *io)
{
    struct timespec wall;

    (void)io;
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    return (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
}

/* The kernel's generator: every call is another seed, so the purpose needs no say. */
static uint64_t entropy(struct gd_io *io, const char *purpose)
{
    uint64_t seed = 0;

    (void)io;
    (void)purpose;
    int err = uv_random(NULL, NULL, &seed, sizeof seed, 0, NULL);
    GD_ASSERT(err == 0);
    return seed;
}

static void log_line(struct gd_io *io, enum gd_log_level level, const char *line)
{
    static const char *const names[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
    struct gd_uv *uv = gd__uv_of(io);
    struct timespec wall;
    struct tm parts;
    char when[32], text[1200];

    if (level < uv->log_level) {
        return;
    }
    if (uv->log_sink != NULL) {
        uv->log_sink(uv->log_context, level, line);
        return;
    }
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    (void)gmtime_r(&wall.tv_sec, &parts);
    (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &parts);
    int size = snprintf(text, sizeof text, "%s.%03dZ %s %s\n", when, (int)(wall.tv_nsec / 1000000),
                        names[level], line);
    if (size >= (int)sizeof text) {
        size = (int)sizeof text;
        text[size - 1] = '\n';
    }
    ssize_t written = write(STDERR_FILENO, text, (size_t)size); /* One call: lines never mix. */
    (void)written;
}

static const struct gd_io_vtable vtable = {
    .now = now,
    .wall_ms = wall_ms,
    .timer_start = gd__uv_timer_start,
    .timer_stop = gd__uv_timer_stop,
    .entropy = entropy,
    .log = log_line,
    .listen = gd__uv_listen,
    .listener_address = gd__uv_listener_address,
    .listener_accept = gd__uv_listener_accept,
    .listener_close = gd__uv_listener_close,
    .connect = gd__uv_connect,
    .read_start = gd__uv_read_start,
    .read_stop = gd__uv_read_stop,
    .write = gd__uv_write,
    .queued = gd__uv_queued,
    .shutdown = gd__uv_shutdown,
    .close = gd__uv_close,
    .peer = gd__uv_peer,
    .disk_submit = gd__uv_disk_submit,
};

static void idle_turn(uv_idle_t *idle)
{
    (void)uv_idle_stop(idle); /* Only the wait was in the way. */
}

void gd__uv_no_wait(struct gd_uv *uv)
{
    (void)uv_idle_start(&uv->idle, idle_turn);
}

static void turn_work(uv_prepare_t *prepare)
{
    struct gd_uv *uv = prepare->data;

    bool told = gd__uv_clock_run(uv);
    told = gd__uv_net_flush(uv) || told;
    for (int i = 0; i < DISK_ROUNDS_MAX && gd__uv_disk_work(uv); i++) {
        (void)gd__uv_clock_run(uv);
        (void)gd__uv_net_flush(uv);
        told = true;
    }
    if (gd__uv_disk_waits(uv)) {
        gd__uv_no_wait(uv);
    }
    gd__uv_clock_arm(uv);
    if (told && uv->single) {
        gd__uv_no_wait(uv); /* Something has happened: that was the turn. */
    }
}

struct gd_uv *gd_uv_new(const char *data_dir, struct gd_error *error)
{
    struct gd_uv *uv = gd_calloc(1, sizeof *uv);
    int err = uv_loop_init(&uv->loop);

    if (err != 0) {
        (void)gd_error_set(error, GD_ERR_IO, "no event loop: %s", uv_strerror(err));
        gd_free(uv);
        return NULL;
    }
    uv->io.v = &vtable;
    uv->log_level = GD_LOG_INFO;
    uv->armed = UINT64_MAX;
    uv->dirty = (struct gd_uv_link){&uv->dirty, &uv->dirty};
    uv->read_buffer = gd_malloc(GD_UV_READ_SIZE);
    uv->loop.data = uv;
    /* A write to a closed socket, or past the limit of a file's size, is an error, not the end. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)uv_prepare_init(&uv->loop, &uv->prepare);
    (void)uv_idle_init(&uv->loop, &uv->idle);
    (void)uv_timer_init(&uv->loop, &uv->wakeup);
    uv->prepare.data = uv;
    (void)uv_prepare_start(&uv->prepare, turn_work);
    gd__uv_enter(uv);
    if (gd__uv_disk_open(uv, data_dir, error) != GD_OK) {
        gd_uv_free(uv);
        return NULL;
    }
    return uv;
}

struct gd_io *gd_uv_io(struct gd_uv *uv)
{
    return &uv->io;
}

void gd_uv_run(struct gd_uv *uv)
{
    (void)uv_run(&uv->loop, UV_RUN_DEFAULT);
}

void gd_uv_turn(struct gd_uv *uv, bool wait)
{
    uv->single = true;
    (void)uv_run(&uv->loop, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    uv->single = false;
}

void gd_uv_stop(struct gd_uv *uv)
{
    uv_stop(&uv->loop);
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (handle->type == UV_TCP) {
        gd__uv_net_drop(handle);
    } else if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void gd_uv_free(struct gd_uv *uv)
{
    if (uv == NULL) {
        return;
    }
    uv->freeing = true;
    gd__uv_disk_close(uv);
    uv_walk(&uv->loop, close_handle, NULL);
    (void)uv_run(&uv->loop, UV_RUN_DEFAULT); /* Until every handle has closed. */
    int err = uv_loop_close(&uv->loop);
    GD_ASSERT(err == 0);
    gd__uv_disk_free(uv);
    gd__uv_clock_release(uv);
    while (uv->signals != NULL) {
        struct gd_uv_signal *next = uv->signals->next;

        gd_free(uv->signals);
        uv->signals = next;
    }
    gd_free(uv->read_buffer);
    gd_free(uv);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct gd_uv_signal *hook = handle->data;

    if (hook->fn != NULL) {
        gd__uv_enter(hook->uv);
        hook->fn(hook->context, signum);
    }
}

void gd_uv_on_signal(struct gd_uv *uv, int signum, gd_uv_signal_fn *fn, void *context)
{
    struct gd_uv_signal *hook = uv->signals;

    while (hook != NULL && hook->handle.signum != signum) {
        hook = hook->next;
    }
    if (hook == NULL) {
        hook = gd_calloc(1, sizeof *hook);
        hook->uv = uv;
        hook->next = uv->signals;
        uv->signals = hook;
        (void)uv_signal_init(&uv->loop, &hook->handle);
        hook->handle.data = hook;
        int err = uv_signal_start(&hook->handle, on_signal, signum);
        GD_ASSERT(err == 0);
    }
    hook->fn = fn;
    hook->context = context;
}

void gd_uv_set_log_level(struct gd_uv *uv, enum gd_log_level level)
{
    uv->log_level = level;
}

void gd_uv_set_log_sink(struct gd_uv *uv, gd_uv_log_fn *fn, void *context)
{
    uv->log_sink = fn;
    uv->log_context = context;
}
