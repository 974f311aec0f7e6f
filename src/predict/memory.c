/* Memory: may one more runner start, and who makes room for it.
 *
 * Each runner counts with the most its lane was ever seen to use, so that a version that was loaded
 * once is judged by what it really needs. The first runner always may start. When there is no room,
 * the runner that was idle the longest is unloaded; when all are busy, after FAIR_WAIT_MS one of
 * them is not given its next prediction. The min_runners of a deployment never go: what does not
 * fit beside them waits. Supervisor thread only. */
#include "base/clock.h"
#include "base/log.h"
#include "predict/predict_private.h"
#include "registry/registry.h"

static int64_t need_of(const struct lane *lane)
{
    return lane->footprint_bytes > 0 ? lane->footprint_bytes : FOOTPRINT_UNKNOWN_BYTES;
}

bool memory_is_kept(const struct predict *predict, const struct runner *runner)
{
    const struct lane *lane = runner->lane;
    int count = 0;
    if (lane->min_runners == 0 || lane->removed ||
        !dispatch_is_same(runner->version, lane->version))
        return false;
    for (const struct runner *other = predict->runners; other; other = other->next)
        count += other->lane == lane && dispatch_is_same(other->version, lane->version) &&
                 other->state != RUNNER_ENDING;
    return count <= lane->min_runners;
}

void memory_measure(struct predict *predict, struct runner *runner)
{
    int64_t resident = runner_process_resident_bytes(runner->process.pid);
    pthread_mutex_lock(&predict->lock);
    runner->resident_bytes = resident;
    manage_note_footprint(predict, runner->version->model->full_name, resident);
    pthread_mutex_unlock(&predict->lock);
    if (resident > runner->lane->footprint_bytes)
        runner->lane->footprint_bytes = resident;
}

bool memory_could_fit(struct predict *predict, const struct lane *lane, int64_t *ret_need_bytes,
                      int64_t *ret_free_bytes)
{
    int64_t used = 0;
    for (struct runner *runner = predict->runners; runner; runner = runner->next) {
        int64_t need = need_of(runner->lane);
        bool goes = runner->state == RUNNER_ENDING ||
                    (runner->state == RUNNER_IDLE && !dispatch_has_work(predict, runner->lane) &&
                     !memory_is_kept(predict, runner));
        if (!goes)
            used += need > runner->resident_bytes ? need : runner->resident_bytes;
    }
    *ret_need_bytes = need_of(lane);
    *ret_free_bytes = used < predict->memory_budget_bytes ? predict->memory_budget_bytes - used : 0;
    return *ret_need_bytes <= *ret_free_bytes;
}

/* The runner unused the longest whose lane has nothing to do; NULL when there is none. */
static struct runner *least_recently_used(struct predict *predict)
{
    struct runner *found = NULL;
    for (struct runner *runner = predict->runners; runner; runner = runner->next) {
        if (runner->state == RUNNER_IDLE && !dispatch_has_work(predict, runner->lane) &&
            !memory_is_kept(predict, runner) &&
            (!found || runner->idle_since_us < found->idle_since_us))
            found = runner;
    }
    return found;
}

static void tell_blocked(struct lane *lane)
{
    if (!lane->blocked_told)
        log_event(LOG_WARN, "no_memory_for_runner", "lane=%s need_bytes=%lld", lane->name,
                  (long long)need_of(lane));
    lane->blocked_told = true;
}

bool memory_make_room(struct predict *predict, struct lane *lane, int64_t now_us)
{
    int64_t used = 0;
    bool ending = false;
    struct runner *largest = NULL;
    for (struct runner *runner = predict->runners; runner; runner = runner->next) {
        int64_t need = need_of(runner->lane);
        used += need > runner->resident_bytes ? need : runner->resident_bytes;
        ending |= runner->state == RUNNER_ENDING;
        if (runner->state == RUNNER_BUSY && runner->lane != lane &&
            !memory_is_kept(predict, runner) && (!largest || need > need_of(largest->lane)))
            largest = runner;
    }
    if (!predict->runners || used + need_of(lane) <= predict->memory_budget_bytes) {
        lane->blocked_since_us = 0;
        lane->blocked_told = false;
        return true;
    }
    if (lane->blocked_since_us == 0)
        lane->blocked_since_us = now_us;
    if (ending)
        return false; /* its memory is on the way back */
    struct runner *unused = least_recently_used(predict);
    if (unused)
        supervisor_unload_runner(predict, unused, STOP_UNUSED);
    else if (now_us - lane->blocked_since_us > FAIR_WAIT_MS * 1000 && largest)
        largest->yields = true;
    else if (now_us - lane->blocked_since_us > FAIR_WAIT_MS * 1000)
        tell_blocked(lane);
    return false;
}
