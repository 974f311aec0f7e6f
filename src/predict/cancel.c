/* Cancel, and the end of predictions that have no run; waiting for an end.
 *
 * A wish is stored first. Then: one that is queued is taken out and ends here, one that has a run
 * is told through the supervisor's mail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "predict/accounting.h"
#include "predict/predict_private.h"
#include "queue/queue.h"
#include "registry/registry.h"

/* ---- Ends without a run -------------------------------------------------------------------- */

static bool store_end(struct predict *predict, const struct prediction *record,
                      enum prediction_status status, const char *error, struct err *err)
{
    char metrics[96];
    struct accounting accounting = { 0 };
    int64_t now_us = clock_now_us(), total_us = now_us - record->created_us;
    snprintf(metrics, sizeof metrics, "{\"predict_time\":0.0,\"total_time\":%.6f}",
             total_us > 0 ? (double)total_us / 1e6 : 0.0);
    struct store_write write = {
        .kind = STORE_PREDICTION_MOVE,
        .move = { .id = record->id,
                  .from = 1u << PREDICTION_STARTING |
                          (status == PREDICTION_ABORTED ? 0 : 1u << PREDICTION_PROCESSING),
                  .to = status,
                  .completed_us = now_us,
                  .metrics = str_from(metrics),
                  .error = error },
    };
    accounting_fill(&accounting, &write, record,
                    registry_resolve(predict->options.registry, str_from(record->version)), 0, 0);
    if (!training_take_back(predict, record, err) ||
        !store_write_wait(predict->options.store, &write, err))
        return false;
    if (write.applied)
        accounting_applied(predict, &accounting, record, &write);
    predict_live_remove(predict, record->id);
    if (write.applied)
        listener_tell(predict, record, PREDICT_COMPLETED);
    return true;
}

bool cancel_end_unstarted(struct predict *predict, const char *id, enum prediction_status status,
                          const char *error, struct err *err)
{
    struct arena arena;
    struct prediction record;
    arena_init(&arena, RECORD_BYTES_MAX);
    bool ok = store_prediction_get(predict->options.store, NULL, id, &arena, &record, err);
    /* Whoever found it unfinished may have looked a while ago. */
    if (ok && !prediction_status_is_terminal(record.status))
        ok = store_end(predict, &record, status, error, err);
    arena_done(&arena);
    return ok;
}

/* ---- Cancel -------------------------------------------------------------------------------- */

/* Note the wish where a run sees it. False: it is queued, and was taken out of the queue's lane. */
static bool wish_cancel(struct predict *predict, const struct prediction *prediction,
                        struct mail *mail, const char **ret_lane)
{
    const char *id = prediction->id;
    pthread_mutex_lock(&predict->lock);
    struct live *live = predict_live_find(predict, id);
    bool queued = live && !live->run;
    /* When its deployment is gone, the version's lane has it. */
    *ret_lane = live && live->deployment[0] ? predict_lane_name(prediction) : prediction->version;
    if (live)
        live->cancel = true;
    if (live && live->run)
        atomic_store(&live->run->canceled, true); /* stops a fetch at once */
    pthread_mutex_unlock(&predict->lock);
    if (queued && queue_remove(predict->options.queue, *ret_lane, id))
        return false;
    mail->kind = MAIL_CANCEL;
    str_copy(str_from(id), mail->id, sizeof mail->id);
    predict_post(predict, mail);
    return true;
}

bool predict_cancel(struct predict *predict, const char *account, const char *id,
                    struct arena *arena, struct prediction *ret_prediction, struct err *err)
{
    struct prediction prediction;
    const char *lane;
    if (!store_prediction_get(predict->options.store, account, id, arena, &prediction, err))
        return false;
    if (prediction_status_is_terminal(prediction.status)) {
        *ret_prediction = prediction;
        return true;
    }
    struct store_write write = { .kind = STORE_PREDICTION_CANCEL_REQUEST, .id = prediction.id };
    struct mail *mail = calloc(1, sizeof *mail);
    if (!mail)
        return err_set(err, ERR_NO_MEMORY, "There is no memory to cancel the prediction.");
    if (!store_write_wait(predict->options.store, &write, err)) {
        free(mail);
        return false;
    }
    if (!wish_cancel(predict, &prediction, mail, &lane)) {
        free(mail);
        if (!store_end(predict, &prediction, PREDICTION_CANCELED, NULL, err)) {
            /* It must end all the same: the lane sees the wish when it takes it up. */
            queue_push(predict->options.queue, lane, id, true, false);
            predict_wake(predict);
            return false;
        }
    }
    return predict_get(predict, account, id, arena, ret_prediction, err);
}

/* ---- Wait ---------------------------------------------------------------------------------- */

void predict_wait(struct predict *predict, const char *id, int timeout_ms, predict_waited *done,
                  void *context)
{
    bool first = false, added = false;
    int64_t deadline_us = clock_monotonic_us() + timeout_ms * INT64_C(1000);
    pthread_mutex_lock(&predict->lock);
    bool unfinished = predict_live_find(predict, id) != NULL;
    /* Under the lock: whoever ends it takes it out of the table first, then looks for waiters. */
    if (unfinished && !predict->closing)
        added = waiters_add(predict->waiters, id, deadline_us, done, context, &first);
    pthread_mutex_unlock(&predict->lock);
    if (!added)
        done(context, !unfinished);
    else if (first)
        predict_wake(predict);
}
