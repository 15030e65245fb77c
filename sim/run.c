/* run.c - one run: plan -> outcome.
 *
 * Two phases. Until `duration` clients work and faults strike. Then everything is healed (but for a
 * minority that some plans lose for good), and within `settle` each client must get a write and a
 * read answered, a leader must be there, and every node that runs must have applied all that is
 * committed, and hold no requests that nobody waits for. Then the states are compared and the
 * history is checked. The first violation ends the run.
 *
 * A run proves nothing, and says so, when too few requests were answered, when too much happened to
 * see its end, when damage took what the promises rest on, or when the history could not be decided
 * within the limit. */
#include "sim/run.h"
#include "engine/prng.h"
#include "sim/apart.h"
#include "sim/checks.h"
#include "sim/faults.h"
#include "sim/grow.h"
#include "sim/judge.h"
#include "sim/members.h"
#include "sim/story.h"
#include "sim/verdict.h"
#include <inttypes.h>
#include <stdlib.h>

#define EVENTS_MAX 5000000       /* A run with more is too long to be looked at. */
#define SECOND_EVENTS_MAX 300000 /* In one second; a busy one has some thousand. */
#define STEP (100 * GD_SIM_MS)
#define UPTIME (2 * GD_SIM_S) /* Healed, and before some are lost: nodes start. */
#define MADE_UP_TIME (240 * GD_SIM_S)

struct run {
    const struct gd_sim_plan *plan;
    const struct gd_sim_run_options *options;
    struct gd_sim_result *result;
    struct gd_sim_cluster *cluster;
    struct gd_sim_faults *faults;
    struct gd_sim_checks *checks;
    struct gd_sim_story *story; /* NULL: no picture is wanted. */
    struct gd_sim_record record;
    bool ended;
    struct gd_sim_growth growth;
    gd_time_ns lose_at; /* When some are lost for good; UINT64_MAX: nobody is, or they are. */
    bool lose_soon;     /* A change is on its way: it is about to be. */
    uint64_t elections; /* Won so far. */
    uint64_t second, second_events; /* The second under way, events before it. */
    uint64_t told[GD_SIM_NODES_MAX + 1][GD_DISK_KIND_COUNT]; /* Of `options->points`. */
    /* What a trace shows of Raft. */
    struct {
        enum gd_role role;
        gd_term term;
        gd_index commit;
    } shown[GD_SIM_NODES_MAX + 1];
};

/* ---------------------------------------------------------------- outcomes */

static void conclude(struct run *run, enum gd_sim_outcome outcome, const char *property,
                     const char *text)
{
    struct gd_sim_result *result = run->result;
    if (run->ended) {
        return;
    }
    run->ended = true;
    result->outcome = outcome;
    result->at = gd_sim_cluster_now(run->cluster);
    (void)snprintf(result->property, sizeof result->property, "%s", property);
    (void)snprintf(result->text, sizeof result->text, "%s", text);
    gd_world_stop(gd_sim_cluster_world(run->cluster));
}

static void on_violated(void *context, const char *property, const char *text)
{
    struct run *run = context;
    struct gd_bytes bytes = {0};
    char time[32];
    const char *premise = gd_sim_checks_premise(run->checks);
    if (run->ended) {
        return;
    }
    if (premise != NULL) {
        conclude(run, GD_SIM_INCONCLUSIVE, premise, text);
        return;
    }
    gd_sim_time_text(gd_sim_cluster_now(run->cluster), time, sizeof time);
    gd_bytes_format(&bytes, "%s (at %s)\n", text, time);
    gd_sim_cluster_describe(run->cluster, &bytes);
    gd_bytes_add_u8(&bytes, 0);
    conclude(run, GD_SIM_FAIL, property, (const char *)bytes.data);
    gd_bytes_release(&bytes);
}

static void on_gone(void *context, unsigned id)
{
    struct run *run = context;
    gd_sim_checks_gone(run->checks, id);
}

static void on_damaged(void *context, unsigned id, bool wiped)
{
    struct run *run = context;
    gd_sim_checks_damaged(run->checks, id, wiped);
}

static gd_index took(void *context, unsigned id)
{
    struct run *run = context;
    return gd_sim_checks_took(run->checks, id);
}

static void on_witnessed(void *context, unsigned id, uint64_t lsn)
{
    struct run *run = context;
    gd_sim_checks_witnessed(run->checks, id, lsn);
}

static void on_sent(void *context, unsigned from, unsigned to, struct gd_slice frame)
{
    struct run *run = context;
    struct gd_node *node = gd_sim_cluster_node(run->cluster, from);
    bool ready = node != NULL && gd_sim_cluster_ready(run->cluster, from);
    gd_sim_checks_sent(run->checks, from, to, ready ? gd_node_raft(node) : NULL, frame);
}

static void on_told(void *context, unsigned from, unsigned to, struct gd_slice frame)
{
    struct run *run = context;
    gd_sim_checks_told(run->checks, from, to, frame);
}

static void on_ordered(void *context, unsigned id, const char *command)
{
    struct run *run = context;
    gd_sim_checks_ordered(run->checks, id, command);
}

static gd_time_ns clock_of(void *context, unsigned id)
{
    struct run *run = context;
    return gd_world_process_now(gd_sim_cluster_world(run->cluster), id);
}

static bool is_busy(void *context, unsigned id)
{
    struct run *run = context;
    return gd_world_disk_busy(gd_sim_cluster_world(run->cluster), id) > 0;
}

static void on_dismissed(void *context, unsigned id, const char *error)
{
    struct run *run = context;
    gd_sim_checks_dismissed(run->checks, id, error);
}

/* ---------------------------------------------------------------- traces */

static void print_line(const struct run *run, gd_time_ns at, uint64_t event, uint32_t process,
                       const char *kind, const char *text)
{
    const struct gd_sim_trace_options *trace = &run->options->trace;
    char columns[2 * (GD_SIM_NODES_MAX + 1) + 1];
    if (trace->to == NULL || at < trace->from || at > trace->until) {
        return;
    }
    for (unsigned i = 0; i <= gd_sim_plan_total(run->plan); i++) {
        columns[2 * i] = (char)(i != process ? '.' : i == 0 ? 'c' : '0' + (int)i);
        columns[2 * i + 1] = ' ';
    }
    columns[2 * gd_sim_plan_total(run->plan) + 2] = '\0';
    (void)fprintf(trace->to, "%6" PRIu64 ".%06" PRIu64 " %8" PRIu64 "  %s %-14s %s\n",
                  at / GD_SIM_S, at % GD_SIM_S / GD_SIM_US, event, columns, kind, text);
}

static void on_trace(void *context, const struct gd_world_line *line)
{
    print_line(context, line->at, line->event, line->process, line->kind, line->text);
}

/* Role, term and commit of a node, when they are others than were shown last. */
static void show_raft(struct run *run, unsigned id)
{
    struct gd_world *world = gd_sim_cluster_world(run->cluster);
    struct gd_node *node = gd_sim_cluster_node(run->cluster, id);
    const struct gd_raft *raft = node != NULL ? gd_node_raft(node) : NULL;
    if (raft == NULL) {
        return;
    }
    if (run->shown[id].role != gd_raft_role(raft) || run->shown[id].term != gd_raft_term(raft)) {
        run->shown[id].role = gd_raft_role(raft);
        run->shown[id].term = gd_raft_term(raft);
        gd_world_note(world, id, "ROLE", "%s of term %" PRIu64, gd_role_text(gd_raft_role(raft)),
                      gd_raft_term(raft));
    }
    if (run->shown[id].commit != gd_raft_commit(raft)) {
        run->shown[id].commit = gd_raft_commit(raft);
        gd_world_note(world, id, "COMMIT", "%" PRIu64 ", last %" PRIu64 " of term %" PRIu64,
                      gd_raft_commit(raft), gd_raft_last(raft).index, gd_raft_last(raft).term);
    }
}

/* The program ends by itself after this: what it says first names the violation. UNTESTED: only a
 * bug gets here; the mutants do. */
static void on_failed(void *context, const struct gd_world_failure *failure)
{
    struct run *run = context;
    struct gd_sim_story *story = run->story;
    (void)fflush(stdout);
    (void)fprintf(stderr, "internal error: %s does not hold (%s:%d)\n", failure->cond,
                  failure->file, failure->line);
    (void)fprintf(stderr,
                  "seed %" PRIu64 ", node %" PRIu32 ", event %" PRIu64 ", at %" PRIu64 " ns\n",
                  failure->seed, failure->process, failure->event, failure->at);
    run->story = NULL;
    if (story != NULL) { /* What led to it is worth a look, too. */
        run->result->outcome = GD_SIM_FAIL;
        run->result->at = failure->at;
        (void)snprintf(run->result->property, sizeof run->result->property, "internal error");
        (void)snprintf(run->result->text, sizeof run->result->text,
                       "%s does not hold (%s:%d, node %" PRIu32 ")", failure->cond, failure->file,
                       failure->line, failure->process);
        (void)gd_sim_story_write(story, run->faults, &run->record, run->result, run->options->name,
                                 run->options->html);
    }
    gd_sim_leave(70);
}

/* What an older program cannot read it must not be given. */
static void look_at_version(struct run *run, unsigned id, const struct gd_raft *raft)
{
    if (run->plan->newer != 0 && raft != NULL && gd_sim_cluster_version(run->cluster, id) < 2 &&
        gd_config_version(gd_raft_config(raft)) >= 2) {
        char text[96];
        (void)snprintf(text, sizeof text,
                       "node %u speaks version 1 and was given a configuration of version 2", id);
        on_violated(run, "versions", text);
    }
}

/* ---------------------------------------------------------------- events */

static void lose(struct run *run)
{
    run->lose_at = UINT64_MAX;
    gd_sim_faults_lose(run->faults, gd_sim_checks_members(run->checks));
}

/* The worst moment to lose somebody is when a change of the members is on its way: when some have
 * heard of it, and some have not. */
static void watch_change(struct run *run)
{
    gd_time_ns now = gd_world_now(gd_sim_cluster_world(run->cluster));
    struct gd_prng prng;
    if (run->lose_soon) {
        if (now >= run->lose_at) {
            lose(run);
        }
        return;
    }
    for (unsigned id = 1; id <= gd_sim_plan_total(run->plan); id++) {
        struct gd_node *node = gd_sim_cluster_node(run->cluster, id);
        if (node != NULL && gd_node_raft(node) != NULL &&
            gd_config_joint(gd_raft_config(gd_node_raft(node)))) {
            gd_prng_init(&prng, gd_prng_mix(run->plan->seed, UINT64_C(0x6368616e6765)));
            run->lose_soon = true;
            run->lose_at = now + gd_prng_below(&prng, 4 * run->plan->net_latency_max + 1);
            return;
        }
    }
}

static void tell_points(struct run *run, unsigned id)
{
    const struct gd_world *world = gd_sim_cluster_world(run->cluster);
    const struct gd_sim_run_options *options = run->options;
    for (unsigned op = 0; op < GD_DISK_KIND_COUNT; op++) {
        uint64_t *told = &run->told[id][op];
        while (*told < gd_world_disk_operations(world, id, (enum gd_disk_kind)op)) {
            size_t place = (*options->point_count)++;
            ++*told;
            if (place < options->point_capacity) {
                options->points[place] =
                    (struct gd_sim_disk_point){gd_world_now(world), id, op, *told};
            }
        }
    }
}

static void on_event(void *context, uint32_t process)
{
    struct run *run = context;
    struct gd_world *world = gd_sim_cluster_world(run->cluster);
    const struct gd_sim_run_options *options = run->options;
    if (options->hashes != NULL && *options->hash_count < options->hash_capacity) {
        options->hashes[(*options->hash_count)++] = gd_world_hash(world);
        size_t at = *options->hash_count - 1;
        if (options->wanted != NULL &&
            (at >= options->wanted_count || options->wanted[at] != options->hashes[at])) {
            conclude(run, GD_SIM_INCONCLUSIVE, "another run went another way", "");
        }
    }
    if (process >= 1 && process <= gd_sim_plan_total(run->plan)) {
        if (options->points != NULL) {
            tell_points(run, process);
        }
        struct gd_node *node = gd_sim_cluster_node(run->cluster, process);
        /* What reaches a process that stands still is no turn of its own. */
        if (node != NULL && gd_sim_cluster_ready(run->cluster, process) &&
            !gd_world_paused(world, process)) {
            gd_sim_checks_after(run->checks, process, node);
            look_at_version(run, process, gd_node_raft(node));
            if (gd_world_traced(world)) {
                show_raft(run, process);
            }
        }
        /* Roles change in the nodes' own events alone. */
        if (gd_sim_faults_watch(run->faults)) {
            gd_world_stop(world);
        }
    }
    if (gd_sim_checks_elections(run->checks) != run->elections) {
        run->elections = gd_sim_checks_elections(run->checks);
        gd_sim_cluster_stir(run->cluster);
    }
    if (run->story != NULL) {
        gd_sim_story_look(run->story);
    }
    if (run->lose_at != UINT64_MAX) {
        watch_change(run);
    }
    if (gd_sim_cluster_needs_tending(run->cluster)) {
        gd_world_stop(world);
    }
    if (gd_world_now(world) / GD_SIM_S != run->second) {
        run->second = gd_world_now(world) / GD_SIM_S;
        run->second_events = gd_world_events(world);
    } else if (gd_world_events(world) - run->second_events > SECOND_EVENTS_MAX) {
        char text[64];
        (void)snprintf(text, sizeof text, "node %" PRIu32 " is busy with nothing", process);
        on_violated(run, "busy loop", text);
    }
    if (gd_world_events(world) > (options->events_max > 0 ? options->events_max : EVENTS_MAX)) {
        conclude(run, GD_SIM_INCONCLUSIVE, "too many events", "");
    }
}

/* Runs up to `until`, doing what falls due on the way. */
static void run_until(struct run *run, gd_time_ns until)
{
    struct gd_world *world = gd_sim_cluster_world(run->cluster);
    while (!run->ended) {
        gd_time_ns next = gd_sim_faults_next(run->faults);
        gd_time_ns stop = next < until ? next : until;
        bool reached = gd_world_now(world) >= stop || gd_world_run_until(world, stop);
        gd_sim_cluster_tend(run->cluster);
        if (run->ended || (reached && stop == until && next > until)) {
            return;
        }
        if (gd_world_now(world) >= next) {
            gd_sim_faults_act(run->faults);
        }
    }
}

/* ---------------------------------------------------------------- the end */

/* Whose state counts at the end: members that are not down for good. */
static bool counts(const struct run *run, const struct gd_raft *leading, unsigned id)
{
    return !(gd_sim_cluster_node(run->cluster, id) == NULL &&
             gd_sim_cluster_refused(run->cluster, id)) &&
           !gd_sim_faults_lost(run->faults, id) &&
           gd_config_find(gd_raft_config(leading), id) != NULL;
}

/* Has it applied all that is committed? */
static bool caught_up(const struct run *run, const struct gd_raft *leading, unsigned id)
{
    struct gd_node *node = gd_sim_cluster_node(run->cluster, id);
    return node != NULL && gd_node_raft(node) != NULL &&
           gd_node_applied(node) == gd_raft_commit(leading);
}

/* Is a member where this node, by its own log, looks for it? */
static bool finds_somebody(const struct run *run, const struct gd_config *members,
                           const struct gd_config *known)
{
    struct gd_address address;
    for (uint32_t i = 0; i < known->count; i++) {
        const struct gd_member *member = gd_config_find(members, known->members[i].id);
        if (member != NULL) {
            gd_sim_cluster_peer_address(run->cluster, (unsigned)member->id, &address);
            if (strcmp(address.text, known->members[i].address.text) == 0 &&
                gd_sim_cluster_ready(run->cluster, (unsigned)member->id)) {
                return true;
            }
        }
    }
    return false;
}

/* Does it run on, and was removed? It is to hear of that from those it finds, and stop; version 1
 * has no word for it. */
static bool lingers(const struct run *run, const struct gd_raft *leading, unsigned id)
{
    const struct gd_config *config = gd_raft_config(leading);
    struct gd_node *node = gd_sim_cluster_node(run->cluster, id);
    return node != NULL && gd_node_raft(node) != NULL &&
           finds_somebody(run, config, gd_raft_config(gd_node_raft(node))) &&
           !gd_sim_faults_lost(run->faults, id) && gd_config_version(config) >= 2 &&
           gd_sim_cluster_version(run->cluster, id) >= 2 && gd_config_find(config, id) == NULL &&
           gd_raft_config_index(leading) <= gd_raft_commit(leading) &&
           id <= gd_config_highest(config);
}

/* What does this node hold that nobody waits for? Of each client that is there all was answered. */
static struct gd_node_queues leftovers(const struct run *run, unsigned id)
{
    struct gd_node *node = gd_sim_cluster_node(run->cluster, id);
    struct gd_node_queues queues = {0};
    if (node != NULL) {
        gd_node_queues(node, &queues);
    }
    return queues;
}

static bool is_empty(struct gd_node_queues queues)
{
    return queues.session_gone == 0 && queues.writes_size == 0;
}

/* Has everybody who runs applied all that is committed, under one leader, and holds nothing else,
 * and is gone who was removed? */
static bool settled(const struct run *run)
{
    unsigned leader = gd_sim_cluster_leader(run->cluster);
    if (leader == 0) {
        return false;
    }
    const struct gd_raft *leading = gd_node_raft(gd_sim_cluster_node(run->cluster, leader));
    for (unsigned id = 1; id <= gd_sim_plan_total(run->plan); id++) {
        if (lingers(run, leading, id) ||
            (counts(run, leading, id) &&
             (!caught_up(run, leading, id) || !is_empty(leftovers(run, id))))) {
            return false;
        }
    }
    return true;
}

/* What a node that lags behind waits for, as its leader sees it. */
static void tell_laggard(const struct run *run, unsigned leader, unsigned id,
                         struct gd_bytes *bytes)
{
    const struct gd_raft *leading = gd_node_raft(gd_sim_cluster_node(run->cluster, leader));
    struct gd_node *node = gd_sim_cluster_node(run->cluster, id);
    const struct gd_raft *raft = node != NULL ? gd_node_raft(node) : NULL;
    struct gd_member_status status;
    gd_bytes_format(bytes, "node %u lags behind: ", id);
    if (raft == NULL) {
        gd_bytes_add_text(bytes, node == NULL ? "it does not run" : "it has not read its log yet");
    } else if (gd_raft_commit(raft) < gd_raft_commit(leading)) {
        gd_bytes_format(bytes,
                        "in term %" PRIu64 " it waits for entry %" PRIu64 " of %" PRIu64
                        "; its log ends at %" PRIu64 " of term %" PRIu64,
                        gd_raft_term(raft), gd_raft_commit(raft) + 1, gd_raft_commit(leading),
                        gd_raft_last(raft).index, gd_raft_last(raft).term);
    } else {
        gd_bytes_format(bytes, "its database has applied %" PRIu64 " of %" PRIu64 " entries",
                        gd_node_applied(node), gd_raft_commit(raft));
    }
    /* The time counts for what the status says of contacts alone, which is not told. */
    if (id != leader && gd_raft_progress(leading, id, 0, &status)) {
        gd_bytes_format(bytes,
                        "; node %u leads term %" PRIu64 ", %s it, counts on %" PRIu64
                        " and sends %" PRIu64 " next",
                        leader, gd_raft_term(leading),
                        status.state == GD_PROGRESS_PROBE       ? "probes"
                        : status.state == GD_PROGRESS_REPLICATE ? "replicates to"
                                                                : "sends a snapshot to",
                        status.match, status.next);
    }
    gd_bytes_add_text(bytes, "\n");
}

/* Is no majority left, whichever node one asks, since disks of its members were damaged or emptied?
 * Faults that are drawn take care; those of an edited plan, or of one that is shrunk, need not. */
static bool majority_is_gone(const struct run *run)
{
    uint32_t there = 0;
    for (unsigned id = 1; id <= gd_sim_plan_total(run->plan); id++) {
        bool gone =
            gd_sim_cluster_refused(run->cluster, id) && gd_sim_cluster_damaged(run->cluster, id);
        there |= gone ? 0 : UINT32_C(1) << id;
    }
    for (unsigned id = 1; id <= gd_sim_plan_total(run->plan); id++) {
        const struct gd_config *config = gd_sim_cluster_config(run->cluster, id);
        if ((there >> id & 1) != 0 && config != NULL && gd_sim_quorum(config, there)) {
            return false;
        }
    }
    return true;
}

static void not_settled(struct run *run)
{
    struct gd_bytes bytes = {0};
    char time[32];
    if (gd_sim_cluster_leader(run->cluster) == 0 && majority_is_gone(run)) {
        conclude(run, GD_SIM_INCONCLUSIVE, "no majority is left: disks were damaged or emptied",
                 "");
        return;
    }
    gd_sim_time_text(run->plan->settle, time, sizeof time);
    bool clients = !gd_sim_workload_finished(gd_sim_cluster_workload(run->cluster));
    unsigned leader = gd_sim_cluster_leader(run->cluster);
    gd_bytes_format(
        &bytes, "everything was healed %s ago, and still %s\n", time,
        leader == 0 ? "nobody leads"
        : clients   ? "clients wait for answers"
        : !gd_sim_grown(&run->growth)
            ? "the operator's change is not made"
            : "some nodes lag behind, were removed and do not know, or hold what nobody "
              "waits for");
    for (unsigned id = 1; id <= gd_sim_plan_total(run->plan) && leader != 0; id++) {
        const struct gd_raft *leading = gd_node_raft(gd_sim_cluster_node(run->cluster, leader));
        if (lingers(run, leading, id)) {
            gd_bytes_format(&bytes, "node %u was removed, and runs on\n", id);
        } else if (counts(run, leading, id) && !caught_up(run, leading, id)) {
            tell_laggard(run, leader, id, &bytes);
        } else if (counts(run, leading, id) && !is_empty(leftovers(run, id))) {
            struct gd_node_queues queues = leftovers(run, id);
            gd_bytes_format(&bytes,
                            "node %u holds requests of %zu clients that have gone, and writes of "
                            "%zu bytes\n",
                            id, queues.session_gone, queues.writes_size);
        }
    }
    gd_sim_workload_unfinished(gd_sim_cluster_workload(run->cluster), &bytes);
    gd_bytes_add_u8(&bytes, 0);
    on_violated(run, "liveness", (const char *)bytes.data);
    gd_bytes_release(&bytes);
}

/* Where clients could hardly ask anything for most of the time, they go on for a while when all is
 * healed: what a run tells rests on what was asked. */
static void make_up(struct run *run)
{
    struct gd_sim_workload *workload = gd_sim_cluster_workload(run->cluster);
    gd_time_ns end = run->plan->duration + MADE_UP_TIME;
    uint64_t wanted = run->plan->operations_least;
    wanted = wanted > run->plan->operations ? run->plan->operations : wanted;
    if (run->ended || run->plan->clients == 0 || gd_sim_workload_issued(workload) >= wanted) {
        return;
    }
    GD_REACHED("simulated clients go on after the faults");
    gd_sim_faults_heal(run->faults);
    while (!run->ended && gd_sim_workload_issued(workload) < wanted &&
           gd_world_now(gd_sim_cluster_world(run->cluster)) < end) {
        run_until(run, gd_world_now(gd_sim_cluster_world(run->cluster)) + STEP);
    }
}

static void settle(struct run *run)
{
    struct gd_world *world = gd_sim_cluster_world(run->cluster);
    gd_sim_faults_heal(run->faults);
    if (run->plan->lost > 0) {
        run->lose_at = gd_world_now(world) + UPTIME;
        while (!run->ended && run->lose_at <= gd_world_now(world) + UPTIME) {
            if (gd_world_now(world) >= run->lose_at) {
                lose(run);
                break;
            }
            gd_sim_grow(&run->growth);
            run_until(run, gd_world_now(world) + STEP);
        }
    }
    gd_time_ns end = gd_world_now(world) + run->plan->settle;
    gd_sim_cluster_finish(run->cluster);
    for (unsigned step = 0; !run->ended && gd_world_now(world) < end; step++) {
        if (step % 10 == 0) {
            gd_sim_operator_insist(gd_sim_faults_operator(run->faults));
        }
        gd_sim_grow(&run->growth);
        run_until(run, gd_world_now(world) + STEP);
        if (!run->ended && settled(run) && gd_sim_grown(&run->growth) &&
            gd_sim_workload_finished(gd_sim_cluster_workload(run->cluster))) {
            return;
        }
    }
    if (!run->ended) {
        not_settled(run);
    }
}

/* Those of nodes that have applied the same must hold the same. */
static void compare_databases(struct run *run)
{
    unsigned leader = gd_sim_cluster_leader(run->cluster);
    unsigned first = 0;
    uint64_t wanted = 0;
    if (leader == 0) {
        return;
    }
    const struct gd_raft *leading = gd_node_raft(gd_sim_cluster_node(run->cluster, leader));
    for (unsigned id = 1; id <= gd_sim_plan_total(run->plan); id++) {
        struct gd_node *node = gd_sim_cluster_node(run->cluster, id);
        uint64_t digest;
        if (node == NULL || gd_config_find(gd_raft_config(leading), id) == NULL) {
            continue; /* One that was removed may not know how much of its log is committed. */
        }
        if (!gd_sim_cluster_database_digest(run->cluster, id, &digest)) {
            return;
        }
        if (first == 0) {
            first = id;
            wanted = digest;
        }
        struct gd_node *other = gd_sim_cluster_node(run->cluster, first);
        if (gd_node_applied(node) == gd_node_applied(other) && digest != wanted) {
            char text[128];
            (void)snprintf(text, sizeof text,
                           "the databases of nodes %u and %u hold different keys at entry %" PRIu64,
                           first, id, gd_node_applied(node));
            on_violated(run, "equal databases", text);
        }
    }
}

static void compare_states(struct run *run)
{
    struct gd_node *nodes[GD_SIM_NODES_MAX + 1] = {NULL};
    unsigned leader = gd_sim_cluster_leader(run->cluster);
    const struct gd_raft *leading =
        leader != 0 ? gd_node_raft(gd_sim_cluster_node(run->cluster, leader)) : NULL;
    for (unsigned id = 1; id <= gd_sim_plan_total(run->plan); id++) {
        /* One that was removed may be in the midst of restoring a snapshot: it holds no state. */
        if (gd_sim_cluster_ready(run->cluster, id) && leading != NULL &&
            caught_up(run, leading, id)) {
            nodes[id] = gd_sim_cluster_node(run->cluster, id);
        }
    }
    gd_sim_checks_equal(run->checks, nodes);
    compare_databases(run);
}

/* What was under way when the network became calm; a connection that is dead is found out. */
#define FADE (20 * GD_SIM_S)

/* Could another voter than `leader` lead at once? */
static bool has_successor(const struct run *run, unsigned leader, const struct gd_raft *raft)
{
    const struct gd_config *config = gd_raft_config(raft);
    for (uint32_t i = 0; i < config->count; i++) {
        unsigned id = (unsigned)config->members[i].id;
        if (id != leader && (config->members[i].roles & GD_MEMBER_VOTER) != 0 &&
            gd_sim_cluster_ready(run->cluster, id) && !gd_sim_faults_lost(run->faults, id) &&
            caught_up(run, raft, id)) {
            return true;
        }
    }
    return false;
}

/* An operator who hands leadership over when all is well has it handed over: to the next term, and
 * at once. Once for each node it may fail: connections of a candidate that are dead since long show
 * that when it asks for votes, and some time after (peer.c), which each try waits for. */
#define SHOWN_DEAD (2 * GD_SIM_S)
static void hand_over(struct run *run)
{
    struct gd_world *world = gd_sim_cluster_world(run->cluster);
    gd_time_ns shown = 4 * run->plan->election_timeout;
    shown = shown > SHOWN_DEAD ? shown : SHOWN_DEAD;
    for (unsigned i = 0; i <= gd_sim_plan_total(run->plan) && !run->ended; i++) {
        unsigned leader = gd_sim_cluster_leader(run->cluster);
        const struct gd_raft *raft =
            leader != 0 ? gd_node_raft(gd_sim_cluster_node(run->cluster, leader)) : NULL;
        gd_term term = raft != NULL ? gd_raft_term(raft) : 0;
        gd_time_ns end = gd_world_now(world) + 3 * run->plan->election_timeout + GD_SIM_S;
        if (raft != NULL && !has_successor(run, leader, raft)) {
            return;
        }
        if (run->plan->session_count < run->plan->clients * 2) {
            return; /* There may be no room for the operator. */
        }
        if (raft != NULL) {
            gd_sim_cluster_order(run->cluster, leader, "RAFT TRANSFER");
        }
        while (!run->ended && gd_world_now(world) < end) {
            run_until(run, gd_world_now(world) + STEP);
            unsigned now = gd_sim_cluster_leader(run->cluster);
            raft = now != 0 ? gd_node_raft(gd_sim_cluster_node(run->cluster, now)) : NULL;
            if (raft != NULL && now != leader && gd_raft_term(raft) == term + 1) {
                return;
            }
        }
        run_until(run, gd_world_now(world) + shown);
    }
    if (!run->ended) {
        on_violated(run, "leadership transfer",
                    "nothing goes wrong any more, and leadership that an operator hands over is "
                    "not taken, once more than there are nodes");
    }
}

/* Where nothing goes wrong and nobody asks, nothing happens: a leader whom all hear stays leader,
 * and nothing is written. */
static void rest(struct run *run)
{
    struct gd_world *world = gd_sim_cluster_world(run->cluster);
    char text[160];
    gd_sim_cluster_calm(run->cluster);
    run_until(run, gd_world_now(world) + FADE + 2 * run->plan->election_timeout);
    unsigned leader = gd_sim_cluster_leader(run->cluster);
    gd_term term = 0;
    gd_index last = 0;
    gd_time_ns end = gd_world_now(world) + 8 * run->plan->election_timeout;
    while (!run->ended) {
        unsigned now = gd_sim_cluster_leader(run->cluster);
        const struct gd_raft *raft =
            now != 0 ? gd_node_raft(gd_sim_cluster_node(run->cluster, now)) : NULL;
        if (raft == NULL || now != leader || (term != 0 && gd_raft_term(raft) != term)) {
            (void)snprintf(text, sizeof text,
                           "nothing goes wrong any more, and node %u, leader of term %" PRIu64
                           ", does not stay it: %s",
                           leader, term, raft == NULL ? "nobody leads" : "another leads");
            on_violated(run, "quiet", text);
            return;
        }
        /* But the clock, which moves for keys whose time is up. */
        const struct gd_entry *entry = gd_raft_entry(raft, gd_raft_last(raft).index);
        if (last != 0 && gd_raft_last(raft).index != last &&
            (entry == NULL || entry->type != GD_ENTRY_TIME)) {
            (void)snprintf(text, sizeof text,
                           "nobody asks anything, and the log of node %u grew from %" PRIu64
                           " to %" PRIu64,
                           leader, last, gd_raft_last(raft).index);
            on_violated(run, "quiet", text);
            return;
        }
        term = gd_raft_term(raft);
        last = gd_raft_last(raft).index;
        if (gd_world_now(world) >= end) {
            hand_over(run);
            break;
        }
        run_until(run, gd_world_now(world) + STEP);
    }
    for (end = gd_world_now(world) + run->plan->settle;
         !run->ended && !settled(run) && gd_world_now(world) < end;) {
        run_until(run, gd_world_now(world) + STEP);
    }
    if (!run->ended && !settled(run)) {
        not_settled(run);
    }
}

static enum gd_sim_outcome judge(const struct run *run, bool ordered, char *text, size_t size)
{
    const struct gd_sim_model *model = run->plan->database->model;
    return model != NULL
               ? gd_sim_judge(model, &run->record, ordered, NULL, text, size)
               : gd_sim_verdict(&run->record,
                                ordered ? GD_SIM_VERDICT_ORDERED : GD_SIM_VERDICT_FREE, text, size);
}

static void judge_history(struct run *run)
{
    char text[1500] = "";
    char scrap[1500] = "";
    enum gd_sim_outcome outcome = judge(run, true, text, sizeof text);
    if (outcome == GD_SIM_FAIL) {
        bool order = judge(run, false, scrap, sizeof scrap) != GD_SIM_FAIL;
        on_violated(run, order ? "order of a pipeline" : "linearizability", text);
    } else if (outcome == GD_SIM_INCONCLUSIVE) {
        conclude(run, GD_SIM_INCONCLUSIVE, "the history could not be decided within the limit",
                 text);
    }
}

/* Did enough happen to mean something? */
static void judge_work(struct run *run)
{
    char text[128];
    uint64_t wanted = run->plan->operations >= 100 ? run->plan->operations / 20 : 1;
    if (run->record.done_count < wanted || run->plan->clients == 0) {
        (void)snprintf(text, sizeof text, "only %" PRIu64 " operations were answered",
                       run->record.done_count);
        conclude(run, GD_SIM_INCONCLUSIVE, text, "");
    }
}

static void fill_members(struct run *run)
{
    unsigned leader = gd_sim_cluster_leader(run->cluster);
    struct gd_sim_result *result = run->result;
    size_t size = 0;
    if (leader == 0) {
        return;
    }
    const struct gd_config *config =
        gd_raft_config(gd_node_raft(gd_sim_cluster_node(run->cluster, leader)));
    for (uint32_t i = 0; i < config->count && size < sizeof result->members; i++) {
        const struct gd_member *member = &config->members[i];
        int more =
            snprintf(result->members + size, sizeof result->members - size, "%s%" PRIu64 "%s%s",
                     i == 0 ? "" : ",", member->id, (member->roles & GD_MEMBER_LEARNER) ? "L" : "",
                     (member->roles & GD_MEMBER_OUTGOING) != 0 ? "o" : "");
        size += more > 0 ? (size_t)more : 0;
    }
}

static void fill_result(struct run *run)
{
    struct gd_world *world = gd_sim_cluster_world(run->cluster);
    struct gd_sim_result *result = run->result;
    gd_world_fold(world, run->record.done_count);
    gd_world_fold(world, run->record.unknown_count);
    gd_world_fold(world, (uint64_t)result->outcome);
    result->events = gd_world_events(world);
    result->time = gd_world_now(world);
    result->operations = run->record.done_count;
    result->unknown = run->record.unknown_count;
    result->refused = run->record.refused_count;
    result->asked = gd_sim_workload_issued(gd_sim_cluster_workload(run->cluster));
    result->hash = gd_world_hash(world);
    result->elections = gd_sim_checks_elections(run->checks);
    result->commits = gd_sim_checks_committed(run->checks);
    fill_members(run);
    result->struck = gd_sim_faults_struck(run->faults);
    result->crashes = gd_world_counter(world, GD_WORLD_COUNT_KILLS) +
                      gd_world_counter(world, GD_WORLD_COUNT_POWER_LOSSES);
    result->crash_points = gd_world_counter(world, GD_WORLD_COUNT_CRASH_POINTS);
    result->disk_errors = gd_world_counter(world, GD_WORLD_COUNT_READ_ERRORS) +
                          gd_world_counter(world, GD_WORLD_COUNT_WRITE_ERRORS) +
                          gd_world_counter(world, GD_WORLD_COUNT_SYNC_ERRORS);
}

void gd_sim_run(const struct gd_sim_plan *plan, const struct gd_sim_run_options *options,
                struct gd_sim_result *result)
{
    struct run *run = calloc(1, sizeof *run);
    GD_ASSERT(run != NULL);
    memset(result, 0, sizeof *result);
    result->seed = plan->seed;
    run->plan = plan;
    run->options = options;
    run->lose_at = UINT64_MAX;
    run->result = result;
    run->checks = gd_sim_checks_new(plan, on_violated, clock_of, is_busy, run);
    struct gd_sim_cluster_options cluster = {.plan = plan,
                                             .record = &run->record,
                                             .violated = on_violated,
                                             .gone = on_gone,
                                             .damaged = on_damaged,
                                             .dismissed = on_dismissed,
                                             .witnessed = on_witnessed,
                                             .took = took,
                                             .ordered = on_ordered,
                                             .sent = on_sent,
                                             .told = on_told,
                                             .context = run};
    cluster.hooks = (struct gd_world_hooks){.context = run, .event = on_event, .failed = on_failed};
    cluster.hooks.trace = options->trace.to != NULL ? on_trace : NULL;
    run->cluster = gd_sim_cluster_new(&cluster);
    run->faults = gd_sim_faults_new(plan, run->cluster);
    run->growth =
        (struct gd_sim_growth){.plan = plan, .cluster = run->cluster, .faults = run->faults};
    run->story = options->html != NULL ? gd_sim_story_new(plan, run->cluster) : NULL;
    gd_sim_cluster_begin(run->cluster);
    run_until(run, plan->duration);
    make_up(run);
    if (!run->ended) {
        settle(run);
    }
    if (!run->ended && plan->quiet != 0) {
        rest(run);
    }
    if (!run->ended) {
        compare_states(run);
    }
    if (options->history != NULL) {
        struct gd_bytes bytes = {0};
        gd_sim_record_print(&run->record, &bytes);
        (void)fwrite(bytes.data, 1, bytes.size, options->history);
        gd_bytes_release(&bytes);
    }
    if (!run->ended) {
        judge_history(run);
    }
    if (!run->ended) {
        judge_work(run);
    }
    fill_result(run);
    if (run->story != NULL) {
        *options->html_failed = !gd_sim_story_write(run->story, run->faults, &run->record, result,
                                                    options->name, options->html);
        gd_sim_story_free(run->story);
    }
    gd_sim_faults_free(run->faults);
    gd_sim_cluster_free(run->cluster);
    gd_sim_checks_free(run->checks);
    gd_sim_record_release(&run->record);
    free(run);
}
