/* Dispatch: which prediction runs next, and on which runner.
 *
 * Each model version has a lane, and each deployment one of its own. A lane's predictions leave the
 * queue in order, a few ahead of the runners, so that their inputs are ready when one is. A lane
 * whose runners are all busy gets one more up to its maximum (one, for a version's own lane) when
 * memory allows (memory.c). A deployment's min_runners are started without anything to run.
 *
 * A run is given only to a runner of its own version: when a deployment changes, what waits since
 * before still runs with the old one, whose runners end when nothing waits for them.
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
#include "registry/weights.h"

#define FAIL_AT_ONCE 256 /* of what cannot run, per lane and round */

/* ---- Lanes --------------------------------------------------------------------------------- */

struct lane *dispatch_lane_of(struct predict *predict, const char *name)
{
    for (struct lane *lane = predict->lanes; lane; lane = lane->next) {
        if (strcmp(lane->name, name) == 0)
            return lane;
    }
    size_t size = strlen(name) + 1;
    struct lane *lane = calloc(1, sizeof *lane + size);
    if (!lane)
        return NULL;
    memcpy(lane->name, name, size);
    lane->is_deployment = strchr(name, '/') != NULL;
    lane->is_set = !lane->is_deployment;
    lane->max_runners = lane->is_deployment ? 0 : VERSION_RUNNERS_MAX;
    lane->next = predict->lanes;
    predict->lanes = lane;
    return lane;
}

static void lane_append(struct lane *lane, struct run *run)
{
    struct run **at = &lane->waiting;
    run->next = NULL;
    pthread_mutex_lock(&run->predict->lock);
    while (*at)
        at = &(*at)->next;
    *at = run;
    lane->waiting_count++;
    pthread_mutex_unlock(&run->predict->lock);
}

void dispatch_lane_remove(struct lane *lane, struct run *run)
{
    struct run **at = &lane->waiting;
    pthread_mutex_lock(&run->predict->lock);
    while (*at && *at != run)
        at = &(*at)->next;
    if (*at) {
        *at = run->next;
        run->next = NULL;
        lane->waiting_count--;
    }
    pthread_mutex_unlock(&run->predict->lock);
}

bool dispatch_has_work(struct predict *predict, const struct lane *lane)
{
    return lane->waiting || queue_length(predict->options.queue, lane->name) > 0;
}

bool dispatch_is_same(const struct registry_version *a, const struct registry_version *b)
{
    return a == b || (a && b && strcmp(a->id, b->id) == 0);
}

struct tally { /* a lane's runners */
    int all;
    int coming;           /* idle or starting, of the version in question */
    int alive;            /* of that version, and not ending */
    struct runner *idle;  /* of that version */
    struct runner *other; /* an idle one of another version */
};

static struct tally tally_of(const struct predict *predict, const struct lane *lane,
                             const struct registry_version *version)
{
    struct tally tally = { 0 };
    for (struct runner *runner = predict->runners; runner; runner = runner->next) {
        if (runner->lane != lane)
            continue;
        bool same = dispatch_is_same(runner->version, version);
        tally.all++;
        tally.coming += same && (runner->state == RUNNER_IDLE || runner->state == RUNNER_STARTING);
        tally.alive += same && runner->state != RUNNER_ENDING;
        if (runner->state == RUNNER_IDLE)
            *(same ? &tally.idle : &tally.other) = runner;
    }
    return tally;
}

/* ---- From the queue to the lane ------------------------------------------------------------ */

struct run *dispatch_attach(struct predict *predict, struct lane *lane, const char *id,
                            bool *ret_again)
{
    struct run *run = lifecycle_run_new(predict, lane, id);
    *ret_again = run == NULL;
    if (!run)
        return NULL;
    pthread_mutex_lock(&predict->lock);
    struct live *live = predict_live_find(predict, id);
    if (live) {
        live->run = run;
        run->version = live->version;
        run->expired = live->expired;
        run->added_us = live->added_us;
        atomic_store(&run->canceled, live->cancel);
    }
    pthread_mutex_unlock(&predict->lock);
    if (live)
        return run;
    lifecycle_run_unref(run);
    return NULL;
}

/* Take the next one out of the queue. NULL: none, or no memory (then it is put back). */
static struct run *take_from_queue(struct predict *predict, struct lane *lane)
{
    char id[ID_PREDICTION_LEN + 1];
    bool again;
    while (queue_pop(predict->options.queue, lane->name, id)) {
        struct run *run = dispatch_attach(predict, lane, id, &again);
        if (run)
            return run;
        if (again) {
            queue_push(predict->options.queue, lane->name, id, true, false);
            return NULL;
        }
    }
    return NULL;
}

void dispatch_end_canceled(struct run *run)
{
    bool aborted = run->expired && !run->started && run->predict->options.abort_unstarted;
    lifecycle_end(run, aborted ? PREDICTION_ABORTED : PREDICTION_CANCELED, NULL);
}

/* Is a part of the model's published weights, without which it cannot run, not here? ret_part gets
 * its name in parentheses, if it has one. A version with a folder of its own was made with what is
 * in it. Files count whatever their size: a user may have put weights of their own there. */
static bool weights_missing(const struct predict *predict, const struct registry_version *version,
                            char *ret_part, size_t size)
{
    char folder[4200];
    struct registry_weights *weights = NULL;
    const char *missing = NULL;
    bool found = true;

    if (version->weights_folder ||
        !supervisor_weights_folder(predict, version, folder, sizeof folder) ||
        !registry_weights_read(version->model->manifest, &weights, NULL))
        return false;
    for (int i = 0; found && i < weights->part_count; i++) {
        const struct registry_weights_part *part = &weights->parts[i];
        found = part->optional || registry_weights_find(part, folder, false) != NULL;
        missing = part->name;
    }
    snprintf(ret_part, size, "%s%.100s%s", missing ? " (" : "", missing ? missing : "",
             missing ? ")" : "");
    free(weights);
    return !found;
}

bool dispatch_cannot_run(const struct predict *predict, const struct lane *lane,
                         const struct registry_version *version, char *ret_error, size_t size)
{
    const char *name = version->model->full_name;
    char part[128];
    if (!version->model->native_model)
        snprintf(ret_error, size,
                 "This version of Mimeo cannot run %.150s yet: it has no network for it. "
                 "`mimeo models` lists what it can run.",
                 name);
    else if (tally_of(predict, lane, version).alive == 0 &&
             weights_missing(predict, version, part, sizeof part))
        snprintf(ret_error, size, "The weights of %.150s%s are not here: run `mimeo pull %.150s`.",
                 name, part, name);
    else
        return false;
    return true;
}

static void fill_lane(struct predict *predict, struct lane *lane)
{
    const int runners = tally_of(predict, lane, NULL).all;
    const int ahead = PREPARE_AHEAD - 1 + (runners > 0 ? runners : 1);
    char error[512];
    for (int ended = 0; lane->waiting_count < ahead; ended++) {
        if (ended >= FAIL_AT_ONCE) {
            predict_wake(predict); /* the others have their turn first */
            return;
        }
        struct run *run = take_from_queue(predict, lane);
        if (!run)
            return;
        if (atomic_load(&run->canceled)) {
            dispatch_end_canceled(run);
        } else if (dispatch_cannot_run(predict, lane, run->version, error, sizeof error)) {
            lifecycle_end(run, PREDICTION_FAILED, error);
        } else {
            ended--; /* waits */
            lane_append(lane, run);
            predict->preparing++;
            if (!work_submit(predict->inputs_pool, lifecycle_prepare, run))
                lifecycle_retry_later(run, RETRY_PREPARE);
        }
    }
}

/* ---- What cannot run ----------------------------------------------------------------------- */

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
    for (int i = 0; i < FAIL_AT_ONCE && (run = take_from_queue(predict, lane)); i++) {
        if (atomic_load(&run->canceled))
            dispatch_end_canceled(run);
        else
            lifecycle_end(run, PREDICTION_FAILED, lane->error);
    }
    if (queue_length(predict->options.queue, lane->name) > 0)
        predict_wake(predict);
}

static int64_t backoff_us(int times, int64_t max_ms)
{
    int64_t wait_ms = (int64_t)BACKOFF_FIRST_MS << (times < 20 ? times : 20);
    return (wait_ms < max_ms ? wait_ms : max_ms) * 1000;
}

/* Does another runner of the lane serve it? Then what waits needs the one that failed less. */
static bool is_served(const struct predict *predict, const struct lane *lane)
{
    for (const struct runner *runner = predict->runners; runner; runner = runner->next) {
        if (runner->lane == lane && (runner->state == RUNNER_IDLE || runner->state == RUNNER_BUSY))
            return true;
    }
    return false;
}

void dispatch_load_failed(struct predict *predict, struct lane *lane, const char *model,
                          const char *error, bool final)
{
    int64_t now_us = clock_monotonic_us();
    lane->load_failures++;
    snprintf(lane->error, sizeof lane->error, "%s", error);
    log_event(LOG_WARN, "load_failed", "model=%s times=%d final=%d error=\"%s\"", model,
              lane->load_failures, final, error);
    int64_t pause_us = backoff_us(lane->load_failures - 1, BACKOFF_LOAD_MAX_MS);
    lane->keep_not_before_us = now_us + (final ? BACKOFF_LOAD_MAX_MS * INT64_C(1000) : pause_us);
    if (!final)
        lane->not_before_us = now_us + pause_us;
    if (is_served(predict, lane)) {
        lane->not_before_us = lane->keep_not_before_us;
    } else if (final || lane->load_failures >= LOAD_ATTEMPTS) {
        lane->fail_until_us = now_us + FAILED_FOR_MS * 1000;
        fail_waiting(predict, lane);
    }
}

void dispatch_crashed(struct lane *lane)
{
    lane->crashes++;
    if (lane->crashes > 1)
        lane->not_before_us =
            clock_monotonic_us() + backoff_us(lane->crashes - 2, BACKOFF_CRASH_MAX_MS);
}

/* ---- Deployments --------------------------------------------------------------------------- */

/* Give what waits for a deployment that nobody set to the versions' own lanes. */
static void move_to_versions(struct predict *predict, struct lane *lane)
{
    char id[ID_PREDICTION_LEN + 1];
    for (int i = 0; i < FAIL_AT_ONCE && queue_pop(predict->options.queue, lane->name, id); i++) {
        pthread_mutex_lock(&predict->lock);
        struct live *live = predict_live_find(predict, id);
        if (live)
            live->deployment[0] = '\0';
        const struct registry_version *version = live ? live->version : NULL;
        pthread_mutex_unlock(&predict->lock);
        if (version && !queue_push(predict->options.queue, version->id, id, false, false))
            log_event(LOG_ERROR, "prediction_not_queued", "id=%s", id); /* the next start will */
    }
    log_event(LOG_WARN, "deployment_unknown", "deployment=%s", lane->name);
    predict_wake(predict); /* the versions' lanes */
}

/* After a restart, deployments are set a moment after the first look. */
static void wait_for_deployment(struct predict *predict, struct lane *lane, int64_t now_us)
{
    if (lane->unset_since_us == 0)
        lane->unset_since_us = now_us;
    if (now_us - lane->unset_since_us >= DEPLOYMENT_GRACE_MS * INT64_C(1000))
        move_to_versions(predict, lane);
}

static bool is_awaited(const struct lane *lane, const struct registry_version *version)
{
    for (const struct run *run = lane->waiting; run; run = run->next) {
        if (dispatch_is_same(run->version, version))
            return true;
    }
    return false;
}

/* End the idle runners that the deployment, as it is now, does not have. */
static void drop_runners(struct predict *predict, struct lane *lane)
{
    int over = -lane->max_runners;
    for (const struct runner *runner = predict->runners; runner; runner = runner->next)
        over += runner->lane == lane && runner->state != RUNNER_ENDING;
    for (struct runner *runner = predict->runners; runner; runner = runner->next) {
        if (runner->lane != lane || runner->state == RUNNER_ENDING)
            continue;
        bool old =
            !dispatch_is_same(runner->version, lane->version) && !is_awaited(lane, runner->version);
        if (!lane->removed && !old && over <= 0)
            continue;
        if (runner->state == RUNNER_IDLE)
            supervisor_unload_runner(predict, runner, STOP_UNUSED);
        else if (runner->state == RUNNER_STARTING)
            supervisor_stop_runner(predict, runner, STOP_UNUSED);
        else
            continue;
        over--;
    }
}

static bool start_runner(struct predict *predict, struct lane *lane,
                         const struct registry_version *version, int64_t now_us)
{
    struct err err = { 0 };
    const char *model = version->model->full_name;
    if (now_us < lane->not_before_us || !memory_make_room(predict, lane, now_us))
        return false;
    if (supervisor_start_runner(predict, lane, version, &err))
        return true;
    log_error(LOG_ERROR, "runner_not_started", &err, "model=%s", model);
    dispatch_load_failed(predict, lane, model, err.detail, false);
    return false;
}

/* A deployment's min_runners. */
static void keep_runners(struct predict *predict, struct lane *lane, int64_t now_us)
{
    char error[sizeof lane->error];
    if (lane->min_runners == 0 || now_us < lane->keep_not_before_us)
        return;
    for (;;) {
        struct tally tally = tally_of(predict, lane, lane->version);
        if (tally.alive >= lane->min_runners || tally.all >= lane->max_runners)
            return;
        if (dispatch_cannot_run(predict, lane, lane->version, error, sizeof error)) {
            dispatch_load_failed(predict, lane, lane->version->model->full_name, error, true);
            return;
        }
        if (!start_runner(predict, lane, lane->version, now_us))
            return;
    }
}

/* What somebody wished to have loaded, when it can be. */
static void load_wanted(struct predict *predict, struct lane *lane, int64_t now_us)
{
    const struct registry_version *wanted = lane->wanted;
    if (!wanted)
        return;
    if (tally_of(predict, lane, wanted).alive > 0 || start_runner(predict, lane, wanted, now_us)) {
        lane->wanted = NULL;
    } else if (now_us >= lane->wanted_until_us) {
        lane->wanted = NULL;
        if (!lane->waiting)
            lane->blocked_since_us = 0; /* what comes next has not waited yet */
    }
}

/* ---- The decision -------------------------------------------------------------------------- */

/* Start as many runners as there is work for, as far as the lane and memory let it. */
static void add_runners(struct predict *predict, struct lane *lane, int64_t now_us)
{
    const struct registry_version *version = lane->waiting->version;
    size_t work = queue_length(predict->options.queue, lane->name);
    for (const struct run *run = lane->waiting; run; run = run->next)
        work += dispatch_is_same(run->version, version);
    for (;;) {
        struct tally tally = tally_of(predict, lane, version);
        if ((size_t)tally.coming >= work)
            return;
        if (tally.all >= lane->max_runners) {
            if (tally.other && tally.alive == 0)
                supervisor_unload_runner(predict, tally.other, STOP_UNUSED);
            return;
        }
        if (!start_runner(predict, lane, version, now_us))
            return;
    }
}

static void dispatch_lane(struct predict *predict, struct lane *lane, int64_t now_us)
{
    if (!lane->is_set) {
        wait_for_deployment(predict, lane, now_us);
        return;
    }
    if (lane->removed)
        snprintf(lane->error, sizeof lane->error, "The deployment %.200s was deleted.", lane->name);
    if (now_us < lane->fail_until_us || lane->removed) {
        fail_waiting(predict, lane);
        return;
    }
    if (lane->max_runners == 0)
        return;
    fill_lane(predict, lane);
    while (lane->waiting && lane->waiting->stage == RUN_READY) {
        struct run *run = lane->waiting;
        struct runner *runner = tally_of(predict, lane, run->version).idle;
        if (!runner)
            break;
        if (runner->yields) {
            supervisor_unload_runner(predict, runner, STOP_UNUSED);
            continue;
        }
        dispatch_lane_remove(lane, run);
        supervisor_assign(predict, runner, run);
    }
    if (lane->waiting)
        add_runners(predict, lane, now_us);
}

/* Tell others what holds the lane up (progress.c). */
static void publish_obstacle(struct predict *predict, struct lane *lane)
{
    enum lane_obstacle obstacle = LANE_CLEAR;
    if (lane->listed && lane->is_set && lane->max_runners == 0)
        obstacle = LANE_NO_RUNNERS;
    else if (lane->listed && lane->blocked_since_us > 0)
        obstacle = LANE_NO_MEMORY;
    else if (lane->listed && lane->load_failures > 0 && !is_served(predict, lane))
        obstacle = LANE_LOAD_FAILED;
    if (obstacle == lane->obstacle && obstacle != LANE_LOAD_FAILED)
        return;
    pthread_mutex_lock(&predict->lock);
    lane->obstacle = obstacle;
    snprintf(lane->obstacle_error, sizeof lane->obstacle_error, "%.200s", lane->error);
    pthread_mutex_unlock(&predict->lock);
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

static void on_queue_lane(void *context, const char *name, size_t length)
{
    struct predict *predict = context;
    (void)length;
    struct lane *lane = dispatch_lane_of(predict, name);
    if (lane)
        list_lane(predict, lane);
}

void dispatch_all(struct predict *predict)
{
    int64_t now_us = clock_monotonic_us();
    deployments_apply(predict);
    predict->order_count = 0;
    for (struct lane *lane = predict->lanes; lane; lane = lane->next)
        lane->listed = false;
    /* What has left the queue has waited longer than what is in it. */
    for (struct lane *lane = predict->lanes; lane; lane = lane->next) {
        if (lane->waiting)
            list_lane(predict, lane);
    }
    queue_each_lane(predict->options.queue, on_queue_lane, predict);
    for (struct lane *lane = predict->lanes; lane; lane = lane->next) {
        if (lane->is_deployment && lane->is_set)
            drop_runners(predict, lane);
    }
    for (size_t i = 0; i < predict->order_count; i++)
        dispatch_lane(predict, predict->order[i], now_us);
    for (struct lane *lane = predict->lanes; lane; lane = lane->next) {
        keep_runners(predict, lane, now_us);
        load_wanted(predict, lane, now_us);
        publish_obstacle(predict, lane);
    }
}
