/* The published upscaling networks over a photo: in a stream of rows, as large pictures are done,
 * and as a whole. Measured: at most 0.005 of a level of 255 between them, which is the rounding of
 * f32 in Winograd's tiles, which lie elsewhere. */
#include "golden/compare.h"

#include "engine/engine.h"
#include "image/image.h"
#include "nn/rrdb.h"
#include "nn/rrdb_stream.h"

#define PHOTO_ROWS 150 /* of the photo, from the top: two windows, and more steps to come out */

static struct tensor plane_new(int height, int width)
{
    float *data = calloc((size_t)3 * height * width, sizeof *data);
    assert_non_null(data);
    return tensor_plain(3, height, width, data);
}

static struct tensor photo_read(void)
{
    struct image image = { 0 };
    struct err err = { 0 };
    if (!image_open(GOLDEN_PHOTO, &image, &err))
        compare_fail(&err);
    struct tensor photo = plane_new(PHOTO_ROWS, image.width);
    float *to = photo.data;
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < (size_t)PHOTO_ROWS * (size_t)image.width; i++)
            *to++ = (float)((const uint8_t *)image.pixels)[4 * i + c] / 255;
    image_done(&image);
    return photo;
}

static void photo_row(void *context, int y, float *const ret_rgb[3])
{
    const struct tensor *photo = context;
    size_t width = (size_t)photo->width;
    for (size_t c = 0; c < 3; c++)
        memcpy(ret_rgb[c],
               (const float *)photo->data + (c * (size_t)photo->height + (size_t)y) * width,
               width * sizeof(float));
}

/* The largest difference between the stream and the whole. */
static double stream_compare(struct rrdb *rrdb, struct tensor *photo, const struct tensor *whole)
{
    const struct rrdb_stream_options options = {
        .width = photo->width, .height = photo->height, .read = photo_row, .context = photo
    };
    struct tensor dst = plane_new(4 * RRDB_STREAM_ROWS_MAX, whole->width);
    struct rrdb_stream *stream = NULL;
    struct err err = { 0 };
    double largest = 0;
    int first = 0, count = 0;
    if (!rrdb_stream_new(rrdb, &options, &stream, &err))
        compare_fail(&err);
    while (first + count < photo->height) {
        if (!rrdb_stream_next(stream, &dst, &first, &count, &err))
            compare_fail(&err);
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < 4 * count; y++)
                for (int x = 0; x < whole->width; x++) {
                    size_t is = ((size_t)c * dst.height + y) * dst.width + x;
                    size_t was = ((size_t)c * whole->height + 4 * first + y) * whole->width + x;
                    double difference = fabs((double)((const float *)dst.data)[is] -
                                             (double)((const float *)whole->data)[was]);
                    assert_true(isfinite(difference));
                    largest = fmax(largest, difference);
                }
    }
    rrdb_stream_free(stream);
    free(dst.data);
    return largest;
}

static void compare(const char *model, const char *file)
{
    char folder[GOLDEN_PATH_BYTES], path[GOLDEN_PATH_BYTES + 64];
    struct engine_options options = { .threads = 2 };
    struct engine *engine = NULL;
    struct weights *weights = NULL;
    struct rrdb *rrdb = NULL;
    struct err err = { 0 };
    golden_weights(model, file, folder);
    snprintf(path, sizeof path, "%s/%s", folder, file);
    if (!engine_new(&options, &engine, &err) || !weights_open(path, &weights, &err) ||
        !rrdb_new(engine, weights, &rrdb, &err))
        compare_fail(&err);
    weights_close(weights);
    struct tensor photo = photo_read(), whole = plane_new(4 * photo.height, 4 * photo.width);
    if (!rrdb_run(rrdb, &photo, &whole, &err))
        compare_fail(&err);
    double difference = stream_compare(rrdb, &photo, &whole);
    print_message("%s: at most %.2g of 1/255 apart\n", file, difference * 255);
    assert_true(difference < 1e-4); /* 0.03 of a level */
    free(photo.data);
    free(whole.data);
    rrdb_free(rrdb);
    engine_free(engine);
}

static void test_x4plus(void **state)
{
    (void)state;
    if (COMPARE_SANITIZED)
        skip();
    compare("nightmareai/real-esrgan", "realesrgan-x4plus.param");
}

static void test_anime(void **state)
{
    (void)state;
    if (COMPARE_SANITIZED)
        skip();
    compare("mimeo/real-esrgan-anime", "realesrgan-x4plus-anime.param");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_x4plus),
                                        cmocka_unit_test(test_anime) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
