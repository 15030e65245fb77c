/* checks.h - what must hold after every event, whatever went wrong.
 *
 * The properties are the Raft paper's (Figure 3), and what gandalf promises on top. The checker
 * looks at one node after each of that node's events and compares it with what it knows of all
 * others: it holds a shadow of every log, of what is committed, and of what is durable. Reasons,
 * and how each is kept cheap: checks.c. */
#ifndef GANDALF_SIM_CHECKS_H
#define GANDALF_SIM_CHECKS_H
#include "engine/node.h"
#include "sim/plan.h"

struct gd_sim_checks;
/* `property` is a short name that stays the same while a plan is shrunk; `text` says what exactly,
 * in words. Both borrowed. */
typedef void gd_sim_violated_fn(void *context, const char *property, const char *text);
/* What node `id`'s monotonic clock shows now. */
typedef gd_time_ns gd_sim_clock_fn(void *context, unsigned id);
/* Has its disk something under way? */
typedef bool gd_sim_busy_fn(void *context, unsigned id);
struct gd_sim_checks *gd_sim_checks_new(const struct gd_sim_plan *plan,
                                        gd_sim_violated_fn *violated, gd_sim_clock_fn *clock,
                                        gd_sim_busy_fn *busy, void *context);
void gd_sim_checks_free(struct gd_sim_checks *checks);
/* Node `id` has run. `node` may be one that has not opened its log yet. */
void gd_sim_checks_after(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node);
/* Node `from`, whose Raft is `raft` (NULL: not restored yet), puts a frame for `to` on the wire: is
 * what it says true? */
void gd_sim_checks_sent(struct gd_sim_checks *checks, unsigned from, unsigned to,
                        const struct gd_raft *raft, struct gd_slice frame);
/* Node `to` has read a frame of `from`, and has not done anything yet. */
void gd_sim_checks_told(struct gd_sim_checks *checks, unsigned from, unsigned to,
                        struct gd_slice frame);
/* The index of the newest snapshot of node `id`, if it has taken that one itself; else 0. */
gd_index gd_sim_checks_took(const struct gd_sim_checks *checks, unsigned id);
/* Node `id` is gone. What was durable must come back. */
void gd_sim_checks_gone(struct gd_sim_checks *checks, unsigned id);
/* The disk of `id` is damaged: what it held need not come back. With `wiped` none of it is there,
 * and nothing else may suffer from that. */
void gd_sim_checks_damaged(struct gd_sim_checks *checks, unsigned id, bool wiped);
/* Node `id` is about to start on a damaged disk, on which a record says that all up to `lsn` were
 * durable (witness.h). 0: it may read something else. */
void gd_sim_checks_witnessed(struct gd_sim_checks *checks, unsigned id, uint64_t lsn);
/* Node `id` stopped, since it is no member any more. */
void gd_sim_checks_dismissed(struct gd_sim_checks *checks, unsigned id, const char *error);
/* Node `id` answered an operator's order as done: is it? */
void gd_sim_checks_ordered(struct gd_sim_checks *checks, unsigned id, const char *command);
/* NULL, or why the promises need not hold in this run: damage took what a majority rested on. */
const char *gd_sim_checks_premise(const struct gd_sim_checks *checks);
/* All that run have stopped changing: are their states the same? */
void gd_sim_checks_equal(struct gd_sim_checks *checks, struct gd_node *const *nodes);
/* The newest configuration known to be committed; empty before there is one. */
const struct gd_config *gd_sim_checks_members(const struct gd_sim_checks *checks);
/* The highest index known to be committed. */
gd_index gd_sim_checks_committed(const struct gd_sim_checks *checks);
/* Times that a leader was elected; entries committed. */
uint64_t gd_sim_checks_elections(const struct gd_sim_checks *checks);
#endif
