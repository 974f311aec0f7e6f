/* Mail: what other threads tell the supervisor about runs: their inputs are ready, a write failed,
 * their end is stored, somebody wants them canceled. Supervisor thread, but for predict_post
 * (predict.c), which puts it into the box. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "predict/predict_private.h"

static void set_ready(struct predict *predict, struct run *run)
{
    pthread_mutex_lock(&predict->lock);
    run->stage = RUN_READY;
    run->prepared_us = clock_now_us();
    pthread_mutex_unlock(&predict->lock);
}

static void on_prepared(struct predict *predict, struct run *run)
{
    char error[sizeof run->error];
    predict->preparing--;
    if (predict->closing_begun) {
        dispatch_lane_remove(run->lane, run);
        lifecycle_drop(run);
        return;
    }
    /* The record cannot be read: the store's trouble, not the prediction's. */
    if (!run->prepared_ok && !run->has_record && run->prepare_err.kind != ERR_NOT_FOUND) {
        log_error(LOG_ERROR, "prediction_not_read", &run->prepare_err, "id=%s", run->id);
        predict->preparing++;
        lifecycle_retry_later(run, RETRY_PREPARE);
        return;
    }
    bool keep = run->prepared_ok && !run->doomed && !atomic_load(&run->canceled) &&
                !prediction_status_is_terminal(run->record.status);
    if (keep) {
        set_ready(predict, run);
        return;
    }
    dispatch_lane_remove(run->lane, run);
    if (!run->has_record || prediction_status_is_terminal(run->record.status)) {
        predict_live_remove(predict, run->id);
        lifecycle_drop(run);
    } else if (atomic_load(&run->canceled)) {
        dispatch_end_canceled(run);
    } else {
        snprintf(error, sizeof error, "%s", run->doomed ? run->error : run->prepare_err.detail);
        lifecycle_end(run, PREDICTION_FAILED, error);
    }
}

/* The runner that has it; NULL when none has. */
static struct runner *runner_of(const struct predict *predict, const struct run *run)
{
    struct runner *runner = predict->runners;
    while (runner && runner->run != run)
        runner = runner->next;
    return runner;
}

void mail_on_cancel(struct predict *predict, const char *id)
{
    pthread_mutex_lock(&predict->lock);
    struct live *live = predict_live_find(predict, id);
    struct run *run = live ? live->run : NULL;
    pthread_mutex_unlock(&predict->lock);
    if (!run) /* queued (then live->cancel is seen when it leaves the queue) or ended */
        return;
    atomic_store(&run->canceled, true);
    if (run->stage == RUN_READY) {
        dispatch_lane_remove(run->lane, run);
        dispatch_end_canceled(run);
    } else if (run->stage == RUN_RUNNING) {
        struct runner *runner = runner_of(predict, run);
        if (runner)
            supervisor_cancel(predict, runner);
    }
}

/* The end of a run is stored, or was refused; either way the run is over. */
static void on_run_over(struct predict *predict, struct run *run)
{
    predict->ending--;
    if (run->requeue) {
        lifecycle_drop(run);
        return;
    }
    run->failures = 0;
    run->retry = RETRY_SETTLE;
    lifecycle_retry(run);
}

void mail_read(struct predict *predict)
{
    pthread_mutex_lock(&predict->lock);
    struct mail *mail = predict->mail, *next;
    predict->mail = NULL;
    predict->mail_end = &predict->mail;
    pthread_mutex_unlock(&predict->lock);
    for (; mail; mail = next) {
        next = mail->next; /* what it is about may be freed below */
        switch (mail->kind) {
        case MAIL_PREPARED:
            on_prepared(predict, mail->run);
            break;
        case MAIL_RETRY:
            lifecycle_retry_later(mail->run, mail->run->retry);
            break;
        case MAIL_OVER:
            on_run_over(predict, mail->run);
            break;
        case MAIL_CANCEL:
            mail_on_cancel(predict, mail->id);
            free(mail);
            break;
        case MAIL_WISH:
            manage_wish(predict, mail);
            break;
        }
    }
}
