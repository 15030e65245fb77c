/* proxy_commands.h - what a node does with each command of a database behind it: passes it on,
 * refuses it with the reason, or makes it deterministic first. Design notes: proxy_commands.c. */
#ifndef GANDALF_KVS_PROXY_COMMANDS_H
#define GANDALF_KVS_PROXY_COMMANDS_H
#include "engine/bytes.h"
#include "kvs/command.h"

/* The one key that is gandalf's own in the database. */
#define GD_PROXY_KEY "__gandalf:applied"

/* What the database said of its commands. All zero: it was never asked. */
struct gd_proxy_table {
    struct gd_command *rows; /* Owned, with their names; ordered by name. */
    size_t count;
    bool scripts; /* The operator declares that scripts do the same on every node. */
};
void gd_proxy_table_release(struct gd_proxy_table *table);
/* From a reply to COMMAND; false (and the table as before) when it is none. */
bool gd_proxy_table_learn(struct gd_proxy_table *table, struct gd_slice reply);
/* The row for a client's command; NULL: the database has none such. `*refusal` is set when the
 * command is known and not let through: the error's text, static. */
const struct gd_command *gd_proxy_find(const struct gd_proxy_table *table,
                                       const struct gd_slice *args, size_t count,
                                       const char **refusal);
/* Why a command of that name is never let through: the error's text, static; NULL: it is. */
const char *gd_proxy_refusal_of(struct gd_slice name);
/* Adds the command behind `out` as every replica must run it: by the entry's time, not by the
 * database's clock. */
void gd_proxy_write_fixed(struct gd_bytes *out, const struct gd_slice *args, size_t count,
                          int64_t stamp_ms);

/* What has to be done to a reply, so that gandalf's own key is not seen. */
enum gd_proxy_filter {
    GD_PROXY_PLAIN,
    GD_PROXY_KEYS,   /* An array of keys. */
    GD_PROXY_SCAN,   /* A cursor and an array of keys. */
    GD_PROXY_RANDOM, /* A key: the command was sent GD_PROXY_RANDOM_COPIES times. */
    GD_PROXY_SIZE,   /* A number of keys. */
};
enum { GD_PROXY_RANDOM_COPIES = 8 };
enum gd_proxy_filter gd_proxy_filter_of(const struct gd_slice *args, size_t count);
/* Adds a reply behind `out` (may be NULL) as the client may see it. With GD_PROXY_RANDOM false says
 * that nothing was added: the next copy's reply is tried. */
bool gd_proxy_add_reply(struct gd_bytes *out, enum gd_proxy_filter filter, struct gd_slice reply);
#endif
