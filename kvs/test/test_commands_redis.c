/* Every command's reply is the one that a real redis-server gives, byte for byte: seeded random
 * commands, sensible and not, go to both. Without a redis-server on the machine it is skipped. */
#include "engine/prng.h"
#include "kvs/kv.h"
#include "kvs/test/redis_server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { ARGS_MAX = 24, ARG_SIZE_MAX = 128 };

/* A template's words: K a key, V a value, N an integer, F a float, O a bit's offset, T a field's
 * type, I a place in a string, P a pattern, S seconds, M milliseconds, Z a time at
 * the edges, Y a number for a field, A an absolute time in ms, D
 * a dump; "[" begins what is left out half of the time, "]" ends it; the rest as it is. */
static const char *const templates[] = {
    "set K V",
    "set K V",
    "set K N",
    "set K V [ EX S ] [ NX ] [ GET ]",
    "set K V [ PX M ] [ XX ] [ GET ] [ KEEPTTL ]",
    "set K V [ PXAT A ] [ KEEPTTL ] [ EXAT A ] [ NX ] [ XX ]",
    "set K V [ EX S ] [ EX Z ]",
    "setnx K V",
    "setex K S V",
    "psetex K M V",
    "setex K Z V",
    "psetex K Z V",
    "get K",
    "getset K V",
    "getdel K",
    "getex K [ EX S ] [ PX M ]",
    "getex K [ PERSIST ] [ EXAT A ] [ PXAT A ]",
    "getex K [ PX Z ]",
    "mget K K K",
    "mset K V K V",
    "mset K V K",
    "msetnx K V K V",
    "strlen K",
    "append K V",
    "setrange K I V",
    "setrange K N V",
    "getrange K I I",
    "getrange K N N",
    "substr K I I",
    "incr K",
    "decr K",
    "incrby K N",
    "decrby K N",
    "incrbyfloat K F",
    "incrbyfloat K N",
    "incrbyfloat K V",
    "del K K",
    "unlink K",
    "exists K K K",
    "touch K K",
    "type K",
    "expire K S",
    "expire K S [ NX ] [ XX ] [ GT ] [ LT ]",
    "pexpire K M [ NX ] [ XX ] [ GT ] [ LT ]",
    "expire K Z",
    "expireat K A",
    "expireat K N",
    "pexpireat K A [ NX ] [ XX ] [ GT ] [ LT ]",
    "pexpireat K N",
    "pexpire K Z",
    "ttl K",
    "pexpiretime K",
    "expiretime K",
    "persist K",
    "rename K K",
    "renamenx K K",
    "copy K K",
    "copy K K [ REPLACE ] [ DB 0 ] [ BOGUS ]",
    "copy K K DB N",
    "keys P",
    "scan 0 COUNT 1000 [ MATCH P ] [ TYPE string ]",
    "scan 5x",
    "scan N COUNT 0",
    "scan 0 [ TYPE hash ] COUNT 1000 [ BOGUS ]",
    "dbsize",
    "setbit K O 1",
    "setbit K O 0",
    "setbit K N N",
    "getbit K O",
    "getbit K N",
    "bitcount K",
    "bitcount K I I",
    "bitcount K I I BIT",
    "bitcount K I I BYTE",
    "bitcount K N N [ BIT ] [ BOGUS ]",
    "bitcount K I",
    "bitpos K 1",
    "bitpos K 0",
    "bitpos K 1 I [ I ]",
    "bitpos K 0 I [ I ] [ BIT ]",
    "bitpos K 1 I I BIT",
    "bitpos K 0 I I BIT",
    "bitpos K 0 I I BYTE",
    "bitpos K N N [ N ] [ BIT ]",
    "bitop AND K K K",
    "bitop or K K K",
    "bitop XOR K K K K",
    "bitop NOT K K",
    "bitop NOT K K K",
    "bitop BOGUS K K",
    "bitfield K GET T O",
    "bitfield K SET T O Y",
    "bitfield K SET T #I Y [ OVERFLOW SAT ] INCRBY T O Y",
    "bitfield K [ OVERFLOW FAIL ] INCRBY T O Y GET T O",
    "bitfield K [ OVERFLOW SAT ] [ OVERFLOW WRAP ] INCRBY T #I I SET T I Y",
    "bitfield K OVERFLOW FAIL SET T O Y OVERFLOW BOGUS",
    "bitfield K",
    "bitfield K GET T N",
    "bitfield_ro K GET T O GET T O",
    "bitfield_ro K SET T O Y",
    "bitfield_ro K [ BOGUS ]",
    "lcs K K",
    "lcs K K LEN",
    "lcs K K IDX [ WITHMATCHLEN ] [ MINMATCHLEN I ]",
    "lcs K K IDX LEN",
    "lcs K K [ BOGUS ] [ MINMATCHLEN ]",
    "dump K",
    "restore K 0 D [ REPLACE ]",
    "restore K A D ABSTTL REPLACE",
    "restore K 0 D REPLACE [ ABSTTL ] [ IDLETIME N ]",
    "restore K -1 D REPLACE [ BOGUS ]",
    "restore K abc D REPLACE",
    "restore K M D [ REPLACE ]",
    "restore K 0 V [ FREQ N ] [ REPLACE ]",
    "object encoding K",
    "object refcount X [ K ]",
    "object bogus K",
    "flushall [ ASYNC ] [ BOGUS ]",
};

static const char *const keys[] = {"a", "b", "c", "d", "key:1", "key:22", "h[x]llo"};

struct generator {
    struct gd_prng prng;
    char text[ARGS_MAX][ARG_SIZE_MAX];
    struct gd_slice args[ARGS_MAX];
    size_t count;
    struct gd_bytes dump; /* The last DUMP's. */
    int64_t now_ms;
};

static const char *pick(struct generator *g, const char *const *from, size_t count)
{
    return from[gd_prng_below(&g->prng, count)];
}
#define PICK(g, ...)                                                                               \
    pick(g, (const char *const[]){__VA_ARGS__},                                                    \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static const char *any_number(struct generator *g)
{
    return PICK(g, "0", "1", "-1", "2", "7", "10", "127", "128", "255", "-128", "32767", "65536",
                "2147483647", "-2147483649", "4294967295", "4294967296", "9223372036854775807",
                "-9223372036854775808", "9223372036854775808", "-9223372036854775809",
                "9223372036854775", "92233720368547758", "-9223372036854775807",
                "99999999999999999999", "4611686018427387904", "-0", "+1", "01", " 1", "1 ", "",
                "abc", "1.5", "0x10");
}

/* No time that passes while the test runs. */
static const char *any_time(struct generator *g)
{
    return PICK(g, "0", "-1", "-128", "4294967296", "9223372036854775807", "-9223372036854775808",
                "9223372036854775", "9223372036854776", "-9223372036854775", "-9223372036854776",
                "92233720368547758070", "abc", "", "1.5", " 1");
}

static const char *any_value(struct generator *g)
{
    return PICK(g, "", "a", "hello", "foobar", "\xff\xf0\x00x", "\xff\xff\xff\xff\xff\xff\xff\xff",
                "ohmytext", "mynewtext", "  5", "5  ", "3.0e3", "10.25", "-1.5", "nan", "inf",
                "1e400", "0.1", "123456789", "-17", "12345678901234567890",
                "a value of more than forty-four bytes, so that it is raw", "abcabcabcabc",
                "rafaaleonardo", "$-1\r\n");
}

static const char *fill(struct generator *g, const char *word, char *room)
{
    bool single = word[1] == 0;

    if (word[0] == '#' && word[1] == 'I') {
        (void)snprintf(room, ARG_SIZE_MAX, "#%d", (int)gd_prng_below(&g->prng, 12));
        return room;
    }
    switch (single ? word[0] : ' ') {
    case 'K':
        return pick(g, keys, GD_COUNT(keys));
    case 'V':
        return any_value(g);
    case 'N':
        return any_number(g);
    case 'Z':
        return any_time(g);
    case 'Y': /* Redis saturates a SET of the least numbers to the wrong side. */
        return PICK(g, "0", "1", "-1", "2", "127", "128", "255", "-128", "-129", "32767", "65536",
                    "-65536", "2147483648", "-2147483649", "9223372036854775807", "4294967295",
                    "9223372036854775808", "-0", "abc");
    case 'F':
        return PICK(g, "1.5", "0.1", "-0.25", "3", "1e5", "-1.23e-5", "inf", "nan", "1e4000", "x",
                    "0x1p3", "17179869184.5", "1e17", "-0", "12345678901234567.891", " 1", "1e30");
    case 'O':
        (void)snprintf(room, ARG_SIZE_MAX, "%d", (int)gd_prng_below(&g->prng, 120));
        return room;
    case 'T':
        return PICK(g, "u1", "u2", "u7", "u8", "u16", "u32", "u63", "i1", "i2", "i8", "i15", "i16",
                    "i32", "i63", "i64", "u64", "i65", "u0", "x8", "u", "I8");
    case 'I':
        (void)snprintf(room, ARG_SIZE_MAX, "%d", (int)gd_prng_below(&g->prng, 50) - 20);
        return room;
    case 'P':
        return PICK(g, "*", "?", "key:*", "[ab]", "[^a]", "[a-c]", "[c-a]", "k*:2?", "h\\[x\\]llo",
                    "*2*2", "key:[0-9]", "", "a*", "[a", "*[", "[^", "\\", "k**:*1");
    case 'S':
        return PICK(g, "100", "200", "3000", "100000");
    case 'M':
        return PICK(g, "100300", "200300", "3000300");
    case 'A': /* Seconds or milliseconds, far or gone. */
        return PICK(g, "33177117420", "33177117420000", "33177117430000", "1", "1000000");
    default:
        (void)snprintf(room, ARG_SIZE_MAX, "%s", word);
        return room;
    }
}

static void add_arg(struct generator *g, const char *word)
{
    char *room = g->text[g->count];

    if (g->count == ARGS_MAX) {
        return;
    }
    if (strcmp(word, "D") == 0 && g->dump.size > 0) {
        if (gd_prng_chance(&g->prng, 1, 10)) {
            g->dump.data[gd_prng_below(&g->prng, g->dump.size)] ^= 1;
        }
        g->args[g->count++] = gd_bytes_slice(&g->dump);
        return;
    }
    word = fill(g, word, room);
    g->args[g->count++] = (struct gd_slice){(const uint8_t *)word, strlen(word)};
}

static void generate(struct generator *g)
{
    const char *at = templates[gd_prng_below(&g->prng, GD_COUNT(templates))];
    bool leave_out = false;

    g->count = 0;
    if (strncmp(at, "flushall", 8) == 0 && !gd_prng_chance(&g->prng, 1, 20)) {
        at = "get K";
    }
    while (*at != 0) {
        char word[32];
        size_t size = strcspn(at, " ");
        memcpy(word, at, size);
        word[size] = 0;
        at += size + (at[size] == ' ' ? 1 : 0);
        if (strcmp(word, "[") == 0) {
            leave_out = gd_prng_chance(&g->prng, 1, 2);
        } else if (strcmp(word, "]") == 0) {
            leave_out = false;
        } else if (!leave_out) {
            add_arg(g, word);
        }
    }
    if (gd_prng_chance(&g->prng, 1, 60) && g->count > 1) {
        g->count--;
    }
    if (gd_prng_chance(&g->prng, 1, 60)) {
        add_arg(g, "V");
    }
}

static int64_t wall_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a reply in order, where its own order means nothing. */
static void sort_lines(struct gd_bytes *reply)
{
    char *lines[256], *copy;
    size_t count = 0;

    gd_bytes_add_u8(reply, 0);
    copy = strdup((const char *)reply->data);
    for (char *line = strtok(copy, "\n"); line != NULL && count < GD_COUNT(lines);
         line = strtok(NULL, "\n")) {
        lines[count++] = line;
    }
    qsort(lines, count, sizeof lines[0], compare_lines);
    gd_bytes_clear(reply);
    for (size_t i = 0; i < count; i++) {
        gd_bytes_add_text(reply, lines[i]);
    }
    free(copy);
}

static void print_bytes(const char *what, struct gd_slice bytes)
{
    print_message("%s", what);
    for (size_t i = 0; i < bytes.size && i < 400; i++) {
        uint8_t byte = bytes.data[i];
        if (byte >= ' ' && byte < 127) {
            print_message("%c", byte);
        } else {
            print_message("\\x%02x", byte);
        }
    }
    print_message("\n");
}

static void ask_ours(struct gd_kv *kv, struct generator *g, int protocol, struct gd_bytes *reply)
{
    const struct gd_command *command = gd_command_find(g->args[0]);
    struct gd_bytes body = {0};
    int64_t needs_ms;

    assert_non_null(command);
    gd_body_begin(&body, GD_BODY_COMMAND, protocol);
    gd_body_add_args(&body, g->args, g->count);
    if (command->kind == GD_COMMAND_READ) {
        if (gd_kv_query(kv, gd_bytes_slice(&body), NULL, g->now_ms, reply, &needs_ms) ==
            GD_QUERY_NEEDS_TIME) {
            gd_kv_apply(kv, kv->applied + 1, needs_ms, (struct gd_slice){NULL, 0}, NULL, NULL);
            assert_int_equal(
                gd_kv_query(kv, gd_bytes_slice(&body), NULL, g->now_ms, reply, &needs_ms),
                GD_QUERY_ANSWERED);
        }
    } else {
        gd_kv_apply(kv, kv->applied + 1, g->now_ms, gd_bytes_slice(&body), NULL, reply);
    }
    gd_bytes_release(&body);
}

/* A value that DUMP has packed: ours never packs. */
static bool is_packed_dump(const struct generator *g, const struct gd_bytes *reply)
{
    const uint8_t *end = memchr(reply->data, '\n', reply->size);

    return gd_slice_is(g->args[0], "dump") && end != NULL && reply->data[1] != '-' &&
           end[2] == 0xc3;
}

/* Two clocks were read: a deadline may be a few milliseconds apart. */
static bool is_near(const struct generator *g, const struct gd_bytes *a, const struct gd_bytes *b)
{
    long long difference =
        strtoll((const char *)a->data + 1, NULL, 10) - strtoll((const char *)b->data + 1, NULL, 10);

    return (gd_slice_is(g->args[0], "pexpiretime") || gd_slice_is(g->args[0], "expiretime") ||
            gd_slice_is(g->args[0], "ttl")) &&
           a->data[0] == ':' && b->data[0] == ':' && llabs(difference) < 50;
}

static bool order_is_free(const struct generator *g)
{
    return gd_slice_is(g->args[0], "keys") || gd_slice_is(g->args[0], "scan");
}

/* The values on both sides after a write. */
static bool same_values(struct redis_server *redis, struct gd_kv *kv, struct generator *g,
                        int protocol)
{
    struct gd_bytes ours = {0};
    bool equal;
    size_t size;

    g->count = 0;
    g->args[g->count++] = (struct gd_slice){(const uint8_t *)"mget", 4};
    for (size_t i = 0; i < GD_COUNT(keys); i++) {
        g->args[g->count++] = (struct gd_slice){(const uint8_t *)keys[i], strlen(keys[i])};
    }
    size = redis_server_ask(redis, g->args, g->count);
    ask_ours(kv, g, protocol, &ours);
    equal = ours.size == size && memcmp(ours.data, redis->input.data, size) == 0;
    redis_server_done(redis, size);
    for (size_t i = 0; i < GD_COUNT(keys) && !equal; i++) { /* Which, and for how long. */
        gd_bytes_clear(&ours);
        g->args[0] = (struct gd_slice){(const uint8_t *)"pttl", 4};
        g->args[1] = (struct gd_slice){(const uint8_t *)keys[i], strlen(keys[i])};
        g->count = 2;
        size = redis_server_ask(redis, g->args, g->count);
        ask_ours(kv, g, protocol, &ours);
        print_bytes(keys[i], (struct gd_slice){redis->input.data, size});
        print_bytes(keys[i], gd_bytes_slice(&ours));
        redis_server_done(redis, size);
    }
    gd_bytes_release(&ours);
    return equal;
}

/* One command to both; false when the replies differ. */
static bool step(struct redis_server *redis, struct gd_kv *kv, struct generator *g, int protocol)
{
    struct gd_bytes theirs = {0}, ours = {0};
    size_t size;
    bool equal;

    g->now_ms = wall_ms();
    size = redis_server_ask(redis, g->args, g->count);
    GD_ASSERT(size > 0);
    gd_bytes_add(&theirs, redis->input.data, size);
    redis_server_done(redis, size);
    ask_ours(kv, g, protocol, &ours);
    GD_ASSERT(theirs.data != NULL && ours.data != NULL);
    if (gd_slice_is(g->args[0], "dump") && theirs.data[0] == '$' && theirs.data[1] != '-') {
        size_t head = (size_t)((uint8_t *)memchr(theirs.data, '\n', theirs.size) - theirs.data) + 1;
        gd_bytes_clear(&g->dump);
        gd_bytes_add(&g->dump, theirs.data + head, theirs.size - head - 2);
    }
    if (order_is_free(g)) {
        sort_lines(&theirs);
        sort_lines(&ours);
    }
    equal = ours.size == theirs.size && memcmp(ours.data, theirs.data, ours.size) == 0;
    equal = equal || (gd_slice_is(g->args[0], "object") && theirs.data[0] == '$' &&
                      ours.data[0] == '$'); /* How a value is kept is each one's own. */
    if (!equal && !is_packed_dump(g, &theirs) && !is_near(g, &theirs, &ours)) {
        for (size_t i = 0; i < g->count; i++) {
            print_bytes("  arg    ", g->args[i]);
        }
        print_bytes("  redis  ", gd_bytes_slice(&theirs));
        print_bytes("  ours   ", gd_bytes_slice(&ours));
    } else {
        const struct gd_command *command = gd_command_find(g->args[0]);
        struct generator was = *g;
        equal = command->kind == GD_COMMAND_READ || same_values(redis, kv, g, protocol);
        for (size_t i = 0; i < was.count && !equal; i++) {
            print_bytes("  left other values  ", was.args[i]);
        }
    }
    gd_bytes_release(&theirs);
    gd_bytes_release(&ours);
    return equal;
}

static void run(int protocol, uint64_t seed, int steps)
{
    struct redis_server redis;
    struct gd_kv kv;
    struct generator *g = calloc(1, sizeof *g);
    int different = 0;

    if (!redis_server_start(&redis)) {
        redis_server_stop(&redis);
        free(g);
        skip();
    }
    gd_kv_init(&kv, seed, 1);
    gd_prng_init(&g->prng, seed);
    if (protocol == 3) {
        struct gd_slice hello[] = {{(const uint8_t *)"hello", 5}, {(const uint8_t *)"3", 1}};
        redis_server_done(&redis, redis_server_ask(&redis, hello, 2));
    }
    for (int i = 0; i < steps && different < 30; i++) {
        generate(g);
        if (!step(&redis, &kv, g, protocol)) {
            print_message("  (seed %d, step %d)\n", (int)seed, i);
            different++;
        }
    }
    gd_kv_release(&kv);
    gd_bytes_release(&g->dump);
    free(g);
    redis_server_stop(&redis);
    assert_int_equal(different, 0);
}

static int steps_wanted(void)
{
    const char *text = getenv("GD_STEPS");
    return text != NULL ? atoi(text) : 4000;
}

static uint64_t seed_wanted(void)
{
    const char *text = getenv("GD_SEED");
    return text != NULL ? (uint64_t)atoi(text) : 1;
}

static void test_commands_redis_resp2(void **state)
{
    (void)state;
    run(2, seed_wanted(), steps_wanted());
}

static void test_commands_redis_resp3(void **state)
{
    (void)state;
    run(3, seed_wanted() + 1, steps_wanted());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_redis_resp2),
        cmocka_unit_test(test_commands_redis_resp3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
