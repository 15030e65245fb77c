/* walk.c - a crash at every disk operation of a run, or an error of it, one after another.
 *
 * Faults that are drawn meet some crash points; this meets each. A first run of a plan tells which
 * disk operations each node does, and when. Up to its crash a run with a crash point is that very
 * run, so the n-th operation of a kind is the same in both, and ends at the same time. So for each
 * operation that changes something the plan is run again with
 *
 *     at 0s crash-at node N before|half|after OPERATION count C for D
 *
 * where D ends a moment after the crash, which is when the node starts again and recovers. What is
 * checked is what is checked of any run. A crash that does not come about, because the plan has a
 * crash point of its own at that node, proves nothing and counts as inconclusive.
 *
 * Half-way there is something only to those operations that change more than one place: writes
 * (sectors) and syncs (sectors, names). The others have happened or have not. A crash at a read
 * leaves what one at the next change leaves. What comes behind the plan's duration, when everything
 * is healed, is not walked.
 *
 * With `twice` the node crashes once more while it recovers from each crash, at a place that is
 * drawn. With `errors` each operation fails instead, those that only read too (`fail-op`): a node
 * may go on, or stop and be started again. */
#define _POSIX_C_SOURCE 200809L
#include "sim/walk.h"
#include "engine/io.h"
#include "engine/prng.h"
#include "sim/apart.h"
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POINTS_MAX 1000000        /* Of a plan's first run. */
#define DOWN (300 * GD_SIM_MS)    /* From the crash to the next start. */
#define MILLION UINT64_C(1000000) /* Of a million: always. */
#define FAILURES_TOLD 20          /* Of each outcome; those behind are counted alone. */
#define WHEN_COUNT (GD_SIM_AFTER + 1)

/* X(kind, it changes something, half-way is something of its own). */
#define OPERATIONS(X)                                                                              \
    X(OPEN, true, false)                                                                           \
    X(CLOSE, true, false)                                                                          \
    X(READ, false, false)                                                                          \
    X(SIZE, false, false)                                                                          \
    X(LIST, false, false)                                                                          \
    X(WRITE, true, true)                                                                           \
    X(WRITE_DURABLE, true, true)                                                                   \
    X(SYNC, true, true)                                                                            \
    X(PREALLOCATE, true, false)                                                                    \
    X(TRUNCATE, true, false)                                                                       \
    X(RENAME, true, false)                                                                         \
    X(UNLINK, true, false)                                                                         \
    X(MAKE_DIRECTORY, true, false)                                                                 \
    X(SYNC_DIRECTORY, true, true)
#define OPERATION_ROW(kind, changes, half) {GD_DISK_##kind, changes, half},
static const struct {
    enum gd_disk_kind op;
    bool changes, half;
} operations[] = {OPERATIONS(OPERATION_ROW)};

/* A plan with one manner of its disks. */
struct tale {
    const struct gd_sim_plan *plan; /* Borrowed. */
    const char *name;
    enum gd_sim_walk_disk disk;
    uint64_t own; /* Crash points, or errors, that come about without one of ours. */
};
struct point {
    const struct tale *tale;
    struct gd_sim_disk_point at;
    enum gd_sim_when when;
    bool walked, missed; /* Its run is done; without a crash. */
    enum gd_sim_outcome outcome;
    char *property, *text; /* Owned; NULL unless it did not pass. */
};
struct walk {
    const struct gd_sim_walk_options *options;
    struct tale *tales; /* Owned. */
    size_t tale_count;
    struct point *points; /* Owned. */
    size_t count, capacity;
    uint64_t share;           /* Points that are ours to walk. */
    struct gd_sim_pool *pool; /* Owned. */
    uint64_t started;
    uint64_t finished;
    uint64_t counts[3]; /* By outcome. */
    uint64_t told[3];   /* By outcome. */
    uint64_t twice;     /* Runs with a second crash. */
    bool tty;
};

static volatile sig_atomic_t interrupted;
static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

const char *gd_sim_walk_disk_text(enum gd_sim_walk_disk disk)
{
    static const char *const texts[] = {"plan", "lost", "torn", "mixed"};
    return (size_t)disk < GD_COUNT(texts) ? texts[disk] : "?";
}

/* ---------------------------------------------------------------- plans */

static void fill_tale(const struct tale *tale, struct gd_sim_plan *plan)
{
    *plan = *tale->plan;
    switch (tale->disk) {
    case GD_SIM_WALK_LOST:
        plan->disk_lost = MILLION;
        plan->disk_torn = 0;
        break;
    case GD_SIM_WALK_TORN:
        plan->disk_lost = 0;
        plan->disk_torn = MILLION;
        break;
    case GD_SIM_WALK_MIXED:
        plan->disk_lost = MILLION / 2;
        plan->disk_torn = MILLION / 2;
        break;
    case GD_SIM_WALK_AS_PLANNED:
    case GD_SIM_WALK_DISK_COUNT:
        break;
    }
}

static struct gd_sim_fault fault_of(const struct point *point, bool errors)
{
    gd_time_ns until = point->at.at + DOWN;
    return (struct gd_sim_fault){.kind = errors ? GD_SIM_FAULT_FAIL_OP : GD_SIM_FAULT_CRASH_AT,
                                 .role = GD_SIM_ROLE_NODE,
                                 .node = point->at.node,
                                 .for_ = until + GD_SIM_MS - until % GD_SIM_MS,
                                 .count = point->at.count,
                                 .op = point->at.op,
                                 .when = point->when};
}

/* The second crash of a point, while the node recovers from the first: one of some dozens, by the
 * point's number. Some do not come about. */
static struct gd_sim_fault second_of(const struct gd_sim_fault *first, uint64_t number)
{
    struct gd_sim_fault fault = *first;
    struct gd_prng prng;
    unsigned row;
    gd_prng_init(&prng, gd_prng_mix(number, UINT64_C(0x7365636f6e64)));
    do {
        row = (unsigned)gd_prng_below(&prng, GD_COUNT(operations));
    } while (!operations[row].changes);
    fault.at = first->for_;
    fault.for_ = DOWN;
    fault.op = operations[row].op;
    fault.count = gd_prng_between(&prng, 1, 3);
    fault.when = (enum gd_sim_when)gd_prng_below(&prng, WHEN_COUNT);
    return fault;
}

static void insert_fault(struct gd_sim_plan *plan, const struct gd_sim_fault *fault)
{
    size_t place = 0;
    while (place < plan->fault_count && plan->faults[place].at < fault->at) {
        place++;
    }
    memmove(&plan->faults[place + 1], &plan->faults[place],
            (plan->fault_count - place) * sizeof plan->faults[0]);
    plan->faults[place] = *fault;
    plan->fault_count++;
}

static void fill_plan(const struct walk *walk, const struct point *point, struct gd_sim_plan *plan)
{
    struct gd_sim_fault fault = fault_of(point, walk->options->errors);
    fill_tale(point->tale, plan);
    insert_fault(plan, &fault);
    if (walk->options->twice) {
        fault = second_of(&fault, (uint64_t)(point - walk->points));
        if (fault.at < plan->duration) { /* A plan has none behind its end. */
            insert_fault(plan, &fault);
        }
    }
}

/* In a worker. */
static void plan_of(const void *context, uint64_t number, struct gd_sim_plan *plan)
{
    const struct walk *walk = context;
    fill_plan(walk, &walk->points[number], plan);
}

/* ---------------------------------------------------------------- points */

static void add_point(struct walk *walk, const struct point *point)
{
    if (walk->count == walk->capacity) {
        walk->capacity = walk->capacity * 2 + 1024;
        walk->points = realloc(walk->points, walk->capacity * sizeof *walk->points);
        GD_ASSERT(walk->points != NULL);
    }
    walk->points[walk->count++] = *point;
}

static void add_points(struct walk *walk, const struct tale *tale,
                       const struct gd_sim_disk_point *done, size_t done_count)
{
    for (size_t i = 0; i < GD_COUNT(operations); i++) {
        for (size_t k = 0; k < done_count; k++) {
            if (done[k].op != (unsigned)operations[i].op || done[k].at >= tale->plan->duration ||
                (walk->options->node != 0 && done[k].node != walk->options->node)) {
                continue;
            }
            unsigned moments = walk->options->errors ? 1 : operations[i].changes ? WHEN_COUNT : 0;
            for (unsigned when = 0; when < moments; when++) {
                if (when != GD_SIM_HALF || operations[i].half) {
                    add_point(walk, &(struct point){.tale = tale,
                                                    .at = done[k],
                                                    .when = (enum gd_sim_when)when});
                }
            }
        }
    }
}

/* The first run: without it nobody knows what there is to walk. */
static void find_points(struct walk *walk, struct tale *tale)
{
    struct gd_sim_plan *plan = malloc(sizeof *plan);
    struct gd_sim_disk_point *done = malloc(POINTS_MAX * sizeof *done);
    struct gd_sim_result result;
    size_t count = 0;
    GD_ASSERT(plan != NULL && done != NULL);
    fill_tale(tale, plan);
    gd_sim_run_apart(plan, walk->options->run_limit_s, 0, &result);
    if (result.outcome == GD_SIM_PASS) {
        struct gd_sim_run_options options = {
            .points = done, .point_capacity = POINTS_MAX, .point_count = &count};
        gd_sim_run(plan, &options, &result);
        tale->own = walk->options->errors ? result.disk_errors : result.crash_points;
        add_points(walk, tale, done, count < POINTS_MAX ? count : POINTS_MAX);
    } else {
        FILE *to = walk->options->json ? stderr : stdout;
        (void)fprintf(to, "%s (disk: %s), without a crash point: %s: %s\n  %s\n", tale->name,
                      gd_sim_walk_disk_text(tale->disk), gd_sim_outcome_text(result.outcome),
                      result.property, result.text);
        walk->counts[result.outcome]++;
    }
    free(done);
    free(plan);
}

/* Neighbours often are one moment of one operation, so a shard is no comb. */
static bool ours(const struct walk *walk, size_t number)
{
    return gd_prng_mix(number, 0) % walk->options->shard_count == walk->options->shard;
}

static void find_all(struct walk *walk)
{
    const struct gd_sim_walk_options *options = walk->options;
    walk->tales = calloc(options->plan_count * GD_SIM_WALK_DISK_COUNT, sizeof *walk->tales);
    GD_ASSERT(walk->tales != NULL);
    for (size_t i = 0; i < options->plan_count; i++) {
        for (unsigned disk = 0; disk < GD_SIM_WALK_DISK_COUNT; disk++) {
            if (options->disks[disk]) {
                walk->tales[walk->tale_count++] = (struct tale){
                    &options->plans[i], options->names[i], (enum gd_sim_walk_disk)disk, 0};
            }
        }
    }
    for (size_t i = 0; i < walk->tale_count; i++) {
        find_points(walk, &walk->tales[i]);
    }
    for (size_t i = 0; i < walk->count; i++) {
        walk->share += ours(walk, i);
    }
}

/* ---------------------------------------------------------------- output */

static const char *moment_text(const struct walk *walk, const struct point *point)
{
    return walk->options->errors ? "error" : gd_sim_when_text(point->when);
}

static void print_point_json(const struct walk *walk, const struct point *point)
{
    (void)printf("{\"plan\":\"");
    gd_sim_print_json_text(point->tale->name);
    (void)printf(
        "\",\"disk\":\"%s\",\"node\":%u,\"when\":\"%s\",\"operation\":\"%s\",\"count\":%" PRIu64
        ",\"at_ns\":%" PRIu64 ",\"came_about\":%s,\"outcome\":\"%s\",\"property\":\"",
        gd_sim_walk_disk_text(point->tale->disk), point->at.node, moment_text(walk, point),
        gd_sim_op_text(point->at.op), point->at.count, point->at.at,
        point->missed ? "false" : "true", gd_sim_outcome_text(point->outcome));
    gd_sim_print_json_text(point->property != NULL ? point->property : "");
    (void)printf("\",\"text\":\"");
    gd_sim_print_json_text(point->text != NULL ? point->text : "");
    (void)printf("\"}\n");
}

/* The plan that shows it, in the folder for it. */
static void keep_plan(const struct walk *walk, const struct point *point, bool told)
{
    struct gd_sim_plan *plan = malloc(sizeof *plan);
    struct gd_bytes bytes = {0};
    char path[1024];
    GD_ASSERT(plan != NULL);
    const char *name = strrchr(point->tale->name, '/');
    (void)snprintf(path, sizeof path, "%s/%s-%s-node-%u-%s-%s-%" PRIu64 "%s.plan",
                   walk->options->folder, name != NULL ? name + 1 : point->tale->name,
                   gd_sim_walk_disk_text(point->tale->disk), point->at.node,
                   moment_text(walk, point), gd_sim_op_text(point->at.op), point->at.count,
                   walk->options->twice ? "-twice" : "");
    fill_plan(walk, point, plan);
    gd_bytes_format(&bytes, "# %s: %s\n", point->tale->name, point->property);
    gd_sim_plan_print(plan, &bytes);
    FILE *file = fopen(path, "w");
    bool good = file != NULL && fwrite(bytes.data, 1, bytes.size, file) == bytes.size;
    if ((file != NULL && fclose(file) != 0) || !good) {
        (void)fprintf(walk->options->json ? stderr : stdout, "  cannot write %s\n", path);
    } else if (told) {
        (void)printf("  replay: %s replay %s --trace\n", walk->options->program, path);
    }
    gd_bytes_release(&bytes);
    free(plan);
}

/* False: enough of this kind have been told. */
static bool print_point(struct walk *walk, const struct point *point)
{
    struct gd_sim_fault fault = fault_of(point, walk->options->errors);
    struct gd_bytes bytes = {0};
    if (++walk->told[point->outcome] > FAILURES_TOLD) {
        return false;
    }
    gd_sim_fault_print(&fault, &bytes);
    if (walk->options->twice) {
        fault = second_of(&fault, (uint64_t)(point - walk->points));
        bytes.size--; /* On the same line. */
        gd_bytes_add_text(&bytes, ", ");
        gd_sim_fault_print(&fault, &bytes);
    }
    (void)printf("%s: %s (disk: %s), %.*s\n", gd_sim_outcome_text(point->outcome),
                 point->tale->name, gd_sim_walk_disk_text(point->tale->disk), (int)bytes.size - 1,
                 (const char *)bytes.data);
    gd_bytes_release(&bytes);
    if (point->outcome == GD_SIM_FAIL) {
        (void)printf("  violated: %s\n  %.*s\n", point->property, (int)strcspn(point->text, "\n"),
                     point->text);
    } else {
        (void)printf("  reason: %s\n", point->property);
    }
    return true;
}

/* A cell of the table; -1: there is no such moment. */
static void print_cell(int64_t walked, FILE *to)
{
    if (walked < 0) {
        (void)fprintf(to, "%8s", "-");
    } else {
        (void)fprintf(to, "%8" PRId64, walked);
    }
}

static void print_table(const struct walk *walk, FILE *to)
{
    bool errors = walk->options->errors;
    (void)fprintf(to, errors ? "%-16s%8s%8s\n" : "%-16s%8s%8s%8s%8s\n", "operation",
                  errors ? "error" : "before", errors ? "fail" : "half", "after", "fail");
    for (size_t i = 0; i < GD_COUNT(operations); i++) {
        int64_t walked[WHEN_COUNT] = {0, operations[i].half ? 0 : -1, 0};
        int64_t failed = 0;
        for (size_t k = 0; k < walk->count; k++) {
            const struct point *point = &walk->points[k];
            if (point->at.op == (unsigned)operations[i].op && point->walked && !point->missed) {
                walked[point->when]++;
                failed += point->outcome == GD_SIM_FAIL;
            }
        }
        if (!errors && !operations[i].changes) {
            continue;
        }
        (void)fprintf(to, "%-16s", gd_sim_op_text(operations[i].op));
        for (unsigned when = 0; when < (errors ? 1 : WHEN_COUNT); when++) {
            print_cell(walked[when], to);
        }
        (void)fprintf(to, "%8" PRId64 "\n", failed);
    }
}

static void print_end(struct walk *walk)
{
    FILE *to = walk->options->json ? stderr : stdout;
    uint64_t ms = (gd_sim_real_ns() - walk->started) / GD_SIM_MS;
    for (size_t i = 0; i < walk->count; i++) {
        const struct point *point = &walk->points[i];
        bool told = false;
        if (!point->walked) {
            continue;
        }
        if (walk->options->json) {
            print_point_json(walk, point);
        } else if (point->outcome != GD_SIM_PASS) {
            told = print_point(walk, point);
        }
        if (point->outcome == GD_SIM_FAIL && walk->options->folder != NULL) {
            keep_plan(walk, point, told);
        }
    }
    for (unsigned i = 0; i < GD_COUNT(walk->told); i++) {
        if (walk->told[i] > FAILURES_TOLD) {
            (void)fprintf(to, "%s: and %" PRIu64 " more\n",
                          gd_sim_outcome_text((enum gd_sim_outcome)i),
                          walk->told[i] - FAILURES_TOLD);
        }
    }
    print_table(walk, to);
    if (walk->options->twice) {
        (void)fprintf(to, "crashed once more while they recovered: %" PRIu64 "\n", walk->twice);
    }
    if (walk->finished < walk->share) {
        (void)fprintf(to, "not walked, since the time was up: %" PRIu64 " of %" PRIu64 "\n",
                      walk->share - walk->finished, walk->share);
    }
    (void)fprintf(to, "%zu plans and manners of their disks: %" PRIu64 ".%03" PRIu64 " s\n",
                  walk->tale_count, ms / 1000, ms % 1000);
    (void)fprintf(
        to, "%" PRIu64 " %s: %" PRIu64 " pass, %" PRIu64 " fail, %" PRIu64 " inconclusive\n",
        walk->finished, walk->options->errors ? "disk errors" : "crash points",
        walk->counts[GD_SIM_PASS], walk->counts[GD_SIM_FAIL], walk->counts[GD_SIM_INCONCLUSIVE]);
}

/* ---------------------------------------------------------------- the walk */

static void take_result(void *context, uint64_t number, const struct gd_sim_result *result)
{
    struct walk *walk = context;
    struct point *point = &walk->points[number];
    const char *property = result->property;
    point->walked = true;
    point->outcome = result->outcome;
    bool errors = walk->options->errors;
    uint64_t struck = errors ? result->disk_errors : result->crash_points;
    if (result->outcome == GD_SIM_PASS && struck <= point->tale->own) {
        point->missed = true;
        point->outcome = GD_SIM_INCONCLUSIVE;
        property = errors ? "the error did not come about" : "the crash did not come about";
    }
    if (point->outcome != GD_SIM_PASS) {
        point->property = strdup(property);
        point->text = strdup(result->text);
        GD_ASSERT(point->property != NULL && point->text != NULL);
    }
    walk->finished++;
    walk->twice += struck >= point->tale->own + 2;
    walk->counts[point->outcome]++;
    if (walk->tty) {
        (void)fprintf(stderr,
                      "\r\033[K%" PRIu64 " of %" PRIu64 " crash points, %" PRIu64 " failures",
                      walk->finished, walk->share, walk->counts[GD_SIM_FAIL]);
    }
}

static bool may_go_on(const struct walk *walk)
{
    uint64_t limit = walk->options->time_limit_s;
    return !interrupted && (limit == 0 || gd_sim_real_ns() - walk->started < limit * GD_SIM_S);
}

/* Numbers in an order in which those that are left out, when the time is up, are some of each plan:
 * steps of about five eighths of all, which have no divisor in common with it. */
static size_t stride(size_t count)
{
    size_t step = count / 8 * 5 + 1;
    for (size_t a = count, b = step; b != 0 || a != 1;) {
        if (b == 0) {
            a = count;
            b = ++step;
            continue;
        }
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return step;
}

static void walk_all(struct walk *walk)
{
    uint64_t next = 0;
    uint64_t step = walk->count > 0 ? stride(walk->count) : 1;
    walk->pool =
        gd_sim_pool_new(&(struct gd_sim_pool_options){.jobs = walk->options->jobs,
                                                      .run_limit_s = walk->options->run_limit_s,
                                                      .plan = plan_of,
                                                      .done = take_result,
                                                      .context = walk});
    for (;;) {
        while (gd_sim_pool_idle(walk->pool) && may_go_on(walk)) {
            while (next < walk->count && !ours(walk, next * step % walk->count)) {
                next++;
            }
            if (next == walk->count) {
                break;
            }
            gd_sim_pool_give(walk->pool, next++ * step % walk->count);
        }
        if (!gd_sim_pool_busy(walk->pool)) {
            break;
        }
        gd_sim_pool_wait(walk->pool);
    }
    if (walk->tty) {
        (void)fprintf(stderr, "\r\033[K");
    }
    if (walk->options->marks) {
        gd_sim_marks_print(gd_sim_pool_marks(walk->pool), walk->options->json ? stderr : stdout);
    }
    gd_sim_pool_free(walk->pool);
}

int gd_sim_walk(const struct gd_sim_walk_options *options)
{
    struct walk *walk = calloc(1, sizeof *walk);
    GD_ASSERT(walk != NULL);
    walk->options = options;
    walk->started = gd_sim_real_ns();
    walk->tty = isatty(2) != 0;
    struct sigaction action = {.sa_handler = on_interrupt};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    find_all(walk);
    walk_all(walk);
    print_end(walk);
    int status = walk->counts[GD_SIM_FAIL] > 0 ? 1 : walk->counts[GD_SIM_PASS] > 0 ? 0 : 3;
    for (size_t i = 0; i < walk->count; i++) {
        free(walk->points[i].property);
        free(walk->points[i].text);
    }
    free(walk->points);
    free(walk->tales);
    free(walk);
    return status;
}
