/* Retention: one thread that takes away what has had its time: input, output, logs and output files
 * of predictions and trainings of the API (the record stays, and says so), and, in the store, used
 * idempotency keys and old deliveries of webhooks.
 *
 * A record never names a blob that is gone: the record goes first. A blob never stays without a
 * record: it is in doubt from before the record goes until it is removed, so after a crash in
 * between the next start asks whose it is. Uploaded files: api/sweep.c. */
#include "predict/retention.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "blob/blob.h"
#include "predict/ownership.h"
#include "predict/run.h"
#include "store/store.h"

#define LOOK_MAX_MS 10000 /* so late at most, beside a quarter of the time, data goes */
#define LOOK_MIN_MS 250
#define BATCH 100                      /* predictions per read of the store */
#define BATCH_MEMORY_BYTES (32u << 20) /* their outputs; when they take more: one at a time */
#define STORE_SWEEP_FIRST_S 60         /* after the start, which has other things to do */
#define STORE_SWEEP_S 600              /* between two sweeps of the store */
#define DELIVERIES_KEPT_S (7 * 86400)  /* completed ones: for `mimeo webhooks` and questions */
#define TOKENS_KEPT_S (7 * 86400)      /* sessions that have ended: for `mimeo tokens list` */

struct retention {
    struct store *store;
    struct blob_store *blobs;
    int64_t retention_us; /* 0: for ever */
    int64_t sweep_us;     /* when the store is swept next; monotonic */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping; /* under lock */
};

static bool is_stopping(struct retention *retention)
{
    pthread_mutex_lock(&retention->lock);
    bool stopping = retention->stopping;
    pthread_mutex_unlock(&retention->lock);
    return stopping;
}

/* ---- One prediction ------------------------------------------------------------------------ */

typedef bool each_blob(struct retention *retention, const char *id, struct str ref,
                       struct err *err);

/* All files that an output names, at any depth. */
static bool each_blob_of(struct retention *retention, const char *id, const json_t *value,
                         each_blob *each, struct err *err)
{
    size_t i;
    const char *name;
    json_t *member;
    if (json_is_string(value)) {
        struct str text = { json_string_value(value), json_string_length(value) };
        /* "blob::" is a text (lifecycle.c). */
        return !str_starts(text, S("blob:")) || str_starts(text, S("blob::")) ||
               each(retention, id, str_skip(text, strlen("blob:")), err);
    }
    json_array_foreach((json_t *)(uintptr_t)value, i, member)
    {
        if (!each_blob_of(retention, id, member, each, err))
            return false;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        if (!each_blob_of(retention, id, member, each, err))
            return false;
    }
    return true;
}

static bool doubt(struct retention *retention, const char *id, struct str ref, struct err *err)
{
    return blob_doubt(retention->blobs, id, ref, err);
}

static bool remove_blob(struct retention *retention, const char *id, struct str ref,
                        struct err *err)
{
    return blob_remove(retention->blobs, id, ref, err);
}

/* After a failure: as the record says, which may have been stored although it was not told. */
static bool settle(struct retention *retention, const char *id, struct str ref, struct err *err)
{
    bool owned;
    (void)err;
    struct err ignored = { 0 };
    if (!ownership_of(retention->store, id, ref, &owned, &ignored))
        return true; /* the next round, or the next start, asks again */
    if (owned)
        blob_confirm(retention->blobs, id, ref);
    else
        blob_remove(retention->blobs, id, ref, NULL);
    return true;
}

bool retention_remove(struct retention *retention, const struct prediction *prediction,
                      struct err *err)
{
    json_t *output = NULL;
    struct store_write write = { .kind = STORE_PREDICTION_REMOVE_DATA, .id = prediction->id };
    if (prediction->output.len > 0 && !json_parse(prediction->output, &output, NULL))
        output = NULL; /* then it names nothing */
    bool ok = each_blob_of(retention, prediction->id, output, doubt, err) &&
              store_write_wait(retention->store, &write, err);
    if (ok)
        ok = each_blob_of(retention, prediction->id, output, remove_blob, err);
    if (!ok)
        each_blob_of(retention, prediction->id, output, settle, NULL);
    json_decref(output);
    return ok;
}

/* ---- Rounds -------------------------------------------------------------------------------- */

static bool find_removable(struct retention *retention, struct arena *arena, int limit,
                           struct prediction **ret_found, int *ret_count, struct err *err)
{
    arena_init(arena, limit > 1 ? BATCH_MEMORY_BYTES : RECORD_BYTES_MAX);
    if (store_prediction_removable(retention->store, clock_now_us() - retention->retention_us,
                                   limit, arena, ret_found, ret_count, err))
        return true;
    arena_done(arena);
    return false;
}

/* One batch. False when there is nothing more to do now. */
static bool remove_batch(struct retention *retention)
{
    struct arena arena;
    struct err err = { 0 };
    struct prediction *found = NULL;
    int count = 0, done = 0, limit = BATCH;
    bool ok = find_removable(retention, &arena, limit, &found, &count, &err);
    if (!ok && err.kind == ERR_NO_MEMORY) {
        limit = 1;
        ok = find_removable(retention, &arena, limit, &found, &count, &err);
    }
    if (!ok) {
        log_error(LOG_WARN, "retention_failed", &err, "removed=0");
        return false;
    }
    for (int i = 0; i < count && !is_stopping(retention); i++) {
        if (retention_remove(retention, &found[i], &err))
            done++;
        else
            log_error(LOG_WARN, "retention_failed", &err, "id=%s", found[i].id);
    }
    if (done > 0)
        log_event(LOG_INFO, "data_removed", "predictions=%d", done);
    arena_done(&arena);
    return count == limit && done > 0 && !is_stopping(retention);
}

static void sweep_store(struct retention *retention)
{
    int64_t now_us = clock_now_us(), monotonic_us = clock_monotonic_us();
    struct err err = { 0 };
    if (monotonic_us < retention->sweep_us)
        return;
    retention->sweep_us = monotonic_us + STORE_SWEEP_S * INT64_C(1000000);
    struct store_write write = {
        .kind = STORE_SWEEP,
        .sweep = { .now_us = now_us,
                   .deliveries_before_us = now_us - DELIVERIES_KEPT_S * INT64_C(1000000),
                   .tokens_before_us = now_us - TOKENS_KEPT_S * INT64_C(1000000) },
    };
    bool ok;
    do /* one write takes a bounded portion: applied says that there may be more */
        ok = store_write_wait(retention->store, &write, &err);
    while (ok && write.applied && !is_stopping(retention));
    if (!ok)
        log_error(LOG_WARN, "store_sweep_failed", &err, "again_in_s=%d", STORE_SWEEP_S);
}

static int64_t look_ms(const struct retention *retention)
{
    int64_t ms = retention->retention_us / 4000;
    if (ms == 0)
        return INT64_C(1000) * STORE_SWEEP_FIRST_S;
    return ms > LOOK_MAX_MS ? LOOK_MAX_MS : ms < LOOK_MIN_MS ? LOOK_MIN_MS : ms;
}

static void *run(void *context)
{
    struct retention *retention = context;
    struct timespec until;
    pthread_mutex_lock(&retention->lock);
    while (!retention->stopping) {
        pthread_mutex_unlock(&retention->lock);
        sweep_store(retention);
        while (retention->retention_us > 0 && remove_batch(retention))
            continue;
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t until_ns = until.tv_nsec + look_ms(retention) * 1000000;
        until.tv_sec += until_ns / 1000000000;
        until.tv_nsec = until_ns % 1000000000;
        pthread_mutex_lock(&retention->lock);
        while (!retention->stopping && pthread_cond_clockwait(&retention->changed, &retention->lock,
                                                              CLOCK_MONOTONIC, &until) == 0)
            continue;
    }
    pthread_mutex_unlock(&retention->lock);
    return NULL;
}

bool retention_start(struct store *store, struct blob_store *blobs, int retention_s,
                     struct retention **ret_retention, struct err *err)
{
    struct retention *retention = calloc(1, sizeof *retention);
    if (!retention)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for predictions.");
    retention->store = store;
    retention->blobs = blobs;
    retention->retention_us = retention_s * INT64_C(1000000);
    retention->sweep_us = clock_monotonic_us() + STORE_SWEEP_FIRST_S * INT64_C(1000000);
    pthread_mutex_init(&retention->lock, NULL);
    pthread_cond_init(&retention->changed, NULL);
    int failed = pthread_create(&retention->thread, NULL, run, retention);
    if (failed) {
        free(retention);
        return err_sys(err, ERR_INTERNAL, failed, "The retention could not be started.");
    }
    *ret_retention = retention;
    return true;
}

void retention_stop(struct retention *retention)
{
    if (!retention)
        return;
    pthread_mutex_lock(&retention->lock);
    retention->stopping = true;
    pthread_cond_signal(&retention->changed);
    pthread_mutex_unlock(&retention->lock);
    pthread_join(retention->thread, NULL);
    pthread_cond_destroy(&retention->changed);
    pthread_mutex_destroy(&retention->lock);
    free(retention);
}
