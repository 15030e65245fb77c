/* record.c - what the clients did and saw; see record.h. Memory is libc's: it must outlive the
 * simulated processes, whose own is dropped whole. */
#include "sim/record.h"
#include "sim/json_text.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void *grown(void *array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    *capacity = *capacity == 0 ? 64 : *capacity * 2;
    array = realloc(array, *capacity * size);
    GD_ASSERT(array != NULL);
    return array;
}

void gd_sim_record_release(struct gd_sim_record *record)
{
    for (size_t i = 0; i < record->text_count; i++) {
        free(record->texts[i]);
    }
    for (size_t i = 0; i < record->key_name_count; i++) {
        free(record->key_names[i]);
    }
    free(record->key_names);
    free(record->texts);
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

static char *keep(struct gd_sim_record *record, const void *text, size_t size)
{
    char *copy = malloc(size + 1);
    GD_ASSERT(copy != NULL);
    if (size > 0) {
        memcpy(copy, text, size);
    }
    copy[size] = '\0';
    record->texts =
        grown(record->texts, &record->text_capacity, record->text_count, sizeof *record->texts);
    record->texts[record->text_count++] = copy;
    return copy;
}

struct gd_slice gd_sim_record_keep(struct gd_sim_record *record, struct gd_slice bytes)
{
    return (struct gd_slice){(const uint8_t *)keep(record, bytes.data, bytes.size), bytes.size};
}

struct gd_sim_value gd_sim_value_text(struct gd_sim_record *record, const void *text, size_t size)
{
    return (struct gd_sim_value){
        .kind = GD_SIM_VALUE_TEXT, .text = keep(record, text, size), .size = size};
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
