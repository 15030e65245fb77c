/* The Parser, driven as a node drives it, on a store of its own: what it answers is what a real
 * redis-server answers, byte for byte, and does not depend on how the bytes were cut. */
#include "kvs/kv_parser.h"
#include "kvs/test/redis_server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A node of one, without a log. */
struct rig {
    struct gd_kv kv;
    struct gd_kv_parser parser;
    gd_index index;
};

static void rig_init(struct rig *rig, const char *password)
{
    static const struct gd_kv_setting settings[] = {
        {"save", ""}, {"appendonly", "no"}, {"databases", "16"}};

    *rig = (struct rig){.index = 0};
    gd_kv_init(&rig->kv, 1, 2);
    gd_kv_parser_init(&rig->parser, &(struct gd_kv_parser_options){.password = password,
                                                                   .kv = &rig->kv,
                                                                   .settings = settings,
                                                                   .setting_count = 3});
}

static void rig_release(struct rig *rig)
{
    gd_kv_parser_release(&rig->parser);
    gd_kv_release(&rig->kv);
}

static void *rig_connect(struct rig *rig, uint64_t id)
{
    struct gd_address address;

    assert_int_equal(gd_address_parse("127.0.0.1:4000", &address), GD_OK);
    return rig->parser.parser.v->session_new(&rig->parser.parser, id, &address);
}

static void rig_disconnect(struct rig *rig, void *session)
{
    rig->parser.parser.v->session_free(&rig->parser.parser, session);
}

static void answer(struct rig *rig, void *session, const struct gd_request *request,
                   struct gd_bytes *out)
{
    const struct gd_node_status status = {.id = 1, .role = GD_ROLE_LEADER, .wall_ms = 1000};
    struct gd_local_result result = {.kind = GD_LOCAL_NOTHING};
    struct gd_bytes reply = {0};
    int64_t needs_ms;

    switch (request->kind) {
    case GD_REQUEST_WRITE:
        rig->index++;
        gd_kv_apply(&rig->kv, rig->index, 1000, request->body, session, &reply);
        break;
    case GD_REQUEST_READ:
        assert_int_equal(gd_kv_query(&rig->kv, request->body, session, 1000, &reply, &needs_ms),
                         GD_QUERY_ANSWERED);
        break;
    case GD_REQUEST_LOCAL:
        rig->parser.parser.v->local(&rig->parser.parser, session, request, &status, &reply,
                                    &result);
        break;
    case GD_REQUEST_CLOSE:
        gd_bytes_add(&reply, request->body.data, request->body.size);
        break;
    case GD_REQUEST_ADMIN:
    case GD_REQUEST_MORE:
        fail();
    }
    if ((request->flags & GD_REQUEST_SILENT) == 0) {
        gd_bytes_add(out, reply.data, reply.size);
    }
    gd_bytes_release(&reply);
}

/* Feeds `input`, `step` bytes at a time; false once the connection is closed. */
static bool rig_feed(struct rig *rig, void *session, struct gd_slice input, size_t step,
                     struct gd_bytes *out)
{
    size_t begin = 0, end = 0;

    while (end < input.size) {
        end = input.size - end < step ? input.size : end + step;
        for (;;) {
            struct gd_request request;
            size_t consumed;
            rig->parser.parser.v->parse(&rig->parser.parser, session,
                                        (struct gd_slice){input.data + begin, end - begin},
                                        &consumed, &request);
            assert_true(consumed <= end - begin);
            begin += consumed;
            if (request.kind == GD_REQUEST_MORE && consumed == 0) {
                break;
            }
            if (request.kind != GD_REQUEST_MORE) {
                answer(rig, session, &request, out);
            }
            if (request.kind == GD_REQUEST_CLOSE) {
                return false;
            }
        }
    }
    return true;
}

/* ---------------------------------------------------------------- cases */

/* As they go over the wire. */
static const char *const raw_cases[] = {
    "*-10\r\n",
    "*-10\r\nPING\r\n",
    "*0\r\nPING\r\n",
    "*\r\nPING\r\n",
    "*abc\r\n",
    "*+1\r\n$4\r\nPING\r\n",
    "*01\r\n$4\r\nPING\r\n",
    "* 1\r\n$4\r\nPING\r\n",
    "*3000000000\r\n",
    "*1\r\nfoo\r\n",
    "*1\r\n:1\r\n",
    "*1\r\n\x01\r\n",
    "*1\r\n\"\r\n",
    "*1\r\n$-10\r\n",
    "*1\r\n$abc\r\n",
    "*1\r\n$04\r\nPING\r\n",
    "*1\n$4\nPING\r\n",
    "*1\r\n$2000000000\r\n",
    "*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2000000000\r\n",
    "*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$blabla\r\n",
    "*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n",
    "*1\r\n$1\r\naa\r\n",
    "\"foo\r\n",
    "'foo\r\n",
    "\"foo\"bar\r\n",
    "PING\r\n",
    "PING\n",
    "\r\n\r\nPING\r\n",
    "   \r\nPING\r\n",
    "ping \"a\\x41\\n b\"\r\n",
    "echo 'it\\'s'\r\n",
    "PING\r\nPING\r\n*1\r\n$4\r\nPING\r\nPING\r\n",
    "Host: x\r\n\r\nPING\r\n",
    "POST / HTTP/1.1\r\nHost: x\r\n\r\nPING\r\n",
    "*3\r\n$3\r\nfoo\r\n$3\r\na\r\n\r\n$1\r\nb\r\n",
    "*4\r\n$6\r\nclient\r\n$7\r\nsetname\r\n$3\r\na b\r\n$1\r\nc\r\n",
    "*3\r\n$6\r\nclient\r\n$7\r\nsetname\r\n$3\r\na b\r\n",
    "*4\r\n$5\r\nhello\r\n$1\r\n3\r\n$7\r\nsetname\r\n$3\r\na b\r\n",
};

/* Commands parted by '|', words by blanks; sent as arrays. */
static const char *const line_cases[] = {
    "FOO",
    "foo bar baz",
    "GET",
    "get a b",
    "set",
    "ping a b",
    "ping a",
    "echo",
    "select 1",
    "select abc",
    "select 0",
    "select -1",
    "client",
    "client foo",
    "client getname",
    "client getname a",
    "client setname",
    "client setname a|client getname",
    "client reply",
    "client reply foo",
    "client reply off|ping|client reply on|ping",
    "client reply skip|ping|ping",
    "client reply off|client reply skip|ping|ping|client reply on",
    "client reply skip|get nokey|multi|get nokey|exec",
    "client kill",
    "client kill foo",
    "client kill 1.1.1.1:1",
    "client kill id",
    "client kill id a",
    "client kill id 0",
    "client kill id 99999",
    "client kill id 99999 addr",
    "client kill foo bar",
    "client kill type foo",
    "client kill skipme x",
    "client no-evict",
    "client no-evict a",
    "client no-evict on",
    "client list id",
    "client list foo",
    "client list type foo",
    "client list type pubsub",
    "client list id abc",
    "client list id 99999",
    "client info a",
    "client id a",
    "multi|get nokey|exec",
    "multi|multi|exec",
    "exec",
    "discard",
    "multi|foo|exec",
    "multi|get|exec",
    "multi|client foo|exec",
    "multi|watch a|exec",
    "multi|client getname|get zs|exec",
    "multi|config set nosuch 1|set zs 2|exec|get zs",
    "multi|config get appendonly|slowlog len|exec",
    "multi|config get|exec",
    "multi|config set databases 7|exec",
    "multi|client id x|exec",
    "multi|slowlog reset|discard|get zs",
    "multi|discard|exec",
    "watch",
    "watch zz|multi|ping|exec",
    "watch zz|set zz 1|multi|ping|exec",
    "watch zz|set zz 1|unwatch|multi|ping|exec",
    "watch zz|set zz 1|discard|multi|ping|exec",
    "watch zz|del zz|multi|ping|exec|multi|ping|exec",
    "unwatch",
    "multi|unwatch|exec",
    "multi|select 0|echo a|exec",
    "multi|ping a b|exec",
    "multi|incr zs|set zs a|incr zs|get zs|del zs|exec",
    "multi|quit",
    "multi|set q1 1|reset|exec|get q1",
    "multi|exec a|ping|exec",
    "multi|discard a|discard",
    "multi|exec",
    "multi a",
    "quit|ping",
    "reset",
    "reset a",
    "hello 2",
    "hello 3",
    "hello 4",
    "hello abc",
    "hello 3 foo",
    "hello 3 auth a",
    "hello 3 auth default x",
    "hello 3 auth foo x",
    "hello 3 setname a|client getname",
    "hello 3|get nokey|reset|get nokey",
    "hello 3|hello 2|get nokey",
    "hello 3|mget nokey nokey",
    "hello 3|client getname|config get save",
    "hello 3|watch zz|set zz 2|multi|ping|exec",
    "auth",
    "auth a",
    "auth default a",
    "auth foo a",
    "auth a b c",
    "command count a",
    "command foo",
    "command getkeys",
    "command getkeys get",
    "command getkeys get a",
    "command getkeys mset a 1 b 2",
    "command getkeys foo a",
    "command getkeys ping a",
    "command getkeys bitop and d a b",
    "command getkeys object encoding a",
    "command docs nosuch",
    "command info nosuch",
    "command list filterby module foo",
    "command list filterby pattern bitf*d",
    "command list filterby foo bar",
    "command list foo",
    "config",
    "config foo",
    "config get",
    "config get save",
    "config get APPENDONLY",
    "config get nosuch",
    "config set",
    "config set a",
    "config set nosuch 1",
    "config set appendonly no",
    "config resetstat",
    "slowlog",
    "slowlog get",
    "slowlog get -2",
    "slowlog get abc",
    "slowlog len",
    "slowlog len a",
    "slowlog foo",
    "function",
    "function flush",
    "function flush async",
    "function flush foo",
    "function flush a b",
    "function list",
    "function foo",
    "time a",
    "object",
    "object foo",
    "object encoding nokey",
    "memory",
    "memory usage nokey",
    "memory foo",
    "flushall foo",
    "flushdb a b",
    "scan abc",
    "scan 0 count 0",
    "dbsize a",
};

static void encode_lines(const char *lines, struct gd_bytes *out)
{
    while (*lines != '\0') {
        size_t size = strcspn(lines, "|"), words = 1;
        for (size_t i = 0; i < size; i++) {
            words += lines[i] == ' ' ? 1 : 0;
        }
        gd_bytes_format(out, "*%zu\r\n", words);
        for (size_t at = 0; at < size;) {
            size_t word = strcspn(lines + at, " |");
            gd_bytes_format(out, "$%zu\r\n%.*s\r\n", word, (int)word, lines + at);
            at += word + 1;
        }
        lines += size + (lines[size] == '|' ? 1 : 0);
    }
}

static size_t case_count(void)
{
    return GD_COUNT(raw_cases) + GD_COUNT(line_cases);
}

/* The bytes of case `i` in `input`; its name. */
static const char *fill_case(size_t i, struct gd_bytes *input)
{
    gd_bytes_clear(input);
    if (i < GD_COUNT(raw_cases)) {
        gd_bytes_add_text(input, raw_cases[i]);
        return raw_cases[i];
    }
    encode_lines(line_cases[i - GD_COUNT(raw_cases)], input);
    return line_cases[i - GD_COUNT(raw_cases)];
}

/* Ours; each case is a connection of its own, on one store. */
static void ask_ours(struct rig *rig, const struct gd_bytes *input, size_t step,
                     struct gd_bytes *out)
{
    void *session = rig_connect(rig, 7);

    gd_bytes_clear(out);
    (void)rig_feed(rig, session, gd_bytes_slice(input), step, out);
    rig_disconnect(rig, session);
}

/* All that Redis sends until it closes; it does so when it sees our end. */
static void ask_redis(struct redis_server *server, const struct gd_bytes *input,
                      struct gd_bytes *out)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int fd;
    ssize_t got = 1;

    assert_int_equal(getpeername(server->fd, (struct sockaddr *)&address, &size), 0);
    fd = socket(address.ss_family, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(send(fd, input->data, input->size, MSG_NOSIGNAL), input->size);
    (void)shutdown(fd, SHUT_WR);
    gd_bytes_clear(out);
    while (got > 0) {
        got = recv(fd, gd_bytes_reserve(out, 65536), 65536, 0);
        out->size += got > 0 ? (size_t)got : 0;
    }
    (void)close(fd);
}

/* HELLO tells the connection's number: any number is as good. */
static void mask_id(struct gd_bytes *reply)
{
    static const char mark[] = "$2\r\nid\r\n:";
    size_t size = sizeof mark - 1;

    for (size_t i = 0; i + size < reply->size; i++) {
        size_t digits = 0;
        if (memcmp(reply->data + i, mark, size) != 0) {
            continue;
        }
        while (reply->data[i + size + digits] >= '0' && reply->data[i + size + digits] <= '9') {
            digits++;
        }
        memmove(reply->data + i + size, reply->data + i + size + digits,
                reply->size - i - size - digits);
        reply->size -= digits;
    }
}

static void test_kv_parser_answers_as_redis(void **state)
{
    struct redis_server server;
    struct rig rig;
    struct gd_bytes input = {0}, ours = {0}, theirs = {0};
    size_t differences = 0;

    (void)state;
    if (!redis_server_start(&server)) {
        skip();
    }
    rig_init(&rig, NULL);
    for (size_t i = 0; i < case_count(); i++) {
        const char *name = fill_case(i, &input);
        ask_ours(&rig, &input, SIZE_MAX, &ours);
        ask_redis(&server, &input, &theirs);
        mask_id(&ours);
        mask_id(&theirs);
        if (ours.size != theirs.size ||
            (ours.size > 0 && memcmp(ours.data, theirs.data, ours.size) != 0)) {
            differences++;
            print_message("case: %s\nours:   %.*s\ntheirs: %.*s\n", name, (int)ours.size,
                          (char *)ours.data, (int)theirs.size, (char *)theirs.data);
        }
    }
    rig_release(&rig);
    redis_server_stop(&server);
    gd_bytes_release(&input);
    gd_bytes_release(&ours);
    gd_bytes_release(&theirs);
    assert_int_equal(differences, 0);
}

static void test_kv_parser_does_not_see_cuts(void **state)
{
    static const size_t steps[] = {1, 2, 3, 5, 7, 16};
    struct gd_bytes input = {0}, whole = {0}, cut = {0};

    (void)state;
    for (size_t s = 0; s < GD_COUNT(steps); s++) {
        struct rig one, other; /* The stores change alike. */
        rig_init(&one, NULL);
        rig_init(&other, NULL);
        for (size_t i = 0; i < case_count(); i++) {
            (void)fill_case(i, &input);
            ask_ours(&one, &input, SIZE_MAX, &whole);
            ask_ours(&other, &input, steps[s], &cut);
            assert_int_equal(cut.size, whole.size);
            if (whole.size > 0) {
                assert_memory_equal(cut.data, whole.data, whole.size);
            }
        }
        rig_release(&one);
        rig_release(&other);
    }
    gd_bytes_release(&input);
    gd_bytes_release(&whole);
    gd_bytes_release(&cut);
}

static void expect(struct rig *rig, void *session, const char *input, const char *want)
{
    struct gd_bytes out = {0};

    (void)rig_feed(rig, session, (struct gd_slice){(const uint8_t *)input, strlen(input)}, SIZE_MAX,
                   &out);
    gd_bytes_add_u8(&out, 0);
    assert_string_equal((const char *)out.data, want);
    gd_bytes_release(&out);
}

/* A client that has not said its password holds little of us, and gets nothing. */
static void test_kv_parser_guards_before_auth(void **state)
{
    static const struct {
        const char *name, *input, *want;
    } cases[] = {
        {"data", "get a\r\n", "-NOAUTH Authentication required.\r\n"},
        {"ping", "ping\r\n", "-NOAUTH Authentication required.\r\n"},
        {"unknown", "foo\r\n", "-ERR unknown command 'foo', with args beginning with: \r\n"},
        {"many", "*11\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n"},
        {"large", "*1\r\n$16385\r\n", "-ERR Protocol error: unauthenticated bulk length\r\n"},
        {"nested", "*2\r\n$4\r\nload\r\n*1000\r\n",
         "-ERR Protocol error: invalid multibulk length\r\n"},
        {"wrong", "auth x\r\nget a\r\n",
         "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
         "-NOAUTH Authentication required.\r\n"},
        {"right", "auth secret\r\nget a\r\n", "+OK\r\n$-1\r\n"},
        {"right, by name", "auth default secret\r\n*2\r\n$4\r\necho\r\n$2\r\nhi\r\n",
         "+OK\r\n$2\r\nhi\r\n"},
        {"reset takes it away", "auth secret\r\nreset\r\nget a\r\n",
         "+OK\r\n+RESET\r\n-NOAUTH Authentication required.\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct rig rig;
        void *session;
        print_message("case: %s\n", cases[i].name);
        rig_init(&rig, "secret");
        session = rig_connect(&rig, 1);
        expect(&rig, session, cases[i].input, cases[i].want);
        rig_disconnect(&rig, session);
        rig_release(&rig);
    }
}

static void test_kv_parser_watches_between_clients(void **state)
{
    struct rig rig;
    void *one, *two;

    (void)state;
    rig_init(&rig, NULL);
    one = rig_connect(&rig, 1);
    two = rig_connect(&rig, 2);
    expect(&rig, one, "watch k\r\nget k\r\n", "+OK\r\n$-1\r\n");
    expect(&rig, two, "set k 1\r\n", "+OK\r\n");
    expect(&rig, one, "multi\r\nset k 2\r\nexec\r\nget k\r\n",
           "+OK\r\n+QUEUED\r\n*-1\r\n$1\r\n1\r\n");
    expect(&rig, one, "watch k\r\nmulti\r\nincr k\r\n", "+OK\r\n+OK\r\n+QUEUED\r\n");
    expect(&rig, two, "get k\r\n", "$1\r\n1\r\n");
    expect(&rig, one, "exec\r\n", "*1\r\n:2\r\n");
    rig_disconnect(&rig, one);
    rig_disconnect(&rig, two);
    rig_release(&rig);
}

static void parse_one(struct rig *rig, void *session, const char *input, struct gd_request *request)
{
    size_t consumed;

    rig->parser.parser.v->parse(&rig->parser.parser, session,
                                (struct gd_slice){(const uint8_t *)input, strlen(input)}, &consumed,
                                request);
    assert_int_equal(consumed, strlen(input));
}

static void test_kv_parser_sorts_by_kind(void **state)
{
    static const struct {
        const char *input;
        enum gd_request_kind kind;
        unsigned flags;
        int slot; /* -1: none. */
    } cases[] = {
        {"set foo 1\r\n", GD_REQUEST_WRITE, 0, 12182},
        {"get foo\r\n", GD_REQUEST_READ, 0, 12182},
        {"get {foo}bar\r\n", GD_REQUEST_READ, 0, 12182},
        {"get {}foo\r\n", GD_REQUEST_READ, 0, 9500},
        {"get 123456789\r\n", GD_REQUEST_READ, 0, 12739},
        {"bitop not foo bar\r\n", GD_REQUEST_WRITE, 0, 12182},
        {"watch foo\r\n", GD_REQUEST_READ, GD_REQUEST_BARRIER, 12182},
        {"dbsize\r\n", GD_REQUEST_READ, 0, -1},
        {"snap\r\n", GD_REQUEST_READ, 0, -1},
        {"ping\r\n", GD_REQUEST_LOCAL, 0, -1},
        {"raft status\r\n", GD_REQUEST_LOCAL, 0, -1},
        {"raft snapshot\r\n", GD_REQUEST_ADMIN, 0, -1},
        {"raft add 4 127.0.0.1:7004 learner\r\n", GD_REQUEST_ADMIN, 0, -1},
        {"raft add 4\r\n", GD_REQUEST_LOCAL, 0, -1},
        {"quit\r\n", GD_REQUEST_CLOSE, 0, -1},
    };
    struct rig rig;

    (void)state;
    rig_init(&rig, NULL);
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        void *session = rig_connect(&rig, 1);
        struct gd_request request;
        print_message("case: %s", cases[i].input);
        parse_one(&rig, session, cases[i].input, &request);
        assert_int_equal(request.kind, cases[i].kind);
        assert_int_equal(request.flags, cases[i].flags);
        assert_int_equal(request.has_slot ? request.slot : -1, cases[i].slot);
        rig_disconnect(&rig, session);
    }
    rig_release(&rig);
}

/* A transaction of reads alone goes as a read; one write makes it a write. */
static void test_kv_parser_exec_kind(void **state)
{
    struct rig rig;
    void *session;
    struct gd_request request;

    (void)state;
    rig_init(&rig, NULL);
    session = rig_connect(&rig, 1);
    parse_one(&rig, session, "multi\r\n", &request);
    parse_one(&rig, session, "get foo\r\n", &request);
    parse_one(&rig, session, "exec\r\n", &request);
    assert_int_equal(request.kind, GD_REQUEST_READ);
    assert_int_equal(request.slot, 12182);
    parse_one(&rig, session, "multi\r\n", &request);
    parse_one(&rig, session, "get foo\r\n", &request);
    parse_one(&rig, session, "incr bar\r\n", &request);
    parse_one(&rig, session, "exec\r\n", &request);
    assert_int_equal(request.kind, GD_REQUEST_WRITE);
    rig_disconnect(&rig, session);
    rig_release(&rig);
}

static void test_kv_parser_words_outcomes(void **state)
{
    static const struct {
        enum gd_outcome_kind kind;
        const char *text, *want;
    } cases[] = {
        {GD_OUTCOME_DONE, "", "+OK\r\n"},
        {GD_OUTCOME_DONE, "stored", "+stored\r\n"},
        {GD_OUTCOME_MOVED, "", "-MOVED 12182 10.0.0.1:7000\r\n"},
        {GD_OUTCOME_NO_LEADER, "no leader", "-CLUSTERDOWN no leader\r\n"},
        {GD_OUTCOME_STOPPING, "stopping", "-CLUSTERDOWN stopping\r\n"},
        {GD_OUTCOME_BUSY, "too much", "-BUSY too much\r\n"},
        {GD_OUTCOME_UNKNOWN, "it may be applied", "-UNKNOWN it may be applied\r\n"},
        {GD_OUTCOME_DATABASE, "away", "-DBDOWN away\r\n"},
        {GD_OUTCOME_REFUSED, "last\r\nvoter", "-ERR last  voter\r\n"},
    };
    struct rig rig;
    void *session;

    (void)state;
    rig_init(&rig, NULL);
    session = rig_connect(&rig, 1);
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_outcome outcome = {.kind = cases[i].kind, .slot = 12182, .text = cases[i].text};
        struct gd_bytes reply = {0};
        assert_int_equal(gd_address_parse("10.0.0.1:7000", &outcome.address), GD_OK);
        rig.parser.parser.v->outcome(&rig.parser.parser, session, &outcome, &reply);
        gd_bytes_add_u8(&reply, 0);
        assert_string_equal((const char *)reply.data, cases[i].want);
        gd_bytes_release(&reply);
    }
    rig_disconnect(&rig, session);
    rig_release(&rig);
}

/* gd_command_find searches the table by halves. */
static void test_command_table_is_sorted(void **state)
{
    (void)state;
    for (size_t i = 0; i < gd_command_count(); i++) {
        const char *name = gd_command_at(i)->name;
        assert_true(i == 0 || strcmp(gd_command_at(i - 1)->name, name) < 0);
        assert_ptr_equal(gd_command_find((struct gd_slice){(const uint8_t *)name, strlen(name)}),
                         gd_command_at(i));
    }
    assert_null(gd_command_find((struct gd_slice){(const uint8_t *)"", 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kv_parser_answers_as_redis),
        cmocka_unit_test(test_kv_parser_does_not_see_cuts),
        cmocka_unit_test(test_kv_parser_guards_before_auth),
        cmocka_unit_test(test_kv_parser_watches_between_clients),
        cmocka_unit_test(test_kv_parser_sorts_by_kind),
        cmocka_unit_test(test_kv_parser_exec_kind),
        cmocka_unit_test(test_kv_parser_words_outcomes),
        cmocka_unit_test(test_command_table_is_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
