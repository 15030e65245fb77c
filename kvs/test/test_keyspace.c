/* The keyspace against a plain model, under every kind of change; its frozen view (F1) and what a
 * step costs (K4). */
#include "engine/memory.h"
#include "engine/prng.h"
#include "kvs/keyspace.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { KEYS = 300, VALUE_SIZE_MAX = 40 };

struct model_item {
    bool there;
    size_t size;
    uint8_t value[VALUE_SIZE_MAX];
    int64_t expiry_ms;
    gd_index version;
};
struct model {
    struct model_item items[KEYS];
    int64_t clock_ms;
};

static struct gd_slice text(const char *from)
{
    return (struct gd_slice){(const uint8_t *)from, strlen(from)};
}

static struct gd_slice key_of(size_t number, char *buffer, size_t capacity)
{
    int size = snprintf(buffer, capacity, "k%zu", number);
    return (struct gd_slice){(const uint8_t *)buffer, (size_t)size};
}

static bool model_alive(const struct model *model, size_t at)
{
    const struct model_item *item = &model->items[at];
    return item->there && (item->expiry_ms < 0 || item->expiry_ms > model->clock_ms);
}

static void check_item(const struct gd_item *got, const struct model_item *want)
{
    char scratch[GD_ITEM_SCRATCH];
    struct gd_slice value = gd_item_value(got, scratch);

    assert_int_equal(value.size, want->size);
    assert_memory_equal(value.data, want->value, want->size);
    assert_int_equal(gd_item_expiry_ms(got), want->expiry_ms);
    assert_int_equal(gd_item_version(got), want->version);
}

struct seen {
    uint8_t times[KEYS];
};
static size_t number_of(const struct gd_item *item)
{
    struct gd_slice key = gd_item_key(item);
    size_t number = 0;

    for (size_t i = 1; i < key.size; i++) {
        number = number * 10 + key.data[i] - '0';
    }
    assert_true(number < KEYS);
    return number;
}
static void count_visit(void *context, const struct gd_item *item)
{
    ((struct seen *)context)->times[number_of(item)]++;
}

static void check_all(const struct gd_keyspace *ks, const struct model *model)
{
    struct seen seen = {{0}};
    uint64_t cursor = 0;
    size_t count = 0;

    do {
        cursor = gd_keyspace_scan(ks, cursor, count_visit, &seen);
    } while (cursor != 0);
    for (size_t i = 0; i < KEYS; i++) {
        char buffer[16];
        const struct gd_item *got = gd_keyspace_find(ks, key_of(i, buffer, sizeof buffer));
        bool alive = model_alive(model, i);
        assert_int_equal(got != NULL, alive);
        assert_int_equal(seen.times[i], alive ? 1 : 0);
        if (alive) {
            check_item(got, &model->items[i]);
            count++;
        }
    }
    assert_int_equal(gd_keyspace_count(ks), count);
}

static void model_write(struct gd_keyspace *ks, struct model *model, struct gd_prng *prng,
                        struct gd_slice key, size_t at, gd_index version)
{
    struct model_item *item = &model->items[at];
    bool alive = model_alive(model, at);
    size_t size = gd_prng_below(prng, VALUE_SIZE_MAX + 1);

    if (gd_prng_chance(prng, 1, 2)) {
        uint8_t value[VALUE_SIZE_MAX];
        bool number = gd_prng_chance(prng, 1, 3);
        size = number && size > 18 ? 18 : size;
        for (size_t i = 0; i < size; i++) {
            value[i] = number ? (uint8_t)('1' + gd_prng_below(prng, 9))
                              : (uint8_t)gd_prng_below(prng, 256);
        }
        item->expiry_ms = gd_prng_chance(prng, 1, 2)
                              ? -1
                              : model->clock_ms + 1 + (int64_t)gd_prng_below(prng, 300);
        gd_keyspace_set(ks, key, (struct gd_slice){value, size}, item->expiry_ms, version);
        memcpy(item->value, value, size);
    } else {
        uint8_t *to = gd_keyspace_edit(ks, key, size, version);
        size_t kept = !alive ? 0 : item->size < size ? item->size : size;
        item->expiry_ms = alive ? item->expiry_ms : -1;
        memset(item->value + kept, 0, size - kept);
        if (size > 0) {
            to[size - 1] = item->value[size - 1] = (uint8_t)version;
        }
    }
    item->there = true;
    item->size = size;
    item->version = version;
}

static void model_step(struct gd_keyspace *ks, struct model *model, struct gd_prng *prng,
                       gd_index version)
{
    size_t at = gd_prng_below(prng, KEYS);
    char buffer[16];
    struct gd_slice key = key_of(at, buffer, sizeof buffer);
    struct model_item *item = &model->items[at];
    bool alive = model_alive(model, at);
    uint64_t dice = gd_prng_below(prng, 1000);

    if (dice < 600) {
        model_write(ks, model, prng, key, at, version);
    } else if (dice < 750) {
        assert_int_equal(gd_keyspace_delete(ks, key), alive);
        item->there = false;
    } else if (dice < 850) {
        int64_t expiry_ms =
            dice < 780 ? -1 : model->clock_ms + 1 + (int64_t)gd_prng_below(prng, 100);
        assert_int_equal(gd_keyspace_set_expiry(ks, key, expiry_ms, version), alive);
        if (alive) {
            item->expiry_ms = expiry_ms;
            item->version = version;
        }
    } else if (dice < 995) {
        model->clock_ms += (int64_t)gd_prng_below(prng, 10);
        gd_keyspace_advance(ks, model->clock_ms, gd_prng_below(prng, 3));
        if (dice < 870) {
            (void)gd_keyspace_work(ks, gd_prng_below(prng, 20));
        }
    } else if (dice < 997) {
        gd_keyspace_clear(ks);
        for (size_t i = 0; i < KEYS; i++) {
            model->items[i].there = false;
        }
    } else { /* Much goes: the table shrinks. */
        for (size_t i = 0; i < KEYS; i++) {
            if (i % 16 != 0) {
                (void)gd_keyspace_delete(ks, key_of(i, buffer, sizeof buffer));
                model->items[i].there = false;
            }
        }
    }
}

/* K2, K3: every read agrees with the model after every kind of change. */
static void test_keyspace_agrees_with_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct gd_keyspace *ks = gd_keyspace_new(seed, 2);
        struct model *model = gd_calloc(1, sizeof *model);
        struct gd_prng prng;

        gd_prng_init(&prng, seed);
        for (gd_index version = 1; version < 4000; version++) {
            model_step(ks, model, &prng, version);
            if (version % 97 == 0) {
                check_all(ks, model);
            }
        }
        gd_keyspace_free(ks);
        gd_free(model);
    }
}

/* F1: the view is the state at the freezing, whatever is changed while it is read. */
static void test_keyspace_frozen_is_consistent(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct gd_keyspace *ks = gd_keyspace_new(seed, 3);
        struct model *model = gd_calloc(1, sizeof *model);
        struct model *then = gd_calloc(1, sizeof *then);
        struct seen seen = {{0}};
        struct gd_prng prng;
        gd_index version = 1;
        bool end = false;

        gd_prng_init(&prng, seed);
        for (uint64_t i = gd_prng_below(&prng, 1500); i > 0; i--) {
            model_step(ks, model, &prng, version++);
        }
        *then = *model;
        gd_keyspace_freeze(ks);
        while (!end) {
            size_t work = 1 + gd_prng_below(&prng, 20);
            const struct gd_item *item = gd_keyspace_frozen_next(ks, &work, &end);
            for (uint64_t i = gd_prng_below(&prng, 6); i > 0; i--) {
                model_step(ks, model, &prng, version++);
            }
            if (item != NULL) {
                item = gd_keyspace_frozen_current(ks); /* F3 */
                size_t at = number_of(item);
                assert_true(model_alive(then, at));
                check_item(item, &then->items[at]);
                seen.times[at]++;
            }
            if (gd_prng_chance(&prng, 1, 2000)) {
                break; /* Let go early. */
            }
        }
        for (size_t i = 0; i < KEYS && end; i++) {
            assert_int_equal(seen.times[i], model_alive(then, i) ? 1 : 0);
        }
        if (seed % 2 == 0) {
            gd_keyspace_thaw(ks);
            check_all(ks, model);
        }
        gd_keyspace_free(ks);
        gd_free(model);
        gd_free(then);
    }
}

/* Equal contents have equal digests, whatever the seeds and the way there. */
static void test_keyspace_digest_knows_contents_only(void **state)
{
    struct gd_keyspace *a = gd_keyspace_new(1, 1), *b = gd_keyspace_new(9, 9);
    char buffer[16];

    (void)state;
    for (size_t i = 0; i < 500; i++) {
        gd_keyspace_set(a, key_of(i, buffer, sizeof buffer), text("12"), i % 2 ? 99 : -1, i + 1);
        gd_keyspace_set(b, key_of(499 - i, buffer, sizeof buffer), text("12"),
                        (499 - i) % 2 ? 99 : -1, 500 - i);
    }
    assert_true(gd_keyspace_digest(a) == gd_keyspace_digest(b));
    gd_keyspace_advance(a, 99, 0);
    gd_keyspace_advance(b, 99, 1000);
    assert_true(gd_keyspace_digest(a) == gd_keyspace_digest(b));
    gd_keyspace_set(b, key_of(2, buffer, sizeof buffer), text("12"), -1, 7);
    assert_true(gd_keyspace_digest(a) != gd_keyspace_digest(b));
    gd_keyspace_free(a);
    gd_keyspace_free(b);
}

/* SCAN's promise: what is there all along is seen, while the table grows and shrinks. */
static void test_keyspace_scan_misses_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct gd_keyspace *ks = gd_keyspace_new(seed, 4);
        struct seen seen = {{0}};
        char buffer[32];
        uint64_t cursor = 0, extra = 0;

        for (size_t i = 0; i < 100; i++) {
            gd_keyspace_set(ks, key_of(i, buffer, sizeof buffer), text("v"), -1, 1);
        }
        do {
            cursor = gd_keyspace_scan(ks, cursor, count_visit, &seen);
            for (int i = 0; i < 8; i++, extra++) { /* Up by 200, down again, and so on. */
                struct gd_slice key = key_of(100 + extra % 200, buffer, sizeof buffer);
                if (extra / 200 % 2 == 0) {
                    gd_keyspace_set(ks, key, text("v"), -1, 1);
                } else {
                    (void)gd_keyspace_delete(ks, key);
                }
            }
        } while (cursor != 0);
        for (size_t i = 0; i < 100; i++) {
            assert_true(seen.times[i] > 0);
        }
        gd_keyspace_free(ks);
    }
}

/* K4: no step of a view does more than it was allowed, but for one bucket's chain. */
static void test_keyspace_frozen_step_is_bounded(void **state)
{
    struct gd_keyspace *ks = gd_keyspace_new(1, 5);
    char buffer[32];
    size_t given = 0, steps = 0, count = 100000;
    bool end = false;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        gd_keyspace_set(ks, key_of(i, buffer, sizeof buffer), text("value"), -1, i + 1);
    }
    gd_keyspace_freeze(ks);
    gd_keyspace_clear(ks); /* Takes no walk: the table goes to the view. */
    assert_int_equal(gd_keyspace_count(ks), 0);
    while (!end) {
        size_t work = 100, in_step = 0;
        while (work > 0 && !end) {
            in_step += gd_keyspace_frozen_next(ks, &work, &end) != NULL;
        }
        assert_true(in_step <= 100);
        given += in_step;
        steps++;
    }
    assert_int_equal(given, count);
    assert_true(steps >= count / 100);
    gd_keyspace_thaw(ks);
    for (steps = 0; gd_keyspace_work(ks, 100); steps++) {
    }
    assert_true(steps >= count / 100); /* Given back bit by bit. */
    gd_keyspace_free(ks);
}

static void test_keyspace_replace(void **state)
{
    struct gd_keyspace *ks = gd_keyspace_new(1, 6), *from = gd_keyspace_sibling(ks);
    bool end = false;
    size_t work = 1000;

    (void)state;
    gd_keyspace_set(ks, text("old"), text("1"), 50, 1);
    gd_keyspace_set(from, text("new"), text("2"), 60, 2);
    gd_keyspace_freeze(ks);
    gd_keyspace_replace(ks, from, 10);
    assert_null(gd_keyspace_find(ks, text("old")));
    assert_non_null(gd_keyspace_find(ks, text("new")));
    assert_int_equal(gd_keyspace_next_expiry_ms(ks), 60);
    assert_memory_equal(gd_item_key(gd_keyspace_frozen_next(ks, &work, &end)).data, "old", 3);
    assert_null(gd_keyspace_frozen_next(ks, &work, &end));
    assert_true(end);
    gd_keyspace_thaw(ks);
    assert_true(gd_keyspace_due_by(ks, 60));
    assert_false(gd_keyspace_due_by(ks, 59));
    gd_keyspace_free(ks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keyspace_agrees_with_model),
        cmocka_unit_test(test_keyspace_frozen_is_consistent),
        cmocka_unit_test(test_keyspace_digest_knows_contents_only),
        cmocka_unit_test(test_keyspace_scan_misses_nothing),
        cmocka_unit_test(test_keyspace_frozen_step_is_bounded),
        cmocka_unit_test(test_keyspace_replace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
