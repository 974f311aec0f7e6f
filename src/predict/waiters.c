/* Waiters: a table by id, each with a list of its waiters, and one heap by deadline.
 *
 * Invariant: a waiter is in a list and in the heap, or in neither (then it belongs to the thread
 * that took it out, which calls and frees it after giving the lock back). */
#include "predict/waiters.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "predict/table.h"

struct waited {               /* one prediction that somebody waits for */
    struct table_entry entry; /* first, so that an entry is its waited */
    struct waiter *waiters;
};

struct waiter {
    struct waiter *next, **link; /* in its list; link: what points here */
    struct waited *waited;
    int64_t deadline_us;
    size_t place; /* in the heap */
    waiters_call *call;
    void *context;
};

struct waiters {
    pthread_mutex_t lock;
    struct table by_id;
    struct waiter **heap; /* earliest deadline first */
    size_t count, capacity;
};

struct waiters *waiters_new(void)
{
    struct waiters *waiters = calloc(1, sizeof *waiters);
    if (waiters)
        pthread_mutex_init(&waiters->lock, NULL);
    return waiters;
}

void waiters_free(struct waiters *waiters)
{
    if (!waiters)
        return;
    table_done(&waiters->by_id);
    pthread_mutex_destroy(&waiters->lock);
    free(waiters->heap);
    free(waiters);
}

/* ---- The heap ----------------------------------------------------------------------------- */

static void heap_set(struct waiters *waiters, size_t place, struct waiter *waiter)
{
    waiters->heap[place] = waiter;
    waiter->place = place;
}

static void heap_up(struct waiters *waiters, struct waiter *waiter)
{
    size_t place = waiter->place;
    while (place > 0 && waiters->heap[(place - 1) / 2]->deadline_us > waiter->deadline_us) {
        heap_set(waiters, place, waiters->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    heap_set(waiters, place, waiter);
}

static void heap_down(struct waiters *waiters, struct waiter *waiter)
{
    size_t place = waiter->place;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < waiters->count &&
            waiters->heap[child + 1]->deadline_us < waiters->heap[child]->deadline_us)
            child++;
        if (child >= waiters->count || waiters->heap[child]->deadline_us >= waiter->deadline_us)
            break;
        heap_set(waiters, place, waiters->heap[child]);
        place = child;
    }
    heap_set(waiters, place, waiter);
}

static void heap_remove(struct waiters *waiters, struct waiter *waiter)
{
    struct waiter *last = waiters->heap[--waiters->count];
    if (last == waiter)
        return;
    heap_set(waiters, waiter->place, last);
    heap_up(waiters, last);
    heap_down(waiters, last);
}

static bool heap_add(struct waiters *waiters, struct waiter *waiter)
{
    if (waiters->count == waiters->capacity) {
        size_t capacity = waiters->capacity ? waiters->capacity * 2 : 64;
        struct waiter **heap = realloc(waiters->heap, capacity * sizeof *heap);
        if (!heap)
            return false;
        waiters->heap = heap;
        waiters->capacity = capacity;
    }
    heap_set(waiters, waiters->count++, waiter);
    heap_up(waiters, waiter);
    return true;
}

/* ---- Waiters ------------------------------------------------------------------------------ */

static struct waited *find_or_add(struct waiters *waiters, const char *id)
{
    struct waited *waited = (struct waited *)table_find(&waiters->by_id, id);
    if (waited)
        return waited;
    waited = calloc(1, sizeof *waited);
    if (waited && str_copy(str_from(id), waited->entry.id, sizeof waited->entry.id) &&
        table_put(&waiters->by_id, &waited->entry))
        return waited;
    free(waited);
    return NULL;
}

static void drop_if_unused(struct waiters *waiters, struct waited *waited)
{
    if (waited->waiters)
        return;
    table_remove(&waiters->by_id, waited->entry.id);
    free(waited);
}

bool waiters_add(struct waiters *waiters, const char *id, int64_t deadline_us, waiters_call *call,
                 void *context, bool *ret_first)
{
    struct waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter)
        return false;
    waiter->deadline_us = deadline_us;
    waiter->call = call;
    waiter->context = context;
    pthread_mutex_lock(&waiters->lock);
    struct waited *waited = find_or_add(waiters, id);
    bool ok = waited && heap_add(waiters, waiter);
    if (ok) {
        waiter->waited = waited;
        waiter->next = waited->waiters;
        if (waiter->next)
            waiter->next->link = &waiter->next;
        waiter->link = &waited->waiters;
        waited->waiters = waiter;
        *ret_first = waiter->place == 0;
    } else if (waited) {
        drop_if_unused(waiters, waited);
    }
    pthread_mutex_unlock(&waiters->lock);
    if (!ok)
        free(waiter);
    return ok;
}

/* Out of list and heap; the caller owns it. */
static void take_out(struct waiters *waiters, struct waiter *waiter)
{
    heap_remove(waiters, waiter);
    *waiter->link = waiter->next;
    if (waiter->next)
        waiter->next->link = waiter->link;
    drop_if_unused(waiters, waiter->waited);
}

static void call_all(struct waiter *list, bool finished)
{
    while (list) {
        struct waiter *waiter = list;
        list = waiter->next;
        waiter->call(waiter->context, finished);
        free(waiter);
    }
}

void waiters_finish(struct waiters *waiters, const char *id)
{
    struct waiter *list = NULL;
    pthread_mutex_lock(&waiters->lock);
    struct waited *waited = (struct waited *)table_remove(&waiters->by_id, id);
    if (waited) {
        list = waited->waiters;
        for (struct waiter *waiter = list; waiter; waiter = waiter->next)
            heap_remove(waiters, waiter);
        free(waited);
    }
    pthread_mutex_unlock(&waiters->lock);
    call_all(list, true);
}

int64_t waiters_expire(struct waiters *waiters, int64_t now_us)
{
    struct waiter *due = NULL;
    pthread_mutex_lock(&waiters->lock);
    while (waiters->count > 0 && waiters->heap[0]->deadline_us <= now_us) {
        struct waiter *waiter = waiters->heap[0];
        take_out(waiters, waiter);
        waiter->next = due;
        due = waiter;
    }
    int64_t next_us = waiters->count > 0 ? waiters->heap[0]->deadline_us : -1;
    pthread_mutex_unlock(&waiters->lock);
    call_all(due, false);
    return next_us;
}

void waiters_give_up(struct waiters *waiters)
{
    waiters_expire(waiters, INT64_MAX);
}
