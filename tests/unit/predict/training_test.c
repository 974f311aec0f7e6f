/* Trainings: what is learned becomes a version, and the version says it. */
#include "unit/predict/bench.h"

#define VERSION "aaaabbbbccccddddeeeeffff00001111aaaabbbbccccddddeeeeffff00001111"

/* The side that makes versions: notes what it was given, and copies the files. */
struct maker {
    struct bench *bench;
    int calls, count, taken_back;
    char destination[128], names[4][128];
    bool fail;
};

static bool on_trained(void *context, const struct prediction *record,
                       const struct predict_weights *weights, int count, char ret_version_id[65],
                       struct err *err)
{
    struct maker *maker = context;
    char folder[512], path[700];
    struct buf bytes;
    if (count == 0) {
        maker->taken_back++;
        return true;
    }
    maker->calls++;
    maker->count = count;
    snprintf(maker->destination, sizeof maker->destination, "%s", record->destination);
    if (maker->fail)
        return err_set(err, ERR_MODEL, "The destination is gone.");
    snprintf(folder, sizeof folder, "%s/test/trainable", maker->bench->weights_path);
    assert_true(file_make_folders(folder, 0700, NULL));
    for (int i = 0; i < count && i < 4; i++) {
        snprintf(maker->names[i], sizeof maker->names[i], "%s", weights[i].name);
        snprintf(path, sizeof path, "%s/%s", folder, weights[i].name);
        buf_init(&bytes, 1000);
        assert_true(file_read(weights[i].path, &bytes, err));
        FILE *file = fopen(path, "w");
        fwrite(bytes.ptr, 1, bytes.len, file);
        fclose(file);
        buf_done(&bytes);
    }
    memcpy(ret_version_id, VERSION, sizeof VERSION);
    return true;
}

static struct prediction train(struct bench *bench, const char *input)
{
    struct answer answer = request(bench, "trainable", input,
                                   (struct predict_request){ .destination = "tester/parrot" });
    check(answer.value, &answer.err);
    return finish(bench, answer.id);
}

static void open_with(struct bench *bench, struct maker *maker)
{
    maker->bench = bench;
    close_parts(bench, 0);
    bench->options.trained = on_trained;
    bench->options.trained_context = maker;
    open_parts(bench);
}

static void what_is_learned_becomes_a_version(void **state)
{
    struct bench *bench = *state;
    struct maker maker = { 0 };
    struct err err = { 0 };
    const struct registry_version *version = registry_resolve(bench->registry, S("test/trainable"));
    assert_true(version->trainable && version->training_schema);
    assert_text(run(bench, "trainable", "{}").output, "\"nothing\"");
    open_with(bench, &maker);
    struct prediction prediction = train(bench, "{\"word\": \"hello\", \"steps\": 5}");
    assert_int_equal(prediction.status, PREDICTION_SUCCEEDED);
    assert_true(prediction.is_training);
    assert_true(str_find(prediction.logs, S("5/5")) >= 0);
    assert_true(str_find(prediction.logs, S("learned 'hello'")) >= 0);
    assert_true(str_find(prediction.metrics, S("\"steps\":5")) >= 0);
    assert_int_equal(maker.calls, 1);
    assert_int_equal(maker.count, 2);
    assert_string_equal(maker.destination, "tester/parrot");
    assert_string_equal(maker.names[0], "word.txt");
    assert_string_equal(maker.names[1], "notes.txt");
    json_t *output;
    check(json_parse(prediction.output, &output, &err), &err);
    assert_string_equal(json_get_string(output, "version"), "tester/parrot:" VERSION);
    const char *weights = json_get_string(output, "weights");
    assert_true(str_starts(str_from(weights), S("blob:")) &&
                str_ends(str_from(weights), S("/word.txt")));
    int fd;
    int64_t size;
    check(blob_read(bench->blobs, str_from(weights + 5), &fd, &size, &err), &err);
    close(fd);
    assert_int_equal(size, 5);
    json_decref(output);
    close_parts(bench, 0);
    open_parts(bench);
    assert_text(run(bench, "trainable", "{\"greeting\": \"I say \"}").output, "\"I say hello\"");
}

static void without_a_maker_the_output_is_the_weights(void **state)
{
    struct bench *bench = *state;
    struct prediction prediction = train(bench, "{\"word\": \"hello\"}");
    assert_int_equal(prediction.status, PREDICTION_SUCCEEDED);
    assert_true(str_starts(prediction.output, S("{\"weights\":\"blob:")));
}

static void a_version_that_cannot_be_made_fails_the_training(void **state)
{
    struct bench *bench = *state;
    struct maker maker = { .fail = true };
    char doubt[160];
    open_with(bench, &maker);
    assert_failed(train(bench, "{\"word\": \"hello\"}"), "The destination is gone.");
    snprintf(doubt, sizeof doubt, "%s/blobs/doubt", bench->folder);
    assert_int_equal(count_files(doubt), 0);
    assert_int_equal(maker.taken_back, 1);
}

static void a_training_is_canceled_like_a_prediction(void **state)
{
    struct bench *bench = *state;
    struct maker maker = { 0 };
    open_with(bench, &maker);
    struct answer answer = request(bench, "trainable", "{\"word\": \"a\", \"steps\": 1000}",
                                   (struct predict_request){ .destination = "tester/parrot" });
    wait_until_processing(bench, answer.id);
    cancel(bench, answer.id);
    assert_int_equal(finish(bench, answer.id).status, PREDICTION_CANCELED);
    assert_int_equal(maker.calls, 0);
    assert_int_equal(maker.taken_back, 1); /* an earlier attempt may have made a version */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_learned_becomes_a_version),
        TEST(without_a_maker_the_output_is_the_weights),
        TEST(a_version_that_cannot_be_made_fails_the_training),
        TEST(a_training_is_canceled_like_a_prediction),
    };
    log_set_level(getenv("MIMEO_TEST_LOG") ? LOG_DEBUG : LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
