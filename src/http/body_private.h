/* A request's body as it comes in: in memory while small, and for routes with HTTP_BODY_FILE in an
 * unlinked file once it is large, which is mapped when it is whole. One thread at a time. */
#ifndef MIMEO_HTTP_BODY_PRIVATE_H
#define MIMEO_HTTP_BODY_PRIVATE_H

#include "base/buf.h"

struct err;

struct body {
    struct buf memory;
    const char *spill_folder; /* NULL: memory only */
    size_t max;               /* bytes */
    size_t len;
    int fd;    /* -1 until spilled */
    void *map; /* NULL until body_finish of a spilled body */
};

void body_init(struct body *body, size_t max, const char *spill_folder);
void body_done(struct body *body);

/* Make room for a length the client told; a hint. */
void body_expect(struct body *body, size_t len);

/* ERR_TOO_LARGE beyond max; ERR_UNAVAILABLE when the spill file cannot be written. */
bool body_append(struct body *body, struct str bytes, struct err *err);
bool body_finish(struct body *body, struct err *err);
struct str body_view(const struct body *body); /* after body_finish; borrowed until body_done */

#endif
