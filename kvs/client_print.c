/* client_print.c - a reply on the terminal, as bytes, or as JSON.
 *
 * Terminal: one that a reader can tell apart, strings quoted, elements numbered. Raw: the values
 * alone, one to a line, for scripts. JSON: one line; bytes that are not UTF-8 become \u00XX. */
#include "kvs/client.h"
#include <stdio.h>

static void put(struct gd_slice bytes)
{
    if (bytes.size > 0) { /* An empty slice may have no address. */
        (void)fwrite(bytes.data, 1, bytes.size, stdout);
    }
}

/* What a verbatim string says, without its kind ("txt:"). */
static struct gd_slice verbatim(struct gd_slice text)
{
    size_t kind = text.size < 4 ? text.size : 4;

    return (struct gd_slice){text.data + kind, text.size - kind};
}

/* ---------------------------------------------------------------- terminal */

static void put_quoted(struct gd_slice text)
{
    (void)putchar('"');
    for (size_t i = 0; i < text.size; i++) {
        static const char plain[] = "\n\r\t\a\b", letters[] = "nrtab";
        uint8_t byte = text.data[i];
        const char *place = byte == 0 ? NULL : strchr(plain, byte);
        if (place != NULL) {
            (void)printf("\\%c", letters[place - plain]);
        } else if (byte == '"' || byte == '\\') {
            (void)printf("\\%c", byte);
        } else if (byte >= ' ' && byte < 0x7f) {
            (void)putchar(byte);
        } else {
            (void)printf("\\x%02x", byte);
        }
    }
    (void)putchar('"');
}

static int digits(size_t number)
{
    int count = 1;

    for (; number >= 10; number /= 10) {
        count++;
    }
    return count;
}

static void print_terminal(struct gd_slice *left, int indent, const char *end);

/* The elements of an aggregate; the first stands on the line begun. */
static void print_elements(struct gd_slice *left, const struct gd_resp_item *item, int indent)
{
    int mark = item->kind == '%' || item->kind == '|' ? '#' : item->kind == '~' ? '~' : ')';
    int width = digits(item->count);

    if (item->count == 0) {
        (void)printf(mark == '#'   ? "(empty hash)\n"
                     : mark == '~' ? "(empty set)\n"
                                   : "(empty array)\n");
    }
    for (size_t i = 0; i < item->count; i++) {
        (void)printf("%*s%*zu%c ", i == 0 ? 0 : indent, "", width, i + 1, mark);
        if (mark == '#') {
            print_terminal(left, indent + width + 2, " => ");
        }
        print_terminal(left, indent + width + 2, "\n");
    }
}

/* `end` follows a single value; an aggregate ends its own lines. */
static void print_terminal(struct gd_slice *left, int indent, const char *end)
{
    struct gd_resp_item item;

    if (!gd_resp_item_take(left, &item)) {
        return;
    }
    switch (item.kind) {
    case '*':
    case '~':
    case '>':
    case '%':
        print_elements(left, &item, indent);
        return;
    case '|':
        print_elements(left, &item, indent);
        (void)printf("%*s", indent, "");
        print_terminal(left, indent, end);
        return;
    case '$':
        put_quoted(item.text);
        break;
    case '-':
    case '!':
        (void)printf("(error) ");
        put(item.text);
        break;
    case ':':
    case '(':
        (void)printf("(integer) ");
        put(item.text);
        break;
    case ',':
        (void)printf("(double) ");
        put(item.text);
        break;
    case '#':
        (void)printf(item.text.size == 1 && item.text.data[0] == 't' ? "(true)" : "(false)");
        break;
    case '_':
        (void)printf("(nil)");
        break;
    case '=':
        put(verbatim(item.text));
        break;
    default:
        put(item.text);
        break;
    }
    (void)fputs(end, stdout);
}

/* ---------------------------------------------------------------- raw */

static void print_raw(struct gd_slice reply)
{
    struct gd_resp_item item;

    while (gd_resp_item_take(&reply, &item)) {
        switch (item.kind) {
        case '*':
        case '~':
        case '>':
        case '%':
        case '|':
            if (item.count > 0) {
                continue;
            }
            break;
        case '=':
            put(verbatim(item.text));
            break;
        default:
            put(item.text);
            break;
        }
        (void)putchar('\n');
    }
}

/* ---------------------------------------------------------------- JSON */

/* Bytes of the UTF-8 character at the front; 0 when there is none. */
static size_t character_size(struct gd_slice text)
{
    uint8_t first = text.data[0];
    size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (size > text.size || first > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((text.data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((first == 0xe0 && text.data[1] < 0xa0) || (first == 0xed && text.data[1] > 0x9f) ||
        (first == 0xf0 && text.data[1] < 0x90) || (first == 0xf4 && text.data[1] > 0x8f)) {
        return 0;
    }
    return size;
}

static void put_json_string(struct gd_slice text)
{
    (void)putchar('"');
    while (text.size > 0) {
        size_t size = character_size(text);
        if (text.data[0] == '"' || text.data[0] == '\\') {
            (void)printf("\\%c", text.data[0]);
        } else if (text.data[0] < ' ' || size == 0) {
            (void)printf("\\u%04x", text.data[0]);
            size = 1;
        } else {
            put((struct gd_slice){text.data, size});
        }
        text.data += size;
        text.size -= size;
    }
    (void)putchar('"');
}

static void print_json(struct gd_slice *left);

static void print_json_object(struct gd_slice *left, size_t count)
{
    (void)putchar('{');
    for (size_t i = 0; i < count; i++) {
        struct gd_slice key = *left;
        struct gd_resp_item item = {0};
        if (i > 0) {
            (void)putchar(',');
        }
        (void)gd_resp_item_take(left, &item);
        for (size_t inner = item.kind == '%' ? 2 * item.count : item.count; inner > 0; inner--) {
            struct gd_resp_item skipped; /* A key that is an array: none of ours, no JSON either. */
            if (gd_resp_item_take(left, &skipped)) {
                inner += skipped.kind == '%' ? 2 * skipped.count : skipped.count;
            }
        }
        put_json_string(item.count == 0 ? item.text
                                        : (struct gd_slice){key.data, key.size - left->size});
        (void)putchar(':');
        print_json(left);
    }
    (void)putchar('}');
}

static void print_json(struct gd_slice *left)
{
    struct gd_resp_item item;

    if (!gd_resp_item_take(left, &item)) {
        return;
    }
    switch (item.kind) {
    case '|':
        for (size_t i = 2 * item.count; i > 0; i--) {
            struct gd_resp_item skipped;
            if (gd_resp_item_take(left, &skipped)) {
                i += skipped.kind == '%' ? 2 * skipped.count : skipped.count;
            }
        }
        print_json(left);
        break;
    case '%':
        print_json_object(left, item.count);
        break;
    case '*':
    case '~':
    case '>':
        (void)putchar('[');
        for (size_t i = 0; i < item.count; i++) {
            (void)printf(i == 0 ? "" : ",");
            print_json(left);
        }
        (void)putchar(']');
        break;
    case '-':
    case '!':
        (void)printf("{\"error\":");
        put_json_string(item.text);
        (void)putchar('}');
        break;
    case ':':
    case '(':
        put(item.text);
        break;
    case '=':
        put_json_string(verbatim(item.text));
        break;
    case ',': /* inf and nan are no JSON. */
        if (item.text.size > 0 && (item.text.data[item.text.size - 1] | 0x20) >= 'a') {
            put_json_string(item.text);
        } else {
            put(item.text);
        }
        break;
    case '#':
        (void)printf(item.text.size == 1 && item.text.data[0] == 't' ? "true" : "false");
        break;
    case '_':
        (void)printf("null");
        break;
    default:
        put_json_string(item.text);
        break;
    }
}

bool gd_client_print(enum gd_client_form form, struct gd_slice reply)
{
    bool is_error = reply.size > 0 && (reply.data[0] == '-' || reply.data[0] == '!');

    if (form == GD_CLIENT_TERMINAL) {
        print_terminal(&reply, 0, "\n");
    } else if (form == GD_CLIENT_RAW) {
        print_raw(reply);
    } else {
        print_json(&reply);
        (void)putchar('\n');
    }
    (void)fflush(stdout);
    return is_error;
}
