/* Template: depthwise convolution, each channel with a filter of its own, in f32 or bf16.
 *
 * Common sizes with stride 1 take the fast way: a tile of output pixels in registers, each source
 * pixel of a row loaded once and given to all outputs that see it. The others take pixel after
 * pixel. Weights: [block][ky][kx][width], f32.
 *
 * Private to kernels_*.c; needs kernels_direct_body.h. */

#include "engine/kernels_math_body.h"

#if VECTOR_ROWS >= 12
#define DEPTHWISE_PIXELS 16 /* + 7 weights + 1 source pixel: 24 of 32 registers */
#else
#define DEPTHWISE_PIXELS 8 /* + 7 weights: 15 of 16 registers */
#endif

INLINE void depthwise_finish(const struct kernels_conv *conv, int block, size_t at, vector value,
                             const enum tensor_type type)
{
    size_t first = (size_t)block * VECTOR_WIDTH;
    vector slope = conv->slopes ? vector_load(conv->slopes + first) : vector_splat(conv->slope);
    value += vector_load(conv->bias + first);
    value =
        vector_fma(slope, vector_min(value, vector_splat(0)), vector_max(value, vector_splat(0)));
    if (conv->residual)
        value += vector_load_as(type, conv->residual->data, at);
    vector_store_as(type, conv->dst.data, at, value);
}

/* DEPTHWISE_PIXELS outputs from column x on; those beyond the row are computed and dropped.
 * `inside`: no source column is beyond the plane (a constant, so the checks vanish). */
INLINE void depthwise_tile(const struct kernels_conv *conv, int block, int y, int x,
                           const int kernel, const bool inside, const enum tensor_type type)
{
    const struct tensor *src = &conv->src, *dst = &conv->dst;
    const float *weights = conv->weights + (size_t)block * kernel * kernel * VECTOR_WIDTH;
    vector sums[DEPTHWISE_PIXELS];
    int top = y - conv->padding, left = x - conv->padding;
    UNROLL
    for (int i = 0; i < DEPTHWISE_PIXELS; i++)
        sums[i] = vector_splat(0);
    for (int ky = 0; ky < kernel; ky++) {
        if (top + ky < 0 || top + ky >= src->height)
            continue;
        ptrdiff_t line = ((ptrdiff_t)block * src->height + top + ky) * src->width + left;
        vector taps[7];
        UNROLL
        for (int kx = 0; kx < kernel; kx++)
            taps[kx] = vector_load(weights + (ky * kernel + kx) * VECTOR_WIDTH);
        UNROLL
        for (int column = 0; column < DEPTHWISE_PIXELS + kernel - 1; column++) {
            if (!inside && (left + column < 0 || left + column >= src->width))
                continue;
            vector value =
                vector_load_as(type, src->data, (size_t)((line + column) * VECTOR_WIDTH));
            UNROLL
            for (int kx = 0; kx < kernel; kx++)
                if (column - kx >= 0 && column - kx < DEPTHWISE_PIXELS)
                    sums[column - kx] = vector_fma(value, taps[kx], sums[column - kx]);
        }
    }
    size_t at = (((size_t)block * dst->height + y) * dst->width + x) * VECTOR_WIDTH;
    UNROLL
    for (int i = 0; i < DEPTHWISE_PIXELS; i++)
        if (inside || x + i < dst->width)
            depthwise_finish(conv, block, at + (size_t)i * VECTOR_WIDTH, sums[i], type);
}

INLINE void depthwise_row_tiles(const struct kernels_conv *conv, int block, int y, const int kernel,
                                const enum tensor_type type)
{
    for (int x = 0; x < conv->dst.width; x += DEPTHWISE_PIXELS) {
        int left = x - conv->padding, right = left + DEPTHWISE_PIXELS + kernel - 1;
        if (left >= 0 && right <= conv->src.width && x + DEPTHWISE_PIXELS <= conv->dst.width)
            depthwise_tile(conv, block, y, x, kernel, true, type);
        else
            depthwise_tile(conv, block, y, x, kernel, false, type);
    }
}

/* Any kernel, stride and dilation. */
INLINE void depthwise_row_pixels(const struct kernels_conv *conv, int block, int y,
                                 const enum tensor_type type)
{
    const struct tensor *src = &conv->src, *dst = &conv->dst;
    int kernel = conv->kernel, top = y * conv->stride - conv->padding;
    const float *weights = conv->weights + (size_t)block * kernel * kernel * VECTOR_WIDTH;
    size_t at = ((size_t)block * dst->height + y) * dst->width * VECTOR_WIDTH;
    int y_from, y_to;
    direct_taps(conv, top, src->height, &y_from, &y_to);
    for (int x = 0; x < dst->width; x++, at += VECTOR_WIDTH) {
        int left = x * conv->stride - conv->padding, x_from, x_to;
        vector sums[2] = { vector_splat(0), vector_splat(0) };
        direct_taps(conv, left, src->width, &x_from, &x_to);
        for (int ky = y_from; ky < y_to; ky++) {
            ptrdiff_t line = (ptrdiff_t)block * src->height + top + ky * conv->dilation;
            line = line * src->width + left;
            for (int kx = x_from; kx < x_to; kx++) {
                size_t from = (size_t)((line + kx * conv->dilation) * VECTOR_WIDTH);
                vector tap = vector_load(weights + (ky * kernel + kx) * VECTOR_WIDTH);
                sums[kx & 1] = vector_fma(vector_load_as(type, src->data, from), tap, sums[kx & 1]);
            }
        }
        depthwise_finish(conv, block, at, sums[0] + sums[1], type);
    }
}

INLINE void depthwise_row_as(const struct kernels_conv *conv, int block, int y,
                             const enum tensor_type type)
{
    bool plain = conv->stride == 1 && conv->dilation == 1;
    if (plain && conv->kernel == 3)
        depthwise_row_tiles(conv, block, y, 3, type);
    else if (plain && conv->kernel == 5)
        depthwise_row_tiles(conv, block, y, 5, type);
    else if (plain && conv->kernel == 7)
        depthwise_row_tiles(conv, block, y, 7, type);
    else
        depthwise_row_pixels(conv, block, y, type);
}

static void depthwise_row(const struct kernels_conv *conv, int block, int y)
{
    if (conv->src.type == TENSOR_F32)
        depthwise_row_as(conv, block, y, TENSOR_F32);
    else
        depthwise_row_as(conv, block, y, TENSOR_BF16);
}
