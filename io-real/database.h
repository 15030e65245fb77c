/* database.h - the database that a configuration names, as the node wants it: Parser and Tracker.
 */
#ifndef GANDALF_IO_REAL_DATABASE_H
#define GANDALF_IO_REAL_DATABASE_H
#include "engine/parser.h"
#include "engine/tracker.h"
#include "io-real/config.h"

struct gd_database;

/* NULL and `*error` when this gandalf has no such database. */
struct gd_database *gd_database_new(const struct gd_node_config *config, struct gd_io *io,
                                    struct gd_error *error);
/* Borrowed, both. */
struct gd_parser *gd_database_parser(struct gd_database *database);
struct gd_tracker *gd_database_tracker(struct gd_database *database);
/* When the node has stopped. */
void gd_database_free(struct gd_database *database);
#endif
