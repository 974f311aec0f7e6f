#include "engine/parallel.h"

#ifdef _OPENMP

#include <omp.h>

void parallel_run(int threads, parallel_task *task, void *context)
{
    if (threads <= 1) {
        task(context, 0);
        return;
    }
#pragma omp parallel num_threads(threads)
    task(context, omp_get_thread_num());
}

void parallel_limit(int threads)
{
    if (omp_get_max_threads() != threads)
        omp_set_num_threads(threads);
}

#else

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>

#define PARALLEL_THREADS_MAX 64

struct parallel_start {
    parallel_task *task;
    void *context;
    int thread;
};

static void *parallel_main(void *argument)
{
    const struct parallel_start *start = argument;
    start->task(start->context, start->thread);
    return NULL;
}

void parallel_run(int threads, parallel_task *task, void *context)
{
    struct parallel_start starts[PARALLEL_THREADS_MAX];
    pthread_t ids[PARALLEL_THREADS_MAX];
    bool running[PARALLEL_THREADS_MAX] = { false };
    assert(threads <= PARALLEL_THREADS_MAX);
    for (int i = 1; i < threads; i++) {
        starts[i] = (struct parallel_start){ task, context, i };
        running[i] = pthread_create(&ids[i], NULL, parallel_main, &starts[i]) == 0;
    }
    task(context, 0);
    for (int i = 1; i < threads; i++)
        if (running[i])
            pthread_join(ids[i], NULL);
}

void parallel_limit(int threads)
{
    (void)threads;
}

#endif

#define PARALLEL_ROWS_PER_TURN 16 /* few enough for the threads to end together */

struct parallel_turns {
    parallel_row *row;
    void *context;
    int rows;
    atomic_int next;
};

static void parallel_rows_task(void *context, int thread)
{
    struct parallel_turns *turns = context;
    for (;;) {
        int first = parallel_next(&turns->next) * PARALLEL_ROWS_PER_TURN;
        if (first >= turns->rows)
            return;
        int left = turns->rows - first;
        int count = left < PARALLEL_ROWS_PER_TURN ? left : PARALLEL_ROWS_PER_TURN;
        for (int i = 0; i < count; i++)
            turns->row(turns->context, thread, first + i);
    }
}

void parallel_rows(int threads, int rows, parallel_row *row, void *context)
{
    struct parallel_turns turns = { .row = row, .context = context, .rows = rows };
    parallel_run(threads, parallel_rows_task, &turns);
}
