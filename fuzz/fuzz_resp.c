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

/* What was read, as text that is the same however it came. It is written down once, and compared
 * with from then on: a piece at a time, since writing it again takes longer than reading it. */
struct notes {
    struct gd_bytes *text;
    bool writing;
    size_t at; /* Compared so far. */
};

static void note_bytes(struct notes *notes, const void *bytes, size_t size)
{
    if (notes->writing) {
        gd_bytes_add(notes->text, bytes, size);
    } else if (size > 0) {
        GD_ASSERT(size <= notes->text->size - notes->at);
        GD_ASSERT(memcmp(notes->text->data + notes->at, bytes, size) == 0);
        notes->at += size;
    }
}

/* A mark, a number, the line's end; printf is the slowest part of a run without this. */
static void note_head(struct notes *notes, char mark, size_t number)
{
    char line[32];
    size_t size = 1;

    line[0] = mark;
    size += gd_number_format((int64_t)number, line + 1);
    line[size++] = '\r';
    line[size++] = '\n';
    note_bytes(notes, line, size);
}

static void note(struct notes *notes, const struct gd_resp_reader *reader)
{
    note_head(notes, '*', reader->arg_count);
    for (size_t i = 0; i < reader->arg_count; i++) {
        note_head(notes, '$', reader->args[i].size);
        note_bytes(notes, reader->args[i].data, reader->args[i].size);
        note_bytes(notes, "\r\n", 2);
    }
}

static void check_memory(const struct gd_resp_reader *reader, size_t size)
{
    size_t held = reader->span_capacity * sizeof reader->spans[0] +
                  reader->arg_capacity * sizeof reader->args[0] + reader->inline_words.capacity;

    GD_ASSERT(held <= 32 * size + 65536);
}

/* Reads all of `data`, shown in pieces that `prng` draws (NULL: at once). Pieces are up to 9 bytes
 * in one input of two, so that cuts fall everywhere, else up to 64. `error`: what it ended in, or
 * "".
 */
static void read_all(struct gd_slice data, struct gd_prng *prng, struct notes *notes, char *error)
{
    struct gd_resp_reader reader;
    size_t taken = 0, shown = prng == NULL ? data.size : 0;
    uint64_t piece_max = prng != NULL && gd_prng_chance(prng, 1, 2) ? 64 : 9;

    error[0] = '\0';
    gd_resp_reader_init(&reader, &limits);
    while (error[0] == '\0') {
        size_t consumed = 0;
        enum gd_resp_result result =
            gd_resp_read(&reader, (struct gd_slice){data.data + taken, shown - taken}, &consumed);
        if (result == GD_RESP_REQUEST) {
            GD_ASSERT(consumed > 0 && consumed <= shown - taken);
            taken += consumed;
            check_memory(&reader, data.size);
            note(notes, &reader);
        } else if (result == GD_RESP_ERROR) {
            (void)memcpy(error, reader.error, sizeof reader.error);
            GD_ASSERT(error[0] != '\0');
        } else if (shown == data.size) {
            break;
        } else {
            shown += gd_prng_between(prng, 1, piece_max);
            shown = shown < data.size ? shown : data.size;
        }
    }
    check_memory(&reader, data.size);
    gd_resp_reader_release(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gd_bytes text; /* Kept: what it has room for says nothing. */
    struct notes notes = {.text = &text, .writing = true};
    struct gd_slice rest = {data + 1, size - 1};
    struct gd_prng prng;
    char error[sizeof((struct gd_resp_reader *)NULL)->error], other[sizeof error];

    if (size < 2) {
        return 0;
    }
    gd_bytes_clear(&text);
    read_all(rest, NULL, &notes, error);
    gd_prng_init(&prng, data[0]);
    notes.writing = false;
    read_all(rest, &prng, &notes, other);
    GD_ASSERT(notes.at == text.size);
    GD_ASSERT(strcmp(error, other) == 0);
    if (text.size > 0) {
        notes.at = 0;
        read_all(gd_bytes_slice(&text), NULL, &notes, error);
        GD_ASSERT(notes.at == text.size && error[0] == '\0');
    }
    return 0;
}
