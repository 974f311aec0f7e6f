/* Manifests, the join with the runner's description, schemas and resolving versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "registry/registry.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define ID_DP "dp-0123456789abcdef0123456789abcdef"

static const char describe[] =
    "{\"protocol\":1,\"models\":[{\"name\":\"toy\",\"streams\":false,"
    "\"input\":{\"type\":\"object\",\"required\":[\"image\"],\"properties\":{"
    "\"image\":{\"type\":\"string\",\"format\":\"uri\"},"
    "\"image_size\":{\"type\":\"string\",\"enum\":[\"1\",\"2\"],\"default\":\"1\"}}},"
    "\"output\":{\"type\":\"string\",\"format\":\"uri\"}}]}";

static const char manifest[] = "owner: acme\n"
                               "name: toy\n"
                               "model: toy\n"
                               "aliases: [" ID_C "]\n"
                               "versions:\n"
                               "  - id: " ID_A "\n"
                               "    created_at: 2024-01-01T00:00:00Z\n"
                               "  - id: " ID_B "\n"
                               "    created_at: 2025-01-01T00:00:00Z\n"
                               "    aliases: [" ID_DP "]\n";

struct fixture {
    char folder[64];
    struct registry *registry;
};

static void put(struct fixture *fixture, const char *name, const char *text)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
    assert_true(file_write_atomic(path, str_from(text), 0600, NULL));
}

static bool reopen(struct fixture *fixture, struct err *err)
{
    struct registry_options options = { fixture->folder, describe };

    registry_close(fixture->registry);
    fixture->registry = NULL;
    return registry_open(&options, &fixture->registry, err);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/mimeo-registry-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    put(fixture, "toy.yaml", manifest);
    assert_true(reopen(fixture, NULL));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    registry_close(fixture->registry);
    file_remove_tree(fixture->folder, NULL);
    free(fixture);
    return 0;
}

static const char *resolve(struct fixture *fixture, const char *ref)
{
    const struct registry_version *version = registry_resolve(fixture->registry, str_from(ref));

    return version ? version->id : "none";
}

static void versions_are_found_by_every_form(void **state)
{
    assert_string_equal(resolve(*state, ID_A), ID_A);
    assert_string_equal(resolve(*state, "acme/toy:" ID_A), ID_A);
    assert_string_equal(resolve(*state, "acme/toy"), ID_B);
    assert_string_equal(resolve(*state, ID_DP), ID_B);
    assert_string_equal(resolve(*state, ID_C), ID_B);
    assert_string_equal(resolve(*state, "acme/toy:" ID_C), ID_B);
    assert_string_equal(resolve(*state, "acme/toy:latest"), "none");
    assert_string_equal(resolve(*state, "acme/toy:"), "none");
    assert_string_equal(resolve(*state, "acme/other"), "none");
    assert_string_equal(resolve(*state, ""), "none");
    assert_string_equal(resolve(*state, "/"), "none");
    assert_string_equal(resolve(*state, "toy"), "none");
}

static void documents_have_cogs_form(void **state)
{
    struct fixture *fixture = *state;
    const struct registry_model *model =
        registry_model_find(fixture->registry, S("acme"), S("toy"));
    const json_t *schemas, *size;

    assert_non_null(model);
    assert_int_equal(model->version_count, 2);
    assert_string_equal(model->versions[0].id, ID_B);
    assert_string_equal(model->created_at, "2024-01-01T00:00:00Z");
    assert_ptr_equal(model->versions[0].model, model);
    schemas = json_object_get(json_object_get(model->versions[0].openapi_schema, "components"),
                              "schemas");
    for (const char *const *name =
             (const char *const[]){ "Input", "Output", "Status", "WebhookEvent", "ValidationError",
                                    "PredictionRequest", "PredictionResponse",
                                    "HTTPValidationError", NULL };
         *name; name++)
        assert_non_null(json_object_get(schemas, *name));
    size = json_object_get(json_object_get(json_object_get(schemas, "Input"), "properties"),
                           "image_size");
    assert_int_equal(json_get_integer(size, "x-order", -1), 1);
    assert_string_equal(json_get_string(json_array_get(json_object_get(size, "allOf"), 0), "$ref"),
                        "#/components/schemas/image_size");
    assert_null(json_object_get(model->versions[0].openapi_schema, "paths"));
    /* Flattened again, the enum stands with the property. */
    size = json_object_get(json_object_get(model->versions[0].input_schema, "properties"),
                           "image_size");
    assert_int_equal(json_array_size(json_object_get(size, "enum")), 2);
    assert_null(json_object_get(size, "allOf"));
    assert_string_equal(json_get_string(size, "default"), "1");
}

static void a_model_without_runner_is_listed_still(void **state)
{
    struct fixture *fixture = *state;
    const struct registry_model *model;

    put(fixture, "other.yaml",
        "owner: acme\nname: other\nmodel: nobody\nversions:\n  - id: "
        "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd\n"
        "    created_at: 2026-01-01T00:00:00Z\n");
    assert_true(reopen(fixture, NULL));
    model = registry_model_find(fixture->registry, S("acme"), S("other"));
    assert_non_null(model);
    assert_null(model->native_model);
    assert_non_null(model->versions[0].input_schema);
}

static void a_users_schema_wins(void **state)
{
    struct fixture *fixture = *state;
    const struct registry_model *model;

    put(fixture, "toy.yaml",
        "owner: acme\nname: toy\nversions:\n  - id: " ID_A "\n    created_at: 2024-01-01\n"
        "schema:\n  input:\n    properties:\n      n: {type: integer}\n"
        "  output: {type: array, items: {type: string}, x-cog-array-type: iterator}\n");
    assert_true(reopen(fixture, NULL));
    model = registry_model_find(fixture->registry, S("acme"), S("toy"));
    assert_int_equal(model->version_count, 1);
    assert_true(model->versions[0].streams);
    assert_non_null(
        json_object_get(json_object_get(model->versions[0].input_schema, "properties"), "n"));
}

static void broken_manifests_say_what_and_where(void **state)
{
    static const struct {
        const char *yaml, *says;
    } rows[] = {
        { "owner: a\nname: b\ncolour: red\n", "line 3: unknown key 'colour'" },
        { "owner: a\n", "has no 'name'" },
        { "owner: a\nname: b/c\n", "letters, digits" },
        { "owner: a\nname: b\nvisibility: secret\n", "line 3: 'visibility' cannot be 'secret'" },
        { "owner: a\nname: b\nrun_count: many\n", "line 3: 'run_count'" },
        { "owner: a\nname: b\nversions:\n  - id: abc\n    created_at: 2024-01-01\n",
          "no version id" },
        { "owner: a\nname: b\nversions: 3\n", "must be a list" },
        { "owner: a\nname: b\nversions:\n  - id: " ID_C "\n    created_at: soon\n", "RFC 3339" },
        { "- a\n", "must be a mapping" },
        { "owner: a\nname: b\nschema: {components: {schemas: {Input: {$ref: "
          "'#/components/schemas/Input'}}}}\nversions:\n  - id: " ID_A
          "\n    created_at: 2024-01-01\n",
          "refers to itself" },
        { "owner: a\nname: b\nversions:\n  - id: " ID_A "\n    created_at: 2024-01-01\n",
          "share the version id" },
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = { 0 };

        put(fixture, "broken.yaml", rows[i].yaml);
        assert_false(reopen(fixture, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        if (!strstr(err.detail, rows[i].says))
            fail_msg("row %zu says: %s", i, err.detail);
    }
}

static void a_broken_file_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct err err = { 0 };

    put(fixture, "broken.yaml", "owner: [\n");
    assert_false(reopen(fixture, &err));
    assert_non_null(strstr(err.detail, "broken.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(versions_are_found_by_every_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(documents_have_cogs_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_model_without_runner_is_listed_still, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_users_schema_wins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_manifests_say_what_and_where, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_file_is_named, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
