/* bench_fixture.c - how fast another simulator of a Raft cluster is: raft/fixture.h of libraft.
 *
 * Three servers, eight clients that each propose 64 bytes as soon as their last proposal was
 * applied, for a real time given in seconds. The figures stand beside those of gandalf-sim in
 * sim_speed.sh. Only the Raft core runs here; no log on disk, no sessions, no database. */
#include <inttypes.h>
#include <raft.h>
#include <raft/fixture.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SERVERS 3
#define CLIENTS 8
#define VALUE_SIZE 64

struct client {
    struct raft_apply request;
    struct raft *leader;
    uint64_t done;
};

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buffer, void **result)
{
    (void)fsm;
    (void)buffer;
    *result = NULL;
    return 0;
}

/* Never called: the threshold is beyond what a run reaches. */
static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *buffers[], unsigned *count)
{
    (void)fsm;
    (void)buffers;
    (void)count;
    return RAFT_BUSY;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buffer)
{
    (void)fsm;
    raft_free(buffer->base);
    return 0;
}

static void propose(struct client *client);

static void proposed(struct raft_apply *request, int status, void *result)
{
    struct client *client = request->data;
    (void)result;
    if (status == 0) {
        client->done++;
        propose(client);
    }
}

static void propose(struct client *client)
{
    struct raft_buffer buffer = {.base = raft_malloc(VALUE_SIZE), .len = VALUE_SIZE};
    if (buffer.base == NULL) {
        exit(1);
    }
    memset(buffer.base, 'v', VALUE_SIZE);
    client->request.data = client;
    if (raft_apply(client->leader, &client->request, &buffer, 1, proposed) != 0) {
        raft_free(buffer.base);
    }
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void must(int status, const char *what)
{
    if (status != 0) {
        (void)fprintf(stderr, "bench_fixture: %s: %s\n", what, raft_strerror(status));
        exit(1);
    }
}

int main(int count, char **words)
{
    static struct raft_fixture fixture;
    static struct raft_fsm fsms[SERVERS];
    static struct client clients[CLIENTS];
    double limit = count > 1 ? atof(words[1]) : 3;
    struct raft_configuration configuration;
    uint64_t events = 0;
    uint64_t entries = 0;
    must(raft_fixture_initialize(&fixture), "initialize");
    for (unsigned i = 0; i < SERVERS; i++) {
        fsms[i] = (struct raft_fsm){
            .version = 1, .apply = fsm_apply, .snapshot = fsm_snapshot, .restore = fsm_restore};
        must(raft_fixture_grow(&fixture, &fsms[i]), "grow");
        raft_set_snapshot_threshold(raft_fixture_get(&fixture, i), 1U << 30);
    }
    must(raft_fixture_configuration(&fixture, SERVERS, &configuration), "configuration");
    must(raft_fixture_bootstrap(&fixture, &configuration), "bootstrap");
    raft_configuration_close(&configuration);
    must(raft_fixture_start(&fixture), "start");
    raft_fixture_elect(&fixture, 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].leader = raft_fixture_get(&fixture, 0);
        propose(&clients[i]);
    }
    raft_time begun = raft_fixture_time(&fixture);
    double start = seconds();
    double spent = 0;
    while (spent < limit) {
        for (unsigned i = 0; i < 1000; i++) {
            (void)raft_fixture_step(&fixture);
            events++;
        }
        spent = seconds() - start;
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        entries += clients[i].done;
    }
    (void)printf("%.0f %.0f %.1f\n", (double)entries / spent, (double)events / spent,
                 (double)(raft_fixture_time(&fixture) - begun) / 1000 / spent);
    /* The fixture goes with the process: closing it would answer requests that ask again. */
    return 0;
}
