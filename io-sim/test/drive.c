/* drive.c - see drive.h. */
#include "io-sim/test/drive.h"
#include <stdio.h>
#include <string.h>

struct gd_world *drive_world(const struct gd_world_options *options, unsigned count)
{
    struct gd_world *world = gd_world_new(options);

    for (unsigned i = 0; i < count; i++) {
        char host[32];

        (void)snprintf(host, sizeof host, "10.0.0.%u", i + 1);
        struct gd_world_process_options process = {.host = host};
        gd_world_start(world, gd_world_add(world, &process));
    }
    return world;
}

/* ---------------------------------------------------------------- disk */

struct told {
    bool told;
    enum gd_err err;
};

static void op_done(struct gd_disk_op *op, enum gd_err err)
{
    struct told *told = op->context;

    assert_false(told->told);
    *told = (struct told){true, err};
}

enum gd_err drive_op(struct gd_world *world, uint32_t process, struct gd_disk_op *op)
{
    struct told told = {false, GD_OK};
    uint64_t boots = gd_world_boots(world, process);

    op->done = op_done;
    op->context = &told;
    enum gd_err err = gd_disk_submit(gd_world_enter(world, process), op);
    gd_world_leave(world);
    assert_int_equal(err, GD_OK);
    while (!told.told) {
        if (!gd_world_running(world, process) || gd_world_boots(world, process) != boots) {
            return GD_ERR_STOPPED;
        }
        assert_true(gd_world_step(world));
    }
    return told.err;
}

enum gd_err drive_open(struct gd_world *world, uint32_t process, const char *path, unsigned flags,
                       struct gd_file *file)
{
    struct gd_disk_op op = {.kind = GD_DISK_OPEN, .path = path, .flags = flags, .file = file};

    return drive_op(world, process, &op);
}

enum gd_err drive_put(struct gd_world *world, uint32_t process, enum gd_disk_kind kind,
                      struct gd_file *file, uint64_t offset, const void *data, size_t size)
{
    struct gd_disk_op op = {.kind = kind, .file = file, .offset = offset, .size = size};

    op.data = (void *)(uintptr_t)data; /* A write only reads it. */
    return drive_op(world, process, &op);
}

enum gd_err drive_file(struct gd_world *world, uint32_t process, enum gd_disk_kind kind,
                       struct gd_file *file, uint64_t size)
{
    struct gd_disk_op op = {.kind = kind, .file = file, .size = size};

    return drive_op(world, process, &op);
}

enum gd_err drive_path(struct gd_world *world, uint32_t process, enum gd_disk_kind kind,
                       const char *path, const char *path_to)
{
    struct gd_disk_op op = {.kind = kind, .path = path, .path_to = path_to};

    return drive_op(world, process, &op);
}

void drive_for(struct gd_world *world, uint64_t time_ms)
{
    assert_true(gd_world_run_until(world, gd_world_now(world) + time_ms * GD_NS_PER_MS));
}

/* ---------------------------------------------------------------- streams */

static void on_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    struct drive_end *end = stream->context;

    assert_int_equal(end->end_count, 0);
    if (err != GD_OK) {
        end->end_count++;
        end->end_err = err;
        return;
    }
    assert_true(end->got_size + bytes.size <= sizeof end->got);
    memcpy(end->got + end->got_size, bytes.data, bytes.size);
    end->got_size += bytes.size;
    end->read_count++;
}

static void on_incoming(struct gd_listener *listener)
{
    struct drive_server *server = listener->context;
    struct drive_end *end = server->end;

    if (end != NULL) {
        server->end = NULL;
        end->stream = (struct gd_stream){.context = end};
        assert_int_equal(gd_listener_accept(listener, &end->stream), GD_OK);
        end->connected = true;
        server->accepted++;
        gd_stream_read_start(&end->stream, on_read);
    }
}

void drive_listen(struct gd_world *world, uint32_t process, uint16_t port,
                  struct drive_server *server, struct drive_end *end)
{
    char text[GD_ADDRESS_SIZE];
    struct gd_address address;
    struct gd_error error;

    *server = (struct drive_server){.end = end};
    server->listener = (struct gd_listener){.incoming = on_incoming, .context = server};
    memset(end, 0, sizeof *end);
    end->world = world;
    end->process = process;
    (void)snprintf(text, sizeof text, "%s:%u", gd_world_host(world, process), (unsigned)port);
    assert_int_equal(gd_address_parse(text, &address), GD_OK);
    assert_int_equal(gd_listen(gd_world_enter(world, process), &server->listener, &address, &error),
                     GD_OK);
    gd_world_leave(world);
}

static void on_connected(struct gd_stream *stream, enum gd_err err)
{
    struct drive_end *end = stream->context;

    assert_false(end->connect_told);
    end->connect_told = true;
    end->connect_err = err;
    end->connected = err == GD_OK;
    if (err == GD_OK) {
        gd_stream_read_start(stream, on_read);
    }
}

gd_time_ns drive_patience_ns;

void drive_connect(struct gd_world *world, uint32_t process, const char *text,
                   struct drive_end *end)
{
    struct gd_address address;

    memset(end, 0, sizeof *end);
    end->world = world;
    end->process = process;
    end->stream = (struct gd_stream){.context = end, .patience_ns = drive_patience_ns};
    assert_int_equal(gd_address_parse(text, &address), GD_OK);
    assert_int_equal(
        gd_stream_connect(gd_world_enter(world, process), &end->stream, &address, on_connected),
        GD_OK);
    gd_world_leave(world);
}

static void on_written(struct gd_write *write, enum gd_err err)
{
    struct drive_end *end = write->context;

    *(err == GD_OK ? &end->write_ok : &end->write_failed) += 1;
}

enum gd_err drive_send(struct drive_end *end, const void *data, size_t size)
{
    struct gd_write *write = &end->writes[end->write_count++ % GD_COUNT(end->writes)];

    *write =
        (struct gd_write){.slices = {{data, size}}, .count = 1, .done = on_written, .context = end};
    (void)gd_world_enter(end->world, end->process);
    enum gd_err err = gd_stream_write(&end->stream, write);
    gd_world_leave(end->world);
    return err;
}

void drive_read(struct drive_end *end)
{
    (void)gd_world_enter(end->world, end->process);
    gd_stream_read_start(&end->stream, on_read);
    gd_world_leave(end->world);
}

static void on_closed(struct gd_stream *stream, enum gd_err err)
{
    struct drive_end *end = stream->context;

    assert_int_equal(err, GD_OK);
    assert_false(end->closed);
    end->closed = true;
}

void drive_close(struct drive_end *end)
{
    (void)gd_world_enter(end->world, end->process);
    gd_stream_close(&end->stream, on_closed);
    gd_world_leave(end->world);
}
