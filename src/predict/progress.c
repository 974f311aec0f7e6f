/* How far a prediction is: what it waits for, its place in its lane, the numbers of its progress
 * bar, and when each part of it began.
 *
 * Of one that has not ended the live table, its run and its lane say so; its record says whose it
 * is. Of one that has ended the record says all, also after its data was removed. The lock is held
 * for a look at the lane (as many runs as are made ready ahead) and a copy of the logs' end; the
 * queue, which may be long, is asked without it, so a place may be off by one for a moment.
 * Any thread. */
#include "predict/progress.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "predict/predict_private.h"
#include "queue/queue.h"
#include "registry/registry.h"

#define BAR_LOGS_BYTES 4096 /* of the logs' end: longer than any bar */

/* ---- Progress bars ------------------------------------------------------------------------- */

/* Digits at the front of *text, which is moved past them. */
static bool read_number(struct str *text, int64_t *ret_value)
{
    size_t len = 0;
    while (len < text->len && text->ptr[len] >= '0' && text->ptr[len] <= '9')
        len++;
    if (len == 0 || !str_to_int64((struct str){ text->ptr, len }, ret_value))
        return false;
    *text = str_skip(*text, len);
    return true;
}

static bool parse_line(struct str line, int64_t *ret_step, int64_t *ret_steps)
{
    int64_t step, steps;
    ptrdiff_t at = str_find(line, S("%|"));
    if (at < 0)
        return false;
    line = str_skip(line, (size_t)at + 2);
    at = str_find(line, S("| "));
    if (at < 0)
        return false;
    line = str_skip(line, (size_t)at + 2);
    if (!read_number(&line, &step) || !str_starts(line, S("/")))
        return false;
    line = str_skip(line, 1);
    if (!read_number(&line, &steps) || !str_starts(line, S(" [")) || steps <= 0 || step > steps)
        return false;
    *ret_step = step;
    *ret_steps = steps;
    return true;
}

bool predict_progress_parse(struct str logs, int64_t *ret_step, int64_t *ret_steps)
{
    while (logs.len > 0) {
        size_t begin = logs.len;
        while (begin > 0 && logs.ptr[begin - 1] != '\n' && logs.ptr[begin - 1] != '\r')
            begin--;
        if (parse_line(str_skip(logs, begin), ret_step, ret_steps))
            return true;
        logs.len = begin > 0 ? begin - 1 : 0;
    }
    return false;
}

/* ---- Moments ------------------------------------------------------------------------------- */

/* In order of time, and as they are given where times are equal. */
static void add_moment(struct predict_progress *progress, const char *name, int64_t at_us)
{
    int at = progress->moment_count;
    if (at_us <= 0)
        return;
    for (; at > 0 && progress->moments[at - 1].at_us > at_us; at--)
        progress->moments[at] = progress->moments[at - 1];
    progress->moments[at] = (struct predict_moment){ name, at_us };
    progress->moment_count++;
}

static int64_t not_before(int64_t at_us, int64_t bound_us)
{
    return at_us > 0 && at_us < bound_us ? bound_us : at_us;
}

/* The runner may have begun to load before the prediction came. */
static void add_moments(struct predict_progress *progress, const struct prediction *outline,
                        int64_t prepared_us, int64_t loading_us, int64_t loaded_us)
{
    add_moment(progress, "created", outline->created_us);
    add_moment(progress, "prepared", prepared_us);
    add_moment(progress, "loading", not_before(loading_us, outline->created_us));
    add_moment(progress, "loaded", not_before(loaded_us, outline->created_us));
    add_moment(progress, "started", outline->started_us);
    add_moment(progress, "completed", outline->completed_us);
}

void progress_write_timeline(struct run *run)
{
    const struct {
        const char *name;
        int64_t at_us;
    } moments[] = {
        { "prepared", run->prepared_us },
        { "loading", run->loading_us },
        { "loaded", run->loaded_us },
    };
    char before = '{';
    buf_clear(&run->end_timeline);
    for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
        if (moments[i].at_us == 0)
            continue;
        buf_printf(&run->end_timeline, "%c\"%s\":%lld", before, moments[i].name,
                   (long long)moments[i].at_us);
        before = ',';
    }
    if (run->end_timeline.len > 0)
        buf_append_char(&run->end_timeline, '}');
}

/* ---- One that has ended -------------------------------------------------------------------- */

static void describe_ended(const struct prediction *outline, struct predict_progress *progress)
{
    json_t *timeline = NULL;
    if (outline->timeline.len > 0 && !json_parse(outline->timeline, &timeline, NULL))
        timeline = NULL;
    add_moments(progress, outline, json_get_integer(timeline, "prepared", 0),
                json_get_integer(timeline, "loading", 0), json_get_integer(timeline, "loaded", 0));
    json_decref(timeline);
    progress->phase = PREDICT_ENDED;
    predict_progress_parse(outline->logs, &progress->step, &progress->steps);
}

/* ---- One that has not ---------------------------------------------------------------------- */

struct look { /* what is copied under the lock */
    struct prediction *outline;
    struct predict_progress *progress;
    bool queued;         /* it stands in the queue, or is on its way into or out of it */
    char lane_name[256]; /* in the queue */
    size_t ahead;        /* made ready, of its lane */
    enum lane_obstacle obstacle;
    char obstacle_error[256];
    char bar[BAR_LOGS_BYTES];
    size_t bar_len;
    int64_t prepared_us, loading_us, loaded_us;
};

static const struct lane *find_lane(struct predict *predict, const char *name)
{
    const struct lane *lane = predict->lanes;
    while (lane && strcmp(lane->name, name) != 0)
        lane = lane->next;
    return lane;
}

/* Its place among those of its lane that are made ready; among those of its own version,
 * *ret_of_version. One that is just coming in is the last. */
static size_t place_in_lane(const struct run *run, size_t *ret_of_version)
{
    size_t place = 1;
    *ret_of_version = 1;
    for (const struct run *at = run->lane->waiting; at && at != run; at = at->next) {
        place++;
        *ret_of_version += dispatch_is_same(at->version, run->version);
    }
    return place;
}

/* Since when the runner starts that will have the run first; 0: it is not one of those that runners
 * start for. */
static int64_t loading_since(const struct predict *predict, const struct run *run,
                             size_t of_version)
{
    int64_t since_us = 0;
    size_t starting = 0;
    for (const struct runner *runner = predict->runners; runner; runner = runner->next) {
        if (runner->lane != run->lane || runner->state != RUNNER_STARTING ||
            !dispatch_is_same(runner->version, run->version))
            continue;
        starting++;
        if (since_us == 0 || runner->begun_us < since_us)
            since_us = runner->begun_us;
    }
    return of_version <= starting ? since_us : 0;
}

static void look_at_waiting(const struct predict *predict, const struct run *run, struct look *look)
{
    size_t of_version;
    size_t place = place_in_lane(run, &of_version);
    look->loading_us = loading_since(predict, run, of_version);
    if (run->stage == RUN_PREPARING)
        look->progress->phase = PREDICT_PREPARING;
    else if (look->loading_us > 0)
        look->progress->phase = PREDICT_LOADING;
    else
        look->progress->place = place;
}

static void look_at_run(const struct predict *predict, const struct run *run, struct look *look)
{
    look->prepared_us = run->prepared_us;
    if (run->stage == RUN_PREPARING || run->stage == RUN_READY) {
        look_at_waiting(predict, run, look);
        return;
    }
    look->loading_us = run->loading_us;
    look->loaded_us = run->loaded_us;
    if (run->stage == RUN_RUNNING || run->started)
        look->progress->phase = PREDICT_RUNNING;
    if (run->started && look->outline->status == PREDICTION_STARTING) { /* not on disk yet */
        look->outline->status = PREDICTION_PROCESSING;
        look->outline->started_us = run->started_us;
    }
    struct str logs = buf_str(&run->logs.text);
    look->bar_len = logs.len < sizeof look->bar ? logs.len : sizeof look->bar;
    if (look->bar_len > 0)
        memcpy(look->bar, logs.ptr + logs.len - look->bar_len, look->bar_len);
}

/* False: it is not in the live table. */
static bool look_at(struct predict *predict, const char *id, struct look *look)
{
    const struct lane *lane = NULL;
    pthread_mutex_lock(&predict->lock);
    const struct live *live = predict_live_find(predict, id);
    if (live && live->run) {
        lane = live->run->lane;
        str_copy(str_from(lane->name), look->lane_name, sizeof look->lane_name);
        look_at_run(predict, live->run, look);
    } else if (live) {
        const char *name = live->deployment[0] ? live->deployment : live->version->id;
        str_copy(str_from(name), look->lane_name, sizeof look->lane_name);
        lane = find_lane(predict, name);
        look->queued = true;
    }
    if (lane) {
        look->ahead = (size_t)lane->waiting_count;
        look->obstacle = lane->obstacle;
        memcpy(look->obstacle_error, lane->obstacle_error, sizeof look->obstacle_error);
    }
    pthread_mutex_unlock(&predict->lock);
    return live != NULL;
}

static const char *obstacle_sentence(const struct look *look, struct arena *arena)
{
    switch (look->obstacle) {
    case LANE_NO_MEMORY:
        return "It waits for memory that other models use.";
    case LANE_LOAD_FAILED:
        return arena_printf(arena, "The model failed to load and is tried again: %s",
                            look->obstacle_error);
    case LANE_NO_RUNNERS:
        return "Its deployment has no instances: its max_instances is 0.";
    case LANE_CLEAR:
        break;
    }
    return NULL;
}

static void describe_unfinished(struct predict *predict, struct look *look, struct arena *arena)
{
    struct predict_progress *progress = look->progress;
    struct queue *queue = predict->options.queue;
    if (look->queued) {
        size_t place = queue_position(queue, look->lane_name, look->outline->id);
        progress->place = look->ahead + (place > 0 ? place : 1);
    }
    if (progress->place > 0) {
        progress->waiting = look->ahead + queue_length(queue, look->lane_name);
        if (progress->waiting < progress->place) /* it was on its way between the two */
            progress->waiting = progress->place;
    }
    if (progress->phase != PREDICT_RUNNING)
        progress->blocked = obstacle_sentence(look, arena);
    predict_progress_parse((struct str){ look->bar, look->bar_len }, &progress->step,
                           &progress->steps);
    add_moments(progress, look->outline, look->prepared_us, look->loading_us, look->loaded_us);
}

bool predict_progress(struct predict *predict, const char *account, const char *id,
                      struct arena *arena, struct predict_progress *ret_progress, struct err *err)
{
    struct prediction outline;
    struct look look;
    bool done = false;
    /* Twice: it may end between the look into the store and the one into the live table. */
    for (int i = 0; i < 2 && !done; i++) {
        *ret_progress = (struct predict_progress){ .phase = PREDICT_QUEUED };
        if (!store_prediction_outline(predict->options.store, account, id, arena, &outline, err))
            return false;
        look = (struct look){ .outline = &outline, .progress = ret_progress };
        done = prediction_status_is_terminal(outline.status) || look_at(predict, id, &look);
    }
    ret_progress->status = outline.status;
    if (prediction_status_is_terminal(outline.status))
        describe_ended(&outline, ret_progress);
    else if (done)
        describe_unfinished(predict, &look, arena);
    else /* it waits for the next start of the server */
        add_moments(ret_progress, &outline, 0, 0, 0);
    return true;
}
