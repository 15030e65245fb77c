/* resp.h - requests in RESP: arrays of bulk strings, or inline lines, as bytes come in.
 *
 * The reader keeps its place inside a half request, so that no byte is looked at twice however the
 * bytes are cut. Arguments are views of the input; nothing is copied but an inline line's quoted
 * words. Memory grows with the arguments seen, never with a number that a client merely claims. */
#ifndef GANDALF_KVS_RESP_H
#define GANDALF_KVS_RESP_H
#include "engine/bytes.h"

struct gd_resp_limits {
    uint64_t bulk_size_max; /* Bytes of one argument. */
    uint32_t line_size_max; /* Bytes of an inline request, or of a length line. */
    int64_t arg_count_max;  /* Arguments of one request. */
    /* Of a client that has not said its password yet: so that it cannot make us hold much. 0: none
     * but the limits above. */
    uint64_t guest_bulk_size_max;
    int64_t guest_arg_count_max;
};

enum gd_resp_result {
    GD_RESP_MORE,    /* Not whole yet. */
    GD_RESP_REQUEST, /* `args` are set; may be none (an empty line, an empty array): no answer is
                        due. */
    GD_RESP_ERROR    /* `error` tells; the connection is of no more use. */
};

struct gd_resp_reader {
    const struct gd_resp_limits *limits; /* Borrowed. */
    bool guest;                          /* The guest's limits are in force, too. */
    size_t at;                           /* Bytes of the present request that are read. */
    bool begun;                          /* Inside an array. */
    int64_t missing;                     /* Arguments still to come. */
    int64_t bulk_size; /* Of the argument in hand; -1: its length line comes next. */
    size_t scanned;    /* Bytes behind `at` known to hold no line end. */
    struct gd_resp_span {
        size_t offset, size;
    } * spans; /* Owned: the arguments seen. */
    size_t span_count, span_capacity;
    struct gd_bytes inline_words; /* Owned: an inline request's words, unquoted. */
    struct gd_slice *args;        /* Owned; valid after REQUEST until the next read. */
    size_t arg_count, arg_capacity;
    char error[128];
};
void gd_resp_reader_init(struct gd_resp_reader *reader, const struct gd_resp_limits *limits);
void gd_resp_reader_release(struct gd_resp_reader *reader);
/* Reads on. `input` begins where the request in hand began, and has grown at its end alone. With
 * REQUEST `*consumed` is the request's size; otherwise it is untouched. */
enum gd_resp_result gd_resp_read(struct gd_resp_reader *reader, struct gd_slice input,
                                 size_t *consumed);
/* CRC16 (XMODEM) of the key, or of its {hash tag}, modulo 16384: a Redis Cluster slot. */
uint16_t gd_resp_slot(struct gd_slice key);
#endif
