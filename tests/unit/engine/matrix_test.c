/* What matrices, linear layers, norms and attention refuse, and what they leave alone. That they
 * compute what they should: tests/golden/operators_matrix_test.c. */
#include "unit/engine/engine_fixture.h"

#include "engine/attention.h"
#include "engine/matrix.h"
#include "engine/norm.h"

static struct engine *engine;

static struct matrix fresh(int rows, int columns)
{
    struct matrix matrix;
    struct err err = { 0 };
    assert_true(engine_matrix(engine, rows, columns, &matrix, &err));
    for (size_t i = 0; i < (size_t)rows * matrix.stride; i++)
        matrix.data[i] = fixture_float(1);
    return matrix;
}

static void refused(bool ok, struct err *err)
{
    assert_false(ok);
    assert_int_equal(err->kind, ERR_INVALID);
    *err = (struct err){ 0 };
}

static void sides_are_checked(void **state)
{
    struct err err = { 0 };
    struct matrix matrix;
    struct linear *linear;
    (void)state;
    refused(engine_matrix(engine, 0, 4, &matrix, &err), &err);
    refused(engine_matrix(engine, 4, -1, &matrix, &err), &err);
    refused(engine_matrix(engine, 1 << 21, 1, &matrix, &err), &err);
    refused(linear_new(engine, 0, 4, &linear, &err), &err);
    refused(linear_new(engine, 4, 1 << 20, &linear, &err), &err);
    matrix = fresh(5, 17);
    assert_int_equal(matrix.stride % 16, 0);
    assert_int_equal((uintptr_t)matrix.data % 64, 0);
    struct matrix slice = matrix_slice(&matrix, 3, 9);
    assert_ptr_equal(slice.data, matrix.data + 3);
    assert_int_equal(slice.columns, 9);
    assert_int_equal(slice.stride, matrix.stride);
}

static void shapes_that_do_not_fit_are_refused(void **state)
{
    struct err err = { 0 };
    struct matrix a = fresh(6, 10), b = fresh(6, 10), c = fresh(7, 10), d = fresh(6, 11);
    struct matrix bent = a;
    struct tensor tensor = fixture_tensor(engine, 10, 2, 3);
    struct tensor other = fixture_tensor(engine, 10, 3, 3);
    (void)state;
    refused(matrix_add(engine, &a, &c, &b, &err), &err);
    refused(matrix_add(engine, &a, &d, &b, &err), &err);
    refused(matrix_add(engine, &a, &b, &d, &err), &err);
    refused(matrix_multiply_transposed(engine, &a, &d, &b, &err), &err);
    refused(matrix_multiply_transposed(engine, &a, &c, &b, &err), &err);
    refused(matrix_from_tensor(engine, &other, &a, &err), &err);
    refused(matrix_from_tensor(engine, &tensor, &d, &err), &err);
    refused(matrix_to_tensor(engine, &c, &tensor, &err), &err);
    bent.stride = 9;
    refused(matrix_add(engine, &bent, &b, &a, &err), &err);
    refused(norm_rows(engine, &a, a.data, a.data, 0, &c, &err), &err);
    assert_true(matrix_from_tensor(engine, &tensor, &a, &err));
}

static void linear_refuses_what_does_not_fit(void **state)
{
    struct err err = { 0 };
    struct matrix x = fresh(6, 10), y = fresh(6, 7), wrong = fresh(6, 8), less = fresh(5, 7);
    struct linear *linear = NULL;
    (void)state;
    assert_true(linear_new(engine, 7, 10, &linear, &err));
    assert_int_equal(linear_bytes(linear), 7 * 10 * sizeof(float));
    refused(linear_run(engine, linear, &y, LINEAR_NONE, NULL, &y, &err), &err);
    refused(linear_run(engine, linear, &x, LINEAR_NONE, NULL, &wrong, &err), &err);
    refused(linear_run(engine, linear, &x, LINEAR_NONE, NULL, &less, &err), &err);
    refused(linear_run(engine, linear, &x, LINEAR_NONE, &wrong, &y, &err), &err);
    assert_non_null(linear_weights(linear)); /* a refusal packs nothing */
    assert_non_null(linear_bias(linear));
    linear_bias(linear)[6] = 3;
    assert_true(linear_run(engine, linear, &x, LINEAR_NONE, NULL, &y, &err));
    assert_null(linear_weights(linear));
    assert_null(linear_bias(linear));
    for (int row = 0; row < 6; row++)
        for (int column = 0; column < 7; column++)
            assert_true(y.data[row * y.stride + column] == (column == 6 ? 3 : 0));
    linear_free(linear);
    linear_free(NULL);
}

static void norms_refuse_what_does_not_fit(void **state)
{
    struct err err = { 0 };
    float ones[16] = { 0 };
    struct norm_group norm = { .groups = 3, .scale = ones, .shift = ones, .eps = 1e-5f };
    struct tensor a = fixture_tensor(engine, 10, 2, 3), b = fixture_tensor(engine, 10, 3, 2);
    struct tensor plain = tensor_plain(10, 2, 3, a.data);
    (void)state;
    refused(norm_layer(engine, &a, ones, ones, 0, &b, &err), &err);
    refused(norm_layer(engine, &plain, ones, ones, 0, &plain, &err), &err);
    refused(norm_group(engine, &a, &norm, &a, &err), &err);
    norm.groups = 0;
    refused(norm_group(engine, &a, &norm, &a, &err), &err);
    norm.groups = 5;
    refused(norm_group(engine, &a, &norm, &b, &err), &err);
}

static void attention_refuses_what_does_not_fit(void **state)
{
    struct err err = { 0 };
    struct matrix q = fresh(6, 12), k = fresh(9, 12), v = fresh(9, 8), y = fresh(6, 8);
    struct attention attention = { .heads = 4 };
    (void)state;
    assert_true(attention_run(engine, &q, &k, &v, &attention, &y, &err));
    refused(attention_run(engine, &q, &v, &v, &attention, &y, &err), &err);
    refused(attention_run(engine, &q, &k, &q, &attention, &q, &err), &err);
    refused(attention_run(engine, &q, &k, &v, &attention, &q, &err), &err);
    refused(attention_run(engine, &q, &k, &v, &attention, &v, &err), &err);
    attention.heads = 3;
    refused(attention_run(engine, &q, &k, &v, &attention, &y, &err), &err);
    attention.heads = 0;
    refused(attention_run(engine, &q, &k, &v, &attention, &y, &err), &err);
}

/* The result of a product does not depend on who computed which part of it. */
static void threads_change_nothing(void **state)
{
    struct err err = { 0 };
    struct matrix a = fresh(211, 1000), b = fresh(130, 1000);
    struct matrix one = fresh(211, 130), two = fresh(211, 130);
    struct engine *other = fixture_engine((struct engine_options){ .threads = 1 });
    (void)state;
    assert_non_null(other);
    assert_true(matrix_multiply_transposed(engine, &a, &b, &two, &err));
    assert_true(matrix_multiply_transposed(other, &a, &b, &one, &err));
    for (int row = 0; row < 211; row++)
        assert_memory_equal(one.data + (size_t)row * one.stride,
                            two.data + (size_t)row * two.stride, 130 * sizeof(float));
    engine_free(other);
}

/* Activations are functions of one number: a layer of one weight 1 shows them. Against f64. */
static void activations_are_exact_to_f32(void **state)
{
    static const enum engine_isa isas[] = { ENGINE_ISA_AVX512, ENGINE_ISA_AVX2, ENGINE_ISA_PLAIN };
    enum { COUNT = 40000 };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct engine *of = fixture_engine((struct engine_options){ .isa = isas[i] });
        struct err err = { 0 };
        struct matrix x, y;
        if (!of)
            continue;
        assert_true(engine_matrix(of, COUNT, 1, &x, &err) && engine_matrix(of, COUNT, 1, &y, &err));
        for (int row = 0; row < COUNT; row++)
            x.data[(size_t)row * x.stride] = (float)row / 1000 - 20;
        for (enum linear_activation kind = LINEAR_SILU; kind <= LINEAR_GELU_TANH; kind++) {
            struct linear *linear = NULL;
            double worst = 0;
            assert_true(linear_new(of, 1, 1, &linear, &err));
            linear_weights(linear)[0] = 1;
            assert_true(linear_run(of, linear, &x, kind, NULL, &y, &err));
            linear_free(linear);
            for (int row = 0; row < COUNT; row++) {
                double v = (double)x.data[(size_t)row * x.stride];
                double inner = 0.79788456080286536 * (v + 0.044715 * v * v * v);
                double exact = kind == LINEAR_SILU   ? v / (1 + exp(-v))
                               : kind == LINEAR_GELU ? v * (1 + erf(v * 0.70710678118654752)) / 2
                                                     : v * (1 + tanh(inner)) / 2;
                double got = (double)y.data[(size_t)row * y.stride];
                assert_true(isfinite(got));
                worst = fmax(worst, fabs(got - exact) / fmax(fabs(v), 1e-3));
            }
            print_message("%s, activation %d: %.2g of x\n", engine_isa_name(of), (int)kind, worst);
            assert_true(worst < 3e-7); /* measured 2e-7, and 1e-7 for silu */
        }
        engine_free(of);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sides_are_checked),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused),
        cmocka_unit_test(linear_refuses_what_does_not_fit),
        cmocka_unit_test(norms_refuse_what_does_not_fit),
        cmocka_unit_test(attention_refuses_what_does_not_fit),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(activations_are_exact_to_f32),
    };
    engine = fixture_engine((struct engine_options){ .threads = 2 });
    int failures = engine ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    engine_free(engine);
    return failures;
}
