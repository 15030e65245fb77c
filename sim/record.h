/* record.h - what the clients of one run did and saw.
 *
 * Lives outside every simulated process, in memory of its own. At the end of a run it is turned
 * into a history for the checker, and on demand into the file format of histories. */
#ifndef GANDALF_SIM_RECORD_H
#define GANDALF_SIM_RECORD_H
#include "engine/bytes.h"

enum gd_sim_do {
    GD_SIM_DO_READ,
    GD_SIM_DO_WRITE,
    GD_SIM_DO_APPEND,
    GD_SIM_DO_CAS,
    GD_SIM_DO_DELETE,
    GD_SIM_DO_SETNX,
    GD_SIM_DO_SWAP,
    GD_SIM_DO_TAKE,
    GD_SIM_DO_INCR,
    GD_SIM_DO_TXN
};
enum gd_sim_value_kind {
    GD_SIM_VALUE_NOTHING, /* null: an absent value, or nothing given or returned. */
    GD_SIM_VALUE_TEXT,
    GD_SIM_VALUE_NUMBER,
    GD_SIM_VALUE_TRUE,
    GD_SIM_VALUE_FALSE,
    GD_SIM_VALUE_ERROR
};
struct gd_sim_value {
    enum gd_sim_value_kind kind;
    uint32_t known; /* TEXT: its number among the record's texts, equal ones having the same; 0: of
                       no record. */
    union {
        int64_t number;
        uint64_t hash; /* TEXT: of it (text_hash.h). */
    };
    const char *text; /* Owned by the record; terminated. */
    size_t size;
};
struct gd_sim_known_text {
    const char *text; /* In the record's memory. */
    size_t size;
    uint64_t hash; /* text_hash.h */
};
struct gd_sim_step { /* What is done to one key. */
    enum gd_sim_do what;
    unsigned key;                   /* "k<key>" */
    struct gd_sim_value input, old; /* `old`: cas alone. */
    struct gd_sim_value output;
};
enum gd_sim_fate {
    GD_SIM_FATE_OPEN, /* No answer: the outcome is unknown. */
    GD_SIM_FATE_DONE,
    GD_SIM_FATE_NO_EFFECT /* The answer says that it certainly had none. */
};
struct gd_sim_operation {
    uint64_t client;
    uint64_t session; /* Operations of one session take effect in their order; 0: none. */
    enum gd_sim_fate fate;
    gd_time_ns call, back;         /* `back` with DONE and NO_EFFECT. */
    bool txn;                      /* A transaction of all its steps; else there is one step. */
    size_t first, count;           /* Its steps. */
    struct gd_slice input, output; /* Of a database with a model of its own: what it was told and
                                      what it said; owned by the record. */
    unsigned node;                 /* Asked last; for people. */
    const char *name;              /* The command; static. */
};

struct gd_sim_record {
    struct gd_sim_operation *operations; /* Owned. */
    size_t operation_count, operation_capacity;
    struct gd_sim_step *steps; /* Owned. */
    size_t step_count, step_capacity;
    char **key_names; /* Owned, each of them too; NULL: key 3 is "k3". */
    size_t key_name_count, key_name_capacity;
    char **chunks; /* Owned, each of them too: what texts and slices are kept in. */
    size_t chunk_count, chunk_capacity;
    char *chunk_next; /* In the newest for small ones, where `chunk_left` bytes are free. */
    size_t chunk_left;
    struct gd_sim_known_text *known; /* Owned: by number; [0] is not used. */
    size_t known_count, known_capacity;
    uint32_t *known_index; /* Owned: hash table of numbers. */
    size_t known_index_capacity;
    unsigned flights; /* So many numbers beside each other are one client's, who asks on while
                         answers are out; 0: each is a client. */
    uint64_t done_count, unknown_count, refused_count;
};
void gd_sim_record_release(struct gd_sim_record *record);
/* Begins an operation; its number. Steps are added to the newest operation alone. */
size_t gd_sim_record_call(struct gd_sim_record *record, uint64_t client, const char *name,
                          gd_time_ns now);
/* The step is borrowed until the next is added. */
struct gd_sim_step *gd_sim_record_step(struct gd_sim_record *record, enum gd_sim_do what,
                                       unsigned key);
void gd_sim_record_return(struct gd_sim_record *record, size_t operation, enum gd_sim_fate fate,
                          gd_time_ns now);
/* A key of that name (of `size` bytes) is added; its number. */
unsigned gd_sim_record_key(struct gd_sim_record *record, const char *name, size_t size);
/* "k3", or the name it was given, cut to `size`. */
void gd_sim_record_key_text(const struct gd_sim_record *record, unsigned key, char *to,
                            size_t size);
/* A copy that the record owns. */
struct gd_slice gd_sim_record_keep(struct gd_sim_record *record, struct gd_slice bytes);
struct gd_sim_value gd_sim_value_text(struct gd_sim_record *record, const void *text, size_t size);
struct gd_sim_value gd_sim_value_number(int64_t number);
struct gd_sim_value gd_sim_value_bool(bool value);
/* The client of an operation, for people. */
uint64_t gd_sim_record_client(const struct gd_sim_record *record,
                              const struct gd_sim_operation *operation);
/* For people: cut when it is long. */
void gd_sim_value_say(struct gd_bytes *bytes, const struct gd_sim_value *value);
/* One operation, with at least a step, as a line of the format of histories. */
void gd_sim_record_print_one(const struct gd_sim_record *record, size_t operation,
                             struct gd_bytes *bytes);
/* All as the format of histories has it, JSON lines. */
void gd_sim_record_print(const struct gd_sim_record *record, struct gd_bytes *bytes);
#endif
