/* Products of bf16 pairs (VDPBF16PS), for CPUs that have avx512_bf16 beside what
 * kernels_avx512.c needs. Twice the speed of f32. Built with those flags; call only where they
 * exist. Layouts: kernels_product.h. */
#include "engine/kernels.h"

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define PAIRS_WIDTH 16
#define PAIRS_ROWS 12 /* 12 x 2 accumulators, 2 weights, 1 broadcast: 27 of 32 registers */
#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 36")
#endif

INLINE __m512 pairs_multiply_add(__m512 sums, const uint16_t *pair, __m512i weights)
{
    int both;
    memcpy(&both, pair, sizeof both);
    return _mm512_dpbf16_ps(sums, (__m512bh)_mm512_set1_epi32(both), (__m512bh)weights);
}

INLINE void pairs_tile(const uint16_t *input, size_t step, int blocks, const uint16_t *weights,
                       float *sums, bool more, const int rows, const int vectors)
{
    __m512 tile[PAIRS_ROWS][2];
    UNROLL
    for (int row = 0; row < rows; row++)
        for (int i = 0; i < vectors; i++)
            tile[row][i] =
                more ? _mm512_loadu_ps(sums + i * step + row * PAIRS_WIDTH) : _mm512_setzero_ps();
    for (int block = 0; block < blocks; block++, input += step) {
#pragma GCC unroll 1
        for (int channel = 0; channel < PAIRS_WIDTH; channel += 2) {
            __m512i left = _mm512_loadu_si512(weights);
            __m512i right = vectors > 1 ? _mm512_loadu_si512(weights + 2 * PAIRS_WIDTH) : left;
            weights += vectors * 2 * PAIRS_WIDTH;
            UNROLL
            for (int row = 0; row < rows; row++) {
                const uint16_t *pair = input + row * PAIRS_WIDTH + channel;
                tile[row][0] = pairs_multiply_add(tile[row][0], pair, left);
                if (vectors > 1)
                    tile[row][1] = pairs_multiply_add(tile[row][1], pair, right);
            }
        }
    }
    UNROLL
    for (int row = 0; row < rows; row++)
        for (int i = 0; i < vectors; i++)
            _mm512_storeu_ps(sums + i * step + row * PAIRS_WIDTH, tile[row][i]);
}

INLINE void pairs_vectors(const uint16_t *input, int rows, int blocks, const uint16_t *weights,
                          float *sums, bool more, const int vectors)
{
    size_t step = (size_t)rows * PAIRS_WIDTH;
    int row = 0;
#define PAIRS_TILES(count)                                                                         \
    for (; row + (count) <= rows; row += (count))                                                  \
    pairs_tile(input + row * PAIRS_WIDTH, step, blocks, weights, sums + row * PAIRS_WIDTH, more,   \
               count, vectors)
    PAIRS_TILES(12);
    PAIRS_TILES(8);
    PAIRS_TILES(4);
    PAIRS_TILES(2);
    PAIRS_TILES(1);
#undef PAIRS_TILES
}

void kernels_pairs_avx512bf16(const void *input, int rows, int blocks, const void *weights,
                              int vectors, float *sums, bool more)
{
    if (vectors > 1)
        pairs_vectors(input, rows, blocks, weights, sums, more, 2);
    else
        pairs_vectors(input, rows, blocks, weights, sums, more, 1);
}
