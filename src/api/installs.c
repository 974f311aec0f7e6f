/* Installs: see installs.h. Each model that was ever asked for has one job, which is kept until the
 * end and used again; as many as there are models.
 *
 *   installs_begin -> (queued: step "waiting") -> install_run -> succeeded | failed | canceled
 *        ^                                            |
 *        +--- again: asked for after a cancel, -------+
 *             before that had taken effect
 *
 * Everything of a job is under the one lock, but `canceled`, which pull/ looks at. The lock is
 * never held while something is fetched or removed. */
#include "api/installs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "base/work.h"
#include "pull/pull.h"
#include "registry/registry.h"

#define AT_ONCE 2        /* fetches: more only share the line */
#define WAITING_MAX 256  /* models that wait for their turn */
#define TEXT_BYTES 32768 /* of the options */
#define SAMPLES 24
#define SAMPLE_US 250000
#define WINDOW_US 5000000    /* a rate is that of these last seconds */
#define RATE_AFTER_US 300000 /* less says nothing */

struct sample {
    int64_t at_us; /* monotonic */
    int64_t received_bytes;
};

struct job {
    struct job *next;
    struct installs *installs;
    const struct registry_model *model;
    const char *parts[INSTALL_PARTS_MAX];
    int part_count;
    atomic_bool canceled;
    bool busy;     /* queued or running: the pool has it */
    bool running;  /* a thread has begun with it */
    bool again;    /* run once more when it has ended */
    bool removing; /* its weights are: nothing may begin */
    bool known;    /* `install` is something */
    struct install install;
    bool downloading;        /* the last that was heard was of bytes coming in */
    const char *file;        /* of which file; only compared */
    int64_t file_done_bytes; /* what was heard of it */
    int64_t received_bytes;  /* came in, in this process */
    struct sample samples[SAMPLES];
    int sample_count; /* ever; the newest is at (sample_count - 1) % SAMPLES */
    char name[];
};

struct installs {
    struct installs_options options;
    struct arena arena; /* the options' texts */
    struct work_pool *pool;
    pthread_mutex_t lock;
    struct job *jobs;
    bool ending;
};

void installs_fill(const struct installs *installs, const struct registry_model *model,
                   struct pull_options *ret_options)
{
    *ret_options = (struct pull_options){
        .manifest = model->manifest,
        .owner = model->owner,
        .name = model->name,
        .weights_folder = installs->options.weights_folder,
        .any_size = true,
        .hf_endpoint = installs->options.hf_endpoint,
        .github_endpoint = installs->options.github_endpoint,
        .hf_token = installs->options.hf_token,
    };
}

/* Lock held. */
static struct job *job_find(struct installs *installs, const char *name)
{
    struct job *job = installs->jobs;

    while (job && strcmp(job->name, name) != 0)
        job = job->next;
    return job;
}

static struct job *job_of(struct installs *installs, const char *name)
{
    struct job *job = job_find(installs, name);
    size_t size = strlen(name) + 1;

    if (job || !(job = calloc(1, sizeof(*job) + size)))
        return job;
    memcpy(job->name, name, size);
    atomic_init(&job->canceled, false);
    job->installs = installs;
    job->next = installs->jobs;
    installs->jobs = job;
    return job;
}

/* ---- How fast --------------------------------------------------------------------------------
 */

/* Lock held. What an earlier fetch has left counts as done, not as having come in. */
static void note_received(struct job *job, const struct pull_overall *overall)
{
    bool downloading = strcmp(overall->step, "downloading") == 0;
    bool goes_on = downloading && job->downloading && job->file == overall->file;
    int64_t now_us = clock_monotonic_us();

    if (goes_on && overall->done_bytes > job->file_done_bytes)
        job->received_bytes += overall->done_bytes - job->file_done_bytes;
    job->downloading = downloading;
    job->file = overall->file;
    job->file_done_bytes = overall->done_bytes;
    if (!goes_on)
        job->sample_count = 0;
    if (job->sample_count > 0 &&
        now_us - job->samples[(job->sample_count - 1) % SAMPLES].at_us < SAMPLE_US)
        return;
    job->samples[job->sample_count++ % SAMPLES] = (struct sample){ now_us, job->received_bytes };
}

/* Lock held. */
static int64_t rate_of(const struct job *job)
{
    int64_t now_us = clock_monotonic_us();
    int first = job->sample_count > SAMPLES ? job->sample_count - SAMPLES : 0;

    if (!job->downloading || job->install.state != INSTALL_RUNNING || job->sample_count == 0)
        return -1;
    while (first < job->sample_count - 1 &&
           now_us - job->samples[first % SAMPLES].at_us > WINDOW_US)
        first++;
    const struct sample *since = &job->samples[first % SAMPLES];
    int64_t passed_us = now_us - since->at_us;
    if (passed_us < RATE_AFTER_US)
        return -1;
    return (int64_t)((double)(job->received_bytes - since->received_bytes) * 1e6 /
                     (double)passed_us);
}

/* ---- One install -----------------------------------------------------------------------------
 */

static void on_overall(void *context, const struct pull_overall *overall)
{
    struct job *job = context;
    bool waits = str_starts(str_from(overall->step), S("waiting"));

    pthread_mutex_lock(&job->installs->lock);
    snprintf(job->install.step, sizeof(job->install.step), "%.60s%s%.90s", overall->step,
             waits ? "" : " ", waits ? "" : overall->file);
    job->install.done_bytes = overall->done_bytes;
    job->install.total_bytes = overall->total_bytes;
    note_received(job, overall);
    pthread_mutex_unlock(&job->installs->lock);
}

static void on_note(void *context, const char *line)
{
    struct job *job = context;

    log_event(LOG_INFO, "weights", "model=%s note=\"%s\"", job->name, line);
    if (!str_starts(str_from(line), S("another pull")))
        return;
    pthread_mutex_lock(&job->installs->lock);
    snprintf(job->install.step, sizeof(job->install.step),
             "waiting for another process that fetches it");
    pthread_mutex_unlock(&job->installs->lock);
}

/* Errors of the file system name paths, which are nobody's business who calls over HTTP. */
static void write_error(const struct installs *installs, const struct err *err, char *ret_text,
                        size_t size)
{
    struct str detail = str_from(err->detail), folder = str_from(installs->options.weights_folder);
    ptrdiff_t at = str_find(detail, folder);

    if (at < 0)
        snprintf(ret_text, size, "%s", err->detail);
    else
        snprintf(ret_text, size, "%.*sWEIGHTS%s", (int)at, err->detail,
                 err->detail + (size_t)at + folder.len);
}

/* Lock held. */
static void finish(struct job *job, bool ok, const struct err *err)
{
    struct install *install = &job->install;

    install->completed_us = clock_now_us();
    if (ok) {
        install->state = INSTALL_SUCCEEDED;
        snprintf(install->step, sizeof(install->step), "installed");
        if (install->total_bytes >= 0)
            install->done_bytes = install->total_bytes;
    } else if (err->kind == ERR_CANCELED || atomic_load(&job->canceled)) {
        install->state = INSTALL_CANCELED;
        snprintf(install->step, sizeof(install->step), "canceled");
    } else {
        install->state = INSTALL_FAILED;
        snprintf(install->step, sizeof(install->step), "failed");
        write_error(job->installs, err, install->error, sizeof(install->error));
    }
}

/* Lock held. */
static void start(struct job *job)
{
    atomic_store(&job->canceled, job->installs->ending);
    job->again = job->downloading = false;
    job->known = true;
    job->install = (struct install){ .state = INSTALL_RUNNING,
                                     .total_bytes = -1,
                                     .bytes_per_second = -1,
                                     .started_us = clock_now_us() };
    snprintf(job->install.step, sizeof(job->install.step), "waiting");
}

static bool fetch(struct job *job, struct err *err)
{
    const char *parts[INSTALL_PARTS_MAX];
    struct pull_options options;

    pthread_mutex_lock(&job->installs->lock);
    installs_fill(job->installs, job->model, &options);
    memcpy(parts, job->parts, sizeof(parts));
    options.part_count = job->part_count;
    pthread_mutex_unlock(&job->installs->lock);
    options.parts = parts;
    options.canceled = &job->canceled;
    options.overall = on_overall;
    options.note = on_note;
    options.context = job;
    return pull_weights(&options, err);
}

/* On a thread of the pool. */
static void install_run(void *context)
{
    struct job *job = context;
    struct installs *installs = job->installs;
    bool again;

    pthread_mutex_lock(&installs->lock);
    job->running = true;
    pthread_mutex_unlock(&installs->lock);
    do {
        struct err err = { 0 };
        bool ok = atomic_load(&job->canceled) ? err_set(&err, ERR_CANCELED, "canceled")
                                              : fetch(job, &err);
        if (!ok && err.kind != ERR_CANCELED)
            log_error(LOG_WARN, "weights_not_installed", &err, "model=%s", job->name);
        else
            log_event(LOG_INFO, ok ? "weights_installed" : "weights_canceled", "model=%s",
                      job->name);
        pthread_mutex_lock(&installs->lock);
        finish(job, ok, &err);
        again = job->again && !installs->ending;
        if (again)
            start(job);
        job->busy = job->running = again;
        pthread_mutex_unlock(&installs->lock);
    } while (again);
}

/* ---- From outside ----------------------------------------------------------------------------
 */

/* Lock held. */
static bool begin_job(struct installs *installs, struct job *job, struct err *err)
{
    if (job->running) { /* canceled: it begins again when that has taken effect */
        job->again = true;
        return true;
    }
    start(job);
    job->busy = job->busy || work_submit(installs->pool, install_run, job);
    if (job->busy)
        return true;
    job->known = false;
    return err_set(err, ERR_UNAVAILABLE, "Too many models wait for their weights.");
}

bool installs_begin(struct installs *installs, const struct registry_model *model,
                    const char *const *parts, int part_count, bool *ret_begun, struct err *err)
{
    bool ok = true;

    pthread_mutex_lock(&installs->lock);
    struct job *job = job_of(installs, model->full_name);
    *ret_begun = job && !(job->busy && (job->again || !atomic_load(&job->canceled)));
    if (!job || installs->ending) {
        ok = err_set(err, ERR_UNAVAILABLE, "The server cannot fetch weights at the moment.");
    } else if (job->removing) {
        ok = err_set(err, ERR_CONFLICT, "Its weights are being removed.");
    } else if (*ret_begun) {
        job->model = model;
        job->part_count = part_count < INSTALL_PARTS_MAX ? part_count : INSTALL_PARTS_MAX;
        for (int i = 0; i < job->part_count; i++)
            job->parts[i] = parts[i];
        ok = begin_job(installs, job, err);
    }
    pthread_mutex_unlock(&installs->lock);
    return ok;
}

bool installs_cancel(struct installs *installs, const char *name)
{
    pthread_mutex_lock(&installs->lock);
    struct job *job = job_find(installs, name);
    bool runs = job && job->busy;
    if (runs) {
        job->again = false;
        atomic_store(&job->canceled, true);
        if (!job->running) /* its turn may be far off */
            finish(job, false, &(struct err){ .kind = ERR_CANCELED });
    }
    pthread_mutex_unlock(&installs->lock);
    return runs;
}

bool installs_get(struct installs *installs, const char *name, struct install *ret_install)
{
    pthread_mutex_lock(&installs->lock);
    struct job *job = job_find(installs, name);
    bool known = job && job->known;
    if (known) {
        *ret_install = job->install;
        ret_install->bytes_per_second = rate_of(job);
        ret_install->canceling = job->busy && !job->again && atomic_load(&job->canceled);
    }
    pthread_mutex_unlock(&installs->lock);
    return known;
}

bool installs_remove(struct installs *installs, const struct registry_model *model, struct err *err)
{
    struct pull_options options;
    bool ok = false;

    pthread_mutex_lock(&installs->lock);
    struct job *job = job_of(installs, model->full_name);
    if (!job)
        err_set(err, ERR_NO_MEMORY, "memory is short");
    else if (job->busy || job->removing)
        err_set(err, ERR_CONFLICT, "Its weights are being fetched or removed at the moment.");
    else
        ok = job->removing = true;
    pthread_mutex_unlock(&installs->lock);
    if (!ok)
        return false;
    installs_fill(installs, model, &options);
    ok = pull_remove(&options, err);
    pthread_mutex_lock(&installs->lock);
    job->removing = false;
    job->known = job->known && !ok;
    pthread_mutex_unlock(&installs->lock);
    if (ok)
        log_event(LOG_INFO, "weights_removed", "model=%s", model->full_name);
    return ok;
}

/* ---- Start and end ---------------------------------------------------------------------------
 */

static bool copy_options(struct installs *installs, const struct installs_options *options)
{
    const char **texts[] = { &installs->options.weights_folder, &installs->options.hf_endpoint,
                             &installs->options.github_endpoint, &installs->options.hf_token };
    bool ok = true;

    installs->options = *options;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (*texts[i])
            ok &= (*texts[i] = arena_strdup(&installs->arena, str_from(*texts[i]))) != NULL;
    return ok;
}

bool installs_new(const struct installs_options *options, struct installs **ret_installs,
                  struct err *err)
{
    struct installs *installs = calloc(1, sizeof(*installs));

    if (!installs)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for fetching weights");
    arena_init(&installs->arena, TEXT_BYTES);
    pthread_mutex_init(&installs->lock, NULL);
    if (!copy_options(installs, options) ||
        !work_pool_new("weights", AT_ONCE, WAITING_MAX, &installs->pool, err)) {
        installs_free(installs);
        return err_set(err, ERR_NO_MEMORY, "not enough memory for fetching weights");
    }
    *ret_installs = installs;
    return true;
}

void installs_free(struct installs *installs)
{
    if (!installs)
        return;
    pthread_mutex_lock(&installs->lock);
    installs->ending = true;
    for (struct job *job = installs->jobs; job; job = job->next)
        atomic_store(&job->canceled, true);
    pthread_mutex_unlock(&installs->lock);
    if (installs->pool)
        work_pool_free(installs->pool);
    for (struct job *job = installs->jobs, *next; job; job = next) {
        next = job->next;
        free(job);
    }
    pthread_mutex_destroy(&installs->lock);
    arena_done(&installs->arena);
    free(installs);
}
