/* timed.h - clients that ask about times: commands.c and answers.c hand over to it.
 *
 * The rule. Each client has keys of its own, which nobody else writes, and knows what they may hold
 * (timed_model.h). The time at which a request was carried out is not known, but its bounds are:
 *
 *   not before   what any log entry was stamped with that was answered before the request was sent
 *                (a transaction of ours that writes asks TIME first, and that is its stamp); and,
 *                unless one was set back meanwhile, the wall that was the furthest behind then;
 *   not after    the furthest that any node's wall has ever shown, until the answer.
 *
 * With `timed.ahead` TIME is not asked, and the walls alone tell.
 *
 * So a key whose time is surely over must be gone, one whose time is surely not over must be there,
 * and what a command does to a time must show in TTL, EXPIRETIME, and in when the key goes. Where
 * an outcome stays unknown the client turns to keys with new names. What replaces or drops the
 * whole store (LOAD, FLUSHALL) drops these keys as well: surely if it lies between two requests,
 * and possibly if it overlaps them. */
#ifndef GANDALF_SIM_TIMED_H
#define GANDALF_SIM_TIMED_H
#include "sim/timed_model.h"
#include "sim/workload_internal.h"

#define GD_SIM_TIMED_COMMANDS 6u  /* Of one request. */
#define GD_SIM_TIMED_REQUESTS 16u /* Of one client, on their way. */
#define GD_SIM_TIMED_WIPES 1024u

struct gd_sim_timed_request {
    bool used;
    bool multi, asks_time, loads; /* `loads`: a LOAD, whose steps are SETs of what it brings. */
    bool writes;
    bool watched; /* It may be answered with null: nothing was done. */
    struct gd_sim_timed_command commands[GD_SIM_TIMED_COMMANDS];
    size_t count;
    uint64_t generation;
    gd_time_ns sent;
    int64_t least_ms, wall_ms; /* By stamps; by walls. */
    uint64_t set_back;
};
struct gd_sim_timed { /* One client's. */
    struct gd_sim_timed_states states;
    uint64_t generation;               /* Names the keys. */
    unsigned asked;                    /* Of this generation. */
    gd_time_ns since;                  /* It began. */
    gd_time_ns was_sent, was_answered; /* The last request whose effect is in `states`. */
    struct gd_sim_timed_request requests[GD_SIM_TIMED_REQUESTS];
};
struct gd_sim_timed_all {             /* All clients'. */
    int64_t stamp_ms;                 /* The highest stamp of an entry that was answered. */
    size_t wipes[GD_SIM_TIMED_WIPES]; /* Operations that drop everything. */
    size_t wipe_count;                /* More than fit: any time may be one. */
};

/* A connection is fresh. */
void gd_sim__timed_connected(struct gd_sim_client *client);
/* One request about the client's own keys. False: too many are on their way. */
bool gd_sim__timed_ask(struct gd_sim_client *client);
/* Behind the pairs of a LOAD that is being written: at most GD_SIM_TIMED_KEYS more, drawn here,
 * then their times. `mark` names the request to gd_sim__timed_take. False: nothing may be added. */
bool gd_sim__timed_draw_load(struct gd_sim_client *client, uint64_t *mark);
/* The same of what brings nothing: FLUSHALL. */
bool gd_sim__timed_draw_flush(struct gd_sim_client *client, uint64_t *mark);
/* The arguments that those of a LOAD take. */
size_t gd_sim__timed_load_arguments(struct gd_sim_client *client, uint64_t mark);
void gd_sim__timed_add_load(struct gd_sim_client *client, uint64_t mark);
/* An operation of the record that drops everything was asked. */
void gd_sim__timed_wiped(struct gd_sim_client *client, size_t operation);
/* An answer that says what was done. False: it cannot be; `why` says what would fit. */
bool gd_sim__timed_take(struct gd_sim_client *client, const struct flight *flight,
                        const struct gd_sim_reply *replies, struct gd_bytes *why);
/* The request has certainly done nothing; or nobody knows. */
void gd_sim__timed_refused(struct gd_sim_client *client, const struct flight *flight);
void gd_sim__timed_unknown(struct gd_sim_client *client, const struct flight *flight);
#endif
