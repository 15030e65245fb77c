/* body.c - the writing of request bodies; kv.c reads them. */
#include "kvs/command.h"

void gd_body_begin(struct gd_bytes *body, int kind, int protocol)
{
    gd_bytes_add_u8(body, (uint8_t)kind);
    gd_bytes_add_u8(body, (uint8_t)protocol);
}

void gd_body_add_args(struct gd_bytes *body, const struct gd_slice *args, size_t count)
{
    gd_bytes_add_le32(body, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        gd_bytes_add_le32(body, (uint32_t)args[i].size);
        gd_bytes_add(body, args[i].data, args[i].size);
    }
}

void gd_body_add_answer(struct gd_bytes *body, struct gd_slice answer)
{
    gd_bytes_add_le32(body, 0);
    gd_bytes_add_le32(body, (uint32_t)answer.size);
    gd_bytes_add(body, answer.data, answer.size);
}
