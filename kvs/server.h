/* server.h - the store alone, over RESP, with no consensus: what gandalf-kvs-server runs.
 *
 * It stands on io.h, so the same code is a database of its own in the simulated world. Design
 * notes: server.c. */
#ifndef GANDALF_KVS_SERVER_H
#define GANDALF_KVS_SERVER_H
#include "kvs/kv_parser.h"

enum gd_kv_sync {
    GD_KV_SYNC_NEVER,  /* No file: what is written is gone with the process. */
    GD_KV_SYNC_SECOND, /* A file, synced once a second. */
    GD_KV_SYNC_ALWAYS, /* No reply leaves before what it rests on is synced. */
};

struct gd_kv_server;
struct gd_kv_server_options {
    struct gd_io *io; /* Borrowed; outlives the server. */
    struct gd_address address;
    enum gd_kv_sync sync;
    const char *password; /* NULL: none. Borrowed. */
    /* Told, never from inside a call: listening, with what the file held; and the end, after an
     * error alone. */
    void (*ready)(void *context, const struct gd_address *address);
    void (*failed)(void *context, const struct gd_error *error);
    void *context;
};
struct gd_kv_server *gd_kv_server_new(const struct gd_kv_server_options *options);
void gd_kv_server_start(struct gd_kv_server *server);
/* FLUSHALL, as another client would send it. */
void gd_kv_server_flush(struct gd_kv_server *server);
/* For looks from outside; borrowed. */
const struct gd_kv *gd_kv_server_kv(const struct gd_kv_server *server);
#endif
