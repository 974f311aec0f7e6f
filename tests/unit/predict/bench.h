/* A server without HTTP, for the tests of predict/: the real store, queue, blobs and registry, and
 * the test runner's models. */
#ifndef MIMEO_TESTS_PREDICT_BENCH_H
#define MIMEO_TESTS_PREDICT_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "blob/blob.h"
#include "domain/limits.h"
#include "predict/predict.h"
#include "queue/queue.h"
#include "registry/registry.h"
#include "store/store.h"

/* ---- A server without HTTP ----------------------------------------------------------------- */

struct bench {
    char folder[64], store_path[128], blobs_path[128], weights_path[128], runner_path[4096];
    char *description;
    struct store *store;
    struct queue *queue;
    struct blob_store *blobs;
    struct registry *registry;
    struct predict *predict;
    struct predict_options options;
    struct arena arena;
};

__attribute__((unused)) static char *describe(const char *runner)
{
    int pipes[2];
    struct buf text;
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], 1);
        close(pipes[0]);
        close(pipes[1]);
        execl(runner, runner, "--describe", (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    buf_init(&text, 1 << 20);
    char bytes[4096];
    for (ssize_t n; (n = read(pipes[0], bytes, sizeof bytes)) > 0;)
        buf_append(&text, bytes, (size_t)n);
    close(pipes[0]);
    waitpid(pid, NULL, 0);
    return buf_take(&text, &(size_t){ 0 });
}

__attribute__((unused)) static void check(bool ok, const struct err *err)
{
    if (!ok)
        fail_msg("%s: %s%s", err_kind_name(err->kind), err->detail, err->cause);
}

__attribute__((unused)) static void open_predict(struct bench *bench)
{
    struct err err = { 0 };
    check(predict_new(&bench->options, &bench->predict, &err), &err);
}

__attribute__((unused)) static void open_parts(struct bench *bench)
{
    struct err err = { 0 };
    check(store_open(bench->store_path, &bench->store, &err), &err);
    check(queue_new(100, 1000, &bench->queue, &err), &err);
    bench->options.store = bench->store;
    bench->options.queue = bench->queue;
    open_predict(bench);
}

__attribute__((unused)) static void close_parts(struct bench *bench, int drain_ms)
{
    predict_free(bench->predict, drain_ms);
    queue_free(bench->queue);
    store_close(bench->store);
    bench->predict = NULL;
}

__attribute__((unused)) static int setup(void **state)
{
    struct err err = { 0 };
    struct bench *bench = calloc(1, sizeof *bench);
    const char *runner = getenv("MIMEO_TEST_RUNNER");
    snprintf(bench->folder, sizeof bench->folder, "/tmp/mimeo-test-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    snprintf(bench->store_path, sizeof bench->store_path, "sqlite:%s/db", bench->folder);
    snprintf(bench->blobs_path, sizeof bench->blobs_path, "%s/blobs", bench->folder);
    snprintf(bench->weights_path, sizeof bench->weights_path, "%s/weights", bench->folder);
    snprintf(bench->runner_path, sizeof bench->runner_path, "%s",
             runner ? runner : "build/mimeo-test-runner");
    bench->description = describe(bench->runner_path);
    assert_non_null(bench->description);
    const struct registry_options registry = { "tests/models", bench->description };
    check(registry_open(&registry, &bench->registry, &err), &err);
    check(blob_open(bench->blobs_path, S("0123456789abcdef0123456789abcdef"), &bench->blobs, &err),
          &err);
    arena_init(&bench->arena, 64 << 20);
    bench->options = (struct predict_options){
        .blobs = bench->blobs,
        .registry = bench->registry,
        .data_folder = bench->folder,
        .runner_path = bench->runner_path,
        .weights_folder = bench->weights_path,
        .precision = "f32",
        .threads = 1,
        .idle_timeout_s = 60,
        .memory_budget_bytes = (int64_t)2 << 30,
        .start_timeout_s = 20,
        .run_timeout_s = 30,
        .cancel_grace_ms = 300,
    };
    open_parts(bench);
    *state = bench;
    return 0;
}

__attribute__((unused)) static int teardown(void **state)
{
    struct bench *bench = *state;
    close_parts(bench, 0);
    registry_close(bench->registry);
    blob_close(bench->blobs);
    arena_done(&bench->arena);
    free(bench->description);
    file_remove_tree(bench->folder, NULL);
    free(bench);
    return 0;
}

/* ---- Doing things and waiting for them ------------------------------------------------------ */

struct answer {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool called, value;
    int calls;
    char id[ID_PREDICTION_LEN + 1], existing_id[ID_PREDICTION_LEN + 1];
    struct err err;
};

__attribute__((unused)) static void answer_init(struct answer *answer)
{
    memset(answer, 0, sizeof *answer);
    pthread_mutex_init(&answer->lock, NULL);
    pthread_cond_init(&answer->changed, NULL);
}

__attribute__((unused)) static void answer_give(struct answer *answer, bool value)
{
    pthread_mutex_lock(&answer->lock);
    answer->called = true;
    answer->value = value;
    answer->calls++;
    pthread_cond_signal(&answer->changed);
    pthread_mutex_unlock(&answer->lock);
}

__attribute__((unused)) static bool answer_wait(struct answer *answer)
{
    pthread_mutex_lock(&answer->lock);
    while (!answer->called)
        pthread_cond_wait(&answer->changed, &answer->lock);
    bool value = answer->value;
    pthread_mutex_unlock(&answer->lock);
    return value;
}

__attribute__((unused)) static void on_created(void *context, const struct prediction *prediction,
                                               const char *existing_id, const struct err *err)
{
    struct answer *answer = context;
    if (prediction)
        memcpy(answer->id, prediction->id, sizeof answer->id);
    else if (existing_id)
        str_copy(str_from(existing_id), answer->existing_id, sizeof answer->existing_id);
    else
        answer->err = *err;
    answer_give(answer, prediction != NULL);
}

/* With all that a request may have; what it lacks of the usual is filled in. */
__attribute__((unused)) static struct answer request(struct bench *bench, const char *model,
                                                     const char *input,
                                                     struct predict_request request)
{
    struct answer answer;
    char name[128];
    json_t *value = json_loads(input, 0, NULL);
    snprintf(name, sizeof name, "test/%s", model);
    request.version = registry_resolve(bench->registry, str_from(name));
    request.input = value;
    request.account = request.account ? request.account : "tester";
    request.source = request.source ? request.source : "api";
    assert_non_null(request.version);
    assert_non_null(value);
    answer_init(&answer);
    predict_create(bench->predict, &request, on_created, &answer);
    json_decref(value);
    answer_wait(&answer);
    return answer;
}

__attribute__((unused)) static bool try_create(struct bench *bench, const char *model,
                                               const char *input, char *ret_id, struct err *err)
{
    struct answer answer = request(bench, model, input, (struct predict_request){ 0 });
    memcpy(ret_id, answer.id, sizeof answer.id);
    *err = answer.err;
    return answer.value;
}

__attribute__((unused)) static void create(struct bench *bench, const char *model,
                                           const char *input, char *ret_id)
{
    struct err err = { 0 };
    check(try_create(bench, model, input, ret_id, &err), &err);
}

__attribute__((unused)) static void on_waited(void *context, bool finished)
{
    answer_give(context, finished);
}

__attribute__((unused)) static bool wait_for(struct bench *bench, const char *id, int timeout_ms)
{
    struct answer answer;
    answer_init(&answer);
    predict_wait(bench->predict, id, timeout_ms, on_waited, &answer);
    return answer_wait(&answer);
}

__attribute__((unused)) static struct prediction get(struct bench *bench, const char *id)
{
    struct prediction prediction;
    struct err err = { 0 };
    check(predict_get(bench->predict, "tester", id, &bench->arena, &prediction, &err), &err);
    return prediction;
}

__attribute__((unused)) static struct prediction finish(struct bench *bench, const char *id)
{
    assert_true(wait_for(bench, id, 25000));
    struct prediction prediction = get(bench, id);
    assert_true(prediction_status_is_terminal(prediction.status));
    assert_true(prediction.completed_us > 0);
    return prediction;
}

__attribute__((unused)) static struct prediction run(struct bench *bench, const char *model,
                                                     const char *input)
{
    char id[ID_PREDICTION_LEN + 1];
    create(bench, model, input, id);
    return finish(bench, id);
}

__attribute__((unused)) static void wait_until_processing(struct bench *bench, const char *id)
{
    for (int i = 0; i < 1000; i++) {
        if (get(bench, id).status == PREDICTION_PROCESSING)
            return;
        usleep(10000);
    }
    fail_msg("%s never started", id);
}

__attribute__((unused)) static struct prediction cancel(struct bench *bench, const char *id)
{
    struct prediction prediction;
    struct err err = { 0 };
    check(predict_cancel(bench->predict, "tester", id, &bench->arena, &prediction, &err), &err);
    return prediction;
}

__attribute__((unused)) static void assert_text(struct str text, const char *expected)
{
    if (!str_equal(text, str_from(expected)))
        fail_msg("'%.*s' is not '%s'", STR_FMT(text), expected);
}

__attribute__((unused)) static void assert_failed(struct prediction prediction, const char *error)
{
    assert_string_equal(prediction_status_name(prediction.status), "failed");
    assert_non_null(prediction.error);
    assert_string_equal(prediction.error, error);
    assert_int_equal(prediction.output.len, 0);
}

__attribute__((unused)) static int count_files(const char *folder)
{
    int count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

struct runners {
    int count, busy, pid;
};

__attribute__((unused)) static void on_runner(void *context, const struct predict_runner_info *info)
{
    struct runners *runners = context;
    runners->count++;
    runners->busy += info->prediction != NULL;
    runners->pid = info->pid;
}

__attribute__((unused)) static struct runners count_runners(struct bench *bench)
{
    struct runners runners = { 0 };
    predict_each_runner(bench->predict, on_runner, &runners);
    return runners;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
