/* The way in: creating, reading, canceling and waiting for predictions, and the start and end of
 * the whole part. What happens between is lifecycle.c, dispatch.c and supervisor.c. */
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
#define CREATION_TEXT_BYTES 128 /* of account and source, and a short webhook's URL */
#define CREATION_SPARES_MAX 64

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
    struct table_entry *entry = table_remove(&predict->live, id);
    pthread_mutex_unlock(&predict->lock);
    free(entry);
    waiters_finish(predict->waiters, id);
}

bool predict_live_add(struct predict *predict, const char *id,
                      const struct registry_version *version)
{
    struct live *live = calloc(1, sizeof *live);
    if (!live)
        return false;
    live->version = version;
    str_copy(str_from(id), live->entry.id, sizeof live->entry.id);
    pthread_mutex_lock(&predict->lock);
    bool ok = !predict->closing && table_put(&predict->live, &live->entry);
    pthread_mutex_unlock(&predict->lock);
    if (!ok)
        free(live);
    return ok;
}

/* ---- Create -------------------------------------------------------------------------------- */

/* One create on its way to the disk: the write, the record and the record's text in one piece,
 * but for the input, which is written once by the JSON writer and kept as it is. */
struct creation {
    struct store_write write;
    struct prediction prediction;
    struct predict *predict;
    const struct registry_version *version;
    predict_created *done;
    void *context;
    char *input, *filter;
    struct creation *next; /* while it is a spare one */
    size_t text_size;
    char text[];
};

/* Most creates have the same few bytes of text. They take turns in the memory of the ones before,
 * as a creation is larger than what malloc is quick with. */
static struct creation *creation_take(struct predict *predict, size_t text_size)
{
    struct creation *creation = NULL;
    size_t size = text_size > CREATION_TEXT_BYTES ? text_size : CREATION_TEXT_BYTES;
    pthread_mutex_lock(&predict->lock);
    if (size == CREATION_TEXT_BYTES && (creation = predict->spare)) {
        predict->spare = creation->next;
        predict->spare_count--;
    }
    pthread_mutex_unlock(&predict->lock);
    if (!creation)
        creation = malloc(sizeof *creation + size);
    if (creation)
        *creation = (struct creation){ .predict = predict, .text_size = size };
    return creation;
}

static void creation_free(struct creation *creation)
{
    struct predict *predict = creation->predict;
    free(creation->input);
    free(creation->filter);
    pthread_mutex_lock(&predict->lock);
    bool keep =
        creation->text_size == CREATION_TEXT_BYTES && predict->spare_count < CREATION_SPARES_MAX;
    if (keep) {
        creation->next = predict->spare;
        predict->spare = creation;
        predict->spare_count++;
    }
    pthread_mutex_unlock(&predict->lock);
    if (!keep)
        free(creation);
}

/* Writer thread. */
static void on_created(struct store_write *write)
{
    struct creation *creation = write->context;
    struct predict *predict = creation->predict;
    const char *id = creation->prediction.id, *version_id = creation->version->id;
    if (!write->ok) {
        predict_live_remove(predict, id);
        queue_release(predict->options.queue, version_id);
        creation->done(creation->context, NULL, NULL, &write->err);
    } else {
        if (!queue_push(predict->options.queue, version_id, id, false, true))
            log_event(LOG_ERROR, "prediction_not_queued", "id=%s", id); /* the next start will */
        else if (queue_length(predict->options.queue, version_id) == 1)
            predict_wake(predict); /* behind another one it changes nothing for the supervisor */
        creation->done(creation->context, &creation->prediction, NULL, NULL);
    }
    creation_free(creation);
    predict_write_finished(predict);
}

static char *put_text(char **at, const char *text)
{
    if (!text)
        return NULL;
    size_t len = strlen(text) + 1;
    char *copy = memcpy(*at, text, len);
    *at += len;
    return copy;
}

static bool write_value(const json_t *value, char **ret_text, struct str *ret_str)
{
    struct buf text;
    buf_init(&text, LIMIT_JSON_BODY_BYTES + (1u << 20));
    if (!json_write(value, true, &text)) {
        buf_done(&text);
        return false;
    }
    ret_str->ptr = *ret_text = buf_take(&text, &ret_str->len);
    return *ret_text != NULL;
}

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static struct creation *creation_new(struct predict *predict, const struct predict_request *request)
{
    size_t size =
        text_bytes(request->account) + text_bytes(request->webhook) + text_bytes(request->source);
    struct creation *creation = creation_take(predict, size);
    if (!creation)
        return NULL;
    char *at = creation->text;
    int64_t now_us = clock_now_us();
    struct prediction *prediction = &creation->prediction;
    creation->version = request->version;
    id_prediction(now_us / 1000, prediction->id);
    prediction->account = put_text(&at, request->account);
    prediction->webhook = put_text(&at, request->webhook);
    prediction->source = put_text(&at, request->source);
    prediction->model = request->version->model->full_name;
    prediction->version = request->version->id;
    prediction->status = PREDICTION_STARTING;
    prediction->created_us = now_us;
    if (!write_value(request->input, &creation->input, &prediction->input) ||
        (request->webhook_events_filter &&
         !write_value(request->webhook_events_filter, &creation->filter,
                      &prediction->webhook_events_filter))) {
        creation_free(creation);
        return NULL;
    }
    return creation;
}

void predict_create(struct predict *predict, const struct predict_request *request,
                    predict_created *done, void *context)
{
    struct err err = { 0 };
    const char *version_id = request->version->id;
    if (!queue_reserve(predict->options.queue, version_id)) {
        err_set(&err, ERR_RATE_LIMITED,
                "Too many predictions are waiting for this model; please try again later.");
        done(context, NULL, NULL, &err);
        return;
    }
    struct creation *creation = creation_new(predict, request);
    if (!creation || !predict_live_add(predict, creation->prediction.id, request->version)) {
        err_set(&err, ERR_UNAVAILABLE, "The server cannot take predictions at the moment.");
        queue_release(predict->options.queue, version_id);
        if (creation)
            creation_free(creation);
        done(context, NULL, NULL, &err);
        return;
    }
    creation->done = done;
    creation->context = context;
    if (request->prepared)
        request->prepared(context, &creation->prediction);
    creation->write = (struct store_write){ .kind = STORE_PREDICTION_INSERT,
                                            .prediction = &creation->prediction,
                                            .done = on_created,
                                            .context = creation };
    predict_write_submit(predict, &creation->write);
}

/* ---- Get ----------------------------------------------------------------------------------- */

/* Add what a running prediction has written and given so far. Lock held. */
static bool add_live_state(const struct run *run, struct arena *arena,
                           struct prediction *prediction)
{
    struct buf text;
    bool ok = true;
    if (run->stage != RUN_RUNNING && run->stage != RUN_ENDING)
        return true;
    if (run->logs.total > 0) {
        buf_init(&text, LIMIT_LOGS_BYTES * 2);
        char *copy = logs_write(&run->logs, &text) ? arena_strdup(arena, buf_str(&text)) : NULL;
        ok = copy != NULL;
        if (ok)
            prediction->logs = (struct str){ copy, text.len };
        buf_done(&text);
    }
    /* Files get their links when the run has ended; texts come one by one. */
    if (ok && run->form == WIRE_OUTPUT_TEXT_LIST && run->texts) {
        buf_init(&text, LIMIT_OUTPUT_JSON_BYTES * 2);
        char *copy =
            json_write(run->texts, false, &text) ? arena_strdup(arena, buf_str(&text)) : NULL;
        ok = copy != NULL;
        if (ok)
            prediction->output = (struct str){ copy, text.len };
        buf_done(&text);
    }
    return ok;
}

bool predict_get(struct predict *predict, const char *account, const char *id, struct arena *arena,
                 struct prediction *ret_prediction, struct err *err)
{
    struct prediction prediction;
    bool ok = true;
    if (!store_prediction_get(predict->options.store, account, id, arena, &prediction, err))
        return false;
    if (!prediction_status_is_terminal(prediction.status)) {
        pthread_mutex_lock(&predict->lock);
        struct live *live = predict_live_find(predict, id);
        if (live && live->run)
            ok = add_live_state(live->run, arena, &prediction);
        pthread_mutex_unlock(&predict->lock);
    }
    if (!ok)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the prediction's logs.");
    *ret_prediction = prediction;
    return true;
}

/* ---- Cancel -------------------------------------------------------------------------------- */

/* End one that nobody has started: it is in no queue and has no run. */
static bool cancel_queued(struct predict *predict, const struct prediction *prediction,
                          struct err *err)
{
    char metrics[96];
    int64_t now_us = clock_now_us();
    snprintf(metrics, sizeof metrics, "{\"predict_time\":0.0,\"total_time\":%.6f}",
             (double)(now_us - prediction->created_us) / 1e6);
    struct store_write write = {
        .kind = STORE_PREDICTION_MOVE,
        .move = { .id = prediction->id,
                  .from = 1u << PREDICTION_STARTING | 1u << PREDICTION_PROCESSING,
                  .to = PREDICTION_CANCELED,
                  .completed_us = now_us,
                  .metrics = str_from(metrics) },
    };
    if (!store_write_wait(predict->options.store, &write, err))
        return false;
    predict_live_remove(predict, prediction->id);
    return true;
}

/* Note the wish where a run sees it. False: it is queued, and was taken out of the queue. */
static bool wish_cancel(struct predict *predict, const char *id, struct mail *mail)
{
    pthread_mutex_lock(&predict->lock);
    struct live *live = predict_live_find(predict, id);
    const struct registry_version *version = live && !live->run ? live->version : NULL;
    if (live)
        live->cancel = true;
    if (live && live->run)
        atomic_store(&live->run->canceled, true); /* stops a fetch at once */
    pthread_mutex_unlock(&predict->lock);
    if (version && queue_remove(predict->options.queue, version->id, id))
        return false;
    mail->kind = MAIL_CANCEL;
    str_copy(str_from(id), mail->id, sizeof mail->id);
    predict_post(predict, mail);
    return true;
}

bool predict_cancel(struct predict *predict, const char *account, const char *id,
                    struct arena *arena, struct prediction *ret_prediction, struct err *err)
{
    struct prediction prediction;
    if (!store_prediction_get(predict->options.store, account, id, arena, &prediction, err))
        return false;
    if (prediction_status_is_terminal(prediction.status)) {
        *ret_prediction = prediction;
        return true;
    }
    struct store_write write = { .kind = STORE_PREDICTION_CANCEL_REQUEST, .id = prediction.id };
    struct mail *mail = calloc(1, sizeof *mail);
    if (!mail)
        return err_set(err, ERR_NO_MEMORY, "There is no memory to cancel the prediction.");
    if (!store_write_wait(predict->options.store, &write, err)) {
        free(mail);
        return false;
    }
    if (!wish_cancel(predict, id, mail)) {
        free(mail);
        if (!cancel_queued(predict, &prediction, err)) {
            /* It must end all the same: the lane sees the wish when it takes it up. */
            queue_push(predict->options.queue, prediction.version, id, true, false);
            predict_wake(predict);
            return false;
        }
    }
    return predict_get(predict, account, id, arena, ret_prediction, err);
}

/* ---- Wait ---------------------------------------------------------------------------------- */

void predict_wait(struct predict *predict, const char *id, int timeout_ms, predict_waited *done,
                  void *context)
{
    bool first = false, added = false;
    int64_t deadline_us = clock_monotonic_us() + timeout_ms * INT64_C(1000);
    pthread_mutex_lock(&predict->lock);
    bool unfinished = predict_live_find(predict, id) != NULL;
    /* Under the lock: whoever ends it takes it out of the table first, then looks for waiters. */
    if (unfinished && !predict->closing)
        added = waiters_add(predict->waiters, id, deadline_us, done, context, &first);
    pthread_mutex_unlock(&predict->lock);
    if (!added)
        done(context, !unfinished);
    else if (first)
        predict_wake(predict);
}

/* ---- Runners ------------------------------------------------------------------------------- */

void predict_each_runner(struct predict *predict,
                         void (*each)(void *context, const struct predict_runner_info *info),
                         void *context)
{
    static const char *const states[] = { "starting", "idle", "busy", "ending" };
    struct info {
        struct predict_runner_info info;
        char prediction[ID_PREDICTION_LEN + 1];
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
            .version = runner->lane->version->id,
            .model = runner->lane->version->model->full_name,
            .state = states[runner->state],
            .pid = (int)runner->process.pid,
            .resident_bytes = runner->resident_bytes,
            .prediction = runner->run ? at->prediction : NULL,
        };
        if (runner->run)
            str_copy(str_from(runner->run->id), at->prediction, sizeof at->prediction);
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
    predict->options = *options;
    const char **strings[] = { &predict->options.data_folder, &predict->options.runner_path,
                               &predict->options.weights_folder, &predict->options.precision };
    size_t size = 1;
    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        size += text_bytes(*strings[i]);
    char *at = predict->text = malloc(size);
    for (size_t i = 0; at && i < ARRAY_LEN(strings); i++)
        *strings[i] = put_text(&at, *strings[i]);
    return predict->text != NULL;
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
    work_pool_free(predict->inputs_pool);
    work_pool_free(predict->results_pool);
    predict_write_wait(predict);
    for (struct mail *mail = predict->mail, *next; mail; mail = next) {
        next = mail->next;
        if (mail->kind == MAIL_CANCEL)
            free(mail);
        else
            lifecycle_settle(mail->run);
    }
    for (struct run *run = predict->retries, *next; run; run = next) {
        next = run->retry_next;
        lifecycle_settle(run); /* not stored: the next start runs it again */
    }
    if (predict->waiters)
        waiters_give_up(predict->waiters);
    waiters_free(predict->waiters);
    for (struct table_entry *entry; (entry = table_any(&predict->live));)
        free(table_remove(&predict->live, entry->id));
    table_done(&predict->live);
    for (struct creation *creation = predict->spare, *next; creation; creation = next) {
        next = creation->next;
        free(creation);
    }
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
    free(predict->order);
    free(predict->work_folder);
    free(predict->text);
    free(predict);
}

bool predict_new(const struct predict_options *options, struct predict **ret_predict,
                 struct err *err)
{
    struct predict *predict = calloc(1, sizeof *predict);
    if (!predict)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for predictions.");
    pthread_mutex_init(&predict->lock, NULL);
    pthread_cond_init(&predict->quiet, NULL);
    atomic_init(&predict->awake, false);
    predict->epoll_fd = predict->wake_fd = -1;
    predict->mail_end = &predict->mail;
    predict->waiters = waiters_new();
    predict->oom_kills = runner_process_oom_kills();
    predict->memory_budget_bytes = options->memory_budget_bytes > 0
                                       ? options->memory_budget_bytes
                                       : runner_process_memory_budget();
    bool ok = predict->waiters && copy_options(predict, options);
    if (!ok)
        err_set(err, ERR_NO_MEMORY, "There is no memory for predictions.");
    ok = ok && make_work_folder(predict, err) && open_descriptors(predict, err) &&
         work_pool_new("inputs", INPUT_THREADS, POOL_QUEUE_MAX, &predict->inputs_pool, err) &&
         work_pool_new("results", RESULT_THREADS, POOL_QUEUE_MAX, &predict->results_pool, err) &&
         leftovers_take_up(predict, err) && start_thread(predict, err);
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
