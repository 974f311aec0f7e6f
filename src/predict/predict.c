/* What the files of this folder share, and the start and end of the whole part. The way in is
 * create.c; what happens then is lifecycle.c, dispatch.c and supervisor.c. */
#include "predict/predict.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/work.h"
#include "domain/limits.h"
#include "predict/predict_private.h"
#include "queue/queue.h"
#include "registry/registry.h"

#define INPUT_THREADS 8 /* they wait for other people's servers */
#define RESULT_THREADS 2
#define POOL_QUEUE_MAX 65536
#define OPTIONS_BYTES_MAX 65536
#define ACCOUNT_BYTES 128 /* of a longer name nothing is told */

/* ---- Shared by the files of this folder ---------------------------------------------------- */

void predict_wake(struct predict *predict)
{
    if (atomic_exchange(&predict->awake, true))
        return;
    uint64_t one = 1;
    if (write(predict->wake_fd, &one, sizeof one) < 0)
        errno = 0; /* the counter is full: it is awake */
}

void predict_post(struct predict *predict, struct mail *mail)
{
    mail->next = NULL;
    pthread_mutex_lock(&predict->lock);
    *predict->mail_end = mail;
    predict->mail_end = &mail->next;
    pthread_mutex_unlock(&predict->lock);
    predict_wake(predict);
}

void predict_write_submit(struct predict *predict, struct store_write *write)
{
    pthread_mutex_lock(&predict->lock);
    predict->writes++;
    pthread_mutex_unlock(&predict->lock);
    store_submit(predict->options.store, write);
}

void predict_write_finished(struct predict *predict)
{
    pthread_mutex_lock(&predict->lock);
    if (--predict->writes == 0)
        pthread_cond_broadcast(&predict->quiet);
    pthread_mutex_unlock(&predict->lock);
}

void predict_write_wait(struct predict *predict)
{
    pthread_mutex_lock(&predict->lock);
    while (predict->writes > 0)
        pthread_cond_wait(&predict->quiet, &predict->lock);
    pthread_mutex_unlock(&predict->lock);
}

struct live *predict_live_find(struct predict *predict, const char *id)
{
    return (struct live *)table_find(&predict->live, id);
}

void predict_live_remove(struct predict *predict, const char *id)
{
    pthread_mutex_lock(&predict->lock);
    struct live *live = (struct live *)table_remove(&predict->live, id);
    if (live)
        deadlines_remove(&predict->deadlines, &live->deadline);
    pthread_mutex_unlock(&predict->lock);
    free(live);
    waiters_finish(predict->waiters, id);
    follow_tell(predict->follow, id);
}

/* The clock may be set while it waits; how long it waits is settled now. Lock held. */
static bool live_add_deadline(struct predict *predict, struct live *live)
{
    if (live->deadline_us == 0)
        return true;
    int64_t at_us = live->added_us + live->deadline_us - clock_now_us();
    return deadlines_put(&predict->deadlines, &live->deadline, at_us > 0 ? at_us : 1);
}

bool predict_live_add(struct predict *predict, const char *id,
                      const struct registry_version *version, const char *deployment,
                      int64_t deadline_us)
{
    struct str name = str_from(deployment);
    struct live *live = calloc(1, sizeof *live + name.len + 1);
    if (!live)
        return false;
    live->version = version;
    live->deadline_us = deadline_us;
    live->added_us = clock_monotonic_us();
    str_copy(name, live->deployment, name.len + 1);
    str_copy(str_from(id), live->entry.id, sizeof live->entry.id);
    pthread_mutex_lock(&predict->lock);
    bool ok = !predict->closing && live_add_deadline(predict, live) &&
              table_put(&predict->live, &live->entry);
    if (!ok)
        deadlines_remove(&predict->deadlines, &live->deadline);
    bool first = ok && deadlines_first(&predict->deadlines) == &live->deadline;
    pthread_mutex_unlock(&predict->lock);
    if (!ok)
        free(live);
    else if (first)
        predict_wake(predict);
    return ok;
}

const char *predict_lane_name(const struct prediction *prediction)
{
    return prediction->deployment ? prediction->deployment : prediction->version;
}

/* ---- Runners ------------------------------------------------------------------------------- */

void predict_each_runner(struct predict *predict,
                         void (*each)(void *context, const struct predict_runner_info *info),
                         void *context)
{
    static const char *const states[] = { "starting", "idle", "busy", "ending" };
    struct info {
        struct predict_runner_info info;
        char prediction[ID_PREDICTION_LEN + 1], account[ACCOUNT_BYTES];
    } *infos = NULL;
    int count = 0;
    pthread_mutex_lock(&predict->lock);
    for (struct runner *runner = predict->runners; runner; runner = runner->next)
        count++;
    infos = count > 0 ? calloc((size_t)count, sizeof *infos) : NULL;
    count = 0;
    for (struct runner *runner = predict->runners; infos && runner; runner = runner->next) {
        struct info *at = &infos[count++];
        at->info = (struct predict_runner_info){
            .version = runner->version->id,
            .model = runner->version->model->full_name,
            .state = states[runner->state],
            .pid = (int)runner->process.pid,
            .resident_bytes = runner->resident_bytes,
            .prediction = runner->run ? at->prediction : NULL,
            .account = runner->run ? at->account : NULL,
            .deployment = runner->lane->is_deployment ? runner->lane->name : NULL,
        };
        if (runner->run)
            str_copy(str_from(runner->run->id), at->prediction, sizeof at->prediction);
        if (runner->run)
            str_copy(str_from(runner->run->record.account), at->account, sizeof at->account);
    }
    pthread_mutex_unlock(&predict->lock);
    for (int i = 0; i < count; i++)
        each(context, &infos[i].info);
    free(infos);
}

/* ---- Start and end of it all --------------------------------------------------------------- */

/* The caller's strings may go when predict_new returns. */
static bool copy_options(struct predict *predict, const struct predict_options *options)
{
    bool ok = true;
    predict->options = *options;
    const char **strings[] = { &predict->options.data_folder, &predict->options.runner_path,
                               &predict->options.weights_folder, &predict->options.precision };
    for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
        if (*strings[i])
            ok &= (*strings[i] = arena_strdup(&predict->arena, str_from(*strings[i]))) != NULL;
    }
    return ok;
}

static bool make_work_folder(struct predict *predict, struct err *err)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/work", predict->options.data_folder);
    if (len < 0 || (size_t)len >= sizeof path)
        return err_set(err, ERR_INVALID, "The data folder's name is too long.");
    if (!file_remove_tree(path, err) || !file_make_folders(path, 0700, err))
        return err_while(err, "clearing '%s'", path);
    predict->work_folder = realpath(path, NULL);
    return predict->work_folder || err_sys(err, ERR_INTERNAL, errno, "The work folder is gone.");
}

static bool open_descriptors(struct predict *predict, struct err *err)
{
    predict->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    predict->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    predict->wake_watch = (struct watch){ WATCH_MAIL, NULL };
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = &predict->wake_watch };
    if (predict->epoll_fd < 0 || predict->wake_fd < 0 ||
        epoll_ctl(predict->epoll_fd, EPOLL_CTL_ADD, predict->wake_fd, &event) < 0)
        return err_sys(err, ERR_INTERNAL, errno, "The supervisor could not be set up.");
    return true;
}

static bool start_thread(struct predict *predict, struct err *err)
{
    int failed = pthread_create(&predict->thread, NULL, supervisor_thread, predict);
    return failed == 0 ||
           err_sys(err, ERR_INTERNAL, failed, "The supervisor could not be started.");
}

static void release(struct predict *predict)
{
    retention_stop(predict->retention);
    work_pool_free(predict->inputs_pool);
    work_pool_free(predict->results_pool);
    predict_write_wait(predict);
    for (struct mail *mail = predict->mail, *next; mail; mail = next) {
        next = mail->next;
        if (mail->kind == MAIL_CANCEL)
            free(mail);
        else if (mail->kind != MAIL_WISH) /* nobody waits any more */
            lifecycle_settle(mail->run);
    }
    for (struct run *run = predict->retries, *next; run; run = next) {
        next = run->retry_next;
        lifecycle_settle(run); /* not stored: the next start runs it again */
    }
    if (predict->waiters)
        waiters_give_up(predict->waiters);
    waiters_free(predict->waiters);
    follow_free(predict->follow);
    for (struct table_entry *entry; (entry = table_any(&predict->live));)
        free(table_remove(&predict->live, entry->id));
    table_done(&predict->live);
    deadlines_done(&predict->deadlines);
    deployments_free(predict);
    totals_free(predict);
    manage_free(predict);
    create_free_spares(predict);
    for (struct lane *lane = predict->lanes, *next; lane; lane = next) {
        next = lane->next;
        free(lane);
    }
    if (predict->epoll_fd >= 0)
        close(predict->epoll_fd);
    if (predict->wake_fd >= 0)
        close(predict->wake_fd);
    pthread_cond_destroy(&predict->quiet);
    pthread_mutex_destroy(&predict->lock);
    pthread_mutex_destroy(&predict->listener_lock);
    pthread_mutex_destroy(&predict->ended_lock);
    arena_done(&predict->arena);
    free(predict->order);
    free(predict->work_folder);
    free(predict);
}

bool predict_new(const struct predict_options *options, struct predict **ret_predict,
                 struct err *err)
{
    struct predict *predict = calloc(1, sizeof *predict);
    if (!predict)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for predictions.");
    pthread_mutex_init(&predict->lock, NULL);
    pthread_mutex_init(&predict->listener_lock, NULL);
    pthread_mutex_init(&predict->ended_lock, NULL);
    atomic_init(&predict->created, 0);
    arena_init(&predict->arena, OPTIONS_BYTES_MAX);
    pthread_cond_init(&predict->quiet, NULL);
    atomic_init(&predict->awake, false);
    atomic_init(&predict->reconciling, false);
    predict->reconcile_us = clock_monotonic_us() + RECONCILE_INTERVAL_MS * INT64_C(1000);
    predict->epoll_fd = predict->wake_fd = -1;
    predict->mail_end = &predict->mail;
    predict->waiters = waiters_new();
    predict->follow = follow_new();
    predict->oom_kills = runner_process_oom_kills();
    predict->memory_budget_bytes = options->memory_budget_bytes > 0
                                       ? options->memory_budget_bytes
                                       : runner_process_memory_budget();
    bool ok = predict->waiters && predict->follow && copy_options(predict, options);
    if (!ok)
        err_set(err, ERR_NO_MEMORY, "There is no memory for predictions.");
    ok = ok && make_work_folder(predict, err) && open_descriptors(predict, err) &&
         work_pool_new("inputs", INPUT_THREADS, POOL_QUEUE_MAX, &predict->inputs_pool, err) &&
         work_pool_new("results", RESULT_THREADS, POOL_QUEUE_MAX, &predict->results_pool, err) &&
         leftovers_take_up(predict, err) &&
         retention_start(options->store, options->blobs, options->retention_s, &predict->retention,
                         err) &&
         start_thread(predict, err);
    if (!ok) {
        release(predict);
        return false;
    }
    *ret_predict = predict;
    return true;
}

void predict_free(struct predict *predict, int drain_ms)
{
    if (!predict)
        return;
    pthread_mutex_lock(&predict->lock);
    predict->closing = true;
    predict->drain_until_us = clock_monotonic_us() + drain_ms * INT64_C(1000);
    pthread_mutex_unlock(&predict->lock);
    predict_wake(predict);
    pthread_join(predict->thread, NULL);
    release(predict);
}
