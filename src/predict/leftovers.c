/* Leftovers: the predictions that nobody runs though they have not ended: those that an earlier
 * process accepted, once at the start; and, once a minute, any that the store has and this process
 * does not know of (orphans: there should be none). And the blobs that an earlier process stored
 * without storing their records, or the reverse: ownership.h.
 *
 *   a cancel was wished, or its deadline has passed    -> CANCELED (or ABORTED)
 *   given to runners too often, or its version is gone -> FAILED with the reason
 *   it was running            -> back to STARTING, and into the queue (attempts stay counted)
 *   it was queued             -> into the queue
 *
 * At the start it runs before the supervisor does, and all moves are on disk when it returns. Later
 * on the results pool. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "blob/blob.h"
#include "domain/limits.h"
#include "predict/ownership.h"
#include "predict/predict_private.h"
#include "queue/queue.h"
#include "registry/registry.h"

#define ORPHAN_AGE_US INT64_C(60000000) /* younger ones may be on their way into the live table */
#define ORPHANS_PER_ROUND_MAX 256       /* the others in the next minute */

struct leftover {
    char id[ID_PREDICTION_LEN + 1];
    char version[128];
    char *deployment; /* NULL: none */
    enum prediction_status status;
    int attempts;
    bool cancel;
    int64_t deadline_us;
    struct store_write write;
};

struct leftovers {
    struct predict *predict;
    struct leftover *all;
    size_t count, capacity;
    int64_t orphans_before_us; /* only what is older and nobody knows of; 0: all */
    bool no_memory;
};

static bool is_orphan(const struct leftovers *leftovers, const struct prediction *prediction)
{
    struct predict *predict = leftovers->predict;
    if (prediction->created_us >= leftovers->orphans_before_us)
        return false;
    pthread_mutex_lock(&predict->lock);
    bool known = predict_live_find(predict, prediction->id) != NULL;
    pthread_mutex_unlock(&predict->lock);
    return !known;
}

static bool on_leftover(void *context, const struct prediction *prediction)
{
    struct leftovers *leftovers = context;
    if (leftovers->orphans_before_us > 0) {
        if (!is_orphan(leftovers, prediction))
            return true;
        if (leftovers->count == ORPHANS_PER_ROUND_MAX)
            return false;
    }
    if (leftovers->count == leftovers->capacity) {
        size_t capacity = leftovers->capacity ? leftovers->capacity * 2 : 256;
        struct leftover *all = realloc(leftovers->all, capacity * sizeof *all);
        if (!all) {
            leftovers->no_memory = true;
            return false;
        }
        leftovers->all = all;
        leftovers->capacity = capacity;
    }
    struct leftover *one = &leftovers->all[leftovers->count++];
    *one = (struct leftover){ .status = prediction->status,
                              .attempts = prediction->attempts,
                              .cancel = prediction->cancel_requested,
                              .deadline_us = prediction->deadline_us };
    str_copy(str_from(prediction->id), one->id, sizeof one->id);
    str_copy(str_from(prediction->version), one->version, sizeof one->version);
    if (prediction->deployment && !(one->deployment = strdup(prediction->deployment)))
        leftovers->no_memory = true;
    return !leftovers->no_memory;
}

/* ---- One ----------------------------------------------------------------------------------- */

static void on_leftover_moved(struct store_write *write)
{
    struct predict *predict = write->context;
    if (!write->ok)
        log_error(LOG_ERROR, "leftover_not_moved", &write->err, "id=%s", write->move.id);
    predict_write_finished(predict);
}

/* Back to STARTING. At the start it is not waited for: there are many, and writes about one
 * prediction are done in their order. */
static void requeue_leftover(struct predict *predict, struct leftover *one, bool wait)
{
    struct err err = { 0 };
    one->write = (struct store_write){
        .kind = STORE_PREDICTION_MOVE,
        .move = { .id = one->id,
                  .from = 1u << PREDICTION_PROCESSING,
                  .to = PREDICTION_STARTING,
                  .clear_started = true },
        .done = on_leftover_moved,
        .context = predict,
    };
    if (!wait)
        predict_write_submit(predict, &one->write);
    else if (!store_write_wait(predict->options.store, &one->write, &err))
        log_error(LOG_ERROR, "leftover_not_moved", &err, "id=%s", one->id);
}

static void end_leftover(struct predict *predict, const struct leftover *one,
                         enum prediction_status status, const char *error)
{
    struct err err = { 0 };
    if (!cancel_end_unstarted(predict, one->id, status, error, &err))
        log_error(LOG_ERROR, "leftover_not_moved", &err, "id=%s", one->id);
}

static bool is_over(struct predict *predict, const struct leftover *one)
{
    bool expired = one->deadline_us > 0 && one->deadline_us <= clock_now_us();
    bool unstarted = one->status == PREDICTION_STARTING && one->attempts == 0;
    if (!one->cancel && !expired)
        return false;
    end_leftover(predict, one,
                 !one->cancel && unstarted && predict->options.abort_unstarted
                     ? PREDICTION_ABORTED
                     : PREDICTION_CANCELED,
                 NULL);
    return true;
}

static bool take_up_leftover(struct predict *predict, struct leftover *one, bool wait)
{
    char error[160] = "";
    const struct registry_version *version =
        registry_resolve(predict->options.registry, str_from(one->version));
    if (is_over(predict, one))
        return true;
    if (!version)
        snprintf(error, sizeof error, "This model version is no longer on the server.");
    else if (one->attempts >= LIMIT_ATTEMPTS)
        snprintf(error, sizeof error, "The prediction was interrupted %d times and was given up.",
                 one->attempts);
    if (error[0]) {
        end_leftover(predict, one, PREDICTION_FAILED, error);
        return true;
    }
    if (one->status == PREDICTION_PROCESSING)
        requeue_leftover(predict, one, wait);
    return predict_live_add(predict, one->id, version, one->deployment, one->deadline_us) &&
           queue_push(predict->options.queue, one->deployment ? one->deployment : version->id,
                      one->id, false, false);
}

/* ---- All ----------------------------------------------------------------------------------- */

static bool take_up_all(struct leftovers *leftovers, struct err *err)
{
    struct predict *predict = leftovers->predict;
    bool ok = store_prediction_unfinished(predict->options.store, on_leftover, leftovers, err);
    bool enough = !leftovers->no_memory;
    for (size_t i = 0; ok && enough && i < leftovers->count; i++)
        enough = take_up_leftover(predict, &leftovers->all[i], leftovers->orphans_before_us > 0);
    if (ok && leftovers->count > 0)
        predict_wake(predict); /* else they wait for the first request */
    if (ok && !enough)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the unfinished predictions.");
    return ok;
}

static void leftovers_done(struct leftovers *leftovers)
{
    for (size_t i = 0; i < leftovers->count; i++)
        free(leftovers->all[i].deployment);
    free(leftovers->all);
}

bool leftovers_take_up(struct predict *predict, struct err *err)
{
    struct leftovers leftovers = { .predict = predict };
    struct store *store = predict->options.store;
    bool ok = blob_settle(predict->options.blobs, ownership_of, store, err) &&
              take_up_all(&leftovers, err);
    if (ok && leftovers.count > 0)
        log_event(LOG_INFO, "leftovers", "count=%zu", leftovers.count);
    predict_write_wait(predict); /* the writes live in the array */
    leftovers_done(&leftovers);
    return ok;
}

void leftovers_reconcile(void *context)
{
    struct predict *predict = context;
    struct leftovers leftovers = { .predict = predict,
                                   .orphans_before_us = clock_now_us() - ORPHAN_AGE_US };
    struct err err = { 0 };
    if (!take_up_all(&leftovers, &err))
        log_error(LOG_ERROR, "orphans_not_adopted", &err, "count=%zu", leftovers.count);
    for (size_t i = 0; i < leftovers.count; i++)
        log_event(LOG_WARN, "orphan_adopted", "id=%s", leftovers.all[i].id);
    leftovers_done(&leftovers);
    atomic_store(&predict->reconciling, false);
}
