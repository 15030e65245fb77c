/* client_main.c - gandalf-kvs: any command from the command line or at a prompt.
 *
 * Exit status: 0 fine; 1 an error reply; 2 bad usage, or a node that cannot be reached; 3 the
 * connection ended before the reply, so that nobody knows whether the command was done. */
#include "kvs/client.h"
#include "kvs/command.h"
#include "kvs/resp.h"
#include <editline/readline.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ARGS_MAX = 1024 * 1024, LINE_SIZE_MAX = 64 * 1024 * 1024, HISTORY_MAX = 1000 };
enum { EXIT_FINE = 0, EXIT_ERROR_REPLY = 1, EXIT_USAGE = 2, EXIT_UNKNOWN = 3 };

static const char usage[] =
    "usage: gandalf-kvs [options] [command [argument ...]]\n"
    "       gandalf-kvs [options] status      the cluster as a table\n"
    "Without a command: a prompt, or the lines of standard input, one command each.\n"
    "  -h, --host HOST   the node (127.0.0.1)\n"
    "  -p, --port PORT   where it serves clients (9876)\n"
    "  -a, --pass PASS   its password; else from GANDALF_PASSWORD\n"
    "      --raw         replies as bytes, one value to a line (so when stdout is no terminal)\n"
    "      --json        replies as JSON, one to a line\n"
    "      --help, --version\n";

static int usage_error(const char *what, const char *which)
{
    (void)fprintf(stderr, "gandalf-kvs: %s%s; gandalf-kvs --help tells more\n", what, which);
    return EXIT_USAGE;
}

/* The place of the command in argv, or an exit status as -1 - status. */
static int read_options(int argc, char **argv, struct gd_client_options *options)
{
    int at = 1;

    for (; at < argc && argv[at][0] == '-'; at++) {
        const char *name = argv[at], *value = at + 1 < argc ? argv[at + 1] : NULL;
        bool host = strcmp(name, "-h") == 0 || strcmp(name, "--host") == 0;
        bool port = strcmp(name, "-p") == 0 || strcmp(name, "--port") == 0;
        bool pass = strcmp(name, "-a") == 0 || strcmp(name, "--pass") == 0;
        if (strcmp(name, "--") == 0) {
            return at + 1;
        }
        if ((host || port || pass) && value == NULL) {
            return -1 - usage_error("a value is missing behind ", name);
        }
        if (host) {
            (void)snprintf(options->host, sizeof options->host, "%s", value);
        } else if (port) {
            char *end;
            long number = strtol(value, &end, 10);
            if (*end != '\0' || number < 1 || number > UINT16_MAX) {
                return -1 - usage_error("no port: ", value);
            }
            options->port = (uint16_t)number;
        } else if (pass) {
            options->password = value;
        } else if (strcmp(name, "--raw") == 0 || strcmp(name, "--json") == 0) {
            options->form = name[2] == 'r' ? GD_CLIENT_RAW : GD_CLIENT_JSON;
            options->form_given = true;
        } else if (strcmp(name, "--help") == 0) {
            (void)fputs(usage, stdout);
            return -1 - EXIT_FINE;
        } else if (strcmp(name, "--version") == 0) {
            (void)puts("gandalf-kvs " GD_VERSION);
            return -1 - EXIT_FINE;
        } else {
            return -1 - usage_error("unknown option ", name);
        }
        at += host || port || pass ? 1 : 0;
    }
    return at;
}

static int run(struct gd_client *client, const struct gd_slice *args, size_t count)
{
    struct gd_slice reply;

    switch (gd_client_ask(client, args, count, &reply)) {
    case GD_CLIENT_OK:
        return gd_client_print(client->options->form, reply) ? EXIT_ERROR_REPLY : EXIT_FINE;
    case GD_CLIENT_UNREACHABLE:
        (void)fprintf(stderr, "gandalf-kvs: cannot reach %s\n", client->error);
        return EXIT_USAGE;
    case GD_CLIENT_LOST:
        break;
    }
    (void)fprintf(stderr, "gandalf-kvs: %s; whether the command was done is not known\n",
                  client->error);
    return EXIT_UNKNOWN;
}

/* ---------------------------------------------------------------- lines */

/* A line's words in the manner of RESP's inline requests, quotes and all. `*quit` is set when the
 * line asks for the end. Returns an exit status. */
static int run_line(struct gd_client *client, const char *line, bool *quit)
{
    const struct gd_resp_limits limits = {
        .bulk_size_max = LINE_SIZE_MAX, .line_size_max = LINE_SIZE_MAX, .arg_count_max = ARGS_MAX};
    struct gd_resp_reader reader;
    struct gd_bytes text = {0};
    size_t consumed;
    int status = EXIT_FINE;

    gd_bytes_add_u8(&text, ' '); /* So that no line is taken for an array. */
    gd_bytes_add_text(&text, line);
    gd_bytes_add_u8(&text, '\n');
    gd_resp_reader_init(&reader, &limits);
    if (gd_resp_read(&reader, gd_bytes_slice(&text), &consumed) != GD_RESP_REQUEST) {
        (void)fprintf(stderr, "gandalf-kvs: quotes that do not match: %s\n", line);
        status = EXIT_USAGE;
    } else if (reader.arg_count > 0) {
        const struct gd_slice *args = reader.args;
        *quit = gd_slice_is(args[0], "quit") || gd_slice_is(args[0], "exit");
        if (*quit) {
            status = EXIT_FINE;
        } else if (reader.arg_count == 1 && gd_slice_is(args[0], "status")) {
            status = gd_client_status(client->options);
        } else if (reader.arg_count == 1 && gd_slice_is(args[0], "help")) {
            (void)puts("Any command of the store (COMMAND LIST), RAFT HELP, status, quit. TAB "
                       "completes a command's name.");
        } else {
            status = run(client, args, reader.arg_count);
        }
    }
    gd_resp_reader_release(&reader);
    gd_bytes_release(&text);
    return status;
}

static int run_input(struct gd_client *client)
{
    char *line = NULL;
    size_t capacity = 0;
    int worst = EXIT_FINE;
    bool quit = false;

    while (!quit && getline(&line, &capacity, stdin) >= 0) {
        int status;
        line[strcspn(line, "\r\n")] = '\0';
        status = run_line(client, line, &quit);
        worst = status > worst ? status : worst;
    }
    free(line);
    return worst;
}

/* ---------------------------------------------------------------- prompt */

/* Names of commands that begin with `text`, one a call; NULL at the end. */
static char *complete_name(const char *text, int again)
{
    static size_t at; /* libedit's interface asks for it. */

    at = again == 0 ? 0 : at;
    while (at < gd_command_count()) {
        const char *name = gd_command_at(at++)->name;
        size_t size = strlen(text), i = 0;
        while (i < size && ((uint8_t)text[i] | 0x20) == (uint8_t)name[i]) {
            i++;
        }
        if (i == size) {
            return strdup(name);
        }
    }
    return NULL;
}

static char **complete(const char *text, int start, int end)
{
    (void)end;
    rl_attempted_completion_over = 1; /* No names of files. */
    return start == 0 ? rl_completion_matches(text, complete_name) : NULL;
}

/* What holds a password is not kept. */
static bool is_secret(const char *line)
{
    struct gd_slice word;

    line += strspn(line, " ");
    word = (struct gd_slice){(const uint8_t *)line, strcspn(line, " ")};
    return gd_slice_is(word, "auth") || gd_slice_is(word, "hello");
}

static int run_prompt(struct gd_client *client)
{
    const char *home = getenv("HOME");
    char history[4096] = {0}, prompt[GD_CLIENT_HOST_SIZE + 32];
    bool quit = false;

    if (home != NULL) {
        int size = snprintf(history, sizeof history, "%s/.gandalf_kvs_history", home);
        if (size < 0 || (size_t)size >= sizeof history) {
            history[0] = '\0';
        }
    }
    rl_readline_name = "gandalf-kvs";
    rl_attempted_completion_function = complete;
    using_history();
    stifle_history(HISTORY_MAX);
    if (history[0] != '\0') {
        (void)read_history(history);
    }
    while (!quit) {
        char *line;
        (void)snprintf(prompt, sizeof prompt, "%s:%u%s> ", client->host, client->port,
                       client->in_multi ? "(tx)" : "");
        line = readline(prompt);
        if (line == NULL) {
            (void)putchar('\n');
            break;
        }
        if (line[0] != '\0' && !is_secret(line)) {
            (void)add_history(line);
        }
        (void)run_line(client, line, &quit);
        free(line);
    }
    if (history[0] != '\0') {
        (void)write_history(history);
    }
    return EXIT_FINE;
}

int main(int argc, char **argv)
{
    struct gd_client_options options = {
        .host = "127.0.0.1", .port = 9876, .password = getenv("GANDALF_PASSWORD")};
    struct gd_client client;
    int at = read_options(argc, argv, &options), status;

    if (at < 0) {
        return -1 - at;
    }
    if (!options.form_given && isatty(STDOUT_FILENO) == 0) {
        options.form = GD_CLIENT_RAW;
    }
    if (argc - at == 1 && strcmp(argv[at], "status") == 0) {
        return gd_client_status(&options);
    }
    gd_client_init(&client, &options);
    if (at < argc) {
        size_t count = (size_t)(argc - at);
        struct gd_slice *args = calloc(count, sizeof *args);
        if (args == NULL) {
            return 70;
        }
        for (size_t i = 0; i < count; i++) {
            args[i] =
                (struct gd_slice){(const uint8_t *)argv[at + (int)i], strlen(argv[at + (int)i])};
        }
        status = run(&client, args, count);
        free(args);
    } else if (isatty(STDIN_FILENO) != 0) {
        status = run_prompt(&client);
    } else {
        status = run_input(&client);
    }
    gd_client_release(&client);
    return status;
}
