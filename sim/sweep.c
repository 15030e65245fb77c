/* sweep.c - many seeds, on several processes (pool.h).
 *
 * Lines come out in the order of the seeds, whoever is faster, so that two sweeps can be compared
 * line by line. */
#define _POSIX_C_SOURCE 200809L
#include "sim/sweep.h"
#include "sim/apart.h"
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool gd_sim_classes_parse(const char *text, uint32_t *classes)
{
    char name[64];
    *classes = 0;
    for (;;) {
        enum gd_sim_class named;
        size_t size = strcspn(text, "+");
        if (size >= sizeof name) {
            return false;
        }
        memcpy(name, text, size);
        name[size] = '\0';
        if (!gd_sim_class_parse(name, &named)) {
            return false;
        }
        *classes |= UINT32_C(1) << named;
        if (text[size] == '\0') {
            return true;
        }
        text += size + 1;
    }
}

void gd_sim_draw(struct gd_sim_plan *plan, const struct gd_sim_database *database, uint64_t seed,
                 uint32_t classes)
{
    (database->draw != NULL ? database->draw : gd_sim_plan_draw)(plan, seed, classes);
    plan->database = database;
}

struct sweep {
    const struct gd_sim_sweep_options *options;
    struct gd_sim_pool *pool;   /* Owned. */
    struct gd_sim_result *done; /* Owned: a ring of results that wait for those before them. */
    bool *have;                 /* Owned: likewise. */
    size_t ring;
    uint64_t next_seed; /* To be given out. */
    uint64_t next_printed;
    bool exhausted;
    uint64_t started;
    uint64_t counts[3];
    uint64_t finished, events, simulated;
    bool tty, stop;
};

static volatile sig_atomic_t interrupted;
static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* What a seed is run with. */
static const struct gd_sim_database *database_of(const struct gd_sim_sweep_options *options,
                                                 uint64_t seed)
{
    uint64_t last = seed % 10;
    return last < options->other_count ? options->others[last] : options->database;
}

/* ---------------------------------------------------------------- output */

/* Failures beyond these are told without their last events, since each costs a run. */
#define TOLD_IN_FULL 3
static void print_result(struct sweep *sweep, const struct gd_sim_result *result)
{
    char line[256];
    const struct gd_sim_sweep_options *options = sweep->options;
    const struct gd_sim_database *database = database_of(options, result->seed);
    if (sweep->tty) {
        (void)fprintf(stderr, "\r\033[K");
    }
    if (options->json) {
        (void)printf("{\"seed\":%" PRIu64
                     ",\"database\":\"%s\",\"outcome\":\"%s\",\"events\":%" PRIu64
                     ",\"sim_ns\":%" PRIu64 ",\"ops\":%" PRIu64 ",\"unknown\":%" PRIu64
                     ",\"refused\":%" PRIu64 ",\"asked\":%" PRIu64 ",\"hash\":\"%016" PRIx64
                     "\",\"real_ns\":%" PRIu64 ",\"property\":\"",
                     result->seed, database->name, gd_sim_outcome_text(result->outcome),
                     result->events, result->time, result->operations, result->unknown,
                     result->refused, result->asked, result->hash, result->nanoseconds);
        gd_sim_print_json_text(result->property);
        (void)printf("\",\"text\":\"");
        gd_sim_print_json_text(result->outcome == GD_SIM_FAIL ? result->text : "");
        (void)printf("\"}\n");
    } else if (result->outcome == GD_SIM_FAIL) {
        gd_sim_result_line(result, line, sizeof line);
        (void)printf("%s\n  violated: %s\n  %s\n  replay: %s replay %s%" PRIu64 "%s%s --trace\n",
                     line, result->property, result->text, options->program, database->prefix,
                     result->seed, options->with != NULL ? "+" : "",
                     options->with != NULL ? options->with : "");
        if (sweep->counts[GD_SIM_FAIL] <= TOLD_IN_FULL) {
            struct gd_sim_plan *plan = malloc(sizeof *plan);
            GD_ASSERT(plan != NULL);
            gd_sim_draw(plan, database, result->seed, options->classes);
            gd_sim_print_last_events(plan, result, stdout);
            free(plan);
        }
    } else if (!options->quiet) {
        gd_sim_result_line(result, line, sizeof line);
        (void)printf("%s%s%s%s%s\n", line, options->other_count > 0 ? " database=" : "",
                     options->other_count > 0 ? database->name : "",
                     result->property[0] != '\0' ? " reason: " : "", result->property);
    }
    (void)fflush(stdout);
}

static void print_progress(const struct sweep *sweep)
{
    uint64_t spent = gd_sim_real_ns() - sweep->started;
    uint64_t rate = spent > 0 ? sweep->finished * 10 * GD_SIM_S / spent : 0;
    if (sweep->tty) {
        (void)fprintf(stderr,
                      "\r\033[K%" PRIu64 " seeds, %" PRIu64 ".%" PRIu64 "/s, %" PRIu64
                      " s simulated, %" PRIu64 " failures",
                      sweep->finished, rate / 10, rate % 10, sweep->simulated / GD_SIM_S,
                      sweep->counts[GD_SIM_FAIL]);
    }
}

static void print_end(const struct sweep *sweep)
{
    uint64_t spent = gd_sim_real_ns() - sweep->started;
    uint64_t ms = spent / GD_SIM_MS > 0 ? spent / GD_SIM_MS : 1;
    FILE *to = sweep->options->json ? stderr : stdout;
    (void)fprintf(to,
                  "%" PRIu64 " seeds: %" PRIu64 " pass, %" PRIu64 " fail, %" PRIu64
                  " inconclusive; %" PRIu64 ".%03" PRIu64 " s, %" PRIu64 ".%" PRIu64
                  " seeds/s, %" PRIu64 " events/s, %" PRIu64 " simulated s/s\n",
                  sweep->finished, sweep->counts[GD_SIM_PASS], sweep->counts[GD_SIM_FAIL],
                  sweep->counts[GD_SIM_INCONCLUSIVE], ms / 1000, ms % 1000,
                  sweep->finished * 1000 / ms, sweep->finished * 10000 / ms % 10,
                  sweep->events * 1000 / ms, sweep->simulated / GD_SIM_MS / ms);
    if (sweep->options->marks) {
        gd_sim_marks_print(gd_sim_pool_marks(sweep->pool), to);
    }
}

/* ---------------------------------------------------------------- seeds */

static bool ours(const struct gd_sim_sweep_options *options, uint64_t seed)
{
    return seed % options->shard_count == options->shard;
}

static void skip_others(const struct sweep *sweep, uint64_t *seed)
{
    while (*seed <= sweep->options->last && !ours(sweep->options, *seed)) {
        ++*seed;
    }
}

/* The plan of a seed, in a worker. */
static void plan_of(const void *context, uint64_t seed, struct gd_sim_plan *plan)
{
    const struct sweep *sweep = context;
    gd_sim_draw(plan, database_of(sweep->options, seed), seed, sweep->options->classes);
}

static void take_result(void *context, uint64_t seed, const struct gd_sim_result *result)
{
    struct sweep *sweep = context;
    size_t place = (size_t)(seed % sweep->ring);
    sweep->done[place] = *result;
    sweep->have[place] = true;
    sweep->finished++;
    sweep->counts[result->outcome]++;
    sweep->events += result->events;
    sweep->simulated += result->time;
    if (result->outcome == GD_SIM_FAIL && sweep->options->stop_at_failure) {
        sweep->stop = true;
    }
    for (;;) {
        place = (size_t)(sweep->next_printed % sweep->ring);
        if (!sweep->have[place] || sweep->done[place].seed != sweep->next_printed) {
            break;
        }
        print_result(sweep, &sweep->done[place]);
        sweep->have[place] = false;
        sweep->next_printed++;
        skip_others(sweep, &sweep->next_printed);
    }
}

static bool may_go_on(struct sweep *sweep)
{
    const struct gd_sim_sweep_options *options = sweep->options;
    uint64_t spent = gd_sim_real_ns() - sweep->started;
    if (interrupted || sweep->stop ||
        (options->time_limit_s > 0 && spent >= options->time_limit_s * GD_SIM_S)) {
        sweep->exhausted = true;
    }
    return !sweep->exhausted && sweep->next_seed <= options->last &&
           sweep->next_seed - sweep->next_printed < sweep->ring;
}

static void give_seeds(struct sweep *sweep)
{
    while (gd_sim_pool_idle(sweep->pool) && may_go_on(sweep)) {
        gd_sim_pool_give(sweep->pool, sweep->next_seed++);
        skip_others(sweep, &sweep->next_seed);
    }
}

int gd_sim_sweep(const struct gd_sim_sweep_options *options)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    GD_ASSERT(sweep != NULL);
    sweep->options = options;
    sweep->ring = (size_t)options->jobs * options->shard_count * 64;
    sweep->pool = gd_sim_pool_new(&(struct gd_sim_pool_options){.jobs = options->jobs,
                                                                .run_limit_s = options->run_limit_s,
                                                                .plan = plan_of,
                                                                .done = take_result,
                                                                .context = sweep});
    sweep->done = calloc(sweep->ring, sizeof *sweep->done);
    sweep->have = calloc(sweep->ring, sizeof *sweep->have);
    GD_ASSERT(sweep->done != NULL && sweep->have != NULL);
    sweep->started = gd_sim_real_ns();
    sweep->tty = isatty(2) != 0;
    sweep->next_seed = options->first;
    skip_others(sweep, &sweep->next_seed);
    sweep->next_printed = sweep->next_seed;
    struct sigaction action = {.sa_handler = on_interrupt};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    for (;;) {
        give_seeds(sweep);
        if (!gd_sim_pool_busy(sweep->pool)) {
            break;
        }
        gd_sim_pool_wait(sweep->pool);
        print_progress(sweep);
    }
    if (sweep->tty) {
        (void)fprintf(stderr, "\r\033[K");
    }
    print_end(sweep);
    int status = sweep->counts[GD_SIM_FAIL] > 0 ? 1 : sweep->counts[GD_SIM_PASS] > 0 ? 0 : 3;
    gd_sim_pool_free(sweep->pool);
    free(sweep->done);
    free(sweep->have);
    free(sweep);
    return status;
}
