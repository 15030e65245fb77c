/* Stories that every cluster must live through. Each is a plan, as one would write it by hand; what
 * must hold is everything that the simulator checks, and what the row says on top.
 *
 * A story whose crash never happens proves nothing, and passes: so a row says how many must have
 * happened. Where one belongs into the middle of something, it waits for a disk operation that only
 * this thing does (a follower's write of a piece, a leader's read of one), not for a time. */
#include "engine/test/test.h"
#include "io-sim/world.h"
#include "sim/kvs_databases.h"
#include "sim/run.h"
#include <stdio.h>
#include <stdlib.h>

struct scenario {
    const char *name;
    const char *plan;
    uint64_t elections;      /* At least so many. */
    uint64_t elections_most; /* 0: any number. */
    uint64_t operations;     /* At least. */
    uint64_t crashes;        /* At least so many happened: a crash point is not enough. */
    const char *mark;        /* What the story tells of was met (GD_REACHED); NULL: it shows. */
};
struct change {
    struct scenario scenario;
    const char *members; /* At the end. */
};

static const struct scenario scenarios[] = {
    {"nothing goes wrong: one election, every request is answered", "seed 1\nduration 20s\n", 1, 1,
     390, 0, NULL},

    {"a single node is its own majority, and comes back with everything after each crash",
     "seed 2\nnodes 1\nduration 20s\n"
     "at 4s crash node 1 for 0.5s\n"
     "at 8s crash node 1 for 0.5s\n"
     "at 12s crash node 1 for 2s\n",
     4, 0, 150, 3, NULL},

    {"the leader is isolated, another leads, the old one follows when it is back",
     "seed 3\nduration 30s\n"
     "at 5s isolate leader for 8s\n",
     2, 0, 200, 0, NULL},

    {"the leader is isolated five times over",
     "seed 4\nduration 40s\nnodes 5\n"
     "at 5s isolate leader for 4s\n"
     "at 11s isolate leader for 4s\n"
     "at 17s isolate leader for 4s\n"
     "at 23s isolate leader for 4s\n"
     "at 29s isolate leader for 4s\n",
     6, 0, 150, 0, NULL},

    {"nothing reaches the leader, but its heartbeats still get out: check-quorum makes it step "
     "down",
     "seed 5\nduration 30s\n"
     "at 5s isolate-in leader for 10s\n",
     2, 0, 150, 0, "leader without a quorum stepped down"},

    {"the name of a received snapshot cannot be synced, its process falls soon after that, and "
     "once "
     "more when it has started",
     "seed 7\nduration 40s\nnode.snapshot_log_count 10\nnode.tail_count 2\n"
     "at 6s isolate node 3 for 8s\n"
     "at 14s fail-op receiver sync-directory count 1 for 3s\n"
     "at 14s crash stricken later 0.02s for 0.5s\n"
     "at 14.001s crash started later 0.2s for 0.5s\n",
     1, 0, 150, 2, "a snapshot that no mark of the log names is made durable again"},

    {"nothing leaves a follower: pre-vote keeps it from disturbing the others when it is back",
     "seed 6\nduration 30s\n"
     "at 5s isolate-out follower for 10s\n",
     1, 1, 200, 0, NULL},

    {"who has just installed a snapshot dies, and again when it is sent the next",
     "seed 61\nduration 40s\nnode.snapshot_log_count 20\nnode.tail_count 5\n"
     "at 4s crash node 3 for 6s\n"
     "at 4.1s crash restored for 5s\n"
     "at 11s crash restored for 1s\n",
     1, 0, 200, 3, "installed snapshot finished at start"},

    {"Figure 8 of the paper: leaders with entries that only a minority holds, again and again",
     "seed 7\nnodes 5\nduration 40s\nclient.burst_chance 200000\nclient.burst_count "
     "30\nclient.even yes\n"
     "at 4s corner leader count 1 for 2s\n"
     "at 5s crash leader for 3s\n"
     "at 9s corner leader count 1 for 2s\n"
     "at 10s crash leader for 3s\n"
     "at 14s corner leader count 1 for 2s\n"
     "at 15s crash leader for 3s\n"
     "at 19s corner leader count 1 for 2s\n"
     "at 20s crash leader for 3s\n"
     "at 24s crash-all for 1s\n",
     5, 0, 100, 9, "conflicting suffix truncated"},

    {"a torn tail on two of three disks: what was acknowledged is on both nevertheless",
     "seed 8\nduration 20s\ndisk.torn 1000000\ndisk.lost 0\nclient.burst_chance "
     "200000\nclient.even yes\n"
     "at 6s crash-at node 1 half write-durable count 1 for 1s\n"
     "at 6s crash-at node 2 half write-durable count 1 for 1s\n"
     "at 12s crash-at node 2 half write-durable count 1 for 1s\n"
     "at 12s crash-at node 3 half write-durable count 1 for 1s\n",
     1, 0, 100, 4, "torn tail cut at start"},

    {"every unsynced write is lost, on all disks at once",
     "seed 9\nduration 20s\ndisk.lost 1000000\nclient.burst_chance 200000\nclient.even yes\n"
     "at 5s crash-all for 0.5s\n"
     "at 10s crash-all for 0.5s\n"
     "at 15s crash-all for 0.5s\n",
     4, 0, 100, 9, NULL},

    {"the restart of all nodes, one after another",
     "seed 10\nduration 30s\n"
     "at 5s stop node 1 for 2s\n"
     "at 11s stop node 2 for 2s\n"
     "at 17s stop node 3 for 2s\n",
     2, 0, 200, 0, NULL},

    {"wall clocks jump an hour forward and back: keys that were seen to expire stay so",
     "seed 11\nduration 30s\nmix.expire 40\n"
     "at 5s clock-jump leader by 3600s\n"
     "at 10s clock-jump leader by -3600s\n"
     "at 15s clock-jump follower by -7200s\n"
     "at 20s crash leader for 3s\n"
     "at 25s clock-jump leader by 60s\n",
     2, 0, 200, 1, "leader moved the replicated clock"},

    {"clocks that run differently and stand far apart",
     "seed 12\nduration 30s\nclock.skew 600s\nclock.drift 20000\nmix.expire 20\n"
     "at 10s crash leader for 3s\n"
     "at 20s crash leader for 3s\n",
     2, 0, 200, 2, NULL},

    {"the leader's disk becomes slow: a majority goes on without it",
     "seed 13\nduration 30s\n"
     "at 5s slow-disk leader count 500 for 10s\n",
     1, 0, 100, 0, NULL},

    {"a follower's disk is slow: nobody notices",
     "seed 14\nduration 30s\n"
     "at 5s slow-disk follower count 500 for 20s\n",
     1, 1, 300, 0, NULL},

    {"a snapshot travels to a node that was away, over a lossy link, in small chunks",
     "seed 15\nduration 40s\nnode.snapshot_log_count 20\nnode.tail_count 5\n"
     "node.snapshot_chunk_size 256\nvalue.size 200\n"
     "at 3s crash node 3 for 15s\n"
     "at 18s lossy node 3 count 200000 for 10s\n",
     1, 0, 200, 1, "snapshot received and stored"},

    {"whoever receives a snapshot crashes in the middle of it, and gets it nevertheless",
     "seed 16\nduration 40s\nnode.snapshot_log_count 20\nnode.tail_count 5\n"
     "node.snapshot_chunk_size 256\nkeys 30\nvalue.size 400\n"
     "at 3s crash node 3 for 10s\n"
     "at 13.05s crash-at node 3 half write count 2 for 3s\n"
     "at 16.1s crash-at node 3 after write count 5 for 3s\n"
     "at 19.15s crash-at node 3 before rename count 1 for 3s\n",
     1, 0, 200, 4, "a half received snapshot is gone on with"},

    {"the leader crashes while it sends a snapshot",
     "seed 17\nduration 40s\nnode.snapshot_log_count 20\nnode.tail_count 5\n"
     "node.snapshot_chunk_size 256\nkeys 30\nvalue.size 400\n"
     "at 3s crash node 3 for 10s\n"
     "at 12.9s crash-at leader after read count 6 for 3s\n",
     2, 0, 150, 2, "a half received snapshot is given up for another"},

    {"a crash in the middle of each kind of write of the log",
     "seed 18\nduration 40s\noperations 1000\nnode.segment_size 4KiB\ndisk.torn 500000\n"
     "at 3s crash-at leader half write-durable count 2 for 2s\n"
     "at 6s crash-at leader half sync count 2 for 2s\n"
     "at 9s crash-at leader before sync count 3 for 2s\n"
     "at 12s crash-at leader half preallocate count 1 for 2s\n"
     "at 15s crash-at leader after open count 1 for 2s\n"
     "at 18s crash-at leader before sync-directory count 1 for 2s\n"
     "at 21s crash-at leader after sync-directory count 1 for 2s\n",
     2, 0, 100, 7, NULL},

    {"a crash at each step of taking a snapshot",
     "seed 19\nduration 40s\noperations 1300\nnode.snapshot_log_count 15\n"
     "node.tail_count 3\nnode.segment_size 4KiB\n"
     "at 3s crash-at follower before rename count 1 for 2s\n"
     "at 8s crash-at follower after rename count 1 for 2s\n"
     "at 13s crash-at follower before unlink count 1 for 2s\n"
     "at 18s crash-at follower after unlink count 1 for 2s\n"
     "at 23s crash-at leader before rename count 1 for 2s\n",
     1, 0, 100, 5, "taken snapshot finished at start"},

    {"the disk of the leader is full for a while: refusals, no loss",
     "seed 20\nduration 30s\nnode.segment_size 4KiB\n"
     "at 5s full-disk leader for 6s\n",
     1, 0, 100, 0, "write refused: disk full"},

    {"a durable write fails: the node stops, and is trusted again only after a restart",
     "seed 21\nduration 30s\n"
     "at 5s fail-write leader count 1 for 3s\n"
     "at 15s fail-write follower count 1 for 3s\n",
     2, 0, 150, 0, "log failed: node stops"},

    {"a leader stands still for longer than an election, and wakes up as one",
     "seed 22\nduration 30s\n"
     "at 5s pause leader for 5s\n"
     "at 15s pause leader for 5s\n",
     2, 0, 150, 0, "leader without a quorum stepped down"},

    {"two halves that only one node can reach",
     "seed 23\nnodes 5\nduration 30s\n"
     "at 5s bridge follower for 6s\n"
     "at 14s bridge leader for 6s\n",
     1, 0, 150, 0, NULL},

    {"a ring, where nobody reaches everybody",
     "seed 24\nnodes 5\nduration 30s\n"
     "at 5s ring for 12s\n",
     1, 0, 100, 0, NULL},

    {"four nodes split into equal halves: nobody leads, nothing is lost",
     "seed 25\nnodes 4\nduration 30s\n"
     "at 5s split 1,2 for 8s\n",
     1, 0, 100, 0, "leader without a quorum stepped down"},

    {"a majority is down, and comes back",
     "seed 26\nnodes 5\nduration 30s\n"
     "at 5s crash node 1 for 8s\n"
     "at 5s crash node 2 for 8s\n"
     "at 5s crash node 3 for 8s\n",
     2, 0, 100, 3, NULL},

    {"connections are reset, and die half-open, all the time",
     "seed 27\nduration 30s\n"
     "at 4s reset leader\nat 6s half-open leader\nat 8s reset follower\nat 10s half-open follower\n"
     "at 12s reset leader\nat 14s half-open leader\nat 16s reset follower\nat 18s reset leader\n",
     1, 0, 150, 0, "connection to the leader lost"},

    {"connections stay open and nothing moves on them",
     "seed 28\nduration 30s\n"
     "at 5s clog leader for 6s\n"
     "at 15s clog follower for 6s\n",
     2, 0, 100, 0, NULL},

    {"frames between peers are dropped, doubled and swapped",
     "seed 29\nduration 30s\nnet.drop 50000\nnet.duplicate 50000\nnet.reorder 50000\n", 1, 0, 100,
     0, "append refused: the entry before it is missing or another"},

    {"everything arrives in pieces, or glued together",
     "seed 30\nduration 20s\nnet.fragment 500000\nnet.coalesce 500000\nclient.pipeline 16\n", 1, 0,
     200, 0, NULL},

    {"leadership is handed over eight times under load",
     "seed 31\nduration 30s\n"
     "at 3s transfer leader\nat 6s transfer leader\nat 9s transfer leader\nat 12s transfer leader\n"
     "at 15s transfer leader\nat 18s transfer leader\nat 21s transfer leader\n"
     "at 24s transfer leader\n",
     9, 0, 200, 0, "leadership offered by TimeoutNow"},

    {"snapshots are ordered while bursts are written",
     "seed 32\nduration 30s\nclient.burst_chance 100000\nnode.tail_count 5\n"
     "at 4s snapshot leader\nat 6s snapshot follower\nat 8s snapshot leader\nat 9s crash leader "
     "for "
     "2s\nat 14s snapshot leader\nat 16s crash-all for 1s\n",
     2, 0, 150, 4, "simulated client asked on in a burst"},

    {"bits rot on one disk of three: the node says so or repairs itself, the others go on",
     "seed 33\nduration 30s\n"
     "at 8s rot node 2 for 2s\n",
     1, 0, 150, 1, NULL},

    {"followers that redirect: clients find the leader by MOVED",
     "seed 34\nduration 30s\nnode.redirect yes\n"
     "at 8s crash leader for 4s\n"
     "at 18s isolate leader for 4s\n",
     2, 0, 100, 1, "simulated client followed MOVED"},

    {"transactions, watched keys and whole-store commands under two crashes",
     "seed 35\nduration 30s\nmix.multi 10\nmix.watch 10\nmix.mset 5\nmix.mget 5\nmix.snap 2\n"
     "mix.load 1\n"
     "at 8s crash leader for 4s\n"
     "at 18s crash leader for 4s\n",
     2, 0, 150, 2, "a watched key had changed"},

    {"windows of one message and batches of a few bytes",
     "seed 36\nduration 30s\nnode.window_count 1\nnode.batch_size 128\nclient.pipeline 16\n"
     "at 8s crash leader for 2s\n",
     2, 0, 150, 1, NULL},
};

/* Likewise, of clusters that change; what must hold on top is who is in them at the end. */
static const struct change changes[] = {
    {{"one node becomes three: a spare asks the leader, another a follower, which sends it on",
      "seed 51\nnodes 1\nspares 2\nduration 30s\n"
      "at 3s join node 1\n"
      "at 10s join node 2\n",
      1, 0, 200, 0, "learner promoted: it has caught up"},
     "1,2,3"},

    {{"who joins catches up over a link that loses a fifth of all frames",
      "seed 52\nspares 1\nduration 40s\nnode.snapshot_log_count 20\nnode.tail_count 5\n"
      "node.snapshot_chunk_size 256\nvalue.size 200\n"
      "at 4s lossy node 4 count 200000 for 20s\n"
      "at 5s join follower\n",
      1, 0, 200, 0, "learner promoted: it has caught up"},
     "1,2,3,4"},

    {{"a learner stays one until it is promoted, also over elections",
      "seed 53\nspares 2\nduration 40s\n"
      "at 3s add-learner\n"
      "at 6s crash leader for 3s\n"
      "at 12s add-learner\n"
      "at 15s isolate leader for 4s\n"
      "at 24s promote\n",
      3, 0, 150, 1, NULL},
     "1,2,3,4,5L"},

    {{"leaders crash while one member takes another's place",
      "seed 54\nspares 1\nduration 40s\nnode.snapshot_log_count 20\nnode.tail_count 5\n"
      "at 5s lag node 4 by 0.2s for 10s\n"
      "at 6s replace node 3\n"
      "at 6.9s crash leader for 2s\n"
      "at 12s crash leader for 2s\n",
      3, 0, 150, 2, "caught up in another member's place"},
     "1,2,4"},

    {{"a disk is emptied: the member is not let in again, and is replaced",
      "seed 55\nspares 1\nduration 40s\n"
      "at 8s wipe node 3 for 1s\n"
      "at 14s replace node 3\n",
      1, 0, 200, 1, "member in another life refused"},
     "1,2,4"},

    {{"members move one after another, and are found before the cluster is told",
      "seed 56\nduration 40s\n"
      "at 5s move node 1 for 2s\n"
      "at 12s move node 2 for 2s\n"
      "at 19s move node 3 for 2s\n"
      "at 26s crash-all for 1s\n",
      2, 0, 100, 6, "peer tried where it says that it is"},
     "1,2,3"},

    {{"while one member is of an older version nobody joins; once it is upgraded, it goes on",
      "seed 57\nspares 1\nduration 40s\nnode.newer 2\n"
      "at 4s join follower\n"
      "at 15s crash node 3 for 1s\n",
      1, 0, 200, 2, "the last member of an older version is upgraded"},
     "1,2,3,4"},

    {{"while one member is of an older version nobody joins",
      "seed 58\nspares 1\nduration 40s\nnode.newer 2\n"
      "at 4s join follower\n"
      "at 9s add\n"
      "at 14s add-learner\n",
      1, 0, 200, 0, "membership change refused: a member could not read it"},
     "1,2,3,4L"},

    {{"all start again, and two die once more when they have just read their logs",
      "seed 61\nduration 30s\n"
      "at 5s crash-all for 0.5s\n"
      "at 5.2s crash started for 2s\n"
      "at 5.3s crash started for 3s\n",
      2, 5, 150, 0, "simulated fault met who has just read its log"},
     "1,2,3"},

    {{"a leader dies when the entry that ends a change is not committed yet",
      "seed 60\nnodes 4\nduration 30s\n"
      "at 5s remove node 4\n"
      "at 5s crash concluding for 4s\n",
      2, 0, 150, 1, "simulated fault met a leader whose change has its last entry under way"},
     "1,2,3"},

    {{"a leader that is taken out hands over",
      "seed 59\nnodes 4\nduration 30s\nnode.election_timeout 5s\n"
      "at 8s transfer node 1\n"
      "at 12s remove leader\n",
      2, 0, 200, 0, "leadership offered by TimeoutNow"},
     "2,3,4"},
};

extern struct gd_mark *const __start_gd_marks[];
extern struct gd_mark *const __stop_gd_marks[];

/* How often a mark was met since the program began; it may stand in several places. */
static uint64_t times_met(const char *text)
{
    uint64_t times = 0;
    bool known = text == NULL;
    for (struct gd_mark *const *mark = __start_gd_marks; mark < __stop_gd_marks; mark++) {
        bool meant = text != NULL && strcmp((*mark)->text, text) == 0;
        times += meant ? (*mark)->count : 0;
        known = known || meant;
    }
    assert_true(known);
    return times;
}

static struct gd_sim_result live_through(const struct scenario *scenario)
{
    struct gd_sim_plan *plan = calloc(1, sizeof *plan);
    struct gd_sim_run_options options = {0};
    struct gd_sim_result result;
    struct gd_error error = {0};
    struct gd_slice text = {(const uint8_t *)scenario->plan, strlen(scenario->plan)};
    assert_non_null(plan);
    enum gd_err err = gd_sim_plan_parse(text, plan, &error);
    if (err != GD_OK) {
        print_error("%s\n", error.text);
    }
    assert_int_equal(err, GD_OK);
    plan->database = gd_sim_kvs_pick(plan);
    uint64_t met = times_met(scenario->mark);
    gd_sim_run(plan, &options, &result);
    char line[256];
    gd_sim_result_line(&result, line, sizeof line);
    print_message("%s elections=%llu crashes=%llu members=%s\n", line,
                  (unsigned long long)result.elections, (unsigned long long)result.crashes,
                  result.members);
    if (result.outcome != GD_SIM_PASS) {
        print_error("%s: %s\n%s\n", scenario->name, result.property, result.text);
    }
    assert_int_equal(result.outcome, GD_SIM_PASS);
    assert_true(result.elections >= scenario->elections);
    assert_true(scenario->elections_most == 0 || result.elections <= scenario->elections_most);
    assert_true(result.operations >= scenario->operations);
    assert_true(result.crashes >= scenario->crashes);
    assert_true(scenario->mark == NULL || times_met(scenario->mark) > met);
    free(plan);
    return result;
}

static void test_scenario(void **state)
{
    (void)live_through(*state);
}

static void test_change(void **state)
{
    const struct change *change = *state;
    struct gd_sim_result result = live_through(&change->scenario);
    assert_string_equal(result.members, change->members);
}

/* A thousand restarts of whole nodes, each within a second of the one before it: 500 graceful ones,
 * after each of which a node that left anything behind is a violation ("leaks"), and 500 crashes,
 * which take all memory of the process with them. Nothing of all this is left outside of it. */
static void test_a_thousand_restarts_leak_nothing(void **state)
{
    enum { ROUNDS = 2, RESTARTS = 500 };
    struct gd_sim_plan *plan = calloc(1, sizeof *plan);
    (void)state;
    assert_non_null(plan);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct gd_world_memory before = gd_world_memory_outside();
        struct gd_sim_run_options options = {0};
        struct gd_sim_result result;
        gd_sim_plan_defaults(plan);
        plan->database = &gd_sim_database_kvs;
        plan->seed = 40 + round;
        plan->heartbeat = 20 * GD_SIM_MS;
        plan->election_timeout = 150 * GD_SIM_MS;
        plan->duration = (RESTARTS / 4 + 10) * GD_SIM_S;
        plan->segment_size = 16384;
        plan->snapshot_log_count = 50;
        for (unsigned i = 0; i < RESTARTS; i++) {
            plan->faults[plan->fault_count++] = (struct gd_sim_fault){
                .kind = i % 2 == round ? GD_SIM_FAULT_STOP : GD_SIM_FAULT_CRASH,
                .at = 2 * GD_SIM_S + i * 250 * GD_SIM_MS,
                .for_ = 50 * GD_SIM_MS,
                .node = i % 3 + 1};
        }
        gd_sim_run(plan, &options, &result);
        if (result.outcome != GD_SIM_PASS) {
            print_error("%s\n%s\n", result.property, result.text);
        }
        assert_int_equal(result.outcome, GD_SIM_PASS);
        assert_int_equal(result.struck, RESTARTS);
        assert_true(result.operations > 200);
        assert_int_equal(gd_world_memory_outside().block_count, before.block_count);
    }
    free(plan);
}

int main(void)
{
    struct CMUnitTest tests[GD_COUNT(scenarios) + GD_COUNT(changes) + 1];
    for (size_t i = 0; i < GD_COUNT(scenarios); i++) {
        const void *scenario = &scenarios[i];
        tests[i] = (struct CMUnitTest){scenarios[i].name, test_scenario, NULL, NULL, NULL};
        memcpy(&tests[i].initial_state, &scenario, sizeof scenario);
    }
    for (size_t i = 0; i < GD_COUNT(changes); i++) {
        struct CMUnitTest *test = &tests[GD_COUNT(scenarios) + i];
        const void *change = &changes[i];
        *test = (struct CMUnitTest){changes[i].scenario.name, test_change, NULL, NULL, NULL};
        memcpy(&test->initial_state, &change, sizeof change);
    }
    tests[GD_COUNT(scenarios) + GD_COUNT(changes)] =
        (struct CMUnitTest)cmocka_unit_test(test_a_thousand_restarts_leak_nothing);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
