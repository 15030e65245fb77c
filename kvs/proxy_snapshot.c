/* proxy_snapshot.c - the whole of an external database as a stream of bytes, and back.
 *
 * How. SCAN, and DUMP with PEXPIRETIME for each key that it names, over a connection of their own,
 * while applies wait: so what is read is the state at one index. SCAN may name a key twice; RESTORE
 * REPLACE does not mind. Back, RESTORE into a database that was emptied first. The key that holds
 * the applied index says "restoring" until the end, so half of a snapshot is never taken for a
 * state.
 *
 * How many DUMPs go at once follows from what they bring: a few at first, twice as many while they
 * bring well below EXCHANGE_SIZE, fewer, down to one, when they bring more. So memory holds about
 * that much, or one value that is larger, whatever the database holds; and the database, which may
 * run all that it has read before it answers any of it, is not silent until our patience ends.
 * The sizes come in SCAN's order, which is that of hashes: those behind are like those before.
 *
 * Rejected. Redis's own replication stream (SYNC): the database forks, so applies need not wait,
 * and it takes half of the time (measured: bench/README.md). But a fork under writes copies up to
 * all of the database's memory; nothing puts an RDB back into a database that runs, and to cut it
 * into what RESTORE takes means reading every encoding of every version here; and only Redis has
 * it.
 *
 *   OFFSET  SIZE  STREAM (integers are little-endian)
 *        0     8  "GDRESP01"
 *   then records:
 *        0     1  1: a key follows; 0: the end
 *        1     8  its deadline, ms since 1970; 0: none
 *        9     4  size of the key, then the key
 *              4  size of the value, then the value as DUMP gives it */
#include "kvs/proxy_tracker.h"
#include "engine/memory.h"
#include "kvs/number.h"
#include <stdio.h>

static const char key[] = GD_PROXY_KEY;
static const char magic[] = "GDRESP01";
enum { MAGIC_SIZE = 8, RECORD_HEAD = 13, RECORD_MORE = 4, STREAM_LEAST = 65536 };
enum { DUMPS_FIRST = 4, DUMPS_MAX = 256, EXCHANGE_SIZE = 1024 * 1024 };

/* ---------------------------------------------------------------- out */

void gd__proxy_snapshot_fire(struct gd_timer *timer)
{
    struct gd_proxy_tracker *self = timer->context;
    gd_tracker_fn *done = self->snapshot_done;
    gd_tracker_read_fn *read_done = self->read_done;

    self->snapshot_done = NULL;
    self->read_done = NULL;
    if (done != NULL) {
        done(self->snapshot_context, self->snapshot_err);
    } else if (read_done != NULL) {
        read_done(self->snapshot_context, self->snapshot_err, self->read_size);
    }
}

static void tell(struct gd_proxy_tracker *self, enum gd_err err)
{
    if (err != GD_OK) {
        gd_proxy_link_drop(&self->scan);
    }
    self->snapshot_err = err;
    gd_timer_start(self->io, &self->snapshot_timer, gd_io_now(self->io));
}

/* The state must be the same from the first look to the last, also where the database went away in
 * between and came back with another. */
static void check_key(struct gd_proxy_tracker *self, struct gd_slice reply)
{
    struct gd_resp_item item = {0};
    struct gd_slice value = gd_proxy_text(self->frozen_value);

    if (!gd_resp_item_take(&reply, &item) || item.text.size != value.size ||
        (value.size > 0 && memcmp(item.text.data, value.data, value.size) != 0)) {
        self->snapshot_err = GD_ERR_RESET;
    }
}

static void begin_reply(void *context, size_t place, struct gd_slice reply)
{
    struct gd_proxy_tracker *self = context;

    if (self->password.size == 0 || place == 1) {
        check_key(self, reply);
    }
}

static void on_begun(void *context, enum gd_err err)
{
    struct gd_proxy_tracker *self = context;

    err = err != GD_OK ? err : self->snapshot_err;
    if (err == GD_OK) {
        self->frozen = true;
        self->frozen_at = gd_io_now(self->io);
        self->key_total = 0;
        self->scan_ended = self->end_written = false;
        self->stream_at = 0;
        gd_bytes_clear(&self->stream);
        gd_bytes_add(&self->stream, magic, MAGIC_SIZE);
        gd_bytes_clear(&self->keys);
        self->key_at = 0;
        self->dumps_limit = DUMPS_FIRST;
        gd_bytes_clear(&self->cursor);
        gd_bytes_add_text(&self->cursor, "0");
    }
    tell(self, err);
}

static void on_scan_connected(void *context, enum gd_err err)
{
    struct gd_proxy_tracker *self = context;
    const char *const get[] = {"GET", key};

    if (err != GD_OK) {
        tell(self, err);
        return;
    }
    if (self->password.size > 0) {
        struct gd_slice auth[] = {gd_proxy_text("AUTH"), gd_bytes_slice(&self->password)};
        gd_proxy_link_add(&self->scan, auth, 2);
    }
    gd_proxy_link_add_words(&self->scan, get, 2);
    gd_proxy_link_send(&self->scan, begin_reply, on_begun, self);
}

void gd__proxy_snapshot_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_proxy_tracker *self = gd__proxy_of(tracker);

    GD_ASSERT(!self->frozen);
    memcpy(self->frozen_value, self->value, sizeof self->frozen_value);
    self->snapshot_done = done;
    self->snapshot_context = context;
    self->snapshot_err = GD_OK;
    gd_proxy_link_connect(&self->scan, on_scan_connected, self);
}

static void go_on(struct gd_proxy_tracker *self);

static void scan_reply(void *context, size_t place, struct gd_slice reply)
{
    struct gd_proxy_tracker *self = context;
    struct gd_resp_item item;

    if (place > 0) {
        check_key(self, reply);
        return;
    }
    if (!gd_resp_item_take(&reply, &item) || item.kind != '*' || item.count != 2 ||
        !gd_resp_item_take(&reply, &item)) {
        self->snapshot_err = GD_ERR_RESET;
        return;
    }
    gd_bytes_clear(&self->cursor);
    gd_bytes_add(&self->cursor, item.text.data, item.text.size);
    self->scan_ended = item.text.size == 1 && item.text.data[0] == '0';
    gd_bytes_clear(&self->keys);
    self->key_at = 0;
    (void)gd_resp_item_take(&reply, &item);
    while (gd_resp_item_take(&reply, &item)) {
        if (item.text.size != sizeof key - 1 || memcmp(item.text.data, key, sizeof key - 1) != 0) {
            gd_bytes_add_le32(&self->keys, (uint32_t)item.text.size);
            gd_bytes_add(&self->keys, item.text.data, item.text.size);
        }
    }
}

static struct gd_slice key_at(const struct gd_proxy_tracker *self, size_t at)
{
    return (struct gd_slice){self->keys.data + at + 4, gd_get_le32(self->keys.data + at)};
}

/* DUMP and PEXPIRETIME in turn, in the order of the keys; our own key at the end. */
static void dump_reply(void *context, size_t place, struct gd_slice reply)
{
    struct gd_proxy_tracker *self = context;
    struct gd_resp_item item = {0};
    int64_t deadline_ms = 0;

    if (place == self->scan.expected - 1) {
        check_key(self, reply);
        return;
    }
    self->dumps_size += reply.size;
    (void)gd_resp_item_take(&reply, &item);
    if (item.kind == '-') {
        self->snapshot_err = GD_ERR_RESET;
    } else if (place % 2 == 0) {
        gd_bytes_clear(&self->dump);
        gd_bytes_add(&self->dump, item.text.data, item.text.size);
        self->dump_absent = item.kind != '$'; /* Its time came meanwhile. */
    } else {
        struct gd_slice name = key_at(self, self->key_at);
        self->key_at += 4 + name.size;
        if (self->dump_absent || !gd_number_parse(item.text, &deadline_ms)) {
            return;
        }
        gd_bytes_add_u8(&self->stream, 1);
        gd_bytes_add_le64(&self->stream, deadline_ms < 0 ? 0 : (uint64_t)deadline_ms);
        gd_bytes_add_le32(&self->stream, (uint32_t)name.size);
        gd_bytes_add(&self->stream, name.data, name.size);
        gd_bytes_add_le32(&self->stream, (uint32_t)self->dump.size);
        gd_bytes_add(&self->stream, self->dump.data, self->dump.size);
        self->key_total++;
    }
}

static void on_more(void *context, enum gd_err err)
{
    struct gd_proxy_tracker *self = context;

    err = err != GD_OK ? err : self->snapshot_err;
    if (err != GD_OK) {
        GD_REACHED("snapshot of the database failed in the middle");
        tell(self, err);
        return;
    }
    go_on(self);
}

static void on_dumped(void *context, enum gd_err err)
{
    struct gd_proxy_tracker *self = context;

    if (self->dumps_size > EXCHANGE_SIZE) { /* As many as would have brought that much. */
        self->dumps_limit = self->dumps_asked * EXCHANGE_SIZE / self->dumps_size;
        self->dumps_limit = self->dumps_limit == 0 ? 1 : self->dumps_limit;
    } else if (self->dumps_size < EXCHANGE_SIZE / 2 && self->dumps_asked == self->dumps_limit &&
               self->dumps_limit < DUMPS_MAX) {
        self->dumps_limit *= 2;
        self->dumps_limit = self->dumps_limit < DUMPS_MAX ? self->dumps_limit : DUMPS_MAX;
    }
    on_more(context, err);
}

static void ask_dumps(struct gd_proxy_tracker *self)
{
    const char *const get[] = {"GET", key};
    size_t at = self->key_at, count = 0;

    for (; count < self->dumps_limit && at < self->keys.size; count++) {
        struct gd_slice dump[] = {gd_proxy_text("DUMP"), key_at(self, at)};
        struct gd_slice deadline[] = {gd_proxy_text("PEXPIRETIME"), dump[1]};
        gd_proxy_link_add(&self->scan, dump, 2);
        gd_proxy_link_add(&self->scan, deadline, 2);
        at += 4 + dump[1].size;
    }
    gd_proxy_link_add_words(&self->scan, get, 2); /* Who emptied it meanwhile took the key along. */
    self->dumps_asked = count;
    self->dumps_size = 0;
    gd_proxy_link_send(&self->scan, dump_reply, on_dumped, self);
}

static void ask_keys(struct gd_proxy_tracker *self)
{
    struct gd_slice scan[] = {gd_proxy_text("SCAN"), gd_bytes_slice(&self->cursor),
                              gd_proxy_text("COUNT"), gd_proxy_text("256")};
    const char *const get[] = {"GET", key};

    gd_proxy_link_add(&self->scan, scan, 4);
    gd_proxy_link_add_words(&self->scan, get, 2);
    gd_proxy_link_send(&self->scan, scan_reply, on_more, self);
}

static void go_on(struct gd_proxy_tracker *self)
{
    size_t ready = self->stream.size - self->stream_at;
    bool ended = self->scan_ended && self->key_at == self->keys.size;

    if (ready < STREAM_LEAST && !ended) {
        gd_bytes_consume(&self->stream, self->stream_at); /* Or it would grow to the whole of it. */
        self->stream_at = 0;
        if (self->key_at < self->keys.size) {
            ask_dumps(self);
        } else {
            ask_keys(self);
        }
        return;
    }
    if (ended && !self->end_written) {
        gd_bytes_add_u8(&self->stream, 0);
        self->end_written = true;
        ready++;
    }
    self->read_size = ready < self->read_capacity ? ready : self->read_capacity;
    if (self->read_size > 0) {
        memcpy(self->read_to, self->stream.data + self->stream_at, self->read_size);
    }
    self->stream_at += self->read_size;
    if (self->stream_at == self->stream.size) {
        gd_bytes_clear(&self->stream);
        self->stream_at = 0;
    }
    tell(self, GD_OK);
}

void gd__proxy_snapshot_read(struct gd_tracker *tracker, uint8_t *to, size_t capacity,
                             gd_tracker_read_fn *done, void *context)
{
    struct gd_proxy_tracker *self = gd__proxy_of(tracker);

    GD_ASSERT(self->frozen);
    self->read_to = to;
    self->read_capacity = capacity;
    self->read_done = done;
    self->snapshot_context = context;
    self->snapshot_err = GD_OK;
    go_on(self);
}

void gd__proxy_snapshot_end(struct gd_tracker *tracker)
{
    struct gd_proxy_tracker *self = gd__proxy_of(tracker);

    gd_io_log(self->io, GD_LOG_INFO, "snapshot of the database: %llu keys, applies waited %llu ms",
              (unsigned long long)self->key_total,
              (unsigned long long)((gd_io_now(self->io) - self->frozen_at) / GD_NS_PER_MS));
    self->frozen = false;
    gd_proxy_link_drop(&self->scan);
    gd_bytes_release(&self->stream);
    gd_bytes_release(&self->keys);
    gd_bytes_release(&self->cursor);
    gd_bytes_release(&self->dump);
    gd__proxy_resume(self);
}

/* ---------------------------------------------------------------- back */

static void restore_next(struct gd_proxy_tracker *self, const char *value)
{
    self->applies = NULL;
    self->queries = NULL;
    self->part_count = 0;
    gd__proxy_set_next(self, value);
}

static enum gd_err restore_result(struct gd_proxy_tracker *self, enum gd_err err)
{
    return err != GD_OK || self->bad != GD_OK || self->aborted ? GD_ERR_IO : GD_OK;
}

static void on_restored_some(void *context, enum gd_err err)
{
    struct gd_proxy_tracker *self = context;

    gd__proxy_finish(self, restore_result(self, err));
}

void gd__proxy_restore_begin(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_proxy_tracker *self = gd__proxy_of(tracker);
    const char *const flush[] = {"FLUSHALL"};

    gd__proxy_take_up(self, done, context);
    self->applied = 0;
    self->dirty = true;
    self->restore_headed = self->restore_ended = false;
    gd_bytes_clear(&self->restore);
    restore_next(self, "restoring");
    gd__proxy_guard_begin(self);
    gd_proxy_link_add_words(&self->main, flush, 1);
    self->queued = 1;
    gd__proxy_guard_send(self, on_restored_some);
}

/* The next whole record of `left` into the exchange; its size, 0 when it is not whole. */
static size_t add_record(struct gd_proxy_tracker *self, struct gd_slice left)
{
    uint64_t deadline_ms;
    char number[24];
    size_t key_size, dump_size;

    if (left.size < RECORD_HEAD) {
        return 0;
    }
    deadline_ms = gd_get_le64(left.data + 1);
    key_size = gd_get_le32(left.data + 9);
    if (left.size - RECORD_HEAD < key_size || left.size - RECORD_HEAD - key_size < RECORD_MORE) {
        return 0;
    }
    dump_size = gd_get_le32(left.data + RECORD_HEAD + key_size);
    if (left.size - RECORD_HEAD - key_size - RECORD_MORE < dump_size) {
        return 0;
    }
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)deadline_ms);
    struct gd_slice words[] = {
        gd_proxy_text("RESTORE"), {left.data + RECORD_HEAD, key_size},
        gd_proxy_text(number),    {left.data + RECORD_HEAD + key_size + RECORD_MORE, dump_size},
        gd_proxy_text("REPLACE"), gd_proxy_text("ABSTTL"),
    };
    gd_proxy_link_add(&self->main, words, deadline_ms == 0 ? 5 : 6);
    self->queued++;
    return RECORD_HEAD + key_size + RECORD_MORE + dump_size;
}

void gd__proxy_restore_write(struct gd_tracker *tracker, struct gd_slice bytes, gd_tracker_fn *done,
                             void *context)
{
    struct gd_proxy_tracker *self = gd__proxy_of(tracker);
    size_t at = 0;

    gd__proxy_take_up(self, done, context);
    gd_bytes_add(&self->restore, bytes.data, bytes.size);
    if (!self->restore_headed && self->restore.size >= MAGIC_SIZE) {
        if (memcmp(self->restore.data, magic, MAGIC_SIZE) != 0) {
            (void)snprintf(self->why, sizeof self->why,
                           "the snapshot is of another kind of database");
            gd__proxy_finish(self, GD_ERR_CORRUPT);
            return;
        }
        self->restore_headed = true;
        at = MAGIC_SIZE;
    }
    restore_next(self, "restoring");
    gd__proxy_guard_begin(self);
    while (self->restore_headed && at < self->restore.size && !self->restore_ended) {
        struct gd_slice left = {self->restore.data + at, self->restore.size - at};
        size_t size;
        if (left.data[0] == 0) {
            self->restore_ended = true;
            at++;
            break;
        }
        size = add_record(self, left);
        if (size == 0) {
            break;
        }
        at += size;
    }
    gd_bytes_consume(&self->restore, at);
    gd__proxy_guard_send(self, on_restored_some);
}

static void on_committed(void *context, enum gd_err err)
{
    struct gd_proxy_tracker *self = context;
    gd_index index = 0;

    err = restore_result(self, err);
    if (err == GD_OK && gd__proxy_index(self->value, &index)) {
        self->applied = index;
        self->dirty = false;
    }
    gd__proxy_finish(self, err);
}

void gd__proxy_restore_end(struct gd_tracker *tracker, bool commit, gd_index index,
                           int64_t stamp_ms, gd_tracker_fn *done, void *context)
{
    struct gd_proxy_tracker *self = gd__proxy_of(tracker);
    bool whole = self->restore_ended && self->restore.size == 0;
    char value[32];

    (void)stamp_ms;
    gd__proxy_take_up(self, done, context);
    gd_bytes_release(&self->restore);
    if (!commit || !whole) { /* The next open empties it. */
        gd__proxy_finish(self, commit ? GD_ERR_CORRUPT : GD_OK);
        return;
    }
    (void)snprintf(value, sizeof value, "%llu", (unsigned long long)index);
    restore_next(self, value);
    gd__proxy_guard_begin(self);
    gd__proxy_guard_send(self, on_committed);
}
