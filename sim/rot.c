/* rot.c - where on a disk bits flip.
 *
 * Files are allocated ahead and padded to whole blocks, so most places of a disk hold zeros that
 * nobody reads, and of those that hold something most are in the midst of a long file. Yet a reader
 * of files errs at their ends: what is the last that counts, and what is still told of it behind.
 * So a place is drawn by what is written there: anywhere; in any block that holds something; or in
 * the last such blocks, or the first. */
#include "sim/rot.h"
#include <stdio.h>

enum place { PLACE_ANYWHERE, PLACE_WRITTEN, PLACE_LAST, PLACE_FIRST, PLACE_COUNT };

/* Bytes that flips may be apart. */
#define WINDOW 64
/* From an end: so many blocks count as the last ones, or the first. */
#define ENDS 4

bool gd_sim_rot_file(const struct gd_world *world, unsigned process, struct gd_prng *prng,
                     char name[GD_DISK_PATH_SIZE])
{
    const char *path = NULL;
    const char *chosen = NULL;
    uint64_t files = 0;
    while ((path = gd_world_file_next(world, process, GD_WORLD_DURABLE, path)) != NULL) {
        if (gd_prng_chance(prng, 1, ++files)) {
            chosen = path;
        }
    }
    (void)snprintf(name, GD_DISK_PATH_SIZE, "%s", chosen != NULL ? chosen : "");
    return chosen != NULL;
}

/* Up to the last byte of a block that is not zero; 0: there is none. */
static uint64_t written_in(const struct gd_world *world, unsigned process, const char *name,
                           uint64_t block)
{
    uint8_t bytes[GD_BLOCK_SIZE];
    uint64_t size = gd_world_file_read(world, process, GD_WORLD_DURABLE, name,
                                       block * GD_BLOCK_SIZE, bytes, sizeof bytes);
    while (size > 0 && bytes[size - 1] == 0) {
        size--;
    }
    return size;
}

/* The `turn`-th block that holds something (0: the first), or, `back`, that many from the end; its
 * number into `*block`. False: there are fewer. */
static bool find_block(const struct gd_world *world, unsigned process, const char *name,
                       uint64_t blocks, uint64_t turn, bool back, uint64_t *block)
{
    for (uint64_t i = 0; i < blocks; i++) {
        *block = back ? blocks - 1 - i : i;
        if (written_in(world, process, name, *block) > 0 && turn-- == 0) {
            return true;
        }
    }
    return false;
}

void gd_sim_rot(struct gd_world *world, unsigned process, struct gd_prng *prng, const char *name)
{
    uint64_t size = 0, block = 0, blocks, turn, written = 0;
    if (!gd_world_file_size(world, process, GD_WORLD_DURABLE, name, &size) || size == 0) {
        return;
    }
    uint64_t offset = gd_prng_below(prng, size), window = WINDOW;
    unsigned bits = (unsigned)gd_prng_between(prng, 1, 8);
    enum place place = (enum place)gd_prng_below(prng, PLACE_COUNT);
    blocks = (size + GD_BLOCK_SIZE - 1) / GD_BLOCK_SIZE;
    turn = gd_prng_below(prng, ENDS);
    if (place == PLACE_WRITTEN) { /* Of all up to the last one. */
        turn = find_block(world, process, name, blocks, 0, true, &block)
                   ? gd_prng_below(prng, block + 1)
                   : 0;
    }
    if (place != PLACE_ANYWHERE &&
        find_block(world, process, name, blocks, turn, place == PLACE_LAST, &block)) {
        GD_REACHED("simulated rot where something is written");
        written = written_in(world, process, name, block);
        offset = block * GD_BLOCK_SIZE + gd_prng_below(prng, written);
        window = (block * GD_BLOCK_SIZE + written) - offset;
        window = window < WINDOW ? window : WINDOW;
    }
    (void)gd_world_rot(world, process, name, offset, window, bits);
}
