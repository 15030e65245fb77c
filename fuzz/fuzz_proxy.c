/* fuzz_proxy.c - the tracker in front of a database that is somebody else's program.
 *
 * A small world of its own: timers, one kind of stream, and a database behind it that does what it
 * is told. The input says, reply by reply, whether the database answers as it should, refuses, is
 * cut off, falls silent, or sends bytes of the input; and in which pieces they come.
 *
 * Holds: no crash; each operation tells its end once; what a client is given of one that ended well
 * is one whole reply, of one that did not, nothing (P3); once the input is used up the next open
 * succeeds; and as long as no byte of a reply was a lie, each entry was executed once, and
 * applied() is what the database holds (P1, P2). The input is also a script's text: what may not be
 * done by one that reads may not be done by one that writes. */
#include "engine/memory.h"
#include "kvs/number.h"
#include "kvs/proxy_script.h"
#include "kvs/proxy_tracker.h"
#include "kvs/resp.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TIMERS_MAX = 16, STREAMS_MAX = 8, OPERATIONS_MAX = 24, ENTRIES_MAX = 64, TURNS_MAX = 4000 };

static const struct gd_resp_limits limits = {
    .bulk_size_max = 1 << 20, .line_size_max = 65536, .arg_count_max = 1 << 20};

/* One connection, as the database has it. */
struct connection {
    struct gd_stream *stream; /* NULL: free. */
    bool connecting, up, closing, broken;
    struct gd_write *write; /* To be told. */
    struct gd_bytes input, output;
    struct gd_resp_reader reader;
    bool multi, refused, watched_changed;
    struct gd_bytes queued; /* Commands behind MULTI, as they came. */
    size_t queued_count;
};

static struct world {
    struct gd_io io; /* First. */
    gd_time_ns now;
    struct gd_timer *timers[TIMERS_MAX];
    size_t timer_count;
    struct connection connections[STREAMS_MAX];
    struct gd_reader script;
    bool lied;
    /* The database. */
    char value[96]; /* Of gandalf's key; "" when it is absent. */
    unsigned executed[ENTRIES_MAX];
    /* The node. */
    struct gd_proxy_tracker tracker;
    unsigned ends;
    enum gd_err err;
    size_t read_size;
} w;

static uint8_t next_byte(void)
{
    return w.script.left > 0 ? gd_reader_u8(&w.script) : 0;
}

/* ---------------------------------------------------------------- timers and streams */

static gd_time_ns world_now(struct gd_io *io)
{
    (void)io;
    return w.now;
}

static void timer_stop(struct gd_io *io, struct gd_timer *timer)
{
    (void)io;
    for (size_t i = 0; i < w.timer_count; i++) {
        if (w.timers[i] == timer) {
            w.timers[i] = w.timers[--w.timer_count];
            return;
        }
    }
}

static void timer_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline)
{
    timer_stop(io, timer);
    GD_ASSERT(w.timer_count < TIMERS_MAX);
    timer->deadline = deadline;
    w.timers[w.timer_count++] = timer;
}

static void world_log(struct gd_io *io, enum gd_log_level level, const char *line)
{
    (void)io;
    (void)level;
    GD_ASSERT(strchr(line, '\n') == NULL);
}

static enum gd_err stream_connect(struct gd_io *io, struct gd_stream *stream,
                                  const struct gd_address *address, gd_stream_fn *done)
{
    (void)io;
    (void)address;
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        struct connection *c = &w.connections[i];
        if (c->stream == NULL) {
            *c = (struct connection){.stream = stream, .connecting = true};
            gd_resp_reader_init(&c->reader, &limits);
            stream->io = &w.io;
            stream->world = c;
            stream->on_done = done;
            return GD_OK;
        }
    }
    return GD_ERR_BUSY;
}

static void stream_read_start(struct gd_stream *stream, gd_stream_read_fn *on_read)
{
    stream->on_read = on_read;
}

static enum gd_err stream_write(struct gd_stream *stream, struct gd_write *write)
{
    struct connection *c = stream->world;

    if (c->broken) {
        return GD_ERR_RESET;
    }
    GD_ASSERT(c->write == NULL);
    c->write = write;
    for (unsigned i = 0; i < write->count; i++) {
        gd_bytes_add(&c->input, write->slices[i].data, write->slices[i].size);
    }
    return GD_OK;
}

static void stream_close(struct gd_stream *stream, gd_stream_fn *closed)
{
    struct connection *c = stream->world;

    c->closing = true;
    stream->on_closed = closed;
}

static const struct gd_io_vtable vtable = {.now = world_now,
                                           .timer_start = timer_start,
                                           .timer_stop = timer_stop,
                                           .log = world_log,
                                           .connect = stream_connect,
                                           .read_start = stream_read_start,
                                           .write = stream_write,
                                           .close = stream_close};

/* ---------------------------------------------------------------- the database */

static bool is_key(struct gd_slice arg)
{
    return arg.size == sizeof GD_PROXY_KEY - 1 && memcmp(arg.data, GD_PROXY_KEY, arg.size) == 0;
}

/* The watched key has another value now. */
static void value_set(const struct connection *by, struct gd_slice value)
{
    (void)snprintf(w.value, sizeof w.value, "%.*s", (int)value.size, (const char *)value.data);
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (&w.connections[i] != by) {
            w.connections[i].watched_changed = true;
        }
    }
}

static void add_value(struct gd_bytes *out)
{
    if (w.value[0] == '\0') {
        gd_bytes_add_text(out, "$-1\r\n");
    } else {
        gd_bytes_format(out, "$%zu\r\n%s\r\n", strlen(w.value), w.value);
    }
}

/* What the database does, and what it should answer. */
static void execute(struct connection *c, const struct gd_slice *args, size_t count,
                    struct gd_bytes *out)
{
    uint64_t entry;

    if (gd_slice_is(args[0], "get") && count == 2 && is_key(args[1])) {
        add_value(out);
    } else if (gd_slice_is(args[0], "set") && count == 3 && is_key(args[1])) {
        value_set(c, args[2]);
        gd_bytes_add_text(out, "+OK\r\n");
    } else if (gd_slice_is(args[0], "flushall")) {
        value_set(c, (struct gd_slice){(const uint8_t *)"", 0});
        memset(w.executed, 0, sizeof w.executed);
        gd_bytes_add_text(out, "+OK\r\n");
    } else if (gd_slice_is(args[0], "incrby") && count == 3 &&
               gd_number_parse_unsigned(args[2], &entry) && entry < ENTRIES_MAX) {
        w.executed[entry]++;
        gd_bytes_add_text(out, ":1\r\n");
    } else if (gd_slice_is(args[0], "dbsize")) {
        gd_bytes_add_text(out, w.value[0] == '\0' ? ":0\r\n" : ":3\r\n");
    } else if (gd_slice_is(args[0], "command")) {
        gd_bytes_add_text(out,
                          "*2\r\n*6\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n"
                          "*6\r\n$6\r\nincrby\r\n:3\r\n*1\r\n+write\r\n:1\r\n:1\r\n:1\r\n");
    } else if (gd_slice_is(args[0], "scan")) {
        gd_bytes_add_text(out, "*2\r\n$1\r\n0\r\n*3\r\n$1\r\na\r\n$17\r\n__gandalf:applied\r\n"
                               "$1\r\nb\r\n");
    } else if (gd_slice_is(args[0], "keys")) {
        gd_bytes_add_text(out, "*2\r\n$1\r\na\r\n$17\r\n__gandalf:applied\r\n");
    } else if (gd_slice_is(args[0], "randomkey")) {
        gd_bytes_add_text(out, "$17\r\n__gandalf:applied\r\n");
    } else if (gd_slice_is(args[0], "dump")) {
        gd_bytes_add_text(out, "$4\r\ndump\r\n");
    } else if (gd_slice_is(args[0], "pexpiretime")) {
        gd_bytes_add_text(out, ":-1\r\n");
    } else {
        gd_bytes_add_text(out, "+OK\r\n");
    }
}

static void run_queued(struct connection *c, struct gd_bytes *out)
{
    struct gd_resp_reader reader;
    struct gd_slice left = gd_bytes_slice(&c->queued);
    size_t consumed;

    gd_bytes_format(out, "*%zu\r\n", c->queued_count);
    gd_resp_reader_init(&reader, &limits);
    while (left.size > 0 && gd_resp_read(&reader, left, &consumed) == GD_RESP_REQUEST) {
        execute(c, reader.args, reader.arg_count, out);
        left.data += consumed;
        left.size -= consumed;
    }
    gd_resp_reader_release(&reader);
}

/* One command with its honest reply; `refuse`: it is not queued, or fails. */
static void serve(struct connection *c, struct gd_slice bytes, const char *refuse,
                  struct gd_bytes *out)
{
    const struct gd_slice *args = c->reader.args;

    if (gd_slice_is(args[0], "exec")) {
        if (refuse != NULL || c->refused) {
            gd_bytes_add_text(out, "-EXECABORT Transaction discarded\r\n");
        } else if (c->watched_changed) {
            gd_bytes_add_text(out, "*-1\r\n");
        } else {
            run_queued(c, out);
        }
        c->multi = c->refused = false;
        gd_bytes_clear(&c->queued);
        c->queued_count = 0;
    } else if (gd_slice_is(args[0], "multi")) { /* Never refused: the rest is under way already. */
        c->multi = true;
        gd_bytes_add_text(out, "+OK\r\n");
    } else if (refuse != NULL) {
        c->refused = c->refused || c->multi;
        gd_bytes_add_text(out, refuse);
    } else if (c->multi) {
        gd_bytes_add(&c->queued, bytes.data, bytes.size);
        c->queued_count++;
        gd_bytes_add_text(out, "+QUEUED\r\n");
    } else if (gd_slice_is(args[0], "watch")) {
        c->watched_changed = false;
        gd_bytes_add_text(out, "+OK\r\n");
    } else {
        execute(c, args, c->reader.arg_count, out);
    }
}

/* Bytes in place of the reply `out[from...]`. */
static void lie(struct gd_bytes *out, size_t from, uint8_t how)
{
    static const char *const lies[] = {"$-1\r\n",
                                       "*-1\r\n",
                                       "*0\r\n",
                                       "*2\r\n$1\r\n0\r\n*1\r\n*0\r\n",
                                       "$0\r\n\r\n",
                                       ":7\r\n",
                                       "+QUEUED\r\n",
                                       "_\r\n",
                                       "%1\r\n+a\r\n:1\r\n",
                                       "|1\r\n+a\r\n:1\r\n$1\r\nx\r\n",
                                       "~0\r\n",
                                       "*1\r\n$1\r\nx\r\n"};

    w.lied = true;
    if (how < GD_COUNT(lies)) {
        out->size = from;
        gd_bytes_add_text(out, lies[how]);
    } else if (how < 64 && out->size > from) { /* A byte of it is another. */
        out->data[from + next_byte() % (out->size - from)] = next_byte();
    } else {
        size_t size = how % 64u;
        size = size < w.script.left ? size : w.script.left;
        out->size = from;
        gd_bytes_add(out, w.script.at, size);
        w.script = gd_reader_of((struct gd_slice){w.script.at + size, w.script.left - size});
    }
}

/* The next command of a connection, if it is there whole. */
static bool database_turn(struct connection *c)
{
    static const char *const refusals[] = {"-ERR unknown command\r\n", "-OOM no memory\r\n",
                                           "-LOADING it is\r\n", "-NOAUTH who\r\n"};
    size_t consumed = 0, from = c->output.size;
    uint8_t choice;
    const char *refuse = NULL;

    if (c->input.size == 0 ||
        gd_resp_read(&c->reader, gd_bytes_slice(&c->input), &consumed) != GD_RESP_REQUEST) {
        return false;
    }
    choice = next_byte();
    if (choice >= 128 && choice < 144) {
        refuse = refusals[choice % GD_COUNT(refusals)];
    }
    if (c->reader.arg_count > 0) {
        serve(c, (struct gd_slice){c->input.data, consumed}, refuse, &c->output);
    }
    gd_bytes_consume(&c->input, consumed);
    if (choice >= 240) { /* Cut off, with a part of the reply or without. */
        c->output.size = from + (c->output.size - from) * (choice % 4u) / 4;
        c->broken = true;
    } else if (choice >= 232) { /* Done, and not a word. */
        gd_bytes_clear(&c->input);
        c->output.size = from;
    } else if (choice >= 144) {
        lie(&c->output, from, next_byte());
    }
    return true;
}

/* ---------------------------------------------------------------- the loop */

static void connection_free(struct connection *c)
{
    struct gd_stream *stream = c->stream;
    struct gd_write *write = c->write;

    gd_bytes_release(&c->input);
    gd_bytes_release(&c->output);
    gd_bytes_release(&c->queued);
    gd_resp_reader_release(&c->reader);
    *c = (struct connection){0};
    if (write != NULL) {
        write->done(write, GD_ERR_CANCELED);
    }
    stream->on_closed(stream, GD_OK);
}

/* One event of a connection; false when there is none. */
static bool connection_turn(struct connection *c)
{
    struct gd_write *write = c->write;
    size_t piece;

    if (c->stream == NULL) {
        return false;
    }
    if (c->closing) {
        connection_free(c);
        return true;
    }
    if (c->connecting) {
        uint8_t choice = next_byte();
        c->connecting = false;
        c->up = choice < 240;
        c->broken = !c->up;
        c->stream->on_done(c->stream, c->up ? GD_OK : GD_ERR_REFUSED);
        return true;
    }
    if (write != NULL && (c->output.size == 0 || next_byte() < 128)) {
        c->write = NULL;
        write->done(write, GD_OK);
        return true;
    }
    if (!c->broken && database_turn(c)) {
        return true;
    }
    if (c->up && c->stream->on_read != NULL && c->output.size > 0) {
        struct gd_bytes bytes = {0};
        piece = 1 + next_byte() * 4u;
        if (piece == 1 || piece > c->output.size) {
            piece = c->output.size;
        }
        gd_bytes_add(&bytes, c->output.data, piece);
        gd_bytes_consume(&c->output, piece);
        c->stream->on_read(c->stream, GD_OK, gd_bytes_slice(&bytes));
        gd_bytes_release(&bytes);
        return true;
    }
    if (c->up && c->broken && c->stream->on_read != NULL) {
        c->up = false;
        c->stream->on_read(c->stream, GD_ERR_RESET, (struct gd_slice){0});
        return true;
    }
    return false;
}

static bool timer_turn(void)
{
    struct gd_timer *first = NULL;

    for (size_t i = 0; i < w.timer_count; i++) {
        if (first == NULL || w.timers[i]->deadline < first->deadline) {
            first = w.timers[i];
        }
    }
    if (first == NULL) {
        return false;
    }
    w.now = first->deadline > w.now ? first->deadline : w.now;
    timer_stop(&w.io, first);
    first->fire(first);
    return true;
}

static void on_done(void *context, enum gd_err err)
{
    (void)context;
    w.ends++;
    w.err = err;
}

static void on_read(void *context, enum gd_err err, size_t size)
{
    on_done(context, err);
    w.read_size = size;
}

/* Until the operation has ended. */
static enum gd_err ended(void)
{
    unsigned turns = 0;

    while (w.ends == 0) {
        bool moved = false;
        for (size_t i = 0; i < STREAMS_MAX && w.ends == 0; i++) {
            moved = connection_turn(&w.connections[i]) || moved;
        }
        GD_ASSERT(moved || w.ends > 0 || timer_turn());
        GD_ASSERT(++turns < TURNS_MAX);
    }
    GD_ASSERT(w.ends == 1);
    w.ends = 0;
    return w.err;
}

/* ---------------------------------------------------------------- what the node does */

static const struct gd_tracker_vtable *v(void)
{
    return w.tracker.tracker.v;
}

static void check_applied(void)
{
    gd_index held = 0;

    if (!w.lied && strncmp(w.value, "restoring", 9) != 0) {
        (void)gd__proxy_index(w.value, &held);
        GD_ASSERT(v()->applied(&w.tracker.tracker) == held);
        for (gd_index i = 1; i < ENTRIES_MAX; i++) {
            GD_ASSERT(w.executed[i] <= 1);
        }
    }
}

static enum gd_err open_database(void)
{
    enum gd_err err;

    v()->open(&w.tracker.tracker, on_done, NULL);
    err = ended();
    if (err == GD_OK) {
        err = v()->identify(&w.tracker.tracker, 7, 1);
        check_applied();
    }
    return err;
}

static void check_given(const struct gd_bytes *reply, enum gd_err err)
{
    if (err != GD_OK) {
        GD_ASSERT(reply->size == 0);
    } else {
        GD_ASSERT(gd_proxy_reply_size(gd_bytes_slice(reply)) == reply->size);
    }
}

static void add_command(struct gd_bytes *body, uint8_t which, gd_index index)
{
    char number[24];
    struct gd_slice incrby[] = {gd_proxy_text("INCRBY"), gd_proxy_text("k"), {0}};
    struct gd_slice others[][2] = {{gd_proxy_text("KEYS"), gd_proxy_text("*")},
                                   {gd_proxy_text("SCAN"), gd_proxy_text("0")},
                                   {gd_proxy_text("RANDOMKEY"), {0}},
                                   {gd_proxy_text("DBSIZE"), {0}},
                                   {gd_proxy_text("GET"), gd_proxy_text("a")}};

    if (index > 0) {
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)index);
        incrby[2] = gd_proxy_text(number);
        gd_body_add_args(body, incrby, 3);
    } else {
        const struct gd_slice *other = others[which % GD_COUNT(others)];
        gd_body_add_args(body, other, other[1].size > 0 ? 2 : 1);
    }
}

static enum gd_err apply(uint8_t how)
{
    enum { BATCH = 3 };
    gd_index index = v()->applied(&w.tracker.tracker) + 1;
    size_t count = 1 + how % BATCH;
    struct gd_apply batch[BATCH] = {{.stamp_ms = 0}};
    struct gd_bytes bodies[BATCH] = {{0}}, replies[BATCH] = {{0}};
    enum gd_err err;

    if (index + count >= ENTRIES_MAX) {
        return GD_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if ((how >> 2 & 7u) != i) { /* One that carries nothing, perhaps. */
            gd_body_begin(&bodies[i], GD_BODY_COMMAND, 2);
            add_command(&bodies[i], 0, index + i);
        }
        batch[i] = (struct gd_apply){.position = {1, index + i},
                                     .stamp_ms = 1000,
                                     .body = gd_bytes_slice(&bodies[i]),
                                     .reply = (how & 64) != 0 ? NULL : &replies[i]};
    }
    v()->apply(&w.tracker.tracker, batch, count, on_done, NULL);
    err = ended();
    for (size_t i = 0; i < count; i++) {
        if (batch[i].body.size > 0 && batch[i].reply != NULL) {
            check_given(&replies[i], err);
        }
        gd_bytes_release(&bodies[i]);
        gd_bytes_release(&replies[i]);
    }
    if (err == GD_OK) {
        GD_ASSERT(v()->applied(&w.tracker.tracker) == index + count - 1);
        check_applied();
    }
    return err;
}

static enum gd_err query(uint8_t how)
{
    struct gd_bytes body = {0}, reply = {0};
    struct gd_query one = {.wall_ms = 5, .reply = &reply};
    enum gd_err err;

    if ((how & 8) != 0) {
        gd_body_begin(&body, GD_BODY_TRANSACTION, 2);
        gd_bytes_add_le32(&body, 0);
        gd_bytes_add_le32(&body, 2);
        add_command(&body, how, 0);
    } else {
        gd_body_begin(&body, GD_BODY_COMMAND, 2);
    }
    add_command(&body, (uint8_t)(how >> 4), 0);
    one.body = gd_bytes_slice(&body);
    v()->query(&w.tracker.tracker, &one, 1, on_done, NULL);
    err = ended();
    if (err == GD_OK) { /* The node clears the reply of one that failed. */
        check_given(&reply, err);
        GD_ASSERT(memmem(reply.data, reply.size, GD_PROXY_KEY, sizeof GD_PROXY_KEY - 1) == NULL ||
                  w.lied);
    }
    gd_bytes_release(&body);
    gd_bytes_release(&reply);
    return err;
}

static enum gd_err take_snapshot(struct gd_bytes *stream)
{
    gd_bytes_clear(stream);
    v()->snapshot_begin(&w.tracker.tracker, on_done, NULL);
    if (ended() != GD_OK) {
        return w.err;
    }
    do {
        uint8_t *to = gd_bytes_reserve(stream, 65536);
        v()->snapshot_read(&w.tracker.tracker, to, 65536, on_read, NULL);
        if (ended() == GD_OK) {
            stream->size += w.read_size;
        }
    } while (w.err == GD_OK && w.read_size > 0 && stream->size < 1 << 20);
    v()->snapshot_end(&w.tracker.tracker);
    return w.err;
}

/* `how`: the stream may be another's, damaged or cut. */
static enum gd_err restore(struct gd_bytes *stream, uint8_t how)
{
    size_t piece = 1 + how % 32u, size = stream->size;
    enum gd_err err;

    if (how >= 224 && size > 0) {
        stream->data[next_byte() * size / 256] ^= 1;
    } else if (how >= 192) {
        size = size * (how % 8u) / 8;
    }
    v()->restore_begin(&w.tracker.tracker, on_done, NULL);
    err = ended();
    for (size_t at = 0; at < size && err == GD_OK; at += piece) {
        struct gd_slice bytes = {stream->data + at, size - at < piece ? size - at : piece};
        v()->restore_write(&w.tracker.tracker, bytes, on_done, NULL);
        err = ended();
    }
    if (err != GD_OK) {
        return err;
    }
    v()->restore_end(&w.tracker.tracker, how % 16 != 0, 1 + how % 8u, 7, on_done, NULL);
    err = ended();
    return how % 16 == 0 && err == GD_OK ? GD_ERR_BUSY : err; /* Given up: it is opened anew. */
}

static void operations(void)
{
    struct gd_bytes stream = {0};
    enum gd_err err = GD_ERR_IO;

    for (unsigned i = 0; i < OPERATIONS_MAX && w.script.left > 0; i++) {
        uint8_t what = next_byte();
        if (err != GD_OK) {
            err = open_database();
        } else if (what < 128) {
            err = apply(what);
        } else if (what < 192) {
            err = query(what);
        } else if (what < 224) {
            (void)take_snapshot(&stream);
        } else {
            err = restore(&stream, next_byte());
        }
    }
    w.script.left = 0;
    if (!w.lied) {
        GD_ASSERT(open_database() == GD_OK);
        GD_ASSERT(apply(0) == GD_OK && query(3) == GD_OK && take_snapshot(&stream) == GD_OK);
    }
    gd_bytes_release(&stream);
}

static void judge_script(struct gd_slice text)
{
    struct gd_slice args[] = {gd_proxy_text("EVAL"), text};

    GD_ASSERT(gd_proxy_script_refusal("eval_ro", args, 2) == NULL ||
              gd_proxy_script_refusal("eval", args, 2) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gd_proxy_options options = {.io = &w.io, .address = {"database:6379"}};

    if (size < 4 || size > 4096) {
        return 0;
    }
    judge_script((struct gd_slice){data, size});
    w = (struct world){.io = {&vtable}, .script = gd_reader_of((struct gd_slice){data, size})};
    options.password = next_byte() % 2 == 0 ? "" : "secret";
    gd_proxy_tracker_init(&w.tracker, &options);
    operations();
    v()->close(&w.tracker.tracker, on_done, NULL);
    GD_ASSERT(ended() == GD_OK);
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        GD_ASSERT(w.connections[i].stream == NULL);
    }
    return 0;
}
