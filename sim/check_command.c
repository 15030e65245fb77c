/* check_command.c - gandalf-sim check: its words, its files, and what is said of them.
 *
 * This is a program's edge, not the simulator: the clock behind --time-limit is read here, and
 * given to the checker as a question that it asks now and then. */
#define _POSIX_C_SOURCE 200809L
#include "sim/check_command.h"
#include "sim/check_stream.h"
#include "sim/linearize_kv.h"
#include "sim/picture.h"
#include "sim/picture_find.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define STREAM_SIZE ((uint64_t)128 << 20)

enum { EXIT_ILLEGAL = 1, EXIT_USAGE = 2, EXIT_INCONCLUSIVE = 3, EXIT_INTERNAL = 70 };

struct check {
    const char *html, *witness; /* Files; NULL: none. */
    unsigned time_limit_s, jobs;
    bool stream; /* Also what is small. */
    uint64_t memory_limit;
    struct timespec deadline;
};

static bool give_up(void *context)
{
    const struct check *check = context;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec != check->deadline.tv_sec ? now.tv_sec > check->deadline.tv_sec
                                                : now.tv_nsec > check->deadline.tv_nsec;
}

static void begin_limits(struct check *check, struct gd_lin_limits *limits)
{
    if (check->time_limit_s > 0) {
        (void)clock_gettime(CLOCK_MONOTONIC, &check->deadline);
        check->deadline.tv_sec += check->time_limit_s;
        limits->stop = give_up;
        limits->context = check;
    }
}

/* Whether it is better judged while it is read: a file that can be read twice, of a size. */
static bool is_big(const struct check *check, FILE *file)
{
    long size = -1;
    if (fseek(file, 0, SEEK_END) == 0) {
        size = ftell(file);
        if (fseek(file, 0, SEEK_SET) != 0) {
            return false;
        }
    }
    return size >= 0 && ((uint64_t)size >= STREAM_SIZE || check->stream);
}

/* 0, or an exit status after saying why. */
static int draw(const struct check *check, const char *name, const struct gd_sim_record *record,
                const struct gd_lin_kv *answer, const char *why)
{
    static const enum gd_sim_outcome outcomes[] = {GD_SIM_PASS, GD_SIM_FAIL, GD_SIM_INCONCLUSIVE};
    struct gd_sim_picture picture;
    gd_sim_picture_init(&picture, record);
    picture.name = name;
    picture.outcome = outcomes[answer->verdict];
    picture.text = why;
    gd_sim_picture_fill(&picture, answer, false);
    bool good = gd_sim_picture_write(&picture, check->html);
    gd_sim_picture_release(&picture);
    if (!good) {
        (void)fprintf(stderr, "gandalf-sim: %s: %s\n", check->html, strerror(errno));
    }
    return good ? 0 : EXIT_USAGE;
}

/* ---------------------------------------------------------------- the witness */

static void print_part(const struct gd_sim_record *record, const struct gd_lin_kv_part *part,
                       FILE *to)
{
    struct gd_bytes bytes = {0};
    for (size_t k = 0; k < part->key_count; k++) {
        char key[80];
        gd_sim_record_key_text(record, part->keys[k], key, sizeof key);
        gd_bytes_format(&bytes, "%s%s", k == 0 ? "# " : ", ", key);
    }
    gd_bytes_format(&bytes, ": %zu of %zu operations, in this order\n", part->result.order_count,
                    part->operation_count);
    for (size_t i = 0; i < part->result.order_count; i++) {
        gd_sim_record_print_one(record, part->result.order[i], &bytes);
        if (bytes.size > 65536 || i + 1 == part->result.order_count) {
            (void)fwrite(bytes.data, 1, bytes.size, to);
            bytes.size = 0;
        }
    }
    gd_bytes_release(&bytes);
}

/* The orders, each played again first. 0, or an exit status after saying why. */
static int write_witness(const struct check *check, const struct gd_sim_record *record,
                         const struct gd_lin_kv *answer)
{
    FILE *file = fopen(check->witness, "wb");
    if (file == NULL) {
        (void)fprintf(stderr, "gandalf-sim: %s: %s\n", check->witness, strerror(errno));
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < answer->part_count; i++) {
        const struct gd_lin_kv_part *part = &answer->parts[i];
        if (part->operation_count == 0) {
            continue;
        }
        if (!gd_lin_kv_replay(record, part)) {
            (void)fprintf(stderr, "gandalf-sim: the order found does not replay: a bug\n");
            (void)fclose(file);
            return EXIT_INTERNAL;
        }
        print_part(record, part, file);
    }
    if (ferror(file) != 0 || fclose(file) != 0) {
        (void)fprintf(stderr, "gandalf-sim: %s: cannot be written\n", check->witness);
        return EXIT_USAGE;
    }
    return 0;
}

/* ---------------------------------------------------------------- in words */

static const struct gd_lin_kv_part *telling_part(const struct gd_lin_kv *answer)
{
    for (size_t i = 0; i < answer->part_count && answer->verdict != GD_LIN_LEGAL; i++) {
        const struct gd_lin_kv_part *part = &answer->parts[i];
        if (part->judged && part->result.verdict == answer->verdict && part->why != NULL) {
            return part;
        }
    }
    return NULL;
}

static void say_stuck(const struct gd_sim_record *record, const struct gd_lin_kv_part *part)
{
    struct gd_bytes bytes = {0};
    for (size_t i = 0; i < part->result.stuck_count; i++) {
        bytes.size = 0;
        gd_sim_record_print_one(record, part->result.stuck[i], &bytes);
        (void)printf("  %s %.*s", i == 0 ? "cannot be placed:" : "beside:          ",
                     (int)(bytes.size > 400 ? 400 : bytes.size), (const char *)bytes.data);
        if (bytes.size > 400) {
            (void)printf("...\n");
        }
    }
    gd_bytes_release(&bytes);
}

/* The prefix, who cannot be placed, and what stood there. */
static void say_more(const struct gd_sim_record *record, const struct gd_lin_kv_part *part)
{
    size_t called = 0;
    for (size_t k = 0; k < part->key_count && k < 4; k++) {
        char key[80];
        gd_sim_record_key_text(record, part->keys[k], key, sizeof key);
        (void)printf("%s%s", k == 0 ? "  key: " : ", ", key);
    }
    (void)printf("%s\n", part->key_count > 4 ? ", ..." : "");
    if (part->illegal_at != GD_LIN_OPEN) {
        for (size_t i = 0; i < part->operation_count; i++) {
            called += record->operations[part->operations[i]].call <= part->illegal_at;
        }
        (void)printf("  illegal from: %" PRIu64 ", when %zu of its %zu operations were called\n",
                     part->illegal_at, called, part->operation_count);
    }
    say_stuck(record, part);
    if (part->states != NULL) {
        (void)printf("  before it, possible: %s\n", part->states);
    }
}

static void say(const char *name, const struct gd_sim_record *record,
                const struct gd_lin_kv *answer)
{
    const struct gd_lin_kv_part *part = telling_part(answer);
    size_t told[3] = {0};
    for (size_t i = 0; i < answer->part_count; i++) {
        if (answer->parts[i].judged) {
            told[answer->parts[i].result.path]++;
        }
    }
    (void)printf("%s: %s, %zu operations%s%s\n", name, gd_lin_verdict_name(answer->verdict),
                 record->operation_count, part != NULL ? ": " : "", part != NULL ? part->why : "");
    if (part != NULL) {
        say_more(record, part);
    }
    (void)printf("  found by: blocks %zu, search %zu of %zu parts\n", told[GD_LIN_PATH_BLOCKS],
                 told[GD_LIN_PATH_SEARCH], answer->part_count);
}

/* ---------------------------------------------------------------- files */

static int judge(struct check *check, const char *name, const struct gd_sim_record *record)
{
    static const int statuses[] = {0, EXIT_ILLEGAL, EXIT_INCONCLUSIVE};
    struct gd_lin_kv_options options = {
        .explain = true, .all = check->html != NULL, .jobs = check->jobs};
    struct gd_lin_kv answer;
    int status = 0;
    options.limits.memory = check->memory_limit;
    begin_limits(check, &options.limits);
    gd_lin_kv_check(record, &options, &answer);
    say(name, record, &answer);
    if (check->html != NULL) {
        const struct gd_lin_kv_part *part = telling_part(&answer);
        status = draw(check, name, record, &answer, part != NULL ? part->why : "");
    }
    if (status == 0 && check->witness != NULL && answer.verdict == GD_LIN_LEGAL) {
        status = write_witness(check, record, &answer);
    }
    status = status == 0 ? statuses[answer.verdict] : status;
    gd_lin_kv_release(&answer);
    return status;
}

/* A file too big to be held at once; 0 when it has to be read whole. */
static bool check_as_stream(struct check *check, const char *name, FILE *file, int *status)
{
    static const int statuses[] = {0, EXIT_ILLEGAL, EXIT_INCONCLUSIVE};
    struct gd_lin_limits limits = {.memory = check->memory_limit};
    struct gd_error error = {0};
    enum gd_lin_verdict verdict;
    uint64_t operations;
    char why[512] = "";
    begin_limits(check, &limits);
    enum gd_err err =
        gd_sim_check_stream(file, &limits, &verdict, &operations, why, sizeof why, &error);
    if (err == GD_ERR_REFUSED) {
        return fseek(file, 0, SEEK_SET) != 0;
    }
    if (err != GD_OK) {
        (void)fprintf(stderr, "gandalf-sim: %s: %s\n", name,
                      err == GD_ERR_INVALID ? error.text : "cannot be read twice");
        *status = EXIT_USAGE;
        return true;
    }
    (void)printf("%s: %s, %" PRIu64 " operations%s%s%s\n  found as it was read\n", name,
                 gd_lin_verdict_name(verdict), operations,
                 verdict == GD_LIN_ILLEGAL ? " read: the " : "",
                 verdict == GD_LIN_ILLEGAL ? why : "",
                 verdict == GD_LIN_ILLEGAL ? ", cannot be placed" : "");
    *status = statuses[verdict];
    return true;
}

static int check_file(struct check *check, const char *name)
{
    struct gd_bytes bytes = {0};
    struct gd_sim_record record = {0};
    struct gd_error error = {0};
    char chunk[65536];
    size_t got;
    int status = EXIT_USAGE;
    FILE *file = fopen(name, "rb");
    if (file == NULL) {
        (void)fprintf(stderr, "gandalf-sim: %s: %s\n", name, strerror(errno));
        return status;
    }
    if (check->html == NULL && check->witness == NULL && is_big(check, file) &&
        check_as_stream(check, name, file, &status)) {
        (void)fclose(file);
        return status;
    }
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0) {
        gd_bytes_add(&bytes, chunk, got);
    }
    (void)fclose(file);
    enum gd_err err = gd_sim_history_read(gd_bytes_slice(&bytes), &record, &error);
    gd_bytes_release(&bytes);
    if (err != GD_OK) {
        (void)fprintf(stderr, "gandalf-sim: %s: %s\n", name, error.text);
    } else {
        status = judge(check, name, &record);
    }
    gd_sim_record_release(&record);
    return status;
}

/* ---------------------------------------------------------------- words */

static bool read_number(const char *word, uint64_t most, uint64_t *number)
{
    char *end;
    *number = strtoull(word, &end, 10);
    return word[0] >= '0' && word[0] <= '9' && *end == '\0' && *number >= 1 && *number <= most;
}

/* Whether it is a flag that is known, with a value that it can have. */
static bool read_flag(struct check *check, const char *flag, const char *value)
{
    uint64_t number = 0;
    if (value == NULL) {
        return false;
    }
    if (strcmp(flag, "--html") == 0) {
        check->html = value;
        return true;
    }
    if (strcmp(flag, "--witness") == 0) {
        check->witness = value;
        return true;
    }
    if (strcmp(flag, "--time-limit") == 0 && read_number(value, 10000000, &number)) {
        check->time_limit_s = (unsigned)number;
    } else if (strcmp(flag, "--memory-limit") == 0 && read_number(value, 1 << 24, &number)) {
        check->memory_limit = number << 20;
    } else if (strcmp(flag, "--stream") == 0 && strcmp(value, "yes") == 0) {
        check->stream = true;
        number = 1;
    } else if (strcmp(flag, "--jobs") == 0 && read_number(value, 256, &number)) {
        check->jobs = (unsigned)number;
    }
    return number > 0;
}

int gd_sim_check_command(int count, char **words)
{
    struct check check = {.jobs = 1};
    int worst = 0, at = 0;
    for (; at < count && strncmp(words[at], "--", 2) == 0; at += 2) {
        if (!read_flag(&check, words[at], at + 1 < count ? words[at + 1] : NULL)) {
            (void)fprintf(stderr,
                          "gandalf-sim: check: %s: not a flag, or its value is none: --html FILE, "
                          "--witness FILE, --time-limit SECONDS, --memory-limit MB, --jobs J, "
                          "--stream yes\n",
                          words[at]);
            return EXIT_USAGE;
        }
    }
    bool one = check.html != NULL || check.witness != NULL;
    if (at >= count || (one && count - at > 1)) {
        (void)fprintf(stderr, "gandalf-sim: check wants %s\n",
                      one ? "one history for a picture or a witness" : "files of histories");
        return EXIT_USAGE;
    }
    for (; at < count; at++) {
        int status = check_file(&check, words[at]);
        if (status == EXIT_USAGE || status == EXIT_INTERNAL) {
            return status;
        }
        worst = status == EXIT_ILLEGAL || worst == 0 ? status : worst;
    }
    return worst;
}
