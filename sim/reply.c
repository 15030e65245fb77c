/* reply.c - RESP replies; see reply.h. */
#include "sim/reply.h"
#include "engine/memory.h"

#define DEPTH_MAX 8

struct parse {
    struct gd_slice input;
    size_t at;
    struct gd_sim_replies *replies;
};

/* The text up to CR LF, and past it. */
static enum gd_err read_line(struct parse *parse, struct gd_slice *line)
{
    const uint8_t *start = parse->input.data + parse->at;
    size_t left = parse->input.size - parse->at;
    const uint8_t *end = left > 0 ? memchr(start, '\r', left) : NULL;
    if (end == NULL || (size_t)(end - start) + 1 >= left) {
        return GD_ERR_MORE;
    }
    if (end[1] != '\n') {
        return GD_ERR_CORRUPT;
    }
    *line = (struct gd_slice){start, (size_t)(end - start)};
    parse->at += line->size + 2;
    return GD_OK;
}

static bool to_integer(struct gd_slice text, int64_t *value)
{
    bool minus = text.size > 0 && text.data[0] == '-';
    uint64_t sum = 0;
    if (text.size == (minus ? 1u : 0u) || text.size > 20) {
        return false;
    }
    for (size_t i = minus ? 1 : 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        sum = sum * 10 + (uint64_t)(text.data[i] - '0');
    }
    *value = (int64_t)(minus ? 0 - sum : sum);
    return true;
}

static struct gd_sim_reply *add_reply(struct gd_sim_replies *replies)
{
    if (replies->count == replies->capacity) {
        replies->capacity = replies->capacity == 0 ? 16 : replies->capacity * 2;
        replies->at = gd_realloc(replies->at, replies->capacity * sizeof *replies->at);
    }
    struct gd_sim_reply *reply = &replies->at[replies->count++];
    *reply = (struct gd_sim_reply){.type = GD_SIM_REPLY_NULL};
    return reply;
}

static enum gd_err read_bulk(struct parse *parse, struct gd_sim_reply *reply, int64_t size)
{
    if (size < 0) {
        return GD_OK;
    }
    if (parse->input.size - parse->at < (uint64_t)size + 2) {
        return GD_ERR_MORE;
    }
    const uint8_t *data = parse->input.data + parse->at;
    if (data[size] != '\r' || data[size + 1] != '\n') {
        return GD_ERR_CORRUPT;
    }
    reply->type = GD_SIM_REPLY_BULK;
    reply->text = (struct gd_slice){data, (size_t)size};
    parse->at += (size_t)size + 2;
    return GD_OK;
}

static enum gd_err read_any(struct parse *parse, unsigned depth)
{
    struct gd_slice line;
    enum gd_err err = read_line(parse, &line);
    size_t place = parse->replies->count;
    struct gd_sim_reply *reply = add_reply(parse->replies);
    int64_t number = 0;
    if (err != GD_OK) {
        return err;
    }
    if (line.size == 0 || depth == DEPTH_MAX) {
        return GD_ERR_CORRUPT;
    }
    char kind = (char)line.data[0];
    struct gd_slice rest = {line.data + 1, line.size - 1};
    reply->text = rest;
    if (kind == '+' || kind == '-') {
        reply->type = kind == '+' ? GD_SIM_REPLY_STATUS : GD_SIM_REPLY_ERROR;
    } else if (kind == '_') {
        reply->type = GD_SIM_REPLY_NULL;
    } else if (!to_integer(rest, &number) || number < -1) {
        if (kind != ':' || !to_integer(rest, &number)) {
            return GD_ERR_CORRUPT;
        }
        reply->type = GD_SIM_REPLY_INTEGER;
        reply->integer = number;
    } else if (kind == ':') {
        reply->type = GD_SIM_REPLY_INTEGER;
        reply->integer = number;
    } else if (kind == '$') {
        err = read_bulk(parse, reply, number);
    } else if (kind == '*' || kind == '%' || kind == '~') {
        size_t count = number < 0 ? 0 : (size_t)number * (kind == '%' ? 2 : 1);
        reply->type = number < 0 ? GD_SIM_REPLY_NULL : GD_SIM_REPLY_ARRAY;
        reply->count = count;
        for (size_t i = 0; i < count && err == GD_OK; i++) {
            err = read_any(parse, depth + 1); /* `reply` may move: not used below. */
        }
    } else {
        return GD_ERR_CORRUPT;
    }
    parse->replies->at[place].next = parse->replies->count;
    return err;
}

enum gd_err gd_sim_reply_read(struct gd_slice input, struct gd_sim_replies *replies,
                              size_t *consumed)
{
    struct parse parse = {input, 0, replies};
    replies->count = 0;
    enum gd_err err = read_any(&parse, 0);
    if (err == GD_OK) {
        *consumed = parse.at;
    }
    return err;
}

void gd_sim_replies_release(struct gd_sim_replies *replies)
{
    gd_free(replies->at);
    *replies = (struct gd_sim_replies){0};
}

bool gd_sim_reply_is(const struct gd_sim_reply *reply, const char *text)
{
    return reply->text.size == strlen(text) &&
           memcmp(reply->text.data, text, reply->text.size) == 0;
}

bool gd_sim_reply_begins(const struct gd_sim_reply *reply, const char *text)
{
    size_t size = strlen(text);
    return reply->text.size >= size && memcmp(reply->text.data, text, size) == 0;
}
