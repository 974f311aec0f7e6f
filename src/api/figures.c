/* The threads that keep figures beside the calls: see figures.h. */
#include "api/figures.h"

#include <fts.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api_private.h"
#include "api/history.h"
#include "api/installs.h"
#include "api/speeds.h"
#include "base/clock.h"
#include "predict/manage.h"
#include "predict/predict.h"

#define DATA_FILES_MAX 20000 /* looked at: some 50 ms */
#define DATA_EVERY_US (60 * INT64_C(1000000))

int64_t figures_server_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file && fscanf(file, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

/* Below 0: too many. */
static int64_t count_data(const char *folder)
{
    char *const roots[] = { (char *)(uintptr_t)folder, NULL };
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    int64_t bytes = 0;
    FTSENT *entry;

    if (!walk)
        return -1;
    for (int seen = 0; bytes >= 0 && (entry = fts_read(walk)) != NULL; seen++) {
        if (seen >= DATA_FILES_MAX)
            bytes = -1;
        else if (entry->fts_info == FTS_F || entry->fts_info == FTS_D)
            bytes += (int64_t)entry->fts_statp->st_blocks * 512;
    }
    fts_close(walk);
    return bytes;
}

int64_t figures_data_bytes(struct api *api)
{
    long long now_us = clock_monotonic_us(), seen_us = atomic_load(&api->data_seen_us);
    bool due = seen_us == 0 || now_us - seen_us > DATA_EVERY_US;

    if (due && atomic_compare_exchange_strong(&api->data_seen_us, &seen_us, now_us))
        atomic_store(&api->data_bytes, count_data(api->data_folder));
    return atomic_load(&api->data_bytes);
}

static void add_runner(void *context, const struct predict_runner_info *info)
{
    int64_t *bytes = context;

    *bytes += info->resident_bytes;
}

void figures_look(const struct api *api, struct history_level *ret_level)
{
    *ret_level = (struct history_level){
        .waiting = predict_waiting(api->predict),
        .created = predict_created_count(api->predict),
        .memory_bytes = figures_server_bytes(),
    };
    predict_each_runner(api->predict, add_runner, &ret_level->memory_bytes);
}

static void look(void *context, struct history_level *ret_level)
{
    figures_look(context, ret_level);
}

static enum history_outcome outcome_of(enum prediction_status status)
{
    if (status == PREDICTION_SUCCEEDED)
        return HISTORY_SUCCEEDED;
    return status == PREDICTION_FAILED ? HISTORY_FAILED : HISTORY_CANCELED;
}

/* predict_ended: on any of its threads. */
static void on_end(void *context, const struct predict_end *end)
{
    const struct api *api = context;
    bool succeeded = end->status == PREDICTION_SUCCEEDED;

    history_end(api->history, outcome_of(end->status), succeeded ? end->predict_us : -1,
                end->queue_us);
    if (succeeded)
        speeds_add(api->speeds, end->model, end->predict_us);
}

bool figures_start(struct api *api, const struct api_options *options, struct err *err)
{
    const struct history_options history = { .look = look, .context = api };
    const struct installs_options installs = {
        .weights_folder = options->weights_folder,
        .hf_endpoint = options->hf_endpoint,
        .github_endpoint = options->github_endpoint,
        .hf_token = options->hf_token,
    };

    atomic_init(&api->data_bytes, -1);
    atomic_init(&api->data_seen_us, 0);
    if (!history_new(&history, &api->history, err) || !speeds_new(api->store, &api->speeds, err) ||
        !installs_new(&installs, &api->installs, err))
        return false;
    predict_on_end(api->predict, on_end, api);
    return true;
}

void figures_stop(struct api *api)
{
    predict_on_end(api->predict, NULL, NULL);
    installs_free(api->installs);
    speeds_free(api->speeds);
    history_free(api->history);
}
