/* check_stream.c - a file of operations, judged while it is read; see check_stream.h. */
#define _GNU_SOURCE
#include "sim/check_stream.h"
#include "sim/history.h"
#include "sim/lin_search.h"
#include "sim/stream.h"
#include <stdlib.h>
#include <string.h>

#define BLOCK_LINES 8192u
#define NEW_OPERATIONS 131072u /* Between two judgements. */

struct lines { /* A file, line by line; each is borrowed until the next. */
    FILE *file;
    char *line;
    size_t capacity;
};

/* Its size with the newline; 0: no more. */
static size_t next_line(struct lines *lines)
{
    ssize_t size = getline(&lines->line, &lines->capacity, lines->file);
    return size > 0 ? (size_t)size : 0;
}

static bool is_operation(const char *line, size_t size)
{
    size_t at = 0;
    while (at < size && (line[at] == ' ' || line[at] == '\t' || line[at] == '\r')) {
        at++;
    }
    return at < size && line[at] != '#' && line[at] != '\n';
}

/* In a string a quote has a backslash before it, so this can only be the field. */
static bool find_call(const char *line, size_t size, uint64_t *call)
{
    static const char field[] = "\"call\":";
    const char *at = memmem(line, size, field, sizeof field - 1);
    if (at == NULL || memmem(line, size, "\"txn\"", 5) != NULL) {
        return false;
    }
    at += sizeof field - 1;
    at += *at == ' ' ? 1 : 0;
    if (*at < '0' || *at > '9') {
        return false;
    }
    *call = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (*call > UINT64_MAX / 16) {
            return false;
        }
        *call = 10 * *call + (uint64_t)(*at - '0');
    }
    return true;
}

/* By block: the least call in it and behind it; one more at the end, past all times. */
static enum gd_err find_calls(struct lines *lines, uint64_t **least)
{
    size_t count = 0, capacity = 0, in_block = 0, size;
    *least = gd_lin_grown(NULL, &capacity, 0, sizeof **least);
    (*least)[0] = GD_LIN_OPEN;
    while ((size = next_line(lines)) > 0) {
        uint64_t call;
        if (in_block++ == BLOCK_LINES) {
            in_block = 1;
            *least = gd_lin_grown(*least, &capacity, ++count, sizeof **least);
            (*least)[count] = GD_LIN_OPEN;
        }
        if (!is_operation(lines->line, size)) {
            continue;
        }
        if (!find_call(lines->line, size, &call)) {
            return GD_ERR_REFUSED;
        }
        (*least)[count] = call < (*least)[count] ? call : (*least)[count];
    }
    *least = gd_lin_grown(*least, &capacity, count + 1, sizeof **least);
    (*least)[count + 1] = GD_LIN_OPEN;
    for (size_t i = count + 1; i-- > 0;) {
        (*least)[i] = (*least)[i + 1] < (*least)[i] ? (*least)[i + 1] : (*least)[i];
    }
    return ferror(lines->file) != 0 ? GD_ERR_IO : GD_OK;
}

struct reading {
    struct lines *lines;
    struct gd_sim_history_reader *reader;
    struct gd_lin_stream *stream;
    struct gd_sim_record record;
    uint64_t operations;
};

static enum gd_err read_all(struct reading *r, const uint64_t *least, enum gd_lin_verdict *verdict,
                            char *why, size_t why_size, struct gd_error *error)
{
    size_t block = 0, in_block = 0, size, kept = 0;
    *verdict = GD_LIN_LEGAL;
    while ((size = next_line(r->lines)) > 0) {
        if (in_block++ == BLOCK_LINES) {
            in_block = 1;
            block++;
            if (r->record.operation_count - kept >= NEW_OPERATIONS) {
                *verdict = gd_lin_stream_known(r->stream, least[block], why, why_size);
                kept = r->record.operation_count;
                if (*verdict != GD_LIN_LEGAL) {
                    return GD_OK;
                }
            }
        }
        size_t before = r->record.operation_count;
        enum gd_err err = gd_sim_history_reader_add(
            r->reader, (struct gd_slice){(const uint8_t *)r->lines->line, size}, error);
        if (err != GD_OK) {
            return err;
        }
        r->operations += r->record.operation_count - before;
    }
    *verdict = gd_lin_stream_end(r->stream, why, why_size);
    return ferror(r->lines->file) != 0 ? GD_ERR_IO : GD_OK;
}

enum gd_err gd_sim_check_stream(FILE *file, const struct gd_lin_limits *limits,
                                enum gd_lin_verdict *verdict, uint64_t *operations, char *why,
                                size_t size, struct gd_error *error)
{
    struct lines lines = {.file = file};
    struct reading reading = {.lines = &lines};
    uint64_t *least = NULL;
    enum gd_err err = find_calls(&lines, &least);
    if (err == GD_OK && fseek(file, 0, SEEK_SET) != 0) {
        err = GD_ERR_IO;
    }
    if (err == GD_OK) {
        reading.reader = gd_sim_history_reader_new(&reading.record);
        reading.stream = gd_lin_stream_new(&reading.record, limits);
        err = read_all(&reading, least, verdict, why, size, error);
        *operations = reading.operations;
        gd_lin_stream_free(reading.stream);
        gd_sim_history_reader_free(reading.reader);
        gd_sim_record_release(&reading.record);
    }
    free(least);
    free(lines.line);
    return err;
}
