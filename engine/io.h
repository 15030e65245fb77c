/* io.h - the world: all that a node can ask of its surroundings.
 *
 * Clock, byte streams, disk, entropy, log lines. Implemented twice: io-real (libuv) and io-sim (a
 * seeded world). The engine must be right on ANY world that keeps the promises below; the simulated
 * one keeps no others. One `struct gd_io` is one process's whole world; every callback comes from
 * its loop, on one thread.
 *
 * The rule of every call: refused (an error is returned), no callback; accepted (GD_OK), exactly
 * one callback, never from inside the call. The structures below lie in the caller's memory, on
 * loan to the world until the callback that ends the loan; they must not move meanwhile. Fields
 * under "world's" belong to the implementation; a caller zeroes them once, by the designated
 * initializer.
 *
 * Promised
 *   C1. gd_io_now never goes back. A timer never fires before its deadline. Timers with different
 *       deadlines fire in their order; with the same, in the order in which they were started.
 *   N1. Bytes of a stream arrive in order, unchanged, or the stream ends with an error. A completed
 *       write says only that the bytes left this process.
 *   D1. What a completed SYNC or WRITE_DURABLE covered survives every crash: for SYNC, all writes,
 *       truncations and preallocations of that file that completed before the sync was submitted.
 *   D2. A created, renamed or unlinked name survives every crash once a SYNC_DIRECTORY of its
 *       folder that was submitted after that completion has completed, unless one between failed.
 *
 * Not promised
 *   X1. Order between disk operations in flight together: only a completion orders two.
 *   X2. Atomicity. A crash leaves any 512-byte sector outside D1 old, new or (torn) a mix; names
 *       outside D2 old or new, each on its own.
 *   X3. Integrity. A read may return flipped bits, or another sector's: checksum everything.
 *   X4. A second chance. After a failed SYNC, WRITE_DURABLE or SYNC_DIRECTORY nothing since the
 *       last good one may be relied on, ever; a later sync that succeeds proves nothing (Rebello et
 *       al., ATC 2020). A name is given anew; what was written is written anew.
 *   X5. Wall time. It may jump, forward and back, at any moment. */
#ifndef GANDALF_ENGINE_IO_H
#define GANDALF_ENGINE_IO_H
#include "engine/base.h"

struct gd_io;

/* ---------------------------------------------------------------- clock */

/* Monotonic, ns, from an arbitrary start. The same for the whole of one callback at the least. */
gd_time_ns gd_io_now(struct gd_io *io);
/* Milliseconds since 1970 by the wall (X5). */
int64_t gd_io_wall_ms(struct gd_io *io);

struct gd_timer;
typedef void gd_timer_fn(struct gd_timer *timer);
/* One-shot. Initialize with `fire` and `context` set and the rest zero. */
struct gd_timer {
    gd_timer_fn *fire; /* Never NULL. */
    void *context;     /* The caller's; the world never looks at it. */
    /* World's. */
    gd_time_ns deadline;
    uint64_t sequence;
    size_t place; /* 0 while not running. */
    void *world;
};
/* (Re)start: fire once, from the loop, at or soon after `deadline` on gd_io_now's scale; a deadline
 * that has passed fires at the loop's next turn, never from inside the call. The timer is the
 * caller's again when `fire` is entered, and may be started anew there. */
void gd_timer_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline);
/* After it returns `fire` will not run. Harmless on a timer that does not run. */
void gd_timer_stop(struct gd_io *io, struct gd_timer *timer);
bool gd_timer_running(const struct gd_timer *timer);

/* ---------------------------------------------------------------- entropy */

/* A seed for a generator (prng.h) of `purpose`: another for each process start and purpose, the
 * same again only when the simulator replays. Never use one seed for two generators. */
uint64_t gd_io_entropy(struct gd_io *io, const char *purpose);

/* ---------------------------------------------------------------- log lines */

enum gd_log_level { GD_LOG_DEBUG, GD_LOG_INFO, GD_LOG_WARNING, GD_LOG_ERROR };
/* One line for the operator; the world puts time and level in front of it. */
void gd_io_log(struct gd_io *io, enum gd_log_level level, const char *format, ...) GD_PRINTF(3, 4);

/* ---------------------------------------------------------------- network: byte streams */

#define GD_ADDRESS_SIZE 272
/* "host:port": a name, an IPv4 address, or an IPv6 address in brackets. Always terminated. */
struct gd_address {
    char text[GD_ADDRESS_SIZE];
};
/* GD_ERR_INVALID when `text` is not host:port with port 0-65535 (0 lets a listener choose). */
GD_MUST_CHECK enum gd_err gd_address_parse(const char *text, struct gd_address *address);
/* Both parts; `host` (at least GD_ADDRESS_SIZE bytes) comes without brackets. Either may be NULL.
 */
void gd_address_split(const struct gd_address *address, char *host, uint16_t *port);

struct gd_stream;
struct gd_listener;
/* A connection waits: call gd_listener_accept from inside, or it is closed on return. */
typedef void gd_listener_fn(struct gd_listener *listener);
struct gd_listener {
    gd_listener_fn *incoming; /* Never NULL. */
    void *context;            /* The caller's. */
    /* World's. */
    struct gd_io *io;
    void *world;
};
/* Bind and listen, at once. Returns GD_OK; GD_ERR_ADDRESS_IN_USE, GD_ERR_PERMISSION,
 * GD_ERR_UNREACHABLE (no such local address or name), GD_ERR_IO: `*error` has the line. */
GD_MUST_CHECK enum gd_err gd_listen(struct gd_io *io, struct gd_listener *listener,
                                    const struct gd_address *address, struct gd_error *error);
/* The address in use, with the port chosen when it was 0. */
void gd_listener_address(const struct gd_listener *listener, struct gd_address *address);
/* Takes the waiting connection into `stream` (zeroed but for `context`). Only inside `incoming`. */
GD_MUST_CHECK enum gd_err gd_listener_accept(struct gd_listener *listener,
                                             struct gd_stream *stream);
/* Stops listening; `closed` ends the loan. */
void gd_listener_close(struct gd_listener *listener, gd_listener_fn *closed);

/* GD_OK and at least one byte, borrowed until return; or, once and last, GD_ERR_END (the peer will
 * send no more: our side may still write) or an error (the connection is gone), with no bytes. */
typedef void gd_stream_read_fn(struct gd_stream *stream, enum gd_err err, struct gd_slice bytes);
typedef void gd_stream_fn(struct gd_stream *stream, enum gd_err err);
struct gd_stream {
    void *context;          /* The caller's. */
    gd_time_ns patience_ns; /* The caller's, of a stream that connects: when the other side has
                               answered for none of our bytes for so long (or for the connect
                               itself), the stream is gone (GD_ERR_TIMEOUT). 0: the world's own,
                               some 15 s. */
    /* World's. */
    struct gd_io *io;
    void *world;
    gd_stream_read_fn *on_read;
    gd_stream_fn *on_done;
    gd_stream_fn *on_closed;
};
/* `stream`: zeroed but for what is the caller's. `done` gets GD_OK, GD_ERR_REFUSED,
 * GD_ERR_UNREACHABLE, GD_ERR_TIMEOUT or GD_ERR_CANCELED (closed meanwhile); unless GD_OK the stream
 * still wants its close. Refused with GD_ERR_BUSY when the process has no descriptor left: no close
 * wanted then. */
GD_MUST_CHECK enum gd_err gd_stream_connect(struct gd_io *io, struct gd_stream *stream,
                                            const struct gd_address *address, gd_stream_fn *done);
/* Reads flow from here on; stop and start as back-pressure asks (both are idempotent). */
void gd_stream_read_start(struct gd_stream *stream, gd_stream_read_fn *on_read);
void gd_stream_read_stop(struct gd_stream *stream);

struct gd_write;
typedef void gd_write_fn(struct gd_write *write, enum gd_err err);
/* One write, gathered from up to GD_WRITE_SLICES places; they stay borrowed until `done`. */
#define GD_WRITE_SLICES 16
struct gd_write {
    struct gd_slice slices[GD_WRITE_SLICES];
    unsigned count;    /* 1..GD_WRITE_SLICES. */
    gd_write_fn *done; /* GD_OK; GD_ERR_RESET; GD_ERR_CANCELED when closed first. */
    void *context;     /* The caller's. */
    /* World's. */
    struct gd_stream *stream;
    struct gd_write *next;
    uint64_t reserved[64];
};
/* Writes go out in the order of the calls. Refused with GD_ERR_RESET on a broken stream. A caller
 * bounds what it has in flight: gd_stream_queued counts it. */
GD_MUST_CHECK enum gd_err gd_stream_write(struct gd_stream *stream, struct gd_write *write);
/* Bytes accepted and not yet taken by the peer's side of the world. */
size_t gd_stream_queued(const struct gd_stream *stream);
/* Sends FIN behind all writes accepted so far; reads go on. No callback. */
void gd_stream_shutdown(struct gd_stream *stream);
/* Ends everything: writes and a connect in flight complete with GD_ERR_CANCELED, no more reads,
 * then `closed(stream, GD_OK)` ends the loan. Exactly once a stream. */
void gd_stream_close(struct gd_stream *stream, gd_stream_fn *closed);
/* The other end's address, or "?" when it is gone. */
void gd_stream_peer(const struct gd_stream *stream, struct gd_address *address);

/* ---------------------------------------------------------------- disk */

#define GD_SECTOR_SIZE 512 /* Bytes: the unit of tearing (X2). */
#define GD_BLOCK_SIZE 4096 /* Bytes: the unit that caches and drives rewrite whole. */

/* Paths are relative to the process's own data directory, parts joined by '/', no "..". */
#define GD_DISK_PATH_SIZE 256

enum gd_disk_kind {
    GD_DISK_OPEN,          /* path, flags -> file */
    GD_DISK_CLOSE,         /* file; closed whatever is answered */
    GD_DISK_READ,          /* file, offset, data, size -> result: bytes; short only at the end */
    GD_DISK_WRITE,         /* file, offset, data, size: all of it or an error */
    GD_DISK_WRITE_DURABLE, /* the same, and durable when done (D1): one step where the OS has one */
    GD_DISK_SYNC,          /* file: data and what is needed to read it back, durable (D1) */
    GD_DISK_PREALLOCATE, /* file, size: at least that long, new bytes 0; GD_ERR_NO_SPACE: unchanged
                          */
    GD_DISK_TRUNCATE,    /* file, size: exactly that long */
    GD_DISK_SIZE,        /* file -> result: bytes */
    GD_DISK_RENAME,      /* path -> path_to, replacing it at one point */
    GD_DISK_UNLINK,      /* path */
    GD_DISK_LIST,        /* path ("" is the data directory) -> names */
    GD_DISK_MAKE_DIRECTORY, /* path; GD_OK when it is there already */
    GD_DISK_SYNC_DIRECTORY, /* path (D2) */
    GD_DISK_KIND_COUNT
};

enum gd_disk_flag {
    GD_DISK_CREATE = 1,    /* OPEN: make it when absent; without it absent is GD_ERR_NOT_FOUND. */
    GD_DISK_EXCLUSIVE = 2, /* OPEN: with CREATE, GD_ERR_EXISTS when present. */
    GD_DISK_READ_ONLY = 4  /* OPEN: for reads alone. */
};

/* An open file; filled by OPEN, ended by CLOSE. Any number of operations on it at a time. */
struct gd_file {
    /* World's. */
    int64_t handle;
    void *world;
};

struct gd_disk_op;
typedef void gd_disk_fn(struct gd_disk_op *op, enum gd_err err);
struct gd_disk_op {
    enum gd_disk_kind kind;
    struct gd_file *file; /* Borrowed until `done`; NULL for operations on paths. */
    const char *path;     /* Borrowed until `done`; shorter than GD_DISK_PATH_SIZE. */
    const char *path_to;  /* RENAME's target. */
    unsigned flags;       /* OPEN's, from enum gd_disk_flag. */
    uint64_t offset;      /* Bytes from the start of the file. Any alignment. */
    void *data;           /* READ fills it, WRITE reads it; borrowed until `done`. */
    uint64_t size;        /* Bytes. */
    gd_disk_fn *done;     /* Never NULL. */
    void *context;        /* The caller's. */
    /* Set when `done` runs with GD_OK. */
    uint64_t result;
    char *names; /* LIST: each terminated, sorted by bytes, an empty one at the end. Moved to the
                    caller, who gives it to gd_free. */
    /* World's. */
    struct gd_io *io;
    void *world;
    struct gd_disk_op *next;
};
/* Queue `op`. Never blocks; never copies `op->data`.
 *
 * Returns   GD_OK: accepted. GD_ERR_BUSY: the queue is full, `op` untouched.
 * To done   GD_OK; GD_ERR_NOT_FOUND, GD_ERR_EXISTS, GD_ERR_PERMISSION, GD_ERR_NO_SPACE (nothing of
 *           the write may be relied on), GD_ERR_IO. A failed SYNC or WRITE_DURABLE is final (X4).
 */
GD_MUST_CHECK enum gd_err gd_disk_submit(struct gd_io *io, struct gd_disk_op *op);

/* ---------------------------------------------------------------- for implementations */

struct gd_io_vtable {
    gd_time_ns (*now)(struct gd_io *io);
    int64_t (*wall_ms)(struct gd_io *io);
    void (*timer_start)(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline);
    void (*timer_stop)(struct gd_io *io, struct gd_timer *timer);
    uint64_t (*entropy)(struct gd_io *io, const char *purpose);
    void (*log)(struct gd_io *io, enum gd_log_level level, const char *line);
    enum gd_err (*listen)(struct gd_io *io, struct gd_listener *listener,
                          const struct gd_address *address, struct gd_error *error);
    void (*listener_address)(const struct gd_listener *listener, struct gd_address *address);
    enum gd_err (*listener_accept)(struct gd_listener *listener, struct gd_stream *stream);
    void (*listener_close)(struct gd_listener *listener, gd_listener_fn *closed);
    enum gd_err (*connect)(struct gd_io *io, struct gd_stream *stream,
                           const struct gd_address *address, gd_stream_fn *done);
    void (*read_start)(struct gd_stream *stream, gd_stream_read_fn *on_read);
    void (*read_stop)(struct gd_stream *stream);
    enum gd_err (*write)(struct gd_stream *stream, struct gd_write *write);
    size_t (*queued)(const struct gd_stream *stream);
    void (*shutdown)(struct gd_stream *stream);
    void (*close)(struct gd_stream *stream, gd_stream_fn *closed);
    void (*peer)(const struct gd_stream *stream, struct gd_address *address);
    enum gd_err (*disk_submit)(struct gd_io *io, struct gd_disk_op *op);
};
/* Implementations embed this as their FIRST member. */
struct gd_io {
    const struct gd_io_vtable *v;
};
#endif
