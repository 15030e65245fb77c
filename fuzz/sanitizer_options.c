/* sanitizer_options.c - the address sanitizer's settings in a fuzz target.
 *
 * Freed memory is held back so that a late use of it is found. The default, 256 MiB, makes every
 * run work on pages that the system has to clear first, which takes up to two thirds of the time; a
 * run frees far less than what is held back here. */
const char *__asan_default_options(void); /* NOLINT(bugprone-reserved-identifier): its name. */

const char *__asan_default_options(void) /* NOLINT(bugprone-reserved-identifier) */
{
    return "quarantine_size_mb=8";
}
