/* A small pool of threads for work that may block: reads of the store, files, fetches. */
#ifndef MIMEO_BASE_WORK_H
#define MIMEO_BASE_WORK_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct work_pool;

/* queue_max: jobs that may wait; beyond it work_submit refuses. Free with work_pool_free, which
 * runs what is queued and joins. */
bool work_pool_new(const char *name, int threads, size_t queue_max, struct work_pool **ret_pool,
                   struct err *err);
void work_pool_free(struct work_pool *pool);

/* Run function(context) on a pool thread. False when the queue is full (nothing is run).
 * Any thread. */
bool work_submit(struct work_pool *pool, void (*function)(void *context), void *context);

#endif
