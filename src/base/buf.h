/* A growing byte buffer with a limit that its owner must state.
 *
 * A failed append sets `failed` and later appends do nothing, so a writer may append many times
 * and check once. The content is always 0-terminated (the 0 is not counted). Not thread safe. */
#ifndef MIMEO_BASE_BUF_H
#define MIMEO_BASE_BUF_H

#include "base/str.h"

struct buf {
    char *ptr;
    size_t len;
    size_t capacity;
    size_t max; /* bytes; the limit given to buf_init */
    bool failed;
};

void buf_init(struct buf *buf, size_t max);
void buf_done(struct buf *buf); /* frees; the struct may be initialised again */
bool buf_append(struct buf *buf, const void *bytes, size_t len);
bool buf_append_str(struct buf *buf, struct str s);
bool buf_append_char(struct buf *buf, char c);
bool buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool buf_reserve(struct buf *buf, size_t more); /* room for `more` bytes after len */
void buf_clear(struct buf *buf);                /* len 0, keeps the memory, clears failed */
struct str buf_str(const struct buf *buf);      /* borrowed until the next change */

/* Take the memory out of the buffer: the caller frees it with free(). NULL when failed. */
char *buf_take(struct buf *buf, size_t *ret_len);

#endif
