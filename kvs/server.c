/* server.c - the store alone; see server.h.
 *
 * Why. A database that knows nothing of consensus is what a gandalf node stands in front of. This
 * one shares the keyspace, the commands and the Parser with the embedded store and is small enough
 * to be read in a sitting.
 *
 * How. Requests run as they come in; a write's time is the wall's, never below an earlier write's.
 * With a file each write's body is appended as a record, and all that gathered during one disk
 * operation share the next (group commit). A reply waits until everything written before it is on
 * the disk, a read's reply too, since it may tell what a write has just done.
 *
 *   OFFSET  SIZE  RECORD (integers are little-endian)
 *        0     4  size of the body
 *        4     4  CRC-32C of all that follows
 *        8     8  time, ms
 *       16     n  body: docs/formats.md, "kvs request body"
 *
 * At a start the records are run again, up to the first that is not whole, where the file is cut.
 * Rejected: refusing a file that is damaged in its middle. Redis refuses; here a store that lost
 * its end is rebuilt by the node in front of it.
 *
 * Invariants
 *   V1. With GD_KV_SYNC_ALWAYS no reply leaves before every write that ran before it is durable.
 *   V2. Replies leave in the order of the requests. */
#include "kvs/server.h"
#include "engine/memory.h"

#define FILE_PATH "appendonly"
enum { RECORD_HEAD = 16, LOAD_SIZE = 256 * 1024, UPKEEP_UNITS = 2000 };
#define OUTPUT_SIZE_MAX ((size_t)256 * 1024 * 1024)

struct client {
    struct gd_kv_server *server;
    struct client *next;
    struct gd_stream stream;
    uint64_t id;
    void *parser_session;
    struct gd_bytes input, output, sending;
    size_t marked;  /* Bytes of `output` that rest on what is being written. */
    size_t allowed; /* Bytes of `output` that may leave (V1). */
    struct gd_write write;
    bool writing, ending, closing;
};

struct gd_kv_server {
    struct gd_kv_server_options options;
    struct gd_io *io;
    struct gd_kv kv;
    struct gd_kv_parser parser;
    struct gd_listener listener;
    struct client *clients;
    uint64_t client_count;
    struct gd_address address;
    struct gd_timer upkeep;
    gd_time_ns began;
    /* The file. */
    struct gd_file file;
    struct gd_disk_op op;
    struct gd_bytes pending, flying, load;
    uint64_t file_size, load_at;
    bool busy;
    gd_time_ns synced;
    struct gd_timer sync_timer;
};

const struct gd_kv *gd_kv_server_kv(const struct gd_kv_server *server)
{
    return &server->kv;
}

static void fail(struct gd_kv_server *server, enum gd_err err, const char *what)
{
    struct gd_error error;

    (void)gd_error_set(&error, err, "%s: %s: %s", FILE_PATH, what, gd_err_text(err));
    server->options.failed(server->options.context, &error);
}

/* ---------------------------------------------------------------- replies out */

static void client_flush(struct client *client);

static void client_closed(struct gd_stream *stream, enum gd_err err)
{
    struct client *client = stream->context;
    struct client **at = &client->server->clients;

    (void)err;
    while (*at != client) {
        at = &(*at)->next;
    }
    *at = client->next;
    client->server->parser.parser.v->session_free(&client->server->parser.parser,
                                                  client->parser_session);
    gd_bytes_release(&client->input);
    gd_bytes_release(&client->output);
    gd_bytes_release(&client->sending);
    gd_free(client);
}

static void client_close(struct client *client)
{
    if (!client->closing) {
        client->closing = true;
        gd_stream_close(&client->stream, client_closed);
    }
}

static void client_written(struct gd_write *write, enum gd_err err)
{
    struct client *client = write->context;

    client->writing = false;
    if (client->closing) {
        return;
    }
    if (err != GD_OK) {
        client_close(client);
        return;
    }
    client_flush(client);
}

static void client_flush(struct client *client)
{
    if (client->writing || client->closing) {
        return;
    }
    if (client->allowed == 0) {
        if (client->ending && client->output.size == 0) {
            client_close(client);
        }
        return;
    }
    gd_bytes_clear(&client->sending);
    gd_bytes_add(&client->sending, client->output.data, client->allowed);
    gd_bytes_consume(&client->output, client->allowed);
    client->marked -= client->marked < client->allowed ? client->marked : client->allowed;
    client->allowed = 0;
    client->write = (struct gd_write){.slices = {gd_bytes_slice(&client->sending)},
                                      .count = 1,
                                      .done = client_written,
                                      .context = client};
    client->writing = true;
    if (gd_stream_write(&client->stream, &client->write) != GD_OK) {
        client->writing = false;
        client_close(client);
    }
}

/* ---------------------------------------------------------------- the file */

static void file_pump(struct gd_kv_server *server);

static void release_replies(struct gd_kv_server *server, bool all)
{
    struct client *next;

    for (struct client *client = server->clients; client != NULL; client = next) {
        next = client->next;
        client->allowed = all ? client->output.size : client->marked;
        client_flush(client);
    }
}

static void file_written(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_kv_server *server = op->context;

    server->busy = false;
    if (err != GD_OK) {
        fail(server, err, "the append-only file cannot be written"); /* io.h X4: no second try. */
        return;
    }
    server->file_size += server->flying.size;
    gd_bytes_clear(&server->flying);
    if (op->kind == GD_DISK_SYNC) {
        server->synced = gd_io_now(server->io);
    }
    release_replies(server, server->pending.size == 0);
    file_pump(server);
}

static void file_submit(struct gd_kv_server *server)
{
    server->busy = true;
    server->op.file = &server->file;
    server->op.done = file_written;
    server->op.context = server;
    if (gd_disk_submit(server->io, &server->op) != GD_OK) {
        server->busy = false;
        fail(server, GD_ERR_BUSY, "the append-only file cannot be written");
    }
}

static void file_pump(struct gd_kv_server *server)
{
    bool always = server->options.sync == GD_KV_SYNC_ALWAYS;
    struct gd_bytes empty = server->flying;

    if (server->busy || server->pending.size == 0) {
        return;
    }
    server->flying = server->pending;
    server->pending = empty;
    for (struct client *client = server->clients; client != NULL; client = client->next) {
        client->marked = client->output.size;
    }
    server->op = (struct gd_disk_op){.kind = always ? GD_DISK_WRITE_DURABLE : GD_DISK_WRITE,
                                     .offset = server->file_size,
                                     .data = server->flying.data,
                                     .size = server->flying.size};
    file_submit(server);
}

static void on_second(struct gd_timer *timer)
{
    struct gd_kv_server *server = timer->context;

    gd_timer_start(server->io, timer, gd_io_now(server->io) + 1000 * GD_NS_PER_MS);
    if (!server->busy) {
        server->op = (struct gd_disk_op){.kind = GD_DISK_SYNC};
        file_submit(server);
    }
}

static void append(struct gd_kv_server *server, int64_t stamp_ms, struct gd_slice body)
{
    struct gd_bytes *out = &server->pending;
    uint8_t *head;
    uint32_t crc;

    if (server->options.sync == GD_KV_SYNC_NEVER) {
        return;
    }
    head = gd_bytes_reserve(out, RECORD_HEAD);
    gd_put_le32(head, (uint32_t)body.size);
    gd_put_le64(head + 8, (uint64_t)stamp_ms);
    crc = gd_crc32c(gd_crc32c(0, head + 8, 8), body.data, body.size);
    gd_put_le32(head + 4, crc);
    out->size += RECORD_HEAD;
    gd_bytes_add(out, body.data, body.size);
}

/* After requests ran: what may leave leaves, what must be written is written. */
static void settle(struct gd_kv_server *server, struct client *client)
{
    bool waits = server->options.sync == GD_KV_SYNC_ALWAYS &&
                 (server->busy || server->pending.size > 0); /* V1 */

    if (!waits) {
        client->allowed = client->output.size;
        client_flush(client);
    }
    file_pump(server);
}

/* ---------------------------------------------------------------- requests in */

static void run_read(struct gd_kv_server *server, struct client *client, struct gd_slice body)
{
    int64_t wall_ms = gd_io_wall_ms(server->io), needs_ms = 0;

    gd_keyspace_advance(server->kv.ks, wall_ms, UPKEEP_UNITS);
    if (gd_kv_query(&server->kv, body, client->parser_session, gd_keyspace_clock_ms(server->kv.ks),
                    &client->output, &needs_ms) == GD_QUERY_NEEDS_TIME) {
        gd_bytes_add_text(&client->output, "-ERR the clock stands still\r\n");
    }
}

static void write_body(struct gd_kv_server *server, struct gd_slice body, void *session,
                       struct gd_bytes *reply)
{
    int64_t wall_ms = gd_io_wall_ms(server->io);
    int64_t clock_ms = gd_keyspace_clock_ms(server->kv.ks);
    int64_t stamp_ms = wall_ms > clock_ms ? wall_ms : clock_ms;

    gd_kv_apply(&server->kv, server->kv.applied + 1, stamp_ms, body, session, reply);
    append(server, stamp_ms, body);
    if (!gd_timer_running(&server->upkeep)) {
        gd_timer_start(server->io, &server->upkeep, gd_io_now(server->io) + GD_NS_PER_MS);
    }
}

static void run_write(struct gd_kv_server *server, struct client *client, struct gd_slice body)
{
    write_body(server, body, client->parser_session, &client->output);
}

void gd_kv_server_flush(struct gd_kv_server *server)
{
    const char word[] = "FLUSHALL";
    struct gd_slice args[] = {{(const uint8_t *)word, sizeof word - 1}};
    struct gd_bytes body = {0};

    gd_body_begin(&body, GD_BODY_COMMAND, 2);
    gd_body_add_args(&body, args, 1);
    write_body(server, gd_bytes_slice(&body), NULL, NULL);
    gd_bytes_release(&body);
    file_pump(server);
}

static void run_local(struct gd_kv_server *server, struct client *client,
                      const struct gd_request *request)
{
    struct gd_local_result result = {.kind = GD_LOCAL_NOTHING};
    struct gd_node_status status = {.role = GD_ROLE_LEADER,
                                    .ready = true,
                                    .applied_index = server->kv.applied,
                                    .commit_index = server->kv.applied,
                                    .wall_ms = gd_io_wall_ms(server->io),
                                    .uptime_ns = gd_io_now(server->io) - server->began,
                                    .client_address = server->address};

    server->parser.parser.v->local(&server->parser.parser, client->parser_session, request, &status,
                                   &client->output, &result);
    client->ending = client->ending || result.kind == GD_LOCAL_CLOSE;
}

static void run_request(struct gd_kv_server *server, struct client *client,
                        const struct gd_request *request)
{
    size_t before = client->output.size;

    switch (request->kind) {
    case GD_REQUEST_MORE:
        break;
    case GD_REQUEST_READ:
        run_read(server, client, request->body);
        break;
    case GD_REQUEST_WRITE:
        run_write(server, client, request->body);
        break;
    case GD_REQUEST_LOCAL:
        run_local(server, client, request);
        break;
    case GD_REQUEST_ADMIN:
        gd_bytes_add_text(&client->output, "-ERR this is the store alone: there is no cluster\r\n");
        break;
    case GD_REQUEST_CLOSE:
        gd_bytes_add(&client->output, request->body.data, request->body.size);
        client->ending = true;
        break;
    }
    if ((request->flags & GD_REQUEST_SILENT) != 0) {
        client->output.size = before;
    }
}

static void client_run(struct client *client)
{
    struct gd_kv_server *server = client->server;
    struct gd_parser *parser = &server->parser.parser;
    size_t at = 0;

    while (!client->ending) {
        struct gd_slice left = {client->input.data + at, client->input.size - at};
        struct gd_request request = {.kind = GD_REQUEST_MORE};
        size_t consumed = 0;

        if (left.size == 0) {
            break;
        }
        parser->v->parse(parser, client->parser_session, left, &consumed, &request);
        run_request(server, client, &request);
        at += consumed;
        if (request.kind == GD_REQUEST_MORE && consumed == 0) {
            break;
        }
    }
    gd_bytes_consume(&client->input, at);
    settle(server, client);
    if (client->output.size > OUTPUT_SIZE_MAX) {
        client_close(client);
    }
}

static void client_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    struct client *client = stream->context;

    if (err == GD_ERR_END) {
        client->ending = true;
        client_flush(client);
    } else if (err != GD_OK) {
        client_close(client);
    } else if (!client->ending) {
        gd_bytes_add(&client->input, bytes.data, bytes.size);
        client_run(client);
    }
}

static void on_incoming(struct gd_listener *listener)
{
    struct gd_kv_server *server = listener->context;
    struct client *client = gd_calloc(1, sizeof *client);
    struct gd_address peer;

    client->server = server;
    client->stream.context = client;
    if (gd_listener_accept(listener, &client->stream) != GD_OK) {
        gd_free(client);
        return;
    }
    gd_stream_peer(&client->stream, &peer);
    client->id = ++server->client_count;
    client->parser_session =
        server->parser.parser.v->session_new(&server->parser.parser, client->id, &peer);
    client->next = server->clients;
    server->clients = client;
    gd_stream_read_start(&client->stream, client_read);
}

/* ---------------------------------------------------------------- start */

static void on_upkeep(struct gd_timer *timer)
{
    struct gd_kv_server *server = timer->context;

    if (gd_keyspace_work(server->kv.ks, UPKEEP_UNITS)) {
        gd_timer_start(server->io, timer, gd_io_now(server->io) + GD_NS_PER_MS);
    }
}

static void serve(struct gd_kv_server *server)
{
    struct gd_error error;

    server->listener = (struct gd_listener){.incoming = on_incoming, .context = server};
    if (gd_listen(server->io, &server->listener, &server->options.address, &error) != GD_OK) {
        server->options.failed(server->options.context, &error);
        return;
    }
    gd_listener_address(&server->listener, &server->address);
    if (server->options.sync == GD_KV_SYNC_SECOND) {
        gd_timer_start(server->io, &server->sync_timer,
                       gd_io_now(server->io) + 1000 * GD_NS_PER_MS);
    }
    server->options.ready(server->options.context, &server->address);
}

/* Runs the whole records in front of `load`; false at one that is damaged. */
static bool load_records(struct gd_kv_server *server)
{
    size_t at = 0;
    bool sound = true;

    while (sound && server->load.size - at >= RECORD_HEAD) {
        const uint8_t *head = server->load.data + at;
        size_t size = gd_get_le32(head);
        if (server->load.size - at - RECORD_HEAD < size) {
            break;
        }
        sound = gd_crc32c(0, head + 8, size + 8) == gd_get_le32(head + 4) && size > 0;
        if (sound) {
            gd_kv_apply(&server->kv, server->kv.applied + 1, (int64_t)gd_get_le64(head + 8),
                        (struct gd_slice){head + RECORD_HEAD, size}, NULL, NULL);
            at += RECORD_HEAD + size;
        }
    }
    gd_bytes_consume(&server->load, at);
    server->file_size += at;
    return sound;
}

static void step(struct gd_kv_server *server, struct gd_disk_op op, gd_disk_fn *done)
{
    server->op = op;
    server->op.done = done;
    server->op.context = server;
    if (gd_disk_submit(server->io, &server->op) != GD_OK) {
        fail(server, GD_ERR_BUSY, "cannot be read");
    }
}

static void on_loaded_synced(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_kv_server *server = op->context;

    if (err != GD_OK) {
        fail(server, err, "cannot be synced");
        return;
    }
    serve(server);
}

static void on_cut(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_kv_server *server = op->context;

    if (err != GD_OK) {
        fail(server, err, "its torn end cannot be cut");
        return;
    }
    /* What was read may not be durable yet, and replies will rest on it. */
    step(server, (struct gd_disk_op){.kind = GD_DISK_SYNC, .file = &server->file},
         on_loaded_synced);
}

static void load_more(struct gd_kv_server *server);

static void on_loaded(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_kv_server *server = op->context;
    uint64_t end;

    if (err != GD_OK) {
        fail(server, err, "cannot be read");
        return;
    }
    server->load.size += op->result;
    server->load_at += op->result;
    if (load_records(server) && op->result > 0) {
        load_more(server);
        return;
    }
    end = server->file_size;
    if (server->load.size > 0) {
        gd_io_log(server->io, GD_LOG_WARNING, "%s: cut at offset %llu: what follows is not whole",
                  FILE_PATH, (unsigned long long)end);
    }
    gd_bytes_release(&server->load);
    step(server, (struct gd_disk_op){.kind = GD_DISK_TRUNCATE, .file = &server->file, .size = end},
         on_cut);
}

static void load_more(struct gd_kv_server *server)
{
    uint8_t *to = gd_bytes_reserve(&server->load, LOAD_SIZE);

    step(server,
         (struct gd_disk_op){.kind = GD_DISK_READ,
                             .file = &server->file,
                             .offset = server->load_at,
                             .data = to,
                             .size = LOAD_SIZE},
         on_loaded);
}

static void on_named(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_kv_server *server = op->context;

    if (err != GD_OK) {
        fail(server, err, "its folder cannot be synced");
        return;
    }
    load_more(server);
}

static void on_opened(struct gd_disk_op *op, enum gd_err err)
{
    struct gd_kv_server *server = op->context;

    if (err != GD_OK) {
        fail(server, err, "cannot be opened");
        return;
    }
    step(server, (struct gd_disk_op){.kind = GD_DISK_SYNC_DIRECTORY, .path = ""}, on_named);
}

void gd_kv_server_start(struct gd_kv_server *server)
{
    if (server->options.sync == GD_KV_SYNC_NEVER) {
        serve(server);
        return;
    }
    step(server,
         (struct gd_disk_op){.kind = GD_DISK_OPEN,
                             .file = &server->file,
                             .path = FILE_PATH,
                             .flags = GD_DISK_CREATE},
         on_opened);
}

struct gd_kv_server *gd_kv_server_new(const struct gd_kv_server_options *options)
{
    struct gd_kv_server *server = gd_calloc(1, sizeof *server);
    uint64_t low = gd_io_entropy(options->io, "keyspace low");
    uint64_t high = gd_io_entropy(options->io, "keyspace high");

    server->options = *options;
    server->io = options->io;
    server->began = gd_io_now(options->io);
    gd_kv_init(&server->kv, low, high);
    gd_kv_parser_init(&server->parser, &(struct gd_kv_parser_options){.password = options->password,
                                                                      .kv = &server->kv});
    server->upkeep = (struct gd_timer){.fire = on_upkeep, .context = server};
    server->sync_timer = (struct gd_timer){.fire = on_second, .context = server};
    return server;
}
