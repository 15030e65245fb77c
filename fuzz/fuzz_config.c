/* fuzz_config.c - a node's configuration as YAML.
 *
 * Holds: any bytes are a configuration or are refused with one line that names the file; what is
 * accepted has everything between its bounds, so that finishing it is accepted or refused alike. */
#include "engine/memory.h"
#include "io-real/config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(enum gd_err err, const struct gd_error *error)
{
    GD_ASSERT(err != GD_OK);
    GD_ASSERT(error->text[0] != '\0');
    GD_ASSERT(strchr(error->text, '\n') == NULL);
}

/* The reader takes a file's name: one file of this process's own, overwritten each time. */
static FILE *file_open(char *path, size_t size)
{
    const char *folder = getenv("TMPDIR");
    static FILE *file;

    (void)snprintf(path, size, "%s/fuzz_config.%ld", folder == NULL ? "/tmp" : folder,
                   (long)getpid());
    if (file == NULL) {
        file = fopen(path, "w+b");
        GD_ASSERT(file != NULL);
        (void)unlink(path); /* Gone by itself; read through the descriptor's own name. */
    }
    (void)snprintf(path, size, "/proc/self/fd/%d", fileno(file));
    return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gd_node_config config;
    struct gd_error error = {0};
    char path[256];
    FILE *file = file_open(path, sizeof path);
    enum gd_err err;

    GD_ASSERT(ftruncate(fileno(file), 0) == 0);
    GD_ASSERT(pwrite(fileno(file), data, size, 0) == (ssize_t)size);
    memset(&config, 0, sizeof config);
    gd_config_init(&config);
    err = gd_config_read(&config, path, &error);
    if (err != GD_OK) {
        check_error(err, &error);
        GD_ASSERT(strncmp(error.text, path, strlen(path)) == 0);
        return 0;
    }
    err = gd_config_finish(&config, &error);
    if (err != GD_OK) {
        check_error(err, &error);
        return 0;
    }
    GD_ASSERT(config.data_dir[0] != '\0');
    return 0;
}
