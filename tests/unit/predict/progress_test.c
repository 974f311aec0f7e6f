/* What is read out of a model's logs, and what a picture says of its making. The rest of progress
 * is seen over HTTP (tests/api/progress.test.mjs). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "predict/making.h"
#include "predict/progress.h"
#include "registry/registry.h"

static void assert_bar(const char *logs, int64_t expected_step, int64_t expected_steps)
{
    int64_t step = -1, steps = -1;
    if (!predict_progress_parse(str_from(logs), &step, &steps))
        fail_msg("no bar in: %s", logs);
    assert_int_equal(step, expected_step);
    assert_int_equal(steps, expected_steps);
}

static void the_last_bar_counts(void **state)
{
    (void)state;
    assert_bar("  0%|          | 0/4 [00:00<?, ?it/s]", 0, 4);
    assert_bar(
        "  0%|          | 0/4 [00:00<?, ?it/s]\n 75%|███████▌  | 3/4 [00:01<00:00,  2.51it/s]\n", 3,
        4);
    assert_bar("100%|██████████| 4/4 [00:01<00:00,  2.51it/s]\nsaving\n", 4, 4);
    assert_bar("Sampling:  10%|█         | 5/50 [00:01<00:09,  4.00it/s]\rnot this: 1/2\n", 5, 50);
    assert_bar("100%|██████████| 4/4 [00:01<00:00]\n 50%|█████     | 10/20 [00:01<00:01]", 10, 20);
}

static void what_is_no_bar_is_none(void **state)
{
    static const char *const logs[] = {
        "",
        "\n\n",
        "3/4 [",
        " 75%|███████▌  | 3/4",
        " 75%|███████▌   3/4 [",
        " 75%|███████▌  | 5/4 [00:01",
        " 75%|███████▌  | 0/0 [00:01",
        " 75%|███████▌  | -1/4 [00:01",
        " 75%|███████▌  | 1/99999999999999999999 [00:01",
        " 75%|███████▌  | a/b [",
    };
    int64_t step, steps;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(logs); i++) {
        if (predict_progress_parse(str_from(logs[i]), &step, &steps))
            fail_msg("a bar in: %s", logs[i]);
    }
}

/* ---- The making of a picture --------------------------------------------------------------- */

#define SCHEMA                                                                                     \
    "{\"properties\":{\"prompt\":{\"type\":\"string\"},\"long\":{\"type\":\"string\"},"            \
    "\"seed\":{\"type\":\"integer\"},\"image\":{\"type\":\"string\",\"format\":\"uri\"},"          \
    "\"images\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"format\":\"uri\"}},"          \
    "\"key\":{\"type\":\"string\",\"x-cog-secret\":true},"                                         \
    "\"pass\":{\"type\":\"string\",\"format\":\"password\"}}}"

static json_t *making_of(const char *input, const char *logs)
{
    struct err err = { 0 };
    json_t *schema, *made;
    struct buf text;
    assert_true(json_parse(S(SCHEMA), &schema, &err));
    const struct registry_version version = { .id = "v1", .input_schema = schema };
    const struct prediction record = { .id = "0123456789abcdefghjkmnpqrs",
                                       .account = "alice",
                                       .token = "0123456789abcdef",
                                       .webhook = "https://alice.example/hook",
                                       .model = "owner/model",
                                       .version = "v1",
                                       .input = str_from(input) };
    buf_init(&text, 64u << 10);
    assert_true(making_write(&record, &version, str_from(logs), &text));
    assert_int_equal(str_find(buf_str(&text), S("alice")), -1);
    assert_int_equal(str_find(buf_str(&text), S("0123456789abcdef\"")), -1);
    assert_true(json_parse(buf_str(&text), &made, &err));
    assert_string_equal(json_get_string(made, "model"), "owner/model");
    assert_string_equal(json_get_string(made, "version"), "v1");
    assert_string_equal(json_get_string(made, "prediction"), record.id);
    json_decref(schema);
    buf_done(&text);
    return made;
}

static void secrets_files_and_strangers_are_not_told(void **state)
{
    (void)state;
    json_t *made =
        making_of("{\"prompt\":\"a fox\",\"seed\":7,\"image\":\"https://x.example/a.png\","
                  "\"images\":[\"data:image/png;base64,AAAA\"],\"key\":\"s3cret\","
                  "\"pass\":\"s3cret\",\"stranger\":\"s3cret\"}",
                  "");
    const json_t *input = json_object_get(made, "input");
    assert_int_equal(json_object_size(input), 2);
    assert_string_equal(json_get_string(input, "prompt"), "a fox");
    assert_int_equal(json_get_integer(input, "seed", -1), 7);
    assert_int_equal(json_get_integer(made, "seed", -1), 7);
    json_decref(made);
    made = making_of("{\"prompt\":\"data:text/plain,hidden\"}", "");
    assert_int_equal(json_object_size(json_object_get(made, "input")), 0);
    assert_null(json_object_get(made, "seed"));
    json_decref(made);
}

static void long_inputs_are_not_told(void **state)
{
    char input[8192], text[4096];
    (void)state;
    for (size_t len = 4094; len <= 4095; len++) { /* with its quotes, 4096 and one more */
        memset(text, 'x', len);
        text[len] = '\0';
        snprintf(input, sizeof input, "{\"long\":\"%s\",\"prompt\":\"p\"}", text);
        json_t *made = making_of(input, "");
        assert_int_equal(json_object_size(json_object_get(made, "input")), len == 4094 ? 2 : 1);
        json_decref(made);
    }
}

static void a_seed_that_the_model_chose_is_told(void **state)
{
    (void)state;
    json_t *made = making_of("{\"prompt\":\"p\"}", "loading\nUsing seed: 40312\n  0%|\n");
    assert_int_equal(json_get_integer(made, "seed", -1), 40312);
    json_decref(made);
    made = making_of("{\"prompt\":\"p\",\"seed\":3}", "Using seed: 40312\n");
    assert_int_equal(json_get_integer(made, "seed", -1), 3);
    json_decref(made);
    made = making_of("{\"prompt\":\"p\"}", "Using seed: none\n");
    assert_null(json_object_get(made, "seed"));
    json_decref(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_bar_counts),
        cmocka_unit_test(what_is_no_bar_is_none),
        cmocka_unit_test(secrets_files_and_strangers_are_not_told),
        cmocka_unit_test(long_inputs_are_not_told),
        cmocka_unit_test(a_seed_that_the_model_chose_is_told),
    };
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
