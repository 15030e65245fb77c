/* timed_model.c - see timed_model.h. */
#include "sim/timed_model.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct gd_sim_timed_cell cell;

struct wanted { /* The answer that a state calls for. */
    enum gd_sim_reply_type type;
    const char *text; /* Of a status, the beginning of an error, a bulk. */
    size_t size;
    int64_t least, most; /* Of an integer. */
};

void gd_sim_timed_init(struct gd_sim_timed_states *states)
{
    memset(states, 0, sizeof *states);
    states->count = 1;
}

static bool same_cell(const cell *a, const cell *b)
{
    return a->there == b->there &&
           (!a->there || (a->least_ms == b->least_ms && a->most_ms == b->most_ms &&
                          a->size == b->size && memcmp(a->text, b->text, a->size) == 0));
}

static void add_state(struct gd_sim_timed_states *states, const struct gd_sim_timed_state *state)
{
    for (size_t i = 0; i < states->count; i++) {
        if (same_cell(&states->all[i].cells[0], &state->cells[0]) &&
            same_cell(&states->all[i].cells[1], &state->cells[1])) {
            return;
        }
    }
    if (states->count == GD_SIM_TIMED_STATES) {
        states->lost = true;
        return;
    }
    states->all[states->count++] = *state;
}

void gd_sim_timed_wipe(struct gd_sim_timed_states *states, bool surely)
{
    const struct gd_sim_timed_state empty = {0};
    states->count = surely ? 0 : states->count;
    add_state(states, &empty);
}

/* ---------------------------------------------------------------- one command */

/* The state in which the key is there still, or gone; false: it cannot be. */
static bool look(cell *c, struct gd_sim_timed_now now, bool alive)
{
    if (!c->there || c->least_ms == GD_SIM_TIMED_NEVER) {
        return alive;
    }
    if (!alive) {
        c->there = false;
        return c->least_ms <= now.most_ms;
    }
    c->least_ms = c->least_ms > now.least_ms ? c->least_ms : now.least_ms + 1;
    return c->least_ms <= c->most_ms;
}

static void put(cell *c, const char *text, size_t size, bool *lost)
{
    *lost = *lost || size > sizeof c->text;
    c->size = size > sizeof c->text ? sizeof c->text : size;
    memcpy(c->text, text, c->size);
}

static void set_new(cell *c, const char *text, bool *lost)
{
    *c = (cell){.there = true, .least_ms = GD_SIM_TIMED_NEVER, .most_ms = GD_SIM_TIMED_NEVER};
    put(c, text, strlen(text), lost);
}

static void set_time(cell *c, const struct gd_sim_timed_command *command,
                     struct gd_sim_timed_now now)
{
    switch (command->time) {
    case GD_SIM_TIMED_KEEP:
        break;
    case GD_SIM_TIMED_NO_TIME:
    case GD_SIM_TIMED_PERSISTS:
        c->least_ms = c->most_ms = GD_SIM_TIMED_NEVER;
        break;
    case GD_SIM_TIMED_IN:
        c->least_ms = now.least_ms + command->ms;
        c->most_ms = now.most_ms + command->ms;
        break;
    case GD_SIM_TIMED_AT:
        c->least_ms = c->most_ms = command->ms;
        break;
    }
}

static bool has_time(const cell *c)
{
    return c->there && c->least_ms != GD_SIM_TIMED_NEVER;
}

static struct wanted an_integer(int64_t number)
{
    return (struct wanted){.type = GD_SIM_REPLY_INTEGER, .least = number, .most = number};
}

/* `old`: what was there before, which outlives the answer's check. */
static struct wanted a_value(const cell *old)
{
    return old->there ? (struct wanted){GD_SIM_REPLY_BULK, old->text, old->size, 0, 0}
                      : (struct wanted){.type = GD_SIM_REPLY_NULL};
}

static struct wanted ok(void)
{
    return (struct wanted){.type = GD_SIM_REPLY_STATUS, .text = "OK"};
}

static struct wanted an_error(const char *text)
{
    return (struct wanted){.type = GD_SIM_REPLY_ERROR, .text = text};
}

static struct wanted do_set(cell *c, const struct gd_sim_timed_command *command,
                            struct gd_sim_timed_now now, bool *lost)
{
    cell old = *c;
    if ((command->condition == GD_SIM_TIMED_IF && !c->there) ||
        (command->condition == GD_SIM_TIMED_UNLESS && c->there)) {
        return (struct wanted){.type = GD_SIM_REPLY_NULL};
    }
    set_new(c, command->text, lost);
    if (command->time == GD_SIM_TIMED_KEEP && old.there) {
        c->least_ms = old.least_ms;
        c->most_ms = old.most_ms;
    } else {
        set_time(c, command, now);
    }
    return ok();
}

static struct wanted do_incr(cell *c, const struct gd_sim_timed_command *command, bool *lost)
{
    char text[GD_SIM_TIMED_TEXT + 1] = "0", *end;
    int64_t number;
    if (c->there) {
        memcpy(text, c->text, c->size);
        text[c->size] = '\0';
    }
    errno = 0;
    number = strtoll(text, &end, 10);
    if (*end != '\0' || end == text || errno != 0 ||
        __builtin_add_overflow(number, command->amount, &number)) {
        return an_error("ERR value is not an integer");
    }
    if (!c->there) {
        set_new(c, "", lost);
    }
    int length = snprintf(text, sizeof text, "%" PRId64, number);
    put(c, text, (size_t)length, lost);
    return an_integer(number);
}

/* APPEND, SETRANGE. */
static struct wanted do_edit(cell *c, const struct gd_sim_timed_command *command, bool *lost)
{
    char text[2 * GD_SIM_TIMED_TEXT];
    size_t more = strlen(command->text);
    if (!c->there) {
        set_new(c, "", lost);
    }
    size_t at = command->verb == GD_SIM_TIMED_APPEND ? c->size : 0;
    size_t size = at + more > c->size ? at + more : c->size;
    memcpy(text, c->text, c->size);
    memcpy(text + at, command->text, more);
    put(c, text, size, lost);
    return an_integer((int64_t)size);
}

static struct wanted do_expire(cell *c, const struct gd_sim_timed_command *command,
                               struct gd_sim_timed_now now)
{
    if (!c->there || (command->condition == GD_SIM_TIMED_IF && !has_time(c)) ||
        (command->condition == GD_SIM_TIMED_UNLESS && has_time(c))) {
        return an_integer(0);
    }
    set_time(c, command, now);
    return an_integer(1);
}

/* TTL, EXPIRETIME: in seconds the nearest one is told. */
static struct wanted do_tell(cell *c, const struct gd_sim_timed_command *command,
                             struct gd_sim_timed_now now, const struct gd_sim_reply *reply)
{
    bool left = command->verb == GD_SIM_TIMED_TTL;
    int64_t base_least = left ? now.least_ms : 0, base_most = left ? now.most_ms : 0;
    int64_t unit = command->seconds ? 1000 : 1;
    struct wanted wanted = an_integer(!c->there ? -2 : -1);
    if (!has_time(c)) {
        return wanted;
    }
    wanted.least = (c->least_ms - base_most + unit / 2) / unit;
    wanted.most = (c->most_ms - base_least + unit / 2) / unit;
    wanted.least = wanted.least < 0 ? 0 : wanted.least;
    if (reply != NULL && reply->integer >= wanted.least && reply->integer <= wanted.most) {
        int64_t least = reply->integer * unit - unit / 2 + base_least;
        int64_t most = reply->integer * unit + (unit - 1) / 2 + base_most;
        c->least_ms = least > c->least_ms ? least : c->least_ms;
        c->most_ms = most < c->most_ms ? most : c->most_ms;
    }
    return wanted;
}

static struct wanted do_move(struct gd_sim_timed_state *state,
                             const struct gd_sim_timed_command *command)
{
    cell *from = &state->cells[command->key];
    bool renames = command->verb == GD_SIM_TIMED_RENAME;
    if (!from->there) {
        return renames ? an_error("ERR no such key") : an_integer(0);
    }
    state->cells[command->to] = *from;
    from->there = !renames;
    return renames ? ok() : an_integer(1);
}

/* `old`: the key's cell as it was. */
static struct wanted carry_out(struct gd_sim_timed_state *state, const cell *old,
                               const struct gd_sim_timed_command *command,
                               struct gd_sim_timed_now now, const struct gd_sim_reply *reply,
                               bool *lost)
{
    cell *c = &state->cells[command->key];
    switch (command->verb) {
    case GD_SIM_TIMED_SET:
        return do_set(c, command, now, lost);
    case GD_SIM_TIMED_SETNX:
        if (!c->there) {
            set_new(c, command->text, lost);
        }
        return an_integer(!old->there);
    case GD_SIM_TIMED_GETSET:
        set_new(c, command->text, lost);
        return a_value(old);
    case GD_SIM_TIMED_GETDEL:
        c->there = false;
        return a_value(old);
    case GD_SIM_TIMED_GETEX:
        if (c->there && command->time != GD_SIM_TIMED_NO_TIME) {
            set_time(c, command, now);
        }
        return a_value(old);
    case GD_SIM_TIMED_INCRBY:
        return do_incr(c, command, lost);
    case GD_SIM_TIMED_APPEND:
    case GD_SIM_TIMED_SETRANGE:
        return do_edit(c, command, lost);
    case GD_SIM_TIMED_DEL:
        c->there = false;
        return an_integer(old->there);
    case GD_SIM_TIMED_PERSIST:
        c->least_ms = c->most_ms = GD_SIM_TIMED_NEVER;
        return an_integer(has_time(old));
    case GD_SIM_TIMED_EXPIRE:
        return do_expire(c, command, now);
    case GD_SIM_TIMED_RENAME:
    case GD_SIM_TIMED_COPY:
        return do_move(state, command);
    case GD_SIM_TIMED_GET:
        return a_value(old);
    case GD_SIM_TIMED_STRLEN:
        return an_integer(old->there ? (int64_t)old->size : 0);
    case GD_SIM_TIMED_EXISTS:
        return an_integer(old->there);
    case GD_SIM_TIMED_TTL:
    case GD_SIM_TIMED_EXPIRETIME:
        return do_tell(c, command, now, reply);
    case GD_SIM_TIMED_VERB_COUNT:
        break;
    }
    bool known_verb = false;
    GD_ASSERT(known_verb);
    return ok();
}

static bool fits(const struct wanted *wanted, const struct gd_sim_reply *reply)
{
    if (reply == NULL) {
        return true;
    }
    if (reply->type != wanted->type) {
        return false;
    }
    switch (wanted->type) {
    case GD_SIM_REPLY_STATUS:
        return gd_sim_reply_is(reply, wanted->text);
    case GD_SIM_REPLY_ERROR:
        return gd_sim_reply_begins(reply, wanted->text);
    case GD_SIM_REPLY_INTEGER:
        return reply->integer >= wanted->least && reply->integer <= wanted->most;
    case GD_SIM_REPLY_BULK:
        return reply->text.size == wanted->size &&
               memcmp(reply->text.data, wanted->text, wanted->size) == 0;
    case GD_SIM_REPLY_NULL:
    case GD_SIM_REPLY_ARRAY:
        break;
    }
    return true;
}

bool gd_sim_timed_step(struct gd_sim_timed_states *states,
                       const struct gd_sim_timed_command *command, struct gd_sim_timed_now now,
                       const struct gd_sim_reply *reply)
{
    struct gd_sim_timed_states next = {.lost = states->lost};
    for (size_t i = 0; i < states->count; i++) {
        for (unsigned alive = 0; alive < 2; alive++) {
            struct gd_sim_timed_state state = states->all[i];
            bool lost = false;
            if (!look(&state.cells[command->key], now, alive != 0)) {
                continue;
            }
            cell old = state.cells[command->key];
            struct wanted wanted = carry_out(&state, &old, command, now, reply, &lost);
            if (fits(&wanted, reply)) {
                add_state(&next, &state);
                next.lost = next.lost || lost;
            }
        }
    }
    if (next.count == 0 && !next.lost) {
        return false;
    }
    *states = next;
    return true;
}

void gd_sim_timed_say(const struct gd_sim_timed_states *states, unsigned key,
                      struct gd_bytes *bytes)
{
    for (size_t i = 0; i < states->count; i++) {
        const cell *c = &states->all[i].cells[key];
        gd_bytes_add_text(bytes, i == 0 ? "" : " or ");
        if (!c->there) {
            gd_bytes_add_text(bytes, "nothing");
            continue;
        }
        gd_bytes_format(bytes, "'%.*s'", (int)c->size, c->text);
        if (c->least_ms == GD_SIM_TIMED_NEVER) {
            gd_bytes_add_text(bytes, " for ever");
        } else if (c->least_ms == c->most_ms) {
            gd_bytes_format(bytes, " until %" PRId64, c->least_ms);
        } else {
            gd_bytes_format(bytes, " until %" PRId64 "..%" PRId64, c->least_ms, c->most_ms);
        }
    }
}
