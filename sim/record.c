/* record.c - what the clients did and saw; see record.h. Memory is libc's: it must outlive the
 * simulated processes, whose own is dropped whole. */
#include "sim/record.h"
#include "sim/big.h"
#include "sim/json_text.h"
#include "sim/text_hash.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK_SIZE 16384u

static void *grown(void *array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    size_t old = *capacity;
    *capacity = old == 0 ? 64 : old * 2;
    return gd_sim_bigger(array, old * size, *capacity * size);
}

void gd_sim_record_release(struct gd_sim_record *record)
{
    for (size_t i = 0; i < record->chunk_count; i++) {
        free(record->chunks[i]);
    }
    for (size_t i = 0; i < record->key_name_count; i++) {
        free(record->key_names[i]);
    }
    free(record->key_names);
    free(record->chunks);
    free(record->known);
    free(record->known_index);
    free(record->steps);
    free(record->operations);
    *record = (struct gd_sim_record){0};
}

unsigned gd_sim_record_key(struct gd_sim_record *record, const char *name, size_t size)
{
    char *copy = malloc(size + 1);
    GD_ASSERT(copy != NULL);
    memcpy(copy, name, size);
    copy[size] = '\0';
    record->key_names = grown(record->key_names, &record->key_name_capacity, record->key_name_count,
                              sizeof *record->key_names);
    record->key_names[record->key_name_count] = copy;
    return (unsigned)record->key_name_count++;
}

void gd_sim_record_key_text(const struct gd_sim_record *record, unsigned key, char *to, size_t size)
{
    if (record->key_names != NULL) {
        (void)snprintf(to, size, "%s", record->key_names[key]);
    } else {
        (void)snprintf(to, size, "k%u", key);
    }
}

uint64_t gd_sim_record_client(const struct gd_sim_record *record,
                              const struct gd_sim_operation *operation)
{
    return record->flights > 0 ? operation->client / record->flights : operation->client;
}

size_t gd_sim_record_call(struct gd_sim_record *record, uint64_t client, const char *name,
                          gd_time_ns now)
{
    record->operations = grown(record->operations, &record->operation_capacity,
                               record->operation_count, sizeof *record->operations);
    record->operations[record->operation_count] = (struct gd_sim_operation){
        .client = client, .call = now, .name = name, .first = record->step_count};
    return record->operation_count++;
}

struct gd_sim_step *gd_sim_record_step(struct gd_sim_record *record, enum gd_sim_do what,
                                       unsigned key)
{
    record->steps =
        grown(record->steps, &record->step_capacity, record->step_count, sizeof *record->steps);
    GD_ASSERT(record->operation_count > 0);
    record->operations[record->operation_count - 1].count++;
    struct gd_sim_step *step = &record->steps[record->step_count++];
    *step = (struct gd_sim_step){.what = what, .key = key};
    return step;
}

void gd_sim_record_return(struct gd_sim_record *record, size_t operation, enum gd_sim_fate fate,
                          gd_time_ns now)
{
    GD_ASSERT(operation < record->operation_count);
    struct gd_sim_operation *op = &record->operations[operation];
    GD_ASSERT(op->fate == GD_SIM_FATE_OPEN);
    op->fate = fate;
    op->back = now;
    record->done_count += fate == GD_SIM_FATE_DONE;
    record->unknown_count += fate == GD_SIM_FATE_OPEN;
    record->refused_count += fate == GD_SIM_FATE_NO_EFFECT;
}

static char *new_chunk(struct gd_sim_record *record, size_t size)
{
    char *chunk = malloc(size);
    GD_ASSERT(chunk != NULL);
    record->chunks =
        grown(record->chunks, &record->chunk_capacity, record->chunk_count, sizeof *record->chunks);
    record->chunks[record->chunk_count++] = chunk;
    return chunk;
}

/* A copy, with a zero behind it. Many small ones share a chunk. */
static char *keep(struct gd_sim_record *record, const void *text, size_t size)
{
    char *copy;
    if (size >= CHUNK_SIZE / 8) {
        copy = new_chunk(record, size + 1);
    } else {
        if (record->chunk_left < size + 1) {
            record->chunk_next = new_chunk(record, CHUNK_SIZE);
            record->chunk_left = CHUNK_SIZE;
        }
        copy = record->chunk_next;
        record->chunk_next += size + 1;
        record->chunk_left -= size + 1;
    }
    if (size > 0) {
        memcpy(copy, text, size);
    }
    copy[size] = '\0';
    return copy;
}

struct gd_slice gd_sim_record_keep(struct gd_sim_record *record, struct gd_slice bytes)
{
    return (struct gd_slice){(const uint8_t *)keep(record, bytes.data, bytes.size), bytes.size};
}

static uint32_t *known_place(const struct gd_sim_record *record, const char *text, size_t size,
                             uint64_t hash)
{
    size_t mask = record->known_index_capacity - 1;
    for (size_t at = (size_t)hash & mask;; at = (at + 1) & mask) {
        const struct gd_sim_known_text *known = &record->known[record->known_index[at]];
        if (record->known_index[at] == 0 || (known->hash == hash && known->size == size &&
                                             (size == 0 || memcmp(known->text, text, size) == 0))) {
            return &record->known_index[at];
        }
    }
}

static void grow_known(struct gd_sim_record *record)
{
    if (record->known_count == 0) {
        record->known_count = 1;
    }
    record->known =
        grown(record->known, &record->known_capacity, record->known_count, sizeof *record->known);
    if (2 * record->known_count < record->known_index_capacity) {
        return;
    }
    free(record->known_index);
    record->known_index_capacity =
        record->known_index_capacity == 0 ? 64 : 2 * record->known_index_capacity;
    record->known_index = calloc(record->known_index_capacity, sizeof *record->known_index);
    GD_ASSERT(record->known_index != NULL);
    for (uint32_t i = 1; i < record->known_count; i++) {
        const struct gd_sim_known_text *known = &record->known[i];
        *known_place(record, known->text, known->size, known->hash) = i;
    }
}

struct gd_sim_value gd_sim_value_text(struct gd_sim_record *record, const void *text, size_t size)
{
    text = size == 0 ? "" : text;
    uint64_t hash = gd_sim_text_hash(text, size);
    grow_known(record);
    uint32_t *place = known_place(record, text, size, hash);
    if (*place == 0) {
        GD_ASSERT(record->known_count < UINT32_MAX);
        *place = (uint32_t)record->known_count++;
        record->known[*place] = (struct gd_sim_known_text){
            .text = keep(record, text, size), .size = size, .hash = hash};
    }
    return (struct gd_sim_value){.kind = GD_SIM_VALUE_TEXT,
                                 .known = *place,
                                 .hash = hash,
                                 .text = record->known[*place].text,
                                 .size = size};
}

struct gd_sim_value gd_sim_value_number(int64_t number)
{
    return (struct gd_sim_value){.kind = GD_SIM_VALUE_NUMBER, .number = number};
}

struct gd_sim_value gd_sim_value_bool(bool value)
{
    return (struct gd_sim_value){.kind = value ? GD_SIM_VALUE_TRUE : GD_SIM_VALUE_FALSE};
}

/* ---------------------------------------------------------------- as text */

static void print_value(const struct gd_sim_value *value, struct gd_bytes *bytes)
{
    switch (value->kind) {
    case GD_SIM_VALUE_NOTHING:
        gd_bytes_add_text(bytes, "null");
        break;
    case GD_SIM_VALUE_TEXT:
        gd_sim_json_text(bytes, value->text, value->size);
        break;
    case GD_SIM_VALUE_NUMBER:
        gd_bytes_format(bytes, "%" PRId64, value->number);
        break;
    case GD_SIM_VALUE_TRUE:
        gd_bytes_add_text(bytes, "true");
        break;
    case GD_SIM_VALUE_FALSE:
        gd_bytes_add_text(bytes, "false");
        break;
    case GD_SIM_VALUE_ERROR:
        gd_bytes_add_text(bytes, "\"error\"");
        break;
    }
}

static const char *const do_names[] = {"read",  "write", "append", "cas",  "delete",
                                       "setnx", "swap",  "take",   "incr", "txn"};

static void print_step(const struct gd_sim_record *record, const struct gd_sim_step *step,
                       bool known, struct gd_bytes *bytes)
{
    gd_bytes_format(bytes, "\"op\":\"%s\",\"key\":", do_names[step->what]);
    if (record->key_names != NULL) {
        const char *name = record->key_names[step->key];
        gd_sim_json_text(bytes, name, strlen(name));
    } else {
        gd_bytes_format(bytes, "\"k%u\"", step->key);
    }
    gd_bytes_add_text(bytes, ",\"input\":");
    if (step->what == GD_SIM_DO_CAS) {
        gd_bytes_add_text(bytes, "[");
        print_value(&step->old, bytes);
        gd_bytes_add_text(bytes, ",");
        print_value(&step->input, bytes);
        gd_bytes_add_text(bytes, "]");
    } else {
        print_value(&step->input, bytes);
    }
    gd_bytes_add_text(bytes, ",\"output\":");
    if (known) {
        print_value(&step->output, bytes);
    } else {
        gd_bytes_add_text(bytes, "null");
    }
}

/* Of a database with a model of its own. */
static void print_opaque(const struct gd_sim_operation *op, struct gd_bytes *bytes)
{
    gd_bytes_format(bytes, "\"op\":\"%s\",\"input\":", op->name);
    gd_sim_json_text(bytes, (const char *)op->input.data, op->input.size);
    gd_bytes_add_text(bytes, ",\"output\":");
    if (op->fate == GD_SIM_FATE_DONE) {
        gd_sim_json_text(bytes, (const char *)op->output.data, op->output.size);
    } else {
        gd_bytes_add_text(bytes, "null");
    }
}

static void print_operation(const struct gd_sim_record *record, const struct gd_sim_operation *op,
                            struct gd_bytes *bytes)
{
    bool known = op->fate == GD_SIM_FATE_DONE;
    gd_bytes_format(bytes, "{\"client\":%" PRIu64 ",", op->client);
    if (op->txn) {
        gd_bytes_add_text(bytes, "\"op\":\"txn\",\"input\":null,\"output\":null,\"ops\":[");
        for (size_t i = 0; i < op->count; i++) {
            gd_bytes_add_text(bytes, i > 0 ? ",{" : "{");
            print_step(record, &record->steps[op->first + i], known, bytes);
            gd_bytes_add_text(bytes, "}");
        }
        gd_bytes_add_text(bytes, "]");
    } else if (op->count == 0) {
        print_opaque(op, bytes);
    } else {
        print_step(record, &record->steps[op->first], known, bytes);
    }
    gd_bytes_format(bytes, ",\"call\":%" PRIu64, op->call);
    if (op->fate == GD_SIM_FATE_OPEN) {
        gd_bytes_add_text(bytes, ",\"return\":null");
    } else {
        gd_bytes_format(bytes, ",\"return\":%" PRIu64, op->back);
    }
    gd_bytes_add_text(bytes, op->fate == GD_SIM_FATE_NO_EFFECT ? ",\"error\":true}\n" : "}\n");
}

void gd_sim_record_print_one(const struct gd_sim_record *record, size_t operation,
                             struct gd_bytes *bytes)
{
    GD_ASSERT(operation < record->operation_count);
    print_operation(record, &record->operations[operation], bytes);
}

void gd_sim_record_print(const struct gd_sim_record *record, struct gd_bytes *bytes)
{
    for (size_t i = 0; i < record->operation_count; i++) {
        if (record->operations[i].count > 0 || record->operations[i].input.data != NULL) {
            print_operation(record, &record->operations[i], bytes);
        }
    }
}

void gd_sim_value_say(struct gd_bytes *bytes, const struct gd_sim_value *value)
{
    switch (value->kind) {
    case GD_SIM_VALUE_NOTHING:
        gd_bytes_add_text(bytes, "nothing");
        break;
    case GD_SIM_VALUE_TEXT:
        gd_bytes_format(bytes, "'%.*s'", value->size > 24 ? 24 : (int)value->size, value->text);
        break;
    case GD_SIM_VALUE_NUMBER:
        gd_bytes_format(bytes, "%" PRId64, value->number);
        break;
    case GD_SIM_VALUE_TRUE:
    case GD_SIM_VALUE_FALSE:
        gd_bytes_add_text(bytes, value->kind == GD_SIM_VALUE_TRUE ? "true" : "false");
        break;
    case GD_SIM_VALUE_ERROR:
        gd_bytes_add_text(bytes, "an error");
        break;
    }
}
