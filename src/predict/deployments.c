/* Deployments: what is wished of them (any thread, under the lock), what the supervisor makes of it
 * (their lanes), and what waits in every lane. Not here: their runners (dispatch.c). */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "predict/predict_private.h"
#include "registry/registry.h"

static struct deployment *find(struct predict *predict, const char *name)
{
    struct deployment *deployment = predict->deployments;
    while (deployment && strcmp(deployment->name, name) != 0)
        deployment = deployment->next;
    return deployment;
}

static struct deployment *find_or_add(struct predict *predict, const char *name)
{
    struct deployment *deployment = find(predict, name);
    size_t size = strlen(name) + 1;
    if (deployment || !(deployment = calloc(1, sizeof *deployment + size)))
        return deployment;
    memcpy(deployment->name, name, size);
    deployment->next = predict->deployments;
    predict->deployments = deployment;
    return deployment;
}

bool predict_deployment_set(struct predict *predict, const struct predict_deployment *wish,
                            struct err *err)
{
    if (!strchr(wish->name, '/') || wish->min_runners < 0 ||
        wish->max_runners < wish->min_runners || wish->max_runners > DEPLOYMENT_RUNNERS_MAX)
        return err_set(err, ERR_INVALID,
                       "A deployment has a name OWNER/NAME and 0 <= min_instances <= "
                       "max_instances <= %d.",
                       DEPLOYMENT_RUNNERS_MAX);
    pthread_mutex_lock(&predict->lock);
    struct deployment *deployment = find_or_add(predict, wish->name);
    if (deployment) {
        deployment->version = wish->version;
        deployment->min_runners = wish->min_runners;
        deployment->max_runners = wish->max_runners;
        deployment->removed = false;
        predict->deployments_changed = true;
    }
    pthread_mutex_unlock(&predict->lock);
    if (!deployment)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for a deployment.");
    predict_wake(predict);
    return true;
}

bool predict_deployment_remove(struct predict *predict, const char *name, struct err *err)
{
    bool busy = false;
    pthread_mutex_lock(&predict->lock);
    struct deployment *deployment = find(predict, name);
    for (const struct runner *runner = predict->runners; runner; runner = runner->next)
        busy |= runner->run && strcmp(runner->lane->name, name) == 0;
    if (deployment && !busy)
        deployment->removed = predict->deployments_changed = true;
    pthread_mutex_unlock(&predict->lock);
    if (busy)
        return err_set(err, ERR_CONFLICT,
                       "A prediction of the deployment %.200s is running; it can be deleted when "
                       "that has ended.",
                       name);
    predict_wake(predict);
    return true;
}

void deployments_apply(struct predict *predict)
{
    pthread_mutex_lock(&predict->lock);
    bool again = false;
    for (const struct deployment *deployment = predict->deployments_changed ? predict->deployments
                                                                            : NULL;
         deployment; deployment = deployment->next) {
        struct lane *lane = dispatch_lane_of(predict, deployment->name);
        if (!lane) {
            again = true;
            continue;
        }
        if (!lane->is_set || lane->version != deployment->version) {
            lane->load_failures = 0;
            lane->fail_until_us = lane->not_before_us = 0;
        }
        lane->keep_not_before_us = 0; /* somebody has changed something: try at once */
        lane->is_set = true;
        lane->removed = deployment->removed;
        lane->version = deployment->version;
        lane->min_runners = deployment->removed ? 0 : deployment->min_runners;
        lane->max_runners = deployment->max_runners;
        lane->unset_since_us = 0;
    }
    predict->deployments_changed = again;
    pthread_mutex_unlock(&predict->lock);
}

void deployments_free(struct predict *predict)
{
    for (struct deployment *at = predict->deployments, *next; at; at = next) {
        next = at->next;
        free(at);
    }
}

/* ---- What waits ---------------------------------------------------------------------------- */

struct census {
    struct lane_count {
        const struct registry_version *version;
        const char *deployment; /* of one of its predictions while counting, then a copy */
        int waiting;
        int64_t since_us;
    } * lanes;
    size_t count, capacity;
};

static bool is_lane_of(const struct lane_count *lane, const struct live *live)
{
    if (lane->deployment || live->deployment[0])
        return lane->deployment && strcmp(lane->deployment, live->deployment) == 0;
    return dispatch_is_same(lane->version, live->version);
}

/* Lock held. Lanes are few. When memory is short, some are left out. */
static void count_live(void *context, const struct table_entry *entry)
{
    struct census *census = context;
    const struct live *live = (const struct live *)entry;
    size_t i = 0;
    if (live->run && live->run->stage != RUN_PREPARING && live->run->stage != RUN_READY)
        return;
    while (i < census->count && !is_lane_of(&census->lanes[i], live))
        i++;
    if (i == census->count) {
        if (census->count == census->capacity) {
            size_t capacity = census->capacity ? census->capacity * 2 : 32;
            struct lane_count *lanes = realloc(census->lanes, capacity * sizeof *lanes);
            if (!lanes)
                return;
            census->lanes = lanes;
            census->capacity = capacity;
        }
        census->lanes[census->count++] =
            (struct lane_count){ .version = live->version,
                                 .deployment = live->deployment[0] ? live->deployment : NULL,
                                 .since_us = live->added_us };
    }
    struct lane_count *lane = &census->lanes[i];
    lane->waiting++;
    if (live->added_us < lane->since_us)
        lane->since_us = live->added_us;
}

void predict_each_lane(struct predict *predict,
                       void (*each)(void *context, const struct predict_lane_info *info),
                       void *context)
{
    struct census census = { 0 };
    pthread_mutex_lock(&predict->lock);
    table_each(&predict->live, count_live, &census);
    for (size_t i = 0; i < census.count; i++) {
        struct lane_count *lane = &census.lanes[i];
        lane->deployment = lane->deployment ? strdup(lane->deployment) : NULL;
    }
    pthread_mutex_unlock(&predict->lock);
    int64_t now_us = clock_monotonic_us();
    for (size_t i = 0; i < census.count; i++) {
        const struct lane_count *lane = &census.lanes[i];
        const struct predict_lane_info info = {
            .model = lane->version->model->full_name,
            .version = lane->version->id,
            .deployment = lane->deployment,
            .waiting = lane->waiting,
            .oldest_wait_us = now_us > lane->since_us ? now_us - lane->since_us : 1,
        };
        each(context, &info);
        free((char *)(uintptr_t)lane->deployment);
    }
    free(census.lanes);
}
