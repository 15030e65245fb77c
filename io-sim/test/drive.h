/* drive.h - drives a simulated world from a test: one operation at a time, to its end. */
#ifndef GANDALF_IO_SIM_TEST_DRIVE_H
#define GANDALF_IO_SIM_TEST_DRIVE_H
#include "engine/test/test.h"
#include "io-sim/world.h"

/* A world with `count` running processes without code: hosts 10.0.0.1, 10.0.0.2 ... */
struct gd_world *drive_world(const struct gd_world_options *options, unsigned count);

/* Submits, runs the world until it is told, and returns what was told. GD_ERR_STOPPED when the
 * process crashed instead. */
enum gd_err drive_op(struct gd_world *world, uint32_t process, struct gd_disk_op *op);
enum gd_err drive_open(struct gd_world *world, uint32_t process, const char *path, unsigned flags,
                       struct gd_file *file);
enum gd_err drive_put(struct gd_world *world, uint32_t process, enum gd_disk_kind kind,
                      struct gd_file *file, uint64_t offset, const void *data, size_t size);
enum gd_err drive_file(struct gd_world *world, uint32_t process, enum gd_disk_kind kind,
                       struct gd_file *file, uint64_t size);
enum gd_err drive_path(struct gd_world *world, uint32_t process, enum gd_disk_kind kind,
                       const char *path, const char *path_to);
/* Lets so much of the world's time go by. */
void drive_for(struct gd_world *world, uint64_t time_ms);

/* One end of a connection and all that it was told. */
struct drive_end {
    struct gd_stream stream;
    struct gd_world *world;
    uint32_t process;
    bool connected, connect_told, closed;
    enum gd_err connect_err;
    uint8_t got[1 << 20];
    size_t got_size;
    unsigned read_count, end_count;
    enum gd_err end_err;
    struct gd_write writes[256];
    unsigned write_count, write_ok, write_failed;
};
struct drive_server {
    struct gd_listener listener;
    struct drive_end *end; /* The next connection goes here; NULL: nobody takes it. */
    unsigned accepted;
};
void drive_listen(struct gd_world *world, uint32_t process, uint16_t port,
                  struct drive_server *server, struct drive_end *end);
extern gd_time_ns drive_patience_ns; /* Of the streams that connect from here on; 0 at first. */
/* Begins to connect; gd_world_run_until brings the rest. */
void drive_connect(struct gd_world *world, uint32_t process, const char *address,
                   struct drive_end *end);
/* `data` must stay. */
enum gd_err drive_send(struct drive_end *end, const void *data, size_t size);
void drive_read(struct drive_end *end);
void drive_close(struct drive_end *end);
#endif
