/* commands_server.c - commands about the connection and the server: answered by the node that was
 * asked, from the session and a plain copy of the node's facts. */
#include "kvs/handlers.h"
#include "kvs/kv_parser.h"
#include "kvs/number.h"
#include "kvs/options.h"
#include <stdio.h>

typedef void local_fn(struct gd_kv_parser *parser, struct gd_kv_session *session,
                      const struct gd_slice *args, size_t count,
                      const struct gd_node_status *status, struct gd_reply *reply,
                      struct gd_local_result *result);

/* The arguments of a local_fn, where none is of use. */
#define UNUSED_LOCAL                                                                               \
    do {                                                                                           \
        (void)parser;                                                                              \
        (void)session;                                                                             \
        (void)args;                                                                                \
        (void)count;                                                                               \
        (void)status;                                                                              \
        (void)result;                                                                              \
    } while (0)

static void unknown_subcommand(const struct gd_slice *args, const char *command,
                               struct gd_reply *reply)
{
    gd_reply_error_format(reply, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                          (int)(args[1].size < 128 ? args[1].size : 128),
                          (const char *)args[1].data, command);
}

#define BAD_NAME "ERR Client names cannot contain spaces, newlines or special characters."

/* Text of an argument, cut to `size`; false when it holds what no name may. */
static bool take_name(struct gd_slice arg, char *to, size_t size)
{
    if (arg.size >= size) {
        return false;
    }
    for (size_t i = 0; i < arg.size; i++) {
        if (arg.data[i] <= ' ' || arg.data[i] >= 0x7f) {
            return false;
        }
    }
    memcpy(to, arg.data, arg.size);
    to[arg.size] = '\0';
    return true;
}

/* ---------------------------------------------------------------- inside MULTI too */

void gd_command_ping(struct gd_command_context *context)
{
    if (context->arg_count > 2) {
        gd_reply_error(context->reply, "ERR wrong number of arguments for 'ping' command");
    } else if (context->arg_count == 2) {
        gd_reply_bulk(context->reply, context->args[1]);
    } else {
        gd_reply_simple(context->reply, "PONG");
    }
}

void gd_command_echo(struct gd_command_context *context)
{
    gd_reply_bulk(context->reply, context->args[1]);
}

void gd_command_select(struct gd_command_context *context)
{
    int64_t number;

    if (!gd_command_number(context, context->args[1], &number)) {
        return;
    }
    if (number != 0) {
        gd_reply_error(context->reply, "ERR DB index is out of range");
        return;
    }
    gd_reply_simple(context->reply, "OK");
}

static void reply_time(struct gd_reply *reply, int64_t ms)
{
    char text[32];

    gd_reply_array(reply, 2);
    (void)snprintf(text, sizeof text, "%lld", (long long)(ms / 1000));
    gd_reply_bulk_text(reply, text);
    (void)snprintf(text, sizeof text, "%lld", (long long)(ms % 1000 * 1000));
    gd_reply_bulk_text(reply, text);
}

void gd_command_time(struct gd_command_context *context)
{
    reply_time(context->reply, context->now_ms);
}

/* Inside a transaction: EXEC has forgotten the watches already. */
void gd_command_unwatch(struct gd_command_context *context)
{
    gd_reply_simple(context->reply, "OK");
}

/* The handlers above, for a client outside MULTI. */
static void run_handler(gd_command_fn *run, const struct gd_slice *args, size_t count,
                        struct gd_reply *reply)
{
    struct gd_command_context context = {.args = args, .arg_count = count, .reply = reply};

    run(&context);
}

static void local_ping(struct gd_kv_parser *parser, struct gd_kv_session *session,
                       const struct gd_slice *args, size_t count,
                       const struct gd_node_status *status, struct gd_reply *reply,
                       struct gd_local_result *result)
{
    UNUSED_LOCAL;
    run_handler(gd_command_ping, args, count, reply);
}

static void local_echo(struct gd_kv_parser *parser, struct gd_kv_session *session,
                       const struct gd_slice *args, size_t count,
                       const struct gd_node_status *status, struct gd_reply *reply,
                       struct gd_local_result *result)
{
    UNUSED_LOCAL;
    run_handler(gd_command_echo, args, count, reply);
}

static void local_select(struct gd_kv_parser *parser, struct gd_kv_session *session,
                         const struct gd_slice *args, size_t count,
                         const struct gd_node_status *status, struct gd_reply *reply,
                         struct gd_local_result *result)
{
    UNUSED_LOCAL;
    run_handler(gd_command_select, args, count, reply);
}

static void local_time(struct gd_kv_parser *parser, struct gd_kv_session *session,
                       const struct gd_slice *args, size_t count,
                       const struct gd_node_status *status, struct gd_reply *reply,
                       struct gd_local_result *result)
{
    UNUSED_LOCAL;
    reply_time(reply, status->wall_ms);
}

static void local_ok(struct gd_kv_parser *parser, struct gd_kv_session *session,
                     const struct gd_slice *args, size_t count, const struct gd_node_status *status,
                     struct gd_reply *reply, struct gd_local_result *result)
{
    UNUSED_LOCAL;
    gd_reply_simple(reply, "OK");
}

static void local_unwatch(struct gd_kv_parser *parser, struct gd_kv_session *session,
                          const struct gd_slice *args, size_t count,
                          const struct gd_node_status *status, struct gd_reply *reply,
                          struct gd_local_result *result)
{
    UNUSED_LOCAL;
    gd_kv_session_unwatch(session);
    gd_reply_simple(reply, "OK");
}

/* ---------------------------------------------------------------- who is there */

/* Every byte is looked at, so that the time tells nothing of where they differ. */
static bool password_fits(const struct gd_kv_parser *parser, struct gd_slice given)
{
    size_t size = strlen(parser->password);
    unsigned differ = given.size != size;

    for (size_t i = 0; i < size && i < given.size; i++) {
        differ |= (unsigned)(given.data[i] ^ (uint8_t)parser->password[i]);
    }
    return differ == 0;
}

/* AUTH and HELLO's AUTH. False: refused, an error is replied. */
static bool authenticate(struct gd_kv_parser *parser, struct gd_kv_session *session,
                         const struct gd_slice *user, struct gd_slice password,
                         struct gd_reply *reply)
{
    if (parser->password == NULL && user == NULL) {
        gd_reply_error(reply, "ERR AUTH <password> called without any password configured for the "
                              "default user. Are you sure your configuration is correct?");
        return false;
    }
    if ((user != NULL && !gd_slice_is(*user, "default")) ||
        (parser->password != NULL && !password_fits(parser, password))) {
        gd_reply_error(reply, "WRONGPASS invalid username-password pair or user is disabled.");
        return false;
    }
    session->authenticated = true;
    return true;
}

static void local_auth(struct gd_kv_parser *parser, struct gd_kv_session *session,
                       const struct gd_slice *args, size_t count,
                       const struct gd_node_status *status, struct gd_reply *reply,
                       struct gd_local_result *result)
{
    UNUSED_LOCAL;
    if (count > 3) {
        gd_reply_error(reply, "ERR syntax error");
    } else if (authenticate(parser, session, count == 3 ? &args[1] : NULL, args[count - 1],
                            reply)) {
        gd_reply_simple(reply, "OK");
    }
}

static void reply_hello(const struct gd_kv_session *session, const struct gd_node_status *status,
                        struct gd_reply *reply)
{
    gd_reply_map(reply, 7);
    gd_reply_bulk_text(reply, "server");
    gd_reply_bulk_text(reply, "redis");
    gd_reply_bulk_text(reply, "version");
    gd_reply_bulk_text(reply, "7.0.15");
    gd_reply_bulk_text(reply, "proto");
    gd_reply_integer(reply, session->protocol);
    gd_reply_bulk_text(reply, "id");
    gd_reply_integer(reply, (int64_t)session->id);
    gd_reply_bulk_text(reply, "mode");
    gd_reply_bulk_text(reply, status->redirect ? "cluster" : "standalone");
    gd_reply_bulk_text(reply, "role");
    gd_reply_bulk_text(reply,
                       status->role == GD_ROLE_LEADER || !status->redirect ? "master" : "replica");
    gd_reply_bulk_text(reply, "modules");
    gd_reply_array(reply, 0);
}

static void local_hello(struct gd_kv_parser *parser, struct gd_kv_session *session,
                        const struct gd_slice *args, size_t count,
                        const struct gd_node_status *status, struct gd_reply *reply,
                        struct gd_local_result *result)
{
    int protocol = session->protocol;
    char name[GD_KV_NAME_SIZE] = {0};
    bool named = false;

    (void)result;
    if (count > 1) {
        if (!gd_slice_is(args[1], "2") && !gd_slice_is(args[1], "3")) {
            int64_t number;
            bool is_number = gd_number_parse(args[1], &number);
            gd_reply_error(reply, is_number
                                      ? "NOPROTO unsupported protocol version"
                                      : "ERR Protocol version is not an integer or out of range");
            return;
        }
        protocol = args[1].data[0] - '0';
        if (protocol == 3 && parser->find != NULL) { /* Clients fall back to 2. */
            gd_reply_error(reply, "NOPROTO replies come from the database, in RESP2");
            return;
        }
    }
    for (size_t at = 2; at < count;) {
        if (gd_slice_is(args[at], "auth") && at + 2 < count) {
            if (!authenticate(parser, session, &args[at + 1], args[at + 2], reply)) {
                return;
            }
            at += 3;
        } else if (gd_slice_is(args[at], "setname") && at + 1 < count) {
            if (!take_name(args[at + 1], name, sizeof name)) {
                gd_reply_error(reply, BAD_NAME);
                return;
            }
            named = true;
            at += 2;
        } else {
            gd_reply_error_format(reply, "ERR Syntax error in HELLO option '%.*s'",
                                  (int)(args[at].size < 128 ? args[at].size : 128),
                                  (const char *)args[at].data);
            return;
        }
    }
    if (!session->authenticated) {
        gd_reply_error(reply,
                       "NOAUTH HELLO must be called with the client already authenticated, "
                       "otherwise the HELLO <proto> AUTH <user> <pass> option can be used to "
                       "authenticate the client and select the RESP protocol version at the "
                       "same time");
        return;
    }
    if (named) {
        memcpy(session->name, name, sizeof name);
    }
    session->protocol = protocol;
    reply->protocol = protocol;
    reply_hello(session, status, reply);
}

static void local_reset(struct gd_kv_parser *parser, struct gd_kv_session *session,
                        const struct gd_slice *args, size_t count,
                        const struct gd_node_status *status, struct gd_reply *reply,
                        struct gd_local_result *result)
{
    UNUSED_LOCAL;
    session->protocol = 2;
    session->authenticated = parser->password == NULL;
    session->name[0] = '\0';
    session->replies = GD_KV_REPLIES_ON;
    reply->protocol = 2;
    gd_reply_simple(reply, "RESET");
}

/* ---------------------------------------------------------------- CLIENT */

static void add_client(struct gd_bytes *text, const struct gd_kv_session *session,
                       const struct gd_session_status *row)
{
    gd_bytes_format(text,
                    "id=%llu addr=%s laddr=? fd=-1 name=%s age=%llu idle=%llu flags=%s db=0 sub=0 "
                    "psub=0 ssub=0 multi=%d qbuf=%zu omem=%zu events=r cmd=%s user=default resp=%d "
                    "lib-name=%s lib-ver=%s",
                    (unsigned long long)session->id, session->address.text, session->name,
                    row == NULL ? 0ULL : (unsigned long long)(row->age_ns / 1000 / GD_NS_PER_MS),
                    row == NULL ? 0ULL : (unsigned long long)(row->idle_ns / 1000 / GD_NS_PER_MS),
                    session->multi ? "x" : "N", session->multi ? (int)session->queued_count : -1,
                    row == NULL ? 0 : row->input_size, row == NULL ? 0 : row->output_size,
                    session->last_command[0] == '\0' ? "NULL" : session->last_command,
                    session->protocol, session->library, session->library_version);
}

static bool is_client_type(struct gd_slice arg)
{
    return gd_slice_is(arg, "normal") || gd_slice_is(arg, "master") || gd_slice_is(arg, "slave") ||
           gd_slice_is(arg, "replica") || gd_slice_is(arg, "pubsub");
}

/* A pair that says which clients, whose value can be wrong: false, and the error is replied. */
static bool filter_fits(struct gd_slice name, struct gd_slice value, struct gd_reply *reply)
{
    int64_t number;

    if (gd_slice_is(name, "id") && (!gd_number_parse(value, &number) || number <= 0)) {
        gd_reply_error(reply, "ERR client-id should be greater than 0");
        return false;
    }
    if (gd_slice_is(name, "type") && !is_client_type(value)) {
        gd_reply_error_format(reply, "ERR Unknown client type '%.*s'",
                              (int)(value.size < 128 ? value.size : 128), (const char *)value.data);
        return false;
    }
    if (gd_slice_is(name, "skipme")
            ? !gd_slice_is(value, "yes") && !gd_slice_is(value, "no")
            : !gd_slice_is(name, "id") && !gd_slice_is(name, "type") &&
                  !gd_slice_is(name, "addr") && !gd_slice_is(name, "user")) {
        gd_reply_error(reply, "ERR syntax error");
        return false;
    }
    return true;
}

/* Whether CLIENT LIST's arguments want this client. */
static bool is_listed(const struct gd_slice *args, size_t count,
                      const struct gd_kv_session *session)
{
    int64_t number;

    if (count > 2 && gd_slice_is(args[2], "type")) {
        return gd_slice_is(args[3], "normal");
    }
    for (size_t at = 3; at < count; at++) {
        if (gd_number_parse(args[at], &number) && number == (int64_t)session->id) {
            return true;
        }
    }
    return count <= 2;
}

static bool list_arguments_fit(const struct gd_slice *args, size_t count, struct gd_reply *reply)
{
    int64_t number;
    bool by_id = count >= 4 && gd_slice_is(args[2], "id");

    for (size_t at = 3; at < count && by_id; at++) {
        if (!gd_number_parse(args[at], &number)) {
            gd_reply_error(reply, "ERR Invalid client ID");
            return false;
        }
    }
    if (count == 4 && gd_slice_is(args[2], "type")) {
        return filter_fits(args[2], args[3], reply);
    }
    if (count > 2 && !by_id) {
        gd_reply_error(reply, "ERR syntax error");
        return false;
    }
    return true;
}

static void client_list(const struct gd_kv_session *only, const struct gd_slice *args, size_t count,
                        const struct gd_node_status *status, struct gd_reply *reply)
{
    struct gd_bytes text = {0};

    for (size_t i = 0; i < status->session_count; i++) {
        const struct gd_kv_session *session = status->sessions[i].parser_session;
        if (only == NULL ? is_listed(args, count, session) : session == only) {
            add_client(&text, session, &status->sessions[i]);
            gd_bytes_add_u8(&text, '\n');
        }
    }
    gd_reply_bulk(reply, gd_bytes_slice(&text));
    gd_bytes_release(&text);
}

/* The pairs are sound: filter_fits. */
static bool kill_matches(const struct gd_slice *args, size_t count,
                         const struct gd_kv_session *session, const struct gd_kv_session *self)
{
    bool match = true, skip_self = true;

    for (size_t at = 2; at + 1 < count; at += 2) {
        int64_t number;
        if (gd_slice_is(args[at], "id")) {
            match =
                gd_number_parse(args[at + 1], &number) && match && number == (int64_t)session->id;
        } else if (gd_slice_is(args[at], "addr")) {
            match = match && args[at + 1].size == strlen(session->address.text) &&
                    memcmp(args[at + 1].data, session->address.text, args[at + 1].size) == 0;
        } else if (gd_slice_is(args[at], "skipme")) {
            skip_self = gd_slice_is(args[at + 1], "yes");
        } else if (gd_slice_is(args[at], "type")) {
            match = match && gd_slice_is(args[at + 1], "normal");
        } else {
            match = match && gd_slice_is(args[at + 1], "default"); /* USER. */
        }
    }
    return match && !(skip_self && session == self);
}

static void client_kill(struct gd_kv_session *self, const struct gd_slice *args, size_t count,
                        const struct gd_node_status *status, struct gd_reply *reply,
                        struct gd_local_result *result)
{
    bool by_address = count == 3;

    result->id_count = 0;
    if (!by_address && count % 2 != 0) {
        gd_reply_error(reply, "ERR syntax error");
        return;
    }
    for (size_t at = 2; at + 1 < count; at += 2) {
        if (!filter_fits(args[at], args[at + 1], reply)) {
            return;
        }
    }
    for (size_t i = 0; i < status->session_count && result->id_count < GD_LOCAL_IDS; i++) {
        const struct gd_kv_session *session = status->sessions[i].parser_session;
        bool match = by_address ? args[2].size == strlen(session->address.text) &&
                                      memcmp(args[2].data, session->address.text, args[2].size) == 0
                                : kill_matches(args, count, session, self);
        if (match) {
            result->ids[result->id_count++] = session->id;
        }
    }
    if (by_address && result->id_count == 0) {
        gd_reply_error(reply, "ERR No such client");
        return;
    }
    if (by_address) {
        gd_reply_simple(reply, "OK");
    } else {
        gd_reply_integer(reply, (int64_t)result->id_count);
    }
    result->kind = GD_LOCAL_KILL;
}

static void client_reply(struct gd_kv_session *session, struct gd_slice mode,
                         struct gd_reply *reply)
{
    if (gd_slice_is(mode, "on")) {
        session->replies = GD_KV_REPLIES_ON;
        gd_reply_simple(reply, "OK");
    } else if (gd_slice_is(mode, "off")) {
        session->replies = GD_KV_REPLIES_OFF;
    } else if (gd_slice_is(mode, "skip")) {
        session->replies =
            session->replies == GD_KV_REPLIES_OFF ? GD_KV_REPLIES_OFF : GD_KV_REPLIES_SKIP_NEXT;
    } else {
        gd_reply_error(reply, "ERR syntax error");
    }
}

static void client_setinfo(struct gd_kv_session *session, const struct gd_slice *args,
                           struct gd_reply *reply)
{
    char *to = gd_slice_is(args[2], "lib-name")  ? session->library
               : gd_slice_is(args[2], "lib-ver") ? session->library_version
                                                 : NULL;

    if (to == NULL) {
        gd_reply_error_format(reply, "ERR Unrecognized option '%.*s'", (int)args[2].size,
                              (const char *)args[2].data);
    } else if (!take_name(args[3], to, GD_KV_NAME_SIZE)) {
        gd_reply_error(reply, "ERR lib-name and lib-ver cannot contain spaces, newlines or special "
                              "characters.");
    } else {
        gd_reply_simple(reply, "OK");
    }
}

static void local_client(struct gd_kv_parser *parser, struct gd_kv_session *session,
                         const struct gd_slice *args, size_t count,
                         const struct gd_node_status *status, struct gd_reply *reply,
                         struct gd_local_result *result)
{
    (void)parser;
    if (gd_slice_is(args[1], "id") && count == 2) {
        gd_reply_integer(reply, (int64_t)session->id);
    } else if (gd_slice_is(args[1], "getname") && count == 2) {
        if (session->name[0] == '\0') {
            gd_reply_null(reply);
        } else {
            gd_reply_bulk_text(reply, session->name);
        }
    } else if (gd_slice_is(args[1], "setname") && count == 3) {
        if (take_name(args[2], session->name, sizeof session->name)) {
            gd_reply_simple(reply, "OK");
        } else {
            gd_reply_error(reply, BAD_NAME);
        }
    } else if (gd_slice_is(args[1], "setinfo") && count == 4) {
        client_setinfo(session, args, reply);
    } else if (gd_slice_is(args[1], "info") && count == 2) {
        client_list(session, args, count, status, reply);
    } else if (gd_slice_is(args[1], "list")) {
        if (list_arguments_fit(args, count, reply)) {
            client_list(NULL, args, count, status, reply);
        }
    } else if (gd_slice_is(args[1], "kill") && count >= 3) {
        client_kill(session, args, count, status, reply, result);
    } else if (gd_slice_is(args[1], "reply") && count == 3) {
        client_reply(session, args[2], reply);
    } else if (gd_slice_is(args[1], "no-evict") || gd_slice_is(args[1], "no-touch")) {
        if (gd_slice_is(args[2], "on") || gd_slice_is(args[2], "off")) {
            gd_reply_simple(reply, "OK");
        } else {
            gd_reply_error(reply, "ERR syntax error");
        }
    } else {
        unknown_subcommand(args, "CLIENT", reply);
    }
}

/* ---------------------------------------------------------------- COMMAND */

static void reply_flags(const struct gd_command *command, struct gd_reply *reply)
{
    const char *at = command->flags;
    size_t count = command->kind == GD_COMMAND_READ || command->kind == GD_COMMAND_WRITE ? 1 : 0;

    for (const char *c = at; *c != '\0'; c++) {
        count += c == at || c[-1] == ' ' ? 1 : 0;
    }
    gd_reply_set(reply, count);
    if (command->kind == GD_COMMAND_WRITE) {
        gd_reply_simple(reply, "write");
    } else if (command->kind == GD_COMMAND_READ) {
        gd_reply_simple(reply, "readonly");
    }
    while (*at != '\0') {
        char word[32] = {0};
        size_t size = strcspn(at, " ");
        memcpy(word, at, size < sizeof word - 1 ? size : sizeof word - 1);
        gd_reply_simple(reply, word);
        at += size + (at[size] == ' ' ? 1 : 0);
    }
}

static void reply_command(const struct gd_command *command, struct gd_reply *reply)
{
    gd_reply_array(reply, 10);
    gd_reply_bulk_text(reply, command->name);
    gd_reply_integer(reply, command->arity);
    reply_flags(command, reply);
    gd_reply_integer(reply, command->key_first);
    gd_reply_integer(reply, command->key_last);
    gd_reply_integer(reply, command->key_step);
    gd_reply_set(reply, 0);
    gd_reply_array(reply, 0);
    gd_reply_array(reply, 0);
    gd_reply_array(reply, 0);
}

static void reply_docs(const struct gd_command *command, struct gd_reply *reply)
{
    gd_reply_bulk_text(reply, command->name);
    gd_reply_map(reply, 3);
    gd_reply_bulk_text(reply, "summary");
    gd_reply_bulk_text(reply, command->kind == GD_COMMAND_WRITE  ? "Replicated write"
                              : command->kind == GD_COMMAND_READ ? "Linearizable read"
                                                                 : "Answered by the node itself");
    gd_reply_bulk_text(reply, "group");
    gd_reply_bulk_text(reply, command->key_first > 0 ? "string" : "server");
    gd_reply_bulk_text(reply, "arity");
    gd_reply_integer(reply, command->arity);
}

static void command_getkeys(const struct gd_slice *args, size_t count, struct gd_reply *reply)
{
    const struct gd_command *command = count > 2 ? gd_command_find(args[2]) : NULL;
    size_t given = count - 2, last, keys = 0;

    if (command == NULL) {
        gd_reply_error(reply, "ERR Invalid command specified");
        return;
    }
    if (!gd_command_arity_fits(command, given)) {
        gd_reply_error(reply, "ERR Invalid number of arguments specified for command");
        return;
    }
    if (command->key_first <= 0) {
        gd_reply_error(reply, "ERR The command has no key arguments");
        return;
    }
    last = command->key_last < 0 ? given - (size_t)-command->key_last : (size_t)command->key_last;
    for (size_t at = (size_t)command->key_first; at <= last; at += (size_t)command->key_step) {
        keys++;
    }
    gd_reply_array(reply, keys);
    for (size_t at = (size_t)command->key_first; at <= last; at += (size_t)command->key_step) {
        gd_reply_bulk(reply, args[2 + at]);
    }
}

/* COMMAND LIST [FILTERBY PATTERN|MODULE|ACLCAT x]: of modules and categories we have none. */
static void command_list(const struct gd_slice *args, size_t count, struct gd_reply *reply)
{
    bool filtered = count == 5 && gd_slice_is(args[2], "filterby");
    bool by_pattern = filtered && gd_slice_is(args[3], "pattern");
    size_t found = 0;

    if (count > 2 && !by_pattern &&
        !(filtered && (gd_slice_is(args[3], "module") || gd_slice_is(args[3], "aclcat")))) {
        gd_reply_error(reply, "ERR syntax error");
        return;
    }
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            gd_reply_array(reply, found);
        }
        for (size_t i = 0; i < gd_command_count(); i++) {
            const char *name = gd_command_at(i)->name;
            struct gd_slice text = {(const uint8_t *)name, strlen(name)};
            if (count > 2 && (!by_pattern || !gd_pattern_matches(args[4], text))) {
                continue;
            }
            if (pass == 1) {
                gd_reply_bulk_text(reply, name);
            }
            found++;
        }
    }
}

static void local_command(struct gd_kv_parser *parser, struct gd_kv_session *session,
                          const struct gd_slice *args, size_t count,
                          const struct gd_node_status *status, struct gd_reply *reply,
                          struct gd_local_result *result)
{
    bool docs = count > 1 && gd_slice_is(args[1], "docs");

    UNUSED_LOCAL;
    if (count == 1 || (count == 2 && (docs || gd_slice_is(args[1], "info")))) {
        if (docs) {
            gd_reply_map(reply, gd_command_count());
        } else {
            gd_reply_array(reply, gd_command_count());
        }
        for (size_t i = 0; i < gd_command_count(); i++) {
            (docs ? reply_docs : reply_command)(gd_command_at(i), reply);
        }
    } else if (gd_slice_is(args[1], "count")) {
        gd_reply_integer(reply, (int64_t)gd_command_count());
    } else if (gd_slice_is(args[1], "list")) {
        command_list(args, count, reply);
    } else if (gd_slice_is(args[1], "info")) {
        gd_reply_array(reply, count - 2);
        for (size_t i = 2; i < count; i++) {
            const struct gd_command *command = gd_command_find(args[i]);
            if (command == NULL) {
                gd_reply_null(reply);
            } else {
                reply_command(command, reply);
            }
        }
    } else if (docs) {
        size_t known = 0;
        for (size_t i = 2; i < count; i++) {
            known += gd_command_find(args[i]) != NULL ? 1 : 0;
        }
        gd_reply_map(reply, known);
        for (size_t i = 2; i < count; i++) {
            if (gd_command_find(args[i]) != NULL) {
                reply_docs(gd_command_find(args[i]), reply);
            }
        }
    } else if (gd_slice_is(args[1], "getkeys")) {
        command_getkeys(args, count, reply);
    } else {
        unknown_subcommand(args, "COMMAND", reply);
    }
}

/* ---------------------------------------------------------------- CONFIG, DEBUG, the rest */

/* Whether one of the patterns behind CONFIG GET means `name`, without regard to case. */
static bool wanted(const struct gd_slice *args, size_t count, const char *name)
{
    for (size_t i = 2; i < count; i++) {
        uint8_t lower[128];
        if (args[i].size > sizeof lower) {
            continue;
        }
        for (size_t k = 0; k < args[i].size; k++) {
            uint8_t c = args[i].data[k];
            lower[k] = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
        if (gd_pattern_matches((struct gd_slice){lower, args[i].size},
                               (struct gd_slice){(const uint8_t *)name, strlen(name)})) {
            return true;
        }
    }
    return false;
}

/* A name that was spelled out is given back as it was spelled. */
static struct gd_slice name_asked(const struct gd_slice *args, size_t count, const char *name)
{
    for (size_t i = 2; i < count; i++) {
        if (gd_slice_is(args[i], name)) {
            return args[i];
        }
    }
    return (struct gd_slice){(const uint8_t *)name, strlen(name)};
}

static const struct gd_kv_setting *find_setting(const struct gd_kv_parser *parser,
                                                struct gd_slice name)
{
    for (size_t i = 0; i < parser->setting_count; i++) {
        if (gd_slice_is(name, parser->settings[i].name)) {
            return &parser->settings[i];
        }
    }
    return NULL;
}

/* The limit on a bulk can be set; each of the others to what it is. */
static void config_set(struct gd_kv_parser *parser, const struct gd_slice *args, size_t count,
                       struct gd_reply *reply)
{
    int64_t number;

    if (gd_slice_is(args[2], "proto-max-bulk-len") && count == 4 &&
        gd_number_parse(args[3], &number) && number >= 1024 * 1024 &&
        number <= (int64_t)GD_ITEM_SIZE_MAX) {
        parser->limits.bulk_size_max = (uint64_t)number;
        gd_reply_simple(reply, "OK");
        return;
    }
    for (size_t at = 2; at < count; at += 2) {
        const struct gd_kv_setting *setting = find_setting(parser, args[at]);
        if (setting == NULL || at + 1 == count) {
            gd_reply_error_format(reply,
                                  "ERR Unknown option or number of arguments for CONFIG SET "
                                  "- '%.*s'",
                                  (int)(args[at].size < 128 ? args[at].size : 128),
                                  (const char *)args[at].data);
            return;
        }
        if (args[at + 1].size != strlen(setting->value) ||
            memcmp(args[at + 1].data, setting->value, args[at + 1].size) != 0) {
            gd_reply_error_format(reply,
                                  "ERR CONFIG SET failed (possibly related to argument '%s') - "
                                  "can't set immutable config",
                                  setting->name);
            return;
        }
    }
    gd_reply_simple(reply, "OK");
}

static void config_get(const struct gd_kv_parser *parser, const struct gd_slice *args, size_t count,
                       struct gd_reply *reply)
{
    size_t found = 0;

    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            gd_reply_map(reply, found);
        }
        for (size_t i = 0; i < parser->setting_count; i++) {
            const struct gd_kv_setting *setting = &parser->settings[i];
            if (!wanted(args, count, setting->name)) {
                continue;
            }
            if (pass == 0) {
                found++;
            } else {
                gd_reply_bulk(reply, name_asked(args, count, setting->name));
                gd_reply_bulk_text(reply, setting->value);
            }
        }
    }
}

static void local_config(struct gd_kv_parser *parser, struct gd_kv_session *session,
                         const struct gd_slice *args, size_t count,
                         const struct gd_node_status *status, struct gd_reply *reply,
                         struct gd_local_result *result)
{
    UNUSED_LOCAL;
    if (gd_slice_is(args[1], "get") && count >= 3) {
        config_get(parser, args, count, reply);
    } else if (gd_slice_is(args[1], "set") && count >= 4) {
        config_set(parser, args, count, reply);
    } else if (gd_slice_is(args[1], "resetstat") && count == 2) {
        gd_reply_simple(reply, "OK");
    } else {
        unknown_subcommand(args, "CONFIG", reply);
    }
}

static void local_debug(struct gd_kv_parser *parser, struct gd_kv_session *session,
                        const struct gd_slice *args, size_t count,
                        const struct gd_node_status *status, struct gd_reply *reply,
                        struct gd_local_result *result)
{
    UNUSED_LOCAL;
    if (gd_slice_is(args[1], "sleep") && count == 3) {
        uint64_t ms = 0, scale = 1000;
        bool fraction = false;
        for (size_t i = 0; i < args[2].size && ms < 3600000; i++) {
            uint8_t c = args[2].data[i];
            if (c == '.' && !fraction) {
                fraction = true;
            } else if (c >= '0' && c <= '9') {
                scale = fraction ? scale / 10 : scale;
                ms = fraction ? ms + (uint64_t)(c - '0') * scale
                              : ms * 10 + (uint64_t)(c - '0') * 1000;
            }
        }
        gd_reply_simple(reply, "OK");
        result->kind = GD_LOCAL_SLEEP;
        result->sleep_ns = (ms < 3600000 ? ms : 3600000) * GD_NS_PER_MS;
    } else {
        unknown_subcommand(args, "DEBUG", reply);
    }
}

static void local_slowlog(struct gd_kv_parser *parser, struct gd_kv_session *session,
                          const struct gd_slice *args, size_t count,
                          const struct gd_node_status *status, struct gd_reply *reply,
                          struct gd_local_result *result)
{
    int64_t number;

    UNUSED_LOCAL;
    if (gd_slice_is(args[1], "get")) {
        if (count > 2 && (!gd_number_parse(args[2], &number) || number < -1)) {
            gd_reply_error(reply, "ERR count should be greater than or equal to -1");
        } else {
            gd_reply_array(reply, 0);
        }
    } else if (gd_slice_is(args[1], "len")) {
        gd_reply_integer(reply, 0);
    } else if (gd_slice_is(args[1], "reset")) {
        gd_reply_simple(reply, "OK");
    } else {
        unknown_subcommand(args, "SLOWLOG", reply);
    }
}

static void local_function(struct gd_kv_parser *parser, struct gd_kv_session *session,
                           const struct gd_slice *args, size_t count,
                           const struct gd_node_status *status, struct gd_reply *reply,
                           struct gd_local_result *result)
{
    UNUSED_LOCAL;
    if (gd_slice_is(args[1], "flush") && count > 3) {
        gd_reply_error(reply, "ERR unknown subcommand or wrong number of arguments for 'flush'. "
                              "Try FUNCTION HELP.");
    } else if (gd_slice_is(args[1], "flush") && count == 3 && !gd_slice_is(args[2], "sync") &&
               !gd_slice_is(args[2], "async")) {
        gd_reply_error(reply, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    } else if (gd_slice_is(args[1], "flush")) {
        gd_reply_simple(reply, "OK"); /* There is nothing to flush. */
    } else if (gd_slice_is(args[1], "list")) {
        gd_reply_array(reply, 0);
    } else {
        unknown_subcommand(args, "FUNCTION", reply);
    }
}

static void local_script(struct gd_kv_parser *parser, struct gd_kv_session *session,
                         const struct gd_slice *args, size_t count,
                         const struct gd_node_status *status, struct gd_reply *reply,
                         struct gd_local_result *result)
{
    UNUSED_LOCAL;
    gd_scripts_command(parser->scripts, args, count, reply);
}

static void local_info(struct gd_kv_parser *parser, struct gd_kv_session *session,
                       const struct gd_slice *args, size_t count,
                       const struct gd_node_status *status, struct gd_reply *reply,
                       struct gd_local_result *result)
{
    UNUSED_LOCAL;
    gd_kv_info(parser, args, count, status, reply);
}

static void local_cluster(struct gd_kv_parser *parser, struct gd_kv_session *session,
                          const struct gd_slice *args, size_t count,
                          const struct gd_node_status *status, struct gd_reply *reply,
                          struct gd_local_result *result)
{
    UNUSED_LOCAL;
    gd_kv_local_cluster(args, count, status, reply);
}

static void local_raft(struct gd_kv_parser *parser, struct gd_kv_session *session,
                       const struct gd_slice *args, size_t count,
                       const struct gd_node_status *status, struct gd_reply *reply,
                       struct gd_local_result *result)
{
    UNUSED_LOCAL;
    gd_kv_local_raft(args, count, status, reply);
}

void gd_kv_local(struct gd_kv_parser *parser, struct gd_kv_session *session,
                 const struct gd_slice *args, size_t count, const struct gd_node_status *status,
                 struct gd_reply *reply, struct gd_local_result *result)
{
    static const struct {
        const char *name;
        local_fn *run;
    } rows[] = {
        {"ping", local_ping},       {"echo", local_echo},         {"select", local_select},
        {"time", local_time},       {"asking", local_ok},         {"readonly", local_ok},
        {"readwrite", local_ok},    {"unwatch", local_unwatch},   {"auth", local_auth},
        {"hello", local_hello},     {"reset", local_reset},       {"client", local_client},
        {"command", local_command}, {"config", local_config},     {"debug", local_debug},
        {"slowlog", local_slowlog}, {"function", local_function}, {"info", local_info},
        {"cluster", local_cluster}, {"raft", local_raft},         {"script", local_script},
    };

    for (size_t i = 0; i < GD_COUNT(rows); i++) {
        if (strcmp(rows[i].name, session->local->name) == 0) {
            rows[i].run(parser, session, args, count, status, reply, result);
            return;
        }
    }
    /* UNTESTED: every row of ours that is LOCAL is in the table. */
    gd_reply_error(reply, "ERR this command cannot be answered here");
}
