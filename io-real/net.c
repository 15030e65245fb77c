/* net.c - io.h's byte streams over libuv's TCP handles.
 *
 * How. A gd_stream points to a `struct tcp` on the heap, which outlives it while libuv or the
 * resolver still need it. Writes are only linked into the stream's queue; at the end of the turn
 * (loop.c) everything queued goes out in one writev (uv_try_write). What the kernel does not take
 * is handed to uv_write, which waits for room; until that one completes the queue grows behind it.
 *
 * A host name is resolved by libuv's threads, and its addresses are tried in turn, each on a fresh
 * socket: a libuv handle that failed to connect cannot be used again, so it is closed and
 * initialized anew between two tries.
 *
 * Invariants
 *   S1. Writes complete in the order of the calls, each once; all of them before `closed`.
 *   S2. No callback runs inside a call: all come from libuv's callbacks or the end of the turn.
 *   S3. A `struct tcp` is freed when its handle has closed and its resolver has returned. */
#include "io-real/loop.h"
#include "engine/memory.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

enum {
    BUFFERS_MAX = 256, /* Places gathered in one system call. */
    ROUNDS_MAX = 16,   /* System calls for one stream in one turn. */
    BACKLOG = 1024,    /* Connections that wait to be accepted. */
    KEEP_ALIVE_SECONDS = 300,
    SYN_RETRIES = 2,      /* A host that is gone is given up after 1 + 2 + 4 seconds ... */
    UNANSWERED_MS = 15000 /* ... and a connection that we made, whose bytes nobody takes; a caller
                             may be less patient. */
};

struct tcp {
    struct gd_uv_link dirty; /* In uv->dirty; points to itself while not. */
    uv_tcp_t handle;
    struct gd_uv *uv;
    struct gd_stream *stream; /* Borrowed until `closed`; NULL once it has run or nobody waits. */

    /* Connecting. */
    uv_connect_t connect;
    uv_getaddrinfo_t resolver;
    struct addrinfo *addresses; /* Owned; what the resolver found ... */
    struct addrinfo *try_next;  /* ... and the next of them to try. */
    enum gd_err connect_err;    /* Why the last try failed; told when no other is left. */

    /* Writing. */
    struct gd_write *head, **tail; /* Accepted and not completed. */
    size_t queued_size;            /* Bytes of these not handed to libuv. */
    size_t head_put;               /* Bytes of the head that are gone already. */
    uv_write_t blocked;            /* The write that waits for room ... */
    unsigned blocked_count;        /* ... completes so many from the head (whole ones), ... */
    size_t blocked_rest;           /* ... and leaves so many bytes of the next one gone. */
    uv_shutdown_t fin;

    bool handle_open, resolving; /* S3 */
    bool connecting, connected;
    bool failed;     /* Connecting has failed; to be told at the end of the turn. */
    bool in_blocked; /* `blocked` is with libuv. */
    bool want_fin, sent_fin;
    bool broken;     /* A write has failed: no more are taken. */
    bool read_ended; /* END or an error was told. */
    bool closing;
};

struct listening {
    uv_tcp_t handle;
    struct gd_uv *uv;
    struct gd_listener *listener; /* Borrowed until `closed`. */
    gd_listener_fn *closed;
    bool waiting; /* Inside `incoming`, and nobody has accepted yet. */
};

static struct tcp *tcp_of(const struct gd_stream *stream)
{
    GD_ASSERT(stream->world != NULL);
    return stream->world;
}

static uv_stream_t *handle_of(struct tcp *tcp)
{
    return (uv_stream_t *)(void *)&tcp->handle;
}

static enum gd_err err_of(int status)
{
    switch (status) {
    case 0:
        return GD_OK;
    case UV_ECONNREFUSED:
        return GD_ERR_REFUSED;
    case UV_ETIMEDOUT:
        return GD_ERR_TIMEOUT;
    case UV_ECANCELED:
        return GD_ERR_CANCELED;
    case UV_EADDRINUSE:
        return GD_ERR_ADDRESS_IN_USE;
    case UV_EACCES:
    case UV_EPERM:
        return GD_ERR_PERMISSION;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOBUFS:
    case UV_ENOMEM:
        return GD_ERR_BUSY;
    case UV_EADDRNOTAVAIL:
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH:
    case UV_ENETDOWN:
    case UV_EAI_NONAME:
    case UV_EAI_AGAIN:
    case UV_EAI_FAIL:
    case UV_EAI_NODATA:
        return GD_ERR_UNREACHABLE;
    default:
        return GD_ERR_IO;
    }
}

/* The four that a connect may tell. */
static enum gd_err connect_err_of(int status)
{
    enum gd_err err = err_of(status);

    return err == GD_ERR_REFUSED || err == GD_ERR_TIMEOUT ? err : GD_ERR_UNREACHABLE;
}

static void mark_dirty(struct tcp *tcp)
{
    if (tcp->dirty.next == &tcp->dirty) {
        struct gd_uv_link *ring = &tcp->uv->dirty;

        tcp->dirty = (struct gd_uv_link){.next = ring, .prev = ring->prev};
        ring->prev->next = &tcp->dirty;
        ring->prev = &tcp->dirty;
    }
}

static void unlink_dirty(struct tcp *tcp)
{
    tcp->dirty.prev->next = tcp->dirty.next;
    tcp->dirty.next->prev = tcp->dirty.prev;
    tcp->dirty = (struct gd_uv_link){&tcp->dirty, &tcp->dirty};
}

static struct tcp *tcp_new(struct gd_uv *uv, struct gd_stream *stream)
{
    struct tcp *tcp = gd_calloc(1, sizeof *tcp);

    tcp->uv = uv;
    tcp->stream = stream;
    tcp->tail = &tcp->head;
    tcp->dirty = (struct gd_uv_link){&tcp->dirty, &tcp->dirty};
    tcp->connect_err = GD_ERR_UNREACHABLE;
    return tcp;
}

static void free_when_unused(struct tcp *tcp)
{
    if (!tcp->handle_open && !tcp->resolving && tcp->closing) { /* S3 */
        GD_ASSERT(tcp->head == NULL || tcp->uv->freeing);
        unlink_dirty(tcp);
        if (tcp->addresses != NULL) {
            uv_freeaddrinfo(tcp->addresses);
        }
        gd_free(tcp);
    }
}

static void set_options(struct tcp *tcp)
{
    (void)uv_tcp_nodelay(&tcp->handle, 1);
    (void)uv_tcp_keepalive(&tcp->handle, 1, KEEP_ALIVE_SECONDS);
}

/* ---------------------------------------------------------------- writing */

/* Takes the first `count` writes off the queue and tells them. A callback may write or close. */
static void complete(struct tcp *tcp, unsigned count, enum gd_err err)
{
    struct gd_write *first = tcp->head;

    if (count == 0) {
        return;
    }
    struct gd_write *last = first;
    for (unsigned i = 1; i < count; i++) {
        last = last->next;
    }
    tcp->head = last->next;
    if (tcp->head == NULL) {
        tcp->tail = &tcp->head;
    }
    last->next = NULL;
    while (first != NULL) {
        struct gd_write *next = first->next;

        first->next = NULL;
        gd__uv_enter(tcp->uv);
        first->done(first, err);
        first = next;
    }
}

static void complete_all(struct tcp *tcp, enum gd_err err)
{
    unsigned count = 0;

    for (struct gd_write *write = tcp->head; write != NULL; write = write->next) {
        count++;
    }
    tcp->queued_size = 0;
    tcp->head_put = 0;
    complete(tcp, count, err);
}

static size_t write_size(const struct gd_write *write)
{
    size_t size = 0;

    for (unsigned i = 0; i < write->count; i++) {
        size += write->slices[i].size;
    }
    return size;
}

/* What is queued, from where the last write stopped, as far as `buffers` reach. */
static unsigned gather(const struct tcp *tcp, uv_buf_t *buffers)
{
    unsigned count = 0;
    size_t skip = tcp->head_put;

    for (const struct gd_write *write = tcp->head; write != NULL; write = write->next) {
        for (unsigned i = 0; i < write->count; i++) {
            struct gd_slice slice = write->slices[i];

            if (skip >= slice.size) {
                skip -= slice.size;
                continue;
            }
            if (count == BUFFERS_MAX) {
                return count;
            }
            buffers[count].base = (char *)(uintptr_t)(slice.data + skip);
            buffers[count].len = slice.size - skip;
            count++;
            skip = 0;
        }
    }
    return count;
}

/* How many writes are whole once `size` more bytes of the queue are gone. `*rest`: bytes of the one
 * behind them that are gone, too. */
static unsigned whole_writes(const struct tcp *tcp, size_t size, size_t *rest)
{
    unsigned count = 0;

    size += tcp->head_put;
    for (const struct gd_write *write = tcp->head; write != NULL; write = write->next) {
        size_t one = write_size(write);

        if (one > size) {
            break;
        }
        size -= one;
        count++;
    }
    *rest = size;
    return count;
}

static void on_blocked(uv_write_t *request, int status)
{
    struct tcp *tcp = request->data;

    tcp->in_blocked = false;
    if (tcp->closing) {
        return; /* on_closed tells them all. */
    }
    if (status != 0) {
        tcp->broken = true;
        complete_all(tcp, GD_ERR_RESET);
        return;
    }
    tcp->head_put = tcp->blocked_rest;
    mark_dirty(tcp);
    complete(tcp, tcp->blocked_count, GD_OK);
}

static void on_fin(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status;
}

/* Returns false when the stream has to wait, is done, or is broken. */
static bool send_some(struct tcp *tcp)
{
    uv_buf_t buffers[BUFFERS_MAX];
    unsigned count = gather(tcp, buffers);
    size_t size = 0, rest;

    for (unsigned i = 0; i < count; i++) {
        size += buffers[i].len;
    }
    int sent = count > 0 ? uv_try_write(handle_of(tcp), buffers, count) : 0;
    if (sent == UV_EAGAIN) {
        sent = 0;
    }
    if (sent < 0) {
        tcp->broken = true;
        complete_all(tcp, GD_ERR_RESET);
        return false;
    }
    unsigned whole = whole_writes(tcp, (size_t)sent, &rest);
    tcp->queued_size -= (size_t)sent;
    tcp->head_put = rest;
    if ((size_t)sent == size) {
        complete(tcp, whole, GD_OK);
        return tcp->head != NULL && !tcp->closing;
    }
    /* The kernel is full: libuv waits for room for the rest of what was gathered. */
    complete(tcp, whole, GD_OK);
    if (tcp->closing) {
        return false;
    }
    count = gather(tcp, buffers);
    size = 0;
    for (unsigned i = 0; i < count; i++) {
        size += buffers[i].len;
    }
    tcp->blocked_count = whole_writes(tcp, size, &tcp->blocked_rest);
    tcp->blocked.data = tcp;
    if (uv_write(&tcp->blocked, handle_of(tcp), buffers, count, on_blocked) != 0) {
        tcp->broken = true;
        complete_all(tcp, GD_ERR_RESET);
        return false;
    }
    tcp->in_blocked = true;
    tcp->queued_size -= size;
    return false;
}

static void send_fin(struct tcp *tcp)
{
    if (tcp->want_fin && !tcp->sent_fin && tcp->head == NULL && !tcp->closing) {
        tcp->sent_fin = true;
        (void)uv_shutdown(&tcp->fin, handle_of(tcp), on_fin);
    }
}

static void tell_connect(struct tcp *tcp, enum gd_err err)
{
    struct gd_stream *stream = tcp->stream;
    gd_stream_fn *done = stream->on_done;

    tcp->connecting = false;
    tcp->connected = err == GD_OK;
    stream->on_done = NULL;
    gd__uv_enter(tcp->uv);
    done(stream, err);
}

static void flush(struct tcp *tcp)
{
    if (tcp->failed) {
        tcp->failed = false;
        tell_connect(tcp, tcp->connect_err);
        return;
    }
    if (tcp->broken && !tcp->in_blocked) {
        complete_all(tcp, GD_ERR_RESET);
        return;
    }
    unsigned rounds = ROUNDS_MAX; /* What `done` writes without end waits for the next turn. */
    while (tcp->head != NULL && !tcp->in_blocked && !tcp->closing && !tcp->broken) {
        if (!send_some(tcp) || --rounds == 0) {
            break;
        }
    }
    if (rounds == 0) {
        mark_dirty(tcp);
    }
    send_fin(tcp);
}

bool gd__uv_net_flush(struct gd_uv *uv)
{
    struct gd_uv_link now;

    if (uv->dirty.next == &uv->dirty) {
        return false;
    }
    now = uv->dirty; /* Those of this turn move to a ring of their own. */
    now.next->prev = &now;
    now.prev->next = &now;
    uv->dirty = (struct gd_uv_link){&uv->dirty, &uv->dirty};
    while (now.next != &now) {
        struct tcp *tcp = GD_CONTAINER(now.next, struct tcp, dirty);

        unlink_dirty(tcp);
        flush(tcp);
    }
    if (uv->dirty.next != &uv->dirty) {
        gd__uv_no_wait(uv);
    }
    return true;
}

enum gd_err gd__uv_write(struct gd_stream *stream, struct gd_write *write)
{
    struct tcp *tcp = tcp_of(stream);

    if (tcp->broken || tcp->closing || tcp->want_fin || !tcp->connected) {
        return GD_ERR_RESET;
    }
    write->stream = stream;
    write->next = NULL;
    *tcp->tail = write;
    tcp->tail = &write->next;
    tcp->queued_size += write_size(write);
    if (!tcp->in_blocked) {
        mark_dirty(tcp);
    }
    return GD_OK;
}

size_t gd__uv_queued(const struct gd_stream *stream)
{
    struct tcp *tcp = tcp_of(stream);

    return tcp->queued_size +
           (tcp->in_blocked ? uv_stream_get_write_queue_size(handle_of(tcp)) : 0);
}

void gd__uv_shutdown(struct gd_stream *stream)
{
    struct tcp *tcp = tcp_of(stream);

    if (tcp->connected && !tcp->closing) {
        tcp->want_fin = true;
        mark_dirty(tcp);
    }
}

/* ---------------------------------------------------------------- reading */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct tcp *tcp = handle->data;

    (void)suggested;
    *buffer = uv_buf_init(tcp->uv->read_buffer, GD_UV_READ_SIZE);
}

static void on_read(uv_stream_t *handle, ssize_t size, const uv_buf_t *buffer)
{
    struct tcp *tcp = handle->data;
    struct gd_slice bytes = {NULL, 0};
    enum gd_err err = GD_OK;

    if (size == 0 || tcp->closing || tcp->read_ended) {
        return; /* 0 is libuv's "nothing yet". */
    }
    if (size > 0) {
        bytes = (struct gd_slice){(const uint8_t *)buffer->base, (size_t)size};
    } else {
        (void)uv_read_stop(handle);
        tcp->read_ended = true;
        err = size == UV_EOF ? GD_ERR_END : err_of((int)size);
        err = err == GD_ERR_END || err == GD_ERR_TIMEOUT ? err : GD_ERR_RESET;
        if (err != GD_ERR_END) {
            tcp->broken = true;
            mark_dirty(tcp); /* What is queued fails at the end of the turn. */
        }
    }
    gd__uv_enter(tcp->uv);
    tcp->stream->on_read(tcp->stream, err, bytes);
}

void gd__uv_read_start(struct gd_stream *stream, gd_stream_read_fn *fn)
{
    struct tcp *tcp = tcp_of(stream);

    GD_ASSERT(tcp->connected);
    stream->on_read = fn;
    if (!tcp->closing && !tcp->read_ended) {
        int err = uv_read_start(handle_of(tcp), on_alloc, on_read);
        GD_ASSERT(err == 0 || err == UV_EALREADY || err == UV_ENOTCONN);
    }
}

void gd__uv_read_stop(struct gd_stream *stream)
{
    struct tcp *tcp = tcp_of(stream);

    if (!tcp->closing) {
        (void)uv_read_stop(handle_of(tcp));
    }
}

/* ---------------------------------------------------------------- connecting */

static void fail_connect(struct tcp *tcp, enum gd_err err)
{
    tcp->connect_err = err;
    tcp->failed = true;
    mark_dirty(tcp);
    gd__uv_no_wait(tcp->uv);
}

static void open_handle(struct tcp *tcp)
{
    (void)uv_tcp_init(&tcp->uv->loop, &tcp->handle);
    tcp->handle.data = tcp;
    tcp->handle_open = true;
}

static void on_closed(uv_handle_t *handle);
static void on_closed_for_retry(uv_handle_t *handle);

/* A handle that has failed is of no more use: the next try gets a fresh one. */
static void retry(struct tcp *tcp)
{
    uv_close((uv_handle_t *)&tcp->handle, on_closed_for_retry);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct tcp *tcp = request->data;

    if (tcp->closing) {
        return; /* on_closed tells it. */
    }
    if (status == 0) {
        set_options(tcp);
        tell_connect(tcp, GD_OK);
        return;
    }
    tcp->connect_err = connect_err_of(status);
    if (tcp->try_next != NULL) {
        retry(tcp);
    } else {
        tell_connect(tcp, tcp->connect_err);
    }
}

/* The system's own patience is minutes; whoever connects wants to know sooner, and try anew: a host
 * that comes back is then found at once and not at the next of ever rarer tries. */
static void shorten_patience(struct tcp *tcp)
{
    int tries = SYN_RETRIES;
    unsigned unanswered_ms = UNANSWERED_MS;
    uv_os_fd_t fd;

    if (tcp->stream != NULL && tcp->stream->patience_ns > 0) {
        gd_time_ns ms = (tcp->stream->patience_ns + GD_NS_PER_MS - 1) / GD_NS_PER_MS;
        unanswered_ms = ms < UINT32_MAX ? (unsigned)ms : UINT32_MAX;
    }

    if (uv_fileno((uv_handle_t *)&tcp->handle, &fd) == 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &tries, sizeof tries);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof unanswered_ms);
    }
}

static void try_next(struct tcp *tcp)
{
    const struct sockaddr *address = tcp->try_next->ai_addr;

    tcp->try_next = tcp->try_next->ai_next;
    tcp->connect.data = tcp;
    int err = uv_tcp_connect(&tcp->connect, &tcp->handle, address, on_connect);
    if (err == 0) {
        shorten_patience(tcp);
        return;
    }
    tcp->connect_err = connect_err_of(err);
    if (tcp->try_next != NULL) {
        retry(tcp);
    } else {
        fail_connect(tcp, tcp->connect_err);
    }
}

static void on_closed_for_retry(uv_handle_t *handle)
{
    struct tcp *tcp = handle->data;

    if (tcp->closing) { /* By its owner, meanwhile. */
        on_closed(handle);
        return;
    }
    open_handle(tcp);
    try_next(tcp);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct tcp *tcp = request->data;

    tcp->resolving = false;
    tcp->addresses = addresses;
    if (tcp->closing) {
        free_when_unused(tcp);
    } else if (status != 0 || addresses == NULL) {
        tell_connect(tcp, GD_ERR_UNREACHABLE);
    } else {
        tcp->try_next = addresses;
        try_next(tcp);
    }
}

/* Whether `host` is an address and no name. */
static bool numeric(const char *host, uint16_t port, struct sockaddr_storage *address)
{
    return uv_ip4_addr(host, port, (struct sockaddr_in *)(void *)address) == 0 ||
           uv_ip6_addr(host, port, (struct sockaddr_in6 *)(void *)address) == 0;
}

enum gd_err gd__uv_connect(struct gd_io *io, struct gd_stream *stream,
                           const struct gd_address *address, gd_stream_fn *done)
{
    struct gd_uv *uv = gd__uv_of(io);
    char host[GD_ADDRESS_SIZE], service[8];
    struct sockaddr_storage numbers;
    uint16_t port;
    struct tcp *tcp = tcp_new(uv, stream);

    gd_address_split(address, host, &port);
    open_handle(tcp);
    tcp->connecting = true;
    stream->io = io;
    stream->world = tcp;
    stream->on_done = done;
    stream->on_closed = NULL;
    stream->on_read = NULL;
    if (numeric(host, port, &numbers)) {
        tcp->connect.data = tcp;
        int err = uv_tcp_connect(&tcp->connect, &tcp->handle, (struct sockaddr *)(void *)&numbers,
                                 on_connect);
        if (err != 0 && err_of(err) == GD_ERR_BUSY) {
            tcp->stream = NULL;
            tcp->closing = true;
            stream->world = NULL;
            uv_close((uv_handle_t *)&tcp->handle, on_closed);
            return GD_ERR_BUSY;
        }
        if (err != 0) {
            fail_connect(tcp, connect_err_of(err));
        } else {
            shorten_patience(tcp);
        }
        return GD_OK;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    tcp->resolver.data = tcp;
    tcp->resolving =
        uv_getaddrinfo(&uv->loop, &tcp->resolver, on_resolved, host, service, &hints) == 0;
    if (!tcp->resolving) {
        fail_connect(tcp, GD_ERR_UNREACHABLE);
    }
    return GD_OK;
}

/* ---------------------------------------------------------------- closing */

static void on_closed(uv_handle_t *handle)
{
    struct tcp *tcp = handle->data;
    struct gd_stream *stream = tcp->stream;

    tcp->handle_open = false;
    if (stream != NULL && !tcp->uv->freeing) {
        if (tcp->connecting) {
            tell_connect(tcp, GD_ERR_CANCELED);
        }
        complete_all(tcp, GD_ERR_CANCELED); /* S1 */
        tcp->stream = NULL;
        stream->world = NULL;
        gd__uv_enter(tcp->uv);
        stream->on_closed(stream, GD_OK);
    }
    free_when_unused(tcp);
}

static void begin_close(struct tcp *tcp)
{
    tcp->closing = true;
    unlink_dirty(tcp);
    if (tcp->resolving) {
        (void)uv_cancel((uv_req_t *)&tcp->resolver);
    }
    if (!uv_is_closing((uv_handle_t *)&tcp->handle)) { /* Else between two tries. */
        uv_close((uv_handle_t *)&tcp->handle, on_closed);
    }
}

void gd__uv_close(struct gd_stream *stream, gd_stream_fn *closed)
{
    struct tcp *tcp = tcp_of(stream);

    GD_ASSERT(!tcp->closing);
    stream->on_closed = closed;
    begin_close(tcp);
}

/* ---------------------------------------------------------------- addresses */

static void put_address(const struct sockaddr_storage *from, struct gd_address *address)
{
    char host[INET6_ADDRSTRLEN] = "?";

    *address = (struct gd_address){{0}};
    if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)from;

        (void)uv_ip6_name(six, host, sizeof host);
        (void)snprintf(address->text, sizeof address->text, "[%s]:%u", host,
                       (unsigned)ntohs(six->sin6_port));
    } else if (from->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)from;

        (void)uv_ip4_name(four, host, sizeof host);
        (void)snprintf(address->text, sizeof address->text, "%s:%u", host,
                       (unsigned)ntohs(four->sin_port));
    } else {
        (void)snprintf(address->text, sizeof address->text, "?");
    }
}

void gd__uv_peer(const struct gd_stream *stream, struct gd_address *address)
{
    struct tcp *tcp = tcp_of(stream);
    struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
    int size = sizeof storage;

    if (tcp->closing ||
        uv_tcp_getpeername(&tcp->handle, (struct sockaddr *)(void *)&storage, &size) != 0) {
        storage.ss_family = AF_UNSPEC;
    }
    put_address(&storage, address);
}

/* ---------------------------------------------------------------- listening */

static void on_listener_closed(uv_handle_t *handle)
{
    struct listening *listening = handle->data;
    struct gd_listener *listener = listening->listener;

    if (listener != NULL && !listening->uv->freeing) {
        listener->world = NULL;
        gd__uv_enter(listening->uv);
        listening->closed(listener);
    }
    gd_free(listening);
}

static void on_connection(uv_stream_t *handle, int status)
{
    struct listening *listening = handle->data;
    struct gd_uv *uv = listening->uv;

    if (status != 0) {
        gd_io_log(&uv->io, GD_LOG_WARNING, "network: a connection could not be accepted: %s",
                  uv_strerror(status));
        return;
    }
    listening->waiting = true;
    gd__uv_enter(uv);
    listening->listener->incoming(listening->listener);
    if (listening->waiting) { /* Nobody wants it. */
        struct tcp *tcp = tcp_new(uv, NULL);

        listening->waiting = false;
        open_handle(tcp);
        (void)uv_accept(handle, handle_of(tcp));
        begin_close(tcp);
    }
}

enum gd_err gd__uv_listener_accept(struct gd_listener *listener, struct gd_stream *stream)
{
    struct listening *listening = listener->world;

    GD_ASSERT(listening->waiting);
    listening->waiting = false;
    struct tcp *tcp = tcp_new(listening->uv, stream);
    open_handle(tcp);
    int err = uv_accept((uv_stream_t *)(void *)&listening->handle, handle_of(tcp));
    if (err != 0) {
        tcp->stream = NULL;
        begin_close(tcp);
        return GD_ERR_RESET;
    }
    tcp->connected = true;
    set_options(tcp);
    stream->io = listener->io;
    stream->world = tcp;
    stream->on_read = NULL;
    stream->on_done = NULL;
    stream->on_closed = NULL;
    return GD_OK;
}

/* The address to bind: for a name its first IPv4 address, else its first of any kind, so that
 * "localhost" is the same on every machine. */
static int resolve_local(struct gd_uv *uv, const char *host, uint16_t port,
                         struct sockaddr_storage *address)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    uv_getaddrinfo_t request;
    char service[8];

    if (numeric(host, port, address)) {
        return 0;
    }
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    int err = uv_getaddrinfo(&uv->loop, &request, NULL, host, service, &hints);
    if (err != 0) {
        return err;
    }
    struct addrinfo *found = request.addrinfo;
    while (found != NULL && found->ai_family != AF_INET) {
        found = found->ai_next;
    }
    found = found != NULL ? found : request.addrinfo;
    GD_ASSERT(found != NULL); /* No address is an error of getaddrinfo, never an empty list. */
    memcpy(address, found->ai_addr, found->ai_addrlen);
    uv_freeaddrinfo(request.addrinfo);
    return 0;
}

static const char *advice(enum gd_err err)
{
    switch (err) {
    case GD_ERR_ADDRESS_IN_USE:
        return "stop what uses it, or choose another port";
    case GD_ERR_PERMISSION:
        return "choose a port above 1023, or give the process the right";
    case GD_ERR_UNREACHABLE:
        return "this machine has no such address or name: correct it";
    default:
        return "see the system's limits and logs";
    }
}

enum gd_err gd__uv_listen(struct gd_io *io, struct gd_listener *listener,
                          const struct gd_address *address, struct gd_error *error)
{
    struct gd_uv *uv = gd__uv_of(io);
    struct listening *listening = gd_calloc(1, sizeof *listening);
    struct sockaddr_storage local;
    char host[GD_ADDRESS_SIZE];
    uint16_t port;

    gd_address_split(address, host, &port);
    (void)uv_tcp_init(&uv->loop, &listening->handle);
    listening->handle.data = listening;
    listening->uv = uv;
    int err = resolve_local(uv, host, port, &local);
    if (err == 0) {
        err = uv_tcp_bind(&listening->handle, (struct sockaddr *)(void *)&local, 0);
    }
    if (err == 0) {
        err = uv_listen((uv_stream_t *)(void *)&listening->handle, BACKLOG, on_connection);
    }
    if (err != 0) {
        enum gd_err code = err_of(err);

        code =
            code == GD_ERR_ADDRESS_IN_USE || code == GD_ERR_PERMISSION || code == GD_ERR_UNREACHABLE
                ? code
                : GD_ERR_IO;
        uv_close((uv_handle_t *)&listening->handle, on_listener_closed);
        return gd_error_set(error, code, "cannot listen on %s: %s: %s", address->text,
                            uv_strerror(err), advice(code));
    }
    listening->listener = listener;
    listener->io = io;
    listener->world = listening;
    return GD_OK;
}

void gd__uv_listener_address(const struct gd_listener *listener, struct gd_address *address)
{
    const struct listening *listening = listener->world;
    struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
    int size = sizeof storage;

    (void)uv_tcp_getsockname(&listening->handle, (struct sockaddr *)(void *)&storage, &size);
    put_address(&storage, address);
}

void gd__uv_listener_close(struct gd_listener *listener, gd_listener_fn *closed)
{
    struct listening *listening = listener->world;

    GD_ASSERT(!uv_is_closing((uv_handle_t *)&listening->handle));
    listening->closed = closed;
    uv_close((uv_handle_t *)&listening->handle, on_listener_closed);
}

void gd__uv_net_drop(uv_handle_t *handle)
{
    if (uv_is_closing(handle)) {
        return;
    }
    if (uv_is_active(handle) && ((uv_stream_t *)handle)->connection_cb != NULL) {
        uv_close(handle, on_listener_closed);
    } else {
        begin_close(handle->data);
    }
}
