/* kv.c - runs requests on the keyspace.
 *
 * Time. A write sees the stamp of its entry and no other time. A read sees the later of the
 * replicated clock and the leader's wall time, and where that makes a difference to whether a key
 * is there, it is not answered: an entry has to move the clock first. So a key that one client saw
 * expired never comes back to another.
 *
 * Transactions. One entry holds the watched keys' versions and all the commands. A version is the
 * index of the entry that last changed the key; for an absent one, of the last write to any key of
 * its bucket, so that one which came and went meanwhile is noticed. Whether EXEC runs is decided by
 * the state alone, the same on every node. */
#include "kvs/kv.h"
#include "engine/memory.h"

enum {
    ARGS_KEPT = 1024,    /* Room for arguments that is kept from one body to the next. */
    DUE_PER_ENTRY = 512, /* Keys given back with each entry when their time is up. */
    ARG_SIZE_LEAST = 4,  /* Bytes that an argument takes at the least. */
};

void gd_kv_init(struct gd_kv *kv, uint64_t seed_low, uint64_t seed_high)
{
    *kv = (struct gd_kv){.ks = gd_keyspace_new(seed_low, seed_high)};
}

void gd_kv_release(struct gd_kv *kv)
{
    gd_keyspace_free(kv->ks);
    gd_free(kv->args);
    *kv = (struct gd_kv){0};
}

/* The next command's arguments into kv->args; 0 when the body is damaged. */
static size_t read_args(struct gd_kv *kv, struct gd_reader *reader)
{
    size_t count = gd_reader_le32(reader);

    if (reader->failed || count == 0 || count > reader->left / ARG_SIZE_LEAST) {
        return 0;
    }
    if (count > kv->args_capacity || (kv->args_capacity > ARGS_KEPT && count <= ARGS_KEPT)) {
        kv->args_capacity = count > ARGS_KEPT ? count : ARGS_KEPT;
        kv->args = gd_realloc(kv->args, kv->args_capacity * sizeof *kv->args);
    }
    for (size_t i = 0; i < count; i++) {
        size_t size = gd_reader_le32(reader);
        kv->args[i] = gd_reader_slice(reader, size);
    }
    return reader->failed ? 0 : count;
}

/* Runs one command of the body; false when the body is damaged. */
static bool run_next(struct gd_command_context *context, struct gd_reader *reader)
{
    const struct gd_command *command;

    context->arg_count = read_args(context->kv, reader);
    context->args = context->kv->args;
    if (context->arg_count == 0) {
        return false;
    }
    command = gd_command_find_near(context->args[0], context->kv->last_command);
    context->kv->last_command = command;
    context->command = command;
    if (command == NULL || command->run == NULL) {
        gd_reply_error(context->reply, "ERR Command not allowed inside a transaction");
    } else if (!gd_command_arity_fits(command, context->arg_count)) {
        gd_reply_error_format(context->reply, "ERR wrong number of arguments for '%s' command",
                              command->name);
    } else if (context->is_query && command->kind == GD_COMMAND_WRITE) {
        gd_reply_error(context->reply, "ERR a write cannot be queried");
    } else {
        uint64_t before = gd_keyspace_changes(context->ks);
        command->run(context);
        context->kv->changes += gd_keyspace_changes(context->ks) != before ? 1 : 0;
    }
    return true;
}

/* True when no watched key has changed. */
static bool watches_hold(struct gd_command_context *context, struct gd_reader *reader)
{
    uint32_t count = gd_reader_le32(reader);
    bool hold = true;

    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        struct gd_slice key = gd_reader_slice(reader, gd_reader_le32(reader));
        gd_index version = gd_reader_le64(reader);
        (void)gd_command_look(context, key); /* A read at a key whose time is up must wait. */
        hold = hold && gd_keyspace_watch(context->ks, key) == version;
    }
    return hold;
}

/* Whether everything up to the body's end can be read: looked at before anything is done. */
static bool transaction_sound(struct gd_reader reader)
{
    uint32_t watches = gd_reader_le32(&reader), commands;

    for (uint32_t i = 0; i < watches && !reader.failed; i++) {
        (void)gd_reader_slice(&reader, gd_reader_le32(&reader));
        (void)gd_reader_le64(&reader);
    }
    commands = gd_reader_le32(&reader);
    for (uint32_t i = 0; i < commands && !reader.failed; i++) {
        uint32_t args = gd_reader_le32(&reader);
        if (args == 0) { /* An answer. */
            args = 1;
        }
        for (uint32_t k = 0; k < args && !reader.failed; k++) {
            (void)gd_reader_slice(&reader, gd_reader_le32(&reader));
        }
    }
    return !reader.failed;
}

static bool run_transaction(struct gd_command_context *context, struct gd_reader *reader)
{
    bool hold;
    uint32_t count;

    if (!transaction_sound(*reader)) {
        return false;
    }
    hold = watches_hold(context, reader);
    count = gd_reader_le32(reader);
    if (!hold) {
        GD_REACHED("a watched key had changed");
        gd_reply_null_array(context->reply);
        return true;
    }
    gd_reply_array(context->reply, count);
    for (uint32_t i = 0; i < count; i++) {
        struct gd_reader ahead = *reader;
        if (gd_reader_le32(&ahead) == 0) {
            struct gd_slice answer = gd_reader_slice(&ahead, gd_reader_le32(&ahead));
            gd_reply_raw(context->reply, answer);
            *reader = ahead;
        } else if (!run_next(context, reader)) {
            return false;
        }
    }
    return true;
}

static void run_body(struct gd_command_context *context, struct gd_slice body)
{
    struct gd_reader reader = gd_reader_of(body);
    uint8_t kind = gd_reader_u8(&reader);
    uint8_t protocol = gd_reader_u8(&reader);
    bool sound = false;

    context->reply->protocol = protocol == 3 ? 3 : 2;
    if (!reader.failed && kind == GD_BODY_COMMAND) {
        sound = run_next(context, &reader);
    } else if (!reader.failed && kind == GD_BODY_TRANSACTION) {
        sound = run_transaction(context, &reader);
    }
    if (!sound) {
        gd_reply_error(context->reply, "ERR the request's body cannot be read");
    }
}

void gd_kv_apply(struct gd_kv *kv, gd_index index, int64_t stamp_ms, struct gd_slice body,
                 void *session, struct gd_bytes *reply)
{
    struct gd_reply writer = {.out = reply, .protocol = 2};
    struct gd_command_context context = {
        .kv = kv, .ks = kv->ks, .version = index, .reply = &writer, .session = session};

    gd_keyspace_advance(kv->ks, stamp_ms, DUE_PER_ENTRY);
    context.now_ms = gd_keyspace_clock_ms(kv->ks);
    kv->applied = index;
    if (body.size > 0) {
        run_body(&context, body);
    }
}

enum gd_query_result gd_kv_query(struct gd_kv *kv, struct gd_slice body, void *session,
                                 int64_t wall_ms, struct gd_bytes *reply, int64_t *needs_ms)
{
    struct gd_reply writer = {.out = reply, .protocol = 2};
    size_t before = reply != NULL ? reply->size : 0;
    struct gd_command_context context = {.kv = kv,
                                         .ks = kv->ks,
                                         .now_ms = gd_keyspace_clock_ms(kv->ks),
                                         .reply = &writer,
                                         .session = session,
                                         .is_query = true};

    if (wall_ms > context.now_ms) {
        context.now_ms = wall_ms;
    }
    run_body(&context, body);
    if (!context.needs_time) {
        return GD_QUERY_ANSWERED;
    }
    GD_REACHED("a read met a key whose time was up");
    if (reply != NULL) {
        reply->size = before;
    }
    *needs_ms = context.now_ms;
    return GD_QUERY_NEEDS_TIME;
}
