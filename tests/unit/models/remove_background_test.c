/* What remove_background says before it needs its weights. With them: tests/golden. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model *model(void)
{
    for (size_t i = 0; model_registry[i]; i++)
        if (strcmp(model_registry[i]->name, "remove_background") == 0)
            return model_registry[i];
    fail_msg("remove_background is not in the registry");
    return NULL;
}

static void inputs_are_those_of_the_published_model(void **state)
{
    (void)state;
    static const char *const names[] = { "image", "image_url", "preserve_alpha",
                                         "preserve_partial_alpha", "content_moderation" };
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(model()->inputs[i].name, names[i]);
        assert_false(model()->inputs[i].required);
    }
    assert_null(model()->inputs[5].name);
    assert_int_equal(model()->output, OUTPUT_FILE);
}

static void missing_weights_say_what_to_type(void **state)
{
    (void)state;
    const struct model_context context = { .weights_directory = "/nonexistent",
                                           .precision = "f32",
                                           .threads = 1 };
    void *loaded = NULL;
    struct err err = { 0 };
    assert_false(model()->load(&context, &loaded, &err));
    assert_null(loaded);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_string_equal(err.detail, "The weights of bria/remove-background are not here: run "
                                    "`mimeo pull bria/remove-background`.");
}

static void broken_weights_are_an_error_and_no_crash(void **state)
{
    (void)state;
    char folder[] = "/tmp/mimeo-weights-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/isnet.onnx", folder);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("\x08\x08 not weights", file);
    fclose(file);
    const struct model_context context = { .weights_directory = folder,
                                           .precision = "f32",
                                           .threads = 1 };
    void *loaded = NULL;
    struct err err = { 0 };
    assert_false(model()->load(&context, &loaded, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    unlink(path);
    rmdir(folder);
}

static void fails_with(const char *input, const char *words)
{
    struct err err = { 0 };
    struct job *job = job_new_local(model(), input, NULL, 0, "/tmp", &err);
    assert_non_null(job);
    assert_false(model()->predict(NULL, job, &err)); /* fails before it looks at its state */
    assert_int_equal(err.kind, ERR_MODEL);
    if (!strstr(err.detail, words))
        fail_msg("\"%s\" does not say \"%s\"", err.detail, words);
    job_free(job);
}

static void no_image_fails_the_prediction(void **state)
{
    (void)state;
    fails_with("{}", "either `image` or `image_url`");
}

static void moderation_is_not_pretended(void **state)
{
    (void)state;
    fails_with("{\"content_moderation\": true}", "no moderation model");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_are_those_of_the_published_model),
        cmocka_unit_test(missing_weights_say_what_to_type),
        cmocka_unit_test(broken_weights_are_an_error_and_no_crash),
        cmocka_unit_test(no_image_fails_the_prediction),
        cmocka_unit_test(moderation_is_not_pretended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
