#include "api/attempts.h"

#define MINUTE_US INT64_C(60000000)

void attempts_init(struct attempts *attempts)
{
    pthread_mutex_init(&attempts->lock, NULL);
    attempts->minute_us = 0;
    attempts->count = 0;
}

void attempts_done(struct attempts *attempts)
{
    pthread_mutex_destroy(&attempts->lock);
}

bool attempts_take(struct attempts *attempts, int64_t now_us, int *ret_wait_s)
{
    bool taken;

    pthread_mutex_lock(&attempts->lock);
    if (attempts->count == 0 || now_us - attempts->minute_us >= MINUTE_US) {
        attempts->minute_us = now_us;
        attempts->count = 0;
    }
    taken = attempts->count < ATTEMPTS_PER_MINUTE;
    attempts->count += taken;
    if (!taken)
        *ret_wait_s = (int)((attempts->minute_us + MINUTE_US - now_us + 999999) / 1000000);
    pthread_mutex_unlock(&attempts->lock);
    return taken;
}

void attempts_give_back(struct attempts *attempts)
{
    pthread_mutex_lock(&attempts->lock);
    if (attempts->count > 0)
        attempts->count--;
    pthread_mutex_unlock(&attempts->lock);
}
