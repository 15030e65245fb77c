/* workload_internal.h - shared by workload.c (connections, time), client.c and commands.c (what is
 * asked). */
#ifndef GANDALF_SIM_WORKLOAD_INTERNAL_H
#define GANDALF_SIM_WORKLOAD_INTERNAL_H
#include "engine/prng.h"
#include "sim/client.h"
#include "sim/database.h"
#include "sim/workload.h"

/* One answer that is owed. */
#define NO_OPERATION SIZE_MAX
struct flight {
    const char *name; /* Static. */
    size_t operation; /* In the record; NO_OPERATION when it is not recorded. */
    gd_time_ns sent;
    bool final_write, final_read;
    /* The database's own. */
    int kind;
    uint64_t mark;
};
#define FLIGHTS_MAX 128

enum link { LINK_OFF, LINK_CONNECTING, LINK_ON, LINK_CLOSING };
struct workload_all;
struct gd_sim_client {
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
    unsigned shunned;     /* Who could not serve it: not drawn while there are others; 0: none. */
    unsigned refusals;    /* In a row, of this connection. */
    uint64_t connections; /* Made so far: names the present one. */
    uint64_t burst_left, batch_mean;
    uint64_t value_count; /* Values written so far: names the next. */
    bool held;       /* Asks nothing more before all is answered and `resume` has been called. */
    bool reads_only; /* Never waits behind a write of its own. */
    bool final_write, final_read;
    char refusal[96];
    void *own; /* Owned: the database's. */
};
struct workload_all {
    struct gd_sim_workload_options options;
    struct gd_sim_client clients[GD_SIM_CLIENTS_MAX];
    size_t client_count;
    gd_time_ns epoch;
    uint64_t issued;          /* Operations, of all clients. */
    gd_time_ns stirred_until; /* On gd_io_now's scale: clients hurry until then. */
    bool finishing;
    const struct gd_sim_database *database; /* Borrowed. */
    void *own;                              /* Owned: the database's. */
};
struct order {
    struct gd_io *io;
    struct gd_stream stream;
    struct gd_timer timer;
    struct gd_write write;
    bool closing;
    struct gd_bytes bytes;
    struct workload_all *all;
    unsigned node;
    char command[GD_ADDRESS_SIZE + 64];
};

/* By the process's clock; from the start of the run. */
gd_time_ns gd_sim__now(const struct gd_sim_client *client);
gd_time_ns gd_sim__time(const struct gd_sim_client *client);
void gd_sim__client_close(struct gd_sim_client *client, gd_time_ns wait);
/* Begins an operation in the record; its number. */
size_t gd_sim__client_begin(struct gd_sim_client *client, const char *name);
/* An answer is owed from here on. */
struct flight *gd_sim__client_expect(struct gd_sim_client *client, int kind, const char *name,
                                     size_t operation);
/* The oldest flight, which is answered now. */
struct flight gd_sim__client_answered(struct gd_sim_client *client);
/* What its answer says of its operation. OPEN: nothing. */
void gd_sim__flight_end(struct gd_sim_client *client, const struct flight *flight,
                        enum gd_sim_fate fate);
/* The answer refuses or cannot say, in these words: for people. */
void gd_sim__client_told(struct gd_sim_client *client, const void *text, size_t size);
/* Refused for want of a leader: another node may be better off. The client turns there now and
 * then, and after the third refusal in a row for certain. */
void gd_sim__client_turn(struct gd_sim_client *client);
/* The client waits a little before its next request. */
void gd_sim__client_back_off(struct gd_sim_client *client);
#endif
