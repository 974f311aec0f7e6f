/* JSON shapes: key order, optional keys, and output files as links or data: URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/api_private.h"
#include "api/page.h"
#include "api/render.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "blob/blob.h"
#include "domain/prediction.h"
#include "registry/registry.h"

struct fixture {
    char folder[64];
    struct api api;
    char ref[BLOB_REF_MAX];
    struct buf out;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/mimeo-render-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    assert_true(blob_open(fixture->folder, S("0123456789abcdef0123456789abcdef"),
                          &fixture->api.blobs, NULL));
    fixture->api.link_lifetime_s = 3600;
    assert_true(
        blob_put_bytes(fixture->api.blobs, S("hello"), "out-0.png", "record", fixture->ref, NULL));
    buf_init(&fixture->out, RENDER_BYTES_MAX);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    buf_done(&fixture->out);
    blob_close(fixture->api.blobs);
    file_remove_tree(fixture->folder, NULL);
    free(fixture);
    return 0;
}

static struct prediction example(void)
{
    struct prediction prediction = {
        .id = "qpt5jq1fssrmc0cmd5hvy31mdg",
        .model = "acme/toy",
        .version = "dp-4d0bcc010b3049749a251855f12800be",
        .input = S("{\"a\":1,\"b\":\"x\"}"),
        .status = PREDICTION_STARTING,
        .source = "api",
        .created_us = 1736934895566000,
    };

    return prediction;
}

static const char *render_with(struct fixture *fixture, const struct render_options *options,
                               const struct prediction *prediction)
{
    json_t *json = NULL;

    buf_clear(&fixture->out);
    render_prediction(options, prediction, &fixture->out);
    assert_true(json_parse(buf_str(&fixture->out), &json, NULL));
    json_decref(json);
    return fixture->out.ptr;
}

static const char *render(struct fixture *fixture, const struct prediction *prediction,
                          bool inline_files, bool as_starting)
{
    struct render_options options = { .api = &fixture->api,
                                      .base_url = "http://h/replicate",
                                      .inline_files = inline_files,
                                      .as_starting = as_starting };

    return render_with(fixture, &options, prediction);
}

static void a_new_prediction_has_the_public_shape(void **state)
{
    struct prediction prediction = example();

    assert_string_equal(
        render(*state, &prediction, false, false),
        "{\"id\":\"qpt5jq1fssrmc0cmd5hvy31mdg\",\"model\":\"acme/toy\","
        "\"version\":\"dp-4d0bcc010b3049749a251855f12800be\",\"input\":{\"a\":1,\"b\":\"x\"},"
        "\"logs\":\"\",\"output\":null,\"data_removed\":false,\"error\":null,\"source\":\"api\","
        "\"status\":\"starting\",\"created_at\":\"2025-01-15T09:54:55.566Z\",\"urls\":{"
        "\"cancel\":\"http://h/replicate/v1/predictions/qpt5jq1fssrmc0cmd5hvy31mdg/cancel\","
        "\"get\":\"http://h/replicate/v1/predictions/qpt5jq1fssrmc0cmd5hvy31mdg\","
        "\"web\":\"http://h/replicate/p/qpt5jq1fssrmc0cmd5hvy31mdg\"}}");
}

static void what_is_known_only_later_comes_later(void **state)
{
    struct prediction prediction = example();
    const char *text;

    prediction.status = PREDICTION_FAILED;
    prediction.error = "no \"luck\"";
    prediction.started_us = prediction.created_us + 1;
    prediction.completed_us = prediction.created_us + 2000000;
    prediction.metrics = S("{\"predict_time\":1.5}");
    prediction.webhook = "https://a/";
    text = render(*state, &prediction, false, false);
    assert_non_null(strstr(text, "\"error\":\"no \\\"luck\\\"\""));
    assert_non_null(strstr(text, "\"started_at\":\"2025-01-15T09:54:55.566001Z\","
                                 "\"completed_at\":\"2025-01-15T09:54:57.566Z\",\"urls\":{"));
    assert_non_null(strstr(text, "},\"metrics\":{\"predict_time\":1.5},\"webhook\":"));
}

static void removed_data_is_not_shown(void **state)
{
    struct prediction prediction = example();
    const char *text;

    prediction.output = S("\"secret\"");
    prediction.data_removed = true;
    prediction.logs = S("secret");
    text = render(*state, &prediction, false, false);
    assert_null(strstr(text, "secret"));
    assert_non_null(strstr(text, "\"logs\":\"\""));
    assert_non_null(strstr(text, "\"input\":{},"));
    assert_non_null(strstr(text, "\"output\":null,\"data_removed\":true"));
}

static void a_running_prediction_looks_not_begun_after_a_wait(void **state)
{
    struct prediction prediction = example();
    const char *text;

    prediction.status = PREDICTION_PROCESSING;
    prediction.started_us = prediction.created_us;
    prediction.logs = S("busy");
    prediction.output = S("[\"a\"]");
    text = render(*state, &prediction, false, true);
    assert_non_null(strstr(text, "\"status\":\"starting\""));
    assert_non_null(strstr(text, "\"output\":null"));
    assert_null(strstr(text, "started_at"));
    assert_null(strstr(text, "busy"));
    prediction.status = PREDICTION_SUCCEEDED;
    assert_non_null(strstr(render(*state, &prediction, false, true), "\"output\":[\"a\"]"));
}

static void files_become_links_or_data(void **state)
{
    struct fixture *fixture = *state;
    struct prediction prediction = example();
    char output[512];

    snprintf(output, sizeof(output), "[\"blob:%s\",{\"k\":\"blob:%s\"}]", fixture->ref,
             fixture->ref);
    prediction.output = str_from(output);
    assert_non_null(strstr(render(fixture, &prediction, false, false),
                           "\"output\":[\"http://h/replicate/outputs/"));
    assert_non_null(strstr(render(fixture, &prediction, true, false),
                           "\"output\":[\"data:image/png;base64,aGVsbG8=\","
                           "{\"k\":\"data:image/png;base64,aGVsbG8=\"}]"));
}

static void links_end_when_their_lifetime_is_over(void **state)
{
    struct fixture *fixture = *state;
    struct prediction prediction = example();
    char output[256], ref[BLOB_REF_MAX];
    int64_t now_s = clock_now_us() / 1000000;
    struct str link;
    ptrdiff_t at;

    snprintf(output, sizeof(output), "\"blob:%s\"", fixture->ref);
    prediction.output = str_from(output);
    link = str_from(render(fixture, &prediction, false, false));
    at = str_find(link, S("/outputs/"));
    assert_true(at > 0);
    link = str_skip(link, (size_t)at);
    link.len = (size_t)str_find(link, S("\""));
    assert_true(blob_check_link(fixture->api.blobs, link, now_s, ref));
    assert_string_equal(ref, fixture->ref);
    assert_false(blob_check_link(fixture->api.blobs, link, now_s + 3602, ref));
}

static void text_that_only_looks_like_a_file_stays(void **state)
{
    struct prediction prediction = example();

    prediction.output = S("[\"say \\\"blob:x\",\"blob:../../etc/passwd\",\"blob:\",\"blob:a\"]");
    assert_non_null(
        strstr(render(*state, &prediction, true, false),
               "\"output\":[\"say \\\"blob:x\",\"blob:../../etc/passwd\",\"blob:\",\"blob:a\"]"));
}

static void secrets_are_not_shown(void **state)
{
    struct fixture *fixture = *state;
    struct registry_version version = { .id = "v", .has_secrets = true };
    struct render_options options = { .api = &fixture->api, .base_url = "", .version = &version };
    struct prediction prediction = example();
    json_t *schema = NULL;

    assert_true(json_parse(S("{\"properties\":{\"a\":{\"type\":\"integer\"},"
                             "\"key\":{\"type\":\"string\",\"x-cog-secret\":true},"
                             "\"pass\":{\"format\":\"password\"},"
                             "\"unused\":{\"format\":\"password\"}}}"),
                           &schema, NULL));
    version.input_schema = schema;
    prediction.input = S("{\"a\":1,\"key\":\"hunter2\",\"pass\":\"hunter3\"}");
    assert_non_null(strstr(render_with(fixture, &options, &prediction),
                           "\"input\":{\"a\":1,\"key\":\"**********\",\"pass\":\"**********\"},"));
    json_decref(schema);
}

static void only_models_that_stream_have_a_stream(void **state)
{
    struct fixture *fixture = *state;
    struct registry_version version = { .id = "v", .streams = true };
    struct render_options options = { .api = &fixture->api, .base_url = "", .version = &version };
    struct prediction prediction = example();

    assert_non_null(strstr(render_with(fixture, &options, &prediction), "mdg\",\"stream\":\"/v1/"));
    version.streams = false;
    assert_null(strstr(render_with(fixture, &options, &prediction), "stream"));
    version.streams = true;
    prediction.is_training = true;
    prediction.destination = "acme/other";
    assert_null(strstr(render_with(fixture, &options, &prediction), "stream"));
    assert_null(strstr(fixture->out.ptr, "acme/other"));
    assert_non_null(
        strstr(fixture->out.ptr,
               "\"urls\":{\"cancel\":\"/v1/trainings/qpt5jq1fssrmc0cmd5hvy31mdg/cancel\","
               "\"get\":\"/v1/trainings/qpt5jq1fssrmc0cmd5hvy31mdg\","));
}

static void cursors_read_back(void **state)
{
    struct page_cursor cursor = { .newer = true, .position = { 1736934895566000, "abc" } };
    struct page_cursor read = { 0 };
    char text[PAGE_CURSOR_SIZE];

    (void)state;
    page_cursor_write(&cursor, text);
    assert_true(page_cursor_parse(str_from(text), &read));
    assert_true(read.newer);
    assert_int_equal(read.position.created_us, 1736934895566000);
    assert_string_equal(read.position.id, "abc");
    assert_false(page_cursor_parse(S("!"), &read));
    assert_false(page_cursor_parse(S("YWJj"), &read));
    assert_false(page_cursor_parse(S(""), &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_prediction_has_the_public_shape, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_known_only_later_comes_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removed_data_is_not_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_running_prediction_looks_not_begun_after_a_wait, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(files_become_links_or_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_end_when_their_lifetime_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_that_only_looks_like_a_file_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(secrets_are_not_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_models_that_stream_have_a_stream, set_up, tear_down),
        cmocka_unit_test(cursors_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
