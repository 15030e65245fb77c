/* commands.c - what the clients ask; how they take the answers stands in answers.c.
 *
 * Keys are few, so that clients collide. Every third one holds numbers (INCR), the others text.
 * Written values are unique. What a transaction that never runs would have written is in no
 * operation: whoever reads it reads what nobody wrote. */
#include "engine/memory.h"
#include "sim/kvs_clients.h"
#include "sim/workload_internal.h"
#include <inttypes.h>
#include <stdio.h>

#define TEXT_SIZE_MAX ((size_t)16 << 20)

static bool is_counter(const struct gd_sim_client *client, unsigned key)
{
    uint64_t keys = client->all->options.plan->keys;
    return keys == 1 ? client->all->options.plan->seed % 3 == 0 : key % 3 == 1;
}

static unsigned draw_key(struct gd_sim_client *client)
{
    return (unsigned)gd_prng_below(&client->prng, client->all->options.plan->keys);
}

/* ---------------------------------------------------------------- sending */

static void add_arguments(struct gd_sim_client *client, size_t count)
{
    gd_bytes_format(&client->waiting, "*%zu\r\n", count);
}

static void add_text(struct gd_sim_client *client, const char *text, size_t size)
{
    gd_bytes_format(&client->waiting, "$%zu\r\n", size);
    gd_bytes_add(&client->waiting, text, size);
    gd_bytes_add_text(&client->waiting, "\r\n");
}

static void add_word(struct gd_sim_client *client, const char *word)
{
    add_text(client, word, strlen(word));
}

static void add_key(struct gd_sim_client *client, unsigned key)
{
    char text[16];
    (void)snprintf(text, sizeof text, "k%u", key);
    add_word(client, text);
}

static struct flight *add_flight(struct gd_sim_client *client, enum flight_kind kind,
                                 const char *name, size_t operation)
{
    return gd_sim__client_expect(client, (int)kind, name, operation);
}

static size_t begin_operation(struct gd_sim_client *client, const char *name)
{
    return gd_sim__client_begin(client, name);
}

/* A text never written before: "c3.17", filled up with dots to the size drawn. */
static struct gd_sim_value new_text(struct gd_sim_client *client, bool fill)
{
    const struct gd_sim_plan *plan = client->all->options.plan;
    char name[48];
    int length =
        snprintf(name, sizeof name, "c%u.%" PRIu64 ";", client->number, ++client->value_count);
    size_t size = (size_t)length;
    if (fill) {
        uint64_t most = gd_prng_chance(&client->prng, plan->value_large_chance, 1000000)
                            ? plan->value_large_size
                            : plan->value_size;
        uint64_t drawn = gd_prng_between(&client->prng, 0, most);
        size = drawn > size ? (size_t)drawn : size;
    }
    GD_ASSERT(size <= TEXT_SIZE_MAX);
    char *text = gd_malloc(size + 1);
    memset(text, '.', size);
    memcpy(text, name, (size_t)length);
    struct gd_sim_value value = gd_sim_value_text(client->all->options.record, text, size);
    gd_free(text);
    return value;
}

/* What SET writes: unique, and a number where the key counts. */
static struct gd_sim_value new_value(struct gd_sim_client *client, unsigned key)
{
    char text[32];
    if (!is_counter(client, key)) {
        return new_text(client, true);
    }
    int length =
        snprintf(text, sizeof text, "%u%06" PRIu64 "000", client->number, ++client->value_count);
    return gd_sim_value_text(client->all->options.record, text, (size_t)length);
}

/* Commands of one key and one step: a row each. */
struct single {
    const char *command;
    enum gd_sim_do what;
    bool value;
};
static const struct single singles[] = {
    {"GET", GD_SIM_DO_READ, false},     {"SET", GD_SIM_DO_WRITE, true},
    {"DEL", GD_SIM_DO_DELETE, false},   {"INCR", GD_SIM_DO_INCR, false},
    {"APPEND", GD_SIM_DO_APPEND, true}, {"SETNX", GD_SIM_DO_SETNX, true},
    {"GETDEL", GD_SIM_DO_TAKE, false},  {"GETSET", GD_SIM_DO_SWAP, true},
};
enum {
    SINGLE_GET,
    SINGLE_SET,
    SINGLE_DEL,
    SINGLE_INCR,
    SINGLE_APPEND,
    SINGLE_SETNX,
    SINGLE_GETDEL,
    SINGLE_GETSET
};

/* Adds the command's bytes and its step to the newest operation. */
static void add_single(struct gd_sim_client *client, unsigned which, unsigned key)
{
    const struct single *row = &singles[which];
    struct gd_sim_value value = {.kind = GD_SIM_VALUE_NOTHING};
    if (row->value) {
        value = which == SINGLE_APPEND ? new_text(client, false) : new_value(client, key);
    } else if (which == SINGLE_INCR) {
        value = gd_sim_value_number(1);
    }
    struct gd_sim_step *step = gd_sim_record_step(client->all->options.record, row->what, key);
    step->input = value;
    add_arguments(client, row->value ? 3 : 2);
    add_word(client, row->command);
    add_key(client, key);
    if (row->value) {
        add_text(client, value.text, value.size);
    }
}

static struct flight *ask_single(struct gd_sim_client *client, unsigned which, unsigned key)
{
    if (which == SINGLE_INCR && !is_counter(client, key) && gd_prng_chance(&client->prng, 3, 4)) {
        which = SINGLE_GET;
    }
    if (which == SINGLE_APPEND && is_counter(client, key)) {
        which = SINGLE_INCR;
    }
    size_t operation = begin_operation(client, singles[which].command);
    add_single(client, which, key);
    return add_flight(client, FLIGHT_SINGLE, singles[which].command, operation);
}

/* Some of the keys, each once, in order; at least one. */
static size_t draw_keys(struct gd_sim_client *client, unsigned *keys, size_t most)
{
    uint64_t all = client->all->options.plan->keys;
    size_t count = 0;
    for (unsigned key = 0; key < all && count < most; key++) {
        if (gd_prng_chance(&client->prng, 1, 2)) {
            keys[count++] = key;
        }
    }
    if (count == 0) {
        keys[count++] = draw_key(client);
    }
    return count;
}

static void ask_mget(struct gd_sim_client *client)
{
    unsigned keys[4];
    size_t count = draw_keys(client, keys, GD_COUNT(keys));
    size_t operation = begin_operation(client, "MGET");
    struct gd_sim_record *record = client->all->options.record;
    record->operations[operation].txn = true;
    add_arguments(client, count + 1);
    add_word(client, "MGET");
    for (size_t i = 0; i < count; i++) {
        (void)gd_sim_record_step(record, GD_SIM_DO_READ, keys[i]);
        add_key(client, keys[i]);
    }
    add_flight(client, FLIGHT_MANY, "MGET", operation);
}

/* All of them, or, MSETNX, none if one is there already. */
static void ask_mset(struct gd_sim_client *client, bool absent)
{
    unsigned keys[4];
    const char *command = absent ? "MSETNX" : "MSET";
    size_t count = draw_keys(client, keys, GD_COUNT(keys));
    size_t operation = begin_operation(client, command);
    struct gd_sim_record *record = client->all->options.record;
    record->operations[operation].txn = true;
    add_arguments(client, 2 * count + 1);
    add_word(client, command);
    for (size_t i = 0; i < count; i++) {
        struct gd_sim_value value = new_value(client, keys[i]);
        enum gd_sim_do what = absent ? GD_SIM_DO_SETNX : GD_SIM_DO_WRITE;
        gd_sim_record_step(record, what, keys[i])->input = value;
        add_key(client, keys[i]);
        add_text(client, value.text, value.size);
    }
    add_flight(client, absent ? FLIGHT_ALL : FLIGHT_SINGLE, command, operation);
}

/* A command without arguments that belongs to no operation. */
static void add_bare(struct gd_sim_client *client, const char *word, enum flight_kind kind)
{
    add_arguments(client, 1);
    add_word(client, word);
    add_flight(client, kind, word, NO_OPERATION);
}

/* LOAD replaces the whole store: every key of the plan is written, so that the step list says the
 * same. Keys with a time go too, which their rules allow, or come with it. */
static void ask_load(struct gd_sim_client *client)
{
    size_t count = (size_t)client->all->options.plan->keys;
    size_t operation = begin_operation(client, "LOAD");
    struct gd_sim_record *record = client->all->options.record;
    uint64_t mark = 0;
    bool timed = client->all->options.plan->mix_timed > 0;
    if (timed) {
        gd_sim__timed_wiped(client, operation);
        timed = gd_sim__timed_draw_load(client, &mark);
    }
    record->operations[operation].txn = true;
    add_arguments(client, 2 * count + 1 + (timed ? gd_sim__timed_load_arguments(client, mark) : 0));
    add_word(client, "LOAD");
    for (unsigned key = 0; key < count; key++) {
        struct gd_sim_value value = new_value(client, key);
        gd_sim_record_step(record, GD_SIM_DO_WRITE, key)->input = value;
        add_key(client, key);
        add_text(client, value.text, value.size);
    }
    if (timed) {
        gd_sim__timed_add_load(client, mark);
    }
    enum flight_kind kind = timed ? FLIGHT_TIMED_LOAD : FLIGHT_SINGLE;
    add_flight(client, kind, "LOAD", operation)->mark = mark;
}

/* It drops whatever there is: every key of the plan is deleted, and nobody is told which was there.
 */
static void ask_flush(struct gd_sim_client *client)
{
    static const char *const words[] = {"FLUSHALL", "FLUSHDB"}, *const hows[] = {"SYNC", "ASYNC"};
    const struct gd_sim_plan *plan = client->all->options.plan;
    const char *word = words[gd_prng_below(&client->prng, 2)];
    uint64_t how = gd_prng_below(&client->prng, 4);
    size_t operation = begin_operation(client, word);
    struct gd_sim_record *record = client->all->options.record;
    uint64_t mark = 0;
    bool timed = plan->mix_timed > 0;
    if (timed) {
        gd_sim__timed_wiped(client, operation);
        timed = gd_sim__timed_draw_flush(client, &mark);
    }
    record->operations[operation].txn = true;
    for (unsigned key = 0; key < plan->keys; key++) {
        (void)gd_sim_record_step(record, GD_SIM_DO_DELETE, key);
    }
    add_arguments(client, how < GD_COUNT(hows) ? 2 : 1);
    add_word(client, word);
    if (how < GD_COUNT(hows)) {
        add_word(client, hows[how]);
    }
    add_flight(client, timed ? FLIGHT_TIMED_LOAD : FLIGHT_FLUSH, word, operation)->mark = mark;
}

/* With `counted` DBSIZE is asked at the same moment. */
static void ask_snap(struct gd_sim_client *client, bool counted)
{
    size_t operation = begin_operation(client, "SNAP");
    struct gd_sim_record *record = client->all->options.record;
    record->operations[operation].txn = true;
    for (unsigned key = 0; key < client->all->options.plan->keys; key++) {
        (void)gd_sim_record_step(record, GD_SIM_DO_READ, key);
    }
    if (!counted) {
        add_arguments(client, 1);
        add_word(client, "SNAP");
        add_flight(client, FLIGHT_SNAP, "SNAP", operation);
        return;
    }
    add_bare(client, "MULTI", FLIGHT_IGNORED);
    add_bare(client, "DBSIZE", FLIGHT_IGNORED);
    add_bare(client, "SNAP", FLIGHT_IGNORED);
    add_arguments(client, 1);
    add_word(client, "EXEC");
    add_flight(client, FLIGHT_COUNTED, "EXEC", operation);
}

static void ask_any_snap(struct gd_sim_client *client)
{
    bool counts = client->all->options.plan->mix_flush > 0;
    bool watching = gd_sim__kvs_mine(client)->watching;
    ask_snap(client, counts && !watching && gd_prng_chance(&client->prng, 1, 2));
}

/* A key whose value is no number, if there is one; it may be absent. */
static unsigned draw_text_key(struct gd_sim_client *client)
{
    unsigned key = draw_key(client);
    for (unsigned i = 0; i < 4 && is_counter(client, key); i++) {
        key = draw_key(client);
    }
    return key;
}

/* `fails`: the last command but for one or none is an INCR of a text, behind others that would
 * have changed something. */
static void ask_multi(struct gd_sim_client *client, bool fails)
{
    static const unsigned choices[] = {SINGLE_GET,   SINGLE_SET,    SINGLE_DEL,   SINGLE_INCR,
                                       SINGLE_SETNX, SINGLE_GETDEL, SINGLE_GETSET};
    size_t count = gd_prng_between(&client->prng, 1, 4);
    size_t failing = fails ? count - gd_prng_below(&client->prng, 2) : SIZE_MAX;
    bool watching = gd_sim__kvs_mine(client)->watching;
    size_t operation = begin_operation(client, "EXEC");
    gd_sim__kvs_mine(client)->watching = false;
    client->all->options.record->operations[operation].txn = true;
    add_arguments(client, 1);
    add_word(client, "MULTI");
    add_flight(client, FLIGHT_IGNORED, "MULTI", NO_OPERATION);
    for (size_t i = 0; i < count + (fails ? 1 : 0); i++) {
        unsigned which = choices[gd_prng_below(&client->prng, GD_COUNT(choices))];
        unsigned key = i == failing ? draw_text_key(client) : draw_key(client);
        if (i == failing) {
            which = SINGLE_INCR;
        } else if (which == SINGLE_INCR && !is_counter(client, key)) {
            which = SINGLE_GET;
        }
        add_single(client, which, key);
        add_flight(client, FLIGHT_IGNORED, "a command of MULTI", NO_OPERATION);
    }
    add_arguments(client, 1);
    add_word(client, "EXEC");
    add_flight(client, FLIGHT_EXEC, "EXEC", operation)->mark = watching ? 1 : 0;
}

/* Changes of one text, and behind them what fails: an INCR, or, when all is to be committed, the
 * demand that the key be there (PERSIST in front of SQLite, whose answer is then that of a SETNX
 * that has changed nothing). All on one key: what may or may not have been done ties no others
 * together for whoever judges it. */
static void ask_undone(struct gd_sim_client *client)
{
    static const unsigned choices[] = {SINGLE_SET, SINGLE_APPEND, SINGLE_GETDEL, SINGLE_DEL};
    struct gd_sim_record *record = client->all->options.record;
    unsigned key = draw_text_key(client);
    size_t count = gd_prng_between(&client->prng, 1, 3);
    bool at_commit = gd_prng_chance(&client->prng, 1, 2);
    size_t operation = begin_operation(client, "EXEC");
    record->operations[operation].txn = true;
    add_bare(client, "MULTI", FLIGHT_IGNORED);
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count && at_commit && gd_prng_chance(&client->prng, 3, 4);
        uint64_t dice = gd_prng_below(&client->prng, GD_COUNT(choices));
        unsigned which = last ? SINGLE_DEL : choices[dice];
        which = which == SINGLE_APPEND && is_counter(client, key) ? SINGLE_SET : which;
        add_single(client, which, key);
        add_flight(client, FLIGHT_IGNORED, "a command of MULTI", NO_OPERATION);
    }
    if (at_commit) {
        gd_sim_record_step(record, GD_SIM_DO_SETNX, key)->input = new_value(client, key);
        add_arguments(client, 2);
        add_word(client, "PERSIST");
        add_key(client, key);
    } else {
        add_single(client, SINGLE_INCR, key);
    }
    add_flight(client, FLIGHT_IGNORED, "a command of MULTI", NO_OPERATION);
    add_arguments(client, 1);
    add_word(client, "EXEC");
    add_flight(client, FLIGHT_UNDONE, "EXEC", operation);
}

static void add_watch(struct gd_sim_client *client, unsigned key)
{
    gd_sim__kvs_mine(client)->watching = true;
    add_arguments(client, 2);
    add_word(client, "WATCH");
    add_key(client, key);
    add_flight(client, FLIGHT_WATCH, "WATCH", NO_OPERATION);
}

/* A SET inside MULTI. */
static void add_queued_set(struct gd_sim_client *client, unsigned key, struct gd_sim_value value)
{
    add_arguments(client, 3);
    add_word(client, "SET");
    add_key(client, key);
    add_text(client, value.text, value.size);
    add_flight(client, FLIGHT_IGNORED, "SET", NO_OPERATION);
}

/* WATCH and GET; the rest follows when GET's answer is known. */
static void ask_watch(struct gd_sim_client *client)
{
    unsigned key = draw_key(client);
    client->held = true;
    gd_sim__kvs_mine(client)->watched_known = false;
    gd_sim__kvs_mine(client)->watched_key = key;
    add_watch(client, key);
    size_t operation = begin_operation(client, "GET");
    add_single(client, SINGLE_GET, key);
    add_flight(client, FLIGHT_CAS_READ, "GET", operation);
}

static void ask_watched_set(struct gd_sim_client *client)
{
    size_t operation = begin_operation(client, "EXEC");
    struct gd_sim_record *record = client->all->options.record;
    unsigned key = gd_sim__kvs_mine(client)->watched_key;
    struct gd_sim_value value = new_value(client, key);
    struct gd_sim_step *step = gd_sim_record_step(record, GD_SIM_DO_CAS, key);
    step->old = gd_sim__kvs_mine(client)->watched;
    step->input = value;
    client->held = false;
    gd_sim__kvs_mine(client)->watching = false;
    add_bare(client, "MULTI", FLIGHT_IGNORED);
    add_queued_set(client, key, value);
    add_arguments(client, 1);
    add_word(client, "EXEC");
    add_flight(client, FLIGHT_CAS, "EXEC", operation);
}

/* The same in one piece: that the SET was of the value that GET saw is known when both are
 * answered; until then it is any write. */
static void ask_watched_at_once(struct gd_sim_client *client)
{
    unsigned key = draw_key(client);
    add_watch(client, key);
    size_t read = begin_operation(client, "GET");
    add_single(client, SINGLE_GET, key);
    struct flight *flight = add_flight(client, FLIGHT_CAS_READ, "GET", read);
    size_t operation = begin_operation(client, "EXEC");
    struct gd_sim_value value = new_value(client, key);
    gd_sim_record_step(client->all->options.record, GD_SIM_DO_WRITE, key)->input = value;
    flight->mark = operation + 1;
    gd_sim__kvs_mine(client)->watching = false;
    add_bare(client, "MULTI", FLIGHT_IGNORED);
    add_queued_set(client, key, value);
    add_arguments(client, 1);
    add_word(client, "EXEC");
    add_flight(client, FLIGHT_CAS, "EXEC", operation);
}

/* One that never runs: given up, or spoiled by a command without its value. */
static void ask_idle_multi(struct gd_sim_client *client)
{
    bool spoiled = gd_prng_chance(&client->prng, 1, 2);
    unsigned key = draw_key(client);
    if (gd_prng_chance(&client->prng, 1, 2)) {
        add_watch(client, draw_key(client));
    }
    client->all->issued++;
    add_bare(client, "MULTI", FLIGHT_IGNORED);
    add_queued_set(client, key, new_value(client, key));
    if (spoiled) {
        add_bare(client, gd_prng_chance(&client->prng, 1, 2) ? "SET" : "NONSENSE", FLIGHT_IGNORED);
        add_bare(client, "EXEC", FLIGHT_ABORTED);
    } else {
        add_bare(client, "DISCARD", FLIGHT_IGNORED);
    }
    gd_sim__kvs_mine(client)->watching = false;
}

static void ask_odd(struct gd_sim_client *client)
{
    switch (gd_prng_below(&client->prng, 3)) {
    case 0:
        ask_watched_at_once(client);
        break;
    case 1:
        ask_idle_multi(client);
        break;
    default:
        ask_multi(client, false);
        break;
    }
}

/* Several changes, of which a later one may fail. */
static void ask_failing(struct gd_sim_client *client)
{
    if (gd_prng_chance(&client->prng, 1, 3)) {
        ask_mset(client, true);
    } else {
        ask_multi(client, true);
    }
}

/* Times of each order of magnitude, in ms. */
#define EXPIRY_MAX 4096
#define EXPIRY_OCTAVES 9

static void add_expiring(struct gd_sim_client *client, const char *command, unsigned key)
{
    char name[16];
    (void)snprintf(name, sizeof name, "x%u", key);
    add_word(client, command);
    add_word(client, name);
}

static void add_number(struct gd_sim_client *client, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    add_word(client, text);
}

/* What is asked for bounds what an answer may say is left. */
static void add_time(struct gd_sim_client *client, unsigned key, uint64_t time, uint64_t unit_ms)
{
    uint64_t *longest = &gd_sim__kvs_ours(client)->expiring_longest_ms[key];
    *longest = time * unit_ms > *longest ? time * unit_ms : *longest;
    add_number(client, time);
}

static uint64_t draw_time_ms(struct gd_sim_client *client)
{
    uint64_t longest = EXPIRY_MAX >> gd_prng_below(&client->prng, EXPIRY_OCTAVES);
    return gd_prng_between(&client->prng, 1, longest);
}

static void ask_expiring_set(struct gd_sim_client *client, unsigned key)
{
    size_t number = gd_sim__kvs_ours(client)->expiring_count[key]++;
    struct flight *flight = add_flight(client, FLIGHT_EXPIRY_SET, "SET PX", NO_OPERATION);
    flight->mark = (uint64_t)number * EXPIRING_KEYS + key;
    add_arguments(client, 5);
    add_expiring(client, "SET", key);
    add_number(client, number);
    add_word(client, "PX");
    add_time(client, key, draw_time_ms(client), 1);
}

/* In seconds also 0, by which the key is deleted. */
static void ask_expire(struct gd_sim_client *client, unsigned key)
{
    bool seconds = gd_prng_chance(&client->prng, 1, 2);
    uint64_t time =
        seconds ? gd_prng_between(&client->prng, 0, EXPIRY_MAX / 1000) : draw_time_ms(client);
    const char *command = seconds ? "EXPIRE" : "PEXPIRE";
    add_flight(client, FLIGHT_EXPIRE, command, NO_OPERATION)->mark = key;
    add_arguments(client, 3);
    add_expiring(client, command, key);
    add_time(client, key, time, seconds ? 1000 : 1);
}

static void ask_ttl(struct gd_sim_client *client, unsigned key)
{
    bool seconds = gd_prng_chance(&client->prng, 1, 2);
    const char *command = seconds ? "TTL" : "PTTL";
    struct flight *flight = add_flight(client, FLIGHT_TTL, command, NO_OPERATION);
    flight->mark = (seconds ? UINT64_C(1000) : 1) * EXPIRING_KEYS + key;
    add_arguments(client, 2);
    add_expiring(client, command, key);
}

/* Of those that write, and of those that read, one in four is about the time alone. */
static void ask_expiring(struct gd_sim_client *client, bool reads_only)
{
    unsigned key = (unsigned)gd_prng_below(&client->prng, EXPIRING_KEYS);
    bool write = !reads_only && gd_prng_chance(&client->prng, 1, 3);
    bool time = gd_prng_chance(&client->prng, 1, 4);
    client->all->issued++;
    if (write && time) {
        ask_expire(client, key);
    } else if (write && gd_sim__kvs_ours(client)->expiring_count[key] < EXPIRING_VALUES) {
        ask_expiring_set(client, key);
    } else if (time) {
        ask_ttl(client, key);
    } else {
        add_flight(client, FLIGHT_EXPIRY, "GET", NO_OPERATION)->mark = key;
        add_arguments(client, 2);
        add_expiring(client, "GET", key);
    }
}

/* ---------------------------------------------------------------- what next */

static void ask_one(struct gd_sim_client *client)
{
    const struct gd_sim_plan *plan = client->all->options.plan;
    const uint64_t weights[] = {
        plan->mix_get,   plan->mix_set,    plan->mix_del,    plan->mix_incr,  plan->mix_append,
        plan->mix_setnx, plan->mix_getdel, plan->mix_getset, plan->mix_mset,  plan->mix_mget,
        plan->mix_multi, plan->mix_watch,  plan->mix_expire, plan->mix_snap,  plan->mix_load,
        plan->mix_odd,   plan->mix_fail,   plan->mix_timed,  plan->mix_flush, plan->mix_undone};
    uint64_t sum = 0;
    for (size_t i = 0; i < GD_COUNT(weights); i++) {
        sum += weights[i];
    }
    uint64_t dice = sum > 0 ? gd_prng_below(&client->prng, sum) : 0;
    size_t which = 0;
    while (sum > 0 && dice >= weights[which]) {
        dice -= weights[which++];
    }
    if (which <= SINGLE_GETSET) {
        unsigned key = draw_key(client);
        (void)ask_single(client, (unsigned)which, key);
        return;
    }
    switch (which - SINGLE_GETSET) {
    case 1:
        ask_mset(client, false);
        break;
    case 2:
        ask_mget(client);
        break;
    case 3:
        ask_multi(client, false);
        break;
    case 4:
        ask_watch(client);
        break;
    case 5:
        ask_expiring(client, false);
        break;
    case 6:
        ask_any_snap(client);
        break;
    case 7:
        ask_load(client);
        break;
    case 8:
        ask_odd(client);
        break;
    case 9:
        ask_failing(client);
        break;
    case 10:
        if (!gd_sim__timed_ask(client)) {
            (void)ask_single(client, SINGLE_GET, draw_key(client));
        }
        break;
    case 11:
        ask_flush(client);
        break;
    default:
        if (plan->database_sqlite != 0) {
            ask_undone(client);
        } else { /* Elsewhere what fails has no such effect. */
            ask_multi(client, false);
        }
        break;
    }
}

/* Who only reads reads in all ways that the mix has. */
static void ask_read(struct gd_sim_client *client)
{
    const struct gd_sim_plan *plan = client->all->options.plan;
    uint64_t dice = gd_prng_below(&client->prng, plan->mix_get + plan->mix_expire + plan->mix_mget +
                                                     plan->mix_snap + 1);
    if (dice < plan->mix_expire) {
        ask_expiring(client, true);
    } else if (dice < plan->mix_expire + plan->mix_mget) {
        ask_mget(client);
    } else if (dice < plan->mix_expire + plan->mix_mget + plan->mix_snap) {
        ask_any_snap(client);
    } else {
        (void)ask_single(client, SINGLE_GET, draw_key(client));
    }
}

void gd_sim__kvs_ask(struct gd_sim_client *client, enum gd_sim_want want)
{
    switch (want) {
    case GD_SIM_WANT_LAST_WRITE:
        (void)ask_single(client, SINGLE_SET, draw_key(client));
        break;
    case GD_SIM_WANT_READ:
        ask_read(client);
        break;
    case GD_SIM_WANT_LAST_READ:
        (void)ask_single(client, SINGLE_GET, draw_key(client));
        break;
    case GD_SIM_WANT_ANY:
        ask_one(client);
        break;
    }
}

void gd_sim__kvs_connected(struct gd_sim_client *client)
{
    gd_sim__kvs_mine(client)->watched_known = false;
    gd_sim__kvs_mine(client)->watching = false;
    gd_sim__timed_connected(client);
}

/* The SET behind a WATCH and its GET, once what that saw is known. */
bool gd_sim__kvs_resume(struct gd_sim_client *client)
{
    if (client->held && gd_sim__kvs_mine(client)->watched_known) {
        ask_watched_set(client);
        return true;
    }
    client->held = false;
    return false;
}
