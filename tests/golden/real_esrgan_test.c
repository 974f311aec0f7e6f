/* The whole of real_esrgan with published weights, the network for drawings (the other one takes
 * four times as long): kinds of pictures, scales, and what it says no to. Its arithmetic against
 * basicsr's is upscalers_test.c. */
#include "golden/compare.h"
#include "unit/image/samples.h"

#include "image/image.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model *model;
static void *loaded;

static void load_published(void)
{
    char directory[GOLDEN_PATH_BYTES];
    const char *root = getenv("MIMEO_WEIGHTS");
    struct err err = { 0 };
    if (loaded)
        return;
    for (size_t i = 0; model_registry[i]; i++)
        if (strcmp(model_registry[i]->name, "real_esrgan") == 0)
            model = model_registry[i];
    assert_non_null(model);
    snprintf(directory, sizeof directory, "%s/mimeo/real-esrgan-anime",
             root ? root : ".mimeo/weights");
    const struct model_context context = { .weights_directory = directory,
                                           .precision = "f32",
                                           .threads = 2 };
    if (!model->load(&context, &loaded, &err))
        compare_fail(&err);
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
        compare_fail(err);
    return ok;
}

/* The middle of the photo, as a picture of that kind. */
static struct image part_of_photo(int bits, bool has_alpha, bool is_gray)
{
    struct image photo, part;
    struct err err = { 0 };
    assert_true(image_open(SAMPLE_PHOTO, &photo, &err) && image_new(40, 36, bits, &part, &err));
    part.has_alpha = has_alpha;
    part.is_gray = is_gray;
    for (int y = 0; y < part.height; y++)
        for (int x = 0; x < part.width; x++)
            for (int c = 0; c < 4; c++) {
                size_t from = ((size_t)(y + 120) * (size_t)photo.width + (size_t)x + 90) * 4;
                size_t to = ((size_t)y * (size_t)part.width + (size_t)x) * 4 + (size_t)c;
                int value = ((const uint8_t *)photo.pixels)[from + (is_gray ? 1 : (size_t)c)];
                if (c == 3)
                    value = has_alpha && x < 20 ? 0 : 255;
                if (bits == 16)
                    ((uint16_t *)part.pixels)[to] = (uint16_t)(value * 257);
                else
                    ((uint8_t *)part.pixels)[to] = (uint8_t)value;
            }
    image_done(&photo);
    return part;
}

static int value_at(const struct image *image, int x, int y, int channel)
{
    size_t at = ((size_t)y * (size_t)image->width + (size_t)x) * 4 + (size_t)channel;
    return image->bits == 16 ? ((const uint16_t *)image->pixels)[at] / 257
                             : ((const uint8_t *)image->pixels)[at];
}

/* How far the enlarged picture's colours are from those of the pixels that they came from, or, as a
 * measure of what that means, from those of the mirrored picture. */
static double mean_difference(const struct image *small, const struct image *large, bool mirrored)
{
    double sum = 0;
    for (int y = 0; y < small->height; y++)
        for (int x = 0; x < small->width; x++)
            for (int c = 0; c < 3; c++)
                sum += abs(value_at(small, mirrored ? small->width - 1 - x : x, y, c) -
                           value_at(large, (2 * x + 1) * large->width / (2 * small->width),
                                    (2 * y + 1) * large->height / (2 * small->height), c));
    return sum / (3.0 * small->width * small->height);
}

static void every_kind_of_picture_is_enlarged(void **state)
{
    (void)state;
    char path[SAMPLE_PATH_BYTES];
    for (int kind = 0; kind < (COMPARE_SANITIZED ? 2 : 8); kind++) {
        struct image small = part_of_photo(kind & 1 ? 16 : 8, kind & 2, kind & 4), large = { 0 };
        struct err err = { 0 };
        sample_path("part.png", path);
        assert_true(image_save_png(&small, path, &err));
        if (!predict(path, kind & 1 ? "{\"scale\": 2.5}" : "{}", &large, &err))
            compare_fail(&err);
        assert_int_equal(large.width, kind & 1 ? 100 : 160);
        assert_int_equal(large.height, kind & 1 ? 90 : 144);
        assert_int_equal(large.bits, small.bits);
        assert_int_equal(large.has_alpha, small.has_alpha);
        assert_int_equal(large.is_gray, small.is_gray);
        double off = mean_difference(&small, &large, false);
        double mirrored = mean_difference(&small, &large, true);
        print_message("%d bits: off by %.1f, by %.1f mirrored\n", small.bits, off, mirrored);
        assert_true(off < 20 && off < mirrored / 2);
        if (small.has_alpha) {
            assert_in_range(value_at(&large, 5, 5, 3), 0, 3);
            assert_in_range(value_at(&large, large.width - 5, 5, 3), 252, 255);
        }
        image_done(&small);
        image_done(&large);
    }
}

static void assert_says(const char *path, const char *input, const char *detail)
{
    struct image image = { 0 };
    struct err err = { 0 };
    assert_false(predict(path, input, &image, &err));
    assert_string_equal(err.detail, detail);
    assert_null(image.pixels);
}

static void what_cannot_be_done_is_said(void **state)
{
    (void)state;
    char path[SAMPLE_PATH_BYTES];
    sample_blank(30, 20, "blank.png", path);
    assert_says(path, "{\"scale\": 0}",
                "At scale 0 nothing is left of an image of 30 x 20 pixels: each side must have at "
                "least 1 pixel.");
    assert_says(path, "{\"face_enhance\": true}",
                "face_enhance needs more weights: run `mimeo pull nightmareai/real-esrgan --part "
                "face-detection --part face-parsing --part face-restoration`.");
    sample_bytes("\x89PNG\r\n\x1a\n", 8, "short.png", path);
    assert_says(path, "{}", "The PNG image is broken or cut short.");
    sample_blank(6000, 4000, "large.png", path);
    assert_says(path, "{}",
                "The result would be too large: 24000 x 16000 pixels, where at most 200 megapixels "
                "can be made; choose a smaller scale.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_picture_is_enlarged),
        cmocka_unit_test(what_cannot_be_done_is_said),
    };
    return cmocka_run_group_tests(tests, samples_setup, unload);
}
