/* sanitizer_options.c - the address sanitizer's settings in a fuzz target.
 *
 * Freed memory is held back so that a late use of it is found. The default, 256 MiB, makes every
 * run work on pages that the system has to clear first, which takes up to two thirds of the time; a
 * run frees far less than what is held back here. */

/* The sanitizer asks for it by this name. */
/* NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming) */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "quarantine_size_mb=8";
}
/* NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming) */
