/* The logs of one prediction: what a model wrote, bounded. Beyond LIMIT_LOGS_BYTES the middle is
 * left out, with a note in its place: the start says what ran, the end says why it stopped.
 * Not thread safe. */
#ifndef MIMEO_PREDICT_LOGS_H
#define MIMEO_PREDICT_LOGS_H

#include "base/buf.h"

struct logs {
    struct buf text;
    size_t total;   /* bytes ever appended */
    size_t dropped; /* of them, left out of the middle */
};

void logs_init(struct logs *logs);
void logs_done(struct logs *logs);

/* Carriage returns become newlines (progress bars), zero bytes become spaces. */
void logs_append(struct logs *logs, struct str bytes);

/* Append what is kept, with the note, to `out`. */
bool logs_write(const struct logs *logs, struct buf *out);

#endif
