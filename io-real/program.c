/* program.c - one node, from its command line to its exit status; see program.h.
 *
 * Everything that can go wrong before the node runs is one line on stderr and a status: 2 when the
 * command line or the configuration is at fault, 1 when the machine is (a directory, a port, a
 * damaged log), 70 when the program is. SIGTERM and SIGINT stop the node in good order: leadership
 * is handed over, replies are finished, and the process is gone within five seconds; a second one
 * does not wait. */
#include "io-real/program.h"
#include "io-real/uv.h"
#include "engine/memory.h"
#include "engine/node.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    EXIT_FINE = 0,
    EXIT_WRONG = 1,
    EXIT_USAGE = 2,
    DESCRIPTORS_KEPT = 192, /* For the log, snapshots, peers, and who knocks at their port. */
    STOP_LIMIT_MS = 4000,   /* For the node's own way out ... */
    STOP_GUARD_MS = 4700,   /* ... and the end of all patience. */
    KIND_SIZE = 96
};
#define KIND_NAME "DATABASE"

struct program {
    const struct gd_uv_program *given;
    struct gd_node_config config;
    struct gd_uv *uv;
    struct gd_served served;
    struct gd_node *node;
    struct gd_timer guard;
    bool stopping;
    int status;
};

static int complain(const struct program *program, const struct gd_error *error, int status)
{
    (void)fprintf(stderr, "%s: %s\n", program->given->name, error->text);
    return status;
}

static void on_ready(void *context)
{
    struct program *program = context;
    struct gd_address peer, client;

    gd_config_addresses(&program->config, &peer, &client);
    gd_io_log(gd_uv_io(program->uv), GD_LOG_INFO, "ready: clients at %s, peers at %s", client.text,
              peer.text);
}

static void on_stopped(void *context, enum gd_err err, const struct gd_error *error)
{
    struct program *program = context;

    if (err != GD_OK) {
        program->status = EXIT_WRONG;
        gd_io_log(gd_uv_io(program->uv), GD_LOG_ERROR, "%s",
                  error != NULL && error->text[0] != '\0' ? error->text : gd_err_text(err));
    }
    gd_uv_stop(program->uv);
}

/* The node took too long to say goodbye. What was acknowledged is durable, so nothing is lost. */
static void on_guard(struct gd_timer *timer)
{
    struct program *program = timer->context;

    gd_io_log(gd_uv_io(program->uv), GD_LOG_WARNING, "stopped without finishing every reply");
    exit(program->status);
}

static void on_stop_signal(void *context, int signum)
{
    struct program *program = context;
    struct gd_io *io = gd_uv_io(program->uv);

    if (program->stopping) {
        exit(128 + signum);
    }
    program->stopping = true;
    gd_io_log(io, GD_LOG_INFO, "stopping: %s", strsignal(signum));
    program->guard = (struct gd_timer){.fire = on_guard, .context = program};
    gd_timer_start(io, &program->guard, gd_io_now(io) + STOP_GUARD_MS * GD_NS_PER_MS);
    gd_node_stop(program->node, STOP_LIMIT_MS);
}

/* A descriptor for each client: as many as the system lets us have. But not the last ones: without
 * one for the log's next segment the node would have to stop. */
static void limit_clients(struct program *program)
{
    struct gd_node_config *config = &program->config;
    struct rlimit limit;
    uint64_t room;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return;
    }
    room = limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? limit.rlim_cur - DESCRIPTORS_KEPT
                                                 : limit.rlim_cur / 2;
    if (config->max_clients > room) {
        gd_io_log(gd_uv_io(program->uv), GD_LOG_WARNING,
                  "the system allows %llu open files: max_clients is %llu, not %llu; raise the "
                  "limit (ulimit -n)",
                  (unsigned long long)limit.rlim_cur, (unsigned long long)room,
                  (unsigned long long)config->max_clients);
        config->max_clients = room;
    }
}

/* What a data directory's log is about. Another database would take the same entries for something
 * else, or for nothing, and hold other data than its peers without a word. */
static void database_kind(const struct program *program, char *kind, size_t size)
{
    const char *database = program->config.database;

    (void)snprintf(kind, size, "%s %.*s", program->given->name, (int)strcspn(database, ":"),
                   database);
}

/* The file beside the log that keeps it, since the first start; false: there is none yet, which is
 * so in directories of before, too. */
static bool kept_kind(const struct program *program, char *kind, size_t size)
{
    char path[PATH_MAX];
    bool any = false;

    (void)snprintf(path, sizeof path, "%s/" KIND_NAME, program->config.data_dir);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        /* A crash may have left a part of it: without its end it is none. */
        any = fgets(kind, (int)size, file) != NULL && kind[0] != '\n' && strchr(kind, '\n') != NULL;
        (void)fclose(file);
    }
    if (any) {
        kind[strcspn(kind, "\n")] = '\0';
    }
    return any;
}

static enum gd_err check_kind(const struct program *program, struct gd_error *error)
{
    char kind[KIND_SIZE], kept[KIND_SIZE];

    database_kind(program, kind, sizeof kind);
    if (!kept_kind(program, kept, sizeof kept) || strcmp(kept, kind) == 0) {
        return GD_OK;
    }
    return gd_error_set(
        error, GD_ERR_INVALID,
        "data directory %s: it is of \"%s\", and this would be \"%s\"; set database "
        "to what it was",
        program->config.data_dir, kept, kind);
}

/* A new file's name is durable when its directory is. */
static bool sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        (void)close(fd);
    }
    return good;
}

static enum gd_err keep_kind(const struct program *program, struct gd_error *error)
{
    char path[PATH_MAX], kind[KIND_SIZE];
    bool good;

    if (kept_kind(program, kind, sizeof kind)) {
        return GD_OK;
    }
    (void)snprintf(path, sizeof path, "%s/" KIND_NAME, program->config.data_dir);
    database_kind(program, kind, sizeof kind);
    FILE *file = fopen(path, "w");
    good = file != NULL && fprintf(file, "%s\n", kind) > 0 && fflush(file) == 0 &&
           fsync(fileno(file)) == 0;
    good = (file == NULL || fclose(file) == 0) && good && sync_directory(program->config.data_dir);
    return good
               ? GD_OK
               : gd_error_set(error, GD_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
}

static bool loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "[::1]") == 0 || strcmp(host, "localhost") == 0;
}

static void greet(struct program *program)
{
    const struct gd_node_config *config = &program->config;
    struct gd_io *io = gd_uv_io(program->uv);

    gd_io_log(io, GD_LOG_INFO, "%s %s, data in %s", program->given->name, program->given->version,
              config->data_dir);
    if (!loopback(config->connection_host) && config->requirepass[0] == '\0') {
        gd_io_log(io, GD_LOG_WARNING,
                  "clients may come from other machines and there is no password: set requirepass, "
                  "or connection_host to 127.0.0.1");
    }
}

static struct gd_node *new_node(struct program *program)
{
    const struct gd_node_config *config = &program->config;
    struct gd_node_options options = {
        .io = gd_uv_io(program->uv),
        .parser = program->served.parser,
        .tracker = program->served.tracker,
        .id = config->id,
        .nodes = config->nodes,
        .node_count = config->node_count,
        .join = config->join,
        .join_address = config->join_address,
        .heartbeat_ms = config->heartbeat_ms,
        .election_timeout_ms = config->timeout_ms,
        .request_timeout_ms = config->request_timeout_ms,
        .redirect = config->follower == GD_FOLLOWER_REDIRECT,
        .lease = config->lease,
        .segment_size = config->segment_size,
        .snapshot_log_size = config->snapshot_log_size,
        .snapshot_log_count = config->snapshot_offset,
        .tail_count = config->tail_count,
        .uncommitted_size_max = config->uncommitted_limit,
        .lag_size_max = config->lag_limit,
        .pending_size_max = config->pending_limit,
        .request_size_max = config->proto_max_bulk_len + (1 << 20),
        .session_output_size_max = config->client_output_limit,
        .session_count_max = (uint32_t)config->max_clients,
        .ready = on_ready,
        .stopped = on_stopped,
        .context = program,
    };

    gd_config_addresses(config, &options.peer_address, &options.client_address);
    return gd_node_new(&options);
}

static int run(struct program *program)
{
    struct gd_error error = {0};

    program->uv = gd_uv_new(program->config.data_dir, &error);
    if (program->uv == NULL) {
        return complain(program, &error, EXIT_WRONG);
    }
    gd_uv_set_log_level(program->uv, (enum gd_log_level)program->config.log_level);
    limit_clients(program);
    if (check_kind(program, &error) != GD_OK ||
        program->given->serve(&program->config, gd_uv_io(program->uv), &program->served, &error) !=
            GD_OK) {
        gd_uv_free(program->uv);
        return complain(program, &error, EXIT_USAGE);
    }
    if (keep_kind(program, &error) != GD_OK) {
        program->given->put_away(&program->served);
        gd_uv_free(program->uv);
        return complain(program, &error, EXIT_WRONG);
    }
    greet(program);
    program->node = new_node(program);
    gd_uv_on_signal(program->uv, SIGHUP, NULL, NULL);
    gd_uv_on_signal(program->uv, SIGTERM, on_stop_signal, program);
    gd_uv_on_signal(program->uv, SIGINT, on_stop_signal, program);
    gd_node_start(program->node);
    gd_uv_run(program->uv);
    gd_node_free(program->node);
    program->given->put_away(&program->served);
    gd_uv_free(program->uv);
    return program->status;
}

int gd_uv_main(int argc, char **argv, const struct gd_uv_program *given)
{
    /* Large: the members' addresses are in it. */
    struct program *program = gd_calloc(1, sizeof *program);
    struct gd_error error = {0};
    enum gd_config_action action;
    char *help;
    int status = EXIT_FINE;

    program->given = given;
    if (gd_config_command_line(&program->config, argc, argv, &action, &error) != GD_OK) {
        status = complain(program, &error, EXIT_USAGE);
        gd_free(program);
        return status;
    }
    switch (action) {
    case GD_CONFIG_HELP:
        help = gd_config_help();
        (void)fputs(help, stdout);
        gd_free(help);
        break;
    case GD_CONFIG_VERSION:
        (void)printf("%s %s\n", given->name, given->version);
        break;
    case GD_CONFIG_CHECK:
        (void)puts("the configuration is fine");
        break;
    case GD_CONFIG_RUN:
        status = run(program);
        break;
    }
    gd_free(program);
    return status;
}
