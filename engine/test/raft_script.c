/* raft_script.c - Raft by scripts: commands, and behind each what it must print.
 *
 * usage: raft_script FILE...          compare; the first difference is shown
 *        raft_script --write FILE...  put what is printed now into the files (read the diff!)
 *
 * A line that begins with "> " is expected output, "#" a comment; all others are commands:
 *
 *   push MS                in front of cluster: how long a commit may wait for the next append
 *   round MS               in front of cluster: how long a read's round asks the fewest
 *   lease                  in front of cluster: leaders answer reads by leases
 *   cluster 3 [4L]         voters 1..3; 4 a learner of the first configuration
 *   timeout N              time passes to N's deadline, for N alone
 *   pass MS                time passes for all, who tick
 *   deliver                all messages, in order, and what they bring about, until it is quiet
 *   deliver A B            the first message from A to B
 *   drop A B               the first message from A to B is lost; "drop all"
 *   repeat A B             it is delivered, and stays
 *   cut A B | heal         messages between A and B are lost, both ways; no more
 *   sync off N | sync N | sync on N    N's disk: nothing is durable by itself; now; by itself again
 *   forward N M TEXT       a write that M sent to N, who proposes it
 *   propose N TEXT | read N | snapshot N | transfer N M | crash N | restart N
 *   change N 1,2,4,5L,6J   propose these members; J: a learner that becomes a voter by itself
 *   log N                  the terms of its log;  queue: the messages under way;  state: all nodes
 */
#include "engine/memory.h"
#include "engine/raft.h"
#include <stdio.h>
#include <stdlib.h>

enum { NODES = 7, LOG_MAX = 256, MESSAGES_MAX = 2000 };

struct disk {
    struct gd_hard_state hard_state;
    struct gd_snapshot_meta snapshot;
    struct gd_position before;
    struct gd_entry *entries[LOG_MAX];
    size_t count;
};
struct pending {
    struct gd_raft_persist persist;
    struct gd_entry *entries[LOG_MAX];
};
struct held {
    uint64_t after;
    gd_node_id to;
    struct gd_bytes frame;
};
struct node {
    gd_node_id id;
    struct gd_raft *raft;
    struct disk disk;
    struct pending *pending;
    size_t pending_count;
    struct held held[64];
    size_t held_count;
    uint64_t durable, boot;
    gd_time_ns deadline;
    bool manual;
};
struct message {
    gd_node_id from, to;
    struct gd_bytes frame;
};
static struct script {
    struct node nodes[NODES + 1];
    int count;
    struct message queue[MESSAGES_MAX];
    size_t queue_count;
    bool cut[NODES + 1][NODES + 1];
    gd_time_ns now, push_delay, round_delay;
    bool lease;
    uint64_t token;
    struct gd_bytes out;
} s;

static struct gd_raft_effects step(struct node *n, struct gd_raft_event *event);

static void say(const char *text)
{
    gd_bytes_format(&s.out, "> %s\n", text);
}

static void enqueue(gd_node_id from, gd_node_id to, struct gd_slice frame)
{
    struct message *m;

    if (s.queue_count == MESSAGES_MAX || to > NODES || s.cut[from][to]) {
        return;
    }
    m = &s.queue[s.queue_count++];
    *m = (struct message){.from = from, .to = to};
    gd_bytes_add(&m->frame, frame.data, frame.size);
}

static void send_one(struct node *n, const struct gd_raft_send *send)
{
    struct gd_message m = send->message;
    struct gd_bytes frame = {0};

    if (m.type == GD_MESSAGE_INSTALL_SNAPSHOT) {
        m.install.data = (struct gd_slice){(const uint8_t *)"snapshot..",
                                           (size_t)(m.install.size - m.install.offset)};
    }
    gd_message_encode(&m, &frame);
    if (send->after <= n->durable || n->held_count == 64) {
        enqueue(n->id, m.to, gd_bytes_slice(&frame));
        gd_bytes_release(&frame);
    } else {
        n->held[n->held_count++] = (struct held){send->after, m.to, frame};
    }
}

static void disk_cut(struct disk *disk, gd_index from)
{
    while (disk->count > 0 && disk->entries[disk->count - 1]->position.index >= from) {
        gd_entry_drop(disk->entries[--disk->count]);
    }
}

static void write_one(struct disk *disk, struct pending *p)
{
    if (p->persist.hard_state_changed) {
        disk->hard_state = p->persist.hard_state;
    }
    if (p->persist.truncate_from != 0) {
        disk_cut(disk, p->persist.truncate_from);
    }
    if (p->persist.reset) {
        disk_cut(disk, 0);
        disk->before = p->persist.reset_to;
    }
    for (size_t i = 0; i < p->persist.entry_count; i++) {
        disk->entries[disk->count++] = gd_entry_share(p->entries[i]);
    }
}

static void forget_pending(struct node *n)
{
    for (size_t i = 0; i < n->pending_count; i++) {
        for (size_t k = 0; k < n->pending[i].persist.entry_count; k++) {
            gd_entry_drop(n->pending[i].entries[k]);
        }
    }
    n->pending_count = 0;
}

static void sync_node(struct node *n)
{
    struct gd_raft_event event = {.kind = GD_RAFT_PERSISTED};
    size_t kept = 0;

    if (n->pending_count == 0) {
        return;
    }
    for (size_t i = 0; i < n->pending_count; i++) {
        struct pending *p = &n->pending[i];
        write_one(&n->disk, p);
        event.persisted.sequence = p->persist.sequence;
        if (p->persist.entry_count > 0) {
            event.persisted.last = p->entries[p->persist.entry_count - 1]->position;
        }
    }
    forget_pending(n);
    n->durable = event.persisted.sequence;
    for (size_t i = 0; i < n->held_count; i++) {
        if (n->held[i].after <= n->durable) {
            enqueue(n->id, n->held[i].to, gd_bytes_slice(&n->held[i].frame));
            gd_bytes_release(&n->held[i].frame);
        } else {
            n->held[kept++] = n->held[i];
        }
    }
    n->held_count = kept;
    (void)step(n, &event);
}

static void take_chunk(struct node *n, const struct gd_raft_chunk *chunk)
{
    struct gd_raft_event event = {.kind = GD_RAFT_SNAPSHOT_INSTALLED};

    for (int i = 1; i <= s.count; i++) {
        if (gd_position_compare(s.nodes[i].disk.snapshot.position, chunk->install.position) == 0) {
            n->disk.snapshot = s.nodes[i].disk.snapshot;
            event.snapshot = &n->disk.snapshot;
            (void)step(n, &event);
            return;
        }
    }
}

static void tell_role(struct node *n, gd_term term, enum gd_role role)
{
    char text[128];

    if (gd_raft_role(n->raft) != role || gd_raft_term(n->raft) != term) {
        (void)snprintf(text, sizeof text, "%llu: %s, term %llu", (unsigned long long)n->id,
                       gd_role_text(gd_raft_role(n->raft)),
                       (unsigned long long)gd_raft_term(n->raft));
        say(text);
    }
}

static struct gd_raft_effects step(struct node *n, struct gd_raft_event *event)
{
    struct gd_raft_effects effects;
    gd_term term = gd_raft_term(n->raft);
    enum gd_role role = gd_raft_role(n->raft);
    gd_index commit = gd_raft_commit(n->raft);
    char text[128];

    event->now = s.now;
    event->wall_ms = (int64_t)(s.now / GD_NS_PER_MS);
    gd_raft_step(n->raft, event, &effects);
    n->deadline = effects.deadline;
    if (effects.persist.sequence != 0) {
        struct pending *p;
        n->pending = gd_realloc(n->pending, (n->pending_count + 1) * sizeof n->pending[0]);
        p = &n->pending[n->pending_count++];
        p->persist = effects.persist;
        for (size_t i = 0; i < effects.persist.entry_count; i++) {
            p->entries[i] = gd_entry_share(effects.persist.entries[i]);
        }
    }
    for (size_t i = 0; i < effects.send_count; i++) {
        send_one(n, &effects.sends[i]);
    }
    tell_role(n, term, role);
    if (gd_raft_commit(n->raft) != commit) {
        (void)snprintf(text, sizeof text, "%llu: commit %llu", (unsigned long long)n->id,
                       (unsigned long long)gd_raft_commit(n->raft));
        say(text);
    }
    for (size_t i = 0; i < effects.read_count; i++) {
        (void)snprintf(text, sizeof text, "%llu: read %llu: %s, index %llu",
                       (unsigned long long)n->id, (unsigned long long)effects.reads[i].token,
                       gd_err_text(effects.reads[i].err),
                       (unsigned long long)effects.reads[i].index);
        say(text);
    }
    if (effects.chunk.wanted) {
        take_chunk(n, &effects.chunk);
    }
    if (!n->manual) {
        sync_node(n);
    }
    return effects;
}

static void start_node(struct node *n)
{
    struct gd_raft_options options = {
        .id = n->id,
        .cluster_id = 1,
        .boot = ++n->boot,
        .election_timeout_ns = 1000 * GD_NS_PER_MS,
        .heartbeat_ns = 100 * GD_NS_PER_MS,
        .batch_size_max = 1, /* An entry a message: each step shows. */
        .window_size_max = 65536,
        .window_count_max = 8,
        .uncommitted_size_max = 1 << 20,
        .push_delay_ns = s.push_delay,
        .round_delay_ns = s.round_delay,
        .lease = s.lease,
        .seed = n->id,
    };
    struct gd_raft_event tick = {.kind = GD_RAFT_TICK};

    n->durable = 0;
    n->raft = gd_raft_new(&options, &n->disk.hard_state, &n->disk.snapshot);
    if (n->disk.before.index < n->disk.snapshot.position.index) {
        gd_raft_restore_tail(n->raft, n->disk.before);
    }
    for (size_t i = 0; i < n->disk.count; i++) {
        gd_raft_restore(n->raft, gd_entry_share(n->disk.entries[i]));
    }
    gd_raft_start(n->raft, s.now);
    (void)step(n, &tick);
}

static void crash_node(struct node *n)
{
    gd_raft_free(n->raft);
    n->raft = NULL;
    forget_pending(n);
    for (size_t i = 0; i < n->held_count; i++) {
        gd_bytes_release(&n->held[i].frame);
    }
    n->held_count = 0;
}

/* ---------------------------------------------------------------- messages */

static void take_out(size_t at)
{
    gd_bytes_release(&s.queue[at].frame);
    s.queue_count--;
    memmove(&s.queue[at], &s.queue[at + 1], (s.queue_count - at) * sizeof s.queue[0]);
}

static void deliver_at(size_t at, bool keep)
{
    struct gd_message m;
    struct gd_raft_event event = {.kind = GD_RAFT_MESSAGE, .message = &m};
    struct node *n = &s.nodes[s.queue[at].to];
    struct gd_bytes frame = {0};
    size_t consumed;

    gd_bytes_add(&frame, s.queue[at].frame.data, s.queue[at].frame.size);
    if (!keep) {
        take_out(at);
    }
    if (gd_message_decode(gd_bytes_slice(&frame), 1 << 20, &consumed, &m) == GD_OK) {
        if (n->raft != NULL) {
            (void)step(n, &event);
        }
        gd_message_release(&m);
    }
    gd_bytes_release(&frame);
}

static size_t find_message(gd_node_id from, gd_node_id to)
{
    for (size_t i = 0; i < s.queue_count; i++) {
        if (s.queue[i].from == from && s.queue[i].to == to) {
            return i;
        }
    }
    say("no such message");
    return MESSAGES_MAX;
}

static void show_queue(void)
{
    for (size_t i = 0; i < s.queue_count; i++) {
        char text[160];
        const uint8_t *frame = s.queue[i].frame.data;
        (void)snprintf(text, sizeof text, "%llu -> %llu %s term %llu",
                       (unsigned long long)s.queue[i].from, (unsigned long long)s.queue[i].to,
                       gd_message_type_text((enum gd_message_type)frame[9]),
                       (unsigned long long)gd_get_le64(frame + 36));
        say(text);
    }
}

/* ---------------------------------------------------------------- commands */

static void read_members(const char *words, struct gd_config *config)
{
    *config = (struct gd_config){0};
    while (*words != '\0') {
        char *end;
        struct gd_member member = {.id = strtoull(words, &end, 10), .roles = GD_MEMBER_VOTER};
        if (*end == 'L' || *end == 'J') {
            member.roles = GD_MEMBER_LEARNER | (*end == 'J' ? GD_MEMBER_JOINING : 0);
            end++;
        }
        if (gd_address_parse("h:1", &member.address) != GD_OK ||
            gd_config_put(config, &member) != GD_OK) {
            abort();
        }
        words = *end == ',' ? end + 1 : end + strlen(end);
    }
}

static void begin_cluster(const char *words)
{
    struct gd_config config = {0};
    char text[64] = {0};
    int voters = 0, more = 0;

    if (sscanf(words, "%d %dL", &voters, &more) < 1 || voters > NODES) {
        abort();
    }
    for (int i = 1; i <= voters; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", i > 1 ? "," : "",
                       i);
    }
    if (more > 0) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), ",%dL", more);
    }
    read_members(text, &config);
    s.count = NODES;
    for (int i = 1; i <= NODES; i++) {
        s.nodes[i].id = (gd_node_id)i;
        s.nodes[i].disk.snapshot.config = config;
    }
    for (uint32_t i = 0; i < config.count; i++) {
        start_node(&s.nodes[config.members[i].id]);
    }
}

static void show_log(const struct node *n)
{
    struct gd_bytes text = {0};

    gd_bytes_format(&text, "%llu: behind %llu:", (unsigned long long)n->id,
                    (unsigned long long)(gd_raft_first_index(n->raft) - 1));
    for (gd_index i = gd_raft_first_index(n->raft); i <= gd_raft_last(n->raft).index; i++) {
        gd_bytes_format(&text, " %llu", (unsigned long long)gd_raft_term_at(n->raft, i));
    }
    gd_bytes_add_u8(&text, 0);
    say((const char *)text.data);
    gd_bytes_release(&text);
}

static void show_state(void)
{
    for (int i = 1; i <= NODES; i++) {
        const struct gd_raft *raft = s.nodes[i].raft;
        struct gd_bytes text = {0};
        if (raft == NULL) {
            continue;
        }
        gd_bytes_format(
            &text,
            "%d: %s, term %llu, vote %llu, leader %llu, last %llu.%llu, commit %llu, members", i,
            gd_role_text(gd_raft_role(raft)), (unsigned long long)gd_raft_term(raft),
            (unsigned long long)gd_raft_vote(raft), (unsigned long long)gd_raft_leader(raft),
            (unsigned long long)gd_raft_last(raft).term,
            (unsigned long long)gd_raft_last(raft).index, (unsigned long long)gd_raft_commit(raft));
        for (uint32_t k = 0; k < gd_raft_config(raft)->count; k++) {
            const struct gd_member *member = &gd_raft_config(raft)->members[k];
            gd_bytes_format(&text, " %llu%s%s%s%s", (unsigned long long)member->id,
                            (member->roles & GD_MEMBER_VOTER) != 0 ? "" : "-",
                            (member->roles & GD_MEMBER_OUTGOING) != 0 ? "o" : "",
                            (member->roles & GD_MEMBER_LEARNER) != 0 ? "L" : "",
                            (member->roles & GD_MEMBER_JOINING) != 0 ? "J" : "");
        }
        gd_bytes_add_u8(&text, 0);
        say((const char *)text.data);
        gd_bytes_release(&text);
    }
}

static void take_snapshot(struct node *n)
{
    struct gd_raft_event event = {.kind = GD_RAFT_SNAPSHOT_TAKEN};
    gd_index commit = gd_raft_commit(n->raft), config_index;
    struct gd_snapshot_meta meta = {.size = 10};

    if (gd_raft_entry(n->raft, commit) == NULL) {
        say("nothing to take");
        return;
    }
    meta.position = gd_raft_entry(n->raft, commit)->position;
    meta.config = *gd_raft_config_at(n->raft, commit, &config_index);
    meta.config_index = config_index;
    n->disk.snapshot = meta;
    event.snapshot = &meta;
    (void)step(n, &event);
}

static void tell_result(const struct gd_raft_effects *effects)
{
    if (effects->result != GD_OK) {
        char text[160];
        (void)snprintf(text, sizeof text, "refused: %s%s%s", gd_err_text(effects->result),
                       effects->refusal[0] == '\0' ? "" : ": ", effects->refusal);
        say(text);
    }
}

static void run_event(struct node *n, const char *verb, const char *rest)
{
    struct gd_raft_event event = {.kind = GD_RAFT_TICK};
    struct gd_raft_effects effects;
    struct gd_entry *entry = NULL;
    struct gd_config config;
    gd_node_id origin;

    if (strcmp(verb, "propose") == 0 || strcmp(verb, "forward") == 0) {
        bool forward = strcmp(verb, "forward") == 0;
        entry = gd_entry_new(GD_ENTRY_REQUEST, rest, strlen(rest));
        origin = forward ? strtoull(rest, NULL, 10) : 0;
        event.kind = GD_RAFT_PROPOSE;
        event.propose.entries = &entry;
        event.propose.count = 1;
        event.propose.origins = forward ? &origin : NULL;
    } else if (strcmp(verb, "read") == 0) {
        event.kind = GD_RAFT_READ;
        event.token = ++s.token;
    } else if (strcmp(verb, "transfer") == 0) {
        event.kind = GD_RAFT_TRANSFER;
        event.peer = strtoull(rest, NULL, 10);
    } else if (strcmp(verb, "change") == 0) {
        read_members(rest, &config);
        event.kind = GD_RAFT_CHANGE;
        event.config = &config;
    } else if (strcmp(verb, "timeout") == 0) {
        s.now = n->deadline > s.now ? n->deadline : s.now;
    } else {
        say("unknown command");
        return;
    }
    effects = step(n, &event);
    tell_result(&effects);
    gd_entry_drop(entry);
}

static void run_sync(const char *words)
{
    char mode[8] = {0};
    int id = 0;

    if (sscanf(words, "off %d", &id) == 1) {
        s.nodes[id].manual = true;
    } else if (sscanf(words, "on %d", &id) == 1) {
        s.nodes[id].manual = false;
        sync_node(&s.nodes[id]);
    } else if (sscanf(words, "%d", &id) == 1) {
        sync_node(&s.nodes[id]);
    }
    (void)mode;
}

static void run_messages(const char *verb, const char *words)
{
    unsigned long long from = 0, to = 0;
    size_t at;

    if (sscanf(words, "%llu %llu", &from, &to) != 2) {
        bool drop = strcmp(verb, "drop") == 0;
        for (int limit = 0; s.queue_count > 0 && limit < 5000; limit++) {
            if (drop) {
                take_out(0);
            } else {
                deliver_at(0, false);
            }
        }
        return;
    }
    at = find_message(from, to);
    if (at == MESSAGES_MAX) {
        return;
    }
    if (strcmp(verb, "drop") == 0) {
        take_out(at);
    } else {
        deliver_at(at, strcmp(verb, "repeat") == 0);
    }
}

static void run_cut(const char *words)
{
    unsigned a = 0, b = 0;

    if (sscanf(words, "%u %u", &a, &b) == 2 && a <= NODES && b <= NODES) {
        s.cut[a][b] = s.cut[b][a] = true;
        for (size_t i = s.queue_count; i-- > 0;) {
            if (s.cut[s.queue[i].from][s.queue[i].to]) {
                take_out(i);
            }
        }
    }
}

static void pass(const char *words)
{
    s.now += strtoull(words, NULL, 10) * GD_NS_PER_MS;
    for (int i = 1; i <= NODES; i++) {
        struct gd_raft_event tick = {.kind = GD_RAFT_TICK};
        if (s.nodes[i].raft != NULL && s.now >= s.nodes[i].deadline) {
            (void)step(&s.nodes[i], &tick);
        }
    }
}

static void run_line(const char *line)
{
    char verb[16] = {0}, rest[200] = {0};
    int id = 0;
    const char *words;

    (void)sscanf(line, "%15s", verb);
    words = line + strlen(verb);
    words += strspn(words, " ");
    (void)sscanf(words, "%d %199[^\n]", &id, rest);
    if (strcmp(verb, "cluster") == 0) {
        begin_cluster(words);
    } else if (strcmp(verb, "deliver") == 0 || strcmp(verb, "drop") == 0 ||
               strcmp(verb, "repeat") == 0) {
        run_messages(verb, words);
    } else if (strcmp(verb, "pass") == 0) {
        pass(words);
    } else if (strcmp(verb, "push") == 0) {
        s.push_delay = strtoull(words, NULL, 10) * GD_NS_PER_MS;
    } else if (strcmp(verb, "round") == 0) {
        s.round_delay = strtoull(words, NULL, 10) * GD_NS_PER_MS;
    } else if (strcmp(verb, "lease") == 0) {
        s.lease = true;
    } else if (strcmp(verb, "cut") == 0) {
        run_cut(words);
    } else if (strcmp(verb, "heal") == 0) {
        memset(s.cut, 0, sizeof s.cut);
    } else if (strcmp(verb, "sync") == 0) {
        run_sync(words);
    } else if (strcmp(verb, "queue") == 0) {
        show_queue();
    } else if (strcmp(verb, "state") == 0) {
        show_state();
    } else if (id < 1 || id > NODES) {
        say("which node?");
    } else if (strcmp(verb, "restart") == 0) {
        start_node(&s.nodes[id]);
    } else if (s.nodes[id].raft == NULL) {
        say("it is down");
    } else if (strcmp(verb, "crash") == 0) {
        crash_node(&s.nodes[id]);
    } else if (strcmp(verb, "log") == 0) {
        show_log(&s.nodes[id]);
    } else if (strcmp(verb, "snapshot") == 0) {
        take_snapshot(&s.nodes[id]);
    } else {
        run_event(&s.nodes[id], verb, rest);
    }
}

static void clean_up(void)
{
    for (int i = 1; i <= NODES; i++) {
        if (s.nodes[i].raft != NULL) {
            crash_node(&s.nodes[i]);
        }
        disk_cut(&s.nodes[i].disk, 0);
        gd_free(s.nodes[i].pending);
    }
    while (s.queue_count > 0) {
        take_out(s.queue_count - 1);
    }
    memset(&s, 0, sizeof s);
}

/* ---------------------------------------------------------------- files */

static int run_file(const char *path, bool write)
{
    struct gd_bytes want = {0}, got = {0};
    char line[1024];
    FILE *file = fopen(path, "r");
    int status = 0;

    if (file == NULL) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        return 2;
    }
    s.now = 10000 * GD_NS_PER_MS;
    while (fgets(line, sizeof line, file) != NULL) {
        gd_bytes_add_text(&want, line);
        if (strncmp(line, "> ", 2) == 0) {
            continue;
        }
        gd_bytes_add_text(&got, line);
        if (line[0] != '#' && line[0] != '\n') {
            line[strcspn(line, "\n")] = '\0';
            gd_bytes_clear(&s.out);
            run_line(line);
            gd_bytes_add(&got, s.out.data, s.out.size);
        }
    }
    (void)fclose(file);
    gd_bytes_release(&s.out);
    clean_up();
    if (want.size != got.size || (got.size > 0 && memcmp(want.data, got.data, got.size) != 0)) {
        if (write) {
            file = fopen(path, "w");
            if (file != NULL) {
                (void)fwrite(got.data, 1, got.size, file);
                (void)fclose(file);
            }
        } else {
            status = 1;
            (void)fprintf(stderr, "%s: differs; it prints now:\n%.*s", path, (int)got.size,
                          (const char *)got.data);
        }
    }
    gd_bytes_release(&want);
    gd_bytes_release(&got);
    return status;
}

int main(int argc, char **argv)
{
    bool write = argc > 1 && strcmp(argv[1], "--write") == 0;
    int status = 0;

    for (int i = write ? 2 : 1; i < argc; i++) {
        int one = run_file(argv[i], write);
        status = one > status ? one : status;
    }
    return status;
}
