/* reply.h - writes replies in the client's protocol: RESP2 or RESP3.
 *
 * A writer whose `out` is NULL (nobody waits for the reply on this node) takes everything and
 * writes nothing, so that a handler need not ask. */
#ifndef GANDALF_KVS_REPLY_H
#define GANDALF_KVS_REPLY_H
#include "engine/bytes.h"

struct gd_reply {
    struct gd_bytes *out; /* Borrowed; NULL: write nothing. */
    int protocol;         /* 2 or 3. */
};
/* "+text". */
void gd_reply_simple(struct gd_reply *reply, const char *text);
/* "-text": begins with its code, "ERR ..." for most; line ends become blanks. */
void gd_reply_error(struct gd_reply *reply, const char *text);
void gd_reply_error_format(struct gd_reply *reply, const char *format, ...) GD_PRINTF(2, 3);
void gd_reply_integer(struct gd_reply *reply, int64_t number);
void gd_reply_bulk(struct gd_reply *reply, struct gd_slice bytes);
void gd_reply_bulk_text(struct gd_reply *reply, const char *text);
/* "$-1" or "_". */
void gd_reply_null(struct gd_reply *reply);
/* "*-1" or "_". */
void gd_reply_null_array(struct gd_reply *reply);
/* The head of an array; `count` elements follow. */
void gd_reply_array(struct gd_reply *reply, size_t count);
/* The head of a map of `count` pairs (an array of twice as many in RESP2). */
void gd_reply_map(struct gd_reply *reply, size_t count);
/* The head of a set (an array in RESP2). */
void gd_reply_set(struct gd_reply *reply, size_t count);
/* A whole reply that was written before. */
void gd_reply_raw(struct gd_reply *reply, struct gd_slice written);
#endif
