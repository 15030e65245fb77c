/* fuzz_snapshot.c - the store of snapshots, in front of any files and behind any crash.
 *
 * The first byte says which of two.
 *   Even: operations. Four lives write snapshots of fuzzed sizes; each ends in a crash at a fuzzed
 *         step, or by itself. Holds: what was told as stored is there and whole, or newer ones are;
 *         never one that was not begun; each body reads back byte for byte.
 *   Odd:  images. Snapshot files are built from the input, with right checksums or damaged, or are
 *         raw bytes. Holds: the store opens; a body that reads to its end is one that was built;
 *         all else is refused with a text; nothing is left in memory. */
#include "engine/memory.h"
#include "engine/snapshot.h"
#include "engine/snapshot_format.h"
#include "engine/test/fake_disk.h"
#include <inttypes.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIVES = 4, FILES_MAX = 4, BODY_MAX = 3000 };

static struct model {
    struct fake_disk disk;
    struct gd_snapshot_store *store;
    unsigned calls;
    enum gd_err err;
    struct gd_error error;
    struct gd_slice bytes;
    uint8_t bodies[FILES_MAX][BODY_MAX]; /* Images: what was built. */
    size_t body_size[FILES_MAX];
} m;

static void on_done(void *context, enum gd_err err, const struct gd_error *error)
{
    (void)context;
    m.calls++;
    m.err = err;
    m.error.text[0] = '\0';
    if (error != NULL) {
        m.error = *error;
    }
}

static void on_read(void *context, enum gd_err err, struct gd_slice bytes,
                    const struct gd_error *error)
{
    on_done(context, err, error);
    m.bytes = bytes;
}

static void on_closed(void *context)
{
    (void)context;
    gd_snapshot_store_free(m.store);
    m.store = NULL;
}

/* Runs until the answer is there (true), or the crash. */
static bool answered(void)
{
    unsigned before = m.calls;

    while (m.calls == before && fake_step(&m.disk)) {
    }
    return m.calls > before;
}

static bool store_open(void)
{
    m.store = gd_snapshot_store_new(&m.disk.io, "snapshot");
    gd_snapshot_store_open(m.store, on_done, NULL);
    if (!answered()) {
        return false;
    }
    GD_ASSERT(m.err == GD_OK);
    return true;
}

static void store_close(void)
{
    gd_snapshot_store_close(m.store, on_closed, NULL);
    fake_run(&m.disk);
    GD_ASSERT(m.store == NULL);
    GD_ASSERT(fake_heap() == 0);
}

static struct gd_snapshot_meta meta_at(uint64_t index)
{
    struct gd_snapshot_meta meta = {.position = {1 + index / 10, index}, .stamp_ms = 5};
    struct gd_member member = {.id = 1, .roles = GD_MEMBER_VOTER};

    GD_ASSERT(gd_address_parse("h:1", &member.address) == GD_OK);
    GD_ASSERT(gd_config_put(&meta.config, &member) == GD_OK);
    return meta;
}

/* Reads the nth body. GD_OK with it in `*body`, or the reader's error. False: the crash came. */
static bool body_read(unsigned nth, struct gd_bytes *body)
{
    gd_snapshot_read_begin(m.store, nth, on_done, NULL);
    if (!answered()) {
        return false;
    }
    while (m.err == GD_OK) {
        gd_snapshot_read(m.store, on_read, NULL);
        if (!answered()) {
            return false;
        }
        if (m.err != GD_OK || m.bytes.size == 0) {
            break;
        }
        gd_bytes_add(body, m.bytes.data, m.bytes.size);
    }
    gd_snapshot_read_end(m.store);
    GD_ASSERT(m.err == GD_OK || m.error.text[0] != '\0');
    return true;
}

/* ---------------------------------------------------------------- operations */

/* A snapshot's size and bytes follow from its index, and from the input's second byte. */
static size_t size_at(uint8_t style, uint64_t index)
{
    return style < 200 ? (index * (style + 1u)) % 5000 : (index * style * 97u) % 200000;
}

static uint8_t byte_at(uint64_t index, size_t at)
{
    return (uint8_t)(index * 31 + at * 7 + (at >> 8) * 3);
}

static bool snapshot_write(uint8_t style, uint64_t index)
{
    static uint8_t piece[200000];
    struct gd_snapshot_meta meta = meta_at(index);
    size_t size = size_at(style, index), half = size / 2;
    struct gd_slice halves[] = {{piece, half}, {piece + half, size - half}};

    for (size_t i = 0; i < size; i++) {
        piece[i] = byte_at(index, i);
    }
    gd_snapshot_write_begin(m.store, &meta, on_done, NULL);
    for (size_t i = 0; i < 2; i++) {
        if (!answered()) {
            return false;
        }
        GD_ASSERT(m.err == GD_OK);
        gd_snapshot_write(m.store, halves[i], on_done, NULL);
    }
    if (!answered()) {
        return false;
    }
    gd_snapshot_write_end(m.store, on_done, NULL);
    return answered();
}

static bool check_all(uint8_t style, uint64_t told, uint64_t begun)
{
    const struct gd_snapshot_meta *meta = gd_snapshot_store_get(m.store, 0);

    GD_ASSERT(told == 0 || (meta != NULL && meta->position.index >= told));
    for (unsigned nth = 0; gd_snapshot_store_get(m.store, nth) != NULL; nth++) {
        struct gd_bytes body = {0};
        uint64_t index = gd_snapshot_store_get(m.store, nth)->position.index;
        GD_ASSERT(index <= begun);
        if (!body_read(nth, &body)) {
            return false;
        }
        GD_ASSERT(m.err == GD_OK);
        GD_ASSERT(body.size == size_at(style, index));
        for (size_t i = 0; i < body.size; i++) {
            GD_ASSERT(body.data[i] == byte_at(index, i));
        }
        gd_bytes_release(&body);
    }
    return true;
}

static void live_and_crash(struct gd_slice input)
{
    uint64_t told = 0, begun = 0;
    uint8_t style = input.data[0];

    for (size_t life = 0; life < LIVES && input.size >= 2 + 3 * (life + 1); life++) {
        const uint8_t *mine = input.data + 2 + 3 * life;
        m.disk.crash_at = m.disk.steps + mine[0];
        m.disk.crash = (enum fake_crash)(mine[1] % 4);
        m.disk.kill = mine[1] >= 192;
        m.disk.random ^= mine[1];
        if (store_open() && check_all(style, told, begun)) {
            for (unsigned left = mine[2] % 5; left > 0; left--) {
                begun += 1 + mine[2] / 5;
                if (!snapshot_write(style, begun)) {
                    break;
                }
                GD_ASSERT(m.err == GD_OK);
                told = begun;
            }
        }
        fake_reboot(&m.disk);
    }
    GD_ASSERT(store_open());
    GD_ASSERT(check_all(style, told, begun));
    store_close();
}

/* ---------------------------------------------------------------- images */

/* A file: flags, a seed of its chunks, where and how it is damaged. */
static void file_build(struct gd_reader *input, unsigned nth)
{
    uint8_t flags = gd_reader_u8(input), seed = gd_reader_u8(input), place = gd_reader_u8(input);
    uint8_t flip = gd_reader_u8(input);
    struct gd_snapshot_meta meta = meta_at(10 + nth * 10 + flags % 2u);
    struct gd_bytes file = {0};
    uint32_t sequence = 0;
    size_t *size = &m.body_size[nth];
    char path[64];

    (void)snprintf(path, sizeof path, "snapshot/%016" PRIx64 "-%016" PRIx64 "%s",
                   meta.position.term + (flags % 16 == 15), meta.position.index,
                   flags % 32 >= 28   ? ".1.tmp"
                   : flags % 32 >= 24 ? ".part"
                                      : ".snap");
    if (flags >= 240) {
        gd_bytes_add(&file, input->at, input->left);
        input->left = 0;
    } else {
        gd__snapshot_header_add(&file, &meta);
        for (unsigned left = seed % 4; left > 0; left--) {
            size_t chunk = 1 + seed * 3u;
            memset(m.bodies[nth] + *size, seed + (int)left, chunk);
            gd__snapshot_chunk_add(&file, sequence,
                                   (struct gd_slice){m.bodies[nth] + *size, chunk});
            *size += chunk;
            sequence += flags % 64 == 40 ? 2 : 1;
        }
        gd__snapshot_end_add(&file, sequence, file.size, *size + (flags % 64 == 41),
                             gd_crc32c(0, file.data, file.size));
        if (place > 0) {
            file.data[file.size * place / 256] ^= flip;
        }
        if (flags % 64 == 42) {
            file.size = file.size * flip / 256;
        }
    }
    fake_put(&m.disk, path, gd_bytes_slice(&file));
    gd_bytes_release(&file);
}

static void read_images(struct gd_slice bytes)
{
    struct gd_reader input = gd_reader_of(bytes);
    unsigned count = 0;

    while (count < FILES_MAX && input.left >= 4) {
        file_build(&input, count++);
    }
    GD_ASSERT(store_open());
    for (unsigned nth = 0; gd_snapshot_store_get(m.store, nth) != NULL; nth++) {
        struct gd_bytes body = {0};
        GD_ASSERT(body_read(nth, &body));
        if (m.err == GD_OK) {
            bool found = false;
            for (unsigned i = 0; i < count; i++) {
                found =
                    found || (m.body_size[i] == body.size &&
                              (body.size == 0 || memcmp(m.bodies[i], body.data, body.size) == 0));
            }
            GD_ASSERT(found);
        }
        gd_bytes_release(&body);
    }
    store_close();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 6 || size > 4096) {
        return 0;
    }
    memset(&m, 0, sizeof m);
    fake_init(&m.disk, data[1]);
    if (data[0] % 2 == 0) {
        live_and_crash((struct gd_slice){data + 1, size - 1});
    } else {
        m.disk.short_reads = data[1] % 4 == 0;
        read_images((struct gd_slice){data + 2, size - 2});
    }
    fake_release(&m.disk);
    return 0;
}
