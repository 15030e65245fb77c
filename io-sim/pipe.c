/* pipe.c - bytes on their way from one end of a connection to the other.
 *
 * How. Writes queue up at the sender. The send event, at the end of the turn, takes from the queue
 * as much as the window has room for, in chunks; each gets a time of arrival from the link's
 * latency, bandwidth and stalls, never before that of the chunk in front of it. What has arrived
 * waits to be read; a read gives its bytes back to the window, which the sender hears of a latency
 * later. A cut does not lose bytes (TCP sends them again): they wait, and come some time after the
 * healing, or never, and then the sender's end times out if the link says so.
 *
 * Frames. Where the framer tells them apart, a chunk is one whole frame, and then whole chunks may
 * be dropped, doubled or delayed past later ones: the stream stays a sequence of whole frames. The
 * first few are spared, since no two peers agree on anything when their greeting is lost.
 *
 * Invariants
 *   B1. Chunks that are not frames arrive in the order in which they were sent.
 *   B2. FIN and reset come behind all bytes that were sent before them.
 *   B3. `under_way` is the sum of the bytes in `way` and in `in`. */
#include "io-sim/net.h"
#include "engine/bytes.h"

#define FRAME_SIZE_MAX (64u << 20)

static struct gd_end *sender_of(struct gd_pipe *pipe)
{
    return &pipe->connection->ends[pipe->side];
}

static struct gd_end *receiver_of(struct gd_pipe *pipe)
{
    return &pipe->connection->ends[1 - pipe->side];
}

static struct gd_link *link_of(struct gd_pipe *pipe)
{
    return gd__link(pipe->connection->world, sender_of(pipe)->process->number,
                    receiver_of(pipe)->process->number);
}

static struct gd_link *link_back(struct gd_pipe *pipe)
{
    return gd__link(pipe->connection->world, receiver_of(pipe)->process->number,
                    sender_of(pipe)->process->number);
}

/* ---------------------------------------------------------------- chunks */

static struct gd_chunk *chunk_new(struct gd_world *world, size_t size)
{
    struct gd_chunk *chunk = gd__heap_alloc(&world->heap, sizeof *chunk + size);

    chunk->next = NULL;
    chunk->at = 0;
    chunk->size = size;
    chunk->begin = 0;
    chunk->fin = chunk->reset = false;
    return chunk;
}

static void push(struct gd_chunks *chunks, struct gd_chunk *chunk)
{
    chunk->next = NULL;
    if (chunks->head == NULL) {
        chunks->head = chunk;
    } else {
        chunks->last->next = chunk;
    }
    chunks->last = chunk;
}

static struct gd_chunk *pop(struct gd_chunks *chunks)
{
    struct gd_chunk *chunk = chunks->head;

    chunks->head = chunk->next;
    if (chunks->head == NULL) {
        chunks->last = NULL;
    }
    return chunk;
}

/* By arrival, behind those of the same time. */
static void insert(struct gd_chunks *chunks, struct gd_chunk *chunk)
{
    struct gd_chunk **at = &chunks->head;

    if (chunks->head == NULL || chunks->last->at <= chunk->at) {
        push(chunks, chunk);
        return;
    }
    while ((*at)->at <= chunk->at) {
        at = &(*at)->next;
    }
    chunk->next = *at;
    *at = chunk;
}

static void drop_chunks(struct gd_pipe *pipe, struct gd_chunks *chunks)
{
    while (chunks->head != NULL) {
        struct gd_chunk *chunk = pop(chunks);

        pipe->under_way -= chunk->size - chunk->begin;
        gd__heap_free(&pipe->connection->world->heap, chunk);
    }
}

/* ---------------------------------------------------------------- sending */

gd_time_ns gd__latency(struct gd_process *from, struct gd_process *to)
{
    const struct gd_world_link_options *options =
        &gd__link(from->world, from->number, to->number)->options;

    return gd__between(from, GD_FOR_LATENCY, options->latency_min, options->latency_max);
}

/* When a chunk that leaves now would arrive, alone on its way. */
static gd_time_ns arrival(struct gd_pipe *pipe, size_t size)
{
    struct gd_world *world = pipe->connection->world;
    struct gd_process *from = sender_of(pipe)->process;
    struct gd_link *link = link_of(pipe);
    gd_time_ns at = world->now;

    if (link->options.bandwidth > 0) {
        at = at > link->busy_until ? at : link->busy_until;
        at += (uint64_t)size * UINT64_C(1000000000) / link->options.bandwidth;
        link->busy_until = at;
    }
    at += gd__latency(from, receiver_of(pipe)->process);
    if (gd__chance(from, GD_FOR_STALL, link->options.stall_ppm)) {
        at += gd__between(from, GD_FOR_STALL, 0, link->options.stall_max);
        gd__count(world, GD_WORLD_COUNT_STALLED);
    }
    return at;
}

static void schedule_arrival(struct gd_pipe *pipe)
{
    if (pipe->way.head != NULL && !pipe->held &&
        (!gd__scheduled(&pipe->arrive) || pipe->arrive.at > pipe->way.head->at)) {
        gd__schedule(pipe->connection->world, &pipe->arrive, pipe->way.head->at);
    }
}

/* B1 */
static void emit_in_order(struct gd_pipe *pipe, struct gd_chunk *chunk)
{
    gd_time_ns at = arrival(pipe, chunk->size);

    chunk->at = at > pipe->last_arrival ? at : pipe->last_arrival;
    pipe->last_arrival = chunk->at;
    pipe->under_way += chunk->size;
    insert(&pipe->way, chunk);
    schedule_arrival(pipe);
}

/* Out of the order of the others, `late` after its time. */
static void emit_late(struct gd_pipe *pipe, struct gd_chunk *chunk, gd_time_ns late)
{
    gd_time_ns at = arrival(pipe, chunk->size);

    chunk->at = (at > pipe->last_arrival ? at : pipe->last_arrival) + late;
    pipe->under_way += chunk->size;
    insert(&pipe->way, chunk);
    schedule_arrival(pipe);
}

/* True when the link's bad luck has broken the connection instead. */
static bool struck_by_reset(struct gd_pipe *pipe)
{
    struct gd_connection *connection = pipe->connection;

    if (!gd__chance(sender_of(pipe)->process, GD_FOR_RESET, link_of(pipe)->options.reset_ppm)) {
        return false;
    }
    gd__count(connection->world, GD_WORLD_COUNT_RESETS);
    gd__end_break(&connection->ends[0], GD_ERR_RESET);
    gd__end_break(&connection->ends[1], GD_ERR_RESET);
    return true;
}

static void emit_bytes(struct gd_pipe *pipe, struct gd_chunk *chunk)
{
    struct gd_world *world = pipe->connection->world;

    gd__count(world, GD_WORLD_COUNT_CHUNKS);
    world->counters[GD_WORLD_COUNT_BYTES] += chunk->size;
    if (struck_by_reset(pipe)) {
        gd__heap_free(&world->heap, chunk);
        return;
    }
    emit_in_order(pipe, chunk);
}

static void emit_frame(struct gd_pipe *pipe, struct gd_chunk *chunk)
{
    struct gd_world *world = pipe->connection->world;
    struct gd_process *from = sender_of(pipe)->process;
    const struct gd_world_link_options *options = &link_of(pipe)->options;

    gd__count(world, GD_WORLD_COUNT_FRAMES);
    if (pipe->frame_count++ < options->frames_spared) {
        emit_bytes(pipe, chunk);
        return;
    }
    if (gd__chance(from, GD_FOR_DROP, options->drop_ppm)) {
        gd__count(world, GD_WORLD_COUNT_DROPPED);
        GD__TRACE(world, from->number, "drop", "a frame of %zu bytes", chunk->size);
        gd__heap_free(&world->heap, chunk);
        return;
    }
    if (gd__chance(from, GD_FOR_DUPLICATE, options->duplicate_ppm)) {
        struct gd_chunk *twin = chunk_new(world, chunk->size);

        memcpy(twin->data, chunk->data, chunk->size);
        gd__count(world, GD_WORLD_COUNT_DUPLICATED);
        GD__TRACE(world, from->number, "double", "a frame of %zu bytes", chunk->size);
        emit_late(pipe, twin, gd__between(from, GD_FOR_DUPLICATE, 0, options->reorder_max));
    }
    if (gd__chance(from, GD_FOR_REORDER, options->reorder_ppm)) {
        gd__count(world, GD_WORLD_COUNT_REORDERED);
        GD__TRACE(world, from->number, "reorder", "a frame of %zu bytes", chunk->size);
        emit_late(pipe, chunk, gd__between(from, GD_FOR_REORDER, 0, options->reorder_max));
        return;
    }
    emit_bytes(pipe, chunk);
}

/* Sends what is left of an assembly as it is. */
static void flush_assembly(struct gd_pipe *pipe)
{
    if (pipe->assembly_size > 0) {
        struct gd_chunk *chunk = chunk_new(pipe->connection->world, pipe->assembly_size);

        memcpy(chunk->data, pipe->assembly, pipe->assembly_size);
        pipe->assembly_size = 0;
        emit_bytes(pipe, chunk);
    }
}

/* Whole frames leave the assembly. */
static void cut_frames(struct gd_pipe *pipe)
{
    struct gd_world *world = pipe->connection->world;
    const struct gd_world_framer *framer = &world->options.framer;
    size_t begin = 0;

    for (;;) {
        struct gd_slice rest = {pipe->assembly + begin, pipe->assembly_size - begin};
        struct gd_process *running = gd__heap_enter(world, NULL);
        size_t size = framer->size(framer->context, rest);
        bool whole = size > 0 && size <= rest.size;

        if (whole && framer->sent != NULL) {
            framer->sent(framer->context, sender_of(pipe)->process->number,
                         receiver_of(pipe)->process->number, (struct gd_slice){rest.data, size});
        }
        gd__heap_leave(world, running);
        if (!whole) {
            break;
        }
        struct gd_chunk *chunk = chunk_new(world, size);
        memcpy(chunk->data, rest.data, size);
        begin += size;
        emit_frame(pipe, chunk);
    }
    memmove(pipe->assembly, pipe->assembly + begin, pipe->assembly_size - begin);
    pipe->assembly_size -= begin;
    if (pipe->assembly_size > FRAME_SIZE_MAX) {
        flush_assembly(pipe);
    }
}

/* Moves up to `size` bytes off the queue to `to`; whole writes move to `*done`. */
static size_t take_bytes(struct gd_pipe *pipe, uint8_t *to, size_t size, struct gd_write **done)
{
    size_t taken = 0;

    while (pipe->head != NULL) {
        struct gd_write *write = pipe->head;
        size_t skip = pipe->head_put, whole = 0;

        for (unsigned i = 0; i < write->count; i++) {
            struct gd_slice slice = write->slices[i];
            size_t left = slice.size > skip ? slice.size - skip : 0;
            size_t part = left < size - taken ? left : size - taken;

            if (part > 0) {
                memcpy(to + taken, slice.data + skip, part);
                taken += part;
                pipe->head_put += part;
            }
            skip = skip > slice.size ? skip - slice.size : 0;
            whole += slice.size;
        }
        if (pipe->head_put < whole) {
            break;
        }
        pipe->head = write->next;
        pipe->head_put = 0;
        write->next = NULL;
        *done = write;
        done = &write->next;
    }
    if (pipe->head == NULL) {
        pipe->last = NULL;
    }
    pipe->queued_size -= taken;
    return taken;
}

static void tell_writes(struct gd_end *end, struct gd_write *write, enum gd_err err)
{
    while (write != NULL) {
        struct gd_write *next = write->next;
        struct gd_process *running = gd__heap_enter(end->process->world, end->process);

        write->next = NULL;
        write->done(write, err);
        gd__heap_leave(end->process->world, running);
        write = next;
    }
}

static void send_some(struct gd_pipe *pipe, size_t size, struct gd_write **done)
{
    struct gd_world *world = pipe->connection->world;

    if (!pipe->connection->framed) {
        struct gd_chunk *chunk = chunk_new(world, size);

        (void)take_bytes(pipe, chunk->data, size, done);
        gd__fold_bytes(world, chunk->data, size);
        emit_bytes(pipe, chunk);
        return;
    }
    if (pipe->assembly_size + size > pipe->assembly_capacity) {
        pipe->assembly_capacity = (pipe->assembly_size + size) * 2;
        pipe->assembly = gd__heap_grow(&world->heap, pipe->assembly, pipe->assembly_capacity);
    }
    uint8_t *to = pipe->assembly + pipe->assembly_size;
    (void)take_bytes(pipe, to, size, done);
    gd__fold_bytes(world, to, size);
    pipe->assembly_size += size;
    cut_frames(pipe);
}

static void run_send(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_pipe *pipe = GD_CONTAINER(event, struct gd_pipe, send);
    struct gd_end *end = sender_of(pipe);
    struct gd_write *done = NULL, **tail = &done;
    size_t sent = 0;

    while (pipe->head != NULL && !end->broken) {
        size_t window = link_of(pipe)->options.window_size;
        size_t size = pipe->queued_size < GD_READ_SIZE ? pipe->queued_size : GD_READ_SIZE;

        if (pipe->queued_size > 0) {
            if (pipe->under_way >= window) {
                break;
            }
            size = size < window - pipe->under_way ? size : window - pipe->under_way;
            send_some(pipe, size, tail);
            sent += size;
        } else { /* Nothing but empty writes. */
            (void)take_bytes(pipe, NULL, 0, tail);
        }
        while (*tail != NULL) {
            tail = &(*tail)->next;
        }
    }
    GD__TRACE(world, end->process->number, "send", "%zu bytes to %s, %zu wait", sent,
              receiver_of(pipe)->process->name, pipe->queued_size);
    if (pipe->head == NULL && pipe->want_fin && !pipe->sent_fin && !end->broken) {
        gd__pipe_finish(pipe, false);
    }
    tell_writes(end, done, GD_OK);
}

void gd__pipe_finish(struct gd_pipe *pipe, bool reset)
{
    struct gd_chunk *chunk;

    if (pipe->sent_fin && !reset) {
        return;
    }
    flush_assembly(pipe);
    chunk = chunk_new(pipe->connection->world, 0);
    chunk->fin = !reset;
    chunk->reset = reset;
    pipe->sent_fin = true;
    if (pipe->way.last != NULL && pipe->way.last->at > pipe->last_arrival) {
        pipe->last_arrival = pipe->way.last->at; /* B2 */
    }
    emit_in_order(pipe, chunk);
}

enum gd_err gd__stream_write(struct gd_stream *stream, struct gd_write *write)
{
    struct gd_end *end = stream->world;
    struct gd_pipe *pipe = gd__pipe_out(end);
    size_t size = 0;

    if (end->broken || end->closing || !end->connected || pipe->want_fin) {
        return GD_ERR_RESET;
    }
    for (unsigned i = 0; i < write->count; i++) {
        size += write->slices[i].size;
    }
    write->stream = stream;
    write->next = NULL;
    if (pipe->head == NULL) {
        pipe->head = write;
    } else {
        pipe->last->next = write;
    }
    pipe->last = write;
    pipe->queued_size += size;
    gd__pipe_watch_silence(pipe);
    if (!gd__scheduled(&pipe->send) && pipe->under_way < link_of(pipe)->options.window_size) {
        gd__schedule(end->process->world, &pipe->send, 0);
    }
    return GD_OK;
}

size_t gd__stream_queued(const struct gd_stream *stream)
{
    struct gd_end *end = stream->world;

    return gd__pipe_out(end)->queued_size;
}

void gd__stream_shutdown(struct gd_stream *stream)
{
    struct gd_end *end = stream->world;
    struct gd_pipe *pipe = gd__pipe_out(end);

    if (end->connected && !end->closing && !pipe->want_fin) {
        pipe->want_fin = true;
        if (!gd__scheduled(&pipe->send)) {
            gd__schedule(end->process->world, &pipe->send, 0);
        }
    }
}

/* ---------------------------------------------------------------- under way */

/* How long the sender waits for an answer to its bytes; 0: for ever. */
static gd_time_ns patience_of(struct gd_pipe *pipe)
{
    gd_time_ns patience = sender_of(pipe)->patience_ns;

    return patience > 0 ? patience : link_of(pipe)->options.timeout;
}

/* The sender waits for room in the window, and no word of it will come: it gives up in time, as
 * when its bytes are not answered for (the probes of a closed window are not either). */
void gd__pipe_watch_silence(struct gd_pipe *pipe)
{
    gd_time_ns timeout = patience_of(pipe);

    if (pipe->connection->black_hole && pipe->head != NULL && timeout > 0 &&
        !gd__scheduled(&pipe->timeout)) {
        gd__schedule(pipe->connection->world, &pipe->timeout,
                     pipe->connection->world->now + timeout);
    }
}

/* Whether nothing can arrive at the other end now. */
static bool blocked(struct gd_pipe *pipe)
{
    const struct gd_link *link = link_of(pipe);

    return link->cut || link->clogged || pipe->connection->black_hole ||
           receiver_of(pipe)->process->machine_down;
}

static void deliver(struct gd_pipe *pipe, struct gd_chunk *chunk)
{
    struct gd_world *world = pipe->connection->world;
    struct gd_end *end = receiver_of(pipe);
    struct gd_end *from = sender_of(pipe);

    if (end->gone || end->broken) {
        /* Nobody knows this connection here: whoever sends bytes is told so. */
        if (chunk->size > 0 && !from->gone && !from->broken) {
            gd__pipe_finish(&pipe->connection->pipes[1 - pipe->side], true);
        }
    } else if (chunk->reset) {
        gd__end_break(end, GD_ERR_RESET);
    } else {
        push(&pipe->in, chunk);
        return;
    }
    pipe->under_way -= chunk->size;
    gd__heap_free(&world->heap, chunk);
}

static void run_arrive(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_pipe *pipe = GD_CONTAINER(event, struct gd_pipe, arrive);
    struct gd_end *end = receiver_of(pipe), *from = sender_of(pipe);
    gd_time_ns delay = 0;

    if (blocked(pipe)) {
        gd_time_ns timeout = patience_of(pipe);

        pipe->held = true;
        gd__count(world, GD_WORLD_COUNT_HELD);
        if (timeout > 0 && !gd__scheduled(&pipe->timeout)) {
            gd__schedule(world, &pipe->timeout, world->now + timeout);
        }
        return;
    }
    gd__unschedule(world, &pipe->timeout);
    while (pipe->way.head != NULL && pipe->way.head->at <= world->now) {
        struct gd_chunk *chunk = pop(&pipe->way);

        GD__TRACE(world, end->process->number, "arrive", "%s%zu bytes from %s",
                  chunk->fin     ? "end, "
                  : chunk->reset ? "reset, "
                                 : "",
                  chunk->size, from->process->name);
        deliver(pipe, chunk);
    }
    schedule_arrival(pipe);
    if (pipe->in.head != NULL && end->reading && !gd__scheduled(&pipe->read)) {
        if (gd__chance(end->process, GD_FOR_COALESCE, link_of(pipe)->options.coalesce_ppm)) {
            gd__count(world, GD_WORLD_COUNT_COALESCED);
            delay = gd__between(end->process, GD_FOR_COALESCE, 0,
                                link_of(pipe)->options.latency_max * 2);
        }
        gd__pipe_wake_reader(pipe, delay);
    }
}

static void run_timeout(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_pipe *pipe = GD_CONTAINER(event, struct gd_pipe, timeout);

    bool silent = pipe->connection->black_hole && pipe->head != NULL;

    if ((pipe->held || silent) && !sender_of(pipe)->gone && !sender_of(pipe)->broken) {
        gd__count(world, GD_WORLD_COUNT_STREAM_TIMEOUTS);
        gd__end_break(sender_of(pipe), GD_ERR_TIMEOUT);
    }
}

void gd__pipe_release(struct gd_pipe *pipe)
{
    struct gd_process *from = sender_of(pipe)->process;
    struct gd_world *world = pipe->connection->world;

    if (pipe->held && !blocked(pipe)) {
        gd_time_ns delay = gd__between(from, GD_FOR_HEAL, 0, link_of(pipe)->options.retransmit_max);

        pipe->held = false;
        gd__schedule(world, &pipe->arrive, world->now + delay);
    }
    if (pipe->ack_held && !link_back(pipe)->cut && !link_back(pipe)->clogged) {
        pipe->ack_held = false;
        if (!gd__scheduled(&pipe->send) && pipe->head != NULL) {
            gd__schedule(world, &pipe->send,
                         world->now + gd__latency(receiver_of(pipe)->process, from));
        }
    }
}

/* ---------------------------------------------------------------- reading */

void gd__pipe_wake_reader(struct gd_pipe *pipe, gd_time_ns delay)
{
    struct gd_end *end = receiver_of(pipe);
    struct gd_world *world = pipe->connection->world;

    if (end->reading && !end->closing && !end->read_ended && !gd__scheduled(&pipe->read) &&
        (pipe->in.head != NULL || end->broken)) {
        gd__schedule(world, &pipe->read, world->now + delay);
    }
}

/* Room in the window: the sender hears of it a latency later. */
static void acknowledge(struct gd_pipe *pipe, size_t size)
{
    struct gd_world *world = pipe->connection->world;
    struct gd_end *from = sender_of(pipe);

    pipe->under_way -= size;
    if (pipe->head == NULL || from->gone || from->broken || gd__scheduled(&pipe->send)) {
        return;
    }
    if (link_back(pipe)->cut || link_back(pipe)->clogged || pipe->connection->black_hole) {
        pipe->ack_held = true;
        gd__pipe_watch_silence(pipe);
        return;
    }
    gd__schedule(world, &pipe->send,
                 world->now + gd__latency(receiver_of(pipe)->process, from->process));
}

/* The bytes that one read tells: from the first chunk alone, or gathered from several. Chunks that
 * are used up move to `*used`. */
static struct gd_slice take_read(struct gd_pipe *pipe, size_t limit, struct gd_chunks *used)
{
    struct gd_world *world = pipe->connection->world;
    struct gd_chunk *first = pipe->in.head;
    struct gd_slice bytes = {first->data + first->begin, 0};
    bool alone = first->next == NULL || first->size - first->begin >= limit;

    while (pipe->in.head != NULL && pipe->in.head->size > 0 && bytes.size < limit) {
        struct gd_chunk *chunk = pipe->in.head;
        size_t left = chunk->size - chunk->begin;
        size_t part = left < limit - bytes.size ? left : limit - bytes.size;

        if (!alone) {
            memcpy(world->gather + bytes.size, chunk->data + chunk->begin, part);
        }
        bytes.size += part;
        chunk->begin += part;
        if (chunk->begin == chunk->size) {
            push(used, pop(&pipe->in));
        }
    }
    bytes.data = alone ? bytes.data : world->gather;
    return bytes;
}

static size_t readable(const struct gd_pipe *pipe)
{
    size_t size = 0;

    for (const struct gd_chunk *chunk = pipe->in.head;
         chunk != NULL && chunk->size > 0 && size < GD_READ_SIZE; chunk = chunk->next) {
        size += chunk->size - chunk->begin;
    }
    return size < GD_READ_SIZE ? size : GD_READ_SIZE;
}

static void tell_read(struct gd_end *end, enum gd_err err, struct gd_slice bytes)
{
    struct gd_process *running = gd__heap_enter(end->process->world, end->process);

    end->read_ended = err != GD_OK;
    end->stream->on_read(end->stream, err, bytes);
    gd__heap_leave(end->process->world, running);
}

/* The frames that a read ends are shown. */
static void show_frames(struct gd_pipe *pipe, const struct gd_chunks *used)
{
    struct gd_world *world = pipe->connection->world;
    const struct gd_world_framer *framer = &world->options.framer;

    if (!pipe->connection->framed || framer->told == NULL) {
        return;
    }
    for (const struct gd_chunk *chunk = used->head; chunk != NULL; chunk = chunk->next) {
        struct gd_slice frame = {chunk->data, chunk->size};
        struct gd_process *running = gd__heap_enter(world, NULL);

        if (framer->size(framer->context, frame) == chunk->size) { /* Else too large for one. */
            framer->told(framer->context, sender_of(pipe)->process->number,
                         receiver_of(pipe)->process->number, frame);
        }
        gd__heap_leave(world, running);
    }
}

static void run_read(struct gd_world *world, struct gd_world_event *event)
{
    struct gd_pipe *pipe = GD_CONTAINER(event, struct gd_pipe, read);
    struct gd_end *end = receiver_of(pipe);
    struct gd_slice none = {NULL, 0};
    struct gd_chunks used = {NULL, NULL};
    gd_time_ns delay = 0;

    GD_ASSERT(end->stream != NULL);
    GD_ASSERT(end->reading && !end->read_ended && !end->closing);
    if (end->broken) {
        GD__TRACE(world, end->process->number, "read", "%s", gd_err_text(end->broken_err));
        tell_read(end, end->broken_err, none);
        return;
    }
    if (pipe->in.head->fin) {
        GD__TRACE(world, end->process->number, "read", "end from %s",
                  sender_of(pipe)->process->name);
        gd__heap_free(&world->heap, pop(&pipe->in));
        tell_read(end, GD_ERR_END, none);
        return;
    }
    size_t size = readable(pipe);
    if (size > 1 &&
        gd__chance(end->process, GD_FOR_FRAGMENT, link_of(pipe)->options.fragment_ppm)) {
        size = gd__between(end->process, GD_FOR_FRAGMENT, 1, size - 1);
        delay = gd__between(end->process, GD_FOR_FRAGMENT, 0, link_of(pipe)->options.latency_max);
        gd__count(world, GD_WORLD_COUNT_FRAGMENTED);
    }
    struct gd_slice bytes = take_read(pipe, size, &used);
    GD__TRACE(world, end->process->number, "read", "%zu bytes from %s", bytes.size,
              sender_of(pipe)->process->name);
    acknowledge(pipe, bytes.size);
    show_frames(pipe, &used);
    tell_read(end, GD_OK, bytes);
    while (used.head != NULL) {
        gd__heap_free(&world->heap, pop(&used));
    }
    gd__pipe_wake_reader(pipe, delay);
}

void gd__stream_read_start(struct gd_stream *stream, gd_stream_read_fn *on_read)
{
    struct gd_end *end = stream->world;

    stream->on_read = on_read;
    if (!end->closing) {
        GD_ASSERT(end->connected);
        end->reading = true;
        gd__pipe_wake_reader(gd__pipe_in(end), 0);
    }
}

void gd__stream_read_stop(struct gd_stream *stream)
{
    struct gd_end *end = stream->world;

    end->reading = false;
    gd__unschedule(end->process->world, &gd__pipe_in(end)->read);
}

/* ---------------------------------------------------------------- lifetime */

void gd__pipe_cancel(struct gd_pipe *pipe, enum gd_err err)
{
    struct gd_write *write = pipe->head;

    gd__pipe_drop_writes(pipe);
    tell_writes(sender_of(pipe), write, err);
}

void gd__pipe_drop_writes(struct gd_pipe *pipe)
{
    gd__unschedule(pipe->connection->world, &pipe->send);
    pipe->head = pipe->last = NULL;
    pipe->queued_size = pipe->head_put = 0;
    pipe->ack_held = false;
}

/* The window opens: a sender that waited for it tries again, and learns that nobody is there. (Real
 * machines probe a closed window for that.) */
void gd__pipe_drop_reads(struct gd_pipe *pipe)
{
    bool any = pipe->in.head != NULL;

    gd__unschedule(pipe->connection->world, &pipe->read);
    drop_chunks(pipe, &pipe->in);
    if (any) {
        acknowledge(pipe, 0);
    }
}

void gd__pipe_init(struct gd_pipe *pipe, struct gd_connection *connection, unsigned side)
{
    pipe->connection = connection;
    pipe->side = side;
    pipe->send = (struct gd_world_event){.run = run_send, .kind = GD_EVENT_SEND};
    pipe->arrive = (struct gd_world_event){.run = run_arrive, .kind = GD_EVENT_ARRIVE};
    pipe->timeout = (struct gd_world_event){.run = run_timeout, .kind = GD_EVENT_STREAM_TIMEOUT};
    pipe->read = (struct gd_world_event){.run = run_read, .kind = GD_EVENT_READ};
}

void gd__pipe_bind(struct gd_pipe *pipe)
{
    pipe->send.process = sender_of(pipe)->process->number;
    pipe->read.process = receiver_of(pipe)->process->number;
    pipe->arrive.process = pipe->timeout.process = GD_WORLD_NOBODY;
    pipe->send.detail = pipe->read.detail = pipe->arrive.detail = pipe->timeout.detail =
        pipe->connection->number * 2 + pipe->side;
}

void gd__pipe_free(struct gd_pipe *pipe)
{
    struct gd_world *world = pipe->connection->world;

    gd__pipe_drop_writes(pipe);
    gd__pipe_drop_reads(pipe);
    gd__unschedule(world, &pipe->arrive);
    gd__unschedule(world, &pipe->timeout);
    drop_chunks(pipe, &pipe->way);
    gd__heap_free(&world->heap, pipe->assembly);
}
