/* The client library against a small server: what it sends, how it reads answers and errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mimeo.h"
#include "unit/little_server.h"

static struct little_server server;
static struct little_request last; /* the latest request */
static const char *reply_status = "200 OK", *reply_body = "{}";
static int polls_until_done, bad_answers;

static void answer(void *context, struct little_request *request)
{
    char body[256];

    (void)context;
    last = *request;
    if (bad_answers > 0) {
        bad_answers--;
        little_answer(request, "503 Service Unavailable", "", "{\"detail\":\"busy\"}", 17);
        return;
    }
    if (strcmp(request->path, "/v1/predictions/polled") == 0) {
        snprintf(body, sizeof(body), "{\"id\":\"polled\",\"status\":\"%s\"}",
                 polls_until_done-- > 0 ? "processing" : "succeeded");
        little_answer(request, "200 OK", "", body, strlen(body));
        return;
    }
    little_answer(request, reply_status, "Content-Type: application/json\r\n", reply_body,
                  strlen(reply_body));
}

static struct mimeo_client *client;
static struct mimeo_error error;

static int set_up(void **state)
{
    (void)state;
    little_start(&server, answer, NULL);
    client = mimeo_client_new(server.url, "r8_secret", &error);
    return client == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    mimeo_client_free(client);
    little_stop(&server);
    return 0;
}

static void reply(const char *status, const char *body)
{
    reply_status = status;
    reply_body = body;
}

static void addresses_are_judged(void **state)
{
    (void)state;
    assert_null(mimeo_client_new("example.com", NULL, &error));
    assert_null(mimeo_client_new("file:///etc/passwd", NULL, &error));
    assert_null(mimeo_client_new("http://a", "with\r\nbreak", &error));
    mimeo_client_free(NULL);
    struct mimeo_client *other = mimeo_client_new("http://localhost/prefix/v1/", NULL, &error);
    assert_non_null(other);
    mimeo_client_free(other);
}

static void a_prediction_is_created_as_the_api_wants_it(void **state)
{
    json_t *input = json_pack("{s:s}", "prompt", "hi"), *prediction = NULL;
    struct mimeo_prediction_options options = { .version = "v1", .input = input, .wait_s = 5 };

    (void)state;
    reply("201 Created", "{\"id\":\"abc\",\"status\":\"starting\"}");
    assert_true(mimeo_prediction_create(client, &options, &prediction, &error));
    assert_string_equal(last.method, "POST");
    assert_string_equal(last.path, "/v1/predictions");
    assert_string_equal(little_header(&last, "Prefer"), "wait=5");
    assert_string_equal(little_header(&last, "Authorization"), "Bearer r8_secret");
    assert_string_equal(little_header(&last, "Content-Type"), "application/json");
    assert_string_equal(last.body, "{\"version\":\"v1\",\"input\":{\"prompt\":\"hi\"}}");
    assert_string_equal(json_string_value(json_object_get(prediction, "id")), "abc");
    json_decref(prediction);
    options = (struct mimeo_prediction_options){ .model = "a b/c", .input = input };
    assert_true(mimeo_prediction_create(client, &options, &prediction, &error));
    assert_string_equal(last.path, "/v1/models/a%20b/c/predictions");
    assert_null(little_header(&last, "Prefer"));
    json_decref(prediction);
    options.version = "both";
    assert_false(mimeo_prediction_create(client, &options, &prediction, &error));
    json_decref(input);
}

static void errors_carry_the_servers_words(void **state)
{
    json_t *value = NULL;

    (void)state;
    reply("401 Unauthorized",
          "{\"title\":\"Unauthenticated\",\"detail\":\"no token\",\"status\":401}");
    assert_false(mimeo_account_get(client, &value, &error));
    assert_int_equal(error.status, 401);
    assert_string_equal(error.detail, "no token");
    reply("502 Bad Gateway", "<html>oops</html>");
    assert_false(mimeo_account_get(client, &value, &error));
    assert_int_equal(error.status, 502);
    assert_non_null(strstr(error.detail, "oops"));
    reply("200 OK", "not json");
    assert_false(mimeo_account_get(client, &value, &error));
    assert_non_null(strstr(error.detail, "not JSON"));
    reply("204 No Content", "");
    assert_true(mimeo_request(client, "DELETE", "/files/x", NULL, &value, &error));
    assert_null(value);
    assert_false(mimeo_request(client, "GET", "http://other.example/v1/x", NULL, NULL, &error));
    assert_false(mimeo_prediction_get(client, "", &value, &error));
}

static void a_server_that_is_not_there_is_said_to_be(void **state)
{
    struct mimeo_client *other = mimeo_client_new("http://127.0.0.1:9", NULL, &error);
    json_t *value = NULL;

    (void)state;
    assert_false(mimeo_account_get(other, &value, &error));
    assert_int_equal(error.status, 0);
    assert_non_null(strstr(error.detail, "http://127.0.0.1:9"));
    mimeo_client_free(other);
}

static void count(void *context, const json_t *prediction)
{
    assert_true(json_is_object(prediction));
    ++*(int *)context;
}

static void waiting_polls_and_forgives_a_busy_server(void **state)
{
    json_t *prediction = NULL;
    atomic_bool canceled = true;
    int seen = 0;

    (void)state;
    polls_until_done = 2;
    bad_answers = 1;
    assert_true(mimeo_prediction_wait(client, "polled", 10, count, &seen, &prediction, &error));
    assert_int_equal(seen, 3);
    assert_true(mimeo_prediction_is_over(prediction));
    json_decref(prediction);
    mimeo_client_set_canceled(client, &canceled);
    assert_false(mimeo_prediction_wait(client, "polled", 10, NULL, NULL, &prediction, &error));
    assert_true(error.canceled);
    mimeo_client_set_canceled(client, NULL);
}

static void read_whole(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    text[fread(text, 1, size - 1, file)] = 0;
    fclose(file);
}

static void files_go_up_and_come_down(void **state)
{
    char folder[] = "/tmp/client-test-XXXXXX", path[64], text[256], *url = NULL;
    json_t *file = NULL;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/out.png", folder);
    assert_true(mimeo_output_download(client, "data:image/png;base64,aGVsbG8=", path, &error));
    read_whole(path, text, sizeof(text));
    assert_string_equal(text, "hello");
    assert_true(mimeo_output_download(client, "data:,a%20b%2", path, &error));
    read_whole(path, text, sizeof(text));
    assert_string_equal(text, "a b%2");
    assert_false(mimeo_output_download(client, "data:image/png;base64,***", path, &error));
    assert_false(mimeo_output_download(client, "/etc/passwd", path, &error));

    reply("201 Created", "{\"id\":\"f\"}");
    assert_true(mimeo_file_upload(client, path, NULL, &file, &error));
    assert_non_null(strstr(last.body, "name=\"content\"; filename=\"out.png\""));
    assert_non_null(strstr(last.body, "Content-Type: image/png"));
    json_decref(file);
    assert_false(mimeo_file_upload(client, "/nonexistent", NULL, &file, &error));
    assert_true(mimeo_file_data_url(path, NULL, &url, &error));
    assert_string_equal(url, "data:image/png;base64,YSBiJTI=");
    free(url);

    char link[128];
    snprintf(link, sizeof(link), "%s/outputs/x.png", server.url);
    reply("200 OK", "bytes");
    assert_true(mimeo_output_download(client, link, path, &error));
    read_whole(path, text, sizeof(text));
    assert_string_equal(text, "bytes");
    reply("404 Not Found", "gone");
    assert_false(mimeo_output_download(client, link, path, &error));
    assert_int_equal(error.status, 404);
    read_whole(path, text, sizeof(text));
    assert_string_equal(text, "bytes"); /* untouched */
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* and nothing beside it */
}

static void outputs_elsewhere_do_not_get_the_token(void **state)
{
    struct mimeo_client *other = mimeo_client_new("http://127.0.0.1:9", "r8_other", &error);
    char link[128], path[] = "/tmp/client-test-XXXXXX";

    (void)state;
    close(mkstemp(path));
    snprintf(link, sizeof(link), "%s/x.png", server.url);
    reply("200 OK", "bytes");
    assert_true(mimeo_output_download(other, link, path, &error));
    assert_null(little_header(&last, "Authorization"));
    unlink(path);
    mimeo_client_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_judged),
        cmocka_unit_test(a_prediction_is_created_as_the_api_wants_it),
        cmocka_unit_test(errors_carry_the_servers_words),
        cmocka_unit_test(a_server_that_is_not_there_is_said_to_be),
        cmocka_unit_test(waiting_polls_and_forgives_a_busy_server),
        cmocka_unit_test(files_go_up_and_come_down),
        cmocka_unit_test(outputs_elsewhere_do_not_get_the_token),
    };
    return cmocka_run_group_tests_name("client", tests, set_up, tear_down);
}
