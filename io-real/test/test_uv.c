/* What the real world has beyond io.h: the lock, names and IPv6, signals, log lines, limits. */
#include "io-real/uv.h"
#include "engine/memory.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct world {
    char directory[64];
    struct gd_uv *uv;
};

static int begin(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct gd_error error;

    assert_non_null(world);
    (void)snprintf(world->directory, sizeof world->directory, "/tmp/gandalf-uv-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    world->uv = gd_uv_new(world->directory, &error);
    assert_non_null(world->uv);
    *state = world;
    return 0;
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *ftw)
{
    (void)facts;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int end(void **state)
{
    struct world *world = *state;

    gd_uv_free(world->uv);
    (void)nftw(world->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(world);
    return 0;
}

static void give_up(struct gd_timer *timer)
{
    *(bool *)timer->context = true;
}

/* Turns until `*flag` or, after ten seconds, fails. */
static void wait_for(struct gd_uv *uv, const bool *flag)
{
    bool late = false;
    struct gd_timer timer = {.fire = give_up, .context = &late};
    struct gd_io *io = gd_uv_io(uv);

    gd_timer_start(io, &timer, gd_io_now(io) + 10000 * GD_NS_PER_MS);
    while (!*flag && !late) {
        gd_uv_turn(uv, true);
    }
    gd_timer_stop(io, &timer);
    assert_true(*flag);
}

/* ---------------------------------------------------------------- the data directory */

/* F3: a second world is told who has it; once the first is gone, it may. */
static void test_uv_directory_is_locked(void **state)
{
    struct world *world = *state;
    struct gd_error error = {0};
    char number[32];

    assert_null(gd_uv_new(world->directory, &error));
    assert_int_equal(error.code, GD_ERR_BUSY);
    assert_non_null(strstr(error.text, world->directory));
    (void)snprintf(number, sizeof number, "(%ld)", (long)getpid());
    assert_non_null(strstr(error.text, number));
    gd_uv_free(world->uv);
    world->uv = gd_uv_new(world->directory, &error);
    assert_non_null(world->uv);
}

static void test_uv_directory_errors(void **state)
{
    struct world *world = *state;
    struct gd_error error = {0};
    char path[128];

    (void)snprintf(path, sizeof path, "%s/a/b", world->directory);
    assert_null(gd_uv_new(path, &error)); /* Only the last part is made. */
    assert_int_equal(error.code, GD_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, path));
    (void)snprintf(path, sizeof path, "%s/file", world->directory);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_null(gd_uv_new(path, &error));
    assert_non_null(strstr(error.text, path));
    (void)snprintf(path, sizeof path, "%s/fresh", world->directory);
    struct gd_uv *uv = gd_uv_new(path, &error);
    assert_non_null(uv);
    gd_uv_free(uv);
    if (geteuid() != 0) { /* Root may write anywhere. */
        assert_int_equal(chmod(path, 0), 0);
        assert_null(gd_uv_new(path, &error));
        assert_int_equal(error.code, GD_ERR_PERMISSION);
    }
}

struct told {
    bool done;
    enum gd_err err;
};

static void op_told(struct gd_disk_op *op, enum gd_err err)
{
    struct told *told = op->context;

    told->done = true;
    told->err = err;
}

static void test_uv_without_a_directory(void **state)
{
    struct gd_error error;
    struct gd_uv *uv = gd_uv_new(NULL, &error);
    struct gd_file file;
    struct told told = {0};
    struct gd_disk_op op = {.kind = GD_DISK_OPEN,
                            .path = "x",
                            .flags = GD_DISK_CREATE,
                            .file = &file,
                            .done = op_told,
                            .context = &told};

    (void)state;
    assert_non_null(uv);
    assert_int_equal(gd_disk_submit(gd_uv_io(uv), &op), GD_OK);
    wait_for(uv, &told.done);
    assert_int_equal(told.err, GD_ERR_NOT_FOUND);
    gd_uv_free(uv);
}

/* The file that a preallocation leaves has real blocks: a later durable write needs no metadata. */
static void test_uv_preallocation_is_filled(void **state)
{
    struct world *world = *state;
    struct gd_file file;
    struct told told = {0};
    struct gd_disk_op op = {.kind = GD_DISK_OPEN,
                            .path = "log",
                            .flags = GD_DISK_CREATE,
                            .file = &file,
                            .done = op_told,
                            .context = &told};
    char path[128];
    struct stat facts;

    assert_int_equal(gd_disk_submit(gd_uv_io(world->uv), &op), GD_OK);
    wait_for(world->uv, &told.done);
    assert_int_equal(told.err, GD_OK);
    told.done = false;
    op = (struct gd_disk_op){.kind = GD_DISK_PREALLOCATE,
                             .file = &file,
                             .size = 9 << 20,
                             .done = op_told,
                             .context = &told};
    assert_int_equal(gd_disk_submit(gd_uv_io(world->uv), &op), GD_OK);
    wait_for(world->uv, &told.done);
    assert_int_equal(told.err, GD_OK);
    (void)snprintf(path, sizeof path, "%s/log", world->directory);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_size, 9 << 20);
    assert_true(facts.st_blocks * 512 >= 9 << 20);
}

/* A chain of durable writes, each begun by the one before. */
struct chain {
    struct gd_uv *uv;
    struct gd_disk_op op;
    uint8_t block[GD_BLOCK_SIZE];
    int left;
    bool inside; /* A call is on the stack: no callback may come. */
    bool bad, done;
    int ticks; /* Of a timer that starts itself anew, due at once. */
    struct gd_timer timer;
};

static void chain_next(struct chain *chain);

static void chain_told(struct gd_disk_op *op, enum gd_err err)
{
    struct chain *chain = op->context;

    chain->bad = chain->bad || chain->inside || err != GD_OK;
    if (--chain->left == 0) {
        chain->done = true;
        gd_uv_stop(chain->uv);
        return;
    }
    chain_next(chain);
}

static void chain_next(struct chain *chain)
{
    chain->op.offset += GD_BLOCK_SIZE;
    chain->inside = true;
    chain->bad = gd_disk_submit(gd_uv_io(chain->uv), &chain->op) != GD_OK || chain->bad;
    chain->inside = false;
}

static void chain_tick(struct gd_timer *timer)
{
    struct chain *chain = timer->context;

    chain->ticks++;
    if (!chain->done) {
        gd_timer_start(gd_uv_io(chain->uv), timer, gd_io_now(gd_uv_io(chain->uv)));
    }
}

static void open_log(struct world *world, struct gd_file *file)
{
    struct told told = {0};
    struct gd_disk_op op = {.kind = GD_DISK_OPEN,
                            .path = "log",
                            .flags = GD_DISK_CREATE,
                            .file = file,
                            .done = op_told,
                            .context = &told};

    assert_int_equal(gd_disk_submit(gd_uv_io(world->uv), &op), GD_OK);
    wait_for(world->uv, &told.done);
    assert_int_equal(told.err, GD_OK);
}

/* F1: what the loop writes by itself is told as all else, with timers in between, however busy. */
static void test_uv_durable_writes_in_a_row(void **state)
{
    struct world *world = *state;
    struct gd_file file;
    struct chain chain = {.uv = world->uv, .left = 100};
    char path[128];
    struct stat facts;

    open_log(world, &file);
    chain.timer = (struct gd_timer){.fire = chain_tick, .context = &chain};
    chain.op = (struct gd_disk_op){.kind = GD_DISK_WRITE_DURABLE,
                                   .file = &file,
                                   .data = chain.block,
                                   .size = sizeof chain.block,
                                   .done = chain_told,
                                   .context = &chain};
    chain_next(&chain);
    assert_false(chain.done);
    gd_timer_start(gd_uv_io(world->uv), &chain.timer, gd_io_now(gd_uv_io(world->uv)));
    gd_uv_run(world->uv);
    assert_true(chain.done);
    assert_false(chain.bad);
    assert_true(chain.ticks >= 10);
    (void)snprintf(path, sizeof path, "%s/log", world->directory);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_size, 101 * GD_BLOCK_SIZE);
}

/* A world that ends drops what it has not begun, the loop's own too: no callback, no write. */
static void test_uv_free_drops_a_durable_write(void **state)
{
    struct world *world = *state;
    struct gd_file file;
    struct told told = {0};
    struct gd_disk_op op = {.kind = GD_DISK_WRITE_DURABLE,
                            .file = &file,
                            .data = "x",
                            .size = 1,
                            .done = op_told,
                            .context = &told};
    struct gd_error error;
    char path[128];
    struct stat facts;

    open_log(world, &file);
    assert_int_equal(gd_disk_submit(gd_uv_io(world->uv), &op), GD_OK);
    gd_uv_free(world->uv);
    assert_false(told.done);
    (void)snprintf(path, sizeof path, "%s/log", world->directory);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_size, 0);
    (void)close((int)file.handle);
    world->uv = gd_uv_new(world->directory, &error);
    assert_non_null(world->uv);
}

/* ---------------------------------------------------------------- the network */

struct served {
    struct gd_listener listener;
    struct gd_stream stream;
    bool accepted;
};

static void on_incoming(struct gd_listener *listener)
{
    struct served *served = listener->context;

    served->stream = (struct gd_stream){0};
    assert_int_equal(gd_listener_accept(listener, &served->stream), GD_OK);
    served->accepted = true;
}

static void on_told(struct gd_stream *stream, enum gd_err err)
{
    struct told *told = stream->context;

    told->done = true;
    told->err = err;
}

static bool listen_at(struct world *world, struct served *served, const char *text,
                      struct gd_address *chosen)
{
    struct gd_address address;
    struct gd_error error;

    *served = (struct served){.listener = {.incoming = on_incoming, .context = served}};
    assert_int_equal(gd_address_parse(text, &address), GD_OK);
    if (gd_listen(gd_uv_io(world->uv), &served->listener, &address, &error) != GD_OK) {
        return false;
    }
    gd_listener_address(&served->listener, chosen);
    return true;
}

static enum gd_err connect_to(struct world *world, const char *host, uint16_t port)
{
    struct told told = {0}, closed = {0};
    struct gd_stream stream = {.context = &told};
    struct gd_address address;
    char text[GD_ADDRESS_SIZE];

    (void)snprintf(text, sizeof text, "%s:%u", host, (unsigned)port);
    assert_int_equal(gd_address_parse(text, &address), GD_OK);
    assert_int_equal(gd_stream_connect(gd_uv_io(world->uv), &stream, &address, on_told), GD_OK);
    assert_false(told.done);
    wait_for(world->uv, &told.done);
    stream.context = &closed;
    gd_stream_close(&stream, on_told);
    wait_for(world->uv, &closed.done);
    return told.err;
}

/* A name is resolved, and each of its addresses is tried: "localhost" is often ::1 first. */
static void test_uv_connect_by_name(void **state)
{
    struct world *world = *state;
    struct served served;
    struct gd_address chosen;
    uint16_t port;

    assert_true(listen_at(world, &served, "localhost:0", &chosen));
    gd_address_split(&chosen, NULL, &port);
    assert_int_equal(connect_to(world, "localhost", port), GD_OK);
    assert_int_equal(connect_to(world, "127.0.0.1", port), GD_OK);
    assert_int_equal(connect_to(world, "no-such-host.invalid", port), GD_ERR_UNREACHABLE);
}

static void test_uv_connect_refused_at_every_address(void **state)
{
    struct world *world = *state;
    struct served served;
    struct gd_address chosen;
    uint16_t port;

    assert_true(listen_at(world, &served, "127.0.0.1:0", &chosen));
    gd_address_split(&chosen, NULL, &port);
    /* Nobody listens at such a low port, in all likelihood. */
    assert_int_not_equal(connect_to(world, "localhost", (uint16_t)(port == 1 ? 2 : 1)), GD_OK);
}

static void test_uv_ipv6(void **state)
{
    struct world *world = *state;
    struct served served;
    struct gd_address chosen, peer;
    uint16_t port;
    char host[GD_ADDRESS_SIZE];

    if (!listen_at(world, &served, "[::1]:0", &chosen)) {
        skip(); /* A machine without IPv6. */
    }
    gd_address_split(&chosen, host, &port);
    assert_string_equal(host, "::1");
    assert_int_equal(connect_to(world, "[::1]", port), GD_OK);
    wait_for(world->uv, &served.accepted);
    gd_stream_peer(&served.stream, &peer);
    assert_true(strncmp(peer.text, "[::1]:", 6) == 0 || strcmp(peer.text, "?") == 0);
}

struct ending {
    struct told connected, ended;
    bool closed;
};

static void on_ending_connected(struct gd_stream *stream, enum gd_err err)
{
    ((struct ending *)stream->context)->connected = (struct told){true, err};
}

static void on_ending_read(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes)
{
    (void)bytes;
    ((struct ending *)stream->context)->ended = (struct told){true, err};
}

static void on_ending_closed(struct gd_stream *stream, enum gd_err err)
{
    (void)err;
    ((struct ending *)stream->context)->closed = true;
}

static void on_write_told(struct gd_write *write, enum gd_err err)
{
    (void)err;
    *(bool *)write->context = true;
}

/* Nobody takes our bytes: the stream ends after its own patience, long before the world's. */
static void test_uv_patience(void **state)
{
    static uint8_t bytes[32 << 20];
    struct world *world = *state;
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t size = sizeof any;
    struct ending ending = {0};
    struct gd_stream stream = {.context = &ending, .patience_ns = 300 * GD_NS_PER_MS};
    struct gd_address address;
    char text[GD_ADDRESS_SIZE];
    bool written = false;
    struct gd_write write = {
        .slices = {{bytes, sizeof bytes}}, .count = 1, .done = on_write_told, .context = &written};
    int deaf = socket(AF_INET, SOCK_STREAM, 0);

    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(deaf, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(deaf, 1), 0);
    assert_int_equal(getsockname(deaf, (struct sockaddr *)&any, &size), 0);
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)ntohs(any.sin_port));
    assert_int_equal(gd_address_parse(text, &address), GD_OK);
    assert_int_equal(gd_stream_connect(gd_uv_io(world->uv), &stream, &address, on_ending_connected),
                     GD_OK);
    wait_for(world->uv, &ending.connected.done);
    assert_int_equal(ending.connected.err, GD_OK);
    gd_stream_read_start(&stream, on_ending_read);
    assert_int_equal(gd_stream_write(&stream, &write), GD_OK);
    wait_for(world->uv, &ending.ended.done);
    assert_int_equal(ending.ended.err, GD_ERR_TIMEOUT);
    gd_stream_close(&stream, on_ending_closed);
    wait_for(world->uv, &ending.closed);
    assert_true(written);
    (void)close(deaf);
}

struct two_told {
    struct told connected, closed;
};

static void on_two_connected(struct gd_stream *stream, enum gd_err err)
{
    struct two_told *told = stream->context;

    assert_false(told->closed.done);
    told->connected = (struct told){true, err};
}
static void on_two_closed(struct gd_stream *stream, enum gd_err err)
{
    struct two_told *told = stream->context;

    told->closed = (struct told){true, err};
}

/* Closed while its name is being looked up: told, and nothing is touched later. */
static void test_uv_close_while_resolving(void **state)
{
    struct world *world = *state;
    struct two_told told = {0};
    struct gd_stream stream = {.context = &told};
    struct gd_address address;

    assert_int_equal(gd_address_parse("localhost:9", &address), GD_OK);
    assert_int_equal(gd_stream_connect(gd_uv_io(world->uv), &stream, &address, on_two_connected),
                     GD_OK);
    gd_stream_close(&stream, on_two_closed);
    wait_for(world->uv, &told.closed.done);
    assert_true(told.connected.done);
    assert_int_equal(told.connected.err, GD_ERR_CANCELED);
    assert_int_equal(told.closed.err, GD_OK);
}

/* No descriptor left: refused, and fine again when there is one. */
static void test_uv_out_of_descriptors(void **state)
{
    struct world *world = *state;
    struct served served;
    struct gd_address chosen;
    struct told told = {0};
    struct gd_stream stream = {.context = &told};
    struct rlimit limit, low;
    uint16_t port;

    assert_true(listen_at(world, &served, "127.0.0.1:0", &chosen));
    gd_address_split(&chosen, NULL, &port);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    enum gd_err err = gd_stream_connect(gd_uv_io(world->uv), &stream, &chosen, on_told);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(err, GD_ERR_BUSY);
    assert_false(told.done);
    assert_int_equal(connect_to(world, "127.0.0.1", port), GD_OK);
    assert_false(told.done);
}

/* ---------------------------------------------------------------- signals, log lines, stop */

static void on_signal(void *context, int signum)
{
    *(bool *)context = signum == SIGUSR1;
}

static void test_uv_signals(void **state)
{
    struct world *world = *state;
    bool got = false;

    gd_uv_on_signal(world->uv, SIGUSR1, on_signal, &got);
    gd_uv_on_signal(world->uv, SIGUSR2, NULL, NULL);
    assert_int_equal(kill(getpid(), SIGUSR2), 0); /* Ignored. */
    assert_int_equal(kill(getpid(), SIGPIPE), 0); /* Ignored from the start. */
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    wait_for(world->uv, &got);
}

struct lines {
    unsigned count;
    enum gd_log_level level;
    char last[64];
};

static void keep_line(void *context, enum gd_log_level level, const char *line)
{
    struct lines *lines = context;

    lines->count++;
    lines->level = level;
    (void)snprintf(lines->last, sizeof lines->last, "%s", line);
}

static void test_uv_log_level_and_sink(void **state)
{
    struct world *world = *state;
    struct gd_io *io = gd_uv_io(world->uv);
    struct lines lines = {0};

    gd_uv_set_log_sink(world->uv, keep_line, &lines);
    gd_io_log(io, GD_LOG_DEBUG, "not told");
    assert_int_equal(lines.count, 0);
    gd_io_log(io, GD_LOG_INFO, "one %d", 1);
    assert_int_equal(lines.count, 1);
    assert_string_equal(lines.last, "one 1");
    gd_uv_set_log_level(world->uv, GD_LOG_ERROR);
    gd_io_log(io, GD_LOG_WARNING, "not told");
    gd_io_log(io, GD_LOG_ERROR, "told");
    assert_int_equal(lines.count, 2);
    assert_int_equal(lines.level, GD_LOG_ERROR);
}

/* On stderr: time, level, line; one newline. */
static void test_uv_log_line_form(void **state)
{
    struct world *world = *state;
    char path[128], text[256];
    int saved = dup(STDERR_FILENO);

    (void)snprintf(path, sizeof path, "%s/err", world->directory);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    assert_true(fd >= 0 && saved >= 0);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    gd_io_log(gd_uv_io(world->uv), GD_LOG_WARNING, "hello");
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    assert_true(size > 0);
    text[size] = '\0';
    assert_int_equal(text[4], '-');
    assert_int_equal(text[10], 'T');
    assert_string_equal(text + 23, "Z WARN  hello\n");
    (void)close(fd);
    (void)close(saved);
}

static void stop_loop(struct gd_timer *timer)
{
    gd_uv_stop(timer->context);
}

static void test_uv_run_until_stop(void **state)
{
    struct world *world = *state;
    struct gd_io *io = gd_uv_io(world->uv);
    struct gd_timer timer = {.fire = stop_loop, .context = world->uv};
    gd_time_ns begin_ns = gd_io_now(io);

    gd_timer_start(io, &timer, begin_ns + 5 * GD_NS_PER_MS);
    gd_uv_run(world->uv);
    assert_true(gd_io_now(io) >= begin_ns + 5 * GD_NS_PER_MS);
    assert_true(gd_io_now(io) < begin_ns + 2000 * GD_NS_PER_MS);
}

static void count_fire(struct gd_timer *timer)
{
    struct told *told = timer->context;

    told->done = true;
}

/* A deadline that has passed costs no millisecond: a thousand in a row take well under a second. */
static void test_uv_due_timers_do_not_wait(void **state)
{
    struct world *world = *state;
    struct gd_io *io = gd_uv_io(world->uv);
    gd_time_ns begin_ns = gd_io_now(io);

    for (int i = 0; i < 1000; i++) {
        struct told told = {0};
        struct gd_timer timer = {.fire = count_fire, .context = &told};

        gd_timer_start(io, &timer, gd_io_now(io));
        while (!told.done) {
            gd_uv_turn(world->uv, true);
        }
    }
    assert_true(gd_io_now(io) - begin_ns < 900 * GD_NS_PER_MS);
}

/* A failed assertion says where, and ends the process. */
static void test_uv_assertion_aborts(void **state)
{
    int status = 0;

    (void)state;
    pid_t child = fork();
    if (child == 0) {
        (void)close(STDERR_FILENO);
        gd_assert_fail("file.c", 7, "a == b");
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_uv_directory_is_locked),
        WITH_WORLD(test_uv_directory_errors),
        cmocka_unit_test(test_uv_without_a_directory),
        WITH_WORLD(test_uv_preallocation_is_filled),
        WITH_WORLD(test_uv_durable_writes_in_a_row),
        WITH_WORLD(test_uv_free_drops_a_durable_write),
        WITH_WORLD(test_uv_connect_by_name),
        WITH_WORLD(test_uv_connect_refused_at_every_address),
        WITH_WORLD(test_uv_ipv6),
        WITH_WORLD(test_uv_patience),
        WITH_WORLD(test_uv_close_while_resolving),
        WITH_WORLD(test_uv_out_of_descriptors),
        WITH_WORLD(test_uv_signals),
        WITH_WORLD(test_uv_log_level_and_sink),
        WITH_WORLD(test_uv_log_line_form),
        WITH_WORLD(test_uv_run_until_stop),
        WITH_WORLD(test_uv_due_timers_do_not_wait),
        cmocka_unit_test(test_uv_assertion_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
