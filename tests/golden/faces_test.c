/* Aligning, cropping, masking and pasting faces against facexlib, gfpgan and OpenCV
 * (tests/reference/faces.py), with a network that inverts colours on both sides.
 *
 * Measured against OpenCV 5: matrices FACES_MATRIX; crops equal but for 1 level at FACES_CROP of
 * the values; results equal but for 1 level at FACES_RESULT. The original warps the mask with
 * coordinates rounded to 1/32 pixel and keeps fractions where faces overlap; this does neither. */
#include "golden/compare.h"

#include "face/face_private.h"
#include "image/image.h"

#define FIXTURE "tests/golden/faces.safetensors"
#define THREADS 2
#define WIDTH 100
#define HEIGHT 120

static struct weights *fixture;

static int setup(void **state)
{
    (void)state;
    return weights_open(FIXTURE, &fixture, NULL) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    weights_close(fixture);
    return 0;
}

static const struct weight *find(const char *name)
{
    const struct weight *weight = weights_find(fixture, name);
    if (!weight)
        fail_msg("the fixture has no %s", name);
    return weight;
}

static float *values_of(const char *name)
{
    const struct weight *weight = find(name);
    float *values = malloc((size_t)weight->count * sizeof *values);
    assert_non_null(values);
    assert_true(weight_to_f32(weight, values, NULL));
    return values;
}

/* ---- Alignment ---- */

static void faces_are_aligned_as_opencv_does(void **state)
{
    (void)state;
    float *points = values_of("align.points"), *matrices = values_of("align.matrices");
    size_t count = (size_t)find("align.points")->shape[0];
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        struct face_matrix matrix;
        assert_true(face_align((const float(*)[2])(points + 10 * i), &matrix));
        for (int k = 0; k < 6; k++) {
            double expected = (double)matrices[6 * i + k];
            double difference = fabs(matrix.row[k / 3][k % 3] - expected);
            worst = compare_worse(worst, difference / fmax(1, fabs(expected)));
        }
    }
    free(points);
    free(matrices);
    print_message("%zu faces: largest difference %.2g\n", count, worst);
    assert_true(worst < 1e-4);
}

/* ---- The pipeline ---- */

static int triangle(int t)
{
    return abs(((t % 510) + 510) % 510 - 255);
}

/* The reference's picture of whole numbers; 16-bit ones are 251 times as large, and 77. */
static struct image bands(int width, int height, int channels, int step, int bits)
{
    size_t count = (size_t)width * (size_t)height * 4;
    struct image image = { .width = width,
                           .height = height,
                           .bits = bits,
                           .has_alpha = channels == 4,
                           .pixels = calloc(count, (size_t)bits / 8) };
    assert_non_null(image.pixels);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 4; c++) {
                int blue_first = c < 3 ? 2 - c : c;
                int value = triangle(3 * step * x + 2 * step * y + 85 * blue_first) +
                            triangle(5 * step * x - 2 * step * y + 1000 + 40 * blue_first);
                value = c < channels ? value / 2 : 255;
                size_t at = ((size_t)y * (size_t)width + (size_t)x) * 4 + (size_t)c;
                if (bits == 16)
                    ((uint16_t *)image.pixels)[at] = (uint16_t)(value * 251 + 77);
                else
                    ((uint8_t *)image.pixels)[at] = (uint8_t)value;
            }
    return image;
}

static const float faces[][FACE_POINTS][2] = {
    { { 38.2f, 31.5f }, { 58.9f, 33.0f }, { 47.6f, 44.2f }, { 38.0f, 53.9f }, { 55.3f, 55.1f } },
    { { 66.0f, 50.4f }, { 88.1f, 44.7f }, { 80.3f, 59.6f }, { 75.9f, 70.2f }, { 93.0f, 65.8f } },
    { { 4.1f, 80.2f }, { 19.7f, 82.9f }, { 11.0f, 90.3f }, { 3.7f, 99.1f }, { 15.2f, 101.6f } },
    { { 90.0f, 10.0f }, { 93.0f, 10.5f }, { 91.5f, 12.0f }, { 90.2f, 13.5f }, { 92.8f, 13.8f } },
};
#define FACES ((int)(sizeof faces / sizeof faces[0]))

static bool invert(void *context, const float *face, float *ret_face, struct err *err)
{
    (void)context;
    (void)err;
    for (size_t i = 0; i < 3 * FACE_PIXELS; i++)
        ret_face[i] = -face[i];
    return true;
}

/* Skin in an ellipse, cloth below, hair in a corner. */
static bool classes(void *context, const float *face, uint8_t *ret_classes, struct err *err)
{
    (void)context;
    (void)face;
    (void)err;
    for (int y = 0; y < FACE_SIZE; y++)
        for (int x = 0; x < FACE_SIZE; x++) {
            int class =
                (x - 256) * (x - 256) * 121 + (y - 270) * (y - 270) * 100 < 100 * 121 * 400 ? 1 : 0;
            if (class == 0 && y > 420)
                class = 18;
            if (x < 90 && y < 150)
                class = 13;
            ret_classes[(size_t)y * FACE_SIZE + (size_t)x] = (uint8_t) class;
        }
    return true;
}

static const struct face_networks simple_networks = { invert, classes, NULL };

struct seen {
    int done, total, calls, stop_at;
};

static void on_progress(void *context, int done, int total)
{
    struct seen *seen = context;
    seen->done = done;
    seen->total = total;
    seen->calls++;
}

static bool stop(void *context)
{
    struct seen *seen = context;
    return seen->calls >= seen->stop_at;
}

static void crops_are_facexlibs(void **state)
{
    (void)state;
    float *face = malloc(3 * FACE_PIXELS * sizeof *face);
    assert_non_null(face);
    for (int i = 0; i < 4; i++) {
        char name[64];
        int bits = i == 3 ? 16 : 8, which = i == 3 ? 1 : i;
        struct image picture = bands(WIDTH, HEIGHT, 3, 2, bits);
        struct face_matrix matrix;
        snprintf(name, sizeof name, "pipeline.crop%d", bits == 16 ? 16 : i);
        assert_true(face_align(faces[which], &matrix));
        face_crop(&picture, &matrix, THREADS, face);
        const struct weight *weight = find(name);
        float *wide = bits == 16 ? values_of(name) : NULL;
        size_t count = (size_t)weight->count, different = 0;
        double worst = 0;
        for (size_t k = 0; k < count; k++) { /* theirs is [y][x][c] */
            size_t at = k * 3 * FACE_PIXELS / count;
            double value = (double)face[at % 3 * FACE_PIXELS + at / 3];
            double expected = wide ? (double)wide[k] : ((const uint8_t *)weight->data)[k];
            worst = compare_worse(worst, fabs(value - expected));
            different += fabs(value - expected) >= 0.5;
        }
        print_message("%s: largest difference %.2g, %zu of %zu\n", name, worst, different, count);
        assert_true(worst <= 1);
        assert_in_range(different, 0, count / 500);
        free(wide);
        image_done(&picture);
    }
    free(face);
}

static void masks_are_opencvs(void **state)
{
    (void)state;
    struct err err = { 0 };
    uint8_t *of = malloc(FACE_PIXELS);
    double *mask = malloc(FACE_PIXELS * sizeof *mask), worst = 0;
    float *expected = values_of("mask");
    size_t count = (size_t)find("mask")->count;
    assert_true(of && mask);
    classes(NULL, NULL, of, &err);
    assert_true(face_mask(of, THREADS, mask, &err));
    for (size_t i = 0; i < count; i++)
        worst = compare_worse(worst, fabs(mask[i * FACE_PIXELS / count] - (double)expected[i]));
    print_message("mask: largest difference %.2g\n", worst);
    assert_true(worst < 1e-6);
    free(of);
    free(mask);
    free(expected);
}

/* Compare with the whole result, or with samples of it; theirs is [y][x][c], blue first. */
static void compare_result(const char *name, const struct image *canvas, int channels)
{
    const struct weight *weight = find(name);
    const uint8_t *expected = weight->data, *pixels = canvas->pixels;
    size_t total = (size_t)canvas->width * (size_t)canvas->height * (size_t)channels;
    size_t count = (size_t)weight->count, different = 0, twice = 0;
    int worst = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = i * total / count, c = at % (size_t)channels;
        int value = pixels[at / (size_t)channels * 4 + (c < 3 ? 2 - c : c)];
        int difference = abs(value - expected[i]);
        different += difference > 0;
        twice += difference > 1;
        worst = difference > worst ? difference : worst;
    }
    print_message("%s: largest difference %d, %zu of %zu, more than 1 %zu\n", name, worst,
                  different, count, twice);
    assert_in_range(worst, 0, 2);
    assert_in_range(different, 0, count / 10);
    assert_in_range(twice, 0, count / 500);
}

static void faces_are_put_back_as_facexlib_does(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double factor;
        int channels;
    } cases[] = { { "pipeline.twice", 2, 3 },
                  { "pipeline.alpha", 2, 4 },
                  { "pipeline.broken", 1.3, 3 },
                  { "pipeline.same", 1, 3 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = { 0 };
        double factor = cases[i].factor;
        int channels = cases[i].channels, count = 0;
        struct image source = bands(WIDTH, HEIGHT, channels, 2, 8);
        struct image canvas = bands((int)(WIDTH * factor), (int)(HEIGHT * factor), channels, 1, 8);
        struct seen seen = { .stop_at = 100 };
        const struct face_options options = {
            .factor = factor, .progress = on_progress, .canceled = stop, .context = &seen
        };
        assert_true(face_restore_points(&simple_networks, THREADS, &source, &canvas, faces, FACES,
                                        &options, &count, &err));
        assert_int_equal(count, FACES - 1); /* one has its eyes too near */
        assert_int_equal(seen.calls, FACES);
        assert_int_equal(seen.done, FACES - 1);
        assert_int_equal(seen.total, FACES - 1);
        compare_result(cases[i].name, &canvas, channels);
        image_done(&source);
        image_done(&canvas);
    }
}

/* A 16-bit canvas gets the face 257 times as bright (the original pastes 0..255: black). */
static void wide_canvases_are_pasted_alike(void **state)
{
    (void)state;
    struct err err = { 0 };
    const struct face_options options = { 0 };
    struct image source = bands(WIDTH, HEIGHT, 3, 2, 8), canvas[2];
    int count = 0, worst = 0;
    for (int i = 0; i < 2; i++) {
        canvas[i] = bands(2 * WIDTH, 2 * HEIGHT, 3, 1, 8);
        if (i == 1) {
            size_t values = (size_t)16 * WIDTH * HEIGHT;
            uint16_t *pixels = malloc(values * sizeof *pixels);
            assert_non_null(pixels);
            for (size_t k = 0; k < values; k++)
                pixels[k] = (uint16_t)(((uint8_t *)canvas[1].pixels)[k] * 257);
            free(canvas[1].pixels);
            canvas[1].pixels = pixels;
            canvas[1].bits = 16;
        }
        assert_true(face_restore_points(&simple_networks, THREADS, &source, &canvas[i], faces,
                                        FACES, &options, &count, &err));
    }
    for (size_t k = 0; k < (size_t)16 * WIDTH * HEIGHT; k++) {
        int narrow = ((uint8_t *)canvas[0].pixels)[k];
        int wide = ((uint16_t *)canvas[1].pixels)[k];
        worst = abs(wide / 257 - narrow) > worst ? abs(wide / 257 - narrow) : worst;
    }
    assert_in_range(worst, 0, 2); /* cut twice where faces overlap */
    image_done(&source);
    image_done(&canvas[0]);
    image_done(&canvas[1]);
}

static void canceling_leaves_the_rest(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct image source = bands(WIDTH, HEIGHT, 3, 2, 8), canvas = bands(WIDTH, HEIGHT, 3, 1, 8);
    struct seen seen = { .stop_at = 2 };
    const struct face_options options = { .progress = on_progress,
                                          .canceled = stop,
                                          .context = &seen };
    int count = -1;
    assert_false(face_restore_points(&simple_networks, THREADS, &source, &canvas, faces, FACES,
                                     &options, &count, &err));
    assert_int_equal(err.kind, ERR_CANCELED);
    assert_int_equal(count, -1);
    assert_int_equal(seen.calls, 2);
    image_done(&source);
    image_done(&canvas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faces_are_aligned_as_opencv_does),
        cmocka_unit_test(crops_are_facexlibs),
        cmocka_unit_test(masks_are_opencvs),
        cmocka_unit_test(faces_are_put_back_as_facexlib_does),
        cmocka_unit_test(wide_canvases_are_pasted_alike),
        cmocka_unit_test(canceling_leaves_the_rest),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
