/* Supervisor: keeps the runner processes, and survives all of them.
 *
 * It shares nothing with a runner but one socket and one pipe: whatever a runner does to its own
 * memory, the worst that reaches this process is a malformed frame, and that ends only the runner.
 *
 *                supervisor_start_runner        on_ready (events.c)
 *     (none) ------------------------> STARTING ------------------> IDLE <--------+
 *        ^                                |                          | |           | on_done
 *        |                 start timeout, |                   unload | | supervisor_assign
 *        |                 failed_to_load |                          | v           |
 *        +------- on_runner_end ------- ENDING <---------------------+ BUSY -------+
 *                                         ^                             |
 *                                         +-- supervisor_stop_runner <--+
 *                                             timeout, cancel grace over, flood, bad frame
 *
 * Invariants
 *  (1) A run belongs to at most one runner: supervisor_assign alone sets runner->run, and asserts
 *      that it was NULL.
 *  (2) An assigned run ends by on_done or, when its runner died first, by on_runner_end.
 *  (3) Every process is collected through its pidfd; no signal handler is involved.
 *  (4) A runner in ENDING gets no more runs and is killed at its deadline at the latest.
 *
 * A lane may have several runners; each has its own state, and is of one version for life.
 *
 * Not here: which prediction runs next (dispatch.c), what frames mean (events.c), what other
 * threads say (mail.c). */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "predict/predict_private.h"
#include "queue/queue.h"
#include "registry/registry.h"

#define EVENTS_PER_ROUND 64
#define READS_PER_EVENT 16 /* so that one runner cannot keep the others waiting */
#define CLOSED_SOCKET_GRACE_MS 1000
#define TRAINING_TIMEOUT_S 86400 /* hours are common, a day is an error */
#define GIVE_UP_MS 10000         /* after the drain: no more retries of failed writes */

/* ---- Writing to a runner ------------------------------------------------------------------- */

static void watch_socket(struct predict *predict, struct runner *runner, bool writable)
{
    struct epoll_event event = { .events = EPOLLIN | (writable ? (uint32_t)EPOLLOUT : 0),
                                 .data.ptr = &runner->socket_watch };
    epoll_ctl(predict->epoll_fd, EPOLL_CTL_MOD, runner->process.socket, &event);
}

/* What the socket takes now; the rest when it is writable. A closed socket is seen by reading. */
static void flush_out(struct predict *predict, struct runner *runner)
{
    while (runner->socket_open && runner->out_done < runner->out.len) {
        ssize_t n = write(runner->process.socket, runner->out.ptr + runner->out_done,
                          runner->out.len - runner->out_done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            watch_socket(predict, runner, true);
            return;
        }
        if (n < 0)
            break;
        runner->out_done += (size_t)n;
    }
    buf_done(&runner->out); /* a job may have been large, and the next is far off */
    runner->out_done = 0;
    if (runner->socket_open)
        watch_socket(predict, runner, false);
}

static bool send_message(struct predict *predict, struct runner *runner,
                         const struct wire_message *message)
{
    if (!wire_message_write(message, &runner->out)) {
        runner->out.failed = false;
        return false;
    }
    flush_out(predict, runner);
    return true;
}

/* ---- Starting and stopping ----------------------------------------------------------------- */

static void set_state(struct predict *predict, struct runner *runner, enum runner_state state,
                      struct run *run)
{
    pthread_mutex_lock(&predict->lock);
    runner->state = state;
    runner->run = run;
    pthread_mutex_unlock(&predict->lock);
}

static bool watch(struct predict *predict, int fd, struct watch *watch, enum watch_kind kind,
                  struct runner *runner)
{
    *watch = (struct watch){ kind, runner };
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = watch };
    return epoll_ctl(predict->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool supervisor_weights_folder(const struct predict *predict,
                               const struct registry_version *version, char *ret_path, size_t size)
{
    const char *root = predict->options.weights_folder, *own = version->weights_folder;
    int len =
        snprintf(ret_path, size, "%s/%s", root ? root : "", own ? own : version->model->full_name);
    return len > 0 && (size_t)len < size;
}

bool supervisor_start_runner(struct predict *predict, struct lane *lane,
                             const struct registry_version *version, struct err *err)
{
    char weights[4200];
    const struct predict_options *options = &predict->options;
    if (!supervisor_weights_folder(predict, version, weights, sizeof weights))
        return err_set(err, ERR_INVALID, "The weights folder's name is too long.");
    const struct runner_process_options start = {
        .path = options->runner_path,
        .model = version->model->native_model,
        .weights = weights,
        .work = predict->work_folder,
        .precision = options->precision ? options->precision : "f32",
        .threads = options->threads,
    };
    struct runner *runner = calloc(1, sizeof *runner);
    if (!runner)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for a runner.");
    if (!runner_process_start(&start, &runner->process, err)) {
        free(runner);
        return false;
    }
    runner->lane = lane;
    runner->version = version;
    runner->fresh = true;
    runner->begun_us = clock_now_us();
    runner->socket_open = runner->printed_open = true;
    runner->deadline_us = options->start_timeout_s > 0
                              ? clock_monotonic_us() + options->start_timeout_s * INT64_C(1000000)
                              : 0;
    runner->deadline_reason = STOP_START_TIMEOUT;
    wire_decoder_init(&runner->decoder, WIRE_EVENT_BYTES_MAX);
    buf_init(&runner->out, WIRE_JOB_BYTES_MAX + 4096);
    pthread_mutex_lock(&predict->lock);
    runner->next = predict->runners;
    predict->runners = runner;
    pthread_mutex_unlock(&predict->lock);
    /* Three descriptors into epoll: fails for want of kernel memory only. */
    if (!watch(predict, runner->process.socket, &runner->socket_watch, WATCH_SOCKET, runner) ||
        !watch(predict, runner->process.printed, &runner->printed_watch, WATCH_PRINTED, runner) ||
        !watch(predict, runner->process.pid_fd, &runner->end_watch, WATCH_END, runner))
        supervisor_stop_runner(predict, runner, STOP_PROTOCOL);
    log_event(LOG_INFO, "runner_started", "model=%s lane=%s pid=%d", version->model->full_name,
              lane->name, (int)runner->process.pid);
    return true;
}

void supervisor_stop_runner(struct predict *predict, struct runner *runner, enum stop_reason reason)
{
    if (runner->reason == STOP_NONE)
        runner->reason = reason;
    runner->deadline_us = 0;
    set_state(predict, runner, RUNNER_ENDING, runner->run);
    runner_process_kill(&runner->process);
}

void supervisor_unload_runner(struct predict *predict, struct runner *runner,
                              enum stop_reason reason)
{
    runner->reason = reason;
    set_state(predict, runner, RUNNER_ENDING, NULL);
    runner->deadline_us = clock_monotonic_us() + STOP_GRACE_MS * INT64_C(1000);
    runner->deadline_reason = reason;
    if (!send_message(predict, runner, &(struct wire_message){ .type = WIRE_SHUTDOWN }))
        runner_process_kill(&runner->process);
}

void supervisor_assign(struct predict *predict, struct runner *runner, struct run *run)
{
    assert(runner->state == RUNNER_IDLE && !runner->run);
    int timeout_s = predict->options.run_timeout_s;
    if (timeout_s > 0 && run->record.is_training)
        timeout_s = TRAINING_TIMEOUT_S;
    pthread_mutex_lock(&predict->lock);
    runner->state = RUNNER_BUSY;
    runner->run = run;
    run->stage = RUN_RUNNING;
    if (runner->fresh && runner->ready_monotonic_us >= run->added_us) { /* it waited for that */
        run->loading_us = runner->begun_us;
        run->loaded_us = runner->ready_us;
    }
    runner->fresh = false;
    run->form = run->record.is_training ? WIRE_OUTPUT_ANY : runner->form;
    pthread_mutex_unlock(&predict->lock);
    runner->flood_bytes = 0;
    runner->run_timeout_s = timeout_s;
    runner->deadline_us = timeout_s > 0 ? clock_monotonic_us() + timeout_s * INT64_C(1000000) : 0;
    runner->deadline_reason = STOP_RUN_TIMEOUT;
    const struct wire_message message = { .type = WIRE_JOB,
                                          .id = run->id,
                                          .job = { run->input, run->files, run->folder,
                                                   run->record.is_training } };
    if (!send_message(predict, runner, &message)) {
        set_state(predict, runner, RUNNER_IDLE, NULL);
        runner->deadline_us = 0;
        lifecycle_end(run, PREDICTION_FAILED, "The input is too large for the model's process.");
        predict_wake(predict); /* the lane goes on with the next */
        return;
    }
    /* The runner has its copy: keep the input's memory no longer than needed. */
    json_decref(run->input);
    run->input = NULL;
}

void supervisor_cancel(struct predict *predict, struct runner *runner)
{
    const struct wire_message message = { .type = WIRE_CANCEL, .id = runner->run->id };
    if (runner->state != RUNNER_BUSY || runner->deadline_reason == STOP_CANCEL)
        return;
    int64_t grace_us = clock_monotonic_us() + predict->options.cancel_grace_ms * INT64_C(1000);
    if (runner->deadline_us == 0 || grace_us < runner->deadline_us)
        runner->deadline_us = grace_us;
    runner->deadline_reason = STOP_CANCEL;
    if (!send_message(predict, runner, &message))
        supervisor_stop_runner(predict, runner, STOP_CANCEL);
}

/* ---- Reading from a runner ----------------------------------------------------------------- */

/* Nothing more comes: a process that goes on without its socket is ended soon. */
static void on_socket_closed(struct predict *predict, struct runner *runner)
{
    epoll_ctl(predict->epoll_fd, EPOLL_CTL_DEL, runner->process.socket, NULL);
    runner->socket_open = false;
    if (runner->state != RUNNER_ENDING) {
        runner->deadline_us = clock_monotonic_us() + CLOSED_SOCKET_GRACE_MS * 1000;
        runner->deadline_reason = STOP_PROTOCOL;
    }
}

/* reads_max 0: until the socket is empty. */
static void read_socket(struct predict *predict, struct runner *runner, int reads_max)
{
    char bytes[16384];
    struct err err = { 0 };
    for (int i = 0; runner->socket_open && (reads_max == 0 || i < reads_max); i++) {
        ssize_t n = read(runner->process.socket, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            on_socket_closed(predict, runner);
            return;
        }
        if (!wire_decoder_feed(&runner->decoder, (struct str){ bytes, (size_t)n }, &err) ||
            !events_handle(predict, runner, &err)) {
            log_error(LOG_WARN, "runner_bad_frame", &err, "model=%s pid=%d",
                      runner->version->model->full_name, (int)runner->process.pid);
            supervisor_stop_runner(predict, runner, STOP_PROTOCOL);
            epoll_ctl(predict->epoll_fd, EPOLL_CTL_DEL, runner->process.socket, NULL);
            runner->socket_open = false;
        }
    }
}

static void read_printed(struct predict *predict, struct runner *runner, int reads_max)
{
    char bytes[16384];
    for (int i = 0; runner->printed_open && (reads_max == 0 || i < reads_max); i++) {
        ssize_t n = read(runner->process.printed, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            epoll_ctl(predict->epoll_fd, EPOLL_CTL_DEL, runner->process.printed, NULL);
            runner->printed_open = false;
            return;
        }
        events_printed(predict, runner, (struct str){ bytes, (size_t)n });
    }
}

/* ---- The end of a runner ------------------------------------------------------------------- */

static void describe_end(struct predict *predict, const struct runner *runner, int status,
                         char *ret_text, size_t size)
{
    const struct predict_options *options = &predict->options;
    int64_t kills = runner_process_oom_kills();
    bool out_of_memory = kills < 0 || kills != predict->oom_kills;
    switch (runner->reason) {
    case STOP_RUN_TIMEOUT:
        snprintf(ret_text, size, "The prediction did not finish within %d seconds and was stopped.",
                 runner->run_timeout_s);
        return;
    case STOP_START_TIMEOUT:
        snprintf(ret_text, size, "The model did not load within %d seconds and was stopped.",
                 options->start_timeout_s);
        return;
    case STOP_FLOOD:
        snprintf(ret_text, size, "The model wrote more than 16 MiB of logs and was stopped.");
        return;
    case STOP_OUTPUT:
        snprintf(ret_text, size, "The model gave more output than is allowed and was stopped.");
        return;
    case STOP_MEMORY:
        snprintf(ret_text, size, "The model ran out of memory and was stopped.");
        return;
    case STOP_PROTOCOL:
        snprintf(ret_text, size,
                 "The model's process sent a malformed message and was stopped; please try again.");
        return;
    case STOP_NONE:
    case STOP_UNUSED:
    case STOP_SERVER:
    case STOP_CANCEL:
        break;
    }
    predict->oom_kills = kills;
    runner_process_describe_end(status, out_of_memory, ret_text, size);
}

static void end_run_of(struct runner *runner, struct run *run, const char *sentence)
{
    if (runner->reason == STOP_SERVER) {
        lifecycle_requeue(run);
    } else if (runner->reason == STOP_CANCEL || atomic_load(&run->canceled)) {
        dispatch_end_canceled(run);
    } else {
        dispatch_crashed(runner->lane);
        lifecycle_end(run, PREDICTION_FAILED, sentence);
    }
}

static void unlink_runner(struct predict *predict, struct runner *runner)
{
    pthread_mutex_lock(&predict->lock);
    struct runner **at = &predict->runners;
    while (*at != runner)
        at = &(*at)->next;
    *at = runner->next;
    pthread_mutex_unlock(&predict->lock);
    runner->next = predict->dead;
    predict->dead = runner;
    runner->gone = true;
}

/* Its process is over: hear the last it said, then account for what it had. */
static void on_runner_end(struct predict *predict, struct runner *runner)
{
    char sentence[256];
    int status, pid = (int)runner->process.pid;
    read_printed(predict, runner, 0);
    read_socket(predict, runner, 0);
    struct run *run = runner->run;
    set_state(predict, runner, RUNNER_ENDING, NULL);
    if (runner->printed_open)
        epoll_ctl(predict->epoll_fd, EPOLL_CTL_DEL, runner->process.printed, NULL);
    if (runner->socket_open)
        epoll_ctl(predict->epoll_fd, EPOLL_CTL_DEL, runner->process.socket, NULL);
    epoll_ctl(predict->epoll_fd, EPOLL_CTL_DEL, runner->process.pid_fd, NULL);
    unlink_runner(predict, runner); /* from here on nobody else looks at its process */
    runner_process_collect(&runner->process, &status);
    describe_end(predict, runner, status, sentence, sizeof sentence);
    bool expected = runner->reason == STOP_UNUSED || runner->reason == STOP_SERVER ||
                    runner->reason == STOP_CANCEL;
    log_event(expected ? LOG_INFO : LOG_WARN, "runner_ended",
              "model=%s pid=%d status=%d reason=%d printed=\"%s\"",
              runner->version->model->full_name, pid, status, (int)runner->reason,
              runner->printed_tail);
    if (run)
        end_run_of(runner, run, sentence);
    else if (runner->was_ready && runner->reason == STOP_NONE)
        dispatch_crashed(runner->lane);
    else if (!runner->was_ready && !runner->load_told && runner->reason != STOP_SERVER &&
             runner->reason != STOP_UNUSED)
        dispatch_load_failed(predict, runner->lane, runner->version->model->full_name, sentence,
                             false);
}

static void free_dead(struct predict *predict)
{
    while (predict->dead) {
        struct runner *runner = predict->dead;
        predict->dead = runner->next;
        wire_decoder_done(&runner->decoder);
        buf_done(&runner->out);
        free(runner);
    }
}

/* ---- Closing ------------------------------------------------------------------------------- */

static void begin_closing(struct predict *predict)
{
    predict->closing_begun = true;
    for (struct lane *lane = predict->lanes; lane; lane = lane->next) {
        for (struct run *run = lane->waiting, *next; run; run = next) {
            next = run->next;
            atomic_store(&run->canceled, true); /* stops a fetch; it is not recorded */
            if (run->stage != RUN_READY)
                continue;
            dispatch_lane_remove(lane, run);
            lifecycle_drop(run);
        }
    }
}

/* One round of the server's end. True when nothing is left to do. */
static bool close_down(struct predict *predict, int64_t drain_until_us)
{
    int64_t now_us = clock_monotonic_us();
    if (!predict->closing_begun)
        begin_closing(predict);
    for (struct runner *runner = predict->runners; runner; runner = runner->next) {
        if (runner->state == RUNNER_IDLE)
            supervisor_unload_runner(predict, runner, STOP_SERVER);
        else if (runner->state == RUNNER_STARTING ||
                 (runner->state == RUNNER_BUSY && now_us >= drain_until_us))
            supervisor_stop_runner(predict, runner, STOP_SERVER);
    }
    if (predict->runners || predict->preparing > 0)
        return now_us > drain_until_us + 2 * GIVE_UP_MS * 1000 && !predict->runners;
    return predict->ending == 0 || now_us > drain_until_us + GIVE_UP_MS * 1000;
}

/* ---- The loop ------------------------------------------------------------------------------ */

static void on_event(struct predict *predict, const struct watch *watch, uint32_t events)
{
    uint64_t count;
    struct runner *runner = watch->runner;
    if (watch->kind == WATCH_MAIL) {
        if (read(predict->wake_fd, &count, sizeof count) < 0)
            count = 0;
        atomic_store(&predict->awake, false); /* from here on a new wake is a new event */
        return;
    }
    if (runner->gone) /* ended earlier in this round */
        return;
    if (watch->kind == WATCH_END) {
        on_runner_end(predict, runner);
    } else if (watch->kind == WATCH_PRINTED) {
        read_printed(predict, runner, READS_PER_EVENT);
    } else {
        if (events & EPOLLOUT)
            flush_out(predict, runner);
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            read_socket(predict, runner, READS_PER_EVENT);
    }
}

void *supervisor_thread(void *context)
{
    struct predict *predict = context;
    struct epoll_event events[EVENTS_PER_ROUND];
    for (;;) {
        int count = epoll_wait(predict->epoll_fd, events, EVENTS_PER_ROUND, timers_run(predict));
        for (int i = 0; i < count; i++)
            on_event(predict, events[i].data.ptr, events[i].events);
        mail_read(predict);
        pthread_mutex_lock(&predict->lock);
        bool closing = predict->closing;
        int64_t drain_until_us = predict->drain_until_us;
        pthread_mutex_unlock(&predict->lock);
        if (!closing)
            dispatch_all(predict);
        else if (close_down(predict, drain_until_us))
            break;
        free_dead(predict);
    }
    free_dead(predict);
    return NULL;
}
