/* resp_reply.c - the reading of replies. See resp_reply.h.
 *
 * An attribute ("|") is taken for an aggregate of its pairs and of the value behind them, so that
 * the count of elements alone tells where a reply ends. */
#include "kvs/resp_reply.h"

/* One head line and what it says of the bytes behind it. */
struct head {
    char kind;
    struct gd_slice text;
    int64_t number;   /* Of '$' '!' '=' and aggregates; -1: null. */
    size_t line_size; /* The line's end counted in. */
};

static bool read_number(struct gd_slice text, int64_t *number)
{
    int64_t value = 0;

    if (text.size == 2 && text.data[0] == '-' && text.data[1] == '1') {
        *number = -1;
        return true;
    }
    if (text.size == 0 || text.size > 10) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (text.data[i] - '0');
    }
    *number = value;
    return true;
}

static bool is_blob(char kind)
{
    return kind == '$' || kind == '!' || kind == '=';
}

static bool is_aggregate(char kind)
{
    return kind == '*' || kind == '~' || kind == '>' || kind == '%' || kind == '|';
}

/* `line` is without its end, and not empty. */
static bool read_head(struct gd_slice line, struct head *head)
{
    char kind = (char)line.data[0];

    *head = (struct head){.kind = kind, .text = {line.data + 1, line.size - 1}};
    head->line_size = line.size + 2;
    if (is_blob(kind) || is_aggregate(kind)) {
        return read_number(head->text, &head->number);
    }
    return kind == '+' || kind == '-' || kind == ':' || kind == '_' || kind == '#' || kind == ',' ||
           kind == '(';
}

/* The line at the front of `input`; `scanned` bytes of it hold no '\n'. */
static enum gd_resp_reply_result find_head(struct gd_slice input, size_t *scanned,
                                           struct head *head)
{
    const uint8_t *end =
        input.size > *scanned ? memchr(input.data + *scanned, '\n', input.size - *scanned) : NULL;
    size_t size;

    if (end == NULL) {
        *scanned = input.size;
        return input.size > GD_RESP_REPLY_LINE_MAX ? GD_RESP_REPLY_BAD : GD_RESP_REPLY_MORE;
    }
    size = (size_t)(end - input.data);
    if (size < 2 || input.data[size - 1] != '\r' || size > GD_RESP_REPLY_LINE_MAX) {
        return GD_RESP_REPLY_BAD;
    }
    return read_head((struct gd_slice){input.data, size - 1}, head) ? GD_RESP_REPLY_WHOLE
                                                                    : GD_RESP_REPLY_BAD;
}

/* Elements behind an aggregate's head. */
static int64_t element_count(const struct head *head)
{
    if (head->number <= 0) {
        return head->kind == '|' ? 1 : 0;
    }
    return head->kind == '%' ? 2 * head->number
                             : (head->kind == '|' ? 2 * head->number + 1 : head->number);
}

/* One element is read: so may be the aggregates that it ends. */
static void element_done(struct gd_resp_reply_reader *reader)
{
    while (reader->depth > 0) {
        reader->missing[reader->depth - 1]--;
        if (reader->missing[reader->depth - 1] > 0) {
            return;
        }
        reader->depth--;
    }
}

enum gd_resp_reply_result gd_resp_reply_read(struct gd_resp_reply_reader *reader,
                                             struct gd_slice input, size_t *size)
{
    do {
        struct gd_slice rest = {input.data + reader->at, input.size - reader->at};
        struct head head;
        enum gd_resp_reply_result result =
            rest.size == 0 ? GD_RESP_REPLY_MORE : find_head(rest, &reader->scanned, &head);
        if (result != GD_RESP_REPLY_WHOLE) {
            return result;
        }
        if (is_blob(head.kind) && head.number >= 0) {
            size_t whole = head.line_size + (size_t)head.number + 2;
            if (rest.size < whole) {
                reader->scanned = 0;
                return GD_RESP_REPLY_MORE;
            }
            if (rest.data[whole - 2] != '\r' || rest.data[whole - 1] != '\n') {
                return GD_RESP_REPLY_BAD;
            }
            reader->at += whole;
        } else {
            reader->at += head.line_size;
        }
        reader->scanned = 0;
        if (is_aggregate(head.kind) && element_count(&head) > 0) {
            if (reader->depth == GD_RESP_DEPTH_MAX) {
                return GD_RESP_REPLY_BAD;
            }
            reader->missing[reader->depth++] = element_count(&head);
        } else {
            element_done(reader);
        }
    } while (reader->depth > 0);
    *size = reader->at;
    *reader = (struct gd_resp_reply_reader){0};
    return GD_RESP_REPLY_WHOLE;
}

bool gd_resp_item_take(struct gd_slice *left, struct gd_resp_item *item)
{
    struct head head;
    size_t scanned = 0, whole;

    if (left->size == 0 || find_head(*left, &scanned, &head) != GD_RESP_REPLY_WHOLE) {
        return false;
    }
    *item = (struct gd_resp_item){.kind = head.kind};
    whole = head.line_size;
    if ((is_blob(head.kind) || is_aggregate(head.kind)) && head.number < 0) {
        item->kind = '_';
    } else if (is_blob(head.kind)) {
        if (left->size - whole < (size_t)head.number + 2) {
            return false;
        }
        item->text = (struct gd_slice){left->data + whole, (size_t)head.number};
        whole += (size_t)head.number + 2;
    } else if (is_aggregate(head.kind)) {
        item->count = (size_t)head.number;
    } else if (head.kind != '_') {
        item->text = head.text;
    }
    left->data += whole;
    left->size -= whole;
    return true;
}
