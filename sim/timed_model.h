/* timed_model.h - what keys with a time may hold, as far as answers tell.
 *
 * A few keys that one client alone writes, so that no search is needed: their commands take effect
 * in the order in which that client asked them. What nobody can know is the time. Each command was
 * carried out at some time between two bounds (`now`), and so a key's deadline lies between two
 * bounds, too; where both are compatible with the key being there still and being gone, both are
 * kept as possible. An answer takes away what does not fit it, and narrows deadlines. If nothing is
 * left, the answer was wrong. */
#ifndef GANDALF_SIM_TIMED_MODEL_H
#define GANDALF_SIM_TIMED_MODEL_H
#include "sim/reply.h"

#define GD_SIM_TIMED_KEYS 2u
#define GD_SIM_TIMED_TEXT 64u
#define GD_SIM_TIMED_STATES 16u
#define GD_SIM_TIMED_NEVER INT64_MAX

enum gd_sim_timed_verb {
    GD_SIM_TIMED_SET, /* Also of several keys, or with a time in front. */
    GD_SIM_TIMED_SETNX,
    GD_SIM_TIMED_GETSET,
    GD_SIM_TIMED_GETDEL,
    GD_SIM_TIMED_GETEX,
    GD_SIM_TIMED_INCRBY,
    GD_SIM_TIMED_APPEND,
    GD_SIM_TIMED_SETRANGE, /* From the first byte on. */
    GD_SIM_TIMED_DEL,
    GD_SIM_TIMED_PERSIST,
    GD_SIM_TIMED_EXPIRE,
    GD_SIM_TIMED_RENAME,
    GD_SIM_TIMED_COPY, /* Over what is there. */
    GD_SIM_TIMED_GET,
    GD_SIM_TIMED_STRLEN,
    GD_SIM_TIMED_EXISTS,
    GD_SIM_TIMED_TTL,        /* What is left. */
    GD_SIM_TIMED_EXPIRETIME, /* When it is over. */
    GD_SIM_TIMED_VERB_COUNT
};
enum gd_sim_timed_time {
    GD_SIM_TIMED_NO_TIME,
    GD_SIM_TIMED_KEEP, /* The key's old one. */
    GD_SIM_TIMED_PERSISTS,
    GD_SIM_TIMED_IN, /* `ms` from now. */
    GD_SIM_TIMED_AT  /* `ms` since 1970. */
};
/* Of SET: that the key is there; of EXPIRE: that it has a time. */
enum gd_sim_timed_condition { GD_SIM_TIMED_ALWAYS, GD_SIM_TIMED_IF, GD_SIM_TIMED_UNLESS };
struct gd_sim_timed_command {
    enum gd_sim_timed_verb verb;
    unsigned key, to; /* `to`: of RENAME and COPY. */
    enum gd_sim_timed_time time;
    enum gd_sim_timed_condition condition;
    bool seconds; /* The unit of `ms` when it is sent, or of the answer. */
    bool many;    /* SET: as MSET. */
    int64_t ms, amount;
    char text[16]; /* The value; terminated. */
};

struct gd_sim_timed_cell {
    bool there;
    int64_t least_ms, most_ms; /* The deadline's bounds, both NEVER if there is none. */
    char text[GD_SIM_TIMED_TEXT];
    size_t size;
};
struct gd_sim_timed_state {
    struct gd_sim_timed_cell cells[GD_SIM_TIMED_KEYS];
};
struct gd_sim_timed_states { /* Any one of them. */
    struct gd_sim_timed_state all[GD_SIM_TIMED_STATES];
    size_t count;
    bool lost; /* There are too many, or values are too long: nothing is known. */
};
struct gd_sim_timed_now {
    int64_t least_ms, most_ms;
};

/* No key is there. */
void gd_sim_timed_init(struct gd_sim_timed_states *states);
/* All keys went: surely, or possibly. */
void gd_sim_timed_wipe(struct gd_sim_timed_states *states, bool surely);
/* `command` was carried out at a time within `now`, and answered by `reply` (NULL: nobody knows).
 * False: it cannot have been; `states` is then as it was. */
bool gd_sim_timed_step(struct gd_sim_timed_states *states,
                       const struct gd_sim_timed_command *command, struct gd_sim_timed_now now,
                       const struct gd_sim_reply *reply);
/* For people: what key `key` may hold. */
void gd_sim_timed_say(const struct gd_sim_timed_states *states, unsigned key,
                      struct gd_bytes *bytes);
#endif
