/* subcommands.c - commands that hold others: which there are, and how many arguments each takes.
 *
 * Checked where the request is read, as every command's own arity: so that inside MULTI a wrong one
 * ends the transaction. A container that is not listed looks at its arguments by itself. */
#include "kvs/kv_parser.h"

struct row {
    const char *container, *name;
    int arity; /* As a command's; the container's name is counted in. */
};
static const struct row rows[] = {
    {"client", "getname", 2},   {"client", "id", 2},        {"client", "info", 2},
    {"client", "kill", -3},     {"client", "list", -2},     {"client", "no-evict", 3},
    {"client", "no-touch", 3},  {"client", "reply", 3},     {"client", "setinfo", 4},
    {"client", "setname", 3},   {"cluster", "info", 2},     {"cluster", "keyslot", 3},
    {"cluster", "myid", 2},     {"cluster", "nodes", 2},    {"cluster", "shards", 2},
    {"cluster", "slots", 2},    {"command", "count", 2},    {"command", "docs", -2},
    {"command", "getkeys", -4}, {"command", "info", -2},    {"command", "list", -2},
    {"config", "get", -3},      {"config", "resetstat", 2}, {"config", "set", -4},
    {"slowlog", "get", -2},     {"slowlog", "len", 2},      {"slowlog", "reset", 2},
    {"function", "flush", -2},  {"function", "list", -2},   {"debug", "sleep", 3},
    {"script", "exists", -3},   {"script", "flush", -2},    {"script", "load", 3},
};

bool gd_kv_subcommand_fits(const struct gd_command *command, const struct gd_slice *args,
                           size_t count, struct gd_reply *reply)
{
    bool listed = false;
    char title[GD_KV_NAME_SIZE];
    size_t size;

    if (command->kind == GD_COMMAND_READ || command->kind == GD_COMMAND_WRITE) {
        return true; /* Containers are the node's own commands. */
    }
    size = strlen(command->name);
    for (size_t i = 0; i < GD_COUNT(rows); i++) {
        bool fits;
        if (strcmp(rows[i].container, command->name) != 0) {
            continue;
        }
        listed = true;
        if (!gd_slice_is(args[1], rows[i].name)) {
            continue;
        }
        fits =
            rows[i].arity >= 0 ? count == (size_t)rows[i].arity : count >= (size_t)-rows[i].arity;
        if (!fits) {
            gd_reply_error_format(reply, "ERR wrong number of arguments for '%s|%s' command",
                                  command->name, rows[i].name);
        }
        return fits;
    }
    if (!listed) {
        return true;
    }
    for (size_t i = 0; i <= size; i++) {
        char c = command->name[i];
        title[i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    gd_reply_error_format(reply, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                          (int)(args[1].size < 128 ? args[1].size : 128),
                          (const char *)args[1].data, title);
    return false;
}
