/* Template: arithmetic on runs of elements and activations, in f32 or bf16.
 *
 * A run of f32 may have any length; one of bf16 is whole vectors.
 *
 * Private to kernels_*.c; needs kernels_vector.h, vector_fma and vector_max. */

#include "engine/kernels_math_body.h"

/* a where the mask's bits are set, else b. */
INLINE vector vector_select(vector_bits mask, vector a, vector b)
{
    return (vector)(((vector_bits)a & mask) | ((vector_bits)b & ~mask));
}

/* All bits set in the lanes below `lanes`. */
INLINE vector_bits vector_mask(int lanes)
{
    uint32_t bits[VECTOR_WIDTH];
    vector_bits mask;
    for (int i = 0; i < VECTOR_WIDTH; i++)
        bits[i] = i < lanes ? ~0u : 0;
    memcpy(&mask, bits, sizeof mask);
    return mask;
}

/* The elements of a run that are left over after its last whole vector. */
INLINE vector arithmetic_load_rest(const void *from, size_t index, size_t count)
{
    vector v = vector_splat(0);
    memcpy(&v, (const float *)from + index, (count - index) * sizeof(float));
    return v;
}

INLINE void arithmetic_store_rest(void *to, size_t index, size_t count, vector v)
{
    memcpy((float *)to + index, &v, (count - index) * sizeof(float));
}

INLINE void add_as(const void *a, const void *b, void *dst, size_t count, enum tensor_type type)
{
    size_t i = 0;
    for (; i + VECTOR_WIDTH <= count; i += VECTOR_WIDTH)
        vector_store_as(type, dst, i, vector_load_as(type, a, i) + vector_load_as(type, b, i));
    if (i < count)
        arithmetic_store_rest(
            dst, i, count, arithmetic_load_rest(a, i, count) + arithmetic_load_rest(b, i, count));
}

static void add(enum tensor_type type, const void *a, const void *b, void *dst, size_t count)
{
    if (type == TENSOR_F32)
        add_as(a, b, dst, count, TENSOR_F32);
    else
        add_as(a, b, dst, count, TENSOR_BF16);
}

INLINE void multiply_as(const void *a, const void *b, void *dst, size_t count,
                        enum tensor_type type)
{
    size_t i = 0;
    for (; i + VECTOR_WIDTH <= count; i += VECTOR_WIDTH)
        vector_store_as(type, dst, i, vector_load_as(type, a, i) * vector_load_as(type, b, i));
    if (i < count)
        arithmetic_store_rest(
            dst, i, count, arithmetic_load_rest(a, i, count) * arithmetic_load_rest(b, i, count));
}

static void multiply(enum tensor_type type, const void *a, const void *b, void *dst, size_t count)
{
    if (type == TENSOR_F32)
        multiply_as(a, b, dst, count, TENSOR_F32);
    else
        multiply_as(a, b, dst, count, TENSOR_BF16);
}

INLINE void transform_as(const void *src, const void *scale, const void *shift, void *dst,
                         size_t count, enum tensor_type type)
{
    size_t i = 0;
    for (; i + VECTOR_WIDTH <= count; i += VECTOR_WIDTH)
        vector_store_as(type, dst, i,
                        vector_fma(vector_load_as(type, src, i), vector_load_as(type, scale, i),
                                   vector_load_as(type, shift, i)));
    if (i < count)
        arithmetic_store_rest(dst, i, count,
                              vector_fma(arithmetic_load_rest(src, i, count),
                                         arithmetic_load_rest(scale, i, count),
                                         arithmetic_load_rest(shift, i, count)));
}

static void transform(enum tensor_type type, const void *src, const void *scale, const void *shift,
                      void *dst, size_t count)
{
    if (type == TENSOR_F32)
        transform_as(src, scale, shift, dst, count, TENSOR_F32);
    else
        transform_as(src, scale, shift, dst, count, TENSOR_BF16);
}

INLINE vector activate_vector(vector x, const enum kernels_function function, vector slope)
{
    switch (function) {
    case KERNELS_LEAKY_RELU:
        return vector_select((vector_bits)(x > 0), x, x * slope);
    case KERNELS_SILU:
        return vector_silu(x);
    case KERNELS_GELU:
        return vector_gelu(x);
    case KERNELS_GELU_TANH:
        return vector_gelu_tanh(x);
    case KERNELS_SIGMOID:
        return vector_sigmoid(x);
    case KERNELS_TANH:
        return vector_tanh(x);
    }
    return x;
}

INLINE void activate_as(const struct kernels_activate *work, const void *src, void *dst,
                        size_t count, const enum kernels_function function,
                        const enum tensor_type type)
{
    vector slope = vector_splat(work->slope);
    vector_bits mask = vector_mask(work->lanes);
    size_t i = 0;
    for (; i + VECTOR_WIDTH <= count; i += VECTOR_WIDTH) {
        vector value = activate_vector(vector_load_as(type, src, i), function, slope);
        vector_store_as(type, dst, i, (vector)((vector_bits)value & mask));
    }
    if (i < count)
        arithmetic_store_rest(
            dst, i, count, activate_vector(arithmetic_load_rest(src, i, count), function, slope));
}

static void activate(enum tensor_type type, const struct kernels_activate *work, const void *src,
                     void *dst, size_t count)
{
    switch (work->function) {
#define ACTIVATE_CASE(function)                                                                    \
    case function:                                                                                 \
        if (type == TENSOR_F32)                                                                    \
            activate_as(work, src, dst, count, function, TENSOR_F32);                              \
        else                                                                                       \
            activate_as(work, src, dst, count, function, TENSOR_BF16);                             \
        break
        ACTIVATE_CASE(KERNELS_LEAKY_RELU);
        ACTIVATE_CASE(KERNELS_SILU);
        ACTIVATE_CASE(KERNELS_GELU);
        ACTIVATE_CASE(KERNELS_GELU_TANH);
        ACTIVATE_CASE(KERNELS_SIGMOID);
        ACTIVATE_CASE(KERNELS_TANH);
#undef ACTIVATE_CASE
    }
}

INLINE void affine_as(const struct kernels_affine *affine, const void *src, void *dst, int pixels,
                      const enum tensor_type type)
{
    vector scale = affine->scale ? vector_load(affine->scale) : vector_splat(1);
    vector bias = affine->bias ? vector_load(affine->bias) : vector_splat(0);
    vector slope = vector_splat(affine->slope);
    vector_bits mask = vector_mask(affine->lanes);
    for (int x = 0; x < pixels; x++) {
        size_t at = (size_t)x * VECTOR_WIDTH;
        vector value = vector_fma(vector_load_as(type, src, at), scale, bias);
        if (affine->map)
            value += vector_splat(affine->map[x] * affine->map_weight);
        value = vector_select((vector_bits)(value > 0), value, value * slope);
        vector_store_as(type, dst, at, (vector)((vector_bits)value & mask));
    }
}

static void affine_row(enum tensor_type type, const struct kernels_affine *affine, const void *src,
                       void *dst, int pixels)
{
    if (type == TENSOR_F32)
        affine_as(affine, src, dst, pixels, TENSOR_F32);
    else
        affine_as(affine, src, dst, pixels, TENSOR_BF16);
}

INLINE void multiply_map_as(const void *src, const float *map, void *dst, int pixels,
                            const enum tensor_type type)
{
    for (int x = 0; x < pixels; x++) {
        size_t at = (size_t)x * VECTOR_WIDTH;
        vector_store_as(type, dst, at, vector_load_as(type, src, at) * vector_splat(map[x]));
    }
}

static void multiply_map(enum tensor_type type, const void *src, const float *map, void *dst,
                         int pixels)
{
    if (type == TENSOR_F32)
        multiply_map_as(src, map, dst, pixels, TENSOR_F32);
    else
        multiply_map_as(src, map, dst, pixels, TENSOR_BF16);
}

/* Four sums side by side: short ones lose fewer digits and do not wait for each other. */
INLINE void sum_as(const void *src, size_t pixels, float *ret_lanes, const enum tensor_type type)
{
    vector sums[4] = { vector_splat(0), vector_splat(0), vector_splat(0), vector_splat(0) };
    size_t x = 0;
    for (; x + 4 <= pixels; x += 4) {
        UNROLL
        for (size_t i = 0; i < 4; i++)
            sums[i] += vector_load_as(type, src, (x + i) * VECTOR_WIDTH);
    }
    for (; x < pixels; x++)
        sums[0] += vector_load_as(type, src, x * VECTOR_WIDTH);
    vector_store(ret_lanes, (sums[0] + sums[1]) + (sums[2] + sums[3]));
}

static void sum_pixels(enum tensor_type type, const void *src, size_t pixels, float *ret_lanes)
{
    if (type == TENSOR_F32)
        sum_as(src, pixels, ret_lanes, TENSOR_F32);
    else
        sum_as(src, pixels, ret_lanes, TENSOR_BF16);
}
