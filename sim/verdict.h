/* verdict.h - is what the clients saw linearizable? The checker's answer on a run's record. */
#ifndef GANDALF_SIM_VERDICT_H
#define GANDALF_SIM_VERDICT_H
#include "sim/record.h"
#include "sim/run.h"

enum gd_sim_verdict_kind {
    GD_SIM_VERDICT_FREE,   /* A connection's requests may take effect in any order. */
    GD_SIM_VERDICT_ORDERED /* ... or in the order in which they were sent. */
};
/* PASS: legal. FAIL: `text` says why not. INCONCLUSIVE: a limit was met; `text` says which. */
enum gd_sim_outcome gd_sim_verdict(const struct gd_sim_record *record,
                                   enum gd_sim_verdict_kind kind, char *text, size_t size);
#endif
