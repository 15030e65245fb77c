/* fuzz_directory.c - inspect, recover and restore, in front of any data directory and any backup.
 *
 * The first byte says which of two.
 *   Even: a directory. A sound one (a log; a log with a snapshot in it, ahead of it, against it) is
 *         damaged by what the input says: bytes, sectors, lengths, names. Holds: inspect tells and
 *         changes nothing; recover does what it is for exactly where inspect says that the node
 *         would start, else it refuses with a reason and inspect says the same as before; what was
 *         recovered has another cluster's id, a later boot, one member, one entry more, and
 *         recovers again.
 *   Odd:  a backup. Its body is the input's, its checksums are right, and then it may be damaged.
 *         Holds: a damaged one is refused with the place and nothing is written; what is restored
 * is sound, its boot above all of its origins'. */
#include "engine/inspect.h"
#include "engine/memory.h"
#include "engine/recover.h"
#include "engine/snapshot.h"
#include "engine/test/node_disk.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SHAPES = 4, LARGE = 600, DAMAGES_MAX = 12, DAMAGE = 5, BACKUP_SIZE_MAX = 16384 };

static const struct gd_address address = {"127.0.0.1:7001"};

static bool turn(void *context)
{
    return fake_step(context);
}

/* ---------------------------------------------------------------- a sound directory */

static const struct fake_disk *sound(unsigned shape)
{
    static const struct gd_position snapshots[SHAPES] = {{0, 0}, {2, 5}, {3, 20}, {3, 5}};
    static const uint8_t body[] = {0, 0, 0, 0, 'b', 'o', 'd', 'y'};
    static struct fake_disk disks[SHAPES];
    struct fake_disk *disk = &disks[shape];

    if (disk->name_count == 0) {
        fake_init(disk, shape);
        node_disk_log(disk, GD_BLOCK_SIZE, LARGE);
        if (snapshots[shape].index > 0) {
            node_disk_snapshot(disk, snapshots[shape], (struct gd_slice){body, sizeof body});
        }
        fake_run(disk);
        GD_ASSERT(fake_heap() == 0);
    }
    return disk;
}

/* ---------------------------------------------------------------- damage */

static bool is_file(const struct fake_disk *disk, size_t place)
{
    return disk->names[place].now >= 0 && disk->inodes[disk->names[place].now].now != NULL;
}

/* Both images of the file, as they are in `bytes`. */
static void put(struct fake_disk *disk, const char *path, const struct gd_bytes *bytes)
{
    char copy[64];

    (void)snprintf(copy, sizeof copy, "%s", path);
    fake_put(disk, copy, gd_bytes_slice(bytes));
}

/* The same folder, another number in the name. */
static void other_name(const char *path, uint8_t detail, char *to)
{
    static const char digits[] = "0123456789abcdef";
    char *dot;

    (void)snprintf(to, 64, "%s", path);
    dot = strrchr(to, '.');
    if (dot != NULL && dot > to) {
        dot[-1] = digits[detail % 16];
    }
}

/* One change to `bytes`; false when the file is to go. */
static bool change(struct gd_bytes *bytes, const uint8_t *how, size_t *length)
{
    size_t at = (how[2] | (size_t)how[3] << 8) % (*length + 1);
    size_t left = *length - at;

    switch (how[0] % 8) {
    case 0:
    case 1:
        if (left > 0) {
            bytes->data[at] ^= how[4] == 0 ? 1 : how[4];
        }
        return true;
    case 2:
        *length = bytes->size = at;
        return true;
    case 3: /* A sector of zeros, or of something. */
        at -= at % 512;
        memset(bytes->data + at, how[4], *length - at < 512 ? *length - at : 512);
        return true;
    case 4:
        memset(gd_bytes_reserve(bytes, 512), how[4], 512);
        *length = bytes->size += 512;
        return true;
    case 5: /* A piece once more, elsewhere. */
        memmove(bytes->data + at, bytes->data + left / 2,
                left / 2 < how[4] ? left / 2 : (size_t)how[4]);
        return true;
    case 6:
        return true; /* Under another name. */
    default:
        return false;
    }
}

static void damage(struct fake_disk *disk, const uint8_t *how)
{
    size_t place = how[1] % disk->name_count, length;
    struct gd_bytes bytes = {0};
    const struct fake_inode *inode;
    char path[64];

    if (!is_file(disk, place)) {
        return;
    }
    inode = &disk->inodes[disk->names[place].now];
    gd_bytes_add(&bytes, inode->now, (size_t)inode->now_size);
    (void)gd_bytes_reserve(&bytes, 1);
    (void)snprintf(path, sizeof path, "%s", disk->names[place].path);
    length = bytes.size;
    if (!change(&bytes, how, &length)) {
        disk->names[place].now = disk->names[place].durable = -1;
    } else {
        if (how[0] % 8 == 6) {
            other_name(disk->names[place].path, how[4], path);
        }
        put(disk, path, &bytes);
    }
    gd_bytes_release(&bytes);
}

/* ---------------------------------------------------------------- what holds */

static uint64_t digest_of(const struct fake_disk *disk)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < disk->name_count; i++) {
        if (is_file(disk, i)) {
            const struct fake_inode *inode = &disk->inodes[disk->names[i].now];
            uint32_t name = gd_crc32c(0, disk->names[i].path, strlen(disk->names[i].path));
            sum += gd_prng_mix(name, gd_crc32c(name, inode->now, (size_t)inode->now_size));
        }
    }
    return sum;
}

/* What is found; without the lists, which are let go. */
static void look(struct fake_disk *disk, struct gd_inspect *found)
{
    struct gd_offline offline = {&disk->io, turn, disk};
    struct gd_inspect look_at = {0}, *inspect = &look_at;
    struct gd_bytes text = {0};
    struct gd_error error = {0};
    uint64_t before = digest_of(disk);

    GD_ASSERT(gd_inspect(&offline, inspect, &error) == GD_OK);
    GD_ASSERT(digest_of(disk) == before);
    GD_ASSERT(!inspect->sound || inspect->usable);
    GD_ASSERT(inspect->sound == (inspect->problem_count == 0));
    gd_inspect_text(inspect, "data", &text);
    gd_inspect_json(inspect, "data", &text);
    gd_bytes_release(&text);
    *found = *inspect;
    gd_inspect_release(inspect);
}

static bool same(const struct gd_inspect *a, const struct gd_inspect *b)
{
    return a->empty == b->empty && a->usable == b->usable && a->sound == b->sound &&
           a->identity.cluster_id == b->identity.cluster_id &&
           a->identity.boot == b->identity.boot && gd_position_compare(a->last, b->last) == 0 &&
           a->entry_count == b->entry_count;
}

static void recover(struct fake_disk *disk)
{
    struct gd_offline offline = {&disk->io, turn, disk};
    struct gd_inspect before, after;
    struct gd_recovered recovered;

    look(disk, &before);
    for (int again = 0; again < 2; again++) {
        struct gd_error error = {0};
        enum gd_err err = gd_recover(&offline, &address, &recovered, &error);
        fake_run(disk);
        look(disk, &after);
        GD_ASSERT((err == GD_OK) == (before.usable && !before.empty));
        if (err != GD_OK) {
            GD_ASSERT(error.text[0] != '\0');
            GD_ASSERT(same(&before, &after));
            return;
        }
        GD_ASSERT(after.usable && !after.empty);
        GD_ASSERT(after.identity.cluster_id != before.identity.cluster_id);
        GD_ASSERT(after.identity.cluster_id == recovered.identity.cluster_id);
        GD_ASSERT(after.identity.boot > before.identity.boot);
        GD_ASSERT(after.hard_state.term > before.hard_state.term);
        /* A log that the snapshot contradicts goes, and inspect counts it until then. */
        GD_ASSERT(after.last.index > before.last.index ||
                  after.last.index == before.snapshot.index + 1);
        GD_ASSERT(gd_position_compare(after.last, recovered.last) == 0);
        GD_ASSERT(after.config.count == 1);
        before = after;
    }
}

static void directory(struct gd_slice input)
{
    static struct fake_disk disk;

    fake_copy(&disk, sound(input.data[0] % SHAPES));
    for (size_t i = 0; i < DAMAGES_MAX && 1 + (i + 1) * DAMAGE <= input.size; i++) {
        damage(&disk, input.data + 1 + i * DAMAGE);
    }
    recover(&disk);
    GD_ASSERT(fake_heap() == 0);
    fake_release(&disk);
}

/* ---------------------------------------------------------------- a backup */

static struct backup {
    uint8_t data[BACKUP_SIZE_MAX];
    size_t size;
} backup;

static enum gd_err backup_read(void *context, uint64_t offset, uint8_t *to, size_t size,
                               size_t *got)
{
    (void)context;
    *got = offset >= backup.size ? 0 : backup.size - (size_t)offset;
    *got = *got < size ? *got : size;
    memcpy(to, backup.data + offset, *got);
    return GD_OK;
}

/* Returns whether it is damaged. */
static bool make_backup(struct gd_slice body, uint8_t kind, uint8_t place, uint8_t detail)
{
    static struct fake_disk disk;
    const struct fake_inode *file;
    size_t at;

    fake_init(&disk, 2);
    node_disk_snapshot(&disk, (struct gd_position){3, 40}, body);
    file = fake_file(&disk, "snapshot/0000000000000003-0000000000000028.snap");
    GD_ASSERT(file != NULL && file->now_size <= sizeof backup.data);
    backup.size = (size_t)file->now_size;
    memcpy(backup.data, file->now, backup.size);
    fake_release(&disk);
    at = backup.size * place / 256;
    if (kind % 4 == 1) {
        backup.data[at] ^= detail == 0 ? 1 : detail;
    } else if (kind % 4 == 2) {
        backup.size = at;
    }
    return kind % 4 == 1 || kind % 4 == 2;
}

static void restore(struct gd_slice input)
{
    static const struct gd_snapshot_source source = {backup_read, NULL};
    static struct fake_disk disk;
    struct gd_offline offline = {&disk.io, turn, &disk};
    bool damaged = make_backup((struct gd_slice){input.data + 3, input.size - 3}, input.data[0],
                               input.data[1], input.data[2]);
    struct gd_inspect inspect;
    struct gd_recovered recovered = {0};
    struct gd_config config;
    struct gd_error error = {0};
    enum gd_err err;

    fake_init(&disk, 3);
    GD_ASSERT(gd_members_number(&address, 1, &config, &error) == GD_OK);
    err = gd_restore(&offline, &source, &config, &address, &recovered, &error);
    GD_ASSERT(err != GD_OK || !damaged);
    if (err == GD_OK) {
        fake_run(&disk);
        look(&disk, &inspect);
        GD_ASSERT(inspect.sound && !inspect.empty);
        GD_ASSERT(inspect.last.index == 40 && inspect.snapshot.index == 40);
        GD_ASSERT(inspect.identity.boot == recovered.identity.boot && inspect.identity.boot > 0);
    } else {
        GD_ASSERT(strstr(error.text, "offset") != NULL);
        GD_ASSERT(disk.steps == 0);
    }
    GD_ASSERT(fake_heap() == 0);
    fake_release(&disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 6 || size > 4096) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        directory((struct gd_slice){data + 1, size - 1});
    } else {
        restore((struct gd_slice){data + 1, size - 1});
    }
    return 0;
}
