/* inspect.h - what is in a data directory, and whether it is sound. Nothing is changed.
 *
 * Two looks. One reads every segment and snapshot by itself, so that a damaged directory still
 * tells what it holds, and where it is damaged. The other is a start's own recovery, in a world
 * that takes no writes: its verdict is the one that counts. */
#ifndef GANDALF_ENGINE_INSPECT_H
#define GANDALF_ENGINE_INSPECT_H
#include "engine/offline.h"
#include "engine/wal.h"

struct gd_inspect_segment {
    char name[32];
    uint64_t size;        /* Of the file. */
    uint64_t used;        /* Bytes up to the end of the last whole record. */
    uint64_t dirty;       /* Bytes behind it that are neither records nor zeros. */
    uint64_t records;     /* Whole, their checksums right. */
    uint64_t entries;     /* Of them. */
    gd_index first, last; /* The first and the last entry's index; 0: none. */
    bool header;          /* It has one: a spare has none. */
};
struct gd_inspect_snapshot {
    char name[64];
    uint64_t size;
    struct gd_snapshot_meta meta; /* Of a header that could be read. */
    enum gd_err err;              /* GD_OK: every checksum is right. */
    uint64_t offset;              /* Of the damage. */
};

#define GD_INSPECT_PROBLEMS 16
struct gd_inspect {
    bool empty;  /* No log. */
    bool sound;  /* A node would start, and everything in the directory has its right checksum. */
    bool usable; /* A node would start, as far as files can tell. */
    struct gd_wal_identity identity;
    struct gd_hard_state hard_state;
    struct gd_position last;     /* The last entry, or what the log begins behind. */
    struct gd_position before;   /* In front of the first entry. */
    uint64_t entry_count;        /* In the log. */
    uint64_t cut_size;           /* Bytes of a torn tail that a start would drop. */
    struct gd_position snapshot; /* The newest usable one. */
    struct gd_config config;     /* The last one in the log, or the snapshot's. */
    gd_index config_index;
    struct gd_inspect_segment *segments; /* Owned; rising. */
    size_t segment_count;
    struct gd_inspect_snapshot *snapshots; /* Owned; as named. */
    size_t snapshot_count;
    struct gd_error problems[GD_INSPECT_PROBLEMS];
    size_t problem_count; /* May be above GD_INSPECT_PROBLEMS: the rest is not told. */
};

/* GD_OK whatever is wrong with what is in the directory; else it could not be read at all. */
GD_MUST_CHECK enum gd_err gd_inspect(const struct gd_offline *offline, struct gd_inspect *inspect,
                                     struct gd_error *error);
void gd_inspect_release(struct gd_inspect *inspect);
/* For people, and one line of JSON. `directory` is how it was named. */
void gd_inspect_text(const struct gd_inspect *inspect, const char *directory,
                     struct gd_bytes *text);
void gd_inspect_json(const struct gd_inspect *inspect, const char *directory,
                     struct gd_bytes *json);
#endif
