/* ledger.c - a database with its Parser and Tracker; see ledger.h and docs/embedding.md. */
#include "ledger.h"
#include "engine/memory.h"
#include "engine/orders.h"
#include "engine/simple_tracker.h"
#include <inttypes.h>

enum { LINE_MAX = 400, WORDS_MAX = 8, ACCOUNT_SIZE = LEDGER_NAME_SIZE + 8 };

#define BALANCE_MAX INT64_C(1000000000000000) /* No sum overflows. */

struct account {
    char name[LEDGER_NAME_SIZE];
    int64_t balance;
};
struct accounts {
    struct account at[LEDGER_ACCOUNTS_MAX];
    size_t count;
};
struct ledger {
    struct gd_parser parser;
    struct gd_simple_tracker tracker;
    struct accounts accounts;
};

/* ---------------------------------------------------------------- the accounts */

static const struct {
    const char *name;
    size_t words;
    enum gd_request_kind kind;
} commands[] = {
    {"open", 2, GD_REQUEST_WRITE},   {"deposit", 3, GD_REQUEST_WRITE},
    {"balance", 2, GD_REQUEST_READ}, {"transfer", 4, GD_REQUEST_WRITE},
    {"total", 1, GD_REQUEST_READ},   {"status", 1, GD_REQUEST_LOCAL},
};

static size_t split(struct gd_slice line, struct gd_slice *words)
{
    size_t count = 0;
    for (size_t at = 0, size; at < line.size && count < WORDS_MAX; at += size + 1) {
        for (size = 0; at + size < line.size && line.data[at + size] > ' '; size++) {
        }
        if (size > 0) {
            words[count++] = (struct gd_slice){line.data + at, size};
        }
    }
    return count;
}

static struct account *find(struct accounts *accounts, struct gd_slice name)
{
    for (size_t i = 0; i < accounts->count; i++) {
        const char *known = accounts->at[i].name;
        if (strlen(known) == name.size && memcmp(known, name.data, name.size) == 0) {
            return &accounts->at[i];
        }
    }
    return NULL;
}

static int64_t number(struct gd_slice word)
{
    int64_t value = 0;
    for (size_t i = 0; i < word.size; i++) {
        if (word.data[i] < '0' || word.data[i] > '9' || word.size > 12) {
            return -1;
        }
        value = value * 10 + (word.data[i] - '0');
    }
    return value;
}

static const char *open_account(struct accounts *accounts, struct gd_slice name)
{
    if (accounts->count == LEDGER_ACCOUNTS_MAX || name.size >= LEDGER_NAME_SIZE) {
        return "ERR full\n";
    }
    struct account *account = &accounts->at[accounts->count++];
    *account = (struct account){.balance = 0};
    memcpy(account->name, name.data, name.size);
    return "OK 0\n";
}

/* One request on the accounts as they are. It depends on nothing else: every node says the same. */
static void answer(void *state, struct gd_slice body, struct gd_bytes *reply)
{
    struct accounts *accounts = state;
    struct gd_slice words[WORDS_MAX] = {{NULL, 0}};
    size_t count = split(body, words);
    struct account *account = find(accounts, words[1]);
    struct account *to = count == 4 ? find(accounts, words[2]) : account;
    int64_t amount = count > 2 ? number(words[count - 1]) : 0;
    int64_t total = 0;

    if (gd_slice_is(words[0], "open")) {
        gd_bytes_add_text(reply,
                          account != NULL ? "ERR exists\n" : open_account(accounts, words[1]));
    } else if (gd_slice_is(words[0], "total")) {
        for (size_t i = 0; i < accounts->count; i++) {
            total += accounts->at[i].balance;
        }
        gd_bytes_format(reply, "OK %" PRId64 "\n", total);
    } else if (account == NULL || to == NULL || amount < 0) {
        gd_bytes_add_text(reply, amount < 0 ? "ERR no amount\n" : "ERR no account\n");
    } else if (count == 4 && account->balance < amount) {
        gd_bytes_add_text(reply, "ERR not enough\n");
    } else if (amount > BALANCE_MAX - to->balance) {
        gd_bytes_add_text(reply, "ERR too much\n");
    } else {
        account->balance -= count == 4 ? amount : 0;
        to->balance += amount;
        gd_bytes_format(reply, "OK %" PRId64 "\n", account->balance);
    }
}

/* ---------------------------------------------------------------- the Parser: lines */

static void parse(struct gd_parser *parser, void *session, struct gd_slice input, size_t *consumed,
                  struct gd_request *request)
{
    static const char too_long[] = "ERR line too long\n";
    struct gd_slice words[WORDS_MAX] = {{NULL, 0}};
    const uint8_t *end = input.size > 0 ? memchr(input.data, '\n', input.size) : NULL;
    (void)parser, (void)session;

    *request = (struct gd_request){.kind = GD_REQUEST_MORE};
    *consumed = end != NULL ? (size_t)(end - input.data) + 1 : 0;
    if (*consumed > LINE_MAX || (end == NULL && input.size >= LINE_MAX)) {
        request->kind = GD_REQUEST_CLOSE;
        request->body = (struct gd_slice){(const uint8_t *)too_long, sizeof too_long - 1};
        return;
    }
    if (end == NULL) {
        return;
    }
    size_t count = split((struct gd_slice){input.data, *consumed}, words);
    request->body = (struct gd_slice){input.data, *consumed};
    request->kind = GD_REQUEST_LOCAL; /* Unless it turns out to be better: "ERR unknown". */
    if (count > 1 && gd_slice_is(words[0], "raft") &&
        gd_order_read(&words[1], count - 1, &request->admin) == GD_OK) {
        request->kind = GD_REQUEST_ADMIN;
    } else if (count == 1 && gd_slice_is(words[0], "quit")) {
        *request = (struct gd_request){.kind = GD_REQUEST_CLOSE};
    }
    for (size_t i = 0; i < GD_COUNT(commands); i++) {
        if (count == commands[i].words && gd_slice_is(words[0], commands[i].name)) {
            request->kind = commands[i].kind;
        }
    }
}

static void local(struct gd_parser *parser, void *session, const struct gd_request *request,
                  const struct gd_node_status *status, struct gd_bytes *reply,
                  struct gd_local_result *result)
{
    struct gd_slice words[WORDS_MAX] = {{NULL, 0}};
    (void)parser, (void)session;
    *result = (struct gd_local_result){.kind = GD_LOCAL_NOTHING};
    if (split(request->body, words) != 1 || !gd_slice_is(words[0], "status")) {
        gd_bytes_add_text(reply, "ERR unknown\n");
        return;
    }
    gd_bytes_format(
        reply, "OK node %" PRIu64 " %s leader %" PRIu64 " term %" PRIu64 " applied %" PRIu64 "\n",
        status->id, gd_role_text(status->role), status->leader, status->term,
        status->applied_index);
}

static void outcome(struct gd_parser *parser, void *session, const struct gd_outcome *outcome,
                    struct gd_bytes *reply)
{
    static const char *const words[] = {"OK",      "MOVED", "DOWN", "BUSY",
                                        "UNKNOWN", "DOWN",  "DOWN", "REFUSED"};
    bool moved = outcome->kind == GD_OUTCOME_MOVED;
    (void)parser, (void)session;
    gd_bytes_format(reply, "%s %s\n", words[outcome->kind],
                    moved ? outcome->address.text : outcome->text);
}

/* ---------------------------------------------------------------- the Tracker */

static void apply(void *state, struct gd_slice body, int64_t stamp_ms, struct gd_bytes *reply)
{
    (void)stamp_ms; /* No account knows the time. */
    answer(state, body, reply);
}

static void save(const void *state, struct gd_bytes *bytes)
{
    const struct accounts *accounts = state;
    for (size_t i = 0; i < accounts->count; i++) {
        gd_bytes_add(bytes, accounts->at[i].name, LEDGER_NAME_SIZE);
        gd_bytes_add_le64(bytes, (uint64_t)accounts->at[i].balance);
    }
}

static bool load(void *state, struct gd_slice bytes)
{
    struct accounts *accounts = state;
    struct gd_reader reader = gd_reader_of(bytes);
    if (bytes.size % ACCOUNT_SIZE != 0) {
        return false;
    }
    for (accounts->count = 0; reader.left > 0; accounts->count++) {
        struct account *account = &accounts->at[accounts->count];
        memcpy(account->name, gd_reader_slice(&reader, LEDGER_NAME_SIZE).data, LEDGER_NAME_SIZE);
        account->name[LEDGER_NAME_SIZE - 1] = '\0';
        account->balance = (int64_t)gd_reader_le64(&reader);
    }
    return true;
}

/* ---------------------------------------------------------------- both */

void ledger_serve(struct gd_io *io, struct gd_served *served)
{
    static const struct gd_parser_vtable protocol = {
        .parse = parse, .local = local, .outcome = outcome};
    static const struct gd_simple_database database = {apply, answer, save, load,
                                                       (size_t)LEDGER_ACCOUNTS_MAX * ACCOUNT_SIZE};
    struct ledger *ledger = gd_calloc(1, sizeof *ledger);
    ledger->parser.v = &protocol;
    gd_simple_tracker_init(&ledger->tracker, &database, &ledger->accounts, io);
    *served = (struct gd_served){&ledger->parser, &ledger->tracker.tracker};
}

void ledger_put_away(struct gd_served *served)
{
    gd_free(GD_CONTAINER(served->parser, struct ledger, parser));
}
