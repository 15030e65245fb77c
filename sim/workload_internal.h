/* workload_internal.h - shared by workload.c (connections, time) and commands.c (what is asked). */
#ifndef GANDALF_SIM_WORKLOAD_INTERNAL_H
#define GANDALF_SIM_WORKLOAD_INTERNAL_H
#include "engine/prng.h"
#include "sim/reply.h"
#include "sim/workload.h"

/* One reply that is owed. */
enum flight_kind {
    FLIGHT_IGNORED,  /* Its content decides nothing: MULTI, QUEUED, WATCH, SELECT. */
    FLIGHT_SINGLE,   /* An operation of one step, or MSET. */
    FLIGHT_MANY,     /* MGET: an array, one element a step. */
    FLIGHT_EXEC,     /* The same, or null: aborted. */
    FLIGHT_CAS_READ, /* The GET behind a WATCH. */
    FLIGHT_CAS,      /* The EXEC of a watched SET. */
    FLIGHT_SNAP,     /* All keys. */
    FLIGHT_EXPIRY,   /* On a key with a time: the rule of expiry. */
};
#define NO_OPERATION SIZE_MAX
struct flight {
    enum flight_kind kind;
    const char *name; /* Static. */
    size_t operation; /* In the record; NO_OPERATION when it is not recorded. */
    gd_time_ns sent;
    bool final_write, final_read;
    uint64_t mark; /* FLIGHT_EXPIRY: which written value. */
    bool expiry_write;
};
#define FLIGHTS_MAX 128

/* The rule of expiry, weaker than linearizability since nobody can know when exactly a key's time
 * is up: once somebody has read a key after a write to it was answered, and did not see the
 * written value, no later read sees it again ("a key never comes back"). Each value is written at
 * most once. */
#define EXPIRING_KEYS 4
#define EXPIRING_VALUES 4096
struct expiring_value {
    bool answered; /* The write was answered with OK, at: */
    gd_time_ns answered_at;
    bool gone; /* A read that began after that answer did not see it; it returned at: */
    gd_time_ns gone_at;
};

enum link { LINK_OFF, LINK_CONNECTING, LINK_ON, LINK_CLOSING };
struct workload_all;
struct client {
    struct workload_all *all;
    unsigned number; /* 1.. */
    unsigned node;   /* Whom it talks to; 0: draw one. */
    struct gd_prng prng;
    enum link link;
    struct gd_stream stream;
    struct gd_timer timer;    /* The next thing to do. */
    struct gd_timer patience; /* The longest wait for an answer. */
    gd_time_ns restart_wait, back_off;
    struct gd_bytes input, waiting, writing;
    struct gd_write write;
    bool write_busy;
    struct flight flights[FLIGHTS_MAX]; /* The oldest first. */
    size_t flight_count;
    bool moved;           /* Was told to go to `node`. */
    uint64_t connections; /* Made so far: names the present one. */
    uint64_t burst_left, batch_mean;
    uint64_t value_count; /* Values written so far: names the next. */
    bool watching;        /* Between WATCH and EXEC. */
    unsigned watched_key;
    struct gd_sim_value watched; /* What GET saw there. */
    bool watched_known;
    bool reads_only; /* Never waits behind a write of its own. */
    uint64_t turn;   /* Of who only reads: operations so far. */
    bool final_write, final_read;
    char refusal[96];
};
struct workload_all {
    struct gd_sim_workload_options options;
    struct client clients[GD_SIM_CLIENTS_MAX];
    size_t client_count;
    gd_time_ns epoch;
    uint64_t issued;          /* Operations, of all clients. */
    gd_time_ns stirred_until; /* On gd_io_now's scale: clients hurry until then. */
    bool finishing;
    struct gd_sim_replies replies;
    struct expiring_value expiring[EXPIRING_KEYS][EXPIRING_VALUES];
    size_t expiring_count[EXPIRING_KEYS];
};
struct order {
    struct gd_io *io;
    struct gd_stream stream;
    struct gd_timer timer;
    struct gd_write write;
    bool closing;
    char text[512];
};

/* By the process's clock; from the start of the run. */
gd_time_ns gd_sim__now(const struct client *client);
gd_time_ns gd_sim__time(const struct client *client);
gd_time_ns gd_sim__client_pause(struct client *client);
void gd_sim__client_close(struct client *client, gd_time_ns wait);
void gd_sim__client_send(struct client *client);
bool gd_sim__client_done(const struct client *client);
/* commands.c: a connection is fresh; the next requests; bytes have come; no answer will come. */
void gd_sim__client_begin(struct client *client);
void gd_sim__client_ask(struct client *client);
void gd_sim__client_input(struct client *client);
void gd_sim__flight_lost(struct client *client, struct flight *flight);
#endif
