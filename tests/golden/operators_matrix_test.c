/* Linear layers, matrix products, norms and attention against PyTorch
 * (tests/reference/operators_matrix.py), with every instruction set of the machine, one thread and
 * two, f32 and bf16. */
#include "golden/compare.h"
#include "golden/seeded.h"

#include "engine/attention.h"
#include "engine/engine_private.h"
#include "engine/matrix.h"
#include "engine/norm.h"

/* Differences relative to the largest value. */
#define LIMIT_F32 1e-5  /* measured 5e-6 (layer norms far from zero), 1.5e-6 (the others) */
#define LIMIT_BF16 2e-2 /* measured 5e-3 */

static struct engine *engine;
static double limit;
static struct weights *fixture;

struct linear_case {
    int rows, inputs, outputs;
    enum linear_activation activation;
    bool residual;
};

static const struct linear_case linear_cases[] = {
    { 1, 16, 16, LINEAR_NONE, false },     { 13, 45, 53, LINEAR_RELU, true },
    { 17, 45, 53, LINEAR_SILU, false },    { 19, 33, 51, LINEAR_GELU, true },
    { 9, 20, 31, LINEAR_GELU_TANH, true }, { 7, 1, 1, LINEAR_NONE, false },
    { 5, 3, 2, LINEAR_GELU, false },       { 130, 1600, 37, LINEAR_GELU, true },
    { 97, 64, 40, LINEAR_SILU, false },    { 250, 770, 530, LINEAR_GELU_TANH, false },
};

struct attention_case {
    int heads, queries, keys, columns, values;
    float scale;
    bool bias;
};

static const struct attention_case attention_cases[] = {
    { 1, 1, 1, 4, 4, 0, false },       { 2, 5, 7, 8, 8, 0, true },
    { 3, 50, 65, 20, 9, 0.3f, true },  { 8, 100, 1040, 32, 32, 0, false },
    { 4, 256, 256, 64, 64, 0, false }, { 1, 49, 530, 130, 40, 0, true },
};

struct group_case {
    int channels, height, width, groups;
};

static const struct group_case group_cases[] = {
    { 32, 5, 7, 32 }, { 48, 9, 4, 6 }, { 20, 3, 3, 5 }, { 64, 70, 66, 32 }, { 7, 2, 5, 1 },
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* As `matrix` in the script. */
static void seeded_matrix(const char *family, size_t number, const char *what, int rows,
                          int columns, double scale, float *ret_values)
{
    struct key key = { .rank = 2, .shape = { rows, columns } };
    size_t count = (size_t)rows * (size_t)columns;
    snprintf(key.name, sizeof key.name, "%s.%zu.%s", family, number, what);
    seeded_values(&key, ret_values, count);
    for (size_t i = 0; i < count; i++)
        ret_values[i] = (float)((double)ret_values[i] * scale * sqrt(columns / 3.0));
}

/* A matrix of the arena with seeded numbers. */
static struct matrix matrix_seeded(const char *family, size_t number, const char *what, int rows,
                                   int columns, double scale)
{
    struct matrix matrix;
    struct err err = { 0 };
    float *values = malloc((size_t)rows * (size_t)columns * sizeof *values);
    assert_non_null(values);
    if (!engine_matrix(engine, rows, columns, &matrix, &err))
        compare_fail(&err);
    seeded_matrix(family, number, what, rows, columns, scale, values);
    for (int row = 0; row < rows; row++)
        memcpy(matrix.data + (size_t)row * matrix.stride, values + (size_t)row * columns,
               (size_t)columns * sizeof *values);
    free(values);
    return matrix;
}

static struct matrix matrix_new(int rows, int columns)
{
    struct matrix matrix;
    struct err err = { 0 };
    if (!engine_matrix(engine, rows, columns, &matrix, &err))
        compare_fail(&err);
    for (size_t i = 0; i < (size_t)rows * matrix.stride; i++)
        matrix.data[i] = 12345; /* what stands between the rows must stay */
    return matrix;
}

static void expect(double difference, double most, const char *name)
{
    if (!(difference <= most))
        fail_msg("%s: differs by %g, at most %g is expected (%s)", name, difference, most,
                 engine_isa_name(engine));
}

static void expect_matrix(const struct matrix *matrix, const char *family, size_t number,
                          double most)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%zu", family, number);
    size_t columns = (size_t)matrix->columns;
    float *values = malloc((size_t)matrix->rows * columns * sizeof *values);
    assert_non_null(values);
    for (int row = 0; row < matrix->rows; row++) {
        const float *from = matrix->data + (size_t)row * matrix->stride;
        memcpy(values + (size_t)row * columns, from, columns * sizeof *values);
        for (int i = matrix->columns; i < matrix->stride; i++)
            assert_true(from[i] == 12345);
    }
    struct tensor tensor = tensor_plain(1, matrix->rows, matrix->columns, values);
    expect(compare_samples(fixture, name, &tensor), most, name);
    free(values);
}

static void check_linear(size_t number)
{
    const struct linear_case *c = &linear_cases[number];
    struct err err = { 0 };
    struct linear *linear = NULL;
    size_t mark = engine_mark(engine);
    struct matrix x = matrix_seeded("linear", number, "x", c->rows, c->inputs, 3);
    struct matrix w =
        matrix_seeded("linear", number, "w", c->outputs, c->inputs, 2 / sqrt(c->inputs));
    struct matrix y = matrix_new(c->rows, c->outputs);
    if (!linear_new(engine, c->outputs, c->inputs, &linear, &err))
        compare_fail(&err);
    seeded_matrix("linear", number, "w", c->outputs, c->inputs, 2 / sqrt(c->inputs),
                  linear_weights(linear));
    seeded_matrix("linear", number, "b", 1, c->outputs, 1, linear_bias(linear));
    for (int run = 0; run < 2; run++) { /* the second with packed weights */
        struct matrix r = matrix_seeded("linear", number, "r", c->rows, c->outputs, 1);
        if (run == 1) /* and with a residual that is the destination */
            for (int row = 0; row < c->rows; row++)
                memcpy(y.data + (size_t)row * y.stride, r.data + (size_t)row * r.stride,
                       (size_t)c->outputs * sizeof *y.data);
        if (!linear_run(engine, linear, &x, c->activation, c->residual ? (run ? &y : &r) : NULL, &y,
                        &err))
            compare_fail(&err);
        expect_matrix(&y, "linear", number, limit);
        assert_null(linear_weights(linear));
    }
    linear_free(linear);
    y = matrix_new(c->rows, c->outputs);
    if (!matrix_multiply_transposed(engine, &x, &w, &y, &err))
        compare_fail(&err);
    expect_matrix(&y, "multiply", number, LIMIT_F32);
    engine_release(engine, mark);
}

static void check_rows(size_t number)
{
    const struct linear_case *c = &linear_cases[number];
    struct err err = { 0 };
    size_t mark = engine_mark(engine);
    struct matrix x = matrix_seeded("linear", number, "x", c->rows, c->inputs, 3);
    struct matrix s = matrix_seeded("linear", number, "s", 1, c->inputs, 2);
    struct matrix t = matrix_seeded("linear", number, "t", 1, c->inputs, 1);
    struct matrix y = matrix_new(c->rows, c->inputs), tens = matrix_new(1, c->inputs);
    for (int i = 0; i < c->inputs; i++)
        tens.data[i] = 10;
    if (!matrix_add(engine, &x, &tens, &x, &err) ||
        !norm_rows(engine, &x, s.data, t.data, 1e-6f, &y, &err))
        compare_fail(&err);
    expect_matrix(&y, "rows", number, LIMIT_F32);
    engine_release(engine, mark);
}

static void check_attention(size_t number)
{
    const struct attention_case *c = &attention_cases[number];
    struct err err = { 0 };
    size_t mark = engine_mark(engine);
    struct matrix q = matrix_seeded("attention", number, "q", c->queries, c->heads * c->columns, 2);
    struct matrix k = matrix_seeded("attention", number, "k", c->keys, c->heads * c->columns, 2);
    struct matrix v = matrix_seeded("attention", number, "v", c->keys, c->heads * c->values, 2);
    struct matrix y = matrix_new(c->queries, c->heads * c->values);
    struct attention attention = { .heads = c->heads, .scale = c->scale };
    size_t scores = (size_t)c->heads * (size_t)c->queries * (size_t)c->keys;
    float *bias = NULL;
    if (c->bias) {
        bias = malloc(scores * sizeof *bias);
        assert_non_null(bias);
        seeded_matrix("attention", number, "bias", c->heads * c->queries, c->keys, 3, bias);
    }
    attention.bias = bias;
    if (!attention_run(engine, &q, &k, &v, &attention, &y, &err))
        compare_fail(&err);
    expect_matrix(&y, "attention", number, LIMIT_F32);
    if (c->columns == c->values) {
        if (!attention_run(engine, &q, &k, &v, &attention, &q, &err))
            compare_fail(&err);
        for (int row = 0; row < q.rows; row++)
            assert_memory_equal(q.data + (size_t)row * q.stride, y.data + (size_t)row * y.stride,
                                (size_t)q.columns * sizeof(float));
    }
    for (size_t i = 0; bias && i < scores; i++)
        bias[i] = -INFINITY;
    if (!attention_run(engine, &q, &k, &v, &attention, &y, &err))
        compare_fail(&err);
    for (int column = 0; bias && column < y.columns; column++)
        assert_true(y.data[column] == 0);
    free(bias);
    engine_release(engine, mark);
}

/* A tensor of the engine's type from plain numbers, by way of a matrix: [pixel][channel]. */
static struct tensor tensor_from(const float *values, int channels, int height, int width)
{
    struct tensor tensor;
    struct err err = { 0 };
    struct matrix matrix = matrix_new(height * width, channels);
    for (int pixel = 0; pixel < height * width; pixel++)
        for (int channel = 0; channel < channels; channel++)
            matrix.data[(size_t)pixel * matrix.stride + channel] =
                values[(size_t)channel * height * width + pixel];
    if (!engine_tensor(engine, channels, height, width, &tensor, &err) ||
        !matrix_to_tensor(engine, &matrix, &tensor, &err))
        compare_fail(&err);
    if (tensor.type == TENSOR_F32) {
        struct matrix back = matrix_new(height * width, channels);
        if (!matrix_from_tensor(engine, &tensor, &back, &err))
            compare_fail(&err);
        assert_memory_equal(back.data, matrix.data,
                            (size_t)back.rows * back.stride * sizeof(float));
    }
    return tensor;
}

static void expect_tensor(const struct tensor *tensor, const char *family, size_t number)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%zu", family, number);
    expect(compare_samples(fixture, name, tensor), limit, name);
    size_t pixels = (size_t)tensor->height * (size_t)tensor->width;
    struct tensor whole = *tensor;
    whole.channels = tensor_blocks(tensor) * tensor->block;
    for (size_t i = (size_t)tensor->channels * pixels; i < whole.channels * pixels; i++)
        assert_true(compare_at(&whole, i) == 0); /* padding lanes stay zero */
}

static void check_group(size_t number)
{
    const struct group_case *c = &group_cases[number];
    struct err err = { 0 };
    size_t mark = engine_mark(engine);
    float scale[64] = { 0 }, shift[64] = { 0 };
    struct norm_group norm = { .groups = c->groups, .scale = scale, .shift = shift, .eps = 1e-6f };
    int pixels = c->height * c->width;
    float *values = malloc((size_t)c->channels * (size_t)pixels * sizeof *values);
    assert_non_null(values);
    seeded_matrix("group", number, "x", c->channels, pixels, 1, values);
    seeded_matrix("group", number, "s", 1, c->channels, 2, scale);
    seeded_matrix("group", number, "t", 1, c->channels, 1, shift);
    /* bf16 has no room for a mean of 30 and a spread of 1: there, the spread alone. */
    for (int i = 0; engine_type(engine) == TENSOR_F32 && i < c->channels * pixels; i++)
        values[i] += 30;
    struct tensor src = tensor_from(values, c->channels, c->height, c->width);
    struct tensor dst = tensor_from(values, c->channels, c->height, c->width);
    free(values);
    if (!norm_group(engine, &src, &norm, &dst, &err))
        compare_fail(&err);
    expect_tensor(&dst, "group", number);
    if (!norm_layer(engine, &src, scale, shift, 1e-6f, &dst, &err))
        compare_fail(&err);
    expect_tensor(&dst, "layer", number);
    norm.silu = true;
    if (!norm_group(engine, &src, &norm, &src, &err))
        compare_fail(&err);
    expect_tensor(&src, "silu", number);
    engine_release(engine, mark);
}

static void check_all(void)
{
    for (size_t i = 0; i < COUNT(linear_cases); i++)
        check_linear(i);
    for (size_t i = 0; i < COUNT(linear_cases); i++)
        check_rows(i);
    for (size_t i = 0; i < COUNT(attention_cases); i++)
        check_attention(i);
    for (size_t i = 0; i < COUNT(group_cases); i++)
        check_group(i);
}

static void check_engine(enum engine_isa isa, enum engine_precision precision)
{
    struct err err = { 0 };
    if (!weights_open("tests/golden/operators_matrix.safetensors", &fixture, &err))
        compare_fail(&err);
    for (int threads = 1; threads <= 2; threads++) {
        struct engine_options options = { .threads = threads, .isa = isa, .precision = precision };
        if (!engine_new(&options, &engine, &err)) {
            assert_int_equal(err.kind, ERR_UNAVAILABLE);
            print_message("not on this machine: %s\n", err.detail);
            break;
        }
        limit = precision == ENGINE_BF16 ? LIMIT_BF16 : LIMIT_F32;
        check_all();
        engine_free(engine);
    }
    weights_close(fixture);
}

static void avx512_is_torchs(void **state)
{
    (void)state;
    check_engine(ENGINE_ISA_AVX512, ENGINE_F32);
}

static void avx2_is_torchs(void **state)
{
    (void)state;
    check_engine(ENGINE_ISA_AVX2, ENGINE_F32);
}

static void plain_is_torchs(void **state)
{
    (void)state;
    check_engine(ENGINE_ISA_PLAIN, ENGINE_F32);
}

static void bf16_is_nearly_torchs(void **state)
{
    (void)state;
    check_engine(ENGINE_ISA_BEST, ENGINE_BF16);
}

/* What a CPU without products of bf16 pairs does, on any CPU. */
static void bf16_widened_is_nearly_torchs(void **state)
{
    static const enum engine_isa isas[] = { ENGINE_ISA_AVX512, ENGINE_ISA_AVX2, ENGINE_ISA_PLAIN };
    struct err err = { 0 };
    (void)state;
    if (!weights_open("tests/golden/operators_matrix.safetensors", &fixture, &err))
        compare_fail(&err);
    for (size_t i = 0; i < COUNT(isas); i++) {
        struct engine_options options = { .threads = 2, .isa = isas[i] };
        if (!engine_new(&options, &engine, &err)) {
            assert_int_equal(err.kind, ERR_UNAVAILABLE);
            continue;
        }
        engine->precision = ENGINE_BF16;
        engine->product_pairs = NULL;
        limit = LIMIT_BF16;
        check_all();
        engine_free(engine);
    }
    weights_close(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(avx512_is_torchs),
        cmocka_unit_test(avx2_is_torchs),
        cmocka_unit_test(plain_is_torchs),
        cmocka_unit_test(bf16_is_nearly_torchs),
        cmocka_unit_test(bf16_widened_is_nearly_torchs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
