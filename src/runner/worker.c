/* The worker: two threads and one socket.
 *
 *   control thread: reads frames -> a job is posted, a cancel sets the job's flag
 *   model thread (the caller): load, then take the posted job, run it, send done
 *
 * Invariants
 *  (1) At most one job is running and one is posted; a third is a protocol error and ends the
 *      process, because the server counts on one job at a time.
 *  (2) Every job that was taken gets exactly one `done`, the last frame about it.
 *  (3) Frames are written whole under send_lock.
 *
 * The model runs on the thread that entered main() because OpenMP keeps one team of threads per
 * thread that starts parallel work: load and predict must share it. */
#include "runner/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "runner/describe.h"
#include "runner/job_private.h"
#include "wire/message.h"

enum { EXIT_SERVER_GONE = 0, EXIT_PROTOCOL = 3 };

struct worker {
    int socket;
    const struct model *model;
    pthread_mutex_t lock; /* guards the next four */
    pthread_cond_t changed;
    struct job *posted;
    struct job *running;
    bool shutdown;
    pthread_mutex_t send_lock;
};

/* ---- Sending ------------------------------------------------------------------------------ */

static void write_all(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(EXIT_SERVER_GONE); /* nobody is left to tell */
        bytes = str_skip(bytes, (size_t)n);
    }
}

static void send_message(struct worker *worker, const struct wire_message *message)
{
    struct buf bytes;
    buf_init(&bytes, WIRE_EVENT_BYTES_MAX + WIRE_HEADER_BYTES);
    if (!wire_message_write(message, &bytes)) {
        fprintf(stderr, "mimeo-runner: a message '%s' could not be made\n",
                wire_type_name(message->type));
        _exit(EXIT_PROTOCOL); /* going on would leave the server waiting */
    }
    pthread_mutex_lock(&worker->send_lock);
    write_all(worker->socket, buf_str(&bytes));
    pthread_mutex_unlock(&worker->send_lock);
    buf_done(&bytes);
}

static void send_event(void *context, const struct wire_message *event)
{
    send_message(context, event);
}

/* ---- Control thread ----------------------------------------------------------------------- */

/* The message is done before the job is posted: from then on the model thread alone counts
 * references to the input. */
static void on_job(struct worker *worker, struct wire_message *message)
{
    if (message->job.train && !worker->model->train) {
        fprintf(stderr, "mimeo-runner: got a training for a model that has none\n");
        _exit(EXIT_PROTOCOL);
    }
    struct job *job = job_new(worker->model, message->job.train, message->id,
                              (json_t *)(uintptr_t)message->job.input,
                              (json_t *)(uintptr_t)message->job.files, message->job.folder);
    if (!job)
        _exit(EXIT_PROTOCOL);
    wire_message_done(message);
    pthread_mutex_lock(&worker->lock);
    if (worker->posted) {
        fprintf(stderr, "mimeo-runner: got a job while one was waiting\n");
        _exit(EXIT_PROTOCOL);
    }
    worker->posted = job;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

static void on_cancel(struct worker *worker, const char *id)
{
    pthread_mutex_lock(&worker->lock);
    struct job *jobs[] = { worker->posted, worker->running };
    for (int i = 0; i < 2; i++) {
        if (jobs[i] && strcmp(job_id(jobs[i]), id) == 0)
            job_cancel(jobs[i]);
    }
    pthread_mutex_unlock(&worker->lock);
}

static void on_message(struct worker *worker, struct wire_message *message)
{
    switch (message->type) {
    case WIRE_JOB:
        on_job(worker, message);
        break;
    case WIRE_CANCEL:
        on_cancel(worker, message->id);
        break;
    case WIRE_SHUTDOWN:
        pthread_mutex_lock(&worker->lock);
        worker->shutdown = true;
        pthread_cond_signal(&worker->changed);
        pthread_mutex_unlock(&worker->lock);
        break;
    default:
        fprintf(stderr, "mimeo-runner: the server sent '%s'\n", wire_type_name(message->type));
        _exit(EXIT_PROTOCOL);
    }
}

/* All whole frames that have arrived. False: the stream is broken. */
static bool handle_frames(struct worker *worker, struct wire_decoder *decoder, struct err *err)
{
    for (;;) {
        struct wire_frame frame;
        struct wire_message message;
        bool complete;
        if (!wire_decoder_next(decoder, &frame, &complete, err))
            return false;
        if (!complete)
            return true;
        if (!wire_message_decode(&frame, &message, err))
            return false;
        on_message(worker, &message);
        wire_message_done(&message);
    }
}

static void *control_thread(void *context)
{
    struct worker *worker = context;
    static char bytes[65536]; /* one control thread per process */
    struct wire_decoder decoder;
    struct err err;
    wire_decoder_init(&decoder, WIRE_JOB_BYTES_MAX);
    for (;;) {
        ssize_t n = read(worker->socket, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(EXIT_SERVER_GONE);
        if (!wire_decoder_feed(&decoder, (struct str){ bytes, (size_t)n }, &err) ||
            !handle_frames(worker, &decoder, &err)) {
            fprintf(stderr, "mimeo-runner: %s\n", err.detail);
            _exit(EXIT_PROTOCOL);
        }
    }
}

/* ---- Model thread ------------------------------------------------------------------------- */

/* Of this process, all of it: what the kernel could count against us. */
static int64_t resident_bytes(void)
{
    char text[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    struct str size, rest, resident;
    int64_t pages = 0;
    if (!str_cut((struct str){ text, len }, ' ', &size, &rest) ||
        !str_cut(rest, ' ', &resident, &rest) || !str_to_int64(resident, &pages))
        return 0;
    return pages * sysconf(_SC_PAGESIZE);
}

static void run_job(struct worker *worker, void *state, struct job *job)
{
    struct err err = { 0 };
    const char *id = job_id(job);
    job_set_sink(job, send_event, worker);
    int64_t from_us = clock_monotonic_us();
    send_message(worker, &(struct wire_message){ .type = WIRE_STARTED, .id = id });
    bool ok = job_trains(job) ? worker->model->train(state, job, &err)
                              : worker->model->predict(state, job, &err);
    if (ok && job_refusal(job))
        ok = err_set(&err, ERR_MODEL, "%s", job_refusal(job));
    struct wire_message done = { .type = WIRE_DONE, .id = id };
    done.done.predict_seconds = (double)(clock_monotonic_us() - from_us) / 1e6;
    if (ok) {
        done.done.status = WIRE_SUCCEEDED;
    } else if (err.kind == ERR_CANCELED && job_canceled(job)) {
        done.done.status = WIRE_CANCELED;
    } else {
        done.done.status = WIRE_FAILED;
        done.done.error = err.detail[0] ? err.detail : "The model failed without saying why.";
        if (err.kind != ERR_MODEL && err.kind != ERR_INVALID)
            fprintf(stderr, "%s%s\n", err.detail, err.cause);
    }
    fflush(NULL); /* what the model printed belongs before its end */
    send_message(worker, &done);
}

/* The next job, or NULL at shutdown. */
static struct job *take_job(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (!worker->posted && !worker->shutdown)
        pthread_cond_wait(&worker->changed, &worker->lock);
    struct job *job = worker->posted;
    worker->posted = NULL;
    worker->running = job;
    pthread_mutex_unlock(&worker->lock);
    return job;
}

static void run_jobs(struct worker *worker, void *state)
{
    struct job *job;
    while ((job = take_job(worker))) {
        run_job(worker, state, job);
        pthread_mutex_lock(&worker->lock);
        worker->running = NULL; /* from here no cancel can reach it */
        pthread_mutex_unlock(&worker->lock);
        job_free(job);
    }
}

static enum wire_output output_of(enum output_type type)
{
    switch (type) {
    case OUTPUT_FILE:
        return WIRE_OUTPUT_ONE_FILE;
    case OUTPUT_FILE_LIST:
        return WIRE_OUTPUT_FILE_LIST;
    case OUTPUT_TEXT:
        return WIRE_OUTPUT_ONE_TEXT;
    case OUTPUT_TEXT_LIST:
        return WIRE_OUTPUT_TEXT_LIST;
    case OUTPUT_ANY:
        break;
    }
    return WIRE_OUTPUT_ANY;
}

static void say_hello(struct worker *worker, const struct model *const *models)
{
    json_t *names = describe_names(models);
    struct wire_message hello = { .type = WIRE_HELLO };
    hello.hello.protocol = WIRE_PROTOCOL;
    hello.hello.models = names;
    hello.hello.output = output_of(worker->model->output);
    send_message(worker, &hello);
    json_decref(names);
}

static bool load(struct worker *worker, const struct model_context *context, void **ret_state,
                 struct err *err)
{
    int64_t from_us = clock_monotonic_us();
    if (!worker->model->load(context, ret_state, err)) {
        /* A missing or broken file is the same the next time; memory or a crash may not be. */
        struct wire_message failed = { .type = WIRE_FAILED_TO_LOAD };
        failed.failed_to_load.error =
            err->detail[0] ? err->detail : "The model did not load and did not say why.";
        failed.failed_to_load.final =
            err->kind == ERR_NOT_FOUND || err->kind == ERR_INVALID || err->kind == ERR_MODEL;
        send_message(worker, &failed);
        return err_while(err, "loading '%s'", worker->model->name);
    }
    struct wire_message ready = { .type = WIRE_READY };
    ready.ready.load_seconds = (double)(clock_monotonic_us() - from_us) / 1e6;
    ready.ready.resident_bytes = resident_bytes();
    send_message(worker, &ready);
    return true;
}

bool worker_serve(int socket, const struct model *model, const struct model_context *context,
                  const struct model *const *models, struct err *err)
{
    /* Never freed: the control thread waits in read() with it until the process ends. */
    struct worker *worker = calloc(1, sizeof *worker);
    pthread_t control;
    void *state = NULL;
    if (!worker)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the worker.");
    worker->socket = socket;
    worker->model = model;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_mutex_init(&worker->send_lock, NULL);
    pthread_cond_init(&worker->changed, NULL);
    say_hello(worker, models);
    int failed = pthread_create(&control, NULL, control_thread, worker);
    if (failed)
        return err_sys(err, ERR_INTERNAL, failed, "The control thread could not be started.");
    pthread_detach(control);
    if (!load(worker, context, &state, err))
        return false;
    run_jobs(worker, state);
    if (model->unload)
        model->unload(state);
    return true;
}
