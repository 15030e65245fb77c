/* net.h - connections between simulated processes: what net.c (sockets) and pipe.c (bytes under
 * way) share. Not for anyone else. */
#ifndef GANDALF_IO_SIM_NET_H
#define GANDALF_IO_SIM_NET_H
#include "io-sim/world_internal.h"

/* Bytes that travel, and wait to be read, together. */
struct gd_chunk {
    struct gd_chunk *next;
    gd_time_ns at;      /* Arrival. */
    size_t size, begin; /* Bytes; so many of them are read already. */
    bool fin, reset;    /* Instead of bytes. */
    uint8_t data[];
};
struct gd_chunks {
    struct gd_chunk *head, *last;
};

/* One direction of a connection. */
struct gd_pipe {
    struct gd_connection *connection;
    unsigned side; /* Whose writes it carries. */
    /* At the sender's. */
    struct gd_write *head, *last; /* The process's memory. */
    size_t queued_size;           /* Bytes of these not yet sent. */
    size_t head_put;              /* Bytes of the head that are sent. */
    bool want_fin, sent_fin;
    bool ack_held; /* Room in the window that the sender cannot hear of: the way back is cut. */
    struct gd_world_event send;
    /* Framed: what is not a whole frame yet. */
    uint8_t *assembly;
    size_t assembly_size, assembly_capacity;
    uint64_t frame_count;
    /* Under way: by arrival. */
    struct gd_chunks way;
    gd_time_ns last_arrival;
    size_t under_way; /* Bytes sent and not read. */
    bool held;        /* The first cannot arrive (a cut, a dead machine). */
    struct gd_world_event arrive, timeout;
    /* At the receiver's. */
    struct gd_chunks in;
    struct gd_world_event read;
};

struct gd_end {
    struct gd_ring ring; /* In process->ends, while there is a stream. */
    struct gd_connection *connection;
    struct gd_process *process;
    struct gd_stream *stream; /* The process's memory; NULL when nobody has it. */
    gd_time_ns patience_ns;   /* The stream's; 0: the link's. */
    uint16_t port;
    bool exists;     /* The server's does once the SYN has arrived. */
    bool gone;       /* Closed, or its process crashed: its machine knows it no more. */
    bool connecting; /* `done` has not been told. */
    bool connected;  /* It was told, with GD_OK. */
    bool reading, read_ended, closing;
    bool broken;            /* No more bytes either way ... */
    enum gd_err broken_err; /* ... told by this. */
    enum gd_err connect_err;
    struct gd_world_event tell, closed;
};

struct gd_connection {
    struct gd_ring ring; /* world->connections. */
    struct gd_world *world;
    uint64_t number;
    struct gd_end ends[2];   /* [0] connected to [1]. */
    struct gd_pipe pipes[2]; /* [i] from ends[i] to the other. */
    bool framed, black_hole;
    bool dialed;  /* The SYN has been answered. */
    bool pending; /* Waits for `incoming`. */
    unsigned tries;
    struct gd_listening *listening; /* While pending; NULL once it is closed. */
    struct gd_world_event syn, expire, incoming;
};

struct gd_listening {
    struct gd_ring ring; /* process->listeners. */
    struct gd_process *process;
    struct gd_listener *listener; /* The process's memory. */
    struct gd_address address;
    uint16_t port;
    bool closing;
    gd_listener_fn *on_closed;
    struct gd_connection *waiting; /* Inside `incoming`. */
    struct gd_world_event closed;
};

static inline struct gd_connection *gd__connection(struct gd_ring *ring)
{
    return GD_CONTAINER(ring, struct gd_connection, ring);
}
static inline struct gd_end *gd__other(struct gd_end *end)
{
    struct gd_connection *connection = end->connection;

    return end == &connection->ends[0] ? &connection->ends[1] : &connection->ends[0];
}
/* What `end` writes into, and reads from. */
static inline struct gd_pipe *gd__pipe_out(struct gd_end *end)
{
    return &end->connection->pipes[end == &end->connection->ends[0] ? 0 : 1];
}
static inline struct gd_pipe *gd__pipe_in(struct gd_end *end)
{
    return &end->connection->pipes[end == &end->connection->ends[0] ? 1 : 0];
}

/* pipe.c */
void gd__pipe_init(struct gd_pipe *pipe, struct gd_connection *connection, unsigned side);
/* The processes of both ends are known: events get theirs. */
void gd__pipe_bind(struct gd_pipe *pipe);
void gd__pipe_free(struct gd_pipe *pipe);
gd_time_ns gd__latency(struct gd_process *from, struct gd_process *to);
/* Behind all bytes so far: the end of the stream, or its reset. */
void gd__pipe_finish(struct gd_pipe *pipe, bool reset);
/* Forgets all that waits at the sender's, at the receiver's. */
void gd__pipe_drop_writes(struct gd_pipe *pipe);
void gd__pipe_watch_silence(struct gd_pipe *pipe);
void gd__pipe_drop_reads(struct gd_pipe *pipe);
/* Takes all writes off the queue and tells them. */
void gd__pipe_cancel(struct gd_pipe *pipe, enum gd_err err);
/* Schedules the next read, if there is anything to tell and somebody who asked. */
void gd__pipe_wake_reader(struct gd_pipe *pipe, gd_time_ns delay);
/* What was held may go on. */
void gd__pipe_release(struct gd_pipe *pipe);

/* net.c: the connection's end is broken; its process is told. */
void gd__end_break(struct gd_end *end, enum gd_err err);
#endif
