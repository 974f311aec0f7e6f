/* Manifests, the join with the runner's description, schemas and resolving versions. */
#include <pthread.h>
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
#define ID_D "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
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

/* ---- Changes while it runs ---------------------------------------------------------------------
 */

static json_t *put_manifest(const char *name, const char *id)
{
    return json_pack("{s:s, s:s, s:s, s:[{s:s, s:s, s:s}]}", "owner", "alice", "name", name,
                     "visibility", "private", "versions", "id", id, "created_at",
                     "2026-01-01T00:00:00Z", "weights_folder", "alice/toy/1");
}

static void models_come_and_go_while_others_hold_them(void **state)
{
    struct fixture *fixture = *state;
    json_t *one = put_manifest("new", ID_D);
    const struct registry_model *first, *second;
    const struct registry_version *held;
    struct err err = { 0 };

    assert_true(registry_put(fixture->registry, "acc_1", one, &first, &err));
    assert_string_equal(resolve(fixture, ID_D), ID_D);
    assert_string_equal(resolve(fixture, "alice/new"), ID_D);
    held = registry_resolve(fixture->registry, S(ID_D));
    assert_int_equal(first->source, REGISTRY_PUT);
    assert_string_equal(first->account, "acc_1");
    assert_string_equal(held->weights_folder, "alice/toy/1");

    json_object_set_new(one, "description", json_string("better"));
    assert_true(registry_put(fixture->registry, "acc_1", one, &second, &err));
    assert_ptr_not_equal(first, second);
    assert_string_equal(first->description, "");
    assert_string_equal(second->description, "better");
    assert_string_equal(held->id, ID_D);
    assert_ptr_equal(held->model, first);
    assert_ptr_equal(registry_resolve(fixture->registry, S(ID_D))->model, second);

    assert_true(registry_remove(fixture->registry, "alice/new", &err));
    assert_string_equal(resolve(fixture, ID_D), "none");
    assert_string_equal(held->model->full_name, "alice/new");
    assert_false(registry_remove(fixture->registry, "alice/new", &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    json_decref(one);
}

static void what_has_a_manifest_cannot_be_put_or_removed(void **state)
{
    struct fixture *fixture = *state;
    json_t *one = put_manifest("new", ID_A);
    struct err err = { 0 };

    assert_false(registry_put(fixture->registry, "acc_1", one, NULL, &err)); /* toy's id */
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_string_equal(resolve(fixture, "alice/new"), "none");
    json_object_set_new(one, "owner", json_string("acme"));
    json_object_set_new(one, "name", json_string("toy"));
    assert_false(registry_put(fixture->registry, "acc_1", one, NULL, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_false(registry_remove(fixture->registry, "acme/toy", &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    json_object_set_new(one, "colour", json_string("red"));
    assert_false(registry_put(fixture->registry, "acc_1", one, NULL, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_string_equal(err.field, "colour");
    json_decref(one);
}

static void the_folder_is_read_again(void **state)
{
    struct fixture *fixture = *state;
    const struct registry_model *toy = registry_model_find(fixture->registry, S("acme"), S("toy"));
    json_t *one = put_manifest("new", ID_D);
    struct err err = { 0 };

    assert_true(registry_put(fixture->registry, "acc_1", one, NULL, &err));
    json_decref(one);
    put(fixture, "late.yaml", "owner: acme\nname: late\n");
    put(fixture, "collections.yaml",
        "collections:\n  mine: {name: Mine, description: My own, models: [acme/toy]}\n");
    put(fixture, "functions.yaml", "functions:\n  upscale: {model: acme/toy, image: picture}\n");
    assert_null(registry_model_find(fixture->registry, S("acme"), S("late")));
    assert_true(registry_reload(fixture->registry, &err));
    assert_non_null(registry_model_find(fixture->registry, S("acme"), S("late")));
    assert_ptr_equal(registry_model_find(fixture->registry, S("acme"), S("toy")), toy);
    assert_string_equal(resolve(fixture, ID_D), ID_D);
    assert_string_equal(registry_function_find(fixture->registry, S("upscale"))->model, "acme/toy");
    assert_string_equal(registry_function_find(fixture->registry, S("enhance"))->image_input,
                        "img");
    assert_string_equal(
        registry_collection_at(fixture->registry, registry_collection_count(fixture->registry) - 1)
            ->slug,
        "mine");

    put(fixture, "late.yaml", "owner: acme\nname: late\ncolour: red\n");
    assert_false(registry_reload(fixture->registry, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.detail, "late.yaml"));
    assert_non_null(registry_model_find(fixture->registry, S("acme"), S("late")));
}

static void broken_catalogues_say_what_and_where(void **state)
{
    static const struct {
        const char *file, *yaml, *says;
    } rows[] = {
        { "functions.yaml", "functions:\n  a: {model: acme/toy, picture: x}\n", "'picture'" },
        { "functions.yaml", "functions:\n  a:\n    model: toy\n", "line 3: 'toy' is no model's" },
        { "functions.yaml", "functions:\n  a: {}\n", "a function has no 'model'" },
        { "functions.yaml", "functions:\n  a/b: {model: acme/toy}\n", "'a/b' is no name" },
        { "functions.yaml", "- a\n", "mapping with the key 'functions'" },
        { "collections.yaml", "collections:\n  a:\n    name: A\n    description: 1\n",
          "line 4: 'description'" },
        { "collections.yaml", "collections:\n  a: {name: A, description: B, models: [1]}\n",
          "a list of strings" },
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = { 0 };

        put(fixture, rows[i].file, rows[i].yaml);
        assert_false(registry_reload(fixture->registry, &err));
        if (!strstr(err.detail, rows[i].says) || !strstr(err.detail, rows[i].file))
            fail_msg("row %zu says: %s", i, err.detail);
        put(fixture, rows[i].file,
            strstr(rows[i].file, "func") ? "functions: {}\n" : "collections: {}\n");
    }
}

static void prices_tags_and_training_are_read(void **state)
{
    struct fixture *fixture = *state;
    const struct registry_model *model;
    const struct registry_version *version;

    put(fixture, "rich.yaml",
        "owner: acme\nname: rich\nhardware: gpu-t4\ntags: [a, b]\nstreams: false\n"
        "price: {per_second: 0.000225, per_image: 0.003, per_run: 2}\n"
        "train: {input: {properties: {images: {type: string, format: uri}}}}\n"
        "schema: {input: {}, output: {type: array, items: {type: string, format: uri}}}\n"
        "versions:\n  - id: " ID_D "\n    created_at: 2024-01-01\n");
    assert_true(registry_reload(fixture->registry, NULL));
    model = registry_model_find(fixture->registry, S("acme"), S("rich"));
    version = &model->versions[0];
    assert_int_equal(model->price.per_second_microusd, 225);
    assert_int_equal(model->price.per_image_microusd, 3000);
    assert_int_equal(model->price.per_run_microusd, 2000000);
    assert_string_equal(model->hardware, "gpu-t4");
    assert_int_equal(json_array_size(model->tags), 2);
    assert_int_equal(model->source, REGISTRY_FOLDER);
    assert_null(model->account);
    assert_false(version->streams);
    assert_true(version->output_is_files);
    assert_true(version->trainable);
    assert_non_null(
        json_object_get(json_object_get(version->training_schema, "properties"), "images"));
    model = registry_model_find(fixture->registry, S("acme"), S("toy"));
    assert_string_equal(model->hardware, "cpu");
    assert_int_equal(json_array_size(model->tags), 0);
    assert_int_equal(model->price.per_run_microusd, 0);
    assert_true(model->versions[0].streams);
    assert_true(model->versions[0].output_is_files);
    assert_false(model->versions[0].trainable);
}

/* ---- Many threads -----------------------------------------------------------------------------
 */

static void *look_up(void *context)
{
    struct registry *registry = context;

    for (int i = 0; i < 2000; i++) {
        const struct registry_version *version = registry_resolve(registry, S(ID_D));
        const struct registry_model **models = NULL;
        int count = 0;

        if (version && strcmp(version->model->full_name, "alice/new") != 0)
            return "a version of another model";
        if (!registry_list(registry, &models, &count, NULL) || count < 9)
            return "a list too short";
        free(models);
    }
    return NULL;
}

static void lookups_go_on_during_changes(void **state)
{
    struct fixture *fixture = *state;
    json_t *one = put_manifest("new", ID_D);
    pthread_t threads[2];
    void *wrong = NULL;

    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_up, fixture->registry), 0);
    for (int i = 0; i < 200; i++) {
        assert_true(registry_put(fixture->registry, "acc_1", one, NULL, NULL));
        if (i % 3 == 0)
            assert_true(registry_remove(fixture->registry, "alice/new", NULL));
        if (i % 20 == 0)
            assert_true(registry_reload(fixture->registry, NULL));
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    json_decref(one);
}

/* ---- Search ------------------------------------------------------------------------------------
 */

/* Full names, best first, with a space behind each. */
static void check_search(struct fixture *fixture, const char *query, const char *account, int limit,
                         const char *expected)
{
    const struct registry_model **models = NULL;
    double *scores = NULL;
    char names[1024] = "";
    int count = 0;

    assert_true(
        registry_search(fixture->registry, query, account, limit, &models, &scores, &count, NULL));
    for (int i = 0; i < count; i++) {
        assert_true(scores[i] > 0 && scores[i] <= 1 && (i == 0 || scores[i] <= scores[i - 1]));
        if (strncmp(models[i]->full_name, "zz", 2) == 0) /* not what is built in */
            snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s ",
                     models[i]->full_name);
    }
    assert_string_equal(names, expected);
    free(models);
    free(scores);
}

static void search_ranks_by_where_words_stand(void **state)
{
    struct fixture *fixture = *state;
    json_t *mine =
        json_pack("{s:s, s:s, s:s}", "owner", "zz", "name", "qwop-mine", "visibility", "private");
    char longest[600];
    const struct registry_model **models;
    double *scores;
    int count;
    struct err err = { 0 };

    put(fixture, "1.yaml", "owner: zz\nname: other\ndescription: About QWOP and more\n");
    put(fixture, "2.yaml", "owner: zz\nname: tagged\ntags: [qwop]\ndescription: More\n");
    put(fixture, "3.yaml", "owner: zz\nname: qwop-large\n");
    put(fixture, "4.yaml", "owner: zz\nname: qwop\n");
    put(fixture, "5.yaml", "owner: zz\nname: my-qwop\nrun_count: 5\n");
    put(fixture, "6.yaml", "owner: zz\nname: a-qwop\n");
    assert_true(registry_reload(fixture->registry, NULL));
    assert_true(registry_put(fixture->registry, "acc_1", mine, NULL, NULL));
    check_search(fixture, "qwop", NULL, 50,
                 "zz/qwop zz/qwop-large zz/my-qwop zz/a-qwop zz/tagged zz/other ");
    check_search(fixture, "  QwOp ", NULL, 2, "zz/qwop zz/qwop-large ");
    check_search(fixture, "qwop more", NULL, 50, "zz/tagged zz/other ");
    check_search(fixture, "zz/my-qwop", NULL, 50, "zz/my-qwop ");
    check_search(fixture, "qwop-mine", NULL, 50, "");
    check_search(fixture, "qwop-mine", "acc_2", 50, "");
    check_search(fixture, "qwop-mine", "acc_1", 50, "zz/qwop-mine ");
    check_search(fixture, "qwop nowhere", NULL, 50, "");
    check_search(fixture, "", NULL, 50, "");
    check_search(fixture, " \t\n", NULL, 50, "");
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_false(
        registry_search(fixture->registry, longest, NULL, 9, &models, &scores, &count, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    json_decref(mine);
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
        cmocka_unit_test_setup_teardown(models_come_and_go_while_others_hold_them, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_has_a_manifest_cannot_be_put_or_removed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_folder_is_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_catalogues_say_what_and_where, set_up, tear_down),
        cmocka_unit_test_setup_teardown(prices_tags_and_training_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lookups_go_on_during_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(search_ranks_by_where_words_stand, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
