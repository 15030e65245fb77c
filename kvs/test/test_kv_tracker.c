/* The embedded Tracker: a snapshot taken while writes go on restores the state at its index (by
 * digest), damage is noticed, reads wait for the clock, transactions look at versions. */
#include "engine/memory.h"
#include "engine/prng.h"
#include "kvs/kv_tracker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* A world of timers alone: those that were started fire in their order. */
struct world {
    struct gd_io io;
    struct gd_timer *timers[8];
    size_t count;
    uint64_t entropy;
};

static gd_time_ns world_now(struct gd_io *io)
{
    (void)io;
    return 0;
}
static void world_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline)
{
    struct world *world = (struct world *)(void *)io;

    timer->deadline = deadline;
    timer->place = 1;
    world->timers[world->count++] = timer;
}
static void world_stop(struct gd_io *io, struct gd_timer *timer)
{
    struct world *world = (struct world *)(void *)io;

    for (size_t i = 0; i < world->count; i++) {
        if (world->timers[i] == timer) {
            world->timers[i] = world->timers[--world->count];
        }
    }
    timer->place = 0;
}
static uint64_t world_entropy(struct gd_io *io, const char *purpose)
{
    (void)purpose;
    return ++((struct world *)(void *)io)->entropy;
}
static const struct gd_io_vtable world_vtable = {.now = world_now,
                                                 .timer_start = world_start,
                                                 .timer_stop = world_stop,
                                                 .entropy = world_entropy};

static void world_run(struct world *world)
{
    while (world->count > 0) {
        struct gd_timer *timer = world->timers[--world->count];
        timer->place = 0;
        timer->fire(timer);
    }
}

struct outcome {
    int times;
    enum gd_err err;
    size_t size;
};
static void on_done(void *context, enum gd_err err)
{
    struct outcome *outcome = context;

    outcome->times++;
    outcome->err = err;
}
static void on_read(void *context, enum gd_err err, size_t size)
{
    on_done(context, err);
    ((struct outcome *)context)->size = size;
}

struct fixture {
    struct world world;
    struct gd_kv_tracker kv;
    struct gd_tracker *tracker;
    gd_index index;
    int64_t stamp_ms;
    struct gd_bytes reply;
};

static void setup(struct fixture *f, uint64_t entropy)
{
    *f = (struct fixture){.world = {.io = {.v = &world_vtable}, .entropy = entropy},
                          .stamp_ms = 1000};
    gd_kv_tracker_init(&f->kv, &f->world.io);
    f->tracker = &f->kv.tracker;
}

static void teardown(struct fixture *f)
{
    struct outcome closed = {0};

    f->tracker->v->close(f->tracker, on_done, &closed);
    world_run(&f->world);
    assert_int_equal(closed.times, 1);
    gd_bytes_release(&f->reply);
}

/* "word word ..." as a body. */
static void body_add_words(struct gd_bytes *body, const char *words)
{
    struct gd_slice args[16];
    size_t count = 0;

    while (*words != 0) {
        size_t size = strcspn(words, " ");
        args[count++] = (struct gd_slice){(const uint8_t *)words, size};
        words += size;
        words += *words == ' ' ? 1 : 0;
    }
    gd_body_add_args(body, args, count);
}

static void apply_body(struct fixture *f, struct gd_slice body)
{
    struct outcome outcome = {0};
    struct gd_apply entry = {
        .position = {1, ++f->index}, .stamp_ms = f->stamp_ms, .body = body, .reply = &f->reply};

    gd_bytes_clear(&f->reply);
    f->tracker->v->apply(f->tracker, &entry, 1, on_done, &outcome);
    assert_int_equal(outcome.times, 0); /* T1 */
    world_run(&f->world);
    assert_int_equal(outcome.times, 1);
    assert_int_equal(outcome.err, GD_OK);
}

static void reply_is(struct fixture *f, const char *want)
{
    gd_bytes_add_u8(&f->reply, 0);
    assert_string_equal((const char *)f->reply.data, want);
}

static void apply(struct fixture *f, const char *words, const char *want)
{
    struct gd_bytes body = {0};

    gd_body_begin(&body, GD_BODY_COMMAND, 2);
    body_add_words(&body, words);
    apply_body(f, gd_bytes_slice(&body));
    gd_bytes_release(&body);
    if (want != NULL) {
        reply_is(f, want);
    }
}

/* `want` NULL: the answer has to wait for the clock. */
static void query(struct fixture *f, const char *words, int64_t wall_ms, const char *want)
{
    struct outcome outcome = {0};
    struct gd_bytes body = {0};
    struct gd_query one = {.wall_ms = wall_ms, .reply = &f->reply};

    gd_bytes_clear(&f->reply);
    gd_body_begin(&body, GD_BODY_COMMAND, 2);
    body_add_words(&body, words);
    one.body = gd_bytes_slice(&body);
    f->tracker->v->query(f->tracker, &one, 1, on_done, &outcome);
    world_run(&f->world);
    assert_int_equal(outcome.times, 1);
    gd_bytes_release(&body);
    if (want == NULL) {
        assert_int_equal(one.result, GD_QUERY_NEEDS_TIME);
        assert_int_equal(f->reply.size, 0);
        assert_true(one.needs_ms > f->stamp_ms && one.needs_ms <= wall_ms);
    } else {
        assert_int_equal(one.result, GD_QUERY_ANSWERED);
        reply_is(f, want);
    }
}

static void random_write(struct fixture *f, struct gd_prng *prng)
{
    static const char *const forms[] = {
        "set k%d %d",     "append k%d abc%d",    "del k%d",          "setbit k%d %d 1",
        "incr n%d",       "pexpire k%d %d",      "persist k%d",      "set k%d v%d px 300",
        "rename k%d k%d", "setrange k%d %d xyz", "copy k%d k%d",     "flushall",
        "getdel k%d",     "incrbyfloat n%d 1.5", "bitop not k%d k%d"};
    char words[64];
    uint64_t form = gd_prng_below(prng, GD_COUNT(forms));
    int key = (int)gd_prng_below(prng, 200);
    int number = (int)gd_prng_below(prng, 200);

    if (strcmp(forms[form], "flushall") == 0 && !gd_prng_chance(prng, 1, 50)) {
        form = 0;
    }
    f->stamp_ms += (int64_t)gd_prng_below(prng, 4);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
    (void)snprintf(words, sizeof words, forms[form], key, number);
#pragma GCC diagnostic pop
    apply(f, words, NULL);
}

static size_t read_stream(struct fixture *f, uint8_t *to, size_t capacity)
{
    struct outcome outcome = {0};

    f->tracker->v->snapshot_read(f->tracker, to, capacity, on_read, &outcome);
    assert_int_equal(outcome.times, 0);
    world_run(&f->world);
    assert_int_equal(outcome.times, 1);
    assert_int_equal(outcome.err, GD_OK);
    return outcome.size;
}

/* Feeds `stream` in pieces of any size; the first error, or the end's. */
static enum gd_err restore(struct fixture *f, struct gd_slice stream, struct gd_prng *prng,
                           bool commit, gd_index index, int64_t stamp_ms)
{
    struct outcome outcome = {0};

    f->tracker->v->restore_begin(f->tracker, on_done, &outcome);
    world_run(&f->world);
    while (stream.size > 0 && outcome.err == GD_OK) {
        size_t size = (size_t)gd_prng_between(prng, 1, 5000);
        size = size < stream.size ? size : stream.size;
        f->tracker->v->restore_write(f->tracker, (struct gd_slice){stream.data, size}, on_done,
                                     &outcome);
        world_run(&f->world);
        stream.data += size;
        stream.size -= size;
    }
    if (outcome.err != GD_OK) {
        commit = false;
    }
    enum gd_err err = outcome.err;
    f->tracker->v->restore_end(f->tracker, commit, index, stamp_ms, on_done, &outcome);
    world_run(&f->world);
    return err != GD_OK ? err : outcome.err;
}

static void test_kv_tracker_snapshot_restores_its_index(void **state)
{
    enum { CAPACITY = 65536 };
    uint8_t *buffer = gd_malloc(CAPACITY);

    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct fixture f, other;
        struct gd_bytes stream = {0};
        struct gd_prng prng;
        struct outcome begun = {0};
        uint64_t digest;
        gd_index index;
        int64_t stamp_ms;
        size_t size;

        gd_prng_init(&prng, seed);
        setup(&f, seed);
        setup(&other, seed + 1000);
        for (int i = 0; i < 600; i++) {
            random_write(&f, &prng);
        }
        if (seed % 4 == 0) { /* Larger than one chunk. */
            apply(&f, "setrange large 300000 end", NULL);
            apply(&f, "setrange larger 900000 end", NULL);
        }
        digest = f.tracker->v->digest(f.tracker);
        index = f.tracker->v->applied(f.tracker);
        stamp_ms = f.stamp_ms;
        f.tracker->v->snapshot_begin(f.tracker, on_done, &begun);
        world_run(&f.world);
        assert_int_equal(begun.err, GD_OK);
        do {
            size_t capacity = seed % 2 == 0 ? CAPACITY : 100;
            size = read_stream(&f, buffer, capacity);
            gd_bytes_add(&stream, buffer, size);
            for (uint64_t i = gd_prng_below(&prng, 8); i > 0; i--) {
                random_write(&f, &prng);
            }
            if (seed % 8 == 4) {
                apply(&f, "append large x", NULL);
                apply(&f, "del larger", NULL);
            }
        } while (size > 0);
        f.tracker->v->snapshot_end(f.tracker);

        assert_int_equal(restore(&other, gd_bytes_slice(&stream), &prng, true, index, stamp_ms),
                         GD_OK);
        assert_true(other.tracker->v->digest(other.tracker) == digest);
        assert_true(other.tracker->v->applied(other.tracker) == index);

        /* T3, and damage anywhere is noticed. */
        stream.data[gd_prng_below(&prng, stream.size)] ^= 4;
        assert_int_not_equal(restore(&other, gd_bytes_slice(&stream), &prng, true, 1, 1), GD_OK);
        assert_true(other.tracker->v->digest(other.tracker) == digest);
        gd_bytes_release(&stream);
        teardown(&f);
        teardown(&other);
    }
    gd_free(buffer);
}

/* More keys than one read looks at, most of a read's work on empty buckets, and every write moves
 * some: the stream is whole all the same, and no read gives more than it was asked for. */
static void test_kv_tracker_snapshot_of_many_keys(void **state)
{
    enum { KEYS = 30000, CAPACITY = 65536 };
    uint8_t *buffer = gd_malloc(CAPACITY);
    struct fixture f, other;
    struct gd_bytes stream = {0};
    struct outcome begun = {0};
    struct gd_prng prng;
    char words[64];
    uint64_t digest;
    gd_index index;
    size_t size;

    (void)state;
    gd_prng_init(&prng, 9);
    setup(&f, 1);
    setup(&other, 2);
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(words, sizeof words, "set key:%d value%d", i, i);
        apply(&f, words, "+OK\r\n");
    }
    for (int i = 0; i < KEYS - 4000; i++) {
        (void)snprintf(words, sizeof words, "del key:%d", i);
        apply(&f, words, ":1\r\n");
    }
    digest = f.tracker->v->digest(f.tracker);
    index = f.tracker->v->applied(f.tracker);
    f.tracker->v->snapshot_begin(f.tracker, on_done, &begun);
    world_run(&f.world);
    for (int i = 0; (size = read_stream(&f, buffer, CAPACITY)) > 0; i++) {
        assert_true(size <= CAPACITY);
        gd_bytes_add(&stream, buffer, size);
        (void)snprintf(words, sizeof words, "append key:%d x", KEYS - 1 - i);
        apply(&f, words, NULL);
        (void)snprintf(words, sizeof words, "del key:%d", KEYS - 2000 - i);
        apply(&f, words, NULL);
    }
    f.tracker->v->snapshot_end(f.tracker);
    assert_int_equal(restore(&other, gd_bytes_slice(&stream), &prng, true, index, f.stamp_ms),
                     GD_OK);
    assert_true(other.tracker->v->digest(other.tracker) == digest);
    assert_true(other.tracker->v->applied(other.tracker) == index);
    gd_bytes_release(&stream);
    gd_free(buffer);
    teardown(&f);
    teardown(&other);
}

/* T2: two nodes with other seeds, one of which restarts from a snapshot, stay equal. */
static void test_kv_tracker_apply_is_deterministic(void **state)
{
    struct fixture a, b;
    struct gd_prng prng_a, prng_b;

    (void)state;
    setup(&a, 1);
    setup(&b, 77);
    gd_prng_init(&prng_a, 5);
    gd_prng_init(&prng_b, 5);
    for (int i = 0; i < 5000; i++) {
        random_write(&a, &prng_a);
        random_write(&b, &prng_b);
        assert_int_equal(a.reply.size, b.reply.size);
        assert_memory_equal(a.reply.data, b.reply.data, a.reply.size);
        if (i % 100 == 0) {
            assert_true(a.tracker->v->digest(a.tracker) == b.tracker->v->digest(b.tracker));
        }
    }
    teardown(&a);
    teardown(&b);
}

static void test_kv_tracker_reads_wait_for_the_clock(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, 1);
    apply(&f, "set k v px 100", "+OK\r\n");
    assert_int_equal(f.tracker->v->next_expiry_ms(f.tracker), 1100);
    query(&f, "get k", 1099, "$1\r\nv\r\n");
    query(&f, "pttl k", 1099, ":1\r\n");
    query(&f, "get k", 1100, NULL);
    query(&f, "dbsize", 1100, NULL);
    query(&f, "keys *", 1100, NULL);
    query(&f, "get other", 5000, "$-1\r\n");
    f.stamp_ms = 1100;
    apply_body(&f, (struct gd_slice){NULL, 0});
    query(&f, "get k", 1100, "$-1\r\n");
    query(&f, "get k", 900, "$-1\r\n"); /* A wall clock that is behind brings nothing back. */
    query(&f, "dbsize", 1100, ":0\r\n");
    teardown(&f);
}

static void add_watch(struct gd_bytes *body, const char *key, gd_index version)
{
    gd_bytes_add_le32(body, (uint32_t)strlen(key));
    gd_bytes_add_text(body, key);
    gd_bytes_add_le64(body,
                      version == 0 ? 0 : version * 2 + 1); /* As gd_keyspace_watch tells it. */
}

static void exec(struct fixture *f, gd_index version_a, gd_index version_b, const char *want)
{
    struct gd_bytes body = {0};

    gd_body_begin(&body, GD_BODY_TRANSACTION, 2);
    gd_bytes_add_le32(&body, 2);
    add_watch(&body, "a", version_a);
    add_watch(&body, "b", version_b);
    gd_bytes_add_le32(&body, 3);
    body_add_words(&body, "incr a");
    body_add_words(&body, "nosuch x");
    body_add_words(&body, "get a");
    apply_body(f, gd_bytes_slice(&body));
    reply_is(f, want);
    gd_bytes_release(&body);
}

static void test_kv_tracker_transactions(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, 1);
    apply(&f, "set a 5", "+OK\r\n");
    exec(&f, 1, 0, "*3\r\n:6\r\n-ERR Command not allowed inside a transaction\r\n$1\r\n6\r\n");
    exec(&f, 1, 0, "*-1\r\n");
    apply(&f, "set b 5", "+OK\r\n");
    exec(&f, 2, 0, "*-1\r\n");
    exec(&f, 2, 4, "*3\r\n:7\r\n-ERR Command not allowed inside a transaction\r\n$1\r\n7\r\n");
    teardown(&f);
}

/* A key that came and went while it was watched: absent both times, and yet not the same. */
static void test_kv_tracker_watch_notices_a_key_that_came_and_went(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f, 1);
    apply(&f, "set a 5", "+OK\r\n");
    apply(&f, "set b 5", "+OK\r\n");
    apply(&f, "del b", ":1\r\n");
    exec(&f, 1, 0, "*-1\r\n");
    teardown(&f);
}

/* A body is bytes from a peer: any of them is answered, and nothing is read past its end. */
static void test_kv_tracker_takes_any_body(void **state)
{
    struct fixture f;
    struct gd_prng prng;

    (void)state;
    setup(&f, 1);
    gd_prng_init(&prng, 3);
    apply_body(&f, (struct gd_slice){NULL, 0});
    for (int i = 0; i < 20000; i++) {
        struct gd_bytes body = {0};
        uint8_t *exact;
        uint64_t before = gd_keyspace_digest(f.kv.kv.ks);
        gd_body_begin(&body, i % 2 + 1, 3);
        if (i % 2 == 1) {
            gd_bytes_add_le32(&body, 0);
            gd_bytes_add_le32(&body, 1);
        }
        body_add_words(&body, "set key value ex 10");
        body.data[gd_prng_below(&prng, body.size)] = (uint8_t)gd_prng_next(&prng);
        body.size -= (size_t)gd_prng_below(&prng, 3);
        exact = gd_malloc(body.size);
        memcpy(exact, body.data, body.size);
        apply_body(&f, (struct gd_slice){exact, body.size});
        gd_bytes_add_u8(&f.reply, 0);
        assert_true(f.reply.size > 0);
        if (strstr((const char *)f.reply.data, "cannot be read") != NULL) {
            assert_true(gd_keyspace_digest(f.kv.kv.ks) == before);
        }
        gd_free(exact);
        gd_bytes_release(&body);
    }
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kv_tracker_snapshot_restores_its_index),
        cmocka_unit_test(test_kv_tracker_snapshot_of_many_keys),
        cmocka_unit_test(test_kv_tracker_apply_is_deterministic),
        cmocka_unit_test(test_kv_tracker_reads_wait_for_the_clock),
        cmocka_unit_test(test_kv_tracker_transactions),
        cmocka_unit_test(test_kv_tracker_watch_notices_a_key_that_came_and_went),
        cmocka_unit_test(test_kv_tracker_takes_any_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
