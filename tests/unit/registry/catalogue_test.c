/* The built-in catalogue: every id and every request that published guides show is taken, and what
 * models show of themselves is what the public API shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/json.h"
#include "registry/registry.h"
#include "registry/validation.h"

#define PICTURE "https://example.com/picture.jpg"
#define PROMPT "a dimly lit room, (1 person)"

static int set_up(void **state)
{
    struct registry_options options = { 0 };
    struct registry *registry = NULL;

    assert_true(registry_open(&options, &registry, NULL));
    *state = registry;
    return 0;
}

static int tear_down(void **state)
{
    registry_close(*state);
    return 0;
}

/* A version as clients name it, the model it is one of, and an input that is shown for it. */
static const struct {
    const char *ref, *model, *input;
} requests[] = {
    { "1a075954106b608c3671c2583e10526216f700d846b127fcf01461e8f642fb48", "bria/remove-background",
      "{\"image\":\"data:image/png;base64,AAAA\"}" },
    { "42fed1c4974146d4d2414e2be2c5277c7fcf05fcc3a73abf41610695738c1d7b", "nightmareai/real-esrgan",
      "{\"image\":\"" PICTURE "\",\"scale\":4,\"face_enhance\":true}" },
    { "f121d640bd286e1fdc67f9799164c1d5be36ff74576ee11c803ae5b665dd46aa", "nightmareai/real-esrgan",
      "{\"image\":\"" PICTURE "\",\"scale\":2}" },
    { "9283608cc6b7be6b65a8e44983db012355fde4132009bf99d976b2f0896856a3", "tencentarc/gfpgan",
      "{\"img\":\"" PICTURE "\",\"version\":\"v1.4\",\"scale\":2}" },
    { "0fbacf7afc6c144e5be9767cff80f25aff23e52b0708f17e20f9879b2f21516c", "tencentarc/gfpgan",
      "{\"img\":\"" PICTURE "\"}" },
    { "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b", "stability-ai/sdxl",
      "{\"prompt\":\"astronaut riding a horse\",\"negative_prompt\":\"ugly, blurry\","
      "\"width\":1024,\"height\":1024,\"num_inference_steps\":50}" },
    { "7762fd07cf82c948538e41f63f77d685e02b063e37e496e96eefd46c929f9bdc", "stability-ai/sdxl",
      "{}" },
    { "95b7223104132402a9ae91cc677285bc5eb997834bd2349fa486f53910fd68b3",
      "stability-ai/stable-diffusion-inpainting",
      "{\"image\":\"" PICTURE "\",\"mask\":\"" PICTURE "\",\"prompt\":\"replace with grass\"}" },
    { "d6c6c5c57c89dff54f59b93bb9fdb5f78c1ed4fe1f5e5e4e1fb2c1d0c3c5c5c5", "tencentarc/colorize",
      "{\"image\":\"" PICTURE "\"}" },
    { "black-forest-labs/flux-schnell", "black-forest-labs/flux-schnell",
      "{\"prompt\":\"" PROMPT "\",\"go_fast\":true,\"megapixels\":\"1\",\"num_outputs\":1,"
      "\"aspect_ratio\":\"1:1\",\"output_format\":\"jpg\",\"output_quality\":80,"
      "\"num_inference_steps\":4}" },
    { "53d5d1586a229bd033e060941789bfb0c177cefd5ef638f34b3099658343a897",
      "black-forest-labs/flux-schnell", "{\"prompt\":\"" PROMPT "\"}" },
    { "dp-4d0bcc010b3049749a251855f12800be", "black-forest-labs/flux-schnell",
      "{\"prompt\":\"" PROMPT "\"}" },
    { "2a6b576af31790b470f0a8442e1e9791213fa13799cbb65a9fc1436e96389574",
      "lucataco/flux-schnell-lora",
      "{\"prompt\":\"" PROMPT "\",\"hf_lora\":\"alvdansen/frosting_lane_flux\",\"lora_scale\":0.8,"
      "\"num_outputs\":1,\"aspect_ratio\":\"1:1\",\"output_format\":\"webp\",\"output_quality\":80,"
      "\"prompt_strength\":0.8,\"num_inference_steps\":4}" },
    { "lucataco/flux-schnell-lora:2a6b576af31790b470f0a8442e1e9791213fa13799cbb65a9fc1436e96389574",
      "lucataco/flux-schnell-lora", "{\"prompt\":\"" PROMPT "\"}" },
    { "replicate/hello-world:5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa",
      "replicate/hello-world", "{\"text\":\"Alice\"}" },
    { "30e22229542eb3f79d4f945dacb58d32001b02cc313ae6f54eef27904edf3272", "replicate/canary",
      "{\"text\":\"Betty Browser\"}" },
};

static void published_requests_are_valid(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        const struct registry_version *version =
            registry_resolve(*state, str_from(requests[i].ref));
        struct validation_error *error;
        struct arena arena;
        json_t *input = NULL;

        if (!version)
            fail_msg("%s is not known", requests[i].ref);
        assert_string_equal(version->model->full_name, requests[i].model);
        assert_true(json_parse(str_from(requests[i].input), &input, NULL));
        arena_init(&arena, 1 << 20);
        error = validation_check(version->input_schema, input, "input", false, &arena);
        if (error)
            fail_msg("%s: %s: %s", requests[i].model, error->field, error->description);
        arena_done(&arena);
        json_decref(input);
    }
}

static void an_official_model_runs_a_deployment_that_is_not_listed(void **state)
{
    const struct registry_model *model =
        registry_model_find(*state, S("black-forest-labs"), S("flux-schnell"));

    assert_true(model->is_official);
    assert_string_equal(model->by_name->id, "dp-4d0bcc010b3049749a251855f12800be");
    assert_string_equal(model->versions[0].id,
                        "53d5d1586a229bd033e060941789bfb0c177cefd5ef638f34b3099658343a897");
    for (int i = 0; i < model->version_count; i++)
        assert_string_not_equal(model->versions[i].id, model->by_name->id);
    assert_ptr_equal(registry_version_find(model, S("dp-4d0bcc010b3049749a251855f12800be")),
                     model->by_name);
    assert_true(model->by_name->streams);
    assert_true(model->by_name->output_is_files);
}

static const json_t *property_of(struct registry *registry, const char *ref, const char *name)
{
    const struct registry_version *version = registry_resolve(registry, str_from(ref));

    return json_object_get(json_object_get(version->input_schema, "properties"), name);
}

static void schemas_are_the_public_ones(void **state)
{
    const struct registry_version *version =
        registry_resolve(*state, S("black-forest-labs/flux-schnell"));
    const json_t *document = version->openapi_schema;

    assert_string_equal(json_get_string(document, "openapi"), "3.0.2");
    assert_int_equal(json_get_integer(property_of(*state, "black-forest-labs/flux-schnell", "seed"),
                                      "x-order", -1),
                     4);
    assert_int_equal(
        json_array_size(json_object_get(
            property_of(*state, "black-forest-labs/flux-schnell", "aspect_ratio"), "enum")),
        11);
    assert_int_equal(
        json_get_integer(property_of(*state, "stability-ai/sdxl", "width"), "default", 0), 1024);
    assert_string_equal(
        json_get_string(property_of(*state, "tencentarc/gfpgan", "version"), "default"), "v1.4");
    assert_null(json_object_get(document, "paths"));
}

static void models_show_what_the_public_ones_show(void **state)
{
    const struct registry_model **models;
    int count;

    assert_true(registry_list(*state, &models, &count, NULL));
    assert_true(count >= 10);
    for (int i = 0; i < count; i++) {
        assert_true(strlen(models[i]->description) > 0);
        assert_true(json_array_size(models[i]->tags) > 0);
        assert_int_equal(models[i]->source, REGISTRY_BUILT_IN);
        assert_true(models[i]->version_count > 0);
    }
    free(models);
}

static void functions_name_inputs_that_exist(void **state)
{
    int count = registry_function_count(*state);

    assert_int_equal(count, 8);
    for (int i = 0; i < count; i++) {
        const struct registry_function *function = registry_function_at(*state, i);

        assert_non_null(registry_resolve(*state, str_from(function->model)));
        assert_true(json_is_object(function->defaults));
        if (function->image_input && strcmp(function->model, "bria/remove-background") != 0)
            assert_non_null(property_of(*state, function->model, function->image_input));
    }
    assert_string_equal(registry_function_find(*state, S("enhance"))->image_input, "img");
    assert_null(registry_function_find(*state, S("flux"))->image_input);
    assert_null(registry_function_find(*state, S("nothing")));
    assert_null(registry_function_at(*state, count));
}

static void collections_hold_models_that_exist(void **state)
{
    int count = registry_collection_count(*state);

    assert_true(count >= 7);
    for (int i = 0; i < count; i++) {
        const struct registry_collection *collection = registry_collection_at(*state, i);

        assert_true(strlen(collection->name) > 0 && strlen(collection->description) > 0);
        assert_non_null(collection->full_description);
        assert_true(collection->model_count > 0);
        for (int m = 0; m < collection->model_count; m++)
            assert_non_null(registry_resolve(*state, str_from(collection->models[m])));
    }
    assert_null(registry_collection_at(*state, -1));
    assert_null(registry_collection_at(*state, count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_requests_are_valid),
        cmocka_unit_test(an_official_model_runs_a_deployment_that_is_not_listed),
        cmocka_unit_test(schemas_are_the_public_ones),
        cmocka_unit_test(models_show_what_the_public_ones_show),
        cmocka_unit_test(functions_name_inputs_that_exist),
        cmocka_unit_test(collections_hold_models_that_exist),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
