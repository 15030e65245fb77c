/* world.h - the simulated world: io.h for many processes, out of one seed.
 *
 * One thread, virtual time. A world holds processes (each with a heap, a clock and a disk of its
 * own) and the network between them. Everything that happens is an event, ordered by (time,
 * sequence); a rolling hash over all events is the run's identity. All that can go wrong is set
 * here, by options (chances, in parts per million, and ranges) or by single orders (cut this link,
 * crash that process at its 7th sync). A world without options is calm: latencies, but no faults.
 *
 * Randomness comes in streams, one for each (process, purpose), derived from the seed; a chance of
 * 0 draws nothing. So leaving one fault out does not change what the others draw.
 *
 * What runs when. A process's code runs only inside gd_world_start (its entry) and inside events
 * (its callbacks). The hooks and alarms below run outside any process: they may call everything
 * here, and gd_malloc (which then takes from the heap outside all processes). Orders that end a
 * process must not come from inside that process's own code.
 *
 * Invariants
 *   W1. Same seed, same calls: same hash, whatever compiler, optimisation or address layout.
 *   W2. After a crash nothing of the process remains but its disk; no callback of it ever runs.
 *   W3. Time never goes back; events of one time run in the order in which they were scheduled.
 *   W4. Bytes of a stream are never lost, changed or reordered, unless the stream breaks; where
 *       frames are told apart by a framer (below), whole frames may be.
 *   W5. The disk keeps io.h's D1 and D2, and none of what X1 to X4 refuse. */
#ifndef GANDALF_IO_SIM_WORLD_H
#define GANDALF_IO_SIM_WORLD_H
#include "engine/io.h"
#include "engine/prng.h"

struct gd_world;

#define GD_WORLD_MILLION UINT32_C(1000000) /* The whole, for chances in parts per million. */
#define GD_WORLD_NOBODY UINT32_C(0xffffffff)
/* In place of a process number where a call says so: every process. Where both numbers of a link
 * are this, it holds for the processes to come, too. */
#define GD_WORLD_ALL UINT32_C(0xfffffffe)

/* ---------------------------------------------------------------- options */

/* One direction of the network between two processes. Times in ns. */
struct gd_world_link_options {
    gd_time_ns latency_min, latency_max; /* Of each chunk of bytes, each handshake. */
    uint64_t bandwidth;     /* Bytes a second, for all streams together; 0: no limit. */
    uint64_t window_size;   /* Bytes under way and not read by the other side, for each stream: past
                               it writes queue up at the sender. Above 0. */
    uint32_t fragment_ppm;  /* Chance that a read gets only a first part; the rest comes later. */
    uint32_t coalesce_ppm;  /* Chance that a chunk waits for later ones, to be read with them. */
    uint32_t stall_ppm;     /* Chance that a chunk, and all behind it, is held up ... */
    gd_time_ns stall_max;   /* ... for up to so long. */
    uint32_t reset_ppm;     /* Chance that a chunk's stream is reset instead. */
    uint32_t drop_ppm;      /* Whole frames (framer): chance to be lost, ... */
    uint32_t duplicate_ppm; /* ... to come twice, ... */
    uint32_t reorder_ppm;   /* ... or to come late, behind later ones, ... */
    gd_time_ns reorder_max; /* ... by up to so much. */
    uint64_t frames_spared; /* So many first frames of each stream suffer none of that. */
    gd_time_ns connect_timeout; /* Of a connect that nobody answers. */
    gd_time_ns timeout; /* After so long, or a stream's own patience, without getting bytes across
                           the sender's end breaks (GD_ERR_TIMEOUT); the other end learns nothing.
                           0: never, but for a stream with patience of its own. */
    gd_time_ns retransmit_max; /* Once a cut heals, what waited comes within so long. */
};

struct gd_world_disk_options {
    gd_time_ns latency_min, latency_max; /* Of each operation but ... */
    gd_time_ns sync_min, sync_max;       /* ... SYNC, WRITE_DURABLE and SYNC_DIRECTORY. */
    uint32_t uneven;                     /* Some kinds of operations but those that read take up to
                                            so many times as long, each process its own; or 0. */
    uint64_t queue_count;                /* Operations in flight; past it GD_ERR_BUSY. Above 0. */
    uint64_t quota_size;    /* Bytes of all files together; past it NO_SPACE. 0: no limit. */
    uint32_t lost_ppm;      /* At a power loss: chance of each unsynced sector or size to be old. */
    uint32_t torn_ppm;      /* Chance of each that is not lost to be a mix of old and new. */
    uint32_t name_lost_ppm; /* The same for each unsynced name. */
    uint32_t read_error_ppm; /* Chances to fail with GD_ERR_IO, for each operation. */
    uint32_t write_error_ppm;
    uint32_t sync_error_ppm;  /* SYNC, WRITE_DURABLE, SYNC_DIRECTORY; unsynced data is dropped. */
    uint32_t rot_ppm;         /* Chance of a read to find one bit of its range flipped for good. */
    uint32_t misread_ppm;     /* Chance of a read to get another sector's bytes, once. */
    uint32_t misdirected_ppm; /* Chance of a write to go to another place of the same file. */
};

struct gd_world_clock_options {
    int64_t skew_ms;   /* Wall clock's error from the start. */
    int32_t drift_ppm; /* Both clocks run so much faster (or slower, when negative). */
};

/* Calm values: 0.2 to 2 ms on the network, 0.05 to 3 ms on the disk, half of all unsynced sectors
 * lost at a power loss. */
struct gd_world_link_options gd_world_link_defaults(void);
struct gd_world_disk_options gd_world_disk_defaults(void);

/* ---------------------------------------------------------------- hooks */

/* One line of a trace. Borrowed until the hook returns. */
struct gd_world_line {
    gd_time_ns at;
    uint64_t event;   /* The event's number. */
    uint32_t process; /* Or GD_WORLD_NOBODY. */
    const char *kind; /* "timer", "read", "sync" ...; static. */
    const char *text; /* No newline. */
};
/* What an assertion's failure is known by. */
struct gd_world_failure {
    uint64_t seed;
    gd_time_ns at;
    uint64_t event;
    uint32_t process; /* Or GD_WORLD_NOBODY. */
    const char *file; /* Static. */
    int line;
    const char *cond; /* Static. */
};
/* Each may be NULL. All run outside any process. */
struct gd_world_hooks {
    void *context; /* The caller's; first argument of each. */
    /* After every event; `process` is whose code could run in it. Invariants are checked here. */
    void (*event)(void *context, uint32_t process);
    void (*trace)(void *context, const struct gd_world_line *line);
    void (*log)(void *context, uint32_t process, enum gd_log_level level, const char *text);
    /* The process is about to lose its memory, which can be looked at a last time. */
    void (*crashing)(void *context, uint32_t process);
    /* The process is gone, by gd_world_crash or at its crash point. */
    void (*crashed)(void *context, uint32_t process);
    /* GD_ASSERT failed. May leave by longjmp, after which the world can only be abandoned
     * (gd_world_abandon); when it returns, or is NULL, the program prints and aborts. */
    void (*failed)(void *context, const struct gd_world_failure *failure);
};

/* Tells frames apart in the bytes that flow from one peer to another. */
struct gd_world_framer {
    void *context;
    /* Whether frames of the connection `from` made to `to`, which listens on `port`, are to be told
     * apart (both ways). */
    bool (*wants)(void *context, uint32_t from, uint32_t to, uint16_t port);
    /* The size of the first frame in `bytes`, or 0 while it is not whole. Frames past 64 MiB pass
     * as plain bytes. */
    size_t (*size)(void *context, struct gd_slice bytes);
    /* Shown each whole frame as `from` sends it to `to`, before anything happens to it; may be
     * NULL. It runs outside any process. */
    void (*sent)(void *context, uint32_t from, uint32_t to, struct gd_slice frame);
    /* Shown each whole frame when `to` reads its last byte, before `to` does anything; may be NULL.
     * It runs outside any process. */
    void (*told)(void *context, uint32_t from, uint32_t to, struct gd_slice frame);
};

/* ---------------------------------------------------------------- the world */

struct gd_world_options {
    uint64_t seed;
    int64_t wall_start_ms;             /* 0: some day of 2026. */
    struct gd_world_link_options link; /* Of each link from its start. All zero: the defaults. */
    struct gd_world_disk_options disk; /* The same for disks. */
    struct gd_world_hooks hooks;
    struct gd_world_framer framer; /* wants NULL: none. */
};
struct gd_world *gd_world_new(const struct gd_world_options *options);
/* Drops all processes as by a crash (no hook is called), and all disks. */
void gd_world_free(struct gd_world *world);
/* After a longjmp out of `failed`: no process is running any more; the world may be looked at and
 * freed, not stepped. */
void gd_world_abandon(struct gd_world *world);

/* Runs the next event. False when there is none. */
bool gd_world_step(struct gd_world *world);
/* Runs all events up to and at `until`, and sets the time to that; or less after gd_world_stop.
 * True when `until` was reached. */
bool gd_world_run_until(struct gd_world *world, gd_time_ns until);
/* From a hook or an alarm: the run ends behind this event. */
void gd_world_stop(struct gd_world *world);
/* True time, ns, from 0. */
gd_time_ns gd_world_now(const struct gd_world *world);
/* When the next event is due; UINT64_MAX when there is none. */
gd_time_ns gd_world_next(const struct gd_world *world);
uint64_t gd_world_events(const struct gd_world *world); /* Run so far. */
uint64_t gd_world_hash(const struct gd_world *world);   /* The run's identity so far. */
uint64_t gd_world_seed(const struct gd_world *world);
/* A generator of the caller's own, named by (process or GD_WORLD_NOBODY, purpose). */
void gd_world_prng(const struct gd_world *world, uint32_t process, const char *purpose,
                   struct gd_prng *prng);
/* Folds a number into the hash: what the simulator decides belongs to the run's identity. */
void gd_world_fold(struct gd_world *world, uint64_t value);
/* A line into the trace, from outside. */
void gd_world_note(struct gd_world *world, uint32_t process, const char *kind, const char *format,
                   ...) GD_PRINTF(4, 5);
/* Whether anybody reads the trace. */
bool gd_world_traced(const struct gd_world *world);

/* A call at a time of the world's, outside any process: faults, workloads' ends. In the caller's
 * memory until `fire` or the stop. */
struct gd_world_event {
    /* World's. */
    gd_time_ns at;
    uint64_t sequence;
    size_t place; /* 0: not scheduled. */
    uint32_t process;
    uint16_t kind;
    uint64_t detail;
    void (*run)(struct gd_world *world, struct gd_world_event *event);
    struct gd_world_event *held_next, *held_prev;
};
struct gd_world_alarm {
    void (*fire)(struct gd_world *world, struct gd_world_alarm *alarm); /* Never NULL. */
    void *context;                                                      /* The caller's. */
    struct gd_world_event event;                                        /* World's; zeroed. */
};
/* (Re)start, at `at` or now, whichever is later. */
void gd_world_alarm_start(struct gd_world *world, struct gd_world_alarm *alarm, gd_time_ns at);
void gd_world_alarm_stop(struct gd_world *world, struct gd_world_alarm *alarm);

/* ---------------------------------------------------------------- processes */

struct gd_world_process_options {
    const char *name; /* For traces; copied; NULL: the host. */
    const char *host; /* Its address: "10.0.0.1"; copied; no other has it. */
    /* What runs at each start, inside the process. */
    void (*entry)(struct gd_io *io, void *context);
    void *context;
    struct gd_world_clock_options clock;
};
/* Adds a process, not running yet; returns its number: 0, 1, 2 ... */
uint32_t gd_world_add(struct gd_world *world, const struct gd_world_process_options *options);
uint32_t gd_world_process_count(const struct gd_world *world);
/* Starts it, on the disk as it is; `entry` runs at once. Requires that it does not run. */
void gd_world_start(struct gd_world *world, uint32_t process);

enum gd_world_crash {
    GD_WORLD_KILL,      /* The process ends; the machine goes on: what was written stays, synced or
                           not, and peers are told (reset). */
    GD_WORLD_POWER_LOSS /* The machine is gone: what was not synced is lost as the disk's options
                           say; peers hear nothing. It answers nobody until the next start. */
};
/* Ends it at once, whatever it is doing. Requires that it runs (it may be paused). */
void gd_world_crash(struct gd_world *world, uint32_t process, enum gd_world_crash how);

/* What a process that ended by itself left behind. All zero: it was tidy. */
struct gd_world_leak {
    uint64_t block_count, block_size; /* Of its heap. */
    uint64_t timer_count;             /* Still running. */
    uint64_t stream_count;            /* Not closed. */
    uint64_t listener_count;
    uint64_t file_count;      /* Open. */
    uint64_t operation_count; /* On the disk, in flight. */
};
/* Ends it in good order, once it has put everything away; returns whether it has. What it left is
 * dropped as by GD_WORLD_KILL, without hooks. */
bool gd_world_end(struct gd_world *world, uint32_t process, struct gd_world_leak *leak);

/* Holds back all its events until the resume; the machine (its kernel, its network) goes on. */
void gd_world_pause(struct gd_world *world, uint32_t process);
void gd_world_resume(struct gd_world *world, uint32_t process);
bool gd_world_running(const struct gd_world *world, uint32_t process); /* Started; maybe paused. */
bool gd_world_paused(const struct gd_world *world, uint32_t process);
/* The process waits inside the call that it is in, as for a disk, and for `duration` longer than it
 * had to wait already: what it has done in that call is done, and nothing more of it runs until
 * then. As a pause otherwise, and beside one. Also from inside the process's own callbacks. */
void gd_world_block(struct gd_world *world, uint32_t process, gd_time_ns duration);
/* What it waits for is there: it goes on now. Not from inside its own callbacks. */
void gd_world_unblock(struct gd_world *world, uint32_t process);
bool gd_world_blocked(const struct gd_world *world, uint32_t process);
uint64_t gd_world_boots(const struct gd_world *world, uint32_t process);
const char *gd_world_name(const struct gd_world *world, uint32_t process);
const char *gd_world_host(const struct gd_world *world, uint32_t process);
/* Which process has this host; GD_WORLD_NOBODY when none. */
uint32_t gd_world_find(const struct gd_world *world, const char *host);
/* Its world, the same for all its boots. */
struct gd_io *gd_world_io(struct gd_world *world, uint32_t process);
/* Whose world `io` is. */
uint32_t gd_world_process_of(const struct gd_io *io);
struct gd_world *gd_world_of(const struct gd_io *io);
/* Runs what follows as that process's code, for calls into it from outside its callbacks (an order
 * to a node, a test). Pairs; not nested. Returns its gd_io. */
struct gd_io *gd_world_enter(struct gd_world *world, uint32_t process);
void gd_world_leave(struct gd_world *world);
struct gd_world_memory {
    uint64_t block_count, size, size_peak; /* Bytes asked for, without our headers. */
};
struct gd_world_memory gd_world_memory(const struct gd_world *world, uint32_t process);
/* The same for what is allocated outside all processes, in the whole program. */
struct gd_world_memory gd_world_memory_outside(void);

/* ---------------------------------------------------------------- clocks */

/* From now on. Both clocks stay where they are. */
void gd_world_set_drift(struct gd_world *world, uint32_t process, int32_t drift_ppm);
void gd_world_jump_wall(struct gd_world *world, uint32_t process, int64_t by_ms);
/* As the process would see them now. */
gd_time_ns gd_world_process_now(const struct gd_world *world, uint32_t process);
int64_t gd_world_process_wall_ms(const struct gd_world *world, uint32_t process);

/* ---------------------------------------------------------------- network faults */

/* Options of the link `from` -> `to`; each may be GD_WORLD_ALL. What is under way stays under way.
 */
void gd_world_set_link(struct gd_world *world, uint32_t from, uint32_t to,
                       const struct gd_world_link_options *options);
struct gd_world_link_options gd_world_link(const struct gd_world *world, uint32_t from,
                                           uint32_t to);
/* Nothing passes from `from` to `to` (one way; each may be GD_WORLD_ALL, which leaves out a
 * process's link to itself). Bytes wait for the healing, connects for their time-out. */
void gd_world_cut(struct gd_world *world, uint32_t from, uint32_t to, bool cut);
bool gd_world_is_cut(const struct gd_world *world, uint32_t from, uint32_t to);
/* The same for bytes of streams alone: connects still pass. */
void gd_world_clog(struct gd_world *world, uint32_t from, uint32_t to, bool clogged);
/* Ends all cuts and clogs. */
void gd_world_heal(struct gd_world *world);

enum gd_world_break {
    GD_WORLD_RESET,     /* Both ends are told. */
    GD_WORLD_HALF_OPEN, /* `a`'s end is reset; `b`'s learns it when it next sends something. */
    GD_WORLD_BLACK_HOLE /* Bytes vanish, both ways; nobody is told (but see `timeout`). */
};
/* Breaks every connection between `a` and `b` (`b` may be GD_WORLD_ALL); returns how many. */
unsigned gd_world_break_streams(struct gd_world *world, uint32_t a, uint32_t b,
                                enum gd_world_break how);
/* Connections between the two with both ends open. */
unsigned gd_world_stream_count(const struct gd_world *world, uint32_t a, uint32_t b);
/* Bytes that `from` has written towards `to` and `to` has not read: queued, and under way. */
uint64_t gd_world_bytes_queued(const struct gd_world *world, uint32_t from, uint32_t to);
uint64_t gd_world_bytes_under_way(const struct gd_world *world, uint32_t from, uint32_t to);

/* ---------------------------------------------------------------- disk faults */

void gd_world_set_disk(struct gd_world *world, uint32_t process,
                       const struct gd_world_disk_options *options);
struct gd_world_disk_options gd_world_disk(const struct gd_world *world, uint32_t process);

enum gd_world_when { GD_WORLD_BEFORE, GD_WORLD_HALF, GD_WORLD_AFTER };
/* Crashes it at its `count`-th (1: the next) operation of `kind` from now (GD_DISK_KIND_COUNT: of
 * any kind): before it has any effect, half-way (some sectors, some names), or after its effect but
 * before its callback. One at a time; survives restarts; the latest order holds. `count` 0 calls it
 * off. */
void gd_world_crash_at(struct gd_world *world, uint32_t process, enum gd_disk_kind kind,
                       uint64_t count, enum gd_world_when when, enum gd_world_crash how);
/* Whether a crash point is still waiting. */
bool gd_world_crash_pending(const struct gd_world *world, uint32_t process);
/* Its `count`-th operation of `kind` from now (1: the next) fails with `err`; as above. A SYNC,
 * WRITE_DURABLE or SYNC_DIRECTORY that fails drops what was not synced: the cache may still show
 * it, no later sync writes it. */
void gd_world_fail_at(struct gd_world *world, uint32_t process, enum gd_disk_kind kind,
                      uint64_t count, enum gd_err err);
bool gd_world_fail_pending(const struct gd_world *world, uint32_t process);
/* How many of its operations have failed so far, by an order or by chance. */
uint64_t gd_world_disk_errors(const struct gd_world *world, uint32_t process);
/* Its `count`-th WRITE or WRITE_DURABLE from now goes to another place of the same file (when the
 * file has one), and is told as done. 0 calls it off. */
void gd_world_misdirect_at(struct gd_world *world, uint32_t process, uint64_t count);
/* Its `count`-th READ from now finds one sector's bytes flipped, or another sector's in its place;
 * that once, and what is stored is whole (io.h X3). 0 calls it off. */
void gd_world_lie_at(struct gd_world *world, uint32_t process, uint64_t count);
/* Flips `bit_count` bits, chosen by the seed, in [offset, offset + size) of the file, where it is
 * stored. False when the file has no byte there. */
bool gd_world_rot(struct gd_world *world, uint32_t process, const char *path, uint64_t offset,
                  uint64_t size, unsigned bit_count);
/* The file is gone, and durably so: a repair of the file system did not know whose it was. False
 * when there is none. */
bool gd_world_lose(struct gd_world *world, uint32_t process, const char *path);
/* Empties the disk. Requires that the process does not run. */
void gd_world_wipe(struct gd_world *world, uint32_t process);

/* Two views of a disk: as the process sees it, and what is sure to be there after a crash. */
enum gd_world_view { GD_WORLD_CACHED, GD_WORLD_DURABLE };
/* The path behind `previous` (NULL: the first) by bytes; NULL at the end. Borrowed until the disk
 * changes. Folders are left out. */
const char *gd_world_file_next(const struct gd_world *world, uint32_t process,
                               enum gd_world_view view, const char *previous);
/* False when there is no such file. */
bool gd_world_file_size(const struct gd_world *world, uint32_t process, enum gd_world_view view,
                        const char *path, uint64_t *size);
/* Bytes copied to `data`: less than `size` only at the file's end; 0 without such a file. */
uint64_t gd_world_file_read(const struct gd_world *world, uint32_t process, enum gd_world_view view,
                            const char *path, uint64_t offset, void *data, uint64_t size);
/* Bytes of all files, as the quota counts them. */
uint64_t gd_world_disk_used(const struct gd_world *world, uint32_t process);
/* Operations on it that are in flight. */
uint64_t gd_world_disk_busy(const struct gd_world *world, uint32_t process);
/* How long nothing has been, while its process went on; 0 while something is. */
gd_time_ns gd_world_disk_quiet(const struct gd_world *world, uint32_t process);
/* Operations of `kind` that have ended since the disk was made. */
uint64_t gd_world_disk_operations(const struct gd_world *world, uint32_t process,
                                  enum gd_disk_kind kind);

/* ---------------------------------------------------------------- counters */

/* X(NAME, text): what happened, and what was done to it. */
#define GD_WORLD_COUNTERS(X)                                                                       \
    X(TIMERS, "timers fired")                                                                      \
    X(CONNECTS, "connections made")                                                                \
    X(REFUSED, "connects refused")                                                                 \
    X(CONNECT_TIMEOUTS, "connects timed out")                                                      \
    X(CHUNKS, "chunks of bytes")                                                                   \
    X(BYTES, "bytes carried")                                                                      \
    X(FRAGMENTED, "reads cut short")                                                               \
    X(COALESCED, "chunks held for later ones")                                                     \
    X(STALLED, "chunks stalled")                                                                   \
    X(RESETS, "streams reset")                                                                     \
    X(HALF_OPEN, "streams half open")                                                              \
    X(BLACK_HOLES, "streams into a black hole")                                                    \
    X(STREAM_TIMEOUTS, "streams timed out")                                                        \
    X(HELD, "chunks held by a cut or clog")                                                        \
    X(FRAMES, "frames told apart")                                                                 \
    X(DROPPED, "frames dropped")                                                                   \
    X(DUPLICATED, "frames duplicated")                                                             \
    X(REORDERED, "frames reordered")                                                               \
    X(STARTS, "process starts")                                                                    \
    X(KILLS, "processes killed")                                                                   \
    X(POWER_LOSSES, "power losses")                                                                \
    X(CRASH_POINTS, "crashes at a chosen disk operation")                                          \
    X(PAUSES, "pauses")                                                                            \
    X(DISK_OPERATIONS, "disk operations")                                                          \
    X(SECTORS_KEPT, "unsynced sectors kept")                                                       \
    X(SECTORS_LOST, "unsynced sectors lost")                                                       \
    X(SECTORS_TORN, "unsynced sectors torn")                                                       \
    X(SIZES_LOST, "unsynced file sizes lost")                                                      \
    X(NAMES_KEPT, "unsynced names kept")                                                           \
    X(NAMES_LOST, "unsynced names lost")                                                           \
    X(READ_ERRORS, "reads failed")                                                                 \
    X(WRITE_ERRORS, "writes failed")                                                               \
    X(SYNC_ERRORS, "syncs failed")                                                                 \
    X(NO_SPACE, "disk full")                                                                       \
    X(ROTTEN_BITS, "bits rotten")                                                                  \
    X(MISREADS, "reads of a wrong sector")                                                         \
    X(MISDIRECTED, "writes to a wrong place")                                                      \
    X(WALL_JUMPS, "wall clock jumps")                                                              \
    X(BLOCKS, "waits inside a call")
#define GD_WORLD_COUNTER_ENUM(name, text) GD_WORLD_COUNT_##name,
enum gd_world_counter { GD_WORLD_COUNTERS(GD_WORLD_COUNTER_ENUM) GD_WORLD_COUNTER_COUNT };
uint64_t gd_world_counter(const struct gd_world *world, enum gd_world_counter counter);
const char *gd_world_counter_text(enum gd_world_counter counter); /* Static. */
#endif
