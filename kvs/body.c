/* body.c - the writing of request bodies; kv.c reads them. */
#include "kvs/command.h"

void gd_body_begin(struct gd_bytes *body, int kind, int protocol)
{
    gd_bytes_add_u8(body, (uint8_t)kind);
    gd_bytes_add_u8(body, (uint8_t)protocol);
}

void gd_body_add_args(struct gd_bytes *body, const struct gd_slice *args, size_t count)
{
    size_t size = 4 + 4 * count;
    uint8_t *to;

    for (size_t i = 0; i < count; i++) {
        size += args[i].size;
    }
    to = gd_bytes_reserve(body, size);
    gd_put_le32(to, (uint32_t)count);
    to += 4;
    for (size_t i = 0; i < count; i++) {
        gd_put_le32(to, (uint32_t)args[i].size);
        to += 4;
        if (args[i].size > 0) {
            memcpy(to, args[i].data, args[i].size);
            to += args[i].size;
        }
    }
    body->size += size;
}

void gd_body_add_answer(struct gd_bytes *body, struct gd_slice answer)
{
    gd_bytes_add_le32(body, 0);
    gd_bytes_add_le32(body, (uint32_t)answer.size);
    gd_bytes_add(body, answer.data, answer.size);
}
