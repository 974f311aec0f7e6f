/* Guesses at sign-in codes: so many may fail in a minute, over all callers. A code is far too long
 * to be guessed; this keeps trying from costing anything. Private to api/. */
#ifndef MIMEO_API_ATTEMPTS_H
#define MIMEO_API_ATTEMPTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define ATTEMPTS_PER_MINUTE 10

struct attempts {
    pthread_mutex_t lock;
    int64_t minute_us; /* monotonic: when the minute under way began */
    int count;
};

void attempts_init(struct attempts *attempts);
void attempts_done(struct attempts *attempts);

/* Take one before the try. False: none is left for *ret_wait_s seconds. now_us: monotonic. Any
 * thread. */
bool attempts_take(struct attempts *attempts, int64_t now_us, int *ret_wait_s);
/* It succeeded: it does not count. */
void attempts_give_back(struct attempts *attempts);

#endif
