/* client.c - a simulated client as a database's own functions see it; see client.h. */
#include "sim/client.h"
#include "sim/workload_internal.h"
#include <inttypes.h>
#include <stdio.h>

struct gd_prng *gd_sim_client_prng(struct gd_sim_client *client)
{
    return &client->prng;
}

unsigned gd_sim_client_number(const struct gd_sim_client *client)
{
    return client->number;
}

uint64_t gd_sim_client_count(struct gd_sim_client *client)
{
    return ++client->value_count;
}

const struct gd_sim_plan *gd_sim_client_plan(const struct gd_sim_client *client)
{
    return client->all->options.plan;
}

void *gd_sim_client_own(struct gd_sim_client *client)
{
    return client->own;
}

void *gd_sim_clients_own(struct gd_sim_client *client)
{
    return client->all->own;
}

void gd_sim_client_call(struct gd_sim_client *client, const char *name, struct gd_slice input,
                        struct gd_slice bytes)
{
    struct gd_sim_record *record = client->all->options.record;
    size_t operation = gd_sim__client_begin(client, name);
    struct gd_slice kept = gd_sim_record_keep(record, input);
    record->operations[operation].input = kept;
    gd_bytes_add(&client->waiting, bytes.data, bytes.size);
    (void)gd_sim__client_expect(client, 0, name, operation);
}

static struct gd_sim_operation *oldest(const struct gd_sim_client *client)
{
    GD_ASSERT(client->flight_count > 0);
    return &client->all->options.record->operations[client->flights[0].operation];
}

const char *gd_sim_client_asked(const struct gd_sim_client *client)
{
    return oldest(client)->name;
}

struct gd_slice gd_sim_client_input(const struct gd_sim_client *client)
{
    return oldest(client)->input;
}

void gd_sim_client_done(struct gd_sim_client *client, struct gd_slice output)
{
    struct gd_slice kept = gd_sim_record_keep(client->all->options.record, output);
    oldest(client)->output = kept;
    struct flight flight = gd_sim__client_answered(client);
    client->refusals = 0;
    gd_sim__flight_end(client, &flight, GD_SIM_FATE_DONE);
}

void gd_sim_client_refused(struct gd_sim_client *client, struct gd_slice why)
{
    struct flight flight = gd_sim__client_answered(client);
    gd_sim__client_told(client, why.data, why.size);
    gd_sim__client_back_off(client);
    gd_sim__client_turn(client);
    gd_sim__flight_end(client, &flight, GD_SIM_FATE_NO_EFFECT);
}

void gd_sim_client_moved(struct gd_sim_client *client, struct gd_slice address)
{
    struct flight flight = gd_sim__client_answered(client);
    client->node = 0;
    for (unsigned id = 1; id <= GD_SIM_NODES_MAX; id++) {
        struct gd_address known = {0};
        gd_sim_client_address(id, &known);
        if (strlen(known.text) == address.size &&
            memcmp(known.text, address.data, address.size) == 0) {
            client->node = id;
        }
    }
    client->moved = true;
    gd_sim__client_told(client, address.data, address.size);
    gd_sim__client_back_off(client);
    gd_sim__flight_end(client, &flight, GD_SIM_FATE_NO_EFFECT);
}

void gd_sim_client_unknown(struct gd_sim_client *client, struct gd_slice why)
{
    struct flight flight = gd_sim__client_answered(client);
    GD_REACHED("simulated client was told that an outcome is unknown");
    gd_sim__client_told(client, why.data, why.size);
    gd_sim__flight_end(client, &flight, GD_SIM_FATE_OPEN);
}

void gd_sim_client_wrong(struct gd_sim_client *client, struct gd_slice answer)
{
    struct flight flight = gd_sim__client_answered(client);
    char text[256];
    (void)snprintf(text, sizeof text,
                   "client %u got '%.*s' from node %u in answer to %s: no answer to that",
                   client->number, (int)(answer.size > 80 ? 80 : answer.size),
                   (const char *)answer.data, client->node, flight.name);
    gd_sim__flight_end(client, &flight, GD_SIM_FATE_OPEN);
    client->all->options.violated(client->all->options.context, text);
}
