/* One prediction as the model sees it: inputs in, events out. See job.h; events are messages that
 * go to the sink (the worker's socket; nowhere for a local job). */
#include "runner/job_private.h"

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "domain/limits.h"
#include "runner/model.h"

#define JOB_ARENA_BYTES                                                                            \
    ((size_t)1 << 32) /* the server bounds the process; this only stops loops                      \
                       */
#define JOB_LOG_LINE_BYTES 8192
#define PROGRESS_INTERVAL_US 100000 /* as tqdm: at most ten lines a second */

struct job {
    const struct model_input *rows; /* the inputs it may ask for */
    bool train;
    char id[WIRE_ID_MAX];
    json_t *input;
    json_t *files;
    char *folder;
    bool folder_made;
    struct arena arena;
    atomic_bool canceled;
    job_sink *sink;
    void *sink_context;
    const char *refusal;
    int64_t progress_started_us, progress_shown_us;
    int progress_done;
};

struct job *job_new(const struct model *model, bool train, const char *id, json_t *input,
                    json_t *files, const char *folder)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->folder = strdup(folder);
    if (!job->folder || !str_copy(str_from(id), job->id, sizeof job->id)) {
        free(job->folder);
        free(job);
        return NULL;
    }
    job->rows = train ? model->training_inputs : model->inputs;
    job->train = train;
    job->input = json_incref(input);
    job->files = json_incref(files);
    arena_init(&job->arena, JOB_ARENA_BYTES);
    atomic_init(&job->canceled, false);
    return job;
}

struct job *job_new_local(const struct model *model, const char *input_json,
                          const struct job_file_input *files, size_t file_count,
                          const char *directory, struct err *err)
{
    json_t *input;
    if (!json_parse(str_from(input_json), &input, err))
        return NULL;
    json_t *paths = json_object();
    bool ok = paths != NULL;
    for (size_t i = 0; ok && i < file_count; i++)
        ok = json_object_set_new(paths, files[i].name, json_string(files[i].path)) == 0;
    struct job *job = ok ? job_new(model, false, "local", input, paths, directory) : NULL;
    json_decref(paths);
    json_decref(input);
    if (!job)
        err_set(err, ERR_NO_MEMORY, "There is no memory for a job.");
    return job;
}

void job_free(struct job *job)
{
    if (!job)
        return;
    json_decref(job->input);
    json_decref(job->files);
    arena_done(&job->arena);
    free(job->folder);
    free(job);
}

void job_set_sink(struct job *job, job_sink *sink, void *context)
{
    job->sink = sink;
    job->sink_context = context;
}

void job_cancel(struct job *job)
{
    atomic_store(&job->canceled, true);
}

bool job_canceled(const struct job *job)
{
    return atomic_load_explicit(&job->canceled, memory_order_relaxed);
}

bool job_trains(const struct job *job)
{
    return job->train;
}

const char *job_id(const struct job *job)
{
    return job->id;
}

const char *job_refusal(const struct job *job)
{
    return job->refusal;
}

struct arena *job_arena(struct job *job)
{
    return &job->arena;
}

/* ---- Inputs ------------------------------------------------------------------------------- */

static const struct model_input *find_row(const struct job *job, const char *name)
{
    const struct model_input *row = job->rows;
    while (row->name && strcmp(row->name, name) != 0)
        row++;
    assert(row->name && "the model's table has no such input");
    return row;
}

/* The client's value, or NULL when it sent none (null counts as none). */
static const json_t *find_value(const struct job *job, const char *name)
{
    const json_t *value = json_object_get(job->input, name);
    return json_is_null(value) ? NULL : value;
}

int64_t job_integer(const struct job *job, const char *name)
{
    const struct model_input *row = find_row(job, name);
    assert(row->type == INPUT_INTEGER);
    const json_t *value = find_value(job, name);
    if (json_is_integer(value))
        return json_integer_value(value);
    return json_is_real(value) ? (int64_t)json_real_value(value) : (int64_t)row->default_number;
}

double job_number(const struct job *job, const char *name)
{
    const struct model_input *row = find_row(job, name);
    assert(row->type == INPUT_NUMBER || row->type == INPUT_INTEGER);
    const json_t *value = find_value(job, name);
    return json_is_number(value) ? json_number_value(value) : row->default_number;
}

bool job_boolean(const struct job *job, const char *name)
{
    const struct model_input *row = find_row(job, name);
    assert(row->type == INPUT_BOOLEAN);
    const json_t *value = find_value(job, name);
    return json_is_boolean(value) ? json_is_true(value) : row->default_number != 0;
}

const char *job_string(const struct job *job, const char *name)
{
    const struct model_input *row = find_row(job, name);
    assert(row->type == INPUT_STRING);
    const json_t *value = find_value(job, name);
    return json_is_string(value) ? json_string_value(value) : row->default_string;
}

const char *job_file(const struct job *job, const char *name)
{
    const struct model_input *row = find_row(job, name);
    assert(row->type == INPUT_FILE || row->type == INPUT_STRING);
    (void)row;
    return json_string_value(json_object_get(job->files, name));
}

bool job_has(const struct job *job, const char *name)
{
    find_row(job, name);
    return find_value(job, name) || json_object_get(job->files, name);
}

/* ---- Events ------------------------------------------------------------------------------- */

static void send_event(struct job *job, struct wire_message *event)
{
    event->id = job->id;
    if (job->sink)
        job->sink(job->sink_context, event);
}

static void log_text(struct job *job, struct str text)
{
    send_event(job, &(struct wire_message){ .type = WIRE_LOG, .log = { text } });
}

void job_log(struct job *job, const char *fmt, ...)
{
    char line[JOB_LOG_LINE_BYTES];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(line, sizeof line - 1, fmt, args); /* room for the newline */
    va_end(args);
    if (len < 0)
        return;
    size_t used = (size_t)len < sizeof line - 1 ? (size_t)len : sizeof line - 2;
    if (used == 0 || line[used - 1] != '\n')
        line[used++] = '\n';
    log_text(job, (struct str){ line, used });
}

/* tqdm's "mm:ss", or "h:mm:ss" from an hour on. */
static void print_duration(double seconds, char *text, size_t size)
{
    long s = seconds > 0 && seconds < 1e8 ? (long)seconds : 0;
    if (s >= 3600)
        snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, size, "%02ld:%02ld", s / 60, s % 60);
}

void job_progress_line(int done, int total, double elapsed_s, char *ret_line, size_t size)
{
    static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
    char bar[64] = "", passed[32], left[32] = "?", rate[32] = "?it/s";
    double part = total > 0 ? (double)done / total : 0;
    int filled = (int)(part * 80), cells = 0; /* in eighths of ten cells */
    size_t at = 0;
    for (; cells < filled / 8; cells++)
        at += (size_t)snprintf(bar + at, sizeof bar - at, "█");
    if (filled % 8) {
        at += (size_t)snprintf(bar + at, sizeof bar - at, "%s", eighths[filled % 8]);
        cells++;
    }
    for (; cells < 10; cells++)
        at += (size_t)snprintf(bar + at, sizeof bar - at, " ");
    print_duration(elapsed_s, passed, sizeof passed);
    if (done > 0 && elapsed_s > 0) {
        double per_second = done / elapsed_s;
        print_duration((total - done) / per_second, left, sizeof left);
        if (per_second >= 1)
            snprintf(rate, sizeof rate, "%5.2fit/s", per_second);
        else
            snprintf(rate, sizeof rate, "%5.2fs/it", 1 / per_second);
    }
    snprintf(ret_line, size, "%3.0f%%|%s| %d/%d [%s<%s, %s]", part * 100, bar, done, total, passed,
             left, rate);
}

void job_progress(struct job *job, int done, int total)
{
    if (total <= 0 || done < 0 || done > total)
        return;
    int64_t now_us = clock_monotonic_us();
    bool first = job->progress_started_us == 0 || done == 0 || done < job->progress_done;
    if (first)
        job->progress_started_us = now_us;
    job->progress_done = done;
    if (!first && done < total && now_us - job->progress_shown_us < PROGRESS_INTERVAL_US)
        return;
    job->progress_shown_us = now_us;
    char line[160];
    job_progress_line(done, total, (double)(now_us - job->progress_started_us) / 1e6, line,
                      sizeof line);
    job_log(job, "%s", line);
}

/* ---- Outputs ------------------------------------------------------------------------------ */

const char *job_output_path(struct job *job, const char *name)
{
    if (!wire_is_file_name(name))
        return NULL;
    if (!job->folder_made && !file_make_folders(job->folder, 0700, NULL))
        return NULL;
    job->folder_made = true;
    return arena_printf(&job->arena, "%s/%s", job->folder, name);
}

void job_output_file(struct job *job, const char *name, const char *content_type)
{
    if (!wire_is_file_name(name)) {
        job->refusal = "The model gave an output file a wrong name.";
        return;
    }
    send_event(job, &(struct wire_message){ .type = WIRE_OUTPUT_FILE,
                                            .output_file = { name, content_type } });
}

void job_output_text(struct job *job, struct str text)
{
    /* Six bytes is the most that one byte of text becomes in JSON; the frame must hold it. */
    if (text.len > LIMIT_OUTPUT_JSON_BYTES / 6) {
        job->refusal = "The model's output is too large.";
        return;
    }
    send_event(job, &(struct wire_message){ .type = WIRE_OUTPUT_TEXT, .output_text = { text } });
}

void job_metric(struct job *job, const char *name, double value)
{
    send_event(job, &(struct wire_message){ .type = WIRE_METRIC, .metric = { name, value } });
}
