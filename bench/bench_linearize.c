/* bench_linearize.c - the checker over seeded histories: times, peak memory, the path taken.
 *
 *     bench_linearize [SCALE]      SCALE 1..: histories are that many times shorter (tests)
 *
 * One thread, the history in memory: making and parsing it is left out. Each row runs in a process
 * of its own, so that its peak memory is its own; "MB" is what judging took beyond the history. */
#define _GNU_SOURCE
#include "sim/generate.h"
#include "sim/linearize_kv.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct row {
    const char *name;
    struct gd_sim_generate_options options;
    enum gd_lin_verdict want;
};

#define REGISTERS                                                                                  \
    {                                                                                              \
        [GD_SIM_DO_READ] = 50, [GD_SIM_DO_WRITE] = 50                                              \
    }
#define MIXED                                                                                      \
    {                                                                                              \
        [GD_SIM_DO_READ] = 50, [GD_SIM_DO_WRITE] = 25, [GD_SIM_DO_CAS] = 10,                       \
        [GD_SIM_DO_APPEND] = 10, [GD_SIM_DO_DELETE] = 5                                            \
    }
#define CAS_ONLY                                                                                   \
    {                                                                                              \
        [GD_SIM_DO_READ] = 40, [GD_SIM_DO_WRITE] = 30, [GD_SIM_DO_CAS] = 30                        \
    }

enum { RUNS = 5 };

static const struct row rows[] = {
    {"registers, one key, 64 clients, 5% unknown",
     {.clients = 64, .keys = 1, .operations = 100000, .weights = REGISTERS, .unknown_permille = 50},
     GD_LIN_LEGAL},
    {"  with a stale read",
     {.clients = 64,
      .keys = 1,
      .operations = 100000,
      .weights = REGISTERS,
      .unknown_permille = 50,
      .violation = GD_SIM_VIOLATION_STALE_AMONG},
     GD_LIN_ILLEGAL},
    {"mixed, one key, 64 clients, 5% unknown",
     {.clients = 64, .keys = 1, .operations = 100000, .weights = MIXED, .unknown_permille = 50},
     GD_LIN_LEGAL},
    {"  with a stale read",
     {.clients = 64,
      .keys = 1,
      .operations = 100000,
      .weights = MIXED,
      .unknown_permille = 50,
      .violation = GD_SIM_VIOLATION_STALE_AMONG},
     GD_LIN_ILLEGAL},
    {"mixed, one key, 32 clients",
     {.clients = 32, .keys = 1, .operations = 10000, .weights = MIXED},
     GD_LIN_LEGAL},
    {"mixed, 100 keys, 8 clients",
     {.clients = 8, .keys = 100, .operations = 100000, .weights = MIXED},
     GD_LIN_LEGAL},
    {"mixed, 100 keys, 64 clients",
     {.clients = 64, .keys = 100, .operations = 100000, .weights = MIXED},
     GD_LIN_LEGAL},
    {"mixed, 100 keys, 64 clients",
     {.clients = 64, .keys = 100, .operations = 1000000, .weights = MIXED},
     GD_LIN_LEGAL},
    {"mixed, 10,000 keys, 64 clients",
     {.clients = 64, .keys = 10000, .operations = 1000000, .weights = MIXED},
     GD_LIN_LEGAL},
    {"cas of 5 values, one key, 10 clients, 5% unknown",
     {.clients = 10,
      .keys = 1,
      .operations = 2000,
      .weights = CAS_ONLY,
      .unknown_permille = 50,
      .values = 5},
     GD_LIN_LEGAL},
    {"cas of 5 values, one key, 64 clients",
     {.clients = 64, .keys = 1, .operations = 10000, .weights = CAS_ONLY, .values = 5},
     GD_LIN_LEGAL},
    {"1,000 overlapping writes, a read that contradicts",
     {.shape = GD_SIM_SHAPE_OVERLAP,
      .operations = 1000,
      .clients = 1,
      .keys = 1,
      .violation = GD_SIM_VIOLATION_STALE_READ},
     GD_LIN_ILLEGAL},
    {"1,000 unknown writes, a stale read",
     {.shape = GD_SIM_SHAPE_UNKNOWN,
      .operations = 1000,
      .clients = 1,
      .keys = 1,
      .violation = GD_SIM_VIOLATION_STALE_READ},
     GD_LIN_ILLEGAL},
};

static double now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double cpu_now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static long peak_kb(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static bool give_up(void *context)
{
    return now() > *(const double *)context;
}

struct took {
    double cpu, real;
};

static int compare(const void *a, const void *b)
{
    double x = ((const struct took *)a)->cpu, y = ((const struct took *)b)->cpu;
    return (x > y) - (x < y);
}

static struct took check(const struct gd_sim_record *record, struct gd_lin_kv *answer)
{
    double deadline = now() + 60, begin = now(), cpu = cpu_now();
    struct gd_lin_kv_options how = {.limits = {.stop = give_up, .context = &deadline}};
    gd_lin_kv_check(record, &how, answer);
    return (struct took){cpu_now() - cpu, now() - begin};
}

/* In a process of its own: prints the row; the exit status says whether the verdict is right. The
 * times are those of the run in the middle of five: of one run of some hundredths of a second a
 * good part is what the machine does meanwhile. */
static int run(const struct row *row, size_t scale)
{
    struct gd_sim_generate_options options = row->options;
    struct gd_sim_record record = {0};
    struct gd_lin_kv answer;
    struct took took[RUNS];
    size_t blocks = 0, searched = 0;
    options.seed = 1;
    options.operations = options.operations / scale;
    gd_sim_generate(&options, &record);
    long before = peak_kb(), peak = 0;
    for (size_t i = 0; i < RUNS; i++) {
        if (i > 0) {
            gd_lin_kv_release(&answer);
        }
        took[i] = check(&record, &answer);
        peak = i == 0 ? peak_kb() : peak;
    }
    qsort(took, RUNS, sizeof *took, compare);
    double cpu = took[RUNS / 2].cpu, real = took[RUNS / 2].real;
    for (size_t i = 0; i < answer.part_count; i++) {
        blocks += answer.parts[i].judged && answer.parts[i].result.path == GD_LIN_PATH_BLOCKS;
        searched += answer.parts[i].judged && answer.parts[i].result.path == GD_LIN_PATH_SEARCH;
    }
    (void)printf("| %s | %zu | %s | %zu / %zu | %.1f | %.1f | %.2f | %.0f |%s\n", row->name,
                 record.operation_count, gd_lin_verdict_name(answer.verdict), blocks, searched,
                 1e3 * cpu, 1e3 * real, 1e-6 * (double)record.operation_count / cpu,
                 (double)(peak - before) / 1024, answer.verdict == row->want ? "" : " WRONG");
    int status = answer.verdict == row->want ? 0 : 1;
    gd_lin_kv_release(&answer);
    gd_sim_record_release(&record);
    return status;
}

int main(int argc, char **argv)
{
    size_t scale = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    int worst = 0;
    (void)printf("| history | operations | verdict | parts by blocks / search | CPU ms | ms | "
                 "million/s | MB |\n| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |\n");
    for (size_t i = 0; i < GD_COUNT(rows); i++) {
        int status;
        (void)fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            status = run(&rows[i], scale > 0 ? scale : 1);
            (void)fflush(stdout);
            _exit(status);
        }
        if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
            worst = 1;
        }
    }
    return worst;
}
