/* kv_stream.h - a keyspace's frozen view as a stream of bytes, and back. Format: docs/formats.md,
 * "kvs snapshot stream". */
#ifndef GANDALF_KVS_KV_STREAM_H
#define GANDALF_KVS_KV_STREAM_H
#include "engine/bytes.h"
#include "kvs/keyspace.h"

struct gd_kv_writer {
    struct gd_bytes pending; /* Owned: a head that is to be written. */
    size_t pending_at;
    bool has_item; /* The view's current item; its value is written from `value_at`. */
    size_t value_at;
    bool ended;
    uint64_t count; /* Items written. */
};
/* Begins the stream of the view that `ks` holds. */
void gd_kv_writer_begin(struct gd_kv_writer *writer, const struct gd_keyspace *ks,
                        gd_index applied);
/* The next bytes into `to` (at least GD_KV_CHUNK_HEAD and a few); 0 at the end. A bounded piece of
 * work. */
size_t gd_kv_writer_read(struct gd_kv_writer *writer, struct gd_keyspace *ks, uint8_t *to,
                         size_t capacity);
void gd_kv_writer_release(struct gd_kv_writer *writer);

struct gd_kv_loader {
    struct gd_keyspace *ks; /* Owned: filled meanwhile. NULL while not in use. */
    struct gd_bytes chunk;  /* Owned: a chunk that is not whole yet. */
    struct gd_bytes rest;   /* Owned: the bytes of a record that is not whole yet. */
    bool has_head, ended;
    uint64_t count;
};
/* `ks` is owned from here on: an empty one. */
void gd_kv_loader_begin(struct gd_kv_loader *loader, struct gd_keyspace *ks);
/* GD_ERR_CORRUPT, GD_ERR_VERSION: not such a stream; the loader is of no more use. */
GD_MUST_CHECK enum gd_err gd_kv_loader_write(struct gd_kv_loader *loader, struct gd_slice bytes);
/* The filled keyspace, moved to the caller; GD_ERR_CORRUPT when the stream was not whole. */
GD_MUST_CHECK enum gd_err gd_kv_loader_end(struct gd_kv_loader *loader, struct gd_keyspace **ks);
void gd_kv_loader_release(struct gd_kv_loader *loader);
#endif
