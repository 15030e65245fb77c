/* checks_internal.h - what checks.c (after each event) and promises.c (each message) both know. */
#ifndef GANDALF_SIM_CHECKS_INTERNAL_H
#define GANDALF_SIM_CHECKS_INTERNAL_H
#include "engine/message.h"
#include "sim/checks.h"
#include "sim/members.h"

/* What a node has acknowledged to one leader, as its messages said it. */
struct told {
    gd_term term;
    uint64_t boot; /* Of who said it. */
    gd_index index;
};
/* A write as its node forwarded it, and the lowest that it named as the open one before it. */
struct forwarded {
    uint64_t boot, sequence, previous;
};
#define FORWARDED_COUNT 4096 /* By number; more than may be open at once in any plan. */
/* The highest number of a node's writes that a leader has taken in its term. */
struct taken {
    gd_term term;
    uint64_t boot, high;
};
struct shadow {   /* Of one node. */
    bool running; /* Has had its log open since its last start. */
    bool damaged;
    bool wiped; /* Everything that it had promised to keep is gone: the cluster must do without. */
    uint64_t witnessed; /* Damaged: its log says that so many records were durable. */
    bool led;           /* At the last look it was leader in `term`. */
    gd_term term;
    gd_node_id vote;      /* In `term`, as last looked at; 0: none. */
    gd_term durable_term; /* What its disk holds of both, as far as was seen. */
    gd_node_id durable_vote;
    gd_time_ns started; /* By its clock: when it was first looked at since its last start. */
    gd_index commit;
    struct gd_position last;
    gd_index first; /* Of the log in memory, as last looked at. */
    struct gd_position stored;
    gd_term *terms; /* Owned: term at index i; 0 where not known (below a snapshot). */
    size_t term_capacity;
    gd_index applied;
    gd_index snapshot;      /* Its newest one, of those that it has told its Raft of, ... */
    bool took;              /* ... and whether it has taken that one itself. */
    gd_index frozen;        /* Of the snapshot whose state was last looked at. */
    gd_index restored;      /* The same of one that was restored. */
    gd_index config_index;  /* Of the configuration in force, as last looked at. */
    gd_index commit_looked; /* The commit index when committed members were last compared. */
    gd_index config_last;   /* The last entry of that kind that its log showed. */
    enum gd_role role;
    gd_node_id leader;
    struct gd_raft_facts facts;
    struct gd_sim_voters voters;
    uint64_t looks;
    unsigned unheard; /* Looks in a row at which it led and no quorum had been heard for long. */
    bool lag_full;    /* At the last look as much as may be waited for the database. */
    /* Elections: what its messages, and those to it, said. */
    gd_term campaign;                 /* The last term in which it asked for votes, ... */
    struct gd_position campaign_last; /* ... with this as its last entry. */
    struct asked_vote {
        gd_term term;              /* Of its last question to that node. */
        uint32_t questions;        /* All of them; */
        uint32_t before, answered; /* those of earlier terms, and answers to any. */
    } asked_votes[GD_SIM_NODES_MAX + 1];
    gd_term offered;      /* The last term in which a leader asked it to lead. */
    uint64_t offers;      /* Times that it has asked somebody to, since its start. */
    gd_term heard;        /* The highest term that anything but a vote's question told it. */
    gd_term heard_inside; /* The same of everything but answers of who is no member for it. */
    uint32_t members;     /* Of the configuration in force: bit n is node n. */
    gd_term leader_term;  /* The last one in which it knew a leader; 0: none since its start. */
    gd_term rightly;      /* The highest that it has read from who may bring it to a later one. */
    gd_term free;         /* The highest of a candidate's question that it read, hearing nobody. */
    struct outside {      /* The highest that it has read from others, and from whom. */
        gd_term term;
        uint32_t from; /* Bit n: node n. */
    } outside;
    uint16_t said[GD_SIM_NODES_MAX + 1]; /* The highest that each node's Hello told this start. */
    struct wish { /* The highest term of candidates that a leader wished for, and whose. */
        gd_term term;
        uint32_t from;  /* Bit n: node n. One may have been wished for long before another. */
        gd_term others; /* The highest term that anything else but a vote's question told. */
    } wish;
    /* What it has read, as the wire shows it: what it says itself of whom it heard, and when, is
     * no proof. By its own clock. */
    struct heard {
        gd_term term;
        gd_time_ns at;
    } answers[GD_SIM_NODES_MAX + 1]; /* The last one of each peer to what it sent as a leader. */
    gd_term lead_term;               /* It leads this one ... */
    gd_index lead_config;            /* ... with these members ... */
    gd_time_ns lead_since;           /* ... since then. */
    bool stayed;             /* Since its start it has known itself to be no removed member ... */
    gd_time_ns removed_for;  /* ... and then, for so long, a removed one, and no leader ... */
    gd_time_ns removed_seen; /* ... when it was last looked at. */
    struct granted {         /* Votes that it has read, as a candidate. */
        gd_term term;
        gd_index config;                      /* By whose members it counts them. */
        uint32_t votes;                       /* Bit n: node n's, ... */
        uint64_t boots[GD_SIM_NODES_MAX + 1]; /* ... from this start of it. */
    } granted;
    uint64_t greeted[GD_SIM_NODES_MAX + 1]; /* The look before it read that node's last Hello. */
    struct told told[GD_SIM_NODES_MAX + 1]; /* By leader. */
    /* Peers' starts as it goes by them, under the configuration of entry `met_index`. */
    uint64_t met[GD_SIM_NODES_MAX + 1];
    gd_index met_index;
    struct pace { /* Of the snapshot's chunk that it sent last, by peer. */
        struct gd_position position;
        uint64_t offset;
        gd_time_ns since;
        uint64_t count;  /* Times in a row. */
        gd_time_ns owed; /* Since it sent one, while one was due and nothing kept it. */
    } pace[GD_SIM_NODES_MAX + 1];
    struct refusal { /* The last one that it has read as a leader, by peer. */
        gd_term term;
        uint64_t boot; /* Of the peer's start. */
        gd_index at;
        bool fresh;       /* Read in this event. */
        unsigned count;   /* Times in a row that it did not go down by it ... */
        gd_time_ns since; /* ... by the leader's clock. */
    } refusals[GD_SIM_NODES_MAX + 1];
    gd_time_ns transfers_seen; /* When these were last looked at. */
    struct silence {           /* Of a leader, by peer. By its own clock. */
        gd_time_ns since; /* It has sent it nothing since then, though it could; 0: it cannot. */
        gd_time_ns owed;  /* So much of that it had itself. */
    } silence[GD_SIM_NODES_MAX + 1];
    gd_time_ns silence_seen; /* When these were last looked at. */
    /* Clients: when they were last looked at; who has waited longest, since when, and how much of
     * that was the node's own. */
    gd_time_ns clients_seen, waits_since, waited;
    struct taken taken[GD_SIM_NODES_MAX + 1]; /* As a leader, by who forwarded. */
    /* Reads: the names of its questions. */
    uint64_t token_boot;                 /* Of the start that asked last. */
    uint64_t token_highest, token_floor; /* Ever used; before that start. */
};
/* Who has told of a vote in a term, which is told when the disk holds it, and for whom. */
struct ballots {
    gd_term term;
    uint32_t of[GD_SIM_NODES_MAX + 1]; /* By candidate. Bit n: node n's vote. */
};
#define BALLOTS_COUNT 64
struct seen { /* An entry named by (index, term). */
    struct gd_position at;
    gd_term previous; /* 0 with `previous_known` false: nobody has shown it yet. */
    bool previous_known;
    uint32_t crc;
};
struct committed {
    gd_term term;  /* Of the entry. */
    gd_term first; /* The term in which it was first seen to be committed. */
};
struct digest {
    gd_index applied;
    uint64_t digest;
    unsigned node;
};
#define DIGEST_COUNT 256
/* A configuration that some node has in force and knows to be committed. */
struct known_config {
    gd_index index;
    uint32_t crc; /* Of its members and what they are. */
    unsigned node;
};
#define KNOWN_CONFIG_COUNT 64
/* A read that a node asked its leader about. */
struct asked_read {
    uint64_t token;
    gd_index committed; /* What was committed anywhere then. */
};
#define ASKED_READ_COUNT 64
struct gd_sim_checks {
    const struct gd_sim_plan *plan; /* Borrowed. */
    gd_sim_violated_fn *violated;
    gd_sim_clock_fn *clock;
    gd_sim_busy_fn *busy;
    void *context;
    struct shadow shadows[GD_SIM_NODES_MAX + 1];
    gd_node_id *leaders; /* Owned: by term; 0: none known. */
    size_t leader_capacity;
    uint64_t elections;
    struct ballots ballots[BALLOTS_COUNT]; /* By term: the last ones. */
    struct seen *seen;                     /* Owned: an open table by (index, term). */
    size_t seen_count, seen_capacity;      /* A power of two. */
    struct committed *committed;           /* Owned: [index]. */
    size_t committed_capacity;
    gd_index committed_last;
    struct digest digests[DIGEST_COUNT];
    struct digest *frozen; /* Owned: [index], of the state when a snapshot of it was begun. */
    size_t frozen_capacity;
    struct gd_config members; /* The newest configuration known to be committed. */
    gd_index members_index;
    gd_node_id id_highest; /* Ever in a committed one. */
    gd_index joined[32]; /* By node: the committed entry by which it came to join; 0: none seen. */
    uint32_t members_ever; /* Bit n: node n was a member in some committed one; ... */
    uint32_t voters_ever;  /* ... and a voter. */
    bool differ;           /* Not all nodes have the same voters in force. */
    struct known_config configs[KNOWN_CONFIG_COUNT]; /* By index. */
    struct asked_read asked[GD_SIM_NODES_MAX + 1][ASKED_READ_COUNT];
    struct forwarded *forwarded[GD_SIM_NODES_MAX + 1]; /* Owned: FORWARDED_COUNT, by who sent. */
    struct gd_sim__reliance *reliance;                 /* Owned, one block; of reliance.c. */
    char premise[200];
};

/* election_checks.c, after each event, while the shadow still shows what was before it; brings up
 * to date what it says of elections, but for the term, the vote and who led. */
void gd_sim__look_at_standing(struct gd_sim_checks *checks, unsigned id,
                              const struct gd_raft *raft);
/* May node `id` stand for election, by the configuration that it has, or the one before? */
bool gd_sim__may_stand(const struct gd_raft *raft, unsigned id);
/* Has it read an answer of node `peer`, in the term that it leads, within the last `span`? */
bool gd_sim__has_heard(const struct gd_sim_checks *checks, unsigned id, unsigned peer, gd_term term,
                       gd_time_ns span);
void gd_sim__look_at_contact(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node);
/* Does candidate `id` lead, once it has been given a quorum's votes? */
void gd_sim__look_at_owed_election(struct gd_sim_checks *checks, unsigned id,
                                   const struct gd_node *node);
/* Node `from` sends node `to` a frame; and after each event, does leader `id` say something to each
 * of its members? */
void gd_sim__note_speech(struct gd_sim_checks *checks, unsigned from, unsigned to,
                         struct gd_slice frame);
void gd_sim__look_at_silence(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node);
void gd_sim__look_at_clients(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node);
/* After each event: has node `id` asked somebody to lead? promises.c. */
void gd_sim__look_at_offer(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft);
/* Node `id` says that it votes for `vote` in `term`. */
void gd_sim__note_ballot(struct gd_sim_checks *checks, unsigned id, gd_term term, gd_node_id vote);
/* Has a quorum voted for node `id`, which leads since just now, its own vote being on its disk? */
void gd_sim__look_at_votes(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft);
/* Node `id` leads `term`, as its role shows, or what it sends: it may be over within one event. */
void gd_sim__note_leader(struct gd_sim_checks *checks, unsigned id, gd_term term);
/* transfer_checks.c: node `to` reads an answer to entries; node `id` sends a chunk of a snapshot;
 * and after each event, does it go on with whom it owes something? */
void gd_sim__note_refusal(struct gd_sim_checks *checks, unsigned from, unsigned to,
                          const struct gd_message *m);
void gd_sim__look_at_chunk(struct gd_sim_checks *checks, unsigned id, const struct gd_message *m);
void gd_sim__look_at_transfers(struct gd_sim_checks *checks, unsigned id,
                               const struct gd_node *node);
/* term_checks.c: node `to` reads a frame of `from`; has node `id` come to its term by such as may
 * bring it there? Asked while the shadow still shows what was before the event. */
void gd_sim__note_term(struct gd_sim_checks *checks, unsigned from, unsigned to,
                       struct gd_slice frame);
void gd_sim__look_at_term(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft);
/* order_checks.c: node `from` forwards a write. */
void gd_sim__note_forwarded(struct gd_sim_checks *checks, unsigned from,
                            const struct gd_message *m);
/* An entry that is new in the log of node `id`: if that leads, is it there in order? */
void gd_sim__look_at_order(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft,
                           const struct gd_entry *entry);
/* reliance.c: node `from` sends, node `to` reads a frame; node `id` answers a question about a
 * read; after each event, once what the shadow says of elections is up to date, and before what it
 * says of who leads and what is committed is. */
void gd_sim__reliance_sent(struct gd_sim_checks *checks, unsigned from, struct gd_slice frame);
void gd_sim__reliance_told(struct gd_sim_checks *checks, unsigned from, unsigned to,
                           struct gd_slice frame);
void gd_sim__look_at_confirmed(struct gd_sim_checks *checks, unsigned id,
                               const struct gd_raft *raft, const struct gd_message *m);
void gd_sim__look_at_reliance(struct gd_sim_checks *checks, unsigned id,
                              const struct gd_raft *raft);
/* member_checks.c: node `to` reads a Hello. */
void gd_sim__note_version(struct gd_sim_checks *checks, unsigned from, unsigned to,
                          struct gd_slice frame);
/* member_checks.c, after each event; `changed`: the log's end is another. */
void gd_sim__look_at_config(struct gd_sim_checks *checks, unsigned id, const struct gd_raft *raft);
void gd_sim__look_at_removed(struct gd_sim_checks *checks, unsigned id, const struct gd_node *node);
void gd_sim__look_at_elections(struct gd_sim_checks *checks, unsigned id,
                               const struct gd_raft *raft, bool changed);
/* A committed configuration that is newer than all known before. */
void gd_sim__committed_members(struct gd_sim_checks *checks, const struct gd_config *config,
                               gd_index index);
void GD_PRINTF(3, 4)
    gd_sim__violated(struct gd_sim_checks *checks, const char *property, const char *format, ...);
/* Does node `id` hold the entry on its disk, as far as it has said? */
bool gd_sim__holds(const struct gd_sim_checks *checks, unsigned id, struct gd_position at);
#endif
