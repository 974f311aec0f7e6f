/* Template: exp, erf, tanh and the activations made of them, to f32 accuracy.
 *
 * Errors: exp about 1 unit in the last place; erf and tanh up to 4e-7; the activations up to 2e-7
 * of their argument (tests/unit/engine/matrix_test.c). The coefficients are minimax fits made for
 * this file (iteratively reweighted least squares). NaN is not expected: no operator here makes
 * one.
 *
 * Private to kernels_*.c; needs kernels_vector.h, vector_fma and vector_max. */
#ifndef MIMEO_ENGINE_KERNELS_MATH_BODY_H
#define MIMEO_ENGINE_KERNELS_MATH_BODY_H

typedef int32_t vector_int __attribute__((vector_size(4 * VECTOR_WIDTH)));

INLINE vector vector_min(vector a, vector b)
{
    vector_bits smaller = (vector_bits)(a < b);
    return (vector)(((vector_bits)a & smaller) | ((vector_bits)b & ~smaller));
}

/* e^x = 2^n e^r with |r| <= ln 2 / 2. 2^n is applied in two halves, so that results below the
 * smallest normal number are as good as f32 has them, and what is below all of them is 0. */
INLINE vector vector_exp(vector x)
{
    const vector round = vector_splat(12582912.0f); /* 1.5 * 2^23: its last bit is worth 1 */
    x = vector_max(vector_splat(-104.0f), vector_min(x, vector_splat(89.0f)));
    vector shifted = vector_fma(x, vector_splat(1.44269504f), round);
    vector n = shifted - round;
    vector r = vector_fma(n, vector_splat(-0.693359375f), x); /* 10 bits of ln 2: exact */
    r = vector_fma(n, vector_splat(2.12194440e-4f), r);       /* and the rest */
    vector p = vector_splat(1.3814599e-3f);
    p = vector_fma(p, r, vector_splat(8.3687175e-3f));
    p = vector_fma(p, r, vector_splat(4.166839e-2f));
    p = vector_fma(p, r, vector_splat(1.6666521e-1f));
    p = vector_fma(p, r, vector_splat(4.9999994e-1f));
    p = vector_fma(p, r * r, r) + vector_splat(1.0f);
    vector_int power = (vector_int)shifted - (vector_int)round, half = power >> 1;
    p *= (vector)((half + 127) << 23);
    return p * (vector)((power - half + 127) << 23);
}

/* x P(x^2) / Q(x^2); beyond 3.92 f32 knows only 1. */
INLINE vector vector_erf(vector x)
{
    x = vector_max(vector_splat(-3.92f), vector_min(x, vector_splat(3.92f)));
    vector t = x * x, p = vector_splat(2.0500802e-6f), q = vector_splat(3.809171e-5f);
    p = vector_fma(p, t, vector_splat(2.848841e-4f));
    q = vector_fma(q, t, vector_splat(1.1625488e-3f));
    p = vector_fma(p, t, vector_splat(3.7656703e-3f));
    q = vector_fma(q, t, vector_splat(1.4969324e-2f));
    p = vector_fma(p, t, vector_splat(5.274889e-2f));
    q = vector_fma(q, t, vector_splat(1.1410962e-1f));
    p = vector_fma(p, t, vector_splat(1.9040768e-1f));
    q = vector_fma(q, t, vector_splat(5.0207716e-1f));
    p = vector_fma(p, t, vector_splat(1.1283791f));
    q = vector_fma(q, t, vector_splat(1.0f));
    return x * p / q;
}

/* The same form; beyond 9.02 f32 knows only 1. */
INLINE vector vector_tanh(vector x)
{
    x = vector_max(vector_splat(-9.02f), vector_min(x, vector_splat(9.02f)));
    vector t = x * x, p = vector_splat(1.3319056e-8f), q = vector_splat(7.7620126e-7f);
    p = vector_fma(p, t, vector_splat(2.058347e-5f));
    q = vector_fma(q, t, vector_splat(3.2830916e-4f));
    p = vector_fma(p, t, vector_splat(3.4940338e-3f));
    q = vector_fma(q, t, vector_splat(2.587107e-2f));
    p = vector_fma(p, t, vector_splat(1.3379717e-1f));
    q = vector_fma(q, t, vector_splat(4.6713033e-1f));
    p = vector_fma(p, t, vector_splat(1.0f));
    q = vector_fma(q, t, vector_splat(1.0f));
    return x * p / q;
}

INLINE vector vector_sigmoid(vector x)
{
    return vector_splat(1.0f) / (vector_exp(-x) + vector_splat(1.0f));
}

INLINE vector vector_silu(vector x)
{
    return x / (vector_exp(-x) + vector_splat(1.0f));
}

INLINE vector vector_gelu(vector x)
{
    vector half = vector_splat(0.5f) * x;
    return vector_fma(half, vector_erf(x * vector_splat(0.70710678f)), half);
}

INLINE vector vector_gelu_tanh(vector x)
{
    vector half = vector_splat(0.5f) * x, cube = x * x * x;
    vector inner = vector_fma(cube, vector_splat(0.044715f), x) * vector_splat(0.79788456f);
    return vector_fma(half, vector_tanh(inner), half);
}

/* x below 0 is multiplied by the slope, whatever that is. */
INLINE vector vector_leaky(vector x, vector slope)
{
    const vector zero = vector_splat(0);
    return vector_fma(-slope, vector_max(-x, zero), vector_max(x, zero));
}

#endif
