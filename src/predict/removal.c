/* Removal: the data of one prediction goes when its owner says so, in the way of retention.c.
 *
 * When an end is stored its outputs are in doubt for a moment longer (lifecycle_settle). What is
 * removed is put in doubt, too; the one must not clear the other's doubt, or a crash in between
 * would leave files that nobody asks about. So removal waits until the end is settled. */
#include <unistd.h>

#include "base/clock.h"
#include "predict/predict_private.h"

#define SETTLE_WAIT_MS 5000 /* some milliseconds as a rule; the disk may be slow */
#define SETTLE_LOOK_MS 5

void removal_settling(struct run *run)
{
    struct predict *predict = run->predict;
    if (run->output_count == 0)
        return;
    pthread_mutex_lock(&predict->lock);
    run->settling_next = predict->settling;
    predict->settling = run;
    pthread_mutex_unlock(&predict->lock);
}

void removal_settled(struct run *run)
{
    struct predict *predict = run->predict;
    pthread_mutex_lock(&predict->lock);
    struct run **at = &predict->settling;
    while (*at && *at != run)
        at = &(*at)->settling_next;
    if (*at)
        *at = run->settling_next;
    pthread_mutex_unlock(&predict->lock);
}

/* Its end is stored. What is live nevertheless is just about to be told so, and then settles. */
static bool is_settling(struct predict *predict, const char *id)
{
    pthread_mutex_lock(&predict->lock);
    const struct run *run = predict->settling;
    while (run && !str_equal(str_from(run->id), str_from(id)))
        run = run->settling_next;
    const bool settling = run || predict_live_find(predict, id);
    pthread_mutex_unlock(&predict->lock);
    return settling;
}

static bool wait_until_settled(struct predict *predict, const char *id, struct err *err)
{
    const int64_t until_us = clock_monotonic_us() + SETTLE_WAIT_MS * INT64_C(1000);
    while (is_settling(predict, id)) {
        if (clock_monotonic_us() > until_us)
            return err_set(err, ERR_UNAVAILABLE,
                           "The prediction's files are still being stored; please try again.");
        usleep(SETTLE_LOOK_MS * 1000);
    }
    return true;
}

bool predict_remove_data(struct predict *predict, const char *account, const char *id,
                         struct err *err)
{
    struct arena arena;
    struct prediction record;
    arena_init(&arena, RECORD_BYTES_MAX);
    bool ok = store_prediction_get(predict->options.store, account, id, &arena, &record, err);
    if (ok && !prediction_status_is_terminal(record.status))
        ok = err_set(err, ERR_CONFLICT,
                     "The prediction has not ended: its data can be removed when it has.");
    if (ok && !record.data_removed)
        ok = wait_until_settled(predict, id, err) &&
             retention_remove(predict->retention, &record, err);
    arena_done(&arena);
    return ok;
}
