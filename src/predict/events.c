/* Events: what a runner says, checked against what it may say now, and noted in its run.
 *
 *   STARTING   hello, then ready (-> IDLE) or failed_to_load (-> ENDING)
 *   BUSY       of its own run only: started, log, output_file, output_text, metric, done (-> IDLE)
 *   ENDING     anything; ignored
 *
 * Everything else breaks the protocol and ends the runner, and only that. Supervisor thread.
 * Not here: what an end means to the prediction (lifecycle.c). */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "domain/limits.h"
#include "predict/predict_private.h"
#include "registry/registry.h"

static bool unexpected(const struct wire_message *message, struct err *err)
{
    return err_set(err, ERR_INVALID, "The runner sent '%s' when it may not.",
                   wire_type_name(message->type));
}

static void set_state(struct predict *predict, struct runner *runner, enum runner_state state)
{
    pthread_mutex_lock(&predict->lock);
    runner->state = state;
    pthread_mutex_unlock(&predict->lock);
}

/* ---- While it starts ----------------------------------------------------------------------- */

static bool on_hello(struct runner *runner, const struct wire_message *message, struct err *err)
{
    if (runner->said_hello || message->hello.protocol != WIRE_PROTOCOL)
        return unexpected(message, err);
    runner->said_hello = true;
    runner->form = message->hello.output;
    return true;
}

static bool on_ready(struct predict *predict, struct runner *runner,
                     const struct wire_message *message, struct err *err)
{
    if (!runner->said_hello)
        return unexpected(message, err);
    runner->was_ready = true;
    runner->ready_monotonic_us = clock_monotonic_us();
    runner->ready_us = clock_now_us();
    runner->deadline_us = 0;
    runner->flood_bytes = 0;
    runner->idle_since_us = clock_monotonic_us();
    runner->lane->load_failures = 0;
    memory_measure(predict, runner);
    set_state(predict, runner, RUNNER_IDLE);
    log_event(LOG_INFO, "runner_ready", "model=%s pid=%d load_seconds=%.2f resident_bytes=%lld",
              runner->version->model->full_name, (int)runner->process.pid,
              message->ready.load_seconds, (long long)message->ready.resident_bytes);
    return true;
}

static bool on_failed_to_load(struct predict *predict, struct runner *runner,
                              const struct wire_message *message)
{
    set_state(predict, runner, RUNNER_ENDING);
    runner->load_told = true;
    runner->deadline_us = clock_monotonic_us() + STOP_GRACE_MS * 1000;
    runner->deadline_reason = STOP_UNUSED;
    dispatch_load_failed(predict, runner->lane, runner->version->model->full_name,
                         message->failed_to_load.error, message->failed_to_load.final);
    return true;
}

static bool on_start_message(struct predict *predict, struct runner *runner,
                             const struct wire_message *message, struct err *err)
{
    switch (message->type) {
    case WIRE_HELLO:
        return on_hello(runner, message, err);
    case WIRE_READY:
        return on_ready(predict, runner, message, err);
    case WIRE_FAILED_TO_LOAD:
        return on_failed_to_load(predict, runner, message);
    default:
        return unexpected(message, err);
    }
}

/* ---- While it runs ------------------------------------------------------------------------- */

/* Count what the model wrote; too much of it ends the runner. False when it did. */
static bool count_logs(struct predict *predict, struct runner *runner, size_t bytes)
{
    runner->flood_bytes += bytes;
    if (runner->flood_bytes <= LIMIT_LOGS_FLOOD_BYTES)
        return true;
    supervisor_stop_runner(predict, runner, STOP_FLOOD);
    return false;
}

static void tell_change(struct predict *predict, const struct run *run, enum predict_event event)
{
    follow_tell(predict->follow, run->id);
    listener_tell(predict, &run->record, event);
}

static void add_logs(struct predict *predict, struct runner *runner, struct str text)
{
    struct run *run = runner->run;
    pthread_mutex_lock(&predict->lock);
    logs_append(&run->logs, text);
    pthread_mutex_unlock(&predict->lock);
    tell_change(predict, run, PREDICT_LOGS);
    count_logs(predict, runner, text.len);
}

static bool on_output_file(struct predict *predict, struct runner *runner,
                           const struct wire_message *message, struct err *err)
{
    struct run *run = runner->run;
    for (int i = 0; i < run->output_count; i++) {
        if (strcmp(run->outputs[i].name, message->output_file.name) == 0)
            return true; /* said twice */
    }
    if (run->output_count >= OUTPUT_FILES_MAX) {
        supervisor_stop_runner(predict, runner, STOP_OUTPUT);
        return true;
    }
    struct run_file *outputs =
        realloc(run->outputs, ((size_t)run->output_count + 1) * sizeof *outputs);
    if (!outputs)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for an output.");
    run->outputs = outputs;
    outputs[run->output_count] = (struct run_file){ 0 };
    str_copy(str_from(message->output_file.name), outputs[run->output_count].name,
             sizeof outputs->name);
    run->output_count++;
    return true;
}

/* A text must not pass for a file of ours: one of a list that begins as a file's name does has that
 * colon doubled, until it is shown (api/render.c). Other forms: lifecycle.c. */
static json_t *text_value(const struct run *run, struct str text)
{
    if (run->form != WIRE_OUTPUT_TEXT_LIST || !str_starts(text, S("blob:")))
        return json_stringn_nocheck(text.ptr, text.len);
    struct buf doubled;
    buf_init(&doubled, text.len + 1);
    buf_append_str(&doubled, S("blob::"));
    buf_append_str(&doubled, str_skip(text, strlen("blob:")));
    json_t *value = doubled.failed ? NULL : json_stringn_nocheck(doubled.ptr, doubled.len);
    buf_done(&doubled);
    return value;
}

static bool on_output_text(struct predict *predict, struct runner *runner,
                           const struct wire_message *message, struct err *err)
{
    struct run *run = runner->run;
    struct str text = message->output_text.text;
    /* Each text costs its bytes, quotes and a comma: a million empty ones count as well. */
    run->text_bytes += text.len + 4;
    if (run->text_bytes > LIMIT_OUTPUT_JSON_BYTES) {
        supervisor_stop_runner(predict, runner, STOP_OUTPUT);
        return true;
    }
    json_t *value = text_value(run, text);
    pthread_mutex_lock(&predict->lock);
    if (!run->texts)
        run->texts = json_array();
    bool ok = json_array_append_new(run->texts, value) == 0;
    pthread_mutex_unlock(&predict->lock);
    if (!ok)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for an output.");
    if (run->form == WIRE_OUTPUT_TEXT_LIST) /* others are seen when they are whole */
        tell_change(predict, run, PREDICT_OUTPUT);
    return true;
}

static bool on_metric(struct runner *runner, const struct wire_message *message, struct err *err)
{
    struct run *run = runner->run;
    double value = message->metric.value;
    bool whole = value == (double)(json_int_t)value && value < 1e15 && value > -1e15;
    if (!run->metrics)
        run->metrics = json_object();
    if (json_object_size(run->metrics) >= METRICS_MAX)
        return true;
    /* Counts are integers to clients that are strict about it. */
    if (json_object_set_new(run->metrics, message->metric.name,
                            whole ? json_integer((json_int_t)value) : json_real(value)) != 0)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for a metric.");
    return true;
}

static void on_done(struct predict *predict, struct runner *runner,
                    const struct wire_message *message)
{
    struct run *run = runner->run;
    enum prediction_status status = message->done.status == WIRE_SUCCEEDED ? PREDICTION_SUCCEEDED
                                    : message->done.status == WIRE_FAILED  ? PREDICTION_FAILED
                                                                           : PREDICTION_CANCELED;
    if (atomic_load(&run->canceled))
        status = PREDICTION_CANCELED; /* whoever asked was told that it would be */
    run->predict_seconds = message->done.predict_seconds;
    pthread_mutex_lock(&predict->lock);
    runner->run = NULL;
    runner->state = RUNNER_IDLE;
    pthread_mutex_unlock(&predict->lock);
    runner->deadline_us = 0;
    runner->idle_since_us = clock_monotonic_us();
    runner->lane->crashes = 0;
    lifecycle_end(run, status, message->done.error);
}

static bool on_run_message(struct predict *predict, struct runner *runner,
                           const struct wire_message *message, struct err *err)
{
    struct run *run = runner->run;
    if (!message->id || strcmp(message->id, run->id) != 0)
        return unexpected(message, err);
    if (message->type == WIRE_STARTED) {
        if (run->started)
            return unexpected(message, err);
        lifecycle_started(run);
        return true;
    }
    if (!run->started)
        return unexpected(message, err);
    switch (message->type) {
    case WIRE_LOG:
        add_logs(predict, runner, message->log.text);
        return true;
    case WIRE_OUTPUT_FILE:
        return on_output_file(predict, runner, message, err);
    case WIRE_OUTPUT_TEXT:
        return on_output_text(predict, runner, message, err);
    case WIRE_METRIC:
        return on_metric(runner, message, err);
    case WIRE_DONE:
        on_done(predict, runner, message);
        return true;
    default:
        return unexpected(message, err);
    }
}

/* ---- Frames -------------------------------------------------------------------------------- */

static bool handle_message(struct predict *predict, struct runner *runner,
                           const struct wire_message *message, struct err *err)
{
    switch (runner->state) {
    case RUNNER_STARTING:
        return on_start_message(predict, runner, message, err);
    case RUNNER_BUSY:
        return on_run_message(predict, runner, message, err);
    case RUNNER_ENDING:
        return true;
    case RUNNER_IDLE:
        break;
    }
    return unexpected(message, err);
}

bool events_handle(struct predict *predict, struct runner *runner, struct err *err)
{
    for (;;) {
        struct wire_frame frame;
        struct wire_message message;
        bool complete;
        if (!wire_decoder_next(&runner->decoder, &frame, &complete, err))
            return false;
        if (!complete)
            return true;
        if (!wire_message_decode(&frame, &message, err))
            return false;
        bool ok = handle_message(predict, runner, &message, err);
        wire_message_done(&message);
        if (!ok)
            return false;
    }
}

/* What is printed during a run is the model's log; otherwise its end is kept for ours. */
void events_printed(struct predict *predict, struct runner *runner, struct str bytes)
{
    if (runner->run && runner->state == RUNNER_BUSY) {
        add_logs(predict, runner, bytes);
        return;
    }
    if (runner->state == RUNNER_ENDING || !count_logs(predict, runner, bytes.len))
        return;
    size_t room = sizeof runner->printed_tail - 1, used = strlen(runner->printed_tail);
    if (bytes.len > room)
        bytes = str_skip(bytes, bytes.len - room);
    if (used + bytes.len > room) {
        size_t drop = used + bytes.len - room;
        memmove(runner->printed_tail, runner->printed_tail + drop, used - drop);
        used -= drop;
    }
    for (size_t i = 0; i < bytes.len; i++) /* one line for the log */
        runner->printed_tail[used + i] =
            (unsigned char)bytes.ptr[i] < 0x20 || bytes.ptr[i] == '"' ? ' ' : bytes.ptr[i];
    runner->printed_tail[used + bytes.len] = '\0';
}
