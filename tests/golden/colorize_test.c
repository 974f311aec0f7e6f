/* The model tencentarc/colorize from a picture's file to a picture's file, with seeded weights:
 * what it must keep (size, lightness, transparency, depth) and what it must say. The network itself
 * is compared in ddcolor_test.c. */
#include "golden/compare.h"
#include "golden/seeded.h"

#include <sys/stat.h>

#include "image/image.h"
#include "image/lab.h"
#include "nn/ddcolor.h"
#include "runner/job.h"
#include "runner/model.h"

extern const struct model model_colorize;

static char directory[] = "/tmp/mimeo-colorize-XXXXXX";
static void *state_of_model;

/* Seeded weights whose colors are a hundredth of what the seeds give: those would be cut off. */
static void weights_write(const char *path)
{
    struct err err = { 0 };
    struct weights *weights = NULL;
    size_t bytes = 0;
    struct keys *keys = keys_new("DDColor");
    ddcolor_keys(keys, &ddcolor_tiny);
    char *file = seeded_file(keys, &bytes);
    keys_free(keys);
    if (!weights_open_memory(file, bytes, &weights, &err))
        compare_fail(&err);
    const struct weight *norm = weights_find(weights, "refine_net.0.0.weight_u");
    const struct weight *bias = weights_find(weights, "refine_net.0.0.bias");
    for (int64_t i = 0; i < norm->count; i++) /* in `file`, which is ours */
        ((float *)(uintptr_t)norm->data)[i] *= 30;
    ((float *)(uintptr_t)bias->data)[0] = 12;
    weights_close(weights);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(file, 1, bytes, out), bytes);
    assert_int_equal(fclose(out), 0);
    free(file);
}

static int set_up(void **state)
{
    (void)state;
    char path[256];
    struct err err = { 0 };
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/ddcolor_paper_tiny.pth", directory);
    weights_write(path);
    struct model_context context = { .weights_directory = directory,
                                     .precision = "f32",
                                     .threads = 2 };
    if (!model_colorize.load(&context, &state_of_model, &err))
        compare_fail(&err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[300];
    model_colorize.unload(state_of_model);
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}

/* Predict; false with *err when the model says no. */
static bool predict(const char *input_json, const char *path, struct image *ret_image,
                    struct err *err)
{
    struct job_file_input file = { "image", path };
    char out[300];
    struct job *job = job_new_local(&model_colorize, input_json, &file, 1, directory, err);
    if (!job)
        compare_fail(err);
    bool ok = model_colorize.predict(state_of_model, job, err);
    job_free(job);
    if (!ok)
        return false;
    snprintf(out, sizeof out, "%s/out.png", directory);
    if (!image_open(out, ret_image, err))
        compare_fail(err);
    return true;
}

static struct image picture(int width, int height, int bits)
{
    struct image image = { 0 };
    struct err err = { 0 };
    if (!image_new(width, height, bits, &image, &err))
        compare_fail(&err);
    image.has_alpha = true;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            size_t at = ((size_t)y * (size_t)width + (size_t)x) * 4;
            uint32_t gray = (uint32_t)(60 + (x * 3 + y * 5) % 120), alpha = (uint32_t)(255 - y % 9);
            for (size_t c = 0; c < 4; c++)
                if (bits == 16)
                    ((uint16_t *)image.pixels)[at + c] = (uint16_t)((c < 3 ? gray : alpha) * 257);
                else
                    ((uint8_t *)image.pixels)[at + c] = (uint8_t)(c < 3 ? gray : alpha);
        }
    return image;
}

static float value_at(const struct image *image, size_t at)
{
    return image->bits == 16 ? (float)((const uint16_t *)image->pixels)[at] / 65535
                             : (float)((const uint8_t *)image->pixels)[at] / 255;
}

/* Lightness and transparency of every pixel are the source's; colors are not gray any more. */
static void check_result(const struct image *source, const struct image *result)
{
    double lightness = 0, color = 0;
    assert_int_equal(result->width, source->width);
    assert_int_equal(result->height, source->height);
    assert_int_equal(result->bits, source->bits);
    assert_true(result->has_alpha);
    assert_false(result->is_gray);
    for (size_t i = 0; i < (size_t)source->width * (size_t)source->height; i++) {
        float was[3], is[3];
        for (size_t c = 0; c < 3; c++) {
            was[c] = value_at(source, i * 4 + c);
            is[c] = value_at(result, i * 4 + c);
        }
        struct lab before = lab_from_rgb(was[0], was[1], was[2]);
        struct lab after = lab_from_rgb(is[0], is[1], is[2]);
        lightness = fmax(lightness, fabs((double)(before.lightness - after.lightness)));
        color = fmax(color, hypot((double)after.a, (double)after.b));
        assert_true(value_at(source, i * 4 + 3) == value_at(result, i * 4 + 3));
    }
    print_message("%d bits: lightness moved by %.3f at most, colors up to %.1f\n", source->bits,
                  lightness, color);
    assert_true(lightness < (source->bits == 16 ? 0.01 : 0.6)); /* rounding to levels */
    assert_true(color > 5);
}

static void test_lightness_stays(void **state)
{
    (void)state;
    for (int bits = 8; bits <= 16; bits += 8) {
        struct err err = { 0 };
        char path[300];
        struct image source = picture(bits == 8 ? 333 : 64, 201, bits), result = { 0 };
        snprintf(path, sizeof path, "%s/in.png", directory);
        if (!image_save_png(&source, path, &err) ||
            !predict("{\"model_size\": \"tiny\"}", path, &result, &err))
            compare_fail(&err);
        check_result(&source, &result);
        image_done(&source);
        image_done(&result);
    }
}

/* Give a gray picture of 16 bits colors of the same lightness. */
static void make_colored(struct image *image)
{
    uint16_t *values = image->pixels;
    for (int i = 0; i < image->width * image->height; i++, values += 4) {
        float gray = (float)values[0] / 65535, rgb[3];
        struct lab lab = { .lightness = lab_from_rgb(gray, gray, gray).lightness,
                           .a = i % 2 ? 12.0f : -9.0f,
                           .b = 11 };
        lab_to_rgb(lab, rgb);
        for (int c = 0; c < 3; c++)
            values[c] = (uint16_t)(rgb[c] * 65535 + 0.5f);
    }
}

static struct image result_of(struct image *source)
{
    struct err err = { 0 };
    struct image result = { 0 };
    char path[300];
    snprintf(path, sizeof path, "%s/in.png", directory);
    if (!image_save_png(source, path, &err) ||
        !predict("{\"model_size\": \"tiny\"}", path, &result, &err))
        compare_fail(&err);
    return result;
}

/* Colors that a picture has make no difference: only its lightness is looked at. (Each pixel is
 * turned to lightness after shrinking, or enlarging, to the network's size: 512 does neither.) */
static void test_colors_are_lost_first(void **state)
{
    (void)state;
    float most = 0;
    struct image source = picture(DDCOLOR_SIZE, DDCOLOR_SIZE, 16), gray = result_of(&source);
    make_colored(&source);
    struct image colored = result_of(&source);
    for (size_t i = 0; i < (size_t)DDCOLOR_SIZE * DDCOLOR_SIZE * 4; i++)
        most = fmaxf(most, fabsf(value_at(&gray, i) - value_at(&colored, i)));
    print_message("a picture's own colors move the result by %.5f at most\n", (double)most);
    assert_true(most < 0.002f);
    image_done(&source);
    image_done(&gray);
    image_done(&colored);
}

static void test_missing_size(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct image result = { 0 };
    assert_false(predict("{}", GOLDEN_PHOTO, &result, &err));
    assert_int_equal(err.kind, ERR_MODEL);
    assert_non_null(strstr(err.detail, "mimeo pull tencentarc/colorize --part large"));
}

static void test_not_a_picture(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct image result = { 0 };
    assert_false(
        predict("{\"model_size\": \"tiny\"}", "tests/golden/colorize_test.c", &result, &err));
    assert_int_equal(err.kind, ERR_INVALID);
}

static void test_no_weights(void **state)
{
    (void)state;
    struct err err = { 0 };
    void *loaded = NULL;
    struct model_context context = { .weights_directory = "/nonexistent",
                                     .precision = "f32",
                                     .threads = 1 };
    assert_false(model_colorize.load(&context, &loaded, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.detail, "mimeo pull tencentarc/colorize"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lightness_stays), cmocka_unit_test(test_colors_are_lost_first),
        cmocka_unit_test(test_missing_size),    cmocka_unit_test(test_not_a_picture),
        cmocka_unit_test(test_no_weights),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
