/* tools.c - the command lines of inspect, recover and restore. See tools.h; backup.c has the
 * fourth.
 *
 * A directory is locked while it is looked at, so none of these runs beside its node. Exit status:
 * 0 done (inspect: everything is sound), 1 not done, 2 bad usage. */
#include "io-real/tools.h"
#include "io-real/tools_internal.h"
#include "io-real/uv.h"
#include "engine/inspect.h"
#include "engine/memory.h"
#include "engine/recover.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NODES_MAX = GD_MEMBERS_MAX };

int gd__tool_complain(const struct gd_error *error, int status)
{
    (void)fprintf(stderr, "gandalf: %s\n", error->text);
    return status;
}

/* ---------------------------------------------------------------- command lines */

/* `_` and `-` are one: keys of a configuration are written with the first. */
static bool same_name(const char *name, const char *text, size_t size)
{
    if (strlen(name) != size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (name[i] != (text[i] == '_' ? '-' : text[i])) {
            return false;
        }
    }
    return true;
}

bool gd__tool_flags(int argc, char *const *argv, struct gd__tool_flag *flags, size_t flag_count,
                    const char **plain, size_t *plain_count, struct gd_error *error)
{
    size_t plain_max = *plain_count;

    *plain_count = 0;
    for (int at = 2; at < argc; at++) {
        const char *text = argv[at];
        size_t size = strcspn(text, "=");
        struct gd__tool_flag *flag = NULL;

        for (size_t i = 0; i < flag_count; i++) {
            if (same_name(flags[i].name, text, size)) {
                flag = &flags[i];
            }
        }
        if (flag == NULL && text[0] != '-' && *plain_count < plain_max) {
            plain[(*plain_count)++] = text;
        } else if (flag == NULL) {
            (void)gd_error_set(error, GD_ERR_INVALID, "gandalf %s: \"%.100s\" is not expected here",
                               argv[1], text);
            return false;
        } else if (flag->yes) {
            flag->value = "yes";
        } else if (text[size] == '=') {
            flag->value = text + size + 1;
        } else if (at + 1 < argc) {
            flag->value = argv[++at];
        } else {
            (void)gd_error_set(error, GD_ERR_INVALID, "gandalf %s: %s wants a value", argv[1],
                               flag->name);
            return false;
        }
    }
    return true;
}

/* "host:port,host:port". */
static bool parse_nodes(const char *text, struct gd_address *nodes, size_t *count,
                        struct gd_error *error)
{
    *count = 0;
    while (text != NULL && *text != '\0') {
        char one[GD_ADDRESS_SIZE];
        size_t size = strcspn(text, ",");

        (void)snprintf(one, sizeof one, "%.*s", (int)size, text);
        if (*count == NODES_MAX || size >= sizeof one ||
            gd_address_parse(one, &nodes[*count]) != GD_OK) {
            (void)gd_error_set(error, GD_ERR_INVALID, "--nodes: \"%.100s\" is not host:port", one);
            return false;
        }
        (*count)++;
        text += size;
        text += *text == ',';
    }
    return true;
}

/* ---------------------------------------------------------------- a directory */

static bool turn(void *context)
{
    gd_uv_turn(context, true);
    return true;
}

static struct gd_uv *open_directory(const char *directory, bool make, struct gd_offline *offline,
                                    struct gd_error *error)
{
    struct stat stat_of;
    struct gd_uv *uv;

    if (!make && (stat(directory, &stat_of) != 0 || !S_ISDIR(stat_of.st_mode))) {
        (void)gd_error_set(error, GD_ERR_NOT_FOUND, "%.300s: there is no such directory",
                           directory);
        return NULL;
    }
    uv = gd_uv_new(directory, error);
    if (uv != NULL) {
        gd_uv_set_log_level(uv, GD_LOG_WARNING);
        *offline = (struct gd_offline){gd_uv_io(uv), turn, uv};
    }
    return uv;
}

static enum gd_err inspect_directory(const char *directory, struct gd_inspect *inspect,
                                     struct gd_error *error)
{
    struct gd_offline offline;
    struct gd_uv *uv = open_directory(directory, false, &offline, error);
    enum gd_err err;

    if (uv == NULL) {
        return GD_ERR_IO;
    }
    err = gd_inspect(&offline, inspect, error);
    gd_uv_free(uv);
    return err;
}

/* ---------------------------------------------------------------- inspect */

struct best {
    const char *directory;
    struct gd_position last;
    uint64_t cluster_id;
    bool mixed; /* Directories of more than one cluster. */
};

static void compare(struct best *best, const char *directory, const struct gd_inspect *inspect)
{
    if (!inspect->usable || inspect->empty) {
        return;
    }
    if (best->directory != NULL && best->cluster_id != inspect->identity.cluster_id) {
        best->mixed = true;
    }
    if (best->directory == NULL || gd_position_compare(inspect->last, best->last) > 0) {
        best->directory = directory;
        best->last = inspect->last;
        best->cluster_id = inspect->identity.cluster_id;
    }
}

static int inspect_command(int argc, char *const *argv)
{
    struct gd__tool_flag flags[] = {{.name = "--json", .yes = true}};
    const char *directories[NODES_MAX];
    size_t count = NODES_MAX;
    struct gd_error error = {0};
    struct best best = {0};
    int status = GD_TOOL_FINE;

    if (!gd__tool_flags(argc, argv, flags, GD_COUNT(flags), directories, &count, &error)) {
        return gd__tool_complain(&error, GD_TOOL_USAGE);
    }
    if (count == 0) {
        (void)gd_error_set(&error, GD_ERR_INVALID, "gandalf inspect [--json] DIRECTORY ...");
        return gd__tool_complain(&error, GD_TOOL_USAGE);
    }
    for (size_t i = 0; i < count; i++) {
        struct gd_inspect inspect = {0};
        struct gd_bytes text = {0};

        if (inspect_directory(directories[i], &inspect, &error) != GD_OK) {
            status = gd__tool_complain(&error, GD_TOOL_WRONG);
            continue;
        }
        if (flags[0].value != NULL) {
            gd_inspect_json(&inspect, directories[i], &text);
        } else {
            gd_inspect_text(&inspect, directories[i], &text);
        }
        (void)fwrite(text.data, 1, text.size, stdout);
        gd_bytes_release(&text);
        compare(&best, directories[i], &inspect);
        status = inspect.sound ? status : GD_TOOL_WRONG;
        gd_inspect_release(&inspect);
    }
    if (count > 1 && flags[0].value == NULL && best.directory != NULL) {
        if (best.mixed) {
            (void)puts("These are directories of different clusters: do not compare them.");
        } else {
            (void)printf("The most is in %s: term %" PRIu64 " index %" PRIu64 ".\n", best.directory,
                         best.last.term, best.last.index);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- recover */

static bool confirmed(const struct gd_inspect *inspect, const char *directory,
                      const struct gd_address *address, bool yes)
{
    char answer[16] = "";

    (void)printf("%s is node %" PRIu64 " of cluster %016" PRIx64 ", whose log ends at term %" PRIu64
                 " index %" PRIu64 ".\n"
                 "It becomes the only member, at %s, of a new cluster.\n\n"
                 "  - Writes that were acknowledged and that this log does not hold are LOST. Run\n"
                 "    `gandalf inspect` on every directory that is left: recover the one with the "
                 "most.\n"
                 "  - Writes at the end of this log that were never acknowledged will be there.\n"
                 "  - The other nodes cannot come back: this cluster does not let them in.\n\n",
                 directory, inspect->identity.node_id, inspect->identity.cluster_id,
                 inspect->last.term, inspect->last.index, address->text);
    if (yes) {
        return true;
    }
    (void)printf("Go on? Type yes: ");
    (void)fflush(stdout);
    return fgets(answer, sizeof answer, stdin) != NULL && strcmp(answer, "yes\n") == 0;
}

static int recover_directory(const char *directory, const struct gd_address *address, bool yes)
{
    struct gd_error error = {0};
    struct gd_inspect inspect = {0};
    struct gd_recovered recovered;
    struct gd_offline offline;
    struct gd_uv *uv = open_directory(directory, false, &offline, &error);
    int status = GD_TOOL_WRONG;

    if (uv == NULL) {
        return gd__tool_complain(&error, GD_TOOL_WRONG);
    }
    bool seen = gd_inspect(&offline, &inspect, &error) == GD_OK;
    if (seen && (inspect.empty || !inspect.usable)) {
        (void)fprintf(stderr, "gandalf: %s cannot be recovered: %s\n", directory,
                      inspect.problem_count > 0 ? inspect.problems[0].text : "it has no log");
    } else if (seen && !confirmed(&inspect, directory, address, yes)) {
        (void)fprintf(stderr, "gandalf: nothing was changed\n");
    } else if (!seen || gd_recover(&offline, address, &recovered, &error) != GD_OK) {
        (void)gd__tool_complain(&error, status);
    } else {
        (void)printf("Done: node %" PRIu64 " of the new cluster %016" PRIx64
                     ", log up to index %" PRIu64 ".\nStart it; it leads alone.\n",
                     recovered.identity.node_id, recovered.identity.cluster_id,
                     recovered.last.index);
        status = GD_TOOL_FINE;
    }
    gd_inspect_release(&inspect);
    gd_uv_free(uv);
    return status;
}

static int recover_command(int argc, char *const *argv)
{
    struct gd__tool_flag flags[] = {
        {.name = "--data-dir"}, {.name = "--nodes"}, {.name = "--yes", .yes = true}};
    struct gd_address nodes[NODES_MAX];
    struct gd_error error = {0};
    size_t none = 0, count = 0;

    if (!gd__tool_flags(argc, argv, flags, GD_COUNT(flags), NULL, &none, &error) ||
        !parse_nodes(flags[1].value, nodes, &count, &error)) {
        return gd__tool_complain(&error, GD_TOOL_USAGE);
    }
    if (flags[0].value == NULL || count != 1) {
        (void)gd_error_set(
            &error, GD_ERR_INVALID,
            count > 1 ? "gandalf recover: --nodes has one address, this node's for its peers; the "
                        "others hold logs that may contradict this one, and cannot come along"
                      : "gandalf recover --data-dir DIRECTORY --nodes HOST:PORT [--yes]");
        return gd__tool_complain(&error, GD_TOOL_USAGE);
    }
    return recover_directory(flags[0].value, &nodes[0], flags[2].value != NULL);
}

/* ---------------------------------------------------------------- restore */

static enum gd_err read_file(void *context, uint64_t offset, uint8_t *to, size_t size, size_t *got)
{
    const int *file = context;
    ssize_t count;

    do {
        count = pread(*file, to, size, (off_t)offset);
    } while (count < 0 && errno == EINTR);
    *got = count < 0 ? 0 : (size_t)count;
    return count < 0 ? GD_ERR_IO : GD_OK;
}

static int restore_file(const char *path, const char *directory, const struct gd_config *config,
                        const struct gd_address *self)
{
    struct gd_error error = {0};
    struct gd_recovered restored;
    struct gd_offline offline;
    struct gd_uv *uv;
    int file = gd__tool_open(path, &error);
    struct gd_snapshot_source source = {read_file, &file};
    int status = GD_TOOL_WRONG;

    if (file < 0) {
        return gd__tool_complain(&error, status);
    }
    uv = open_directory(directory, true, &offline, &error);
    if (uv == NULL || gd_restore(&offline, &source, config, self, &restored, &error) != GD_OK) {
        (void)gd__tool_complain(&error, status);
    } else {
        (void)printf("Done: %s is node %" PRIu64 " of %u in cluster %016" PRIx64
                     ", from index %" PRIu64 ".\n",
                     directory, restored.identity.node_id, config->count,
                     restored.identity.cluster_id, restored.last.index);
        status = GD_TOOL_FINE;
    }
    gd_uv_free(uv);
    (void)close(file);
    return status;
}

static int restore_command(int argc, char *const *argv)
{
    struct gd__tool_flag flags[] = {
        {.name = "--data-dir"}, {.name = "--nodes"}, {.name = "--self"}};
    struct gd_address nodes[NODES_MAX], self;
    struct gd_config config;
    struct gd_error error = {0};
    const char *file = NULL;
    size_t files = 1, count = 0;

    if (!gd__tool_flags(argc, argv, flags, GD_COUNT(flags), &file, &files, &error) ||
        !parse_nodes(flags[1].value, nodes, &count, &error)) {
        return gd__tool_complain(&error, GD_TOOL_USAGE);
    }
    if (files != 1 || flags[0].value == NULL || count == 0 ||
        (count > 1 && flags[2].value == NULL)) {
        (void)gd_error_set(&error, GD_ERR_INVALID,
                           "gandalf restore FILE --data-dir DIRECTORY --nodes HOST:PORT,... "
                           "--self HOST:PORT: all members, the same for each, and which it is");
        return gd__tool_complain(&error, GD_TOOL_USAGE);
    }
    self = nodes[0];
    if (flags[2].value != NULL && gd_address_parse(flags[2].value, &self) != GD_OK) {
        (void)gd_error_set(&error, GD_ERR_INVALID, "--self: \"%.100s\" is not host:port",
                           flags[2].value);
        return gd__tool_complain(&error, GD_TOOL_USAGE);
    }
    if (gd_members_number(nodes, count, &config, &error) != GD_OK) {
        return gd__tool_complain(&error, GD_TOOL_USAGE);
    }
    return restore_file(file, flags[0].value, &config, &self);
}

static const struct {
    const char *name;
    int (*run)(int argc, char *const *argv);
    const char *help;
} tools[] = {
    {"inspect", inspect_command,
     "gandalf inspect [--json] DIRECTORY ...\n\n"
     "What the data directories of stopped nodes hold: term, vote, members, the log's segments,\n"
     "snapshots; whether all is sound; and, of several, which has the most.\n\n"
     "  --json    for programs\n\n"
     "Exit status: 0 all is sound, 1 something is not (a PROBLEM line says what), 2 bad usage."},
    {"recover", recover_command,
     "gandalf recover --data-dir DIRECTORY --nodes HOST:PORT [--yes]\n\n"
     "For a majority that is lost for good: makes the stopped node whose directory this is the "
     "only\n"
     "member of a new cluster. It says what may be lost, and asks first.\n\n"
     "  --data-dir DIRECTORY  the one with the most, as inspect tells\n"
     "  --nodes HOST:PORT     this node's own address for its peers\n"
     "  --yes                 do not ask\n\n"
     "Exit status: 0 done, 1 not done, 2 bad usage."},
    {"backup", gd__backup_command,
     "gandalf backup --from HOST:PORT -o FILE\n\n"
     "A consistent snapshot of a running cluster, in a file. GANDALF_PASSWORD in the environment\n"
     "holds the password, where one is wanted.\n\n"
     "  --from HOST:PORT  where a node serves clients\n"
     "  -o FILE           it is there whole, or not at all\n\n"
     "Exit status: 0 done, 1 not done, 2 bad usage."},
    {"restore", restore_command,
     "gandalf restore FILE --data-dir DIRECTORY --nodes HOST:PORT,... --self HOST:PORT\n\n"
     "Makes the directory of one member of a new cluster from a backup; once for each member.\n\n"
     "  --data-dir DIRECTORY  a new or an empty one\n"
     "  --nodes HOST:PORT,... all members' addresses for their peers, the same for each\n"
     "  --self HOST:PORT      which of them this is; not needed where there is one\n\n"
     "Exit status: 0 done, 1 not done, 2 bad usage."}};

bool gd_tools_run(int argc, char *const *argv, int *status)
{
    for (size_t i = 0; argc > 1 && i < GD_COUNT(tools); i++) {
        if (strcmp(argv[1], tools[i].name) != 0) {
            continue;
        }
        if (argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
            (void)puts(tools[i].help);
            *status = GD_TOOL_FINE;
        } else {
            *status = tools[i].run(argc, argv);
        }
        return true;
    }
    return false;
}
