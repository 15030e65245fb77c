/* snapshot_walk.c - see snapshot_walk.h. */
#include "engine/snapshot_walk.h"
#include "engine/snapshot_format.h"

enum { READ_SIZE = 256 * 1024 };

static enum gd_err read_on(const struct gd_snapshot_source *source, uint64_t offset,
                           struct gd_bytes *bytes)
{
    uint8_t *to = gd_bytes_reserve(bytes, READ_SIZE);
    size_t got = 0;
    enum gd_err err = source->read(source->context, offset + bytes->size, to, READ_SIZE, &got);

    bytes->size += got;
    return err == GD_OK && got == 0 ? GD_ERR_END : err;
}

/* Nothing may follow the end, which is the first `size` bytes that were read. */
static enum gd_err check_end(const struct gd_snapshot_source *source, uint64_t offset, size_t size,
                             struct gd_bytes *bytes)
{
    enum gd_err err = bytes->size > size ? GD_ERR_CORRUPT : read_on(source, offset, bytes);

    return err == GD_OK ? GD_ERR_CORRUPT : err == GD_ERR_END ? GD_OK : err;
}

/* What was decoded at the buffer's front is done with. */
static void take(struct gd_snapshot_facts *facts, struct gd_bytes *bytes, size_t size)
{
    facts->crc = gd_crc32c(facts->crc, bytes->data, size);
    facts->offset += size;
    gd_bytes_consume(bytes, size);
}

static enum gd_err walk(const struct gd_snapshot_source *source, gd_snapshot_body_fn *body,
                        void *context, struct gd_snapshot_facts *facts, struct gd_bytes *bytes)
{
    struct gd__snapshot_piece piece = {0};
    uint32_t sequence = 0;
    bool header = false;

    for (;;) {
        size_t size = 0;
        enum gd_err err =
            header ? gd__snapshot_piece_decode(gd_bytes_slice(bytes), facts->offset, sequence,
                                               facts->body_size, facts->crc, &piece)
                   : gd__snapshot_header_decode(gd_bytes_slice(bytes), &facts->meta, &size);
        if (err == GD_ERR_MORE) {
            err = read_on(source, facts->offset, bytes);
            if (err != GD_OK) {
                return err == GD_ERR_END ? GD_ERR_CORRUPT : err; /* It ends too early. */
            }
            continue;
        }
        if (err != GD_OK) {
            return err;
        }
        if (piece.end) {
            facts->meta.size = facts->offset + piece.size;
            return check_end(source, facts->offset, piece.size, bytes);
        }
        if (header) {
            size = piece.size;
            sequence++;
            facts->body_size += piece.data.size;
            err = body == NULL ? GD_OK : body(context, piece.data);
        }
        if (err != GD_OK) {
            return err;
        }
        header = true;
        take(facts, bytes, size);
    }
}

enum gd_err gd_snapshot_walk(const struct gd_snapshot_source *source, gd_snapshot_body_fn *body,
                             void *context, struct gd_snapshot_facts *facts)
{
    struct gd_bytes bytes = {0};
    enum gd_err err;

    *facts = (struct gd_snapshot_facts){0};
    err = walk(source, body, context, facts, &bytes);
    gd_bytes_release(&bytes);
    return err;
}
