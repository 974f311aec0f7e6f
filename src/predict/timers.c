/* Timers: everything that happens because time has passed, once per round of the supervisor:
 * runners' deadlines, unloading what is unused, measuring memory, repeating failed writes, waiters,
 * predictions' deadlines, looking for leftovers. There is no list of timers: lanes and runners are
 * few, so each round looks at them all and says when the next one is due; waiters and predictions'
 * deadlines are many and stand in heaps. Supervisor thread. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/work.h"
#include "predict/predict_private.h"
#include "queue/queue.h"
#include "registry/registry.h"

#define SLEEP_MAX_MS 60000
#define CLOSING_ROUND_MS 50
#define EXPIRE_AGAIN_MS 100      /* one that is between two places when its time is over */
#define EXPIRE_PER_ROUND_MAX 256 /* then others have their turn */

static void earlier(int64_t *next_us, int64_t us)
{
    if (us > 0 && (*next_us < 0 || us < *next_us))
        *next_us = us;
}

static void measure(struct predict *predict, int64_t now_us, int64_t *next_us)
{
    bool active = false, due = now_us - predict->measured_us >= MEASURE_INTERVAL_MS * 1000;
    for (struct runner *runner = predict->runners; runner; runner = runner->next) {
        if (runner->state != RUNNER_BUSY && runner->state != RUNNER_STARTING)
            continue;
        active = true;
        if (!due)
            continue;
        memory_measure(predict, runner);
        if (runner->resident_bytes > predict->memory_budget_bytes)
            supervisor_stop_runner(predict, runner, STOP_MEMORY);
    }
    if (due)
        predict->measured_us = now_us;
    if (active)
        earlier(next_us, predict->measured_us + MEASURE_INTERVAL_MS * 1000);
}

static void run_runner_timers(struct predict *predict, int64_t now_us, int64_t *next_us)
{
    const int64_t idle_us = predict->options.idle_timeout_s * INT64_C(1000000);
    for (struct runner *runner = predict->runners; runner; runner = runner->next) {
        if (runner->deadline_us > 0 && runner->deadline_us <= now_us) {
            supervisor_stop_runner(predict, runner, runner->deadline_reason);
        } else if (runner->state == RUNNER_IDLE && idle_us > 0 && !runner->lane->waiting &&
                   !memory_is_kept(predict, runner)) {
            if (runner->idle_since_us + idle_us <= now_us)
                supervisor_unload_runner(predict, runner, STOP_UNUSED);
            else
                earlier(next_us, runner->idle_since_us + idle_us);
        }
        earlier(next_us, runner->deadline_us);
    }
}

static void earlier_if_ahead(int64_t *next_us, int64_t us, int64_t now_us)
{
    if (us > now_us)
        earlier(next_us, us);
}

static void run_lane_timers(struct predict *predict, int64_t now_us, int64_t *next_us)
{
    for (struct lane *lane = predict->lanes; lane; lane = lane->next) {
        bool work = dispatch_has_work(predict, lane);
        if (lane->wanted)
            earlier(next_us, lane->wanted_until_us);
        if (!work && lane->min_runners == 0 && !lane->wanted)
            continue;
        earlier_if_ahead(next_us, lane->not_before_us, now_us);
        earlier_if_ahead(next_us, lane->fail_until_us, now_us);
        if (lane->min_runners > 0)
            earlier_if_ahead(next_us, lane->keep_not_before_us, now_us);
        if (lane->blocked_since_us > 0)
            earlier(next_us, now_us + 1000000);
        if (lane->unset_since_us > 0)
            earlier(next_us, lane->unset_since_us + DEPLOYMENT_GRACE_MS * INT64_C(1000));
    }
}

/* ---- Predictions' deadlines ---------------------------------------------------------------- */

struct expired {
    char id[ID_PREDICTION_LEN + 1];
    char *lane; /* of one that is queued; NULL: it has a run. Owned */
};

/* Take the first one that is due out of the heap. */
static bool take_expired(struct predict *predict, int64_t now_us, struct expired *ret_expired)
{
    pthread_mutex_lock(&predict->lock);
    struct deadline *deadline = deadlines_first(&predict->deadlines);
    bool due = deadline && deadline->at_us <= now_us;
    if (due) {
        struct live *live =
            (struct live *)(void *)((char *)deadline - offsetof(struct live, deadline));
        deadlines_remove(&predict->deadlines, deadline);
        live->expired = live->cancel = true;
        memcpy(ret_expired->id, live->entry.id, sizeof ret_expired->id);
        ret_expired->lane = NULL;
        if (live->run)
            live->run->expired = true;
        else
            ret_expired->lane = strdup(live->deployment[0] ? live->deployment : live->version->id);
    }
    pthread_mutex_unlock(&predict->lock);
    return due;
}

static void expire_again(struct predict *predict, const char *id, int64_t now_us)
{
    pthread_mutex_lock(&predict->lock);
    struct live *live = predict_live_find(predict, id);
    /* When memory is short it ends when it leaves the queue. */
    if (live)
        deadlines_put(&predict->deadlines, &live->deadline, now_us + EXPIRE_AGAIN_MS * 1000);
    pthread_mutex_unlock(&predict->lock);
}

/* One in the queue ends here; one that is not (its insert or its cancel is being stored) is looked
 * at again. */
static void expire_queued(struct predict *predict, const struct expired *expired, int64_t now_us)
{
    struct queue *queue = predict->options.queue;
    bool again = true;
    struct lane *lane = dispatch_lane_of(predict, expired->lane);
    if (lane && queue_remove(queue, expired->lane, expired->id)) {
        struct run *run = dispatch_attach(predict, lane, expired->id, &again);
        if (run)
            dispatch_end_canceled(run);
        else if (again)
            queue_push(queue, expired->lane, expired->id, true, false);
    }
    if (again)
        expire_again(predict, expired->id, now_us);
}

static void run_deadlines(struct predict *predict, int64_t now_us, int64_t *next_us)
{
    struct expired expired;
    int count = 0;
    if (predict->closing_begun)
        return; /* the next start sees that their time is over */
    while (count++ < EXPIRE_PER_ROUND_MAX && take_expired(predict, now_us, &expired)) {
        if (expired.lane)
            expire_queued(predict, &expired, now_us);
        else
            mail_on_cancel(predict, expired.id);
        free(expired.lane);
    }
    pthread_mutex_lock(&predict->lock);
    struct deadline *deadline = deadlines_first(&predict->deadlines);
    int64_t at_us = deadline ? deadline->at_us : 0;
    pthread_mutex_unlock(&predict->lock);
    earlier(next_us, at_us);
}

/* ---- The round ----------------------------------------------------------------------------- */

static void run_reconcile(struct predict *predict, int64_t now_us, int64_t *next_us)
{
    if (predict->reconcile_us <= now_us) {
        predict->reconcile_us = now_us + RECONCILE_INTERVAL_MS * INT64_C(1000);
        if (!predict->closing_begun && !atomic_exchange(&predict->reconciling, true) &&
            !work_submit(predict->results_pool, leftovers_reconcile, predict))
            atomic_store(&predict->reconciling, false);
    }
    earlier(next_us, predict->reconcile_us);
}

static void run_retries(struct predict *predict, int64_t now_us, int64_t *next_us)
{
    struct run *run = predict->retries, *next;
    predict->retries = NULL;
    for (; run; run = next) {
        next = run->retry_next;
        if (run->retry_us <= now_us) {
            run->retry_next = NULL;
            lifecycle_retry(run);
        } else {
            run->retry_next = predict->retries;
            predict->retries = run;
        }
    }
    for (run = predict->retries; run; run = run->retry_next)
        earlier(next_us, run->retry_us);
}

int timers_run(struct predict *predict)
{
    int64_t now_us = clock_monotonic_us();
    int64_t next_us = -1;
    run_runner_timers(predict, now_us, &next_us);
    run_lane_timers(predict, now_us, &next_us);
    run_deadlines(predict, now_us, &next_us);
    run_reconcile(predict, now_us, &next_us);
    measure(predict, now_us, &next_us);
    run_retries(predict, now_us, &next_us);
    earlier(&next_us, waiters_expire(predict->waiters, now_us));
    if (predict->closing_begun)
        earlier(&next_us, now_us + CLOSING_ROUND_MS * 1000);
    if (next_us < 0 || next_us - now_us > SLEEP_MAX_MS * 1000)
        return SLEEP_MAX_MS;
    return next_us <= now_us ? 0 : (int)((next_us - now_us + 999) / 1000);
}
