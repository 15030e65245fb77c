/* picture.h - a history as one page for people: who did what when, and in which order it can have
 * happened, or why it cannot.
 *
 * The page (sim/page/) stands alone: no script, style or font from elsewhere. It is given what is
 * known here and no more; who calls decides what that is. */
#ifndef GANDALF_SIM_PICTURE_H
#define GANDALF_SIM_PICTURE_H
#include "sim/record.h"
#include "sim/run.h"

#define GD_SIM_PICTURE_NOBODY SIZE_MAX
/* A page with more operations than this shows those around what is wrong, and says so. */
#define GD_SIM_PICTURE_OPERATIONS_MAX 250000

/* Operations in the order found for them, all of keys that are judged together. */
struct gd_sim_picture_order {
    size_t *operations; /* Owned: numbers of the record's. */
    size_t count;
    size_t stuck; /* Which of them all fits nowhere behind these; NOBODY: the order is complete. */
    char *why;    /* Owned: why it does not fit, in words; NULL: nothing is known. */
};
/* Who cannot be placed, with a few words each: "returned what was overwritten". */
struct gd_sim_picture_culprit {
    size_t operation;
    char *role; /* Owned; NULL: none. */
};
/* Something that lasted, in a band above the clients. */
struct gd_sim_picture_span {
    unsigned lane; /* 0: all of the cluster; else the node. */
    gd_time_ns from, to;
    const char *kind; /* A class of faults, "down", "leader"; static. */
    char *text;       /* Owned. */
};
struct gd_sim_picture {
    const struct gd_sim_record *record; /* Borrowed. */
    const char *name;                   /* Borrowed: the file, or the seed. */
    enum gd_sim_outcome outcome;
    const char *property; /* Borrowed; NULL: linearizability. */
    const char *text;     /* Borrowed: the explanation; "": none. */
    const char *method;   /* Borrowed: how it was decided; NULL: not said. */
    /* Owned lists; see gd_sim_picture_release. */
    struct gd_sim_picture_order *orders;
    size_t order_count, order_capacity;
    struct gd_sim_picture_culprit *culprits;
    size_t culprit_count, culprit_capacity;
    struct gd_sim_picture_span *spans;
    size_t span_count, span_capacity;
    unsigned lanes;    /* Nodes with a lane of spans, of a run that began at 0; 0: no band. */
    size_t turning;    /* With whose return the history becomes illegal; NOBODY: not known. */
    unsigned flights;  /* Numbers that each client has, for its requests in flight: lanes are by
                          this many; 0: by each number. */
    gd_time_ns failed; /* When a run was found to be wrong; 0: that is not known. */
};

/* All empty, with `turning` nobody. */
void gd_sim_picture_init(struct gd_sim_picture *picture, const struct gd_sim_record *record);
void gd_sim_picture_release(struct gd_sim_picture *picture);
/* Room for `count` operations, to be filled; borrowed until the next is added. */
struct gd_sim_picture_order *gd_sim_picture_add_order(struct gd_sim_picture *picture, size_t count);
/* Each `text` is copied. */
void gd_sim_picture_add_culprit(struct gd_sim_picture *picture, size_t operation, const char *role);
void gd_sim_picture_add_span(struct gd_sim_picture *picture,
                             const struct gd_sim_picture_span *span);
/* Adds the page to `to`. */
void gd_sim_picture_page(const struct gd_sim_picture *picture, struct gd_bytes *to);
/* Writes the page; false with errno when that failed. */
bool gd_sim_picture_write(const struct gd_sim_picture *picture, const char *file);
#endif
