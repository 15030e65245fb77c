/* zones.h - what unique values tell of one key's history before anything is searched. */
#ifndef GANDALF_SIM_ZONES_H
#define GANDALF_SIM_ZONES_H
#include "sim/record.h"

enum gd_sim_zones {
    GD_SIM_ZONES_OPEN,   /* Nothing is decided. */
    GD_SIM_ZONES_LEGAL,  /* An order was found and verified; `order` holds it. */
    GD_SIM_ZONES_ILLEGAL /* `text` says why. */
};
/* `operations`: the numbers of all operations on one key, none of them a transaction of other keys
 * too. `order` (room for `count`, may be NULL) gets the order found, operations that need not have
 * happened left out; `*placed` their number. */
enum gd_sim_zones gd_sim_zones(const struct gd_sim_record *record, const size_t *operations,
                               size_t count, size_t *order, size_t *placed, char *text,
                               size_t size);
#endif
