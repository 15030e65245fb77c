/* tools_internal.h - shared by tools.c and backup.c. */
#ifndef GANDALF_IO_REAL_TOOLS_INTERNAL_H
#define GANDALF_IO_REAL_TOOLS_INTERNAL_H
#include "engine/base.h"

enum { GD_TOOL_FINE = 0, GD_TOOL_WRONG = 1, GD_TOOL_USAGE = 2 };

struct gd__tool_flag {
    const char *name;  /* With its dashes. */
    bool yes;          /* Takes no value. */
    const char *value; /* NULL: not given. */
};
/* `*plain_count` is how many words without dashes fit, then how many there are. */
GD_MUST_CHECK bool gd__tool_flags(int argc, char *const *argv, struct gd__tool_flag *flags,
                                  size_t flag_count, const char **plain, size_t *plain_count,
                                  struct gd_error *error);
int gd__tool_complain(const struct gd_error *error, int status);
/* For reading; -1 and `*error`. */
int gd__tool_open(const char *path, struct gd_error *error);
int gd__backup_command(int argc, char *const *argv);
#endif
