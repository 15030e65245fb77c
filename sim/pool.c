/* pool.c - plans by number, run by several processes.
 *
 * Workers are forked once and are given one number at a time by a pipe; each answers with the
 * result and the marks that the run reached. A worker that dies, or does not return, is that
 * number's result, and another takes its place. */
#define _POSIX_C_SOURCE 200809L
#include "sim/pool.h"
#include "sim/apart.h"
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

struct answer {
    struct gd_sim_result result;
    uint64_t marks[MARKS_MAX];
};
struct worker {
    pid_t pid;
    int ask, answer, said; /* Descriptors. */
    bool busy;
    /* Its clock and the processor's, when it got the number. */
    uint64_t number, started, cpu_started;
    char text[SAID_SIZE]; /* What it wrote to its standard error. */
    size_t text_size;
};
struct gd_sim_pool {
    struct gd_sim_pool_options options;
    struct worker *workers; /* Owned. */
    uint64_t marks[MARKS_MAX];
};

/* ---------------------------------------------------------------- workers */

_Noreturn static void work(int ask, int answer, const struct gd_sim_pool_options *pool)
{
    struct answer *mine = calloc(1, sizeof *mine);
    struct gd_sim_plan *plan = calloc(1, sizeof *plan);
    struct gd_sim_run_options options = {0};
    uint64_t number;
    GD_ASSERT(mine != NULL && plan != NULL);
    while (gd_sim_read_all(ask, &number, sizeof number)) {
        for (size_t i = 0; i < mark_count(); i++) {
            __start_gd_marks[i]->count = 0;
        }
        uint64_t start = gd_sim_real_ns();
        pool->plan(pool->context, number, plan);
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

static void start_worker(struct gd_sim_pool *pool, struct worker *worker)
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
        for (unsigned i = 0; i < pool->options.jobs; i++) {
            if (pool->workers[i].pid > 0 && &pool->workers[i] != worker) {
                (void)close(pool->workers[i].ask);
                (void)close(pool->workers[i].answer);
                (void)close(pool->workers[i].said);
            }
        }
        (void)signal(SIGINT, SIG_IGN); /* The parent ends us by closing the pipe. */
        (void)dup2(said[1], 2);
        (void)close(said[0]);
        (void)close(said[1]);
        (void)close(ask[1]);
        (void)close(answer[0]);
        work(ask[0], answer[1], &pool->options);
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

struct gd_sim_pool *gd_sim_pool_new(const struct gd_sim_pool_options *options)
{
    struct gd_sim_pool *pool = calloc(1, sizeof *pool);
    GD_ASSERT(pool != NULL);
    GD_ASSERT(options->jobs >= 1 && options->jobs <= GD_SIM_JOBS_MAX);
    pool->options = *options;
    pool->workers = calloc(options->jobs, sizeof *pool->workers);
    GD_ASSERT(pool->workers != NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return pool;
}

void gd_sim_pool_free(struct gd_sim_pool *pool)
{
    GD_ASSERT(!gd_sim_pool_busy(pool));
    for (unsigned i = 0; i < pool->options.jobs; i++) {
        if (pool->workers[i].pid != 0) {
            (void)end_worker(&pool->workers[i]);
        }
    }
    free(pool->workers);
    free(pool);
}

/* ---------------------------------------------------------------- numbers */

bool gd_sim_pool_idle(const struct gd_sim_pool *pool)
{
    for (unsigned i = 0; i < pool->options.jobs; i++) {
        if (!pool->workers[i].busy) {
            return true;
        }
    }
    return false;
}

bool gd_sim_pool_busy(const struct gd_sim_pool *pool)
{
    for (unsigned i = 0; i < pool->options.jobs; i++) {
        if (pool->workers[i].busy) {
            return true;
        }
    }
    return false;
}

void gd_sim_pool_give(struct gd_sim_pool *pool, uint64_t number)
{
    struct worker *worker = pool->workers;
    GD_ASSERT(gd_sim_pool_idle(pool));
    while (worker->busy) {
        worker++;
    }
    if (worker->pid == 0) {
        start_worker(pool, worker);
    }
    worker->number = number;
    worker->started = gd_sim_real_ns();
    worker->cpu_started = gd_sim_cpu_ns(worker->pid);
    worker->busy = true;
    worker->text_size = 0;
    (void)gd_sim_write_all(worker->ask, &worker->number, sizeof worker->number);
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
static void take_answer(struct gd_sim_pool *pool, struct worker *worker)
{
    struct answer *answer = malloc(sizeof *answer);
    GD_ASSERT(answer != NULL);
    if (gd_sim_read_all(worker->answer, answer, sizeof *answer)) {
        for (size_t i = 0; i < mark_count(); i++) {
            pool->marks[i] += answer->marks[i];
        }
    } else {
        struct pollfd fd = {.fd = worker->said, .events = POLLIN};
        while (poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN) != 0) {
            hear(worker);
        }
        worker->text[worker->text_size] = '\0';
        int status = end_worker(worker);
        gd_sim_died(&answer->result, worker->number, status, worker->text);
    }
    worker->busy = false;
    pool->options.done(pool->options.context, worker->number, &answer->result);
    free(answer);
}

void gd_sim_pool_wait(struct gd_sim_pool *pool)
{
    struct pollfd fds[2 * GD_SIM_JOBS_MAX];
    struct worker *whose[2 * GD_SIM_JOBS_MAX];
    nfds_t count = 0;
    for (unsigned i = 0; i < pool->options.jobs; i++) {
        struct worker *worker = &pool->workers[i];
        if (!worker->busy) {
            continue;
        }
        if (gd_sim_overdue(worker->pid, pool->options.run_limit_s, worker->cpu_started,
                           worker->started)) {
            (void)kill(worker->pid, SIGKILL);
        }
        whose[count] = worker;
        fds[count++] = (struct pollfd){.fd = worker->said, .events = POLLIN};
        whose[count] = worker;
        fds[count++] = (struct pollfd){.fd = worker->answer, .events = POLLIN};
    }
    if (poll(fds, count, 1000) <= 0) {
        return;
    }
    for (nfds_t i = 0; i < count; i += 2) {
        if ((fds[i].revents & POLLIN) != 0) {
            hear(whose[i]);
        }
        if (fds[i + 1].revents != 0) {
            take_answer(pool, whose[i + 1]);
        }
    }
}

/* ---------------------------------------------------------------- output */

const uint64_t *gd_sim_pool_marks(const struct gd_sim_pool *pool)
{
    return pool->marks;
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

void gd_sim_print_json_text(const char *text)
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
