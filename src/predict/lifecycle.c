/* Lifecycle: what happens to one prediction between the queue and its end, and how that gets into
 * the store.
 *
 *   lifecycle_run_new -> lifecycle_prepare (pool) -> MAIL_PREPARED
 *        -> a runner has it -> lifecycle_started: the move to PROCESSING is submitted
 *        -> lifecycle_end -> lifecycle_store_result (pool): outputs become blobs, the folder goes
 *        -> the terminal move is submitted -> on_end_stored: who waits is told
 *
 * Invariants
 *  (1) lifecycle_end is called at most once per run; the store's conditional move is the judge of
 *      whether it counts, and outputs of a refused end are removed.
 *  (2) Outputs are blobs, on disk, before the record names them.
 *  (3) A result is not given up because a write failed: it is tried again until it is stored or
 *      the server ends (then the next start finds the prediction unfinished and runs it again).
 *
 * Not here: which runner (dispatch.c), what the runner says (events.c). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/work.h"
#include "blob/blob.h"
#include "blob/picture_note.h"
#include "domain/limits.h"
#include "predict/inputs.h"
#include "predict/making.h"
#include "predict/ownership.h"
#include "predict/predict_private.h"
#include "registry/registry.h"

#define BLOB_ATTEMPTS 5
#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 5000

#define UNFINISHED (1u << PREDICTION_STARTING | 1u << PREDICTION_PROCESSING)

/* ---- Runs ---------------------------------------------------------------------------------- */

struct run *lifecycle_run_new(struct predict *predict, struct lane *lane, const char *id)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return NULL;
    run->predict = predict;
    run->lane = lane;
    str_copy(str_from(id), run->id, sizeof run->id);
    snprintf(run->folder, sizeof run->folder, "%.4000s/%s", predict->work_folder, id);
    atomic_init(&run->references, 1);
    atomic_init(&run->canceled, false);
    arena_init(&run->arena, RECORD_BYTES_MAX);
    logs_init(&run->logs);
    buf_init(&run->end_output, LIMIT_OUTPUT_JSON_BYTES * 2);
    buf_init(&run->end_logs, LIMIT_LOGS_BYTES * 2);
    buf_init(&run->end_metrics, 1 << 16);
    buf_init(&run->end_timeline, PROGRESS_TIMELINE_BYTES_MAX);
    run->predict_seconds = -1;
    run->mail.run = run;
    return run;
}

void lifecycle_run_unref(struct run *run)
{
    if (atomic_fetch_sub(&run->references, 1) != 1)
        return;
    json_decref(run->input);
    json_decref(run->files);
    json_decref(run->texts);
    json_decref(run->metrics);
    logs_done(&run->logs);
    buf_done(&run->end_output);
    buf_done(&run->end_logs);
    buf_done(&run->end_metrics);
    buf_done(&run->end_timeline);
    arena_done(&run->arena);
    free(run->outputs);
    free(run);
}

/* ---- Before the run ------------------------------------------------------------------------ */

static bool read_record(struct run *run, struct err *err)
{
    if (run->has_record)
        return true;
    arena_reset(&run->arena); /* of what an attempt that failed has left */
    run->has_record = store_prediction_get(run->predict->options.store, NULL, run->id, &run->arena,
                                           &run->record, err);
    return run->has_record;
}

static bool prepare(struct run *run, struct err *err)
{
    const struct predict_options *options = &run->predict->options;
    const struct inputs_sources sources = {
        .store = options->store,
        .blobs = options->blobs,
        .account = run->record.account,
        .folder = run->folder,
        .allow_private_urls = options->allow_private_urls,
        .canceled = &run->canceled,
    };
    const json_t *schema =
        run->record.is_training ? run->version->training_schema : run->version->input_schema;
    json_t *input;
    if (!json_parse(run->record.input, &input, err))
        return false;
    bool ok = inputs_prepare(&sources, schema, input, &run->input, &run->files, err);
    json_decref(input);
    return ok;
}

void lifecycle_prepare(void *context)
{
    struct run *run = context;
    memset(&run->prepare_err, 0, sizeof run->prepare_err);
    run->prepared_ok = read_record(run, &run->prepare_err);
    if (run->prepared_ok && !prediction_status_is_terminal(run->record.status))
        run->prepared_ok = prepare(run, &run->prepare_err);
    run->mail.kind = MAIL_PREPARED;
    predict_post(run->predict, &run->mail);
}

/* ---- The start ----------------------------------------------------------------------------- */

static void on_started_stored(struct store_write *write)
{
    struct run *run = write->context;
    struct predict *predict = run->predict;
    if (!write->ok) /* not retried: the terminal move brings started_us with it */
        log_error(LOG_WARN, "prediction_start_not_stored", &write->err, "id=%s", run->id);
    lifecycle_run_unref(run);
    predict_write_finished(predict);
}

void lifecycle_started(struct run *run)
{
    struct predict *predict = run->predict;
    pthread_mutex_lock(&predict->lock);
    run->started = true;
    run->started_us = clock_now_us();
    pthread_mutex_unlock(&predict->lock);
    run->started_monotonic_us = clock_monotonic_us();
    run->started_stored = true;
    run->started_write = (struct store_write){
        .kind = STORE_PREDICTION_MOVE,
        .move = { .id = run->id,
                  .from = 1u << PREDICTION_STARTING,
                  .to = PREDICTION_PROCESSING,
                  .started_us = run->started_us,
                  .attempts_add = 1 },
        .done = on_started_stored,
        .context = run,
    };
    atomic_fetch_add(&run->references, 1);
    predict_write_submit(predict, &run->started_write);
    follow_tell(predict->follow, run->id);
    listener_tell(predict, &run->record, PREDICT_STARTED);
}

/* ---- The end ------------------------------------------------------------------------------- */

static void remove_outputs(struct run *run)
{
    for (int i = 0; i < run->output_count; i++) {
        if (run->outputs[i].ref[0])
            blob_remove(run->predict->options.blobs, run->id, str_from(run->outputs[i].ref), NULL);
        run->outputs[i].ref[0] = '\0';
    }
}

/* A refused end is no proof that the outputs are nobody's: the same end may have been stored by a
 * write that was reported as failed. So the record is asked. */
static void settle_output(struct run *run, struct str ref)
{
    const struct predict_options *options = &run->predict->options;
    struct err err = { 0 };
    bool owned = run->end_applied;
    if (!owned && !ownership_of(options->store, run->id, ref, &owned, &err)) {
        log_error(LOG_WARN, "output_left_in_doubt", &err, "id=%s", run->id);
        return; /* the next start asks again */
    }
    if (owned)
        blob_confirm(options->blobs, run->id, ref);
    else
        blob_remove(options->blobs, run->id, ref, NULL);
}

void lifecycle_settle(void *context)
{
    struct run *run = context;
    for (int i = 0; i < run->output_count; i++) {
        if (run->outputs[i].ref[0])
            settle_output(run, str_from(run->outputs[i].ref));
    }
    removal_settled(run);
    lifecycle_run_unref(run);
}

/* Only what is a plain file: a runner is not trusted to have written one. */
static bool store_output(struct run *run, struct run_file *file, struct str note, struct err *err)
{
    char path[4400];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", run->folder, file->name);
    if (lstat(path, &info) < 0 || !S_ISREG(info.st_mode))
        return err_set(err, ERR_MODEL, "The model named an output file that it did not write.");
    return blob_put_noted(run->predict->options.blobs, path, file->name, run->id, note, file->ref,
                          err);
}

static bool has_picture(const struct run *run)
{
    for (int i = 0; i < run->output_count; i++) {
        if (strncmp(blob_content_type(run->outputs[i].name), "image/", 6) == 0)
            return true;
    }
    return false;
}

/* All outputs into the blob store; those that are there already stay. */
static bool store_outputs(struct run *run, struct err *err)
{
    bool ok = true;
    struct buf note; /* empty: none */
    buf_init(&note, PICTURE_NOTE_MAX);
    if (run->predict->options.picture_metadata && !run->record.is_training && has_picture(run) &&
        !making_write(&run->record, run->version, buf_str(&run->logs.text), &note))
        buf_clear(&note);
    for (int i = 0; i < run->output_count && ok; i++)
        ok = run->outputs[i].ref[0] || store_output(run, &run->outputs[i], buf_str(&note), err);
    buf_done(&note);
    return ok;
}

static json_t *file_value(const struct run_file *file)
{
    char text[200];
    snprintf(text, sizeof text, "blob:%s", file->ref);
    return json_string(text);
}

static json_t *joined_texts(const struct run *run)
{
    struct buf all;
    size_t i;
    json_t *text;
    buf_init(&all, LIMIT_OUTPUT_JSON_BYTES);
    json_array_foreach(run->texts, i, text)
        buf_append(&all, json_string_value(text), json_string_length(text));
    json_t *value = json_stringn_nocheck(all.ptr ? all.ptr : "", all.len);
    buf_done(&all);
    return value;
}

/* The output in the form the model declared; NULL when there is none. */
static json_t *output_value(const struct run *run)
{
    json_t *list;
    switch (run->form) {
    case WIRE_OUTPUT_ONE_FILE:
        return run->output_count > 0 ? file_value(&run->outputs[0]) : NULL;
    case WIRE_OUTPUT_FILE_LIST:
        list = json_array();
        for (int i = 0; i < run->output_count; i++)
            json_array_append_new(list, file_value(&run->outputs[i]));
        return list;
    case WIRE_OUTPUT_ONE_TEXT:
        return run->texts ? joined_texts(run) : NULL;
    case WIRE_OUTPUT_TEXT_LIST:
        return run->texts ? json_incref(run->texts) : json_array();
    case WIRE_OUTPUT_ANY:
    case WIRE_OUTPUT_COUNT:
        break;
    }
    json_t *text = json_array_get(run->texts, 0), *value = NULL;
    if (text && !json_parse((struct str){ json_string_value(text), json_string_length(text) },
                            &value, NULL))
        value = json_incref(text); /* not JSON: then it is a string */
    return value;
}

/* What a model says must not pass for a file of ours: where one of its texts (or keys) begins as a
 * file's name does, that colon is doubled until it is shown (api/render.c). A quote that opens a
 * string never follows a backslash. */
static bool append_doubled(struct str json, struct buf *out)
{
    ptrdiff_t at;
    while ((at = str_find(json, S("\"blob:"))) >= 0) {
        size_t len = (size_t)at + strlen("\"blob:");
        bool opens = at == 0 || json.ptr[at - 1] != '\\';
        buf_append(out, json.ptr, len);
        if (opens)
            buf_append_char(out, ':');
        json = str_skip(json, len);
    }
    return buf_append_str(out, json);
}

static bool write_output(struct run *run, struct err *err)
{
    json_t *value = output_value(run);
    bool doubles = run->form == WIRE_OUTPUT_ONE_TEXT || run->form == WIRE_OUTPUT_ANY;
    struct buf text;
    buf_clear(&run->end_output);
    buf_init(&text, LIMIT_OUTPUT_JSON_BYTES * 2);
    bool ok = !value || json_write(value, false, doubles ? &text : &run->end_output);
    ok = ok && (!doubles || append_doubled(buf_str(&text), &run->end_output));
    buf_done(&text);
    json_decref(value);
    return ok || err_set(err, ERR_MODEL, "The model's output is too large.");
}

/* Compute time. What the runner says of it is believed as far as it can be true. */
static double predict_seconds(const struct run *run)
{
    double said = run->predict_seconds, elapsed = (double)run->elapsed_us / 1e6;
    return said >= 0 && said < elapsed ? said : elapsed;
}

/* What the model says it has made; else the pictures among its output. */
static int64_t image_count(const struct run *run)
{
    int64_t count = json_get_integer(run->metrics, "image_count", -1);
    if (count >= 0 || run->status != PREDICTION_SUCCEEDED || run->record.is_training)
        return count > 0 ? count : 0;
    count = 0;
    for (int i = 0; i < run->output_count; i++)
        count += strncmp(blob_content_type(run->outputs[i].name), "image/", 6) == 0;
    return count;
}

static void write_metrics(struct run *run)
{
    json_t *metrics = run->metrics ? json_copy(run->metrics) : json_object();
    double predict_s = predict_seconds(run), total_s = 0;
    int64_t images = image_count(run);
    if (run->has_record)
        total_s = (double)(run->completed_us - run->record.created_us) / 1e6;
    json_object_set_new(metrics, "predict_time", json_real(predict_s));
    if (run->has_record) /* clocks may be set, and a part is not longer than the whole */
        json_object_set_new(metrics, "total_time",
                            json_real(total_s > predict_s ? total_s : predict_s));
    if (images > 0)
        json_object_set_new(metrics, "image_count", json_integer(images));
    buf_clear(&run->end_metrics);
    json_write(metrics, false, &run->end_metrics);
    json_decref(metrics);
}

/* Writer thread. */
static void on_end_stored(struct store_write *write)
{
    struct run *run = write->context;
    struct predict *predict = run->predict;
    if (!write->ok) {
        log_error(LOG_ERROR, "prediction_end_not_stored", &write->err, "id=%s attempt=%d", run->id,
                  run->failures + 1);
        run->mail.kind = MAIL_RETRY;
        run->retry = RETRY_WRITE;
        predict_post(predict, &run->mail);
        predict_write_finished(predict);
        return;
    }
    if (!run->requeue) {
        log_event(LOG_INFO, "prediction_done", "id=%s model=%s status=%s applied=%d", run->id,
                  run->version->model->full_name, prediction_status_name(run->status),
                  write->applied);
        if (run->form == WIRE_OUTPUT_TEXT_LIST && run->status != PREDICTION_SUCCEEDED)
            follow_keep(predict->follow, run->id, run->texts);
        removal_settling(run);
        const bool counts = write->applied && run->has_record;
        if (counts)
            accounting_applied(predict, &run->accounting, &run->record, write);
        predict_live_remove(predict, run->id);
        if (counts)
            listener_tell(predict, &run->record, PREDICT_COMPLETED);
    }
    /* Also when nothing is to be removed: the supervisor counts the runs that end. */
    run->end_applied = write->applied;
    run->mail.kind = MAIL_OVER;
    predict_post(predict, &run->mail);
    predict_write_finished(predict);
}

static void submit_end(struct run *run)
{
    const bool again = run->requeue;
    run->end_write = (struct store_write){
        .kind = STORE_PREDICTION_MOVE,
        .move = { .id = run->id,
                  .from = again ? 1u << PREDICTION_PROCESSING : UNFINISHED,
                  .to = run->status,
                  .started_us = again ? 0 : run->started_us,
                  .completed_us = again ? 0 : run->completed_us,
                  .clear_started = again,
                  .output = buf_str(&run->end_output),
                  .logs = buf_str(&run->end_logs),
                  .metrics = buf_str(&run->end_metrics),
                  .timeline = buf_str(&run->end_timeline),
                  .error = run->error[0] ? run->error : NULL,
                  .attempts_add = again ? -1 : 0 },
        .done = on_end_stored,
        .context = run,
    };
    if (!again && run->has_record)
        accounting_fill(&run->accounting, &run->end_write, &run->record, run->version,
                        (int64_t)(predict_seconds(run) * 1e6 + 0.5), image_count(run));
    predict_write_submit(run->predict, &run->end_write);
}

static void retry_result(struct run *run)
{
    run->mail.kind = MAIL_RETRY;
    run->retry = RETRY_RESULT;
    predict_post(run->predict, &run->mail);
}

/* The output is what the record will say: whoever looks may see it from now on. */
static void publish_output(struct run *run)
{
    struct predict *predict = run->predict;
    pthread_mutex_lock(&predict->lock);
    run->output_ready = true;
    pthread_mutex_unlock(&predict->lock);
    if (run->form != WIRE_OUTPUT_TEXT_LIST && run->end_output.len > 0)
        listener_tell(predict, &run->record, PREDICT_OUTPUT);
}

/* Outputs become blobs, and the output's text names them. False: it is tried again. */
static bool make_output(struct run *run)
{
    struct err err = { 0 };
    if (store_outputs(run, &err) &&
        (run->record.is_training ? training_write_output(run, &err) : write_output(run, &err))) {
        publish_output(run);
        return true;
    }
    if (err.kind != ERR_MODEL && run->failures < BLOB_ATTEMPTS) {
        log_error(LOG_ERROR, "outputs_not_stored", &err, "id=%s", run->id);
        retry_result(run);
        return false;
    }
    remove_outputs(run);
    run->status = PREDICTION_FAILED;
    snprintf(run->error, sizeof run->error, "%s",
             err.kind == ERR_MODEL ? err.detail : "The outputs could not be stored.");
    buf_clear(&run->end_output);
    return true;
}

/* An attempt may have made a version before it, or the server, died. False: it is tried again. */
static bool take_back(struct run *run)
{
    struct err err = { 0 };
    if (run->requeue || !run->has_record || run->status == PREDICTION_SUCCEEDED ||
        training_take_back(run->predict, &run->record, &err))
        return true;
    log_error(LOG_ERROR, "training_not_taken_back", &err, "id=%s", run->id);
    if (run->failures >= BLOB_ATTEMPTS)
        return true;
    retry_result(run);
    return false;
}

/* Results pool: make everything durable that the record will name, then submit the record. */
static void lifecycle_store_result(void *context)
{
    struct run *run = context;
    struct err err = { 0 };
    /* Without its record nobody knows who pays and who is told. One that is gone owes nothing. */
    if (!read_record(run, &err) && err.kind != ERR_NOT_FOUND) {
        log_error(LOG_ERROR, "prediction_not_read", &err, "id=%s", run->id);
        retry_result(run);
        return;
    }
    if ((run->status == PREDICTION_SUCCEEDED && !make_output(run)) || !take_back(run))
        return;
    if (!file_remove_tree(run->folder, &err))
        log_error(LOG_WARN, "work_folder_not_removed", &err, "id=%s", run->id);
    if (!run->requeue) {
        buf_clear(&run->end_logs);
        logs_write(&run->logs, &run->end_logs);
        write_metrics(run);
        progress_write_timeline(run);
    }
    run->failures = 0;
    submit_end(run);
}

static void submit_result(struct run *run)
{
    if (!work_submit(run->predict->results_pool, lifecycle_store_result, run))
        lifecycle_retry_later(run, RETRY_RESULT);
}

static void begin_end(struct run *run)
{
    struct predict *predict = run->predict;
    pthread_mutex_lock(&predict->lock);
    run->stage = RUN_ENDING;
    pthread_mutex_unlock(&predict->lock);
    run->completed_us = clock_now_us();
    if (run->started)
        run->elapsed_us = clock_monotonic_us() - run->started_monotonic_us;
    predict->ending++;
    submit_result(run);
}

void lifecycle_end(struct run *run, enum prediction_status status, const char *error)
{
    run->status = status;
    if (status == PREDICTION_FAILED)
        snprintf(run->error, sizeof run->error, "%s", error ? error : "The model failed.");
    begin_end(run);
}

void lifecycle_requeue(struct run *run)
{
    if (!run->started_stored) { /* the record still says starting: nothing to write */
        lifecycle_drop(run);
        return;
    }
    run->requeue = true;
    run->status = PREDICTION_STARTING;
    begin_end(run);
}

void lifecycle_drop(struct run *run)
{
    struct predict *predict = run->predict;
    pthread_mutex_lock(&predict->lock);
    struct live *live = predict_live_find(predict, run->id);
    if (live)
        live->run = NULL;
    pthread_mutex_unlock(&predict->lock);
    file_remove_tree(run->folder, NULL);
    lifecycle_run_unref(run);
}

/* ---- Again --------------------------------------------------------------------------------- */

void lifecycle_retry_later(struct run *run, enum run_retry what)
{
    int shift = run->failures < 8 ? run->failures : 8;
    int64_t wait_ms = (int64_t)RETRY_FIRST_MS << shift;
    run->failures++;
    run->retry = what;
    run->retry_us = clock_monotonic_us() + (wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS) * 1000;
    run->retry_next = run->predict->retries;
    run->predict->retries = run;
}

void lifecycle_retry(struct run *run)
{
    switch (run->retry) {
    case RETRY_PREPARE:
        if (!work_submit(run->predict->inputs_pool, lifecycle_prepare, run))
            lifecycle_retry_later(run, RETRY_PREPARE);
        break;
    case RETRY_RESULT:
        submit_result(run);
        break;
    case RETRY_WRITE:
        submit_end(run);
        break;
    case RETRY_SETTLE:
        if (run->output_count == 0)
            lifecycle_run_unref(run);
        else if (!work_submit(run->predict->results_pool, lifecycle_settle, run))
            lifecycle_retry_later(run, RETRY_SETTLE);
        break;
    }
}
