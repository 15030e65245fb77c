/* recover.h - a cluster that lost its majority goes on from one node; a cluster that was lost goes
 * on from a backup. Both on stopped nodes, both under a new cluster id. Design: recover.c. */
#ifndef GANDALF_ENGINE_RECOVER_H
#define GANDALF_ENGINE_RECOVER_H
#include "engine/offline.h"
#include "engine/snapshot_walk.h"
#include "engine/wal.h"

struct gd_recovered {
    struct gd_wal_identity identity; /* From now on. */
    struct gd_position last;         /* Of the log, with the configuration that was added. */
};
/* Make this node the only member of a new cluster, with everything that its log holds.
 * `address`: where peers will reach it.
 *
 * Returns   GD_OK. Else `*error`, and the directory is as it was, or this node waits for a second
 *           try (V2): nothing is lost either way. */
GD_MUST_CHECK enum gd_err gd_recover(const struct gd_offline *offline,
                                     const struct gd_address *address,
                                     struct gd_recovered *recovered, struct gd_error *error);

/* The members of a cluster that begins: numbered from 1 in the order of their addresses, as a first
 * start does. GD_ERR_INVALID: none, too many, or one twice. */
GD_MUST_CHECK enum gd_err gd_members_number(const struct gd_address *addresses, size_t count,
                                            struct gd_config *config, struct gd_error *error);
/* Fill an empty directory with a backup, as the node at `self` (an address in `config`). Every
 * member gets the same backup and the same `config`. */
GD_MUST_CHECK enum gd_err gd_restore(const struct gd_offline *offline,
                                     const struct gd_snapshot_source *source,
                                     const struct gd_config *config, const struct gd_address *self,
                                     struct gd_recovered *recovered, struct gd_error *error);
#endif
