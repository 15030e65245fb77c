/* io.c - the doors of io.h: each checks what its caller owes, then asks the world. */
#include "engine/io.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

gd_time_ns gd_io_now(struct gd_io *io)
{
    return io->v->now(io);
}

int64_t gd_io_wall_ms(struct gd_io *io)
{
    return io->v->wall_ms(io);
}

void gd_timer_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline)
{
    GD_ASSERT(timer->fire != NULL);
    io->v->timer_start(io, timer, deadline);
}

void gd_timer_stop(struct gd_io *io, struct gd_timer *timer)
{
    io->v->timer_stop(io, timer);
}

bool gd_timer_running(const struct gd_timer *timer)
{
    return timer->place != 0;
}

uint64_t gd_io_entropy(struct gd_io *io, const char *purpose)
{
    return io->v->entropy(io, purpose);
}

void gd_io_log(struct gd_io *io, enum gd_log_level level, const char *format, ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    io->v->log(io, level, line);
}

/* Where the port begins, or NULL: behind the last colon, which must not be inside brackets. */
static const char *port_of(const char *text)
{
    const char *colon = strrchr(text, ':');

    if (colon == NULL || colon == text || strchr(colon, ']') != NULL) {
        return NULL;
    }
    if (text[0] == '[') {
        return colon[-1] == ']' && colon - text > 2 ? colon + 1 : NULL;
    }
    return memchr(text, ':', (size_t)(colon - text)) == NULL ? colon + 1 : NULL;
}

enum gd_err gd_address_parse(const char *text, struct gd_address *address)
{
    const char *port = port_of(text);
    unsigned value = 0;

    if (port == NULL || *port == '\0' || strlen(text) >= GD_ADDRESS_SIZE) {
        return GD_ERR_INVALID;
    }
    for (const char *at = port; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || (value = value * 10 + (unsigned)(*at - '0')) > UINT16_MAX) {
            return GD_ERR_INVALID;
        }
    }
    for (const char *at = text; at < port; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f) {
            return GD_ERR_INVALID;
        }
    }
    *address = (struct gd_address){{0}};
    memcpy(address->text, text, strlen(text));
    return GD_OK;
}

void gd_address_split(const struct gd_address *address, char *host, uint16_t *port)
{
    const char *at = port_of(address->text);
    const char *begin = address->text;

    GD_ASSERT(at != NULL);
    if (port != NULL) {
        *port = 0;
        for (const char *digit = at; *digit != '\0'; digit++) {
            *port = (uint16_t)(*port * 10 + (*digit - '0'));
        }
    }
    if (host != NULL) {
        size_t size = (size_t)(at - 1 - begin);
        if (*begin == '[') {
            begin++;
            size -= 2;
        }
        memcpy(host, begin, size);
        host[size] = '\0';
    }
}

enum gd_err gd_listen(struct gd_io *io, struct gd_listener *listener,
                      const struct gd_address *address, struct gd_error *error)
{
    GD_ASSERT(listener->incoming != NULL);
    return io->v->listen(io, listener, address, error);
}

void gd_listener_address(const struct gd_listener *listener, struct gd_address *address)
{
    listener->io->v->listener_address(listener, address);
}

enum gd_err gd_listener_accept(struct gd_listener *listener, struct gd_stream *stream)
{
    return listener->io->v->listener_accept(listener, stream);
}

void gd_listener_close(struct gd_listener *listener, gd_listener_fn *closed)
{
    GD_ASSERT(closed != NULL);
    listener->io->v->listener_close(listener, closed);
}

enum gd_err gd_stream_connect(struct gd_io *io, struct gd_stream *stream,
                              const struct gd_address *address, gd_stream_fn *done)
{
    GD_ASSERT(done != NULL);
    return io->v->connect(io, stream, address, done);
}

void gd_stream_read_start(struct gd_stream *stream, gd_stream_read_fn *on_read)
{
    GD_ASSERT(on_read != NULL);
    stream->io->v->read_start(stream, on_read);
}

void gd_stream_read_stop(struct gd_stream *stream)
{
    stream->io->v->read_stop(stream);
}

enum gd_err gd_stream_write(struct gd_stream *stream, struct gd_write *write)
{
    GD_ASSERT(write->done != NULL);
    GD_ASSERT(write->count >= 1 && write->count <= GD_WRITE_SLICES);
    return stream->io->v->write(stream, write);
}

size_t gd_stream_queued(const struct gd_stream *stream)
{
    return stream->io->v->queued(stream);
}

void gd_stream_shutdown(struct gd_stream *stream)
{
    stream->io->v->shutdown(stream);
}

void gd_stream_close(struct gd_stream *stream, gd_stream_fn *closed)
{
    GD_ASSERT(closed != NULL);
    stream->io->v->close(stream, closed);
}

void gd_stream_peer(const struct gd_stream *stream, struct gd_address *address)
{
    stream->io->v->peer(stream, address);
}

enum gd_err gd_disk_submit(struct gd_io *io, struct gd_disk_op *op)
{
    GD_ASSERT(op->done != NULL);
    GD_ASSERT(op->kind < GD_DISK_KIND_COUNT);
    GD_ASSERT(op->path == NULL || op->path[0] != '/');
    return io->v->disk_submit(io, op);
}
