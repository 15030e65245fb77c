/* json_text.h - bytes in a history's JSON: a string when they are UTF-8, else {"base64": "..."}. */
#ifndef GANDALF_SIM_JSON_TEXT_H
#define GANDALF_SIM_JSON_TEXT_H
#include "engine/bytes.h"

void gd_sim_json_text(struct gd_bytes *to, const void *data, size_t size);
/* The bytes that `text` (RFC 4648, with its padding) stands for, added to `to`; false when it is
 * none. */
bool gd_sim_base64_decode(struct gd_bytes *to, struct gd_slice text);
#endif
