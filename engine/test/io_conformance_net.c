/* io_conformance_net.c - the suite's byte streams: process 0 listens, process 1 connects. */
#include "engine/test/io_conformance_parts.h"

/* One end of a connection, and all that was told about it. */
struct end {
    struct gd_stream stream;
    bool connect_told;
    enum gd_err connect_err;
    unsigned char *got; /* Owned; what was read. */
    size_t got_size, got_capacity;
    size_t got_after_end;
    unsigned end_count; /* END or an error. */
    enum gd_err end_err;
    unsigned closed_count;
    unsigned write_count;     /* Completed writes ... */
    unsigned write_told[128]; /* ... which, by their number ... */
    enum gd_err write_err[128];
    bool closed_before_writes; /* S1: a write was told after `closed`. */
    size_t stop_at;            /* Stop reading once this much is there; 0: never. */
    size_t want;
};

struct one_write {
    struct gd_write write; /* First. */
    struct end *end;
    unsigned number;
};

/* A server's side. */
struct server {
    struct gd_listener listener;
    struct gd_address address;
    struct end *ends; /* Where the next connections go. */
    size_t count, capacity;
    bool ignore; /* Accept none. */
    unsigned incoming_count, closed_count;
};

static void on_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    struct end *end = stream->context;

    if (err != GD_OK) {
        assert_int_equal(bytes.size, 0);
        end->end_count++;
        end->end_err = err;
        return;
    }
    assert_true(bytes.size > 0);
    end->got_after_end += end->end_count > 0 ? bytes.size : 0;
    if (end->got_size + bytes.size > end->got_capacity) {
        end->got_capacity = (end->got_size + bytes.size) * 2;
        end->got = realloc(end->got, end->got_capacity);
        assert_non_null(end->got);
    }
    memcpy(end->got + end->got_size, bytes.data, bytes.size);
    end->got_size += bytes.size;
    if (end->stop_at != 0 && end->got_size >= end->stop_at) {
        gd_stream_read_stop(stream);
    }
}

static void on_connected(struct gd_stream *stream, enum gd_err err)
{
    struct end *end = stream->context;

    assert_false(end->connect_told);
    assert_int_equal(end->closed_count, 0);
    end->connect_told = true;
    end->connect_err = err;
}

static void on_closed(struct gd_stream *stream, enum gd_err err)
{
    struct end *end = stream->context;

    assert_int_equal(err, GD_OK);
    end->closed_count++;
}

static void on_written(struct gd_write *write, enum gd_err err)
{
    struct one_write *one = (struct one_write *)(void *)write;
    struct end *end = one->end;

    end->closed_before_writes = end->closed_before_writes || end->closed_count > 0;
    if (end->write_count < GD_COUNT(end->write_told)) {
        end->write_told[end->write_count] = one->number;
        end->write_err[end->write_count] = err;
    }
    end->write_count++;
}

static void on_incoming(struct gd_listener *listener)
{
    struct server *server = listener->context;

    server->incoming_count++;
    if (!server->ignore && server->count < server->capacity) {
        struct end *end = &server->ends[server->count++];

        end->stream = (struct gd_stream){.context = end};
        assert_int_equal(gd_listener_accept(listener, &end->stream), GD_OK);
    }
}

static void on_listener_closed(struct gd_listener *listener)
{
    struct server *server = listener->context;

    server->closed_count++;
}

static void address_of(struct gd_io_harness *harness, unsigned node, unsigned port,
                       struct gd_address *address)
{
    char text[GD_ADDRESS_SIZE];

    (void)snprintf(text, sizeof text, "%s:%u", harness->v->host(harness, node), port);
    assert_int_equal(gd_address_parse(text, address), GD_OK);
}

static void listen_on(struct gd_io_harness *harness, struct server *server, struct end *ends,
                      size_t capacity)
{
    struct gd_address any;
    struct gd_error error = {0};

    *server = (struct server){.ends = ends, .capacity = capacity};
    server->listener = (struct gd_listener){.incoming = on_incoming, .context = server};
    address_of(harness, 0, 0, &any);
    assert_int_equal(gd_listen(io_of(harness, 0), &server->listener, &any, &error), GD_OK);
    gd_listener_address(&server->listener, &server->address);
}

static enum gd_err begin_connect(struct gd_io_harness *harness, struct end *end,
                                 const struct gd_address *address)
{
    *end = (struct end){0};
    end->stream = (struct gd_stream){.context = end};
    enum gd_err err = gd_stream_connect(io_of(harness, 1), &end->stream, address, on_connected);
    assert_false(end->connect_told); /* Never from inside the call. */
    return err;
}

static bool connect_told(void *context)
{
    return ((const struct end *)context)->connect_told;
}
static bool accepted(void *context)
{
    return ((const struct server *)context)->count > 0;
}
static bool got_want(void *context)
{
    const struct end *end = context;
    return end->got_size >= end->want;
}
static bool ended(void *context)
{
    return ((const struct end *)context)->end_count > 0;
}
static bool closed(void *context)
{
    return ((const struct end *)context)->closed_count > 0;
}
static bool written(void *context)
{
    const struct end *end = context;
    return end->write_count >= end->want;
}
static bool listener_closed(void *context)
{
    return ((const struct server *)context)->closed_count > 0;
}

/* A listener, and one connection with both ends: `there` is the server's. */
struct pair {
    struct server server;
    struct end here, there;
};

static void make_pair(struct gd_io_harness *harness, struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    listen_on(harness, &pair->server, &pair->there, 1);
    assert_int_equal(begin_connect(harness, &pair->here, &pair->server.address), GD_OK);
    assert_true(run_until(harness, connect_told, &pair->here));
    assert_int_equal(pair->here.connect_err, GD_OK);
    assert_true(run_until(harness, accepted, &pair->server));
}

static void read_on(struct gd_io_harness *harness, unsigned node, struct end *end)
{
    (void)io_of(harness, node);
    gd_stream_read_start(&end->stream, on_read);
}

static void close_end(struct gd_io_harness *harness, unsigned node, struct end *end)
{
    (void)io_of(harness, node);
    gd_stream_close(&end->stream, on_closed);
    assert_int_equal(end->closed_count, 0);
    assert_true(run_until(harness, closed, end));
    assert_int_equal(end->closed_count, 1);
    free(end->got);
    end->got = NULL;
}

static void drop_pair(struct gd_io_harness *harness, struct pair *pair)
{
    close_end(harness, 1, &pair->here);
    close_end(harness, 0, &pair->there);
    (void)io_of(harness, 0);
    gd_listener_close(&pair->server.listener, on_listener_closed);
    assert_true(run_until(harness, listener_closed, &pair->server));
    assert_int_equal(pair->server.closed_count, 1);
}

static enum gd_err send(struct gd_io_harness *harness, unsigned node, struct end *end,
                        struct one_write *one, const void *data, size_t size)
{
    one->write = (struct gd_write){.slices = {{data, size}}, .count = 1, .done = on_written};
    one->end = end;
    (void)io_of(harness, node);
    return gd_stream_write(&end->stream, &one->write);
}

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 31 + i / 251);
}

static unsigned char *make_pattern(size_t size)
{
    unsigned char *data = malloc(size);

    assert_non_null(data);
    for (size_t i = 0; i < size; i++) {
        data[i] = pattern(i);
    }
    return data;
}

static void assert_pattern(const struct end *end, size_t size)
{
    assert_int_equal(end->got_size, size);
    for (size_t i = 0; i < size; i++) {
        if (end->got[i] != pattern(i)) {
            fail_msg("byte %zu differs", i);
        }
    }
}

/* ---------------------------------------------------------------- listening */

static void test_net_listen_chooses_a_port(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct server a, b;
    uint16_t port_a, port_b;
    char host[GD_ADDRESS_SIZE];

    listen_on(harness, &a, NULL, 0);
    listen_on(harness, &b, NULL, 0);
    gd_address_split(&a.address, host, &port_a);
    gd_address_split(&b.address, NULL, &port_b);
    assert_string_equal(host, harness->v->host(harness, 0));
    assert_true(port_a != 0 && port_b != 0 && port_a != port_b);
}

static void test_net_listen_errors(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct server server;
    struct gd_listener other = {.incoming = on_incoming};
    struct gd_address elsewhere;
    struct gd_error error = {0};

    listen_on(harness, &server, NULL, 0);
    assert_int_equal(gd_listen(io_of(harness, 0), &other, &server.address, &error),
                     GD_ERR_ADDRESS_IN_USE);
    assert_int_equal(error.code, GD_ERR_ADDRESS_IN_USE);
    assert_non_null(strstr(error.text, server.address.text));
    assert_null(strchr(error.text, '\n'));
    assert_int_equal(gd_address_parse("203.0.113.77:0", &elsewhere), GD_OK);
    assert_int_equal(gd_listen(io_of(harness, 0), &other, &elsewhere, &error), GD_ERR_UNREACHABLE);
    assert_int_equal(gd_listen(io_of(harness, 0), &other, &server.address, NULL),
                     GD_ERR_ADDRESS_IN_USE);
}

/* Closed, it refuses; and its address is free for the next. */
static void test_net_listener_close(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct server server;
    struct end end;
    struct gd_error error;

    listen_on(harness, &server, NULL, 0);
    gd_listener_close(&server.listener, on_listener_closed);
    assert_int_equal(server.closed_count, 0);
    assert_true(run_until(harness, listener_closed, &server));
    assert_int_equal(begin_connect(harness, &end, &server.address), GD_OK);
    assert_true(run_until(harness, connect_told, &end));
    assert_int_equal(end.connect_err, GD_ERR_REFUSED);
    close_end(harness, 1, &end);
    server.listener = (struct gd_listener){.incoming = on_incoming, .context = &server};
    assert_int_equal(gd_listen(io_of(harness, 0), &server.listener, &server.address, &error),
                     GD_OK);
    assert_int_equal(server.closed_count, 1);
}

/* A connection that nobody takes is closed. */
static void test_net_not_accepted_is_closed(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct server server;
    struct end end;

    listen_on(harness, &server, NULL, 0);
    server.ignore = true;
    assert_int_equal(begin_connect(harness, &end, &server.address), GD_OK);
    assert_true(run_until(harness, connect_told, &end));
    if (end.connect_err == GD_OK) { /* A world may also refuse at once. */
        read_on(harness, 1, &end);
        assert_true(run_until(harness, ended, &end));
    }
    assert_int_equal(server.incoming_count, 1);
    close_end(harness, 1, &end);
}

/* ---------------------------------------------------------------- connecting */

static void test_net_connect_names_both_ends(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct pair pair;
    struct gd_address here, there;
    char host[GD_ADDRESS_SIZE];

    make_pair(harness, &pair);
    gd_stream_peer(&pair.here.stream, &there);
    gd_stream_peer(&pair.there.stream, &here);
    assert_string_equal(there.text, pair.server.address.text);
    gd_address_split(&here, host, NULL);
    assert_string_equal(host, harness->v->host(harness, 1));
    assert_int_equal(gd_stream_queued(&pair.here.stream), 0);
    drop_pair(harness, &pair);
}

/* Closed before it is connected: CANCELED (or what came first), then `closed`, each once. */
static void test_net_close_while_connecting(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct server server;
    struct end ends[1] = {0}, end;

    listen_on(harness, &server, ends, 1);
    assert_int_equal(begin_connect(harness, &end, &server.address), GD_OK);
    gd_stream_close(&end.stream, on_closed);
    assert_false(end.connect_told);
    assert_true(run_until(harness, closed, &end));
    assert_true(end.connect_told);
    assert_int_equal(end.connect_err, GD_ERR_CANCELED);
    run_for(harness, 20);
    assert_int_equal(end.closed_count, 1);
}

#define CROWD 40

static bool crowd_connected(void *context)
{
    const struct end *ends = context;

    for (size_t i = 0; i < CROWD; i++) {
        if (!ends[i].connect_told) {
            return false;
        }
    }
    return true;
}
static bool crowd_accepted(void *context)
{
    return ((const struct server *)context)->count == CROWD;
}

static void test_net_many_connections(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct end *here = calloc(CROWD, sizeof *here), *there = calloc(CROWD, sizeof *there);
    struct one_write writes[CROWD];
    struct server server;
    unsigned char marks[CROWD];

    assert_true(here != NULL && there != NULL);
    listen_on(harness, &server, there, CROWD);
    for (size_t i = 0; i < CROWD; i++) {
        assert_int_equal(begin_connect(harness, &here[i], &server.address), GD_OK);
    }
    assert_true(run_until(harness, crowd_connected, here));
    assert_true(run_until(harness, crowd_accepted, &server));
    for (size_t i = 0; i < CROWD; i++) {
        assert_int_equal(here[i].connect_err, GD_OK);
        marks[i] = (unsigned char)i;
        assert_int_equal(send(harness, 1, &here[i], &writes[i], &marks[i], 1), GD_OK);
    }
    bool seen[CROWD] = {false};
    for (size_t i = 0; i < CROWD; i++) {
        there[i].want = 1;
        read_on(harness, 0, &there[i]);
        assert_true(run_until(harness, got_want, &there[i]));
        assert_int_equal(there[i].got_size, 1);
        assert_false(seen[there[i].got[0]]);
        seen[there[i].got[0]] = true;
    }
    for (size_t i = 0; i < CROWD; i++) {
        close_end(harness, 1, &here[i]);
        close_end(harness, 0, &there[i]);
    }
    free(here);
    free(there);
}

/* ---------------------------------------------------------------- bytes */

/* N1: all bytes, in order, in both directions at once; writes complete in order, none inside the
 * call. */
static void test_net_both_directions(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct pair pair;
    const size_t size = 400000, part = 10000;
    unsigned char *data = make_pattern(size);
    struct one_write here[40], there[40];

    make_pair(harness, &pair);
    read_on(harness, 1, &pair.here);
    read_on(harness, 0, &pair.there);
    for (unsigned i = 0; i < 40; i++) {
        here[i].number = there[i].number = i;
        assert_int_equal(send(harness, 1, &pair.here, &here[i], data + i * part, part), GD_OK);
        assert_int_equal(send(harness, 0, &pair.there, &there[i], data + i * part, part), GD_OK);
    }
    assert_int_equal(pair.here.write_count, 0);
    assert_true(gd_stream_queued(&pair.here.stream) <= size);
    pair.here.want = pair.there.want = size;
    assert_true(run_until(harness, got_want, &pair.here));
    assert_true(run_until(harness, got_want, &pair.there));
    pair.here.want = pair.there.want = 40;
    assert_true(run_until(harness, written, &pair.here));
    assert_true(run_until(harness, written, &pair.there));
    assert_pattern(&pair.here, size);
    assert_pattern(&pair.there, size);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(pair.here.write_told[i], i);
        assert_int_equal(pair.here.write_err[i], GD_OK);
        assert_int_equal(pair.there.write_told[i], i);
    }
    assert_int_equal(pair.here.write_count, 40);
    assert_int_equal(gd_stream_queued(&pair.here.stream), 0);
    drop_pair(harness, &pair);
    free(data);
}

/* One write from all its places, some of them empty. */
static void test_net_gathered_write(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct pair pair;
    unsigned char *data = make_pattern(10000);
    struct one_write one = {.write = {.count = GD_WRITE_SLICES, .done = on_written}};
    size_t at = 0;

    make_pair(harness, &pair);
    one.end = &pair.here;
    for (unsigned i = 0; i < GD_WRITE_SLICES; i++) {
        size_t size = i % 5 == 1 ? 0 : (i + 1) * 7;

        one.write.slices[i] = (struct gd_slice){size == 0 ? NULL : data + at, size};
        at += size;
    }
    read_on(harness, 0, &pair.there);
    (void)io_of(harness, 1);
    assert_int_equal(gd_stream_write(&pair.here.stream, &one.write), GD_OK);
    pair.there.want = at;
    assert_true(run_until(harness, got_want, &pair.there));
    pair.here.want = 1;
    assert_true(run_until(harness, written, &pair.here));
    assert_pattern(&pair.there, at);
    drop_pair(harness, &pair);
    free(data);
}

/* Back-pressure: nobody reads, so bytes queue up here; then all arrive. */
static void test_net_back_pressure(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct pair pair;
    const size_t size = 24u << 20, part = 1u << 20;
    unsigned char *data = make_pattern(size);
    struct one_write writes[24];

    make_pair(harness, &pair);
    for (unsigned i = 0; i < 24; i++) {
        writes[i].number = i;
        assert_int_equal(send(harness, 1, &pair.here, &writes[i], data + i * part, part), GD_OK);
    }
    run_for(harness, 100);
    (void)io_of(harness, 1);
    size_t queued = gd_stream_queued(&pair.here.stream);
    assert_true(queued > 0 && queued <= size);
    assert_true(pair.here.write_count < 24);
    read_on(harness, 0, &pair.there);
    pair.there.want = size;
    assert_true(run_until(harness, got_want, &pair.there));
    pair.here.want = 24;
    assert_true(run_until(harness, written, &pair.here));
    for (unsigned i = 0; i < 24; i++) {
        assert_int_equal(pair.here.write_told[i], i);
        assert_int_equal(pair.here.write_err[i], GD_OK);
    }
    assert_int_equal(gd_stream_queued(&pair.here.stream), 0);
    assert_pattern(&pair.there, size);
    drop_pair(harness, &pair);
    free(data);
}

/* Stopped from inside a read: nothing more is told until the next start, and nothing is lost. */
static void test_net_read_stop_and_start(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct pair pair;
    const size_t size = 600000;
    unsigned char *data = make_pattern(size);
    struct one_write write = {0};

    make_pair(harness, &pair);
    pair.there.stop_at = 1;
    read_on(harness, 0, &pair.there);
    assert_int_equal(send(harness, 1, &pair.here, &write, data, size), GD_OK);
    while (pair.there.got_size < size) {
        pair.there.want = pair.there.stop_at = pair.there.got_size + 1;
        gd_stream_read_stop(&pair.there.stream); /* Idempotent, both. */
        gd_stream_read_stop(&pair.there.stream);
        read_on(harness, 0, &pair.there);
        read_on(harness, 0, &pair.there);
        assert_true(run_until(harness, got_want, &pair.there));
        size_t got = pair.there.got_size;
        run_for(harness, 2);
        assert_int_equal(pair.there.got_size, got);
    }
    assert_pattern(&pair.there, size);
    drop_pair(harness, &pair);
    free(data);
}

/* ---------------------------------------------------------------- ends */

/* FIN goes behind all that was written; the other direction goes on. */
static void test_net_shutdown_is_half(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct pair pair;
    const size_t size = 3u << 20;
    unsigned char *data = make_pattern(size);
    struct one_write write = {0}, answer = {0}, late = {0};

    make_pair(harness, &pair);
    read_on(harness, 1, &pair.here);
    assert_int_equal(send(harness, 1, &pair.here, &write, data, size), GD_OK);
    gd_stream_shutdown(&pair.here.stream);
    assert_int_equal(send(harness, 1, &pair.here, &late, "x", 1), GD_ERR_RESET);
    run_for(harness, 5);
    read_on(harness, 0, &pair.there);
    assert_true(run_until(harness, ended, &pair.there));
    assert_int_equal(pair.there.end_err, GD_ERR_END);
    assert_pattern(&pair.there, size);
    assert_int_equal(send(harness, 0, &pair.there, &answer, data, 1000), GD_OK);
    pair.here.want = 1000;
    assert_true(run_until(harness, got_want, &pair.here));
    assert_int_equal(pair.here.end_count, 0);
    close_end(harness, 0, &pair.there);
    assert_true(run_until(harness, ended, &pair.here));
    run_for(harness, 20);
    assert_int_equal(pair.here.end_count, 1); /* Once and last. */
    assert_int_equal(pair.here.got_after_end, 0);
    close_end(harness, 1, &pair.here);
    free(data);
}

/* Writes that a close overtakes are told CANCELED, in order, each once, before `closed`. */
static void test_net_close_cancels_writes(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct pair pair;
    const size_t part = 1u << 20;
    unsigned char *data = make_pattern(part);
    struct one_write writes[48];

    make_pair(harness, &pair);
    for (unsigned i = 0; i < 48; i++) {
        writes[i].number = i;
        assert_int_equal(send(harness, 1, &pair.here, &writes[i], data, part), GD_OK);
        if (i == 24) {
            run_for(harness, 20);
        }
    }
    unsigned before = pair.here.write_count;
    assert_true(before < 48);
    (void)io_of(harness, 1);
    gd_stream_close(&pair.here.stream, on_closed);
    assert_int_equal(pair.here.write_count, before);
    assert_true(run_until(harness, closed, &pair.here));
    run_for(harness, 10);
    assert_int_equal(pair.here.write_count, 48);
    assert_int_equal(pair.here.closed_count, 1);
    assert_false(pair.here.closed_before_writes);
    for (unsigned i = 0; i < 48; i++) {
        assert_int_equal(pair.here.write_told[i], i);
        assert_int_equal(pair.here.write_err[i], i < before ? GD_OK : GD_ERR_CANCELED);
    }
    close_end(harness, 0, &pair.there);
    free(data);
}

/* A write accepted and the stream closed in the same breath. */
static void test_net_write_then_close(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct pair pair;
    struct one_write write = {0};

    make_pair(harness, &pair);
    assert_int_equal(send(harness, 1, &pair.here, &write, "abc", 3), GD_OK);
    gd_stream_close(&pair.here.stream, on_closed);
    assert_int_equal(pair.here.write_count, 0);
    assert_true(run_until(harness, closed, &pair.here));
    assert_int_equal(pair.here.write_count, 1);
    assert_int_equal(pair.here.write_err[0], GD_ERR_CANCELED);
    close_end(harness, 0, &pair.there);
}

/* The peer is gone: reads end once, and sooner or later writes are refused or fail with RESET. */
static void test_net_peer_gone(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct pair pair;
    struct one_write writes[100];
    unsigned accepted_count = 0;
    enum gd_err err = GD_OK;

    make_pair(harness, &pair);
    read_on(harness, 1, &pair.here);
    close_end(harness, 0, &pair.there);
    assert_true(run_until(harness, ended, &pair.here));
    for (unsigned i = 0; i < 100 && err == GD_OK; i++) {
        writes[i].number = i;
        err = send(harness, 1, &pair.here, &writes[i], "ping", 4);
        accepted_count += err == GD_OK;
        run_for(harness, 5);
    }
    assert_int_equal(err, GD_ERR_RESET);
    assert_int_equal(pair.here.write_count, accepted_count);
    for (unsigned i = 0; i < accepted_count; i++) {
        assert_true(pair.here.write_err[i] == GD_OK || pair.here.write_err[i] == GD_ERR_RESET);
    }
    assert_int_equal(pair.here.end_count, 1);
    close_end(harness, 1, &pair.here);
}

static void read_and_close(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    struct end *end = stream->context;

    (void)bytes;
    assert_int_equal(err, GD_OK);
    assert_int_equal(++end->end_count, 1); /* No read is told after the close. */
    gd_stream_close(stream, on_closed);
}

/* A stream may be closed from inside its own read. */
static void test_net_close_inside_read(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct pair pair;
    unsigned char *data = make_pattern(500000);
    struct one_write write = {0};

    make_pair(harness, &pair);
    (void)io_of(harness, 0);
    gd_stream_read_start(&pair.there.stream, read_and_close);
    assert_int_equal(send(harness, 1, &pair.here, &write, data, 500000), GD_OK);
    assert_true(run_until(harness, closed, &pair.there));
    run_for(harness, 10);
    assert_int_equal(pair.there.closed_count, 1);
    assert_int_equal(pair.there.end_count, 1);
    close_end(harness, 1, &pair.here);
    assert_int_equal(pair.here.write_count, 1);
    free(data);
}

static void write_more(struct gd_write *write, enum gd_err err)
{
    struct one_write *one = (struct one_write *)(void *)write;

    assert_int_equal(err, GD_OK);
    if (++one->number < 500) {
        assert_int_equal(gd_stream_write(&one->end->stream, write), GD_OK);
    }
}

/* A write is its owner's again in `done`, and may go out anew from there. */
static void test_net_write_inside_done(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct pair pair;
    struct one_write one = {
        .write = {.slices = {{(const uint8_t *)"ab", 2}}, .count = 1, .done = write_more}};

    make_pair(harness, &pair);
    one.end = &pair.here;
    read_on(harness, 0, &pair.there);
    (void)io_of(harness, 1);
    assert_int_equal(gd_stream_write(&pair.here.stream, &one.write), GD_OK);
    pair.there.want = 1000;
    assert_true(run_until(harness, got_want, &pair.there));
    run_for(harness, 5);
    assert_int_equal(one.number, 500);
    assert_int_equal(pair.there.got_size, 1000);
    drop_pair(harness, &pair);
}

int gd_io_conformance_net(const char *name)
{
    const struct CMUnitTest tests[] = {
        CONFORMANCE_TEST(test_net_listen_chooses_a_port),
        CONFORMANCE_TEST(test_net_listen_errors),
        CONFORMANCE_TEST(test_net_listener_close),
        CONFORMANCE_TEST(test_net_not_accepted_is_closed),
        CONFORMANCE_TEST(test_net_connect_names_both_ends),
        CONFORMANCE_TEST(test_net_close_while_connecting),
        CONFORMANCE_TEST(test_net_many_connections),
        CONFORMANCE_TEST(test_net_both_directions),
        CONFORMANCE_TEST(test_net_gathered_write),
        CONFORMANCE_TEST(test_net_back_pressure),
        CONFORMANCE_TEST(test_net_read_stop_and_start),
        CONFORMANCE_TEST(test_net_shutdown_is_half),
        CONFORMANCE_TEST(test_net_close_cancels_writes),
        CONFORMANCE_TEST(test_net_write_then_close),
        CONFORMANCE_TEST(test_net_peer_gone),
        CONFORMANCE_TEST(test_net_close_inside_read),
        CONFORMANCE_TEST(test_net_write_inside_done),
    };

    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
