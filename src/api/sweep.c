/* Removes uploaded files whose time is over: one thread that looks once a minute.
 *
 * The record goes first, so that no listed file lacks its bytes; its blob is in doubt meanwhile,
 * so that a crash in between leaves nothing behind for ever. Not here: outputs and predictions'
 * data (predict/). */
#include "api/sweep.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "blob/blob.h"
#include "store/store.h"

#define SWEEP_INTERVAL_S 60
#define SWEEP_BATCH 100               /* files per read of the store */
#define SWEEP_MEMORY_BYTES (8u << 20) /* their records */

struct sweep {
    struct store *store;
    struct blob_store *blobs;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping; /* under lock */
};

static bool remove_file(struct sweep *sweep, const struct store_file *file, struct err *err)
{
    struct store_write write = { .kind = STORE_FILE_DELETE, .id = file->id };

    if (!blob_doubt(sweep->blobs, file->id, str_from(file->blob), err))
        return false;
    if (!store_write_wait(sweep->store, &write, err)) {
        blob_confirm(sweep->blobs, file->id, str_from(file->blob));
        return false;
    }
    return blob_remove(sweep->blobs, file->id, str_from(file->blob), err);
}

/* One batch. False when there is nothing more to do now. */
static bool sweep_batch(struct sweep *sweep)
{
    struct store_file *files;
    struct arena arena;
    struct err err;
    int count = 0;
    bool ok;

    arena_init(&arena, SWEEP_MEMORY_BYTES);
    ok =
        store_file_expired(sweep->store, clock_now_us(), SWEEP_BATCH, &arena, &files, &count, &err);
    for (int i = 0; ok && i < count; i++)
        ok = remove_file(sweep, &files[i], &err);
    if (!ok)
        log_error(LOG_WARN, "file_sweep_failed", &err, "files=%d", count);
    arena_done(&arena);
    return ok && count == SWEEP_BATCH;
}

static void *run(void *context)
{
    struct sweep *sweep = context;
    struct timespec until;

    pthread_mutex_lock(&sweep->lock);
    while (!sweep->stopping) {
        pthread_mutex_unlock(&sweep->lock);
        while (sweep_batch(sweep))
            ;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += SWEEP_INTERVAL_S;
        pthread_mutex_lock(&sweep->lock);
        while (!sweep->stopping &&
               pthread_cond_timedwait(&sweep->changed, &sweep->lock, &until) == 0)
            ;
    }
    pthread_mutex_unlock(&sweep->lock);
    return NULL;
}

bool sweep_start(struct store *store, struct blob_store *blobs, struct sweep **ret_sweep,
                 struct err *err)
{
    struct sweep *sweep = calloc(1, sizeof(*sweep));
    pthread_condattr_t attributes;
    int failed;

    if (!sweep)
        return err_set(err, ERR_NO_MEMORY, "not enough memory to start the API");
    sweep->store = store;
    sweep->blobs = blobs;
    pthread_mutex_init(&sweep->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sweep->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    failed = pthread_create(&sweep->thread, NULL, run, sweep);
    if (failed) {
        free(sweep);
        return err_sys(err, ERR_INTERNAL, failed, "cannot start a thread");
    }
    *ret_sweep = sweep;
    return true;
}

void sweep_stop(struct sweep *sweep)
{
    if (!sweep)
        return;
    pthread_mutex_lock(&sweep->lock);
    sweep->stopping = true;
    pthread_cond_signal(&sweep->changed);
    pthread_mutex_unlock(&sweep->lock);
    pthread_join(sweep->thread, NULL);
    pthread_cond_destroy(&sweep->changed);
    pthread_mutex_destroy(&sweep->lock);
    free(sweep);
}
