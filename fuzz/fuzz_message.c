/* fuzz_message.c - the peer message decoder.
 *
 * Holds: any bytes decode to a message or an error; what decodes encodes to the very same bytes;
 * and with one bit flipped they decode no more (or the frame is unfinished). The input's first byte
 * says whether the rest is a frame as it is, or a body for which a right head is made, so that the
 * fuzzer gets behind the checksum. */
#include "engine/memory.h"
#include "engine/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_flips(const struct gd_bytes *frame, uint8_t choice)
{
    struct gd_bytes copy = {0};
    struct gd_message message;
    size_t consumed, bit = frame->size * 8 * choice / 256;

    GD_ASSERT(frame->size > 0);
    gd_bytes_add(&copy, frame->data, frame->size);
    copy.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    GD_ASSERT(gd_message_decode(gd_bytes_slice(&copy), 1 << 20, &consumed, &message) != GD_OK);
    gd_bytes_release(&copy);
}

static void check(struct gd_slice input, uint8_t choice)
{
    struct gd_message message;
    struct gd_bytes again = {0};
    size_t consumed = 0;

    if (gd_message_decode(input, 1 << 20, &consumed, &message) != GD_OK) {
        return;
    }
    GD_ASSERT(consumed <= input.size);
    gd_message_encode(&message, &again);
    GD_ASSERT(again.size == consumed);
    GD_ASSERT(memcmp(again.data, input.data, consumed) == 0);
    check_flips(&again, choice);
    gd_message_release(&message);
    gd_bytes_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gd_bytes frame = {0};

    if (size < 2) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        check((struct gd_slice){data + 2, size - 2}, data[1]);
        return 0;
    }
    gd_bytes_add_le32(&frame, (uint32_t)(size - 2 + 8));
    gd_bytes_add_le32(&frame, 0);
    gd_bytes_add(&frame, data + 2, size - 2);
    gd_put_le32(frame.data + 4,
                gd_crc32c(gd_crc32c(0, frame.data, 4), frame.data + 8, frame.size - 8));
    check(gd_bytes_slice(&frame), data[1]);
    gd_bytes_release(&frame);
    return 0;
}
