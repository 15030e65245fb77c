/* world_internal.h - what the rooms of the simulated world share. Not for anyone else. */
#ifndef GANDALF_IO_SIM_WORLD_INTERNAL_H
#define GANDALF_IO_SIM_WORLD_INTERNAL_H
#include "engine/memory.h"
#include "io-sim/world.h"

/* ---------------------------------------------------------------- heaps (heap.c) */

struct gd_block; /* One allocation, behind its header. */
struct gd_heap {
    struct gd_block *first; /* Doubly linked, in no particular order. */
    uint64_t count, size, size_peak;
    uint64_t poison; /* State of the numbers that fresh bytes are filled with. */
};
void *gd__heap_alloc(struct gd_heap *heap, size_t size);
void *gd__heap_zeroed(struct gd_heap *heap, size_t size);
void *gd__heap_grow(struct gd_heap *heap, void *pointer, size_t size);
void gd__heap_free(struct gd_heap *heap, void *pointer);
/* Frees every block. */
void gd__heap_drop(struct gd_heap *heap);
/* Whose code runs: NULL for none. Returns what was before, for the way back. */
struct gd_process *gd__heap_enter(struct gd_world *world, struct gd_process *process);
void gd__heap_leave(struct gd_world *world, struct gd_process *before);
struct gd_process *gd__heap_running(void);
/* Forgets a world that is being freed. */
void gd__heap_forget(const struct gd_world *world);

/* ---------------------------------------------------------------- random streams */

/* One generator for each process and purpose. */
enum gd_purpose {
    GD_FOR_LATENCY,
    GD_FOR_FRAGMENT,
    GD_FOR_COALESCE,
    GD_FOR_STALL,
    GD_FOR_RESET,
    GD_FOR_DROP,
    GD_FOR_DUPLICATE,
    GD_FOR_REORDER,
    GD_FOR_HEAL,
    GD_FOR_CLOCK,
    GD_FOR_DISK_LATENCY,
    GD_FOR_POWER_LOSS,
    GD_FOR_READ_ERROR,
    GD_FOR_WRITE_ERROR,
    GD_FOR_SYNC_ERROR,
    GD_FOR_ROT,
    GD_FOR_MISREAD,
    GD_FOR_MISDIRECT,
    GD_FOR_SPACE,
    GD_FOR_RESUME,
    GD_PURPOSE_COUNT
};

/* ---------------------------------------------------------------- rings */

/* A member of a doubly linked ring; a ring's own head is one, too. */
struct gd_ring {
    struct gd_ring *next, *prev;
};
static inline void gd__ring_init(struct gd_ring *ring)
{
    ring->next = ring->prev = ring;
}
static inline bool gd__ring_empty(const struct gd_ring *ring)
{
    return ring->next == ring;
}
static inline void gd__ring_add(struct gd_ring *head, struct gd_ring *member)
{
    member->next = head;
    member->prev = head->prev;
    head->prev->next = member;
    head->prev = member;
}
static inline void gd__ring_remove(struct gd_ring *member)
{
    member->prev->next = member->next;
    member->next->prev = member->prev;
    gd__ring_init(member);
}

/* ---------------------------------------------------------------- the world */

enum gd_event_kind { /* In the hash: never renumber. */
                     GD_EVENT_ALARM = 1,
                     GD_EVENT_TIMER,
                     GD_EVENT_SYN,
                     GD_EVENT_INCOMING,
                     GD_EVENT_CONNECTED,
                     GD_EVENT_SEND,
                     GD_EVENT_ARRIVE,
                     GD_EVENT_READ,
                     GD_EVENT_CLOSED,
                     GD_EVENT_BROKEN,
                     GD_EVENT_STREAM_TIMEOUT,
                     GD_EVENT_LISTENER_CLOSED,
                     GD_EVENT_DISK,
                     GD_EVENT_UNBLOCK
};

struct gd_link {
    struct gd_world_link_options options;
    bool cut, clogged;
    gd_time_ns busy_until; /* By its bandwidth. */
};

struct gd_queue_entry {
    gd_time_ns at;
    uint64_t sequence;
    struct gd_world_event *event;
};

struct gd_world {
    struct gd_world_options options;
    struct gd_heap heap; /* The world's own things. */
    gd_time_ns now;
    uint64_t sequence;    /* Of the event scheduled last. */
    uint64_t event_count; /* Run. */
    uint64_t hash;
    bool stopping, abandoned, freeing;
    struct gd_queue_entry *queue; /* A 4-ary heap from [1] on. */
    size_t queue_size, queue_capacity;
    struct gd_process **processes;
    uint32_t process_count, process_capacity;
    struct gd_link *links; /* process_capacity squared, by from then to. */
    struct gd_link link_default;
    struct gd_ring connections; /* struct gd_connection, all, by age. */
    uint64_t connection_count;  /* Ever. */
    struct gd_disk_flight *spare_flights;
    uint8_t *gather; /* GD_READ_SIZE bytes: where chunks are joined for one read. */
    struct gd_process *process_before_enter;
    bool entered;
    uint64_t counters[GD_WORLD_COUNTER_COUNT];
};

#define GD_READ_SIZE 65536 /* Bytes told in one read at most; the most in one chunk. */

/* Schedules `event` at `at` (or now, if that is past), replacing what it was scheduled for. Its
 * `process` and `run` are set. */
void gd__schedule(struct gd_world *world, struct gd_world_event *event, gd_time_ns at);
void gd__unschedule(struct gd_world *world, struct gd_world_event *event);
static inline bool gd__scheduled(const struct gd_world_event *event)
{
    return event->place != 0;
}
void gd__fold(struct gd_world *world, uint64_t value);
void gd__fold_bytes(struct gd_world *world, const void *data, size_t size);
#define GD__TRACE(world, process, kind, ...)                                                       \
    do {                                                                                           \
        if ((world)->options.hooks.trace != NULL) {                                                \
            gd_world_note((world), (process), (kind), __VA_ARGS__);                                \
        }                                                                                          \
    } while (0)
static inline void gd__count(struct gd_world *world, enum gd_world_counter counter)
{
    world->counters[counter]++;
}
uint64_t gd__text_hash(const char *text);
struct gd_link *gd__link(const struct gd_world *world, uint32_t from, uint32_t to);

/* ---------------------------------------------------------------- processes */

struct gd_fault_point {     /* "At the n-th of these." */
    enum gd_disk_kind kind; /* GD_DISK_KIND_COUNT: any. */
    uint64_t count;         /* How many until then; 0: none is set. */
    enum gd_err err;
    enum gd_world_when when;
    enum gd_world_crash how;
};

struct gd_clock {
    gd_time_ns since;   /* World's time of the last change of the drift ... */
    gd_time_ns elapsed; /* ... and how much had gone by on this clock then. */
    int64_t drift_ppm;
    gd_time_ns mono_start; /* What the monotonic clock adds; new with each boot. */
    int64_t wall_start_ms;
};

struct gd_store; /* What a disk holds (store.c). */
struct gd_disk {
    struct gd_world_disk_options options;
    struct gd_store *store; /* Owned. */
    struct gd_ring flights; /* struct gd_disk_flight, by age. */
    uint64_t flight_count;
    gd_time_ns quiet_since; /* When the last operation ended. */
    struct gd_ring files;   /* struct gd_open_file. */
    uint64_t file_count;
    uint64_t sequence; /* Of the last submission or end of an operation. */
    uint64_t operations[GD_DISK_KIND_COUNT];
    uint64_t errors; /* Operations that failed. */
    struct gd_fault_point crash, fail, misdirect, lie;
};

struct gd_process {
    struct gd_io io; /* First. */
    struct gd_world *world;
    uint32_t number;
    char *name, *host; /* Owned. */
    void (*entry)(struct gd_io *io, void *context);
    void *context;
    bool running, paused;
    bool machine_down; /* Since a power loss: it answers nobody. */
    uint64_t boots;
    uint64_t entropy_count; /* Of this boot. */
    struct gd_heap heap;
    struct gd_prng prng[GD_PURPOSE_COUNT];
    struct gd_world_event held;    /* Ring of the events that a pause or a block holds back. */
    struct gd_world_event unblock; /* Scheduled: it is blocked until then. */

    struct gd_clock clock;
    struct gd_timer **timers; /* A binary heap from [1] on, by (deadline, sequence). */
    size_t timer_count, timer_capacity;
    struct gd_timer **due; /* Taken out of the heap, to fire one after another. */
    size_t due_count, due_next, due_capacity;
    uint64_t timer_sequence;
    struct gd_world_event wake;

    struct gd_ring ends;      /* struct gd_end with a stream. */
    struct gd_ring listeners; /* struct gd_listening. */
    uint64_t end_count, listener_count;
    uint16_t port_next;
    struct gd_disk disk;
};

struct gd_process *gd__process(const struct gd_world *world, uint32_t number);
static inline bool gd__stands_still(const struct gd_process *process)
{
    return process->paused || gd__scheduled(&process->unblock);
}
void gd__block_init(struct gd_process *process);
struct gd_process *gd__process_of(const struct gd_io *io);
bool gd__chance(struct gd_process *process, enum gd_purpose purpose, uint32_t ppm);
uint64_t gd__between(struct gd_process *process, enum gd_purpose purpose, uint64_t low,
                     uint64_t high);
static inline uint64_t gd__below(struct gd_process *process, enum gd_purpose purpose,
                                 uint64_t bound)
{
    return gd_prng_below(&process->prng[purpose], bound);
}
extern const struct gd_io_vtable gd__world_vtable;
/* As gd_world_crash, from inside the world's own events. */
void gd__crash(struct gd_process *process, enum gd_world_crash how);

/* ---------------------------------------------------------------- the rooms' parts of that */

/* clock.c */
void gd__clock_init(struct gd_process *process, const struct gd_world_clock_options *options);
void gd__clock_boot(struct gd_process *process);
void gd__clock_drop(struct gd_process *process); /* All timers forgotten. */
void gd__clock_free(struct gd_process *process);
gd_time_ns gd__clock_now(struct gd_io *io);
int64_t gd__clock_wall_ms(struct gd_io *io);
void gd__timer_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline);
void gd__timer_stop(struct gd_io *io, struct gd_timer *timer);
uint64_t gd__timers_running(const struct gd_process *process);

/* net.c, pipe.c */
void gd__net_init(struct gd_process *process);
void gd__net_drop(struct gd_process *process, enum gd_world_crash how);
void gd__net_machine_up(struct gd_process *process);
void gd__net_link_opened(struct gd_world *world, uint32_t from, uint32_t to);
void gd__net_free(struct gd_world *world);
enum gd_err gd__listen(struct gd_io *io, struct gd_listener *listener,
                       const struct gd_address *address, struct gd_error *error);
void gd__listener_address(const struct gd_listener *listener, struct gd_address *address);
enum gd_err gd__listener_accept(struct gd_listener *listener, struct gd_stream *stream);
void gd__listener_close(struct gd_listener *listener, gd_listener_fn *closed);
enum gd_err gd__stream_connect(struct gd_io *io, struct gd_stream *stream,
                               const struct gd_address *address, gd_stream_fn *done);
void gd__stream_read_start(struct gd_stream *stream, gd_stream_read_fn *on_read);
void gd__stream_read_stop(struct gd_stream *stream);
enum gd_err gd__stream_write(struct gd_stream *stream, struct gd_write *write);
size_t gd__stream_queued(const struct gd_stream *stream);
void gd__stream_shutdown(struct gd_stream *stream);
void gd__stream_close(struct gd_stream *stream, gd_stream_fn *closed);
void gd__stream_peer(const struct gd_stream *stream, struct gd_address *address);

/* disk.c */
void gd__disk_init(struct gd_process *process);
/* What is in flight is decided, open files are closed; then `how`'s losses. */
void gd__disk_drop(struct gd_process *process, enum gd_world_crash how);
void gd__disk_free(struct gd_process *process);
void gd__disk_free_spare(struct gd_world *world);
enum gd_err gd__disk_submit(struct gd_io *io, struct gd_disk_op *op);
#endif
