/* Traps that a script of whole nodes cannot set: completions and messages in an order chosen here,
 * given to one follower. */
#include "engine/invariants.h"
#include "engine/test/test.h"

static struct gd_raft_effects effects;
static struct gd_raft *raft;

static struct gd_config config_of(gd_node_id first, gd_node_id last, uint32_t last_role)
{
    struct gd_config config = {0};

    for (gd_node_id id = first; id <= last; id++) {
        struct gd_member member = {.id = id, .roles = id == last ? last_role : GD_MEMBER_VOTER};
        assert_int_equal(gd_address_parse("h:1", &member.address), GD_OK);
        assert_int_equal(gd_config_put(&config, &member), GD_OK);
    }
    return config;
}

/* Node 3 of `config`, empty. */
static void begin_with(const struct gd_config *config, bool lease)
{
    const struct gd_raft_options options = {
        .id = 3,
        .cluster_id = 1,
        .boot = 1,
        .election_timeout_ns = 100 * GD_NS_PER_MS,
        .heartbeat_ns = 20 * GD_NS_PER_MS,
        .batch_size_max = 1000,
        .window_size_max = 1000,
        .window_count_max = 4,
        .uncommitted_size_max = 1000,
        .seed = 1,
        .lease = lease,
    };
    const struct gd_hard_state hard_state = {0};
    const struct gd_snapshot_meta meta = {.config = *config};

    raft = gd_raft_new(&options, &hard_state, &meta);
    gd_raft_start(raft, GD_NS_PER_MS);
}

static void begin(const struct gd_config *config)
{
    begin_with(config, false);
}

static gd_time_ns later_ns; /* Of the steps from here on, after the first millisecond. */

static void step(struct gd_raft_event event)
{
    event.now = GD_NS_PER_MS + later_ns;
    gd_raft_step(raft, &event, &effects);
    assert_true(gd_raft_check(raft));
}

/* An append of `count` entries of these terms behind `previous`, by the leader of `term`. */
static void append(gd_term term, struct gd_position previous, const gd_term *terms, size_t count,
                   const struct gd_config *config)
{
    struct gd_entry *entries[4];
    struct gd_bytes bytes = {0};
    struct gd_message message = {
        .type = GD_MESSAGE_APPEND, .from = term % 2 + 1, .to = 3, .term = term, .boot = 1};

    if (config != NULL) {
        gd_config_encode(config, &bytes);
    }
    for (size_t i = 0; i < count; i++) {
        entries[i] =
            gd_entry_new(config != NULL ? GD_ENTRY_CONFIG : GD_ENTRY_NOOP, bytes.data, bytes.size);
        entries[i]->position = (struct gd_position){terms[i], previous.index + 1 + i};
        entries[i]->stamp_ms = 0;
    }
    message.append.previous = previous;
    message.append.entries = entries;
    message.append.entry_count = count;
    step((struct gd_raft_event){.kind = GD_RAFT_MESSAGE, .message = &message});
    for (size_t i = 0; i < count; i++) {
        gd_entry_drop(entries[i]);
    }
    gd_bytes_release(&bytes);
}

static void persisted(uint64_t sequence, struct gd_position last)
{
    struct gd_raft_event event = {.kind = GD_RAFT_PERSISTED};

    event.persisted.sequence = sequence;
    event.persisted.last = last;
    step(event);
}

/* V2: 1.1 is written, cut, and comes again; the first write's completion says nothing about it. */
static void test_late_completion_does_not_vouch_for_an_entry_that_came_again(void **state)
{
    const struct gd_config config = config_of(1, 3, GD_MEMBER_VOTER);
    const gd_term one = 1, two = 2;
    uint64_t first, last;

    (void)state;
    begin(&config);
    append(1, (struct gd_position){0, 0}, &one, 1, NULL);
    first = effects.persist.sequence;
    append(2, (struct gd_position){0, 0}, &two, 1, NULL);
    append(3, (struct gd_position){0, 0}, &one, 1, NULL);
    last = effects.persist.sequence;
    assert_int_equal(gd_raft_last(raft).term, 1);
    persisted(first, (struct gd_position){1, 1});
    assert_int_equal(gd_raft_stored(raft).index, 0);
    persisted(last, (struct gd_position){1, 1});
    assert_int_equal(gd_raft_stored(raft).index, 1);
    gd_raft_free(raft);
}

/* A snapshot that replaces the log brings its configuration, also when the lost log had a newer. */
static void test_installed_snapshot_brings_its_configuration(void **state)
{
    const struct gd_config old = config_of(1, 3, GD_MEMBER_VOTER);
    const struct gd_config stale = config_of(1, 5, GD_MEMBER_VOTER);
    struct gd_snapshot_meta meta = {
        .position = {3, 7}, .config_index = 1, .config = old, .size = 10};
    const gd_term terms[3] = {1, 1, 1};

    (void)state;
    meta.config = config_of(1, 4, GD_MEMBER_VOTER);
    begin(&old);
    append(1, (struct gd_position){0, 0}, terms, 3, &stale);
    assert_int_equal(gd_raft_config_index(raft), 3);
    append(3, (struct gd_position){3, 9}, NULL, 0, NULL); /* Refused: nothing is there. */
    step((struct gd_raft_event){.kind = GD_RAFT_SNAPSHOT_INSTALLED, .snapshot = &meta});
    assert_true(effects.persist.reset);
    assert_true(effects.config_changed);
    assert_int_equal(gd_raft_config_index(raft), 1);
    assert_true(gd_config_equal(gd_raft_config(raft), &meta.config));
    gd_raft_free(raft);
}

/* Paper 6: a joint configuration out of a snapshot still needs both majorities. */
static void test_joint_configuration_comes_back_from_a_snapshot(void **state)
{
    const struct gd_config old = config_of(1, 3, GD_MEMBER_VOTER);
    struct gd_snapshot_meta meta = {.position = {1, 5}, .config_index = 4, .config = old};

    (void)state;
    meta.config.members[0].roles = GD_MEMBER_OUTGOING;
    meta.config.members[1].roles = GD_MEMBER_VOTER | GD_MEMBER_OUTGOING;
    begin(&old);
    append(1, (struct gd_position){1, 9}, NULL, 0, NULL);
    step((struct gd_raft_event){.kind = GD_RAFT_SNAPSHOT_INSTALLED, .snapshot = &meta});
    assert_true(gd_config_joint(gd_raft_config(raft)));
    assert_true(gd_config_equal(gd_raft_config(raft), &meta.config));
    gd_raft_free(raft);
}

/* Ballots are counted by the configuration's places: a candidate that gets another configuration,
 * out of a snapshot that was on its way, must not count them by the new places. Here the votes of
 * 3 (itself) and 1 would be taken for those of 5 and 3, a majority of a configuration of which 3
 * has nobody else's vote. */
static void test_candidate_gives_up_when_a_snapshot_brings_another_configuration(void **state)
{
    const struct gd_config old = config_of(1, 5, GD_MEMBER_VOTER);
    struct gd_snapshot_meta meta = {
        .position = {1, 5}, .config_index = 4, .config = config_of(3, 5, GD_MEMBER_VOTER)};
    struct gd_message vote = {
        .type = GD_MESSAGE_VOTE_RESP, .from = 1, .to = 3, .boot = 1, .vote_resp.granted = true};
    struct gd_raft_event tick = {.kind = GD_RAFT_TICK, .now = 400 * GD_NS_PER_MS};
    struct gd_raft_event event = {.kind = GD_RAFT_MESSAGE, .now = tick.now, .message = &vote};

    (void)state;
    begin(&old);
    append(1, (struct gd_position){1, 9}, NULL, 0, NULL); /* A leader of term 1: 2. */
    gd_raft_step(raft, &tick, &effects);
    assert_int_equal(gd_raft_role(raft), GD_ROLE_PRE_CANDIDATE);
    vote.type = GD_MESSAGE_PRE_VOTE_RESP;
    vote.term = 2;
    gd_raft_step(raft, &event, &effects);
    vote.from = 2;
    gd_raft_step(raft, &event, &effects);
    assert_int_equal(gd_raft_role(raft), GD_ROLE_CANDIDATE);
    assert_int_equal(gd_raft_term(raft), 2);
    vote.type = GD_MESSAGE_VOTE_RESP;
    vote.from = 1;
    gd_raft_step(raft, &event, &effects);
    event = (struct gd_raft_event){
        .kind = GD_RAFT_PERSISTED, .now = tick.now, .persisted.sequence = effects.persist.sequence};
    event.persisted.sequence = 2;
    gd_raft_step(raft, &event, &effects);
    assert_int_equal(gd_raft_role(raft), GD_ROLE_CANDIDATE); /* Two of five. */

    event = (struct gd_raft_event){
        .kind = GD_RAFT_SNAPSHOT_INSTALLED, .now = tick.now, .snapshot = &meta};
    gd_raft_step(raft, &event, &effects);
    assert_true(gd_config_equal(gd_raft_config(raft), &meta.config));
    vote.from = 4;
    vote.vote_resp.granted = false;
    event = (struct gd_raft_event){.kind = GD_RAFT_MESSAGE, .now = tick.now, .message = &vote};
    gd_raft_step(raft, &event, &effects);
    assert_int_not_equal(gd_raft_role(raft), GD_ROLE_LEADER);
    assert_int_equal(gd_raft_role(raft), GD_ROLE_FOLLOWER);
    assert_true(gd_raft_check(raft));
    gd_raft_free(raft);
}

static enum gd_err change(const struct gd_config *next)
{
    step((struct gd_raft_event){.kind = GD_RAFT_CHANGE, .config = next});
    return effects.result;
}

/* G4: while a member may be of version 1, lives are left out and who joins is refused; a
 * configuration of version 2 in force shows that all read it. */
static void test_configuration_is_written_in_a_version_that_all_read(void **state)
{
    const struct gd_config alone = config_of(3, 3, GD_MEMBER_VOTER);
    struct gd_config next = alone;
    struct gd_member joining = {.id = 4, .roles = GD_MEMBER_LEARNER | GD_MEMBER_JOINING};

    (void)state;
    begin(&alone);
    step((struct gd_raft_event){.kind = GD_RAFT_TICK});
    persisted(effects.persist.sequence, (struct gd_position){0, 0});
    assert_int_equal(gd_raft_role(raft), GD_ROLE_LEADER);
    persisted(effects.persist.sequence, gd_raft_last(raft));

    gd_raft_set_config_version(raft, 1);
    next.members[0].life = 7;
    next.highest = 9;
    assert_int_equal(change(&next), GD_OK);
    persisted(effects.persist.sequence, gd_raft_last(raft));
    assert_int_equal(gd_config_version(gd_raft_config(raft)), 1);
    assert_true(gd_config_equal(gd_raft_config(raft), &alone));
    assert_int_equal(gd_address_parse("h:1", &joining.address), GD_OK);
    next = alone;
    assert_int_equal(gd_config_put(&next, &joining), GD_OK);
    assert_int_equal(change(&next), GD_ERR_INVALID);
    assert_non_null(strstr(effects.refusal, "older version"));
    assert_true(gd_config_equal(gd_raft_config(raft), &alone));

    gd_raft_set_config_version(raft, 2);
    assert_int_equal(change(&next), GD_OK);
    persisted(effects.persist.sequence, gd_raft_last(raft));
    assert_int_equal(gd_config_version(gd_raft_config(raft)), 2);
    gd_raft_set_config_version(raft, 1); /* One was not heard of since the last election, say. */
    gd_config_remove(&next, 4);
    assert_int_equal(change(&next), GD_OK);
    assert_int_equal(gd_config_version(gd_raft_config(raft)), 2);
    assert_int_equal(gd_config_highest(gd_raft_config(raft)), 4);
    gd_raft_free(raft);
}

/* The other leaves in the same change, and has its vote until then (thesis 4.2.1, 4.3). */
static void test_replacement_changes_places_once_it_has_caught_up(void **state)
{
    const struct gd_config alone = config_of(3, 3, GD_MEMBER_VOTER);
    struct gd_config next = alone;
    struct gd_member fresh = {.id = 4,
                              .roles = GD_MEMBER_LEARNER | GD_MEMBER_JOINING | GD_MEMBER_REPLACING,
                              .replaces = 3};
    struct gd_message resp = {
        .type = GD_MESSAGE_APPEND_RESP, .from = 4, .to = 3, .boot = 1, .append_resp.success = true};

    (void)state;
    begin(&alone);
    step((struct gd_raft_event){.kind = GD_RAFT_TICK});
    persisted(effects.persist.sequence, (struct gd_position){0, 0});
    persisted(effects.persist.sequence, gd_raft_last(raft));
    assert_int_equal(gd_address_parse("h:1", &fresh.address), GD_OK);
    assert_int_equal(gd_config_put(&next, &fresh), GD_OK);
    assert_int_equal(change(&next), GD_OK);
    persisted(effects.persist.sequence, gd_raft_last(raft));
    assert_int_equal(gd_raft_commit(raft), gd_raft_last(raft).index);
    assert_false(gd_config_joint(gd_raft_config(raft)));
    assert_true(gd_config_votes(gd_raft_config(raft), 3));
    assert_false(gd_config_votes(gd_raft_config(raft), 4));

    resp.term = gd_raft_term(raft);
    resp.append_resp.last = gd_raft_last(raft);
    step((struct gd_raft_event){.kind = GD_RAFT_MESSAGE, .message = &resp});
    step((struct gd_raft_event){.kind = GD_RAFT_TICK});
    assert_true(gd_config_joint(gd_raft_config(raft)));
    assert_int_equal(gd_config_find(gd_raft_config(raft), 3)->roles, GD_MEMBER_OUTGOING);
    assert_int_equal(gd_config_find(gd_raft_config(raft), 4)->roles, GD_MEMBER_VOTER);
    assert_int_equal(gd_config_find(gd_raft_config(raft), 4)->replaces, 0);
    gd_raft_free(raft);
}

/* Bytes from a peer are refused, never asserted on. */
static void test_append_refuses_terms_that_cannot_be(void **state)
{
    static const struct {
        const char *name;
        struct gd_position previous;
        gd_term terms[2];
        gd_index want;
    } cases[] = {
        {"terms rise", {0, 0}, {1, 2}, 2},
        {"a term falls", {0, 0}, {2, 1}, 0},
        {"a term of the future", {0, 0}, {1, 9}, 0},
        {"term 0", {0, 0}, {0, 1}, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct gd_config config = config_of(1, 3, GD_MEMBER_VOTER);
        print_message("case: %s\n", cases[i].name);
        begin(&config);
        append(2, cases[i].previous, cases[i].terms, 2, NULL);
        assert_int_equal(gd_raft_last(raft).index, cases[i].want);
        gd_raft_free(raft);
    }
}

/* A learner campaigns never, and still must notice in time that its leader is gone. */
static void test_learner_is_woken_when_its_leader_is_silent(void **state)
{
    const struct gd_config config = config_of(1, 3, GD_MEMBER_LEARNER);
    struct gd_raft_event tick = {.kind = GD_RAFT_TICK};

    (void)state;
    begin(&config);
    append(1, (struct gd_position){0, 0}, NULL, 0, NULL);
    assert_int_equal(gd_raft_leader(raft), 2);
    assert_true(effects.deadline <= 201 * GD_NS_PER_MS);
    tick.now = effects.deadline;
    gd_raft_step(raft, &tick, &effects);
    assert_int_equal(gd_raft_leader(raft), 0);
    assert_true(effects.role_changed);
    assert_true(effects.deadline > 201 * GD_NS_PER_MS); /* And then it is left in peace. */
    gd_raft_free(raft);
}

/* A crash between the snapshot's sync and the log's: the term of the snapshot is known, no vote. */
static void test_start_takes_the_term_of_a_snapshot_that_was_durable_first(void **state)
{
    const struct gd_raft_options options = {
        .id = 3, .election_timeout_ns = 100 * GD_NS_PER_MS, .heartbeat_ns = 20 * GD_NS_PER_MS};
    const struct gd_hard_state hard_state = {.term = 2, .vote = 1};
    const struct gd_snapshot_meta meta = {.position = {4, 9},
                                          .config = config_of(1, 3, GD_MEMBER_VOTER)};

    (void)state;
    raft = gd_raft_new(&options, &hard_state, &meta);
    gd_raft_start(raft, GD_NS_PER_MS);
    assert_int_equal(gd_raft_term(raft), 4);
    assert_int_equal(gd_raft_vote(raft), 0);
    assert_true(gd_raft_check(raft));
    gd_raft_free(raft);
}

static bool votes_for(gd_node_id candidate, gd_term term)
{
    struct gd_message vote = {
        .type = GD_MESSAGE_VOTE, .from = candidate, .to = 3, .term = term, .boot = 1};

    vote.vote.last = (struct gd_position){9, 9};
    step((struct gd_raft_event){.kind = GD_RAFT_MESSAGE, .message = &vote});
    for (size_t i = 0; i < effects.send_count; i++) {
        if (effects.sends[i].message.type == GD_MESSAGE_VOTE_RESP) {
            return effects.sends[i].message.vote_resp.granted;
        }
    }
    return false;
}

/* L3: a leader's lease rests on who answered it, also when another message has brought the next
 * term meanwhile: no vote in that term either until the lease is over. */
static void test_no_vote_breaks_a_lease_by_way_of_a_term_learnt_before(void **state)
{
    const struct gd_config config = config_of(1, 3, GD_MEMBER_VOTER);
    struct gd_message stray = {
        .type = GD_MESSAGE_APPEND_RESP, .from = 1, .to = 3, .term = 2, .boot = 1};

    (void)state;
    begin_with(&config, true);
    later_ns = 200 * GD_NS_PER_MS; /* Behind what a restart must wait for. */
    append(1, (struct gd_position){0, 0}, NULL, 0, NULL);
    later_ns += 10 * GD_NS_PER_MS;
    step((struct gd_raft_event){.kind = GD_RAFT_MESSAGE, .message = &stray});
    assert_int_equal(gd_raft_term(raft), 2);
    assert_false(votes_for(1, 2));
    later_ns += 80 * GD_NS_PER_MS;
    assert_false(votes_for(1, 2));
    later_ns += 20 * GD_NS_PER_MS;
    assert_true(votes_for(1, 2));
    later_ns = 0;
    gd_raft_free(raft);
}

/* ---------------------------------------------------------------- a leader and its disk, and
 * others' */

static void answered(struct gd_message message)
{
    message.to = 3;
    message.boot = 1;
    message.term = gd_raft_term(raft) + (message.type == GD_MESSAGE_PRE_VOTE_RESP ? 1 : 0);
    step((struct gd_raft_event){.kind = GD_RAFT_MESSAGE, .message = &message});
}

static enum gd_err propose(size_t size)
{
    struct gd_entry *entry = gd_entry_new(GD_ENTRY_REQUEST, NULL, size);

    memset(entry->data, 0, size);
    step((struct gd_raft_event){
        .kind = GD_RAFT_PROPOSE, .propose.entries = &entry, .propose.count = 1});
    gd_entry_drop(entry);
    return effects.result;
}

static size_t sent(enum gd_message_type type)
{
    size_t count = 0;

    for (size_t i = 0; i < effects.send_count; i++) {
        count += effects.sends[i].message.type == type;
    }
    return count;
}

/* Node 3 leads the other two, by the vote of 1. */
static void lead_three(void)
{
    const struct gd_config config = config_of(1, 3, GD_MEMBER_VOTER);
    struct gd_message yes = {
        .type = GD_MESSAGE_PRE_VOTE_RESP, .from = 1, .vote_resp.granted = true};

    begin(&config);
    later_ns = 200 * GD_NS_PER_MS;
    step((struct gd_raft_event){.kind = GD_RAFT_TICK});
    answered(yes);
    persisted(effects.persist.sequence, (struct gd_position){0, 0});
    yes.type = GD_MESSAGE_VOTE_RESP;
    answered(yes);
    assert_int_equal(gd_raft_role(raft), GD_ROLE_LEADER);
    persisted(effects.persist.sequence, gd_raft_last(raft));
}

/* Where the others' disks do the committing, what this leader's own has not stored stays bounded:
 * its queue and its log would hold it all. */
static void test_leader_takes_no_more_than_its_own_disk_may_be_behind(void **state)
{
    struct gd_message resp = {.type = GD_MESSAGE_APPEND_RESP, .append_resp.success = true};
    enum gd_err err = GD_OK;
    uint64_t last = 0;
    size_t taken = 0;

    (void)state;
    lead_three();
    while (err == GD_OK && taken < 100) {
        err = propose(100);
        taken += err == GD_OK ? 1 : 0;
        last = effects.persist.sequence != 0 ? effects.persist.sequence : last;
        resp.append_resp.last = gd_raft_last(raft);
        for (resp.from = 1; resp.from <= 2; resp.from++) {
            answered(resp);
        }
        assert_int_equal(gd_raft_commit(raft), gd_raft_last(raft).index);
    }
    assert_in_range(taken, 2, 11);
    assert_int_equal(err, GD_ERR_BUSY);
    persisted(last, gd_raft_last(raft));
    assert_int_equal(propose(100), GD_OK);
    later_ns = 0;
    gd_raft_free(raft);
}

/* Whoever cannot store a snapshot's first chunk (its disk is full, say) is not asked again at the
 * network's pace. */
static void test_snapshot_that_is_not_taken_is_offered_again_in_time(void **state)
{
    const struct gd_config alone = config_of(3, 3, GD_MEMBER_VOTER);
    struct gd_config next = alone;
    struct gd_member learner = {.id = 4, .roles = GD_MEMBER_LEARNER};
    struct gd_snapshot_meta meta = {.config = alone, .size = 10};
    struct gd_message refusal = {.type = GD_MESSAGE_APPEND_RESP, .from = 4};
    struct gd_message nothing = {.type = GD_MESSAGE_INSTALL_SNAPSHOT_RESP, .from = 4};

    (void)state;
    begin(&alone);
    step((struct gd_raft_event){.kind = GD_RAFT_TICK});
    persisted(effects.persist.sequence, (struct gd_position){0, 0});
    persisted(effects.persist.sequence, gd_raft_last(raft));
    assert_int_equal(propose(10), GD_OK);
    persisted(effects.persist.sequence, gd_raft_last(raft));
    meta.position = gd_raft_last(raft);
    step((struct gd_raft_event){.kind = GD_RAFT_SNAPSHOT_TAKEN, .snapshot = &meta});
    assert_int_equal(gd_address_parse("h:1", &learner.address), GD_OK);
    assert_int_equal(gd_config_put(&next, &learner), GD_OK);
    assert_int_equal(change(&next), GD_OK);
    persisted(effects.persist.sequence, gd_raft_last(raft));
    refusal.append_resp.rejected = gd_raft_last(raft).index;
    answered(refusal);
    assert_int_equal(sent(GD_MESSAGE_INSTALL_SNAPSHOT), 1);
    nothing.install_resp.position = meta.position;
    for (int i = 0; i < 3; i++) {
        answered(nothing);
        assert_int_equal(sent(GD_MESSAGE_INSTALL_SNAPSHOT), 0);
    }
    later_ns = 150 * GD_NS_PER_MS;
    step((struct gd_raft_event){.kind = GD_RAFT_TICK});
    assert_int_equal(sent(GD_MESSAGE_INSTALL_SNAPSHOT), 1);
    later_ns = 0;
    gd_raft_free(raft);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_vote_breaks_a_lease_by_way_of_a_term_learnt_before),
        cmocka_unit_test(test_late_completion_does_not_vouch_for_an_entry_that_came_again),
        cmocka_unit_test(test_installed_snapshot_brings_its_configuration),
        cmocka_unit_test(test_joint_configuration_comes_back_from_a_snapshot),
        cmocka_unit_test(test_candidate_gives_up_when_a_snapshot_brings_another_configuration),
        cmocka_unit_test(test_configuration_is_written_in_a_version_that_all_read),
        cmocka_unit_test(test_replacement_changes_places_once_it_has_caught_up),
        cmocka_unit_test(test_append_refuses_terms_that_cannot_be),
        cmocka_unit_test(test_learner_is_woken_when_its_leader_is_silent),
        cmocka_unit_test(test_start_takes_the_term_of_a_snapshot_that_was_durable_first),
        cmocka_unit_test(test_leader_takes_no_more_than_its_own_disk_may_be_behind),
        cmocka_unit_test(test_snapshot_that_is_not_taken_is_offered_again_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
