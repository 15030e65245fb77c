/* scripts.h - scripts that this node's clients have sent, by their digest: EVALSHA and SCRIPT. */
#ifndef GANDALF_KVS_SCRIPTS_H
#define GANDALF_KVS_SCRIPTS_H
#include "engine/bytes.h"
#include "kvs/reply.h"
#include "kvs/sha1.h"

enum {
    GD_SCRIPTS_COUNT_MAX = 1024, /* Beyond it, or this size, the ones used longest ago go. */
    GD_SCRIPTS_SIZE_MAX = 16 * 1024 * 1024,
    GD_SCRIPT_SIZE_MAX = 1024 * 1024, /* Of one: longer ones are refused. */
};

struct gd_script {
    char digest[GD_SHA1_TEXT_SIZE];
    struct gd_bytes text; /* Owned. */
};
/* All zero: none is known. */
struct gd_scripts {
    struct gd_script *rows; /* Owned; the one used last is the first. */
    size_t count, size;     /* Bytes of all texts. */
};
void gd_scripts_release(struct gd_scripts *scripts);
/* A client's command before it is looked at: EVALSHA with a known digest becomes EVAL with the text
 * (borrowed until the next call), and the text of an EVAL is remembered. Of the _RO forms too. */
void gd_scripts_take(struct gd_scripts *scripts, struct gd_slice *args, size_t count);
/* SCRIPT LOAD, EXISTS and FLUSH, whose count of arguments was looked at. */
void gd_scripts_command(struct gd_scripts *scripts, const struct gd_slice *args, size_t count,
                        struct gd_reply *reply);
#endif
