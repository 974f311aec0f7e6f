/* The kernels for AVX-512 (F, BW, DQ, VL). Built with those flags; call only where they exist. */
#include "engine/kernels.h"

#include <immintrin.h>

#define VECTOR_WIDTH 16
#define VECTOR_ROWS 12 /* 12 x 2 accumulators, 2 weights, 1 broadcast: 27 of 32 registers */
#include "engine/kernels_vector.h"

INLINE vector vector_fma(vector a, vector b, vector c)
{
    return (vector)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

INLINE vector vector_max(vector a, vector b)
{
    return (vector)_mm512_max_ps((__m512)a, (__m512)b);
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

const struct kernels kernels_avx512 = {
    .name = "avx512",
#include "engine/kernels_table_body.h"
};
