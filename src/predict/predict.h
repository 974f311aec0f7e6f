/* The heart: the life of predictions. Takes them in (stored before they are acknowledged), queues
 * them, has them run by runner processes, applies what runners say to the one state machine, and
 * tells everyone who waits.
 *
 *   create -> STARTING -> PROCESSING -> SUCCEEDED | FAILED | CANCELED
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

struct blob_store;
struct predict;
struct queue;
struct registry;
struct registry_version;
struct store;

struct predict_options {
    struct store *store; /* all borrowed; must outlive predict */
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
};

bool predict_new(const struct predict_options *options, struct predict **ret_predict,
                 struct err *err); /* requeues what an earlier process left; starts its threads */

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
    /* NULL, or called on the caller's thread before the write is handed over, with the record as it
     * will be stored: the time to make the answer that `done` gives when the write is on disk. */
    void (*prepared)(void *context, const struct prediction *prediction);
};

/* Called once. ok: *prediction is what was stored (borrowed during the call). Not ok: err, e.g.
 * ERR_RATE_LIMITED when the version's lane is full. */
typedef void predict_created(void *context, const struct prediction *prediction,
                             const struct err *err);
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

/* Call done(context, finished) once: when the prediction is terminal and stored (finished true), or
 * when timeout_ms is over. May be called at once on this thread. */
typedef void predict_waited(void *context, bool finished);
void predict_wait(struct predict *predict, const char *id, int timeout_ms, predict_waited *done,
                  void *context);

/* What runs now, for /metrics, `mimeo models` and tests: calls each() for every live runner. */
struct predict_runner_info {
    const char *version, *model, *state;
    int pid;
    int64_t resident_bytes;
    const char *prediction; /* NULL: idle */
};
void predict_each_runner(struct predict *predict,
                         void (*each)(void *context, const struct predict_runner_info *info),
                         void *context);

#endif
