/* The store's front: picks the back end by the location's scheme, and runs the writer thread.
 *
 * Group commit: whatever was submitted while one transaction was on its way to the disk goes into
 * the next one. Alone, a write commits at once. After a large batch the next one is waited for, no
 * longer than about a commit takes: half as many commits cost half as much.
 *
 * Invariants
 *  (1) A write leaves the queue once, and its done() is called once, after the commit or the error.
 *  (2) Batches are taken from the head and applied in order: two writes of one id never swap.
 *  (3) No lock is held while a back end works or done() runs.
 *
 * Not here: SQL, files, what a record means. */
#include "store/store.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "store/store_backend.h"

#define STORE_BATCH_BYTES (8u << 20) /* of large fields in one transaction; at least one write */
#define STORE_GATHER_FROM 8          /* writes in a batch; after it the next one is waited for */
#define STORE_GATHER_MAX 32          /* no longer than until there are so many */
#define STORE_GATHER_US 200          /* nor longer than a commit takes */

static const struct store_backend *const backends[] = { &store_backend_sqlite };

struct store {
    const struct store_backend *backend;
    void *state;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct store_write *head, **tail; /* waiting writes, oldest first */
    int waiting;                      /* how many those are */
    int wanted;                       /* the writer sleeps until there are so many */
    bool stopping;
    pthread_t writer;
    atomic_int_fast64_t commits, commit_us, writes; /* numbers of the writer's */
};

const struct store_backend *store_backend_at(size_t index)
{
    return index < ARRAY_LEN(backends) ? backends[index] : NULL;
}

void store_totals(struct store *store, struct store_totals *ret_totals)
{
    ret_totals->commits = atomic_load(&store->commits);
    ret_totals->commit_us = atomic_load(&store->commit_us);
    ret_totals->writes = atomic_load(&store->writes);
    pthread_mutex_lock(&store->lock);
    ret_totals->waiting = store->waiting;
    pthread_mutex_unlock(&store->lock);
}

/* ---- The writer thread --------------------------------------------------------------------- */

/* What a write adds to a transaction, roughly: its large fields. */
static size_t write_bytes(const struct store_write *write)
{
    switch (write->kind) {
    case STORE_PREDICTION_INSERT:
        return write->prediction->input.len + write->prediction->output.len +
               write->prediction->logs.len;
    case STORE_PREDICTION_MOVE:
        return write->move.output.len + write->move.logs.len;
    case STORE_SETTING_PUT:
        return write->setting.value.len;
    case STORE_DOCUMENT_PUT:
        return write->document->json.len;
    default:
        return 0;
    }
}

/* Lock held. Wait for the first write; and, when the last batch was a large one, a moment longer
 * for as many again, as most of its clients come back at once. */
static void store_gather(struct store *store, int last_count)
{
    struct timespec until;
    store->wanted = 1;
    while (store->waiting < store->wanted && !store->stopping)
        pthread_cond_wait(&store->wake, &store->lock);
    store->wanted = last_count < STORE_GATHER_MAX ? last_count : STORE_GATHER_MAX;
    if (last_count >= STORE_GATHER_FROM && store->waiting < store->wanted) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += STORE_GATHER_US * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        while (store->waiting < store->wanted && !store->stopping &&
               pthread_cond_clockwait(&store->wake, &store->lock, CLOCK_MONOTONIC, &until) == 0)
            continue;
    }
    store->wanted = 0; /* at work: nothing is to wake it */
}

/* Wait for writes and take the next batch off the queue. 0: the store is closing and all is done.
 */
static int store_take(struct store *store, struct store_write *batch[STORE_BATCH_MAX],
                      int last_count)
{
    int count = 0;
    size_t bytes = 0;
    pthread_mutex_lock(&store->lock);
    store_gather(store, last_count);
    while (store->head && count < STORE_BATCH_MAX) {
        bytes += write_bytes(store->head);
        if (count > 0 && bytes > STORE_BATCH_BYTES)
            break;
        batch[count++] = store->head;
        store->head = store->head->next;
    }
    store->waiting -= count;
    if (!store->head)
        store->tail = &store->head;
    pthread_mutex_unlock(&store->lock);
    return count;
}

static void write_reset(struct store_write *write)
{
    write->ok = false;
    write->applied = false;
    write->status = PREDICTION_STATUS_COUNT;
    write->found_id[0] = '\0';
    write->found_same = false;
    write->err.kind = ERR_NONE;
}

static void write_fail(struct store_write *write, const struct err *err)
{
    write_reset(write);
    write->err = *err;
}

static void store_apply(struct store *store, struct store_write *const *batch, int count)
{
    struct err err = { 0 };
    for (int i = 0; i < count; i++)
        write_reset(batch[i]);
    int64_t begun_us = clock_monotonic_us();
    enum store_batch_result result = store->backend->apply(store->state, batch, count, &err);
    if (result == STORE_BATCH_COMMITTED) {
        atomic_fetch_add(&store->commits, 1);
        atomic_fetch_add(&store->commit_us, clock_monotonic_us() - begun_us);
        atomic_fetch_add(&store->writes, count);
        return;
    }
    /* One write may be what did not fit on the disk: alone, the others may pass. */
    if (result == STORE_BATCH_SPLIT && count > 1) {
        for (int i = 0; i < count; i++)
            store_apply(store, &batch[i], 1);
        return;
    }
    for (int i = 0; i < count; i++)
        write_fail(batch[i], &err);
}

static void *store_writer_main(void *context)
{
    struct store *store = context;
    struct store_write *batch[STORE_BATCH_MAX];
    pthread_setname_np(pthread_self(), "store-writer");
    for (int count = 0; (count = store_take(store, batch, count)) > 0;) {
        store_apply(store, batch, count);
        for (int i = 0; i < count; i++)
            batch[i]->done(batch[i]); /* may free it */
    }
    return NULL;
}

/* ---- Opening and closing ------------------------------------------------------------------- */

static const struct store_backend *backend_find(const char *location, const char **ret_rest)
{
    for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
        struct str scheme = str_from(backends[i]->scheme);
        struct str whole = str_from(location);
        if (str_starts(whole, scheme) && whole.len > scheme.len && location[scheme.len] == ':') {
            *ret_rest = location + scheme.len + 1;
            return backends[i];
        }
    }
    return NULL;
}

/* The writer takes no signals: those belong to the main thread. */
static int store_start_writer(struct store *store)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int sys = pthread_create(&store->writer, NULL, store_writer_main, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return sys;
}

bool store_open(const char *location, struct store **ret_store, struct err *err)
{
    const char *rest = NULL;
    const struct store_backend *backend = backend_find(location, &rest);
    if (!backend)
        return err_set(err, ERR_INVALID, "'%s' is not a known kind of store (sqlite:PATH)",
                       location);
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for the store");
    store->backend = backend;
    store->tail = &store->head;
    if (!backend->open(rest, &store->state, err)) {
        free(store);
        return err_while(err, "opening the store");
    }
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->wake, NULL);
    int sys = store_start_writer(store);
    if (sys) {
        backend->close(store->state);
        pthread_cond_destroy(&store->wake);
        pthread_mutex_destroy(&store->lock);
        free(store);
        return err_sys(err, ERR_UNAVAILABLE, sys, "the store's thread could not be started");
    }
    *ret_store = store;
    return true;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    pthread_mutex_lock(&store->lock);
    store->stopping = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
    pthread_join(store->writer, NULL);
    store->backend->close(store->state);
    pthread_cond_destroy(&store->wake);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* ---- Writes -------------------------------------------------------------------------------- */

void store_submit(struct store *store, struct store_write *write)
{
    assert(write->done && write->kind < STORE_WRITE_KIND_COUNT);
    write->next = NULL;
    pthread_mutex_lock(&store->lock);
    *store->tail = write;
    store->tail = &write->next;
    if (++store->waiting == store->wanted)
        pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
}

struct write_waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool finished;
};

static void write_wake(struct store_write *write)
{
    struct write_waiter *waiter = write->context;
    pthread_mutex_lock(&waiter->lock);
    waiter->finished = true;
    pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&waiter->lock);
}

bool store_write_wait(struct store *store, struct store_write *write, struct err *err)
{
    assert(!pthread_equal(pthread_self(), store->writer)); /* it would wait for itself */
    struct write_waiter waiter = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
    void *context = write->context;
    write->context = &waiter;
    write->done = write_wake;
    store_submit(store, write);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.finished)
        pthread_cond_wait(&waiter.wake, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    pthread_cond_destroy(&waiter.wake);
    pthread_mutex_destroy(&waiter.lock);
    write->context = context;
    if (!write->ok && err)
        *err = write->err;
    return write->ok;
}

/* ---- Reads --------------------------------------------------------------------------------- */

bool store_prediction_get(struct store *store, const char *account, const char *id,
                          struct arena *arena, struct prediction *ret_prediction, struct err *err)
{
    return store->backend->prediction_get(store->state, account, id, arena, ret_prediction, err);
}

bool store_prediction_outline(struct store *store, const char *account, const char *id,
                              struct arena *arena, struct prediction *ret_outline, struct err *err)
{
    return store->backend->prediction_outline(store->state, account, id, arena, ret_outline, err);
}

bool store_prediction_list(struct store *store, const struct store_prediction_query *query,
                           struct arena *arena, struct prediction **ret_predictions, int *ret_count,
                           struct err *err)
{
    assert(query->limit >= 1 && query->limit <= 1000);
    return store->backend->prediction_list(store->state, query, arena, ret_predictions, ret_count,
                                           err);
}

bool store_prediction_unfinished(struct store *store,
                                 bool (*each)(void *context, const struct prediction *prediction),
                                 void *context, struct err *err)
{
    return store->backend->prediction_unfinished(store->state, each, context, err);
}

bool store_prediction_removable(struct store *store, int64_t completed_by_us, int limit,
                                struct arena *arena, struct prediction **ret_predictions,
                                int *ret_count, struct err *err)
{
    return store->backend->prediction_removable(store->state, completed_by_us, limit, arena,
                                                ret_predictions, ret_count, err);
}

bool store_file_get(struct store *store, const char *account, const char *id, struct arena *arena,
                    struct store_file *ret_file, struct err *err)
{
    return store->backend->file_get(store->state, account, id, arena, ret_file, err);
}

bool store_file_list(struct store *store, const char *account, struct store_position before,
                     int limit, int64_t now_us, struct arena *arena, struct store_file **ret_files,
                     int *ret_count, struct err *err)
{
    return store->backend->file_list(store->state, account, before, limit, now_us, arena, ret_files,
                                     ret_count, err);
}

bool store_file_expired(struct store *store, int64_t now_us, int limit, struct arena *arena,
                        struct store_file **ret_files, int *ret_count, struct err *err)
{
    return store->backend->file_expired(store->state, now_us, limit, arena, ret_files, ret_count,
                                        err);
}

bool store_token_find(struct store *store, const unsigned char hash[32], struct arena *arena,
                      struct store_token *ret_token, struct err *err)
{
    return store->backend->token_find(store->state, hash, arena, ret_token, err);
}

bool store_token_list(struct store *store, const char *account, int64_t valid_at_us,
                      struct arena *arena, struct store_token **ret_tokens, int *ret_count,
                      struct err *err)
{
    return store->backend->token_list(store->state, account, valid_at_us, arena, ret_tokens,
                                      ret_count, err);
}

bool store_token_generation(struct store *store, int64_t *ret_generation, struct err *err)
{
    return store->backend->token_generation(store->state, ret_generation, err);
}

bool store_setting_get(struct store *store, const char *name, struct arena *arena,
                       struct str *ret_value, struct err *err)
{
    return store->backend->setting_get(store->state, name, arena, ret_value, err);
}

bool store_document_get(struct store *store, const char *kind, const char *id, struct arena *arena,
                        struct store_document *ret_document, struct err *err)
{
    return store->backend->document_get(store->state, kind, id, arena, ret_document, err);
}

bool store_document_list(struct store *store, const char *kind, const char *account, int limit,
                         struct arena *arena, struct store_document **ret_documents, int *ret_count,
                         struct err *err)
{
    assert(limit >= 1 && limit < INT_MAX);
    return store->backend->document_list(store->state, kind, account, limit, arena, ret_documents,
                                         ret_count, err);
}

bool store_delivery_get(struct store *store, const char *account, const char *id,
                        struct arena *arena, struct store_delivery *ret_delivery, struct err *err)
{
    return store->backend->delivery_get(store->state, account, id, arena, ret_delivery, err);
}

bool store_delivery_due(struct store *store, int64_t now_us, int limit, struct arena *arena,
                        struct store_delivery **ret_deliveries, int *ret_count,
                        int64_t *ret_next_us, struct err *err)
{
    assert(limit >= 1 && limit < INT_MAX);
    return store->backend->delivery_due(store->state, now_us, limit, arena, ret_deliveries,
                                        ret_count, ret_next_us, err);
}

bool store_delivery_list(struct store *store, const char *account, const char *prediction,
                         int limit, struct arena *arena, struct store_delivery **ret_deliveries,
                         int *ret_count, struct err *err)
{
    return store->backend->delivery_list(store->state, account, prediction, limit, arena,
                                         ret_deliveries, ret_count, err);
}

bool store_usage_list(struct store *store, const char *account, int64_t first_day, int64_t last_day,
                      struct arena *arena, struct store_usage **ret_rows, int *ret_count,
                      struct err *err)
{
    return store->backend->usage_list(store->state, account, first_day, last_day, arena, ret_rows,
                                      ret_count, err);
}

bool store_account_get(struct store *store, const char *account, struct arena *arena,
                       struct store_account *ret_account, struct err *err)
{
    return store->backend->account_get(store->state, account, arena, ret_account, err);
}

bool store_account_list(struct store *store, struct arena *arena,
                        struct store_account **ret_accounts, int *ret_count, struct err *err)
{
    return store->backend->account_list(store->state, arena, ret_accounts, ret_count, err);
}

bool store_prediction_count(struct store *store, const char *account, const char *token,
                            int64_t since_us, int64_t *ret_count, struct err *err)
{
    return store->backend->prediction_count(store->state, account, token, since_us, ret_count, err);
}

bool store_idempotency_find(struct store *store, const char *account,
                            const struct store_idempotency *idempotency, int64_t now_us,
                            char ret_id[ID_PREDICTION_LEN + 1], struct err *err)
{
    return store->backend->idempotency_find(store->state, account, idempotency, now_us, ret_id,
                                            err);
}

bool store_run_count(struct store *store, const char *model, int64_t *ret_count, struct err *err)
{
    return store->backend->run_count(store->state, model, ret_count, err);
}
