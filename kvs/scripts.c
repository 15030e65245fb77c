/* scripts.c - EVALSHA becomes EVAL before it enters the log; see scripts.h.
 *
 * Why. EVALSHA relies on what a database remembers, and the databases of a cluster do not remember
 * alike: one that was started again, or was filled from a snapshot, has forgotten every script. As
 * it is, an EVALSHA in the log would change the data of some of them. So the node remembers what
 * its own clients have sent, and every entry carries a text. A client whose digest this node does
 * not know hears NOSCRIPT, as from a Redis that was restarted; client libraries then send the text.
 *
 * Rejected. SCRIPT LOAD through the log: one more state to be kept in every snapshot, without a
 * bound. A digest in the log and the text beside it where a database lacks it: every replica would
 * have to be asked first. */
#include "kvs/scripts.h"
#include "engine/memory.h"

void gd_scripts_release(struct gd_scripts *scripts)
{
    for (size_t i = 0; i < scripts->count; i++) {
        gd_bytes_release(&scripts->rows[i].text);
    }
    gd_free(scripts->rows);
    *scripts = (struct gd_scripts){0};
}

/* The row becomes the first. */
static struct gd_script *bring_forward(struct gd_scripts *scripts, size_t place)
{
    struct gd_script found = scripts->rows[place];

    memmove(scripts->rows + 1, scripts->rows, place * sizeof found);
    scripts->rows[0] = found;
    return &scripts->rows[0];
}

/* NULL when it is not known. Digits in either case. */
static struct gd_script *find(struct gd_scripts *scripts, struct gd_slice digest)
{
    for (size_t i = 0; i < scripts->count; i++) {
        if (gd_slice_is(digest, scripts->rows[i].digest)) {
            return bring_forward(scripts, i);
        }
    }
    return NULL;
}

static void forget_last(struct gd_scripts *scripts)
{
    struct gd_script *last = &scripts->rows[--scripts->count];

    scripts->size -= last->text.size;
    gd_bytes_release(&last->text);
}

/* Its digest goes to `digest`; false when it is too long to be kept. */
static bool keep(struct gd_scripts *scripts, struct gd_slice text, char *digest)
{
    if (text.size > GD_SCRIPT_SIZE_MAX) {
        return false;
    }
    gd_sha1_text(text, digest);
    if (find(scripts, (struct gd_slice){(const uint8_t *)digest, GD_SHA1_TEXT_SIZE - 1}) != NULL) {
        return true;
    }
    while (scripts->count == GD_SCRIPTS_COUNT_MAX ||
           scripts->size + text.size > GD_SCRIPTS_SIZE_MAX) {
        forget_last(scripts);
    }
    if (scripts->rows == NULL) {
        scripts->rows = gd_calloc(GD_SCRIPTS_COUNT_MAX, sizeof scripts->rows[0]);
    }
    struct gd_script *row = &scripts->rows[scripts->count++];
    *row = (struct gd_script){.text = {0}};
    memcpy(row->digest, digest, GD_SHA1_TEXT_SIZE);
    gd_bytes_add(&row->text, text.data, text.size);
    scripts->size += text.size;
    (void)bring_forward(scripts, scripts->count - 1);
    return true;
}

void gd_scripts_take(struct gd_scripts *scripts, struct gd_slice *args, size_t count)
{
    static const char *const names[][2] = {{"evalsha", "EVAL"}, {"evalsha_ro", "EVAL_RO"}};
    char digest[GD_SHA1_TEXT_SIZE];

    if (count < 2) {
        return;
    }
    if (gd_slice_is(args[0], "eval") || gd_slice_is(args[0], "eval_ro")) {
        (void)keep(scripts, args[1], digest);
        return;
    }
    for (size_t i = 0; i < GD_COUNT(names); i++) {
        const struct gd_script *script =
            gd_slice_is(args[0], names[i][0]) ? find(scripts, args[1]) : NULL;
        if (script != NULL) {
            args[0] = (struct gd_slice){(const uint8_t *)names[i][1], strlen(names[i][1])};
            args[1] = gd_bytes_slice(&script->text);
            return;
        }
    }
}

void gd_scripts_command(struct gd_scripts *scripts, const struct gd_slice *args, size_t count,
                        struct gd_reply *reply)
{
    char digest[GD_SHA1_TEXT_SIZE];

    if (gd_slice_is(args[1], "load")) {
        if (keep(scripts, args[2], digest)) {
            gd_reply_bulk_text(reply, digest);
        } else {
            gd_reply_error(reply, "ERR the script is longer than 1 MiB");
        }
    } else if (gd_slice_is(args[1], "exists")) {
        gd_reply_array(reply, count - 2);
        for (size_t i = 2; i < count; i++) {
            gd_reply_integer(reply, find(scripts, args[i]) != NULL);
        }
    } else if (count == 2 || (count == 3 && (gd_slice_is(args[2], "sync") ||
                                             gd_slice_is(args[2], "async")))) { /* FLUSH */
        gd_scripts_release(scripts);
        gd_reply_simple(reply, "OK");
    } else {
        gd_reply_error(reply, "ERR SCRIPT FLUSH only support SYNC|ASYNC option");
    }
}
