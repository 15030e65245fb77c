/* timed.c - see timed.h. */
#include "sim/timed.h"
#include "sim/kvs_clients.h"
#include <inttypes.h>
#include <stdio.h>

/* So many requests, and the keys are left as they are for others: a fresh state, and fresh names.
 */
#define ASKED_MAX 24
/* Times of each order of magnitude, in ms. */
#define TIME_MAX 4096
#define TIME_OCTAVES 9

static struct gd_sim_timed *mine(struct gd_sim_client *client)
{
    return &gd_sim__kvs_mine(client)->timed;
}

static struct gd_sim_timed_all *ours(struct gd_sim_client *client)
{
    return &gd_sim__kvs_ours(client)->timed;
}

/* Other keys from here on, of which nothing is there. */
static void renew(struct gd_sim_client *client)
{
    struct gd_sim_timed *timed = mine(client);
    gd_sim_timed_init(&timed->states);
    timed->generation++;
    timed->asked = 0;
    timed->since = timed->was_sent = timed->was_answered = gd_sim__time(client);
}

void gd_sim__timed_connected(struct gd_sim_client *client)
{
    struct gd_sim_timed *timed = mine(client);
    bool lost = timed->generation == 0;
    for (size_t i = 0; i < GD_SIM_TIMED_REQUESTS; i++) {
        lost = lost || timed->requests[i].used;
        timed->requests[i].used = false;
    }
    if (lost) {
        renew(client);
    }
}

/* ---------------------------------------------------------------- what is asked */

/* What every time lies further ahead; in whole seconds. */
static int64_t ahead_ms(const struct gd_sim_client *client)
{
    return (int64_t)(client->all->options.plan->timed_ahead / GD_SIM_S * 1000);
}

static int64_t draw_time(struct gd_sim_client *client, bool seconds)
{
    uint64_t longest = (uint64_t)TIME_MAX >> gd_prng_below(&client->prng, TIME_OCTAVES);
    uint64_t ms = gd_prng_between(&client->prng, 1, longest) + (uint64_t)ahead_ms(client);
    return (int64_t)(seconds ? (ms + 999) / 1000 * 1000 : ms);
}

/* About now, by what clients can know. */
static int64_t draw_deadline(struct gd_sim_client *client, bool seconds)
{
    int64_t stamp_ms = ours(client)->stamp_ms;
    int64_t base_ms = stamp_ms > 0 ? stamp_ms : gd_io_wall_ms(client->all->options.io);
    int64_t by_ms = draw_time(client, false);
    bool over = gd_prng_chance(&client->prng, 1, 4) && ahead_ms(client) == 0;
    int64_t ms = over ? base_ms - by_ms : base_ms + by_ms;
    return seconds ? ms / 1000 * 1000 : ms;
}

static void draw_value(struct gd_sim_client *client, char *text, size_t size)
{
    const char *before = gd_prng_chance(&client->prng, 1, 2) ? "" : "v";
    (void)snprintf(text, size, "%s%" PRIu64, before, ++client->value_count);
}

static void draw_command_time(struct gd_sim_client *client, struct gd_sim_timed_command *command)
{
    uint64_t dice = gd_prng_below(&client->prng, 8);
    bool expires = command->verb == GD_SIM_TIMED_EXPIRE;
    command->seconds = gd_prng_chance(&client->prng, 1, 4);
    if (dice < 4 || (expires && dice < 6)) {
        command->time = GD_SIM_TIMED_IN;
        command->ms = draw_time(client, command->seconds);
        if (expires && gd_prng_chance(&client->prng, 1, 16) && ahead_ms(client) == 0) {
            command->ms = 0;
        }
    } else if (dice == 4 || expires) {
        command->time = GD_SIM_TIMED_AT;
        command->ms = draw_deadline(client, command->seconds);
    } else if (dice == 5) {
        bool set = command->verb == GD_SIM_TIMED_SET;
        command->time = set ? GD_SIM_TIMED_KEEP : GD_SIM_TIMED_PERSISTS;
    }
}

static void draw_command(struct gd_sim_client *client, struct gd_sim_timed_command *command)
{
    *command = (struct gd_sim_timed_command){0};
    command->verb = (enum gd_sim_timed_verb)gd_prng_below(&client->prng, GD_SIM_TIMED_VERB_COUNT);
    command->key = gd_prng_chance(&client->prng, 3, 4) ? 0 : 1;
    command->to = 1 - command->key;
    if (command->verb == GD_SIM_TIMED_TTL && ahead_ms(client) != 0) {
        command->verb =
            GD_SIM_TIMED_EXPIRETIME; /* What is left, each database counts for itself. */
    }
    switch (command->verb) {
    case GD_SIM_TIMED_SET:
    case GD_SIM_TIMED_EXPIRE:
        if (gd_prng_chance(&client->prng, 1, 4)) {
            bool present = gd_prng_chance(&client->prng, 1, 2);
            command->condition = present ? GD_SIM_TIMED_IF : GD_SIM_TIMED_UNLESS;
        }
        draw_command_time(client, command);
        command->many = command->verb == GD_SIM_TIMED_SET &&
                        command->time == GD_SIM_TIMED_NO_TIME &&
                        command->condition == GD_SIM_TIMED_ALWAYS;
        break;
    case GD_SIM_TIMED_GETEX:
        draw_command_time(client, command);
        break;
    case GD_SIM_TIMED_INCRBY:
        command->amount = (int64_t)gd_prng_between(&client->prng, 0, 4) - 2;
        break;
    case GD_SIM_TIMED_TTL:
    case GD_SIM_TIMED_EXPIRETIME:
        command->seconds = gd_prng_chance(&client->prng, 1, 2);
        break;
    default:
        break;
    }
    if (command->verb == GD_SIM_TIMED_APPEND || command->verb == GD_SIM_TIMED_SETRANGE) {
        (void)snprintf(command->text, sizeof command->text, "x");
    } else {
        draw_value(client, command->text, sizeof command->text);
    }
}

/* ---------------------------------------------------------------- sending */

#define WORDS_MAX 8
struct words {
    const char *at[WORDS_MAX];
    size_t count;
    char key[2][32];
    char number[24];
};

static void add_word(struct words *words, const char *word)
{
    GD_ASSERT(words->count < WORDS_MAX);
    words->at[words->count++] = word;
}

static const char *key_word(const struct gd_sim_client *client, uint64_t generation, unsigned key,
                            char *to, size_t size)
{
    (void)snprintf(to, size, "t%u.%" PRIu64 "%c", client->number, generation, 'a' + (int)key);
    return to;
}

static void send_words(struct gd_sim_client *client, const struct words *words)
{
    gd_bytes_format(&client->waiting, "*%zu\r\n", words->count);
    for (size_t i = 0; i < words->count; i++) {
        gd_bytes_format(&client->waiting, "$%zu\r\n%s\r\n", strlen(words->at[i]), words->at[i]);
    }
}

static const char *verb_word(const struct gd_sim_timed_command *command)
{
    static const char *const names[GD_SIM_TIMED_VERB_COUNT] = {
        "SET",    "SETNX",    "GETSET", "GETDEL",  "GETEX",   "INCRBY",
        "APPEND", "SETRANGE", "DEL",    "PERSIST", "PEXPIRE", "RENAME",
        "COPY",   "GET",      "STRLEN", "EXISTS",  "PTTL",    "PEXPIRETIME"};
    bool at = command->time == GD_SIM_TIMED_AT, seconds = command->seconds;
    switch (command->verb) {
    case GD_SIM_TIMED_SET:
        return command->many ? "MSET" : "SET";
    case GD_SIM_TIMED_INCRBY:
        return command->amount == 1 ? "INCR" : command->amount == -1 ? "DECR" : "INCRBY";
    case GD_SIM_TIMED_EXPIRE:
        return at ? (seconds ? "EXPIREAT" : "PEXPIREAT") : seconds ? "EXPIRE" : "PEXPIRE";
    case GD_SIM_TIMED_TTL:
        return seconds ? "TTL" : "PTTL";
    case GD_SIM_TIMED_EXPIRETIME:
        return seconds ? "EXPIRETIME" : "PEXPIRETIME";
    default:
        return names[command->verb];
    }
}

static void add_number(struct words *words, int64_t number)
{
    (void)snprintf(words->number, sizeof words->number, "%" PRId64, number);
    add_word(words, words->number);
}

static void add_options(struct words *words, const struct gd_sim_timed_command *command)
{
    static const char *const times[2][2] = {{"PX", "EX"}, {"PXAT", "EXAT"}};
    bool at = command->time == GD_SIM_TIMED_AT;
    if (at || command->time == GD_SIM_TIMED_IN) {
        if (command->verb != GD_SIM_TIMED_EXPIRE) {
            add_word(words, times[at][command->seconds]);
        }
        add_number(words, command->ms / (command->seconds ? 1000 : 1));
    } else if (command->time != GD_SIM_TIMED_NO_TIME) {
        add_word(words, command->time == GD_SIM_TIMED_KEEP ? "KEEPTTL" : "PERSIST");
    }
    if (command->condition != GD_SIM_TIMED_ALWAYS) {
        add_word(words, command->condition == GD_SIM_TIMED_IF ? "XX" : "NX");
    }
}

static void send_command(struct gd_sim_client *client, const struct gd_sim_timed_command *command)
{
    struct words words = {.count = 0};
    uint64_t generation = mine(client)->generation;
    const char *word = verb_word(command);
    add_word(&words, word);
    add_word(&words, key_word(client, generation, command->key, words.key[0], sizeof words.key[0]));
    switch (command->verb) {
    case GD_SIM_TIMED_SET:
        add_word(&words, command->text);
        add_options(&words, command);
        break;
    case GD_SIM_TIMED_SETNX:
    case GD_SIM_TIMED_GETSET:
    case GD_SIM_TIMED_APPEND:
        add_word(&words, command->text);
        break;
    case GD_SIM_TIMED_SETRANGE:
        add_word(&words, "0");
        add_word(&words, command->text);
        break;
    case GD_SIM_TIMED_INCRBY:
        if (command->amount != 1 && command->amount != -1) {
            add_number(&words, command->amount);
        }
        break;
    case GD_SIM_TIMED_GETEX:
    case GD_SIM_TIMED_EXPIRE:
        add_options(&words, command);
        break;
    case GD_SIM_TIMED_RENAME:
    case GD_SIM_TIMED_COPY:
        add_word(&words,
                 key_word(client, generation, command->to, words.key[1], sizeof words.key[1]));
        if (command->verb == GD_SIM_TIMED_COPY) {
            add_word(&words, "REPLACE");
        }
        break;
    default:
        break;
    }
    send_words(client, &words);
}

static void send_bare(struct gd_sim_client *client, const char *word)
{
    struct words words = {.count = 0};
    add_word(&words, word);
    send_words(client, &words);
    (void)gd_sim__client_expect(client, FLIGHT_IGNORED, word, NO_OPERATION);
}

/* A request that is about to be sent; NULL: too many are on their way. */
static struct gd_sim_timed_request *begin(struct gd_sim_client *client, uint64_t *mark)
{
    const struct gd_sim_workload_options *options = &client->all->options;
    struct gd_sim_timed *timed = mine(client);
    struct gd_sim_walls walls = {0};
    size_t i = 0;
    while (i < GD_SIM_TIMED_REQUESTS && timed->requests[i].used) {
        i++;
    }
    if (i == GD_SIM_TIMED_REQUESTS) {
        return NULL;
    }
    options->walls(options->context, &walls);
    timed->requests[i] = (struct gd_sim_timed_request){.used = true,
                                                       .generation = timed->generation,
                                                       .sent = gd_sim__time(client),
                                                       .least_ms = ours(client)->stamp_ms,
                                                       .wall_ms = walls.least_ms,
                                                       .set_back = walls.set_back};
    *mark = i;
    return &timed->requests[i];
}

bool gd_sim__timed_ask(struct gd_sim_client *client)
{
    uint64_t mark;
    if (mine(client)->asked++ >= ASKED_MAX) {
        renew(client);
    }
    struct gd_sim_timed_request *request = begin(client, &mark);
    if (request == NULL) {
        return false;
    }
    client->all->issued++;
    request->multi = gd_prng_chance(&client->prng, 1, 2);
    request->asks_time =
        request->multi && gd_prng_chance(&client->prng, 2, 3) && ahead_ms(client) == 0;
    request->count =
        request->multi ? (size_t)gd_prng_between(&client->prng, 1, GD_SIM_TIMED_COMMANDS) : 1;
    request->watched = request->multi && gd_sim__kvs_mine(client)->watching;
    if (request->multi) {
        gd_sim__kvs_mine(client)->watching = false;
        send_bare(client, "MULTI");
    }
    if (request->asks_time) {
        send_bare(client, "TIME");
    }
    for (size_t i = 0; i < request->count; i++) {
        struct gd_sim_timed_command *command = &request->commands[i];
        draw_command(client, command);
        request->writes = request->writes || command->verb < GD_SIM_TIMED_GET;
        send_command(client, command);
        (void)gd_sim__client_expect(client, request->multi ? FLIGHT_IGNORED : FLIGHT_TIMED,
                                    verb_word(command), NO_OPERATION);
    }
    if (request->multi) {
        struct words words = {.count = 0};
        add_word(&words, "EXEC");
        send_words(client, &words);
        (void)gd_sim__client_expect(client, FLIGHT_TIMED, "EXEC", NO_OPERATION);
    }
    client->flights[client->flight_count - 1].mark = mark;
    return true;
}

/* ---------------------------------------------------------------- everything at once */

bool gd_sim__timed_draw_flush(struct gd_sim_client *client, uint64_t *mark)
{
    struct gd_sim_timed_request *request = begin(client, mark);
    if (request == NULL) {
        renew(client); /* What it drops is then no matter. */
        return false;
    }
    request->loads = true;
    return true;
}

bool gd_sim__timed_draw_load(struct gd_sim_client *client, uint64_t *mark)
{
    if (!gd_sim__timed_draw_flush(client, mark)) {
        return false;
    }
    struct gd_sim_timed_request *request = &mine(client)->requests[*mark];
    request->count = (size_t)gd_prng_below(&client->prng, GD_SIM_TIMED_KEYS + 1);
    for (unsigned i = 0; i < request->count; i++) {
        struct gd_sim_timed_command *command = &request->commands[i];
        *command = (struct gd_sim_timed_command){.verb = GD_SIM_TIMED_SET, .key = i};
        draw_value(client, command->text, sizeof command->text);
        if (gd_prng_chance(&client->prng, 3, 4)) {
            command->time = GD_SIM_TIMED_AT;
            command->ms = draw_deadline(client, false);
        }
    }
    return true;
}

static size_t count_times(const struct gd_sim_timed_request *request)
{
    size_t count = 0;
    for (size_t i = 0; i < request->count; i++) {
        count += request->commands[i].time == GD_SIM_TIMED_AT ? 1 : 0;
    }
    return count;
}

size_t gd_sim__timed_load_arguments(struct gd_sim_client *client, uint64_t mark)
{
    const struct gd_sim_timed_request *request = &mine(client)->requests[mark];
    size_t times = count_times(request);
    return 2 * request->count + (times > 0 ? 2 * times + 1 : 0);
}

static void send_text(struct gd_sim_client *client, const char *text)
{
    gd_bytes_format(&client->waiting, "$%zu\r\n%s\r\n", strlen(text), text);
}

void gd_sim__timed_add_load(struct gd_sim_client *client, uint64_t mark)
{
    const struct gd_sim_timed_request *request = &mine(client)->requests[mark];
    size_t times = count_times(request);
    char text[32];
    for (size_t i = 0; i < request->count; i++) {
        const struct gd_sim_timed_command *command = &request->commands[i];
        send_text(client, key_word(client, request->generation, command->key, text, sizeof text));
        send_text(client, command->text);
    }
    for (size_t i = 0; i < request->count; i++) {
        const struct gd_sim_timed_command *command = &request->commands[i];
        if (command->time == GD_SIM_TIMED_AT) {
            send_text(client,
                      key_word(client, request->generation, command->key, text, sizeof text));
            (void)snprintf(text, sizeof text, "%" PRId64, command->ms);
            send_text(client, text);
        }
    }
    if (times > 0) {
        (void)snprintf(text, sizeof text, "%zu", times);
        send_text(client, text);
    }
}

void gd_sim__timed_wiped(struct gd_sim_client *client, size_t operation)
{
    struct gd_sim_timed_all *all = ours(client);
    if (all->wipe_count < GD_SIM_TIMED_WIPES) {
        all->wipes[all->wipe_count] = operation;
    }
    all->wipe_count++;
}

/* What became of the keys since the last request by what others did to everything. One's own are in
 * the order of one's requests, but for those of unknown outcome, for which names were changed. */
static void take_wipes(struct gd_sim_client *client, const struct gd_sim_timed_request *request,
                       gd_time_ns now)
{
    struct gd_sim_timed *timed = mine(client);
    const struct gd_sim_timed_all *all = ours(client);
    const struct gd_sim_record *record = client->all->options.record;
    bool surely = false, possibly = all->wipe_count > GD_SIM_TIMED_WIPES;
    for (size_t i = 0; i < all->wipe_count && i < GD_SIM_TIMED_WIPES; i++) {
        const struct gd_sim_operation *op = &record->operations[all->wipes[i]];
        bool done = op->fate == GD_SIM_FATE_DONE;
        bool own = op->client / FLIGHTS_MAX == client->number;
        if (op->fate == GD_SIM_FATE_NO_EFFECT || (own && (done || op->call >= timed->since))) {
            continue;
        }
        surely = surely || (done && op->call > timed->was_answered && op->back < request->sent);
        possibly = possibly || (op->call <= now && (!done || op->back >= timed->was_sent));
    }
    if (surely || possibly) {
        gd_sim_timed_wipe(&timed->states, surely);
    }
}

/* ---------------------------------------------------------------- answers */

static void say_unfit(struct gd_sim_client *client, const struct gd_sim_timed_command *command,
                      const struct gd_sim_timed_states *states, struct gd_sim_timed_now now,
                      const struct gd_sim_reply *reply, /* NULL: it was in a LOAD. */
                      struct gd_bytes *why)
{
    char key[32];
    (void)key_word(client, mine(client)->generation, command->key, key, sizeof key);
    gd_bytes_format(why, "%s of %s gave ", verb_word(command), key);
    if (reply == NULL) {
        gd_bytes_add_text(why, "OK, of a LOAD");
    } else if (reply->type == GD_SIM_REPLY_INTEGER) {
        gd_bytes_format(why, "%" PRId64, reply->integer);
    } else if (reply->type == GD_SIM_REPLY_NULL || reply->type == GD_SIM_REPLY_ARRAY) {
        gd_bytes_add_text(why, reply->type == GD_SIM_REPLY_NULL ? "null" : "an array");
    } else {
        gd_bytes_format(why, "'%.*s'", reply->text.size > 60 ? 60 : (int)reply->text.size,
                        (const char *)reply->text.data);
    }
    gd_bytes_format(why, " at a time from %" PRId64 " to %" PRId64 ", of what held ", now.least_ms,
                    now.most_ms);
    gd_sim_timed_say(states, command->key, why);
}

/* TIME's answer: seconds and microseconds. */
static bool read_time(const struct gd_sim_reply *replies, size_t at, int64_t *ms)
{
    char text[2][24] = {"", ""};
    int64_t seconds, us;
    if (replies[at].type != GD_SIM_REPLY_ARRAY || replies[at].count != 2) {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        struct gd_slice slice = replies[at + 1 + i].text;
        if (replies[at + 1 + i].type != GD_SIM_REPLY_BULK || slice.size >= sizeof text[0]) {
            return false;
        }
        memcpy(text[i], slice.data, slice.size);
    }
    bool read = sscanf(text[0], "%" SCNd64, &seconds) == 1 && sscanf(text[1], "%" SCNd64, &us) == 1;
    *ms = read ? seconds * 1000 + us / 1000 : 0;
    return read;
}

static struct gd_sim_timed_now bounds(struct gd_sim_client *client,
                                      const struct gd_sim_timed_request *request)
{
    const struct gd_sim_workload_options *options = &client->all->options;
    struct gd_sim_walls walls = {0};
    struct gd_sim_timed_now now;
    options->walls(options->context, &walls);
    now.least_ms = request->least_ms;
    if (walls.set_back == request->set_back && request->wall_ms > now.least_ms) {
        now.least_ms = request->wall_ms;
    }
    now.most_ms = walls.most_ms;
    return now;
}

/* The commands of a request that was carried out at a time within `now`; their answers begin at
 * `at`. */
static bool take_commands(struct gd_sim_client *client, const struct gd_sim_timed_request *request,
                          struct gd_sim_timed_now now, const struct gd_sim_reply *replies,
                          size_t at, struct gd_bytes *why)
{
    struct gd_sim_timed *timed = mine(client);
    for (size_t i = 0; i < request->count; i++) {
        const struct gd_sim_timed_command *command = &request->commands[i];
        const struct gd_sim_reply *reply = request->loads ? NULL : &replies[at];
        if (!gd_sim_timed_step(&timed->states, command, now, reply)) {
            say_unfit(client, command, &timed->states, now, reply, why);
            return false;
        }
        at = replies[at].next;
    }
    return true;
}

static bool take_request(struct gd_sim_client *client, const struct gd_sim_timed_request *request,
                         const struct gd_sim_reply *replies, struct gd_bytes *why)
{
    struct gd_sim_timed_now now = bounds(client, request);
    size_t at = request->multi ? 1 : 0;
    if (request->multi && (replies->type != GD_SIM_REPLY_ARRAY ||
                           replies->count != request->count + (request->asks_time ? 1 : 0))) {
        gd_bytes_add_text(why, "EXEC gave no array of the answers");
        return false;
    }
    if (request->asks_time) {
        int64_t ms = 0;
        if (!read_time(replies, at, &ms) || ms < now.least_ms || ms > now.most_ms) {
            gd_bytes_format(why, "TIME gave %" PRId64 " where %" PRId64 " to %" PRId64 " may be",
                            ms, now.least_ms, now.most_ms);
            return false;
        }
        now = (struct gd_sim_timed_now){ms, ms};
        at = replies[at].next;
        if (request->writes && ms > ours(client)->stamp_ms) {
            ours(client)->stamp_ms = ms;
        }
    }
    if (request->generation != mine(client)->generation) {
        return true;
    }
    take_wipes(client, request, gd_sim__time(client));
    if (request->loads) {
        gd_sim_timed_wipe(&mine(client)->states, true);
    }
    if (!take_commands(client, request, now, replies, at, why)) {
        return false;
    }
    GD_REACHED("simulated client knew what a key with a time held");
    mine(client)->was_sent = request->sent;
    mine(client)->was_answered = gd_sim__time(client);
    if (mine(client)->states.lost) {
        renew(client);
    }
    return true;
}

bool gd_sim__timed_take(struct gd_sim_client *client, const struct flight *flight,
                        const struct gd_sim_reply *replies, struct gd_bytes *why)
{
    struct gd_sim_timed_request *request = &mine(client)->requests[flight->mark];
    GD_ASSERT(request->used);
    request->used = false;
    if (request->multi && replies->type == GD_SIM_REPLY_NULL && request->watched) {
        return true; /* Something watched was changed: nothing was done. */
    }
    return take_request(client, request, replies, why);
}

void gd_sim__timed_refused(struct gd_sim_client *client, const struct flight *flight)
{
    mine(client)->requests[flight->mark].used = false;
}

void gd_sim__timed_unknown(struct gd_sim_client *client, const struct flight *flight)
{
    mine(client)->requests[flight->mark].used = false;
    renew(client);
}
