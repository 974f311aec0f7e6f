/* The kernels for AVX2 with FMA. Built with those flags; call only where they exist. */
#include "engine/kernels.h"

#include <immintrin.h>

#define VECTOR_WIDTH 8
#define VECTOR_ROWS 6 /* 6 x 2 accumulators, 2 weights, 1 broadcast: 15 of 16 registers */
#include "engine/kernels_vector.h"

INLINE vector vector_fma(vector a, vector b, vector c)
{
    return (vector)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

INLINE vector vector_max(vector a, vector b)
{
    return (vector)_mm256_max_ps((__m256)a, (__m256)b);
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

const struct kernels kernels_avx2 = {
    .name = "avx2",
#include "engine/kernels_table_body.h"
};
