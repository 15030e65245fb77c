/* verdict.c - the checker's answer on a run's record; see verdict.h and linearize_kv.h. */
#include "sim/verdict.h"
#include "sim/linearize_kv.h"
#include <stdio.h>

#define STEPS_MAX 4000000 /* Of one search: there is no clock in a simulation. */

static void tell(const struct gd_lin_kv_part *part, char *text, size_t size)
{
    const char *why = part->why == NULL ? "" : part->why;
    if (part->states != NULL) {
        (void)snprintf(text, size, "%s; before it the key held %s", why, part->states);
    } else {
        (void)snprintf(text, size, "%s", why);
    }
}

enum gd_sim_outcome gd_sim_verdict(const struct gd_sim_record *record,
                                   enum gd_sim_verdict_kind kind, char *text, size_t size)
{
    static const enum gd_sim_outcome outcomes[] = {GD_SIM_PASS, GD_SIM_FAIL, GD_SIM_INCONCLUSIVE};
    struct gd_lin_kv_options options = {.ordered = kind == GD_SIM_VERDICT_ORDERED,
                                        .limits = {.steps = STEPS_MAX}};
    struct gd_lin_kv answer;
    gd_lin_kv_check(record, &options, &answer);
    for (size_t i = 0; i < answer.part_count; i++) {
        if (answer.parts[i].judged && answer.parts[i].result.verdict == answer.verdict) {
            tell(&answer.parts[i], text, size);
        }
    }
    enum gd_sim_outcome outcome = outcomes[answer.verdict];
    gd_lin_kv_release(&answer);
    return outcome;
}
