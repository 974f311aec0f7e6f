/* Template: the three steps of Winograd F(4x4,3x3) for one vector type.
 *
 *     output = A' [ (G g G') * (B' d B) ] A        g: 3x3 filter, d: 6x6 input, output: 4x4
 *
 * The six interpolation points are 0, +-5/8, +-3/2 and infinity. They cost as much as the textbook
 * 0, +-1, +-2 and make errors three to five times smaller. G is applied in winograd.c, once.
 * With dilation d the pixels of a tile are d apart; everything else stays the same.
 *
 * Private to kernels_*.c; needs kernels_vector.h, vector_fma, vector_max and VECTOR_ROWS. */

#include "engine/winograd_points.h"

/* B' x: six values to six. */
INLINE void winograd_input_1d(const vector x[6], vector y[6])
{
    const vector aa = vector_splat(-WINOGRAD_A * WINOGRAD_A);
    const vector bb = vector_splat(-WINOGRAD_B * WINOGRAD_B);
    const vector a = vector_splat(WINOGRAD_A), b = vector_splat(WINOGRAD_B);
    const vector product = vector_splat(WINOGRAD_A * WINOGRAD_A * WINOGRAD_B * WINOGRAD_B);
    const vector sum = vector_splat(-WINOGRAD_A * WINOGRAD_A - WINOGRAD_B * WINOGRAD_B);
    vector even_a = vector_fma(bb, x[2], x[4]), odd_a = vector_fma(bb, x[1], x[3]);
    vector even_b = vector_fma(aa, x[2], x[4]), odd_b = vector_fma(aa, x[1], x[3]);
    y[0] = vector_fma(sum, x[2], vector_fma(product, x[0], x[4]));
    y[1] = vector_fma(a, odd_a, even_a);
    y[2] = vector_fma(-a, odd_a, even_a);
    y[3] = vector_fma(b, odd_b, even_b);
    y[4] = vector_fma(-b, odd_b, even_b);
    y[5] = vector_fma(sum, x[3], vector_fma(product, x[1], x[5]));
}

/* A' x: six values to four. */
INLINE void winograd_output_1d(const vector x[6], vector y[4])
{
    const vector a = vector_splat(WINOGRAD_A), b = vector_splat(WINOGRAD_B);
    const vector aa = vector_splat(WINOGRAD_A * WINOGRAD_A);
    const vector bb = vector_splat(WINOGRAD_B * WINOGRAD_B);
    const vector aaa = vector_splat(WINOGRAD_A * WINOGRAD_A * WINOGRAD_A);
    const vector bbb = vector_splat(WINOGRAD_B * WINOGRAD_B * WINOGRAD_B);
    vector sum_a = x[1] + x[2], difference_a = x[1] - x[2];
    vector sum_b = x[3] + x[4], difference_b = x[3] - x[4];
    y[0] = x[0] + (sum_a + sum_b);
    y[1] = vector_fma(a, difference_a, b * difference_b);
    y[2] = vector_fma(aa, sum_a, bb * sum_b);
    y[3] = vector_fma(aaa, difference_a, vector_fma(bbb, difference_b, x[5]));
}

/* Where tile `index` of the plane begins: the first output pixel it makes. */
INLINE void winograd_tile_at(const struct kernels_conv *conv, int index, int *ret_y, int *ret_x)
{
    int per_phase = conv->tiles_y * conv->tiles_x;
    int phase = index / per_phase, tile = index % per_phase;
    *ret_y = phase / conv->dilation + tile / conv->tiles_x * 4 * conv->dilation;
    *ret_x = phase % conv->dilation + tile % conv->tiles_x * 4 * conv->dilation;
}

/* Transform one tile whose first input pixel is (y, x). `inside`: no pixel is beyond the border
 * (a constant, so the checks vanish). `to` has room at 36 places, `step` floats apart. */
INLINE void winograd_input_tile(const struct kernels_conv *conv, const float *plane, int y, int x,
                                const bool inside, float *to, size_t step)
{
    int height = conv->src.height, width = conv->src.width, dilation = conv->dilation;
    vector half[6][6];
    UNROLL
    for (int column = 0; column < 6; column++) {
        vector in[6], out[6];
        int px = x + column * dilation;
        UNROLL
        for (int row = 0; row < 6; row++) {
            int py = y + row * dilation;
            if (inside || (py >= 0 && py < height && px >= 0 && px < width))
                in[row] = vector_load(plane + ((ptrdiff_t)py * width + px) * VECTOR_WIDTH);
            else
                in[row] = vector_splat(0);
        }
        winograd_input_1d(in, out);
        UNROLL
        for (int row = 0; row < 6; row++)
            half[row][column] = out[row];
    }
    UNROLL
    for (int row = 0; row < 6; row++) {
        vector out[6];
        winograd_input_1d(half[row], out);
        UNROLL
        for (int column = 0; column < 6; column++)
            vector_store(to + (size_t)(row * 6 + column) * step, out[column]);
    }
}

static void winograd_input(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                           int block)
{
    const struct tensor *src = &conv->src;
    const float *plane =
        (const float *)src->data + (size_t)block * src->height * src->width * VECTOR_WIDTH;
    size_t block_floats = (size_t)tiles->count * VECTOR_WIDTH;
    size_t step = (size_t)tensor_blocks(src) * block_floats;
    int reach = 5 * conv->dilation;
    for (int i = 0; i < tiles->count; i++) {
        float *to = tiles->input + (size_t)block * block_floats + (size_t)i * VECTOR_WIDTH;
        int y, x;
        winograd_tile_at(conv, tiles->first + i, &y, &x);
        y -= conv->dilation;
        x -= conv->dilation;
        if (y >= 0 && x >= 0 && y + reach < src->height && x + reach < src->width)
            winograd_input_tile(conv, plane, y, x, true, to, step);
        else
            winograd_input_tile(conv, plane, y, x, false, to, step);
    }
}

/* rows tiles x columns output blocks, over all source channels: the inner product kernel.
 * rows and columns are constants: the accumulators are registers. */
INLINE void winograd_multiply_rows(const float *input, size_t block_floats, int blocks,
                                   const float *weights, float *output, const int rows,
                                   const int columns)
{
    vector sums[VECTOR_ROWS][2];
    UNROLL
    for (int row = 0; row < rows; row++)
        sums[row][0] = sums[row][1] = vector_splat(0);
    for (int block = 0; block < blocks; block++, input += block_floats) {
#pragma GCC unroll 1
        for (int channel = 0; channel < VECTOR_WIDTH; channel++) {
            vector left = vector_load(weights);
            vector right = columns > 1 ? vector_load(weights + VECTOR_WIDTH) : left;
            weights += columns * VECTOR_WIDTH;
            UNROLL
            for (int row = 0; row < rows; row++) {
                vector value = vector_splat(input[row * VECTOR_WIDTH + channel]);
                sums[row][0] = vector_fma(value, left, sums[row][0]);
                if (columns > 1)
                    sums[row][1] = vector_fma(value, right, sums[row][1]);
            }
        }
    }
    UNROLL
    for (int row = 0; row < rows; row++) {
        vector_store(output + row * VECTOR_WIDTH, sums[row][0]);
        if (columns > 1)
            vector_store(output + block_floats + row * VECTOR_WIDTH, sums[row][1]);
    }
}

INLINE void winograd_multiply_columns(const float *input, int tiles, int blocks,
                                      const float *weights, float *output, const int columns)
{
    size_t block_floats = (size_t)tiles * VECTOR_WIDTH;
    int tile = 0;
#define WINOGRAD_ROWS(rows)                                                                        \
    for (; tile + (rows) <= tiles; tile += (rows))                                                 \
    winograd_multiply_rows(input + tile * VECTOR_WIDTH, block_floats, blocks, weights,             \
                           output + tile * VECTOR_WIDTH, rows, columns)
#if VECTOR_ROWS >= 12
    WINOGRAD_ROWS(12);
    WINOGRAD_ROWS(8);
#endif
#if VECTOR_ROWS >= 6
    WINOGRAD_ROWS(6);
    WINOGRAD_ROWS(4);
#endif
    WINOGRAD_ROWS(2);
    WINOGRAD_ROWS(1);
#undef WINOGRAD_ROWS
}

static void winograd_multiply(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                              int point, int group)
{
    size_t in_blocks = (size_t)tensor_blocks(&conv->src);
    size_t out_blocks = (size_t)tensor_blocks(&conv->dst);
    size_t block_floats = (size_t)tiles->count * VECTOR_WIDTH;
    size_t in_channels = in_blocks * VECTOR_WIDTH;
    const float *input = tiles->input + (size_t)point * in_blocks * block_floats;
    float *output = tiles->output + ((size_t)point * out_blocks + (size_t)group * 2) * block_floats;
    const float *weights = conv->weights + ((size_t)point * out_blocks + (size_t)group * 2) *
                                               VECTOR_WIDTH * in_channels;
    if ((size_t)group * 2 + 1 < out_blocks)
        winograd_multiply_columns(input, tiles->count, (int)in_blocks, weights, output, 2);
    else
        winograd_multiply_columns(input, tiles->count, (int)in_blocks, weights, output, 1);
}

static void winograd_output(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                            int block)
{
    const struct tensor *dst = &conv->dst;
    size_t plane_floats = (size_t)dst->height * dst->width * VECTOR_WIDTH;
    float *plane = (float *)dst->data + (size_t)block * plane_floats;
    const float *residual = NULL;
    if (conv->residual)
        residual = (const float *)conv->residual->data + (size_t)block * plane_floats;
    size_t block_floats = (size_t)tiles->count * VECTOR_WIDTH;
    size_t step = (size_t)tensor_blocks(dst) * block_floats;
    vector bias = vector_load(conv->bias + (size_t)block * VECTOR_WIDTH);
    vector slope = vector_splat(conv->slope);
    for (int i = 0; i < tiles->count; i++) {
        const float *from = tiles->output + (size_t)block * block_floats + (size_t)i * VECTOR_WIDTH;
        vector half[4][6];
        UNROLL
        for (int column = 0; column < 6; column++) {
            vector in[6], out[4];
            UNROLL
            for (int row = 0; row < 6; row++)
                in[row] = vector_load(from + (size_t)(row * 6 + column) * step);
            winograd_output_1d(in, out);
            UNROLL
            for (int row = 0; row < 4; row++)
                half[row][column] = out[row];
        }
        int y, x;
        winograd_tile_at(conv, tiles->first + i, &y, &x);
        UNROLL
        for (int row = 0; row < 4; row++) {
            int py = y + row * conv->dilation;
            if (py >= dst->height)
                break;
            vector out[4];
            winograd_output_1d(half[row], out);
            UNROLL
            for (int column = 0; column < 4; column++) {
                int px = x + column * conv->dilation;
                if (px >= dst->width)
                    break;
                size_t at = ((size_t)py * dst->width + px) * VECTOR_WIDTH;
                vector value = out[column] + bias;
                value = vector_max(slope * value, value);
                if (residual)
                    value += vector_load(residual + at);
                vector_store(plane + at, value);
            }
        }
    }
}
