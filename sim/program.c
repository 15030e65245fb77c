/* program.c - the command line of a simulator: run, replay, plan, shrink, walk, list, check; see
 * program.h. */
#define _POSIX_C_SOURCE 200809L
#include "sim/program.h"
#include "sim/apart.h"
#include "sim/check_command.h"
#include "sim/check_model.h"
#include "sim/run.h"
#include "sim/shrink.h"
#include "sim/sweep.h"
#include "sim/walk.h"
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_WRONG = 1, EXIT_USAGE = 2, EXIT_INCONCLUSIVE = 3, EXIT_INTERNAL = 70 };

static const struct {
    const char *name, *text;
} usage_parts[] = {
    {"run",
     "run --seeds A..B [--jobs J] [--shard I/N] [--time-limit SECONDS] [--run-limit SECONDS]\n"
     "      [--json] [--quiet] [--no-marks] [--stop-at-failure] [--database NAME]\n"
     "      [--with CLASS+CLASS...]\n"
     "        runs the seeds in order; GANDALF_SHARD=I/N in the environment does as --shard;\n"
     "        --database all: one seed in ten for each database but the first;\n"
     "        --with membership: each seed has this class of faults (SEED: N+membership)\n"
     "  run PLAN...          runs plan files"},
    {"replay", "replay SEED|PLAN [--trace] [--from T] [--to T] [--history FILE]\n"
               "        runs it once; --trace prints a line for each event of a span of time\n"
               "      [--html PAGE]        what clients did and what befell the nodes, as a page\n"
               "      [--check-determinism]  runs it twice and names the first event that differs"},
    {"plan", "plan SEED            prints the seed's plan"},
    {"shrink", "shrink SEED|PLAN [-o PLAN] [--time-limit SECONDS]\n"
               "        the least plan that violates the same property"},
    {"walk",
     "walk SEED|PLAN... [--node N] [--disk plan|lost|torn|mixed|all] [--jobs J] [-o FOLDER]\n"
     "      [--shard I/N] [--time-limit SECONDS] [--marks] [--json]\n"
     "      [--twice | --errors]\n"
     "        a crash before, half-way and after each disk operation of the run; --twice: and one\n"
     "        more in each recovery; --errors: an error of each operation instead"},
    {"list", "list [faults|parameters|marks]"},
    {"check", "check [--database NAME] [--time-limit SECONDS] [--memory-limit MB] HISTORY...\n"
              "        is a history linearizable, by the database's model?"},
};

/* What a program has under a name of ours stands for ours. */
static const struct gd_sim_command *own_command(const struct gd_sim_program *program,
                                                const char *name)
{
    for (size_t i = 0; i < program->command_count; i++) {
        if (strcmp(name, program->commands[i].name) == 0) {
            return &program->commands[i];
        }
    }
    return NULL;
}

/* Of one command, or (`command` NULL) of all. */
static void print_usage(const struct gd_sim_program *program, const char *command, FILE *to)
{
    (void)fprintf(to, "usage: %s COMMAND ...\n", program->name);
    for (size_t i = 0; i < GD_COUNT(usage_parts); i++) {
        if ((command == NULL || strcmp(command, usage_parts[i].name) == 0) &&
            own_command(program, usage_parts[i].name) == NULL) {
            (void)fprintf(to, "  %s\n", usage_parts[i].text);
        }
    }
    for (size_t i = 0; i < program->command_count; i++) {
        if (command == NULL || strcmp(command, program->commands[i].name) == 0) {
            (void)fprintf(to, "  %s\n", program->commands[i].usage);
        }
    }
    (void)fprintf(to, "A database is %s", program->databases[0]->name);
    for (size_t i = 1; i < program->database_count; i++) {
        (void)fprintf(to, " or %s (SEED: %sN)", program->databases[i]->name,
                      program->databases[i]->prefix);
    }
    (void)fputs(".\nExit status: 0 fine, 1 a property is violated, 2 bad usage or input, 3 "
                "inconclusive, 70\ninternal error. docs/plan.md describes plans.\n",
                to);
}

static int GD_PRINTF(2, 3) usage(const struct gd_sim_program *program, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "%s: ", program->name);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, " (%s --help tells the usage)\n", program->name);
    va_end(arguments);
    return EXIT_USAGE;
}

static bool parse_number(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long got = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0) {
        return false;
    }
    *value = got;
    return true;
}

/* "A..B" or one number. */
static bool parse_range(const char *text, uint64_t *first, uint64_t *last)
{
    char copy[64];
    const char *dots = strstr(text, "..");
    if (dots == NULL) {
        return parse_number(text, first) && parse_number(text, last);
    }
    if ((size_t)(dots - text) >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, (size_t)(dots - text));
    copy[dots - text] = '\0';
    return parse_number(copy, first) && parse_number(dots + 2, last) && *first <= *last;
}

/* "I/N" with I below N. */
static bool parse_shard(const char *text, uint64_t *shard, uint64_t *count)
{
    char copy[64];
    const char *slash = strchr(text, '/');
    if (slash == NULL || (size_t)(slash - text) >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, (size_t)(slash - text));
    copy[slash - text] = '\0';
    return parse_number(copy, shard) && parse_number(slash + 1, count) && *count > 0 &&
           *shard < *count && *count <= 100000;
}

/* ---------------------------------------------------------------- plans from seeds and files */

static bool read_file(const char *name, char **text, size_t *size)
{
    FILE *file = fopen(name, "rb");
    size_t capacity = 0;
    *text = NULL;
    *size = 0;
    if (file == NULL) {
        return false;
    }
    for (;;) {
        if (*size + 65536 > capacity) {
            capacity = (capacity + 65536) * 2;
            *text = realloc(*text, capacity);
            GD_ASSERT(*text != NULL);
        }
        size_t got = fread(*text + *size, 1, 65536, file);
        *size += got;
        if (got == 0) {
            break;
        }
    }
    bool good = ferror(file) == 0;
    (void)fclose(file);
    return good;
}

/* "17", or "17+membership+clock". */
static bool parse_seed(const char *text, uint64_t *seed, uint32_t *classes)
{
    char number[32];
    size_t size = strcspn(text, "+");
    *classes = 0;
    if (size >= sizeof number) {
        return false;
    }
    memcpy(number, text, size);
    number[size] = '\0';
    return parse_number(number, seed) &&
           (text[size] == '\0' || gd_sim_classes_parse(text + size + 1, classes));
}

/* 0, or an exit status after saying why. */
static int load_plan(const struct gd_sim_program *program, const char *what,
                     struct gd_sim_plan *plan)
{
    uint64_t seed;
    char *text;
    size_t size;
    struct gd_error error = {0};
    for (size_t i = 0; i < program->database_count; i++) {
        const struct gd_sim_database *database = program->databases[i];
        size_t size_prefix = strlen(database->prefix);
        uint32_t classes;
        if (strncmp(what, database->prefix, size_prefix) == 0 &&
            parse_seed(what + size_prefix, &seed, &classes)) {
            gd_sim_draw(plan, database, seed, classes);
            return 0;
        }
    }
    if (!read_file(what, &text, &size)) {
        return usage(program, "%s is no seed, and cannot be read as a plan: %s", what,
                     strerror(errno));
    }
    enum gd_err err =
        gd_sim_plan_parse((struct gd_slice){(const uint8_t *)text, size}, plan, &error);
    free(text);
    if (err != GD_OK) {
        (void)fprintf(stderr, "%s: %s: %s\n", program->name, what, error.text);
        return EXIT_USAGE;
    }
    plan->database = program->pick != NULL ? program->pick(plan) : program->databases[0];
    return 0;
}

static struct gd_sim_plan *new_plan(void)
{
    struct gd_sim_plan *plan = calloc(1, sizeof *plan);
    GD_ASSERT(plan != NULL);
    return plan;
}

static int command_plan(const struct gd_sim_program *program, int count, char **words)
{
    if (count != 1) {
        return usage(program, "plan wants one seed");
    }
    struct gd_sim_plan *plan = new_plan();
    int status = load_plan(program, words[0], plan);
    if (status == 0) {
        struct gd_bytes bytes = {0};
        gd_sim_plan_print(plan, &bytes);
        (void)fwrite(bytes.data, 1, bytes.size, stdout);
        gd_bytes_release(&bytes);
    }
    free(plan);
    return status;
}

/* ---------------------------------------------------------------- run */

/* `plan`: what ran, to show its last events; NULL where they are on the screen already. */
static void print_failure(const struct gd_sim_program *program, const struct gd_sim_result *result,
                          const struct gd_sim_plan *plan, const char *what)
{
    if (result->outcome == GD_SIM_FAIL) {
        (void)printf("  violated: %s\n  %s\n  replay: %s replay %s --trace\n", result->property,
                     result->text, program->name, what);
        if (plan != NULL) {
            gd_sim_print_last_events(plan, result, stdout);
        }
    } else if (result->property[0] != '\0') {
        (void)printf("  reason: %s\n", result->property);
    }
}

static int run_files(const struct gd_sim_program *program, int count, char **names,
                     const struct gd_sim_sweep_options *options)
{
    struct gd_sim_plan *plan;
    int worst = 0;
    if (options->with != NULL) {
        return usage(program, "run: --with goes with --seeds; a plan says itself what happens");
    }
    plan = new_plan();
    for (int i = 0; i < count; i++) {
        struct gd_sim_result result;
        char line[256];
        int status = load_plan(program, names[i], plan);
        if (status != 0) {
            free(plan);
            return status;
        }
        gd_sim_run_apart(plan, options->run_limit_s, 0, &result);
        gd_sim_result_line(&result, line, sizeof line);
        (void)printf("%s plan=%s\n", line, names[i]);
        print_failure(program, &result, plan, names[i]);
        (void)fflush(stdout);
        status = gd_sim_outcome_status(result.outcome);
        worst = status == EXIT_WRONG || worst == 0 ? status : worst;
    }
    free(plan);
    return worst;
}

static const struct gd_sim_database *find_database(const struct gd_sim_program *program,
                                                   const char *name)
{
    for (size_t i = 0; i < program->database_count; i++) {
        if (strcmp(program->databases[i]->name, name) == 0) {
            return program->databases[i];
        }
    }
    return NULL;
}

/* A flag of `run`; false: none is called so. */
static bool take_flag(struct gd_sim_sweep_options *options, const char *word)
{
    if (strcmp(word, "--json") == 0) {
        options->json = true;
    } else if (strcmp(word, "--quiet") == 0) {
        options->quiet = true;
    } else if (strcmp(word, "--no-marks") == 0) {
        options->marks = false;
    } else if (strcmp(word, "--stop-at-failure") == 0) {
        options->stop_at_failure = true;
    } else {
        return false;
    }
    return true;
}

/* `shard`: "I/N", or NULL. */
static int sweep(const struct gd_sim_program *program, const char *shard,
                 struct gd_sim_sweep_options *options)
{
    if (shard != NULL && !parse_shard(shard, &options->shard, &options->shard_count)) {
        return usage(program, "a shard is I/N with I from 0 to N-1, not '%s'", shard);
    }
    return gd_sim_sweep(options);
}

static int command_run(const struct gd_sim_program *program, int count, char **words)
{
    struct gd_sim_sweep_options options = {.jobs = 1,
                                           .shard_count = 1,
                                           .run_limit_s = 60,
                                           .marks = true,
                                           .database = program->databases[0],
                                           .program = program->name};
    const char *shard = getenv("GANDALF_SHARD");
    const char *seeds = NULL;
    uint64_t number = 0;
    int files = 0;
    for (int i = 0; i < count; i++) {
        const char *word = words[i];
        const char *value = i + 1 < count ? words[i + 1] : "";
        if (strcmp(word, "--seeds") == 0) {
            seeds = value;
            i++;
        } else if (strcmp(word, "--shard") == 0) {
            shard = value;
            i++;
        } else if (strcmp(word, "--jobs") == 0) {
            if (!parse_number(value, &number) || number < 1 || number > GD_SIM_JOBS_MAX) {
                return usage(program, "--jobs wants a number from 1 to 256, not '%s'", value);
            }
            options.jobs = (unsigned)number;
            i++;
        } else if (strcmp(word, "--time-limit") == 0) {
            if (!parse_number(value, &options.time_limit_s)) {
                return usage(program, "--time-limit wants seconds, not '%s'", value);
            }
            i++;
        } else if (strcmp(word, "--run-limit") == 0) {
            if (!parse_number(value, &number) || number < 1 || number > 86400) {
                return usage(program, "--run-limit wants seconds, not '%s'", value);
            }
            options.run_limit_s = (unsigned)number;
            i++;
        } else if (strcmp(word, "--database") == 0) {
            bool all = strcmp(value, "all") == 0;
            options.others = all ? &program->databases[1] : NULL;
            options.other_count = all ? program->database_count - 1 : 0;
            options.database = all ? program->databases[0] : find_database(program, value);
            if (options.database == NULL) {
                return usage(program, "--database: there is no '%s'", value);
            }
            i++;
        } else if (strcmp(word, "--with") == 0) {
            options.with = value;
            if (!gd_sim_classes_parse(value, &options.classes)) {
                return usage(program, "--with wants classes of faults, such as membership+clock");
            }
            i++;
        } else if (take_flag(&options, word)) {
            continue;
        } else if (word[0] == '-') {
            return usage(program, "run: unknown option %s", word);
        } else {
            words[files++] = words[i];
        }
    }
    if (files > 0 && seeds == NULL) {
        return run_files(program, files, words, &options);
    }
    if (files > 0 || seeds == NULL || !parse_range(seeds, &options.first, &options.last)) {
        return usage(program, "run wants --seeds A..B, or plan files");
    }
    return sweep(program, shard, &options);
}

/* ---------------------------------------------------------------- replay */

/* Twice the same plan: where do the runs part? The second ends there; what a third does at that
 * time shows which event it is. */
static int check_determinism(const struct gd_sim_plan *plan)
{
    enum { EVENTS_MAX = 20000000 };
    uint64_t *hashes[2] = {NULL, NULL};
    size_t counts[2] = {0, 0};
    struct gd_sim_result results[2];
    for (int i = 0; i < 2; i++) {
        hashes[i] = malloc(EVENTS_MAX * sizeof *hashes[i]);
        GD_ASSERT(hashes[i] != NULL);
        struct gd_sim_run_options options = {.hashes = hashes[i],
                                             .hash_capacity = EVENTS_MAX,
                                             .hash_count = &counts[i],
                                             .wanted = i == 0 ? NULL : hashes[0],
                                             .wanted_count = counts[0]};
        gd_sim_run(plan, &options, &results[i]);
    }
    size_t at = 0;
    while (at < counts[0] && at < counts[1] && hashes[0][at] == hashes[1][at]) {
        at++;
    }
    free(hashes[0]);
    free(hashes[1]);
    if (at == counts[0] && counts[0] == counts[1] && results[0].hash == results[1].hash) {
        (void)printf("deterministic: %zu events, hash=%016" PRIx64 "\n", at, results[0].hash);
        return 0;
    }
    (void)printf("not deterministic: event %zu differs, at %" PRIu64 ".%09" PRIu64
                 "s; a third run does then:\n",
                 at + 1, results[1].time / GD_SIM_S, results[1].time % GD_SIM_S);
    struct gd_sim_run_options options = {
        .trace = {.to = stdout, .from = results[1].time, .until = results[1].time}};
    gd_sim_run(plan, &options, &results[0]);
    return EXIT_WRONG;
}

static int replay(const struct gd_sim_program *program, const struct gd_sim_plan *plan,
                  const char *what, const struct gd_sim_run_options *wanted, const char *history)
{
    struct gd_sim_run_options options = *wanted;
    struct gd_sim_result result;
    char line[256];
    bool html_failed = false;
    options.name = what;
    options.html_failed = &html_failed;
    if (history != NULL) {
        options.history = fopen(history, "w");
        if (options.history == NULL) {
            return usage(program, "cannot write %s: %s", history, strerror(errno));
        }
    }
    gd_sim_run(plan, &options, &result);
    if (options.history != NULL && fclose(options.history) != 0) {
        return usage(program, "cannot write %s: %s", history, strerror(errno));
    }
    if (html_failed) {
        return usage(program, "cannot write %s: %s", options.html, strerror(errno));
    }
    gd_sim_result_line(&result, line, sizeof line);
    (void)printf("%s\n", line);
    print_failure(program, &result, options.trace.to == NULL ? plan : NULL, what);
    return gd_sim_outcome_status(result.outcome);
}

static int command_replay(const struct gd_sim_program *program, int count, char **words)
{
    struct gd_sim_run_options options = {.trace = {.until = UINT64_MAX}};
    const char *what = NULL;
    const char *history = NULL;
    bool determinism = false;
    for (int i = 0; i < count; i++) {
        const char *word = words[i];
        const char *value = i + 1 < count ? words[i + 1] : "";
        if (strcmp(word, "--trace") == 0) {
            options.trace.to = stdout;
        } else if (strcmp(word, "--check-determinism") == 0) {
            determinism = true;
        } else if (strcmp(word, "--history") == 0 && value[0] != '\0') {
            history = value;
            i++;
        } else if (strcmp(word, "--html") == 0 && value[0] != '\0') {
            options.html = value;
            i++;
        } else if (strcmp(word, "--from") == 0 || strcmp(word, "--to") == 0) {
            gd_time_ns time;
            if (!gd_sim_time_parse(value, &time)) {
                return usage(program, "%s wants a time such as 1.250s, not '%s'", word, value);
            }
            *(word[2] == 'f' ? &options.trace.from : &options.trace.until) = time;
            i++;
        } else if (word[0] == '-' || what != NULL) {
            return usage(program, "replay: what is '%s'?", word);
        } else {
            what = word;
        }
    }
    if (what == NULL) {
        return usage(program, "replay wants a seed or a plan file");
    }
    struct gd_sim_plan *plan = new_plan();
    int status = load_plan(program, what, plan);
    if (status == 0) {
        status =
            determinism ? check_determinism(plan) : replay(program, plan, what, &options, history);
    }
    free(plan);
    return status;
}

/* ---------------------------------------------------------------- shrink */

static int shrink(const struct gd_sim_program *program, struct gd_sim_plan *plan, const char *what,
                  const char *output, unsigned limit_s)
{
    struct gd_sim_result result;
    gd_sim_run_apart(plan, 120, 0, &result);
    if (result.outcome != GD_SIM_FAIL) {
        (void)fprintf(stderr, "%s: %s does not fail: nothing to shrink\n", program->name, what);
        return EXIT_INCONCLUSIVE;
    }
    size_t before = plan->fault_count;
    struct gd_sim_shrink_options options = {
        .limit_s = limit_s, .pick = program->pick, .progress = stderr};
    size_t runs = gd_sim_shrink(plan, &result, &options);
    struct gd_bytes bytes = {0};
    gd_bytes_format(&bytes, "# %s\n", result.property);
    if (result.text[0] != '\0') {
        gd_bytes_format(&bytes, "# %.*s\n", (int)strcspn(result.text, "\n"), result.text);
    }
    gd_sim_plan_print(plan, &bytes);
    FILE *file = output != NULL ? fopen(output, "w") : stdout;
    if (file == NULL || fwrite(bytes.data, 1, bytes.size, file) != bytes.size ||
        (output != NULL && fclose(file) != 0)) {
        return usage(program, "cannot write %s: %s", output, strerror(errno));
    }
    gd_bytes_release(&bytes);
    (void)fprintf(stderr, "%zu faults left of %zu, after %zu runs\n", plan->fault_count, before,
                  runs);
    return 0;
}

static int command_shrink(const struct gd_sim_program *program, int count, char **words)
{
    const char *what = NULL;
    const char *output = NULL;
    uint64_t limit_s = 120;
    for (int i = 0; i < count; i++) {
        const char *value = i + 1 < count ? words[i + 1] : "";
        if (strcmp(words[i], "-o") == 0 && value[0] != '\0') {
            output = value;
            i++;
        } else if (strcmp(words[i], "--time-limit") == 0) {
            if (!parse_number(value, &limit_s) || limit_s > 86400) {
                return usage(program, "--time-limit wants seconds, not '%s'", value);
            }
            i++;
        } else if (words[i][0] == '-' || what != NULL) {
            return usage(program, "shrink: what is '%s'?", words[i]);
        } else {
            what = words[i];
        }
    }
    if (what == NULL) {
        return usage(program, "shrink wants a seed or a plan file");
    }
    struct gd_sim_plan *plan = new_plan();
    int status = load_plan(program, what, plan);
    if (status == 0) {
        status = shrink(program, plan, what, output, (unsigned)limit_s);
    }
    free(plan);
    return status;
}

/* ---------------------------------------------------------------- walk */

static bool parse_disk(const char *text, bool *disks)
{
    bool all = strcmp(text, "all") == 0;
    bool known = all;
    for (unsigned i = 0; i < GD_SIM_WALK_DISK_COUNT; i++) {
        bool this_one = strcmp(text, gd_sim_walk_disk_text((enum gd_sim_walk_disk)i)) == 0;
        disks[i] = disks[i] || this_one || (all && i != GD_SIM_WALK_AS_PLANNED);
        known = known || this_one;
    }
    return known;
}

/* Of walk's words, those that want a value. False: it is none that is wanted. */
static bool walk_value(struct gd_sim_walk_options *options, const char *word, const char *value)
{
    uint64_t number = 0;
    bool good = parse_number(value, &number);
    if (strcmp(word, "--node") == 0) {
        options->node = (unsigned)number;
        return good && number >= 1 && number <= GD_SIM_NODES_MAX;
    }
    if (strcmp(word, "--jobs") == 0) {
        options->jobs = (unsigned)number;
        return good && number >= 1 && number <= GD_SIM_JOBS_MAX;
    }
    if (strcmp(word, "--time-limit") == 0) {
        options->time_limit_s = number;
        return good;
    }
    if (strcmp(word, "--disk") == 0) {
        return parse_disk(value, options->disks);
    }
    if (strcmp(word, "--shard") == 0) {
        return parse_shard(value, &options->shard, &options->shard_count);
    }
    options->folder = value;
    return strcmp(word, "-o") == 0 && value[0] != '\0';
}

/* The plans of `options->names`, and the walk. */
static int walk_plans(const struct gd_sim_program *program, struct gd_sim_walk_options *options)
{
    struct gd_sim_plan *plans = calloc(options->plan_count, sizeof *plans);
    int status = 0;
    GD_ASSERT(plans != NULL);
    for (size_t i = 0; i < options->plan_count && status == 0; i++) {
        status = load_plan(program, options->names[i], &plans[i]);
        if (status == 0 && plans[i].fault_count + 2 > GD_SIM_FAULTS_MAX) {
            status = usage(program, "walk: %s has no room for two faults more", options->names[i]);
        } else if (status == 0 && options->node > gd_sim_plan_total(&plans[i])) {
            status = usage(program, "walk: %s has no node %u", options->names[i], options->node);
        }
    }
    options->plans = plans;
    status = status != 0 ? status : gd_sim_walk(options);
    free(plans);
    return status;
}

static int command_walk(const struct gd_sim_program *program, int count, char **words)
{
    struct gd_sim_walk_options options = {
        .jobs = 1, .shard_count = 1, .run_limit_s = 60, .program = program->name};
    const char **names = calloc((size_t)count + 1, sizeof *names);
    int status = 0;
    bool chosen = false;
    GD_ASSERT(names != NULL);
    for (int i = 0; i < count && status == 0; i++) {
        const char *value = i + 1 < count ? words[i + 1] : "";
        if (strcmp(words[i], "--json") == 0) {
            options.json = true;
        } else if (strcmp(words[i], "--twice") == 0) {
            options.twice = true;
        } else if (strcmp(words[i], "--errors") == 0) {
            options.errors = true;
        } else if (strcmp(words[i], "--marks") == 0) {
            options.marks = true;
        } else if (words[i][0] != '-') {
            names[options.plan_count++] = words[i];
        } else if (walk_value(&options, words[i], value)) {
            i++;
        } else {
            status =
                usage(program, "walk: '%s %s' is no option, or no value for it", words[i], value);
        }
    }
    for (unsigned i = 0; i < GD_SIM_WALK_DISK_COUNT; i++) {
        chosen = chosen || options.disks[i];
    }
    options.disks[GD_SIM_WALK_AS_PLANNED] |= !chosen;
    options.names = names;
    if (status == 0 && options.twice && options.errors) {
        status = usage(program, "walk: --twice is of crashes, --errors of none");
    }
    if (status == 0 && options.plan_count == 0) {
        status = usage(program, "walk wants a seed or plan files");
    }
    status = status != 0 ? status : walk_plans(program, &options);
    free(names);
    return status;
}

/* ---------------------------------------------------------------- list */

static int command_list(const struct gd_sim_program *program, int count, char **words)
{
    static const char *const aims[] = {"", " TARGET", " NODES"};
    const char *what = count > 0 ? words[0] : "faults";
    if (strcmp(what, "faults") == 0) {
        for (size_t i = 0; i < GD_COUNT(gd_sim_fault_forms); i++) {
            const struct gd_sim_fault_form *form = &gd_sim_fault_forms[i];
            (void)printf("at TIME %s%s%s  (%s)\n", form->name, aims[form->aim],
                         form->lasts ? " for TIME" : "", gd_sim_class_text(form->class_));
        }
        return 0;
    }
    if (strcmp(what, "parameters") == 0) {
        static const char *const units[] = {"number", "bytes", "time", "per million", "yes or no"};
        for (size_t i = 0; i < gd_sim_parameter_count; i++) {
            const struct gd_sim_parameter *row = &gd_sim_parameters[i];
            (void)printf("%-26s %s, %" PRIu64 " to %" PRIu64 ", default %" PRIu64 "\n", row->name,
                         units[row->unit], row->least, row->most, row->preset);
        }
        return 0;
    }
    if (strcmp(what, "marks") == 0) {
        uint64_t *none = calloc(1024, sizeof *none);
        GD_ASSERT(none != NULL);
        gd_sim_marks_print(none, stdout);
        free(none);
        return 0;
    }
    return usage(program, "list: faults, parameters or marks, not '%s'", what);
}

/* ---------------------------------------------------------------- check */

static int command_check(const struct gd_sim_program *program, int count, char **words)
{
    const struct gd_sim_database *database = program->databases[0];
    if (count > 1 && strcmp(words[0], "--database") == 0) {
        database = find_database(program, words[1]);
        if (database == NULL) {
            return usage(program, "--database: there is no '%s'", words[1]);
        }
        count -= 2;
        words += 2;
    }
    return database->model != NULL
               ? gd_sim_check_model(program->name, database->model, count, words)
               : gd_sim_check_command(count, words);
}

/* Nodes come and go, and with each a segment's worth of memory. Given back to the system each time
 * it costs a third of a sweep in page faults. */
static void keep_memory(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
}

int gd_sim_main(int count, char **words, const struct gd_sim_program *program)
{
    static const struct {
        const char *name;
        int (*run)(const struct gd_sim_program *program, int count, char **words);
    } commands[] = {
        {"run", command_run},       {"replay", command_replay}, {"plan", command_plan},
        {"shrink", command_shrink}, {"list", command_list},     {"check", command_check},
        {"walk", command_walk},
    };
    keep_memory();
    if (count < 2) {
        print_usage(program, NULL, stderr);
        return EXIT_USAGE;
    }
    if (strcmp(words[1], "--help") == 0 || strcmp(words[1], "help") == 0) {
        print_usage(program, NULL, stdout);
        return 0;
    }
    bool help = count > 2 && strcmp(words[2], "--help") == 0;
    const struct gd_sim_command *own = own_command(program, words[1]);
    if (own != NULL) {
        if (help) {
            print_usage(program, words[1], stdout);
            return 0;
        }
        return own->run(count - 2, words + 2);
    }
    for (size_t i = 0; i < GD_COUNT(commands); i++) {
        if (strcmp(words[1], commands[i].name) == 0) {
            if (help) {
                print_usage(program, words[1], stdout);
                return 0;
            }
            return commands[i].run(program, count - 2, words + 2);
        }
    }
    return usage(program, "unknown command '%s'", words[1]);
}
