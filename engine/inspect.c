/* inspect.c - the two looks at a data directory. See inspect.h. */
#include "engine/inspect.h"
#include "engine/memory.h"
#include "engine/snapshot_walk.h"
#include "engine/storage.h"
#include "engine/wal_format.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { READ_SIZE = 256 * 1024 };

static void problem(struct gd_inspect *inspect, enum gd_err err, const char *format, ...)
    GD_PRINTF(3, 4);
static void problem(struct gd_inspect *inspect, enum gd_err err, const char *format, ...)
{
    size_t at = inspect->problem_count++;
    va_list arguments;

    if (at < GD_INSPECT_PROBLEMS) {
        inspect->problems[at].code = err;
        va_start(arguments, format);
        (void)vsnprintf(inspect->problems[at].text, GD_ERROR_TEXT_SIZE, format, arguments);
        va_end(arguments);
    }
}

/* ---------------------------------------------------------------- files */

static enum gd_err list(const struct gd_offline *offline, const char *path, char **names)
{
    struct gd_disk_op op = {.kind = GD_DISK_LIST, .path = path};
    enum gd_err err = gd__offline_disk(offline, &op);

    if (err == GD_OK) {
        *names = op.names;
    }
    return err;
}

static enum gd_err file_open(const struct gd_offline *offline, const char *path,
                             struct gd_file *file, uint64_t *size)
{
    struct gd_disk_op op = {
        .kind = GD_DISK_OPEN, .path = path, .file = file, .flags = GD_DISK_READ_ONLY};
    enum gd_err err = gd__offline_disk(offline, &op);

    if (err != GD_OK) {
        return err;
    }
    op = (struct gd_disk_op){.kind = GD_DISK_SIZE, .file = file};
    err = gd__offline_disk(offline, &op);
    *size = op.result;
    return err;
}

static void file_close(const struct gd_offline *offline, struct gd_file *file)
{
    struct gd_disk_op op = {.kind = GD_DISK_CLOSE, .file = file};
    enum gd_err err = gd__offline_disk(offline, &op);

    (void)err; /* It was only read. */
}

/* Up to `size` bytes behind what `bytes` has; `*got` 0 at the file's end. */
static enum gd_err file_read(const struct gd_offline *offline, struct gd_file *file,
                             uint64_t offset, size_t size, struct gd_bytes *bytes, size_t *got)
{
    struct gd_disk_op op = {.kind = GD_DISK_READ,
                            .file = file,
                            .offset = offset,
                            .data = gd_bytes_reserve(bytes, size),
                            .size = size};
    enum gd_err err = gd__offline_disk(offline, &op);

    *got = err == GD_OK ? (size_t)op.result : 0;
    bytes->size += *got;
    return err;
}

/* ---------------------------------------------------------------- segments, one by one */

static void note_config(struct gd_inspect *inspect, const struct gd_config *config, gd_index index)
{
    inspect->config = *config;
    inspect->config_index = index;
}

static void note_record(struct gd_inspect *inspect, struct gd_inspect_segment *segment,
                        const struct gd__wal_record *record)
{
    struct gd__wal_header header;
    struct gd_entry *entry;
    struct gd_config config;

    segment->records++;
    if (record->type == GD__WAL_HEADER && gd__wal_header_decode(record->body, &header) == GD_OK) {
        segment->header = true;
        inspect->identity = header.identity;
        inspect->hard_state = header.state.hard_state;
        inspect->last = header.state.tail;
        if (inspect->config.count == 0) {
            note_config(inspect, &header.state.snapshot.config, header.state.snapshot.config_index);
        }
    } else if (record->type == GD__WAL_HARD_STATE) {
        enum gd_err err = gd__wal_hard_state_decode(record->body, &inspect->hard_state);
        (void)err; /* Recovery's verdict tells it. */
    } else if (record->type == GD__WAL_ENTRY &&
               (entry = gd__wal_entry_decode(record->body)) != NULL) {
        segment->entries++;
        segment->last = entry->position.index;
        segment->first = segment->first == 0 ? segment->last : segment->first;
        inspect->last = entry->position;
        if (entry->type == GD_ENTRY_CONFIG &&
            gd_config_decode((struct gd_slice){entry->data, entry->size}, &config) == GD_OK) {
            note_config(inspect, &config, entry->position.index);
        }
        gd_entry_drop(entry);
    }
}

/* Records follow each other, or begin at the next block behind zeros. */
static void scan_segment(struct gd_inspect *inspect, struct gd_inspect_segment *segment,
                         uint64_t number, struct gd_slice bytes)
{
    struct gd__wal_record record;
    struct gd__wal_scan scan = {0};
    size_t at = 0;

    for (;;) {
        size_t next = (size_t)gd__block_up(at);
        if (at < bytes.size &&
            gd__wal_record_decode(bytes.data + at, bytes.size - at, number, &record)) {
            note_record(inspect, segment, &record);
        } else if (next > at && next < bytes.size &&
                   gd__wal_record_decode(bytes.data + next, bytes.size - next, number, &record)) {
            at = next;
            note_record(inspect, segment, &record);
        } else {
            break;
        }
        at += record.size;
        segment->used = at;
    }
    if (at < bytes.size) {
        gd__wal_scan(bytes.data + at, bytes.size - at, number, &scan);
        segment->dirty = scan.dirty_size;
    }
}

static enum gd_err look_at_segment(const struct gd_offline *offline, struct gd_inspect *inspect,
                                   const char *name, uint64_t number)
{
    struct gd_inspect_segment *segment;
    char path[GD_DISK_PATH_SIZE];
    struct gd_file file = {0};
    struct gd_bytes bytes = {0};
    size_t got = 1;
    enum gd_err err;

    inspect->segments =
        gd_realloc(inspect->segments, (inspect->segment_count + 1) * sizeof *inspect->segments);
    segment = &inspect->segments[inspect->segment_count++];
    *segment = (struct gd_inspect_segment){0};
    (void)snprintf(segment->name, sizeof segment->name, "%s", name);
    (void)snprintf(path, sizeof path, "wal/%s", name);
    err = file_open(offline, path, &file, &segment->size);
    if (err != GD_OK) {
        problem(inspect, err, "%s: cannot be opened: %s", path, gd_err_text(err));
        return err == GD_ERR_STOPPED ? err : GD_OK;
    }
    while (err == GD_OK && got > 0 && bytes.size < segment->size) {
        err = file_read(offline, &file, bytes.size, READ_SIZE, &bytes, &got);
    }
    if (err == GD_ERR_STOPPED) {
        return err;
    }
    if (err != GD_OK) {
        problem(inspect, err, "%s: cannot be read at offset %zu: %s", path, bytes.size,
                gd_err_text(err));
    }
    scan_segment(inspect, segment, number, gd_bytes_slice(&bytes));
    gd_bytes_release(&bytes);
    file_close(offline, &file);
    return GD_OK;
}

static enum gd_err look_at_segments(const struct gd_offline *offline, struct gd_inspect *inspect)
{
    char *names = NULL;
    uint64_t number;
    enum gd_err err = list(offline, "wal", &names);

    for (char *name = names; err == GD_OK && *name != '\0'; name += strlen(name) + 1) {
        if (strlen(name) == 20 && gd__hex16_parse(name, &number) &&
            strcmp(name + 16, ".log") == 0) {
            err = look_at_segment(offline, inspect, name, number);
        }
    }
    gd_free(names);
    return err;
}

/* ---------------------------------------------------------------- snapshots, one by one */

struct source {
    const struct gd_offline *offline;
    struct gd_file *file;
};

static enum gd_err source_read(void *context, uint64_t offset, uint8_t *to, size_t size,
                               size_t *got)
{
    struct source *source = context;
    struct gd_disk_op op = {
        .kind = GD_DISK_READ, .file = source->file, .offset = offset, .data = to, .size = size};
    enum gd_err err = gd__offline_disk(source->offline, &op);

    *got = err == GD_OK ? (size_t)op.result : 0;
    return err;
}

/* A store believes the header only under the name that goes with it. */
static bool is_named_for(const char *name, struct gd_position position)
{
    char want[64];

    (void)snprintf(want, sizeof want, "%016" PRIx64 "-%016" PRIx64 ".snap", position.term,
                   position.index);
    return strcmp(name, want) == 0;
}

static enum gd_err look_at_snapshot(const struct gd_offline *offline, struct gd_inspect *inspect,
                                    const char *name)
{
    struct gd_inspect_snapshot *snapshot;
    char path[GD_DISK_PATH_SIZE];
    struct gd_file file = {0};

    inspect->snapshots =
        gd_realloc(inspect->snapshots, (inspect->snapshot_count + 1) * sizeof *inspect->snapshots);
    snapshot = &inspect->snapshots[inspect->snapshot_count++];
    *snapshot = (struct gd_inspect_snapshot){0};
    (void)snprintf(snapshot->name, sizeof snapshot->name, "%s", name);
    (void)snprintf(path, sizeof path, "snapshot/%s", name);
    snapshot->err = file_open(offline, path, &file, &snapshot->size);
    if (snapshot->err == GD_OK) {
        struct source source = {offline, &file};
        struct gd_snapshot_facts facts;
        snapshot->err = gd_snapshot_walk(&(struct gd_snapshot_source){source_read, &source}, NULL,
                                         NULL, &facts);
        snapshot->meta = facts.meta;
        snapshot->offset = facts.offset;
        if (snapshot->err == GD_OK && !is_named_for(name, facts.meta.position)) {
            snapshot->err = GD_ERR_CORRUPT;
            snapshot->offset = 0;
        }
        if (snapshot->err != GD_ERR_STOPPED) {
            file_close(offline, &file);
        }
    }
    if (snapshot->err == GD_ERR_STOPPED) {
        return GD_ERR_STOPPED;
    }
    if (snapshot->err != GD_OK) {
        problem(inspect, snapshot->err, "%s: %s at offset %" PRIu64, path,
                gd_err_text(snapshot->err), snapshot->offset);
    } else if (snapshot->meta.position.index > inspect->snapshot.index) {
        inspect->snapshot = snapshot->meta.position;
        if (inspect->config.count == 0 || snapshot->meta.config_index > inspect->config_index) {
            note_config(inspect, &snapshot->meta.config, snapshot->meta.config_index);
        }
    }
    return GD_OK;
}

static enum gd_err look_at_snapshots(const struct gd_offline *offline, struct gd_inspect *inspect)
{
    char *names = NULL;
    enum gd_err err = list(offline, "snapshot", &names);

    for (char *name = names; err == GD_OK && *name != '\0'; name += strlen(name) + 1) {
        size_t size = strlen(name);
        if (size == 38 && strcmp(name + size - 5, ".snap") == 0) {
            err = look_at_snapshot(offline, inspect, name);
        }
    }
    gd_free(names);
    return err;
}

/* ---------------------------------------------------------------- what a start would say */

struct verdict {
    struct gd_inspect *inspect;
    bool told, closed;
    bool fine;
};

static void on_opened(void *context, enum gd_err err, const struct gd_wal_recovered *recovered,
                      const struct gd_error *error)
{
    struct verdict *verdict = context;
    struct gd_inspect *inspect = verdict->inspect;

    verdict->told = true;
    if (err != GD_OK) {
        problem(inspect, err, "%s", error == NULL ? gd_err_text(err) : error->text);
        return;
    }
    verdict->fine = true;
    inspect->empty = recovered->empty;
    if (recovered->empty) {
        return;
    }
    inspect->identity = recovered->identity;
    inspect->hard_state = recovered->hard_state;
    inspect->before = recovered->before;
    inspect->entry_count = recovered->entry_count;
    inspect->cut_size = recovered->cut_size;
    inspect->last = recovered->entry_count == 0
                        ? recovered->before
                        : recovered->entries[recovered->entry_count - 1]->position;
    note_config(inspect, &recovered->snapshot.config, recovered->snapshot.config_index);
    for (size_t i = 0; i < recovered->entry_count; i++) {
        const struct gd_entry *entry = recovered->entries[i];
        struct gd_config config;
        if (entry->type == GD_ENTRY_CONFIG &&
            gd_config_decode((struct gd_slice){entry->data, entry->size}, &config) == GD_OK) {
            note_config(inspect, &config, entry->position.index);
        }
    }
}

static void on_closed(void *context)
{
    ((struct verdict *)context)->closed = true;
}

/* UNTESTED: nothing is written in a world without writes, here and below. */
static void on_stored(void *context, uint64_t sequence, struct gd_position last)
{
    (void)context;
    (void)sequence;
    (void)last;
}

static void on_failed(void *context, const struct gd_error *error)
{
    (void)context;
    (void)error;
}

static enum gd_err judge_log(const struct gd_offline *offline, struct verdict *verdict)
{
    struct gd__read_only world;
    struct gd_wal *wal;
    enum gd_err err;

    gd__read_only_init(&world, offline->io);
    wal = gd_wal_new(&(struct gd_wal_options){.io = &world.io,
                                              .directory = "wal",
                                              .segment_size = 1 << 20,
                                              .batch_size_max = 1 << 20,
                                              .stored = on_stored,
                                              .failed = on_failed,
                                              .context = verdict});
    gd_wal_open(wal, on_opened, verdict);
    err = gd__offline_wait(offline, &verdict->told);
    if (err != GD_OK) {
        return err;
    }
    gd_wal_close(wal, on_closed, verdict);
    err = gd__offline_wait(offline, &verdict->closed);
    if (err == GD_OK) {
        gd_wal_free(wal);
    }
    return err;
}

/* Without a log the snapshots say nothing: the node's term and vote were in it. */
static void judge(struct gd_inspect *inspect, bool log_fine)
{
    gd_index start = inspect->before.index;

    if (inspect->empty && inspect->snapshot_count > 0) {
        problem(inspect, GD_ERR_CORRUPT,
                "there are snapshots and no log: the log was removed, or a restore did not end");
    } else if (log_fine && start > 0 && inspect->snapshot.index < start) {
        problem(inspect, GD_ERR_CORRUPT,
                "the log begins behind index %" PRIu64 ", and no sound snapshot reaches it", start);
        log_fine = false;
    }
    inspect->usable = log_fine && !(inspect->empty && inspect->snapshot_count > 0);
    inspect->sound = inspect->usable && inspect->problem_count == 0;
    if (inspect->snapshot.index > inspect->last.index) {
        inspect->last = inspect->snapshot;
    }
}

enum gd_err gd_inspect(const struct gd_offline *offline, struct gd_inspect *inspect,
                       struct gd_error *error)
{
    struct verdict verdict = {.inspect = inspect, .fine = true};
    enum gd_err err;

    *inspect = (struct gd_inspect){.empty = true};
    err = look_at_segments(offline, inspect);
    if (err == GD_OK) { /* The folder is there. */
        verdict.fine = false;
        err = judge_log(offline, &verdict);
    }
    if (err == GD_OK || err == GD_ERR_NOT_FOUND) {
        err = look_at_snapshots(offline, inspect);
    }
    if (err != GD_OK && err != GD_ERR_NOT_FOUND) {
        return gd_error_set(error, err, "the directory cannot be read: %s", gd_err_text(err));
    }
    judge(inspect, verdict.fine);
    return GD_OK;
}

void gd_inspect_release(struct gd_inspect *inspect)
{
    gd_free(inspect->segments);
    gd_free(inspect->snapshots);
    *inspect = (struct gd_inspect){0};
}
