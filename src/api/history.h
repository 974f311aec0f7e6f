/* What the server did lately, for graphs: steps of 10 seconds over two hours and of two minutes
 * over a day, in memory only, filled by one thread and by what calls and predictions end with.
 *
 * Durations are counted in buckets that are each 15 % wider than the one before, so a quantile is
 * off by at most 7.5 % (below 0.1 ms by more). All steps together take under 3 MiB, whatever the
 * load. Private to api/. */
#ifndef MIMEO_API_HISTORY_H
#define MIMEO_API_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct err;
struct history;

/* What is as it is at a moment, asked about once a second. */
struct history_level {
    int waiting;          /* predictions */
    int64_t created;      /* predictions since the start */
    int64_t memory_bytes; /* of the server and its runners */
};

struct history_options {
    void (*look)(void *context, struct history_level *ret_level); /* on the history's thread */
    void *context;
    /* For tests: Unix time instead of the clock's, and no thread (history_tick). NULL: the clock.
     */
    int64_t (*now_us)(void);
};

bool history_new(const struct history_options *options, struct history **ret_history,
                 struct err *err);
void history_free(struct history *history); /* joins its thread; NULL is fine */

int64_t history_started_us(const struct history *history); /* Unix time of history_new */

/* A call was answered. status 0: the client had gone. A few additions under a lock; any thread. */
void history_request(struct history *history, int status, int64_t duration_us);

/* A prediction has ended. run_us below 0: it did not succeed, or how long it ran is not known;
 * queue_us below 0: it never began. Any thread. */
enum history_outcome { HISTORY_SUCCEEDED, HISTORY_FAILED, HISTORY_CANCELED };
void history_end(struct history *history, enum history_outcome outcome, int64_t run_us,
                 int64_t queue_us);

/* Look now, and begin the steps that are due: what the thread does once a second. */
void history_tick(struct history *history);

/* Append {"step_s":...,"points":[...]}, oldest first; the last one is still growing. day: the steps
 * of two minutes. Any thread. */
void history_write(struct history *history, bool day, struct buf *out);

#endif
