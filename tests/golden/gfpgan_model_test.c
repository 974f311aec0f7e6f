/* The whole of tencentarc/gfpgan with seeded weights under the published names. They see no faces,
 * so the detector's heads are set to say of every picture that there is one face in the place of
 * `eyes`; everything else is computed. What the networks make of it is checked elsewhere, number by
 * number. */
#include "golden/compare.h"
#include "golden/seeded.h"
#include "unit/image/samples.h"

#include "image/image.h"
#include "nn/gfpgan.h"
#include "nn/parsenet.h"
#include "nn/retinaface.h"
#include "nn/srvgg.h"
#include "runner/job.h"
#include "runner/model.h"

#define SIDE 32 /* of the picture; the working picture is twice as large */

/* In the working picture: what the detector is made to say. */
static const float eyes[RETINAFACE_POINTS][2] = {
    { 24, 26 }, { 41, 27 }, { 32, 36 }, { 25, 45 }, { 40, 45 }
};

static const struct model *model;
static void *loaded;

static void write_file(const char *name, const void *bytes, size_t len)
{
    char path[SAMPLE_PATH_BYTES];
    sample_path(name, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static float *values_in(const struct weights *weights, const char *head, int level,
                        const char *what, size_t *ret_count)
{
    char name[KEYS_NAME_BYTES];
    snprintf(name, sizeof name, "%s.%d.conv1x1.%s", head, level, what);
    const struct weight *weight = weights_find(weights, name);
    assert_non_null(weight);
    *ret_count = (size_t)weight->count;
    return (float *)(uintptr_t)weight->data; /* the file is ours */
}

/* Heads that say the same everywhere: a face of the anchor of 256 pixels, and none else. Its cells
 * all find the same face, but for the first one they are found twice. */
static void teach_detector(void *file, size_t bytes)
{
    static const char *const heads[] = { "ClassHead", "BboxHead", "LandmarkHead" };
    struct weights *weights = NULL;
    assert_true(weights_open_memory(file, bytes, &weights, NULL));
    for (int level = 0; level < RETINAFACE_LEVELS; level++)
        for (size_t i = 0; i < 3; i++) {
            size_t count;
            float *values = values_in(weights, heads[i], level, "weight", &count);
            memset(values, 0, count * sizeof *values);
            float *bias = values_in(weights, heads[i], level, "bias", &count);
            memset(bias, 0, count * sizeof *bias);
            if (i == 0) {
                bias[0] = level == 2 ? -5.0f : 5.0f;
                bias[2] = 5;
            }
            for (size_t k = 0; i == 2 && level == 2 && k < 10; k++)
                bias[k] = (eyes[k / 2][k % 2] - 16) / 25.6f;
        }
    weights_close(weights);
}

static void write_seeded(struct keys *keys, const char *name)
{
    size_t bytes = 0;
    assert_non_null(keys);
    void *file = seeded_file(keys, &bytes);
    keys_free(keys);
    if (strncmp(name, "detection", 9) == 0)
        teach_detector(file, bytes);
    write_file(name, file, bytes);
    free(file);
}

/* v1.4, and v1.2, whose every face is white. */
static void write_versions(void)
{
    struct weights *weights = NULL;
    size_t bytes = 0;
    struct keys *keys = gfpgan_keys(&gfpgan_published);
    assert_non_null(keys);
    void *file = seeded_file(keys, &bytes);
    keys_free(keys);
    write_file("GFPGANv1.4.pth", file, bytes);
    assert_true(weights_open_memory(file, bytes, &weights, NULL));
    const struct weight *bias = weights_find(weights, "stylegan_decoder.to_rgbs.6.bias");
    assert_true(bias && bias->count == 3);
    for (size_t i = 0; i < 3; i++)
        ((float *)(uintptr_t)bias->data)[i] = 1e6f;
    weights_close(weights);
    write_file("GFPGANv1.2.pth", file, bytes);
    free(file);
}

static bool load(struct err *err)
{
    const struct model_context context = { .weights_directory = sample_folder,
                                           .precision = "f32",
                                           .threads = 2 };
    for (size_t i = 0; model_registry[i]; i++)
        if (strcmp(model_registry[i]->name, "gfpgan") == 0)
            model = model_registry[i];
    assert_non_null(model);
    return model->load(&context, &loaded, err);
}

static void missing_weights_say_what_to_type(void **state)
{
    (void)state;
    struct err err = { 0 };
    assert_false(load(&err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.detail, "`mimeo pull tencentarc/gfpgan --part face-detection`"));
    write_file("detection_Resnet50_Final.pth", "{}", 2);
    write_file("parsing_parsenet.pth", "{}", 2);
    assert_false(load(&err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.detail, "--part background`"));
    write_file("realesr-general-x4v3.pth", "{}", 2);
    assert_false(load(&err));
    assert_int_equal(err.kind, ERR_INVALID);
}

static void seeded_weights_load(void **state)
{
    (void)state;
    struct err err = { 0 };
    if (COMPARE_SANITIZED)
        skip();
    struct keys *keys = keys_new("SRVGG");
    srvgg_keys(&(struct srvgg_shape){ 64, 32, 4 }, keys);
    write_seeded(keys, "realesr-general-x4v3.pth");
    write_seeded(retinaface_keys(), "detection_Resnet50_Final.pth");
    write_seeded(parsenet_keys(), "parsing_parsenet.pth");
    assert_false(load(&err)); /* no version is there */
    assert_non_null(strstr(err.detail, "--part v1.4`"));
    write_versions();
    if (!load(&err))
        compare_fail(&err);
}

static bool predict(const char *path, const char *input, struct image *ret_image, struct err *err)
{
    const struct job_file_input file = { "img", path };
    char result[SAMPLE_PATH_BYTES];
    struct job *job = job_new_local(model, input, &file, 1, sample_folder, err);
    if (!job)
        compare_fail(err);
    bool ok = model->predict(loaded, job, err);
    job_free(job);
    sample_path("output.png", result);
    if (ok && !image_open(result, ret_image, err))
        compare_fail(err);
    return ok;
}

static struct image result_of(const char *path, const char *input)
{
    struct image image = { 0 };
    struct err err = { 0 };
    if (!predict(path, input, &image, &err))
        fail_msg("%s: %s%s", input, err.detail, err.cause);
    return image;
}

/* A part of the photo. */
static void save_photo(int bands, bool wide, const char *name, char path[SAMPLE_PATH_BYTES])
{
    VipsImage *photo = sample_photo(), *part = NULL, *picture = NULL;
    assert_int_equal(vips_extract_area(photo, &part, 90, 100, SIDE, SIDE, NULL), 0);
    g_object_unref(photo);
    if (wide) {
        assert_int_equal(vips_colourspace(part, &picture, VIPS_INTERPRETATION_RGB16, NULL), 0);
        g_object_unref(part);
        part = picture;
    }
    if (bands == 4) {
        assert_int_equal(vips_bandjoin_const1(part, &picture, wide ? 30000 : 100, NULL), 0);
        g_object_unref(part);
        part = picture;
    }
    sample_save(part, name, path);
}

static int level_at(const struct image *image, int x, int y, int channel)
{
    size_t at = ((size_t)y * (size_t)image->width + (size_t)x) * 4 + (size_t)channel;
    return image->bits == 16 ? ((const uint16_t *)image->pixels)[at]
                             : ((const uint8_t *)image->pixels)[at];
}

static double difference(const struct image *a, const struct image *b)
{
    double sum = 0;
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (int y = 0; y < a->height; y++)
        for (int x = 0; x < a->width; x++)
            for (int c = 0; c < 3; c++)
                sum += abs(level_at(a, x, y, c) - level_at(b, x, y, c));
    return sum / (3.0 * a->width * a->height);
}

static void a_face_is_restored_in_every_kind_of_picture(void **state)
{
    (void)state;
    char path[SAMPLE_PATH_BYTES];
    if (!loaded)
        skip();
    save_photo(3, false, "plain.png", path);
    struct image plain = result_of(path, "{}");
    assert_int_equal(plain.width, 4 * SIDE); /* low: twice before twice */
    assert_int_equal(plain.height, 4 * SIDE);
    assert_int_equal(plain.bits, 8);
    /* The same, with transparency: colours as before, alpha enlarged. */
    save_photo(4, false, "alpha.png", path);
    struct image alpha = result_of(path, "{\"scale\": 1e300}"); /* no such size: as it is */
    assert_true(difference(&plain, &alpha) == 0);
    assert_true(alpha.has_alpha);
    image_done(&alpha);

    save_photo(3, true, "wide.png", path);
    struct image wide = result_of(path, "{\"scale\": 1}"); /* half of what is twice as large */
    assert_int_equal(wide.bits, 16);
    assert_int_equal(wide.width, SIDE);
    assert_int_equal(wide.height, SIDE);
    image_done(&wide);
    image_done(&plain);
}

static void a_picture_that_is_too_long_is_refused_as_it_came(void **state)
{
    (void)state;
    char path[SAMPLE_PATH_BYTES];
    VipsImage *line = NULL;
    struct image image = { 0 };
    struct err err = { 0 };
    if (!loaded)
        skip();
    assert_int_equal(vips_black(&line, 40000, 1, "bands", 3, NULL), 0);
    sample_save(line, "long.png", path);
    assert_false(predict(path, "{}", &image, &err));
    assert_int_equal(err.kind, ERR_TOO_LARGE);
    assert_non_null(strstr(err.detail, "40000 x 1 pixels")); /* not twice that: nothing was made */
}

static void versions_are_loaded_when_asked_for(void **state)
{
    (void)state;
    char path[SAMPLE_PATH_BYTES];
    struct image image = { 0 };
    struct err err = { 0 };
    if (!loaded)
        skip();
    save_photo(3, false, "versions.png", path);
    struct image first = result_of(path, "{}");
    assert_false(predict(path, "{\"version\": \"v1.3\"}", &image, &err));
    assert_int_equal(err.kind, ERR_MODEL);
    assert_string_equal(err.detail, "The weights of version v1.3 are not here: run `mimeo pull "
                                    "tencentarc/gfpgan --part v1.3`.");
    assert_false(predict(path, "{\"version\": \"RestoreFormer\"}", &image, &err));
    assert_non_null(strstr(err.detail, "--part RestoreFormer`"));
    image = result_of(path, "{\"version\": \"v1.2\", \"scale\": 3.1}");
    assert_int_equal(image.width, 99); /* floor(64 * 3.1 / 2) */
    int colored = 0;                   /* values in the middle of the face that are not white */
    for (int i = 0; i < 24 * 24 * 3; i++) {
        int x = i / 3 % 24 - 12, y = i / 72 - 12, c = i % 3;
        assert_int_equal(level_at(&image, 99 / 2 + x, 99 / 2 + y, c), 255);
        colored += level_at(&first, 2 * SIDE + x, 2 * SIDE + y, c) != 255;
    }
    print_message("v1.4: %d of %d values are not white\n", colored, 24 * 24 * 3);
    assert_true(colored > 24 * 24);
    image_done(&image);

    /* A broken file fails its prediction and no other. */
    write_file("RestoreFormer.pth", "{}", 2);
    assert_false(predict(path, "{\"version\": \"RestoreFormer\"}", &image, &err));
    image = result_of(path, "{}");
    assert_true(difference(&first, &image) == 0);
    image_done(&image);
    image_done(&first);
}

static int unload(void **state)
{
    if (loaded)
        model->unload(loaded);
    loaded = NULL;
    return samples_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_weights_say_what_to_type),
        cmocka_unit_test(seeded_weights_load),
        cmocka_unit_test(a_face_is_restored_in_every_kind_of_picture),
        cmocka_unit_test(a_picture_that_is_too_long_is_refused_as_it_came),
        cmocka_unit_test(versions_are_loaded_when_asked_for),
    };
    return cmocka_run_group_tests(tests, samples_setup, unload);
}
