/* A pool of threads over one bounded ring of jobs, first in first out.
 * Not here: what the jobs do, or any order between jobs of one caller. */
#include "base/work.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

struct work_job {
    void (*function)(void *context);
    void *context;
};

struct work_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct work_job *jobs; /* a ring of `max` places */
    size_t first, count, max;
    bool stopping;
    char name[16]; /* what the kernel shows; its limit */
    int thread_count;
    pthread_t threads[];
};

static void *work_main(void *context)
{
    struct work_pool *pool = context;
    pthread_setname_np(pthread_self(), pool->name);
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->count == 0 && !pool->stopping)
            pthread_cond_wait(&pool->wake, &pool->lock);
        if (pool->count == 0)
            break;
        struct work_job job = pool->jobs[pool->first];
        pool->first = (pool->first + 1) % pool->max;
        pool->count--;
        pthread_mutex_unlock(&pool->lock);
        job.function(job.context);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Threads of a pool take no signals: those belong to the main thread. */
static int work_start(struct work_pool *pool, int threads)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int sys = 0;
    while (!sys && pool->thread_count < threads) {
        sys = pthread_create(&pool->threads[pool->thread_count], NULL, work_main, pool);
        pool->thread_count += sys == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return sys;
}

bool work_pool_new(const char *name, int threads, size_t queue_max, struct work_pool **ret_pool,
                   struct err *err)
{
    if (threads < 1 || queue_max < 1)
        return err_set(err, ERR_INVALID, "a pool needs at least one thread and one place");
    struct work_pool *pool = calloc(1, sizeof *pool + (size_t)threads * sizeof pool->threads[0]);
    struct work_job *jobs = calloc(queue_max, sizeof *jobs);
    if (!pool || !jobs) {
        free(pool);
        free(jobs);
        return err_set(err, ERR_NO_MEMORY, "not enough memory for a pool of threads");
    }
    pool->jobs = jobs;
    pool->max = queue_max;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    snprintf(pool->name, sizeof pool->name, "%s", name);
    int sys = work_start(pool, threads);
    if (sys) {
        work_pool_free(pool);
        return err_sys(err, ERR_UNAVAILABLE, sys, "no thread could be started");
    }
    *ret_pool = pool;
    return true;
}

void work_pool_free(struct work_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool->jobs);
    free(pool);
}

bool work_submit(struct work_pool *pool, void (*function)(void *context), void *context)
{
    pthread_mutex_lock(&pool->lock);
    bool room = pool->count < pool->max;
    if (room) {
        pool->jobs[(pool->first + pool->count) % pool->max] =
            (struct work_job){ function, context };
        pool->count++;
        pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    return room;
}
