/* storm.c - see storm.h.
 *
 * Each process listens, connects to its next, sends numbered lines of pseudo-random sizes, writes
 * what it reads into a file, syncs now and then, and restarts its timers. An alarm outside all of
 * them strikes with a fault every few milliseconds. The processes allocate everything from their
 * heaps and never tidy up: crashes do. */
#include "io-sim/test/storm.h"
#include "engine/memory.h"
#include <stdio.h>
#include <string.h>

enum { PROCESSES = 5, PORT = 700 };

struct actor {
    struct gd_io *io;
    struct gd_prng prng;
    struct gd_timer timer;
    struct gd_listener listener;
    struct gd_stream out;
    bool out_open, out_ready;
    uint64_t put;
    struct gd_file file;
    bool file_open, disk_busy;
    struct gd_disk_op op;
    char block[3000];
};

struct line {
    struct gd_write write; /* First. */
    struct actor *actor;
    char text[]; /* Up to 2000 bytes. */
};

static void closed(struct gd_stream *stream, enum gd_err err)
{
    struct actor *actor = stream->context;

    (void)err;
    if (stream == &actor->out) {
        actor->out_open = actor->out_ready = false;
    } else {
        gd_free(stream);
    }
}

static void disk_done(struct gd_disk_op *op, enum gd_err err)
{
    struct actor *actor = op->context;

    actor->disk_busy = false;
    if (op->kind == GD_DISK_OPEN && err == GD_OK) {
        actor->file_open = true;
    }
    if (op->kind == GD_DISK_LIST && err == GD_OK) {
        gd_free(op->names);
    }
}

static void use_disk(struct actor *actor)
{
    static const enum gd_disk_kind kinds[] = {
        GD_DISK_WRITE,          GD_DISK_WRITE, GD_DISK_WRITE_DURABLE,
        GD_DISK_SYNC,           GD_DISK_READ,  GD_DISK_TRUNCATE,
        GD_DISK_SYNC_DIRECTORY, GD_DISK_LIST,  GD_DISK_RENAME};

    if (actor->disk_busy) {
        return;
    }
    actor->op = (struct gd_disk_op){.done = disk_done, .context = actor, .file = &actor->file};
    if (!actor->file_open) {
        actor->op.kind = GD_DISK_OPEN;
        actor->op.path = "file";
        actor->op.flags = GD_DISK_CREATE;
    } else {
        actor->op.kind = kinds[gd_prng_below(&actor->prng, GD_COUNT(kinds))];
        actor->op.path = actor->op.kind == GD_DISK_RENAME ? "file" : "";
        actor->op.path_to = "other";
        actor->op.offset = gd_prng_below(&actor->prng, 20000);
        actor->op.data = actor->block;
        actor->op.size = gd_prng_below(&actor->prng, sizeof actor->block);
    }
    actor->disk_busy = gd_disk_submit(actor->io, &actor->op) == GD_OK;
}

static void on_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    struct actor *actor = stream->context;

    if (err != GD_OK) {
        gd_stream_close(stream, closed);
        return;
    }
    if (!actor->disk_busy) {
        size_t size = bytes.size < sizeof actor->block ? bytes.size : sizeof actor->block;

        memcpy(actor->block, bytes.data, size);
        use_disk(actor);
    }
}

static void incoming(struct gd_listener *listener)
{
    struct actor *actor = listener->context;
    struct gd_stream *stream = gd_calloc(1, sizeof *stream);

    stream->context = actor;
    if (gd_listener_accept(listener, stream) != GD_OK) {
        gd_free(stream);
        return;
    }
    gd_stream_read_start(stream, on_read);
}

static void connected(struct gd_stream *stream, enum gd_err err)
{
    struct actor *actor = stream->context;

    if (err != GD_OK) {
        gd_stream_close(stream, closed);
        return;
    }
    actor->out_ready = true;
    gd_stream_read_start(stream, on_read);
}

static void written(struct gd_write *write, enum gd_err err)
{
    struct line *line = (struct line *)(void *)write;

    (void)err;
    gd_free(line);
}

static void send_line(struct actor *actor)
{
    size_t size = (size_t)gd_prng_between(&actor->prng, 8, 2000);
    struct line *line = gd_malloc(sizeof *line + size);

    /* What nobody wrote is sent, too: poisoned bytes are part of the run's identity. */
    line->actor = actor;
    line->text[0] = (char)(size - 4);
    line->text[1] = (char)((size - 4) >> 8);
    line->text[2] = line->text[3] = 0;
    memcpy(line->text + 4, &(uint8_t[]){(uint8_t)actor->put}, 1);
    actor->put++;
    line->write = (struct gd_write){
        .slices = {{(const uint8_t *)line->text, size}}, .count = 1, .done = written};
    if (gd_stream_queued(&actor->out) > 100000 ||
        gd_stream_write(&actor->out, &line->write) != GD_OK) {
        gd_free(line);
    }
}

static void tick(struct gd_timer *timer)
{
    struct actor *actor = timer->context;

    if (!actor->out_open) {
        struct gd_address address;
        uint32_t next = (gd_world_process_of(actor->io) + 1) % PROCESSES;

        (void)snprintf(address.text, sizeof address.text, "10.0.0.%u:%d", next + 1, PORT);
        actor->out = (struct gd_stream){.context = actor};
        actor->out_open = gd_stream_connect(actor->io, &actor->out, &address, connected) == GD_OK;
    } else if (actor->out_ready) {
        send_line(actor);
    }
    use_disk(actor);
    gd_timer_start(actor->io, timer,
                   gd_io_now(actor->io) + gd_prng_below(&actor->prng, 3 * GD_NS_PER_MS));
}

static void entry(struct gd_io *io, void *context)
{
    struct actor *actor = gd_calloc(1, sizeof *actor);
    struct gd_address address;
    struct gd_error error;

    (void)context;
    actor->io = io;
    gd_prng_init(&actor->prng, gd_io_entropy(io, "storm"));
    actor->listener = (struct gd_listener){.incoming = incoming, .context = actor};
    (void)snprintf(address.text, sizeof address.text, "10.0.0.%u:%d", gd_world_process_of(io) + 1,
                   PORT);
    GD_ASSERT(gd_listen(io, &actor->listener, &address, &error) == GD_OK);
    actor->timer = (struct gd_timer){.fire = tick, .context = actor};
    gd_timer_start(io, &actor->timer, gd_io_now(io));
}

/* ---------------------------------------------------------------- faults */

static void strike(struct gd_world *world, struct gd_world_alarm *alarm)
{
    struct gd_prng *prng = alarm->context;
    uint32_t a = (uint32_t)gd_prng_below(prng, PROCESSES);
    uint32_t b = (uint32_t)gd_prng_below(prng, PROCESSES);
    enum gd_world_crash how = gd_prng_chance(prng, 1, 2) ? GD_WORLD_KILL : GD_WORLD_POWER_LOSS;
    uint64_t what = gd_prng_below(prng, 14), count = 1 + gd_prng_below(prng, 20);
    unsigned third = (unsigned)gd_prng_below(prng, 3);

    if (!gd_world_running(world, a)) {
        gd_world_start(world, a);
    } else if (what == 0) {
        gd_world_crash(world, a, how);
    } else if (what == 1) {
        gd_world_crash_at(world, a, GD_DISK_KIND_COUNT, count, (enum gd_world_when)third, how);
    } else if (what == 2) {
        gd_world_pause(world, a);
    } else if (what == 3) {
        gd_world_resume(world, a);
    } else if (what == 4) {
        gd_world_cut(world, a, b, true);
    } else if (what == 5) {
        gd_world_heal(world);
    } else if (what == 6) {
        (void)gd_world_break_streams(world, a, GD_WORLD_ALL, (enum gd_world_break)third);
    } else if (what == 7) {
        gd_world_jump_wall(world, a, (int64_t)gd_prng_below(prng, 10000) - 5000);
    } else if (what == 8) {
        gd_world_set_drift(world, a, (int32_t)gd_prng_below(prng, 100000) - 50000);
    } else if (what == 9) {
        (void)gd_world_rot(world, a, "file", 0, 10000, 3);
    } else if (what == 10) {
        gd_world_fail_at(world, a, GD_DISK_SYNC, 1, GD_ERR_IO);
    } else if (what == 11) {
        gd_world_block(world, a, count * GD_NS_PER_MS);
    } else if (what == 12) {
        gd_world_unblock(world, a);
    } else {
        gd_world_misdirect_at(world, a, 1);
    }
    gd_world_alarm_start(world, alarm,
                         gd_world_now(world) + gd_prng_below(prng, 20) * GD_NS_PER_MS);
}

static bool wants(void *context, uint32_t from, uint32_t to, uint16_t port)
{
    (void)context;
    (void)to;
    (void)port;
    return from % 2 == 0;
}

static size_t frame_size(void *context, struct gd_slice bytes)
{
    (void)context;
    if (bytes.size < 4) {
        return 0;
    }
    size_t size = 4 + (size_t)(bytes.data[0] | bytes.data[1] << 8);
    return size <= bytes.size ? size : 0;
}

struct storm_result storm(uint64_t seed, uint64_t time_ms)
{
    struct gd_world_options options = {.seed = seed,
                                       .link = gd_world_link_defaults(),
                                       .disk = gd_world_disk_defaults(),
                                       .framer = {.wants = wants, .size = frame_size}};
    struct storm_result result = {0};
    struct gd_prng prng;
    struct gd_world_alarm alarm = {.fire = strike, .context = &prng};

    options.link.fragment_ppm = options.link.coalesce_ppm = options.link.stall_ppm = 50000;
    options.link.drop_ppm = options.link.duplicate_ppm = options.link.reorder_ppm = 20000;
    options.link.reset_ppm = 500;
    options.link.window_size = 20000;
    options.link.bandwidth = 100000000;
    options.link.timeout = 500 * GD_NS_PER_MS;
    options.disk.torn_ppm = 300000;
    options.disk.read_error_ppm = options.disk.write_error_ppm = options.disk.sync_error_ppm = 5000;
    options.disk.rot_ppm = options.disk.misread_ppm = options.disk.misdirected_ppm = 5000;
    struct gd_world *world = gd_world_new(&options);
    for (unsigned i = 0; i < PROCESSES; i++) {
        char host[32];
        struct gd_world_process_options process = {.host = host, .entry = entry};

        (void)snprintf(host, sizeof host, "10.0.0.%u", i + 1);
        gd_world_start(world, gd_world_add(world, &process));
    }
    gd_world_prng(world, GD_WORLD_NOBODY, "storm", &prng);
    gd_world_alarm_start(world, &alarm, 0);
    (void)gd_world_run_until(world, time_ms * GD_NS_PER_MS);
    result.hash = gd_world_hash(world);
    result.events = gd_world_events(world);
    for (unsigned i = 0; i < GD_WORLD_COUNTER_COUNT; i++) {
        result.counters[i] = gd_world_counter(world, (enum gd_world_counter)i);
    }
    gd_world_alarm_stop(world, &alarm);
    gd_world_free(world);
    return result;
}
