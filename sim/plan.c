/* plan.c - plans as text. The language: docs/plan.md.
 *
 * One table names every parameter and one every fault; printing and parsing walk the same rows, so
 * neither can know a word that the other does not. A value that equals its default is not printed:
 * what is left is what is special about a plan.
 *
 * Invariants
 *   P1. parse(print(plan)) equals plan, field for field.
 *   P2. A line that is not understood is an error with its number; nothing is skipped in silence.
 *   P3. Faults are ordered by time, and those of one time by their order in the text. */
#include "sim/plan.h"
#include "engine/io.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETER_ROW(field, name, unit, preset, least, most)                                      \
    {name, unit, offsetof(struct gd_sim_plan, field), preset, least, most},
const struct gd_sim_parameter gd_sim_parameters[] = {GD_SIM_PARAMETERS(PARAMETER_ROW)};
const size_t gd_sim_parameter_count = GD_COUNT(gd_sim_parameters);

#define FAULT_ROW(name, text, class_, aim, lasts)                                                  \
    {text, GD_SIM_CLASS_##class_, GD_SIM_AIM_##aim, lasts},
const struct gd_sim_fault_form gd_sim_fault_forms[GD_SIM_FAULT_KIND_COUNT] = {
    GD_SIM_FAULTS(FAULT_ROW)};

static const char *const role_names[GD_SIM_ROLE_COUNT] = {
    "node",     "leader",   "follower",   "candidate", "receiver", "restored", "elected",
    "newcomer", "changing", "concluding", "leaving",   "started",  "sender",   "stricken"};
static const char *const when_names[] = {"before", "half", "after"};
static const char *const op_names[GD_DISK_KIND_COUNT] = {
    [GD_DISK_OPEN] = "open",
    [GD_DISK_CLOSE] = "close",
    [GD_DISK_READ] = "read",
    [GD_DISK_WRITE] = "write",
    [GD_DISK_WRITE_DURABLE] = "write-durable",
    [GD_DISK_SYNC] = "sync",
    [GD_DISK_PREALLOCATE] = "preallocate",
    [GD_DISK_TRUNCATE] = "truncate",
    [GD_DISK_SIZE] = "size",
    [GD_DISK_RENAME] = "rename",
    [GD_DISK_UNLINK] = "unlink",
    [GD_DISK_LIST] = "list",
    [GD_DISK_MAKE_DIRECTORY] = "make-directory",
    [GD_DISK_SYNC_DIRECTORY] = "sync-directory",
};

bool gd_sim_plan_times_fit(const struct gd_sim_plan *plan)
{
    return plan->mix_timed == 0 || plan->database_external == 0 ||
           plan->timed_ahead >= 86400 * GD_SIM_S;
}

gd_time_ns gd_sim_plan_faults_end(const struct gd_sim_plan *plan)
{
    return plan->duration - plan->duration / 10;
}

bool gd_sim_role_waits(enum gd_sim_role role)
{
    return role != GD_SIM_ROLE_NODE && role != GD_SIM_ROLE_LEADER && role != GD_SIM_ROLE_FOLLOWER;
}

const char *gd_sim_op_text(unsigned op)
{
    return op_names[op];
}

const char *gd_sim_when_text(enum gd_sim_when when)
{
    return when_names[when];
}

const char *gd_sim_class_text(enum gd_sim_class class_)
{
    static const char *const names[GD_SIM_CLASS_COUNT] = {
        "partition",  "stream",      "crash", "crash point", "pause",    "slow disk",  "full disk",
        "disk error", "disk damage", "clock", "snapshot",    "transfer", "membership", "database"};
    return names[class_];
}

bool gd_sim_class_parse(const char *text, enum gd_sim_class *class_)
{
    for (unsigned i = 0; i < GD_SIM_CLASS_COUNT; i++) {
        const char *name = gd_sim_class_text((enum gd_sim_class)i);
        size_t at = 0;
        while (name[at] != '\0' && (text[at] == name[at] || (text[at] == '-' && name[at] == ' '))) {
            at++;
        }
        if (name[at] == '\0' && text[at] == '\0') {
            *class_ = (enum gd_sim_class)i;
            return true;
        }
    }
    return false;
}

void gd_sim_plan_defaults(struct gd_sim_plan *plan)
{
    memset(plan, 0, sizeof *plan);
    for (size_t i = 0; i < gd_sim_parameter_count; i++) {
        *gd_sim_parameter_at(plan, i) = gd_sim_parameters[i].preset;
    }
}

/* ---------------------------------------------------------------- numbers */

void gd_sim_time_text(gd_time_ns time, char *to, size_t size)
{
    uint64_t rest = time % GD_SIM_S;
    int digits = 9;
    while (digits > 0 && rest % 10 == 0) {
        rest /= 10;
        digits--;
    }
    if (digits == 0) {
        (void)snprintf(to, size, "%" PRIu64 "s", time / GD_SIM_S);
    } else {
        (void)snprintf(to, size, "%" PRIu64 ".%0*" PRIu64 "s", time / GD_SIM_S, digits & 15,
                       rest); /* The mask: gcc's asan build sees no bound else. */
    }
}

/* Digits only; false when there is none or the number does not fit. */
static bool parse_digits(const char **text, uint64_t *value)
{
    const char *at = *text;
    uint64_t sum = 0;
    if (*at < '0' || *at > '9') {
        return false;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (sum > (UINT64_MAX - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *text = at;
    *value = sum;
    return true;
}

bool gd_sim_time_parse(const char *text, gd_time_ns *time)
{
    uint64_t whole;
    uint64_t part = 0;
    uint64_t unit = GD_SIM_S;
    uint64_t scale = 1; /* Of `part`: how many make a unit. */
    if (!parse_digits(&text, &whole)) {
        return false;
    }
    if (*text == '.') {
        const char *start = ++text;
        if (!parse_digits(&text, &part) || text - start > 9) {
            return false;
        }
        for (ptrdiff_t i = 0; i < text - start; i++) {
            scale *= 10;
        }
    }
    if (strcmp(text, "s") == 0) {
        unit = GD_SIM_S;
    } else if (strcmp(text, "ms") == 0) {
        unit = GD_SIM_MS;
    } else if (strcmp(text, "us") == 0) {
        unit = GD_SIM_US;
    } else {
        return false;
    }
    if (unit % scale != 0 || whole > UINT64_MAX / unit / 2) {
        return false;
    }
    *time = whole * unit + part * (unit / scale);
    return true;
}

static void print_value(struct gd_bytes *bytes, enum gd_sim_unit unit, uint64_t value)
{
    char text[32];
    switch (unit) {
    case GD_SIM_TIME:
        gd_sim_time_text(value, text, sizeof text);
        gd_bytes_add_text(bytes, text);
        return;
    case GD_SIM_FLAG:
        gd_bytes_add_text(bytes, value != 0 ? "yes" : "no");
        return;
    case GD_SIM_BYTES:
        if (value > 0 && value % (1 << 20) == 0) {
            gd_bytes_format(bytes, "%" PRIu64 "MiB", value >> 20);
            return;
        }
        if (value > 0 && value % 1024 == 0) {
            gd_bytes_format(bytes, "%" PRIu64 "KiB", value >> 10);
            return;
        }
        break;
    case GD_SIM_COUNT:
    case GD_SIM_PPM:
        break;
    }
    gd_bytes_format(bytes, "%" PRIu64, value);
}

static bool parse_value(const char *text, enum gd_sim_unit unit, uint64_t *value)
{
    uint64_t shift = 0;
    switch (unit) {
    case GD_SIM_TIME:
        return gd_sim_time_parse(text, value);
    case GD_SIM_FLAG:
        *value = strcmp(text, "yes") == 0;
        return *value != 0 || strcmp(text, "no") == 0;
    case GD_SIM_BYTES:
    case GD_SIM_COUNT:
    case GD_SIM_PPM:
        break;
    }
    if (!parse_digits(&text, value)) {
        return false;
    }
    if (unit == GD_SIM_BYTES && strcmp(text, "KiB") == 0) {
        shift = 10;
    } else if (unit == GD_SIM_BYTES && strcmp(text, "MiB") == 0) {
        shift = 20;
    } else if (*text != '\0') {
        return false;
    }
    if (*value > UINT64_MAX >> shift) {
        return false;
    }
    *value <<= shift;
    return true;
}

/* ---------------------------------------------------------------- printing */

static void print_target(const struct gd_sim_fault *fault, struct gd_bytes *bytes)
{
    const struct gd_sim_fault_form *form = &gd_sim_fault_forms[fault->kind];
    if (form->aim == GD_SIM_AIM_NODE) {
        if (fault->role == GD_SIM_ROLE_NODE) {
            gd_bytes_format(bytes, " node %u", fault->node);
        } else {
            gd_bytes_format(bytes, " %s", role_names[fault->role]);
        }
    } else if (form->aim == GD_SIM_AIM_GROUP) {
        const char *between = " ";
        for (unsigned n = 1; n <= GD_SIM_NODES_MAX; n++) {
            if ((fault->group >> (n - 1) & 1) != 0) {
                gd_bytes_format(bytes, "%s%u", between, n);
                between = ",";
            }
        }
    }
}

/* Does any operation of a disk do for it, as its plan says? */
static bool names_op(enum gd_sim_fault_kind kind)
{
    return kind == GD_SIM_FAULT_FAIL_OP || kind == GD_SIM_FAULT_FAIL_OUTAGE;
}

void gd_sim_fault_print(const struct gd_sim_fault *fault, struct gd_bytes *bytes)
{
    char text[32];
    gd_sim_time_text(fault->at, text, sizeof text);
    gd_bytes_format(bytes, "at %s %s", text, gd_sim_fault_forms[fault->kind].name);
    print_target(fault, bytes);
    if (fault->kind == GD_SIM_FAULT_CLOCK_JUMP) {
        gd_sim_time_text((uint64_t)(fault->by < 0 ? -fault->by : fault->by) * GD_SIM_MS, text,
                         sizeof text);
        gd_bytes_format(bytes, " by %s%s", fault->by < 0 ? "-" : "", text);
    } else if (fault->kind == GD_SIM_FAULT_LAG) {
        gd_sim_time_text((uint64_t)fault->by, text, sizeof text);
        gd_bytes_format(bytes, " by %s", text);
    }
    if (fault->kind == GD_SIM_FAULT_CRASH_AT) {
        gd_bytes_format(bytes, " %s %s", when_names[fault->when], op_names[fault->op]);
    } else if (names_op(fault->kind)) {
        gd_bytes_format(bytes, " %s", op_names[fault->op]);
    }
    if (fault->count != 0) {
        gd_bytes_format(bytes, " count %" PRIu64, fault->count);
    }
    if (fault->later != 0) {
        gd_sim_time_text(fault->later, text, sizeof text);
        gd_bytes_format(bytes, " later %s", text);
    }
    if (fault->until != GD_SIM_ROLE_NODE) {
        gd_bytes_format(bytes, " until %s", role_names[fault->until]);
    }
    if (fault->for_ != 0) {
        gd_sim_time_text(fault->for_, text, sizeof text);
        gd_bytes_format(bytes, " for %s", text);
    }
    gd_bytes_add_text(bytes, "\n");
}

void gd_sim_plan_print(const struct gd_sim_plan *plan, struct gd_bytes *bytes)
{
    gd_bytes_format(bytes, "seed %" PRIu64 "\n", plan->seed);
    for (size_t i = 0; i < gd_sim_parameter_count; i++) {
        const struct gd_sim_parameter *row = &gd_sim_parameters[i];
        uint64_t value;
        memcpy(&value, (const char *)plan + row->offset, sizeof value);
        if (value != row->preset) {
            gd_bytes_format(bytes, "%s ", row->name);
            print_value(bytes, row->unit, value);
            gd_bytes_add_text(bytes, "\n");
        }
    }
    for (size_t i = 0; i < plan->fault_count; i++) {
        gd_sim_fault_print(&plan->faults[i], bytes);
    }
}

/* ---------------------------------------------------------------- parsing */

#define WORDS_MAX 16
struct line {
    unsigned number;
    size_t count, at; /* Words, and the next to be read. */
    char *words[WORDS_MAX];
    struct gd_error *error;
    unsigned fault_lines[GD_SIM_FAULTS_MAX];               /* Where each fault stands. */
    unsigned parameter_lines[GD_COUNT(gd_sim_parameters)]; /* And each parameter; 0: nowhere. */
    unsigned seed_line;
};

static bool complain(const struct line *line, const char *what, const char *word)
{
    (void)gd_error_set(line->error, GD_ERR_INVALID, "line %u: %s%s%s%s", line->number, what,
                       word != NULL ? " '" : "", word != NULL ? word : "", word != NULL ? "'" : "");
    return false;
}

static const char *next_word(struct line *line)
{
    return line->at < line->count ? line->words[line->at++] : NULL;
}

/* The word's place in a table of names; -1 when it is none of them. */
static int find_name(const char *word, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i] != NULL && strcmp(word, names[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static bool parse_node(struct line *line, const char *word, unsigned *node)
{
    uint64_t value;
    const char *at = word;
    if (word == NULL || !parse_digits(&at, &value) || *at != '\0' || value < 1 ||
        value > GD_SIM_NODES_MAX) {
        return complain(line, "a node's number (1 to 9) is wanted, not", word ? word : "");
    }
    *node = (unsigned)value;
    return true;
}

static bool parse_group(struct line *line, char *word, uint32_t *group)
{
    if (word == NULL) {
        return complain(line, "the fault lacks its target: nodes, such as 1,2", NULL);
    }
    for (char *at = word; at != NULL;) {
        char *comma = strchr(at, ',');
        unsigned node;
        if (comma != NULL) {
            *comma++ = '\0';
        }
        if (!parse_node(line, at, &node)) {
            return false;
        }
        *group |= UINT32_C(1) << (node - 1);
        at = comma;
    }
    return true;
}

static bool parse_target(struct line *line, struct gd_sim_fault *fault)
{
    enum gd_sim_aim aim = gd_sim_fault_forms[fault->kind].aim;
    if (aim == GD_SIM_AIM_NOTHING) {
        return true;
    }
    if (aim == GD_SIM_AIM_GROUP) {
        char *word = line->at < line->count ? line->words[line->at++] : NULL;
        return parse_group(line, word, &fault->group);
    }
    const char *word = next_word(line);
    if (word == NULL) {
        return complain(
            line,
            "the fault lacks its target: node N, leader, follower, candidate, "
            "receiver, sender, restored, elected, started, stricken, newcomer, changing, "
            "concluding or leaving",
            NULL);
    }
    int role = find_name(word, role_names, GD_SIM_ROLE_COUNT);
    if (role < 0) {
        return complain(
            line,
            "a fault's target is node N, leader, follower, candidate, receiver, sender, restored, "
            "elected, started, stricken, newcomer, changing, concluding or leaving, not",
            word);
    }
    fault->role = (enum gd_sim_role)role;
    return fault->role != GD_SIM_ROLE_NODE || parse_node(line, next_word(line), &fault->node);
}

/* "by X": a time, with a sign for clocks. */
static bool parse_by(struct line *line, struct gd_sim_fault *fault)
{
    const char *word = next_word(line);
    bool minus = word != NULL && word[0] == '-';
    gd_time_ns time;
    bool jump = fault->kind == GD_SIM_FAULT_CLOCK_JUMP;
    if (!jump && fault->kind != GD_SIM_FAULT_LAG) {
        return complain(line, "this fault has no", "by");
    }
    if (word == NULL || (minus && !jump) || !gd_sim_time_parse(word + (minus ? 1 : 0), &time) ||
        (jump && time % GD_SIM_MS != 0)) {
        return complain(line, "a time such as 1.250s is wanted behind 'by', not", word ? word : "");
    }
    fault->by = (int64_t)(jump ? time / GD_SIM_MS : time);
    fault->by = minus ? -fault->by : fault->by;
    return true;
}

enum need { NEED_NO, NEED_MAY, NEED_MUST };

/* What `count` is to a fault: a measure that must be said, a turn that may be, or nothing. */
static enum need needs_count(enum gd_sim_fault_kind kind)
{
    switch (kind) {
    case GD_SIM_FAULT_LOSSY:
    case GD_SIM_FAULT_MISREAD:
    case GD_SIM_FAULT_SLOW_DISK:
    case GD_SIM_FAULT_DATABASE_SLOW:
        return NEED_MUST;
    case GD_SIM_FAULT_CORNER:
    case GD_SIM_FAULT_CRASH_AT:
    case GD_SIM_FAULT_FAIL_SYNC:
    case GD_SIM_FAULT_FAIL_WRITE:
    case GD_SIM_FAULT_FAIL_READ:
    case GD_SIM_FAULT_FAIL_OP:
    case GD_SIM_FAULT_FAIL_OUTAGE:
    case GD_SIM_FAULT_LIE:
        return NEED_MAY;
    default:
        return NEED_NO;
    }
}

/* It ends early, when somebody has a role that faults wait for. */
static bool parse_until(struct line *line, struct gd_sim_fault *fault)
{
    const char *name = next_word(line);
    int role = name == NULL ? -1 : find_name(name, role_names, GD_SIM_ROLE_COUNT);
    if (!gd_sim_fault_forms[fault->kind].lasts) {
        return complain(line, "this fault is over at once: it has no", "until");
    }
    if (role < 0 || !gd_sim_role_waits((enum gd_sim_role)role)) {
        return complain(line, "a role that is waited for is wanted behind 'until', not",
                        name ? name : "");
    }
    fault->until = (enum gd_sim_role)role;
    return true;
}

/* It strikes not at once when its target is there. */
static bool parse_later(struct line *line, struct gd_sim_fault *fault)
{
    const char *time = next_word(line);
    if (!gd_sim_role_waits(fault->role)) {
        return complain(line, "this fault waits for no role: it has no", "later");
    }
    if (time == NULL || !gd_sim_time_parse(time, &fault->later) || fault->later == 0) {
        return complain(line, "a time such as 3ms is wanted behind 'later', not", time ? time : "");
    }
    return true;
}

static bool parse_option(struct line *line, struct gd_sim_fault *fault, const char *word)
{
    int when = find_name(word, when_names, GD_COUNT(when_names));
    if (strcmp(word, "by") == 0) {
        return parse_by(line, fault);
    }
    if (strcmp(word, "until") == 0) {
        return parse_until(line, fault);
    }
    if (strcmp(word, "later") == 0) {
        return parse_later(line, fault);
    }
    if (strcmp(word, "for") == 0) {
        const char *time = next_word(line);
        if (!gd_sim_fault_forms[fault->kind].lasts) {
            return complain(line, "this fault is over at once: it has no", "for");
        }
        if (time == NULL || !gd_sim_time_parse(time, &fault->for_)) {
            return complain(line, "a time such as 1.250s is wanted behind 'for', not",
                            time ? time : "");
        }
        return true;
    }
    if (strcmp(word, "count") == 0) {
        const char *number = next_word(line);
        if (needs_count(fault->kind) == NEED_NO) {
            return complain(line, "this fault has no", "count");
        }
        if (number == NULL || !parse_value(number, GD_SIM_COUNT, &fault->count) ||
            fault->count == 0) {
            return complain(line, "a number is wanted behind 'count', not", number ? number : "");
        }
        bool chance = fault->kind == GD_SIM_FAULT_LOSSY || fault->kind == GD_SIM_FAULT_MISREAD;
        if (chance && fault->count > 1000000) {
            return complain(line, "a chance is at most 1000000, not", number);
        }
        return true;
    }
    if (when >= 0 && fault->kind == GD_SIM_FAULT_CRASH_AT) {
        const char *name = next_word(line);
        int op = name == NULL ? -1 : find_name(name, op_names, GD_DISK_KIND_COUNT);
        if (op < 0) {
            return complain(line, "a disk operation is wanted, not", name ? name : "");
        }
        fault->when = (enum gd_sim_when)when;
        fault->op = (unsigned)op;
        return true;
    }
    int op = names_op(fault->kind) ? find_name(word, op_names, GD_DISK_KIND_COUNT) : -1;
    if (op >= 0) {
        fault->op = (unsigned)op;
        return true;
    }
    return complain(line, "unknown word", word);
}

/* Is everything said that this fault cannot do without? */
static bool check_fault(const struct line *line, const struct gd_sim_fault *fault)
{
    if (fault->kind == GD_SIM_FAULT_CRASH_AT && fault->op == GD_DISK_KIND_COUNT) {
        return complain(line, "crash-at lacks its point: before, half or after, and an operation",
                        NULL);
    }
    if (names_op(fault->kind) && fault->op == GD_DISK_KIND_COUNT) {
        return complain(line, "the fault lacks the disk operation that fails", NULL);
    }
    if (needs_count(fault->kind) == NEED_MUST && fault->count == 0) {
        return complain(line, "the fault lacks its measure: count N", NULL);
    }
    if ((fault->kind == GD_SIM_FAULT_LAG || fault->kind == GD_SIM_FAULT_CLOCK_JUMP) &&
        fault->by == 0) {
        return complain(line, "the fault lacks its measure: by TIME", NULL);
    }
    if (gd_sim_fault_forms[fault->kind].lasts && fault->for_ == 0) {
        return complain(line, "the fault lacks its duration: for TIME", NULL);
    }
    return true;
}

/* The options behind a fault's target, each at most once. */
static bool parse_options(struct line *line, struct gd_sim_fault *fault)
{
    const char *seen[WORDS_MAX];
    const char *word;
    for (size_t count = 0; (word = next_word(line)) != NULL; count++) {
        if (find_name(word, seen, count) >= 0) {
            return complain(line, "said twice:", word);
        }
        seen[count] = word;
        if (!parse_option(line, fault, word)) {
            return false;
        }
    }
    return true;
}

static bool parse_fault(struct line *line, struct gd_sim_plan *plan)
{
    struct gd_sim_fault fault = {.op = GD_DISK_KIND_COUNT};
    const char *time = next_word(line);
    const char *name = next_word(line);
    if (time == NULL || !gd_sim_time_parse(time, &fault.at)) {
        return complain(line, "a time such as 1.250s is wanted behind 'at', not", time ? time : "");
    }
    if (plan->fault_count > 0 && fault.at < plan->faults[plan->fault_count - 1].at) {
        return complain(line, "the time goes back: faults are ordered by time", NULL);
    }
    while (fault.kind < GD_SIM_FAULT_KIND_COUNT &&
           (name == NULL || strcmp(gd_sim_fault_forms[fault.kind].name, name) != 0)) {
        fault.kind++;
    }
    if (fault.kind == GD_SIM_FAULT_KIND_COUNT) {
        return complain(line, "unknown fault", name ? name : "");
    }
    if (!parse_target(line, &fault) || !parse_options(line, &fault) || !check_fault(line, &fault)) {
        return false;
    }
    if (fault.kind != GD_SIM_FAULT_CRASH_AT && !names_op(fault.kind)) {
        fault.op = 0;
    }
    if (plan->fault_count == GD_SIM_FAULTS_MAX) {
        return complain(line, "too many faults (at most 512)", NULL);
    }
    line->fault_lines[plan->fault_count] = line->number;
    plan->faults[plan->fault_count++] = fault;
    return true;
}

static bool only_once(const struct line *line, unsigned *where, const char *name)
{
    if (*where != 0) {
        return complain(line, "said twice:", name);
    }
    *where = line->number;
    return true;
}

static bool parse_parameter(struct line *line, struct gd_sim_plan *plan, const char *name)
{
    const char *word = next_word(line);
    uint64_t value;
    if (strcmp(name, "seed") == 0) {
        if (word == NULL || !parse_value(word, GD_SIM_COUNT, &plan->seed)) {
            return complain(line, "a number is wanted behind 'seed', not", word ? word : "");
        }
        return only_once(line, &line->seed_line, name);
    }
    for (size_t i = 0; i < gd_sim_parameter_count; i++) {
        const struct gd_sim_parameter *row = &gd_sim_parameters[i];
        if (strcmp(row->name, name) != 0) {
            continue;
        }
        if (word == NULL || !parse_value(word, row->unit, &value)) {
            return complain(line, "not a value for this parameter:", word ? word : "");
        }
        if (value < row->least || value > row->most) {
            return complain(line, "out of this parameter's range:", word);
        }
        *gd_sim_parameter_at(plan, i) = value;
        return only_once(line, &line->parameter_lines[i], name);
    }
    return complain(line, "unknown word", name);
}

static bool parse_line(struct line *line, struct gd_sim_plan *plan)
{
    const char *word = next_word(line);
    if (word == NULL) {
        return true;
    }
    bool good =
        strcmp(word, "at") == 0 ? parse_fault(line, plan) : parse_parameter(line, plan, word);
    if (good && line->at < line->count) {
        return complain(line, "too much on the line:", line->words[line->at]);
    }
    return good;
}

/* Cuts the line's text, which it changes, into words; false when there are too many. */
static bool cut_words(struct line *line, char *text)
{
    text[strcspn(text, "#")] = '\0';
    line->count = 0;
    line->at = 0;
    for (char *at = text;;) {
        at += strspn(at, " \t\r");
        if (*at == '\0') {
            return true;
        }
        if (line->count == WORDS_MAX) {
            return complain(line, "too many words", NULL);
        }
        line->words[line->count++] = at;
        at += strcspn(at, " \t\r");
        if (*at != '\0') {
            *at++ = '\0';
        }
    }
}

/* Is each fault's target there, and its time one that comes? How many nodes there are, and how long
 * the run is, may stand anywhere. */
static bool check_faults(const struct gd_sim_plan *plan, struct line *line)
{
    unsigned total = gd_sim_plan_total(plan);
    for (size_t i = 0; i < plan->fault_count; i++) {
        const struct gd_sim_fault *fault = &plan->faults[i];
        char text[16];
        unsigned node = fault->role == GD_SIM_ROLE_NODE ? fault->node : 0;
        for (unsigned n = 1; n <= GD_SIM_NODES_MAX; n++) {
            node = (fault->group >> (n - 1) & 1) != 0 ? n : node;
        }
        line->number = line->fault_lines[i];
        if (node > total) {
            (void)snprintf(text, sizeof text, "%u", node);
            return complain(line, "the cluster has no node", text);
        }
        if (fault->at > plan->duration) {
            return complain(line, "this fault is behind the run's end ('duration')", NULL);
        }
    }
    return true;
}

/* Where the later of two parameters stands. */
static void stand_at(struct line *line, const char *one, const char *other)
{
    line->number = 0;
    for (size_t i = 0; i < gd_sim_parameter_count; i++) {
        const char *name = gd_sim_parameters[i].name;
        if ((strcmp(name, one) == 0 || strcmp(name, other) == 0) &&
            line->parameter_lines[i] > line->number) {
            line->number = line->parameter_lines[i];
        }
    }
}

/* What no single line can say wrong. */
static bool check_whole(const struct gd_sim_plan *plan, struct line *line)
{
    const struct {
        bool wrong;
        const char *one, *other, *what;
    } rows[] = {
        {plan->election_timeout < 2 * plan->heartbeat, "node.election_timeout", "node.heartbeat",
         "node.election_timeout is below twice node.heartbeat"},
        {plan->net_latency_min > plan->net_latency_max, "net.latency_min", "net.latency_max",
         "net.latency_min is above net.latency_max"},
        {plan->disk_latency_min > plan->disk_latency_max, "disk.latency_min", "disk.latency_max",
         "disk.latency_min is above disk.latency_max"},
        {plan->disk_sync_min > plan->disk_sync_max, "disk.sync_min", "disk.sync_max",
         "disk.sync_min is above disk.sync_max"},
        {!gd_sim_plan_times_fit(plan), "mix.timed", "timed.ahead",
         "mix.timed before another's database wants timed.ahead of a day (86400s) at least"},
        {plan->segment_size % GD_BLOCK_SIZE != 0, "node.segment_size", "",
         "node.segment_size is not a multiple of 4KiB"}};
    for (size_t i = 0; i < GD_COUNT(rows); i++) {
        if (rows[i].wrong) {
            stand_at(line, rows[i].one, rows[i].other);
            return complain(line, rows[i].what, NULL);
        }
    }
    return true;
}

enum gd_err gd_sim_plan_parse(struct gd_slice text, struct gd_sim_plan *plan,
                              struct gd_error *error)
{
    char copy[512];
    struct line line = {.error = error};
    size_t at = 0;
    gd_sim_plan_defaults(plan);
    while (at < text.size) {
        const uint8_t *start = text.data + at;
        const uint8_t *end = memchr(start, '\n', text.size - at);
        size_t size = end != NULL ? (size_t)(end - start) : text.size - at;
        line.number++;
        at += size + 1;
        if (size >= sizeof copy || memchr(start, '\0', size) != NULL) {
            (void)complain(&line, "not a line of text", NULL);
            return GD_ERR_INVALID;
        }
        memcpy(copy, start, size);
        copy[size] = '\0';
        if (!cut_words(&line, copy) || !parse_line(&line, plan)) {
            return GD_ERR_INVALID;
        }
    }
    return check_faults(plan, &line) && check_whole(plan, &line) ? GD_OK : GD_ERR_INVALID;
}
