#include "sim/story.h"
#include "sim/picture_find.h"
#include "sim/workload_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct seen { /* Of one node, and since when. */
    bool down, leads;
    gd_time_ns down_since, leads_since;
    gd_term term;
};
struct gd_sim_story {
    const struct gd_sim_plan *plan;
    const struct gd_sim_cluster *cluster;
    struct seen nodes[GD_SIM_NODES_MAX + 1];
    struct gd_sim_picture picture; /* Its spans grow as the run goes on. */
};

struct gd_sim_story *gd_sim_story_new(const struct gd_sim_plan *plan,
                                      const struct gd_sim_cluster *cluster)
{
    struct gd_sim_story *story = calloc(1, sizeof *story);
    GD_ASSERT(story != NULL);
    story->plan = plan;
    story->cluster = cluster;
    gd_sim_picture_init(&story->picture, NULL);
    return story;
}

void gd_sim_story_free(struct gd_sim_story *story)
{
    if (story != NULL) {
        gd_sim_picture_release(&story->picture);
        free(story);
    }
}

static void add_span(struct gd_sim_story *story, unsigned lane, gd_time_ns from, gd_time_ns to,
                     const char *kind, char *text)
{
    struct gd_sim_picture_span span = {lane, from, to, kind, text};
    gd_sim_picture_add_span(&story->picture, &span);
}

static void end_leading(struct gd_sim_story *story, unsigned id, gd_time_ns now)
{
    char text[64];
    struct seen *seen = &story->nodes[id];
    if (seen->leads) {
        (void)snprintf(text, sizeof text, "leader of term %" PRIu64, seen->term);
        add_span(story, id, seen->leads_since, now, "leader", text);
    }
    seen->leads = false;
}

static void end_down(struct gd_sim_story *story, unsigned id, gd_time_ns now)
{
    char text[] = "down";
    struct seen *seen = &story->nodes[id];
    if (seen->down) {
        add_span(story, id, seen->down_since, now, "down", text);
    }
    seen->down = false;
}

void gd_sim_story_look(struct gd_sim_story *story)
{
    gd_time_ns now = gd_sim_cluster_now(story->cluster);
    for (unsigned id = 1; id <= gd_sim_plan_total(story->plan); id++) {
        struct seen *seen = &story->nodes[id];
        struct gd_node *node = gd_sim_cluster_node(story->cluster, id);
        const struct gd_raft *raft = node != NULL ? gd_node_raft(node) : NULL;
        bool leads = raft != NULL && gd_raft_role(raft) == GD_ROLE_LEADER;
        if (seen->leads && (!leads || gd_raft_term(raft) != seen->term)) {
            end_leading(story, id, now);
        }
        if (leads && !seen->leads) {
            seen->leads = true;
            seen->leads_since = now;
            seen->term = gd_raft_term(raft);
        }
        if (node != NULL) {
            end_down(story, id, now);
        } else if (!seen->down) {
            seen->down = true;
            seen->down_since = now;
        }
    }
}

/* As a plan has it, without its time: the place tells that. */
static void add_fault(struct gd_sim_story *story, const struct gd_sim_struck *struck)
{
    struct gd_bytes text = {0};
    const struct gd_sim_fault_form *form = &gd_sim_fault_forms[struck->fault->kind];
    gd_sim_fault_print(struck->fault, &text);
    text.data[text.size - 1] = '\0'; /* Its newline. */
    char *words = strstr((char *)text.data, form->name);
    GD_ASSERT(words != NULL);
    add_span(story, form->aim == GD_SIM_AIM_NODE ? struck->target : 0, struck->from, struck->to,
             gd_sim_class_text(form->class_), words);
    gd_bytes_release(&text);
}

bool gd_sim_story_write(struct gd_sim_story *story, const struct gd_sim_faults *faults,
                        const struct gd_sim_record *record, const struct gd_sim_result *result,
                        const char *name, const char *file)
{
    struct gd_sim_picture *picture = &story->picture;
    struct gd_sim_struck struck;
    char title[300];
    bool is_file = strpbrk(name, "./") != NULL;
    gd_time_ns now = gd_sim_cluster_now(story->cluster);
    for (unsigned id = 1; id <= gd_sim_plan_total(story->plan); id++) {
        end_leading(story, id, now);
        end_down(story, id, now);
    }
    for (size_t i = 0; gd_sim_faults_struck_at(faults, i, &struck); i++) {
        if (struck.fault != NULL) {
            add_fault(story, &struck);
        }
    }
    (void)snprintf(title, sizeof title, "%s%s", is_file ? "" : "seed ", name);
    picture->record = record;
    picture->name = title;
    picture->flights = FLIGHTS_MAX;
    picture->outcome = result->outcome;
    picture->property = result->property;
    picture->text = result->text;
    picture->lanes = gd_sim_plan_total(story->plan);
    picture->failed = result->outcome == GD_SIM_FAIL ? result->at : 0;
    gd_sim_picture_find(picture, GD_SIM_VERDICT_ORDERED);
    if (picture->turning != GD_SIM_PICTURE_NOBODY) {
        picture->failed = 0; /* The history is what is wrong, and it says when. */
    }
    return gd_sim_picture_write(picture, file);
}
