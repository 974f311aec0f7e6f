/* What the files of predict/ share: the whole, the one lock, and run.h, runner.h and lane.h.
 *
 * Threads
 *   callers'        predict_create, _get, _cancel, _wait
 *   supervisor      lanes, runners, timers; all that is not said to be another's below
 *   inputs pool     one run in RUN_PREPARING at a time per thread: lifecycle_prepare
 *   results pool    runs in RUN_ENDING: lifecycle_store_result
 *   store's writer  done callbacks of writes: short, never blocking
 *
 * Locks: predict->lock guards the live table, the mailbox, the counters, and of runs and runners
 * what is marked (locked) below. It is never held while a caller's callback runs. The waiters have
 * a lock of their own, which may be taken with predict->lock held, never the other way round. */
#ifndef MIMEO_PREDICT_PRIVATE_H
#define MIMEO_PREDICT_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "predict/lane.h"
#include "predict/predict.h"
#include "predict/run.h"
#include "predict/runner.h"
#include "predict/table.h"
#include "predict/waiters.h"

struct work_pool;

#define MEASURE_INTERVAL_MS 200 /* of a runner's memory */

struct predict {
    struct predict_options options; /* its strings are the next three and copies */
    char *work_folder;
    char *text; /* holds copies of the options' strings */
    pthread_t thread;
    struct work_pool *inputs_pool, *results_pool;
    struct waiters *waiters;
    int epoll_fd, wake_fd;
    struct watch wake_watch;

    pthread_mutex_t lock;
    pthread_cond_t quiet;          /* signalled when writes becomes 0 */
    struct table live;             /* (locked) */
    struct mail *mail, **mail_end; /* (locked) */
    int writes;                    /* (locked) under way, of creates and runs */
    struct creation *spare;        /* (locked) freed ones, for the next creates */
    int spare_count;               /* (locked) */
    bool closing;                  /* (locked) */
    int64_t drain_until_us;        /* (locked) */
    atomic_bool awake;             /* the supervisor was woken and has not looked yet */

    struct runner *runners; /* list (locked), changed by the supervisor only */
    struct runner *dead;    /* to be freed at the end of the round */
    struct lane *lanes;
    struct lane **order; /* dispatch's own */
    size_t order_count, order_capacity;
    struct run *retries;
    int ending;    /* runs in RUN_ENDING */
    int preparing; /* runs in RUN_PREPARING */
    int64_t memory_budget_bytes;
    int64_t measured_us;
    bool closing_begun; /* the supervisor has seen `closing` */
    int64_t oom_kills;
};

/* ---- predict.c ----------------------------------------------------------------------------- */

void predict_wake(struct predict *predict);                                    /* any thread */
void predict_post(struct predict *predict, struct mail *mail);                 /* any thread */
void predict_write_submit(struct predict *predict, struct store_write *write); /* counts it */
void predict_write_wait(struct predict *predict); /* until none is under way */
bool predict_live_add(struct predict *predict, const char *id,
                      const struct registry_version *version);
void predict_write_finished(struct predict *predict); /* last thing a done callback does */
struct live *predict_live_find(struct predict *predict, const char *id); /* lock held */
void predict_live_remove(struct predict *predict, const char *id);       /* and tell who waits */

/* ---- timers.c, leftovers.c ----------------------------------------------------------------- */

int timers_run(struct predict *predict); /* do what is due; ms until the next, for epoll_wait */
bool leftovers_take_up(struct predict *predict, struct err *err);

#endif
