/* bench_micro.c - the parts that every request goes through, each alone, in memory: requests read
 * from RESP, frames between peers, entries applied and read, a snapshot's stream. Nanoseconds for
 * each, the least of several rounds. Usage: bench_micro [ROUNDS] */
#include "engine/memory.h"
#include "engine/message.h"
#include "engine/proposal.h"
#include "kvs/kv.h"
#include "kvs/kv_parser.h"
#include "kvs/kv_stream.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PIPELINE = 1000, ENTRIES = 20, KEYS = 100000, BODY_SIZE = 128, KEY_END = 33 };

static double now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

struct micro {
    struct gd_bytes pipeline; /* PIPELINE times SET of 64 bytes. */
    struct gd_kv_parser parser;
    void *session;
    struct gd_entry *entries[ENTRIES];
    struct gd_bytes frame; /* An append of them. */
    struct gd_kv kv;
    struct gd_bytes body, query, reply;
    gd_index index;
    size_t done; /* So that nothing measured is of no use. */
};

static void parse_all(struct micro *m)
{
    size_t taken = 0;

    while (taken < m->pipeline.size) {
        struct gd_request request = {.kind = GD_REQUEST_MORE};
        size_t consumed = 0;

        m->parser.parser.v->parse(
            &m->parser.parser, m->session,
            (struct gd_slice){m->pipeline.data + taken, m->pipeline.size - taken}, &consumed,
            &request);
        GD_ASSERT(request.kind == GD_REQUEST_WRITE);
        taken += consumed;
        m->done += request.body.size;
    }
}

static void encode(struct micro *m)
{
    struct gd_message append = {
        .type = GD_MESSAGE_APPEND, .cluster_id = 1, .from = 1, .to = 2, .term = 7, .boot = 1};

    append.append = (struct gd_message_append){
        .previous = {7, 1000}, .commit = 990, .entries = m->entries, .entry_count = ENTRIES};
    gd_bytes_clear(&m->frame);
    gd_message_encode(&append, &m->frame);
}

static void decode(struct micro *m)
{
    struct gd_message message;
    size_t consumed;
    enum gd_err err =
        gd_message_decode(gd_bytes_slice(&m->frame), GD_FRAME_SIZE_MAX, &consumed, &message);

    GD_ASSERT(err == GD_OK);
    m->done += message.append.entry_count;
    gd_message_release(&message);
}

static void checksum(struct micro *m)
{
    m->done += gd_crc32c(0, m->pipeline.data, 65536);
}

static void apply_all(struct micro *m)
{
    for (size_t i = 0; i < PIPELINE; i++) {
        size_t number = m->index * 7919 % KEYS;

        for (size_t at = KEY_END; number > 0; number /= 10) {
            m->body.data[--at] = (uint8_t)('0' + number % 10);
        }
        gd_bytes_clear(&m->reply);
        gd_kv_apply(&m->kv, ++m->index, 1, gd_bytes_slice(&m->body), NULL, &m->reply);
    }
    m->done += m->reply.size;
}

static void query_all(struct micro *m)
{
    int64_t needs_ms;

    for (size_t i = 0; i < PIPELINE; i++) {
        gd_bytes_clear(&m->reply);
        (void)gd_kv_query(&m->kv, gd_bytes_slice(&m->query), NULL, 1, &m->reply, &needs_ms);
    }
    m->done += m->reply.size;
}

static void stream(struct micro *m)
{
    uint8_t *buffer = gd_malloc(65536);
    struct gd_kv_writer writer;
    size_t size;

    gd_keyspace_freeze(m->kv.ks);
    gd_kv_writer_begin(&writer, m->kv.ks, m->index);
    while ((size = gd_kv_writer_read(&writer, m->kv.ks, buffer, 65536)) > 0) {
        m->done += size;
    }
    gd_kv_writer_release(&writer);
    gd_keyspace_thaw(m->kv.ks);
    gd_free(buffer);
}

static void add_args(struct gd_bytes *body, const char *name, const char *key, size_t value_size)
{
    uint8_t value[64] = {0};
    struct gd_slice args[3] = {{(const uint8_t *)name, strlen(name)},
                               {(const uint8_t *)key, strlen(key)},
                               {value, value_size}};

    memset(value, 'x', sizeof value);
    gd_body_begin(body, GD_BODY_COMMAND, 2);
    gd_body_add_args(body, args, value_size > 0 ? 3 : 2);
}

static void set_up(struct micro *m)
{
    struct gd_kv_parser_options options = {.kv = &m->kv};
    struct gd_address address;
    uint8_t data[BODY_SIZE] = {0};

    if (gd_address_parse("127.0.0.1:1", &address) != GD_OK) {
        abort();
    }
    for (size_t i = 0; i < PIPELINE; i++) {
        gd_bytes_format(&m->pipeline, "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012zu\r\n$64\r\n%064d\r\n", i,
                        0);
    }
    gd_kv_init(&m->kv, 1, 2);
    gd_kv_parser_init(&m->parser, &options);
    m->session = m->parser.parser.v->session_new(&m->parser.parser, 1, &address);
    for (size_t i = 0; i < ENTRIES; i++) {
        m->entries[i] = gd_entry_new(GD_ENTRY_REQUEST, data, sizeof data);
        m->entries[i]->position = (struct gd_position){7, 1001 + i};
    }
    add_args(&m->body, "SET", "key:000000000000", 64);
    add_args(&m->query, "GET", "key:000000000001", 0);
}

static void clean_up(struct micro *m)
{
    m->parser.parser.v->session_free(&m->parser.parser, m->session);
    gd_kv_parser_release(&m->parser);
    gd_kv_release(&m->kv);
    for (size_t i = 0; i < ENTRIES; i++) {
        gd_entry_drop(m->entries[i]);
    }
    gd_bytes_release(&m->pipeline);
    gd_bytes_release(&m->frame);
    gd_bytes_release(&m->body);
    gd_bytes_release(&m->query);
    gd_bytes_release(&m->reply);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct micro *m);
        double each;
    } rows[] = {
        {"read a SET of 64 bytes from RESP", parse_all, PIPELINE},
        {"encode an append of 20 entries of 128 bytes", encode, 1},
        {"decode it", decode, 1},
        {"CRC-32C of 64 KiB", checksum, 1},
        {"apply a SET of 64 bytes, 100,000 keys", apply_all, PIPELINE},
        {"answer a GET", query_all, PIPELINE},
        {"stream a snapshot, for each of 100,000 keys", stream, KEYS},
    };
    int rounds = argc > 1 ? atoi(argv[1]) : 200;
    struct micro m = {0};

    set_up(&m);
    for (int i = 0; i < KEYS / PIPELINE * 2; i++) {
        apply_all(&m);
    }
    (void)printf("| part | ns, least of %d |\n| --- | ---: |\n", rounds);
    for (size_t i = 0; i < GD_COUNT(rows); i++) {
        double least = 1e18;

        for (int round = 0; round < rounds; round++) {
            double begin = now_ns();
            rows[i].run(&m);
            double took = now_ns() - begin;
            least = took < least ? took : least;
        }
        (void)printf("| %s | %.0f |\n", rows[i].name, least / rows[i].each);
    }
    clean_up(&m);
    return m.done == 0 ? 1 : 0;
}
