/* What real_esrgan says before it needs its weights. With them: tests/golden/real_esrgan_test.c. */
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
#include "runner/model.h"

static const struct model *model(void)
{
    for (size_t i = 0; model_registry[i]; i++)
        if (strcmp(model_registry[i]->name, "real_esrgan") == 0)
            return model_registry[i];
    fail_msg("real_esrgan is not in the registry");
    return NULL;
}

static void inputs_are_those_of_the_published_model(void **state)
{
    (void)state;
    const struct model_input *inputs = model()->inputs;
    assert_string_equal(inputs[0].name, "image");
    assert_true(inputs[0].required);
    assert_string_equal(inputs[1].name, "scale");
    assert_float_equal(inputs[1].default_number, 4, 0);
    assert_float_equal(inputs[1].min, 0, 0);
    assert_float_equal(inputs[1].max, 10, 0);
    assert_string_equal(inputs[2].name, "face_enhance");
    assert_float_equal(inputs[2].default_number, 0, 0);
    assert_null(inputs[3].name);
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
    assert_string_equal(err.detail, "The weights of Real-ESRGAN are not here: run `mimeo pull "
                                    "nightmareai/real-esrgan` (for drawings `mimeo pull "
                                    "mimeo/real-esrgan-anime`).");
}

static void broken_weights_are_an_error_and_no_crash(void **state)
{
    (void)state;
    char folder[] = "/tmp/mimeo-weights-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/RealESRGAN_x4plus.pth", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("these are no weights", file);
    fclose(file);
    const struct model_context context = { .weights_directory = folder,
                                           .precision = "f32",
                                           .threads = 1 };
    void *loaded = NULL;
    struct err err = { 0 };
    assert_false(model()->load(&context, &loaded, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_null(loaded);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_are_those_of_the_published_model),
        cmocka_unit_test(missing_weights_say_what_to_type),
        cmocka_unit_test(broken_weights_are_an_error_and_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
