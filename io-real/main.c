/* main.c - gandalf: one node, from its command line to its exit status.
 *
 * Everything that can go wrong before the node runs is one line on stderr and a status: 2 when the
 * command line or the configuration is at fault, 1 when the machine is (a directory, a port, a
 * damaged log), 70 when the program is. SIGTERM and SIGINT stop the node in good order: leadership
 * is handed over, replies are finished, and the process is gone within five seconds; a second one
 * does not wait. */
#include "io-real/config.h"
#include "io-real/database.h"
#include "io-real/tools.h"
#include "io-real/uv.h"
#include "engine/memory.h"
#include "engine/node.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    EXIT_FINE = 0,
    EXIT_WRONG = 1,
    EXIT_USAGE = 2,
    STOP_LIMIT_MS = 4000, /* For the node's own way out ... */
    STOP_GUARD_MS = 4700  /* ... and the end of all patience. */
};

struct program {
    struct gd_node_config config;
    struct gd_uv *uv;
    struct gd_database *database;
    struct gd_node *node;
    struct gd_timer guard;
    bool stopping;
    int status;
};

static int complain(const struct gd_error *error, int status)
{
    (void)fprintf(stderr, "gandalf: %s\n", error->text);
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

/* A descriptor for each client: as many as the system lets us have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
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

    gd_io_log(io, GD_LOG_INFO, "gandalf %s, data in %s, database %s", GD_VERSION, config->data_dir,
              config->database);
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
        .parser = gd_database_parser(program->database),
        .tracker = gd_database_tracker(program->database),
        .id = config->id,
        .nodes = config->nodes,
        .node_count = config->node_count,
        .join = config->join,
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

    raise_descriptor_limit();
    program->uv = gd_uv_new(program->config.data_dir, &error);
    if (program->uv == NULL) {
        return complain(&error, EXIT_WRONG);
    }
    gd_uv_set_log_level(program->uv, (enum gd_log_level)program->config.log_level);
    program->database = gd_database_new(&program->config, gd_uv_io(program->uv), &error);
    if (program->database == NULL) {
        gd_uv_free(program->uv);
        return complain(&error, EXIT_USAGE);
    }
    greet(program);
    program->node = new_node(program);
    gd_uv_on_signal(program->uv, SIGHUP, NULL, NULL);
    gd_uv_on_signal(program->uv, SIGTERM, on_stop_signal, program);
    gd_uv_on_signal(program->uv, SIGINT, on_stop_signal, program);
    gd_node_start(program->node);
    gd_uv_run(program->uv);
    gd_node_free(program->node);
    gd_database_free(program->database);
    gd_uv_free(program->uv);
    return program->status;
}

int main(int argc, char **argv)
{
    static struct program program; /* Large: the members' addresses are in it. */
    struct gd_error error = {0};
    enum gd_config_action action;
    char *help;
    int status;

    if (gd_tools_run(argc, argv, &status)) {
        return status;
    }
    if (gd_config_command_line(&program.config, argc, argv, &action, &error) != GD_OK) {
        return complain(&error, EXIT_USAGE);
    }
    switch (action) {
    case GD_CONFIG_HELP:
        help = gd_config_help();
        (void)fputs(help, stdout);
        gd_free(help);
        return EXIT_FINE;
    case GD_CONFIG_VERSION:
        (void)puts("gandalf " GD_VERSION);
        return EXIT_FINE;
    case GD_CONFIG_CHECK:
        (void)puts("the configuration is fine");
        return EXIT_FINE;
    case GD_CONFIG_RUN:
        break;
    }
    return run(&program);
}
