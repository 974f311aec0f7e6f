/* Deadlines: a heap of times, each inside the thing that it is about. Taking one out needs no
 * memory, and what ends early leaves nothing behind. Not thread safe. */
#ifndef MIMEO_PREDICT_DEADLINES_H
#define MIMEO_PREDICT_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadline {
    int64_t at_us; /* monotonic; 0: none, and it is in no heap */
    size_t place;  /* the heap's own */
};

struct deadlines {
    struct deadline **heap; /* earliest first */
    size_t count, capacity;
};

void deadlines_done(struct deadlines *deadlines); /* frees the heap, not what is in it */

/* at_us > 0. False when memory is short. */
bool deadlines_put(struct deadlines *deadlines, struct deadline *deadline, int64_t at_us);
void deadlines_remove(struct deadlines *deadlines, struct deadline *deadline); /* absent is fine */
struct deadline *deadlines_first(const struct deadlines *deadlines);           /* or NULL */

#endif
