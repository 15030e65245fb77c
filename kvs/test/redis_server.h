/* redis_server.h - a redis-server of a test's own, where there is one on the machine. */
#ifndef GANDALF_KVS_TEST_REDIS_SERVER_H
#define GANDALF_KVS_TEST_REDIS_SERVER_H
#include "engine/bytes.h"
#include <sys/types.h>

struct redis_server {
    pid_t pid;
    int fd; /* Connected. */
    struct gd_bytes input;
};
/* False when there is none to be started. */
bool redis_server_start(struct redis_server *server);
void redis_server_stop(struct redis_server *server);
/* Sends one command and waits for its reply, `size` bytes at the front of `input`. */
size_t redis_server_ask(struct redis_server *server, const struct gd_slice *args, size_t count);
void redis_server_done(struct redis_server *server, size_t size);
/* Bytes of the reply at the front of `bytes`; 0 when it is not whole. */
size_t reply_size(const uint8_t *bytes, size_t size);
#endif
