/* The checker against brute force: every order of small random histories is tried, by code that
 * shares nothing with the checker.
 *
 *     test_brute [HISTORIES [SEED]]      40000 and 1 when not given
 *     test_brute all COUNT KINDS         every history of so many operations on one key, of the
 * first KINDS of the table below, in every arrangement of calls and returns: "all 5 7" is registers
 * with two values, complete
 *
 *     test_brute long [HISTORIES [SEED]]   longer ones, of more keys, of which not every order can
 * be tried: what is made from a hidden order must be legal, and all ways of the checker must agree
 *
 * A history is made from a hidden order, so about half are legal; in the others an output, or a
 * time, is changed. */
#include "engine/prng.h"
#include "sim/linearize_kv.h"
#include "sim/stream.h"
#include <stdio.h>
#include <stdlib.h>

#define OPERATIONS_MAX 48
#define BRUTE_MAX 8 /* Operations of which every order is tried. */
#define STEPS_MAX 3
#define KEYS_MAX 5
#define BRUTE_KEYS_MAX 3

struct made { /* A step. */
    enum gd_sim_do what;
    unsigned key;
    char input[16], old[16], output[128]; /* "" in `old` and `output`: nothing. */
    enum gd_sim_value_kind output_kind;
    int64_t number;
};
struct operation { /* A transaction when it has more steps than one. */
    struct made steps[STEPS_MAX];
    unsigned count, session; /* 0: of no session. */
    bool open;
    unsigned call, back;
};
struct history {
    struct operation ops[OPERATIONS_MAX];
    unsigned count, keys;
    bool ordered;
};
struct states { /* "": absent. */
    char text[KEYS_MAX][128];
};

static bool to_number(const char *state, int64_t *number)
{
    char back[32];
    *number = strtoll(state, NULL, 10);
    (void)snprintf(back, sizeof back, "%lld", (long long)*number);
    return strcmp(back, state) == 0;
}

/* The state machine of the format: what `op` gives at `state` (NULL: absent), and leaves. */
static void step(const struct made *op, const char *state, struct made *gave, char *next)
{
    int64_t number = 0;

    gave->output_kind = GD_SIM_VALUE_NOTHING;
    gave->output[0] = '\0';
    (void)snprintf(next, 128, "%s", state == NULL ? "" : state);
    switch (op->what) {
    case GD_SIM_DO_READ:
    case GD_SIM_DO_SWAP:
    case GD_SIM_DO_TAKE:
        if (state != NULL) {
            gave->output_kind = GD_SIM_VALUE_TEXT;
            (void)snprintf(gave->output, sizeof gave->output, "%s", state);
        }
        if (op->what == GD_SIM_DO_SWAP) {
            (void)snprintf(next, 128, "%s", op->input);
        } else if (op->what == GD_SIM_DO_TAKE) {
            next[0] = '\0';
        }
        break;
    case GD_SIM_DO_WRITE:
        (void)snprintf(next, 128, "%s", op->input);
        break;
    case GD_SIM_DO_APPEND:
        (void)snprintf(next, 128, "%s%s", state == NULL ? "" : state, op->input);
        gave->output_kind = GD_SIM_VALUE_NUMBER;
        gave->number = (int64_t)strlen(next);
        break;
    case GD_SIM_DO_CAS: {
        bool holds = state == NULL ? op->old[0] == '\0' : strcmp(op->old, state) == 0;
        gave->output_kind = holds ? GD_SIM_VALUE_TRUE : GD_SIM_VALUE_FALSE;
        if (holds) {
            (void)snprintf(next, 128, "%s", op->input);
        }
        break;
    }
    case GD_SIM_DO_DELETE:
        gave->output_kind = state != NULL ? GD_SIM_VALUE_TRUE : GD_SIM_VALUE_FALSE;
        next[0] = '\0';
        break;
    case GD_SIM_DO_SETNX:
        gave->output_kind = state == NULL ? GD_SIM_VALUE_TRUE : GD_SIM_VALUE_FALSE;
        if (state == NULL) {
            (void)snprintf(next, 128, "%s", op->input);
        }
        break;
    case GD_SIM_DO_INCR:
        if (state == NULL || to_number(state, &number)) {
            gave->output_kind = GD_SIM_VALUE_NUMBER;
            gave->number = number + 1;
            (void)snprintf(next, 128, "%lld", (long long)gave->number);
        } else {
            gave->output_kind = GD_SIM_VALUE_ERROR;
        }
        break;
    case GD_SIM_DO_TXN:
        break;
    }
}

/* A delete or append may have been answered without a word. */
static bool agrees(const struct made *op, const struct made *gave)
{
    if (op->output_kind == GD_SIM_VALUE_NOTHING &&
        (op->what == GD_SIM_DO_DELETE || op->what == GD_SIM_DO_APPEND)) {
        return true;
    }
    return op->output_kind == gave->output_kind &&
           (op->output_kind != GD_SIM_VALUE_TEXT || strcmp(op->output, gave->output) == 0) &&
           (op->output_kind != GD_SIM_VALUE_NUMBER || op->number == gave->number);
}

/* The whole operation on all keys; what it gave in `gave`. */
static void perform(const struct operation *op, const struct states *before, struct states *after,
                    struct made *gave)
{
    *after = *before;
    for (unsigned k = 0; k < op->count; k++) {
        char *text = after->text[op->steps[k].key], next[128];
        step(&op->steps[k], text[0] == '\0' ? NULL : text, &gave[k], next);
        memcpy(text, next, sizeof next);
    }
}

static bool fits(const struct operation *op, const struct made *gave)
{
    bool good = true;
    for (unsigned k = 0; k < op->count && !op->open; k++) {
        good = good && agrees(&op->steps[k], &gave[k]);
    }
    return good;
}

/* The keys of `op` and all that transactions bind to them. */
static unsigned bound_keys(const struct history *history, const struct operation *op)
{
    unsigned keys = 1u << op->steps[0].key;
    for (unsigned round = 0; round < KEYS_MAX; round++) {
        for (unsigned i = 0; i < history->count; i++) {
            unsigned these = 0;
            for (unsigned k = 0; k < history->ops[i].count; k++) {
                these |= 1u << history->ops[i].steps[k].key;
            }
            keys |= (these & keys) != 0 ? these : 0;
        }
    }
    return keys;
}

/* Must `a` come before `b`? Sessions have an order among what is judged together. */
static bool precedes(const struct history *history, unsigned a, unsigned b)
{
    const struct operation *x = &history->ops[a], *y = &history->ops[b];
    if (x->open || x->back < y->call) {
        return !x->open;
    }
    return history->ordered && !y->open && x->session != 0 && x->session == y->session && a < b &&
           bound_keys(history, x) == bound_keys(history, y);
}

/* Every order, by plain recursion. */
static bool brute(const struct history *history, unsigned left, const struct states *states)
{
    bool must = false;
    for (unsigned i = 0; i < history->count; i++) {
        must = must || ((left >> i & 1) != 0 && !history->ops[i].open);
    }
    if (!must) {
        return true;
    }
    for (unsigned i = 0; i < history->count; i++) {
        struct made gave[STEPS_MAX] = {{.number = 0}};
        struct states next;
        bool first = (left >> i & 1) != 0;
        for (unsigned k = 0; k < history->count && first; k++) {
            first = (left >> k & 1) == 0 || !precedes(history, k, i);
        }
        if (!first) {
            continue;
        }
        perform(&history->ops[i], states, &next, gave);
        if (fits(&history->ops[i], gave) && brute(history, left & ~(1u << i), &next)) {
            return true;
        }
    }
    return false;
}

/* A key that counts: numbers far apart, and INCR. */
static void draw_counting(struct gd_prng *prng, const struct history *history, struct made *made,
                          unsigned number)
{
    static const enum gd_sim_do choices[] = {
        GD_SIM_DO_READ,  GD_SIM_DO_READ, GD_SIM_DO_INCR, GD_SIM_DO_INCR,   GD_SIM_DO_INCR,
        GD_SIM_DO_WRITE, GD_SIM_DO_SWAP, GD_SIM_DO_TAKE, GD_SIM_DO_DELETE, GD_SIM_DO_SETNX};
    made->what = choices[gd_prng_below(prng, GD_COUNT(choices))];
    made->key = (unsigned)gd_prng_below(prng, history->keys);
    (void)snprintf(made->input, sizeof made->input, "%u000", number + 1);
}

static void draw_step(struct gd_prng *prng, const struct history *history, struct made *made,
                      unsigned number, bool plain, bool unique)
{
    made->what = plain ? (enum gd_sim_do)gd_prng_below(prng, 2)
                       : (enum gd_sim_do)gd_prng_below(prng, GD_SIM_DO_TXN);
    made->key = (unsigned)gd_prng_below(prng, history->keys);
    if (unique) {
        (void)snprintf(made->input, sizeof made->input, "%c%u",
                       gd_prng_chance(prng, 1, 9) ? '1' : 'v', number);
    } else {
        (void)snprintf(made->input, sizeof made->input, "%c", "ab1"[gd_prng_below(prng, 3)]);
    }
    if (made->what == GD_SIM_DO_CAS && gd_prng_chance(prng, 3, 4)) {
        const struct operation *other = &history->ops[gd_prng_below(prng, number / STEPS_MAX + 1)];
        memmove(made->old, other->steps[0].input, sizeof made->old);
    }
}

/* Something in it is changed: an output, or a time. */
static void spoil(struct gd_prng *prng, struct history *history)
{
    struct operation *op = &history->ops[gd_prng_below(prng, history->count)];
    const struct operation *other = &history->ops[gd_prng_below(prng, history->count)];
    struct made *made = &op->steps[gd_prng_below(prng, op->count)];
    if (made->output_kind == GD_SIM_VALUE_TEXT) {
        (void)snprintf(made->output, sizeof made->output, "%s",
                       gd_prng_chance(prng, 1, 6) ? "zz" : other->steps[0].input);
    } else if (made->output_kind == GD_SIM_VALUE_TRUE || made->output_kind == GD_SIM_VALUE_FALSE) {
        made->output_kind =
            made->output_kind == GD_SIM_VALUE_TRUE ? GD_SIM_VALUE_FALSE : GD_SIM_VALUE_TRUE;
    } else if (made->output_kind == GD_SIM_VALUE_NUMBER && gd_prng_chance(prng, 1, 2)) {
        made->number += (int64_t)gd_prng_between(prng, 0, 4) - 2;
    } else {
        op->back = op->call + (unsigned)gd_prng_below(prng, 3);
    }
}

/* False: something was changed, so it need not be legal. */
static bool draw(struct gd_prng *prng, struct history *history, bool lengthy)
{
    bool plain = gd_prng_chance(prng, 1, 4), unique = gd_prng_chance(prng, 2, 3);
    bool many = gd_prng_chance(prng, 1, 3);
    unsigned spread = (unsigned)gd_prng_between(prng, 1, 12);
    struct states states = {.text = {""}}, next;

    memset(history, 0, sizeof *history);
    history->count = (unsigned)(lengthy ? gd_prng_between(prng, BRUTE_MAX, OPERATIONS_MAX)
                                        : gd_prng_between(prng, 2, BRUTE_MAX));
    many = many || (lengthy && gd_prng_chance(prng, 1, 2));
    history->keys =
        many ? (unsigned)gd_prng_between(prng, 2, lengthy ? KEYS_MAX : BRUTE_KEYS_MAX) : 1;
    spread *= lengthy ? 2 : 1;
    bool lost = lengthy && gd_prng_chance(prng, 1, 2);
    bool counting = !plain && gd_prng_chance(prng, 1, 4);
    history->ordered = gd_prng_chance(prng, 1, 4);
    for (unsigned i = 0; i < history->count; i++) {
        struct operation *op = &history->ops[i];
        unsigned point = 30 + 4 * i;
        op->count = many ? (unsigned)gd_prng_between(prng, 1, STEPS_MAX) : 1;
        for (unsigned k = 0; k < op->count; k++) {
            struct made *made = &op->steps[k];
            if (counting) {
                draw_counting(prng, history, made, STEPS_MAX * i + k);
            } else {
                draw_step(prng, history, made, STEPS_MAX * i + k, plain, unique);
            }
            if (made->what == GD_SIM_DO_APPEND && strlen(states.text[made->key]) > 80) {
                made->what = GD_SIM_DO_WRITE; /* There is no room for more. */
            }
        }
        op->call = point - (unsigned)gd_prng_below(prng, spread + 1);
        op->back = point + (unsigned)gd_prng_below(prng, spread + 1);
        op->session = (unsigned)gd_prng_below(prng, 3);
        perform(op, &states, &next, op->steps);
        op->open = gd_prng_chance(prng, 1, lengthy && lost ? 3 : 8);
        if (!op->open || gd_prng_chance(prng, 1, 2)) {
            states = next;
        }
        for (unsigned k = 0; k < op->count; k++) {
            struct made *made = &op->steps[k];
            if ((made->what == GD_SIM_DO_DELETE || made->what == GD_SIM_DO_APPEND) &&
                gd_prng_chance(prng, 1, 2)) {
                made->output_kind = GD_SIM_VALUE_NOTHING;
            }
        }
    }
    bool spoilt = gd_prng_chance(prng, 2, 3);
    if (spoilt) {
        spoil(prng, history);
    }
    return !spoilt;
}

static void record_step(const struct made *made, bool open, struct gd_sim_record *to)
{
    struct gd_sim_step *at = gd_sim_record_step(to, made->what, made->key);
    bool writes = made->what != GD_SIM_DO_READ && made->what != GD_SIM_DO_TAKE &&
                  made->what != GD_SIM_DO_DELETE;
    if (made->what == GD_SIM_DO_INCR) {
        at->input = gd_sim_value_number(1);
    } else if (writes) {
        at->input = gd_sim_value_text(to, made->input, strlen(made->input));
    }
    if (made->what == GD_SIM_DO_CAS && made->old[0] != '\0') {
        at->old = gd_sim_value_text(to, made->old, strlen(made->old));
    }
    at->output = made->output_kind == GD_SIM_VALUE_TEXT
                     ? gd_sim_value_text(to, made->output, strlen(made->output))
                     : (struct gd_sim_value){.kind = made->output_kind, .number = made->number};
    if (open) {
        at->output = (struct gd_sim_value){.kind = GD_SIM_VALUE_NOTHING};
    }
}

static void record_one(const struct operation *op, unsigned number, struct gd_sim_record *to)
{
    size_t at = gd_sim_record_call(to, number + 1, "operation", op->call);
    to->operations[at].txn = op->count > 1;
    for (unsigned k = 0; k < op->count; k++) {
        record_step(&op->steps[k], op->open, to);
    }
    gd_sim_record_return(to, at, op->open ? GD_SIM_FATE_OPEN : GD_SIM_FATE_DONE, op->back);
}

static void record(const struct history *history, struct gd_sim_record *to)
{
    *to = (struct gd_sim_record){0};
    for (unsigned i = 0; i < history->count; i++) {
        record_one(&history->ops[i], i, to);
        to->operations[i].session = history->ops[i].session;
    }
}

static int disagree(const struct gd_sim_record *made, uint64_t seed, uint64_t nth, const char *what)
{
    struct gd_bytes bytes = {0};
    gd_sim_record_print(made, &bytes);
    (void)fprintf(stderr, "seed %llu, history %llu: %s\n%.*s", (unsigned long long)seed,
                  (unsigned long long)nth, what, (int)bytes.size, (const char *)bytes.data);
    gd_bytes_release(&bytes);
    return 1;
}

/* What the checker says, by all of its ways or by the search alone. Its order is played again. */
static enum gd_lin_verdict judge(const struct gd_sim_record *made, bool ordered,
                                 enum gd_lin_way way, enum gd_lin_path *path, const char **what)
{
    struct gd_lin_kv_options options = {.ordered = ordered, .way = way};
    options.limits.steps = 300000;
    struct gd_lin_kv answer;
    enum gd_lin_verdict verdict;

    gd_lin_kv_check(made, &options, &answer);
    verdict = answer.verdict;
    *path = answer.parts[0].result.path;
    for (size_t i = 0; i < answer.part_count && verdict == GD_LIN_LEGAL; i++) {
        if (!gd_lin_kv_replay(made, &answer.parts[i])) {
            *what = "the order found is none";
        }
    }
    gd_lin_kv_release(&answer);
    return verdict;
}

/* The same history by call, judged while it comes. */
static enum gd_lin_verdict judge_stream(const struct history *history)
{
    static const struct gd_lin_limits limits = {.steps = 0};
    struct gd_sim_record made = {0};
    struct gd_lin_stream *stream = gd_lin_stream_new(&made, &limits);
    enum gd_lin_verdict verdict = GD_LIN_LEGAL;
    char why[256];
    bool added[OPERATIONS_MAX] = {false};

    for (unsigned n = 0; n < history->count && verdict == GD_LIN_LEGAL; n++) {
        unsigned least = OPERATIONS_MAX, next = UINT32_MAX;
        for (unsigned i = 0; i < history->count; i++) {
            bool first = least == OPERATIONS_MAX || history->ops[i].call < history->ops[least].call;
            least = !added[i] && first ? i : least;
        }
        added[least] = true;
        record_one(&history->ops[least], least, &made);
        for (unsigned i = 0; i < history->count; i++) {
            next = !added[i] && history->ops[i].call < next ? history->ops[i].call : next;
        }
        if (next != UINT32_MAX) {
            verdict = gd_lin_stream_known(stream, next, why, sizeof why);
        }
    }
    verdict = verdict == GD_LIN_LEGAL ? gd_lin_stream_end(stream, why, sizeof why) : verdict;
    gd_lin_stream_free(stream);
    gd_sim_record_release(&made);
    return verdict;
}

static const char *check_one(const struct history *history, struct gd_sim_record *made, bool *right,
                             enum gd_lin_path *path)
{
    const struct states nothing = {.text = {""}};
    enum gd_lin_path scrap;
    const char *what = NULL;

    record(history, made);
    *right = brute(history, (1u << history->count) - 1, &nothing);
    enum gd_lin_verdict verdict = judge(made, history->ordered, GD_LIN_WAY_USUAL, path, &what);
    enum gd_lin_verdict searched =
        judge(made, history->ordered, GD_LIN_WAY_SEARCH_ALONE, &scrap, &what);
    if (what == NULL &&
        judge(made, history->ordered, GD_LIN_WAY_ALL_FIRST, path, &what) != verdict) {
        what = *right ? "it is legal, all asked" : "it is illegal, all asked";
    }
    if (what == NULL && verdict != (*right ? GD_LIN_LEGAL : GD_LIN_ILLEGAL)) {
        what = *right ? "it is legal" : "it is illegal";
    }
    if (what == NULL && searched != verdict) {
        what = *right ? "it is legal, by search" : "it is illegal, by search";
    }
    if (what == NULL && !history->ordered && history->keys == 1 &&
        judge_stream(history) != verdict) {
        what = *right ? "it is legal, as a stream" : "it is illegal, as a stream";
    }
    return what;
}

/* ---------------------------------------------------------------- every small history */

static const struct {
    enum gd_sim_do what;
    const char *input, *old, *output; /* `output` "": nothing. */
    enum gd_sim_value_kind kind;
    bool open;
} kinds[] = {
    {GD_SIM_DO_READ, "", "", "", GD_SIM_VALUE_NOTHING, false},
    {GD_SIM_DO_READ, "", "", "a", GD_SIM_VALUE_TEXT, false},
    {GD_SIM_DO_READ, "", "", "b", GD_SIM_VALUE_TEXT, false},
    {GD_SIM_DO_WRITE, "a", "", "", GD_SIM_VALUE_NOTHING, false},
    {GD_SIM_DO_WRITE, "b", "", "", GD_SIM_VALUE_NOTHING, false},
    {GD_SIM_DO_WRITE, "b", "", "", GD_SIM_VALUE_NOTHING, true},
    {GD_SIM_DO_CAS, "b", "a", "", GD_SIM_VALUE_TRUE, false},
    {GD_SIM_DO_CAS, "b", "a", "", GD_SIM_VALUE_FALSE, false},
    {GD_SIM_DO_DELETE, "", "", "", GD_SIM_VALUE_TRUE, false},
    {GD_SIM_DO_DELETE, "", "", "", GD_SIM_VALUE_NOTHING, true},
    {GD_SIM_DO_SETNX, "a", "", "", GD_SIM_VALUE_TRUE, false},
    {GD_SIM_DO_APPEND, "b", "", "", GD_SIM_VALUE_NOTHING, false},
    {GD_SIM_DO_READ, "", "", "ab", GD_SIM_VALUE_TEXT, false},
};

/* Of what is done, in arrangement number `pattern`; false when there is none of that number. Calls
 * come in the order of the operations; return k goes to one of the 2k + 1 places behind its call.
 */
static bool arrange(struct history *history, unsigned long pattern)
{
    unsigned line[2 * OPERATIONS_MAX], size = 0;

    for (unsigned i = history->count; i-- > 0;) { /* From the last: its call goes in front. */
        unsigned at = (unsigned)(pattern % (size + 1));
        pattern /= size + 1;
        memmove(line + at + 2, line + at, (size - at) * sizeof *line);
        memmove(line + 1, line, at * sizeof *line);
        line[0] = i;
        line[at + 1] = i + OPERATIONS_MAX;
        size += 2;
    }
    for (unsigned k = 0; k < size; k++) {
        struct operation *op = &history->ops[line[k] % OPERATIONS_MAX];
        *(line[k] < OPERATIONS_MAX ? &op->call : &op->back) = k;
    }
    return pattern == 0;
}

static int check_all(unsigned count, unsigned kind_count)
{
    unsigned long tried = 0, legal = 0, choices = 1;
    struct history history = {.count = count, .keys = 1};

    for (unsigned i = 0; i < count; i++) {
        choices *= kind_count;
    }
    for (unsigned long choice = 0; choice < choices; choice++) {
        unsigned long rest = choice;
        for (unsigned i = 0; i < count; i++, rest /= kind_count) {
            struct operation *op = &history.ops[i];
            struct made *made = &op->steps[0];
            *op = (struct operation){.count = 1, .open = kinds[rest % kind_count].open};
            made->what = kinds[rest % kind_count].what;
            made->output_kind = kinds[rest % kind_count].kind;
            (void)snprintf(made->input, sizeof made->input, "%s", kinds[rest % kind_count].input);
            (void)snprintf(made->old, sizeof made->old, "%s", kinds[rest % kind_count].old);
            (void)snprintf(made->output, sizeof made->output, "%s",
                           kinds[rest % kind_count].output);
        }
        for (unsigned long pattern = 0; arrange(&history, pattern); pattern++) {
            struct gd_sim_record made;
            enum gd_lin_path path;
            bool right;
            const char *what = check_one(&history, &made, &right, &path);
            if (what != NULL) {
                return disagree(&made, choice, pattern, what);
            }
            gd_sim_record_release(&made);
            tried++;
            legal += right ? 1 : 0;
        }
    }
    (void)printf("%lu histories of %u operations, %u kinds: %lu legal\n", tried, count, kind_count,
                 legal);
    return 0;
}

static void set_append(struct operation *op, const char *input, unsigned call, unsigned told)
{
    *op = (struct operation){.count = 1, .open = told == 0, .call = call, .back = call + 1};
    op->steps[0].what = GD_SIM_DO_APPEND;
    (void)snprintf(op->steps[0].input, sizeof op->steps[0].input, "%s", input);
    op->steps[0].output_kind = told == 0 ? GD_SIM_VALUE_NOTHING : GD_SIM_VALUE_NUMBER;
    op->steps[0].number = told;
}

/* What chance makes seldom: two lost appends that nobody sees, of which the later alone gives the
 * length that is told. */
static const char *check_lengths(void)
{
    static struct history history;
    struct gd_sim_record made;
    enum gd_lin_path path;
    bool right;
    history.count = 3;
    history.keys = 1;
    set_append(&history.ops[0], "aa", 1, 0);
    set_append(&history.ops[1], "b", 3, 0);
    set_append(&history.ops[2], "c", 10, 2);
    const char *what = check_one(&history, &made, &right, &path);
    gd_sim_record_release(&made);
    return what == NULL && !right ? "brute force finds no order" : what;
}

/* Of longer histories: what must be legal, and what the ways of the checker must agree on. */
static const char *check_long(const struct history *history, const struct gd_sim_record *made,
                              bool right, uint64_t *undecided)
{
    enum gd_lin_path path;
    const char *what = NULL;
    enum gd_lin_verdict verdict = judge(made, history->ordered, GD_LIN_WAY_USUAL, &path, &what);
    enum gd_lin_verdict searched =
        judge(made, history->ordered, GD_LIN_WAY_SEARCH_ALONE, &path, &what);
    enum gd_lin_verdict all = judge(made, history->ordered, GD_LIN_WAY_ALL_FIRST, &path, &what);
    if (what == NULL && right &&
        (verdict == GD_LIN_ILLEGAL || searched == GD_LIN_ILLEGAL || all == GD_LIN_ILLEGAL)) {
        what = "it is legal";
    }
    if (verdict == GD_LIN_INCONCLUSIVE || searched == GD_LIN_INCONCLUSIVE ||
        all == GD_LIN_INCONCLUSIVE) {
        *undecided += 1;
    } else if (what == NULL && (verdict != searched || verdict != all)) {
        what = "the ways of the checker differ";
    }
    return what;
}

static int check_many_long(uint64_t histories, uint64_t seed)
{
    uint64_t undecided = 0;
    struct gd_prng prng;
    gd_prng_init(&prng, seed);
    for (uint64_t nth = 0; nth < histories; nth++) {
        static struct history history;
        struct gd_sim_record made;
        bool right = draw(&prng, &history, true);
        record(&history, &made);
        const char *what = check_long(&history, &made, right, &undecided);
        if (what != NULL) {
            return disagree(&made, seed, nth, what);
        }
        gd_sim_record_release(&made);
    }
    (void)printf("%llu long histories from seed %llu: %llu undecided\n",
                 (unsigned long long)histories, (unsigned long long)seed,
                 (unsigned long long)undecided);
    return undecided * 50 > histories ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "long") == 0) {
        return check_many_long(argc > 2 ? strtoull(argv[2], NULL, 10) : 10000,
                               argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    }
    if (argc == 4 && strcmp(argv[1], "all") == 0) {
        unsigned count = (unsigned)atoi(argv[2]), some = (unsigned)atoi(argv[3]);
        return count < 1 || count > 6 || some < 1 || some > GD_COUNT(kinds)
                   ? 2
                   : check_all(count, some);
    }
    uint64_t histories = argc > 1 ? strtoull(argv[1], NULL, 10) : 40000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    uint64_t legal = 0, told[2] = {0};
    struct gd_prng prng;
    const char *wrong = check_lengths();
    if (wrong != NULL) {
        (void)fprintf(stderr, "lengths that are told: %s\n", wrong);
        return 1;
    }

    gd_prng_init(&prng, seed);
    for (uint64_t nth = 0; nth < histories; nth++) {
        static struct history history;
        struct gd_sim_record made;
        enum gd_lin_path path;
        bool right;
        (void)draw(&prng, &history, false);
        const char *what = check_one(&history, &made, &right, &path);
        if (what != NULL) {
            return disagree(&made, seed, nth, what);
        }
        legal += right ? 1 : 0;
        told[right ? 1 : 0] += path == GD_LIN_PATH_BLOCKS ? 1 : 0;
        gd_sim_record_release(&made);
    }
    (void)printf(
        "%llu histories from seed %llu: %llu legal; blocks told %llu legal, %llu illegal\n",
        (unsigned long long)histories, (unsigned long long)seed, (unsigned long long)legal,
        (unsigned long long)told[1], (unsigned long long)told[0]);
    return 0;
}
