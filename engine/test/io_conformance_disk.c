/* io_conformance_disk.c - the suite's disk: every operation, every error, D1 and D2. */
#include "engine/test/io_conformance_parts.h"
#include "engine/memory.h"

/* One operation and how it ended. */
struct op {
    struct gd_disk_op op; /* First: `done` gets it. */
    bool submitted;       /* submit has returned: a callback before that is an error. */
    unsigned done_count;
    enum gd_err err;
    char names[512]; /* LIST's, joined by spaces. */
};

static void op_done(struct gd_disk_op *disk_op, enum gd_err err)
{
    struct op *op = (struct op *)(void *)disk_op;

    assert_true(op->submitted);
    op->done_count++;
    op->err = err;
    if (disk_op->kind == GD_DISK_LIST && err == GD_OK) {
        op->names[0] = '\0';
        for (const char *at = disk_op->names; *at != '\0'; at += strlen(at) + 1) {
            size_t size = strlen(op->names);
            (void)snprintf(op->names + size, sizeof op->names - size, "%s%s", size > 0 ? " " : "",
                           at);
        }
        gd_free(disk_op->names);
        disk_op->names = NULL;
    }
}

static bool op_is_done(void *context)
{
    return ((const struct op *)context)->done_count > 0;
}

static enum gd_err submit(struct gd_io_harness *harness, unsigned node, struct op *op)
{
    op->op.done = op_done;
    op->submitted = false;
    op->done_count = 0;
    enum gd_err err = gd_disk_submit(io_of(harness, node), &op->op);
    op->submitted = true;
    return err;
}

/* Submit, wait, and return what `done` was told. */
static enum gd_err finish(struct gd_io_harness *harness, struct op *op)
{
    assert_int_equal(submit(harness, 0, op), GD_OK);
    assert_true(run_until(harness, op_is_done, op));
    assert_int_equal(op->done_count, 1);
    return op->err;
}

static enum gd_err on_path(struct gd_io_harness *harness, enum gd_disk_kind kind, const char *path)
{
    struct op op = {.op = {.kind = kind, .path = path}};

    return finish(harness, &op);
}

static enum gd_err open_file(struct gd_io_harness *harness, const char *path, unsigned flags,
                             struct gd_file *file)
{
    struct op op = {.op = {.kind = GD_DISK_OPEN, .path = path, .flags = flags, .file = file}};

    return finish(harness, &op);
}

static enum gd_err on_file(struct gd_io_harness *harness, enum gd_disk_kind kind,
                           struct gd_file *file, uint64_t size)
{
    struct op op = {.op = {.kind = kind, .file = file, .size = size}};

    return finish(harness, &op);
}

static enum gd_err put(struct gd_io_harness *harness, enum gd_disk_kind kind, struct gd_file *file,
                       uint64_t offset, const void *data, size_t size)
{
    char copy[8192];
    struct op op = {
        .op = {.kind = kind, .file = file, .offset = offset, .data = copy, .size = size}};

    assert_true(size <= sizeof copy);
    memcpy(copy, data, size);
    return finish(harness, &op);
}

/* Bytes got; `to` is filled with 0xee behind them. */
static uint64_t get(struct gd_io_harness *harness, struct gd_file *file, uint64_t offset, void *to,
                    size_t size)
{
    struct op op = {
        .op = {.kind = GD_DISK_READ, .file = file, .offset = offset, .data = to, .size = size}};

    memset(to, 0xee, size);
    assert_int_equal(finish(harness, &op), GD_OK);
    return op.op.result;
}

static uint64_t size_of(struct gd_io_harness *harness, struct gd_file *file)
{
    struct op op = {.op = {.kind = GD_DISK_SIZE, .file = file}};

    assert_int_equal(finish(harness, &op), GD_OK);
    return op.op.result;
}

static void assert_list(struct gd_io_harness *harness, const char *path, const char *want)
{
    struct op op = {.op = {.kind = GD_DISK_LIST, .path = path}};

    assert_int_equal(finish(harness, &op), GD_OK);
    assert_string_equal(op.names, want);
}

static struct gd_file opened(struct gd_io_harness *harness, const char *path, unsigned flags)
{
    struct gd_file file = {0};

    assert_int_equal(open_file(harness, path, flags, &file), GD_OK);
    return file;
}

static void close_file(struct gd_io_harness *harness, struct gd_file *file)
{
    assert_int_equal(on_file(harness, GD_DISK_CLOSE, file, 0), GD_OK);
}

static void make_file(struct gd_io_harness *harness, const char *path, const char *text)
{
    struct gd_file file = opened(harness, path, GD_DISK_CREATE);

    assert_int_equal(put(harness, GD_DISK_WRITE, &file, 0, text, strlen(text)), GD_OK);
    close_file(harness, &file);
}

static void assert_file(struct gd_io_harness *harness, const char *path, const char *want)
{
    struct gd_file file = opened(harness, path, GD_DISK_READ_ONLY);
    char text[256];
    uint64_t got = get(harness, &file, 0, text, sizeof text);

    assert_int_equal(got, strlen(want));
    assert_memory_equal(text, want, got);
    close_file(harness, &file);
}

/* ---------------------------------------------------------------- names */

static void test_disk_open_flags(void **state)
{
    static const struct {
        const char *name;
        const char *path;
        unsigned flags;
        enum gd_err want;
    } cases[] = {
        {"absent", "absent", 0, GD_ERR_NOT_FOUND},
        {"absent, for reads", "absent", GD_DISK_READ_ONLY, GD_ERR_NOT_FOUND},
        {"absent folder", "no/file", GD_DISK_CREATE, GD_ERR_NOT_FOUND},
        {"made", "made", GD_DISK_CREATE, GD_OK},
        {"present, create", "made", GD_DISK_CREATE, GD_OK},
        {"present, exclusive", "made", GD_DISK_CREATE | GD_DISK_EXCLUSIVE, GD_ERR_EXISTS},
        {"fresh, exclusive", "fresh", GD_DISK_CREATE | GD_DISK_EXCLUSIVE, GD_OK},
        {"present", "made", 0, GD_OK},
        {"present, for reads", "made", GD_DISK_READ_ONLY, GD_OK},
    };
    struct gd_io_harness *harness = harness_of(state);

    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_file file = {0};

        print_message("case: %s\n", cases[i].name);
        assert_int_equal(open_file(harness, cases[i].path, cases[i].flags, &file), cases[i].want);
        if (cases[i].want == GD_OK) {
            close_file(harness, &file);
        }
    }
    assert_list(harness, "", "fresh made");
}

static void test_disk_list_is_sorted(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    static const char *const names[] = {"b", "a10", "a2", "B", "~", "a", "-"};

    assert_list(harness, "", "");
    assert_int_equal(on_path(harness, GD_DISK_MAKE_DIRECTORY, "folder"), GD_OK);
    assert_list(harness, "folder", "");
    for (size_t i = 0; i < GD_COUNT(names); i++) {
        char path[32];

        (void)snprintf(path, sizeof path, "folder/%s", names[i]);
        make_file(harness, path, "x");
    }
    assert_list(harness, "folder", "- B a a10 a2 b ~");
    assert_list(harness, "", "folder");
    assert_int_equal(on_path(harness, GD_DISK_LIST, "nowhere"), GD_ERR_NOT_FOUND);
}

static void test_disk_make_directory(void **state)
{
    struct gd_io_harness *harness = harness_of(state);

    assert_int_equal(on_path(harness, GD_DISK_MAKE_DIRECTORY, "a"), GD_OK);
    assert_int_equal(on_path(harness, GD_DISK_MAKE_DIRECTORY, "a"), GD_OK);
    assert_int_equal(on_path(harness, GD_DISK_MAKE_DIRECTORY, "a/b"), GD_OK);
    assert_int_equal(on_path(harness, GD_DISK_MAKE_DIRECTORY, "x/y"), GD_ERR_NOT_FOUND);
    make_file(harness, "a/b/file", "deep");
    assert_file(harness, "a/b/file", "deep");
    assert_list(harness, "a", "b");
    assert_int_equal(on_path(harness, GD_DISK_SYNC_DIRECTORY, "a"), GD_OK);
    assert_int_equal(on_path(harness, GD_DISK_SYNC_DIRECTORY, ""), GD_OK);
    assert_int_equal(on_path(harness, GD_DISK_SYNC_DIRECTORY, "nowhere"), GD_ERR_NOT_FOUND);
}

static void test_disk_rename_replaces(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct op op = {.op = {.kind = GD_DISK_RENAME, .path = "new", .path_to = "old"}};

    make_file(harness, "old", "old");
    make_file(harness, "new", "newer");
    assert_int_equal(finish(harness, &op), GD_OK);
    assert_list(harness, "", "old");
    assert_file(harness, "old", "newer");
    assert_int_equal(finish(harness, &op), GD_ERR_NOT_FOUND);
    assert_file(harness, "old", "newer");
}

static void test_disk_unlink(void **state)
{
    struct gd_io_harness *harness = harness_of(state);

    make_file(harness, "file", "x");
    assert_int_equal(on_path(harness, GD_DISK_UNLINK, "file"), GD_OK);
    assert_list(harness, "", "");
    assert_int_equal(on_path(harness, GD_DISK_UNLINK, "file"), GD_ERR_NOT_FOUND);
}

/* ---------------------------------------------------------------- bytes */

static void test_disk_read_and_write(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct gd_file file = opened(harness, "file", GD_DISK_CREATE);
    char text[32];

    assert_int_equal(get(harness, &file, 0, text, 8), 0);
    assert_int_equal(put(harness, GD_DISK_WRITE, &file, 0, "0123456789", 10), GD_OK);
    assert_int_equal(put(harness, GD_DISK_WRITE, &file, 3, "abc", 3), GD_OK);
    assert_int_equal(get(harness, &file, 0, text, 10), 10);
    assert_memory_equal(text, "012abc6789", 10);
    assert_int_equal(get(harness, &file, 4, text, 3), 3);
    assert_memory_equal(text, "bc6", 3);
    assert_int_equal(get(harness, &file, 7, text, 20), 3); /* Short only at the end. */
    assert_memory_equal(text, "789\xee", 4);
    assert_int_equal(get(harness, &file, 10, text, 4), 0);
    assert_int_equal(get(harness, &file, 1000000, text, 4), 0);
    assert_int_equal(put(harness, GD_DISK_WRITE, &file, 15, "z", 1), GD_OK);
    assert_int_equal(get(harness, &file, 9, text, 20), 7); /* A hole reads as zeros. */
    assert_memory_equal(text, "9\0\0\0\0\0z", 7);
    assert_int_equal(put(harness, GD_DISK_WRITE, &file, 40, "", 0), GD_OK);
    assert_int_equal(get(harness, &file, 0, text, 0), 0);
    close_file(harness, &file);
}

static void test_disk_size_and_truncate(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct gd_file file = opened(harness, "file", GD_DISK_CREATE);
    char text[16];

    assert_int_equal(size_of(harness, &file), 0);
    assert_int_equal(put(harness, GD_DISK_WRITE, &file, 0, "abcdefgh", 8), GD_OK);
    assert_int_equal(size_of(harness, &file), 8);
    assert_int_equal(on_file(harness, GD_DISK_TRUNCATE, &file, 3), GD_OK);
    assert_int_equal(size_of(harness, &file), 3);
    assert_int_equal(on_file(harness, GD_DISK_TRUNCATE, &file, 6), GD_OK);
    assert_int_equal(get(harness, &file, 0, text, 16), 6);
    assert_memory_equal(text, "abc\0\0\0", 6); /* What was cut off does not come back. */
    close_file(harness, &file);
}

static void test_disk_preallocate(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct gd_file file = opened(harness, "file", GD_DISK_CREATE);
    static const char zeros[8192];
    char text[8192];

    assert_int_equal(put(harness, GD_DISK_WRITE, &file, 0, "abc", 3), GD_OK);
    assert_int_equal(on_file(harness, GD_DISK_PREALLOCATE, &file, 3 * 1024 * 1024 + 5), GD_OK);
    assert_int_equal(size_of(harness, &file), 3 * 1024 * 1024 + 5);
    assert_int_equal(get(harness, &file, 0, text, 4096), 4096);
    assert_memory_equal(text, "abc", 3);
    assert_memory_equal(text + 3, zeros, 4093);
    assert_int_equal(get(harness, &file, 3 * 1024 * 1024 - 4096, text, 8192), 4101);
    assert_memory_equal(text, zeros, 4101);
    assert_int_equal(on_file(harness, GD_DISK_PREALLOCATE, &file, 100), GD_OK); /* No shrinking. */
    assert_int_equal(size_of(harness, &file), 3 * 1024 * 1024 + 5);
    assert_int_equal(on_file(harness, GD_DISK_SYNC, &file, 0), GD_OK);
    close_file(harness, &file);
}

static void test_disk_durable_write_reads_back(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct gd_file file = opened(harness, "file", GD_DISK_CREATE);
    char text[16];

    assert_int_equal(put(harness, GD_DISK_WRITE_DURABLE, &file, 5, "world", 5), GD_OK);
    assert_int_equal(put(harness, GD_DISK_WRITE_DURABLE, &file, 0, "hello", 5), GD_OK);
    assert_int_equal(get(harness, &file, 0, text, 16), 10);
    assert_memory_equal(text, "helloworld", 10);
    close_file(harness, &file);
}

/* Two open files on one name see one another's writes. */
static void test_disk_two_handles(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct gd_file a = opened(harness, "file", GD_DISK_CREATE);
    struct gd_file b = opened(harness, "file", GD_DISK_READ_ONLY);
    char text[8];

    assert_int_equal(put(harness, GD_DISK_WRITE, &a, 0, "both", 4), GD_OK);
    assert_int_equal(get(harness, &b, 0, text, 8), 4);
    assert_memory_equal(text, "both", 4);
    close_file(harness, &a);
    close_file(harness, &b);
}

/* ---------------------------------------------------------------- the queue */

#define MANY 300

static bool many_done(void *context)
{
    struct op *ops = context;

    for (size_t i = 0; i < MANY; i++) {
        if (ops[i].done_count == 0) {
            return false;
        }
    }
    return true;
}

/* Many at a time, each told once; what they wrote is all there (their order is nobody's, X1). */
static void test_disk_many_in_flight(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct gd_file file = opened(harness, "file", GD_DISK_CREATE);
    struct op *ops = calloc(MANY, sizeof *ops);
    char data[MANY], text[MANY];

    assert_non_null(ops);
    for (size_t i = 0; i < MANY; i++) {
        data[i] = (char)i;
        ops[i].op = (struct gd_disk_op){.kind = i % 3 == 0 ? GD_DISK_WRITE_DURABLE : GD_DISK_WRITE,
                                        .file = &file,
                                        .offset = i,
                                        .data = &data[i],
                                        .size = 1};
        assert_int_equal(submit(harness, 0, &ops[i]), GD_OK);
    }
    assert_true(run_until(harness, many_done, ops));
    run_for(harness, 5);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(ops[i].done_count, 1);
        assert_int_equal(ops[i].err, GD_OK);
    }
    assert_int_equal(get(harness, &file, 0, text, MANY), MANY);
    assert_memory_equal(text, data, MANY);
    close_file(harness, &file);
    free(ops);
}

struct chain {
    struct gd_disk_op op;
    struct gd_io *io;
    unsigned left;
    bool failed;
};

static void chain_step(struct gd_disk_op *op, enum gd_err err)
{
    struct chain *chain = (struct chain *)(void *)op;

    chain->failed = chain->failed || err != GD_OK;
    op->offset++;
    if (--chain->left > 0 && gd_disk_submit(chain->io, op) != GD_OK) {
        chain->failed = true;
        chain->left = 0;
    }
}

static bool chain_done(void *context)
{
    return ((const struct chain *)context)->left == 0;
}

/* An operation is its owner's again in `done`, and may go out anew from there. */
static void test_disk_submit_in_done(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct gd_file file = opened(harness, "file", GD_DISK_CREATE);
    char byte = 'q';
    struct chain chain = {
        .op = {.kind = GD_DISK_WRITE, .file = &file, .data = &byte, .size = 1, .done = chain_step},
        .io = io_of(harness, 0),
        .left = 50};

    assert_int_equal(gd_disk_submit(chain.io, &chain.op), GD_OK);
    assert_true(run_until(harness, chain_done, &chain));
    assert_false(chain.failed);
    assert_int_equal(size_of(harness, &file), 50);
    close_file(harness, &file);
}

#define FLOOD 20000

static bool flood_done(void *context)
{
    for (struct op *op = context; op->submitted; op++) {
        if (op->done_count == 0) {
            return false;
        }
    }
    return true;
}

/* A full queue refuses, and takes again once it has drained; a world may also have no such bound.
 */
static void test_disk_full_queue_refuses(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct gd_file file = opened(harness, "file", GD_DISK_CREATE);
    struct op *ops = calloc(FLOOD + 1, sizeof *ops);
    size_t count = 0;

    assert_non_null(ops);
    for (; count < FLOOD; count++) {
        ops[count].op = (struct gd_disk_op){.kind = GD_DISK_SIZE, .file = &file};
        enum gd_err err = submit(harness, 0, &ops[count]);
        if (err != GD_OK) {
            assert_int_equal(err, GD_ERR_BUSY);
            ops[count].submitted = false;
            break;
        }
    }
    assert_true(run_until(harness, flood_done, ops));
    assert_int_equal(ops[count].done_count, 0); /* Refused: no callback. */
    assert_int_equal(size_of(harness, &file), 0);
    close_file(harness, &file);
    free(ops);
}

/* ---------------------------------------------------------------- crashes */

static void need_crash(struct gd_io_harness *harness)
{
    if (harness->v->crash == NULL) {
        skip();
    }
}

/* D1 and D2: what a sync and the directory's sync covered is there after a crash. */
static void test_disk_synced_survives_crash(void **state)
{
    struct gd_io_harness *harness = harness_of(state);

    need_crash(harness);
    struct gd_file file = opened(harness, "file", GD_DISK_CREATE);
    assert_int_equal(put(harness, GD_DISK_WRITE, &file, 0, "kept", 4), GD_OK);
    assert_int_equal(put(harness, GD_DISK_WRITE, &file, 4, " whole", 6), GD_OK);
    assert_int_equal(on_file(harness, GD_DISK_SYNC, &file, 0), GD_OK);
    assert_int_equal(on_path(harness, GD_DISK_SYNC_DIRECTORY, ""), GD_OK);
    harness->v->crash(harness, 0);
    assert_list(harness, "", "file");
    assert_file(harness, "file", "kept whole");
}

/* D1 for the one-step write, in a file that was preallocated and synced before. */
static void test_disk_durable_write_survives_crash(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    char text[16];

    need_crash(harness);
    struct gd_file file = opened(harness, "file", GD_DISK_CREATE);
    assert_int_equal(on_file(harness, GD_DISK_PREALLOCATE, &file, 8192), GD_OK);
    assert_int_equal(on_file(harness, GD_DISK_SYNC, &file, 0), GD_OK);
    assert_int_equal(on_path(harness, GD_DISK_SYNC_DIRECTORY, ""), GD_OK);
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(put(harness, GD_DISK_WRITE_DURABLE, &file, i * 2048, "durable", 7), GD_OK);
        harness->v->crash(harness, 0);
        file = opened(harness, "file", 0);
        assert_int_equal(size_of(harness, &file), 8192);
        for (uint64_t j = 0; j <= i; j++) {
            assert_int_equal(get(harness, &file, j * 2048, text, 7), 7);
            assert_memory_equal(text, "durable", 7);
        }
    }
    /* And where it makes the file longer. */
    assert_int_equal(put(harness, GD_DISK_WRITE_DURABLE, &file, 8192, "longer", 6), GD_OK);
    harness->v->crash(harness, 0);
    file = opened(harness, "file", 0);
    assert_int_equal(get(harness, &file, 8192, text, 16), 6);
    assert_memory_equal(text, "longer", 6);
}

/* D1 for truncations. */
static void test_disk_synced_truncate_survives_crash(void **state)
{
    struct gd_io_harness *harness = harness_of(state);

    need_crash(harness);
    struct gd_file file = opened(harness, "file", GD_DISK_CREATE);
    assert_int_equal(put(harness, GD_DISK_WRITE, &file, 0, "0123456789", 10), GD_OK);
    assert_int_equal(on_file(harness, GD_DISK_TRUNCATE, &file, 4), GD_OK);
    assert_int_equal(on_file(harness, GD_DISK_SYNC, &file, 0), GD_OK);
    assert_int_equal(on_path(harness, GD_DISK_SYNC_DIRECTORY, ""), GD_OK);
    harness->v->crash(harness, 0);
    assert_file(harness, "file", "0123");
}

/* D2 for renamed and unlinked names, and for folders. */
static void test_disk_synced_names_survive_crash(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct op op = {.op = {.kind = GD_DISK_RENAME, .path = "folder/new", .path_to = "folder/old"}};

    need_crash(harness);
    assert_int_equal(on_path(harness, GD_DISK_MAKE_DIRECTORY, "folder"), GD_OK);
    assert_int_equal(on_path(harness, GD_DISK_SYNC_DIRECTORY, ""), GD_OK);
    make_file(harness, "folder/gone", "x");
    make_file(harness, "folder/old", "x");
    struct gd_file file = opened(harness, "folder/new", GD_DISK_CREATE);
    assert_int_equal(put(harness, GD_DISK_WRITE, &file, 0, "new", 3), GD_OK);
    assert_int_equal(on_file(harness, GD_DISK_SYNC, &file, 0), GD_OK);
    close_file(harness, &file);
    assert_int_equal(on_path(harness, GD_DISK_SYNC_DIRECTORY, "folder"), GD_OK);
    assert_int_equal(finish(harness, &op), GD_OK);
    assert_int_equal(on_path(harness, GD_DISK_UNLINK, "folder/gone"), GD_OK);
    assert_int_equal(on_path(harness, GD_DISK_SYNC_DIRECTORY, "folder"), GD_OK);
    harness->v->crash(harness, 0);
    assert_list(harness, "", "folder");
    assert_list(harness, "folder", "old");
    assert_file(harness, "folder/old", "new");
}

/* Nothing from before a crash is told after it. */
static void test_disk_crash_drops_callbacks(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    struct op *ops = calloc(MANY, sizeof *ops);
    char data[512] = {0};

    if (harness->v->crash == NULL) {
        free(ops);
        skip();
    }
    assert_non_null(ops);
    struct gd_file file = opened(harness, "file", GD_DISK_CREATE);
    for (size_t i = 0; i < MANY; i++) {
        ops[i].op = (struct gd_disk_op){.kind = GD_DISK_WRITE_DURABLE,
                                        .file = &file,
                                        .offset = i * 512,
                                        .data = data,
                                        .size = 512};
        assert_int_equal(submit(harness, 0, &ops[i]), GD_OK);
    }
    harness->v->crash(harness, 0);
    run_for(harness, 50);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(ops[i].done_count, 0);
    }
    assert_int_equal(open_file(harness, "after", GD_DISK_CREATE, &file), GD_OK);
    free(ops);
}

/* ---------------------------------------------------------------- a full disk */

static void test_disk_full(void **state)
{
    struct gd_io_harness *harness = harness_of(state);
    char data[8192] = {0};

    if (harness->v->limit_disk == NULL) {
        skip();
    }
    struct gd_file file = opened(harness, "file", GD_DISK_CREATE);
    assert_int_equal(put(harness, GD_DISK_WRITE, &file, 0, "abc", 3), GD_OK);
    harness->v->limit_disk(harness, 0, 65536);
    assert_int_equal(on_file(harness, GD_DISK_PREALLOCATE, &file, 1048576), GD_ERR_NO_SPACE);
    assert_int_equal(size_of(harness, &file), 3); /* Unchanged. */
    assert_int_equal(put(harness, GD_DISK_WRITE, &file, 1048576, data, sizeof data),
                     GD_ERR_NO_SPACE);
    harness->v->limit_disk(harness, 0, 0);
    assert_int_equal(on_file(harness, GD_DISK_PREALLOCATE, &file, 1048576), GD_OK);
    assert_int_equal(get(harness, &file, 0, data, 4), 4);
    assert_memory_equal(data, "abc\0", 4);
    close_file(harness, &file);
}

int gd_io_conformance_disk(const char *name)
{
    const struct CMUnitTest tests[] = {
        CONFORMANCE_TEST(test_disk_open_flags),
        CONFORMANCE_TEST(test_disk_list_is_sorted),
        CONFORMANCE_TEST(test_disk_make_directory),
        CONFORMANCE_TEST(test_disk_rename_replaces),
        CONFORMANCE_TEST(test_disk_unlink),
        CONFORMANCE_TEST(test_disk_read_and_write),
        CONFORMANCE_TEST(test_disk_size_and_truncate),
        CONFORMANCE_TEST(test_disk_preallocate),
        CONFORMANCE_TEST(test_disk_durable_write_reads_back),
        CONFORMANCE_TEST(test_disk_two_handles),
        CONFORMANCE_TEST(test_disk_many_in_flight),
        CONFORMANCE_TEST(test_disk_submit_in_done),
        CONFORMANCE_TEST(test_disk_full_queue_refuses),
        CONFORMANCE_TEST(test_disk_synced_survives_crash),
        CONFORMANCE_TEST(test_disk_durable_write_survives_crash),
        CONFORMANCE_TEST(test_disk_synced_truncate_survives_crash),
        CONFORMANCE_TEST(test_disk_synced_names_survive_crash),
        CONFORMANCE_TEST(test_disk_crash_drops_callbacks),
        CONFORMANCE_TEST(test_disk_full),
    };

    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
