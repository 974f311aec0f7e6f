/* Run one function on several threads at once, and share out work among them.
 *
 * With OpenMP this is its thread team, which oneDNN uses too: a second pool would fight it for the
 * cores. Without OpenMP (thread sanitizer builds) threads are started for each call.
 * The function must not fail: whatever may fail is done before. */
#ifndef MIMEO_ENGINE_PARALLEL_H
#define MIMEO_ENGINE_PARALLEL_H

#include <stdatomic.h>

typedef void parallel_task(void *context, int thread); /* thread: 0 .. threads - 1 */

/* Call task once per thread and wait for all of them. Fewer threads than asked for may come, so
 * work is to be taken with parallel_next, never by thread number. threads <= 64. */
void parallel_run(int threads, parallel_task *task, void *context);

/* Call row(context, thread, y) for each y in 0 .. rows - 1, in any order, a few rows at a time. */
typedef void parallel_row(void *context, int thread, int y);
void parallel_rows(int threads, int rows, parallel_row *row, void *context);

/* Tell the thread team, and thereby oneDNN, how many threads the calling thread may use. */
void parallel_limit(int threads);

/* Take the next unit of work from a counter that starts at 0. */
static inline int parallel_next(atomic_int *counter)
{
    return atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

#endif
