/* base.c - the error table and the comparison of positions. */
#include "engine/base.h"
#include <stdarg.h>
#include <stdio.h>

int gd_position_compare(struct gd_position a, struct gd_position b)
{
    if (a.term != b.term) {
        return a.term < b.term ? -1 : 1;
    }
    if (a.index != b.index) {
        return a.index < b.index ? -1 : 1;
    }
    return 0;
}

const char *gd_err_text(enum gd_err err)
{
#define GD_ERR_CASE(name, number, text)                                                            \
    case name:                                                                                     \
        return text;
    switch (err) {
        GD_ERR_MAP(GD_ERR_CASE)
    }
    return "unknown error"; /* UNTESTED: every code is in the table. */
}

enum gd_err gd_error_set(struct gd_error *error, enum gd_err code, const char *format, ...)
{
    if (error != NULL) {
        va_list args;

        error->code = code;
        va_start(args, format);
        (void)vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
        /* One line, whatever a name or a value from outside brought into it. */
        for (char *at = error->text; *at != '\0'; at++) {
            if ((unsigned char)*at < ' ' || *at == 0x7f) {
                *at = '?';
            }
        }
    }
    return code;
}
