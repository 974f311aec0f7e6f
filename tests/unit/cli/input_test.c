/* The words after -i, by the schema's types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "cli/input.h"
#include "unit/little_server.h"

static const char schema[] =
    "{\"openapi_schema\":{\"components\":{\"schemas\":{\"Input\":{\"properties\":{"
    "\"prompt\":{\"type\":\"string\"},\"image\":{\"type\":\"string\",\"format\":\"uri\"},"
    "\"steps\":{\"type\":\"integer\"},\"strength\":{\"type\":\"number\"},"
    "\"fast\":{\"type\":\"boolean\"},\"extra\":{\"type\":\"object\"},"
    "\"size\":{\"allOf\":[{\"$ref\":\"#/components/schemas/size\"}]},"
    "\"images\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
    "\"counts\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}}},"
    "\"size\":{\"type\":\"integer\",\"enum\":[1,2]}}}}}";

static json_t *version;
static struct err err;
static int uploads;

static int set_up(void **state)
{
    (void)state;
    version = json_loads(schema, 0, NULL);
    return version == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(version);
    return 0;
}

static void assert_input(const char *const *words, int count, const char *expected)
{
    json_t *input = NULL, *wanted = json_loads(expected, 0, NULL);

    memset(&err, 0, sizeof(err));
    if (!input_build(NULL, version, words, count, &input, &err))
        fail_msg("%s", err.detail);
    if (!json_equal(input, wanted))
        fail_msg("%s is not %s", json_dumps(input, JSON_SORT_KEYS), expected);
    json_decref(input);
    json_decref(wanted);
}

static void assert_refused(const char *word, const char *part)
{
    json_t *input = NULL;

    memset(&err, 0, sizeof(err));
    assert_false(input_build(NULL, version, &word, 1, &input, &err));
    assert_null(input);
    if (strstr(err.detail, part) == NULL)
        fail_msg("'%s' lacks '%s'", err.detail, part);
}

static void types_come_from_the_schema(void **state)
{
    const char *const words[] = { "prompt=a=b", "steps=-3", "strength=0.5",
                                  "fast=true",  "size=2",   "extra={\"a\":[1]}" };
    const char *const lists[] = { "images=a", "images=b", "counts=[1,2]" };
    const char *const texts[] = { "prompt=@@home", "image=https://x/y.png" };

    (void)state;
    assert_input(words, 6,
                 "{\"prompt\":\"a=b\",\"steps\":-3,\"strength\":0.5,\"fast\":true,"
                 "\"size\":2,\"extra\":{\"a\":[1]}}");
    assert_input(lists, 3, "{\"images\":[\"a\",\"b\"],\"counts\":[1,2]}");
    assert_input(texts, 2, "{\"prompt\":\"@home\",\"image\":\"https://x/y.png\"}");
    assert_input(NULL, 0, "{}");
}

static void mistakes_are_named(void **state)
{
    (void)state;
    assert_refused("prompt", "key=value");
    assert_refused("=x", "key=value");
    assert_refused("promt=x", "no input 'promt'; it has prompt, image");
    assert_refused("steps=1.5", "'steps' must be an integer, not '1.5'");
    assert_refused("strength=", "'strength' must be a number");
    assert_refused("strength=nan", "finite");
    assert_refused("fast=1", "'fast' must be true or false");
    assert_refused("extra={", "");
    assert_refused("counts=x", "'counts' must be an integer");
    assert_refused("prompt=\xff", "not UTF-8");
    assert_refused("image=@/nonexistent", "cannot read '/nonexistent'");
    assert_refused("image=@/", "is not a file");
}

static void without_a_schema_everything_is_text(void **state)
{
    const char *const words[] = { "steps=3" };
    json_t *none = json_object(), *input = NULL;

    (void)state;
    assert_true(input_build(NULL, none, words, 1, &input, &err));
    assert_string_equal(json_string_value(json_object_get(input, "steps")), "3");
    json_decref(input);
    json_decref(none);
}

static void on_upload(void *context, struct little_request *request)
{
    static const char file[] = "{\"urls\":{\"get\":\"http://server/v1/files/abc\"}}";

    (void)context;
    uploads++;
    little_answer(request, "201 Created", "", file, sizeof(file) - 1);
}

static void small_files_are_inlined_and_large_ones_uploaded(void **state)
{
    char path[] = "/tmp/input-test-XXXXXX", word[64];
    const char *words[] = { word };
    struct little_server server;
    struct mimeo_error error;
    json_t *input = NULL;
    int fd = mkstemp(path);

    (void)state;
    little_start(&server, on_upload, NULL);
    struct mimeo_client *client = mimeo_client_new(server.url, NULL, &error);
    snprintf(word, sizeof(word), "image=@%s", path);
    assert_int_equal(write(fd, "hello", 5), 5);
    assert_true(input_build(client, version, words, 1, &input, &err));
    assert_string_equal(json_string_value(json_object_get(input, "image")),
                        "data:application/octet-stream;base64,aGVsbG8=");
    json_decref(input);
    assert_int_equal(ftruncate(fd, INPUT_INLINE_BYTES_MAX), 0);
    assert_true(input_build(client, version, words, 1, &input, &err));
    assert_string_equal(json_string_value(json_object_get(input, "image")),
                        "http://server/v1/files/abc");
    assert_int_equal(uploads, 1);
    json_decref(input);
    mimeo_client_free(client);
    little_stop(&server);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_come_from_the_schema),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(without_a_schema_everything_is_text),
        cmocka_unit_test(small_files_are_inlined_and_large_ones_uploaded),
    };
    return cmocka_run_group_tests_name("cli/input", tests, set_up, tear_down);
}
