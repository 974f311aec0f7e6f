/* The logs of one prediction: what a model wrote, bounded. Beyond LIMIT_LOGS_BYTES the middle is
 * left out, with a note in its place: the start says what ran, the end says why it stopped.
 * Not thread safe. */
#ifndef MIMEO_PREDICT_LOGS_H
#define MIMEO_PREDICT_LOGS_H

#include <stdint.h>

#include "base/buf.h"

struct logs {
    struct buf text; /* the first `head` bytes, and the last ones */
    size_t total;    /* bytes ever appended */
    size_t dropped;  /* of them, left out of the middle */
    size_t head;     /* where they were; counts when dropped > 0 */
};

void logs_init(struct logs *logs);
void logs_done(struct logs *logs);

/* Carriage returns become newlines (progress bars), zero bytes become spaces. */
void logs_append(struct logs *logs, struct str bytes);

/* Append what is kept, with the note, to `out`. */
bool logs_write(const struct logs *logs, struct buf *out);

/* What is kept, for reading on from a position. Positions count the bytes ever appended: the head
 * is at 0, the tail at tail_at, and between them lies what was left out. Borrowed. */
struct logs_view {
    struct str head, tail; /* tail empty: nothing was left out */
    int64_t tail_at;
};
struct logs_view logs_view(const struct logs *logs);
struct logs_view logs_view_written(struct str text); /* of what logs_write has written */

/* Up to about `limit` bytes from a position on, whole characters where there are any; from within
 * what was left out: from the tail's begin. *ret_next: the position after them. *ret_more: there
 * are more. A position behind the end gives nothing and stays. */
struct str logs_read(const struct logs_view *view, int64_t from, size_t limit, int64_t *ret_next,
                     bool *ret_more);

#endif
