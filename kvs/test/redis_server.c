/* redis_server.c - starts it on a port of the system's choice, talks to it, ends it by its id. */
#include "kvs/test/redis_server.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REDIS_SERVER "/usr/bin/redis-server"

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0), port = 0;

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &size) == 0) {
        port = ntohs(address.sin_port);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return port;
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};

    for (int tries = 0; tries < 200; tries++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            return fd;
        }
        (void)close(fd);
        (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return -1;
}

bool redis_server_start(struct redis_server *server)
{
    int port = free_port();
    char text[16];

    *server = (struct redis_server){.fd = -1};
    if (port == 0 || access(REDIS_SERVER, X_OK) != 0) {
        return false;
    }
    (void)snprintf(text, sizeof text, "%d", port);
    server->pid = fork();
    if (server->pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* A test that fails never gets to stop it. */
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        (void)execl(REDIS_SERVER, REDIS_SERVER, "--port", text, "--bind", "127.0.0.1", "--save", "",
                    "--databases", "1", "--dir", "/tmp", (char *)NULL);
        _exit(127);
    }
    server->fd = connect_to(port);
    return server->fd >= 0;
}

void redis_server_stop(struct redis_server *server)
{
    if (server->fd >= 0) {
        (void)close(server->fd);
    }
    if (server->pid > 0) {
        (void)kill(server->pid, SIGKILL);
        (void)waitpid(server->pid, NULL, 0);
    }
    gd_bytes_release(&server->input);
}

static void send_all(int fd, struct gd_slice bytes)
{
    while (bytes.size > 0) {
        ssize_t sent = write(fd, bytes.data, bytes.size);
        GD_ASSERT(sent > 0);
        bytes.data += sent;
        bytes.size -= (size_t)sent;
    }
}

size_t reply_size(const uint8_t *bytes, size_t size)
{
    size_t line = 0;
    long number;
    size_t at, elements;

    while (line + 1 < size && !(bytes[line] == '\r' && bytes[line + 1] == '\n')) {
        line++;
    }
    if (line + 1 >= size) {
        return 0;
    }
    at = line + 2;
    number = strtol((const char *)bytes + 1, NULL, 10);
    switch (bytes[0]) {
    case '$':
        at += number < 0 ? 0 : (size_t)number + 2;
        return at <= size ? at : 0;
    case '*':
    case '~':
    case '%':
        elements = number < 0 ? 0 : (size_t)number * (bytes[0] == '%' ? 2 : 1);
        for (; elements > 0; elements--) {
            size_t element = reply_size(bytes + at, size - at);
            if (element == 0) {
                return 0;
            }
            at += element;
        }
        return at;
    default:
        return at;
    }
}

size_t redis_server_ask(struct redis_server *server, const struct gd_slice *args, size_t count)
{
    struct gd_bytes request = {0};
    size_t size;

    gd_bytes_format(&request, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        gd_bytes_format(&request, "$%zu\r\n", args[i].size);
        gd_bytes_add(&request, args[i].data, args[i].size);
        gd_bytes_add(&request, "\r\n", 2);
    }
    send_all(server->fd, gd_bytes_slice(&request));
    gd_bytes_release(&request);
    while ((size = reply_size(server->input.data, server->input.size)) == 0) {
        uint8_t *to = gd_bytes_reserve(&server->input, 65536);
        ssize_t got = read(server->fd, to, 65536);
        GD_ASSERT(got > 0);
        server->input.size += (size_t)got;
    }
    return size;
}

void redis_server_done(struct redis_server *server, size_t size)
{
    gd_bytes_consume(&server->input, size);
}
