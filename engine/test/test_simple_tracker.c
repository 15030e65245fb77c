/* A value in memory behind the log, and an operator's orders as words. */
#include "engine/memory.h"
#include "engine/orders.h"
#include "engine/simple_tracker.h"
#include "engine/test/test.h"

/* ---------------------------------------------------------------- a world of timers alone */

struct world {
    struct gd_io io;
    struct gd_timer *timers[4];
    size_t count;
};

static gd_time_ns world_now(struct gd_io *io)
{
    (void)io;
    return 1;
}

static void world_start(struct gd_io *io, struct gd_timer *timer, gd_time_ns deadline)
{
    struct world *world = GD_CONTAINER(io, struct world, io);
    assert_int_equal(deadline, 1);
    timer->place = 1;
    world->timers[world->count++] = timer;
}

static void world_stop(struct gd_io *io, struct gd_timer *timer)
{
    struct world *world = GD_CONTAINER(io, struct world, io);
    for (size_t i = 0; i < world->count; i++) {
        if (world->timers[i] == timer) {
            world->timers[i] = world->timers[--world->count];
        }
    }
    timer->place = 0;
}

static const struct gd_io_vtable world_vtable = {
    .now = world_now, .timer_start = world_start, .timer_stop = world_stop};

static void world_turn(struct world *world)
{
    while (world->count > 0) {
        struct gd_timer *timer = world->timers[--world->count];
        timer->place = 0;
        timer->fire(timer);
    }
}

/* ---------------------------------------------------------------- a text that grows */

static void text_apply(void *state, struct gd_slice body, int64_t stamp_ms, struct gd_bytes *reply)
{
    gd_bytes_add(state, body.data, body.size);
    gd_bytes_format(reply, "%d", (int)stamp_ms);
}

static void text_query(void *state, struct gd_slice body, struct gd_bytes *reply)
{
    const struct gd_bytes *text = state;
    (void)body;
    gd_bytes_add(reply, text->data, text->size);
}

static void text_save(const void *state, struct gd_bytes *bytes)
{
    const struct gd_bytes *text = state;
    gd_bytes_add(bytes, text->data, text->size);
}

static bool text_load(void *state, struct gd_slice bytes)
{
    if (bytes.size > 0 && bytes.data[0] == '!') {
        return false;
    }
    gd_bytes_clear(state);
    gd_bytes_add(state, bytes.data, bytes.size);
    return true;
}

static const struct gd_simple_database text_database = {text_apply, text_query, text_save,
                                                        text_load, 10};

struct fixture {
    struct world world;
    struct gd_bytes text;
    struct gd_simple_tracker tracker;
    struct gd_tracker *it;
    int calls;
    enum gd_err err;
    size_t size;
};

static void done(void *context, enum gd_err err)
{
    struct fixture *f = context;
    f->calls++;
    f->err = err;
}

static void read_done(void *context, enum gd_err err, size_t size)
{
    done(context, err);
    ((struct fixture *)context)->size = size;
}

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->world.io.v = &world_vtable;
    gd_simple_tracker_init(&f->tracker, &text_database, &f->text, &f->world.io);
    f->it = &f->tracker.tracker;
    f->it->v->open(f->it, done, f);
    assert_int_equal(f->calls, 0); /* Never from inside the call. */
    world_turn(&f->world);
    assert_int_equal(f->calls, 1);
}

static void end(struct fixture *f)
{
    f->calls = 0;
    f->it->v->close(f->it, done, f);
    world_turn(&f->world);
    assert_int_equal(f->calls, 1);
    gd_bytes_release(&f->text);
}

static enum gd_err restore(struct fixture *f, const char *text, bool commit)
{
    size_t size = strlen(text);
    enum gd_err worst = GD_OK;
    f->it->v->restore_begin(f->it, done, f);
    world_turn(&f->world);
    for (size_t at = 0; at < size; at += 4) {
        struct gd_slice piece = {(const uint8_t *)text + at, size - at < 4 ? size - at : 4};
        f->it->v->restore_write(f->it, piece, done, f);
        world_turn(&f->world);
        worst = f->err != GD_OK ? f->err : worst;
    }
    f->it->v->restore_end(f->it, commit, 77, 5, done, f);
    world_turn(&f->world);
    return f->err != GD_OK ? f->err : worst;
}

static void add(struct fixture *f, gd_index index, const char *text, struct gd_bytes *reply)
{
    struct gd_apply entry = {.position = {1, index},
                             .stamp_ms = 42,
                             .body = {(const uint8_t *)text, strlen(text)},
                             .reply = reply};
    f->it->v->apply(f->it, &entry, 1, done, f);
    world_turn(&f->world);
}

static void test_simple_applies_once_and_answers(void **state)
{
    struct fixture f;
    struct gd_bytes reply = {0};
    struct gd_query query = {.reply = &reply};
    (void)state;
    begin(&f);
    add(&f, 1, "ab", &reply);
    assert_memory_equal(reply.data, "42", 2);
    add(&f, 2, "", NULL); /* Carries nothing: the index moves. */
    add(&f, 3, "c", NULL);
    assert_int_equal(f.it->v->applied(f.it), 3);
    gd_bytes_clear(&reply);
    f.it->v->query(f.it, &query, 1, done, &f);
    world_turn(&f.world);
    assert_int_equal(query.result, GD_QUERY_ANSWERED);
    assert_int_equal(reply.size, 3);
    assert_memory_equal(reply.data, "abc", 3);
    assert_true(f.it->v->next_expiry_ms(f.it) == INT64_MAX);
    gd_bytes_release(&reply);
    end(&f);
}

/* What is applied while a snapshot is read does not change it. */
static void test_simple_snapshot_is_of_one_moment(void **state)
{
    struct fixture f;
    uint8_t to[2];
    struct gd_bytes all = {0};
    (void)state;
    begin(&f);
    add(&f, 1, "abc", NULL);
    uint64_t before = f.it->v->digest(f.it);
    f.it->v->snapshot_begin(f.it, done, &f);
    world_turn(&f.world);
    do {
        f.it->v->snapshot_read(f.it, to, sizeof to, read_done, &f);
        add(&f, f.it->v->applied(f.it) + 1, "x", NULL);
        gd_bytes_add(&all, to, f.size);
    } while (f.size > 0);
    f.it->v->snapshot_end(f.it);
    assert_int_equal(all.size, 3);
    assert_memory_equal(all.data, "abc", 3);
    assert_true(f.it->v->digest(f.it) != before);
    assert_int_equal(restore(&f, "abc", true), GD_OK);
    assert_true(f.it->v->digest(f.it) == before);
    assert_int_equal(f.it->v->applied(f.it), 77);
    gd_bytes_release(&all);
    end(&f);
}

/* What cannot be a snapshot, is too large or is not wanted leaves all as it was. */
static void test_simple_restore_refuses(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    add(&f, 1, "abc", NULL);
    uint64_t before = f.it->v->digest(f.it);
    assert_int_equal(restore(&f, "!", true), GD_ERR_CORRUPT);
    assert_int_equal(restore(&f, "12345678901", false), GD_ERR_CORRUPT);
    assert_int_equal(restore(&f, "xyz", false), GD_OK);
    assert_true(f.it->v->digest(f.it) == before);
    assert_int_equal(f.it->v->applied(f.it), 1);
    end(&f);
}

/* Close drops what is in flight. */
static void test_simple_close_drops(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    f.it->v->snapshot_begin(f.it, done, &f);
    f.it->v->open(f.it, done, &f);
    end(&f);
}

/* ---------------------------------------------------------------- orders */

static enum gd_err order(const char *text, struct gd_admin *admin)
{
    struct gd_slice words[8];
    size_t count = 0;
    for (const char *at = text; *at != '\0' && count < 8;) {
        size_t size = strcspn(at, " ");
        words[count++] = (struct gd_slice){(const uint8_t *)at, size};
        at += size + (at[size] == ' ');
    }
    return gd_order_read(words, count, admin);
}

static void test_orders(void **state)
{
    static const struct {
        const char *text;
        enum gd_err want;
        enum gd_admin_kind kind;
        gd_node_id id;
    } cases[] = {
        {"snapshot", GD_OK, GD_ADMIN_SNAPSHOT, 0},
        {"TRANSFER", GD_OK, GD_ADMIN_TRANSFER, 0},
        {"transfer 3", GD_OK, GD_ADMIN_TRANSFER, 3},
        {"add 4 127.0.0.1:7000 learner force", GD_OK, GD_ADMIN_ADD, 4},
        {"remove 2", GD_OK, GD_ADMIN_REMOVE, 2},
        {"replace 2 5 h:1", GD_OK, GD_ADMIN_REPLACE, 2},
        {"snapshot now", GD_ERR_INVALID, 0, 0},
        {"remove 0", GD_ERR_INVALID, 0, 0},
        {"remove", GD_ERR_INVALID, 0, 0},
        {"add 4 nowhere", GD_ERR_INVALID, 0, 0},
        {"transfer 9999999999999999999", GD_ERR_INVALID, 0, 0},
        {"status", GD_ERR_NOT_FOUND, 0, 0},
        {"", GD_ERR_NOT_FOUND, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < GD_COUNT(cases); i++) {
        struct gd_admin admin = {.id = 99};
        assert_int_equal(order(cases[i].text, &admin), cases[i].want);
        if (cases[i].want == GD_OK) {
            assert_int_equal(admin.kind, cases[i].kind);
            assert_int_equal(admin.id, cases[i].id);
        } else {
            assert_int_equal(admin.id, 99);
        }
    }
    assert_int_equal(order("add 4 a:1 learner", &(struct gd_admin){0}), GD_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple_applies_once_and_answers),
        cmocka_unit_test(test_simple_snapshot_is_of_one_moment),
        cmocka_unit_test(test_simple_restore_refuses),
        cmocka_unit_test(test_simple_close_drops),
        cmocka_unit_test(test_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
