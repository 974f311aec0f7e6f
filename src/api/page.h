/* Pages of a list: opaque cursors in, links to the next and the previous page out.
 * Private to api/. */
#ifndef MIMEO_API_PAGE_H
#define MIMEO_API_PAGE_H

#include "base/buf.h"
#include "base/id.h"
#include "store/store.h"

struct http_call;

struct page_cursor {
    bool newer;                     /* towards the newest: what stands before the position */
    struct store_position position; /* created_us 0: the first page */
};

/* The request's `cursor`; absent or empty gives the first page. False: answered with 400. */
bool page_cursor_read(struct http_call *call, struct page_cursor *ret_cursor);

/* Text of a cursor: URL-safe, at most PAGE_CURSOR_SIZE with its final 0. */
#define PAGE_CURSOR_SIZE 160
void page_cursor_write(const struct page_cursor *cursor, char ret_text[PAGE_CURSOR_SIZE]);
bool page_cursor_parse(struct str text, struct page_cursor *ret_cursor);

/* Append `{"next":...,"previous":...,"results":[`. path: "/v1/predictions"; keep: query
 * parameters that links repeat (NULL-ended; NULL: none); next and previous: cursors or NULL. */
void page_open(struct http_call *call, const char *path, const char *const *keep,
               const struct page_cursor *next, const struct page_cursor *previous, struct buf *out);
void page_close(struct buf *out); /* `]}` */

#endif
