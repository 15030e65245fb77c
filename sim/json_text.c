#include "sim/json_text.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Bytes of the character at the front, 0 when it is not UTF-8: RFC 3629, no overlong forms, no
 * halves of pairs. */
static size_t character_size(const uint8_t *at, size_t left)
{
    uint8_t first = at[0];
    size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (size > left || first > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) ||
        (first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f)) {
        return 0;
    }
    return size;
}

static bool is_utf8(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t step = character_size(data + at, size - at);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

static void add_base64(struct gd_bytes *to, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size; at += 3) {
        uint32_t three = (uint32_t)data[at] << 16;
        three |= at + 1 < size ? (uint32_t)data[at + 1] << 8 : 0;
        three |= at + 2 < size ? data[at + 2] : 0;
        gd_bytes_add_u8(to, (uint8_t)digits[three >> 18]);
        gd_bytes_add_u8(to, (uint8_t)digits[three >> 12 & 63]);
        gd_bytes_add_u8(to, at + 1 < size ? (uint8_t)digits[three >> 6 & 63] : '=');
        gd_bytes_add_u8(to, at + 2 < size ? (uint8_t)digits[three & 63] : '=');
    }
}

void gd_sim_json_text(struct gd_bytes *to, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    if (!is_utf8(bytes, size)) {
        gd_bytes_add_text(to, "{\"base64\":\"");
        add_base64(to, bytes, size);
        gd_bytes_add_text(to, "\"}");
        return;
    }
    gd_bytes_add_u8(to, '"');
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\') {
            gd_bytes_add_u8(to, '\\');
            gd_bytes_add_u8(to, bytes[i]);
        } else if (bytes[i] < 0x20 || bytes[i] == 0x7f) {
            gd_bytes_format(to, "\\u%04x", bytes[i]);
        } else {
            gd_bytes_add_u8(to, bytes[i]);
        }
    }
    gd_bytes_add_u8(to, '"');
}

bool gd_sim_base64_decode(struct gd_bytes *to, struct gd_slice text)
{
    size_t padding = text.size >= 4 && text.data[text.size - 1] == '='
                         ? (text.data[text.size - 2] == '=' ? 2 : 1)
                         : 0;
    if (text.size % 4 != 0) {
        return false;
    }
    for (size_t at = 0; at < text.size; at += 4) {
        uint32_t three = 0;
        size_t last = at + 4 == text.size ? padding : 0;
        for (size_t i = 0; i < 4; i++) {
            const char *place = i < 4 - last && text.data[at + i] != '\0'
                                    ? strchr(digits, text.data[at + i])
                                    : NULL;
            if (place == NULL && i < 4 - last) {
                return false;
            }
            three = three << 6 | (place == NULL ? 0 : (uint32_t)(place - digits));
        }
        for (size_t i = 0; i < 3 - last; i++) {
            gd_bytes_add_u8(to, (uint8_t)(three >> (16 - 8 * i)));
        }
    }
    return true;
}
