/* proxy_link.c - one connection to a RESP database; see proxy_link.h.
 *
 * A connection is a piece of memory of its own, since the world keeps its stream until the close is
 * done: the link drops it and goes on with the next. What goes out goes in pieces: each that the
 * world has taken is a sign that the database reads, so that patience is with its silence, and not
 * with how long a large batch takes on a slow way. */
#include "kvs/proxy_link.h"
#include "engine/memory.h"

enum { PIECE_SIZE = 8 * 1024, KEPT_MAX = 1024 * 1024 };

struct gd_proxy_connection {
    struct gd_proxy_link *owner;
    bool dropped;
    struct gd_stream stream;
    struct gd_bytes input, sending;
    size_t sent;  /* Bytes of `sending` that the world was given. */
    size_t taken; /* Bytes of `input` that are done with. */
    struct gd_resp_reply_reader reader;
    struct gd_write write;
    bool writing;  /* `write` and `sending` are the world's. */
    bool deferred; /* An exchange waits for them. */
};

/* Empties it; what an unusual exchange needed is given back. */
static void done_with(struct gd_bytes *bytes)
{
    if (bytes->capacity > KEPT_MAX) {
        gd_bytes_release(bytes);
    }
    gd_bytes_clear(bytes);
}

static void connection_closed(struct gd_stream *stream, enum gd_err err)
{
    struct gd_proxy_connection *connection = stream->context;
    struct gd_proxy_link *link = connection->owner;

    (void)err;
    gd_bytes_release(&connection->input);
    gd_bytes_release(&connection->sending);
    gd_free(connection);
    link->closing--;
    if (link->closing == 0 && link->closed != NULL) {
        link->closed(link->closed_context);
    }
}

void gd_proxy_link_drop(struct gd_proxy_link *link)
{
    struct gd_proxy_connection *connection = link->up;

    gd_timer_stop(link->io, &link->watch);
    gd_timer_stop(link->io, &link->fail);
    done_with(&link->out);
    link->expected = 0;
    link->busy = false;
    link->up = NULL;
    if (connection != NULL) {
        connection->dropped = true;
        link->closing++;
        gd_stream_close(&connection->stream, connection_closed);
    }
}

static void end(struct gd_proxy_link *link, enum gd_err err)
{
    gd_proxy_done_fn *done = link->done;

    /* Also a connection that answered and refused a piece of what was asked. */
    if (err != GD_OK || gd_timer_running(&link->fail)) {
        gd_proxy_link_drop(link); /* With both timers: this is told once. */
    }
    gd_timer_stop(link->io, &link->watch);
    link->busy = false;
    done(link->context, err);
}

static void on_watch(struct gd_timer *timer)
{
    struct gd_proxy_link *link = timer->context;

    GD_REACHED("database did not answer in time");
    end(link, GD_ERR_TIMEOUT);
}

static void on_fail(struct gd_timer *timer)
{
    end(timer->context, GD_ERR_RESET);
}

static void fail_later(struct gd_proxy_link *link)
{
    gd_timer_start(link->io, &link->fail, gd_io_now(link->io));
}

static void be_patient(struct gd_proxy_link *link)
{
    gd_timer_start(link->io, &link->watch, gd_io_now(link->io) + link->patience_ns);
}

static void on_written(struct gd_write *write, enum gd_err err);

static void write_piece(struct gd_proxy_link *link, struct gd_proxy_connection *connection)
{
    size_t left = connection->sending.size - connection->sent;
    struct gd_slice piece = {connection->sending.data + connection->sent,
                             left < PIECE_SIZE ? left : PIECE_SIZE};

    connection->sent += piece.size;
    connection->write =
        (struct gd_write){.slices = {piece}, .count = 1, .done = on_written, .context = connection};
    connection->writing = gd_stream_write(&connection->stream, &connection->write) == GD_OK;
    if (!connection->writing && link->busy) {
        fail_later(link);
    } else if (!connection->writing) {
        gd_proxy_link_drop(link);
    }
}

static void submit(struct gd_proxy_link *link, struct gd_proxy_connection *connection)
{
    struct gd_bytes spare = connection->sending;

    connection->sending = link->out;
    link->out = spare;
    done_with(&link->out);
    connection->sent = 0;
    connection->deferred = false;
    write_piece(link, connection);
}

static void on_written(struct gd_write *write, enum gd_err err)
{
    struct gd_proxy_connection *connection = write->context;
    struct gd_proxy_link *link = connection->owner;

    connection->writing = false;
    if (connection->dropped) {
        return;
    }
    if (err != GD_OK && link->busy) {
        end(link, GD_ERR_RESET);
    } else if (err != GD_OK) {
        gd_proxy_link_drop(link);
    } else if (connection->sent < connection->sending.size) {
        GD_REACHED("more of a batch goes to the database");
        if (link->busy) {
            be_patient(link);
        }
        write_piece(link, connection);
    } else {
        done_with(&connection->sending);
        connection->sent = 0;
        if (connection->deferred) {
            submit(link, connection);
        }
    }
}

/* Takes whole replies; false when the connection is of no more use. */
static bool take_replies(struct gd_proxy_link *link, struct gd_proxy_connection *connection)
{
    while (link->busy && link->place < link->expected) {
        struct gd_slice left = {connection->input.data + connection->taken,
                                connection->input.size - connection->taken};
        size_t size = 0;
        switch (gd_resp_reply_read(&connection->reader, left, &size)) {
        case GD_RESP_REPLY_MORE:
            return true;
        case GD_RESP_REPLY_BAD:
            return false;
        case GD_RESP_REPLY_WHOLE:
            break;
        }
        connection->taken += size;
        link->reply(link->context, link->place++, (struct gd_slice){left.data, size});
    }
    return connection->taken == connection->input.size; /* Nothing that nobody asked for. */
}

static void on_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    struct gd_proxy_connection *connection = stream->context;
    struct gd_proxy_link *link = connection->owner;
    bool sound;

    if (connection->dropped) {
        return;
    }
    if (err != GD_OK || !link->busy) {
        if (link->busy) {
            end(link, err == GD_OK || err == GD_ERR_END ? GD_ERR_RESET : err);
        } else {
            gd_proxy_link_drop(link);
        }
        return;
    }
    gd_bytes_add(&connection->input, bytes.data, bytes.size);
    be_patient(link);
    sound = take_replies(link, connection);
    if (!sound) {
        end(link, GD_ERR_RESET);
        return;
    }
    if (link->place < link->expected) {
        if (connection->taken > connection->input.size / 2) {
            gd_bytes_consume(&connection->input, connection->taken);
            connection->taken = 0;
        }
        return;
    }
    done_with(&connection->input);
    connection->taken = 0;
    link->expected = 0;
    end(link, GD_OK);
}

static void on_connected(struct gd_stream *stream, enum gd_err err)
{
    struct gd_proxy_connection *connection = stream->context;

    if (connection->dropped) {
        return;
    }
    if (err == GD_OK) {
        gd_stream_read_start(stream, on_read);
    }
    end(connection->owner, err);
}

void gd_proxy_link_connect(struct gd_proxy_link *link, gd_proxy_done_fn *done, void *context)
{
    struct gd_proxy_connection *connection;

    gd_proxy_link_drop(link);
    connection = gd_calloc(1, sizeof *connection);
    connection->owner = link;
    connection->stream.context = connection;
    link->busy = true;
    link->done = done;
    link->context = context;
    if (gd_stream_connect(link->io, &connection->stream, &link->address, on_connected) != GD_OK) {
        gd_free(connection);
        fail_later(link);
        return;
    }
    link->up = connection;
    be_patient(link);
}

void gd_proxy_write_command(struct gd_bytes *out, const struct gd_slice *args, size_t count)
{
    gd_bytes_format(out, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        gd_bytes_format(out, "$%zu\r\n", args[i].size);
        gd_bytes_add(out, args[i].data, args[i].size);
        gd_bytes_add(out, "\r\n", 2);
    }
}

void gd_proxy_link_add(struct gd_proxy_link *link, const struct gd_slice *args, size_t count)
{
    gd_proxy_write_command(&link->out, args, count);
    link->expected++;
}

void gd_proxy_link_add_words(struct gd_proxy_link *link, const char *const *words, size_t count)
{
    struct gd_slice args[8];

    GD_ASSERT(count <= GD_COUNT(args));
    for (size_t i = 0; i < count; i++) {
        args[i] = gd_proxy_text(words[i]);
    }
    gd_proxy_link_add(link, args, count);
}

void gd_proxy_link_send(struct gd_proxy_link *link, gd_proxy_reply_fn *reply,
                        gd_proxy_done_fn *done, void *context)
{
    struct gd_proxy_connection *connection = link->up;

    GD_ASSERT(!link->busy);
    GD_ASSERT(link->expected > 0);
    link->busy = true;
    link->place = 0;
    link->reply = reply;
    link->done = done;
    link->context = context;
    if (connection == NULL) {
        fail_later(link);
        return;
    }
    be_patient(link);
    /* The last exchange may be answered before its write is told: its memory is not ours yet. */
    connection->deferred = connection->writing;
    if (connection->deferred) {
        GD_REACHED("database answered before our write was told");
    } else {
        submit(link, connection);
    }
}

size_t gd_proxy_reply_size(struct gd_slice bytes)
{
    struct gd_resp_reply_reader reader = {0};
    size_t size = 0;

    return gd_resp_reply_read(&reader, bytes, &size) == GD_RESP_REPLY_WHOLE ? size : 0;
}

void gd_proxy_link_close(struct gd_proxy_link *link, void (*closed)(void *context), void *context)
{
    gd_proxy_link_drop(link);
    gd_bytes_release(&link->out);
    link->closed = closed;
    link->closed_context = context;
    if (link->closing == 0) {
        closed(context);
    }
}

void gd_proxy_link_init(struct gd_proxy_link *link, struct gd_io *io,
                        const struct gd_address *address, gd_time_ns patience_ns)
{
    *link = (struct gd_proxy_link){.io = io, .address = *address, .patience_ns = patience_ns};
    link->watch = (struct gd_timer){.fire = on_watch, .context = link};
    link->fail = (struct gd_timer){.fire = on_fail, .context = link};
}
