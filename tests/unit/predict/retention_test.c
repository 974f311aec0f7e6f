/* Retention: the data of ended predictions goes after its time, with its files, and no crash in
 * between leaves a file without a record or a record without its file. */
#include "unit/predict/bench.h"

#define IMAGE "{\"image\": \"data:image/png;base64,aGVsbG8=\"}"

static void reopen(struct bench *bench, int retention_s)
{
    close_parts(bench, 1000);
    bench->options.retention_s = retention_s;
    open_parts(bench);
}

/* The output's one file. */
static void blob_of(struct prediction prediction, char ret_ref[BLOB_REF_MAX])
{
    struct str ref = str_skip(prediction.output, strlen("\"blob:"));
    assert_true(ref.len > 1);
    ref.len--;
    assert_true(str_copy(ref, ret_ref, BLOB_REF_MAX));
}

static bool blob_is_there(struct bench *bench, const char *ref)
{
    int fd;
    int64_t size;
    struct err err = { 0 };
    if (!blob_read(bench->blobs, str_from(ref), &fd, &size, &err))
        return false;
    close(fd);
    return true;
}

static bool wait_until_removed(struct bench *bench, const char *id)
{
    for (int i = 0; i < 500; i++) {
        if (get(bench, id).data_removed)
            return true;
        usleep(10000);
    }
    return false;
}

static void data_goes_after_its_time(void **state)
{
    struct bench *bench = *state;
    char ref[BLOB_REF_MAX];
    reopen(bench, 1);
    struct prediction prediction = run(bench, "copy_file", IMAGE);
    blob_of(prediction, ref);
    struct answer hooked = request(bench, "text_list", "{\"text\":\"a b\"}",
                                   (struct predict_request){ .webhook = "https://a.b/c" });
    struct answer web = request(bench, "text_list", "{\"text\":\"a b\"}",
                                (struct predict_request){ .source = "web" });
    finish(bench, hooked.id);
    finish(bench, web.id);
    assert_true(blob_is_there(bench, ref));
    assert_false(get(bench, prediction.id).data_removed); /* not before */
    assert_true(wait_until_removed(bench, prediction.id));
    for (int i = 0; i < 200 && blob_is_there(bench, ref); i++)
        usleep(10000);
    assert_false(blob_is_there(bench, ref));
    assert_true(clock_now_us() - prediction.completed_us >= 1000000);
    assert_true(clock_now_us() - prediction.completed_us < 4000000);
    struct prediction rest = get(bench, prediction.id);
    assert_int_equal(rest.status, PREDICTION_SUCCEEDED);
    assert_int_equal(rest.output.len + rest.logs.len, 0);
    assert_true(rest.input.len <= 2);
    assert_true(rest.metrics.len > 0 && rest.completed_us == prediction.completed_us);
    assert_true(wait_until_removed(bench, hooked.id)); /* although its webhook is still owed */
    assert_false(get(bench, web.id).data_removed);
    assert_true(get(bench, web.id).output.len > 0);

    struct predict_news news;
    struct err err = { 0 };
    check(predict_news(bench->predict, hooked.id, &(struct predict_position){ 1, 5 }, 100,
                       &bench->arena, &news, &err),
          &err);
    assert_true(news.finished && news.data_removed);
    assert_int_equal(json_array_size(news.outputs) + news.logs.len, 0);
    json_decref(news.outputs);

    char doubt[160];
    snprintf(doubt, sizeof doubt, "%s/blobs/doubt", bench->folder);
    assert_int_equal(count_files(doubt), 0);
}

static void without_a_time_data_stays(void **state)
{
    struct bench *bench = *state;
    char ref[BLOB_REF_MAX];
    struct prediction prediction = run(bench, "copy_file", IMAGE);
    blob_of(prediction, ref);
    usleep(600000);
    assert_false(get(bench, prediction.id).data_removed);
    assert_true(blob_is_there(bench, ref));
}

/* More than a batch, and what was there before the server started. */
static void all_that_is_old_goes(void **state)
{
    struct bench *bench = *state;
    char ids[230][ID_PREDICTION_LEN + 1];
    for (int i = 0; i < 230; i++) {
        create(bench, "noop", "{}", ids[i]);
        if (i % 50 == 49)
            finish(bench, ids[i]);
    }
    for (int i = 0; i < 230; i++)
        finish(bench, ids[i]);
    usleep(1000000);
    reopen(bench, 1);
    for (int i = 0; i < 230; i++)
        assert_true(wait_until_removed(bench, ids[i]));
}

/* A server that was killed in the midst of it, before and after the record was changed. */
static void a_crash_in_between_is_cleaned_up(void **state)
{
    struct bench *bench = *state;
    char before[BLOB_REF_MAX], after[BLOB_REF_MAX];
    struct err err = { 0 };
    struct prediction first = run(bench, "copy_file", IMAGE);
    struct prediction second = run(bench, "copy_file", IMAGE);
    blob_of(first, before);
    blob_of(second, after);
    check(blob_doubt(bench->blobs, first.id, str_from(before), &err), &err);
    check(blob_doubt(bench->blobs, second.id, str_from(after), &err), &err);
    struct store_write write = { .kind = STORE_PREDICTION_REMOVE_DATA, .id = second.id };
    check(store_write_wait(bench->store, &write, &err), &err);
    reopen(bench, 0);
    assert_true(blob_is_there(bench, before));
    assert_false(blob_is_there(bench, after));
    assert_false(get(bench, first.id).data_removed);
    usleep(1000000);
    reopen(bench, 1);
    assert_true(wait_until_removed(bench, first.id));
    for (int i = 0; i < 200 && blob_is_there(bench, before); i++)
        usleep(10000);
    assert_false(blob_is_there(bench, before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(data_goes_after_its_time),
        TEST(without_a_time_data_stays),
        TEST(all_that_is_old_goes),
        TEST(a_crash_in_between_is_cleaned_up),
    };
    log_set_level(getenv("MIMEO_TEST_LOG") ? LOG_DEBUG : LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
