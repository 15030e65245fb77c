/* shrink.c - the least plan that violates the same property.
 *
 * A smaller plan is kept when it still violates the very property that the first one did; anything
 * else, another property too, sends it back. First what makes every run shorter: the tail behind
 * the violation, operations, clients, nodes, by a few large steps. Then whole classes of faults,
 * then halves, quarters, single faults (delta debugging: Zeller and Hildebrandt, Simplifying and
 * Isolating Failure-Inducing Input, 2002), then fewer nodes, clients, operations, then each
 * parameter back to its default. The passes repeat until a round changes nothing or the time is up.
 *
 * A race that is lost in one of a thousand runs is lost no more once anything is taken away: less
 * happens, the dice fall otherwise, and every fault seems to be needed. So when a round changes
 * nothing and more than a story's faults are left, the smaller plan is tried with other seeds, too.
 * Which one is kept stands in the plan.
 *
 * At the end numbers become round ones, since a plan is read as a story, and 4s says less than
 * 3.917s does and so more. Each run is a process of its own, so that crashes shrink like everything
 * else. */
#include "sim/shrink.h"
#include "sim/apart.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { STORY_FAULTS = 3, OTHER_SEEDS = 12 };

struct shrink {
    struct gd_sim_plan best, tried;
    struct gd_sim_result result; /* Of `best`; all of them violate the same property. */
    const struct gd_sim_shrink_options *options;
    uint64_t end;
    size_t runs;
    unsigned run_limit_s;
    unsigned other_seeds; /* That a plan is tried with besides its own. */
};

static bool time_is_up(const struct shrink *shrink)
{
    return gd_sim_real_ns() >= shrink->end;
}

/* Does `tried` do it too, with one of its seeds? */
static bool does_it(struct shrink *shrink, struct gd_sim_result *result)
{
    /* Less of everything seldom needs much longer to go wrong; one that died tells no events. */
    uint64_t events = shrink->result.events > 0 ? 2 * shrink->result.events + 5000 : 0;
    uint64_t own = shrink->tried.seed;
    for (unsigned i = 0; i <= shrink->other_seeds && !time_is_up(shrink); i++) {
        shrink->tried.seed = own + i;
        gd_sim_run_apart(&shrink->tried, shrink->run_limit_s, events, result);
        shrink->runs++;
        if (result->outcome == GD_SIM_FAIL &&
            strcmp(result->property, shrink->result.property) == 0) {
            return true;
        }
    }
    return false;
}

/* When `tried` does it too it is the best. */
static bool keep_if_same(struct shrink *shrink, const char *what)
{
    struct gd_sim_result result;
    if (shrink->options->pick != NULL) { /* What its text says, since its text is what is kept. */
        shrink->tried.database = shrink->options->pick(&shrink->tried);
    }
    if (!does_it(shrink, &result)) {
        return false;
    }
    shrink->best = shrink->tried;
    shrink->result = result;
    if (shrink->options->progress != NULL) {
        (void)fprintf(shrink->options->progress, "shrink: %s: %zu faults left, run %zu\n", what,
                      shrink->best.fault_count, shrink->runs);
    }
    return true;
}

static void drop_faults(struct gd_sim_plan *plan, size_t from, size_t count)
{
    memmove(&plan->faults[from], &plan->faults[from + count],
            (plan->fault_count - from - count) * sizeof plan->faults[0]);
    plan->fault_count -= count;
    memset(&plan->faults[plan->fault_count], 0, count * sizeof plan->faults[0]);
}

/* Faults of nodes that are not there any more. */
static void drop_strangers(struct gd_sim_plan *plan)
{
    unsigned total = gd_sim_plan_total(plan);
    for (size_t i = plan->fault_count; i-- > 0;) {
        struct gd_sim_fault *fault = &plan->faults[i];
        bool grouped = gd_sim_fault_forms[fault->kind].aim == GD_SIM_AIM_GROUP;
        fault->group &= (UINT32_C(1) << total) - 1;
        if (fault->node > total || (grouped && fault->group == 0)) {
            drop_faults(plan, i, 1);
        }
    }
}

static bool shrink_classes(struct shrink *shrink)
{
    bool changed = false;
    for (unsigned tried = 0; tried < GD_SIM_CLASS_COUNT; tried++) {
        shrink->tried = shrink->best;
        for (size_t i = shrink->tried.fault_count; i-- > 0;) {
            if (gd_sim_fault_forms[shrink->tried.faults[i].kind].class_ == tried) {
                drop_faults(&shrink->tried, i, 1);
            }
        }
        if (shrink->tried.fault_count < shrink->best.fault_count) {
            changed |= keep_if_same(shrink, gd_sim_class_text((enum gd_sim_class)tried));
        }
    }
    return changed;
}

static bool shrink_faults(struct shrink *shrink)
{
    bool changed = false;
    for (size_t size = shrink->best.fault_count; size > 0; size /= 2) {
        for (size_t end = shrink->best.fault_count; end >= size && end > 0;) {
            end = end > shrink->best.fault_count ? shrink->best.fault_count : end;
            if (end < size) {
                break;
            }
            shrink->tried = shrink->best;
            drop_faults(&shrink->tried, end - size, size);
            changed |= keep_if_same(shrink, "faults");
            end -= size;
        }
    }
    return changed;
}

/* Lowers a parameter by halves toward its least. */
static bool shrink_number(struct shrink *shrink, size_t place, uint64_t least, const char *what)
{
    bool changed = false;
    uint64_t step = *gd_sim_parameter_at(&shrink->best, place) - least;
    while (step > 0 && !time_is_up(shrink)) {
        uint64_t now = *gd_sim_parameter_at(&shrink->best, place);
        if (now < least + step) {
            step /= 2;
            continue;
        }
        shrink->tried = shrink->best;
        *gd_sim_parameter_at(&shrink->tried, place) = now - step;
        drop_strangers(&shrink->tried);
        if (keep_if_same(shrink, what)) {
            changed = true;
        } else {
            step /= 2;
        }
    }
    return changed;
}

static const struct {
    size_t offset;
    uint64_t least;
} sizes[] = {{offsetof(struct gd_sim_plan, nodes), 1},
             {offsetof(struct gd_sim_plan, spares), 0},
             {offsetof(struct gd_sim_plan, clients), 1},
             {offsetof(struct gd_sim_plan, operations), 1},
             {offsetof(struct gd_sim_plan, keys), 1}};

static size_t place_of(size_t offset)
{
    size_t place = 0;
    while (gd_sim_parameters[place].offset != offset) {
        place++;
    }
    return place;
}

static bool shrink_sizes(struct shrink *shrink)
{
    bool changed = false;
    for (size_t i = 0; i < GD_COUNT(sizes); i++) {
        size_t place = place_of(sizes[i].offset);
        if (*gd_sim_parameter_at(&shrink->best, place) > sizes[i].least) {
            changed |= shrink_number(shrink, place, sizes[i].least, gd_sim_parameters[place].name);
        }
    }
    return changed;
}

/* A few large steps before all the small ones: no fault at all; a quarter of the operations, half
 * of the clients, three nodes. What they bring makes each later run shorter. */
static void leap(struct shrink *shrink)
{
    static const struct {
        size_t offset;
        uint64_t of, floor;
    } leaps[] = {{offsetof(struct gd_sim_plan, operations), 4, 20},
                 {offsetof(struct gd_sim_plan, operations), 2, 20},
                 {offsetof(struct gd_sim_plan, clients), 2, 1},
                 {offsetof(struct gd_sim_plan, nodes), 2, 3}};
    shrink->tried = shrink->best;
    drop_faults(&shrink->tried, 0, shrink->tried.fault_count);
    (void)keep_if_same(shrink, "all faults");
    for (size_t i = 0; i < GD_COUNT(leaps); i++) {
        size_t place = place_of(leaps[i].offset);
        uint64_t now = *gd_sim_parameter_at(&shrink->best, place);
        uint64_t wanted = now / leaps[i].of > leaps[i].floor ? now / leaps[i].of : leaps[i].floor;
        if (wanted < now) {
            shrink->tried = shrink->best;
            *gd_sim_parameter_at(&shrink->tried, place) = wanted;
            drop_strangers(&shrink->tried);
            (void)keep_if_same(shrink, gd_sim_parameters[place].name);
        }
    }
}

/* Do the parameters agree with each other, as a plan that is read must? */
static bool agree(const struct gd_sim_plan *plan)
{
    return plan->election_timeout >= 2 * plan->heartbeat &&
           plan->net_latency_min <= plan->net_latency_max &&
           plan->disk_latency_min <= plan->disk_latency_max &&
           plan->disk_sync_min <= plan->disk_sync_max && gd_sim_plan_times_fit(plan);
}

static bool shrink_parameters(struct shrink *shrink)
{
    bool changed = false;
    for (size_t i = 0; i < gd_sim_parameter_count; i++) {
        const struct gd_sim_parameter *row = &gd_sim_parameters[i];
        uint64_t now = *gd_sim_parameter_at(&shrink->best, i);
        bool sized = row->offset == offsetof(struct gd_sim_plan, nodes) ||
                     row->offset == offsetof(struct gd_sim_plan, spares) ||
                     row->offset == offsetof(struct gd_sim_plan, clients) ||
                     row->offset == offsetof(struct gd_sim_plan, operations) ||
                     row->offset == offsetof(struct gd_sim_plan, keys) ||
                     row->offset == offsetof(struct gd_sim_plan, duration);
        if (sized || now == row->preset) {
            continue;
        }
        shrink->tried = shrink->best;
        *gd_sim_parameter_at(&shrink->tried, i) = row->preset;
        if (agree(&shrink->tried)) {
            changed |= keep_if_same(shrink, row->name);
        }
    }
    return changed;
}

/* What comes after the violation plays no part in it, unless the end of the run does. */
static bool shrink_tail(struct shrink *shrink)
{
    gd_time_ns last = shrink->best.fault_count > 0
                          ? shrink->best.faults[shrink->best.fault_count - 1].at +
                                shrink->best.faults[shrink->best.fault_count - 1].for_
                          : 0;
    const gd_time_ns ends[] = {last + GD_SIM_S, shrink->result.at + GD_SIM_S,
                               shrink->best.duration / 2, shrink->best.duration * 3 / 4};
    bool changed = false;
    for (size_t i = 0; i < GD_COUNT(ends); i++) {
        gd_time_ns end = ends[i] - ends[i] % (GD_SIM_S / 10);
        if (end < GD_SIM_S || end >= shrink->best.duration) {
            continue;
        }
        shrink->tried = shrink->best;
        shrink->tried.duration = end;
        while (shrink->tried.fault_count > 0 &&
               shrink->tried.faults[shrink->tried.fault_count - 1].at > end) {
            drop_faults(&shrink->tried, shrink->tried.fault_count - 1, 1);
        }
        changed |= keep_if_same(shrink, "duration");
    }
    return changed;
}

/* ---------------------------------------------------------------- round numbers */

/* The nearest multiple of `unit` above 0. */
static uint64_t rounded(uint64_t value, uint64_t unit)
{
    uint64_t times = (value + unit / 2) / unit;
    return (times > 0 ? times : 1) * unit;
}

static void round_parameters(struct shrink *shrink)
{
    for (size_t i = 0; i < gd_sim_parameter_count; i++) {
        const struct gd_sim_parameter *row = &gd_sim_parameters[i];
        uint64_t now = *gd_sim_parameter_at(&shrink->best, i);
        uint64_t base = row->unit == GD_SIM_BYTES ? 2 : 10;
        uint64_t unit = 1;
        while (now / unit >= base) {
            unit *= base;
        }
        uint64_t wanted = rounded(now, unit);
        if (now == row->preset || wanted == now || wanted < row->least || wanted > row->most) {
            continue;
        }
        shrink->tried = shrink->best;
        *gd_sim_parameter_at(&shrink->tried, i) = wanted;
        if (agree(&shrink->tried)) {
            (void)keep_if_same(shrink, row->name);
        }
    }
}

/* Whole seconds, or else tenths. Faults keep their order. */
static void round_times(struct shrink *shrink)
{
    static const gd_time_ns units[] = {GD_SIM_S, GD_SIM_S / 10};
    for (size_t i = 0; i < shrink->best.fault_count; i++) {
        for (size_t k = 0; k < GD_COUNT(units); k++) {
            const struct gd_sim_fault *fault = &shrink->best.faults[i];
            gd_time_ns at = rounded(fault->at, units[k]);
            gd_time_ns before = i > 0 ? fault[-1].at : 0;
            gd_time_ns after = i + 1 < shrink->best.fault_count ? fault[1].at : UINT64_MAX;
            shrink->tried = shrink->best;
            shrink->tried.faults[i].at = at;
            if (at == fault->at || (at >= before && at <= after && keep_if_same(shrink, "times"))) {
                break;
            }
        }
        for (size_t k = 0; k < GD_COUNT(units); k++) {
            gd_time_ns span = shrink->best.faults[i].for_;
            shrink->tried = shrink->best;
            shrink->tried.faults[i].for_ = rounded(span, units[k]);
            if (span == 0 || span == shrink->tried.faults[i].for_ ||
                keep_if_same(shrink, "times")) {
                break;
            }
        }
    }
}

/* Until a round changes nothing. */
static void shrink_whole(struct shrink *shrink)
{
    bool changed = true;
    while (changed && !time_is_up(shrink)) {
        changed = shrink_tail(shrink);
        changed |= shrink_classes(shrink);
        changed |= shrink_faults(shrink);
        changed |= shrink_sizes(shrink);
        changed |= shrink_parameters(shrink);
    }
}

size_t gd_sim_shrink(struct gd_sim_plan *plan, struct gd_sim_result *result,
                     const struct gd_sim_shrink_options *options)
{
    struct shrink *shrink = calloc(1, sizeof *shrink); /* Two plans: too large for a stack. */
    GD_ASSERT(shrink != NULL);
    shrink->best = *plan;
    shrink->options = options;
    shrink->end = gd_sim_real_ns() + options->limit_s * GD_SIM_S;
    shrink->run_limit_s = 20;
    shrink->result = *result;
    (void)shrink_tail(shrink);
    leap(shrink);
    shrink_whole(shrink);
    if (shrink->best.fault_count > STORY_FAULTS) {
        shrink->other_seeds = OTHER_SEEDS;
        shrink_whole(shrink);
        shrink->other_seeds = 0;
    }
    round_times(shrink);
    round_parameters(shrink);
    *plan = shrink->best;
    *result = shrink->result;
    size_t runs = shrink->runs;
    free(shrink);
    return runs;
}
