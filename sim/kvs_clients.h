/* kvs_clients.h - the clients of gandalf's own databases (commands.c, answers.c): their state,
 * and how they enter struct gd_sim_database. */
#ifndef GANDALF_SIM_KVS_CLIENTS_H
#define GANDALF_SIM_KVS_CLIENTS_H
#include "sim/database.h"
#include "sim/record.h"
#include "sim/reply.h"
#include "sim/timed.h"
#include "sim/workload_internal.h"

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
    struct gd_sim_timed timed;
};
/* All clients'. */
struct gd_sim__kvs_clients {
    struct gd_sim_replies replies;
    struct expiring_value expiring[EXPIRING_KEYS][EXPIRING_VALUES];
    size_t expiring_count[EXPIRING_KEYS];
    uint64_t expiring_longest_ms[EXPIRING_KEYS]; /* The longest time asked for so far. */
    struct gd_sim_timed_all timed;
};
/* What an answer is to be. */
enum flight_kind {
    FLIGHT_IGNORED,  /* Its content decides nothing: MULTI, QUEUED, SELECT. */
    FLIGHT_WATCH,    /* Nor does this, but that it was refused. */
    FLIGHT_ABORTED,  /* The EXEC of a spoiled transaction: an error. */
    FLIGHT_SINGLE,   /* An operation of one step, or MSET. */
    FLIGHT_MANY,     /* MGET: an array, one element a step. */
    FLIGHT_EXEC,     /* The same, or null: aborted. Marked when something is watched. */
    FLIGHT_CAS_READ, /* The GET behind a WATCH; marked with the operation of its EXEC and one, when
                        that is on its way. */
    FLIGHT_CAS,      /* The EXEC of a watched SET. */
    FLIGHT_SNAP,     /* All keys. */
    FLIGHT_ALL,      /* MSETNX: 1 for all of its steps, or 0 for none. */
    FLIGHT_FLUSH,    /* Every key of the plan is deleted. */
    FLIGHT_COUNTED,  /* DBSIZE and SNAP at one moment. */
    FLIGHT_UNDONE,   /* An EXEC as above that may fail at its end. */
    FLIGHT_EXPIRY,   /* A GET of a key with a time: the rule of expiry. Marked with the key ... */
    FLIGHT_EXPIRY_SET, /* ... or a SET of one; with value * EXPIRING_KEYS + key ... */
    FLIGHT_EXPIRE,     /* ... or its time set anew; with the key ... */
    FLIGHT_TTL,        /* ... or asked for; with (ms of the answer's unit) * EXPIRING_KEYS + key. */
    FLIGHT_TIMED,      /* Of keys of one's own (timed.h). Marked with the request. */
    FLIGHT_TIMED_LOAD  /* The same, and an operation of the record. */
};

static inline struct gd_sim__kvs_client *gd_sim__kvs_mine(struct gd_sim_client *client)
{
    return client->own;
}

static inline struct gd_sim__kvs_clients *gd_sim__kvs_ours(struct gd_sim_client *client)
{
    return client->all->own;
}

void gd_sim__kvs_connected(struct gd_sim_client *client);
bool gd_sim__kvs_resume(struct gd_sim_client *client);
void gd_sim__kvs_ask(struct gd_sim_client *client, enum gd_sim_want want);
enum gd_err gd_sim__kvs_take(struct gd_sim_client *client, struct gd_slice input, size_t *consumed);

#define GD_SIM__KVS_CLIENTS                                                                        \
    .client_size = sizeof(struct gd_sim__kvs_client),                                              \
    .clients_size = sizeof(struct gd_sim__kvs_clients), .connected = gd_sim__kvs_connected,        \
    .resume = gd_sim__kvs_resume, .ask = gd_sim__kvs_ask, .take = gd_sim__kvs_take
#endif
