/* The configuration: every kind of key, the file's line in every error, and flags that win. */
#include "io-real/config.h"
#include "engine/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char path[64];

static int make_path(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/gandalf-config-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_path(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static enum gd_err read_text(struct gd_node_config *config, const char *text,
                             struct gd_error *error)
{
    write_file(text);
    gd_config_init(config);
    enum gd_err err = gd_config_read(config, path, error);
    return err != GD_OK ? err : gd_config_finish(config, error);
}

static void test_config_defaults(void **state)
{
    struct gd_node_config config;
    struct gd_error error;
    struct gd_address peer, client;

    (void)state;
    assert_int_equal(read_text(&config, "", &error), GD_OK);
    gd_config_addresses(&config, &peer, &client);
    assert_string_equal(peer.text, "127.0.0.1:7600"); /* Loopback unless told otherwise. */
    assert_string_equal(client.text, "127.0.0.1:9876");
    assert_string_equal(config.database, "kvs");
    assert_string_equal(config.data_dir, "gandalf-data-7600");
    assert_int_equal(config.heartbeat_ms, 100);
    assert_int_equal(config.timeout_ms, 1000);
    assert_int_equal(config.follower, GD_FOLLOWER_FORWARD);
    assert_int_equal(config.log_level, GD_LOG_INFO);
    assert_int_equal(config.proto_max_bulk_len, 512 << 20);
    assert_int_equal(config.node_count, 0);
    assert_false(config.join);
}

static void test_config_file_with_every_key(void **state)
{
    struct gd_node_config config;
    struct gd_error error;

    (void)state;
    assert_int_equal(read_text(&config,
                               "# a comment\n"
                               "host: '::1'\nport: 7001\nnodes:\n  - 127.0.0.1:7002\n"
                               "  - \"[::1]:7003\"\nid: 4\njoin: false\nheartbeat: 50\n"
                               "timeout: 300\nrequest_timeout: 2000\nconnection_host: localhost\n"
                               "connection_port: 9000\nfollower: redirect\nlease: yes\n"
                               "requirepass: secret\ndatabase: resp://db:6380\n"
                               "database_scripts: yes\n"
                               "client_host: 10.0.0.1\nclient_port: 6381\ndata_dir: /var/x\n"
                               "snapshot_path: /tmp/s/snap\nsnapshot_offset: 500\n"
                               "snapshot_log_size: 8mb\nsegment_size: 1MB\ntail_count: 7\n"
                               "max_clients: 9\nproto_max_bulk_len: 2kb\n"
                               "client_output_limit: 100000\nuncommitted_limit: 1m\n"
                               "pending_limit: 3gb\nlog_level: warning\n",
                               &error),
                     GD_OK);
    assert_string_equal(config.host, "::1");
    assert_int_equal(config.node_count, 2);
    assert_string_equal(config.nodes[1].text, "[::1]:7003");
    assert_int_equal(config.id, 4);
    assert_int_equal(config.request_timeout_ms, 2000);
    assert_int_equal(config.follower, GD_FOLLOWER_REDIRECT);
    assert_true(config.lease);
    assert_string_equal(config.requirepass, "secret");
    assert_string_equal(config.database, "resp://db:6380");
    assert_true(config.database_scripts);
    assert_string_equal(config.data_dir, "/var/x");
    assert_int_equal(config.snapshot_offset, 500);
    assert_int_equal(config.snapshot_log_size, 8 << 20);
    assert_int_equal(config.segment_size, 1 << 20);
    assert_int_equal(config.uncommitted_limit, 1000000);
    assert_int_equal(config.pending_limit, INT64_C(3) << 30);
    assert_int_equal(config.log_level, GD_LOG_WARNING);
    struct gd_address peer, client;
    gd_config_addresses(&config, &peer, &client);
    assert_string_equal(peer.text, "[::1]:7001");
}

/* Each bad file: one line, with the file and the line in front, and what is wrong. */
static void test_config_file_errors(void **state)
{
    static const struct {
        const char *name;
        const char *text;
        const char *line; /* ":N:", or "" where no line is to blame. */
        const char *want;
    } cases[] = {
        {"unknown key", "host: a\nhots: b\n", ":2:", "unknown key \"hots\" (do you mean host?)"},
        {"unknown and far", "zzz: 1\n", ":1:", "unknown key \"zzz\":"},
        {"twice", "port: 1\nid: 3\nport: 2\n", ":3:", "port: given twice"},
        {"port too large", "\nport: 65536\n", ":2:", "port: bad value \"65536\""},
        {"port zero", "port: 0\n", ":1:", "port: bad value"},
        {"number with a tail", "heartbeat: 10ms\n", ":1:", "heartbeat: bad value \"10ms\""},
        {"negative", "timeout: -5\n", ":1:", "timeout: bad value"},
        {"overflow", "id: 99999999999999999999999\n", ":1:", "id: bad value"},
        {"empty number", "id:\n", ":1:", "id: bad value \"\""},
        {"more than a frame", "proto_max_bulk_len: 1gb\n", ":1:", "proto_max_bulk_len: bad value"},
        {"size unit", "segment_size: 5xb\n", ":1:", "segment_size: bad value"},
        {"segment not whole blocks", "segment_size: 70001\n", "", "multiple of 4096"},
        {"yes or no", "join: maybe\n", ":1:", "give a member's host:port, yes or no"},
        {"follower", "follower: drop\n", ":1:", "give forward or redirect"},
        {"level", "log_level: loud\n", ":1:", "debug, info, warning or error"},
        {"database", "database: sql\n",
         ":1:", "give kvs, resp, resp://host:port, sqlite or sqlite:FILE"},
        {"sqlite without a file", "database: 'sqlite:'\n", ":1:", "database: bad value"},
        {"host with port", "host: a:1\nport: 2\n", ":1:", "host: bad value \"a:1\""},
        {"host with a space", "host: 'a b'\n", ":1:", "host: bad value"},
        {"node without port", "nodes: [a]\n", ":1:", "nodes: bad value \"a\": give host:port"},
        {"node with port 0", "nodes: [a:0]\n", ":1:", "give host:port"},
        {"node twice", "nodes: [a:1, a:1]\n", "", "nodes: a:1 is there twice"},
        {"node is a map", "nodes: [{a: 1}]\n", ":1:", "nodes: bad value"},
        {"list for one value", "host: [a]\n", ":1:", "host: wants a single value"},
        {"not a map", "- a\n- b\n", ":1:", "not a list of `key: value` lines"},
        {"not YAML", "host: a\n  port: 1\n", ":2:", "not YAML"},
        {"tab", "host:\n\t- a\n", ":2:", "not YAML"},
        {"binary", "\x01\x02", ":1:", "not YAML"},
        {"timeout below two heartbeats", "heartbeat: 100\ntimeout: 150\n", "",
         "timeout: 150 ms are less than two heartbeats of 100 ms"},
        {"scripts without a database for them", "database_scripts: yes\n", "",
         "database_scripts: kvs runs no scripts"},
        {"both listeners at one place", "port: 5\nconnection_port: 5\n", "", "connection_port:"},
    };
    struct gd_node_config config;

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_error error = {0};
        char begin[128];

        print_message("case: %s\n", cases[i].name);
        assert_int_equal(read_text(&config, cases[i].text, &error), GD_ERR_INVALID);
        (void)snprintf(begin, sizeof begin, "%s%s", cases[i].line[0] != '\0' ? path : "",
                       cases[i].line);
        if (strncmp(error.text, begin, strlen(begin)) != 0 ||
            strstr(error.text, cases[i].want) == NULL || strchr(error.text, '\n') != NULL) {
            fail_msg("got: %s", error.text);
        }
    }
}

static void test_config_unreadable_file(void **state)
{
    struct gd_node_config config;
    struct gd_error error;

    (void)state;
    gd_config_init(&config);
    assert_int_equal(gd_config_read(&config, "/nowhere/at/all", &error), GD_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nowhere/at/all: cannot read it"));
    assert_int_not_equal(gd_config_read(&config, "/", &error), GD_OK);
}

static enum gd_err command_line(struct gd_node_config *config, char *const *argv,
                                enum gd_config_action *action, struct gd_error *error)
{
    int argc = 0;

    while (argv[argc] != NULL) {
        argc++;
    }
    return gd_config_command_line(config, argc, argv, action, error);
}

static void test_config_flags_win(void **state)
{
    struct gd_node_config config;
    struct gd_error error;
    enum gd_config_action action;
    char g[] = "gandalf", a[] = "--port", b[] = "7009", c[] = "--config", d[] = "--join",
         e[] = "--nodes=x:1,y:2", f[] = "--host=h", h[] = "--lease", i[] = "off";
    char *argv[] = {g, a, b, c, path, d, e, f, h, i, NULL};

    (void)state;
    write_file("port: 7001\nheartbeat: 20\nlease: on\nnodes: [z:3]\n");
    assert_int_equal(command_line(&config, argv, &action, &error), GD_OK);
    assert_int_equal(action, GD_CONFIG_RUN);
    assert_int_equal(config.port, 7009);
    assert_int_equal(config.heartbeat_ms, 20);
    assert_true(config.join);
    assert_false(config.lease);
    assert_string_equal(config.host, "h");
    assert_int_equal(config.node_count, 2);
    assert_string_equal(config.nodes[1].text, "y:2");
    assert_string_equal(config.data_dir, "gandalf-data-7009");
}

static void test_config_command_line_cases(void **state)
{
    static const struct {
        const char *name;
        const char *flags[4];
        enum gd_err err;
        enum gd_config_action action;
        const char *want; /* In the error. */
    } cases[] = {
        {"nothing", {NULL}, GD_OK, GD_CONFIG_RUN, NULL},
        {"help", {"--help"}, GD_OK, GD_CONFIG_HELP, NULL},
        {"help among others", {"--port", "1", "--help"}, GD_OK, GD_CONFIG_HELP, NULL},
        {"short help", {"-h"}, GD_OK, GD_CONFIG_HELP, NULL},
        {"version", {"--version"}, GD_OK, GD_CONFIG_VERSION, NULL},
        {"no value", {"--port"}, GD_ERR_INVALID, 0, "--port wants a value"},
        {"no file", {"--config"}, GD_ERR_INVALID, 0, "--config wants a file"},
        {"unknown flag", {"--prot", "1"}, GD_ERR_INVALID, 0, "unknown key \"prot\""},
        {"a word", {"start"}, GD_ERR_INVALID, 0, "\"start\" is not a flag"},
        {"two dashes", {"--"}, GD_ERR_INVALID, 0, "is not a flag"},
        {"bad value", {"--port=x"}, GD_ERR_INVALID, 0, "port: bad value \"x\""},
        {"empty value", {"--port="}, GD_ERR_INVALID, 0, "port: bad value \"\""},
        {"value after =", {"--requirepass=a=b"}, GD_OK, GD_CONFIG_RUN, NULL},
        {"absent file", {"--config", "/no/such"}, GD_ERR_NOT_FOUND, 0, "/no/such: cannot read"},
        {"check", {"--check-config", "/dev/null"}, GD_OK, GD_CONFIG_CHECK, NULL},
    };

    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_node_config config;
        struct gd_error error = {0};
        enum gd_config_action action;
        char copies[5][64] = {"gandalf"};
        char *argv[6] = {copies[0]};

        print_message("case: %s\n", cases[i].name);
        for (size_t j = 0; j < 4 && cases[i].flags[j] != NULL; j++) {
            (void)snprintf(copies[j + 1], sizeof copies[0], "%s", cases[i].flags[j]);
            argv[j + 1] = copies[j + 1];
        }
        assert_int_equal(command_line(&config, argv, &action, &error), cases[i].err);
        if (cases[i].err == GD_OK) {
            assert_int_equal(action, cases[i].action);
        } else if (strstr(error.text, cases[i].want) == NULL) {
            fail_msg("got: %s", error.text);
        }
    }
}

/* The seed's kind of file: every member, this node among them, and a snapshot's path. */
static void test_config_like_the_seeds(void **state)
{
    struct gd_node_config config;
    struct gd_error error;

    (void)state;
    assert_int_equal(read_text(&config,
                               "host: 127.0.0.1\nport: 8081\nnodes: [127.0.0.1:8080, "
                               "127.0.0.1:8081, 127.0.0.1:8082]\nsnapshot_path: data/one.snap\n",
                               &error),
                     GD_OK);
    assert_int_equal(config.node_count, 2);
    assert_string_equal(config.nodes[0].text, "127.0.0.1:8080");
    assert_string_equal(config.nodes[1].text, "127.0.0.1:8082");
    assert_string_equal(config.data_dir, "data");
}

static void test_config_help_has_every_key(void **state)
{
    char *help = gd_config_help();

    (void)state;
    assert_non_null(strstr(help, "  connection_port "));
    assert_non_null(strstr(help, "  log_level "));
    assert_non_null(strstr(help, "--check-config"));
    gd_free(help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_defaults),
        cmocka_unit_test(test_config_file_with_every_key),
        cmocka_unit_test(test_config_file_errors),
        cmocka_unit_test(test_config_unreadable_file),
        cmocka_unit_test(test_config_flags_win),
        cmocka_unit_test(test_config_command_line_cases),
        cmocka_unit_test(test_config_like_the_seeds),
        cmocka_unit_test(test_config_help_has_every_key),
    };

    return cmocka_run_group_tests(tests, make_path, drop_path);
}
