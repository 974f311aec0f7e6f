/* Dispatch: which prediction runs next, and on which runner.
 *
 * Each model version has a lane and at most one runner. A lane's predictions leave the queue in
 * order, a few ahead of the runner, so that their inputs are ready when it is. A lane without a
 * runner gets one when memory allows; else the runner that was idle the longest is unloaded for
 * it; else it waits, and after FAIR_WAIT_MS a busy lane's runner is not given its next prediction.
 *
 * Memory: each runner counts with the most its version was ever seen to use, so that a version
 * that was loaded once is judged by what it really needs. The first runner always may start.
 * Supervisor thread only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/work.h"
#include "predict/predict_private.h"
#include "queue/queue.h"
#include "registry/registry.h"

#define FAIL_AT_ONCE 256 /* of a failed lane's queue, per round */

/* ---- Lanes --------------------------------------------------------------------------------- */

struct lane *dispatch_lane_of(struct predict *predict, const struct registry_version *version)
{
    for (struct lane *lane = predict->lanes; lane; lane = lane->next) {
        if (lane->version == version)
            return lane;
    }
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane)
        return NULL;
    lane->version = version;
    snprintf(lane->weights, sizeof lane->weights, "%.3800s/%.300s",
             predict->options.weights_folder ? predict->options.weights_folder : "",
             version->model->full_name);
    lane->next = predict->lanes;
    predict->lanes = lane;
    return lane;
}

static void lane_append(struct lane *lane, struct run *run)
{
    struct run **at = &lane->waiting;
    while (*at)
        at = &(*at)->next;
    run->next = NULL;
    *at = run;
    lane->waiting_count++;
}

void dispatch_lane_remove(struct lane *lane, struct run *run)
{
    struct run **at = &lane->waiting;
    while (*at && *at != run)
        at = &(*at)->next;
    if (*at) {
        *at = run->next;
        run->next = NULL;
        lane->waiting_count--;
    }
}

/* ---- From the queue to the lane ------------------------------------------------------------ */

/* Note that the prediction left the queue. False: it ended while it was queued. */
static bool attach(struct predict *predict, struct run *run)
{
    pthread_mutex_lock(&predict->lock);
    struct live *live = predict_live_find(predict, run->id);
    if (live) {
        live->run = run;
        atomic_store(&run->canceled, live->cancel);
    }
    pthread_mutex_unlock(&predict->lock);
    return live != NULL;
}

/* Take the next one out of the queue. NULL: none, or no memory (then it is put back). */
static struct run *take_from_queue(struct predict *predict, struct lane *lane)
{
    char id[ID_PREDICTION_LEN + 1];
    while (queue_pop(predict->options.queue, lane->version->id, id)) {
        struct run *run = lifecycle_run_new(predict, lane, id);
        if (!run) {
            queue_push(predict->options.queue, lane->version->id, id, true, false);
            return NULL;
        }
        if (attach(predict, run))
            return run;
        lifecycle_run_unref(run);
    }
    return NULL;
}

static void fill_lane(struct predict *predict, struct lane *lane)
{
    while (lane->waiting_count < PREPARE_AHEAD) {
        struct run *run = take_from_queue(predict, lane);
        if (!run)
            return;
        if (atomic_load(&run->canceled)) {
            lifecycle_end(run, PREDICTION_CANCELED, NULL);
        } else if (!lane->version->model->native_model) {
            lifecycle_end(run, PREDICTION_FAILED, "No runner on this server has this model.");
        } else {
            lane_append(lane, run);
            predict->preparing++;
            if (!work_submit(predict->inputs_pool, lifecycle_prepare, run))
                lifecycle_retry_later(run, RETRY_PREPARE);
        }
    }
}

/* ---- Loads that fail ----------------------------------------------------------------------- */

/* End all that wait here, and (some of) what is queued. */
static void fail_waiting(struct predict *predict, struct lane *lane)
{
    struct run *run = lane->waiting, *next;
    for (; run; run = next) {
        next = run->next;
        if (run->stage == RUN_READY) {
            dispatch_lane_remove(lane, run);
            lifecycle_end(run, PREDICTION_FAILED, lane->error);
        } else {
            run->doomed = true;
            snprintf(run->error, sizeof run->error, "%s", lane->error);
        }
    }
    for (int i = 0; i < FAIL_AT_ONCE && (run = take_from_queue(predict, lane)); i++)
        lifecycle_end(run, PREDICTION_FAILED, lane->error);
    if (queue_length(predict->options.queue, lane->version->id) > 0)
        predict_wake(predict);
}

static int64_t backoff_us(int times, int64_t max_ms)
{
    int64_t wait_ms = (int64_t)BACKOFF_FIRST_MS << (times < 20 ? times : 20);
    return (wait_ms < max_ms ? wait_ms : max_ms) * 1000;
}

void dispatch_load_failed(struct predict *predict, struct lane *lane, const char *error, bool final)
{
    int64_t now_us = clock_monotonic_us();
    lane->load_failures++;
    snprintf(lane->error, sizeof lane->error, "%s", error);
    log_event(LOG_WARN, "load_failed", "model=%s times=%d final=%d error=\"%s\"",
              lane->version->model->full_name, lane->load_failures, final, error);
    if (!final)
        lane->not_before_us = now_us + backoff_us(lane->load_failures - 1, BACKOFF_LOAD_MAX_MS);
    if (final || lane->load_failures >= LOAD_ATTEMPTS) {
        lane->fail_until_us = now_us + FAILED_FOR_MS * 1000;
        fail_waiting(predict, lane);
    }
}

/* ---- Memory -------------------------------------------------------------------------------- */

static int64_t need_of(const struct lane *lane)
{
    return lane->footprint_bytes > 0 ? lane->footprint_bytes : FOOTPRINT_UNKNOWN_BYTES;
}

static bool has_work(struct predict *predict, const struct lane *lane)
{
    return lane->waiting || queue_length(predict->options.queue, lane->version->id) > 0;
}

/* The runner unused the longest whose lane has nothing to do; NULL when there is none. */
static struct runner *least_recently_used(struct predict *predict)
{
    struct runner *found = NULL;
    for (struct runner *runner = predict->runners; runner; runner = runner->next) {
        if (runner->state == RUNNER_IDLE && !has_work(predict, runner->lane) &&
            (!found || runner->idle_since_us < found->idle_since_us))
            found = runner;
    }
    return found;
}

/* May a runner for this lane start now? If not, see to it that it may later. */
static bool make_room(struct predict *predict, struct lane *lane, int64_t now_us)
{
    int64_t used = 0;
    bool ending = false;
    struct runner *largest = NULL;
    for (struct runner *runner = predict->runners; runner; runner = runner->next) {
        int64_t need = need_of(runner->lane);
        used += need > runner->resident_bytes ? need : runner->resident_bytes;
        ending |= runner->state == RUNNER_ENDING;
        if (runner->state == RUNNER_BUSY && (!largest || need > need_of(largest->lane)))
            largest = runner;
    }
    if (!predict->runners || used + need_of(lane) <= predict->memory_budget_bytes) {
        lane->blocked_since_us = 0;
        return true;
    }
    if (lane->blocked_since_us == 0)
        lane->blocked_since_us = now_us;
    if (ending)
        return false; /* its memory is on the way back */
    struct runner *unused = least_recently_used(predict);
    if (unused)
        supervisor_unload_runner(predict, unused, STOP_UNUSED);
    else if (largest && now_us - lane->blocked_since_us > FAIR_WAIT_MS * 1000)
        largest->yields = true;
    return false;
}

/* ---- The decision -------------------------------------------------------------------------- */

static void dispatch_lane(struct predict *predict, struct lane *lane, int64_t now_us)
{
    struct runner *runner = lane->runner;
    if (now_us < lane->fail_until_us) {
        fail_waiting(predict, lane);
        return;
    }
    fill_lane(predict, lane);
    if (!lane->waiting)
        return;
    if (!runner) {
        struct err err = { 0 };
        if (now_us >= lane->not_before_us && make_room(predict, lane, now_us) &&
            !supervisor_start_runner(predict, lane, &err)) {
            log_error(LOG_ERROR, "runner_not_started", &err, "model=%s",
                      lane->version->model->full_name);
            dispatch_load_failed(predict, lane, err.detail, false);
        }
        return;
    }
    if (runner->state != RUNNER_IDLE)
        return;
    if (runner->yields) {
        supervisor_unload_runner(predict, runner, STOP_UNUSED);
    } else if (lane->waiting->stage == RUN_READY) {
        struct run *run = lane->waiting;
        dispatch_lane_remove(lane, run);
        supervisor_assign(predict, runner, run);
    }
}

static void list_lane(struct predict *predict, struct lane *lane)
{
    if (lane->listed)
        return;
    if (predict->order_count == predict->order_capacity) {
        size_t capacity = predict->order_capacity ? predict->order_capacity * 2 : 32;
        struct lane **order = realloc(predict->order, capacity * sizeof(struct lane *));
        if (!order)
            return; /* it has its turn in another round */
        predict->order = order;
        predict->order_capacity = capacity;
    }
    lane->listed = true;
    predict->order[predict->order_count++] = lane;
}

static void on_queue_lane(void *context, const char *version_id, size_t length)
{
    struct predict *predict = context;
    (void)length;
    const struct registry_version *version =
        registry_resolve(predict->options.registry, str_from(version_id));
    struct lane *lane = version ? dispatch_lane_of(predict, version) : NULL;
    if (lane)
        list_lane(predict, lane);
}

void dispatch_all(struct predict *predict)
{
    int64_t now_us = clock_monotonic_us();
    predict->order_count = 0;
    for (struct lane *lane = predict->lanes; lane; lane = lane->next)
        lane->listed = false;
    /* What has left the queue has waited longer than what is in it. */
    for (struct lane *lane = predict->lanes; lane; lane = lane->next) {
        if (lane->waiting)
            list_lane(predict, lane);
    }
    queue_each_lane(predict->options.queue, on_queue_lane, predict);
    for (size_t i = 0; i < predict->order_count; i++)
        dispatch_lane(predict, predict->order[i], now_us);
}
