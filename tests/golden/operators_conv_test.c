/* Every kind of filter of engine/conv.h, and sample_deformable, against PyTorch
 * (tests/reference/operators.py), on every instruction set, in f32 and bf16.
 *
 * Differences are over the largest number of a result. Measured: 8e-7 in f32, 9e-3 in bf16. */
#include "golden/operators.h"

#include "engine/conv.h"
#include "engine/sample.h"

#define FIXTURE "tests/golden/operators_conv.safetensors"

/* As in the script. */
enum {
    KIND, /* 0: convolution, 1: transposed, 2: deformable */
    IN,
    HEIGHT,
    WIDTH,
    OUT,
    KERNEL,
    GROUPS,
    STRIDE,
    DILATION,
    PADDING,
    PADDING_END,
    ACTIVATION,
    RESIDUAL,
    DST_HEIGHT,
    DST_WIDTH
};

static struct conv_filter *filter_of(const struct operators_case *c)
{
    struct conv_filter *filter = NULL;
    struct err err = { 0 };
    const struct conv_shape shape = { operators_int(c, OUT), operators_int(c, IN),
                                      operators_int(c, KERNEL), operators_int(c, GROUPS),
                                      operators_int(c, KIND) == 1 };
    if (!conv_filter_new(c->engine, &shape, &filter, &err))
        compare_fail(&err);
    size_t count = (size_t)(shape.out_channels * (shape.in_channels / shape.groups) * shape.kernel *
                            shape.kernel);
    float *weights = operators_numbers(c, "weight", count);
    float *bias = operators_numbers(c, "bias", (size_t)shape.out_channels);
    memcpy(conv_filter_weights(filter), weights, count * sizeof *weights);
    memcpy(conv_filter_bias(filter), bias, (size_t)shape.out_channels * sizeof *bias);
    free(weights);
    free(bias);
    return filter;
}

static bool convolve(const struct operators_case *c, struct conv_filter *filter,
                     const struct tensor *src, const struct tensor *dst, struct err *err)
{
    float *slopes = operators_numbers(c, "slopes", (size_t)dst->channels);
    struct tensor residual =
        operators_input(c, "residual", dst->channels, dst->height, dst->width, 1);
    const struct conv_options options = {
        .stride = operators_int(c, STRIDE),
        .dilation = operators_int(c, DILATION),
        .padding = operators_int(c, PADDING),
        .padding_end = operators_int(c, PADDING_END),
        .activation = (enum conv_activation)operators_int(c, ACTIVATION),
        .slope = 0.2f,
        .slopes = slopes,
        .residual = operators_int(c, RESIDUAL) ? &residual : NULL,
    };
    bool ok = conv_run(c->engine, filter, src, &options, dst, err);
    free(slopes);
    return ok;
}

static bool deform(const struct operators_case *c, struct conv_filter *filter,
                   const struct tensor *src, const struct tensor *dst, struct err *err)
{
    struct operators_case plain = *c;
    int taps = operators_int(c, KERNEL) * operators_int(c, KERNEL);
    plain.plain = true;
    struct tensor offset = operators_input(&plain, "offset", 2 * taps, dst->height, dst->width, 2);
    struct tensor mask = operators_input(&plain, "mask", taps, dst->height, dst->width, 1);
    return sample_deformable(c->engine, filter, src, &offset, &mask, operators_int(c, PADDING), dst,
                             err);
}

/* Largest difference over all cases. A case is run twice: the first use packs. Only oneDNN in bf16
 * may refuse, and only some. */
static double all_cases(struct engine *engine)
{
    struct weights *fixture = operators_open(FIXTURE);
    struct operators_case c = { .engine = engine, .fixture = fixture, .type = engine_type(engine) };
    double largest = 0, tolerance = engine_type(engine) == TENSOR_F32 ? 1e-5 : 2e-2;
    int index = 0, done = 0;
    for (; operators_load(&c, index); index++) {
        size_t mark = engine_mark(engine);
        struct err err = { 0 };
        struct conv_filter *filter = filter_of(&c);
        struct tensor src = operators_input(&c, "src", operators_int(&c, IN),
                                            operators_int(&c, HEIGHT), operators_int(&c, WIDTH), 1);
        bool ok = true;
        for (int round = 0; ok && round < 2; round++) {
            struct tensor dst =
                operators_tensor(&c, operators_int(&c, OUT), operators_int(&c, DST_HEIGHT),
                                 operators_int(&c, DST_WIDTH));
            ok = (operators_int(&c, KIND) == 2 ? deform : convolve)(&c, filter, &src, &dst, &err);
            if (ok)
                largest = fmax(largest, operators_compare(&c, &dst, tolerance));
            else if (err.kind != ERR_UNAVAILABLE || engine_type(engine) == TENSOR_F32)
                compare_fail(&err);
        }
        done += ok;
        conv_filter_free(filter);
        engine_release(engine, mark);
    }
    assert_true(done > 60 && index > 80);
    assert_true(done == index || engine_type(engine) == TENSOR_BF16);
    weights_close(fixture);
    return largest;
}

static void filters_in_f32_are_what_pytorch_computes(void **state)
{
    (void)state;
    for (int isa = ENGINE_ISA_PLAIN; isa <= ENGINE_ISA_AVX512; isa++) {
        struct engine *engine =
            fixture_engine((struct engine_options){ .threads = 2, .isa = (enum engine_isa)isa });
        if (!engine)
            continue;
        print_message("%s: %.1e\n", engine_isa_name(engine), all_cases(engine));
        engine_free(engine);
    }
}

static void filters_in_bf16_are_close_to_pytorch(void **state)
{
    (void)state;
    struct engine *engine =
        fixture_engine((struct engine_options){ .threads = 2, .precision = ENGINE_BF16 });
    if (!engine) {
        print_message("this machine does not compute in bf16\n");
        skip();
    }
    print_message("%s: %.1e\n", engine_isa_name(engine), all_cases(engine));
    engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_in_f32_are_what_pytorch_computes),
        cmocka_unit_test(filters_in_bf16_are_close_to_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
