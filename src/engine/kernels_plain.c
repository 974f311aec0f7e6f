/* The kernels in C alone: the reference for the others, and what other machines run (the compiler
 * makes SSE2 or NEON of the vectors). */
#include "engine/kernels.h"

#pragma GCC diagnostic ignored "-Wpsabi" /* everything is inlined: no vector crosses a call */

#define VECTOR_WIDTH 8
#ifdef __aarch64__
#define VECTOR_ROWS 6
#else
#define VECTOR_ROWS 2
#endif
#include "engine/kernels_vector.h"

INLINE vector vector_fma(vector a, vector b, vector c)
{
#ifdef __FP_FAST_FMAF
    for (int i = 0; i < VECTOR_WIDTH; i++)
        c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
#else
    return a * b + c;
#endif
}

INLINE vector vector_max(vector a, vector b)
{
    vector_bits larger = (vector_bits)(a > b);
    return (vector)(((vector_bits)a & larger) | ((vector_bits)b & ~larger));
}

#include "engine/kernels_winograd_body.h"
#include "engine/kernels_direct_body.h"
#include "engine/kernels_plane_body.h"
#include "engine/kernels_depthwise_body.h"
#include "engine/kernels_arithmetic_body.h"
#include "engine/kernels_resize_body.h"
#include "engine/kernels_sample_body.h"
#include "engine/kernels_shuffle_body.h"
#include "engine/kernels_math_body.h"
#include "engine/kernels_view_body.h"
#include "engine/kernels_product_body.h"
#include "engine/kernels_norm_body.h"

const struct kernels kernels_plain = {
    .name = "plain",
#include "engine/kernels_table_body.h"
};
