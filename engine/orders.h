/* orders.h - an operator's orders to a node, as words: for Parsers that have them in their
 * protocol.
 *
 *   snapshot
 *   transfer [id]
 *   add id host:port [learner] [force]      promote id [force]      remove id [force]
 *   replace id new-id host:port [force]     move id host:port [force]
 *   backup [id index offset size]           (struct gd_admin says of what) */
#ifndef GANDALF_ENGINE_ORDERS_H
#define GANDALF_ENGINE_ORDERS_H
#include "engine/parser.h"

/* Reads one order.
 *
 * Returns   GD_OK: `*admin` is it, for a request of kind GD_REQUEST_ADMIN. GD_ERR_NOT_FOUND: no
 *           order begins with that word. GD_ERR_INVALID: the words behind it do not fit. `*admin`
 *           is unchanged then. */
GD_MUST_CHECK enum gd_err gd_order_read(const struct gd_slice *words, size_t count,
                                        struct gd_admin *admin);
#endif
