/* The heart: the life of predictions. Takes them in (stored before they are acknowledged), queues
 * them, has them run by runner processes, applies what runners say to the one state machine, and
 * tells everyone who waits.
 *
 *   create -> STARTING -> PROCESSING -> SUCCEEDED | FAILED | CANCELED (or ABORTED, unstarted)
 *                ^             |
 *                +-- requeue --+   (its runner or the server died; attempts are counted)
 *
 * Invariants
 *  (1) create's callback says ok only after the row is on disk.
 *  (2) Every stored prediction reaches exactly one terminal state; the store's conditional move is
 *      the only judge, so a late or doubled event changes nothing.
 *  (3) A waiter is called exactly once.
 * Threads: predict_* may be called on any thread; callbacks come on the store's writer thread or
 * the supervisor thread and must not block. */
#ifndef MIMEO_PREDICT_PREDICT_H
#define MIMEO_PREDICT_PREDICT_H

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"
#include "domain/prediction.h"

struct accounts;
struct blob_store;
struct predict;
struct queue;
struct registry;
struct registry_version;
struct store;

/* One file that a training has learned. */
struct predict_weights {
    const char *name; /* as the model gave it: a plain file name */
    const char *path; /* to be left in place: copy it, or link to it */
};

/* A training has succeeded: make its version, of the model record->destination, with these files
 * (the main one first) as its weights folder. Called on a thread that may block, before the end is
 * stored, so whoever sees the end can use the version. Called again for the same record when the
 * server dies in between: a version made for that record id before is to be replaced. False: the
 * training fails with err (ERR_MODEL), or all of it is tried again (other kinds).
 * count 0: it has ended otherwise; what was made for it, if anything, is to be removed. Called
 * before that end is stored; false: tried again. */
typedef bool predict_trained(void *context, const struct prediction *record,
                             const struct predict_weights *weights, int count,
                             char ret_version_id[65], struct err *err);

struct predict_options {
    struct store *store;       /* all borrowed; must outlive predict */
    struct accounts *accounts; /* told of what runs cost; NULL: nobody */
    struct queue *queue;
    struct blob_store *blobs;
    const struct registry *registry;
    const char *data_folder;     /* work files go to <data_folder>/work */
    const char *runner_path;     /* the mimeo-runner executable */
    const char *weights_folder;  /* <weights_folder>/<owner>/<name> is a model's */
    const char *precision;       /* "f32" or "bf16" */
    int threads;                 /* per runner; 0: all cores */
    int idle_timeout_s;          /* unload a runner unused that long */
    int64_t memory_budget_bytes; /* for all runners; 0: from the machine */
    int start_timeout_s;         /* loading a model */
    int run_timeout_s;           /* one prediction; 0: none */
    int cancel_grace_ms;         /* from cancel to kill */
    bool allow_private_urls;
    bool abort_unstarted; /* a deadline before the start gives "aborted" instead of "canceled" */
    predict_trained *trained; /* NULL: outputs of trainings name no version */
    void *trained_context;
    bool picture_metadata; /* pictures among the outputs say how they were made (making.h) */
    int retention_s;       /* data of ended predictions of the API goes after that; 0: stays */
};

/* Something happened to a prediction that has a webhook; its filter is not asked. Called on any
 * thread, the supervisor's and the store's writer among them: must not block, nor call
 * predict_listen. PREDICT_COMPLETED: its end is stored, and its delivery is in the store's ledger
 * (when its filter asks for it). Of what ends at the start of the server nobody is told. */
enum predict_event { PREDICT_STARTED, PREDICT_OUTPUT, PREDICT_LOGS, PREDICT_COMPLETED };
typedef void predict_listener(void *context, const char *id, const struct prediction *record,
                              enum predict_event event);

bool predict_new(const struct predict_options *options, struct predict **ret_predict,
                 struct err *err); /* requeues what an earlier process left; starts its threads */

/* Does a webhook_events_filter (JSON array text; empty: the default, output and completed) ask for
 * an event? Pure. */
bool predict_wants(struct str events_filter, enum predict_event event);

/* Set (or, with NULL, take away) who is told of events. When it returns, nobody else is told. */
void predict_listen(struct predict *predict, predict_listener *listener, void *context);

/* Stop: no new runs, running ones get drain_ms to end and are else requeued for the next start;
 * runners are ended. Waiters are called with what is known. Then free. */
void predict_free(struct predict *predict, int drain_ms);

struct predict_request {
    const char *account;
    const struct registry_version *version;
    const json_t *input;                 /* validated object; borrowed during the call */
    const char *webhook;                 /* NULL: none */
    const json_t *webhook_events_filter; /* NULL: none */
    const char *source;                  /* "api" or "web" */
    const char *token;                   /* id of the caller's token, for the books; NULL */
    const char *base_url;                /* kept when there is a webhook: for links in its body */
    const char *deployment;              /* "owner/name": its lane, not the version's; NULL: none */
    const char *destination;             /* not NULL: a training, and the model it makes */
    int64_t deadline_after_us;           /* ends canceled so long after its creation; 0: none */
    const char *idempotency_key;         /* NULL: none */
    unsigned char request_hash[32];      /* with the key: what was asked */
    /* NULL, or called on the caller's thread before the write is handed over, with the record as it
     * will be stored: the time to make the answer that `done` gives when the write is on disk. */
    void (*prepared)(void *context, const struct prediction *prediction);
};

/* Called once. ok: *prediction is what was stored (borrowed during the call). Not ok: err, e.g.
 * ERR_RATE_LIMITED when the lane is full. Neither: the idempotency key was used before, and
 * `existing_id` is the prediction it made (ERR_CONFLICT instead when it asked for another thing).
 */
typedef void predict_created(void *context, const struct prediction *prediction,
                             const char *existing_id, const struct err *err);
void predict_create(struct predict *predict, const struct predict_request *request,
                    predict_created *done, void *context);

/* The record with its live state (logs and output of a running one). May block on the store.
 * account NULL: any. */
bool predict_get(struct predict *predict, const char *account, const char *id, struct arena *arena,
                 struct prediction *ret_prediction, struct err *err);

/* Cancel: queued ones end at once, running ones are told to stop and killed after the grace
 * period; terminal ones are left as they are. May block on the store until the wish (or the end)
 * is on disk. *ret_prediction is the record afterwards. */
bool predict_cancel(struct predict *predict, const char *account, const char *id,
                    struct arena *arena, struct prediction *ret_prediction, struct err *err);

/* Remove input, output, logs and output files of one that has ended, now; what remains says that it
 * was. Done before: fine. ERR_CONFLICT: it has not ended; ERR_NOT_FOUND. Blocks. */
bool predict_remove_data(struct predict *predict, const char *account, const char *id,
                         struct err *err);

/* Call done(context, finished) once: when the prediction is terminal and stored (finished true), or
 * when timeout_ms is over. May be called at once on this thread. */
typedef void predict_waited(void *context, bool finished);
void predict_wait(struct predict *predict, const char *id, int timeout_ms, predict_waited *done,
                  void *context);

/* ---- Following one prediction as it runs ----------------------------------------------------- */

/* Call changed(context) after each change of a prediction (start, output, logs, end), from any
 * thread, at any time until predict_unwatch has returned; it must not block, and must not call
 * predict_unwatch, which waits for it: so do not hold a lock there that it takes. A prediction that
 * has ended never changes again, so look (predict_news) after watching. NULL when memory is short.
 */
struct predict_watch;
struct predict_watch *predict_watch(struct predict *predict, const char *id,
                                    void (*changed)(void *context), void *context);
void predict_unwatch(struct predict *predict, struct predict_watch *watch); /* NULL is fine */

/* What has come since a position. */
struct predict_position {
    int outputs;  /* items of the output that were seen (an output that is no list is one item) */
    int64_t logs; /* bytes of the logs that were seen */
};
struct predict_news {
    json_t *outputs; /* array of the new items; files as "blob:<key>/<name>"; owned: json_decref */
    struct str logs; /* in the arena; what the limit on kept logs has cut out is skipped */
    struct predict_position next; /* the position after this news */
    bool more;                    /* there is more than limit_bytes: ask again from `next` */
    bool finished;                /* it has ended, and this is all of it */
    enum prediction_status status;
    const char *error; /* of a failed one; in the arena */
    bool data_removed;
};

/* About limit_bytes of news; of one that has ended, an eighth of all if that is more. Reads memory
 * while it runs, the store when it has ended (may block). ERR_NOT_FOUND. Any thread. */
bool predict_news(struct predict *predict, const char *id, const struct predict_position *since,
                  size_t limit_bytes, struct arena *arena, struct predict_news *ret_news,
                  struct err *err);

/* ---- Deployments ----------------------------------------------------------------------------- */

/* A deployment has a lane and runners of its own: min_runners are kept ready, up to max_runners are
 * started when predictions wait. Set it at the start of the server, when it is made and when it
 * changes (what runs goes on; what waits runs with the version it was made for; runners of another
 * version end when nothing waits for them). What an earlier process left in it waits
 * DEPLOYMENT_GRACE_MS for it to be set, and then runs in the version's own lane. Any thread. */
struct predict_deployment {
    const char *name; /* "owner/name" */
    const struct registry_version *version;
    int min_runners, max_runners; /* max 0: takes predictions, runs none */
};
bool predict_deployment_set(struct predict *predict, const struct predict_deployment *deployment,
                            struct err *err);
/* What waits in it, or is created in it later, ends failed. ERR_CONFLICT while something of it
 * runs. One that was never set is fine. */
bool predict_deployment_remove(struct predict *predict, const char *name, struct err *err);

/* What waits now: for /metrics. */
struct predict_lane_info {
    const char *model, *version;
    const char *deployment; /* NULL: the version's own lane */
    int waiting;            /* queued, or made ready */
    int64_t oldest_wait_us; /* how long the first of them has waited; 0: none */
};
void predict_each_lane(struct predict *predict,
                       void (*each)(void *context, const struct predict_lane_info *info),
                       void *context);

/* Totals since the start, for /metrics: ended runs by model and outcome with their compute and
 * queue times (histograms' sums). */
struct predict_totals_info {
    const char *model;
    int64_t succeeded, failed, canceled;
    int64_t predict_us, queue_us;
};
void predict_each_total(struct predict *predict,
                        void (*each)(void *context, const struct predict_totals_info *info),
                        void *context);

/* What runs now, for /metrics, `mimeo models` and tests: calls each() for every live runner. */
struct predict_runner_info {
    const char *version, *model, *state;
    int pid;
    int64_t resident_bytes;
    const char *prediction; /* NULL: idle */
    const char *account;    /* whose prediction that is; NULL: idle */
    const char *deployment; /* NULL: of the version's own lane */
};
void predict_each_runner(struct predict *predict,
                         void (*each)(void *context, const struct predict_runner_info *info),
                         void *context);

/* ---- Ends ----------------------------------------------------------------------------------- */

/* An end that is stored. */
struct predict_end {
    const char *model;
    enum prediction_status status;
    int64_t predict_us; /* computing */
    int64_t queue_us;   /* from create to start; -1: it never started */
};
/* Set (or, with NULL, take away) who is told of each end, on any thread: it must not block, nor
 * call predict. When it returns, nobody else is told. */
typedef void predict_ended(void *context, const struct predict_end *end);
void predict_on_end(struct predict *predict, predict_ended *ended, void *context);

#endif
