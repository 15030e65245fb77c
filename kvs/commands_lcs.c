/* commands_lcs.c - LCS: the longest common subsequence of two values, by the table of lengths. */
#include "engine/memory.h"
#include "kvs/handlers.h"
#include "kvs/number.h"

struct lcs {
    struct gd_slice a, b;
    uint32_t *lengths; /* Owned: (a.size + 1) rows of b.size + 1. */
    bool wants_length, wants_ranges, wants_match_lengths;
    int64_t match_length_min;
};

static uint32_t *cell(const struct lcs *lcs, size_t i, size_t j)
{
    return &lcs->lengths[i * (lcs->b.size + 1) + j];
}

static bool read_options(struct gd_command_context *c, struct lcs *lcs)
{
    for (size_t i = 3; i < c->arg_count; i++) {
        if (gd_slice_is(c->args[i], "idx")) {
            lcs->wants_ranges = true;
        } else if (gd_slice_is(c->args[i], "len")) {
            lcs->wants_length = true;
        } else if (gd_slice_is(c->args[i], "withmatchlen")) {
            lcs->wants_match_lengths = true;
        } else if (gd_slice_is(c->args[i], "minmatchlen") && i + 1 < c->arg_count) {
            if (!gd_command_number(c, c->args[++i], &lcs->match_length_min)) {
                return false;
            }
        } else {
            gd_command_syntax_error(c);
            return false;
        }
    }
    if (lcs->wants_ranges && lcs->wants_length) {
        gd_reply_error(c->reply,
                       "ERR If you want both the length and indexes, please just use IDX.");
        return false;
    }
    return true;
}

static void fill(struct lcs *lcs)
{
    for (size_t i = 0; i <= lcs->a.size; i++) {
        for (size_t j = 0; j <= lcs->b.size; j++) {
            if (i == 0 || j == 0) {
                *cell(lcs, i, j) = 0;
            } else if (lcs->a.data[i - 1] == lcs->b.data[j - 1]) {
                *cell(lcs, i, j) = *cell(lcs, i - 1, j - 1) + 1;
            } else {
                uint32_t up = *cell(lcs, i - 1, j), left = *cell(lcs, i, j - 1);
                *cell(lcs, i, j) = up > left ? up : left;
            }
        }
    }
}

static void reply_range(struct gd_command_context *c, size_t start, size_t count)
{
    gd_reply_array(c->reply, 2);
    gd_reply_integer(c->reply, (int64_t)start);
    gd_reply_integer(c->reply, (int64_t)(start + count - 1));
}

/* Goes back from the ends: writes the subsequence into `text` when not NULL, and each run of
 * neighbours to `c` when not NULL. Returns the runs that are long enough. */
static size_t trace(const struct lcs *lcs, uint8_t *text, struct gd_command_context *c)
{
    size_t i = lcs->a.size, j = lcs->b.size, run = 0, runs = 0;
    size_t left = *cell(lcs, i, j);

    for (;;) {
        bool inside = i > 0 && j > 0;
        bool equal = inside && lcs->a.data[i - 1] == lcs->b.data[j - 1];
        if (equal) {
            i--;
            j--;
            run++;
            left--;
            if (text != NULL) {
                text[left] = lcs->a.data[i];
            }
            continue;
        }
        if (run > 0 && (lcs->match_length_min <= 0 || (int64_t)run >= lcs->match_length_min)) {
            runs++;
            if (c != NULL) {
                gd_reply_array(c->reply, lcs->wants_match_lengths ? 3 : 2);
                reply_range(c, i, run);
                reply_range(c, j, run);
                if (lcs->wants_match_lengths) {
                    gd_reply_integer(c->reply, (int64_t)run);
                }
            }
        }
        run = 0;
        if (!inside) {
            return runs;
        }
        if (*cell(lcs, i - 1, j) > *cell(lcs, i, j - 1)) {
            i--;
        } else {
            j--;
        }
    }
}

static void reply_result(struct gd_command_context *c, struct lcs *lcs)
{
    uint32_t length = *cell(lcs, lcs->a.size, lcs->b.size);

    if (lcs->wants_ranges) {
        gd_reply_map(c->reply, 2);
        gd_reply_bulk_text(c->reply, "matches");
        gd_reply_array(c->reply, trace(lcs, NULL, NULL));
        (void)trace(lcs, NULL, c);
        gd_reply_bulk_text(c->reply, "len");
        gd_reply_integer(c->reply, length);
    } else if (lcs->wants_length) {
        gd_reply_integer(c->reply, length);
    } else {
        uint8_t *text = gd_malloc((size_t)length + 1);
        (void)trace(lcs, text, NULL);
        gd_reply_bulk(c->reply, (struct gd_slice){text, length});
        gd_free(text);
    }
}

void gd_command_lcs(struct gd_command_context *c)
{
    const struct gd_item *a = gd_command_look(c, c->args[1]);
    const struct gd_item *b = gd_command_look(c, c->args[2]);
    char scratch_a[GD_ITEM_SCRATCH], scratch_b[GD_ITEM_SCRATCH];
    struct lcs lcs = {0};
    uint64_t bytes;

    if (a != NULL) {
        lcs.a = gd_item_value(a, scratch_a);
    }
    if (b != NULL) {
        lcs.b = gd_item_value(b, scratch_b);
    }
    if (!read_options(c, &lcs)) {
        return;
    }
    bytes = (uint64_t)(lcs.a.size + 1) * (lcs.b.size + 1) * sizeof(uint32_t);
    if (bytes > GD_ITEM_SIZE_MAX) {
        gd_reply_error(c->reply, "ERR Insufficient memory, transient memory for LCS exceeds "
                                 "proto-max-bulk-len");
        return;
    }
    lcs.lengths = gd_malloc((size_t)bytes);
    fill(&lcs);
    reply_result(c, &lcs);
    gd_free(lcs.lengths);
}
