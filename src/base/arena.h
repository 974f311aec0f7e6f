/* Arenas: memory with one of three lifetimes (process, call, job) that dies all at once.
 *
 * A function that takes an arena returns memory nobody frees. An arena has a byte limit; hitting
 * it gives NULL, which callers report as ERR_NO_MEMORY or ERR_TOO_LARGE. Not thread safe.
 * Not here: tensor memory (engine/arena). */
#ifndef MIMEO_BASE_ARENA_H
#define MIMEO_BASE_ARENA_H

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;                /* bytes handed out */
    size_t max;                 /* bytes; limit given to arena_init */
};

void arena_init(struct arena *arena, size_t max);
void arena_done(struct arena *arena); /* frees everything */
/* Forget all that was allocated, but keep the first block for what comes next. */
void arena_reset(struct arena *arena);

void *arena_alloc(struct arena *arena, size_t size);   /* zeroed, aligned for any type; or NULL */
char *arena_strdup(struct arena *arena, struct str s); /* 0-terminated copy; or NULL */
char *arena_printf(struct arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3))); /* or NULL */

#endif
