/* Template: direct convolution of any shape, and the narrow one into few plain channels.
 *
 * The direct kernel is the judge of the others and the way out where oneDNN has nothing; it is
 * reasonably fast (register tiles of pixels x two output blocks), not tuned.
 * Weights: [output blocks by two][source block][ky][kx][channel in block][one or two x width], and
 * for narrow_row [output channel][source block][ky][kx][width].
 *
 * Private to kernels_*.c; needs kernels_vector.h, vector_fma, vector_max and VECTOR_ROWS. */

#include "engine/kernels_math_body.h"

/* Where a dot product reads its source: the first pixel and which taps are inside the plane. */
struct direct_window {
    const float *src;               /* channel block 0; may point outside where no tap is read */
    int y_from, y_to, x_from, x_to; /* taps: ky and kx, half open */
};

/* `rows` neighbouring output pixels x `columns` output blocks. */
INLINE void direct_pixels(const struct kernels_conv *conv, const struct direct_window *window,
                          const float *weights, vector sums[VECTOR_ROWS][2], const int rows,
                          const int columns)
{
    const struct tensor *src = &conv->src;
    int kernel = conv->kernel, in_block = src->block, blocks = tensor_blocks(src);
    ptrdiff_t pixel = in_block, line = (ptrdiff_t)src->width * in_block;
    ptrdiff_t plane = line * src->height, advance = (ptrdiff_t)conv->stride * pixel;
    UNROLL
    for (int row = 0; row < rows; row++)
        sums[row][0] = sums[row][1] = vector_splat(0);
    for (int block = 0; block < blocks; block++) {
        for (int ky = window->y_from; ky < window->y_to; ky++) {
            for (int kx = window->x_from; kx < window->x_to; kx++) {
                const float *from =
                    window->src + block * plane + conv->dilation * (ky * line + kx * pixel);
                const float *w = weights + (size_t)((block * kernel + ky) * kernel + kx) *
                                               in_block * columns * VECTOR_WIDTH;
                for (int channel = 0; channel < in_block; channel++) {
                    vector left = vector_load(w);
                    vector right = columns > 1 ? vector_load(w + VECTOR_WIDTH) : left;
                    w += columns * VECTOR_WIDTH;
                    UNROLL
                    for (int row = 0; row < rows; row++) {
                        vector value = vector_splat(from[row * advance + channel]);
                        sums[row][0] = vector_fma(value, left, sums[row][0]);
                        if (columns > 1)
                            sums[row][1] = vector_fma(value, right, sums[row][1]);
                    }
                }
            }
        }
    }
}

static void prelu(enum tensor_type type, const float *slopes, void *data, size_t pixels)
{
    vector slope = vector_load(slopes);
    for (size_t i = 0; i < pixels * VECTOR_WIDTH; i += VECTOR_WIDTH)
        vector_store_as(type, data, i, vector_leaky(vector_load_as(type, data, i), slope));
}

INLINE void direct_finish(const struct kernels_conv *conv, int block, int y, int x, vector value)
{
    const struct tensor *dst = &conv->dst;
    size_t at = (((size_t)block * dst->height + y) * dst->width + x) * VECTOR_WIDTH;
    size_t lane = (size_t)block * VECTOR_WIDTH;
    vector slope = conv->slopes ? vector_load(conv->slopes + lane) : vector_splat(conv->slope);
    value = vector_leaky(value + vector_load(conv->bias + lane), slope);
    if (conv->residual)
        value += vector_load((const float *)conv->residual->data + at);
    vector_store((float *)dst->data + at, value);
}

/* Taps 0 .. kernel - 1 of which `start + tap * dilation` is in 0 .. size - 1. */
INLINE void direct_taps(const struct kernels_conv *conv, int start, int size, int *ret_from,
                        int *ret_to)
{
    int from = 0, to = conv->kernel;
    while (from < to && start + from * conv->dilation < 0)
        from++;
    while (to > from && start + (to - 1) * conv->dilation >= size)
        to--;
    *ret_from = from;
    *ret_to = to;
}

INLINE void direct_row_columns(const struct kernels_conv *conv, int y, int group, const int columns)
{
    const struct tensor *src = &conv->src;
    int top = y * conv->stride - conv->padding, kernel = conv->kernel;
    const float *weights = conv->weights + (size_t)group * 2 * VECTOR_WIDTH * tensor_blocks(src) *
                                               src->block * kernel * kernel;
    struct direct_window window;
    direct_taps(conv, top, src->height, &window.y_from, &window.y_to);
    for (int x = 0; x < conv->dst.width;) {
        vector sums[VECTOR_ROWS][2];
        int left = x * conv->stride - conv->padding;
        int last = left + (VECTOR_ROWS - 1) * conv->stride + (kernel - 1) * conv->dilation;
        bool inside = left >= 0 && last < src->width && x + VECTOR_ROWS <= conv->dst.width;
        int rows = inside ? VECTOR_ROWS : 1;
        window.src = (const float *)src->data + ((ptrdiff_t)top * src->width + left) * src->block;
        direct_taps(conv, left, src->width, &window.x_from, &window.x_to);
        if (inside) {
            window.x_to = kernel;
            direct_pixels(conv, &window, weights, sums, VECTOR_ROWS, columns);
        } else {
            direct_pixels(conv, &window, weights, sums, 1, columns);
        }
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
                direct_finish(conv, group * 2 + column, y, x + row, sums[row][column]);
        x += rows;
    }
}

static void direct_row(const struct kernels_conv *conv, int y, int group)
{
    if (group * 2 + 1 < tensor_blocks(&conv->dst))
        direct_row_columns(conv, y, group, 2);
    else
        direct_row_columns(conv, y, group, 1);
}

INLINE void narrow_row_as(const struct kernels_conv *conv, int y, enum tensor_type type)
{
    const struct tensor *src = &conv->src, *dst = &conv->dst;
    int kernel = conv->kernel, blocks = tensor_blocks(src);
    int top = y * conv->stride - conv->padding, y_from, y_to;
    direct_taps(conv, top, src->height, &y_from, &y_to);
    for (int channel = 0; channel < dst->channels; channel++) {
        const float *weights =
            conv->weights + (size_t)channel * blocks * kernel * kernel * VECTOR_WIDTH;
        float slope = conv->slopes ? conv->slopes[channel] : conv->slope;
        float *line = (float *)dst->data + ((size_t)channel * dst->height + y) * dst->width;
        for (int x = 0; x < dst->width; x++) {
            int left = x * conv->stride - conv->padding, x_from, x_to;
            direct_taps(conv, left, src->width, &x_from, &x_to);
            vector sums[3] = { vector_splat(0), vector_splat(0), vector_splat(0) };
            for (int block = 0; block < blocks; block++)
                for (int ky = y_from; ky < y_to; ky++) {
                    ptrdiff_t at = (ptrdiff_t)block * src->height + top + ky * conv->dilation;
                    at = (at * src->width + left) * VECTOR_WIDTH;
                    const float *w =
                        weights + (size_t)(block * kernel + ky) * kernel * VECTOR_WIDTH;
                    for (int kx = x_from; kx < x_to; kx++) {
                        size_t from = (size_t)(at + kx * conv->dilation * VECTOR_WIDTH);
                        sums[kx % 3] = vector_fma(vector_load_as(type, src->data, from),
                                                  vector_load(w + kx * VECTOR_WIDTH), sums[kx % 3]);
                    }
                }
            float value = vector_sum(sums[0] + sums[1] + sums[2]) + conv->bias[channel];
            line[x] = value > 0 ? value : slope * value;
        }
    }
}

static void narrow_row(const struct kernels_conv *conv, int y)
{
    if (conv->src.type == TENSOR_F32)
        narrow_row_as(conv, y, TENSOR_F32);
    else
        narrow_row_as(conv, y, TENSOR_BF16);
}
