/* inspect_print.c - an inspection in words, and as JSON. */
#include "engine/inspect.h"
#include <inttypes.h>

static const char *role_of(const struct gd_member *member)
{
    if ((member->roles & GD_MEMBER_VOTER) != 0) {
        return (member->roles & GD_MEMBER_OUTGOING) != 0 ? "voter, of both sets" : "voter";
    }
    return (member->roles & GD_MEMBER_OUTGOING) != 0 ? "voter, going" : "learner";
}

/* ---------------------------------------------------------------- words */

static void text_files(const struct gd_inspect *inspect, struct gd_bytes *text)
{
    for (size_t i = 0; i < inspect->segment_count; i++) {
        const struct gd_inspect_segment *s = &inspect->segments[i];
        gd_bytes_format(text, "  segment  %s  %" PRIu64 " of %" PRIu64 " bytes", s->name, s->used,
                        s->size);
        if (!s->header) {
            gd_bytes_add_text(text, ", no header: a spare");
        } else if (s->entries == 0) {
            gd_bytes_format(text, ", %" PRIu64 " records, no entries", s->records);
        } else {
            gd_bytes_format(text, ", %" PRIu64 " records, entries %" PRIu64 " to %" PRIu64,
                            s->records, s->first, s->last);
        }
        if (s->dirty > 0) {
            gd_bytes_format(text, ", then %" PRIu64 " bytes that are no record", s->dirty);
        }
        gd_bytes_add_text(text, "\n");
    }
    for (size_t i = 0; i < inspect->snapshot_count; i++) {
        const struct gd_inspect_snapshot *s = &inspect->snapshots[i];
        gd_bytes_format(text, "  snapshot %s  %" PRIu64 " bytes", s->name, s->size);
        if (s->err == GD_OK) {
            gd_bytes_format(text, ", term %" PRIu64 " index %" PRIu64 ", checksums right\n",
                            s->meta.position.term, s->meta.position.index);
        } else {
            gd_bytes_format(text, ", at offset %" PRIu64 ": %s\n", s->offset, gd_err_text(s->err));
        }
    }
}

static void text_verdict(const struct gd_inspect *inspect, struct gd_bytes *text)
{
    for (size_t i = 0; i < inspect->problem_count && i < GD_INSPECT_PROBLEMS; i++) {
        gd_bytes_format(text, "  PROBLEM  %s\n", inspect->problems[i].text);
    }
    if (inspect->problem_count > GD_INSPECT_PROBLEMS) {
        gd_bytes_format(text, "  PROBLEM  and %zu more\n",
                        inspect->problem_count - GD_INSPECT_PROBLEMS);
    }
    if (inspect->cut_size > 0) {
        gd_bytes_format(text,
                        "  note     a torn tail of %" PRIu64
                        " bytes, never acknowledged: the next start drops it\n",
                        inspect->cut_size);
    }
    gd_bytes_format(text, "  verdict  %s\n",
                    inspect->sound    ? (inspect->empty ? "empty" : "sound")
                    : inspect->usable ? "a node would start, and not everything here is sound"
                                      : "not sound: a node would refuse to start");
}

void gd_inspect_text(const struct gd_inspect *inspect, const char *directory, struct gd_bytes *text)
{
    gd_bytes_format(text, "%s\n", directory);
    if (!inspect->empty) {
        gd_bytes_format(
            text, "  node     %" PRIu64 " of cluster %016" PRIx64 ", started %" PRIu32 " times\n",
            inspect->identity.node_id, inspect->identity.cluster_id,
            (uint32_t)inspect->identity.boot); /* Above that is the directory's life. */
        gd_bytes_format(text, "  term     %" PRIu64 ", vote %" PRIu64 "\n",
                        inspect->hard_state.term, inspect->hard_state.vote);
        gd_bytes_format(text, "  last     term %" PRIu64 " index %" PRIu64 "\n", inspect->last.term,
                        inspect->last.index);
        gd_bytes_format(text, "  log      %" PRIu64 " entries behind index %" PRIu64 "\n",
                        inspect->entry_count, inspect->before.index);
        gd_bytes_format(text, "  members  by the entry at index %" PRIu64 "\n",
                        inspect->config_index);
        for (uint32_t i = 0; i < inspect->config.count; i++) {
            const struct gd_member *member = &inspect->config.members[i];
            gd_bytes_format(text, "           %" PRIu64 " at %s, %s\n", member->id,
                            member->address.text, role_of(member));
        }
    }
    text_files(inspect, text);
    text_verdict(inspect, text);
}

/* ---------------------------------------------------------------- JSON */

static void json_text(struct gd_bytes *json, const char *text)
{
    gd_bytes_add_u8(json, '"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            gd_bytes_add_u8(json, '\\');
        }
        if (c < 0x20) {
            gd_bytes_format(json, "\\u%04x", c);
        } else {
            gd_bytes_add_u8(json, c);
        }
    }
    gd_bytes_add_u8(json, '"');
}

static void json_position(struct gd_bytes *json, const char *name, struct gd_position position)
{
    gd_bytes_format(json, ",\"%s\":{\"term\":%" PRIu64 ",\"index\":%" PRIu64 "}", name,
                    position.term, position.index);
}

static void json_members(const struct gd_inspect *inspect, struct gd_bytes *json)
{
    gd_bytes_format(json, ",\"config_index\":%" PRIu64 ",\"members\":[", inspect->config_index);
    for (uint32_t i = 0; i < inspect->config.count; i++) {
        const struct gd_member *member = &inspect->config.members[i];
        gd_bytes_format(json, "%s{\"id\":%" PRIu64 ",\"address\":", i == 0 ? "" : ",", member->id);
        json_text(json, member->address.text);
        gd_bytes_format(json, ",\"role\":\"%s\"}", role_of(member));
    }
    gd_bytes_add_text(json, "]");
}

static void json_files(const struct gd_inspect *inspect, struct gd_bytes *json)
{
    gd_bytes_add_text(json, ",\"segments\":[");
    for (size_t i = 0; i < inspect->segment_count; i++) {
        const struct gd_inspect_segment *s = &inspect->segments[i];
        gd_bytes_add_text(json, i == 0 ? "{\"name\":" : ",{\"name\":");
        json_text(json, s->name);
        gd_bytes_format(json,
                        ",\"size\":%" PRIu64 ",\"used\":%" PRIu64 ",\"not_records\":%" PRIu64
                        ",\"records\":%" PRIu64 ",\"entries\":%" PRIu64 ",\"first\":%" PRIu64
                        ",\"last\":%" PRIu64 ",\"spare\":%s}",
                        s->size, s->used, s->dirty, s->records, s->entries, s->first, s->last,
                        s->header ? "false" : "true");
    }
    gd_bytes_add_text(json, "],\"snapshots\":[");
    for (size_t i = 0; i < inspect->snapshot_count; i++) {
        const struct gd_inspect_snapshot *s = &inspect->snapshots[i];
        gd_bytes_add_text(json, i == 0 ? "{\"name\":" : ",{\"name\":");
        json_text(json, s->name);
        gd_bytes_format(json, ",\"size\":%" PRIu64, s->size);
        json_position(json, "last", s->meta.position);
        gd_bytes_format(json, ",\"sound\":%s,\"offset\":%" PRIu64 "}",
                        s->err == GD_OK ? "true" : "false", s->offset);
    }
    gd_bytes_add_text(json, "]");
}

void gd_inspect_json(const struct gd_inspect *inspect, const char *directory, struct gd_bytes *json)
{
    gd_bytes_add_text(json, "{\"directory\":");
    json_text(json, directory);
    gd_bytes_format(json, ",\"empty\":%s,\"sound\":%s,\"usable\":%s",
                    inspect->empty ? "true" : "false", inspect->sound ? "true" : "false",
                    inspect->usable ? "true" : "false");
    gd_bytes_format(json,
                    ",\"cluster_id\":\"%016" PRIx64 "\",\"node_id\":%" PRIu64 ",\"boot\":%" PRIu64
                    ",\"term\":%" PRIu64 ",\"vote\":%" PRIu64 ",\"entries\":%" PRIu64
                    ",\"torn_tail\":%" PRIu64,
                    inspect->identity.cluster_id, inspect->identity.node_id, inspect->identity.boot,
                    inspect->hard_state.term, inspect->hard_state.vote, inspect->entry_count,
                    inspect->cut_size);
    json_position(json, "last", inspect->last);
    json_position(json, "before", inspect->before);
    json_position(json, "snapshot", inspect->snapshot);
    json_members(inspect, json);
    json_files(inspect, json);
    gd_bytes_add_text(json, ",\"problems\":[");
    for (size_t i = 0; i < inspect->problem_count && i < GD_INSPECT_PROBLEMS; i++) {
        gd_bytes_add_text(json, i == 0 ? "" : ",");
        json_text(json, inspect->problems[i].text);
    }
    gd_bytes_add_text(json, "]}\n");
}
