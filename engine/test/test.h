/* test.h - cmocka and the headers that it needs. */
#ifndef GANDALF_ENGINE_TEST_TEST_H
#define GANDALF_ENGINE_TEST_TEST_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#endif
