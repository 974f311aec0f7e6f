/* Looking after runners by hand: loading and unloading them without a prediction, and what is asked
 * about memory. Only the supervisor starts and ends runners, so a wish is mail to it, and its
 * sender waits until it was looked at. Not here: what predictions have started and ended
 * (dispatch.c). */
#include "predict/manage.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "predict/predict_private.h"
#include "queue/queue.h"
#include "registry/registry.h"

/* So long idle runners may take to make room. Below FAIR_WAIT_MS: nothing that works yields to it.
 */
#define WANTED_MS 8000

_Static_assert(WANTED_MS < FAIR_WAIT_MS, "a wish takes no busy lane's runner");

enum wish_kind { WISH_LOAD, WISH_UNLOAD, WISH_UNLOAD_MODEL };

struct wish {
    struct mail mail; /* first, so that a mail is its wish */
    enum wish_kind kind;
    const struct registry_version *version;
    const char *model;
    int pid;
    pthread_cond_t answered; /* with predict->lock */
    bool done, ok;           /* (locked) */
    struct err err;
};

struct footprint {
    struct footprint *next;
    int64_t bytes;
    char model[];
};

/* ---- Memory -------------------------------------------------------------------------------- */

/* As many as there are models that have run. Without memory for one more it is not known. */
void manage_note_footprint(struct predict *predict, const char *model, int64_t bytes)
{
    struct footprint *footprint = predict->footprints;
    while (footprint && strcmp(footprint->model, model) != 0)
        footprint = footprint->next;
    if (!footprint) {
        size_t size = strlen(model) + 1;
        footprint = calloc(1, sizeof *footprint + size);
        if (!footprint)
            return;
        memcpy(footprint->model, model, size);
        footprint->next = predict->footprints;
        predict->footprints = footprint;
    }
    if (bytes > footprint->bytes)
        footprint->bytes = bytes;
}

int64_t predict_footprint(struct predict *predict, const char *model)
{
    pthread_mutex_lock(&predict->lock);
    const struct footprint *footprint = predict->footprints;
    while (footprint && strcmp(footprint->model, model) != 0)
        footprint = footprint->next;
    int64_t bytes = footprint ? footprint->bytes : 0;
    pthread_mutex_unlock(&predict->lock);
    return bytes;
}

void manage_free(struct predict *predict)
{
    for (struct footprint *footprint = predict->footprints, *next; footprint; footprint = next) {
        next = footprint->next;
        free(footprint);
    }
}

int64_t predict_memory_budget(const struct predict *predict)
{
    return predict->memory_budget_bytes;
}

/* ---- Counts -------------------------------------------------------------------------------- */

/* Hundreds of thousands may wait, so they are not looked at one by one. */
int predict_waiting(struct predict *predict)
{
    size_t count = queue_length(predict->options.queue, NULL);
    pthread_mutex_lock(&predict->lock);
    for (const struct lane *lane = predict->lanes; lane; lane = lane->next)
        count += (size_t)lane->waiting_count;
    pthread_mutex_unlock(&predict->lock);
    return count < INT_MAX ? (int)count : INT_MAX;
}

int64_t predict_created_count(const struct predict *predict)
{
    return atomic_load(&predict->created);
}

/* ---- What the supervisor does about a wish --------------------------------------------------- */

static bool load(struct predict *predict, const struct registry_version *version, struct err *err)
{
    int64_t now_us = clock_monotonic_us(), need_bytes, free_bytes;
    struct lane *lane = dispatch_lane_of(predict, version->id);
    char error[512];
    if (!lane)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for one more model.");
    for (const struct runner *runner = predict->runners; runner; runner = runner->next) {
        if (runner->lane == lane && runner->state != RUNNER_ENDING)
            return true;
    }
    if (dispatch_cannot_run(predict, lane, version, error, sizeof error))
        return err_set(err, ERR_CONFLICT, "%s", error);
    if (now_us < lane->fail_until_us || now_us < lane->not_before_us)
        return err_set(err, ERR_CONFLICT, "It did not load just now: %s", lane->error);
    if (!memory_could_fit(predict, lane, &need_bytes, &free_bytes))
        return err_set(err, ERR_CONFLICT,
                       "It needs about %lld MB of memory; beside the models that are in use, %lld "
                       "MB are free.",
                       (long long)(need_bytes / 1000000), (long long)(free_bytes / 1000000));
    lane->wanted = version; /* dispatch_all, in this round, and again when room was made */
    lane->wanted_until_us = now_us + WANTED_MS * INT64_C(1000);
    return true;
}

/* Why may it not be ended now? NULL: it may. */
static const char *reason_to_stay(struct predict *predict, const struct runner *runner)
{
    if (runner->state == RUNNER_ENDING)
        return NULL;
    if (runner->run)
        return "A prediction is running in it.";
    if (dispatch_has_work(predict, runner->lane))
        return "Predictions wait for it.";
    if (memory_is_kept(predict, runner))
        return "Its deployment keeps it loaded.";
    return NULL;
}

static void end(struct predict *predict, struct runner *runner)
{
    if (runner->state == RUNNER_IDLE)
        supervisor_unload_runner(predict, runner, STOP_UNUSED);
    else if (runner->state == RUNNER_STARTING)
        supervisor_stop_runner(predict, runner, STOP_UNUSED);
}

static bool unload(struct predict *predict, int pid, struct err *err)
{
    for (struct runner *runner = predict->runners; runner; runner = runner->next) {
        if ((int)runner->process.pid != pid)
            continue;
        const char *reason = reason_to_stay(predict, runner);
        if (reason)
            return err_set(err, ERR_CONFLICT, "%s", reason);
        end(predict, runner);
        return true;
    }
    return err_set(err, ERR_NOT_FOUND, "There is no such runner.");
}

struct search {
    const char *model;
    bool found;
};

static void look_at_live(void *context, const struct table_entry *entry)
{
    const struct live *live = (const struct live *)entry;
    struct search *search = context;
    search->found |= strcmp(live->version->model->full_name, search->model) == 0;
}

static bool may_unload_model(struct predict *predict, const char *model, struct err *err)
{
    struct search search = { .model = model };
    pthread_mutex_lock(&predict->lock);
    table_each(&predict->live, look_at_live, &search);
    pthread_mutex_unlock(&predict->lock);
    if (search.found)
        return err_set(err, ERR_CONFLICT, "A prediction of it is waiting or running.");
    for (const struct runner *runner = predict->runners; runner; runner = runner->next) {
        const char *reason = strcmp(runner->version->model->full_name, model) == 0
                                 ? reason_to_stay(predict, runner)
                                 : NULL;
        if (reason)
            return err_set(err, ERR_CONFLICT, "%s", reason);
    }
    return true;
}

static bool unload_model(struct predict *predict, const char *model, struct err *err)
{
    if (!may_unload_model(predict, model, err))
        return false;
    for (struct lane *lane = predict->lanes; lane; lane = lane->next) {
        if (lane->wanted && strcmp(lane->wanted->model->full_name, model) == 0)
            lane->wanted = NULL;
    }
    for (struct runner *runner = predict->runners; runner; runner = runner->next) {
        if (strcmp(runner->version->model->full_name, model) == 0)
            end(predict, runner);
    }
    return true;
}

void manage_wish(struct predict *predict, struct mail *mail)
{
    struct wish *wish = (struct wish *)mail;
    struct err err = { 0 };
    bool ok;
    if (predict->closing_begun)
        ok = err_set(&err, ERR_UNAVAILABLE, "The server is ending.");
    else if (wish->kind == WISH_LOAD)
        ok = load(predict, wish->version, &err);
    else if (wish->kind == WISH_UNLOAD)
        ok = unload(predict, wish->pid, &err);
    else
        ok = unload_model(predict, wish->model, &err);
    pthread_mutex_lock(&predict->lock);
    wish->ok = ok;
    wish->err = err;
    wish->done = true;
    pthread_cond_signal(&wish->answered);
    pthread_mutex_unlock(&predict->lock); /* from here on the wish may be gone */
}

/* ---- Wishing ------------------------------------------------------------------------------- */

static bool post_and_wait(struct predict *predict, struct wish *wish, struct err *err)
{
    wish->mail.kind = MAIL_WISH;
    pthread_cond_init(&wish->answered, NULL);
    predict_post(predict, &wish->mail);
    pthread_mutex_lock(&predict->lock);
    while (!wish->done)
        pthread_cond_wait(&wish->answered, &predict->lock);
    pthread_mutex_unlock(&predict->lock);
    pthread_cond_destroy(&wish->answered);
    if (!wish->ok && err)
        *err = wish->err;
    return wish->ok;
}

bool predict_runner_load(struct predict *predict, const struct registry_version *version,
                         struct err *err)
{
    struct wish wish = { .kind = WISH_LOAD, .version = version };
    return post_and_wait(predict, &wish, err);
}

bool predict_runner_unload(struct predict *predict, int pid, struct err *err)
{
    struct wish wish = { .kind = WISH_UNLOAD, .pid = pid };
    return post_and_wait(predict, &wish, err);
}

bool predict_model_unload(struct predict *predict, const char *model, struct err *err)
{
    struct wish wish = { .kind = WISH_UNLOAD_MODEL, .model = model };
    return post_and_wait(predict, &wish, err);
}
