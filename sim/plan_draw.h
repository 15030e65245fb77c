/* plan_draw.h - what the parts of the drawing of plans share. */
#ifndef GANDALF_SIM_PLAN_DRAW_H
#define GANDALF_SIM_PLAN_DRAW_H
#include "engine/prng.h"
#include "sim/plan.h"

/* Each draws from a stream of its own. */
enum part {
    PART_CLUSTER = 1,
    PART_NODE,
    PART_WORKLOAD,
    PART_MIX,
    PART_NET,
    PART_DISK,
    PART_CLOCK,
    PART_CLASSES,
    PART_CLASS,                                       /* and the class behind it */
    PART_VICTIM = PART_CLASS + GD_SIM_CLASS_DATABASE, /* Where it was before that class came. */
    PART_TOGETHER = 100,
    PART_DATABASE = 200, /* and behind it its class, and SQLite */
    PART_VERSIONS = 300,
    PART_LOST,
    PART_SPARES,
    PART_FAVOURITES,
    PART_QUIET,
    PART_LULLS,
    PART_LATE,
    PART_UNEVEN,
    PART_ODD,
    PART_FAIL,
    PART_TIMES,
    PART_TIMED,
    PART_FLUSH,
    PART_UNTIL = 400,
    PART_CHANGES,
    PART_OFFERS,
    PART_FOLLOW_UP,
    PART_REIGNS,
    PART_TRANSFERS,
    PART_LINES,
    PART_NARROW,
    PART_DATABASE_MOMENTS,
    PART_DEPARTURES,
    PART_HASTE,
    PART_CALM,
    PART_ALONE,
    PART_FAR,
    PART_EVEN,
    PART_SLOW_KINDS
};

struct gd_prng gd_sim__stream(uint64_t seed, unsigned part);
/* As likely in each octave from `low` (above 0) to `high`. */
uint64_t gd_sim__draw_log(struct gd_prng *prng, uint64_t low, uint64_t high);
/* How long an operation of a disk takes at most, while it is not struck. */
gd_time_ns gd_sim__longest_operation(const struct gd_sim_plan *plan);
/* Whom a fault strikes. */
void gd_sim__draw_role(struct gd_prng *prng, const struct gd_sim_plan *plan,
                       struct gd_sim_fault *fault);
/* One of the few that may be damaged, or removed (D1 in plan_draw.c). */
unsigned gd_sim__draw_victim(struct gd_prng *prng, const struct gd_sim_plan *plan);
/* What a fault of its kind needs besides time and target; some kinds have a target of their own. */
void gd_sim__draw_details(struct gd_prng *prng, const struct gd_sim_plan *plan,
                          struct gd_sim_fault *fault);
/* One of the class; GD_SIM_FAULT_KIND_COUNT: this cluster has none of it. */
enum gd_sim_fault_kind gd_sim__draw_kind(struct gd_prng *prng, const struct gd_sim_plan *plan,
                                         enum gd_sim_class class_);
/* Puts it in where its time is, if there is room. */
void gd_sim__insert_fault(struct gd_sim_plan *plan, const struct gd_sim_fault *fault);

/* plan_moments.c: moments at which things meet. `members`: operators change the cluster. `alone`:
 * one kind of them, and there surely is one. */
void gd_sim__draw_moments(struct gd_sim_plan *plan, bool members, bool alone);
void gd_sim__draw_database_moments(struct gd_sim_plan *plan);
#endif
