/* config.c - configurations: an ordered, small array, and its bytes. */
#include "engine/config.h"

bool gd_config_joint(const struct gd_config *config)
{
    for (uint32_t i = 0; i < config->count; i++) {
        if ((config->members[i].roles & GD_MEMBER_OUTGOING) != 0) {
            return true;
        }
    }
    return false;
}

const struct gd_member *gd_config_find(const struct gd_config *config, gd_node_id id)
{
    for (uint32_t i = 0; i < config->count; i++) {
        if (config->members[i].id == id) {
            return &config->members[i];
        }
    }
    return NULL;
}

bool gd_config_votes(const struct gd_config *config, gd_node_id id)
{
    const struct gd_member *member = gd_config_find(config, id);
    return member != NULL && (member->roles & (GD_MEMBER_VOTER | GD_MEMBER_OUTGOING)) != 0;
}

gd_node_id gd_config_highest(const struct gd_config *config)
{
    gd_node_id last = config->count == 0 ? 0 : config->members[config->count - 1].id;

    return last > config->highest ? last : config->highest;
}

bool gd_config_equal(const struct gd_config *a, const struct gd_config *b)
{
    if (a->count != b->count || gd_config_highest(a) != gd_config_highest(b)) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        const struct gd_member *x = &a->members[i], *y = &b->members[i];
        if (x->id != y->id || x->roles != y->roles || x->life != y->life ||
            x->replaces != y->replaces || strcmp(x->address.text, y->address.text) != 0) {
            return false;
        }
    }
    return true;
}

enum gd_err gd_config_put(struct gd_config *config, const struct gd_member *member)
{
    uint32_t at = 0;

    GD_ASSERT(member->id != 0);
    while (at < config->count && config->members[at].id < member->id) {
        at++;
    }
    if (at == config->count || config->members[at].id != member->id) {
        if (config->count == GD_MEMBERS_MAX) {
            return GD_ERR_BUSY;
        }
        memmove(&config->members[at + 1], &config->members[at],
                (config->count - at) * sizeof config->members[0]);
        config->count++;
    }
    config->members[at] = *member;
    config->highest = gd_config_highest(config);
    return GD_OK;
}

void gd_config_remove(struct gd_config *config, gd_node_id id)
{
    config->highest = gd_config_highest(config);
    for (uint32_t i = 0; i < config->count; i++) {
        if (config->members[i].id == id) {
            config->count--;
            memmove(&config->members[i], &config->members[i + 1],
                    (config->count - i) * sizeof config->members[0]);
            return;
        }
    }
}

enum { FORMAT_PLAIN = 1, FORMAT_LIVES = 2, ROLES_PLAIN = 7, ROLES_LIVES = 31 };

uint8_t gd_config_version(const struct gd_config *config)
{
    gd_node_id last = config->count == 0 ? 0 : config->members[config->count - 1].id;

    for (uint32_t i = 0; i < config->count; i++) {
        if (config->members[i].life != 0 || config->members[i].roles > ROLES_PLAIN) {
            return FORMAT_LIVES;
        }
    }
    return gd_config_highest(config) > last ? FORMAT_LIVES : FORMAT_PLAIN;
}

void gd_config_simplify(struct gd_config *config)
{
    for (uint32_t i = 0; i < config->count; i++) {
        config->members[i].life = 0;
    }
    config->highest = config->count == 0 ? 0 : config->members[config->count - 1].id;
}

void gd_config_encode(const struct gd_config *config, struct gd_bytes *bytes)
{
    uint8_t version = gd_config_version(config);
    bool lives = version == FORMAT_LIVES;

    gd_bytes_add_u8(bytes, version);
    gd_bytes_add_le32(bytes, config->count);
    if (lives) {
        gd_bytes_add_le64(bytes, gd_config_highest(config));
    }
    for (uint32_t i = 0; i < config->count; i++) {
        const struct gd_member *member = &config->members[i];
        size_t size = strlen(member->address.text);
        gd_bytes_add_le64(bytes, member->id);
        gd_bytes_add_le32(bytes, member->roles);
        if (lives) {
            gd_bytes_add_le32(bytes, member->life);
        }
        if ((member->roles & GD_MEMBER_REPLACING) != 0) {
            gd_bytes_add_le64(bytes, member->replaces);
        }
        gd_put_le16(gd_bytes_reserve(bytes, 2), (uint16_t)size);
        bytes->size += 2;
        gd_bytes_add(bytes, member->address.text, size);
    }
}

/* Who joins is a learner, and who replaces joins. */
static bool roles_are_sound(const struct gd_member *member, bool lives)
{
    bool joins = (member->roles & GD_MEMBER_JOINING) != 0;
    bool replaces = (member->roles & GD_MEMBER_REPLACING) != 0;

    return member->roles != 0 && member->roles <= (lives ? ROLES_LIVES : ROLES_PLAIN) &&
           (!joins || (member->roles & GD_MEMBER_LEARNER) != 0) && (!replaces || joins) &&
           replaces == (member->replaces != 0) && member->replaces != member->id;
}

/* One member; false when the bytes are not one. */
static bool decode_member(struct gd_reader *reader, bool lives, struct gd_member *member)
{
    char text[GD_ADDRESS_SIZE] = {0};
    struct gd_slice address;

    *member = (struct gd_member){.id = gd_reader_le64(reader), .roles = gd_reader_le32(reader)};
    member->life = lives ? gd_reader_le32(reader) : 0;
    if (lives && (member->roles & GD_MEMBER_REPLACING) != 0) {
        member->replaces = gd_reader_le64(reader);
    }
    address = gd_reader_slice(reader, gd_reader_le16(reader));
    if (reader->failed || member->id == 0 || !roles_are_sound(member, lives) ||
        address.size >= sizeof text) {
        return false;
    }
    memcpy(text, address.data, address.size);
    return strlen(text) == address.size && gd_address_parse(text, &member->address) == GD_OK;
}

enum gd_err gd_config_decode(struct gd_slice slice, struct gd_config *config)
{
    struct gd_reader reader = gd_reader_of(slice);
    struct gd_config got = {0};
    uint8_t version = gd_reader_u8(&reader);
    uint32_t count = gd_reader_le32(&reader);

    if (version == FORMAT_LIVES) {
        got.highest = gd_reader_le64(&reader);
    }
    if (reader.failed || version < FORMAT_PLAIN || version > FORMAT_LIVES ||
        count > GD_MEMBERS_MAX) {
        return GD_ERR_CORRUPT;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!decode_member(&reader, version == FORMAT_LIVES, &got.members[i]) ||
            (i > 0 && got.members[i].id <= got.members[i - 1].id)) {
            return GD_ERR_CORRUPT;
        }
    }
    got.count = count;
    if (reader.failed || reader.left != 0 ||
        (version == FORMAT_LIVES &&
         (got.highest != gd_config_highest(&got) || gd_config_version(&got) != version))) {
        return GD_ERR_CORRUPT;
    }
    got.highest = gd_config_highest(&got);
    *config = got;
    return GD_OK;
}
