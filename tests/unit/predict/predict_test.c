/* Predictions from create to their end, over the real store, queue, blobs and registry, with the
 * test runner's models: every way in which one can end. */
#include "unit/predict/bench.h"

/* ---- Success -------------------------------------------------------------------------------- */

static void a_text_comes_back(void **state)
{
    struct prediction prediction = run(*state, "noop", "{\"text\": \"h\\u00e9 \\\"you\\\"\"}");
    assert_int_equal(prediction.status, PREDICTION_SUCCEEDED);
    assert_text(prediction.output, "\"h\xc3\xa9 \\\"you\\\"\"");
    assert_true(prediction.started_us >= prediction.created_us);
    assert_int_equal(prediction.attempts, 1);
    json_t *metrics;
    assert_true(json_parse(prediction.metrics, &metrics, NULL));
    assert_true(json_get_number(metrics, "predict_time", -1) >= 0);
    assert_true(json_get_number(metrics, "total_time", -1) > 0);
    json_decref(metrics);
}

static void texts_come_one_by_one(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    create(bench, "text_list", "{\"text\": \"a b c d e\", \"pause_ms\": 150}", id);
    wait_until_processing(bench, id);
    usleep(250000);
    struct prediction so_far = get(bench, id);
    assert_int_equal(so_far.status, PREDICTION_PROCESSING);
    assert_true(so_far.output.len > 4 && so_far.output.len < 19);
    assert_true(so_far.logs.len > 0);
    struct prediction prediction = finish(bench, id);
    assert_text(prediction.output, "[\"a\",\"b\",\"c\",\"d\",\"e\"]");
    assert_true(str_find(prediction.logs, S("a word of 1 bytes\n")) >= 0);
    assert_true(str_find(prediction.metrics, S("\"output_token_count\":3")) >= 0);
}

static void a_data_url_becomes_a_file_and_the_output_a_blob(void **state)
{
    struct bench *bench = *state;
    struct prediction prediction =
        run(bench, "copy_file", "{\"image\": \"data:image/png;base64,aGVsbG8=\"}");
    assert_int_equal(prediction.status, PREDICTION_SUCCEEDED);
    assert_true(str_starts(prediction.output, S("\"blob:")));
    assert_true(str_ends(prediction.output, S("/out-0.png\"")));
    struct str ref = str_skip(prediction.output, 6);
    ref.len--;
    char path[4096];
    struct buf bytes;
    struct err err = { 0 };
    assert_true(blob_path(bench->blobs, ref, path, sizeof path));
    buf_init(&bytes, 1000);
    check(file_read(path, &bytes, &err), &err);
    assert_text(buf_str(&bytes), "hello");
    buf_done(&bytes);

    /* Its link is an input like any other, and so is the name of an uploaded file. */
    struct buf link, input;
    buf_init(&link, 1000);
    buf_init(&input, 2000);
    assert_true(blob_link(bench->blobs, ref, 4000000000, &link));
    buf_printf(&input, "{\"image\": \"https://some.host:8080/replicate%s\"}", link.ptr);
    prediction = run(bench, "copy_file", input.ptr);
    assert_int_equal(prediction.status, PREDICTION_SUCCEEDED);
    buf_done(&link);
    buf_done(&input);

    char work[128];
    snprintf(work, sizeof work, "%s/work", bench->folder);
    assert_int_equal(count_files(work), 0);
}

static void an_uploaded_file_is_an_input_of_its_account(void **state)
{
    struct bench *bench = *state;
    struct store_file file = { .account = "tester",
                               .name = "photo.jpeg",
                               .content_type = "image/jpeg",
                               .metadata = S("{}"),
                               .size = 5,
                               .created_us = clock_now_us(),
                               .expires_us = clock_now_us() + 1000000000 };
    char ref[BLOB_REF_MAX], input[512];
    struct err err = { 0 };
    check(blob_put_bytes(bench->blobs, S("bytes"), "photo.jpeg", "record", ref, &err), &err);
    file.blob = ref;
    id_file(file.id);
    struct store_write write = { .kind = STORE_FILE_INSERT, .file = &file };
    check(store_write_wait(bench->store, &write, &err), &err);
    snprintf(input, sizeof input, "{\"image\": \"http://127.0.0.1:1/v1/files/%s\"}", file.id);
    struct prediction prediction = run(bench, "copy_file", input);
    assert_int_equal(prediction.status, PREDICTION_SUCCEEDED);
    assert_true(str_ends(prediction.output, S("/out-0.jpeg\"")));
}

static void a_bad_file_input_fails_with_its_name(void **state)
{
    struct bench *bench = *state;
    struct prediction prediction = run(bench, "copy_file", "{\"image\": \"data:,%zz\"}");
    assert_failed(prediction, "The input 'image' could not be read: The data URL has a broken "
                              "percent code.");
    prediction = run(bench, "copy_file", "{\"image\": \"http://127.0.0.1:1/x.png\"}");
    assert_int_equal(prediction.status, PREDICTION_FAILED);
    assert_non_null(strstr(prediction.error, "image"));
}

static void many_run_in_order_on_one_runner(void **state)
{
    struct bench *bench = *state;
    char ids[60][ID_PREDICTION_LEN + 1];
    for (int i = 0; i < 60; i++)
        create(bench, "noop", "{}", ids[i]);
    int64_t last_us = 0;
    for (int i = 0; i < 60; i++) {
        struct prediction prediction = finish(bench, ids[i]);
        assert_int_equal(prediction.status, PREDICTION_SUCCEEDED);
        assert_text(prediction.output, "\"hello\"");
        assert_true(prediction.started_us >= last_us);
        last_us = prediction.started_us;
    }
    assert_int_equal(count_runners(bench).count, 1);
}

/* ---- Failure -------------------------------------------------------------------------------- */

static void a_crash_fails_one_prediction_only(void **state)
{
    struct bench *bench = *state;
    struct prediction prediction = run(bench, "crash", "{}");
    assert_failed(prediction, "The model's process was killed by signal 11 (segmentation fault); "
                              "please try again.");
    assert_true(str_find(prediction.logs, S("about to crash")) >= 0);
    prediction = run(bench, "crash", "{}");
    assert_failed(prediction, "The model's process was killed by signal 11 (segmentation fault); "
                              "please try again.");
    prediction = run(bench, "crash", "{}"); /* after a pause: backoff */
    assert_int_equal(prediction.status, PREDICTION_FAILED);
    assert_int_equal(run(bench, "noop", "{}").status, PREDICTION_SUCCEEDED);
}

static void an_exit_is_told_with_its_status(void **state)
{
    assert_failed(run(*state, "exit", "{\"status\": 7}"),
                  "The model's process ended unexpectedly (exit status 7); please try again.");
}

static void a_kill_from_outside_is_no_success(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    create(bench, "sleep", "{\"seconds\": 20}", id);
    wait_until_processing(bench, id);
    kill(count_runners(bench).pid, SIGKILL);
    assert_failed(finish(bench, id),
                  "The model's process was killed by signal 9 (killed); please try again.");
}

static void a_bad_frame_ends_the_runner(void **state)
{
    assert_failed(run(*state, "bad_frame", "{}"), "The model's process sent a malformed message "
                                                  "and was stopped; please try again.");
}

static void a_flood_of_logs_ends_the_runner(void **state)
{
    struct bench *bench = *state;
    for (int events = 0; events < 2; events++) {
        struct prediction prediction =
            run(bench, "flood", events ? "{\"events\": true}" : "{\"events\": false}");
        assert_failed(prediction, "The model wrote more than 16 MiB of logs and was stopped.");
        assert_true(prediction.logs.len <= LIMIT_LOGS_BYTES);
        assert_true(str_find(prediction.logs, S(" bytes left out ...]")) > 0);
    }
}

static void a_hang_ends_after_the_time_limit(void **state)
{
    struct bench *bench = *state;
    close_parts(bench, 0);
    bench->options.run_timeout_s = 1;
    open_parts(bench);
    assert_failed(run(bench, "hang", "{}"),
                  "The prediction did not finish within 1 seconds and was stopped.");
}

static void too_much_memory_ends_the_runner(void **state)
{
    struct bench *bench = *state;
    close_parts(bench, 0);
    bench->options.memory_budget_bytes = 256 << 20;
    open_parts(bench);
    assert_failed(run(bench, "hog", "{\"mebibytes\": 1024}"),
                  "The model ran out of memory and was stopped.");
}

static void missing_weights_fail_at_once(void **state)
{
    struct bench *bench = *state;
    char ids[10][ID_PREDICTION_LEN + 1];
    int64_t from_us = clock_monotonic_us();
    for (int i = 0; i < 10; i++)
        create(bench, "fail_load", "{}", ids[i]);
    for (int i = 0; i < 10; i++)
        assert_failed(finish(bench, ids[i]), "The weights of test/fail_load are missing: type "
                                             "mimeo pull test/fail_load.");
    assert_true(clock_monotonic_us() - from_us < 5000000);
}

static void a_load_that_may_work_later_is_tried_again(void **state)
{
    struct bench *bench = *state;
    char folder[512];
    snprintf(folder, sizeof folder, "%s/test/fail_load", bench->weights_path);
    assert_true(file_make_folders(folder, 0700, NULL));
    int64_t from_us = clock_monotonic_us();
    assert_failed(run(bench, "fail_load", "{}"), "There is no memory for the weights.");
    assert_true(clock_monotonic_us() - from_us > 700000); /* two pauses: 250 and 500 ms */
}

static void a_runner_that_cannot_start_fails_its_queue(void **state)
{
    struct bench *bench = *state;
    close_parts(bench, 0);
    bench->options.runner_path = "/nonexistent/runner";
    open_parts(bench);
    assert_failed(run(bench, "noop", "{}"), "The model's process could not be started.");
}

static void a_load_has_a_time_limit(void **state)
{
    struct bench *bench = *state;
    close_parts(bench, 0);
    bench->options.start_timeout_s = 1;
    open_parts(bench);
    assert_failed(run(bench, "slow_load", "{}"),
                  "The model did not load within 1 seconds and was stopped.");
}

/* ---- Cancel --------------------------------------------------------------------------------- */

static void a_queued_prediction_is_canceled_at_once(void **state)
{
    struct bench *bench = *state;
    char busy[ID_PREDICTION_LEN + 1], ids[8][ID_PREDICTION_LEN + 1];
    create(bench, "sleep", "{\"seconds\": 20}", busy);
    for (int i = 0; i < 8; i++) /* the first few are prepared ahead, the others queued */
        create(bench, "sleep", "{\"seconds\": 20}", ids[i]);
    wait_until_processing(bench, busy);
    for (int i = 7; i >= 0; i--) {
        cancel(bench, ids[i]);
        struct prediction prediction = finish(bench, ids[i]);
        assert_int_equal(prediction.status, PREDICTION_CANCELED);
        assert_int_equal(prediction.started_us, 0);
        assert_true(str_find(prediction.metrics, S("predict_time")) >= 0);
    }
    assert_int_equal(cancel(bench, ids[0]).status, PREDICTION_CANCELED); /* again: no change */
    assert_int_equal(get(bench, busy).status, PREDICTION_PROCESSING);
    cancel(bench, busy);
    assert_int_equal(finish(bench, busy).status, PREDICTION_CANCELED);
}

static void a_running_prediction_is_canceled_and_its_runner_stays(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    create(bench, "sleep", "{\"seconds\": 20}", id);
    wait_until_processing(bench, id);
    int pid = count_runners(bench).pid;
    cancel(bench, id);
    struct prediction prediction = finish(bench, id);
    assert_int_equal(prediction.status, PREDICTION_CANCELED);
    assert_true(prediction.started_us > 0 && prediction.metrics.len > 0);
    assert_int_equal(run(bench, "sleep", "{\"seconds\": 0}").status, PREDICTION_SUCCEEDED);
    assert_int_equal(count_runners(bench).pid, pid);
}

static void a_stubborn_one_is_killed_after_the_grace_period(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    create(bench, "stubborn", "{\"seconds\": 20}", id);
    wait_until_processing(bench, id);
    int64_t from_us = clock_monotonic_us();
    cancel(bench, id);
    assert_int_equal(finish(bench, id).status, PREDICTION_CANCELED);
    assert_true(clock_monotonic_us() - from_us >= 290000);
    assert_true(clock_monotonic_us() - from_us < 5000000);
}

static void a_prediction_whose_model_loads_is_canceled(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    create(bench, "slow_load", "{}", id);
    usleep(300000);
    int64_t from_us = clock_monotonic_us();
    cancel(bench, id);
    assert_int_equal(finish(bench, id).status, PREDICTION_CANCELED);
    assert_true(clock_monotonic_us() - from_us < 1000000);
}

static void nobody_cancels_what_is_anothers(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    struct prediction prediction;
    struct err err = { 0 };
    create(bench, "noop", "{}", id);
    assert_false(predict_cancel(bench->predict, "other", id, &bench->arena, &prediction, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(finish(bench, id).status, PREDICTION_SUCCEEDED);
}

/* ---- Waiting, limits, memory ---------------------------------------------------------------- */

static void a_wait_ends_with_its_time(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    create(bench, "sleep", "{\"seconds\": 20}", id);
    int64_t from_us = clock_monotonic_us();
    assert_false(wait_for(bench, id, 200));
    assert_true(clock_monotonic_us() - from_us >= 199000);
    assert_true(clock_monotonic_us() - from_us < 2000000);
    assert_true(wait_for(bench, "00000000000000000000000000", 1000)); /* nothing to wait for */
    cancel(bench, id);
    finish(bench, id);
}

static void a_full_lane_refuses(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    struct err err = { 0 };
    int taken = 0;
    while (taken < 200 && try_create(bench, "sleep", "{\"seconds\": 20}", id, &err))
        taken++;
    assert_true(taken >= 100 && taken <= 110);
    assert_int_equal(err.kind, ERR_RATE_LIMITED);
}

static void the_least_recently_used_runner_makes_room(void **state)
{
    struct bench *bench = *state;
    close_parts(bench, 0);
    bench->options.memory_budget_bytes = 257 << 20; /* one runner of unknown size and not another */
    open_parts(bench);
    assert_int_equal(run(bench, "slow_load", "{}").status, PREDICTION_SUCCEEDED);
    int pid = count_runners(bench).pid;
    assert_int_equal(run(bench, "noop", "{}").status, PREDICTION_SUCCEEDED);
    assert_int_equal(count_runners(bench).count, 1);
    assert_int_not_equal(count_runners(bench).pid, pid);
}

static void an_idle_runner_is_unloaded(void **state)
{
    struct bench *bench = *state;
    close_parts(bench, 0);
    bench->options.idle_timeout_s = 1;
    open_parts(bench);
    assert_int_equal(run(bench, "noop", "{}").status, PREDICTION_SUCCEEDED);
    assert_int_equal(count_runners(bench).count, 1);
    for (int i = 0; i < 500 && count_runners(bench).count > 0; i++)
        usleep(10000);
    assert_int_equal(count_runners(bench).count, 0);
    assert_int_equal(run(bench, "noop", "{}").status, PREDICTION_SUCCEEDED);
}

/* ---- Restart -------------------------------------------------------------------------------- */

static void a_clean_stop_puts_the_running_one_back(void **state)
{
    struct bench *bench = *state;
    char running[ID_PREDICTION_LEN + 1], queued[ID_PREDICTION_LEN + 1];
    create(bench, "sleep", "{\"seconds\": 1}", running);
    create(bench, "sleep", "{\"seconds\": 0}", queued);
    wait_until_processing(bench, running);
    close_parts(bench, 100);
    open_parts(bench);
    struct prediction prediction = finish(bench, running);
    assert_int_equal(prediction.status, PREDICTION_SUCCEEDED);
    assert_int_equal(prediction.attempts, 1); /* the stopped one does not count */
    assert_int_equal(finish(bench, queued).status, PREDICTION_SUCCEEDED);
}

static void a_drain_lets_the_running_one_end(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    create(bench, "sleep", "{\"seconds\": 0.5}", id);
    wait_until_processing(bench, id);
    close_parts(bench, 10000);
    open_parts(bench);
    assert_int_equal(get(bench, id).status, PREDICTION_SUCCEEDED);
}

static void put_record(struct bench *bench, const char *id, enum prediction_status status,
                       int attempts, bool cancel_requested)
{
    const struct registry_version *version = registry_resolve(bench->registry, S("test/noop"));
    struct prediction prediction = { .account = "tester",
                                     .model = version->model->full_name,
                                     .version = version->id,
                                     .input = S("{}"),
                                     .source = "api",
                                     .created_us = clock_now_us() };
    struct err err = { 0 };
    memcpy(prediction.id, id, sizeof prediction.id);
    struct store_write write = { .kind = STORE_PREDICTION_INSERT, .prediction = &prediction };
    check(store_write_wait(bench->store, &write, &err), &err);
    if (status == PREDICTION_PROCESSING) {
        write = (struct store_write){ .kind = STORE_PREDICTION_MOVE,
                                      .move = { .id = id,
                                                .from = 1u << PREDICTION_STARTING,
                                                .to = PREDICTION_PROCESSING,
                                                .started_us = 1,
                                                .attempts_add = attempts } };
        check(store_write_wait(bench->store, &write, &err), &err);
    }
    if (cancel_requested) {
        write = (struct store_write){ .kind = STORE_PREDICTION_CANCEL_REQUEST, .id = id };
        check(store_write_wait(bench->store, &write, &err), &err);
    }
}

static void what_a_dead_server_left_is_taken_up(void **state)
{
    struct bench *bench = *state;
    put_record(bench, "aaaaaaaaaaaaaaaaaaaaaaaaa1", PREDICTION_STARTING, 0, false);
    put_record(bench, "aaaaaaaaaaaaaaaaaaaaaaaaa2", PREDICTION_PROCESSING, 1, false);
    put_record(bench, "aaaaaaaaaaaaaaaaaaaaaaaaa3", PREDICTION_PROCESSING, 3, false);
    put_record(bench, "aaaaaaaaaaaaaaaaaaaaaaaaa4", PREDICTION_PROCESSING, 1, true);
    put_record(bench, "aaaaaaaaaaaaaaaaaaaaaaaaa5", PREDICTION_STARTING, 0, true);
    close_parts(bench, 0);
    open_parts(bench);
    assert_int_equal(finish(bench, "aaaaaaaaaaaaaaaaaaaaaaaaa1").status, PREDICTION_SUCCEEDED);
    struct prediction prediction = finish(bench, "aaaaaaaaaaaaaaaaaaaaaaaaa2");
    assert_int_equal(prediction.status, PREDICTION_SUCCEEDED);
    assert_int_equal(prediction.attempts, 2);
    assert_true(prediction.started_us > 1);
    assert_failed(finish(bench, "aaaaaaaaaaaaaaaaaaaaaaaaa3"),
                  "The prediction was interrupted 3 times and was given up.");
    assert_int_equal(finish(bench, "aaaaaaaaaaaaaaaaaaaaaaaaa4").status, PREDICTION_CANCELED);
    assert_int_equal(finish(bench, "aaaaaaaaaaaaaaaaaaaaaaaaa5").status, PREDICTION_CANCELED);
}

/* The child is the server: it runs a prediction, says which one and on which process, and waits. */
static void be_killed(struct bench *bench, int out)
{
    struct {
        char id[ID_PREDICTION_LEN + 1];
        int pid;
    } told;
    open_parts(bench);
    create(bench, "sleep", "{\"seconds\": 2}", told.id);
    wait_until_processing(bench, told.id);
    told.pid = count_runners(bench).pid;
    if (write(out, &told, sizeof told) != (ssize_t)sizeof told)
        _exit(1);
    for (;;)
        pause();
}

static void a_killed_server_takes_its_runners_along_and_its_predictions_run_again(void **state)
{
    struct bench *bench = *state;
    struct {
        char id[ID_PREDICTION_LEN + 1];
        int pid;
    } told;
    int pipes[2];
    close_parts(bench, 0);
    assert_int_equal(pipe(pipes), 0);
    pid_t server = fork();
    if (server == 0)
        be_killed(bench, pipes[1]);
    assert_int_equal(read(pipes[0], &told, sizeof told), sizeof told);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    close(pipes[0]);
    close(pipes[1]);
    for (int i = 0; i < 200 && kill(told.pid, 0) == 0; i++)
        usleep(10000);
    assert_int_not_equal(kill(told.pid, 0), 0);
    open_parts(bench);
    struct prediction prediction = finish(bench, told.id);
    assert_int_equal(prediction.status, PREDICTION_SUCCEEDED);
    assert_int_equal(prediction.attempts, 2);
}

/* Every state in which a killed server can leave blobs and records. */
static void blobs_without_a_record_go_at_the_next_start(void **state)
{
    struct bench *bench = *state;
    struct store_file file = {
        .account = "tester", .name = "a", .content_type = "a/b", .metadata = S("{}")
    };
    char image[] = "{\"image\": \"data:,x\"}", id[ID_PREDICTION_LEN + 1];
    char lost[3][BLOB_REF_MAX], kept[BLOB_REF_MAX], output[BLOB_REF_MAX];
    struct err err = { 0 };
    int fd;
    int64_t size;
    struct prediction prediction = run(bench, "copy_file", image);
    assert_true(str_copy(str_skip(prediction.output, strlen("\"blob:")), output, sizeof output) &&
                strlen(output) > 1);
    output[strlen(output) - 1] = '\0';
    close_parts(bench, 1000);
    assert_true(store_open(bench->store_path, &bench->store, &err));
    id_file(file.id);
    id_prediction(1, id);
    struct blob_store *blobs = bench->blobs;
    /* Killed before its record; a second output of one that ended without it; of one unknown. */
    check(blob_put_bytes(blobs, S("x"), "a", prediction.id, lost[0], &err), &err);
    check(blob_put_bytes(blobs, S("x"), "a", id, lost[1], &err), &err);
    check(blob_put_bytes(blobs, S("x"), "a", file.id, lost[2], &err), &err);
    /* Killed after its record. */
    check(blob_put_bytes(blobs, S("x"), "a", file.id, kept, &err), &err);
    check(blob_doubt(blobs, prediction.id, str_from(output), &err), &err);
    file.blob = kept;
    struct store_write write = { .kind = STORE_FILE_INSERT, .file = &file };
    check(store_write_wait(bench->store, &write, &err), &err);
    store_close(bench->store);
    open_parts(bench);
    for (int i = 0; i < 3; i++)
        assert_false(blob_read(blobs, str_from(lost[i]), &fd, &size, &err));
    assert_true(blob_read(blobs, str_from(kept), &fd, &size, &err));
    close(fd);
    assert_true(blob_read(blobs, str_from(output), &fd, &size, &err));
    close(fd);
    char doubt[160];
    snprintf(doubt, sizeof doubt, "%s/blobs/doubt", bench->folder);
    assert_int_equal(count_files(doubt), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_text_comes_back),
        TEST(texts_come_one_by_one),
        TEST(a_data_url_becomes_a_file_and_the_output_a_blob),
        TEST(an_uploaded_file_is_an_input_of_its_account),
        TEST(a_bad_file_input_fails_with_its_name),
        TEST(many_run_in_order_on_one_runner),
        TEST(a_crash_fails_one_prediction_only),
        TEST(an_exit_is_told_with_its_status),
        TEST(a_kill_from_outside_is_no_success),
        TEST(a_bad_frame_ends_the_runner),
        TEST(a_flood_of_logs_ends_the_runner),
        TEST(a_hang_ends_after_the_time_limit),
        TEST(too_much_memory_ends_the_runner),
        TEST(missing_weights_fail_at_once),
        TEST(a_load_that_may_work_later_is_tried_again),
        TEST(a_runner_that_cannot_start_fails_its_queue),
        TEST(a_load_has_a_time_limit),
        TEST(a_queued_prediction_is_canceled_at_once),
        TEST(a_running_prediction_is_canceled_and_its_runner_stays),
        TEST(a_stubborn_one_is_killed_after_the_grace_period),
        TEST(a_prediction_whose_model_loads_is_canceled),
        TEST(nobody_cancels_what_is_anothers),
        TEST(a_wait_ends_with_its_time),
        TEST(a_full_lane_refuses),
        TEST(the_least_recently_used_runner_makes_room),
        TEST(an_idle_runner_is_unloaded),
        TEST(a_clean_stop_puts_the_running_one_back),
        TEST(a_drain_lets_the_running_one_end),
        TEST(what_a_dead_server_left_is_taken_up),
        TEST(blobs_without_a_record_go_at_the_next_start),
        TEST(a_killed_server_takes_its_runners_along_and_its_predictions_run_again),
    };
    log_set_level(getenv("MIMEO_TEST_LOG") ? LOG_DEBUG : LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
