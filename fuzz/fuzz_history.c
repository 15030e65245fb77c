/* fuzz_history.c - histories of operations as text, and the checker on the small ones.
 *
 * Holds: any text is a history or is refused with its line; what was read, printed, reads back and
 * prints to the same text; a history of up to ten operations gets a verdict, and the same one when
 * it was printed and read back. */
#include "engine/memory.h"
#include "sim/check_command.h"
#include "sim/verdict.h"
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum gd_sim_outcome judge(const struct gd_sim_record *record)
{
    char why[256];
    return gd_sim_verdict(record, GD_SIM_VERDICT_FREE, why, sizeof why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gd_sim_record record = {0}, again = {0};
    struct gd_bytes text = {0}, second = {0};
    struct gd_error error = {0};

    if (gd_sim_history_read((struct gd_slice){data, size}, &record, &error) != GD_OK) {
        GD_ASSERT(strncmp(error.text, "line ", 5) == 0);
        gd_sim_record_release(&record);
        return 0;
    }
    gd_sim_record_print(&record, &text);
    GD_ASSERT(gd_sim_history_read(gd_bytes_slice(&text), &again, &error) == GD_OK);
    gd_sim_record_print(&again, &second);
    GD_ASSERT(text.size == second.size);
    GD_ASSERT(text.size == 0 || memcmp(text.data, second.data, text.size) == 0);
    if (record.step_count <= 10) {
        GD_ASSERT(judge(&record) == judge(&again));
    }
    gd_bytes_release(&text);
    gd_bytes_release(&second);
    gd_sim_record_release(&record);
    gd_sim_record_release(&again);
    return 0;
}
