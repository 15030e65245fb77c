/* reply.c - RESP2 and RESP3, the writing half. */
#include "kvs/reply.h"
#include "engine/memory.h"
#include "kvs/number.h"
#include <stdarg.h>
#include <stdio.h>

/* A type's mark, a number, the line's end. */
static void add_head(struct gd_reply *reply, char mark, int64_t number)
{
    char line[24];
    size_t size;

    if (reply->out == NULL) {
        return;
    }
    line[0] = mark;
    size = 1 + gd_number_format(number, line + 1);
    line[size++] = '\r';
    line[size++] = '\n';
    gd_bytes_add(reply->out, line, size);
}

static void add_text(struct gd_reply *reply, const char *text)
{
    if (reply->out != NULL) {
        gd_bytes_add_text(reply->out, text);
    }
}

void gd_reply_simple(struct gd_reply *reply, const char *text)
{
    size_t size = strlen(text);
    uint8_t *to;

    if (reply->out == NULL) {
        return;
    }
    to = gd_bytes_reserve(reply->out, size + 3);
    to[0] = '+';
    memcpy(to + 1, text, size); /* NOLINT(bugprone-not-null-terminated-result): bytes, no string */
    to[1 + size] = '\r';
    to[2 + size] = '\n';
    reply->out->size += size + 3;
}

void gd_reply_error(struct gd_reply *reply, const char *text)
{
    size_t start;

    if (reply->out == NULL) {
        return;
    }
    gd_bytes_add_u8(reply->out, '-');
    start = reply->out->size;
    gd_bytes_add_text(reply->out, text);
    while (reply->out->size > start && (reply->out->data[reply->out->size - 1] == '\r' ||
                                        reply->out->data[reply->out->size - 1] == '\n')) {
        reply->out->size--;
    }
    for (size_t i = start; i < reply->out->size; i++) {
        uint8_t *at = &reply->out->data[i];
        *at = *at == '\r' || *at == '\n' ? (uint8_t)' ' : *at;
    }
    gd_bytes_add_text(reply->out, "\r\n");
}

void gd_reply_error_format(struct gd_reply *reply, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    gd_reply_error(reply, text);
}

void gd_reply_integer(struct gd_reply *reply, int64_t number)
{
    add_head(reply, ':', number);
}

void gd_reply_bulk(struct gd_reply *reply, struct gd_slice bytes)
{
    add_head(reply, '$', (int64_t)bytes.size);
    if (reply->out != NULL) {
        gd_bytes_add(reply->out, bytes.data, bytes.size);
        gd_bytes_add(reply->out, "\r\n", 2);
    }
}

void gd_reply_bulk_text(struct gd_reply *reply, const char *text)
{
    gd_reply_bulk(reply, (struct gd_slice){(const uint8_t *)text, strlen(text)});
}

void gd_reply_null(struct gd_reply *reply)
{
    add_text(reply, reply->protocol == 3 ? "_\r\n" : "$-1\r\n");
}

void gd_reply_null_array(struct gd_reply *reply)
{
    add_text(reply, reply->protocol == 3 ? "_\r\n" : "*-1\r\n");
}

void gd_reply_array(struct gd_reply *reply, size_t count)
{
    add_head(reply, '*', (int64_t)count);
}

void gd_reply_map(struct gd_reply *reply, size_t count)
{
    add_head(reply, reply->protocol == 3 ? '%' : '*',
             (int64_t)(reply->protocol == 3 ? count : 2 * count));
}

void gd_reply_set(struct gd_reply *reply, size_t count)
{
    add_head(reply, reply->protocol == 3 ? '~' : '*', (int64_t)count);
}

void gd_reply_raw(struct gd_reply *reply, struct gd_slice written)
{
    if (reply->out != NULL) {
        gd_bytes_add(reply->out, written.data, written.size);
    }
}
