/* session.c - clients: bytes in, requests in flight, replies out in order.
 *
 * A session parses ahead as far as its own order allows (parser.h): neighbours of one kind are in
 * flight together; the first request of another kind is held, and nothing more is read, until the
 * rest is answered. So a pipeline of writes shares one proposal, and no read of a client runs
 * beside a write of the same client.
 *
 * After the client's FIN the replies still owed are sent, then our FIN. A client that does not read
 * its replies is closed at the limit.
 *
 * The Parser's state of a client must outlive the requests that carry it, so a session is freed
 * when it is closed and its last request is answered, whichever comes later.
 *
 * Invariants
 *   C1. Replies leave in the order of the requests.
 *   C2. `write_count`, `read_count`, `other_count` are the kinds in flight; at most one is above 0.
 *   C3. A held request's slices stay valid: the input does not move while one is held. */
#include "engine/node_internal.h"
#include "engine/memory.h"

/* Slots kept for the next requests, and the room for a reply that each may keep. */
enum { SPARE_SLOTS_MAX = 2048, SPARE_REPLY_SIZE_MAX = 512 };

static void mark_dirty(struct gd__session *session)
{
    if (!session->dirty && !session->closed) {
        session->dirty = true;
        session->next_dirty = session->node->dirty;
        session->node->dirty = session;
        gd__node_kick(session->node);
    }
}

/* ---------------------------------------------------------------- the end of a session */

static void free_session(struct gd__session *session)
{
    struct gd_node *node = session->node;

    GD_ASSERT(session->slot_count == 0);
    if (session->dirty) {
        struct gd__session **link = &node->dirty;
        while (*link != session) {
            link = &(*link)->next_dirty;
        }
        *link = session->next_dirty;
    }
    if (session->previous != NULL) {
        session->previous->next = session->next;
    } else {
        node->sessions = session->next;
    }
    if (session->next != NULL) {
        session->next->previous = session->previous;
    } else {
        node->sessions_last = session->previous;
    }
    gd_timer_stop(node->io, &session->sleep_timer);
    if (node->options.parser->v->session_free != NULL) {
        node->options.parser->v->session_free(node->options.parser, session->parser_session);
    }
    gd_bytes_release(&session->input);
    gd_bytes_release(&session->output);
    gd_bytes_release(&session->sending);
    gd_free(session);
    node->session_total--;
}

static void gather(struct gd__session *session);

static void on_closed(struct gd_stream *stream, enum gd_err err)
{
    struct gd__session *session = stream->context;
    struct gd_node *node = session->node;

    (void)err;
    session->closed = true;
    gather(session); /* What was answered since the last flush: no other comes for this one. */
    if (session->slot_count == 0) {
        free_session(session);
    }
    gd__node_handle_closed(node);
}

void gd__session_close(struct gd__session *session)
{
    if (session->closing) {
        return;
    }
    session->closing = true;
    session->holding = false;
    session->node->session_count--;
    gd_timer_stop(session->node->io, &session->sleep_timer);
    gd_stream_close(&session->stream, on_closed);
}

/* ---------------------------------------------------------------- replies */

static void count_slot(struct gd__session *session, enum gd_request_kind kind, bool begun)
{
    uint32_t *count = kind == GD_REQUEST_WRITE  ? &session->write_count
                      : kind == GD_REQUEST_READ ? &session->read_count
                                                : &session->other_count;
    if (begun) {
        (*count)++;
    } else {
        GD_ASSERT(*count > 0);
        (*count)--;
    }
}

/* One that was used before, if there is one: its reply is empty, and has its room. */
static struct gd__slot *take_slot(struct gd_node *node)
{
    struct gd__slot *slot = node->spare_slots;
    struct gd_bytes room;

    if (slot == NULL) {
        return gd_calloc(1, sizeof *slot);
    }
    node->spare_slots = slot->next;
    node->spare_slot_count--;
    room = slot->reply;
    *slot = (struct gd__slot){.reply = room};
    return slot;
}

static void give_slot(struct gd_node *node, struct gd__slot *slot)
{
    if (node->spare_slot_count >= SPARE_SLOTS_MAX || slot->reply.capacity > SPARE_REPLY_SIZE_MAX) {
        gd_bytes_release(&slot->reply);
        gd_free(slot);
        return;
    }
    gd_bytes_clear(&slot->reply);
    slot->next = node->spare_slots;
    node->spare_slots = slot;
    node->spare_slot_count++;
}

void gd__sessions_release(struct gd_node *node)
{
    while (node->spare_slots != NULL) {
        struct gd__slot *slot = node->spare_slots;

        node->spare_slots = slot->next;
        gd_bytes_release(&slot->reply);
        gd_free(slot);
    }
    node->spare_slot_count = 0;
}

static struct gd__slot *new_slot(struct gd__session *session, const struct gd_request *request)
{
    struct gd__slot *slot = take_slot(session->node);

    slot->session = session;
    slot->kind = request->kind;
    slot->begun_ns = gd_io_now(session->node->io);
    slot->barrier = (request->flags & GD_REQUEST_BARRIER) != 0;
    slot->silent = (request->flags & GD_REQUEST_SILENT) != 0;
    slot->key_slot = request->has_slot ? request->slot : 0;
    if (session->last == NULL) {
        session->first = slot;
    } else {
        session->last->next = slot;
    }
    session->last = slot;
    session->slot_count++;
    count_slot(session, slot->kind, true);
    session->barrier = session->barrier || slot->barrier;
    return slot;
}

/* Answered slots at the front become output (C1). */
static void gather(struct gd__session *session)
{
    while (session->first != NULL && session->first->answered) {
        struct gd__slot *slot = session->first;
        session->answered_ns = gd_io_now(session->node->io);
        session->first = slot->next;
        if (session->first == NULL) {
            session->last = NULL;
        }
        session->slot_count--;
        if (!session->closing && !slot->silent) {
            if (session->output.size == 0 && slot->reply.size > 16384) {
                struct gd_bytes swap = session->output; /* A large reply is not copied. */
                session->output = slot->reply;
                slot->reply = swap;
            } else {
                gd_bytes_add(&session->output, slot->reply.data, slot->reply.size);
            }
        }
        give_slot(session->node, slot);
    }
}

void gd__slot_done(struct gd__slot *slot)
{
    struct gd__session *session = slot->session;

    GD_ASSERT(!slot->answered); /* N3 */
    slot->answered = true;
    count_slot(session, slot->kind, false);
    if (slot->barrier) {
        session->barrier = false;
    }
    if (session->closed) {
        gather(session);
        if (session->slot_count == 0) {
            free_session(session);
        }
        return;
    }
    mark_dirty(session);
}

void gd__slot_outcome(struct gd__slot *slot, enum gd_outcome_kind kind, const char *text)
{
    struct gd_outcome outcome = {.kind = kind, .slot = slot->key_slot, .text = text};
    struct gd_parser *parser = slot->session->node->options.parser;

    parser->v->outcome(parser, slot->session->parser_session, &outcome, &slot->reply);
    gd__slot_done(slot);
}

void gd__slot_data(struct gd__slot *slot, struct gd_slice data)
{
    struct gd_outcome outcome = {
        .kind = GD_OUTCOME_DONE, .slot = slot->key_slot, .text = "", .data = data};
    struct gd_parser *parser = slot->session->node->options.parser;

    parser->v->outcome(parser, slot->session->parser_session, &outcome, &slot->reply);
    gd__slot_done(slot);
}

static void on_sent(struct gd_write *write, enum gd_err err)
{
    struct gd__session *session = write->context;

    session->writing = false;
    if (err != GD_OK) {
        gd__session_close(session);
        return;
    }
    session->node->status.bytes_out += session->sending.size;
    if (session->sending.capacity > (size_t)1 << 20) {
        gd_bytes_release(&session->sending);
    }
    if (session->output.size > 0 || session->ending || session->input_ended || session->holding ||
        session->more) {
        mark_dirty(session); /* Else a turn would find nothing to do. */
    }
}

/* Sends what there is; ends a session that owes nothing more. */
static void flush_output(struct gd__session *session)
{
    struct gd_bytes swap = session->sending;

    if (session->closing || session->writing) {
        if (session->output.size > session->node->options.session_output_size_max) {
            GD_REACHED("client closed: it does not read its replies");
            gd__session_close(session);
        }
        return;
    }
    if (session->output.size == 0) {
        if (session->slot_count == 0 && !session->holding && !session->asleep &&
            (session->ending || session->input_ended)) {
            gd_stream_shutdown(&session->stream);
            gd__session_close(session);
        }
        return;
    }
    gd_bytes_clear(&swap);
    session->sending = session->output;
    session->output = swap;
    session->write = (struct gd_write){
        .slices = {gd_bytes_slice(&session->sending)},
        .count = 1,
        .done = on_sent,
        .context = session,
    };
    if (gd_stream_write(&session->stream, &session->write) != GD_OK) {
        gd__session_close(session);
        return;
    }
    session->writing = true;
}

/* ---------------------------------------------------------------- requests */

static void on_sleep_over(struct gd_timer *timer)
{
    struct gd__session *session = timer->context;

    session->asleep = false;
    mark_dirty(session);
}

static void kill_sessions(struct gd_node *node, const struct gd_local_result *result)
{
    for (size_t i = 0; i < result->id_count; i++) {
        for (struct gd__session *s = node->sessions; s != NULL; s = s->next) {
            if (s->id == result->ids[i]) {
                s->ending = true;
                gd__session_close(s);
                break;
            }
        }
    }
}

static void run_local(struct gd__session *session, struct gd__slot *slot,
                      const struct gd_request *request)
{
    struct gd_node *node = session->node;
    struct gd_node_status status;
    struct gd_local_result result = {.kind = GD_LOCAL_NOTHING};

    gd_node_status(node, &status);
    node->options.parser->v->local(node->options.parser, session->parser_session, request, &status,
                                   &slot->reply, &result);
    gd__slot_done(slot);
    switch (result.kind) {
    case GD_LOCAL_NOTHING:
        break;
    case GD_LOCAL_CLOSE:
        session->ending = true;
        break;
    case GD_LOCAL_KILL:
        kill_sessions(node, &result);
        break;
    case GD_LOCAL_SLEEP:
        session->asleep = true;
        gd_timer_start(node->io, &session->sleep_timer, gd_io_now(node->io) + result.sleep_ns);
        break;
    }
}

/* May a request of this kind start beside those in flight (C2)? */
static bool may_start(const struct gd__session *session, enum gd_request_kind kind)
{
    switch (kind) {
    case GD_REQUEST_WRITE:
        return session->read_count == 0 && session->other_count == 0;
    case GD_REQUEST_READ:
        return session->write_count == 0 && session->other_count == 0;
    default:
        return session->read_count == 0 && session->write_count == 0 && session->other_count == 0;
    }
}

static void start_request(struct gd__session *session, const struct gd_request *request)
{
    struct gd_node *node = session->node;
    struct gd__slot *slot = new_slot(session, request);

    node->status.requests++;
    switch (request->kind) {
    case GD_REQUEST_WRITE:
        gd__write_begin(node, slot, request->body);
        break;
    case GD_REQUEST_READ:
        gd__read_begin(node, slot, request->body);
        break;
    case GD_REQUEST_LOCAL:
        run_local(session, slot, request);
        break;
    case GD_REQUEST_ADMIN:
        gd__admin_begin(node, slot, &request->admin);
        break;
    case GD_REQUEST_CLOSE:
        gd_bytes_add(&slot->reply, request->body.data, request->body.size);
        session->ending = true;
        gd__slot_done(slot);
        break;
    case GD_REQUEST_MORE:
        break; /* UNTESTED: it is no request. */
    }
}

bool gd__session_deaf(const struct gd__session *session)
{
    return session->output.size > session->node->options.session_output_size_max / 2;
}

/* Is there a reason not to look at more input now? */
static bool blocked(const struct gd__session *session)
{
    return session->closing || session->ending || session->barrier || session->asleep ||
           session->slot_count >= session->node->options.session_pipeline_max ||
           gd__session_deaf(session);
}

static void parse_more(struct gd__session *session)
{
    struct gd_parser *parser = session->node->options.parser;
    size_t taken = 0;

    GD_ASSERT(!session->holding);
    while (!blocked(session) && taken < session->input.size) {
        struct gd_request request = {.kind = GD_REQUEST_MORE};
        size_t consumed = 0;
        parser->v->parse(
            parser, session->parser_session,
            (struct gd_slice){session->input.data + taken, session->input.size - taken}, &consumed,
            &request);
        taken += consumed;
        if (request.kind == GD_REQUEST_MORE) {
            if (consumed == 0) {
                break;
            }
            continue;
        }
        if (!may_start(session, request.kind)) {
            session->held = request;
            session->holding = true;
            break;
        }
        start_request(session, &request);
    }
    session->more = taken < session->input.size && blocked(session);
    if (session->holding) {
        session->held_taken = taken; /* C3: consumed once it has started. */
        return;
    }
    gd_bytes_consume(&session->input, taken);
    if (session->input.size == 0 && session->input.capacity > (size_t)1 << 20) {
        gd_bytes_release(&session->input);
    }
}

static void on_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes);

/* Reads flow while there is room for what they bring. */
static void set_reading(struct gd__session *session)
{
    bool want = !session->closing && !session->input_ended && !session->ending &&
                !session->holding && !blocked(session);

    if (want && !session->reading) {
        session->reading = true;
        gd_stream_read_start(&session->stream, on_read);
    } else if (!want && session->reading && !session->closing) {
        session->reading = false;
        gd_stream_read_stop(&session->stream);
    }
}

/* One session's turn. */
static void turn(struct gd__session *session)
{
    gather(session); /* What is answered is in the way of nothing any more. */
    if (session->holding && !blocked(session) && may_start(session, session->held.kind)) {
        size_t taken = session->held_taken;
        session->holding = false;
        start_request(session, &session->held);
        gd_bytes_consume(&session->input, taken);
    }
    if (!session->holding) {
        parse_more(session);
    }
    gather(session);
    if (!session->asleep) {
        flush_output(session);
    }
    set_reading(session);
}

/* Could it go on, and is not going to? */
static bool is_stalled(const struct gd__session *session)
{
    if (session->closing || session->dirty || session->asleep || session->writing) {
        return false; /* What it waits for gives it a turn. */
    }
    if ((session->first != NULL && session->first->answered) || session->output.size > 0) {
        return true;
    }
    return !blocked(session) &&
           (session->holding ? may_start(session, session->held.kind) : session->more);
}

uint64_t gd_node_stalled(const struct gd_node *node)
{
    for (const struct gd__session *s = node->sessions; s != NULL; s = s->next) {
        if (is_stalled(s)) {
            return s->id;
        }
    }
    return 0;
}

gd_time_ns gd_node_waits_since(const struct gd_node *node)
{
    gd_time_ns earliest = 0;

    for (const struct gd__session *s = node->sessions; s != NULL; s = s->next) {
        if (s->first == NULL || s->closing || gd__session_deaf(s) ||
            s->first->kind == GD_REQUEST_ADMIN) {
            continue;
        }
        gd_time_ns since =
            s->first->begun_ns > s->answered_ns ? s->first->begun_ns : s->answered_ns;
        earliest = earliest == 0 || since < earliest ? since : earliest;
    }
    return earliest;
}

void gd__sessions_flush(struct gd_node *node)
{
    struct gd__session *list = node->dirty;

    node->dirty = NULL;
    while (list != NULL) {
        struct gd__session *session = list;
        list = session->next_dirty;
        session->dirty = false;
        if (!session->closed) {
            turn(session);
        }
    }
}

bool gd__sessions_owed(const struct gd_node *node)
{
    for (const struct gd__session *s = node->sessions; s != NULL; s = s->next) {
        if (!s->closing && (s->slot_count > 0 || s->output.size > 0 || s->writing)) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- connections */

static void on_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    struct gd__session *session = stream->context;

    if (session->closing) {
        return;
    }
    if (err == GD_ERR_END) {
        session->input_ended = true;
        session->reading = false;
        mark_dirty(session);
        return;
    }
    if (err != GD_OK) {
        gd__session_close(session);
        return;
    }
    session->active_ns = gd_io_now(session->node->io);
    session->node->status.bytes_in += bytes.size;
    gd_bytes_add(&session->input, bytes.data, bytes.size);
    mark_dirty(session);
}

static void on_incoming(struct gd_listener *listener)
{
    struct gd_node *node = listener->context;
    struct gd__session *session;

    if (node->session_count >= node->options.session_count_max) {
        GD_REACHED("client refused: too many");
        node->status.connections_refused++;
        return;
    }
    session = gd_calloc(1, sizeof *session);
    session->node = node;
    session->stream.context = session;
    if (gd_listener_accept(listener, &session->stream) != GD_OK) {
        gd_free(session); /* UNTESTED: who came has gone again meanwhile. */
        return;
    }
    node->handle_count++;
    node->session_count++;
    node->session_total++;
    node->status.connections_received++;
    session->id = node->session_next_id++;
    session->opened_ns = session->active_ns = gd_io_now(node->io);
    session->sleep_timer = (struct gd_timer){.fire = on_sleep_over, .context = session};
    gd_stream_peer(&session->stream, &session->address);
    if (node->options.parser->v->session_new != NULL) {
        session->parser_session = node->options.parser->v->session_new(
            node->options.parser, session->id, &session->address);
    }
    session->previous = node->sessions_last;
    if (node->sessions_last != NULL) {
        node->sessions_last->next = session;
    } else {
        node->sessions = session;
    }
    node->sessions_last = session;
    session->reading = true;
    gd_stream_read_start(&session->stream, on_read);
}

void gd__sessions_listen(struct gd_node *node)
{
    struct gd_error error;
    enum gd_err err;

    node->client_listener = (struct gd_listener){.incoming = on_incoming, .context = node};
    err = gd_listen(node->io, &node->client_listener, &node->options.client_address, &error);
    if (err != GD_OK) {
        gd__node_fail(node, err, &error);
        return;
    }
    node->client_listening = true;
    node->handle_count++;
}

static void on_listener_closed(struct gd_listener *listener)
{
    gd__node_handle_closed(listener->context);
}

void gd__sessions_stop_listening(struct gd_node *node)
{
    if (node->client_listening) {
        node->client_listening = false;
        gd_listener_close(&node->client_listener, on_listener_closed);
    }
}

void gd__sessions_close(struct gd_node *node)
{
    struct gd__session *next;

    for (struct gd__session *session = node->sessions; session != NULL; session = next) {
        next = session->next;
        gd__session_close(session);
    }
}
