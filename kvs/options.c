/* options.c - arguments that several commands share. */
#include "kvs/options.h"
#include "kvs/number.h"

void gd_option_deadline_error(struct gd_command_context *c)
{
    gd_reply_error_format(c->reply, "ERR invalid expire time in '%s' command", c->command->name);
}

bool gd_option_deadline(struct gd_command_context *c, struct gd_slice time, bool is_seconds,
                        bool is_absolute, int64_t *deadline_ms)
{
    int64_t base_ms = is_absolute ? 0 : c->now_ms, value;

    if (!gd_command_number(c, time, &value)) {
        return false;
    }
    if (value <= 0 || (is_seconds && value > INT64_MAX / 1000)) {
        gd_option_deadline_error(c);
        return false;
    }
    value *= is_seconds ? 1000 : 1;
    if (value > INT64_MAX - base_ms) {
        gd_option_deadline_error(c);
        return false;
    }
    *deadline_ms = value + base_ms;
    return true;
}

bool gd_option_size_fits(struct gd_command_context *c, uint64_t size, uint64_t more)
{
    if (size > GD_ITEM_SIZE_MAX || more > GD_ITEM_SIZE_MAX - size) {
        gd_reply_error(c->reply, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        return false;
    }
    return true;
}

bool gd_option_range(size_t size, int64_t *start, int64_t *end)
{
    int64_t count = (int64_t)size;

    *start += *start < 0 ? count : 0;
    *end += *end < 0 ? count : 0;
    *start = *start < 0 ? 0 : *start;
    *end = *end < 0 ? 0 : *end;
    *end = *end >= count ? count - 1 : *end;
    return *start <= *end && size > 0;
}

/* One "[...]" at the front of `pattern`; moves behind it. An open one ends with the pattern. */
static bool class_matches(struct gd_slice *pattern, uint8_t byte)
{
    const uint8_t *p = pattern->data + 1, *end = pattern->data + pattern->size;
    bool negated = p < end && *p == '^', found = false;

    p += negated ? 1 : 0;
    while (p < end && *p != ']') {
        if (*p == '\\' && end - p >= 2) {
            found = found || p[1] == byte;
            p += 2;
        } else if (end - p >= 3 && p[1] == '-') {
            uint8_t low = p[0] < p[2] ? p[0] : p[2], high = p[0] < p[2] ? p[2] : p[0];
            found = found || (byte >= low && byte <= high);
            p += 3;
        } else {
            found = found || *p == byte;
            p++;
        }
    }
    p += p < end ? 1 : 0;
    *pattern = (struct gd_slice){p, (size_t)(end - p)};
    return found != negated;
}

/* One element that is not a star against one byte; moves behind it. */
static bool element_matches(struct gd_slice *pattern, uint8_t byte)
{
    uint8_t mark = pattern->data[0];

    if (mark == '[') {
        return class_matches(pattern, byte);
    }
    if (mark == '\\' && pattern->size >= 2) {
        pattern->data++;
        pattern->size--;
        mark = pattern->data[0];
    } else if (mark == '?') {
        mark = byte;
    }
    pattern->data++;
    pattern->size--;
    return mark == byte;
}

/* Only the last star ever needs to take more: so the time is at most pattern times text, whatever a
 * client writes. */
bool gd_pattern_matches(struct gd_slice pattern, struct gd_slice text)
{
    struct gd_slice star = {NULL, 0}, star_text = {NULL, 0};

    for (;;) {
        struct gd_slice rest = pattern;
        if (pattern.size > 0 && pattern.data[0] == '*') {
            pattern.data++;
            pattern.size--;
            star = pattern;
            star_text = text;
            continue;
        }
        if (text.size == 0 && pattern.size == 0) {
            return true;
        }
        if (text.size > 0 && pattern.size > 0 && element_matches(&rest, text.data[0])) {
            pattern = rest;
            text.data++;
            text.size--;
            continue;
        }
        if (star.data == NULL || star_text.size == 0) {
            return false;
        }
        star_text.data++;
        star_text.size--;
        pattern = star;
        text = star_text;
    }
}
