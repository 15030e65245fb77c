/* replay_main.c - runs a fuzz target over files, for builds without libFuzzer.
 *
 * usage: TARGET FILE|FOLDER... ; what is absent is passed over. Prints how many inputs were run. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0, got;

    if (file == NULL) {
        return 0;
    }
    do {
        uint8_t *more = realloc(data, size + 65536);
        if (more == NULL) {
            abort();
        }
        data = more;
        got = fread(data + size, 1, 65536, file);
        size += got;
    } while (got > 0);
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

static int run_path(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    int count = 0;

    if (folder == NULL) {
        return run_file(path);
    }
    while ((entry = readdir(folder)) != NULL) {
        char inner[4096];
        if (entry->d_name[0] != '.') {
            (void)snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
            count += run_file(inner);
        }
    }
    (void)closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++) {
        count += run_path(argv[i]);
    }
    printf("%d inputs run\n", count);
    return 0;
}
