/* net.c - sockets: listening, connecting, accepting, closing; links between processes, and the
 * ways in which they fail. Bytes under way are pipe.c's.
 *
 * How. A connection has two ends. An end's `stream` is the process's structure; `gone` says that
 * the end's machine knows the connection no more (closed, crashed): bytes that arrive there are
 * answered by a reset, or by silence while the machine is down. So half-open connections come by
 * themselves: after a power loss the other side learns nothing until it sends something and the
 * machine is up again. A connection is forgotten once both its ends are gone.
 *
 * The machine of a killed or paused process goes on: it completes handshakes (paused), refuses
 * them (killed), and takes bytes into the window. */
#include "io-sim/net.h"
#include "engine/bytes.h"
#include <stdio.h>

#define PORT_FIRST 49152
#define SYN_RETRY_NS (1000 * GD_NS_PER_MS)

/* ---------------------------------------------------------------- links */

struct gd_link *gd__link(const struct gd_world *world, uint32_t from, uint32_t to)
{
    return &world->links[(size_t)from * world->process_capacity + to];
}

static bool covers(uint32_t wanted, uint32_t number)
{
    return wanted == GD_WORLD_ALL || wanted == number;
}

void gd_world_set_link(struct gd_world *world, uint32_t from, uint32_t to,
                       const struct gd_world_link_options *options)
{
    GD_ASSERT(options->window_size > 0);
    GD_ASSERT(options->latency_min <= options->latency_max);
    if (from == GD_WORLD_ALL && to == GD_WORLD_ALL) {
        world->link_default.options = *options;
    }
    for (uint32_t a = 0; a < world->process_count; a++) {
        for (uint32_t b = 0; b < world->process_count; b++) {
            if (covers(from, a) && covers(to, b)) {
                gd__link(world, a, b)->options = *options;
            }
        }
    }
}

struct gd_world_link_options gd_world_link(const struct gd_world *world, uint32_t from, uint32_t to)
{
    return from < world->process_count && to < world->process_count
               ? gd__link(world, from, to)->options
               : world->link_default.options;
}

void gd__net_link_opened(struct gd_world *world, uint32_t from, uint32_t to)
{
    for (struct gd_ring *at = world->connections.next; at != &world->connections; at = at->next) {
        struct gd_connection *connection = gd__connection(at);

        for (unsigned side = 0; side < 2; side++) {
            struct gd_end *a = &connection->ends[side], *b = &connection->ends[1 - side];

            if (a->process != NULL && b->process != NULL && a->process->number == from &&
                b->process->number == to) {
                gd__pipe_release(&connection->pipes[side]);     /* Its bytes pass again, ... */
                gd__pipe_release(&connection->pipes[1 - side]); /* ... and the other's news. */
            }
        }
    }
}

/* Sets a flag of all links that are meant, and lets go what it held. */
static void set_flag(struct gd_world *world, uint32_t from, uint32_t to, bool on, bool clog)
{
    if (from == GD_WORLD_ALL && to == GD_WORLD_ALL) {
        *(clog ? &world->link_default.clogged : &world->link_default.cut) = on;
    }
    for (uint32_t a = 0; a < world->process_count; a++) {
        for (uint32_t b = 0; b < world->process_count; b++) {
            if (!covers(from, a) || !covers(to, b) ||
                (a == b && (from == GD_WORLD_ALL || to == GD_WORLD_ALL))) {
                continue;
            }
            struct gd_link *link = gd__link(world, a, b);
            bool *flag = clog ? &link->clogged : &link->cut;

            if (*flag != on) {
                *flag = on;
                if (!on) {
                    gd__net_link_opened(world, a, b);
                }
            }
        }
    }
    gd__fold(world, (uint64_t)from << 32 ^ to ^ (uint64_t)on << 62 ^ (uint64_t)clog << 63);
    GD__TRACE(world, GD_WORLD_NOBODY, clog ? "clog" : "cut", "%s -> %s: %s",
              gd_world_name(world, from), gd_world_name(world, to), on ? "cut" : "healed");
}

void gd_world_cut(struct gd_world *world, uint32_t from, uint32_t to, bool cut)
{
    set_flag(world, from, to, cut, false);
}

void gd_world_clog(struct gd_world *world, uint32_t from, uint32_t to, bool clogged)
{
    set_flag(world, from, to, clogged, true);
}

bool gd_world_is_cut(const struct gd_world *world, uint32_t from, uint32_t to)
{
    return from < world->process_count && to < world->process_count ? gd__link(world, from, to)->cut
                                                                    : world->link_default.cut;
}

void gd_world_heal(struct gd_world *world)
{
    gd_world_cut(world, GD_WORLD_ALL, GD_WORLD_ALL, false);
    gd_world_clog(world, GD_WORLD_ALL, GD_WORLD_ALL, false);
    for (uint32_t a = 0; a < world->process_count; a++) { /* Links to themselves, too. */
        gd_world_cut(world, a, a, false);
        gd_world_clog(world, a, a, false);
    }
}

/* ---------------------------------------------------------------- ends */

/* Forgets a connection that nobody knows any more. */
static void release(struct gd_connection *connection)
{
    struct gd_world *world = connection->world;

    for (unsigned side = 0; side < 2; side++) {
        const struct gd_end *end = &connection->ends[side];

        if (end->exists && (!end->gone || end->stream != NULL)) {
            return;
        }
    }
    gd__unschedule(world, &connection->syn);
    gd__unschedule(world, &connection->expire);
    gd__unschedule(world, &connection->incoming);
    for (unsigned side = 0; side < 2; side++) {
        gd__unschedule(world, &connection->ends[side].tell);
        gd__unschedule(world, &connection->ends[side].closed);
        gd__pipe_free(&connection->pipes[side]);
    }
    gd__ring_remove(&connection->ring);
    gd__heap_free(&world->heap, connection);
}

/* The process has the stream no more. */
static void detach(struct gd_end *end)
{
    if (end->stream != NULL) {
        end->stream = NULL;
        end->process->end_count--;
        gd__ring_remove(&end->ring);
    }
}

static void attach(struct gd_end *end, struct gd_stream *stream)
{
    end->stream = stream;
    end->patience_ns = stream->patience_ns;
    end->process->end_count++;
    gd__ring_add(&end->process->ends, &end->ring);
    stream->io = &end->process->io;
    stream->world = end;
    stream->on_read = NULL;
    stream->on_done = NULL;
    stream->on_closed = NULL;
}

/* The end's machine forgets the connection; what it still sends goes out first. */
static void leave(struct gd_end *end)
{
    struct gd_pipe *in = gd__pipe_in(end), *out = gd__pipe_out(end);
    bool unread = in->in.head != NULL && !in->in.head->fin;

    if (!end->gone && end->connection->ends[1].exists && !end->broken) {
        gd__pipe_finish(out, unread);
    }
    end->gone = true;
    gd__pipe_drop_reads(in);
}

static void run_tell(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_end *end = GD_CONTAINER(event, struct gd_end, tell);
    struct gd_process *running;

    if (end->connecting) {
        gd_stream_fn *done = end->stream->on_done;

        end->connecting = false;
        end->connected = end->connect_err == GD_OK;
        end->stream->on_done = NULL;
        GD__TRACE(world, end->process->number, "connect", "to %s: %s",
                  end->connection->ends[1].process != NULL ? end->connection->ends[1].process->name
                                                           : "nowhere",
                  gd_err_text(end->connect_err));
        running = gd__heap_enter(world, end->process);
        done(end->stream, end->connect_err);
        gd__heap_leave(world, running);
    }
    if (end->broken && !end->closing) {
        gd__pipe_cancel(gd__pipe_out(end), GD_ERR_RESET);
        gd__pipe_wake_reader(gd__pipe_in(end), 0);
    }
}

void gd__end_break(struct gd_end *end, enum gd_err err)
{
    struct gd_world *world = end->connection->world;

    if (end->gone || end->broken || !end->exists) {
        return;
    }
    end->broken = true;
    end->broken_err = err;
    gd__unschedule(world, &gd__pipe_out(end)->send);
    gd__pipe_drop_reads(gd__pipe_in(end));
    if (end->stream != NULL && !end->closing) {
        GD__TRACE(world, end->process->number, "broken", "%s", gd_err_text(err));
        if (!gd__scheduled(&end->tell)) {
            gd__schedule(world, &end->tell, 0);
        }
    }
}

static void run_closed(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_end *end = GD_CONTAINER(event, struct gd_end, closed);
    struct gd_stream *stream = end->stream;
    struct gd_process *running;

    if (end->connecting) {
        gd_stream_fn *done = stream->on_done;

        end->connecting = false;
        running = gd__heap_enter(world, end->process);
        done(stream, GD_ERR_CANCELED);
        gd__heap_leave(world, running);
    }
    gd__pipe_cancel(gd__pipe_out(end), GD_ERR_CANCELED);
    detach(end);
    stream->world = NULL;
    running = gd__heap_enter(world, end->process);
    stream->on_closed(stream, GD_OK);
    gd__heap_leave(world, running);
    release(end->connection);
}

void gd__stream_close(struct gd_stream *stream, gd_stream_fn *closed)
{
    struct gd_end *end = stream->world;
    struct gd_world *world = end->process->world;

    GD_ASSERT(end != NULL);
    GD_ASSERT(!end->closing);
    stream->on_closed = closed;
    end->closing = true;
    end->reading = false;
    gd__unschedule(world, &end->tell);
    gd__unschedule(world, &gd__pipe_out(end)->send);
    gd__unschedule(world, &gd__pipe_in(end)->read);
    if (end == &end->connection->ends[0]) {
        gd__unschedule(world, &end->connection->syn);
        gd__unschedule(world, &end->connection->expire);
    }
    leave(end);
    gd__schedule(world, &end->closed, 0);
}

void gd__stream_peer(const struct gd_stream *stream, struct gd_address *address)
{
    struct gd_end *end = stream->world;

    *address = (struct gd_address){{0}};
    if (end == NULL || end->closing || end->broken || !end->connected) {
        (void)snprintf(address->text, sizeof address->text, "?");
        return;
    }
    struct gd_end *other = gd__other(end);
    (void)snprintf(address->text, sizeof address->text,
                   strchr(other->process->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
                   other->process->host, (unsigned)other->port);
}

/* ---------------------------------------------------------------- ports */

static struct gd_listening *listening_on(const struct gd_process *process, uint16_t port)
{
    for (struct gd_ring *at = process->listeners.next; at != &process->listeners; at = at->next) {
        struct gd_listening *listening = GD_CONTAINER(at, struct gd_listening, ring);

        if (listening->port == port && !listening->closing) {
            return listening;
        }
    }
    return NULL;
}

static uint16_t choose_port(struct gd_process *process)
{
    do {
        process->port_next =
            process->port_next == UINT16_MAX ? PORT_FIRST : (uint16_t)(process->port_next + 1);
    } while (listening_on(process, process->port_next) != NULL);
    return process->port_next;
}

static struct gd_process *find_host(struct gd_process *from, const char *host)
{
    static const char *const own[] = {"127.0.0.1", "localhost", "::1", "0.0.0.0", "::"};
    uint32_t number = gd_world_find(from->world, host);

    if (number != GD_WORLD_NOBODY) {
        return from->world->processes[number];
    }
    for (size_t i = 0; i < GD_COUNT(own); i++) {
        if (strcmp(host, own[i]) == 0) {
            return from;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- connecting */

static void connect_fails(struct gd_connection *connection, enum gd_err err, gd_time_ns delay)
{
    struct gd_end *end = &connection->ends[0];
    struct gd_world *world = connection->world;

    gd__unschedule(world, &connection->syn);
    gd__unschedule(world, &connection->expire);
    end->connect_err = err;
    gd__schedule(world, &end->tell, world->now + delay);
}

static void run_expire(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_connection *connection = GD_CONTAINER(event, struct gd_connection, expire);

    gd__count(world, GD_WORLD_COUNT_CONNECT_TIMEOUTS);
    connect_fails(connection, GD_ERR_TIMEOUT, 0);
}

/* The handshake's first step has reached the other machine, or has not. */
static void run_syn(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_connection *connection = GD_CONTAINER(event, struct gd_connection, syn);
    struct gd_end *from = &connection->ends[0], *to = &connection->ends[1];

    if (gd__link(world, from->process->number, to->process->number)->cut ||
        gd__link(world, to->process->number, from->process->number)->cut ||
        to->process->machine_down) {
        gd__schedule(world, &connection->syn,
                     world->now +
                         (SYN_RETRY_NS << (connection->tries < 5 ? connection->tries : 5)));
        connection->tries++;
        return;
    }
    gd_time_ns back = gd__latency(to->process, from->process);
    struct gd_listening *listening = listening_on(to->process, to->port);
    if (!to->process->running || listening == NULL) {
        gd__count(world, GD_WORLD_COUNT_REFUSED);
        connect_fails(connection, GD_ERR_REFUSED, back);
        return;
    }
    gd__unschedule(world, &connection->expire);
    gd__count(world, GD_WORLD_COUNT_CONNECTS);
    to->exists = connection->pending = connection->dialed = true;
    connection->listening = listening;
    const struct gd_world_framer *framer = &world->options.framer;
    connection->framed =
        framer->wants != NULL &&
        framer->wants(framer->context, from->process->number, to->process->number, to->port);
    from->connect_err = GD_OK;
    connection->pipes[1].last_arrival = world->now + back; /* None before it is connected. */
    gd__schedule(world, &connection->incoming, 0);
    gd__schedule(world, &from->tell, world->now + back);
}

static void run_incoming(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_connection *connection = GD_CONTAINER(event, struct gd_connection, incoming);
    struct gd_listening *listening = connection->listening;
    struct gd_end *end = &connection->ends[1];

    if (listening != NULL && !end->broken) {
        struct gd_process *running = gd__heap_enter(world, end->process);

        GD__TRACE(world, end->process->number, "incoming", "from %s",
                  connection->ends[0].process->name);
        listening->waiting = connection;
        listening->listener->incoming(listening->listener);
        listening->waiting = NULL;
        gd__heap_leave(world, running);
    }
    connection->pending = false;
    connection->listening = NULL;
    if (end->stream == NULL) { /* Nobody wants it. */
        leave(end);
        release(connection);
    }
}

static void init_end(struct gd_end *end, struct gd_connection *connection,
                     struct gd_process *process)
{
    end->connection = connection;
    end->process = process;
    gd__ring_init(&end->ring);
    end->tell = (struct gd_world_event){.run = run_tell, .kind = GD_EVENT_CONNECTED};
    end->closed = (struct gd_world_event){.run = run_closed, .kind = GD_EVENT_CLOSED};
    end->tell.process = end->closed.process = process != NULL ? process->number : GD_WORLD_NOBODY;
    end->tell.detail = end->closed.detail = connection->number;
}

enum gd_err gd__stream_connect(struct gd_io *io, struct gd_stream *stream,
                               const struct gd_address *address, gd_stream_fn *done)
{
    struct gd_process *process = gd__process_of(io);
    struct gd_world *world = process->world;
    struct gd_connection *connection = gd__heap_zeroed(&world->heap, sizeof *connection);
    char host[GD_ADDRESS_SIZE];
    gd_time_ns timeout;

    GD_ASSERT(process->running);
    connection->world = world;
    connection->number = ++world->connection_count;
    gd__ring_add(&world->connections, &connection->ring);
    gd_address_split(address, host, &connection->ends[1].port);
    struct gd_process *to = find_host(process, host);
    init_end(&connection->ends[0], connection, process);
    init_end(&connection->ends[1], connection, to);
    for (unsigned side = 0; side < 2; side++) {
        gd__pipe_init(&connection->pipes[side], connection, side);
    }
    connection->syn =
        (struct gd_world_event){.run = run_syn, .kind = GD_EVENT_SYN, .process = GD_WORLD_NOBODY};
    connection->expire = connection->syn;
    connection->expire.run = run_expire;
    connection->ends[0].exists = true;
    connection->ends[0].connecting = true;
    connection->ends[0].port = choose_port(process);
    attach(&connection->ends[0], stream);
    stream->on_done = done;
    if (to == NULL) {
        connect_fails(connection, GD_ERR_UNREACHABLE, GD_NS_PER_MS);
        return GD_OK;
    }
    for (unsigned side = 0; side < 2; side++) {
        gd__pipe_bind(&connection->pipes[side]);
    }
    connection->incoming = (struct gd_world_event){
        .run = run_incoming, .kind = GD_EVENT_INCOMING, .process = to->number};
    connection->syn.detail = connection->expire.detail = connection->incoming.detail =
        connection->number;
    gd__schedule(world, &connection->syn, world->now + gd__latency(process, to));
    timeout = gd__link(world, process->number, to->number)->options.connect_timeout;
    if (stream->patience_ns > 0 && stream->patience_ns < timeout) {
        timeout = stream->patience_ns;
    }
    gd__schedule(world, &connection->expire, world->now + timeout);
    return GD_OK;
}

/* ---------------------------------------------------------------- listening */

static void run_listener_closed(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_listening *listening = GD_CONTAINER(event, struct gd_listening, closed);
    struct gd_listener *listener = listening->listener;
    struct gd_process *process = listening->process;
    gd_listener_fn *on_closed = listening->on_closed;

    gd__ring_remove(&listening->ring);
    process->listener_count--;
    gd__heap_free(&world->heap, listening);
    listener->world = NULL;
    struct gd_process *running = gd__heap_enter(world, process);
    on_closed(listener);
    gd__heap_leave(world, running);
}

enum gd_err gd__listen(struct gd_io *io, struct gd_listener *listener,
                       const struct gd_address *address, struct gd_error *error)
{
    struct gd_process *process = gd__process_of(io);
    struct gd_world *world = process->world;
    char host[GD_ADDRESS_SIZE];
    uint16_t port;

    GD_ASSERT(process->running);
    gd_address_split(address, host, &port);
    if (find_host(process, host) != process) {
        return gd_error_set(error, GD_ERR_UNREACHABLE,
                            "cannot listen on %s: this machine has no such address: correct it",
                            address->text);
    }
    if (port != 0 && listening_on(process, port) != NULL) {
        return gd_error_set(
            error, GD_ERR_ADDRESS_IN_USE,
            "cannot listen on %s: address in use: stop what uses it, or choose another port",
            address->text);
    }
    struct gd_listening *listening = gd__heap_zeroed(&world->heap, sizeof *listening);
    listening->process = process;
    listening->listener = listener;
    listening->port = port != 0 ? port : choose_port(process);
    (void)snprintf(listening->address.text, sizeof listening->address.text,
                   strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
                   (unsigned)listening->port);
    listening->closed = (struct gd_world_event){.run = run_listener_closed,
                                                .kind = GD_EVENT_LISTENER_CLOSED,
                                                .process = process->number,
                                                .detail = listening->port};
    gd__ring_add(&process->listeners, &listening->ring);
    process->listener_count++;
    listener->io = io;
    listener->world = listening;
    return GD_OK;
}

void gd__listener_address(const struct gd_listener *listener, struct gd_address *address)
{
    const struct gd_listening *listening = listener->world;

    *address = listening->address;
}

enum gd_err gd__listener_accept(struct gd_listener *listener, struct gd_stream *stream)
{
    struct gd_listening *listening = listener->world;

    GD_ASSERT(listening->waiting != NULL);
    struct gd_end *end = &listening->waiting->ends[1];
    listening->waiting = NULL;
    attach(end, stream);
    end->connected = true;
    return GD_OK;
}

/* Connections that wait for a listener that goes away find nobody. */
static void forget_pending(struct gd_listening *listening)
{
    struct gd_world *world = listening->process->world;

    for (struct gd_ring *at = world->connections.next; at != &world->connections; at = at->next) {
        if (gd__connection(at)->listening == listening) {
            gd__connection(at)->listening = NULL;
        }
    }
}

void gd__listener_close(struct gd_listener *listener, gd_listener_fn *closed)
{
    struct gd_listening *listening = listener->world;

    GD_ASSERT(!listening->closing);
    listening->closing = true;
    listening->on_closed = closed;
    forget_pending(listening);
    gd__schedule(listening->process->world, &listening->closed, 0);
}

/* ---------------------------------------------------------------- breaking */

unsigned gd_world_break_streams(struct gd_world *world, uint32_t a, uint32_t b,
                                enum gd_world_break how)
{
    static const enum gd_world_counter counters[] = {
        GD_WORLD_COUNT_RESETS, GD_WORLD_COUNT_HALF_OPEN, GD_WORLD_COUNT_BLACK_HOLES};
    unsigned count = 0;

    for (struct gd_ring *at = world->connections.next; at != &world->connections; at = at->next) {
        struct gd_connection *connection = gd__connection(at);
        struct gd_end *one = &connection->ends[0], *two = &connection->ends[1];

        if (!two->exists || one->gone || two->gone || connection->black_hole) {
            continue;
        }
        if (one->process->number != a || !covers(b, two->process->number)) {
            if (two->process->number != a || !covers(b, one->process->number)) {
                continue;
            }
            one = two;
            two = &connection->ends[0];
        }
        if (how == GD_WORLD_BLACK_HOLE) {
            connection->black_hole = true;
            gd__pipe_watch_silence(&connection->pipes[0]);
            gd__pipe_watch_silence(&connection->pipes[1]);
        } else {
            gd__end_break(one, GD_ERR_RESET);
            if (how == GD_WORLD_RESET) {
                gd__end_break(two, GD_ERR_RESET);
            }
        }
        gd__count(world, counters[how]);
        count++;
    }
    gd__fold(world, (uint64_t)count << 8 | (uint64_t)how);
    GD__TRACE(world, a, "break", "%u streams", count);
    return count;
}

unsigned gd_world_stream_count(const struct gd_world *world, uint32_t a, uint32_t b)
{
    unsigned count = 0;

    for (struct gd_ring *at = world->connections.next; at != &world->connections; at = at->next) {
        const struct gd_connection *connection = gd__connection(at);
        const struct gd_end *one = &connection->ends[0], *two = &connection->ends[1];

        if (one->stream != NULL && two->stream != NULL && !one->gone && !two->gone &&
            !one->broken && !two->broken) {
            count += (one->process->number == a && two->process->number == b) ||
                     (one->process->number == b && two->process->number == a);
        }
    }
    return count;
}

static uint64_t sum_bytes(const struct gd_world *world, uint32_t from, uint32_t to, bool queued)
{
    uint64_t size = 0;

    for (struct gd_ring *at = world->connections.next; at != &world->connections; at = at->next) {
        const struct gd_connection *connection = gd__connection(at);

        for (unsigned side = 0; side < 2; side++) {
            const struct gd_process *a = connection->ends[side].process;
            const struct gd_process *b = connection->ends[1 - side].process;
            const struct gd_pipe *pipe = &connection->pipes[side];

            if (a != NULL && b != NULL && a->number == from && b->number == to) {
                size += queued ? pipe->queued_size : pipe->under_way + pipe->assembly_size;
            }
        }
    }
    return size;
}

uint64_t gd_world_bytes_queued(const struct gd_world *world, uint32_t from, uint32_t to)
{
    return sum_bytes(world, from, to, true);
}

uint64_t gd_world_bytes_under_way(const struct gd_world *world, uint32_t from, uint32_t to)
{
    return sum_bytes(world, from, to, false);
}

/* ---------------------------------------------------------------- lifetime */

void gd__net_init(struct gd_process *process)
{
    gd__ring_init(&process->ends);
    gd__ring_init(&process->listeners);
    process->port_next = PORT_FIRST - 1;
}

/* One end of a process that has crashed. */
static void drop_end(struct gd_end *end, enum gd_world_crash how)
{
    struct gd_connection *connection = end->connection;
    struct gd_world *world = connection->world;

    gd__unschedule(world, &end->tell);
    gd__unschedule(world, &end->closed);
    if (end == &connection->ends[0]) {
        gd__unschedule(world, &connection->syn);
        gd__unschedule(world, &connection->expire);
    } else {
        gd__unschedule(world, &connection->incoming);
        connection->pending = false;
        connection->listening = NULL;
    }
    detach(end);
    gd__pipe_drop_writes(gd__pipe_out(end));
    if (how == GD_WORLD_POWER_LOSS) {
        end->broken = true; /* It says nothing any more. */
    }
    leave(end);
}

void gd__net_drop(struct gd_process *process, enum gd_world_crash how)
{
    struct gd_world *world = process->world;
    struct gd_ring *next;

    for (struct gd_ring *at = world->connections.next; at != &world->connections; at = next) {
        struct gd_connection *connection = gd__connection(at);

        next = at->next;
        for (unsigned side = 0; side < 2; side++) {
            struct gd_end *end = &connection->ends[side];

            if (end->process == process && end->exists && (!end->gone || end->stream != NULL)) {
                drop_end(end, how);
            }
        }
        release(connection);
    }
    while (!gd__ring_empty(&process->listeners)) {
        struct gd_listening *listening =
            GD_CONTAINER(process->listeners.next, struct gd_listening, ring);

        forget_pending(listening);
        gd__unschedule(world, &listening->closed);
        gd__ring_remove(&listening->ring);
        gd__heap_free(&world->heap, listening);
    }
    process->listener_count = 0;
    GD_ASSERT(process->end_count == 0);
}

void gd__net_machine_up(struct gd_process *process)
{
    struct gd_world *world = process->world;

    for (struct gd_ring *at = world->connections.next; at != &world->connections; at = at->next) {
        struct gd_connection *connection = gd__connection(at);

        for (unsigned side = 0; side < 2; side++) {
            if (connection->ends[1 - side].process == process) {
                gd__pipe_release(&connection->pipes[side]);
            }
        }
    }
}

void gd__net_free(struct gd_world *world)
{
    while (!gd__ring_empty(&world->connections)) {
        struct gd_connection *connection = gd__connection(world->connections.next);

        connection->ends[0].gone = connection->ends[1].gone = true;
        release(connection);
    }
}
