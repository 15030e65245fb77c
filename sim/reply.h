/* reply.h - RESP replies as a client reads them: bytes in, a tree out.
 *
 * Written apart from the kvs's own RESP on purpose: what a server words wrongly, its own parser may
 * read back without a complaint. */
#ifndef GANDALF_SIM_REPLY_H
#define GANDALF_SIM_REPLY_H
#include "engine/bytes.h"

enum gd_sim_reply_type {
    GD_SIM_REPLY_STATUS,  /* +OK */
    GD_SIM_REPLY_ERROR,   /* -ERR ... */
    GD_SIM_REPLY_INTEGER, /* :1 */
    GD_SIM_REPLY_BULK,    /* $3 */
    GD_SIM_REPLY_NULL,    /* $-1, *-1, _ */
    GD_SIM_REPLY_ARRAY    /* *2, and RESP3's maps and sets as arrays */
};
struct gd_sim_reply {
    enum gd_sim_reply_type type;
    struct gd_slice text; /* Of status, error and bulk; borrowed from the input. */
    int64_t integer;
    size_t count; /* Of an array's children. */
    size_t next;  /* The place behind this reply and all its children. */
};
/* A reply and all below it, in the order of the bytes: a child follows its parent. */
struct gd_sim_replies {
    struct gd_sim_reply *at; /* Owned. */
    size_t count, capacity;
};
/* Reads one whole reply from the front of `input`.
 *
 * Returns   GD_OK: `*consumed` bytes are done with. GD_ERR_MORE: not whole yet. GD_ERR_CORRUPT: no
 *           reply begins so. */
GD_MUST_CHECK enum gd_err gd_sim_reply_read(struct gd_slice input, struct gd_sim_replies *replies,
                                            size_t *consumed);
void gd_sim_replies_release(struct gd_sim_replies *replies);
/* Is the text of a status, error or bulk this? */
bool gd_sim_reply_is(const struct gd_sim_reply *reply, const char *text);
/* Does the text begin with this? */
bool gd_sim_reply_begins(const struct gd_sim_reply *reply, const char *text);
#endif
