/* The heap of deadlines; see deadlines.h. A parent is never later than its two children. */
#include "predict/deadlines.h"

#include <stdlib.h>

static void set(struct deadlines *deadlines, size_t place, struct deadline *deadline)
{
    deadlines->heap[place] = deadline;
    deadline->place = place;
}

static void up(struct deadlines *deadlines, struct deadline *deadline)
{
    size_t place = deadline->place;
    while (place > 0 && deadlines->heap[(place - 1) / 2]->at_us > deadline->at_us) {
        set(deadlines, place, deadlines->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    set(deadlines, place, deadline);
}

static void down(struct deadlines *deadlines, struct deadline *deadline)
{
    size_t place = deadline->place;
    for (;;) {
        size_t child = place * 2 + 1;
        if (child + 1 < deadlines->count &&
            deadlines->heap[child + 1]->at_us < deadlines->heap[child]->at_us)
            child++;
        if (child >= deadlines->count || deadlines->heap[child]->at_us >= deadline->at_us)
            break;
        set(deadlines, place, deadlines->heap[child]);
        place = child;
    }
    set(deadlines, place, deadline);
}

void deadlines_done(struct deadlines *deadlines)
{
    free(deadlines->heap);
    *deadlines = (struct deadlines){ 0 };
}

bool deadlines_put(struct deadlines *deadlines, struct deadline *deadline, int64_t at_us)
{
    if (deadlines->count == deadlines->capacity) {
        size_t capacity = deadlines->capacity ? deadlines->capacity * 2 : 64;
        struct deadline **heap = realloc(deadlines->heap, capacity * sizeof *heap);
        if (!heap)
            return false;
        deadlines->heap = heap;
        deadlines->capacity = capacity;
    }
    deadline->at_us = at_us;
    deadline->place = deadlines->count++;
    up(deadlines, deadline);
    return true;
}

void deadlines_remove(struct deadlines *deadlines, struct deadline *deadline)
{
    if (deadline->at_us == 0)
        return;
    struct deadline *last = deadlines->heap[--deadlines->count];
    deadline->at_us = 0;
    if (last == deadline)
        return;
    last->place = deadline->place;
    up(deadlines, last);
    down(deadlines, last);
}

struct deadline *deadlines_first(const struct deadlines *deadlines)
{
    return deadlines->count > 0 ? deadlines->heap[0] : NULL;
}
