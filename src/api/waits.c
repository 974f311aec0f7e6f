/* Requests that wait for their prediction, so that the server can end while some do.
 *
 * predict_wait calls back once, maybe long after the HTTP server that owned the call has gone. So a
 * waiter owns no call: whoever takes the call out of it first, under the lock, answers it.
 *
 * Invariants
 *  (1) A call is answered once: by the callback or by waits_stop, whichever takes it.
 *  (2) `waits` lives until waits_free was called and the last waiter's callback came.
 * The lock is not held while a call is answered. Not here: what the answer is (answer.c). */
#include "api/waits.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "predict/predict.h"

#define LOOK_MS 10 /* while the server ends: how often it looks whether the last wait is over */

struct waiter {
    struct waits *waits;
    struct http_call *call; /* NULL: taken */
    char id[ID_PREDICTION_LEN + 1];
    enum waits_kind kind;
    struct waiter *previous, *next;
};

struct waits {
    waits_answer *over, *stop;
    pthread_mutex_t lock; /* protects all below and the waiters */
    struct waiter first;  /* list head */
    bool stopping;        /* waits_stop was called */
    bool leaving;         /* waits_free was called: the last callback frees */
};

bool waits_new(waits_answer *over, waits_answer *stop, struct waits **ret_waits, struct err *err)
{
    struct waits *waits = calloc(1, sizeof(*waits));

    if (!waits)
        return err_set(err, ERR_NO_MEMORY, "not enough memory to start the API");
    waits->over = over;
    waits->stop = stop;
    waits->first.next = waits->first.previous = &waits->first;
    pthread_mutex_init(&waits->lock, NULL);
    *ret_waits = waits;
    return true;
}

static void release(struct waits *waits)
{
    pthread_mutex_destroy(&waits->lock);
    free(waits);
}

static void on_waited(void *context, bool finished)
{
    struct waiter *waiter = context;
    struct waits *waits = waiter->waits;
    waits_answer *over = waits->over;
    struct http_call *call;
    bool last;

    (void)finished; /* the record tells, and may have changed since */
    pthread_mutex_lock(&waits->lock);
    call = waiter->call;
    waiter->call = NULL;
    waiter->previous->next = waiter->next;
    waiter->next->previous = waiter->previous;
    last = waits->leaving && waits->first.next == &waits->first;
    pthread_mutex_unlock(&waits->lock);
    /* From here waits_free may free `waits`, unless it was left to us. */
    if (call)
        over(call, waiter->id, waiter->kind);
    free(waiter);
    if (last)
        release(waits);
}

bool waits_add(struct waits *waits, struct predict *predict, struct http_call *call, const char *id,
               enum waits_kind kind, int timeout_ms)
{
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    bool stopping;

    if (!waiter)
        return false;
    waiter->waits = waits;
    waiter->call = call;
    waiter->kind = kind;
    str_copy(str_from(id), waiter->id, sizeof(waiter->id));
    pthread_mutex_lock(&waits->lock);
    stopping = waits->stopping;
    if (!stopping) {
        waiter->previous = &waits->first;
        waiter->next = waits->first.next;
        waiter->next->previous = waiter;
        waits->first.next = waiter;
    }
    pthread_mutex_unlock(&waits->lock);
    if (stopping) {
        free(waiter);
        return false;
    }
    predict_wait(predict, waiter->id, timeout_ms, on_waited, waiter);
    return true;
}

/* A waiter whose call is not taken yet, and its call taken; NULL when there is none. */
static struct http_call *take_one(struct waits *waits, char ret_id[ID_PREDICTION_LEN + 1],
                                  enum waits_kind *ret_kind)
{
    struct http_call *call = NULL;

    pthread_mutex_lock(&waits->lock);
    for (struct waiter *waiter = waits->first.next; waiter != &waits->first && !call;
         waiter = waiter->next) {
        call = waiter->call;
        waiter->call = NULL;
        if (call) {
            str_copy(str_from(waiter->id), ret_id, ID_PREDICTION_LEN + 1);
            *ret_kind = waiter->kind;
        }
    }
    pthread_mutex_unlock(&waits->lock);
    return call;
}

/* Until nobody waits, or until drain_ms are over. `own` is in the list as well. */
static void drain(struct waits *waits, const struct waiter *own, int drain_ms)
{
    const struct timespec look = { .tv_nsec = LOOK_MS * 1000000L };
    int64_t end_us = clock_monotonic_us() + drain_ms * INT64_C(1000);
    bool alone = false;

    while (!alone && clock_monotonic_us() < end_us) {
        pthread_mutex_lock(&waits->lock);
        alone = waits->first.next == own && own->next == &waits->first;
        pthread_mutex_unlock(&waits->lock);
        if (!alone)
            nanosleep(&look, NULL);
    }
}

void waits_stop(struct waits *waits, int drain_ms)
{
    struct waiter own = { .waits = waits }; /* keeps `waits` while we answer */
    char id[ID_PREDICTION_LEN + 1];
    enum waits_kind kind;
    struct http_call *call;

    if (!waits)
        return;
    pthread_mutex_lock(&waits->lock);
    waits->stopping = true;
    own.previous = &waits->first;
    own.next = waits->first.next;
    own.next->previous = &own;
    waits->first.next = &own;
    pthread_mutex_unlock(&waits->lock);
    drain(waits, &own, drain_ms);
    while ((call = take_one(waits, id, &kind)))
        waits->stop(call, id, kind);
    pthread_mutex_lock(&waits->lock);
    own.previous->next = own.next;
    own.next->previous = own.previous;
    pthread_mutex_unlock(&waits->lock);
}

void waits_free(struct waits *waits)
{
    bool empty;

    if (!waits)
        return;
    pthread_mutex_lock(&waits->lock);
    waits->leaving = true;
    empty = waits->first.next == &waits->first;
    pthread_mutex_unlock(&waits->lock);
    if (empty)
        release(waits);
}
