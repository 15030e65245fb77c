/* check_model.c - histories from files, judged by a database's own model; see check_model.h.
 *
 * As in check_command.c, the clock behind --time-limit is read at this edge, and given to the
 * checker as a question. A file says nothing of connections, so requests of one client that overlap
 * may take effect in any order. */
#define _POSIX_C_SOURCE 200809L
#include "sim/check_model.h"
#include "sim/history.h"
#include "sim/judge.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { EXIT_ILLEGAL = 1, EXIT_USAGE = 2 };

struct check {
    const char *program;
    const struct gd_sim_model *model;
    uint64_t time_limit_s, memory_limit_mb; /* 0: none. */
    time_t deadline;
};

static time_t now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static bool give_up(void *context)
{
    return now_s() > ((const struct check *)context)->deadline;
}

static int judge(struct check *check, const char *file, const struct gd_sim_record *record)
{
    static const char *const verdicts[] = {"legal", "illegal", "inconclusive"};
    struct gd_lin_limits limits = {.memory = check->memory_limit_mb << 20};
    char text[4096] = "";
    if (check->time_limit_s > 0) {
        check->deadline = now_s() + (time_t)check->time_limit_s;
        limits.stop = give_up;
        limits.context = check;
    }
    enum gd_sim_outcome outcome =
        gd_sim_judge(check->model, record, false, &limits, text, sizeof text);
    (void)printf("%s: %s, %zu operations%s%s\n", file, verdicts[outcome], record->operation_count,
                 text[0] != '\0' ? ": " : "", text);
    return gd_sim_outcome_status(outcome);
}

static bool read_file(const char *name, struct gd_bytes *bytes)
{
    char chunk[65536];
    size_t got;
    FILE *file = fopen(name, "rb");
    if (file == NULL) {
        return false;
    }
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0) {
        gd_bytes_add(bytes, chunk, got);
    }
    bool good = ferror(file) == 0;
    (void)fclose(file);
    return good;
}

static int check_file(struct check *check, const char *name)
{
    struct gd_bytes bytes = {0};
    struct gd_sim_record record = {0};
    struct gd_error error = {0};
    int status = EXIT_USAGE;
    if (!read_file(name, &bytes)) {
        (void)fprintf(stderr, "%s: %s: %s\n", check->program, name, strerror(errno));
    } else if (gd_sim_history_read_opaque(gd_bytes_slice(&bytes), &record, &error) != GD_OK) {
        (void)fprintf(stderr, "%s: %s: %s\n", check->program, name, error.text);
    } else {
        status = judge(check, name, &record);
    }
    gd_bytes_release(&bytes);
    gd_sim_record_release(&record);
    return status;
}

/* Whether `flag` is known, and `value` one that it can have. */
static bool read_flag(struct check *check, const char *flag, const char *value)
{
    char *end;
    bool time = strcmp(flag, "--time-limit") == 0;
    if ((!time && strcmp(flag, "--memory-limit") != 0) || value[0] < '0' || value[0] > '9') {
        return false;
    }
    uint64_t number = strtoull(value, &end, 10);
    *(time ? &check->time_limit_s : &check->memory_limit_mb) = number;
    return *end == '\0' && number >= 1 && number <= 1 << 24;
}

int gd_sim_check_model(const char *name, const struct gd_sim_model *model, int count, char **words)
{
    struct check check = {.program = name, .model = model};
    int worst = 0, at = 0;
    for (; at < count && strncmp(words[at], "--", 2) == 0; at += 2) {
        if (!read_flag(&check, words[at], at + 1 < count ? words[at + 1] : "")) {
            (void)fprintf(stderr,
                          "%s: check: %s: not a flag, or its value is none: --time-limit SECONDS, "
                          "--memory-limit MB\n",
                          name, words[at]);
            return EXIT_USAGE;
        }
    }
    if (at >= count) {
        (void)fprintf(stderr, "%s: check wants files of histories\n", name);
        return EXIT_USAGE;
    }
    for (; at < count; at++) {
        int status = check_file(&check, words[at]);
        if (status == EXIT_USAGE) {
            return status;
        }
        worst = status == EXIT_ILLEGAL || worst == 0 ? status : worst;
    }
    return worst;
}
