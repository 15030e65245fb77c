/* ledger_sim.c - the ledger under the simulator: what its clients ask, and what a ledger promises.
 *
 * The model is written apart from ledger.c on purpose: it knows three accounts by number, and what
 * a bank is. */
#include "ledger.h"
#include "sim/client.h"
#include "sim/program.h"
#include <inttypes.h>
#include <stdio.h>

enum { ACCOUNTS = 3 }; /* Few, so that clients meet and what one of them did is soon seen. */

/* ---------------------------------------------------------------- what clients ask */

static void ask(struct gd_sim_client *client, enum gd_sim_want want)
{
    struct gd_prng *prng = gd_sim_client_prng(client);
    unsigned from = (unsigned)gd_prng_below(prng, ACCOUNTS);
    unsigned to = (unsigned)gd_prng_below(prng, ACCOUNTS);
    unsigned amount = (unsigned)gd_prng_between(prng, 1, 1000);
    uint64_t dice = want == GD_SIM_WANT_ANY          ? gd_prng_below(prng, 100)
                    : want == GD_SIM_WANT_LAST_WRITE ? 10
                                                     : 99;
    const char *name = "BALANCE";
    char line[80];

    if (dice < 10) {
        name = "OPEN";
        (void)snprintf(line, sizeof line, "OPEN a%u\n", from);
    } else if (dice < 30) {
        name = "DEPOSIT";
        (void)snprintf(line, sizeof line, "DEPOSIT a%u %u\n", from, amount);
    } else if (dice < 65) {
        name = "TRANSFER";
        (void)snprintf(line, sizeof line, "TRANSFER a%u a%u %u\n", from, to, amount);
    } else if (dice < 75) {
        name = "TOTAL";
        (void)snprintf(line, sizeof line, "TOTAL\n");
    } else {
        (void)snprintf(line, sizeof line, "BALANCE a%u\n", from);
    }
    struct gd_slice bytes = {(const uint8_t *)line, strlen(line)};
    gd_sim_client_call(client, name, (struct gd_slice){bytes.data, bytes.size - 1}, bytes);
}

static bool begins(struct gd_slice line, const char *word)
{
    return line.size >= strlen(word) && memcmp(line.data, word, strlen(word)) == 0;
}

/* Every answer is a line; its first word tells whether the request was carried out. */
static enum gd_err take(struct gd_sim_client *client, struct gd_slice input, size_t *consumed)
{
    const uint8_t *end = memchr(input.data, '\n', input.size);
    if (end == NULL) {
        return GD_ERR_MORE;
    }
    struct gd_slice line = {input.data, (size_t)(end - input.data)};
    *consumed = line.size + 1;
    if (begins(line, "OK ") || begins(line, "ERR ")) {
        gd_sim_client_done(client, line);
    } else if (begins(line, "MOVED ")) {
        gd_sim_client_moved(client, (struct gd_slice){line.data + 6, line.size - 6});
    } else if (begins(line, "DOWN") || begins(line, "BUSY")) {
        gd_sim_client_refused(client, line);
    } else if (begins(line, "UNKNOWN")) {
        gd_sim_client_unknown(client, line);
    } else {
        gd_sim_client_wrong(client, line);
    }
    return GD_OK;
}

/* ---------------------------------------------------------------- what a ledger promises */

struct bank {
    int64_t money[ACCOUNTS];
    int64_t open[ACCOUNTS]; /* 1: it is there. */
};

/* Is `output` this? One that never came may be anything. */
static bool is(const struct gd_slice *output, const char *text)
{
    return output == NULL ||
           (output->size == strlen(text) && memcmp(output->data, text, output->size) == 0);
}

static bool is_number(const struct gd_slice *output, int64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "OK %" PRId64, number);
    return is(output, text);
}

static bool step(const void *state, struct gd_slice input, const struct gd_slice *output,
                 void *next)
{
    const struct bank *before = state;
    struct bank *after = next;
    char line[80];
    unsigned from = 0;
    unsigned to = 0;
    int64_t amount = 0;

    *after = *before;
    (void)snprintf(line, sizeof line, "%.*s", (int)input.size, (const char *)input.data);
    if (strcmp(line, "TOTAL") == 0) {
        for (unsigned i = 0; i < ACCOUNTS; i++) {
            amount += before->money[i];
        }
        return is_number(output, amount);
    }
    if (sscanf(line, "OPEN a%u", &from) == 1) {
        after->open[from] = 1;
        return is(output, before->open[from] != 0 ? "ERR exists" : "OK 0");
    }
    if (sscanf(line, "BALANCE a%u", &from) == 1) {
        return before->open[from] != 0 ? is_number(output, before->money[from])
                                       : is(output, "ERR no account");
    }
    if (sscanf(line, "DEPOSIT a%u %" SCNd64, &from, &amount) == 2) {
        after->money[from] += before->open[from] != 0 ? amount : 0;
        return before->open[from] != 0 ? is_number(output, after->money[from])
                                       : is(output, "ERR no account");
    }
    if (sscanf(line, "TRANSFER a%u a%u %" SCNd64, &from, &to, &amount) != 3) {
        return false;
    }
    if (before->open[from] == 0 || before->open[to] == 0) {
        return is(output, "ERR no account");
    }
    if (before->money[from] < amount) {
        return is(output, "ERR not enough");
    }
    after->money[from] -= amount;
    after->money[to] += amount;
    return is_number(output, after->money[from]);
}

static bool reads_only(struct gd_slice input)
{
    return begins(input, "BALANCE") || begins(input, "TOTAL");
}

/* ---------------------------------------------------------------- the database */

static void serve(void *run, unsigned id, struct gd_io *io, struct gd_served *served)
{
    (void)run, (void)id;
    ledger_serve(io, served);
}

static void put_away(void *run, unsigned id, struct gd_served *served)
{
    (void)run, (void)id;
    ledger_put_away(served);
}

int main(int argc, char **argv)
{
    static const struct gd_sim_model model = {
        .state_size = sizeof(struct bank), .step = step, .reads_only = reads_only};
    static const struct gd_sim_database ledger = {.name = "ledger",
                                                  .prefix = "",
                                                  .serve = serve,
                                                  .put_away = put_away,
                                                  .ask = ask,
                                                  .take = take,
                                                  .model = &model};
    static const struct gd_sim_database *const databases[] = {&ledger};
    static const struct gd_sim_program program = {
        .name = "ledger-sim", .databases = databases, .database_count = 1};
    return gd_sim_main(argc, argv, &program);
}
