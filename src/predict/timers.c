/* Timers: everything that happens because time has passed, once per round of the supervisor:
 * runners' deadlines, unloading what is unused, measuring memory, repeating failed writes, waiters.
 * There is no list of timers: lanes and runners are few, so each round looks at them all and says
 * when the next one is due. Supervisor thread. */
#include "base/clock.h"
#include "base/err.h"
#include "predict/predict_private.h"
#include "queue/queue.h"
#include "registry/registry.h"

#define SLEEP_MAX_MS 60000
#define CLOSING_ROUND_MS 50

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
        int64_t resident = runner_process_resident_bytes(runner->process.pid);
        pthread_mutex_lock(&predict->lock);
        runner->resident_bytes = resident;
        pthread_mutex_unlock(&predict->lock);
        if (resident > runner->lane->footprint_bytes)
            runner->lane->footprint_bytes = resident;
        if (resident > predict->memory_budget_bytes)
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
        } else if (runner->state == RUNNER_IDLE && idle_us > 0 && !runner->lane->waiting) {
            if (runner->idle_since_us + idle_us <= now_us)
                supervisor_unload_runner(predict, runner, STOP_UNUSED);
            else
                earlier(next_us, runner->idle_since_us + idle_us);
        }
        earlier(next_us, runner->deadline_us);
    }
    for (struct lane *lane = predict->lanes; lane; lane = lane->next) {
        if (!lane->waiting && queue_length(predict->options.queue, lane->version->id) == 0)
            continue;
        if (lane->not_before_us > now_us)
            earlier(next_us, lane->not_before_us);
        if (lane->fail_until_us > now_us)
            earlier(next_us, lane->fail_until_us);
        if (lane->blocked_since_us > 0)
            earlier(next_us, now_us + 1000000);
    }
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
    measure(predict, now_us, &next_us);
    run_retries(predict, now_us, &next_us);
    earlier(&next_us, waiters_expire(predict->waiters, now_us));
    if (predict->closing_begun)
        earlier(&next_us, now_us + CLOSING_ROUND_MS * 1000);
    if (next_us < 0 || next_us - now_us > SLEEP_MAX_MS * 1000)
        return SLEEP_MAX_MS;
    return next_us <= now_us ? 0 : (int)((next_us - now_us + 999) / 1000);
}
