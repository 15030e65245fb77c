/* options.h - arguments that several commands share. Each replies with the error itself and returns
 * false. */
#ifndef GANDALF_KVS_OPTIONS_H
#define GANDALF_KVS_OPTIONS_H
#include "kvs/command.h"

/* A deadline from a time that must be above 0: SET EX and the like. */
bool gd_option_deadline(struct gd_command_context *c, struct gd_slice time, bool is_seconds,
                        bool is_absolute, int64_t *deadline_ms);
/* "ERR invalid expire time in 'name' command". */
void gd_option_deadline_error(struct gd_command_context *c);
/* Whether a value of `size` + `more` bytes is allowed. */
bool gd_option_size_fits(struct gd_command_context *c, uint64_t size, uint64_t more);
/* A range that may count from the end, cut to [0, size); false (no error) when it is empty. */
bool gd_option_range(size_t size, int64_t *start, int64_t *end);
/* A pattern with * ? [a-z] [^a] and \ against bytes. */
bool gd_pattern_matches(struct gd_slice pattern, struct gd_slice text);
#endif
