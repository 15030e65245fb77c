/* number.h - 64-bit integers in decimal, and the one long double of INCRBYFLOAT. */
#ifndef GANDALF_KVS_NUMBER_H
#define GANDALF_KVS_NUMBER_H
#include "engine/base.h"

/* Writes at most 20 characters, unterminated; returns how many. */
size_t gd_number_format(int64_t number, char *to);
/* Strict: the canonical form alone ("-0", "+1", "01", " 1" are refused). */
bool gd_number_parse(struct gd_slice text, int64_t *number);
/* The same for numbers up to 2^64 - 1, without sign. */
bool gd_number_parse_unsigned(struct gd_slice text, uint64_t *number);
/* A finite or infinite decimal or hexadecimal float that fills the whole of `text`, no blank in
 * front; never "nan". */
bool gd_float_parse(struct gd_slice text, long double *number);
/* Seventeen digits after the point, trailing zeros cut, "-0" as "0": what INCRBYFLOAT stores.
 * `to` holds GD_FLOAT_SIZE; returns the length, 0 when it does not fit. */
#define GD_FLOAT_SIZE 5120
size_t gd_float_format(long double number, char *to);
#endif
