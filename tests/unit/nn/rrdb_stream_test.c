/* A stream of rows makes what the whole picture makes: small seeded networks, every height around
 * a window's, and pictures narrower than a filter. The difference is the rounding of Winograd's
 * tiles, which lie elsewhere. */
#include "golden/compare.h"
#include "golden/seeded.h"

#include "engine/engine.h"
#include "nn/rrdb.h"
#include "nn/rrdb_stream.h"

struct fixture {
    struct engine *engine;
    struct rrdb *rrdb;
};

static struct fixture fixture_new(int depth, int factor, int threads,
                                  enum engine_precision precision)
{
    const struct rrdb_shape shape = { 16, 16, depth, factor };
    struct engine_options options = { .threads = threads, .precision = precision };
    struct fixture fixture = { 0 };
    struct weights *weights = NULL;
    struct err err = { 0 };
    size_t bytes = 0;
    struct keys *keys = keys_new("RRDBNet");
    rrdb_keys(&shape, keys);
    void *file = seeded_file(keys, &bytes);
    if (!engine_new(&options, &fixture.engine, &err)) {
        assert_int_equal(err.kind, ERR_UNAVAILABLE); /* bf16 */
    } else if (!weights_open_memory(file, bytes, &weights, &err) ||
               !rrdb_new(fixture.engine, weights, &fixture.rrdb, &err)) {
        compare_fail(&err);
    }
    weights_close(weights);
    keys_free(keys);
    free(file);
    return fixture;
}

static void fixture_free(struct fixture *fixture)
{
    rrdb_free(fixture->rrdb);
    engine_free(fixture->engine);
}

static void picture_read(void *context, int y, float *const ret_rgb[3])
{
    const struct tensor *picture = context;
    assert_in_range(y, 0, picture->height - 1);
    for (int c = 0; c < 3; c++)
        memcpy(ret_rgb[c],
               (float *)picture->data + ((size_t)c * picture->height + y) * picture->width,
               (size_t)picture->width * sizeof(float));
}

static struct tensor plane_new(int height, int width)
{
    float *data = calloc((size_t)3 * height * width, sizeof *data);
    assert_non_null(data);
    return tensor_plain(3, height, width, data);
}

static struct tensor picture_new(int height, int width)
{
    struct tensor picture = plane_new(height, width);
    uint32_t state = (uint32_t)(height * 7919 + width);
    for (size_t i = 0; i < (size_t)3 * height * width; i++) {
        state = state * 1664525u + 1013904223u;
        ((float *)picture.data)[i] = (float)(state >> 8) * 0x1p-24f;
    }
    return picture;
}

/* Stream the picture into `result`; how many steps it took. */
static int stream_all(struct rrdb *rrdb, struct tensor *picture, const struct tensor *result)
{
    const struct rrdb_stream_options options = {
        .width = picture->width, .height = picture->height, .read = picture_read, .context = picture
    };
    struct tensor dst = plane_new(4 * RRDB_STREAM_ROWS_MAX, 4 * picture->width);
    struct rrdb_stream *stream = NULL;
    struct err err = { 0 };
    int end = 0, steps = 0, expected;
    if (!rrdb_stream_new(rrdb, &options, &stream, &err))
        compare_fail(&err);
    expected = rrdb_stream_steps(stream);
    while (end < picture->height) {
        int first = -1, count = -1;
        if (!rrdb_stream_next(stream, &dst, &first, &count, &err))
            compare_fail(&err);
        assert_int_equal(first, end); /* without gaps */
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < 4 * count; y++)
                memcpy((float *)result->data +
                           ((size_t)c * result->height + 4 * first + y) * result->width,
                       (float *)dst.data + ((size_t)c * dst.height + y) * dst.width,
                       (size_t)dst.width * sizeof(float));
        end += count;
        steps++;
    }
    assert_int_equal(steps, expected);
    assert_false(rrdb_stream_next(stream, &dst, &end, &end, &err)); /* there is no more */
    rrdb_stream_free(stream);
    free(dst.data);
    return steps;
}

/* The largest difference, over the largest value. */
static double compare_sizes(struct rrdb *rrdb, int height, int width)
{
    struct tensor picture = picture_new(height, width);
    struct tensor whole = plane_new(4 * height, 4 * width), rows = plane_new(4 * height, 4 * width);
    struct err err = { 0 };
    double largest = 0, difference = 0;
    if (!rrdb_run(rrdb, &picture, &whole, &err))
        compare_fail(&err);
    stream_all(rrdb, &picture, &rows);
    for (size_t i = 0; i < (size_t)3 * 16 * height * width; i++) {
        double want = ((float *)whole.data)[i], is = ((float *)rows.data)[i];
        largest = fmax(largest, fabs(want));
        difference = compare_worse(difference, fabs(want - is));
    }
    free(picture.data);
    free(whole.data);
    free(rows.data);
    assert_true(largest > 0);
    return difference / largest;
}

static void test_same_as_whole(void **state)
{
    (void)state;
    const int sizes[][2] = { { 1, 1 },   { 2, 9 },   { 89, 17 },  { 90, 5 },   { 91, 33 },
                             { 92, 64 }, { 93, 64 }, { 150, 20 }, { 271, 11 }, { 300, 3 } };
    struct fixture fixture = fixture_new(2, 4, 2, ENGINE_F32);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        double difference = compare_sizes(fixture.rrdb, sizes[i][0], sizes[i][1]);
        print_message("%d x %d: %.2g\n", sizes[i][0], sizes[i][1], difference);
        assert_true(difference < 1e-5);
    }
    fixture_free(&fixture);
}

static void test_deep(void **state)
{
    (void)state;
    struct fixture fixture = fixture_new(9, 4, 1, ENGINE_F32); /* 135 rows behind: two steps */
    assert_true(compare_sizes(fixture.rrdb, 40, 24) < 1e-5);
    assert_true(compare_sizes(fixture.rrdb, 190, 6) < 1e-5);
    fixture_free(&fixture);
}

static void test_bf16(void **state)
{
    (void)state;
    struct fixture fixture = fixture_new(2, 4, 1, ENGINE_BF16);
    if (!fixture.rrdb)
        skip();
    assert_true(compare_sizes(fixture.rrdb, 120, 24) < 2e-2);
    fixture_free(&fixture);
}

static bool third_time(void *context)
{
    return ++*(int *)context == 3;
}

static void test_cancel_and_refusals(void **state)
{
    (void)state;
    struct fixture fixture = fixture_new(2, 4, 1, ENGINE_F32),
                   half = fixture_new(1, 2, 1, ENGINE_F32);
    struct tensor picture = picture_new(200, 8);
    struct tensor dst = plane_new(4 * RRDB_STREAM_ROWS_MAX, 32), low = plane_new(40, 32);
    struct rrdb_stream_options options = {
        .width = 8, .height = 200, .read = picture_read, .context = &picture
    };
    struct rrdb_stream *stream = NULL;
    struct err err = { 0 };
    int asked = 0, first, count;
    assert_false(rrdb_stream_new(half.rrdb, &options, &stream, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_true(rrdb_stream_new(fixture.rrdb, &options, &stream, &err));
    assert_false(rrdb_stream_next(stream, &low, &first, &count, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    rrdb_watch(fixture.rrdb, third_time, &asked);
    assert_true(rrdb_stream_next(stream, &dst, &first, &count, &err));
    assert_false(rrdb_stream_next(stream, &dst, &first, &count, &err));
    assert_int_equal(err.kind, ERR_CANCELED);
    assert_int_equal(asked, 3);
    rrdb_stream_free(stream);
    free(picture.data);
    free(dst.data);
    free(low.data);
    fixture_free(&fixture);
    fixture_free(&half);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_same_as_whole),
                                        cmocka_unit_test(test_deep), cmocka_unit_test(test_bf16),
                                        cmocka_unit_test(test_cancel_and_refusals) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
