/* kvs_clients.h - the clients of gandalf's own databases (commands.c): their state, and how they
 * enter struct gd_sim_database. */
#ifndef GANDALF_SIM_KVS_CLIENTS_H
#define GANDALF_SIM_KVS_CLIENTS_H
#include "sim/database.h"
#include "sim/record.h"
#include "sim/reply.h"

/* The rule of expiry, weaker than linearizability since nobody can know when exactly a key's time
 * is up: once somebody has read a key after a write to it was answered, and did not see the
 * written value, no later read sees it again ("a key never comes back"). Each value is written at
 * most once. That a key is gone is also what PTTL's -2 and EXPIRE's 0 say; what is left of a time
 * is never more than was asked for. */
#define EXPIRING_KEYS 4
#define EXPIRING_VALUES 4096
struct expiring_value {
    bool answered; /* The write was answered with OK, at: */
    gd_time_ns answered_at;
    bool gone; /* A read that began after that answer did not see it; it returned at: */
    gd_time_ns gone_at;
};

/* One client's. While the client is held (workload_internal.h) it is between WATCH and EXEC. */
struct gd_sim__kvs_client {
    unsigned watched_key;
    struct gd_sim_value watched; /* What GET saw there. */
    bool watched_known;
    bool watching; /* It has sent a WATCH, and neither EXEC nor DISCARD behind it. */
    bool guarded;  /* The last WATCH that was answered was not refused. */
};
/* All clients'. */
struct gd_sim__kvs_clients {
    struct gd_sim_replies replies;
    struct expiring_value expiring[EXPIRING_KEYS][EXPIRING_VALUES];
    size_t expiring_count[EXPIRING_KEYS];
    uint64_t expiring_longest_ms[EXPIRING_KEYS]; /* The longest time asked for so far. */
};
void gd_sim__kvs_connected(struct gd_sim_client *client);
bool gd_sim__kvs_resume(struct gd_sim_client *client);
void gd_sim__kvs_ask(struct gd_sim_client *client, enum gd_sim_want want);
enum gd_err gd_sim__kvs_take(struct gd_sim_client *client, struct gd_slice input, size_t *consumed);

#define GD_SIM__KVS_CLIENTS                                                                        \
    .client_size = sizeof(struct gd_sim__kvs_client),                                              \
    .clients_size = sizeof(struct gd_sim__kvs_clients), .connected = gd_sim__kvs_connected,        \
    .resume = gd_sim__kvs_resume, .ask = gd_sim__kvs_ask, .take = gd_sim__kvs_take
#endif
