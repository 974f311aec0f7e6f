/* What the conformance tests of the store share: a fresh store of the back end under test, and
 * short ways to write. A new back end adds its case to support_location(). */
#ifndef MIMEO_TESTS_STORE_SUPPORT_H
#define MIMEO_TESTS_STORE_SUPPORT_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/store.h"
#include "store/store_backend.h"

struct fixture {
    char folder[512];
    char location[600];
    struct store *store;
    struct arena arena;
    struct err err;
};

/* The scheme under test; main() goes through all that are registered. */
static const char *support_scheme;

static inline void support_location(struct fixture *fixture)
{
    if (strcmp(support_scheme, "sqlite") == 0)
        snprintf(fixture->location, sizeof fixture->location, "sqlite:%s/data/store.db",
                 fixture->folder);
    else
        fail_msg("no test location for back end '%s'", support_scheme);
}

static inline void support_open(struct fixture *fixture)
{
    if (!store_open(fixture->location, &fixture->store, &fixture->err))
        fail_msg("%s%s", fixture->err.detail, fixture->err.cause);
}

static inline void support_reopen(struct fixture *fixture)
{
    store_close(fixture->store);
    support_open(fixture);
}

static inline int support_setup_closed(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    const char *temporary = getenv("TMPDIR");
    snprintf(fixture->folder, sizeof fixture->folder, "%s/mimeo-store-XXXXXX",
             temporary ? temporary : "/tmp");
    if (!mkdtemp(fixture->folder))
        return -1;
    arena_init(&fixture->arena, 64u << 20);
    support_location(fixture);
    *state = fixture;
    return 0;
}

static inline int support_setup(void **state)
{
    if (support_setup_closed(state) != 0)
        return -1;
    support_open(*state);
    return 0;
}

static inline int support_teardown(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    arena_done(&fixture->arena);
    file_remove_tree(fixture->folder, NULL);
    free(fixture);
    return 0;
}

static inline struct prediction support_prediction(const char *id, int64_t created_us)
{
    struct prediction p = { .account = "alice",
                            .model = "owner/model",
                            .version = "v1",
                            .input = S("{\"a\":1}"),
                            .source = "api",
                            .created_us = created_us };
    if (id)
        snprintf(p.id, sizeof p.id, "%s", id);
    else
        id_prediction(created_us / 1000, p.id);
    return p;
}

static inline bool support_insert(struct fixture *fixture, const struct prediction *prediction)
{
    struct store_write write = { .kind = STORE_PREDICTION_INSERT, .prediction = prediction };
    return store_write_wait(fixture->store, &write, &fixture->err);
}

/* Insert one with that id and creation time; must work. */
static inline void support_add(struct fixture *fixture, const char *id, int64_t created_us)
{
    struct prediction p = support_prediction(id, created_us);
    if (!support_insert(fixture, &p))
        fail_msg("%s%s", fixture->err.detail, fixture->err.cause);
}

static inline struct store_write support_move(struct fixture *fixture, const char *id,
                                              unsigned from, enum prediction_status to)
{
    struct store_write write = { .kind = STORE_PREDICTION_MOVE,
                                 .move = { .id = id, .from = from, .to = to } };
    if (!store_write_wait(fixture->store, &write, &fixture->err))
        fail_msg("%s%s", fixture->err.detail, fixture->err.cause);
    return write;
}

static inline struct prediction support_get(struct fixture *fixture, const char *id)
{
    struct prediction p = { 0 };
    if (!store_prediction_get(fixture->store, NULL, id, &fixture->arena, &p, &fixture->err))
        fail_msg("%s: %s", id, fixture->err.detail);
    return p;
}

/* A write that must be committed. Returns it, with its results. */
static inline struct store_write support_write(struct fixture *fixture, struct store_write write)
{
    if (!store_write_wait(fixture->store, &write, &fixture->err))
        fail_msg("%s%s", fixture->err.detail, fixture->err.cause);
    return write;
}

/* Several writes in one batch: they are submitted while the writer is in a done(). */
struct support_batch {
    struct store *store;
    struct store_write *writes;
    int count, left;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

static inline void support_batch_done(struct store_write *write)
{
    struct support_batch *batch = write->context;
    pthread_mutex_lock(&batch->lock);
    if (--batch->left == 0)
        pthread_cond_signal(&batch->wake);
    pthread_mutex_unlock(&batch->lock);
}

static inline void support_batch_begin(struct store_write *write)
{
    struct support_batch *batch = write->context;
    for (int i = 0; i < batch->count; i++) {
        batch->writes[i].done = support_batch_done;
        batch->writes[i].context = batch;
        store_submit(batch->store, &batch->writes[i]);
    }
}

static inline void support_batch_wait(struct fixture *fixture, struct store_write *writes,
                                      int count)
{
    struct support_batch batch = {
        fixture->store, writes, count, count, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER
    };
    struct store_write first = { .kind = STORE_SETTING_PUT,
                                 .setting = { .name = "first", .value = S("1") },
                                 .done = support_batch_begin,
                                 .context = &batch };
    store_submit(fixture->store, &first);
    pthread_mutex_lock(&batch.lock);
    while (batch.left > 0)
        pthread_cond_wait(&batch.wake, &batch.lock);
    pthread_mutex_unlock(&batch.lock);
}

static inline void support_assert_str(struct str actual, const char *expected)
{
    assert_int_equal(actual.len, strlen(expected));
    assert_memory_equal(actual.ptr ? actual.ptr : "", expected, actual.len);
}

/* Run the tests over every registered back end; the number of failures. */
static inline int support_run(int (*run)(void))
{
    int failed = 0;
    for (size_t i = 0; store_backend_at(i); i++) {
        support_scheme = store_backend_at(i)->scheme;
        printf("back end: %s\n", support_scheme);
        failed += run();
    }
    return failed;
}

#endif
