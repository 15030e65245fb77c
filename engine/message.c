/* message.c - frames: bytes of peer messages.
 *
 *   OFFSET  SIZE  FIELD (integers are little-endian)
 *        0     4  length of the frame, these bytes included
 *        4     4  CRC-32C of bytes [0, 4) and [8, length)
 *        8     1  format version, 1
 *        9     1  type
 *       10     2  zero
 *       12    40  cluster id, from, to, term, boot: 8 bytes each
 *       52     -  payload of the type
 *
 * One encoding for each message: what decodes encodes to the same bytes (M1), so a fuzzer can hold
 * the two against each other; booleans are 0 or 1, addresses carry their length. The checksum
 * covers the length field, so that any flipped bit is refused, or leaves the frame unfinished (M2).
 * The decoder allocates entries only once their bytes are there (M3). */
#include "engine/message.h"
#include "engine/memory.h"

enum { FORMAT_VERSION = 1, HEADER_SIZE = 52, ENTRY_HEADER_SIZE = 21 };

/* No cluster lives so long; a term near the end of its type would wrap at the next election. */
#define TERM_MAX (UINT64_MAX / 2)

const char *gd_message_type_text(enum gd_message_type type)
{
    static const char *const texts[GD_MESSAGE_TYPE_MAX + 1] = {
        [GD_MESSAGE_HELLO] = "Hello",
        [GD_MESSAGE_PRE_VOTE] = "PreVote",
        [GD_MESSAGE_PRE_VOTE_RESP] = "PreVoteResp",
        [GD_MESSAGE_VOTE] = "Vote",
        [GD_MESSAGE_VOTE_RESP] = "VoteResp",
        [GD_MESSAGE_APPEND] = "Append",
        [GD_MESSAGE_APPEND_RESP] = "AppendResp",
        [GD_MESSAGE_INSTALL_SNAPSHOT] = "InstallSnapshot",
        [GD_MESSAGE_INSTALL_SNAPSHOT_RESP] = "InstallSnapshotResp",
        [GD_MESSAGE_READ_INDEX] = "ReadIndex",
        [GD_MESSAGE_READ_INDEX_RESP] = "ReadIndexResp",
        [GD_MESSAGE_TIMEOUT_NOW] = "TimeoutNow",
        [GD_MESSAGE_CLIENT_WRITE] = "ClientWrite",
        [GD_MESSAGE_CLIENT_RESP] = "ClientResp",
        [GD_MESSAGE_CLIENT_ERROR] = "ClientError",
        [GD_MESSAGE_JOIN] = "Join",
    };
    return (unsigned)type <= GD_MESSAGE_TYPE_MAX && texts[type] != NULL ? texts[type] : "?";
}

uint32_t gd_message_frame_size(const uint8_t *bytes)
{
    return gd_get_le32(bytes);
}

enum gd_message_type gd_message_frame_type(struct gd_slice frame)
{
    return frame.size >= HEADER_SIZE ? (enum gd_message_type)frame.data[9]
                                     : (enum gd_message_type)0;
}

gd_term gd_message_frame_term(struct gd_slice frame)
{
    return frame.size >= HEADER_SIZE ? gd_get_le64(frame.data + 36) : 0;
}

/* ---------------------------------------------------------------- encode */

static void add_le16(struct gd_bytes *bytes, uint16_t value)
{
    gd_put_le16(gd_bytes_reserve(bytes, 2), value);
    bytes->size += 2;
}

static void add_position(struct gd_bytes *bytes, struct gd_position position)
{
    gd_bytes_add_le64(bytes, position.term);
    gd_bytes_add_le64(bytes, position.index);
}

static void add_address(struct gd_bytes *bytes, const struct gd_address *address)
{
    size_t size = strlen(address->text);

    add_le16(bytes, (uint16_t)size);
    gd_bytes_add(bytes, address->text, size);
}

static void add_append(struct gd_bytes *bytes, const struct gd_message_append *append)
{
    add_position(bytes, append->previous);
    gd_bytes_add_le64(bytes, append->commit);
    gd_bytes_add_le64(bytes, append->round);
    gd_bytes_add_le32(bytes, (uint32_t)append->entry_count);
    for (size_t i = 0; i < append->entry_count; i++) {
        const struct gd_entry *entry = append->entries[i];
        uint8_t *to = gd_bytes_reserve(bytes, ENTRY_HEADER_SIZE + entry->size);

        to[0] = (uint8_t)entry->type;
        gd_put_le64(to + 1, entry->position.term);
        gd_put_le64(to + 9, (uint64_t)entry->stamp_ms);
        gd_put_le32(to + 17, (uint32_t)entry->size);
        if (entry->size > 0) {
            memcpy(to + ENTRY_HEADER_SIZE, entry->data, entry->size);
        }
        bytes->size += ENTRY_HEADER_SIZE + entry->size;
    }
}

static void add_hello(struct gd_bytes *bytes, const struct gd_message *m)
{
    gd_bytes_add_le32(bytes, GD_PROTOCOL_MAGIC);
    add_le16(bytes, m->hello.version);
    add_le16(bytes, m->hello.version_min);
    add_address(bytes, &m->hello.peer_address);
    add_address(bytes, &m->hello.client_address);
    if (m->hello.life != 0) {
        gd_bytes_add_le32(bytes, m->hello.life);
    }
}

static void add_payload(struct gd_bytes *bytes, const struct gd_message *m)
{
    switch (m->type) {
    case GD_MESSAGE_HELLO:
        add_hello(bytes, m);
        break;
    case GD_MESSAGE_PRE_VOTE:
    case GD_MESSAGE_VOTE:
        add_position(bytes, m->vote.last);
        gd_bytes_add_u8(bytes, m->vote.transfer);
        break;
    case GD_MESSAGE_PRE_VOTE_RESP:
    case GD_MESSAGE_VOTE_RESP:
        gd_bytes_add_u8(bytes, m->vote_resp.granted);
        break;
    case GD_MESSAGE_APPEND:
        add_append(bytes, &m->append);
        break;
    case GD_MESSAGE_APPEND_RESP:
        gd_bytes_add_u8(bytes, m->append_resp.success);
        add_position(bytes, m->append_resp.last);
        gd_bytes_add_le64(bytes, m->append_resp.rejected);
        gd_bytes_add_le64(bytes, m->append_resp.round);
        break;
    case GD_MESSAGE_INSTALL_SNAPSHOT:
        add_position(bytes, m->install.position);
        gd_bytes_add_le64(bytes, m->install.size);
        gd_bytes_add_le64(bytes, m->install.offset);
        gd_bytes_add_le64(bytes, m->install.round);
        gd_bytes_add_le32(bytes, (uint32_t)m->install.data.size);
        gd_bytes_add(bytes, m->install.data.data, m->install.data.size);
        break;
    case GD_MESSAGE_INSTALL_SNAPSHOT_RESP:
        add_position(bytes, m->install_resp.position);
        gd_bytes_add_le64(bytes, m->install_resp.offset);
        gd_bytes_add_u8(bytes, m->install_resp.done);
        gd_bytes_add_le64(bytes, m->install_resp.round);
        break;
    case GD_MESSAGE_READ_INDEX:
        gd_bytes_add_le64(bytes, m->read_index.token);
        break;
    case GD_MESSAGE_READ_INDEX_RESP:
        gd_bytes_add_le64(bytes, m->read_index_resp.token);
        gd_bytes_add_u8(bytes, m->read_index_resp.granted);
        gd_bytes_add_le64(bytes, m->read_index_resp.index);
        gd_bytes_add_le64(bytes, (uint64_t)m->read_index_resp.wall_ms);
        break;
    case GD_MESSAGE_TIMEOUT_NOW:
        break;
    case GD_MESSAGE_CLIENT_WRITE:
        gd_bytes_add_le64(bytes, m->client_write.sequence);
        gd_bytes_add_le64(bytes, m->client_write.previous);
        gd_bytes_add_le32(bytes, (uint32_t)m->client_write.data.size);
        gd_bytes_add(bytes, m->client_write.data.data, m->client_write.data.size);
        break;
    case GD_MESSAGE_CLIENT_RESP:
        gd_bytes_add_le64(bytes, m->client_resp.sequence);
        add_position(bytes, m->client_resp.position);
        break;
    case GD_MESSAGE_CLIENT_ERROR:
        gd_bytes_add_le64(bytes, m->client_error.sequence);
        gd_bytes_add_le32(bytes, (uint32_t)-m->client_error.reason);
        break;
    case GD_MESSAGE_JOIN:
        gd_bytes_add_le64(bytes, m->join.id);
        add_address(bytes, &m->join.address);
        break;
    }
}

void gd_message_encode(const struct gd_message *message, struct gd_bytes *bytes)
{
    size_t begin = bytes->size;
    uint8_t *frame;
    size_t size;

    gd_bytes_add_le32(bytes, 0);
    gd_bytes_add_le32(bytes, 0);
    gd_bytes_add_u8(bytes, FORMAT_VERSION);
    gd_bytes_add_u8(bytes, (uint8_t)message->type);
    add_le16(bytes, 0);
    gd_bytes_add_le64(bytes, message->cluster_id);
    gd_bytes_add_le64(bytes, message->from);
    gd_bytes_add_le64(bytes, message->to);
    gd_bytes_add_le64(bytes, message->term);
    gd_bytes_add_le64(bytes, message->boot);
    add_payload(bytes, message);

    frame = bytes->data + begin;
    size = bytes->size - begin;
    GD_ASSERT(size <= GD_FRAME_SIZE_MAX);
    gd_put_le32(frame, (uint32_t)size);
    gd_put_le32(frame + 4, gd_crc32c(gd_crc32c(0, frame, 4), frame + 8, size - 8));
}

/* ---------------------------------------------------------------- decode */

static struct gd_position get_position(struct gd_reader *reader)
{
    struct gd_position position;

    position.term = gd_reader_le64(reader);
    position.index = gd_reader_le64(reader);
    return position;
}

static bool get_bool(struct gd_reader *reader)
{
    uint8_t value = gd_reader_u8(reader);

    if (value > 1) {
        reader->failed = true;
    }
    return value == 1;
}

/* An address, or empty text. */
static void get_address(struct gd_reader *reader, struct gd_address *address)
{
    struct gd_slice slice = gd_reader_slice(reader, gd_reader_le16(reader));
    char text[GD_ADDRESS_SIZE] = {0};

    *address = (struct gd_address){{0}};
    if (reader->failed || slice.size >= sizeof text) {
        reader->failed = true;
        return;
    }
    if (slice.size > 0) {
        memcpy(text, slice.data, slice.size);
        if (strlen(text) != slice.size || gd_address_parse(text, address) != GD_OK) {
            reader->failed = true;
        }
    }
}

/* Entries into a new array; on failure nothing is left allocated. */
static void get_entries(struct gd_reader *reader, struct gd_message_append *append, size_t count)
{
    /* M3: each entry has a header in the bytes that are left, so `count` is bounded by them. */
    if (reader->failed || count > reader->left / ENTRY_HEADER_SIZE) {
        reader->failed = true;
        return;
    }
    append->entries = count == 0 ? NULL : gd_calloc(count, sizeof append->entries[0]);
    for (size_t i = 0; i < count; i++) {
        uint8_t type = gd_reader_u8(reader);
        gd_term term = gd_reader_le64(reader);
        int64_t stamp_ms = (int64_t)gd_reader_le64(reader);
        struct gd_slice data = gd_reader_slice(reader, gd_reader_le32(reader));
        if (reader->failed || type == 0 || type > GD_ENTRY_TYPE_MAX) {
            reader->failed = true;
            return;
        }
        append->entries[i] = gd_entry_new((enum gd_entry_type)type, data.data, data.size);
        append->entries[i]->stamp_ms = stamp_ms;
        append->entries[i]->position =
            (struct gd_position){term, append->previous.index + 1 + (gd_index)i};
        append->entry_count = i + 1;
    }
}

/* All in front of the entries; `entry_count` is what the frame says. */
static void get_append_front(struct gd_reader *reader, struct gd_message_append *append)
{
    append->previous = get_position(reader);
    append->commit = gd_reader_le64(reader);
    append->round = gd_reader_le64(reader);
    append->entry_count = gd_reader_le32(reader);
}

static void get_append(struct gd_reader *reader, struct gd_message_append *append)
{
    size_t count;

    get_append_front(reader, append);
    count = append->entry_count;
    append->entry_count = 0;
    get_entries(reader, append, count);
}

bool gd_message_frame_append(struct gd_slice frame, struct gd_message_append *append)
{
    struct gd_reader reader;

    if (gd_message_frame_type(frame) != GD_MESSAGE_APPEND) {
        return false;
    }
    reader = gd_reader_of((struct gd_slice){frame.data + HEADER_SIZE, frame.size - HEADER_SIZE});
    *append = (struct gd_message_append){0};
    get_append_front(&reader, append);
    return !reader.failed;
}

static void get_hello(struct gd_reader *reader, struct gd_message_hello *hello)
{
    if (gd_reader_le32(reader) != GD_PROTOCOL_MAGIC) {
        reader->failed = true;
    }
    hello->version = gd_reader_le16(reader);
    hello->version_min = gd_reader_le16(reader);
    get_address(reader, &hello->peer_address);
    get_address(reader, &hello->client_address);
    if (!reader->failed && reader->left > 0) {
        hello->life = gd_reader_le32(reader);
        reader->failed = reader->failed || hello->life == 0; /* Left out then. */
    }
}

static void get_error(struct gd_reader *reader, struct gd_message_client_error *error)
{
    uint32_t number;

    error->sequence = gd_reader_le64(reader);
    number = gd_reader_le32(reader);
    if (number == 0 || number > (uint32_t)-GD_ERR_UNKNOWN) {
        reader->failed = true;
        return;
    }
    error->reason = (enum gd_err)(-(int)number);
}

static void get_payload(struct gd_reader *reader, struct gd_message *m)
{
    switch (m->type) {
    case GD_MESSAGE_HELLO:
        get_hello(reader, &m->hello);
        break;
    case GD_MESSAGE_PRE_VOTE:
    case GD_MESSAGE_VOTE:
        m->vote.last = get_position(reader);
        m->vote.transfer = get_bool(reader);
        break;
    case GD_MESSAGE_PRE_VOTE_RESP:
    case GD_MESSAGE_VOTE_RESP:
        m->vote_resp.granted = get_bool(reader);
        break;
    case GD_MESSAGE_APPEND:
        get_append(reader, &m->append);
        break;
    case GD_MESSAGE_APPEND_RESP:
        m->append_resp.success = get_bool(reader);
        m->append_resp.last = get_position(reader);
        m->append_resp.rejected = gd_reader_le64(reader);
        m->append_resp.round = gd_reader_le64(reader);
        break;
    case GD_MESSAGE_INSTALL_SNAPSHOT:
        m->install.position = get_position(reader);
        m->install.size = gd_reader_le64(reader);
        m->install.offset = gd_reader_le64(reader);
        m->install.round = gd_reader_le64(reader);
        m->install.data = gd_reader_slice(reader, gd_reader_le32(reader));
        break;
    case GD_MESSAGE_INSTALL_SNAPSHOT_RESP:
        m->install_resp.position = get_position(reader);
        m->install_resp.offset = gd_reader_le64(reader);
        m->install_resp.done = get_bool(reader);
        m->install_resp.round = gd_reader_le64(reader);
        break;
    case GD_MESSAGE_READ_INDEX:
        m->read_index.token = gd_reader_le64(reader);
        break;
    case GD_MESSAGE_READ_INDEX_RESP:
        m->read_index_resp.token = gd_reader_le64(reader);
        m->read_index_resp.granted = get_bool(reader);
        m->read_index_resp.index = gd_reader_le64(reader);
        m->read_index_resp.wall_ms = (int64_t)gd_reader_le64(reader);
        break;
    case GD_MESSAGE_TIMEOUT_NOW:
        break;
    case GD_MESSAGE_CLIENT_WRITE:
        m->client_write.sequence = gd_reader_le64(reader);
        m->client_write.previous = gd_reader_le64(reader);
        m->client_write.data = gd_reader_slice(reader, gd_reader_le32(reader));
        break;
    case GD_MESSAGE_CLIENT_RESP:
        m->client_resp.sequence = gd_reader_le64(reader);
        m->client_resp.position = get_position(reader);
        break;
    case GD_MESSAGE_CLIENT_ERROR:
        get_error(reader, &m->client_error);
        break;
    case GD_MESSAGE_JOIN:
        m->join.id = gd_reader_le64(reader);
        get_address(reader, &m->join.address);
        break;
    }
}

/* The checked frame's body into `*message`. */
static enum gd_err decode_body(struct gd_slice body, struct gd_message *message)
{
    struct gd_reader reader = gd_reader_of(body);
    struct gd_message got = {0};
    uint8_t type;

    if (gd_reader_u8(&reader) != FORMAT_VERSION) {
        return GD_ERR_VERSION;
    }
    type = gd_reader_u8(&reader);
    if (type == 0 || type > GD_MESSAGE_TYPE_MAX || gd_reader_le16(&reader) != 0) {
        return GD_ERR_CORRUPT;
    }
    got.type = (enum gd_message_type)type;
    got.cluster_id = gd_reader_le64(&reader);
    got.from = gd_reader_le64(&reader);
    got.to = gd_reader_le64(&reader);
    got.term = gd_reader_le64(&reader);
    got.boot = gd_reader_le64(&reader);
    if (!reader.failed) {
        get_payload(&reader, &got);
    }
    if (reader.failed || reader.left != 0 || got.term > TERM_MAX) {
        gd_message_release(&got);
        return GD_ERR_CORRUPT;
    }
    *message = got;
    return GD_OK;
}

enum gd_err gd_message_decode(struct gd_slice input, size_t frame_size_max, size_t *consumed,
                              struct gd_message *message)
{
    uint32_t size;
    enum gd_err err;

    if (input.size < 4) {
        return GD_ERR_MORE;
    }
    size = gd_message_frame_size(input.data);
    if (size < HEADER_SIZE) {
        return GD_ERR_CORRUPT;
    }
    if (size > frame_size_max) {
        return GD_ERR_TOO_LARGE;
    }
    if (input.size < size) {
        return GD_ERR_MORE;
    }
    if (gd_get_le32(input.data + 4) !=
        gd_crc32c(gd_crc32c(0, input.data, 4), input.data + 8, size - 8)) {
        return GD_ERR_CORRUPT;
    }
    err = decode_body((struct gd_slice){input.data + 8, size - 8}, message);
    if (err == GD_OK) {
        *consumed = size;
    }
    return err;
}

void gd_message_release(struct gd_message *message)
{
    if (message->type == GD_MESSAGE_APPEND && message->append.entries != NULL) {
        for (size_t i = 0; i < message->append.entry_count; i++) {
            gd_entry_drop(message->append.entries[i]);
        }
        gd_free(message->append.entries);
        message->append.entries = NULL;
        message->append.entry_count = 0;
    }
}
