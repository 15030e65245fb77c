/* proposal.c - encoded proposals and the table of those applied. See proposal.h for the idea.
 *
 *   OFFSET  SIZE  FIELD (integers are little-endian)
 *        0     1  format version, 1
 *        1    32  origin, boot, sequence, low: 8 bytes each
 *       33     -  body */
#include "engine/proposal.h"
#include "engine/memory.h"
#include "engine/prng.h"

enum { FORMAT_VERSION = 1, WORD_COUNT = GD_PROPOSAL_WINDOW / 64 };

void gd_proposal_encode_header(const struct gd_proposal *proposal, uint8_t *to)
{
    GD_ASSERT(proposal->low >= 1 && proposal->low <= proposal->sequence);
    to[0] = FORMAT_VERSION;
    gd_put_le64(to + 1, proposal->origin);
    gd_put_le64(to + 9, proposal->boot);
    gd_put_le64(to + 17, proposal->sequence);
    gd_put_le64(to + 25, proposal->low);
}

enum gd_err gd_proposal_decode(struct gd_slice data, struct gd_proposal *proposal)
{
    struct gd_reader reader = gd_reader_of(data);
    struct gd_proposal got = {0};

    if (gd_reader_u8(&reader) != FORMAT_VERSION) {
        return GD_ERR_CORRUPT;
    }
    got.origin = gd_reader_le64(&reader);
    got.boot = gd_reader_le64(&reader);
    got.sequence = gd_reader_le64(&reader);
    got.low = gd_reader_le64(&reader);
    if (reader.failed || got.origin == 0 || got.low == 0 || got.low > got.sequence) {
        return GD_ERR_CORRUPT;
    }
    got.body = (struct gd_slice){reader.at, reader.left};
    *proposal = got;
    return GD_OK;
}

void gd_dedup_release(struct gd_dedup *dedup)
{
    for (size_t i = 0; i < dedup->count; i++) {
        gd_free(dedup->origins[i].bits);
    }
    gd_free(dedup->origins);
    *dedup = (struct gd_dedup){0};
}

/* The origin's row, made when new. */
static struct gd_dedup_origin *row_of(struct gd_dedup *dedup, gd_node_id origin)
{
    size_t at = 0;

    while (at < dedup->count && dedup->origins[at].origin < origin) {
        at++;
    }
    if (at < dedup->count && dedup->origins[at].origin == origin) {
        return &dedup->origins[at];
    }
    if (dedup->count == dedup->capacity) {
        dedup->capacity = dedup->capacity == 0 ? 8 : dedup->capacity * 2;
        dedup->origins = gd_realloc(dedup->origins, dedup->capacity * sizeof dedup->origins[0]);
    }
    memmove(&dedup->origins[at + 1], &dedup->origins[at],
            (dedup->count - at) * sizeof dedup->origins[0]);
    dedup->count++;
    dedup->origins[at] = (struct gd_dedup_origin){.origin = origin, .low = 1};
    return &dedup->origins[at];
}

static uint64_t *word_of(struct gd_dedup_origin *row, uint64_t sequence)
{
    return &row->bits[sequence % GD_PROPOSAL_WINDOW / 64];
}

static uint64_t bit_of(uint64_t sequence)
{
    return UINT64_C(1) << sequence % 64;
}

/* P2: forget all below `low`. */
static void row_raise(struct gd_dedup_origin *row, uint64_t low)
{
    if (low <= row->low) {
        return;
    }
    if (row->bits != NULL) {
        uint64_t end = low <= row->high ? low : row->high + 1;
        for (uint64_t sequence = row->low; sequence < end; sequence++) {
            *word_of(row, sequence) &= ~bit_of(sequence);
        }
    }
    row->low = low;
    if (row->high < low) {
        row->high = low - 1;
    }
}

bool gd_dedup_admit(struct gd_dedup *dedup, const struct gd_proposal *proposal)
{
    struct gd_dedup_origin *row = row_of(dedup, proposal->origin);

    if (proposal->boot < row->boot) { /* P3 */
        GD_REACHED("proposal of an earlier boot dropped");
        return false;
    }
    if (proposal->boot > row->boot) {
        gd_free(row->bits);
        *row =
            (struct gd_dedup_origin){.origin = proposal->origin, .boot = proposal->boot, .low = 1};
    }
    if (proposal->sequence < row->low) {
        GD_REACHED("proposal below its origin's low dropped");
        return false;
    }
    row_raise(row, proposal->low);
    if (proposal->sequence - row->low >= GD_PROPOSAL_WINDOW) {
        return false; /* Not marked: writes.c keeps what is open of a node within the window. */
    }
    if (row->bits == NULL) {
        row->bits = gd_calloc(WORD_COUNT, sizeof row->bits[0]);
    }
    if ((*word_of(row, proposal->sequence) & bit_of(proposal->sequence)) != 0) { /* P1 */
        GD_REACHED("repeated proposal dropped");
        return false;
    }
    *word_of(row, proposal->sequence) |= bit_of(proposal->sequence);
    if (proposal->sequence > row->high) {
        row->high = proposal->sequence;
    }
    return true;
}

bool gd_dedup_over(const struct gd_dedup *dedup, gd_node_id origin, uint64_t boot,
                   uint64_t sequence)
{
    for (size_t i = 0; i < dedup->count; i++) {
        struct gd_dedup_origin *row = &dedup->origins[i];
        if (row->origin == origin) {
            return boot < row->boot ||
                   (boot == row->boot &&
                    (sequence < row->low ||
                     (sequence <= row->high && (*word_of(row, sequence) & bit_of(sequence)) != 0)));
        }
    }
    return false;
}

/* version u8, count u32; a row: origin, boot, low, high u64, then a byte for each of [low, high]: 1
 * if it is through. Rows are ordered, so equal tables have equal bytes. */
void gd_dedup_encode(const struct gd_dedup *dedup, struct gd_bytes *bytes)
{
    gd_bytes_add_u8(bytes, FORMAT_VERSION);
    gd_bytes_add_le32(bytes, (uint32_t)dedup->count);
    for (size_t i = 0; i < dedup->count; i++) {
        struct gd_dedup_origin *row = &dedup->origins[i];
        gd_bytes_add_le64(bytes, row->origin);
        gd_bytes_add_le64(bytes, row->boot);
        gd_bytes_add_le64(bytes, row->low);
        gd_bytes_add_le64(bytes, row->high);
        for (uint64_t sequence = row->low; sequence <= row->high; sequence++) {
            gd_bytes_add_u8(bytes, (*word_of(row, sequence) & bit_of(sequence)) != 0);
        }
    }
}

static bool decode_row(struct gd_reader *reader, struct gd_dedup_origin *row)
{
    row->origin = gd_reader_le64(reader);
    row->boot = gd_reader_le64(reader);
    row->low = gd_reader_le64(reader);
    row->high = gd_reader_le64(reader);
    if (reader->failed || row->origin == 0 || row->low == 0 || row->high < row->low - 1 ||
        row->high - (row->low - 1) > GD_PROPOSAL_WINDOW) {
        return false;
    }
    if (row->high >= row->low) {
        row->bits = gd_calloc(WORD_COUNT, sizeof row->bits[0]);
    }
    for (uint64_t sequence = row->low; sequence <= row->high; sequence++) {
        uint8_t through = gd_reader_u8(reader);
        if (reader->failed || through > 1) {
            return false;
        }
        if (through == 1) {
            *word_of(row, sequence) |= bit_of(sequence);
        }
    }
    return true;
}

enum gd_err gd_dedup_decode(struct gd_reader *reader, struct gd_dedup *dedup)
{
    struct gd_dedup got = {0};
    gd_node_id previous = 0;
    uint32_t count;

    if (gd_reader_u8(reader) != FORMAT_VERSION) {
        return GD_ERR_CORRUPT;
    }
    count = gd_reader_le32(reader);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        struct gd_dedup_origin row = {0};
        bool fine = decode_row(reader, &row) && row.origin > previous;
        if (fine) {
            previous = row.origin;
            *row_of(&got, row.origin) = row;
        } else {
            gd_free(row.bits);
            reader->failed = true;
        }
    }
    if (reader->failed) {
        gd_dedup_release(&got);
        return GD_ERR_CORRUPT;
    }
    gd_dedup_release(dedup);
    *dedup = got;
    return GD_OK;
}

uint64_t gd_dedup_digest(const struct gd_dedup *dedup)
{
    struct gd_bytes bytes = {0};
    uint64_t digest;

    gd_dedup_encode(dedup, &bytes);
    digest = gd_prng_mix(gd_crc32c(0, bytes.data, bytes.size), bytes.size);
    gd_bytes_release(&bytes);
    return digest;
}
