/* unique.h - what texts that only one operation can make tell of a part of a history. */
#ifndef GANDALF_SIM_UNIQUE_H
#define GANDALF_SIM_UNIQUE_H
#include "sim/record.h"

#define GD_SIM_UNIQUE_LENGTHS_MAX 16

enum gd_sim_unique_kind {
    GD_SIM_UNIQUE_OTHER,
    GD_SIM_UNIQUE_UNSEEN, /* A write whose text nobody compares with anything: see U3. */
    GD_SIM_UNIQUE_DELETE,
    GD_SIM_UNIQUE_KINDS
};
struct gd_sim_unique_text;
struct gd_sim_unique_fact { /* Of one operation. */
    gd_time_ns back;        /* It took effect by then; UINT64_MAX: not known. */
    const char *need;       /* Borrowed from the record: the text it must find; NULL: not known. */
    size_t need_size;
    enum gd_sim_unique_kind kind; /* Alike are those of one kind, if nobody knows their outcome. */
};
struct gd_sim_unique {
    const struct gd_sim_record *record; /* Borrowed. */
    struct gd_sim_unique_text *texts;   /* Owned: hash table. */
    size_t capacity;
    struct gd_sim_unique_fact *facts;          /* Owned: a place for each operation given. */
    size_t lengths[GD_SIM_UNIQUE_LENGTHS_MAX]; /* Of what is appended. */
    size_t length_count;
    size_t input_lengths[GD_SIM_UNIQUE_LENGTHS_MAX]; /* Of what is written. */
    size_t input_length_count;
    bool many_lengths, many_input_lengths, has_incr, has_length;
};
/* `operations`: all of a part, numbers of the record's. Released before it is found anew. */
void gd_sim_unique_find(struct gd_sim_unique *unique, const struct gd_sim_record *record,
                        const size_t *operations, size_t count);
void gd_sim_unique_release(struct gd_sim_unique *unique);
/* Can the part put this text there once at most? */
bool gd_sim_unique_once(const struct gd_sim_unique *unique, const char *text, size_t size);
uint64_t gd_sim_unique_hash(const char *text, size_t size);
#endif
