/* Convolution against the definition, over every path: instruction sets, algorithms, threads. */
#include "unit/engine/engine_fixture.h"

#include "engine/conv.h"

#include <pthread.h>

struct conv_case {
    int in, out, height, width, kernel;
    struct conv_options options;
    bool plain_src, plain_dst, residual, in_place;
};

static int conv_case_size(const struct conv_case *c, int size)
{
    int reach = (c->kernel - 1) * c->options.dilation + 1;
    return (size + 2 * c->options.padding - reach) / c->options.stride + 1;
}

/* The definition, in double. */
static float *conv_naive(const struct conv_case *c, const float *src, const float *weights,
                         const float *bias, const float *residual)
{
    const struct conv_options *o = &c->options;
    int height = conv_case_size(c, c->height), width = conv_case_size(c, c->width);
    float *dst = malloc((size_t)c->out * height * width * sizeof *dst), *to = dst;
    assert_non_null(dst);
    for (int out = 0; out < c->out; out++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                double sum = (double)bias[out];
                for (int in = 0; in < c->in; in++)
                    for (int tap = 0; tap < c->kernel * c->kernel; tap++) {
                        int sy = y * o->stride - o->padding + tap / c->kernel * o->dilation;
                        int sx = x * o->stride - o->padding + tap % c->kernel * o->dilation;
                        if (sy < 0 || sy >= c->height || sx < 0 || sx >= c->width)
                            continue;
                        sum +=
                            (double)src[((size_t)in * c->height + sy) * c->width + sx] *
                            (double)
                                weights[((size_t)out * c->in + in) * c->kernel * c->kernel + tap];
                    }
                if (o->activation == CONV_RELU && sum < 0)
                    sum = 0;
                if (o->activation == CONV_LEAKY_RELU && sum < 0)
                    sum *= (double)o->slope;
                if (residual)
                    sum += (double)residual[to - dst];
                *to++ = (float)sum;
            }
    return dst;
}

static struct conv_case conv_case_random(void)
{
    static const int channels[] = { 1, 3, 5, 8, 15, 16, 17, 24, 32, 40, 48, 64 };
    static const int dilations[] = { 1, 1, 1, 2, 3, 4, 8 };
    struct conv_case c = { .in = channels[fixture_below(12)], .out = channels[fixture_below(12)] };
    struct conv_options *o = &c.options;
    c.kernel = (int[]){ 1, 3, 3, 3, 3, 5 }[fixture_below(6)];
    o->dilation = c.kernel == 1 ? 1 : dilations[fixture_below(7)];
    o->stride = fixture_below(4) ? 1 : 2;
    o->padding = fixture_below(5) ? (c.kernel / 2) * o->dilation : fixture_below(2);
    o->activation = (enum conv_activation)fixture_below(3);
    o->slope = 0.2f;
    int reach = (c.kernel - 1) * o->dilation + 1 - 2 * o->padding;
    int least = reach > 1 ? reach : 1;
    c.height = least + fixture_below(34);
    c.width = least + fixture_below(34);
    c.plain_src = fixture_below(6) == 0;
    c.plain_dst = !c.plain_src && fixture_below(6) == 0;
    c.residual = !c.plain_dst && fixture_below(2);
    c.in_place = fixture_below(2);
    return c;
}

static void conv_fill(struct conv_filter *filter, const float *weights, size_t count,
                      const float *bias, int out)
{
    memcpy(conv_filter_weights(filter), weights, count * sizeof *weights);
    memcpy(conv_filter_bias(filter), bias, (size_t)out * sizeof *bias);
}

/* Run one case; false when the engine says that it cannot. */
static bool conv_case_run(struct engine *engine, const struct conv_case *c, double tolerance,
                          double *ret_difference)
{
    int height = conv_case_size(c, c->height), width = conv_case_size(c, c->width);
    size_t src_count = (size_t)c->in * c->height * c->width;
    size_t dst_count = (size_t)c->out * height * width;
    size_t count = (size_t)c->out * c->in * c->kernel * c->kernel;
    float *values = fixture_floats(src_count, 1), *bias = fixture_floats((size_t)c->out, 1);
    float *weights = fixture_floats(count, 1.7f / sqrtf((float)(count / (size_t)c->out)));
    float *added = fixture_floats(dst_count, 1);
    size_t mark = engine_mark(engine);
    struct tensor src = fixture_tensor(engine, c->in, c->height, c->width);
    struct tensor dst = fixture_tensor(engine, c->out, height, width);
    struct tensor other = fixture_tensor(engine, c->out, height, width);
    if (c->plain_src)
        src.block = 1;
    if (c->plain_dst)
        dst = tensor_plain(c->out, height, width, malloc(dst_count * sizeof(float)));
    fixture_put(&src, values);
    memset(dst.data, 0xff, tensor_bytes(&dst));
    struct tensor residual = c->in_place ? dst : other;
    struct conv_options options = c->options;
    if (c->residual) {
        fixture_put(&residual, added);
        options.residual = &residual;
    }
    struct conv_filter *filter = NULL;
    struct err err = { 0 };
    assert_true(conv_filter_new(engine, &(struct conv_shape){ c->out, c->in, c->kernel, 0, false },
                                &filter, &err));
    conv_fill(filter, weights, count, bias, c->out);
    bool ok = conv_run(engine, filter, &src, &options, &dst, &err);
    if (ok) {
        float *expected = conv_naive(c, values, weights, bias, c->residual ? added : NULL);
        double difference = fixture_difference(&dst, expected);
        if (!(difference <= tolerance))
            print_error("%s %s: %d->%d %dx%d kernel %d stride %d dilation %d padding %d: %g\n",
                        engine_isa_name(engine), conv_filter_algorithm(filter), c->in, c->out,
                        c->height, c->width, c->kernel, c->options.stride, c->options.dilation,
                        c->options.padding, difference);
        assert_true(difference <= tolerance);
        assert_null(strstr(conv_filter_algorithm(filter), "ref"));
        *ret_difference = difference;
        free(expected);
    } else {
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
    }
    if (c->plain_dst)
        free(dst.data);
    conv_filter_free(filter);
    engine_release(engine, mark);
    free(values);
    free(bias);
    free(weights);
    free(added);
    return ok;
}

static void conv_cases(struct engine_options options, int count, double tolerance)
{
    struct engine *engine = fixture_engine(options);
    int done = 0;
    double difference;
    if (!engine)
        return;
    for (int i = 0; i < count; i++) {
        struct conv_case c = conv_case_random();
        done += conv_case_run(engine, &c, tolerance, &difference);
    }
    /* Only oneDNN and bf16 may refuse, and not everything. */
    if (options.algorithm == ENGINE_CONV_ONEDNN || options.precision == ENGINE_BF16)
        assert_true(engine_isa_name(engine)[0] == 'p' || done > count / 3);
    else
        assert_int_equal(done, count);
    engine_free(engine);
}

static void every_f32_path_agrees_with_the_definition(void **state)
{
    (void)state;
    for (int isa = ENGINE_ISA_BEST; isa <= ENGINE_ISA_AVX512; isa++)
        for (int algorithm = ENGINE_CONV_FASTEST; algorithm <= ENGINE_CONV_ONEDNN; algorithm++)
            for (int threads = 1; threads <= 2; threads++)
                conv_cases((struct engine_options){ .threads = threads,
                                                    .isa = (enum engine_isa)isa,
                                                    .algorithm = (enum engine_algorithm)algorithm },
                           40, 2e-5);
}

static void bf16_agrees_as_far_as_it_can(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++)
        conv_cases((struct engine_options){ .threads = threads, .precision = ENGINE_BF16 }, 40,
                   0.06);
}

static void a_reference_implementation_of_onednn_is_an_error(void **state)
{
    (void)state;
    /* A dilation of 8 on a narrow plane: oneDNN 2.6 has nothing fast for it in f32. */
    struct conv_case c = { .in = 16,
                           .out = 16,
                           .height = 32,
                           .width = 32,
                           .kernel = 3,
                           .options = { .stride = 1, .dilation = 8, .padding = 8 } };
    double difference;
    struct engine *strict =
        fixture_engine((struct engine_options){ .threads = 1, .algorithm = ENGINE_CONV_ONEDNN });
    struct engine *fastest = fixture_engine((struct engine_options){ .threads = 1 });
    /* Whatever oneDNN answers here, conv_case_run asserts that it is not `ref`. */
    (void)conv_case_run(strict, &c, 2e-5, &difference);
    assert_true(conv_case_run(fastest, &c, 2e-5, &difference));
    engine_free(strict);
    engine_free(fastest);
}

static void a_filter_keeps_its_packing_when_the_plane_changes(void **state)
{
    (void)state;
    for (int algorithm = ENGINE_CONV_WINOGRAD; algorithm <= ENGINE_CONV_ONEDNN; algorithm++) {
        struct engine *engine = fixture_engine(
            (struct engine_options){ .threads = 2, .algorithm = (enum engine_algorithm)algorithm });
        struct conv_filter *filter = NULL;
        struct err err = { 0 };
        float *weights = fixture_floats(32 * 32 * 9, 0.1f), bias[32] = { 0 };
        assert_true(
            conv_filter_new(engine, &(struct conv_shape){ 32, 32, 3, 0, false }, &filter, &err));
        conv_fill(filter, weights, 32 * 32 * 9, bias, 32);
        for (int size = 40; size >= 5; size -= 7) {
            struct conv_case c = { .in = 32,
                                   .out = 32,
                                   .height = size,
                                   .width = size + 3,
                                   .kernel = 3,
                                   .options = { .stride = 1, .dilation = 1, .padding = 1 } };
            float *values = fixture_floats(32u * (size_t)(size * (size + 3)), 1);
            float *expected = conv_naive(&c, values, weights, bias, NULL);
            struct tensor src = fixture_tensor(engine, 32, size, size + 3);
            struct tensor dst = fixture_tensor(engine, 32, size, size + 3);
            fixture_put(&src, values);
            assert_true(conv_run(engine, filter, &src, &c.options, &dst, &err));
            assert_null(conv_filter_weights(filter)); /* the published numbers are gone */
            assert_true(fixture_difference(&dst, expected) < 2e-5);
            free(values);
            free(expected);
        }
        free(weights);
        conv_filter_free(filter);
        engine_free(engine);
    }
}

static void shapes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct engine *engine = fixture_engine((struct engine_options){ .threads = 1 });
    struct conv_filter *filter = NULL;
    struct err err = { 0 };
    assert_false(
        conv_filter_new(engine, &(struct conv_shape){ 0, 16, 3, 0, false }, &filter, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_true(
        conv_filter_new(engine, &(struct conv_shape){ 16, 16, 3, 0, false }, &filter, &err));
    struct tensor src = fixture_tensor(engine, 16, 8, 8);
    struct tensor dst = fixture_tensor(engine, 16, 7, 8), wide = fixture_tensor(engine, 32, 8, 8);
    struct conv_options options = { .padding = 1 };
    assert_false(conv_run(engine, filter, &src, &options, &dst, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_false(conv_run(engine, filter, &src, &options, &wide, &err));
    assert_false(conv_run(engine, filter, &wide, &options, &src, &err));
    options.residual = &wide;
    dst = fixture_tensor(engine, 16, 8, 8);
    assert_false(conv_run(engine, filter, &src, &options, &dst, &err));
    conv_filter_free(filter);
    engine_free(engine);
}

/* Two threads with an engine each: with the library's own scratchpads this gives wrong sums. */
#define CONV_JOBS 24

static void *conv_thread(void *context)
{
    const enum engine_algorithm *algorithm = context;
    struct engine *engine = NULL;
    struct err err = { 0 };
    intptr_t wrong = 0;
    float *weights = malloc(64 * 64 * 9 * sizeof *weights), bias[64] = { 0 };
    if (!weights || !engine_new(&(struct engine_options){ .threads = 2, .algorithm = *algorithm },
                                &engine, &err))
        return (void *)(intptr_t)-1;
    for (int i = 0; i < 64 * 64 * 9; i++)
        weights[i] = (float)(i % 7) - 3;
    for (int job = 0; job < CONV_JOBS; job++) {
        struct conv_filter *filter = NULL;
        struct tensor src, dst;
        size_t mark = engine_mark(engine);
        if (!engine_tensor(engine, 64, 48, 48, &src, &err) ||
            !engine_tensor(engine, 64, 48, 48, &dst, &err) ||
            !conv_filter_new(engine, &(struct conv_shape){ 64, 64, 3, 0, false }, &filter, &err))
            return (void *)(intptr_t)-1;
        conv_fill(filter, weights, 64 * 64 * 9, bias, 64);
        for (size_t i = 0; i < tensor_bytes(&src) / 4; i++)
            ((float *)src.data)[i] = 1;
        if (!conv_run(engine, filter, &src, &(struct conv_options){ .padding = 1 }, &dst, &err))
            wrong++;
        /* In the middle of a plane of ones, each output is the sum of its weights. */
        for (int out = 0; out < 64; out++) {
            float sum = 0;
            for (int i = 0; i < 64 * 9; i++)
                sum += weights[out * 64 * 9 + i];
            wrong += fabsf(fixture_get(&dst, out, 20, 21) - sum) > 1e-2f;
        }
        conv_filter_free(filter);
        engine_release(engine, mark);
    }
    free(weights);
    engine_free(engine);
    return (void *)wrong;
}

static void engines_of_two_threads_do_not_disturb_each_other(void **state)
{
    (void)state;
    for (int i = ENGINE_CONV_WINOGRAD; i <= ENGINE_CONV_ONEDNN; i++) {
        enum engine_algorithm algorithm = (enum engine_algorithm)i;
        pthread_t threads[2];
        for (int thread = 0; thread < 2; thread++)
            assert_int_equal(pthread_create(&threads[thread], NULL, conv_thread, &algorithm), 0);
        for (int thread = 0; thread < 2; thread++) {
            void *wrong = NULL;
            pthread_join(threads[thread], &wrong);
            assert_int_equal((intptr_t)wrong, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_f32_path_agrees_with_the_definition),
        cmocka_unit_test(bf16_agrees_as_far_as_it_can),
        cmocka_unit_test(a_reference_implementation_of_onednn_is_an_error),
        cmocka_unit_test(a_filter_keeps_its_packing_when_the_plane_changes),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused),
        cmocka_unit_test(engines_of_two_threads_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
