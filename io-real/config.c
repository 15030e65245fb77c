/* config.c - the node's configuration: YAML by libyaml, flags, one table of keys.
 *
 * Why a table. A key has to be known in five places (file, flag, check, help, default); written
 * down once, none can forget one. Values are texts until the table's row gives them a type, so a
 * flag and a line of YAML pass the same check. Rejected: libcyaml (its schema would be a second
 * table, and its errors name no line). */
#include "io-real/config.h"
#include "engine/bytes.h"
#include "engine/memory.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum kind {
    KIND_TEXT,
    KIND_HOST,   /* A name or an address without port. */
    KIND_PORT,   /* 0..65535. */
    KIND_NUMBER, /* min..max. */
    KIND_SIZE,   /* Bytes, min..max; kb, mb, gb as in Redis. */
    KIND_YES_NO,
    KIND_JOIN, /* yes, no, or a member's host:port. */
    KIND_NODES,
    KIND_DATABASE,
    KIND_FOLLOWER,
    KIND_LEVEL
};

struct key {
    const char *name;
    enum kind kind;
    size_t offset; /* In struct gd_node_config. */
    uint64_t min, max;
    const char *fallback; /* As it would be written; NULL: nothing. */
    const char *help;
};

#define AT(member) offsetof(struct gd_node_config, member)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static const struct key keys[] = {
    {"host", KIND_HOST, AT(host), 0, 0, "127.0.0.1", "where this node listens for its peers"},
    {"port", KIND_PORT, AT(port), 1, 65535, "7600", "its port for its peers"},
    {"nodes", KIND_NODES, AT(nodes), 0, 0, NULL, "the other members: host:port, host:port, ..."},
    {"id", KIND_NUMBER, AT(id), 1, INT64_MAX, NULL,
     "this node's number; without it members are numbered by their addresses"},
    {"join", KIND_JOIN, AT(join), 0, 0, "no",
     "start empty: a member's host:port (for peers) is asked to add it; yes: wait to be added"},
    {"heartbeat", KIND_NUMBER, AT(heartbeat_ms), 1, 60000, "100", "ms between a leader's signs"},
    {"timeout", KIND_NUMBER, AT(timeout_ms), 10, 600000, "1000",
     "ms without a sign until an election; at least twice the heartbeat"},
    {"request_timeout", KIND_NUMBER, AT(request_timeout_ms), 10, 3600000, NULL,
     "ms until a write without an answer is told -UNKNOWN; 10 timeouts when not given"},
    {"connection_host", KIND_HOST, AT(connection_host), 0, 0, "127.0.0.1",
     "where clients connect to this node"},
    {"connection_port", KIND_PORT, AT(connection_port), 1, 65535, "9876", "its port for clients"},
    {"follower", KIND_FOLLOWER, AT(follower), 0, 0, "forward",
     "a follower's answer to a write: forward (it passes it on) or redirect (-MOVED)"},
    {"lease", KIND_YES_NO, AT(lease), 0, 0, "no",
     "reads under the leader's lease, safe within a bounded clock drift"},
    {"requirepass", KIND_TEXT, AT(requirepass), 0, 0, "", "password that clients must give"},
    {"database", KIND_DATABASE, AT(database), 0, 0, "kvs",
     "kvs (embedded), resp://host:port, resp (at client_host:client_port), sqlite, or sqlite:FILE"},
    {"client_host", KIND_HOST, AT(client_host), 0, 0, "127.0.0.1", "the database's host"},
    {"client_port", KIND_PORT, AT(client_port), 1, 65535, "6379", "the database's port"},
    {"database_password", KIND_TEXT, AT(database_password), 0, 0, "",
     "what the database wants to hear in AUTH"},
    {"database_scripts", KIND_YES_NO, AT(database_scripts), 0, 0, "no",
     "clients' scripts (EVAL) do the same on every node: README, \"Scripts\"; for resp alone"},
    {"data_dir", KIND_TEXT, AT(data_dir), 0, 0, NULL,
     "where log and snapshots are kept; gandalf-data-PORT when not given"},
    {"snapshot_path", KIND_TEXT, AT(snapshot_path), 0, 0, NULL,
     "stands for data_dir where that is not given: the folder of this path"},
    {"snapshot_offset", KIND_NUMBER, AT(snapshot_offset), 1, INT64_MAX, NULL,
     "entries between snapshots, beside snapshot_log_size"},
    {"snapshot_log_size", KIND_SIZE, AT(snapshot_log_size), 4096, INT64_MAX, "64mb",
     "bytes of log between snapshots"},
    {"segment_size", KIND_SIZE, AT(segment_size), 65536, GIB, "64mb", "bytes of a file of the log"},
    {"tail_count", KIND_NUMBER, AT(tail_count), 1, INT64_MAX, "10000",
     "entries kept behind a snapshot for slow followers"},
    {"max_clients", KIND_NUMBER, AT(max_clients), 1, 1000000, "10000", "clients at a time"},
    {"proto_max_bulk_len", KIND_SIZE, AT(proto_max_bulk_len), 1024, GIB / 2, "512mb",
     "the longest value in a request"},
    {"client_output_limit", KIND_SIZE, AT(client_output_limit), 65536, 64 * GIB, "256mb",
     "bytes unsent to one client, beyond which it is closed"},
    {"uncommitted_limit", KIND_SIZE, AT(uncommitted_limit), 65536, 64 * GIB, "64mb",
     "bytes not committed, beyond which writes get -BUSY"},
    {"lag_limit", KIND_SIZE, AT(lag_limit), 65536, 64 * GIB, "256mb",
     "of committed writes that wait for the database; beyond it no more are taken"},
    {"pending_limit", KIND_SIZE, AT(pending_limit), 65536, 64 * GIB, "256mb",
     "bytes of requests that wait, beyond which they get -BUSY"},
    {"log_level", KIND_LEVEL, AT(log_level), 0, 0, "info", "debug, info, warning or error"},
};

/* As a flag without a value, which then means yes. */
static bool may_stand_alone(const struct key *key)
{
    return key->kind == KIND_YES_NO || key->kind == KIND_JOIN;
}

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < GD_COUNT(keys); i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- values */

static void *place_of(struct gd_node_config *config, const struct key *key)
{
    return (char *)config + key->offset;
}

static bool parse_number(const char *text, uint64_t *number, const char **rest)
{
    uint64_t value = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *number = value;
    *rest = at;
    return at != text;
}

static bool equal_ignoring_case(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        int low_a = *a >= 'A' && *a <= 'Z' ? *a + 32 : *a;

        if (low_a != *b) {
            return false;
        }
    }
    return *a == *b;
}

static bool parse_size(const char *text, uint64_t *size)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {{"", 1},        {"b", 1},    {"k", 1000},       {"kb", 1024},
                 {"m", 1000000}, {"mb", MIB}, {"g", 1000000000}, {"gb", GIB}};
    const char *rest;

    if (!parse_number(text, size, &rest)) {
        return false;
    }
    for (size_t i = 0; i < GD_COUNT(units); i++) {
        if (equal_ignoring_case(rest, units[i].name) && *size <= UINT64_MAX / units[i].factor) {
            *size *= units[i].factor;
            return true;
        }
    }
    return false;
}

static enum gd_err refuse(struct gd_error *error, const struct key *key, const char *value,
                          const char *want)
{
    return gd_error_set(error, GD_ERR_INVALID, "%s: bad value \"%.100s\": give %s", key->name,
                        value, want);
}

static enum gd_err set_number(void *place, const struct key *key, const char *value,
                              struct gd_error *error)
{
    uint64_t number;
    const char *rest = "";
    char want[96];
    bool good =
        key->kind == KIND_SIZE ? parse_size(value, &number) : parse_number(value, &number, &rest);

    if (!good || *rest != '\0' || number < key->min || number > key->max) {
        (void)snprintf(want, sizeof want, "%s from %llu to %llu",
                       key->kind == KIND_SIZE ? "a size (512mb)" : "a number",
                       (unsigned long long)key->min, (unsigned long long)key->max);
        return refuse(error, key, value, want);
    }
    *(uint64_t *)place = number;
    return GD_OK;
}

static enum gd_err set_text(void *place, const struct key *key, const char *value,
                            struct gd_error *error)
{
    size_t size = strlen(value);

    if (size >= GD_CONFIG_TEXT_SIZE) {
        return gd_error_set(error, GD_ERR_INVALID, "%s: %zu bytes are too long: at most %d",
                            key->name, size, GD_CONFIG_TEXT_SIZE - 1);
    }
    memcpy(place, value, size + 1);
    return GD_OK;
}

/* Also says whether host and port together make an address. */
static bool join_address(const char *host, uint64_t port, struct gd_address *address)
{
    char text[GD_CONFIG_TEXT_SIZE + 16];
    const char *colon = strchr(host, ':'); /* Two of them: IPv6, without its brackets. */
    bool bare_six = colon != NULL && strchr(colon + 1, ':') != NULL && host[0] != '[';

    (void)snprintf(text, sizeof text, bare_six ? "[%s]:%llu" : "%s:%llu", host,
                   (unsigned long long)port);
    return gd_address_parse(text, address) == GD_OK;
}

static enum gd_err set_host(void *place, const struct key *key, const char *value,
                            struct gd_error *error)
{
    struct gd_address address;

    if (!join_address(value, 1, &address)) {
        return refuse(error, key, value, "a host name or an address without port");
    }
    return set_text(place, key, value, error);
}

static enum gd_err set_choice(void *place, const struct key *key, const char *value,
                              const char *const *choices, const char *want, struct gd_error *error)
{
    for (size_t i = 0; choices[i] != NULL; i++) {
        if (equal_ignoring_case(value, choices[i])) {
            *(uint64_t *)place = i;
            return GD_OK;
        }
    }
    return refuse(error, key, value, want);
}

static enum gd_err set_yes_no(void *place, const struct key *key, const char *value,
                              struct gd_error *error)
{
    static const char *const choices[] = {"no", "yes", "false", "true", "off", "on", NULL};
    uint64_t choice = 0;
    enum gd_err err = set_choice(&choice, key, value, choices, "yes or no", error);

    if (err == GD_OK) {
        *(bool *)place = choice % 2 == 1;
    }
    return err;
}

static enum gd_err set_join(struct gd_node_config *config, const struct key *key, const char *value,
                            struct gd_error *error)
{
    struct gd_error ignored;
    struct gd_address address = {{0}};
    uint16_t port = 0;

    if (set_yes_no(&config->join, key, value, &ignored) != GD_OK) {
        if (gd_address_parse(value, &address) == GD_OK) {
            gd_address_split(&address, NULL, &port);
        }
        if (port == 0) {
            return refuse(error, key, value, "a member's host:port, yes or no");
        }
        config->join = true;
    }
    config->join_address = address;
    return GD_OK;
}

static enum gd_err add_node(struct gd_node_config *config, const struct key *key, const char *value,
                            struct gd_error *error)
{
    struct gd_address address;
    uint16_t port = 0;

    if (gd_address_parse(value, &address) == GD_OK) {
        gd_address_split(&address, NULL, &port);
    }
    if (port == 0) {
        return refuse(error, key, value, "host:port");
    }
    if (config->node_count == GD_MEMBERS_MAX - 1) {
        return gd_error_set(error, GD_ERR_INVALID, "nodes: more than %d other members",
                            GD_MEMBERS_MAX - 1);
    }
    config->nodes[config->node_count++] = address;
    return GD_OK;
}

/* "a:1, b:2"; spaces and commas part. The list replaces what was there. */
static enum gd_err set_nodes(struct gd_node_config *config, const struct key *key,
                             const char *value, struct gd_error *error)
{
    char one[GD_ADDRESS_SIZE];

    config->node_count = 0;
    while (*(value += strspn(value, ", ")) != '\0') {
        size_t size = strcspn(value, ", ");

        if (size >= sizeof one) {
            return refuse(error, key, value, "host:port");
        }
        memcpy(one, value, size);
        one[size] = '\0';
        enum gd_err err = add_node(config, key, one, error);
        if (err != GD_OK) {
            return err;
        }
        value += size;
    }
    return GD_OK;
}

static enum gd_err set_database(void *place, const struct key *key, const char *value,
                                struct gd_error *error)
{
    struct gd_address address;

    if (strcmp(value, "kvs") != 0 && strcmp(value, "resp") != 0 && strcmp(value, "sqlite") != 0 &&
        (strncmp(value, "sqlite:", 7) != 0 || value[7] == '\0') &&
        (strncmp(value, "resp://", 7) != 0 || gd_address_parse(value + 7, &address) != GD_OK)) {
        return refuse(error, key, value, "kvs, resp, resp://host:port, sqlite or sqlite:FILE");
    }
    return set_text(place, key, value, error);
}

static enum gd_err set_value(struct gd_node_config *config, const struct key *key,
                             const char *value, struct gd_error *error)
{
    static const char *const followers[] = {"forward", "redirect", NULL};
    static const char *const levels[] = {"debug", "info", "warning", "error", NULL};
    void *place = place_of(config, key);

    switch (key->kind) {
    case KIND_TEXT:
        return set_text(place, key, value, error);
    case KIND_HOST:
        return set_host(place, key, value, error);
    case KIND_PORT:
    case KIND_NUMBER:
    case KIND_SIZE:
        return set_number(place, key, value, error);
    case KIND_YES_NO:
        return set_yes_no(place, key, value, error);
    case KIND_JOIN:
        return set_join(config, key, value, error);
    case KIND_NODES:
        return set_nodes(config, key, value, error);
    case KIND_DATABASE:
        return set_database(place, key, value, error);
    case KIND_FOLLOWER:
        return set_choice(place, key, value, followers, "forward or redirect", error);
    case KIND_LEVEL:
        return set_choice(place, key, value, levels, "debug, info, warning or error", error);
    }
    return GD_ERR_INVALID;
}

void gd_config_init(struct gd_node_config *config)
{
    *config = (struct gd_node_config){0};
    for (size_t i = 0; i < GD_COUNT(keys); i++) {
        if (keys[i].fallback != NULL) {
            enum gd_err err = set_value(config, &keys[i], keys[i].fallback, NULL);
            GD_ASSERT(err == GD_OK);
        }
    }
}

/* Names the known key that is nearest to a wrong one, when one is near. */
static const char *nearest_key(const char *name)
{
    const char *best = NULL;
    size_t best_common = 1;

    for (size_t i = 0; i < GD_COUNT(keys); i++) {
        size_t common = 0;

        while (name[common] != '\0' && name[common] == keys[i].name[common]) {
            common++;
        }
        if (common > best_common) {
            best_common = common;
            best = keys[i].name;
        }
    }
    return best;
}

static enum gd_err refuse_key(const char *name, struct gd_error *error)
{
    const char *near = nearest_key(name);

    return gd_error_set(
        error, GD_ERR_INVALID, "unknown key \"%.100s\"%s%s%s: `gandalf --help` has them all", name,
        near != NULL ? " (do you mean " : "", near != NULL ? near : "", near != NULL ? "?)" : "");
}

enum gd_err gd_config_set(struct gd_node_config *config, const char *key, const char *value,
                          struct gd_error *error)
{
    const struct key *row = find_key(key);

    if (row == NULL) {
        return refuse_key(key, error);
    }
    if (value == NULL && !may_stand_alone(row)) {
        return gd_error_set(error, GD_ERR_INVALID, "--%s wants a value", key);
    }
    return set_value(config, row, value == NULL ? "yes" : value, error);
}

/* ---------------------------------------------------------------- YAML */

/* Puts FILE:LINE in front of what `error` says. */
static enum gd_err at_line(const char *file, size_t line, enum gd_err code, struct gd_error *error)
{
    struct gd_error inner = *error;

    return gd_error_set(error, code, "%s:%zu: %.400s", file, line + 1, inner.text);
}

static const char *scalar(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static enum gd_err take_list(struct gd_node_config *config, const struct key *key,
                             yaml_document_t *document, const yaml_node_t *list,
                             struct gd_error *error)
{
    config->node_count = 0;
    for (const yaml_node_item_t *item = list->data.sequence.items.start;
         item < list->data.sequence.items.top; item++) {
        const yaml_node_t *node = yaml_document_get_node(document, *item);
        const char *text = scalar(node);

        enum gd_err err = add_node(config, key, text == NULL ? "?" : text, error);
        if (err != GD_OK) {
            return err;
        }
    }
    return GD_OK;
}

static enum gd_err take_pair(struct gd_node_config *config, bool *seen, yaml_document_t *document,
                             const yaml_node_t *name_node, const yaml_node_t *value,
                             struct gd_error *error)
{
    const char *name = scalar(name_node), *text = scalar(value);
    const struct key *key = name == NULL ? NULL : find_key(name);

    if (key == NULL) {
        return refuse_key(name == NULL ? "?" : name, error);
    }
    if (seen[key - keys]) {
        return gd_error_set(error, GD_ERR_INVALID, "%s: given twice", name);
    }
    seen[key - keys] = true;
    if (key->kind == KIND_NODES && value->type == YAML_SEQUENCE_NODE) {
        return take_list(config, key, document, value, error);
    }
    if (text == NULL || strlen(text) != value->data.scalar.length) {
        return gd_error_set(error, GD_ERR_INVALID, "%s: wants a single value", name);
    }
    return set_value(config, key, text, error);
}

static enum gd_err take_document(struct gd_node_config *config, const char *file,
                                 yaml_document_t *document, struct gd_error *error)
{
    const yaml_node_t *root = yaml_document_get_root_node(document);
    bool seen[GD_COUNT(keys)] = {false};

    if (root == NULL) {
        return GD_OK; /* An empty file: the defaults. */
    }
    if (root->type != YAML_MAPPING_NODE) {
        (void)gd_error_set(error, GD_ERR_INVALID, "not a list of `key: value` lines");
        return at_line(file, root->start_mark.line, GD_ERR_INVALID, error);
    }
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(document, pair->value);

        if (take_pair(config, seen, document, name, value, error) != GD_OK) {
            return at_line(file, name->start_mark.line, GD_ERR_INVALID, error);
        }
    }
    return GD_OK;
}

enum gd_err gd_config_read(struct gd_node_config *config, const char *file, struct gd_error *error)
{
    yaml_parser_t parser;
    yaml_document_t document;
    enum gd_err err;
    FILE *input = fopen(file, "rb");

    if (input == NULL) {
        err = errno == ENOENT ? GD_ERR_NOT_FOUND : errno == EACCES ? GD_ERR_PERMISSION : GD_ERR_IO;
        return gd_error_set(error, err, "%s: cannot read it: %s", file, strerror(errno));
    }
    if (yaml_parser_initialize(&parser) == 0) {
        (void)fclose(input);
        return gd_error_set(error, GD_ERR_IO, "%s: out of memory", file);
    }
    yaml_parser_set_input_file(&parser, input);
    if (yaml_parser_load(&parser, &document) == 0) {
        err = gd_error_set(error, GD_ERR_INVALID, "%s:%zu: not YAML: %s", file,
                           parser.problem_mark.line + 1,
                           parser.problem != NULL ? parser.problem : "cannot be read");
    } else {
        err = take_document(config, file, &document, error);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    (void)fclose(input);
    return err;
}

/* ---------------------------------------------------------------- the whole */

/* The folder of a path: "a/b" -> "a", "a/" -> "a", "b" -> ".". */
static void folder_of(const char *path, char *folder, size_t capacity)
{
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);

    (void)snprintf(folder, capacity, "%.*s", size == 0 ? 1 : (int)size, size == 0 ? "." : path);
}

enum gd_err gd_config_finish(struct gd_node_config *config, struct gd_error *error)
{
    struct gd_address peer, client;

    if (config->timeout_ms < 2 * config->heartbeat_ms) {
        return gd_error_set(error, GD_ERR_INVALID,
                            "timeout: %llu ms are less than two heartbeats of %llu ms: raise "
                            "timeout or lower heartbeat",
                            (unsigned long long)config->timeout_ms,
                            (unsigned long long)config->heartbeat_ms);
    }
    if (config->database_scripts && strncmp(config->database, "resp", 4) != 0) {
        return gd_error_set(error, GD_ERR_INVALID,
                            "database_scripts: %.100s runs no scripts: they are for a database "
                            "behind resp://host:port",
                            config->database);
    }
    if (config->segment_size % 4096 != 0) {
        return gd_error_set(error, GD_ERR_INVALID, "segment_size: not a multiple of 4096 bytes");
    }
    if (!join_address(config->host, config->port, &peer) ||
        !join_address(config->connection_host, config->connection_port, &client)) {
        return gd_error_set(error, GD_ERR_INVALID, "host: too long");
    }
    if (strcmp(peer.text, client.text) == 0) {
        return gd_error_set(error, GD_ERR_INVALID,
                            "connection_port: %s is where the peers connect: give clients another",
                            client.text);
    }
    for (size_t i = 0; i < config->node_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(config->nodes[i].text, config->nodes[j].text) == 0) {
                return gd_error_set(error, GD_ERR_INVALID, "nodes: %s is there twice",
                                    config->nodes[i].text);
            }
        }
    }
    /* Files that name every member, this node among them, are as good. */
    size_t kept = 0;
    for (size_t i = 0; i < config->node_count; i++) {
        if (strcmp(config->nodes[i].text, peer.text) != 0) {
            config->nodes[kept++] = config->nodes[i];
        }
    }
    config->node_count = kept;
    if (config->data_dir[0] == '\0' && config->snapshot_path[0] != '\0') {
        folder_of(config->snapshot_path, config->data_dir, sizeof config->data_dir);
    }
    if (config->data_dir[0] == '\0') {
        (void)snprintf(config->data_dir, sizeof config->data_dir, "gandalf-data-%llu",
                       (unsigned long long)config->port);
    }
    return GD_OK;
}

void gd_config_addresses(const struct gd_node_config *config, struct gd_address *peer,
                         struct gd_address *client)
{
    bool good = join_address(config->host, config->port, peer);

    GD_ASSERT(good);
    good = join_address(config->connection_host, config->connection_port, client);
    GD_ASSERT(good);
}

/* ---------------------------------------------------------------- flags */

/* Flags that are no keys: these take a file ... */
static bool names_file(const char *name)
{
    return strcmp(name, "config") == 0 || strcmp(name, "check-config") == 0;
}
/* ... and these take nothing. */
static bool asks(const char *name)
{
    return strcmp(name, "help") == 0 || strcmp(name, "version") == 0;
}

struct flag {
    char name[64];
    const char *value; /* NULL: none was given. */
};

/* Splits `--name=value`, `--name value` or `--name`; moves `*at` behind it. */
static enum gd_err next_flag(int argc, char *const *argv, int *at, struct flag *flag,
                             struct gd_error *error)
{
    const char *text = argv[(*at)++];
    const char *equals = strchr(text, '=');
    size_t size = equals != NULL ? (size_t)(equals - text) : strlen(text);

    if (strcmp(text, "-h") == 0) {
        text = "--help";
        size = 6;
    }
    if (strncmp(text, "--", 2) != 0 || size < 3 || size - 2 >= sizeof flag->name) {
        return gd_error_set(error, GD_ERR_INVALID,
                            "\"%.100s\" is not a flag: `gandalf --help` has them all", text);
    }
    memcpy(flag->name, text + 2, size - 2);
    flag->name[size - 2] = '\0';
    flag->value = equals != NULL ? equals + 1 : NULL;
    const struct key *key = find_key(flag->name);
    if (key == NULL && !names_file(flag->name) && !asks(flag->name)) {
        return refuse_key(flag->name, error);
    }
    bool optional = key == NULL ? asks(flag->name) : may_stand_alone(key);
    if (flag->value == NULL && *at < argc &&
        (!optional || (key != NULL && strncmp(argv[*at], "--", 2) != 0))) {
        flag->value = argv[(*at)++];
    }
    return GD_OK;
}

/* First pass: what is asked for, and which file. */
static enum gd_err scan(int argc, char *const *argv, enum gd_config_action *action,
                        const char **file, struct gd_error *error)
{
    struct flag flag = {0};

    *action = GD_CONFIG_RUN;
    *file = NULL;
    for (int at = 1; at < argc;) {
        enum gd_err err = next_flag(argc, argv, &at, &flag, error);

        if (err != GD_OK) {
            return err;
        }
        if (asks(flag.name)) {
            *action = flag.name[0] == 'h' ? GD_CONFIG_HELP : GD_CONFIG_VERSION;
            return GD_OK;
        }
        if (names_file(flag.name)) {
            if (flag.value == NULL) {
                return gd_error_set(error, GD_ERR_INVALID, "--%s wants a file", flag.name);
            }
            *action = strcmp(flag.name, "check-config") == 0 ? GD_CONFIG_CHECK : *action;
            *file = flag.value;
        }
    }
    return GD_OK;
}

enum gd_err gd_config_command_line(struct gd_node_config *config, int argc, char *const *argv,
                                   enum gd_config_action *action, struct gd_error *error)
{
    const char *file;
    struct flag flag;
    enum gd_err err = scan(argc, argv, action, &file, error);

    gd_config_init(config);
    if (err != GD_OK || *action == GD_CONFIG_HELP || *action == GD_CONFIG_VERSION) {
        return err;
    }
    if (file != NULL && (err = gd_config_read(config, file, error)) != GD_OK) {
        return err;
    }
    for (int at = 1; at < argc;) {
        err = next_flag(argc, argv, &at, &flag, error);
        GD_ASSERT(err == GD_OK); /* The first pass took the same. */
        if (!names_file(flag.name) &&
            (err = gd_config_set(config, flag.name, flag.value, error)) != GD_OK) {
            return err;
        }
    }
    err = gd_config_finish(config, error);
    if (err != GD_OK && file != NULL) {
        struct gd_error inner = *error;

        return gd_error_set(error, err, "%s: %.400s", file, inner.text);
    }
    return err;
}

char *gd_config_help(void)
{
    struct gd_bytes text = {0};

    gd_bytes_add_text(
        &text,
        "gandalf: a node that brings consensus to a database.\n\n"
        "  gandalf --config FILE [--KEY VALUE ...]   run a node\n"
        "  gandalf --check-config FILE               read a configuration, run nothing\n"
        "  gandalf inspect [--json] DIRECTORY ...    what a stopped node holds, and is it "
        "sound\n"
        "  gandalf backup --from HOST:PORT -o FILE   a snapshot of a running cluster\n"
        "  gandalf restore FILE --data-dir DIRECTORY --nodes HOST:PORT,... --self HOST:PORT\n"
        "  gandalf recover --data-dir DIRECTORY --nodes HOST:PORT [--yes]   a lost majority\n"
        "  gandalf --version | --help\n\n"
        "FILE is YAML, a `key: value` on each line. Every key is also a flag; a flag wins.\n"
        "Exit status: 0 fine, 1 the node could not start or go on, 2 bad usage or\n"
        "configuration, 70 an internal error.\n\n");
    for (size_t i = 0; i < GD_COUNT(keys); i++) {
        const struct key *key = &keys[i];
        bool shown = key->fallback != NULL && key->fallback[0] != '\0';

        gd_bytes_format(&text, "  %-20s %s%s%s%s\n", key->name, key->help, shown ? " [" : "",
                        shown ? key->fallback : "", shown ? "]" : "");
    }
    gd_bytes_add_u8(&text, 0);
    return (char *)text.data;
}
