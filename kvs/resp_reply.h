/* resp_reply.h - replies in RESP2 and RESP3, the reading half: for clients.
 *
 * Two steps. The reader looks at bytes as they come in and says when one reply is whole; it keeps
 * its place, so that no byte is looked at twice however the bytes are cut, and holds no memory of
 * its own, whatever sizes the other side claims. A whole reply is then walked item by item, without
 * a tree being built. Rejected: RESP3's streamed strings and arrays ("$?"), which no server sends.
 */
#ifndef GANDALF_KVS_RESP_REPLY_H
#define GANDALF_KVS_RESP_REPLY_H
#include "engine/bytes.h"

enum {
    GD_RESP_DEPTH_MAX = 64,               /* Nested arrays, beyond which a reply is refused. */
    GD_RESP_REPLY_LINE_MAX = 1024 * 1024, /* Bytes of one line. */
};

enum gd_resp_reply_result {
    GD_RESP_REPLY_MORE,  /* Not whole yet. */
    GD_RESP_REPLY_WHOLE, /* `at` bytes are one reply. */
    GD_RESP_REPLY_BAD    /* Not RESP; the connection is of no more use. */
};

/* All zero is the start. */
struct gd_resp_reply_reader {
    size_t at;                          /* Bytes of the reply that are read. */
    size_t scanned;                     /* Bytes behind `at` known to hold no line end. */
    int64_t missing[GD_RESP_DEPTH_MAX]; /* Elements still to come, the outermost first. */
    size_t depth;                       /* Of `missing` in use. */
};
/* Reads on. `input` begins where the reply in hand began, and has grown at its end alone. After
 * WHOLE, `*size` (else untouched) is the reply's, and the reader is at its start again. */
enum gd_resp_reply_result gd_resp_reply_read(struct gd_resp_reply_reader *reader,
                                             struct gd_slice input, size_t *size);

struct gd_resp_item {
    char kind;            /* '+' '-' ':' '$' '*' '_' '#' ',' '(' '!' '=' '%' '~' '>' '|'. RESP2's
                             "$-1" and "*-1" are '_'. */
    struct gd_slice text; /* Of what is no aggregate; borrowed from the reply. */
    size_t count;         /* Of an aggregate: elements; pairs of '%' and '|'. */
};
/* The next item of a whole reply; `left` moves behind it. An aggregate's elements follow it; '|' is
 * followed by its pairs, and then by the value that they are about. False at the end, or where the
 * bytes are no reply. */
bool gd_resp_item_take(struct gd_slice *left, struct gd_resp_item *item);
#endif
