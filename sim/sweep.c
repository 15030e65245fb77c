/* sweep.c - many seeds, on several processes.
 *
 * Workers are forked once and are given one seed at a time by a pipe; each answers with the result
 * and the marks that the seed reached. A worker that dies, or does not return, is that seed's
 * result, and another takes its place. Lines come out in the order of the seeds, whoever is faster,
 * so that two sweeps can be compared line by line. */
#define _POSIX_C_SOURCE 200809L
#include "sim/sweep.h"
#include "sim/apart.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARKS_MAX 1024
#define SAID_SIZE 16384

/* The linker's names for the section that GD_REACHED fills. */
extern struct gd_mark *const __start_gd_marks[] __attribute__((weak));
extern struct gd_mark *const __stop_gd_marks[] __attribute__((weak));

static size_t mark_count(void)
{
    size_t count = (size_t)(__stop_gd_marks - __start_gd_marks);
    return count < MARKS_MAX ? count : MARKS_MAX;
}

bool gd_sim_classes_parse(const char *text, uint32_t *classes)
{
    char name[64];
    *classes = 0;
    for (;;) {
        enum gd_sim_class class_;
        size_t size = strcspn(text, "+");
        if (size >= sizeof name) {
            return false;
        }
        memcpy(name, text, size);
        name[size] = '\0';
        if (!gd_sim_class_parse(name, &class_)) {
            return false;
        }
        *classes |= UINT32_C(1) << class_;
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

struct answer {
    struct gd_sim_result result;
    uint64_t marks[MARKS_MAX];
};
struct worker {
    pid_t pid;
    int ask, answer, said; /* Descriptors. */
    bool busy;
    uint64_t seed, started, cpu_started; /* Its clock and the processor's, when it got the seed. */
    char text[SAID_SIZE];                /* What it wrote to its standard error. */
    size_t text_size;
};
struct sweep {
    const struct gd_sim_sweep_options *options;
    struct worker *workers;     /* Owned. */
    struct gd_sim_result *done; /* Owned: a ring of results that wait for those before them. */
    bool *have;                 /* Owned: likewise. */
    size_t ring;
    uint64_t next_seed; /* To be given out. */
    uint64_t next_printed;
    bool exhausted;
    uint64_t started;
    uint64_t counts[3];
    uint64_t finished, events, simulated;
    uint64_t marks[MARKS_MAX];
    bool tty, stop;
};

static volatile sig_atomic_t interrupted;
static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---------------------------------------------------------------- workers */

static const struct gd_sim_database *database_of(const struct gd_sim_sweep_options *options,
                                                 uint64_t seed)
{
    uint64_t last = seed % 10;
    return last < options->other_count ? options->others[last] : options->database;
}

_Noreturn static void work(int ask, int answer, const struct gd_sim_sweep_options *all)
{
    struct answer *mine = calloc(1, sizeof *mine);
    struct gd_sim_plan *plan = calloc(1, sizeof *plan);
    struct gd_sim_run_options options = {0};
    uint64_t seed;
    GD_ASSERT(mine != NULL && plan != NULL);
    while (gd_sim_read_all(ask, &seed, sizeof seed)) {
        for (size_t i = 0; i < mark_count(); i++) {
            __start_gd_marks[i]->count = 0;
        }
        uint64_t start = gd_sim_real_ns();
        gd_sim_draw(plan, database_of(all, seed), seed, all->classes);
        gd_sim_run(plan, &options, &mine->result);
        mine->result.nanoseconds = gd_sim_real_ns() - start;
        for (size_t i = 0; i < mark_count(); i++) {
            mine->marks[i] = __start_gd_marks[i]->count;
        }
        if (!gd_sim_write_all(answer, mine, sizeof *mine)) {
            break;
        }
    }
    gd_sim_leave(0);
}

static void start_worker(struct sweep *sweep, struct worker *worker)
{
    int ask[2];
    int answer[2];
    int said[2];
    GD_ASSERT(pipe(ask) == 0);
    GD_ASSERT(pipe(answer) == 0);
    GD_ASSERT(pipe(said) == 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    GD_ASSERT(pid >= 0);
    if (pid == 0) {
        for (unsigned i = 0; i < sweep->options->jobs; i++) {
            if (sweep->workers[i].pid > 0 && &sweep->workers[i] != worker) {
                (void)close(sweep->workers[i].ask);
                (void)close(sweep->workers[i].answer);
                (void)close(sweep->workers[i].said);
            }
        }
        (void)signal(SIGINT, SIG_IGN); /* The parent ends us by closing the pipe. */
        (void)dup2(said[1], 2);
        (void)close(said[0]);
        (void)close(said[1]);
        (void)close(ask[1]);
        (void)close(answer[0]);
        work(ask[0], answer[1], sweep->options);
    }
    (void)close(ask[0]);
    (void)close(answer[1]);
    (void)close(said[1]);
    worker->pid = pid;
    worker->ask = ask[1];
    worker->answer = answer[0];
    worker->said = said[0];
    worker->busy = false;
    worker->text_size = 0;
}

static int end_worker(struct worker *worker)
{
    int status = 0;
    (void)close(worker->ask);
    (void)close(worker->answer);
    (void)close(worker->said);
    (void)waitpid(worker->pid, &status, 0);
    worker->pid = 0;
    return status;
}

/* ---------------------------------------------------------------- output */

static void print_json_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            (void)printf("\\%c", *text);
        } else if ((unsigned char)*text < 0x20) {
            (void)printf("\\u%04x", (unsigned)*text);
        } else {
            (void)putchar(*text);
        }
    }
}

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
        print_json_text(result->property);
        (void)printf("\",\"text\":\"");
        print_json_text(result->outcome == GD_SIM_FAIL ? result->text : "");
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

void gd_sim_marks_print(const uint64_t *counts, FILE *to)
{
    size_t reached = 0;
    for (size_t i = 0; i < mark_count(); i++) {
        reached += counts[i] > 0;
    }
    (void)fprintf(to, "marks: %zu of %zu reached\n", reached, mark_count());
    for (size_t i = 0; i < mark_count(); i++) {
        const struct gd_mark *mark = __start_gd_marks[i];
        (void)fprintf(to, "%12" PRIu64 "  %s (%s:%d)%s\n", counts[i], mark->text, mark->file,
                      mark->line, counts[i] == 0 ? "  NEVER" : "");
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
        gd_sim_marks_print(sweep->marks, to);
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

static void take_result(struct sweep *sweep, const struct gd_sim_result *result)
{
    size_t place = (size_t)(result->seed % sweep->ring);
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
    for (unsigned i = 0; i < sweep->options->jobs; i++) {
        struct worker *worker = &sweep->workers[i];
        if (worker->busy || !may_go_on(sweep)) {
            continue;
        }
        if (worker->pid == 0) {
            start_worker(sweep, worker);
        }
        worker->seed = sweep->next_seed++;
        worker->started = gd_sim_real_ns();
        worker->cpu_started = gd_sim_cpu_ns(worker->pid);
        worker->busy = true;
        worker->text_size = 0;
        skip_others(sweep, &sweep->next_seed);
        (void)gd_sim_write_all(worker->ask, &worker->seed, sizeof worker->seed);
    }
}

static void hear(struct worker *worker)
{
    char scrap[4096];
    ssize_t n = read(worker->said, scrap, sizeof scrap);
    for (ssize_t i = 0; i < n && worker->text_size + 1 < SAID_SIZE; i++) {
        worker->text[worker->text_size++] = scrap[i];
    }
    worker->text[worker->text_size] = '\0';
}

/* The worker has answered, or has died. */
static void take_answer(struct sweep *sweep, struct worker *worker)
{
    struct answer *answer = malloc(sizeof *answer);
    GD_ASSERT(answer != NULL);
    if (gd_sim_read_all(worker->answer, answer, sizeof *answer)) {
        for (size_t i = 0; i < mark_count(); i++) {
            sweep->marks[i] += answer->marks[i];
        }
    } else {
        struct pollfd fd = {.fd = worker->said, .events = POLLIN};
        while (poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN) != 0) {
            hear(worker);
        }
        worker->text[worker->text_size] = '\0';
        int status = end_worker(worker);
        gd_sim_died(&answer->result, worker->seed, status, worker->text);
    }
    worker->busy = false;
    take_result(sweep, &answer->result);
    free(answer);
}

static void watch(struct sweep *sweep)
{
    struct pollfd fds[2 * GD_SIM_SWEEP_JOBS_MAX];
    struct worker *whose[2 * GD_SIM_SWEEP_JOBS_MAX];
    nfds_t count = 0;
    for (unsigned i = 0; i < sweep->options->jobs; i++) {
        struct worker *worker = &sweep->workers[i];
        if (!worker->busy) {
            continue;
        }
        if (gd_sim_overdue(worker->pid, sweep->options->run_limit_s, worker->cpu_started,
                           worker->started)) {
            (void)kill(worker->pid, SIGKILL);
        }
        whose[count] = worker;
        fds[count++] = (struct pollfd){.fd = worker->said, .events = POLLIN};
        whose[count] = worker;
        fds[count++] = (struct pollfd){.fd = worker->answer, .events = POLLIN};
    }
    if (poll(fds, count, 1000) <= 0) {
        print_progress(sweep);
        return;
    }
    for (nfds_t i = 0; i < count; i += 2) {
        if ((fds[i].revents & POLLIN) != 0) {
            hear(whose[i]);
        }
        if (fds[i + 1].revents != 0) {
            take_answer(sweep, whose[i + 1]);
        }
    }
    print_progress(sweep);
}

static bool any_busy(const struct sweep *sweep)
{
    for (unsigned i = 0; i < sweep->options->jobs; i++) {
        if (sweep->workers[i].busy) {
            return true;
        }
    }
    return false;
}

int gd_sim_sweep(const struct gd_sim_sweep_options *options)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    GD_ASSERT(sweep != NULL);
    sweep->options = options;
    sweep->ring = (size_t)options->jobs * options->shard_count * 64;
    sweep->workers = calloc(options->jobs, sizeof *sweep->workers);
    sweep->done = calloc(sweep->ring, sizeof *sweep->done);
    sweep->have = calloc(sweep->ring, sizeof *sweep->have);
    GD_ASSERT(sweep->workers != NULL && sweep->done != NULL && sweep->have != NULL);
    sweep->started = gd_sim_real_ns();
    sweep->tty = isatty(2) != 0;
    sweep->next_seed = options->first;
    skip_others(sweep, &sweep->next_seed);
    sweep->next_printed = sweep->next_seed;
    struct sigaction action = {.sa_handler = on_interrupt};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    for (;;) {
        give_seeds(sweep);
        if (!any_busy(sweep)) {
            break;
        }
        watch(sweep);
    }
    for (unsigned i = 0; i < options->jobs; i++) {
        if (sweep->workers[i].pid != 0) {
            (void)end_worker(&sweep->workers[i]);
        }
    }
    if (sweep->tty) {
        (void)fprintf(stderr, "\r\033[K");
    }
    print_end(sweep);
    int status = sweep->counts[GD_SIM_FAIL] > 0 ? 1 : sweep->counts[GD_SIM_PASS] > 0 ? 0 : 3;
    free(sweep->workers);
    free(sweep->done);
    free(sweep->have);
    free(sweep);
    return status;
}
