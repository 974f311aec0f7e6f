#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    max_align_t bytes[];
};

#define ARENA_BLOCK_BYTES 4096u /* most calls need less than one page of small strings */

void arena_init(struct arena *arena, size_t max)
{
    *arena = (struct arena){ .max = max };
}

void arena_done(struct arena *arena)
{
    for (struct arena_block *block = arena->blocks; block;) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    *arena = (struct arena){ .max = arena->max };
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = arena->blocks;
    if (!kept)
        return;
    while (kept->next) { /* the first one is the last in the list */
        struct arena_block *next = kept->next;
        free(kept);
        kept = next;
    }
    memset(kept->bytes, 0, kept->used);
    kept->used = 0;
    *arena = (struct arena){ .max = arena->max };
    if (kept->size == ARENA_BLOCK_BYTES)
        arena->blocks = kept;
    else
        free(kept);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t align = sizeof(max_align_t);
    if (size > arena->max || arena->used > arena->max - size)
        return NULL;
    size_t rounded = (size + align - 1) / align * align;
    struct arena_block *block = arena->blocks;
    if (!block || block->size - block->used < rounded) {
        size_t block_size = rounded > ARENA_BLOCK_BYTES ? rounded : ARENA_BLOCK_BYTES;
        block = calloc(1, sizeof *block + block_size);
        if (!block)
            return NULL;
        block->size = block_size;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *ptr = (char *)block->bytes + block->used;
    block->used += rounded;
    arena->used += size;
    return ptr;
}

char *arena_strdup(struct arena *arena, struct str s)
{
    char *copy = arena_alloc(arena, s.len + 1);
    if (copy && s.len)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
    if (text)
        vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return text;
}
