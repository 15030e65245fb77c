/* kv_stream.c - the snapshot stream of the keyspace.
 *
 * Chunks, each with its size and checksum, carry one stream of records cut anywhere: a head, one
 * record for each key in no particular order, an end with their number. So a piece of the work can
 * end anywhere, inside a large value too, and a value larger than a chunk needs no copy.
 *
 *   chunk   0   4  size of the payload, at most 1 MiB; 0 is allowed
 *           4   4  CRC-32C of the size and the payload
 *           8      payload
 *   head    0   4  "GDKV"
 *           4   4  version: 2
 *           8   8  the replicated clock, ms
 *          16   8  index of the last applied entry
 *          24   4  number of buckets of keys that were ever written (for WATCH)
 *          28      each: bucket (2), index of the last write (8)
 *   key     0   1  1
 *           1   1  flags: 1 edited in place ("raw")
 *           2   4  size of the key
 *           6   4  size of the value
 *          10   8  version
 *          18   8  deadline in ms, or -1
 *          26      key, value
 *   end     0   1  0
 *           1   8  number of keys
 *
 * Integers are little-endian. */
#include "kvs/kv_stream.h"
#include "engine/memory.h"

enum {
    CHUNK_HEAD = 8,
    CHUNK_WRITTEN_MAX = 256 * 1024,
    CHUNK_SIZE_MAX = 1024 * 1024,
    HEAD_SIZE = 28,
    TOUCHED_SIZE = 10,
    KEY_HEAD_SIZE = 26,
    END_SIZE = 9,
    STREAM_VERSION = 2,
    FLAG_RAW = 1,
    WORK_PER_READ = 4096, /* Buckets and items looked at. */
};
static const char magic[4] = {'G', 'D', 'K', 'V'};

static void add_touched(struct gd_kv_writer *writer, const struct gd_keyspace *ks)
{
    size_t place = writer->pending.size;
    uint32_t count = 0;

    gd_bytes_add_le32(&writer->pending, 0);
    for (size_t bucket = 0; bucket < GD_TOUCHED_COUNT; bucket++) {
        gd_index version = gd_keyspace_touched(ks, bucket);
        if (version != 0) {
            gd_put_le16(gd_bytes_reserve(&writer->pending, 2), (uint16_t)bucket);
            writer->pending.size += 2;
            gd_bytes_add_le64(&writer->pending, version);
            count++;
        }
    }
    gd_put_le32(writer->pending.data + place, count);
}

void gd_kv_writer_begin(struct gd_kv_writer *writer, const struct gd_keyspace *ks, gd_index applied)
{
    *writer = (struct gd_kv_writer){0};
    gd_bytes_add(&writer->pending, magic, sizeof magic);
    gd_bytes_add_le32(&writer->pending, STREAM_VERSION);
    gd_bytes_add_le64(&writer->pending, (uint64_t)gd_keyspace_frozen_clock_ms(ks));
    gd_bytes_add_le64(&writer->pending, applied);
    add_touched(writer, ks);
}

void gd_kv_writer_release(struct gd_kv_writer *writer)
{
    gd_bytes_release(&writer->pending);
    *writer = (struct gd_kv_writer){0};
}

static void add_key(struct gd_kv_writer *writer, const struct gd_item *item)
{
    char scratch[GD_ITEM_SCRATCH];
    struct gd_slice key = gd_item_key(item), value = gd_item_value(item, scratch);
    struct gd_bytes *to = &writer->pending;
    bool is_raw = strcmp(gd_item_encoding(item), "raw") == 0;

    gd_bytes_add_u8(to, 1);
    gd_bytes_add_u8(to, is_raw ? FLAG_RAW : 0);
    gd_bytes_add_le32(to, (uint32_t)key.size);
    gd_bytes_add_le32(to, (uint32_t)value.size);
    gd_bytes_add_le64(to, gd_item_version(item));
    gd_bytes_add_le64(to, (uint64_t)gd_item_expiry_ms(item));
    gd_bytes_add(to, key.data, key.size);
}

/* Prepares what comes next; false when the work is used up or all has been written. */
static bool writer_next(struct gd_kv_writer *writer, struct gd_keyspace *ks, size_t *work)
{
    const struct gd_item *item;
    bool end;

    if (writer->ended) {
        return false;
    }
    item = gd_keyspace_frozen_next(ks, work, &end);
    if (item == NULL && !end) {
        writer->has_item = false; /* The last one's value is out, and it is gone. */
        return false;
    }
    gd_bytes_clear(&writer->pending);
    writer->pending_at = 0;
    writer->has_item = item != NULL;
    writer->value_at = 0;
    if (item != NULL) {
        add_key(writer, item);
        writer->count++;
    } else {
        gd_bytes_add_u8(&writer->pending, 0);
        gd_bytes_add_le64(&writer->pending, writer->count);
        writer->ended = true;
    }
    return true;
}

/* What is at hand, `from` from `*at` on, into `to`; returns the bytes copied. */
static size_t copy_piece(struct gd_slice from, size_t *at, uint8_t *to, size_t room)
{
    size_t size = from.size - *at < room ? from.size - *at : room;

    if (size > 0) {
        memcpy(to, from.data + *at, size);
        *at += size;
    }
    return size;
}

size_t gd_kv_writer_read(struct gd_kv_writer *writer, struct gd_keyspace *ks, uint8_t *to,
                         size_t capacity)
{
    size_t room, used = 0, work = WORK_PER_READ;
    char scratch[GD_ITEM_SCRATCH];

    GD_ASSERT(capacity > CHUNK_HEAD);
    room = capacity - CHUNK_HEAD < CHUNK_WRITTEN_MAX ? capacity - CHUNK_HEAD : CHUNK_WRITTEN_MAX;
    while (used < room) {
        size_t more = copy_piece(gd_bytes_slice(&writer->pending), &writer->pending_at,
                                 to + CHUNK_HEAD + used, room - used);
        if (more == 0 && writer->has_item) {
            const struct gd_item *item = gd_keyspace_frozen_current(ks);
            more = copy_piece(gd_item_value(item, scratch), &writer->value_at,
                              to + CHUNK_HEAD + used, room - used);
        }
        used += more;
        if (more == 0 && !writer_next(writer, ks, &work)) {
            break;
        }
    }
    if (used == 0 && writer->ended) {
        return 0;
    }
    gd_put_le32(to, (uint32_t)used);
    gd_put_le32(to + 4, gd_crc32c(gd_crc32c(0, to, 4), to + CHUNK_HEAD, used));
    return CHUNK_HEAD + used;
}

/* ---------------------------------------------------------------- loading */

void gd_kv_loader_begin(struct gd_kv_loader *loader, struct gd_keyspace *ks)
{
    *loader = (struct gd_kv_loader){.ks = ks};
}

void gd_kv_loader_release(struct gd_kv_loader *loader)
{
    gd_keyspace_free(loader->ks);
    gd_bytes_release(&loader->chunk);
    gd_bytes_release(&loader->rest);
    *loader = (struct gd_kv_loader){0};
}

static enum gd_err load_head(struct gd_kv_loader *loader, struct gd_reader *from)
{
    struct gd_slice mark = gd_reader_slice(from, sizeof magic);

    if (memcmp(mark.data, magic, sizeof magic) != 0) {
        return GD_ERR_CORRUPT;
    }
    if (gd_reader_le32(from) != STREAM_VERSION) {
        return GD_ERR_VERSION;
    }
    (void)gd_reader_le64(from);
    (void)gd_reader_le64(from);
    for (uint32_t left = gd_reader_le32(from); left > 0; left--) {
        uint16_t bucket = gd_reader_le16(from);
        gd_index version = gd_reader_le64(from);
        if (from->failed || bucket >= GD_TOUCHED_COUNT) {
            return GD_ERR_CORRUPT;
        }
        gd_keyspace_touch(loader->ks, bucket, version);
    }
    loader->has_head = true;
    return GD_OK;
}

/* One key at the front of `from`. GD_ERR_MORE: it is not whole, nothing was taken. */
static enum gd_err load_key(struct gd_kv_loader *loader, struct gd_reader *from)
{
    struct gd_reader at = *from;
    uint8_t flags;
    size_t key_size, value_size;
    gd_index version;
    int64_t deadline_ms;
    struct gd_slice key, value;

    (void)gd_reader_u8(&at);
    flags = gd_reader_u8(&at);
    key_size = gd_reader_le32(&at);
    value_size = gd_reader_le32(&at);
    version = gd_reader_le64(&at);
    deadline_ms = (int64_t)gd_reader_le64(&at);
    if (at.failed) {
        return GD_ERR_MORE;
    }
    if (key_size > GD_ITEM_SIZE_MAX || value_size > GD_ITEM_SIZE_MAX ||
        deadline_ms < GD_EXPIRY_NONE || (flags & ~FLAG_RAW) != 0) {
        return GD_ERR_CORRUPT;
    }
    key = gd_reader_slice(&at, key_size);
    value = gd_reader_slice(&at, value_size);
    if (at.failed) {
        return GD_ERR_MORE;
    }
    gd_keyspace_set(loader->ks, key, value, deadline_ms, version);
    if ((flags & FLAG_RAW) != 0) {
        gd_keyspace_mark_raw(loader->ks, key);
    }
    loader->count++;
    *from = at;
    return GD_OK;
}

/* Is all of the head there (or so much that it cannot be one)? */
static bool head_whole(const struct gd_reader *from)
{
    uint32_t count = from->left < HEAD_SIZE ? 0 : gd_get_le32(from->at + HEAD_SIZE - 4);

    return from->left >= HEAD_SIZE &&
           (count > GD_TOUCHED_COUNT || from->left >= HEAD_SIZE + (size_t)count * TOUCHED_SIZE);
}

static enum gd_err load_record(struct gd_kv_loader *loader, struct gd_reader *from)
{
    if (loader->ended) {
        return GD_ERR_CORRUPT; /* Something behind the end. */
    }
    if (!loader->has_head) {
        return head_whole(from) ? load_head(loader, from) : GD_ERR_MORE;
    }
    if (from->at[0] == 1) {
        return load_key(loader, from);
    }
    if (from->at[0] != 0) {
        return GD_ERR_CORRUPT;
    }
    if (from->left < END_SIZE) {
        return GD_ERR_MORE;
    }
    (void)gd_reader_u8(from);
    loader->ended = true;
    return gd_reader_le64(from) == loader->count ? GD_OK : GD_ERR_CORRUPT;
}

static enum gd_err load_payload(struct gd_kv_loader *loader, struct gd_slice payload)
{
    struct gd_reader from;
    enum gd_err err = GD_OK;

    gd_bytes_add(&loader->rest, payload.data, payload.size);
    from = gd_reader_of(gd_bytes_slice(&loader->rest));
    while (err == GD_OK && from.left > 0) {
        err = load_record(loader, &from);
    }
    gd_bytes_consume(&loader->rest, loader->rest.size - from.left);
    return err == GD_ERR_MORE ? GD_OK : err;
}

enum gd_err gd_kv_loader_write(struct gd_kv_loader *loader, struct gd_slice bytes)
{
    GD_ASSERT(loader->ks != NULL);
    while (bytes.size > 0) {
        size_t wanted = CHUNK_HEAD, more;
        enum gd_err err;
        if (loader->chunk.size >= CHUNK_HEAD) {
            uint32_t size = gd_get_le32(loader->chunk.data);
            if (size > CHUNK_SIZE_MAX) {
                return GD_ERR_CORRUPT;
            }
            wanted += size;
        }
        more = wanted - loader->chunk.size;
        more = more < bytes.size ? more : bytes.size;
        gd_bytes_add(&loader->chunk, bytes.data, more);
        bytes.data += more;
        bytes.size -= more;
        if (loader->chunk.size < CHUNK_HEAD ||
            loader->chunk.size < CHUNK_HEAD + (size_t)gd_get_le32(loader->chunk.data)) {
            continue;
        }
        if (gd_get_le32(loader->chunk.data + 4) != gd_crc32c(gd_crc32c(0, loader->chunk.data, 4),
                                                             loader->chunk.data + CHUNK_HEAD,
                                                             loader->chunk.size - CHUNK_HEAD)) {
            return GD_ERR_CORRUPT;
        }
        err = load_payload(loader, (struct gd_slice){loader->chunk.data + CHUNK_HEAD,
                                                     loader->chunk.size - CHUNK_HEAD});
        if (err != GD_OK) {
            return err;
        }
        gd_bytes_clear(&loader->chunk);
    }
    return GD_OK;
}

enum gd_err gd_kv_loader_end(struct gd_kv_loader *loader, struct gd_keyspace **ks)
{
    if (!loader->ended || loader->chunk.size > 0 || loader->rest.size > 0) {
        return GD_ERR_CORRUPT;
    }
    *ks = loader->ks;
    loader->ks = NULL;
    return GD_OK;
}
