/* answers.c - how the clients take the answers to what commands.c asks.
 *
 * An answer that says that nothing was done ends the operation without effect; -UNKNOWN, or no
 * answer, leaves it open; an answer that cannot be one (an integer to GET) is a violation by
 * itself, and so is an EXEC that is refused though nothing is watched, or that runs though its
 * transaction was spoiled. A request of several changes that is answered as failed has done none of
 * them: MSETNX, and in front of SQLite any transaction. */
#include "sim/kvs_clients.h"
#include "sim/workload_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void violated(struct gd_sim_client *client, const struct flight *flight,
                     const struct gd_sim_reply *reply)
{
    static const char *const types[] = {"the status", "the error", "an integer",
                                        "the text",   "null",      "an array"};
    char text[256];
    int size = reply->text.size > 80 ? 80 : (int)reply->text.size;
    (void)snprintf(text, sizeof text,
                   "client %u got %s '%.*s' from node %u in answer to %s: no answer to that",
                   client->number, types[reply->type], size, (const char *)reply->text.data,
                   client->node, flight->name);
    client->all->options.violated(client->all->options.context, text);
}

/* Turns what one step answered into the record; false when it cannot be an answer to that. */
static bool take_step(struct gd_sim_client *client, struct gd_sim_step *step,
                      const struct gd_sim_reply *reply)
{
    struct gd_sim_record *record = client->all->options.record;
    step->output = (struct gd_sim_value){.kind = GD_SIM_VALUE_NOTHING};
    switch (step->what) {
    case GD_SIM_DO_READ:
    case GD_SIM_DO_SWAP:
    case GD_SIM_DO_TAKE:
        if (reply->type == GD_SIM_REPLY_BULK) {
            step->output = gd_sim_value_text(record, reply->text.data, reply->text.size);
        }
        return reply->type == GD_SIM_REPLY_BULK || reply->type == GD_SIM_REPLY_NULL;
    case GD_SIM_DO_WRITE:
        return reply->type == GD_SIM_REPLY_STATUS && gd_sim_reply_is(reply, "OK");
    case GD_SIM_DO_APPEND:
        step->output = gd_sim_value_number(reply->integer);
        return reply->type == GD_SIM_REPLY_INTEGER;
    case GD_SIM_DO_INCR:
        step->output = gd_sim_value_number(reply->integer);
        if (reply->type == GD_SIM_REPLY_ERROR && gd_sim_reply_begins(reply, "ERR value is not")) {
            step->output = (struct gd_sim_value){.kind = GD_SIM_VALUE_ERROR};
            return true;
        }
        return reply->type == GD_SIM_REPLY_INTEGER;
    case GD_SIM_DO_DELETE:
    case GD_SIM_DO_SETNX:
        step->output = gd_sim_value_bool(reply->integer == 1);
        return reply->type == GD_SIM_REPLY_INTEGER && (reply->integer == 0 || reply->integer == 1);
    case GD_SIM_DO_CAS:
    case GD_SIM_DO_TXN:
        break;
    }
    return false;
}

/* The port of node n's clients is everywhere the same: the number stands in the host. */
static unsigned moved_to(const struct gd_sim_reply *reply)
{
    unsigned slot;
    unsigned node;
    char text[96];
    size_t size = reply->text.size < sizeof text - 1 ? reply->text.size : sizeof text - 1;
    memcpy(text, reply->text.data, size);
    text[size] = '\0';
    return sscanf(text, "MOVED %u 10.0.0.%u:", &slot, &node) == 2 && node <= GD_SIM_NODES_MAX ? node
                                                                                              : 0;
}

enum error_kind { ERROR_NONE, ERROR_NO_EFFECT, ERROR_UNKNOWN, ERROR_OTHER };
/* What an error says of the fate; a client acts on it at once. */
static enum error_kind take_error(struct gd_sim_client *client, const struct gd_sim_reply *reply)
{
    static const char *const refusals[] = {"CLUSTERDOWN", "BUSY",      "TRYAGAIN",  "LOADING",
                                           "DBDOWN",      "EXECABORT", "MASTERDOWN"};
    if (reply->type != GD_SIM_REPLY_ERROR) {
        client->refusals = 0;
        return ERROR_NONE;
    }
    gd_sim__client_told(client, reply->text.data, reply->text.size);
    if (gd_sim_reply_begins(reply, "UNKNOWN")) {
        return ERROR_UNKNOWN;
    }
    gd_sim__client_back_off(client);
    if (gd_sim_reply_begins(reply, "MOVED ")) {
        unsigned node = moved_to(reply);
        client->node = node;
        client->moved = true;
        return ERROR_NO_EFFECT;
    }
    for (size_t i = 0; i < GD_COUNT(refusals); i++) {
        if (gd_sim_reply_begins(reply, refusals[i])) {
            if (i == 0) {
                gd_sim__client_turn(client);
            }
            return ERROR_NO_EFFECT;
        }
    }
    return ERROR_OTHER;
}

static bool take_array(struct gd_sim_client *client, struct gd_sim_operation *op,
                       const struct gd_sim_reply *replies)
{
    if (replies[0].type != GD_SIM_REPLY_ARRAY || replies[0].count != op->count) {
        return false;
    }
    size_t at = 1;
    for (size_t i = 0; i < op->count; i++) {
        struct gd_sim_step *step = &client->all->options.record->steps[op->first + i];
        if (!take_step(client, step, &replies[at])) {
            return false;
        }
        at = replies[at].next;
    }
    return true;
}

/* MSETNX: whether all was done, or nothing. */
static bool take_all(const struct gd_sim_client *client, const struct gd_sim_operation *op,
                     const struct gd_sim_reply *reply, enum gd_sim_fate *fate)
{
    for (size_t i = 0; i < op->count; i++) {
        client->all->options.record->steps[op->first + i].output = gd_sim_value_bool(true);
    }
    *fate = reply->integer == 1 ? GD_SIM_FATE_DONE : GD_SIM_FATE_NO_EFFECT;
    return reply->type == GD_SIM_REPLY_INTEGER && (reply->integer == 0 || reply->integer == 1);
}

/* What alone can fail of the commands that are asked. */
static bool has_incr(const struct gd_sim_client *client, const struct gd_sim_operation *op)
{
    bool any = false;
    for (size_t i = 0; i < op->count; i++) {
        any |= client->all->options.record->steps[op->first + i].what == GD_SIM_DO_INCR;
    }
    return any;
}

/* EXEC: null when something watched was changed; in front of SQLite an error when one of its
 * commands failed. In both cases nothing was done. */
static bool take_exec(struct gd_sim_client *client, const struct flight *flight,
                      struct gd_sim_operation *op, const struct gd_sim_reply *replies,
                      enum gd_sim_fate *fate)
{
    bool whole = client->all->options.plan->database_sqlite != 0;
    if (replies->type == GD_SIM_REPLY_NULL) {
        *fate = GD_SIM_FATE_NO_EFFECT;
        return flight->mark != 0; /* Something was watched. */
    }
    if (whole && replies->type == GD_SIM_REPLY_ERROR) {
        GD_REACHED("simulated transaction failed in its middle");
        *fate = GD_SIM_FATE_NO_EFFECT;
        return has_incr(client, op);
    }
    return take_array(client, op, replies);
}

/* SNAP, its answer at `first`: "LOAD" and an array of [key value]; where keys have times two more
 * elements follow. Keys come in any order; those that are missing are absent. */
static bool take_snap(struct gd_sim_client *client, struct gd_sim_operation *op,
                      const struct gd_sim_reply *replies, size_t first)
{
    struct gd_sim_record *record = client->all->options.record;
    const struct gd_sim_reply *all = &replies[first];
    if (all[0].type != GD_SIM_REPLY_ARRAY || (all[0].count != 2 && all[0].count != 4) ||
        !gd_sim_reply_is(&all[1], "LOAD") || all[2].type != GD_SIM_REPLY_ARRAY) {
        return false;
    }
    for (size_t i = 0; i < op->count; i++) {
        record->steps[op->first + i].output.kind = GD_SIM_VALUE_NOTHING;
    }
    for (size_t at = first + 3; at < all[2].next; at = replies[at].next) {
        const struct gd_sim_reply *pair = &replies[at];
        char name[16] = {0};
        unsigned number;
        if (pair->type != GD_SIM_REPLY_ARRAY || pair->count != 2 ||
            pair[1].type != GD_SIM_REPLY_BULK || pair[2].type != GD_SIM_REPLY_BULK) {
            return false;
        }
        memcpy(name, pair[1].text.data, pair[1].text.size < 15 ? pair[1].text.size : 15);
        if (sscanf(name, "k%u", &number) == 1 && number < op->count) {
            struct gd_sim_value value =
                gd_sim_value_text(record, pair[2].text.data, pair[2].text.size);
            record->steps[op->first + number].output = value;
        }
    }
    return true;
}

/* DBSIZE and SNAP: as many keys as the one counts the other tells. */
static bool take_counted(struct gd_sim_client *client, struct gd_sim_operation *op,
                         const struct gd_sim_reply *replies)
{
    return replies[0].type == GD_SIM_REPLY_ARRAY && replies[0].count == 2 &&
           replies[1].type == GD_SIM_REPLY_INTEGER && take_snap(client, op, replies, 2) &&
           replies[1].integer == (int64_t)replies[4].count;
}

/* Whether this can be an answer to that; every value has a time, and none but those that were asked
 * for. */
static bool fits_expiring(const struct gd_sim__kvs_clients *all, const struct flight *flight,
                          const struct gd_sim_reply *reply)
{
    unsigned key = (unsigned)(flight->mark % EXPIRING_KEYS);
    int64_t unit_ms = (int64_t)(flight->mark / EXPIRING_KEYS);
    int64_t longest_ms = (int64_t)all->expiring_longest_ms[key];
    bool integer = reply->type == GD_SIM_REPLY_INTEGER;
    switch ((enum flight_kind)flight->kind) {
    case FLIGHT_EXPIRY_SET:
        return reply->type == GD_SIM_REPLY_STATUS && gd_sim_reply_is(reply, "OK");
    case FLIGHT_EXPIRE:
        return integer && (reply->integer == 0 || reply->integer == 1);
    case FLIGHT_TTL: /* The nearest second. */
        return integer &&
               (reply->integer == -2 ||
                (reply->integer >= 0 && reply->integer <= (longest_ms + unit_ms / 2) / unit_ms));
    default:
        return reply->type == GD_SIM_REPLY_NULL ||
               (reply->type == GD_SIM_REPLY_BULK && reply->text.size < 8);
    }
}

/* It was answered before this was asked, which did not see it. */
static void mark_gone(struct gd_sim__kvs_clients *all, unsigned key, size_t seen,
                      const struct flight *flight, gd_time_ns now)
{
    for (size_t i = 0; i < all->expiring_count[key]; i++) {
        struct expiring_value *value = &all->expiring[key][i];
        if (i != seen && value->answered && value->answered_at < flight->sent && !value->gone) {
            value->gone = true;
            value->gone_at = now;
        }
    }
}

/* The rule of expiry (kvs_clients.h). */
static void take_expiring(struct gd_sim_client *client, const struct flight *flight,
                          const struct gd_sim_reply *reply)
{
    struct gd_sim__kvs_clients *all = gd_sim__kvs_ours(client);
    unsigned key = (unsigned)(flight->mark % EXPIRING_KEYS);
    gd_time_ns now = gd_sim__time(client);
    if (!fits_expiring(all, flight, reply)) {
        violated(client, flight, reply);
        return;
    }
    if (flight->kind == FLIGHT_EXPIRY_SET) {
        struct expiring_value *value = &all->expiring[key][flight->mark / EXPIRING_KEYS];
        value->answered = true;
        value->answered_at = now;
        return;
    }
    if (flight->kind != FLIGHT_EXPIRY) {
        if (reply->integer == (flight->kind == FLIGHT_TTL ? -2 : 0)) {
            mark_gone(all, key, SIZE_MAX, flight, now);
        }
        return;
    }
    size_t seen = SIZE_MAX;
    if (reply->type == GD_SIM_REPLY_BULK) {
        char text[8] = {0};
        memcpy(text, reply->text.data, reply->text.size);
        seen = (size_t)strtoul(text, NULL, 10);
        if (seen >= all->expiring_count[key]) {
            violated(client, flight, reply);
            return;
        }
        const struct expiring_value *value = &all->expiring[key][seen];
        if (value->gone && value->gone_at < flight->sent) {
            char told[160];
            (void)snprintf(told, sizeof told,
                           "key x%u came back: client %u saw value %zu from node %u after a read "
                           "had seen that it was gone",
                           key, client->number, seen, client->node);
            client->all->options.violated(client->all->options.context, told);
        }
    }
    mark_gone(all, key, seen, flight, now);
}

static void take_timed(struct gd_sim_client *client, const struct flight *flight,
                       const struct gd_sim_reply *replies)
{
    struct gd_bytes why = {0};
    if (flight->kind == FLIGHT_TIMED_LOAD &&
        (replies->type != GD_SIM_REPLY_STATUS || !gd_sim_reply_is(replies, "OK"))) {
        violated(client, flight, replies);
        return;
    }
    if (!gd_sim__timed_take(client, flight, replies, &why)) {
        char text[512];
        (void)snprintf(text, sizeof text, "client %u was told by node %u: %.*s", client->number,
                       client->node, (int)(why.size < 420 ? why.size : 420),
                       (const char *)why.data);
        client->all->options.violated(client->all->options.context, text);
    }
    gd_bytes_release(&why);
    gd_sim__flight_end(client, flight, GD_SIM_FATE_DONE);
}

static bool take_single(struct gd_sim_client *client, const struct flight *flight,
                        struct gd_sim_step *step, const struct gd_sim_reply *replies)
{
    struct gd_sim_record *record = client->all->options.record;
    bool good = take_step(client, step, replies);
    gd_sim__kvs_mine(client)->watched_known =
        good && flight->kind == FLIGHT_CAS_READ && flight->mark == 0;
    if (flight->kind == FLIGHT_CAS_READ && flight->mark == 0) {
        gd_sim__kvs_mine(client)->watched = step->output;
    } else if (flight->kind == FLIGHT_CAS_READ && good && gd_sim__kvs_mine(client)->guarded) {
        size_t exec = record->operations[flight->mark - 1].first;
        record->steps[exec].what = GD_SIM_DO_CAS;
        record->steps[exec].old = step->output;
    }
    return good;
}

static bool take_watched_set(struct gd_sim_step *step, const struct gd_sim_reply *replies,
                             enum gd_sim_fate *fate)
{
    if (replies->type == GD_SIM_REPLY_NULL) {
        *fate = GD_SIM_FATE_NO_EFFECT;
        return true;
    }
    if (step->what == GD_SIM_DO_CAS) {
        step->output = gd_sim_value_bool(true);
    }
    return replies->type == GD_SIM_REPLY_ARRAY && replies->count == 1 &&
           gd_sim_reply_is(&replies[1], "OK");
}

/* An error says that nothing was done. */
static bool take_undone(struct gd_sim_client *client, struct gd_sim_operation *op,
                        const struct gd_sim_reply *replies, enum gd_sim_fate *fate)
{
    if (replies->type == GD_SIM_REPLY_ERROR) {
        GD_REACHED("simulated transaction undone");
        *fate = GD_SIM_FATE_NO_EFFECT;
        return true;
    }
    return take_array(client, op, replies);
}

static void take_good(struct gd_sim_client *client, struct flight *flight,
                      const struct gd_sim_reply *replies)
{
    struct gd_sim_record *record = client->all->options.record;
    struct gd_sim_operation *op =
        flight->operation != NO_OPERATION ? &record->operations[flight->operation] : NULL;
    struct gd_sim_step *step = op != NULL ? &record->steps[op->first] : NULL;
    enum gd_sim_fate fate = GD_SIM_FATE_DONE;
    bool good = true;
    GD_ASSERT(op != NULL || flight->kind <= FLIGHT_ABORTED || flight->kind >= FLIGHT_EXPIRY);
    switch ((enum flight_kind)flight->kind) {
    case FLIGHT_IGNORED:
        return;
    case FLIGHT_WATCH:
        gd_sim__kvs_mine(client)->guarded = true;
        return;
    case FLIGHT_ABORTED:
        violated(client, flight, replies);
        return;
    case FLIGHT_EXPIRY:
    case FLIGHT_EXPIRY_SET:
    case FLIGHT_EXPIRE:
    case FLIGHT_TTL:
        take_expiring(client, flight, replies);
        return;
    case FLIGHT_TIMED:
    case FLIGHT_TIMED_LOAD:
        take_timed(client, flight, replies);
        return;
    case FLIGHT_CAS_READ:
    case FLIGHT_SINGLE:
        good = take_single(client, flight, step, replies);
        break;
    case FLIGHT_EXEC:
        good = take_exec(client, flight, op, replies, &fate);
        break;
    case FLIGHT_ALL:
        good = take_all(client, op, replies, &fate);
        break;
    case FLIGHT_MANY:
        good = take_array(client, op, replies);
        break;
    case FLIGHT_CAS:
        good = take_watched_set(step, replies, &fate);
        break;
    case FLIGHT_SNAP:
        good = take_snap(client, op, replies, 0);
        break;
    case FLIGHT_COUNTED:
        good = take_counted(client, op, replies);
        break;
    case FLIGHT_UNDONE:
        good = take_undone(client, op, replies, &fate);
        break;
    case FLIGHT_FLUSH:
        good = replies->type == GD_SIM_REPLY_STATUS && gd_sim_reply_is(replies, "OK");
        break;
    }
    if (!good) {
        violated(client, flight, replies);
        return;
    }
    gd_sim__flight_end(client, flight, fate);
}

/* The oldest flight is answered. */
static void take_reply(struct gd_sim_client *client, const struct gd_sim_reply *replies)
{
    struct flight flight = gd_sim__client_answered(client);
    bool timed = flight.kind == FLIGHT_TIMED || flight.kind == FLIGHT_TIMED_LOAD;
    bool own_error =
        replies->type == GD_SIM_REPLY_ERROR &&
        (gd_sim_reply_begins(replies, "ERR value is not") ||
         (flight.kind == FLIGHT_TIMED && gd_sim_reply_begins(replies, "ERR no such key")) ||
         (flight.kind == FLIGHT_UNDONE && gd_sim_reply_begins(replies, "ERR FOREIGN KEY")));
    enum error_kind error = own_error ? ERROR_NONE : take_error(client, replies);
    if (timed && error == ERROR_NO_EFFECT) {
        gd_sim__timed_refused(client, &flight);
    } else if (timed && error != ERROR_NONE) {
        gd_sim__timed_unknown(client, &flight);
    }
    if (error == ERROR_NONE) {
        take_good(client, &flight, replies);
    } else if (flight.kind <= FLIGHT_ABORTED) {
        if (flight.kind == FLIGHT_WATCH) { /* Refused: nothing is guarded. */
            gd_sim__kvs_mine(client)->guarded = false;
            client->held = false;
        }
    } else if (error == ERROR_NO_EFFECT) {
        gd_sim__flight_end(client, &flight, GD_SIM_FATE_NO_EFFECT);
    } else if (error == ERROR_UNKNOWN) {
        GD_REACHED("simulated client was told that an outcome is unknown");
        gd_sim__flight_end(client, &flight, GD_SIM_FATE_OPEN);
    } else {
        violated(client, &flight, replies);
    }
}

enum gd_err gd_sim__kvs_take(struct gd_sim_client *client, struct gd_slice input, size_t *consumed)
{
    struct gd_sim_replies *replies = &gd_sim__kvs_ours(client)->replies;
    enum gd_err err = gd_sim_reply_read(input, replies, consumed);
    if (err == GD_OK) {
        take_reply(client, replies->at);
    }
    return err;
}
