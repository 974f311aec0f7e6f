/* What manifests say of weights: what is read, what is refused, and which files count as there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "registry/registry.h"
#include "registry/weights.h"

#define SHA "6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d"

static json_t *row_make(void)
{
    return json_pack("{s:s,s:s,s:s,s:i,s:s}", "source", "npm:@a/b@1.0.0", "path", "dist/x", "file",
                     "x.bin", "size", 10, "sha256", SHA);
}

static json_t *manifest_of(json_t *row)
{
    return json_pack("{s:{s:[o]}}", "weights", "variants", row);
}

/* Takes the manifest; the error names `word`. */
static void assert_refused(json_t *manifest, const char *word)
{
    struct registry_weights *weights = NULL;
    struct err err = { 0 };

    assert_false(registry_weights_read(manifest, &weights, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    if (strstr(err.detail, word) == NULL)
        fail_msg("'%s' lacks '%s'", err.detail, word);
    assert_null(weights);
    json_decref(manifest);
}

/* Takes the value; NULL: without the key. */
static void assert_row_refused(const char *key, json_t *value)
{
    json_t *row = row_make();

    if (value != NULL)
        json_object_set_new(row, key, value);
    else
        json_object_del(row, key);
    assert_refused(manifest_of(row), key);
}

static void rows_cannot_name_paths_or_options(void **state)
{
    (void)state;
    assert_row_refused("file", json_string("../x"));
    assert_row_refused("file", json_string(".hidden"));
    assert_row_refused("file", json_string("a/b"));
    assert_row_refused("file", json_null());
    assert_row_refused("file", NULL);
    assert_row_refused("size", json_integer(0));
    assert_row_refused("size", json_integer(-5));
    assert_row_refused("size", json_string("10"));
    assert_row_refused("size", NULL);
    assert_row_refused("size", json_integer(INT64_MAX));
    assert_row_refused("size_about", json_string("x"));
    assert_row_refused("sha256", json_string("ABC"));
    assert_row_refused("sha256", json_null());
    assert_row_refused("sha256", NULL);
    assert_row_refused("path", json_string("../x"));
    assert_row_refused("path", json_string("/x"));
    assert_row_refused("path", json_string("a//b"));
    assert_row_refused("path", json_string("--x"));
    assert_row_refused("path", NULL);
    assert_row_refused("resource", json_string("/both"));
    assert_row_refused("license_url", json_string("ftp://x"));
    assert_row_refused("surprise", json_true());
    static const char *const sources[] = { "npm:--registry=x@1",
                                           "npm:@imgly/data",
                                           "npm:a/b@1",
                                           "npm:@a@1",
                                           "npm:@imgly/../../x@1",
                                           "hf:a/../b",
                                           "hf:a?b",
                                           "hf:a",
                                           "hf:a/b/c",
                                           "hf:a/b@",
                                           "hf:a/b@x/y",
                                           "github:a/b",
                                           "github:a@v1",
                                           "github:a/b@v1@v2",
                                           "github:a/b@../v1",
                                           "ftp:a/b",
                                           "" };
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        assert_row_refused("source", json_string(sources[i]));
}

static void both_sizes_or_a_folder_of_a_release_are_refused(void **state)
{
    json_t *row = row_make();

    (void)state;
    json_object_set_new(row, "size_about", json_integer(9));
    assert_refused(manifest_of(row), "size");
    row = row_make();
    json_object_set_new(row, "source", json_string("github:a/b@v1"));
    assert_refused(manifest_of(row), "path"); /* assets lie in no folders */
    row = row_make();
    json_object_set_new(row, "source", json_string("hf:a/b"));
    json_object_set_new(row, "resource", json_string("x"));
    assert_refused(manifest_of(row), "resource");
}

static json_t *part_make(const char *name)
{
    return json_pack("{s:s,s:[o]}", "name", name, "variants", row_make());
}

static void parts_are_checked(void **state)
{
    json_t *many = json_array();

    (void)state;
    assert_refused(
        json_pack("{s:{s:[o],s:[o]}}", "weights", "parts", part_make("a"), "variants", row_make()),
        "both");
    assert_refused(json_pack("{s:{s:[o,o]}}", "weights", "parts", part_make("a"), part_make("a")),
                   "weights.parts[1].name");
    assert_refused(json_pack("{s:{s:[o]}}", "weights", "parts", part_make("-a")),
                   "weights.parts[0].name");
    assert_refused(json_pack("{s:{s:[]}}", "weights", "parts"), "1 to 16");
    assert_refused(json_pack("{s:{s:[i]}}", "weights", "parts", 1), "must be a mapping");
    assert_refused(json_pack("{s:{s:[{s:s,s:[]}]}}", "weights", "parts", "name", "a", "variants"),
                   "weights.parts[0].variants");
    assert_refused(json_pack("{s:{s:[]}}", "weights", "licenses"), "variants");
    assert_refused(json_pack("{s:s}", "weights", "some"), "none");
    for (int i = 0; i <= REGISTRY_WEIGHTS_VARIANTS_MAX; i++)
        json_array_append_new(many, row_make());
    assert_refused(json_pack("{s:{s:o}}", "weights", "variants", many), "1 to 8");
    json_t *row = json_pack("{s:s,s:[]}", "source", "hf:a/b", "files");
    assert_refused(manifest_of(row), "files");
    row = row_make();
    json_object_set_new(row, "files", json_pack("[{}]"));
    assert_refused(manifest_of(row), "'path'"); /* a variant is one file or several */
}

/* A part of one file, x.bin with a checksum that ends in `last`. */
static json_t *part_with(const char *name, char last)
{
    char sha256[] = SHA;
    json_t *row = row_make();

    sha256[63] = last;
    json_object_set_new(row, "sha256", json_string(sha256));
    return json_pack("{s:s,s:[o]}", "name", name, "variants", row);
}

static void files_of_one_name_are_the_same(void **state)
{
    struct registry_weights *weights = NULL;
    json_t *same =
        json_pack("{s:{s:[o,o]}}", "weights", "parts", part_with("a", 'd'), part_with("b", 'd'));
    json_t *forms = part_with("a", 'd'), *other = part_with("b", 'e'), *row;

    (void)state;
    assert_refused(
        json_pack("{s:{s:[o,o]}}", "weights", "parts", part_with("a", 'd'), part_with("b", 'e')),
        "two different files named 'x.bin'");
    assert_true(registry_weights_read(same, &weights, NULL));
    free(weights);
    json_decref(same);
    /* Of two forms only one is installed. */
    row = json_array_get(json_object_get(other, "variants"), 0);
    json_array_append(json_object_get(forms, "variants"), row);
    json_decref(other);
    json_t *either = json_pack("{s:{s:[o]}}", "weights", "parts", forms);
    assert_true(registry_weights_read(either, &weights, NULL));
    free(weights);
    json_decref(either);
    assert_refused(
        json_loads("{\"weights\": {\"variants\": [{\"source\": \"hf:a/b\", \"files\": ["
                   "{\"path\": \"a\", \"file\": \"a\", \"size\": 5, \"sha256\": \"" SHA "\"},"
                   "{\"path\": \"b\", \"file\": \"a\", \"size\": 6, \"sha256\":"
                   " \"0000000000000000000000000000000000000000000000000000000000000000\"}]}]}}",
                   0, NULL),
        "two different files named 'a'");
}

static void a_model_may_have_none(void **state)
{
    static const char *const texts[] = { "{}", "{\"weights\": \"none\"}", "{\"weights\": null}",
                                         "{\"weights\": {}}" };
    struct registry_weights *weights;
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json_t *manifest = json_loads(texts[i], 0, NULL);
        assert_false(registry_weights_read(manifest, &weights, &err));
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        json_decref(manifest);
    }
}

static void a_manifest_with_wrong_weights_is_told(void **state)
{
    json_t *manifest = NULL;
    struct err err = { 0 };

    (void)state;
    assert_false(registry_manifest_parse(
        S("owner: a\nname: b\nweights:\n  variants:\n    - source: hf:a/b\n      url: x\n"),
        &manifest, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.detail, "line 6: "));
    assert_non_null(strstr(err.detail, "weights.variants[0]"));
}

/* ---- Which files are there ------------------------------------------------------------------- */

static void write_bytes(const char *folder, const char *file, size_t size)
{
    static const char zeros[100];
    char path[200];

    snprintf(path, sizeof(path), "%s/%s", folder, file);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fwrite(zeros, 1, size, out);
    fclose(out);
}

static void a_variant_is_there_with_all_its_files(void **state)
{
    const char *text = "{\"weights\": {\"variants\": ["
                       "{\"source\": \"npm:a@1\", \"files\": ["
                       "{\"path\": \"a\", \"file\": \"a\", \"size\": 5, \"sha256\": \"" SHA "\"},"
                       "{\"path\": \"b\", \"file\": \"b\", \"size\": 6, \"sha256\": \"" SHA "\"}]},"
                       "{\"source\": \"hf:a/b\", \"path\": \"c\", \"file\": \"c\","
                       " \"size_about\": 7, \"sha256\": \"" SHA "\"}]}}";
    char folder[] = "/tmp/registry-weights-XXXXXX";
    json_t *manifest = json_loads(text, 0, NULL);
    struct registry_weights *weights = NULL;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_true(registry_weights_read(manifest, &weights, NULL));
    const struct registry_weights_part *part = &weights->parts[0];
    assert_null(part->name);
    assert_false(part->optional);
    assert_null(registry_weights_find(part, folder, false));
    write_bytes(folder, "a", 5);
    assert_null(registry_weights_find(part, folder, false));
    write_bytes(folder, "b", 60);
    assert_ptr_equal(registry_weights_find(part, folder, false), &part->variants[0]);
    assert_null(registry_weights_find(part, folder, true)); /* b's size is wrong */
    write_bytes(folder, "c", 0);
    assert_null(registry_weights_find(part, folder, true));
    write_bytes(folder, "c", 9);
    assert_ptr_equal(registry_weights_find(part, folder, true), &part->variants[1]);
    write_bytes(folder, "b", 6);
    assert_ptr_equal(registry_weights_find(part, folder, true), &part->variants[0]);
    free(weights);
    json_decref(manifest);
    assert_true(file_remove_tree(folder, NULL));
}

/* ---- The built-in ones ----------------------------------------------------------------------- */

static const struct registry_weights_part *part_of(const struct registry_weights *weights,
                                                   const char *name)
{
    for (int i = 0; i < weights->part_count; i++)
        if (strcmp(weights->parts[i].name, name) == 0)
            return &weights->parts[i];
    fail_msg("no part %s", name);
    return NULL;
}

static const struct registry_weights_file *file_of(const struct registry_weights *weights,
                                                   const char *name)
{
    return &part_of(weights, name)->variants[0].files[0];
}

static struct registry_weights *read_model(struct registry *registry, const char *owner,
                                           const char *name)
{
    const struct registry_model *model =
        registry_model_find(registry, str_from(owner), str_from(name));
    struct registry_weights *weights = NULL;

    assert_non_null(model);
    assert_true(registry_weights_read(model->manifest, &weights, NULL));
    return weights;
}

/* real-esrgan's faces are GFPGAN's, so that a file that is here is not fetched again. */
static void models_share_the_parts_for_faces(void **state)
{
    struct registry_options options = { 0 };
    struct registry *registry = NULL;

    (void)state;
    assert_true(registry_open(&options, &registry, NULL));
    struct registry_weights *upscaler = read_model(registry, "nightmareai", "real-esrgan");
    struct registry_weights *faces = read_model(registry, "tencentarc", "gfpgan");
    static const char *const shared[][2] = { { "face-detection", "face-detection" },
                                             { "face-parsing", "face-parsing" },
                                             { "face-restoration", "v1.3" } };
    for (size_t i = 0; i < ARRAY_LEN(shared); i++) {
        const struct registry_weights_file *a = file_of(upscaler, shared[i][0]);
        const struct registry_weights_file *b = file_of(faces, shared[i][1]);
        assert_true(part_of(upscaler, shared[i][0])->optional);
        assert_string_equal(a->file, b->file);
        assert_string_equal(a->sha256, b->sha256);
        assert_int_equal(a->size, b->size);
    }
    assert_false(part_of(upscaler, "x4plus")->optional);
    assert_int_equal(part_of(upscaler, "x4plus")->variants[0].file_count, 2);
    assert_false(part_of(faces, "v1.4")->optional);
    assert_false(part_of(faces, "face-detection")->optional);
    assert_true(part_of(faces, "v1.2")->optional);
    free(upscaler);
    free(faces);
    registry_close(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_cannot_name_paths_or_options),
        cmocka_unit_test(both_sizes_or_a_folder_of_a_release_are_refused),
        cmocka_unit_test(parts_are_checked),
        cmocka_unit_test(files_of_one_name_are_the_same),
        cmocka_unit_test(a_model_may_have_none),
        cmocka_unit_test(a_manifest_with_wrong_weights_is_told),
        cmocka_unit_test(a_variant_is_there_with_all_its_files),
        cmocka_unit_test(models_share_the_parts_for_faces),
    };
    return cmocka_run_group_tests_name("registry weights", tests, NULL, NULL);
}
