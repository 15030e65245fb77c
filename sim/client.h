/* client.h - what the functions of struct gd_sim_database may do with a simulated client.
 *
 * `ask` calls gd_sim_client_call once a request. `take` reads the oldest request's answer and ends
 * the request by exactly one of done, refused, moved, unknown and wrong. Connections, time,
 * reconnecting, giving up and the record of it all are the simulator's. */
#ifndef GANDALF_SIM_CLIENT_H
#define GANDALF_SIM_CLIENT_H
#include "sim/database.h"

/* The client's own generator: the only source of chance. */
struct gd_prng *gd_sim_client_prng(struct gd_sim_client *client);
/* From 1 on, another for each client. */
unsigned gd_sim_client_number(const struct gd_sim_client *client);
/* 1, 2, 3 ... at each call: with the number it names a value that nobody wrote before. */
uint64_t gd_sim_client_count(struct gd_sim_client *client);
const struct gd_sim_plan *gd_sim_client_plan(const struct gd_sim_client *client);
/* Zeroed at the start; this client's, and that which all clients share. */
void *gd_sim_client_own(struct gd_sim_client *client);
void *gd_sim_clients_own(struct gd_sim_client *client);

/* Sends `bytes` to the node. The model is told `input`. `name` is for people, and static. */
void gd_sim_client_call(struct gd_sim_client *client, const char *name, struct gd_slice input,
                        struct gd_slice bytes);
/* What the oldest request's call was given; borrowed until the run's end. */
const char *gd_sim_client_asked(const struct gd_sim_client *client);
struct gd_slice gd_sim_client_input(const struct gd_sim_client *client);

/* It was carried out, and the answer says `output`. */
void gd_sim_client_done(struct gd_sim_client *client, struct gd_slice output);
/* It certainly was not and will not be; `why` is for people. */
void gd_sim_client_refused(struct gd_sim_client *client, struct gd_slice why);
/* The same: ask the node at `address`, a client's one of the simulated cluster. */
void gd_sim_client_moved(struct gd_sim_client *client, struct gd_slice address);
/* It may have been, or become, carried out, or never. */
void gd_sim_client_unknown(struct gd_sim_client *client, struct gd_slice why);
/* No answer to that: a violation. */
void gd_sim_client_wrong(struct gd_sim_client *client, struct gd_slice answer);
#endif
