/* Winograd's tiles of 4 and 6 against the definition: errors, paddings, ragged planes, slopes per
 * channel. Measured largest errors, of results up to 2.5: tiles of 4 2e-6, tiles of 6 1.3e-5 with
 * fused multiplication and 2.9e-5 without. */
#include "unit/engine/engine_fixture.h"

#include "engine/conv.h"

struct winograd_case {
    int in, out, height, width;
    struct conv_options options;
};

static int winograd_size(const struct winograd_case *c, int size)
{
    return size + 2 * c->options.padding - 2 * c->options.dilation;
}

/* The definition, in double. */
static double winograd_naive(const struct winograd_case *c, const float *src, const float *weights,
                             int out, int y, int x)
{
    const struct conv_options *o = &c->options;
    double sum = 0;
    for (int in = 0; in < c->in; in++)
        for (int tap = 0; tap < 9; tap++) {
            int sy = y - o->padding + tap / 3 * o->dilation;
            int sx = x - o->padding + tap % 3 * o->dilation;
            if (sy >= 0 && sy < c->height && sx >= 0 && sx < c->width)
                sum += (double)src[((size_t)in * c->height + sy) * c->width + sx] *
                       (double)weights[((size_t)out * c->in + in) * 9 + tap];
        }
    return sum;
}

static float *winograd_expected(const struct winograd_case *c, const float *src,
                                const float *weights, const float *bias, const float *residual)
{
    const struct conv_options *o = &c->options;
    int height = winograd_size(c, c->height), width = winograd_size(c, c->width);
    float *dst = malloc((size_t)c->out * height * width * sizeof *dst), *to = dst;
    assert_non_null(dst);
    for (int out = 0; out < c->out; out++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                double sum = (double)bias[out] + winograd_naive(c, src, weights, out, y, x);
                if (o->activation == CONV_PRELU && sum < 0)
                    sum *= (double)o->slopes[out];
                if (residual)
                    sum += (double)residual[to - dst];
                *to++ = (float)sum;
            }
    return dst;
}

/* One case with a filter that may have been packed before (NULL: make one). Returns the largest
 * difference. `in_place`: the residual is the destination. */
static double winograd_difference(struct engine *engine, const struct winograd_case *c,
                                  struct conv_filter **filter, bool in_place)
{
    int height = winograd_size(c, c->height), width = winograd_size(c, c->width);
    size_t count = (size_t)c->out * height * width, taps = (size_t)c->out * c->in * 9;
    float *src_values = fixture_floats((size_t)c->in * c->height * c->width, 1);
    float *added = fixture_floats(count, 1);
    static float *weights, *bias; /* of the filter at hand */
    size_t mark = engine_mark(engine);
    struct err err = { 0 };
    if (!*filter) {
        free(weights);
        free(bias);
        weights = fixture_floats(taps, 1.7f / sqrtf((float)c->in * 9));
        bias = fixture_floats((size_t)c->out, 1);
        assert_true(conv_filter_new(engine, &(struct conv_shape){ c->out, c->in, 3, 0, false },
                                    filter, &err));
        memcpy(conv_filter_weights(*filter), weights, taps * sizeof *weights);
        memcpy(conv_filter_bias(*filter), bias, (size_t)c->out * sizeof *bias);
    }
    struct tensor src = fixture_tensor(engine, c->in, c->height, c->width);
    struct tensor dst = fixture_tensor(engine, c->out, height, width);
    struct conv_options options = c->options;
    fixture_put(&src, src_values);
    if (in_place) {
        fixture_put(&dst, added);
        options.residual = &dst;
    }
    if (!conv_run(engine, *filter, &src, &options, &dst, &err))
        fail_msg("%s", err.detail);
    float *expected = winograd_expected(c, src_values, weights, bias, in_place ? added : NULL);
    double difference = fixture_difference(&dst, expected);
    engine_release(engine, mark);
    free(expected);
    free(src_values);
    free(added);
    return difference;
}

static double winograd_difference_once(struct engine *engine, const struct winograd_case *c,
                                       bool in_place, const char *algorithm)
{
    struct conv_filter *filter = NULL;
    double difference = winograd_difference(engine, c, &filter, in_place);
    if (algorithm)
        assert_string_equal(conv_filter_algorithm(filter), algorithm);
    conv_filter_free(filter);
    return difference;
}

static struct engine *winograd_engine(int isa, enum engine_algorithm algorithm)
{
    return fixture_engine((struct engine_options){
        .threads = 2, .isa = (enum engine_isa)isa, .algorithm = algorithm });
}

static void errors_stay_small(void **state)
{
    (void)state;
    const struct {
        struct winograd_case c;
        double tolerance;
    } cases[] = {
        { { 256, 32, 16, 16, { .dilation = 2, .padding = 2 } }, 1e-5 }, /* tiles of 4 */
        { { 64, 64, 16, 16, { .dilation = 1, .padding = 1 } }, 1e-5 },
        { { 64, 64, 61, 67, { .dilation = 1, .padding = 1 } }, 5e-5 },   /* tiles of 6, in steps */
        { { 32, 48, 90, 85, { .dilation = 1, .padding = 1 } }, 5e-5 },   /* in blocks */
        { { 16, 16, 121, 110, { .dilation = 1, .padding = 1 } }, 5e-5 }, /* weights at each use */
    };
    for (int isa = ENGINE_ISA_PLAIN; isa <= ENGINE_ISA_AVX512; isa++) {
        struct engine *engine = winograd_engine(isa, ENGINE_CONV_WINOGRAD);
        for (size_t i = 0; engine && i < sizeof cases / sizeof cases[0]; i++)
            assert_true(winograd_difference_once(engine, &cases[i].c, false, "winograd") <
                        cases[i].tolerance);
        engine_free(engine);
    }
}

static void any_padding_and_any_slopes_will_do(void **state)
{
    (void)state;
    float slopes[48] = { 0 };
    for (int isa = ENGINE_ISA_PLAIN; isa <= ENGINE_ISA_AVX512; isa++) {
        struct engine *engine = winograd_engine(isa, ENGINE_CONV_WINOGRAD);
        for (int i = 0; engine && i < 24; i++) {
            struct winograd_case c = { .in = 3 + fixture_below(40), .out = 3 + fixture_below(40) };
            c.options.dilation = fixture_below(3) ? 1 : 2 + fixture_below(2);
            c.options.padding = fixture_below(c.options.dilation + 1);
            c.height = 2 * c.options.dilation + 1 + fixture_below(i % 2 ? 100 : 20);
            c.width = 2 * c.options.dilation + 1 + fixture_below(i % 2 ? 100 : 20);
            c.options.activation = CONV_PRELU;
            c.options.slopes = slopes;
            for (int channel = 0; channel < 48; channel++)
                slopes[channel] = channel < c.out ? (float)(channel % 7) * 0.5f - 1 : 0;
            assert_true(winograd_difference_once(engine, &c, i % 3 == 0, "winograd") < 8e-5);
        }
        engine_free(engine);
    }
}

/* What is packed for a small plane serves a large one, and the other way round. */
static void a_filter_serves_planes_of_any_size(void **state)
{
    (void)state;
    static const int sizes[][4] = { { 9, 60, 130, 20 }, { 130, 9, 60, 131 } };
    struct engine *engine = winograd_engine(ENGINE_ISA_BEST, ENGINE_CONV_WINOGRAD);
    assert_non_null(engine);
    for (int order = 0; order < 2; order++) {
        struct conv_filter *filter = NULL;
        for (int i = 0; i < 4; i++) {
            int size = sizes[order][i];
            const struct winograd_case c = {
                20, 33, size, size + 1, { .dilation = 1, .padding = 1 }
            };
            assert_true(winograd_difference(engine, &c, &filter, false) < 5e-5);
        }
        conv_filter_free(filter);
    }
    engine_free(engine);
}

/* The other algorithms with slopes per channel. */
static void slopes_per_channel_are_the_same_everywhere(void **state)
{
    (void)state;
    float slopes[48];
    for (int channel = 0; channel < 48; channel++)
        slopes[channel] = channel < 40 ? (float)(channel % 7) * 0.5f - 1 : 0;
    struct winograd_case c = { .in = 32, .out = 40, .height = 30, .width = 31 };
    c.options = (struct conv_options){
        .dilation = 1, .padding = 1, .activation = CONV_PRELU, .slopes = slopes
    };
    for (int algorithm = ENGINE_CONV_DIRECT; algorithm <= ENGINE_CONV_ONEDNN; algorithm++) {
        struct engine *engine = winograd_engine(ENGINE_ISA_BEST, (enum engine_algorithm)algorithm);
        assert_non_null(engine);
        for (int in_place = 0; in_place < 2; in_place++)
            assert_true(winograd_difference_once(engine, &c, in_place, NULL) < 2e-5);
        engine_free(engine);
    }
    struct engine *halves =
        fixture_engine((struct engine_options){ .threads = 2, .precision = ENGINE_BF16 });
    if (halves)
        assert_true(winograd_difference_once(halves, &c, false, NULL) < 0.08);
    engine_free(halves);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_stay_small),
        cmocka_unit_test(any_padding_and_any_slopes_will_do),
        cmocka_unit_test(a_filter_serves_planes_of_any_size),
        cmocka_unit_test(slopes_per_channel_are_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
