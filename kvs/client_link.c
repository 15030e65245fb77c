/* client_link.c - gandalf-kvs's connection.
 *
 * A command is never sent twice after it may have been received: where the connection ends before
 * the reply, the caller is told so, since a second INCR would count twice. MOVED is the exception,
 * for a node answers it only when it did nothing. */
#include "kvs/client.h"
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { REDIRECTS_MAX = 5, CONNECT_S = 5, READ_SIZE = 64 * 1024 };

void gd_client_init(struct gd_client *client, const struct gd_client_options *options)
{
    *client = (struct gd_client){.options = options, .protocol = 2, .fd = -1};
    if (options->form == GD_CLIENT_JSON) {
        client->protocol = 3; /* For maps to be objects. */
    }
    gd_client_point(client, options->host, options->port);
}

static void hang_up(struct gd_client *client)
{
    if (client->fd >= 0) {
        (void)close(client->fd);
    }
    client->fd = -1;
    client->in_multi = false;
    client->reply_size = 0;
    client->reader = (struct gd_resp_reply_reader){0};
    gd_bytes_clear(&client->input);
}

void gd_client_release(struct gd_client *client)
{
    hang_up(client);
    gd_bytes_release(&client->input);
}

void gd_client_point(struct gd_client *client, const char *host, uint16_t port)
{
    hang_up(client);
    (void)snprintf(client->host, sizeof client->host, "%s", host);
    client->port = port;
}

static bool fail(struct gd_client *client, const char *why)
{
    (void)snprintf(client->error, sizeof client->error, "%.255s:%u: %.240s", client->host,
                   client->port, why);
    return false;
}

static void set_wait(const struct gd_client *client, int option, unsigned seconds)
{
    struct timeval wait = {.tv_sec = (time_t)seconds};

    (void)setsockopt(client->fd, SOL_SOCKET, option, &wait, sizeof wait);
}

static bool dial(struct gd_client *client)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found, *at;
    char port[8];
    int code, last = ECONNREFUSED;

    (void)snprintf(port, sizeof port, "%u", client->port);
    code = getaddrinfo(client->host, port, &hints, &found);
    if (code != 0) {
        return fail(client, gai_strerror(code));
    }
    for (at = found; at != NULL && client->fd < 0; at = at->ai_next) {
        client->fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (client->fd < 0) {
            last = errno;
            continue;
        }
        set_wait(client, SO_SNDTIMEO, client->wait_s != 0 ? client->wait_s : CONNECT_S);
        if (connect(client->fd, at->ai_addr, at->ai_addrlen) != 0) {
            last = errno == EINPROGRESS ? ETIMEDOUT : errno;
            (void)close(client->fd);
            client->fd = -1;
        }
    }
    freeaddrinfo(found);
    if (client->fd < 0) {
        return fail(client, strerror(last));
    }
    set_wait(client, SO_SNDTIMEO, client->wait_s);
    set_wait(client, SO_RCVTIMEO, client->wait_s);
    return true;
}

static bool send_args(struct gd_client *client, const struct gd_slice *args, size_t count)
{
    struct gd_bytes request = {0};
    bool sent = true;
    size_t at = 0;

    gd_bytes_format(&request, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        gd_bytes_format(&request, "$%zu\r\n", args[i].size);
        gd_bytes_add(&request, args[i].data, args[i].size);
        gd_bytes_add_text(&request, "\r\n");
    }
    while (at < request.size && sent) {
        ssize_t size = send(client->fd, request.data + at, request.size - at, MSG_NOSIGNAL);
        if (size > 0) {
            at += (size_t)size;
        } else if (errno != EINTR) {
            sent = fail(client, strerror(errno));
        }
    }
    gd_bytes_release(&request);
    return sent;
}

/* The next reply, without what the server pushes by itself. */
static bool read_reply(struct gd_client *client, struct gd_slice *reply)
{
    gd_bytes_consume(&client->input, client->reply_size);
    client->reply_size = 0;
    for (;;) {
        enum gd_resp_reply_result result = gd_resp_reply_read(
            &client->reader, gd_bytes_slice(&client->input), &client->reply_size);
        ssize_t size;
        if (result == GD_RESP_REPLY_BAD) {
            return fail(client, "what answers there does not speak RESP");
        }
        if (result == GD_RESP_REPLY_WHOLE && client->input.data[0] == '>') {
            gd_bytes_consume(&client->input, client->reply_size);
            client->reply_size = 0;
            continue;
        }
        if (result == GD_RESP_REPLY_WHOLE) {
            *reply = (struct gd_slice){client->input.data, client->reply_size};
            return true;
        }
        size = recv(client->fd, gd_bytes_reserve(&client->input, READ_SIZE), READ_SIZE, 0);
        if (size > 0) {
            client->input.size += (size_t)size;
        } else if (size == 0) {
            return fail(client, "the connection was closed before a reply came");
        } else if (errno != EINTR) {
            return fail(client, errno == EAGAIN ? "no reply in time" : strerror(errno));
        }
    }
}

static struct gd_slice slice_of(const char *text)
{
    return (struct gd_slice){(const uint8_t *)text, strlen(text)};
}

/* AUTH and HELLO. */
static bool greet(struct gd_client *client)
{
    struct gd_slice reply, args[2];

    if (client->options->password != NULL) {
        args[0] = slice_of("AUTH");
        args[1] = slice_of(client->options->password);
        if (!send_args(client, args, 2) || !read_reply(client, &reply)) {
            return false;
        }
        if (reply.data[0] == '-') {
            char why[256];
            (void)snprintf(why, sizeof why, "%.*s", (int)reply.size - 3,
                           (const char *)reply.data + 1);
            return fail(client, why);
        }
    }
    if (client->protocol == 3) {
        args[0] = slice_of("HELLO");
        args[1] = slice_of("3");
        /* A refusal is no harm: the next command tells why, or is answered in RESP2. */
        return send_args(client, args, 2) && read_reply(client, &reply);
    }
    return true;
}

/* "-MOVED slot host:port". */
static bool read_moved(struct gd_slice reply, char *host, size_t host_size, uint16_t *port)
{
    static const char word[] = "-MOVED ";
    char text[GD_CLIENT_HOST_SIZE + 32];
    char *space, *colon;
    long number;

    if (reply.size < sizeof word || reply.size >= sizeof text ||
        memcmp(reply.data, word, sizeof word - 1) != 0) {
        return false;
    }
    memcpy(text, reply.data, reply.size);
    text[reply.size - 2] = '\0';
    space = strchr(text + sizeof word - 1, ' ');
    colon = strrchr(text, ':');
    if (space == NULL || colon == NULL || colon < space) {
        return false;
    }
    *colon = '\0';
    number = strtol(colon + 1, NULL, 10);
    if (number <= 0 || number > UINT16_MAX || strlen(space + 1) >= host_size) {
        return false;
    }
    *port = (uint16_t)number;
    if (space[1] != '\0') { /* An empty host is the one asked. */
        (void)snprintf(host, host_size, "%s", space + 1);
    }
    return true;
}

static bool is_word(struct gd_slice arg, const char *word)
{
    size_t size = strlen(word);

    for (size_t i = 0; i < size && arg.size == size; i++) {
        if ((arg.data[i] | 0x20) != (uint8_t)word[i]) {
            return false;
        }
    }
    return arg.size == size;
}

static void note_multi(struct gd_client *client, struct gd_slice name, struct gd_slice reply)
{
    if (is_word(name, "multi")) {
        client->in_multi = client->in_multi || reply.data[0] == '+';
    } else if (is_word(name, "exec") || is_word(name, "discard") || is_word(name, "reset")) {
        client->in_multi = false;
    }
}

enum gd_client_result gd_client_ask(struct gd_client *client, const struct gd_slice *args,
                                    size_t count, struct gd_slice *reply)
{
    for (int tries = 0;; tries++) {
        char host[GD_CLIENT_HOST_SIZE];
        uint16_t port;
        if (client->fd < 0 && (!dial(client) || !greet(client))) {
            hang_up(client);
            return GD_CLIENT_UNREACHABLE;
        }
        if (!send_args(client, args, count) || !read_reply(client, reply)) {
            hang_up(client);
            return GD_CLIENT_LOST;
        }
        (void)snprintf(host, sizeof host, "%s", client->host);
        if (client->in_multi || tries == REDIRECTS_MAX ||
            !read_moved(*reply, host, sizeof host, &port)) {
            note_multi(client, args[0], *reply);
            return GD_CLIENT_OK;
        }
        gd_client_point(client, host, port);
    }
}
