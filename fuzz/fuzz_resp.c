/* fuzz_resp.c - the reader of RESP requests: arrays, inline lines, LOAD's nested arrays.
 *
 * Holds: the same bytes, whole and cut into pieces of fuzzed sizes, give the same requests and the
 * same error; what was read, written as an array of bulks, reads back to itself; memory held by the
 * reader stays below a multiple of the input (32 bytes a byte, and 64 KiB). The first byte seeds
 * the cuts. */
#include "engine/memory.h"
#include "engine/prng.h"
#include "kvs/number.h"
#include "kvs/resp.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gd_resp_limits limits = {
    .bulk_size_max = 1 << 20, .line_size_max = 65536, .arg_count_max = 1 << 20};

/* A mark, a number, the line's end; printf is the slowest part of a run without this. */
static void note_head(struct gd_bytes *out, char mark, size_t number)
{
    char line[32];
    size_t size = 1;

    line[0] = mark;
    size += gd_number_format((int64_t)number, line + 1);
    line[size++] = '\r';
    line[size++] = '\n';
    gd_bytes_add(out, line, size);
}

/* One request as text that is the same however it came. */
static void note(struct gd_bytes *out, const struct gd_resp_reader *reader)
{
    note_head(out, '*', reader->arg_count);
    for (size_t i = 0; i < reader->arg_count; i++) {
        note_head(out, '$', reader->args[i].size);
        gd_bytes_add(out, reader->args[i].data, reader->args[i].size);
        gd_bytes_add_text(out, "\r\n");
    }
}

static void check_memory(const struct gd_resp_reader *reader, size_t size)
{
    size_t held = reader->span_capacity * sizeof reader->spans[0] +
                  reader->arg_capacity * sizeof reader->args[0] + reader->inline_words.capacity;

    GD_ASSERT(held <= 32 * size + 65536);
}

/* Reads all of `data`, shown in pieces that `prng` draws (NULL: at once). */
static void read_all(struct gd_slice data, struct gd_prng *prng, struct gd_bytes *out)
{
    struct gd_resp_reader reader;
    size_t taken = 0, shown = prng == NULL ? data.size : 0;

    gd_resp_reader_init(&reader, &limits);
    for (;;) {
        size_t consumed = 0;
        enum gd_resp_result result =
            gd_resp_read(&reader, (struct gd_slice){data.data + taken, shown - taken}, &consumed);
        check_memory(&reader, data.size);
        if (result == GD_RESP_REQUEST) {
            GD_ASSERT(consumed > 0 && consumed <= shown - taken);
            taken += consumed;
            note(out, &reader);
        } else if (result == GD_RESP_ERROR) {
            gd_bytes_format(out, "-%s\n", reader.error);
            break;
        } else if (shown == data.size) {
            break;
        } else {
            shown += gd_prng_between(prng, 1, 9);
            shown = shown < data.size ? shown : data.size;
        }
    }
    gd_resp_reader_release(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gd_bytes whole = {0}, cut = {0}, again = {0};
    struct gd_slice rest = {data + 1, size - 1};
    struct gd_prng prng;

    if (size < 2) {
        return 0;
    }
    gd_prng_init(&prng, data[0]);
    read_all(rest, NULL, &whole);
    read_all(rest, &prng, &cut);
    GD_ASSERT(whole.size == cut.size);
    GD_ASSERT(whole.size == 0 || memcmp(whole.data, cut.data, whole.size) == 0);
    if (whole.size > 0 && memchr(whole.data, '-', 1) == NULL) {
        read_all(gd_bytes_slice(&whole), NULL, &again);
        if (again.size != whole.size) { /* An error at the end is told once, not read. */
            GD_ASSERT(again.size <= whole.size + 256);
        } else {
            GD_ASSERT(memcmp(whole.data, again.data, whole.size) == 0);
        }
    }
    gd_bytes_release(&whole);
    gd_bytes_release(&cut);
    gd_bytes_release(&again);
    return 0;
}
