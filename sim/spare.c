/* spare.c - see spare.h.
 *
 * A node keeps two snapshots for the day on which one proves damaged: the older one, and the log
 * behind it, hold all that the newest does. So a node of which nothing but one of two snapshots was
 * damaged has lost nothing, and all that is checked of a whole disk holds for it: it must come
 * back, with everything. With one exception: a snapshot that came from a leader takes the place of
 * the log, which then begins behind it and need not reach the older one. Who has taken the newest
 * itself had the log for it; who lost the end of that, not yet synced, to the power, and came back
 * with a log that ends below its own snapshot, begins behind it, too. */
#include "sim/spare.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ".../TERM-INDEX.snap": its index; 0: it is something else. */
static uint64_t index_of(const char *path)
{
    const char *name = strrchr(path, '/');
    uint64_t term = 0, index = 0;
    char end[8] = "";
    name = name != NULL ? name + 1 : path;
    bool is = strlen(name) == 38 &&
              sscanf(name, "%16" SCNx64 "-%16" SCNx64 "%7s", &term, &index, end) == 3 &&
              strcmp(end, ".snap") == 0;
    return is ? index : 0;
}

bool gd_sim_spare_covers(struct gd_sim_spare *spare, const struct gd_world *world, uint32_t id,
                         const char *name, uint64_t took)
{
    const char *path = NULL;
    uint64_t hit = index_of(name), newest = 0, size;
    unsigned count = 0;
    bool still = spare->spoiled[0] != '\0' && strcmp(spare->spoiled, name) != 0 &&
                 gd_world_file_size(world, id, GD_WORLD_DURABLE, spare->spoiled, &size);
    while ((path = gd_world_file_next(world, id, GD_WORLD_DURABLE, path)) != NULL) {
        uint64_t index = index_of(path);
        count += index != 0 ? 1 : 0;
        newest = index > newest ? index : newest;
    }
    if (hit == 0 || still || count != 2 || (hit == newest && hit != took)) {
        return false;
    }
    GD_REACHED("simulated damage to one snapshot of two");
    (void)snprintf(spare->spoiled, sizeof spare->spoiled, "%s", name);
    return true;
}
