/* A job as a model sees it: inputs and their defaults, outputs, progress lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "runner/describe.h"
#include "runner/job_private.h"
#include "runner/model.h"

static const char *const choices[] = { "png", "webp", NULL };

static const struct model_input inputs[] = {
    { .name = "image", .type = INPUT_FILE, .required = true, .help = "A picture." },
    { .name = "num_steps",
      .type = INPUT_INTEGER,
      .has_default = true,
      .default_number = 4,
      .has_min = true,
      .has_max = true,
      .min = 1,
      .max = 50 },
    { .name = "scale", .type = INPUT_NUMBER, .has_default = true, .default_number = 7.5 },
    { .name = "fast", .type = INPUT_BOOLEAN, .has_default = true, .default_number = 1 },
    { .name = "format",
      .type = INPUT_STRING,
      .has_default = true,
      .default_string = "webp",
      .choices = choices },
    { .name = "note", .type = INPUT_STRING },
    { 0 },
};

static const struct model model = { .name = "sample", .inputs = inputs, .output = OUTPUT_FILE };

static struct job *new_job(const char *input)
{
    const struct job_file_input files[] = { { "image", "/some/file.png" } };
    struct err err = { 0 };
    struct job *job = job_new_local(&model, input, files, 1, "/tmp", &err);
    if (!job)
        fail_msg("%s", err.detail);
    return job;
}

static void what_is_not_sent_has_its_default(void **state)
{
    (void)state;
    struct job *job = new_job("{\"note\": null}");
    assert_int_equal(job_integer(job, "num_steps"), 4);
    assert_true(job_number(job, "scale") == 7.5);
    assert_true(job_boolean(job, "fast"));
    assert_string_equal(job_string(job, "format"), "webp");
    assert_null(job_string(job, "note"));
    assert_false(job_has(job, "note"));
    assert_true(job_has(job, "image"));
    assert_string_equal(job_file(job, "image"), "/some/file.png");
    job_free(job);
}

static void what_is_sent_wins(void **state)
{
    (void)state;
    struct job *job = new_job("{\"num_steps\": 9, \"scale\": 2, \"fast\": false, "
                              "\"format\": \"png\", \"note\": \"\"}");
    assert_int_equal(job_integer(job, "num_steps"), 9);
    assert_true(job_number(job, "scale") == 2);
    assert_false(job_boolean(job, "fast"));
    assert_string_equal(job_string(job, "format"), "png");
    assert_string_equal(job_string(job, "note"), "");
    assert_true(job_has(job, "note"));
    job_free(job);
}

static void output_names_stay_in_the_folder(void **state)
{
    (void)state;
    struct job *job = new_job("{}");
    assert_string_equal(job_output_path(job, "out-0.png"), "/tmp/out-0.png");
    assert_null(job_output_path(job, "../out.png"));
    assert_null(job_output_path(job, "a/b"));
    assert_null(job_output_path(job, ""));
    assert_null(job_output_path(job, ".hidden"));
    job_free(job);
}

static void progress_lines_are_tqdms(void **state)
{
    (void)state;
    char line[160];
    regex_t pattern; /* what the official JavaScript client looks for */
    job_progress_line(0, 4, 0, line, sizeof line);
    assert_string_equal(line, "  0%|          | 0/4 [00:00<?, ?it/s]");
    job_progress_line(3, 4, 0.195, line, sizeof line);
    assert_string_equal(line, " 75%|███████▌  | 3/4 [00:00<00:00, 15.38it/s]");
    job_progress_line(4, 4, 8, line, sizeof line);
    assert_string_equal(line, "100%|██████████| 4/4 [00:08<00:00,  2.00s/it]");
    job_progress_line(1, 50, 3700, line, sizeof line);
    assert_string_equal(line, "  2%|▏         | 1/50 [1:01:40<50:21:40, 3700.00s/it]");
    assert_int_equal(regcomp(&pattern, "^ *[0-9]+% *\\|.+\\| *[0-9]+/[0-9]+", REG_EXTENDED), 0);
    for (int done = 0; done <= 80; done++) {
        job_progress_line(done, 80, done * 0.01, line, sizeof line);
        assert_int_equal(regexec(&pattern, line, 0, NULL, 0), 0);
    }
    regfree(&pattern);
}

struct heard {
    int count;
    char last[256];
};

static void hear(void *context, const struct wire_message *event)
{
    struct heard *heard = context;
    heard->count++;
    if (event->type == WIRE_LOG)
        snprintf(heard->last, sizeof heard->last, "%.*s", STR_FMT(event->log.text));
}

static void logs_are_lines_and_progress_is_not_a_flood(void **state)
{
    (void)state;
    struct job *job = new_job("{}");
    struct heard heard = { 0 };
    job_set_sink(job, hear, &heard);
    job_log(job, "Using seed: %d", 7);
    assert_string_equal(heard.last, "Using seed: 7\n");
    job_log(job, "already ended\n");
    assert_string_equal(heard.last, "already ended\n");
    heard.count = 0;
    for (int i = 0; i <= 1000; i++)
        job_progress(job, i, 1000);
    assert_true(heard.count >= 2 && heard.count < 10);
    assert_true(strncmp(heard.last, "100%|", 5) == 0);
    assert_false(job_canceled(job));
    job_cancel(job);
    assert_true(job_canceled(job));
    job_free(job);
}

static void a_model_is_described_as_cog_would(void **state)
{
    (void)state;
    const struct model *const models[] = { &model, NULL };
    json_t *description = describe_models(models);
    json_t *expected = json_loads(
        "{\"protocol\":1,\"models\":[{\"name\":\"sample\",\"input\":{\"type\":\"object\","
        "\"title\":\"Input\",\"required\":[\"image\"],\"properties\":{"
        "\"image\":{\"type\":\"string\",\"title\":\"Image\",\"x-order\":0,"
        "\"description\":\"A picture.\",\"format\":\"uri\"},"
        "\"num_steps\":{\"type\":\"integer\",\"title\":\"Num Steps\",\"x-order\":1,\"default\":4,"
        "\"minimum\":1,\"maximum\":50},"
        "\"scale\":{\"type\":\"number\",\"title\":\"Scale\",\"x-order\":2,\"default\":7.5},"
        "\"fast\":{\"type\":\"boolean\",\"title\":\"Fast\",\"x-order\":3,\"default\":true},"
        "\"format\":{\"type\":\"string\",\"title\":\"Format\",\"x-order\":4,\"default\":\"webp\","
        "\"enum\":[\"png\",\"webp\"]},"
        "\"note\":{\"type\":\"string\",\"title\":\"Note\",\"x-order\":5}}},"
        "\"output\":{\"type\":\"string\",\"title\":\"Output\",\"format\":\"uri\"},"
        "\"streams\":false,\"trainable\":false}]}",
        0, NULL);
    assert_non_null(expected);
    assert_true(json_equal(description, expected));
    json_decref(description);
    json_decref(expected);
}

static const struct model_input training_inputs[] = {
    { .name = "steps", .type = INPUT_INTEGER, .has_default = true, .default_number = 7 },
    { 0 },
};

static bool train(void *state, struct job *job, struct err *err)
{
    (void)state, (void)job, (void)err;
    return true;
}

static void a_training_has_inputs_of_its_own(void **state)
{
    (void)state;
    struct model trainable = model;
    const struct model *const models[] = { &trainable, NULL };
    json_t *input = json_object();
    trainable.training_inputs = training_inputs;
    trainable.train = train;
    struct job *job = job_new(&trainable, true, "x", input, input, "/tmp");
    assert_non_null(job);
    assert_true(job_trains(job));
    assert_int_equal(job_integer(job, "steps"), 7);
    job_free(job);
    json_decref(input);
    json_t *description = describe_models(models);
    const json_t *described = json_array_get(json_object_get(description, "models"), 0);
    assert_true(json_is_true(json_object_get(described, "trainable")));
    const json_t *steps = json_object_get(
        json_object_get(json_object_get(described, "training_input"), "properties"), "steps");
    assert_int_equal(json_integer_value(json_object_get(steps, "default")), 7);
    json_decref(description);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_sent_has_its_default),
        cmocka_unit_test(what_is_sent_wins),
        cmocka_unit_test(output_names_stay_in_the_folder),
        cmocka_unit_test(progress_lines_are_tqdms),
        cmocka_unit_test(logs_are_lines_and_progress_is_not_a_flood),
        cmocka_unit_test(a_model_is_described_as_cog_would),
        cmocka_unit_test(a_training_has_inputs_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
