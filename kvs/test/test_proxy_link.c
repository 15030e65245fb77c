/* One connection to a database, in a world that does at each moment what the test says: what has an
 * end is told of it once, and the memory of an unusual exchange is given back. */
#include "kvs/proxy_link.h"
#include "engine/memory.h"
#include <setjmp.h>
#include <stdarg.h>
/* After the above: it wants their types. */
#include <cmocka.h>

enum { TIMERS_MAX = 8, MIB = 1024 * 1024 };

struct fixture {
    struct gd_io io; /* First: the world. */
    struct gd_timer *timers[TIMERS_MAX];
    size_t timer_count;
    struct gd_stream *stream;
    struct gd_write *write; /* Under way; NULL: none. */
    bool refuses;
    size_t written;
    struct gd_proxy_link link;
    unsigned ends, replies, closes;
    enum gd_err end;
};

static gd_time_ns world_now(struct gd_io *io)
{
    (void)io;
    return 1;
}

static void world_timer_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline)
{
    struct fixture *f = (struct fixture *)(void *)io;
    size_t i = 0;

    while (i < f->timer_count && f->timers[i] != timer) {
        i++;
    }
    assert_true(i < TIMERS_MAX);
    f->timers[i] = timer;
    f->timer_count += i == f->timer_count ? 1 : 0;
    timer->deadline = deadline;
    timer->place = 1;
}

static void world_timer_stop(struct gd_io *io, struct gd_timer *timer)
{
    (void)io;
    timer->place = 0;
}

static enum gd_err world_connect(struct gd_io *io, struct gd_stream *stream,
                                 const struct gd_address *address, gd_stream_fn *done)
{
    struct fixture *f = (struct fixture *)(void *)io;

    (void)address;
    stream->io = io;
    stream->on_done = done;
    f->stream = stream;
    return GD_OK;
}

static void world_read_start(struct gd_stream *stream, gd_stream_read_fn *on_read)
{
    stream->on_read = on_read;
}

static enum gd_err world_write(struct gd_stream *stream, struct gd_write *write)
{
    struct fixture *f = (struct fixture *)(void *)stream->io;

    if (f->refuses) {
        return GD_ERR_RESET;
    }
    assert_null(f->write);
    f->write = write;
    return GD_OK;
}

static void world_close(struct gd_stream *stream, gd_stream_fn *closed)
{
    struct fixture *f = (struct fixture *)(void *)stream->io;
    struct gd_write *write = f->write;

    f->write = NULL;
    f->stream = NULL;
    if (write != NULL) {
        write->done(write, GD_ERR_CANCELED);
    }
    closed(stream, GD_OK);
}

static const struct gd_io_vtable world = {
    .now = world_now,
    .timer_start = world_timer_start,
    .timer_stop = world_timer_stop,
    .connect = world_connect,
    .read_start = world_read_start,
    .write = world_write,
    .close = world_close,
};

/* The timers whose time has come. */
static void turn(struct fixture *f)
{
    for (size_t i = 0; i < f->timer_count; i++) {
        if (f->timers[i]->place != 0 && f->timers[i]->deadline <= world_now(&f->io)) {
            f->timers[i]->place = 0;
            f->timers[i]->fire(f->timers[i]);
        }
    }
}

static void take_piece(struct fixture *f)
{
    struct gd_write *write = f->write;

    assert_non_null(write);
    f->written += write->slices[0].size;
    f->write = NULL;
    write->done(write, GD_OK);
}

static void say(struct fixture *f, const char *text)
{
    f->stream->on_read(f->stream, GD_OK, gd_proxy_text(text));
}

static void on_end(void *context, enum gd_err err)
{
    struct fixture *f = context;

    f->ends++;
    f->end = err;
}

static void on_reply(void *context, size_t place, struct gd_slice reply)
{
    struct fixture *f = context;

    (void)place;
    (void)reply;
    f->replies++;
}

static void on_closed(void *context)
{
    struct fixture *f = context;
    f->closes++;
}

/* Connected. */
static void begin(struct fixture *f)
{
    static const struct gd_address nowhere = {"database:1"};

    *f = (struct fixture){.io = {&world}};
    gd_proxy_link_init(&f->link, &f->io, &nowhere, 5000 * GD_NS_PER_MS);
    gd_proxy_link_connect(&f->link, on_end, f);
    f->stream->on_done(f->stream, GD_OK);
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->end, GD_OK);
    f->ends = 0;
}

static void finish(struct fixture *f)
{
    gd_proxy_link_close(&f->link, on_closed, f);
    assert_int_equal(f->closes, 1);
}

/* A command of so many bytes and a few more. */
static void send(struct fixture *f, size_t size)
{
    uint8_t *text = gd_calloc(1, size);
    struct gd_slice words[] = {gd_proxy_text("ECHO"), {text, size}};

    gd_proxy_link_add(&f->link, words, 2);
    gd_free(text);
    gd_proxy_link_send(&f->link, on_reply, on_end, f);
}

static void test_exchange_in_pieces(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    send(&f, 20000);
    while (f.write != NULL) {
        take_piece(&f);
    }
    assert_true(f.written > 20000);
    say(&f, "+O");
    assert_int_equal(f.ends, 0);
    say(&f, "K\r\n");
    assert_int_equal(f.replies, 1);
    assert_int_equal(f.ends, 1);
    assert_int_equal(f.end, GD_OK);
    turn(&f);
    assert_int_equal(f.ends, 1);
    finish(&f);
}

/* A piece is refused, and before the next turn the database answers, as if it had been asked. */
static void test_refused_and_answered_in_one_turn(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    send(&f, 20000);
    f.refuses = true;
    take_piece(&f);
    assert_int_equal(f.ends, 0); /* Not from inside. */
    say(&f, "+OK\r\n");
    assert_int_equal(f.ends, 1);
    turn(&f);
    assert_int_equal(f.ends, 1);
    assert_null(f.link.up); /* Half a command is on its way there. */
    f.refuses = false;
    send(&f, 1);
    turn(&f);
    assert_int_equal(f.ends, 2);
    assert_int_equal(f.end, GD_ERR_RESET);
    finish(&f);
}

static void test_large_exchange_gives_its_memory_back(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    for (size_t i = 0; i < 4; i++) {
        send(&f, i % 2 == 0 ? 2 * MIB : 1);
        if (i == 1) { /* Answered before the write is told; the next one has to wait for it. */
            say(&f, "+OK\r\n");
            continue;
        }
        while (f.write != NULL) {
            take_piece(&f);
        }
        say(&f, "+OK\r\n");
        assert_true(f.link.out.capacity <= MIB);
    }
    assert_int_equal(f.ends, 4);
    send(&f, 2 * MIB);
    gd_proxy_link_drop(&f.link);
    gd_proxy_link_add_words(&f.link, (const char *const[]){"PING"}, 1);
    assert_true(f.link.out.capacity <= MIB);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchange_in_pieces),
        cmocka_unit_test(test_refused_and_answered_in_one_turn),
        cmocka_unit_test(test_large_exchange_gives_its_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
