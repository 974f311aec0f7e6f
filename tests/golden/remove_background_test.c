/* The whole of remove_background with the published weights: every kind of picture in, the flower
 * opaque and the paper transparent out.
 *
 * The photo is the same in every test, so these places are known in it, in per mille of its size.
 */
#include "golden/golden.h"
#include "unit/image/samples.h"

#include "base/err.h"
#include "image/image.h"
#include "runner/job.h"
#include "runner/model.h"
#include "weights/weights.h"

static const int flower[][2] = { { 530, 600 }, { 240, 200 }, { 390, 130 }, { 530, 400 } };
static const int paper[][2] = { { 100, 700 }, { 900, 700 }, { 50, 50 }, { 950, 950 }, { 500, 20 } };

static const struct model *model;
static void *loaded;

static void load_from(const char *directory)
{
    const struct model_context context = { .weights_directory = directory,
                                           .precision = "f32",
                                           .threads = 2 };
    struct err err = { 0 };
    for (size_t i = 0; model_registry[i]; i++)
        if (strcmp(model_registry[i]->name, "remove_background") == 0)
            model = model_registry[i];
    assert_non_null(model);
    if (!model->load(&context, &loaded, &err))
        fail_msg("%s%s", err.detail, err.cause);
}

static void load_published(void)
{
    char directory[GOLDEN_PATH_BYTES];
    if (loaded)
        return;
    golden_weights_directory(directory);
    load_from(directory);
}

static int unload(void **state)
{
    if (loaded)
        model->unload(loaded);
    loaded = NULL;
    return samples_teardown(state);
}

static bool predict(const char *path, const char *input, struct image *ret_image, struct err *err)
{
    const struct job_file_input file = { "image", path };
    char result[SAMPLE_PATH_BYTES];
    load_published();
    struct job *job = job_new_local(model, input, &file, 1, sample_folder, err);
    assert_non_null(job);
    bool ok = model->predict(loaded, job, err);
    job_free(job);
    sample_path("output.png", result);
    if (ok && !image_open(result, ret_image, err))
        fail_msg("%s%s", err->detail, err->cause);
    return ok;
}

static struct image cut_out(const char *path, const char *input)
{
    struct image image = { 0 };
    struct err err = { 0 };
    if (!predict(path, input, &image, &err))
        fail_msg("%s: %s%s", path, err.detail, err.cause);
    assert_true(image.has_alpha);
    return image;
}

static int value_at(const struct image *image, int x, int y, size_t channel)
{
    size_t at = ((size_t)y * (size_t)image->width + (size_t)x) * 4 + channel;
    return image->bits == 16 ? ((const uint16_t *)image->pixels)[at] / 257
                             : ((const uint8_t *)image->pixels)[at];
}

static int alpha_at(const struct image *image, const int place[2])
{
    return value_at(image, place[0] * image->width / 1000, place[1] * image->height / 1000, 3);
}

static void assert_flower_stands_out(const struct image *image, int least)
{
    assert_int_equal(image->width, SAMPLE_PHOTO_WIDTH);
    assert_int_equal(image->height, SAMPLE_PHOTO_HEIGHT);
    for (size_t i = 0; i < sizeof flower / sizeof flower[0]; i++)
        assert_in_range(alpha_at(image, flower[i]), (uintmax_t)least, 255);
    for (size_t i = 0; i < sizeof paper / sizeof paper[0]; i++)
        assert_in_range(alpha_at(image, paper[i]), 0, 10);
}

static void the_flower_is_kept_and_its_colours_untouched(void **state)
{
    (void)state;
    struct image photo = { 0 }, image = cut_out(SAMPLE_PHOTO, "{}");
    struct err err = { 0 };
    assert_flower_stands_out(&image, 240);
    assert_true(image_open(SAMPLE_PHOTO, &photo, &err));
    for (int y = 0; y < image.height; y++)
        for (int x = 0; x < image.width; x++)
            for (size_t c = 0; c < 3; c++)
                assert_int_equal(value_at(&image, x, y, c), value_at(&photo, x, y, c));
    image_done(&photo);
    image_done(&image);
}

static void orientation_is_honoured(void **state)
{
    (void)state;
    char path[SAMPLE_PATH_BYTES];
    sample_turned(path);
    struct image image = cut_out(path, "{}");
    assert_flower_stands_out(&image, 240);
    image_done(&image);
}

static void gray_palette_wide_and_cmyk_pictures_work(void **state)
{
    (void)state;
    char paths[4][SAMPLE_PATH_BYTES];
    sample_space(VIPS_INTERPRETATION_B_W, "gray.png", paths[0]);
    sample_palette(paths[1]);
    sample_space(VIPS_INTERPRETATION_RGB16, "wide.png", paths[2]);
    sample_cmyk(paths[3]);
    for (int i = 0; i < 4; i++) {
        struct image image = cut_out(paths[i], "{}");
        assert_int_equal(image.bits, i == 2 ? 16 : 8);
        assert_flower_stands_out(&image, 225);
        image_done(&image);
    }
}

static void transparency_of_the_input_is_kept_unless_asked_otherwise(void **state)
{
    (void)state;
    static const char *const inputs[] = { "{}", "{\"preserve_alpha\": false}",
                                          "{\"preserve_partial_alpha\": false}" };
    char path[SAMPLE_PATH_BYTES];
    sample_alpha(128, "half.png", path);
    for (int i = 0; i < 3; i++) {
        struct image image = cut_out(path, inputs[i]);
        if (i == 0)
            for (size_t k = 0; k < sizeof flower / sizeof flower[0]; k++)
                assert_in_range(alpha_at(&image, flower[k]), 120, 128);
        else
            assert_flower_stands_out(&image, 240);
        image_done(&image);
    }
}

static void pictures_of_any_shape_keep_it(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 1, 1 }, { 4000, 2 }, { 1, 2500 } };
    for (size_t i = 0; i < 3; i++) {
        char path[SAMPLE_PATH_BYTES];
        sample_blank(sizes[i][0], sizes[i][1], "blank.png", path);
        struct image image = cut_out(path, "{}");
        assert_int_equal(image.width, sizes[i][0]);
        assert_int_equal(image.height, sizes[i][1]);
        assert_int_equal(value_at(&image, image.width - 1, image.height - 1, 2), 30);
        image_done(&image);
    }
}

static void broken_pictures_fail_the_prediction(void **state)
{
    (void)state;
    char path[SAMPLE_PATH_BYTES];
    struct image image = { 0 };
    struct err err = { 0 };
    sample_bytes("\x89PNG\r\n\x1a\n", 8, "short.png", path);
    assert_false(predict(path, "{}", &image, &err));
    assert_string_equal(err.detail, "The PNG image is broken or cut short.");
}

/* ---- RMBG-1.4's way, with the weights at hand ---- */

static void write_all(FILE *file, const void *bytes, size_t len)
{
    assert_int_equal(fwrite(bytes, 1, len, file), len);
}

/* The same network as safetensors, under the name of the other variant. */
static void convert_weights(const char *from, const char *to)
{
    struct weights *weights = NULL;
    struct err err = { 0 };
    char *header = NULL;
    size_t header_len = 0, at = 0;
    assert_true(weights_open(from, &weights, &err));
    FILE *text = open_memstream(&header, &header_len), *file = fopen(to, "wb");
    assert_true(text && file);
    for (size_t i = 0; i < weights_count(weights); i++) {
        const struct weight *weight = weights_at(weights, i);
        assert_int_equal(weight->type, WEIGHT_F16);
        fprintf(text, "%c\"%s\":{\"dtype\":\"F16\",\"shape\":[", i ? ',' : '{', weight->name);
        for (int k = 0; k < weight->rank; k++)
            fprintf(text, "%s%lld", k ? "," : "", (long long)weight->shape[k]);
        fprintf(text, "],\"data_offsets\":[%zu,%zu]}", at, at + weight->bytes);
        at += weight->bytes;
    }
    fputc('}', text);
    fclose(text);
    uint64_t length = header_len;
    write_all(file, &length, sizeof length);
    write_all(file, header, header_len);
    for (size_t i = 0; i < weights_count(weights); i++)
        write_all(file, weights_at(weights, i)->data, weights_at(weights, i)->bytes);
    assert_int_equal(fclose(file), 0);
    free(header);
    weights_close(weights);
}

static void the_other_variant_spreads_its_matte(void **state)
{
    (void)state;
    char directory[GOLDEN_PATH_BYTES], from[GOLDEN_PATH_BYTES + 16], to[SAMPLE_PATH_BYTES];
    int low = 255, high = 0;
    golden_weights_directory(directory);
    snprintf(from, sizeof from, "%s/isnet.onnx", directory);
    sample_path("rmbg-1.4.safetensors", to);
    convert_weights(from, to);
    if (loaded)
        model->unload(loaded);
    load_from(sample_folder);

    struct image image = cut_out(SAMPLE_PHOTO, "{}");
    assert_flower_stands_out(&image, 240);
    for (int y = 0; y < image.height; y++)
        for (int x = 0; x < image.width; x++) {
            int alpha = value_at(&image, x, y, 3);
            low = alpha < low ? alpha : low;
            high = alpha > high ? alpha : high;
        }
    assert_int_equal(low, 0);
    assert_int_equal(high, 255);
    image_done(&image);

    /* A matte without a span has nothing to spread. */
    sample_blank(1, 1, "one.png", to);
    image = cut_out(to, "{}");
    image_done(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_flower_is_kept_and_its_colours_untouched),
        cmocka_unit_test(orientation_is_honoured),
        cmocka_unit_test(gray_palette_wide_and_cmyk_pictures_work),
        cmocka_unit_test(transparency_of_the_input_is_kept_unless_asked_otherwise),
        cmocka_unit_test(pictures_of_any_shape_keep_it),
        cmocka_unit_test(broken_pictures_fail_the_prediction),
        cmocka_unit_test(the_other_variant_spreads_its_matte),
    };
    return cmocka_run_group_tests(tests, samples_setup, unload);
}
