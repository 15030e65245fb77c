/* sha1.h - SHA-1 (FIPS 180-4), by which Redis names scripts. It is a name here, and guards nothing.
 */
#ifndef GANDALF_KVS_SHA1_H
#define GANDALF_KVS_SHA1_H
#include "engine/base.h"

/* 40 hexadecimal digits in lower case and an end. */
#define GD_SHA1_TEXT_SIZE 41
void gd_sha1_text(struct gd_slice bytes, char *to);
#endif
