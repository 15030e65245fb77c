/* apart.c - a run in a process of its own, and what came of it.
 *
 * A failed assertion, a bad address or an endless loop in a node ends a process. What it said on
 * its standard error is the best account of it, so its last line becomes the violated property. */
#define _POSIX_C_SOURCE 200809L
#include "sim/apart.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *gd_sim_outcome_text(enum gd_sim_outcome outcome)
{
    static const char *const texts[] = {"pass", "fail", "inconclusive"};
    return texts[outcome];
}

int gd_sim_outcome_status(enum gd_sim_outcome outcome)
{
    static const int statuses[] = {0, 1, 3};
    return statuses[outcome];
}

void gd_sim_result_line(const struct gd_sim_result *result, char *text, size_t size)
{
    (void)snprintf(text, size,
                   "seed=%" PRIu64 " outcome=%s events=%" PRIu64 " sim_s=%" PRIu64 ".%03" PRIu64
                   " ops=%" PRIu64 " hash=%016" PRIx64,
                   result->seed, gd_sim_outcome_text(result->outcome), result->events,
                   result->time / GD_SIM_S, result->time % GD_SIM_S / GD_SIM_MS, result->operations,
                   result->hash);
}

uint64_t gd_sim_real_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * GD_SIM_S + (uint64_t)now.tv_nsec;
}

uint64_t gd_sim_cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        return 0;
    }
    return (uint64_t)used.tv_sec * GD_SIM_S + (uint64_t)used.tv_nsec;
}

bool gd_sim_overdue(pid_t pid, unsigned limit_s, uint64_t cpu, uint64_t real)
{
    uint64_t limit = limit_s * GD_SIM_S;
    return gd_sim_cpu_ns(pid) > cpu + limit || gd_sim_real_ns() > real + 10 * limit;
}

#ifdef GD_COVERAGE
void __gcov_dump(void);
#endif

_Noreturn void gd_sim_leave(int status)
{
#ifdef GD_COVERAGE
    __gcov_dump(); /* _exit passes over it. */
#endif
    _exit(status);
}

bool gd_sim_write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t wrote = write(fd, at, size);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return false;
        }
        at += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

bool gd_sim_read_all(int fd, void *data, size_t size)
{
    char *at = data;
    while (size > 0) {
        ssize_t got = read(fd, at, size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        at += got;
        size -= (size_t)got;
    }
    return true;
}

/* The last line of `text` that says something; for sanitizers the first that begins their report.
 */
static void pick_line(const char *text, char *line, size_t size)
{
    const char *start = strstr(text, "ERROR: AddressSanitizer");
    start = start == NULL ? strstr(text, "runtime error:") : start;
    start = start == NULL ? strstr(text, "internal error") : start;
    if (start == NULL) {
        size_t end = strlen(text);
        while (end > 0 && text[end - 1] == '\n') {
            end--;
        }
        start = text + end;
        while (start > text && start[-1] != '\n') {
            start--;
        }
    }
    size_t length = strcspn(start, "\n");
    const char *where = strstr(start, " on address "); /* It is another one in each run. */
    if (where != NULL && (size_t)(where - start) < length) {
        length = (size_t)(where - start);
    }
    length = length < size - 1 ? length : size - 1;
    memcpy(line, start, length);
    line[length] = '\0';
}

void gd_sim_died(struct gd_sim_result *result, uint64_t seed, int status, const char *said)
{
    char line[GD_SIM_PROPERTY_SIZE - 16];
    *result = (struct gd_sim_result){.seed = seed, .outcome = GD_SIM_FAIL};
    pick_line(said, line, sizeof line);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        (void)snprintf(result->property, sizeof result->property, "the run does not end");
    } else if (line[0] != '\0') {
        (void)snprintf(result->property, sizeof result->property, "crash: %s", line);
    } else {
        (void)snprintf(result->property, sizeof result->property, "crash: signal %d",
                       WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    }
    size_t length = strlen(said);
    size_t skip = length > sizeof result->text - 1 ? length - (sizeof result->text - 1) : 0;
    (void)snprintf(result->text, sizeof result->text, "%s", said + skip);
}

/* What a run in `pid` sends by `data` and says by `said`, until both end or time is up. */
static bool gather(pid_t pid, int data, int said, unsigned limit_s, struct gd_sim_result *result,
                   char *text, size_t text_size)
{
    uint64_t start = gd_sim_real_ns();
    bool killed = false;
    size_t got = 0;
    size_t heard = 0;
    struct pollfd fds[2] = {{.fd = data, .events = POLLIN}, {.fd = said, .events = POLLIN}};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (!killed && gd_sim_overdue(pid, limit_s, 0, start)) {
            (void)kill(pid, SIGKILL);
            killed = true;
        }
        if (poll(fds, 2, 200) < 0 && errno != EINTR) {
            break;
        }
        if (fds[0].fd >= 0 && fds[0].revents != 0) {
            ssize_t n = read(data, (char *)result + got, sizeof *result - got);
            got += n > 0 ? (size_t)n : 0;
            fds[0].fd = n > 0 && got < sizeof *result ? data : -1;
        }
        if (fds[1].fd >= 0 && fds[1].revents != 0) {
            char scrap[4096];
            ssize_t n = read(said, scrap, sizeof scrap);
            for (ssize_t i = 0; i < n && heard + 1 < text_size; i++) {
                text[heard++] = scrap[i];
            }
            fds[1].fd = n > 0 ? said : -1;
        }
    }
    text[heard] = '\0';
    return got == sizeof *result;
}

void gd_sim_run_apart(const struct gd_sim_plan *plan, unsigned limit_s, uint64_t events_max,
                      struct gd_sim_result *result)
{
    enum { SAID_SIZE = 65536 };
    char *said = malloc(SAID_SIZE);
    GD_ASSERT(said != NULL);
    int data[2];
    int errors[2];
    int status = 0;
    GD_ASSERT(pipe(data) == 0);
    GD_ASSERT(pipe(errors) == 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    GD_ASSERT(pid >= 0);
    if (pid == 0) {
        struct gd_sim_run_options options = {.events_max = events_max};
        (void)dup2(errors[1], 2);
        (void)close(data[0]);
        (void)close(errors[0]);
        gd_sim_run(plan, &options, result);
        gd_sim_leave(gd_sim_write_all(data[1], result, sizeof *result) ? 0 : 70);
    }
    (void)close(data[1]);
    (void)close(errors[1]);
    bool whole = gather(pid, data[0], errors[0], limit_s, result, said, SAID_SIZE);
    (void)close(data[0]);
    (void)close(errors[0]);
    (void)waitpid(pid, &status, 0);
    if (!whole) {
        gd_sim_died(result, plan->seed, status, said);
    }
    free(said);
}

/* ---------------------------------------------------------------- the last events */

#define LAST_EVENTS 20
#define LAST_EVENTS_LIMIT_S 30
#define LAST_EVENTS_SPAN (2 * GD_SIM_S)

static void print_tail(FILE *from, FILE *to)
{
    char lines[LAST_EVENTS][256];
    size_t count = 0;
    rewind(from);
    while (fgets(lines[count % LAST_EVENTS], (int)sizeof lines[0], from) != NULL) {
        char *line = lines[count % LAST_EVENTS];
        if (strchr(line, '\n') == NULL) { /* Longer than is shown. */
            for (int c = fgetc(from); c != EOF && c != '\n'; c = fgetc(from)) {
            }
        }
        line[strcspn(line, "\n")] = '\0';
        count++;
    }
    for (size_t i = count > LAST_EVENTS ? count - LAST_EVENTS : 0; i < count; i++) {
        (void)fprintf(to, "  | %s\n", lines[i % LAST_EVENTS]);
    }
}

void gd_sim_print_last_events(const struct gd_sim_plan *plan, const struct gd_sim_result *result,
                              FILE *to)
{
    FILE *trace = tmpfile();
    if (trace == NULL) {
        return;
    }
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct gd_sim_result again;
        struct gd_sim_run_options options = {.trace = {.to = trace, .until = UINT64_MAX}};
        if (result->at > LAST_EVENTS_SPAN) {
            options.trace.from = result->at - LAST_EVENTS_SPAN;
        }
        (void)alarm(LAST_EVENTS_LIMIT_S);
        (void)setvbuf(trace, NULL, _IOLBF, 0); /* What is shown before a crash stays. */
        (void)freopen("/dev/null", "w", stderr);
        gd_sim_run(plan, &options, &again);
        (void)fflush(trace);
        gd_sim_leave(0);
    }
    if (pid > 0) {
        int status = 0;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        (void)fprintf(to, "  the last events:\n");
        print_tail(trace, to);
    }
    (void)fclose(trace);
}
