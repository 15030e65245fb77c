/* client.h - what gandalf-kvs is made of: a blocking connection, the printing of replies, and the
 * cluster's table. Of the client program alone; not part of the library. */
#ifndef GANDALF_KVS_CLIENT_H
#define GANDALF_KVS_CLIENT_H
#include "kvs/resp_reply.h"

#define GD_CLIENT_HOST_SIZE 256

enum gd_client_form { GD_CLIENT_TERMINAL, GD_CLIENT_RAW, GD_CLIENT_JSON };

struct gd_client_options {
    char host[GD_CLIENT_HOST_SIZE];
    uint16_t port;
    const char *password; /* Borrowed; NULL: none. */
    enum gd_client_form form;
    bool form_given;
};

/* One connection; it is made when it is first needed, and again when it was lost. */
struct gd_client {
    const struct gd_client_options *options;
    char host[GD_CLIENT_HOST_SIZE]; /* Where it is, or will be, connected. */
    uint16_t port;
    int protocol;    /* 2 or 3: asked for at connecting. */
    unsigned wait_s; /* For connecting and for each reply; 0: for connecting alone, 5 s. */
    int fd;          /* -1: not connected. */
    struct gd_bytes input;
    struct gd_resp_reply_reader reader;
    size_t reply_size; /* Of the reply at the front of `input`. */
    bool in_multi;
    char error[600]; /* Why the last call failed. */
};
void gd_client_init(struct gd_client *client, const struct gd_client_options *options);
void gd_client_release(struct gd_client *client);
/* Elsewhere from now on. */
void gd_client_point(struct gd_client *client, const char *host, uint16_t port);

enum gd_client_result {
    GD_CLIENT_OK,
    GD_CLIENT_UNREACHABLE, /* Nothing was sent. */
    GD_CLIENT_LOST         /* Sent, and no whole reply came: done or not, nobody knows. */
};
/* Sends one command, follows MOVED (not inside MULTI), and gives the reply: borrowed until the next
 * call. */
enum gd_client_result gd_client_ask(struct gd_client *client, const struct gd_slice *args,
                                    size_t count, struct gd_slice *reply);

/* Prints one reply to stdout; true when it is an error. */
bool gd_client_print(enum gd_client_form form, struct gd_slice reply);

/* The cluster as a table. Returns the exit status: 0 when there is a leader and a majority of
 * voters answers, 1 when not, 2 when the node asked cannot be reached. */
int gd_client_status(const struct gd_client_options *options);
#endif
