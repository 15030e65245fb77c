/* The checker against brute force: every order of small random histories is tried, by code that
 * shares nothing with the checker.
 *
 *     test_brute [HISTORIES [SEED]]      40000 and 1 when not given
 *
 * A history is made from a hidden order, so about half are legal; in the others an output, or a
 * time, is changed. */
#include "engine/prng.h"
#include "sim/verdict.h"
#include "sim/zones.h"
#include <stdio.h>
#include <stdlib.h>

#define OPERATIONS_MAX 7

struct made {
    enum gd_sim_do what;
    char input[16], old[16], output[128]; /* "" in `old` and `output`: nothing. */
    enum gd_sim_value_kind output_kind;
    int64_t number;
    bool open;
    unsigned call, back;
};
struct history {
    struct made ops[OPERATIONS_MAX];
    unsigned count;
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

/* Every order, by plain recursion. */
static bool brute(const struct history *history, unsigned left, const char *state)
{
    bool must = false;
    for (unsigned i = 0; i < history->count; i++) {
        must = must || ((left >> i & 1) != 0 && !history->ops[i].open);
    }
    if (!must) {
        return true;
    }
    for (unsigned i = 0; i < history->count; i++) {
        const struct made *op = &history->ops[i];
        struct made gave = {.number = 0};
        char next[128];
        bool first = (left >> i & 1) != 0;
        for (unsigned k = 0; k < history->count && first; k++) {
            first =
                (left >> k & 1) == 0 || history->ops[k].open || history->ops[k].back >= op->call;
        }
        if (!first) {
            continue;
        }
        step(op, state, &gave, next);
        if ((op->open || agrees(op, &gave)) &&
            brute(history, left & ~(1u << i), next[0] == '\0' ? NULL : next)) {
            return true;
        }
    }
    return false;
}

static void draw_operation(struct gd_prng *prng, struct history *history, unsigned i, bool plain,
                           bool unique)
{
    struct made *op = &history->ops[i];
    const struct made *other = &history->ops[gd_prng_below(prng, i + 1)];

    op->what = plain ? (enum gd_sim_do)gd_prng_below(prng, 2)
                     : (enum gd_sim_do)gd_prng_below(prng, GD_SIM_DO_TXN);
    if (unique) {
        (void)snprintf(op->input, sizeof op->input, "%c%u", gd_prng_chance(prng, 1, 9) ? '1' : 'v',
                       i);
    } else {
        (void)snprintf(op->input, sizeof op->input, "%c", "ab1"[gd_prng_below(prng, 3)]);
    }
    if (op->what == GD_SIM_DO_CAS && gd_prng_chance(prng, 3, 4)) {
        memmove(op->old, other->input, sizeof op->old);
    }
}

static void draw(struct gd_prng *prng, struct history *history)
{
    bool plain = gd_prng_chance(prng, 1, 4), unique = gd_prng_chance(prng, 2, 3);
    unsigned spread = (unsigned)gd_prng_between(prng, 1, 12);
    char state[128] = "", next[128];

    *history = (struct history){.count = (unsigned)gd_prng_between(prng, 2, OPERATIONS_MAX)};
    for (unsigned i = 0; i < history->count; i++) {
        struct made *op = &history->ops[i];
        unsigned point = 20 + 4 * i;
        draw_operation(prng, history, i, plain, unique);
        op->call = point - (unsigned)gd_prng_below(prng, spread + 1);
        op->back = point + (unsigned)gd_prng_below(prng, spread + 1);
        step(op, state[0] == '\0' ? NULL : state, op, next);
        op->open = gd_prng_chance(prng, 1, 8);
        if (!op->open || gd_prng_chance(prng, 1, 2)) {
            memcpy(state, next, sizeof state);
        }
        if ((op->what == GD_SIM_DO_DELETE || op->what == GD_SIM_DO_APPEND) &&
            gd_prng_chance(prng, 1, 2)) {
            op->output_kind = GD_SIM_VALUE_NOTHING;
        }
    }
    if (gd_prng_chance(prng, 2, 3)) {
        struct made *op = &history->ops[gd_prng_below(prng, history->count)];
        const struct made *other = &history->ops[gd_prng_below(prng, history->count)];
        if (op->output_kind == GD_SIM_VALUE_TEXT) {
            (void)snprintf(op->output, sizeof op->output, "%s",
                           gd_prng_chance(prng, 1, 6) ? "zz" : other->input);
        } else if (op->output_kind == GD_SIM_VALUE_TRUE || op->output_kind == GD_SIM_VALUE_FALSE) {
            op->output_kind =
                op->output_kind == GD_SIM_VALUE_TRUE ? GD_SIM_VALUE_FALSE : GD_SIM_VALUE_TRUE;
        } else {
            op->back = op->call + (unsigned)gd_prng_below(prng, 3);
        }
    }
}

static void record(const struct history *history, struct gd_sim_record *to)
{
    *to = (struct gd_sim_record){0};
    for (unsigned i = 0; i < history->count; i++) {
        const struct made *op = &history->ops[i];
        size_t number = gd_sim_record_call(to, i + 1, "operation", op->call);
        struct gd_sim_step *at = gd_sim_record_step(to, op->what, 0);
        bool writes = op->what != GD_SIM_DO_READ && op->what != GD_SIM_DO_TAKE &&
                      op->what != GD_SIM_DO_DELETE;
        if (op->what == GD_SIM_DO_INCR) {
            at->input = gd_sim_value_number(1);
        } else if (writes) {
            at->input = gd_sim_value_text(to, op->input, strlen(op->input));
        }
        if (op->what == GD_SIM_DO_CAS && op->old[0] != '\0') {
            at->old = gd_sim_value_text(to, op->old, strlen(op->old));
        }
        at->output = op->output_kind == GD_SIM_VALUE_TEXT
                         ? gd_sim_value_text(to, op->output, strlen(op->output))
                         : (struct gd_sim_value){.kind = op->output_kind, .number = op->number};
        if (op->open) {
            at->output = (struct gd_sim_value){.kind = GD_SIM_VALUE_NOTHING};
        }
        gd_sim_record_return(to, number, op->open ? GD_SIM_FATE_OPEN : GD_SIM_FATE_DONE, op->back);
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

/* The order of zones.c, replayed by the state machine above. */
static bool replays(const struct history *history, const size_t *order, size_t count)
{
    char state[128] = "", next[128];
    unsigned now = 0;
    for (size_t k = 0; k < count; k++) {
        const struct made *op = &history->ops[order[k]];
        struct made gave = {.number = 0};
        now = op->call > now ? op->call : now;
        step(op, state[0] == '\0' ? NULL : state, &gave, next);
        if (!op->open && (now > op->back || !agrees(op, &gave))) {
            return false;
        }
        memcpy(state, next, sizeof state);
    }
    return true;
}

int main(int argc, char **argv)
{
    uint64_t histories = argc > 1 ? strtoull(argv[1], NULL, 10) : 40000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    uint64_t legal = 0, quick[3] = {0};
    struct gd_prng prng;

    gd_prng_init(&prng, seed);
    for (uint64_t nth = 0; nth < histories; nth++) {
        struct history history;
        struct gd_sim_record made;
        char why[1024] = "", told[1024] = "";
        size_t all[OPERATIONS_MAX], order[OPERATIONS_MAX], count = 0, placed;
        draw(&prng, &history);
        record(&history, &made);
        for (size_t i = 0; i < history.count; i++) {
            if (!history.ops[i].open || history.ops[i].what != GD_SIM_DO_READ) {
                all[count++] = i;
            }
        }
        bool right = brute(&history, (1u << history.count) - 1, NULL);
        enum gd_sim_zones zones =
            gd_sim_zones(&made, all, count, order, &placed, told, sizeof told);
        enum gd_sim_outcome outcome =
            gd_sim_verdict(&made, GD_SIM_VERDICT_FOREIGN, why, sizeof why);
        legal += right ? 1 : 0;
        quick[zones]++;
        if (zones != GD_SIM_ZONES_OPEN && right != (zones == GD_SIM_ZONES_LEGAL)) {
            return disagree(&made, seed, nth, told[0] != '\0' ? told : "zones say legal");
        }
        if (zones == GD_SIM_ZONES_LEGAL && !replays(&history, order, placed)) {
            return disagree(&made, seed, nth, "the order found is none");
        }
        if (outcome != (right ? GD_SIM_PASS : GD_SIM_FAIL)) {
            return disagree(&made, seed, nth, why[0] != '\0' ? why : "the verdict says legal");
        }
        gd_sim_record_release(&made);
    }
    (void)printf("%llu histories from seed %llu: %llu legal; zones told %llu legal, %llu illegal\n",
                 (unsigned long long)histories, (unsigned long long)seed, (unsigned long long)legal,
                 (unsigned long long)quick[GD_SIM_ZONES_LEGAL],
                 (unsigned long long)quick[GD_SIM_ZONES_ILLEGAL]);
    return 0;
}
