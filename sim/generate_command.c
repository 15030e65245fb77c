/* generate_command.c - gandalf-sim generate-history: its words, and the history on standard output.
 */
#include "sim/generate.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const do_names[] = {"read",  "write", "append", "cas", "delete",
                                       "setnx", "swap",  "take",   "incr"};
static const char *const shapes[] = {"mixed", "overlap", "unknown"};
static const char *const violations[] = {
    "none",          "stale-read",  "future-read", "never-written",     "lost-update",
    "double-append", "resurrected", "cas-twice",   "split-transaction", "stale-among"};

static int refuse(const char *why, const char *word)
{
    (void)fprintf(stderr,
                  "gandalf-sim: generate-history: %s: %s (docs/checker.md tells the words)\n", why,
                  word);
    return 2;
}

static bool find_name(const char *const *names, size_t count, const char *word, size_t size,
                      unsigned *found)
{
    for (*found = 0; *found < count; ++*found) {
        if (strlen(names[*found]) == size && memcmp(names[*found], word, size) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_number(const char *word, uint64_t least, uint64_t most, uint64_t *number)
{
    char *end;

    *number = strtoull(word, &end, 10);
    return word[0] >= '0' && word[0] <= '9' && *end == '\0' && *number >= least && *number <= most;
}

/* read=50,write=25,... */
static bool read_mix(const char *word, unsigned *weights)
{
    while (*word != '\0') {
        size_t size = strcspn(word, "="), digits;
        char *end;
        unsigned what;
        if (!find_name(do_names, GD_COUNT(do_names), word, size, &what) || word[size] != '=') {
            return false;
        }
        word += size + 1;
        digits = strspn(word, "0123456789");
        weights[what] = (unsigned)strtoul(word, &end, 10);
        if (digits == 0 || digits > 6 || (*end != ',' && *end != '\0')) {
            return false;
        }
        word = *end == ',' ? end + 1 : end;
    }
    return true;
}

static int read_word(const char *flag, const char *value, struct gd_sim_generate_options *options)
{
    unsigned found;
    uint64_t number;

    if (strcmp(flag, "--seed") == 0 && read_number(value, 0, UINT64_MAX, &number)) {
        options->seed = number;
    } else if (strcmp(flag, "--clients") == 0 && read_number(value, 1, 1000000, &number)) {
        options->clients = (unsigned)number;
    } else if (strcmp(flag, "--keys") == 0 && read_number(value, 1, 100000000, &number)) {
        options->keys = (unsigned)number;
    } else if (strcmp(flag, "--operations") == 0 && read_number(value, 1, 100000000, &number)) {
        options->operations = number;
    } else if (strcmp(flag, "--unknown") == 0 && read_number(value, 0, 1000, &number)) {
        options->unknown_permille = (unsigned)number;
    } else if (strcmp(flag, "--values") == 0 && read_number(value, 0, 1000000, &number)) {
        options->values = (unsigned)number;
    } else if (strcmp(flag, "--shape") == 0 &&
               find_name(shapes, GD_COUNT(shapes), value, strlen(value), &found)) {
        options->shape = (enum gd_sim_shape)found;
    } else if (strcmp(flag, "--violation") == 0 &&
               find_name(violations, GD_COUNT(violations), value, strlen(value), &found)) {
        options->violation = (enum gd_sim_violation)found;
    } else if (strcmp(flag, "--mix") != 0 || !read_mix(value, options->weights)) {
        return refuse("what is this", value);
    }
    return 0;
}

int gd_sim_generate_command(int count, char **words)
{
    struct gd_sim_generate_options options = {
        .seed = 1, .clients = 8, .keys = 10, .operations = 1000};
    struct gd_sim_record record = {0};
    struct gd_bytes bytes = {0};
    size_t written;

    for (int i = 0; i < count; i += 2) {
        int status;
        if (i + 1 == count) {
            return refuse("a value is wanted behind", words[i]);
        }
        status = read_word(words[i], words[i + 1], &options);
        if (status != 0) {
            return status;
        }
    }
    if (options.violation == GD_SIM_VIOLATION_STALE_AMONG &&
        (options.values != 0 || options.operations < 1000)) {
        return refuse("stale-among wants unique values and 1000 operations at least",
                      "--violation");
    }
    gd_sim_generate(&options, &record);
    gd_sim_record_print(&record, &bytes);
    written = fwrite(bytes.data, 1, bytes.size, stdout);
    written += fflush(stdout) == 0 ? 0 : 1;
    gd_bytes_release(&bytes);
    gd_sim_record_release(&record);
    if (written != 0 && ferror(stdout) != 0) {
        (void)fprintf(stderr, "gandalf-sim: the history could not be written\n");
        return 1;
    }
    return 0;
}
