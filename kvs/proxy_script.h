/* proxy_script.h - what can be seen of a script that does not do the same on each replica. */
#ifndef GANDALF_KVS_PROXY_SCRIPT_H
#define GANDALF_KVS_PROXY_SCRIPT_H
#include "engine/base.h"

/* Whether the name, in lower case, is of a command that brings a script along or names one. */
bool gd_proxy_is_script(const char *name);
/* Why a script (a command that gd_proxy_is_script knows, with its arguments) is not let through:
 * the error's text, static; NULL: nothing is seen. */
const char *gd_proxy_script_refusal(const char *name, const struct gd_slice *args, size_t count);
#endif
