/* client_status.c - `gandalf-kvs status`: each node asked for itself, put into one table.
 *
 * The first node tells who the members are; every member is then asked for its own RAFT STATUS, so
 * that the table shows what each believes, also where they disagree. The lag of a row is what the
 * leader says of that node. Who answers at a member's address need not be that member: one of
 * another cluster, or another id, is told from it, and counts for nothing. */
#include "kvs/client.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MEMBERS_MAX = 64, WAIT_S = 2 };

struct member {
    uint64_t id;
    char peer[GD_CLIENT_HOST_SIZE], client[GD_CLIENT_HOST_SIZE], kind[24];
    bool answered; /* With a status, whoever it was. */
    bool itself;   /* It was this member. */
    uint64_t answered_as;
    char cluster[24], role[24];
    uint64_t term, leader, commit, applied;
    bool has_lag;
    uint64_t lag;
};
struct table {
    struct member members[MEMBERS_MAX];
    size_t count;
    char cluster[24]; /* Of whom the members were asked from. */
};

static void take_text(const struct gd_resp_item *item, char *to, size_t size)
{
    (void)snprintf(to, size, "%.*s", (int)(item->text.size < size ? item->text.size : size - 1),
                   (const char *)item->text.data);
}

static uint64_t take_number(const struct gd_resp_item *item)
{
    char text[32];

    take_text(item, text, sizeof text);
    return strtoull(text, NULL, 10);
}

static bool is(const struct gd_resp_item *item, const char *name)
{
    return item->count == 0 && item->text.size == strlen(name) &&
           memcmp(item->text.data, name, item->text.size) == 0;
}

/* A map, or what stands for one where only RESP2 is spoken: an array of names and values. */
static bool take_map(struct gd_slice *reply, size_t *pairs)
{
    struct gd_resp_item map;

    if (!gd_resp_item_take(reply, &map) ||
        (map.kind != '%' && (map.kind != '*' || map.count % 2 != 0))) {
        return false;
    }
    *pairs = map.kind == '%' ? map.count : map.count / 2;
    return true;
}

/* RAFT NODES: an array of maps. */
static bool read_nodes(struct gd_slice reply, struct table *table)
{
    struct gd_resp_item list, name, value;
    size_t pairs;

    if (!gd_resp_item_take(&reply, &list) || list.kind != '*') {
        return false;
    }
    for (size_t i = 0; i < list.count && table->count < MEMBERS_MAX; i++) {
        struct member *member = &table->members[table->count];
        if (!take_map(&reply, &pairs)) {
            return false;
        }
        *member = (struct member){0};
        for (size_t pair = 0; pair < pairs; pair++) {
            if (!gd_resp_item_take(&reply, &name) || !gd_resp_item_take(&reply, &value)) {
                return false;
            }
            if (is(&name, "id")) {
                member->id = take_number(&value);
            } else if (is(&name, "address")) {
                take_text(&value, member->peer, sizeof member->peer);
            } else if (is(&name, "client")) {
                take_text(&value, member->client, sizeof member->client);
            } else if (is(&name, "member")) {
                take_text(&value, member->kind, sizeof member->kind);
            }
        }
        table->count++;
    }
    return true;
}

static struct member *find(struct table *table, uint64_t id)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->members[i].id == id) {
            return &table->members[i];
        }
    }
    return NULL;
}

/* The leader's list of peers, an array of maps; `reply` moves behind it. */
static bool read_peers(struct gd_slice *reply, size_t count, struct table *table)
{
    struct gd_resp_item name, value;
    size_t pairs;

    for (size_t i = 0; i < count; i++) {
        struct member *member = NULL;
        if (!take_map(reply, &pairs)) {
            return false;
        }
        for (size_t pair = 0; pair < pairs; pair++) {
            if (!gd_resp_item_take(reply, &name) || !gd_resp_item_take(reply, &value)) {
                return false;
            }
            if (is(&name, "id")) {
                member = find(table, take_number(&value));
            } else if (is(&name, "lag_entries") && member != NULL) {
                member->lag = take_number(&value);
                member->has_lag = true;
            }
        }
    }
    return true;
}

/* RAFT STATUS: a map. */
static bool read_status(struct gd_slice reply, struct member *member, struct table *table)
{
    struct gd_resp_item name, value;
    size_t pairs;

    if (!take_map(&reply, &pairs)) {
        return false;
    }
    for (size_t pair = 0; pair < pairs; pair++) {
        if (!gd_resp_item_take(&reply, &name) || !gd_resp_item_take(&reply, &value)) {
            return false;
        }
        if (is(&name, "id")) {
            member->answered_as = take_number(&value);
        } else if (is(&name, "cluster")) {
            take_text(&value, member->cluster, sizeof member->cluster);
        } else if (is(&name, "role")) {
            take_text(&value, member->role, sizeof member->role);
        } else if (is(&name, "term")) {
            member->term = take_number(&value);
        } else if (is(&name, "leader")) {
            member->leader = take_number(&value);
        } else if (is(&name, "commit_index")) {
            member->commit = take_number(&value);
        } else if (is(&name, "applied_index")) {
            member->applied = take_number(&value);
        } else if (is(&name, "peers") && !read_peers(&reply, value.count, table)) {
            return false;
        }
    }
    return true;
}

static enum gd_client_result ask(struct gd_client *client, const char *what, struct gd_slice *reply)
{
    struct gd_slice args[2] = {{(const uint8_t *)"RAFT", 4}, {(const uint8_t *)what, strlen(what)}};

    return gd_client_ask(client, args, 2, reply);
}

static void ask_member(const struct gd_client_options *options, struct member *member,
                       struct table *table)
{
    struct gd_client client;
    struct gd_slice reply;
    char host[GD_CLIENT_HOST_SIZE];
    char *colon;

    (void)snprintf(host, sizeof host, "%s", member->client);
    colon = strrchr(host, ':');
    if (colon == NULL) {
        return; /* Where it serves clients is not known yet. */
    }
    *colon = '\0';
    gd_client_init(&client, options);
    client.protocol = 3;
    client.wait_s = WAIT_S;
    gd_client_point(&client, host, (uint16_t)strtoul(colon + 1, NULL, 10));
    member->answered =
        ask(&client, "STATUS", &reply) == GD_CLIENT_OK && read_status(reply, member, table);
    member->itself = member->answered && member->answered_as == member->id &&
                     strcmp(member->cluster, table->cluster) == 0;
    gd_client_release(&client);
}

static void print_row(const struct member *member)
{
    char lag[24] = "-";

    if (member->has_lag) {
        (void)snprintf(lag, sizeof lag, "%" PRIu64, member->lag);
    }
    (void)printf("%-4" PRIu64 " %-21s %-21s %-8s ", member->id,
                 member->client[0] == '\0' ? "?" : member->client, member->peer, member->kind);
    if (member->itself) {
        (void)printf("%-13s %6" PRIu64 " %10" PRIu64 " %10" PRIu64 " %8s\n", member->role,
                     member->term, member->commit, member->applied, lag);
    } else {
        (void)printf("%-13s %6s %10s %10s %8s\n", member->answered ? "a stranger" : "unreachable",
                     "-", "-", "-", lag);
    }
}

/* Of which cluster is the node whose members are asked for? */
static bool read_cluster(struct gd_client *client, struct table *table)
{
    struct gd_slice reply;
    struct table nobody = {.count = 0};
    struct member self = {0};

    if (ask(client, "STATUS", &reply) != GD_CLIENT_OK || !read_status(reply, &self, &nobody)) {
        return false;
    }
    (void)snprintf(table->cluster, sizeof table->cluster, "%s", self.cluster);
    return true;
}

int gd_client_status(const struct gd_client_options *options)
{
    struct table table = {.count = 0};
    struct gd_client client;
    struct gd_slice reply;
    size_t voters = 0, answering = 0;
    bool led = false;

    gd_client_init(&client, options);
    client.protocol = 3;
    client.wait_s = WAIT_S;
    if (ask(&client, "NODES", &reply) != GD_CLIENT_OK) {
        (void)fprintf(stderr, "gandalf-kvs: %s\n", client.error);
        gd_client_release(&client);
        return 2;
    }
    if (reply.data[0] == '-' || !read_nodes(reply, &table)) {
        (void)fprintf(stderr, "gandalf-kvs: %s:%u does not tell its members: %.*s\n", client.host,
                      client.port, (int)reply.size, (const char *)reply.data);
        gd_client_release(&client);
        return 1;
    }
    if (!read_cluster(&client, &table)) {
        (void)fprintf(stderr, "gandalf-kvs: %s:%u does not tell its status\n", client.host,
                      client.port);
        gd_client_release(&client);
        return 1;
    }
    gd_client_release(&client);
    for (size_t i = 0; i < table.count; i++) {
        ask_member(options, &table.members[i], &table);
    }
    (void)printf("%-4s %-21s %-21s %-8s %-13s %6s %10s %10s %8s\n", "id", "clients", "peers",
                 "member", "role", "term", "commit", "applied", "lag");
    for (size_t i = 0; i < table.count; i++) {
        const struct member *member = &table.members[i];
        bool votes = strcmp(member->kind, "voter") == 0;
        voters += votes ? 1 : 0;
        answering += votes && member->itself ? 1 : 0;
        led = led || (member->itself && strcmp(member->role, "leader") == 0);
        print_row(member);
    }
    (void)printf("%zu of %zu voters answer; %s\n", answering, voters,
                 led ? "there is a leader" : "no leader");
    return led && answering > voters / 2 ? 0 : 1;
}
