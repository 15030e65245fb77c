/* judge.h - is what the clients saw linearizable, by a database's own model? */
#ifndef GANDALF_SIM_JUDGE_H
#define GANDALF_SIM_JUDGE_H
#include "sim/database.h"
#include "sim/linearize.h"
#include "sim/record.h"
#include "sim/run.h"

/* `ordered`: a connection's requests take effect in the order in which they were sent. `limits`
 * NULL: those of a run. PASS: legal. FAIL: `text` says why not. INCONCLUSIVE: a limit was met. */
enum gd_sim_outcome gd_sim_judge(const struct gd_sim_model *model,
                                 const struct gd_sim_record *record, bool ordered,
                                 const struct gd_lin_limits *limits, char *text, size_t size);
#endif
