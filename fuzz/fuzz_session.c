/* fuzz_session.c - a client's bytes to a one-node cluster on a simulated world.
 *
 * Holds: no crash; while the connection stands, one reply for each request, in order. To tell order
 * from count alone, an ECHO of a number of its own follows each request: its reply must be that
 * number, or +QUEUED inside a transaction, or an error (never another's number). CLIENT is left out
 * of the input, since CLIENT REPLY is there to break that very rule; QUIT is the last request, and
 * nothing follows it. The first byte seeds the world, so it decides how the bytes are cut. */
#include "engine/memory.h"
#include "engine/node.h"
#include "io-sim/world.h"
#include "kvs/kv_parser.h"
#include "kvs/kv_tracker.h"
#include "kvs/resp.h"
#include "sim/reply.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REQUESTS_MAX = 64, WAIT_MS_MAX = 120000, STEP_MS = 50 };

static const struct gd_resp_limits limits = {
    .bulk_size_max = 512 << 20, .line_size_max = 65536, .arg_count_max = 1 << 20};

static struct session {
    struct gd_world *world;
    /* The node's process. */
    struct gd_node *node;
    bool stopped;
    /* The client's. */
    struct gd_io *io;
    struct gd_stream stream;
    struct gd_timer retry;
    struct gd_write write;
    bool connected, ended, reset;
    /* Outside. */
    uint8_t *sent, *received;
    size_t sent_size, received_size, received_capacity, taken;
    unsigned requests, replies;
    bool last; /* The last of the requests ends the connection. */
    bool tail; /* Something is sent that is no whole request. */
} s;

/* ---------------------------------------------------------------- what is sent */

static void sent_add(const void *bytes, size_t size)
{
    uint8_t *more = realloc(s.sent, s.sent_size + size + 1);

    GD_ASSERT(more != NULL);
    s.sent = more;
    memcpy(s.sent + s.sent_size, bytes, size);
    s.sent_size += size;
}

static bool is_word(struct gd_slice slice, const char *word)
{
    if (slice.size != strlen(word)) {
        return false;
    }
    for (size_t i = 0; i < slice.size; i++) {
        if ((slice.data[i] | 32) != (uint8_t)word[i]) {
            return false;
        }
    }
    return true;
}

static void request_add(struct gd_slice bytes, const struct gd_resp_reader *reader)
{
    char marker[64];

    if (reader->arg_count == 0 || is_word(reader->args[0], "client")) {
        return;
    }
    s.last = is_word(reader->args[0], "quit");
    sent_add(bytes.data, bytes.size);
    if (!s.last) { /* Behind QUIT it would make a reset of the end. */
        (void)snprintf(marker, sizeof marker, "*2\r\n$4\r\nECHO\r\n$5\r\nm%04u\r\n", s.requests);
        sent_add(marker, strlen(marker));
    }
    s.requests++;
}

static void requests_build(struct gd_slice input)
{
    struct gd_resp_reader reader;
    size_t consumed;

    gd_resp_reader_init(&reader, &limits);
    while (s.requests < REQUESTS_MAX && !s.last &&
           gd_resp_read(&reader, input, &consumed) == GD_RESP_REQUEST) {
        request_add((struct gd_slice){input.data, consumed}, &reader);
        input.data += consumed;
        input.size -= consumed;
    }
    gd_resp_reader_release(&reader);
    s.tail = !s.last && s.requests < REQUESTS_MAX && input.size > 0;
    if (s.tail) {
        sent_add(input.data, input.size); /* Half a request, or what is none: it ends there. */
    }
}

/* ---------------------------------------------------------------- the processes */

static void on_stopped(void *context, enum gd_err err, const struct gd_error *error)
{
    (void)context;
    (void)err;
    (void)error;
    s.stopped = true;
}

static void on_ready(void *context)
{
    (void)context;
}

static void node_entry(struct gd_io *io, void *context)
{
    struct gd_node_options options = {.io = io, .id = 1, .ready = on_ready, .stopped = on_stopped};
    struct gd_kv_tracker *tracker = gd_calloc(1, sizeof *tracker);
    struct gd_kv_parser *parser = gd_calloc(1, sizeof *parser);

    (void)context;
    gd_kv_tracker_init(tracker, io);
    gd_kv_parser_init(parser, &(struct gd_kv_parser_options){.kv = &tracker->kv});
    GD_ASSERT(gd_address_parse("10.0.0.1:7000", &options.peer_address) == GD_OK);
    GD_ASSERT(gd_address_parse("10.0.0.1:6379", &options.client_address) == GD_OK);
    options.segment_size = 65536;
    options.heartbeat_ms = 10;
    options.election_timeout_ms = 50;
    options.parser = &parser->parser;
    options.tracker = &tracker->tracker;
    s.node = gd_node_new(&options);
    gd_node_start(s.node);
}

static void on_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    (void)stream;
    if (err != GD_OK) {
        s.ended = true;
        s.reset = err == GD_ERR_RESET;
        return;
    }
    if (s.received_size + bytes.size > s.received_capacity) {
        s.received_capacity = 2 * (s.received_size + bytes.size);
        s.received = realloc(s.received, s.received_capacity);
        GD_ASSERT(s.received != NULL);
    }
    memcpy(s.received + s.received_size, bytes.data, bytes.size);
    s.received_size += bytes.size;
}

static void on_written(struct gd_write *write, enum gd_err err)
{
    (void)write;
    (void)err;
}

static void on_unconnected(struct gd_stream *stream, enum gd_err err)
{
    (void)stream;
    (void)err;
    gd_timer_start(s.io, &s.retry, gd_io_now(s.io) + 20 * GD_NS_PER_MS);
}

static void on_connected(struct gd_stream *stream, enum gd_err err)
{
    if (err != GD_OK) {
        gd_stream_close(stream, on_unconnected);
        return;
    }
    s.connected = true;
    gd_stream_read_start(stream, on_read);
    s.write = (struct gd_write){.count = 1, .done = on_written};
    s.write.slices[0] = (struct gd_slice){s.sent, s.sent_size};
    GD_ASSERT(gd_stream_write(stream, &s.write) == GD_OK);
}

static void client_connect(struct gd_timer *timer)
{
    struct gd_address address;

    (void)timer;
    GD_ASSERT(gd_address_parse("10.0.0.1:6379", &address) == GD_OK);
    s.stream = (struct gd_stream){0};
    GD_ASSERT(gd_stream_connect(s.io, &s.stream, &address, on_connected) == GD_OK);
}

static void client_entry(struct gd_io *io, void *context)
{
    (void)context;
    s.io = io;
    s.retry = (struct gd_timer){.fire = client_connect};
    gd_timer_start(io, &s.retry, gd_io_now(io) + 100 * GD_NS_PER_MS);
}

/* ---------------------------------------------------------------- what comes back */

static void check_reply(const struct gd_sim_reply *reply)
{
    char marker[16];
    bool mine;

    (void)snprintf(marker, sizeof marker, "m%04u", s.replies / 2);
    mine = reply->type == GD_SIM_REPLY_BULK && gd_sim_reply_is(reply, marker);
    if (s.replies % 2 == 1 && s.replies / 2 < s.requests &&
        !(s.last && s.replies / 2 + 1 == s.requests)) {
        GD_ASSERT(mine || reply->type == GD_SIM_REPLY_ERROR || gd_sim_reply_is(reply, "QUEUED"));
    }
    s.replies++;
}

static void check_replies(void)
{
    struct gd_sim_replies replies = {0};
    size_t consumed;
    enum gd_err err;

    while (s.taken < s.received_size) {
        replies.count = 0;
        err = gd_sim_reply_read((struct gd_slice){s.received + s.taken, s.received_size - s.taken},
                                &replies, &consumed);
        if (err == GD_ERR_MORE) {
            break;
        }
        if (err != GD_OK) {
            (void)fprintf(stderr, "not a reply: %.80s\n", (const char *)s.received + s.taken);
        }
        GD_ASSERT(err == GD_OK);
        check_reply(&replies.at[0]);
        s.taken += consumed;
    }
    gd_sim_replies_release(&replies);
    /* One more at the most: of what ends the connection. */
    GD_ASSERT(s.replies <= 2 * s.requests + 1);
}

/* A connection that is closed while bytes are on their way to it is reset, and replies under way
 * are lost, as TCP has it: so what is behind a protocol error can take earlier replies with it. */
static bool all_answered(void)
{
    if (s.tail && s.reset) {
        return true;
    }
    return s.replies >= 2 * s.requests - (s.last ? 1 : 0);
}

static void run(struct gd_slice input, uint64_t seed)
{
    struct gd_world_options options = {.seed = seed, .link = gd_world_link_defaults()};
    uint64_t waited;

    requests_build(input);
    if (s.sent_size == 0) {
        return;
    }
    options.link.fragment_ppm = seed % 3 == 0 ? 300000 : 0;
    options.link.coalesce_ppm = seed % 5 == 0 ? 300000 : 0;
    s.world = gd_world_new(&options);
    (void)gd_world_add(s.world, &(struct gd_world_process_options){
                                    .name = "client", .host = "10.0.1.1", .entry = client_entry});
    (void)gd_world_add(s.world, &(struct gd_world_process_options){
                                    .name = "node", .host = "10.0.0.1", .entry = node_entry});
    gd_world_start(s.world, 1);
    gd_world_start(s.world, 0);
    for (waited = 0; waited < WAIT_MS_MAX && !s.ended && !s.stopped; waited += STEP_MS) {
        (void)gd_world_run_until(s.world, gd_world_now(s.world) + STEP_MS * GD_NS_PER_MS);
        check_replies();
        if (s.connected && all_answered()) {
            break;
        }
    }
    if (!s.stopped && !all_answered()) {
        (void)fprintf(stderr, "%u replies of %u wanted, connected %d, ended %d\nsent:\n", s.replies,
                      2 * s.requests, s.connected, s.ended);
        (void)fwrite(s.sent, 1, s.sent_size, stderr);
        (void)fputs("\nreceived:\n", stderr);
        (void)fwrite(s.received, 1, s.received_size, stderr);
    }
    GD_ASSERT(s.stopped || all_answered());
    gd_world_free(s.world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4096) {
        return 0;
    }
    memset(&s, 0, sizeof s);
    run((struct gd_slice){data + 1, size - 1}, data[0]);
    free(s.sent);
    free(s.received);
    return 0;
}
