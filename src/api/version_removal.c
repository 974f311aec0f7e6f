/* Removes in the background what a deleted version has made.
 *
 * The version is gone from its model already, so nothing new is made of it; its id in the model's
 * document (`deleting`) says that work is left, and goes last. Predictions that still run are
 * canceled and removed in a later round. Each step can be repeated. */
#include "api/version_removal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/model_documents.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "blob/blob.h"
#include "predict/predict.h"
#include "registry/registry.h"
#include "store/store.h"

#define REMOVAL_BATCH 100 /* predictions read at once */
#define REMOVAL_MEMORY_BYTES (512u << 20)
#define REMOVAL_AGAIN_S 1   /* between rounds, while something is left */
#define REMOVAL_FAILED_S 60 /* and after a failure */
#define ACCOUNT_SIZE 128    /* an owner's name has at most 100 characters */

struct version_removal {
    struct version_removal_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, woken; /* under lock */
    bool left, failed;    /* the thread's: this round has left something for the next */
};

static bool is_stopping(struct version_removal *removal)
{
    bool stopping;

    pthread_mutex_lock(&removal->lock);
    stopping = removal->stopping;
    pthread_mutex_unlock(&removal->lock);
    return stopping;
}

/* ---- One prediction ---------------------------------------------------------------------------
 */

typedef bool blob_step(struct blob_store *blobs, const char *owner, struct str ref,
                       struct err *err);

/* Do a step for every file that a prediction's output names. */
static bool each_blob(struct version_removal *removal, const struct prediction *prediction,
                      blob_step *step, struct err *err)
{
    struct str rest = prediction->output, ref;
    ptrdiff_t at;

    while ((at = str_find(rest, S("\"blob:"))) >= 0) {
        bool escaped = at > 0 && rest.ptr[at - 1] == '\\';

        rest = str_skip(rest, (size_t)at + 6);
        /* "blob::" is a text (predict/lifecycle.c). */
        if (!escaped && !str_starts(rest, S(":")) && str_cut(rest, '"', &ref, &rest) &&
            !step(removal->options.blobs, prediction->id, ref, err))
            return false;
    }
    return true;
}

static bool confirm(struct blob_store *blobs, const char *owner, struct str ref, struct err *err)
{
    (void)err;
    blob_confirm(blobs, owner, ref);
    return true;
}

/* The row goes before the files, which are in doubt meanwhile: after a crash the next start
 * removes them. */
static bool remove_prediction(struct version_removal *removal, const struct prediction *prediction,
                              struct err *err)
{
    struct store_write write = { .kind = STORE_PREDICTION_DELETE };

    write.id = prediction->id;
    if (!each_blob(removal, prediction, blob_doubt, err))
        return false;
    if (!store_write_wait(removal->options.store, &write, err)) {
        each_blob(removal, prediction, confirm, NULL);
        return false;
    }
    return each_blob(removal, prediction, blob_remove, err);
}

static bool cancel_prediction(struct version_removal *removal, const char *id, struct err *err)
{
    struct prediction after;
    struct arena arena;
    bool ok;

    arena_init(&arena, REMOVAL_MEMORY_BYTES);
    ok = predict_cancel(removal->options.predict, NULL, id, &arena, &after, err);
    arena_done(&arena);
    removal->left = true;
    return ok;
}

/* ---- One version ------------------------------------------------------------------------------
 */

/* As many as memory allows: one may have a picture in its input. Each read looks at all predictions
 * of the store, so few large ones are better. */
static bool read_batch(struct version_removal *removal, const char *account, const char *version,
                       struct arena *arena, struct prediction **ret_predictions, int *ret_count,
                       struct err *err)
{
    struct store_prediction_query query = { .account = account,
                                            .version = version,
                                            .kind = STORE_KIND_BOTH };

    for (query.limit = REMOVAL_BATCH;; query.limit /= 10) {
        if (store_prediction_list(removal->options.store, &query, arena, ret_predictions, ret_count,
                                  err))
            return true;
        if (query.limit < 10 || (err->kind != ERR_NO_MEMORY && err->kind != ERR_TOO_LARGE))
            return false;
        arena_done(arena);
        arena_init(arena, REMOVAL_MEMORY_BYTES);
    }
}

/* *ret_done: none is left. Of the model's account alone: others could not run a private model, so
 * what they have under the same id was made with another model that is gone. */
static bool remove_batch(struct version_removal *removal, const char *account, const char *version,
                         bool *ret_done, struct err *err)
{
    struct prediction *predictions = NULL;
    struct arena arena;
    int count = 0;
    bool ok;

    arena_init(&arena, REMOVAL_MEMORY_BYTES);
    ok = read_batch(removal, account, version, &arena, &predictions, &count, err);
    for (int i = 0; ok && i < count; i++)
        ok = prediction_status_is_terminal(predictions[i].status)
                 ? remove_prediction(removal, &predictions[i], err)
                 : cancel_prediction(removal, predictions[i].id, err);
    arena_done(&arena);
    *ret_done = ok && count == 0;
    return ok;
}

/* The last step: the mark goes. */
static bool unmark(void *context, json_t *document, struct err *err)
{
    json_t *deleting = json_object_get(document, "deleting");

    (void)err;
    for (size_t i = json_array_size(deleting); i > 0; i--)
        if (strcmp(json_string_value(json_array_get(deleting, i - 1)), context) == 0)
            json_array_remove(deleting, i - 1);
    return true;
}

static bool finish(struct version_removal *removal, const char *full_name, const char *version,
                   struct err *err)
{
    struct model_documents *documents = removal->options.documents;
    const struct registry_model *model;
    char path[4096];

    if (model_documents_weights_path(documents, full_name, version, path, sizeof(path)) &&
        !file_remove_tree(path, err))
        return false;
    return model_documents_change(documents, full_name, unmark, (void *)version, &model, err);
}

static bool remove_version(void *context, const char *full_name, const char *version)
{
    struct version_removal *removal = context;
    bool done = false, ok = true;
    char account[ACCOUNT_SIZE];
    struct str owner, name;
    struct err err;

    /* A model that was made over the API has its account's name as its owner. */
    if (!str_cut(str_from(full_name), '/', &owner, &name) ||
        !str_copy(owner, account, sizeof(account)))
        return true;
    while (ok && !done && !removal->left && !is_stopping(removal))
        ok = remove_batch(removal, account, version, &done, &err);
    if (done && (ok = finish(removal, full_name, version, &err)))
        log_event(LOG_INFO, "version_removed", "model=\"%s\" version=%s", full_name, version);
    if (!ok) {
        log_error(LOG_WARN, "version_removal_failed", &err, "model=\"%s\" version=%s", full_name,
                  version);
        removal->left = removal->failed = true;
    }
    return !is_stopping(removal);
}

/* ---- The thread -------------------------------------------------------------------------------
 */

static void round_of(struct version_removal *removal)
{
    struct err err;

    removal->left = removal->failed = false;
    if (model_documents_each_deleting(removal->options.documents, remove_version, removal, &err))
        return;
    log_error(LOG_WARN, "version_removal_failed", &err, "while=reading");
    removal->left = removal->failed = true;
}

static void *run(void *context)
{
    struct version_removal *removal = context;
    struct timespec until;

    for (;;) {
        round_of(removal);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += removal->failed ? REMOVAL_FAILED_S : REMOVAL_AGAIN_S;
        pthread_mutex_lock(&removal->lock);
        while (!removal->stopping && !removal->woken) {
            if (!removal->left)
                pthread_cond_wait(&removal->changed, &removal->lock);
            else if (pthread_cond_timedwait(&removal->changed, &removal->lock, &until) != 0)
                break;
        }
        removal->woken = false;
        bool stopping = removal->stopping;
        pthread_mutex_unlock(&removal->lock);
        if (stopping)
            return NULL;
    }
}

/* A version is to be removed. Any thread. */
static void wake(void *context)
{
    struct version_removal *removal = context;

    pthread_mutex_lock(&removal->lock);
    removal->woken = true;
    pthread_cond_signal(&removal->changed);
    pthread_mutex_unlock(&removal->lock);
}

bool version_removal_start(const struct version_removal_options *options,
                           struct version_removal **ret_removal, struct err *err)
{
    struct version_removal *removal = calloc(1, sizeof(*removal));
    pthread_condattr_t attributes;
    int failed;

    if (!removal)
        return err_set(err, ERR_NO_MEMORY, "not enough memory to start the API");
    removal->options = *options;
    pthread_mutex_init(&removal->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&removal->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    model_documents_on_retired(options->documents, wake, removal);
    failed = pthread_create(&removal->thread, NULL, run, removal);
    if (failed) {
        model_documents_on_retired(options->documents, NULL, NULL);
        free(removal);
        return err_sys(err, ERR_INTERNAL, failed, "cannot start a thread");
    }
    *ret_removal = removal;
    return true;
}

void version_removal_stop(struct version_removal *removal)
{
    if (!removal)
        return;
    model_documents_on_retired(removal->options.documents, NULL, NULL);
    pthread_mutex_lock(&removal->lock);
    removal->stopping = true;
    pthread_cond_signal(&removal->changed);
    pthread_mutex_unlock(&removal->lock);
    pthread_join(removal->thread, NULL);
    pthread_cond_destroy(&removal->changed);
    pthread_mutex_destroy(&removal->lock);
    free(removal);
}
