/* orders.c - an operator's orders as words; see orders.h. */
#include "engine/orders.h"

static bool read_number(struct gd_slice arg, uint64_t *number)
{
    uint64_t value = 0;

    if (arg.size == 0 || arg.size > 18) {
        return false;
    }
    for (size_t i = 0; i < arg.size; i++) {
        if (arg.data[i] < '0' || arg.data[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(arg.data[i] - '0');
    }
    *number = value;
    return true;
}

static bool read_id(struct gd_slice arg, gd_node_id *id)
{
    return read_number(arg, id) && *id != 0;
}

static bool read_address(struct gd_slice arg, struct gd_address *address)
{
    char text[GD_ADDRESS_SIZE];

    if (arg.size >= sizeof text) {
        return false;
    }
    memcpy(text, arg.data, arg.size);
    text[arg.size] = '\0';
    return strlen(text) == arg.size && gd_address_parse(text, address) == GD_OK;
}

/* The words behind the order's name: `i` an id, `o` another id, `a` an address, `n` an
 * offset, `s` a size; and behind them, where the form has `L` and `F`, LEARNER and FORCE. */
static bool read_words(const char *form, const struct gd_slice *args, size_t count,
                       struct gd_admin *admin)
{
    size_t at = 1;

    for (; *form != '\0' && *form != 'L' && *form != 'F'; form++, at++) {
        if (at >= count || (*form == 'i' && !read_id(args[at], &admin->id)) ||
            (*form == 'o' && !read_id(args[at], &admin->other)) ||
            (*form == 'n' && !read_number(args[at], &admin->offset)) ||
            (*form == 's' && (!read_number(args[at], &admin->size) || admin->size == 0)) ||
            (*form == 'a' && !read_address(args[at], &admin->address))) {
            return false;
        }
    }
    for (; at < count; at++) {
        if (gd_slice_is(args[at], "learner") && strchr(form, 'L') != NULL) {
            admin->learner = true;
        } else if (gd_slice_is(args[at], "force") && strchr(form, 'F') != NULL) {
            admin->force = true;
        } else {
            return false;
        }
    }
    return true;
}

enum gd_err gd_order_read(const struct gd_slice *words, size_t count, struct gd_admin *admin)
{
    static const struct {
        const char *name, *form;
        enum gd_admin_kind kind;
    } rows[] = {
        {"snapshot", "", GD_ADMIN_SNAPSHOT},   {"transfer", "i", GD_ADMIN_TRANSFER},
        {"transfer", "", GD_ADMIN_TRANSFER},   {"add", "iaLF", GD_ADMIN_ADD},
        {"promote", "iF", GD_ADMIN_PROMOTE},   {"remove", "iF", GD_ADMIN_REMOVE},
        {"replace", "ioaF", GD_ADMIN_REPLACE}, {"move", "iaF", GD_ADMIN_MOVE},
        {"backup", "ions", GD_ADMIN_BACKUP},   {"backup", "", GD_ADMIN_BACKUP},
    };
    enum gd_err err = GD_ERR_NOT_FOUND;

    for (size_t i = 0; count > 0 && i < GD_COUNT(rows); i++) {
        struct gd_admin read = {.kind = rows[i].kind};
        if (!gd_slice_is(words[0], rows[i].name)) {
            continue;
        }
        err = GD_ERR_INVALID;
        if (read_words(rows[i].form, words, count, &read)) {
            *admin = read;
            return GD_OK;
        }
    }
    return err;
}
