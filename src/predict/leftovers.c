/* Leftovers: the predictions that an earlier process accepted and did not end, and the blobs that
 * it stored without storing their records (or the reverse: ownership.h).
 *
 *   a cancel was wished       -> CANCELED
 *   given to runners too often, or its version is gone -> FAILED with the reason
 *   it was running            -> back to STARTING, and into the queue (attempts stay counted)
 *   it was queued             -> into the queue
 *
 * Runs once, before the supervisor starts; all moves are on disk when it returns. */
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

struct leftover {
    char id[ID_PREDICTION_LEN + 1];
    char version[128];
    enum prediction_status status;
    int attempts;
    bool cancel;
    int64_t created_us;
    char error[160];
    char metrics[96];
    struct store_write write;
};

struct leftovers {
    struct leftover *all;
    size_t count, capacity;
};

static bool on_leftover(void *context, const struct prediction *prediction)
{
    struct leftovers *leftovers = context;
    if (leftovers->count == leftovers->capacity) {
        size_t capacity = leftovers->capacity ? leftovers->capacity * 2 : 256;
        struct leftover *all = realloc(leftovers->all, capacity * sizeof *all);
        if (!all)
            return false;
        leftovers->all = all;
        leftovers->capacity = capacity;
    }
    struct leftover *one = &leftovers->all[leftovers->count++];
    *one = (struct leftover){ .status = prediction->status,
                              .attempts = prediction->attempts,
                              .cancel = prediction->cancel_requested,
                              .created_us = prediction->created_us };
    str_copy(str_from(prediction->id), one->id, sizeof one->id);
    str_copy(str_from(prediction->version), one->version, sizeof one->version);
    return true;
}

static void on_leftover_moved(struct store_write *write)
{
    struct predict *predict = write->context;
    if (!write->ok)
        log_error(LOG_ERROR, "leftover_not_moved", &write->err, "id=%s", write->move.id);
    predict_write_finished(predict);
}

static void move_leftover(struct predict *predict, struct leftover *one,
                          enum prediction_status status)
{
    bool again = status == PREDICTION_STARTING;
    int64_t now_us = clock_now_us();
    if (!again)
        snprintf(one->metrics, sizeof one->metrics, "{\"predict_time\":0.0,\"total_time\":%.6f}",
                 (double)(now_us - one->created_us) / 1e6);
    one->write = (struct store_write){
        .kind = STORE_PREDICTION_MOVE,
        .move = { .id = one->id,
                  .from = 1u << one->status,
                  .to = status,
                  .completed_us = again ? 0 : now_us,
                  .clear_started = again,
                  .metrics = str_from(one->metrics),
                  .error = one->error[0] ? one->error : NULL },
        .done = on_leftover_moved,
        .context = predict,
    };
    predict_write_submit(predict, &one->write);
}

static bool take_up_leftover(struct predict *predict, struct leftover *one)
{
    const struct registry_version *version =
        registry_resolve(predict->options.registry, str_from(one->version));
    if (one->cancel) {
        move_leftover(predict, one, PREDICTION_CANCELED);
        return true;
    }
    if (!version)
        snprintf(one->error, sizeof one->error, "This model version is no longer on the server.");
    else if (one->attempts >= LIMIT_ATTEMPTS)
        snprintf(one->error, sizeof one->error,
                 "The prediction was interrupted %d times and was given up.", one->attempts);
    if (one->error[0]) {
        move_leftover(predict, one, PREDICTION_FAILED);
        return true;
    }
    if (one->status == PREDICTION_PROCESSING)
        move_leftover(predict, one, PREDICTION_STARTING);
    return predict_live_add(predict, one->id, version) &&
           queue_push(predict->options.queue, version->id, one->id, false, false);
}

bool leftovers_take_up(struct predict *predict, struct err *err)
{
    struct leftovers leftovers = { 0 };
    struct store *store = predict->options.store;
    bool ok = blob_settle(predict->options.blobs, ownership_of, store, err) &&
              store_prediction_unfinished(store, on_leftover, &leftovers, err);
    bool enough = true;
    for (size_t i = 0; ok && enough && i < leftovers.count; i++)
        enough = take_up_leftover(predict, &leftovers.all[i]);
    predict_write_wait(predict); /* they live in the array */
    if (ok && leftovers.count > 0) {
        log_event(LOG_INFO, "leftovers", "count=%zu", leftovers.count);
        predict_wake(predict); /* else they wait for the first request */
    }
    free(leftovers.all);
    if (ok && !enough)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the unfinished predictions.");
    return ok;
}
