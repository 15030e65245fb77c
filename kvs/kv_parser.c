/* kv_parser.c - requests sorted by kind. See kv_parser.h.
 *
 * What a request does to the session itself happens in parse when it decides how the next bytes are
 * to be read (MULTI's queue), and in local() when it must wait for earlier replies (HELLO, AUTH).
 * Errors found in parse become LOCAL requests, so that they are answered in their turn. */
#include "kvs/kv_parser.h"
#include "engine/orders.h"
#include "engine/memory.h"
#include "kvs/handlers.h"

enum {
    LINE_SIZE_MAX = 64 * 1024,
    ARGS_SHOWN_SIZE = 128,
    GUEST_BULK_SIZE_MAX = 16384,
    GUEST_ARG_COUNT_MAX = 10,
};

void gd_kv_session_unwatch(struct gd_kv_session *session)
{
    for (size_t i = 0; i < session->watch_count; i++) {
        gd_bytes_release(&session->watches[i].key);
    }
    session->watch_count = 0;
}

void gd_kv_session_discard(struct gd_kv_session *session)
{
    session->multi = session->multi_failed = session->multi_writes = false;
    session->queued_count = 0;
    session->has_slot = false;
    gd_bytes_release(&session->queued);
    gd_kv_session_unwatch(session);
}

static void *session_new(struct gd_parser *parser, uint64_t session_id,
                         const struct gd_address *peer)
{
    struct gd_kv_parser *kv = (struct gd_kv_parser *)parser;
    struct gd_kv_session *session = gd_calloc(1, sizeof *session);

    session->id = session_id;
    session->address = *peer;
    session->protocol = 2;
    session->authenticated = kv->password == NULL;
    gd_resp_reader_init(&session->reader, &kv->limits);
    return session;
}

static void session_free(struct gd_parser *parser, void *context)
{
    struct gd_kv_session *session = context;

    (void)parser;
    gd_kv_session_discard(session);
    gd_free(session->watches);
    gd_resp_reader_release(&session->reader);
    gd_bytes_release(&session->body);
    gd_bytes_release(&session->fault);
    gd_free(session);
}

/* ---------------------------------------------------------------- faults */

static struct gd_reply fault_of(struct gd_kv_session *session)
{
    gd_bytes_clear(&session->fault);
    return (struct gd_reply){.out = &session->fault, .protocol = session->protocol};
}

/* The request is answered by this error, in its turn. */
static void fault(struct gd_kv_session *session, struct gd_request *request, const char *text)
{
    struct gd_reply reply = fault_of(session);

    gd_reply_error(&reply, text);
    session->local = NULL;
    request->kind = GD_REQUEST_LOCAL;
}

static void unknown_command(struct gd_kv_session *session, struct gd_request *request,
                            const struct gd_slice *args, size_t count)
{
    struct gd_bytes text = {0};
    size_t begin;

    gd_bytes_format(&text, "ERR unknown command '%.*s', with args beginning with: ",
                    (int)(args[0].size < 128 ? args[0].size : 128), (const char *)args[0].data);
    begin = text.size;
    for (size_t i = 1; i < count && text.size - begin < ARGS_SHOWN_SIZE; i++) {
        size_t left = ARGS_SHOWN_SIZE - (text.size - begin);
        gd_bytes_format(&text, "'%.*s' ", (int)(args[i].size < left ? args[i].size : left),
                        (const char *)args[i].data);
    }
    gd_bytes_add_u8(&text, 0);
    fault(session, request, (const char *)text.data);
    gd_bytes_release(&text);
}

/* ---------------------------------------------------------------- kinds */

static bool is_name(const struct gd_command *command, const char *name)
{
    return strcmp(command->name, name) == 0;
}

static void set_slot(const struct gd_command *command, const struct gd_slice *args, size_t count,
                     bool *has_slot, uint16_t *slot)
{
    if (command->key_first > 0 && (size_t)command->key_first < count) {
        *has_slot = true;
        *slot = gd_resp_slot(args[command->key_first]);
    }
}

static void data_request(struct gd_kv_session *session, const struct gd_command *command,
                         const struct gd_slice *args, size_t count, struct gd_request *request)
{
    gd_body_begin(&session->body, GD_BODY_COMMAND, session->protocol);
    gd_body_add_args(&session->body, args, count);
    request->kind = command->kind == GD_COMMAND_WRITE ? GD_REQUEST_WRITE : GD_REQUEST_READ;
    request->body = gd_bytes_slice(&session->body);
    set_slot(command, args, count, &request->has_slot, &request->slot);
}

/* Whether a command that this node answers only tells something, or changes what every client of
 * the node shares (CONFIG SET, from when it is queued): its answer may stand in a transaction. What
 * changes the connection may not: DISCARD could not take it back. */
static bool told_in_multi(const struct gd_command *command, const struct gd_slice *args,
                          size_t count)
{
    static const char *const whole[] = {"asking", "cluster",  "command",   "config", "function",
                                        "info",   "readonly", "readwrite", "slowlog"};
    static const char *const parts[][2] = {
        {"client", "getname"}, {"client", "help"}, {"client", "id"},  {"client", "info"},
        {"client", "list"},    {"raft", "help"},   {"raft", "nodes"}, {"raft", "status"}};

    for (size_t i = 0; i < GD_COUNT(whole); i++) {
        if (is_name(command, whole[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < GD_COUNT(parts); i++) {
        if (is_name(command, parts[i][0]) && count > 1 && gd_slice_is(args[1], parts[i][1])) {
            return true;
        }
    }
    return false;
}

static void queue(struct gd_kv_session *session, const struct gd_command *command,
                  const struct gd_slice *args, size_t count, struct gd_request *request)
{
    struct gd_reply reply = fault_of(session);

    if (is_name(command, "watch")) { /* Refused alone: the transaction goes on. */
        fault(session, request, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    if (session->queued.size > session->reader.limits->bulk_size_max) {
        session->multi_failed = true;
        gd_bytes_release(&session->queued); /* It will not run. */
        fault(session, request, "ERR the transaction is too large (proto-max-bulk-len)");
        return;
    }
    if (command->run == NULL && told_in_multi(command, args, count)) {
        return; /* LOCAL: its answer is queued, see queue_answer. */
    }
    if (command->run == NULL) {
        session->multi_failed = true;
        fault(session, request, "ERR Command not allowed inside a transaction");
        return;
    }
    session->multi_writes = session->multi_writes || command->kind == GD_COMMAND_WRITE;
    if (!session->has_slot) {
        set_slot(command, args, count, &session->has_slot, &session->slot);
    }
    gd_body_add_args(&session->queued, args, count);
    session->queued_count++;
    gd_reply_simple(&reply, "QUEUED");
    session->local = NULL;
    request->kind = GD_REQUEST_LOCAL;
}

static void exec(struct gd_kv_session *session, struct gd_request *request)
{
    struct gd_bytes *body = &session->body;

    if (!session->multi) {
        fault(session, request, "ERR EXEC without MULTI");
        return;
    }
    if (session->multi_failed) {
        gd_kv_session_discard(session);
        fault(session, request, "EXECABORT Transaction discarded because of previous errors.");
        return;
    }
    gd_body_begin(body, GD_BODY_TRANSACTION, session->protocol);
    gd_bytes_add_le32(body, (uint32_t)session->watch_count);
    for (size_t i = 0; i < session->watch_count; i++) {
        const struct gd_kv_watch *watch = &session->watches[i];
        gd_bytes_add_le32(body, (uint32_t)watch->key.size);
        gd_bytes_add(body, watch->key.data, watch->key.size);
        gd_bytes_add_le64(body, watch->version);
    }
    gd_bytes_add_le32(body, session->queued_count);
    gd_bytes_add(body, session->queued.data, session->queued.size);
    request->kind = session->multi_writes ? GD_REQUEST_WRITE : GD_REQUEST_READ;
    request->body = gd_bytes_slice(body);
    request->has_slot = session->has_slot;
    request->slot = session->slot;
    gd_kv_session_discard(session);
}

static void begin_multi(struct gd_kv_session *session, struct gd_request *request)
{
    struct gd_reply reply = fault_of(session);

    if (session->multi) {
        fault(session, request, "ERR MULTI calls can not be nested");
        return;
    }
    session->multi = true;
    gd_reply_simple(&reply, "OK");
    request->kind = GD_REQUEST_LOCAL;
}

static void discard(struct gd_kv_session *session, struct gd_request *request)
{
    struct gd_reply reply = fault_of(session);

    if (!session->multi) {
        fault(session, request, "ERR DISCARD without MULTI");
        return;
    }
    gd_kv_session_discard(session);
    gd_reply_simple(&reply, "OK");
    request->kind = GD_REQUEST_LOCAL;
}

/* ---------------------------------------------------------------- RAFT's changes */

static void raft_request(struct gd_kv_session *session, const struct gd_slice *args, size_t count,
                         struct gd_request *request)
{
    enum gd_err err = gd_order_read(&args[1], count - 1, &request->admin);

    if (err == GD_OK) {
        request->kind = GD_REQUEST_ADMIN;
    } else if (err == GD_ERR_INVALID) {
        fault(session, request, "ERR wrong arguments; see RAFT HELP");
    } /* Else it is local: STATUS, NODES, HELP. */
}

/* ---------------------------------------------------------------- parse */

/* Another protocol's client: a browser that was led here must not get its commands through, so the
 * connection ends without a word, as Redis does it. */
static bool is_http(struct gd_slice name)
{
    return gd_slice_is(name, "post") || gd_slice_is(name, "host:");
}

/* What is wrong with a known command's arguments; true when nothing is. */
static bool check_arguments(struct gd_kv_session *session, const struct gd_command *command,
                            const struct gd_slice *args, size_t count)
{
    struct gd_reply reply = fault_of(session);

    if (gd_command_arity_fits(command, count)) {
        return count < 2 || gd_kv_subcommand_fits(command, args, count, &reply);
    }
    if (session->multi && is_name(command, "exec")) {
        gd_kv_session_discard(session);
        gd_reply_error(&reply, "EXECABORT Transaction discarded because of: wrong number of "
                               "arguments for 'exec' command");
    } else {
        gd_reply_error_format(&reply, "ERR wrong number of arguments for '%s' command",
                              command->name);
    }
    return false;
}

static bool before_auth(const struct gd_command *command)
{
    return is_name(command, "auth") || is_name(command, "hello") || is_name(command, "quit") ||
           is_name(command, "reset");
}

/* The command's row in whichever table this parser has. */
static const struct gd_command *find_command(const struct gd_kv_parser *parser,
                                             struct gd_kv_session *session,
                                             const struct gd_slice *args, size_t count,
                                             const char **refusal)
{
    *refusal = NULL;
    if (parser->find != NULL) {
        return parser->find(parser->find_context, args, count, refusal);
    }
    session->found = gd_command_find_near(args[0], session->found);
    return session->found;
}

static void sort_request(const struct gd_kv_parser *parser, struct gd_kv_session *session,
                         struct gd_slice *args, size_t count, struct gd_request *request)
{
    const char *refusal;
    const struct gd_command *command;

    if (parser->scripts != NULL && session->authenticated) {
        gd_scripts_take(parser->scripts, args, count);
    }
    command = find_command(parser, session, args, count, &refusal);

    request->kind = GD_REQUEST_LOCAL;
    session->local = command;
    if ((command == NULL || refusal != NULL) && is_http(args[0])) {
        request->kind = GD_REQUEST_CLOSE;
        return;
    }
    if (command == NULL) {
        session->multi_failed = session->multi;
        unknown_command(session, request, args, count);
        return;
    }
    memcpy(session->last_command, command->name, strlen(command->name) + 1);
    if (refusal == NULL && !check_arguments(session, command, args, count)) {
        session->multi_failed = session->multi;
        session->local = NULL;
    } else if (!session->authenticated && !before_auth(command)) {
        fault(session, request, "NOAUTH Authentication required.");
    } else if (refusal != NULL) {
        session->multi_failed = session->multi;
        fault(session, request, refusal);
    } else if (!session->multi &&
               (command->kind == GD_COMMAND_READ || command->kind == GD_COMMAND_WRITE)) {
        data_request(session, command, args, count, request);
        if (command->kind == GD_COMMAND_READ && is_name(command, "watch")) {
            request->flags = GD_REQUEST_BARRIER;
        }
    } else if (is_name(command, "quit")) {
        gd_bytes_add_text(&session->body, "+OK\r\n");
        request->kind = GD_REQUEST_CLOSE;
        request->body = gd_bytes_slice(&session->body);
    } else if (is_name(command, "multi")) {
        session->local = NULL;
        begin_multi(session, request);
    } else if (is_name(command, "exec")) {
        exec(session, request);
    } else if (is_name(command, "discard")) {
        session->local = NULL;
        discard(session, request);
    } else if (is_name(command, "reset")) {
        gd_kv_session_discard(session);
    } else if (session->multi) {
        queue(session, command, args, count, request);
    } else if (is_name(command, "raft")) {
        raft_request(session, args, count, request);
    }
}

/* CLIENT REPLY ON, which is answered whatever was in force. */
static bool turns_replies_on(const struct gd_kv_session *session)
{
    const struct gd_slice *args = session->reader.args;

    return session->local != NULL && session->reader.arg_count == 3 &&
           is_name(session->local, "client") && gd_slice_is(args[1], "reply") &&
           gd_slice_is(args[2], "on");
}

/* CLIENT REPLY: is this request's reply wanted? */
static void set_silence(struct gd_kv_session *session, struct gd_request *request)
{
    if (session->replies == GD_KV_REPLIES_SKIP_NEXT) {
        session->replies = GD_KV_REPLIES_SKIP;
    } else if (session->replies == GD_KV_REPLIES_SKIP) {
        session->replies = GD_KV_REPLIES_ON;
    }
    if ((session->replies == GD_KV_REPLIES_OFF || session->replies == GD_KV_REPLIES_SKIP) &&
        !turns_replies_on(session)) {
        request->flags |= GD_REQUEST_SILENT;
    }
}

static void parse(struct gd_parser *parser, void *context, struct gd_slice input, size_t *consumed,
                  struct gd_request *request)
{
    struct gd_kv_session *session = context;

    *request = (struct gd_request){.kind = GD_REQUEST_MORE};
    *consumed = 0;
    session->reader.guest = !session->authenticated;
    switch (gd_resp_read(&session->reader, input, consumed)) {
    case GD_RESP_MORE:
        return;
    case GD_RESP_ERROR:
        gd_bytes_clear(&session->body);
        gd_bytes_format(&session->body, "-ERR %s\r\n", session->reader.error);
        request->kind = GD_REQUEST_CLOSE;
        request->body = gd_bytes_slice(&session->body);
        *consumed = input.size;
        return;
    case GD_RESP_REQUEST:
        break;
    }
    if (session->reader.arg_count == 0) {
        return;
    }
    if (session->body.capacity > 65536) {
        gd_bytes_release(&session->body); /* A large request's room is not kept. */
    }
    gd_bytes_clear(&session->body);
    gd_bytes_clear(&session->fault);
    sort_request((struct gd_kv_parser *)parser, session, session->reader.args,
                 session->reader.arg_count, request);
    set_silence(session, request);
    ((struct gd_kv_parser *)parser)->commands_done++;
}

/* ---------------------------------------------------------------- answers */

/* Inside MULTI a command that the Tracker does not know is answered as it is queued, and EXEC
 * carries the answer: no other node could give it, and this one only with the node's facts. */
static void queue_answer(struct gd_kv_parser *parser, struct gd_kv_session *session,
                         const struct gd_node_status *status, struct gd_reply *reply)
{
    struct gd_bytes answer = {0};
    struct gd_reply told = {.out = &answer, .protocol = session->protocol};
    struct gd_local_result nothing = {.kind = GD_LOCAL_NOTHING};

    gd_reply_simple(reply, "QUEUED");
    if (session->multi_failed) {
        return; /* Nobody will read it. */
    }
    gd_kv_local(parser, session, session->reader.args, session->reader.arg_count, status, &told,
                &nothing);
    GD_ASSERT(nothing.kind == GD_LOCAL_NOTHING);
    gd_body_add_answer(&session->queued, gd_bytes_slice(&answer));
    session->queued_count++;
    gd_bytes_release(&answer);
}

static void local(struct gd_parser *parser, void *context, const struct gd_request *request,
                  const struct gd_node_status *status, struct gd_bytes *out,
                  struct gd_local_result *result)
{
    struct gd_kv_session *session = context;
    struct gd_reply reply = {.out = out, .protocol = session->protocol};

    (void)request;
    result->kind = GD_LOCAL_NOTHING;
    if (session->local == NULL || session->fault.size > 0) {
        gd_bytes_add(out, session->fault.data, session->fault.size);
        return;
    }
    if (session->multi) {
        queue_answer((struct gd_kv_parser *)parser, session, status, &reply);
        return;
    }
    gd_kv_local((struct gd_kv_parser *)parser, session, session->reader.args,
                session->reader.arg_count, status, &reply, result);
}

static void outcome(struct gd_parser *parser, void *context, const struct gd_outcome *outcome,
                    struct gd_bytes *out)
{
    struct gd_kv_session *session = context;
    struct gd_reply reply = {.out = out, .protocol = session->protocol};

    (void)parser;
    switch (outcome->kind) {
    case GD_OUTCOME_DONE:
        if (outcome->data.data != NULL) {
            gd_reply_bulk(&reply, outcome->data);
            break;
        }
        gd_reply_simple(&reply, outcome->text[0] == '\0' ? "OK" : outcome->text);
        break;
    case GD_OUTCOME_MOVED:
        gd_reply_error_format(&reply, "MOVED %u %s", (unsigned)outcome->slot,
                              outcome->address.text);
        break;
    case GD_OUTCOME_NO_LEADER:
    case GD_OUTCOME_STOPPING:
        gd_reply_error_format(&reply, "CLUSTERDOWN %s", outcome->text);
        break;
    case GD_OUTCOME_BUSY:
        gd_reply_error_format(&reply, "BUSY %s", outcome->text);
        break;
    case GD_OUTCOME_UNKNOWN:
        gd_reply_error_format(&reply, "UNKNOWN %s", outcome->text);
        break;
    case GD_OUTCOME_DATABASE:
        gd_reply_error_format(&reply, "DBDOWN %s", outcome->text);
        break;
    case GD_OUTCOME_REFUSED:
        gd_reply_error_format(&reply, "ERR %s", outcome->text);
        break;
    }
}

/* ---------------------------------------------------------------- WATCH, on the data's side */

/* Notes the versions in the session of the client that waits here; nothing when it has gone. */
void gd_command_watch(struct gd_command_context *context)
{
    struct gd_kv_session *session = context->session;

    for (size_t i = 1; i < context->arg_count; i++) {
        (void)gd_command_look(context, context->args[i]);
    }
    if (context->needs_time || session == NULL) {
        return; /* It is asked again. */
    }
    for (size_t i = 1; i < context->arg_count; i++) {
        struct gd_kv_watch *watch;
        if (session->watch_count == session->watch_capacity) {
            session->watch_capacity =
                session->watch_capacity == 0 ? 4 : session->watch_capacity * 2;
            session->watches =
                gd_realloc(session->watches, session->watch_capacity * sizeof session->watches[0]);
        }
        watch = &session->watches[session->watch_count++];
        *watch = (struct gd_kv_watch){.version = gd_keyspace_watch(context->ks, context->args[i])};
        gd_bytes_add(&watch->key, context->args[i].data, context->args[i].size);
    }
    gd_reply_simple(context->reply, "OK");
}

/* ---------------------------------------------------------------- life */

static const struct gd_parser_vtable vtable = {
    .session_new = session_new,
    .session_free = session_free,
    .parse = parse,
    .local = local,
    .outcome = outcome,
};

void gd_kv_parser_init(struct gd_kv_parser *parser, const struct gd_kv_parser_options *options)
{
    *parser = (struct gd_kv_parser){
        .parser = {.v = &vtable},
        .limits = {.bulk_size_max =
                       options->bulk_size_max != 0 ? options->bulk_size_max : GD_ITEM_SIZE_MAX,
                   .line_size_max = LINE_SIZE_MAX,
                   .arg_count_max = INT32_MAX,
                   .guest_bulk_size_max = GUEST_BULK_SIZE_MAX,
                   .guest_arg_count_max = GUEST_ARG_COUNT_MAX},
        .kv = options->kv,
        .settings = options->settings,
        .setting_count = options->setting_count,
        .find = options->find,
        .find_context = options->find_context,
        .scripts = options->scripts,
    };
    if (options->password != NULL && options->password[0] != '\0') {
        size_t size = strlen(options->password) + 1;
        parser->password = gd_malloc(size);
        memcpy(parser->password, options->password, size);
    }
}

void gd_kv_parser_release(struct gd_kv_parser *parser)
{
    gd_free(parser->password);
    *parser = (struct gd_kv_parser){0};
}
