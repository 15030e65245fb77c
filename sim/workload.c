/* workload.c - the clients of a run: when they act, what they ask, how they behave.
 *
 * Clients that are evenly spread hardly ever meet. So half of the pauses end at a beat that all
 * clients share, and operations collide there; the other half are drawn by octaves. Bursts, idle
 * spells and clients that leave and come back are on top, by the plan. A burst is an open loop: its
 * requests come when they come, whether the earlier ones are answered or not.
 *
 * A client behaves as real ones do: it gives up on a request after a while, closes the connection
 * and goes to another node; it follows MOVED; it backs off when there is no leader, and does not
 * stay for long with a node that knows of none. What was in flight then is recorded as unknown.
 * Every written value is unique, so that a read tells which write it saw.
 *
 * What is asked and how answers are taken is the database's (database.h); here are connections and
 * time. */
#include "sim/workload_internal.h"
#include "engine/memory.h"
#include <inttypes.h>
#include <stdio.h>

void gd_sim_client_address(unsigned id, struct gd_address *address)
{
    (void)snprintf(address->text, sizeof address->text, "10.0.0.%u:6379", id);
}

void gd_sim_peer_address(unsigned id, struct gd_address *address)
{
    (void)snprintf(address->text, sizeof address->text, "10.0.0.%u:7000", id);
}

static void client_timer(struct gd_timer *timer);
static void connect_soon(struct gd_sim_client *client, gd_time_ns wait);
static gd_time_ns next_pause(struct gd_sim_client *client);

/* ---------------------------------------------------------------- pace */

gd_time_ns gd_sim__time(const struct gd_sim_client *client)
{
    return gd_io_now(client->all->options.io) - client->all->epoch;
}

gd_time_ns gd_sim__now(const struct gd_sim_client *client)
{
    return gd_io_now(client->all->options.io);
}

static void wake_at(struct gd_sim_client *client, gd_time_ns at)
{
    gd_timer_start(client->all->options.io, &client->timer, at);
}

/* Who only reads asks on while so many answers are still to come: a node that was stopped finds
 * questions that were asked long after the world had gone on without it. */
#define READS_OPEN 8
/* So many refusals in a row, and a client tries another node. */
#define REFUSALS_MAX 3
/* Pauses come to about a third of what they are drawn from. */
#define PAUSE_SHARE 3
#define PAUSE_LEAST (5 * GD_SIM_MS)
/* Between two requests of a client that hurries. */
#define STIRRED_PAUSE (20 * GD_SIM_MS)

/* At its multiples clients ask, all of them together. Without `client.even` it is too short where
 * each asks many things at once. */
static gd_time_ns beat_of(const struct gd_sim_client *client)
{
    const struct gd_sim_plan *plan = client->all->options.plan;
    uint64_t operations = plan->operations > 0 ? plan->operations : 1;
    gd_time_ns beat = plan->duration / operations * plan->clients;
    beat = plan->even != 0 ? beat * client->batch_mean : beat / client->batch_mean;
    return beat < GD_SIM_MS ? GD_SIM_MS : beat;
}

/* The same by what is left, and the time that is left for faults: whatever was asked in bursts, no
 * fault strikes a cluster that stands idle. */
static gd_time_ns even_pause(const struct gd_sim_client *client, gd_time_ns beat)
{
    const struct gd_sim_plan *plan = client->all->options.plan;
    gd_time_ns now = gd_sim__time(client), end = gd_sim_plan_faults_end(plan);
    uint64_t issued = client->all->issued;
    if (plan->even == 0 || now >= end || issued >= plan->operations) {
        return beat;
    }
    gd_time_ns pause = PAUSE_SHARE * (end - now) / (plan->operations - issued) * plan->clients *
                       client->batch_mean;
    return pause < PAUSE_LEAST ? PAUSE_LEAST : pause;
}

/* Nobody sleeps through the end of that time. */
static gd_time_ns bounded(const struct gd_sim_client *client, gd_time_ns pause, gd_time_ns beat)
{
    const struct gd_sim_plan *plan = client->all->options.plan;
    gd_time_ns now = gd_sim__time(client), end = gd_sim_plan_faults_end(plan);
    gd_time_ns most = now < end ? end - now + beat : beat;
    return plan->even != 0 && pause > most ? most : pause;
}

/* Was so much asked that it is missing later? Then nobody hurries. */
static bool is_ahead(const struct gd_sim_client *client)
{
    const struct gd_sim_plan *plan = client->all->options.plan;
    gd_time_ns now = gd_sim__time(client), end = gd_sim_plan_faults_end(plan);
    uint64_t due = plan->operations * (now < end ? now : end) / end;
    return plan->even != 0 && client->all->issued > due + plan->operations / 12;
}

static gd_time_ns pause_of(struct gd_sim_client *client)
{
    const struct gd_sim_plan *plan = client->all->options.plan;
    gd_time_ns beat = beat_of(client), mean = even_pause(client, beat);
    gd_time_ns now = gd_sim__time(client);
    bool hurries = !is_ahead(client);
    if (!hurries) {
        GD_REACHED("simulated client does not hurry: much was asked already");
    }
    client->burst_left = hurries ? client->burst_left : 0;
    if (client->burst_left > 0) {
        client->burst_left--;
        return gd_prng_below(&client->prng, GD_SIM_MS);
    }
    if (gd_io_now(client->all->options.io) < client->all->stirred_until && hurries) {
        return gd_prng_between(&client->prng, 1, STIRRED_PAUSE);
    }
    if (gd_prng_chance(&client->prng, plan->burst_chance, 1000000) && hurries) {
        client->burst_left = plan->burst_count;
    }
    if (gd_prng_chance(&client->prng, plan->idle_chance, 1000000)) {
        return plan->idle_time;
    }
    if (gd_prng_chance(&client->prng, 1, 2)) {
        gd_time_ns jitter = gd_prng_below(&client->prng, 2 * GD_SIM_MS);
        gd_time_ns then = now + (plan->even != 0 ? gd_prng_below(&client->prng, mean) : 0);
        return bounded(client, (then / beat + 1) * beat - now + jitter, beat);
    }
    gd_time_ns longest = mean * 2;
    uint64_t octave = gd_prng_below(&client->prng, 10);
    gd_time_ns most = longest >> octave > 1 ? longest >> octave : 1;
    return bounded(client, gd_prng_between(&client->prng, 1, most), beat);
}

/* ---------------------------------------------------------------- connection */

static void give_up(struct gd_sim_client *client)
{
    for (size_t i = 0; i < client->flight_count; i++) {
        gd_sim__flight_end(client, &client->flights[i], GD_SIM_FATE_OPEN);
    }
    client->flight_count = 0;
    client->held = false;
    gd_bytes_clear(&client->input);
    gd_bytes_clear(&client->waiting);
}

static void stream_closed(struct gd_stream *stream, enum gd_err err)
{
    struct gd_sim_client *client = stream->context;
    (void)err;
    GD_ASSERT(client->link == LINK_CLOSING);
    client->link = LINK_OFF;
    gd_bytes_clear(&client->writing);
    client->write_busy = false;
    if (client->restart_wait == 0) {
        client->restart_wait = 1;
    }
    connect_soon(client, client->restart_wait);
}

/* Ends the connection; another follows after `wait`. */
void gd_sim__client_close(struct gd_sim_client *client, gd_time_ns wait)
{
    if (client->link == LINK_OFF || client->link == LINK_CLOSING) {
        return;
    }
    give_up(client);
    client->link = LINK_CLOSING;
    client->restart_wait = wait;
    gd_timer_stop(client->all->options.io, &client->patience);
    gd_stream_close(&client->stream, stream_closed);
}

static void write_done(struct gd_write *write, enum gd_err err);

static void write_on(struct gd_sim_client *client)
{
    if (client->write_busy || client->link != LINK_ON || client->waiting.size == 0) {
        return;
    }
    struct gd_bytes swap = client->writing;
    client->writing = client->waiting;
    client->waiting = swap;
    gd_bytes_clear(&client->waiting);
    memset(&client->write, 0, sizeof client->write);
    client->write.slices[0] = gd_bytes_slice(&client->writing);
    client->write.count = 1;
    client->write.done = write_done;
    client->write.context = client;
    if (gd_stream_write(&client->stream, &client->write) == GD_OK) {
        client->write_busy = true;
    } else {
        gd_sim__client_close(client, 10 * GD_SIM_MS);
    }
}

static void write_done(struct gd_write *write, enum gd_err err)
{
    struct gd_sim_client *client = write->context;
    client->write_busy = false;
    if (client->link == LINK_CLOSING) {
        return;
    }
    if (err != GD_OK) {
        gd_sim__client_close(client, 10 * GD_SIM_MS);
        return;
    }
    write_on(client);
}

static void send_on(struct gd_sim_client *client)
{
    const struct gd_sim_plan *plan = client->all->options.plan;
    write_on(client);
    if (client->link == LINK_ON && client->flight_count > 0 &&
        !gd_timer_running(&client->patience)) {
        gd_timer_start(client->all->options.io, &client->patience,
                       gd_sim__now(client) + plan->client_timeout);
    }
}

/* The oldest request has waited long enough: a real client closes and turns elsewhere. */
static void patience_ends(struct gd_timer *timer)
{
    struct gd_sim_client *client = timer->context;
    GD_REACHED("simulated client gave up on a request");
    client->node = 0;
    gd_sim__client_close(client, 0);
}

/* ---------------------------------------------------------------- requests, answers */

/* Under each number one operation at a time: the least that no request on its way has. */
static uint64_t free_number(const struct gd_sim_client *client)
{
    const struct gd_sim_record *record = client->all->options.record;
    bool taken[FLIGHTS_MAX + 1] = {false};
    uint64_t number = 0;
    for (size_t i = 0; i < client->flight_count; i++) {
        size_t operation = client->flights[i].operation;
        if (operation != NO_OPERATION) {
            taken[record->operations[operation].client % FLIGHTS_MAX] = true;
        }
    }
    while (taken[number]) {
        number++;
    }
    return number;
}

size_t gd_sim__client_begin(struct gd_sim_client *client, const char *name)
{
    struct workload_all *all = client->all;
    struct gd_sim_record *record = all->options.record;
    uint64_t id = (uint64_t)client->number * FLIGHTS_MAX + free_number(client);
    all->issued++;
    record->flights = FLIGHTS_MAX;
    size_t operation = gd_sim_record_call(record, id, name, gd_sim__time(client));
    record->operations[operation].node = client->node;
    record->operations[operation].session = (uint64_t)client->number << 32 | client->connections;
    return operation;
}

struct flight *gd_sim__client_expect(struct gd_sim_client *client, int kind, const char *name,
                                     size_t operation)
{
    GD_ASSERT(client->flight_count < FLIGHTS_MAX);
    struct flight *flight = &client->flights[client->flight_count++];
    *flight = (struct flight){
        .kind = kind, .name = name, .operation = operation, .sent = gd_sim__time(client)};
    return flight;
}

struct flight gd_sim__client_answered(struct gd_sim_client *client)
{
    GD_ASSERT(client->flight_count > 0);
    struct flight flight = client->flights[0];
    client->flight_count--;
    memmove(&client->flights[0], &client->flights[1],
            client->flight_count * sizeof client->flights[0]);
    return flight;
}

void gd_sim__flight_end(struct gd_sim_client *client, const struct flight *flight,
                        enum gd_sim_fate fate)
{
    struct gd_sim_record *record = client->all->options.record;
    if (fate == GD_SIM_FATE_DONE) {
        client->final_write |= flight->final_write;
        client->final_read |= flight->final_read;
    }
    if (flight->operation != NO_OPERATION && fate != GD_SIM_FATE_OPEN) {
        gd_sim_record_return(record, flight->operation, fate, gd_sim__time(client));
    } else if (flight->operation != NO_OPERATION) {
        record->unknown_count++;
    }
}

void gd_sim__client_told(struct gd_sim_client *client, const void *text, size_t size)
{
    size = size < sizeof client->refusal - 1 ? size : sizeof client->refusal - 1;
    memcpy(client->refusal, text, size);
    client->refusal[size] = '\0';
}

void gd_sim__client_turn(struct gd_sim_client *client)
{
    bool soon = gd_prng_chance(&client->prng, 1, 3);
    if (++client->refusals >= REFUSALS_MAX || soon) {
        client->shunned = client->node;
        client->node = 0;
        client->moved = true;
    }
}

void gd_sim__client_back_off(struct gd_sim_client *client)
{
    client->back_off = gd_prng_between(&client->prng, 1, 100) * GD_SIM_MS;
}

static void take_input(struct gd_sim_client *client)
{
    struct workload_all *all = client->all;
    size_t at = 0;
    while (at < client->input.size && client->link == LINK_ON) {
        struct gd_slice rest = {client->input.data + at, client->input.size - at};
        size_t consumed = 0;
        enum gd_err err = client->flight_count == 0 ? GD_ERR_CORRUPT
                                                    : all->database->take(client, rest, &consumed);
        if (err == GD_ERR_MORE) {
            break;
        }
        if (err != GD_OK) {
            all->options.violated(all->options.context,
                                  client->flight_count > 0
                                      ? "a node sent a client bytes that are no reply"
                                      : "a node sent a client a reply that nobody asked");
            gd_sim__client_close(client, 0);
            return;
        }
        at += consumed;
    }
    if (client->link != LINK_ON) {
        return;
    }
    gd_bytes_consume(&client->input, at);
    if (client->moved && client->flight_count == 0) {
        GD_REACHED("simulated client followed MOVED");
        gd_sim__client_close(client, client->node == 0 ? 50 * GD_SIM_MS : 0);
    }
}

static void stream_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    struct gd_sim_client *client = stream->context;
    if (err != GD_OK) {
        if (gd_prng_chance(&client->prng, 1, 2)) {
            client->node = 0;
        }
        gd_sim__client_close(client, gd_prng_below(&client->prng, 50 * GD_SIM_MS));
        return;
    }
    gd_bytes_add(&client->input, bytes.data, bytes.size);
    take_input(client);
    if (client->link != LINK_ON) {
        return;
    }
    gd_timer_stop(client->all->options.io, &client->patience);
    send_on(client);
    if (client->flight_count == 0 && !gd_timer_running(&client->timer)) {
        wake_at(client, gd_sim__now(client) + next_pause(client));
    }
}

static void stream_connected(struct gd_stream *stream, enum gd_err err)
{
    struct gd_sim_client *client = stream->context;
    if (client->link == LINK_CLOSING) {
        return;
    }
    gd_timer_stop(client->all->options.io, &client->patience);
    if (err != GD_OK) {
        client->node = 0;
        gd_sim__client_close(client, gd_prng_between(&client->prng, 5, 200) * GD_SIM_MS);
        return;
    }
    client->link = LINK_ON;
    gd_stream_read_start(stream, stream_read);
    client->held = false;
    client->moved = false;
    client->connections++;
    if (client->all->database->connected != NULL) {
        client->all->database->connected(client);
    }
    wake_at(client, gd_sim__now(client));
}

static void connect_now(struct gd_sim_client *client)
{
    struct workload_all *all = client->all;
    struct gd_address address = {0};
    if (client->node == 0) {
        unsigned total = (unsigned)gd_sim_plan_total(all->options.plan);
        client->node = (unsigned)gd_prng_between(&client->prng, 1, total);
        if (client->node == client->shunned) {
            client->node = client->node % total + 1;
        }
    }
    client->shunned = 0;
    client->refusals = 0;
    gd_sim_client_address(client->node, &address);
    memset(&client->stream, 0, sizeof client->stream);
    client->stream.context = client;
    if (gd_stream_connect(all->options.io, &client->stream, &address, stream_connected) != GD_OK) {
        client->node = 0;
        connect_soon(client, 100 * GD_SIM_MS);
        return;
    }
    client->link = LINK_CONNECTING;
    gd_timer_start(all->options.io, &client->patience,
                   gd_sim__now(client) + all->options.plan->client_timeout);
}

static void connect_soon(struct gd_sim_client *client, gd_time_ns wait)
{
    wake_at(client, gd_sim__now(client) + wait);
}

static gd_time_ns next_pause(struct gd_sim_client *client)
{
    gd_time_ns wait = client->back_off;
    client->back_off = 0;
    if (client->all->finishing) {
        return wait;
    }
    gd_time_ns pause = pause_of(client);
    return wait > pause ? wait : pause;
}

static bool is_done(const struct gd_sim_client *client)
{
    return client->all->finishing && client->final_write && client->final_read;
}

/* Nobody writes: what a node has told readers then is in no log. */
static bool is_lull(const struct gd_sim_client *client)
{
    const struct gd_sim_plan *plan = client->all->options.plan;
    return plan->lull > 0 && gd_sim__time(client) % (plan->lull_gap + plan->lull) >= plan->lull_gap;
}

/* What next: go on with what was begun, the last word, or some requests of the mix. */
static void ask_next(struct gd_sim_client *client)
{
    struct workload_all *all = client->all;
    const struct gd_sim_plan *plan = all->options.plan;
    if (all->database->resume != NULL && all->database->resume(client)) {
        return;
    }
    if (all->finishing) {
        if (!is_done(client)) {
            bool write = !client->final_write;
            all->database->ask(client, write ? GD_SIM_WANT_LAST_WRITE : GD_SIM_WANT_LAST_READ);
            GD_ASSERT(client->flight_count > 0);
            struct flight *last = &client->flights[client->flight_count - 1];
            *(write ? &last->final_write : &last->final_read) = true;
        }
        return;
    }
    uint64_t count = gd_prng_between(&client->prng, 1, plan->pipeline);
    for (uint64_t i = 0; i < count && all->issued < plan->operations; i++) {
        if (client->flight_count > FLIGHTS_MAX - 16 || client->held) {
            break;
        }
        bool reads = client->reads_only || is_lull(client);
        all->database->ask(client, reads ? GD_SIM_WANT_READ : GD_SIM_WANT_ANY);
    }
}

static size_t open_reads(const struct gd_sim_plan *plan)
{
    return plan->deaf_chance > 0 ? GD_SIM_ASKED_AT_ONCE : READS_OPEN;
}

/* The moment to do something: connect, or ask. */
static void client_timer(struct gd_timer *timer)
{
    struct gd_sim_client *client = timer->context;
    struct workload_all *all = client->all;
    const struct gd_sim_plan *plan = all->options.plan;
    if (client->link == LINK_OFF) {
        if (!all->finishing && all->issued >= all->options.plan->operations) {
            return; /* gd_sim_workload_finish wakes it again. */
        }
        if (!is_done(client)) {
            connect_now(client);
        }
        return;
    }
    bool burst = client->burst_left > 0 && !client->moved && !all->finishing;
    bool eager = (client->reads_only && !all->finishing) || burst;
    size_t open = burst ? GD_SIM_ASKED_AT_ONCE : !eager ? 1 : open_reads(plan);
    if (client->link != LINK_ON || client->flight_count >= open ||
        (client->held && client->flight_count > 0)) {
        return;
    }
    if (burst && client->flight_count > 0 && !client->reads_only) {
        GD_REACHED("simulated client asked on in a burst");
    }
    if (!all->finishing && client->flight_count == 0 &&
        gd_prng_chance(&client->prng, all->options.plan->leave_chance, 1000000)) {
        client->node = 0;
        gd_sim__client_close(client, next_pause(client));
        return;
    }
    ask_next(client);
    send_on(client);
    if (client->reads_only && eager && client->link == LINK_ON && plan->deaf_chance > 0 &&
        gd_prng_chance(&client->prng, plan->deaf_chance, 1000000)) {
        gd_stream_read_stop(&client->stream); /* It hangs, and closes when its patience ends. */
    }
    if (eager && client->link == LINK_ON && all->issued < all->options.plan->operations) {
        wake_at(client, gd_sim__now(client) + next_pause(client));
    }
}

/* ---------------------------------------------------------------- all of them */

struct gd_sim_workload *gd_sim_workload_new(const struct gd_sim_workload_options *options)
{
    struct workload_all *all = gd_calloc(1, sizeof *all);
    all->options = *options;
    all->database = options->plan->database;
    all->own = gd_calloc(1, all->database->clients_size + 1);
    all->epoch = gd_io_now(options->io);
    all->client_count = (size_t)options->plan->clients;
    for (size_t i = 0; i < all->client_count; i++) {
        struct gd_sim_client *client = &all->clients[i];
        client->all = all;
        client->number = (unsigned)i + 1;
        client->own = gd_calloc(1, all->database->client_size + 1);
        client->batch_mean = (options->plan->pipeline + 1) / 2;
        client->timer = (struct gd_timer){.fire = client_timer, .context = client};
        client->patience = (struct gd_timer){.fire = patience_ends, .context = client};
        gd_prng_init(&client->prng,
                     gd_prng_mix(options->plan->seed, gd_prng_mix(UINT64_C(0x636c69), i + 1)));
        if (options->plan->readers > 0) {
            client->reads_only = gd_prng_chance(&client->prng, options->plan->readers, 1000000);
        }
    }
    return (struct gd_sim_workload *)all;
}

static struct workload_all *all_of(struct gd_sim_workload *workload)
{
    return (struct workload_all *)workload;
}

void gd_sim_workload_start(struct gd_sim_workload *workload)
{
    struct workload_all *all = all_of(workload);
    for (size_t i = 0; i < all->client_count; i++) {
        struct gd_sim_client *client = &all->clients[i];
        connect_soon(client, gd_prng_between(&client->prng, 1, 2000) * GD_SIM_MS);
    }
}

void gd_sim_workload_finish(struct gd_sim_workload *workload)
{
    struct workload_all *all = all_of(workload);
    all->finishing = true;
    for (size_t i = 0; i < all->client_count; i++) {
        struct gd_sim_client *client = &all->clients[i];
        if (client->link == LINK_OFF || (client->link == LINK_ON && client->flight_count == 0)) {
            wake_at(client, gd_sim__now(client) + gd_prng_below(&client->prng, 10 * GD_SIM_MS));
        }
    }
}

void gd_sim_workload_stir(struct gd_sim_workload *workload)
{
    struct workload_all *all = all_of(workload);
    all->stirred_until = gd_io_now(all->options.io) + all->options.plan->election_timeout / 2;
    for (size_t i = 0; i < all->client_count && !all->finishing; i++) {
        struct gd_sim_client *client = &all->clients[i];
        bool idle = client->flight_count == 0 || client->reads_only;
        if (client->link == LINK_ON && idle && !is_ahead(client)) {
            wake_at(client, gd_sim__now(client) + gd_prng_between(&client->prng, 1, STIRRED_PAUSE));
        }
    }
}

uint64_t gd_sim_workload_issued(const struct gd_sim_workload *workload)
{
    return ((const struct workload_all *)workload)->issued;
}

bool gd_sim_workload_finished(const struct gd_sim_workload *workload)
{
    const struct workload_all *all = (const struct workload_all *)workload;
    if (!all->finishing) {
        return false;
    }
    for (size_t i = 0; i < all->client_count; i++) {
        if (!is_done(&all->clients[i]) || all->clients[i].flight_count > 0) {
            return false;
        }
    }
    return true;
}

/* The keys that a recorded request is about. */
static void name_keys(const struct gd_sim_record *record, size_t operation, struct gd_bytes *bytes)
{
    char key[64];
    if (operation == NO_OPERATION) {
        return;
    }
    const struct gd_sim_operation *op = &record->operations[operation];
    for (size_t i = 0; i < op->count && i < 4; i++) {
        gd_sim_record_key_text(record, record->steps[op->first + i].key, key, sizeof key);
        gd_bytes_format(bytes, " %s", key);
    }
}

void gd_sim_workload_unfinished(const struct gd_sim_workload *workload, struct gd_bytes *bytes)
{
    static const char *const links[] = {"not connected", "connecting", "connected", "closing"};
    const struct workload_all *all = (const struct workload_all *)workload;
    for (size_t i = 0; i < all->client_count; i++) {
        const struct gd_sim_client *client = &all->clients[i];
        if (is_done(client) && client->flight_count == 0) {
            continue;
        }
        gd_bytes_format(bytes, "client %u, %s, node %u: ", client->number, links[client->link],
                        client->node);
        if (client->flight_count > 0) {
            const struct flight *flight = &client->flights[0];
            char text[32];
            gd_sim_time_text(flight->sent, text, sizeof text);
            gd_bytes_format(bytes, "waits for the answer to %s", flight->name);
            name_keys(all->options.record, flight->operation, bytes);
            gd_bytes_format(bytes, ", asked at %s\n", text);
        } else {
            gd_bytes_format(bytes, "no %s was answered; the last refusal was: %s\n",
                            client->final_write ? "read" : "write",
                            client->refusal[0] != '\0' ? client->refusal : "none");
        }
    }
}

/* ---------------------------------------------------------------- orders */

static void order_closed(struct gd_stream *stream, enum gd_err err)
{
    struct order *order = stream->context;
    (void)err;
    gd_timer_stop(order->io, &order->timer);
    gd_bytes_release(&order->bytes);
    gd_free(order);
}

static void order_close(struct order *order)
{
    if (!order->closing) {
        order->closing = true;
        gd_stream_close(&order->stream, order_closed);
    }
}

static void order_ends(struct gd_timer *timer)
{
    order_close(timer->context);
}

/* The first byte tells whether it is done. */
static void order_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    struct order *order = stream->context;
    const struct gd_sim_workload_options *options = &order->all->options;
    if (err == GD_OK && bytes.size > 0 && bytes.data[0] == '+' && !order->closing &&
        options->ordered != NULL) {
        options->ordered(options->context, order->node, order->command);
    }
    order_close(order);
}

static void order_written(struct gd_write *write, enum gd_err err)
{
    if (err != GD_OK) {
        order_close(write->context);
    }
}

static void order_connected(struct gd_stream *stream, enum gd_err err)
{
    struct order *order = stream->context;
    if (order->closing) {
        return;
    }
    if (err != GD_OK) {
        order_close(order);
        return;
    }
    gd_stream_read_start(stream, order_read);
    order->write.slices[0] = gd_bytes_slice(&order->bytes);
    order->write.count = 1;
    order->write.done = order_written;
    order->write.context = order;
    if (gd_stream_write(stream, &order->write) != GD_OK) {
        order_close(order);
    }
}

void gd_sim_workload_order(struct gd_sim_workload *workload, unsigned node, const char *command)
{
    struct workload_all *all = all_of(workload);
    struct order *order = gd_calloc(1, sizeof *order);
    struct gd_address address = {0};
    order->io = all->options.io;
    order->all = all;
    order->node = node;
    (void)snprintf(order->command, sizeof order->command, "%s", command);
    order->stream.context = order;
    order->timer = (struct gd_timer){.fire = order_ends, .context = order};
    if (all->database->order != NULL) {
        all->database->order(command, &order->bytes);
    } else {
        gd_bytes_format(&order->bytes, "%s\r\n", command);
    }
    gd_sim_client_address(node, &address);
    if (gd_stream_connect(order->io, &order->stream, &address, order_connected) != GD_OK) {
        gd_bytes_release(&order->bytes);
        gd_free(order);
        return;
    }
    gd_timer_start(order->io, &order->timer, gd_io_now(order->io) + 5 * GD_SIM_S);
}
