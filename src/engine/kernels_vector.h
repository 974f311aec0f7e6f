/* The vector type of a kernels_*.c file, from its VECTOR_WIDTH (floats). What differs between
 * instruction sets (vector_fma, vector_max) is defined by that file, after this header.
 *
 * Private to kernels_*.c. */
#ifndef MIMEO_ENGINE_KERNELS_VECTOR_H
#define MIMEO_ENGINE_KERNELS_VECTOR_H

#include <stdint.h>
#include <string.h>

/* Everything is inlined into one function per kernel, so passing vectors has no ABI to worry about.
 */
#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 36")
#endif

typedef float vector __attribute__((vector_size(4 * VECTOR_WIDTH)));
typedef uint32_t vector_bits __attribute__((vector_size(4 * VECTOR_WIDTH)));
typedef uint16_t vector_half __attribute__((vector_size(2 * VECTOR_WIDTH)));

INLINE vector vector_load(const float *from)
{
    vector v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void vector_store(float *to, vector v)
{
    memcpy(to, &v, sizeof v);
}

INLINE vector vector_splat(float value)
{
    return value - (vector){ 0 };
}

/* Load element `index` on, f32 or bf16 (the upper half of an f32). */
INLINE vector vector_load_as(enum tensor_type type, const void *from, size_t index)
{
    if (type == TENSOR_F32)
        return vector_load((const float *)from + index);
    vector_half half;
    memcpy(&half, (const uint16_t *)from + index, sizeof half);
    return (vector)(__builtin_convertvector(half, vector_bits) << 16);
}

/* Store, rounding to the nearest even bf16. NaN is not expected: no operator here makes one. */
INLINE void vector_store_as(enum tensor_type type, void *to, size_t index, vector v)
{
    if (type == TENSOR_F32) {
        vector_store((float *)to + index, v);
        return;
    }
    vector_bits bits = (vector_bits)v;
    bits += 0x7fff + ((bits >> 16) & 1);
    vector_half half = __builtin_convertvector(bits >> 16, vector_half);
    memcpy((uint16_t *)to + index, &half, sizeof half);
}

INLINE float vector_sum(vector v)
{
    float lanes[VECTOR_WIDTH], sum = 0;
    vector_store(lanes, v);
    for (int i = 0; i < VECTOR_WIDTH; i++)
        sum += lanes[i];
    return sum;
}

#endif
