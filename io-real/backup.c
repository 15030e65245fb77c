/* backup.c - gandalf backup: a consistent snapshot of a running cluster, into a file.
 *
 * Over a client connection: a read first, which is answered only when the node has applied every
 * write acknowledged before (so that the backup has them, at whichever node it asks); then RAFT
 * SNAPSHOT; then the snapshot's file, a piece at a time (RAFT BACKUP), into a temporary file. That
 * one is checked by its own checksums, synced, renamed, the folder synced: FILE is whole or not
 * there.
 *
 * Blocking calls: there is nothing else to do meanwhile. The password, if there is one, is in the
 * environment (GANDALF_PASSWORD): a command line is seen by everybody. */
#include "io-real/tools_internal.h"
#include "engine/bytes.h"
#include "engine/io.h"
#include "engine/snapshot_walk.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PIECE_SIZE = 1 << 20, PATIENCE_S = 60, REPLY_SIZE_MAX = PIECE_SIZE + 64 };

struct link {
    int socket;
    struct gd_bytes in; /* What came and is not consumed. */
    size_t used;        /* Of it, by the reply that was told last. */
    struct gd_error *error;
};

int gd__tool_open(const char *path, struct gd_error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0) {
        (void)gd_error_set(error, GD_ERR_IO, "%.300s: %s", path, strerror(errno));
    }
    return file;
}

/* ---------------------------------------------------------------- the connection */

static bool link_open(struct link *link, const struct gd_address *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    struct timeval patience = {.tv_sec = PATIENCE_S};
    char host[GD_ADDRESS_SIZE], service[8];
    uint16_t port;
    int wrong;

    gd_address_split(address, host, &port);
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    wrong = getaddrinfo(host, service, &hints, &found);
    link->socket = -1;
    for (struct addrinfo *at = found; wrong == 0 && at != NULL && link->socket < 0;
         at = at->ai_next) {
        link->socket = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (link->socket >= 0 && connect(link->socket, at->ai_addr, at->ai_addrlen) != 0) {
            (void)close(link->socket);
            link->socket = -1;
        }
    }
    freeaddrinfo(found);
    if (link->socket < 0) {
        (void)gd_error_set(link->error, GD_ERR_UNREACHABLE, "cannot reach %s: %s", address->text,
                           wrong != 0 ? gai_strerror(wrong) : strerror(errno));
        return false;
    }
    (void)setsockopt(link->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(link->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return true;
}

static bool link_fill(struct link *link)
{
    uint8_t *to = gd_bytes_reserve(&link->in, 65536);
    ssize_t got;

    do {
        got = recv(link->socket, to, 65536, 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        (void)gd_error_set(link->error, GD_ERR_RESET, "the node %s",
                           got == 0 ? "closed the connection" : "does not answer");
        return false;
    }
    link->in.size += (size_t)got;
    return true;
}

/* One RESP2 reply: a line, or a bulk's bytes; borrowed until the next request. */
static bool link_reply(struct link *link, struct gd_slice *reply)
{
    const uint8_t *end;
    size_t line;

    while (link->in.size == 0 || (end = memchr(link->in.data, '\n', link->in.size)) == NULL) {
        if (link->in.size > REPLY_SIZE_MAX || !link_fill(link)) {
            return false;
        }
    }
    line = (size_t)(end - link->in.data) + 1;
    link->used = line;
    *reply = (struct gd_slice){link->in.data + 1, line < 3 ? 0 : line - 3};
    if (link->in.data[0] == '-') {
        (void)gd_error_set(link->error, GD_ERR_REFUSED, "the node says: %.*s", (int)reply->size,
                           (const char *)reply->data);
        return false;
    }
    if (link->in.data[0] == '$') {
        unsigned long size = strtoul((const char *)link->in.data + 1, NULL, 10);
        if (size > PIECE_SIZE) {
            (void)gd_error_set(link->error, GD_ERR_INVALID, "a reply that is none of gandalf's");
            return false;
        }
        while (link->in.size < line + size + 2) {
            if (!link_fill(link)) {
                return false;
            }
        }
        link->used = line + size + 2;
        *reply = (struct gd_slice){link->in.data + line, size};
    }
    return true;
}

static bool ask(struct link *link, struct gd_slice *reply, const char *format, ...) GD_PRINTF(3, 4);
/* An inline command, and its reply. */
static bool ask(struct link *link, struct gd_slice *reply, const char *format, ...)
{
    char text[256];
    va_list arguments;
    size_t size, sent = 0;

    gd_bytes_consume(&link->in, link->used);
    link->used = 0;
    va_start(arguments, format);
    size = (size_t)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    while (sent < size && size < sizeof text) {
        ssize_t went = send(link->socket, text + sent, size - sent, MSG_NOSIGNAL);
        if (went < 0 && errno != EINTR) {
            (void)gd_error_set(link->error, GD_ERR_RESET, "the node closed the connection");
            return false;
        }
        sent += went < 0 ? 0 : (size_t)went;
    }
    return link_reply(link, reply);
}

/* ---------------------------------------------------------------- the file */

static enum gd_err read_file(void *context, uint64_t offset, uint8_t *to, size_t size, size_t *got)
{
    const int *file = context;
    ssize_t count = pread(*file, to, size, (off_t)offset);

    *got = count < 0 ? 0 : (size_t)count;
    return count < 0 ? GD_ERR_IO : GD_OK;
}

static bool write_all(int file, struct gd_slice bytes, struct gd_error *error)
{
    while (bytes.size > 0) {
        ssize_t went = write(file, bytes.data, bytes.size);
        if (went < 0 && errno != EINTR) {
            (void)gd_error_set(error, GD_ERR_IO, "cannot write the backup: %s", strerror(errno));
            return false;
        }
        bytes.data += went < 0 ? 0 : went;
        bytes.size -= went < 0 ? 0 : (size_t)went;
    }
    return true;
}

struct snapshot {
    struct gd_position position;
    uint64_t size;
};

/* A read that changes nothing: when it is answered, the node has applied what was acknowledged
 * before. In front of SQLite that is a query of nothing. */
static bool catch_up(struct link *link)
{
    struct gd_slice reply;

    return ask(link, &reply, "EXISTS gandalf\r\n") ||
           (strstr(link->error->text, "SQL.QUERY") != NULL &&
            ask(link, &reply, "SQL.QUERY \"\"\r\n"));
}

static bool receive(struct link *link, int file, struct snapshot *snapshot)
{
    struct gd_slice reply;
    char text[80];
    const char *password = getenv("GANDALF_PASSWORD");

    if ((password != NULL && !ask(link, &reply, "AUTH %.200s\r\n", password)) || !catch_up(link) ||
        !ask(link, &reply, "RAFT SNAPSHOT\r\n") || !ask(link, &reply, "RAFT BACKUP\r\n")) {
        return false;
    }
    (void)snprintf(text, sizeof text, "%.*s", (int)reply.size, (const char *)reply.data);
    if (sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &snapshot->position.term,
               &snapshot->position.index, &snapshot->size) != 3) {
        (void)gd_error_set(link->error, GD_ERR_INVALID, "a reply that is none of gandalf's");
        return false;
    }
    for (uint64_t offset = 0; offset < snapshot->size; offset += reply.size) {
        if (!ask(link, &reply, "RAFT BACKUP %" PRIu64 " %" PRIu64 " %" PRIu64 " %d\r\n",
                 snapshot->position.term, snapshot->position.index, offset, (int)PIECE_SIZE)) {
            return false;
        }
        if (reply.size == 0) {
            (void)gd_error_set(link->error, GD_ERR_CORRUPT, "the node's snapshot ends too early");
            return false;
        }
        if (!write_all(file, reply, link->error)) {
            return false;
        }
    }
    return true;
}

/* The folder that `path` is in, so that its new name can be made durable. */
static bool sync_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    int file;
    bool fine;

    (void)snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
                   slash == NULL ? "." : path);
    file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fine = file >= 0 && fsync(file) == 0;
    if (file >= 0) {
        (void)close(file);
    }
    return fine;
}

static int finish(int file, const char *temporary, const char *path,
                  const struct snapshot *snapshot)
{
    struct gd_snapshot_source source = {read_file, &file};
    struct gd_snapshot_facts facts;
    enum gd_err err = gd_snapshot_walk(&source, NULL, NULL, &facts);

    if (err != GD_OK || gd_position_compare(facts.meta.position, snapshot->position) != 0) {
        (void)fprintf(stderr, "gandalf: what came is damaged at offset %" PRIu64 "; try again\n",
                      facts.offset);
        return GD_TOOL_WRONG;
    }
    if (fsync(file) != 0 || rename(temporary, path) != 0 || !sync_folder(path)) {
        (void)fprintf(stderr, "gandalf: cannot store %s: %s\n", path, strerror(errno));
        return GD_TOOL_WRONG;
    }
    (void)printf("Done: %s has everything up to term %" PRIu64 " index %" PRIu64 ", %" PRIu64
                 " bytes.\n",
                 path, facts.meta.position.term, facts.meta.position.index, facts.meta.size);
    return GD_TOOL_FINE;
}

static int backup_to(const char *path, const struct gd_address *from)
{
    struct gd_error error = {0};
    struct link link = {.error = &error};
    struct snapshot snapshot = {0};
    char temporary[4096];
    int status = GD_TOOL_WRONG;
    int file;

    if (snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid()) >=
        (int)sizeof temporary) {
        (void)gd_error_set(&error, GD_ERR_INVALID, "the file's name is too long");
        return gd__tool_complain(&error, GD_TOOL_USAGE);
    }
    file = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) {
        (void)gd_error_set(&error, GD_ERR_IO, "%.300s: %s", temporary, strerror(errno));
        return gd__tool_complain(&error, status);
    }
    if (!link_open(&link, from) || !receive(&link, file, &snapshot)) {
        (void)gd__tool_complain(&error, status);
    } else {
        status = finish(file, temporary, path, &snapshot);
    }
    if (link.socket > 0) {
        (void)close(link.socket);
    }
    gd_bytes_release(&link.in);
    if (status != GD_TOOL_FINE) {
        (void)unlink(temporary);
    }
    (void)close(file);
    return status;
}

int gd__backup_command(int argc, char *const *argv)
{
    struct gd__tool_flag flags[] = {{.name = "--from"}, {.name = "-o"}};
    struct gd_address from;
    struct gd_error error = {0};
    size_t none = 0;

    if (!gd__tool_flags(argc, argv, flags, GD_COUNT(flags), NULL, &none, &error)) {
        return gd__tool_complain(&error, GD_TOOL_USAGE);
    }
    if (flags[0].value == NULL || flags[1].value == NULL ||
        gd_address_parse(flags[0].value, &from) != GD_OK) {
        (void)gd_error_set(&error, GD_ERR_INVALID,
                           "gandalf backup --from HOST:PORT -o FILE: a node's address for clients");
        return gd__tool_complain(&error, GD_TOOL_USAGE);
    }
    return backup_to(flags[1].value, &from);
}
