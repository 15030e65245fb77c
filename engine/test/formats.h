/* formats.h - the formats as they were released: files in formats/, never changed again.
 *
 * Whoever changes a format adds files beside these, and a version; the old ones must be read as
 * ever. A new file is made by the test that lacks it, with GD_FORMATS_WRITE set. */
#ifndef GANDALF_ENGINE_TEST_FORMATS_H
#define GANDALF_ENGINE_TEST_FORMATS_H
#include "engine/bytes.h"
#include "engine/test/test.h"
#include <stdio.h>
#include <stdlib.h>

/* The file's bytes, added to `bytes`. `present` is what this program writes for the same content:
 * as long as the version is the same, it is the same, byte for byte. */
static inline void formats_read(const char *name, struct gd_slice present, struct gd_bytes *bytes)
{
    char path[512];
    uint8_t buffer[4096];
    size_t got;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", GD_TEST_FORMATS, name);
    if (getenv("GD_FORMATS_WRITE") != NULL) {
        file = fopen(path, "wbx"); /* Never over one that is there. */
        if (file != NULL) {
            assert_int_equal(fwrite(present.data, 1, present.size, file), present.size);
            assert_int_equal(fclose(file), 0);
        }
    }
    file = fopen(path, "rb");
    assert_non_null(file);
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0) {
        gd_bytes_add(bytes, buffer, got);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(bytes->size, present.size);
    assert_memory_equal(bytes->data, present.data, present.size);
}
#endif
