/* gandalf-kvs, run as a user runs it: against a real redis-server, and against servers that move
 * the client on, hang up, or speak something else. */
#include "kvs/test/redis_server.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The exit status of `gandalf-kvs ARGUMENTS`; what it printed in `out`. */
static int run(const char *arguments, char *out, size_t size)
{
    char line[1024];
    FILE *pipe;
    size_t got;
    int status;

    (void)snprintf(line, sizeof line, "'%s' 2>&1 %s", GD_CLIENT_PROGRAM, arguments);
    pipe = popen(line, "r");
    assert_non_null(pipe);
    got = fread(out, 1, size - 1, pipe);
    out[got] = '\0';
    status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

static int server_port(const struct redis_server *server)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;

    assert_int_equal(getpeername(server->fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

static void test_client_prints_and_exits(void **state)
{
    static const struct {
        const char *arguments, *want;
        int status;
    } cases[] = {
        {"set k 'a b'", "OK\n", 0},
        {"get k", "a b\n", 0},
        {"--json get k", "\"a b\"\n", 0},
        {"--json get nokey", "null\n", 0},
        {"--json mget k nokey", "[\"a b\",null]\n", 0},
        {"--json config get save", "{\"save\":\"\"}\n", 0},
        {"--json echo \"$(printf '\\377\\302\\251\\n\\\"')\"",
         "\"\\u00ff\302\251\\u000a\\\\\\\"\"\n", 0},
        {"mget k nokey", "a b\n\n", 0},
        {"--json incr k", "{\"error\":\"ERR value is not an integer or out of range\"}\n", 1},
        {"incr k", "ERR value is not an integer or out of range\n", 1},
        {"nosuch", "ERR unknown command 'nosuch', with args beginning with: \n", 1},
        {"-- strlen k", "3\n", 0},
        {"--nosuch get k", "gandalf-kvs: unknown option --nosuch; gandalf-kvs --help tells more\n",
         2},
        {"--port", "gandalf-kvs: a value is missing behind --port; gandalf-kvs --help tells more\n",
         2},
        {"--port 0 get k", "gandalf-kvs: no port: 0; gandalf-kvs --help tells more\n", 2},
    };
    struct redis_server server;
    char arguments[512], out[4096];

    (void)state;
    if (!redis_server_start(&server)) {
        skip();
    }
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        print_message("case: %s\n", cases[i].arguments);
        (void)snprintf(arguments, sizeof arguments, "--port %d %s", server_port(&server),
                       cases[i].arguments);
        assert_int_equal(run(arguments, out, sizeof out), cases[i].status);
        assert_string_equal(out, cases[i].want);
    }
    (void)snprintf(arguments, sizeof arguments, "--pass x --port %d get k", server_port(&server));
    assert_int_equal(run(arguments, out, sizeof out), 2);
    redis_server_stop(&server);
}

static void test_client_reads_lines(void **state)
{
    struct redis_server server;
    char arguments[512], out[4096];

    (void)state;
    if (!redis_server_start(&server)) {
        skip();
    }
    (void)snprintf(arguments, sizeof arguments,
                   "--port %d <<'END'\nset k \"a\\x41\"\n\nmulti\nget k\nexec\n*1\nget k\nquit\n"
                   "get k\nEND\n",
                   server_port(&server));
    assert_int_equal(run(arguments, out, sizeof out), 1);
    assert_string_equal(out, "OK\nOK\nQUEUED\naA\n"
                             "ERR unknown command '*1', with args beginning with: \naA\n");
    redis_server_stop(&server);
}

/* A process that accepts once, reads once, writes `reply`, and ends. Returns its port. */
static int serve_once(const char *reply, pid_t *pid)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), port;

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    port = port_of(fd);
    *pid = fork();
    if (*pid == 0) {
        char bytes[1024];
        int client = accept(fd, NULL, NULL);
        if (read(client, bytes, sizeof bytes) > 0 && reply[0] != '\0') {
            (void)!write(client, reply, strlen(reply));
        }
        _exit(0);
    }
    (void)close(fd);
    return port;
}

static void test_client_follows_moved(void **state)
{
    struct redis_server server;
    char text[512], out[4096];
    pid_t pid;
    int port;

    (void)state;
    if (!redis_server_start(&server)) {
        skip();
    }
    (void)snprintf(text, sizeof text, "-MOVED 1 127.0.0.1:%d\r\n", server_port(&server));
    port = serve_once(text, &pid);
    (void)snprintf(text, sizeof text, "--port %d set k 1", port);
    assert_int_equal(run(text, out, sizeof out), 0);
    assert_string_equal(out, "OK\n");
    (void)waitpid(pid, NULL, 0);
    redis_server_stop(&server);
}

/* A lost reply leaves the command's fate open, and the command is not sent again. */
static void test_client_tells_what_failed(void **state)
{
    static const struct {
        const char *name, *reply, *want;
        int status;
    } cases[] = {
        {"hung up", "",
         "the connection was closed before a reply came; whether the command was "
         "done is not known\n",
         3},
        {"another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n",
         "what answers there does not speak RESP; whether the command was done is not known\n", 3},
    };
    char text[512], out[4096], want[512];

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        pid_t pid;
        int port = serve_once(cases[i].reply, &pid);
        print_message("case: %s\n", cases[i].name);
        (void)snprintf(text, sizeof text, "--port %d incr k", port);
        assert_int_equal(run(text, out, sizeof out), cases[i].status);
        (void)snprintf(want, sizeof want, "gandalf-kvs: 127.0.0.1:%d: %s", port, cases[i].want);
        assert_string_equal(out, want);
        (void)waitpid(pid, NULL, 0);
    }
    assert_int_equal(run("--port 1 get k", out, sizeof out), 2);
    assert_string_equal(out, "gandalf-kvs: cannot reach 127.0.0.1:1: Connection refused\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_prints_and_exits),
        cmocka_unit_test(test_client_reads_lines),
        cmocka_unit_test(test_client_follows_moved),
        cmocka_unit_test(test_client_tells_what_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
