/* Pooling, resizing, adding, sigmoid and conversion against their definitions. */
#include "unit/engine/engine_fixture.h"

#include "engine/plane.h"

static float at(const float *plane, int width, int y, int x)
{
    return plane[(size_t)y * width + x];
}

static float pool_naive(const float *plane, int height, int width, int y, int x)
{
    float largest = at(plane, width, 2 * y, 2 * x);
    for (int i = 1; i < 4; i++) {
        int sy = 2 * y + i / 2, sx = 2 * x + i % 2;
        if (sy < height && sx < width && at(plane, width, sy, sx) > largest)
            largest = at(plane, width, sy, sx);
    }
    return largest;
}

static double clamp(double value, double most)
{
    value = value < 0 ? 0 : value;
    return value > most ? most : value;
}

static float resize_naive(const float *plane, int height, int width, int to_height, int to_width,
                          int y, int x)
{
    double sy = clamp((y + 0.5) * height / to_height - 0.5, height - 1);
    double sx = clamp((x + 0.5) * width / to_width - 0.5, width - 1);
    int top = (int)sy, left = (int)sx;
    int bottom = top + 1 < height ? top + 1 : top, right = left + 1 < width ? left + 1 : left;
    double fy = sy - top, fx = sx - left;
    return (float)((1 - fy) * ((1 - fx) * (double)at(plane, width, top, left) +
                               fx * (double)at(plane, width, top, right)) +
                   fy * ((1 - fx) * (double)at(plane, width, bottom, left) +
                         fx * (double)at(plane, width, bottom, right)));
}

/* Pool (to_height 0) or resize one random tensor. */
static void plane_case(struct engine *engine, int channels, int height, int width, int to_height,
                       int to_width, bool plain, double tolerance)
{
    struct err err = { 0 };
    bool pool = to_height == 0;
    to_height = pool ? (height + 1) / 2 : to_height;
    to_width = pool ? (width + 1) / 2 : to_width;
    size_t mark = engine_mark(engine), count = (size_t)channels * height * width;
    float *values = fixture_floats(count, 1);
    float *expected = fixture_floats((size_t)channels * to_height * to_width, 1), *to = expected;
    struct tensor src = fixture_tensor(engine, channels, height, width);
    struct tensor dst = fixture_tensor(engine, channels, to_height, to_width);
    if (plain) {
        src = tensor_plain(channels, height, width, src.data);
        dst = tensor_plain(channels, to_height, to_width, dst.data);
    }
    fixture_put(&src, values);
    memset(dst.data, 0xff, tensor_bytes(&dst));
    for (int channel = 0; channel < channels; channel++) {
        const float *plane = values + (size_t)channel * height * width;
        for (int y = 0; y < to_height; y++)
            for (int x = 0; x < to_width; x++)
                *to++ = pool ? pool_naive(plane, height, width, y, x)
                             : resize_naive(plane, height, width, to_height, to_width, y, x);
    }
    if (pool)
        assert_true(plane_pool_max(engine, &src, &dst, &err));
    else
        assert_true(plane_resize(engine, &src, PLANE_BILINEAR, &dst, &err));
    double difference = fixture_difference(&dst, expected);
    if (difference > tolerance)
        print_error("%s: %d x %dx%d to %dx%d: %g\n", engine_isa_name(engine), channels, height,
                    width, to_height, to_width, difference);
    assert_true(difference <= tolerance);
    engine_release(engine, mark);
    free(values);
    free(expected);
}

static void add_case(struct engine *engine, int channels, bool plain, double tolerance)
{
    struct err err = { 0 };
    size_t mark = engine_mark(engine);
    int height = 1 + fixture_below(40), width = 1 + fixture_below(40);
    size_t count = (size_t)channels * height * width;
    float *left = fixture_floats(count, 1), *right = fixture_floats(count, 1);
    struct tensor a = fixture_tensor(engine, channels, height, width), b;
    b = fixture_tensor(engine, channels, height, width);
    if (plain) {
        a = tensor_plain(channels, height, width, a.data);
        b = tensor_plain(channels, height, width, b.data);
    }
    fixture_put(&a, left);
    fixture_put(&b, right);
    assert_true(plane_add(engine, &a, &b, &b, &err));
    for (size_t i = 0; i < count; i++)
        left[i] += right[i];
    assert_true(fixture_difference(&b, left) <= tolerance);
    engine_release(engine, mark);
    free(left);
    free(right);
}

static void plane_cases(struct engine_options options)
{
    struct engine *engine = fixture_engine(options);
    if (!engine)
        return;
    bool f32 = options.precision == ENGINE_F32;
    double tolerance = f32 ? 1e-5 : 0.01;
    for (int i = 0; i < 40; i++) {
        int channels = 1 + fixture_below(40), height = 1 + fixture_below(40);
        int width = 1 + fixture_below(40);
        plane_case(engine, channels, height, width, 0, 0, false, 0);
        plane_case(engine, channels, height, width, 2 * height, 2 * width, false, tolerance);
        plane_case(engine, channels, height, width, 1 + fixture_below(70), 1 + fixture_below(70),
                   false, tolerance);
        if (f32)
            plane_case(engine, 1 + fixture_below(3), height, width, 1 + fixture_below(70),
                       1 + fixture_below(70), true, tolerance);
        add_case(engine, channels, false, tolerance);
        if (f32)
            add_case(engine, channels, true, tolerance);
    }
    engine_free(engine);
}

static void every_path_agrees_with_the_definition(void **state)
{
    (void)state;
    for (int isa = ENGINE_ISA_BEST; isa <= ENGINE_ISA_AVX512; isa++)
        for (int threads = 1; threads <= 2; threads++)
            plane_cases((struct engine_options){ .threads = threads, .isa = (enum engine_isa)isa });
    for (int threads = 1; threads <= 2; threads++)
        plane_cases((struct engine_options){ .threads = threads, .precision = ENGINE_BF16 });
}

static void sigmoid_saturates_without_nan(void **state)
{
    (void)state;
    struct engine *engine = fixture_engine((struct engine_options){ .threads = 2 });
    struct err err = { 0 };
    float values[] = { 0, 1, -1, 200, -200, INFINITY, -INFINITY };
    const float expected[] = { 0.5f, 0.7310586f, 0.2689414f, 1, 0, 1, 0 };
    struct tensor tensor = tensor_plain(1, 1, 7, values);
    assert_true(plane_activate(engine, &tensor, PLANE_SIGMOID, 0, &tensor, &err));
    for (int i = 0; i < 7; i++)
        assert_true(fabsf(values[i] - expected[i]) < 1e-6f);
    engine_free(engine);
}

static void conversion_there_and_back_changes_nothing(void **state)
{
    (void)state;
    for (int isa = ENGINE_ISA_PLAIN; isa <= ENGINE_ISA_AVX512; isa++) {
        struct engine *engine =
            fixture_engine((struct engine_options){ .threads = 2, .isa = (enum engine_isa)isa });
        struct err err = { 0 };
        if (!engine)
            continue;
        for (int channels = 1; channels < 40; channels += 3) {
            size_t count = (size_t)channels * 7 * 9;
            float *values = fixture_floats(count, 1), *back = fixture_floats(count, 1);
            struct tensor plain = tensor_plain(channels, 7, 9, values);
            struct tensor again = tensor_plain(channels, 7, 9, back);
            struct tensor blocked = fixture_tensor(engine, channels, 7, 9);
            struct tensor half = blocked;
            half.type = TENSOR_BF16;
            assert_true(plane_convert(engine, &plain, &blocked, &err));
            assert_true(fixture_difference(&blocked, values) == 0.0);
            assert_true(plane_convert(engine, &blocked, &again, &err));
            assert_memory_equal(values, back, count * sizeof *values);
            assert_true(plane_convert(engine, &plain, &half, &err));
            assert_true(fixture_difference(&half, values) <= 1.0 / 256);
            free(values);
            free(back);
        }
        engine_free(engine);
    }
}

static void shapes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct engine *engine = fixture_engine((struct engine_options){ .threads = 1 });
    struct err err = { 0 };
    struct tensor a = fixture_tensor(engine, 16, 9, 9), b = fixture_tensor(engine, 16, 4, 4);
    struct tensor c = fixture_tensor(engine, 32, 5, 5);
    assert_false(plane_pool_max(engine, &a, &b, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_false(plane_pool_max(engine, &a, &c, &err));
    assert_false(plane_resize(engine, &a, PLANE_BILINEAR, &c, &err));
    assert_false(plane_add(engine, &a, &a, &b, &err));
    assert_false(plane_convert(engine, &a, &b, &err));
    engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_agrees_with_the_definition),
        cmocka_unit_test(sigmoid_saturates_without_nan),
        cmocka_unit_test(conversion_there_and_back_changes_nothing),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
