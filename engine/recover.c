/* recover.c - recover and restore.
 *
 * Recovering. The majority is gone for good, and one node is left that has at least as much as any
 * other that is left. Nothing can tell which of its last entries were committed, so all of them
 * are kept: a write that was never acknowledged may appear, and one that was acknowledged by the
 * dead alone is lost. The log goes on, in a new segment that names another cluster, with one entry
 * more: a configuration of this node alone. It is the only voter, so it elects itself and commits
 * all of that.
 *
 * Why a new cluster id: the dead may come back. They, and any survivor that was not chosen, have
 * logs that this one's may contradict; peers of another cluster are refused at the first word
 * (Hello), so they can neither vote nor be heard. Rejected: rewriting the directory (a crash then
 * leaves two halves); keeping the id and raising the term (two dead nodes make a majority of the
 * old configuration, at any term).
 *
 * Restoring. A backup is a snapshot file. It is stored anew, its meta naming the new members, and a
 * log begins behind it. The members' cluster id follows from the backup and the addresses, so that
 * nodes restored apart find each other, and nodes of the cluster that was backed up do not find
 * them. The table of proposals applied is in the snapshot, and knows origins by node id and boot:
 * the restored nodes' boots begin above all of them, or their first writes would be taken for
 * repetitions (proposal.h, P3). Each directory gets a life of its own (config.h): a member that
 * lost its disk and is restored once more has forgotten what it promised since, and must not pass
 * for the one that it was.
 *
 * Invariants
 *   V1. Until the new segment's header is durable the directory is the old one's, untouched but for
 *       what a start would do, too.
 *   V2. The cluster id is durable before the configuration: a crash between the two leaves a node
 *       of a cluster that nobody else is in, which cannot elect anyone. To recover again mends it.
 *   V3. A restore's snapshot is durable before its log. A crash between the two leaves a directory
 *       without a log; a node refuses to start on it, and a restore begins anew.
 *   V4. Nothing rests on a snapshot whose body has not been read to its end and found sound. */
#include "engine/recover.h"
#include "engine/memory.h"
#include "engine/prng.h"
#include "engine/proposal.h"
#include "engine/snapshot.h"
#include <inttypes.h>

#define SEGMENT_SIZE (1u << 20)
/* The node's own table at the head of a backup's body is far smaller. */
#define HEAD_SIZE_MAX (64u << 20)

/* One thing at a time is waited for. */
struct job {
    gd_node_id highest; /* Of all ids in the log. */
    const struct gd_offline *offline;
    struct gd_snapshot_store *store;
    struct gd_wal *wal;
    bool done;
    bool body_ended; /* The snapshot that is read has no more. */
    enum gd_err err;
    struct gd_error *error;
    /* What the log's recovery found. */
    bool empty;
    struct gd_wal_identity identity;
    struct gd_hard_state hard_state;
    struct gd_snapshot_meta mark;
    struct gd_position before, last;
    gd_term snapshot_term; /* The log's term at the newest snapshot's index; 0: not in the log. */
    int64_t stamp_ms;
};

static enum gd_err wait(struct job *job)
{
    enum gd_err err = gd__offline_wait(job->offline, &job->done);

    if (err != GD_OK) {
        return gd_error_set(job->error, err, "the world ended");
    }
    job->done = false;
    return job->err;
}

static void finish(struct job *job, enum gd_err err, const struct gd_error *error)
{
    job->done = true;
    job->err = err;
    if (err != GD_OK) {
        (void)gd_error_set(job->error, err, "%s", error == NULL ? gd_err_text(err) : error->text);
    }
}

static void on_done(void *context, enum gd_err err, const struct gd_error *error)
{
    finish(context, err, error);
}

static void on_closed(void *context)
{
    ((struct job *)context)->done = true;
}

static void on_stored(void *context, uint64_t sequence, struct gd_position last)
{
    (void)sequence;
    (void)last;
    finish(context, GD_OK, NULL);
}

static void on_failed(void *context, const struct gd_error *error)
{
    finish(context, GD_ERR_IO, error);
}

/* An id that the old cluster used has writes under its name (proposal.h, P3). */
static void note_ids(struct job *job, const struct gd_config *config)
{
    gd_node_id highest = gd_config_highest(config);

    job->highest = highest > job->highest ? highest : job->highest;
}

static void on_opened(void *context, enum gd_err err, const struct gd_wal_recovered *recovered,
                      const struct gd_error *error)
{
    struct job *job = context;
    const struct gd_snapshot_meta *newest = gd_snapshot_store_get(job->store, 0);

    finish(job, err, error);
    if (err != GD_OK) {
        return;
    }
    job->empty = recovered->empty;
    job->identity = recovered->identity;
    job->hard_state = recovered->hard_state;
    job->mark = recovered->snapshot;
    job->before = job->last = recovered->before;
    job->stamp_ms = recovered->snapshot.stamp_ms;
    note_ids(job, &recovered->snapshot.config);
    for (size_t i = 0; i < recovered->entry_count; i++) {
        const struct gd_entry *entry = recovered->entries[i];
        struct gd_config config;
        job->last = entry->position;
        job->stamp_ms = entry->stamp_ms;
        if (entry->type == GD_ENTRY_CONFIG &&
            gd_config_decode((struct gd_slice){entry->data, entry->size}, &config) == GD_OK) {
            note_ids(job, &config);
        }
        if (newest != NULL && newest->position.index == entry->position.index) {
            job->snapshot_term = entry->position.term;
        }
    }
}

static enum gd_err close_store(struct job *job)
{
    job->done = false;
    gd_snapshot_store_close(job->store, on_closed, job);
    if (gd__offline_wait(job->offline, &job->done) != GD_OK) {
        return gd_error_set(job->error, GD_ERR_STOPPED, "the world ended");
    }
    job->done = false;
    gd_snapshot_store_free(job->store);
    return GD_OK;
}

/* What an interrupted write left is removed by the store in its own time; its name may be the next
 * one's. A store that has closed has removed it. */
static enum gd_err sweep(struct job *job)
{
    enum gd_err err;

    job->store = gd_snapshot_store_new(job->offline->io, "snapshot");
    gd_snapshot_store_open(job->store, on_done, job);
    err = wait(job);
    if (err == GD_ERR_STOPPED) {
        return err;
    }
    return close_store(job) == GD_OK ? err : GD_ERR_STOPPED;
}

static void on_body(void *context, enum gd_err err, struct gd_slice bytes,
                    const struct gd_error *error)
{
    struct job *job = context;

    job->body_ended = bytes.size == 0;
    finish(job, err, error);
}

/* V4. What a start would pass over is passed over here: else the log could be made to begin behind
 * a snapshot that nobody can read. */
static enum gd_err pass_over_damaged(struct job *job)
{
    while (gd_snapshot_store_get(job->store, 0) != NULL) {
        enum gd_err err;
        job->body_ended = false;
        gd_snapshot_read_begin(job->store, 0, on_done, job);
        err = wait(job);
        while (err == GD_OK && !job->body_ended) {
            gd_snapshot_read(job->store, on_body, job);
            err = wait(job);
        }
        if (err == GD_ERR_STOPPED) {
            return err;
        }
        gd_snapshot_read_end(job->store);
        if (err != GD_ERR_CORRUPT && err != GD_ERR_VERSION) {
            return err;
        }
        GD_REACHED("recover: a damaged snapshot passed over");
        gd_snapshot_store_forget(job->store);
    }
    return GD_OK;
}

/* Snapshots and log, in the order of a start. On GD_ERR_STOPPED alone nothing is open. */
static enum gd_err open_all(struct job *job)
{
    enum gd_err err = sweep(job);

    if (err == GD_ERR_STOPPED) {
        return err;
    }
    job->store = gd_snapshot_store_new(job->offline->io, "snapshot");
    gd_snapshot_store_open(job->store, on_done, job);
    err = wait(job);
    if (err == GD_OK) {
        err = pass_over_damaged(job);
    }
    if (err != GD_OK) {
        return err;
    }
    job->wal = gd_wal_new(&(struct gd_wal_options){.io = job->offline->io,
                                                   .directory = "wal",
                                                   .segment_size = SEGMENT_SIZE,
                                                   .batch_size_max = SEGMENT_SIZE,
                                                   .stored = on_stored,
                                                   .failed = on_failed,
                                                   .context = job});
    gd_wal_open(job->wal, on_opened, job);
    return wait(job);
}

/* `err` is what is returned, unless all was well and the world ends here. */
static enum gd_err close_all(struct job *job, enum gd_err err)
{
    if (err == GD_ERR_STOPPED) {
        return err; /* A crash: nothing is touched again. */
    }
    job->done = false;
    if (job->wal != NULL) {
        gd_wal_close(job->wal, on_closed, job);
        if (gd__offline_wait(job->offline, &job->done) != GD_OK) {
            return gd_error_set(job->error, GD_ERR_STOPPED, "the world ended");
        }
        gd_wal_free(job->wal);
    }
    return close_store(job) == GD_OK ? err : GD_ERR_STOPPED;
}

static uint64_t fresh_cluster(const struct job *job)
{
    uint64_t id = gd_io_entropy(job->offline->io, "cluster") | 1;

    return id == job->identity.cluster_id ? id + 2 : id;
}

/* ---------------------------------------------------------------- recover */

/* The log leads to its own end from something that is there. */
static enum gd_err check_reach(struct job *job)
{
    const struct gd_snapshot_meta *newest = gd_snapshot_store_get(job->store, 0);

    if (job->empty) {
        return gd_error_set(job->error, GD_ERR_NOT_FOUND,
                            "there is no log in this directory: nothing to recover");
    }
    if (job->before.index > 0 && (newest == NULL || newest->position.index < job->before.index)) {
        return gd_error_set(job->error, GD_ERR_CORRUPT,
                            "the log begins behind index %" PRIu64 ", and no snapshot reaches it: "
                            "recover another node",
                            job->before.index);
    }
    return GD_OK;
}

/* A snapshot that became durable just before a crash, and that the log does not lead up to: the log
 * begins behind it, as the next start would have it. */
static void install(struct job *job, struct gd_raft_persist *persist)
{
    const struct gd_snapshot_meta *newest = gd_snapshot_store_get(job->store, 0);

    if (newest == NULL || newest->position.index <= job->before.index ||
        newest->position.term == job->snapshot_term) {
        return;
    }
    GD_REACHED("recover: a snapshot that the log does not lead up to");
    persist->reset = true;
    persist->reset_to = newest->position;
    job->last = newest->position;
    job->stamp_ms = newest->stamp_ms;
}

/* Above every term that this node ever voted in, so that no vote of the old cluster counts; and
 * above that of a snapshot which was durable before its term was. */
static gd_term term_above_all(const struct job *job)
{
    const struct gd_snapshot_meta *newest = gd_snapshot_store_get(job->store, 0);
    gd_term term = job->hard_state.term;

    term = job->last.term > term ? job->last.term : term;
    term = newest != NULL && newest->position.term > term ? newest->position.term : term;
    return term + 1;
}

static enum gd_err append_config(struct job *job, const struct gd_address *address, gd_term term)
{
    struct gd_config config = {.count = 1, .highest = job->highest};
    struct gd_bytes bytes = {0};
    struct gd_raft_persist persist = {.sequence = 1, .entry_count = 1};
    struct gd_snapshot_meta meta;
    struct gd_entry *entry;
    enum gd_err err;

    config.members[0] = (struct gd_member){
        .id = job->identity.node_id, .roles = GD_MEMBER_VOTER, .address = *address};
    gd_config_encode(&config, &bytes);
    entry = gd_entry_new(GD_ENTRY_CONFIG, bytes.data, bytes.size);
    gd_bytes_release(&bytes);
    install(job, &persist);
    job->last = (struct gd_position){term, job->last.index + 1};
    entry->position = job->last;
    entry->stamp_ms = job->stamp_ms;
    persist.entries = &entry;
    gd_wal_append(job->wal, &persist);
    if (persist.reset) {
        meta = *gd_snapshot_store_get(job->store, 0);
        gd_wal_snapshot(job->wal, &meta, 0);
    }
    err = wait(job);
    gd_entry_drop(entry);
    return err;
}

enum gd_err gd_recover(const struct gd_offline *offline, const struct gd_address *address,
                       struct gd_recovered *recovered, struct gd_error *error)
{
    struct job job = {.offline = offline, .error = error};
    struct gd_hard_state hard_state = {0};
    enum gd_err err = open_all(&job);

    if (err == GD_OK) {
        err = check_reach(&job);
    }
    if (err == GD_OK) {
        hard_state.term = term_above_all(&job);
        job.identity.cluster_id = fresh_cluster(&job);
        job.identity.boot++;
        gd_wal_start(job.wal, &job.identity, &hard_state, &job.mark, on_done, &job); /* V2 */
        err = wait(&job);
    }
    if (err == GD_OK) {
        err = append_config(&job, address, hard_state.term);
    }
    if (err == GD_OK) {
        *recovered = (struct gd_recovered){job.identity, job.last};
    }
    return close_all(&job, err);
}

/* ---------------------------------------------------------------- restore */

/* Host, then port by number: the order of a first start. */
static int compare_addresses(const struct gd_address *a, const struct gd_address *b)
{
    char x[GD_ADDRESS_SIZE], y[GD_ADDRESS_SIZE];
    uint16_t p, q;
    int order;

    gd_address_split(a, x, &p);
    gd_address_split(b, y, &q);
    order = strcmp(x, y);
    return order != 0 ? order : (int)p - (int)q;
}

enum gd_err gd_members_number(const struct gd_address *addresses, size_t count,
                              struct gd_config *config, struct gd_error *error)
{
    struct gd_config numbered = {0};

    if (count == 0 || count > GD_MEMBERS_MAX) {
        return gd_error_set(error, GD_ERR_INVALID, "a cluster has 1 to %d members", GD_MEMBERS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        struct gd_member member = {.id = 1, .roles = GD_MEMBER_VOTER, .address = addresses[i]};
        for (size_t j = 0; j < count; j++) {
            int order = compare_addresses(&addresses[j], &addresses[i]);
            if (order == 0 && j != i) {
                return gd_error_set(error, GD_ERR_INVALID, "%s is there twice", addresses[i].text);
            }
            member.id += order < 0;
        }
        if (gd_config_put(&numbered, &member) != GD_OK) { /* UNTESTED: they were counted. */
            return gd_error_set(error, GD_ERR_INVALID, "too many members");
        }
    }
    *config = numbered;
    return GD_OK;
}

/* The head of a backup's body: the node's own table. */
struct head {
    struct gd_bytes bytes;
};

static enum gd_err head_add(void *context, struct gd_slice data)
{
    struct head *head = context;
    size_t wanted = head->bytes.size < 4 ? 4 : (size_t)gd_get_le32(head->bytes.data) + 4;

    if (wanted > HEAD_SIZE_MAX) {
        return GD_ERR_CORRUPT;
    }
    if (head->bytes.size < wanted) {
        gd_bytes_add(&head->bytes, data.data, data.size);
    }
    return GD_OK;
}

/* Goes through the whole backup before anything is written; `*boot`: the highest of any origin;
 * `*highest`: that of any id. */
static enum gd_err check_backup(const struct gd_snapshot_source *source,
                                struct gd_snapshot_facts *facts, uint64_t *boot,
                                gd_node_id *highest, struct gd_error *error)
{
    struct head head = {0};
    struct gd_dedup table = {0};
    struct gd_reader reader;
    enum gd_err err = gd_snapshot_walk(source, head_add, &head, facts);

    if (err == GD_OK) {
        reader = gd_reader_of(gd_bytes_slice(&head.bytes));
        struct gd_slice rows = gd_reader_slice(&reader, gd_reader_le32(&reader));
        reader.failed = reader.failed || facts->meta.position.index == 0;
        struct gd_reader inner = gd_reader_of(rows);
        err = reader.failed ? GD_ERR_CORRUPT : gd_dedup_decode(&inner, &table);
    }
    *boot = 0;
    *highest = gd_config_highest(&facts->meta.config);
    for (size_t i = 0; i < table.count; i++) {
        *highest = table.origins[i].origin > *highest ? table.origins[i].origin : *highest;
        *boot = table.origins[i].boot > *boot ? table.origins[i].boot : *boot;
    }
    gd_dedup_release(&table);
    gd_bytes_release(&head.bytes);
    return err == GD_OK ? GD_OK
                        : gd_error_set(error, err,
                                       "the backup cannot be used: at offset %" PRIu64
                                       ": %s; nothing was written",
                                       facts->offset, gd_err_text(err));
}

static enum gd_err body_write(void *context, struct gd_slice data)
{
    struct job *job = context;

    gd_snapshot_write(job->store, data, on_done, job);
    return wait(job);
}

static enum gd_err write_snapshot(struct job *job, const struct gd_snapshot_source *source,
                                  const struct gd_snapshot_meta *meta, uint32_t crc)
{
    struct gd_snapshot_facts facts;
    enum gd_err err;

    gd_snapshot_write_begin(job->store, meta, on_done, job);
    err = wait(job);
    if (err == GD_OK) {
        err = gd_snapshot_walk(source, body_write, job, &facts);
        if (err == GD_OK && facts.crc != crc) {
            err = GD_ERR_CORRUPT;
        }
        if (err != GD_OK && err != GD_ERR_STOPPED) {
            gd_snapshot_write_abort(job->store);
            return gd_error_set(job->error, err, "the backup changed, or cannot be read: %s",
                                gd_err_text(err));
        }
    }
    if (err == GD_OK) {
        gd_snapshot_write_end(job->store, on_done, job);
        err = wait(job);
    }
    return err;
}

/* Lives that are left above one are used up by so many at a time, so that hundreds of restores of
 * restores find one. */
#define LIFE_STEP_MAX (UINT32_C(1) << 24)

/* A life of its own, and above every origin's boot. */
static uint64_t restored_boot(const struct gd_offline *offline, uint64_t highest)
{
    uint32_t life = gd_life_of(highest);
    uint32_t left = GD_LIFE_REMOVED - 1 - (life < GD_LIFE_REMOVED ? life : GD_LIFE_REMOVED - 1);

    if (left == 0) {
        return highest + 1; /* UNTESTED: nobody restores that often. */
    }
    left = left < LIFE_STEP_MAX ? left : LIFE_STEP_MAX;
    life += 1 + (uint32_t)(gd_io_entropy(offline->io, "life") % left);
    return (uint64_t)life << 32;
}

/* The same on every member, and another than that of any first start. */
static uint64_t restored_cluster(const struct gd_config *config,
                                 const struct gd_snapshot_facts *facts)
{
    uint64_t id = gd_prng_mix(facts->crc, facts->meta.position.term);

    id = gd_prng_mix(id, facts->meta.position.index);
    for (uint32_t i = 0; i < config->count; i++) {
        const char *text = config->members[i].address.text;
        id = gd_prng_mix(id, gd_crc32c(0, text, strlen(text)));
    }
    return id | 1;
}

/* A snapshot that an interrupted restore left is stored again: the store replaces it. */
static enum gd_err check_empty(struct job *job, const struct gd_snapshot_meta *meta)
{
    const struct gd_snapshot_meta *there = gd_snapshot_store_get(job->store, 0);

    if (!job->empty ||
        (there != NULL && gd_position_compare(there->position, meta->position) != 0)) {
        return gd_error_set(job->error, GD_ERR_EXISTS,
                            "the directory is not empty; restore into a new one");
    }
    return GD_OK;
}

enum gd_err gd_restore(const struct gd_offline *offline, const struct gd_snapshot_source *source,
                       const struct gd_config *config, const struct gd_address *self,
                       struct gd_recovered *recovered, struct gd_error *error)
{
    struct job job = {.offline = offline, .error = error};
    struct gd_snapshot_facts facts;
    struct gd_snapshot_meta meta;
    struct gd_wal_identity identity = {0};
    struct gd_hard_state hard_state;
    gd_node_id highest;
    enum gd_err err = check_backup(source, &facts, &identity.boot, &highest, error);

    for (uint32_t i = 0; i < config->count; i++) {
        if (compare_addresses(&config->members[i].address, self) == 0) {
            identity.node_id = config->members[i].id;
        }
    }
    if (err != GD_OK) {
        return err;
    }
    if (identity.node_id == 0) {
        return gd_error_set(error, GD_ERR_INVALID, "%s is none of the members", self->text);
    }
    meta = facts.meta;
    meta.config = *config;
    meta.config.highest = highest;
    meta.config_index = meta.position.index;
    meta.size = 0;
    identity.boot = restored_boot(offline, identity.boot);
    identity.cluster_id = restored_cluster(config, &facts);
    hard_state = (struct gd_hard_state){.term = meta.position.term};
    err = open_all(&job);
    if (err == GD_OK) {
        err = check_empty(&job, &meta);
    }
    if (err == GD_OK) {
        err = write_snapshot(&job, source, &meta, facts.crc); /* V3 */
    }
    if (err == GD_OK) {
        meta = *gd_snapshot_store_get(job.store, 0);
        gd_wal_start(job.wal, &identity, &hard_state, &meta, on_done, &job);
        err = wait(&job);
    }
    if (err == GD_OK) {
        *recovered = (struct gd_recovered){identity, meta.position};
    }
    return close_all(&job, err);
}
