/* Waiters: who wants to be told when a prediction has ended, or that the time for it is over.
 *
 * Each waiter is called exactly once, outside the lock, on the thread of whoever ends the wait.
 * A waiter costs one allocation, and the deadlines stand in a heap, so thousands of open
 * `Prefer: wait` requests cost the supervisor nothing until one is due. Thread safe.
 * Not here: whether a prediction has ended (predict/lifecycle.c). */
#ifndef MIMEO_PREDICT_WAITERS_H
#define MIMEO_PREDICT_WAITERS_H

#include <stdbool.h>
#include <stdint.h>

struct waiters;

typedef void waiters_call(void *context, bool finished);

struct waiters *waiters_new(void);          /* NULL when memory is short */
void waiters_free(struct waiters *waiters); /* none may be left: see waiters_give_up */

/* Deadlines are clock_monotonic_us times. *ret_first: is it now the earliest of all? False (and
 * nothing is kept) when memory is short. */
bool waiters_add(struct waiters *waiters, const char *id, int64_t deadline_us, waiters_call *call,
                 void *context, bool *ret_first);

void waiters_finish(struct waiters *waiters, const char *id); /* calls all of that id: true */

/* Call those that are due with false. Returns the next deadline, or -1 when nobody waits. */
int64_t waiters_expire(struct waiters *waiters, int64_t now_us);

void waiters_give_up(struct waiters *waiters); /* calls all with false */

#endif
