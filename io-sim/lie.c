/* lie.c - a read that lies once.
 *
 * Between a disk and its reader a bit may flip, or a sector be taken for another; the next read of
 * the same place brings the truth (io.h X3). Where a whole file is read at once only a part of it
 * is ever wrong, so a lie is one sector's. Files are allocated ahead: most of what is read are
 * zeros, which nobody would miss; and a reader of files errs at their ends. So it is a sector up to
 * the last one that holds something, half of the time one of the last few. */
#include "io-sim/store.h"
#include <string.h>

enum { ENDS = 8 }; /* From the end: so many sectors count as the last ones. */

void gd__disk_lie(struct gd_process *process, const struct gd_inode *inode, uint64_t offset,
                  uint8_t *data, uint64_t size)
{
    uint64_t end = size;
    uint64_t other;
    uint8_t bytes[GD_SECTOR_SIZE] = {0};

    while (end > 0 && data[end - 1] == 0) {
        end--;
    }
    if (end == 0) {
        return;
    }
    bool last = gd__below(process, GD_FOR_MISREAD, 2) == 0;
    uint64_t window = last && end > ENDS * GD_SECTOR_SIZE ? ENDS * GD_SECTOR_SIZE : end;
    uint64_t at = end - 1 - gd__below(process, GD_FOR_MISREAD, window);
    uint64_t begin = at - (offset + at) % GD_SECTOR_SIZE;
    begin = begin > at ? 0 : begin; /* The range begins within the sector. */
    uint64_t part = GD_SECTOR_SIZE - (offset + begin) % GD_SECTOR_SIZE;
    part = part < size - begin ? part : size - begin;
    if (gd__below(process, GD_FOR_MISREAD, 2) == 0) {
        data[at] ^= (uint8_t)(1u << gd__below(process, GD_FOR_MISREAD, 8));
    } else {
        other = gd__below(process, GD_FOR_MISREAD, inode->size / GD_SECTOR_SIZE + 1);
        (void)gd__inode_read(inode, GD_WORLD_CACHED, other * GD_SECTOR_SIZE, bytes, part);
        memcpy(data + begin, bytes, (size_t)part);
    }
    gd__count(process->world, GD_WORLD_COUNT_MISREADS);
    GD__TRACE(process->world, process->number, "lie", "a sector at offset %llu",
              (unsigned long long)(offset + begin));
}
