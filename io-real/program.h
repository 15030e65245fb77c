/* program.h - a whole node as one function: what `gandalf` is for its own databases, a program of a
 * few lines is for yours. */
#ifndef GANDALF_IO_REAL_PROGRAM_H
#define GANDALF_IO_REAL_PROGRAM_H
#include "engine/node.h"
#include "io-real/config.h"

struct gd_uv_program {
    const char *name;    /* For messages: "gandalf". */
    const char *version; /* For --version. */
    /* Makes the database, in memory of gd_malloc. `config` and `io` outlive it.
     *
     * Returns   GD_OK and `*served`; or an error, and `*error` says what is wrong. */
    enum gd_err (*serve)(const struct gd_node_config *config, struct gd_io *io,
                         struct gd_served *served, struct gd_error *error);
    /* The node has stopped and its Tracker is closed. */
    void (*put_away)(struct gd_served *served);
};
/* From the command line (--config FILE, every key as a flag, --help, --version, --check-config) to
 * the exit status: 0 fine, 1 the machine is at fault (a directory, a port, a damaged log), 2 the
 * command line or the configuration is, 70 the program is. */
int gd_uv_main(int argc, char **argv, const struct gd_uv_program *program);
#endif
