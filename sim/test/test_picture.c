/* The object of JSON in a picture's page: points, cuts, coarse times. */
#include "engine/test/test.h"
#include "sim/picture.h"
#include <stdio.h>

static void add(struct gd_sim_record *record, enum gd_sim_do what, gd_time_ns call, gd_time_ns back)
{
    size_t operation = gd_sim_record_call(record, 1, "operation", call);
    struct gd_sim_step *step = gd_sim_record_step(record, what, 0);
    if (what == GD_SIM_DO_WRITE) {
        step->input = gd_sim_value_text(record, "v", 1);
    } else {
        step->output = (struct gd_sim_value){.kind = GD_SIM_VALUE_NOTHING};
    }
    if (back != UINT64_MAX) {
        gd_sim_record_return(record, operation, GD_SIM_FATE_DONE, back);
    }
}

static bool page_has(const struct gd_sim_picture *picture, const char *wanted)
{
    struct gd_bytes page = {0};
    gd_sim_picture_page(picture, &page);
    gd_bytes_add_u8(&page, 0);
    bool has = strstr((const char *)page.data, wanted) != NULL;
    gd_bytes_release(&page);
    return has;
}

/* The operation of unknown outcome was called first, and yet its point is not before the other's.
 */
static void test_picture_points_never_go_back(void **state)
{
    struct gd_sim_record record = {0};
    struct gd_sim_picture picture;
    (void)state;
    add(&record, GD_SIM_DO_WRITE, 10, UINT64_MAX);
    add(&record, GD_SIM_DO_READ, 20, 120);
    gd_sim_picture_init(&picture, &record);
    struct gd_sim_picture_order *order = gd_sim_picture_add_order(&picture, 2);
    order->operations[0] = 1;
    order->operations[1] = 0;
    assert_true(page_has(&picture, "{\"operations\":[1,0],\"points\":[60,0]}"));
    gd_sim_picture_release(&picture);
    gd_sim_record_release(&record);
}

/* Two that can only meet where both are: the points stay within both bars. */
static void test_picture_points_stay_in_their_bars(void **state)
{
    struct gd_sim_record record = {0};
    struct gd_sim_picture picture;
    (void)state;
    add(&record, GD_SIM_DO_READ, 0, 50);
    add(&record, GD_SIM_DO_WRITE, 40, 80);
    add(&record, GD_SIM_DO_READ, 10, 44);
    gd_sim_picture_init(&picture, &record);
    struct gd_sim_picture_order *order = gd_sim_picture_add_order(&picture, 3);
    order->operations[0] = 0;
    order->operations[1] = 1;
    order->operations[2] = 2;
    /* In the page operations are numbered by their calls: 0, 2, 1. */
    assert_true(page_has(&picture, "{\"operations\":[0,2,1],\"points\":[22,20,0]}"));
    gd_sim_picture_release(&picture);
    gd_sim_record_release(&record);
}

static void test_picture_of_a_huge_history_holds_what_is_wrong(void **state)
{
    struct gd_sim_record record = {0};
    struct gd_sim_picture picture;
    char wanted[96];
    (void)state;
    for (size_t i = 0; i < 3 * (size_t)GD_SIM_PICTURE_OPERATIONS_MAX; i++) {
        add(&record, GD_SIM_DO_READ, i, i + 2);
    }
    gd_sim_picture_init(&picture, &record);
    gd_sim_picture_add_culprit(&picture, 2 * (size_t)GD_SIM_PICTURE_OPERATIONS_MAX, "here");
    (void)snprintf(wanted, sizeof wanted, "\"culprits\":[[%d,\"here\"]]",
                   GD_SIM_PICTURE_OPERATIONS_MAX / 2);
    assert_true(page_has(&picture, wanted));
    (void)snprintf(wanted, sizeof wanted, "\"total\":%d", 3 * GD_SIM_PICTURE_OPERATIONS_MAX);
    assert_true(page_has(&picture, wanted));
    gd_sim_picture_release(&picture);
    gd_sim_record_release(&record);
}

/* A browser's numbers have 53 bits: what needs more is made coarser, and said to be. */
static void test_picture_times_fit_into_a_double(void **state)
{
    struct gd_sim_record record = {0};
    struct gd_sim_picture picture;
    (void)state;
    add(&record, GD_SIM_DO_READ, 5, 6);
    add(&record, GD_SIM_DO_READ, UINT64_MAX - 9, UINT64_MAX - 1);
    gd_sim_picture_init(&picture, &record);
    assert_true(page_has(&picture, "\"base\":\"5\",\"coarse\":11,"));
    assert_true(page_has(&picture, "\"call\":[0,9007199254740991],"));
    gd_sim_picture_release(&picture);
    gd_sim_record_release(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_picture_points_never_go_back),
        cmocka_unit_test(test_picture_points_stay_in_their_bars),
        cmocka_unit_test(test_picture_of_a_huge_history_holds_what_is_wrong),
        cmocka_unit_test(test_picture_times_fit_into_a_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
