/* client_checks.c - does a node do what it owes its clients?
 *
 * Clients are patient for a while, then ask elsewhere: what was never answered shows by nothing,
 * since anything may have been lost on the way. So it is looked at in the node that has the
 * request.
 *
 * The properties, by the names under which a violation is told
 *   turns are owed       A session that could go on, since what it waited for has come, has a turn.
 *   answers are owed     What came to a node that runs is answered in time, if only by a refusal or
 *                        by saying that its fate is not known; the next one in time after that. */
#include "sim/checks_internal.h"
#include <inttypes.h>

/* Looked at eight times in an election timeout. A batch that fails has a time of its own. How long
 * a database that is a process of its own takes for what it was asked, over whatever way, is its.
 */
static gd_time_ns longest_wait(const struct gd_sim_plan *plan)
{
    gd_time_ns once = plan->request_timeout + 2 * plan->election_timeout;
    return plan->database_external != 0 ? UINT64_MAX
           : plan->database_sqlite != 0 ? once + plan->request_timeout
                                        : once;
}

void gd_sim__look_at_clients(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node)
{
    struct shadow *shadow = &checks->shadows[id];
    gd_time_ns now = checks->clock(checks->context, id);
    gd_time_ns gone = now - shadow->clients_seen;
    gd_time_ns heartbeat = checks->plan->heartbeat;
    gd_time_ns since = gd_node_waits_since(node);
    uint64_t stalled = gd_node_stalled(node);

    shadow->clients_seen = now;
    /* A process that stood still, or waited inside a call, had none of that time itself. */
    shadow->waited = since == 0 || since != shadow->waits_since
                         ? 0
                         : shadow->waited + (gone <= heartbeat + heartbeat / 4 ? gone : 0);
    shadow->waits_since = since;
    if (stalled != 0 && !gd_node_closing(node)) {
        gd_sim__violated(checks, "turns are owed",
                         "node %u has a client, the %" PRIu64
                         "th, that could go on and is not going to",
                         id, stalled);
    } else if (shadow->waited > longest_wait(checks->plan) && !gd_node_closing(node)) {
        char text[32];
        gd_sim_time_text(now - since, text, sizeof text);
        gd_sim__violated(checks, "answers are owed", "node %u has left a client waiting for %s", id,
                         text);
    }
}
