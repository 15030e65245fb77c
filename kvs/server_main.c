/* server_main.c - gandalf-kvs-server: the store alone over RESP, no consensus.
 *
 * Exit status: 0 fine; 1 the machine is at fault (a port, a directory, the file); 2 bad usage. */
#include "io-real/uv.h"
#include "kvs/server.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_FINE = 0, EXIT_WRONG = 1, EXIT_USAGE = 2 };

static const char usage[] =
    "usage: gandalf-kvs-server [options]\n"
    "The key-value store alone, over RESP, with no consensus.\n"
    "      --host HOST        where to listen (127.0.0.1)\n"
    "      --port PORT        the port (6379)\n"
    "      --dir DIR          keep an append-only file there; without it nothing is kept\n"
    "      --appendfsync WHEN always or everysec (everysec)\n"
    "      --requirepass PASS clients must say it\n"
    "      --help, --version\n";

struct program {
    struct gd_uv *uv;
    char address[GD_ADDRESS_SIZE + 8];
    const char *host, *port, *dir, *sync, *password;
    int status;
};

static int complain(const char *what, const char *which, int status)
{
    (void)fprintf(stderr, "gandalf-kvs-server: %s%s\n", what, which);
    return status;
}

/* -1: go on; else the exit status. */
static int read_options(struct program *program, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **place;
    } rows[] = {{"--host", &program->host},
                {"--port", &program->port},
                {"--dir", &program->dir},
                {"--appendfsync", &program->sync},
                {"--requirepass", &program->password}};

    for (int at = 1; at < argc; at++) {
        bool known = false;
        if (strcmp(argv[at], "--help") == 0) {
            (void)fputs(usage, stdout);
            return EXIT_FINE;
        }
        if (strcmp(argv[at], "--version") == 0) {
            (void)puts("gandalf-kvs-server " GD_VERSION);
            return EXIT_FINE;
        }
        for (size_t i = 0; i < GD_COUNT(rows) && !known; i++) {
            if (strcmp(argv[at], rows[i].name) != 0) {
                continue;
            }
            known = true;
            if (++at == argc) {
                return complain("a value is missing behind ", rows[i].name, EXIT_USAGE);
            }
            *rows[i].place = argv[at];
        }
        if (!known) {
            return complain("unknown option, see --help: ", argv[at], EXIT_USAGE);
        }
    }
    if (strcmp(program->sync, "always") != 0 && strcmp(program->sync, "everysec") != 0) {
        return complain("--appendfsync wants always or everysec, not ", program->sync, EXIT_USAGE);
    }
    return -1;
}

static void on_ready(void *context, const struct gd_address *address)
{
    struct program *program = context;

    gd_io_log(gd_uv_io(program->uv), GD_LOG_INFO, "ready: clients at %s", address->text);
}

static void on_failed(void *context, const struct gd_error *error)
{
    struct program *program = context;

    program->status = complain("", error->text, EXIT_WRONG);
    gd_uv_stop(program->uv);
}

static void on_stop_signal(void *context, int signum)
{
    struct program *program = context;

    (void)signum;
    gd_uv_stop(program->uv);
}

int main(int argc, char **argv)
{
    struct program program = {.host = "127.0.0.1", .port = "6379", .sync = "everysec"};
    struct gd_kv_server_options options = {
        .ready = on_ready, .failed = on_failed, .context = &program};
    struct gd_error error = {0};
    int status = read_options(&program, argc, argv);

    if (status >= 0) {
        return status;
    }
    (void)snprintf(program.address, sizeof program.address, "%.200s:%.16s", program.host,
                   program.port);
    if (gd_address_parse(program.address, &options.address) != GD_OK) {
        return complain("not a host and a port: ", program.address, EXIT_USAGE);
    }
    program.uv = gd_uv_new(program.dir, &error);
    if (program.uv == NULL) {
        return complain("", error.text, EXIT_WRONG);
    }
    options.io = gd_uv_io(program.uv);
    options.password = program.password;
    if (program.dir != NULL) {
        bool always = strcmp(program.sync, "always") == 0;
        options.sync = always ? GD_KV_SYNC_ALWAYS : GD_KV_SYNC_SECOND;
    }
    gd_uv_on_signal(program.uv, SIGHUP, NULL, NULL);
    gd_uv_on_signal(program.uv, SIGPIPE, NULL, NULL);
    gd_uv_on_signal(program.uv, SIGTERM, on_stop_signal, &program);
    gd_uv_on_signal(program.uv, SIGINT, on_stop_signal, &program);
    gd_kv_server_start(gd_kv_server_new(&options));
    if (program.status == EXIT_FINE) {
        gd_uv_run(program.uv);
    }
    exit(program.status); /* The system takes back memory and descriptors. */
}
