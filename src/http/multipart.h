/* multipart/form-data bodies (RFC 7578), parsed in place from memory. Hostile input: limits on
 * parts and header sizes; nothing is copied but names. Pure; any thread. */
#ifndef MIMEO_HTTP_MULTIPART_H
#define MIMEO_HTTP_MULTIPART_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define MULTIPART_PARTS_MAX 64 /* a form has a handful */

struct multipart_part {
    const char *name;         /* never NULL */
    const char *file_name;    /* NULL when the part has none */
    const char *content_type; /* NULL when the part has none */
    struct str body;          /* borrowed from the input */
};

/* content_type: the request's header, with its boundary. ERR_INVALID says what is wrong. */
bool multipart_parse(const char *content_type, struct str body, struct arena *arena,
                     struct multipart_part **ret_parts, int *ret_count, struct err *err);

#endif
