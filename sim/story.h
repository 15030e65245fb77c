/* story.h - what befell the nodes of one run, remembered for its picture: who was down, who led,
 * which faults were in force. It only looks: a run with a story is event for event the same. */
#ifndef GANDALF_SIM_STORY_H
#define GANDALF_SIM_STORY_H
#include "sim/cluster.h"
#include "sim/faults.h"
#include "sim/run.h"

struct gd_sim_story;
/* `plan` and `cluster` are borrowed while the story lives. */
struct gd_sim_story *gd_sim_story_new(const struct gd_sim_plan *plan,
                                      const struct gd_sim_cluster *cluster);
void gd_sim_story_free(struct gd_sim_story *story);
/* After each event. */
void gd_sim_story_look(struct gd_sim_story *story);
/* The run has ended with `result`: its picture, into `file`. False with errno when that failed. */
bool gd_sim_story_write(struct gd_sim_story *story, const struct gd_sim_faults *faults,
                        const struct gd_sim_record *record, const struct gd_sim_result *result,
                        const char *name, const char *file);
#endif
