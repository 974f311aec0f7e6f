/* What the files of predict/ share: the run of one prediction, lanes, runners, and the one lock.
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

#include "predict/logs.h"
#include "predict/predict.h"
#include "predict/runner_process.h"
#include "predict/table.h"
#include "predict/waiters.h"
#include "store/store.h"
#include "wire/message.h"

struct run;
struct work_pool;

#define PREPARE_AHEAD 3 /* predictions per lane whose inputs are made ready in advance */
#define LOAD_ATTEMPTS 3 /* failed loads in a row before a version's queue fails */
#define BACKOFF_FIRST_MS 250
#define BACKOFF_LOAD_MAX_MS 30000
#define BACKOFF_CRASH_MAX_MS 5000
#define FAILED_FOR_MS 1000      /* so long new predictions fail with the last load error at once */
#define STOP_GRACE_MS 2000      /* from a shutdown message to SIGKILL */
#define MEASURE_INTERVAL_MS 200 /* of a runner's memory */
#define FAIR_WAIT_MS 10000      /* then a lane without memory may take a busy lane's runner */
#define FOOTPRINT_UNKNOWN_BYTES ((int64_t)256 << 20)
#define OUTPUT_FILES_MAX 1000 /* of one prediction */
#define METRICS_MAX 64        /* of one prediction */

/* ---- Mail to the supervisor ---------------------------------------------------------------- */

enum mail_kind {
    MAIL_PREPARED, /* a run's inputs are ready, or failed */
    MAIL_RETRY,    /* a run's write failed */
    MAIL_ORPHANS,  /* a run's end was refused: its outputs belong to nobody */
    MAIL_CANCEL    /* by id; the mail is freed by the reader */
};

struct mail {
    struct mail *next;
    enum mail_kind kind;
    struct run *run;
    char id[ID_PREDICTION_LEN + 1];
};

/* ---- Predictions that have not ended ------------------------------------------------------- */

/* One unfinished prediction. In the live table from before its insert until its end is stored, so
 * whatever is not in the table has ended. (locked) */
struct live {
    struct table_entry entry; /* first, so that an entry is its live */
    const struct registry_version *version;
    struct run *run; /* NULL while it is queued */
    bool cancel;     /* wished */
};

enum run_stage {
    RUN_PREPARING, /* its inputs are made ready */
    RUN_READY,     /* waits for its lane's runner */
    RUN_RUNNING,   /* a runner has it */
    RUN_ENDING     /* its end is being stored */
};

enum run_retry { RETRY_PREPARE, RETRY_RESULT, RETRY_WRITE, RETRY_ORPHANS };

struct run_file {
    char name[WIRE_FILE_NAME_MAX];
    char ref[160]; /* BLOB_REF_MAX; "" until it is in the blob store */
};

/* A prediction from when it left the queue until its end is stored. Reference counted: one for the
 * supervisor's part, one for each write that is under way. */
struct run {
    struct run *next;       /* in its lane's list */
    struct run *retry_next; /* in the list of retries */
    struct mail mail;       /* a run has at most one mail under way */
    struct predict *predict;
    struct lane *lane;
    char id[ID_PREDICTION_LEN + 1];
    atomic_int references;
    atomic_bool canceled; /* somebody wishes it to stop */
    enum run_stage stage; /* (locked) */

    /* Made by lifecycle_prepare */
    struct arena arena;
    struct prediction record;
    bool has_record;
    json_t *input, *files;
    char folder[4200];
    bool prepared_ok;
    struct err prepare_err;
    bool doomed; /* its lane failed meanwhile: ends with `error` */

    /* What the runner said */
    bool started;
    bool started_stored; /* the started move was submitted, so an attempt was counted */
    int64_t started_us;  /* Unix time */
    int64_t started_monotonic_us;
    struct logs logs; /* (locked) */
    json_t *texts;    /* (locked) array of strings */
    size_t text_bytes;
    json_t *metrics; /* object */
    struct run_file *outputs;
    int output_count;
    enum wire_output form;
    double predict_seconds; /* below 0: not told */

    /* Its end */
    enum prediction_status status;
    bool requeue; /* not an end: back to the queue, for the next start of the server */
    char error[1024];
    int64_t completed_us;
    struct buf end_output, end_logs, end_metrics;
    struct store_write started_write, end_write;
    int failures; /* of what is retried */
    enum run_retry retry;
    int64_t retry_us;
};

/* ---- Runners ------------------------------------------------------------------------------- */

enum runner_state { RUNNER_STARTING, RUNNER_IDLE, RUNNER_BUSY, RUNNER_ENDING };

enum stop_reason { /* why the server stops a runner */
                   STOP_NONE,
                   STOP_UNUSED,
                   STOP_SERVER,
                   STOP_CANCEL,
                   STOP_RUN_TIMEOUT,
                   STOP_START_TIMEOUT,
                   STOP_FLOOD,
                   STOP_OUTPUT,
                   STOP_MEMORY,
                   STOP_PROTOCOL
};

enum watch_kind { WATCH_MAIL, WATCH_SOCKET, WATCH_PRINTED, WATCH_END };

struct runner;

struct watch { /* what an epoll event is about */
    enum watch_kind kind;
    struct runner *runner;
};

struct runner {
    struct runner *next; /* (locked) */
    struct lane *lane;
    struct runner_process process;
    enum runner_state state; /* (locked) */
    struct run *run;         /* (locked) NULL unless busy, or ending with one */
    int64_t resident_bytes;  /* (locked) */
    struct watch socket_watch, printed_watch, end_watch;
    struct wire_decoder decoder;
    struct buf out; /* frames not yet written */
    size_t out_done;
    bool said_hello;
    bool socket_open, printed_open;
    bool gone; /* collected; freed at the end of the round */
    bool was_ready;
    bool load_told; /* its failure to load was counted */
    bool yields;    /* another lane has waited long: do not give it the next one */
    enum wire_output form;
    enum stop_reason reason;
    enum stop_reason deadline_reason; /* what happens at deadline_us */
    int64_t deadline_us;              /* monotonic; 0: none */
    int64_t idle_since_us;
    size_t flood_bytes;     /* logs of the current run, or of the start */
    char printed_tail[512]; /* the last of what it printed outside of runs, for the log */
};

/* One model version: its queue's near end and its runner. Never freed before the end. */
struct lane {
    struct lane *next;
    const struct registry_version *version;
    char weights[4200];
    struct runner *runner;
    struct run *waiting; /* first in, first out: taken from the queue, not yet with the runner */
    int waiting_count;
    int64_t footprint_bytes;  /* the most its runner was seen to use; 0: not known */
    int load_failures;        /* in a row */
    int crashes;              /* in a row, while running */
    int64_t not_before_us;    /* no start before; monotonic */
    int64_t fail_until_us;    /* predictions fail with `error` until then */
    int64_t blocked_since_us; /* waits for memory; 0: does not */
    bool listed;
    char error[300];
};

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

/* ---- lifecycle.c: what an event means to a prediction -------------------------------------- */

struct run *lifecycle_run_new(struct predict *predict, struct lane *lane, const char *id);
void lifecycle_run_unref(struct run *run);
void lifecycle_abandon(void *run); /* its outputs belong to nobody: remove them, and unref */
void lifecycle_prepare(void *run); /* on the inputs pool; posts MAIL_PREPARED */
void lifecycle_started(struct run *run);
/* Supervisor: the run has ended so; what is left (outputs, the record) is done behind its back. */
void lifecycle_end(struct run *run, enum prediction_status status, const char *error);
void lifecycle_requeue(struct run *run); /* the server ends; the next start runs it again */
void lifecycle_drop(struct run *run);    /* it ended by other means, or stays as it is stored */
void lifecycle_retry(struct run *run);   /* do again what failed */
void lifecycle_retry_later(struct run *run, enum run_retry what);

/* ---- dispatch.c: which prediction runs next, and where ------------------------------------- */

void dispatch_all(struct predict *predict);
struct lane *dispatch_lane_of(struct predict *predict, const struct registry_version *version);
void dispatch_lane_remove(struct lane *lane, struct run *run);
/* A runner of the lane did not get ready. final: it would not the next time. */
void dispatch_load_failed(struct predict *predict, struct lane *lane, const char *error,
                          bool final);

/* ---- supervisor.c: the thread, the runners ------------------------------------------------- */

void *supervisor_thread(void *predict);
bool supervisor_start_runner(struct predict *predict, struct lane *lane, struct err *err);
void supervisor_assign(struct predict *predict, struct runner *runner, struct run *run);
void supervisor_stop_runner(struct predict *predict, struct runner *runner,
                            enum stop_reason reason); /* at once */
void supervisor_unload_runner(struct predict *predict, struct runner *runner,
                              enum stop_reason reason); /* an idle one, politely */
void supervisor_cancel(struct predict *predict, struct runner *runner);

/* ---- timers.c, leftovers.c ----------------------------------------------------------------- */

int timers_run(struct predict *predict); /* do what is due; ms until the next, for epoll_wait */
bool leftovers_take_up(struct predict *predict, struct err *err);

/* ---- events.c: frames from a runner -------------------------------------------------------- */

/* Handle what the decoder has. False: the runner broke the protocol. */
bool events_handle(struct predict *predict, struct runner *runner, struct err *err);
void events_printed(struct predict *predict, struct runner *runner, struct str bytes);

#endif
