/* proxy_link.h - one connection to a RESP database: commands out in a pipeline, replies in.
 *
 * One exchange at a time. What is under way when the connection fails ends with an error; what the
 * database did of it is not known. */
#ifndef GANDALF_KVS_PROXY_LINK_H
#define GANDALF_KVS_PROXY_LINK_H
#include "engine/bytes.h"
#include "engine/io.h"
#include "kvs/resp_reply.h"

struct gd_proxy_connection;
/* Reply number `place` of the exchange, whole, borrowed for the call. */
typedef void gd_proxy_reply_fn(void *context, size_t place, struct gd_slice reply);
/* The exchange has ended. From the loop, once, never from inside a call on the link. */
typedef void gd_proxy_done_fn(void *context, enum gd_err err);

/* In the caller's memory; must not move while in use. */
struct gd_proxy_link {
    struct gd_io *io; /* Borrowed. */
    struct gd_address address;
    gd_time_ns patience_ns;         /* Without a byte for so long the database is away. */
    struct gd_proxy_connection *up; /* Owned; NULL while there is none. */
    struct gd_bytes out;            /* Owned: the commands of the next exchange. */
    size_t expected;                /* Replies due to what is in `out`. */
    struct gd_timer watch;          /* Patience. */
    struct gd_timer fail;           /* Tells of a failure inside a call. */
    bool busy;                      /* An exchange or a connect is under way. */
    size_t place;                   /* Replies taken. */
    gd_proxy_reply_fn *reply;
    gd_proxy_done_fn *done;
    void *context;
    size_t closing;                /* Connections on their way out. */
    void (*closed)(void *context); /* Told when the last of them is gone; or NULL. */
    void *closed_context;
};
void gd_proxy_link_init(struct gd_proxy_link *link, struct gd_io *io,
                        const struct gd_address *address, gd_time_ns patience_ns);
/* A fresh connection; one that is there goes first. */
void gd_proxy_link_connect(struct gd_proxy_link *link, gd_proxy_done_fn *done, void *context);
/* Adds a command to the next exchange. */
void gd_proxy_link_add(struct gd_proxy_link *link, const struct gd_slice *args, size_t count);
void gd_proxy_link_add_words(struct gd_proxy_link *link, const char *const *words, size_t count);
/* Sends what was added (at least one command). */
void gd_proxy_link_send(struct gd_proxy_link *link, gd_proxy_reply_fn *reply,
                        gd_proxy_done_fn *done, void *context);
/* Drops the connection and what is under way, without a word to its owner. */
void gd_proxy_link_drop(struct gd_proxy_link *link);
/* Drops, and tells when nothing of the link is in use any more. */
void gd_proxy_link_close(struct gd_proxy_link *link, void (*closed)(void *context), void *context);

/* A command as RESP behind `out`. */
void gd_proxy_write_command(struct gd_bytes *out, const struct gd_slice *args, size_t count);
/* The size of the first reply in `bytes`; 0 when there is none whole. */
size_t gd_proxy_reply_size(struct gd_slice bytes);
static inline struct gd_slice gd_proxy_text(const char *text)
{
    return (struct gd_slice){(const uint8_t *)text, strlen(text)};
}
#endif
