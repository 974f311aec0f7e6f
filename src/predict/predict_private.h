/* What the files of predict/ share: the whole, the one lock, and run.h, runner.h and lane.h.
 *
 * Threads
 *   callers'        predict_create, _get, _news, _cancel, _wait, _watch
 *   supervisor      lanes, runners, timers; all that is not said to be another's below
 *   inputs pool     one run in RUN_PREPARING at a time per thread: lifecycle_prepare
 *   results pool    runs in RUN_ENDING: lifecycle_store_result
 *   store's writer  done callbacks of writes: short, never blocking
 *
 * Locks: predict->lock guards the live table, the mailbox, the counters, and of runs and runners
 * what is marked (locked) below. It is never held while a caller's callback runs. The waiters and
 * the followers have locks of their own, which may be taken with predict->lock held, never the
 * other way round. */
#ifndef MIMEO_PREDICT_PRIVATE_H
#define MIMEO_PREDICT_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "predict/deadlines.h"
#include "predict/follow.h"
#include "predict/lane.h"
#include "predict/predict.h"
#include "predict/retention.h"
#include "predict/run.h"
#include "predict/runner.h"
#include "predict/table.h"
#include "predict/waiters.h"

struct work_pool;

#define MEASURE_INTERVAL_MS 200     /* of a runner's memory */
#define RECONCILE_INTERVAL_MS 60000 /* of the store with the live table */

struct predict {
    struct predict_options options; /* its strings are copies, in the arena */
    struct arena arena;
    char *work_folder;
    pthread_t thread;
    struct work_pool *inputs_pool, *results_pool;
    struct waiters *waiters;
    struct follow *follow;
    struct retention *retention;
    int epoll_fd, wake_fd;
    struct watch wake_watch;

    pthread_mutex_t lock;
    pthread_cond_t quiet;           /* signalled when writes becomes 0 */
    struct table live;              /* (locked) */
    struct deadlines deadlines;     /* (locked) of what is in the live table */
    struct deployment *deployments; /* (locked) */
    bool deployments_changed;       /* (locked) the supervisor has not looked yet */
    struct total *totals;           /* (locked) */
    struct footprint *footprints;   /* (locked) */
    struct mail *mail, **mail_end;  /* (locked) */
    int writes;                     /* (locked) under way, of creates and runs */
    struct creation *spare;         /* (locked) freed ones, for the next creates */
    int spare_count;                /* (locked) */
    bool closing;                   /* (locked) */
    int64_t drain_until_us;         /* (locked) */
    atomic_bool awake;              /* the supervisor was woken and has not looked yet */

    atomic_llong created;
    pthread_mutex_t ended_lock; /* held while `ended` is called */
    predict_ended *ended;
    void *ended_context;

    pthread_mutex_t listener_lock; /* held while the listener is called */
    predict_listener *listener;
    void *listener_context;

    struct runner *runners;     /* list (locked), changed by the supervisor only */
    struct runner *dead;        /* to be freed at the end of the round */
    struct lane *_Atomic lanes; /* list, added to by the supervisor only */
    struct run *settling;       /* (locked) see run->settling_next */
    struct lane **order;        /* dispatch's own */
    size_t order_count, order_capacity;
    struct run *retries;
    int ending;    /* runs in RUN_ENDING */
    int preparing; /* runs in RUN_PREPARING */
    int64_t memory_budget_bytes;
    int64_t measured_us;
    bool closing_begun; /* the supervisor has seen `closing` */
    int64_t oom_kills;
    int64_t reconcile_us;    /* when leftovers are looked for again; monotonic */
    atomic_bool reconciling; /* that is under way */
};

/* ---- predict.c ----------------------------------------------------------------------------- */

void predict_wake(struct predict *predict);                                    /* any thread */
void predict_post(struct predict *predict, struct mail *mail);                 /* any thread */
void predict_write_submit(struct predict *predict, struct store_write *write); /* counts it */
void predict_write_wait(struct predict *predict);     /* until none is under way */
void predict_write_finished(struct predict *predict); /* last thing a done callback does */
/* deployment NULL: none. deadline_us 0: none. */
bool predict_live_add(struct predict *predict, const char *id,
                      const struct registry_version *version, const char *deployment,
                      int64_t deadline_us);
struct live *predict_live_find(struct predict *predict, const char *id); /* lock held */
void predict_live_remove(struct predict *predict,
                         const char *id); /* and tell who waits or follows */
/* Its lane's name in the queue: the deployment's, or the version's id. */
const char *predict_lane_name(const struct prediction *prediction);

/* ---- create.c, cancel.c, listener.c -------------------------------------------------------- */

void create_free_spares(struct predict *predict);

/* End one that has no run and stands in no queue: canceled, aborted, or failed with the error. Its
 * record may say processing, when that was in an earlier process. Blocks until it is stored. */
bool cancel_end_unstarted(struct predict *predict, const char *id, enum prediction_status status,
                          const char *error, struct err *err);

/* Tell the listener, when the prediction has a webhook. No lock may be held. */
void listener_tell(struct predict *predict, const struct prediction *record,
                   enum predict_event event);

/* ---- progress.c ----------------------------------------------------------------------------- */

/* The moments of a run that has ended into run->end_timeline, as the record keeps them: those that
 * its own times do not say. */
#define PROGRESS_TIMELINE_BYTES_MAX 256
void progress_write_timeline(struct run *run);

/* ---- removal.c ------------------------------------------------------------------------------ */

/* A run whose end was stored: whoever removes its data waits until its outputs are in doubt no
 * more. Any thread. settled is fine for one that is not settling. */
void removal_settling(struct run *run);
void removal_settled(struct run *run);

/* ---- timers.c, leftovers.c ----------------------------------------------------------------- */

int timers_run(struct predict *predict); /* do what is due; ms until the next, for epoll_wait */
bool leftovers_take_up(struct predict *predict, struct err *err);
/* Results pool: take up what the store calls unfinished and nobody knows of. Blocks. */
void leftovers_reconcile(void *predict);

/* ---- deployments.c, totals.c --------------------------------------------------------------- */

/* Supervisor: give the lanes of deployments what was wished since the last time. */
void deployments_apply(struct predict *predict);
void deployments_free(struct predict *predict);
void totals_free(struct predict *predict);
/* A prediction's end is stored. started_us 0: it never ran. Any thread. */
void totals_count(struct predict *predict, const char *model, enum prediction_status status,
                  int64_t created_us, int64_t started_us, int64_t completed_us, int64_t predict_us);
/* ---- manage.c ------------------------------------------------------------------------------ */

struct wish; /* what somebody wishes of runners, and waits for */
void manage_wish(struct predict *predict, struct mail *mail); /* supervisor: do it and answer */
/* A runner of the model was seen to use that much. Lock held. */
void manage_note_footprint(struct predict *predict, const char *model, int64_t bytes);
void manage_free(struct predict *predict);

/* ---- training.c ---------------------------------------------------------------------------- */

/* Results pool: a training has succeeded and its files are blobs: have them made a version
 * (options.trained), and write the output into run->end_output. */
bool training_write_output(struct run *run, struct err *err);
/* Before an end that is no success is stored: a version that an attempt has made goes. Fine for
 * what is no training. Blocks. */
bool training_take_back(struct predict *predict, const struct prediction *record, struct err *err);

#endif
