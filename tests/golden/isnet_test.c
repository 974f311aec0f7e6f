/* IS-Net with the published weights against ONNX Runtime (tests/reference/isnet_onnxruntime.mjs).
 *
 * Measured with AVX-512: 4e-6 in f32 and 1.7e-2 in bf16. The limits leave room for the order of
 * summation of other instruction sets; 3e-2 is 8 levels of 255. */
#include "golden/golden.h"

#include <math.h>

#include "base/err.h"
#include "engine/engine.h"
#include "image/image.h"
#include "image/resize.h"
#include "nn/isnet.h"
#include "weights/weights.h"

#define PIXELS ((size_t)ISNET_SIZE * ISNET_SIZE)
#define GRID 64  /* values per side, every 16th from 8 */
#define CROP 128 /* values per side, from row 128, column 512 */

static float *input_of_photo(void)
{
    struct image image = { 0 };
    struct resize *resize = NULL;
    struct err err = { 0 };
    float *input = malloc(3 * PIXELS * sizeof *input);
    assert_non_null(input);
    if (!image_open(GOLDEN_PHOTO, &image, &err))
        fail_msg("%s%s", err.detail, err.cause);
    assert_true(resize_new((struct resize_size){ image.width, image.height },
                           (struct resize_size){ ISNET_SIZE, ISNET_SIZE }, &resize, &err));
    for (int y = 0; y < ISNET_SIZE; y++) {
        float *row = input + (size_t)y * ISNET_SIZE;
        resize_image_row(resize, &image, y, row, row + PIXELS, row + 2 * PIXELS);
    }
    for (size_t i = 0; i < 3 * PIXELS; i++)
        input[i] = (input[i] - 128.0f) / 256.0f;
    resize_free(resize);
    image_done(&image);
    return input;
}

/* The matte, or NULL when the machine cannot compute with that precision. */
static float *matte_of_photo(enum engine_precision precision)
{
    char path[GOLDEN_PATH_BYTES], file[GOLDEN_PATH_BYTES + 16];
    struct engine_options options = { .threads = 2, .precision = precision };
    struct engine *engine = NULL;
    struct weights *weights = NULL;
    struct isnet *isnet = NULL;
    struct err err = { 0 };
    golden_weights_directory(path);
    snprintf(file, sizeof file, "%s/isnet.onnx", path);
    if (!engine_new(&options, &engine, &err)) {
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
        return NULL;
    }
    float *input = input_of_photo(), *matte = malloc(PIXELS * sizeof *matte);
    assert_non_null(matte);
    if (!weights_open(file, &weights, &err) || !isnet_new(engine, weights, &isnet, &err))
        fail_msg("%s%s", err.detail, err.cause);
    weights_close(weights);
    if (!isnet_matte(isnet, input, matte, NULL, NULL, &err))
        fail_msg("%s%s", err.detail, err.cause);
    isnet_free(isnet);
    engine_free(engine);
    free(input);
    return matte;
}

static double difference_from_reference(const float *matte)
{
    static float expected[GRID * GRID + CROP * CROP];
    FILE *file = fopen("tests/golden/isnet.f32", "rb");
    double worst = 0;
    size_t at = 0;
    assert_non_null(file);
    assert_int_equal(fread(expected, 1, sizeof expected, file), sizeof expected);
    fclose(file);
    for (size_t y = 8; y < ISNET_SIZE; y += ISNET_SIZE / GRID)
        for (size_t x = 8; x < ISNET_SIZE; x += ISNET_SIZE / GRID)
            worst = fmax(worst, fabs((double)matte[y * ISNET_SIZE + x] - (double)expected[at++]));
    for (size_t y = 128; y < 128 + CROP; y++)
        for (size_t x = 512; x < 512 + CROP; x++)
            worst = fmax(worst, fabs((double)matte[y * ISNET_SIZE + x] - (double)expected[at++]));
    print_message("largest difference: %.2e\n", worst);
    return worst;
}

static void isnet_in_f32_is_what_onnxruntime_computes(void **state)
{
    (void)state;
    float *matte = matte_of_photo(ENGINE_F32);
    assert_non_null(matte);
    assert_true(difference_from_reference(matte) <= 1e-4);
    free(matte);
}

static void isnet_in_bf16_is_close_to_onnxruntime(void **state)
{
    (void)state;
    float *matte = matte_of_photo(ENGINE_BF16);
    if (!matte) {
        print_message("this machine does not compute in bf16\n");
        skip();
    }
    assert_true(difference_from_reference(matte) <= 3e-2);
    free(matte);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(isnet_in_f32_is_what_onnxruntime_computes),
        cmocka_unit_test(isnet_in_bf16_is_close_to_onnxruntime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
