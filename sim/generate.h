/* generate.h - histories whose verdict is known: legal by the way they are made, or with one
 * violation of a chosen kind planted among legal operations. */
#ifndef GANDALF_SIM_GENERATE_H
#define GANDALF_SIM_GENERATE_H
#include "sim/record.h"

enum gd_sim_violation {
    GD_SIM_VIOLATION_NONE,
    GD_SIM_VIOLATION_STALE_READ,        /* Of a value that was overwritten before the read began. */
    GD_SIM_VIOLATION_FUTURE_READ,       /* Of a value whose write had not begun. */
    GD_SIM_VIOLATION_NEVER_WRITTEN,     /* Of a value that nobody wrote. */
    GD_SIM_VIOLATION_LOST_UPDATE,       /* Two INCRs, one after the other, with one result. */
    GD_SIM_VIOLATION_DOUBLE_APPEND,     /* One append, seen twice. */
    GD_SIM_VIOLATION_RESURRECTED,       /* A deleted value, read after the delete. */
    GD_SIM_VIOLATION_CAS_TWICE,         /* Two cas of one value, both done. */
    GD_SIM_VIOLATION_SPLIT_TRANSACTION, /* One half of a transaction seen before the other. */
    GD_SIM_VIOLATION_STALE_AMONG /* As STALE_READ, but a read among the others is changed, in the
                                    middle of the busiest of keys. Values must be unique. */
};
enum gd_sim_shape {
    GD_SIM_SHAPE_MIXED,   /* Clients at work on their keys. */
    GD_SIM_SHAPE_OVERLAP, /* Writes that all overlap, each value read; one read too late if
                             violated. */
    GD_SIM_SHAPE_UNKNOWN  /* Writes of unknown outcome, and reads; a stale one if violated. */
};
struct gd_sim_generate_options {
    uint64_t seed;
    enum gd_sim_shape shape;
    enum gd_sim_violation violation; /* With the other shapes: anything but NONE is theirs. */
    unsigned clients, keys;          /* 1 or more. */
    size_t operations;               /* 1 or more. */
    unsigned weights[GD_SIM_DO_TXN]; /* By enum gd_sim_do; all 0: reads 6, writes 4. */
    unsigned unknown_permille;       /* Of those that are not reads. */
    unsigned values;                 /* Written values are drawn from so many; 0: each is unique. */
};
/* Adds to an empty record. */
void gd_sim_generate(const struct gd_sim_generate_options *options, struct gd_sim_record *record);
/* The command, with the words behind it. Returns the exit status. */
int gd_sim_generate_command(int count, char **words);
#endif
