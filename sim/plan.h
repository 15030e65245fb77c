/* plan.h - what one run does: the cluster, the workload, the world's manners, and each fault.
 *
 * A plan is a value: seed -> plan (gd_sim_plan_draw), text -> plan (gd_sim_plan_parse), plan ->
 * text (gd_sim_plan_print). Printing and parsing are inverse. The text is for people: a line a
 * thing, only what differs from the defaults, comments behind '#', times such as 1.250s. The
 * language is described in docs/plan.md. */
#ifndef GANDALF_SIM_PLAN_H
#define GANDALF_SIM_PLAN_H
#include "engine/bytes.h"

#define GD_SIM_NODES_MAX 9 /* Members at the start and those that join later. */
#define GD_SIM_FAULTS_MAX 512
/* So many requests a client has open at the most: in a burst, or where it hangs, since what is owed
 * to it must outgrow all buffers. */
#define GD_SIM_ASKED_AT_ONCE 64
#define GD_SIM_CLIENTS_MAX 64

/* A parameter's unit, for printing and parsing. */
enum gd_sim_unit {
    GD_SIM_COUNT, /* A plain number. */
    GD_SIM_BYTES, /* The same; 4KiB and 1MiB are understood and printed. */
    GD_SIM_TIME,  /* ns inside; 1.250s in text. */
    GD_SIM_PPM,   /* Chances and drifts: parts per million. */
    GD_SIM_FLAG   /* yes or no. */
};

#define GD_SIM_MS UINT64_C(1000000)
#define GD_SIM_S UINT64_C(1000000000)
#define GD_SIM_US UINT64_C(1000)

/* X(field, name in text, unit, default, least, most). The defaults are a calm world in which
 * nothing goes wrong: what a plan says is what is special about it. */
#define GD_SIM_PARAMETERS(X)                                                                       \
    X(nodes, "nodes", GD_SIM_COUNT, 3, 1, 7)                                                       \
    X(spares, "spares", GD_SIM_COUNT, 0, 0, 2)                                                     \
    X(duration, "duration", GD_SIM_TIME, 60 * GD_SIM_S, GD_SIM_MS, 3600 * GD_SIM_S)                \
    X(settle, "settle", GD_SIM_TIME, 60 * GD_SIM_S, GD_SIM_S, 3600 * GD_SIM_S)                     \
    X(grow, "settle.grow", GD_SIM_FLAG, 0, 0, 1)                                                   \
    X(asks, "settle.asks", GD_SIM_FLAG, 0, 0, 1)                                                   \
    X(lost, "settle.lost", GD_SIM_COUNT, 0, 0, 3)                                                  \
    X(quiet, "settle.quiet", GD_SIM_FLAG, 0, 0, 1)                                                 \
    X(heartbeat, "node.heartbeat", GD_SIM_TIME, 100 * GD_SIM_MS, GD_SIM_MS, 10 * GD_SIM_S)         \
    X(election_timeout, "node.election_timeout", GD_SIM_TIME, 1000 * GD_SIM_MS, 2 * GD_SIM_MS,     \
      60 * GD_SIM_S)                                                                               \
    X(request_timeout, "node.request_timeout", GD_SIM_TIME, 10 * GD_SIM_S, 10 * GD_SIM_MS,         \
      600 * GD_SIM_S)                                                                              \
    X(redirect, "node.redirect", GD_SIM_FLAG, 0, 0, 1)                                             \
    X(lease, "node.lease", GD_SIM_FLAG, 0, 0, 1)                                                   \
    X(newer, "node.newer", GD_SIM_COUNT, 0, 0, 7)                                                  \
    X(segment_size, "node.segment_size", GD_SIM_BYTES, 1 << 20, 4096, 1 << 30)                     \
    X(snapshot_log_size, "node.snapshot_log_size", GD_SIM_BYTES, 64 << 20, 256, 1 << 30)           \
    X(snapshot_log_count, "node.snapshot_log_count", GD_SIM_COUNT, 0, 0, 1000000)                  \
    X(tail_count, "node.tail_count", GD_SIM_COUNT, 10000, 1, 1000000)                              \
    X(tail_size, "node.tail_size", GD_SIM_BYTES, 16 << 20, 1, 1 << 30)                             \
    X(snapshot_chunk_size, "node.snapshot_chunk_size", GD_SIM_BYTES, 256 << 10, 64, 1 << 30)       \
    X(batch_size, "node.batch_size", GD_SIM_BYTES, 1 << 20, 64, 1 << 30)                           \
    X(window_size, "node.window_size", GD_SIM_BYTES, 8 << 20, 64, 1 << 30)                         \
    X(window_count, "node.window_count", GD_SIM_COUNT, 64, 1, 10000)                               \
    X(uncommitted_size, "node.uncommitted_size", GD_SIM_BYTES, 64 << 20, 256, 1 << 30)             \
    X(lag_size, "node.lag_size", GD_SIM_BYTES, 256 << 20, 256, 1 << 30)                            \
    X(pending_size, "node.pending_size", GD_SIM_BYTES, 256 << 20, 256, 1 << 30)                    \
    X(peer_output_size, "node.peer_output_size", GD_SIM_BYTES, 64 << 20, 1024, 1 << 30)            \
    X(session_pipeline, "node.session_pipeline", GD_SIM_COUNT, 1024, 1, 100000)                    \
    X(session_count, "node.session_count", GD_SIM_COUNT, 10000, 1, 100000)                         \
    X(session_output_size, "node.session_output_size", GD_SIM_BYTES, 256 << 20, 1024, 1 << 30)     \
    X(clients, "clients", GD_SIM_COUNT, 4, 0, GD_SIM_CLIENTS_MAX)                                  \
    X(operations, "operations", GD_SIM_COUNT, 400, 0, 1000000)                                     \
    X(operations_least, "operations.least", GD_SIM_COUNT, 0, 0, 1000000)                           \
    X(keys, "keys", GD_SIM_COUNT, 4, 1, 1000)                                                      \
    X(pipeline, "client.pipeline", GD_SIM_COUNT, 1, 1, 64)                                         \
    X(client_timeout, "client.timeout", GD_SIM_TIME, 5 * GD_SIM_S, GD_SIM_MS, 600 * GD_SIM_S)      \
    X(burst_chance, "client.burst_chance", GD_SIM_PPM, 0, 0, 1000000)                              \
    X(burst_count, "client.burst_count", GD_SIM_COUNT, 10, 1, 10000)                               \
    X(even, "client.even", GD_SIM_FLAG, 0, 0, 1)                                                   \
    X(idle_chance, "client.idle_chance", GD_SIM_PPM, 0, 0, 1000000)                                \
    X(idle_time, "client.idle_time", GD_SIM_TIME, 3 * GD_SIM_S, 0, 600 * GD_SIM_S)                 \
    X(leave_chance, "client.leave_chance", GD_SIM_PPM, 0, 0, 1000000)                              \
    X(readers, "client.readers", GD_SIM_PPM, 0, 0, 1000000)                                        \
    X(lull, "client.lull", GD_SIM_TIME, 0, 0, 600 * GD_SIM_S)                                      \
    X(lull_gap, "client.lull_gap", GD_SIM_TIME, 3 * GD_SIM_S, GD_SIM_MS, 600 * GD_SIM_S)           \
    X(deaf_chance, "client.deaf_chance", GD_SIM_PPM, 0, 0, 1000000)                                \
    X(value_size, "value.size", GD_SIM_BYTES, 16, 0, 16 << 20)                                     \
    X(value_large_chance, "value.large_chance", GD_SIM_PPM, 0, 0, 1000000)                         \
    X(value_large_size, "value.large_size", GD_SIM_BYTES, 32 << 10, 1, 16 << 20)                   \
    X(mix_get, "mix.get", GD_SIM_COUNT, 40, 0, 1000)                                               \
    X(mix_set, "mix.set", GD_SIM_COUNT, 30, 0, 1000)                                               \
    X(mix_del, "mix.del", GD_SIM_COUNT, 5, 0, 1000)                                                \
    X(mix_incr, "mix.incr", GD_SIM_COUNT, 10, 0, 1000)                                             \
    X(mix_append, "mix.append", GD_SIM_COUNT, 5, 0, 1000)                                          \
    X(mix_setnx, "mix.setnx", GD_SIM_COUNT, 3, 0, 1000)                                            \
    X(mix_getdel, "mix.getdel", GD_SIM_COUNT, 3, 0, 1000)                                          \
    X(mix_getset, "mix.getset", GD_SIM_COUNT, 3, 0, 1000)                                          \
    X(mix_mset, "mix.mset", GD_SIM_COUNT, 0, 0, 1000)                                              \
    X(mix_mget, "mix.mget", GD_SIM_COUNT, 0, 0, 1000)                                              \
    X(mix_multi, "mix.multi", GD_SIM_COUNT, 0, 0, 1000)                                            \
    X(mix_watch, "mix.watch", GD_SIM_COUNT, 0, 0, 1000)                                            \
    X(mix_expire, "mix.expire", GD_SIM_COUNT, 0, 0, 1000)                                          \
    X(mix_snap, "mix.snap", GD_SIM_COUNT, 0, 0, 1000)                                              \
    X(mix_load, "mix.load", GD_SIM_COUNT, 0, 0, 1000)                                              \
    X(mix_odd, "mix.odd", GD_SIM_COUNT, 0, 0, 1000)                                                \
    X(mix_fail, "mix.fail", GD_SIM_COUNT, 0, 0, 1000)                                              \
    X(mix_timed, "mix.timed", GD_SIM_COUNT, 0, 0, 1000)                                            \
    X(mix_flush, "mix.flush", GD_SIM_COUNT, 0, 0, 1000)                                            \
    X(mix_undone, "mix.undone", GD_SIM_COUNT, 0, 0, 1000)                                          \
    X(timed_ahead, "timed.ahead", GD_SIM_TIME, 0, 0, 100 * 86400 * GD_SIM_S)                       \
    X(net_latency_min, "net.latency_min", GD_SIM_TIME, 200 * GD_SIM_US, 0, 60 * GD_SIM_S)          \
    X(net_latency_max, "net.latency_max", GD_SIM_TIME, 2 * GD_SIM_MS, 0, 60 * GD_SIM_S)            \
    X(net_fragment, "net.fragment", GD_SIM_PPM, 0, 0, 1000000)                                     \
    X(net_coalesce, "net.coalesce", GD_SIM_PPM, 0, 0, 1000000)                                     \
    X(net_buffer, "net.buffer", GD_SIM_BYTES, 256 << 10, 256, 1 << 30)                             \
    X(net_stall, "net.stall", GD_SIM_PPM, 0, 0, 1000000)                                           \
    X(net_stall_max, "net.stall_max", GD_SIM_TIME, GD_SIM_S, 0, 60 * GD_SIM_S)                     \
    X(net_reset, "net.reset", GD_SIM_PPM, 0, 0, 1000000)                                           \
    X(net_drop, "net.drop", GD_SIM_PPM, 0, 0, 1000000)                                             \
    X(net_duplicate, "net.duplicate", GD_SIM_PPM, 0, 0, 1000000)                                   \
    X(net_reorder, "net.reorder", GD_SIM_PPM, 0, 0, 1000000)                                       \
    X(net_late, "net.late", GD_SIM_TIME, 0, 0, 60 * GD_SIM_S)                                      \
    X(net_uneven, "net.uneven", GD_SIM_COUNT, 1, 1, 1000)                                          \
    X(disk_latency_min, "disk.latency_min", GD_SIM_TIME, 50 * GD_SIM_US, 0, 60 * GD_SIM_S)         \
    X(disk_latency_max, "disk.latency_max", GD_SIM_TIME, 500 * GD_SIM_US, 0, 60 * GD_SIM_S)        \
    X(disk_sync_min, "disk.sync_min", GD_SIM_TIME, 200 * GD_SIM_US, 0, 60 * GD_SIM_S)              \
    X(disk_sync_max, "disk.sync_max", GD_SIM_TIME, 3 * GD_SIM_MS, 0, 60 * GD_SIM_S)                \
    X(disk_queue, "disk.queue", GD_SIM_COUNT, 1024, 1, 100000)                                     \
    X(disk_uneven, "disk.uneven", GD_SIM_COUNT, 1, 1, 1000)                                        \
    X(disk_torn, "disk.torn", GD_SIM_PPM, 0, 0, 1000000)                                           \
    X(disk_lost, "disk.lost", GD_SIM_PPM, 500000, 0, 1000000)                                      \
    X(clock_skew, "clock.skew", GD_SIM_TIME, 0, 0, 3600 * GD_SIM_S)                                \
    X(clock_drift, "clock.drift", GD_SIM_PPM, 0, 0, 100000)                                        \
    X(snapshot_piece_size, "database.snapshot_piece_size", GD_SIM_BYTES, 0, 0, 1 << 20)            \
    X(database_external, "database.external", GD_SIM_FLAG, 0, 0, 1)                                \
    X(database_sync, "database.sync", GD_SIM_COUNT, 0, 0, 2)                                       \
    X(database_sqlite, "database.sqlite", GD_SIM_FLAG, 0, 0, 1)

/* What a fault needs behind its name. */
enum gd_sim_aim {
    GD_SIM_AIM_NOTHING, /* The whole cluster. */
    GD_SIM_AIM_NODE,    /* A node by number or role. */
    GD_SIM_AIM_GROUP    /* Some of the nodes, by number: 1,2 against all the others. */
};
enum gd_sim_class { /* What swarm testing leaves out, or in, as a whole. */
                    GD_SIM_CLASS_PARTITION,
                    GD_SIM_CLASS_STREAM,
                    GD_SIM_CLASS_CRASH,
                    GD_SIM_CLASS_CRASH_POINT,
                    GD_SIM_CLASS_PAUSE,
                    GD_SIM_CLASS_DISK_SLOW,
                    GD_SIM_CLASS_DISK_FULL,
                    GD_SIM_CLASS_DISK_ERROR,
                    GD_SIM_CLASS_DISK_ROT,
                    GD_SIM_CLASS_CLOCK,
                    GD_SIM_CLASS_SNAPSHOT,
                    GD_SIM_CLASS_TRANSFER,
                    GD_SIM_CLASS_MEMBERSHIP,
                    GD_SIM_CLASS_DATABASE, /* Of runs with external databases alone. */
                    GD_SIM_CLASS_COUNT
};
/* X(NAME, name in text, class, aim, lasts: `for D` is wanted). Each is described in docs/plan.md.
 */
#define GD_SIM_FAULTS(X)                                                                           \
    X(ISOLATE, "isolate", PARTITION, NODE, true)                                                   \
    X(ISOLATE_IN, "isolate-in", PARTITION, NODE, true)                                             \
    X(ISOLATE_OUT, "isolate-out", PARTITION, NODE, true)                                           \
    X(SPLIT, "split", PARTITION, GROUP, true)                                                      \
    X(SPLIT_ONE_WAY, "split-one-way", PARTITION, GROUP, true)                                      \
    X(CORNER, "corner", PARTITION, NODE, true)                                                     \
    X(BRIDGE, "bridge", PARTITION, NODE, true)                                                     \
    X(RING, "ring", PARTITION, NOTHING, true)                                                      \
    X(CUT_LINK, "cut-link", PARTITION, NODE, true)                                                 \
    X(CUT_CLIENTS, "cut-clients", PARTITION, NODE, true)                                           \
    X(CLOG, "clog", STREAM, NODE, true)                                                            \
    X(LAG, "lag", STREAM, NODE, true)                                                              \
    X(LOSSY, "lossy", STREAM, NODE, true)                                                          \
    X(RESET, "reset", STREAM, NODE, false)                                                         \
    X(HALF_OPEN, "half-open", STREAM, NODE, false)                                                 \
    X(CRASH, "crash", CRASH, NODE, true)                                                           \
    X(CRASH_ALL, "crash-all", CRASH, NOTHING, true)                                                \
    X(CRASH_AT, "crash-at", CRASH_POINT, NODE, true)                                               \
    X(PAUSE, "pause", PAUSE, NODE, true)                                                           \
    X(STOP, "stop", CRASH, NODE, true)                                                             \
    X(SLOW_DISK, "slow-disk", DISK_SLOW, NODE, true)                                               \
    X(FULL_DISK, "full-disk", DISK_FULL, NODE, true)                                               \
    X(FAIL_SYNC, "fail-sync", DISK_ERROR, NODE, true)                                              \
    X(FAIL_WRITE, "fail-write", DISK_ERROR, NODE, true)                                            \
    X(FAIL_READ, "fail-read", DISK_ERROR, NODE, true)                                              \
    X(FAIL_OP, "fail-op", DISK_ERROR, NODE, true)                                                  \
    X(ROT, "rot", DISK_ROT, NODE, true)                                                            \
    X(MISDIRECT, "misdirect", DISK_ROT, NODE, true)                                                \
    X(WIPE, "wipe", DISK_ROT, NODE, true)                                                          \
    X(LOSE, "lose", DISK_ROT, NODE, true)                                                          \
    X(MISREAD, "misread", DISK_ROT, NODE, true)                                                    \
    X(CLOCK_JUMP, "clock-jump", CLOCK, NODE, false)                                                \
    X(SNAPSHOT, "snapshot", SNAPSHOT, NODE, false)                                                 \
    X(TRANSFER, "transfer", TRANSFER, NODE, false)                                                 \
    X(ADD, "add", MEMBERSHIP, NOTHING, false)                                                      \
    X(ADD_LEARNER, "add-learner", MEMBERSHIP, NOTHING, false)                                      \
    X(PROMOTE, "promote", MEMBERSHIP, NOTHING, false)                                              \
    X(REMOVE, "remove", MEMBERSHIP, NODE, false)                                                   \
    X(REPLACE, "replace", MEMBERSHIP, NODE, false)                                                 \
    X(JOIN, "join", MEMBERSHIP, NODE, false)                                                       \
    X(MOVE, "move", MEMBERSHIP, NODE, true)                                                        \
    X(DATABASE_CRASH, "database-crash", DATABASE, NODE, true)                                      \
    X(DATABASE_EMPTY, "database-empty", DATABASE, NODE, true)                                      \
    X(DATABASE_OLD, "database-old", DATABASE, NODE, true)                                          \
    X(DATABASE_PAUSE, "database-pause", DATABASE, NODE, true)                                      \
    X(DATABASE_SLOW, "database-slow", DATABASE, NODE, true)                                        \
    X(DATABASE_FLUSH, "database-flush", DATABASE, NODE, false)                                     \
    X(DATABASE_CUT, "database-cut", DATABASE, NODE, false)                                         \
    X(DATABASE_FULL, "database-full", DATABASE, NODE, true)                                        \
    X(BACKUP, "backup", SNAPSHOT, NODE, false)                                                     \
    X(MISTAKE, "mistake", MEMBERSHIP, NODE, false)                                                 \
    X(FAIL_OUTAGE, "fail-outage", DISK_ERROR, NODE, true)                                          \
    X(LIE, "lie", DISK_ERROR, NODE, true)                                                          \
    X(SPLIT_JOINT, "split-joint", PARTITION, NODE, true)
#define GD_SIM_FAULT_ENUM(name, text, class_, aim, lasts) GD_SIM_FAULT_##name,
enum gd_sim_fault_kind { GD_SIM_FAULTS(GD_SIM_FAULT_ENUM) GD_SIM_FAULT_KIND_COUNT };

/* Who is meant, looked up when the fault's time has come; a role that nobody has skips it. */
enum gd_sim_role {
    GD_SIM_ROLE_NODE,       /* `node` itself. */
    GD_SIM_ROLE_LEADER,     /* Of the highest term. */
    GD_SIM_ROLE_FOLLOWER,   /* The running follower behind the leader, by number, cyclically. */
    GD_SIM_ROLE_CANDIDATE,  /* Waits for the next one, at most as long as the fault would last. */
    GD_SIM_ROLE_RECEIVER,   /* Whoever is next to get a snapshot; waits as above. */
    GD_SIM_ROLE_RESTORED,   /* Whoever has installed one next, at that moment; waits as above. */
    GD_SIM_ROLE_ELECTED,    /* Whoever is elected next, at that moment; waits as above. */
    GD_SIM_ROLE_NEWCOMER,   /* Whoever joins, or has just become a voter; waits as above. */
    GD_SIM_ROLE_CHANGING,   /* The leader while it changes the voters; waits as above. */
    GD_SIM_ROLE_CONCLUDING, /* The leader while the last entry of such a change is not committed;
                               waits as above. */
    GD_SIM_ROLE_LEAVING,    /* Whoever learns next by its own log that it was removed, at that
                               moment; waits as above. */
    GD_SIM_ROLE_STARTED,    /* Whoever starts next, when it has read its log; waits as above. */
    GD_SIM_ROLE_SENDER,     /* The leader while it sends a snapshot; waits as above. */
    GD_SIM_ROLE_STRICKEN,   /* Whoever's disk fails at something next, at that moment; as above. */
    GD_SIM_ROLE_COUNT
};
enum gd_sim_when { GD_SIM_BEFORE, GD_SIM_HALF, GD_SIM_AFTER };

struct gd_sim_fault {
    enum gd_sim_fault_kind kind;
    gd_time_ns at;    /* From the run's start. */
    gd_time_ns for_;  /* How long at most; 0 for those that are over at once. */
    gd_time_ns later; /* So long after its target, by a role that is waited for, was there. */
    /* ROLE_NODE: it lasts as long as that. Else it is over as soon as somebody has this role, one
     * that is waited for: so that what it held up meets what somebody else is in the midst of. */
    enum gd_sim_role until;
    enum gd_sim_role role;
    unsigned node;  /* 1..; ROLE_NODE. */
    uint32_t group; /* AIM_GROUP: bit n-1 is node n. */
    /* Of some kinds only; 0 elsewhere. */
    int64_t by;     /* CLOCK_JUMP: ms, either way. LAG: ns. */
    uint64_t count; /* SLOW_DISK: times slower. LOSSY, MISREAD: ppm. CRASH_AT, FAIL_*, LIE: n-th. */
    unsigned op;    /* CRASH_AT, FAIL_OP, FAIL_OUTAGE: enum gd_disk_kind. */
    enum gd_sim_when when; /* CRASH_AT. */
};

struct gd_sim_database;
struct gd_sim_plan {
    uint64_t seed; /* All random streams of the run come from it. */
#define GD_SIM_PARAMETER_FIELD(field, name, unit, preset, least, most) uint64_t field;
    GD_SIM_PARAMETERS(GD_SIM_PARAMETER_FIELD)
    struct gd_sim_fault faults[GD_SIM_FAULTS_MAX]; /* Ordered by `at`. */
    size_t fault_count;
    /* Borrowed; not in the text: whoever reads or draws a plan says which database it is for. */
    const struct gd_sim_database *database;
};

/* Members at the start and those that wait to be added, behind them by number. */
static inline unsigned gd_sim_plan_total(const struct gd_sim_plan *plan)
{
    return (unsigned)(plan->nodes + plan->spares);
}

void gd_sim_plan_defaults(struct gd_sim_plan *plan);
/* The plan of a seed. Swarm testing: which classes of faults and of commands exist at all is drawn
 * first, then how hard each strikes (Groce et al., Swarm Testing, ISSTA 2012). Those of `classes`
 * (bit n: enum gd_sim_class n) it has in any case; all else is the same seed's. */
void gd_sim_plan_draw(struct gd_sim_plan *plan, uint64_t seed, uint32_t classes);
/* The same seed with each node's database a process of its own, and faults that strike it. */
void gd_sim_plan_draw_external(struct gd_sim_plan *plan, uint64_t seed, uint32_t classes);
/* The same seed with each node's database an SQLite file, and faults that strike it. */
void gd_sim_plan_draw_sqlite(struct gd_sim_plan *plan, uint64_t seed, uint32_t classes);
void gd_sim_plan_print(const struct gd_sim_plan *plan, struct gd_bytes *bytes);
void gd_sim_fault_print(const struct gd_sim_fault *fault, struct gd_bytes *bytes);
/* Returns   GD_OK; GD_ERR_INVALID: `*error` says line and reason; `*plan` is then unspecified. */
GD_MUST_CHECK enum gd_err gd_sim_plan_parse(struct gd_slice text, struct gd_sim_plan *plan,
                                            struct gd_error *error);

struct gd_sim_parameter {
    const char *name;
    enum gd_sim_unit unit;
    size_t offset; /* Of its uint64_t in struct gd_sim_plan. */
    uint64_t preset, least, most;
};
extern const struct gd_sim_parameter gd_sim_parameters[];
extern const size_t gd_sim_parameter_count;
static inline uint64_t *gd_sim_parameter_at(struct gd_sim_plan *plan, size_t i)
{
    return (uint64_t *)(void *)((char *)plan + gd_sim_parameters[i].offset);
}

struct gd_sim_fault_form {
    const char *name;
    enum gd_sim_class class_;
    enum gd_sim_aim aim;
    bool lasts;
};
extern const struct gd_sim_fault_form gd_sim_fault_forms[GD_SIM_FAULT_KIND_COUNT];
/* Each database drops keys by its own clock: in front of one that stands apart keys with a time are
 * asked about only if every time is further ahead than any clock is wrong (by a day, at least). */
bool gd_sim_plan_times_fit(const struct gd_sim_plan *plan);
/* Drawn faults are over by then (D2 of plan_draw.c), from the run's start. */
gd_time_ns gd_sim_plan_faults_end(const struct gd_sim_plan *plan);
/* Does a fault wait for somebody to have this role? */
bool gd_sim_role_waits(enum gd_sim_role role);
/* How a plan names a disk operation (enum gd_disk_kind), and the moment of a crash; static. */
const char *gd_sim_op_text(unsigned op);
const char *gd_sim_when_text(enum gd_sim_when when);
/* "partition", ...; static. */
const char *gd_sim_class_text(enum gd_sim_class class_);
/* False: there is no class of that name. */
GD_MUST_CHECK bool gd_sim_class_parse(const char *text, enum gd_sim_class *class_);
/* A time as a plan shows it: "1.25s". `to` has at least 32 bytes. */
void gd_sim_time_text(gd_time_ns time, char *to, size_t size);
GD_MUST_CHECK bool gd_sim_time_parse(const char *text, gd_time_ns *time);
#endif
