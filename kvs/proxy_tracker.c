/* proxy_tracker.c - a database behind a connection: each committed write exactly once.
 *
 * Why. The database knows nothing of consensus and may die, alone or together with the node, at
 * any moment; a connection may end between a command and its reply. What was applied must then be
 * known, neither twice nor left out.
 *
 * How. One reserved key holds the index of the last entry. A batch of entries is one transaction:
 *
 *     MULTI, the entries' commands in log order, SET key index, EXEC, WATCH key, GET key
 *
 * all of it sent at once, so a batch costs one round trip. The WATCH guards the next batch: if
 * anybody else has changed the key meanwhile (another client, a FLUSHALL by hand, this node's own
 * earlier connection whose bytes the database had not read yet), EXEC does nothing, and the node
 * opens the database anew and looks at what it holds. A query reads the key first and last and
 * counts only if it was there both times.
 *
 * Rejected. A transaction for each entry: when one fails to be queued (out of memory) the next ones
 * would be applied without it. A script that compares the index: not every such database has
 * scripts. An index behind the effects instead of with them: a crash between the two.
 *
 * A command that the database refuses to queue for a reason of its own making ("-ERR ...": unknown,
 * wrong number of arguments) is answered with that error, the same on each node, and the batch is
 * sent again without it. Any other refusal (-OOM, -LOADING, -READONLY ...) is of that database
 * alone: it counts as away.
 *
 * Invariants
 *   P1. The key changes with the effects or not at all.
 *   P2. Nothing is applied unless the key still holds what this node last saw there.
 *   P3. No reply reaches a client from an exchange that did not end well.
 *   P4. The entry's time is all that a command's effect depends on beside the state; the one
 *       exception, that each database drops due keys by its own clock, is in README.md. */
#include "kvs/proxy_tracker.h"
#include "engine/memory.h"
#include "kvs/number.h"
#include <stdio.h>

static const char key[] = GD_PROXY_KEY;

static void done_fire(struct gd_timer *timer)
{
    struct gd_proxy_tracker *self = timer->context;
    gd_tracker_fn *done = self->done;

    self->done = NULL;
    done(self->done_context, self->done_err);
}

void gd__proxy_take_up(struct gd_proxy_tracker *self, gd_tracker_fn *done, void *context)
{
    GD_ASSERT(self->done == NULL);
    self->done = done;
    self->done_context = context;
    self->bad = GD_OK;
    self->why[0] = '\0';
}

void gd__proxy_finish(struct gd_proxy_tracker *self, enum gd_err err)
{
    if (err != GD_OK) {
        gd_proxy_link_drop(&self->main);
        if (!self->told_away) {
            self->told_away = true;
            gd_io_log(self->io, GD_LOG_WARNING, "database at %s: %s", self->main.address.text,
                      self->why[0] != '\0' ? self->why : gd_err_text(err));
        }
    }
    self->done_err = err;
    gd_timer_start(self->io, &self->done_timer, gd_io_now(self->io));
}

/* The exchange shows that something is wrong; the first such finding counts. */
static void found(struct gd_proxy_tracker *self, enum gd_err err, struct gd_slice what)
{
    if (self->bad == GD_OK) {
        self->bad = err;
        (void)snprintf(self->why, sizeof self->why, "%.*s",
                       (int)(what.size < 200 ? what.size : 200), (const char *)what.data);
        for (char *c = self->why; *c != '\0'; c++) {
            if (*c == '\r' || *c == '\n') {
                *c = ' ';
            }
        }
    }
}

static bool starts(struct gd_slice reply, const char *with)
{
    size_t size = strlen(with);
    return reply.size >= size && memcmp(reply.data, with, size) == 0;
}

/* Whether a reply to GET of our key is `value`; "" stands for absent. */
static bool key_is(struct gd_slice reply, const char *value)
{
    struct gd_resp_item item;

    if (!gd_resp_item_take(&reply, &item)) {
        return false;
    }
    if (item.kind == '_') {
        return value[0] == '\0';
    }
    return item.kind == '$' && item.text.size == strlen(value) &&
           memcmp(item.text.data, value, item.text.size) == 0;
}

/* ---------------------------------------------------------------- open */

bool gd__proxy_index(const char *value, gd_index *index)
{
    const char *end = strchr(value, ' ');
    struct gd_slice number = {(const uint8_t *)value, end == NULL ? 0 : (size_t)(end - value)};

    return gd_number_parse_unsigned(number, index);
}

void gd__proxy_set_next(struct gd_proxy_tracker *self, const char *what)
{
    (void)snprintf(self->next, sizeof self->next, "%s %s", what, self->identity);
}

/* Whether the key's value, if there is one, was written by this node; else `why` tells whose. */
static bool is_ours(struct gd_proxy_tracker *self)
{
    const char *owner = strchr(self->value, ' ');

    if (owner == NULL || self->identity[0] == '\0' || strcmp(owner + 1, self->identity) == 0) {
        return true;
    }
    (void)snprintf(self->why, sizeof self->why,
                   "it belongs to another node (cluster.node %s, and this is %s): give each node a "
                   "database of its own, or empty it",
                   owner + 1, self->identity);
    return false;
}

static enum gd_err tracker_identify(struct gd_tracker *tracker, uint64_t cluster_id,
                                    gd_node_id node_id)
{
    struct gd_proxy_tracker *self = gd__proxy_of(tracker);

    (void)snprintf(self->identity, sizeof self->identity, "%016llx.%llu",
                   (unsigned long long)cluster_id, (unsigned long long)node_id);
    if (is_ours(self)) {
        return GD_OK;
    }
    gd_io_log(self->io, GD_LOG_WARNING, "database at %s: %s", self->main.address.text, self->why);
    return GD_ERR_INVALID;
}

static void open_reply(void *context, size_t place, struct gd_slice reply)
{
    struct gd_proxy_tracker *self = context;
    struct gd_slice whole = reply;
    struct gd_resp_item item = {0};
    gd_index index = 0;

    if (self->password.size == 0) {
        place++;
    }
    if (place < 4 && starts(reply, "-")) {
        found(self, GD_ERR_UNREACHABLE, reply);
        return;
    }
    (void)gd_resp_item_take(&reply, &item);
    if (place == 2) { /* GET */
        self->value[0] = '\0';
        self->applied = 0;
        self->dirty = false;
        if (item.kind == '_') {
            return;
        }
        if (item.kind != '$' || item.text.size >= sizeof self->value) {
            found(self, GD_ERR_INVALID, gd_proxy_text(GD_PROXY_KEY " is not what gandalf wrote"));
            return;
        }
        memcpy(self->value, item.text.data, item.text.size);
        self->value[item.text.size] = '\0';
        self->dirty = starts(item.text, "restoring ");
        if (!self->dirty && !gd__proxy_index(self->value, &index)) {
            found(self, GD_ERR_INVALID, gd_proxy_text(GD_PROXY_KEY " is not what gandalf wrote"));
        } else if (self->bad == GD_OK && !is_ours(self)) {
            self->bad = GD_ERR_INVALID;
        } else if (!self->dirty) {
            self->applied = index;
        }
    } else if (place == 3) {
        if (item.kind != ':' || !gd_number_parse(item.text, &self->key_count)) {
            found(self, GD_ERR_INVALID, gd_proxy_text("it has no DBSIZE"));
        }
    } else if (place == 4 && !gd_proxy_table_learn(&self->table, whole)) {
        found(self, GD_ERR_INVALID, gd_proxy_text("its COMMAND cannot be read"));
    }
}

static void cleared_reply(void *context, size_t place, struct gd_slice reply)
{
    struct gd_proxy_tracker *self = context;

    if (starts(reply, "-") || (place == 2 && starts(reply, "*-1"))) {
        found(self, GD_ERR_RESET, reply);
    } else if (place == 4 && !key_is(reply, "")) {
        found(self, GD_ERR_RESET, gd_proxy_text("another client writes to it"));
    }
}

static void on_cleared(void *context, enum gd_err err)
{
    struct gd_proxy_tracker *self = context;

    self->value[0] = '\0';
    self->dirty = false;
    self->applied = 0;
    err = err != GD_OK ? err : self->bad;
    self->told_away = self->told_away && (err != GD_OK || self->refuses);
    gd__proxy_finish(self, err);
}

static void on_looked(void *context, enum gd_err err)
{
    struct gd_proxy_tracker *self = context;
    const char *const multi[] = {"MULTI"}, *const flush[] = {"FLUSHALL"}, *const exec[] = {"EXEC"};
    const char *const watch[] = {"WATCH", key}, *const get[] = {"GET", key};

    err = err != GD_OK ? err : self->bad;
    if (err == GD_OK && self->value[0] == '\0' && self->key_count > 0) {
        (void)snprintf(self->why, sizeof self->why,
                       "it holds %lld keys and no %s: they are not this cluster's; empty it "
                       "(FLUSHALL), and the node fills it again",
                       (long long)self->key_count, key);
        err = GD_ERR_INVALID;
    }
    if (err != GD_OK) {
        gd__proxy_finish(self, err);
        return;
    }
    if (self->dirty) { /* What a restore left half done is worth nothing. */
        GD_REACHED("database with half a snapshot emptied");
        gd_proxy_link_add_words(&self->main, multi, 1);
        gd_proxy_link_add_words(&self->main, flush, 1);
        gd_proxy_link_add_words(&self->main, exec, 1);
        gd_proxy_link_add_words(&self->main, watch, 2);
        gd_proxy_link_add_words(&self->main, get, 2);
        gd_proxy_link_send(&self->main, cleared_reply, on_cleared, self);
        return;
    }
    self->told_away = self->told_away && self->refuses;
    gd__proxy_finish(self, GD_OK);
}

static void on_connected(void *context, enum gd_err err)
{
    struct gd_proxy_tracker *self = context;
    const char *const watch[] = {"WATCH", key}, *const get[] = {"GET", key};
    const char *const size[] = {"DBSIZE"}, *const command[] = {"COMMAND"};

    if (err != GD_OK) {
        gd__proxy_finish(self, err);
        return;
    }
    if (self->password.size > 0) {
        struct gd_slice auth[] = {gd_proxy_text("AUTH"), gd_bytes_slice(&self->password)};
        gd_proxy_link_add(&self->main, auth, 2);
    }
    gd_proxy_link_add_words(&self->main, watch, 2);
    gd_proxy_link_add_words(&self->main, get, 2);
    gd_proxy_link_add_words(&self->main, size, 1);
    if (self->table.count == 0) {
        gd_proxy_link_add_words(&self->main, command, 1);
    }
    gd_proxy_link_send(&self->main, open_reply, on_looked, self);
}

static void tracker_open(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_proxy_tracker *self = gd__proxy_of(tracker);

    gd__proxy_take_up(self, done, context);
    gd_proxy_link_connect(&self->main, on_connected, self);
}

static gd_index tracker_applied(const struct gd_tracker *tracker)
{
    return ((const struct gd_proxy_tracker *)(const void *)tracker)->applied;
}

/* ---------------------------------------------------------------- bodies into commands */

static struct gd_proxy_part *add_part(struct gd_proxy_tracker *self, size_t request)
{
    if (self->part_count == self->part_capacity) {
        self->part_capacity = self->part_capacity == 0 ? 64 : self->part_capacity * 2;
        self->parts = gd_realloc(self->parts, self->part_capacity * sizeof self->parts[0]);
    }
    struct gd_proxy_part *part = &self->parts[self->part_count++];
    *part = (struct gd_proxy_part){.request = request};
    return part;
}

static size_t read_args(struct gd_proxy_tracker *self, struct gd_reader *reader, size_t count)
{
    if (count > reader->left / 4) {
        return 0;
    }
    if (count > self->arg_capacity) {
        self->arg_capacity = count;
        self->args = gd_realloc(self->args, count * sizeof self->args[0]);
    }
    for (size_t i = 0; i < count; i++) {
        self->args[i] = gd_reader_slice(reader, gd_reader_le32(reader));
    }
    return reader->failed ? 0 : count;
}

/* The commands of one request into the exchange. A query keeps its own MULTI. */
static void add_request(struct gd_proxy_tracker *self, size_t request, struct gd_slice body,
                        int64_t stamp_ms)
{
    struct gd_reader reader = gd_reader_of(body);
    bool multi = gd_reader_u8(&reader) == GD_BODY_TRANSACTION;
    uint32_t commands = 1;
    size_t first = self->part_count;

    (void)gd_reader_u8(&reader); /* The protocol: always 2 here. */
    if (multi) {
        (void)gd_reader_le32(&reader); /* Watches: the Parser lets none through. */
        commands = gd_reader_le32(&reader);
    }
    for (uint32_t i = 0; i < commands && !reader.failed; i++) {
        size_t count = gd_reader_le32(&reader);
        struct gd_proxy_part *part = add_part(self, request);
        part->in_multi = multi;
        if (count == 0) { /* What the node answered itself. */
            part->answer = gd_reader_slice(&reader, gd_reader_le32(&reader));
            continue;
        }
        count = read_args(self, &reader, count);
        if (count == 0) {
            part->answer = gd_proxy_text("-ERR the request's body cannot be read\r\n");
            break;
        }
        part->filter = gd_proxy_filter_of(self->args, count);
        part->copies = part->filter == GD_PROXY_RANDOM ? GD_PROXY_RANDOM_COPIES : 1;
        for (size_t copy = 0; copy < part->copies; copy++) {
            gd_proxy_write_fixed(&self->main.out, self->args, count, stamp_ms);
            self->main.expected++;
            self->queued++;
        }
    }
    if (self->part_count == first) { /* An empty transaction. */
        struct gd_proxy_part *part = add_part(self, request);
        part->answer = gd_proxy_text("*0\r\n");
    }
    self->parts[first].first = true;
    self->parts[first].request_parts = self->part_count - first;
}

/* The reply to a part goes to its client. `out` NULL: nobody waits. */
static void give(struct gd_proxy_part *part, struct gd_bytes *out, struct gd_slice reply,
                 bool *taken)
{
    if (*taken) {
        return;
    }
    *taken = gd_proxy_add_reply(out, part->filter, reply);
}

/* Answers that are there already, in front of the next command's reply. */
static void give_ready(struct gd_proxy_tracker *self)
{
    while (self->reply_part < self->part_count) {
        struct gd_proxy_part *part = &self->parts[self->reply_part];
        struct gd_bytes *out = self->applies != NULL ? self->applies[part->request].reply
                                                     : self->queries[part->request].reply;
        if (self->reply_copy == 0 && part->first && part->in_multi && out != NULL) {
            gd_bytes_format(out, "*%zu\r\n", part->request_parts);
        }
        if (part->copies > 0) {
            return;
        }
        if (out != NULL) {
            gd_bytes_add(out, part->answer.data, part->answer.size);
        }
        self->reply_part++;
    }
}

/* The next reply in order. */
static void give_next(struct gd_proxy_tracker *self, struct gd_slice reply)
{
    struct gd_proxy_part *part;
    struct gd_bytes *out;

    if (self->reply_copy == 0) {
        give_ready(self);
        self->part_taken = false;
    }
    GD_ASSERT(self->reply_part < self->part_count);
    part = &self->parts[self->reply_part];
    out = self->applies != NULL ? self->applies[part->request].reply
                                : self->queries[part->request].reply;
    give(part, out, reply, &self->part_taken);
    if (++self->reply_copy == part->copies) {
        if (!self->part_taken && out != NULL) {
            gd_bytes_add_text(out, "$-1\r\n");
        }
        self->reply_copy = 0;
        self->reply_part++;
    }
}

static void begin_batch(struct gd_proxy_tracker *self, struct gd_apply *applies,
                        struct gd_query *queries, size_t count)
{
    self->applies = applies;
    self->queries = queries;
    self->count = count;
    self->part_count = 0;
    self->reply_part = 0;
    self->reply_copy = 0;
    self->queued = 0;
}

/* ---------------------------------------------------------------- apply */

void gd__proxy_guard_begin(struct gd_proxy_tracker *self)
{
    const char *const multi[] = {"MULTI"};

    self->queued = 0;
    self->aborted = self->again = false;
    gd_proxy_link_add_words(&self->main, multi, 1);
}

/* The part whose queueing `place` (from 0, behind MULTI) answers. */
static struct gd_proxy_part *part_at(struct gd_proxy_tracker *self, size_t place)
{
    for (size_t i = 0; i < self->part_count; i++) {
        if (place < self->parts[i].copies) {
            return &self->parts[i];
        }
        place -= self->parts[i].copies;
    }
    return NULL;
}

static void queue_refused(struct gd_proxy_tracker *self, size_t place, struct gd_slice reply)
{
    struct gd_proxy_part *part = part_at(self, place);

    if (part == NULL || self->applies == NULL || !starts(reply, "-ERR ")) {
        found(self, GD_ERR_BUSY, reply);
        return;
    }
    if (self->refusals == NULL) {
        self->refusals = gd_calloc(self->count, sizeof self->refusals[0]);
    }
    if (self->refusals[part->request].size == 0) {
        gd_bytes_add(&self->refusals[part->request], reply.data, reply.size);
    }
    self->again = true;
}

static void take_exec(struct gd_proxy_tracker *self, struct gd_slice reply)
{
    struct gd_resp_item item = {0};

    if (starts(reply, "-")) {
        self->aborted = true;
        if (!self->again) {
            found(self, GD_ERR_BUSY, reply);
        }
        return;
    }
    (void)gd_resp_item_take(&reply, &item);
    if (item.kind != '*' || item.count != self->queued + 1) { /* P2: the watched key was changed. */
        GD_REACHED("another client changed the applied index");
        found(self, GD_ERR_RESET, gd_proxy_text("another client writes to it"));
        return;
    }
    for (size_t i = 0; i < self->queued; i++) {
        size_t size = gd_proxy_reply_size(reply);
        if (self->applies != NULL) {
            give_next(self, (struct gd_slice){reply.data, size});
        } else if (starts(reply, "-")) { /* A snapshot's RESTORE. */
            found(self, GD_ERR_IO, reply);
        }
        reply.data += size;
        reply.size -= size;
    }
    if (self->applies != NULL) {
        give_ready(self);
    }
    memcpy(self->value, self->next, sizeof self->value);
}

static void guard_reply(void *context, size_t place, struct gd_slice reply)
{
    struct gd_proxy_tracker *self = context;
    size_t exec = self->queued + 2;

    if (place < exec) { /* MULTI, QUEUED ... */
        if (starts(reply, "-")) {
            queue_refused(self, place - 1, reply);
        }
    } else if (place == exec) {
        if (self->bad == GD_OK) {
            take_exec(self, reply);
        }
    } else if (place == exec + 1) {
        if (starts(reply, "-")) {
            found(self, GD_ERR_RESET, reply);
        }
    } else if (self->bad == GD_OK && !key_is(reply, self->value)) {
        GD_REACHED("applied index gone between two batches");
        found(self, GD_ERR_RESET, gd_proxy_text("another client writes to it"));
    }
}

void gd__proxy_guard_send(struct gd_proxy_tracker *self, gd_proxy_done_fn *done)
{
    const char *const set[] = {"SET", key, self->next}, *const exec[] = {"EXEC"};
    const char *const watch[] = {"WATCH", key}, *const get[] = {"GET", key};

    gd_proxy_link_add_words(&self->main, set, 3);
    gd_proxy_link_add_words(&self->main, exec, 1);
    gd_proxy_link_add_words(&self->main, watch, 2);
    gd_proxy_link_add_words(&self->main, get, 2);
    gd_proxy_link_send(&self->main, guard_reply, done, self);
}

static void drop_refusals(struct gd_proxy_tracker *self)
{
    if (self->refusals != NULL) {
        for (size_t i = 0; i < self->count; i++) {
            gd_bytes_release(&self->refusals[i]);
        }
        gd_free(self->refusals);
        self->refusals = NULL;
    }
}

static void on_batch(void *context, enum gd_err err);

static void send_batch(struct gd_proxy_tracker *self)
{
    char index[24];

    begin_batch(self, self->applies, NULL, self->count);
    gd__proxy_guard_begin(self);
    for (size_t i = 0; i < self->count; i++) {
        const struct gd_apply *one = &self->applies[i];
        if (self->refusals != NULL && self->refusals[i].size > 0) {
            struct gd_proxy_part *part = add_part(self, i);
            part->answer = gd_bytes_slice(&self->refusals[i]);
        } else if (one->body.size > 0) {
            add_request(self, i, one->body, one->stamp_ms);
        }
    }
    (void)snprintf(index, sizeof index, "%llu",
                   (unsigned long long)self->applies[self->count - 1].position.index);
    gd__proxy_set_next(self, index);
    gd__proxy_guard_send(self, on_batch);
}

static void on_batch(void *context, enum gd_err err)
{
    struct gd_proxy_tracker *self = context;

    err = err != GD_OK ? err : self->bad;
    if (err == GD_OK && self->aborted) {
        GD_REACHED("database refused to queue a command");
        send_batch(self);
        return;
    }
    drop_refusals(self);
    if (err == GD_OK) {
        self->applied = self->applies[self->count - 1].position.index;
    } else {
        for (size_t i = 0; i < self->count; i++) { /* P3 */
            if (self->applies[i].reply != NULL) {
                gd_bytes_clear(self->applies[i].reply);
            }
        }
    }
    self->refuses = err != GD_OK;
    self->told_away = self->told_away && self->refuses;
    gd__proxy_finish(self, err);
}

static void tracker_apply(struct gd_tracker *tracker, struct gd_apply *batch, size_t count,
                          gd_tracker_fn *done, void *context)
{
    struct gd_proxy_tracker *self = gd__proxy_of(tracker);

    if (self->frozen) { /* The snapshot has to be of one moment. */
        GD_REACHED("apply waits for a snapshot of the database");
        GD_ASSERT(self->held == NULL);
        self->held = batch;
        self->held_count = count;
        self->held_done = done;
        self->held_context = context;
        return;
    }
    gd__proxy_take_up(self, done, context);
    self->applies = batch;
    self->count = count;
    send_batch(self);
}

void gd__proxy_resume(struct gd_proxy_tracker *self)
{
    struct gd_apply *held = self->held;

    self->held = NULL;
    if (held != NULL) {
        tracker_apply(&self->tracker, held, self->held_count, self->held_done, self->held_context);
    }
}

/* ---------------------------------------------------------------- query */

static void query_reply(void *context, size_t place, struct gd_slice reply)
{
    struct gd_proxy_tracker *self = context;

    if (place == 0 || place == self->main.expected - 1) {
        if (!key_is(reply, self->value)) {
            GD_REACHED("a read found the applied index changed");
            found(self, GD_ERR_RESET, gd_proxy_text("another client writes to it"));
        }
        return;
    }
    give_next(self, reply);
}

static void on_queried(void *context, enum gd_err err)
{
    struct gd_proxy_tracker *self = context;

    err = err != GD_OK ? err : self->bad;
    if (err == GD_OK) {
        give_ready(self);
    }
    gd__proxy_finish(self, err); /* P3: the node clears the replies. */
}

static void tracker_query(struct gd_tracker *tracker, struct gd_query *batch, size_t count,
                          gd_tracker_fn *done, void *context)
{
    struct gd_proxy_tracker *self = gd__proxy_of(tracker);
    const char *const get[] = {"GET", key};

    gd__proxy_take_up(self, done, context);
    begin_batch(self, NULL, batch, count);
    gd_proxy_link_add_words(&self->main, get, 2);
    for (size_t i = 0; i < count; i++) {
        batch[i].result = GD_QUERY_ANSWERED;
        add_request(self, i, batch[i].body, batch[i].wall_ms);
    }
    gd_proxy_link_add_words(&self->main, get, 2);
    gd_proxy_link_send(&self->main, query_reply, on_queried, self);
}

/* ---------------------------------------------------------------- the rest */

static int64_t tracker_next_expiry_ms(const struct gd_tracker *tracker)
{
    (void)tracker;
    return INT64_MAX; /* The database drops its keys itself. */
}

static uint64_t tracker_digest(const struct gd_tracker *tracker)
{
    (void)tracker;
    return 0;
}

static void link_closed(void *context)
{
    struct gd_proxy_tracker *self = context;

    if (--self->closes > 0) {
        return;
    }
    drop_refusals(self);
    gd_proxy_table_release(&self->table);
    gd_bytes_release(&self->password);
    gd_bytes_release(&self->restore);
    gd_bytes_release(&self->stream);
    gd_bytes_release(&self->cursor);
    gd_bytes_release(&self->keys);
    gd_bytes_release(&self->dump);
    gd_free(self->parts);
    gd_free(self->args);
    self->parts = NULL;
    self->args = NULL;
    gd__proxy_finish(self, GD_OK);
}

static void tracker_close(struct gd_tracker *tracker, gd_tracker_fn *done, void *context)
{
    struct gd_proxy_tracker *self = gd__proxy_of(tracker);

    gd_timer_stop(self->io, &self->done_timer);
    gd_timer_stop(self->io, &self->snapshot_timer);
    self->snapshot_done = NULL;
    self->read_done = NULL;
    self->done = done;
    self->done_context = context;
    self->closes = 2;
    gd_proxy_link_close(&self->main, link_closed, self);
    gd_proxy_link_close(&self->scan, link_closed, self);
}

static const struct gd_tracker_vtable vtable = {
    .open = tracker_open,
    .identify = tracker_identify,
    .applied = tracker_applied,
    .apply = tracker_apply,
    .query = tracker_query,
    .next_expiry_ms = tracker_next_expiry_ms,
    .snapshot_begin = gd__proxy_snapshot_begin,
    .snapshot_read = gd__proxy_snapshot_read,
    .snapshot_end = gd__proxy_snapshot_end,
    .restore_begin = gd__proxy_restore_begin,
    .restore_write = gd__proxy_restore_write,
    .restore_end = gd__proxy_restore_end,
    .digest = tracker_digest,
    .close = tracker_close,
};

void gd_proxy_tracker_init(struct gd_proxy_tracker *tracker, const struct gd_proxy_options *options)
{
    gd_time_ns patience = (options->patience_ms == 0 ? 5000 : options->patience_ms) * GD_NS_PER_MS;

    *tracker =
        (struct gd_proxy_tracker){.tracker = {.v = &vtable, .apart = true}, .io = options->io};
    tracker->table.scripts = options->scripts;
    gd_proxy_link_init(&tracker->main, options->io, &options->address, patience);
    gd_proxy_link_init(&tracker->scan, options->io, &options->address, patience);
    tracker->done_timer = (struct gd_timer){.fire = done_fire, .context = tracker};
    tracker->snapshot_timer =
        (struct gd_timer){.fire = gd__proxy_snapshot_fire, .context = tracker};
    if (options->password != NULL) {
        gd_bytes_add_text(&tracker->password, options->password);
    }
}
