/* fuzz_plan.c - the simulator's plans as text.
 *
 * Holds: any text is a plan or is refused with its line; what was read, printed, reads back to the
 * same plan and prints to the same text. */
#include "engine/memory.h"
#include "sim/plan.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gd_sim_plan plan, again;
    struct gd_bytes text = {0}, second = {0};
    struct gd_error error = {0};

    memset(&plan, 0, sizeof plan);
    memset(&again, 0, sizeof again);
    if (gd_sim_plan_parse((struct gd_slice){data, size}, &plan, &error) != GD_OK) {
        GD_ASSERT(strncmp(error.text, "line ", 5) == 0);
        return 0;
    }
    gd_sim_plan_print(&plan, &text);
    GD_ASSERT(gd_sim_plan_parse(gd_bytes_slice(&text), &again, &error) == GD_OK);
    gd_sim_plan_print(&again, &second);
    GD_ASSERT(text.size == second.size);
    GD_ASSERT(memcmp(text.data, second.data, text.size) == 0);
    gd_bytes_release(&text);
    gd_bytes_release(&second);
    return 0;
}
