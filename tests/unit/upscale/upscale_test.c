/* Pictures through small seeded networks: the tiler against the untiled run, kinds of pictures,
 * scales, limits, cancels, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "engine/engine.h"
#include "golden/seeded.h"
#include "image/image.h"
#include "image/resample.h"
#include "nn/rrdb.h"
#include "nn/srvgg.h"
#include "upscale/upscale.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static const struct srvgg_shape compact = { 16, 2, 2 };
static const struct rrdb_shape dense = { 16, 16, 1, 4 };

struct fixture {
    struct engine *engine;
    struct upscaler *upscaler;
    struct keys *keys;
    void *file;
};

static struct fixture fixture_made(bool is_dense)
{
    struct fixture fixture = { .keys = keys_new("test") };
    struct engine_options options = { .threads = 1 };
    struct weights *weights = NULL;
    struct err err = { 0 };
    size_t bytes = 0;
    if (is_dense)
        rrdb_keys(&dense, fixture.keys);
    else
        srvgg_keys(&compact, fixture.keys);
    fixture.file = seeded_file(fixture.keys, &bytes);
    assert_true(engine_new(&options, &fixture.engine, &err));
    assert_true(weights_open_memory(fixture.file, bytes, &weights, &err));
    assert_true(upscaler_new(fixture.engine, weights, &fixture.upscaler, &err));
    weights_close(weights);
    return fixture;
}

static void fixture_done(struct fixture *fixture)
{
    upscaler_free(fixture->upscaler);
    engine_free(fixture->engine);
    keys_free(fixture->keys);
    free(fixture->file);
}

enum kind { COLOUR, GRAY, ALPHA, GRAY_ALPHA };

static uint16_t value_get(const struct image *image, size_t i)
{
    return image->bits == 16 ? ((const uint16_t *)image->pixels)[i]
                             : ((const uint8_t *)image->pixels)[i];
}

static void value_set(struct image *image, size_t i, int value)
{
    if (image->bits == 16)
        ((uint16_t *)image->pixels)[i] = (uint16_t)(value * 257);
    else
        ((uint8_t *)image->pixels)[i] = (uint8_t)value;
}

static struct image picture(int width, int height, int bits, enum kind kind)
{
    struct image image;
    struct err err = { 0 };
    assert_true(image_new(width, height, bits, &image, &err));
    image.has_alpha = kind == ALPHA || kind == GRAY_ALPHA;
    image.is_gray = kind == GRAY || kind == GRAY_ALPHA;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            size_t at = 4 * ((size_t)y * (size_t)width + (size_t)x);
            for (int c = 0; c < 3; c++)
                value_set(&image, at + (size_t)c,
                          (x * x + 3 * y * y + x * y + (image.is_gray ? 0 : 70 * c)) % 251);
            value_set(&image, at + 3, image.has_alpha ? (x * 9 + y * 5) % 256 : 255);
        }
    return image;
}

static struct image enlarged(const struct fixture *fixture, const struct image *source,
                             double scale, int tile, int border)
{
    struct upscale_options options = { .scale = scale, .tile = tile, .border = border };
    struct image result = { 0 };
    struct err err = { 0 };
    if (!upscaler_run(fixture->upscaler, source, &options, &result, &err))
        fail_msg("%s%s", err.detail, err.cause);
    assert_int_equal(result.width, (int)(source->width * scale));
    assert_int_equal(result.height, (int)(source->height * scale));
    assert_int_equal(result.bits, source->bits);
    assert_int_equal(result.has_alpha, source->has_alpha);
    assert_int_equal(result.is_gray, source->is_gray);
    return result;
}

/* The largest difference in parts of 255, and whether flat pictures pass for a test. */
static double differ(const struct image *a, const struct image *b)
{
    size_t count = (size_t)a->width * (size_t)a->height * 4;
    int worst = 0, low = 65535, high = 0;
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (size_t i = 0; i < count; i++) {
        int value = value_get(a, i), off = abs(value - value_get(b, i));
        worst = off > worst ? off : worst;
        if (i % 4 != 3 || !a->has_alpha) {
            low = i % 4 != 3 && value < low ? value : low;
            high = i % 4 != 3 && value > high ? value : high;
        }
    }
    assert_true(high > low || count == 4);
    return a->bits == 16 ? worst / 257.0 : worst;
}

/* Tiles whose borders hold all that a pixel sees: what differs is the rounding of f32. */
static void tiles_leave_no_trace(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 101, 75 }, { 64, 200 }, { 200, 31 }, { 1, 150 }, { 150, 1 } };
    for (int is_dense = 0; is_dense < 2; is_dense++) {
        struct fixture fixture = fixture_made(is_dense);
        int border = is_dense ? 22 : 4; /* 3 * 5 convolutions and a few */
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            for (enum kind kind = i % 2; kind <= GRAY_ALPHA; kind += 2) {
                int bits = (i + kind) % 2 ? 16 : 8;
                struct image source = picture(sizes[i][0], sizes[i][1], bits, kind);
                double factor = upscaler_factor(fixture.upscaler);
                struct image whole = enlarged(&fixture, &source, factor, 2000, border);
                struct image tiled = enlarged(&fixture, &source, factor, 2 * border + 30, border);
                assert_true(differ(&whole, &tiled) <= (bits == 16 ? 0.02 : 1));
                image_done(&source);
                image_done(&whole);
                image_done(&tiled);
            }
        fixture_done(&fixture);
    }
}

/* A border that is too small is seen: the comparison above can fail. */
static void without_borders_there_are_seams(void **state)
{
    (void)state;
    struct fixture fixture = fixture_made(false);
    struct image source = picture(90, 90, 8, COLOUR);
    struct image whole = enlarged(&fixture, &source, 2, 2000, 4);
    struct image tiled = enlarged(&fixture, &source, 2, 32, 1);
    assert_true(differ(&whole, &tiled) > 3);
    image_done(&source);
    image_done(&whole);
    image_done(&tiled);
    fixture_done(&fixture);
}

/* Bands resized one after the other are the whole resized at once. */
static void any_scale_is_the_whole_resized(void **state)
{
    (void)state;
    static const double scales[] = { 0.3, 0.021, 1, 1.9999, 3.7, 10 };
    struct fixture fixture = fixture_made(false);
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++)
        for (enum kind kind = COLOUR; kind <= GRAY_ALPHA; kind++) {
            struct image source = picture(97, 141, kind % 2 ? 16 : 8, kind);
            struct image large = enlarged(&fixture, &source, 2, 40, 4);
            struct image result = enlarged(&fixture, &source, scales[i], 40, 4);
            struct image wanted;
            struct resample *resample = NULL;
            struct err err = { 0 };
            const struct resample_options options = {
                .filter = RESAMPLE_LANCZOS4,
                .type = source.bits == 16 ? RESAMPLE_U16 : RESAMPLE_U8,
                .channels = 4,
                .from = { large.width, large.height },
                .to = { result.width, result.height },
            };
            assert_true(image_new(result.width, result.height, source.bits, &wanted, &err));
            assert_true(resample_new(&options, &resample, &err));
            assert_true(resample_run(resample, large.pixels, wanted.pixels, &err));
            resample_free(resample);
            size_t count = (size_t)wanted.width * (size_t)wanted.height * 4;
            for (size_t k = 3; k < count && !source.has_alpha; k += 4)
                value_set(&wanted, k, 255);
            assert_memory_equal(wanted.pixels, result.pixels, count * (size_t)source.bits / 8);
            image_done(&source);
            image_done(&large);
            image_done(&result);
            image_done(&wanted);
        }
    fixture_done(&fixture);
}

/* Alpha is enlarged as a gray picture of the same values would be; gray stays gray. */
static void alpha_goes_through_the_network(void **state)
{
    (void)state;
    struct fixture fixture = fixture_made(true);
    struct image source = picture(33, 21, 8, ALPHA), mask = picture(33, 21, 8, GRAY);
    for (size_t i = 0; i < 33 * 21; i++)
        for (size_t c = 0; c < 3; c++)
            value_set(&mask, 4 * i + c, value_get(&source, 4 * i + 3));
    struct image result = enlarged(&fixture, &source, 4, 0, 0);
    struct image wanted = enlarged(&fixture, &mask, 4, 0, 0);
    for (size_t i = 0; i < (size_t)result.width * (size_t)result.height; i++) {
        assert_int_equal(value_get(&result, 4 * i + 3), value_get(&wanted, 4 * i));
        assert_int_equal(value_get(&wanted, 4 * i + 1), value_get(&wanted, 4 * i));
        assert_int_equal(value_get(&wanted, 4 * i + 3), 255);
    }
    image_done(&source);
    image_done(&mask);
    image_done(&result);
    image_done(&wanted);
    fixture_done(&fixture);
}

static void the_smallest_picture_is_enlarged(void **state)
{
    (void)state;
    for (int is_dense = 0; is_dense < 2; is_dense++) {
        struct fixture fixture = fixture_made(is_dense);
        struct image source = picture(1, 1, 8, ALPHA);
        struct image result = enlarged(&fixture, &source, 10, 0, 0);
        image_done(&source);
        image_done(&result);
        fixture_done(&fixture);
    }
}

static void assert_refused(const struct fixture *fixture, int width, int height, double scale,
                           enum err_kind kind, const char *detail)
{
    struct image source, result = { .width = 77 };
    struct err err = { 0 };
    assert_true(image_new(width, height, 8, &source, &err));
    const struct upscale_options options = { .scale = scale };
    assert_false(upscaler_run(fixture->upscaler, &source, &options, &result, &err));
    assert_int_equal(err.kind, kind);
    assert_string_equal(err.detail, detail);
    assert_int_equal(result.width, 77);
    image_done(&source);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    struct fixture fixture = fixture_made(false);
    assert_refused(&fixture, 20, 10, 0, ERR_INVALID,
                   "At scale 0 nothing is left of an image of 20 x 10 pixels: each side must have "
                   "at least 1 pixel.");
    assert_refused(&fixture, 20, 10, 0.09, ERR_INVALID,
                   "At scale 0.09 nothing is left of an image of 20 x 10 pixels: each side must "
                   "have at least 1 pixel.");
    assert_refused(
        &fixture, 20, 10, (double)NAN, ERR_INVALID,
        "At scale nan nothing is left of an image of 20 x 10 pixels: each side must have "
        "at least 1 pixel.");
    assert_refused(&fixture, 5000, 3000, 10, ERR_TOO_LARGE,
                   "The result would be too large: 50000 x 30000 pixels, where at most 200 "
                   "megapixels can be made; choose a smaller scale.");
    assert_refused(&fixture, 65536, 1, 1, ERR_TOO_LARGE,
                   "The image is too long: 65536 x 1 pixels, where at most 65535 a side can be "
                   "enlarged.");
    fixture_done(&fixture);
}

struct watch {
    int asked, cancel_at, done, total;
};

static bool canceled(void *context)
{
    struct watch *watch = context;
    return ++watch->asked == watch->cancel_at;
}

static void progress(void *context, int done, int total)
{
    struct watch *watch = context;
    assert_int_equal(done, watch->done + 1);
    watch->done = done;
    watch->total = total;
}

static void progress_is_told_and_a_cancel_obeyed(void **state)
{
    (void)state;
    struct fixture fixture = fixture_made(false);
    struct image source = picture(100, 100, 8, COLOUR), result = { .width = 77 };
    struct watch watch = { 0 };
    struct err err = { 0 };
    struct upscale_options options = { .scale = 3,
                                       .tile = 40,
                                       .border = 4,
                                       .canceled = canceled,
                                       .progress = progress,
                                       .context = &watch };
    assert_true(upscaler_run(fixture.upscaler, &source, &options, &result, &err));
    assert_int_equal(watch.done, watch.total);
    assert_int_equal(watch.total, 9);
    assert_int_equal(watch.asked, 9);
    image_done(&result);
    watch = (struct watch){ .cancel_at = 5 };
    assert_false(upscaler_run(fixture.upscaler, &source, &options, &result, &err));
    assert_int_equal(err.kind, ERR_CANCELED);
    assert_int_equal(watch.done, 4);
    assert_null(result.pixels);
    assert_int_equal(engine_mark(fixture.engine), 0);
    image_done(&source);
    fixture_done(&fixture);
}

/* A picture of three million pixels in a process of its own: its memory beside the source (12 MB)
 * and the result (12 MB) is the arena of one tile, a band and a few lines. */
static void memory_stays_bounded(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct fixture fixture = fixture_made(false);
        struct image source = picture(2000, 1500, 8, COLOUR);
        struct rusage before, after;
        getrusage(RUSAGE_SELF, &before);
        struct image result = enlarged(&fixture, &source, 1, 256, 4);
        getrusage(RUSAGE_SELF, &after);
        image_done(&result);
        image_done(&source);
        size_t arena = engine_arena_bytes_peak(fixture.engine) >> 20;
        long more = (after.ru_maxrss - before.ru_maxrss) / 1024;
        fixture_done(&fixture);
        _exit(arena <= 24 && (SANITIZED || more <= 12 + 24 + 16 + 12) ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_stays_bounded), /* first: a fork wants no threads yet */
        cmocka_unit_test(tiles_leave_no_trace),
        cmocka_unit_test(without_borders_there_are_seams),
        cmocka_unit_test(any_scale_is_the_whole_resized),
        cmocka_unit_test(alpha_goes_through_the_network),
        cmocka_unit_test(the_smallest_picture_is_enlarged),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(progress_is_told_and_a_cancel_obeyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
