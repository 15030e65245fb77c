/* database.h - the database that a configuration names, as the node wants it: Parser and Tracker.
 */
#ifndef GANDALF_IO_REAL_DATABASE_H
#define GANDALF_IO_REAL_DATABASE_H
#include "engine/node.h"
#include "io-real/config.h"

/* As struct gd_uv_program wants them. An error: this gandalf has no such database. */
enum gd_err gd_database_serve(const struct gd_node_config *config, struct gd_io *io,
                              struct gd_served *served, struct gd_error *error);
void gd_database_put_away(struct gd_served *served);
#endif
