/* number.c - numbers as clients write them. The float is x87's or the platform's long double, as
 * the database whose replies these are has it; nodes of one cluster share a platform for it. */
#include "kvs/number.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t gd_number_format(int64_t number, char *to)
{
    char digits[20];
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    size_t count = 0, size = 0;

    do {
        digits[count++] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) {
        to[size++] = '-';
    }
    while (count > 0) {
        to[size++] = digits[--count];
    }
    return size;
}

bool gd_number_parse_unsigned(struct gd_slice text, uint64_t *number)
{
    uint64_t value = 0;

    if (text.size == 0 || text.size > 20 || (text.data[0] == '0' && text.size > 1)) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (digit > 9 || value > UINT64_MAX / 10 || value * 10 > UINT64_MAX - digit) {
            return false;
        }
        value = value * 10 + digit;
    }
    *number = value;
    return true;
}

bool gd_number_parse(struct gd_slice text, int64_t *number)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    uint64_t value;

    if (negative) {
        text.data++;
        text.size--;
    }
    if (!gd_number_parse_unsigned(text, &value) || (negative && value == 0) ||
        value > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        return false;
    }
    *number = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool gd_float_parse(struct gd_slice text, long double *number)
{
    char buffer[GD_FLOAT_SIZE];
    char *end;
    long double value;

    if (text.size == 0 || text.size >= sizeof buffer) {
        return false;
    }
    memcpy(buffer, text.data, text.size);
    buffer[text.size] = 0;
    if (buffer[0] == ' ' || (buffer[0] >= '\t' && buffer[0] <= '\r')) {
        return false;
    }
    errno = 0;
    value = strtold(buffer, &end);
    if (end != buffer + text.size || isnan(value) ||
        (errno == ERANGE && (isinf(value) || value == 0))) {
        return false;
    }
    *number = value;
    return true;
}

size_t gd_float_format(long double number, char *to)
{
    int written = snprintf(to, GD_FLOAT_SIZE, "%.17Lf", number);
    size_t size;

    if (written <= 0 || written >= GD_FLOAT_SIZE) {
        return 0;
    }
    size = (size_t)written;
    if (memchr(to, '.', size) != NULL) {
        while (to[size - 1] == '0') {
            size--;
        }
        if (to[size - 1] == '.') {
            size--;
        }
    }
    if (size == 2 && to[0] == '-' && to[1] == '0') {
        to[0] = '0';
        size = 1;
    }
    return size;
}
